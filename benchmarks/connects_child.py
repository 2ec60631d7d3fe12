"""The processes of `benchmarks.connects`: servers, and the clients that measure one from outside (Linux: by /proc).

`python -m benchmarks.connects_child serve NAME PORT KIND` serves until it is ended; `... churn|crowd|starve PORT PID
NUMBER` puts that load on it, and `... herd NAME COUNT DOWN_S` starts its server itself. These print their figures as
JSON.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import resource
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.children import child, python, wait_listening
from benchmarks.harness import CountError, expect, hide_uvloop

__all__ = ["AT_ONCE", "FILES", "SERVERS", "Footprint", "churn", "crowd", "herd", "main", "starve"]

AT_ONCE = 100
"""Clients of `churn` that are connected at the same time."""
FILES = 64
"""Open files that a server of the kind "starved" may have."""
HOLDERS = 100
HAMMER_S = 0.005
HAMMER_STAYS_S = 0.1
ANSWER_S = 30.0
SETTLE_S = 5.0
BACKLOG = 512
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() resets

Figures = dict[str, float]


# -- servers


def axonlike_server(port: int, kind: str) -> None:
    """SimpleServer as its users write it; a crowd is more than it lets in when nothing is said."""
    from axonlike.components.net import Echo, SimpleServer

    if kind == "crowd":
        SimpleServer(Echo, port, max_connections=None).run()
    else:
        SimpleServer(Echo, port).run()


def axonlike_server_without_uvloop(port: int, kind: str) -> None:
    """The same on asyncio's own loop."""
    hide_uvloop()
    axonlike_server(port, kind)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError), contextlib.closing(writer):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()


async def _serve_streams(port: int) -> None:
    async with await asyncio.start_server(_echo, "127.0.0.1", port, backlog=BACKLOG) as server:
        await server.serve_forever()


def asyncio_server(port: int, kind: str) -> None:
    """asyncio streams, a line at a time."""
    asyncio.run(_serve_streams(port))


def uvloop_server(port: int, kind: str) -> None:
    """The same on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_streams(port))


SERVERS: dict[str, Callable[[int, str], None]] = {
    "axonlike": axonlike_server,
    "axonlike-no-uvloop": axonlike_server_without_uvloop,
    "asyncio": asyncio_server,
    "uvloop": uvloop_server,
}


def _serve(name: str, port: int, kind: str) -> None:
    if kind == "starved":
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
        logging.disable()  # that no descriptor is left: here it is meant to be so
    else:
        _allow_files()
    SERVERS[name](port, kind)


def _allow_files() -> int:
    """As many open files as this process may have; returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# -- what a server is seen to take


@dataclass(frozen=True)
class Footprint:
    """What a process holds at one moment; `sockets` are among the descriptors."""

    descriptors: int
    sockets: int
    threads: int
    memory_bytes: int
    cpu_s: float

    @classmethod
    def of(cls, pid: int) -> "Footprint":
        """By /proc, see proc(5)."""
        folder = Path(f"/proc/{pid}")
        fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        opened = []
        for descriptor in (folder / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has just been closed
                opened.append(os.readlink(descriptor))
        return cls(
            len(opened),
            sum(target.startswith("socket:") for target in opened),
            len(os.listdir(folder / "task")),
            int((folder / "statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize(),
            (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )


# -- one client


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)


def _answer(sock: socket.socket) -> bytes:
    """The next line, or less of one if the server closes; nothing if it resets. Raises TimeoutError after 30 s."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while not got.endswith(b"\n") and (data := sock.recv(100)):
            got += data
    return got


def _asks(sock: socket.socket, line: bytes) -> bool:
    """Does a server that echoes answer with this line?"""
    with contextlib.suppress(ConnectionError):
        sock.sendall(line)
        return _answer(sock) == line
    return False


# -- row 1: they come and leave


def _leaves(sock: socket.socket) -> bool:
    """It closes once it has its answer."""
    return _answer(sock) != b""


def _resets(sock: socket.socket) -> bool:
    """It resets whether the answer is there or not, so nobody sees whether one was to come."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return True


def _half_closes(sock: socket.socket) -> bool:
    """What it said has no line's end but that of the stream, which it tells before it reads its answer."""
    sock.shutdown(socket.SHUT_WR)
    return _answer(sock) != b"" and _answer(sock) == b""


WAYS: tuple[tuple[bytes, Callable[[socket.socket], bool]], ...] = (
    (b"a line\n", _leaves),
    (b"a line\n", _resets),
    (b"half-closed", _half_closes),
    (b"a line\nand some of the ne", _leaves),
)
"""What a client says, and how it leaves; False if it was not served."""


def churn(port: int, pid: int, count: int) -> Figures:
    """So many clients come and leave, 100 at a time, a quarter in each way. What is left of them in the server?"""
    before = Footprint.of(pid)
    refused = 0
    began_s = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        batch: list[tuple[socket.socket, Callable[[socket.socket], bool]]] = []
        for number in range(first, min(first + AT_ONCE, count)):
            said, way = WAYS[number % len(WAYS)]
            try:
                sock = _connect(port)
            except ConnectionError:
                refused += 1
                continue
            batch.append((sock, way))
            with contextlib.suppress(ConnectionError):
                sock.sendall(said)
        for sock, way in batch:
            with sock:
                try:
                    refused += not way(sock)
                except OSError:  # it was reset before it could half-close; or no answer came at all
                    refused += 1
    seconds = time.perf_counter() - began_s
    after = Footprint.of(pid)
    until_s = time.perf_counter() + SETTLE_S
    while (after.sockets > before.sockets or after.threads > before.threads) and time.perf_counter() < until_s:
        time.sleep(0.05)
        after = Footprint.of(pid)
    return {
        "count": count,
        "seconds": seconds,
        "cpu_s": after.cpu_s - before.cpu_s,
        "refused": refused,
        "descriptors": after.descriptors - before.descriptors,
        "threads": after.threads - before.threads,
        "memory_bytes": after.memory_bytes - before.memory_bytes,
    }


# -- row 2: many who say nothing


def crowd(port: int, pid: int, count: int) -> Figures:
    """So many clients are connected and idle, then comes one more. Every hundredth is asked whether it is served."""
    _allow_files()
    with contextlib.ExitStack() as stack:
        expect(_asks(stack.enter_context(_connect(port)), b"first\n"), True, "answer to the first client")
        before = Footprint.of(pid)
        began_s = time.perf_counter()
        clients = [stack.enter_context(_connect(port)) for _ in range(count)]
        connected_s = time.perf_counter()
        expect(_asks(stack.enter_context(_connect(port)), b"new\n"), True, "answer to the new client")
        answered_s = time.perf_counter()
        after = Footprint.of(pid)  # all are accepted, as the last one is
        asked = clients[::100]
        expect(sum(_asks(client, b"still here?\n") for client in asked), len(asked), "idle clients that are served")
    return {
        "count": after.sockets - before.sockets - 1,
        "connect_s": connected_s - began_s,
        "first_answer_s": answered_s - connected_s,
        "memory_bytes": after.memory_bytes - before.memory_bytes,
        "cpu_s": after.cpu_s - before.cpu_s,
    }


# -- row 3: no descriptor is left


def _hammer(port: int, guests: "deque[tuple[float, socket.socket]]", now_s: float) -> None:
    """One more client comes, and who came 0.1 s ago gives up."""
    while guests and now_s - guests[0][0] > HAMMER_STAYS_S:
        guests.popleft()[1].close()
    guest = socket.socket()
    guest.setblocking(False)
    guest.connect_ex(("127.0.0.1", port))
    guests.append((now_s, guest))
    with contextlib.suppress(OSError):  # not connected: the queue is full
        guest.send(b"let me in\n")


def _close(guests: "deque[tuple[float, socket.socket]]") -> None:
    for _, guest in guests:
        guest.close()


def starve(port: int, pid: int, window_s: float) -> Figures:
    """More clients than descriptors. One that is in talks on, others come and give up; then those that are in leave."""
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(_connect(port)) for _ in range(HOLDERS)]
        for holder in holders:
            holder.sendall(b"in\n")
        served = _served(holders, pid)
        waiting = [holder for holder in holders if holder not in served]
        talker, *leavers = served

        guests: deque[tuple[float, socket.socket]] = deque()
        stack.callback(_close, guests)
        before, began_s = Footprint.of(pid), time.perf_counter()
        came = answered = 0
        while (now_s := time.perf_counter()) - began_s < window_s:
            _hammer(port, guests, now_s)
            came += 1
            if came % 20 == 0:
                answered += _asks(talker, b"still here?\n")
            time.sleep(HAMMER_S)
        cpu = (Footprint.of(pid).cpu_s - before.cpu_s) / (time.perf_counter() - began_s)
        expect(answered, came // 20, "answers to a client that was in before")
        if select.select(waiting, [], [], 0)[0]:
            raise CountError("one that waited was let in (or out) while no descriptor was left")

        for sock in (*leavers, *waiting[1:]):
            sock.close()
        _close(guests)
        left_s = time.perf_counter()
        expect(_answer(waiting[0]), b"in\n", "answer to one that waited")  # type: ignore[arg-type]
        again_s = time.perf_counter()
        with _connect(port) as new:
            expect(_asks(new, b"new\n"), True, "answer to a new client")
        new_s = time.perf_counter()
    return {
        "count": came,
        "served": len(served),
        "cpu": cpu,
        "again_s": again_s - left_s,
        "new_s": new_s - left_s,
    }


def _served(holders: list[socket.socket], pid: int) -> list[socket.socket]:
    """Those whose answer comes, once the server has no descriptor left and nobody's has come for a second."""
    served: list[socket.socket] = []
    left = list(holders)
    until_s = time.perf_counter() + ANSWER_S
    while time.perf_counter() < until_s:
        ready = select.select(left, [], [], 1.0)[0]
        for sock in ready:
            if _answer(sock) != b"in\n":
                raise CountError("a client was closed instead of left to wait")
            served.append(sock)
            left.remove(sock)
        if not ready and Footprint.of(pid).descriptors >= FILES:
            return served
    raise CountError(f"the server has fewer than {FILES} open files for {ANSWER_S:g} s, though {len(left)} wait")


# -- row 4: all at once


@dataclass
class Tally:
    """What the callers of a herd have seen since it was last cleared."""

    connected: int = 0
    answered: set[int] = field(default_factory=set)

    def clear(self) -> None:
        self.connected = 0
        self.answered.clear()


def _caller(number: int, port: int, tally: Tally) -> Any:
    """A TCPClient, and who says a line to the server each time that it is connected."""
    from axonlike import Component, Graphline
    from axonlike.components.net import Connected, TCPClient

    class Caller(Component):
        Inboxes = {"inbox": "what the server answers", "status": "of the connection"}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox", "status")
                for event in self.inbox("status"):
                    if isinstance(event, Connected):
                        tally.connected += 1
                        self.send(str(number))
                for answer in self.inbox("inbox"):
                    expect(int(answer), number, "answer of the server")
                    tally.answered.add(number)

    return Graphline(
        client=TCPClient("127.0.0.1", port),
        caller=Caller(),
        links="client -> caller; caller -> client; client.status -> caller.status",
    )


async def _until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(2 * ANSWER_S):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise CountError(f"after {2 * ANSWER_S:g} s: not {what}") from None


def _port_to_return_to() -> int:
    """A free port that the system gives to nobody else while its server is away."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    while True:
        port = random.randrange(first // 2, first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def _herd(name: str, count: int, down_s: float) -> Figures:
    from axonlike import Scheduler

    port, tally = _port_to_return_to(), Tally()

    @contextlib.contextmanager
    def serving() -> Iterator[Any]:
        with child(python("benchmarks.connects_child", "serve", name, port, "plain")) as server:
            yield server
            server.kill()
            server.wait()

    def all_are_in() -> bool:
        return len(tally.answered) == count

    async with Scheduler() as scheduler:
        with serving() as server:
            await asyncio.to_thread(wait_listening, server, port)
            scheduler.activate(*(_caller(number, port, tally) for number in range(count)))
            await _until(all_are_in, "all clients have an answer")
        killed_s = time.perf_counter()
        tally.clear()
        await asyncio.sleep(down_s)
        with serving() as server:
            await asyncio.to_thread(wait_listening, server, port)
            listens_s = time.perf_counter()
            await _until(all_are_in, "all clients have an answer again")
            back_s = time.perf_counter()
            await asyncio.sleep(0.5)  # one that was let in and then closed would tell by now
            connected = tally.connected
    return {
        "count": len(tally.answered),
        "down_s": listens_s - killed_s,
        "back_s": back_s - listens_s,
        "refused": connected - count,
    }


def herd(name: str, count: int, down_s: float) -> Figures:
    """So many TCPClients in this process; their server is killed and, after `down_s`, started again on its port."""
    _allow_files()
    return asyncio.run(_herd(name, count, down_s))


LOADS: dict[str, Callable[[int, int, float], Figures]] = {
    "churn": lambda port, pid, count: churn(port, pid, int(count)),
    "crowd": lambda port, pid, count: crowd(port, pid, int(count)),
    "starve": starve,
}


def main(arguments: list[str]) -> int:
    """Serve until ended, or measure and print. Returns the exit code."""
    what, first, second, third = arguments
    if what == "serve":
        _serve(first, int(second), third)
    elif what == "herd":
        print(json.dumps(herd(first, int(second), float(third))))
    else:
        print(json.dumps(LOADS[what](int(first), int(second), float(third))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
