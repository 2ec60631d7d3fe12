"""The timers' heaps, beside a sorted list."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.timers import Timer, TimerQueue


def test_timers_come_in_order_of_time_then_of_making() -> None:
    queue = TimerQueue()
    seen: list[object] = []
    for when_s, name in ((3.0, "c"), (1.0, "a"), (3.0, "d"), (2.0, "b")):
        queue.add(when_s, seen.append, name)
    queue.call_due(0.9)
    assert seen == []
    queue.call_due(3.0)
    assert seen == ["a", "b", "c", "d"]


def test_what_an_action_adds_for_now_is_called_now() -> None:
    queue = TimerQueue()
    seen: list[object] = []

    def adds() -> None:
        queue.add(1.0, seen.append, "added")

    queue.add(1.0, adds)
    queue.call_due(1.0)
    assert seen == ["added"]


def test_an_action_may_cancel_hundreds_of_the_others() -> None:
    queue = TimerQueue()
    seen: list[object] = []
    timers = [queue.add(2.0 + number, seen.append, number) for number in range(500)]

    def cancels() -> None:
        for timer in timers[:400]:
            timer.cancel()
        queue.add(1.0, seen.append, "added")

    queue.add(1.0, cancels)
    queue.call_due(450.0)
    assert seen == ["added", *range(400, 449)]
    assert len(queue) == 51
    queue.call_due(1000.0)
    assert (len(seen), len(queue), queue.next_due_s()) == (101, 0, None)


def test_an_action_that_raises_leaves_the_rest_due() -> None:
    queue = TimerQueue()
    seen: list[object] = []
    queue.add(1.0, [].pop)
    queue.add(1.0, seen.append, "next")
    with pytest.raises(IndexError):
        queue.call_due(1.0)
    queue.call_due(1.0)
    assert (seen, len(queue)) == (["next"], 0)


def test_a_cancelled_timer_is_never_called_and_does_not_count() -> None:
    queue = TimerQueue()
    seen: list[object] = []
    timer = queue.add(1.0, seen.append, "no")
    queue.add(2.0, seen.append, "yes")
    timer.cancel()
    timer.cancel()
    assert (len(queue), queue.next_due_s()) == (1, 2.0)
    queue.call_due(5.0)
    timer.cancel()
    assert (seen, len(queue), queue.next_due_s()) == (["yes"], 0, None)


def test_cancelled_timers_do_not_pile_up() -> None:
    queue = TimerQueue()
    for number in range(10_000):
        queue.add(3600.0 + number, lambda: None).cancel()
    assert len(queue.due_times_s()) == len(queue._ticks) < 200
    assert len(queue) == 0


@pytest.mark.parametrize("spread_s", [0.001, 1.0])
def test_what_is_left_after_sifting_comes_in_order(spread_s: float) -> None:
    chance = random.Random(1)
    queue = TimerQueue()
    called: list[float] = []
    times_s = [chance.uniform(5, 5 + spread_s) for _ in range(1000)]
    timers = [queue.add(when_s, called.append, when_s) for when_s in times_s]
    chance.shuffle(timers)
    for timer in timers[:600]:
        timer.cancel()
    assert len(queue.due_times_s()) < 1000, "nothing was sifted out"
    queue.call_due(10.0)
    assert called == sorted(timer.when_s for timer in timers[600:])


def test_a_finalizer_that_adds_to_the_same_tick_loses_no_timer() -> None:
    queue = TimerQueue()
    seen: list[object] = []

    class Meanwhile(dict[int, list[Timer]]):
        """Adds a timer where the collector could come: after the look for the tick."""

        added = False

        def get(self, tick: int, default: Any = None) -> Any:
            found = super().get(tick, default)
            if not self.added:
                self.added = True
                queue.add(1.0, seen.append, "the finalizer's")
            return found

    queue._by_tick = Meanwhile()
    queue.add(1.0, seen.append, "ours")
    queue.call_due(1.0)
    assert seen == ["ours", "the finalizer's"]
    assert (len(queue), queue._ticks) == (0, [])


def test_what_is_never_due_comes_after_everything_else() -> None:
    queue = TimerQueue()
    seen: list[object] = []
    for when_s in (math.inf, 1e307, 1e15, 2.0, math.inf):
        queue.add(when_s, seen.append, when_s)
    for now_s in (2.0, 1e15, 1e307):
        assert queue.next_due_s() == now_s
        queue.call_due(now_s)
    assert seen == [2.0, 1e15, 1e307]
    assert (queue.next_due_s(), len(queue)) == (math.inf, 2)


some_s = st.one_of(st.floats(0, 100), st.floats(50, 50.01))  # many to a tick, too


@given(st.lists(st.tuples(some_s, st.booleans()), max_size=200), st.lists(some_s, max_size=5))
def test_what_is_due_is_what_a_sorted_list_says(timers: list[tuple[float, bool]], looks_s: list[float]) -> None:
    queue = TimerQueue()
    called: list[int] = []
    kept = []
    for number, (when_s, cancelled) in enumerate(timers):
        timer = queue.add(when_s, called.append, number)
        if cancelled:
            timer.cancel()
        else:
            kept.append((when_s, number))
    expected = []
    for now_s in sorted(looks_s):
        queue.call_due(now_s)
        expected = [number for when_s, number in sorted(kept) if when_s <= now_s]
        assert called == expected
        assert len(queue) == len(kept) - len(called)
        rest = [when_s for when_s, number in kept if number not in called]
        assert queue.next_due_s() == (min(rest) if rest else None)
