"""Splitter: everybody gets everything, and receivers come and go."""

from __future__ import annotations

from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.util import Collect, Splitter
from axonlike.errors import WiringError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual


class Until(Component):
    """Runs an action at a time."""

    def __init__(self, when_s: float, action: Any) -> None:
        self.when_s, self.action = when_s, action

    def main(self) -> Any:
        yield self.sleep(self.when_s)
        self.action()


def seconds(count: int) -> Feeder:
    """0 at once, 1 after a second, ..."""
    return Feeder([item for n in range(count) for item in (n, PAUSE(1.0))])


def test_every_named_outbox_and_outbox_itself_get_every_message() -> None:
    a, b, c = Collect(), Collect(), Collect()
    links = "FEED -> S -> C; S.a -> A; S.b -> B"
    run_virtual(Graphline(links=links, FEED=Feeder(range(5)), S=Splitter("a", "b"), A=a, B=b, C=c))
    assert a.messages == b.messages == c.messages == list(range(5))


def test_an_outbox_that_is_not_linked_is_passed_over() -> None:
    splitter, a = Splitter("a", "b"), Collect()
    run_virtual(Graphline(links="FEED -> S; S.a -> A", FEED=Feeder(range(3)), S=splitter, A=a))
    assert a.messages == [0, 1, 2]
    assert splitter.lost_at_sending()["unlinked"] == {}


def test_while_nothing_is_linked_messages_count_as_unlinked() -> None:
    splitter = Splitter()
    run_virtual(Pipeline(Feeder(range(3)), splitter))
    assert splitter.lost_at_sending()["unlinked"] == {"outbox": 3}


def test_sinks_are_added_and_removed_while_it_runs() -> None:
    splitter, late = Splitter(), Probe()
    always = Probe(name="always")
    splitter.add_sink(always)
    run_virtual(
        Pipeline(seconds(6), splitter), always, late,
        Until(1.5, lambda: splitter.add_sink(late)), Until(3.5, lambda: splitter.remove_sink(late)),
        until_s=10,
    )  # fmt: skip
    assert always.messages == [0, 1, 2, 3, 4, 5]
    assert late.messages == [2, 3]
    assert splitter.sinks == ((always, "inbox"),)


def test_a_sink_that_ends_is_taken_out_and_the_others_go_on() -> None:
    class Two(Probe):
        def main(self) -> Any:
            for _ in range(2):
                yield self.wait("inbox")
                self.messages.append(self.recv())

    splitter, two, rest = Splitter(), Two(), Probe()
    splitter.add_sink(two)
    splitter.add_sink(rest)
    run_virtual(Pipeline(seconds(5), splitter), two, rest)
    assert two.messages == [0, 1]
    assert rest.messages == [0, 1, 2, 3, 4]
    assert splitter.sinks == ((rest, "inbox"),)
    assert len(splitter.outbox_names) == 3


def test_it_goes_on_when_its_last_added_sink_has_ended() -> None:
    class One(Probe):
        def main(self) -> Any:
            yield self.wait("inbox")
            self.messages.append(self.recv())

    splitter, one, later = Splitter(), One(), Probe()
    splitter.add_sink(one)
    run_virtual(Pipeline(seconds(5), splitter), one, later, Until(2.5, lambda: splitter.add_sink(later)))
    assert one.messages == [0]
    assert later.messages == [3, 4]
    assert splitter.lost_at_sending()["unlinked"] == {"outbox": 2}


def test_a_slow_sink_with_a_policy_that_drops_does_not_hold_the_others_back() -> None:
    splitter, fast, stalled = Splitter(), Probe(), Stalled()
    splitter.add_sink(stalled, limit=2, policy="drop_oldest")
    splitter.add_sink(fast)
    run_virtual(Pipeline(Feeder(range(3000)), splitter), fast, stalled, until_s=1)
    assert fast.messages == list(range(3000))
    assert stalled.inbox().statistics().dropped == 2998


def test_mistakes_with_sinks_are_named() -> None:
    splitter, probe = Splitter("a"), Probe()
    splitter.add_sink(probe)
    with pytest.raises(WiringError, match="already"):
        splitter.add_sink(probe)
    with pytest.raises(WiringError, match="inbx"):
        splitter.add_sink(probe, "inbx")
    with pytest.raises(WiringError, match="is not a sink"):
        splitter.remove_sink(Probe())
    assert len(splitter.outbox_names) == 4
    with pytest.raises(WiringError, match="already"):
        Splitter("a", "a")
