"""SimpleServer: for each TCP client a fresh component, which talks to that client through its inbox and outbox."""

from __future__ import annotations

import functools
import inspect
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Literal

from axonlike.backplane.local import KIND as BACKPLANE
from axonlike.component import Component, Step
from axonlike.components.net.connection import BlockEncoder, Receiver, Sender, SendLimits, Wire, address_text
from axonlike.components.net.listening import Listener, Tls
from axonlike.components.net.together import Together
from axonlike.driven import Driven
from axonlike.errors import ComponentError, NameNotProvided, UsageError, hide_secrets
from axonlike.linkage import final_inbox
from axonlike.part import Part
from axonlike.scheduler import Scheduler
from axonlike.streams.framing import Framing, FramingError
from axonlike.streams.framing import framing as framing_named
from axonlike.threads import ThreadedComponent
from axonlike.timers import Timer

__all__ = ["SimpleServer"]

log = logging.getLogger("axonlike.net")


class SimpleServer(Listener):
    """``SimpleServer(factory, 1600)``: for each client that connects, `factory()` makes a component (or a whole graph).

    What the client sends comes into its inbox, what it sends on its outbox goes to the client: as str lines, or as
    bytes with framing="bytes" (as they come) or "length" (each behind its 4-byte length). A factory that takes them is
    given the client's address and port, as `peer` and `port` or as its first two arguments.

    A connection ends when its component does, after what it sent has gone out. When the client leaves, or says that
    it will send no more, the component gets end of input; one that does not end then is stopped after `drain_s`, and
    one that reads nothing at once. A component or factory that fails ends its own connection only, and is logged and
    counted. A component with an outbox `serversignal` stops the server by sending anything there.

    needs: names of Backplanes that must be there at the start, so that a typing error is found then. tls: an
    SSLContext or (certfile, keyfile). A client that reads too little is cut: when `pending_limit_bytes` wait for it,
    or more than `soft_limit_bytes` for `soft_limit_s`, or when it has taken nothing for `stall_timeout_s`.
    idle_timeout_s: one that neither sends a whole message nor is sent anything for so long is cut too (None: never).
    max_per_address does not hold for this machine itself. port=0 takes a free port; `port` tells which, after the
    start.

    Listening is what it does: it keeps the run alive until it is stopped. `connection_statistics()` counts.
    """

    def __init__(
        self,
        factory: Callable[..., Component],
        port: int,
        host: str = "127.0.0.1",
        *,
        framing: Literal["lines", "bytes", "length"] | Framing = "lines",
        needs: Iterable[str] = (),
        tls: Tls = None,
        max_connections: int | None = 1024,
        max_per_address: int | None = 256,
        line_limit_bytes: int | None = None,
        pending_limit_bytes: int = 8 << 20,
        soft_limit_bytes: int = 2 << 20,
        soft_limit_s: float = 10.0,
        stall_timeout_s: float = 10.0,
        handshake_timeout_s: float = 5.0,
        idle_timeout_s: float | None = None,
        drain_s: float = 4.0,
        backlog: int = 512,
        announce: bool = True,
    ) -> None:
        super().__init__(
            port, host, tls=tls, max_connections=max_connections, max_per_address=max_per_address,
            handshake_timeout_s=handshake_timeout_s, backlog=backlog, announce=announce,
        )  # fmt: skip
        self.factory = factory
        self.framing = framing_named(framing, limit_bytes=line_limit_bytes)
        self.needs = (needs,) if isinstance(needs, str) else tuple(needs)
        self.limits = SendLimits(pending_limit_bytes, soft_limit_bytes, soft_limit_s, stall_timeout_s, drain_s)
        self.idle_timeout_s = idle_timeout_s
        self.together = Together(BlockEncoder(self.framing))
        self._arguments = _arguments_of(factory)
        self._told_missing: set[str] = set()

    def resolve(self, scheduler: Scheduler) -> None:
        for name in self.needs:
            scheduler.lookup(BACKPLANE, name, self)

    def handler_for(self, address: Any) -> Component:
        """What the factory makes for a client of this address (host, port); neither linked nor started.

        Raises UsageError where it is no component that can be, and what the factory raises.
        """
        return _made(self, address)

    def accepted(self, sock: socket.socket, address: Any) -> None:
        connection = None
        # The handler starts here and now, before the loop looks at any other socket: who has connected to listen
        # and talks on another connection next must not miss his own first words.
        try:
            connection = _Served(self, address)
            self.add_child(connection)
        except Exception as exc:
            self._failed += 1
            sock.close()
            if isinstance(exc, NameNotProvided):
                self._tell_of_missing_name(address_text(address), exc, connection)
            else:
                log.error(
                    "%s: the handler for %s could not be made or started: %s",
                    self.path, address_text(address), _told(exc),
                )  # fmt: skip
            if connection is not None:
                self.forget_child(connection)
            return
        self.entered(address)
        self.open_wire(connection.wire, sock)

    def _tell_of_missing_name(self, peer: str, exc: NameNotProvided, connection: _Served | None) -> None:
        """It is not there for the next client either, most likely: the whole is told once for each name."""
        if exc.wanted in self._told_missing:
            log.error("%s: %s is disconnected as well: %s", self.path, peer, exc.complaint)
            return
        self._told_missing.add(exc.wanted)
        made_at = connection.handler.made_at if connection is not None else None
        made = f"\n  made at   {made_at}      {hide_secrets(made_at.source)}" if made_at is not None else ""
        log.error(
            "%s: %s is disconnected: %s\n  wanted by %s%s\n%s\n  help      axonlike explain %s",
            self.path, peer, exc.complaint, exc.wanted_by, made, _needs_hint(exc), exc.code,
        )  # fmt: skip

    def handler_failed(self, peer: str, error: BaseException) -> None:
        """A connection's component failed (called by the connection)."""
        self._failed += 1
        hint = ""
        if isinstance(error, ComponentError) and isinstance(error.cause, NameNotProvided):
            hint = f"\n{_needs_hint(error.cause)}"
        log.error("%s: the connection of %s is ended, as its handler failed:\n%s%s", self.path, peer, error, hint)

    def end_of_input(self) -> None:
        """ProducerFinished: nobody new is let in; each handler gets end of input, and the server ends with the last."""
        for child in tuple(self._children):
            if isinstance(child, _Served):
                child.receiver.end()
        self.end()


class _Served(Component):
    """One client and its handler: receiver -> handler -> sender. Ends when all three have."""

    def __init__(self, server: SimpleServer, address: Any) -> None:
        self.name = address_text(address)
        self.server = server
        self.address = address
        self.handler = _made(server, address)
        self.sender = Sender(server.together.encoder, server.limits, together=server.together)
        self.receiver = Receiver(server.framing)
        self.wire = Wire(
            self, self.receiver, self.sender, peer=self.name, path=server.path, keep_open=server.tls is None,
            linger_s=2.0 if server.tls is None else 0.0,
        )  # fmt: skip
        by_the_loop = self._made_code
        for part in (self.handler, self.sender, self.receiver, self):
            if part._made_code is by_the_loop:  # not in the user's code: the line of the server says more
                part._made_code, part._made_line = server._made_code, server._made_line
        self._handler_reads = _reads(self.handler)
        self._timer: Timer | None = None
        self._said = (-1, -1)  # messages in and bytes out at the last look
        self._idle_s = 0.0  # since something was said, as far as it was looked
        self._looked_s = 0.0
        # In this order: at a stop the last one added is closed first, so what the handler says in the end still leaves.
        self.add_child(self.sender, self.receiver, self.handler)
        if self._handler_reads:
            self.link((self.receiver, "outbox"), (self.handler, "inbox"))
        self.link((self.receiver, "signal"), (self.handler, "control"))
        self.link((self.handler, "outbox"), (self.sender, "inbox"))
        self.link((self.handler, "signal"), (self.sender, "control"))
        if "serversignal" in self.handler.outbox_names:
            stopper = Step(self._stop_server, name="serversignal")
            self.add_child(stopper)
            self.link((self.handler, "serversignal"), (stopper, "inbox"))

    def start(self) -> None:
        """Has no body: it stands as long as its parts."""
        if self.server.idle_timeout_s is not None:
            self._watch_idleness()

    def _stop_server(self, message: object) -> None:
        self.server.stop(f"serversignal: {message!r}")

    # -- what becomes of the wire

    def wire_made(self, wire: Wire) -> None:
        """The client can be talked to."""

    def wire_ended(self, wire: Wire) -> None:
        self.receiver.end()

    def wire_fault(self, wire: Wire, fault: FramingError) -> None:
        wire.cut("framing", str(fault))
        self.receiver.end()

    def wire_lost(self, wire: Wire, exc: BaseException | None) -> None:
        self.server.left(self.address, wire)
        if exc is not None:
            log.debug("%s: %s was lost: %s", self.server.path, self.name, exc)
        self._client_left()

    # -- what becomes of the parts

    def child_ended(self, child: Part) -> None:
        if child is self.receiver:
            self._client_left()
        elif child is self.handler:
            self._forget_timer()
            if not self.sender.ended and self.scheduler is not None:
                self.scheduler.input_ended(self.sender)
        elif child is self.sender:
            if not self.wire.lost:
                self.wire.close()
            self.receiver.stop()
            self.handler.stop()

    def child_failed(self, child: Part, error: BaseException) -> bool:
        if not isinstance(error, Exception):
            return False
        self.server.handler_failed(self.name, error)
        self.handler.stop("a part of it failed")
        return True

    def _client_left(self) -> None:
        """Nothing more will come from the client: the handler may finish what it is doing."""
        if self.handler.ended or self._timer is not None or self.scheduler is None:
            return
        if not self._handler_reads:
            self.handler.stop("the client left")
            return
        when_s = self.scheduler.time() + self.server.limits.drain_s
        self._timer = self.scheduler.call_at(when_s, lambda: self.handler.stop("the client left"))

    def _watch_idleness(self) -> None:
        """From time to time: has anything been said since the last look? A part of a line now and then is nothing."""
        scheduler, timeout_s = self.scheduler, self.server.idle_timeout_s
        assert scheduler is not None
        assert timeout_s is not None
        if self.wire.lost or self.receiver.ended:
            return
        now_s = scheduler.time()
        said = (self.receiver.received_messages, self.sender.wire_bytes)
        if said != self._said:
            self._said, self._idle_s = said, 0.0
        else:
            # This process may be the one that stood still: what was said meanwhile is with the system, and comes now.
            self._idle_s += min(now_s - self._looked_s, timeout_s / 4)
        self._looked_s = now_s
        if self._idle_s >= timeout_s:
            self.wire.cut("idle", f"nothing was said for {timeout_s:g} s")
        else:
            scheduler.call_at(now_s + timeout_s / 8, self._watch_idleness)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _reads(handler: Component) -> bool:
    """Does anybody take what is put into the handler's inbox?"""
    owner, _ = final_inbox(handler, "inbox")
    if owner.service:
        return False  # a subscription: it only speaks
    return type(owner).main is not Component.main or isinstance(owner, Driven | ThreadedComponent)


def _made(server: SimpleServer, address: Any) -> Component:
    positional, named = server._arguments
    values = {"peer": address[0], "port": address[1]}
    handler = server.factory(*list(values.values())[:positional], **{key: values[key] for key in named})
    if not isinstance(handler, Component):
        raise UsageError(
            f"{server.path}: the factory returned {handler!r} where it should return a component for one client"
        )
    if handler.scheduler is not None:
        raise UsageError(
            f"{server.path}: the factory returned {handler.path}, which runs already: make a new one each time"
        )
    return handler


def _arguments_of(factory: Callable[..., Component]) -> tuple[int, tuple[str, ...]]:
    """How many of (peer, port) the factory takes by place, and which by name.

    Only what it must have, or has None as its default: in `lambda port=port: ...` the value is the user's own.
    """
    if isinstance(factory, Component):
        raise UsageError(
            f"SimpleServer takes a function that makes a component for each client, not a component: put "
            f'`lambda:` before {factory.name}, as in SimpleServer(lambda: SubscribeTo("Events"), 1600)'
        )
    if not callable(factory):
        raise UsageError(f"SimpleServer takes a function that makes a component for each client, not {factory!r}")
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return 0, ()
    given = set(factory.keywords) if isinstance(factory, functools.partial) else set()
    named = tuple(
        p.name for p in parameters
        if p.name in ("peer", "port") and p.name not in given and p.default in (p.empty, None)
        and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    )  # fmt: skip
    wanted = [
        p for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in named
    ]  # fmt: skip
    unknown = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in named]
    if unknown or len(wanted) > 2 or (wanted and named):
        names = ", ".join([p.name for p in wanted] + unknown)
        raise UsageError(
            f"SimpleServer: the factory {getattr(factory, '__name__', factory)!r} needs {names}; it can be "
            "given `peer` and `port` by name, or these two in its first places, and nothing else"
        )
    return len(wanted), named


def _told(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, ComponentError) else f"{type(exc).__name__}: {exc}"


def _needs_hint(exc: NameNotProvided) -> str:
    return f"  hint      SimpleServer(..., needs=({exc.wanted!r},)) finds this when it starts"
