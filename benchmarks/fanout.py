"""64-byte lines from one producer to many TCP clients on loopback: every client gets every line.

The server runs in a process of its own, as its users write it; one other process is the producer and all clients
(`loadgen.c`, compiled into a temporary directory, or `loadgen.py` where there is no compiler).

Throughput: the producer keeps a window of lines under way, so that a slower server is not drowned but slows the
producer down. Latency: 100 lines a second; from before the producer's send to after the client's read. With one
stalled client: it subscribes and never reads; before latency is measured its socket is filled.

A p99 is that of the one or two worst lines in a hundred, and a busy machine makes such lines for everybody. So latency
is taken in several short windows, the servers in turn, and what is compared is the median of the ratios window by
window; so is the loss by a stalled client.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from benchmarks.children import call, child, free_ports, peak_memory_bytes, python, wait_listening
from benchmarks.harness import CountError, Options, Reach, Table, expect, installed, interleave

__all__ = ["Contestant", "Delivery", "Load", "contestants", "load_generator", "measure", "run"]

CLIENTS = (10, 100, 1000)
LATENCY_CLIENTS = 100
LINES_PER_SECOND = 100
LATENCIES = ("latency", "latency, stalled")
STALLED_FILL_LINES = 65_536  # 4 MiB: more than loopback's buffers take, less than the 8 MiB at which a client is cut
WINDOW_BYTES = 64 << 20  # under way to all clients together, of the 256 MiB that a server may hold for them
WINDOW_LINES = 10_000
LINE_BYTES = 64

NO_UVLOOP = "axonlike without uvloop"
AXONLIKE, REDIS = "axonlike SimpleServer + Backplane", "redis-server"


@dataclass(frozen=True)
class Contestant:
    """A server: the command for a publish and a subscribe port, and how it is spoken to."""

    command: Callable[[int, int], list[str]]
    resp: bool = False
    joins: bool = True
    """False: a system call per line whatever waits, so that a long queue in front of it only takes time."""


@dataclass(frozen=True)
class Load:
    """One load as loadgen takes it."""

    clients: int
    stalled: int = 0
    fill_lines: int = 0
    fill_s: float = 0.0
    lines_per_second: float = 0.0
    rate_s: float = 0.0

    def window_lines(self, joins: bool) -> int:
        """Lines that may be under way to every client."""
        window = max(4, min(WINDOW_LINES, WINDOW_BYTES // LINE_BYTES // self.clients))
        return window if joins else max(4, window // 16)


@dataclass(frozen=True)
class Delivery:
    """What one load found."""

    deliveries: int
    deliveries_per_second: float
    p50_us: float
    p99_us: float
    memory_bytes: int


def _python_server(name: str) -> Callable[[int, int], list[str]]:
    return lambda publish, subscribe: python("benchmarks.fanout_servers", name, publish, subscribe)


def _redis_command(publish: int, subscribe: int) -> list[str]:
    command = ["redis-server", "--port", str(subscribe), "--bind", "127.0.0.1", "--maxclients", "4000"]
    return [*command, "--save", "", "--appendonly", "no"]


def contestants() -> dict[str, Contestant]:
    """The servers that can run on this machine."""
    found = {AXONLIKE: Contestant(_python_server("axonlike"))}
    if installed("uvloop"):
        found[NO_UVLOOP] = Contestant(_python_server("axonlike-no-uvloop"))
    if shutil.which("redis-server"):
        found[REDIS] = Contestant(_redis_command, resp=True)
    found["asyncio protocols, a write per line"] = Contestant(_python_server("asyncio-line"), joins=False)
    found["asyncio protocols, lines joined (limit)"] = Contestant(_python_server("asyncio-joined"))
    if installed("uvloop"):
        found["the same on uvloop (limit)"] = Contestant(_python_server("uvloop-joined"))
    return found


@contextmanager
def load_generator() -> Iterator[tuple[list[str], str]]:
    """The command that makes load, and what it is written in."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield python("benchmarks.loadgen"), "Python (no C compiler here: above its own speed servers look alike)"
        return
    with tempfile.TemporaryDirectory(prefix="axonlike-bench-") as folder:
        binary = Path(folder) / "loadgen"
        source = Path(__file__).with_name("loadgen.c")
        subprocess.run([compiler, "-O2", "-o", str(binary), str(source)], check=True, stdin=subprocess.DEVNULL)
        yield [str(binary)], "C"


def measure(contestant: Contestant, load: Load, generator: list[str]) -> Delivery:
    """Start the server, put the load on it, end it. Every line must reach every client."""
    publish, subscribe = free_ports(2)
    if contestant.resp:
        publish = subscribe
    window = load.window_lines(contestant.joins)
    arguments = [subscribe, publish, load.clients, load.stalled, "resp" if contestant.resp else "line", window]
    arguments_text = [*map(str, arguments), str(load.fill_lines), f"{load.fill_s:g}"]
    with child(contestant.command(publish, subscribe)) as server:
        wait_listening(server, subscribe)
        printed = call([*generator, *arguments_text, f"{load.lines_per_second:g}", f"{load.rate_s:g}"])
        memory_bytes = peak_memory_bytes(server.pid)
    found = json.loads(printed)
    expect(found["deliveries"], found["lines"] * load.clients, "lines delivered to all clients")
    if load.lines_per_second:
        wanted = int(load.lines_per_second * load.rate_s) * load.clients
        expect(found["deliveries"] - found["filled"], wanted, "lines sent at a steady rate")
        if found["samples"] < 0.9 * wanted:  # a line that was cut over two reads has no time
            raise CountError(f"{wanted} lines were to be timed, {found['samples']} were")
    rate = found["filled"] / found["fill_s"] if found["fill_s"] else 0.0
    return Delivery(found["deliveries"], rate, found["p50_us"], found["p99_us"], memory_bytes)


def run(options: Options) -> list[Table]:
    """Throughput and memory by number of clients, then latency; each with one stalled client too."""
    sizes = CLIENTS[:2] if options.quick else CLIENTS
    rounds, windows = (1, 1) if options.quick else (3, 7)
    fill_s, rate_s = (0.25, 0.5) if options.quick else (0.75, 1.0)
    servers = contestants()
    if options.quick:
        servers.pop(NO_UVLOOP, None)
    with_stalled = [name for name in (AXONLIKE, REDIS) if name in servers]
    loads: dict[Key, Load] = {(name, str(size)): Load(size, fill_s=fill_s) for size, name in product(sizes, servers)}
    stalled: dict[Key, Load] = {}
    steady = Load(LATENCY_CLIENTS, lines_per_second=LINES_PER_SECOND, rate_s=rate_s)
    latencies: dict[Key, Load] = {}
    for name in with_stalled:
        # With and without a stalled client one after the other, so that the machine's drift is the same for both.
        stalled[name, "none stalled"] = Load(LATENCY_CLIENTS, fill_s=fill_s)
        stalled[name, "stalled"] = Load(LATENCY_CLIENTS, stalled=1, fill_s=fill_s)
    for name in with_stalled if options.quick else servers:
        latencies[name, "latency"] = steady
        if name in with_stalled:
            latencies[name, "latency, stalled"] = replace(steady, stalled=1, fill_lines=STALLED_FILL_LINES)

    found: dict[Key, list[Delivery]] = {}
    with load_generator() as (generator, language):

        def one(name: str, load: Load) -> Callable[[], Delivery]:
            return lambda: measure(servers[name], load, generator)

        for some, times in ((loads, rounds), (stalled, windows), (latencies, windows)):
            found |= interleave({key: one(key[0], load) for key, load in some.items()}, times)

    columns = [str(size) for size in sizes]
    rate = Table(
        "Fan-out: million deliveries a second of 64-byte lines, by number of clients",
        (*columns, "100 + 1 stalled", f"MB at {sizes[-1]}"),
        notes=[f"load generator: {language}; memory is the server's peak"],
    )
    latency = Table(
        f"Fan-out: latency at {LINES_PER_SECOND} lines a second to {LATENCY_CLIENTS} clients, us",
        ("p50", "p99", "p50, 1 stalled", "p99, 1 stalled"),
        notes=[f"medians of {windows} windows of {rate_s:g} s; ratios are medians of the windows' ratios"],
    )
    for name in servers:
        rates = [_median(found, (name, column), "deliveries_per_second") for column in (*columns, "stalled")]
        memory_bytes = _median(found, (name, columns[-1]), "memory_bytes")
        rate.add(name, *(value and value / 1e6 for value in rates), memory_bytes and memory_bytes / 1e6)
        percentiles = [_median(found, (name, column), part) for column in LATENCIES for part in ("p50_us", "p99_us")]
        latency.add(name, *percentiles)
    if REDIS not in servers:
        rate.notes.append("redis-server is not installed")
    _add_reaches(rate, latency, columns, found)
    return [rate, latency]


Key = tuple[str, str]
"""A server, and a column."""


def _median(found: dict[Key, list[Delivery]], key: Key, attribute: str) -> float | None:
    runs = found.get(key)
    return statistics.median(getattr(run, attribute) for run in runs) if runs else None


def _median_ratio(found: dict[Key, list[Delivery]], key: Key, to: Key, attribute: str) -> float | None:
    """The median of the ratios of runs that followed each other; None where one of them was not measured."""
    pairs = list(zip(found.get(key, ()), found.get(to, ())))
    return statistics.median(getattr(a, attribute) / getattr(b, attribute) for a, b in pairs) if pairs else None


def _add_reaches(rate: Table, latency: Table, columns: list[str], found: dict[Key, list[Delivery]]) -> None:
    def add(table: Table, what: str, wanted: float, measured: float | None, at_least: bool = True) -> None:
        if measured is not None:
            table.reaches.append(Reach(what, wanted, measured, at_least))

    speed = "deliveries_per_second"
    for own in (AXONLIKE, NO_UVLOOP):
        for column in columns:
            share = _median_ratio(found, (own, column), (REDIS, column), speed)
            add(rate, f"{own} / redis-server, {column} clients", 1, share)
    share = _median_ratio(found, (AXONLIKE, "stalled"), (AXONLIKE, "none stalled"), speed)
    add(rate, "axonlike with one stalled client / without", 0.9, share)
    if columns[-1] == "1000":
        memory_bytes = _median(found, (AXONLIKE, "1000"), "memory_bytes")
        add(rate, "axonlike, MB at 1000 clients", 60, memory_bytes and memory_bytes / 1e6, at_least=False)
    for own in (AXONLIKE, NO_UVLOOP):
        slower = _median_ratio(found, (own, "latency"), (REDIS, "latency"), "p99_us")
        add(latency, f"{own} / redis-server, p99", 1.2, slower, at_least=False)
    slower = _median_ratio(found, (AXONLIKE, "latency, stalled"), (AXONLIKE, "latency"), "p99_us")
    add(latency, "axonlike with one stalled client / without, p99", 1.1, slower, at_least=False)
