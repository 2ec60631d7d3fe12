"""What it costs a system to be watched by `axonlike top`: the same process watched and not watched, in turn.

Each graph runs in a process of its own and is never started anew; another process attaches for one window as long as
`axonlike top` waits between two looks, looks as that does, and leaves again. What is compared is messages for each
second of processor time of that process (by /proc): on a machine that does other things too, a second of the clock
says little. One run is four windows: not watched, watched, watched, not watched. So what drifts slowly cancels; the
slow-down is the median of the runs.
"""

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from axonlike.introspection import NoSnapshot
from axonlike.observe import Observed, connect
from benchmarks.children import child, python
from benchmarks.harness import CountError, Options, Reach, Table, expect
from benchmarks.observing_child import GRAPHS

__all__ = ["Window", "run", "slow_down", "window"]

RUNS = 15
WINDOW_S = 1.0
START_S = 30.0

Window = tuple[float, float]
"""Messages a second of the clock, and of processor time."""


@contextlib.contextmanager
def _running(graph: str) -> Iterator[int]:
    """The pid of a process that runs this graph, once it can be looked into."""
    before = os.environ.get("AXONLIKE_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="axl") as folder:
        os.environ["AXONLIKE_RUNTIME_DIR"] = f"{folder}/axonlike"
        try:
            with child(python("benchmarks.observing_child", graph)) as process:
                deadline_s = time.monotonic() + START_S
                while True:
                    try:
                        connect(process.pid).close()
                        break
                    except NoSnapshot:
                        expect(process.poll() or 0, 0, f"exit code of {graph}")
                        if time.monotonic() > deadline_s:
                            raise
                        time.sleep(0.05)
                yield process.pid
        finally:
            if before is None:
                del os.environ["AXONLIKE_RUNTIME_DIR"]
            else:
                os.environ["AXONLIKE_RUNTIME_DIR"] = before


def _edge(system: Observed) -> tuple[float, float, int]:
    """Clock, processor time, and how many messages have come to the sinks so far."""
    graph = system.snapshot()
    ran_ns = int(Path(f"/proc/{system.pid}/schedstat").read_text().split()[0])
    sinks = (part for part in graph.parts if part.type == "DocumentedSink")
    return graph.time_s, ran_ns / 1e9, sum(part.box().offered for part in sinks)


def window(pid: int, watched: bool, window_s: float) -> Window:
    """One window of a process, with somebody watching or not. The connection by which it is counted is in both."""
    with contextlib.ExitStack() as stack:
        counter = stack.enter_context(connect(pid))
        watcher = stack.enter_context(connect(pid)) if watched else None
        if watcher is not None:
            watcher.look(measure=True)
        clock_s, ran_s, count = _edge(counter)
        time.sleep(window_s)
        if watcher is not None and not any(part.effort for part in watcher.look(measure=True).graph.parts):
            raise CountError("nothing was measured, so the time of this window is worthless")
        clock_after_s, ran_after_s, count_after = _edge(counter)
        if count_after <= count:
            raise CountError("no message came in this window")
        return (count_after - count) / (clock_after_s - clock_s), (count_after - count) / (ran_after_s - ran_s)


def slow_down(graph: str, runs: int, window_s: float) -> tuple[list[Window], list[Window]]:
    """So many runs: the mean of the windows of each without a watcher, and of those with one."""
    alone: list[Window] = []
    seen: list[Window] = []
    with _running(graph) as pid:
        window(pid, True, window_s)  # warm
        for _ in range(runs):
            windows = [(watched, window(pid, watched, window_s)) for watched in (False, True, True, False)]
            alone.append(_mean([one for watched, one in windows if not watched]))
            seen.append(_mean([one for watched, one in windows if watched]))
    return alone, seen


def _mean(windows: list[Window]) -> Window:
    by_clock, by_processor = zip(*windows)
    return statistics.fmean(by_clock), statistics.fmean(by_processor)


def run(options: Options) -> list[Table]:
    """The slow-down of each graph while it is watched."""
    runs = 3 if options.quick else RUNS
    table = Table(
        f"Observing: messages/s of processor time, watched by axonlike top and not, {runs} runs",
        ("not watched", "watched", "slower %", "by the clock %"),
    )
    for graph in GRAPHS:
        alone, seen = slow_down(graph, runs, min(WINDOW_S, 3 * options.run_s))
        by_clock, by_processor = (
            100 * (1 - statistics.median(with_[at] / without[at] for without, with_ in zip(alone, seen)))
            for at in (0, 1)
        )
        table.add(
            graph, statistics.median(w[1] for w in alone), statistics.median(w[1] for w in seen), by_processor, by_clock
        )
        table.reaches.append(Reach(f"slower while watched, {graph}, %", 3, by_processor, at_least=False))
    return [table]
