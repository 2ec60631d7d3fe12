"""Pieces of a signal around events: what came just before each one and just after it, and the last few of them.

Two streams come in, and neither waits for the other: an event may come before its rows (they are still being taken) or
long after them (its debounce took a while, it came over a network). So rows are kept for a time, and events until their
last row is there.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.samples import rows_of
from axonlike.components.producers import take_from
from axonlike.components.settable import Settable
from axonlike.errors import Finished, UsageError, show_value
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Epoch", "EventEpochs", "Incomplete", "Missed", "Stack"]

Incomplete = Literal["fill", "drop"]

_SAMPLES = StreamType(kind=("analog", "digital", "iq", "spectrum", "map"))
_EVENTS = StreamType(kind="events")
_MOST_WAITING = 100_000
_PIECE_ROWS = 512
_LONG_AGO = -(2**62)


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """The rows around one event.

    event: the row of the events' stream, a structured scalar (``epoch.event["sample"]``). data: shape (rows,
    *info.shape), read-only, as they came (raw; `info` has scale and offset). times_s: of each row, from the event's,
    float64. index: the absolute index of data[0]. missing: how many rows were never there; they are nan, and if the
    stream is of integers, this epoch is float64 (and its `info` says so).
    """

    event: np.void
    data: npt.NDArray[Any]
    times_s: npt.NDArray[np.float64]
    info: StreamInfo
    index: int
    missing: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The last epochs, the oldest first: data has shape (epochs, rows, *info.shape). total: how many there were."""

    data: npt.NDArray[Any]
    times_s: npt.NDArray[np.float64]
    info: StreamInfo
    total: int

    def average(self) -> npt.NDArray[Any]:
        """Mean over the epochs, float64 (complex128), shape (rows, *info.shape), of the values that there are."""
        if self.data.dtype.kind not in "fc":
            return np.asarray(self.data.mean(axis=0, dtype=np.float64))
        there = ~np.isnan(self.data)
        wide = np.result_type(self.data.dtype, np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sum(self.data, axis=0, where=there, dtype=wide) / there.sum(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Missed:
    """On `status`: there is no epoch for this event, and why."""

    event: np.void
    reason: str


class EventEpochs(Settable):
    """Around each event from `events`, the rows of `inbox` in a window: sends an `Epoch` as soon as they are there.

    window_s: from when to when, counted from the event, (-1.0, 1.0) say; rows sample + n0 up to before sample + n1,
    where n0 and n1 are these times in rows, cut off towards 0. Windows may overlap. incomplete: what is done where rows
    are missing (before the stream's beginning, behind its end, in a gap): "fill" with nan, or "drop" the epoch.
    history_s: how late after the last row of its window an event may come. stack_size: how many epochs `stack` holds.

    epochs: how many were sent. What was not is counted, and told on `status` (`Missed`): incomplete_epochs, were to be
    dropped or had no row at all; gone: their event came when the rows were not kept any more; overflowed: more than
    100 000 events waited for their rows. Events that were lost on the way are in events_continuity.lost. A change of
    window_s or stack_size, and a message on `reset`, empty the stack.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("samples", Chunk, stream=_SAMPLES),
        "events": Box("events, whose `sample` counts rows of the samples", Chunk, stream=_EVENTS),
        "reset": Box("anything: empty the stack"),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("epochs", Epoch, required=True),
        "stack": Box("the last epochs, whenever there are new ones", Stack, required=True),
    }
    any_demand_will_do: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("window_s", "stack_size", "incomplete")

    def __init__(
        self,
        *producers: Component,
        window_s: tuple[float, float] = (-1.0, 1.0),
        incomplete: Incomplete = "fill",
        stack_size: int = 1,
        history_s: float = 10.0,
    ) -> None:
        if not 0 <= history_s < float("inf"):
            raise UsageError(f"EventEpochs: history_s is a time of 0 s or more, not {history_s!r}")
        self.epochs = self.incomplete_epochs = self.gone = self.overflowed = 0
        self.continuity = Continuity()
        self.events_continuity = Continuity()
        self.info: StreamInfo | None = None
        self._history_s = history_s
        self._waiting: list[tuple[int, int, np.void]] = []  # a heap: sample, in which order it came, event
        self._came = 0
        self._stack: deque[Epoch] = deque()
        self._times_s: npt.NDArray[np.float64] = np.empty(0)
        self._from = self._to = 0
        self._rows = _Rows()
        self._checked: dict[str, StreamInfo] = {}
        self._events_rate_hz = 0.0
        self.stack_size = stack_size
        self.incomplete = incomplete
        self.window_s = window_s
        take_from(self, *producers)

    # -- settings

    @property
    def window_s(self) -> tuple[float, float]:
        """From when to when, counted from the event."""
        return self._window_s

    @window_s.setter
    def window_s(self, window_s: tuple[float, float]) -> None:
        try:
            start_s, stop_s = (float(s) for s in window_s)
        except (TypeError, ValueError):
            raise UsageError(f"{self.path}: window_s is two times, like (-1.0, 1.0), not {window_s!r}") from None
        if not (np.isfinite([start_s, stop_s]).all() and start_s < stop_s):
            raise UsageError(f"{self.path}: window_s is a time and a later one, not {window_s!r}")
        if self.info is not None:
            self._use_window(self.info, (start_s, stop_s))
        self._window_s = (start_s, stop_s)
        self._stack.clear()

    @property
    def stack_size(self) -> int:
        """How many epochs a `Stack` holds."""
        return self._stack_size

    @stack_size.setter
    def stack_size(self, stack_size: int) -> None:
        if not isinstance(stack_size, int) or stack_size < 1:
            raise UsageError(f"{self.path}: stack_size is 1 or more, not {stack_size!r}")
        self._stack_size = stack_size
        self._stack = deque(maxlen=stack_size)

    @property
    def incomplete(self) -> Incomplete:
        """'fill' with nan, or 'drop', where rows are missing."""
        return self._incomplete

    @incomplete.setter
    def incomplete(self, incomplete: Incomplete) -> None:
        if incomplete not in get_args(Incomplete):
            raise UsageError(f"{self.path}: incomplete is 'fill' or 'drop', not {incomplete!r}")
        self._incomplete: Incomplete = incomplete

    # -- the work, without a scheduler

    def feed(self, chunk: Chunk) -> list[Epoch]:
        """The next samples: the epochs that are complete with them."""
        info = self._check(chunk, "inbox")
        epochs: list[Epoch] = []
        went_back = self.continuity.missing(chunk) < 0
        if self.info is None:
            self._begin(info)
        elif went_back or (info is not self.info and info != self.info):
            epochs += self._end()
            self._begin(info)
        self._rows.append(chunk)
        epochs += self._ready()
        self._rows.keep(rows_of(self._history_s, info.sample_rate_hz) + self._to - self._from)
        return epochs

    def feed_events(self, chunk: Chunk) -> list[Epoch]:
        """The next events: the epochs whose rows are there already."""
        info = self._check(chunk, "events")
        if "sample" not in (info.dtype.names or ()):
            raise StreamMismatch(f"{self.path}.events: events have a field `sample`, these have {info.dtype}")
        self._events_rate_hz = info.sample_rate_hz
        self._check_rates()
        self.events_continuity.missing(chunk)
        for event in chunk.data:
            if len(self._waiting) >= _MOST_WAITING:
                self.overflowed += 1
                self._missed(event, f"{_MOST_WAITING} events wait for their rows already")
                continue
            heapq.heappush(self._waiting, (int(event["sample"]), self._came, event))
            self._came += 1
        return self._ready()

    def finish(self) -> list[Epoch]:
        """The streams have ended: what is left, incomplete as it is."""
        epochs = self._end()
        self.info = None
        self.continuity.expected = None
        return epochs

    def stack(self) -> Stack | None:
        """The last epochs; None if there are none."""
        if not self._stack:
            return None
        data = np.stack([epoch.data for epoch in self._stack])
        data.flags.writeable = False
        newest = self._stack[-1]
        info = newest.info if newest.info.dtype == data.dtype else newest.info.replace(dtype=data.dtype)
        return Stack(data, newest.times_s, info, self.epochs)

    def reset(self) -> None:
        """Empty the stack."""
        self._stack.clear()

    def _check(self, chunk: Chunk, box: str) -> StreamInfo:
        if not isinstance(chunk, Chunk):
            raise UsageError(f"{self.path}.{box}: it takes chunks of a stream, not {show_value(chunk)}")
        if chunk.info is not self._checked.get(box):
            chunk.info.check(self.inbox_spec(box).stream, f"{self.path}.{box}")
            self._checked[box] = chunk.info
        return chunk.info

    def _check_rates(self) -> None:
        rate_hz = self.info.sample_rate_hz if self.info is not None else 0.0
        if self._events_rate_hz and rate_hz and self._events_rate_hz != rate_hz:
            raise StreamMismatch(
                f"{self.path}: the events count samples at {self._events_rate_hz:g} Hz, the samples have {rate_hz:g} "
                "Hz; take the events from the stream that goes into the inbox"
            )

    def _begin(self, info: StreamInfo) -> None:
        self._use_window(info, self._window_s)
        self.info = info
        self._check_rates()
        self._rows = _Rows()
        self._stack.clear()

    def _use_window(self, info: StreamInfo, window_s: tuple[float, float]) -> None:
        rate_hz = info.sample_rate_hz
        if not rate_hz:
            raise StreamMismatch(f"{self.path}.inbox: the stream {info.name or 'without a name'} has no sample rate")
        first, last = (rows_of(seconds, rate_hz) for seconds in window_s)
        if first >= last:
            raise UsageError(f"{self.path}: no row lies within window_s {window_s!r} at {rate_hz:g} Hz")
        self._from, self._to = first, last
        self._times_s = np.arange(first, last) / rate_hz
        self._times_s.flags.writeable = False

    def _end(self) -> list[Epoch]:
        epochs: list[Epoch] = []
        while self._waiting:
            sample, _, event = heapq.heappop(self._waiting)
            epochs += self._epoch(sample, event)
        return epochs

    def _ready(self) -> list[Epoch]:
        epochs: list[Epoch] = []
        if self.info is not None:
            while self._waiting and self._waiting[0][0] + self._to <= self._rows.end:
                sample, _, event = heapq.heappop(self._waiting)
                epochs += self._epoch(sample, event)
        return epochs

    def _epoch(self, sample: int, event: np.void) -> Iterable[Epoch]:
        """The epoch of this event, from the rows that are kept; none where that cannot or is not to be."""
        start, stop = sample + self._from, sample + self._to
        if self.info is None:
            self.incomplete_epochs += 1
            self._missed(event, "the stream ended before it began")
            return
        if self._rows.gone(start):
            self.gone += 1
            self._missed(event, f"row {start} is not kept any more; a longer history_s keeps it")
            return
        data, there = self._rows.part(start, stop, self.info)
        missing = int(len(there) - there.sum())
        info = self.info
        if missing:
            if self._incomplete == "drop" or missing == len(there):
                self.incomplete_epochs += 1
                self._missed(event, f"{missing} of the rows {start} to {stop} are missing")
                return
            if data.dtype.kind not in "fc":
                info = info.replace(dtype=np.dtype(np.float64))
                data = data.astype(np.float64)
            data[~there] = np.nan
        data.flags.writeable = False
        epoch = Epoch(event, data, self._times_s, info, start, missing)
        self.epochs += 1
        self._stack.append(epoch)
        yield epoch

    def _missed(self, event: np.void, reason: str) -> None:
        self.send(Missed(event, reason), "status")

    # -- as a component

    def main(self) -> Generator[Any, Any, None]:
        samples, events, resets = self.inbox("inbox"), self.inbox("events"), self.inbox("reset")
        settings = self.inbox("settings")
        try:
            while True:
                yield self.wait("inbox", "events", "settings", "reset")
                if settings:
                    self.take_settings()
                for _ in resets:
                    self.reset()
                for chunk in events:
                    self._send_all(self.feed_events(chunk))
                for chunk in samples:
                    self._send_all(self.feed(chunk))
        except Finished:
            self._send_all(self.finish())

    def _send_all(self, epochs: list[Epoch]) -> None:
        if not epochs:
            return
        wired = self.wires().from_out
        if "stack" not in wired or "outbox" in wired:
            self.send_many(epochs)
        if "stack" in wired:
            self.send(self.stack(), "stack")


class _Rows:
    """The last rows of a stream, by absolute index; gaps stay gaps."""

    def __init__(self) -> None:
        self.end = _LONG_AGO
        self._first = self._kept_from = _LONG_AGO
        self._pieces: list[tuple[int, npt.NDArray[Any]]] = []

    def append(self, chunk: Chunk) -> None:
        index, data = chunk.index, chunk.data
        if self._first == _LONG_AGO:
            self._first = self._kept_from = index
        self.end = chunk.end
        if not len(data):
            return
        if self._pieces:
            # Small ones are put together: ten seconds in single rows would be a great many objects.
            before, rows = self._pieces[-1]
            if before + len(rows) == index and len(rows) + len(data) <= _PIECE_ROWS:
                self._pieces[-1] = (before, np.concatenate([rows, data]))
                return
        self._pieces.append((index, data))

    def keep(self, rows: int) -> None:
        """Forget all but the last so many."""
        self._kept_from = max(self._kept_from, self.end - rows)
        pieces = self._pieces
        old = 0
        while old < len(pieces) and pieces[old][0] + len(pieces[old][1]) <= self._kept_from:
            old += 1
        del pieces[:old]

    def gone(self, index: int) -> bool:
        """Was there, or may there have been, a row here that was forgotten?"""
        return index < self._kept_from and self._kept_from > self._first

    def part(self, start: int, stop: int, info: StreamInfo) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """A new array for these rows, and which of them there are."""
        data = info.empty(stop - start)
        there = np.zeros(stop - start, bool)
        place = max(0, bisect_right(self._pieces, start, key=lambda piece: piece[0]) - 1)
        for index, rows in self._pieces[place:]:
            if index >= stop:
                break
            first, last = max(start, index), min(stop, index + len(rows))
            if first < last:
                data[first - start : last - start] = rows[first - index : last - index]
                there[first - start : last - start] = True
        return data, there
