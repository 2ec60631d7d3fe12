"""SimpleServer: a fresh handler for each client, its boundaries and its errors."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import CannotListen, Echo, SimpleServer, SingleServer, TCPClient, TCPServer, UDPReceiver
from axonlike.components.net.connection import Receiver
from axonlike.components.net.listening import ListenerStatistics
from axonlike.errors import ComponentError, NameNotProvided, UsageError
from axonlike.messages import ProducerFinished, Shutdown
from axonlike.streams.framing import Decoder, Framing
from axonlike.testing import Feeder, Probe
from tests.components.net.peers import Peer, connected, free_port, resident_bytes, until

Net = Callable[..., None]


def serve(factory: Callable[..., Component], **options: Any) -> SimpleServer:
    return SimpleServer(factory, options.pop("port", 0), announce=False, **options)


class Endless(Component):
    """Never ends by itself, and does not read."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.sleep(1000)


# -- lines in and out


def test_each_client_gets_a_handler_of_its_own(net: Net) -> None:
    class Counting(Component):
        def main(self) -> Generator[Any, Any, None]:
            count = 0
            while True:
                yield self.wait("inbox")
                for line in self.inbox():
                    count += 1
                    self.send(f"{count} {line}")

    async def main(s: Scheduler) -> None:
        server = serve(Counting)
        s.activate(server)
        async with connected(server.port) as one, connected(server.port) as two:
            await one.send("a\nb\n")
            assert await one.lines(2) == ["1 a", "2 b"]
            await two.send("c\r\n")
            assert await two.line() == "1 c"
        await until(lambda: server.connection_statistics().open == 0)
        assert server.connection_statistics().connections_accepted == 2

    net(main)


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("grün ☃\n".encode(), "grün ☃\n".encode()),
        (b"\xff\xfe\n", b"\xef\xbf\xbd\xef\xbf\xbd\n"),
        (b"\xef\xbb\xbfbom\n", b"bom\n"),
        ("a\u2028b\n".encode(), "a\u2028b\n".encode()),
        (b"nul\0nul\n", b"nul\0nul\n"),
        (b"a\r\nb\rc\n\n", b"a\nb\rc\n\n"),
        (b"no end", b"no end\n"),
    ],
)
@pytest.mark.parametrize("cut", [1, 1000])
def test_a_line_is_the_same_however_it_was_cut(net: Net, sent: bytes, back: bytes, cut: int) -> None:
    """SEMANTICS 26, rows 59 and 60: str lines, UTF-8, LF added, CR LF removed, whatever the pieces."""

    async def main(s: Scheduler) -> None:
        server = serve(Echo)
        s.activate(server)
        async with connected(server.port) as peer:
            for at in range(0, len(sent), cut):
                await peer.send(sent[at : at + cut])
            peer.end()
            assert await peer.rest() == back

    net(main)


def test_framing_by_bytes_and_by_length(net: Net) -> None:
    """SEMANTICS 26."""

    async def main(s: Scheduler) -> None:
        raw, length = serve(Echo, framing="bytes"), serve(Echo, framing="length")
        s.activate(raw, length)
        async with connected(raw.port) as peer:
            await peer.send(b"\0\1no line")
            peer.end()
            assert await peer.rest() == b"\0\1no line"
        async with connected(length.port) as peer:
            await peer.send(b"\0\0\0\2hi\0\0\0\0")
            peer.end()
            assert await peer.rest() == b"\0\0\0\2hi\0\0\0\0"

    net(main)


def test_messages_with_line_ends_of_their_own_and_bytes_are_sent_as_they_are(net: Net) -> None:
    """SEMANTICS 26: LF is added where there is none."""

    async def main(s: Scheduler) -> None:
        server = serve(lambda: Feeder(["ends\n", "two\nlines", b"bytes", "", "plain"]))
        s.activate(server)
        async with connected(server.port) as peer:
            assert await peer.rest() == b"ends\ntwo\nlines\nbytes\n\nplain\n"

    net(main)


def test_ten_thousand_lines_come_back_in_order_under_back_pressure(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(lambda: Pipeline(Echo(), Echo(), Echo()))
        s.activate(server)
        text = "".join(f"{i}\n" for i in range(10_000)).encode()
        async with connected(server.port, receive_buffer_bytes=4096) as peer:
            sending = asyncio.create_task(peer.send(text))
            await until(sending.done)  # the buffers of both kernels hold it
            peer.end()
            assert await peer.rest() == text

    net(main)


# -- how a connection ends


def test_a_handler_that_ends_closes_its_connection_after_what_it_sent(net: Net) -> None:
    """SEMANTICS 18: its connection, and no other."""
    text = "x" * 1000
    made: list[Component] = [Echo(), Feeder([text] * 5000)]

    async def main(s: Scheduler) -> None:
        server = serve(lambda: made.pop(0))
        s.activate(server)
        async with connected(server.port) as other:
            await other.send("before\n")
            assert await other.line() == "before"
            async with connected(server.port) as peer:
                await peer.send("something that nobody reads\n")
                assert await peer.rest() == f"{text}\n".encode() * 5000
            await until(lambda: len(server.children) == 1)
            await other.send("after\n")
            assert await other.line() == "after"
        await until(lambda: not server.children)
        assert server.connection_statistics().failed == 0

    net(main)


def test_a_client_that_half_closes_still_gets_its_reply(net: Net) -> None:
    """Row 61."""

    class Sum(Component):
        def main(self) -> Generator[Any, Any, None]:
            total = 0
            try:
                while True:
                    yield self.wait("inbox")
                    total += sum(map(int, self.inbox()))
            finally:
                self.send(f"sum {total}")

    async def main(s: Scheduler) -> None:
        server = serve(Sum)
        s.activate(server)
        async with connected(server.port) as peer:
            await peer.send("1\n2\n3")
            peer.end()
            assert await peer.rest() == b"sum 6\n"

    net(main)


def test_a_handler_gets_end_of_input_when_its_client_resets(net: Net) -> None:
    probe = Probe()

    async def main(s: Scheduler) -> None:
        s.activate(Backplane("said"))
        server = serve(lambda: PublishTo("said"))
        s.activate(server, Pipeline(SubscribeTo("said"), probe))
        async with connected(server.port) as peer:
            await peer.send("whole\npart")
            await until(lambda: probe.messages)
            peer.reset()
            await until(lambda: not server.children)
        assert probe.messages == ["whole"]

    net(main)


def test_a_handler_that_does_not_end_is_stopped_after_a_while(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(lambda: Pipeline(Echo(), Endless()), drain_s=0.1)
        s.activate(server)
        async with connected(server.port) as peer:
            await until(lambda: server.children)
            peer.end()
            assert await peer.rest() == b""
        await until(lambda: not server.children)

    net(main)


def test_a_subscriber_that_leaves_is_gone_at_once(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = serve(lambda: SubscribeTo("Events"), drain_s=1000)
        s.activate(plane, server)
        async with connected(server.port) as peer:
            await until(lambda: plane.subscribers)
            await peer.send("what a listener types is not read\n" * 3000)
            plane.publish("one")
            assert await peer.line() == "one"
            plane.publish("two")
            peer.end()
            assert await peer.rest() == b"two\n"
        await until(lambda: not plane.subscribers and not server.children)

    net(main)


@pytest.mark.parametrize("connected_first", [False, True])
def test_a_subscription_stands_when_the_connection_does(net: Net, connected_first: bool) -> None:
    """SEMANTICS 28: a chat user gets the echo of his own first line, once his listening connection is up."""

    async def main(s: Scheduler) -> None:
        listen, talk = serve(lambda: SubscribeTo("chat")), serve(lambda: PublishTo("chat"))
        s.activate(Backplane("chat"), listen, talk)
        for number in range(50):
            async with connected(talk.port) as mouth:
                if connected_first:
                    await mouth.send("#\n")
                async with connected(listen.port) as ear:
                    mouth.sock.send(f"hello {number}\n".encode())
                    while (line := await ear.line()) == "#":
                        pass
                    assert line == f"hello {number}"

    net(main)


# -- errors and boundaries


def test_a_handler_that_fails_ends_its_own_connection_only(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """SEMANTICS 19: each connection is a boundary for errors; it ends, is counted and logged."""

    def shout(line: str) -> str:
        if line == "fail":
            raise RuntimeError("on purpose")
        return line.upper()

    async def main(s: Scheduler) -> None:
        server = serve(lambda: Pipeline(Echo(), step(shout)))
        s.activate(server)
        async with connected(server.port) as good, connected(server.port) as bad:
            await bad.send("one\nfail\n")
            assert await bad.rest() == b"ONE\n"
            await good.send("still here\n")
            assert await good.line() == "STILL HERE"
            assert server.connection_statistics().failed == 1

    net(main)
    assert "RuntimeError: on purpose" in caplog.text
    assert "shout" in caplog.text


def test_what_the_loop_calls_and_fails_ends_the_connection_it_belongs_to(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 12: here in `data_received`, which no component's step is around."""

    class Fragile(Framing):
        def decoder(self) -> Decoder:
            decoder = super().decoder()
            feed = decoder.feed

            def fail_once(data: bytes | bytearray | memoryview) -> list[str] | list[bytes]:
                if bytes(data).startswith(b"fail"):
                    raise LookupError("on purpose")
                return feed(data)

            decoder.feed = fail_once  # type: ignore[method-assign]
            return decoder

    async def main(s: Scheduler) -> None:
        server = serve(Echo, framing=Fragile("lines", 1000))
        s.activate(server)
        async with connected(server.port) as good, connected(server.port) as bad:
            await bad.send("fail\n")
            assert await bad.rest() == b""
            await good.send("still here\n")
            assert await good.line() == "still here"
            assert server.connection_statistics().failed == 1
            assert s.running

    net(main)
    assert "LookupError: on purpose" in caplog.text


def test_what_cannot_be_sent_is_named_with_box_and_number(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """SEMANTICS 26: a wrong type is an error that names its box."""

    async def main(s: Scheduler) -> None:
        server = serve(lambda: Feeder(["one", "two", 3, "four"]))
        s.activate(server)
        async with connected(server.port) as peer:
            assert await peer.rest() == b"one\ntwo\n"
        await until(lambda: not server.children)
        assert server.connection_statistics().failed == 1

    net(main)
    assert "a line is str or bytes, not 3" in caplog.text
    assert re.search(r"  box +inbox  ←  Feeder\.outbox +message #3: 3 \(int\)\n", caplog.text)
    assert re.search(r"SimpleServer › 127\.0\.0\.1:\d+ › sender", caplog.text)
    assert re.search(r"  made at +test_simple_server\.py:\d+ +.*SimpleServer\(", caplog.text)


def test_a_factory_that_fails_or_returns_nonsense_costs_that_connection_only(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 18 and 19."""
    made: list[Any] = [ZeroDivisionError("factory"), "no component", SubscribeTo("Nowhere"), Echo()]

    def factory() -> Component:
        handler = made.pop(0)
        if isinstance(handler, Exception):
            raise handler
        return handler  # type: ignore[no-any-return]

    async def main(s: Scheduler) -> None:
        server = serve(factory)
        s.activate(server)
        for _ in range(3):
            async with connected(server.port) as peer:
                assert await peer.rest() == b""
        async with connected(server.port) as peer:
            await peer.send("works\n")
            assert await peer.line() == "works"
        assert server.connection_statistics().failed == 3

    net(main)
    for text in ("ZeroDivisionError: factory", "returned 'no component'", "no backplane 'Nowhere'"):
        assert text in caplog.text


def test_a_backplane_that_is_needed_and_missing_is_an_error_at_the_start() -> None:
    """SEMANTICS 24."""
    scheduler = Scheduler()
    with pytest.raises(NameNotProvided, match=r"no backplane 'Event'.*did you mean 'Events'"):
        scheduler.run(Backplane("Events"), serve(lambda: SubscribeTo("Events"), needs=("Event",)))


def test_a_name_that_is_missing_when_a_client_comes_is_told_once_with_the_remedy(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 24: in a connection a missing name ends that connection, counted."""

    async def main(s: Scheduler) -> None:
        server = serve(lambda: SubscribeTo("Event"))
        s.activate(Backplane("Events"), server)
        for _ in range(2):
            async with connected(server.port) as peer:
                assert await peer.rest() == b""
        assert server.connection_statistics().failed == 2

    net(main)
    first, second = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    lines = first.splitlines()
    assert re.fullmatch(
        r"SimpleServer: 127\.0\.0\.1:\d+ is disconnected: no backplane 'Event'; did you mean 'Events'\? "
        r"\(there are: 'Events'\)",
        lines[0],
    )
    assert re.fullmatch(r"  wanted by SimpleServer/127\.0\.0\.1:\d+/SubscribeTo\(Event\)", lines[1])
    assert lines[2].startswith("  made at   test_simple_server.py:")
    assert lines[2].endswith('server = serve(lambda: SubscribeTo("Event"))')
    assert lines[3] == "  hint      SimpleServer(..., needs=('Event',)) finds this when it starts"
    assert lines[4:] == ["  help      axonlike explain AX203"]
    assert "is disconnected as well: no backplane 'Event'; did you mean 'Events'?" in second


def test_the_remedy_is_told_too_when_the_name_is_asked_for_later(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 24."""

    class Late(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            SubscribeTo("Event").activate()

    async def main(s: Scheduler) -> None:
        server = serve(Late)
        s.activate(server)
        async with connected(server.port) as peer:
            assert await peer.rest() == b""
        await until(lambda: not server.children)
        assert server.connection_statistics().open == 0  # else it would take a place for ever

    net(main)
    assert "  hint      SimpleServer(..., needs=('Event',)) finds this when it starts" in caplog.text



def test_a_line_that_is_too_long_cuts_its_client(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, line_limit_bytes=100)
        s.activate(server)
        async with connected(server.port) as good, connected(server.port) as bad:
            await bad.send(b"fine\n" + b"x" * 101)
            assert await bad.is_cut()
            await good.send("y" * 100 + "\n")
            assert await good.line() == "y" * 100
            assert server.connection_statistics().cut == {"framing": 1}

    net(main)
    assert "a line is longer than limit_bytes=100" in caplog.text


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_flood_without_a_line_end_is_cut_and_costs_no_memory(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """Row 58: of each flood no more is held than the limit and one read, however much its client would send."""
    chunk, limit_bytes = b"x" * (64 << 10), 64 << 10

    async def main(s: Scheduler) -> None:
        server = serve(Echo)
        s.activate(server)
        peak_bytes = 0

        async def flood(total_bytes: int) -> None:
            nonlocal peak_bytes
            async with connected(server.port) as peer:
                try:
                    for _ in range(0, total_bytes, len(chunk)):
                        await peer.send(chunk)
                        peak_bytes = max(peak_bytes, resident_bytes())
                except ConnectionError:
                    return
                assert await peer.is_cut()

        async with connected(server.port) as good:
            await flood(limit_bytes + 1)  # what the first one needs for good, its traces in the log among it
            before_bytes = peak_bytes = resident_bytes()
            for number in range(5):
                await flood(4 << 20)
                await until(lambda: server.connection_statistics().open == 1)
                await good.send(f"{number}\n")
                assert await good.line() == str(number)
        assert peak_bytes - before_bytes <= (1 << 20) + limit_bytes
        assert server.connection_statistics().cut == {"framing": 6}

    net(main)
    assert caplog.text.count("a line is longer than limit_bytes=65536") == 6


def test_clients_that_say_a_byte_now_and_then_or_nothing_keep_nobody_waiting(net: Net) -> None:
    """Row 57: all others get all their replies, in order, while none of these has said a whole line."""

    async def main(s: Scheduler) -> None:
        server = serve(Echo)
        s.activate(server)
        async with AsyncExitStack() as stack:
            silent = [await stack.enter_async_context(connected(server.port)) for _ in range(30)]
            dribbling = [await stack.enter_async_context(connected(server.port)) for _ in range(30)]
            others = [await stack.enter_async_context(connected(server.port)) for _ in range(3)]
            await until(lambda: server.connection_statistics().open == 63)
            for number in range(40):
                for peer in dribbling:
                    await peer.send("x")
                for peer in others:
                    await peer.send(f"{number}\n{number} again\n")
                for peer in others:
                    assert await peer.lines(2) == [f"{number}", f"{number} again"]
            for peer in silent + dribbling:
                with pytest.raises(BlockingIOError):
                    peer.sock.recv(1)
                await peer.send("\n")
            assert [await peer.line() for peer in silent] == [""] * 30
            assert [await peer.line() for peer in dribbling] == ["x" * 40] * 30
            assert server.connection_statistics() == ListenerStatistics(63, 63)
            for peer in others:
                peer.end()
                assert await peer.rest() == b""

    net(main)


def test_a_silent_client_is_cut_after_the_idle_time_out(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=0.3)
        s.activate(server)
        began_s = s.time()
        async with connected(server.port) as silent:
            assert await silent.is_cut()
            assert s.time() - began_s >= 0.3
            assert server.connection_statistics().cut == {"idle": 1}

    net(main)


def look_after(server: SimpleServer, idle_s: float) -> None:
    """Each connection looks whether anything was said, as if its last look had been so long ago.

    In real time this process may stand for longer than a short time-out, and those who are busy are cut as well.
    """
    for connection in server.children:
        connection._idle_s += idle_s  # type: ignore[attr-defined]
        connection._watch_idleness()  # type: ignore[attr-defined]


def test_a_silent_client_is_cut_and_a_busy_one_is_not(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=1000)
        s.activate(server)
        async with connected(server.port) as silent, connected(server.port) as busy:
            await until(lambda: server.connection_statistics().open == 2)
            for idle_s in (900, 900):  # neither is enough alone
                assert not server.connection_statistics().cut
                await busy.send("tick\n")
                assert await busy.line() == "tick"
                look_after(server, idle_s)
            assert await silent.is_cut()
            await busy.send("tick\n")
            assert await busy.line() == "tick"
            assert server.connection_statistics().cut == {"idle": 1}

    net(main)


def test_a_server_that_stood_still_itself_takes_nobody_for_idle_at_its_first_look(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=1000)
        s.activate(server)
        async with connected(server.port) as peer:
            await peer.send("tick\n")
            assert await peer.line() == "tick"
            connection: Any = server.children[0]
            look_after(server, 0)
            for _ in range(4):
                assert not connection.wire.cut_for
                connection._looked_s -= 5000
                look_after(server, 0)
            assert connection.wire.cut_for == "idle"

    net(main)


def _has_received(receiver: Receiver, count: int) -> bool:
    return receiver.received_bytes == count


def test_row_57_a_client_that_sends_a_line_byte_by_byte_for_ever_is_idle(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=1000)
        s.activate(server)
        async with connected(server.port) as drips, connected(server.port) as busy:
            await until(lambda: server.connection_statistics().open == 2)
            dripping: Any = next(child for child in server.children if child.name == drips.name)
            for count in (1, 2):
                assert not server.connection_statistics().cut
                await drips.send("x")
                await until(partial(_has_received, dripping.receiver, count))
                await busy.send("tick\n")
                assert await busy.line() == "tick"
                look_after(server, 900)
            assert await drips.is_cut()
            await busy.send("tick\n")
            assert await busy.line() == "tick"
            assert server.connection_statistics().cut == {"idle": 1}

    net(main)


def test_an_idle_subscriber_that_is_sent_events_is_not_idle(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = serve(lambda: SubscribeTo("Events"), idle_timeout_s=1000)
        s.activate(plane, server)
        async with connected(server.port) as peer:
            await until(lambda: plane.subscribers)
            for number in range(40):
                plane.publish(str(number))
                assert await peer.line() == str(number)
                look_after(server, 2000)
            look_after(server, 2000)
            assert await peer.is_cut()

    net(main)


# -- limits


def test_connections_over_the_limit_are_refused_and_counted(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, max_connections=2)
        s.activate(server)
        async with connected(server.port) as one, connected(server.port):
            await until(lambda: server.connection_statistics().open == 2)
            for _ in range(3):
                async with connected(server.port) as third:
                    assert await third.rest() == b""
            assert server.connection_statistics().refused == 3
            one.close()
            await until(lambda: server.connection_statistics().open == 1)
            async with connected(server.port) as fourth:
                await fourth.send("in\n")
                assert await fourth.line() == "in"

    net(main)
    assert caplog.text.count("refuses connections") == 1
    assert "max_connections=2" in caplog.text


def test_the_limit_per_address_does_not_hold_for_this_machine_itself(net: Net) -> None:
    """SEMANTICS 27."""

    async def main(s: Scheduler) -> None:
        server = serve(Echo, max_per_address=1)
        s.activate(server)
        async with connected(server.port), connected(server.port) as second:
            await second.send("in\n")
            assert await second.line() == "in"

    net(main)


class Accepts:
    """A listening socket that accepts these, each as coming from the address that is said here."""

    def __init__(self, *arrivals: tuple[socket.socket, tuple[str, int]]) -> None:
        self.arrivals = list(arrivals)

    def accept(self) -> Any:
        if not self.arrivals:
            raise BlockingIOError
        return self.arrivals.pop(0)


def test_one_address_elsewhere_gets_its_share_of_the_connections_and_no_more(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """SEMANTICS 27: limits are arguments."""

    async def main(s: Scheduler) -> None:
        server = serve(Echo, max_per_address=2)
        s.activate(server)
        hosts = ["192.0.2.7"] * 3 + ["192.0.2.8"]
        pairs = [_socket_pair() for _ in hosts]
        arrivals = [(ours, (host, 1000 + at)) for at, ((ours, _), host) in enumerate(zip(pairs, hosts, strict=True))]
        peers = [Peer(theirs) for _, theirs in pairs]
        try:
            server._accept(Accepts(*arrivals))  # type: ignore[arg-type]
            assert await peers[2].rest() == b""
            for peer in peers[0], peers[1], peers[3]:
                await peer.send("in\n")
                assert await peer.line() == "in"
            statistics = server.connection_statistics()
            assert (statistics.connections_accepted, statistics.refused, statistics.open) == (3, 1, 3)
            peers[0].close()
            await until(lambda: server.connection_statistics().open == 2)
            ours, theirs = _socket_pair()
            peers.append(Peer(theirs))
            server._accept(Accepts((ours, ("192.0.2.7", 2000))))  # type: ignore[arg-type]
            await peers[-1].send("in again\n")
            assert await peers[-1].line() == "in again"
        finally:
            for peer in peers:
                peer.close()

    net(main)
    assert "192.0.2.7 has 2 open, and max_per_address=2" in caplog.text


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    one.setblocking(False)
    return other, one


# -- what the factory is given


@pytest.mark.parametrize("shape", ["by name", "by place", "peer alone", "port alone", "with defaults"])
def test_a_factory_gets_the_peer_if_it_takes_it(net: Net, shape: str) -> None:
    def by_default(peer: str | None = None, port: int | None = None) -> Component:
        return Feeder([f"{peer} {port}"])

    factories: dict[str, Callable[..., Component]] = {
        "by name": lambda port, peer: Feeder([f"{peer} {port}"]),
        "by place": lambda host, number: Feeder([f"{host} {number}"]),
        "peer alone": lambda peer: Feeder([f"{peer}"]),
        "port alone": lambda port: Feeder([f"{port}"]),
        "with defaults": by_default,
    }

    async def main(s: Scheduler) -> None:
        server = serve(factories[shape])
        s.activate(server)
        async with connected(server.port) as peer:
            host, port = peer.sock.getsockname()
            wanted = {"peer alone": f"{host}", "port alone": f"{port}"}.get(shape, f"{host} {port}")
            assert await peer.line() == wanted

    net(main)


def test_a_default_of_the_users_own_is_left_alone(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        for factory in (lambda port=1600: Feeder([str(port)]), partial(lambda port: Feeder([str(port)]), port=1600)):
            server = serve(factory)
            s.activate(server)
            async with connected(server.port) as peer:
                assert await peer.line() == "1600"

    net(main)


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        (Echo(), "before Echo"),
        (5, "not 5"),
        (lambda a, b, c: Echo(), "needs a, b, c"),
        (lambda *, colour: Echo(), "needs colour"),
        (lambda peer, colour: Echo(), "needs colour"),
    ],
)
def test_a_factory_that_cannot_be_called_is_refused_when_the_server_is_made(factory: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SimpleServer(factory, 0)


@pytest.mark.parametrize("port", [-1, 65536, "1600", True, None])
def test_a_port_that_is_none_is_refused(port: Any) -> None:
    with pytest.raises(UsageError, match="a port is a number"):
        SimpleServer(Echo, port)


# -- listening


def test_it_says_in_one_line_where_it_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """SEMANTICS 27: loopback by default, and what to write for more."""

    async def main(s: Scheduler) -> None:
        here, everywhere, single = SimpleServer(Echo, 0), SimpleServer(Echo, 0, "0.0.0.0"), SingleServer(0)
        s.activate(single, here, everywhere)
        assert everywhere.name == "SimpleServer-2"
        assert capsys.readouterr().out == (
            f'SingleServer listens on 127.0.0.1:{single.port} (this machine only; host="0.0.0.0" for all)\n'
            f'SimpleServer listens on 127.0.0.1:{here.port} (this machine only; host="0.0.0.0" for all)\n'
            f"SimpleServer-2 listens on 0.0.0.0:{everywhere.port} (reachable from other machines)\n"
        )

    asyncio.run(_in_scheduler(main))


async def _in_scheduler(main: Callable[[Scheduler], Any]) -> None:
    async with Scheduler() as s:
        await main(s)


def test_a_busy_port_is_an_error_of_the_run_with_address_and_remedy() -> None:
    """Row 50."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ComponentError) as raised:
            Scheduler().run(serve(Echo, port=port))
    assert isinstance(raised.value.cause, CannotListen)
    for text in (f"127.0.0.1:{port}", "in use", "choose another port"):
        assert text in str(raised.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_this_machine_does_not_have_is_an_error(host: str) -> None:
    """Row 50."""
    with pytest.raises(ComponentError, match="no such address"):
        Scheduler().run(serve(Echo, host=host))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may listen on every port")
def test_a_privileged_port_is_an_error() -> None:
    """Row 50."""
    with pytest.raises(ComponentError, match="Choose one from 1024 up"):
        Scheduler().run(serve(Echo, port=1))


def test_a_refused_port_says_which_ports_are_allowed() -> None:
    """Row 50: what the system says to other users than root, as tests often run as root."""
    server = serve(Echo, port=1)
    assert "Choose one from 1024 up" in str(server._cannot(OSError(errno.EACCES, "Permission denied")))


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_on_ipv6(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, host="::1")
        try:
            s.activate(server)
            await until(lambda: server.addresses)
        except ComponentError:
            pytest.skip("no IPv6 loopback here")
        assert server.addresses == (f"[::1]:{server.port}",)
        async with connected(server.port, "::1") as peer:
            await peer.send("six\n")
            assert await peer.line() == "six"
            assert server.children[0].path == f"SimpleServer/[::1]:{peer.sock.getsockname()[1]}"

    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 loopback here")
    net(main)


def test_a_host_name_is_listened_on_at_all_its_addresses(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, host="localhost")
        s.activate(server)
        assert f"127.0.0.1:{server.port}" in server.addresses
        async with connected(server.port) as peer:
            await peer.send("hi\n")
            assert await peer.line() == "hi"

    net(main)


# -- the end of the server


@pytest.mark.parametrize(
    ("listener", "holds"),
    [
        (lambda: SimpleServer(Echo, 0, announce=False), True),
        (lambda: SingleServer(0, announce=False), True),
        (lambda: Pipeline(TCPServer(0, announce=False), Probe()), True),
        (lambda: UDPReceiver(0), True),
        (lambda: Backplane("Events"), False),
    ],
    ids=["SimpleServer", "SingleServer", "TCPServer", "UDPReceiver", "a service"],
)
def test_a_listener_holds_the_run_when_all_else_has_ended(listener: Callable[[], Component], holds: bool) -> None:
    """SEMANTICS 17."""

    async def main() -> None:
        listens, other = listener(), Pipeline(Feeder(["one"]), Probe())
        run = asyncio.create_task(Scheduler(watchdog_s=None).run_async(listens, other))
        await until(lambda: other.ended)
        for _ in range(100):  # turns of the loop: the end takes a few
            await asyncio.sleep(0)
        assert run.done() is not holds
        listens.stop()
        await run

    asyncio.run(main())


@pytest.mark.parametrize("what", [Shutdown("please"), "any message"])
def test_a_handler_can_stop_the_server(net: Net, what: Any) -> None:
    class Handler(Component):
        Outboxes = {"serversignal": "anything stops the server"}

        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.send("bye")
            self.send(what, "serversignal")
            yield self.sleep(1000)

    async def main(s: Scheduler) -> None:
        server = serve(Handler)
        s.activate(server)
        async with connected(server.port) as peer, connected(server.port) as other:
            await peer.send("stop\n")
            assert await peer.rest() == b"bye\n"
            assert await other.rest() == b""
            await until(lambda: server.ended)

    net(main)


def _has_two(plane: Backplane) -> bool:
    return len(plane.subscribers) == 2


def _ended(component: Component) -> bool:
    return component.ended


def test_a_stop_lets_what_was_sent_go_out_and_the_port_is_free_at_once(net: Net) -> None:
    """Row 72: twenty restarts on one port."""

    async def main(s: Scheduler) -> None:
        port = 0
        s.activate(Endless())
        for _ in range(20):
            plane = Backplane("Events", history=1)
            server = serve(lambda: SubscribeTo("Events"), port=port)
            s.activate(plane, server)
            port = server.port
            async with connected(port) as peer, connected(port) as idle:
                await until(partial(_has_two, plane))
                plane.publish_many([f"{i} " + "x" * 1000 for i in range(1000)])
                server.stop()
                assert (await peer.rest()).count(b"\n") == 1000
                idle.close()
            await until(partial(_ended, server))
            plane.stop()
            await until(partial(_ended, plane))

    net(main)


def test_a_client_that_does_not_read_delays_a_stop_by_the_drain_time_only(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 72."""

    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = serve(lambda: SubscribeTo("Events"), drain_s=0.2)
        s.activate(plane, server)
        async with connected(server.port, receive_buffer_bytes=4096) as peer:
            await until(lambda: plane.subscribers)
            plane.publish_many(["x" * 1000] * 7000)
            await until(lambda: server.children[0].children[0].pending_bytes)  # type: ignore[attr-defined]
            server.stop()
            await until(lambda: server.ended)
            assert server.connection_statistics().cut == {"drain": 1}
            assert await peer.is_cut()

    net(main)
    assert "still waited 0.2 s after the stop" in caplog.text


def test_producer_finished_lets_the_handlers_end_their_work(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo)
        s.activate(server)
        async with connected(server.port) as peer:
            await peer.send("last words\n")
            assert await peer.line() == "last words"
            server.controlled(ProducerFinished())
            assert await peer.rest() == b""
        await until(lambda: server.ended)

    net(main)


def test_a_client_can_be_a_handler_so_that_a_relay_is_one_line(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        inner = serve(Echo)
        s.activate(inner)
        outer = serve(partial(TCPClient, "127.0.0.1", inner.port, reconnect=False))
        s.activate(outer)
        async with connected(outer.port) as peer:
            await peer.send("through\nand back\n")
            assert await peer.lines(2) == ["through", "and back"]
            peer.end()
            assert await peer.rest() == b""
        await until(lambda: not outer.children and not inner.children)

    net(main)


def test_a_graphline_with_a_publisher_and_a_subscription_is_a_chat_on_one_port(net: Net) -> None:
    """SEMANTICS 28: on the one connection that does both, the first line comes back too."""

    def chat() -> Component:
        return Graphline(
            talk=PublishTo("room"),
            listen=SubscribeTo("room"),
            links="self.inbox -> talk; listen -> self.outbox",
        )

    async def main(s: Scheduler) -> None:
        server = serve(chat, needs="room", drain_s=0.1)
        s.activate(Backplane("room"), server)
        async with connected(server.port) as one, connected(server.port) as two:
            await one.send("hello\n")
            assert await one.line() == await two.line() == "hello"
            two.end()
            assert await two.rest() == b""
            await one.send("alone\n")
            assert await one.line() == "alone"

    net(main)


def test_a_free_port_is_told_after_the_start() -> None:
    port = free_port()
    assert serve(Echo, port=port).port == port
