"""A heap of things to do at a time, with cheap cancelling.

Cancelled timers stay in the heap until they come to its top or make up half of it; then the heap is built anew.
So a component that waits with an hour's time-out a thousand times a second does not collect an hour of timers.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

__all__ = ["Timer", "TimerQueue"]

_FEW = 64  # below this many cancelled timers a rebuild is not worth its cost


class Timer:
    """Something to call at a time. Those that are due at the same time are called in the order they were made."""

    __slots__ = ("action", "argument", "queue")

    def __init__(self, action: Callable[..., None], argument: tuple[Any, ...], queue: TimerQueue) -> None:
        self.action: Callable[..., None] | None = action
        self.argument = argument
        self.queue = queue

    def cancel(self) -> None:
        """Never call the action. Harmless when it was called or cancelled already."""
        if self.action is not None:
            self.action = None
            self.argument = ()
            self.queue._cancelled_one()


class TimerQueue:
    """All timers of one scheduler."""

    __slots__ = ("_cancelled", "_heap", "_made")

    def __init__(self) -> None:
        # Tuples, not Timers, so that the heap compares floats and ints in C.
        self._heap: list[tuple[float, int, Timer]] = []
        self._cancelled = 0
        self._made = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, when_s: float, action: Callable[..., None], *argument: Any) -> Timer:
        """Have ``action(*argument)`` called at `when_s` (the scheduler's clock)."""
        self._made += 1
        timer = Timer(action, argument, self)
        heappush(self._heap, (when_s, self._made, timer))
        return timer

    def next_due_s(self) -> float | None:
        """When the next timer is due, or None when there is none."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def due_times_s(self) -> dict[Timer, float]:
        """When each timer is due (timers do not keep it themselves: most are never asked)."""
        return {timer: when_s for when_s, _, timer in self._heap}

    def call_due(self, now_s: float) -> None:
        """Call what is due at `now_s`, the earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now_s:
            timer = heappop(heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action(*timer.argument)
            else:
                self._cancelled -= 1

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _FEW and self._cancelled * 2 > len(self._heap):
            # In place: an action that cancels is called out of a loop over this very list.
            self._heap[:] = [entry for entry in self._heap if entry[2].action is not None]
            heapify(self._heap)
            self._cancelled = 0

