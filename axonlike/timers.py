"""A heap of things to do at a time, with cheap cancelling.

Cancelled timers stay in the heap until they come to its top or make up half of it; then the heap is built anew.
So a component that waits with an hour's time-out a thousand times a second does not collect an hour of timers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["Timer", "TimerQueue"]

_FEW = 64  # below this many cancelled timers a rebuild is not worth its cost


class Timer:
    """One due time and what to call then. Ordered by due time, then by the order in which they were made."""

    __slots__ = ("action", "number", "queue", "when_s")

    def __init__(self, when_s: float, number: int, action: Callable[[], None], queue: TimerQueue) -> None:
        self.when_s = when_s
        self.number = number
        self.action: Callable[[], None] | None = action
        self.queue = queue

    def cancel(self) -> None:
        """Never call the action. Harmless when it was called or cancelled already."""
        if self.action is not None:
            self.action = None
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

    def add(self, when_s: float, action: Callable[[], None]) -> Timer:
        """Have `action` called at `when_s` (the scheduler's clock)."""
        self._made += 1
        timer = Timer(when_s, self._made, action, self)
        heapq.heappush(self._heap, (when_s, self._made, timer))
        return timer

    def next_due_s(self) -> float | None:
        """When the next timer is due, or None when there is none."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def pop(self, now_s: float) -> Callable[[], None] | None:
        """Take out the earliest action that is due at `now_s`; None when none is."""
        heap = self._heap
        while heap and heap[0][0] <= now_s:
            timer = heapq.heappop(heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                return action
            self._cancelled -= 1
        return None

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _FEW and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

