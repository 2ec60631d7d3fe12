"""FFT and its arithmetic: the figures that pyrf 2.8 gives, levels, images, DC, inversion, and any cut of the stream.

`pyrf_dbm` says pyrf's formula once more, plainly and in float64; it is the judge. The tones begin at a phase of 0.3
rad and are rounded to counts, which moves levels by a few thousandths of a decibel.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Generator
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike import Component, Pipeline
from axonlike.components.dsp.averaging import Average
from axonlike.components.dsp.calibrate import Calibrate
from axonlike.components.dsp.spectrum import FFT, coherent_gain, correct_iq, enbw_bins, taper
from axonlike.components.settable import Changed, Refused
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import Probe, check_component, run_virtual
from tests.components.dsp.radio import (
    CENTER_HZ,
    FULL_SCALE,
    R_DBM,
    START_NS,
    analog_info,
    assert_same_for_any_cut,
    complex_info,
    counts,
    cut,
    everything,
    gaps,
    noise_counts,
    one,
    radio_info,
    rows_by_index,
    sizes,
    tone,
)

OFFSET_DB = 15.7678


def pyrf_dbm(raw):
    """Each bin's level as pyrf 2.8.0 has it, for one frame of counts, reference level R_DBM."""
    points = len(raw)
    i, q = raw[:, 0] / 2.0**13, raw[:, 1] / 2.0**13
    i, q = i - sum(i) / points, q - sum(q) / points
    sum_i, sum_q = sum(i * i), sum(q * q)
    amplitude, ratio = np.sqrt(2 * sum_i / points), np.sqrt(sum_i / sum_q)
    sine = 2 / points * sum((q * ratio / amplitude) * (i / amplitude))
    phi = -np.arcsin(sine)
    q = (np.sin(phi) * i + ratio * q) / np.cos(phi)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft((i + 1j * q) * np.hanning(points)))) / points
    level = 20 * np.log10(spectrum)
    level[points // 2] = (level[points // 2 - 1] + level[points // 2 + 1]) / 2
    return level + R_DBM + OFFSET_DB


def levels(data, info, **settings):
    """What FFT and Calibrate make of one chunk, in dBm: shape (frames, bins)."""
    calibrate = Calibrate()
    chunks = everything(FFT(**settings), [Chunk(data, info)])
    return np.concatenate([out.data for chunk in chunks for out in calibrate.feed(chunk)])


def dbm(z, points=None, info=None, **settings):
    """Levels of one frame of complex counts."""
    (row,) = levels(counts(z), info or radio_info(), points=points or len(z), **settings)
    return row


# -- levels


@pytest.mark.parametrize(
    ("points", "expected_dbm"),
    [(256, -13.5564), (1024, -13.5309), (4096, -13.5245), (16384, -13.5229), (131072, -13.5224)],
)
def test_a_tone_of_1000_counts_has_the_level_that_pyrf_gives(points, expected_dbm):
    level = dbm(tone(1000, points / 8, points))
    assert level.argmax() == points // 2 + points // 8
    assert level.max() == pytest.approx(expected_dbm, abs=1e-4)
    formula = 20 * np.log10(1000 / FULL_SCALE) + 20 * np.log10((points - 1) / (2 * points)) + R_DBM + OFFSET_DB
    assert level.max() == pytest.approx(formula, abs=0.003)


def test_a_strong_tone_at_a_negative_frequency_has_the_level_that_pyrf_gives():
    level = dbm(tone(8000, -64, 1024))
    assert level.argmax() == 512 - 64
    assert level.max() == pytest.approx(4.5328, abs=1e-4)


def test_a_weak_tone_has_the_level_that_rounding_to_counts_leaves():
    level = dbm(tone(37.5, 511, 4096))
    assert level.max() == pytest.approx(-42.0561, abs=1e-4)
    assert level.max() == pytest.approx(-42.0421, abs=0.02)


def test_a_full_scale_tone_reads_the_reference_level_plus_9_747():
    z = (tone(1, 512, 65536)).astype(np.complex64)
    info = complex_info(reference_level_dbm=R_DBM)
    assert levels(z, info, points=65536).max() == pytest.approx(R_DBM + 9.747, abs=5e-4)


def test_a_tone_half_way_between_bins_reads_1_42_db_less():
    centred, half = dbm(tone(1000, 128, 1024)), dbm(tone(1000, 128.5, 1024))
    assert half.max() - centred.max() == pytest.approx(-1.4206, abs=0.002)
    assert abs(half[512 + 128] - half[512 + 129]) < 0.01


def test_noise_averages_to_its_power_in_linear_units_and_2_51_db_less_in_decibels():
    points, frames = 1024, 400
    rng = np.random.default_rng(5)
    z = 20 * (rng.standard_normal(points * frames) + 1j * rng.standard_normal(points * frames))
    window = np.hanning(points)
    # Rounding to counts adds 1/12 count^2 to either branch.
    power = 2 * (20 / FULL_SCALE) ** 2 * np.sum(window**2) / points**2
    theory_dbm = 10 * np.log10(power) + R_DBM + OFFSET_DB
    assert theory_dbm == pytest.approx(-72.836, abs=1e-3)
    means = {}
    for scale in ("power", "dB"):
        chunk = one(FFT(points=points, dc="mean"), counts(z), radio_info())
        (mean,) = Average(frames=frames, scale=scale).feed(chunk)
        (mean,) = Calibrate().feed(mean)
        means[scale] = 10 * np.log10(np.mean(10 ** (mean.data[0] / 10)))
    assert means["power"] == pytest.approx(theory_dbm, abs=0.03)
    assert means["dB"] - means["power"] == pytest.approx(-2.51, abs=0.03)


@pytest.mark.parametrize("points", [256, 1000, 1024, 16384])
def test_coherent_levels_are_pyrfs_without_the_windows_loss(points):
    z = tone(1000, points // 8, points)
    pyrf, coherent = (dbm(z, window_gain=gain, precision="float64") for gain in ("pyrf", "coherent"))
    loss_db = 20 * np.log10(np.mean(np.hanning(points)))
    near = pyrf > pyrf.max() - 200  # below it is nothing but what float64 rounds off
    np.testing.assert_allclose(coherent[near], pyrf[near] - loss_db, rtol=0, atol=1e-6)
    assert coherent.max() == pytest.approx(R_DBM + OFFSET_DB + 20 * np.log10(1000 / FULL_SCALE), abs=0.003)


def test_a_stream_without_a_reference_level_is_not_given_the_windows_loss():
    chunk = one(FFT(points=1024), tone(1, 100, 1024).astype(np.complex64), complex_info())
    assert chunk.info.facts["window_gain"] == "coherent"
    (result,) = Calibrate().feed(chunk)
    assert result.info.units == "dBFS"
    assert result.data.max() == pytest.approx(0.0, abs=1e-3)
    known = one(FFT(points=1024), counts(tone(1, 100, 1024)), radio_info())
    assert known.info.facts["window_gain"] == "pyrf"


# -- beside pyrf


def crowded(points, seed):
    """Tones of several levels, noise, DC, and branches that are not alike."""
    rng = np.random.default_rng(seed)
    n = np.arange(points)
    z = sum(
        a * np.exp(2j * np.pi * (k * n / points + rng.random()))
        for a, k in zip((4000, 800, 30, 2), rng.uniform(-points / 2, points / 2, 4), strict=True)
    )
    z = z + 5 * (rng.standard_normal(points) + 1j * rng.standard_normal(points))
    return z.real * 1.05 + 150 + 1j * (z.imag + 0.04 * z.real - 90)


@pytest.mark.parametrize("points", [256, 1000, 1024, 16384, 131072])
def test_float64_is_pyrf_in_every_bin(points):
    raw = counts(crowded(points, points))
    (ours,) = levels(raw, radio_info(), points=points, precision="float64")
    np.testing.assert_allclose(ours, pyrf_dbm(raw), rtol=0, atol=1e-6)


@pytest.mark.parametrize("points", [256, 1000, 1024, 16384, 131072])
@pytest.mark.parametrize("signal", ["crowded", "tone"])
def test_float32_is_pyrf_within_a_hundredth_of_a_decibel_down_to_90_db_below_the_peak(points, signal):
    raw = counts(crowded(points, points) if signal == "crowded" else tone(1000, points / 8, points))
    (ours,) = levels(raw, radio_info(), points=points)
    judge = pyrf_dbm(raw)
    near = judge > judge.max() - 90
    assert near.any()
    np.testing.assert_allclose(ours[near], judge[near], rtol=0, atol=0.01)


def test_the_window_is_numpys_symmetric_one_and_its_noise_bandwidth_is_known():
    window = taper("hann", 1024)
    np.testing.assert_allclose(window, np.hanning(1024), atol=1e-15)
    assert coherent_gain(window) == pytest.approx(1023 / 2048)
    assert enbw_bins(window) == pytest.approx(1.5 * 1024 / 1023)
    assert enbw_bins(taper("boxcar", 1024)) == pytest.approx(1.0)
    assert one(FFT(points=1024), noise_counts(1024), radio_info()).info.facts["enbw_bins"] == enbw_bins(window)


@pytest.mark.parametrize("points", [4, 5, 1000, 1024])
@pytest.mark.parametrize("window", ["bartlett", "blackman", "boxcar", "hamming", "hann", "flattop", ("kaiser", 8.0)])
def test_a_window_is_that_of_scipy(window: str | tuple[Any, ...], points: int) -> None:
    wanted = scipy.signal.get_window(window, points, fftbins=False)
    np.testing.assert_allclose(taper(window, points), wanted, rtol=0, atol=1e-15)


def test_a_program_with_a_usual_window_does_not_import_scipy_signal_which_takes_long() -> None:
    code = "import sys; from axonlike.components.dsp import FFT; FFT(); sys.exit('scipy.signal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- IQ and DC


def unbalanced(points, k, gain=1.1, degrees=5.0, amplitude=4000.0):
    """A tone whose Q branch has another gain and is not at right angles; complex, not rounded."""
    z = tone(1, k, points)
    phi = np.deg2rad(degrees)
    q = gain * (z.imag * np.cos(phi) + z.real * np.sin(phi))
    return amplitude * (z.real + 1j * q)


@pytest.mark.parametrize(
    ("gain", "degrees", "image_db"),
    [
        # |1 - g e^(-j phi)| / |1 + g e^(j phi)|
        (1.0, 5.0, -27.2),
        (1.1, 5.0, -23.8),
    ],
)
def test_iq_correction_takes_the_image_away_and_leaves_the_level(gain, degrees, image_db):
    points, k = 4096, 700
    # Not rounded to counts, whose noise is above such an image.
    z = (unbalanced(points, k, gain, degrees) / FULL_SCALE).astype(np.complex64)
    info = complex_info(reference_level_dbm=R_DBM)
    (raw,) = levels(z, info, points=points, iq_correct=False)
    (corrected,) = levels(z, info, points=points)
    (even,) = levels((tone(4000, k, points) / FULL_SCALE).astype(np.complex64), info, points=points)
    middle = points // 2
    assert raw[middle - k] - raw[middle + k] == pytest.approx(image_db, abs=0.05)
    assert corrected[middle + k] - corrected[middle - k] >= 100
    assert corrected[middle + k] == pytest.approx(even[middle + k], abs=0.01)


def test_the_correction_is_of_each_frame_by_itself():
    frames = np.stack([unbalanced(512, 60), unbalanced(512, 60, gain=0.8, degrees=-9.0), tone(4000, 60, 512)])
    frames -= frames.mean(axis=1, keepdims=True)
    correct_iq(frames)
    np.testing.assert_allclose(np.sum(frames.real**2, 1), np.sum(frames.imag**2, 1), rtol=1e-12)
    np.testing.assert_allclose(np.sum(frames.real * frames.imag, 1), 0, atol=1e-3)


@pytest.mark.parametrize("dc", ["mask", "mean"])
def test_dc_makes_no_peak(dc):
    frames = 50
    rng = np.random.default_rng(3)
    z = np.tile(tone(1000, 300, 1024), frames) + 300 - 200j
    z += 20 * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z)))
    (spectra,) = FFT(points=1024, dc=dc).feed(Chunk(counts(z), radio_info()))
    level = 10 * np.log10(spectra.data.mean(axis=0))
    ground = np.median(level)
    assert abs(level[511] - ground) < 1.5
    assert abs(level[513] - ground) < 1.5
    assert level[512] < ground + 1.5
    neighbours = (level[509] + level[515]) / 2
    assert abs(level[511] - neighbours) < 1
    assert abs(level[513] - neighbours) < 1


def test_dc_is_kept_if_it_is_asked_for():
    z = tone(1000, 300, 1024) + 300 - 200j
    level = dbm(z, dc=None, iq_correct=False)
    assert level[512] == pytest.approx(
        20 * np.log10(abs(300 - 200j) / FULL_SCALE) - 6.0291 + R_DBM + OFFSET_DB, abs=0.01
    )
    assert dbm(z, dc=None)[512] > dbm(z, dc="mean")[512] + 60


def test_the_mask_is_the_mean_of_the_neighbours_in_decibels():
    level = dbm(crowded(1024, 4))
    assert level[512] == pytest.approx((level[511] + level[513]) / 2, abs=1e-4)


def test_no_q_gives_no_nan_and_a_real_signals_two_tones():
    z = 1000 * np.cos(2 * np.pi * 100 * np.arange(1024) / 1024) + 0j
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        level = dbm(z)
    assert np.isfinite(level).all()
    assert level[512 + 100] == pytest.approx(level[512 - 100], abs=1e-3)
    assert level[512 + 100] == pytest.approx(-13.53 - 6.02, abs=0.01)


def test_no_i_leaves_q_as_it_is():
    real = 1000 * np.cos(2 * np.pi * 100 * np.arange(1024) / 1024)
    np.testing.assert_allclose(dbm(1j * real), dbm(real + 0j), atol=1e-3)


@pytest.mark.parametrize("z", [np.zeros(1024), 1j * np.ones(1024), (1 + 1j) * np.arange(-512, 512)])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_nothing_or_one_branch_alone_or_both_alike_give_no_nan(z, precision):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(dbm(z + 0j, precision=precision)).all()


# -- inversion, I alone, the usable band


@pytest.mark.parametrize("points", [1024, 1000, 125])
def test_an_inverted_band_is_mirrored_at_0_hz_which_stays(points):
    rng = np.random.default_rng(9)
    z = tone(1000, 10, points) + 20 * (rng.standard_normal(points) + 1j * rng.standard_normal(points)) + 200
    plain = dbm(z, dc=None, precision="float64")
    inverted = dbm(z, dc=None, precision="float64", info=radio_info(spectral_inversion=True))
    middle = points // 2
    assert plain.argmax() == middle + 10
    assert inverted.argmax() == middle - 10
    k = np.arange(-((points - 1) // 2), (points - 1) // 2 + 1)
    np.testing.assert_allclose(inverted[middle - k], plain[middle + k], rtol=0, atol=1e-6)


def test_i_alone_gives_the_bins_from_0_to_half_the_rate_at_the_level_of_the_other_bands():
    points, k = 1024, 200
    z = tone(1000, k, points).real + 1j * np.random.default_rng(2).normal(0, 2000, points)  # Q is not looked at
    info = radio_info(i_only=True, center_frequency_hz=20e6)
    level = dbm(z, info=info)
    assert level.shape == (points // 2 + 1,)
    assert level.argmax() == k
    assert level.max() == pytest.approx(dbm(tone(1000, k, points)).max(), abs=0.003)
    axis = one(FFT(points=points), counts(z), info).info.axis
    assert (axis.start, axis.step) == (0.0, 125e6 / points)
    masked = dbm(z + 500, info=info)
    assert masked[0] == masked[1]
    assert dbm(z + 500, info=info, dc=None)[0] > masked[0] + 60
    inverted = dbm(z, info=radio_info(i_only=True, spectral_inversion=True))
    np.testing.assert_array_equal(inverted[1:-1], level[1:-1][::-1])
    assert inverted.argmax() == points // 2 - k


def test_the_axis_says_the_radio_frequency_of_each_bin():
    info = radio_info(sample_rate_hz=125e6 / 8, frequency_shift_hz=2e6)
    chunk = one(FFT(points=1024), counts(tone(1000, 128, 1024)), info)
    place = chunk.data[0].argmax()
    assert chunk.info.axis.values(1024)[place] == pytest.approx(CENTER_HZ - 2e6 + 128 * 125e6 / 8 / 1024)
    assert chunk.info.axis.units == "Hz"


def test_the_usable_band_is_around_the_tuned_frequency_wherever_the_shift_put_it():
    chunk = one(FFT(points=1000, band="usable"), noise_counts(1000), radio_info(usable_bandwidth_hz=90e6))
    values = chunk.info.axis.values(chunk.info.shape[0])
    assert values[0] <= CENTER_HZ - 45e6 < values[1]
    assert values[-2] < CENTER_HZ + 45e6 <= values[-1]
    shifted = radio_info(usable_bandwidth_hz=50e6, frequency_shift_hz=10e6)
    values = (chunk := one(FFT(points=1000, band="usable"), noise_counts(1000), shifted)).info.axis.values(
        chunk.info.shape[0]
    )
    assert values[0] == pytest.approx(CENTER_HZ - 25e6, abs=125e3)
    assert values[-1] == pytest.approx(CENTER_HZ + 25e6, abs=125e3)
    full = one(FFT(points=1000), noise_counts(1000), shifted)
    first = round((values[0] - full.info.axis.start) / 125e3)
    np.testing.assert_array_equal(chunk.data, full.data[:, first : first + len(values)])


def test_with_decimation_the_usable_band_is_in_the_middle():
    facts = {"usable_bandwidth_hz": 0.5 * 12.5e6, "frequency_shift_hz": 3e6, "decimation": 10}
    chunk = one(FFT(points=1000, band="usable"), noise_counts(1000), radio_info(12.5e6, **facts))
    values = chunk.info.axis.values(chunk.info.shape[0])
    assert (values[0] + values[-1]) / 2 == pytest.approx(CENTER_HZ - 3e6, abs=12.5e3)
    whole = one(FFT(points=1000, band="usable"), noise_counts(1000), radio_info())
    assert whole.info.shape == (1000,)


# -- analog streams


def test_an_analog_stream_of_one_channel_gives_mean_squares_as_scipy_does():
    x = np.random.default_rng(0).standard_normal(1024)
    chunk = one(FFT(points=1024, precision="float64"), x[:, None], analog_info())
    _, judge = scipy.signal.periodogram(x, window=np.hanning(1024), scaling="spectrum", detrend="constant")
    assert chunk.info.kind == "spectrum"
    assert chunk.info.units == "V^2"
    np.testing.assert_allclose(chunk.data[0], judge, rtol=1e-10, atol=1e-18)
    sine = 3.0 * np.sin(2 * np.pi * 100 * np.arange(1024) / 1024)
    assert one(FFT(points=1024), sine[:, None], analog_info()).data.max() == pytest.approx(4.5, rel=1e-4)


def test_an_analog_stream_of_several_channels_gives_a_map_in_engineering_units():
    info = analog_info(
        3, dtype="int16", units="uV", channel_names=("a", "b", "c"), scale=(1.0, 2.0, 4.0), offset=(0.0, 5.0, -7.0)
    )
    sine = np.round(1000 * np.sin(2 * np.pi * 10 * np.arange(200) / 100))
    chunk = one(FFT(points=100), np.stack([sine] * 3, axis=1).astype("int16"), info)
    assert chunk.info.kind == "map"
    assert chunk.info.shape == (3, 51)
    assert chunk.info.channel_names == ("a", "b", "c")
    assert chunk.info.units == "uV^2"
    assert chunk.data.shape == (2, 3, 51)
    np.testing.assert_allclose(chunk.data[0].max(axis=1), np.array([1, 4, 16]) * 1000**2 / 2, rtol=1e-3)
    assert (chunk.data[0].argmax(axis=1) == 10).all()
    assert chunk.info.axis.values(51)[-1] == 500.0


@pytest.mark.parametrize("points", [99, 100])
def test_odd_and_even_lengths_keep_all_of_a_real_signals_power(points):
    x = np.random.default_rng(1).standard_normal((points, 1))
    power = one(FFT(points=points, window="boxcar", dc=None, precision="float64"), x, analog_info()).data
    assert power.sum() == pytest.approx(np.mean(x**2))


# -- frames, indices, cuts, settings


def test_frames_of_complex_and_of_integer_samples_are_the_same():
    z = crowded(2048, 1)
    raw = counts(z)
    as_complex = ((raw[:, 0] + 1j * raw[:, 1]) / FULL_SCALE).astype(np.complex64)
    info = complex_info(125e6, **radio_info().facts)
    np.testing.assert_allclose(levels(raw, radio_info(), points=1024), levels(as_complex, info, points=1024), atol=1e-3)


def test_the_index_counts_frames_and_the_time_is_of_a_frames_first_sample():
    fft = FFT(points=1024)
    x = noise_counts(10_000)
    first, second = (
        fft.feed(Chunk(x[a:b], radio_info(1e6), 2048 + a, START_NS + a * 1000))[0]
        for a, b in ((0, 3000), (3000, 10_000))
    )
    assert (first.index, first.end) == (2, 4)
    assert (second.index, second.end) == (4, 11)
    assert first.time_ns == START_NS
    assert second.time_ns == START_NS + 2 * 1024 * 1000
    assert first.info is second.info
    assert first.info.sample_rate_hz == pytest.approx(1e6 / 1024)


def test_a_gap_shows_in_the_frames_index_and_no_frame_reaches_across_it():
    fft = FFT(points=1000)
    x = noise_counts(10_000)
    info = radio_info()
    results = everything(fft, [Chunk(x[:2500], info, 0), Chunk(x[4000:6500], info, 4000)])
    assert [(c.index, c.end) for c in results] == [(0, 2), (4, 6)]
    for row, start in zip(results[1].data, (4000, 5000), strict=True):
        np.testing.assert_array_equal(row, one(FFT(points=1000), x[start : start + 1000], info).data[0])
    assert fft.unused == 1000
    assert fft.continuity.lost == 1500


def test_frames_overlap_as_asked():
    x = noise_counts(5000)
    fft = FFT(points=1024, overlap=768)
    chunk = one(fft, x, radio_info())
    assert len(chunk) == (5000 - 1024) // 256 + 1
    assert chunk.info.sample_rate_hz == pytest.approx(125e6 / 256)
    for at in (0, 1, 7, len(chunk) - 1):
        alone = one(FFT(points=1024), x[at * 256 : at * 256 + 1024], radio_info())
        np.testing.assert_allclose(chunk.data[at], alone.data[0], rtol=1e-5)
    assert fft.unused == 5000 - (len(chunk) - 1) * 256 - 1024


@settings(max_examples=12)
@given(sizes, gaps, st.sampled_from([(64, 0), (1024, 0), (1000, 300), (256, 200), (4096, 0)]), st.integers(0, 5000))
def test_any_cut_gives_the_same_spectra_of_iq(sizes, gaps, frame, start):
    points, overlap = frame
    assert_same_for_any_cut(
        lambda: FFT(points=points, overlap=overlap, band="usable"),
        noise_counts(9000),
        radio_info(usable_bandwidth_hz=90e6),
        sizes,
        gaps,
        start,
        tolerance=1e-6,
    )


@settings(max_examples=12)
@given(sizes, gaps)
def test_any_cut_gives_the_same_maps_of_analog_channels(sizes, gaps):
    x = np.random.default_rng(0).standard_normal((9000, 2))
    assert_same_for_any_cut(lambda: FFT(points=500, overlap=100), x, analog_info(2), sizes, gaps, tolerance=1e-6)


def test_frames_longer_than_chunks_are_put_together():
    x = noise_counts(131072)
    pieces = everything(FFT(points=131072), cut(x, radio_info(), [65504, 16]))
    np.testing.assert_array_equal(rows_by_index(pieces)[1], one(FFT(points=131072), x, radio_info()).data)


def test_settings_change_what_follows():
    fft = FFT(points=1024)
    x = noise_counts(8192)
    info = radio_info()
    before = fft.feed(Chunk(x[:1500], info, 0))
    fft.change(points=512, window="blackman", window_gain="coherent", dc="mean", iq_correct=False, overlap=256)
    after = fft.feed(Chunk(x[1500:3548], info, 1500))
    assert [c.data.shape for c in before + after] == [(1, 1024), (7, 512)]
    alone = everything(
        FFT(points=512, window="blackman", window_gain="coherent", dc="mean", iq_correct=False, overlap=256),
        [Chunk(x[1500:3548], info, 1500)],
    )
    np.testing.assert_array_equal(after[0].data, alone[0].data)
    assert after[0].index == 6
    assert after[0].info.facts["window"] == "blackman"
    assert fft.unused == 476


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("points", 3),
        ("points", 10.5),
        ("points", "many"),
        ("window", "haning"),
        ("window", 3),
        ("window_gain", "loud"),
        ("dc", "off"),
        ("iq_correct", 1),
        ("overlap", 1024),
        ("overlap", -1),
        ("band", "all"),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(setting, value):
    fft = FFT(points=1024)
    before = {name: getattr(fft, name) for name in fft.settings}
    with pytest.raises(UsageError, match=setting):
        fft.change(dc="mean", **{setting: value}) if setting != "dc" else fft.change(dc=value)
    assert {name: getattr(fft, name) for name in fft.settings} == before
    with pytest.raises(UsageError, match=setting):
        FFT(**{setting: value})


@pytest.mark.parametrize("wrong", [{"precision": "float16"}, {"workers": 0}])
def test_what_cannot_be_is_refused_when_it_is_made(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        FFT(**wrong)


def test_a_stream_that_is_no_samples_is_refused():
    info = StreamInfo(kind="spectrum", dtype=np.dtype("float32"), shape=(8,))
    with pytest.raises(StreamMismatch, match="spectrum"):
        FFT().feed(Chunk(np.zeros((1, 8), "float32"), info))
    with pytest.raises(StreamMismatch, match="no sample rate"):
        FFT().feed(Chunk(noise_counts(1), radio_info(sample_rate_hz=0.0)))
    triples = StreamInfo(kind="iq", dtype=np.dtype("int16"), shape=(3,), sample_rate_hz=1.0)
    with pytest.raises(StreamMismatch, match="pairs"):
        FFT().feed(Chunk(np.zeros((1, 3), "int16"), triples))


def test_its_boxes_say_what_flows():
    assert isinstance(FFT().outbox_spec("outbox"), Box)
    assert FFT().outbox_spec("outbox").required


def test_it_conforms():
    x = noise_counts(6000)
    info = radio_info()
    check_component(lambda: FFT(points=256), messages=[Chunk(x[a : a + 600], info, a) for a in range(0, 6000, 600)])


class Radio(Component):
    """Sends chunks of noise, as a device would."""

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("IQ", Chunk, required=True, stream=StreamType(kind="iq", dtype="int16"))
    }

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def main(self) -> Generator[Any, Any, None]:
        for index in range(0, self.chunks * 1000, 1000):
            self.send(Chunk(noise_counts(1000), radio_info(), index))
            yield


def test_constructors_put_into_each_other_are_a_graph():
    calibrate = Calibrate(Average(FFT(Radio(50), points=256), frames=8))
    probe = Probe()
    run_virtual(Pipeline(calibrate, probe))
    assert [message.info.units for message in probe.messages] == ["dBm"] * len(probe.messages)
    assert sum(len(message) for message in probe.messages) == 50_000 // 256 // 8


def test_settings_come_as_messages_and_are_answered():
    fft = FFT(points=256)
    fft.inbox("settings").put({"points": 512, "window": "blackman"})
    fft.inbox("settings").put({"points": 2})
    status = Probe()
    fft.link((fft, "status"), (status, "inbox"))
    run_virtual(fft, status)
    assert [type(message) for message in status.messages] == [Changed, Refused]
    assert (fft.points, fft.window) == (512, "blackman")


def test_a_link_to_what_takes_no_spectra_fails_at_wiring():
    with pytest.raises(StreamMismatch, match="spectrum"):
        Pipeline(FFT(), FFT())
