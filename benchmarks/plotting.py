"""What a live plot costs the calculation: a call with two arrays of 1000 numbers, and the speed of loops that make it.

The viewer is the real one, in its own process, in a window of a virtual X screen (of SDL's dummy driver where there is
no Xvfb; then it asks for events 25 times a second, which shows in its processor time). Beside it stand the limits
(an empty function called alike; the two copies alone, made as seldom) and what asyncplot's `update` did: a lock, a
reference, an event. A call that is due comes thirty times a second, so its code and memory are cold: it is compared
with copies that are made as seldom in the same loop.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import CountError, Options, Reach, Table, interleave

__all__ = ["run"]

POINTS = 1000
CALLS = 20_000
FPS = 30.0
WINDOW_S = 0.1


class Asyncplot:
    """What a call of asyncplot 0.1 did in the calculation's thread (the rest it left to its server's threads)."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.event = threading.Event()
        self.data: Any = None

    def update(self, *args: Any, **kwargs: Any) -> None:
        with self.lock:
            self.data = (args, kwargs)
            self.event.set()


def _nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _loop(call: Callable[..., Any], x: Any, y: Any, named: bool) -> Callable[[], float]:
    """Microseconds of one call, the mean of many."""

    def run() -> float:
        began_s = time.perf_counter()
        if named:
            for _ in range(CALLS):
                call(x=x, y=y)
        else:
            for _ in range(CALLS):
                call(x, y)
        return 1e6 * (time.perf_counter() - began_s) / CALLS

    return run


def _calls(plot: Any, rounds: int) -> Table:
    import numpy as np

    x, y = np.random.default_rng(1).random((2, POINTS))
    asyncplot = Asyncplot()
    table = Table(f"Plotting: one call with two arrays of {POINTS} float64, us", ("(x, y)", "(x=x, y=y)"))
    contestants: dict[str, Any] = {
        "an empty function": _nothing,
        "asyncplot's update(), no viewer": asyncplot.update,
        "LivePlot": plot,
        "LivePlot.update": plot.update,
    }
    found: dict[tuple[str, bool], list[float]] = interleave(
        {(name, named): _loop(call, x, y, named) for name, call in contestants.items() for named in (False, True)},
        rounds,
    )
    medians = {key: statistics.median(times) for key, times in found.items()}
    for name in contestants:
        table.add(name, medians[name, False], medians[name, True])
    table.notes.append("LivePlot: with a viewer that draws the same data once; so no frame is due but thirty a second")
    best = min(min(found["LivePlot", named]) for named in (False, True))
    table.reaches.append(Reach("us of a call when no frame is due, best round", 0.15, best, at_least=False))
    return table


def _due(plot: Any, run_s: float) -> Table:
    import numpy as np

    x, y = np.random.default_rng(1).random((2, POINTS))
    table = Table("Plotting: calls when a frame is due, us, thirty a second in a busy loop", ("median", "90 %"))
    clock = time.perf_counter_ns
    due: list[int] = []
    copies: list[int] = []
    desk = plot._desk
    next_copy_s = 0.0
    end_s = time.perf_counter() + run_s
    before = plot.counters.taken
    while (now_s := time.perf_counter()) < end_s:
        x[0] += 1.0
        was_due = desk.due
        began = clock()
        plot(x, y)
        took = clock() - began
        if was_due:
            due.append(took)
        if now_s > next_copy_s:
            next_copy_s = now_s + 1 / FPS
            began = clock()
            x.copy("K"), y.copy("K")
            copies.append(clock() - began)
    if plot.counters.taken - before < run_s * FPS / 3:
        raise CountError(f"only {plot.counters.taken - before} frames were taken in {run_s} s")
    for name, times in (("LivePlot, a frame is due", due), ("the two copies alone, as seldom", copies)):
        times.sort()
        table.add(name, times[len(times) // 2] / 1000, times[len(times) * 9 // 10] / 1000)
    over_us = (due[len(due) // 2] - copies[len(copies) // 2]) / 1000
    table.reaches.append(Reach("us above the copies", 1.0, over_us, at_least=False))
    tight = _tight(x, y)
    table.add("LivePlot, a frame due at each call", tight[0], None)
    table.add("the two copies, at each call", tight[1], None)
    table.reaches.append(Reach("us above the copies, at each call", 1.0, tight[0] - tight[1], at_least=False))
    return table


def _tight(x: Any, y: Any) -> tuple[float, float]:
    from axonlike.plotting.sender import Desk

    desk = Desk()
    desk.asleep = False
    desk.args = (x, y)

    def lay_down() -> float:
        began_s = time.perf_counter()
        for _ in range(2000):
            desk.lay_down()
        return 1e6 * (time.perf_counter() - began_s) / 2000

    def copy() -> float:
        began_s = time.perf_counter()
        for _ in range(2000):
            x.copy("K"), y.copy("K")
        return 1e6 * (time.perf_counter() - began_s) / 2000

    found = interleave({"due": lay_down, "copy": copy}, 9)
    return statistics.median(found["due"]), statistics.median(found["copy"])


def _speed(plot: Any, windows: int) -> Table:
    import numpy as np

    table = Table(
        "Plotting: speed of a calculation that plots each step, % of its bare speed",
        ("us a step", "LivePlot %", "asyncplot's call alone %", "frames/s"),
    )
    field = np.random.default_rng(1).random((POINTS,))
    other = field.copy()
    asyncplot = Asyncplot()

    def relax(work: int) -> Callable[[Any, int], float]:
        def run(call: Any, steps: int) -> float:
            began_s = time.perf_counter()
            for _ in range(steps):
                for _ in range(work):
                    np.negative(field, out=field)
                field[0] += 1.0
                if call is not None:
                    call(field, other)
            return time.perf_counter() - began_s

        return run

    for work in (20, 100, 1000):
        step = relax(work)
        steps = max(10, round(WINDOW_S / (step(None, 50) / 50)))
        drawn, plotting_s = 0, 0.0
        times: dict[str, list[float]] = {"bare": [], "plot": [], "peer": []}
        # Short windows in turn, and many: on a machine that does other things too a second is long.
        for _ in range(windows):
            times["bare"].append(step(None, steps))
            before, began_s = plot.counters.drawn, time.perf_counter()
            times["plot"].append(step(plot, steps))
            drawn, plotting_s = drawn + plot.counters.drawn - before, plotting_s + time.perf_counter() - began_s
            times["peer"].append(step(asyncplot.update, steps))
        bare_s, plot_s, peer_s = (statistics.median(found) for found in times.values())
        share = 100 * bare_s / plot_s
        table.add(f"{work} numpy calls a step", 1e6 * bare_s / steps, share, 100 * bare_s / peer_s, drawn / plotting_s)
        if work >= 100:
            table.reaches.append(Reach(f"% of the bare speed, {work} numpy calls a step", 98, share))
    table.notes.append("asyncplot with a viewer, by its own authors' figures as measured elsewhere: 54 to 92 %")
    return table


def _idle(plot: Any, idle_s: float) -> Table:
    """Processor time of both processes while the data does not change."""
    import numpy as np

    table = Table("Plotting: processor time while nothing changes, ms a second", ("calculation", "viewer"))
    x = np.zeros(POINTS)
    plot(x, x)
    plot.flush()
    time.sleep(1.5)  # until the ticks have stopped

    def spent() -> tuple[float, float]:
        with open(f"/proc/{plot.window_pid}/schedstat", encoding="ascii") as stat:
            viewer_s = int(stat.read().split()[0]) / 1e9
        return time.process_time(), viewer_s

    before = spent()
    time.sleep(idle_s)
    ours, theirs = (1000 * (later - earlier) / idle_s for earlier, later in zip(before, spent()))
    table.add("no call", ours, theirs)
    table.reaches.append(Reach("ms a second, calculation", 1.0, ours, at_least=False))
    table.reaches.append(Reach("ms a second, viewer", 1.0, theirs, at_least=False))
    before = spent()
    end_s = time.perf_counter() + idle_s
    while time.perf_counter() < end_s:
        plot(x, x)
        time.sleep(0.01)
    ours, theirs = (1000 * (later - earlier) / idle_s for earlier, later in zip(before, spent()))
    table.add("100 calls a second with the same data (the calls' own time in it)", ours, theirs)
    return table


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    """Where the window opens, while the block runs. Yields what that is."""
    kept = {name: os.environ.get(name) for name in ("DISPLAY", "SDL_VIDEODRIVER", "PYGAME_HIDE_SUPPORT_PROMPT")}
    os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    try:
        with contextlib.ExitStack() as stack:
            if shutil.which("Xvfb") is None:
                os.environ["SDL_VIDEODRIVER"] = "dummy"
                yield "SDL's dummy driver"
                return
            reads, writes = os.pipe()
            command = ("Xvfb", "-displayfd", str(writes), "-screen", "0", "1280x1024x24", "-nolisten", "tcp")
            server = subprocess.Popen(command, pass_fds=(writes,), stderr=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.terminate)
            os.close(writes)
            with open(reads, encoding="ascii") as number:
                os.environ["DISPLAY"] = f":{int(number.readline())}"
            os.environ.pop("SDL_VIDEODRIVER", None)
            yield "a virtual X screen"
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def run(options: Options) -> list[Table]:
    """The section."""
    from axonlike.plotting import LivePlot

    rounds = 3 if options.quick else 9
    with _screen() as screen, LivePlot(wait=True, title="benchmark", fps=FPS) as plot:
        if plot.window_pid is None:
            raise CountError("the viewer did not come")
        tables = [
            _calls(plot, rounds),
            _due(plot, 1.0 if options.quick else 8.0),
            _speed(plot, 3 if options.quick else 60),
            _idle(plot, 0.5 if options.quick else 5.0),
        ]
    tables[-1].notes.append(f"the window was on {screen}")
    return tables
