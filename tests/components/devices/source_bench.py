"""A source in a scheduler of its own, with all that it sends at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from axonlike import Component, Scheduler
from axonlike.streams.chunk import Chunk

HANG_GUARD_S = 30.0


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

    def wait_for(self, kind: type, count: int = 1) -> Any:
        found = self.wait_until(lambda messages: sum(isinstance(m, kind) for m in messages) >= count)
        return [m for m in found if isinstance(m, kind)][count - 1]

    def wait_rows(self, end: int) -> list[Chunk]:
        """Chunks up to row `end` at least."""
        return self.wait_until(lambda chunks: chunks and chunks[-1].end >= end)

    def wait_more(self) -> list[Chunk]:
        """What there is once something more has come."""
        count = len(self.messages)
        return self.wait_until(lambda chunks: len(chunks) > count)


class Bench:
    """Each outbox of `source` feeds a Watcher of `got`; `outbox` only between `want` and `unwant`."""

    def __init__(self, source: Any, *, wanted: bool = True, feeds: dict[str, Component] | None = None) -> None:
        self.source = source
        source.linger_s = 0.05
        self.got = {name: Watcher() for name in source.outbox_names if name not in ("signal", "error")}
        self.scheduler = Scheduler()
        self._feeds = feeds or {}
        self._main_link: Any = None
        for name, watcher in self.got.items():
            if name != "outbox":
                source.link((source, name), (watcher, "inbox"))
            elif wanted:
                self._main_link = source.link((source, name), (watcher, "inbox"))
        for box, feeder in self._feeds.items():
            source.link((feeder, "outbox"), (source, box))

    def __enter__(self) -> Bench:
        self.scheduler.start_in_thread(self.source, *self.got.values(), *self._feeds.values())
        return self

    def __exit__(self, *_exc: object) -> None:
        self.scheduler.call_from_thread(self.scheduler.stop)
        assert self.scheduler.join(HANG_GUARD_S)

    @property
    def chunks(self) -> Watcher:
        return self.got["outbox"]

    @property
    def status(self) -> Watcher:
        return self.got["status"]

    def _call(self, action: Callable[[], Any]) -> Any:
        done = threading.Event()
        result: list[Any] = []

        def act() -> None:
            result.append(action())
            done.set()

        self.scheduler.call_from_thread(act)
        assert done.wait(HANG_GUARD_S)
        return result[0]

    def want(self) -> None:
        self._main_link = self._call(lambda: self.source.link((self.source, "outbox"), (self.chunks, "inbox")))

    def unwant(self) -> None:
        self._call(lambda: self.source.unlink(self._main_link))

    def put(self, message: Any, box: str) -> None:
        """As if somebody sent it."""
        self._call(lambda: self.source.open_inbox(box).put(message))


def rows_of(chunks: list[Chunk]) -> np.ndarray[Any, Any]:
    return np.concatenate([chunk.data for chunk in chunks])
