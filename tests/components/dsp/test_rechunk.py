"""Rechunk: chunks of one length, with their index and time; nothing lost at the end, nothing across a gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Pipeline
from axonlike.components.dsp.rechunk import Rechunk
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.testing import Feeder, Probe, check_component, run_virtual

INFO = StreamInfo(kind="analog", dtype=np.dtype(np.int32), shape=(2,), sample_rate_hz=1000.0, name="A")


def chunk(rows: int, index: int = 0, info: StreamInfo = INFO) -> Chunk:
    data = np.arange(index, index + rows, dtype=np.int32)[:, None] * 10 + np.arange(2, dtype=np.int32)
    return Chunk(data, info, index, index * 1_000_000)


def cut(rechunk: Rechunk, *chunks: Chunk) -> list[Chunk]:
    found = [result for each in chunks for result in rechunk.feed(each)]
    return found + rechunk.finish()


PIECES = st.one_of(
    # (gap, rows of a chunk) and the length to be had: long ones, and short ones in which every row matters.
    st.tuples(st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 50]), st.integers(0, 5000)), max_size=8),
              st.integers(100, 3000)),
    st.tuples(st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 50]), st.integers(0, 20)), max_size=20),
              st.integers(1, 8)),
)  # fmt: skip


@given(cutting=PIECES, start=st.integers(-(10**6), 10**6))
def test_any_cutting_and_any_gaps_give_whole_chunks_and_every_row_once(
    cutting: tuple[list[tuple[int, int]], int], start: int
) -> None:
    pieces, rows = cutting
    chunks = []
    index = start
    for gap, count in pieces:
        index += gap
        chunks.append(chunk(count, index))
        index += count
    found = cut(Rechunk(rows=rows), *chunks)
    nothing = INFO.empty(0)
    wanted, got = (np.concatenate([nothing, *(c.data for c in each)]) for each in (chunks, found))
    np.testing.assert_array_equal(got, wanted)
    continuity = Continuity()
    for number, each in enumerate(found):
        assert 0 < len(each) <= rows
        np.testing.assert_array_equal(each.data, chunk(len(each), each.index).data)
        assert each.time_ns == each.index * 1_000_000
        before_a_gap = number + 1 == len(found) or found[number + 1].index != each.end
        assert len(each) == rows or before_a_gap
        continuity.missing(each)
    seen = Continuity()
    for each in chunks:
        seen.missing(each)
    # A gap with no row before or behind it (a chunk of 0 rows) shows once in what comes out.
    assert continuity.restarts == 0
    if found and len(chunks[0]):
        last = max(c.end for c in chunks if len(c))
        assert continuity.lost == last - start - len(wanted) - (chunks[0].index - start)


def test_the_rest_is_sent_at_the_end() -> None:
    found = cut(Rechunk(rows=4), chunk(10, 100))
    assert [(each.index, len(each)) for each in found] == [(100, 4), (104, 4), (108, 2)]


def test_before_a_gap_the_rest_is_sent_and_the_next_chunk_begins_behind_it() -> None:
    found = cut(Rechunk(rows=4), chunk(6, 0), chunk(6, 10))
    assert [(each.index, len(each)) for each in found] == [(0, 4), (4, 2), (10, 4), (14, 2)]


def test_before_another_stream_the_rest_is_sent_as_what_it_was() -> None:
    other = INFO.replace(name="B")
    found = cut(Rechunk(rows=4), chunk(6, 0), chunk(4, 6, other))
    assert [(each.index, len(each), each.info.name) for each in found] == [(0, 4, "A"), (4, 2, "A"), (6, 4, "B")]


def test_what_has_the_right_length_goes_on_as_it_is_and_longer_chunks_are_cut_without_a_copy() -> None:
    rechunk, right, long = Rechunk(rows=4), chunk(4), chunk(12, 4)
    assert rechunk.feed(right) == [right]
    found = rechunk.feed(long)
    assert len(found) == 3
    assert all(np.shares_memory(each.data, long.data) for each in found)


def test_a_kept_chunk_is_not_written_to_after_it_was_sent() -> None:
    rechunk = Rechunk(rows=4)
    first = (rechunk.feed(chunk(3)) + rechunk.feed(chunk(3, 3)))[0]
    before = first.data.copy()
    rechunk.feed(chunk(7, 6))
    np.testing.assert_array_equal(first.data, before)
    assert not first.data.flags.writeable


def test_the_length_can_be_changed_in_the_middle() -> None:
    rechunk = Rechunk(rows=4)
    found = rechunk.feed(chunk(7))
    rechunk.change(rows=2)
    found += rechunk.feed(chunk(4, 7))
    rechunk.change(rows=100)
    found += rechunk.feed(chunk(1, 11)) + rechunk.finish()
    assert [(each.index, len(each)) for each in found] == [(0, 4), (4, 2), (6, 2), (8, 2), (10, 2)]
    np.testing.assert_array_equal(np.concatenate([each.data for each in found]), chunk(12).data)


@pytest.mark.parametrize("rows", [0, -1, 1.5, "4", True, None])
def test_a_length_that_cannot_be_is_refused(rows: int) -> None:
    with pytest.raises(UsageError, match="rows"):
        Rechunk(rows=rows)
    rechunk = Rechunk(rows=4)
    with pytest.raises(UsageError, match="rows"):
        rechunk.change(rows=rows)
    assert rechunk.rows == 4


def test_in_a_pipeline_a_long_chunk_in_single_rows_waits_for_its_receiver() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([chunk(30_000)]), Rechunk(rows=1), probe))
    assert len(probe.messages) == 30_000


def test_it_conforms() -> None:
    check_component(lambda: Rechunk(rows=4), messages=[chunk(3, 3 * number) for number in range(9)])
