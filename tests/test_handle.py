"""Handle: components called from ordinary code and from other threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Box, Component, Graphline, Handle, Par, Pipeline, Scheduler, Seq, Supervisor, background, step
from axonlike.errors import BoxFull, ComponentError, Deadlock, NoSuchBox, UsageError, WiringError
from axonlike.handle import HandleEmpty, HandleEnded, HandleFull
from axonlike.testing import Feeder, Probe, Stalled, isolated
from tests.chassis.doubles import ControlProbe, Numbered, Take

LONG_S = 30.0


@pytest.fixture(autouse=True)
def _own_default_scheduler() -> Any:
    with isolated():
        yield


def test_a_component_is_called_from_linear_code() -> None:
    double = step(lambda number: 2 * number)
    with background(double), Handle(double) as handle:
        handle.put(21)
        assert handle.get() == 42


def test_a_handle_may_be_made_before_the_run_so_that_nothing_is_missed() -> None:
    source = Feeder(range(3))
    handle = Handle(source)
    with background():
        assert list(handle) == [0, 1, 2]


def test_what_was_put_before_the_run_is_sent_in_it() -> None:
    echo = Numbered("n")
    handle = Handle(echo)
    handle.put(1)
    with background():
        assert handle.get(timeout=LONG_S) == ("n", 1)


def test_get_before_the_run_is_an_error_not_a_hang() -> None:
    handle = Handle(Numbered("n"), start_timeout_s=0.01)
    with pytest.raises(UsageError, match="does not run"):
        handle.get()
    for number in range(1000):
        handle.put(number)
    with pytest.raises(UsageError, match="does not run"):
        handle.put(1000)


def test_close_is_end_of_input_and_get_goes_on_to_the_last_message() -> None:
    class Sums(Component):
        async def main(self) -> None:
            total = 0
            async for number in self.inbox():
                total += number
            self.send(total)

    sums = Sums()
    with background(sums), Handle(sums) as handle:
        for number in range(10):
            handle.put(number)
        handle.close()
        assert list(handle) == [45]
        with pytest.raises(HandleEnded, match="takes no more"):
            handle.put(1)
        with pytest.raises(HandleEnded, match="nothing more comes"):
            handle.get()


def test_get_times_out_with_a_named_error() -> None:
    echo = Numbered("n")
    with background(echo), Handle(echo) as handle:
        with pytest.raises(HandleEmpty, match=r"nothing came from n.outbox within 0.01 s"):
            handle.get(timeout=0.01)
        with pytest.raises(TimeoutError):
            handle.get(timeout=0)
        handle.put(1)
        assert handle.get(timeout=LONG_S) == ("n", 1)


def test_put_waits_for_room_and_times_out_with_a_named_error() -> None:
    stalled = Stalled(limit=3)
    with background(stalled), Handle(stalled) as handle:
        for number in range(3):
            handle.put(number, timeout=LONG_S)
        with pytest.raises(HandleFull, match=r"Stalled.inbox had no room within 0.01 s"):
            handle.put(3, timeout=0.01)
        inbox = stalled.inbox()
        handle.scheduler.call(inbox.take)
        handle.scheduler.call(inbox.settle)
        handle.put(3, timeout=LONG_S)
        assert handle.scheduler.call(lambda: inbox.depth) == 3


def test_a_put_that_waits_goes_on_when_there_is_room() -> None:
    class Slow(Component):
        Inboxes = {"inbox": Box("work", limit=1)}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.sleep(0.01)
                if self.data_ready():
                    self.send(self.recv())

    slow, probe = Slow(), Probe()
    with background(Pipeline(slow, probe)), Handle(slow, outboxes=()) as handle:
        for number in range(5):
            handle.scheduler.call(lambda: None)  # what was put before has been sent on by now
            handle.put(number, timeout=LONG_S)
        while len(probe.messages) < 5:  # what lies in a box when the block ends is taken by nobody
            handle.scheduler.call(lambda: None)
    assert probe.messages == list(range(5))


def test_what_a_component_sent_before_its_end_is_there_however_little_the_handle_keeps() -> None:
    class Ends(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            for number in range(50):
                self.send(number)

    handle = Handle(Ends(), limit=3)
    with background(Stalled()) as scheduler:
        ended = handle.component
        while not scheduler.call(lambda: ended.ended):
            pass
        assert list(handle) == list(range(50))


def test_closing_the_only_entrance_of_a_circle_ends_it() -> None:
    class Relay(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                number = self.recv()
                if number:
                    self.send(number - 1)

    relay = Relay()
    circle = Pipeline(relay, Probe(forward=True), circular=True)
    handle = Handle(relay, outboxes=())
    with background(circle, Stalled()) as scheduler:
        handle.put(3)
        handle.close()
        ended = threading.Event()
        scheduler.call(lambda: scheduler.activate(EndsWith(circle, ended)))
        assert ended.wait(LONG_S)


class EndsWith(Component):
    """Sets an event when a part has ended."""

    def __init__(self, part: Component, event: threading.Event) -> None:
        self.part, self.event = part, event

    def main(self) -> Generator[Any, Any, None]:
        yield self.join(self.part)
        self.event.set()


def test_what_nobody_gets_holds_the_component_back() -> None:
    sent: list[int] = []

    class Counts(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(10_000):
                sent.append(number)
                self.send(number)
                yield

    counts = Counts()
    handle = Handle(counts, limit=10)
    with background():
        got = [handle.get() for _ in range(20)]
        assert got == list(range(20))
        handle.scheduler.call(lambda: None)
        assert len(sent) <= 20 + 10 + 2
        assert [handle.get() for _ in range(5000)] == list(range(20, 5020))


def test_an_unread_handle_may_be_told_to_keep_nothing() -> None:
    counted: list[int] = []

    class Counts(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    counted.append(message)
                    self.send(message)

    counts = Counts()
    with background(counts), Handle(counts, outboxes=()) as handle:
        for number in range(5000):
            handle.put(number)
        while len(counted) < 5000:  # the end of the block stops it, though something lies in its box
            handle.scheduler.call(lambda: None)
    assert counted == list(range(5000))


def test_other_boxes_can_be_put_to_and_got_from() -> None:
    class Tuned(Component):
        Inboxes = {"tune": "where to"}
        Outboxes = {"status": "where it is"}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("tune")
                self.send(self.recv("tune"), "status")

    tuned = Tuned()
    with background(tuned), Handle(tuned, outboxes=("status",)) as handle:
        handle.put(100, "tune")
        assert handle.get("status") == 100
        with pytest.raises(NoSuchBox, match="did you mean 'tune'"):
            handle.put(1, "tun")
        with pytest.raises(NoSuchBox, match="did you mean 'status'"):
            handle.get("statu")


def test_an_outbox_that_feeds_something_else_is_left_alone() -> None:
    probe = Probe()
    echo = Numbered("n")
    pipeline = Pipeline(echo, probe)
    with background(pipeline), Handle(echo) as handle:
        handle.put(1)
        with pytest.raises(WiringError, match="already feeds"):
            handle.get()
        handle.put(2)
        while len(probe.messages) < 2:  # the end of the block stops it, though something lies in its box
            handle.scheduler.call(lambda: None)
    assert probe.messages == [("n", 1), ("n", 2)]


def test_an_error_of_the_run_reaches_those_who_wait_and_those_who_come_later() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            raise ValueError("broken")

    breaks = Breaks()
    with pytest.raises(ComponentError, match="broken") as of_the_run, background(breaks):
        handle = Handle(breaks)
        handle.put(1)
        with pytest.raises(ComponentError, match="broken"):
            handle.get()
        with pytest.raises(ComponentError, match="broken"):
            handle.put(2)
        with pytest.raises(ComponentError, match="broken"):
            handle.get()
    assert isinstance(of_the_run.value.cause, ValueError)


def test_an_error_elsewhere_reaches_it_too() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(0.01)
            raise ValueError("broken")

    echo = Numbered("n")
    with pytest.raises(ComponentError), background(echo, Breaks()):
        handle = Handle(echo)
        with pytest.raises(ComponentError, match="broken"):
            handle.get()


def test_a_failed_start_ends_the_wait() -> None:
    class NoStart(Component):
        def main(self) -> Any:
            raise OSError("no port")

    part = NoStart()
    handle = Handle(part)
    errors: list[BaseException] = []

    def waits() -> None:
        try:
            handle.get()
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=waits)
    thread.start()
    with pytest.raises(ComponentError, match="no port"), background():
        pass
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert isinstance(errors[0], ComponentError)


@pytest.mark.parametrize("when", ["before the loop", "in the loop"])
def test_a_run_that_breaks_off_ends_the_wait(when: str) -> None:
    class StopsTheLoop(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            assert self.scheduler.loop is not None
            yield self.sleep(0.01)
            self.scheduler.loop.stop()

    def no_loop() -> Any:
        raise OSError("no descriptors left")

    scheduler = Scheduler(loop_factory=no_loop) if when == "before the loop" else Scheduler()
    handle = Handle(StopsTheLoop(), scheduler)
    errors: list[BaseException] = []

    def waits() -> None:
        try:
            handle.get()
        except HandleEnded as exc:
            errors.append(exc)

    thread = threading.Thread(target=waits)
    thread.start()
    with contextlib.suppress(OSError, RuntimeError):
        scheduler.run()
    thread.join(LONG_S)
    assert len(errors) == 1


def test_the_end_of_the_run_ends_waiting_puts_and_gets() -> None:
    stalled, echo = Stalled(limit=1), Numbered("n")
    ended: list[str] = []
    handles: list[Handle] = []
    waiting = threading.Barrier(3)

    def puts() -> None:
        handles[0].put(1)
        waiting.wait()
        with pytest.raises(HandleEnded):
            handles[0].put(2)
        ended.append("put")

    def gets() -> None:
        waiting.wait()
        with pytest.raises(HandleEnded, match="has ended"):
            handles[1].get()
        ended.append("get")

    threads = [threading.Thread(target=puts), threading.Thread(target=gets)]
    with background(stalled, echo):
        handles += [Handle(stalled), Handle(echo)]
        for thread in threads:
            thread.start()
        waiting.wait()
    for thread in threads:
        thread.join(LONG_S)
    assert sorted(ended) == ["get", "put"]
    with pytest.raises(HandleEnded):
        handles[1].get()


def test_the_end_of_the_component_ends_it_for_both_sides() -> None:
    take = Take(2, "t")
    with background(take, Stalled()):
        handle = Handle(take)
        handle.put(1)
        handle.put(2)
        assert list(handle) == [("t", 1), ("t", 2)]
        with pytest.raises(HandleEnded, match="the component has ended"):
            handle.put(3)


def test_a_pipeline_whose_first_has_ended_takes_no_more_but_still_sends() -> None:
    pipeline = Pipeline(Take(1, "t"), Numbered("n"), Probe(forward=True, seconds_each=0.02))
    with background(pipeline), Handle(pipeline) as handle:
        handle.put(1)
        assert handle.get() == ("n", ("t", 1))
        with pytest.raises(HandleEnded):
            for number in range(10_000):
                handle.put(number)


def test_the_run_goes_on_while_a_handle_is_open_and_ends_when_it_is_closed() -> None:
    echo = Numbered("n")
    scheduler = Scheduler()
    handle = Handle(echo, scheduler, start_timeout_s=LONG_S)
    runs = threading.Thread(target=scheduler.run)
    runs.start()
    for number in range(3):
        handle.put(number)
        assert handle.get() == ("n", number)
    assert "Handle(n) is open" in scheduler.held_by
    handle.close()
    runs.join(LONG_S)
    assert not runs.is_alive()


def test_a_closed_handle_that_nobody_reads_is_no_deadlock_until_it_is_let_go() -> None:
    sent: list[int] = []

    class Many(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            for number in range(100):
                sent.append(number)
                self.send(number)
                yield

    scheduler = Scheduler()
    many = Many()
    handle = Handle(many, scheduler, limit=5, start_timeout_s=LONG_S)
    runs = threading.Thread(target=scheduler.run)
    with handle:
        runs.start()
        handle.put(1)
        handle.close()
        assert handle.get() == 0
        assert runs.is_alive()
    runs.join(LONG_S)
    assert not runs.is_alive()
    assert sent == list(range(100))


def test_closing_it_is_end_of_input_for_every_chassis() -> None:
    probe, control = Probe(), ControlProbe()
    chassis = Graphline(
        a=Seq(Take(1, "s"), Par(Numbered("p"), Numbered("q"))), s=Supervisor(lambda: Numbered("u")), b=probe, c=control,
        links="self -> a -> s -> b; b.signal -> c.control",
    )  # fmt: skip
    with background(chassis), Handle(chassis) as handle:
        handle.put(1)
        handle.put(2)
        handle.close()
        with pytest.raises(HandleEnded):
            handle.get()
    assert sorted(probe.messages) == [("u", ("p", 2)), ("u", ("q", 2)), ("u", ("s", 1))]
    assert probe.ended_by == "finished"
    assert control.kinds == ["ProducerFinished"]


def test_a_box_that_refuses_tells_the_caller() -> None:
    stalled = Stalled()
    stalled.configure_inbox("inbox", limit=2, policy="error")
    with background(stalled), Handle(stalled) as handle:
        handle.put(1)
        handle.put(2)
        with pytest.raises(BoxFull, match="refuses more"):
            handle.put(3)


def test_many_threads_use_one_handle_and_nothing_is_lost() -> None:
    echo = Pipeline(Numbered("n"), limit=10)
    got: list[Any] = []
    with background(echo), Handle(echo, limit=50) as handle:

        def puts(start: int) -> None:
            for number in range(start, start + 500):
                handle.put(number)

        def gets() -> None:
            got.extend(handle)

        threads = [threading.Thread(target=puts, args=(1000 * number,)) for number in range(4)]
        readers = [threading.Thread(target=gets) for _ in range(2)]
        for thread in threads + readers:
            thread.start()
        for thread in threads:
            thread.join()
        handle.close()
        for thread in readers:
            thread.join()
    assert sorted(number for _, number in got) == [1000 * n + k for n in range(4) for k in range(500)]


def test_in_the_schedulers_own_thread_it_refuses_to_wait_for_itself() -> None:
    echo = Numbered("n")

    class Calls(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            handle = Handle(echo)
            with pytest.raises(UsageError, match="own thread"):
                handle.put(1)
            with pytest.raises(UsageError, match="own thread"):
                handle.get()
            handle.close()

    scheduler = Scheduler()
    scheduler.run(Calls(), echo)


def test_handles_come_and_go_without_a_trace_in_the_scheduler() -> None:
    echo = Numbered("n")
    with background(echo, Stalled()) as scheduler, Handle(echo, outboxes=()):

        def sizes() -> tuple[int, int, int, int]:
            links = echo.wires().to_in["inbox"]
            names: tuple[Any, ...] = (scheduler.parts, scheduler._when_ended, scheduler._cycles, links)
            a, b, c, d = map(len, names)
            return a, b, c, d

        seen = []
        for number in range(200):
            with Handle(echo) as handle:
                handle.put(number)
                assert handle.get() == ("n", number)
            seen.append(scheduler.call(sizes))
    assert seen[-1] == seen[0]


def test_what_is_not_a_component_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Probe\(\.\.\.\)"):
        Handle(Probe)  # type: ignore[arg-type]
    scheduler = Scheduler()
    probe = Probe()
    scheduler.run(probe)
    with pytest.raises(HandleEnded, match="has ended"):
        Handle(probe)


def test_background_activates_more_from_the_outside() -> None:
    with background(Stalled()) as scheduler:
        probe = Probe(forward=True)
        pipeline = Pipeline(Feeder([1]), probe)
        handle = Handle(pipeline, scheduler)
        assert list(handle) == [1]
    assert probe.messages == [1]


def test_background_raises_what_went_wrong() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("broken")

    with pytest.raises(ComponentError, match="broken"), background(Breaks()) as scheduler:
        scheduler.join(LONG_S)


def test_a_deadlock_is_told_to_the_caller() -> None:
    class Greedy(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.send(1)
            while True:
                yield self.wait("inbox")
                self.send(1)
                self.send(1)

    greedy = Greedy()
    circle = Pipeline(greedy, Probe(forward=True), circular=True, limit=5)
    with pytest.raises(Deadlock), background(circle):
        handle = Handle(greedy)
        with pytest.raises(Deadlock):
            handle.get("signal")
