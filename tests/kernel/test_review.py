"""Faults that a review of the kernel found: each test fails without its fix."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, run
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.box import Inbox
from axonlike.errors import Deadlock, NameNotProvided
from axonlike.restarts import Backoff, RestartLimit
from axonlike.scheduler import Scheduler
from axonlike.testing import VirtualLoop, run_virtual


class Sends(Component):
    def __init__(self, *messages: Any) -> None:
        self.messages = messages

    def main(self) -> Generator[Any, Any, None]:
        for message in self.messages:
            self.send(message)
        yield


class Rests(Component):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.seconds)


class Does(Component):
    """Calls something once."""

    def __init__(self, action: Any, after_s: float = 0.0) -> None:
        self.action, self.after_s = action, after_s

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.after_s)
        self.action()


@pytest.mark.parametrize("second", ["loop", "recv"])
def test_one_step_may_take_from_a_box_by_a_loop_and_then_otherwise(second: str) -> None:
    class Takes(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.got: list[Any] = []
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.got.append(message)
                    break
                if second == "loop":
                    self.got += list(self.inbox())
                while self.data_ready():
                    self.got.append(self.recv())

    takes = Takes()
    run(Pipeline(Sends(*range(6)), takes))
    assert takes.got == list(range(6))
    assert takes.statistics()[0].taken == 6


def test_two_runs_in_one_event_loop_may_end_in_any_order() -> None:
    first, last, after = Rests(0.01), Rests(0.03), Rests(0.0)

    async def both() -> None:
        await asyncio.gather(Scheduler().run_async(first), Scheduler().run_async(last))

    asyncio.run(both())
    run(after)
    assert first.ended
    assert last.ended
    assert after.ended


def test_a_service_alone_does_not_end_a_with_block() -> None:
    with Scheduler() as scheduler:
        backplane, first = Backplane("x"), Rests(0.0)
        scheduler.activate(backplane, first)
        ended = scheduler.call(lambda: first.ended)
        while not ended:
            ended = scheduler.call(lambda: first.ended)
        scheduler.activate(Rests(0.0))
        assert not backplane.ended


def test_an_async_body_that_was_ready_when_it_was_stopped_may_sleep_in_its_finally() -> None:
    class Cleans(Component):
        slept = False

        async def main(self) -> None:
            try:
                while True:
                    await asyncio.sleep(0)
            finally:
                began_s = self.scheduler.time()  # type: ignore[union-attr]
                await self.sleep(0.05)
                self.slept = self.scheduler.time() - began_s >= 0.05  # type: ignore[union-attr]

    cleans = Cleans()
    run(cleans, Does(cleans.stop, 0.01))
    assert cleans.slept


def test_a_full_box_does_not_delay_the_stop_of_what_awaits_a_future() -> None:
    class Awaits(Component):
        stopped_s = 0.0

        async def main(self) -> None:
            began_s = self.scheduler.time()  # type: ignore[union-attr]
            for number in range(3):
                self.send(number)
            try:
                await asyncio.sleep(100)
            finally:
                self.stopped_s = self.scheduler.time() - began_s  # type: ignore[union-attr]

    awaits = Awaits()
    run_virtual(Pipeline(awaits, Rests(0.5), limit=1), Does(awaits.stop, 0.05))
    assert 0 < awaits.stopped_s < 0.4


def test_cancelling_an_async_body_reaches_it_while_it_rests_in_the_deque(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AXONLIKE_SHUFFLE", raising=False)  # its subject is one order
    class Waits(Component):
        cancelled = False

        async def main(self) -> None:
            self.task = asyncio.current_task()
            try:
                while True:
                    await self.wait("inbox")
                    self.recv()
            except asyncio.CancelledError:
                self.cancelled = True

    class Cancels(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            self.send(1)
            yield
            while waits._rests_on is None:
                yield
            assert waits.task is not None
            waits.task.cancel()

    waits = Waits()
    run(Pipeline(Cancels(), waits))
    assert waits.cancelled


def test_a_future_that_was_done_when_its_waiter_was_cancelled_releases_nothing_later() -> None:
    class Awaits(Component):
        slept = False
        future: asyncio.Future[None] | None = None

        async def main(self) -> None:
            self.task = asyncio.current_task()
            self.future = asyncio.get_running_loop().create_future()
            try:
                await self.future
            except asyncio.CancelledError:
                await asyncio.sleep(0.02)
                self.slept = True

    class Cancels(Component):
        def main(self) -> Generator[Any, Any, None]:
            while awaits.future is None:
                yield
            yield
            awaits.future.set_result(None)
            assert awaits.task is not None
            awaits.task.cancel()

    awaits = Awaits()
    run(awaits, Cancels())
    assert awaits.slept


def test_skip_counts_the_messages_of_all_boxes() -> None:
    class Fails(Component):
        Inboxes = {"other": ""}
        on_error = "skip"
        seen = 0

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait()
                box = self.any_ready()
                assert box is not None
                self.recv(box)
                self.seen += 1
                raise ValueError(box)

    fails = Fails()
    run(Graphline(A=Sends(1), B=Sends(1), C=fails, links="A -> C; B -> C.other"))
    assert fails.seen == 2


def test_a_part_that_backs_off_does_not_keep_those_behind_it_out_of_a_box() -> None:
    class Slow(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.at_s: list[float] = []
            yield self.sleep(0.05)
            began_s = self.scheduler.time()  # type: ignore[union-attr]
            while True:
                yield self.wait("inbox")
                for _ in self.inbox():
                    self.at_s.append(self.scheduler.time() - began_s)  # type: ignore[union-attr]

    class Fails(Component):
        on_error = "restart"
        tries = 0

        def main(self) -> Generator[Any, Any, None]:
            self.tries += 1
            if self.tries == 1:
                self.send("a")
                yield
                raise ValueError

    class Sender(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.send("b")
            yield
            self.send("c")

    slow, fails, sender = Slow().configure_inbox(limit=1), Fails(), Sender()
    fails._restarts = RestartLimit(backoff=Backoff(1.0, 1.0, jitter=0.0))
    for part in (fails, sender):
        part.link((part, "outbox"), (slow, "inbox"))
    run_virtual(fails, sender, slow)
    assert max(slow.at_s) < 0.5


def test_parts_that_could_not_be_started_give_their_names_back() -> None:
    class Tries(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(5):
                with pytest.raises(NameNotProvided):
                    SubscribeTo("nowhere").activate()
                yield
            assert self.scheduler is not None
            self.taken = len(self.scheduler._root_names._taken)

    tries = Tries()
    run(tries)
    assert tries.taken == 1


def test_joining_with_a_time_out_again_and_again_leaves_nothing() -> None:
    class Joins(Component):
        async def main(self) -> None:
            other = Rests(0.1)
            self.add_child(other)
            for _ in range(5):
                try:
                    async with asyncio.timeout(0.001):
                        await self.join(other)
                except TimeoutError:
                    pass
            self.left = len(other._joined_by or ())

    joins = Joins()
    run_virtual(joins)
    assert joins.left == 1


def test_a_thread_that_empties_its_box_while_a_policy_drops_is_no_error() -> None:
    class Raced(deque[Any]):
        def popleft(self) -> Any:
            self.clear()
            return super().popleft()

    inbox = Inbox(Rests(0.0), "inbox", 1, "latest")
    inbox.queue = Raced([1])
    inbox.put(2)
    assert inbox.dropped == 0


def test_an_async_body_that_is_stopped_amid_a_loop_over_a_full_box_ends_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Loops(Component):
        async def main(self) -> None:
            async for _ in self.inbox():
                await self.sleep(10)

    class Fills(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                self.send(0)
                yield

    loops = Loops().configure_inbox(limit=3)
    Scheduler(stop_deadline_s=0.5, loop_factory=VirtualLoop).run(Pipeline(Fills(), loops), Does(loops.stop, 0.05))
    assert "did not stop" not in caplog.text
    assert loops.ended


def test_a_deadlock_stops_the_one_whose_step_came_before_it_was_found(caplog: pytest.LogCaptureFixture) -> None:
    class Circles(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.send(1)
            yield

    class Sleeps(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            yield self.wait(timeout=50)

    a, b = Circles().configure_inbox(limit=1), Circles().configure_inbox(limit=1)
    a.link((a, "outbox"), (b, "inbox"))
    a.link((b, "outbox"), (a, "inbox"))
    scheduler = Scheduler(stop_deadline_s=0.5, loop_factory=VirtualLoop)
    with pytest.raises(Deadlock):
        scheduler.run(a, Sleeps(), b)
    assert "did not stop" not in caplog.text
