"""TimeFreq: the map of the formulas, of the whole stream, whatever its chunks and blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.timefreq import MorletBank, TimeFreq, morlet
from axonlike.errors import UsageError
from axonlike.streams.chunk import Axis, Chunk, StreamInfo, join
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component

RATE_HZ = 500.0
SINE = np.sqrt(2 * np.pi) / 2


def info(channels=1, dtype="float64", **more):
    return StreamInfo(**{"kind": "analog", "dtype": dtype, "shape": (channels,), "sample_rate_hz": RATE_HZ} | more)


def noise(rows, channels=1, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, channels))


def cut(x, sizes, index=0, about=None):
    start = 0
    while start < len(x):
        for size in sizes if any(sizes) else (*sizes, len(x)):
            yield Chunk(x[start : start + size], about or info(x.shape[1], x.dtype), index + start)
            start = min(start + size, len(x))


def through(block, chunks):
    return join([result for chunk in chunks for result in block.feed(chunk)] + block.finish())


def by_the_formula(x, frequencies, *, rate_hz=RATE_HZ, f0=2.5, normalisation=0.0, rows=None):
    """Each value as a sum of its own, float64, over wavelets that never end: shape (rows, channels, frequencies)."""
    n = np.arange(len(x))
    rows = n if rows is None else np.asarray(rows)
    result = np.empty((len(rows), x.shape[1], len(frequencies)))
    for place, f in enumerate(frequencies):
        s = f0 / f * rate_hz
        t = n[None, :] - rows[:, None]
        w = np.exp(2j * np.pi * f0 * t / s) * np.exp(-((t / s) ** 2) / 2) * s ** -(1 + normalisation)
        result[:, :, place] = np.abs(np.conj(w) @ x)
    return result


@pytest.mark.parametrize("normalisation", [0.0, -0.5, 0.3])
@pytest.mark.parametrize(("f0", "rows_per_s"), [(2.5, 500.0), (2.5, 40.0), (0.4, 40.0), (6.0, None)])
def test_the_map_is_that_of_the_formula(f0, rows_per_s, normalisation):
    x = noise(900, 2)
    block = TimeFreq(frequencies_hz=(10.0, 90.0, 20.0), f0=f0, rows_per_s=rows_per_s, normalisation=normalisation)
    got = through(block, cut(x, [170]))
    step = round(RATE_HZ / (rows_per_s or 90.0))
    wanted = by_the_formula(x, [10, 30, 50, 70, 90], f0=f0, normalisation=normalisation, rows=np.arange(0, 900, step))
    assert got.data.shape == wanted.shape
    assert got.data.dtype == np.float32
    assert np.abs(got.data - wanted).max() < 3e-7 * wanted.max()


@pytest.mark.parametrize("frequency", [3.0, 17.5, 60.0, 90.0])
def test_a_unit_sine_gives_half_the_root_of_two_pi(frequency):
    bank = MorletBank([frequency], RATE_HZ, step=7, rows=50, reach=9.0)
    t = np.arange(bank.samples) / RATE_HZ
    values = bank.map(np.sin(2 * np.pi * frequency * t + 0.3)[:, None])
    assert np.abs(values - SINE).max() < 1e-14
    assert pytest.approx(1.2533141373, abs=1e-10) == SINE


def test_the_profile_over_frequency_is_the_gaussian_of_the_formula():
    f0, frequency = 2.5, 30.0
    others = np.arange(3.0, 91.0, 3.0)
    bank = MorletBank(others, RATE_HZ, step=5, rows=40, f0=f0)
    t = np.arange(bank.samples) / RATE_HZ
    values = bank.map(np.sin(2 * np.pi * frequency * t)[:, None])[:, 0, :]
    profile = SINE * np.exp(-((2 * np.pi * f0 * (frequency / others - 1)) ** 2) / 2)
    assert np.abs(values - profile).max() < 1e-8


@pytest.mark.parametrize("rows_per_s", [500.0, 25.0])
def test_nothing_wraps_around_from_the_oldest_samples_into_the_newest(rows_per_s):
    x = np.zeros((6000, 1))
    x[:50] = 100 * noise(50)
    got = through(TimeFreq(frequencies_hz=(3.0, 90.0, 3.0), rows_per_s=rows_per_s), cut(x, [512])).data
    reach = int(6.5 * 2.5 / 3.0 * rows_per_s) + 50
    assert got.max() > 1.0
    assert np.abs(got[reach:]).max() < 1e-12
    bank = MorletBank(np.arange(3.0, 91.0, 3.0), RATE_HZ, rows=1000)
    block = np.zeros((bank.samples, 1))
    block[:50] = block[-50:] = 1.0  # half the longest wavelet away from every row
    assert bank.map(block)[200:-200].max() < 1e-6


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.integers(0, 50), st.sampled_from([None, 500.0, 33.0]))
def test_chunks_of_any_size_change_not_a_bit(sizes, index, rows_per_s):
    x = noise(3000, 2)
    made = {"frequencies_hz": (8.0, 40.0, 8.0), "rows_per_s": rows_per_s}
    whole = through(TimeFreq(**made), cut(x, [3000], index))
    got = through(TimeFreq(**made), cut(x, sizes, index))
    step = round(RATE_HZ / (rows_per_s or 40.0))
    assert got.index == whole.index == -(-index // step)
    assert got.end == -(-(index + 3000) // step)
    assert np.array_equal(got.data, whole.data)


def test_the_length_of_the_blocks_changes_nothing_but_rounding():
    x = noise(4000)
    a = through(TimeFreq(frequencies_hz=(8.0, 40.0, 8.0), update_s=0.01), cut(x, [100])).data
    b = through(TimeFreq(frequencies_hz=(8.0, 40.0, 8.0), update_s=3.0), cut(x, [100])).data
    assert np.abs(a - b).max() < 2e-7 * a.max()


def test_rows_say_what_and_when_they_are():
    x = noise(2000, 2)
    about = info(2, channel_names=("a", "b"), units="uV", name="eeg", facts={"cap": 7})
    block = TimeFreq(frequencies_hz=(5.0, 50.0, 5.0), rows_per_s=50.0)
    chunks = [Chunk(x[:1000], about, 103, 10**9), Chunk(x[1000:], about, 1103, 4 * 10**9)]
    first, *others = [result for chunk in chunks for result in block.feed(chunk)] + block.finish()
    assert first.info == about.replace(
        kind="map", dtype="float32", shape=(2, 10), sample_rate_hz=50.0, axis=Axis("frequency", "Hz", 5.0, 5.0),
        facts={"cap": 7, "f0": 2.5, "normalisation": 0.0},
    )  # fmt: skip
    assert first.index == 11  # sample 110
    assert first.time_ns == 10**9 + 7 * 2 * 10**6
    assert others[-1].end == 211
    assert others[-1].index * 10 > 1103
    assert others[-1].time_ns == 4 * 10**9 + (others[-1].index * 10 - 1103) * 2 * 10**6


def test_rows_come_within_the_delay_that_it_tells():
    x = noise(6000)
    block = TimeFreq(frequencies_hz=(5.0, 50.0, 5.0), update_s=0.1)
    assert block.delay_s == 0.0
    fed = ready = 0
    for chunk in cut(x, [100]):
        for result in block.feed(chunk):
            ready = round(result.end * RATE_HZ / result.info.sample_rate_hz)
        fed += 100
        assert fed - ready <= block.delay_s * RATE_HZ + 100
    assert 3.0 < block.delay_s < 3.5  # six standard deviations of 0.5 s, and a block


def test_behind_a_gap_a_map_begins_anew():
    x = noise(3000)
    block = TimeFreq(frequencies_hz=(20.0, 40.0, 10.0), rows_per_s=100.0)
    results = block.feed(Chunk(x[:1000], info())) + block.feed(Chunk(x[1500:], info(), 1500)) + block.finish()
    before, after = join(r for r in results if r.index < 200), join(r for r in results if r.index >= 200)
    assert (before.end, after.index, after.end) == (200, 300, 600)
    alone = through(TimeFreq(frequencies_hz=(20.0, 40.0, 10.0), rows_per_s=100.0), [Chunk(x[1500:], info())])
    assert np.array_equal(after.data, alone.data)


def test_a_value_that_is_not_finite_counts_as_zero_and_is_counted():
    x = noise(1000)
    x[500] = np.nan
    block = TimeFreq(frequencies_hz=(20.0, 40.0, 10.0))
    got = through(block, cut(x, [64])).data
    x[500] = 0.0
    assert np.array_equal(got, through(TimeFreq(frequencies_hz=(20.0, 40.0, 10.0)), cut(x, [64])).data)
    assert block.not_finite == 1


def test_raw_integers_are_taken_in_their_units():
    raw = np.random.default_rng(0).integers(-99, 99, (800, 2)).astype("<i2")
    got = through(
        TimeFreq(frequencies_hz=(20.0, 40.0, 10.0)), [Chunk(raw, info(2, "<i2", scale=(0.5, 2.0), offset=3.0))]
    )
    wanted = through(TimeFreq(frequencies_hz=(20.0, 40.0, 10.0)), [Chunk(3.0 + raw * [0.5, 2.0], info(2))])
    assert np.array_equal(got.data, wanted.data)


def test_a_changed_setting_begins_another_map():
    x = noise(2000)
    block = TimeFreq(frequencies_hz=(20.0, 40.0, 10.0), rows_per_s=100.0)
    results = block.feed(Chunk(x[:1000], info()))
    block.change(frequencies_hz=[10.0, 40.0, 10.0], f0=3.0)
    results += block.feed(Chunk(x[1000:], info(), 1000)) + block.finish()
    old, new = join(r for r in results if r.info.shape == (1, 3)), join(r for r in results if r.info.shape == (1, 4))
    assert (old.index, old.end, new.index, new.end) == (0, 200, 200, 400)
    wanted = by_the_formula(x[1000:], [10, 20, 30, 40], f0=3.0, rows=np.arange(0, 1000, 5))
    assert np.abs(new.data - wanted).max() < 3e-7 * wanted.max()


@pytest.mark.parametrize(
    "wrong",
    [
        {"frequencies_hz": (0.0, 10.0, 1.0)},
        {"frequencies_hz": (20.0, 10.0, 1.0)},
        {"frequencies_hz": (1.0, 10.0)},
        {"frequencies_hz": (1.0, 250.0, 10.0)},
        {"f0": -1.0},
        {"reach": 0.0},
        {"rows_per_s": 0.0},
        {"normalisation": float("nan")},
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(wrong):
    block = TimeFreq()
    block.feed(Chunk(noise(10), info()))
    with pytest.raises(UsageError):
        block.change(**wrong)
    assert (block.frequencies_hz, block.f0, block.rows_per_s, block.reach) == ((3.0, 90.0, 3.0), 2.5, None, 6.0)
    with pytest.raises(UsageError):
        TimeFreq(**wrong).feed(Chunk(noise(10), info()))


def test_other_streams_are_refused():
    with pytest.raises(StreamMismatch, match="wanted analog"):
        TimeFreq().feed(Chunk(np.zeros((1, 2), "u1"), info(2, "u1", kind="digital")))


def test_the_wavelet_is_that_of_the_formula():
    w = morlet(10.0, 500.0, 300, normalisation=0.5)
    s, t = 125.0, np.arange(-300, 301)
    assert np.allclose(w, np.exp(2j * np.pi * 2.5 * t / s) * np.exp(-((t / s) ** 2) / 2) * s**-1.5, rtol=0, atol=1e-15)


def test_it_conforms():
    check_component(lambda: TimeFreq(frequencies_hz=(10.0, 40.0, 10.0)), messages=list(cut(noise(2000), [200])))
