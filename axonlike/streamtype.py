"""What a box says of the stream that it sends or takes, so that what does not fit is found before a sample flows.

It stands in class declarations (``Box("spectra", stream=StreamType(kind="spectrum"))``), so it needs no numpy: data
types are named as numpy writes them. `Chunk` and `StreamInfo`, the real thing, are in `axonlike.streams.chunk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from axonlike.errors import UsageError, WiringError

__all__ = ["Kind", "StreamMismatch", "StreamType"]

Kind = Literal["analog", "digital", "iq", "spectrum", "map", "events", "video"]
"""analog: (rows, channels) of samples. digital: the same, each bit of its integers a line. iq: (rows, 2), or (rows,)
of complex numbers. spectrum: (rows, bins). map: (rows, channels, bins), as a wavelet transform gives. events: (rows,)
of a structured dtype with a field `sample`, the index in the stream that they belong to. video: (rows, height, width,
3) of uint8, or without the last axis in greys."""

_KINDS = get_args(Kind)


class StreamMismatch(WiringError):
    """What one end of a link sends is not what the other takes."""

    code = "AX204"


@dataclass(frozen=True, slots=True)
class StreamType:
    """What is known, or wanted, of a stream; None where it says nothing, a tuple for one of several."""

    kind: Kind | tuple[Kind, ...] | None = None
    dtype: str | tuple[str, ...] | None = None
    channels: int | None = None
    sample_rate_hz: float | None = None
    units: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for kind in _several(self.kind):
            if kind not in _KINDS:
                raise UsageError(f"StreamType: there is no kind {kind!r} (there are: {', '.join(_KINDS)})")

    def mismatch(self, sends: StreamType) -> str | None:
        """Why what `sends` says cannot be taken here, with both sides' values; None if it can."""
        faults = []
        for name, takes, has in (
            ("kind", self.kind, sends.kind),
            ("dtype", self.dtype, sends.dtype),
            ("units", self.units, sends.units),
        ):
            if takes is not None and has is not None and not set(_several(takes)) & set(_several(has)):
                faults.append(f"{name} {_shown(has)}, wanted {_shown(takes)}")
        for name, wanted, given, unit in (
            ("channels", self.channels, sends.channels, ""),
            ("sample rate", self.sample_rate_hz, sends.sample_rate_hz, " Hz"),
        ):
            if wanted is not None and given is not None and wanted != given:
                faults.append(f"{name} {given:g}{unit}, wanted {wanted:g}{unit}")
        return "; ".join(faults) or None


def _several(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _shown(value: str | Sequence[str]) -> str:
    return " or ".join(each or "none" for each in _several(value))
