"""SingleServer: takes one TCP client at a time, and is to the rest of the graph like a plain source of messages."""

from __future__ import annotations

import logging
import socket
from typing import Any, Literal

from axonlike.components.net.connection import BlockEncoder, Receiver, Sender, SendLimits, Wire, address_text
from axonlike.components.net.listening import Listener, Tls
from axonlike.part import Part
from axonlike.shutdown import State
from axonlike.streams.framing import Framing, FramingError
from axonlike.streams.framing import framing as framing_named

__all__ = ["SingleServer"]

log = logging.getLogger("axonlike.net")


class SingleServer(Listener):
    """``Pipeline(SingleServer(port=1500), ...)``: what the one client at a time sends comes out of the outbox.

    As str lines, or as bytes with framing="bytes" or "length". What comes into the inbox goes to the client that is
    there; without one it is thrown away and counted in `unsent`. The next client waits, connected, until the first
    leaves; meanwhile the first is probed, so that one whose host died without a word is gone within seconds. A client
    that leaves sends nothing downstream: this is a listener, and ends only when it is stopped. `connected` tells who
    is there. For the other arguments see SimpleServer.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        framing: Literal["lines", "bytes", "length"] | Framing = "lines",
        tls: Tls = None,
        line_limit_bytes: int | None = None,
        stall_timeout_s: float = 10.0,
        handshake_timeout_s: float = 5.0,
        drain_s: float = 4.0,
        backlog: int = 512,
        announce: bool = True,
    ) -> None:
        super().__init__(
            port, host, tls=tls, max_connections=None, max_per_address=None,
            handshake_timeout_s=handshake_timeout_s, backlog=backlog, announce=announce,
        )  # fmt: skip
        self.framing = framing_named(framing, limit_bytes=line_limit_bytes)
        limits = SendLimits(stall_timeout_s=stall_timeout_s, drain_s=drain_s)
        self._sender = Sender(BlockEncoder(self.framing), limits, lasts=True)
        self._receiver = Receiver(self.framing)
        self._wire: Wire | None = None
        self._client: Any = None
        self._next: tuple[socket.socket, Any] | None = None
        self.add_child(self._sender, self._receiver)
        self.link((self, "inbox"), (self._sender, "inbox"), passthrough="in")
        self.link((self._receiver, "outbox"), (self, "outbox"), passthrough="out")

    @property
    def connected(self) -> str | None:
        """The address of the client that is served now."""
        return None if self._wire is None else self._wire.peer

    @property
    def unsent(self) -> int:
        """Messages that came into the inbox for nobody."""
        return self._sender.unsent

    def accepted(self, sock: socket.socket, address: Any) -> None:
        self.entered(address)
        if self._wire is None:
            self._serve(sock, address)
        else:
            # One is let in, to know that somebody waits; further ones stay in the system's queue.
            self._next = sock, address
            self._pause_accepting()
            self._wire.probe()

    def _serve(self, sock: socket.socket, address: Any) -> None:
        peer = address_text(address)
        self._client = address
        self._wire = Wire(self, self._receiver, self._sender, peer=peer, path=self.path, keep_open=False)
        self.open_wire(self._wire, sock)

    def _serve_next(self) -> None:
        """Once the last client's socket is closed and all it sent is handed on."""
        wire = self._wire
        if wire is None or not wire.lost or self._receiver.wire is wire:
            return
        self._wire = None
        self._sender.discard()
        self.left(self._client, wire)
        if self._state is not State.OUTSIDE:
            return  # it is being stopped
        following, self._next = self._next, None
        if following is not None:
            self._serve(*following)
        self._accept_again()

    # -- what becomes of the wire

    def wire_made(self, wire: Wire) -> None:
        log.info("%s: %s connected", self.path, wire.peer)
        if self._next is not None:
            wire.probe()

    def wire_ended(self, wire: Wire) -> None:
        wire.close()
        self._serve_next()

    def wire_fault(self, wire: Wire, fault: FramingError) -> None:
        wire.cut("framing", str(fault))

    def wire_lost(self, wire: Wire, exc: BaseException | None) -> None:
        log.info("%s: %s left%s", self.path, wire.peer, f" ({exc})" if exc else "")
        self._serve_next()

    # -- the end

    def end_of_input(self) -> None:
        """Those who feed its inbox have ended: it goes on, for what clients send."""

    def stopped(self) -> None:
        super().stopped()
        following, self._next = self._next, None
        if following is not None:
            following[0].close()
            self.left(following[1], None)

    def child_failed(self, child: Part, error: BaseException) -> bool:
        """What cannot be sent to a client is an error of the graph that sends it, not of the connection."""
        if self._wire is not None:
            self._wire.close()
        return False

    def child_ended(self, child: Part) -> None:
        super().child_ended(child)
        if self._state is not State.STOPPING and not self.ended:
            self.stop(f"its {child.name} has ended")
