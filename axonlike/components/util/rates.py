"""Fewer messages a second: by holding the sender back, or by leaving out what is no longer new."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import UsageError
from axonlike.linkage import Box

__all__ = ["Latest", "RateLimit"]


class RateLimit(Component):
    """Sends on at most `messages_per_s`, evenly spaced; loses none, so it holds the sender back once its inbox is full.

    burst: how many may go out at once after a pause.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "as fast as it comes"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the same messages, not faster than the rate"}

    def __init__(self, messages_per_s: float, *, burst: int = 1) -> None:
        _check_rate("RateLimit", messages_per_s)
        if burst < 1:
            raise UsageError(f"RateLimit: burst is at least 1 message, not {burst!r}")
        self.messages_per_s = messages_per_s
        self.burst = burst

    def main(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        spacing_s = 1 / self.messages_per_s
        # When the next message would be due had all been sent at the even rate; at most `burst` of them in arrears.
        due_s = scheduler.time()
        while True:
            yield self.wait("inbox")
            now_s = scheduler.time()
            due_s = max(due_s, now_s - (self.burst - 1) * spacing_s)
            if due_s > now_s:
                yield self.sleep(due_s - now_s)
                continue
            self.send(self.recv())
            due_s += spacing_s


class Latest(Component):
    """Sends on the newest message, at most `messages_per_s` times a second; what it replaces is counted as dropped.

    Without a rate: as often as the receiver has room. The very last message always gets through. For displays.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("as fast as it comes; holds the newest only", policy="latest")}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the newest message at each time"}

    def __init__(self, messages_per_s: float | None = None) -> None:
        if messages_per_s is not None:
            _check_rate("Latest", messages_per_s)
        self.messages_per_s = messages_per_s

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            self.send(self.recv())
            if self.messages_per_s is None:
                yield
            else:
                yield self.sleep(1 / self.messages_per_s)


def _check_rate(who: str, messages_per_s: float) -> None:
    if not (messages_per_s > 0 and math.isfinite(messages_per_s)):
        raise UsageError(f"{who}: messages_per_s is a number above 0, not {messages_per_s!r}")
