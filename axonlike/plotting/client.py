"""A viewer's way to a plot on another machine: the same messages as over the socket of a window, over a WebSocket.

Nothing that comes is unpickled or run; what a frame looks like is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Final, Literal

from axonlike.errors import AxonlikeError, MissingExtra, UsageError
from axonlike.plotting.handshake import (
    HANDSHAKE_S,
    NO_ROOM,
    OTHER_VERSION,
    PROTOCOL,
    WRONG_TOKEN,
    ViewerSide,
)
from axonlike.plotting.messages import FRAME_LIMIT_BYTES, BadMessage, Message, MessageTooLong, decode, encode

try:
    import aiohttp
except ImportError as _exc:
    raise MissingExtra("watching a plot from elsewhere", "aiohttp", "web") from _exc

__all__ = ["CannotWatch", "RemoteConnection", "WrongToken"]

_CONNECT_S: Final = 10.0
# Without a byte for so long we ask, and give up after half of it again. Long: a calculation may hold its process up.
_HEARTBEAT_S: Final = 60.0
_GOODBYE_S: Final = 2.0


class CannotWatch(AxonlikeError):
    """A plot that cannot be reached, is none, speaks another version, or lets nobody in."""

    code = "AX660"


class WrongToken(CannotWatch):
    """The two ends do not have the same token."""

    code = "AX661"


class RemoteConnection:
    """One connection to a `PlotServer`. It is made by `connect`, or by the first `receive` or `send`.

    tls: how to judge the other end's certificate; True for what the system trusts; None for a plot on this machine, or
    at the end of a tunnel. limit_bytes: of one message; a longer one ends the connection. Nothing here reconnects.

    `connect`, and with it `receive` and `send`, raise CannotWatch, and WrongToken for a token that is not the plot's,
    or a plot that does not know ours.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        tls: bool | ssl.SSLContext | None = None,
        limit_bytes: int = FRAME_LIMIT_BYTES,
        *,
        connect_s: float = _CONNECT_S,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
            raise UsageError(f"RemoteConnection: a port is a number from 1 to 65535, not {port!r}")
        if not token:
            raise UsageError("RemoteConnection: the token is missing: it stands behind the # of the plot's address")
        self.where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._token = token
        self._tls = tls or None
        self._limit_bytes = limit_bytes
        self._connect_s, self._handshake_s = connect_s, handshake_s
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse[Literal[True]] | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def connect(self) -> None:
        """Reach the plot, and show each other that both know the token. Nothing if that is done."""
        async with self._opening:
            if self._socket is not None or self._is_closed:
                return
            self._session = aiohttp.ClientSession(trust_env=False)
            try:
                self._socket = await self._connected(self._session)
            except BaseException:
                await self._session.close()
                raise

    async def _connected(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse[Literal[True]]:
        scheme = "http" if self._tls is None else "https"
        try:
            async with asyncio.timeout(self._connect_s):
                socket_ = await session.ws_connect(
                    f"{scheme}://{self.where}/plot",
                    protocols=(PROTOCOL,),
                    max_msg_size=self._limit_bytes + 1,  # ours is judged here, with a text
                    heartbeat=_HEARTBEAT_S,
                    compress=0,
                    ssl=self._tls if self._tls is not None else True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_GOODBYE_S),
                )
        except aiohttp.WSServerHandshakeError as exc:
            raise CannotWatch(
                f"{self.where} answers, but is no plot that can be watched (HTTP status {exc.status}): compare the "
                "port with what the calculation says"
            ) from exc
        except (aiohttp.ClientSSLError, ssl.SSLError) as exc:
            raise CannotWatch(
                f"{self.where} cannot be trusted: {_said(exc)}; give the certificate that its plot shows, or take "
                "http:// if it has none"
            ) from exc
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as exc:
            raise CannotWatch(
                f"{self.where} answers, but speaks something else (TLS, if it is a plot): {_said(exc)}"
            ) from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise CannotWatch(
                f"{self.where} cannot be reached: {_said(exc)}; does the calculation run, and is it that host and port?"
            ) from exc
        try:
            await self._shake(socket_)
        except BaseException:
            await socket_.close()
            raise
        return socket_

    async def _shake(self, socket_: aiohttp.ClientWebSocketResponse[Literal[True]]) -> None:
        if socket_.protocol != PROTOCOL:
            raise CannotWatch(f"{self.where} does not speak {PROTOCOL}: update the older of the two ends")
        side = ViewerSide(self._token)
        try:
            async with asyncio.timeout(self._handshake_s):
                reply = side.reply(await self._part(socket_))
                if reply is None:
                    raise CannotWatch(f"{self.where} is no plot: it begins with something else")
                await socket_.send_bytes(reply)
                if not side.trusts(await self._part(socket_)):
                    raise WrongToken(f"{self.where} does not know the token: it is not the plot that gave it to you")
        except TimeoutError:
            raise CannotWatch(f"{self.where} says nothing for {self._handshake_s:g} s: no plot, or stuck") from None
        except ConnectionError as exc:
            raise CannotWatch(f"{self.where} has gone: {_said(exc)}") from exc

    async def _part(self, socket_: aiohttp.ClientWebSocketResponse[Literal[True]]) -> bytes:
        message = await socket_.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        match socket_.close_code:
            case code if code == WRONG_TOKEN:
                raise WrongToken(
                    f"{self.where} has another token: take the one behind the # of the address that this plot prints "
                    "(each run makes a new one, unless it is given one)"
                )
            case code if code == OTHER_VERSION:
                raise CannotWatch(f"{self.where} does not speak {PROTOCOL}: update the older of the two ends")
            case code if code == NO_ROOM:
                raise CannotWatch(f"{self.where} has as many viewers as it lets in: close one, or raise most_viewers")
        raise CannotWatch(f"{self.where} has closed the connection (code {socket_.close_code})")

    async def receive(self) -> Message | None:
        """The next message; None when there comes no more. Raises BadMessage, and closes, for what is none."""
        await self.connect()
        socket_ = self._socket
        if socket_ is None:
            return None
        try:
            message = await socket_.receive()
        except ConnectionError:
            return None
        if message.type is aiohttp.WSMsgType.BINARY:
            try:
                return decode(message.data, limit_bytes=self._limit_bytes)
            except BadMessage:
                await self.close()
                raise
        if message.type is aiohttp.WSMsgType.TEXT:
            await self.close()
            raise BadMessage(f"a text from {self.where}, where a plot sends bytes")
        if isinstance(message.data, aiohttp.WebSocketError):
            await self.close()
            if message.data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                raise MessageTooLong(f"a message from {self.where} of more than {self._limit_bytes} bytes")
            raise BadMessage(f"what {self.where} sends is no WebSocket any more: {message.data}")
        return None

    async def send(self, message: Message) -> None:
        """Harmless when the other end has gone."""
        await self.connect()
        if self._socket is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._socket.send_bytes(encode(message))

    async def close(self) -> None:
        """Let go of it; at most two seconds."""
        self._is_closed = True
        socket_, self._socket = self._socket, None
        session, self._session = self._session, None
        if socket_ is not None:
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await socket_.close()
        if session is not None:
            await session.close()


def _said(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "it did not answer in time"
    os_error = getattr(exc, "os_error", None)
    text = str(getattr(os_error, "strerror", None) or exc) or type(exc).__name__
    return text.rstrip(".")
