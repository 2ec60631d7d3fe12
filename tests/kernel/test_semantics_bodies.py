"""SEMANTICS, "Bodies": rules 8 to 12, each by number."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from axonlike import Box, Component, Pipeline, Scheduler, step
from axonlike.errors import BadYield, ComponentError, NoSuchBox
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, VirtualLoop, outputs, run_virtual

pytestmark = pytest.mark.hang_guard(30)


class KamaeliasIdiom(Component):
    """As programs for Kamaelia are written."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            while self.data_ready("inbox"):
                self.send(self.recv("inbox"))
            if not self.any_ready():
                self.pause()
            yield 1


def test_rule_08_kamaelias_idiom_works_as_it_stands() -> None:
    assert outputs(KamaeliasIdiom(), [1, 2, PAUSE(10), 3]) == [1, 2, 3]


def test_rule_08_one_read_per_wake_does_not_stall() -> None:
    class OneATurn(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                if self.data_ready():
                    self.send(self.recv())
                self.pause()
                yield

    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(20):
                self.send(number)
            yield

    probe = Probe()
    run_virtual(Pipeline(Burst(), OneATurn(), probe))
    assert probe.messages == list(range(20))


def test_rule_08_a_message_of_this_very_step_counts_as_arrived() -> None:
    turns: list[int] = []

    class ToItself(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(5):
                self.send(number)
                self.pause()
                yield
                turns.append(self.recv())

    part = ToItself()
    part.link((part, "outbox"), (part, "inbox"))
    run_virtual(part)
    assert turns == [0, 1, 2, 3, 4]


def test_rule_08_a_box_left_unread_on_purpose_does_not_spin() -> None:
    turns: list[float] = []

    class Patient(Component):
        Inboxes = {"later": "read at the end"}

        def main(self) -> Generator[Any, Any, None]:
            while not self.data_ready("inbox"):
                self.pause()
                yield
                assert self.scheduler is not None
                turns.append(self.scheduler.time())
            while self.data_ready("later"):
                self.send(self.recv("later"))

    patient, probe = Patient(), Probe()
    later, go = Feeder(["a", PAUSE(1), "b"], name="later"), Feeder([PAUSE(100), "go"], name="go")
    go.link((go, "outbox"), (patient, "inbox"))
    later.link((later, "outbox"), (patient, "later"))
    patient.link((patient, "outbox"), (probe, "inbox"))
    run_virtual(go, later, patient, probe)
    assert probe.messages == ["a", "b"]
    assert len(turns) <= 6, turns


def test_rule_08_pause_is_over_at_the_next_yield_only() -> None:
    class Sleeper(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.pause()
            yield self.sleep(3.0)
            yield

    assert run_virtual(Sleeper()) == 3.0


class Waits(Component):
    """Waits as told and sends each result on `report`."""

    Inboxes = {"tune": "another"}
    Outboxes = {"report": "what the waits returned"}

    def __init__(self, *boxes: str, timeout: float | None = None, number: int = 2) -> None:
        self.boxes, self.timeout, self.number = boxes, timeout, number

    def main(self) -> Generator[Any, Any, None]:
        for _ in range(self.number):
            box = yield self.wait(*self.boxes, timeout=self.timeout)
            self.send(box, "report")
            if box:
                self.recv(box)


class AsyncWaits(Waits):
    async def main(self) -> None:  # type: ignore[override]
        for _ in range(self.number):
            box = await self.wait(*self.boxes, timeout=self.timeout)
            await self.send(box, "report")
            if box:
                self.recv(box)


def reports(part: Waits, inbox: list[Any], tune: list[Any], control: list[Any]) -> list[tuple[float, Any]]:
    probe = Probe()
    feeders = []
    for box, items in (("inbox", inbox), ("tune", tune), ("control", control)):
        feeder = Feeder([*items, PAUSE(50)], name=f"feeds-{box}")
        feeder.link((feeder, "outbox"), (part, box))
        feeders.append(feeder)
    part.link((part, "report"), (probe, "inbox"))
    run_virtual(part, probe, *feeders)
    return probe.timed


BOTH_KINDS = pytest.mark.parametrize("kind", [Waits, AsyncWaits])


@BOTH_KINDS
def test_rule_09_without_names_any_box_but_control_ends_the_wait(kind: type[Waits]) -> None:
    got = reports(kind(), [PAUSE(2), "data"], [PAUSE(1), "tuned"], ["something else"])
    assert got == [(1.0, "tune"), (2.0, "inbox")]


@BOTH_KINDS
def test_rule_09_named_boxes_alone_end_the_wait(kind: type[Waits]) -> None:
    got = reports(kind("tune", number=1), [PAUSE(1), "data"], [PAUSE(3), "tuned"], [])
    assert got == [(3.0, "tune")]


@BOTH_KINDS
def test_rule_09_control_can_be_named(kind: type[Waits]) -> None:
    got = reports(kind("control", "inbox", number=1), [PAUSE(4), "data"], [], [PAUSE(3), "something else"])
    assert got == [(3.0, "control")]


@BOTH_KINDS
def test_rule_09_the_first_ready_box_in_the_order_of_names_is_returned(kind: type[Waits]) -> None:
    class Late(kind):  # type: ignore[misc, valid-type]
        pass

    part = Late("tune", "inbox", number=2)
    part.open_inbox("inbox").put("data")
    part.open_inbox("tune").put("tuned")
    assert reports(part, [], [], []) == [(0.0, "tune"), (0.0, "inbox")]


@BOTH_KINDS
def test_rule_09_none_after_the_time_out_and_the_name_before_it(kind: type[Waits]) -> None:
    got = reports(kind("inbox", timeout=2.0, number=3), [PAUSE(5), "data"], [], [])
    assert got == [(2.0, None), (4.0, None), (5.0, "inbox")]


@BOTH_KINDS
@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_rule_09_a_time_out_of_nothing_is_a_look(kind: type[Waits], timeout: float) -> None:
    assert reports(kind("inbox", timeout=timeout, number=2), [PAUSE(1)], [], []) == [(0.0, None), (0.0, None)]


@BOTH_KINDS
def test_rule_09_a_box_that_is_not_there_is_an_error_at_the_users_line(kind: type[Waits]) -> None:
    with pytest.raises(ComponentError) as caught:
        reports(kind("tuna"), [], [], [])
    assert isinstance(caught.value.cause, NoSuchBox)
    assert "no inbox 'tuna'; did you mean 'tune'?" in str(caught.value.cause)
    assert caught.value.failed_at is not None
    assert "self.wait(*self.boxes" in caught.value.failed_at.source


@pytest.mark.parametrize("what", [2, "soon", object(), [], 1.0, asyncio.sleep])
def test_rule_09_any_other_yield_is_an_error_with_the_users_line(what: Any) -> None:
    class Odd(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield what

    with pytest.raises(ComponentError) as caught:
        run_virtual(Odd())
    assert isinstance(caught.value.cause, BadYield)
    assert "use `yield from` for a generator of your own" in str(caught.value.cause)
    assert caught.value.failed_at is not None
    assert caught.value.failed_at.source == "yield what"


def test_rule_09_yield_from_a_generator_of_ones_own() -> None:
    class Nested(Component):
        def pair(self) -> Generator[Any, Any, tuple[Any, Any]]:
            yield self.wait("inbox")
            first = self.recv()
            yield self.wait("inbox")
            return first, self.recv()

        def main(self) -> Generator[Any, Any, None]:
            while True:
                self.send((yield from self.pair()))

    assert outputs(Nested(), [1, 2, PAUSE(1), 3, 4]) == [(1, 2), (3, 4)]


class InAsync(Component):
    """Runs one coroutine function as its body."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.result: Any = None

    async def main(self) -> None:
        self.result = await self.body(self)


def result_of(body: Any, *others: Component) -> Any:
    part = InAsync(body)
    for other in others:
        other.link((other, "outbox"), (part, "inbox"))
    run_virtual(part, *others)
    return part.result


def test_rule_10_there_is_a_current_task_of_its_own() -> None:
    async def names(part: Component) -> tuple[Any, Any]:
        before = asyncio.current_task()
        await asyncio.sleep(1)
        await part.sleep(1)
        assert asyncio.current_task() is before
        assert before is not None
        return before, before.get_name()

    first, second = InAsync(names), InAsync(names)
    second.name = "second"
    run_virtual(first, second)
    assert first.result[0] is not second.result[0]
    assert second.result[1] == "second"
    assert first.result[0].done()


@pytest.mark.parametrize("what", ["asyncio", "ours", "message"])
def test_rule_10_asyncio_timeout_works_around_every_kind_of_await(what: str) -> None:
    async def body(part: Component) -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                if what == "asyncio":
                    await asyncio.sleep(100)
                elif what == "ours":
                    await part.sleep(100)
                else:
                    await part.wait("inbox")
        await part.sleep(1)
        return loop.time()

    assert result_of(body, Feeder([PAUSE(50)])) == 6.0


def test_rule_10_asyncio_timeout_works_around_a_blocked_send() -> None:
    async def body(part: Component) -> int:
        sent = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                while True:
                    await part.send(sent)
                    sent += 1
        return sent

    part, stalled = InAsync(body), Stalled(limit=3)
    part.link((part, "outbox"), (stalled, "inbox"))
    run_virtual(part, stalled, until_s=10)
    assert part.result == 2  # the third is in the box, its send was interrupted


def test_rule_10_task_groups_work_and_their_errors_come_out() -> None:
    async def body(part: Component) -> list[int]:
        async def later(number: int) -> int:
            await asyncio.sleep(number)
            return number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(later(number)) for number in (3, 1, 2)]
        return [task.result() for task in tasks]

    assert result_of(body) == [3, 1, 2]

    async def failing(part: Component) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(100))
            await asyncio.sleep(1)
            raise ValueError("in the group")

    with pytest.raises(ComponentError) as caught:
        result_of(failing)
    assert isinstance(caught.value.cause, ExceptionGroup)


def test_rule_10_a_child_task_that_fails_cancels_the_component_in_its_group() -> None:
    async def body(part: Component) -> str:
        async def fails() -> None:
            await asyncio.sleep(1)
            raise LookupError("child")

        outcome = "nothing"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await part.wait("inbox")
        except* LookupError:
            outcome = "caught"
        await part.sleep(1)  # it is not cancelled any more
        return outcome

    assert result_of(body, Feeder([PAUSE(50)])) == "caught"


def test_rule_10_executors_queues_and_locks_of_asyncio_work() -> None:
    async def body(part: Component) -> tuple[int, int]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        lock = asyncio.Lock()
        async with lock:
            queue.put_nowait(3)
        return await asyncio.to_thread(sum, [1, 2]), await queue.get()

    assert result_of(body) == (3, 3)


def test_rule_10_context_variables_are_the_components_own() -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="outer")

    async def body(part: Component) -> list[str]:
        variable.set(part.name)
        await part.sleep(1)
        return [variable.get()]

    first, second = InAsync(body), InAsync(body)
    second.name = "second"
    run_virtual(first, second)
    assert (first.result, second.result, variable.get()) == (["InAsync"], ["second"], "outer")


class WebServer(Component):
    """Answers each POST with its text in capitals, and sends on what was asked; ends at a DELETE."""

    Outboxes = {"address": "where it listens", "outbox": "what was asked"}

    async def main(self) -> None:
        from aiohttp import web

        # aiohttp calls these in tasks of its own, which may not wait for a box: main() does.
        questions: asyncio.Queue[str | None] = asyncio.Queue(1)

        async def answer(request: web.Request) -> web.Response:
            text = await request.text()
            await questions.put(text)
            return web.Response(text=text.upper())

        async def end(_request: web.Request) -> web.Response:
            await questions.put(None)
            return web.Response()

        application = web.Application()
        application.add_routes([web.post("/", answer), web.delete("/", end)])
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            await self.send("http://{}:{}/".format(*runner.addresses[0][:2]), "address")
            while (text := await questions.get()) is not None:
                await self.send(text)
        finally:
            await runner.cleanup()


class WebClient(Component):
    """Posts what comes, one after the other, and sends on the answers."""

    Inboxes = {"inbox": "what to ask", "address": Box("whom", aside=True)}

    async def main(self) -> None:
        import aiohttp

        await self.wait("address")
        address = self.recv("address")
        async with aiohttp.ClientSession() as session:
            async for text in self.inbox():
                async with session.post(address, data=text) as response:
                    await self.send(await response.text())
            async with session.delete(address) as response:
                await self.send(f"the end: {response.status}")


def test_rule_10_an_aiohttp_server_and_client_work_in_it_and_end_in_order() -> None:
    """Both on one scheduler, their messages through boxes that hold two, so that back-pressure is in play too."""
    server, client, answered = WebServer(), WebClient(), Probe()
    asked = Probe(seconds_each=0.002)
    texts = [f"question {number}" for number in range(20)]
    asked.configure_inbox("inbox", limit=2)
    server.link((server, "address"), (client, "address"))
    server.link((server, "outbox"), (asked, "inbox"))
    run_virtual(Pipeline(Feeder(texts), client, answered, limit=2), server, asked)
    assert asked.messages == texts
    assert answered.messages == [*(text.upper() for text in texts), "the end: 200"]
    assert (asked.ended_by, answered.ended_by) == ("finished", "finished")
    # That no socket, task or thread is left is for the guards around each test (tests/conftest.py).


def test_rule_11_none_is_nothing_and_a_value_is_sent() -> None:
    assert outputs(step(lambda n: n if n % 2 else None), [1, 2, 3, 4]) == [1, 3]


@pytest.mark.parametrize("value", [[1, 2], "text", (1,), {"a": 1}, 0, "", False])
def test_rule_11_only_an_iterator_means_many(value: Any) -> None:
    assert outputs(step(lambda _: value), ["x"]) == [value]


def test_rule_11_an_iterator_is_many_and_a_generator_function_will_do() -> None:
    @step
    def words(line: str) -> Iterator[str]:
        yield from line.split()

    assert outputs(words, ["a b", "", "c"]) == ["a", "b", "c"]


@pytest.mark.parametrize("limit", [1, 4])
def test_rule_11_an_iterator_is_pulled_only_while_there_is_room(limit: int) -> None:
    pulled: list[int] = []

    def many(_message: Any) -> Iterator[int]:
        for number in range(100):
            pulled.append(number)
            yield number

    part, stalled, feeder = step(many), Stalled(limit), Feeder(["go"])
    feeder.link((feeder, "outbox"), (part, "inbox"))
    part.link((part, "outbox"), (stalled, "inbox"))
    run_virtual(feeder, part, stalled, until_s=1)
    assert stalled.statistics()[0].offered == limit
    assert len(pulled) == limit


def test_rule_11_an_endless_iterator_is_closed_when_its_receiver_ends() -> None:
    closed: list[bool] = []

    def endless(_message: Any) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    class One(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")

    run_virtual(Pipeline(Feeder(["go"]), step(endless), One(), limit=2))
    assert closed == [True]


def test_rule_12_what_a_callback_of_the_loop_raises_ends_the_run() -> None:
    class Sets(Component):
        def main(self) -> Generator[Any, Any, None]:
            def fails() -> None:
                raise LookupError("in a callback")

            assert self.scheduler is not None
            assert self.scheduler.loop is not None
            self.scheduler.loop.call_later(1, fails)
            yield self.sleep(100)

    with pytest.raises(LookupError, match="in a callback"):
        run_virtual(Sets())


def test_rule_12_a_timer_of_the_scheduler_that_raises_ends_the_run() -> None:
    class Sets(Component):
        def main(self) -> Generator[Any, Any, None]:
            def fails() -> None:
                raise LookupError("in a timer")

            assert self.scheduler is not None
            self.scheduler.call_at(self.scheduler.time() + 1, fails)
            yield self.sleep(100)

    with pytest.raises(LookupError, match="in a timer"):
        run_virtual(Sets())


def test_rule_12_under_run_async_the_loop_and_its_handler_stay_their_owners() -> None:
    class Sets(Component):
        def main(self) -> Generator[Any, Any, None]:
            def fails() -> None:
                raise LookupError("in a callback")

            asyncio.get_running_loop().call_later(1, fails)
            yield self.sleep(5)

    seen: list[Any] = []

    async def program() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context["exception"]))
        await Scheduler(watchdog_s=None).run_async(Sets())

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(program())
    assert [type(exc) for exc in seen] == [LookupError]
