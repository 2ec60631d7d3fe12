"""More of the spectrum than a radio sees at once: where to tune it, and one spectrum of what it saw there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, one_of, positive, whole
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["SweepStep", "SweepStitch", "plan_sweep"]


@dataclass(frozen=True, slots=True)
class SweepStep:
    """One tuning of a sweep, and the part of the spectrum that it is for: its usable band, or less at the ends."""

    center_frequency_hz: float
    start_hz: float
    stop_hz: float


def plan_sweep(
    start_hz: float, stop_hz: float, *, usable_bandwidth_hz: float, tuning_step_hz: float = 100e3
) -> tuple[SweepStep, ...]:
    """Tunings, in rising frequency, whose usable bands abut and cover start_hz to stop_hz without a hole.

    Center frequencies are multiples of tuning_step_hz; so the distance between two is usable_bandwidth_hz rounded down
    to such a multiple, and the last is in the middle of what is left. Raises UsageError for what cannot be covered.
    """
    if not 0 <= start_hz < stop_hz:
        raise UsageError(f"plan_sweep: start_hz {start_hz:g} is not below stop_hz {stop_hz:g}, or negative")
    if tuning_step_hz <= 0 or usable_bandwidth_hz < tuning_step_hz:
        raise UsageError(
            f"plan_sweep: a usable bandwidth of {usable_bandwidth_hz:g} Hz and tuning steps of {tuning_step_hz:g} Hz "
            f"leave holes; steps are to be positive and no wider than the band"
        )
    half_hz = usable_bandwidth_hz / 2
    apart = math.floor(usable_bandwidth_hz / tuning_step_hz + 1e-9)
    # The first band begins at or below start_hz.
    place = math.floor((start_hz + half_hz) / tuning_step_hz + 1e-9)
    steps: list[SweepStep] = []
    low_hz = start_hz
    while low_hz < stop_hz:
        center_hz = place * tuning_step_hz
        high_hz = min(stop_hz, center_hz + half_hz)
        if high_hz == stop_hz:  # the last one, no further up than it must be
            center_hz = min(place, math.ceil((low_hz + stop_hz) / 2 / tuning_step_hz)) * tuning_step_hz
        steps.append(SweepStep(center_hz, low_hz, high_hz))
        low_hz, place = high_hz, place + apart
    return tuple(steps)


class SweepStitch(Block):
    """Spectra of several center frequencies to one from start_hz to stop_hz for each pass of the sweep.

    Works on what each stream's info says: `axis`, and of the facts center_frequency_hz, usable_bandwidth_hz (what lies
    outside is left away; without it the whole axis counts) and, if one was asked for, sweep_id. Takes linear power or
    dB; a step's frames_per_step first frames are averaged as linear power, `combine` "max" takes the highest instead.

    A pass is over when all bins are there. If the sweep begins anew before (a center frequency comes again after
    another), the pass was incomplete: ``holes="drop"`` drops it, "nan" sends it with NaN in the holes. Counted:
    incomplete; other_sweeps, frames with another sweep_id, which are thrown away; surplus, frames that were not needed.

    Sends one row for each pass; its index counts passes, complete or not; time_ns is that of the pass's first frame.
    All steps are to have the same bin width; bins come to lie on a grid from start_hz up, half a bin off at most; where
    two steps overlap, the higher level counts. A stream with another bin width, units or name begins anew. Settings:
    start_hz, stop_hz, sweep_id, frames_per_step, combine, holes.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("spectra", Chunk, stream=StreamType(kind="spectrum"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("spectra of whole passes", Chunk, required=True, stream=StreamType(kind="spectrum"))
    }
    settings = ("start_hz", "stop_hz", "sweep_id", "frames_per_step", "combine", "holes")

    start_hz = Checked[float](lambda value: 0.0 if value == 0 else positive(value))
    stop_hz = Checked(positive)
    sweep_id = Checked[int | None](lambda value: None if value is None else whole(0)(value))
    frames_per_step = Checked(whole(1))
    combine = Checked[str](one_of("mean", "max"))
    holes = Checked[str](one_of("drop", "nan"))

    def __init__(
        self,
        *producers: Component,
        start_hz: float,
        stop_hz: float,
        sweep_id: int | None = None,
        frames_per_step: int = 1,
        combine: Literal["mean", "max"] = "mean",
        holes: Literal["drop", "nan"] = "drop",
    ) -> None:
        self.incomplete = 0
        self.other_sweeps = 0
        self.surplus = 0
        self._grid: StreamInfo | None = None
        self._pass = 0
        self._step: _Step | None = None
        self._done: set[float] = set()
        self._latest: float | None = None
        self._time_ns: int | None = None
        self._row: npt.NDArray[np.float64] = np.zeros(0)
        self._of_other = self._in_db = False
        self._stale = True
        self.start_hz = start_hz
        self.stop_hz = stop_hz
        self.sweep_id = sweep_id
        self.frames_per_step = frames_per_step
        self.combine = combine
        self.holes = holes
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: begin a new pass with the next chunk."""
        if "stop_hz" in self.__dict__ and not self.start_hz < self.stop_hz:
            raise UsageError(
                f"{self.path}: start_hz {self.start_hz:g} is not below stop_hz {self.stop_hz:g}; change the other one "
                "first"
            )
        self._stale = True

    def begin(self, info: StreamInfo) -> None:
        if info.axis is None or info.dtype.kind != "f" or len(info.shape) != 1:
            raise StreamMismatch(
                f"{self.path}: it takes spectra of floating point numbers with a frequency axis, as FFT sends them; "
                f"{info.name or 'this stream'} has rows of shape {info.shape} of {info.dtype}, axis {info.axis}"
            )
        self._begin_step(info, info.axis)

    def _begin_step(self, info: StreamInfo, axis: Axis) -> None:
        """The stream is of another center frequency now, or there is a gap: a step's frames may go on behind it."""
        grid = self._grid
        bins = max(1, round((self.stop_hz - self.start_hz) / axis.step))
        if (
            self._stale
            or grid is None
            or grid.axis is None
            or not math.isclose(grid.axis.step, axis.step, rel_tol=1e-9)
            or (grid.units, grid.name) != (info.units, info.name)
        ):
            self._stale = False
            facts = {name: fact for name, fact in info.facts.items() if name not in _OF_ONE_STEP}
            self._grid = grid = StreamInfo(
                kind="spectrum",
                dtype=info.dtype,
                shape=(bins,),
                units=info.units,
                name=info.name,
                axis=Axis("frequency", "Hz", self.start_hz, axis.step),
                clock=info.clock,
                facts={**facts, "start_hz": self.start_hz, "stop_hz": self.stop_hz},
            )
            self._forget_pass()
        center_hz = info.facts.get("center_frequency_hz", axis.start + axis.step * (info.shape[0] // 2))
        usable_hz = info.facts.get("usable_bandwidth_hz")
        # Places in the grid and in the step's own axis differ by a whole number of bins: the nearest.
        shift = round((axis.start - self.start_hz) / axis.step)
        first, stop = max(0, shift), min(bins, shift + info.shape[0])
        if usable_hz is not None:
            # One bin more at either end: two steps' bins may be off the grid in opposite directions, and a tone just
            # where they meet would fall between them.
            low, high = ((center_hz + side * usable_hz / 2 - self.start_hz) / axis.step for side in (-1, 1))
            first = max(first, math.ceil(low - 1e-6) - 1)
            stop = min(stop, math.floor(high + 1e-6) + 2)
        step = self._step
        if step is None or step.center_hz != center_hz or (step.first, step.stop) != (first, stop):
            self._step = _Step(float(center_hz), first, max(first, stop), shift)
        self._of_other = self.sweep_id is not None and info.facts.get("sweep_id") != self.sweep_id
        self._in_db = info.units.startswith("dB")

    @property
    def _places(self) -> int:
        assert self._grid is not None
        return self._grid.shape[0]

    def process(self, chunk: Chunk) -> list[Chunk]:
        if self._stale:
            self.begin(chunk.info)
        if self._of_other:
            self.other_sweeps += len(chunk)
            return []
        passes: list[Chunk] = []
        for at, frame in enumerate(chunk.data):
            self._take(frame, chunk.time_ns_of(at), passes)
        return passes

    def _take(self, frame: npt.NDArray[Any], time_ns: int | None, passes: list[Chunk]) -> None:
        step = self._step
        assert step is not None
        if step.center_hz in self._done and self._latest != step.center_hz:
            self._end_incomplete(passes)
        if step.center_hz in self._done or step.first == step.stop:
            self.surplus += 1
            return
        self._latest = step.center_hz
        if self._time_ns is None:
            self._time_ns = time_ns
        part = frame[step.first - step.shift : step.stop - step.shift].astype(np.float64)
        if self._in_db and self.combine == "mean":
            part = 10 ** (part / 10)
        if not step.frames:
            step.sum = part
        elif self.combine == "mean":
            step.sum += part
        else:
            step.sum = np.maximum(step.sum, part)
        step.frames += 1
        if step.frames < self.frames_per_step:
            return
        self._done.add(step.center_hz)
        result = step.sum
        if self.combine == "mean":
            result = result / step.frames
            if self._in_db:
                result = 10 * np.log10(np.maximum(result, np.finfo(np.float64).tiny))
        place = self._row[step.first : step.stop]
        np.fmax(place, result, out=place)
        if not np.isnan(self._row).any():
            passes.append(self._end_pass())

    def _end_pass(self) -> Chunk:
        assert self._grid is not None
        chunk = Chunk(self._row.astype(self._grid.dtype)[None], self._grid, self._pass, self._time_ns)
        self._pass += 1
        self._new_pass()
        return chunk

    def _end_incomplete(self, passes: list[Chunk]) -> None:
        self.incomplete += 1
        chunk = self._end_pass()
        if self.holes == "nan":
            passes.append(chunk)

    def _forget_pass(self) -> None:
        if self._done:
            self.incomplete += 1
            self._pass += 1
        self._new_pass()

    def _new_pass(self) -> None:
        self._done = set()
        self._latest = None
        self._time_ns = None
        self._row = np.full(self._places, np.nan)
        if self._step is not None:
            self._step.frames = 0


_OF_ONE_STEP = ("center_frequency_hz", "frequency_shift_hz", "usable_bandwidth_hz")


class _Step:
    """Where a tuning's bins go: places first to before stop of the grid, `shift` more than in its own axis."""

    def __init__(self, center_hz: float, first: int, stop: int, shift: int) -> None:
        self.center_hz, self.first, self.stop, self.shift = center_hz, first, stop, shift
        self.frames = 0
        self.sum: npt.NDArray[np.float64] = np.zeros(0)
