"""Components that bring in what is there already: a list, a generator, one message."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import UsageError, show_value

__all__ = ["DataSource", "OneShot"]

_A_STEP = 64  # messages before others get their turn


class DataSource(Component):
    """Sends the items of an iterable, one message each, as fast as they are taken; then it ends.

    The iterable is advanced in the scheduler's thread, so it must not block: for one that does (a file, a socket) use
    the component made for it. It is advanced only as far as there is room. A str or bytes is refused, since it would go
    out character by character: write ``DataSource([text])``.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the items"}

    def __init__(self, messages: Iterable[Any]) -> None:
        if isinstance(messages, str | bytes | bytearray):
            raise UsageError(
                f"DataSource({show_value(messages)}) would send it in single characters: "
                "put it into a list, DataSource([...])"
            )
        if not isinstance(messages, Iterable):
            raise UsageError(f"DataSource takes a list or another iterable, not {show_value(messages)}")
        # Kept here, so that with on_error="restart" it goes on behind the item that failed.
        self._items: Iterator[Any] = iter(messages)

    def main(self) -> Generator[Any, Any, None]:
        send = self.send
        countdown = _A_STEP
        for message in self._items:
            send(message)
            countdown -= 1
            if not countdown or self._feed.full:
                countdown = _A_STEP
                yield


class OneShot(Component):
    """Sends one message, and ends."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the message"}

    def __init__(self, message: Any) -> None:
        self.message = message

    def main(self) -> Generator[Any, Any, None]:
        self.send(self.message)
        yield
