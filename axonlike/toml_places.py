"""Where in a TOML text each key and each value stands, which `tomllib` does not tell.

A scan of a text that `tomllib` has read already, so it only has to find the boundaries of keys and values, not to judge
them. Paths are tuples as in the parsed value: ``("components", "DEVICE", "port")``, ``("links", 0)``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

__all__ = ["Place", "Places", "places_of"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1; the column counts characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Places:
    """keys: where a key (or the header of a table) is written first; values: where its value begins.

    An element of an array has a value only, a table that a header opens has a key only.
    """

    keys: dict[Path, Place]
    values: dict[Path, Place]

    def key(self, path: Path) -> Place:
        """Where a key stands; for what is written nowhere (a default), the nearest one above it."""
        while path:
            found = self.keys.get(path) or self.values.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return Place(1, 1)

    def value(self, path: Path) -> Place:
        """Where a value begins; the key's place where a header stands for it."""
        return self.values.get(path) or self.key(path)


def places_of(text: str) -> Places:
    """Scan a text. It must be valid TOML; of another, the result means nothing."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.document()
    return Places(scan.keys, scan.values)


_BLANKS = re.compile(r"[ \t]*")
_BLANKS_LINES_COMMENTS = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# The longest quotes first. A string of three quotes may end in up to five of them.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|' r"'''.*?'{3,5}(?!')|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'", re.DOTALL
)
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")  # numbers, booleans, dates


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self._array_lengths: dict[Path, int] = {}
        self._line = 1  # of `_counted_to`; places are asked for in the order of the text
        self._line_start = 0
        self._counted_to = 0

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANKS_LINES_COMMENTS)
            if self.at >= len(self.text):
                return
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._header(is_array=True)
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._header(is_array=False)
                self.at += 1
            else:
                self._pair(table)

    def _header(self, is_array: bool) -> Path:
        path: Path = ()
        names = self._dotted_key()
        for number, (name, place) in enumerate(names):
            path = (*path, name)
            self.keys.setdefault(path, place)
            if is_array and number == len(names) - 1:
                self._array_lengths[path] = self._array_lengths.get(path, 0) + 1
            if path in self._array_lengths:  # [a.b] behind [[a]] belongs to the last one of a
                path = (*path, self._array_lengths[path] - 1)
                self.values.setdefault(path, place)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for name, place in self._dotted_key():
            path = (*path, name)
            self.keys.setdefault(path, place)
        self.at += 1  # =
        self._skip(_BLANKS)
        self._value(path)

    def _dotted_key(self) -> list[tuple[str, Place]]:
        names = []
        while True:
            self._skip(_BLANKS)
            place = self._here()
            if self.text[self.at] in "\"'":
                written = self._take(_STRING)
                name = str(tomllib.loads(f"key = {written}")["key"])
            else:
                name = self._take(_BARE_KEY)
            names.append((name, place))
            self._skip(_BLANKS)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def _value(self, path: Path) -> None:
        self.values[path] = self._here()
        first = self.text[self.at]
        if first in "\"'":
            self._take(_STRING)
        elif first == "[":
            self.at += 1
            number = 0
            while self._after_blanks() != "]":
                self._value((*path, number))
                number += 1
                if self._after_blanks() == ",":
                    self.at += 1
            self.at += 1
        elif first == "{":
            self.at += 1
            while self._after_blanks() != "}":
                self._pair(path)
                if self._after_blanks() == ",":
                    self.at += 1
            self.at += 1
        else:
            self._take(_PLAIN_VALUE)

    def _after_blanks(self) -> str:
        self._skip(_BLANKS_LINES_COMMENTS)
        return self.text[self.at]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"this is not valid TOML, from character {self.at} on")
        self.at = found.end()
        return found.group()

    def _here(self) -> Place:
        between = self.text.count("\n", self._counted_to, self.at)
        if between:
            self._line += between
            self._line_start = self.text.rindex("\n", self._counted_to, self.at) + 1
        self._counted_to = self.at
        return Place(self._line, self.at - self._line_start + 1)
