"""What a card is given to play: the samples' conversion, and the buffer between two threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.playback import PlayBuffer, as_played
from axonlike.streams.chunk import Chunk, StreamInfo


def played(data: Any, format: str, channels: int = 1, dtype: str = "float32", **more: Any) -> tuple[list[Any], int]:
    array = np.asarray(data, dtype)
    info = StreamInfo(kind="analog", dtype=array.dtype, shape=array.shape[1:], sample_rate_hz=1000, **more)
    result, clipped = as_played(Chunk(array, info), format, channels)
    assert result.dtype == format
    assert result.flags.c_contiguous
    return result.tolist(), clipped


def test_floats_are_full_scale_at_1_and_what_is_beyond_is_clipped_and_counted() -> None:
    data = [[0.0], [0.5], [-1.0], [1.0], [1.5], [-7.0], [np.nan], [np.inf]]
    assert played(data, "int16") == ([[0], [16384], [-32768], [32767], [32767], [-32768], [0], [32767]], 4)
    assert played(data, "float32") == ([[0.0], [0.5], [-1.0], [1.0], [1.0], [-1.0], [0.0], [1.0]], 4)
    assert played([[0.5], [-1.0], [1.0]], "int32") == ([[2**30], [-(2**31)], [2**31 - 1]], 0)


def test_integers_of_the_cards_own_are_handed_on_bit_for_bit() -> None:
    data = [[-32768, 32767], [1, -2]]
    for scale in (None, 2.0**-15):
        assert played(data, "int16", 2, "int16", scale=scale) == (data, 0)


def test_other_integers_are_full_scale_at_their_range() -> None:
    assert played([[-128], [64]], "int16", dtype="int8") == ([[-32768], [16384]], 0)
    assert played([[0], [128], [192]], "int16", dtype="uint8") == ([[-32768], [0], [16384]], 0)
    assert played([[16384]], "float32", dtype="int16") == ([[0.5]], 0)


def test_scale_and_offset_lead_to_full_scale() -> None:
    assert played([[100, 100]], "float32", 2, "int16", scale=(0.01, 0.005), offset=(-0.5, 0.0)) == ([[0.5, 0.5]], 0)
    assert played([[100]], "int16", dtype="int16", offset=-50.0, scale=1 / 100) == ([[-32768]], 1)


def test_one_channel_is_played_on_all_and_rows_that_are_single_values_are_one_channel() -> None:
    assert played([0.25, -0.25], "float32", 2) == ([[0.25, 0.25], [-0.25, -0.25]], 0)


def test_no_rows_are_no_rows() -> None:
    assert played(np.empty((0, 2)), "int16", 2) == ([], 0)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=100),
    st.integers(1, 40),
)
def test_whatever_is_put_comes_out_once_and_in_order_with_silence_between(
    turns: list[tuple[bool, int]], prefill: int
) -> None:
    buffer = PlayBuffer(2, prefill)
    put, taken, missing = 0, bytearray(), 0
    for is_put, rows in turns:
        if is_put:
            buffer.put(np.arange(put + 1, put + rows + 1, dtype="<u2").tobytes())
            put += rows
        else:
            data, over = buffer.take(rows)
            assert len(data) == 2 * rows
            assert not over
            taken += data
    buffer.finish()
    data, over = buffer.take(put + 1)
    assert over
    taken += data
    values = np.frombuffer(bytes(taken), "<u2")
    assert values[values > 0].tolist() == list(range(1, put + 1))
    assert buffer.played_rows == put
    assert buffer.rows == 0
    assert missing <= buffer.underrun_rows


def test_it_waits_until_there_is_enough_at_first_and_after_it_ran_empty() -> None:
    buffer = PlayBuffer(1, 4)
    buffer.put(b"abc")
    assert buffer.take(2) == (b"\0\0", False)
    assert (buffer.underruns, buffer.underrun_rows) == (0, 0)  # it has not begun
    buffer.put(b"d")
    assert buffer.take(6) == (b"abcd\0\0", False)
    assert (buffer.underruns, buffer.underrun_rows) == (1, 2)
    buffer.put(b"e")
    assert buffer.take(2) == (b"\0\0", False)
    assert (buffer.underruns, buffer.underrun_rows) == (1, 4)
    buffer.put(b"fgh")
    assert buffer.take(3) == (b"efg", False)
    buffer.finish()
    assert buffer.take(3) == (b"h\0\0", True)
    assert buffer.underruns == 1


def test_at_the_end_even_less_than_enough_is_played() -> None:
    buffer = PlayBuffer(1, 100)
    buffer.put(b"abc")
    buffer.finish()
    assert buffer.take(2) == (b"ab", False)
    assert buffer.take(2) == (b"c\0", True)


@pytest.mark.parametrize("prefill", [1, 100])
def test_a_buffer_that_ends_empty_is_over_at_once(prefill: int) -> None:
    buffer = PlayBuffer(1, prefill)
    buffer.finish()
    assert buffer.take(3) == (b"\0\0\0", True)
