"""A component that keeps what comes for the thread in which the test runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from axonlike import Component
from axonlike.streams.chunk import Chunk

HANG_GUARD_S = 60.0


class Watcher(Component):
    """Keeps what comes, and lets another thread wait for it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = threading.Condition()

    def main(self) -> Any:
        while True:
            yield self.wait()
            with self._changed:
                self.messages.extend(self.inbox())
                self._changed.notify_all()

    def wait_until(self, condition: Callable[[list[Any]], object]) -> list[Any]:
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.messages), HANG_GUARD_S):
                raise TimeoutError(f"after {HANG_GUARD_S} s there are only {self.messages[-20:]}")
            return list(self.messages)

    def wait_count(self, count: int) -> list[Any]:
        """What there is once there are so many messages."""
        return self.wait_until(lambda messages: len(messages) >= count)

    def wait_more(self) -> list[Any]:
        """What there is once something more has come."""
        return self.wait_count(len(self.messages) + 1)

    def wait_for(self, kind: type, count: int = 1) -> Any:
        """The message of that kind that is the `count`-th."""
        found = self.wait_until(lambda messages: sum(isinstance(m, kind) for m in messages) >= count)
        return [m for m in found if isinstance(m, kind)][count - 1]

    def wait_rows(self, end: int) -> list[Chunk]:
        """Chunks up to row `end` at least."""
        return self.wait_until(lambda chunks: chunks and chunks[-1].end >= end)

    def wait_for_rows(self, rows: int) -> list[Chunk]:
        """Chunks of so many rows in all, whatever their indices."""
        return self.wait_until(lambda chunks: sum(map(len, chunks)) >= rows)
