"""Text into rows of a width, and how far to scroll: arithmetic only."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from axonlike.components.ui.clusters import clings

__all__ = ["Row", "Rows", "Scroll", "printable", "wrap"]

_TAB = "    "
_PIECES = re.compile(r"\s*\S+")


class Row(NamedTuple):
    """One row on the screen. begins: it is the first of its paragraph; glued: it goes on in the middle of a word."""

    text: str
    begins: bool
    glued: bool = False


def printable(text: str) -> str:
    """Without what a font cannot draw: tabs become blanks, other control characters a replacement sign."""
    if text.isprintable():
        return text
    text = text.replace("\t", _TAB)
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def wrap(text: str, width: int, measure: Callable[[str], int], *, begins: bool = True) -> list[Row]:
    """Break at blanks, and within a word that is wider than a row. An empty text is one empty row."""
    if measure(text) <= width:
        return [Row(text, begins)]
    rows: list[Row] = []
    line, glued = "", False
    for piece in _PIECES.findall(text):
        if measure(line + piece) <= width:
            line += piece
            continue
        if line:
            rows.append(Row(line, begins and not rows, glued))
            piece, line, glued = piece.lstrip(), "", False
        while measure(piece) > width:
            fits = _whole(piece, _how_many_fit(piece, width, measure))
            rows.append(Row(piece[:fits], begins and not rows, glued))
            piece, glued = piece[fits:], True
            if not piece:
                break
        line = piece
    if line or not rows:
        rows.append(Row(line, begins and not rows, glued))
    return rows


def _whole(word: str, fits: int) -> int:
    """No more than so many characters, but at least one, and none parted from its accents."""
    cut = fits
    while clings(word, cut):
        cut -= 1
    if cut:
        return cut
    cut = max(1, fits)
    while clings(word, cut):
        cut += 1
    return cut


def _how_many_fit(word: str, width: int, measure: Callable[[str], int]) -> int:
    low, high = 0, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(word[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


class Rows:
    """A text that grows at its end, in rows of a width. Rows have numbers that stay when old ones are forgotten."""

    def __init__(self, width: int, measure: Callable[[str], int]) -> None:
        self._width = max(1, width)
        self._measure = measure
        self._rows: deque[Row] = deque()
        self.first = 0
        """The number of the oldest row that is kept."""

    @property
    def end(self) -> int:
        """The number that the next row will have."""
        return self.first + len(self._rows)

    def __getitem__(self, number: int) -> Row:
        return self._rows[number - self.first]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def add(self, text: str) -> None:
        """A new paragraph (several if the text has line ends)."""
        for line in text.splitlines() or [""]:
            self._rows.extend(wrap(printable(line.rstrip()), self._width, self._measure))

    def go_on(self, text: str) -> None:
        """More words for the last paragraph; a line end in the text ends that."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self._rows.append(Row("", True))
            if not (words := printable(line.strip())):
                continue
            if not self._rows:
                self.add(words)
                continue
            # Rows are filled greedily, so more words change none but the last.
            last = self._rows.pop()
            again = wrap(f"{last.text} {words}" if last.text else words, self._width, self._measure)
            self._rows.append(Row(again[0].text, last.begins, last.glued))
            self._rows.extend(row._replace(begins=False) for row in again[1:])

    def paragraphs(self) -> list[str]:
        """The text that is kept, as it came."""
        whole: list[str] = []
        for row in self._rows:
            if row.begins or not whole:
                whole.append(row.text)
            else:
                whole[-1] += row.text if row.glued else f" {row.text}"
        return whole

    def rewrap(self, width: int) -> None:
        """The same text in rows of another width."""
        paragraphs = self.paragraphs()
        self._width = max(1, width)
        self._rows.clear()
        for text in paragraphs:
            self._rows.extend(wrap(text, self._width, self._measure))

    def forget(self, rows: int) -> None:
        """Let the oldest rows go."""
        for _ in range(min(rows, len(self._rows))):
            self._rows.popleft()
            self.first += 1


class Scroll:
    """A position that moves smoothly to where it should be: quicker when it is far, never above a speed."""

    # It covers this part of the way that is left in each second; the last pixels at least at the slowest speed.
    EAGER = 7.0
    SLOWEST_PX_S = 40.0

    def __init__(self, fastest_px_s: float) -> None:
        self.fastest_px_s = fastest_px_s
        self.position_px = 0.0

    def advance(self, target_px: float, seconds: float) -> bool:
        """Move on; False once it is there. Backwards it jumps: that is a person's wheel, or another width."""
        left = target_px - self.position_px
        if left <= 0:
            self.position_px = target_px
            return False
        speed = min(self.fastest_px_s, max(self.SLOWEST_PX_S, left * self.EAGER))
        self.position_px += min(left, speed * seconds)
        return self.position_px < target_px
