"""Calibrate: linear power to dBm, by the stream's reference level, and to decibels of other units without one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from axonlike.components.dsp.calibrate import Calibrate, decibels, linear
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests.components.dsp.radio import assert_same_for_any_cut, gaps, one, sizes, spectrum_info


def powers(rows, bins=64, dtype="float32"):
    return (np.random.default_rng(0).random((rows, bins)) * 1e-6 + 1e-12).astype(dtype)


@pytest.mark.parametrize(("dtype", "error_db"), [("float32", 1e-4), ("float64", 1e-10)])
def test_decibels_are_ten_times_the_decimal_logarithm_and_linear_is_the_way_back(dtype, error_db):
    power = np.logspace(-30, 10, 1000).astype(dtype)
    np.testing.assert_allclose(decibels(power, 3.0), 10 * np.log10(power.astype("float64")) + 3, rtol=0, atol=error_db)
    assert decibels(power).dtype == dtype
    np.testing.assert_allclose(linear(decibels(power)), power, rtol=error_db)


def test_no_power_at_all_is_a_finite_level():
    assert decibels(np.zeros(1, "float32"))[0] == pytest.approx(-379.3, abs=0.1)


def test_a_level_is_power_plus_reference_level_plus_offset():
    x = powers(3)
    chunk = one(Calibrate(), x, spectrum_info(reference_level_dbm=-5.0, other="kept"))
    assert chunk.info.units == "dBm"
    assert chunk.info.axis == spectrum_info().axis
    assert chunk.info.facts["other"] == "kept"
    assert chunk.data.dtype == np.float32
    np.testing.assert_allclose(chunk.data, 10 * np.log10(x.astype(float)) - 5 + 15.7678, rtol=0, atol=1e-4)
    chunk = one(Calibrate(reference_offset_db=1.5), x, spectrum_info(reference_level_dbm=-5.0))
    np.testing.assert_allclose(chunk.data, 10 * np.log10(x.astype(float)) - 3.5, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("units", "shown"), [("FS^2", "dBFS"), ("uV^2", "dB re uV^2"), ("", "dB")])
def test_without_a_reference_level_it_is_decibels_of_the_streams_own_unit(units, shown):
    x = powers(3)
    chunk = one(Calibrate(), x, spectrum_info(units=units))
    assert chunk.info.units == shown
    np.testing.assert_allclose(chunk.data, 10 * np.log10(x.astype(float)), rtol=0, atol=1e-4)


def test_a_change_of_the_reference_level_is_followed_from_its_chunk_on():
    calibrate = Calibrate()
    x = powers(1)
    first = calibrate.feed(Chunk(x, spectrum_info(reference_level_dbm=-5.0), 0))[0]
    second = calibrate.feed(Chunk(x, spectrum_info(reference_level_dbm=15.0), 1))[0]
    np.testing.assert_allclose(second.data - first.data, 20, atol=1e-4)


def test_settings_count_from_the_next_chunk_on():
    calibrate = Calibrate()
    x = powers(1)
    info = spectrum_info(reference_level_dbm=-5.0)
    first = calibrate.feed(Chunk(x, info, 0))[0]
    calibrate.change(reference_level_dbm=7.0, reference_offset_db=0.0)
    second = calibrate.feed(Chunk(x, info, 1))[0]
    np.testing.assert_allclose(second.data - first.data, 7 + 5 - 15.7678, atol=1e-4)
    with pytest.raises(UsageError, match="reference_offset_db"):
        calibrate.change(reference_offset_db=float("nan"))
    assert calibrate.reference_offset_db == 0.0


def test_what_is_in_decibels_already_is_refused():
    with pytest.raises(StreamMismatch, match="dBm"):
        Calibrate().feed(Chunk(powers(1), spectrum_info(units="dBm")))


@settings(max_examples=12)
@given(sizes, gaps)
def test_any_cut_gives_the_same_levels(sizes, gaps):
    assert_same_for_any_cut(Calibrate, powers(6000, 8), spectrum_info(8), sizes, gaps)


def test_it_conforms():
    info = spectrum_info()
    check_component(Calibrate, messages=[Chunk(powers(2), info, at) for at in range(0, 20, 2)])
