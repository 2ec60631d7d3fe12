"""Triggers: exactly what the rules say, however the signal is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.triggers import AnalogTrigger, DigitalTrigger, Front
from axonlike.errors import UsageError
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component

RATE_HZ = 1000.0
FRONTS: tuple[Front, ...] = ("+", "-")
MODES = ("no-debounce", "after-stable", "before-stable")


def info(channels=1, dtype="float64", kind="analog", **more):
    return StreamInfo(**{"kind": kind, "dtype": dtype, "shape": (channels,), "sample_rate_hz": RATE_HZ} | more)


def by_the_rules(x, threshold, front, mode, debounce, start=1):
    """The rules over the whole signal, one row after the other."""
    if front == "-":
        x, threshold = [-v for v in x], -threshold
    found = []
    for k in range(start, len(x)):
        if not x[k - 1] <= threshold < x[k]:
            continue
        if mode == "after-stable":
            known = k + debounce
            against = any(v < threshold for v in x[k : k + debounce])
        elif mode == "before-stable":
            known = k + 2 * debounce
            against = any(v > threshold for v in x[max(0, k - debounce) : k])
            against = against or any(v < threshold for v in x[k + debounce : k + 2 * debounce])
        else:
            known, against = k, False
        if not against and known < len(x):
            found.append(k)
    return found


def cut(x, sizes, about, index=0):
    start = 0
    while start < len(x):
        for size in sizes if any(sizes) else (*sizes, len(x)):
            yield Chunk(x[start : start + size], about, index + start)
            start = min(start + size, len(x))


def events_of(block, chunks):
    results = [result for chunk in chunks for result in block.feed(chunk)] + block.finish()
    assert all(len(result) for result in results)
    assert [r.index for r in results] == [0, *np.cumsum([len(r) for r in results])[:-1]][: len(results)]
    return np.concatenate([np.empty(0, EVENT), *(result.data for result in results)])


def bouncing(rows, seed):
    """Levels of which many are equal to the threshold 0, each held for some rows."""
    rng = np.random.default_rng(seed)
    levels = rng.choice([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0], rows)
    return np.repeat(levels, rng.integers(1, rng.integers(2, 12), rows))[:rows]


@pytest.mark.parametrize("front", ["+", "-"])
@pytest.mark.parametrize("mode", MODES)
def test_200_signals_give_exactly_what_the_rules_say(mode, front):
    seen = 0
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        x = bouncing(200, seed)
        debounce = int(rng.integers(0, 15))
        sizes = rng.choice([0, 1, 2, 3, 7, 20, 50, 100, 200], 5).tolist()
        block = AnalogTrigger(front=front, debounce_mode=mode, debounce_s=debounce / RATE_HZ)
        events = events_of(block, cut(x[:, None], sizes, info()))
        wanted = by_the_rules(x.tolist(), 0.0, front, mode, debounce)
        assert events["sample"].tolist() == wanted, (seed, debounce, sizes)
        assert np.array_equal(events["value"], x[wanted])
        assert block.events == len(wanted)
        seen += len(wanted)
    assert seen > 500


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 5000), min_size=1, max_size=8),
    st.sampled_from(MODES),
    st.sampled_from("+-"),
    st.integers(0, 400),
)
def test_chunks_of_any_size_change_nothing(seed, sizes, mode, front, debounce):
    x = bouncing(3000, seed)
    block = AnalogTrigger(front=front, debounce_mode=mode, debounce_s=debounce / RATE_HZ)
    events = events_of(block, cut(x[:, None], sizes, info(), index=70))
    wanted = by_the_rules(x.tolist(), 0.0, front, mode, debounce)
    assert (events["sample"] - 70).tolist() == wanted


def bursts():
    """20 s, up for 0.4 s after each second, and bouncing twice after every third."""
    t = np.arange(20_000)
    x = np.random.default_rng(0).random((20_000, 2)) * 0.3
    x[:, 0] = 0
    for second in range(1, 20):
        begin = 1000 * second
        x[(t > begin) & (t < begin + 400), 0] = 2
        if second % 3 == 0:
            x[(t > begin + 10) & (t < begin + 15), 0] = 0
            x[(t > begin + 20) & (t < begin + 25), 0] = 0
    return x.astype("float32")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("no-debounce", [1001, 2001, 3001, 3015, 3025, 4001]),
        ("after-stable", [1001, 2001, 3025, 4001]),
        ("before-stable", [1001, 2001, 3001, 4001]),
    ],
)
def test_it_finds_what_pyacq_expects(mode, expected):
    block = AnalogTrigger(threshold=1.0, debounce_mode=mode, debounce_s=0.1)
    events = events_of(block, cut(bursts()[:5000], [100], info(2, "float32")))
    assert events["sample"].tolist() == expected
    assert set(events["channel"]) == {0}
    assert set(events["value"]) == {2.0}


@pytest.mark.parametrize("mode", MODES)
def test_an_event_in_the_first_chunk_is_found(mode):
    x = np.zeros((100, 1))
    x[20:] = 1.0
    block = AnalogTrigger(threshold=0.5, debounce_mode=mode, debounce_s=0.01)
    assert [r.data["sample"].tolist() for r in block.feed(Chunk(x, info()))] == [[20]]


def test_the_first_row_is_no_event_nor_is_the_first_behind_a_gap():
    block = AnalogTrigger(threshold=0.5)
    x = np.ones((10, 1))
    assert block.feed(Chunk(x, info())) == []
    assert block.feed(Chunk(x * 0, info(), 10)) == []
    assert block.feed(Chunk(x, info(), 25)) == []
    assert block.feed(Chunk(x * 0, info(), 35)) == []
    assert block.feed(Chunk(x, info(), 45))[0].data["sample"].tolist() == [45]


def test_candidates_that_a_gap_cuts_off_are_counted_and_events_go_on_counting():
    x = np.array([0, 0, 1, 1, 1.0])[:, None]
    block = AnalogTrigger(threshold=0.5, debounce_mode="after-stable", debounce_s=0.003)
    assert block.feed(Chunk(x, info())) == []
    assert block.unconfirmed == 0
    assert block.feed(Chunk(x, info(), 100)) == []
    assert block.unconfirmed == 1
    [first] = block.feed(Chunk(x[2:], info(), 105))
    block.feed(Chunk(x, info(), 300))
    [second] = block.feed(Chunk(x[2:], info(), 305))
    assert (first.index, second.index) == (0, 1)
    assert second.data["sample"].tolist() == [302]
    assert block.finish() == []
    assert block.unconfirmed == 1


def test_a_debounce_longer_than_anything_that_was_kept_is_all_right():
    x = np.zeros((40_000, 1))
    x[5:] = 1.0
    block = AnalogTrigger(threshold=0.5, debounce_mode="before-stable", debounce_s=15.0)
    assert events_of(block, cut(x, [1000], info()))["sample"].tolist() == [5]
    assert (
        events_of(
            AnalogTrigger(threshold=0.5, debounce_mode="after-stable", debounce_s=50.0), cut(x, [1000], info())
        ).size
        == 0
    )


def test_the_threshold_is_in_the_streams_units_and_the_channel_may_be_a_name():
    raw = np.array([[0, 0], [0, 150], [0, 250], [0, 0]], "<i2")
    about = info(2, "<i2", scale=(1.0, 0.01), offset=-1.0, channel_names=("a", "b"))
    block = AnalogTrigger(channel="b", threshold=1.2)
    [events] = block.feed(Chunk(raw, about))
    assert events.data.tolist() == [(2, 1, 1.5)]


def test_events_say_what_they_are():
    [events] = AnalogTrigger(threshold=0.5).feed(Chunk(np.array([[0.0], [1.0]]), info(name="bench", dtype="float64")))
    assert events.info == StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=RATE_HZ, name="bench")


def test_a_value_that_is_no_number_is_neither_above_nor_below():
    x = np.array([0, np.nan, 1, 0, 1, np.nan, 1, 1])[:, None]
    found = events_of(AnalogTrigger(threshold=0.5), [Chunk(x, info())])
    assert found["sample"].tolist() == [4]
    stable = AnalogTrigger(threshold=0.5, debounce_mode="after-stable", debounce_s=0.003)
    assert events_of(stable, [Chunk(x, info())])["sample"].tolist() == [4]


# -- settings


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(MODES), st.sampled_from("+-"), st.integers(1, 1999), st.integers(1, 300))
def test_a_change_holds_from_the_next_row_on_and_what_was_found_before_is_decided_as_before(
    seed, mode, front, at, size
):
    x = bouncing(2000, seed)
    block = AnalogTrigger(debounce_mode="after-stable", debounce_s=0.02)
    found = [r for chunk in cut(x[:at, None], [size], info()) for r in block.feed(chunk)]
    block.change(front=front, debounce_mode=mode, threshold=0.25, debounce_s=0.007)
    found += [r for chunk in cut(x[at:, None], [size], info(), at) for r in block.feed(chunk)]
    samples = [k for r in found for k in r.data["sample"].tolist()]
    before = [k for k in by_the_rules(x.tolist(), 0.0, "+", "after-stable", 20) if k < at]
    # As if the stream had begun with the row before the change.
    after = [at - 1 + k for k in by_the_rules(x[at - 1 :].tolist(), 0.25, front, mode, 7)]
    known = {"no-debounce": 0, "after-stable": 7, "before-stable": 14}[mode]
    in_order = sorted([(k + 20, k) for k in before] + [(k + known, k) for k in after])
    assert samples == [k for _, k in in_order]


@pytest.mark.parametrize("size", [1, 40])
def test_around_a_change_events_come_in_the_order_in_which_they_are_certain(size):
    x = np.zeros((50, 2))
    x[5:, 0] = x[12:, 1] = 1.0
    block = AnalogTrigger(threshold=0.5, debounce_mode="after-stable", debounce_s=0.02)
    found = block.feed(Chunk(x[:10], info(2)))
    block.change(channel=1, debounce_mode="no-debounce")
    found += [r for chunk in cut(x[10:], [size], info(2), 10) for r in block.feed(chunk)]
    assert [k for r in found for k in r.data["sample"].tolist()] == [12, 5]


def test_another_channel_is_looked_at_from_the_next_row_on():
    x = np.zeros((20, 2))
    x[5:, 0] = x[10:, 1] = 1.0
    block = AnalogTrigger(threshold=0.5)
    found = block.feed(Chunk(x[:10], info(2)))
    block.change(channel=1)
    found += block.feed(Chunk(x[10:], info(2), 10))
    assert np.concatenate([r.data for r in found]).tolist() == [(5, 0, 1.0), (10, 1, 1.0)]
    assert [r.index for r in found] == [0, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"front": "up"},
        {"debounce_mode": "stable"},
        {"debounce_s": -1},
        {"debounce_s": "long"},
        {"threshold": float("nan")},
        {"threshold": None},
        {"channel": 2.5},
        {"channel": 7},
        {"channel": "c"},
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(wrong):
    block = AnalogTrigger(threshold=0.5, debounce_mode="before-stable", debounce_s=0.003)
    block.feed(Chunk(np.array([[0, 0], [1, 0], [0, 0.0]]), info(2)))
    with pytest.raises(UsageError):
        block.change(**{"threshold": 0.7, "front": "-", **wrong})
    assert (block.threshold, block.front, block.debounce_mode, block.debounce_s, block.channel) == (
        0.5, "+", "before-stable", 0.003, 0,
    )  # fmt: skip
    # It still knows that row 1 was above, so row 4 does not follow a quiet time.
    [events] = block.feed(Chunk(np.array([[0, 0], [1, 0.0], *[[1, 0.0]] * 9]), info(2), 3))
    assert events.data["sample"].tolist() == [1]
    with pytest.raises(UsageError):
        AnalogTrigger(**wrong).feed(Chunk(np.zeros((1, 2)), info(2)))


def test_streams_that_cannot_trigger_are_refused():
    with pytest.raises(StreamMismatch, match="sample rate"):
        AnalogTrigger().feed(Chunk(np.zeros((1, 1)), info(sample_rate_hz=0)))
    with pytest.raises(StreamMismatch, match="kind digital, wanted analog"):
        AnalogTrigger().feed(Chunk(np.zeros((1, 1), "u1"), info(1, "u1", "digital")))
    with pytest.raises(StreamMismatch, match="bits of integers"):
        DigitalTrigger().feed(Chunk(np.zeros((1, 1)), info(1, "float64", "digital")))
    with pytest.raises(UsageError, match="no line 16 in a stream of 16"):
        DigitalTrigger(channel=16).feed(Chunk(np.zeros((1, 2), "u1"), info(2, "u1", "digital")))


# -- DigitalTrigger


@pytest.mark.parametrize(("dtype", "columns"), [("u1", 3), (">u2", 2), ("<i4", 1), ("i1", 2), ("?", 12)])
def test_every_line_triggers_by_its_own_bit(dtype, columns):
    dtype = np.dtype(dtype)
    bits = 1 if dtype.kind == "b" else 8 * dtype.itemsize
    for line in range(columns * bits):
        lines = np.random.default_rng(line).integers(0, 2, (60, columns * bits), dtype=np.uint64)
        packed = (lines.reshape(60, columns, bits) << np.arange(bits, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
        data = packed.astype(bool if bits == 1 else f"u{bits // 8}").view(dtype.newbyteorder("=")).astype(dtype)
        for front in FRONTS:
            block = DigitalTrigger(channel=line, front=front)
            events = events_of(block, cut(data, [7, 0, 1], info(columns, dtype, "digital")))
            wanted = by_the_rules(lines[:, line].astype(float).tolist(), 0.5, front, "no-debounce", 0)
            assert events["sample"].tolist() == wanted
            assert set(events["channel"]) <= {line}
            assert set(events["value"]) <= {1.0 if front == "+" else 0.0}


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.sampled_from(MODES),
    st.sampled_from("+-"),
)
def test_lines_are_debounced_like_levels(seed, sizes, mode, front):
    level = bouncing(5000, seed) > 0
    data = (level.astype("u1") << 5)[:, None]
    block = DigitalTrigger(channel=5, front=front, debounce_mode=mode, debounce_s=0.004)
    events = events_of(block, cut(data, sizes, info(1, "u1", "digital")))
    assert events["sample"].tolist() == by_the_rules(level.astype(float).tolist(), 0.5, front, mode, 4)


def test_they_conform():
    check_component(
        lambda: AnalogTrigger(threshold=1.0), messages=list(cut(bursts()[:3000], [100], info(2, "float32")))
    )
    lines = (bursts()[:3000, :1] > 1).astype("u1")
    check_component(lambda: DigitalTrigger(), messages=list(cut(lines, [100], info(1, "u1", "digital"))))
