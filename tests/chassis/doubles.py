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


class EndOf(Component):
    """Tells when a part ended, in a run that something else keeps alive, so that only its own reasons can end it."""

    def __init__(self, part: Component, for_s: float = 1000.0) -> None:
        self.part = part
        self.at_s: float | None = None
        self.add_child(Sleeps(for_s))

    def main(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        yield self.join(self.part)
        self.at_s = scheduler.time()


class Sleeps(Component):
    """Keeps a run alive for so many seconds."""

    def __init__(self, for_s: float) -> None:
        self.for_s = for_s

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.for_s)


class StopAfter(Component):
    """Stops a component after so many seconds."""

    def __init__(self, component: Component, seconds: float) -> None:
        self.component, self.seconds = component, seconds

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.seconds)
        self.component.stop()
