"""Levels of spectra in dBm: P = 10 log10(power) + reference level + reference offset.

Where the constant 15.7678 dB of a WSA4000 comes from: pyrf up to 2.1 computed on counts that were not divided by full
scale, 2^13, and added the reference level + 10 - 72.5 (noise floor calibration and the converter's dynamic range);
20 log10(2^13) + 10 - 72.5 = 15.7678. It was found with pyrf's Hann window in place, whose loss is not compensated, so
it belongs to ``FFT(window_gain="pyrf")``. With "coherent" every level is -20 log10(mean(window)) higher (6.03 dB for
1024 points): reference level + 15.7678 + 20 log10(a) for a tone of amplitude a.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, real
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Calibrate", "decibels", "linear"]

Float = npt.NDArray[np.floating[Any]]


def decibels(power: Float, plus_db: float = 0.0) -> Float:
    """10 log10(power) + plus_db, in the dtype of `power`. 0 gives the least normal number's: -379 dB in float32.

    By way of the natural logarithm, which numpy computes several numbers at a time; error < 1e-4 dB in float32.
    """
    kind = power.dtype.type
    result: Float = np.maximum(power, np.finfo(power.dtype).tiny)
    np.log(result, out=result)
    result *= kind(10 / np.log(10))
    result += kind(plus_db)
    return result


def linear(level_db: Float) -> Float:
    """10^(level_db / 10), in the dtype of `level_db`."""
    kind = level_db.dtype.type
    result: Float = np.exp(level_db * kind(np.log(10) / 10))
    return result


class Calibrate(Block):
    """Linear power to dBm, by the fact `reference_level_dbm` of the stream, which a change of it follows.

    Takes spectra and maps; keeps everything but the units: "dBm". A stream without that fact comes out in decibels of
    its own unit, without the offset: "dBFS" for power relative to full scale, else "dB re uV^2" and the like. Settings:
    reference_offset_db, what is added beside the reference level; reference_level_dbm, if not None, instead of the
    stream's fact.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("spectra, linear power", Chunk, stream=StreamType(kind=("spectrum", "map"))),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("spectra in dB", Chunk, required=True, stream=StreamType(kind=("spectrum", "map"))),
    }
    settings = ("reference_offset_db", "reference_level_dbm")

    reference_offset_db = Checked(real)
    reference_level_dbm = Checked[float | None](lambda value: None if value is None else real(value))

    def __init__(
        self, *producers: Component, reference_offset_db: float = 15.7678, reference_level_dbm: float | None = None
    ) -> None:
        self._stale = True
        self.reference_offset_db = reference_offset_db
        self.reference_level_dbm = reference_level_dbm
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: the next chunk is the first with it."""
        self._stale = True

    def begin(self, info: StreamInfo) -> None:
        self._stale = False
        if info.units.startswith("dB"):
            raise StreamMismatch(
                f"{self.path}: it takes linear power, but the stream {info.name or 'without a name'} is in "
                f"{info.units}; leave out one of two Calibrate"
            )
        if info.dtype.kind != "f":
            raise StreamMismatch(f"{self.path}: it takes power as floating point numbers, not {info.dtype}")
        level_dbm = self.reference_level_dbm
        if level_dbm is None:
            level_dbm = info.facts.get("reference_level_dbm")
        if level_dbm is not None:
            self._plus_db, units = level_dbm + self.reference_offset_db, "dBm"
        else:
            self._plus_db = 0.0
            units = {"FS^2": "dBFS", "": "dB"}.get(info.units) or f"dB re {info.units}"
        self._result = info.replace(units=units)

    def process(self, chunk: Chunk) -> Chunk:
        if self._stale:
            self.begin(chunk.info)
        return chunk.with_data(decibels(chunk.data, self._plus_db), self._result)
