"""The parts of a connection by themselves: one block for all that waits, and the bound on all clients together."""

from __future__ import annotations

import inspect
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Scheduler
from axonlike.box import DEFAULT_LIMIT
from axonlike.components.net import Echo, SimpleServer, SingleServer, TCPClient, TCPServer, UDPReceiver
from axonlike.components.net.connection import _KEEPALIVE, BlockEncoder, ClientBuffers, SendLimits, Wire, address_text
from axonlike.restarts import RestartLimit
from axonlike.streams.framing import encode_line, framing
from tests.components.net.peers import run_on, until

lines = st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.just("a\n"), st.just(""), st.binary()), min_size=1)


@given(lines)
def test_a_block_of_lines_is_what_its_lines_are_one_by_one(messages: list[Any]) -> None:
    encoder = BlockEncoder(framing("lines"))
    wanted = b"".join(map(encode_line, messages))
    assert encoder.encode(list(messages)) == wanted
    assert encoder.encode(list(messages)) == wanted


@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "a\n"]), min_size=1, max_size=3), max_size=20))
def test_what_an_encoder_remembers_never_shows(batches: list[list[str]]) -> None:
    encoder = BlockEncoder(framing("lines"))
    for batch in batches:
        assert encoder.encode(list(batch)) == b"".join(map(encode_line, batch))


def test_a_block_is_made_once_for_all_clients_that_get_the_same_messages() -> None:
    encoder = BlockEncoder(framing("lines"))
    messages = [f"line {i}" for i in range(100)]
    assert encoder.encode(list(messages)) is encoder.encode(list(messages))


@pytest.mark.parametrize("bad", [5, None, ["x"], "\ud800"])
def test_what_is_no_line_is_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        BlockEncoder(framing("lines")).encode(["good", bad])


def test_addresses_are_written_as_people_do() -> None:
    assert address_text(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert address_text(("::1", 80, 0, 0)) == "[::1]:80"


class Holding:
    """Stands for a sender with so much in its buffer."""

    def __init__(self, pending_bytes: int) -> None:
        self.pending_bytes = pending_bytes
        self.reason = ""

    def cut(self, reason: str, text: str) -> None:
        self.reason = f"{reason}: {text}"


def test_over_the_bound_for_all_clients_the_largest_is_cut() -> None:
    """SEMANTICS 7."""
    buffers = ClientBuffers(limit_bytes=100)
    small, large, drained = Holding(40), Holding(50), Holding(60)
    buffers.note(drained, 60)  # type: ignore[arg-type]
    drained.pending_bytes = 0  # it has been sent since: it costs nobody anything
    buffers.note(small, 40)  # type: ignore[arg-type]
    buffers.note(large, 50)  # type: ignore[arg-type]
    assert not (small.reason)
    assert not (large.reason)
    assert not (drained.reason)
    large.pending_bytes = 70
    buffers.note(large, 70)  # type: ignore[arg-type]
    assert "over the limit of 100 for all together; this one's 70 are the most" in large.reason
    assert not (small.reason)
    assert not (drained.reason)
    small.pending_bytes = 90
    buffers.note(small, 90)  # type: ignore[arg-type]
    assert not small.reason  # the room of the one that was cut is free again
    buffers.forget(small)  # type: ignore[arg-type]
    buffers.note(drained, 95)  # type: ignore[arg-type]
    assert not drained.reason


SERVERS = (SimpleServer, SingleServer, TCPServer)


def default(function: Callable[..., Any], name: str) -> Any:
    value = inspect.signature(function).parameters[name].default
    assert value is not inspect.Parameter.empty
    return value


def test_the_defaults_are_those_of_the_documents() -> None:
    """DESIGN 5 and 8, SEMANTICS 7 and 27, rows 51, 57, 66, 67, 69 and 72: tests shorten them; here they are checked."""
    limits = SendLimits()
    assert (limits.pending_limit_bytes, limits.soft_limit_bytes) == (8 * 2**20, 2 * 2**20)
    assert (limits.soft_limit_s, limits.stall_timeout_s) == (10.0, 10.0)
    assert limits.drain_s <= Scheduler().stop_deadline_s
    assert ClientBuffers().limit_bytes == 256 * 2**20
    for kind in SERVERS:
        assert default(kind, "host") == "127.0.0.1"
        assert default(kind, "backlog") == 512
        assert default(kind, "handshake_timeout_s") == 5.0
        assert default(kind, "announce") is True
    for kind in (SimpleServer, TCPServer):
        assert (default(kind, "max_connections"), default(kind, "max_per_address")) == (1024, 256)
        for name in ("pending_limit_bytes", "soft_limit_bytes", "soft_limit_s"):
            assert default(kind, name) == getattr(limits, name)
    for each in (*SERVERS, TCPClient):
        assert default(each, "framing") == "lines"
        assert default(each, "line_limit_bytes") is None  # that of the framing
        for name in ("stall_timeout_s", "drain_s"):
            assert default(each, name) == getattr(limits, name)
    assert default(TCPClient, "reconnect") is True
    assert default(TCPClient, "connect_timeout_s") == 10.0
    assert (default(TCPClient, "first_retry_s"), default(TCPClient, "longest_retry_s")) == (0.1, 30.0)
    assert default(UDPReceiver, "host") == "127.0.0.1"
    assert framing("lines").limit_bytes == 64 * 2**10
    assert framing("length").limit_bytes == 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have other options")
def test_both_ends_of_a_connection_look_after_a_peer_that_says_nothing() -> None:
    """Row 63: asked after 20 s of silence, given up after 3 answers that do not come for 5 s each."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        client = TCPClient("127.0.0.1", server.port)
        s.activate(client)
        await until(lambda: client.connected and server.children)
        served: Any = server.children[0]
        await until(lambda: served.wire.transport is not None)
        assert client._wire is not None
        for wire in (client._wire, served.wire):
            sock, tcp = wire._sock, socket.IPPROTO_TCP
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(tcp, socket.TCP_KEEPIDLE) == 20
            assert sock.getsockopt(tcp, socket.TCP_KEEPINTVL) == 5
            assert sock.getsockopt(tcp, socket.TCP_KEEPCNT) == 3
            assert 15_000 <= sock.getsockopt(tcp, socket.TCP_USER_TIMEOUT) <= 20_000
            assert sock.getsockopt(tcp, socket.TCP_NODELAY) != 0

    run_on("asyncio", main)


def test_a_socket_that_the_loop_has_closed_before_it_told_confirms_nothing() -> None:
    """It is asked from time to time, out of a timer of the scheduler: an error there would end the run."""

    class Closed:
        def getsockopt(self, *_arguments: int) -> bytes:
            raise ValueError("negative file descriptor")

    wire = object.__new__(Wire)
    wire._sock = Closed()
    assert wire.acked_bytes is None


def amount(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB" if size_bytes >= 1 << 20 else f"{size_bytes >> 10} KiB"


def test_the_table_of_limits_in_the_documents_is_what_the_code_does() -> None:
    """docs/deployment.md, "Limits": row by row, so that neither is changed without the other."""
    text = (Path(__file__).parents[3] / "docs" / "deployment.md").read_text()
    lines = text.partition("\n## Limits\n")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    table = {what: limit for what, limit, _ in cells[2:]}
    limits, restarts = SendLimits(), RestartLimit()
    silence_s = _KEEPALIVE["TCP_KEEPIDLE"] + _KEEPALIVE["TCP_KEEPCNT"] * _KEEPALIVE["TCP_KEEPINTVL"]
    assert table == {
        "an inbox": f"{DEFAULT_LIMIT} messages",
        "a line": amount(framing("lines").limit_bytes),
        'a frame (`framing="length"`)': amount(framing("length").limit_bytes),
        "connections of one server": (
            f"{default(SimpleServer, 'max_connections')}, of one address {default(SimpleServer, 'max_per_address')}"
        ),
        "connections that wait to be accepted": f"{default(SimpleServer, 'backlog')}",
        "what waits for one client": (
            f"{amount(limits.pending_limit_bytes)}; {amount(limits.soft_limit_bytes)} for {limits.soft_limit_s:g} s"
        ),
        "a client that takes nothing": f"{limits.stall_timeout_s:g} s",
        "what waits for all clients of a process": amount(ClientBuffers().limit_bytes),
        "a TLS handshake": f"{default(SimpleServer, 'handshake_timeout_s'):g} s",
        "silence of a dead peer (keepalive)": f"about {-(-silence_s // 10) * 10} s",
        "clients that are there at a stop": f"{limits.drain_s:g} s",
        "connecting (`TCPClient`)": f"{default(TCPClient, 'connect_timeout_s'):g} s",
        "reconnecting (`TCPClient`)": (
            f"every {default(TCPClient, 'first_retry_s'):g} s at first, "
            f"every {default(TCPClient, 'longest_retry_s'):g} s at last"
        ),
        'restarts (`Supervisor`, `on_error="restart"`)': f"{restarts.intensity} in {restarts.period_s:g} s",
        "the log": "what you configure",
    }
