"""What scopes compute, against the plain formulas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.ui.traces import (
    Envelope,
    History,
    auto_scale,
    coverage,
    digital_lines,
    engineering,
    line_spans,
    linked_spans,
    strips,
)

Floats = npt.NDArray[np.float32]


def noise(rows: int, channels: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((rows, channels)).astype(np.float32)


def plain_columns(rows: Floats, first: int, columns: int, span_rows: int) -> dict[int, tuple[Floats, Floats]]:
    """Least and greatest of each column by its number: the definition, in a loop."""
    found: dict[int, list[Floats]] = {}
    for place, row in enumerate(rows):
        found.setdefault((first + place) * columns // span_rows, []).append(row)
    return {c: (np.min(r, axis=0), np.max(r, axis=0)) for c, r in found.items()}


# -- the envelope


@settings(deadline=None, max_examples=60)
@given(
    columns=st.integers(2, 40),
    more=st.integers(0, 300),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    start=st.integers(0, 5000),
)
def test_each_column_holds_the_least_and_the_greatest_of_its_rows(
    columns: int, more: int, cuts: list[int], start: int
) -> None:
    span_rows = columns + more
    rows = noise(sum(cuts), 3)
    envelope = Envelope(columns, span_rows, 3)
    envelope.begin(start)
    at = 0
    for cut in cuts:
        envelope.add(rows[at : at + cut])
        at += cut
    wanted = plain_columns(rows, start, columns, span_rows)
    newest = max(wanted, default=0)
    for number, (low, high) in wanted.items():
        if number > newest - columns + 1:  # the oldest one may have lost rows to the newest, which has its place
            np.testing.assert_array_equal(envelope.low[number % columns], low)
            np.testing.assert_array_equal(envelope.high[number % columns], high)


def test_a_spike_of_one_sample_is_seen_at_any_zoom() -> None:
    rows = np.zeros((1_000_000, 1), np.float32)
    rows[654_321] = 7
    envelope = Envelope(100, len(rows), 1)
    envelope.add(rows)
    assert envelope.high.max() == 7
    assert envelope.high[65, 0] == 7


def test_columns_whose_rows_are_missing_are_empty() -> None:
    envelope = Envelope(10, 100, 1)
    envelope.add(np.ones((30, 1), np.float32))
    envelope.skip(40)
    envelope.add(np.ones((20, 1), np.float32))
    np.testing.assert_array_equal(np.isnan(envelope.low[:, 0]), [False] * 3 + [True] * 4 + [False] * 2 + [True])


def test_the_next_sweep_overwrites_the_one_before_column_by_column() -> None:
    envelope = Envelope(10, 100, 1)
    envelope.add(np.full((100, 1), 1, np.float32))
    envelope.add(np.full((35, 1), 2, np.float32))
    np.testing.assert_array_equal(envelope.high[:, 0], [2, 2, 2, 2, 1, 1, 1, 1, 1, 1])
    assert envelope.newest == 13


def test_in_scroll_order_the_newest_is_last_and_in_scan_order_everything_stays() -> None:
    assert strips(4, 13, 10, scroll=True) == [(4, 14, 0)]
    assert strips(12, 13, 10, scroll=True) == [(12, 14, 8)]
    assert strips(12, 13, 10, scroll=False) == [(12, 14, 2)]
    assert strips(7, 13, 10, scroll=False) == [(7, 10, 7), (10, 14, 0)]
    assert strips(10, 19, 10, scroll=False) == [(10, 20, 0)]


# -- the history


@settings(deadline=None, max_examples=60)
@given(
    capacity=st.integers(1, 50),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 80)), max_size=12),
    start=st.integers(0, 1000),
)
def test_the_history_holds_the_last_rows_with_nan_for_missing_ones(
    capacity: int, steps: list[tuple[bool, int]], start: int
) -> None:
    history = History(capacity, 2)
    history.begin(start)
    whole = np.empty((0, 2), np.float32)
    for seed, (is_gap, rows) in enumerate(steps):
        new = np.full((rows, 2), np.nan, np.float32) if is_gap else noise(rows, 2, seed)
        history.skip(rows) if is_gap else history.add(new)
        whole = np.concatenate([whole, new])
    assert history.end == start + len(whole)
    kept = history.rows(history.first, history.end)
    assert len(kept) == min(capacity, len(whole))
    np.testing.assert_array_equal(kept, whole[len(whole) - len(kept) :])


# -- scaling


def test_lanes_are_nine_deviations_high_with_the_median_in_the_middle_and_the_first_channel_on_top() -> None:
    x = noise(5001, 4).astype(np.float64) * [1, 10, 0.1, 5] + [0, 100, -3, 7]
    median = np.median(x, axis=0)
    mad = 1.4826 * np.median(np.abs(x - median), axis=0)

    each = auto_scale(x, "each")
    np.testing.assert_allclose(each.gains, 1 / (9 * mad))
    np.testing.assert_allclose(each.offsets, [3, 2, 1, 0] - median / (9 * mad))
    assert (each.low, each.high) == (-0.5, 3.5)

    same = auto_scale(x, "same")
    np.testing.assert_allclose(same.gains, np.full(4, 1 / (9 * mad.max())))
    np.testing.assert_allclose(same.offsets, [3, 2, 1, 0] - median * same.gains)


def test_the_real_scale_reaches_from_the_least_to_the_greatest() -> None:
    real = auto_scale([[1.0, -4.0], [2.0, 9.0]], "real")
    assert (real.low, real.high) == (-4.0, 9.0)
    assert real.gains.tolist() == [1, 1]
    assert real.offsets.tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["same", "each", "real"])
def test_flat_empty_and_missing_signals_can_be_scaled(mode: str) -> None:
    for rows in (np.full((10, 2), 3.0), np.empty((0, 2)), np.full((4, 2), np.nan)):
        scaling = auto_scale(rows, mode)
        assert np.isfinite(scaling.gains).all()
        assert np.isfinite(scaling.offsets).all()
        assert scaling.low < scaling.high


def test_rows_with_nan_do_not_count() -> None:
    x = noise(1000, 2).astype(np.float64)
    with_gap = np.concatenate([x[:500], np.full((100, 2), np.nan), x[500:]])
    np.testing.assert_array_equal(auto_scale(with_gap, "each").gains, auto_scale(x, "each").gains)


def test_engineering_values_are_offset_plus_scale_times_raw() -> None:
    raw = np.array([[1, 2], [3, -4]], np.int16)
    np.testing.assert_allclose(engineering(raw, (0.5, 2.0), 1.0), [[1.5, 5.0], [2.5, -7.0]])
    np.testing.assert_array_equal(engineering(raw, None, None), raw)


def test_complex_samples_are_shown_as_i_and_q() -> None:
    np.testing.assert_array_equal(engineering(np.array([1 + 2j, 3 - 4j]), None, None), [[1, 2], [3, -4]])


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", ">i4"])
def test_each_bit_is_a_line_whatever_the_byte_order(dtype: str) -> None:
    bits = np.dtype(dtype).itemsize * 8
    values = np.random.default_rng(1).integers(0, 2 ** (bits - 1) - 1, (20, 3))
    lines = digital_lines(values.astype(dtype))
    wanted = np.stack([(values[:, channel] >> bit) & 1 for channel in range(3) for bit in range(bits)], axis=1)
    np.testing.assert_array_equal(lines, wanted)


# -- lines


def test_linked_columns_touch_their_neighbours_and_no_level_is_lost() -> None:
    low = noise(50, 2, 1)
    high = low + np.abs(noise(50, 2, 2))
    a, b = linked_spans(low, high)
    assert (a <= low).all()
    assert (b >= high).all()
    assert (a[1:] <= b[:-1] + 1e-6).all()
    assert (b[1:] >= a[:-1] - 1e-6).all()


def test_empty_columns_are_not_linked_over() -> None:
    low = np.array([[0.0], [np.nan], [5.0]], np.float32)
    a, b = linked_spans(low, low)
    np.testing.assert_array_equal(a, low)
    np.testing.assert_array_equal(b, low)


def test_few_points_are_joined_by_straight_lines() -> None:
    values = np.array([[0.0], [4.0], [2.0]], np.float32)
    low, high = line_spans(values, 0.0, 4.0, 8)
    np.testing.assert_allclose(low[:, 0], [0, 1, 2, 3, 3.5, 3, 2.5, 2])
    np.testing.assert_allclose(high[:, 0], [1, 2, 3, 4, 4, 3.5, 3, 2.5])


def test_there_is_no_line_before_the_first_and_after_the_last_point() -> None:
    low, _high = line_spans(np.array([[1.0], [1.0]], np.float32), 3.0, 2.0, 8)
    np.testing.assert_array_equal(np.isnan(low[:, 0]), [True] * 3 + [False] * 2 + [True] * 3)


def test_a_missing_point_breaks_the_line() -> None:
    low, _high = line_spans(np.array([[1.0], [np.nan], [1.0], [1.0]], np.float32), 0.0, 4.0, 12)
    assert np.isnan(low[5:7, 0]).all()
    assert (low[8:12, 0] == 1).all()


# -- pixels


def test_a_span_covers_whole_pixels_inside_and_parts_of_them_at_its_ends() -> None:
    top, bottom = np.array([1.25, 1.25], np.float32), np.array([4.5, 4.5], np.float32)
    share = 2 * 0.72 * 255
    wanted = [0, min(255, 0.75 * share), 255, 255, min(255, 0.5 * share), 0]
    np.testing.assert_allclose(coverage(top, bottom, 6)[0], wanted, atol=1)


def test_a_flat_line_has_its_width_wherever_it_lies() -> None:
    for y in (3.0, 3.3, 3.5, 3.9):
        line = np.full(2, y, np.float32)
        covered = coverage(line, line, 8, 1.0)[0].astype(float)
        # Parts above 0.7 of a pixel are as bright as can be.
        assert (covered > 0).sum() in (1, 2, 3)
        assert covered.argmax() in (int(y - 0.5), int(y))


def test_what_is_missing_or_outside_covers_nothing() -> None:
    nothing = np.full(4, np.nan, np.float32)
    assert not coverage(nothing, nothing, 5).any()
    outside = np.array([-50, 50, -50, 50], np.float32)
    assert not coverage(outside, outside, 5).any()


def test_thin_lines_in_large_plots_are_computed_pixel_by_pixel_with_the_same_result() -> None:
    random = np.random.default_rng(3)
    top = random.uniform(-20, 420, 600).astype(np.float32)
    bottom = top + random.uniform(0, 30, 600).astype(np.float32)
    top[100:110] = bottom[100:110] = np.nan
    sparse = coverage(top, bottom, 400)
    dense = np.concatenate([coverage(top[i : i + 50], bottom[i : i + 50], 400) for i in range(0, 600, 50)])
    assert sparse.any()
    np.testing.assert_allclose(sparse.astype(int), dense.astype(int), atol=1)
