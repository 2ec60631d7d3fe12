"""Spikes of nerve cells, or clicks of anything else: short peaks that stand far out of the noise.

The noise is measured by its median absolute deviation, which the spikes themselves hardly change: for Gaussian noise
1.4826 * median(|x - median(x)|) is the standard deviation. Source of this threshold: Quian Quiroga, Nadasdy and
Ben-Shaul, Neural Computation 16 (2004), 1661-1687.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar, get_args

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, one_of, positive
from axonlike.components.dsp.samples import engineering, rows_of
from axonlike.components.dsp.triggers import Front
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["MAD_TO_SD", "ThresholdSpikes"]

MAD_TO_SD = 1.4826
"""Standard deviation over median absolute deviation, of Gaussian noise."""

_LONG_AGO = -(2**62)


class ThresholdSpikes(Block):
    """One event for each spike of each channel, at its peak, with its waveform.

    A channel's threshold is its median and `threshold_sd` times its noise's standard deviation (by the median absolute
    deviation) above it, or below it for the front "-". Both are learned from the first `learn_s` of the stream and then
    kept, over gaps too; `thresholds` has them. Where the channel passes it, the peak is the largest value within
    peak_s; a passage less than dead_s after a peak counts as part of it. A channel without any noise while it was
    learned has no spikes.

    Sends events of `EVENT` and a field `waveform`, float32: the rows from waveform_s[0] to before waveform_s[1] around
    the peak (nan beyond the stream's ends; None: no such field). sample: the index of the peak; value: the channel
    there, in the stream's units, scale and offset applied. They come in the order of their passages; their index counts
    them (`events`, so many so far). threshold_sd, front and learn_s may be changed while it runs: the first two hold
    from the next row on, the last learns anew from there.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="analog"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("spikes", Chunk, stream=StreamType(kind="events"), required=True)
    }
    settings: ClassVar[tuple[str, ...]] = ("threshold_sd", "front", "learn_s")

    threshold_sd = Checked(positive)
    front = Checked(one_of(*get_args(Front)))
    learn_s = Checked(positive)

    def __init__(
        self,
        *producers: Component,
        threshold_sd: float = 5.0,
        front: Front = "-",
        learn_s: float = 1.0,
        peak_s: float = 0.001,
        dead_s: float = 0.001,
        waveform_s: tuple[float, float] | None = (-0.0005, 0.001),
    ) -> None:
        if not (0 <= peak_s < float("inf") and 0 <= dead_s < float("inf")):
            raise UsageError(f"ThresholdSpikes: peak_s and dead_s are times of 0 s or more, not {peak_s!r}, {dead_s!r}")
        if waveform_s is not None and not -float("inf") < waveform_s[0] < waveform_s[1] < float("inf"):
            raise UsageError(f"ThresholdSpikes: waveform_s is a time and a later one, not {waveform_s!r}")
        self.events = 0
        self.info = None
        self._peak_s, self._dead_s, self._waveform_s = peak_s, dead_s, waveform_s
        self._learned: StreamInfo | None = None  # the stream that median and noise are of
        self._median: npt.NDArray[np.float64] = np.empty(0)
        self._noise: npt.NDArray[np.float64] = np.empty(0)
        self._out: StreamInfo
        self.threshold_sd = threshold_sd
        self.front = front
        self.learn_s = learn_s
        super().__init__(*producers)

    def relearn(self) -> None:
        """Measure the noise anew, from the next row on."""
        self._learned_s = 0.0

    @property
    def thresholds(self) -> npt.NDArray[np.float64] | None:
        """Of each channel, in the stream's units; nan for one without noise; None while they are being learned."""
        if self._learned is None:
            return None
        return self._median + self._sign() * np.where(self._noise > 0, self.threshold_sd * self._noise, np.nan)

    def _sign(self) -> float:
        return 1.0 if self.front == "+" else -1.0

    # -- the work

    def begin(self, info: StreamInfo) -> None:
        rate_hz = info.sample_rate_hz
        if not rate_hz or len(info.shape) != 1:
            raise StreamMismatch(f"{self.path}: it takes rows of channels with a sample rate, not {info!r}")
        if self._learned != info:
            self._learned = None
        self._peak_rows = max(1, rows_of(self._peak_s, rate_hz))
        self._dead_rows = max(1, rows_of(self._dead_s, rate_hz))
        dtype, facts = EVENT, {}
        self._from = self._to = 0
        if self._waveform_s is not None:
            self._from, self._to = (rows_of(seconds, rate_hz) for seconds in self._waveform_s)
            if self._from >= self._to:
                raise UsageError(f"{self.path}: no row lies within waveform_s {self._waveform_s!r} at {rate_hz:g} Hz")
            dtype = np.dtype([*EVENT.descr, ("waveform", "<f4", (self._to - self._from,))])
            facts["waveform_start_s"] = self._from / rate_hz
        self._out = StreamInfo(
            kind="events", dtype=dtype, sample_rate_hz=rate_hz, units=info.units, name=info.name, facts=facts
        )
        # Rows that a passage waits for until it is decided, and rows before it that its waveform may need.
        self._wait_rows = self._peak_rows + max(0, self._to)
        self._keep_rows = self._wait_rows + max(0, -self._from) + 1
        self._held: npt.NDArray[np.float64] = np.empty((0, info.channels))
        self._first: int | None = None  # the index of held[0]
        self._came: list[npt.NDArray[np.float64]] = []  # what is not in it yet
        self._to_learn = max(1, rows_of(self.learn_s, rate_hz))
        self._looked_at = 0  # so many of the held rows have been searched for passages
        self._waiting: deque[tuple[int, int, float]] = deque()  # passages: row, channel, sign
        self._last_peak = [_LONG_AGO] * info.channels
        self._learned_s = self.learn_s

    def process(self, chunk: Chunk) -> list[Chunk]:
        results: list[Chunk] = []
        if self._learned_s != self.learn_s:
            results += self.flush()
            self._learned = None
            self.begin(chunk.info)
        if self._first is None:
            self._first = chunk.index
        if not len(chunk):
            return results
        data = engineering(chunk.data, chunk.info).astype(np.float64, copy=False)
        self._came.append(data)
        if self._learned is None:
            self._to_learn -= len(data)
            if self._to_learn > 0:
                return results
            self._hold()
            self._learn(self._held[: len(self._held) + self._to_learn], chunk.info)
        self._hold()
        self._find()
        results += self._decide(self._first + len(self._held) - self._wait_rows)
        self._forget()
        return results

    def flush(self) -> list[Chunk]:
        self._hold()
        if self._first is None or not len(self._held):
            return []
        cut_short = self._learned is None
        if cut_short:
            self._learn(self._held, self._out)
        self._find()
        results = self._decide(self._first + len(self._held))
        if cut_short:
            self._learned = None  # what follows may do better
        self._held = self._held[:0]
        return results

    def _hold(self) -> None:
        if self._came:
            self._held = np.concatenate([self._held, *self._came])
            self._came.clear()

    def _learn(self, data: npt.NDArray[np.float64], info: StreamInfo) -> None:
        finite = np.where(np.isfinite(data), data, np.nan)
        finite[:, np.isnan(finite).all(axis=0)] = 0.0  # of such a channel nothing is known: it counts as still
        self._median = np.nanmedian(finite, axis=0)
        self._noise = MAD_TO_SD * np.nanmedian(np.abs(finite - self._median), axis=0)
        self._learned = info

    def _find(self) -> None:
        """Look for passages in the rows that have not been looked at."""
        assert self._first is not None
        sign = self._sign()
        threshold = np.where(self._noise > 0, self.threshold_sd * self._noise, np.inf)
        before = max(0, self._looked_at - 1)  # the row before the first new one; without it that one is no passage
        heights = sign * (self._held[before:] - self._median)
        passes = (heights[1:] > threshold) & (heights[:-1] <= threshold)
        rows, channels = np.nonzero(passes)
        index = self._first + before + 1
        self._waiting.extend((index + row, channel, sign) for row, channel in zip(rows.tolist(), channels.tolist()))
        self._looked_at = len(self._held)

    def _decide(self, before: int) -> list[Chunk]:
        """The events of all passages that lie before this row."""
        assert self._first is not None
        found: list[tuple[Any, ...]] = []
        held, first = self._held, self._first
        while self._waiting and self._waiting[0][0] <= before:
            row, channel, sign = self._waiting.popleft()
            if row < self._last_peak[channel] + self._dead_rows:
                continue
            place = row - first
            peak = row + int(np.nanargmax(sign * held[place : place + self._peak_rows, channel]))
            self._last_peak[channel] = peak
            event = (peak, channel, held[peak - first, channel])
            found.append((*event, self._waveform(peak - first, channel)) if self._to > self._from else event)
        if not found:
            return []
        result = Chunk(np.array(found, self._out.dtype), self._out, self.events)
        self.events += len(found)
        return [result]

    def _waveform(self, place: int, channel: int) -> npt.NDArray[np.float64]:
        start, stop = place + self._from, place + self._to
        waveform = np.full(stop - start, np.nan)
        there = slice(max(0, start), max(0, min(stop, len(self._held))))
        rows = self._held[there, channel]
        waveform[there.start - start : there.start - start + len(rows)] = rows
        return waveform

    def _forget(self) -> None:
        assert self._first is not None
        old = len(self._held) - self._keep_rows
        if old > 0:
            self._held = self._held[old:].copy()
            self._first += old
            self._looked_at -= old
