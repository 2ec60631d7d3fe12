"""Back-off and OTP's limit, by arithmetic alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.restarts import Backoff, RestartLimit


def test_without_jitter_delays_double_up_to_the_longest() -> None:
    backoff = Backoff(0.1, 1.0, jitter=0)
    assert [backoff.next_delay_s() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    backoff.reset()
    assert backoff.next_delay_s() == pytest.approx(0.1)


def test_the_defaults_are_a_tenth_to_thirty_seconds() -> None:
    backoff = Backoff(jitter=0)
    delays_s = [backoff.next_delay_s() for _ in range(20)]
    assert (delays_s[0], delays_s[-1]) == (0.1, 30.0)


@given(st.integers(), st.integers(0, 15))
def test_jitter_takes_away_at_most_half(seed: int, steps: int) -> None:
    plain, jittered = Backoff(jitter=0), Backoff(chance=random.Random(seed))
    for _ in range(steps):
        full_s = plain.next_delay_s()
        assert full_s / 2 <= jittered.next_delay_s() <= full_s


@pytest.mark.parametrize(("first_s", "longest_s"), [(-1, 1), (2, 1)])
def test_a_backoff_that_does_not_grow_is_refused(first_s: float, longest_s: float) -> None:
    with pytest.raises(ValueError, match="a back-off grows"):
        Backoff(first_s, longest_s)


def test_row_26_three_restarts_in_five_seconds_and_no_fourth() -> None:
    limit = RestartLimit()
    assert [limit.next_delay_s(now_s) is not None for now_s in (0.0, 1.0, 2.0, 3.0)] == [True, True, True, False]


def test_failures_that_are_far_apart_never_escalate_and_start_from_the_first_delay() -> None:
    limit = RestartLimit(backoff=Backoff(jitter=0))
    assert [limit.next_delay_s(now_s) for now_s in range(0, 600, 6)] == [0.1] * 100


def test_failures_within_a_period_back_off_more_and_more() -> None:
    limit = RestartLimit(backoff=Backoff(jitter=0))
    assert [limit.next_delay_s(now_s) for now_s in (0.0, 2.0, 4.0)] == pytest.approx([0.1, 0.2, 0.4])


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5), st.floats(0.5, 10))
def test_never_more_than_the_intensity_in_any_period(gaps_s: list[float], intensity: int, period_s: float) -> None:
    limit = RestartLimit(intensity, period_s)
    now_s, restarts = 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if limit.next_delay_s(now_s) is not None:
            restarts.append(now_s)
    for start_s in restarts:
        assert sum(0 <= at_s - start_s <= period_s for at_s in restarts) <= intensity
