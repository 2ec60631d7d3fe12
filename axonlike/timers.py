"""A heap of things to do at a time, with cheap cancelling.

Cancelled timers stay in the heap until they come to its top or make up half of it; then the heap is built anew.
So a component that waits with an hour's time-out a thousand times a second does not collect an hour of timers.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, cast

__all__ = ["Timer", "TimerQueue"]

_FEW = 64  # below this many cancelled timers a rebuild is not worth its cost

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

    __slots__ = ("_cancelled", "_heap", "_made")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._cancelled = 0
        self._made = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, when_s: float, action: Callable[..., None], *argument: Any) -> Timer:
        """Have ``action(*argument)`` called at `when_s` (the scheduler's clock)."""
        self._made = number = self._made + 1
        timer = Timer((when_s, number, action, argument, self))
        heappush(self._heap, timer)
        return timer

    def next_due_s(self) -> float | None:
        """When the next timer is due, or None when there is none."""
        heap = self._heap
        while heap and heap[0][_ACTION] is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0].when_s if heap else None

    def due_times_s(self) -> dict[Timer, float]:
        """When each timer is due."""
        return {timer: timer.when_s for timer in self._heap}

    def call_due(self, now_s: float) -> None:
        """Call what is due at `now_s`, the earliest first."""
        heap = self._heap
        while heap and heap[0][_WHEN_S] <= now_s:
            timer = heappop(heap)
            action, timer[_ACTION] = timer[_ACTION], None
            if action is not None:
                action(*timer[_ARGUMENT])
            else:
                self._cancelled -= 1

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _FEW and self._cancelled * 2 > len(self._heap):
            # In place: an action that cancels is called out of a loop over this very list.
            self._heap[:] = [timer for timer in self._heap if timer[_ACTION] is not None]
            heapify(self._heap)
            self._cancelled = 0
