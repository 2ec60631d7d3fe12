"""Rows of the fault catalogue (reliability.md, part A) that stand in no other file, each by number."""

from __future__ import annotations

import gc
import json
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import axonlike
from axonlike import Component, Pipeline, Scheduler, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.clock import Virtual
from axonlike.errors import ComponentError, UsageError
from axonlike.testing import PAUSE, BlockingDevice, Feeder, Probe, Stalled, run_virtual
from tests.kernel.scripts import run_script

pytestmark = pytest.mark.hang_guard(110)


class Relay(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_row_06_an_idle_graph_does_not_wake_up(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    done = run_script(
        f"""
        from axonlike.backplane import Backplane, PublishTo, SubscribeTo
        class Waits(Component):
            def main(self):
                while True:
                    yield self.wait("inbox")
        class Thread(ThreadedComponent):
            def main(self):
                self.recv()
        class Counts(Component):
            def main(self):
                yield self.sleep(0.5)
                fewest = 1000
                for _ in range(4):  # again if it was not idle yet: a busy machine has its threads begin late
                    before = self.switches()
                    yield self.sleep(3.0)
                    fewest = min(fewest, self.switches() - before)
                    if fewest <= 10:
                        break
                say(fewest)
                self.scheduler.stop()
            def switches(self):
                total = 0
                for task in os.listdir("/proc/self/task"):
                    for line in open(f"/proc/self/task/{{task}}/status"):
                        if line.startswith("voluntary"):  # the others are a busy machine's doing
                            total += int(line.split()[1])
                return total
        say("ready")
        loop = asyncio.new_event_loop if {loop!r} == "asyncio" else None
        parts = [Pipeline(Waits(), Waits(), Thread()) for _ in range(20)]
        Scheduler(loop_factory=loop).run(Backplane("x"), *parts, Says("keeps", ""), Counts())
        """
    )
    assert done.code == 0, done.err
    assert int(done.lines[1]) <= 2 * 3 + 4  # two wake-ups a second; the count itself makes some


def test_row_07_a_blocked_producer_costs_no_memory() -> None:
    class Runaway(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(10_000_000):
                self.send(bytes(1000))
                yield

    source, stalled = Runaway(), Stalled(limit=100)
    source.link((source, "outbox"), (stalled, "inbox"))
    run_virtual(source, stalled, until_s=10)
    assert stalled.statistics()[0].offered == 100


def test_row_07_nor_does_one_in_front_of_a_box_that_drops() -> None:
    class Runaway(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(20_000):
                self.send(bytes(10_000))
                yield

    source, stalled = Runaway(), Stalled()
    stalled.configure_inbox("inbox", limit=10, policy="drop_oldest")
    source.link((source, "outbox"), (stalled, "inbox"))
    tracemalloc.start()
    try:
        run_virtual(source, stalled, until_s=10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stalled.statistics()[0].offered == 20_000
    assert peak < 5_000_000


def test_row_14_publishing_before_anybody_subscribes_and_to_nobody_is_no_error() -> None:
    backplane = Backplane("Events")
    run_virtual(backplane, Pipeline(Feeder(range(10)), PublishTo("Events")))
    assert backplane.published == 10


def test_row_14_unsubscribing_while_messages_are_handed_on_disturbs_nobody() -> None:
    class LeavesAtTwo(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(2):
                yield self.wait("inbox")
                self.recv()

    probes = [Probe() for _ in range(3)]
    leavers = [Pipeline(SubscribeTo("Events"), LeavesAtTwo()) for _ in range(3)]
    stayers = [Pipeline(SubscribeTo("Events"), probe) for probe in probes]
    publisher = Pipeline(Feeder([PAUSE(1), *range(50)]), PublishTo("Events"))
    mixed = [part for pair in zip(leavers, stayers) for part in pair]
    run_virtual(Backplane("Events"), *mixed, publisher)
    assert [probe.messages for probe in probes] == [list(range(50))] * 3


def churn(rounds: int) -> int:
    """Subscribe and unsubscribe so often; how many objects are left of it."""

    class Churns(Component):
        grown = 0

        def main(self) -> Generator[Any, Any, None]:
            before = 0
            for number in range(rounds + 100):
                if number == 100:
                    gc.collect()
                    before = len(gc.get_objects())
                subscription = Pipeline(SubscribeTo("Events"), Probe())
                subscription.activate()
                yield
                subscription.stop()
                yield self.join(subscription)
            gc.collect()
            self.grown = len(gc.get_objects()) - before

    churns, backplane = Churns(), Backplane("Events")
    run_virtual(backplane, churns)
    assert backplane.subscribers == ()
    return churns.grown


def test_row_16_subscribing_and_leaving_500_times_leaves_nothing() -> None:
    assert churn(500) < 500 / 2  # one object left of each would be 500


@pytest.mark.slow
def test_row_16_subscribing_and_leaving_5000_times_leaves_nothing() -> None:
    # One object left of each would be 5000. The row's 100 000 are in tests/backplane/test_local.py, and below.
    assert churn(5000) < 5000 / 2


@pytest.mark.soak
@pytest.mark.hang_guard(1200)
def test_row_16_subscribing_and_leaving_100_000_times_leaves_nothing() -> None:
    assert churn(100_000) < 100_000 / 2  # one object left of each would be 100_000


@pytest.mark.parametrize("what", ["on a full box", "on recv", "in a thread's read", "in a thread's send", "in asyncio"])
def test_row_18_shutdown_in_each_state_ends_within_the_budget(what: str) -> None:
    device = BlockingDevice()

    class Part(ThreadedComponent if "thread" in what else Component):  # type: ignore[misc]
        def interrupt(self) -> None:
            device.close()

        def main(self) -> Any:
            if what == "in a thread's read":
                try:
                    return device.read()
                except OSError:
                    return None
            if what == "in a thread's send":
                while True:
                    self.send(1)
            return self.steps() if what != "in asyncio" else self.coroutine()

        def steps(self) -> Generator[Any, Any, None]:
            if what == "on recv":
                yield self.wait("inbox")
            while True:
                self.send(1)
                yield

        async def coroutine(self) -> None:
            import asyncio

            await asyncio.get_running_loop().create_future()

    part, stalled, keeps = Part(), Stalled(limit=1), Feeder([PAUSE(1000)])
    part.link((part, "outbox"), (stalled, "inbox"))
    keeps.link((keeps, "outbox"), (part, "inbox"))
    # Far from the deadline, after which it would be given up; a thread may take its time on a busy machine.
    assert run_virtual(part, stalled, keeps, until_s=0.05, stop_deadline_s=60.0) < 30.0
    assert part.ended


def test_row_24_running_one_scheduler_from_two_threads_is_refused_by_name() -> None:
    errors: list[BaseException] = []
    scheduler = Scheduler(watchdog_s=None)

    class RunsItAgain(ThreadedComponent):
        def main(self) -> None:
            try:
                scheduler.run(Feeder([1]))
            except UsageError as exc:
                errors.append(exc)

    scheduler.run(RunsItAgain())
    assert "runs already" in str(errors[0])


@pytest.mark.slow
def test_row_24_activating_from_many_foreign_threads_works() -> None:
    probes = [Probe() for _ in range(40)]
    with Scheduler(watchdog_s=None) as scheduler:
        threads = [
            threading.Thread(target=scheduler.activate, args=(Pipeline(Feeder(range(20)), probe),)) for probe in probes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for probe in probes:
            while not probe.ended:
                threading.Event().wait(0.001)
    assert [probe.messages for probe in probes] == [list(range(20))] * 40


@pytest.mark.parametrize("depth", [10, 1000])
def test_row_29_a_pipeline_a_thousand_deep(depth: int) -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(5)), *[Relay() for _ in range(depth)], probe))
    assert probe.messages == [0, 1, 2, 3, 4]


def lines_executed(run: Callable[[], object]) -> int:
    """How many lines of Python that takes: a loop over all in each step shows here, however fast the machine is."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        run()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    ("what", "small", "large"),
    [
        (lambda n: [Pipeline(Feeder([1, 2]), *[Relay() for _ in range(n)], Probe())], 50, 200),
        (lambda n: [Relay() for _ in range(n)], 100, 400),
    ],
    ids=["deep", "many"],
)
def test_row_29_four_times_as_many_components_take_four_times_the_work(
    what: Callable[[int], list[Component]], small: int, large: int
) -> None:
    """Row 29's linear time, as a count: making, linking, starting, stepping and ending them."""
    lines_executed(lambda: run_virtual(*what(small)))  # caches are warm
    few = lines_executed(lambda: run_virtual(*what(small)))
    many = lines_executed(lambda: run_virtual(*what(large)))
    assert many < 1.2 * large / small * few


def test_row_29_a_hundred_chassis_one_in_the_other() -> None:
    probe, inner = Probe(), Pipeline(Relay())
    for _ in range(100):
        inner = Pipeline(inner)
    run_virtual(Pipeline(Feeder(range(5)), inner, probe))
    assert probe.messages == [0, 1, 2, 3, 4]


def test_row_29_a_deep_graph_that_fails_says_so_without_a_recursion_error() -> None:
    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("deep down")

    inner = Pipeline(Fails())
    for _ in range(100):
        inner = Pipeline(inner)
    with pytest.raises(ComponentError, match="deep down"):
        run_virtual(inner)


@pytest.mark.slow
def test_row_29_a_hundred_thousand_components() -> None:
    class Waits(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")

    gc.disable()  # a third of the time, for what has nothing to be collected before its end
    try:
        parts = [Waits() for _ in range(100_000)]
        run_virtual(*parts)
    finally:
        gc.enable()
    assert all(part.ended for part in parts)


def test_row_30_no_timer_looks_at_the_wall_clock() -> None:
    package = Path(axonlike.__file__).parent
    kernel = [*package.glob("*.py"), *(package / "chassis").glob("*.py"), *(package / "backplane").glob("*.py")]
    no_timers = {"observing.py", "settings.py"}  # one tells people when a message was sent; TOML has dates
    for path in kernel:
        if path.name in no_timers:
            continue
        text = path.read_text()
        assert "time.time(" not in text, path
        assert "datetime" not in text, path


def test_row_30_timers_are_right_while_the_wall_clock_jumps_by_days() -> None:
    done = run_script(
        """
        import random
        time.time = lambda: 1e9 + random.choice([-86400, 0, 86400])
        class Sleeps(Component):
            def main(self):
                say("ready")
                began = time.monotonic()
                for _ in range(3):
                    yield self.sleep(0.05)
                yield self.wait("inbox", timeout=0.05)
                say(0.2 <= time.monotonic() - began < 20)
        class Keeps(Component):
            def main(self):
                yield self.sleep(1000)  # ended when nobody takes what it sends
        run(Pipeline(Keeps(), Sleeps()))
        """
    )
    assert done.lines == ["ready", "True"], done.err


def test_row_31_after_a_suspend_each_timer_fires_once() -> None:
    clock, ticks = Virtual(), []

    class Ticks(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            while True:
                yield self.sleep(1.0)
                ticks.append(self.scheduler.time())

    class Suspends(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(2.5)
            clock.advance(10_000.0)  # the machine slept; its monotonic clock went on
            yield self.sleep(2.5)

    ticker = Ticks()

    class Stops(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.join(suspends)
            ticker.stop()

    suspends = Suspends()
    run_virtual(ticker, suspends, Stops(), clock=clock)
    assert ticks[:2] == [1.0, 2.0]
    assert len(ticks) == 5
    assert all(at_s >= 10_002.5 for at_s in ticks[2:])


def test_row_31_a_stopped_process_goes_on_with_one_beat_and_counts_the_missed_ones() -> None:
    """SIGSTOP and SIGCONT. Counted, not timed: every beat went out or is counted, and the stop is one beat's count."""
    done = run_script(
        """
        import json
        from axonlike.components.util import Every, Ticks
        INTERVAL_S = 0.01
        class Notes(Component):
            def __init__(self):
                self.ticks = []
            def main(self):
                after = 0
                while after < 10:
                    yield self.wait("inbox")
                    for tick in self.inbox():
                        self.ticks.append(tick)
                        if len(self.ticks) == 3:
                            for number in range(100):
                                self.scheduler.call_at(self.scheduler.time() + 0.002 * number, lambda: fired.append(1))
                            say("ready")
                        after += bool(continued)  # not "it missed many": so it did if the machine was busy before
                every.stop()
        class Counts(Component):
            def main(self):
                while True:
                    yield self.wait("inbox")
                    counted.extend(self.inbox())
        fired, counted, continued = [], [], []
        signal.signal(signal.SIGCONT, lambda *_: continued.append(1))
        every, notes = Every(INTERVAL_S, lambda: every.missed), Notes()
        run(Pipeline(Ticks(INTERVAL_S), notes), Pipeline(every, Counts()))
        say(json.dumps([[tick.number, round(tick.time_s / INTERVAL_S), tick.missed] for tick in notes.ticks]))
        say(json.dumps([counted, len(fired)]))
        """,
        signal.SIGSTOP, signal.SIGCONT, every_s=0.4,
    )  # fmt: skip
    assert done.code == 0, done.err
    ticks = json.loads(done.lines[1])
    beat = 0
    for number, (its_number, its_beat, missed) in enumerate(ticks):
        beat += missed + 1
        assert (its_number, its_beat) == (number, beat)
    of_the_stop = max(ticks, key=lambda tick: tick[2])
    assert of_the_stop[2] >= 38  # 0.4 s of them, in one
    missed_so_far, fired = json.loads(done.lines[2])
    assert max(after - before for before, after in pairwise(missed_so_far)) >= 38  # between one message and the next
    assert fired == 100  # timers that came due meanwhile: once each
