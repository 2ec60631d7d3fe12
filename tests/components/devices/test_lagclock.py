"""How many rows are missing, by the time that has passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.lagclock import LagClock


def test_before_anything_has_come_nothing_is_missing() -> None:
    assert LagClock(100.0).behind(0, 1000.0) == 0.0


@given(late_s=st.lists(st.floats(0, 0.5), min_size=1, max_size=200), lost=st.integers(0, 10**6))
def test_what_was_held_up_now_and_then_does_not_count(late_s: list[float], lost: int) -> None:
    clock = LagClock(250.0)
    clock.note(25, 7.0 + 0.1)
    for number, late in enumerate(late_s, 2):
        clock.note(number * 25, 7.0 + number * 0.1 + late)
    index = (len(late_s) + 2) * 25
    assert clock.behind(index, 7.0 + (index + lost) / 250.0) == pytest.approx(lost, abs=130)


def test_what_is_usual_is_that_of_the_last_10_to_20_seconds() -> None:
    clock = LagClock(100.0)
    for second in range(1000):
        clock.note(second * 100, second * 1.0001)  # the device's clock is slow by 100 ppm
    assert clock.behind(100_000, 1000.1) < 1.0
    assert clock.behind(99_900, 1000.1) == pytest.approx(100, abs=1)
