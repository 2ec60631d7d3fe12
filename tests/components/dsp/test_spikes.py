"""ThresholdSpikes: what stands out of the noise is found at its peak, with its waveform, however the signal is cut."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.spikes import MAD_TO_SD, ThresholdSpikes
from axonlike.errors import UsageError
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component

RATE_HZ = 10_000.0
SHAPE = np.array([0.2, 0.7, 1.0, 0.5, -0.3, -0.2, -0.1])


def info(channels=2, dtype="float64", **more):
    return StreamInfo(**{"kind": "analog", "dtype": dtype, "shape": (channels,), "sample_rate_hz": RATE_HZ} | more)


def cut(x, sizes, index=0, about=None):
    start = 0
    while start < len(x):
        for size in sizes if any(sizes) else (*sizes, len(x)):
            yield Chunk(x[start : start + size], about or info(x.shape[1], x.dtype), index + start)
            start = min(start + size, len(x))


def there(value):
    """A value that is there; the type checker does not know."""
    assert value is not None
    return value


def events_of(block, chunks):
    results = [result for chunk in chunks for result in block.feed(chunk)] + block.finish()
    assert [r.index for r in results] == [0, *np.cumsum([len(r) for r in results])[:-1]][: len(results)]
    return np.concatenate([result.data for result in results]) if results else np.empty(0, EVENT)


def recording(sign=-1.0, rows=20_000, seed=0):
    """Two channels of noise, with spikes at known peaks: (sample, channel), in order."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 2)) * [1.0, 3.0] + [0.0, 40.0]
    peaks = sorted((int(s), int(c)) for s, c in zip(np.arange(50, rows - 50, 137), rng.integers(0, 2, rows)))
    for sample, channel in peaks:
        x[sample - 2 : sample + 5, channel] += sign * 15 * (1.0, 3.0)[channel] * SHAPE
    return x, peaks


def by_the_rules(x, *, sd=5.0, sign=-1.0, learn=10_000, peak=10, dead=10):
    """All peaks, (passage, channel, peak), by plain loops."""
    found = []
    for channel in range(x.shape[1]):
        median = np.median(x[:learn, channel])
        height = sign * (x[:, channel] - median)
        threshold = sd * MAD_TO_SD * np.median(np.abs(height[:learn]))
        last = -(10**9)
        for k in range(1, len(x)):
            if height[k] > threshold and height[k - 1] <= threshold and k >= last + dead:
                last = k + int(np.argmax(height[k : k + peak]))
                found.append((k, channel, last))
    return sorted(found)


@pytest.mark.parametrize(("front", "sign"), [("-", -1.0), ("+", 1.0)])
def test_spikes_in_noise_are_found_at_their_peaks(front, sign):
    x, peaks = recording(sign)
    events = events_of(ThresholdSpikes(front=front, threshold_sd=6.0), cut(x, [500]))
    found = list(zip(events["sample"].tolist(), events["channel"].tolist()))
    assert found == peaks
    assert events["value"].tolist() == [x[sample, channel] for sample, channel in peaks]
    for event in events:
        sample, channel = event["sample"], event["channel"]
        assert np.array_equal(event["waveform"], x[sample - 5 : sample + 10, channel].astype("float32"))


SHORT, _ = recording(rows=6000)


@functools.cache
def passages(sd, peak, dead):
    return by_the_rules(SHORT, sd=sd, learn=3000, peak=peak, dead=dead)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.sampled_from([2.0, 3.0, 5.0]),
    st.sampled_from([(1, 10), (10, 1), (5, 30)]),
    st.sampled_from([(-0.0005, 0.001), (-0.002, -0.001), (0.001, 0.002), None]),
)
def test_chunks_of_any_size_change_nothing(sizes, sd, peak_dead, waveform_s):
    x, wanted = SHORT, passages(sd, *peak_dead)
    peak, dead = peak_dead
    block = ThresholdSpikes(
        threshold_sd=sd, learn_s=0.3, peak_s=peak / RATE_HZ, dead_s=dead / RATE_HZ, waveform_s=waveform_s
    )
    events = events_of(block, cut(x, sizes, index=90))
    assert (events["sample"] - 90).tolist() == [p for _, _, p in wanted]
    assert events["channel"].tolist() == [c for _, c, _ in wanted]
    if waveform_s is not None:
        n0, n1 = (round(s * RATE_HZ) for s in waveform_s)
        padded = np.concatenate([np.full((100, 2), np.nan), x, np.full((100, 2), np.nan)]).astype("float32")
        for event, (_, channel, p) in zip(events, wanted):
            assert np.array_equal(event["waveform"], padded[100 + p + n0 : 100 + p + n1, channel], equal_nan=True)


def test_the_threshold_is_robust_against_the_spikes_themselves():
    x, _ = recording(rows=20_000)
    block = ThresholdSpikes(threshold_sd=4.0)
    assert block.thresholds is None
    block.feed(Chunk(x[:9_999], info()))
    assert block.thresholds is None
    block.feed(Chunk(x[9_999:], info(), 9_999))
    assert block.thresholds == pytest.approx([-4.0, 40.0 - 12.0], rel=0.06)
    median = np.median(x[:10_000], axis=0)
    noise = 1.4826 * np.median(np.abs(x[:10_000] - median), axis=0)
    assert np.array_equal(there(block.thresholds), median - 4.0 * noise)


def test_thresholds_hold_over_a_gap_and_no_spike_is_seen_across_it():
    x, _ = recording(rows=12_000)
    quiet = np.random.default_rng(1).standard_normal((200, 2)) * [1.0, 3.0] + [0.0, 40.0]
    block = ThresholdSpikes(threshold_sd=6.0)
    block.feed(Chunk(x, info()))
    thresholds = there(block.thresholds)
    quiet[0] = -100.0  # beyond the threshold, but nobody knows what came before
    quiet[100, 0] = -50.0
    results = block.feed(Chunk(quiet, info(), 50_000)) + block.finish()
    later = [event for r in results for event in r.data.tolist() if event[0] >= 50_000]
    assert [event[:2] for event in later] == [(50_100, 0)]
    assert np.array_equal(there(block.thresholds), thresholds)


def test_a_stream_shorter_than_the_learning_is_judged_by_itself():
    x, peaks = recording(rows=5000)
    events = events_of(ThresholdSpikes(threshold_sd=6.0), cut(x, [77]))
    assert list(zip(events["sample"].tolist(), events["channel"].tolist())) == peaks


def test_waveforms_at_the_ends_are_nan_where_there_is_nothing():
    x, _ = recording(rows=5000)
    x[1, 0] = x[4997, 0] = -60.0
    events = events_of(ThresholdSpikes(threshold_sd=6.0), cut(x, [77]))
    first, last = events[0]["waveform"], events[-1]["waveform"]
    assert (events[0]["sample"], events[-1]["sample"]) == (1, 4997)
    assert np.isnan(first).tolist() == [True] * 4 + [False] * 11
    assert np.isnan(last).tolist() == [False] * 8 + [True] * 7


def test_a_channel_without_noise_or_without_values_has_no_spikes():
    x, _ = recording(rows=12_000)
    x[:, 0] = 7.0
    x[11_000, 0] = -90.0
    x[:, 1] = np.nan
    block = ThresholdSpikes()
    assert events_of(block, cut(x, [1000])).size == 0
    assert np.isnan(there(block.thresholds)).all()


def test_raw_integers_are_judged_in_their_units():
    x, peaks = recording()
    raw = np.round(x * 100).astype("<i2")
    events = events_of(ThresholdSpikes(threshold_sd=6.0), cut(raw, [512], about=info(2, "<i2", scale=0.01, units="uV")))
    assert list(zip(events["sample"].tolist(), events["channel"].tolist())) == peaks
    assert np.abs(events["value"] - [x[p] for p in peaks]).max() <= 0.0051


def test_events_say_what_they_are():
    x, _ = recording()
    [*_, last] = ThresholdSpikes().feed(Chunk(x, info(name="tetrode", units="uV")))
    assert last.info == StreamInfo(
        kind="events", dtype=np.dtype([*EVENT.descr, ("waveform", "<f4", (15,))]), sample_rate_hz=RATE_HZ,
        name="tetrode", units="uV", facts={"waveform_start_s": -0.0005},
    )  # fmt: skip
    plain = ThresholdSpikes(waveform_s=None).feed(Chunk(x, info()))
    assert plain[0].info.dtype == EVENT


def test_settings_hold_from_the_next_row_on():
    x, peaks = recording(rows=20_000)
    block = ThresholdSpikes(threshold_sd=6.0)
    results = block.feed(Chunk(x[:15_000], info()))
    block.change(threshold_sd=1000.0)
    results += block.feed(Chunk(x[15_000:17_000], info(), 15_000))
    block.change(threshold_sd=6.0)
    results += block.feed(Chunk(x[17_000:], info(), 17_000)) + block.finish()
    found = [event[:2] for r in results for event in r.data.tolist()]
    assert found == [(s, c) for s, c in peaks if not 15_000 <= s - 2 < 17_000]


def test_the_noise_is_learned_anew_when_asked_for():
    x, _ = recording(rows=20_000)
    for again in (lambda block: block.change(learn_s=0.5), ThresholdSpikes.relearn):
        block = ThresholdSpikes(learn_s=0.25 if again is not ThresholdSpikes.relearn else 0.5)
        block.feed(Chunk(x[:10_000], info()))
        before = there(block.thresholds)
        again(block)
        block.feed(Chunk(10 * x[10_000:], info(), 10_000))
        fresh = ThresholdSpikes(learn_s=0.5)
        fresh.feed(Chunk(10 * x[10_000:], info()))
        assert np.array_equal(there(block.thresholds), there(fresh.thresholds))
        assert not np.array_equal(there(block.thresholds), before)


@pytest.mark.parametrize("wrong", [{"threshold_sd": 0}, {"front": "both"}, {"learn_s": 0}, {"learn_s": float("inf")}])
def test_a_setting_that_cannot_be_changes_nothing(wrong):
    block = ThresholdSpikes()
    with pytest.raises(UsageError):
        block.change(**wrong)
    assert (block.threshold_sd, block.front, block.learn_s) == (5.0, "-", 1.0)
    with pytest.raises(UsageError):
        ThresholdSpikes(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"peak_s": -1}, {"dead_s": float("nan")}, {"waveform_s": (1, 0)}, {"waveform_s": (0, 0.00001)}]
)
def test_times_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        ThresholdSpikes(**wrong).feed(Chunk(np.zeros((1, 2)), info()))


def test_other_streams_are_refused():
    with pytest.raises(StreamMismatch, match="sample rate"):
        ThresholdSpikes().feed(Chunk(np.zeros((1, 2)), info(sample_rate_hz=0)))
    with pytest.raises(StreamMismatch, match="wanted analog"):
        ThresholdSpikes().feed(Chunk(np.zeros((1, 2), "u1"), info(2, "u1", kind="digital")))


def test_it_conforms():
    x, _ = recording(rows=3000)
    check_component(lambda: ThresholdSpikes(learn_s=0.1), messages=list(cut(x, [300])))
