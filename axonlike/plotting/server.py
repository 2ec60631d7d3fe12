"""Viewers from elsewhere: one port with a page for browsers, and a WebSocket for that page and for ``axonlike plot``.

It runs in the sender's event loop, in a thread of the calculation's process: it does nothing while nobody comes and
nothing is sent. A viewer proves that it knows the token (handshake.py) before it is told anything; from then on each
WebSocket message is one of messages.py, and what is none ends that connection and nothing else.

One viewer never holds up another. `Viewer.send` puts a message into that viewer's queue, from which a task of its own
sends. The sender gives it one frame at a time, so what waits there is small; a viewer that lets even that pile up is
cut, as is one that takes no byte, or says nothing when it is asked, for a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.resources
import logging
import socket
import ssl
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from axonlike.components.net.listening import CannotListen
from axonlike.errors import MissingExtra, UsageError
from axonlike.plotting.handshake import (
    BAD_MESSAGE,
    HANDSHAKE_S,
    NO_ROOM,
    OTHER_VERSION,
    PROTOCOL,
    TOO_SLOW,
    WRONG_TOKEN,
    PlotSide,
    checked_token,
    new_token,
)
from axonlike.plotting.messages import ANSWER_LIMIT_BYTES, BadMessage, Did, Ready, Set, decode
from axonlike.plotting.sender import Viewer

try:
    import aiohttp
    from aiohttp import web
except ImportError as _exc:
    raise MissingExtra("watching a plot from elsewhere", "aiohttp", "web") from _exc

if TYPE_CHECKING:
    from axonlike.plotting.sender import Sender

__all__ = ["PlotServer", "ServerCounts"]

log = logging.getLogger("axonlike.plot")

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PAGES: Final = (
    "index.html", "style.css", "icon.svg", "viewer.js", "axes.js", "colormaps.js", "colours.js", "connection.js",
    "controls.js", "curves.js", "messages.js", "panel.js", "raster.js", "shown.js",
)  # fmt: skip

# A notebook shows the page in a frame: of Jupyter on this machine (or through a tunnel), or of an editor.
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self' http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* "
        "vscode-webview:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")

_MOST_WAITING = 256
_MOST_A_SECOND = 500
_LOOK_S = 20.0
_LOOKS_ALLOWED = 3
_GOODBYE_S = 2.0
_SAY_EVERY_S = 10.0
_STRANGERS = 64
"""Connections beside those of viewers: pages being loaded, handshakes."""


@dataclass(slots=True)
class ServerCounts:
    """What became of those who came.

    came: connections. viewers: that have shown the token. wrong_token: that have not, or not in time. refused: strange
    requests (another host or origin, no room, another version). garbage: viewers that said what is no message. cut:
    viewers that did not take what they were sent. denied: settings and clicks of those who may only look.
    """

    came: int = 0
    viewers: int = 0
    wrong_token: int = 0
    refused: int = 0
    garbage: int = 0
    cut: int = 0
    denied: int = 0


class PlotServer:
    """Lets viewers come to a `Sender` over the network.

    port 0 takes any that is free. token: what they have to know, at least 16 characters; a new one without it. Without
    tls, only addresses of this machine itself (127.0.0.1, ::1, localhost) can be served: raises UsageError for another
    host. view_only: they see everything and change nothing. names: further host names by which browsers reach a
    loopback address, as through a proxy.

    All but the construction happens in the sender's event loop. `start` raises CannotListen.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        view_only: bool = False,
        most_viewers: int = 100,
        names: Collection[str] = (),
        handshake_s: float = HANDSHAKE_S,
        look_s: float = _LOOK_S,
    ) -> None:
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
            raise UsageError(f"PlotServer: a port is a number from 0 (any that is free) to 65535, not {port!r}")
        self._is_loopback = _is_loopback(host)
        if tls is None and not self._is_loopback:
            raise UsageError(
                f"PlotServer: {host or 'every address'} can be reached from other machines, and that needs TLS: give "
                "tls=ssl.SSLContext(...), or keep to 127.0.0.1 and look from elsewhere through `ssh -L`"
            )
        if most_viewers < 1:
            raise UsageError(f"PlotServer: most_viewers is 1 or more, not {most_viewers}")
        self.token = checked_token(token) if token else new_token()
        self.counts = ServerCounts()
        self._sender = sender
        self._host, self._port, self._tls = host, port, tls
        self._may_set = not view_only
        self._most_viewers = most_viewers
        self._names = frozenset(name.lower() for name in (*_LOOPBACK_NAMES, *names))
        self._handshake_s, self._look_s = handshake_s, look_s
        self._pages: dict[str, _Page] = {}
        self._viewers: dict[_RemoteViewer, None] = {}
        self._http: web.Server | None = None
        self._listening: asyncio.Server | None = None
        self._silent: set[asyncio.BaseProtocol] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._silent_until_s = 0.0
        self._unsaid = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host as it was given, and the real port."""
        return self._host, self._port

    @property
    def url(self) -> str:
        """What a browser is given. The token stands behind the #, so that it is not sent and stands in no log."""
        host = self._host
        try:
            is_every = not host or ip_address(host).is_unspecified
        except ValueError:
            is_every = False
        if is_every:
            host = socket.gethostname()
        where = f"[{host}]" if ":" in host else host
        return f"{'http' if self._tls is None else 'https'}://{where}:{self._port}/#{self.token}"

    async def start(self) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        self._pages = _read_pages()
        self._http = web.Server(
            self._handle, access_log=None, logger=log, keepalive_timeout=15.0, lingering_time=1.0, tcp_keepalive=True
        )
        try:
            self._listening = await loop.create_server(
                self._accepted, self._host or None, self._port, ssl=self._tls,
                ssl_handshake_timeout=self._handshake_s if self._tls else None,
            )  # fmt: skip
        except (OSError, UnicodeError) as exc:
            await self._http.shutdown(0)
            raise CannotListen(
                f"the plot cannot be watched at {self._host or 'every address'}, port {self._port}: give another port "
                f"(0: any that is free) or host (the system: {getattr(exc, 'strerror', None) or exc})"
            ) from exc
        self._port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more; viewers are let go when they have what was sent, or at the latest after two seconds."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._listening is not None:
            self._listening.close()
        viewers = [*self._viewers]
        for viewer in viewers:
            viewer.close()
        if viewers:
            await asyncio.wait([viewer.gone for viewer in viewers], timeout=_GOODBYE_S)
        for viewer in viewers:
            viewer.abort()
        if self._http is not None:
            await self._http.shutdown(_GOODBYE_S)
            self._http = None
        if self._listening is not None:
            await self._listening.wait_closed()
            self._listening = None

    # -- connections

    def _accepted(self) -> asyncio.BaseProtocol:
        self.counts.came += 1
        assert self._http is not None
        if len(self._http.connections) >= self._most_viewers + _STRANGERS:
            self.counts.refused += 1
            self._note("turns connections away: too many are open")
            return _TurnedAway()
        protocol = self._http()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(self._handshake_s, self._has_asked, protocol)
        return protocol

    def _has_asked(self, protocol: web.RequestHandler) -> None:
        """Whoever has connected and asked for nothing since is let go."""
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                self.counts.refused += 1
                protocol.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._silent.discard(request.protocol)
        if not self._is_our_name(request.headers.get("Host", "")):
            self.counts.refused += 1
            self._note(f"refuses a request for the host {request.headers.get('Host', '')[:100]!r} (see `names`)")
            return _refusal(421, "this is not the host that you think")
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "GET only", Allow="GET, HEAD")
        if request.path == "/plot":
            return await self._plot(request)
        page = self._pages.get(request.path)
        if page is None:
            return _refusal(404, "there is nothing here")
        return page.answer(request)

    def _is_our_name(self, host: str) -> bool:
        """Is it a name of this machine itself? A page of another site can have its own name point to 127.0.0.1, but the
        browser then says that name."""
        return not self._is_loopback or _name_in(host) in self._names

    # -- viewers

    async def _plot(self, request: web.BaseRequest) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower():
            self.counts.refused += 1
            self._note(f"refuses a viewer in a page of {origin[:100]!r}")
            return _refusal(403, "that page is not mine")
        socket_ = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=ANSWER_LIMIT_BYTES, autoping=False, compress=False, timeout=_GOODBYE_S
        )
        if not socket_.can_prepare(request).ok:
            return _refusal(426, f"this is a WebSocket that speaks {PROTOCOL}", Upgrade="websocket")
        await socket_.prepare(request)
        transport = request.transport
        if transport is None:
            return socket_  # it has gone meanwhile
        try:
            code, reason = await self._welcome(socket_, transport)
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await socket_.close(code=code, message=reason.encode()[:120])
        finally:
            transport.abort()  # nothing if it is closed; else its buffer would wait for a reader that there is not
        return socket_

    async def _welcome(self, socket_: web.WebSocketResponse, transport: asyncio.Transport) -> tuple[int, str]:
        """All of one viewer's visit. Returns how it ends."""
        if socket_.ws_protocol != PROTOCOL:
            self.counts.refused += 1
            return OTHER_VERSION, f"this plot speaks {PROTOCOL}: update the older end"
        proof = await self._proof_for(socket_)
        if proof is None:
            self.counts.wrong_token += 1
            self._note("refuses a viewer that does not know the token")
            return WRONG_TOKEN, "wrong token"
        if len(self._viewers) >= self._most_viewers:
            self.counts.refused += 1
            self._note(f"refuses a viewer: there are {self._most_viewers} already (most_viewers)")
            return NO_ROOM, f"there are {self._most_viewers} viewers already"
        viewer = _RemoteViewer(socket_, transport, may_set=self._may_set)
        viewer.send(proof)
        self._viewers[viewer] = None
        self.counts.viewers += 1
        self._look_later()
        self._sender.greet(viewer)  # it says that it is ready when it knows what to show, and is seen
        pump = asyncio.create_task(viewer.pump())
        try:
            return await self._listen(socket_, viewer)
        finally:
            del self._viewers[viewer]
            self._sender.left(viewer)
            if viewer.is_cut:
                self.counts.cut += 1
                self._note("lets go of a viewer that does not take what it is sent")
            if not viewer.is_closing:
                pump.cancel()
            await asyncio.wait([pump], timeout=_GOODBYE_S)
            pump.cancel()
            viewer.gone.set_result(None)

    async def _proof_for(self, socket_: web.WebSocketResponse) -> bytes | None:
        """What shows a viewer that we know the token; None for one that does not."""
        side = PlotSide(self.token)
        try:
            async with asyncio.timeout(self._handshake_s):
                await socket_.send_bytes(side.challenge)
                message = await socket_.receive()
        except (TimeoutError, ConnectionError):
            return None
        return side.answer(message.data) if message.type is aiohttp.WSMsgType.BINARY else None

    async def _listen(self, socket_: web.WebSocketResponse, viewer: _RemoteViewer) -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        second_s, heard = loop.time(), 0
        while True:
            message = await socket_.receive()
            viewer.silent_looks = 0
            if message.type is aiohttp.WSMsgType.PING:
                viewer.pong(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                return self._garbage("a text")
            elif message.type is aiohttp.WSMsgType.BINARY:
                try:
                    self._take(viewer, message.data)
                except BadMessage as exc:
                    return self._garbage(str(exc))
            elif message.type is not aiohttp.WSMsgType.PONG:
                if isinstance(message.data, aiohttp.WebSocketError):  # its framing, its text, or too much
                    return self._garbage(str(message.data))
                return (TOO_SLOW, "too slow") if viewer.is_cut else (1000, "")
            heard += 1
            if heard >= _MOST_A_SECOND:  # it reads on a little later; the rest waits with the one who says so much
                await asyncio.sleep(max(0.0, second_s + 1.0 - loop.time()))
                second_s, heard = loop.time(), 0

    def _take(self, viewer: _RemoteViewer, data: bytes) -> None:
        message = decode(data, from_viewer=True)
        if isinstance(message, Ready):
            self._sender.join(viewer, message)
        elif not viewer.may_set and _changes(message):
            self.counts.denied += 1
        else:
            self._sender.heard(viewer, message)

    def _garbage(self, what: str) -> tuple[int, str]:
        self.counts.garbage += 1
        self._note(f"lets go of a viewer that says {what[:200]}")
        return BAD_MESSAGE, what

    # -- who is still there

    def _look_later(self) -> None:
        if self._looking is None and self._viewers:
            self._looking = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def _look(self) -> None:
        self._looking = None
        for viewer in [*self._viewers]:
            viewer.look()
        self._look_later()

    def _note(self, text: str) -> None:
        """One line in the log, seldom: whoever knocks a thousand times does not fill the disk."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._silent_until_s:
            self._unsaid += 1
            return
        unsaid, self._unsaid = self._unsaid, 0
        self._silent_until_s = now_s + _SAY_EVERY_S
        log.warning("the plot at port %d %s%s", self._port, text, f"; {unsaid} more before" if unsaid else "")


def _changes(message: object) -> bool:
    """Would it touch the calculation? Not so that its viewer pauses."""
    return isinstance(message, Set) or (isinstance(message, Did) and message.what not in ("paused", "resumed"))


class _RemoteViewer(Viewer):
    """One WebSocket. gone: is done when its connection is."""

    kind = ""

    def __init__(self, socket_: web.WebSocketResponse, transport: asyncio.Transport, *, may_set: bool) -> None:
        self.may_set = may_set
        self.is_closing = False
        self.is_cut = False
        self.silent_looks = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._socket = socket_
        self._transport = transport
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._more = asyncio.Event()
        self._sent = 0
        self._seen_at_look = (-1, -1)
        self._stuck_looks = 0

    def send(self, blob: bytes) -> None:
        self._put("say", blob)

    def pong(self, data: bytes) -> None:
        self._put("pong", data)

    def close(self) -> None:
        self.is_closing = True
        self._more.set()

    def abort(self) -> None:
        self._transport.abort()

    def cut(self) -> None:
        self.is_cut = True
        self._waiting.clear()
        self._transport.abort()

    def _put(self, how: str, blob: bytes) -> None:
        if self.is_closing or self.is_cut:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.cut()
            return
        self._waiting.append((how, blob))
        self._more.set()

    async def pump(self) -> None:
        """Send what waits, until `close` and then a goodbye, or until the connection has gone."""
        with contextlib.suppress(ConnectionError, RuntimeError):  # it has; the one who listens there notices too
            while True:
                while self._waiting:
                    how, blob = self._waiting.popleft()
                    if how == "say":
                        await self._socket.send_bytes(blob)
                    elif how == "ping":
                        await self._socket.ping()
                    else:
                        await self._socket.pong(blob)
                    self._sent += 1
                if self.is_closing:
                    await self._socket.close(code=1000)
                    return
                self._more.clear()
                await self._more.wait()

    def look(self) -> None:
        """Has it taken anything since the last look, or, if there was nothing to take, said anything?"""
        state = (self._sent, self._transport.get_write_buffer_size())
        if self._waiting or state[1]:
            self._stuck_looks = self._stuck_looks + 1 if state == self._seen_at_look else 0
        else:
            self._stuck_looks = 0
            self.silent_looks += 1
            if self.silent_looks <= _LOOKS_ALLOWED:
                self._put("ping", b"")
        self._seen_at_look = state
        if max(self._stuck_looks, self.silent_looks) > _LOOKS_ALLOWED:
            self.cut()


class _TurnedAway(asyncio.Protocol):
    """A connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


# ------------------------------------------------------------------------------------------------------------- the page


class _Page:
    """A file of the page. The browser keeps it, and asks each time if it is still this one."""

    def __init__(self, name: str, body: bytes) -> None:
        self.body = body
        self.headers = {
            **_SECURITY,
            "Content-Type": f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8",
            "Cache-Control": "no-cache",
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        }

    def answer(self, request: web.BaseRequest) -> web.Response:
        if request.headers.get("If-None-Match") == self.headers["ETag"]:
            return web.Response(status=304, headers=self.headers)
        return web.Response(body=self.body, headers=self.headers)


def _read_pages() -> dict[str, _Page]:
    folder = importlib.resources.files("axonlike.plotting") / "web"
    pages = {f"/{name}": _Page(name, (folder / name).read_bytes()) for name in _PAGES}
    return {"/": pages["/index.html"], **pages}


def _refusal(status: int, text: str, **headers: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={**_SECURITY, "Cache-Control": "no-store", **headers})


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name_in(host: str) -> str:
    """The name in a Host header: without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
