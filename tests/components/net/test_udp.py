"""UDP: what comes is handed on or counted, what cannot go is refused by name. Row 71 of the fault catalogue.

Datagrams carry no number here, so whoever receives them cannot tell that some came twice or in another order.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from axonlike import Pipeline, Scheduler
from axonlike.components.net import CannotListen, Datagram, UDPReceiver, UDPReceiverStatistics, UDPSender
from axonlike.errors import ComponentError, UsageError
from axonlike.testing import Feeder, Probe, Stalled
from tests.components.net.peers import free_port, until

Net = Callable[..., None]


def test_datagrams_arrive_with_their_senders_address(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        receiver, probe = UDPReceiver(0), Probe()
        s.activate(Pipeline(receiver, probe))
        payloads = [b"one", b"", b"\0" * 9000]
        sender = UDPSender("127.0.0.1", receiver.port)
        s.activate(Pipeline(Feeder(payloads), sender))
        await until(lambda: len(probe.messages) == 3)
        assert [datagram.payload for datagram in probe.messages] == payloads
        assert {datagram.address[0] for datagram in probe.messages} == {"127.0.0.1"}
        assert sender.sent == 3
        assert receiver.datagram_statistics() == UDPReceiverStatistics(received=3)

    net(main)


def test_a_datagram_goes_to_its_own_address(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        receiver, probe = UDPReceiver(0), Probe()
        s.activate(Pipeline(receiver, probe))
        s.activate(
            Pipeline(Feeder([Datagram(b"x", ("127.0.0.1", receiver.port))]), UDPSender("localhost", free_port()))
        )
        await until(lambda: probe.messages)
        assert [datagram.payload for datagram in probe.messages] == [b"x"]

    net(main)


def test_other_senders_are_refused_and_counted(net: Net) -> None:
    """Row 71: the wrong source is ignored."""

    async def main(s: Scheduler) -> None:
        receiver, probe = UDPReceiver(0, accept_from="127.0.0.2"), Probe()
        s.activate(Pipeline(receiver, probe))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong:
            wrong.sendto(b"wrong", ("127.0.0.1", receiver.port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right:
            right.bind(("127.0.0.2", 0))
            right.sendto(b"right", ("127.0.0.1", receiver.port))
        # Both: what two sockets send from two processors need not come in order.
        await until(lambda: probe.messages and receiver.datagram_statistics().refused)
        assert [datagram.payload for datagram in probe.messages] == [b"right"]
        assert receiver.datagram_statistics().refused == 1

    net(main)


def test_what_a_full_receiver_misses_is_counted(net: Net) -> None:
    """Row 71: each of them was handed on, dropped or refused."""

    async def main(s: Scheduler) -> None:
        receiver, stalled = UDPReceiver(0, accept_from=["127.0.0.1", "127.0.0.3"]), Stalled(limit=5)
        s.activate(Pipeline(receiver, stalled))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(50):
                sock.sendto(b"%d" % number, ("127.0.0.1", receiver.port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            other.sendto(b"refused", ("127.0.0.1", receiver.port))
        await until(lambda: receiver.datagram_statistics().received == 51)
        assert receiver.datagram_statistics() == UDPReceiverStatistics(received=51, dropped=45, refused=1)
        assert [datagram.payload for datagram in stalled.inbox()] == [b"0", b"1", b"2", b"3", b"4"]

    net(main)


def test_what_the_systems_buffer_misses_is_counted() -> None:
    """Row 71: loss in the system, as far as the system tells (Linux)."""

    async def main() -> None:
        async with Scheduler(watchdog_s=None) as s:
            receiver, probe = UDPReceiver(0, buffer_bytes=4096), Probe()
            s.activate(Pipeline(receiver, probe))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for _ in range(1000):
                    sock.sendto(b"x" * 500, ("127.0.0.1", receiver.port))
                while True:  # the count comes along with the next datagram
                    sock.sendto(b"last", ("127.0.0.1", receiver.port))
                    await asyncio.sleep(0.001)
                    statistics = receiver.datagram_statistics()
                    lasts = sum(datagram.payload == b"last" for datagram in probe.messages)
                    if statistics.dropped_by_system and lasts:
                        break
            assert statistics.dropped_by_system + statistics.received - lasts >= 1000
            assert statistics.received < 1000

    asyncio.run(main())


@pytest.mark.parametrize(
    ("message", "text"), [(b"x" * 65_508, "65508 bytes is over the 65507"), ("text", "a datagram is bytes, not 'text'")]
)
def test_what_is_no_datagram_is_refused_by_name(message: Any, text: str) -> None:
    with pytest.raises(ComponentError, match=text):
        Scheduler().run(Pipeline(Feeder([message]), UDPSender("127.0.0.1", 9)))


def test_the_largest_datagram_there_is_arrives_whole(net: Net) -> None:
    """Row 71: one more byte is refused, as above."""

    async def main(s: Scheduler) -> None:
        receiver, probe = UDPReceiver(0), Probe()
        s.activate(Pipeline(receiver, probe))
        s.activate(Pipeline(Feeder([b"x" * 65_507]), UDPSender("127.0.0.1", receiver.port)))
        await until(lambda: probe.messages)
        assert probe.messages[0].payload == b"x" * 65_507

    net(main)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere loopback has no broadcast address")
def test_a_broadcast_arrives_if_it_was_asked_for(net: Net) -> None:
    arrived: list[bytes] = []

    async def main(s: Scheduler) -> None:
        receiver, probe = UDPReceiver(0, "0.0.0.0"), Probe()
        s.activate(Pipeline(receiver, probe))
        s.activate(Pipeline(Feeder([b"all"]), UDPSender("127.255.255.255", receiver.port, broadcast=True)))
        await until(lambda: probe.messages or not s.running)
        arrived.extend(datagram.payload for datagram in probe.messages)
        s.activate(Pipeline(Feeder([b"all"]), UDPSender("127.255.255.255", receiver.port)))
        await until(lambda: not s.running)

    with pytest.raises(ComponentError, match=r"no datagram to 127\.255\.255\.255:\d+: .*[Pp]ermission denied"):
        net(main)
    assert arrived == [b"all"]


def test_a_name_that_cannot_be_resolved_is_an_error() -> None:
    with pytest.raises(ComponentError, match=r"the name no\.such\.host\.invalid cannot be resolved"):
        Scheduler().run(Pipeline(Feeder([b"x"]), UDPSender("no.such.host.invalid", 9)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere answers may come later")
def test_answers_that_nobody_listens_are_counted_and_logged_once(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """Row 71: and what is sent is sent all the same, wherever it goes."""

    async def main(s: Scheduler) -> None:
        receiver, probe, port = UDPReceiver(0), Probe(), free_port()
        s.activate(Pipeline(receiver, probe))
        feed, sender, sent = Stalled(), UDPSender("127.0.0.1", port), 0
        s.activate(Pipeline(feed, sender))
        for count, unheard in enumerate((b"a", b"b", b"c"), 1):
            feed.send(unheard)
            # It hears of the answer when it sends again, and on a busy machine that comes later.
            while sender.unreachable < count:
                feed.send(Datagram(b"%d" % sent, ("127.0.0.1", receiver.port)))
                sent += 1
                await asyncio.sleep(0.002)
        await until(lambda: len(probe.messages) == sent)
        assert [datagram.payload for datagram in probe.messages] == [b"%d" % number for number in range(sent)]
        assert (sender.sent, sender.unreachable) == (sent + 3, 3)

    net(main)
    assert caplog.text.count("Connection refused") == 1


def test_a_port_in_use_is_an_error_at_the_start() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(ComponentError, match="cannot receive on 127") as raised:
            Scheduler().run(UDPReceiver(other.getsockname()[1]))
    assert isinstance(raised.value.cause, CannotListen)


@pytest.mark.parametrize("make", [lambda: UDPReceiver(-1), lambda: UDPSender("h", 0)])
def test_a_port_that_is_none_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match="a port is a number"):
        make()
