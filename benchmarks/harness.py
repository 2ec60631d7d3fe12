"""How every benchmark here is run, so that its figures can be compared with the row beside it and with nothing else.

Machines drift by a factor of two within minutes. So the contestants of a section run in turn (A B C A B C ...), a
figure is the median of its rounds, and what counts is the ratio to the peer and to the limit of the same run.
A benchmark returns what it counted, and fails if that is not what it was to count: it cannot get fast by doing less.

The garbage collector stays on, as in a user's program; before each run what is alive is collected and then frozen, so
that no run pays for the garbage or the objects of the one before.
"""

import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar

__all__ = [
    "CountError",
    "Options",
    "Reach",
    "Run",
    "Table",
    "Workload",
    "expect",
    "hide_uvloop",
    "installed",
    "interleave",
    "machine",
    "measure_rates",
    "percentile",
    "ratio",
    "render",
    "settled_memory",
    "to_json",
]

Key = TypeVar("Key")
Result = TypeVar("Result")


class CountError(AssertionError):
    """A benchmark counted something else than it was to do, so its time says nothing."""


def expect(counted: int, wanted: int, what: str) -> None:
    """Raise CountError, naming `what` and both figures, unless `counted` is `wanted`."""
    if counted != wanted:
        raise CountError(f"{what}: counted {counted}, expected {wanted}; the time of this run is worthless")


@dataclass(frozen=True)
class Options:
    """What the command line asks of every section."""

    quick: bool = False
    rounds: int = 5
    run_s: float = 0.2
    """How long one run of a contestant should take."""
    scale: float = 1.0
    """Factor on the number of components, timers, wakes and clients."""

    def scaled(self, number: int, at_least: int = 1) -> int:
        """`number` times `scale`, but `at_least` that many."""
        return max(at_least, round(number * self.scale))


@dataclass(frozen=True)
class Run:
    """One run: what was counted, and how long it took."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        """Counts a second."""
        return self.count / self.seconds


Workload = Callable[[int], Run]
"""Takes the number of messages (or laps), returns the hops it counted."""


@dataclass(frozen=True)
class Reach:
    """One figure that axonlike is to reach, and what this run measured."""

    what: str
    wanted: float
    measured: float
    at_least: bool = True

    @property
    def reached(self) -> bool:
        """True if the measured figure is on the right side of the wanted one."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


@dataclass
class Table:
    """What a section prints: rows of figures, then what they were to reach. A cell None was not measured."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, tuple[float | str | None, ...]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)

    def add(self, name: str, *cells: float | str | None) -> None:
        """Append a row; it must have one cell for each column."""
        if len(cells) != len(self.columns):
            raise ValueError(f"row {name!r} of {self.title!r} has {len(cells)} cells for {len(self.columns)} columns")
        self.rows.append((name, cells))


def installed(module: str) -> bool:
    """True if `module` can be imported; it is not imported."""
    return find_spec(module) is not None


def hide_uvloop() -> None:
    """From now on this process is as if the extra "fast" were not installed."""
    hidden: dict[str, ModuleType | None] = {"uvloop": None}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None there makes `import uvloop` fail, see the import system


@contextmanager
def settled_memory() -> Iterator[None]:
    """Collect what the run before left and take what lives on out of the collector's sight.

    Nothing is frozen where the process has frozen something itself: the collector can only unfreeze all at once.
    """
    gc.collect()
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def interleave(
    contestants: Mapping[Key, Callable[[], Result]], rounds: int, progress: Callable[[str], None] | None = None
) -> dict[Key, list[Result]]:
    """Run each contestant once a round, in turn. Returns the results of each, in the order of the rounds."""
    results: dict[Key, list[Result]] = {key: [] for key in contestants}
    for _ in range(rounds):
        for key, contestant in contestants.items():
            if progress is not None:
                progress(f"{key}")
            with settled_memory():
                results[key].append(contestant())
    return results


def calibrate(workload: Workload, run_s: float, start: int) -> int:
    """The size, a multiple of `start`, at which `workload` takes about `run_s`. Warms the interpreter up on the way."""
    size = start
    while True:
        run = workload(size)
        if run.seconds >= run_s / 4 or size >= 10_000 * start:
            return max(1, round(size * run_s / max(run.seconds, 1e-9) / start)) * start
        size *= 4


def measure_rates(workloads: Mapping[Key, Workload], options: Options, start: int = 200) -> dict[Key, float]:
    """Median counts a second of each workload; `start` is the smallest size and the multiple of which all are."""
    sizes = {key: calibrate(workload, options.run_s, start) for key, workload in workloads.items()}

    def sized(workload: Workload, size: int) -> Callable[[], float]:
        return lambda: workload(size).rate

    runs = interleave({key: sized(workload, sizes[key]) for key, workload in workloads.items()}, options.rounds)
    return {key: statistics.median(rates) for key, rates in runs.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def ratio(value: float | None, to: float | None) -> float | None:
    """`value / to`, or None where one of them was not measured."""
    return None if value is None or not to else value / to


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1),
    }


def _cell(value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def render(table: Table) -> str:
    """The table as text: first column to the left, figures to the right."""
    lines = [("", *table.columns)] + [(name, *map(_cell, cells)) for name, cells in table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns) + 1)]
    text = [table.title, "=" * len(table.title)]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        text.append("  ".join(cells).rstrip())
    text += [f"  {note}" for note in table.notes]
    for reach in table.reaches:
        sign = ">=" if reach.at_least else "<="
        verdict = "reached" if reach.reached else "BELOW" if reach.at_least else "ABOVE"
        text.append(f"  {verdict:8} {reach.what}: {_cell(reach.measured)} (wanted {sign} {_cell(reach.wanted)})")
    return "\n".join(text)


def to_json(sections: Mapping[str, Sequence[Table]]) -> str:
    """Machine, and each section's tables, for a file that another run is compared with."""
    document: dict[str, Any] = {"machine": machine(), "sections": {}}
    for name, tables in sections.items():
        document["sections"][name] = [asdict(table) for table in tables]
        for table, written in zip(tables, document["sections"][name]):
            for reach, fields in zip(table.reaches, written["reaches"]):
                fields["reached"] = reach.reached
    return json.dumps(document, indent=2)
