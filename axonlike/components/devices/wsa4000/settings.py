"""What can be set on a WSA4000 and within which limits; checked before anything is sent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from axonlike.errors import UsageError, show_value

__all__ = ["ADC_RATE_HZ", "PICOSECONDS_PER_ADC_SAMPLE", "RfGain", "Settings", "SweepEntry", "Trigger", "check_setting"]

ADC_RATE_HZ = 125e6
PICOSECONDS_PER_ADC_SAMPLE = 8000

I_ONLY_UP_TO_HZ = 40e6
"""Up to here the receiver samples directly: the Q samples mean nothing."""
FULL_USABLE_HZ = 90e6
DECIMATED_USABLE = 0.5
"""Of the sample rate, once it is decimated."""

_HIGHEST_HZ = 10_000_000_000
_TUNING_STEP_HZ = 100_000
_CAPTURE_BYTES = 128 << 20
_PACKET_OVERHEAD_WORDS = 6

RfGain = Literal["HIGH", "MED", "LOW", "VLOW"]
"""Of the front end. The device knows no other spelling."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Capture begins when the power between two frequencies is above a level. type: LEVEL or PULSE."""

    start_hz: float
    stop_hz: float
    level_dbm: float
    type: Literal["LEVEL", "PULSE"] = "LEVEL"

    def __post_init__(self) -> None:
        if self.type not in ("LEVEL", "PULSE"):
            raise UsageError(f"Trigger: type is LEVEL or PULSE, not {self.type!r}")
        if not 0 <= self.start_hz < self.stop_hz <= _HIGHEST_HZ:
            raise UsageError(
                f"Trigger: start_hz < stop_hz, both from 0 to 10 GHz, not {self.start_hz!r} and {self.stop_hz!r}"
            )
        if not -200 <= self.level_dbm <= 100:
            raise UsageError(f"Trigger: level_dbm is a power in dBm, not {self.level_dbm!r}")


def _whole(value: Any) -> int:
    number = int(value)
    if number != value or isinstance(value, bool):
        raise ValueError("a whole number")
    return number


def _center(value: Any) -> int:
    # Written as 2.4415e9, or computed: nobody means a fraction of a hertz.
    number = round(float(value))
    if not 0 <= number <= _HIGHEST_HZ or number % _TUNING_STEP_HZ:
        raise ValueError("0 to 10 GHz in steps of 100 kHz")
    return number


def _shift(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= ADC_RATE_HZ:
        raise ValueError("0 to 125 MHz")
    return number


def _decimation(value: Any) -> int:
    number = _whole(value)
    if number != 1 and not 4 <= number <= 1023:
        raise ValueError("1 (off) or 4 to 1023")
    return number


def _rf_gain(value: Any) -> str:
    gain = str(value).upper()
    if gain not in get_args(RfGain):
        raise ValueError("HIGH, MED, LOW or VLOW")
    return gain


def _if_gain(value: Any) -> int:
    number = _whole(value)
    if not -10 <= number <= 34:
        raise ValueError("-10 to 34 dB")
    return number


def _antenna(value: Any) -> int:
    if value not in (1, 2) or isinstance(value, bool):
        raise ValueError("1 or 2")
    return int(value)


def _reference(value: Any) -> str:
    source = str(value).upper()
    if source not in ("INT", "EXT"):
        raise ValueError("INT or EXT")
    return source


def _flag(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("True or False")
    return bool(value)


def _samples_per_packet(value: Any) -> int:
    number = _whole(value)
    if not 128 <= number <= 65520 or number % 16:
        raise ValueError("a multiple of 16, 128 to 65520")
    return number


def _packets_per_block(value: Any) -> int:
    number = _whole(value)
    if number < 1:
        raise ValueError("1 or more")
    return number


def _trigger(value: Any) -> Trigger | str:
    if isinstance(value, Trigger):
        return value
    if value == "NONE":
        return "NONE"
    raise ValueError('a Trigger, or "NONE"')


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "center_frequency_hz": _center,
    "frequency_shift_hz": _shift,
    "decimation": _decimation,
    "rf_gain": _rf_gain,
    "if_gain_db": _if_gain,
    "antenna": _antenna,
    "preselect": _flag,
    "reference": _reference,
    "samples_per_packet": _samples_per_packet,
    "packets_per_block": _packets_per_block,
    "trigger": _trigger,
}


def check_setting(name: str, value: Any) -> Any:
    """The value as the device wants it; None stays None. Raises UsageError, which says what is allowed."""
    if value is None:
        return None
    try:
        return _CHECKS[name](value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise UsageError(f"{name} is {exc}, not {show_value(value)}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to set; None leaves a setting as the device has it. Raises UsageError for values it has not.

    center_frequency_hz: 0 to 10 GHz in steps of 100 kHz (up to 40 MHz only I means anything). frequency_shift_hz: what
    is received at f appears at f - center + shift. decimation: 1 or 4 to 1023; the sample rate is 125 MHz divided by
    it. if_gain_db: -10 to 34. preselect: the filter in front. reference: INT or EXT, the 10 MHz clock.
    samples_per_packet: a multiple of 16, 128 to 65520. packets_per_block: what one block capture takes; the memory
    holds 128 MiB. trigger: a Trigger, or "NONE".
    """

    center_frequency_hz: float | None = None
    frequency_shift_hz: float | None = None
    decimation: int | None = None
    rf_gain: RfGain | None = None
    if_gain_db: int | None = None
    antenna: int | None = None
    preselect: bool | None = None
    reference: Literal["INT", "EXT"] | None = None
    samples_per_packet: int | None = None
    packets_per_block: int | None = None
    trigger: Trigger | Literal["NONE"] | None = None

    def __post_init__(self) -> None:
        for name in _CHECKS:
            object.__setattr__(self, name, check_setting(name, getattr(self, name)))
        if self.packets_per_block is not None and self.samples_per_packet is not None:
            most = _CAPTURE_BYTES // (4 * (self.samples_per_packet + _PACKET_OVERHEAD_WORDS))
            if self.packets_per_block > most:
                raise UsageError(
                    f"packets_per_block is 1 to {most} with packets of {self.samples_per_packet} samples (the memory "
                    f"holds 128 MiB), not {self.packets_per_block}"
                )

    def over(self, before: Settings) -> Settings:
        """These where they say something, those of `before` elsewhere."""
        return Settings(**{f.name: _first(getattr(self, f.name), getattr(before, f.name)) for f in fields(self)})

    def changes_from(self, before: Settings) -> Settings:
        """Only what differs from `before`."""
        return Settings(
            **{
                f.name: value
                for f in fields(self)
                if (value := getattr(self, f.name)) is not None and value != getattr(before, f.name)
            }
        )

    def items(self) -> list[tuple[str, Any]]:
        """Name and value of each that says something, in the order in which they are to be sent."""
        return [(f.name, value) for f in fields(self) if (value := getattr(self, f.name)) is not None]


def _first(value: Any, other: Any) -> Any:
    return other if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEntry:
    """One entry of a sweep list: from start_hz to stop_hz in steps, some packets at each. Raises UsageError.

    dwell_s: the longest time to wait at one frequency for the trigger; 0 for ever.
    """

    start_hz: float
    stop_hz: float
    step_hz: float = 90_000_000
    frequency_shift_hz: float = 0.0
    decimation: int = 1
    antenna: int = 1
    rf_gain: RfGain = "HIGH"
    if_gain_db: int = 0
    samples_per_packet: int = 1024
    packets_per_step: int = 1
    dwell_s: float = 0.0
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        for name in ("start_hz", "stop_hz"):
            try:
                object.__setattr__(self, name, _center(getattr(self, name)))
            except (ValueError, TypeError, OverflowError) as exc:
                raise UsageError(f"SweepEntry: {name} is {exc}, not {show_value(getattr(self, name))}") from exc
        if self.start_hz > self.stop_hz:
            raise UsageError(f"SweepEntry: start_hz {self.start_hz} is above stop_hz {self.stop_hz}")
        if not self.step_hz > 0 or self.step_hz % _TUNING_STEP_HZ:
            raise UsageError(f"SweepEntry: step_hz is a multiple of 100 kHz, not {show_value(self.step_hz)}")
        if not 0 <= self.dwell_s < 2**32:
            raise UsageError(f"SweepEntry: dwell_s is 0 (for ever) or a time, not {show_value(self.dwell_s)}")
        for name in ("frequency_shift_hz", "decimation", "antenna", "rf_gain", "if_gain_db", "samples_per_packet"):
            object.__setattr__(self, name, check_setting(name, getattr(self, name)))
        check_setting("packets_per_block", self.packets_per_step)
        object.__setattr__(self, "step_hz", int(self.step_hz))

    @property
    def frequencies_hz(self) -> tuple[int, ...]:
        """Where it stops by."""
        return tuple(range(int(self.start_hz), int(self.stop_hz) + 1, int(self.step_hz)))
