"""Demand: who is live, when a source opens and closes, and that coming and going leaves nothing behind.

The rule (wanted of every graph here): live(c) = c has no required outbox, or each of its required outboxes feeds
somebody live; the least set for which this holds.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.util import Splitter
from axonlike.demand import OnDemand, Unwanted, Wanted, is_live
from axonlike.linkage import Box, Linkage
from axonlike.testing import check_component, run_virtual
from axonlike.threads import ThreadedComponent


class Device(OnDemand):
    """Notes when it is opened and closed; sends a number a second while it is open."""

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("numbers", int, required=True),
        "status": "optional: neither gives nor needs demand",
    }

    def __init__(self, name: str = "Device") -> None:
        self.name = name
        self.log: list[tuple[float, str]] = []

    def main(self) -> Generator[Any, Any, None]:
        number = 0
        opened = False
        while True:
            yield self.wait("demand", timeout=1.0 if opened else None)
            for message in self.inbox("demand"):
                opened = isinstance(message, Wanted)
                assert opened is self.wanted
                assert self.scheduler is not None
                self.log.append((self.scheduler.time(), "open" if opened else "close"))
            if opened:
                self.send(number)
                number += 1

    @property
    def opened(self) -> list[str]:
        return [what for _, what in self.log]


class Stage(Component):
    """Works only if somebody takes what it sends."""

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("the same", required=True)}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


class Swallow(Stage):
    """Takes everything and sends nothing, so that nothing goes round for ever."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            list(self.inbox())


class Sink(Component):
    """A display: it has an outbox, but nobody has to take what it sends."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            self.seen += list(self.inbox())


class TwoWays(Stage):
    """Two required outboxes."""

    Outboxes: ClassVar[dict[str, Any]] = {
        "high": Box("the same", required=True), "low": Box("the same", required=True)
    }  # fmt: skip

    def __init__(self) -> None:
        self.remove_outbox("outbox")

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message, "high")
                self.send(message, "low")


class AnyWay(TwoWays):
    any_demand_will_do: ClassVar[bool] = True


class At(Component):
    """Does things at their times."""

    def __init__(self, *actions: tuple[float, Callable[[], Any]]) -> None:
        self.actions = actions

    def main(self) -> Generator[Any, Any, None]:
        done_s = 0.0
        for when_s, action in self.actions:
            yield self.sleep(when_s - done_s)
            done_s = when_s
            action()


def link(source: Component, sink: Component, outbox: str = "outbox", inbox: str = "inbox") -> Linkage:
    return source.link((source, outbox), (sink, inbox))


def live_after_a_second(device: Component, *others: Component) -> bool:
    found: list[bool] = []
    run_virtual(device, *others, At((1.0, lambda: found.append(is_live(device)))), until_s=1.5)
    if isinstance(device, Device):
        assert device.opened[:1] == (["open"] if found[0] else [])
    return found[0]


# -- who is live


def test_a_chain_without_a_sink_opens_nothing() -> None:
    assert not live_after_a_second(Device())
    device, stage = Device(), Stage()
    link(device, stage)
    assert not live_after_a_second(device, stage)
    device = Device()
    run_virtual(Pipeline(device, Stage(), Stage()), until_s=3)
    assert device.log == []


def test_a_display_at_the_end_opens_the_device_once() -> None:
    device, view = Device(), Sink()
    run_virtual(Pipeline(device, Stage(), Stage(), view), until_s=10)
    assert device.log == [(0.0, "open")]
    assert len(view.seen) >= 9


def test_what_has_no_required_outbox_is_live_linked_or_not() -> None:
    assert live_after_a_second(Sink())


def test_an_optional_outbox_gives_no_demand() -> None:
    device, view = Device(), Sink()
    link(device, view, "status")
    assert not live_after_a_second(device, view)


@pytest.mark.parametrize("taken", [(), ("high",), ("low",), ("high", "low"), ("signal",)])
@pytest.mark.parametrize(("kind", "enough"), [(TwoWays, 2), (AnyWay, 1)])
def test_all_required_outboxes_have_to_be_taken_or_one_where_any_will_do(
    kind: type[TwoWays], enough: int, taken: tuple[str, ...]
) -> None:
    device, stage = Device(), kind()
    views = [Sink() for _ in taken]
    link(device, stage)
    for outbox, view in zip(taken, views):
        link(stage, view, outbox, "control" if outbox == "signal" else "inbox")
    data = [outbox for outbox in taken if outbox != "signal"]
    assert live_after_a_second(device, stage, *views) is (len(data) >= enough)


def test_a_consumer_that_is_not_live_itself_is_none() -> None:
    device, stage, dead, view = Device(), TwoWays(), Stage(), Sink()
    link(device, stage)
    link(stage, view, "high")
    link(stage, dead, "low")
    assert not live_after_a_second(device, stage, dead, view)


def test_a_circle_gives_itself_no_demand() -> None:
    device, one, two = Device(), Stage(), Swallow()
    link(device, one)
    link(one, two)
    link(two, one)
    assert not live_after_a_second(device, one, two)


def test_a_circle_with_a_way_out_to_a_display_is_live() -> None:
    device, splitter, back, view = Device(), Splitter("view"), Swallow(), Sink()
    link(device, splitter)
    link(splitter, back)
    link(back, splitter)
    link(splitter, view, "view")
    assert live_after_a_second(device, splitter, back, view)


def test_a_circle_of_stages_that_need_both_ways_is_not() -> None:
    device, both, back, view = Device(), TwoWays(), Swallow(), Sink()
    link(device, both)
    link(both, view, "high")
    link(both, back, "low")
    link(back, both)
    assert not live_after_a_second(device, both, back, view)


def test_a_diamond_is_live_if_both_of_its_ways_are() -> None:
    for ends in (0, 1, 2):
        device, both, views = Device(), TwoWays(), [Sink() for _ in range(2)]
        ways = [Stage(), Stage()]
        link(device, both)
        for way, outbox in zip(ways, ("high", "low")):
            link(both, way, outbox)
        for way, view in list(zip(ways, views))[:ends]:
            link(way, view)
        assert live_after_a_second(device, both, *ways, *views) is (ends == 2)


def test_a_splitter_is_live_by_any_of_its_receivers() -> None:
    for with_view in (False, True):
        device, splitter, dead, view = Device(), Splitter(), Stage(), Sink()
        link(device, splitter)
        splitter.add_sink(dead)
        if with_view:
            splitter.add_sink(view)
        assert live_after_a_second(device, splitter, dead, view) is with_view


def test_two_consumers_of_a_device_open_it_once() -> None:
    device, splitter, views = Device(), Splitter(), [Sink(), Sink()]
    link(device, splitter)
    for view in views:
        splitter.add_sink(view)
    run_virtual(device, splitter, *views, until_s=5)
    assert device.log == [(0.0, "open")]
    assert views[0].seen == views[1].seen != []


@pytest.mark.parametrize(
    "wrap",
    [
        lambda device, stage, view: (Pipeline(Pipeline(device, stage), view),),
        lambda device, stage, view: (Pipeline(device, Pipeline(stage, view)),),
        lambda device, stage, view: (Pipeline(Pipeline(Pipeline(device)), Pipeline(Pipeline(stage), view)),),
        lambda device, stage, view: (Graphline(links="D -> S -> V", D=device, S=stage, V=view),),
        lambda device, stage, view: (Graphline(links="D -> S", D=Pipeline(device, stage), S=Pipeline(view)),),
    ],
)
def test_a_chassis_between_makes_no_difference(wrap: Callable[..., tuple[Component, ...]]) -> None:
    device, view = Device(), Sink()
    run_virtual(*wrap(device, Stage(), view), until_s=5)
    assert device.log == [(0.0, "open")]
    assert view.seen


def test_a_chassis_that_passes_its_inbox_nowhere_is_no_display() -> None:
    device, view = Device(), Sink()
    chassis = Graphline(links="S -> V", S=Stage(), V=view)
    link(device, chassis)
    assert not live_after_a_second(device, chassis)


def test_a_chassis_that_leads_nowhere_gives_no_demand() -> None:
    device = Device()
    run_virtual(Pipeline(Pipeline(device), Pipeline(Stage())), until_s=5)
    assert device.log == []


GRAPHS = list(itertools.product([False, True], repeat=6))


@pytest.mark.parametrize("present", GRAPHS)
def test_small_graphs_agree_with_the_rule_written_down_as_it_stands(present: tuple[bool, ...]) -> None:
    """Device -> A (two required outboxes: high, low), B a stage, V a sink; each of six links there or not."""
    device, a, b, view = Device(), TwoWays(), Stage(), Sink()
    possible = [
        (device, "outbox", a), (a, "high", b), (a, "low", view),
        (b, "outbox", view), (a, "high", view), (b, "outbox", a),
    ]  # fmt: skip
    links: dict[tuple[Component, str], Component] = {}
    for there, (source, outbox, sink) in zip(present, possible):
        if there and (source, outbox) not in links:
            links[source, outbox] = sink
            link(source, sink, outbox)
    required = {device: ["outbox"], a: ["high", "low"], b: ["outbox"], view: []}
    live: set[Component] = set()
    for _ in required:  # the least fixpoint, by so many rounds as there are components
        live = {part for part, boxes in required.items() if all(links.get((part, box)) in live for box in boxes)}
    assert live_after_a_second(device, a, b, view) is (device in live)


# -- when it opens and closes


def test_it_opens_when_demand_comes_and_closes_a_second_after_it_has_gone() -> None:
    device, view = Device(), Sink()
    links: list[Linkage] = []
    run_virtual(
        device, view,
        At((3.0, lambda: links.append(link(device, view))), (7.0, lambda: device.unlink(links.pop()))),
        until_s=20,
    )  # fmt: skip
    assert device.log == [(3.0, "open"), (8.0, "close")]


def test_demand_that_comes_back_within_the_linger_closes_nothing() -> None:
    device, view = Device(), Sink()
    links = [link(device, view)]
    run_virtual(
        device, view,
        At(
            (3.0, lambda: device.unlink(links.pop())), (3.9, lambda: links.append(link(device, view))),
            (5.0, lambda: device.unlink(links.pop())), (6.1, lambda: links.append(link(device, view))),
        ),
        until_s=20,
    )  # fmt: skip
    assert device.log == [(0.0, "open"), (6.0, "close"), (6.1, "open")]


def test_each_absence_has_its_own_linger() -> None:
    device, view = Device(), Sink()
    links = [link(device, view)]
    run_virtual(
        device, view,
        At(
            (3.0, lambda: device.unlink(links.pop())), (3.9, lambda: links.append(link(device, view))),
            (4.0, lambda: device.unlink(links.pop())),
        ),
        until_s=20,
    )  # fmt: skip
    assert device.log == [(0.0, "open"), (5.0, "close")]


def test_what_changes_elsewhere_during_the_linger_changes_nothing() -> None:
    device, view, other, elsewhere = Device(), Sink(), Stage(), Sink()
    links = [link(device, view)]
    run_virtual(
        device, view, other, elsewhere,
        At((3.0, lambda: device.unlink(links.pop())), (3.5, lambda: link(other, elsewhere))),
        until_s=20,
    )  # fmt: skip
    assert device.log == [(0.0, "open"), (4.0, "close")]


def test_the_linger_is_an_attribute() -> None:
    device, view = Device(), Sink()
    device.linger_s = 4.0
    links = [link(device, view)]
    run_virtual(device, view, At((3.0, lambda: device.unlink(links.pop()))), until_s=20)
    assert device.log == [(0.0, "open"), (7.0, "close")]


def test_a_display_that_ends_closes_the_device_and_the_next_opens_it() -> None:
    class Short(Sink):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(2)

    device, splitter, short, late = Device(), Splitter(), Short(), Sink()
    link(device, splitter)
    splitter.add_sink(short)
    run_virtual(device, splitter, short, late, At((5.0, lambda: splitter.add_sink(late))), until_s=10)
    assert device.log == [(0.0, "open"), (3.0, "close"), (5.0, "open")]


def test_a_display_gives_demand_from_its_start_on() -> None:
    device, view = Device(), Sink()
    link(device, view)

    def start() -> None:
        assert device.scheduler is not None
        device.scheduler.activate(view)

    run_virtual(device, At((4.0, start)), until_s=10)
    assert device.log == [(4.0, "open")]


def test_the_second_consumer_of_two_that_are_required_opens_the_device() -> None:
    device, both, views = Device(), TwoWays(), [Sink(), Sink()]
    link(device, both)
    link(both, views[0], "high")
    links: list[Linkage] = []
    run_virtual(
        device, both, *views,
        At(
            (2.0, lambda: links.append(link(both, views[1], "low"))),
            (4.0, lambda: both.unlink(links.pop())),
        ),
        until_s=10,
    )  # fmt: skip
    assert device.log == [(2.0, "open"), (5.0, "close")]


def test_several_changes_in_one_step_are_one_look() -> None:
    device, view = Device(), Sink()

    def flicker() -> None:
        for _ in range(100):
            device.unlink(link(device, view))

    run_virtual(device, view, At((2.0, flicker)), until_s=10)
    assert device.log == []


def test_a_source_that_ends_while_it_lingers_is_told_nothing_more() -> None:
    device, view = Device(), Sink()
    links = [link(device, view)]
    run_virtual(
        device, view, At((2.0, lambda: device.unlink(links.pop())), (2.5, device.stop), (9.0, lambda: None)), until_s=10
    )
    assert device.log == [(0.0, "open")]
    assert device.ended


def test_a_thread_is_told_in_the_same_way() -> None:
    class Threaded(OnDemand, ThreadedComponent):
        Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("numbers", required=True)}

        def __init__(self) -> None:
            self.told: list[str] = []

        def main(self) -> None:
            while True:
                self.wait("demand")
                for message in self.inbox("demand"):
                    self.told.append(repr(message))
                    assert self.wanted is isinstance(message, Wanted)

    device, view = Threaded(), Sink()
    links = [link(device, view)]
    # While the thread works time is real: it is to have looked at the one before the other comes.
    run_virtual(device, view, At((60.0, lambda: device.unlink(links.pop()))), until_s=120)
    assert device.told == ["Wanted()", "Unwanted()"]


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_order_in_which_components_run_does_not_matter(seed: str) -> None:
    device, stage, view = Device(), Stage(), Sink()
    link(device, stage)
    links: list[Linkage] = []
    run_virtual(
        device, stage, view,
        At((3.0, lambda: links.append(link(stage, view))), (7.0, lambda: stage.unlink(links.pop()))),
        until_s=20, shuffle=seed,
    )  # fmt: skip
    assert device.log == [(3.0, "open"), (8.0, "close")]


# -- coming and going


@pytest.mark.hang_guard(300)
def test_a_thousand_displays_that_come_and_go_leave_nothing() -> None:
    device, splitter = Device(), Splitter()
    link(device, splitter)
    counts: list[int] = []

    class Visitors(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(1000):
                view = Sink()
                assert self.scheduler is not None
                self.scheduler.activate(view)
                splitter.add_sink(view)
                yield self.sleep(0.5)
                if number % 2:
                    splitter.remove_sink(view)
                    view.stop()
                else:
                    view.stop()
                yield self.sleep(2.0)
                assert not splitter.sinks
                if number in (10, 999):
                    del view
                    gc.collect()
                    counts.append(len(gc.get_objects()))
                    counts.append(len(self.scheduler.parts))

    run_virtual(device, splitter, Visitors())
    assert device.opened == ["open", "close"] * 1000
    assert counts[2] - counts[0] < 2500 + 2 * 1978  # its own log: two tuples for each visit
    assert counts[3] == counts[1]
    assert len(splitter.outbox_names) == 2


def test_messages_have_names() -> None:
    assert (repr(Wanted()), repr(Unwanted())) == ("Wanted()", "Unwanted()")


def test_it_conforms() -> None:
    check_component(Device, ends=False)
