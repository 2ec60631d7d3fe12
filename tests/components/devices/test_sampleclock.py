"""Finding lost samples by time: what is lost is found, and what only comes late, or at a drifting clock, is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.sampleclock import SampleClock

RATE_HZ = 48000.0
BLOCK = 480
BLOCK_S = BLOCK / RATE_HZ


def deliver(clock: SampleClock, blocks: int, *, start_s: float, step_s: float = BLOCK_S, jitter_s: float = 0.0) -> int:
    """Blocks at their times, each a little late by chance; returns what was found lost."""
    chance = random.Random(1)
    return sum(
        clock.take(BLOCK, start_s + (k + 1) * step_s + jitter_s * chance.random()) for k in range(blocks)
    )  # fmt: skip


@pytest.mark.parametrize("parts_per_million", [-500, 0, 500])
def test_ten_minutes_of_a_drifting_clock_with_late_blocks_is_no_loss(parts_per_million: int) -> None:
    clock = SampleClock(RATE_HZ)
    step_s = BLOCK_S * (1 + parts_per_million * 1e-6)
    assert deliver(clock, 60_000, start_s=5.0, step_s=step_s, jitter_s=0.05) == 0
    assert (clock.rows, clock.lost) == (60_000 * BLOCK, 0)


@given(before=st.integers(250, 600), lost=st.integers(25, 1000), jitter_s=st.floats(0.0, 0.03))
def test_what_is_lost_without_a_word_is_found_once_to_a_block_or_so(before: int, lost: int, jitter_s: float) -> None:
    clock = SampleClock(RATE_HZ)
    assert deliver(clock, before, start_s=0.0, jitter_s=jitter_s) == 0
    found = deliver(clock, 500, start_s=(before + lost) * BLOCK_S, jitter_s=jitter_s)
    assert abs(found - lost * BLOCK) <= (jitter_s + BLOCK_S) * RATE_HZ
    assert clock.lost == found
    assert clock.rows == (before + 500) * BLOCK + found


@given(before=st.integers(1, 600), stall_blocks=st.integers(1, 1000))
def test_a_stall_whose_blocks_come_after_it_is_no_loss(before: int, stall_blocks: int) -> None:
    clock = SampleClock(RATE_HZ)
    assert deliver(clock, before, start_s=0.0) == 0
    at_s = (before + stall_blocks) * BLOCK_S
    assert sum(clock.take(BLOCK, at_s + k * 1e-5) for k in range(stall_blocks)) == 0
    assert deliver(clock, 300, start_s=at_s) == 0


def test_a_known_loss_is_as_long_as_the_time_that_is_missing_and_at_least_one_row() -> None:
    clock = SampleClock(RATE_HZ)
    deliver(clock, 300, start_s=0.0)
    assert clock.take(BLOCK, 3.0 + 1.5 + BLOCK_S, known_loss=True) == pytest.approx(1.5 * RATE_HZ, abs=1)
    assert clock.take(BLOCK, 4.5 + 2 * BLOCK_S, known_loss=True) == 1


def test_rows_that_were_lost_after_they_came_are_counted_but_not_missing() -> None:
    clock = SampleClock(RATE_HZ)
    deliver(clock, 300, start_s=0.0)
    clock.skip(100 * BLOCK)
    assert deliver(clock, 300, start_s=400 * BLOCK_S) == 0
    assert (clock.rows, clock.lost) == (700 * BLOCK, 100 * BLOCK)


def test_a_card_that_was_opened_again_may_give_what_it_has_at_once() -> None:
    clock = SampleClock(RATE_HZ)
    deliver(clock, 300, start_s=0.0)
    assert clock.take(BLOCK, 10.0, known_loss=True) > 0
    assert sum(clock.take(BLOCK, 10.0 + k * 1e-4) for k in range(50)) == 0
    assert deliver(clock, 500, start_s=10.0) == 0


def test_a_known_loss_right_at_the_beginning_is_as_long_as_any() -> None:
    clock = SampleClock(RATE_HZ)
    # The first block is half a second late; those behind it come at once.
    assert sum(clock.take(BLOCK, 0.5 + BLOCK_S) for _ in range(50)) == 0
    assert deliver(clock, 10, start_s=0.5) == 0
    assert clock.take(BLOCK, 0.5 + 11 * BLOCK_S + 0.3, known_loss=True) == pytest.approx(0.3 * RATE_HZ, abs=BLOCK)
