"""EventEpochs: every event gets its rows, bit for bit, whichever comes first; what cannot be is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.component import Component
from axonlike.components.dsp.epochs import Epoch, EventEpochs, Missed, Stack
from axonlike.components.dsp.triggers import AnalogTrigger
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual

RATE_HZ = 1000.0


def info(channels=2, dtype="float64", **more):
    return StreamInfo(**{"kind": "analog", "dtype": dtype, "shape": (channels,), "sample_rate_hz": RATE_HZ} | more)


ABOUT_EVENTS = StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=RATE_HZ)


def noise(rows, channels=2, dtype="float64"):
    return np.random.default_rng(0).standard_normal((rows, channels)).astype(dtype)


def events(*samples, index=0, about=ABOUT_EVENTS):
    return Chunk(np.array([(sample, 0, 1.0) for sample in samples], EVENT), about, index)


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


def samples_of(epochs):
    return [int(epoch.event["sample"]) for epoch in epochs]


def bursts():
    t = np.arange(20_000)
    x = np.random.default_rng(0).random((20_000, 2)) * 0.3
    x[:, 0] = 0
    for second in range(1, 5):
        begin = 1000 * second
        x[(t > begin) & (t < begin + 400), 0] = 2
        if second % 3 == 0:
            x[(t > begin + 10) & (t < begin + 15), 0] = 0
            x[(t > begin + 20) & (t < begin + 25), 0] = 0
    return x.astype("float32")


def test_it_finds_the_six_epochs_of_pyacqs_signal_and_each_is_bit_exact():
    x = bursts()
    trigger, block = AnalogTrigger(threshold=1.0), EventEpochs(window_s=(-0.2, 0.5), stack_size=3)
    epochs = []
    for chunk in cut(x, [100]):
        epochs += block.feed(chunk)
        for found in trigger.feed(chunk):
            epochs += block.feed_events(found)
    assert samples_of(epochs) == [1001, 2001, 3001, 3015, 3025, 4001]
    for epoch in epochs:
        sample = epoch.event["sample"]
        assert epoch.index == sample - 200
        assert epoch.data.dtype == np.float32
        assert np.array_equal(epoch.data, x[sample - 200 : sample + 500])
        assert np.array_equal(epoch.times_s, np.arange(-200, 500) / RATE_HZ)
        assert not epoch.data.flags.writeable
    stack = there(block.stack())
    assert (stack.total, stack.data.shape) == (6, (3, 700, 2))
    assert np.array_equal(stack.data, [epoch.data for epoch in epochs[-3:]])
    assert np.allclose(stack.average(), np.mean([e.data.astype("float64") for e in epochs[-3:]], axis=0), atol=1e-15)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.lists(st.integers(-500, 6500), max_size=12),
    st.lists(st.integers(0, 40), min_size=12, max_size=12),
    st.sampled_from([(-0.2, 0.5), (-1.0, -0.1), (0.3, 0.301), (0.0, 1.0)]),
)
def test_neither_the_cutting_nor_who_comes_first_changes_an_epoch(sizes, samples, after_chunk, window_s):
    x = noise(6000)
    n0, n1 = round(window_s[0] * 1000), round(window_s[1] * 1000)
    block = EventEpochs(window_s=window_s)
    epochs, came = [], 0
    for number, chunk in enumerate(cut(x, sizes, index=30)):
        epochs += block.feed(chunk)
        for sample, when in zip(samples, after_chunk):
            if when == number:
                epochs += block.feed_events(events(sample, index=came))
                came += 1
    for sample, when in zip(samples, after_chunk):
        if when > number:
            epochs += block.feed_events(events(sample, index=came))
            came += 1
    epochs += block.finish()
    padded = np.concatenate([np.full((2000, 2), np.nan), x, np.full((3000, 2), np.nan)])
    wanted = [s for s in samples if s + n0 < 6030 and s + n1 > 30]
    assert sorted(samples_of(epochs)) == sorted(wanted)
    for epoch in epochs:
        start = int(epoch.event["sample"]) + n0
        part = padded[start - 30 + 2000 : start - 30 + 2000 + n1 - n0]
        assert np.array_equal(epoch.data, part, equal_nan=True)
        assert epoch.missing == np.isnan(part[:, 0]).sum()
    assert block.epochs == len(wanted)
    assert block.incomplete_epochs == len(samples) - len(wanted)


def test_epochs_may_overlap_and_come_in_the_order_of_their_events():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1))
    assert block.feed_events(events(500, 420, 450, 450)) == []
    assert samples_of(block.feed(Chunk(x, info()))) == [420, 450, 450, 500]
    assert samples_of(block.feed_events(events(901, 900))) == [900]  # its last row is the last one there is


def test_rows_before_the_beginning_are_filled_or_the_epoch_is_dropped():
    x = noise(1000)
    fill, drop = EventEpochs(window_s=(-0.1, 0.1)), EventEpochs(window_s=(-0.1, 0.1), incomplete="drop")
    told = Probe()
    drop.link((drop, "status"), (told, "inbox"))
    for block in (fill, drop):
        block.feed(Chunk(x, info(), 1000))
    [epoch] = fill.feed_events(events(1040))
    assert (epoch.missing, epoch.index) == (60, 940)
    assert np.isnan(epoch.data[:60]).all()
    assert np.array_equal(epoch.data[60:], x[:140])
    assert drop.feed_events(events(1040)) == []
    assert drop.incomplete_epochs == 1
    [missed] = told.inbox().queue
    assert isinstance(missed, Missed)
    assert missed.event["sample"] == 1040
    assert "60 of the rows 940 to 1140" in missed.reason


def test_integers_with_missing_rows_become_floats_so_that_nan_can_be_seen():
    x = np.arange(400, dtype="<i2").reshape(200, 2)
    block = EventEpochs(window_s=(-0.01, 0.01), stack_size=2)
    block.feed(Chunk(x, info(2, "<i2", scale=0.5)))
    [early, whole] = block.feed_events(events(5, 50))
    assert (early.data.dtype, early.info.dtype, early.info.scale) == (np.dtype("float64"), np.dtype("float64"), 0.5)
    assert np.isnan(early.data[:5]).all()
    assert np.array_equal(early.data[5:], x[:15])
    assert whole.data.dtype == np.int16
    stack = there(block.stack())
    assert stack.info.dtype == stack.data.dtype == np.float64
    assert np.array_equal(stack.average()[:5], x[40:45])


def test_a_gap_within_the_window_shows_in_the_epoch():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1))
    block.feed(Chunk(x[:480], info()))
    epochs = block.feed_events(events(300, 500)) + block.feed(Chunk(x[530:], info(), 530))
    assert [epoch.missing for epoch in epochs] == [0, 50]
    assert np.array_equal(epochs[1].data[:80], x[400:480])
    assert np.isnan(epochs[1].data[80:130]).all()
    assert np.array_equal(epochs[1].data[130:], x[530:600])
    assert block.continuity.lost == 50


@pytest.mark.parametrize("size", [1, 250, 4000])
def test_a_late_event_finds_its_rows_as_long_as_they_are_kept_and_is_counted_after(size):
    x = noise(4000)
    block = EventEpochs(window_s=(-0.1, 0.1), history_s=1.0)
    told = Probe()
    block.link((block, "status"), (told, "inbox"))
    for chunk in cut(x, [size]):
        block.feed(chunk)
    # The last 1000 rows, and one window's, are kept: from row 2800 on.
    [epoch] = block.feed_events(events(2900))
    assert np.array_equal(epoch.data, x[2800:3000])
    assert block.feed_events(events(2899, index=1)) == []
    assert (block.gone, block.epochs) == (1, 1)
    assert "2799 is not kept any more; a longer history_s" in told.inbox().queue[-1].reason


def test_what_is_kept_does_not_grow():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1), history_s=1.0)
    for start in range(0, 100_000, 1000):
        block.feed(Chunk(x, info(), start))
    assert sum(len(rows) for _, rows in block._rows._pieces) <= 1000 + 200 + 1000
    for start in range(100_000, 103_000):
        block.feed(Chunk(x[:1], info(), start))
    assert len(block._rows._pieces) < 10


def test_an_event_that_waits_for_its_rows_gets_what_there_is_at_the_end():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1))
    block.feed(Chunk(x, info()))
    assert block.feed_events(events(950, 2000)) == []
    [epoch] = block.finish()
    assert epoch.missing == 50
    assert np.array_equal(epoch.data[:150], x[850:])
    assert block.incomplete_epochs == 1  # 2000: not one row of it ever came
    lonely = EventEpochs()
    lonely.feed_events(events(5))
    assert lonely.finish() == []
    assert lonely.incomplete_epochs == 1


def test_a_stream_that_begins_anew_ends_the_events_of_the_old_one():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1))
    block.feed(Chunk(x, info()))
    block.feed_events(events(950))
    [old] = block.feed(Chunk(x, info(), 0))
    assert (old.missing, block.continuity.restarts) == (50, 1)
    [new] = block.feed_events(events(50, index=1))
    assert new.missing == 50


def test_the_window_changes_for_what_is_not_cut_yet_and_empties_the_stack():
    x = noise(1000)
    block = EventEpochs(window_s=(-0.1, 0.1), stack_size=5)
    block.feed(Chunk(x, info()))
    block.feed_events(events(500))
    block.change(window_s=[-0.01, 0.29])
    assert block.stack() is None
    [epoch] = block.feed_events(events(600, index=1))
    assert np.array_equal(epoch.data, x[590:890])
    assert there(block.stack()).total == 2
    block.change(stack_size=2)
    assert block.stack() is None
    block.feed_events(events(600, index=2))
    block.reset()
    assert block.stack() is None


def test_times_are_cut_off_towards_the_event_but_whole_rows_stay_whole():
    block = EventEpochs(window_s=(-0.0159, 0.0159))
    block.feed(Chunk(noise(1000), info()))
    [epoch] = block.feed_events(events(500))
    assert (epoch.index, len(epoch.data)) == (485, 30)
    block = EventEpochs(window_s=(-0.29, 0.57))  # 0.29 * 100 is 28.999999999999996
    block.feed(Chunk(noise(1000), info(sample_rate_hz=100.0)))
    [epoch] = block.feed_events(events(500, about=ABOUT_EVENTS.replace(sample_rate_hz=100.0)))
    assert (epoch.index, len(epoch.data)) == (471, 86)


def test_events_that_wait_are_limited_and_counted():
    block = EventEpochs()
    block.feed_events(events(*range(100_003)))
    assert block.overflowed == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": (1.0, -1.0)},
        {"window_s": 1.0},
        {"window_s": (0.0, 0.0001)},
        {"window_s": (0, float("inf"))},
        {"stack_size": 0},
        {"incomplete": "guess"},
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(wrong):
    block = EventEpochs(window_s=(-0.5, 0.5))
    block.feed(Chunk(noise(10), info()))
    with pytest.raises(UsageError):
        block.change(**wrong)
    assert (block.window_s, block.stack_size, block.incomplete) == ((-0.5, 0.5), 1, "fill")
    with pytest.raises(UsageError):
        EventEpochs(**wrong).feed(Chunk(noise(10), info()))


def test_streams_that_do_not_belong_together_are_refused():
    block = EventEpochs()
    block.feed(Chunk(noise(10), info()))
    with pytest.raises(StreamMismatch, match="500 Hz, the samples have 1000 Hz"):
        block.feed_events(events(1, about=ABOUT_EVENTS.replace(sample_rate_hz=500.0)))
    with pytest.raises(StreamMismatch, match="field `sample`"):
        block.feed_events(Chunk(np.zeros(1), StreamInfo(kind="events", dtype=np.dtype("float64"))))
    with pytest.raises(StreamMismatch, match="wanted events"):
        block.feed_events(Chunk(noise(10), info()))
    with pytest.raises(StreamMismatch, match="kind events"):
        block.feed(events(1))
    with pytest.raises(StreamMismatch, match="no sample rate"):
        EventEpochs().feed(Chunk(noise(1), info(sample_rate_hz=0)))


# -- as a component


class Source(Feeder):
    """Feeds chunks, and says what they are, so that constructors can be put into each other."""

    Outboxes = {"outbox": Box("samples", Chunk, stream=StreamType(kind="analog"))}


def test_a_graph_by_constructors_gives_epochs_and_stacks():
    x = bursts()
    source = Source(list(cut(x, [100])))
    block = EventEpochs(source, AnalogTrigger(source, threshold=1.0), window_s=(-0.2, 0.5), stack_size=2)
    got, stacks = Probe(), Probe()
    block.link((block, "outbox"), (got, "inbox"))
    block.link((block, "stack"), (stacks, "inbox"))
    run_virtual(block, got, stacks)
    assert all(isinstance(epoch, Epoch) for epoch in got.messages)
    assert samples_of(got.messages) == [1001, 2001, 3001, 3015, 3025, 4001]
    assert all(isinstance(stack, Stack) for stack in stacks.messages)
    assert stacks.messages[-1].total == 6
    assert got.ended
    assert stacks.ended


def test_a_message_on_reset_empties_the_stack():
    block, stacks = EventEpochs(window_s=(-0.1, 0.1), stack_size=5), Probe()
    samples = Feeder([Chunk(noise(1000), info())])
    found = Feeder([events(200, 300), PAUSE(2.0), events(400, index=2)])
    again = Feeder([PAUSE(1.0), "now"])
    for feeder, box in ((samples, "inbox"), (found, "events"), (again, "reset")):
        block.link((feeder, "outbox"), (block, box))
    block.link((block, "stack"), (stacks, "inbox"))
    run_virtual(block, stacks, samples, found, again)
    assert [(len(stack.data), stack.total) for stack in stacks.messages] == [(2, 2), (1, 3)]


def test_it_conforms():
    check_component(lambda: EventEpochs(window_s=(-0.1, 0.1)), messages=list(cut(noise(1000), [100])))
    check_component(lambda: EventEpochs(), messages=[events(1, 2), events(3, index=2)], inbox="events")
    assert issubclass(EventEpochs, Component)
