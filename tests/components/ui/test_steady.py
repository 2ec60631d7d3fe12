"""Rows of a waterfall: evenly spaced in time, whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.ui.steady import SteadyRows


def frames(count: int, bins: int = 2, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((count, bins)).astype(np.float32)


@settings(deadline=None, max_examples=80)
@given(
    cuts=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    per_row=st.sampled_from([0.1, 0.37, 0.5, 1.0, 1.5, 2.0, 7.3, 20.0]),
    start=st.integers(0, 100),
)
def test_however_the_stream_is_cut_the_rows_are_the_same(cuts: list[int], per_row: float, start: int) -> None:
    whole = frames(sum(cuts))
    at_once, in_parts = SteadyRows(30, 2, per_row), SteadyRows(30, 2, per_row)
    at_once.begin(start)
    in_parts.begin(start)
    at_once.add(whole, start)
    at = 0
    for cut in cuts:
        in_parts.add(whole[at : at + cut], start + at)
        at += cut
    assert at_once.end == in_parts.end
    first = max(at_once.first, in_parts.first) + 1
    np.testing.assert_array_equal(at_once.rows(first, at_once.end), in_parts.rows(first, in_parts.end))


@pytest.mark.parametrize("per_row", [2.0, 3.5, 10.0])
def test_a_row_shows_the_greatest_of_its_frames(per_row: float) -> None:
    data = frames(100)
    rows = SteadyRows(60, 2, per_row)
    rows.add(data, 0)
    for number in range(rows.end):
        own = data[[k for k in range(100) if int(k / per_row) == number]]
        np.testing.assert_array_equal(rows.rows(number, number + 1)[0], own.max(axis=0))


def test_or_their_mean() -> None:
    data = frames(40)
    rows = SteadyRows(20, 2, 4.0, reduce="mean")
    for at in range(0, 40, 3):
        rows.add(data[at : at + 3], at)
    np.testing.assert_allclose(rows.rows(0, 10), data.reshape(10, 4, 2).mean(axis=1), rtol=1e-5)


def test_a_long_frame_fills_several_rows() -> None:
    data = frames(5)
    rows = SteadyRows(60, 2, 0.25)
    for number in range(5):
        rows.add(data[number : number + 1], number)
    assert rows.end == 20
    np.testing.assert_array_equal(rows.rows(0, 20), np.repeat(data, 4, axis=0))


@pytest.mark.parametrize("per_row", [0.5, 1.0, 4.0])
def test_the_time_of_lost_frames_stays_empty(per_row: float) -> None:
    rows = SteadyRows(200, 2, per_row)
    rows.add(frames(20), 0)
    rows.add(frames(20), 60)
    assert rows.end == 80 / per_row
    empty = np.isnan(rows.rows(0, rows.end)).any(axis=1)
    np.testing.assert_array_equal(empty, [20 <= number * per_row < 60 for number in range(rows.end)])


def test_twice_as_many_frames_a_second_move_it_no_faster() -> None:
    slow, fast = SteadyRows(50, 2, 3.0), SteadyRows(50, 2, 6.0)
    slow.add(frames(60), 0)
    fast.add(frames(120), 0)
    assert slow.end == fast.end == 20


def test_a_stream_that_begins_anew_empties_it() -> None:
    rows = SteadyRows(10, 2, 1.0)
    rows.add(frames(8), 100)
    rows.add(frames(3), 0)
    assert (rows.first, rows.end) == (0, 3)
    assert np.isnan(rows.rows(-7, 0)).all()


def test_another_speed_shows_the_same_history() -> None:
    data = np.repeat(np.arange(40, dtype=np.float32)[:, np.newaxis], 2, axis=1)
    rows = SteadyRows(40, 2, 1.0)
    rows.add(data, 0)
    slower = rows.resized(20, 4.0)
    assert slower.end == 10
    np.testing.assert_array_equal(slower.rows(0, 10)[:, 0], [2, 6, 10, 14, 18, 22, 26, 30, 34, 38])
    faster = rows.resized(80, 0.5)
    np.testing.assert_array_equal(faster.rows(0, 80)[:, 0], np.repeat(np.arange(40), 2))


@pytest.mark.parametrize("per_row", [0.5, 1.0, 2.0])
def test_lost_time_is_empty_where_older_rows_stood_too(per_row: float) -> None:
    rows = SteadyRows(20, 2, per_row)
    rows.add(frames(100), 0)
    rows.add(frames(2), 104)
    empty = np.isnan(rows.rows(int(100 / per_row), rows.end)).any(axis=1)
    np.testing.assert_array_equal(empty, [True] * int(4 / per_row) + [False] * int(2 / per_row))
