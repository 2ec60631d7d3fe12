"""TLS: works as plain TCP does, refuses what it cannot trust, and a handshake holds nobody up."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from axonlike import Pipeline, Scheduler
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import CannotConnect, Disconnected, Echo, SimpleServer, SingleServer, TCPClient
from axonlike.errors import ComponentError
from axonlike.testing import Feeder, Probe
from tests.components.net.peers import Peer, connected, listening, until

Net = Callable[..., None]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def serving(authority: trustme.CA) -> ssl.SSLContext:
    return context_of(authority.issue_cert("localhost", "127.0.0.1"))


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_lines_go_both_ways_and_all_arrives_before_the_end(
    net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, tls=serving, announce=False)
        s.activate(server)
        lines = [f"line {i} " + "x" * 100 for i in range(5000)]
        probe = Probe()
        # Longer than this process may stand while the last replies are under way.
        client = TCPClient("localhost", server.port, tls=trusting, linger_s=3.0)
        pipeline = Pipeline(Feeder(lines), client, probe)
        s.activate(pipeline)
        await until(lambda: len(probe.messages) == 5000)
        await until(lambda: pipeline.ended)
        assert probe.messages == lines
        await until(lambda: not server.children)

    net(main)


def test_a_subscription_and_a_single_server_work_over_tls(
    net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def main(s: Scheduler) -> None:
        plane, probe = Backplane("Events"), Probe()
        server = SimpleServer(lambda: SubscribeTo("Events"), 0, tls=serving, announce=False)
        one, taken = SingleServer(0, tls=serving, announce=False), Probe()
        s.activate(plane, server, Pipeline(one, taken))
        client = TCPClient("127.0.0.1", server.port, tls=trusting)
        s.activate(Pipeline(client, probe))
        await until(lambda: plane.subscribers)
        plane.publish("an event")
        await until(lambda: probe.messages == ["an event"])
        s.activate(Pipeline(Feeder(["a", "b"]), TCPClient("localhost", one.port, tls=trusting, linger_s=0.1)))
        await until(lambda: taken.messages == ["a", "b"])
        client.stop()
        await until(lambda: not plane.subscribers)

    net(main)


def test_a_certificate_can_be_given_as_two_files(
    net: Net, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")

    async def main(s: Scheduler) -> None:
        server = SimpleServer(
            lambda: Feeder(["secret"]), 0, tls=(tmp_path / "cert.pem", tmp_path / "key.pem"), announce=False
        )
        s.activate(server)
        probe = Probe()
        s.activate(Pipeline(TCPClient("localhost", server.port, tls=trusting, reconnect=False), probe))
        await until(lambda: probe.messages == ["secret"])

    net(main)


def _expired() -> datetime.datetime:
    return datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed"])
def test_a_server_that_cannot_be_trusted_is_refused(
    net: Net, authority: trustme.CA, trusting: ssl.SSLContext, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 70."""
    if fault == "expired":
        certificate = authority.issue_cert("localhost", not_before=_expired(), not_after=_expired())
    elif fault == "wrong host":
        certificate = authority.issue_cert("elsewhere.example")
    else:
        certificate = trustme.CA().issue_cert("localhost")

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, tls=context_of(certificate), announce=False)
        s.activate(server)
        s.activate(TCPClient("localhost", server.port, tls=trusting, reconnect=False))
        await until(lambda: not s.running)

    with pytest.raises(ComponentError) as raised:
        net(main)
    assert isinstance(raised.value.cause, CannotConnect)
    words = {"expired": "expired", "wrong host": "not valid for 'localhost'", "self-signed": "self-signed|local issuer"}
    assert any(word in str(raised.value).replace("self signed", "self-signed") for word in words[fault].split("|"))


def test_plain_text_to_a_tls_port_is_refused_and_others_are_served(
    net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 70."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, tls=serving, announce=False)
        s.activate(server)
        async with connected(server.port) as plain:
            await plain.send("GET / HTTP/1.0\r\n\r\n")
            try:
                assert b"HTTP" not in await plain.rest()
            except ConnectionResetError:
                pass
        await until(lambda: server.connection_statistics().failed == 1)
        probe = Probe()
        s.activate(Pipeline(Feeder(["fine"]), TCPClient("localhost", server.port, tls=trusting), probe))
        await until(lambda: probe.messages == ["fine"])

    net(main)
    assert "no TLS with 127.0.0.1" in caplog.text
    assert "Traceback" not in caplog.text


def test_tls_to_a_plain_port_is_told_and_tried_again(net: Net, trusting: ssl.SSLContext) -> None:
    """Row 70."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, framing="bytes", announce=False)
        s.activate(server)
        client, status = TCPClient("localhost", server.port, tls=trusting), Probe()
        client.link((client, "status"), (status, "inbox"))
        s.activate(client, status)
        await until(lambda: status.messages)
        assert isinstance(status.messages[0], Disconnected)
        assert "TLS" in status.messages[0].reason

    net(main)


def test_a_handshake_that_stalls_is_given_up_and_holds_nobody_up(
    net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 57 and 70."""

    async def main(s: Scheduler) -> None:
        patient, strict = (
            SimpleServer(Echo, 0, tls=serving, handshake_timeout_s=seconds, announce=False) for seconds in (60.0, 0.3)
        )
        s.activate(patient, strict)
        hello = b"\x16\x03\x01"  # its first bytes
        async with connected(patient.port) as stalling:
            await stalling.send(hello)
            ended = asyncio.create_task(_ended(stalling))
            probe = Probe()
            s.activate(Pipeline(Feeder(["fine"]), TCPClient("localhost", patient.port, tls=trusting), probe))
            await until(lambda: probe.messages == ["fine"])
            assert not ended.done()
            ended.cancel()
            await asyncio.wait([ended])
        began_s = s.time()
        async with connected(strict.port) as stalling:
            await stalling.send(hello)
            await _ended(stalling)
            assert s.time() - began_s >= 0.3
        await until(lambda: strict.connection_statistics().failed == 1)

    net(main)
    assert "Traceback" not in caplog.text


async def _ended(peer: Peer) -> None:
    try:
        await peer.rest()
    except ConnectionResetError:
        pass


def test_a_server_that_stalls_the_handshake_is_given_up(net: Net, trusting: ssl.SSLContext) -> None:
    """Row 70."""

    async def main(s: Scheduler) -> None:
        with listening() as server:
            client, status = TCPClient("localhost", server.port, tls=trusting, connect_timeout_s=0.2), Probe()
            client.link((client, "status"), (status, "inbox"))
            s.activate(client, status)
            await until(lambda: status.messages)
            assert status.messages == [Disconnected("no answer within 0.2 s")]

    net(main)


def test_a_stalled_subscriber_is_cut_over_tls_too(net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """Row 51."""

    async def main(s: Scheduler) -> None:
        plane = Backplane("E")
        server = SimpleServer(
            lambda: SubscribeTo("E"), 0, tls=serving, announce=False, pending_limit_bytes=1 << 20, stall_timeout_s=60
        )
        s.activate(server, plane)

        def shake() -> ssl.SSLSocket:
            sock = socket.create_connection(("127.0.0.1", server.port))
            return trusting.wrap_socket(sock, server_hostname="localhost")

        silent = await asyncio.get_running_loop().run_in_executor(None, shake)
        try:
            await until(lambda: plane.subscribers)
            while not server.connection_statistics().cut:
                plane.publish_many(["x" * 999] * 100)
                await asyncio.sleep(0)
            assert server.connection_statistics().cut == {"pending": 1}
            await until(lambda: not plane.subscribers)
        finally:
            silent.close()

    net(main)


def test_stopping_does_not_wait_for_a_peer_that_says_no_goodbye(
    net: Net, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(lambda: SubscribeTo("E"), 0, tls=serving, announce=False, drain_s=0.3)
        plane = Backplane("E")
        s.activate(server, plane)
        loop = asyncio.get_running_loop()

        def shake() -> ssl.SSLSocket:
            sock = socket.create_connection(("127.0.0.1", server.port))
            return trusting.wrap_socket(sock, server_hostname="localhost")

        silent = await loop.run_in_executor(None, shake)
        try:
            await until(lambda: plane.subscribers)
            server.stop()
            await until(lambda: server.ended)
        finally:
            silent.close()

    net(main)
