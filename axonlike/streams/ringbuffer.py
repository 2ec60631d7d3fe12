"""The most recent rows of a stream, kept in one block of memory and found again by their absolute index.

A position is the number of rows that came before, since the stream began. `index` is that of the next row to come, so
the buffer holds ``first_index .. index``. Of rows that were never written (before the stream began, or in a gap) it
holds the fill value.

In a *double* buffer every row is stored twice, one length apart, so that any window lies in one piece and is read
without a copy; a window of a *single* buffer that crosses the end has to be joined.

The block may be handed in, to lie in memory that several processes share: one writes, the others read. The two
positions stand at its head, in this order: the writer moves the write position, then stores the rows, then moves
`index`. So what a reader has copied is whole if `holds` still says so *afterwards*.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from types import EllipsisType
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

__all__ = ["RingBuffer"]

_HEAD_BYTES = 64  # two positions of 8 bytes; the rest, so that the rows begin on a cache line
_READ, _WRITE = 0, 1

Rows = npt.NDArray[Any]
Key = SupportsIndex | slice


class RingBuffer:
    """The last ``shape[0]`` rows, each of shape ``shape[1:]``.

    dtype: of the rows; structured ones will do, Python objects not. double: store rows twice and read without copying.
    fill: what rows hold that were never written; NaN for floats and complex numbers by default, 0 for the rest.
    axisorder: the axes in the order in which they lie in memory, slowest first: (1, 0) stores each channel of
    (rows, channels) in one piece. What is read has the axes of `shape` in any case.

    buffer: writable memory of at least `size_bytes(...)`, to be used in place of new memory. begin: False takes rows
    and positions as they stand in `buffer`; that memory may then be read-only, if nothing is to be written.

    What is read without a copy is a read-only view, which later rows overwrite. One thread writes. Raises ValueError
    and TypeError for a shape, dtype or buffer that cannot be.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        double: bool = True,
        fill: Any = None,
        axisorder: Sequence[int] | None = None,
        *,
        buffer: Any = None,
        begin: bool = True,
    ) -> None:
        self.shape, self.dtype = _checked(shape, dtype)
        self.size = self.shape[0]
        self.double = double
        self.axisorder = _checked_order(axisorder, len(self.shape))
        self.fill = _fill_value(self.dtype, fill)
        needed = self.size_bytes(self.shape, self.dtype, double)
        if buffer is None:
            if not begin:
                raise ValueError("RingBuffer: begin=False takes over what is in a buffer: give one")
            buffer = bytearray(needed)
        self._memory = memoryview(buffer).cast("B")
        if len(self._memory) < needed:
            raise ValueError(f"RingBuffer: the buffer has {len(self._memory)} bytes; {self.shape} takes {needed}")
        if begin and self._memory.readonly:
            raise ValueError("RingBuffer: the buffer is read-only; begin=False reads what another has written")
        # Whole words, so that another process never sees half of a position.
        self._positions = self._memory[:16].cast("q")
        rows = self.size * (2 if double else 1)
        stored = [(rows, *self.shape[1:])[axis] for axis in self.axisorder]
        count = math.prod(stored)
        native = np.frombuffer(self._memory, self.dtype, count, _HEAD_BYTES).reshape(stored)
        self._rows: Rows = native.transpose(np.argsort(self.axisorder))
        self._seen = self._rows.view()
        self._seen.flags.writeable = False
        if begin:
            self.reset_index()

    @staticmethod
    def size_bytes(shape: Sequence[int], dtype: npt.DTypeLike, double: bool = True) -> int:
        """How much memory such a buffer takes."""
        shape, dtype = _checked(shape, dtype)
        return _HEAD_BYTES + math.prod(shape) * dtype.itemsize * (2 if double else 1)

    def __repr__(self) -> str:
        return f"<RingBuffer: rows {self.first_index()}..{self.index()}, {self.dtype} {self.shape}>"

    # -- positions

    def index(self) -> int:
        """The position after the newest row that can be read."""
        return self._positions[_READ]

    def first_index(self) -> int:
        """The position of the oldest row; below 0 until as many rows as it holds have come."""
        return self._positions[_READ] - self.size

    def holds(self, start: int) -> bool:
        """Is the row at `start` still there, also seen from a write that has begun but not ended?

        Asked after a copy was made of rows from `start` on, False means that some may have been overwritten meanwhile.
        """
        return start >= self._positions[_WRITE] - self.size

    def reset_index(self) -> None:
        """Begin anew: both positions are 0, and all rows hold the fill value."""
        self._check_writable()
        self._positions[_READ] = self._positions[_WRITE] = 0
        self._rows[...] = self.fill

    # -- writing

    def new_chunk(self, data: npt.ArrayLike, index: int | None = None) -> None:
        """Append rows. index: the position *after* the last of them; by default they follow without a gap.

        Rows that were skipped hold the fill value. Raises ValueError for more rows than it holds, for rows of another
        shape, and for an index that would overwrite what was written already; TypeError for another dtype. It is then
        as before.
        """
        rows = np.asarray(data)
        if rows.dtype != self.dtype:
            raise TypeError(f"RingBuffer: rows of dtype {rows.dtype}, it holds {self.dtype}: convert them first")
        if rows.shape[1:] != self.shape[1:] or rows.ndim != len(self.shape):
            raise ValueError(f"RingBuffer: the array has shape {rows.shape}, it takes {('rows', *self.shape[1:])}")
        count = len(rows)
        if count > self.size:
            raise ValueError(f"RingBuffer: {count} rows at once, it holds {self.size}")
        self._check_writable()
        positions = self._positions
        written = positions[_WRITE]
        end = written + count if index is None else operator.index(index)
        if end < written + count:
            raise ValueError(
                f"RingBuffer: index={end} with {count} rows overwrites what lies before {written}; the index is the "
                f"position after the last row, so at least {written + count} here (reset_index() begins anew)"
            )
        positions[_WRITE] = end
        start = end - count
        if start > written:
            skipped = max(written, end - self.size)  # what lies before would be overwritten in the same breath
            self._store(skipped, start, self.fill)
        self._store(start, end, rows)
        positions[_READ] = end

    def _store(self, start: int, stop: int, rows: Any) -> None:
        """Write `rows` (an array, or one value for all) to these positions, at most `size` of them."""
        if start == stop:
            return
        size, stored = self.size, self._rows
        count = stop - start
        low = start % size
        first = min(count, size - low)
        whole = not isinstance(rows, np.ndarray) or rows.ndim == 0
        for shift in (0, size) if self.double else (0,):
            stored[low + shift : low + shift + first] = rows if whole else rows[:first]
            if first < count:
                stored[shift : shift + count - first] = rows if whole else rows[first:]

    def _check_writable(self) -> None:
        if self._memory.readonly:
            raise ValueError("RingBuffer: its memory is read-only: only the process that began it writes")

    # -- reading

    @overload
    def get_data(self, start: int, stop: int, copy: bool = False, join: Literal[True] = True) -> Rows: ...
    @overload
    def get_data(self, start: int, stop: int, copy: bool = False, *, join: Literal[False]) -> tuple[Rows, Rows]: ...
    def get_data(self, start: int, stop: int, copy: bool = False, join: bool = True) -> Rows | tuple[Rows, Rows]:
        """The rows at the positions start .. stop, `stop` not included; below 0 is before the stream began.

        A view, but for a window of a single buffer that crosses its end, which is a new array. copy: always a new
        array. join=False: two arrays in place of one, the second empty unless the window crosses the end; views
        unless copy=True. Raises IndexError for what is not there (any more).
        """
        index = self._positions[_READ]
        if not index - self.size <= start <= stop <= index:
            raise IndexError(
                f"RingBuffer: rows {start}..{stop} were asked for, it holds {index - self.size}..{index}"
            )
        first, second = self._window(start, stop)
        if not join:
            return (_copied(first), _copied(second)) if copy else (first, second)
        if not len(second):
            return _copied(first) if copy else first
        return self._joined(first, second)

    def _window(self, start: int, stop: int) -> tuple[Rows, Rows]:
        size, rows = self.size, self._seen
        low, count = start % size, stop - start
        if self.double or low + count <= size:
            return rows[low : low + count], rows[:0]
        return rows[low:size], rows[: low + count - size]

    def _joined(self, first: Rows, second: Rows) -> Rows:
        """One array of both, its axes in memory as here."""
        shape = (len(first) + len(second), *self.shape[1:])
        native = np.empty([shape[axis] for axis in self.axisorder], self.dtype)
        both: Rows = native.transpose(np.argsort(self.axisorder))
        both[: len(first)] = first
        both[len(first) :] = second
        return both

    def __getitem__(self, key: Key | tuple[Key | EllipsisType | None, ...]) -> Any:
        """Rows as of an array of all rows since the stream began, of which only the newest are there.

        ``ring[i]`` is one row, ``ring[a:b:c]`` several, below 0 counted from `index` on; None is the oldest or newest
        there is. Further axes follow: ``ring[-100:, 2]``. Unlike with an array, nothing is clipped: IndexError for any
        position outside. Raises TypeError for other keys.
        """
        if isinstance(key, tuple):
            if not key:
                raise TypeError("RingBuffer: an empty index; the first one is an int or a slice")
            if isinstance(key[0], slice):
                return self._slice(key[0])[(slice(None), *key[1:])]
            return self._row(key[0])[key[1:]]
        if isinstance(key, slice):
            return self._slice(key)
        return self._row(key)

    def _row(self, key: Any) -> Any:
        position = self._position(key)
        index = self._positions[_READ]
        if not index - self.size <= position < index:
            raise IndexError(f"RingBuffer: row {position} was asked for, it holds {index - self.size}..{index}")
        return self._seen[position % self.size]

    def _slice(self, key: slice) -> Rows:
        first, index = self.first_index(), self.index()
        step = 1 if key.step is None else operator.index(key.step)
        if step == 0:
            raise ValueError("RingBuffer: the step of a slice cannot be 0")
        bounds = [None if bound is None else self._position(bound) for bound in (key.start, key.stop)]
        # Backwards, `stop` is the row before the last one that is taken: one before the oldest is no mistake there.
        lowest = (first, first if step > 0 else first - 1)
        for bound, low in zip(bounds, lowest):
            if bound is not None and not low <= bound <= index:
                raise IndexError(f"RingBuffer: {key} reaches outside of the rows that it holds, {first}..{index}")
        start, stop = bounds
        if step < 0:
            # The same rows forwards; they are turned round at the end.
            start, stop = None if stop is None else min(stop + 1, index), None if start is None else start + 1
        start = first if start is None else start
        stop = index if stop is None else min(stop, index)
        rows = self.get_data(start, max(start, stop))
        return rows if step == 1 else rows[::step]

    def _position(self, key: Any) -> int:
        if isinstance(key, bool | np.bool_):
            raise TypeError(f"RingBuffer: the index of a row is an int or a slice, not {key!r}")
        try:
            position = operator.index(key)
        except TypeError:
            raise TypeError(f"RingBuffer: the index of a row is an int or a slice, not {key!r}") from None
        return position if position >= 0 else position + self._positions[_READ]


def _copied(rows: Rows) -> Rows:
    return rows.copy(order="K")


def _checked(shape: Sequence[int], dtype: npt.DTypeLike) -> tuple[tuple[int, ...], np.dtype[Any]]:
    lengths = tuple(operator.index(length) for length in shape)
    if not lengths or any(length < 1 for length in lengths):
        raise ValueError(f"RingBuffer: shape is (rows, ...), all of them positive, not {tuple(shape)!r}")
    kind = np.dtype(dtype)
    if kind.hasobject or not kind.itemsize:
        raise TypeError(f"RingBuffer: rows of {kind!r} cannot be kept in a block of memory")
    return lengths, kind


def _checked_order(axisorder: Sequence[int] | None, axes: int) -> tuple[int, ...]:
    if axisorder is None:
        return tuple(range(axes))
    order = tuple(operator.index(axis) for axis in axisorder)
    if sorted(order) != list(range(axes)):
        raise ValueError(f"RingBuffer: axisorder names each of the {axes} axes once, {order!r} does not")
    return order


def _fill_value(dtype: np.dtype[Any], fill: Any) -> Any:
    """An array of shape () that rows are filled with."""
    if fill is None:
        fill = math.nan if dtype.kind in "fc" else np.zeros((), dtype)
    return np.asarray(fill).astype(dtype)
