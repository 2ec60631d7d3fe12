"""Many clients, coming and going in every way, and a system that has no descriptors left for them."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from axonlike import Scheduler
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import Echo, SimpleServer, TCPClient
from axonlike.restarts import Backoff
from tests.components.net.peers import RESET, Peer, connected, resident_bytes, run_on, until

Net = Callable[..., None]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def churn(s: Scheduler, rounds: int, at_once: int) -> None:
    """Connections that close, reset, half-close, and leave in the middle of a line."""
    server = SimpleServer(Echo, 0, announce=False)
    plane = Backplane("Events")
    subscribers = SimpleServer(lambda: SubscribeTo("Events"), 0, announce=False)
    s.activate(server, plane, subscribers)

    async def one(number: int) -> None:
        kind = number % 5
        # Blocking: on this machine's own address the system accepts at once, before the server does.
        with socket.create_connection(("127.0.0.1", subscribers.port if kind == 4 else server.port)) as sock:
            sock.setblocking(False)
            peer = Peer(sock)
            if kind == 0:
                await peer.send(f"{number}\n")
                assert await peer.line() == str(number)
            elif kind == 1:
                await peer.send(f"{number}\n")
                peer.reset()
            elif kind == 2:
                await peer.send(f"{number}")
                peer.end()
                assert await peer.rest() == f"{number}\n".encode()
            else:
                if kind == 3:
                    await peer.send("partial")
                for _ in range(2):  # turns of the loop, in which it is accepted
                    await asyncio.sleep(0)

    async def settled(count: int) -> None:
        # So many have been let in first: before that none is open either.
        await until(
            lambda: sum(each.connection_statistics().connections_accepted for each in (server, subscribers)) >= count
        )
        await until(lambda: server.connection_statistics().open + subscribers.connection_statistics().open == 0)
        await until(lambda: not server.children and not subscribers.children)

    for first in range(0, rounds, at_once):
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + at_once):
                group.create_task(one(number))
        if first == 0:
            await settled(at_once)
            gc.collect()
            before = open_descriptors(), threading.active_count(), len(s.parts)
    await settled(rounds)
    assert (open_descriptors(), threading.active_count(), len(s.parts)) == before
    both = server.connection_statistics(), subscribers.connection_statistics()
    assert sum(each.connections_accepted for each in both) == rounds
    assert sum(each.refused + each.failed for each in both) == 0
    assert not plane.subscribers


def test_clients_that_come_and_go_leave_nothing(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    """Row 53."""
    net(lambda s: churn(s, 300, 50))
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.hang_guard(300)
def test_ten_thousand_clients_come_and_go_and_leave_nothing() -> None:
    """Row 53."""
    before = resident_bytes()
    run_on("asyncio", lambda s: churn(s, 10_000, 100), guard_s=150)
    gc.collect()
    assert resident_bytes() - before < 20 << 20


async def crowd(s: Scheduler, count: int) -> None:
    server = SimpleServer(Echo, 0, announce=False, max_connections=None)
    s.activate(server)
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(connected(server.port))
        await until(lambda: server.connection_statistics().open == count)
        async with connected(server.port) as peer:
            await peer.send("new\n")
            assert await peer.line() == "new"
    await until(lambda: not server.children)


def test_a_new_client_is_served_beside_many_idle_ones(net: Net) -> None:
    """Row 54."""
    net(lambda s: crowd(s, 300))


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """So many may be open in this process; skips where the system forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"the limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


IDLE_SERVER = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
from axonlike.components.net import SimpleServer, Echo
SimpleServer(Echo, 0, max_connections=None).run()
"""


@contextmanager
def server_process(script: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server in a process of its own, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(" (")[0].rpartition(":")[2])
        yield process, port
    finally:
        process.kill()
        process.communicate()


def resident_bytes_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def cpu_s_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_five_thousand_idle_clients_take_at_most_20_kilobytes_each() -> None:
    """Row 54."""
    count = 5000
    sockets: list[socket.socket] = []
    try:
        with descriptors(count + 200), server_process(IDLE_SERVER) as (process, port):
            with socket.create_connection(("127.0.0.1", port)) as first:
                first.sendall(b"warm\n")
                assert first.recv(100) == b"warm\n"
            before = resident_bytes_of(process.pid)
            sockets.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(count))
            with socket.create_connection(("127.0.0.1", port), timeout=20) as new:
                new.sendall(b"new\n")
                assert new.recv(100) == b"new\n"
            for sock in sockets[::500]:
                sock.sendall(b"hi\n")
                assert sock.recv(100) == b"hi\n"
            assert (resident_bytes_of(process.pid) - before) / count <= 20_000
    finally:
        for sock in sockets:
            sock.close()


LIMITED_SERVER = """
import resource, logging
logging.basicConfig(level="WARNING")
{loop}
from axonlike.components.net import SimpleServer, Echo
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
SimpleServer(Echo, 0).run()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("loop", ["", "import sys; sys.modules['uvloop'] = None"], ids=["default", "asyncio"])
def test_without_descriptors_it_rests_serves_who_is_there_and_recovers(loop: str) -> None:
    """Row 55."""
    sockets: list[socket.socket] = []
    try:
        with server_process(LIMITED_SERVER.format(loop=loop)) as (process, port):
            sockets.extend(socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(100))
            sockets[0].sendall(b"still served\n")
            assert sockets[0].recv(100) == b"still served\n"
            began_cpu_s, began_s = cpu_s_of(process.pid), time.monotonic()
            late = sockets[-1]
            late.sendall(b"late\n")
            late.settimeout(1.0)
            with pytest.raises(TimeoutError):
                late.recv(100)  # it waits in the system's queue
            # Without a rest the selector reports the listening socket again and again: all of a processor.
            assert cpu_s_of(process.pid) - began_cpu_s < 0.2 * (time.monotonic() - began_s)
            for sock in sockets[:60]:
                sock.close()
            late.settimeout(20)
            assert late.recv(100) == b"late\n"
            assert process.stderr is not None
            errors = ""
            while "accepts connections again" not in errors:
                errors += process.stderr.readline()
            process.terminate()
            errors += process.communicate()[1]
        assert errors.count("cannot accept connections") == 1
        assert errors.count("accepts connections again") == 1
        assert "Traceback" not in errors
    finally:
        for sock in sockets:
            sock.close()


class Failing:
    """A listening socket that accepts nobody, each time for the next reason; then there is nobody."""

    def __init__(self, *reasons: int) -> None:
        self.reasons = list(reasons)

    def accept(self) -> Any:
        if not self.reasons:
            raise BlockingIOError
        number = self.reasons.pop(0)
        raise OSError(number, os.strerror(number))


class FailingAtFirst:
    """A listening socket whose first calls of accept fail."""

    def __init__(self, sock: socket.socket, reasons: list[int]) -> None:
        self.sock, self.reasons = sock, reasons

    def accept(self) -> Any:
        if not self.reasons:
            return self.sock.accept()
        number = self.reasons.pop()
        raise OSError(number, os.strerror(number))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_each_lack_of_resources_pauses_accepting_with_growing_rests(
    net: Net, reason: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 55 and 56."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        began_s = s.time()
        server._pause_accepting()
        failing = server._sockets[0] = FailingAtFirst(server._sockets[0], [reason] * 3)  # type: ignore[call-overload]
        server._accept_again()
        async with connected(server.port) as peer:
            await peer.send("back\n")
            assert await peer.line() == "back"
        assert s.time() - began_s > 0.2  # three rests, each longer than the last
        assert not failing.reasons

    net(main)
    assert sum("cannot accept" in record.getMessage() for record in caplog.records) == 1
    assert sum("accepts connections again" in record.getMessage() for record in caplog.records) == 1


def test_row_55_whoever_leaves_makes_room_at_once_for_one_who_waits(net: Net) -> None:
    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        async with connected(server.port) as leaves:
            await until(lambda: server.connection_statistics().open == 1)
            server._backoff = Backoff(3600, 3600, jitter=0.0)
            server._pause_accepting()
            server._sockets[0] = FailingAtFirst(server._sockets[0], [errno.EMFILE])  # type: ignore[call-overload]
            server._accept_again()
            async with connected(server.port) as waits:
                await until(lambda: server._starved)
                leaves.end()
                await waits.send("in\n")
                assert await waits.line() == "in"
                assert not server._starved

    net(main)


@pytest.mark.parametrize("reason", [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EPERM])
def test_a_connection_that_failed_before_it_was_accepted_is_passed_over(net: Net, reason: int) -> None:
    """Row 56."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        server._accept(Failing(*[reason] * 10))  # type: ignore[arg-type]
        async with connected(server.port) as peer:
            await peer.send("fine\n")
            assert await peer.line() == "fine"

    net(main)


def test_nobody_slips_in_while_the_server_stops(net: Net) -> None:
    """Row 72."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server, SimpleServer(Echo, 0, announce=False))
        async with AsyncExitStack() as stack:
            for _ in range(200):
                await stack.enter_async_context(connected(server.port))
            await until(lambda: server.connection_statistics().open == 200)
            for _ in range(200):  # without a turn of the loop in between: they wait to be accepted
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            server.stop()
            await until(lambda: server.ended)
            assert server.connection_statistics().open == 0

    net(main)


def test_connections_that_are_reset_before_they_are_accepted_leave_nothing(net: Net) -> None:
    """Row 62, for a reset at once."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        for _ in range(100):  # all of them before the loop gets a turn
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        async with connected(server.port) as peer:
            await peer.send("fine\n")
            assert await peer.line() == "fine"
        await until(lambda: not server.children)

    net(main)


@pytest.mark.slow
@pytest.mark.hang_guard(300)
def test_five_hundred_clients_are_back_after_a_restart_of_their_server() -> None:
    """Row 67."""

    async def main(s: Scheduler) -> None:
        server = SimpleServer(Echo, 0, announce=False)
        s.activate(server)
        clients = [TCPClient("127.0.0.1", server.port) for _ in range(500)]
        s.activate(*clients)
        await until(lambda: all(client.connected for client in clients))
        server.stop()
        await until(lambda: server.ended and not any(client.connected for client in clients))
        again = SimpleServer(Echo, server.port, announce=False)
        s.activate(again)
        await until(lambda: all(client.connected for client in clients))
        assert again.connection_statistics().refused == 0

    with descriptors(2000):
        run_on("asyncio", main, guard_s=120)
