"""Virtual time: jumps where nothing real is under way, real time where something is."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent
from axonlike.clock import Virtual
from axonlike.testing import PAUSE, Feeder, Probe, VirtualLoop, outputs, run_virtual

pytestmark = pytest.mark.hang_guard(30)
A_YEAR_S = 365 * 24 * 3600.0


def test_a_year_passes_at_once_and_times_are_exact() -> None:
    probe = Probe()
    assert run_virtual(Pipeline(Feeder(["a", PAUSE(A_YEAR_S), "b", PAUSE(0.1), "c"]), probe)) == A_YEAR_S + 0.1
    assert probe.timed == [(0.0, "a"), (A_YEAR_S, "b"), (A_YEAR_S + 0.1, "c")]


def test_timers_of_asyncio_jump_too() -> None:
    class Sleeps(Component):
        async def main(self) -> None:
            await asyncio.gather(asyncio.sleep(A_YEAR_S), asyncio.sleep(1))

    assert run_virtual(Sleeps()) == A_YEAR_S


def test_until_s_stops_what_still_runs() -> None:
    probe = Probe()
    feeder = Feeder(item for number in range(100) for item in (number, PAUSE(1)))
    assert run_virtual(Pipeline(feeder, probe), until_s=2.5) == 2.5
    assert probe.messages == [0, 1, 2]
    assert probe.ended_by == "stopped"


def test_until_s_does_not_keep_a_graph_that_is_done_or_hide_that_nothing_can_happen() -> None:
    probe = Probe()
    assert run_virtual(Pipeline(Feeder([1]), probe), until_s=1000) == 0.0

    class Waits(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait()

    assert run_virtual(Waits(), until_s=1000) == 0.0


def test_a_clock_of_ones_own_goes_on_where_it_was() -> None:
    clock = Virtual(100.0)
    assert run_virtual(Feeder([PAUSE(5)]), clock=clock) == 5.0
    assert run_virtual(Feeder([PAUSE(1)]), clock=clock) == 1.0
    assert clock.time() == 106.0


def test_a_working_thread_makes_time_real() -> None:
    slept = threading.Event()

    class Works(ThreadedComponent):
        def main(self) -> None:
            went_on = slept.wait(20.0)  # a driver's call, for all that the scheduler knows
            threading.Event().wait(0.05)
            self.send(went_on)

    class Asks(Component):
        answer: Any = None

        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(0.01)  # it does not stand still
            slept.set()
            yield self.wait("inbox", timeout=20.0)  # nor does it leap
            self.answer = self.recv()

    asks = Asks()
    assert run_virtual(Pipeline(Works(), asks)) < 15.0
    assert asks.answer is True


def test_a_thread_that_rests_does_not() -> None:
    class Rests(ThreadedComponent):
        def main(self) -> None:
            self.sleep(A_YEAR_S)
            self.recv()

    assert run_virtual(Pipeline(Feeder([PAUSE(2 * A_YEAR_S), 1]), Rests())) == pytest.approx(2 * A_YEAR_S, abs=10)


def test_a_call_in_an_executor_makes_time_real() -> None:
    class Calls(Component):
        async def main(self) -> None:
            async with asyncio.timeout(20):
                await asyncio.to_thread(time.sleep, 0.02)

    assert run_virtual(Calls()) < 15.0


@pytest.mark.net
def test_a_socket_makes_time_real() -> None:
    ours, theirs = socket.socketpair()

    class Reads(Component):
        got = b""

        async def main(self) -> None:
            reader, writer = await asyncio.open_connection(sock=ours)
            async with asyncio.timeout(20):
                self.got = await reader.read(10)
            writer.close()
            await writer.wait_closed()

    timer = threading.Timer(0.05, theirs.sendall, [b"late"])
    timer.start()
    reads = Reads()
    assert run_virtual(reads) < 15.0
    timer.join()
    theirs.close()
    assert reads.got == b"late"


def test_a_graph_that_never_rests_does_not_stop_time_for_ever() -> None:
    class Polls(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield

    assert run_virtual(Polls(), until_s=100.0, busy_s=0.05) == 100.0


def test_one_long_step_does_not_move_time() -> None:
    class Slow(Component):
        def main(self) -> Generator[Any, Any, None]:
            end = time.monotonic() + 0.03
            while time.monotonic() < end:  # as where the machine has other things to do
                pass
            yield
            self.send("first")
            yield self.sleep(1)
            self.send("second")

    probe = Probe()
    run_virtual(Pipeline(Slow(), probe), until_s=100.0, busy_s=0.01)
    assert probe.timed == [(0.0, "first"), (1.0, "second")]


def test_a_machine_that_stands_still_among_many_short_turns_does_not_move_time() -> None:
    async def turns() -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        loop.call_later(1000.0, lambda: None)
        for number in range(60):
            if number == 50:
                time.sleep(0.15)
            await asyncio.sleep(0)
        assert loop.time() == began_s

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(busy_s=0.1)) as runner:
        runner.run(turns())


def test_when_nothing_can_ever_happen_it_says_so() -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing can happen any more in virtual time"):
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(never())


def test_it_is_an_ordinary_loop_for_asyncio_programs() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        await Scheduler(watchdog_s=None).run_async(Feeder([PAUSE(50)]))
        await asyncio.sleep(10)
        return loop.time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(program()) == 60.0


def test_outputs_is_what_a_component_sends() -> None:
    class Both(Component):
        Inboxes = {"tune": ""}
        Outboxes = {"status": ""}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                box = yield self.wait()
                self.send((box, self.recv(box)), "status")

    assert outputs(Both(), [1, PAUSE(3), 2], inbox="tune", outbox="status") == [("tune", 1), ("tune", 2)]


def test_the_errors_of_run_come_out() -> None:
    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(5)
            raise SystemExit(4)

    clock = Virtual()
    with pytest.raises(SystemExit):
        run_virtual(Fails(), clock=clock)
    assert clock.time() == 5.0
