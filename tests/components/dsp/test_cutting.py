"""However a stream is cut into chunks, every block gives the same: thousands of rows at once, one by one, or none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import axonlike.components.dsp
from axonlike import Component, Pipeline
from axonlike.components.dsp import (
    FFT,
    AMDemodulate,
    AnalogTrigger,
    Average,
    Block,
    Calibrate,
    ChannelSelect,
    ChannelSplit,
    Convert,
    Decimate,
    DigitalTrigger,
    Epoch,
    EventEpochs,
    FMDemodulate,
    FrequencyShift,
    MaxHold,
    MinHold,
    Notch,
    OverlapFiltfilt,
    Rechunk,
    Rereference,
    Resample,
    Ring,
    SosFilter,
    StreamMonitor,
    SweepStitch,
    ThresholdSpikes,
    TimeFreq,
)
from axonlike.streams import EVENT, Chunk, StreamInfo
from axonlike.testing import Feeder, Probe, run_virtual
from tests.components.dsp.radio import (
    CENTER_HZ,
    START_NS,
    analog_info,
    complex_info,
    noise_counts,
    radio_info,
    spectrum_info,
)

RATE_HZ = 1000.0
START = 1234
"""The index of each stream's first row: no multiple of anybody's frame."""

Segment = tuple[int, npt.NDArray[Any], StreamInfo]
"""Rows of one description that follow each other: the index of the first one, the rows, what they are."""


def _random(rows: int, channels: int = 2, dtype: str = "float64") -> npt.NDArray[Any]:
    return np.random.default_rng(0).standard_normal((rows, channels)).astype(dtype)


def _analog(rows: int, channels: int = 2, dtype: str = "float64", **more: Any) -> list[Segment]:
    """With a gap, so that each block begins anew in mid-stream."""
    x, info = _random(rows, channels, dtype), analog_info(channels, dtype=dtype, **more)
    half = rows // 2 + 7
    return [(START, x[:half], info), (START + half + 333, x[half:], info)]


def _radio(rows: int, sample_rate_hz: float = 1e6, **facts: Any) -> list[Segment]:
    x, info = noise_counts(rows), radio_info(sample_rate_hz, **facts)
    half = rows // 2 + 7
    return [(START, x[:half], info), (START + half + 333, x[half:], info)]


def _complex(rows: int) -> list[Segment]:
    info = complex_info(1e6, center_frequency_hz=CENTER_HZ, frequency_shift_hz=0.0)
    return [(START, np.ascontiguousarray(_random(rows, dtype="float32")).view("complex64")[:, 0], info)]


def _integers(rows: int, dtype: str) -> list[Segment]:
    x = np.random.default_rng(0).integers(0, 200, (rows, 2)).astype(dtype)
    return [(START, x, analog_info(2, dtype=dtype, scale=0.3, offset=7.0))]


def _spectra(rows: int, **more: Any) -> list[Segment]:
    x = np.random.default_rng(0).exponential(1e-6, (rows, 4)).astype("float32")
    half = rows // 2 + 7
    return [(START, x[:half], spectrum_info(4, **more)), (START + half + 50, x[half:], spectrum_info(4, **more))]


def _sweep() -> list[Segment]:
    """Three tunings, again and again, each with another number of frames; the last but one pass lacks a step."""
    steps, index = [], START
    random = np.random.default_rng(0)
    for number in range(40):
        center_hz = (140.0, 180.0, 220.0)[number % 3]
        frames = int(random.integers(1, 60)) if number != 36 else 1
        info = spectrum_info(64, start_hz=center_hz - 32, center_frequency_hz=center_hz, usable_bandwidth_hz=50.0)
        steps.append((index, random.random((frames, 64)).astype("float32"), info))
        index += frames
    return steps


def _levels(rows: int) -> list[Segment]:
    random = np.random.default_rng(3)
    levels = np.repeat(random.choice([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0], rows), random.integers(1, 12, rows))[:rows]
    half = rows // 2 + 7
    info = analog_info(1)
    return [(START, levels[:half, None], info), (START + half + 33, levels[half:, None], info)]


def _lines(rows: int) -> list[Segment]:
    info = StreamInfo(kind="digital", dtype="u1", shape=(1,), sample_rate_hz=RATE_HZ, name="lines")
    return [(index, (x > 0).astype("u1") << 5, info) for index, x, _ in _levels(rows)]


BAND = scipy.signal.butter(7, [40, 60], "bandpass", output="sos", fs=RATE_HZ)
EXACT = 0.0
EVENTS = Chunk(
    np.array([(sample, 0, 1.0) for sample in (START, 1500, 1501, 3000, 4300, 4600, 7000)], EVENT),
    StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=RATE_HZ),
)


@dataclass(frozen=True)
class Case:
    """A component, the stream that it gets, and how far two results may be apart, relative to the largest value.

    apart: 0 but for blocks whose sums depend, in the last bit of their floating point numbers, on how long a chunk is.
    """

    make: Callable[[], Any]
    stream: Callable[[], list[Segment]]
    apart: float = EXACT
    time_apart_ns: int = 2


CASES: dict[str, Case] = {
    "AMDemodulate": Case(
        lambda: AMDemodulate(station_hz=CENTER_HZ + 150e3, bandwidth_hz=50e3), lambda: _radio(8000), 1e-5, 1001
    ),
    "AnalogTrigger, no debounce": Case(AnalogTrigger, lambda: _levels(6000)),
    "AnalogTrigger, after stable": Case(
        lambda: AnalogTrigger(debounce_mode="after-stable", debounce_s=0.004), lambda: _levels(6000)
    ),
    "AnalogTrigger, before stable": Case(
        lambda: AnalogTrigger(debounce_mode="before-stable", debounce_s=0.006, front="-"), lambda: _levels(6000)
    ),
    "Average of blocks": Case(lambda: Average(frames=7), lambda: _spectra(1000)),
    "Average, exponential, of dB": Case(
        lambda: Average(frames=7, mode="exponential", scale="dB"), lambda: _spectra(1000)
    ),
    "Calibrate": Case(Calibrate, lambda: _spectra(6000, reference_level_dbm=-5.0)),
    "ChannelSelect": Case(lambda: ChannelSelect(channels=[2, 0]), lambda: _analog(6000, 3)),
    "ChannelSplit": Case(lambda: ChannelSplit({"left": [0], "right": [1, 2]}), lambda: _analog(6000, 3)),
    "Convert to engineering": Case(lambda: Convert(to="engineering"), lambda: _integers(6000, ">i2")),
    "Convert to raw": Case(
        lambda: Convert(to="raw", dtype="i2", scale=0.01), lambda: _analog(6000, dtype="float32", units="uV")
    ),
    "Decimate": Case(lambda: Decimate(factor=5), lambda: _analog(6000), 1e-14),
    "Decimate of IQ": Case(lambda: Decimate(factor=37), lambda: _radio(8000), 1e-6),
    "DigitalTrigger": Case(
        lambda: DigitalTrigger(channel=5, debounce_mode="after-stable", debounce_s=0.004), lambda: _lines(6000)
    ),
    "EventEpochs": Case(lambda: EventEpochs(window_s=(-0.2, 0.5)), lambda: _analog(6000)),
    "FFT of IQ": Case(lambda: FFT(points=64), lambda: _radio(6000), 1e-6),
    "FFT of IQ that overlap": Case(
        lambda: FFT(points=1000, overlap=300, band="usable"), lambda: _radio(9000, usable_bandwidth_hz=7e5), 1e-6
    ),
    "FFT of channels": Case(lambda: FFT(points=500, overlap=100), lambda: _analog(6000), 1e-6),
    "FMDemodulate": Case(lambda: FMDemodulate(station_hz=CENTER_HZ + 150e3), lambda: _radio(8000), 2e-4, 1001),
    "FrequencyShift": Case(lambda: FrequencyShift(station_hz=CENTER_HZ + 150e3), lambda: _radio(6000), 1e-6),
    "FrequencyShift of complex samples": Case(
        lambda: FrequencyShift(station_hz=CENTER_HZ + 150e3), lambda: _complex(6000), 1e-6
    ),
    "MaxHold": Case(MaxHold, lambda: _spectra(1000)),
    "MinHold": Case(MinHold, lambda: _spectra(1000)),
    "Notch": Case(lambda: Notch(frequency_hz=50.0), lambda: _analog(6000)),
    "OverlapFiltfilt": Case(
        lambda: OverlapFiltfilt(sos=BAND, overlap_rows=200, block_rows=100), lambda: _analog(4000)
    ),
    "OverlapFiltfilt without overlap": Case(
        lambda: OverlapFiltfilt(sos=BAND, overlap_rows=0, block_rows=100), lambda: _analog(4000)
    ),
    "Rechunk": Case(lambda: Rechunk(rows=77), lambda: _analog(6000)),
    "Rereference": Case(lambda: Rereference(reference="average"), lambda: _analog(6000, 3)),
    "Resample": Case(lambda: Resample(up=3, down=7), lambda: _analog(6000), 1e-14),
    "Resample of complex samples": Case(lambda: Resample(sample_rate_hz=160e3), lambda: _complex(6000), 1e-6),
    "Ring": Case(lambda: Ring(rows=3000), lambda: _analog(6000)),
    "SosFilter": Case(lambda: SosFilter(sos=BAND), lambda: _analog(6000)),
    "SosFilter of float32": Case(lambda: SosFilter(sos=BAND), lambda: _analog(6000, dtype="float32")),
    "StreamMonitor": Case(StreamMonitor, lambda: _analog(6000)),
    "SweepStitch": Case(lambda: SweepStitch(start_hz=120.0, stop_hz=240.0, frames_per_step=2, holes="nan"), _sweep),
    "ThresholdSpikes": Case(
        lambda: ThresholdSpikes(threshold_sd=2.0, learn_s=0.3, peak_s=0.010, dead_s=0.005, waveform_s=(-0.01, 0.02)),
        lambda: _analog(6000),
    ),
    "TimeFreq": Case(lambda: TimeFreq(frequencies_hz=(8.0, 40.0, 8.0), rows_per_s=100.0), lambda: _analog(4000)),
}  # fmt: skip


def test_every_block_that_there_is_is_cut_here() -> None:
    there = {getattr(axonlike.components.dsp, name) for name in axonlike.components.dsp.__all__}
    components = {found for found in there if isinstance(found, type) and issubclass(found, Component)} - {Block}
    assert {type(case.make()) for case in CASES.values()} == components


# A piece is one chunk of up to 5000 rows, or up to 30 that have 0, 1, 2 or 3 rows each.
_large = st.tuples(st.integers(4, 5000), st.just(1))
_small = st.tuples(st.integers(0, 3), st.integers(1, 30))
cuttings = st.lists(st.one_of(_large, _small), max_size=8).map(
    lambda pieces: [size for size, count in pieces for _ in range(count)]
)


def _cut(stream: list[Segment], sizes: Sequence[int]) -> list[Chunk]:
    """The stream in chunks of these sizes, one after the other; the rest of each segment in one."""
    left = iter(sizes)
    chunks = []
    for index, rows, info in stream:
        at = 0
        while at < len(rows):
            size = next(left, len(rows))
            time_ns = START_NS + round((index + at - START) * 1e9 / info.sample_rate_hz)
            chunks.append(Chunk(rows[at : at + size], info, index + at, time_ns))
            at += size
    return chunks


def _outcome(component: Any, chunks: list[Chunk]) -> list[tuple[str, Chunk]]:
    """Everything that it makes of them, each chunk with the name of its box."""
    if isinstance(component, ChannelSplit):
        return [found for chunk in chunks for found in component.feed(chunk).items()]
    if isinstance(component, Ring):
        for chunk in chunks:
            component.feed(chunk)
        return [("window", component.window())]
    if isinstance(component, Block):
        return [("outbox", found) for chunk in chunks for found in component.feed(chunk)] + [
            ("outbox", found) for found in component.finish()
        ]
    raise TypeError(component)


def _rows(found: list[tuple[str, Chunk]]) -> dict[Any, tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
    """For each box and description: the indices of all rows, the rows, and their times (0: unknown)."""
    sorted_: dict[Any, list[Chunk]] = {}
    words: dict[int, str] = {}  # thousands of chunks share a description
    for box, chunk in found:
        if len(chunk):
            said = words.get(id(chunk.info))
            if said is None:
                said = words[id(chunk.info)] = repr(chunk.info)
            sorted_.setdefault((box, said), []).append(chunk)
    return {
        key: (
            np.concatenate([np.arange(chunk.index, chunk.end) for chunk in chunks]),
            np.concatenate([chunk.data for chunk in chunks]),
            np.concatenate([_times_ns(chunk) for chunk in chunks]),
        )
        for key, chunks in sorted_.items()
    }


def _times_ns(chunk: Chunk) -> npt.NDArray[np.int64]:
    """`chunk.time_ns_of` of each row, 0 if unknown; tests/streams/test_chunk.py has those of single rows."""
    rate_hz = chunk.info.sample_rate_hz
    if chunk.time_ns is None or not rate_hz:
        known_ns = np.zeros(len(chunk), np.int64)
        known_ns[:1] = chunk.time_ns or 0
        return known_ns
    times_ns: npt.NDArray[np.int64] = np.rint(np.arange(len(chunk)) * 1e9 / rate_hz).astype(np.int64)
    times_ns += chunk.time_ns
    return times_ns


@functools.cache
def _uncut(name: str) -> Any:
    case = CASES[name]
    return _rows(_outcome(case.make(), _cut(case.stream(), [])))


@functools.cache
def _stream(name: str) -> list[Segment]:
    return CASES[name].stream()


def _check(name: str, sizes: Sequence[int]) -> None:
    case = CASES[name]
    wanted = _uncut(name)
    got = _rows(_outcome(case.make(), _cut(_stream(name), sizes)))
    assert got.keys() == wanted.keys()
    for key, (indices, rows, times) in wanted.items():
        got_indices, got_rows, got_times = got[key]
        np.testing.assert_array_equal(got_indices, indices)
        assert got_rows.dtype == rows.dtype
        if case.apart:
            np.testing.assert_allclose(got_rows, rows, rtol=0, atol=case.apart * np.abs(rows).max())
        for field in rows.dtype.names or [...] if not case.apart else []:
            np.testing.assert_array_equal(got_rows[field], rows[field])
        assert np.abs(got_times - times).max() <= case.time_apart_ns


BLOCKS = [name for name in CASES if name not in ("EventEpochs", "StreamMonitor")]
BY_FEW = [[1], [0, 1], [3, 0, 2]]
# The longest of the streams have their gap among the last ones of these, and most blocks' frames end among the first.
BY_FEW_IN_TURN = [1] * 150 + [0, 1] * 100 + [2500] + [3, 0, 2] * 420


@pytest.mark.parametrize("name", BLOCKS)
@settings(max_examples=12)  # of each of 35 blocks
@given(cuttings)
def test_any_cut_gives_the_same(name: str, sizes: list[int]) -> None:
    _check(name, sizes)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_few_rows_at_a_time_give_the_same(name: str) -> None:
    _check(name, BY_FEW_IN_TURN)


def _epochs(sizes: Sequence[int]) -> list[Epoch]:
    """Events come when half of the rows are there."""
    block: EventEpochs = CASES["EventEpochs"].make()
    chunks = _cut(_stream("EventEpochs"), sizes)
    half = len(chunks) // 2
    found = [epoch for chunk in chunks[:half] for epoch in block.feed(chunk)] + block.feed_events(EVENTS)
    return found + [epoch for chunk in chunks[half:] for epoch in block.feed(chunk)] + block.finish()


def _check_epochs(sizes: Sequence[int]) -> None:
    def in_order(epochs: list[Epoch]) -> list[Epoch]:
        return sorted(epochs, key=lambda epoch: int(epoch.event["sample"]))

    wanted, got = in_order(_epochs([])), in_order(_epochs(sizes))
    assert len(got) == len(wanted) == len(EVENTS)
    for epoch, other in zip(got, wanted):
        assert (epoch.event, epoch.missing) == (other.event, other.missing)
        np.testing.assert_array_equal(epoch.data, other.data)


@given(cuttings)
def test_any_cut_gives_the_same_epochs(sizes: list[int]) -> None:
    _check_epochs(sizes)


@pytest.mark.parametrize("sizes", BY_FEW)
def test_a_few_rows_at_a_time_give_the_same_epochs(sizes: list[int]) -> None:
    _check_epochs(sizes * 1000)


@pytest.mark.parametrize("sizes", BY_FEW)
def test_a_monitor_counts_the_same_rows_and_gaps(sizes: list[int]) -> None:
    def counted(sizes: Sequence[int]) -> tuple[int, int, int, int]:
        probe = Probe()
        chunks = _cut(_stream("StreamMonitor"), sizes)
        run_virtual(Pipeline(Feeder(chunks), StreamMonitor(quiet=True, interval_s=1e6), probe))
        (report,) = probe.messages
        return report.index, report.rows, report.lost, report.gaps

    assert counted(sizes * 100) == counted([]) == (START + 6333, 6000, 333, 1)
