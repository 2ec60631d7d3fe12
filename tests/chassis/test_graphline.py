"""Graphline: any links by name, boxes of its own, ends that work by themselves."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Shutdown
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import NoSuchBox, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual
from tests.chassis.doubles import ControlProbe, Numbered, StopAfter, Take


class Sorts(Component):
    """Odd numbers go to `odd`."""

    Outboxes = {"odd": "odd numbers"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for number in self.inbox():
                self.send(number, "odd" if number % 2 else "outbox")


def test_kamaelias_linkages() -> None:
    even, odd = Probe(), Probe()
    graph = Graphline(
        A=Feeder(range(6)), S=Sorts(), E=even, O=odd,
        linkages={("A", "outbox"): ("S", "inbox"), ("S", "outbox"): ("E", "inbox"), ("S", "odd"): ("O", "inbox")},
    )  # fmt: skip
    run_virtual(graph)
    assert (even.messages, odd.messages) == ([0, 2, 4], [1, 3, 5])
    assert (even.ended_by, odd.ended_by) == ("finished", "finished")


@pytest.mark.parametrize(
    "links",
    ["a -> s -> e; s.odd -> o", "a->s\ns -> e\n\n s.odd->o.inbox ;", "a.outbox -> s.inbox -> e; s.odd -> o"],
)
def test_links_as_a_text(links: str) -> None:
    even, odd = Probe(), Probe()
    run_virtual(Graphline(links=links, a=Feeder(range(6)), s=Sorts(), e=even, o=odd))
    assert (even.messages, odd.messages) == ([0, 2, 4], [1, 3, 5])


def test_boxes_of_self_pass_in_and_out() -> None:
    even, odd = Probe(), Probe()
    sorter = Graphline(s=Sorts(), n=Numbered("n"), links="self -> s; s -> self; s.odd -> n; n -> self.rest")
    graph = Graphline(f=Feeder(range(6)), sorter=sorter, e=even, o=odd, links="f -> sorter -> e; sorter.rest -> o")
    run_virtual(graph)
    assert (even.messages, odd.messages) == ([0, 2, 4], [("n", 1), ("n", 3), ("n", 5)])


def test_boxes_of_self_are_this_ones_only() -> None:
    graph = Graphline(n=Numbered("n"), links="self.tune -> n; n -> self.result")
    assert "tune" in graph.inbox_names
    assert "result" in graph.outbox_names
    other = Graphline(n=Numbered("n"))
    assert set(other.inbox_names) == {"inbox", "control"}
    assert set(other.outbox_names) == {"outbox", "signal"}
    assert "tune" not in Graphline._class_inboxes


def test_components_are_named_after_their_keys_whatever_they_call_themselves() -> None:
    graph = Graphline(a=Sorts(), b=Numbered("mine"), NORMAL=PublishTo("NormalEvents"), S=Pipeline(Sorts(), name="own"))
    assert [child.path for child in graph.children] == ["Graphline/a", "Graphline/b", "Graphline/NORMAL", "Graphline/S"]


def test_a_component_that_is_part_of_another_keeps_its_name() -> None:
    taken = Sorts()
    Pipeline(taken)
    with pytest.raises(WiringError, match=r"Pipeline/Sorts is part of Pipeline already"):
        Graphline(other=taken)
    assert taken.name == "Sorts"


def test_producer_finished_never_overtakes_data_inside() -> None:
    slow = Probe(seconds_each=1.0, forward=True)
    last = Probe()
    inner = Graphline(a=slow, b=Numbered("b"), links="self -> a -> b -> self")
    run_virtual(Pipeline(Feeder(range(5)), inner, last))
    assert last.messages == [("b", n) for n in range(5)]


def test_it_ends_with_the_last_of_its_components_and_says_so_once() -> None:
    control = ControlProbe()
    inner = Graphline(a=Feeder([PAUSE(1)]), b=Feeder([PAUSE(5)]))
    assert run_virtual(Graphline(g=inner, c=control, linkages={("g", "signal"): ("c", "control")})) == 5.0
    assert control.kinds == ["ProducerFinished"]


def test_a_signal_that_passes_out_is_not_said_twice() -> None:
    control = ControlProbe()
    inner = Graphline(a=Feeder([PAUSE(1)]), linkages={("a", "signal"): ("self", "signal")})
    run_virtual(Graphline(g=inner, c=control, linkages={("g", "signal"): ("c", "control")}))
    assert control.kinds == ["ProducerFinished"]


class Says(Component):
    """Sends something on its signal after a second."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(1)
        self.send(self.what, "signal")
        yield self.sleep(1)


def test_shutdown_goes_to_all_and_out_again() -> None:
    a, b, control = Probe(), Probe(seconds_each=1.0), ControlProbe()
    inner = Graphline(a=Pipeline(Feeder([]), a), b=b, taker=(taker := ControlProbe()))
    graph = Graphline(
        s=Says(Shutdown()), g=inner, c=control,
        linkages={("s", "signal"): ("g", "control"), ("g", "signal"): ("c", "control")},
    )  # fmt: skip
    run_virtual(graph)
    assert (a.ended_by, b.ended_by) == ("finished", "stopped")
    assert taker.kinds[0] == "Shutdown"
    assert control.kinds == ["Shutdown"]


def test_one_whose_control_is_linked_hears_from_its_own_producer_only() -> None:
    a, b = Feeder([PAUSE(5)], name="a"), ControlProbe()
    inner = Graphline(a=a, b=b, linkages={("a", "signal"): ("b", "control")})
    run_virtual(Graphline(s=Says(Shutdown("from outside")), g=inner, linkages={("s", "signal"): ("g", "control")}))
    assert [getattr(message, "reason", message) for message in b.got] == ["Graphline/g/a"]


def test_control_that_passes_in_to_one_goes_to_the_rest_when_that_one_has_ended() -> None:
    first, rest = Take(1, "t"), Probe()
    ways = {("self", "inbox"): ("a", "inbox"), ("self", "control"): ("a", "control")}
    inner = Graphline(a=first, b=rest, linkages=ways)
    outer = Graphline(
        f=Feeder([1, PAUSE(100)]), s=Says(Shutdown()), g=inner,
        linkages={("f", "outbox"): ("g", "inbox"), ("s", "signal"): ("g", "control")},
    )  # fmt: skip
    assert run_virtual(outer) == 2.0
    assert rest.ended_by == "stopped"


def test_a_stop_after_shutdown_on_control_still_reaches_those_that_did_not_hear_it() -> None:
    """Those whose control somebody else has are not told by the graphline, but the end of the run is for all."""
    b = Probe()
    inner = Graphline(a=ControlProbe(), b=b, linkages={("a", "signal"): ("b", "control")})
    graph = Graphline(s=Says(Shutdown()), g=inner, linkages={("s", "signal"): ("g", "control")})
    assert run_virtual(graph, Feeder([PAUSE(100)]), StopAfter(graph, 5.0), until_s=6.0) == 6.0
    assert b.ended_by == "stopped"


def test_a_receiver_that_ends_takes_only_what_feeds_it_along() -> None:
    other = Probe()
    graph = Graphline(
        a=Feeder(iter(int, 1)), b=Feeder([PAUSE(1), 1, PAUSE(1), 2]), o=other, links="a -> self; b -> o",
    )  # fmt: skip
    run_virtual(Pipeline(graph, Take(2, "t")))
    assert other.messages == [1, 2]


def test_a_circle_with_an_entrance() -> None:
    class Halves(Component):
        Outboxes = {"again": ""}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for number in self.inbox():
                    self.send(number // 2, "again" if number > 1 else "outbox")

    done = Probe()
    graph = Graphline(h=Halves(), p=Pipeline(Probe(forward=True)), links="self -> h -> self; h.again -> p -> h")
    run_virtual(Pipeline(Feeder([8, PAUSE(1), 5]), graph, done), Feeder([PAUSE(50)]))
    assert done.messages == [0, 0]
    assert done.ended_by == "finished"


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(WiringError, match="needs components"):
        Graphline()
    with pytest.raises(WiringError, match=r"no component 'sorst'; did you mean 'sorts'\? \(there are: a, sorts, self"):
        Graphline(a=Feeder([]), sorts=Sorts(), links="a -> sorst")
    with pytest.raises(NoSuchBox, match=r"/s has no outbox 'od'; did you mean 'odd'.*there are: odd, outbox, signal"):
        Graphline(s=Sorts(), n=Numbered("n"), links="s.od -> n")
    with pytest.raises(NoSuchBox, match="has no inbox 'inbx'; did you mean 'inbox'"):
        Graphline(s=Sorts(), n=Numbered("n"), links="s -> n.inbx")
    with pytest.raises(WiringError, match=r"already feeds Graphline/n\.inbox"):
        Graphline(s=Sorts(), n=Numbered("n"), m=Numbered("m"), links="s -> n; s -> m")
    with pytest.raises(WiringError, match="cannot read the link 'a => b'"):
        Graphline(a=Sorts(), b=Sorts(), links="a => b")
    with pytest.raises(WiringError, match="cannot read the link 'a'"):
        Graphline(a=Sorts(), links="a")
    with pytest.raises(WiringError, match="cannot be linked to"):
        Graphline(a=Sorts(), links="self -> self")
    with pytest.raises(WiringError, match="is not an end of a link"):
        Graphline(a=Sorts(), linkages={"a": ("a", "inbox")})  # type: ignore[dict-item]
    with pytest.raises(WiringError, match="a and b are the same component"):
        Graphline(a=(one := Sorts()), b=one)
    with pytest.raises(WiringError, match="a dict is linkages="):
        Graphline(links={("a", "outbox"): ("b", "inbox")}, a=Sorts(), b=Sorts())  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="linkages is"):
        Graphline([(("a", "outbox"), ("a", "inbox"))], a=Sorts())  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="give a component another name"):
        Graphline(a=Sorts(), name=Sorts())  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"Sorts\(\.\.\.\)"):
        Graphline(a=Sorts)  # type: ignore[arg-type]


@pytest.mark.parametrize("chassis", [Graphline, lambda **parts: Pipeline(Graphline(**parts))], ids=["one", "nested"])
def test_a_service_among_its_components_does_not_keep_it(chassis: Any) -> None:
    probe = Probe()
    graph = chassis(
        EVENTS=Backplane("Events"), SOURCE=Feeder([1, 2]), TO=PublishTo("Events"), FROM=SubscribeTo("Events"),
        PROBE=probe, links="SOURCE -> TO; FROM -> PROBE",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.messages == [1, 2]
    assert graph.ended


def test_the_end_of_one_service_is_not_the_end_of_the_others() -> None:
    one, other, probe = Backplane("One"), Backplane("Other"), Probe()
    both = Graphline(ONE=one, OTHER=other)

    class StopsOne(Component):
        def main(self) -> Generator[Any, Any, None]:
            one.stop()
            yield self.sleep(1)
            other.publish("still here")

    run_virtual(both, Pipeline(SubscribeTo("Other"), probe), StopsOne())
    assert probe.messages == ["still here"]


def test_one_that_is_made_of_services_is_one() -> None:
    backplane, probe = Graphline(EVENTS=Backplane("Events")), Probe()
    run_virtual(backplane, Pipeline(Feeder([1]), probe))
    assert backplane.service
    assert probe.messages == [1]
