"""Chunk, StreamInfo, Continuity: what is refused, what is kept, what shows."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.errors import UsageError
from axonlike.streams.chunk import EVENT, Axis, Chunk, Continuity, StreamInfo, join
from axonlike.streamtype import StreamMismatch, StreamType

EEG = StreamInfo(
    kind="analog", dtype=np.dtype(np.float32), shape=(2,), sample_rate_hz=1000, units="uV",
    channel_names=("C3", "C4"), name="EEG", facts={"gain": 24},
)  # fmt: skip


def chunk(rows: int = 4, index: int = 0, time_ns: int | None = None, info: StreamInfo = EEG) -> Chunk:
    return Chunk(np.arange(2 * rows, dtype=np.float32).reshape(rows, 2), info, index, time_ns)


# -- StreamInfo


def test_what_is_given_loosely_is_kept_strictly() -> None:
    info = StreamInfo(
        kind="analog", dtype="int16", shape=[2], sample_rate_hz=250, channel_names=["a", "b"],
        scale=np.float32(0.5), offset=[1, 2],  # type: ignore[arg-type]
    )  # fmt: skip
    assert info.dtype == np.dtype(np.int16)
    assert info.shape == (2,)
    assert type(info.sample_rate_hz) is float
    assert info.channel_names == ("a", "b")
    assert info.scale == 0.5
    assert type(info.scale) is float
    assert info.offset == (1.0, 2.0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "sound"}, "there is no kind 'sound'"),
        ({"dtype": "float33"}, "'float33' is no dtype"),
        ({"dtype": object}, "Python objects"),
        ({"dtype": np.dtype([("a", "O")])}, "Python objects"),
        ({"shape": (0,)}, "positive"),
        ({"shape": (-1, 2)}, "positive"),
        ({"sample_rate_hz": -1}, "sample_rate_hz"),
        ({"sample_rate_hz": float("nan")}, "sample_rate_hz"),
        ({"sample_rate_hz": float("inf")}, "sample_rate_hz"),
        ({"channel_names": ("a",)}, "1 channel names for rows of shape"),
        ({"shape": (), "channel_names": ("a",)}, "1 channel names"),
        ({"scale": (1.0, 2.0, 3.0)}, "scale has 3 values"),
        ({"offset": ()}, "offset has 0 values"),
    ],
)
def test_what_is_no_stream_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        EEG.replace(**changes)


def test_equal_streams_are_equal_and_hash_alike_whatever_their_facts() -> None:
    same, other = EEG.replace(), EEG.replace(facts={"gain": 12})
    assert same == EEG
    assert hash(same) == hash(EEG) == hash(other)
    assert other != EEG
    assert EEG.replace(units="V") != EEG


def test_facts_cannot_be_changed_and_are_not_the_senders_dict() -> None:
    facts = {"gain": 24}
    info = EEG.replace(facts=facts)
    facts["gain"] = 1
    assert info.facts["gain"] == 24
    with pytest.raises(TypeError):
        info.facts["gain"] = 2  # type: ignore[index]


@pytest.mark.parametrize(
    "info",
    [
        EEG,
        StreamInfo(kind="events", dtype=EVENT),
        StreamInfo(kind="spectrum", dtype=np.dtype(">f4"), shape=(8,), axis=Axis("frequency", "Hz", 1e9, 122.5)),
        EEG.replace(scale=(1.0, 2.0), offset=-1.0),
    ],
)
def test_it_survives_pickling_and_copying(info: StreamInfo) -> None:
    assert pickle.loads(pickle.dumps(info)) == info == copy.deepcopy(info)
    assert StreamInfo.from_dict(info.as_dict()) == info


def test_it_says_what_a_box_would_have_to_say() -> None:
    assert EEG.type == StreamType("analog", "float32", 2, 1000.0, "uV")
    assert EEG.replace(dtype=">f4").type.dtype == "float32"
    events = StreamInfo(kind="events", dtype=EVENT)
    assert (events.type.dtype, events.channels, events.row_bytes) == (None, 1, 20)
    assert (EEG.channels, EEG.row_bytes) == (2, 8)


def test_check_names_the_place_the_stream_and_both_values() -> None:
    EEG.check(None, "there")
    EEG.check(StreamType(kind=("analog", "digital"), channels=2), "there")
    with pytest.raises(StreamMismatch, match=r"^Scope.inbox: the stream EEG has kind analog, wanted spectrum or iq\n"):
        EEG.check(StreamType(kind=("spectrum", "iq")), "Scope.inbox")
    with pytest.raises(StreamMismatch, match="stream without a name has units none, wanted dBm"):
        EEG.replace(name="", units="").check(StreamType(units="dBm"), "X")


def test_an_axis_gives_the_value_of_each_place() -> None:
    np.testing.assert_array_equal(Axis("frequency", "Hz", 100.0, 2.5).values(3), [100.0, 102.5, 105.0])


# -- Chunk


def test_its_array_is_read_only_and_not_copied() -> None:
    data = np.zeros((3, 2), np.float32)
    made = Chunk(data, EEG)
    assert np.shares_memory(made.data, data)
    with pytest.raises(ValueError, match="read-only"):
        made.data[0, 0] = 1
    data[0, 0] = 5  # the maker's own array stays as it was: it is the maker's word not to write to it
    assert data.flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((3, 2), np.float64),
        np.zeros((3, 2), ">f4"),
        np.zeros((3, 3), np.float32),
        np.zeros((3,), np.float32),
        np.zeros((3, 2, 1), np.float32),
        np.float32(3),
    ],
)
def test_an_array_of_another_dtype_or_shape_is_refused_with_both(data: Any) -> None:
    with pytest.raises(StreamMismatch, match=r"a chunk of EEG: .* dtype float32 and shape \('rows', 2\)"):
        Chunk(data, EEG)


def test_a_chunk_without_rows_is_one() -> None:
    empty = chunk(0, index=7)
    assert len(empty) == 0
    assert bool(empty)
    assert empty.end == 7
    assert empty.duration_s == 0.0


def test_it_knows_its_end_its_duration_and_the_time_of_each_row() -> None:
    made = chunk(4, 10, 5_000_000_000)
    assert made.end == 14
    assert made.duration_s == 0.004
    assert [made.time_ns_of(row) for row in (0, 1, 4)] == [5_000_000_000, 5_001_000_000, 5_004_000_000]
    assert chunk().time_ns_of(3) is None
    no_rate = chunk(time_ns=5, info=EEG.replace(sample_rate_hz=0))
    assert (no_rate.time_ns_of(0), no_rate.time_ns_of(1), no_rate.duration_s) == (5, None, 0.0)


@given(rows=st.integers(0, 6), start=st.integers(-8, 8), stop=st.integers(-8, 8))
def test_a_part_has_the_rows_the_index_and_the_time_of_a_slice(rows: int, start: int, stop: int) -> None:
    made = chunk(rows, 100, 1_000_000)
    part = made.part(start, stop)
    np.testing.assert_array_equal(part.data, made.data[start:stop])
    if len(part):
        assert np.shares_memory(part.data, made.data)
        first = made.data.tolist().index(part.data[0].tolist())
        assert part.index == 100 + first
        assert part.time_ns == made.time_ns_of(first)


def test_other_data_at_the_same_place() -> None:
    made = chunk(2, 10, 99)
    other = made.with_data(np.zeros((2, 2), np.float32))
    assert (other.index, other.time_ns, other.info) == (10, 99, EEG)
    wider = made.with_data(np.zeros((2, 2)), EEG.replace(dtype=np.float64))
    assert wider.info.dtype == np.float64


def test_its_repr_says_which_rows_of_what() -> None:
    assert repr(chunk(4, 10)) == "<Chunk of EEG: rows 10..14 of analog, float32 (2,)>"


def test_chunks_that_follow_each_other_are_joined() -> None:
    whole = join([chunk(4, 10, 7), chunk(0, 14), chunk(2, 14, info=EEG.replace())])
    assert (whole.index, whole.end, whole.time_ns) == (10, 16, 7)
    assert whole.data[:, 0].tolist() == [0, 2, 4, 6, 0, 2]
    single = chunk()
    assert join([single]) is single


@pytest.mark.parametrize("second", [chunk(2, 15), chunk(2, 13), chunk(2, 14, info=EEG.replace(units="V"))])
def test_chunks_that_do_not_follow_each_other_are_not_joined(second: Chunk) -> None:
    with pytest.raises(StreamMismatch, match="does not follow"):
        join([chunk(4, 10), second])


def test_nothing_is_not_joined() -> None:
    with pytest.raises(UsageError, match="no chunks"):
        join([])


# -- Continuity


def test_missing_rows_and_restarts_are_counted() -> None:
    seen = Continuity()
    steps = [(100, 4, 0), (104, 0, 0), (104, 4, 0), (110, 4, 2), (114, 4, 0)]
    steps += [(0, 4, -1), (4, 4, 0), (5, 2, -1), (9, 1, 2)]
    assert [seen.missing(chunk(rows, index)) for index, rows, _ in steps] == [wanted for _, _, wanted in steps]
    assert (seen.lost, seen.gaps, seen.restarts) == (4, 2, 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_what_is_lost_is_the_sum_of_all_gaps(pieces: list[tuple[int, int]]) -> None:
    seen, index, lost = Continuity(), 1000, 0
    for number, (gap, rows) in enumerate(pieces):
        index += gap
        lost += gap if number else 0
        seen.missing(chunk(rows, index))
        index += rows
    assert seen.lost == lost
    assert seen.restarts == 0
