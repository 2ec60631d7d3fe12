"""The same chain and ring as axonlike components, in each of the idioms that users write.

A relay and the sink of one chain are written in the same idiom; the source is a generator that sends and yields, and
ends by itself, so that the chain's end is part of what is measured.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from axonlike import Component, Graphline, Pipeline, step
from benchmarks.harness import Run, expect

__all__ = ["IDIOMS", "Idiom", "chain", "ring"]

Body = Generator[Any, Any, None]


class Source(Component):
    """Sends `messages` integers, one a step."""

    def __init__(self, messages: int) -> None:
        super().__init__()
        self.messages = messages

    def main(self) -> Body:
        for message in range(self.messages):
            self.send(message)
            yield


class BurstSource(Component):
    """Sends `messages` integers, `burst` a step."""

    def __init__(self, messages: int, burst: int) -> None:
        super().__init__()
        self.messages, self.burst = messages, burst

    def main(self) -> Body:
        for start in range(0, self.messages, self.burst):
            for message in range(start, min(start + self.burst, self.messages)):
                self.send(message)
            yield


class KamaeliaRelay(Component):
    """Kamaelia's idiom as it stands, in PEP 8 names."""

    def main(self) -> Body:
        while True:
            while self.data_ready("inbox"):
                self.send(self.recv("inbox"), "outbox")
            if not self.any_ready():
                self.pause()
            yield 1


class KamaeliaSink(Component):
    """Counts in Kamaelia's idiom."""

    count = 0

    def main(self) -> Body:
        while True:
            while self.data_ready("inbox"):
                self.recv("inbox")
                self.count += 1
            if not self.any_ready():
                self.pause()
            yield 1


class DocumentedRelay(Component):
    """The idiom of the documentation: the one that counts."""

    def main(self) -> Body:
        while True:
            yield self.wait("inbox")
            while self.data_ready("inbox"):
                self.send(self.recv("inbox"))


class DocumentedSink(Component):
    """Counts in the idiom of the documentation."""

    count = 0

    def main(self) -> Body:
        while True:
            yield self.wait("inbox")
            while self.data_ready("inbox"):
                self.recv("inbox")
                self.count += 1


class DrainingRelay(Component):
    """Takes what lies in the box by a `for` loop."""

    def main(self) -> Body:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.send(message)


class DrainingSink(Component):
    """Counts by a `for` loop."""

    count = 0

    def main(self) -> Body:
        while True:
            yield self.wait()
            for _ in self.inbox():
                self.count += 1


class AsyncRelay(Component):
    """A coroutine, suspended at each message if need be."""

    async def main(self) -> None:
        async for message in self.inbox():
            await self.send(message)


class AsyncSink(Component):
    """Counts in a coroutine."""

    count = 0

    async def main(self) -> None:
        async for _ in self.inbox():
            self.count += 1


def same(message: int) -> int:
    """The function of a `step` relay."""
    return message


class Counter:
    """The function of a `step` sink."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, message: int) -> None:
        self.count += 1


@dataclass(frozen=True)
class Idiom:
    """How the relays of a chain are written, and the sink: a component that has `count`, or a Counter."""

    relay: Callable[[], Any]
    sink: Callable[[], Any]


IDIOMS = {
    "Kamaelia idiom": Idiom(KamaeliaRelay, KamaeliaSink),
    "documented idiom": Idiom(DocumentedRelay, DocumentedSink),
    "draining iterator": Idiom(DrainingRelay, DrainingSink),
    "async for": Idiom(AsyncRelay, AsyncSink),
    "@step function": Idiom(lambda: step(same), Counter),
}


def chain(idiom: Idiom, relays: int, messages: int, burst: int) -> Run:
    """`messages` from a source through `relays` to a sink, `burst` a resume; counts one hop for each link passed."""
    sink = idiom.sink()
    source = Source(messages) if burst == 1 else BurstSource(messages, burst)
    end = step(sink) if isinstance(sink, Counter) else sink
    pipeline = Pipeline(source, *(idiom.relay() for _ in range(relays)), end)
    started = time.perf_counter()
    pipeline.run()
    seconds = time.perf_counter() - started
    expect(sink.count, messages, "messages at the sink of the axonlike chain")
    return Run(sink.count * (relays + 1), seconds)


class Head(Component):
    """Puts one token into the ring and takes it out after `laps`."""

    count = 0

    def __init__(self, laps: int) -> None:
        super().__init__()
        self.laps = laps

    def main(self) -> Body:
        self.send(0)
        while True:
            yield self.wait("inbox")
            while self.data_ready("inbox"):
                token = self.recv("inbox")
                self.count += 1
                if self.count == self.laps:
                    return
                self.send(token)


def ring(idiom: Idiom, size: int, laps: int) -> Run:
    """One token, `laps` times round a ring of `size`; counts one hop for each link passed."""
    head = Head(laps)
    parts = {"n0": head} | {f"n{number}": idiom.relay() for number in range(1, size)}
    links = {(f"n{number}", "outbox"): (f"n{(number + 1) % size}", "inbox") for number in range(size)}
    graph = Graphline(linkages=links, **parts)
    started = time.perf_counter()
    graph.run()
    seconds = time.perf_counter() - started
    expect(head.count, laps, "laps of the axonlike ring")
    return Run(head.count * size, seconds)
