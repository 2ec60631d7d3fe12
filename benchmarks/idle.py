"""What components cost that do nothing, and what it takes to wake one: from a thread, and by a timer."""

import json
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.children import call, python
from benchmarks.harness import Options, Reach, Table, expect, installed, interleave

__all__ = ["measure", "run"]

COMPONENTS = 100_000
WAKES = 800
WAKE_ROUNDS = 15
THREAD_MESSAGES = 500_000
TIMERS = 100_000
TIMER_ROUNDS = 7
IDLE_S = 2.0

Found = dict[str, dict[str, float]]


def measure(what: str, name: str, count: int, *arguments: object) -> dict[str, Any]:
    """One measurement of `benchmarks.idle_child` in a process of its own."""
    figures: dict[str, Any] = json.loads(call(python("benchmarks.idle_child", what, name, count, *arguments)))
    expect(figures["count"], count, f"{what} of {name}")
    return figures


def medians(
    what: str, names: tuple[str, ...], count: int, rounds: int, *arguments: object, least: tuple[str, ...] = ()
) -> Found:
    """Each contestant's figures, the median of interleaved rounds one by one.

    least: of these the least. The latest of many is that of the machine, where others share it: it stands still for
    some milliseconds in most rounds, and in none for less than nothing.
    """

    def one(name: str) -> Callable[[], dict[str, Any]]:
        return lambda: measure(what, name, count, *arguments)

    found = interleave({name: one(name) for name in names}, rounds)
    return {
        name: {
            key: min(run[key] for run in runs) if key in least else statistics.median(run[key] for run in runs)
            for key in runs[0]
        }
        for name, runs in found.items()
    }


def _components(options: Options) -> Table:
    count = options.scaled(COMPONENTS)
    found = medians("components", ("axonlike", "asyncio", "raw"), count, 1, 1.0 if options.quick else IDLE_S)
    table = Table(
        f"Idle: {count:,} components that wait",
        ("MB added", "bytes each", "create s", "start s", "us each", "CPU % idle", "wake-ups/s", "stop s"),
    )
    for name, got in found.items():
        table.add(
            {"asyncio": "asyncio tasks and queues", "raw": "generators and deques (limit)"}.get(name, name),
            got["memory_bytes"] / 1e6,
            got["memory_bytes"] / count,
            got["create_s"],
            got["start_s"],
            1e6 * (got["create_s"] + got["start_s"]) / count,
            100 * got["cpu_s"] / got["idle_s"],
            got["switches"] / got["idle_s"],
            got["stop_s"],
        )
    own = found["axonlike"]
    share = count / COMPONENTS
    table.reaches += [
        Reach("MB added", 150 * share, own["memory_bytes"] / 1e6, at_least=False),
        Reach("CPU while idle, %", 0.1, 100 * own["cpu_s"] / own["idle_s"], at_least=False),
        Reach("wake-ups a second while idle", 2, own["switches"] / own["idle_s"], at_least=False),
        Reach("create and start, s", 3 * share, own["create_s"] + own["start_s"], at_least=False),
        Reach("stop, s", 3 * share, own["stop_s"], at_least=False),
    ]
    return table


# On uvloop, which the extra "fast" brings, and on asyncio's own loop; each beside a bare wake of the same loop.
PAIRS = (
    (("axonlike", "uvloop"), ("axonlike-no-uvloop", "asyncio")) if installed("uvloop") else (("axonlike", "asyncio"),)
)


def _threads(options: Options) -> Table:
    rounds = 1 if options.quick else 5
    contestants = tuple(name for pair in PAIRS for name in pair)
    wakes = medians(
        "wake", contestants, options.scaled(WAKES), 1 if options.quick else WAKE_ROUNDS, least=("p99_us",)
    )
    rates = medians("thread", ("axonlike", "asyncio", "raw"), options.scaled(THREAD_MESSAGES), rounds)
    table = Table("Thread -> component", ("wake p50 us", "wake p99 us", "million messages/s"))
    labels = {
        "axonlike-no-uvloop": "axonlike without uvloop",
        "uvloop": "bare call_soon_threadsafe, uvloop",
        "asyncio": "bare call_soon_threadsafe",
        "raw": "deque, a wake if it was empty (limit)",
    }
    for name in dict.fromkeys((*wakes, *rates)):
        wake, rate = wakes.get(name, {}), rates.get(name)
        million = None if rate is None else rate["count"] / rate["seconds"] / 1e6
        table.add(labels.get(name, name), wake.get("p50_us"), wake.get("p99_us"), million)
    for own, bare in PAIRS:
        for part in ("p50", "p99"):
            share = wakes[own][f"{part}_us"] / wakes[bare][f"{part}_us"]
            what = f"{labels.get(own, own)} / {labels[bare]}, {part}"
            table.reaches.append(Reach(what, 1.3, share, at_least=False))
    table.notes.append("p99: of the round that the machine disturbed least")
    own_rate = rates["axonlike"]["count"] / rates["axonlike"]["seconds"] / 1e6
    table.reaches.append(Reach("million messages a second from one thread", 1, own_rate))
    return table


def _timers(options: Options) -> Table:
    count = options.scaled(TIMERS)
    rounds = 1 if options.quick else TIMER_ROUNDS
    found = medians("timers", ("axonlike", "asyncio", "raw"), count, rounds, least=("p99_ms", "max_ms"))
    columns = ("arm us", "late p50 ms", "late p99 ms", "late max ms", "early max ms")
    table = Table(f"Timers: {count:,}, due over one second", columns)
    for name, got in found.items():
        label = {"asyncio": "asyncio call_at", "raw": "a heap and time.sleep (limit)"}.get(name, name)
        table.add(label, got["arm_us"], got["p50_ms"], got["p99_ms"], got["max_ms"], got["early_ms"])
    table.notes.append("late p99 and max: of the round that the machine disturbed least")
    own = found["axonlike"]
    table.reaches += [
        Reach("arm a timer, us", 2, own["arm_us"], at_least=False),
        Reach("latest timer, ms late", 2, own["max_ms"], at_least=False),
        Reach("earliest timer, ms early", 0.01, own["early_ms"], at_least=False),
    ]
    return table


def run(options: Options) -> list[Table]:
    """Idle components, wake-ups from a thread, timers."""
    return [_components(options), _threads(options), _timers(options)]
