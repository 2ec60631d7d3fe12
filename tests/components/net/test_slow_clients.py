"""A client that reads too slowly, or not at all, costs itself only: its neighbours get every line, in order."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from axonlike import Component, Scheduler
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import SimpleServer
from axonlike.components.net.connection import ClientBuffers
from tests.components.net.peers import Peer, connected, resident_bytes, run_on, until

Net = Callable[..., None]
LINE_BYTES = 1000


class Numbered:
    """What a client has read: counts the lines and checks that they are numbered from 0 without a gap."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.count = 0

    def check(self) -> None:
        *whole, self.peer.buffer = self.peer.buffer.split(b"\n")
        assert [int(text[:10]) for text in whole] == list(range(self.count, self.count + len(whole)))
        self.count += len(whole)


class Reader(Numbered):
    """A healthy client, which reads all that comes."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        while await self.peer.more():
            self.check()


def line(number: int) -> str:
    return f"{number:010d}".ljust(LINE_BYTES - 1, ".")


async def publish(
    plane: Backplane, readers: list[Reader], total: int, *, window: int = 1000, sample: Callable[[], None]
) -> None:
    """Publish numbered lines, never more than `window` ahead of the slowest healthy reader."""
    for first in range(0, total, 100):
        plane.publish_many([line(number) for number in range(first, first + 100)])
        sample()
        await read_up_to(readers, first - window + 1)
        sample()
    await read_up_to(readers, total)


async def read_up_to(readers: list[Reader], count: int) -> None:
    """All of them have so many lines; a reader that failed says so here."""
    while min(reader.count for reader in readers) < count:
        for reader in readers:
            if reader.task.done():
                reader.task.result()
                raise AssertionError(f"a healthy client was let go after {reader.count} lines")
        await asyncio.sleep(0.001)


async def one_stalled(
    s: Scheduler, server: SimpleServer, lines: int, *, healthy: int = 4, sample: Callable[[], None] = lambda: None
) -> None:
    """The healthy ones get everything, in order; the other got lines in order as far as it did, and no more after."""
    plane = Backplane("Events")
    s.activate(plane, server)
    async with AsyncExitStack() as stack:
        stalled = await stack.enter_async_context(connected(server.port, receive_buffer_bytes=4096))
        peers = [await stack.enter_async_context(connected(server.port)) for _ in range(healthy)]
        readers = [Reader(peer) for peer in peers]
        await until(lambda: len(plane.subscribers) == healthy + 1)
        await publish(plane, readers, lines, sample=sample)
        await until(lambda: server.connection_statistics().open == healthy)
        got = Numbered(stalled)
        with pytest.raises(ConnectionResetError):
            while await stalled.more():
                got.check()
        assert got.count < lines
        server.stop()
        for reader in readers:
            await reader.task
            assert reader.count == lines


def test_a_stalled_subscriber_is_cut_at_the_limit_and_the_others_get_everything(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 7, row 51: a subscription over TCP drops no line; it is cut, with a counted reason."""
    # However long a busy machine takes: no limit in time is reached before the one in bytes.
    server = SimpleServer(
        lambda: SubscribeTo("Events"), 0, announce=False, pending_limit_bytes=1 << 20, stall_timeout_s=60
    )
    net(lambda s: one_stalled(s, server, 16_000))
    assert server.connection_statistics().cut == {"pending": 1}
    text = next(record.getMessage() for record in caplog.records if "cut" in record.getMessage())
    pending = int(text.split(": ")[-1].split()[0])
    assert 1 << 20 < pending <= 2 << 20
    assert "over the limit of 1048576" in text


@pytest.mark.slow
@pytest.mark.hang_guard(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_stalled_subscriber_costs_at_most_32_megabytes_while_96_are_published() -> None:
    """Row 51: at any moment of it, for the four others get all of it, in order."""
    server = SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False, soft_limit_s=60, stall_timeout_s=60)
    gc.collect()
    before = peak = resident_bytes()
    samples = 0

    def sample() -> None:
        nonlocal peak, samples
        peak = max(peak, resident_bytes())
        samples += 1

    run_on("asyncio", lambda s: one_stalled(s, server, 96_000, sample=sample), guard_s=120)
    assert samples == 2 * 960
    assert server.connection_statistics().cut == {"pending": 1}
    assert peak - before <= 32 << 20


def test_a_subscriber_that_takes_nothing_is_cut_after_the_time_out_not_before(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 51: the limit in time."""

    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False, stall_timeout_s=0.3)
        s.activate(plane, server)
        async with connected(server.port, receive_buffer_bytes=4096) as peer:
            await until(lambda: plane.subscribers)
            sender: Any = server.children[0].children[0]  # type: ignore[attr-defined]
            began_s = s.time()
            while not sender.pending_bytes:
                began_s = s.time()  # before anything waits: this process may stand at any line
                plane.publish(line(0))
                await asyncio.sleep(0)
            # No traffic is needed for it to be noticed.
            await until(lambda: server.connection_statistics().cut)
            assert s.time() - began_s >= 0.3
            assert server.connection_statistics().cut == {"stalled": 1}
            assert await peer.is_cut()

    net(main)
    assert re.search(r"it has taken nothing for \d+\.\d s while \d+ bytes wait", caplog.text)


@pytest.mark.parametrize("soft_limit_bytes", [64 << 10, 1 << 30])
def test_a_slow_subscriber_is_cut_when_too_much_waits_for_too_long(net: Net, soft_limit_bytes: int) -> None:
    """Row 52: it takes a little all the time, so it is not stalled; with a higher soft limit it is left alone.

    Its neighbours get every line, in order, whatever becomes of it; and so does it, as far as it gets.
    """

    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = SimpleServer(
            lambda: SubscribeTo("Events"), 0, announce=False, soft_limit_bytes=soft_limit_bytes, soft_limit_s=0.4,
            stall_timeout_s=0.8,
        )  # fmt: skip
        s.activate(plane, server)
        async with AsyncExitStack() as stack:
            peer = await stack.enter_async_context(connected(server.port, receive_buffer_bytes=4096))
            await until(lambda: plane.subscribers)
            sender: Any = server.children[0].children[0]  # type: ignore[attr-defined]
            readers = [Reader(await stack.enter_async_context(connected(server.port))) for _ in range(2)]
            await until(lambda: len(plane.subscribers) == 3)
            slow, published = Numbered(peer), 0
            nothing_waited_s = s.time()
            try:
                while sender.pending_bytes < 4 << 20 and not server.connection_statistics().cut:
                    plane.publish_many([line(number) for number in range(published, published + 10)])
                    published += 10
                    await read_up_to(readers, published - 20)
                    if published % 100 == 0:  # a busy machine takes its time for all this
                        assert await peer.more(4 << 10)
                        slow.check()
                began_s = s.time()
                while s.time() < began_s + 1.5 and not server.connection_statistics().cut:
                    # In all a fraction of what the system's buffer holds: nothing of what waits comes into that.
                    assert await peer.more(4 << 10)
                    slow.check()
                    plane.publish(line(published))
                    published += 1
                    await asyncio.sleep(0.02)
                if soft_limit_bytes == 1 << 30:
                    while slow.count < published:
                        assert await peer.more()
                        slow.check()
            except ConnectionResetError:
                assert soft_limit_bytes == 64 << 10
            if soft_limit_bytes == 64 << 10:
                await until(lambda: server.connection_statistics().cut == {"slow": 1})
                assert s.time() - nothing_waited_s >= 0.4
                assert slow.count < published
            else:
                assert not server.connection_statistics().cut
            await read_up_to(readers, published)
            server.stop()
            for reader in readers:
                await reader.task
                assert reader.count == published

    net(main)


def test_nobody_is_called_stalled_for_a_time_in_which_this_process_stood(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False, stall_timeout_s=60)
        s.activate(plane, server)
        async with connected(server.port, receive_buffer_bytes=4096):
            await until(lambda: plane.subscribers)
            sender: Any = server.children[0].children[0]  # type: ignore[attr-defined]
            while not sender.pending_bytes:
                plane.publish(line(0))
                await asyncio.sleep(0)
            while sender._looks_in_vain != 1:  # its system confirms no more
                sender._watch.cancel()
                sender._look()
                await asyncio.sleep(0)
            sender._progress_s -= 100
            wire = sender._wire
            for looks in (2, 3, 4):
                assert not wire.cut_for, looks
                sender._watch.cancel()
                sender._look()
            assert wire.cut_for == "stalled"

    net(main)


def test_all_clients_of_a_scheduler_together_are_bounded(net: Net) -> None:
    """SEMANTICS 7: the bound for all clients, whatever servers they are of."""

    async def main(s: Scheduler) -> None:
        s.provide(ClientBuffers.KIND, "all", ClientBuffers(limit_bytes=4 << 20))
        plane = Backplane("Events")
        servers = [SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False) for _ in range(2)]
        s.activate(plane, *servers)
        async with AsyncExitStack() as stack:
            for server in servers * 2:
                await stack.enter_async_context(connected(server.port, receive_buffer_bytes=4096))
            await until(lambda: len(plane.subscribers) == 4)

            def cut() -> int:
                return sum(server.connection_statistics().cut.get("total", 0) for server in servers)

            while not cut():
                plane.publish_many([line(0)] * 10)
                await asyncio.sleep(0)
            senders: list[Any] = [connection.children[0] for server in servers for connection in server.children]  # type: ignore[attr-defined]
            assert sum(sender.pending_bytes for sender in senders) <= 4 << 20
            assert cut() == 1

    net(main)


class Flood(Component):
    """An ordinary producer: it is held back."""

    def __init__(self) -> None:
        self.sent = 0

    def main(self) -> Generator[Any, Any, None]:
        while True:
            self.send(line(self.sent))
            self.sent += 1
            yield


def test_an_ordinary_producer_is_held_back_and_its_stalled_client_cut(net: Net) -> None:
    floods: list[Flood] = []

    def factory() -> Flood:
        floods.append(Flood())
        return floods[-1]

    async def main(s: Scheduler) -> None:
        server = SimpleServer(factory, 0, announce=False, stall_timeout_s=0.3, drain_s=0.1)
        s.activate(server)
        async with connected(server.port, receive_buffer_bytes=4096) as peer:
            await until(lambda: server.connection_statistics().cut)
            assert server.connection_statistics().cut == {"stalled": 1}
            held = floods[0].sent
            assert await peer.is_cut()
            assert held * LINE_BYTES < 16 << 20
        await until(lambda: floods[0].ended)

    net(main)


def test_an_ordinary_producers_slow_client_gets_everything_at_its_own_speed(net: Net) -> None:
    """Row 52, where it is not a subscription: its producer waits."""

    class Count(Flood):
        def main(self) -> Generator[Any, Any, None]:
            while self.sent < 12_000:
                self.send(line(self.sent))
                self.sent += 1
                yield

    async def main(s: Scheduler) -> None:
        server = SimpleServer(
            Count,
            0,
            announce=False,
            pending_limit_bytes=1000,
            soft_limit_bytes=10,
            soft_limit_s=0.1,
            stall_timeout_s=0.5,
        )
        s.activate(server)
        async with connected(server.port, receive_buffer_bytes=4096) as peer:
            numbers = []
            while text := await peer.line():
                numbers.append(int(text[:10]))
                if not numbers[-1] % 100:
                    await asyncio.sleep(0.001)
            assert numbers == list(range(12_000))
            assert not server.connection_statistics().cut

    net(main)
