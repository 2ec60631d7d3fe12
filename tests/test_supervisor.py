"""Supervisor: OTP's rules, cell by cell, and what happens to links and messages meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from axonlike import Component, Crashed, Graphline, Par, Pipeline, Seq, Supervisor, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import ComponentError, WiringError
from axonlike.instruments import stack_of
from axonlike.supervisor import TooManyRestarts
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual
from tests.chassis.doubles import ControlProbe, EndOf, Numbered, StopAfter, Take

STEADY: Any = {"intensity": 10**6, "backoff": (1.0, 1.0)}


class Ends(Component):
    """Ends in one of the three ways after a while; records its life in `diary`."""

    def __init__(self, diary: list[str], name: str, how: str = "lives", after_s: float = 1.0) -> None:
        self.diary, self.name, self.how, self.after_s = diary, name, how, after_s

    def start(self) -> Any:
        self.diary.append(f"+{self.name}")  # not in main(), whose first turn has no order of its own
        return super().start()

    def main(self) -> Generator[Any, Any, None]:
        try:
            if self.how == "lives":
                yield self.sleep(1000)
            yield self.sleep(self.after_s)
            if self.how == "crash":
                raise ValueError(f"{self.name} broke")
            if self.how == "shutdown":
                self.stop()
                yield
        finally:
            self.diary.append(f"-{self.name}")


def once(how: str, diary: list[str], name: str) -> Callable[[], Ends]:
    """A factory whose first component ends that way; all later ones live."""
    ways: Iterator[str] = iter([how])
    return lambda: Ends(diary, name, next(ways, "lives"))


RESTARTED = {
    ("permanent", "normal"): True,
    ("permanent", "shutdown"): True,
    ("permanent", "crash"): True,
    ("transient", "normal"): False,
    ("transient", "shutdown"): False,
    ("transient", "crash"): True,
    ("temporary", "normal"): False,
    ("temporary", "shutdown"): False,
    ("temporary", "crash"): False,
}
STRATEGIES = {
    "one_for_one": ["-b", "+b"],
    "rest_for_one": ["-b", "-c", "+b", "+c"],
    "one_for_all": ["-b", "-c", "-a", "+a", "+b", "+c"],
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("restart", "how"), RESTARTED)
def test_row_25_the_table_of_restarts(restart: Any, how: str, strategy: Any) -> None:
    diary: list[str] = []
    factories = [once("lives", diary, "a"), once(how, diary, "b"), once("lives", diary, "c")]
    supervisor = Supervisor(*factories, strategy=strategy, restart=restart)
    run_virtual(supervisor, until_s=10.0)
    again = STRATEGIES[strategy] if RESTARTED[restart, how] else ["-b"]
    assert diary[:3] == ["+a", "+b", "+c"]
    alive = ["c", "b", "a"] if RESTARTED[restart, how] else ["c", "a"]
    assert diary[3:] == [*again, *(f"-{name}" for name in alive)]
    assert supervisor.restarts == sum(entry.startswith("+") for entry in diary) - 3


def test_row_26_a_crash_loop_backs_off_and_escalates_after_the_intensity() -> None:
    starts: list[float] = []

    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            starts.append(self.scheduler.time())
            raise ValueError("always")
            yield

    with pytest.raises(ComponentError) as caught:
        run_virtual(Supervisor(lambda: Fails(), name="guard"), Feeder([PAUSE(100)]))
    assert len(starts) == 4
    for delay_s, longest_s in zip(
        (later - earlier for earlier, later in zip(starts, starts[1:])), (0.1, 0.2, 0.4), strict=True
    ):
        assert longest_s / 2 <= delay_s <= longest_s
    error = caught.value
    assert error.path == "guard"
    assert isinstance(error.cause, TooManyRestarts)
    assert "Fails ended once more: ValueError: always" in str(error.cause)
    assert "intensity=3" in str(error.cause)
    assert str(error.cause).count("s ago") == 4
    assert isinstance(error.cause.__cause__, ComponentError)


def test_it_escalates_at_once() -> None:
    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("always")

    supervisor = Supervisor(lambda: Fails(), lambda: Ends([], "a"), intensity=0)
    with pytest.raises(ComponentError, match="intensity=0"):
        assert run_virtual(supervisor) == 0.0
    assert supervisor.ended


def test_the_back_off_begins_anew_after_a_quiet_period() -> None:
    starts: list[float] = []

    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            starts.append(self.scheduler.time())
            yield self.sleep(6.0)
            raise ValueError("now and then")

    run_virtual(Supervisor(lambda: Fails()), until_s=50.0)
    gaps = [later - earlier - 6.0 for earlier, later in zip(starts, starts[1:])]
    assert len(gaps) >= 7
    assert all(gap <= 0.1 for gap in gaps)


def test_a_supervisor_above_restarts_the_one_that_gave_up() -> None:
    made: list[str] = []

    class Fails(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            if len(made) < 3:
                raise ValueError("not yet")
            self.send("at last")

    def inner() -> Supervisor:
        made.append("inner")
        return Supervisor(lambda: Fails(), intensity=1, restart="transient")

    probe, events = Probe(), Probe()
    outer = Supervisor(inner, restart="transient")
    outer.link((outer, "events"), (events, "inbox"))
    run_virtual(Pipeline(outer, probe), events)
    assert probe.messages == ["at last"]
    assert [type(event.error) for event in events.messages] == [TooManyRestarts] * 2
    assert made == ["inner"] * 3


def test_giving_up_stops_the_others_in_reverse_order() -> None:
    diary: list[str] = []
    factories = [once("lives", diary, "a"), lambda: Ends(diary, "b", "crash"), once("lives", diary, "c")]
    with pytest.raises(ComponentError):
        run_virtual(Supervisor(*factories, intensity=0))
    assert diary == ["+a", "+b", "+c", "-b", "-c", "-a"]


def test_links_and_waiting_messages_outlive_a_crash_and_only_the_fatal_message_is_lost() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    if message % 100 == 7:
                        raise ValueError(message)
                    self.send(message)

    events, probe = Probe(), Probe()
    graph = Graphline(
        feeder=Feeder(range(5000)), guard=Supervisor(lambda: Breaks(), **STEADY), probe=probe, events=events,
        links="feeder -> guard -> probe; guard.events -> events",
    )  # fmt: skip
    run_virtual(graph)
    lost = [number for number in range(5000) if number % 100 == 7]
    assert probe.messages == [number for number in range(5000) if number % 100 != 7]
    assert [event.value for event in events.messages] == lost
    assert all(isinstance(event, Crashed) and event.box == "inbox" for event in events.messages)
    assert events.messages[0].path == "Graphline/guard/Breaks"
    assert probe.ended_by == "finished"


def test_a_crash_inside_a_nested_pipeline_restarts_all_of_it() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                message = self.recv()
                if message == 3:
                    raise ValueError(message)
                self.send(message)

    made: list[Pipeline] = []

    def make() -> Pipeline:
        made.append(Pipeline(Numbered("n"), Pipeline(Par(Ends([], "x"), Probe(forward=True)), name="deep")))
        return made[-1]

    def breaking() -> Pipeline:
        return Pipeline(Breaks(), Numbered("n"), Ends([], "never takes"))

    probe = Probe()
    run_virtual(Pipeline(Feeder([1, 2, PAUSE(1), 3, PAUSE(3), 4]), Supervisor(breaking, **STEADY)), until_s=30)
    run_virtual(Pipeline(Feeder([1, PAUSE(1), 2]), Supervisor(make, **STEADY), probe), until_s=30)
    assert probe.messages == [("n", 1), ("n", 2)]
    assert len(made) == 1


def test_the_parts_of_a_failed_pipeline_that_wait_for_nothing_are_stopped_too() -> None:
    diary: list[str] = []

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            raise ValueError("no")

    def make() -> Graphline:
        return Graphline(breaks=Breaks(), independent=Ends(diary, "i"))

    run_virtual(Supervisor(make, **STEADY), until_s=2.5)
    assert diary == ["+independent", "-independent", "+independent", "-independent"]


def test_end_of_input_is_the_end_also_for_a_permanent_component() -> None:
    probe, control = Probe(forward=True), ControlProbe()
    supervisor = Supervisor(lambda: Numbered("n"))
    run_virtual(Pipeline(Feeder([1, 2]), supervisor, probe, control), end := EndOf(supervisor))
    assert end.at_s == 0.0
    assert probe.messages == [("n", 1), ("n", 2)]
    assert supervisor.restarts == 0
    assert control.kinds == ["ProducerFinished"]


def test_input_that_ends_during_the_back_off_is_worked_off_first() -> None:
    ways = iter(["crash"])

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                message = self.recv()
                if next(ways, ""):
                    raise ValueError(message)
                self.send(message)

    probe = Probe()
    pipeline = Pipeline(Feeder([1, 2, 3]), Supervisor(lambda: Breaks(), **STEADY), probe)
    run_virtual(pipeline, end := EndOf(pipeline))
    assert 0.5 <= (end.at_s or 0.0) <= 1.0
    assert probe.messages == [2, 3]


def test_a_source_that_ends_by_itself_is_started_again() -> None:
    probe = Probe()
    supervisor = Supervisor(lambda: Pipeline(Feeder([1]), Probe(forward=True)), **STEADY)
    run_virtual(Pipeline(supervisor, Take(3, "t"), probe))
    assert probe.messages == [("t", 1)] * 3
    assert supervisor.ended


def test_a_component_that_ends_because_nothing_can_happen_any_more_has_done_its_work() -> None:
    probe = Probe()
    supervisor = Supervisor(lambda: Pipeline(SubscribeTo("x"), probe))
    run_virtual(Backplane("x"), Pipeline(Feeder([PAUSE(1), 1]), PublishTo("x")), supervisor)
    assert probe.messages == [1]
    assert supervisor.restarts == 0


def test_several_children_talk_by_a_backplane() -> None:
    probe = Probe()

    def source() -> Pipeline:
        return Pipeline(Feeder([PAUSE(1), 1, PAUSE(1)]), PublishTo("x"))

    def listener() -> Pipeline:
        return Pipeline(SubscribeTo("x"), Probe(forward=True), PublishTo("y"))

    run_virtual(Backplane("x"), Backplane("y"), Supervisor(source, listener, restart="transient"),
                Pipeline(SubscribeTo("y"), probe))  # fmt: skip
    assert probe.messages == [1]


def test_a_supervised_subscription_target_keeps_its_limit_over_a_restart() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            raise ValueError("no")

    supervisor = Supervisor(lambda: Breaks(), intensity=10**6, backoff=(0.0, 0.0))
    seen: list[Any] = []

    class Look(Component):
        def main(self) -> Generator[Any, Any, None]:
            for _ in range(3):
                yield self.sleep(2.0 if seen else 1.5)
                (child,) = supervisor.children
                assert isinstance(child, Component)
                inbox = child.inbox()
                seen.append((inbox.limit, inbox.policy, inbox.depth))

    source = Pipeline(Feeder(n if n % 2 else PAUSE(0.001) for n in range(20_000)), PublishTo("x"))
    run_virtual(Backplane("x"), source, Pipeline(SubscribeTo("x", limit=7), supervisor), Look(), until_s=9)
    assert seen == [(7, "drop_oldest", 7)] * 3


def test_what_a_link_said_of_the_inbox_outlives_a_restart() -> None:
    supervisor = Supervisor(lambda: Pipeline(Ends([], "x", "crash")), intensity=10**6, backoff=(0.0, 0.0))
    feeder = Feeder(range(100))
    sent: list[int] = []

    class Look(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(4.5)
            sent.append(feeder.sent)

    run_virtual(Pipeline(feeder, supervisor, limit=5), Look(), until_s=5.0)
    assert sent == [5]


def test_other_boxes_of_a_single_child_are_the_supervisors_too() -> None:
    class Tuned(Component):
        Inboxes = {"tune": "where to"}
        Outboxes = {"status": "where it is"}

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("tune")
                self.send(self.recv("tune"), "status")

    probe = Probe()
    graph = Graphline(
        feeder=Feeder([1, 2]), guard=Supervisor(Tuned), probe=probe, links="feeder -> guard.tune; guard.status -> probe"
    )
    run_virtual(graph)
    assert probe.messages == [1, 2]


def test_one_for_all_restarts_all_after_all_have_stopped() -> None:
    diary: list[str] = []

    class Flushes(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        def start(self) -> Any:
            diary.append(f"+{self.name}")
            return super().start()

        async def main(self) -> None:
            import asyncio

            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(2)
                diary.append(f"-{self.name}")

    supervisor = Supervisor(
        lambda: Flushes("a"), once("crash", diary, "b"), lambda: Flushes("c"), strategy="one_for_all"
    )
    run_virtual(supervisor, until_s=8.0)
    assert diary[:9] == ["+a", "+b", "+c", "-b", "-c", "-a", "+a", "+b", "+c"]


def test_a_second_failure_during_a_restart_of_the_rest_takes_more_with_it() -> None:
    diary: list[str] = []

    class FailsAt(Component):
        def __init__(self, name: str, *at_s: float) -> None:
            self.name, self.at_s = name, at_s

        def start(self) -> Any:
            diary.append(f"+{self.name}")
            return super().start()

        def main(self) -> Generator[Any, Any, None]:
            assert self.scheduler is not None
            for at_s in self.at_s:
                if at_s >= self.scheduler.time():
                    yield self.sleep(at_s - self.scheduler.time())
                    diary.append(f"!{self.name}")
                    raise ValueError(self.name)
            yield self.sleep(1000)

    supervisor = Supervisor(
        lambda: FailsAt("a", 1.3), lambda: FailsAt("b", 1.0), lambda: FailsAt("c"),
        strategy="rest_for_one", intensity=99, backoff=(2.0, 2.0),
    )  # fmt: skip
    run_virtual(supervisor, until_s=20.0)
    assert diary == ["+a", "+b", "+c", "!b", "!a", "+a", "+b", "+c"]


def test_row_27_a_child_that_hangs_at_stop_is_abandoned_and_named(caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()
    hanging: list[int] = []

    class Hangs(ThreadedComponent):
        def main(self) -> None:
            hanging.append(threading.get_ident())
            released.wait()

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            while not hanging or "released.wait()" not in stack_of(hanging[0]):  # it may be late on its way there
                yield
            raise ValueError("no")

    made: list[str] = []

    def make() -> Component:
        made.append("x")
        return Pipeline(Hangs(), Breaks()) if len(made) == 1 else Pipeline(Feeder([]))

    supervisor = Supervisor(make, restart="transient", shutdown_s=0.05, backoff=(0.0, 0.0))
    try:
        run_virtual(supervisor)
    finally:
        released.set()
    assert made == ["x", "x"]
    (warning,) = [record.getMessage() for record in caplog.records if "did not stop" in record.getMessage()]
    assert warning.startswith("Supervisor/Pipeline/Hangs did not stop within 0.05 s: its thread is still in:")
    assert "released.wait()" in warning


def test_children_stop_one_by_one_in_reverse_order() -> None:
    diary: list[str] = []

    class SlowEnd(Component):
        def __init__(self, name: str) -> None:
            self.name = name

        async def main(self) -> None:
            import asyncio

            try:
                await asyncio.sleep(1000)
            finally:
                diary.append(f"{self.name} begins to stop")
                await asyncio.sleep(0.5)
                diary.append(f"{self.name} has stopped")

    supervisor = Supervisor(*[lambda name=name: SlowEnd(name) for name in "abc"])
    run_virtual(supervisor, StopAfter(supervisor, 1.0))
    assert diary == [f"{name} {what}" for name in "cba" for what in ("begins to stop", "has stopped")]


def test_shutdown_during_the_back_off_ends_it() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("no")

    control = ControlProbe()
    supervisor = Supervisor(lambda: Breaks(), backoff=(50.0, 50.0))
    supervisor.link((supervisor, "signal"), (control, "control"))
    assert run_virtual(supervisor, control, StopAfter(supervisor, 1.0)) == 1.0
    assert control.kinds == ["Shutdown"]


def test_a_factory_or_a_start_that_fails_counts_as_a_crash() -> None:
    tries: list[str] = []
    probe = Probe()

    def make() -> Component:
        tries.append("x")
        if len(tries) == 1:
            return Pipeline(Take(1, "t"), Probe(forward=True))
        if len(tries) == 2:
            raise OSError("the port is gone")
        if len(tries) == 3:
            return Pipeline(SubscribeTo("nobody provides it"), Numbered("?"))
        return Numbered("again")

    events = Probe()
    graph = Graphline(
        feeder=Feeder([1, PAUSE(10), 2, 3]), guard=Supervisor(make), probe=probe, events=events,
        links="feeder -> guard -> probe; guard.events -> events",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.messages == [("t", 1), ("again", 2), ("again", 3)]
    assert [type(event.error).__name__ for event in events.messages] == ["OSError", "NameNotProvided"]


def test_a_temporary_instance_may_fail_and_nothing_else_does() -> None:
    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise ValueError("no")

    probe = Probe()
    run_virtual(Supervisor(Breaks(), restart="temporary"), Pipeline(Feeder([PAUSE(1), 1]), probe))
    assert probe.messages == [1]


def test_a_dead_receiver_ends_the_supervisor() -> None:
    supervisor = Supervisor(lambda: Feeder(iter(int, 1)), **STEADY)
    assert run_virtual(Pipeline(supervisor, Take(3, "t"))) == 0.0
    assert supervisor.ended


def test_a_supervised_seq_that_fails_starts_from_its_first() -> None:
    ways = iter([True])

    class Breaks(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            if next(ways, False):
                raise ValueError("no")
            self.send("second")

    probe = Probe()
    run_virtual(Pipeline(Supervisor(lambda: Seq(Feeder(["first"]), Breaks()), restart="transient"), probe))
    assert probe.messages == ["first", "first", "second"]


def test_a_thousand_children_are_restarted() -> None:
    diary: list[str] = []
    ways = iter(["crash"])
    factories = [lambda: Ends(diary, "x", next(ways, "lives"), 1.0) for _ in range(1000)]
    supervisor = Supervisor(*factories, strategy="one_for_all")
    run_virtual(supervisor, until_s=3.0)
    assert supervisor.restarts == 1000
    assert len(diary) == 4000


def test_errors_while_it_is_stopped_are_not_held_back() -> None:
    class Bad(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(1000)
            finally:
                raise ValueError("in finally")

    with pytest.raises(ComponentError, match="in finally"):
        run_virtual(Supervisor(lambda: Bad()), until_s=1.0)


def test_system_exit_is_not_held() -> None:
    class Leaves(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        run_virtual(Supervisor(lambda: Leaves()))
    assert caught.value.code == 3


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(WiringError, match="needs factories"):
        Supervisor()
    with pytest.raises(WiringError, match=r"did you mean 'one_for_all'"):
        Supervisor(lambda: Probe(), strategy="one_for_al")  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"there are: permanent, transient, temporary"):
        Supervisor(lambda: Probe(), restart="always")  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"Supervisor\(lambda: Probe\(\.\.\.\)\)"):
        Supervisor(Probe())
    with pytest.raises(WiringError, match="seconds above 0"):
        Supervisor(lambda: Probe(), period_s=0)
    same = Probe()
    with pytest.raises(WiringError, match="has to make a new one each time"):
        Supervisor(lambda: same, lambda: same)


def test_a_successor_is_started_when_all_that_its_predecessor_was_made_of_has_ended() -> None:
    alive: list[int] = []
    seen: list[int] = []

    class Slow(Component):
        async def main(self) -> None:
            import asyncio

            alive.append(1)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(2)  # as a thread that lets go of its device slowly
                raise
            finally:
                alive.pop()

    class Owner(Component):
        def main(self) -> Generator[Any, Any, None]:
            seen.append(len(alive))
            self.add_child(Slow())
            yield self.sleep(1)
            if len(seen) < 3:
                raise OSError("gone")
            yield self.sleep(1000)

    run_virtual(Supervisor(Owner, intensity=5, period_s=1000), until_s=60)
    assert seen == [0, 0, 0]
    assert alive == []
