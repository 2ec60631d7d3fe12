"""The scheduler's own interface: turns, names, holds, timers, starting and stopping from all sides."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent
from axonlike.errors import ComponentError, NameNotProvided, UsageError, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, VirtualLoop, run_virtual
from tests.kernel.scripts import run_script

pytestmark = pytest.mark.hang_guard(60)


class Turns(Component):
    """Writes its name into a list at each of its turns."""

    def __init__(self, name: str, order: list[str], number: int = 3) -> None:
        self.name, self.order, self.number = name, order, number

    def main(self) -> Generator[Any, Any, None]:
        for _ in range(self.number):
            self.order.append(self.name)
            yield


class Does(Component):
    """Calls a function after a second."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(1.0)
        self.action(self)


def virtual() -> Scheduler:
    return Scheduler(loop_factory=VirtualLoop, watchdog_s=None, shuffle="")


def test_ready_parts_take_turns_in_order() -> None:
    order: list[str] = []
    run_virtual(*[Turns(name, order) for name in "abc"], shuffle="")
    assert "".join(order) == "abcabcabc"


def test_a_shuffled_run_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def order_of(seed: str) -> str:
        order: list[str] = []
        run_virtual(*[Turns(name, order, 5) for name in "abcdef"], shuffle=seed)
        return "".join(order)

    assert order_of("1") == order_of("1")
    assert len({order_of(str(seed)) for seed in range(5)}) > 1
    assert sorted(order_of("1")) == sorted("abcdef" * 5)


def test_a_scheduler_runs_once() -> None:
    scheduler = virtual()
    scheduler.run(Feeder([1]))
    for call in (lambda: scheduler.run(Feeder([1])), lambda: scheduler.activate(Feeder([1]))):
        with pytest.raises(UsageError, match="run has ended: use a new one"):
            call()


def test_activating_twice_is_harmless() -> None:
    scheduler, probe = virtual(), Probe()
    pipeline = Pipeline(Feeder([1, 2]), probe)
    scheduler.activate(pipeline)
    scheduler.activate(pipeline, pipeline)
    scheduler.run(pipeline)
    assert probe.messages == [1, 2]


def test_parts_that_are_activated_while_it_runs_start_at_once_and_are_waited_for() -> None:
    probe = Probe()
    scheduler = virtual()
    scheduler.run(Does(lambda part: part.scheduler.activate(Pipeline(Feeder([1, PAUSE(5), 2]), probe))))
    assert probe.timed == [(1.0, 1), (6.0, 2)]


def test_children_added_while_running_start_at_once_and_end_with_their_parent() -> None:
    probe = Probe()

    class Parent(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1.0)
            self.add_child(Pipeline(Feeder([1, PAUSE(100), 2]), probe))
            yield self.sleep(1.0)
            self.stop()
            yield

    assert run_virtual(Parent()) == 2.0
    assert probe.messages == [1]
    assert probe.ended_by == "stopped"


def test_join_waits_for_children_and_for_named_components() -> None:
    log: list[Any] = []

    class Parent(Component):
        def main(self) -> Generator[Any, Any, None]:
            short, long = Feeder([PAUSE(2)], name="short"), Feeder([PAUSE(5)], name="long")
            self.add_child(short, long)
            assert self.scheduler is not None
            yield self.join(short)
            log.append(self.scheduler.time())
            yield self.join(short)
            log.append(self.scheduler.time())
            yield self.join()
            log.append(self.scheduler.time())

    run_virtual(Parent())
    assert log == [2.0, 2.0, 5.0]


def test_names_are_provided_looked_up_and_withdrawn() -> None:
    scheduler, part, other = virtual(), Feeder([]), Feeder([], name="other")
    scheduler.provide("device", "left", part)
    scheduler.provide("device", "left", part)
    assert scheduler.lookup("device", "left", other) is part
    with pytest.raises(WiringError, match="there are two of device 'left', Feeder and other: rename one"):
        scheduler.provide("device", "left", other)
    with pytest.raises(NameNotProvided, match=r"other: no device 'lift'; did you mean 'left'\? \(there are: 'left'\)"):
        scheduler.lookup("device", "lift", other)
    with pytest.raises(NameNotProvided, match=r"no printer 'left' \(there are: none"):
        scheduler.lookup("printer", "left", other)
    scheduler.withdraw("device", "left", other)
    assert scheduler.lookup("device", "left", other) is part
    scheduler.withdraw("device", "left", part)
    with pytest.raises(NameNotProvided):
        scheduler.lookup("device", "left", other)


def test_a_hold_keeps_the_run_until_it_is_released() -> None:
    class Waits(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            key = object()
            self.scheduler.hold(key, "a test")
            assert self.scheduler.held_by == ("a test",)
            self.scheduler.call_at(self.scheduler.time() + 0.05, lambda: self.scheduler.release(key))  # type: ignore[union-attr]
            yield self.wait("inbox")

    # What it is that may bring something nobody knows, so time is real meanwhile.
    assert 0.05 <= run_virtual(Waits()) < 30.0


def test_timers_set_before_the_run_and_in_it_are_called() -> None:
    called: list[str] = []
    scheduler = Scheduler(watchdog_s=None)
    scheduler.call_at(scheduler.time() + 0.01, lambda: called.append("before"))
    cancelled = scheduler.call_at(scheduler.time() + 0.02, lambda: called.append("never"))
    cancelled.cancel()
    scheduler.run(Feeder([PAUSE(0.05)]))
    assert called == ["before"]


def test_stop_closes_the_last_activated_first() -> None:
    order: list[str] = []

    class Closes(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(100)
            finally:
                order.append(self.name)

    run_virtual(Closes("a"), Closes("b"), Pipeline(Closes("c"), Closes("d")), until_s=1, shuffle="")
    assert order == ["d", "c", "b", "a"]


def test_stop_in_a_first_step_and_in_a_last_one() -> None:
    class StopsAll(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            self.scheduler.stop()
            self.scheduler.stop()
            yield
            raise AssertionError("not reached")

    assert run_virtual(StopsAll(), Feeder([PAUSE(100)])) == 0.0


def test_what_a_part_activates_while_everything_stops_is_closed_too() -> None:
    late = Feeder([PAUSE(1000)], name="late")

    class Last(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1000)
            finally:
                late.activate()

    run_virtual(Last(), until_s=1)
    assert late.ended


def test_what_does_not_stop_is_named_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Component):
        async def main(self) -> None:
            while True:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    pass

    with caplog.at_level(logging.WARNING, "axonlike"):
        assert run_virtual(Stubborn(), until_s=1, stop_deadline_s=3) == 4.0
    assert "Stubborn did not stop within 3 s" in caplog.text


def test_the_with_block_runs_in_a_thread_and_stops_at_its_end() -> None:
    probe = Probe()
    with Scheduler(watchdog_s=None) as scheduler:
        assert scheduler.thread_id != threading.get_ident()
        scheduler.activate(Pipeline(Feeder([1, PAUSE(1000)]), probe))
        while not probe.messages:
            threading.Event().wait(0.001)
    assert scheduler.state == "ended"
    assert (probe.messages, probe.ended_by) == ([1], "stopped")


def test_an_error_in_the_with_block_goes_first() -> None:
    with pytest.raises(KeyError), Scheduler(watchdog_s=None) as scheduler:
        scheduler.activate(Feeder([PAUSE(1000)]))
        raise KeyError("of the block")
    assert scheduler.state == "ended"


def test_a_start_that_fails_is_raised_at_the_start_of_the_with_block() -> None:
    scheduler = Scheduler(watchdog_s=None)
    from axonlike.backplane import SubscribeTo

    scheduler.activate(SubscribeTo("Nothing"))
    with pytest.raises(NameNotProvided):
        with scheduler:
            raise AssertionError("not reached")


def test_async_with_runs_in_the_running_loop() -> None:
    probe = Probe()

    async def program() -> None:
        async with Scheduler(watchdog_s=None) as scheduler:
            assert scheduler.loop is asyncio.get_running_loop()
            scheduler.activate(Pipeline(Feeder([1, PAUSE(5), 2, PAUSE(1000)]), probe))
            await asyncio.sleep(10)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(program())
    assert probe.messages == [1, 2]
    assert probe.ended_by == "stopped"


def test_an_error_inside_async_with_comes_out_at_its_end() -> None:
    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            raise ValueError("x")

    async def program() -> None:
        async with Scheduler(watchdog_s=None) as scheduler:
            scheduler.activate(Fails())
            await asyncio.sleep(10)

    with pytest.raises(ComponentError, match="ValueError: x"):
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(program())


@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_run_async_stops_in_order_and_a_second_time_at_once(times: int) -> None:
    log: list[Any] = []

    class Slow(Component):
        async def main(self) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(3)
                log.append("closed")

    async def program() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(Scheduler(watchdog_s=None).run_async(Slow()))
        await asyncio.sleep(1)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(1)
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop.time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        ended_s = runner.run(program())
    assert (ended_s, log) == ((4.0, ["closed"]) if times == 1 else (3.0, []))


def test_two_runs_in_one_loop_at_once() -> None:
    probes = [Probe(), Probe()]

    async def program() -> None:
        await asyncio.gather(
            *[
                Scheduler(watchdog_s=None).run_async(Pipeline(Feeder([1, PAUSE(5), 2]), probe))
                for probe in probes
            ]
        )

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(program())
    assert [probe.messages for probe in probes] == [[1, 2], [1, 2]]


def test_call_from_thread_tells_when_nobody_is_there() -> None:
    scheduler = virtual()
    assert not scheduler.call_from_thread(lambda: None)
    scheduler.run(Feeder([1]))
    assert not scheduler.call_from_thread(lambda: None)


def test_what_was_posted_from_a_thread_and_raises_ends_the_run() -> None:
    def fails() -> None:
        raise LookupError("posted")

    class Posts(ThreadedComponent):
        def main(self) -> None:
            assert self.scheduler is not None
            self.scheduler.call_from_thread(fails)
            self.sleep(1000)

    with pytest.raises(LookupError, match="posted"):
        run_virtual(Posts())


def test_a_long_stream_does_not_starve_timers_and_sockets() -> None:
    ticks: list[float] = []

    class Streams(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                self.send("x")
                yield

    class Ticks(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            for _ in range(5):
                yield self.sleep(0.01)
                ticks.append(self.scheduler.time())
            self.scheduler.stop()

    Scheduler(watchdog_s=None).run(Pipeline(Streams(), Probe()), Ticks())
    assert len(ticks) == 5


def test_repr_tells_what_it_does() -> None:
    scheduler = virtual()
    assert repr(scheduler) == "<Scheduler new: 0 parts, 0 ready>"


HANGS = {
    "asleep": "time.sleep(60)",
    "with the lock of the log": "logging.getLogger().handlers[0].acquire(); threading.Thread(target=hog).start()",
    "in C, with Python's lock": "re.fullmatch('(a|a)*b', 'a' * 100)",
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_row_05_a_step_that_holds_a_process_for_too_long_ends_it_if_that_is_wanted(hang: str) -> None:
    script = f"""
        import re
        logging.basicConfig()
        def hog():
            time.sleep(60)
        class Hog(Component):
            def main(self):
                for _ in range(3):
                    yield self.sleep(0.3)  # longer than it may hold
                say("ready")
                {hang}
                hog()
        Scheduler(watchdog_s=0.05, watchdog_exit_s=0.2).run(Hog())
        """
    done = run_script(script)
    for _ in range(4):  # a machine that lets a step stand still so long ends it before, and rightly
        if not done.lines:
            done = run_script(script)
    assert done.lines == ["ready"]
    assert done.code == 1
    assert done.err.count("Timeout (0:00:00.2") == 1
    assert "in main" in done.err


@pytest.mark.parametrize("watchdog_s", [None, 30.0])
def test_an_end_by_the_watchdog_needs_a_watchdog(watchdog_s: float | None) -> None:
    with pytest.raises(UsageError, match="watchdog_exit_s=30 needs a watchdog_s that is shorter"):
        Scheduler(watchdog_s=watchdog_s, watchdog_exit_s=30)


def test_a_loop_that_does_not_yield_is_told_with_its_line_and_the_users_lines_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(100):
                yield self.sleep(0.001)
                told = len(caplog.records)
                while len(caplog.records) == told:
                    self.wait()
                # Told of another line? Then the machine has held it there, and it is told once a turn.
                if "alone does not wait" in caplog.text:
                    break

    Scheduler(watchdog_s=0.05).run(Stuck())
    told = next(record.getMessage() for record in caplog.records if "alone does not wait" in record.getMessage())
    assert re.match(r"Stuck has held the scheduler for \d+\.\d s: ", told)
    assert "Is there a yield in every loop?" in told
    line = Stuck.main.__code__.co_firstlineno + 5
    assert told.endswith(f"  test_scheduler.py:{line}: self.wait() alone does not wait: write `yield self.wait()`")
    assert "asyncio" not in told
    assert "axonlike/scheduler.py" not in told


def test_a_circle_is_not_over_while_one_of_its_parts_waits_for_something_outside() -> None:
    class Listens(Component):
        """Gets a message from a callback, which the scheduler knows of by its hold alone."""

        Inboxes = {"arrived": "from outside"}

        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            assert self.scheduler.loop is not None
            self.scheduler.hold(self, "a callback comes")
            self.scheduler.loop.call_later(0.2, self.came)
            yield self.wait("inbox", "arrived")
            self.send(self.recv("arrived"))
            yield self.wait("inbox")
            answers.append(self.recv())

        def came(self) -> None:
            self.open_inbox("arrived").put("news")
            assert self.scheduler is not None
            self.scheduler.release(self)

    class Answers(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait()
                self.send(f"{self.recv()} has come")

    answers: list[str] = []
    run_virtual(Pipeline(Listens(), Answers(), circular=True))
    assert answers == ["news has come"]


def test_a_call_that_was_answered_as_the_run_ended_returns_its_answer() -> None:
    class Late(Scheduler):
        """The thread that calls stands still until what it posted has been done and the run has ended."""

        def call_from_thread(self, action: Callable[[], object]) -> bool:
            posted = super().call_from_thread(action)
            if threading.current_thread() is caller:
                assert over.wait(60)
            return posted

    over, caller = threading.Event(), threading.current_thread()
    scheduler = Late(watchdog_s=None)
    with scheduler:
        scheduler.when_ended(over.set)

        def stops() -> str:
            scheduler.stop()
            return "done"

        assert scheduler.call(stops) == "done"
