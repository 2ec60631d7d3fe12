"""Every component of net keeps the promises of all components."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from axonlike import Component
from axonlike.components.net import Echo, SimpleServer, SingleServer, TCPClient, TCPServer, UDPReceiver, UDPSender
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


def test_client_without_a_server() -> None:
    port = free_port()
    check_component(
        lambda: TCPClient("127.0.0.1", port, first_retry_s=0.01), messages=["a"] * 5, ends=False, patience_s=0.2
    )


def test_udp_sender() -> None:
    check_component(lambda: UDPSender("127.0.0.1", free_port()), messages=[b"a", b"b"])
