"""One TCP connection: a Receiver and a Sender, so that a direction that is blocked does not stop the other.

Theory of operation
-------------------
`Wire` is the asyncio protocol: it owns the transport and passes on what the loop reports. The `Receiver` is driven by
it: bytes -> framing -> outbox; while what it feeds is full it stops reading, so TCP holds the other side back. The
`Sender` is an ordinary component with a turn of its own: at each turn all that waits in its inbox leaves in one write.
What is published to many clients that have nothing waiting is written without their turns (see together.py).

The transport's write buffer has a high-water mark of 0, so `pause_writing` means exactly "the kernel did not take
everything" and costs nothing before that. From then on the sender

* takes no more from its inbox, if ordinary producers feed it: the inbox fills and holds them back; or
* goes on taking, if subscriptions feed it (`takes_subscriptions`): a publisher waits for nobody, so there the limits
  in bytes hold: `pending_limit_bytes` at once, `soft_limit_bytes` for `soft_limit_s`, and `ClientBuffers` for all
  clients of the scheduler together.

In both cases a peer that takes nothing for `stall_timeout_s` is cut. A cut is a reset (RST), logged and counted. What
it takes is what its system confirms (Linux), for the loop is told of room only when a third of the kernel's buffer is
free, which may be megabytes; and it is looked at several times, since this process may have been the one that stood.

A Wire lives as long as its socket. Receiver and Sender may live longer: a TCPClient's see many wires.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from axonlike.box import UNBOUNDED, Inbox
from axonlike.component import Component, Door
from axonlike.driven import Driven
from axonlike.errors import Finished, NameNotProvided, Stopped
from axonlike.shutdown import State
from axonlike.streams.framing import Framing, FramingError
from axonlike.timers import Timer

if TYPE_CHECKING:
    from axonlike.backplane.local import SubscribeTo
    from axonlike.components.net.together import Together

__all__ = [
    "BlockEncoder",
    "ClientBuffers",
    "Receiver",
    "SendLimits",
    "Sender",
    "Wire",
    "WireOwner",
    "address_text",
    "set_socket_options",
    "tls_options",
]

log = logging.getLogger("axonlike.net")

ALL_CLIENTS_LIMIT_BYTES = 256 << 20
_AT_ONCE = 256  # messages moved between two looks whether the other side is full
_CACHED_BYTES = 1 << 20
_LONG_S = 3600.0  # the sender is woken long before; a sleep needs some number
_LOOKS = 8  # at a peer in the shorter of the times that it has
_LEAST_LOOKS = 4  # in vain, before it is called stalled
_TLS_SHUTDOWN_S = 2.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST and forgets what was not sent

# How soon a silent peer is taken for dead (reliability.md, limits): idle 20 s, then 3 probes 5 s apart; with data
# under way within 20 s, of which Linux takes some to look; keepalive alone would wait a quarter of an hour.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPALIVE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 18_000}


def set_socket_options(sock: socket.socket) -> None:
    """No delay for small writes, and notice within 40 s when the peer is gone without a word."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)  # which of them there are depends on the system
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def tls_options(context: Any, handshake_timeout_s: float) -> dict[str, Any]:
    """The arguments with which asyncio's functions make a connection TLS."""
    if context is None:
        return {}
    return {"ssl": context, "ssl_handshake_timeout": handshake_timeout_s, "ssl_shutdown_timeout": _TLS_SHUTDOWN_S}


def address_text(address: Any) -> str:
    """host:port as people write it, [host]:port for IPv6."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class SendLimits:
    """How long and how much a connection waits for its peer to read."""

    pending_limit_bytes: int = 8 << 20
    soft_limit_bytes: int = 2 << 20
    soft_limit_s: float = 10.0
    stall_timeout_s: float = 10.0
    drain_s: float = 4.0  # below the scheduler's own deadline of 5 s for an orderly stop


class ClientBuffers(Component):
    """What all clients of one scheduler have waiting in write buffers, bounded together: the largest is cut first.

    Found by name on the scheduler; never activated, as it has nothing to do by itself.
    """

    KIND: ClassVar[str] = "client buffers"

    def __init__(self, limit_bytes: int = ALL_CLIENTS_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._pending_bytes: dict[Sender, int] = {}
        self._total_bytes = 0

    @classmethod
    def of(cls, part: Component) -> ClientBuffers:
        """The one that belongs to the part's scheduler, made on first use."""
        scheduler = part.scheduler
        assert scheduler is not None
        try:
            found = scheduler.lookup(cls.KIND, "all", part)
        except NameNotProvided:
            found = cls()
            scheduler.provide(cls.KIND, "all", found)
        assert isinstance(found, cls)
        return found

    def note(self, sender: Sender, pending_bytes: int) -> None:
        """So much waits for this client now."""
        self._total_bytes += pending_bytes - self._pending_bytes.get(sender, 0)
        self._pending_bytes[sender] = pending_bytes
        if self._total_bytes > self.limit_bytes:
            self._relieve()

    def forget(self, sender: Sender) -> None:
        """Nothing waits for this client any more."""
        self._total_bytes -= self._pending_bytes.pop(sender, 0)

    def _relieve(self) -> None:
        # What was noted is as old as the last write: look anew before anybody is cut.
        self._pending_bytes = {sender: sender.pending_bytes for sender in self._pending_bytes}
        self._total_bytes = sum(self._pending_bytes.values())
        while self._total_bytes > self.limit_bytes:
            largest = max(self._pending_bytes, key=self._pending_bytes.__getitem__)
            held_bytes = self._pending_bytes[largest]
            total_bytes, count = self._total_bytes, len(self._pending_bytes)
            self.forget(largest)
            largest.cut(
                "total",
                f"{total_bytes} bytes wait for {count} clients, over the limit of {self.limit_bytes} for all together; "
                f"this one's {held_bytes} are the most",
            )


class BlockEncoder:
    """Turns all the messages that wait for a client into one block of bytes.

    One encoder serves all clients of a server and remembers its last block: subscribers that keep up all get the same
    messages. Comparing two lists of the same objects costs a tenth of encoding them anew.
    """

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.messages: list[Any] = []
        """What `block` was made of."""
        self.block = b""
        self._lines = framing.name == "lines"

    def encode(self, messages: list[Any]) -> bytes:
        """The bytes to send; raises whatever a message that cannot be sent brings up."""
        if not self._lines:
            return b"".join(map(self.framing.encode, messages))
        if messages == self.messages:
            return self.block
        try:
            text = "\n".join(messages)
        except TypeError:  # bytes are lines too; anything else is refused by name
            return b"".join(map(self.framing.encode, messages))
        if text.count("\n") != len(messages) - 1:  # some bring their own line endings
            return b"".join(map(self.framing.encode, messages))
        block = (text + "\n").encode()
        if len(block) <= _CACHED_BYTES:
            self.messages, self.block = messages, block
        return block


class WireOwner(Protocol):
    """What a Wire needs of the component whose connection it is."""

    def wire_made(self, wire: Wire) -> None:
        """The connection stands."""

    def wire_ended(self, wire: Wire) -> None:
        """The peer has sent all it wants to send, and the receiver has handed it on."""

    def wire_fault(self, wire: Wire, fault: FramingError) -> None:
        """The peer sent what cannot be framed; what was whole before it has been handed on."""

    def wire_lost(self, wire: Wire, exc: BaseException | None) -> None:
        """The socket is closed."""


class Wire(asyncio.Protocol):
    """One socket between a Receiver and a Sender, in the words of asyncio.

    keep_open: at the peer's end of sending go on sending (TLS cannot). linger_s: once we have nothing more to send, how
    long the peer may be silent before the socket is closed. Closing it at once would be wrong: what the peer is just
    sending would be answered with a reset, and the reset can overtake our last bytes.
    """

    def __init__(
        self,
        owner: WireOwner,
        receiver: Receiver,
        sender: Sender,
        *,
        peer: str,
        path: str,
        keep_open: bool,
        linger_s: float = 2.0,
    ) -> None:
        self.owner = owner
        self.receiver: Receiver | None = receiver
        self.sender = sender
        self.peer = peer
        self.path = path
        self.keep_open = keep_open
        self.linger_s = linger_s
        self.transport: asyncio.Transport | None = None
        self.eof = False
        self.closing = False
        self.lost = False
        self.cut_for = ""
        self.discarded_bytes = 0
        self.unconfirmed_bytes = 0
        self.opening: asyncio.Task[Any] | None = None
        self._acked_bytes_before: int | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._sock: Any = None
        self._is_tls = False
        self._last_heard_s = 0.0
        receiver.wire = self
        sender.attach(self)

    # -- what the loop reports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if self.closing or self.cut_for:
            # Whoever opened it calls `never_made`: uvloop does not tell of the end of what was cancelled meanwhile.
            transport.abort()
            return
        self.transport = transport
        self._sock = transport.get_extra_info("socket")  # now: a TLS transport does not know it any more at its end
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        # TLS transports pause when as much waits as `high`, plain ones when more does.
        transport.set_write_buffer_limits(high=1 if self._is_tls else 0, low=0)
        self._acked_bytes_before = self.acked_bytes
        if self.receiver is not None and self.receiver.waits_for_room:
            transport.pause_reading()
        self.sender.wire_made(transport)
        self.owner.wire_made(self)

    def data_received(self, data: bytes) -> None:
        if self.receiver is None:
            self.discarded_bytes += len(data)
        else:
            self.receiver.received(data)

    def eof_received(self) -> bool:
        self.eof = True
        if self.receiver is not None:
            self.receiver.finish(keep_partial=True)
        return self.keep_open and not self.closing

    def pause_writing(self) -> None:
        self.sender.paused()

    def resume_writing(self) -> None:
        self.sender.resumed()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.lost:
            return
        if self._lingering is not None:
            self._lingering.cancel()
        acked = None if self._is_tls else self.acked_bytes  # under TLS it counts other bytes than ours
        before = self._acked_bytes_before
        if acked is None or before is None:
            self.unconfirmed_bytes = self.sender.last_pending_bytes
        else:
            self.unconfirmed_bytes = max(0, self.sender.wire_bytes - (acked - before))
        # In this order: the owner may give both of them another wire as soon as it knows.
        self.sender.wire_lost()
        if self.receiver is not None and not self.eof:
            self.receiver.finish(keep_partial=False)
        self.lost = True
        self.owner.wire_lost(self, exc)

    # -- what the components want

    @property
    def pending_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def pause_reading(self) -> None:
        """Leave what comes in with the system, so that the peer is slowed down; harmless when it is over."""
        if self.transport is not None and not self.eof and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """The counterpart of `pause_reading`."""
        if self.transport is not None and not self.eof and not self.transport.is_closing():
            self.transport.resume_reading()

    def end_writing(self) -> None:
        """All is written: tell the peer so, and close when it has ended too."""
        transport = self.transport
        if transport is None or self.eof or self.closing or self.linger_s <= 0:
            self.close()
            return
        self.closing = True
        if transport.can_write_eof():
            with contextlib.suppress(OSError):  # the peer is gone: connection_lost follows
                transport.write_eof()
        self._last_heard_s = asyncio.get_running_loop().time()
        self._linger()

    def _linger(self) -> None:
        loop, receiver = asyncio.get_running_loop(), self.receiver
        heard_s = max(self._last_heard_s, receiver.last_heard_s if receiver is not None else 0.0)
        if receiver is not None and receiver.waits_for_room:
            heard_s = loop.time()
        left_s = heard_s + self.linger_s - loop.time()
        if left_s <= 0:
            self.close()
        else:
            self._lingering = loop.call_later(left_s, self._linger)

    def close(self) -> None:
        """Close when what is written has left."""
        self.closing = True
        if self.transport is not None:
            self.transport.close()
        elif self.opening is not None:
            self.opening.cancel()

    def cut(self, reason: str, text: str) -> None:
        """Reset the connection; what waits is thrown away."""
        if self.lost or self.cut_for:
            return
        self.cut_for = reason
        log.warning("%s: cut %s: %s", self.path, self.peer, text)
        if self.transport is None:
            self.close()
            return
        if self._sock is not None:  # uvloop knows none of a connection that was reset before it was told of it
            with contextlib.suppress(OSError, ValueError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def withdraw(self) -> None:
        """It was not made, and nobody but the sender and the receiver knows of it."""
        self.lost = True
        if self.receiver is not None:
            self.receiver.wire = None
        self.sender.wire_lost()

    def never_made(self, exc: BaseException | None) -> None:
        """Opening it failed or was given up."""
        if self.transport is None:
            self.connection_lost(exc)

    def probe(self) -> None:
        """Find out within seconds whether the peer is still there."""
        if self._sock is not None and hasattr(socket, "TCP_KEEPIDLE"):
            for option, value in ((socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2), (socket.TCP_KEEPIDLE, 1)):
                with contextlib.suppress(OSError, ValueError):
                    self._sock.setsockopt(socket.IPPROTO_TCP, option, value)

    @property
    def acked_bytes(self) -> int | None:
        """What the peer's host has confirmed, as Linux counts it (struct tcp_info, tcpi_bytes_acked at 120)."""
        if self._sock is None or not hasattr(socket, "TCP_INFO"):
            return None
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        except (OSError, ValueError):  # ValueError: uvloop has closed it, and tells us at its next turn
            return None
        acked: int = struct.unpack_from("=Q", info, 120)[0] if len(info) >= 128 else -1
        return acked if acked >= 0 else None


class Receiver(Driven):
    """Bytes from a wire -> messages on the outbox."""

    def __init__(self, framing: Framing) -> None:
        self.name = "receiver"
        self.decoder = framing.decoder()
        self.wire: Wire | None = None
        self.received_bytes = 0
        self.received_messages = 0
        self.lost_messages = 0
        self.waits_for_room = True  # until begin(): a wire that is made before that does not read yet
        self._backlog: list[Any] = []
        self._fault: FramingError | None = None
        self._finished = False
        self.last_heard_s = 0.0

    def begin(self) -> None:
        self._go_on()

    def end_of_input(self) -> None:
        """Has no input: it ends with its connection."""

    def received(self, data: bytes) -> None:
        """The next bytes."""
        self.received_bytes += len(data)
        scheduler = self._scheduler
        if scheduler is not None:
            self.last_heard_s = scheduler.time()
        try:
            try:
                messages: Sequence[Any] = self.decoder.feed(data)
            except FramingError as exc:
                messages, self._fault = exc.completed, exc
            self._take(messages)
        except BaseException as exc:
            self.fail(exc)

    def finish(self, *, keep_partial: bool) -> None:
        """Nothing more will come over this wire. keep_partial: it ended in order, so a last line without LF counts."""
        self._finished = True
        try:
            try:
                messages: Sequence[Any] = self.decoder.finish(keep_partial=keep_partial and self._fault is None)
            except FramingError as exc:
                messages, self._fault = (), exc
            self._take(messages)
        except BaseException as exc:
            self.fail(exc)

    def _take(self, messages: Sequence[Any]) -> None:
        self.received_messages += len(messages)
        if self.waits_for_room:
            self._backlog.extend(messages)
            return
        self._hand_on(messages)
        if not self.waits_for_room:
            if self._finished or self._fault is not None:
                self._settle()
        elif self.wire is not None:
            self.wire.pause_reading()

    def _hand_on(self, messages: Sequence[Any]) -> None:
        """Deliver, as long as there is room; then wait for more."""
        sink = self._links["outbox"] if "outbox" in self._links else self._open_outbox("outbox")
        assert not isinstance(sink, Door)
        for at in range(0, len(messages), _AT_ONCE):
            if self._feed.full:
                self._backlog.extend(messages[at:])
                break
            sink.put_many(messages if len(messages) <= _AT_ONCE else messages[at : at + _AT_ONCE])
        if self._feed.full:
            self.waits_for_room = True
            self.when_room(self._go_on)

    def _go_on(self) -> None:
        if self._state is State.ENDED or not self.waits_for_room:
            return
        self.waits_for_room = False
        backlog, self._backlog = self._backlog, []
        try:
            self._hand_on(backlog)
            if not self.waits_for_room:
                if self.wire is not None:
                    self.wire.resume_reading()
                self._settle()
        except BaseException as exc:
            self.fail(exc)

    def _settle(self) -> None:
        """All is handed on: now the owner may know of a fault or the end."""
        wire = self.wire
        if wire is None:
            return
        if self._fault is not None:
            fault, self._fault = self._fault, None
            self._let_go()
            wire.owner.wire_fault(wire, fault)
        elif self._finished:
            self._let_go()
            wire.owner.wire_ended(wire)

    def _let_go(self) -> None:
        """Be ready for another wire; what this one still brings is not for us."""
        wire, self.wire = self.wire, None
        self._finished = False
        self.decoder.finish(keep_partial=False)
        if wire is not None:
            wire.receiver = None
            wire.resume_reading()

    def stopped(self) -> None:
        self.lost_messages += len(self._backlog)
        self._backlog = []
        self.waits_for_room = False
        self._let_go()


class Sender(Component):
    """Messages from the inbox -> a wire, in one write a turn. Lives until its input has ended and its wire is closed.

    holds: without a wire it takes nothing from its inbox (a client that reconnects); otherwise it throws away what
    comes then, and counts it in `unsent`. lasts: it lives on after the end of its input, for wires to come.
    together: with whom it gets what is published, while it has nothing waiting.
    """

    Inboxes: ClassVar[dict[str, str]] = {"inbox": "what is to be sent"}

    def __init__(
        self,
        encoder: BlockEncoder,
        limits: SendLimits,
        *,
        holds: bool = False,
        lasts: bool = False,
        together: Together | None = None,
    ) -> None:
        self.name = "sender"
        self.limits = limits
        self.wire_bytes = 0  # written to the present wire
        self.unsent = 0
        self.finishing = False  # its input has ended, and it has sent all
        self.last_pending_bytes = 0
        self._encoder = encoder
        self._holds = holds
        self._lasts = lasts
        self._wire: Wire | None = None
        self._out: Callable[[bytes], None] | None = None
        self._paused = False
        self._subscribed = False
        self._together = together
        self._subscription: SubscribeTo | None = None
        self._most = _AT_ONCE  # messages a turn: what is in a write when the connection breaks is lost
        self._watch: Timer | None = None
        self._taken: tuple[int, int | None] = (0, None)  # by the kernel, by the peer's
        self._progress_s = 0.0
        self._looks_in_vain = 0
        self._soft_since_s: float | None = None

    def takes_subscriptions(self, inbox: Inbox, subscription: SubscribeTo) -> None:
        """A subscription feeds this inbox: limits in bytes and time hold, none in messages (called by SubscribeTo)."""
        inbox.configure(None, "block")
        self._subscribed = True
        self._subscription = subscription if self._together is not None else None
        self._most = UNBOUNDED
        self._wake()

    # -- the body

    def main(self) -> Generator[Any, Any, None]:
        inbox, wait, encoder = self.inbox(), self.wait("inbox"), self._encoder
        take = inbox.take_up_to
        try:
            while not self.finishing:
                try:
                    while True:
                        yield wait
                        out = self._out
                        if out is None or self._paused:
                            while self._must_hold():
                                yield self.sleep(_LONG_S)
                            self._send_up_to(self._most, inbox)
                            continue
                        # What `_send_up_to` does, in line: a server of many clients spends its time here.
                        messages = take(self._most)
                        try:
                            block = encoder.block if messages == encoder.messages else encoder.encode(messages)
                        except Exception:
                            self._send_one_by_one(inbox, messages)
                            continue
                        self.wire_bytes += len(block)
                        out(block)
                        if self._paused:
                            self._check_limits()
                        elif self._subscription is not None:
                            self._join()
                except Finished:
                    self._go_alone()
                    self.finishing = not inbox.depth
            while self._lasts:
                yield self.sleep(_LONG_S)
            while self._wire is not None and (self._out is None or self._paused):
                yield self.sleep(_LONG_S)
            if self._wire is not None:
                self._wire.end_writing()
            while self._wire is not None:
                yield self.sleep(_LONG_S)
        except Stopped:
            self._drain(inbox)
        while self._wire is not None:
            yield self.sleep(_LONG_S)

    def _must_hold(self) -> bool:
        if self._out is None:
            return self._wire is not None or self._holds
        return self._paused and not self._subscribed

    def _send_up_to(self, most: int, inbox: Inbox) -> None:
        messages = inbox.take_up_to(most)
        if not messages:
            return
        if self._out is None:
            self.unsent += len(messages)
            return
        try:
            block = self._encoder.encode(messages)
        except Exception:
            self._send_one_by_one(inbox, messages)
        else:
            self._write(block)

    def _send_one_by_one(self, inbox: Inbox, messages: list[Any]) -> None:
        """One of these cannot be sent: take them anew, so that the error names it, and send those before it."""
        inbox.queue.extendleft(reversed(messages))
        inbox.count_taken(-len(messages))
        encoded: list[bytes] = []
        try:
            for message in inbox:
                encoded.append(self._encoder.framing.encode(message))
        finally:
            self._write(b"".join(encoded))

    def _write(self, block: bytes) -> None:
        assert self._out is not None
        self.wire_bytes += len(block)
        self._out(block)
        if self._paused:
            self._check_limits()

    # -- together with others (see together.py)

    def _join(self) -> None:
        """All that came is written, and the kernel has taken it."""
        subscription, together = self._subscription, self._together
        assert subscription is not None
        assert together is not None
        inbox = self.inbox()
        if not inbox.depth and subscription.feeds_alone(inbox):
            together.join(subscription, self)

    def is_up_to_date(self, subscription: SubscribeTo) -> bool:
        """Is all that was published to this subscription with the kernel, and would more be written at once?"""
        inbox, turn = self.inbox(), self._turn
        return (
            not inbox.queue
            and (turn.waiting is not None or turn.rests_on is not None)  # at the head of main()'s first loop
            and not self._paused
            and self._out is not None
            and subscription.feeds_alone(inbox)
        )

    @property
    def out(self) -> Callable[[bytes], None] | None:
        """What hands a block to the transport; None while there is none."""
        return self._out

    def has_written(self, block: bytes, messages: list[Any]) -> bool:
        """Count what was published and written without its turn. False if something else waits in its inbox."""
        inbox = self._inboxes["inbox"]
        self.wire_bytes += len(block)
        inbox.count_taken(len(messages))
        inbox.last = messages[-1]
        if self._paused:
            self._check_limits()
        return not inbox.queue

    def _go_alone(self) -> None:
        """What was published and is not written yet comes into the inbox, and all that follows."""
        if self._subscription is not None:
            self._subscription.go_alone()

    # -- what the wire reports

    def attach(self, wire: Wire) -> None:
        """A connection is under way; until it is made nothing is taken from the inbox."""
        self._wire = wire

    def discard(self) -> None:
        """What waits was for somebody who is gone."""
        self.unsent += len(self.inbox().take_up_to(UNBOUNDED))

    def wire_made(self, transport: asyncio.Transport) -> None:
        self._out = transport.write
        self.wire_bytes = self.last_pending_bytes = 0
        self._taken = (0, None)
        self._wake()

    def paused(self) -> None:
        self._paused = True
        self._go_alone()
        scheduler = self._scheduler
        if self._watch is None and scheduler is not None:
            self._progress_s = scheduler.time()
            self._looks_in_vain = 0
            self._watch_again()

    def resumed(self) -> None:
        self._paused = False
        self._wake()

    def wire_lost(self) -> None:
        self._wire = self._out = None
        self._paused = False
        self._go_alone()
        self._unwatch()
        self._wake()

    def _wake(self) -> None:
        if self._state is State.SLEEPING and self._scheduler is not None:
            self._scheduler.make_ready(self)

    # -- limits

    @property
    def pending_bytes(self) -> int:
        """What waits for the peer, without what the kernel holds."""
        return self._wire.pending_bytes if self._wire is not None else 0

    def cut(self, reason: str, text: str) -> None:
        """Reset the connection."""
        self._out = None
        self._go_alone()
        if self._wire is not None:
            self._wire.cut(reason, text)
        self._wake()

    def _check_limits(self) -> None:
        """After a write that the kernel did not take."""
        self.last_pending_bytes = pending = self.pending_bytes
        limits = self.limits
        if pending <= limits.soft_limit_bytes:
            self._soft_since_s = None
        elif self._soft_since_s is None:
            self._soft_since_s = self._now_s()
        if self._subscribed and pending > limits.pending_limit_bytes:
            self.cut("pending", f"{pending} bytes wait for it, over the limit of {limits.pending_limit_bytes}")
        else:
            ClientBuffers.of(self).note(self, pending)

    def _watch_again(self) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        period_s = min(self.limits.stall_timeout_s, self.limits.soft_limit_s) / _LOOKS
        self._watch = scheduler.call_at(scheduler.time() + period_s, self._look)

    def _look(self) -> None:
        """From time to time while something waits: does the peer take anything?"""
        self._watch = None
        self.last_pending_bytes = pending = self.pending_bytes
        limits = self.limits
        if not pending or self._out is None:
            self._soft_since_s = None
            ClientBuffers.of(self).forget(self)
            if not self._paused:
                return
        now_s = self._now_s()
        taken = (self.wire_bytes - pending, self._wire.acked_bytes if self._wire is not None else None)
        self._looks_in_vain += 1
        if taken != self._taken:
            self._taken, self._progress_s, self._looks_in_vain = taken, now_s, 0
        stalled_s = now_s - self._progress_s
        if pending <= limits.soft_limit_bytes:
            self._soft_since_s = None
        elif self._soft_since_s is None:
            self._soft_since_s = now_s
        if stalled_s >= limits.stall_timeout_s and self._looks_in_vain >= _LEAST_LOOKS:
            self.cut("stalled", f"it has taken nothing for {stalled_s:.1f} s while {pending} bytes wait")
        elif self._subscribed and self._soft_since_s is not None and now_s - self._soft_since_s >= limits.soft_limit_s:
            self.cut(
                "slow",
                f"more than {limits.soft_limit_bytes} bytes ({pending} now) have waited for {limits.soft_limit_s:g} s",
            )
        else:
            self._watch_again()

    def _unwatch(self) -> None:
        self._soft_since_s = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._scheduler is not None and self.last_pending_bytes:
            ClientBuffers.of(self).forget(self)

    def _now_s(self) -> float:
        assert self._scheduler is not None
        return self._scheduler.time()

    # -- the end

    def close_body(self) -> bool:
        """Shutdown: main() is told so where it stands, and goes on until what it has is sent."""
        body = self._body
        if body is None:
            return True

        def tell(_value: object) -> Any:
            self._resume = body.send
            return body.throw(Stopped())

        self._resume = tell
        return False

    def _drain(self, inbox: Inbox) -> None:
        """What was sent to it still leaves, within drain_s; then the connection is reset."""
        wire, scheduler = self._wire, self._scheduler
        self._go_alone()
        if wire is None or wire.lost or wire.cut_for:
            return
        try:
            if self._out is not None:
                self._send_up_to(UNBOUNDED, inbox)
        finally:
            self._unwatch()
            drain_s = self.limits.drain_s
            assert scheduler is not None
            self._watch = scheduler.call_at(scheduler.time() + drain_s, partial(self._give_up, wire, drain_s))
            wire.close()

    def _give_up(self, wire: Wire, drain_s: float) -> None:
        if not wire.lost:
            wire.cut("drain", f"{wire.pending_bytes} bytes still waited {drain_s:g} s after the stop")

    def abandon(self) -> str:
        if self._wire is not None:
            self._wire.cut("drain", f"{self.pending_bytes} bytes still waited at the end")
        return "its peer did not take what was sent"
