"""Components that callbacks of the event loop drive."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Driven, Pipeline
from axonlike.box import Inbox
from axonlike.driven import Listening
from axonlike.errors import ComponentError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual


class Clockwork(Driven):
    """Delivers 0, 1, 2 ... every second by timers of the scheduler, while there is room; ends after `number`."""

    def __init__(self, number: int = 5, *, name: str = "Clockwork") -> None:
        self.name = name
        self.number = number
        self.delivered = 0
        self.log: list[str] = []

    def begin(self) -> None:
        self.log.append("begin")
        self._again()

    def _again(self) -> None:
        assert self.scheduler is not None
        self._alarm = self.scheduler.call_at(self.scheduler.time() + 1.0, self._tick)

    def _tick(self) -> None:
        if self.delivered == self.number:
            self.end()
            return
        self.delivered += 1
        if self.deliver(self.delivered):
            self._again()
        else:
            self.log.append("full")
            self.when_room(self._again)

    def stopped(self) -> None:
        self.log.append("stopped")
        self._alarm.cancel()


def test_it_delivers_ends_and_lets_go() -> None:
    part, probe = Clockwork(3), Probe()
    assert run_virtual(Pipeline(part, probe)) == 4.0
    assert probe.timed == [(1.0, 1), (2.0, 2), (3.0, 3)]
    assert probe.ended_by == "finished"
    assert part.log == ["begin", "stopped"]


def test_it_conforms() -> None:
    check_component(lambda: Clockwork(3))


def test_it_goes_on_when_there_is_room_again() -> None:
    part, probe = Clockwork(6), Probe(seconds_each=3.0)
    run_virtual(Pipeline(part, probe, limit=2))
    assert probe.messages == [1, 2, 3, 4, 5, 6]
    assert part.log.count("full") > 1


def test_room_for_several_wakes_several() -> None:
    parts = [Clockwork(4, name=f"c{number}") for number in range(3)]
    probe = Probe(seconds_each=0.5)
    probe.configure_inbox("inbox", limit=2)
    for part in parts:
        part.link((part, "outbox"), (probe, "inbox"))
    run_virtual(*parts, probe)
    assert sorted(probe.messages) == sorted([1, 2, 3, 4] * 3)


def test_it_is_stopped_once_while_it_waits_for_room() -> None:
    part, stalled = Clockwork(), Stalled(limit=1)
    part.link((part, "outbox"), (stalled, "inbox"))
    run_virtual(part, stalled, until_s=10)
    assert part.log == ["begin", "full", "stopped"]


def test_unlinking_the_full_box_for_which_it_waits_lets_it_go_on() -> None:
    part, stalled = Clockwork(5), Stalled(limit=1)
    link = part.link((part, "outbox"), (stalled, "inbox"))

    class Unlinks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(5)
            self.unlink(link)

    run_virtual(part, Unlinks(), stalled, until_s=20)
    assert part.delivered == 5
    assert part.ended


def test_end_of_input_ends_it_by_default() -> None:
    part = Clockwork(1000)
    assert run_virtual(Pipeline(Feeder([PAUSE(3)]), part)) == 3.0
    assert part.log == ["begin", "stopped"]


def test_fail_is_an_error_of_the_component() -> None:
    class Breaks(Clockwork):
        def _tick(self) -> None:
            self.fail(ConnectionResetError("cable"))
            self.fail(ConnectionResetError("again"))

    part = Breaks()
    with pytest.raises(ComponentError, match="ConnectionResetError: cable") as caught:
        run_virtual(part)
    assert caught.value.path == "Clockwork"
    assert part.log == ["begin", "stopped"]


def test_what_begin_raises_is_an_error_of_the_component() -> None:
    class Refuses(Clockwork):
        def begin(self) -> None:
            self._alarm = None  # type: ignore[assignment]
            raise OSError("no such device")

    with pytest.raises(ComponentError, match="OSError: no such device"):
        run_virtual(Refuses())


def test_restart_begins_again() -> None:
    class Flaky(Clockwork):
        on_error = "restart"

        def _tick(self) -> None:
            if self.log.count("begin") < 3:
                self.fail(ConnectionResetError("cable"))
            else:
                super()._tick()

    part, probe = Flaky(2), Probe()
    run_virtual(Pipeline(part, probe))
    assert probe.messages == [1, 2]
    assert part.log == ["begin", "stopped", "begin", "stopped", "begin", "stopped"]


class Doubler(Listening, Driven):
    """Hears each number at once, sends twice that, and ends after `number` of them."""

    def __init__(self, number: int = 3) -> None:
        self.number = number

    def start(self) -> None:
        super().start()
        self.listen()

    def notify(self, inbox: Inbox) -> None:
        for message in inbox.take_up_to(inbox.depth):
            self.deliver(2 * message)
            self.number -= 1
        if not self.number:
            self.end()


def test_what_listens_hears_each_message_when_it_comes() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([1, PAUSE(2.0), 2, 3]), Doubler(), probe))
    assert probe.timed == [(0.0, 2), (2.0, 4), (2.0, 6)]
    assert probe.ended_by == "finished"


def test_what_lay_in_the_box_before_it_listens_is_heard_too() -> None:
    doubler, probe = Doubler(2), Probe()
    for number in (1, 2):
        doubler.open_inbox("inbox").put(number)
    run_virtual(Pipeline(doubler, probe))
    assert probe.messages == [2, 4]


def test_a_listener_conforms() -> None:
    check_component(lambda: Doubler(1), messages=[1])
