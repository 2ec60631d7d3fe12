"""Par: side by side, as one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Par, Pipeline, Seq
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import WiringError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual
from tests.chassis.doubles import ControlProbe, EndOf, Numbered, StopAfter, Take


def test_outboxes_merge_in_the_order_of_sending() -> None:
    probe = Probe()
    run_virtual(Pipeline(Par(Feeder([PAUSE(1), "b"]), Feeder(["a", PAUSE(2), "c"])), probe))
    assert probe.messages == ["a", "b", "c"]
    assert probe.ended_by == "finished"


def test_each_gets_everything_that_comes_to_the_inbox() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(2500)), Par(Numbered("a"), Pipeline(Numbered("b"))), probe))
    assert [m for n, m in probe.messages if n == "a"] == list(range(2500))
    assert [m for n, m in probe.messages if n == "b"] == list(range(2500))


def test_with_one_component_nothing_stands_between() -> None:
    par = Par(Numbered("a"))
    probe = Probe()
    run_virtual(Pipeline(Feeder([1]), par, probe))
    assert probe.messages == [("a", 1)]


def test_it_ends_when_all_have_ended_and_says_so_once() -> None:
    control = ControlProbe()
    par = Par(Feeder([PAUSE(1)]), Feeder([PAUSE(3)]))
    graph = Graphline(p=par, c=control, linkages={("p", "signal"): ("c", "control")})
    assert run_virtual(graph) == 3.0
    assert control.kinds == ["ProducerFinished"]


def test_one_that_ends_early_is_no_end_for_the_rest() -> None:
    probe = Probe()
    par = Par(Take(1, "a"), Numbered("b"))
    run_virtual(Pipeline(Feeder([1, PAUSE(1), 2, 3]), par, probe))
    assert sorted(probe.messages) == [("a", 1), ("b", 1), ("b", 2), ("b", 3)]


def test_when_all_have_ended_the_producer_is_stopped() -> None:
    feeder = Feeder(iter(int, 1))  # endless: the run is over only if it is stopped
    run_virtual(Pipeline(feeder, Par(Take(1, "a"), Take(2, "b"))))
    assert feeder.ended
    assert feeder.sent >= 2


def test_the_slowest_holds_the_producer_back() -> None:
    feeder = Feeder(range(10_000))
    par = Par(Probe(), Stalled(limit=5))
    pipeline = Pipeline(feeder, par)
    run_virtual(pipeline, StopAfter(pipeline, 5))
    assert feeder.sent < 1100


def test_a_burst_does_not_run_a_small_box_over() -> None:
    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(900):
                self.send(number)
            yield

    stalled = Stalled(limit=5)
    depths: list[int] = []

    class Looks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1.0)
            depths.append(stalled.inbox().depth)

    run_virtual(Pipeline(Burst(), Par(Probe(), stalled)), Looks(), until_s=2.0)
    assert depths == [5]


def test_producer_finished_never_overtakes_data() -> None:
    slow = Probe(seconds_each=1.0)
    run_virtual(Pipeline(Feeder(range(5)), Par(slow, Probe(seconds_each=2.0))))
    assert slow.messages == list(range(5))


def test_shutdown_reaches_all_and_goes_on() -> None:
    first, second, control = Probe(), Probe(), ControlProbe()

    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)

    says = Says()
    par = Par(Pipeline(first), Graphline(x=second, links="self -> x"))
    graph = Graphline(
        says=says, par=par, c=control, feeder=Feeder([PAUSE(100)]),
        linkages={("par", "signal"): ("c", "control"), ("feeder", "outbox"): ("par", "inbox")},
    )  # fmt: skip
    run_virtual(graph, StopAfter(par, 1.0))
    assert (first.ended_by, second.ended_by) == ("stopped", "stopped")
    assert control.kinds == ["Shutdown"]


def test_control_is_given_to_each_that_takes_it_itself() -> None:
    one, two = ControlProbe(), ControlProbe()
    run_virtual(Pipeline(Feeder([]), Par(one, two)))
    assert one.kinds == two.kinds == ["ProducerFinished"]


def test_its_ends_need_no_standstill_of_the_whole_system() -> None:
    par = Par(Numbered("a"), Pipeline(Numbered("b"), Probe(seconds_each=1.0)), Graphline(c=Probe(), links="self -> c"))
    pipeline = Pipeline(Feeder([1, 2, 3]), Pipeline(par), Probe())
    run_virtual(pipeline, end := EndOf(pipeline))
    assert end.at_s == 3.0


def test_independent_graphs_run_as_one() -> None:
    a, b = Probe(), Probe()
    run_virtual(Par(Pipeline(Feeder([1]), a), Pipeline(Feeder([2]), b)))
    assert (a.messages, b.messages) == ([1], [2])


def test_a_link_made_while_it_runs_feeds_all() -> None:
    a, b = Probe(), Probe()
    par = Par(a, b, Feeder([PAUSE(10)]))

    class Joins(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.link((self, "outbox"), (par, "inbox"))
            self.send("now")

    run_virtual(par, Joins())
    assert (a.messages, b.messages) == (["now"], ["now"])


def test_a_subscription_feeds_all_of_it() -> None:
    a, b = Probe(), Probe()
    source = Pipeline(Feeder([PAUSE(1), 1, 2]), PublishTo("x"))
    run_virtual(Backplane("x"), source, Pipeline(SubscribeTo("x"), Par(a, b)))
    assert a.messages == b.messages == [1, 2]


def test_pars_nest() -> None:
    a, b, c = Probe(), Probe(), Probe()
    run_virtual(Pipeline(Feeder([1, 2]), Seq(Take(1, "t"), Par(Par(a, b), Pipeline(Par(c))))))
    assert a.messages == b.messages == c.messages == [2]


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(WiringError, match="needs components"):
        Par()
    one = Probe()
    with pytest.raises(WiringError, match="twice"):
        Par(one, one)
    with pytest.raises(WiringError, match=r"pass an instance, Probe\(\.\.\.\)"):
        Par(Probe)  # type: ignore[arg-type]
