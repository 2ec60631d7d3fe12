"""What a spectrum display computes."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.ui.spectra import (
    SpectrumTraces,
    as_db,
    columns_of_bins,
    greatest_of_bins,
    mean_db,
    round_levels,
)
from axonlike.errors import UsageError


def levels(frames: int, bins: int = 8, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(-80, 10, (frames, bins)).astype(np.float32)


def power(level_db: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(10 ** (np.asarray(level_db, np.float64) / 10))


def test_the_mean_is_of_power_not_of_decibels() -> None:
    assert mean_db([[0.0], [-300.0]])[0] == pytest.approx(-3.0103, abs=1e-3)
    data = levels(50)
    np.testing.assert_allclose(mean_db(data), 10 * np.log10(power(data).mean(axis=0)), atol=1e-3)


def test_no_power_is_a_level_at_the_floor() -> None:
    np.testing.assert_allclose(as_db([0.0, 1.0, 1e-9]), [-300, 0, -90], atol=1e-4)


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_holds_see_every_frame_however_seldom_somebody_looks(cut: int) -> None:
    data = levels(100)
    traces = SpectrumTraces(8)
    for at in range(0, 100, cut):
        traces.add(data[at : at + cut])
    np.testing.assert_array_equal(traces.peak, data.max(axis=0))
    np.testing.assert_array_equal(traces.minimum, data.min(axis=0))
    np.testing.assert_allclose(traces.average, 10 * np.log10(power(data).mean(axis=0)), atol=1e-3)
    assert traces.frames == 100


@pytest.mark.parametrize("detector", ["mean", "max", "newest"])
def test_the_live_trace_is_of_all_frames_since_the_last_look(detector: str) -> None:
    data = levels(60)
    traces = SpectrumTraces(8, detector=detector)  # type: ignore[arg-type]
    traces.add(data[:20])
    traces.look()
    for at in range(20, 60, 5):
        traces.add(data[at : at + 5])
    new = data[20:]
    wanted = {"mean": 10 * np.log10(power(new).mean(axis=0)), "max": new.max(axis=0), "newest": new[-1]}[detector]
    np.testing.assert_allclose(traces.look(), wanted, atol=1e-3)
    np.testing.assert_allclose(traces.look(), wanted, atol=1e-3)  # nothing new: the same


def test_frames_that_nobody_looks_at_do_not_pile_up() -> None:
    traces = SpectrumTraces(8)
    for _ in range(1000):
        traces.add(levels(1))
    assert len(traces._waiting) < 100
    np.testing.assert_allclose(traces.look(), levels(1)[0], atol=1e-2)


def test_old_frames_fade_from_the_average() -> None:
    traces = SpectrumTraces(1, averages=10)
    traces.add(np.full((100, 1), 0.0, np.float32))
    for _ in range(100):
        traces.add(np.full((1, 1), -60.0, np.float32))
    assert traces.average[0] == pytest.approx(10 * np.log10(0.9**100 + 1e-6), abs=0.1)


def test_after_clear_everything_begins_anew() -> None:
    traces = SpectrumTraces(2)
    traces.add(np.full((3, 2), 0.0, np.float32))
    traces.clear()
    assert np.isnan(traces.average).all()
    traces.add(np.full((3, 2), -50.0, np.float32))
    assert traces.peak.tolist() == [-50, -50]
    np.testing.assert_allclose(traces.average, -50, atol=1e-3)


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(UsageError, match="the detector is one of mean, max, newest"):
        SpectrumTraces(8, detector="median")  # type: ignore[arg-type]


def test_a_column_of_many_bins_holds_their_least_and_greatest() -> None:
    data = levels(1, 1000)[0]
    low, high = columns_of_bins(data, -0.5, 999.5, 50)
    for column in range(50):
        own = data[[k for k in range(1000) if -0.5 + 20 * column <= k < 19.5 + 20 * column]]
        assert low[column] <= own.min()
        assert high[column] >= own.max()
    assert high.max() == data.max()
    assert low.min() == data.min()


def test_where_columns_are_narrower_than_bins_straight_lines_join_these() -> None:
    low, high = columns_of_bins(np.array([0.0, 10.0], np.float32), 0.0, 1.0, 4)
    np.testing.assert_allclose(low, [0, 2.5, 5, 7.5])
    np.testing.assert_allclose(high, [2.5, 5, 7.5, 10])


def test_what_lies_beyond_the_bins_is_empty() -> None:
    low, high = columns_of_bins(np.zeros(10, np.float32), -10.5, 19.5, 30)
    np.testing.assert_array_equal(np.isnan(low), [True] * 10 + [False] * 10 + [True] * 10)
    np.testing.assert_array_equal(np.isnan(high), np.isnan(low))


@pytest.mark.parametrize(("ends", "columns"), [((-0.5, 99.5), 10), ((-0.5, 99.5), 37), ((20.0, 33.0), 50)])
def test_the_waterfall_shows_the_greatest_bin_of_each_column(ends: tuple[float, float], columns: int) -> None:
    data = levels(3, 100)
    found = greatest_of_bins(data, *ends, columns)
    edges = np.linspace(*ends, columns + 1)
    for column in range(columns):
        touched = [k for k in range(100) if k + 0.5 > edges[column] + 1e-6 and k - 0.5 < edges[column + 1] - 1e-6]
        np.testing.assert_array_equal(found[:, column], data[:, touched].max(axis=1))


def test_the_waterfall_is_empty_beyond_the_bins() -> None:
    found = greatest_of_bins(levels(2, 10), -10.5, 19.5, 30)
    np.testing.assert_array_equal(np.isnan(found[0]), [True] * 10 + [False] * 10 + [True] * 10)


def test_levels_fit_into_whole_divisions() -> None:
    low, high = round_levels(np.concatenate([np.full(100, -97.0), [-42.0]]))
    assert (low, high) == (-110.0, -30.0)
    assert round_levels([]) == (-120.0, 0.0)
    low, high = round_levels([-50.0, -50.0])
    assert high - low >= 40
