"""Snapshots: what they say of each state, that they are frozen, and that they can be taken from anywhere."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler, Supervisor, ThreadedComponent, background
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer, SingleServer, TCPClient, UDPReceiver
from axonlike.driven import Driven
from axonlike.instruments import stack_of
from axonlike.introspection import GraphSnapshot, NoSnapshot, describe, rates, snapshot, snapshot_of
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual
from tests.chassis.doubles import Numbered


class Looks(Component):
    """Takes a snapshot at each of these times, then stops everything."""

    service = True

    def __init__(self, *at_s: float) -> None:
        self.at_s = at_s
        self.seen: list[GraphSnapshot] = []

    def main(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        for at_s in self.at_s:
            yield self.sleep(at_s - scheduler.time())
            self.seen.append(snapshot(scheduler))
        scheduler.stop("seen enough")


def seen_at(at_s: float, *parts: Component) -> GraphSnapshot:
    looks = Looks(at_s)
    run_virtual(*parts, looks)
    return looks.seen[0]


def why(part: Component, feed: list[Any] | None = None, *others: Component) -> str:
    """What a part waits for, in words, after a second."""
    parts: list[Component] = [part, Feeder([PAUSE(1000)], name="keeps it running"), *others]
    if feed is not None:
        parts.append(Pipeline(Feeder(feed), part))
        del parts[0]
    graph = seen_at(1.0, *parts)
    return next(p.why for p in graph.parts if p.path.endswith(part.name))


def one(body: Callable[[Component], Any]) -> Component:
    class Body(Component):
        Inboxes = {"tune": ""}

        def main(self) -> Generator[Any, Any, None]:
            yield from body(self)

    return Body()


def test_each_state_is_told_in_words() -> None:
    def waits(c: Component) -> Generator[Any, Any, None]:
        yield c.wait("inbox", "tune", timeout=5.0)

    def sleeps(c: Component) -> Generator[Any, Any, None]:
        yield c.sleep(3.0)

    def joins(c: Component) -> Generator[Any, Any, None]:
        c.add_child(Stalled())
        yield c.join()

    class Awaits(Component):
        async def main(self) -> None:
            import asyncio

            await asyncio.sleep(100)

    def waits_for_one(c: Component) -> Generator[Any, Any, None]:
        yield c.wait("tune")

    one_of_two, feeder = one(waits_for_one), Feeder([PAUSE(1000)])
    feeder.link((feeder, "outbox"), (one_of_two, "inbox"))
    assert why(one_of_two, None, feeder) == "waits for a message in 'tune', and nobody feeds it"
    assert why(one(waits)) == "waits for a message in 'inbox' or 'tune', 4 s at most, and nobody feeds it"
    assert why(Numbered("n")) == "waits for a message in 'inbox', and nobody feeds it"
    assert why(Numbered("n"), [PAUSE(10)]) == "waits for a message in 'inbox'"
    assert why(one(sleeps)) == "sleeps, 2 s more"
    assert why(one(joins)) == "waits for Body/Stalled to end"
    assert why(Awaits()).startswith("awaits <Future pending")
    assert why(Pipeline(Stalled())) == "stands as long as its 1 child"
    assert why(Pipeline(Stalled(), Stalled())) == "stands as long as its 2 children"


def test_one_that_has_just_gone_to_wait_and_still_stands_in_line_waits() -> None:
    seen: list[GraphSnapshot] = []

    class Next(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            for number in range(50):
                self.send(number)
                yield
                seen.append(snapshot(self.scheduler))

    run_virtual(Pipeline(Next(), Numbered("n")), shuffle="")
    parts = [graph.part("Pipeline/n") for graph in seen]
    assert {part.why for part in parts if not part.box().depth} == {"waits for a message in 'inbox'"}
    assert {part.why for part in parts if part.box().depth} <= {"has its turn soon"}


def test_who_is_held_back_and_by_which_box() -> None:
    graph = seen_at(1.0, Pipeline(Feeder(range(100)), Stalled(limit=5)))
    feeder, stalled = graph.part("Pipeline/Feeder"), graph.part("Pipeline/Stalled")
    assert (feeder.state, feeder.why) == ("BLOCKED", "waits for room in Pipeline/Stalled.inbox (5 of 5)")
    box = stalled.box()
    assert (box.depth, box.limit, box.policy, box.offered, box.taken, box.waiting_senders) == (5, 5, "block", 5, 0, 1)
    with pytest.raises(KeyError):
        stalled.box("tune")


def test_a_failed_component_that_comes_back_is_told() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("no")

    graph = seen_at(1.0, Supervisor(lambda: Breaks(), backoff=(10.0, 10.0)))
    assert graph.part("Supervisor").state == "BACKING_OFF"
    assert graph.part("Supervisor").why.startswith("failed; starts again")


def test_what_was_lost_is_counted_with_the_reason() -> None:
    class Sends(Component):
        Outboxes = {"other": ""}

        def main(self) -> Generator[Any, Any, None]:
            for _ in range(3):
                self.send(1)
            yield self.sleep(0.5)
            for _ in range(4):
                self.send(1, "other")
            yield self.sleep(100)

    class Short(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield

    class Long(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(50)

    sends, short, long = Sends(), Short(), Long()
    sends.add_outbox("third")
    sends.link((sends, "other"), (short, "inbox"))
    sends.link((sends, "third"), (long, "inbox"))
    part = seen_at(1.0, sends, short, long).part("Sends")
    assert dict(part.unlinked) == {"outbox": 3}
    assert dict(part.to_ended) == {"other": 4}


def test_links_are_there_as_they_were_made() -> None:
    graph = seen_at(1.0, Graphline(a=Pipeline(Feeder([PAUSE(9)])), b=Probe(), links="a -> b; b -> self.out", name="G"))
    texts = {str(link) for link in graph.links}
    assert "G/a.outbox -> G/b.inbox" in texts
    assert "G/b.outbox -> G.out   (passes out)" in texts
    assert "G/a.inbox -> G/a/Feeder.inbox   (passes in)" in texts
    assert "G/a/Feeder.outbox -> G/a.outbox   (passes out)" in texts


def test_the_tree_and_its_paths_fit_together() -> None:
    graph = seen_at(1.0, Backplane("x"), Pipeline(SubscribeTo("x"), Pipeline(Probe(), name="inner")))
    for part in graph.parts:
        for child in part.children:
            assert graph.part(child).parent == part.path
    assert graph.part("Backplane(x)").service
    assert graph.part("Pipeline/SubscribeTo(x)").service
    assert not graph.part("Pipeline/inner/Probe").service
    assert graph.part("Pipeline/inner/Probe").made_at is not None


def test_a_snapshot_is_frozen_and_does_not_change_while_the_system_goes_on() -> None:
    looks = Looks(1.0, 5.0)
    probe = Probe()
    run_virtual(Pipeline(Feeder([0, PAUSE(2), 1, 2, PAUSE(10)]), probe), looks)
    early, late = looks.seen
    assert (early.part("Pipeline/Probe").box().taken, late.part("Pipeline/Probe").box().taken) == (1, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        early.state = "x"  # type: ignore[misc]


def test_rates_are_messages_a_second_between_two_snapshots() -> None:
    looks = Looks(1.1, 3.1)
    source = Feeder([item for n in range(100) for item in (n, PAUSE(0.125))])
    slow = Probe(seconds_each=1.0)
    slow.configure_inbox(limit=2, policy="drop_oldest")
    run_virtual(Pipeline(source, slow), looks)
    (rate,) = [rate for rate in rates(*looks.seen) if rate.path == "Pipeline/Probe"]
    assert rate.box == "inbox"
    assert rate.offered_per_s == 8.0
    assert rate.taken_per_s == pytest.approx(1.0, abs=0.5)  # whether it took one at just that time is a matter of turns
    assert rate.dropped_per_s == pytest.approx(7.0, abs=0.5)
    with pytest.raises(ValueError, match="not later"):
        rates(looks.seen[1], looks.seen[0])


def test_from_another_thread() -> None:
    pipeline = Pipeline(Numbered("n"), Stalled())
    with background(pipeline) as scheduler:
        graph = until(scheduler, lambda graph: graph.part("Pipeline/n").state == "WAITING")  # its first turn is over
    assert graph.state == "running"
    assert graph.part("Pipeline/n").why == "waits for a message in 'inbox', and nobody feeds it"
    assert graph.held_by == ("the block that uses it",)


def test_a_thread_that_waits_and_one_that_works() -> None:
    working, release = threading.Event(), threading.Event()

    class Works(ThreadedComponent):
        def main(self) -> None:
            working.set()
            release.wait()

    class Waits(ThreadedComponent):
        def main(self) -> None:
            self.recv()

    with background(Works(), Waits()) as scheduler:
        working.wait()
        graph = snapshot(scheduler)
        while "which waits" not in graph.part("Waits").why:
            graph = snapshot(scheduler)
        release.set()
    assert graph.part("Works").why == "runs in a thread"
    assert graph.part("Waits").why == "runs in a thread, which waits for messages"


def test_a_step_that_holds_the_scheduler_is_named() -> None:
    held, release = threading.Event(), threading.Event()

    class Hog(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            held.set()
            release.wait()

    with background(Hog()) as scheduler:
        held.wait()
        assert scheduler.thread_id is not None
        while "release.wait()" not in stack_of(scheduler.thread_id):  # it may be late on its way there
            time.sleep(0.005)
        with pytest.raises(NoSnapshot, match="Hog holds it") as caught:
            snapshot(scheduler, timeout_s=0.01)
        release.set()
    assert "release.wait()" in str(caught.value)


def test_before_and_after_the_run() -> None:
    scheduler = Scheduler()
    pipeline = Pipeline(Feeder([1]), Probe())
    pipeline.activate(scheduler)
    before = snapshot(scheduler)
    assert (before.state, [part.path for part in before.parts]) == (
        "new", ["Pipeline", "Pipeline/Feeder", "Pipeline/Probe"]
    )  # fmt: skip
    assert before.part("Pipeline/Feeder").why == "made, not activated"
    scheduler.run()
    after = snapshot(scheduler)
    assert (after.state, after.parts) == ("ended", ())
    assert describe(after) == "ended: 0 parts, 0 in line for their turn"


def test_why_it_does_not_stop_in_a_text_for_people() -> None:
    """The golden text."""
    source = Pipeline(Feeder([1, 2, 3, 4, 5, PAUSE(60)]), PublishTo("x"), name="source")
    sink = Graphline(sub=SubscribeTo("x", limit=2), slow=Stalled(limit=2), links="sub -> slow", name="sink")
    text = describe(seen_at(1.5, Backplane("x"), source, sink))
    assert text == """\
running: 8 parts, 0 in line for their turn
  Backplane(x): passes on to 1 subscriber
  source (Pipeline): stands as long as its 2 children
    Feeder: sleeps, 58.5 s more
    PublishTo(x): waits for a message in 'inbox'
  sink (Graphline): stands as long as its 2 children
    sub (SubscribeTo(x)): is subscribed to 'x'
    slow (Stalled): sleeps, 3.6e+03 s more
        inbox: 2 of 2, 3 dropped (drop_oldest)
  Looks: has its turn soon
links:
  source.inbox -> source/Feeder.inbox   (passes in)
  source.control -> source/Feeder.control   (passes in)
  source/Feeder.outbox -> source/PublishTo(x).inbox
  source/Feeder.signal -> source/PublishTo(x).control
  source/PublishTo(x).outbox -> source.outbox   (passes out)
  source/PublishTo(x).signal -> source.signal   (passes out)
  sink/sub.outbox -> sink/slow.inbox
it ends when these have ended:
  source/Feeder: sleeps, 58.5 s more
  source/PublishTo(x): waits for a message in 'inbox'
  sink/slow: sleeps, 3.6e+03 s more"""


class Lone(Driven):
    """Says nothing of what drives it."""


def until(scheduler: Scheduler, condition: Callable[[GraphSnapshot], bool]) -> GraphSnapshot:
    """Take snapshots until one is so."""
    while True:
        graph = snapshot(scheduler)
        if condition(graph):
            return graph
        time.sleep(0.005)


def listens(graph: GraphSnapshot) -> bool:
    """Do all its servers?"""
    return all("port 0" not in part.why and part.state == "OUTSIDE" for part in graph.parts if "Server" in part.type)


@pytest.mark.net
def test_what_sockets_bring_messages_to_says_what_it_waits_for() -> None:
    server = SimpleServer(lambda: SubscribeTo("x"), 0, announce=False)
    with socket.socket() as unused, Scheduler() as scheduler:
        unused.bind(("127.0.0.1", 0))  # nobody else can listen there meanwhile
        unused_port = unused.getsockname()[1]
        client = TCPClient("127.0.0.1", unused_port, first_retry_s=30)
        single = SingleServer(0, announce=False)
        scheduler.activate(Backplane("x"), server, client, UDPReceiver(0), SubscribeTo("x"), Lone(), single)
        until(scheduler, listens)
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            peer_name = f"127.0.0.1:{peer.getsockname()[1]}"
            graph = until(scheduler, lambda graph: graph.part("SimpleServer").counts == {"clients": 1})
            why = {part.path: part.why for part in graph.parts}
            assert why["Backplane(x)"] == "passes on to 2 subscribers"
            assert graph.part("Backplane(x)").counts == {"subscribers": 2, "published": 0}
            assert why["SimpleServer"] == f"listens on port {server.port}: 1 client"
            assert why[f"SimpleServer/{peer_name}/receiver"] == f"waits for its peer {peer_name}"
            assert why[f"SimpleServer/{peer_name}/SubscribeTo(x)"] == "is subscribed to 'x'"
            assert why["TCPClient"] == f"tries to connect to 127.0.0.1:{unused_port}"
            assert why["UDPReceiver"].startswith("waits for what comes to port ")
            assert why["Lone"] == "waits for the event loop"
            assert why["SingleServer/receiver"] == "waits for a connection"


@pytest.mark.net
def test_a_peer_that_is_held_back_is_said_to_be_with_the_box_that_is_full() -> None:
    server = SingleServer(0, announce=False)
    with Scheduler() as scheduler:
        scheduler.activate(Pipeline(server, Stalled(limit=2)))
        until(scheduler, listens)
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            peer.sendall(b"1\n2\n3\n4\n")
            path = "Pipeline/SingleServer/receiver"
            graph = until(scheduler, lambda graph: graph.part(path).why.startswith("holds"))
            name = f"127.0.0.1:{peer.getsockname()[1]}"
            assert graph.part(path).why == f"holds its peer {name} back: waits for room in Pipeline/Stalled.inbox"


def test_parts_that_never_ran_have_a_snapshot_too() -> None:
    graph = snapshot_of([Backplane("Events"), Pipeline(SingleServer(1500), PublishTo("Events")), SubscribeTo("Events")])
    assert graph.state == "new"
    assert [str(link) for link in graph.links if link.kind == "deliver" and link.source_box == "outbox"] == [
        "Pipeline/SingleServer.outbox -> Pipeline/PublishTo(Events).inbox"
    ]
    assert {part.path: part.role for part in graph.parts if part.topic == "Events"} == {
        "Backplane(Events)": "provides",
        "Pipeline/PublishTo(Events)": "publishes",
        "SubscribeTo(Events)": "subscribes",
    }
    assert graph.part("Pipeline/SingleServer").detail == "port 1500"
    assert [part.path for part in graph.parts if part.closed] == ["Pipeline/SingleServer"]
