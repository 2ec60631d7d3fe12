"""What every TCP server does: listen, accept, refuse what is too many, and survive when no descriptor is left."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any

from axonlike.components.net.connection import Wire, address_text, set_socket_options, tls_options
from axonlike.driven import Driven
from axonlike.errors import AxonlikeError, UsageError
from axonlike.part import Part
from axonlike.restarts import Backoff
from axonlike.shutdown import State

__all__ = ["CannotListen", "Listener", "ListenerStatistics", "Tls", "server_tls"]

log = logging.getLogger("axonlike.net")

Tls = ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None

_BRIEF_S = 0.02  # between the end of a connection and the next try, where nothing was left
_AT_ONCE = 64  # connections accepted before others get their turn
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class CannotListen(AxonlikeError):
    """A server's address cannot be used."""

    code = "AX620"


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """What became of the connections of one server.

    refused: over a limit, closed at once. failed: the handshake, the factory or the handler failed. cut: by reason
    ("pending", "slow", "stalled", "total", "idle", "framing", "drain").
    """

    connections_accepted: int = 0
    open: int = 0
    refused: int = 0
    failed: int = 0
    cut: Mapping[str, int] = field(default_factory=dict)


def server_tls(tls: Tls) -> ssl.SSLContext | None:
    """A context as it is, or one that shows this certificate: (certfile, keyfile)."""
    if tls is None or isinstance(tls, ssl.SSLContext):
        return tls
    certificate, key = tls
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class Listener(Driven):
    """Accepts TCP connections. A subclass says in `accepted` what becomes of each.

    After the start `port` is the real one, where 0 was asked for, and `addresses` are those that it listens on.
    """

    _is_whole = True

    def __init__(
        self,
        port: int,
        host: str,
        *,
        tls: Tls,
        max_connections: int | None,
        max_per_address: int | None,
        handshake_timeout_s: float,
        backlog: int,
        announce: bool,
    ) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise UsageError(
                f"{type(self).__name__}: a port is a number from 0 (any that is free) to 65535, not {port!r}"
            )
        if not isinstance(host, str):
            raise UsageError(f"{type(self).__name__}: host is an address or a name, not {host!r}")
        self.port = port
        self.host = host
        self.addresses: tuple[str, ...] = ()
        self.tls = server_tls(tls)
        self.max_connections = max_connections
        self.max_per_address = max_per_address
        self.handshake_timeout_s = handshake_timeout_s
        self.backlog = backlog
        self.announce = announce
        self._sockets: list[socket.socket] = []
        self._accepting = False
        self._ending = False
        self._accepted = 0
        self._open = 0
        self._refused = 0
        self._failed = 0
        self._cut: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._full = False
        self._backoff = Backoff(0.1, 1.0, jitter=0.0)
        self._resting: asyncio.TimerHandle | None = None
        self._starved = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_statistics(self) -> ListenerStatistics:
        """How many connections there were and are."""
        return ListenerStatistics(self._accepted, self._open, self._refused, self._failed, dict(self._cut))

    @abstractmethod
    def accepted(self, sock: socket.socket, address: Any) -> None:
        """A connection has come, within the limits."""

    # -- life

    def begin(self) -> None:
        for family, address in self._resolve_host():
            if self._sockets:
                address = (address[0], self.port, *address[2:])  # port 0: the same one at every address
            self._listen(family, address)
        self.addresses = tuple(address_text(sock.getsockname()) for sock in self._sockets)
        self._accept_again()
        text = f"{self.name} listens on {' and '.join(self.addresses)} ({self._reach()})"
        log.debug("%s", text)
        if self.announce:
            with contextlib.suppress(OSError, ValueError):  # stdout is closed or gone: the log has it
                print(text, file=sys.stdout, flush=True)

    def stopped(self) -> None:
        """Listens no more; what waits in the backlog is refused by the system."""
        self._pause_accepting()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def stop_children(self, reason: str) -> Sequence[Part]:
        self.stopped()  # at once: whoever were let in between now and its own last step would never be stopped
        return super().stop_children(reason)

    def close_body(self) -> bool:
        self.stopped()
        return not self._children

    def child_ended(self, child: Part) -> None:
        """After a stop it ends with its last connection."""
        if self._children or self._scheduler is None:
            return
        if self._ending or self._state is State.STOPPING:
            self._scheduler.part_ended(self)

    def end(self) -> None:
        """Listens no more, and ends when the last connection has."""
        self._ending = True
        if self._children:
            self.stopped()
        else:
            super().end()

    # -- addresses

    def _resolve_host(self) -> list[tuple[int, Any]]:
        try:
            found = socket.getaddrinfo(
                self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
            )
        except (OSError, UnicodeError) as exc:
            try:  # AI_ADDRCONFIG hides ::1 on a machine whose only IPv6 address is that
                found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            except (OSError, UnicodeError):
                raise self._cannot(exc) from exc
        return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))

    def _listen(self, family: int, address: Any) -> None:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            raise self._cannot(exc) from exc
        try:
            if os.name == "posix":  # elsewhere it would let two servers share a port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind(address)
            sock.listen(self.backlog)
        except OSError as exc:
            sock.close()
            for other in self._sockets:
                other.close()
            self._sockets.clear()
            raise self._cannot(exc) from exc
        except BaseException:
            sock.close()
            raise
        self._sockets.append(sock)
        self.port = sock.getsockname()[1]

    def _cannot(self, exc: BaseException) -> CannotListen:
        where = f"{self.name} cannot listen on {address_text((self.host, self.port))}"
        number = getattr(exc, "errno", None)
        if number == errno.EADDRINUSE:
            remedy = (
                "the port is in use, by another program or another server of this one. End that one "
                f"(on Linux `ss -ltnp 'sport = :{self.port}'` names it), or choose another port (0 = any that is free)"
            )
        elif number == errno.EACCES:
            remedy = "this user may not use that port. Choose one from 1024 up (below, only root may listen)"
        elif number == errno.EADDRNOTAVAIL or isinstance(exc, socket.gaierror | UnicodeError):
            remedy = (
                "this machine has no such address. Use 127.0.0.1 (this machine only), 0.0.0.0 or :: (all), or one of "
                "those that `ip address` shows"
            )
        else:
            remedy = "see the system's message"
        return CannotListen(f"{where}: {remedy} (the system: {getattr(exc, 'strerror', None) or exc})")

    def _reach(self) -> str:
        if all(_is_loopback(sock.getsockname()[0]) for sock in self._sockets):
            return 'this machine only; host="0.0.0.0" for all'
        return "reachable from other machines"

    # -- accepting

    def _accept_again(self) -> None:
        scheduler = self._scheduler
        if self._accepting or not self._sockets or scheduler is None or scheduler.loop is None:
            return
        self._accepting = True
        for sock in self._sockets:
            scheduler.loop.add_reader(sock.fileno(), self._accept, sock)

    def _pause_accepting(self) -> None:
        scheduler = self._scheduler
        if not self._accepting or scheduler is None or scheduler.loop is None:
            return
        self._accepting = False
        for sock in self._sockets:
            scheduler.loop.remove_reader(sock.fileno())

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if not self._accepting:
                return
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                self._nobody_waits()
                return
            except OSError as exc:
                if exc.errno in _OUT_OF_RESOURCES:
                    self._rest(exc)
                    return
                # Of a connection that ended before it was accepted, or that a firewall took away: not our affair.
                log.debug("%s: accept: %s", self.path, exc)
                continue
            try:
                sock.setblocking(False)
                set_socket_options(sock)
                if self._may_come(address):
                    self._accepted += 1
                    self.accepted(sock, address)
                else:
                    sock.close()
            except OSError as exc:  # it was reset meanwhile
                sock.close()
                log.debug("%s: %s left at once: %s", self.path, address_text(address), exc)
            except BaseException as exc:
                sock.close()
                self.fail(exc)
                return

    def _nobody_waits(self) -> None:
        """All who came have been let in. After a lack of descriptors it is over only now, not with the first one."""
        if self._starved:
            self._starved = False
            self._backoff.reset()
            log.warning("%s accepts connections again", self.path)

    def _rest(self, exc: OSError) -> None:
        """No descriptor is left: the selector would report the listening socket again and again."""
        delay_s = self._backoff.next_delay_s()
        if not self._starved:
            self._starved = True
            log.error(
                "%s cannot accept connections: %s. Those that are open are served; it tries again when one of "
                "them leaves, and every 0.1 to 1 s. Raise the limit of open files (ulimit -n, systemd: LimitNOFILE=)",
                self.path, exc,
            )  # fmt: skip
        self._pause_accepting()
        assert self._scheduler is not None
        assert self._scheduler.loop is not None
        self._rest_for(delay_s, self._scheduler.loop)

    def _rest_for(self, delay_s: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._resting = loop.call_later(delay_s, self._try_again)

    def _try_again(self) -> None:
        self._resting = None
        self._accept_again()
        for sock in tuple(self._sockets):  # at once: if nobody waits any more, no event would tell that it is over
            self._accept(sock)

    def _may_come(self, address: Any) -> bool:
        if self.max_connections is not None and self._open >= self.max_connections:
            why = f"{self._open} are open, and max_connections={self.max_connections}"
        elif (
            self.max_per_address is not None
            and self._by_address[address[0]] >= self.max_per_address
            and not _is_loopback(address[0])
        ):
            why = f"{address[0]} has {self.max_per_address} open, and max_per_address={self.max_per_address}"
        else:
            return True
        self._refused += 1
        if not self._full:
            self._full = True
            log.warning("%s refuses connections (%s first): %s", self.path, address_text(address), why)
        return False

    def entered(self, address: Any) -> None:
        """A connection counts against the limits from now on."""
        self._open += 1
        self._by_address[address[0]] += 1

    def left(self, address: Any, wire: Wire | None) -> None:
        """The counterpart of `entered`."""
        self._open -= 1
        self._by_address[address[0]] -= 1
        if not self._by_address[address[0]]:
            del self._by_address[address[0]]
        if self._full and (self.max_connections is None or self._open < 0.9 * self.max_connections):
            self._full = False
        if wire is not None and wire.cut_for:
            self._cut[wire.cut_for] += 1
        loop = self._scheduler.loop if self._scheduler is not None else None
        if self._resting is not None and loop is not None and self._resting.when() - loop.time() > _BRIEF_S:
            # Its descriptor is free as soon as the transport has closed it.
            self._backoff.reset()
            self._rest_for(_BRIEF_S, loop)

    # -- transports

    def open_wire(self, wire: Wire, sock: socket.socket) -> None:
        """Make the transport of an accepted connection (and the TLS handshake) without holding anybody up."""
        wire.opening = self._spawn(self._open_wire(wire, sock))
        wire.opening.add_done_callback(partial(self._opened, wire, sock))

    async def _open_wire(self, wire: Wire, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: wire, sock, **tls_options(self.tls, self.handshake_timeout_s))

    def _opened(self, wire: Wire, sock: socket.socket, task: asyncio.Task[None]) -> None:
        wire.opening = None
        exc = None if task.cancelled() else task.exception()
        if wire.transport is not None:
            return
        sock.close()
        if exc is not None:
            self._failed += 1
            log.warning("%s: no %s with %s: %s", self.path, "TLS" if self.tls else "connection", wire.peer, _said(exc))
        wire.never_made(exc)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._scheduler is not None
        assert self._scheduler.loop is not None
        task = self._scheduler.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _said(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
