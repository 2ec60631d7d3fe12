"""Draws windows with text in them, as SVG: a terminal (text with ANSI colours) and an editor (Python, coloured).

For the makers in this folder. `picture` puts several windows side by side or below each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = ["ROOT", "TextWindow", "editor", "picture", "terminal"]

ROOT = Path(__file__).resolve().parent.parent.parent

_CELL, _LINE, _SIZE = 7.8, 18.0, 13.0
_PAD, _BAR, _BETWEEN = 16.0, 34.0, 18.0
_FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'
_TEXT, _BACK, _BAR_COLOUR, _EDGE = "#d7dde8", "#171b22", "#222833", "#39414f"
_COLOURS = {31: "#ff7b72", 32: "#7ee08a", 33: "#f0c674", 34: "#7aa9f7", 35: "#cf9df5", 36: "#6fd3dd", 37: "#d7dde8"}
_ESCAPE = re.compile(r"\x1b\[([\d;]*)m")

# (text, colour, bold, dim, reversed)
Piece = tuple[str, str, bool, bool, bool]


@dataclass(frozen=True)
class TextWindow:
    """Lines of coloured pieces under a title. marked: numbers of lines, from 0, that stand out."""

    title: str
    lines: Sequence[Sequence[Piece]]
    columns: int
    marked: frozenset[int] = frozenset()

    @property
    def width(self) -> float:
        return self.columns * _CELL + 2 * _PAD

    @property
    def height(self) -> float:
        return _BAR + len(self.lines) * _LINE + 2 * _PAD - 6


def terminal(text: str, title: str, columns: int = 0) -> TextWindow:
    """What a program wrote to a terminal. columns: at least so many."""
    lines = [list(_ansi(line)) for line in text.rstrip("\n").expandtabs().split("\n")]
    longest = max((sum(len(piece[0]) for piece in line) for line in lines), default=0)
    return TextWindow(title, lines, max(columns, longest))


def _ansi(line: str) -> Iterator[Piece]:
    colour, bold, dim, turned, at = _TEXT, False, False, False, 0
    for found in [*_ESCAPE.finditer(line), None]:
        end = found.start() if found else len(line)
        if end > at:
            yield line[at:end], colour, bold, dim, turned
        if found is None:
            return
        at = found.end()
        for code in map(int, (found[1] or "0").split(";")):
            if code == 0:
                colour, bold, dim, turned = _TEXT, False, False, False
            elif code in (1, 2, 7):
                bold, dim, turned = bold or code == 1, dim or code == 2, turned or code == 7
            elif code in _COLOURS or code - 60 in _COLOURS:
                colour = _COLOURS.get(code) or _COLOURS[code - 60]


def editor(source: str, title: str, marked: Iterable[int] = (), columns: int = 0) -> TextWindow:
    """Python source with line numbers. marked: numbers of lines, from 1, that stand out."""
    from pygments.lexers.python import PythonLexer
    from pygments.token import Comment, Keyword, Name, Number, String

    colours = (
        (Keyword, _COLOURS[35]), (Comment, "#8b95a7"), (String, _COLOURS[32]), (Number, _COLOURS[33]),
        (Name.Class, _COLOURS[33]), (Name.Function, _COLOURS[34]), (Name.Builtin.Pseudo, _COLOURS[31]),
        (Name.Builtin, _COLOURS[36]), (Name.Decorator, _COLOURS[33]),
    )  # fmt: skip
    lines: list[list[Piece]] = [[]]
    for kind, text in PythonLexer().get_tokens(source.rstrip("\n")):
        colour = next((colour for of, colour in colours if kind in of), _TEXT)
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append((part, colour, False, False, False))
    while not lines[-1]:
        lines.pop()
    lines = [[(f"{number:2}  ", "#5c6678", False, False, False), *line] for number, line in enumerate(lines, 1)]
    longest = max(sum(len(piece[0]) for piece in line) for line in lines)
    return TextWindow(title, lines, max(columns, longest), frozenset(number - 1 for number in marked))


def picture(windows: Sequence[TextWindow], description: str, *, below: bool = False) -> str:
    """Windows beside each other, or `below` each other and then of one width, as one SVG."""
    if below:
        columns = max(window.columns for window in windows)
        windows = [TextWindow(window.title, window.lines, columns, window.marked) for window in windows]
        width = windows[0].width
        height = sum(window.height for window in windows) + _BETWEEN * (len(windows) - 1)
    else:
        width = sum(window.width for window in windows) + _BETWEEN * (len(windows) - 1)
        height = max(window.height for window in windows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img">',
        f"<title>{escape(description)}</title>",
        f"<style>text {{ font-family: {_FONT}; font-size: {_SIZE:g}px; }}</style>",
    ]
    x = y = 0.0
    for window in windows:
        lines += _drawn(window, x, y, window.height if below else height)
        if below:
            y += window.height + _BETWEEN
        else:
            x += window.width + _BETWEEN
    return "\n".join([*lines, "</svg>", ""])


def _drawn(window: TextWindow, x: float, y: float, height: float) -> Iterator[str]:
    width = window.width
    yield (
        f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{width - 1:.1f}" height="{height - 1:.1f}" rx="9" '
        f'fill="{_BACK}" stroke="{_EDGE}"/>'
    )
    yield (
        f'<path d="M{x + 1:.1f} {y + _BAR:.1f}V{y + 10:.1f}a9 9 0 0 1 9 -9H{x + width - 10:.1f}a9 9 0 0 1 9 9'
        f'V{y + _BAR:.1f}Z" fill="{_BAR_COLOUR}"/>'
    )
    for number, colour in enumerate(("#f0655c", "#f2bd42", "#5cc35a")):
        yield f'<circle cx="{x + 20 + 18 * number:.1f}" cy="{y + _BAR / 2:.1f}" r="5.5" fill="{colour}"/>'
    yield (
        f'<text x="{x + width / 2:.1f}" y="{y + _BAR / 2 + 4.5:.1f}" text-anchor="middle" fill="#9aa5b8">'
        f"{escape(window.title)}</text>"
    )
    for number, line in enumerate(window.lines):
        top = y + _BAR + _PAD - 4 + number * _LINE
        if number in window.marked:
            yield (
                f'<rect x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" height="{_LINE:.1f}" fill="#ff5c57" '
                'fill-opacity="0.16"/>'
            )
        column = 0
        for text, colour, bold, dim, turned in line:
            yield from _piece(text, colour, bold, dim, turned, x + _PAD + column * _CELL, top)
            column += len(text)


def _piece(text: str, colour: str, bold: bool, dim: bool, turned: bool, x: float, top: float) -> Iterator[str]:
    if turned:
        width = len(text) * _CELL
        yield f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_LINE:.1f}" fill="#aab4c5"/>'
        colour = _BACK
    more = ' font-weight="700"' if bold else ""
    more += ' fill-opacity="0.62"' if dim else ""
    # One text for each run of words: several blanks would be drawn as one. The length is said, as a reader's font may
    # be broader or narrower than the one that this was made for.
    for found in re.finditer(r"\S+(?: \S+)*", text):
        yield (
            f'<text x="{x + found.start() * _CELL:.1f}" y="{top + 13:.1f}" fill="{colour}" '
            f'textLength="{len(found[0]) * _CELL:.1f}" lengthAdjust="spacingAndGlyphs"{more}>{escape(found[0])}</text>'
        )
