"""What a scope computes before it draws: arithmetic on arrays, no screen.

A picture that is some hundred pixels wide shows millions of samples. Each column of it holds the least and the greatest
of the samples that fall into it, so a spike of a single sample is seen at any zoom. Columns are counted from the
beginning of the stream: row i falls into column ``i * columns // rows_of_the_span``. So a column never changes its
samples, only the newest ones have to be computed, and scan (column c stands at place c modulo columns) and scroll (the
newest at the right) are the same numbers in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Envelope", "History", "Scaling", "auto_scale", "coverage", "digital_lines", "engineering", "line_spans",
    "linked_spans", "strips",
]  # fmt: skip

Floats = npt.NDArray[np.float32]


class History:
    """The last rows of a stream, as float32: what is computed anew from when the view changes.

    A row that never came (a gap) is NaN.
    """

    def __init__(self, rows: int, channels: int) -> None:
        self._ring: Floats = np.empty((max(1, rows), channels), np.float32)
        self.first = 0
        """The index of the oldest row that is there."""
        self.end = 0
        """The index after the newest."""

    @property
    def capacity(self) -> int:
        """How many rows it can hold."""
        return len(self._ring)

    def begin(self, index: int) -> None:
        """Forget all; the next row is number `index`."""
        self.first = self.end = index

    def skip(self, rows: int) -> None:
        """So many rows are missing here."""
        index, self.end = self.end, self.end + rows
        rows = min(rows, self.capacity)
        for start, stop in self._places(self.end - rows, self.end):
            self._ring[start:stop] = np.nan
        self.first = max(self.first, self.end - self.capacity) if index != self.first or rows else self.end

    def add(self, rows: Floats) -> None:
        """The next rows, shape (rows, channels)."""
        self.end += len(rows)
        kept = rows[-self.capacity :]
        at = 0
        for start, stop in self._places(self.end - len(kept), self.end):
            self._ring[start:stop] = kept[at : at + stop - start]
            at += stop - start
        self.first = max(self.first, self.end - self.capacity)

    def rows(self, start: int, stop: int) -> Floats:
        """Rows by their index, as far as they are there. A view where it can be."""
        start, stop = max(start, self.first), min(stop, self.end)
        if stop <= start:
            return self._ring[:0]
        parts = [self._ring[a:b] for a, b in self._places(start, stop)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _places(self, start: int, stop: int) -> list[tuple[int, int]]:
        if stop <= start:
            return []
        a, b, size = start % self.capacity, stop % self.capacity, self.capacity
        return [(a, b)] if a < b else [(a, size), (0, b)] if b else [(a, size)]


class Envelope:
    """Least and greatest of each column of a picture, kept up as rows come in.

    columns: how many the picture has. span_rows: how many rows these stand for; at least as many as there are columns.
    low, high: shape (columns, channels), by place (column number modulo columns); NaN where no row has come yet.
    """

    def __init__(self, columns: int, span_rows: int, channels: int) -> None:
        self.columns = columns
        self.span_rows = span_rows
        self.low: Floats = np.full((columns, channels), np.nan, np.float32)
        self.high: Floats = np.full((columns, channels), np.nan, np.float32)
        self.end = 0
        """The index of the row that comes next."""
        self.changed = 0
        """The number of the first column that has changed since whoever draws has set it to `newest`."""

    def column(self, index: int) -> int:
        """The number of the column that a row falls into, counted from row 0."""
        return index * self.columns // self.span_rows

    @property
    def newest(self) -> int:
        """The number of the column that the last row fell into."""
        return self.column(self.end - 1) if self.end else 0

    def begin(self, index: int) -> None:
        """The next row is number `index`, and nothing is there."""
        self.low[:] = np.nan
        self.high[:] = np.nan
        self.end = index
        self.changed = self.column(index)

    def skip(self, rows: int) -> None:
        """So many rows are missing here."""
        self._clear(self.newest + 1, self.column(self.end + rows) + 1)
        self.end += rows

    def add(self, rows: Floats) -> None:
        """The next rows, shape (rows, channels)."""
        if len(rows) > self.span_rows:
            self.skip(len(rows) - self.span_rows)
            rows = rows[-self.span_rows :]
        if not len(rows):
            return
        start = self.end
        first, last = self.column(start), self.column(start + len(rows) - 1)
        had = self.newest if start else -1
        # The first row of column c is the least i for which i * columns // span_rows is c.
        numbers = np.arange(first + 1, last + 1, dtype=np.int64)
        starts = -(-numbers * self.span_rows // self.columns) - start
        cuts = np.concatenate(([0], starts))
        low, high = np.minimum.reduceat(rows, cuts), np.maximum.reduceat(rows, cuts)
        if len(low) > self.columns:  # its first column is its last one too, a span later
            low, high, first = low[-self.columns :], high[-self.columns :], last - self.columns + 1
        self._clear(max(first, had + 1), last + 1)
        places = np.arange(first, last + 1) % self.columns
        self.low[places] = np.fmin(self.low[places], low)
        self.high[places] = np.fmax(self.high[places], high)
        self.end = start + len(rows)

    def _clear(self, first: int, stop: int) -> None:
        places = np.arange(max(first, stop - self.columns), stop) % self.columns
        self.low[places] = np.nan
        self.high[places] = np.nan


def strips(first: int, newest: int, width: int, *, scroll: bool) -> list[tuple[int, int, int]]:
    """Where the columns from number `first` to `newest` stand in a picture of `width` columns: (start, stop, x) each.

    scan: column c stands at c modulo width, so the next one overwrites the oldest beside it; they may go on at the left
    edge. scroll: the newest is at the right.
    """
    if scroll:
        return [(first, newest + 1, width - 1 - (newest - first))]
    wrap = newest // width * width
    if first >= wrap:
        return [(first, newest + 1, first - wrap)]
    return [(first, wrap, first % width), (wrap, newest + 1, 0)]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is shown of x is ``x * gains + offsets``, in a picture that reaches from `low` to `high`."""

    gains: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    low: float
    high: float


def auto_scale(rows: npt.ArrayLike, mode: str) -> Scaling:
    """How each of the channels of `rows` (rows, channels) is best seen. Rows with NaN are left out.

    mode "real": one axis for all, from the least to the greatest. "same": each channel in a lane of its own, all with
    the same gain; "each": with a gain of its own. A lane is 9 median absolute deviations high (times 1.4826, so 9
    standard deviations of normal noise), with the median in its middle; the first channel is at the top.
    """
    x = np.asarray(rows, np.float64)
    x = x[~np.isnan(x).any(axis=1)] if x.size else x
    channels = x.shape[1]
    ones, zeros = np.ones(channels), np.zeros(channels)
    if mode == "real":
        if not len(x):
            return Scaling(ones, zeros, -1.0, 1.0)
        low, high = float(x.min()), float(x.max())
        return Scaling(ones, zeros, low, high) if high > low else Scaling(ones, zeros, low - 1.0, high + 1.0)
    median = np.median(x, axis=0) if len(x) else zeros
    mad = 1.4826 * np.median(np.abs(x - median), axis=0) if len(x) else zeros
    if mode == "same":
        mad = np.full(channels, mad.max(initial=0.0))
    mad = np.where(mad > 0, mad, 1.0)
    gains = 1.0 / (9.0 * mad)
    rank = np.arange(channels)[::-1]
    return Scaling(gains, rank - median * gains, -0.5, channels - 0.5)


def engineering(rows: npt.NDArray[Any], scale: Any, offset: Any) -> Floats:
    """Rows as float32 in engineering units, one column for each channel: offset + scale * raw. Complex: I and Q."""
    if np.iscomplexobj(rows):
        rows = np.stack([rows.real, rows.imag], axis=-1).reshape(len(rows), -1)
    elif rows.ndim == 1:
        rows = rows[:, np.newaxis]
    values = rows.astype(np.float32)
    if scale is not None:
        values *= np.asarray(scale, np.float32)
    if offset is not None:
        values += np.asarray(offset, np.float32)
    return values


def digital_lines(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Each bit of integers (rows, channels) as a line of its own, 0 or 1: (rows, channels * bits).

    Line n is bit n % bits of channel n // bits, the least significant first, whatever the byte order.
    """
    little = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    octets = little.view(np.uint8).reshape(len(rows), rows.shape[1] * rows.dtype.itemsize)
    return np.unpackbits(octets, axis=1, bitorder="little")


def linked_spans(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Columns (columns, channels) of a picture stretched so far that each touches the one before: an unbroken line."""
    low, high = low.copy(), high.copy()
    before_low, before_high = low[:-1].copy(), high[:-1].copy()
    # Half of the way to the neighbour each, lest a step is drawn twice as thick.
    with np.errstate(invalid="ignore"):
        up = low[1:] > before_high
        down = high[1:] < before_low
    middle = np.where(up, (low[1:] + before_high) / 2, (high[1:] + before_low) / 2)
    low[1:] = np.where(up, middle, low[1:])
    high[1:] = np.where(down, middle, high[1:])
    high[:-1] = np.where(up, np.fmax(high[:-1], middle), high[:-1])
    low[:-1] = np.where(down, np.fmin(low[:-1], middle), low[:-1])
    return low, high


def line_spans(values: Floats, start: float, step: float, columns: int) -> tuple[Floats, Floats]:
    """Straight lines between few points, as columns: least and greatest within each, shape (columns, channels).

    values: (points, channels), point k at column ``start + k * step``. NaN breaks the line.
    """
    edges = np.arange(columns + 1, dtype=np.float64)
    places = start + step * np.arange(len(values))
    at = np.clip((edges - start) / step, 0, max(0, len(values) - 1))
    before = np.minimum(at.astype(np.int64), max(0, len(values) - 2))
    part = (at - before)[:, np.newaxis].astype(np.float32)
    after = np.minimum(before + 1, len(values) - 1)
    # Times 0 is not nothing where a neighbour is NaN, so points that are hit are taken as they are.
    y = np.where(part <= 0, values[before], np.where(part >= 1, values[after], 0))
    inner = (part[:, 0] > 0) & (part[:, 0] < 1)
    y[inner] = values[before[inner]] * (1 - part[inner]) + values[after[inner]] * part[inner]
    low, high = np.fmin(y[:-1], y[1:]), np.fmax(y[:-1], y[1:])
    with np.errstate(invalid="ignore"):  # a point that lies within a column counts too
        inside = np.floor(places).astype(np.int64)
        seen = (inside >= 0) & (inside < columns)
    np.fmin.at(low, inside[seen], values[seen])
    np.fmax.at(high, inside[seen], values[seen])
    outside = (edges[1:] <= places[0]) | (edges[:-1] >= places[-1]) if len(places) > 1 else edges[1:] < 0
    low[outside], high[outside] = np.nan, np.nan
    return low, high


def coverage(top: Floats, bottom: Floats, height: int, width: float = 1.3) -> npt.NDArray[np.uint8]:
    """How much of each pixel (column, y) is covered by spans from `top` to `bottom`: 0 to 255, smooth at both ends.

    top, bottom: pixels from the upper edge, downwards, shape (columns,), an even number; two columns make one pixel. A
    span is at least `width` high. NaN covers nothing. Shape (columns / 2, height).
    """
    thin = np.maximum(width - (bottom - top), 0) / 2
    top, bottom = (top - thin).astype(np.float32), (bottom + thin).astype(np.float32)
    missing = top != top  # NaN
    if missing.any():
        top[missing] = bottom[missing] = -1.0
    # Half of a pixel's columns count 0.72, not 0.5: a line so steep that only one of them has it is not to look faint.
    share = np.float32(0.72 * 255)
    counts = first = None
    if len(top) > 200:
        first = np.clip(np.floor(top), 0, height).astype(np.int32)
        counts = np.maximum(np.clip(np.ceil(bottom), 0, height).astype(np.int32) - first, 0)
    if counts is None or first is None or 5 * int(counts.sum()) > len(top) * height:
        y = np.arange(height, dtype=np.float32)
        covered = bottom[:, np.newaxis] - y
        covered.clip(0, 1, out=covered)
        above = top[:, np.newaxis] - y
        covered -= above.clip(0, 1, out=above)
        pairs = covered[0::2]
        pairs += covered[1::2]
        pairs *= share
        dense: npt.NDArray[np.uint8] = np.minimum(pairs, 255, out=pairs).astype(np.uint8)
        return dense
    # A thin line in a large plot: only the pixels that it touches.
    sums = np.zeros(len(top) // 2 * height, np.float32)
    touched = []
    for side in (0, 1):
        n = counts[side::2]
        y = np.arange(n.sum(), dtype=np.int32) - np.repeat(np.cumsum(n, dtype=np.int32) - n - first[side::2], n)
        part = np.clip(np.repeat(bottom[side::2], n) - y, 0, 1) - np.clip(np.repeat(top[side::2], n) - y, 0, 1)
        touched.append(np.repeat(np.arange(len(n), dtype=np.int32) * height, n) + y)
        sums[touched[side]] += part.astype(np.float32)
    found = np.zeros(len(sums), np.uint8)
    for places in touched:
        found[places] = np.minimum(sums[places] * share, 255)
    return found.reshape(-1, height)
