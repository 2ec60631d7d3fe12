"""check_component passes what keeps the rules, and catches each way to break them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, ThreadedComponent, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import ComponentError, Finished
from axonlike.testing import BlockingDevice, Crashing, DeviceClosed, Feeder, NotConforming, Probe, check_component

pytestmark = pytest.mark.hang_guard(60)


class Relay(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


class AsyncRelay(Component):
    async def main(self) -> None:
        async for message in self.inbox():
            await self.send(message)


class ThreadRelay(ThreadedComponent):
    def main(self) -> None:
        while True:
            self.send(self.recv())


class Kamaelias(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            while self.data_ready("inbox"):
                self.send(self.recv("inbox"))
            if not self.any_ready():
                self.pause()
            yield 1


class Device(ThreadedComponent):
    def __init__(self) -> None:
        self.device = BlockingDevice(1, 2, 3)

    def interrupt(self) -> None:
        self.device.close()

    def main(self) -> None:
        try:
            while True:
                self.send(self.device.read())
        except DeviceClosed:
            pass


@pytest.mark.parametrize(
    "factory",
    [
        Relay, AsyncRelay, ThreadRelay, Kamaelias, Probe,
        lambda: step(lambda message: message),
        lambda: Pipeline(Relay(), AsyncRelay(), ThreadRelay()),
        lambda: Graphline(A=Relay(), B=Relay(), linkages={
            ("self", "inbox"): ("A", "inbox"), ("A", "outbox"): ("B", "inbox"), ("B", "outbox"): ("self", "outbox"),
        }),
        lambda: Crashing(99, ValueError()),
    ],
    ids=["generator", "async", "thread", "kamaelia", "probe", "step", "pipeline", "graphline", "crashing"],
)  # fmt: skip
def test_what_keeps_the_rules_passes(factory: Callable[[], Component]) -> None:
    check_component(factory, messages=[1, 2, 3, 4], leak_grace_s=20.0)


def test_sources_devices_and_services_pass() -> None:
    check_component(lambda: Feeder([1, 2, 3]))
    check_component(Device, ends=False, leak_grace_s=20.0)
    check_component(lambda: PublishTo("Events"), messages=[1, 2], companions=lambda: [Backplane("Events")])
    check_component(lambda: SubscribeTo("Events"), companions=lambda: [Backplane("Events")])


def test_a_component_that_ends_early_passes_when_that_is_said() -> None:
    class Head(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.wait("inbox")
            self.send(self.recv())

    check_component(Head, messages=[1, 2, 3], takes_all=False)


def test_one_that_polls_and_never_rests_passes() -> None:
    class Polls(Component):
        def main(self) -> Generator[Any, Any, None]:
            while True:
                if self.data_ready():
                    self.send(self.recv())
                yield

    check_component(Polls, messages=[1, 2], ends=False)


def test_a_source_that_ends_in_its_first_step_passes() -> None:
    class Once(Component):
        def main(self) -> Generator[Any, Any, None]:
            self.send(1)
            return
            yield

    check_component(Once)


class Endless(Component):
    """Sends for ever; its timers, if it has any, come so often that virtual time passes slowly."""

    def __init__(self, ticks_s: float = 0.0) -> None:
        self._ticks_s = ticks_s

    def main(self) -> Generator[Any, Any, None]:
        if self._ticks_s:
            self._tick()
        while True:
            for number in range(100):
                self.send(number)
            yield

    def _tick(self) -> None:
        assert self.scheduler is not None
        self.scheduler.call_at(self.scheduler.time() + self._ticks_s, self._tick)


@pytest.mark.parametrize("ticks_s", [0.0, 1e-5])
def test_a_source_without_end_is_told_so_however_slowly_virtual_time_passes(ticks_s: float) -> None:
    with pytest.raises(NotConforming, match=r"fed until end of input: it (sent 200000 messages and )?did not end"):
        check_component(lambda: Endless(ticks_s), stop_at_s=1e-6)
    check_component(lambda: Endless(ticks_s), ends=False, stop_at_s=1e-6)


class NeverEnds(Component):
    def main(self) -> Generator[Any, Any, None]:
        while True:
            try:
                yield self.wait("inbox")
                self.recv()
            except Finished:
                yield self.sleep(1.0)


class EndsEarly(Component):
    def main(self) -> Generator[Any, Any, None]:
        yield self.wait("inbox")
        self.recv()


class YieldsWhenClosed(Component):
    def main(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait("inbox")
                self.recv()
        except GeneratorExit:
            yield


class SwallowsCancel(Component):
    async def main(self) -> None:
        while True:
            try:
                async for _ in self.inbox():
                    pass
                return
            except asyncio.CancelledError:
                pass


class LeavesTask(Component):
    tasks: set[Any] = set()

    async def main(self) -> None:
        self.tasks.add(asyncio.create_task(asyncio.sleep(1e8), name="left"))
        async for _ in self.inbox():
            pass


class LeavesPipe(Component):
    ends: list[int] = []

    def main(self) -> Generator[Any, Any, None]:
        self.ends.extend(os.pipe())
        while True:
            yield self.wait("inbox")
            self.recv()


class OpensWhenMade(Relay):
    ends: list[int] = []

    def __init__(self) -> None:
        self.ends.extend(os.pipe())


class LeavesThread(Component):
    go = threading.Event()

    def main(self) -> Generator[Any, Any, None]:
        threading.Thread(target=self.go.wait, name="left", daemon=True).start()
        while True:
            yield self.wait("inbox")
            self.recv()


class DeafThread(ThreadedComponent):
    devices: list[BlockingDevice] = []

    def __init__(self) -> None:  # not in main(): a thread that begins late would read what nobody lets go any more
        self.device = BlockingDevice(deaf=True)
        self.devices.append(self.device)

    def main(self) -> None:
        self.device.read()


class SharesItsBoxes(Relay):
    def add_inbox(self, name: str, description: str = "", **options: Any) -> str:
        type(self)._class_inboxes = {**self._class_inboxes, name: self._class_inboxes["inbox"]}
        return super().add_inbox(name, description, **options)


def let_go() -> None:
    for device in DeafThread.devices:
        device.let_go()
    for end in (*LeavesPipe.ends, *OpensWhenMade.ends):
        os.close(end)
    LeavesPipe.ends.clear()
    OpensWhenMade.ends.clear()
    LeavesThread.go.set()
    LeavesThread.go = threading.Event()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NeverEnds, "NeverEnds: fed until end of input: it did not end by itself within 1 s"),
        (EndsEarly, "EndsEarly: fed until end of input: it took 1 of 3 messages, then ended"),
        (SwallowsCancel, "Shutdown on its control box: it did not end"),
        (LeavesTask, "asyncio tasks are left: <Task .*left"),
        (LeavesPipe, r"left open: descriptor \d+ \(pipe:"),
        (OpensWhenMade, r"made and dropped left open: descriptor"),
        (LeavesThread, "left open: thread 'left'"),
        (DeafThread, r"not stopped within 0\.2 s: DeafThread did not stop"),
        (SharesItsBoxes, "an inbox added to one instance appears in another"),
    ],
)
def test_each_way_to_break_a_rule_is_caught_and_named(kind: Any, text: str) -> None:
    try:
        with pytest.raises(NotConforming, match=text):
            check_component(
                kind, messages=[1, 2, 3], patience_s=1.0, stop_deadline_s=0.2, stop_at_s=0.01, leak_grace_s=0.1
            )
    finally:
        let_go()


def test_a_yield_after_shutdown_is_caught() -> None:
    with pytest.raises(ComponentError, match="although it was stopped"):
        check_component(YieldsWhenClosed, messages=[1])


def test_a_component_that_swallows_its_producers_crash_is_caught() -> None:
    class Swallows(Pipeline):
        def child_failed(self, child: Any, error: BaseException) -> bool:
            return True

    check_component(lambda: Swallows(Relay()), messages=[1])  # only its own children's


def test_a_factory_must_make_a_new_component_each_time() -> None:
    one = Relay()
    with pytest.raises(NotConforming, match="returned one component twice"):
        check_component(lambda: one)
    with pytest.raises(NotConforming, match="which is not a Component"):
        check_component(lambda: "text")  # type: ignore[arg-type, return-value]
