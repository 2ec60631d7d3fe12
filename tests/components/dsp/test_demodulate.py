"""FM and AM: a known sound, modulated plainly, comes back; at its station, its level, its time, for any cut."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.demodulate import (
    AMDemodulate,
    AmDetector,
    Deemphasis,
    FMDemodulate,
    FmDiscriminator,
    FrequencyShift,
    Oscillator,
)
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests.components.dsp.radio import (
    CENTER_HZ,
    START_NS,
    assert_same_for_any_cut,
    complex_info,
    counts,
    cut,
    everything,
    gaps,
    noise_counts,
    radio_info,
    rows_by_index,
    sizes,
)

RATE_HZ = 1e6
STATION_HZ = CENTER_HZ + 150e3


def sound(t, hz=1000.0, level=0.5):
    return level * np.sin(2 * np.pi * hz * t)


def fm(rows, station_hz=STATION_HZ, deviation_hz=75e3, rate_hz=RATE_HZ, amplitude=4000, hz=1000.0):
    """Counts of an FM station, its modulation integrated plainly."""
    t = np.arange(rows) / rate_hz
    phase = 2 * np.pi * deviation_hz * np.cumsum(sound(t, hz)) / rate_hz
    return amplitude * np.exp(1j * (2 * np.pi * (station_hz - CENTER_HZ) * t + phase))


def am(rows, station_hz=STATION_HZ, rate_hz=RATE_HZ, amplitude=1000, hz=1000.0):
    t = np.arange(rows) / rate_hz
    return amplitude * (1 + sound(t, hz)) * np.exp(2j * np.pi * (station_hz - CENTER_HZ) * t + 0.7j)


def heard(block, z, info=None, sizes=(5000,)):
    """The sound, and when each row of it is, in seconds."""
    chunks = everything(block, cut(counts(z), info or radio_info(RATE_HZ), list(sizes)))
    indices, rows, times = rows_by_index(chunks)
    assert (chunks[0].info.kind, chunks[0].info.shape, chunks[0].data.dtype) == ("analog", (1,), np.dtype("float32"))
    t = indices / chunks[0].info.sample_rate_hz
    np.testing.assert_allclose((np.array(times) - START_NS) / 1e9, t, atol=2e-6)
    return t, rows[:, 0]


# -- the pure parts


@pytest.mark.parametrize("index", [0, 12_345, 10**12 + 7])
@pytest.mark.parametrize("frequency_hz", [0.0, 1234.5, -310e3, 499e3])
def test_the_oscillators_phase_is_exact_at_any_index(frequency_hz, index):
    ones = np.ones(10_000, np.complex64)
    Oscillator(frequency_hz, 1e6).multiply(ones, index)
    n = [index + k for k in range(10_000)]
    turns = np.array([(int(frequency_hz * 2) * k % 2_000_000) / 2_000_000 for k in n])
    np.testing.assert_allclose(ones, np.exp(2j * np.pi * turns), atol=2e-6)


@pytest.mark.parametrize("offset_hz", [-20e3, 0.0, 75e3])
def test_the_discriminator_says_the_frequency_in_deviations(offset_hz):
    z = np.exp(2j * np.pi * offset_hz / 250e3 * np.arange(1000)).astype(np.complex64)
    audio = FmDiscriminator(75e3, 250e3).process(z)
    assert audio[0] == 0
    np.testing.assert_allclose(audio[1:], offset_hz / 75e3, atol=1e-5)


@pytest.mark.parametrize(("time_constant_s", "corner_hz"), [(50e-6, 3183.1), (75e-6, 2122.07)])
@pytest.mark.parametrize("rate_hz", [48e3, 250e3])
def test_deemphasis_is_3_db_down_at_its_corner(time_constant_s, corner_hz, rate_hz):
    t = np.arange(20_000) / rate_hz
    out = Deemphasis(time_constant_s, rate_hz).process(np.sin(2 * np.pi * corner_hz * t).astype("float32"))
    assert 20 * np.log10(np.sqrt(2 * np.mean(out[5000:] ** 2))) == pytest.approx(-3.01, abs=0.05)
    steady = Deemphasis(time_constant_s, rate_hz).process(np.ones(5000, "float32"))
    assert steady[-1] == pytest.approx(1.0, abs=1e-4)


def test_the_am_detector_takes_the_level_out_and_is_silent_without_a_carrier():
    t = np.arange(50_000) / 20e3
    for amplitude in (1e-3, 0.5):
        out = AmDetector(20e3).process((amplitude * (1 + sound(t, 400.0))).astype(np.complex64))
        assert np.abs(out[20_000:] - sound(t, 400.0)[20_000:]).max() < 0.02
    assert (AmDetector(20e3).process(np.zeros(100, np.complex64)) == 0).all()


# -- stations


@pytest.mark.parametrize("station_hz", [CENTER_HZ, CENTER_HZ + 150e3, CENTER_HZ - 380e3])
@pytest.mark.parametrize("rate_hz", [1e6, 125e6 / 60])
def test_fm_comes_back_at_its_level_and_time(station_hz, rate_hz):
    z = fm(int(0.1 * rate_hz), station_hz, rate_hz=rate_hz)
    t, audio = heard(FMDemodulate(station_hz=station_hz, deemphasis_s=None), z, radio_info(rate_hz))
    inner = (t > 0.002) & (t < 0.098)
    np.testing.assert_allclose(audio[inner], sound(t[inner]), atol=0.02)
    assert len(t) == pytest.approx(4800, abs=12)


def test_another_station_in_the_same_band_is_not_heard():
    z = fm(100_000) + 2 * fm(100_000, CENTER_HZ - 200e3, hz=3000.0)
    t, audio = heard(FMDemodulate(station_hz=STATION_HZ, deemphasis_s=None), z / 3)
    inner = (t > 0.002) & (t < 0.098)
    spectrum = np.abs(np.fft.rfft(audio[inner] * np.hanning(inner.sum())))
    frequency = np.fft.rfftfreq(inner.sum(), 1 / 48000)
    near = {hz: spectrum[np.abs(frequency - hz) < 50].max() for hz in (1000, 3000)}
    assert 20 * np.log10(near[1000] / near[3000]) > 50


def test_deemphasis_is_on_by_default():
    _, flat = heard(FMDemodulate(station_hz=STATION_HZ, deemphasis_s=None), fm(100_000, hz=3183.1))
    _, soft = heard(FMDemodulate(station_hz=STATION_HZ), fm(100_000, hz=3183.1))
    assert 20 * np.log10(soft[500:-500].std() / flat[500:-500].std()) == pytest.approx(-3.01, abs=0.1)


def test_narrow_band_fm_at_another_audio_rate():
    block = FMDemodulate(
        station_hz=STATION_HZ, deviation_hz=2500, bandwidth_hz=12.5e3, deemphasis_s=None, audio_rate_hz=8000.0
    )
    t, audio = heard(block, fm(200_000, deviation_hz=2500, hz=700.0))
    t = t - 0.5 / 15625  # the discriminator's half sample
    inner = (t > 0.02) & (t < 0.18)
    np.testing.assert_allclose(audio[inner], sound(t[inner], 700.0), atol=0.03)


@pytest.mark.parametrize("amplitude", [40, 4000])
def test_am_comes_back_equally_loud_from_weak_and_strong_stations(amplitude):
    t, audio = heard(AMDemodulate(station_hz=STATION_HZ), am(600_000, amplitude=amplitude))
    late = (t > 0.4) & (t < 0.58)
    np.testing.assert_allclose(audio[late], sound(t[late]), atol=0.06 if amplitude == 40 else 0.03)


def test_am_begins_without_a_thump():
    _, audio = heard(
        AMDemodulate(station_hz=STATION_HZ), am(200_000, amplitude=4000) / (1 + sound(np.arange(200_000) / RATE_HZ))
    )
    assert np.abs(audio).max() < 0.05


def test_volume_and_station_can_be_changed():
    block = FMDemodulate(station_hz=CENTER_HZ, deemphasis_s=None)
    z = counts(fm(200_000))
    info = radio_info(RATE_HZ)
    block.feed(Chunk(z[:100_000], info, 0))
    block.change(station_hz=STATION_HZ, volume=0.5)
    results = block.feed(Chunk(z[100_000:], info, 100_000))
    new = [chunk for chunk in results if chunk.info.facts["station_hz"] == STATION_HZ]
    indices, rows, _ = rows_by_index(new)
    t = indices / 48000
    inner = t > 0.103
    np.testing.assert_allclose(rows[inner, 0], 0.5 * sound(t[inner]), atol=0.02)
    assert all(a.end <= b.index for a, b in zip(results, results[1:]))


def test_a_station_outside_of_the_band_gives_no_sound_and_says_so(caplog):
    block = FMDemodulate(station_hz=CENTER_HZ + 2e6)
    with caplog.at_level(logging.WARNING, "axonlike.demodulate"):
        assert everything(block, cut(counts(fm(10_000)), radio_info(RATE_HZ), [1000])) == []
    assert len(caplog.records) == 1
    assert "not in the band" in caplog.text
    assert block.unheard == 10_000
    block.change(station_hz=STATION_HZ)
    assert block.feed(Chunk(counts(fm(10_000)), radio_info(RATE_HZ), 10_000))


def test_a_gap_shows_in_the_sound_and_what_follows_is_right():
    z = counts(fm(200_000))
    info = radio_info(RATE_HZ)
    block = FMDemodulate(station_hz=STATION_HZ, deemphasis_s=None)
    chunks = everything(block, [Chunk(z[:50_000], info, 0), Chunk(z[100_000:], info, 100_000)])
    indices, rows, _ = rows_by_index(chunks)
    assert indices[np.diff(indices).argmax() + 1] == pytest.approx(4800, abs=6)
    assert np.diff(indices).max() > 2390
    t = indices / 48000
    inner = (t > 0.102) & (t < 0.198)
    np.testing.assert_allclose(rows[inner, 0], sound(t[inner]), atol=0.02)


# -- the shift alone


def test_a_shift_brings_the_station_to_0_hz_and_says_so():
    z = 1000 * np.exp(2j * np.pi * 150e3 * np.arange(5000) / RATE_HZ)
    info = radio_info(RATE_HZ, frequency_shift_hz=0.0, usable_bandwidth_hz=0.5e6)
    (chunk,) = FrequencyShift(station_hz=STATION_HZ).feed(Chunk(counts(z), info, 10_000))
    assert chunk.data.dtype == np.complex64
    assert chunk.info.facts["center_frequency_hz"] == STATION_HZ
    assert "usable_bandwidth_hz" not in chunk.info.facts
    np.testing.assert_allclose(chunk.data, 1000 / 8192, atol=2e-4)
    shifted = radio_info(RATE_HZ, frequency_shift_hz=100e3)  # then 0 Hz is 100 kHz lower on the radio's scale
    (chunk,) = FrequencyShift(station_hz=STATION_HZ - 100e3).feed(Chunk(counts(z), shifted, 10_000))
    np.testing.assert_allclose(chunk.data, 1000 / 8192, atol=2e-4)


# -- any cut


@settings(max_examples=12)
@given(sizes, gaps, st.integers(0, 10**12))
def test_any_cut_gives_the_same_shifted_samples(sizes, gaps, start):
    assert_same_for_any_cut(
        lambda: FrequencyShift(station_hz=STATION_HZ), noise_counts(8000), radio_info(RATE_HZ), sizes, gaps, start, 1e-6
    )


@settings(max_examples=12)
@given(
    sizes,
    gaps,
    st.sampled_from(
        [
            (lambda: FMDemodulate(station_hz=STATION_HZ), fm, 2e-4),
            (lambda: AMDemodulate(station_hz=STATION_HZ, bandwidth_hz=50e3), am, 1e-5),
        ]
    ),
    st.integers(0, 5000),
)
def test_any_cut_gives_the_same_sound(sizes, gaps, case, start):
    make, modulated, tolerance = case
    assert_same_for_any_cut(
        make, counts(modulated(16_000)), radio_info(RATE_HZ), sizes, gaps, start, tolerance, time_slack_ns=1001
    )


@settings(max_examples=12)
@given(sizes)
def test_any_cut_gives_the_same_from_the_pure_parts(sizes):
    rng = np.random.default_rng(0)
    z = (rng.standard_normal(9000) + 1j * rng.standard_normal(9000)).astype(np.complex64)
    cases: list[tuple[Any, Any]] = [
        (lambda: FmDiscriminator(1e3, 1e4), z),
        (lambda: AmDetector(1e4), z),
        (lambda: Deemphasis(5e-5, 1e4), z.real.copy()),
    ]
    for make, x in cases:
        part, at, pieces, used = make(), 0, [], 0
        while at < len(x):
            size = sizes[used % len(sizes)]
            pieces.append(part.process(x[at : at + size]))
            at, used = at + size, used + 1
        np.testing.assert_allclose(np.concatenate(pieces), make().process(x), rtol=0, atol=1e-6)


# -- refusals


def test_a_channel_wider_than_the_band_is_refused():
    with pytest.raises(StreamMismatch, match="does not fit"):
        FMDemodulate().feed(Chunk(np.zeros(10, np.complex64), complex_info(100e3)))


@pytest.mark.parametrize(
    "wrong",
    [{"deviation_hz": 0}, {"bandwidth_hz": -1}, {"audio_rate_hz": 10}, {"volume": -1}, {"deemphasis_s": "50 us"}],
)
def test_what_cannot_be_is_refused_when_it_is_made(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        FMDemodulate(**wrong)


def test_what_is_no_iq_is_refused():
    wrong = StreamInfo(kind="iq", dtype=np.dtype("int16"), shape=(3,), sample_rate_hz=1e6)
    for block in (FMDemodulate(), AMDemodulate(), FrequencyShift(station_hz=0.0)):
        with pytest.raises(StreamMismatch, match="pairs"):
            block.feed(Chunk(np.zeros((1, 3), "int16"), wrong))


def test_a_rate_that_is_no_multiple_of_the_audios_still_gives_that_rate():
    z = scipy.signal.chirp(np.arange(50_000) / 999_983, 0, 0.05, 0) + 0j
    (first, *_) = everything(FMDemodulate(), [Chunk(z.astype(np.complex64), complex_info(999_983.0))])
    assert first.info.sample_rate_hz == 48000.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: FMDemodulate(station_hz=STATION_HZ),
        lambda: AMDemodulate(station_hz=STATION_HZ),
        lambda: FrequencyShift(station_hz=STATION_HZ),
    ],
)
def test_they_conform(make):
    z = counts(fm(20_000))
    info = radio_info(RATE_HZ)
    check_component(make, messages=[Chunk(z[a : a + 2000], info, a) for a in range(0, 20_000, 2000)])
