"""When does a signal cross a threshold? One event for each time, debounced; the same whatever the chunks.

The rules, for the front "+" (for "-" everything is mirrored). x is one channel of the whole stream, db the debounce in
rows. Row k is a candidate if x[k-1] <= threshold < x[k]; the first row of a stream, and of what follows a gap, has no
row before it and is none. It becomes an event in the mode

    no-debounce    always
    after-stable   if none of x[k .. k+db-1] is below the threshold; known when row k+db is there
    before-stable  if none of x[k-db .. k-1] is above it, and none of x[k+db .. k+2db-1] is below (bounces in between
                   are allowed); known when row k+2db is there

Rows before the beginning are neither above nor below. No samples are kept for this: only the last row, where the signal
was above last, and the candidates that are not decided yet. So a debounce may be as long as one likes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, one_of, real
from axonlike.components.dsp.samples import channel_number, channel_values, rows_of
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["AnalogTrigger", "DebounceMode", "DigitalTrigger", "Front"]

Front = Literal["+", "-"]
DebounceMode = Literal["no-debounce", "after-stable", "before-stable"]

_LINES = StreamType(kind="digital")
_LONG_AGO = -(2**62)


@dataclass(frozen=True, slots=True)
class _Rule:
    channel: int | str
    threshold: float
    front: Front
    mode: DebounceMode
    debounce_s: float


def _channel(value: Any) -> int | str:
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise ValueError("a number or a name")
    return value


def _not_negative(value: Any) -> float:
    number = real(value)
    if number < 0:
        raise ValueError("a number of 0 or more")
    return number


class _Search:
    """Looks for events by one rule, from one row on. It sees values that rise: mirrored ones, for a falling front."""

    def __init__(self, rule: _Rule, place: int, sample_rate_hz: float) -> None:
        self.place = place
        self.sign = 1.0 if rule.front == "+" else -1.0
        self.looking = True
        """Are new candidates looked for, or only those decided that there are?"""
        self._threshold = self.sign * rule.threshold
        debounce = rows_of(rule.debounce_s, sample_rate_hz)
        self._quiet_before = debounce if rule.mode == "before-stable" else 0
        # Counted from a candidate: the first row that may not be below, the first that may again, the row that decides.
        self._from, self._to, self._known = {
            "no-debounce": (0, 0, 0),
            "after-stable": (0, debounce, debounce),
            "before-stable": (debounce, 2 * debounce, 2 * debounce),
        }[rule.mode]
        self._last: float | None = None
        self._last_above = _LONG_AGO
        self._waiting: deque[tuple[int, float]] = deque()  # candidates without objection yet: row and value, in order

    @property
    def undecided(self) -> int:
        """How many candidates wait for rows that will decide."""
        return len(self._waiting)

    def row_before(self, value: float, index: int) -> None:
        """What the row before the first that is fed was."""
        self._last = self.sign * value
        if self._last > self._threshold:
            self._last_above = index

    def feed(self, values: npt.NDArray[np.float64], index: int) -> list[tuple[int, int, int, float]]:
        """The next rows (not none). What has become certain: the row that decided, the event's row, channel, value."""
        if self.sign < 0:
            values = -values
        if self.looking:
            self._find(values, index)
        if self._to > self._from and self._waiting:
            self._object(index + np.flatnonzero(values < self._threshold))
        found = []
        while self._waiting and self._waiting[0][0] + self._known < index + len(values):
            row, value = self._waiting.popleft()
            found.append((row + self._known, row, self.place, self.sign * value))
        return found

    def _find(self, values: npt.NDArray[np.float64], index: int) -> None:
        above = values > self._threshold
        not_above = np.empty(len(values), bool)
        not_above[0] = self._last is not None and self._last <= self._threshold
        np.less_equal(values[:-1], self._threshold, out=not_above[1:])
        rising = np.flatnonzero(above & not_above)
        if self._quiet_before:
            rows = np.arange(index, index + len(values))
            above_until = np.maximum.accumulate(np.where(above, rows, self._last_above))
            last_above = np.where(rising > 0, above_until[rising - 1], self._last_above)
            rising = rising[last_above < index + rising - self._quiet_before]
            self._last_above = int(above_until[-1])
        self._waiting.extend(zip((index + rising).tolist(), values[rising].tolist()))
        self._last = float(values[-1])

    def _object(self, below: npt.NDArray[np.int64]) -> None:
        """Drop the candidates that one of these rows is against."""
        if not below.size:
            return
        rows = np.fromiter((row for row, _ in self._waiting), np.int64, len(self._waiting))
        against = np.searchsorted(below, rows + self._from) < np.searchsorted(below, rows + self._to)
        if against.any():
            self._waiting = deque(candidate for candidate, no in zip(self._waiting, against.tolist()) if not no)


class _Trigger(Block):
    """What both triggers have in common: settings and events. The rules are in `_Search`."""

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("events: the first row beyond", Chunk, stream=StreamType(kind="events"), required=True)
    }

    channel = Checked(_channel)
    threshold = Checked(real)
    front = Checked(one_of(*get_args(Front)))
    debounce_mode = Checked(one_of(*get_args(DebounceMode)))
    debounce_s = Checked(_not_negative)

    def __init__(
        self,
        *producers: Component,
        channel: int | str,
        threshold: float,
        front: Front,
        debounce_mode: DebounceMode,
        debounce_s: float,
    ) -> None:
        self.info = None
        self.channel = channel
        self.threshold = threshold
        self.front = front
        self.debounce_mode = debounce_mode
        self.debounce_s = debounce_s
        self.events = 0
        self.unconfirmed = 0
        self._searches: list[_Search] = []
        self._looking_by = self._rule()
        self._row: npt.NDArray[Any] | None = None  # the last one that came,
        self._next = 0  # and the index behind it
        self._out: StreamInfo
        super().__init__(*producers)

    # -- what differs

    def _place_of(self, channel: int | str, info: StreamInfo) -> int:
        raise NotImplementedError

    def _values(self, rows: npt.NDArray[Any], place: int, info: StreamInfo) -> npt.NDArray[np.float64]:
        raise NotImplementedError

    # -- the settings, each of them by its name

    def renew(self) -> None:
        """A setting has changed: is there such a channel?"""
        if self.info is not None:
            self._place_of(self.channel, self.info)

    def _rule(self) -> _Rule:
        return _Rule(self.channel, self.threshold, self.front, self.debounce_mode, self.debounce_s)

    # -- the work

    def begin(self, info: StreamInfo) -> None:
        if not info.sample_rate_hz:
            raise StreamMismatch(f"{self.path}: the stream {info.name or 'without a name'} has no sample rate")
        if len(info.shape) > 1:
            raise StreamMismatch(f"{self.path}: rows have shape {info.shape}; it takes rows of channels")
        self._row = None
        self._searches = []
        self._look_by(self._rule(), info)
        self._out = StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=info.sample_rate_hz, name=info.name)

    def _look_by(self, rule: _Rule, info: StreamInfo) -> None:
        search = _Search(rule, self._place_of(rule.channel, info), info.sample_rate_hz)
        if self._row is not None:
            search.row_before(float(self._values(self._row, search.place, info)[0]), self._next - 1)
        # What was found is still decided, by the rule by which it was found.
        for old in self._searches:
            old.looking = False
        self._searches = [*(old for old in self._searches if old.undecided), search]
        self._looking_by = rule

    def process(self, chunk: Chunk) -> Chunk | None:
        if not len(chunk):
            return None
        rule = self._rule()
        if rule != self._looking_by:
            self._look_by(rule, chunk.info)
        found = []
        for search in self._searches:
            found += search.feed(self._values(chunk.data, search.place, chunk.info), chunk.index)
        if len(self._searches) > 1:
            found.sort()
            self._searches = [search for search in self._searches if search.looking or search.undecided]
        self._row, self._next = chunk.data[-1:].copy(), chunk.end
        if not found:
            return None
        result = Chunk(np.array([event[1:] for event in found], EVENT), self._out, self.events)
        self.events += len(found)
        return result

    def flush(self) -> None:
        self.unconfirmed += sum(search.undecided for search in self._searches)
        self._searches = []


class AnalogTrigger(_Trigger):
    """An event at each row where a channel passes a threshold: the rules are at the head of this file.

    channel: number or name. threshold: in the stream's units (scale and offset applied). front: "+" rising, "-"
    falling. debounce_mode: "no-debounce", "after-stable" or "before-stable"; debounce_s: how long. All are settings: a
    change holds from the next row on, as if the stream had begun one row before it; what was found earlier is decided
    as it would have been.

    Sends chunks of `EVENT` (sample: absolute index of the first row beyond; value: the channel there), never empty
    ones; their index counts the events. events: how many so far. unconfirmed: candidates whose debounce was cut off by
    the stream's end or by a gap; they are no events.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="analog"))}
    settings: ClassVar[tuple[str, ...]] = ("channel", "threshold", "front", "debounce_mode", "debounce_s")

    def __init__(
        self,
        *producers: Component,
        channel: int | str = 0,
        threshold: float = 0.0,
        front: Front = "+",
        debounce_mode: DebounceMode = "no-debounce",
        debounce_s: float = 0.01,
    ) -> None:
        super().__init__(
            *producers,
            channel=channel,
            threshold=threshold,
            front=front,
            debounce_mode=debounce_mode,
            debounce_s=debounce_s,
        )

    def _place_of(self, channel: int | str, info: StreamInfo) -> int:
        return channel_number(channel, info, self.path)

    def _values(self, rows: npt.NDArray[Any], place: int, info: StreamInfo) -> npt.NDArray[np.float64]:
        return channel_values(rows, place, info)


class DigitalTrigger(_Trigger):
    """An event at each row where a line goes up ("+") or down ("-"), debounced like `AnalogTrigger`.

    channel: the number of the line: bit k of column c of the stream's integers is line c * bits + k, where bits is how
    many such an integer has; so with bytes, line 11 is bit 3 of the second one. An event's value is the line's new
    level, 1 or 0. Settings, events and counts as for `AnalogTrigger`.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("lines, packed in integers", Chunk, stream=_LINES)}
    settings: ClassVar[tuple[str, ...]] = ("channel", "front", "debounce_mode", "debounce_s")

    def __init__(
        self,
        *producers: Component,
        channel: int = 0,
        front: Front = "+",
        debounce_mode: DebounceMode = "no-debounce",
        debounce_s: float = 0.01,
    ) -> None:
        super().__init__(
            *producers,
            channel=channel,
            threshold=0.5,
            front=front,
            debounce_mode=debounce_mode,
            debounce_s=debounce_s,
        )

    def _place_of(self, channel: int | str, info: StreamInfo) -> int:
        if info.dtype.kind not in "uib":
            raise StreamMismatch(f"{self.path}: lines are bits of integers, the stream is of {info.dtype}")
        lines = info.channels * _bits(info)
        if not isinstance(channel, int) or not 0 <= channel < lines:
            raise UsageError(f"{self.path}: there is no line {channel!r} in a stream of {lines}; they count from 0")
        return channel

    def _values(self, rows: npt.NDArray[Any], place: int, info: StreamInfo) -> npt.NDArray[np.float64]:
        column, bit = divmod(place, _bits(info))
        integers = rows[:, column] if rows.ndim > 1 else rows
        return (integers.astype(info.dtype.newbyteorder("=")) >> bit & 1).astype(np.float64)


def _bits(info: StreamInfo) -> int:
    return 1 if info.dtype.kind == "b" else 8 * info.dtype.itemsize
