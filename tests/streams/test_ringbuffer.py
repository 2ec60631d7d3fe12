"""RingBuffer against the array of everything that was ever written."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from axonlike.streams.ringbuffer import RingBuffer


def rows(start: int, count: int, channels: int = 2) -> Any:
    """Rows whose values say which they are."""
    return (np.arange(start, start + count)[:, None] * 10 + np.arange(channels)).astype(np.float64)


class Model:
    """What a ring of this size is to hold: an array that grows, with `size` rows of fill before its beginning."""

    def __init__(self, size: int, channels: int = 2, fill: float = np.nan) -> None:
        self.size, self.fill = size, fill
        self.everything = np.full((size, channels), fill)
        self.written = 0

    def append(self, data: Any, end: int) -> None:
        gap = end - len(data) - self.written
        filler = np.full((gap, data.shape[1]), self.fill)
        self.everything = np.concatenate([self.everything, filler, data])
        self.written = end

    def get(self, start: int, stop: int) -> Any:
        return self.everything[start + self.size : stop + self.size]


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("axisorder", [None, (1, 0)])
def test_twenty_thousand_random_reads_equal_those_of_a_growing_array(
    double: bool, axisorder: tuple[int, ...] | None
) -> None:
    chance = random.Random(f"{double} {axisorder}")
    differences = reads = empty_at_the_wrap = 0
    while reads < 5000:
        size = chance.randrange(1, 40)
        ring, model = RingBuffer((size, 2), np.float64, double, axisorder=axisorder), Model(size)
        for _ in range(25):
            count = chance.randrange(size + 1)
            gap = chance.choice([0, 0, 0, 1, size, 3 * size])
            data = rows(ring.index() + gap, count)
            ring.new_chunk(data, ring.index() + gap + count if gap else None)
            model.append(data, ring.index())
            for _ in range(10):
                start = chance.randrange(ring.first_index(), ring.index() + 1)
                stop = chance.randrange(start, ring.index() + 1)
                copy, join = chance.random() < 0.5, chance.random() < 0.7
                wanted = model.get(start, stop)
                if join:
                    found = ring.get_data(start, stop, copy=copy)
                else:
                    found = np.concatenate(ring.get_data(start, stop, copy, join=False))
                differences += not np.array_equal(found, wanted, equal_nan=True) or found.shape != wanted.shape
                empty_at_the_wrap += start == stop and start % size == 0
                reads += 1
    assert differences == 0
    assert empty_at_the_wrap > 20


@pytest.mark.parametrize("double", [True, False])
def test_every_window_of_a_small_ring_at_every_place_is_right(double: bool) -> None:
    ring, model = RingBuffer((5, 2), np.float64, double), Model(5)
    for position in range(13):
        for start in range(ring.first_index(), ring.index() + 1):
            for stop in range(start, ring.index() + 1):
                wanted = model.get(start, stop)
                np.testing.assert_array_equal(ring.get_data(start, stop), wanted)
                first, second = ring.get_data(start, stop, join=False)
                assert first.shape[1:] == second.shape[1:] == (2,)
                np.testing.assert_array_equal(np.concatenate([first, second]), wanted)
        ring.new_chunk(rows(position, 1))
        model.append(rows(position, 1), position + 1)


@pytest.mark.parametrize("double", [True, False])
def test_slices_equal_those_of_the_array_of_all_rows(double: bool) -> None:
    size, total = 7, 17
    ring, everything = RingBuffer((size, 2), np.float64, double), rows(0, total)
    for start in range(0, total, 4):
        ring.new_chunk(everything[start : start + 4])
    index, first = ring.index(), ring.first_index()
    bounds = [None, *range(first, index + 1), *range(-size, 0)]
    for start in bounds:
        for stop in bounds:
            for step in (None, 1, 2, 3, 10, -1, -2, -3, -10):
                key = slice(start, stop, step)
                oldest = first if (step or 1) > 0 and start is None else start
                newest = stop
                if (step or 1) < 0 and stop is None:
                    newest = first - 1
                np.testing.assert_array_equal(ring[key], everything[oldest:newest:step], err_msg=str(key))


def test_one_row_is_found_by_its_position_and_from_the_end() -> None:
    ring = RingBuffer((4, 2), np.float64)
    ring.new_chunk(rows(0, 3))
    ring.new_chunk(rows(3, 3))
    assert ring[5].tolist() == [50, 51] == ring[-1].tolist()
    assert ring[2].tolist() == [20, 21] == ring[-4].tolist()
    assert ring[np.int64(3), 1] == 31
    assert ring[-2:, 1].tolist() == [41, 51]
    assert ring[::-1, 0].tolist() == [50, 40, 30, 20]


@pytest.mark.parametrize("key", [1, -5, 6, slice(1, None), slice(None, 7), slice(-5, None), slice(None, 0, -1)])
def test_what_is_outside_is_an_index_error_and_never_clipped(key: Any) -> None:
    ring = RingBuffer((4, 2), np.float64)
    ring.new_chunk(rows(0, 3))
    ring.new_chunk(rows(3, 3))
    with pytest.raises(IndexError, match=r"2\.\.6"):
        ring[key]


@pytest.mark.parametrize("key", ["1", 1.0, None, ..., [1], (), True, (..., 0)])
def test_other_keys_are_type_errors(key: Any) -> None:
    ring = RingBuffer((4, 2), np.float64)
    with pytest.raises(TypeError, match="int or a slice"):
        ring[key]


def test_a_step_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="step"):
        RingBuffer((4, 2), np.float64)[::0]


@pytest.mark.parametrize(("start", "stop"), [(1, 3), (3, 7), (5, 4), (-1, 2)])
def test_get_data_outside_is_an_index_error(start: int, stop: int) -> None:
    ring = RingBuffer((4, 2), np.float64)
    ring.new_chunk(rows(0, 3))
    ring.new_chunk(rows(3, 3))
    with pytest.raises(IndexError, match=rf"rows {start}\.\.{stop} were asked for, it holds 2\.\.6"):
        ring.get_data(start, stop)


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [(np.float32, np.nan), (np.complex64, np.nan), (np.int16, 0), (np.uint8, 0), (np.bool_, False)],
)
def test_before_the_stream_began_lies_the_fill_value(dtype: Any, fill: Any) -> None:
    ring = RingBuffer((4, 2), dtype)
    assert (ring.index(), ring.first_index()) == (0, -4)
    np.testing.assert_array_equal(ring.get_data(-4, 0), np.full((4, 2), fill, dtype))
    ring.new_chunk(np.ones((1, 2), dtype))
    assert ring.first_index() == -3
    np.testing.assert_array_equal(ring.get_data(-3, 0), np.full((3, 2), fill, dtype))


def test_rows_of_a_structured_dtype_are_kept_and_filled() -> None:
    dtype = np.dtype([("sample", "<i8"), ("value", "<f8")])
    ring = RingBuffer((3,), dtype, fill=np.array((7, 1.5), dtype))
    ring.new_chunk(np.array([(1, 2.0)], dtype))
    assert ring[:].tolist() == [(7, 1.5), (7, 1.5), (1, 2.0)]
    assert RingBuffer((2,), dtype)[:].tolist() == [(0, 0.0), (0, 0.0)]


@pytest.mark.parametrize("double", [True, False])
def test_rows_that_were_skipped_hold_the_fill_value_as_far_as_they_fit(double: bool) -> None:
    ring = RingBuffer((4, 2), np.float64, double, fill=-1.0)
    ring.new_chunk(rows(0, 4))
    ring.new_chunk(rows(6, 1), index=7)
    assert ring[:, 0].tolist() == [30, -1, -1, 60]
    ring.new_chunk(rows(1000, 2), index=1002)
    assert (ring.index(), ring.first_index()) == (1002, 998)
    assert ring[:, 0].tolist() == [-1, -1, 10000, 10010]
    ring.new_chunk(rows(0, 0), index=1003)
    assert ring[:, 0].tolist() == [-1, 10000, 10010, -1]


@pytest.mark.parametrize(
    ("data", "index", "error", "text"),
    [
        (rows(0, 5), None, ValueError, "5 rows at once, it holds 4"),
        (rows(0, 1).astype(np.float32), None, TypeError, "float32"),
        (rows(0, 2, channels=3), None, ValueError, r"\(2, 3\)"),
        (rows(0, 2)[:, 0], None, ValueError, r"\(2,\)"),
        (rows(0, 2), 4, ValueError, "at least 5"),
        (rows(0, 2), -1, ValueError, "at least 5"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    data: Any, index: int | None, error: type[Exception], text: str
) -> None:
    ring = RingBuffer((4, 2), np.float64)
    ring.new_chunk(rows(0, 3))
    before = ring[:].copy()
    with pytest.raises(error, match=text):
        ring.new_chunk(data, index)
    assert ring.index() == 3
    np.testing.assert_array_equal(ring[:], before)
    ring.new_chunk(rows(3, 1))
    assert ring[-1, 0] == 30


def test_reset_begins_anew_with_the_fill_value() -> None:
    ring = RingBuffer((4, 2), np.float64)
    ring.new_chunk(rows(0, 4))
    ring.reset_index()
    assert (ring.index(), ring.first_index()) == (0, -4)
    assert np.isnan(ring[:]).all()


def test_a_double_ring_never_copies_and_a_single_one_only_across_its_end() -> None:
    for double in (True, False):
        ring = RingBuffer((4, 2), np.float64, double)
        ring.new_chunk(rows(0, 3))
        ring.new_chunk(rows(3, 3))
        inside, across = ring.get_data(4, 6), ring.get_data(2, 6)
        up_to_its_end = ring.get_data(2, 4)
        assert not inside.flags.writeable
        ring.new_chunk(rows(90, 4))
        assert bool(across[-1, 0] == 50) is (not double)  # a copy stays, a view is overwritten
        assert up_to_its_end[-1, 0] == 910
        copied = ring.get_data(6, 10, copy=True)
        ring.new_chunk(rows(0, 4))
        assert copied[:, 0].tolist() == [900, 910, 920, 930]


@pytest.mark.parametrize("axisorder", list(permutations(range(3))))
@pytest.mark.parametrize("double", [True, False])
def test_the_axes_lie_in_memory_as_asked_and_are_read_as_given(axisorder: tuple[int, ...], double: bool) -> None:
    ring = RingBuffer((4, 2, 3), np.int32, double, axisorder=axisorder)
    data = np.arange(36, dtype=np.int32).reshape(6, 2, 3)
    ring.new_chunk(data[:3])
    ring.new_chunk(data[3:])
    for found in (ring[:], ring.get_data(2, 6, copy=True), ring.get_data(3, 5)):
        by_memory = sorted(range(3), key=lambda axis: -found.strides[axis])
        assert tuple(by_memory) == axisorder
    np.testing.assert_array_equal(ring[:], data[2:])


def test_it_works_in_memory_that_is_handed_in_and_another_reads_it_there() -> None:
    memory = bytearray(RingBuffer.size_bytes((4, 2), np.float64) + 10)
    writer = RingBuffer((4, 2), np.float64, buffer=memory)
    reader = RingBuffer((4, 2), np.float64, buffer=memoryview(memory).toreadonly(), begin=False)
    writer.new_chunk(rows(0, 3))
    writer.new_chunk(rows(3, 3))
    assert reader.index() == 6
    assert reader[:, 0].tolist() == [20, 30, 40, 50]
    assert reader.holds(2)
    writer.new_chunk(rows(6, 1))
    assert not reader.holds(2)
    with pytest.raises(ValueError, match="read-only"):
        reader.new_chunk(rows(7, 1))
    with pytest.raises(ValueError, match="read-only"):
        reader.reset_index()
    with pytest.raises(ValueError, match="read-only"):
        RingBuffer((4, 2), np.float64, buffer=bytes(memory))
    with pytest.raises(ValueError, match="bytes"):
        RingBuffer((5, 2), np.float64, buffer=memory)
    with pytest.raises(ValueError, match="begin=False"):
        RingBuffer((5, 2), np.float64, begin=False)


class Interrupted(RingBuffer):
    """Stops in the middle of a write: what a reader in another process may see."""

    interrupted = False

    def _store(self, start: int, stop: int, data: Any) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        super()._store(start, stop, data)


def test_a_write_under_way_is_announced_before_the_first_row_is_overwritten() -> None:
    ring = Interrupted((4, 2), np.float64)
    ring.new_chunk(rows(0, 4))
    assert ring.holds(0)
    ring.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        ring.new_chunk(rows(4, 2))
    assert ring.index() == 4  # not readable yet
    assert not ring.holds(1)  # but on its way out
    assert ring.holds(2)


@pytest.mark.parametrize("shape", [(), (0, 2), (4, 0), (-1,)])
def test_shapes_that_cannot_be_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="positive"):
        RingBuffer(shape, np.float64)


def test_dtypes_and_orders_that_cannot_be_are_refused() -> None:
    with pytest.raises(TypeError, match="memory"):
        RingBuffer((4,), object)
    with pytest.raises(ValueError, match="axisorder"):
        RingBuffer((4, 2), np.float64, axisorder=(0, 0))
