"""Things to do at a time, with cheap cancelling.

A heap of heaps: one of the ticks (about a millisecond) in which anything is due, and for each of these one of its
timers. Among 100 000 timers of one heap, taking out the first takes 4 us, for it goes from top to bottom through memory
that no cache holds; among those of one tick, a fraction of that.

Cancelled timers stay where they are until they come to the top or make up half of all; then they are sifted out.
So a component that waits with an hour's time-out a thousand times a second does not collect an hour of timers.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, cast

__all__ = ["TICKS_PER_S", "Timer", "TimerQueue"]

_FEW = 64  # below this many cancelled timers sifting is not worth its cost
TICKS_PER_S = 1024
_NEVER = 1 << 1024  # the tick of infinity: more than that of any other number

# What a timer is a list of. A list, so that one object is both the timer and its place in the heap, and the heap
# compares a float and an int in C; arming is what costs, for most timers are cancelled before they are due.
_WHEN_S, _NUMBER, _ACTION, _ARGUMENT, _QUEUE = range(5)


class Timer(list[Any]):
    """Something to call at a time. Those that are due at the same time are called in the order they were made."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # two of them are never equal: their numbers differ

    @property
    def when_s(self) -> float:
        """When it is due, on the scheduler's clock."""
        return cast("float", self[_WHEN_S])

    def cancel(self) -> None:
        """Never call the action. Harmless when it was called or cancelled already."""
        if self[_ACTION] is not None:
            self[_ACTION] = None
            self[_ARGUMENT] = ()
            self[_QUEUE]._cancelled_one()


class TimerQueue:
    """All timers of one scheduler."""

    __slots__ = ("_by_tick", "_cancelled", "_made", "_over", "_ticks")

    def __init__(self) -> None:
        self._by_tick: dict[int, list[Timer]] = {}  # heaps; none of them is empty
        self._ticks: list[int] = []  # a heap, of the keys of `_by_tick`
        self._made = 0
        self._over = 0  # called or cancelled
        self._cancelled = 0  # of those that are in the heaps

    def __len__(self) -> int:
        return self._made - self._over

    def add(self, when_s: float, action: Callable[..., None], *argument: Any) -> Timer:
        """Have ``action(*argument)`` called at `when_s` (the scheduler's clock)."""
        self._made = number = self._made + 1
        timer = Timer((when_s, number, action, argument, self))
        try:
            tick = int(when_s * TICKS_PER_S)
        except OverflowError:
            tick = _NEVER
        timers = self._by_tick.get(tick)
        if timers is None:
            # The collector may come with the new list, and what it finalizes may add a timer to this very tick.
            first = [timer]
            timers = self._by_tick.setdefault(tick, first)
            if timers is first:
                heappush(self._ticks, tick)
                return timer
        heappush(timers, timer)
        return timer

    def next_due_s(self) -> float | None:
        """When the next timer is due, or None when there is none."""
        while self._ticks:
            first = self._by_tick[self._ticks[0]][0]
            if first[_ACTION] is not None:
                return first.when_s
            self._take_first()
            self._cancelled -= 1
        return None

    def due_times_s(self) -> dict[Timer, float]:
        """When each timer is due."""
        return {timer: timer.when_s for timers in self._by_tick.values() for timer in timers}

    def call_due(self, now_s: float) -> None:
        """Call what is due at `now_s`, the earliest first."""
        ticks, by_tick = self._ticks, self._by_tick
        while ticks and by_tick[ticks[0]][0][_WHEN_S] <= now_s:
            timer = self._take_first()
            action, timer[_ACTION] = timer[_ACTION], None
            if action is not None:
                self._over += 1
                action(*timer[_ARGUMENT])
            else:
                self._cancelled -= 1

    def _take_first(self) -> Timer:
        timers = self._by_tick[self._ticks[0]]
        timer = heappop(timers)
        if not timers:
            del self._by_tick[heappop(self._ticks)]
        return timer

    def _cancelled_one(self) -> None:
        self._over += 1
        self._cancelled += 1
        if self._cancelled > _FEW and self._cancelled > len(self):
            # In place: an action that cancels is called out of a loop over these very heaps.
            for tick, timers in tuple(self._by_tick.items()):
                timers[:] = [timer for timer in timers if timer[_ACTION] is not None]
                heapify(timers)
                if not timers:
                    del self._by_tick[tick]
            self._ticks[:] = self._by_tick
            heapify(self._ticks)
            self._cancelled = 0
