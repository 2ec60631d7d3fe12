"""What a server does with connections: thousands that come and leave, idle ones, too many, and all at once.

The servers are SimpleServer as its users write it and a bare asyncio server; both echo lines. Each runs in a process of
its own, the clients in another, which looks at the server from outside (/proc).
"""

import json
import resource
import statistics
from collections.abc import Callable

from benchmarks.children import call, child, free_ports, python, wait_listening
from benchmarks.connects_child import AT_ONCE, FILES
from benchmarks.harness import Options, Reach, Table, expect, installed, interleave

__all__ = ["load", "restart", "run"]

CLIENTS = 10_000
IDLE_CLIENTS = 5_000
HERD = 500
DOWN_S = (0.0, 5.0)
WINDOW_S = 3.0
SPARE_FILES = 200  # that a process opens besides its clients

AXONLIKE = "axonlike SimpleServer"
NAMES = {
    "axonlike": AXONLIKE,
    "axonlike-no-uvloop": f"{AXONLIKE} without uvloop",
    "asyncio": "asyncio streams (limit)",
    "uvloop": "the same on uvloop (limit)",
}
ASYNCIO_ONLY = ("axonlike", "asyncio")

Found = dict[str, dict[str, float]]


def contestants() -> tuple[str, ...]:
    """The servers that can run on this machine."""
    return tuple(NAMES) if installed("uvloop") else ASYNCIO_ONLY


def load(what: str, name: str, number: float, kind: str = "plain") -> dict[str, float]:
    """Start this server and put one load of `benchmarks.connects_child` on it."""
    (port,) = free_ports(1)
    with child(python("benchmarks.connects_child", "serve", name, port, kind)) as server:
        wait_listening(server, port)
        figures: dict[str, float] = json.loads(
            call(python("benchmarks.connects_child", what, port, server.pid, f"{number:g}"))
        )
    return figures


def restart(name: str, count: int, down_s: float) -> dict[str, float]:
    """So many TCPClients whose server is killed, and started again after `down_s`."""
    figures: dict[str, float] = json.loads(call(python("benchmarks.connects_child", "herd", name, count, down_s)))
    expect(int(figures["count"]), count, f"clients of {name} that are back")
    return figures


def _medians(one: Callable[[str], dict[str, float]], names: tuple[str, ...], rounds: int) -> Found:
    def measured(name: str) -> Callable[[], dict[str, float]]:
        return lambda: one(name)

    found = interleave({name: measured(name) for name in names}, rounds)
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}


def _own(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if NAMES[name].startswith(AXONLIKE))


def _at_most(table: Table, name: str, what: str, wanted: float, measured: float) -> None:
    table.reaches.append(Reach(f"{NAMES[name]}, {what}", wanted, measured, at_least=False))


def _churn(options: Options, rounds: int) -> Table:
    count, names = options.scaled(CLIENTS), contestants()
    found = _medians(lambda name: load("churn", name, count), names, rounds)
    table = Table(
        f"Connects: {count:,} that come, {AT_ONCE} at a time, and leave in four ways",
        ("seconds", "server CPU s", "refused", "descriptors left", "threads left", "MB grown"),
        notes=["a quarter each: close, reset, half-close, close within a line; grown: since before the first client"],
    )
    for name in names:
        got = found[name]
        expect(int(got["count"]), count, f"clients of {name}")
        memory_mb = got["memory_bytes"] / 1e6
        table.add(
            NAMES[name], got["seconds"], got["cpu_s"], got["refused"], got["descriptors"], got["threads"], memory_mb
        )
    for name in _own(names):
        got = found[name]
        _at_most(table, name, "seconds", 15 * count / CLIENTS, got["seconds"])
        _at_most(table, name, "refused", 0, got["refused"])
        _at_most(table, name, "descriptors left", 4, got["descriptors"])
        _at_most(table, name, "threads left", 2, got["threads"])
        _at_most(table, name, "MB grown", 20, got["memory_bytes"] / 1e6)
    return table


def _crowd(options: Options, rounds: int) -> Table:
    wanted, names = options.scaled(IDLE_CLIENTS), contestants()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = wanted if files == resource.RLIM_INFINITY else min(wanted, files - SPARE_FILES)
    found = _medians(lambda name: load("crowd", name, count, "crowd"), names, rounds)
    fewer = "" if count == wanted else f" (not {wanted:,}: the hard limit of open files is {files:,})"
    table = Table(
        f"Connects: {count:,} clients that are connected and say nothing{fewer}",
        ("all connected s", "a new one's answer s", "server CPU s", "KB each"),
    )
    for name in names:
        got = found[name]
        expect(int(got["count"]), count, f"clients in {name}")
        table.add(NAMES[name], got["connect_s"], got["first_answer_s"], got["cpu_s"], got["memory_bytes"] / 1e3 / count)
    for name in _own(names):
        got = found[name]
        _at_most(table, name, "a new one's answer, s", 2, got["first_answer_s"])
        _at_most(table, name, "KB each", 20, got["memory_bytes"] / 1e3 / count)
    return table


def _starve(options: Options, rounds: int) -> Table:
    # Not on bare uvloop: without a descriptor libuv closes whoever comes, so there is nobody who waits.
    names = ASYNCIO_ONLY if options.quick else (*_own(contestants()), "asyncio")
    window_s = 1.0 if options.quick else WINDOW_S
    found = _medians(lambda name: load("starve", name, window_s, "starved"), names, rounds)
    table = Table(
        f"Connects: {FILES} open files in the server, and more clients than that",
        ("served", "came later", "server CPU %", "accepts again s", "a new one's answer s"),
        notes=[
            "came later: one after another, each gives up after 0.1 s; one that is in gets all its answers meanwhile",
            "then those that are in leave: s until the first that waited has its answer, and one that comes then",
        ],
    )
    for name in names:
        got = found[name]
        table.add(NAMES[name], got["served"], got["count"], 100 * got["cpu"], got["again_s"], got["new_s"])
    for name in _own(names):
        got = found[name]
        _at_most(table, name, "CPU at the limit, %", 20, 100 * got["cpu"])
        _at_most(table, name, "accepts again, s", 2, got["again_s"])
        _at_most(table, name, "a new one's answer then, s", 2, got["new_s"])
    return table


def _herd(options: Options, rounds: int) -> Table:
    count = options.scaled(HERD)
    table = Table(
        f"Connects: {count} TCPClients whose server is killed and started again",
        ("was away s", "all back s", "connected and closed again"),
        notes=["back: since it listens again until the last client has an answer of it"],
    )
    for down_s in DOWN_S[:1] if options.quick else DOWN_S:
        when = f"after {down_s:g} s" if down_s else "at once"
        found = _medians(lambda name, down_s=down_s: restart(name, count, down_s), ASYNCIO_ONLY, rounds)  # type: ignore[misc]
        for name, got in found.items():
            table.add(f"{NAMES[name]}, {when}", got["down_s"], got["back_s"], got["refused"])
        _at_most(table, "axonlike", f"{when}: all back, s", 10, found["axonlike"]["back_s"])
        _at_most(table, "axonlike", f"{when}: refused", 0, found["axonlike"]["refused"])
    return table


def run(options: Options) -> list[Table]:
    """Clients that come and leave, idle ones, the limit of descriptors, a restart with all clients at once."""
    rounds = 1 if options.quick else 3
    # The last two take what timers take, most of it with idle processors: once is enough.
    return [_churn(options, rounds), _crowd(options, rounds), _starve(options, 1), _herd(options, 1)]
