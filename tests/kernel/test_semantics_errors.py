"""SEMANTICS, "Errors": rules 19 to 22, each by number; and that no class of exception is ever lost."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import subprocess
from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Crashed, Graphline, Pipeline, Supervisor, ThreadedComponent, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import ComponentError, Finished, Stopped
from axonlike.scheduler import Scheduler
from axonlike.supervisor import TooManyRestarts
from axonlike.testing import PAUSE, Crashing, Feeder, Probe, Stalled, outputs, run_virtual

pytestmark = pytest.mark.hang_guard(30)


class Closed(Component):
    """Waits until it is stopped and tells it."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name = name
        self.order = order

    def main(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.sleep(1000)
        finally:
            self.order.append(self.name)


class Fails(Component):
    """Raises what it is given after a second."""

    def __init__(self, exception: BaseException, name: str = "Fails") -> None:
        self.name = name
        self.exception = exception

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(1.0)
        raise self.exception


def test_rule_19_an_error_stops_everything_in_reverse_order_of_activation() -> None:
    order: list[str] = []
    parts = [Closed("a", order), Closed("b", order), Fails(ValueError("x")), Closed("c", order)]
    with pytest.raises(ComponentError):
        run_virtual(*parts, shuffle="")
    assert order == ["c", "b", "a"]


def test_rule_19_pipelines_that_were_activated_on_their_own_stop_too() -> None:
    order: list[str] = []
    parts = [Pipeline(Closed("a1", order), Closed("a2", order)), Pipeline(Closed("b1", order), Closed("b2", order))]
    with pytest.raises(ComponentError):
        run_virtual(*parts, Fails(ValueError("x")), shuffle="")
    assert order == ["b2", "b1", "a2", "a1"]


def test_rule_19_a_parent_can_be_the_error_boundary() -> None:
    held: list[str] = []

    class Boundary(Pipeline):
        def child_failed(self, child: Any, error: BaseException) -> bool:
            held.append(str(error))
            return True

    probe = Probe()
    run_virtual(Boundary(Feeder([1]), Fails(ValueError("x"))), Pipeline(Feeder([PAUSE(5), "later"]), probe))
    assert "ValueError: x" in held[0]
    assert probe.messages == ["later"]


def test_rule_19_a_supervisor_holds_an_error_and_the_rest_goes_on() -> None:
    order: list[str] = []
    probe, events = Probe(), Probe()
    supervisor = Supervisor(lambda: Fails(ValueError("x")), intensity=2, period_s=60.0, backoff=(1.0, 1.0))
    supervisor.link((supervisor, "events"), (events, "inbox"))
    parts = [Closed("a", order), supervisor, events, Pipeline(Feeder([PAUSE(2), "after an error"]), probe)]
    with pytest.raises(ComponentError) as caught:
        run_virtual(*parts, shuffle="")
    # Two are held; the third is one too many, the supervisor's own, and with nobody above it the end of the run.
    assert [type(event) for event in events.messages] == [Crashed] * 2
    assert isinstance(caught.value.cause, TooManyRestarts)
    assert probe.messages == ["after an error"]
    assert order == ["a"]


# 20 classes and more. An exception is made anew for each case, since a traceback stays on the object.
class NeedsTwo(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


EXCEPTIONS: list[tuple[str, Callable[[], BaseException]]] = [
    ("Exception", lambda: Exception("plain")),
    ("RuntimeError", lambda: RuntimeError("run")),
    ("StopIteration", lambda: StopIteration("stop")),
    ("StopAsyncIteration", lambda: StopAsyncIteration("stop")),
    ("GeneratorExit", lambda: GeneratorExit("exit")),
    ("SystemExit", lambda: SystemExit(3)),
    ("KeyboardInterrupt", lambda: KeyboardInterrupt("key")),
    ("MemoryError", lambda: MemoryError("memory")),
    ("CancelledError", lambda: asyncio.CancelledError("cancelled")),
    ("OSError", lambda: FileNotFoundError(2, "No such file", "/nowhere")),
    ("NeedsTwo", lambda: NeedsTwo(7, "reason")),
    ("RecursionError", lambda: RecursionError("deep")),
    ("AssertionError", lambda: AssertionError()),
    ("KeyError", lambda: KeyError("key")),
    ("IndexError", lambda: IndexError("index")),
    ("AttributeError", lambda: AttributeError("attribute")),
    ("TypeError", lambda: TypeError("type")),
    ("UnicodeDecodeError", lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")),
    ("CalledProcessError", lambda: subprocess.CalledProcessError(3, ["false"])),
    ("JSONDecodeError", lambda: json.JSONDecodeError("bad", "{", 0)),
    ("ExceptionGroup", lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")])),
    ("BaseExceptionGroup", lambda: BaseExceptionGroup("two", [SystemExit(2), KeyError("b")])),
    ("TimeoutError", lambda: TimeoutError("late")),
    ("futures.CancelledError", concurrent.futures.CancelledError),
    ("StopIteration subclass", lambda: type("Odd", (StopIteration,), {})("odd")),
    ("BaseException", lambda: type("Base", (BaseException,), {})("base")),
    ("Warning", lambda: DeprecationWarning("old")),
    ("Unprintable", Unprintable),
]


def generator_body(exception: BaseException) -> Component:
    class Body(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.recv()
            raise exception

    return Body()


def async_body(exception: BaseException) -> Component:
    class Body(Component):
        async def main(self) -> None:
            await self.wait("inbox")
            self.recv()
            raise exception

    return Body()


def step_body(exception: BaseException) -> Component:
    def function(_message: Any) -> None:
        raise exception

    return step(function, name="Body")


def thread_body(exception: BaseException) -> Component:
    class Body(ThreadedComponent):
        def main(self) -> None:
            self.recv()
            raise exception

    return Body()


BODIES = [generator_body, async_body, step_body, thread_body]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize(("name", "make"), EXCEPTIONS, ids=[name for name, _ in EXCEPTIONS])
def test_rule_20_no_class_of_exception_is_lost(name: str, make: Any, body: Any) -> None:
    exception, order = make(), []  # type: ignore[var-annotated]
    with pytest.raises(BaseException) as caught:
        # All have begun and wait when it is raised, in whatever order they start.
        run_virtual(Closed("closed", order), Feeder([PAUSE(1), "go"]) | body(exception))
    if isinstance(exception, SystemExit | KeyboardInterrupt):
        assert caught.value is exception
    else:
        error = caught.value
        assert isinstance(error, ComponentError)
        assert error.cause is exception
        assert error.path == "Pipeline/Body"
        assert (error.box, error.number, error.value) == ("inbox", 1, "go")
        assert len(str(error).splitlines()) == 6
    assert order == ["closed"]


@pytest.mark.parametrize("body", BODIES[:3], ids=lambda body: body.__name__)
@pytest.mark.parametrize("exception", [Finished(), Stopped()], ids=["Finished", "Stopped"])
def test_rule_20_what_the_kernel_itself_raises_is_not_lost_when_raised_by_a_user(body: Any, exception: Any) -> None:
    run = lambda: run_virtual(Feeder(["go", PAUSE(5)]) | body(exception))  # noqa: E731
    if isinstance(exception, Finished):
        run()  # a body may end itself by raising Finished
    else:
        with pytest.raises(ComponentError):
            run()


def test_rule_20_several_errors_are_an_exception_group() -> None:
    class FailsAtClose(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1000)
            finally:
                raise KeyError("while closing")

    order: list[str] = []
    with pytest.raises(ExceptionGroup) as caught:
        run_virtual(Closed("a", order), FailsAtClose(), Fails(ValueError("x")), Closed("b", order), shuffle="")
    causes = [exc.cause for exc in caught.value.exceptions if isinstance(exc, ComponentError)]
    assert [repr(cause) for cause in causes] == ["ValueError('x')", "KeyError('while closing')"]
    assert order == ["b", "a"]


def test_rule_20_mixed_with_a_system_exit_it_is_a_base_exception_group() -> None:
    class FailsAtClose(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1000)
            finally:
                raise KeyError("while closing")

    with pytest.raises(BaseExceptionGroup) as caught:
        run_virtual(FailsAtClose(), Fails(SystemExit(5)))
    assert not isinstance(caught.value, ExceptionGroup)
    kinds = [type(exc) for exc in caught.value.exceptions]
    assert kinds == [SystemExit, ComponentError]


def test_rule_20_the_same_from_run_async_and_from_a_background_thread() -> None:
    with pytest.raises(ComponentError, match="ValueError: x"):
        asyncio.run(Scheduler(watchdog_s=None).run_async(FailsSoon()))
    with pytest.raises(ComponentError, match="ValueError: x"):
        with Scheduler(watchdog_s=None) as scheduler:
            scheduler.call_from_thread(lambda: scheduler.activate(FailsSoon()))
            scheduler.join(5)


class FailsSoon(Component):
    def main(self) -> Generator[Any, Any, None]:
        yield
        raise ValueError("x")


def test_rule_20_an_error_in_init_of_a_child_and_in_start_comes_out() -> None:
    class NoMain(Component):
        pass

    class PlainMain(Component):
        def main(self) -> Any:
            return 3

    class RaisesAtOnce(Component):
        def main(self) -> Any:
            raise LookupError("before the first yield")

    for part, text in (
        (NoMain(), "has no main()"), (PlainMain(), "put a yield into it"), (RaisesAtOnce(), "before the first yield"),
    ):  # fmt: skip
        with pytest.raises(ComponentError, match=text.replace("(", r"\(").replace(")", r"\)")):
            run_virtual(part)


@pytest.mark.parametrize("at", [1, 2, 5, 6])
def test_rule_21_skip_drops_that_message_and_goes_on(at: int, caplog: pytest.LogCaptureFixture) -> None:
    part = Crashing(at, ValueError("bad message"))
    part.on_error = "skip"
    expected = [number for number in range(1, 7) if number != at]
    assert outputs(part, range(1, 7)) == expected
    (record,) = caplog.records
    assert f"message #{at}: {at} (int)" in record.getMessage()


def test_rule_21_main_is_called_again_on_the_same_object_and_init_is_not() -> None:
    calls: list[str] = []

    class Counts(Component):
        on_error = "skip"

        def __init__(self) -> None:
            calls.append("init")

        def main(self) -> Generator[Any, Any, None]:
            calls.append("main")
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.send(10 // message)

    assert outputs(Counts(), [1, 0, 2, 0, 5]) == [10, 5, 2]
    assert calls == ["init", "main", "main", "main"]


def test_rule_21_skip_without_a_message_taken_would_only_spin_and_is_an_error() -> None:
    part = Crashing(0, ValueError("at once"), times=100)
    part.on_error = "skip"
    with pytest.raises(ComponentError, match="at once"):
        outputs(part, [1, 2])


def test_rule_21_restart_comes_after_a_back_off_and_boxes_and_links_stay() -> None:
    part, feeder, probe = Crashing(3, ValueError("once")), Feeder([1, 2, 3, 4, PAUSE(10), 5]), Probe()
    part.on_error = "restart"
    run_virtual(Pipeline(feeder, part, probe))
    assert probe.messages == [1, 2, 4, 5]
    assert probe.times_s[0] == 0.0
    assert 0.05 <= probe.times_s[2] <= 0.1
    assert part.statistics()[0].taken == 5


def test_rule_21_restarting_too_often_escalates() -> None:
    part = Crashing(1, ValueError("always"), times=100)
    part.on_error = "restart"
    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder(range(1, 50)), part, Probe()))
    assert "restarted more often than its limit allows" in str(caught.value)
    assert part.crashes == 4  # three restarts in five seconds, and the failure that was one too many


def test_rule_21_an_error_box_gets_a_crashed_and_the_component_goes_on() -> None:
    part = step(lambda n: 10 // n, name="divide", on_error="error")
    errors, probe = Probe(), Probe()
    links = "FEED -> DIV -> OUT; DIV.error -> ERR"
    run_virtual(Graphline(FEED=Feeder([1, 0, 5]), DIV=part, OUT=probe, ERR=errors, links=links))
    assert probe.messages == [10, 2]
    (crashed,) = errors.messages
    assert (crashed.path, crashed.box, crashed.number, crashed.value) == ("Graphline/DIV", "inbox", 2, 0)
    assert isinstance(crashed.error, ZeroDivisionError)


def test_rule_21_other_components_keep_what_they_hold_while_one_restarts() -> None:
    part = Crashing(2, ValueError("once"))
    part.on_error = "restart"
    probe = Probe()
    run_virtual(Pipeline(Feeder(range(100)), part, probe, limit=3))
    assert probe.messages == [n for n in range(100) if n != 1]


@pytest.mark.parametrize("take", ["recv", "loop", "async for", "take_up_to", "thread"])
def test_rule_22_the_message_number_is_that_of_the_last_one_taken(take: str) -> None:
    class ByRecv(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                while self.data_ready():
                    check(self.recv())

    class ByLoop(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    check(message)

    class ByAsyncFor(Component):
        async def main(self) -> None:
            async for message in self.inbox():
                check(message)

    class ByTakeUpTo(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox().take_up_to(1):
                    check(message)

    class ByThread(ThreadedComponent):
        def main(self) -> None:
            while True:
                check(self.recv())

    def check(message: Any) -> None:
        if message == "bad":
            raise ValueError("seen")

    kinds = {"recv": ByRecv, "loop": ByLoop, "async for": ByAsyncFor, "take_up_to": ByTakeUpTo, "thread": ByThread}

    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for message in ["a", "b", "c", "bad", "d"]:
                self.send(message)
            yield

    with pytest.raises(ComponentError) as caught:
        run_virtual(Burst() | kinds[take]())
    assert (caught.value.box, caught.value.number, caught.value.value) == ("inbox", 4, "bad")
    assert caught.value.source == "Burst.outbox"


def test_rule_22_the_box_is_that_from_which_was_taken_last() -> None:
    class Two(Component):
        Inboxes = {"tune": "another"}

        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.recv()
            yield self.wait("tune")
            self.recv("tune")
            raise ValueError("seen")

    two, data, tune = Two(), Feeder([1, 2, 3]), Feeder([PAUSE(1), 88.8], name="Knob")
    data.link((data, "outbox"), (two, "inbox"))
    tune.link((tune, "outbox"), (two, "tune"))
    with pytest.raises(ComponentError) as caught:
        run_virtual(two, data, tune)
    error = caught.value
    assert (error.box, error.number, error.value, error.source) == ("tune", 1, 88.8, "Knob.outbox")


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, list(range(100_000)), {"k": "v" * 5000}, b"\0" * 100_000, 10**5000],
    ids=["str", "list", "dict", "bytes", "int"],
)
def test_rule_22_the_value_is_cut_at_200_characters(value: Any) -> None:
    with pytest.raises(ComponentError) as caught:
        run_virtual(Feeder([value]) | Crashing(1, ValueError("x")))
    (line,) = [line for line in str(caught.value).splitlines() if "message #1" in line]
    shown = line.partition("message #1: ")[2]
    assert len(shown) <= 200 + len(f" ({type(value).__name__})")


@pytest.mark.parametrize("at", [0, 1, 999, 1000])
@pytest.mark.parametrize("stage", [0, 2, 4])
def test_row_01_a_component_raises(at: int, stage: int) -> None:
    stages: list[Component] = [Crashing(-1, ValueError()) for _ in range(5)]
    stages[stage] = Crashing(at, ValueError("on purpose"))
    source, probe = Feeder(range(1, 1001)), Probe()
    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(source, *stages, probe))
    assert caught.value.path.startswith("Pipeline/Crashing")
    assert caught.value.number == at
    assert all(part.ended for part in (source, *stages, probe))


def test_row_03_an_error_in_finally_shows_both_and_the_rest_is_closed() -> None:
    order: list[str] = []

    class Both(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1)
                raise ValueError("first")
            finally:
                raise KeyError("second")

    with pytest.raises(ComponentError) as caught:
        run_virtual(Closed("a", order), Both(), Closed("b", order), shuffle="")
    assert isinstance(caught.value.cause, KeyError)
    assert isinstance(caught.value.cause.__context__, ValueError)
    assert order == ["b", "a"]


def test_row_10_a_full_box_that_refuses_names_box_and_size_at_the_send() -> None:
    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(10):
                self.send(number)
            yield

    burst, stalled = Burst(), Stalled()
    stalled.configure_inbox("inbox", limit=4, policy="error")
    burst.link((burst, "outbox"), (stalled, "inbox"))
    with pytest.raises(ComponentError) as caught:
        run_virtual(burst, stalled)
    assert caught.value.path == "Burst"
    assert str(caught.value.cause) == 'Stalled.inbox is full (4 messages) and refuses more (policy "error")'
    assert caught.value.failed_at is not None
    assert caught.value.failed_at.source == "self.send(number)"


def test_row_15_one_bad_subscriber_of_ten_suffers_alone_within_a_boundary() -> None:
    class Boundary(Pipeline):
        def child_failed(self, child: Any, error: BaseException) -> bool:
            return True

    probes = [Probe() for _ in range(9)]
    subscribers = [Pipeline(SubscribeTo("Events"), probe) for probe in probes]
    bad = Boundary(SubscribeTo("Events"), Crashing(3, ValueError("bad")))
    publisher = Pipeline(Feeder([PAUSE(1), *range(100)]), PublishTo("Events"))
    run_virtual(Backplane("Events"), publisher, *subscribers, bad)
    assert [probe.messages for probe in probes] == [list(range(100))] * 9


def test_row_28_what_lay_in_the_inbox_at_a_crash_is_kept_for_the_new_body() -> None:
    class Burst(Component):
        def main(self) -> Generator[Any, Any, None]:
            for number in range(1, 11):
                self.send(number)
            yield

    part, probe, burst = Crashing(4, ValueError("once")), Probe(), Burst()
    part.on_error = "restart"
    run_virtual(Pipeline(burst, part, probe))
    assert probe.messages == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    (box,) = part.statistics()
    assert (box.offered, box.taken, box.unread_at_end) == (10, 10, 0)
