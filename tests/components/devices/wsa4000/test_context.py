"""Which settings hold for which samples, what is missing, and what is stale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.wsa4000.context import Indicated, Missing, Tracker
from axonlike.components.devices.wsa4000.vrt import VrtParser
from axonlike.streams.chunk import Chunk
from tests.components.devices.wsa4000.packets import (
    DECIMATION,
    DIGITIZER,
    EXTENSION,
    GOOD,
    RECEIVER,
    SAMPLE_PS,
    SECONDS,
    context,
    data,
    hertz,
    packet,
)

LOSS = GOOD | 1 << 12


def tracked(*raw: bytes, tracker: Tracker | None = None, pieces: int = 0) -> tuple[Tracker, list[Any]]:
    """What comes of these packets; all at once, or in pieces of so many bytes."""
    tracker = tracker or Tracker()
    if not tracker.index:
        tracker.set_up(decimation=DECIMATION, rf_frequency_hz=2.4e9)
    parser = VrtParser()
    whole = b"".join(raw)
    step = pieces or max(1, len(whole))
    items: list[Any] = []
    for at in range(0, len(whole), step):
        for found in parser.feed(whole[at : at + step]):
            items += tracker.feed(found)
    return tracker, items


def positions(chunks: list[Chunk]) -> list[int]:
    return [int(i) + 4096 * int(q) for chunk in chunks for i, q in chunk.data]


def in_place(items: list[Any]) -> bool:
    """Do all samples tell the position that their index says?"""
    chunks = [item for item in items if isinstance(item, Chunk)]
    indices = [index for chunk in chunks for index in range(chunk.index, chunk.end)]
    return positions(chunks) == indices


def kinds(items: list[Any]) -> list[str]:
    return [type(item).__name__ for item in items]


# -- what the samples are


def test_contiguous_packets_are_one_chunk_that_says_what_it_is() -> None:
    _, (chunk,) = tracked(*(data(16 * k, count=k) for k in range(50)))
    assert (chunk.index, len(chunk), chunk.time_ns) == (0, 800, SECONDS * 10**9)
    info = chunk.info
    assert (info.kind, info.dtype, info.shape, info.units) == ("iq", np.dtype(">i2"), (2,), "FS")
    assert (info.sample_rate_hz, info.scale, info.clock) == (15.625e6, 1 / 8192, "device")
    assert info.facts == {
        "source": "WSA4000", "decimation": 8, "center_frequency_hz": 2.4e9, "frequency_shift_hz": 0.0,
        "spectral_inversion": False,
        "i_only": False, "usable_bandwidth_hz": 7.8125e6,
    }  # fmt: skip
    assert not chunk.data.flags.writeable


SAID = ((27, hertz(2.45e9)), (29, hertz(125e6 / 16)), (26, hertz(1e6)), (24, [0xFD80]), (23, [0x0100_0200]))


@pytest.mark.parametrize("together", [False, True])
def test_fields_of_one_packet_or_of_many_are_the_same(together: bool) -> None:
    receiver = [said for said in SAID if said[0] in (27, 23)]
    digitizer = [said for said in SAID if said[0] not in (27, 23)]
    raw = (
        [context(RECEIVER, *receiver), context(DIGITIZER, *digitizer)]
        if together
        else [context(RECEIVER, said, count=k) for k, said in enumerate(receiver)]
        + [context(DIGITIZER, said, count=k) for k, said in enumerate(digitizer)]
    )
    tracker, (chunk,) = tracked(*raw, data(0))
    assert chunk.info.sample_rate_hz == 125e6 / 16
    assert chunk.info.facts["center_frequency_hz"] == 2.45e9
    assert chunk.info.facts["frequency_shift_hz"] == 1e6
    assert chunk.info.facts["reference_level_dbm"] == -5.0
    assert (tracker.held["if_gain_db"], tracker.held["rf_gain_db"]) == (2.0, 4.0)
    assert tracker.statistics.missing_context_packets == 0


def test_a_context_holds_for_the_data_after_it_and_makes_a_new_info_only_if_something_changed() -> None:
    raw = [data(0), context(RECEIVER, (27, hertz(2.4e9))), data(16, count=1)]
    raw += [context(RECEIVER, (27, hertz(1e9)), count=1), data(32, count=2), context(RECEIVER, (18, [64]), count=2)]
    _, chunks = tracked(*raw, data(48, count=3))
    assert [c.info.facts["center_frequency_hz"] for c in chunks] == [2.4e9, 2.4e9, 1e9, 1e9]
    assert chunks[0].info == chunks[1].info
    assert chunks[2].info is chunks[3].info  # the temperature is nothing of the stream's
    assert in_place(chunks)


@pytest.mark.parametrize(
    ("center_hz", "decimation", "i_only", "usable_hz"),
    [(40e6, 1, True, None), (90e6, 1, False, 90e6), (10e6, 4, True, 15.625e6), (1e9, 10, False, 6.25e6)],
)
def test_the_usable_band(center_hz: float, decimation: int, i_only: bool, usable_hz: float | None) -> None:
    said = context(RECEIVER, (27, hertz(center_hz))), context(DIGITIZER, (29, hertz(125e6 / decimation)))
    _, (chunk,) = tracked(*said, data(0))
    assert chunk.info.facts["i_only"] is i_only
    assert chunk.info.facts.get("usable_bandwidth_hz") == usable_hz


def test_spectral_inversion_is_a_fact_and_turns_round_with_exchanged_i_and_q() -> None:
    _, chunks = tracked(data(0), data(16, count=1, trailer=GOOD | 1 << 14), data(32, count=2))
    assert [c.info.facts["spectral_inversion"] for c in chunks] == [False, True, False]
    _, (chunk,) = tracked(context(EXTENSION, (3, [1]), kind=5), data(0, trailer=GOOD | 1 << 14))
    assert chunk.info.facts["spectral_inversion"] is False


# -- what is missing


@pytest.mark.parametrize("dropped", [1, 3, 15, 16, 17, 32, 1000])
@pytest.mark.parametrize("pieces", [0, 50])
def test_dropped_packets_are_counted_exactly_even_whole_rounds_of_the_count(dropped: int, pieces: int) -> None:
    before = [data(16 * k, count=k) for k in range(5)]
    after = [data(16 * (5 + dropped + k), count=5 + dropped + k) for k in range(5)]
    tracker, items = tracked(*before, *after, pieces=pieces)
    missing = [item for item in items if isinstance(item, Missing)]
    assert [(m.index, m.samples) for m in missing] == [(80 + 16 * dropped, 16 * dropped)]
    assert in_place(items)
    assert (tracker.statistics.missing_samples, tracker.statistics.gaps) == (16 * dropped, 1)
    assert (tracker.statistics.packets, tracker.statistics.samples) == (10, 160)


@pytest.mark.parametrize("lost", [1, 7, 16, 100_000])
def test_lost_samples_lie_after_the_packet_that_tells_of_them(lost: int) -> None:
    raw = [data(0), data(16, count=1, trailer=LOSS), data(32 + lost, count=2), data(48 + lost, count=3)]
    _, items = tracked(*raw)
    assert kinds(items) == ["Chunk", "Chunk", "Missing", "Chunk"]
    assert (items[2].index, items[2].samples) == (32 + lost, lost)
    assert items[2].cause == "the device reports lost samples"
    assert in_place(items)


def test_packets_of_another_size_after_a_gap_and_without_one() -> None:
    raw = [data(0), data(16, samples=48, count=1), data(64, count=2), data(112, samples=160, count=5)]
    raw.append(data(272, count=6))
    _, items = tracked(*raw)
    assert kinds(items) == ["Chunk", "Chunk", "Chunk", "Missing", "Chunk", "Chunk"]
    assert items[3].samples == 32
    assert in_place(items)


@pytest.mark.parametrize("step_ps", [10**9 + 1, -(10**9), SAMPLE_PS * 24, 10**12 * 86_400 * 400])
def test_a_clock_that_is_set_loses_nothing(step_ps: int) -> None:
    later = SECONDS * 10**12 + step_ps
    raw = [data(0), data(16, count=1), *(data(32 + 16 * k, count=2 + k, start_ps=later) for k in range(3))]
    tracker, items = tracked(*raw)
    assert set(kinds(items)) == {"Chunk"}
    assert in_place(items)
    assert (tracker.statistics.clock_steps, tracker.statistics.gaps) == (1, 0)


@pytest.mark.parametrize("jitter_ps", [-8000, -1, 1, 8000])
def test_one_sample_clock_off_is_in_time(jitter_ps: int) -> None:
    raw = [data(16 * k, count=k, start_ps=SECONDS * 10**12 + (jitter_ps if k % 2 else 0)) for k in range(8)]
    tracker, items = tracked(*raw)
    if abs(jitter_ps) <= 4000:
        assert len(items) == 1
    assert set(kinds(items)) == {"Chunk"}
    assert in_place(items)
    assert not tracker.statistics.gaps
    assert not tracker.statistics.missing_samples


def test_a_count_that_stepped_while_time_did_not_is_no_loss() -> None:
    tracker, items = tracked(data(0), data(16, count=5), data(32, count=6))
    assert in_place(items)
    assert (tracker.statistics.gaps, tracker.statistics.clock_steps) == (0, 1)


def test_without_times_the_count_has_to_do() -> None:
    raw = [data(0, timed=False), data(16, count=1, timed=False), data(80, count=5, timed=False)]
    tracker, items = tracked(*raw)
    assert in_place(items)
    assert [i.samples for i in items if isinstance(i, Missing)] == [48]
    assert items[0].time_ns is None
    tracker, items = tracked(data(0, timed=False, trailer=LOSS), data(16, count=1, timed=False))
    assert tracker.statistics.gaps == 1  # how many cannot be known: one at least


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("packets"), st.integers(1, 40)),
            st.tuples(st.just("drop"), st.integers(1, 40)),
            st.tuples(st.just("lose"), st.integers(1, 5000)),
            st.tuples(st.just("size"), st.sampled_from([16, 32, 48, 160])),
        ),
        max_size=12,
    ),
    st.integers(1, 5000),
)
def test_whatever_is_lost_every_sample_is_in_its_place(story: list[tuple[str, int]], pieces: int) -> None:
    raw, position, count, size, missing, received = [data(0)], 16, 1, 16, 0, 16
    lossy, next_size = -1, size
    for what, number in story:
        if what == "packets":
            size = next_size
            for _ in range(number):
                lossy = len(raw)
                raw.append(data(position, size, count=count))
                position, count, received = position + size, count + 1, received + size
        elif what == "drop":
            position, count, missing = position + number * size, count + number, missing + number * size
        elif what == "lose" and lossy == len(raw) - 1 and raw[-1][-4:] == GOOD.to_bytes(4, "big"):
            raw[-1] = raw[-1][:-4] + LOSS.to_bytes(4, "big")
            position, missing = position + number, missing + number
        elif what == "size":
            next_size = number  # from the next packet on that comes
    size = next_size
    raw.append(data(position, size, count=count))
    tracker, items = tracked(*raw, pieces=pieces)
    assert in_place(items)
    assert tracker.statistics.missing_samples == missing
    assert tracker.index == position + size
    assert sum(item.samples for item in items if isinstance(item, Missing)) == missing
    assert tracker.statistics.samples == received + size


def test_missing_context_packets_are_counted_for_each_stream() -> None:
    raw = [context(RECEIVER, (18, [1]), count=c) for c in (14, 15, 0, 3)]
    raw += [context(DIGITIZER, (24, [1]), count=c) for c in (7, 8)]
    tracker, _ = tracked(*raw)
    assert tracker.statistics.missing_context_packets == 2
    assert tracker.statistics.context_packets == 6


def test_unknown_packets_are_counted_and_change_nothing() -> None:
    tracker, items = tracked(data(0), packet(1, 0x90000006, [1, 2]), data(16, count=1))
    assert in_place(items)
    assert tracker.statistics.unknown_packets == 1


# -- what is stale, and what does not follow


def test_data_of_an_earlier_stream_are_dropped_until_the_id_comes() -> None:
    tracker = Tracker()
    tracker.set_up(decimation=DECIMATION)
    tracker.begins(("stream_start_id", 42))
    stale = [data(5000 + 16 * k, count=k + 3) for k in range(9)]
    other = context(EXTENSION, (1, [41]), kind=5)
    mine = context(EXTENSION, (1, [42]), kind=5, count=1)
    tracker, items = tracked(*stale, other, *stale, mine, data(0), data(16, count=1), tracker=tracker)
    assert kinds(items) == ["Chunk"]
    assert positions(items) == list(range(32))
    assert tracker.is_fresh
    assert (tracker.statistics.stale_packets, tracker.statistics.gaps) == (18, 0)


def test_a_sweep_id_is_no_stream_id() -> None:
    tracker = Tracker()
    tracker.begins(("stream_start_id", 42))
    _, items = tracked(context(EXTENSION, (0, [42]), kind=5), data(0), tracker=tracker)
    assert not items
    assert not tracker.is_fresh


def test_between_two_captures_the_index_goes_on_by_the_devices_time_and_nothing_is_missing() -> None:
    tracker, first = tracked(data(0), data(16, count=1))
    tracker.begins()
    _, second = tracked(data(100, count=9), data(116, count=10), tracker=tracker)
    assert in_place(first + second)
    assert tracker.statistics.gaps == 0


def test_what_cannot_be_placed_after_a_break_is_one_behind_so_that_a_gap_shows() -> None:
    tracker, _ = tracked(data(100), data(116, count=1))
    tracker.reconnected()
    _, items = tracked(data(0), tracker=tracker)  # the device's clock went back: it was switched off
    assert [(chunk.index, len(chunk)) for chunk in items] == [(33, 16)]


def test_in_a_sweep_time_passes_between_steps_and_is_no_loss() -> None:
    tracker = Tracker()
    tracker.set_up(decimation=DECIMATION)
    tracker.begins(("sweep_start_id", 1), in_bursts=True)
    raw = [context(EXTENSION, (0, [1]), kind=5)]
    for step in range(4):
        raw.append(context(RECEIVER, (27, hertz(2e9 + step * 1e6)), count=step))
        raw += [data(1000 * step, count=2 * step), data(1000 * step + 16, count=2 * step + 1)]
    tracker, items = tracked(*raw, tracker=tracker)
    assert [(c.index, len(c), c.info.facts["center_frequency_hz"]) for c in items] == [
        (1000 * step, 32, 2e9 + step * 1e6) for step in range(4)
    ]
    assert (tracker.statistics.gaps, tracker.statistics.clock_steps) == (0, 0)


# -- indicators


def test_indicators_are_told_when_they_change_and_counted_always() -> None:
    over, unlocked, invalid = GOOD | 1 << 13, GOOD & ~(1 << 17), GOOD & ~(1 << 18)
    trailers = [GOOD, over, over, GOOD, unlocked, unlocked, unlocked, GOOD, invalid, GOOD]
    tracker, items = tracked(*(data(16 * k, count=k, trailer=trailer) for k, trailer in enumerate(trailers)))
    told = [(i.indicator, i.value, i.index) for i in items if isinstance(i, Indicated)]
    assert told == [
        ("over range", True, 16), ("over range", False, 48), ("reference lock", False, 64),
        ("reference lock", True, 112), ("valid data", False, 128), ("valid data", True, 144),
    ]  # fmt: skip
    statistics = tracker.statistics
    assert (statistics.over_range_packets, statistics.unlocked_packets, statistics.invalid_packets) == (2, 3, 1)
    assert in_place(items)


def test_indicators_that_are_not_enabled_tell_nothing() -> None:
    tracker, items = tracked(data(0, trailer=0x00003000), data(1000, count=1, trailer=0))
    assert kinds(items) == ["Chunk", "Chunk"]
    assert tracker.snapshot().unlocked_packets == 0
