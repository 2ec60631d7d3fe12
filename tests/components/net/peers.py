"""What talks to the components under test: a scheduler on a real loop, plain sockets, and a relay that makes faults."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from axonlike.components.net.connection import Receiver  # noqa: F401  (the package is imported before fds are counted)
from axonlike.scheduler import Scheduler

try:
    import uvloop

    # libuv keeps one pipe for the life of the process from its first loop on.
    uvloop.new_event_loop().close()
    LOOPS = ["asyncio", "uvloop"]
except ImportError:
    LOOPS = ["asyncio"]

GUARD_S = 30.0
RESET = struct.pack("ii", 1, 0)

Main = Callable[[Scheduler], Awaitable[None]]


def run_on(loop: str, main: Main, *, guard_s: float = GUARD_S) -> None:
    """Run `main` in a scheduler on a loop of this kind; raises what goes wrong in either."""
    if loop == "uvloop":
        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    else:
        factory = asyncio.SelectorEventLoop

    async def guarded() -> None:
        async with asyncio.timeout(guard_s):
            async with Scheduler(watchdog_s=None) as scheduler:
                await main(scheduler)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(guarded())


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so; the guard of `run_on` ends it if it never is."""
    while not condition():
        await asyncio.sleep(0.002)


class Peer:
    """One plain socket: the other side of a component."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.ended = False

    async def send(self, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def more(self, size: int = 1 << 18) -> bool:
        """Read once. False at the end; a reset raises."""
        data = await asyncio.get_running_loop().sock_recv(self.sock, size)
        self.buffer += data
        self.ended = not data
        return bool(data)

    async def line(self) -> str:
        """The next line; "" at the end of the stream."""
        while b"\n" not in self.buffer:
            if not await self.more():
                return ""
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    async def lines(self, count: int) -> list[str]:
        return [await self.line() for _ in range(count)]

    async def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        while await self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    async def is_cut(self) -> bool:
        """Read to the end: was it a reset?"""
        try:
            while await self.more():
                self.buffer = b""
        except ConnectionResetError:
            return True
        return False

    def end(self) -> None:
        """Half-close: nothing more to send."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    @property
    def name(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{host}:{port}"


@contextlib.asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", *, receive_buffer_bytes: int | None = None
) -> AsyncIterator[Peer]:
    """A client's socket."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if receive_buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
        yield Peer(sock)
    finally:
        sock.close()


class Listening:
    """A server's listening socket; each accepted one becomes a Peer. `port` stays the same over `down` and `up`."""

    def __init__(self) -> None:
        self.port = 0
        self.sock: socket.socket | None = None
        self.peers: list[Peer] = []
        self.up()

    def up(self) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", self.port))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]

    def down(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    async def accept(self) -> Peer:
        assert self.sock is not None
        sock, _ = await asyncio.get_running_loop().sock_accept(self.sock)
        sock.setblocking(False)
        self.peers.append(Peer(sock))
        return self.peers[-1]

    def close(self) -> None:
        self.down()
        for peer in self.peers:
            peer.close()


@contextlib.contextmanager
def listening() -> Any:
    server = Listening()
    try:
        yield server
    finally:
        server.close()


def resident_bytes() -> int:
    """What this process holds of the memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def free_port() -> int:
    """A port on which nobody listens (for the moment)."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
