"""Components that tests of several chassis use."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from axonlike import Component


class Numbered(Component):
    """Hands on each message with its own name before it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send((self.name, message))


class Take(Component):
    """As Numbered, for so many messages; then it ends."""

    def __init__(self, number: int, name: str) -> None:
        self.name = name
        self.number = number

    def main(self) -> Generator[Any, Any, None]:
        for _ in range(self.number):
            yield self.wait("inbox")
            self.send((self.name, self.recv()))


class ControlProbe(Component):
    """Takes its control box itself and keeps what came, until nothing can come any more."""

    Inboxes = {"control": "kept"}

    def __init__(self) -> None:
        self.got: list[Any] = []

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.got]

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("control")
            self.got.append(self.recv("control"))


class StopAfter(Component):
    """Stops a component after so many seconds."""

    def __init__(self, component: Component, seconds: float) -> None:
        self.component, self.seconds = component, seconds

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.seconds)
        self.component.stop()
