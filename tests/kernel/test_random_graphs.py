"""Whole graphs that Hypothesis draws: nothing is lost, order holds on each link, everything ends, each part once.

Fault rows 11 (no lost wake-up), 17 (an orderly end delivers everything) and 19 (shutdown through circles and fan-in).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from axonlike import Component, Graphline, Scheduler, ThreadedComponent
from axonlike.errors import Deadlock, Finished
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual

pytestmark = pytest.mark.hang_guard(110)


class Node(Component):
    """Sends what comes to each of its outboxes, at most `hops` times round."""

    def __init__(self, outboxes: int, style: str) -> None:
        self.boxes = ["outbox", *(f"out{number}" for number in range(1, outboxes))]
        for box in self.boxes[1:]:
            self.add_outbox(box)
        self.style = style
        self.ends = 0
        self.seen: list[tuple[int, ...]] = []

    def main(self) -> Any:
        return getattr(self, self.style)()

    def forward(self, message: tuple[int, ...]) -> None:
        self.seen.append(message)
        source, number, hops = message
        if hops:
            for box in self.boxes:
                self.send((source, number, hops - 1), box)

    def loop(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.forward(message)
        finally:
            self.ends += 1

    def one_a_turn(self) -> Generator[Any, Any, None]:
        try:
            while True:
                if self.data_ready():
                    self.forward(self.recv())
                self.pause()
                yield
        finally:
            self.ends += 1

    def yields_in_the_loop(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait()
                for message in self.inbox():
                    yield self.sleep(0.001)
                    self.forward(message)
        finally:
            self.ends += 1

    def leaves_the_loop(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.forward(message)
                    break
        finally:
            self.ends += 1

    async def asynchronous(self) -> None:
        try:
            async for message in self.inbox():
                self.forward(message)
                await self.sleep(0)
        finally:
            self.ends += 1


STYLES = ["loop", "one_a_turn", "yields_in_the_loop", "leaves_the_loop", "asynchronous"]


class ThreadNode(ThreadedComponent):
    def __init__(self) -> None:
        self.ends = 0
        self.seen: list[tuple[int, ...]] = []

    def main(self) -> None:
        try:
            while True:
                message = self.recv()
                self.seen.append(message)
                source, number, hops = message
                if hops:
                    self.send((source, number, hops - 1))
        except Finished:
            self.ends += 1


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, Any]:
    """Layers of nodes; each outbox leads to a node of a later layer."""
    count = draw(st.integers(1, 6))
    nodes: list[dict[str, Any]] = [
        {"style": draw(st.sampled_from([*STYLES, "thread"])), "outs": draw(st.integers(1, 2))} for _ in range(count)
    ]
    links = {}
    for index, node in enumerate(nodes):
        if node["style"] == "thread":
            node["outs"] = 1
        for out in range(node["outs"]):
            links[index, out] = draw(st.integers(index + 1, count))  # `count` is the probe at the end
    sources = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, 15)), min_size=1, max_size=3))
    return {"nodes": nodes, "links": links, "sources": sources, "limit": draw(st.integers(1, 4))}


def paths_to_the_end(graph: dict[str, Any], start: int) -> int:
    if start == len(graph["nodes"]):
        return 1
    return sum(
        paths_to_the_end(graph, graph["links"][start, out]) for out in range(graph["nodes"][start]["outs"])
    )


@given(acyclic(), st.sampled_from(["", "1", "2"]))
def test_row_17_all_arrives_once_by_every_path_in_order_and_all_ends(graph: dict[str, Any], shuffle: str) -> None:
    parts: list[Any] = [
        ThreadNode() if node["style"] == "thread" else Node(node["outs"], node["style"]) for node in graph["nodes"]
    ]
    probe = Probe()
    everything = [*parts, probe]
    for part in everything:
        part.configure_inbox("inbox", limit=graph["limit"])
    for (index, out), target in graph["links"].items():
        box = "outbox" if out == 0 else f"out{out}"
        parts[index].link((parts[index], box), (everything[target], "inbox"))
    feeders = []
    for source, (target, number) in enumerate(graph["sources"]):
        feeder = Feeder([(source, n, 100) for n in range(number)], name=f"source{source}")
        feeder.link((feeder, "outbox"), (everything[target], "inbox"))
        feeders.append(feeder)
    run_virtual(*feeders, *everything, shuffle=shuffle)
    for source, (target, number) in enumerate(graph["sources"]):
        paths = paths_to_the_end(graph, target)
        arrived = [n for s, n, _ in probe.messages if s == source]
        assert sorted(arrived) == sorted(list(range(number)) * paths)
        # FIFO on each link: what took one and the same way (a single path) came in the order of sending.
        if paths == 1:
            assert arrived == list(range(number))
    for part in parts:
        assert part.ended
        assert part.ends == 1
        for box in part.statistics():
            assert box.offered == box.taken == len(part.seen)
            assert (box.dropped, box.unread_at_end, box.depth, box.waiting_senders) == (0, 0, 0, 0)


@st.composite
def any_graph(draw: st.DrawFn) -> dict[str, Any]:
    """Any links at all, circles and fan-in included; messages go a limited number of hops."""
    count = draw(st.integers(1, 5))
    nodes = [(draw(st.sampled_from(STYLES)), draw(st.integers(1, 2))) for _ in range(count)]
    links = {(i, out): draw(st.integers(0, count)) for i, (_, outs) in enumerate(nodes) for out in range(outs)}
    feeds = draw(st.integers(0, count - 1))
    hops = draw(st.integers(0, 4))
    return {"nodes": nodes, "links": links, "feeds": feeds, "hops": hops, "number": draw(st.integers(0, 6))}


def wired(graph: dict[str, Any], limit: int | None) -> tuple[list[Node], Probe, Feeder]:
    parts, probe = [Node(outs, style) for style, outs in graph["nodes"]], Probe()
    for part in parts:
        part.configure_inbox("inbox", limit=limit)
    for (index, out), target in graph["links"].items():
        box = "outbox" if out == 0 else f"out{out}"
        parts[index].link((parts[index], box), ([*parts, probe][target], "inbox"))
    feeder = Feeder([(0, n, graph["hops"]) for n in range(graph["number"])])
    feeder.link((feeder, "outbox"), (parts[graph["feeds"]], "inbox"))
    return parts, probe, feeder


def deliveries(graph: dict[str, Any]) -> int:
    """How many messages all nodes and the probe take, counted without any scheduler."""
    count, work = 0, [(graph["feeds"], graph["hops"])] * graph["number"]
    while work:
        index, hops = work.pop()
        count += 1
        if index < len(graph["nodes"]) and hops:
            outs = graph["nodes"][index][1]
            work += [(graph["links"][index, out], hops - 1) for out in range(outs)]
    return count


@given(any_graph(), st.sampled_from(["", "7"]))
def test_row_19_circles_end_by_themselves_and_lose_nothing(graph: dict[str, Any], shuffle: str) -> None:
    parts, probe, feeder = wired(graph, limit=None)
    run_virtual(feeder, *parts, probe, shuffle=shuffle)
    assert sum(len(part.seen) for part in parts) + len(probe.messages) == deliveries(graph)
    assert [part.ends for part in parts] == [1] * len(parts)


@given(any_graph())
def test_row_12_a_small_limit_ends_or_names_a_deadlock_but_never_hangs(graph: dict[str, Any]) -> None:
    parts, probe, feeder = wired(graph, limit=1)
    try:
        run_virtual(feeder, *parts, probe)
    except Deadlock:
        event("deadlock")
    else:
        assert sum(len(part.seen) for part in parts) + len(probe.messages) == deliveries(graph)
    assert all(part.ended for part in (*parts, probe, feeder))


@given(any_graph(), st.floats(0, 0.01))
def test_row_19_shutdown_at_any_time_closes_each_part_once(graph: dict[str, Any], stop_at_s: float) -> None:
    parts, probe, feeder = wired({**graph, "number": 6}, limit=None)
    feeder._items = [item for n in range(6) for item in ((0, n, 3), PAUSE(0.002))]
    run_virtual(feeder, *parts, probe, until_s=stop_at_s)
    assert all(part.ends <= 1 for part in parts)
    assert all(part.ended for part in (*parts, probe, feeder))
    for part in parts:
        for box in part.statistics():
            assert box.offered == box.taken + box.dropped + box.unread_at_end
            assert len(part.seen) <= box.taken <= len(part.seen) + 1  # one may have been in its hands


def test_row_19_shutdown_through_nested_graphlines_with_a_circle() -> None:
    inner = Graphline(A=Node(2, "loop"), B=Node(1, "loop"), links="A.out1 -> B; B -> A", linkages={
        ("self", "inbox"): ("A", "inbox"), ("A", "outbox"): ("self", "outbox"),
    })  # fmt: skip
    nodes = [inner.components["A"], inner.components["B"]]
    probe = Probe()
    graph = Graphline(FEED=Feeder([(0, n, 3) for n in range(5)]), INNER=inner, OUT=probe, links="FEED -> INNER -> OUT")
    run_virtual(graph)
    assert [part.ends for part in nodes] == [1, 1]  # type: ignore[attr-defined]
    assert probe.ended_by == "finished"
    assert len(probe.messages) == 5 * 2


@pytest.mark.slow
def test_row_11_a_million_messages_between_components_lose_no_wake_up() -> None:
    class Counts(Component):
        expected = 0

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    assert message == self.expected
                    self.expected += 1

    class Floods(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(1_000_000):
                self.send(number)
                if number % 7 == 0:
                    yield

    counts = Counts()
    Scheduler(watchdog_s=None).run(Floods() | counts)
    assert counts.expected == 1_000_000
