"""SEMANTICS, "Boxes and back-pressure": rules 1 to 7, each by number."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import BoxFull, BoxOverrun, ComponentError, Deadlock, WiringError
from axonlike.testing import CRASH, PAUSE, Feeder, Probe, Stalled, run_virtual

pytestmark = pytest.mark.hang_guard(30)


class Bursts(Component):
    """Sends `size` messages a step, for ever or `steps` times."""

    def __init__(self, size: int = 1, steps: int = 1_000_000, name: str = "Bursts") -> None:
        self.name = name
        self.size = size
        self.steps = steps
        self.sent = 0

    def main(self) -> Generator[Any, Any, None]:
        for _ in range(self.steps):
            for _ in range(self.size):
                self.sent += 1
                self.send(self.sent)
            yield


class AsyncBurst(Component):
    """Sends with ``await``, 50 times in what would be one step."""

    sent = 0

    async def main(self) -> None:
        for number in range(50):
            await self.send(number)
            self.sent += 1


class ThreadBurst(ThreadedComponent):
    sent = 0

    def main(self) -> None:
        for number in range(50):
            self.send(number)
            self.sent += 1


class Head(Component):
    """Takes so many messages, then ends."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.got: list[Any] = []

    def main(self) -> Generator[Any, Any, None]:
        while len(self.got) < self.number:
            yield self.wait("inbox")
            self.got.append(self.recv())


class Merge(Component):
    """Forwards nothing, keeps everything, `at_a_time` messages a turn, a second apart."""

    def __init__(self, at_a_time: int, limit: int) -> None:
        self.got: list[Any] = []
        self.at_a_time = at_a_time
        self.configure_inbox("inbox", limit=limit)

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            self.got += self.inbox().take_up_to(self.at_a_time)
            yield self.sleep(1.0)


def linked(source: Component, sink: Component, outbox: str = "outbox", inbox: str = "inbox", **options: Any) -> None:
    source.link((source, outbox), (sink, inbox), **options)


def test_rule_01_a_sole_link_sets_limit_and_policy_of_the_inbox() -> None:
    feeder, probe = Feeder([]), Probe()
    linked(feeder, probe, limit=7, policy="drop_newest")
    (box,) = probe.statistics()
    assert (box.limit, box.policy) == (7, "drop_newest")


def test_rule_01_one_of_several_links_cannot_set_the_inboxes_limit() -> None:
    first, second, probe = Feeder([], name="first"), Feeder([], name="second"), Probe()
    linked(first, probe)
    with pytest.raises(WiringError, match=r"second\.outbox -> Probe\.inbox: one of several links to Probe\.inbox"):
        linked(second, probe, limit=7)
    # The refused link is not half there.
    assert not second.wires().from_out
    linked(second, probe)


def test_rule_01_a_link_out_of_a_chassis_is_one_link() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(9)), Pipeline(Relay(), Pipeline(Relay())), Pipeline(Pipeline(probe)), limit=2))
    assert probe.messages == list(range(9))
    assert probe.statistics()[0].limit == 2


@pytest.mark.parametrize(("limit", "size", "depth"), [(10, 7, 14), (10, 1, 10), (1, 1, 1), (10, 10, 10), (10, 11, 11)])
def test_rule_02_a_box_holds_at_most_its_limit_and_one_step(limit: int, size: int, depth: int) -> None:
    source, stalled = Bursts(size), Stalled(limit)
    linked(source, stalled)
    run_virtual(source, stalled, until_s=1.0)
    (box,) = stalled.statistics()
    assert box.unread_at_end == box.offered == source.sent == depth


def test_rule_02_two_producers_overshoot_by_at_most_one_step_each() -> None:
    sources, stalled = [Bursts(3), Bursts(3)], Stalled(4)
    for source in sources:
        linked(source, stalled)
    run_virtual(*sources, stalled, until_s=1.0)
    (box,) = stalled.statistics()
    assert 4 <= box.offered <= 4 + 2 * 3 - 1


def test_rule_02_the_draining_loop_takes_what_lay_in_the_box_when_it_began() -> None:
    rounds: list[list[int]] = []

    class Echo(Component):
        def main(self) -> Generator[Any, Any, None]:
            while len(rounds) < 3:
                yield self.wait("inbox")
                seen = []
                for message in self.inbox():
                    seen.append(message)
                    self.send(message + 10)
                rounds.append(seen)

    echo, feeder = Echo(), Feeder([])
    linked(echo, echo)
    linked(feeder, echo)
    feeder._items = [1]
    run_virtual(feeder, echo)
    assert rounds == [[1], [11], [21]]


def test_rule_02_a_runaway_step_is_named_with_line_and_box() -> None:
    source, stalled = Bursts(size=20_000), Stalled(limit=5)
    linked(source, stalled)
    with pytest.raises(ComponentError) as caught:
        run_virtual(source, stalled)
    assert isinstance(caught.value.cause, BoxOverrun)
    assert "past the limit of 5 of Stalled.inbox" in str(caught.value.cause)
    assert source.sent == 5 + 10_001
    assert caught.value.failed_at is not None
    assert caught.value.failed_at.source == "self.send(self.sent)"


def test_rule_02_an_unbounded_box_knows_no_runaway() -> None:
    source, head = Bursts(size=20_000, steps=1), Head(20_000)
    head.configure_inbox("inbox", limit=None)
    linked(source, head)
    run_virtual(source, head)
    assert len(head.got) == 20_000


@pytest.mark.parametrize("factory", [AsyncBurst, ThreadBurst])
def test_rule_02_await_send_and_a_threads_send_suspend_at_the_limit_itself(factory: Callable[[], Any]) -> None:
    source, stalled = factory(), Stalled(limit=5)
    linked(source, stalled)
    run_virtual(source, stalled, until_s=25.0)  # real seconds until the thread rests, virtual ones from then on
    (box,) = stalled.statistics()
    assert box.offered == 5


def test_rule_02_one_full_outbox_stops_the_component_altogether() -> None:
    class Both(Component):
        Outboxes = {"other": "the same again"}

        def main(self) -> Generator[Any, Any, None]:
            for number in range(100):
                self.send(number)
                self.send(number, "other")
                yield

    both, stalled, probe = Both(), Stalled(limit=5), Probe()
    linked(both, stalled)
    linked(both, probe, "other")
    run_virtual(both, stalled, probe, until_s=1.0)
    assert probe.messages == [0, 1, 2, 3, 4]


def test_rule_02_a_branch_that_drops_holds_nobody_back() -> None:
    class Both(Component):
        Outboxes = {"other": "the same again"}

        def main(self) -> Generator[Any, Any, None]:
            for number in range(100):
                self.send(number)
                self.send(number, "other")
                yield

    both, stalled, probe = Both(), Stalled(limit=5), Probe()
    stalled.configure_inbox("inbox", limit=5, policy="drop_oldest")
    linked(both, stalled)
    linked(both, probe, "other")
    run_virtual(both, stalled, probe, until_s=1.0)
    assert probe.messages == list(range(100))
    assert stalled.statistics()[0].dropped == 95


def test_rule_03_those_who_wait_for_room_get_it_in_turn() -> None:
    merge = Merge(at_a_time=1, limit=1)
    sources = [Feeder([f"{name}{number}" for number in range(3)], name=name) for name in "abc"]
    for source in sources:
        linked(source, merge)
    run_virtual(*sources, merge, shuffle="")
    assert merge.got == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_rule_03_room_for_several_wakes_several() -> None:
    sources = [Bursts(steps=3) for _ in range(4)]
    merge = Merge(at_a_time=12, limit=12)
    for source in sources:
        linked(source, merge)
    elapsed_s = run_virtual(*sources, merge)
    assert len(merge.got) == 12
    assert elapsed_s <= 2.0


def test_rule_03_nobody_starves_among_blocked_producers() -> None:
    sources = [Bursts(steps=50, name=f"p{number}") for number in range(5)]
    merge = Merge(at_a_time=3, limit=3)
    for source in sources:
        linked(source, merge)
    run_virtual(*sources, merge)
    assert len(merge.got) == 250


class Doubler(Component):
    """Sends two messages for each that it takes."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            message = self.recv()
            for _ in range(2):
                self.send(message)
                yield


class Ticker(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield


def test_rule_04_a_circle_of_full_boxes_is_named_at_once_whatever_else_runs() -> None:
    a, b, feeder = Doubler(), Doubler(), Feeder([1])
    a.name, b.name = "a", "b"
    linked(a, b, limit=1)
    linked(feeder, a)
    linked(b, a)
    a.configure_inbox("inbox", limit=1)
    with pytest.raises(Deadlock) as caught:
        run_virtual(feeder, a, b, Ticker())
    text = str(caught.value)
    assert "circle of full boxes" in text
    assert "a.inbox" in text
    assert "b.inbox" in text
    assert "larger limit or a policy that drops" in text


def test_rule_04_one_component_that_fills_its_own_box() -> None:
    alone, feeder = Doubler(), Feeder([1])
    linked(alone, alone)
    linked(feeder, alone)
    alone.configure_inbox("inbox", limit=2)
    with pytest.raises(Deadlock, match=r"Doubler\.inbox \(2 of 2\)"):
        run_virtual(feeder, alone, Ticker())


def test_rule_04_a_chain_that_is_not_closed_is_no_deadlock() -> None:
    source, stage, merge = Bursts(steps=20), Doubler(), Merge(at_a_time=1, limit=1)
    linked(source, stage, limit=1)
    linked(stage, merge)
    run_virtual(source, stage, merge)
    assert len(merge.got) == 40


@pytest.mark.parametrize(
    ("policy", "survivors", "dropped"),
    [("drop_oldest", [8, 9, 10], 7), ("drop_newest", [1, 2, 3], 7), ("latest", [10], 9)],
)
def test_row_09_rule_05_what_a_policy_drops_is_counted(policy: Any, survivors: list[int], dropped: int) -> None:
    source, head = Bursts(size=10, steps=1), Probe()
    head.configure_inbox("inbox", limit=3, policy=policy)
    linked(source, head)
    run_virtual(source, head)
    (box,) = head.statistics()
    assert head.messages == survivors
    assert (box.offered, box.taken, box.dropped, box.unread_at_end, box.depth) == (10, len(survivors), dropped, 0, 0)


def test_rule_05_a_box_that_refuses_does_not_count_what_it_refused() -> None:
    source, stalled = Bursts(size=10, steps=1), Stalled()
    stalled.configure_inbox("inbox", limit=3, policy="error")
    linked(source, stalled)
    with pytest.raises(ComponentError) as caught:
        run_virtual(source, stalled)
    assert isinstance(caught.value.cause, BoxFull)
    assert "Stalled.inbox is full (3 messages)" in str(caught.value.cause)
    assert (source.sent, stalled.statistics()[0].offered) == (4, 3)


def test_rule_05_what_leads_nowhere_is_counted_at_the_sender() -> None:
    source = Bursts(size=2, steps=3)
    run_virtual(source)
    assert source.lost_at_sending() == {"unlinked": {"outbox": 6}, "to_ended": {}}


def test_rule_05_what_is_left_in_an_ended_box_counts_as_unread() -> None:
    source, head = Bursts(size=10, steps=1), Head(3)
    linked(source, head)
    run_virtual(source, head)
    (box,) = head.statistics()
    assert (box.offered, box.taken, box.unread_at_end, box.depth) == (10, 3, 7, 0)


def test_rule_05_an_unlinked_message_and_one_to_an_ended_part_are_told_apart() -> None:
    class Stubborn(Component):
        Outboxes = {"open": "keeps it alive"}

        def main(self) -> Generator[Any, Any, None]:
            for number in range(10):
                self.send(number)
                self.send(number, "open")
                yield self.sleep(1.0)

    stubborn, head, probe = Stubborn(), Head(3), Probe()
    linked(stubborn, head)
    linked(stubborn, probe, "open")
    run_virtual(stubborn, head, probe)
    assert len(probe.messages) == 10
    assert stubborn.lost_at_sending() == {"unlinked": {}, "to_ended": {"outbox": 7}}


def test_rule_06_an_endless_source_in_front_of_head_ends() -> None:
    source, head = Bursts(), Head(3)
    linked(source, head, limit=2)
    run_virtual(source, head)
    assert head.got == [1, 2, 3]
    assert source.ended


def test_rule_06_a_sender_that_is_blocked_is_freed_when_the_receiver_ends() -> None:
    class Leaves(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(5.0)

    source, leaves = Bursts(steps=10), Leaves()
    leaves.configure_inbox("inbox", limit=2)
    linked(source, leaves)
    assert run_virtual(source, leaves) == 5.0
    assert source.ended


def test_rule_06_with_one_open_outbox_left_the_component_goes_on() -> None:
    class Two(Component):
        Outboxes = {"other": "more"}

        def main(self) -> Generator[Any, Any, None]:
            for number in range(20):
                self.send(number)
                self.send(number, "other")
                yield

    two, head, probe = Two(), Head(3), Probe()
    linked(two, head)
    linked(two, probe, "other")
    run_virtual(two, head, probe)
    assert probe.messages == list(range(20))


def test_rule_06_a_chain_ends_upstream_link_by_link() -> None:
    stages: list[Component] = [Bursts(), *[Relay() for _ in range(5)], Head(3)]
    run_virtual(Pipeline(*stages, limit=2))
    assert all(stage.ended for stage in stages)


class Relay(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


def test_rule_07_a_subscription_holds_1000_and_drops_the_oldest_and_counts() -> None:
    stalled = Stalled()
    stalled.configure_inbox("inbox")
    publisher = Pipeline(Bursts(size=100, steps=50), PublishTo("Events"))
    run_virtual(Backplane("Events"), publisher, Pipeline(SubscribeTo("Events"), stalled), until_s=1.0)
    (box,) = stalled.statistics()
    assert (box.limit, box.policy) == (1000, "drop_oldest")
    assert (box.offered, box.dropped, box.unread_at_end) == (5000, 4000, 1000)


def test_rule_07_a_slow_subscriber_costs_itself_only() -> None:
    stalled, probe = Stalled(), Probe()
    publisher = Pipeline(Bursts(size=100, steps=50), PublishTo("Events"))
    subscriptions = [Pipeline(SubscribeTo("Events"), part) for part in (stalled, probe)]
    run_virtual(Backplane("Events"), publisher, *subscriptions, until_s=1.0)
    assert probe.messages == list(range(1, 5001))


def test_rule_07_publish_to_hands_on_at_most_256_messages_a_step() -> None:
    sizes: list[int] = []

    class Watched(Backplane):
        def publish_many(self, messages: Any) -> None:
            sizes.append(len(messages))
            super().publish_many(messages)

    run_virtual(Watched("Events"), Pipeline(Bursts(size=900, steps=1), PublishTo("Events")))
    assert sizes == [256, 256, 256, 132]


def test_rule_07_a_subscription_may_not_hold_the_publisher_back() -> None:
    with pytest.raises(WiringError, match="would hold the publisher back"):
        SubscribeTo("Events", policy="block")


def test_row_08_a_full_box_parks_its_producer_without_loss_or_spin() -> None:
    steps: list[int] = []

    class Counted(Bursts):
        def main(self) -> Generator[Any, Any, None]:
            for step in super().main():
                steps.append(self.sent)
                yield step

    source, merge = Counted(steps=500), Merge(at_a_time=10, limit=10)
    linked(source, merge)
    run_virtual(source, merge)
    assert merge.got == list(range(1, 501))
    assert len(steps) == 500


def test_the_feeders_crash_comes_out_of_run() -> None:
    with pytest.raises(ComponentError, match="ValueError: on purpose"):
        run_virtual(Pipeline(Feeder([1, PAUSE(1), CRASH(ValueError("on purpose")), 2]), Probe()))


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_rule_03_a_loop_that_yields_lets_senders_in_when_it_has_made_room(limit: int, size: int) -> None:
    # Overshoot: after the loop's first step the box is still full. The room comes in a later step of the same loop.
    class Slow(Component):
        got: list[int] = []

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    yield self.sleep(0.001)
                    self.got.append(message)

    source, slow = Bursts(size, steps=6), Slow()
    slow.got = []
    slow.configure_inbox("inbox", limit=limit)
    linked(source, slow)
    run_virtual(source, slow)
    assert slow.got == list(range(1, 6 * size + 1))


def test_rule_03_a_blocked_loop_over_a_full_box_still_lets_its_own_senders_in() -> None:
    # Blocked as a sender in the middle of its loop, it must not forget the senders that wait for room in its own box.
    class Doubles(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.send(message)
                    self.send(message)
                    yield

    source, merge = Bursts(3, steps=5), Merge(at_a_time=1, limit=1)
    stages = [Doubles(), Doubles()]
    for upper, lower in zip([source, *stages], [*stages, merge]):
        linked(upper, lower)
    for stage in stages:
        stage.configure_inbox("inbox", limit=1)
    run_virtual(source, *stages, merge)
    assert merge.got == [number for number in range(1, 16) for _ in range(4)]
