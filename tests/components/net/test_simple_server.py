"""SimpleServer: a fresh handler for each client, its boundaries and its errors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import CannotListen, Echo, SimpleServer, TCPClient
from axonlike.errors import ComponentError, NameNotProvided, UsageError
from axonlike.messages import ProducerFinished, Shutdown
from axonlike.testing import Feeder, Probe
from tests.components.net.peers import connected, free_port, until

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
    async def main(s: Scheduler) -> None:
        text = "x" * 1000
        server = serve(lambda: Feeder([text] * 5000))
        s.activate(server)
        async with connected(server.port) as peer:
            await peer.send("something that nobody reads\n")
            assert len(await peer.rest()) == 5000 * 1001
        await until(lambda: not server.children)

    net(main)


def test_a_client_that_half_closes_still_gets_its_reply(net: Net) -> None:
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
    """A chat user gets the echo of his own first line, as soon as his listening connection is up (SEMANTICS 28)."""

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


def test_what_cannot_be_sent_is_named_with_box_and_number(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(lambda: Feeder(["one", "two", 3, "four"]))
        s.activate(server)
        async with connected(server.port) as peer:
            assert await peer.rest() == b"one\ntwo\n"
        await until(lambda: not server.children)
        assert server.connection_statistics().failed == 1

    net(main)
    assert "a line is str or bytes, not 3" in caplog.text
    assert "message #3: 3" in caplog.text
    assert "sender" in caplog.text


def test_a_factory_that_fails_or_returns_nonsense_costs_that_connection_only(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
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
    scheduler = Scheduler()
    with pytest.raises(NameNotProvided, match=r"no backplane 'Event'.*did you mean 'Events'"):
        scheduler.run(Backplane("Events"), serve(lambda: SubscribeTo("Events"), needs=("Event",)))


def test_a_name_that_is_missing_when_a_client_comes_is_told_once_with_the_remedy(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
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
    class Late(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            SubscribeTo("Event").activate()

    async def main(s: Scheduler) -> None:
        server = serve(Late)
        s.activate(server)
        async with connected(server.port) as peer:
            assert await peer.rest() == b""

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


def test_a_silent_client_is_cut_after_the_idle_time_out_and_a_busy_one_is_not(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=0.3)
        s.activate(server)
        async with connected(server.port) as silent, connected(server.port) as busy:
            cut = asyncio.create_task(silent.is_cut())
            while not cut.done():
                await busy.send("tick\n")
                assert await busy.line() == "tick"
            assert cut.result()
            assert server.connection_statistics().cut == {"idle": 1}

    net(main)


def test_row_57_a_client_that_sends_a_line_byte_by_byte_for_ever_is_idle(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = serve(Echo, idle_timeout_s=0.3)
        s.activate(server)
        async with connected(server.port) as drips, connected(server.port) as busy:
            cut = asyncio.create_task(drips.is_cut())
            while not cut.done():
                with contextlib.suppress(OSError):  # cut, and told of it here rather than where it reads
                    await drips.send("x")
                await busy.send("tick\n")
                assert await busy.line() == "tick"
            assert server.connection_statistics().cut == {"idle": 1}

    net(main)


def test_an_idle_subscriber_that_is_sent_events_is_not_idle(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        plane = Backplane("Events")
        server = serve(lambda: SubscribeTo("Events"), idle_timeout_s=0.2)
        s.activate(plane, server)
        async with connected(server.port) as peer:
            await until(lambda: plane.subscribers)
            for number in range(40):
                plane.publish(str(number))
                assert await peer.line() == str(number)
                await asyncio.sleep(0.01)
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
    async def main(s: Scheduler) -> None:
        server = serve(Echo, max_per_address=1)
        s.activate(server)
        async with connected(server.port), connected(server.port) as second:
            await second.send("in\n")
            assert await second.line() == "in"

    net(main)


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
    async def main(s: Scheduler) -> None:
        here, everywhere = SimpleServer(Echo, 0), SimpleServer(Echo, 0, "0.0.0.0")
        s.activate(here, everywhere)
        assert everywhere.name == "SimpleServer-2"
        assert capsys.readouterr().out == (
            f'SimpleServer listens on 127.0.0.1:{here.port} (this machine only; host="0.0.0.0" for all)\n'
            f"SimpleServer-2 listens on 0.0.0.0:{everywhere.port} (reachable from other machines)\n"
        )

    asyncio.run(_in_scheduler(main))


async def _in_scheduler(main: Callable[[Scheduler], Any]) -> None:
    async with Scheduler() as s:
        await main(s)


def test_a_busy_port_is_an_error_of_the_run_with_address_and_remedy() -> None:
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
    with pytest.raises(ComponentError, match="no such address"):
        Scheduler().run(serve(Echo, host=host))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may listen on every port")
def test_a_privileged_port_is_an_error() -> None:
    with pytest.raises(ComponentError, match="Choose one from 1024 up"):
        Scheduler().run(serve(Echo, port=1))


def test_a_refused_port_says_which_ports_are_allowed() -> None:
    """What the system says to other users than root, as tests often run as root."""
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
