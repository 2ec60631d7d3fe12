"""What a live plot costs the calculation: a call with two arrays of 1000 numbers, and the speed of loops that make it.

The viewer is the real one, in its own process, in a window of a virtual X screen (of SDL's dummy driver where there is
no Xvfb; then it asks for events 25 times a second, which shows in its processor time). Beside it stand the limits (an
empty function and an object with an empty `__call__`, called alike; the two copies alone) and what asyncplot's
`update` did: a lock, a reference, an event. A call that is due comes thirty times a second, so its code and memory are
cold: it is compared with copies that are made as seldom in the same loop.

The speed of a calculation is measured in short windows in turn: bare, with asyncplot's call, with the plot. In the bare
ones the viewer has drawn what came, and waits. From each window's time the time is taken away in
which the thread could have run and got no core (Linux counts it): that is what other programs cost. What the plot costs
stays in, the waiting for its thread to give the interpreter back too; that stands in a column of its own, which says
what was lost even where others slow the processor by more than what is to be measured. The same by the wall clock
stands beside it.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.harness import CountError, Options, Reach, Table, percentile, settled_memory

__all__ = ["run"]

POINTS = 1000
CALLS = 500
FPS = 30.0
WINDOW_S = 0.1
QUICK_WINDOW_S = 0.04
PLOTTED = 4
"""As many times as long is a window with the plot, so that a dozen frames fall into it."""
DRAWN_S = 30.0
FEWEST = 5
"""Calls that have to be due for their median to be told."""

Key = TypeVar("Key")


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


class EmptyCall:
    """What no object that is called can go below."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> None:
        pass


def _in_turn(contestants: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, list[float]]:
    """Microseconds of each, sorted. Runs of a tenth of a millisecond, in turn: few are disturbed, and all alike."""
    times: dict[Key, list[float]] = {key: [] for key in contestants}
    with settled_memory():
        for _ in range(rounds):
            for key, contestant in contestants.items():
                times[key].append(contestant())
    return {key: sorted(found) for key, found in times.items()}


def _loop(call: Callable[..., Any], x: Any, y: Any, named: bool) -> Callable[[], float]:
    """Microseconds of one call, the mean of a short loop, whose own hundredth of a microsecond is in it."""
    laps = range(CALLS)

    def run() -> float:
        began_s = time.perf_counter()
        if named:
            for _ in laps:
                call(x=x, y=y)
        else:
            for _ in laps:
                call(x, y)
        return 1e6 * (time.perf_counter() - began_s) / CALLS

    return run


def _calls(plot: Any, rounds: int) -> Table:
    import numpy as np

    x, y = np.random.default_rng(1).random((2, POINTS))
    asyncplot = Asyncplot()
    table = Table(
        f"Plotting: one call with two arrays of {POINTS} float64, us",
        ("(x, y)", "best tenth", "(x=x, y=y)", "best tenth"),
    )
    contestants: dict[str, Any] = {
        "an empty function": _nothing,
        "an object with an empty __call__": EmptyCall(),
        "asyncplot's update(), no viewer": asyncplot.update,
        "LivePlot": plot,
        "LivePlot.update": plot.update,
    }
    found = _in_turn(
        {(name, named): _loop(call, x, y, named) for name, call in contestants.items() for named in (False, True)},
        rounds,
    )
    best = {key: percentile(times, 10) for key, times in found.items()}
    for name in contestants:
        medians = [statistics.median(found[name, named]) for named in (False, True)]
        table.add(name, medians[0], best[name, False], medians[1], best[name, True])
    table.notes.append("LivePlot: with a viewer that draws the same data once; so no frame is due but thirty a second")
    table.notes.append("best tenth: of the rounds, those that nothing else on the machine disturbed")
    for name, call in (("LivePlot", "plot(x, y)"), ("LivePlot.update", "plot.update(x, y)")):
        median_us = statistics.median(found[name, False])
        table.reaches.append(Reach(f"us of {call}, no frame due, median", 0.15, median_us, at_least=False))
    return table


def _due(plot: Any, run_s: float, tight_rounds: int) -> Table:
    import numpy as np

    x, y = np.random.default_rng(1).random((2, POINTS))
    table = Table("Plotting: calls when a frame is due, us, thirty a second in a busy loop", ("median", "90 %"))
    clock = time.perf_counter_ns
    due: list[int] = []
    copies: list[int] = []
    desk = plot._desk
    next_copy_s = 0.0
    end_s = time.perf_counter() + run_s
    while (now_s := time.perf_counter()) < end_s or len(due) < FEWEST:
        if now_s > end_s + DRAWN_S:
            raise CountError(f"only {len(due)} calls were due in {now_s - end_s + run_s:.0f} s")
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
            kept = [x.copy("K"), y.copy("K")]  # noqa: F841  # as the plot keeps them
            copies.append(clock() - began)
    for name, times in (("LivePlot, a frame is due", due), ("the two copies alone, as seldom", copies)):
        times.sort()
        table.add(name, times[len(times) // 2] / 1000, times[len(times) * 9 // 10] / 1000)
    over_us = (due[len(due) // 2] - copies[len(copies) // 2]) / 1000
    table.reaches.append(Reach("us above the copies", 1.0, over_us, at_least=False))
    tight = _tight(x, y, tight_rounds)
    table.add("LivePlot, a frame due at each call", tight[0], None)
    table.add("the two copies, at each call", tight[1], None)
    table.reaches.append(Reach("us above the copies, at each call", 1.0, tight[0] - tight[1], at_least=False))
    return table


def _tight(x: Any, y: Any, rounds: int) -> tuple[float, float]:
    from axonlike.plotting import LivePlot
    from axonlike.plotting.desk import Desk
    from axonlike.plotting.memory import WINDOW, FrameRoom

    room = FrameRoom()
    plot = LivePlot.__new__(LivePlot)  # without a viewer, whose part is played here
    plot._desk = Desk(room)
    plot._desk.shut()
    flags = room.flags
    laps = range(100)

    def lay_down() -> float:
        began_s = time.perf_counter()
        for _ in laps:
            flags[WINDOW] = 1  # as the window does
            plot(x, y)
        return 1e6 * (time.perf_counter() - began_s) / len(laps)

    def copy() -> float:
        began_s = time.perf_counter()
        for _ in laps:
            kept = [x.copy("K"), y.copy("K")]  # noqa: F841  # as the plot keeps them
        return 1e6 * (time.perf_counter() - began_s) / len(laps)

    found = _in_turn({"due": lay_down, "copy": copy}, rounds)
    room.close()
    return statistics.median(found["due"]), statistics.median(found["copy"])


@dataclass
class Window:
    """How long some steps took. own_s: without the time in which the thread waited for a core. ran_s: on one."""

    wall_s: float
    own_s: float
    ran_s: float


def _sched_s(thread_id: int) -> tuple[float, float]:
    """Of a thread of this process: how long it has run, and how long it could have but got no core."""
    with open(f"/proc/self/task/{thread_id}/schedstat", encoding="ascii") as stat:
        ran_ns, waited_ns, _ = stat.read().split()
    return int(ran_ns) / 1e9, int(waited_ns) / 1e9


def _steps(work: int, field: Any, other: Any) -> Callable[[Any, int], Window]:
    """What runs so many steps of a calculation, each of so many numpy calls, and shows each by `call`."""
    import numpy as np

    me = threading.get_native_id()

    def run(call: Any, steps: int) -> Window:
        ran_s, waited_s = _sched_s(me)
        began_s = time.perf_counter()
        for _ in range(steps):
            for _ in range(work):
                np.negative(field, out=field)
            field[0] += 1.0
            if call is not None:
                call(field, other)
        wall_s = time.perf_counter() - began_s
        ran_after_s, waited_after_s = _sched_s(me)
        return Window(wall_s, wall_s - (waited_after_s - waited_s), ran_after_s - ran_s)

    return run


def _speed(plot: Any, rounds: int, window_s: float) -> Table:
    import numpy as np

    table = Table(
        "Plotting: speed of a calculation that plots each step, % of its bare speed",
        ("us a step", "LivePlot %", "quartiles", "by the wall", "waits, ms/s", "its thread", "frames/s", "asyncplot %"),
    )  # fmt: skip
    field = np.random.default_rng(1).random((POINTS,))
    other = field.copy()
    asyncplot = Asyncplot()
    plot_thread = plot._thread.native_id
    for work in (20, 100, 1000):
        run = _steps(work, field, other)
        steps = max(5, round(window_s / (run(None, 50).own_s / 50)))
        bare: list[Window] = []
        peer: list[Window] = []
        plotted: list[Window] = []
        drawn_before, thread_s = plot.counters.drawn, 0.0
        for _ in range(rounds):
            _lull(plot)
            bare.append(run(None, steps))
            peer.append(run(asyncplot.update, steps))
            ran_before_s = _sched_s(plot_thread)[0]
            plotted.append(run(plot, PLOTTED * steps))
            thread_s += _sched_s(plot_thread)[0] - ran_before_s
        _lull(plot)
        bare.append(run(None, steps))
        # Each plotted window by the bare ones before and after it: a drift takes part on both sides.
        around = list(zip(bare, bare[1:], plotted, strict=False))
        shares = [50 * PLOTTED * (before.own_s + after.own_s) / shown.own_s for before, after, shown in around]
        by_wall = [50 * PLOTTED * (before.wall_s + after.wall_s) / shown.wall_s for before, after, shown in around]
        bare_s = statistics.median(window.own_s for window in bare)
        plotting_s = sum(window.own_s for window in plotted)
        frames_per_s = (plot.counters.drawn - drawn_before) / sum(window.wall_s for window in plotted)
        share = statistics.median(shares)
        table.add(
            f"{work} numpy calls a step",
            1e6 * bare_s / steps,
            share,
            f"{percentile(shares, 25):.1f} to {percentile(shares, 75):.1f}",
            statistics.median(by_wall),
            1000 * sum(window.own_s - window.ran_s for window in plotted) / plotting_s,
            1000 * thread_s / plotting_s,
            frames_per_s,
            100 * bare_s / statistics.median(window.own_s for window in peer),
        )
        if work >= 100:
            what = f"% of the bare speed, {work} numpy calls a step, {frames_per_s:.0f} frames/s"
            table.reaches.append(Reach(what, 98, share))
    table.notes.append("by the wall: %, with the time in it in which other programs had the cores")
    table.notes.append("waits: of the calculation, for the interpreter; its thread: what the plot's runs, ms/s")
    table.notes.append("asyncplot: its call alone; with a viewer, as its own authors measured elsewhere, 54 to 92 %")
    return table


def _lull(plot: Any) -> None:
    """Wait until the viewer has drawn what was laid down, so that it does nothing but wait for the next frame."""
    until_s = time.perf_counter() + DRAWN_S
    while not plot._desk.room.is_drawn:
        if time.perf_counter() > until_s:
            raise CountError(f"the viewer has not drawn a frame within {DRAWN_S:g} s")
        time.sleep(0.005)


def _idle(plot: Any, idle_s: float) -> Table:
    """Processor time of both processes while the data does not change."""
    import numpy as np

    table = Table("Plotting: processor time while nothing changes, ms a second", ("calculation", "viewer"))
    x = np.zeros(POINTS)
    plot(x, x)
    plot.flush()
    time.sleep(3.5)  # until the window has said that nothing comes any more

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

    rounds = 20 if options.quick else 1000
    with _screen() as screen, LivePlot(wait=True, title="benchmark", fps=FPS) as plot:
        if plot.window_pid is None:
            raise CountError("the viewer did not come")
        tables = [
            _calls(plot, rounds),
            _due(plot, 0.3 if options.quick else 8.0, rounds),
            _speed(plot, *((3, QUICK_WINDOW_S) if options.quick else (50, WINDOW_S))),
            _idle(plot, 0.5 if options.quick else 5.0),
        ]
    tables[-1].notes.append(f"the window was on {screen}")
    return tables
