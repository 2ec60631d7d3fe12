"""The viewer that the calculation starts: a process of its own, which the calculation talks to over a pair of sockets.

It stands in a session of its own, so Ctrl-C at the terminal reaches the calculation alone; it ends when the pair is
closed, whatever ended the calculation. The pair has no address: nobody else can speak into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from axonlike.plotting.messages import ANSWER_LIMIT_BYTES, BadMessage, Did, Failed, Message, Ready, decode
from axonlike.plotting.sender import Sender, Viewer
from axonlike.streams.framing import FrameTooLong, LengthDecoder

__all__ = ["VIEWER", "Window"]

log = logging.getLogger("axonlike.plot")

_PATIENCE_S = 2.0
_LOOK_S = 0.02

VIEWER = (sys.executable, "-P", "-m", "axonlike.plotting.viewer")

_held: list[subprocess.Popen[bytes]] = []
"""Viewers that outlive the calculation: kept, since an object of a running process complains when it goes."""


class Window(Viewer, asyncio.Protocol):
    """A viewer process, and the calculation's end of the way to it. All methods are called in the sender's event loop.

    command: is started, with the number of its file descriptor as the last word. on_gone: is told once, in one
    sentence, that it ended though nobody here wanted it, and whether the user closed it.
    """

    kind = "window"
    private = True

    def __init__(self, sender: Sender, command: Sequence[str], on_gone: Callable[[str, bool], None]) -> None:
        self._sender = sender
        self._command = command
        self._on_gone = on_gone
        self._frames = LengthDecoder(limit_bytes=ANSWER_LIMIT_BYTES)
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = True
        self._is_ready = False
        self._closed_by_user = False
        self._failure = ""
        self.fd = -1

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process and greet it. It asks for frames when it can be seen. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                for end in (ours, theirs):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                room = self._sender.desk.room
                shared = () if room is None else (room.fd,)
                self._process = _start_process(self._command, theirs.fileno(), shared)
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self.fd = ours.fileno()
        await self._sender.loop.create_connection(lambda: self, sock=ours)
        self._sender.greet(self)

    # -- the way to it

    def send(self, blob: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join((len(blob).to_bytes(4, "big"), blob)))  # each write is a call of the system

    def close(self) -> None:
        self._wanted = False
        if self._transport is not None:
            self._transport.close()  # what was written still goes out

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derive from nothing of asyncio's

    def data_received(self, data: bytes) -> None:
        try:
            for part in self._frames.feed(data):
                self._heard(decode(part, from_viewer=True))
        except (BadMessage, FrameTooLong) as exc:
            self._failure = f"it said what no viewer says: {exc}"
            if self._transport is not None:
                self._transport.abort()

    def _heard(self, message: Message) -> None:
        match message:
            case Ready():
                self._is_ready = True
            case Did(what="closed"):
                self._closed_by_user = True
            case Failed(text, ends) if ends or not self._is_ready:
                self._failure = text  # told when it has ended
                return
        self._sender.heard(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fd = -1
        self._sender.left(self)
        if self._wanted:
            self._wanted = False
            self._task = self._sender.loop.create_task(self._tell_why())

    async def _tell_why(self) -> None:
        code = await self._exit_code(_PATIENCE_S)
        if code is None:
            await self._end_process()
        if self._closed_by_user:
            self._on_gone("the plot's window was closed", True)
        elif self._failure:
            self._on_gone(f"there is no plot: {self._failure}", False)
        elif code is not None and code < 0:
            with contextlib.suppress(ValueError):
                code_name = signal.Signals(-code).name
                self._on_gone(f"the plot's window was ended by {code_name}", False)
                return
            self._on_gone(f"the plot's window was ended by signal {-code}", False)
        else:
            self._on_gone(f"the plot's window has ended (exit code {code})", False)

    # -- the process

    async def over(self, hold: bool) -> None:
        """The calculation is over, and `close` was called: see that the process ends, or let it stand."""
        if self._process is None:
            return
        if hold and self._is_ready:
            _held.append(self._process)
            return
        if await self._exit_code(_PATIENCE_S) is None:
            await self._end_process()

    async def _exit_code(self, timeout_s: float) -> int | None:
        assert self._process is not None
        until_s = self._sender.loop.time() + timeout_s
        while (code := self._process.poll()) is None and self._sender.loop.time() < until_s:
            await asyncio.sleep(_LOOK_S)
        return code

    async def _end_process(self) -> None:
        assert self._process is not None
        self._process.terminate()
        if await self._exit_code(0.5) is None:  # stopped (SIGSTOP), or stuck
            self._process.kill()
            await self._exit_code(_PATIENCE_S)


def _start_process(command: Sequence[str], fd: int, shared: tuple[int, ...]) -> subprocess.Popen[bytes]:
    import axonlike

    environment = os.environ.copy()
    # The package is found where this process has it, and nothing in the current folder in its place (-P).
    root = str(Path(axonlike.__file__).parent.parent)
    rest = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{root}{os.pathsep}{rest}" if rest else root
    return subprocess.Popen(
        [*command, str(fd)],
        pass_fds=(fd, *shared),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )
