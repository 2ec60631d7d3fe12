"""Rows of a picture that are evenly spaced in time, whatever comes in: for waterfalls and maps.

How fast a waterfall moves must not depend on how many frames a second a transform gives. Row r of the picture stands
for the time from r to r + 1 steps; frame k of the stream for the time from k to k + 1 frames. Where several frames fall
into a row it shows their greatest (or their mean); where one frame is longer than a row it is in several. Frames that
are missing leave empty rows, so the time axis stays true.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Reduce", "SteadyRows"]

Reduce = Literal["max", "mean"]
Floats = npt.NDArray[np.float32]


class SteadyRows:
    """Keeps the newest `height` rows of `bins` values.

    frames_per_row: how many frames a row stands for, any positive number. end: the number of the row after the newest
    that has begun. The newest row is still being filled.
    """

    def __init__(self, height: int, bins: int, frames_per_row: float, *, reduce: Reduce = "max") -> None:
        self.height = height
        self.frames_per_row = frames_per_row
        self.reduce = reduce
        self._rows: Floats = np.full((height, bins), np.nan, np.float32)
        self._weight = 0
        self._expected: int | None = None
        self.end = 0
        self.first = 0
        """The number of the oldest row."""

    def row_of(self, frame: int) -> int:
        """The number of the row in which a frame begins."""
        return int(np.floor(frame / self.frames_per_row + 1e-9))

    def begin(self, frame: int) -> None:
        """The next frame is number `frame`, and nothing is there."""
        self._rows[:] = np.nan
        self._weight = 0
        self._expected = frame
        self.first = self.end = self.row_of(frame)

    def add(self, frames: Floats, index: int) -> None:
        """Frames (frames, bins) from number `index` on. Rows for numbers that were left out stay empty."""
        if self._expected is None or index < self._expected:
            self.begin(index)
        count = len(frames)
        if not count:
            return
        self._expected = index + count
        reach = int(np.ceil(self.height * self.frames_per_row)) + 1
        if count > reach:
            frames, index, count = frames[-reach:], index + count - reach, reach
        if self.frames_per_row <= 1:
            # Each row shows the frame that its own beginning falls into.
            start = max(self.end, int(np.ceil(index / self.frames_per_row - 1e-9)))
            stop = int(np.ceil((index + count) / self.frames_per_row - 1e-9))
            self._open(start, stop)
            rows = np.arange(max(start, stop - self.height), stop)
            shown = np.floor(rows * self.frames_per_row + 1e-9).astype(np.int64) - index
            self._rows[rows % self.height] = frames[np.clip(shown, 0, count - 1)]
            return
        numbers = np.floor(np.arange(index, index + count) / self.frames_per_row + 1e-9).astype(np.int64)
        cuts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        for number, a, b in zip(numbers[cuts].tolist(), cuts.tolist(), [*cuts[1:].tolist(), count], strict=True):
            self._into(number, frames[a:b])

    def _into(self, number: int, frames: Floats) -> None:
        if number >= self.end:
            self._open(number, number + 1)
            self._weight = 0
        place, more = number % self.height, len(frames)
        old = self._rows[place]
        if self.reduce == "max":
            new = frames.max(axis=0)
            self._rows[place] = np.fmax(old, new)
        else:
            new = frames.mean(axis=0)
            self._rows[place] = (old * self._weight + new * more) / (self._weight + more) if self._weight else new
        self._weight += more

    def _open(self, start: int, stop: int) -> None:
        """Rows up to before `stop` begin; those before `start` are missing."""
        if stop <= self.end:
            return
        missing = np.arange(max(self.end, stop - self.height), stop) % self.height
        self._rows[missing] = np.nan
        self.end = stop
        self.first = max(self.first, stop - self.height)

    def rows(self, start: int, stop: int) -> Floats:
        """Rows by their number, (rows, bins); NaN for those that are not there."""
        numbers = np.arange(start, stop)
        found = self._rows[numbers % self.height]
        found[(numbers < self.first) | (numbers >= self.end)] = np.nan
        return found

    def resized(self, height: int, frames_per_row: float) -> SteadyRows:
        """The same history in rows of another duration, as near as it can be had."""
        new = SteadyRows(height, self._rows.shape[1], frames_per_row, reduce=self.reduce)
        if self._expected is None:
            return new
        new._expected = self._expected
        new.end = int(np.ceil(self._expected / frames_per_row - 1e-9))
        new.first = max(new.end - height, int(np.ceil(self.first * self.frames_per_row / frames_per_row)))
        numbers = np.arange(new.first, new.end)
        if len(numbers):
            middle = (numbers + 0.5) * frames_per_row / self.frames_per_row
            old = np.minimum(np.floor(middle).astype(np.int64), self.end - 1)
            picked = self._rows[old % self.height]
            picked[(old < self.first) | (old >= self.end)] = np.nan
            new._rows[numbers % height] = picked
        new._weight = 1
        return new
