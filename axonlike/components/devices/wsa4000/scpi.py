"""SCPI text, both ways: commands to bytes, and replies out of bytes that have no line ends.

A WSA4000 sends its replies bare: "1", "RUNNING", no newline behind them. Later firmware adds one, and now and then a
blank line that belongs to nothing. So a reply has ended when a newline comes, when it is complete by its shape, or,
where the shape cannot tell (2450000000: are there more digits?), when nothing has followed for a while. That works
only with one query under way at a time; the dialogue keeps to that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from axonlike.components.devices.wsa4000.errors import BadReply
from axonlike.errors import UsageError, show_value

__all__ = [
    "ERROR",
    "FLAG",
    "NUMBER",
    "REPLY_LIMIT_BYTES",
    "TEXT",
    "DeviceIdentity",
    "ReplyReader",
    "Shape",
    "fields",
    "number_of",
    "one_of",
    "parse_error",
    "parse_identity",
    "scpi_line",
]

REPLY_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Shape:
    """What a reply looks like. complete: a whole reply, after which nothing can follow but a line end. possible: what
    can stand there when nothing follows any more."""

    name: str
    complete: re.Pattern[str] | None
    possible: re.Pattern[str]


_NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"

FLAG = Shape("0 or 1", re.compile(r"[01]"), re.compile(r"[01]"))
NUMBER = Shape("a number", None, re.compile(rf"{_NUMBER}(?:\s*[A-Za-z]+)?"))
ERROR = Shape(
    'a code and a text in quotes (-113,"Undefined header")',
    re.compile(r'[+-]?\d+\s*,\s*"(?:[^"]|"")*"'),
    re.compile(r'[+-]?\d+\s*,\s*"(?:[^"]|"")*"'),
)
TEXT = Shape("some text", None, re.compile(r".+"))


def one_of(*words: str) -> Shape:
    """One of these words. None may begin another."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    return Shape(" or ".join(words), pattern, pattern)


def fields(number: int, at_most: int | None = None) -> Shape:
    """So many values with commas between."""
    most = (at_most or number) - 1
    return Shape(f"{number} values", None, re.compile(rf"[^,]*(?:,[^,]*){{{number - 1},{most}}}"))


class ReplyReader:
    """Puts one reply together. `feed` what comes, and `idle` when nothing has come for a while."""

    def __init__(self, shape: Shape, query: str, limit_bytes: int = REPLY_LIMIT_BYTES) -> None:
        self.shape = shape
        self.query = query
        self.limit_bytes = limit_bytes
        self._got = bytearray()

    @property
    def begun(self) -> bool:
        """Has anything but blanks come?"""
        return bool(self._got.strip())

    @property
    def got(self) -> bytes:
        """What has come so far."""
        return bytes(self._got)

    def feed(self, data: bytes | bytearray | memoryview) -> str | None:
        """The reply, if it is complete with this. Raises BadReply for one that is too long or no ASCII."""
        self._got += data
        text = self._text()
        if not text:
            self._got.clear()  # blank lines before it; a stream of them must not grow
            return None
        line, newline, _ = text.partition("\n")
        if newline:
            return self._checked(line.rstrip())
        if self.shape.complete is not None and self.shape.complete.fullmatch(text.rstrip()):
            return text.rstrip()
        if len(self._got) > self.limit_bytes:
            raise BadReply(
                f"{self.query}: a reply of more than {self.limit_bytes} bytes, beginning with {show_value(text)}"
            )
        return None

    def idle(self) -> str | None:
        """Nothing has followed for a while: the reply, if what is there can be one."""
        text = self._text().rstrip()
        return text if text and self.shape.possible.fullmatch(text) else None

    def _text(self) -> str:
        try:
            return self._got.decode("ascii").lstrip()
        except UnicodeDecodeError:
            raise BadReply(f"{self.query}: the reply is no text: {show_value(bytes(self._got))}") from None

    def _checked(self, text: str) -> str:
        if not self.shape.possible.fullmatch(text):
            raise BadReply(f"{self.query}: the reply is {show_value(text)}, not {self.shape.name}")
        return text


def scpi_line(header: str, *parameters: str | float) -> bytes:
    """One command as it is sent. Raises UsageError for what would become two, or is no ASCII."""
    text = f"{header} {','.join(_parameter(p) for p in parameters)}" if parameters else header
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"{show_value(text)} cannot be sent as a command: printable ASCII, one command a line")
    return text.encode() + b"\n"


def _parameter(value: str | float) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def number_of(reply: str) -> float:
    """ "24", "24 dB", "2.45e9": the number before the unit."""
    found = re.match(_NUMBER, reply)
    if found is None:
        raise BadReply(f"the reply is {show_value(reply)}, not a number")
    return float(found.group())


def parse_error(reply: str) -> tuple[int, str]:
    """Code and text of an answer to SYSTem:ERRor?; (0, "No error") when its queue is empty."""
    code, _, text = reply.partition(",")
    return int(code), text.strip()[1:-1].replace('""', '"')


class DeviceIdentity(NamedTuple):
    """What the device says it is."""

    manufacturer: str
    model: str
    serial: str
    firmware: str

    @property
    def firmware_version(self) -> tuple[int, ...]:
        """Its numbers, for comparison."""
        return tuple(int(part) for part in re.findall(r"\d+", self.firmware))


def parse_identity(reply: str) -> DeviceIdentity:
    """An answer to *IDN?: four values; the model may carry a revision ("WSA4000 v3")."""
    parts: Sequence[str] = [part.strip() for part in reply.split(",")]
    if len(parts) != 4:
        raise BadReply(f"*IDN?: the reply is {show_value(reply)}, not 4 values with commas between")
    return DeviceIdentity(*parts)
