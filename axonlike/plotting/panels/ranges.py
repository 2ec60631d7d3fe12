"""From values to pixels and back, straight or logarithmic, with ticks, and ranges that stand still. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.axes import MINUS, Scale, nice_ticks, number, tick_axis

__all__ = [
    "PanelScale", "SteadyRange", "Ticks", "drawable", "extent", "panel_ticks", "rounded", "short_number",
    "thousand_fold",
]  # fmt: skip

Range = tuple[float, float]
Doubles = npt.NDArray[np.float64]

_LARGEST: Final = 1e300
_SMALLEST: Final = 1e-290
_FINEST: Final = 1e-12
"""The narrowest range, as a part of the numbers in it: float64 has four digits more."""
_CALM_S: Final = 2.0
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# What may be written with k, M, µ: whatever else somebody calls a unit (steps, a.u., kg) is left as it is.
_BASES: Final = frozenset(
    ("V", "A", "Hz", "s", "W", "m", "g", "Pa", "T", "Ohm", "Ω", "F", "H", "J", "eV", "N", "C", "K", "B", "bit", "mol")
)
_SHIFTED: Final = frozenset("fpnµumkMGT")


@dataclass(frozen=True, slots=True)
class PanelScale:
    """From values to pixels: `low` is at pixel `start`, `high` at `end`. log: evenly by factors; both above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @property
    def _straight(self) -> Scale:
        if self.log:
            return Scale(math.log10(self.low), math.log10(self.high), self.start, self.end)
        return Scale(self.low, self.high, self.start, self.end)

    def pixel(self, value: float) -> float:
        """Where a value stands; NaN for what has no place on a logarithmic scale."""
        if self.log:
            value = math.log10(value) if value > 0 else math.nan
        return float(self._straight.pixel(value))

    def pixels(self, values: npt.NDArray[Any]) -> Doubles:
        """Where each stands."""
        with np.errstate(all="ignore"):
            moved = np.asarray(values, np.float64)
            if self.log:
                moved = np.log10(np.where(moved > 0, moved, np.nan))
            found: Doubles = self._straight.pixel(moved)
        return found

    def value(self, pixel: float) -> float:
        """What stands at a pixel."""
        value = self._straight.value(pixel)
        return float(10.0 ** min(max(value, -307.0), 308.0)) if self.log else float(value)

    def changed(self, *, factor: float = 1.0, at: float = 0.0, moved_px: float = 0.0) -> Range:
        """The range after a zoom around pixel `at`, or a move. The same if that would be no range that can be drawn."""
        straight = self._straight
        middle = straight.value(at)
        moved = straight.value(self.start) - straight.value(self.start + moved_px)
        low = middle - (middle - straight.low) * factor + moved
        high = middle + (straight.high - middle) * factor + moved
        if self.log:
            if not (-290 < low < high < 290 and high - low > 1e-6):
                return self.low, self.high
            return 10.0**low, 10.0**high
        return (low, high) if _can_be_drawn(low, high) else (self.low, self.high)


def _can_be_drawn(low: float, high: float) -> bool:
    largest = max(abs(low), abs(high))
    return largest < _LARGEST and high - low > max(_SMALLEST, _FINEST * largest)


def extent(values: npt.NDArray[Any], *, log: bool = False) -> Range | None:
    """The least and the greatest of the finite values (log: of those above 0); None if there are none."""
    if not values.size:
        return None
    if values.dtype.kind == "b":
        return float(values.min()), float(values.max())
    with np.errstate(invalid="ignore"):
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            values = values[np.isfinite(values)]
            if not values.size:
                return None
            low, high = float(values.min()), float(values.max())
    if log and low <= 0:
        values = values[values > 0]
        if not values.size:
            return None
        low = float(values.min())
    return min(max(low, -_LARGEST / 10), _LARGEST / 10), min(max(high, -_LARGEST / 10), _LARGEST / 10)


def _widened(low: float, high: float) -> Range:
    """A range that can be drawn around one that cannot."""
    if _can_be_drawn(low, high):
        return low, high
    half = max(abs(low), abs(high)) * 0.1 or 1.0
    half = max(half, 1e-280)
    return low - half, high + half


def drawable(low: float, high: float, *, log: bool = False) -> Range:
    """The range, or one around it if no scale can have it (too narrow, too wide, not above 0 with `log`)."""
    low, high = min(low, high), max(low, high)
    if log:
        high = min(max(high, 1e-289), 1e300)
        low = min(max(low, 1e-290), high)
        return (low, high) if high / low > 1 + 1e-6 else (low / 1.4, high * 1.4)
    return _widened(min(max(low, -_LARGEST / 10), _LARGEST / 10), min(max(high, -_LARGEST / 10), _LARGEST / 10))


def rounded(low: float, high: float, *, log: bool = False, pad: float = 0.05) -> Range:
    """A range of round ends a little wider than this one, so that small changes of the data leave it as it is."""
    if log:
        low, high = math.log10(max(low, 1e-300)), math.log10(max(high, 1e-300))
        if high - low < 0.05:
            low, high = low - 0.15, high + 0.15
    else:
        low, high = _widened(low, high)
    margin = pad * (high - low)
    _, step = nice_ticks(low - margin, high + margin, 12)
    if not step:
        return (10.0**low, 10.0**high) if log else (low, high)
    bottom = math.floor((low - margin) / step + 1e-9) * step
    top = math.ceil((high + margin) / step - 1e-9) * step
    if log:
        return 10.0 ** max(bottom, -305.0), 10.0 ** min(top, 305.0)
    if low >= 0 > bottom:
        bottom = 0.0  # what has no negative values is not shown as if it had
    if high <= 0 < top:
        top = 0.0
    return bottom, top


class SteadyRange:
    """The range of an axis that follows the data calmly: at once where data would lie outside, and narrower only when
    they have needed less than their share of it for two seconds.

    share: how much of the range data are to need, at least.
    """

    def __init__(self, share: float = 0.5) -> None:
        self._least = share
        self.range: Range | None = None
        self._log = False
        self._roomy_since_s: float | None = None

    def forget(self) -> None:
        """The next data decides alone."""
        self.range = None

    def follow(
        self, data: Range | None, now_s: float, *, log: bool = False, pad: float = 0.05, grows: bool = False
    ) -> Range:
        """The range for data that reach so far; without any the one that there was. grows: the lower end stays as it
        is, and the upper one has room for more data to come (a history's calls)."""
        if log != self._log:
            self._log, self.range = log, None
        if data is None:
            return self.range or ((1.0, 10.0) if log else (0.0, 1.0))
        wanted = self._growing(data) if grows and not log else rounded(*data, log=log, pad=pad)
        now = self.range
        if now is None or data[0] < now[0] or data[1] > now[1]:
            self._roomy_since_s = None
            if now is not None and not grows and self._share(data, now) > self._least:
                # Only the end that was left moves.
                wanted = (
                    wanted[0] if data[0] < now[0] else min(now[0], wanted[0]),
                    wanted[1] if data[1] > now[1] else max(now[1], wanted[1]),
                )
            self.range = wanted
        elif self._share(data, now) >= self._least or wanted == now:
            self._roomy_since_s = None
        elif self._roomy_since_s is None:
            self._roomy_since_s = now_s
        elif now_s - self._roomy_since_s >= _CALM_S:
            self._roomy_since_s = None
            self.range = wanted
        assert self.range is not None
        return self.range

    def _growing(self, data: Range) -> Range:
        low, high = data
        if high <= low:
            return low, low + 10.0
        _, step = nice_ticks(low, high, 5)
        return (low, math.ceil(high / step - 1e-9) * step) if step else _widened(low, high)

    def _share(self, data: Range, now: Range) -> float:
        if self._log:
            return math.log(data[1] / data[0]) / math.log(now[1] / now[0]) if data[0] > 0 else 1.0
        return (data[1] - data[0]) / (now[1] - now[0])


# --------------------------------------------------------------------------------------------------------------- ticks


@dataclass(frozen=True, slots=True)
class Ticks:
    """places: values with a label each. minor: values with a faint line only. units: with a prefix, and with what
    all labels are to be multiplied by, or what is to be added to them."""

    places: tuple[float, ...]
    labels: tuple[str, ...]
    minor: tuple[float, ...]
    units: str


def thousand_fold(largest: float) -> int:
    """The power of ten, a multiple of 3, that numbers up to this are best divided by."""
    if not largest or not math.isfinite(largest) or 1e-3 <= largest < 1e5:
        return 0
    return 3 * math.floor(math.log10(largest) / 3 + 1e-9)


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def panel_ticks(low: float, high: float, most: int, units: str, *, log: bool = False) -> Ticks:
    """Ticks from low to high, at most about `most`, with short labels whatever the numbers are."""
    if log:
        return _log_ticks(low, high, most, units)
    if not _can_be_drawn(low, high):
        return Ticks((), (), (), units)
    largest = max(abs(low), abs(high))
    base = units[1:] if len(units) > 1 and units[0] in _SHIFTED and units[1:] in _BASES else units
    if base in _BASES and 1e-15 <= largest < 1e15 and high - low > 1e-4 * largest:
        axis = tick_axis(low, high, most, units)
        return Ticks(axis.ticks, axis.labels, (), axis.units)
    ticks, step = nice_ticks(low, high, most)
    if not ticks:
        return Ticks((), (), (), units)
    if high - low < 2e-5 * largest:
        # Labels would be long and all alike: they are written as what lies between them and a round number.
        offset = ticks[0]
        power = thousand_fold(high - offset)
        scale = 10.0**-power
        more = f"{_times(power)} + {short_number(offset, 12)}"
        labels = tuple(number((tick - offset) * scale, step * scale) for tick in ticks)
        return Ticks(tuple(ticks), labels, (), f"{more} {units}".strip())
    power = thousand_fold(largest)
    scale = 10.0**-power if power > -300 else 1.0
    labels = tuple(number(tick * scale, step * scale) for tick in ticks)
    return Ticks(tuple(ticks), labels, (), f"{_times(power)} {units}".strip())


def _times(power: int) -> str:
    return f"× {_power(power)}" if power else ""


def _log_ticks(low: float, high: float, most: int, units: str) -> Ticks:
    if not 0 < low < high:
        return Ticks((), (), (), units)
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = math.log10(high / low)
    if decades < 1.2:
        # Less than a decade or so: round values, closer to each other at the upper end.
        ticks, step = nice_ticks(low, high, max(2, min(most, 5)))
        ticks = [tick for tick in ticks if tick > 0]
        power = thousand_fold(high)
        scale = 10.0**-power if power > -300 else 1.0
        labels = tuple(number(tick * scale, step * scale) for tick in ticks)
        return Ticks(tuple(ticks), labels, (), f"{_times(power)} {units}".strip())
    every = max(1, math.ceil((last - first + 1) / max(1, most)))
    exponents = list(range(first + -first % every, last + 1, every))
    places = [10.0**exponent for exponent in exponents]
    plain = all(-3 <= exponent <= 4 for exponent in exponents)
    labels = tuple(f"{10.0**exponent:g}" if plain else _power(exponent) for exponent in exponents)
    minor: list[float] = []
    if every == 1 and decades <= 6:
        minor = [
            place
            for exponent in range(first - 1, last + 1)
            for multiple in range(2, 10)
            if low < (place := multiple * 10.0**exponent) < high
        ]
    return Ticks(tuple(places), labels, tuple(minor), units)


def short_number(value: float, digits: int = 5) -> str:
    """A number in about so many digits: ``"0.01235"``, ``"1.2346 × 10⁻⁷"``, with a real minus sign."""
    if not math.isfinite(value):
        return "no number" if math.isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if value and not 1e-4 <= abs(value) < 10.0 ** max(6, digits):
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa} × {_power(int(exponent))}".replace("-", MINUS)
    return f"{value:.{digits}g}".replace("-", MINUS)
