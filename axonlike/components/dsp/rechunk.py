"""A stream in chunks of one length, whatever the lengths in which it came."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["Rechunk"]


class Rechunk(Block):
    """Sends chunks of `rows` rows each, with the index and time of their first row.

    Shorter are only the last one, and the last before a gap or a change of the stream: nothing is held back there, and
    no chunk reaches across. What comes in the right length goes on as it is; longer chunks are cut without a copy.
    """

    settings: ClassVar[tuple[str, ...]] = ("rows",)

    def __init__(self, *producers: Component, rows: int) -> None:
        self._kept: npt.NDArray[Any] | None = None
        self._filled = 0
        self._index = 0
        self._time_ns: int | None = None
        self.rows = rows
        super().__init__(*producers)

    @property
    def rows(self) -> int:
        """The length of the chunks that it sends."""
        return self._length

    @rows.setter
    def rows(self, rows: int) -> None:
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise UsageError(f"Rechunk: rows is a whole number, 1 or more, not {rows!r}")
        self._length = rows

    def begin(self, info: StreamInfo) -> None:
        self._kept = None
        self._filled = 0

    def process(self, chunk: Chunk) -> list[Chunk]:
        kept = self._kept
        if kept is not None and len(kept) != self._length:  # `rows` was changed
            return self._cut(self._taken(chunk.info)) + self._cut(chunk)
        return self._cut(chunk)

    def _cut(self, chunk: Chunk) -> list[Chunk]:
        length, data = self._length, chunk.data
        start, count = 0, len(data)
        results = []
        if self._kept is not None:
            filled = self._filled
            start = min(length - filled, count)
            self._kept[filled : filled + start] = data[:start]
            self._filled = filled + start
            if self._filled == length:
                results.append(self._taken(chunk.info))
        elif count == length:
            return [chunk]
        while count - start >= length:
            results.append(chunk.part(start, start + length))
            start += length
        if start < count:
            self._kept = kept = np.empty((length, *chunk.info.shape), chunk.info.dtype)
            self._filled = count - start
            kept[: self._filled] = data[start:]
            self._index, self._time_ns = chunk.index + start, chunk.time_ns_of(start)
        return results

    def flush(self) -> Chunk | None:
        return self._taken(self.info) if self._filled and self.info is not None else None

    def _taken(self, info: StreamInfo) -> Chunk:
        """What is kept, as a chunk; nothing is kept any more."""
        kept, filled = self._kept, self._filled
        assert kept is not None
        self._kept, self._filled = None, 0
        kept.setflags(write=False)
        return Chunk.unchecked(kept if filled == len(kept) else kept[:filled], info, self._index, self._time_ns)
