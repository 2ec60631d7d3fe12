"""plan_sweep and SweepStitch: bands that abut, and one spectrum of several, whatever is missing or in the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.calibrate import Calibrate
from axonlike.components.dsp.spectrum import FFT
from axonlike.components.dsp.sweep import SweepStitch, plan_sweep
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests.components.dsp.radio import START_NS, counts, everything, radio_info, spectrum_info

MHZ = 1e6


# -- the plan


def test_a_plans_bands_abut_cover_all_and_lie_in_what_is_usable():
    steps = plan_sweep(2400 * MHZ, 2700 * MHZ, usable_bandwidth_hz=90 * MHZ)
    assert [step.center_frequency_hz / MHZ for step in steps] == [2445, 2535, 2625, 2685]
    assert (steps[0].start_hz, steps[-1].stop_hz) == (2400 * MHZ, 2700 * MHZ)
    assert all(a.stop_hz == b.start_hz for a, b in zip(steps, steps[1:]))


@given(
    st.integers(0, 9_000_000_000),
    st.integers(1, 900_000_000),
    st.integers(100_000, 90_000_000),
    st.sampled_from([1.0, 10.0, 1000.0, 100_000.0]),
)
def test_any_plan_covers_all_without_a_hole(start_hz, width_hz, usable_hz, tuning_hz):
    if width_hz / usable_hz > 500:
        width_hz = 500 * usable_hz
    steps = plan_sweep(start_hz, start_hz + width_hz, usable_bandwidth_hz=usable_hz, tuning_step_hz=tuning_hz)
    assert steps[0].start_hz == start_hz
    assert steps[-1].stop_hz == start_hz + width_hz
    for step in steps:
        assert step.start_hz < step.stop_hz
        assert step.start_hz >= step.center_frequency_hz - usable_hz / 2 - 1e-3
        assert step.stop_hz <= step.center_frequency_hz + usable_hz / 2 + 1e-3
        assert step.center_frequency_hz / tuning_hz == pytest.approx(round(step.center_frequency_hz / tuning_hz))
    assert all(a.stop_hz == b.start_hz for a, b in zip(steps, steps[1:]))
    assert len(steps) <= width_hz / (usable_hz - tuning_hz + 1) + 2 or usable_hz < 2 * tuning_hz


@pytest.mark.parametrize(
    ("start_hz", "stop_hz", "more"),
    [
        (2, 1, {"usable_bandwidth_hz": 1e6}),
        (-1, 1, {"usable_bandwidth_hz": 1e6}),
        (1, 2, {"usable_bandwidth_hz": 1e3}),
        (1, 2, {"usable_bandwidth_hz": 1e6, "tuning_step_hz": 0}),
    ],
)
def test_a_sweep_that_cannot_be_planned_is_refused(start_hz, stop_hz, more):
    with pytest.raises(UsageError, match="plan_sweep"):
        plan_sweep(start_hz, stop_hz, **more)


# -- stitching

CENTERS = (140.0, 180.0, 220.0)  # of bands of 64 bins of 1 Hz, 40 of them usable: 120 to 240


def step_info(center_hz, **more):
    facts = {"usable_bandwidth_hz": 40.0, "center_frequency_hz": center_hz, **more}
    return spectrum_info(64, start_hz=center_hz - 32, step_hz=1.0, **facts)


def band(center_hz, add=0.0, frames=1):
    """Each bin's value is its frequency; what is not usable is wrong."""
    frequency = center_hz - 32 + np.arange(64)
    row = np.where(np.abs(frequency - center_hz) <= 20, frequency + add, -1.0)
    return np.tile(row, (frames, 1)).astype("float32")


class Feed:
    """Chunks of steps, with an index that goes on."""

    def __init__(self, block):
        self.block, self.index = block, 0

    def __call__(self, center_hz, add=0.0, frames=1, lost=0, **facts):
        self.index += lost
        chunk = Chunk(band(center_hz, add, frames), step_info(center_hz, **facts), self.index, START_NS + self.index)
        self.index = chunk.end
        return self.block.feed(chunk)


def stitch(**more):
    return Feed(SweepStitch(**{"start_hz": 120.0, "stop_hz": 240.0} | more))


def test_the_usable_bands_make_one_spectrum():
    feed = stitch()
    assert feed(140.0) == feed(180.0) == []
    (chunk,) = feed(220.0)
    np.testing.assert_array_equal(chunk.data[0], 120 + np.arange(120))
    axis = chunk.info.axis
    assert (axis.name, axis.units, axis.start, axis.step) == ("frequency", "Hz", 120.0, 1.0)
    assert chunk.info.facts["start_hz"] == 120.0
    assert "center_frequency_hz" not in chunk.info.facts
    assert (chunk.index, chunk.time_ns) == (0, START_NS)
    (second,) = [chunk for center in CENTERS for chunk in feed(center, 0.5)]
    np.testing.assert_array_equal(second.data[0], 120.5 + np.arange(120))
    assert second.index == 1
    assert second.info is chunk.info


def test_steps_may_come_in_any_order():
    feed = stitch()
    assert [len(feed(center)) for center in (220.0, 140.0, 180.0)] == [0, 0, 1]


def test_where_two_steps_meet_the_higher_counts():
    feed = stitch(stop_hz=200.0)
    feed(180.0, 5.0)
    (chunk,) = feed(140.0)
    np.testing.assert_array_equal(chunk.data[0], np.arange(120, 200) + np.where(np.arange(120, 200) >= 160, 5, 0))


def test_a_part_of_a_step_is_enough_where_no_more_was_asked_for():
    feed = stitch(start_hz=150.0, stop_hz=170.0)
    assert feed(140.0) == []
    (chunk,) = feed(180.0)
    np.testing.assert_array_equal(chunk.data[0], 150 + np.arange(20))


def test_frames_of_a_step_are_averaged_as_power_or_the_highest_is_taken():
    feed = stitch(stop_hz=160.0, frames_per_step=3)
    assert feed(140.0, frames=2) == []
    (chunk,) = feed(140.0, add=3.0)
    np.testing.assert_allclose(chunk.data[0], 121 + np.arange(40))
    feed = stitch(stop_hz=160.0, frames_per_step=2, combine="max")
    feed(140.0, add=3.0)
    (chunk,) = feed(140.0)
    np.testing.assert_array_equal(chunk.data[0], 123 + np.arange(40))


def test_levels_in_decibels_are_averaged_as_power():
    block = SweepStitch(start_hz=120.0, stop_hz=160.0, frames_per_step=2)
    info = step_info(140.0).replace(units="dBm")
    data = np.stack([np.full(64, -10.0), np.full(64, -20.0)]).astype("float32")
    (chunk,) = block.feed(Chunk(data, info))
    np.testing.assert_allclose(chunk.data, 10 * np.log10(0.055), atol=1e-5)
    assert chunk.info.units == "dBm"


def test_other_sweeps_are_thrown_away_and_counted():
    feed = stitch(sweep_id=7)
    results = [feed(center, sweep_id=sweep_id) for sweep_id in (6, 7) for center in CENTERS]
    assert [len(result) for result in results] == [0, 0, 0, 0, 0, 1]
    assert feed.block.other_sweeps == 3
    assert feed(140.0) == []
    assert feed.block.other_sweeps == 4


@pytest.mark.parametrize("holes", ["drop", "nan"])
def test_an_incomplete_pass_is_dropped_or_shows_its_holes_and_is_counted(holes):
    feed = stitch(holes=holes)
    feed(140.0)
    feed(220.0)
    results = feed(140.0, 1.0)
    assert feed.block.incomplete == 1
    if holes == "drop":
        assert results == []
    else:
        (chunk,) = results
        assert chunk.index == 0
        assert np.isnan(chunk.data[0, 42:79]).all()
        assert not np.isnan(np.delete(chunk.data[0], np.s_[42:79])).any()
    feed(180.0, 1.0)
    (whole,) = feed(220.0, 1.0)
    assert whole.index == 1
    np.testing.assert_array_equal(whole.data[0], 121 + np.arange(120))


def test_more_frames_of_a_step_than_needed_are_counted():
    feed = stitch()
    feed(140.0, frames=3)
    feed(180.0)
    feed(220.0)
    feed(500.0)
    assert feed.block.surplus == 3


def test_a_gap_within_a_step_loses_nothing_that_came():
    feed = stitch(stop_hz=160.0, frames_per_step=2)
    feed(140.0)
    assert len(feed(140.0, lost=5)) == 1


def test_another_bin_width_or_new_limits_begin_anew():
    feed = stitch()
    feed(140.0)
    feed.block.change(stop_hz=200.0)
    feed(140.0)
    assert len(feed(180.0)) == 1
    assert feed.block.incomplete == 1
    with pytest.raises(UsageError, match="stop_hz"):
        feed.block.change(stop_hz=100.0)
    assert feed.block.stop_hz == 200.0
    info = spectrum_info(64, start_hz=100.0, step_hz=2.0, center_frequency_hz=164.0)
    (chunk,) = feed.block.feed(Chunk(np.ones((1, 64), "float32"), info, feed.index))
    assert chunk.data.shape == (1, 40)


@settings(max_examples=12)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.data())
def test_any_cut_gives_the_same_passes(sizes, data):
    rng = np.random.default_rng(0)
    steps = [
        (center, rng.random((frames, 64)).astype("float32"))
        for center, frames in data.draw(
            st.lists(st.tuples(st.sampled_from(CENTERS), st.integers(0, 9)), min_size=3, max_size=15)
        )
    ]

    block, whole = run_in_pieces(steps, [9])
    other, pieces = run_in_pieces(steps, sizes)
    assert [c.index for c in pieces] == [c.index for c in whole]
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert (block.incomplete, block.surplus) == (other.incomplete, other.surplus)


def run_in_pieces(steps, sizes):
    block = SweepStitch(start_hz=120.0, stop_hz=240.0, frames_per_step=2, holes="nan")
    index, used, results = 0, 0, []
    for center, rows in steps:
        at = 0
        while True:
            piece = rows[at : at + sizes[used % len(sizes)]]
            used += 1
            results += block.feed(Chunk(piece, step_info(center), index, START_NS + index))
            index, at = index + len(piece), at + len(piece)
            if at >= len(rows):
                break
    return block, results


def test_a_sweep_from_iq_shows_every_station_at_its_frequency_and_level():
    points, rate_hz = 1024, 125e6
    steps = plan_sweep(2400 * MHZ, 2700 * MHZ, usable_bandwidth_hz=90 * MHZ)
    stations = {2410.3 * MHZ: 1000, 2490.0 * MHZ: 500, 2583.02 * MHZ: 2000, 2699.0 * MHZ: 250}
    fft, calibrate = FFT(points=points, band="usable"), Calibrate()
    sweep = SweepStitch(start_hz=2400 * MHZ, stop_hz=2700 * MHZ)
    results = []
    n = np.arange(points)
    for number, step in enumerate(steps):
        z = sum(
            amplitude * np.exp(2j * np.pi * (station_hz - step.center_frequency_hz) / rate_hz * n + 0.3j)
            for station_hz, amplitude in stations.items()
            if abs(station_hz - step.center_frequency_hz) < rate_hz / 2
        )
        info = radio_info(center_frequency_hz=step.center_frequency_hz, usable_bandwidth_hz=90 * MHZ, sweep_id=1)
        for spectra in fft.feed(Chunk(counts(z), info, number * points)):
            for level in calibrate.feed(spectra):
                results += sweep.feed(level)
    (chunk,) = results
    axis, level = chunk.info.axis, chunk.data[0]
    assert axis is not None
    assert len(level) == round(300 * MHZ / (rate_hz / points))
    for station_hz, amplitude in stations.items():
        place = round((station_hz - axis.start) / axis.step)
        near = slice(max(0, place - 2), place + 3)
        found = axis.start + (near.start + level[near].argmax()) * axis.step
        assert found == pytest.approx(station_hz, abs=axis.step * 1.01)
        expected_dbm = 20 * np.log10(amplitude / 8192) - 6.03 - 5 + 15.7678
        assert expected_dbm - 1.5 < level[near].max() < expected_dbm + 0.05


def test_what_is_no_spectrum_with_an_axis_is_refused():
    with pytest.raises(StreamMismatch, match="axis"):
        stitch().block.feed(Chunk(np.zeros((1, 8), "float32"), spectrum_info(8).replace(axis=None)))
    with pytest.raises(UsageError, match="start_hz"):
        SweepStitch(start_hz=2.0, stop_hz=1.0)


def test_it_conforms():
    messages = [
        Chunk(band(center), step_info(center), index) for index, center in enumerate(CENTERS * 3)
    ]  # fmt: skip
    check_component(lambda: SweepStitch(start_hz=120.0, stop_hz=240.0), messages=messages)
    assert len(everything(SweepStitch(start_hz=120.0, stop_hz=240.0), messages)) == 3
