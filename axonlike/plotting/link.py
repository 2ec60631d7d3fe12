"""Messages over a stream socket: each behind its length, 32 bits."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Protocol

from axonlike.plotting.messages import (
    FRAME_LIMIT_BYTES,
    BadMessage,
    Message,
    MessageTooLong,
    Welcome,
    decode,
    encode,
)

__all__ = ["Connection", "LocalConnection", "receive_now"]

_LENGTH_BYTES = 4
_LAST_WORDS_S = 0.2


class Connection(Protocol):
    """A viewer's way to the calculation."""

    async def receive(self) -> Message | None:
        """The next message; None when there comes no more. Raises BadMessage."""

    async def send(self, message: Message) -> None:
        """Harmless when the other end has gone."""

    async def close(self) -> None:
        """Let go of it."""


class LocalConnection:
    """The viewer's end of the socket pair with which the calculation has started it.

    welcome: if it was read from the socket already. It ends with the calculation's process, too: a process that this
    one forked holds its end of the pair as well, and may live longer.
    """

    def __init__(
        self, sock: socket.socket, welcome: Welcome | None = None, limit_bytes: int = 2 * FRAME_LIMIT_BYTES
    ) -> None:
        self._sock = sock
        self._welcome = welcome
        self._limit_bytes = limit_bytes
        self._opening: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self._pid_fd = -1
        self._calculation_is_gone: asyncio.Event | None = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Shielded: a socket that is closed while an event loop takes it over ends the process (libuv).
        if self._opening is None:
            self._opening = asyncio.ensure_future(asyncio.open_connection(sock=self._sock))
        return await asyncio.shield(self._opening)

    async def receive(self) -> Message | None:
        """The next message; None at the end."""
        message, self._welcome = self._welcome, None
        if message is None:
            data = await self._next()
            if data is None:
                return None
            message = decode(data, private=True, limit_bytes=self._limit_bytes)  # type: ignore[assignment]
        if isinstance(message, Welcome):
            self._watch(message.pid)
        return message

    async def _next(self) -> bytes | None:
        if self._calculation_is_gone is None:
            return await self._read()
        reading = asyncio.ensure_future(self._read())
        gone = asyncio.ensure_future(self._calculation_is_gone.wait())
        try:
            await asyncio.wait((reading, gone), return_when=asyncio.FIRST_COMPLETED)
            # What it said before it went is in the socket still, and no more comes.
            return await asyncio.wait_for(reading, _LAST_WORDS_S if gone.done() else None)
        except TimeoutError:
            return None
        finally:
            reading.cancel()
            gone.cancel()

    async def _read(self) -> bytes | None:
        reader, _ = await self._open()
        try:
            length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
            if length > self._limit_bytes:
                raise MessageTooLong(f"a message of {length} bytes; at most {self._limit_bytes} are taken")
            return await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return None

    def _watch(self, pid: int) -> None:
        try:
            self._pid_fd = os.pidfd_open(pid)
        except (OSError, AttributeError):  # it has gone, or this system has none: the end of the socket tells
            return
        self._calculation_is_gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pid_fd, self._went)

    def _went(self) -> None:
        assert self._calculation_is_gone is not None
        self._calculation_is_gone.set()
        self._forget_pid()

    def _forget_pid(self) -> None:
        if self._pid_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._pid_fd)
            os.close(self._pid_fd)
            self._pid_fd = -1

    async def send(self, message: Message) -> None:
        """Harmless when the calculation has gone."""
        _, writer = await self._open()
        blob = encode(message)
        try:
            writer.write(len(blob).to_bytes(_LENGTH_BYTES, "big") + blob)
            await writer.drain()
        except OSError:
            pass

    async def close(self) -> None:
        """Let go of the socket."""
        self._forget_pid()
        if self._opening is None:
            self._sock.close()
            return
        _, writer = await self._opening
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


def receive_now(sock: socket.socket) -> Message:
    """The next message, waited for without an event loop. Raises BadMessage at the end of the stream."""
    length = int.from_bytes(_exactly(sock, _LENGTH_BYTES), "big")
    if length > 2 * FRAME_LIMIT_BYTES:
        raise MessageTooLong(f"a message of {length} bytes")
    return decode(_exactly(sock, length), private=True, limit_bytes=length)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise BadMessage("the calculation has gone")
        data += part
    return bytes(data)
