"""Convert: engineering = offset + scale * raw in both directions; integers are rounded and limited, and counted."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from axonlike.components.dsp.convert import Convert
from axonlike.errors import UsageError
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import Probe, check_component

INTEGERS = ("i1", "u1", "<i2", ">i2", "u2", "i4", ">u4", "i8", "u8")
FLOATS = ("f2", "<f4", ">f4", "f8")


def stream(dtype: Any, channels: int = 2, **more: Any) -> StreamInfo:
    return StreamInfo(kind="analog", dtype=np.dtype(dtype), shape=(channels,), units="uV", **more)


def converted(values: Any, info: StreamInfo, block: Convert) -> Chunk:
    data = np.asarray(values, info.dtype).reshape(-1, *info.shape)
    before = data.copy()
    (found,) = block.feed(Chunk(data, info, 10, 99))
    assert (found.index, found.time_ns) == (10, 99)
    np.testing.assert_array_equal(data, before)  # what came in is others' too
    assert found.info.units == "uV"
    return found


def test_raw_to_engineering_and_back() -> None:
    raw = stream("<i2", scale=0.5, offset=-10.0)
    values = [[0, 1], [-32768, 32767], [100, -100]]
    engineering = converted(values, raw, Convert(to="engineering"))
    assert engineering.info == raw.replace(dtype=np.float32, scale=None, offset=None)
    np.testing.assert_array_equal(engineering.data, np.array(values) * 0.5 - 10)
    back = converted(engineering.data, engineering.info, Convert(to="raw", dtype="<i2", scale=0.5, offset=-10.0))
    assert back.info == raw
    np.testing.assert_array_equal(back.data, values)


def test_each_channel_has_its_own_scale_and_offset() -> None:
    raw = stream("i4", scale=(2.0, 3.0), offset=(0.0, 100.0))
    found = converted([[1, 1], [2, 2]], raw, Convert(to="engineering"))
    assert found.data.tolist() == [[2, 103], [4, 106]]
    assert found.data.dtype == np.float64
    block = Convert(to="raw", dtype="i4", scale=[2.0, 3.0], offset=[0.0, 100.0])  # type: ignore[arg-type]
    back = converted(found.data, found.info, block)
    assert back.data.tolist() == [[1, 1], [2, 2]]
    assert back.info == raw


def test_they_meet_the_first_axis_of_a_row_whatever_follows_it() -> None:
    info = StreamInfo(kind="map", dtype=np.dtype("i2"), shape=(2, 3), scale=(1.0, 10.0))
    (found,) = Convert(to="engineering").feed(Chunk(np.ones((1, 2, 3), "i2"), info))
    assert found.data.tolist() == [[[1, 1, 1], [10, 10, 10]]]


def test_the_radios_iq_becomes_full_scale() -> None:
    info = StreamInfo(kind="iq", dtype=np.dtype(">i2"), shape=(2,), scale=1 / 8192, units="FS")
    (found,) = Convert(to="engineering").feed(Chunk(np.array([[8192, -4096]], ">i2"), info))
    assert found.data.tolist() == [[1.0, -0.5]]
    assert found.data.dtype == np.float32


def test_a_given_scale_stands_in_place_of_the_streams() -> None:
    found = converted([[10, 20]], stream("i2", scale=7.0, offset=1.0), Convert(to="engineering", scale=2.0))
    assert found.data.tolist() == [[21, 41]]


@given(
    source=st.sampled_from(INTEGERS), target=st.sampled_from(INTEGERS + FLOATS), data=st.data(),
)  # fmt: skip
def test_integers_in_any_dtype_are_the_same_or_limited_and_counted(
    source: str, target: str, data: st.DataObject
) -> None:
    values = data.draw(npst.arrays(np.dtype(source), (6, 2)))
    block = Convert(dtype=target)
    found = converted(values, stream(source), block)
    assert found.data.dtype == np.dtype(target)
    if np.dtype(target).kind == "f":
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(found.data, values.astype(target))
        assert block.saturated == np.count_nonzero(np.isinf(found.data))
        return
    limits = np.iinfo(np.dtype(target))
    wanted = [[min(max(int(v), int(limits.min)), int(limits.max)) for v in row] for row in values]
    assert found.data.tolist() == wanted
    assert block.saturated == sum(int(v) != w for vs, ws in zip(values, wanted) for v, w in zip(vs, ws))


@given(source=st.sampled_from(FLOATS), target=st.sampled_from(INTEGERS), data=st.data())
def test_floats_as_integers_are_rounded_limited_and_counted(source: str, target: str, data: st.DataObject) -> None:
    elements = st.floats(width=np.dtype(source).itemsize * 8)  # type: ignore[arg-type]
    values = data.draw(npst.arrays(np.dtype(source), (4, 2), elements=elements))
    block = Convert(dtype=target)
    found = converted(values, stream(source), block)
    limits = np.iinfo(np.dtype(target))
    saturated = 0
    for value, got in zip(values.ravel().tolist(), found.data.ravel().tolist()):
        if value != value:
            wanted, saturated = 0, saturated + 1
        elif not int(limits.min) - 0.5 <= value <= int(limits.max) or round_even(value) > limits.max:
            wanted, saturated = int(limits.min if value < 0 else limits.max), saturated + 1
        else:
            wanted = round_even(value)
        # The largest integers of 64 bits are no float64: the nearest below is taken.
        assert got == wanted or (np.dtype(target).itemsize == 8 and got == largest_float(limits.max) < wanted)
    assert block.saturated == saturated


def round_even(value: float) -> int:
    return round(value)


def largest_float(limit: int) -> int:
    return int(np.nextafter(np.float64(limit), 0))


def test_floats_that_are_too_large_are_infinite_and_counted() -> None:
    block = Convert(dtype="f4")
    found = converted([[1e300, -1e300], [np.inf, np.nan], [1.0, 2.0]], stream("f8"), block)
    np.testing.assert_array_equal(found.data, np.array([[np.inf, -np.inf], [np.inf, np.nan], [1, 2]], "f4"))
    assert block.saturated == 2
    block = Convert(to="engineering", dtype="f4", scale=1e30)
    assert converted([[1e30, 1.0]], stream("f4"), block).data.tolist() == [[np.inf, np.float32(1e30)]]
    assert block.saturated == 1


@pytest.mark.parametrize("target", ["i1", "u2", "<i4", "u4", "i8", "u8"])
def test_what_does_not_fit_is_limited_counted_and_told_once(target: str, caplog: pytest.LogCaptureFixture) -> None:
    block = Convert(dtype=target)
    with caplog.at_level(logging.WARNING, "axonlike"):
        found = converted([[1e30, -1e30], [np.inf, -np.inf], [np.nan, 1.0]], stream("f8"), block)
        converted([[np.nan, 0.0]], stream("f8"), block)
    limits = np.iinfo(np.dtype(target))
    assert int(found.data[0, 1]) == limits.min == int(found.data[1, 1])
    assert int(found.data[0, 0]) == int(found.data[1, 0]) >= limits.max - 2048
    assert found.data[2].tolist() == [0, 1]
    assert block.saturated == 6
    assert len(caplog.records) == 1


def test_the_largest_values_that_fit_are_not_counted() -> None:
    block = Convert(dtype="i1")
    assert converted([[127.0, 1000.0], [-128.0, 128.0]], stream("f4"), block).data.tolist() == [[127, 127], [-128, 127]]
    assert block.saturated == 2


def test_halves_are_rounded_to_the_even_one() -> None:
    found = converted([[0.5, 1.5], [2.5, -0.5], [-1.5, 126.5]], stream("f4"), Convert(dtype="i1"))
    assert found.data.tolist() == [[0, 2], [2, 0], [-2, 126]]


@given(
    values=npst.arrays(np.int16, (8, 2)), scale=st.sampled_from([1 / 8192, 0.1, -3.0, 1e-6]), offset=st.floats(-1, 1)
)
def test_there_and_back_gives_the_raw_values(values: Any, scale: float, offset: float) -> None:
    raw = stream("i2", scale=scale, offset=offset * abs(scale) * 1000)
    there = converted(values, raw, Convert(to="engineering", dtype="f8"))
    block = Convert(to="raw", dtype="i2", scale=raw.scale, offset=raw.offset)
    np.testing.assert_array_equal(converted(there.data, there.info, block).data, values)
    assert block.saturated == 0


FACTORS = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6) | st.sampled_from([0.1, 1.0, -1.0, 1 / 8192])
OFFSETS = st.floats(-1e9, 1e9) | st.sampled_from([0.0, -3.5, 1e-9])


@given(
    source=st.sampled_from(["f2", "<f4", ">f4", "f8", "i2"]), target=st.sampled_from(["i1", "u1", "<i2", ">i2", "i4"]),
    direction=st.sampled_from(["raw", "engineering"]), scales=st.tuples(FACTORS, FACTORS),
    offsets=st.tuples(OFFSETS, OFFSETS), data=st.data(),
)  # fmt: skip
def test_near_the_limits_too_each_value_is_what_the_formula_gives_limited_and_counted(
    source: str, target: str, direction: Any, scales: Any, offsets: Any, data: st.DataObject
) -> None:
    work = np.result_type(source, target, np.float32)
    scale, offset = np.array(scales, work), np.array(offsets, work)
    limits = np.iinfo(np.dtype(target))
    near = data.draw(
        npst.arrays(np.int64, (5, 2), elements=st.sampled_from([int(limits.min), int(limits.max), 0]))
    ) + data.draw(npst.arrays(np.float64, (5, 2), elements=st.floats(-3, 3) | st.sampled_from([0.5, -0.5])))
    with np.errstate(all="ignore"):
        values = (near * scale + offset if direction == "raw" else (near - offset) / scale).astype(source)
        worked = values.astype(work)
        wanted = np.rint((worked - offset) / scale if direction == "raw" else worked * scale + offset)
    if np.dtype(source).kind == "f" and data.draw(st.booleans()):
        values[0, 0], wanted[0, 0] = np.nan, np.nan
    fits = (wanted >= limits.min) & (wanted <= limits.max)
    block = Convert(to=direction, dtype=target, scale=scales, offset=offsets)
    # A chunk in which all fits is not looked at value by value; a row that does not fit must not hide in one.
    for rows in (slice(None), *(slice(row, row + 1) for row in range(5))):
        block.saturated = 0
        found = converted(values[rows], stream(source), block)
        assert block.saturated == np.count_nonzero(~fits[rows])
        limited = np.clip(np.nan_to_num(wanted[rows], nan=0.0), limits.min, limits.max)
        np.testing.assert_array_equal(found.data, limited)


@pytest.mark.parametrize("target", ["f4", "f8", "<i2", "i8"])
@pytest.mark.parametrize("to", [None, "raw", "engineering"])
def test_not_even_a_signalling_nan_makes_numpy_warn(target: str, to: Any) -> None:
    values = np.array([0x7F800001, 0x3F800000], ">u4").view(">f4")  # one of these, and 1.0
    found = converted(values, stream(">f4"), Convert(to=to, dtype=target, **({"scale": 0.5} if to else {})))
    wanted = {None: 1.0, "raw": 2.0, "engineering": 0.5}[to]
    nan = np.nan if target[0] == "f" else 0
    np.testing.assert_array_equal(found.data, np.array([[nan, np.rint(wanted) if nan == 0 else wanted]]))


def test_a_short_chunk_after_a_long_one_and_one_without_rows() -> None:
    block, info = Convert(to="raw", dtype="i2", scale=0.5), stream("f4")
    for rows in (6, 2, 0, 6):
        data = np.arange(2 * rows, dtype="f4").reshape(rows, 2)
        (found,) = block.feed(Chunk(data, info))
        np.testing.assert_array_equal(found.data, data * 2)
        assert not found.data.flags.writeable


def test_what_is_as_wanted_already_goes_on_as_it_is() -> None:
    info = stream("f4")
    chunk = Chunk(np.zeros((3, 2), "f4"), info)
    assert Convert(dtype="f4").feed(chunk) == [chunk]
    assert Convert(to="engineering").feed(chunk) == [chunk]


def test_the_dtype_alone_leaves_scale_and_offset_to_the_receiver() -> None:
    found = converted([[1, 2]], stream("i2", scale=0.5), Convert(dtype="f4"))
    assert found.info.scale == 0.5
    assert found.data.tolist() == [[1, 2]]


def test_complex_samples_are_scaled_and_stay_complex() -> None:
    info = StreamInfo(kind="iq", dtype=np.dtype("c8"), scale=2.0, units="uV")
    found = converted([1 + 1j, 2], info, Convert(to="engineering", dtype="c16"))
    assert found.data.tolist() == [2 + 2j, 4]
    with pytest.raises(StreamMismatch, match="complex"):
        Convert(dtype="f4").feed(Chunk(np.zeros(3, "c8"), info))


@given(st.lists(st.integers(0, 5000), max_size=6))
def test_the_cutting_into_chunks_does_not_matter(cuts: list[int]) -> None:
    values = np.random.default_rng(5).integers(-40000, 40000, (sum(cuts), 2)).astype("i4")
    info = stream("i4", scale=0.3, offset=7.0)
    block = Convert(to="raw", dtype="i2", scale=0.1)
    engineering = Convert(to="engineering")
    whole = block.feed(engineering.feed(Chunk(values, info))[0])[0].data
    saturated, block = block.saturated, Convert(to="raw", dtype="i2", scale=0.1)
    parts, index = [np.empty((0, 2), "i2")], 0
    for rows in cuts:
        (chunk,) = engineering.feed(Chunk(values[index : index + rows], info, index))
        parts += [each.data for each in block.feed(chunk)]
        index += rows
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert block.saturated == saturated


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "which dtype"),
        ({"to": "raw", "dtype": "i2"}, "needs the scale or offset"),
        ({"to": "raw", "scale": 1.0}, "which dtype"),
        ({"dtype": "i2", "scale": 1.0}, "need a direction"),
        ({"dtype": "i2", "to": "volts"}, "'volts'"),
        ({"dtype": "U4"}, "integers or floats"),
        ({"dtype": object}, "integers or floats"),
        ({"dtype": EVENT}, "integers or floats"),
        ({"dtype": "float33"}, "no dtype"),
        ({"to": "engineering", "scale": 0.0}, "not 0"),
        ({"to": "engineering", "scale": float("nan")}, "finite"),
        ({"to": "engineering", "offset": float("inf")}, "finite"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Convert(**options)


def test_streams_to_which_they_do_not_apply_are_refused() -> None:
    with pytest.raises(StreamMismatch, match="raw already"):
        converted([[1, 2]], stream("i2", scale=2.0), Convert(to="raw", dtype="i2", scale=1.0))
    with pytest.raises(StreamMismatch, match="for each of the 3 values"):
        converted([[1, 2]], stream("i2"), Convert(to="engineering", scale=(1.0, 2.0, 3.0)))
    events = StreamInfo(kind="events", dtype=EVENT)
    with pytest.raises(StreamMismatch, match="kind events"):
        Convert(dtype="f4").feed(Chunk(events.empty(1), events))


def test_its_outbox_says_which_dtype_it_sends() -> None:
    class Float32Only(Probe):
        def __init__(self) -> None:
            super().__init__()
            self.specify("inbox", stream=StreamType(dtype="float32"))

    Convert(dtype=">f4").link((block := Convert(dtype=">f4"), "outbox"), (Float32Only(), "inbox"))
    with pytest.raises(StreamMismatch, match="dtype int16, wanted float32"):
        block.link((Convert(dtype="i2"), "outbox"), (Float32Only(), "inbox"))


def test_it_conforms() -> None:
    info = stream("i2", scale=0.5)
    messages = [Chunk(np.zeros((3, 2), "i2"), info, 3 * number) for number in range(9)]
    check_component(lambda: Convert(to="engineering"), messages=messages)
