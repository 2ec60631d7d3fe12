"""What a spectrum display computes: traces that see every frame, and bins into pixels. Arithmetic only.

Levels are dB unless it says power. Means are of power, never of dB (which would read noise 2.5 dB low).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from axonlike.errors import UsageError

__all__ = [
    "DETECTORS", "Detector", "SpectrumTraces", "as_db", "columns_of_bins", "greatest_of_bins", "mean_db",
    "round_levels",
]  # fmt: skip

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Detector = Literal["mean", "max", "newest"]
DETECTORS: tuple[Detector, ...] = ("mean", "max", "newest")
FLOOR_DB = -300.0


def as_db(power: npt.ArrayLike) -> Floats:
    """10 * log10 of power; -300 for nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 10 * np.log10(np.asarray(power, np.float32))
    found: Floats = np.maximum(level, np.float32(FLOOR_DB)).astype(np.float32)
    return found


def _power(level_db: npt.ArrayLike) -> Doubles:
    return np.power(10.0, np.asarray(level_db, np.float64) / 10)


def mean_db(levels_db: npt.ArrayLike) -> Floats:
    """The mean of power over axis 0, in dB."""
    levels: Floats = np.asarray(levels_db, np.float32)
    if len(levels) == 1:
        only: Floats = levels[0]
        return only
    top = levels.max(axis=0)  # so that float32 does not run out, whatever the level
    power = np.mean(np.power(np.float32(10), (levels - top) / np.float32(10)), axis=0)
    mean: Floats = (top + as_db(power)).astype(np.float32)
    return mean


class SpectrumTraces:
    """The traces of one source: what is shown live, peak and minimum hold, and an average.

    Each frame that comes goes into each of them, however many come between two pictures. averages: the time constant of
    the average, in frames: the first so many are weighed alike, then older ones fade.
    """

    def __init__(self, bins: int, *, detector: Detector = "mean", averages: int = 100) -> None:
        if detector not in DETECTORS:
            raise UsageError(f"the detector is one of {', '.join(DETECTORS)}, not {detector!r}")
        self.detector = detector
        self.averages = averages
        self.live: Floats = np.full(bins, np.nan, np.float32)
        self.peak: Floats = np.full(bins, -np.inf, np.float32)
        self.minimum: Floats = np.full(bins, np.inf, np.float32)
        self._mean: Doubles = np.zeros(bins)
        self.averaged = 0
        """How many frames are in the average."""
        self.frames = 0
        self._waiting: list[Floats] = []

    def add(self, frames_db: Floats) -> None:
        """More frames, (frames, bins)."""
        count = len(frames_db)
        if not count:
            return
        self.frames += count
        np.fmax(self.peak, frames_db.max(axis=0), out=self.peak)
        np.fmin(self.minimum, frames_db.min(axis=0), out=self.minimum)
        mean = mean_db(frames_db)
        if self.detector == "newest":
            self._waiting = [frames_db[-1]]
        elif self.detector == "max":
            self._waiting = [np.max([*self._waiting, frames_db.max(axis=0)], axis=0)]
        else:
            self._waiting.append(mean)
            if len(self._waiting) > 64:  # nobody looks at the moment
                self._waiting = [mean_db(self._waiting)]
        seen = self.averaged + count
        weight = count / min(seen, max(count, self.averages))
        self._mean += (_power(mean) - self._mean) * weight
        self.averaged = min(seen, self.averages)

    def look(self) -> Floats:
        """The live trace, of all frames that came since the last look."""
        if self._waiting:
            self.live = mean_db(self._waiting)
            self._waiting = []
        return self.live

    @property
    def average(self) -> Floats:
        """In dB; NaN before the first frame."""
        return as_db(self._mean) if self.averaged else np.full(len(self._mean), np.nan, np.float32)

    def clear(self) -> None:
        """Begin holds and average anew."""
        self.peak[:] = -np.inf
        self.minimum[:] = np.inf
        self._mean[:] = 0
        self.averaged = 0


def columns_of_bins(levels: Floats, first_bin: float, last_bin: float, columns: int) -> tuple[Floats, Floats]:
    """Least and greatest level of each of `columns` columns that show the bins from first_bin to last_bin.

    Bin k reaches from k - 0.5 to k + 0.5; both ends may be fractions, or lie outside (NaN there). Where a column is
    narrower than a bin it has the straight line between the bins' middles.
    """
    edges = np.linspace(first_bin, last_bin, columns + 1)
    bins = np.arange(len(levels))
    inside = (edges[1:] > -0.5) & (edges[:-1] < len(levels) - 0.5)
    at_edges = np.interp(edges, bins, levels)
    low = np.minimum(at_edges[:-1], at_edges[1:])
    high = np.maximum(at_edges[:-1], at_edges[1:])
    # Bins whose middle lies in a column.
    first = np.clip(np.ceil(edges[:-1]), 0, len(levels)).astype(np.int64)
    stop = np.clip(np.ceil(edges[1:]), 0, len(levels)).astype(np.int64)
    holds = stop > first
    if holds.any():
        a, b = first[holds], stop[holds]
        padded = np.append(levels, levels[-1:])
        pairs = np.stack([a, b], axis=1).ravel()
        low[holds] = np.minimum(low[holds], np.minimum.reduceat(padded, pairs)[::2])
        high[holds] = np.maximum(high[holds], np.maximum.reduceat(padded, pairs)[::2])
    low[~inside], high[~inside] = np.nan, np.nan
    return low.astype(np.float32), high.astype(np.float32)


def greatest_of_bins(rows: Floats, first_bin: float, last_bin: float, columns: int) -> Floats:
    """Rows (rows, bins) as (rows, columns): the greatest bin of each column; a bin that is wider fills several."""
    count = rows.shape[1]
    edges = np.linspace(first_bin, last_bin, columns + 1) + 0.5
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    stop = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), first + 1)
    outside = (stop <= 0) | (first >= count)
    a = np.clip(first, 0, count - 1)
    b = np.clip(stop, a + 1, count)
    if (b - a).max(initial=1) == 1:
        found = rows[:, a]
    else:
        padded = np.concatenate([rows, rows[:, -1:]], axis=1)
        found = np.maximum.reduceat(padded, np.stack([a, b], axis=1).ravel(), axis=1)[:, ::2]
    if outside.any():
        found = found.copy()
        found[:, outside] = np.nan
    return found


def round_levels(levels_db: npt.ArrayLike, *, division_db: float = 10.0) -> tuple[float, float]:
    """A range of whole divisions in which a spectrum stands well: its noise above the lower end, its peak below the
    upper one."""
    levels = np.asarray(levels_db, np.float64)
    levels = levels[np.isfinite(levels) & (levels > FLOOR_DB)]
    if not levels.size:
        return (-120.0, 0.0)
    top = np.ceil((levels.max() + 0.3 * division_db) / division_db) * division_db
    bottom = np.floor((np.percentile(levels, 5) - 0.6 * division_db) / division_db) * division_db
    return float(min(bottom, top - 4 * division_db)), float(top)
