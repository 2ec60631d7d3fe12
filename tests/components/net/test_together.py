"""Clients that are up to date get what is published as one write each, and whoever is not gets the same by himself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import SimpleServer
from axonlike.components.net.together import Group
from axonlike.components.util import PassThrough
from axonlike.watching import Tap
from tests.components.net.peers import Peer, connected, until

Net = Callable[..., None]


def parts_of(server: SimpleServer, peer: Peer) -> tuple[Any, Any]:
    """The sender and the subscription that serve a client."""
    served: Any = next(child for child in server.children if child.name == peer.name)
    return served.sender, served.handler


async def in_one_group(plane: Backplane, server: SimpleServer, peers: list[Peer]) -> None:
    """Publish, and have it read, until all of them are members of a group."""
    await until(lambda: len(plane.subscribers) == len(peers))
    for _ in range(3):
        plane.publish("warm")
        for peer in peers:
            assert await peer.line() == "warm"
    assert all(plane.way_of(subscription) is not None for subscription in plane.subscribers)


class Bench:
    """A server with so many clients that stand in its groups, a Backplane, and a scheduler that runs both."""

    def __init__(self, s: Scheduler, **options: Any) -> None:
        self.plane = Backplane("Events")
        self.server = SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False, **options)
        s.activate(self.plane, self.server)

    async def clients(self, stack: AsyncExitStack, count: int) -> list[Peer]:
        peers = [await stack.enter_async_context(connected(self.server.port)) for _ in range(count)]
        await in_one_group(self.plane, self.server, peers)
        return peers


def test_members_take_no_turn_and_what_one_turn_of_the_loop_brings_is_one_write(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 100)
            writes: list[bytes] = []
            sender, subscription = parts_of(bench.server, peers[0])
            out = sender._out
            subscription.go_alone()

            def write(block: bytes) -> None:
                writes.append(block)
                out(block)

            sender._out = write
            await in_one_group(bench.plane, bench.server, peers)
            writes.clear()
            resumed = sender._turn.resume
            sender._turn.resume = None  # a turn would fail
            for number in range(5):
                bench.plane.publish(f"line {number}")
            for peer in peers:
                assert await peer.lines(5) == [f"line {number}" for number in range(5)]
            assert writes == [b"line 0\nline 1\nline 2\nline 3\nline 4\n"]
            sender._turn.resume = resumed
        await until(lambda: not bench.server.children)

    net(main)


def test_a_member_counts_what_it_got_like_any_other_receiver(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 3)
            for number in range(10):
                bench.plane.publish(f"line {number}")
            for peer in peers:
                await peer.lines(10)
                sender, _ = parts_of(bench.server, peer)
                inbox = sender.inbox()
                assert (inbox.offered, inbox.taken, inbox.depth, inbox.dropped) == (13, 13, 0, 0)
                assert inbox.last_taken == "line 9"
                assert sender.wire_bytes == 3 * len("warm\n") + 10 * len("line 0\n")

    net(main)


def test_who_stops_still_gets_what_was_published_before(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 4)
            bench.plane.publish("last words")
            bench.server.stop()
            for peer in peers:
                assert await peer.rest() == b"last words\n"

    net(main)


def test_what_is_pending_when_a_subscription_ends_goes_out_first(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            leaves, stays = await bench.clients(stack, 2)
            _, subscription = parts_of(bench.server, leaves)
            bench.plane.publish("for both")
            s.part_ended(subscription)  # at once, as at the end of its Backplane
            bench.plane.publish("for one")
            assert await leaves.rest() == b"for both\n"
            assert await stays.lines(2) == ["for both", "for one"]

    net(main)


def test_a_sender_that_is_stopped_sends_what_is_pending(net: Net) -> None:
    bench: Any = None
    sender: Any = None

    class Publishes(Component):
        """The sender is closed in the very slice in which this was published."""

        def main(self) -> Generator[Any, Any, None]:
            bench.plane.publish("last words")
            sender.stop()
            yield

    async def main(s: Scheduler) -> None:
        nonlocal bench, sender
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peer, _ = await bench.clients(stack, 2)
            sender, _ = parts_of(bench.server, peer)
            s.activate(Publishes())
            assert await peer.rest() == b"last words\n"

    net(main)


def test_who_waits_to_be_let_into_two_groups_gets_everything_once(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peer, other = await bench.clients(stack, 2)
            sender, subscription = parts_of(bench.server, peer)
            subscription.go_alone()
            others: Any = bench.plane.way_of(parts_of(bench.server, other)[1])
            for group in (others, Group(bench.server.together, bench.plane, asyncio.get_running_loop())):
                group.hand_on(["for the members"])
                group.join(subscription, sender)
            await until(lambda: bench.plane.way_of(subscription) is not None)
            bench.plane.publish("once")
            bench.plane.stop()
            assert await peer.rest() == b"once\n"
            assert await other.rest() == b"for the members\nonce\n"

    net(main)


def test_the_end_of_the_backplane_loses_nothing(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 3)
            bench.plane.publish("the end")
            bench.plane.stop()
            for peer in peers:
                assert await peer.rest() == b"the end\n"

    net(main)


def test_a_tap_sees_all_that_is_published_from_then_on(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 3)
            _, subscription = parts_of(bench.server, peers[1])
            seen: list[Any] = []
            tap = Tap(subscription, "outbox", lambda message, _path: seen.append(message))
            for number in range(4):
                bench.plane.publish(f"line {number}")
                for peer in peers:
                    assert await peer.line() == f"line {number}"
            assert seen == ["line 0", "line 1", "line 2", "line 3"]
            assert bench.plane.way_of(subscription) is None
            tap.close()
            await in_one_group(bench.plane, bench.server, peers)
            assert len(seen) == 4

    net(main)


def test_what_was_published_before_a_new_link_goes_where_it_led(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            relinked, other = await bench.clients(stack, 2)
            _, subscription = parts_of(bench.server, relinked)
            bench.plane.publish("before")
            for linkage in tuple(subscription.wires().from_out.values()):
                if linkage.source_box == "outbox":
                    subscription.unlink(linkage)
            bench.plane.publish("after")
            assert await relinked.line() == "before"
            assert await other.lines(2) == ["before", "after"]
            assert subscription.lost_at_sending()["unlinked"] == {"outbox": 1}

    net(main)


def test_what_cannot_be_sent_fails_each_connection_by_itself(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            peers = await bench.clients(stack, 3)
            bench.plane.publish_many(["good", 5])
            for peer in peers:
                assert await peer.rest() == b"good\n"
            await until(lambda: not bench.server.children)
            assert bench.server.connection_statistics().failed == 3

    net(main)
    assert caplog.text.count("message #5: 5 (int)") == 3
    assert "TypeError" in caplog.text


def test_a_transport_that_refuses_fails_its_own_connection_only(net: Net) -> None:
    """SEMANTICS 12: what the loop calls and fails ends the connection that it belongs to."""

    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            bad, good = await bench.clients(stack, 2)
            sender, subscription = parts_of(bench.server, bad)
            subscription.go_alone()

            def refuses(_block: bytes) -> None:
                if failing:
                    raise OSError("no")
                out(_block)

            failing, out = False, sender._out
            sender._out = refuses
            await in_one_group(bench.plane, bench.server, [bad, good])
            failing = True
            bench.plane.publish("line")
            assert await good.line() == "line"
            await until(lambda: bench.server.connection_statistics().failed == 1)

    net(main)


def test_a_client_that_falls_behind_leaves_and_comes_back_in_order(net: Net) -> None:
    """SEMANTICS 7: over TCP no line is dropped; no limit in messages holds."""

    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            slow = await stack.enter_async_context(connected(bench.server.port, receive_buffer_bytes=4096))
            quick = await stack.enter_async_context(connected(bench.server.port))
            await in_one_group(bench.plane, bench.server, [slow, quick])
            sender, subscription = parts_of(bench.server, slow)
            count = 0
            while not sender.pending_bytes:
                bench.plane.publish(f"{count:07d}".ljust(999, "."))
                count += 1
                await asyncio.sleep(0)
            assert bench.plane.way_of(subscription) is None
            assert count > 1000  # where a subscription inside the process begins to drop
            for number in range(count):
                assert (await quick.line())[:7] == (await slow.line())[:7] == f"{number:07d}"
            await in_one_group(bench.plane, bench.server, [slow, quick])
            assert sender.inbox().offered == sender.inbox().taken == count + 6

    net(main)


def test_several_that_feed_one_client_keep_it_out_of_the_groups(net: Net) -> None:
    """What two of them send in one step is to keep its order."""

    class Greeting(PassThrough):
        def main(self) -> Any:
            yield self.sleep(3600)

    def handler() -> Any:
        return Graphline(
            linkages={("news", "outbox"): ("self", "outbox"), ("own", "outbox"): ("self", "outbox")},
            news=SubscribeTo("Events"),
            own=Greeting(),
        )

    async def main(s: Scheduler) -> None:
        plane, server = Backplane("Events"), SimpleServer(handler, 0, announce=False)
        s.activate(plane, server)
        async with connected(server.port) as peer:
            await until(lambda: plane.subscribers)
            for _ in range(5):
                plane.publish("line")
                assert await peer.line() == "line"
            assert plane.way_of(plane.subscribers[0]) is None
        server.stop()

    net(main)


def test_a_subscription_in_a_chassis_may_be_in_a_group(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = SimpleServer(lambda: Pipeline(SubscribeTo("Events")), 0, announce=False)
        s.activate(plane, server)
        async with connected(server.port) as peer:
            await in_one_group(plane, server, [peer])

    net(main)


def test_groups_are_no_longer_there_when_their_clients_have_left(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        bench = Bench(s)
        async with AsyncExitStack() as stack:
            await bench.clients(stack, 70)
            assert [len(group) for group in bench.server.together._groups[bench.plane]] == [64, 6]
        await until(lambda: not bench.server.children)
        assert not bench.server.together._groups

    net(main)


@pytest.mark.parametrize("seed", range(2))
def test_whoever_comes_and_goes_gets_all_that_is_published_meanwhile_once_and_in_order(net: Net, seed: int) -> None:
    chance = random.Random(seed)

    async def main(s: Scheduler) -> None:
        bench = Bench(s, max_per_address=None)
        published: list[str] = []

        def publish() -> None:
            lines = [str(len(published) + number) for number in range(chance.randrange(1, 6))]
            published.extend(lines)
            bench.plane.publish_many(lines)

        async def one() -> None:
            async with connected(bench.server.port) as peer:
                got = [int(line) for line in await peer.lines(chance.randrange(1, 120))]
                assert got == list(range(got[0], got[0] + len(got)))

        async def disturb() -> None:
            while True:
                await asyncio.sleep(0.003)
                for subscription in bench.plane.subscribers:
                    if chance.random() < 0.1:
                        subscription.go_alone()

        async def speak() -> None:
            while True:
                for _ in range(chance.randrange(3)):
                    publish()
                await asyncio.sleep(chance.choice((0, 0, 0.002)))

        async with asyncio.TaskGroup() as background:
            others = [background.create_task(disturb()), background.create_task(speak())]
            async with asyncio.TaskGroup() as clients:
                for _ in range(150):
                    clients.create_task(one())
                    if chance.random() < 0.3:
                        await asyncio.sleep(0.002)
            for task in others:
                task.cancel()
        await until(lambda: not bench.server.children)
        assert not bench.server.together._groups

    net(main)
