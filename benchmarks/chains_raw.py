"""The limit for message passing in Python: deques and generators, a run queue, and no API at all."""

import time
from collections import deque
from collections.abc import Callable, Generator

from benchmarks.harness import Run, expect

__all__ = ["chain", "ring"]

Body = Generator[None, None, None]
Step = Callable[[], None]


class Place:
    """A generator and its inbox. `step` is bound after the generator, whose argument the place is, was made."""

    __slots__ = ("box", "step")

    def __init__(self) -> None:
        self.box: deque[int] = deque()
        self.step: Step = lambda: None


def _source(messages: int, out: Place, ready: Callable[[Step], None], again: Callable[[], Step]) -> Body:
    box = out.box
    push = box.append
    for message in range(messages):
        if not box:
            ready(out.step)
        push(message)
        ready(again())
        yield


def _burst_source(
    messages: int, burst: int, out: Place, ready: Callable[[Step], None], again: Callable[[], Step]
) -> Body:
    box = out.box
    push = box.append
    for start in range(0, messages, burst):
        if not box:
            ready(out.step)
        for message in range(start, min(start + burst, messages)):
            push(message)
        ready(again())
        yield


def _relay(own: Place, out: Place, ready: Callable[[Step], None]) -> Body:
    box, pull = own.box, own.box.popleft
    onward, push = out.box, out.box.append
    while True:
        yield
        if not onward:
            ready(out.step)
        while box:
            push(pull())


def _sink(own: Place, counted: list[int]) -> Body:
    box, pull = own.box, own.box.popleft
    while True:
        yield
        count = 0
        while box:
            pull()
            count += 1
        counted[0] += count


def _drain(queue: deque[Step]) -> None:
    pull = queue.popleft
    while queue:
        pull()()


def chain(relays: int, messages: int, burst: int) -> Run:
    """`messages` from a source through `relays` to a sink, `burst` a resume; counts one hop for each link passed."""
    queue: deque[Step] = deque()
    places = [Place() for _ in range(relays + 1)]
    counted = [0]
    for own, out in zip(places, places[1:]):
        own.step = _relay(own, out, queue.append).__next__
    places[-1].step = _sink(places[-1], counted).__next__
    for place in places:
        place.step()

    def again() -> Step:
        return step

    if burst == 1:
        source = _source(messages, places[0], queue.append, again)
    else:
        source = _burst_source(messages, burst, places[0], queue.append, again)
    step = source.__next__
    queue.append(step)
    started = time.perf_counter()
    try:
        _drain(queue)
    except StopIteration:  # the source is through; what it sent is still on its way
        _drain(queue)
    seconds = time.perf_counter() - started
    expect(counted[0], messages, "messages at the sink of the raw chain")
    return Run(counted[0] * (relays + 1), seconds)


def _head(own: Place, out: Place, laps: int, ready: Callable[[Step], None], counted: list[int]) -> Body:
    box, pull, push = own.box, own.box.popleft, out.box.append
    for _ in range(laps):
        yield
        while box:
            counted[0] += 1
            ready(out.step)
            push(pull())
    yield
    counted[0] += len(box)
    box.clear()


def ring(size: int, laps: int) -> Run:
    """One token, `laps` times round a ring of `size`; counts one hop for each link passed."""
    queue: deque[Step] = deque()
    places = [Place() for _ in range(size)]
    counted = [0]
    places[0].step = _head(places[0], places[1], laps - 1, queue.append, counted).__next__
    for own, out in zip(places[1:], places[2:] + places[:1]):
        own.step = _relay(own, out, queue.append).__next__
    for place in places:
        place.step()
    started = time.perf_counter()
    places[1].box.append(0)
    queue.append(places[1].step)
    try:
        _drain(queue)
    except StopIteration:
        _drain(queue)
    seconds = time.perf_counter() - started
    expect(counted[0], laps, "laps of the raw ring")
    return Run(counted[0] * size, seconds)
