"""TCPClient: connects again by itself, loses nothing that it did not report, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, Literal

import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import (
    CannotConnect,
    Connected,
    Disconnected,
    Echo,
    Gap,
    SimpleServer,
    SingleServer,
    TCPClient,
)
from axonlike.components.net.connection import Wire
from axonlike.components.net.tcp_client import resolve_address
from axonlike.errors import ComponentError, UsageError
from axonlike.testing import Feeder, Probe, Stalled
from tests.components.net.peers import connected, free_port, listening, until

Net = Callable[..., None]


class Tap(Component):
    """Something that can be told from outside what to send, and never ends."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.sleep(1000)


def with_status(client: TCPClient, s: Scheduler) -> Probe:
    status = Probe(name="status")
    client.link((client, "status"), (status, "inbox"))
    s.activate(status)
    return status


def test_lines_go_out_and_come_in(net: Net) -> None:
    """SEMANTICS 26: LF added on sending, CR LF removed on receiving."""

    async def main(s: Scheduler) -> None:
        with listening() as server:
            feed, client, probe = Tap(), TCPClient("127.0.0.1", server.port), Probe()
            s.activate(Pipeline(feed, client, probe))
            feed.send("early")  # before the connection stands: it waits
            peer = await server.accept()
            assert await peer.line() == "early"
            await peer.send("welcome\r\nto you\n")
            await until(lambda: probe.messages == ["welcome", "to you"])
            assert client.connected

    net(main)


@pytest.mark.parametrize("framing", ["bytes", "length"])
def test_other_framings_carry_bytes_between_a_client_and_a_single_server(
    net: Net, framing: Literal["bytes", "length"]
) -> None:
    """SEMANTICS 26."""
    sent = [b"\0\r\n\xff", b"", b"x" * 100_000, b"two\nlines"]

    async def main(s: Scheduler) -> None:
        server, probe = SingleServer(0, framing=framing, announce=False), Probe()
        s.activate(Pipeline(server, probe))
        pipeline = Pipeline(Feeder(sent), TCPClient("127.0.0.1", server.port, framing=framing))
        s.activate(pipeline)
        await until(lambda: pipeline.ended and server.connected is None)
        assert (probe.messages if framing == "length" else [b"".join(probe.messages)]) == (
            sent if framing == "length" else [b"".join(sent)]
        )

    net(main)


@pytest.mark.parametrize(
    ("framing", "message"), [("lines", 5), ("lines", ["a"]), ("bytes", "text"), ("length", "text"), ("length", None)]
)
def test_a_wrong_type_is_an_error_that_names_box_and_line(
    net: Net, framing: Literal["lines", "bytes", "length"], message: Any
) -> None:
    """SEMANTICS 26."""

    async def main(s: Scheduler) -> None:
        with listening() as server:
            s.activate(Pipeline(Feeder([b"fine", message]), TCPClient("127.0.0.1", server.port, framing=framing)))
            await server.accept()
            await until(lambda: not s.running)

    with pytest.raises(ComponentError) as raised:
        net(main)
    assert isinstance(raised.value.cause, TypeError)
    text = str(raised.value)
    assert re.search(r"  made at +test_tcp_client\.py:\d+ +s\.activate\(Pipeline\(Feeder", text)
    assert re.search(
        rf"  box +inbox  ←  Feeder\.outbox +message #2: {re.escape(repr(message))} \({type(message).__name__}\)\n", text
    )


def test_end_of_input_sends_everything_and_waits_for_the_last_reply(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        lines = [f"line {i}" for i in range(20_000)]
        probe = Probe()
        pipeline = Pipeline(Feeder(lines), TCPClient("localhost", server.port), probe)
        s.activate(pipeline)
        await until(lambda: pipeline.ended)
        assert probe.messages == lines

    net(main)


def test_a_client_that_only_sends_ends_when_all_has_arrived(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = SingleServer(0, announce=False), Probe()
        s.activate(Pipeline(server, probe))
        lines = ["x" * 100 + str(i) for i in range(5000)]
        pipeline = Pipeline(Feeder(lines), TCPClient("127.0.0.1", server.port))
        s.activate(pipeline)
        await until(lambda: pipeline.ended and len(probe.messages) == 5000)
        assert probe.messages == lines

    net(main)


def test_a_server_that_does_not_close_is_left_after_the_linger_time(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        with listening() as server:
            probe = Probe()
            # Longer than this process may stand between the client's end and the reply.
            pipeline = Pipeline(Feeder(["bye"]), TCPClient("127.0.0.1", server.port, linger_s=3.0), probe)
            s.activate(pipeline)
            peer = await server.accept()
            assert await peer.rest() == b"bye\n"
            await peer.send("late reply\n")
            await until(lambda: pipeline.ended)
            assert probe.messages == ["late reply"]

    net(main)


def test_it_reconnects_after_a_break_and_tells_once_a_change(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """Row 66."""
    caplog.set_level(logging.INFO)

    async def main(s: Scheduler) -> None:
        with listening() as server:
            server.down()
            client, probe = TCPClient("127.0.0.1", server.port, first_retry_s=0.005, longest_retry_s=0.01), Probe()
            status = with_status(client, s)
            s.activate(Pipeline(client, probe))
            await until(lambda: status.messages)
            await asyncio.sleep(0.1)  # many tries, one message
            for _ in range(3):
                server.up()
                peer = await server.accept()
                await peer.send("hello\npartial")
                await until(lambda: len(probe.messages) == len(server.peers))
                server.down()
                peer.reset()
                await until(lambda: isinstance(status.messages[-1], Gap))
            server.up()
            await server.accept()
            await until(lambda: isinstance(status.messages[-1], Connected))
            assert client._backoff.next_delay_s() <= 0.005  # it begins anew after each success
        assert probe.messages == ["hello"] * 3
        refused, peer_name = Disconnected("Connection refused"), f"127.0.0.1:{server.port}"
        reset = [Connected(peer_name), Disconnected("Connection reset by peer"), Gap(0, len("partial"))]
        assert status.messages == [refused, *reset * 3, Connected(peer_name)]

    net(main)
    texts = [record.getMessage() for record in caplog.records]
    assert sum("refused" in text for text in texts) == 1
    assert sum("connected to" in text for text in texts) == 4
    # Nobody who logs warnings alone is left with a loss as the last word.
    assert "connected to" in [record.getMessage() for record in caplog.records if record.levelname == "WARNING"][-1]


def test_while_it_is_down_its_feeder_waits_and_nothing_is_lost(net: Net) -> None:
    """SEMANTICS 29: while down its inbox blocks upstream."""

    class Numbers(Component):
        sent = 0

        def main(self) -> Generator[Any, Any, None]:
            while True:
                self.send(str(self.sent))
                self.sent += 1
                yield

    async def main(s: Scheduler) -> None:
        with listening() as server:
            server.down()
            numbers, client = Numbers(), TCPClient("127.0.0.1", server.port, first_retry_s=0.005, longest_retry_s=0.01)
            s.activate(Pipeline(numbers, client))
            await until(lambda: numbers.sent >= 1000)
            await asyncio.sleep(0.05)
            assert numbers.sent < 1010
            server.up()
            peer = await server.accept()
            assert await peer.lines(3000) == [str(i) for i in range(3000)]

    net(main)


def test_bytes_under_way_at_a_break_are_counted(net: Net) -> None:
    """SEMANTICS 29, row 64: and sent on `status`."""

    async def main(s: Scheduler) -> None:
        with listening() as server:
            client = TCPClient("127.0.0.1", server.port, first_retry_s=0.005)
            feed = Tap()
            status = with_status(client, s)
            s.activate(Pipeline(feed, client))
            peer = await server.accept()
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await until(lambda: client.connected)
            line = "x" * 9999
            for _ in range(2000):
                feed.send(line)
            await until(lambda: client.children[0].pending_bytes)  # type: ignore[attr-defined]
            peer.reset()
            await until(lambda: isinstance(status.messages[-1], Gap) or len(status.messages) > 3)
            gap = next(m for m in status.messages if isinstance(m, Gap))
            assert gap.unconfirmed_bytes > 1000
            # What was not written to the first connection goes over the second, from a whole line on.
            again = await server.accept()
            assert await again.line() == line

    net(main)


def test_without_reconnecting_a_refusal_is_an_error_that_names_the_address(net: Net) -> None:
    """Row 66."""
    port = free_port()

    async def main(s: Scheduler) -> None:
        s.activate(TCPClient("127.0.0.1", port, reconnect=False))
        await until(lambda: not s.running)

    with pytest.raises(ComponentError) as raised:
        net(main)
    assert isinstance(raised.value.cause, CannotConnect)
    assert f"no connection to 127.0.0.1:{port}: Connection refused" in str(raised.value)


def test_without_reconnecting_the_servers_end_is_the_end(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(lambda: Feeder(["one", "two"]), 0, announce=False)
        s.activate(server)
        client, probe = TCPClient("127.0.0.1", server.port, reconnect=False), Probe()
        pipeline = Pipeline(client, probe)
        s.activate(pipeline)
        await until(lambda: pipeline.ended)
        assert probe.messages == ["one", "two"]

    net(main)


def test_a_host_that_does_not_answer_is_given_up_after_the_time_out(net: Net) -> None:
    """Row 69."""

    async def main(s: Scheduler) -> None:
        with listening() as server:
            assert server.sock is not None
            server.sock.listen(0)
            fillers = []
            try:
                for _ in range(8):  # a full backlog: the kernel drops what comes next
                    fillers.append(sock := socket.socket())
                    sock.setblocking(False)
                    sock.connect_ex(("127.0.0.1", server.port))
                client = TCPClient("127.0.0.1", server.port, connect_timeout_s=0.2)
                status, ticks = with_status(client, s), Probe()
                s.activate(client, ticks)
                await until(lambda: status.messages)
                assert status.messages == [Disconnected("no answer within 0.2 s")]
            finally:
                for sock in fillers:
                    sock.close()

    net(main)


def test_a_name_that_cannot_be_resolved_is_told_and_tried_again(net: Net) -> None:
    """Row 68."""

    async def main(s: Scheduler) -> None:
        client = TCPClient("no.such.host.invalid", 1600, first_retry_s=0.005)
        status = with_status(client, s)
        s.activate(client)
        await until(lambda: status.messages)
        assert "cannot be resolved" in status.messages[0].reason

    net(main)


def test_a_look_up_does_not_hold_anybody_up_and_is_not_waited_for_at_the_end() -> None:
    """Row 68: the resolver's answer comes from a thread that the loop does not know of."""

    async def main() -> None:
        future = resolve_address("localhost", 1, socket.SOCK_STREAM)
        assert not future.done()
        assert getattr(asyncio.get_running_loop(), "_default_executor", None) is None
        assert (socket.AF_INET, ("127.0.0.1", 1)) in await future

    asyncio.run(main())


def test_it_ends_when_nobody_takes_what_it_receives(net: Net) -> None:
    class One(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.got = self.recv()

    async def main(s: Scheduler) -> None:
        server = SimpleServer(lambda: SubscribeTo("E"), 0, announce=False)
        plane, one = Backplane("E", history=2), One()
        plane.history.extend(["first", "second"])
        s.activate(server, plane)
        pipeline = Pipeline(TCPClient("127.0.0.1", server.port), one)
        s.activate(pipeline)
        await until(lambda: pipeline.ended)
        assert one.got == "first"

    net(main)


def test_a_receiver_that_is_full_holds_the_server_back(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        with listening() as server:
            stalled = Stalled(limit=5)
            s.activate(Pipeline(TCPClient("127.0.0.1", server.port), stalled))
            peer = await server.accept()
            sending = asyncio.create_task(peer.send(b"0123456789\n" * 2_000_000))
            await until(lambda: stalled.inbox().full)
            assert stalled.inbox().depth < 5 + 300
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    net(main)


def test_a_server_that_takes_nothing_is_left_and_connected_to_anew(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        with listening() as server:
            client = TCPClient("127.0.0.1", server.port, stall_timeout_s=0.2, first_retry_s=0.005)
            status, feed = with_status(client, s), Tap()
            s.activate(Pipeline(feed, client))
            await server.accept()
            await until(lambda: client.connected)
            for _ in range(9000):
                feed.send("x" * 999)
            await until(lambda: _gap_in(status))
            assert Disconnected("cut (stalled)") in status.messages
            await server.accept()

    net(main)


def _gap_in(status: Probe) -> bool:
    return any(isinstance(message, Gap) for message in status.messages)


def test_stopping_it_sends_what_it_has_taken(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        with listening() as server:
            feed, client = Tap(), TCPClient("127.0.0.1", server.port)
            s.activate(Pipeline(feed, client), Probe())
            peer = await server.accept()
            await until(lambda: client.connected)
            for number in range(500):
                feed.send(str(number))
            client.stop()
            assert await peer.rest() == "".join(f"{i}\n" for i in range(500)).encode()
            await until(lambda: client.ended)

    net(main)


def after_turns(turns: int, action: Callable[[], None]) -> None:
    """Call `action` so many turns of the event loop later."""
    if turns:
        asyncio.get_running_loop().call_soon(after_turns, turns - 1, action)
    else:
        action()


@pytest.mark.parametrize("turns_later", range(4))
def test_stopping_it_in_the_moment_it_connects_sends_what_it_has_taken(net: Net, turns_later: int) -> None:
    """The task that connects is not over when the connection stands, and being cancelled it would close that."""

    class Stops(TCPClient):
        def wire_made(self, wire: Wire) -> None:
            super().wire_made(wire)
            after_turns(turns_later, self.send_and_stop)

        def send_and_stop(self) -> None:
            for number in range(500):
                feed.send(str(number))
            self.stop()

    feed = Tap()

    async def main(s: Scheduler) -> None:
        with listening() as server:
            client = Stops("127.0.0.1", server.port)
            s.activate(Pipeline(feed, client), Probe())
            peer = await server.accept()
            assert await peer.rest() == "".join(f"{i}\n" for i in range(500)).encode()
            await until(lambda: client.ended)

    net(main)


@pytest.mark.parametrize("turns_later", range(4))
def test_out_of_time_in_the_moment_it_connects_it_stays_connected(
    net: Net, turns_later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[asyncio.Timeout] = []
    real_timeout = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        timeouts.append(real_timeout(seconds))
        return timeouts[-1]

    class IsLate(TCPClient):
        def wire_made(self, wire: Wire) -> None:
            super().wire_made(wire)
            after_turns(turns_later, self.run_out_of_time)

        def run_out_of_time(self) -> None:
            with contextlib.suppress(RuntimeError):  # it is over by then
                timeouts[-1].reschedule(0.0)
            for number in range(500):
                feed.send(str(number))

    feed = Tap()

    async def main(s: Scheduler) -> None:
        monkeypatch.setattr(asyncio, "timeout", timeout)
        with listening() as server:
            client, status = IsLate("127.0.0.1", server.port), Probe()
            client.link((client, "status"), (status, "inbox"))
            s.activate(Pipeline(feed, client), status)
            peer = await server.accept()
            assert await peer.lines(500) == [str(number) for number in range(500)]
            assert status.messages == [Connected(f"127.0.0.1:{server.port}")]

    net(main)


def test_a_first_try_can_be_delayed(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        with listening() as server:
            began_s = s.time()
            s.activate(TCPClient("127.0.0.1", server.port, delay_s=0.1))
            await server.accept()
            assert s.time() - began_s >= 0.1

    net(main)


def test_a_hundred_clients_are_all_back_after_a_restart_of_the_server(net: Net) -> None:
    """Row 67: none is refused."""
    count = 100

    async def main(s: Scheduler) -> None:
        s.activate(Tap())
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        port = server.port
        clients = [TCPClient("127.0.0.1", port, longest_retry_s=0.2) for _ in range(count)]
        s.activate(*clients)
        await until(lambda: all(client.connected for client in clients))
        server.stop()
        await until(lambda: server.ended and not any(client.connected for client in clients))
        again = SimpleServer(Echo, port, announce=False)
        s.activate(again)
        await until(lambda: all(client.connected for client in clients))
        assert again.connection_statistics().refused == 0

    net(main)


@pytest.mark.parametrize(("host", "port"), [("", 1), (None, 1), ("h", 0), ("h", "80"), ("h", 65536)])
def test_an_address_that_cannot_be_is_refused(host: Any, port: Any) -> None:
    with pytest.raises(UsageError):
        TCPClient(host, port)


def test_two_schedulers_can_talk_to_each_other(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        probe = Probe()
        other = Scheduler(watchdog_s=None)
        thread = threading.Thread(
            target=lambda: other.run(Pipeline(Feeder(["a", "b"]), TCPClient("127.0.0.1", server.port), probe))
        )
        thread.start()
        await until(lambda: not thread.is_alive())
        thread.join()
        assert probe.messages == ["a", "b"]
        async with connected(server.port) as peer:
            await peer.send("c\n")
            assert await peer.line() == "c"

    net(main)
