"""SingleServer: one client at a time, and no end of input for what comes after it."""

from __future__ import annotations

import asyncio
import functools
import re
import socket
import sys
from collections.abc import Callable

import pytest

from axonlike import Component, Pipeline, Scheduler, step
from axonlike.components.net import SingleServer
from axonlike.components.net.connection import Receiver
from axonlike.errors import ComponentError
from axonlike.testing import Feeder, Probe, Stalled
from tests.components.net.peers import Peer, connected, until

Net = Callable[..., None]


def _serves(server: SingleServer, peer: Peer) -> bool:
    return server.connected == peer.name


def _received(receiver: Receiver, count: int) -> bool:
    return receiver.received_bytes >= count


def _has(probe: Probe, message: str) -> bool:
    return message in probe.messages


def single(**options: object) -> SingleServer:
    return SingleServer(0, announce=False, **options)  # type: ignore[arg-type]


def test_one_client_after_the_other_is_served_and_none_ends_the_graph(net: Net) -> None:
    """SEMANTICS 18: a client that leaves sends nothing downstream."""

    async def main(s: Scheduler) -> None:
        server, probe = single(), Probe()
        s.activate(Pipeline(server, probe))
        async with connected(server.port) as first, connected(server.port) as second, connected(server.port) as third:
            await first.send("one 1\n")
            await until(lambda: probe.messages == ["one 1"])
            assert server.connected == first.name
            await second.send("two 1\n")
            await third.send("three 1\n")
            await first.send("one 2\nno line end")
            first.end()
            assert await first.rest() == b""
            await until(lambda: len(probe.messages) == 4)
            assert server.connected == second.name
            second.close()
            await until(lambda: len(probe.messages) == 5)
        assert probe.messages == ["one 1", "one 2", "no line end", "two 1", "three 1"]
        await until(lambda: server.connected is None)
        assert not probe.ended
        async with connected(server.port) as again:
            await again.send("four\n")
            await until(lambda: probe.messages[-1] == "four")

    net(main)


def test_a_reset_loses_the_unfinished_line_only_wherever_it_comes(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """Row 62: reset after each number of bytes from 0 to 200."""
    lines = ["first line", "second", "", *(f"grün {number} " + "x" * number for number in range(3, 17)), "the last"]
    text = "\r\n".join(lines).encode()[:199] + b"\n"
    whole = text.decode().replace("\r", "").split("\n")[:-1]

    async def main(s: Scheduler) -> None:
        server, probe = single(), Probe()
        receiver = next(child for child in server.children if isinstance(child, Receiver))
        s.activate(Pipeline(server, probe))
        for count in range(len(text) + 1):
            before, bytes_before = len(probe.messages), receiver.received_bytes
            async with connected(server.port) as peer:
                await peer.send(text[:count])
                if count % 2:  # it has all come; otherwise the reset may overtake it
                    await until(functools.partial(_received, receiver, bytes_before + count))
                else:
                    await until(functools.partial(_serves, server, peer))
                peer.reset()
            await until(lambda: server.connected is None)
            got = probe.messages[before:]
            sent = [line.removesuffix(b"\r").decode() for line in text[:count].split(b"\n")[:-1]]
            assert got == (sent if count % 2 else sent[: len(got)]), count
        async with connected(server.port) as peer:
            await peer.send(text)
            await until(lambda: probe.messages[-len(whole) :] == whole)
        assert server.connection_statistics().failed == 0

    assert len(text) == 200
    net(main)
    assert "Traceback" not in caplog.text


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere 127.0.0.77 is no address of this machine")
def test_the_same_address_takes_over_from_its_predecessor_at_once(net: Net) -> None:
    """SEMANTICS 18: the same host and even the same port, after an end without a goodbye."""

    async def main(s: Scheduler) -> None:
        server, probe = single(), Probe()
        s.activate(Pipeline(server, probe))
        address = ("127.0.0.77", 0)  # other tests' clients, which come from 127.0.0.1, do not take its port meanwhile
        for number in range(20):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(address)
                sock.connect(("127.0.0.1", server.port))
                sock.setblocking(False)
                address = sock.getsockname()
                peer = Peer(sock)
                await peer.send(f"{number}\n")
                await until(functools.partial(_has, probe, str(number)))
                assert server.connected == peer.name
                peer.reset()
            finally:
                sock.close()
        assert probe.messages == [str(number) for number in range(20)]

    net(main)


def test_replies_go_to_the_client_that_is_there_and_not_to_the_next(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = single()
        s.activate(Pipeline(server, step(str.upper), circular=True))
        async with connected(server.port) as one:
            await one.send("hello\n")
            assert await one.line() == "HELLO"
        async with connected(server.port) as two:
            await two.send("there\n")
            assert await two.line() == "THERE"

    net(main)


def test_what_a_client_did_not_take_before_it_left_is_not_for_the_next(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, feed = single(), Stalled()
        s.activate(Pipeline(feed, server))
        async with connected(server.port, receive_buffer_bytes=4096) as one, connected(server.port) as two:
            await until(lambda: server.connected == one.name)
            for _ in range(1000):
                feed.send("for one " + "x" * 20_000)
            await until(lambda: server.children[0].pending_bytes)  # type: ignore[attr-defined]
            one.reset()
            await until(lambda: server.connected == two.name)
            assert server.unsent > 100
            feed.send("for two")
            assert await two.line() == "for two"

    net(main)


def test_what_comes_for_nobody_is_thrown_away_and_counted(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = single()
        s.activate(Pipeline(Feeder(["a", "b", "c"]), server))
        await until(lambda: server.unsent == 3)
        async with connected(server.port) as peer:
            await until(lambda: server.connected)
            peer.end()
            assert await peer.rest() == b""

    net(main)


def test_a_graph_that_is_full_holds_the_client_back(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, stalled = single(), Stalled(limit=10)
        s.activate(Pipeline(server, stalled))
        async with connected(server.port) as peer:
            sending = asyncio.create_task(peer.send(b"0123456789\n" * 2_000_000))
            await until(lambda: stalled.inbox().full)
            depth = stalled.inbox().depth
            assert depth < 10 + 300
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert stalled.inbox().depth == depth

    net(main)


def test_what_was_received_before_the_client_left_is_all_handed_on(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, slow = single(), Probe(seconds_each=0.0001)
        slow.configure_inbox(limit=1)
        s.activate(Pipeline(server, slow))
        async with connected(server.port) as peer:
            await peer.send("".join(f"{i}\n" for i in range(2000)))
        async with connected(server.port) as peer:
            await peer.send("next\n")
            await until(lambda: len(slow.messages) == 2001)
        assert slow.messages == [*map(str, range(2000)), "next"]

    net(main)


def test_a_line_that_is_too_long_ends_that_client_and_the_next_is_served(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = single(line_limit_bytes=10), Probe()
        s.activate(Pipeline(server, probe))
        async with connected(server.port) as bad, connected(server.port) as good:
            await bad.send("fine\n" + "x" * 11)
            assert await bad.is_cut()
            await good.send("good\n")
            await until(lambda: probe.messages == ["fine", "good"])
        assert server.connection_statistics().cut == {"framing": 1}

    net(main)


def test_the_end_of_its_consumer_ends_it(net: Net) -> None:
    class Three(Component):
        async def main(self) -> None:
            self.got: list[str] = []
            async for line in self.inbox():
                self.got.append(line)
                if len(self.got) == 3:
                    return

    async def main(s: Scheduler) -> None:
        server, three = single(), Three()
        pipeline = Pipeline(server, three)
        s.activate(pipeline)
        async with connected(server.port) as peer:
            await peer.send("1\n2\n3\n4\n")
            await peer.rest()
            await until(lambda: pipeline.ended)
        assert three.got == ["1", "2", "3"]

    net(main)


def test_a_reply_that_cannot_be_sent_is_an_error_of_the_graph(net: Net) -> None:
    """SEMANTICS 26: a wrong type is an error that names box and line."""

    async def main(s: Scheduler) -> None:
        server = single()
        s.activate(Pipeline(server, step(int), circular=True))
        async with connected(server.port) as peer:
            await peer.send("5\n")
            await peer.rest()
            await until(lambda: not s.running)

    with pytest.raises(ComponentError, match="a line is str or bytes, not 5") as raised:
        net(main)
    assert re.search(r"  made at +test_single_server\.py:\d+ +return SingleServer\(0,", str(raised.value))
    assert re.search(r"  box +inbox  ←  int\.outbox +message #1: 5 \(int\)\n", str(raised.value))


def test_stopping_closes_the_client_and_the_one_that_waits(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = single(), Probe()
        s.activate(Pipeline(server, probe), Probe())
        async with connected(server.port) as one, connected(server.port) as two, connected(server.port):
            await until(lambda: server.connected and server.connection_statistics().open == 2)
            server.stop()
            assert await one.rest() == b""
            await two.is_cut()
            await until(lambda: server.ended)
        assert server.connection_statistics().open == 0

    net(main)
