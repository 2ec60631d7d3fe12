"""What the recorder asks of a format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["Mark", "Reader", "Segment", "Writer", "little_endian"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened during a recording: a label, and where; sample is an index in the stream `of`."""

    label: str
    sample: int | None = None
    time_ns: int | None = None
    of: str = ""
    facts: Any = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that follow each other without a gap and under one description."""

    stream: str
    info: StreamInfo
    row: int
    """Where they begin in the file (rows of this stream, or of this stream and description, as the format counts)."""
    index: int
    time_ns: int | None
    missing: int = 0


class Writer:
    """One file of a format. Everything that was written is whole and readable should the program be killed.

    `takes` says why a stream cannot be written (None: it can), `goes_on` whether the same file can hold what a stream
    has become. Raises DeviceError for what the disk does.
    """

    several: ClassVar[bool] = False
    """Can it hold more than one stream?"""
    fills: ClassVar[bool] = False
    """Are missing rows written as zeros, so that a row's place is its time?"""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        raise NotImplementedError

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        """Why such a stream cannot be written, or None."""
        raise NotImplementedError

    @staticmethod
    def goes_on(old: StreamInfo, new: StreamInfo) -> bool:
        """Can rows of `new` follow those of `old` in one file?"""
        return (old.kind, old.dtype, old.shape, old.sample_rate_hz) == (
            new.kind, new.dtype, new.shape, new.sample_rate_hz,
        )  # fmt: skip

    def segment(self, segment: Segment) -> None:
        """The rows that follow begin a segment."""
        raise NotImplementedError

    def write(self, stream: str, chunk: Chunk) -> int:
        """Write its rows; returns how many bytes that took."""
        raise NotImplementedError

    def mark(self, mark: Mark) -> None:
        """Keep a mark, if the format can: the journal has it anyway."""

    def sync(self) -> None:
        """Wait until all is on the disk itself."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish the file. Harmless a second time."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Close it after an error of the disk, without writing anything more."""
        self.close()


class Reader:
    """A recording, to be read from its beginning, several times if need be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks: list[Mark] = []
        self.verdict: dict[str, Any] | None = None
        """The journal's verdict; None if the recording was broken off, or has no journal."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments, in the order of their recording."""
        raise NotImplementedError

    def rows_of(self, number: int) -> int:
        """How many rows segment `number` has."""
        raise NotImplementedError

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows `start` to before `stop` of that segment."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""

    def chunks(self, rows: int = 0) -> Iterator[tuple[str, Chunk]]:
        """All of it as chunks with their own indices, of at most `rows` rows (0: 50 ms each), each with its stream."""
        for number, segment in enumerate(self.segments):
            yield from self.chunks_of(number, segment, rows)

    def chunks_of(self, number: int, segment: Segment, rows: int = 0, start: int = 0) -> Iterator[tuple[str, Chunk]]:
        """The chunks of one segment, from its row `start` on."""
        step = rows or max(1, round(segment.info.sample_rate_hz * 0.05)) if segment.info.sample_rate_hz else rows or 256
        total = self.rows_of(number)
        whole = Chunk(segment.info.empty(0), segment.info, segment.index, segment.time_ns)
        while start < total:
            stop = min(start + step, total)
            data = self.read(number, start, stop)
            yield segment.stream, Chunk(data, segment.info, segment.index + start, whole.time_ns_of(start))
            start = stop


def little_endian(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values, contiguous, in the byte order that files of this kind have."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
