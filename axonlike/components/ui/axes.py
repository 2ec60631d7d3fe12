"""Axes: where ticks stand, and how numbers with units are written. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Axis", "Scale", "brief", "duration", "fitting_ticks", "nice_ticks", "number", "quantity", "takes_prefix",
    "tick_axis", "zoomed",
]  # fmt: skip

MINUS = "\N{MINUS SIGN}"
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
# Units that take no prefix: logarithms, ratios, squares (a milli of which would be read wrongly), and nothing at all.
_PLAIN = ("", "%", "°", "FS", "counts", "rows", "frames", "bins")


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to pixels: `low` is at pixel `start`, `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: Any) -> Any:
        """Where a value stands; or each of an array's."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def value(self, pixel: float) -> float:
        """What stands at a pixel."""
        return self.low + (pixel - self.start) / (self.end - self.start) * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Axis:
    """Ticks with their labels, and what all of them are in."""

    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    units: str
    step: float


def nice_ticks(low: float, high: float, most: int) -> tuple[list[float], float]:
    """Round values within low..high, at most about `most`, and the step between them: 1, 2 or 5 times a power of ten.

    Nothing for an empty range.
    """
    span = high - low
    if not (span > 0 and math.isfinite(span)) or most < 1:
        return [], 0.0
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    return [n * step for n in range(first, last + 1)], step


def takes_prefix(units: str) -> bool:
    """May it be written with k, M, µ...? Not so dB, percent, and squares."""
    return units not in _PLAIN and not units.startswith("dB") and "^" not in units and "/" not in units


def _prefix(largest: float, units: str) -> tuple[int, str]:
    """The power of ten, and units with the prefix, for values up to `largest`. Units that have a prefix keep it."""
    if not takes_prefix(units) or not largest or not math.isfinite(largest):
        return 0, units
    base, shift = units, 0
    for power, prefix in _PREFIXES.items():  # "uV", "mV", "kHz" come as units of streams
        if prefix and len(units) > 1 and units[0] in (prefix, "u" if power == -6 else prefix) and units[1:] in _BASE:
            base, shift = units[1:], power
            break
    power = 3 * math.floor(math.log10(largest) / 3 + shift / 3 + 1e-9)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    if base == "s":
        power = min(power, 0)
    return power - shift, _PREFIXES[power] + base


_BASE = ("V", "A", "Hz", "s", "W", "m", "g", "Pa", "T", "Ohm", "F")


def number(value: float, step: float) -> str:
    """A value with as many decimals as a step like this needs; with a real minus sign."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:.{min(decimals, 12)}f}"
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def tick_axis(low: float, high: float, most: int, units: str) -> Axis:
    """Ticks from low to high, all written with one prefix."""
    ticks, step = nice_ticks(low, high, most)
    power, written = _prefix(max(abs(low), abs(high)), units)
    scale = 10.0**-power
    return Axis(tuple(ticks), tuple(number(tick * scale, step * scale) for tick in ticks), written, step)


def quantity(value: float, units: str, digits: int = 4, *, signed: bool = False, step: float = 0.0) -> str:
    """One value with its units and a prefix: ``"2.4 GHz"``. step: what it is exact to, instead of `digits` digits."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    power, written = _prefix(abs(value), units)
    scaled = value * 10.0**-power
    if step:
        fine = step * 10.0**-power
    else:
        size = math.floor(math.log10(abs(scaled))) + 1 if scaled else 1
        fine = 10.0 ** min(0, size - digits)
    text = number(scaled, fine)
    plus = "+" if signed and scaled > 0 else ""
    return f"{plus}{text} {written}".rstrip()


def brief(value: float, units: str) -> str:
    """One value with its units and a prefix, without zeros at its end: ``"500 Hz"``, ``"1.25 MHz"``."""
    power, written = _prefix(abs(value), units)
    return f"{value * 10.0**-power:.6g} {written}".rstrip().replace("-", MINUS)


def duration(seconds: float) -> str:
    """A time span: ``"200 ms"``, ``"3 s"``, ``"2:30 min"``, ``"1:05:00 h"``."""
    if seconds >= 3600:
        whole = round(seconds)
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02} h"
    if seconds >= 100:
        whole = round(seconds)
        return f"{whole // 60}:{whole % 60:02} min"
    if not seconds:
        return "0 s"
    power, written = _prefix(seconds, "s")
    return f"{seconds * 10.0**-power:.3g} {written}"


def fitting_ticks(pixels: float, each: float) -> int:
    """How many labels of this size have room."""
    return max(2, int(pixels // each))


def zoomed(
    view: tuple[float, float], whole: tuple[float, float], least: float, *, factor: float = 1.0, at: float = 0.0,
    moved: float = 0.0,
) -> tuple[float, float] | None:  # fmt: skip
    """The part of an axis that is seen after a zoom around `at`, or a move. None: all of it.

    whole: where the axis ends; least: the narrowest view.
    """
    low, high = at - (at - view[0]) * factor + moved, at + (view[1] - at) * factor + moved
    width = high - low
    if width >= whole[1] - whole[0]:
        return None
    if width < least:
        low, high, width = view[0], view[1], view[1] - view[0]
    low = min(max(low, whole[0]), whole[1] - width)
    return low, low + width
