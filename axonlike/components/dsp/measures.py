"""What is read off a spectrum: markers, peaks, channel power, occupied bandwidth. Functions of arrays, for displays.

A spectrum is one row of levels in dB (dBm, dBFS), shape (bins,), in rising frequency, with the `Axis` of its stream.
Bins that are NaN were not measured. Levels are as the spectrum's calibration has them: a tone's own level at its peak.
A window spreads that over enbw_bins (1.5 for Hann; a fact of the spectra that `FFT` sends), so a sum over bins is
divided by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from axonlike.errors import UsageError
from axonlike.streams.chunk import Axis

__all__ = [
    "Band",
    "Delta",
    "Marker",
    "channel_power_db",
    "delta",
    "density_db_per_hz",
    "marker",
    "next_peak",
    "occupied_bandwidth",
    "peak",
    "peaks",
]

Float = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Marker:
    """A place in a spectrum. level_db: in its units; NaN where nothing was measured."""

    bin: int
    frequency_hz: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Delta:
    """How far one marker is from another."""

    frequency_hz: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Band:
    """From where to where a signal reaches."""

    low_hz: float
    high_hz: float

    @property
    def width_hz(self) -> float:
        """How wide it is."""
        return self.high_hz - self.low_hz

    @property
    def center_hz(self) -> float:
        """Its middle."""
        return (self.low_hz + self.high_hz) / 2


def _at(level_db: Float, axis: Axis, place: int) -> Marker:
    return Marker(place, axis.start + place * axis.step, float(level_db[place]))


def _row(level_db: Float) -> Float:
    row = np.asarray(level_db)
    if row.ndim != 1 or not len(row):
        raise UsageError(f"one spectrum is wanted, an array of shape (bins,), not {row.shape}")
    return row


def marker(level_db: Float, axis: Axis, frequency_hz: float) -> Marker:
    """The bin nearest to a frequency; the first or last one for what lies outside."""
    row = _row(level_db)
    return _at(row, axis, min(len(row) - 1, max(0, round((frequency_hz - axis.start) / axis.step))))


def delta(of: Marker, to: Marker) -> Delta:
    """`of` minus `to`."""
    return Delta(of.frequency_hz - to.frequency_hz, of.level_db - to.level_db)


def peak(level_db: Float, axis: Axis) -> Marker | None:
    """The highest bin, the first of equal ones; None if nothing was measured."""
    row = _row(level_db)
    measured = ~np.isnan(row)
    return _at(row, axis, int(np.argmax(np.where(measured, row, -np.inf)))) if measured.any() else None


def peaks(level_db: Float, axis: Axis, *, excursion_db: float = 6.0, threshold_db: float = -np.inf) -> list[Marker]:
    """All peaks in rising frequency: bins that rise at least excursion_db out of the lower ground on either side.

    The ground is the lowest level up to the next bin that is higher (or the end of the spectrum, which is enough of a
    fall by itself). That is the prominence of scipy.signal.find_peaks. threshold_db: lower ones do not count.
    """
    from scipy.signal import find_peaks

    row = _row(level_db).astype(np.float64)
    finite = np.isfinite(row)
    if not finite.any():
        return []
    ground = row[finite].min() - excursion_db - 1.0  # beyond both ends, and where nothing was measured
    closed = np.concatenate(([ground], np.where(finite, row, ground), [ground]))
    places, _ = find_peaks(closed, prominence=excursion_db, height=None if threshold_db == -np.inf else threshold_db)
    return [_at(_row(level_db), axis, int(place) - 1) for place in places]


def next_peak(
    level_db: Float,
    axis: Axis,
    place: int,
    direction: Literal["left", "right"],
    *,
    excursion_db: float = 6.0,
    threshold_db: float = -np.inf,
) -> Marker | None:
    """The peak nearest to bin `place` on that side of it; None if there is none."""
    found = peaks(level_db, axis, excursion_db=excursion_db, threshold_db=threshold_db)
    if direction == "left":
        return next((one for one in reversed(found) if one.bin < place), None)
    if direction == "right":
        return next((one for one in found if one.bin > place), None)
    raise UsageError(f"next_peak: direction is 'left' or 'right', not {direction!r}")


def channel_power_db(level_db: Float, axis: Axis, low_hz: float, high_hz: float, *, enbw_bins: float) -> float:
    """10 log10(sum(10^(level / 10)) / enbw_bins) of the bins whose middle lies in [low_hz, high_hz].

    A tone's channel has the tone's own level (without enbw_bins it would read 1.76 dB more, with a Hann window), noise
    its density times the width. -inf where no bin lies in it or nothing was measured.
    """
    if not low_hz <= high_hz:
        raise UsageError(f"channel_power_db: low_hz {low_hz:g} is above high_hz {high_hz:g}")
    row = _row(level_db)
    # Edges on a bin's middle are in, whatever the arithmetic makes of them.
    first = max(0, int(np.ceil((low_hz - axis.start) / axis.step - 1e-9)))
    last = min(len(row) - 1, int(np.floor((high_hz - axis.start) / axis.step + 1e-9)))
    power = float(np.nansum(10 ** (row[first : last + 1].astype(np.float64) / 10))) / enbw_bins
    return 10 * float(np.log10(power)) if power > 0 else -float("inf")


def density_db_per_hz(level_db: Float, axis: Axis, *, enbw_bins: float) -> Float:
    """The same spectrum in dB per Hz (dBm/Hz): each bin's noise bandwidth, enbw_bins * axis.step, taken out."""
    row = np.asarray(level_db)
    density: Float = row - row.dtype.type(10 * np.log10(enbw_bins * axis.step))
    return density


def occupied_bandwidth(level_db: Float, axis: Axis, *, fraction: float = 0.99) -> Band | None:
    """The band that holds this fraction of all power, with as much left out below as above (ITU-R SM.328's beta / 2).

    Each bin's power is spread evenly over its width, from half a step below to half a step above its middle. None if
    there is no power at all.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"occupied_bandwidth: fraction is between 0 and 1, not {fraction!r}")
    power = np.nan_to_num(10 ** (_row(level_db).astype(np.float64) / 10), nan=0.0)
    total = np.concatenate(([0.0], np.cumsum(power)))
    if not total[-1] > 0:
        return None
    edges = axis.start + (np.arange(len(total)) - 0.5) * axis.step
    outside = (1 - fraction) / 2 * total[-1]
    # The last edge at which nothing more than this is below; from there on in proportion.
    low, high = (_crossing(total, edges, level) for level in (outside, total[-1] - outside))
    return Band(low, high)


def _crossing(total: Float, edges: Float, level: float) -> float:
    after = int(np.searchsorted(total, level, side="left"))
    after = min(max(after, 1), len(total) - 1)
    before, here = total[after - 1], total[after]
    part = (level - before) / (here - before) if here > before else 0.0
    return float(edges[after - 1] + part * (edges[after] - edges[after - 1]))
