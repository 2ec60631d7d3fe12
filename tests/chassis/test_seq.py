"""Seq: one after another, with the same boxes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, ProducerFinished, Scheduler, Seq, ThreadedComponent
from axonlike.errors import ComponentError, WiringError
from axonlike.testing import END, PAUSE, Feeder, Probe, run_virtual
from tests.chassis.doubles import ControlProbe, EndOf, Numbered, StopAfter, Take


def test_components_run_one_after_another_and_share_the_outbox() -> None:
    probe = Probe()
    run_virtual(Pipeline(Seq(Feeder([1, 2]), Feeder([PAUSE(1), 3]), Feeder([4])), probe))
    assert probe.messages == [1, 2, 3, 4]
    assert probe.ended_by == "finished"


def test_what_one_has_not_taken_is_there_for_the_next() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(10)), Seq(Take(3, "a"), Take(2, "b"), Numbered("c")), probe))
    assert probe.messages == [*(("a", n) for n in range(3)), ("b", 3), ("b", 4), *(("c", n) for n in range(5, 10))]


def test_input_that_is_in_a_nested_pipeline_goes_on_to_the_next() -> None:
    probe = Probe()
    steps = [Pipeline(Take(2, "a"), Pipeline(Numbered("x"), Numbered("y"))), Numbered("b")]
    run_virtual(Pipeline(Feeder(range(2000)), Seq(*steps), probe))
    assert len(probe.messages) == 2000
    assert probe.messages[2:] == [("b", n) for n in range(2, 2000)]


def test_input_that_comes_while_a_nested_first_component_has_ended_is_kept() -> None:
    probe = Probe()
    slow_end = Pipeline(Take(1, "a"), Probe(forward=True, seconds_each=10.0))
    run_virtual(Pipeline(Feeder([0, PAUSE(1), 1, PAUSE(1), 2]), Seq(slow_end, Numbered("b")), probe))
    assert probe.messages == [("a", 0), ("b", 1), ("b", 2)]
    assert probe.times_s[1] >= 10.0


def test_after_the_last_one_the_producer_is_stopped() -> None:
    feeder, probe = Feeder(iter(int, 1)), Probe()
    run_virtual(Pipeline(feeder, Seq(Take(2, "a"), Take(2, "b")), probe))
    assert len(probe.messages) == 4


def test_a_producer_is_stopped_as_soon_as_the_last_one_takes_no_more() -> None:
    feeder = Feeder(iter(int, 1))
    last = Pipeline(Take(2, "b"), Probe(seconds_each=50.0))
    run_virtual(Pipeline(feeder, Seq(Take(2, "a"), last)), end := EndOf(feeder))
    assert end.at_s == 0.0


def test_a_producer_that_ended_while_another_ran_is_no_producer_of_the_next() -> None:
    seq = Seq(Pipeline(Take(1, "a"), Probe(seconds_each=5.0)), Numbered("b"))
    run_virtual(Pipeline(Feeder([1, 2, 3]), seq, probe := Probe()), end := EndOf(seq))
    assert probe.messages == [("b", 2), ("b", 3)]
    assert end.at_s == 5.0


def test_end_of_input_needs_no_signal() -> None:
    seq, probe = Seq(Pipeline(Take(1, "a"), Probe(seconds_each=5.0)), Numbered("b")), Probe()
    graph = Graphline(f=Feeder([1, 2, 3]), s=seq, p=probe, links="f -> s -> p")
    run_virtual(graph, end := EndOf(graph))
    assert probe.messages == [("b", 2), ("b", 3)]
    assert end.at_s == 5.0


def test_successors_meet_end_of_input_when_the_producer_has_ended_meanwhile() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([1, 2, 3]), Seq(Take(1, "a"), Numbered("b"), Numbered("c")), probe))
    assert probe.messages == [("a", 1), ("b", 2), ("b", 3)]


def test_its_ends_need_no_standstill_of_the_whole_system() -> None:
    seq = Seq(Take(1, "a"), Pipeline(Numbered("b"), Numbered("b2")), Numbered("c"))
    pipeline = Pipeline(Feeder([1, 2, 3]), Pipeline(seq), Probe())
    run_virtual(pipeline, end := EndOf(pipeline))
    assert end.at_s == 0.0


def test_factories_are_called_when_their_turn_comes() -> None:
    made: list[str] = []

    def make(name: str) -> Feeder:
        made.append(name)
        return Feeder([tuple(made)])

    probe = Probe()
    run_virtual(Pipeline(Seq(lambda: make("a"), lambda: make("b"), lambda: make("c")), probe))
    assert probe.messages == [("a",), ("a", "b"), ("a", "b", "c")]


def test_shutdown_ends_the_one_that_runs_and_starts_no_other() -> None:
    control, probe = ControlProbe(), Probe()
    second = Probe()
    seq = Seq(Probe(), second)
    seq.link((seq, "signal"), (control, "control"))
    run_virtual(seq, control, StopAfter(seq, 2.0))
    assert control.kinds == ["Shutdown"]
    assert second.ended_by == ""
    assert probe.ended_by == ""


def test_the_end_of_the_run_starts_no_other() -> None:
    second = Probe()
    run_virtual(Seq(Probe(), second), Feeder([PAUSE(100)]), until_s=3.0)
    assert second.ended_by == ""


def test_it_says_producer_finished_once_after_the_last() -> None:
    control = ControlProbe()
    graph = Graphline(s=Seq(Feeder([1]), Feeder([2])), c=control, linkages={("s", "signal"): ("c", "control")})
    run_virtual(graph)
    assert control.kinds == ["ProducerFinished"]


def test_a_failure_starts_no_other() -> None:
    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("no")

    started: list[str] = []

    class Second(Component):
        def start(self) -> Any:
            started.append("second")
            return super().start()

    with pytest.raises(ComponentError, match="no"):
        run_virtual(Seq(Pipeline(Fails()), Second()))
    assert started == []


def test_a_factory_that_fails_is_the_failure_of_the_seq() -> None:
    def fails() -> Component:
        raise OSError("no port")

    with pytest.raises(ComponentError, match="no port") as caught:
        run_virtual(Seq(Feeder([1]), fails, name="steps"))
    assert caught.value.path == "steps"


def test_threads_take_their_turn_too() -> None:
    class FromThread(ThreadedComponent):
        def main(self) -> None:
            self.send(self.name)

    probe = Probe()
    Scheduler().run(Pipeline(Seq(FromThread(), FromThread(), Feeder([3])), probe))
    assert probe.messages == ["FromThread", "FromThread", 3]


def test_seqs_nest_in_pipelines_and_seqs() -> None:
    probe = Probe()
    inner = Seq(Take(1, "a"), Pipeline(Take(1, "b"), Numbered("c")))
    run_virtual(Pipeline(Feeder(range(6)), Pipeline(Seq(inner, Seq(Take(1, "d"), Numbered("e")))), probe))
    assert probe.messages == [("a", 0), ("c", ("b", 1)), ("d", 2), ("e", 3), ("e", 4), ("e", 5)]


def test_backpressure_holds_while_nobody_takes() -> None:
    feeder = Feeder([*range(5000), END])
    seq = Seq(Pipeline(Take(1, "a"), Probe(seconds_each=50.0)), Numbered("b"))
    Pipeline(feeder, seq)
    held: list[int] = []

    class Look(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(20.0)
            held.append(feeder.sent)

    probe = Probe()
    pipeline = feeder._parent
    assert isinstance(pipeline, Component)
    pipeline.link((pipeline, "outbox"), (probe, "inbox"))
    run_virtual(pipeline, probe, Look())
    assert held[0] < 1100
    assert len(probe.messages) == 4999


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(WiringError, match="needs components"):
        Seq()
    with pytest.raises(WiringError, match="neither a component"):
        Seq(Probe(), 3)  # type: ignore[arg-type]
    one = Probe()
    with pytest.raises(WiringError, match="stands in it twice"):
        Seq(one, one)
    taken = Probe()
    Pipeline(taken)
    with pytest.raises(WiringError, match="part of Pipeline already"):
        Seq(Probe(), taken)
    with pytest.raises(WiringError, match="returned 3, not a component"):
        Seq(lambda: 3)  # type: ignore[arg-type, return-value]
    with pytest.raises(WiringError, match="add the brackets"):
        Seq(lambda: Probe)  # type: ignore[arg-type, return-value]


def test_an_explicit_producer_finished_ends_the_wait_of_each() -> None:
    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send(ProducerFinished(), "signal")
            yield self.sleep(1)

    graph = Graphline(says=Says(), s=Seq(Probe(), Probe()), linkages={("says", "signal"): ("s", "control")})
    assert run_virtual(graph) == 2.0
