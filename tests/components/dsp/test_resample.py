"""Resample and Decimate: what scipy.signal.resample_poly gives for the whole signal, however it comes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.resample import Decimate, Polyphase, Resample, decimation_filter, ratio_of
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests.components.dsp.radio import (
    START_NS,
    analog_info,
    assert_same_for_any_cut,
    complex_info,
    cut,
    everything,
    gaps,
    noise_counts,
    radio_info,
    rows_by_index,
    sizes,
)

TOLERANCE = {"float64": 1e-13, "float32": 1e-6, "complex64": 1e-6, "complex128": 1e-13}


def noise(rows, channels=2, dtype="float64"):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, channels))
    if np.dtype(dtype).kind == "c":
        return (x[:, 0] + 1j * x[:, 1]).astype(dtype)
    return x.astype(dtype)


def info_for(x):
    return complex_info(1000.0).replace(dtype=x.dtype) if x.ndim == 1 else analog_info(x.shape[1], dtype=x.dtype)


def joined(block, chunks):
    return rows_by_index(everything(block, chunks))


# -- as scipy


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(("up", "down"), [(1, 4), (4, 1), (3, 2), (160, 147), (147, 160), (1, 7), (1, 100)])
def test_the_result_is_resample_poly_of_the_whole_signal(up, down, dtype):
    x = noise(7001, dtype=dtype)
    judge = scipy.signal.resample_poly(x, up, down)
    indices, rows, _ = joined(Resample(up=up, down=down), cut(x, info_for(x), [700, 0, 1, 33]))
    np.testing.assert_array_equal(indices, np.arange(len(judge)))
    assert rows.dtype == dtype
    np.testing.assert_allclose(rows, judge, rtol=0, atol=TOLERANCE[dtype] * np.abs(x).max())


@pytest.mark.parametrize("factor", [1, 2, 5, 64, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_decimate_is_resample_poly_with_its_own_filter(factor, dtype):
    x = noise(9000, channels=3, dtype=dtype)
    judge = scipy.signal.resample_poly(x, 1, factor, window=decimation_filter(factor))
    indices, rows, _ = joined(Decimate(factor=factor), cut(x, info_for(x), [5000, 3, 0]))
    np.testing.assert_array_equal(indices, np.arange(len(judge)))
    np.testing.assert_allclose(rows, judge, rtol=0, atol=TOLERANCE[dtype] * np.abs(x).max())


def test_a_stream_that_begins_late_has_the_rows_of_one_that_began_with_zeros():
    x = noise(3000)
    start = 12_347
    judge = scipy.signal.resample_poly(np.concatenate([np.zeros((start, 2)), x]), 3, 7)
    indices, rows, _ = joined(Resample(up=3, down=7), cut(x, analog_info(2), [1000], start=start))
    assert indices[0] == -(-start * 3 // 7)
    np.testing.assert_allclose(rows, judge[indices], atol=1e-13 * np.abs(judge).max())


@pytest.mark.parametrize("make", [lambda: Resample(sample_rate_hz=300.0), lambda: Decimate(factor=4)])
def test_the_rows_stand_at_the_same_times_as_in_the_input(make):
    """A slow sine is the same sine; no delay."""
    n = np.arange(4000) + 500
    x = np.sin(2 * np.pi * 3.0 * n / 1000.0)[:, None]
    chunks = everything(make(), [Chunk(x, analog_info(), 500, START_NS + 500_000_000)])
    rate_hz = chunks[0].info.sample_rate_hz
    indices, rows, times = rows_by_index(chunks)
    t = indices / rate_hz
    inner = (t > 0.7) & (t < 4.3)
    np.testing.assert_allclose(rows[inner, 0], np.sin(2 * np.pi * 3.0 * t[inner]), atol=2e-3)
    np.testing.assert_allclose((np.array(times) - START_NS) / 1e9, t, atol=1e-8)


@pytest.mark.parametrize("factor", [2, 5, 30])
def test_what_would_fold_into_the_pass_band_is_80_db_down_and_the_pass_band_is_even(factor):
    frequency, response = scipy.signal.freqz(decimation_filter(factor), worN=1 << 16, fs=2 * factor)  # 1: new half rate
    level_db = 20 * np.log10(np.maximum(np.abs(response), 1e-12))
    folds = (frequency % 2 <= 0.8) | (frequency % 2 >= 1.2)
    assert level_db[folds & (frequency > 1)].max() < -80
    assert np.abs(level_db[frequency <= 0.8]).max() < 0.002


# -- streams


def test_rates_units_and_facts_follow():
    raw = noise_counts(1000)
    (first, *_) = everything(Decimate(factor=10), [Chunk(raw, radio_info(12.5e6, usable_bandwidth_hz=6.25e6))])
    assert first.info.kind == "iq"
    assert first.info.sample_rate_hz == 1.25e6
    assert first.info.facts["usable_bandwidth_hz"] == pytest.approx(1e6)
    assert first.info.facts["center_frequency_hz"] == 2.4e9
    assert (first.info.dtype, first.info.shape, first.info.scale) == (np.dtype("float32"), (2,), None)
    judge = scipy.signal.resample_poly(raw.astype(float) / 8192, 1, 10, window=decimation_filter(10))
    np.testing.assert_allclose(first.data, judge[: len(first)], atol=1e-6)


def test_engineering_values_are_resampled():
    info = analog_info(2, dtype="int16", scale=(0.5, 2.0), offset=(10.0, -3.0), channel_names=("a", "b"))
    x = np.full((2000, 2), 100, "int16")
    _, rows, _ = joined(Decimate(factor=4), cut(x, info, [300]))
    np.testing.assert_allclose(rows[100:-100], [[60, 197]] * (len(rows) - 200), rtol=1e-4)
    assert rows.dtype == np.float32


def test_a_gap_is_an_edge_on_both_sides_and_shows_in_the_index():
    x = noise(4000)
    info = analog_info(2)
    indices, rows, _ = joined(Decimate(factor=4), [Chunk(x[:1000], info, 0), Chunk(x[2000:], info, 2000)])
    assert list(indices) == [*range(250), *range(500, 1000)]
    for part, of in ((slice(0, 250), x[:1000]), (slice(250, None), x[2000:])):
        judge = scipy.signal.resample_poly(of, 1, 4, window=decimation_filter(4))
        np.testing.assert_allclose(rows[part], judge, atol=1e-13)


MAKERS = [
    (lambda: Resample(up=3, down=7), "float64"),
    (lambda: Resample(up=11, down=2), "float32"),
    (lambda: Resample(sample_rate_hz=160.0), "complex64"),
    (lambda: Decimate(factor=5), "float64"),
    (lambda: Decimate(factor=37), "complex64"),
]


@settings(max_examples=12)
@given(sizes, gaps, st.sampled_from(MAKERS), st.integers(0, 5000))
def test_any_cut_gives_the_same_rows(sizes, gaps, maker, start):
    make, dtype = maker
    x = noise(8000, channels=3, dtype=dtype)
    assert_same_for_any_cut(make, x, info_for(x), sizes, gaps, start, tolerance=TOLERANCE[dtype], time_slack_ns=3)


@pytest.mark.parametrize("make", [lambda: Resample(up=3, down=7), lambda: Decimate(factor=5)])
@pytest.mark.parametrize(
    ("dtype", "into"), [(">i2", "float32"), ("u1", "float32"), ("i4", "float64"), ("float32", "float32")]
)
def test_pairs_of_i_and_q_stay_pairs(make, dtype, into):
    pairs = noise(400, channels=2) * 10 + 100
    info = StreamInfo(kind="iq", dtype=dtype, shape=(2,), sample_rate_hz=1000)
    _, rows, _ = rows_by_index(everything(make(), [Chunk(pairs.astype(dtype), info)]))
    assert (rows.dtype, rows.shape[1:]) == (np.dtype(into), (2,))


def test_without_edges_only_rows_with_the_whole_filter_under_them_come():
    taps = decimation_filter(4)
    polyphase = Polyphase(1, 4, taps, edges=False)
    polyphase.begin(1000)
    first = polyphase.next
    rows = polyphase.process(np.ones((1000, 1)))
    assert first == -(-(1000 + len(taps) // 2) // 4)
    np.testing.assert_allclose(rows, 1.0, atol=1e-4)
    assert (polyphase.next - 1) * 4 + len(taps) // 2 <= 1999
    assert polyphase.finish() is None


# -- settings and refusals


def test_another_rate_flushes_and_goes_on():
    block = Resample(sample_rate_hz=500.0)
    x = noise(3000)
    info = analog_info(2)
    before = block.feed(Chunk(x[:1500], info, 0))
    block.change(sample_rate_hz=250.0)
    after = block.feed(Chunk(x[1500:], info, 1500)) + block.finish()
    old = [c for c in before + after if c.info.sample_rate_hz == 500]
    new = [c for c in before + after if c.info.sample_rate_hz == 250]
    np.testing.assert_allclose(
        np.concatenate([c.data for c in old]), scipy.signal.resample_poly(x[:1500], 1, 2), atol=1e-12
    )
    assert (new[0].index, new[-1].end) == (375, 750)


@pytest.mark.parametrize(
    ("to_hz", "from_hz", "ratio"),
    [
        (48000, 125e6 / 6, Fraction(36, 15625)),
        (44100.0, 48000.0, Fraction(147, 160)),
        (48000.0, 125e6 / 250, Fraction(12, 125)),
    ],
)
def test_the_ratio_of_two_rates_is_exact(to_hz, from_hz, ratio):
    assert ratio_of(to_hz, from_hz) == ratio


def test_an_odd_ratio_is_found_to_a_millionth_and_the_rate_that_comes_of_it_is_told():
    assert ratio_of(48000.0, 44100.00012) == Fraction(160, 147)
    (chunk, *_) = everything(Resample(sample_rate_hz=500.0002), [Chunk(noise(100), analog_info(2))])
    assert chunk.info.sample_rate_hz == 500.0
    ratio = ratio_of(1234.5678, 1000.0)
    assert float(ratio) * 1000 == pytest.approx(1234.5678, rel=1e-6)


def test_rates_too_far_apart_are_refused():
    with pytest.raises(UsageError, match=r"Resample: 0\.001 Hz is too far from 1000 Hz"):
        Resample(sample_rate_hz=0.001).feed(Chunk(noise(10), analog_info(2)))
    with pytest.raises(UsageError, match="Decimate"):
        ratio_of(125e6, 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Resample(),
        lambda: Resample(sample_rate_hz=1.0, up=2),
        lambda: Resample(sample_rate_hz=-1.0),
        lambda: Resample(up=0, down=2),
        lambda: Decimate(factor=0),
        lambda: Decimate(factor=2, pass_part=1.0),
        lambda: Decimate(factor=2, attenuation_db=1.0),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make):
    with pytest.raises(UsageError):
        make()


def test_streams_without_numbers_or_a_rate_are_refused():
    with pytest.raises(StreamMismatch, match="at a rate"):
        Decimate(factor=2).feed(Chunk(noise(10), analog_info(2, sample_rate_hz=0.0)))
    digital = StreamInfo(kind="digital", dtype=np.dtype("uint8"), shape=(1,), sample_rate_hz=10.0)
    with pytest.raises(StreamMismatch, match="digital"):
        Decimate(factor=2).feed(Chunk(np.zeros((1, 1), "uint8"), digital))


@pytest.mark.parametrize("make", [lambda: Resample(up=3, down=2), lambda: Decimate(factor=4)])
def test_they_conform(make):
    x = noise(1000)
    check_component(make, messages=[Chunk(x[a : a + 100], analog_info(2), a) for a in range(0, 1000, 100)])
