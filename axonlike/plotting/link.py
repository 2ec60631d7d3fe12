"""Messages over a stream socket: each behind its length, 32 bits."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any, Final, Protocol

import msgspec

from axonlike.plotting.memory import FrameWatch
from axonlike.plotting.messages import (
    FRAME_LIMIT_BYTES,
    BadMessage,
    Drawn,
    Ended,
    Frame,
    Laid,
    Message,
    MessageTooLong,
    Ready,
    Welcome,
    decode,
    encode,
)

__all__ = ["Connection", "LocalConnection", "receive_now"]

log = logging.getLogger("axonlike.plot")

_LENGTH_BYTES: Final = 4
_LAST_WORDS_S: Final = 0.2


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

    Frames come through memory that both share, where there is such (memory.py), all else through the socket. Whichever
    way a frame came, it has a number here, from 1, and `Drawn` with that number is the answer.

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
        self._reading: asyncio.Future[bytes | None] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._pid_fd = -1
        self._memory: FrameWatch | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._laid: asyncio.Future[Frame] | None = None
        """What lay in memory, while that is waited for."""
        self._number = 0
        self._by_socket = 0
        """The number that the calculation gave to the frame which is still to be answered over the socket."""

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Shielded: a socket that is closed while an event loop takes it over ends the process (libuv).
        if self._opening is None:
            self._opening = asyncio.ensure_future(asyncio.open_connection(sock=self._sock))
        return await asyncio.shield(self._opening)

    async def receive(self) -> Message | None:
        """The next message; None at the end."""
        message: Message | None
        message, self._welcome = self._welcome, None
        while message is None:
            data = await self._next()
            if data is None:
                return self._look_last()
            message = self._numbered(data) if isinstance(data, Frame) else await self._read_as(data)
        if isinstance(message, Welcome):
            self._watch(message.pid)
            self._share(message)
        return message

    async def _read_as(self, data: bytes) -> Message | None:
        """The message of what came over the socket, if it is for the viewer."""
        message, memory = decode(data, private=True, limit_bytes=self._limit_bytes), self._memory
        if isinstance(message, Frame):
            if memory is not None and not memory.shown(message.call):
                await self._send(Drawn(message.number))  # there is a newer one
                return None
            self._by_socket = message.number
            return self._numbered(message)
        if memory is not None and isinstance(message, Laid):
            memory.wake(asyncio.get_running_loop().time())
            self._look_later()
            return None
        if memory is not None and isinstance(message, Ended):
            memory.next_look_s = None  # its last frame came by the socket
            self._look_later()
        return message

    def _numbered(self, frame: Frame) -> Frame:
        self._number += 1
        return msgspec.structs.replace(frame, number=self._number)

    # -- frames in memory

    def _share(self, welcome: Welcome) -> None:
        if welcome.memory < 0:
            return
        try:
            self._memory = FrameWatch(welcome.memory, welcome.fps)
        except (OSError, ValueError) as exc:
            # Its text alone: a record that is kept would keep all that stands in the frames of this exception.
            log.warning("frames come by the socket only, which costs the calculation more: %s", str(exc))

    def _look_later(self) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        if self._memory is not None and self._memory.next_look_s is not None:
            self._look_timer = asyncio.get_running_loop().call_at(self._memory.next_look_s, self._look)

    def _look(self) -> None:
        memory, laid = self._memory, self._laid
        if memory is None or laid is None or laid.done():
            return  # nobody waits; `_next` looks again
        try:
            frame = memory.look(asyncio.get_running_loop().time())
        except BadMessage as exc:
            laid.set_exception(exc)
            return
        if frame is not None:
            laid.set_result(frame)
        self._look_later()

    def _look_last(self) -> Frame | None:
        """The calculation has gone: what it laid down before."""
        memory = self._memory
        if memory is None or memory.next_look_s is None:
            return None
        frame = memory.look(asyncio.get_running_loop().time())
        memory.next_look_s = None
        self._look_later()
        return None if frame is None else self._numbered(frame)

    # -- the socket

    async def _next(self) -> bytes | Frame | None:
        """A message from the socket, None at its end; or a frame that lies in memory."""
        loop = asyncio.get_running_loop()
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        if self._laid is None:
            self._laid = loop.create_future()
            self._look_later()
        waits: set[asyncio.Future[Any]] = {self._reading, self._laid}
        if self._gone is not None:
            waits.add(self._gone)
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self._reading not in done and self._laid not in done:
            # What it said before it went is in the socket still, or lies in memory, and no more comes.
            waits = {self._reading, self._laid}
            await asyncio.wait(waits, timeout=_LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED)
        if self._laid.done():  # looked at once more: it may have been laid down since the wait was over
            laid, self._laid = self._laid, None
            return laid.result()
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        return reading.result()

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
        loop = asyncio.get_running_loop()
        self._gone = loop.create_future()
        loop.add_reader(self._pid_fd, self._went)

    def _went(self) -> None:
        assert self._gone is not None
        if not self._gone.done():
            self._gone.set_result(None)
        self._forget_pid()

    def _forget_pid(self) -> None:
        if self._pid_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._pid_fd)
            os.close(self._pid_fd)
            self._pid_fd = -1

    async def send(self, message: Message) -> None:
        """Harmless when the calculation has gone."""
        memory = self._memory
        if isinstance(message, Drawn):
            if message.number != self._number:
                return  # a newer one came meanwhile, and is still to be drawn
            if memory is not None:
                memory.drawn(asyncio.get_running_loop().time())
                self._look_later()
            if not self._by_socket:
                return
            message, self._by_socket = Drawn(self._by_socket), 0
        elif isinstance(message, Ready) and memory is not None:
            message = Ready(message.kind, looks=True)
        await self._send(message)
        if isinstance(message, Ready) and memory is not None:
            memory.start(asyncio.get_running_loop().time())
            self._look_later()

    async def _send(self, message: Message) -> None:
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
        self._memory = None
        self._look_later()
        if self._reading is not None:
            self._reading.cancel()
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
