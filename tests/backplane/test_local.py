"""Backplane, PublishTo and SubscribeTo inside one scheduler: SEMANTICS 7 and 24, rows 14 to 16 of the faults."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Shutdown, Supervisor, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import BoxFull, ComponentError, NameNotProvided, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual
from tests.chassis.doubles import Numbered, StopAfter, Take


def publisher(*items: Any, name: str = "events") -> Pipeline:
    return Pipeline(Feeder(items), PublishTo(name))


def subscriber(sink: Component, name: str = "events", **options: Any) -> Pipeline:
    return Pipeline(SubscribeTo(name, **options), sink)


def test_every_subscriber_gets_everything_in_one_order() -> None:
    probes = [Probe() for _ in range(5)]
    backplane = Backplane("events")
    run_virtual(backplane, publisher(*range(3000)), *(subscriber(probe) for probe in probes))
    assert all(probe.messages == list(range(3000)) for probe in probes)
    assert all(probe.ended_by == "finished" for probe in probes)
    assert backplane.published == 3000


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_rule_24_the_order_of_activation_does_not_matter_and_no_first_message_is_lost(order: tuple[int, ...]) -> None:
    probe = Probe()
    parts = [Backplane("events"), publisher(1, 2), subscriber(probe)]
    run_virtual(*(parts[index] for index in order))
    assert probe.messages == [1, 2]


def test_a_name_that_nobody_provides_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(NameNotProvided) as caught:
        run_virtual(Backplane("events"), Backplane("alarms"), subscriber(Probe(), "event"))
    assert "Pipeline/SubscribeTo(event): no backplane 'event'; did you mean 'events'?" in str(caught.value)
    assert "(there are: 'alarms', 'events')" in str(caught.value)
    with pytest.raises(NameNotProvided, match="there are: none"):
        run_virtual(publisher(1))


def test_row_14_two_of_one_name_are_an_error_with_both_paths() -> None:
    with pytest.raises(WiringError, match=r"two of backplane 'x'.*Backplane\(x\) and Pipeline/Backplane\(x\)"):
        run_virtual(Backplane("x"), Pipeline(Backplane("x")))


def test_row_14_publishing_to_nobody_is_no_error() -> None:
    backplane = Backplane("events")
    run_virtual(backplane, publisher(1, 2, 3))
    assert backplane.published == 3


def test_publish_forwards_if_asked() -> None:
    probe, listener = Probe(), Probe()
    publishing = Pipeline(Feeder(range(600)), PublishTo("events", forward=True), probe)
    run_virtual(Backplane("events"), publishing, subscriber(listener))
    assert probe.messages == listener.messages == list(range(600))


def test_rule_7_publish_to_hands_on_256_messages_a_step() -> None:
    seen: list[int] = []

    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(600):
                self.send(number)
            yield

    class Looks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while len(seen) < 6:
                yield
                seen.append(backplane.published)

    backplane = Backplane("events")
    run_virtual(backplane, Pipeline(Burst(), PublishTo("events")), Looks(), shuffle="")
    assert {256, 512} <= set(seen)


def test_a_new_subscriber_gets_the_history_first() -> None:
    probe, none = Probe(), Probe()

    class Joins(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.add_child(subscriber(probe, "kept"), subscriber(none, "plain"))
            yield self.sleep(2)

    run_virtual(Backplane("kept", history=2), Backplane("plain"), Joins(),
                publisher(1, 2, 3, PAUSE(2), 4, name="kept"), publisher(1, 2, PAUSE(2), 3, name="plain"))  # fmt: skip
    assert probe.messages == [2, 3, 4]
    assert none.messages == [3]


def test_history_and_first_messages_come_once_each() -> None:
    """What is published after the subscription and before the subscriber's own start is neither lost nor told twice."""

    class Eager(Component):
        """Publishes in its start, which is the phase in which subscribers start."""

        def start(self) -> Any:
            backplane.publish("early")
            return super().start()

        def main(self) -> Generator[Any, Any, None]:
            yield

    for eager_first in (True, False):
        for history in (0, 5):
            probe, backplane = Probe(), Backplane("events", history=history)
            parts = [Eager(), subscriber(probe)]
            run_virtual(backplane, *(parts if eager_first else reversed(parts)))
            assert probe.messages == ["early"]


def test_rule_7_a_slow_subscriber_costs_itself_only_and_is_counted() -> None:
    stalled, healthy = Stalled(), Probe()
    stalled.configure_inbox("inbox", limit=5)
    looks = Looks(stalled)
    source = publisher(*range(5000))
    run_virtual(Backplane("events"), source, subscriber(stalled), subscriber(healthy), looks, until_s=1.0)
    assert healthy.messages == list(range(5000))
    statistics = looks.seen
    assert (statistics.limit, statistics.policy) == (1000, "drop_oldest")
    assert (statistics.offered, statistics.depth, statistics.dropped) == (5000, 1000, 4000)


class Looks(Component):
    """Reads the statistics of a component's inbox after half a second."""

    def __init__(self, component: Component) -> None:
        self.component = component

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(0.5)
        self.seen = self.component.inbox().statistics()
        self.messages = list(self.component.inbox())


@pytest.mark.parametrize(
    ("policy", "limit", "left"),
    [("drop_oldest", 3, [7, 8, 9]), ("drop_newest", 3, [0, 1, 2]), ("latest", None, [9]), (None, 2, [8, 9])],
)
def test_a_subscription_may_set_limit_and_policy(policy: Any, limit: int | None, left: list[int]) -> None:
    stalled = Stalled(limit=500)
    looks = Looks(stalled)
    run_virtual(Backplane("events"), publisher(*range(10)), subscriber(stalled, limit=limit, policy=policy), looks,
                until_s=1.0)  # fmt: skip
    assert looks.messages == left


def test_an_inbox_with_a_dropping_policy_of_its_own_keeps_it() -> None:
    stalled = Stalled()
    stalled.configure_inbox("inbox", limit=4, policy="drop_newest")
    looks = Looks(stalled)
    run_virtual(Backplane("events"), publisher(*range(10)), subscriber(stalled), looks, until_s=1.0)
    assert looks.messages == [0, 1, 2, 3]


def test_a_policy_that_holds_the_publisher_back_is_refused() -> None:
    with pytest.raises(WiringError, match="would hold the publisher back"):
        SubscribeTo("events", policy="block")
    with pytest.raises(WiringError, match="did you mean 'latest'"):
        SubscribeTo("events", policy="lastest")  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="at least 1"):
        SubscribeTo("events", limit=0)
    with pytest.raises(WiringError, match="non-empty str"):
        Backplane("")
    with pytest.raises(WiringError, match="number of messages"):
        Backplane("events", history=-1)


def test_row_15_the_policy_error_is_the_subscribers_own_failure() -> None:
    healthy = [Probe() for _ in range(9)]
    bad = subscriber(Stalled(), limit=3, policy="error")
    with pytest.raises(ComponentError) as caught:
        run_virtual(Backplane("events"), publisher(*range(10)), bad, *map(subscriber, healthy))
    assert caught.value.path.endswith("/SubscribeTo(events)")
    assert isinstance(caught.value.cause, BoxFull)


def test_row_15_under_a_supervisor_the_others_do_not_notice() -> None:
    healthy = [Probe() for _ in range(9)]
    events = Probe()
    guard = Supervisor(lambda: subscriber(Stalled(), limit=3, policy="error"), restart="temporary")
    guard.link((guard, "events"), (events, "inbox"))
    run_virtual(Backplane("events"), publisher(*range(2000)), guard, events, *map(subscriber, healthy))
    assert all(probe.messages == list(range(2000)) for probe in healthy)
    assert [event.path for event in events.messages] == ["Supervisor/Pipeline/SubscribeTo(events)"]


def test_row_15_a_subscriber_that_raises_is_restarted_alone() -> None:
    healthy, probe = Probe(), Probe()
    ways = iter([True])

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                number = self.recv()
                if number == 2 and next(ways, False):
                    raise ValueError(number)
                self.send(number)

    guard = Supervisor(lambda: Pipeline(SubscribeTo("events"), Breaks(), name="s"), backoff=(0.5, 0.5))
    source = publisher(1, 2, PAUSE(1), 3, 4)
    run_virtual(Backplane("events"), source, Pipeline(guard, probe), subscriber(healthy))
    assert healthy.messages == [1, 2, 3, 4]
    assert probe.messages == [1, 3, 4]


def test_a_subscription_outside_of_a_supervisor_goes_on_feeding_what_is_restarted() -> None:
    probe = Probe()

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                number = self.recv()
                if number % 10 == 5:
                    raise ValueError(number)
                self.send(number)

    guard = Supervisor(lambda: Breaks(), intensity=10**6, backoff=(0.25, 0.25))
    source = publisher(*(item for number in range(40) for item in (number, PAUSE(0.1))))
    run_virtual(Backplane("events"), source, Pipeline(SubscribeTo("events"), guard, probe))
    assert probe.messages == [number for number in range(40) if number % 10 != 5]


@pytest.mark.slow
def test_row_16_churn_leaves_nothing_behind() -> None:
    backplane = Backplane("events", history=3)
    grown: list[int] = []

    class Churns(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            for round_ in range(100_000):
                if round_ == 2_000:
                    gc.collect()
                    before = sys.getallocatedblocks()
                SubscribeTo("events").activate().stop()
                if round_ % 100 == 0:
                    backplane.publish(round_)
                    yield
            yield
            gc.collect()
            grown.append(sys.getallocatedblocks() - before)

    run_virtual(backplane, Churns())
    assert backplane.subscribers == ()
    # One block each would be 98 000. The count is the whole process's: other threads of the test run have a share.
    assert grown[0] < 10_000


def test_row_14_subscribers_come_and_go_while_it_publishes() -> None:
    counted = Probe()

    class Fickle(Component):
        """Ends after a few messages, which ends its subscription; its place is taken by another."""

        def main(self) -> Generator[Any, Any, None]:
            for _ in range(80):
                part = subscriber(Take(3, "t"))
                self.add_child(part)
                yield self.join(part)

    source = publisher(*(item for number in range(300) for item in (number, PAUSE(0.01))))
    most: list[int] = []

    class Counts(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(2.5)
            most.append(len(backplane.subscribers))

    backplane = Backplane("events")
    fickle = [Fickle() for _ in range(5)]
    run_virtual(backplane, source, subscriber(counted), Counts(), *fickle)
    assert most[0] <= 6
    assert counted.messages == list(range(300))


def test_a_backplane_that_is_shut_down_ends_its_subscriptions_and_publishers() -> None:
    probe = Probe()
    backplane = Backplane("events")
    late = Feeder([1, PAUSE(2), 2, 3, PAUSE(100), 4])

    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send(Shutdown(), "signal")

    says = Says()
    says.link((says, "signal"), (backplane, "control"))
    run_virtual(backplane, says, Pipeline(late, PublishTo("events")), subscriber(probe))
    assert probe.messages == [1]
    assert probe.ended_by == "finished"
    assert late.ended


def test_shutdown_of_a_publisher_or_subscriber_is_its_own() -> None:
    first, second = Probe(), Probe()
    ends = subscriber(first)
    ends_too = publisher(1, PAUSE(100))
    run_virtual(Backplane("events"), ends, ends_too, subscriber(second), publisher(PAUSE(2), 2),
                StopAfter(ends, 1.0), StopAfter(ends_too, 1.0))  # fmt: skip
    assert (first.messages, first.ended_by) == ([1], "stopped")
    assert second.messages == [1, 2]


def test_a_publisher_finds_a_new_backplane_of_the_name() -> None:
    probe = Probe()
    old = Backplane("events")

    class Replaces(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            old.stop()
            yield self.sleep(0.1)
            self.add_child(Backplane("events"), subscriber(probe))
            yield self.sleep(3)

    run_virtual(old, Replaces(), publisher(1, PAUSE(2), 2))
    assert probe.messages == [2]


def test_a_subscription_in_a_nested_pipeline_goes_straight_to_the_final_inbox() -> None:
    probe = Probe()
    subscription = SubscribeTo("events")
    nested = Pipeline(Pipeline(subscription), Pipeline(Pipeline(probe)))
    run_virtual(Backplane("events"), publisher(PAUSE(1), 1), nested)
    assert probe.messages == [1]
    assert subscription.statistics() == ()


def test_an_inbox_with_other_senders_gets_both_and_the_others_are_held_back_not_dropped() -> None:
    probe = Probe(seconds_each=0.01)
    other = Feeder(range(1000, 1300))
    graph = Graphline(s=SubscribeTo("events", limit=5), o=other, p=probe, links="s -> p; o -> p")
    probe.configure_inbox("inbox", limit=10)
    run_virtual(Backplane("events"), publisher(*range(100)), graph)
    assert [m for m in probe.messages if m >= 1000] == list(range(1000, 1300))
    published = [m for m in probe.messages if m < 1000]
    assert published == sorted(published)
    assert published[-1] == 99
    assert len(published) < 100


def test_a_subscription_can_be_linked_elsewhere_while_it_runs() -> None:
    first, second, third, other = Probe(), Probe(), Probe(), Feeder([PAUSE(100)])
    subscription = SubscribeTo("events")

    link = subscription.link((subscription, "outbox"), (first, "inbox"))

    class Rewires(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.unlink(link)
            another = self.link((subscription, "outbox"), (second, "inbox"))
            yield self.sleep(1)
            self.unlink(another)
            self.link((subscription, "outbox"), (third, "inbox"))

    other.link((other, "outbox"), (third, "inbox"))
    source = publisher(PAUSE(0.5), 1, PAUSE(1), 2, PAUSE(1), 3)
    run_virtual(Rewires(), Backplane("events"), subscription, first, second, third, other, source)
    assert (first.messages, second.messages, third.messages) == ([1], [2], [3])


def test_threads_publish_and_subscribe() -> None:
    class Says(ThreadedComponent):
        def main(self) -> None:
            for number in range(200):
                self.send(number)

    class Hears(ThreadedComponent):
        def main(self) -> None:
            for _ in range(200):
                self.send(self.recv())

    probe = Probe()
    says = Pipeline(Says(), PublishTo("events"))
    run_virtual(Backplane("events"), says, Pipeline(SubscribeTo("events"), Hears(), probe))
    assert probe.messages == list(range(200))


def test_it_serves_and_keeps_nothing_running_by_itself() -> None:
    assert run_virtual(Backplane("events"), SubscribeTo("events")) == 0.0
    assert run_virtual(Backplane("events"), Pipeline(SubscribeTo("events"), Numbered("n"))) == 0.0
