"""What the idle section measures, each in a process of its own: `python -m benchmarks.idle_child WHAT NAME COUNT ...`.

- `components NAME COUNT SECONDS`: COUNT of them are made, started, left idle for SECONDS, stopped
- `wake NAME COUNT`: a thread wakes the event loop COUNT times, 1 ms apart
- `thread NAME COUNT`: a thread hands COUNT messages over as fast as it can
- `timers NAME COUNT`: COUNT timers, due evenly over one second

Prints one line of JSON. In a process of its own because memory given back by one contestant is used by the next, and
context switches are counted for a process.
"""

import asyncio
import gc
import json
import os
import resource
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from benchmarks.harness import CountError, expect, hide_uvloop, percentile

__all__ = ["COMPONENTS", "THREAD", "TIMERS", "WAKE", "main"]

Body = Generator[Any, Any, None]
Figures = dict[str, float]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Producer = Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Callable[[], int]]
"""Runs in the thread, given the loop and what ends the wait for it; returns what tells how many arrived."""

WAKE_APART_S = 0.001
STRETCH = 200
ARM_WITHIN_S = 4.0
SPREAD_S = 1.0


def memory_bytes() -> int:
    """Resident memory of this process now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Stages:
    """Takes the figures at the borders between making, starting, idling and stopping."""

    def __init__(self, count: int) -> None:
        gc.collect()
        self.figures: Figures = {"count": count}
        self.memory_bytes = memory_bytes()
        self.at = time.perf_counter()

    def _lap(self, name: str) -> None:
        now = time.perf_counter()
        self.figures[name], self.at = now - self.at, now

    def created(self) -> None:
        """All are made."""
        self._lap("create_s")

    def started(self) -> None:
        """All have run up to their first wait."""
        self._lap("start_s")
        self.figures["memory_bytes"] = memory_bytes() - self.memory_bytes
        self.cpu_s = time.process_time()
        self.switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

    def idled(self) -> None:
        """The time of doing nothing is over."""
        # The first look at the clocks ends the stretch in which nothing was to happen.
        self.figures["cpu_s"] = time.process_time() - self.cpu_s
        self.figures["switches"] = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - self.switches
        self._lap("idle_s")

    def stopped(self) -> Figures:
        """All have ended."""
        self._lap("stop_s")
        return self.figures


# -- components


def _axonlike_components(count: int, seconds: float) -> Figures:
    from axonlike import Component, run

    ended = 0

    class Idle(Component):
        def main(self) -> Body:
            nonlocal ended
            try:
                while True:
                    yield self.wait("inbox")
                    while self.data_ready("inbox"):
                        self.send(self.recv("inbox"))
            finally:
                ended += 1

    class Driver(Component):
        def main(self) -> Body:
            stages.started()
            yield self.sleep(seconds)
            stages.idled()
            for number, component in enumerate(components):
                component.stop()
                if not number % 1000:  # as in a user's program: no step holds the scheduler for long
                    yield

    stages = Stages(count)
    components = [Idle() for _ in range(count)]
    driver = Driver()
    stages.created()
    run(*components, driver)
    figures = stages.stopped()
    expect(ended, count, "idle components that ended")
    return figures


def _asyncio_components(count: int, seconds: float) -> Figures:
    async def idle(inbox: "asyncio.Queue[Any]", out: "asyncio.Queue[Any]") -> None:
        while True:
            await out.put(await inbox.get())

    async def main() -> Figures:
        stages = Stages(count)
        queues: list[asyncio.Queue[Any]] = [asyncio.Queue(1000) for _ in range(count + 1)]
        tasks = [asyncio.create_task(idle(inbox, out)) for inbox, out in zip(queues, queues[1:])]
        stages.created()
        await asyncio.sleep(0)
        stages.started()
        await asyncio.sleep(seconds)
        stages.idled()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        figures = stages.stopped()
        expect(sum(isinstance(end, asyncio.CancelledError) for end in ended), count, "asyncio tasks that ended")
        return figures

    return asyncio.run(main())


def _raw_components(count: int, seconds: float) -> Figures:
    ended = 0

    def idle(box: deque[Any]) -> Body:
        nonlocal ended
        try:
            while True:
                yield
                while box:
                    box.popleft()
        finally:
            ended += 1

    stages = Stages(count)
    boxes: list[deque[Any]] = [deque() for _ in range(count)]
    bodies = [idle(box) for box in boxes]
    stages.created()
    for body in bodies:
        next(body)
    stages.started()
    time.sleep(seconds)
    stages.idled()
    for body in bodies:
        body.close()
    figures = stages.stopped()
    expect(ended, count, "generators that ended")
    return figures


# -- thread to component: latency of one wake


def _latencies(late_ns: list[int], count: int) -> Figures:
    expect(len(late_ns), count, "wakes")
    # A machine that stands still for some milliseconds makes the worst wakes of everybody, a handful in a row: each
    # stretch has its own p99, and the median of these is that of a machine that ran.
    stretches = [late_ns[start : start + STRETCH] for start in range(0, count, STRETCH)]
    p99_ns = statistics.median(percentile(stretch, 99) for stretch in stretches)
    return {"count": count, "p50_us": percentile(late_ns, 50) / 1e3, "p99_us": p99_ns / 1e3}


def _axonlike_wake(count: int) -> Figures:
    from axonlike import Component, Pipeline, ThreadedComponent

    late_ns: list[int] = []

    class Waker(ThreadedComponent):
        def main(self) -> None:
            for _ in range(count):
                time.sleep(WAKE_APART_S)
                self.send(time.perf_counter_ns())

    class Woken(Component):
        def main(self) -> Body:
            while True:
                yield self.wait("inbox")
                while self.data_ready("inbox"):
                    late_ns.append(time.perf_counter_ns() - self.recv("inbox"))

    Pipeline(Waker(), Woken()).run()
    return _latencies(late_ns, count)


def _axonlike_wake_without_uvloop(count: int) -> Figures:
    hide_uvloop()
    return _axonlike_wake(count)


def _uvloop_wake(count: int) -> Figures:
    import uvloop

    return _asyncio_wake(count, uvloop.new_event_loop)


def _asyncio_wake(count: int, loop_factory: LoopFactory = asyncio.new_event_loop) -> Figures:
    late_ns: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def woken(sent_ns: int) -> None:
            late_ns.append(time.perf_counter_ns() - sent_ns)

        def waker() -> None:
            for _ in range(count):
                time.sleep(WAKE_APART_S)
                loop.call_soon_threadsafe(woken, time.perf_counter_ns())
            loop.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=waker)
        thread.start()
        await done.wait()
        thread.join()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    return _latencies(late_ns, count)


# -- thread to component: throughput


def _axonlike_thread(count: int) -> Figures:
    from axonlike import Component, Pipeline, ThreadedComponent

    class Source(ThreadedComponent):
        def main(self) -> None:
            for message in range(count):
                self.send(message)

    class Sink(Component):
        counted = 0

        def main(self) -> Body:
            while True:
                yield self.wait()
                for _ in self.inbox():
                    self.counted += 1

    sink = Sink()
    pipeline = Pipeline(Source(), sink)
    started = time.perf_counter()
    pipeline.run()
    seconds = time.perf_counter() - started
    expect(sink.counted, count, "messages from a thread")
    return {"count": count, "seconds": seconds}


def _from_thread(count: int, produce: Producer) -> Figures:
    async def main() -> Figures:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        counted: list[Callable[[], int]] = []
        started = time.perf_counter()
        thread = threading.Thread(target=lambda: counted.append(produce(loop, done.set)))
        thread.start()
        await done.wait()
        seconds = time.perf_counter() - started
        thread.join()
        expect(counted[0](), count, "messages from a thread")
        return {"count": count, "seconds": seconds}

    return asyncio.run(main())


def _asyncio_thread(count: int) -> Figures:
    def produce(loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> Callable[[], int]:
        received: list[int] = []
        take = received.append
        for message in range(count):
            loop.call_soon_threadsafe(take, message)
        loop.call_soon_threadsafe(done)
        return lambda: len(received)

    return _from_thread(count, produce)


def _raw_thread(count: int) -> Figures:
    """A deque without a bound, and a wake only if it was empty."""

    def produce(loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> Callable[[], int]:
        pending: deque[int] = deque()
        counted = 0

        def drain() -> None:
            nonlocal counted
            while pending:
                pending.popleft()
                counted += 1

        for message in range(count):
            empty = not pending
            pending.append(message)
            if empty:
                loop.call_soon_threadsafe(drain)
        loop.call_soon_threadsafe(drain)
        loop.call_soon_threadsafe(done)
        return lambda: counted

    return _from_thread(count, produce)


# -- timers


def _lateness(late_s: list[float], count: int, arm_s: float) -> Figures:
    expect(len(late_s), count, "timers that fired")
    milliseconds = [1e3 * late for late in late_s]
    return {
        "count": count,
        "arm_us": 1e6 * arm_s / count,
        "p50_ms": percentile(milliseconds, 50),
        "p99_ms": percentile(milliseconds, 99),
        "max_ms": max(milliseconds),
        "early_ms": max(0.0, -min(milliseconds)),
    }


def _axonlike_timers(count: int) -> Figures:
    from axonlike import Component, Scheduler

    late_s: list[float] = []
    marks: list[float] = []

    class Waiting(Component):
        """The first step without a timer: what it costs is taken off."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.after_first = number * SPREAD_S / count

        def main(self) -> Body:
            due = first_due[0] + self.after_first
            due - time.monotonic()
            yield self.wait()

    class Sleeping(Waiting):
        armed_for = 0.0

        def main(self) -> Body:
            due = first_due[0] + self.after_first
            yield self.sleep(due - time.monotonic())
            late_s.append(time.monotonic() - self.armed_for)
            yield self.wait()

    class Mark(Component):
        def main(self) -> Body:
            # What is timed is arming, not the collector's look at all that was made before.
            gc.collect()
            gc.freeze()
            marks.append(time.monotonic())
            first_due[0] = marks[-1] + ARM_WITHIN_S
            yield self.wait()

    class EndMark(Component):
        def main(self) -> Body:
            marks.append(time.monotonic())
            yield

    class Driver(Component):
        def main(self) -> Body:
            marks.append(time.monotonic())
            for sleeper in sleeping:
                # The collector may have held it for 50 ms between its look at the clock and the arming of its timer.
                assert sleeper._timer is not None
                sleeper.armed_for = sleeper._timer.when_s
            while len(late_s) < count and time.monotonic() < first_due[0] + SPREAD_S + 5:
                yield self.sleep(0.5)
            for number, part in enumerate((*waiting, *sleeping, *mark)):
                part.stop()
                if not number % 1000:
                    yield

    first_due = [0.0]  # some time after arming begins
    waiting = [Waiting(number) for number in range(count)]
    sleeping = [Sleeping(number) for number in range(count)]
    mark = [Mark(), Mark()]
    # The marks tell what came between them: FIFO, also where AXONLIKE_SHUFFLE is set.
    Scheduler(shuffle="").run(mark[0], *waiting, EndMark(), mark[1], *sleeping, Driver())
    plain_s, armed_s = marks[1] - marks[0], marks[3] - marks[2]
    if marks[3] > first_due[0]:
        raise CountError(f"arming took until {marks[3] - first_due[0]:.1f} s after the first timer was due")
    return _lateness(late_s, count, armed_s - plain_s)


def _asyncio_timers(count: int) -> Figures:
    late_s: list[float] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()

        def fired(due: float) -> None:
            late_s.append(time.monotonic() - due)

        first_due = time.monotonic() + ARM_WITHIN_S / 2
        dues = [first_due + number * SPREAD_S / count for number in range(count)]
        gc.collect()
        gc.freeze()
        started = time.perf_counter()
        for due in dues:
            loop.call_at(due, fired, due)
        arm_s = time.perf_counter() - started
        while len(late_s) < count and time.monotonic() < first_due + SPREAD_S + 5:
            await asyncio.sleep(0.5)
        return arm_s

    arm_s = asyncio.run(main())
    return _lateness(late_s, count, arm_s)


def _raw_timers(count: int) -> Figures:
    """A heap and a loop that sleeps until the next is due: what is later than this one's is not the machine's doing."""
    late_s: list[float] = []
    first_due = time.monotonic() + ARM_WITHIN_S / 2
    dues = [first_due + number * SPREAD_S / count for number in range(count)]
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    timers: list[tuple[float, int, Callable[[float], None]]] = []
    for number, due in enumerate(dues):
        heappush(timers, (due, number, late_s.append))
    arm_s = time.perf_counter() - started
    while timers:
        wait_s = timers[0][0] - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        while timers and timers[0][0] <= time.monotonic():
            due, _, fired = heappop(timers)
            fired(time.monotonic() - due)
    return _lateness(late_s, count, arm_s)


COMPONENTS: dict[str, Callable[[int, float], Figures]] = {
    "axonlike": _axonlike_components,
    "asyncio": _asyncio_components,
    "raw": _raw_components,
}
WAKE: dict[str, Callable[[int], Figures]] = {
    "axonlike": _axonlike_wake,
    "axonlike-no-uvloop": _axonlike_wake_without_uvloop,
    "uvloop": _uvloop_wake,
    "asyncio": _asyncio_wake,
}
THREAD: dict[str, Callable[[int], Figures]] = {
    "axonlike": _axonlike_thread,
    "asyncio": _asyncio_thread,
    "raw": _raw_thread,
}
TIMERS: dict[str, Callable[[int], Figures]] = {
    "axonlike": _axonlike_timers,
    "asyncio": _asyncio_timers,
    "raw": _raw_timers,
}


def main(arguments: list[str]) -> int:
    """Measure what was asked for, print it as JSON, return the exit code."""
    what, name, count = arguments[0], arguments[1], int(arguments[2])
    if what == "components":
        figures = COMPONENTS[name](count, float(arguments[3]))
    else:
        figures = {"wake": WAKE, "thread": THREAD, "timers": TIMERS}[what][name](count)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
