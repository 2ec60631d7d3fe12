"""Cables that are cut, links that flap, networks that lose: two hosts in network namespaces of their own.

Rows 56, 63, 64, 65 and 69 of the fault catalogue. They need root, `ip` and `tc` (row 56: `strace`), and real time: a
peer that is gone without a word is noticed after as long as the defaults say. So what takes long runs side by side,
each between two hosts of its own. Each test says by itself why it skips.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.net, pytest.mark.hang_guard(240)]

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
NOWHERE = "02:00:00:00:00:99"  # a hardware address that nobody on the cable has


class Host:
    """A network namespace with one end of a cable."""

    def __init__(self, name: str, device: str, other: str) -> None:
        self.name, self.device, self.other = name, device, other

    def ip(self, *arguments: str) -> None:
        run("ip", "-n", self.name, *arguments)

    def cut_cable(self) -> None:
        """What is sent to the other host vanishes; nobody is told."""
        self.ip("neigh", "replace", self.other, "lladdr", NOWHERE, "dev", self.device, "nud", "permanent")

    def mend_cable(self) -> None:
        self.ip("neigh", "del", self.other, "dev", self.device)

    @contextmanager
    def python(self, script: str) -> Iterator[Program]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-u", "-c", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            yield Program(process)
        finally:
            process.kill()
            process.communicate()


class Program:
    """A running script and what it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[str] = []

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Read lines up to the first that is wanted."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line.rstrip("\n"))
            if wanted(self.seen[-1]):
                return self.seen[-1]
        raise AssertionError("it ended; it had printed:\n" + "\n".join(self.seen[-40:]))

    def until_line(self, start: str) -> str:
        return self.until(lambda line: line.startswith(start))


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def lay_cable(one: Host, two: Host) -> None:
    one.ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable0", "netns", two.name)
    for host, address in ((one, SERVER), (two, CLIENT)):
        host.ip("addr", "add", f"{address}/24", "dev", "cable0")
        host.ip("link", "set", "cable0", "up")
        host.ip("link", "set", "lo", "up")


@contextmanager
def two_hosts(tag: str) -> Iterator[tuple[Host, Host]]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    if shutil.which("ip") is None:
        pytest.skip("needs `ip` (iproute2)")
    tag = f"axl{os.getpid()}{tag}"
    one, two = Host(f"{tag}a", "cable0", CLIENT), Host(f"{tag}b", "cable0", SERVER)
    with ExitStack() as stack:
        try:
            for host in (one, two):
                run("ip", "netns", "add", host.name)
                stack.callback(run, "ip", "netns", "del", host.name)
            lay_cable(one, two)
        except subprocess.CalledProcessError as exc:
            pytest.skip(f"this system makes no network namespaces: {exc.stderr.strip()}")
        yield one, two


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts("") as made:
        yield made


Scenario = Callable[[Host, Host], None]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Future[None]]:
    """Of each slow scenario, all of which have run at once."""
    with ExitStack() as stack:
        pairs = {name: stack.enter_context(two_hosts(str(number))) for number, name in enumerate(SLOW)}
        with ThreadPoolExecutor(len(SLOW)) as pool:
            return {name: pool.submit(SLOW[name], *pairs[name]) for name in SLOW}


QUIET_SERVER = """
from axonlike import Component, Pipeline
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer

class Watch(Component):
    def main(self):
        was = None
        while True:
            open_now = server.connection_statistics().open
            if open_now != was:
                was = open_now
                print("open", was, flush=True)
            if TALKS:
                self.send("x" * 100)
            yield self.sleep(0.1)

Backplane("E").activate()
server = SimpleServer(lambda: SubscribeTo("E"), 1600, "10.77.0.1")
server.activate()
Pipeline(Watch(), PublishTo("E")).run()
"""

LISTENER = """
import socket, time
sock = socket.create_connection(("10.77.0.1", 1600))
print("up", flush=True)
while sock.recv(65536):
    pass
time.sleep(1000)
"""


def a_client_whose_cable_was_cut_is_noticed(one: Host, two: Host, talks: bool, within_s: float) -> None:
    """Row 63."""
    with one.python(QUIET_SERVER.replace("TALKS", str(talks))) as server:
        server.until_line("open 0")
        with two.python(LISTENER) as client:
            client.until_line("up")
            server.until_line("open 1")
            for host in one, two:
                host.cut_cable()
            began_s = time.monotonic()
            server.until_line("open 0")
            assert time.monotonic() - began_s < within_s


COUNTING_SERVER = """
from axonlike import Pipeline, step
from axonlike.components.net import SingleServer
Pipeline(SingleServer(1600, "10.77.0.1"), step(lambda line: print("got", line, flush=True))).run()
"""


@contextmanager
def counting(host: Host) -> Iterator[Program]:
    with host.python(COUNTING_SERVER) as server:
        server.until_line("SingleServer listens")
        yield server


NUMBERING_CLIENT = """
from axonlike import Component, Graphline, step
from axonlike.components.net import TCPClient

class Numbers(Component):
    def main(self):
        number = 0
        while True:
            self.send(str(number))
            number += 1
            yield self.sleep(0.1)

Graphline(
    numbers=Numbers(), client=TCPClient("10.77.0.1", 1600, longest_retry_s=1.0),
    status=step(lambda event: print(event, flush=True)),
    links="numbers -> client; client.status -> status",
).run()
"""


def a_client_comes_back_after_the_link_was_down_and_tells_what_may_be_lost(one: Host, two: Host) -> None:
    """Row 64, SEMANTICS 29."""
    with counting(one) as server, two.python(NUMBERING_CLIENT) as client:
        client.until_line("Connected")
        server.until_line("got 10")
        for host in one, two:
            host.cut_cable()
        client.until_line("Disconnected")
        gap = client.until_line("Gap")
        for host in one, two:
            host.mend_cable()
        client.until_line("Connected")
        last = int(server.seen[-1].removeprefix("got "))
        first_after = int(
            server.until(lambda line: int(line.removeprefix("got ") or 0) > last + 1).removeprefix("got ")
        )
        lost_bytes = sum(len(f"{number}\n") for number in range(last + 1, first_after))
        assert lost_bytes <= int(gap.split("unconfirmed_bytes=")[1].split(",")[0])


def a_short_break_loses_nothing_and_disconnects_nobody(one: Host, two: Host) -> None:
    """Row 64."""
    with counting(one) as server, two.python(NUMBERING_CLIENT) as client:
        client.until_line("Connected")
        server.until_line("got 10")
        for host in one, two:
            host.cut_cable()
        time.sleep(3)
        for host in one, two:
            host.mend_cable()
        server.until_line("got 100")
        assert [line for line in server.seen if line.startswith("got")] == [f"got {i}" for i in range(101)]
        assert [line for line in client.seen if line.startswith(("Connected", "Disconnected", "Gap"))] == [
            "Connected(peer='10.77.0.1:1600')"
        ]


def test_a_producer_takes_over_at_once_from_its_predecessor_that_died_with_its_host(hosts: tuple[Host, Host]) -> None:
    """SEMANTICS 18: the same address, and no goodbye from the one that had it."""
    one, two = hosts
    with counting(one) as server:
        with two.python(NUMBERING_CLIENT) as client:
            client.until_line("Connected")
            server.until_line("got 10")
            two.cut_cable()  # a host that loses its power does not say goodbye
        one.ip("link", "del", "cable0")
        run("ip", "netns", "del", two.name)
        run("ip", "netns", "add", two.name)
        lay_cable(one, two)
        began_s = time.monotonic()
        with two.python(NUMBERING_CLIENT) as client:
            client.until_line("Connected")
            server.until_line("got 0")
            server.until_line("got 5")
        assert time.monotonic() - began_s < 10


LOSSY = ("netem", "delay", "200ms", "loss", "10%", "rate", "1mbit")
THIN = ("tbf", "rate", "1mbit", "burst", "32kbit", "latency", "400ms")


def a_bad_network_is_slow_and_nothing_worse(one: Host, two: Host, fault: tuple[str, ...]) -> None:
    """Row 65."""
    if shutil.which("tc") is None:
        pytest.skip("needs `tc` (iproute2)")
    for host in one, two:
        try:
            run("tc", "-n", host.name, "qdisc", "add", "dev", "cable0", "root", *fault)
        except subprocess.CalledProcessError as exc:
            pytest.skip(f"this kernel has no {fault[0]}: {exc.stderr.strip()}")
    with counting(one) as server, two.python(NUMBERING_CLIENT) as client:
        client.until_line("Connected")
        server.until_line("got 200")
        assert [line for line in server.seen if line.startswith("got")] == [f"got {i}" for i in range(201)]
        assert sum(line.startswith("Disconnected") for line in client.seen) == 0


SLOW: dict[str, Scenario] = {
    "a client whose cable was cut is noticed, idle": partial(
        a_client_whose_cable_was_cut_is_noticed, talks=False, within_s=40
    ),
    "a client whose cable was cut is noticed, with data under way": partial(
        a_client_whose_cable_was_cut_is_noticed, talks=True, within_s=20
    ),
    "a client comes back after the link was down": (
        a_client_comes_back_after_the_link_was_down_and_tells_what_may_be_lost
    ),
    "a short break loses nothing": a_short_break_loses_nothing_and_disconnects_nobody,
    "a network with loss and delay is slow": partial(a_bad_network_is_slow_and_nothing_worse, fault=LOSSY),
    "a network of 1 Mbit/s is slow": partial(a_bad_network_is_slow_and_nothing_worse, fault=THIN),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_takes_long(name: str, outcomes: dict[str, Future[None]]) -> None:
    outcomes[name].result()


HANGING_CLIENT = """
from axonlike import Component, Graphline, step
from axonlike.components.net import TCPClient

class Ticks(Component):
    def main(self):
        for number in range(1000):
            print("tick", number, flush=True)
            yield self.sleep(0.1)

Ticks().activate()
Graphline(
    client=TCPClient("10.77.0.1", 1600, connect_timeout_s=2.0),
    status=step(lambda event: print(event, flush=True)),
    links="client.status -> status",
).run()
"""


def test_connecting_to_a_host_that_is_not_there_is_given_up_and_holds_nobody_up(hosts: tuple[Host, Host]) -> None:
    """Row 69."""
    _, two = hosts
    two.cut_cable()
    with two.python(HANGING_CLIENT) as client:
        client.until_line("tick 0")
        assert client.until_line("Disconnected") == "Disconnected(reason='no answer within 2 s')"
        assert sum(line.startswith("tick") for line in client.seen) > 10


ECHO_SERVER = """
from axonlike.components.net import Echo, SimpleServer
SimpleServer(Echo, 0).run()
"""


@pytest.mark.parametrize("error", ["ECONNABORTED", "EMFILE", "ENOBUFS", "EPROTO"])
def test_a_server_survives_each_way_in_which_accept_fails(error: str) -> None:
    """Row 56."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    command = [
        strace,
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=accept4",
        "-e",
        f"inject=accept4:error={error}:when=3+4",
    ]
    process = subprocess.Popen(
        [*command, sys.executable, "-u", "-c", ECHO_SERVER],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            pytest.skip(f"strace may not trace here: {process.communicate()[1].strip()[-200:]}")
        port = int(first.split(" (")[0].rpartition(":")[2])
        for number in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                sock.sendall(b"%d\n" % number)
                assert sock.recv(100) == b"%d\n" % number
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # strace alone would leave the server running
        process.communicate()
