"""A source in a scheduler of its own, with all that it sends at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from axonlike import Component, Scheduler
from axonlike.streams.chunk import Chunk
from tests.components.devices.watcher import HANG_GUARD_S, Watcher


class Bench:
    """Each outbox of `source` feeds a Watcher of `got`; those that make it open only between `want` and `unwant`."""

    def __init__(self, source: Any, *, wanted: bool = True, feeds: dict[str, Component] | None = None) -> None:
        self.source = source
        source.linger_s = 0.05
        self.got = {name: Watcher() for name in source.outbox_names if name not in ("signal", "error")}
        self.scheduler = Scheduler()
        self._feeds = feeds or {}
        self._links: list[Any] = []
        for name in self.got:
            if not source.outbox_spec(name).required:
                self._link(name)
        if wanted:
            self._want()
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

    def _link(self, outbox: str) -> Any:
        return self.source.link((self.source, outbox), (self.got[outbox], "inbox"))

    def _want(self, *outboxes: str) -> None:
        required = [name for name in self.got if self.source.outbox_spec(name).required]
        self._links = [self._link(name) for name in outboxes or required]

    def want(self, *outboxes: str) -> None:
        """Take from these outboxes, or from all that make it open."""
        self._call(lambda: self._want(*outboxes))

    def unwant(self) -> None:
        self._call(lambda: [self.source.unlink(link) for link in self._links])

    def put(self, message: Any, box: str) -> None:
        """As if somebody sent it."""
        self._call(lambda: self.source.open_inbox(box).put(message))


def rows_of(chunks: list[Chunk]) -> np.ndarray[Any, Any]:
    return np.concatenate([chunk.data for chunk in chunks])
