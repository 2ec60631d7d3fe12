"""Carousel: a child that is replaced on request, while links and data stay."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Carousel, Component, Graphline, Pipeline, Shutdown
from axonlike.errors import ComponentError, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual
from tests.chassis.doubles import ControlProbe, EndOf, Numbered, StopAfter, Take


class Chooser(Component):
    """Answers each request with the next of its items, then ends."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.asked: list[Any] = []

    def main(self) -> Generator[Any, Any, None]:
        for item in self.items:
            yield self.wait("inbox")
            self.asked.append(self.recv())
            self.send(item)


def chosen(chooser: Component, carousel: Carousel, probe: Probe) -> Graphline:
    """Kamaelia's JoinChooserToCarousel."""
    return Graphline(
        chooser=chooser,
        carousel=carousel,
        probe=probe,
        linkages={
            ("carousel", "requestNext"): ("chooser", "inbox"),
            ("chooser", "outbox"): ("carousel", "next"),
            ("chooser", "signal"): ("carousel", "control"),
            ("carousel", "outbox"): ("probe", "inbox"),
        },
    )


def test_a_chooser_gives_it_one_child_after_another() -> None:
    chooser, probe = Chooser(["ab", "", "cde"]), Probe()
    run_virtual(chosen(chooser, Carousel(Feeder, make_first_request=True), probe))
    assert probe.messages == list("abcde")
    assert chooser.asked == ["NEXT"] * 3
    assert probe.ended_by == "finished"


def test_a_message_on_next_replaces_the_child_and_data_goes_to_the_new_one() -> None:
    probe = Probe()
    graph = Graphline(
        data=Feeder([1, PAUSE(2), 2, PAUSE(2), 3]),
        names=Feeder(["a", PAUSE(1), "b", PAUSE(2), "c"]),
        carousel=Carousel(Numbered),
        probe=probe,
        links="data -> carousel -> probe; names -> carousel.next",
    )
    run_virtual(graph)
    assert probe.messages == [("a", 1), ("b", 2), ("c", 3)]


def test_messages_that_come_while_there_is_no_child_are_kept_and_moved() -> None:
    probe = Probe()
    graph = Graphline(
        data=Feeder(range(50)),
        names=Feeder([PAUSE(10), "late"]),
        carousel=Carousel(Numbered),
        probe=probe,
        links="data -> carousel -> probe; names -> carousel.next",
    )
    run_virtual(graph)
    assert probe.messages == [("late", n) for n in range(50)]
    assert min(probe.times_s) == 10.0


def test_what_an_old_child_has_not_taken_is_there_for_the_new_one() -> None:
    class Slow(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                self.send((self.name, self.recv()))
                yield self.sleep(1.0)

    probe = Probe()
    graph = Graphline(
        data=Feeder(range(5)),
        names=Feeder(["a", PAUSE(1.5), "b"]),
        carousel=Carousel(Slow),
        probe=probe,
        links="data -> carousel -> probe; names -> carousel.next",
    )
    run_virtual(graph)
    assert probe.messages == [("a", 0), ("a", 1), ("b", 2), ("b", 3), ("b", 4)]


def test_the_old_child_gets_shutdown_and_may_still_send_in_its_finally() -> None:
    class Flushes(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        def main(self) -> Generator[Any, Any, None]:
            try:
                while True:
                    yield self.wait("inbox")
                    self.recv()
            finally:
                self.send(f"{self.name} flushed")

    probe = Probe()
    graph = Graphline(
        names=Feeder(["a", PAUSE(1), "b", PAUSE(1)]), carousel=Carousel(Flushes), probe=probe,
        links="names -> carousel.next; carousel -> probe",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.messages == ["a flushed", "b flushed"]


def test_a_child_that_ends_by_itself_asks_for_the_next() -> None:
    asked = Probe()
    carousel = Carousel(lambda number: Take(number, "t"))
    graph = Graphline(
        data=Feeder([1, PAUSE(1), 2, PAUSE(1)]), names=Feeder([1, PAUSE(5)]), carousel=carousel, asked=asked,
        links="data -> carousel; names -> carousel.next; carousel.requestNext -> asked",
    )  # fmt: skip
    run_virtual(graph)
    assert asked.messages == ["NEXT"]


def test_producer_finished_lets_the_child_finish_and_asks_for_no_more() -> None:
    asked, child, control = Probe(), Probe(seconds_each=3.0), ControlProbe()
    carousel = Carousel(lambda _: child)
    carousel.link((carousel, "requestNext"), (asked, "inbox"))
    names = Feeder(["x", PAUSE(100)])
    names.link((names, "outbox"), (carousel, "next"))
    pipeline = Pipeline(Feeder([1, 2, 3]), carousel, control)
    run_virtual(pipeline, names, asked, end := EndOf(carousel))
    assert child.times_s == [0.0, 3.0, 6.0]
    assert end.at_s == 9.0
    assert asked.messages == []
    assert control.kinds == ["ProducerFinished"]


@pytest.mark.parametrize("first_name_s", [0.0, 1.0])
def test_producer_finished_before_the_first_child_counts_once_that_has_had_the_data(first_name_s: float) -> None:
    child = Probe(seconds_each=3.0)
    carousel = Carousel(lambda _: child)
    names = Feeder([PAUSE(first_name_s), "x", PAUSE(100)])
    names.link((names, "outbox"), (carousel, "next"))
    run_virtual(Pipeline(Feeder([1, 2, 3]), carousel), names, end := EndOf(carousel))
    assert child.messages == [1, 2, 3]
    assert end.at_s == first_name_s + 9.0


def test_producer_finished_ends_one_that_has_no_child_and_no_data() -> None:
    carousel = Carousel(lambda _: Probe())
    names = Feeder([PAUSE(100), "x"])
    names.link((names, "outbox"), (carousel, "next"))
    run_virtual(Pipeline(Feeder([]), carousel), names, end := EndOf(carousel))
    assert end.at_s == 0.0


def test_a_child_asked_for_before_producer_finished_is_made() -> None:
    class First(Component):
        """Asks for a child, and is over, while the Carousel has not had its turn."""

        def main(self) -> Generator[Any, Any, None]:
            self.send("ab", "names")
            yield

        Outboxes = {"names": ""}

    probe = Probe()
    first, carousel = First(), Carousel(Feeder)
    names = Feeder([PAUSE(100)])
    names.link((names, "outbox"), (carousel, "next"))
    first.link((first, "names"), (carousel, "next"))
    run_virtual(Pipeline(first, carousel, probe), names, end := EndOf(carousel))
    assert probe.messages == ["a", "b"]
    assert end.at_s == 0.0


def test_producer_finished_never_overtakes_data_that_waits_for_a_child() -> None:
    probe = Probe()
    carousel = Carousel(Numbered)
    names = Feeder([PAUSE(5), "a"])
    names.link((names, "outbox"), (carousel, "next"))
    run_virtual(Pipeline(Feeder([1, 2]), carousel, probe), names)
    assert probe.messages == [("a", 1), ("a", 2)]


def test_shutdown_ends_it_with_its_child() -> None:
    children: list[Probe] = []

    def make(_: Any) -> Probe:
        children.append(Probe())
        return children[-1]

    class Says(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            self.send(Shutdown("enough"), "signal")
            yield self.sleep(1)

    control = ControlProbe()
    graph = Graphline(
        says=Says(), names=Feeder(["x", PAUSE(100)]), carousel=Carousel(make), control=control,
        linkages={
            ("says", "signal"): ("carousel", "control"),
            ("names", "outbox"): ("carousel", "next"),
            ("carousel", "signal"): ("control", "control"),
        },
    )  # fmt: skip
    assert run_virtual(graph) == 2.0  # the Feeder, with nobody left to feed, is stopped as well
    assert children[0].ended_by == "stopped"
    assert control.kinds == ["Shutdown"]


def test_it_ends_when_nobody_can_ask_any_more() -> None:
    probe = Probe()
    graph = Graphline(
        names=Feeder(["ab"]), carousel=Carousel(Feeder), probe=probe, links="names -> carousel.next; carousel -> probe"
    )
    run_virtual(graph, end := EndOf(graph))
    assert end.at_s == 0.0
    assert probe.messages == ["a", "b"]


def test_a_producer_of_data_does_not_keep_it_when_nobody_can_ask() -> None:
    data = Feeder([1, PAUSE(500), 2])
    graph = Graphline(
        data=data, names=Feeder(["ab"]), carousel=(carousel := Carousel(Feeder)),
        links="data -> carousel; names -> carousel.next",
    )  # fmt: skip
    run_virtual(graph, end := EndOf(carousel))
    assert end.at_s == 0.0


def test_each_request_makes_a_child_in_order() -> None:
    made: list[str] = []

    def make(name: str) -> Numbered:
        made.append(name)
        return Numbered(name)

    probe = Probe()
    graph = Graphline(
        data=Feeder([PAUSE(1), 1]), names=Feeder("abc"), carousel=Carousel(make), probe=probe,
        links="data -> carousel -> probe; names -> carousel.next",
    )  # fmt: skip
    run_virtual(graph)
    assert made == ["a", "b", "c"]
    assert probe.messages == [("c", 1)]


def test_a_pipeline_as_child_and_a_carousel_in_a_carousel() -> None:
    probe = Probe()
    graph = Graphline(
        data=Feeder([1, PAUSE(2), 2]),
        names=Feeder(["a", PAUSE(1), "b", PAUSE(2)]),
        carousel=Carousel(lambda name: Pipeline(Numbered(name), Pipeline(Numbered("inner")))),
        probe=probe,
        links="data -> carousel -> probe; names -> carousel.next",
    )
    run_virtual(graph)
    assert probe.messages == [("inner", ("a", 1)), ("inner", ("b", 2))]


def test_a_factory_that_fails_is_told_with_the_message() -> None:
    def fails(name: str) -> Component:
        raise OSError(f"no file {name}")

    graph = Graphline(names=Feeder(["x.txt"]), c=Carousel(fails), links="names -> c.next")
    with pytest.raises(ComponentError, match="no file") as caught:
        run_virtual(graph)
    assert (caught.value.box, caught.value.number, caught.value.value) == ("next", 1, "x.txt")


def test_a_dead_receiver_ends_it_though_requests_could_be_made() -> None:
    asked = Probe()
    carousel = Carousel(lambda _: Feeder(iter(int, 1)))
    graph = Graphline(
        names=Feeder(["x", PAUSE(50)]), c=carousel, head=Take(3, "h"), asked=asked,
        links="names -> c.next; c -> head; c.requestNext -> asked",
    )  # fmt: skip
    assert run_virtual(graph) == 0.0
    assert asked.messages == []


def test_churn_leaves_no_cycles_or_children_behind() -> None:
    carousel = Carousel(Numbered)
    probe = Probe()
    sizes: list[int] = []

    class Look(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(50)
            scheduler = self.scheduler
            assert scheduler is not None
            sizes.extend((len(scheduler.parts), len(scheduler._cycles), len(carousel.children)))

    names = Feeder([item for n in range(300) for item in (str(n), PAUSE(0.1))] + [PAUSE(100)])
    graph = Graphline(
        data=Feeder([PAUSE(90)]), names=names, carousel=carousel, probe=probe, look=Look(),
        links="data -> carousel -> probe; names -> carousel.next",
    )  # fmt: skip
    run_virtual(graph, StopAfter(graph, 80))
    assert sizes == [8, 0, 1]


def test_a_carousel_needs_a_function() -> None:
    with pytest.raises(WiringError, match="is one component"):
        Carousel(Probe())  # type: ignore[arg-type]
