"""UDP: datagrams in and out. Nothing here makes UDP reliable; what is seen to be lost is counted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from axonlike.component import Component
from axonlike.components.net.connection import address_text
from axonlike.components.net.listening import CannotListen
from axonlike.components.net.tcp_client import resolve_address
from axonlike.driven import Driven
from axonlike.errors import DeviceError, UsageError, show_value
from axonlike.linkage import Box

__all__ = ["Datagram", "UDPReceiver", "UDPReceiverStatistics", "UDPSender"]

log = logging.getLogger("axonlike.net")

# What Linux calls IP_RECVERR and IPV6_RECVERR (linux/in.h, linux/in6.h): Python has no names for them.
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
LARGEST_BYTES = 65_507  # 65 535 less the headers of IPv4 and UDP
_AT_ONCE = 64
_SO_RXQ_OVFL = 40  # Linux: each datagram brings along how many the kernel has dropped for want of room


class Datagram(NamedTuple):
    """One datagram, with the (host, port) that it came from or goes to."""

    payload: bytes
    address: tuple[str, int]


@dataclass(frozen=True, slots=True)
class UDPReceiverStatistics:
    """What came, and what of it was not handed on.

    dropped: the receiver's box was full. dropped_by_system: the socket's buffer was (Linux only, else 0). refused: from
    another sender than those in `accept_from`.
    """

    received: int = 0
    dropped: int = 0
    dropped_by_system: int = 0
    refused: int = 0


class UDPReceiver(Driven):
    """``UDPReceiver(5005)``: each datagram that comes to this port goes out as a `Datagram` (payload, address).

    accept_from: addresses (hosts as numbers) whose datagrams are taken; all others are refused and counted. port=0
    takes a free port; `port` tells which, after the start. Nothing waits for a receiver that is full: what comes then
    is dropped and counted (`datagram_statistics`). buffer_bytes: what the system should keep while the program is busy
    (it may give less).
    """

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("datagrams", Datagram)}

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        accept_from: str | Iterable[str] | None = None,
        buffer_bytes: int = 1 << 20,
    ) -> None:
        if port not in range(65536):
            raise UsageError(f"UDPReceiver: a port is a number from 0 (any that is free) to 65535, not {port!r}")
        self.port = port
        self.host = host
        self.accept_from = None if accept_from is None else frozenset(
            (accept_from,) if isinstance(accept_from, str) else accept_from
        )  # fmt: skip
        self.buffer_bytes = buffer_bytes
        self._sock: socket.socket | None = None
        self._received = self._dropped = self._dropped_by_system = self._refused = 0

    def datagram_statistics(self) -> UDPReceiverStatistics:
        """Counts so far."""
        return UDPReceiverStatistics(self._received, self._dropped, self._dropped_by_system, self._refused)

    def begin(self) -> None:
        try:
            family, kind, proto, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            )[0]
            sock = socket.socket(family, kind, proto)
        except (OSError, UnicodeError) as exc:
            raise self._cannot(exc) from exc
        try:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer_bytes)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            sock.setblocking(False)
            sock.bind(address)
        except OSError as exc:
            sock.close()
            raise self._cannot(exc) from exc
        self._sock = sock
        self.port = sock.getsockname()[1]
        assert self._scheduler is not None
        assert self._scheduler.loop is not None
        self._scheduler.loop.add_reader(sock.fileno(), self._read, sock)

    def _cannot(self, exc: BaseException) -> CannotListen:
        return CannotListen(
            f"{self.name} cannot receive on {address_text((self.host, self.port))}: {exc}. Choose another port (0 = "
            "any that is free), and an address that this machine has"
        )

    def _read(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                payload, extra, _, address = sock.recvmsg(65_536, 64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:  # an ICMP answer to something that was sent from this port
                log.debug("%s: %s", self.path, exc)
                continue
            for level, what, data in extra:
                if level == socket.SOL_SOCKET and what == _SO_RXQ_OVFL:
                    self._dropped_by_system = struct.unpack("=I", data[:4])[0]
            try:
                self._take(payload, address)
            except BaseException as exc:
                self.fail(exc)
                return

    def _take(self, payload: bytes, address: Any) -> None:
        self._received += 1
        if self.accept_from is not None and address[0] not in self.accept_from:
            self._refused += 1
        elif not self.has_room:
            self._dropped += 1
        else:
            self.send(Datagram(payload, address[:2]))

    def end_of_input(self) -> None:
        """Has no input: it receives until it is stopped."""

    def stopped(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._scheduler is not None and self._scheduler.loop is not None:
                self._scheduler.loop.remove_reader(sock.fileno())
            sock.close()


class UDPSender(Component):
    """``UDPSender("10.0.0.5", 5005)``: sends each bytes message as one datagram; a `Datagram` goes to its own address.

    More than 65 507 bytes, or what is not bytes, is refused by name. `sent` counts; `unreachable` counts the answers
    that nobody listens there (logged once). Ends with its input.
    """

    def __init__(self, host: str, port: int, *, broadcast: bool = False) -> None:
        if port not in range(1, 65536):
            raise UsageError(f"UDPSender: a port is a number from 1 to 65535, not {port!r}")
        self.host = host
        self.port = port
        self.broadcast = broadcast
        self.sent = 0
        self.unreachable = 0

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            addresses = await resolve_address(self.host, self.port, socket.SOCK_DGRAM)
        except OSError as exc:
            raise DeviceError(f"{self.path}: the name {self.host} cannot be resolved: {exc}") from exc
        family, address = addresses[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            if self.broadcast:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if sys.platform.startswith("linux"):  # which otherwise tells nobody that nobody listens there
                # Not by connecting: the socket would keep the address that this machine has now.
                sock.setsockopt(*_RECVERR[family], 1)
            async for message in self.inbox():
                payload, to = message if isinstance(message, Datagram) else (message, address)
                if not isinstance(payload, bytes | bytearray | memoryview):
                    raise TypeError(f"a datagram is bytes, not {show_value(message)}")
                if len(payload) > LARGEST_BYTES:
                    raise ValueError(
                        f"a datagram of {len(payload)} bytes is over the {LARGEST_BYTES} that UDP can carry: cut it "
                        "up, or use TCP"
                    )
                await self._send_one(loop, sock, payload, to)

    async def _send_one(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, payload: Any, to: Any) -> None:
        while True:
            try:
                sock.sendto(payload, to)
            except (BlockingIOError, InterruptedError):
                await _writable(loop, sock)
            except OSError as exc:
                if exc.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
                    raise DeviceError(f"{self.path}: no datagram to {address_text(to)}: {exc}") from exc
                answers = _answers(sock)
                if not self.unreachable:
                    log.warning("%s: %s: %s", self.path, address_text(to), exc)
                self.unreachable += answers or 1
                if not answers:
                    return
                # They are to earlier ones: this one has not been sent yet.
            else:
                self.sent += 1
                return


def _answers(sock: socket.socket) -> int:
    """How many datagrams the network has said that nobody takes, since this was asked last (Linux)."""
    count = 0
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            while True:
                sock.recv(1, socket.MSG_ERRQUEUE)
                count += 1
    return count


async def _writable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def may_write() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(sock.fileno(), may_write)
    try:
        await ready
    finally:
        loop.remove_writer(sock.fileno())
