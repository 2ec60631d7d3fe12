"""Endless graphs that can be looked into, for `benchmarks.observing`: run in a process of their own until a signal."""

import sys
from collections.abc import Callable, Generator
from typing import Any

from axonlike import Component, Pipeline, run
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.part import Part
from benchmarks.chains_axonlike import DocumentedRelay, DocumentedSink

__all__ = ["GRAPHS", "SUBSCRIBERS", "main"]

RELAYS = 10
SUBSCRIBERS = 20


class Endless(Component):
    """Sends numbers, one a step."""

    def main(self) -> Generator[Any, Any, None]:
        number = 0
        while True:
            self.send(number)
            number += 1
            yield


def _chain() -> list[Part]:
    return [Pipeline(Endless(), *[DocumentedRelay() for _ in range(RELAYS)], DocumentedSink())]


def _fan_out() -> list[Part]:
    subscribers: list[Part] = [
        Pipeline(SubscribeTo("Events", limit=None, policy="drop_oldest"), DocumentedSink()) for _ in range(SUBSCRIBERS)
    ]
    return [Backplane("Events"), *subscribers, Pipeline(Endless(), PublishTo("Events"))]


GRAPHS: dict[str, Callable[[], list[Part]]] = {
    "chain of 10 relays": _chain,
    "publisher, 20 subscribers": _fan_out,
}
"""Each of them keeps one core busy with messages alone, so that there is nothing to hide a cost behind."""


def main(arguments: list[str]) -> int:
    """Run one of `GRAPHS`, by its name."""
    run(*GRAPHS[arguments[0]](), observe=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
