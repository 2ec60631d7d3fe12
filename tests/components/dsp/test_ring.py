"""Ring: windows of the recent past, by absolute position."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from axonlike.components.dsp.ring import Ring
from axonlike.components.settable import Refused
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual

INFO = StreamInfo(kind="analog", dtype=np.dtype(np.float64), shape=(2,), sample_rate_hz=1000.0, name="A")


def chunk(rows: int, index: int = 0, info: StreamInfo = INFO) -> Chunk:
    data = np.arange(index, index + rows, dtype=np.float64)[:, None] + np.array([0.0, 0.5])
    return Chunk(data.astype(info.dtype), info, index, index * 1_000_000)


def filled(*chunks: Chunk, rows: int = 10, **options: Any) -> Ring:
    ring = Ring(rows=rows, **options)
    for each in chunks:
        ring.feed(each)
    return ring


@pytest.mark.parametrize("double", [True, False])
def test_any_window_of_what_it_holds_is_right_with_index_and_time(double: bool) -> None:
    chance = random.Random(3)
    for _ in range(50):
        size, start = chance.randrange(1, 30), chance.randrange(0, 1000)
        ring, end = Ring(rows=size, double=double), start
        for _ in range(20):
            ring.feed(chunk(count := chance.randrange(0, 2 * size), end))
            end += count
            oldest = max(start, end - size)
            first = chance.randrange(oldest, end + 1)
            last = chance.randrange(first, end + 1)
            found = ring.window(first, last)
            np.testing.assert_array_equal(found.data, chunk(last - first, first).data)
            assert found.index == first
            if last > first:
                assert found.time_ns == first * 1_000_000


@pytest.mark.parametrize(
    ("start", "stop", "first", "last"),
    [
        (None, None, 15, 25), (-3, None, 22, 25), (None, -3, 15, 22), (-4, -2, 21, 23), (20, 20, 20, 20),
        (25, None, 25, 25),
    ],
)
def test_none_is_the_oldest_or_newest_and_below_zero_counts_from_the_newest(
    start: int | None, stop: int | None, first: int, last: int
) -> None:
    found = filled(chunk(25)).window(start, stop)
    assert (found.index, found.end) == (first, last)


def test_a_window_is_a_copy() -> None:
    ring = filled(chunk(10))
    found = ring.window()
    ring.feed(chunk(10, 10))
    np.testing.assert_array_equal(found.data, chunk(10).data)


@pytest.mark.parametrize(("start", "stop"), [(14, 20), (20, 26), (20, 18), (-11, None), (0, None)])
def test_rows_that_are_not_there_are_an_index_error_with_what_is(start: int, stop: int | None) -> None:
    with pytest.raises(IndexError, match=r"it holds 15\.\.25"):
        filled(chunk(25)).window(start, stop)


def test_rows_before_the_first_that_came_are_not_there() -> None:
    ring = filled(chunk(3, 1000))
    assert ring.window().index == 1000
    with pytest.raises(IndexError, match=r"it holds 1000\.\.1003"):
        ring.window(999)
    with pytest.raises(IndexError, match="no chunk has come"):
        Ring(rows=3).window()


def test_rows_that_were_lost_are_nan_and_counted() -> None:
    ring = filled(chunk(3), chunk(3, 5))
    np.testing.assert_array_equal(np.isnan(ring.window().data[:, 0]), [0, 0, 0, 1, 1, 0, 0, 0])
    assert ring.continuity.lost == 2
    ring.feed(chunk(4, 1000))
    assert np.isnan(ring.window().data).all(axis=1).tolist() == [True] * 6 + [False] * 4
    zero = INFO.replace(dtype=np.int16)
    assert filled(chunk(1, 0, zero), chunk(1, 2, zero), fill=-7).window().data[:, 0].tolist() == [0, -7, 2]


def test_when_the_index_goes_back_or_the_stream_changes_it_begins_anew() -> None:
    ring = filled(chunk(8, 100), chunk(3, 0))
    assert (ring.window().index, ring.window().end) == (0, 3)
    other = StreamInfo(kind="digital", dtype=np.dtype(np.uint8), shape=(2,))
    ring.feed(chunk(2, 50, other))
    assert ring.window().info is other
    assert ring.window().index == 50


def test_an_equal_stream_is_no_change() -> None:
    ring = filled(chunk(3), chunk(3, 3, INFO.replace()))
    assert len(ring.window()) == 6


def queries(*asked: Any, rows: int = 10) -> tuple[Ring, list[Any], list[Any]]:
    ring, answers, status = Ring(rows=rows), Probe(), Probe()
    feeder, query = Feeder([chunk(8), chunk(8, 8), PAUSE(2)]), Feeder([PAUSE(1), *asked])
    ring.link((feeder, "outbox"), (ring, "inbox"))
    ring.link((query, "outbox"), (ring, "query"))
    ring.link((ring, "outbox"), (answers, "inbox"))
    ring.link((ring, "status"), (status, "inbox"))
    run_virtual(ring, feeder, query, answers, status)
    return ring, answers.messages, status.messages


def test_queries_are_answered_in_order() -> None:
    ring, answers, status = queries((6, 9), (None, None), slice(-2, None))
    assert [(each.index, each.end) for each in answers] == [(6, 9), (6, 16), (14, 16)]
    assert status == []
    assert ring.refused == 0


@pytest.mark.parametrize(
    "asked", [(5, 9), (10, 17), (9, 8), (1,), 5, "x", (1.5, 2), (1, 2, 3), (True, 2), slice(6, 9, 2)]
)
def test_a_query_that_cannot_be_answered_is_refused_and_does_no_harm(asked: Any) -> None:
    ring, answers, status = queries(asked, (6, 7))
    assert [each.index for each in answers] == [6]
    assert isinstance(status[0], Refused)
    assert status[0].settings == asked
    assert ring.refused == 1


def test_what_is_kept_needs_a_length() -> None:
    for rows in (0, -1, 2.5, True):
        with pytest.raises(UsageError, match="rows"):
            Ring(rows=rows)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="it takes chunks"):
        Ring(rows=3).feed("x")  # type: ignore[arg-type]


def test_it_conforms() -> None:
    check_component(lambda: Ring(rows=10), messages=[chunk(4, 4 * number) for number in range(9)])
    check_component(lambda: Ring(rows=10), messages=[(0, 3), "x"], inbox="query")
