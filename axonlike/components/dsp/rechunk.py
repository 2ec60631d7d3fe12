"""A stream in chunks of one length, whatever the lengths in which it came."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.errors import UsageError
from axonlike.streams.arrays import set_writeable
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["Rechunk"]


class Rechunk(Block):
    """Sends chunks of `rows` rows each, with the index and time of their first row.

    Shorter are only the last one, and the last before a gap or a change of the stream: nothing is held back there, and
    no chunk reaches across. What comes in the right length goes on as it is; longer chunks are cut without a copy.
    """

    settings: ClassVar[tuple[str, ...]] = ("rows",)

    def __init__(self, *producers: Component, rows: int) -> None:
        self._kept: npt.NDArray[Any] | None = None  # of `rows` rows, of which the first are filled
        self._filled = 0
        self._index = 0
        self._time_ns: int | None = None
        self._row: tuple[int, ...] = ()
        self._dtype = np.dtype(np.float64)
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
        self._shape = (rows, *self._row)

    def begin(self, info: StreamInfo) -> None:
        self._kept = None
        self._row, self._dtype = info.shape, info.dtype
        self._shape = (self._length, *info.shape)

    def process(self, chunk: Chunk) -> list[Chunk]:
        length, data, kept = self._length, chunk.data, self._kept
        count = len(data)
        if kept is None:
            if count == length:
                return [chunk]
            results = []
            start = 0
        elif len(kept) != length:  # `rows` was changed: what is kept is cut anew
            return self.process(self._taken(chunk.info)) + self.process(chunk)
        else:
            filled = self._filled
            start = length - filled
            if count < start:
                self._filled = filled + count
                kept[filled : filled + count] = data
                return []
            kept[filled:] = data[:start]
            set_writeable(kept, False)
            self._kept = None
            results = [_unchecked(kept, chunk.info, self._index, self._time_ns)]
        while count - start >= length:
            results.append(chunk.part(start, start + length))
            start += length
        if start < count:
            self._kept = kept = _empty(self._shape, self._dtype)
            self._filled = filled = count - start
            kept[:filled] = data[start:]
            self._index = chunk.index + start
            self._time_ns = None if chunk.time_ns is None else chunk.time_ns_of(start)
        return results

    def flush(self) -> Chunk | None:
        return self._taken(self.info) if self._kept is not None and self.info is not None else None

    def _taken(self, info: StreamInfo) -> Chunk:
        """What is kept, as a chunk; nothing is kept any more."""
        kept = self._kept
        assert kept is not None
        self._kept = None
        set_writeable(kept, False)
        return _unchecked(kept[: self._filled], info, self._index, self._time_ns)


_empty, _unchecked = np.empty, Chunk.unchecked
