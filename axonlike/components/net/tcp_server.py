"""TCPServer: hands out each accepted connection as a component, for graphs that SimpleServer does not fit."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Any, ClassVar, Literal

from axonlike.box import Inbox
from axonlike.component import Component
from axonlike.components.net.connection import BlockEncoder, Receiver, Sender, SendLimits, Wire, address_text
from axonlike.components.net.listening import Listener, Tls
from axonlike.components.net.together import Together
from axonlike.errors import WiringError
from axonlike.linkage import Box
from axonlike.part import Part
from axonlike.streams.framing import Framing, FramingError
from axonlike.streams.framing import framing as framing_named
from axonlike.timers import Timer

__all__ = ["TCPConnection", "TCPServer"]

log = logging.getLogger("axonlike.net")


class TCPConnection(Component):
    """One accepted connection, as a component: outbox = what the client sends, inbox = what goes to it.

    Link it, then activate it or make it a child: it opens then. It ends when both directions have: the client has said
    that it will send no more, or left; and all that feed its inbox have ended, and what they sent has gone out.
    `peer` and `port` are the client's.
    """

    def __init__(self, server: TCPServer, sock: socket.socket, address: Any) -> None:
        self.name = address_text(address)
        self.peer: str = address[0]
        self.peer_port: int = address[1]
        self._server = server
        self._address = address
        self._sock: socket.socket | None = sock
        self._receiver = Receiver(server.framing)
        self._sender = Sender(server.together.encoder, server.limits, together=server.together)
        self._wire = Wire(
            self, self._receiver, self._sender, peer=self.name, path=server.path, keep_open=server.tls is None,
            linger_s=2.0 if server.tls is None else 0.0,
        )  # fmt: skip
        self.add_child(self._sender, self._receiver)
        self.link((self, "inbox"), (self._sender, "inbox"), passthrough="in")
        self.link((self, "control"), (self._sender, "control"), passthrough="in")
        self.link((self._receiver, "outbox"), (self, "outbox"), passthrough="out")
        self.link((self._receiver, "signal"), (self, "signal"), passthrough="out")

    def start(self) -> None:
        """Has no body; opens the transport."""
        sock, self._sock = self._sock, None
        if sock is None:
            self._receiver.stop("the connection was not activated in time")
            self._sender.stop("the connection was not activated in time")
        else:
            self._server.taken(self)
            self._server.open_wire(self._wire, sock)

    def expire(self) -> None:
        """Nobody has activated it: close the socket (called by the server)."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()
            self._wire.withdraw()
            self._server.left(self._address, None)

    def wire_made(self, wire: Wire) -> None:
        """The client can be talked to."""

    def wire_ended(self, wire: Wire) -> None:
        self._receiver.end()
        if not self._sender.has_producers():
            wire.close()

    def wire_fault(self, wire: Wire, fault: FramingError) -> None:
        wire.cut("framing", str(fault))
        self._receiver.end()

    def wire_lost(self, wire: Wire, exc: BaseException | None) -> None:
        self._server.left(self._address, wire)
        if not self._sender.has_producers():
            self._sender.stop("the connection is closed")

    def child_ended(self, child: Part) -> None:
        if child is self._sender:
            if not self._wire.lost:
                self._wire.close()
            self._receiver.stop()

    def child_failed(self, child: Part, error: BaseException) -> bool:
        self._wire.close()
        return False


class TCPServer(Listener):
    """``TCPServer(1500)``: sends a `TCPConnection` on its outbox for each client that connects.

    The receiver links it and activates it (or makes it a child); one that is not activated within
    `handshake_timeout_s` is closed and counted as failed. While the receiver's box is full nobody is accepted. For the
    other arguments see SimpleServer. It listens until it is stopped; the connections are not its parts, and go on.
    """

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("a TCPConnection for each client", TCPConnection)}

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        framing: Literal["lines", "bytes", "length"] | Framing = "lines",
        tls: Tls = None,
        max_connections: int | None = 1024,
        max_per_address: int | None = 256,
        line_limit_bytes: int | None = None,
        pending_limit_bytes: int = 8 << 20,
        soft_limit_bytes: int = 2 << 20,
        soft_limit_s: float = 10.0,
        stall_timeout_s: float = 10.0,
        handshake_timeout_s: float = 5.0,
        drain_s: float = 4.0,
        backlog: int = 512,
        announce: bool = True,
    ) -> None:
        super().__init__(
            port, host, tls=tls, max_connections=max_connections, max_per_address=max_per_address,
            handshake_timeout_s=handshake_timeout_s, backlog=backlog, announce=announce,
        )  # fmt: skip
        self.framing = framing_named(framing, limit_bytes=line_limit_bytes)
        self.limits = SendLimits(pending_limit_bytes, soft_limit_bytes, soft_limit_s, stall_timeout_s, drain_s)
        self.together = Together(BlockEncoder(self.framing))
        self._offered: dict[TCPConnection, Timer] = {}

    def begin(self) -> None:
        if not isinstance(self._links.get("outbox"), Inbox):
            raise WiringError(
                f"{self.path}: nobody takes the connections from its outbox: link it, or use SimpleServer"
            )
        super().begin()

    def accepted(self, sock: socket.socket, address: Any) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        self.entered(address)
        connection = TCPConnection(self, sock, address)
        self._offered[connection] = scheduler.call_at(
            scheduler.time() + self.handshake_timeout_s, partial(self._expired, connection)
        )
        if not self.deliver(connection):
            self._pause_accepting()
            self.when_room(self._accept_again)

    def taken(self, connection: TCPConnection) -> None:
        """It has been activated (called by the connection)."""
        timer = self._offered.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, connection: TCPConnection) -> None:
        self._offered.pop(connection, None)
        self._failed += 1
        connection.expire()
        log.warning(
            "%s: closed %s, as nobody activated it within %g s", self.path, connection.name, self.handshake_timeout_s
        )

    def stopped(self) -> None:
        super().stopped()
        for connection in tuple(self._offered):
            self.taken(connection)
            connection.expire()
