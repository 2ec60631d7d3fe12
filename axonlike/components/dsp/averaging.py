"""Averages and holds of spectra, frame by frame.

Averages are of linear power. The mean of decibels is a geometric mean: of noise it is 2.51 dB low (10 / ln 10 times
Euler's constant), so it is taken only where somebody asks for it by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.calibrate import decibels, linear
from axonlike.components.dsp.checked import Checked, flag, one_of, whole
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Average", "MaxHold", "MinHold"]

Float = npt.NDArray[np.floating[Any]]

_SPECTRA = StreamType(kind=("spectrum", "map"))


class _Frames(Block):
    """What is done with spectra one at a time: boxes, and that rows are floating point numbers."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("spectra", Chunk, stream=_SPECTRA)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("spectra", Chunk, required=True, stream=_SPECTRA)}

    def check(self, info: StreamInfo) -> None:
        if info.dtype.kind != "f":
            raise StreamMismatch(f"{self.path}: it takes spectra of floating point numbers, not of {info.dtype}")


class Average(_Frames):
    """The mean of spectra, of linear power or of decibels, before or after `Calibrate`; the units stay.

    mode "block": one spectrum for each `frames` frames; the index counts them, as that of `FFT` does, and the frame
    rate is that much lower. "exponential": one for each frame, weighing the newest 1 / frames (while fewer have come,
    their plain mean). scale "power": of linear power. "dB": of decibels, which is 2.51 dB low for noise. Settings: all
    three. Sums are kept in float64.

    A block begins anew where frames are missing; unused counts frames that ended up in no block. The exponential
    average goes on over a gap, and begins anew with another stream.
    """

    settings = ("frames", "mode", "scale")
    frames = Checked(whole(1))
    mode = Checked[str](one_of("block", "exponential"))
    scale = Checked[str](one_of("power", "dB"))

    def __init__(
        self,
        *producers: Component,
        frames: int = 16,
        mode: Literal["block", "exponential"] = "block",
        scale: Literal["power", "dB"] = "power",
    ) -> None:
        self.unused = 0
        self._count = 0  # frames in _sum
        self._sum: Float = np.zeros(0)
        self._number: int | None = None
        self._blocks = False
        self._to_scale: Callable[[Float], Float] | None = None
        self._from_scale: Callable[[Float], Float] | None = None
        self._stale = True
        self._begun: StreamInfo | None = None
        self.frames = frames
        self.mode = mode
        self.scale = scale
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: begin anew with the next chunk."""
        self._stale = True

    def begin(self, info: StreamInfo) -> None:
        behind_a_gap = not self._stale and info == self._begun
        if behind_a_gap:
            return
        self._forget()
        self.check(info)
        self._stale, self._begun = False, info
        self._blocks = self.mode == "block"
        in_db, of_db = info.units.startswith("dB"), self.scale == "dB"
        self._to_scale = self._from_scale = None
        if in_db and not of_db:
            self._to_scale, self._from_scale = linear, decibels
        elif of_db and not in_db:
            self._to_scale, self._from_scale = decibels, linear
        rate_hz = info.sample_rate_hz / (self.frames if self._blocks else 1)
        self._result = info.replace(sample_rate_hz=rate_hz, dtype=info.dtype.newbyteorder("="))

    def process(self, chunk: Chunk) -> Chunk | None:
        if self._stale:
            self.begin(chunk.info)
        data: Float = chunk.data if self._to_scale is None else self._to_scale(chunk.data)
        return self._mean_of_blocks(data, chunk) if self._blocks else self._fading_mean(data, chunk)

    def _mean_of_blocks(self, data: Float, chunk: Chunk) -> Chunk | None:
        if self._number is None:
            self._number = -(-chunk.index // self.frames)
        blocks = (self._count + len(data)) // self.frames
        result = self._result.empty(blocks)
        time_ns = chunk.time_ns_of(-self._count)
        done = 0
        for frame in data:
            if self._count:
                self._sum += frame
            else:
                self._sum = frame.astype(np.float64)
            self._count += 1
            if self._count == self.frames:
                result[done] = self._sum / self.frames
                done, self._count = done + 1, 0
        if not blocks:
            return None
        number, self._number = self._number, self._number + blocks
        return Chunk(result if self._from_scale is None else self._from_scale(result), self._result, number, time_ns)

    def _fading_mean(self, data: Float, chunk: Chunk) -> Chunk:
        result = self._result.empty(len(data))
        for at, frame in enumerate(data):
            if self._count:
                self._count = min(self._count + 1, self.frames)
                self._sum += (frame - self._sum) / self._count
            else:
                self._sum, self._count = frame.astype(np.float64), 1
            result[at] = self._sum
        return chunk.with_data(result if self._from_scale is None else self._from_scale(result), self._result)

    def flush(self) -> None:
        if self._blocks:
            self._forget()

    def _forget(self) -> None:
        if self._blocks:
            self.unused += self._count
        self._count = 0
        self._number = None


class _Hold(_Frames):
    """The extreme of all frames so far, one spectrum for each frame. It holds over gaps; another stream begins anew."""

    settings = ("reset",)
    reset = Checked(flag)
    extreme: np.ufunc

    def __init__(self, *producers: Component) -> None:
        self._held: Float | None = None
        self._begun: StreamInfo | None = None
        self.reset = False
        super().__init__(*producers)

    def renew(self) -> None:
        """``{"reset": True}`` forgets what is held; the setting then reads False again."""
        if self.reset:
            self._held = None
            self.__dict__["reset"] = False

    def begin(self, info: StreamInfo) -> None:
        if info != self._begun:
            self.check(info)
            self._held, self._begun = None, info

    def process(self, chunk: Chunk) -> Chunk:
        if not len(chunk):
            return chunk
        result: Float = self.extreme.accumulate(chunk.data, axis=0)
        if self._held is not None:
            self.extreme(result, self._held, out=result)
        self._held = result[-1]
        return chunk.with_data(result)


class MaxHold(_Hold):
    """The highest value of each bin so far, in whatever units; one spectrum for each that comes in.

    Setting: ``{"reset": True}`` begins anew. It holds over gaps; a change of the stream (a retune) begins anew. NaN, as
    in a sweep with holes, counts as not measured.
    """

    extreme = np.fmax


class MinHold(_Hold):
    """The lowest value of each bin so far; otherwise as `MaxHold`."""

    extreme = np.fmin
