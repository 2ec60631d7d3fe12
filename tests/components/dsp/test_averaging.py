"""Average, MaxHold, MinHold: linear power unless decibels are asked for, the same for any cut, holds over gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.averaging import Average, MaxHold, MinHold
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests.components.dsp.radio import (
    START_NS,
    assert_same_for_any_cut,
    everything,
    gaps,
    one,
    sizes,
    spectrum_info,
)


def powers(rows, bins=8):
    """Exponentially distributed, as noise is."""
    return np.random.default_rng(0).exponential(1e-6, (rows, bins)).astype("float32")


def test_a_block_is_the_mean_of_so_many_frames():
    x = powers(35)
    chunk = one(Average(frames=10), x, spectrum_info(8))
    np.testing.assert_allclose(chunk.data, x[:30].reshape(3, 10, 8).mean(axis=1), rtol=1e-6)
    assert (chunk.index, chunk.time_ns) == (0, START_NS)
    assert chunk.info.sample_rate_hz == 10.0
    assert chunk.info.units == "FS^2"


def test_blocks_begin_anew_behind_a_gap_and_what_is_left_is_counted():
    average = Average(frames=10)
    x = powers(100)
    info = spectrum_info(8)
    results = everything(average, [Chunk(x[:25], info, 0), Chunk(x[40:65], info, 40)])
    assert [(c.index, c.end) for c in results] == [(0, 2), (4, 6)]
    np.testing.assert_allclose(results[1].data[0], x[40:50].mean(axis=0), rtol=1e-6)
    assert average.unused == 10


def test_the_exponential_mean_is_plain_at_first_and_weighs_the_newest_afterwards():
    x = powers(50)
    chunk = one(Average(frames=8, mode="exponential"), x, spectrum_info(8))
    np.testing.assert_allclose(chunk.data[:8], [x[: n + 1].mean(axis=0) for n in range(8)], rtol=1e-5)
    mean = x[:8].mean(axis=0).astype(float)
    for n in range(8, 50):
        mean += (x[n] - mean) / 8
        np.testing.assert_allclose(chunk.data[n], mean, rtol=1e-5)
    assert chunk.info.sample_rate_hz == 100.0


def test_the_exponential_mean_goes_on_over_a_gap_and_begins_anew_with_another_stream():
    average = Average(frames=100, mode="exponential")
    low, high = np.full((10, 8), 1, "float32"), np.full((1, 8), 12, "float32")
    average.feed(Chunk(low, spectrum_info(8), 0))
    (result,) = average.feed(Chunk(high, spectrum_info(8), 500))
    assert result.data[0, 0] == pytest.approx(2)
    (result,) = average.feed(Chunk(high, spectrum_info(8, center_frequency_hz=1e9), 501))
    assert result.data[0, 0] == 12


def test_decibels_are_averaged_as_power_and_as_decibels_only_by_name():
    x = powers(1000)
    in_db = (10 * np.log10(x)).astype("float32")
    mean = 10 * np.log10(x.mean(axis=0))
    by_power = one(Average(frames=1000), in_db, spectrum_info(8, units="dBm")).data[0]
    np.testing.assert_allclose(by_power, mean, atol=1e-3)
    by_name = one(Average(frames=1000, scale="dB"), in_db, spectrum_info(8, units="dBm")).data[0]
    np.testing.assert_allclose(by_name, in_db.mean(axis=0), atol=1e-3)
    assert np.mean(by_name - by_power) == pytest.approx(-2.51, abs=0.1)
    of_power = one(Average(frames=1000, scale="dB"), x, spectrum_info(8)).data[0]
    np.testing.assert_allclose(10 * np.log10(of_power), by_name, atol=1e-3)


def test_a_change_of_settings_begins_anew():
    average = Average(frames=10)
    info = spectrum_info(8)
    x = powers(20)
    assert average.feed(Chunk(x[:5], info, 0)) == []
    average.change(frames=5)
    (result,) = average.feed(Chunk(x[5:10], info, 5))
    np.testing.assert_allclose(result.data[0], x[5:10].mean(axis=0), rtol=1e-6)
    assert (result.index, average.unused) == (1, 5)
    average.change(mode="exponential")
    assert average.feed(Chunk(x[10:12], info, 10))[0].data.shape == (2, 8)
    for wrong in ({"frames": 0}, {"mode": "running"}, {"scale": "volts"}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            average.change(**wrong)


@pytest.mark.parametrize("hold", [MaxHold, MinHold])
def test_a_hold_keeps_the_extreme_of_each_bin_until_it_is_reset_or_the_stream_changes(hold):
    extreme = np.maximum if hold is MaxHold else np.minimum
    x = powers(40)
    info = spectrum_info(8)
    block = hold()
    (first,) = block.feed(Chunk(x[:10], info, 0))
    np.testing.assert_array_equal(first.data, extreme.accumulate(x[:10], axis=0))
    (behind_a_gap,) = block.feed(Chunk(x[20:21], info, 20))
    np.testing.assert_array_equal(behind_a_gap.data[0], extreme(extreme.reduce(x[:10]), x[20]))
    assert len(block.feed(Chunk(x[:0], info, 21))[0]) == 0
    block.change(reset=True)
    assert block.reset is False
    (after,) = block.feed(Chunk(x[21:22], info, 21))
    np.testing.assert_array_equal(after.data, x[21:22])
    (other,) = block.feed(Chunk(x[30:31], spectrum_info(8, center_frequency_hz=1.0), 22))
    np.testing.assert_array_equal(other.data, x[30:31])


def test_a_hold_takes_nan_for_not_measured():
    x = np.array([[1.0, np.nan], [np.nan, 2.0], [0.5, np.nan]], "float32")
    np.testing.assert_array_equal(one(MaxHold(), x, spectrum_info(2)).data[-1], [1.0, 2.0])


@settings(max_examples=12)
@given(sizes, gaps, st.sampled_from(["block", "exponential"]), st.sampled_from(["power", "dB"]), st.integers(0, 50))
def test_any_cut_gives_the_same_averages(sizes, gaps, mode, scale, start):
    x = powers(2500, 4)
    info = spectrum_info(4)
    assert_same_for_any_cut(lambda: Average(frames=7, mode=mode, scale=scale), x, info, sizes, gaps, start)


@given(sizes, gaps, st.sampled_from([MaxHold, MinHold]))
def test_any_cut_gives_the_same_holds(sizes, gaps, hold):
    assert_same_for_any_cut(hold, powers(2500, 4), spectrum_info(4), sizes, gaps)


@pytest.mark.parametrize("make", [Average, MaxHold, MinHold])
def test_integers_are_no_spectra(make):
    with pytest.raises(StreamMismatch, match="int16"):
        make().feed(Chunk(np.zeros((1, 8), "int16"), spectrum_info(8, dtype="int16")))


@pytest.mark.parametrize("make", [lambda: Average(frames=3), MaxHold, MinHold])
def test_they_conform(make):
    info = spectrum_info(8)
    check_component(make, messages=[Chunk(powers(2), info, at) for at in range(0, 20, 2)])
