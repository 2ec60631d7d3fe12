"""Components in threads of their own: boxes, back-pressure both ways, ends, errors, and no lost wake-up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler, ThreadedComponent
from axonlike.errors import BoxEmpty, BoxFull, ComponentError, Deadlock, Finished, Stopped, UsageError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, outputs, run_virtual
from tests.kernel.scripts import run_script

pytestmark = pytest.mark.hang_guard(60)


class Upper(ThreadedComponent):
    def main(self) -> None:
        while True:
            self.send(self.recv().upper())


class Runs(ThreadedComponent):
    """Runs a function as its main."""

    Inboxes = {"tune": "another"}
    Outboxes = {"other": "another"}

    def __init__(self, body: Callable[[Any], Any], name: str = "Runs") -> None:
        self.name = name
        self.body = body
        self.result: Any = None

    def main(self) -> None:
        self.result = self.body(self)


def linked(source: Component, sink: Component, outbox: str = "outbox", inbox: str = "inbox") -> None:
    source.link((source, outbox), (sink, inbox))


def test_a_thread_takes_and_sends_in_order() -> None:
    assert outputs(Upper(), ["a", PAUSE(0.01), "b", "c"]) == ["A", "B", "C"]


def test_it_conforms() -> None:
    check_component(Upper, messages=["a", "b", "c"])


def test_a_chain_of_threads_with_small_boxes_loses_nothing() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(map(str, range(300))), Upper(), Upper(), Upper(), probe, limit=2))
    assert probe.messages == [str(number) for number in range(300)]


@pytest.mark.parametrize("limit", [1, 7])
def test_row_37_a_thread_that_floods_is_held_at_the_limit(limit: int) -> None:
    sent: list[int] = []

    def floods(part: Runs) -> None:
        for number in range(100_000):
            part.send(number)
            sent.append(number)

    thread, stalled = Runs(floods), Stalled(limit)
    linked(thread, stalled)
    run_virtual(thread, stalled, until_s=30)  # real until it is held: it may be late to begin
    assert len(sent) <= limit
    assert stalled.statistics()[0].offered == limit


def test_row_37_a_thread_that_floods_a_box_that_drops_is_bounded_too() -> None:
    def floods(part: Runs) -> None:
        for number in range(20_000):
            part.send(number)

    thread, stalled = Runs(floods), Stalled()
    stalled.configure_inbox("inbox", limit=10, policy="drop_oldest")
    linked(thread, stalled)
    run_virtual(thread, stalled, until_s=30)
    (box,) = stalled.statistics()
    assert (box.offered, box.unread_at_end) == (20_000, 10)


def test_a_thread_holds_its_own_senders_back() -> None:
    entered = threading.Event()

    def slow(part: Runs) -> list[int]:
        entered.wait()
        got = []
        try:
            while True:
                got.append(part.recv())
        except Finished:
            return got

    feeder, thread = Feeder(range(50)), Runs(slow)
    thread.configure_inbox("inbox", limit=3)
    linked(feeder, thread)

    class Opens(Component):
        sent = 0

        def main(self) -> Any:
            while feeder.sent < 3:  # in a shuffled run it may be late
                yield
            for _ in range(20):
                yield
            self.sent = feeder.sent
            entered.set()

    opens = Opens()
    run_virtual(feeder, thread, opens)
    assert opens.sent == 3
    assert thread.result == list(range(50))


def test_waiting_names_a_box_and_times_out() -> None:
    def body(part: Runs) -> list[Any]:
        seen: list[Any] = [part.wait("inbox", timeout=5), part.wait("tune", "inbox", timeout=100)]
        seen.append(part.recv(seen[-1]))
        with pytest.raises(BoxEmpty, match="nothing came into 'inbox' within 2 s"):
            part.recv(timeout=2)
        return seen

    thread, tune, keeps = Runs(body), Feeder([PAUSE(50), "88.8", PAUSE(500)]), Feeder([PAUSE(500)], name="keeps")
    linked(tune, thread, inbox="tune")
    linked(keeps, thread)
    run_virtual(thread, tune, keeps)
    assert thread.result == [None, "tune", "88.8"]


def test_a_threads_time_is_virtual_too() -> None:
    def body(part: Runs) -> None:
        assert part.scheduler is not None
        for _ in range(3):
            part.sleep(1000.0)
            part.send(part.scheduler.time())

    thread, probe = Runs(body), Probe()
    # While it works time is real, and the machine may let it stand still.
    assert run_virtual(Pipeline(thread, probe)) == pytest.approx(3000.0, abs=60.0)
    assert probe.messages == pytest.approx([1000.0, 2000.0, 3000.0], abs=60.0)


def test_the_loop_over_an_inbox_takes_what_lies_in_it() -> None:
    def body(part: Runs) -> list[Any]:
        rounds = []
        try:
            while True:
                part.wait("inbox")
                rounds.append(list(part.inbox()))
        except Finished:
            return [message for batch in rounds for message in batch]

    thread = Runs(body)
    run_virtual(Pipeline(Feeder(range(100)), thread))
    assert thread.result == list(range(100))


def test_several_outboxes_keep_their_order_each() -> None:
    def body(part: Runs) -> None:
        for number in range(200):
            part.send(number, "other" if number % 3 else "outbox")

    thread, first, second = Runs(body), Probe(), Probe()
    linked(thread, first)
    linked(thread, second, "other")
    run_virtual(thread, first, second)
    assert first.messages == [number for number in range(200) if not number % 3]
    assert second.messages == [number for number in range(200) if number % 3]


def test_row_35_a_thread_that_raises_fails_like_any_other_with_its_own_traceback() -> None:
    def body(part: Runs) -> None:
        part.recv()
        raise ValueError("in the thread")

    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder(["x"]), Runs(body)), Feeder([PAUSE(50)]))
    error = caught.value
    assert (error.path, error.number, error.value) == ("Pipeline/Runs", 1, "x")
    assert error.failed_at is not None
    assert error.failed_at.source == 'raise ValueError("in the thread")'


@pytest.mark.parametrize("policy", ["skip", "restart"])
def test_error_policies_hold_for_threads(policy: Any) -> None:
    def body(part: Runs) -> None:
        while True:
            part.send(10 // part.recv())

    thread, probe = Runs(body), Probe()
    thread.on_error = policy
    run_virtual(Pipeline(Feeder([5, 0, 2]), thread, probe))
    assert probe.messages == [2, 5]


def test_everything_sent_before_the_end_arrives_before_the_end() -> None:
    def body(part: Runs) -> None:
        for number in range(999):
            part.send(number)

    probe = Probe()
    run_virtual(Pipeline(Runs(body), probe))
    assert probe.messages == list(range(999))
    assert probe.ended_by == "finished"


def test_a_thread_whose_receivers_have_all_ended_is_stopped() -> None:
    class One(Component):
        def main(self) -> Any:
            yield self.wait("inbox")

    def endless(part: Runs) -> None:
        while True:
            part.send("x")

    thread = Runs(endless)
    run_virtual(Pipeline(thread, One(), limit=3))
    assert thread.ended


def test_a_box_that_both_threads_ask_for_first_is_one_box() -> None:
    asks, has_asked = threading.Event(), threading.Event()
    boxes: list[Any] = []

    class Asks(ThreadedComponent):
        def inbox_spec(self, name: str) -> Any:
            if not asks.is_set():  # its own thread is about to make the box
                asks.set()
                has_asked.wait(0.1)  # if the other one gets a box meanwhile, there are two
            return super().inbox_spec(name)

        def main(self) -> None:
            boxes.append(self.open_inbox("inbox"))

    part = Asks()

    class AsksToo(Component):
        def main(self) -> Generator[Any, Any, None]:
            asks.wait()
            boxes.append(part.open_inbox("inbox"))
            has_asked.set()
            yield

    Scheduler().run(part, AsksToo())
    assert boxes[0] is boxes[1]
    assert part._data == (boxes[0],)


def test_methods_for_main_refuse_to_be_called_elsewhere() -> None:
    thread = Upper()
    for method in (thread.pause, thread.wait, lambda: thread.sleep(1), lambda: thread.call_scheduler(print)):
        with pytest.raises(UsageError, match=r"is for main\(\), in the component's own thread"):
            method()


def test_call_scheduler_runs_in_the_schedulers_thread_and_brings_result_or_error_back() -> None:
    def body(part: Runs) -> Any:
        with pytest.raises(KeyError):
            part.call_scheduler(lambda: dict[str, int]()["missing"])
        return part.call_scheduler(threading.get_ident) == threading.get_ident()

    thread = Runs(body)
    run_virtual(thread)
    assert thread.result is False


def test_from_its_thread_it_can_activate_others_and_stop_itself() -> None:
    probe = Probe()

    def body(part: Runs) -> None:
        Pipeline(Feeder([1, PAUSE(0.01), 2]), probe).activate()
        part.add_child(Feeder([3], name="child"))
        part.stop()
        part.sleep(1000)

    run_virtual(Runs(body), Feeder([PAUSE(5)]))
    assert probe.messages == [1, 2]


def test_a_circle_of_full_boxes_with_a_thread_in_it_is_named() -> None:
    class Triples(Component):
        def main(self) -> Any:
            while True:
                yield self.wait("inbox")
                message = self.recv()
                for _ in range(3):
                    self.send(message)
                    yield

    def body(part: Runs) -> None:
        while True:
            message = part.recv()
            for _ in range(3):
                part.send(message)

    graph = Graphline(FEED=Feeder([1, 2]), T=Runs(body), G=Triples(), links="FEED -> T; T -> G; G -> T")
    for name in ("T", "G"):
        graph.components[name].configure_inbox("inbox", limit=1)
    with pytest.raises(Deadlock, match="circle of full boxes") as caught:
        run_virtual(graph)
    assert "T.inbox" in str(caught.value)
    assert "G.inbox" in str(caught.value)


def test_a_message_on_its_way_to_a_thread_is_not_the_end_of_the_run() -> None:
    # A scheduler with nothing to do must not take a thread that has just been rung for as one that waits.
    def body(part: Runs) -> None:
        while True:
            part.send(part.recv())

    class PingPong(Component):
        got = 0

        def main(self) -> Any:
            for number in range(2000):
                self.send(number)
                yield self.wait("inbox")
                assert self.recv() == number
                self.got += 1

    ping, thread = PingPong(), Runs(body)
    linked(ping, thread)
    linked(thread, ping)
    run_virtual(ping, thread)
    assert ping.got == 2000


def test_row_38_a_thread_that_cannot_be_started_is_an_error_and_the_rest_stops_in_order() -> None:
    done = run_script(
        """
        import resource
        class Deaf(ThreadedComponent):
            def main(self):
                self.recv()
        say("ready")
        threading.stack_size(1 << 30)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
        try:
            Scheduler(watchdog_s=None).run(Says("other", ""), Deaf())
        except Exception as exc:
            say(str(exc))
        """
    )
    assert "cannot start its thread" in done.out, done.err
    assert "component 'Deaf' failed" in done.out


@pytest.mark.slow
@pytest.mark.hang_guard(300)
def test_row_11_a_million_sends_from_a_thread_lose_no_wake_up() -> None:
    number = 1_000_000

    class Counts(Component):
        total = 0
        expected = 0

        def main(self) -> Any:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    assert message == self.expected
                    self.expected += 1

    def floods(part: Runs) -> None:
        for message in range(number):
            part.send(message)

    counts = Counts()
    Scheduler(watchdog_s=None).run(Pipeline(Runs(floods), counts))
    assert counts.expected == number


@pytest.mark.slow
@pytest.mark.hang_guard(300)
def test_row_11_one_message_at_a_time_through_two_threads_loses_no_wake_up() -> None:
    def body(part: Runs) -> None:
        while True:
            part.send(part.recv())

    class PingPong(Component):
        got = 0

        def main(self) -> Any:
            for number in range(6_000):
                self.send(number)
                yield self.wait("inbox")
                assert self.recv() == number
                self.got += 1

    ping, first, second = PingPong(), Runs(body, "first"), Runs(body, "second")
    linked(ping, first)
    linked(first, second)
    linked(second, ping)
    Scheduler(watchdog_s=None).run(ping, first, second)
    assert ping.got == 6_000


def test_sleep_of_nothing_and_stop_while_it_computes() -> None:
    computes = threading.Event()

    def body(part: Runs) -> int:
        part.sleep(0)
        rounds = 0
        while not part.stopping:
            time.monotonic()
            rounds += 1
            computes.set()
        return rounds

    class Stops(Component):
        def main(self) -> Any:
            while not computes.is_set():  # it may be late to begin
                yield self.sleep(0.01)
            assert self.scheduler is not None
            self.scheduler.stop()

    thread = Runs(body)
    run_virtual(thread, Stops())
    assert thread.result > 0


def test_a_thread_can_ask_whether_its_input_has_ended() -> None:
    seen: list[bool] = []

    def body(self: Any) -> None:
        seen.append(self.input_ended)
        self.recv()
        while not self.input_ended:
            self.sleep(1.0)
        seen.append(self.data_ready() == 0)

    run_virtual(Pipeline(Feeder([PAUSE(30), 1, PAUSE(30)]), Runs(body)))
    assert seen == [False, True]


def test_what_a_thread_takes_is_counted() -> None:
    part = Runs(lambda self: [self.recv() for _ in range(2)])
    run_virtual(Pipeline(Feeder([1, 2]), part))
    assert part.result == [1, 2]
    assert part.statistics()[0].taken == 2


# -- one message at a time, each of which finds the scheduler asleep: the compiled way


def one_by_one(part: Runs) -> None:
    for number in range(5):
        part.send(number)
        part.call_scheduler(lambda: None)  # until it has been sent


def test_one_message_at_a_time_arrives_and_is_counted() -> None:
    thread, probe = Runs(one_by_one), Probe()
    linked(thread, probe)
    scheduler = Scheduler()
    scheduler.run(thread, probe)
    assert probe.messages == [0, 1, 2, 3, 4]
    assert scheduler.slices >= 5


def test_one_message_that_is_refused_fails_its_thread() -> None:
    thread, stalled = Runs(one_by_one), Stalled(2)
    stalled.open_inbox("inbox").policy = "error"
    linked(thread, stalled)
    with pytest.raises(ComponentError) as caught:
        Scheduler(watchdog_s=None).run(thread, stalled)
    assert isinstance(caught.value.cause, BoxFull)
    assert "› Runs" in str(caught.value)


def test_a_defect_in_the_slice_that_a_message_of_a_thread_begins_ends_the_run() -> None:
    class Breaks(Component):
        def main(self) -> Any:
            for _ in range(3):  # by then it is asleep between two messages
                yield self.wait()
                self.recv()
            assert self.scheduler is not None
            self.scheduler.ready.append(None)  # type: ignore[arg-type]
            yield self.wait()

    thread, breaks = Runs(one_by_one), Breaks()
    linked(thread, breaks)
    with pytest.raises((TypeError, AttributeError)):
        Scheduler(watchdog_s=None).run(thread, breaks)


def test_what_a_thread_handed_over_is_not_sent_any_more_when_its_component_has_ended() -> None:
    bodies: list[Any] = []

    def hands_over(part: Runs) -> None:
        bodies.append(part._body)
        part.send("in time")

    thread, probe = Runs(hands_over), Probe()
    linked(thread, probe)
    Scheduler().run(thread, probe)
    (body,) = bodies
    body.outgoing.append(("outbox", "late"))
    body._pump()
    assert probe.messages == ["in time"]
    assert not body.outgoing


def test_a_thread_whose_question_nobody_answers_any_more_gets_stopped() -> None:
    """The second Ctrl-C, or the deadline, ends the loop with what was posted to it not called."""

    class Asks(ThreadedComponent):
        told: BaseException | None = None
        thread: threading.Thread | None = None

        def main(self) -> None:
            self.thread = threading.current_thread()
            scheduler: Any = self.scheduler
            scheduler.call_from_thread = lambda action: True
            try:
                self.call_scheduler(lambda: None)
            except BaseException as exc:
                self.told = exc
                raise

    class Ends(Component):
        def main(self) -> Generator[Any, Any, None]:
            while asks.thread is None:
                yield self.sleep(0.001)
            assert self.scheduler is not None
            self.scheduler.stop()

    asks = Asks()
    Scheduler(stop_deadline_s=0.1).run(asks, Ends())
    assert asks.thread is not None
    asks.thread.join(60)
    assert isinstance(asks.told, Stopped)
