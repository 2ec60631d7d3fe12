"""Chassis nested deeper than Python calls: wiring, end of input, Shutdown and errors all come through."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.errors import ComponentError
from axonlike.messages import ProducerFinished, Shutdown
from axonlike.testing import PAUSE, Crashing, Feeder, Probe, run_virtual

# More levels than calls that Python allows, so that a walk of one call a level fails. With Python's own limit of 1000
# calls it would take a thousand levels, and what is done here costs the square of them.
DEPTH = 240
CALLS = 200


@pytest.fixture(autouse=True)
def fewer_calls() -> Iterator[None]:
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + CALLS)
    yield
    sys.setrecursionlimit(before)


class Echo(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


def nested(inner: Component, wrap: Callable[[Component], Component]) -> Component:
    for _ in range(DEPTH):
        inner = wrap(inner)
    return inner


def in_a_graphline(inner: Component) -> Component:
    """Data goes through; control does not, so that what comes to it goes down from chassis to chassis."""
    return Graphline(
        inner=inner,
        linkages={("self", "inbox"): ("inner", "inbox"), ("inner", "outbox"): ("self", "outbox")},
    )


WRAPS = pytest.mark.parametrize("wrap", [Pipeline, in_a_graphline])


@WRAPS
def test_messages_and_end_of_input_go_through_chassis_nested_deep(wrap: Callable[[Component], Component]) -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([1, 2]), nested(Echo(), wrap), probe))
    assert probe.messages == [1, 2]
    assert probe.ended_by == "finished"


@WRAPS
def test_stopping_reaches_what_is_nested_deep(wrap: Callable[[Component], Component]) -> None:
    echo, probe = Echo(), Probe()
    run_virtual(Pipeline(Feeder([PAUSE(1000)]), nested(echo, wrap), probe), until_s=1)
    assert echo.ended
    assert probe.ended_by == "stopped"


@WRAPS
@pytest.mark.parametrize("message", [ProducerFinished("teller"), Shutdown("teller")])
def test_what_comes_to_the_control_goes_down_to_what_is_nested_deep(
    wrap: Callable[[Component], Component], message: object
) -> None:
    echo = Echo()
    whole = nested(echo, wrap)
    teller = Feeder([PAUSE(1), message])
    teller.link((teller, "outbox"), (whole, "control"))
    assert run_virtual(whole, teller) == 1.0
    assert echo.ended


def test_an_error_deep_down_comes_out_of_run() -> None:
    whole = nested(Crashing(1, OSError("gone")), Pipeline)
    with pytest.raises(ComponentError, match="gone"):
        run_virtual(Pipeline(Feeder([1, 2]), whole, Probe()))


def test_what_is_nested_deep_ends_when_nobody_takes_what_it_sends() -> None:
    class One(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.recv()

    whole = nested(Feeder(iter(int, 1)), Pipeline)
    one = One()
    run_virtual(Pipeline(whole, one))
    assert whole.ended
    assert one.ended
