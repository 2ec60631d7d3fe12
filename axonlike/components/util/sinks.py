"""Components at which messages end: kept, or thrown away on purpose."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from axonlike.component import Component

__all__ = ["Collect", "Null"]


class Collect(Component):
    """Keeps every message in the list `messages`, oldest first: for scripts and tests that look at them afterwards.

    The list grows for as long as messages come. forward: also sends them on.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what to keep"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "with forward=True: what was kept"}

    def __init__(self, *, forward: bool = False) -> None:
        self.messages: list[Any] = []
        self.forward = forward

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.messages.append(message)
                if self.forward:
                    self.send(message)


class Null(Component):
    """Takes messages and forgets them: for an outbox that would else hold its component back. `count` counts them."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what to forget"}

    def __init__(self) -> None:
        self.count = 0

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for _ in self.inbox():
                self.count += 1
