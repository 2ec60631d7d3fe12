"""`async def main` as asyncio sees it: the task it shows, cancelling in every state."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from axonlike import Component, Pipeline
from axonlike.errors import ComponentError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual


class Body(Component):
    """Runs a coroutine function; cleans up for a second when it is cancelled."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.log: list[Any] = []

    async def main(self) -> None:
        try:
            await self.body(self)
        except asyncio.CancelledError as exc:
            self.log.append("cancelled")
            self.reason = exc.args
            await asyncio.sleep(1.0)
            await self.sleep(1.0)
            self.log.append("cleaned up")
            raise


async def sleeps(part: Component) -> None:
    await part.sleep(1000)


async def waits(part: Component) -> None:
    await part.wait("inbox")


async def awaits(part: Component) -> None:
    await asyncio.sleep(1000)


async def sends(part: Component) -> None:
    while True:
        await part.send("x")


async def computes(part: Component) -> None:
    while True:
        await part.sleep(0.001)


async def joins(part: Component) -> None:
    child = Feeder([PAUSE(1000)])
    part.add_child(child)
    await part.join(child)


@pytest.mark.parametrize("body", [sleeps, waits, awaits, sends, computes, joins])
def test_shutdown_cancels_it_wherever_it_stands_and_lets_it_clean_up(body: Any) -> None:
    part, stalled, keeps = Body(body), Stalled(limit=2), Feeder([PAUSE(10_000)])
    part.link((part, "outbox"), (stalled, "inbox"))
    keeps.link((keeps, "outbox"), (part, "inbox"))
    assert run_virtual(part, stalled, keeps, until_s=5.0) == 7.0
    assert part.log == ["cancelled", "cleaned up"]


def test_the_task_can_be_cancelled_from_outside_like_any_task() -> None:
    tasks: list[Any] = []

    async def shows(part: Body) -> None:
        tasks.append(asyncio.current_task())
        await part.wait("inbox")

    class Cancels(Component):
        def main(self) -> Any:
            yield self.sleep(1)
            assert tasks[0].cancel("by hand")
            yield self.sleep(5)
            assert not tasks[0].cancel()
            assert tasks[0].done()

    part = Body(shows)
    keeps = Feeder([PAUSE(50)])
    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(keeps, part), Cancels())
    assert isinstance(caught.value.cause, asyncio.CancelledError)
    assert part.log == ["cancelled", "cleaned up"]
    assert part.reason == ("by hand",)


def test_cancelling_and_uncancel_count() -> None:
    async def body(part: Body) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        task.cancel()
        assert task.cancelling() == 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            assert task.uncancel() == 0
        await asyncio.sleep(1)
        part.log.append("went on")

    part = Body(body)
    assert run_virtual(part) == 1.0
    assert part.log == ["went on"]


@pytest.mark.parametrize("what", ["asyncio", "ours", "message", "send"])
def test_cancelled_in_its_own_step_it_does_not_begin_to_wait(what: str) -> None:
    async def body(part: Body) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("now")
        try:
            if what == "asyncio":
                await asyncio.sleep(100)
            elif what == "ours":
                await part.sleep(100)
            elif what == "message":
                await part.wait("inbox")
            else:
                for _ in range(3):
                    await part.send("x")
        except asyncio.CancelledError as exc:
            part.log.append(exc.args)
            task.uncancel()

    part, stalled, keeps = Body(body), Stalled(limit=1), Feeder([PAUSE(50)])
    part.link((part, "outbox"), (stalled, "inbox"))
    keeps.link((keeps, "outbox"), (part, "inbox"))
    ended_s: list[float] = []

    class Looks(Component):
        def main(self) -> Any:
            yield self.join(part)
            assert self.scheduler is not None
            ended_s.append(self.scheduler.time())

    run_virtual(part, keeps, Looks(), stalled, until_s=60)
    assert part.log == [("now",)]
    assert ended_s == [0.0]


def test_the_task_shows_name_coroutine_and_stack() -> None:
    async def body(part: Body) -> None:
        task: Any = asyncio.current_task()
        assert task.get_name() == "Pipeline/Body"
        assert task.get_coro().__name__ == "main"
        assert task.get_stack()[0].f_code.co_name == "main"
        task.set_name("renamed")
        part.log.append(part.name)

    part = Body(body)
    run_virtual(Pipeline(part))
    assert part.log == ["renamed"]


def test_no_task_is_current_between_its_steps() -> None:
    seen: list[Any] = []

    class Looks(Component):
        def main(self) -> Any:
            for _ in range(3):
                seen.append(asyncio.current_task())
                yield

    run_virtual(Body(computes), Looks(), until_s=1.0)
    assert seen == [None, None, None]


def test_nested_timeouts_cut_at_the_right_one() -> None:
    async def body(part: Body) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(2):
                try:
                    async with asyncio.timeout(5):
                        await part.sleep(100)
                except TimeoutError:
                    part.log.append("inner")
        except TimeoutError:
            part.log.append(("outer", loop.time()))

    part = Body(body)
    run_virtual(part)
    assert part.log == [("outer", 2.0)]


def test_a_time_out_that_is_not_reached_leaves_nothing_behind() -> None:
    async def body(part: Body) -> None:
        for _ in range(5):
            async with asyncio.timeout(10):
                await part.sleep(1)
        await part.sleep(100)
        part.log.append("done")

    part = Body(body)
    assert run_virtual(part) == 105.0
    assert part.log == ["done"]


@pytest.mark.parametrize("how", ["event", "future", "queue", "gather", "shield", "to_thread", "condition"])
def test_it_awaits_what_asyncio_has(how: str) -> None:
    async def body(part: Body) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        if how == "event":
            event = asyncio.Event()
            loop.call_later(3, event.set)
            await event.wait()
        elif how == "future":
            future: asyncio.Future[str] = loop.create_future()
            loop.call_later(3, future.set_result, "x")
            assert await future == "x"
        elif how == "queue":
            queue: asyncio.Queue[int] = asyncio.Queue()
            loop.call_later(3, queue.put_nowait, 1)
            assert await queue.get() == 1
        elif how == "gather":
            assert [*await asyncio.gather(asyncio.sleep(1, "a"), asyncio.sleep(3, "b"))] == ["a", "b"]
        elif how == "shield":
            await asyncio.shield(asyncio.sleep(3))
        elif how == "condition":
            condition = asyncio.Condition()
            async with condition:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(3):
                        await condition.wait()
        else:
            assert await asyncio.to_thread(len, "abc") == 3
            began_s = loop.time()  # while the thread worked, time was real
            await part.sleep(3)
        part.log.append(loop.time() - began_s)

    part = Body(body)
    run_virtual(part)
    assert part.log == [pytest.approx(3.0)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before 3.12 asyncio.wait_for runs its argument in another task")
def test_wait_for_works_around_our_own_waits() -> None:
    async def body(part: Body) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(part.wait("inbox"), 2)
        part.log.append("done")

    part = Body(body)
    run_virtual(Pipeline(Feeder([PAUSE(10)]), part))
    assert part.log == ["done"]


def test_our_waits_in_a_task_of_ones_own_fail_and_tell() -> None:
    async def body(part: Body) -> None:
        await asyncio.create_task(waits(part))

    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder([PAUSE(10)]), Body(body)))
    assert "UsageError: wait('inbox') is awaited in an asyncio task" in str(caught.value)
    assert "asyncio.timeout" in str(caught.value)


def test_async_for_takes_everything_and_conforms() -> None:
    class Relay(Component):
        async def main(self) -> None:
            async for message in self.inbox():
                await self.send(message)

    probe = Probe()
    run_virtual(Pipeline(Feeder(range(100)), Relay(), Relay(), probe, limit=3))
    assert probe.messages == list(range(100))
    check_component(Relay, messages=[1, 2, 3])


def test_an_async_body_without_any_await_runs_to_its_end() -> None:
    class Plain(Component):
        async def main(self) -> None:
            self.send(1)

    probe = Probe()
    run_virtual(Pipeline(Plain(), probe))
    assert probe.messages == [1]
