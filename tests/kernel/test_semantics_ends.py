"""SEMANTICS, "Ends": rules 13 to 18, each by number."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Handle, Pipeline, ProducerFinished, Scheduler, Shutdown, ThreadedComponent
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.errors import BadYield, ComponentError, Deadlock, Finished, Stopped
from axonlike.testing import PAUSE, BlockingDevice, Feeder, Probe, Stalled, outputs, run_virtual

pytestmark = pytest.mark.hang_guard(30)


class Noted(Component):
    """Passes on what comes, and notes what happens to it."""

    def __init__(self, name: str = "Noted") -> None:
        self.name = name
        self.events: list[Any] = []

    def main(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait()
                while (box := self.any_ready()) is not None:
                    self.events.append(self.recv(box))
        except BaseException as exc:
            self.events.append(type(exc).__name__)
            raise


def linked(source: Component, sink: Component, outbox: str = "outbox", inbox: str = "inbox") -> None:
    source.link((source, outbox), (sink, inbox))


def test_rule_13_control_never_counts_in_any_ready() -> None:
    noted, data, control = Noted(), Feeder([PAUSE(5), "data"]), Feeder(["odd", PAUSE(1), "things"], name="control")
    linked(data, noted)
    linked(control, noted, inbox="control")
    run_virtual(noted, data, control)
    assert noted.events == ["data", "Finished"]
    assert noted.open_inbox("control").offered == 2


@pytest.mark.parametrize("message", [ProducerFinished(), ProducerFinished])
def test_rule_13_the_base_class_takes_producer_finished(message: Any) -> None:
    noted, data, control = Noted(), Feeder(["a", PAUSE(50), "b"]), Feeder([PAUSE(1), message], name="control")
    linked(data, noted)
    linked(control, noted, inbox="control")
    run_virtual(noted, data, control)
    assert noted.events == ["a", "Finished"]
    assert "control" not in [box.name for box in noted.statistics()]


def test_rule_13_the_base_class_takes_shutdown() -> None:
    noted, data, control = Noted(), Feeder(["a", PAUSE(50), "b"]), Feeder([PAUSE(1), Shutdown()], name="control")
    linked(data, noted)
    linked(control, noted, inbox="control")
    run_virtual(noted, data, control)
    assert noted.events == ["a", "GeneratorExit"]


def test_rule_13_a_class_that_declares_control_takes_them_itself() -> None:
    class TakesControl(Noted):
        Inboxes = {"control": "what to do"}

    noted = TakesControl()
    control = Feeder([PAUSE(1), "odd", PAUSE(1), ProducerFinished("x"), PAUSE(1), Shutdown("y"), PAUSE(1), "last"])
    linked(control, noted, inbox="control")
    run_virtual(noted, control)
    assert noted.events == ["odd", ProducerFinished("x"), Shutdown("y"), "last", "Finished"]


def test_rule_13_a_subclass_of_one_that_takes_control_takes_it_too() -> None:
    class TakesControl(Noted):
        Inboxes = {"control": "what to do"}

    class Sub(TakesControl):
        Inboxes = {"more": "another"}

    noted, control = Sub(), Feeder([Shutdown("y")])
    linked(control, noted, inbox="control")
    run_virtual(noted, control)
    assert noted.events[0] == Shutdown("y")


def test_rule_13_a_chassis_passes_them_on_to_what_it_is_made_of() -> None:
    inner = [Noted("a"), Noted("b")]
    pipeline, control, data = Pipeline(*inner), Feeder([PAUSE(1), Shutdown()], name="control"), Feeder([PAUSE(50)])
    linked(data, pipeline)
    linked(control, pipeline, inbox="control")
    run_virtual(pipeline, control, data)
    assert [part.events for part in inner] == [["GeneratorExit"], ["GeneratorExit"]]


class Ending(Component):
    """A body given as a function; `log` collects what it says."""

    Inboxes = {"tune": "another"}

    def __init__(self, body: Any) -> None:
        self.body = body
        self.log: list[Any] = []

    def main(self) -> Any:
        return self.body(self)


def test_rule_14_finished_comes_at_a_wait_whose_named_boxes_are_empty() -> None:
    def body(part: Ending) -> Generator[Any, Any, None]:
        yield part.sleep(5)  # the input ends meanwhile: nothing is raised here
        part.log.append("slept")
        yield  # nor here
        part.log.append("yielded")
        part.log.append((yield part.wait("inbox")))  # nor while something lies in the box
        part.recv()
        try:
            yield part.wait("inbox")
        except Finished:
            part.log.append("finished")

    part, feeder = Ending(body), Feeder(["data"])
    linked(feeder, part)
    run_virtual(part, feeder)
    assert part.log == ["slept", "yielded", "inbox", "finished"]


def test_rule_14_a_wait_for_another_box_does_not_see_what_lies_in_the_rest() -> None:
    def body(part: Ending) -> Generator[Any, Any, None]:
        try:
            yield part.wait("tune")
        except Finished:
            part.log.append(part.data_ready("inbox"))

    part, feeder = Ending(body), Feeder(["data", "more"])
    linked(feeder, part)
    run_virtual(part, feeder)
    assert part.log == [2]


def test_rule_14_finished_comes_at_a_pause() -> None:
    def body(part: Ending) -> Generator[Any, Any, None]:
        try:
            while True:
                while part.data_ready():
                    part.log.append(part.recv())
                part.pause()
                yield
        except Finished:
            part.log.append("finished")

    part, feeder = Ending(body), Feeder(["a", PAUSE(1), "b"])
    linked(feeder, part)
    run_virtual(part, feeder)
    assert part.log == ["a", "b", "finished"]


def test_rule_14_a_wait_with_a_time_out_gets_it_at_once_too() -> None:
    def body(part: Ending) -> Generator[Any, Any, None]:
        try:
            yield part.wait("inbox", timeout=1000)
        except Finished:
            part.log.append("finished")

    part, feeder = Ending(body), Feeder([PAUSE(3)])
    linked(feeder, part)
    assert run_virtual(part, feeder) == 3.0
    assert part.log == ["finished"]


def test_rule_14_uncaught_it_is_a_normal_end_also_through_except_exception() -> None:
    def body(part: Ending) -> Generator[Any, Any, None]:
        try:
            yield part.wait("inbox")
        except Exception:
            part.log.append("caught by mistake")

    part, feeder = Ending(body), Feeder([])
    linked(feeder, part)
    run_virtual(part, feeder)
    assert part.log == []


class Batches(Component):
    """Collects three and sends them together; the rest at the end, after a rest of one second."""

    def main(self) -> Generator[Any, Any, None]:
        batch: list[Any] = []
        try:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    batch.append(message)
                    if len(batch) == 3:
                        self.send(tuple(batch))
                        batch.clear()
        except Finished:
            yield self.sleep(1)
            self.send(tuple(batch))
            yield
            self.send("end")


class AsyncBatches(Batches):
    async def main(self) -> None:  # type: ignore[override]
        batch: list[Any] = []
        async for message in self.inbox():
            batch.append(message)
            if len(batch) == 3:
                await self.send(tuple(batch))
                batch.clear()
        await self.sleep(1)
        await self.send(tuple(batch))
        await self.send("end")


@pytest.mark.parametrize("kind", [Batches, AsyncBatches])
def test_rule_14_a_batcher_flushes_at_the_end(kind: type[Component]) -> None:
    assert outputs(kind(), [1, 2, 3, 4]) == [(1, 2, 3), (4,), "end"]


def test_rule_14_a_flush_waits_for_room_like_any_other_send() -> None:
    class Flushes(Component):
        def main(self) -> Generator[Any, Any, None]:
            kept: list[Any] = []
            try:
                while True:
                    yield self.wait("inbox")
                    kept += self.inbox()
            except Finished:
                for message in kept:
                    self.send(message)
                    yield

    probe = Probe(seconds_each=1.0)
    run_virtual(Pipeline(Feeder(range(10)), Flushes(), probe, limit=2))
    assert probe.messages == list(range(10))


def test_rule_14_a_threads_blocking_calls_raise_it() -> None:
    class Thread(ThreadedComponent):
        log: list[Any] = []

        def main(self) -> None:
            for call in (self.recv, self.wait, self.pause):
                try:
                    call()
                except Finished:
                    self.log.append(call.__name__)
                    self.send("still sends")
            self.sleep(0.01)
            self.recv()

    thread, probe = Thread(), Probe()
    run_virtual(Pipeline(Feeder([]), thread, probe))
    assert thread.log == ["recv", "wait", "pause"]
    assert len(probe.messages) == 3


def test_rule_14_never_at_a_foreign_await() -> None:
    class Awaits(Component):
        log: list[Any] = []

        async def main(self) -> None:
            await asyncio.sleep(10)
            self.log.append("slept")
            await self.wait("inbox")

    awaits = Awaits()
    assert run_virtual(Pipeline(Feeder([]), awaits)) == 10.0
    assert awaits.log == ["slept"]


def test_rule_15_input_ends_with_the_last_producer_of_any_data_inbox() -> None:
    noted = Noted()
    feeders = [Feeder([PAUSE(number), number], name=f"f{number}") for number in (1, 2, 3)]
    linked(feeders[0], noted)
    linked(feeders[1], noted)
    noted.add_inbox("more")
    linked(feeders[2], noted, inbox="more")
    run_virtual(noted, *feeders)
    assert noted.events == [1, 2, 3, "Finished"]


def test_rule_15_producer_finished_never_overtakes_data() -> None:
    probe = Probe()
    stages = [Relay() for _ in range(20)]
    run_virtual(Pipeline(Feeder(range(100)), *stages, probe, limit=3))
    assert probe.messages == list(range(100))
    assert probe.ended_by == "finished"


class SaysSo(Component):
    """A source that sends its ProducerFinished itself, as Kamaelia's do."""

    def main(self) -> Generator[Any, Any, None]:
        self.send("first")
        self.send(ProducerFinished(), "signal")
        yield


@pytest.mark.parametrize(
    "into",
    [
        lambda sink: Pipeline(Feeder(["first"]), sink),
        lambda sink: Pipeline(Feeder(["first"]), Pipeline(sink)),
        lambda sink: Pipeline(Pipeline(Feeder(["first"]), Relay()), sink),
        lambda sink: Pipeline(SaysSo(), sink),
        lambda sink: Graphline(A=SaysSo(), B=sink, links="A -> B; A.signal -> B.control"),
    ],
    ids=["pipeline", "in a chassis", "from a chassis", "said by itself", "graphline"],
)
def test_rule_15_the_end_of_one_producer_is_not_the_end_of_another(into: Any) -> None:
    noted, late = Noted(), Feeder([PAUSE(5), "late", PAUSE(5), "latest"])
    graph = into(noted)
    linked(late, noted)
    run_virtual(graph, late)
    assert noted.events == ["first", "late", "latest", "Finished"]


class Relay(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


class Halves(Component):
    """Sends n // 2 round again until it is 0."""

    Outboxes = {"again": "to the beginning of the loop"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for number in self.inbox():
                self.send(number)
                if number:
                    self.send(number // 2, "again")


def test_rule_15_a_feedback_loop_ends_when_its_outside_has_ended_and_it_is_empty() -> None:
    probe = Probe()
    graph = Graphline(
        FEED=Feeder([4, PAUSE(1), 2]), HALF=Halves(), RELAY=Relay(), OUT=probe,
        links="FEED -> HALF; HALF.again -> RELAY; RELAY -> HALF; HALF -> OUT",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.messages == [4, 2, 1, 0, 2, 1, 0]


def test_rule_15_a_loop_with_a_timer_is_not_over() -> None:
    class Late(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                message = self.recv()
                yield self.sleep(10)
                self.send(message)

    probe = Probe()
    graph = Graphline(
        FEED=Feeder([3]), HALF=Halves(), LATE=Late(), OUT=probe,
        links="FEED -> HALF; HALF.again -> LATE; LATE -> HALF; HALF -> OUT",
    )  # fmt: skip
    assert run_virtual(graph) == 20.0
    assert probe.messages == [3, 1, 0]


def test_rule_15_a_loop_with_a_thread_in_it_waits_for_the_thread() -> None:
    class Thread(ThreadedComponent):
        def main(self) -> None:
            while True:
                message = self.recv()
                self.sleep(0.01)
                self.send(message)

    probe = Probe()
    graph = Graphline(
        FEED=Feeder([8]), HALF=Halves(), THREAD=Thread(), OUT=probe,
        links="FEED -> HALF; HALF.again -> THREAD; THREAD -> HALF; HALF -> OUT",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.messages == [8, 4, 2, 1, 0]


class Closes(Component):
    """Does what its function says when it is closed."""

    def __init__(self, at_close: Any, *, while_sending: int = 0) -> None:
        self.at_close = at_close
        self.log: list[Any] = []
        self.while_sending = while_sending

    def main(self) -> Generator[Any, Any, None]:
        try:
            for number in range(self.while_sending):
                self.send(number)
                yield
            while True:
                yield self.sleep(1000)
        finally:
            self.log.append("finally")
            yield from self.at_close(self) or ()


def nothing(_part: Component) -> None:
    return None


@pytest.mark.parametrize("blocked", [False, True])
def test_rule_16_shutdown_closes_a_generator_at_once_and_finally_runs(blocked: bool) -> None:
    part, stalled = Closes(nothing, while_sending=10 if blocked else 0), Stalled(limit=3)
    linked(part, stalled)
    assert run_virtual(part, stalled, until_s=2.0) == 2.0
    assert part.log == ["finally"]


def test_rule_16_sends_in_finally_are_delivered_past_the_limit_or_counted() -> None:
    def farewell(part: Component) -> None:
        for number in range(5):
            part.send(f"farewell {number}")

    part, stalled = Closes(farewell, while_sending=10), Stalled(limit=3)
    linked(part, stalled)
    run_virtual(part, stalled, until_s=2.0)
    (box,) = stalled.statistics()
    to_ended = part.lost_at_sending()["to_ended"].get("outbox", 0)
    assert box.offered + to_ended == 3 + 5


def test_row_04_rule_16_a_yield_in_finally_is_a_named_error_and_the_others_are_closed_all_the_same() -> None:
    def stubborn(_part: Component) -> Generator[Any, Any, None]:
        yield

    first, part, last = Closes(nothing), Closes(stubborn), Closes(nothing)
    with pytest.raises(ComponentError) as caught:
        run_virtual(first, part, last, until_s=2.0)
    assert caught.value.path == "Closes-2"
    assert isinstance(caught.value.cause, BadYield)
    assert "Closes-2 yields at test_semantics_ends.py:" in str(caught.value)
    assert first.log == part.log == last.log == ["finally"]


def test_rule_16_an_async_body_is_cancelled_and_may_still_send() -> None:
    class Async(Component):
        log: list[Any] = []

        async def main(self) -> None:
            try:
                await self.wait("inbox")
            except asyncio.CancelledError:
                self.log.append("cancelled")
                await self.send("farewell")
                raise
            finally:
                self.log.append("finally")

    part, probe, keeps = Async(), Probe(), Feeder([PAUSE(100)])
    linked(part, probe)
    linked(keeps, part)
    run_virtual(part, probe, keeps, until_s=2.0)
    assert part.log == ["cancelled", "finally"]
    unread = probe.statistics()[0].unread_at_end
    assert len(probe.messages) + part.lost_at_sending()["to_ended"].get("outbox", 0) + unread == 1


@pytest.mark.parametrize("call", ["recv", "send", "pause", "sleep", "wait", "recv with a time-out", "look"])
def test_rule_16_a_threads_calls_raise_stopped(call: str) -> None:
    class Thread(ThreadedComponent):
        log: list[Any] = []

        def main(self) -> None:
            try:
                while True:
                    if call == "recv":
                        self.recv()
                    elif call == "send":
                        self.send("x")
                    elif call == "pause":
                        self.pause()
                    elif call == "sleep":
                        self.sleep(1000)
                    elif call == "wait":
                        self.wait("inbox", timeout=1000)
                    elif call == "recv with a time-out":
                        self.recv(timeout=1000)
                    else:
                        self.sleep(0.001)
            except Stopped:
                self.log.append("stopped")
                raise

    thread, stalled, keeps = Thread(), Stalled(limit=2), Feeder([PAUSE(10_000)])
    thread.log = []
    linked(thread, stalled)
    linked(keeps, thread)
    run_virtual(thread, stalled, keeps, until_s=0.05)
    assert thread.log == ["stopped"]


class Reads(ThreadedComponent):
    def __init__(self, device: BlockingDevice) -> None:
        self.device = device

    def main(self) -> None:
        while True:
            self.send(self.device.read())


def test_row_36_rule_16_a_thread_in_a_foreign_call_is_abandoned_at_the_deadline_and_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stops(Component):
        """Ends the run when the thread has sent what it read and is in its second call."""

        def main(self) -> Generator[Any, Any, None]:
            while not (probe.messages and device.reads == 1 and device.entered.is_set()):
                yield self.sleep(0.001)
            assert self.scheduler is not None
            self.scheduler.stop()

    device = BlockingDevice(1, deaf=True)
    part, probe = Reads(device), Probe()
    try:
        with caplog.at_level(logging.WARNING, "axonlike"):
            run_virtual(Pipeline(part, probe), Stops(), stop_deadline_s=0.1)
    finally:
        device.let_go()
    (record,) = caplog.records
    text = record.getMessage()
    assert "Pipeline/Reads did not stop within 0.1 s: its thread is still in:" in text
    assert "item = device.read()" in text or "self.send(self.device.read())" in text
    assert probe.messages == [1]


def test_row_36_rule_16_interrupt_unblocks_a_foreign_call(caplog: pytest.LogCaptureFixture) -> None:
    class Interruptible(Reads):
        def interrupt(self) -> None:
            self.device.close()

        def main(self) -> None:
            try:
                super().main()
            except OSError:
                if not self.stopping:
                    raise

    run_virtual(Interruptible(BlockingDevice(1)), until_s=0.05)
    assert caplog.records == []


class Waits(Component):
    def main(self) -> Generator[Any, Any, None]:
        yield self.wait("inbox")


def test_rule_17_services_do_not_keep_the_run() -> None:
    backplane = Backplane("Events")
    assert run_virtual(backplane, Feeder([PAUSE(7)])) == 7.0
    assert backplane.ended


def test_rule_17_a_subscriber_ends_with_the_rest_of_the_program() -> None:
    probe = Probe()
    assert run_virtual(Backplane("Events"), Pipeline(SubscribeTo("Events"), probe), Feeder([PAUSE(7)])) == 7.0
    assert probe.ended


def test_rule_17_when_nothing_can_happen_any_more_waiters_get_end_of_input() -> None:
    noted = Noted()
    assert run_virtual(noted, Waits()) == 0.0
    assert noted.events == ["Finished"]


class Holds(Component):
    """Something can still happen because of it; tells when that is over."""

    def __init__(self, what: str, log: list[str]) -> None:
        self.what, self.log = what, log

    def main(self) -> Any:
        return self.sets_a_timer() if self.what == "timer" else self.reads_a_socket()

    def sets_a_timer(self) -> Generator[Any, Any, None]:
        assert self.scheduler is not None
        self.scheduler.call_at(self.scheduler.time() + 1, lambda: self.log.append("over"))
        yield  # and ends: it is the timer that holds the run

    async def reads_a_socket(self) -> None:
        reader, writer = socket.socketpair()
        with reader, writer:
            reader.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.call_later(0.02, writer.send, b"x")
            await loop.sock_recv(reader, 1)
            self.log.append("over")


class HoldsInThread(ThreadedComponent):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def main(self) -> None:
        threading.Event().wait(0.02)
        self.log.append("over")


@pytest.mark.parametrize("what", ["timer", "thread", "I/O"])
def test_rule_17_a_waiter_gets_no_end_of_input_as_long_as_something_can_happen(what: str) -> None:
    log: list[str] = []
    noted = Noted()
    noted.events = log
    run_virtual(noted, HoldsInThread(log) if what == "thread" else Holds(what, log))
    assert log == ["over", "Finished"]


def test_rule_17_an_open_handle_holds_the_run_and_its_end_lets_the_waiters_go() -> None:
    relay, noted, scheduler = Relay(), Noted(), Scheduler(watchdog_s=None)
    handle = Handle(relay, scheduler)
    runs = threading.Thread(target=scheduler.run, args=(noted,))
    runs.start()
    for number in range(5):
        handle.put(number)
        assert handle.get() == number  # in between nothing else could happen
    assert noted.events == []
    handle.close()
    runs.join()
    assert noted.events == ["Finished"]


def test_rule_17_what_is_blocked_then_is_a_deadlock() -> None:
    class Joins(Component):
        def __init__(self, other: Component) -> None:
            self.other = other

        def main(self) -> Generator[Any, Any, None]:
            yield self.join(self.other)

    feeder = Feeder(range(10))
    joins = Joins(feeder)
    joins.configure_inbox("inbox", limit=2)
    linked(feeder, joins)
    with pytest.raises(Deadlock, match=r"Feeder waits for room in Joins\.inbox"):
        run_virtual(feeder, joins)


def test_rule_17_two_that_wait_for_each_others_end() -> None:
    class Joins(Component):
        other: Component

        def main(self) -> Generator[Any, Any, None]:
            yield self.join(self.other)

    one, two = Joins(), Joins()
    one.other, two.other = two, one
    with pytest.raises(Exception, match="nothing can happen any more"):
        run_virtual(one, two)


def test_rule_17_nothing_to_run_returns_at_once() -> None:
    assert run_virtual() == 0.0
    assert run_virtual(Backplane("Events")) == 0.0


def test_rule_18_end_of_input_in_one_pipeline_never_ends_another() -> None:
    short, long = Probe(), Probe()
    run_virtual(Pipeline(Feeder([1]), short), Pipeline(Feeder([1, PAUSE(60), 2]), long))
    assert (short.messages, long.messages) == ([1], [1, 2])
    assert (short.ended_by, long.ended_by) == ("finished", "finished")


def test_rule_18_nor_in_a_waiting_part_that_is_linked_to_nothing() -> None:
    noted = Noted()
    assert run_virtual(Pipeline(Feeder([1]), Probe()), noted, Feeder([PAUSE(9)])) == 9.0
    assert noted.events == ["Finished"]


@pytest.mark.parametrize("depth", [1, 2, 7, 50])
def test_row_17_an_orderly_end_with_full_boxes_delivers_everything(depth: int) -> None:
    probe = Probe(seconds_each=0.01)
    run_virtual(Pipeline(Feeder(range(200)), *[Relay() for _ in range(depth)], probe, limit=3))
    assert probe.messages == list(range(200))
