"""What is read off a spectrum: on spectra whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.dsp.measures import (
    Band,
    Delta,
    channel_power_db,
    delta,
    density_db_per_hz,
    marker,
    next_peak,
    occupied_bandwidth,
    peak,
    peaks,
)
from axonlike.components.dsp.spectrum import enbw_bins, iq_power, taper
from axonlike.errors import UsageError
from axonlike.streams.chunk import Axis
from tests.components.dsp.radio import tone

AXIS = Axis("frequency", "Hz", 1000.0, 10.0)


def hills(*at, bins=100, ground=-100.0):
    """Level `height` at each of the places, 10 dB less for each bin away from it."""
    places = np.arange(bins)
    level = np.full(bins, ground)
    for place, height in at:
        level = np.maximum(level, height - 10.0 * np.abs(places - place))
    return level


def spectrum_db(z):
    points = len(z)
    window = taper("hann", points)
    return 10 * np.log10(iq_power(z[None].copy(), window / window.sum(), dc=None, iq_correct=False)[0])


def test_a_marker_stands_on_the_nearest_bin():
    level = hills((40, -20.0))
    assert marker(level, AXIS, 1404.0).bin == 40
    assert marker(level, AXIS, 1406.0) == marker(level, AXIS, 1410.0)
    assert marker(level, AXIS, 1400.0).level_db == -20.0
    assert marker(level, AXIS, 0.0).bin == 0
    assert marker(level, AXIS, 1e9).bin == 99


def test_a_delta_is_the_difference_of_two_markers():
    level = hills((40, -20.0), (60, -30.0))
    assert delta(marker(level, AXIS, 1600.0), marker(level, AXIS, 1400.0)) == Delta(200.0, -10.0)


def test_the_peak_is_the_highest_bin_that_was_measured():
    level = hills((40, -20.0), (60, -30.0))
    found = peak(level, AXIS)
    assert found is not None
    assert (found.bin, found.frequency_hz, found.level_db) == (40, 1400.0, -20.0)
    level[40] = np.nan
    second = peak(level, AXIS)
    assert second is not None
    assert second.level_db == -30.0
    assert peak(np.full(5, np.nan), AXIS) is None


def test_peaks_rise_out_of_their_surroundings_by_the_excursion():
    level = hills((10, -20.0), (13, -25.0), (50, -60.0), (80, -40.0))
    assert [one.bin for one in peaks(level, AXIS)] == [10, 13, 50, 80]
    assert [one.bin for one in peaks(level, AXIS, excursion_db=15)] == [10, 50, 80]
    assert [one.bin for one in peaks(level, AXIS, threshold_db=-45)] == [10, 13, 80]
    assert [one.bin for one in peaks(hills((0, -20.0), (99, -30.0)), AXIS)] == [0, 99]
    assert peaks(np.full(10, np.nan), AXIS) == []
    assert peaks(np.full(10, -50.0), AXIS) != []  # one plateau, as high as it gets


def test_the_next_peak_is_the_nearest_on_that_side():
    level = hills((10, -20.0), (50, -60.0), (80, -40.0))
    for place, direction, expected in ((50, "left", 10), (50, "right", 80), (49, "right", 50)):
        found = next_peak(level, AXIS, place, direction)  # type: ignore[arg-type]  # of a loop
        assert found is not None
        assert found.bin == expected
    assert next_peak(level, AXIS, 10, "left") is None
    assert next_peak(level, AXIS, 80, "right") is None
    with pytest.raises(UsageError, match="direction"):
        next_peak(level, AXIS, 80, "up")  # type: ignore[arg-type]


def test_the_power_of_a_tones_channel_is_the_tones_own_and_1_76_db_more_without_the_noise_bandwidth():
    points = 1024
    level = spectrum_db(tone(0.5, 100, points))
    axis = Axis("frequency", "Hz", 0.0, 1.0)
    middle = points // 2 + 100
    own = 20 * np.log10(0.5)
    enbw = enbw_bins(taper("hann", points))
    assert channel_power_db(level, axis, middle - 20, middle + 20, enbw_bins=enbw) == pytest.approx(own, abs=1e-4)
    undivided = channel_power_db(level, axis, middle - 20, middle + 20, enbw_bins=1.0)
    assert undivided - own == pytest.approx(1.765, abs=1e-3)


def test_the_power_of_noise_is_its_density_times_the_width():
    level = np.full(1000, -90.0)
    axis = Axis("frequency", "Hz", 5e6, 1000.0)
    power = channel_power_db(level, axis, 5.1e6, 5.3e6, enbw_bins=1.5)
    density = density_db_per_hz(level, axis, enbw_bins=1.5)[0]
    assert density == pytest.approx(-90 - 10 * np.log10(1500.0))
    assert power == pytest.approx(density + 10 * np.log10(201e3))


def test_channel_edges_count_and_what_is_outside_does_not():
    level = np.zeros(10)
    axis = Axis("frequency", "Hz", 0.0, 0.1)
    assert channel_power_db(level, axis, 0.3, 0.7, enbw_bins=1.0) == pytest.approx(10 * np.log10(5))
    assert channel_power_db(level, axis, -5.0, 5.0, enbw_bins=1.0) == pytest.approx(10.0)
    assert channel_power_db(level, axis, 0.31, 0.39, enbw_bins=1.0) == -np.inf
    level[3] = np.nan
    assert channel_power_db(level, axis, 0.3, 0.7, enbw_bins=1.0) == pytest.approx(10 * np.log10(4))
    with pytest.raises(UsageError, match="low_hz"):
        channel_power_db(level, axis, 2.0, 1.0, enbw_bins=1.0)


def test_occupied_bandwidth_leaves_out_as_much_below_as_above():
    level = np.full(1000, -200.0)
    level[300:500] = -20.0
    band, half = occupied_bandwidth(level, AXIS), occupied_bandwidth(level, AXIS, fraction=0.5)
    assert band is not None
    assert half is not None
    # 200 bins of 10 Hz from 3995 Hz, less half a percent of it at either end
    assert band.low_hz == pytest.approx(1000 + 299.5 * 10 + 10, abs=0.01)
    assert band.high_hz == pytest.approx(1000 + 499.5 * 10 - 10, abs=0.01)
    assert band.width_hz == pytest.approx(1980, abs=0.01)
    assert band.center_hz == pytest.approx(4995, abs=0.01)
    assert half.width_hz == pytest.approx(1000, abs=0.01)


def test_occupied_bandwidth_of_one_bin_or_of_nothing():
    level = np.full(10, -300.0)
    level[4] = 0.0
    band = occupied_bandwidth(level, AXIS, fraction=0.99)
    assert isinstance(band, Band)
    assert (band.low_hz, band.high_hz) == pytest.approx((1035.05, 1044.95))
    assert occupied_bandwidth(np.full(10, np.nan), AXIS) is None
    with pytest.raises(UsageError, match="fraction"):
        occupied_bandwidth(level, AXIS, fraction=1.0)


def test_several_spectra_at_once_are_refused():
    with pytest.raises(UsageError, match="one spectrum"):
        peak(np.zeros((2, 8)), AXIS)
