"""TCPServer: connections as components, for whoever wants to wire them himself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.net import Echo, TCPConnection, TCPServer
from axonlike.errors import ComponentError
from axonlike.testing import Feeder, Probe, Stalled
from tests.components.net.peers import connected, until

Net = Callable[..., None]


class Reception(Component):
    """Gives each connection an Echo."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for connection in self.inbox():
                assert isinstance(connection, TCPConnection)
                self.add_child(Pipeline(connection, Echo(), circular=True))


def test_each_connection_is_a_component_that_can_be_wired(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, reception = TCPServer(0, announce=False), Reception()
        s.activate(Pipeline(server, reception))
        async with connected(server.port) as one, connected(server.port) as two:
            await two.send("two\n")
            await one.send("one\n")
            assert await one.line() == "one"
            assert await two.line() == "two"
        await until(lambda: server.connection_statistics().open == 0)
        assert server.connection_statistics().connections_accepted == 2

    net(main)


def test_it_knows_its_peer(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = TCPServer(0, announce=False), Probe()
        s.activate(Pipeline(server, probe))
        async with connected(server.port) as peer:
            await until(lambda: probe.messages)
            (connection,) = probe.messages
            assert (connection.peer, connection.peer_port) == peer.sock.getsockname()
            assert connection.name == peer.name
            s.activate(Pipeline(Feeder(["hello"]), connection))
            assert await peer.line() == "hello"
            peer.close()
            await until(lambda: connection.ended)

    net(main)


def test_a_connection_that_nobody_activates_is_closed_and_counted(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = TCPServer(0, announce=False, handshake_timeout_s=0.1), Probe()
        s.activate(Pipeline(server, probe))
        async with connected(server.port) as peer:
            assert await peer.rest() == b""
        statistics = server.connection_statistics()
        assert (statistics.failed, statistics.open) == (1, 0)
        s.activate(probe.messages[0])  # too late: it ends at once
        await until(lambda: probe.messages[0].ended)

    net(main)
    assert "nobody activated it within 0.1 s" in caplog.text


def test_nobody_is_accepted_while_the_receiver_is_full(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, stalled = TCPServer(0, announce=False), Stalled(limit=2)
        s.activate(Pipeline(server, stalled))
        async with (
            connected(server.port),
            connected(server.port),
            connected(server.port),
            connected(server.port),
        ):
            await until(lambda: stalled.inbox().full)
            before = server.connection_statistics().connections_accepted
            async with connected(server.port):
                assert server.connection_statistics().connections_accepted == before
        server.stop()
        await until(lambda: server.ended)
        assert server.connection_statistics().open == 0

    net(main)


def test_a_server_whose_connections_nobody_takes_is_an_error() -> None:
    with pytest.raises(ComponentError, match="nobody takes the connections"):
        Scheduler().run(TCPServer(0))


def test_open_connections_outlive_the_server(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server, probe = TCPServer(0, announce=False), Probe()
        s.activate(Pipeline(server, probe), Stalled())
        async with connected(server.port) as peer:
            await until(lambda: probe.messages)
            s.activate(Pipeline(probe.messages[0], Echo(), circular=True))
            await peer.send("a\n")
            assert await peer.line() == "a"
            server.stop()
            await until(lambda: server.ended)
            await peer.send("b\n")
            assert await peer.line() == "b"

    net(main)
