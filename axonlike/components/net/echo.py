"""Echo: sends back whatever comes, the smallest handler for a server."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from axonlike.component import Component

__all__ = ["Echo"]


class Echo(Component):
    """Sends on each message that it gets: ``SimpleServer(Echo, 1700)`` is an echo server."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)
