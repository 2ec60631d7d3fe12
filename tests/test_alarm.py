"""What wakes the event loop for the next timer: the system's timer, or the loop's own."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from axonlike import Component, Scheduler, alarm, speedups
from axonlike.alarm import Alarm
from axonlike.testing import VirtualLoop

compiled = pytest.mark.skipif(alarm.system_timer is None, reason="needs axonlike's C, and Linux")


def _descriptors() -> set[str]:

    return {str(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def _ringing(exact: bool, until: Callable[[list[float], Alarm], bool]) -> tuple[bool, list[float]]:
    """Have an alarm ring until `until(rings, alarm)` is true; when it rang, and whether the system did it."""
    rings: list[float] = []
    loop = asyncio.new_event_loop()

    def ring() -> None:
        rings.append(time.monotonic())
        if until(rings, bell):
            loop.stop()

    bell = Alarm(loop, ring, exact=exact)
    try:
        bell.set(time.monotonic() + 0.01)
        loop.run_forever()
    finally:
        bell.close()
        loop.close()
    return bell.exact, rings


@pytest.mark.parametrize("exact", [pytest.param(True, marks=compiled), False])
def test_it_rings_when_due_and_never_before(exact: bool) -> None:
    due_s = [math.nan]

    def until(rings: list[float], bell: Alarm) -> bool:
        due_s.append(rings[-1] + 0.003)
        bell.set(due_s[-1])
        return len(rings) == 20

    by_system, rings = _ringing(exact, until)
    assert by_system is exact
    assert len(rings) == 20
    # The loop's own timers may come early, by what its clock is said to be coarse.
    assert all(rang >= due - 1e-6 for rang, due in zip(rings[1:], due_s[1:]))


@pytest.mark.parametrize("exact", [pytest.param(True, marks=compiled), False])
def test_the_last_setting_counts(exact: bool) -> None:
    loop = asyncio.new_event_loop()
    rings: list[str] = []
    bell = Alarm(loop, lambda: rings.append("bell"), exact=exact)
    bell.set(time.monotonic() + 0.01)
    bell.set(math.inf)
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    assert rings == []
    bell.set(time.monotonic() + 3600)
    bell.set(-1.0)  # long due
    loop.call_later(3600, rings.append, "an hour is over")
    loop.call_soon(lambda: loop.call_later(0.01, loop.stop))
    loop.run_forever()
    bell.close()
    assert rings
    assert set(rings) == {"bell"}
    before = len(rings)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    loop.close()
    assert len(rings) == before, "it rang after its close"


@compiled
def test_the_systems_timer_is_readable_until_it_is_set_again() -> None:
    assert alarm.system_timer is not None
    timer = alarm.system_timer()
    now_s = time.monotonic()
    timer.set(now_s + 3600)
    assert select.select([timer], [], [], 0)[0] == []
    timer.set(now_s + 0.005)
    assert select.select([timer], [], [], 10)[0] == [timer]
    assert time.monotonic() >= now_s + 0.005
    assert select.select([timer], [], [], 0)[0] == [timer]
    for far in (math.inf, 1e300, now_s + 3600):
        timer.set(far)
        assert select.select([timer], [], [], 0)[0] == []
    with pytest.raises(TypeError, match="must be real number"):
        timer.set("soon")  # type: ignore[arg-type]
    timer.close()
    timer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        timer.set(1.0)


@compiled
def test_a_timer_of_the_system_that_nobody_closes_is_closed_when_nobody_has_it() -> None:
    assert alarm.system_timer is not None
    before = _descriptors()
    timer = alarm.system_timer()
    assert len(_descriptors()) == len(before) + 1
    del timer
    gc.collect()
    assert _descriptors() == before


def test_a_loop_with_a_time_of_its_own_keeps_its_own_timers() -> None:
    seen: list[bool] = []

    class Look(Component):
        def main(self):
            yield self.sleep(3600.0)
            assert self.scheduler is not None
            assert self.scheduler._alarm is not None
            seen.append(self.scheduler._alarm.exact)

    Scheduler(loop_factory=VirtualLoop).run(Look())
    assert seen == [False]


@compiled
def test_without_a_descriptor_left_the_loops_own_timers_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> alarm.SystemTimer:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(alarm, "system_timer", none_left)
    by_system, rings = _ringing(True, lambda rings, bell: True)
    assert (by_system, len(rings)) == (False, 1)


def test_a_run_leaves_no_descriptor_open() -> None:
    class Rests(Component):
        def main(self):
            yield self.sleep(0.001)

    before = _descriptors()
    Scheduler().run(Rests())
    assert _descriptors() == before


def test_a_timer_made_before_the_run_rings_in_it() -> None:
    class Rests(Component):
        def main(self):
            yield self.wait()

    rests = Rests()
    scheduler = Scheduler()
    scheduler.call_at(scheduler.time() + 0.01, rests.stop)
    scheduler.run(rests)
    assert rests.ended


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has them")
def test_linux_has_it_where_the_c_is_in_use() -> None:
    assert (alarm.system_timer is not None) is speedups.in_use
    assert os.environ.get("AXONLIKE_SPEEDUPS") != "0" or alarm.system_timer is None
