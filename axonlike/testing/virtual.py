"""Graphs in virtual time: an event loop whose clock jumps to the next timer when nothing else can happen.

    probe = Probe()
    assert run_virtual(Pipeline(Feeder(["on", PAUSE(3600), "off"]), probe)) == 3600.0
    assert probe.times_s == [0.0, 3600.0]

The clock jumps only when nothing real is under way. While a component's thread works, a call runs in an executor, or a
socket, pipe or child is watched by the loop, the clock goes as fast as the machine's: a device that answers after 20 ms
must not meet a time-out of an hour. A thread that itself rests (waits for messages, for a time or for room) does not
hold the clock.

It is asyncio's selector loop on purpose, never uvloop: a test must not depend on what is installed.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from axonlike.clock import Virtual
from axonlike.component import Component
from axonlike.driven import Driven
from axonlike.here import HERE
from axonlike.part import Part
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.testing.parts import Feeder, Probe
from axonlike.threads import ThreadedComponent

__all__ = ["VirtualLoop", "outputs", "run_virtual"]

BUSY_S = 5.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time; hand it to a Scheduler or asyncio.Runner as `loop_factory`.

    clock: shared with the test, so that it can read the time; a new one starts at 0. `jumps` counts how often the clock
    was moved on, `left_over` names the asyncio tasks that were not done when the first `run_until_complete` returned.

    A graph that never rests (`while True: yield`) would make time stand still. So after `busy_s` real seconds at one
    instant the clock jumps to the next timer all the same.

    Raises RuntimeError out of the run when nothing can ever happen again: no timer, no thread, no socket.
    """

    def __init__(self, clock: Virtual | None = None, *, busy_s: float = BUSY_S) -> None:
        self.clock = clock or Virtual()
        self.busy_s = busy_s
        self.jumps = 0
        self.left_over: list[str] | None = None
        self._calls_in_executors = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.clock.time()

    @property
    def _clock_resolution(self) -> float:
        # asyncio calls what is due before time() + this. It has to be more than the spacing of floats, which grows
        # with time: otherwise a timer that is due exactly now, after a year, would never be.
        return max(1e-9, 2 * math.ulp(self.clock.time()))

    @_clock_resolution.setter
    def _clock_resolution(self, _seconds: float) -> None:
        """asyncio sets that of the machine's clock."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._calls_in_executors += 1
        future.add_done_callback(self._executor_done)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        self._calls_in_executors += 1  # asyncio joins the executor's threads in one more thread
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._calls_in_executors -= 1

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        finally:
            if self.left_over is None:
                self.left_over = sorted(repr(t) for t in asyncio.all_tasks(self) if not _finalises_a_generator(t))

    def _executor_done(self, _future: object) -> None:
        self._calls_in_executors -= 1

    def under_way(self) -> str | None:
        """What real thing may bring something now; None when only virtual time can."""
        if self._calls_in_executors:
            return f"{self._calls_in_executors} calls in executors"
        watched = len(self._jumping.get_map()) - 1  # one is the loop's own wake-up pipe
        if watched > 0:
            return f"{watched} sockets, pipes or children"
        scheduler = _scheduler_here()
        if scheduler is not None:
            for key, (why, idle) in tuple(scheduler._outside.items()):
                if not idle() and not _waits_for_the_loop(key):
                    return why
        return None

    @property
    def _jumping(self) -> _JumpingSelector:
        selector = self._selector  # type: ignore[attr-defined]
        assert isinstance(selector, _JumpingSelector)
        return selector

    def _jump(self) -> None:
        """Move the clock to the next timer (asyncio has just taken cancelled ones off the heap's top)."""
        self._jump_to(self._scheduled[0].when())  # type: ignore[attr-defined]

    def _jump_past_the_busy(self) -> None:
        """Move the clock to the first timer that is not due already, if there is one."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        now_s = self.clock.time()
        later_s = [timer.when() for timer in scheduled if timer.when() > now_s and not timer.cancelled()]
        if later_s:
            self._jump_to(min(later_s))

    def _jump_to(self, when_s: float) -> None:
        if when_s > self.clock.time():
            self.clock.advance_to(when_s)
            self.jumps += 1


_NAP_S = 0.005
_LOOK_S = 0.002  # of a loop that is busy there is one look a millisecond; what is longer the machine stood still


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """The machine's selector, but where it would sleep, virtual time passes instead if it may."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._instant_s = -1.0
        self._busy_s = 0.0
        self._looked_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            self._look_for_busyness()
            return super().select(0)
        # Asked before looking: a thread posts to the loop first and rests then, so what it posted is seen by the look.
        under_way = self._loop.under_way()
        if under_way is None:
            events = super().select(0)
            if events:
                return events
            if timeout is not None:
                self._loop._jump()
                return []
            scheduler = _scheduler_here()
            held_by = scheduler.held_by if scheduler is not None else ()
            if not held_by:
                raise RuntimeError("nothing can happen any more in virtual time: there is no timer, thread or socket")
        # In short naps: a thread that was about to rest when it was asked about does so without telling the loop.
        began_s = time.monotonic()
        events = super().select(_NAP_S if timeout is None else min(timeout, _NAP_S))
        passed_s = time.monotonic() - began_s
        self._loop.clock.advance(passed_s if timeout is None else min(passed_s, timeout))
        return events


    def _look_for_busyness(self) -> None:
        loop, real_s = self._loop, time.monotonic()
        if loop.clock.time() != self._instant_s:
            self._instant_s, self._busy_s = loop.clock.time(), 0.0
        else:
            self._busy_s += min(real_s - self._looked_s, _LOOK_S)
        self._looked_s = real_s
        if self._busy_s > loop.busy_s:
            loop._jump_past_the_busy()


def _finalises_a_generator(task: asyncio.Task[Any]) -> bool:
    """asyncio's own way to close an async generator whose reader was cancelled: nobody's leak."""
    return type(task.get_coro()).__name__.startswith("async_generator_")


def _scheduler_here() -> Scheduler | None:
    """The scheduler that runs in this thread."""
    return HERE.running


def _waits_for_the_loop(key: object) -> bool:
    """Does what holds the run wait for a timer or a descriptor of the loop itself, which knows better?"""
    if isinstance(key, ThreadedComponent):
        return key._body is not None and key._body.rests()
    if isinstance(key, Scheduler):
        return key._thread is None  # the `async with` block around it runs in this very loop
    return isinstance(key, Driven) or (isinstance(key, Part) and key._state is State.FOREIGN)


def run_virtual(
    *parts: Part,
    until_s: float | None = None,
    clock: Virtual | None = None,
    stop_deadline_s: float = 5.0,
    busy_s: float = BUSY_S,
    shuffle: str | None = None,
) -> float:
    """Run these parts in virtual time, in a scheduler of their own; returns how many virtual seconds it took.

    until_s: after so many virtual seconds what still runs is stopped in order. Raises what `axonlike.run` raises. Parts
    that were activated in this thread's default scheduler are not part of it. busy_s: see VirtualLoop.
    """
    clock = clock or Virtual()
    began_s = clock.time()
    scheduler = Scheduler(
        loop_factory=virtual_loops(clock, stop_after_s=until_s, busy_s=busy_s),
        watchdog_s=None,
        stop_deadline_s=stop_deadline_s,
        shuffle=shuffle,
    )
    scheduler.run(*parts)
    return clock.time() - began_s


def virtual_loops(
    clock: Virtual, *, stop_after_s: float | None = None, busy_s: float = BUSY_S
) -> Callable[[], VirtualLoop]:
    """A loop_factory that runs on `clock`, and stops the scheduler after so many seconds.

    The stop is the loop's timer, not the scheduler's: a scheduler with a timer never finds that nothing can happen.
    """

    def factory() -> VirtualLoop:
        loop = VirtualLoop(clock, busy_s=busy_s)
        if stop_after_s is not None:
            loop.call_at(clock.time() + stop_after_s, _stop_the_run, f"{stop_after_s:g} s are over")
        return loop

    return factory


def _stop_the_run(reason: str) -> None:
    scheduler = _scheduler_here()
    assert scheduler is not None
    scheduler.stop(reason)


def outputs(
    component: Component,
    messages: Iterable[Any],
    *,
    inbox: str = "inbox",
    outbox: str = "outbox",
    until_s: float | None = None,
) -> list[Any]:
    """What a component sends for these messages (which may hold the markers of `Feeder`), in virtual time."""
    feeder, probe = Feeder(messages), Probe()
    feeder.link((feeder, "outbox"), (component, inbox))
    component.link((component, outbox), (probe, "inbox"))
    run_virtual(feeder, component, probe, until_s=until_s)
    return probe.messages
