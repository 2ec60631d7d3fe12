"""Pipeline: one after the other, nested, circular, relinked while it runs, and written with `|`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, ProducerFinished, Scheduler, Shutdown, ThreadedComponent, step
from axonlike.errors import ComponentError, UsageError, WiringError
from axonlike.linkage import Box
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual
from tests.chassis.doubles import ControlProbe, Numbered, StopAfter, Take


def test_messages_go_through_in_order_and_the_end_never_overtakes_them() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(3000)), Numbered("a"), Numbered("b"), probe))
    assert probe.messages == [("b", ("a", n)) for n in range(3000)]
    assert probe.ended_by == "finished"


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_pipelines_nest_with_their_ends(depth: int) -> None:
    probe, control = Probe(forward=True), ControlProbe()
    middle: Component = Numbered("m")
    for _ in range(depth):
        middle = Pipeline(Pipeline(middle))
    outer = Pipeline(Pipeline(Feeder([1, 2])), middle, Pipeline(probe))
    graph = Graphline(p=outer, c=control, linkages={("p", "signal"): ("c", "control")})
    run_virtual(graph)
    assert probe.messages == [("m", 1), ("m", 2)]
    assert control.kinds == ["ProducerFinished"]


def test_the_path_tells_where_a_component_stands() -> None:
    inner = Numbered("a")
    Pipeline(Pipeline(inner, name="inner"), name="outer")
    assert inner.path == "outer/inner/a"


def test_equal_names_are_numbered() -> None:
    pipeline = Pipeline(Numbered("a"), Numbered("a"), Numbered("a"))
    assert [child.name for child in pipeline.children] == ["a", "a-2", "a-3"]


class Relay(Component):
    """Feeds itself through the circle a number of times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.seen: list[int] = []

    def main(self) -> Generator[Any, Any, None]:
        self.send(0)
        while True:
            yield self.wait("inbox")
            number = self.recv()
            self.seen.append(number)
            if number < self.times:
                self.send(number + 1)


def test_a_circle_runs_and_ends_when_nothing_goes_round_any_more() -> None:
    relay = Relay(10)
    run_virtual(Pipeline(relay, Probe(forward=True), circular=True))
    assert relay.seen == list(range(11))


def test_a_circle_with_a_pipeline_in_it_ends_though_others_go_on() -> None:
    relay = Relay(3)
    ended: list[bool] = []
    circle = Pipeline(Pipeline(relay, Probe(forward=True)), Pipeline(Pipeline(Probe(forward=True))), circular=True)

    class Looks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(5)
            ended.append(circle.ended)
            yield self.sleep(5)

    run_virtual(circle, Looks())
    assert relay.seen == [0, 1, 2, 3]
    assert ended == [True]


def test_shutdown_on_its_control_goes_along_the_pipeline_and_out() -> None:
    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send(Shutdown("enough"), "signal")
            yield self.sleep(1)

    first, second, control = Probe(), Probe(), ControlProbe()
    graph = Graphline(
        says=Says(), p=Pipeline(first, second), c=control,
        linkages={("says", "signal"): ("p", "control"), ("p", "signal"): ("c", "control")},
    )  # fmt: skip
    run_virtual(graph)
    assert (first.ended_by, second.ended_by) == ("stopped", "stopped")
    assert control.kinds == ["Shutdown"]


def test_shutdown_reaches_what_is_left_when_the_first_has_ended() -> None:
    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send(Shutdown("enough"), "signal")
            yield self.sleep(1)

    slow = Probe(seconds_each=1000.0)
    inner = Pipeline(Pipeline(Feeder([1, 2]), slow))
    graph = Graphline(says=Says(), p=inner, linkages={("says", "signal"): ("p", "control")})
    assert run_virtual(graph) == 2.0
    assert slow.ended_by == "stopped"


def test_a_first_component_that_takes_its_control_gets_what_comes_to_the_pipelines() -> None:
    control = ControlProbe()

    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send("a word", "signal")
            self.send(ProducerFinished(), "signal")

    graph = Graphline(s=Says(), p=Pipeline(Pipeline(control)), linkages={("s", "signal"): ("p", "control")})
    run_virtual(graph)
    assert control.got[0] == "a word"
    assert control.kinds[1:] == ["ProducerFinished"] * 2  # the second from the end of Says itself


def test_an_endless_source_ends_with_what_needs_it() -> None:
    feeder = Feeder(iter(int, 1))
    run_virtual(Pipeline(Pipeline(feeder, Numbered("n")), Take(3, "t")))
    assert feeder.ended


def test_the_limit_and_policy_are_for_the_boxes_between() -> None:
    feeder, stalled = Feeder(range(100)), Probe(seconds_each=1000.0)
    pipeline = Pipeline(feeder, Numbered("n"), stalled, limit=5)
    run_virtual(pipeline, StopAfter(pipeline, 1.0))
    assert feeder.sent <= 5 + 5 + 5 + 2
    dropping = Pipeline(Feeder(range(100)), slow := Probe(seconds_each=1.0), limit=2, policy="drop_oldest")
    run_virtual(dropping)
    assert slow.messages[1:] == [98, 99]


def test_links_can_be_changed_while_it_runs() -> None:
    first, second = Probe(name="first"), Probe(name="second")
    feeder = Feeder([1, PAUSE(2), 2, PAUSE(2), 3])
    pipeline = Pipeline(Pipeline(feeder, Numbered("n")))

    link = pipeline.link((pipeline, "outbox"), (first, "inbox"))

    class Rewires(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.unlink(link)
            self.link((pipeline, "outbox"), (second, "inbox"))
            yield self.sleep(2)
            linkage = pipeline.wires().from_out["outbox"]
            self.unlink(linkage)
            yield self.sleep(10)

    run_virtual(Rewires(), pipeline, first, second)
    assert (first.messages, second.messages) == ([("n", 1)], [("n", 2)])


def test_messages_that_wait_in_a_chassis_inbox_move_when_it_passes_in() -> None:
    probe = Probe()
    late = Graphline(a=probe)
    feeder = Feeder([1, 2, PAUSE(3), 3])

    class Rewires(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.link((late, "inbox"), (probe, "inbox"), passthrough="in")

    run_virtual(Pipeline(feeder, late), Rewires())
    assert probe.messages == [1, 2, 3]


def test_a_child_can_be_replaced_while_the_rest_runs() -> None:
    probe = Probe()
    old = Numbered("old")
    pipeline = Pipeline(Feeder([1, PAUSE(2), 2]), old, probe)

    class Replaces(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            new = Numbered("new")
            for linkage in tuple(old.wires().all()):
                self.unlink(linkage)
            (feeder, *_) = pipeline.children
            assert isinstance(feeder, Component)
            pipeline.link((feeder, "outbox"), (new, "inbox"))
            pipeline.link((new, "outbox"), (probe, "inbox"))
            pipeline.add_child(new)
            old.stop()

    run_virtual(pipeline, Replaces())
    assert probe.messages == [("old", 1), ("new", 2)]


def test_sugar_makes_one_pipeline_of_any_length() -> None:
    probe = Probe()
    pipeline = Feeder([1, 2]) | step(lambda n: n + 1) | Numbered("n") | probe
    assert len(pipeline.children) == 4
    run_virtual(pipeline)
    assert probe.messages == [("n", 2), ("n", 3)]


def test_sugar_keeps_links_that_its_parts_have_with_others() -> None:
    probe, log = Probe(), Probe()

    class Tells(Component):
        Outboxes = {"log": ""}

        def main(self) -> Generator[Any, Any, None]:
            self.send("told", "log")
            self.send(1)
            yield

    tells = Tells()
    tells.link((tells, "log"), (log, "inbox"))
    run_virtual(tells | Numbered("a") | probe, log)
    assert log.messages == ["told"]
    assert probe.messages == [("a", 1)]


def test_sugar_nests_a_pipeline_that_is_in_use() -> None:
    source, probe = Feeder([1]), Probe()
    inner = Numbered("a") | Numbered("b")
    inner.link((source, "outbox"), (inner, "inbox"))
    run_virtual(inner | probe, source)
    assert probe.messages == [("b", ("a", 1))]
    named = Pipeline(Numbered("x"), name="mine")
    assert [child.name for child in (named | Probe()).children] == ["mine", "Probe"]


def test_the_first_half_of_a_sugared_pipeline_cannot_run_by_itself() -> None:
    half = Feeder([1]) | Numbered("a")
    half | Probe()
    with pytest.raises(ComponentError, match="went into a longer pipeline"):
        Scheduler().run(half)
    with pytest.raises(WiringError):
        half | Probe()


def test_sugar_with_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Probe() | 3


def test_threads_stand_in_it_like_all_others() -> None:
    class Doubles(ThreadedComponent):
        def main(self) -> None:
            while True:
                self.send(2 * self.recv())

    probe = Probe()
    Scheduler().run(Pipeline(Feeder(range(3000)), Pipeline(Doubles()), probe))
    assert probe.messages == [2 * n for n in range(3000)]


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(WiringError, match="needs components"):
        Pipeline()
    with pytest.raises(WiringError, match=r"Probe\(\.\.\.\)"):
        Pipeline(Feeder([]), Probe)  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"\[.*\] is not a component: put a \* before it"):
        Pipeline([Probe()])  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"DataSource\(\[\.\.\.\]\)"):
        Pipeline([1, 2], Probe())  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"step\(len\)"):
        Pipeline(Feeder([]), len)  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="stands in it twice"):
        Pipeline(one := Probe(), one)
    taken = Probe()
    Pipeline(taken, name="first")
    with pytest.raises(WiringError, match="part of first already"):
        Pipeline(taken)
    with pytest.raises(WiringError, match=r"no box policy 'dorp_oldest'; did you mean 'drop_oldest'"):
        Pipeline(Probe(), Probe(), policy="dorp_oldest")  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="a limit is at least 1"):
        Pipeline(Probe(), Probe(), limit=0)


def test_types_of_boxes_are_compared_at_wiring() -> None:
    class Says(Component):
        Outboxes = {"outbox": Box("words", str)}

    class Counts(Component):
        Inboxes = {"inbox": Box("numbers", (int, float))}

    with pytest.raises(WiringError, match=r"the outbox sends str, the inbox takes int \| float"):
        Pipeline(Says(), Counts())


def test_it_cannot_run_twice() -> None:
    pipeline = Pipeline(Feeder([1]), Probe())
    Scheduler().run(pipeline)
    with pytest.raises(UsageError, match="make a new one"):
        Scheduler().run(pipeline)


def test_a_stopped_pipeline_closes_what_started_last_first() -> None:
    order: list[str] = []

    class Closes(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(100)
            finally:
                order.append(self.name)

    pipeline = Pipeline(Closes("a"), Pipeline(Closes("b"), Closes("c")), Closes("d"))
    run_virtual(pipeline, Stalled(), StopAfter(pipeline, 1.0), until_s=2.0, shuffle="")
    assert order == ["d", "c", "b", "a"]


def test_children_of_a_component_whose_body_has_ended_are_stopped_with_the_run() -> None:
    ended: list[str] = []

    class Child(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1000)
            finally:
                ended.append("child")

    class Parent(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.add_child(Child())
            yield

    assert run_virtual(Parent(), until_s=1.0) == 1.0
    assert ended == ["child"]
