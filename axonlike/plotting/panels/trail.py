"""What a number has been, call by call, in bounded memory and without losing its extremes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Trail"]

Doubles = npt.NDArray[np.float64]


class Trail:
    """Rows (call, value), the oldest first.

    Up to `limit` rows every value is kept. When they are full, each four neighbours become two, the least and the
    greatest of them, and from then on only the least and the greatest of so many values as a pair stands for are kept:
    old and new parts are thinned alike, and a spike of one call is seen for ever. NaN is a gap, until it is thinned
    together with numbers.
    """

    def __init__(self, limit: int = 65536) -> None:
        if limit < 8 or limit % 4:
            raise ValueError("limit is a multiple of 4, at least 8")
        self._limit = limit
        self._rows: Doubles = np.empty((min(limit, 1024), 2))
        self._end = 0
        self._group = 1
        """How many values a pair of rows stands for; 1: each row is a value."""
        self._waiting: list[tuple[float, float]] = []

    def __len__(self) -> int:
        return self._end + len(self._waiting)

    @property
    def last_call(self) -> float:
        """Of the newest value; -1 without one."""
        if self._waiting:
            return self._waiting[-1][0]
        return float(self._rows[self._end - 1, 0]) if self._end else -1.0

    def begin(self, rows: npt.ArrayLike) -> None:
        """Forget all, and begin with these (rows, 2)."""
        self._end, self._group, self._waiting = 0, 1, []
        for call, value in np.asarray(rows, np.float64).reshape(-1, 2).tolist():
            self.add(call, value)

    def add(self, call: float, value: float) -> None:
        """The value at the next call. One that is no later than the last is one that we have; nothing is done."""
        if call <= self.last_call:
            return
        if self._group == 1:
            self._append(call, value)
            return
        self._waiting.append((call, value))
        if len(self._waiting) >= self._group:
            waiting, self._waiting = self._waiting, []
            for row in _thinned(np.array([waiting]))[0].tolist():
                self._append(*row)

    def _append(self, call: float, value: float) -> None:
        if self._end == len(self._rows):
            if self._end < self._limit:
                grown = np.empty((min(self._limit, 2 * self._end), 2))
                grown[: self._end] = self._rows
                self._rows = grown
            else:
                self._end //= 2
                self._rows[: self._end] = _thinned(self._rows.reshape(-1, 4, 2)).reshape(-1, 2)
                self._group = 4 if self._group == 1 else 2 * self._group
        self._rows[self._end] = call, value
        self._end += 1

    def rows(self) -> Doubles:
        """All of them, shape (rows, 2), by call. Read it before the next `add`; it may be a view."""
        if not self._waiting:
            return self._rows[: self._end]
        return np.concatenate([self._rows[: self._end], np.array(self._waiting)])


def _thinned(groups: Doubles) -> Doubles:
    """The rows with the least and the greatest value of each group, in their order: (groups, n, 2) to (groups, 2, 2).

    The last call of a group is never before that of a row which stays, so rows stay in order.
    """
    values = groups[:, :, 1]
    empty = np.isnan(values)
    low = np.argmin(np.where(empty, np.inf, values), axis=1)
    high = np.argmax(np.where(empty, -np.inf, values), axis=1)
    # Both the same (all are alike, or none is a number): any two will do.
    high = np.where(low == high, np.where(low == 0, values.shape[1] - 1, 0), high)
    places = np.sort(np.stack([low, high], axis=1), axis=1)
    found: Doubles = np.take_along_axis(groups, places[:, :, np.newaxis], axis=1)
    return found
