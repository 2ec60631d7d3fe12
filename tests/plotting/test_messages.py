"""What a calculation and its viewers say to each other: nothing is lost on the way, and nothing false gets in."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from axonlike.errors import UsageError
from axonlike.plotting.messages import (
    BadMessage,
    Counters,
    Did,
    Drawn,
    Ended,
    Failed,
    Frame,
    MessageTooLong,
    Other,
    Panel,
    PlotterName,
    Ready,
    Set,
    Values,
    Welcome,
    copied,
    decode,
    encode,
)
from axonlike.plotting.params import Param
from axonlike.streams.chunk import Axis, Chunk, StreamInfo

FROM_CALCULATION = [
    Welcome(
        title="relax",
        pid=7,
        fps=10.0,
        hold=True,
        controls=False,
        panels={"e": Panel("history", units="J", log_y=True)},
        params={"dt": Param(0.1, 0.01, 1.0, log=True, units="s")},
        values={"dt": 0.5},
        history={"e": np.array([[1.0, 2.0], [3.0, np.inf]])},
        plotter=PlotterName("__main__", "Own", "/a.py", ("/a",)),
    ),
    Frame(3, 14, 2.5, (1, "x"), {"y": None}, Counters(5, 4, 3, 2, 1, 0.5, 1)),
    Values({"dt": 2.0}),
    Ended("has ended", hold=True),
]
FROM_VIEWER = [
    Ready("web"),
    Drawn(3),
    Did("click", panel="e", x=1.5, y=-2.0, button=1),
    Set("dt", 0.25),
    Failed("no screen"),
]


def is_same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, float | complex):
        return type(a) is type(b) and (a == b or repr(a) == repr(b))
    return bool(a == b) and type(a) is type(b)


def there_and_back(value: Any, **options: Any) -> Any:
    frame = decode(encode(Frame(1, args=(value,)), private=options.get("private", False)), **options)
    assert isinstance(frame, Frame)
    return frame.args[0]


@pytest.mark.parametrize("message", FROM_CALCULATION, ids=lambda message: type(message).__name__)
def test_what_a_calculation_says_arrives(message: Any) -> None:
    back = decode(encode(message))
    assert type(back) is type(message)
    for name in message.__struct_fields__:
        assert is_same(getattr(message, name), getattr(back, name)), name


@pytest.mark.parametrize("message", FROM_VIEWER, ids=lambda message: type(message).__name__)
def test_what_a_viewer_says_arrives(message: Any) -> None:
    assert decode(encode(message), from_viewer=True) == message


@pytest.mark.parametrize("message", FROM_CALCULATION, ids=lambda message: type(message).__name__)
def test_a_viewer_cannot_say_what_only_a_calculation_says(message: Any) -> None:
    with pytest.raises(BadMessage):
        decode(encode(message), from_viewer=True)


@pytest.mark.parametrize("message", FROM_VIEWER, ids=lambda message: type(message).__name__)
def test_a_calculation_cannot_say_what_only_a_viewer_says(message: Any) -> None:
    with pytest.raises(BadMessage):
        decode(encode(message))


DTYPES = st.sampled_from(["<f8", ">f4", "<i2", "|u1", "<c16", "|b1", "<f2", ">i8"]).map(np.dtype)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
FIELDS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(PLAIN)
def test_any_plain_value_arrives_as_it_was_when_it_was_copied(value: Any) -> None:
    assert is_same(there_and_back(copied(value)), value)


@given(FIELDS, st.booleans(), st.booleans(), st.booleans())
def test_no_order_of_axes_changes_an_array(array: Any, turned: bool, up: bool, left: bool) -> None:
    view = array[:: -1 if up else 1, :: -1 if left else 1]
    view = view.T if turned else view
    assert is_same(there_and_back(view), view)


def test_arrays_that_come_in_are_read_only() -> None:
    assert not there_and_back(np.zeros(3)).flags.writeable


def test_a_copy_does_not_change_with_the_original() -> None:
    array, inner = np.zeros(3), [np.zeros(2), {"a": np.zeros(1)}]
    now = copied((array, inner))
    array[:] = 7
    inner[0][:] = 7  # type: ignore[index]
    inner[1]["a"][:] = 7  # type: ignore[index]
    inner.append(np.ones(1))
    assert is_same(now, (np.zeros(3), [np.zeros(2), {"a": np.zeros(1)}]))


class Thing:
    """What only its own program knows."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"Thing({self.number})"


class Foreign:
    """An array of another library."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.arange(3.0)


def test_what_numpy_can_read_becomes_an_array() -> None:
    assert is_same(copied(Foreign()), np.arange(3.0))
    assert is_same(copied(np.float32(1.5)), 1.5)
    assert is_same(copied(np.ma.masked_array([1.0, 2.0], [False, True])), np.array([1.0, np.nan]))


def test_an_object_goes_to_a_viewer_of_our_own_as_it_was_at_the_call() -> None:
    thing = Thing(1)
    now = copied(thing)
    thing.number = 2
    assert there_and_back(now, private=True).number == 1


def test_an_object_goes_to_other_viewers_as_text() -> None:
    got = there_and_back(copied(Thing(1)))
    assert isinstance(got, Other)
    assert "Thing(1)" in got.text
    assert b"\x80\x05" not in encode(Frame(1, args=(copied(Thing(1)),)))


def test_what_cannot_be_pickled_is_told_of() -> None:
    text = there_and_back(copied(lambda: 0), private=True).text
    assert "cannot be sent" in text


class Evil:
    """Would say so if anybody made it again."""

    def __reduce__(self) -> Any:
        return _went_off, ()


def _went_off() -> None:
    WENT_OFF.append(1)


WENT_OFF: list[int] = []


def test_nothing_is_unpickled_but_from_our_own_calculation() -> None:
    blob = encode(Frame(1, args=(copied(Evil()),)), private=True)
    frame = decode(blob)
    assert isinstance(frame, Frame)
    assert isinstance(frame.args[0], Other)
    for data in (pickle.dumps(Evil()), blob):
        with pytest.raises(BadMessage):
            decode(data, from_viewer=True)
    assert not WENT_OFF
    decode(blob, private=True)
    assert WENT_OFF.pop() == 1  # so the test would have seen it


def test_half_of_a_surrogate_pair_does_not_break_a_frame() -> None:
    frame = decode(encode(Frame(1, args=("a\ud800b",), kwargs={"\udcff": 1})))
    assert isinstance(frame, Frame)
    assert (frame.args, frame.kwargs) == (("a?b",), {"?": 1})


def test_a_chunk_says_what_it_is() -> None:
    info = StreamInfo(
        kind="spectrum", dtype="f4", shape=(3,), sample_rate_hz=10.0, units="dBm", axis=Axis("f", "Hz", 5.0, 2.0)
    )
    chunk = there_and_back(Chunk(np.ones((2, 3), "f4"), info))
    assert isinstance(chunk, Chunk)
    assert (chunk.info.kind, chunk.info.units, chunk.info.axis) == ("spectrum", "dBm", Axis("f", "Hz", 5.0, 2.0))
    assert np.array_equal(chunk.data, np.ones((2, 3)))


def forged(change: Any, *, tail: bytes = b"") -> bytes:
    blob = encode(Frame(1, args=(np.arange(4.0),)))
    length = int.from_bytes(blob[8:12], "big")
    header = json.loads(blob[12 : 12 + length])
    change(header)
    body = json.dumps(header).encode()
    at = 12 + len(body)
    return blob[:8] + len(body).to_bytes(4, "big") + body + bytes(-at % 8) + np.arange(4.0).tobytes() + tail


def test_a_forged_header_that_changes_nothing_is_read() -> None:
    assert isinstance(decode(forged(lambda header: None)), Frame)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["args"][0].update(array=["|O", [4], [0], 0]),
        lambda h: h["args"][0].update(array=["<f8", [5], [0], 0]),
        lambda h: h["args"][0].update(array=["<f8", [-4], [0], 0]),
        lambda h: h["args"][0].update(array=["<f8", [2**60, 2**60], [0, 1], 0]),
        lambda h: h["args"][0].update(array=["<f8", [4], [1], 0]),
        lambda h: h["args"][0].update(array=["<f8", [4], [0], 1]),
        lambda h: h["args"][0].update(array=["<f8", [1] * 40, [*range(40)], 0]),
        lambda h: h.update(args=[{"eval": "1"}]),
        lambda h: h.update(args={"a": 1}),
        lambda h: h.update(buffers=[32, 8]),
        lambda h: h.update(buffers=[24]),
        lambda h: h.update(buffers=["x"]),
        lambda h: h.update(number=-1),
        lambda h: h.update({"is": "nothing"}),
        lambda h: h.update(more=1),
        lambda h: h.update(args=json.loads("[" * 200 + "]" * 200)),
    ],
)
def test_what_contradicts_itself_is_refused(change: Any) -> None:
    with pytest.raises(BadMessage):
        decode(forged(change))


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    for blob in (data, b"AXPL\x01\0\0\0" + data, b"AXPL\x01\0\0\0" + len(data).to_bytes(4, "big") + data):
        with pytest.raises(BadMessage):
            decode(blob)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_changed_byte_does_more_than_change_a_value(at: int, byte: int) -> None:
    blob = bytearray(encode(Frame(1, args=(np.arange(4.0), {"a": "b"}))))
    blob[at % len(blob)] = byte
    try:
        assert isinstance(decode(bytes(blob)), Frame)
    except BadMessage:
        pass


def test_what_is_cut_off_is_refused_everywhere() -> None:
    blob = encode(Frame(1, args=(np.arange(4.0),)))
    for length in range(len(blob)):
        with pytest.raises(BadMessage):
            decode(blob[:length])


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(MessageTooLong):
        decode(encode(Frame(1, args=(np.zeros(1000),))), limit_bytes=8000)
    with pytest.raises(MessageTooLong):
        decode(encode(Did("key", key="x" * 20_000)), from_viewer=True)


def test_every_array_begins_at_a_multiple_of_eight_bytes() -> None:
    blob = encode(Frame(1, kwargs={"a": np.arange(3, dtype="u1"), "bb": np.arange(5.0)}))
    assert blob.index(np.arange(5.0).tobytes()) % 8 == 0


@pytest.mark.parametrize(
    "wrong", [{"kind": "pie"}, {"x_step": 0.0}, {"x_start": float("nan")}, {"low": 2.0, "high": 1.0}]
)
def test_a_panel_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match="Panel"):
        Panel(**wrong)
