"""A line of text that is being edited: a cursor, a selection, a history. No screen and no keys in it."""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Callable

from axonlike.components.ui.clusters import clings, clusters

__all__ = ["LineEditor", "cursor_at"]

_WORD = re.compile(r"\w+")


class LineEditor:
    """`text`, with the cursor before character number `cursor`; `anchor` is where a selection began, or None.

    limit_chars: what would make the text longer is cut off, and `refused` counts it. keeps: lines of history.
    """

    def __init__(self, limit_chars: int = 4096, *, keeps: int = 200) -> None:
        self.limit_chars = limit_chars
        self.text = ""
        self.cursor = 0
        self.anchor: int | None = None
        self.refused = 0
        self._keeps = keeps
        self._history: list[str] = []
        self._at: int | None = None  # which line of the history is shown
        self._draft = ""  # what had been typed before the history was looked at

    @property
    def selection(self) -> tuple[int, int]:
        """From where to where text is selected (an empty span at the cursor: none is)."""
        anchor = self.cursor if self.anchor is None else self.anchor
        return min(anchor, self.cursor), max(anchor, self.cursor)

    @property
    def selected(self) -> str:
        """The selected text."""
        start, end = self.selection
        return self.text[start:end]

    # -- changing

    def insert(self, text: str) -> None:
        """Type or paste: line ends and tabs become blanks, other control characters go."""
        text = re.sub(r"[\r\n\t]+", " ", text)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
        self.delete_selection()
        room = self.limit_chars - len(self.text)
        self.refused += max(0, len(text) - room)
        text = text[: max(0, room)]
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def delete_selection(self) -> bool:
        """True if something was selected."""
        start, end = self.selection
        self.anchor = None
        self._cut(start, end)
        return end > start

    def backspace(self, *, word: bool = False) -> None:
        """Delete the character (or word) before the cursor, or the selection."""
        if not self.delete_selection():
            self._cut(self._before(word), self.cursor)

    def delete(self, *, word: bool = False) -> None:
        """Delete the character (or word) after the cursor, or the selection."""
        if not self.delete_selection():
            self._cut(self.cursor, self._after(word))

    def delete_to_start(self) -> None:
        """Ctrl-U."""
        self.anchor = None
        self._cut(0, self.cursor)

    def delete_to_end(self) -> None:
        """Ctrl-K."""
        self.anchor = None
        self._cut(self.cursor, len(self.text))

    def set(self, text: str) -> None:
        """Another text, with the cursor at its end."""
        self.text, self.cursor, self.anchor = "", 0, None
        self.insert(text)

    def _cut(self, start: int, end: int) -> None:
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start if start <= self.cursor <= end else self.cursor - (end - start) * (self.cursor > end)

    # -- moving

    def left(self, *, word: bool = False, select: bool = False) -> None:
        """To the character (word) before; without `select` from a selection to its start."""
        self._move(self.selection[0] if self._collapses(word, select) else self._before(word), select)

    def right(self, *, word: bool = False, select: bool = False) -> None:
        """To the character (word) after; without `select` from a selection to its end."""
        self._move(self.selection[1] if self._collapses(word, select) else self._after(word), select)

    def home(self, *, select: bool = False) -> None:
        """To the start of the line."""
        self._move(0, select)

    def end(self, *, select: bool = False) -> None:
        """To the end of the line."""
        self._move(len(self.text), select)

    def go_to(self, cursor: int, *, select: bool = False) -> None:
        """To a place that was pointed at."""
        self._move(max(0, min(len(self.text), cursor)), select)

    def select_all(self) -> None:
        """Ctrl-A."""
        self.anchor, self.cursor = 0, len(self.text)

    def _collapses(self, word: bool, select: bool) -> bool:
        start, end = self.selection
        return not select and not word and end > start

    def _move(self, cursor: int, select: bool) -> None:
        if not select:
            self.anchor = None
        elif self.anchor is None:
            self.anchor = self.cursor
        self.cursor = cursor

    def _before(self, word: bool) -> int:
        if word:
            starts = [match.start() for match in _WORD.finditer(self.text) if match.start() < self.cursor]
            return starts[-1] if starts else 0
        place = max(0, self.cursor - 1)
        while clings(self.text, place):
            place -= 1
        return place

    def _after(self, word: bool) -> int:
        if word:
            ends = [match.end() for match in _WORD.finditer(self.text) if match.end() > self.cursor]
            return ends[0] if ends else len(self.text)
        place = min(len(self.text), self.cursor + 1)
        while clings(self.text, place):
            place += 1
        return place

    # -- lines

    def submit(self) -> str:
        """The line is done: returns it, keeps it in the history, and begins an empty one."""
        line = self.text
        if line.strip() and self._history[-1:] != [line]:
            self._history.append(line)
            del self._history[: -self._keeps]
        self._at, self._draft = None, ""
        self.set("")
        return line

    def older(self) -> None:
        """The line before in the history."""
        if not self._history or self._at == 0:
            return
        if self._at is None:
            self._draft, self._at = self.text, len(self._history)
        self._at -= 1
        self.set(self._history[self._at])

    def newer(self) -> None:
        """The line after in the history, in the end what had been typed."""
        if self._at is None:
            return
        self._at += 1
        if self._at == len(self._history):
            self._at = None
            self.set(self._draft)
        else:
            self.set(self._history[self._at])


def cursor_at(text: str, x_px: int, measure: Callable[[str], int]) -> int:
    """The place for the cursor that is nearest to `x_px`. Measures a few beginnings of the text, not all of them."""
    places = [0, *itertools.accumulate(map(len, clusters(text)))]
    after = bisect.bisect_left(places, x_px, key=lambda place: measure(text[:place]))
    return min(places[max(0, after - 1) : after + 1], key=lambda place: abs(measure(text[:place]) - x_px))
