"""Every component of net keeps the promises of all components."""

from __future__ import annotations

import socket
import socketserver
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from axonlike import Component
from axonlike.components.net import (
    Echo,
    SimpleServer,
    SingleServer,
    TCPClient,
    TCPConnection,
    TCPServer,
    UDPReceiver,
    UDPSender,
)
from axonlike.components.util import Null
from axonlike.testing import check_component
from tests.components.net.peers import LOOPS, free_port

assert LOOPS  # peers is imported before any test counts descriptors


class EchoBack(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that resets is part of some scenarios."""


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server outside the graph under test."""
    with Server(("127.0.0.1", 0), EchoBack) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_echo() -> None:
    check_component(Echo, messages=["a", "b"])


@pytest.mark.parametrize(
    "factory",
    [
        lambda: SimpleServer(Echo, 0, announce=False),
        lambda: SingleServer(0, announce=False),
        lambda: TCPServer(0, announce=False),
        lambda: UDPReceiver(0),
    ],
    ids=["SimpleServer", "SingleServer", "TCPServer", "UDPReceiver"],
)
def test_listeners(factory: Callable[[], Component]) -> None:
    check_component(factory, ends=False)


def test_single_server_with_replies_for_nobody() -> None:
    check_component(lambda: SingleServer(0, announce=False), messages=["a", "b"], ends=False)


def test_client(echo_port: int) -> None:
    check_component(lambda: TCPClient("127.0.0.1", echo_port), messages=[f"line {i}" for i in range(50)])


class Beside(TCPServer):
    """The server to which a connection belongs; it does not keep the run."""

    service = True


class NobodyElse(Null):
    service = True


def listening(server: TCPServer) -> list[Component]:
    takes = NobodyElse()
    server.link((server, "outbox"), (takes, "inbox"))
    return [server, takes]


def test_connection_of_a_server(echo_port: int) -> None:
    servers: list[TCPServer] = []

    def connection() -> TCPConnection:
        servers.append(Beside(0, announce=False))
        # As if accepted: what is at its other end echoes, and closes when nothing more comes.
        sock = socket.create_connection(("127.0.0.1", echo_port))
        sock.setblocking(False)
        servers[-1].entered(sock.getpeername())
        made = TCPConnection(servers[-1], sock, sock.getpeername())
        weakref.finalize(made, sock.close)  # the server's task, when nobody activates it
        return made

    check_component(
        connection, messages=[f"line {i}" for i in range(50)], companions=lambda: listening(servers[-1])
    )
    assert {server.connection_statistics().open for server in servers[3:]} == {0}  # three are made and dropped


def test_client_without_a_server() -> None:
    port = free_port()
    check_component(
        lambda: TCPClient("127.0.0.1", port, first_retry_s=0.01), messages=["a"] * 5, ends=False, patience_s=0.2
    )


def test_udp_sender() -> None:
    check_component(lambda: UDPSender("127.0.0.1", free_port()), messages=[b"a", b"b"])
