"""The watchdog: names a step that does not end, with its stack, and sleeps while nothing runs."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable

import pytest

from axonlike.instruments import DeadMansSwitch, Watchdog, advice_on, stack_of


class Watched:
    """What a watchdog reads, set by hand."""

    def __init__(self) -> None:
        self.slices = 0
        self.thread_id: int | None = threading.get_ident()
        self.running_path: str | None = None


class Reports:
    def __init__(self) -> None:
        self.told: list[tuple[str, float, str, str]] = []
        self.came = threading.Semaphore(0)

    def __call__(self, path: str, seconds: float, stack: str, place: str) -> None:
        self.told.append((path, seconds, stack, place))
        self.came.release()


def watching(limit_s: float, act: Callable[[Watched, Watchdog, Reports], None]) -> Reports:
    watched, reports = Watched(), Reports()
    watchdog = Watchdog(watched, limit_s, reports)
    try:
        act(watched, watchdog, reports)
    finally:
        watchdog.close()
    return reports


def test_a_step_that_does_not_end_is_told_with_its_stack_and_at_doubled_times_with_its_place_alone() -> None:
    def hog(watched: Watched, watchdog: Watchdog, reports: Reports) -> None:
        watched.running_path, watched.slices = "graph/hog", 1
        watchdog.wake()
        for _ in range(3):
            assert reports.came.acquire(timeout=60)

    told = watching(0.02, hog).told
    assert [path for path, *_ in told[:3]] == ["graph/hog"] * 3
    assert "in hog" in told[0][2]
    assert told[0][3] == ""
    for _, _, stack, place in told[1:3]:
        assert stack == ""
        assert re.fullmatch(r"(test_instruments|threading)\.py:\d+", place)
    times_s = [seconds for _, seconds, *_ in told[:3]]
    assert times_s[0] >= 0.02
    assert all(later >= 2 * earlier for earlier, later in zip(times_s, times_s[1:]))


class Switch(DeadMansSwitch):
    def __init__(self) -> None:
        super().__init__(0.0)
        self.pressed = 0
        self.is_off = threading.Event()

    def press(self) -> None:
        self.is_off.clear()
        self.pressed += 1

    def off(self) -> None:
        self.is_off.set()


def test_its_switch_is_pressed_as_long_as_steps_end_and_off_when_nothing_runs() -> None:
    watched, reports, switch = Watched(), Reports(), Switch()
    watchdog = Watchdog(watched, 0.02, reports, switch)
    try:
        assert switch.pressed == 0
        watched.running_path, watched.slices = "graph/hog", 1
        watchdog.wake()
        assert switch.pressed == 1, "whoever wakes it presses it"
        assert reports.came.acquire(timeout=60)
        held = switch.pressed
        assert reports.came.acquire(timeout=60)
        assert switch.pressed == held, "pressed though the same step ran on"
        watched.running_path = None
        assert switch.is_off.wait(60)
        assert switch.pressed > held
    finally:
        watchdog.close()
    assert switch.is_off.is_set()


class ManySteps:
    """Another step runs at each look that the watchdog takes, however late it comes to look."""

    def __init__(self) -> None:
        self.thread_id: int | None = threading.get_ident()
        self.running_path: str | None = "graph/busy"
        self.looked = threading.Semaphore(0)
        self._slices = 0

    @property
    def slices(self) -> int:
        self._slices += 1
        self.looked.release()
        return self._slices

    @slices.setter
    def slices(self, number: int) -> None:
        self._slices = number


def test_many_short_steps_are_not_told() -> None:
    watched, reports = ManySteps(), Reports()
    watchdog = Watchdog(watched, 0.02, reports)
    try:
        watchdog.wake()
        for _ in range(40):  # it looks four times a limit, and twice each time
            assert watched.looked.acquire(timeout=60)
    finally:
        watchdog.close()
    assert reports.told == []


def test_it_falls_asleep_when_nothing_runs_and_can_be_woken_again() -> None:
    def idle(watched: Watched, watchdog: Watchdog, reports: Reports) -> None:
        watchdog.wake()
        while not watchdog.asleep:
            threading.Event().wait(0.001)
        watched.running_path, watched.slices = "graph/later", 5
        watchdog.wake()
        assert reports.came.acquire(timeout=60)

    assert watching(0.02, idle).told[0][0] == "graph/later"


def test_closing_at_once_and_while_it_looks() -> None:
    assert watching(10.0, lambda watched, watchdog, reports: None).told == []
    assert watching(10.0, lambda watched, watchdog, reports: watchdog.wake()).told == []
    assert "axonlike-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_the_stack_of_a_thread_names_what_it_is_in() -> None:
    entered, leave = threading.Event(), threading.Event()

    def in_here() -> None:
        entered.set()
        leave.wait()

    thread = threading.Thread(target=in_here)
    thread.start()
    entered.wait()
    assert thread.ident is not None
    assert "in in_here" in stack_of(thread.ident)
    ours = stack_of(thread.ident, skip=lambda frame: frame.f_code.co_filename == threading.__file__)
    assert "in in_here" in ours
    assert "in wait" not in ours
    leave.set()
    thread.join()
    assert "has ended" in stack_of(thread.ident) or sys.version_info >= (3, 13)


def test_it_tells_how_long_a_step_has_been_seen_to_run() -> None:
    held: list[float] = []

    def hog(watched: Watched, watchdog: Watchdog, reports: Reports) -> None:
        held.append(watchdog.held_s)
        watched.running_path, watched.slices = "graph/hog", 1
        watchdog.wake()
        assert reports.came.acquire(timeout=60)
        held.append(watchdog.held_s)
        watched.slices = 2
        held.append(watchdog.held_s)

    watching(0.02, hog)
    assert held[0] == held[2] == 0
    assert held[1] >= 0.02


STUCK = """
class Stuck(Component):
    def main(self):
        yield
        while True:
            {body}

    async def other(self):
        for _ in forever():
            {body}

def function(number):
    while number:
        number += 1
"""


@pytest.mark.parametrize(
    ("body", "line", "advice"),
    [
        ("self.wait()", 6, "  s.py:6: self.wait() alone does not wait: write `yield self.wait()`\n"),
        ("self.wait()", 5, "  s.py:6: self.wait() alone does not wait: write `yield self.wait()`\n"),
        ("self.sleep(1)", 10, "  s.py:10: self.sleep(1) alone does not wait: write `await self.sleep(1)`\n"),
        ("self.pause()", 6, "  s.py:5: this loop has no yield in it\n"),
        ("pass", 10, "  s.py:9: this loop has no await in it\n"),
        ("yield self.wait()", 6, ""),
        ("pass", 14, ""),  # a function of no component may loop as it likes
        ("pass", 1, ""),
        ("(", 6, ""),
    ],
)
def test_advice_on_a_loop_that_does_not_yield(body: str, line: int, advice: str) -> None:
    assert advice_on(STUCK.format(body=body), "/home/me/s.py", line) == advice
