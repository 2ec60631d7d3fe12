"""TCPClient: a connection to a server that comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from axonlike.box import Inbox
from axonlike.components.net.connection import (
    BlockEncoder,
    Receiver,
    Sender,
    SendLimits,
    Wire,
    address_text,
    set_socket_options,
    tls_options,
)
from axonlike.driven import Driven
from axonlike.errors import DeviceError, UsageError
from axonlike.linkage import Box
from axonlike.part import Part
from axonlike.restarts import Backoff
from axonlike.shutdown import State
from axonlike.streams.framing import Framing, FramingError
from axonlike.streams.framing import framing as framing_named

__all__ = ["CannotConnect", "Connected", "Disconnected", "Gap", "TCPClient", "resolve_address"]

log = logging.getLogger("axonlike.net")

_UNHEARD_LINGER_S = 2.0  # where nobody takes what the server still says, only to let our last bytes arrive


class CannotConnect(DeviceError):
    """A TCPClient(reconnect=False) got no connection."""

    code = "AX621"


@dataclass(frozen=True, slots=True)
class Connected:
    """On `status`: the connection to `peer` (host:port) stands."""

    peer: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """On `status`: there is no connection any more, or none could be made (once, not for every try)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """On `status`, after a break: what was under way and may be lost.

    unconfirmed_bytes: sent by us, not confirmed by the other host. partial_bytes: of a message whose end never came.
    """

    unconfirmed_bytes: int
    partial_bytes: int


class TCPClient(Driven):
    """``TCPClient("machine.b", 1500)``: sends what comes into its inbox; what it receives comes out of its outbox.

    As str lines, or as bytes with framing="bytes" or "length". It connects in the background, and again whenever the
    connection breaks: after 0.1 s, then 0.2 s, ... up to 30 s, each drawn at random from the upper half, so that many
    clients do not come at once. While it is down its inbox is not read, so whoever feeds it waits. `status` tells
    Connected, Disconnected, and a Gap after a break with something under way.

    When all that feed its inbox have ended, it sends what is left, says so to the server, and ends when the server
    closes or has been silent for `linger_s`. If nothing feeds it, it listens until it is stopped.

    reconnect=False: no connection is an error (CannotConnect), a closed one the end. connect_timeout_s: for name
    look-up, connecting and the TLS handshake. tls: True (the system's certificates) or an SSLContext;
    server_hostname: the name that the certificate must show, if not `host`. delay_s: before the first try.
    stall_timeout_s: a server that takes nothing for so long is left, and connected to anew.
    """

    Outboxes: ClassVar[dict[str, Any]] = {"status": Box("Connected, Disconnected, Gap", (Connected, Disconnected, Gap))}

    def __init__(
        self,
        host: str,
        port: int,
        *,
        reconnect: bool = True,
        framing: Literal["lines", "bytes", "length"] | Framing = "lines",
        tls: bool | ssl.SSLContext = False,
        server_hostname: str | None = None,
        delay_s: float = 0.0,
        connect_timeout_s: float = 10.0,
        first_retry_s: float = 0.1,
        longest_retry_s: float = 30.0,
        line_limit_bytes: int | None = None,
        stall_timeout_s: float = 10.0,
        linger_s: float = 30.0,
        drain_s: float = 4.0,
    ) -> None:
        if not isinstance(host, str) or not host:
            raise UsageError(f"TCPClient: host is a name or an address, not {host!r}")
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise UsageError(f"TCPClient: a port is a number from 1 to 65535, not {port!r}")
        self.host = host
        self.port = port
        self.reconnect = reconnect
        self.framing = framing_named(framing, limit_bytes=line_limit_bytes)
        self.tls = ssl.create_default_context() if tls is True else tls or None
        self.server_hostname = server_hostname or host
        self.delay_s = delay_s
        self.connect_timeout_s = connect_timeout_s
        self.linger_s = linger_s
        self._backoff = Backoff(first_retry_s, longest_retry_s)
        limits = SendLimits(stall_timeout_s=stall_timeout_s, drain_s=drain_s)
        self._sender = Sender(BlockEncoder(self.framing), limits, holds=True)
        self._receiver = Receiver(self.framing)
        self._wire: Wire | None = None
        self._task: asyncio.Task[None] | None = None
        self._lookup: asyncio.Future[list[Any]] | None = None
        self._told_down = False
        self._discarded_before = 0
        self.add_child(self._sender, self._receiver)
        self.link((self, "inbox"), (self._sender, "inbox"), passthrough="in")
        self.link((self._receiver, "outbox"), (self, "outbox"), passthrough="out")

    @property
    def connected(self) -> bool:
        """Is there a connection at this moment, its TLS handshake done?"""
        return self._wire is not None and self._wire.transport is not None and not self._wire.lost

    # -- connecting

    def begin(self) -> None:
        self._connect_after(self.delay_s)

    def _connect_after(self, delay_s: float) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        assert scheduler.loop is not None
        self._wire = None
        self._task = scheduler.loop.create_task(self._connect(delay_s), name=self.path)
        self._task.add_done_callback(self._connecting_ended)

    def _connecting_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception() or AssertionError())

    async def _connect(self, delay_s: float) -> None:
        """Try until it works."""
        while True:
            await asyncio.sleep(delay_s)
            try:
                await self._try()
            except OSError as exc:  # TimeoutError is one
                reason = self._why(exc)
                if not self.reconnect:
                    raise CannotConnect(
                        f"no connection to {address_text((self.host, self.port))}: {reason}. Is the server running, is "
                        "the address right, and does no firewall stand between?"
                    ) from exc
                self._tell_down(reason)
            else:
                return
            delay_s = self._backoff.next_delay_s()

    async def _try(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self.connect_timeout_s
        async with asyncio.timeout_at(until_s):
            addresses = await self._addresses()
        problem: OSError = OSError(f"no address for {self.host}")
        for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            # Each address gets its share of the time, so that one behind a firewall does not use up all of it.
            share_s = (until_s - loop.time()) / left
            try:
                async with asyncio.timeout(max(0.0, share_s)):
                    await self._open(family, address)
                return
            except OSError as exc:
                problem = exc
        raise problem

    async def _open(self, family: int, address: Any) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            set_socket_options(sock)
            await loop.sock_connect(sock, address)
            if sock.getsockname() == sock.getpeername():
                # Without a server on a port of the ephemeral range TCP may connect a socket with itself.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens there")
            await self._make_wire(sock, address)
        except BaseException:
            sock.close()
            raise

    async def _make_wire(self, sock: socket.socket, address: Any) -> None:
        loop = asyncio.get_running_loop()
        options = tls_options(self.tls, self.connect_timeout_s)
        if options:
            options["server_hostname"] = self.server_hostname
        self._wire = wire = Wire(
            self, self._receiver, self._sender, peer=address_text(address), path=self.path, keep_open=False,
            linger_s=self.linger_s if self._is_heard() else min(self.linger_s, _UNHEARD_LINGER_S),
        )  # fmt: skip
        making = loop.create_task(loop.create_connection(lambda: wire, sock=sock, **options))
        try:
            await asyncio.shield(making)
        except BaseException as exc:
            if wire.transport is not None and isinstance(exc, asyncio.CancelledError):
                # Stopped, or out of time, in the one turn after the connection was made. It stands, and what was sent
                # to it may be on its way: cancelled, that task would close it under the sender.
                return
            wire.closing = True
            making.cancel()
            try:
                await asyncio.wait([making])
            finally:  # a stop may come while it is out of time
                wire.withdraw()
                self._wire = None
            raise

    def _is_heard(self) -> bool:
        """Does anybody take what is received?"""
        return isinstance(self._receiver._links.get("outbox"), Inbox)

    async def _addresses(self) -> list[Any]:
        """The host's addresses. A look-up that hangs is waited for again, not doubled."""
        if self._lookup is None or self._lookup.done():
            self._lookup = resolve_address(self.host, self.port, socket.SOCK_STREAM)
        return await asyncio.shield(self._lookup)

    def _why(self, exc: BaseException) -> str:
        if isinstance(exc, TimeoutError):
            return f"no answer within {self.connect_timeout_s:g} s"
        if isinstance(exc, ssl.SSLError):
            return f"TLS: {exc}"
        if isinstance(exc, socket.gaierror):
            return f"the name {self.host} cannot be resolved: {exc.strerror}"
        if isinstance(exc, OSError) and exc.errno:
            return os.strerror(exc.errno)
        return str(exc) or type(exc).__name__

    def _tell_down(self, reason: str, *, expected: bool = False) -> None:
        if not self._told_down:
            self._told_down = True
            level = logging.INFO if expected else logging.WARNING
            stood = self._wire is not None and self._wire.transport is not None
            what = "lost the connection to" if stood else "no connection to"
            log.log(level, "%s: %s %s: %s", self.path, what, address_text((self.host, self.port)), reason)
            self.send(Disconnected(reason), "status")

    # -- what becomes of the wire

    def wire_made(self, wire: Wire) -> None:
        # Who was told that it is down is told that it is back.
        level = logging.WARNING if self._told_down else logging.INFO
        self._told_down = False
        self._backoff.reset()
        self._discarded_before = self._receiver.decoder.discarded_bytes
        log.log(level, "%s: connected to %s", self.path, wire.peer)
        self.send(Connected(wire.peer), "status")

    def wire_ended(self, wire: Wire) -> None:
        wire.close()
        self._connection_is_over()

    def wire_fault(self, wire: Wire, fault: FramingError) -> None:
        wire.cut("framing", str(fault))
        self._connection_is_over()

    def wire_lost(self, wire: Wire, exc: BaseException | None) -> None:
        if self._state is State.OUTSIDE:
            if wire.cut_for:
                reason = f"cut ({wire.cut_for})"
            elif exc is not None:
                reason = self._why(exc)
            else:
                reason = "closed by the server" if wire.eof else "closed by this side"
            self._tell_down(reason, expected=self._sender.finishing or (wire.eof and not self.reconnect))
            partial_bytes = self._receiver.decoder.discarded_bytes - self._discarded_before
            if wire.unconfirmed_bytes or partial_bytes:
                self.send(Gap(wire.unconfirmed_bytes, partial_bytes), "status")
        self._connection_is_over()

    def _connection_is_over(self) -> None:
        """Once the socket is closed and all that came is handed on: the next, or the end."""
        wire = self._wire
        if wire is None or not wire.lost or self._receiver.wire is wire or self._state is not State.OUTSIDE:
            return
        if self._sender.finishing or self._sender.ended or not self.reconnect:
            self._wire = None
            self.end()
        else:
            self._connect_after(self._backoff.next_delay_s())

    # -- the end

    def end_of_input(self) -> None:
        """The sender ends when it has sent what there is; then so do we (`child_ended`)."""
        if self._scheduler is not None and not self._sender.ended:
            self._scheduler.input_ended(self._sender)

    def consumer_ended(self, outbox: str) -> None:
        """Nobody wants what is received any more: it goes on only if it has something to send."""
        if outbox == "outbox" and not self._sender.has_producers():
            self.stop("all receivers have ended")

    def child_ended(self, child: Part) -> None:
        scheduler = self._scheduler
        if scheduler is None or self.ended:
            return
        if self._state is State.STOPPING:
            if not self._children:
                scheduler.part_ended(self)
        elif child is self._sender and (self._wire is None or self._receiver.wire is not self._wire):
            self.end()

    def child_failed(self, child: Part, error: BaseException) -> bool:
        if self._wire is not None:
            self._wire.close()
        return False

    def end(self) -> None:
        self._receiver.end()
        if not self._sender.ended:
            self._sender.stop("the connection is closed")
        super().end()

    def stopped(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._lookup = None

    def stop_children(self, reason: str) -> Sequence[Part]:
        self.stopped()  # at once: a connection that came up now would have no sender to close it
        return super().stop_children(reason)

    def close_body(self) -> bool:
        self.stopped()
        return not self._children


def resolve_address(host: str, port: int, kind: int) -> asyncio.Future[list[Any]]:
    """The (family, address) pairs of a host, looked up in a thread of its own.

    Not in the loop's executor: closing the loop waits for that, and a name server that is away takes half a minute.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Any]] = loop.create_future()

    def settle(result: list[Any] | None, exc: BaseException | None) -> None:
        if not found.done():
            if exc is not None:
                found.set_exception(exc)
                found.exception()  # whoever asked may have gone: not an error that nobody saw
            else:
                found.set_result(result or [])

    def look_up() -> None:
        result: list[Any] | None = None
        problem: BaseException | None = None
        try:
            answers = socket.getaddrinfo(host, port, type=kind)
            result = list(dict.fromkeys((int(family), address) for family, _, _, _, address in answers))
        except OSError as exc:
            problem = exc
        except UnicodeError as exc:
            problem = socket.gaierror(socket.EAI_NONAME, str(exc))
        with contextlib.suppress(RuntimeError):  # the loop has closed since
            loop.call_soon_threadsafe(settle, result, problem)

    try:
        answers = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
        found.set_result([(int(family), address) for family, _, _, _, address in answers])
    except (OSError, UnicodeError):
        threading.Thread(target=look_up, name=f"axonlike-resolve-{host}", daemon=True).start()
    return found
