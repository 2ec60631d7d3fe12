"""Chunks to bytes and back: nothing is lost, nothing is copied needlessly, and nothing from outside is trusted."""

from __future__ import annotations

import pickle
import socket
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from axonlike.errors import UsageError
from axonlike.streams.chunk import EVENT, Axis, Chunk, StreamInfo
from axonlike.streams.codec import (
    BadChunk,
    ChunkDecoder,
    ChunkEncoder,
    ChunkStreamDecoder,
    ChunkTooLong,
    CodecError,
    Compression,
    NotDescribed,
    framed,
)

ANALOG = StreamInfo(
    kind="analog", dtype=np.dtype("<i2"), shape=(4,), sample_rate_hz=1000.0, units="uV",
    channel_names=("C3", "C4", "Cz", "Oz"), name="EEG", scale=(0.1, 0.1, 0.1, 0.2), offset=-3.5,
    facts={"amplifier": "BrainAmp", "gains": [1, 2.5], "filter": {"low": None, "notch": True}},
)  # fmt: skip
SPECTRUM = StreamInfo(
    kind="spectrum", dtype=np.dtype("<f4"), shape=(8,), sample_rate_hz=25.0, units="dBm",
    axis=Axis("frequency", "Hz", 2.45e9, 1220.7),
)  # fmt: skip
EVENTS = StreamInfo(kind="events", dtype=EVENT)


def analog(rows: int = 5, index: int = 0, info: StreamInfo = ANALOG) -> Chunk:
    return Chunk(np.arange(rows * 4, dtype=info.dtype).reshape(rows, 4), info, index, 1_700_000_000_000_000_000)


def there_and_back(chunk: Chunk, **options: Any) -> Chunk:
    compression: Compression = options.pop("compression", "")
    header, body = ChunkEncoder(compression=compression, limit_bytes=1 << 26, **options).encode(chunk)
    decoder = ChunkDecoder(limit_bytes=1 << 26, compression=("zlib", "blosc2"))
    return decoder.decode(header, bytes(body))


def assert_same(found: Chunk, sent: Chunk) -> None:
    assert found.info == sent.info
    assert (found.index, found.time_ns) == (sent.index, sent.time_ns)
    assert found.data.dtype == sent.data.dtype
    assert found.data.shape == sent.data.shape
    assert found.data.tobytes() == sent.data.tobytes()
    assert not found.data.flags.writeable


# -- round trips


@pytest.mark.parametrize("compression", ["", "zlib", "blosc2"])
@pytest.mark.parametrize(
    "chunk",
    [
        analog(),
        analog(0),
        analog(2000, index=-(2**40)),
        Chunk(np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 8), SPECTRUM, 7),
        Chunk(np.array([(12, 3, 0.5), (13, 1, np.nan)], EVENT), EVENTS, 2, 5),
        Chunk(np.zeros((0,), EVENT), EVENTS),
    ],
)
def test_a_chunk_comes_back_as_it_was_sent(chunk: Chunk, compression: Compression) -> None:
    assert_same(there_and_back(chunk, compression=compression), chunk)


DTYPES = (
    npst.integer_dtypes(endianness="?") | npst.unsigned_integer_dtypes(endianness="?") | npst.boolean_dtypes()
    | npst.floating_dtypes(sizes=(16, 32, 64), endianness="?") | npst.complex_number_dtypes(sizes=(64, 128))
)  # fmt: skip
STRUCTURED = st.lists(
    st.tuples(DTYPES, st.lists(st.integers(1, 3), max_size=2).map(tuple)), min_size=1, max_size=5
).map(lambda fields: np.dtype([(f"f{number}", *field) for number, field in enumerate(fields)]))


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    """Any dtype; axes in any order in memory, backwards, with gaps."""
    dtype = draw(DTYPES | STRUCTURED)
    shape = (draw(st.integers(0, 6)), *draw(st.lists(st.integers(1, 4), max_size=3)))
    order = draw(st.permutations(range(len(shape))))
    gaps = [draw(st.sampled_from([1, 1, 1, 2])) for _ in shape]
    native = np.frombuffer(
        draw(st.randoms(use_true_random=False)).randbytes(
            dtype.itemsize * int(np.prod([shape[axis] * gaps[axis] for axis in order]))
        ),
        dtype,
    ).reshape([shape[axis] * gaps[axis] for axis in order])
    data = native.transpose(np.argsort(order))
    data = data[tuple(slice(None, None, gap) for gap in gaps)]
    data = data[tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in shape)]
    info = StreamInfo(
        kind="video" if dtype.names is None else "events",
        dtype=dtype,
        shape=shape[1:],
        sample_rate_hz=draw(st.floats(0, 1e12)),
        units=draw(st.text(max_size=5)),
        name=draw(st.text(max_size=5)),
        channel_names=tuple(f"c{n}" for n in range(shape[1])) if len(shape) > 1 and draw(st.booleans()) else (),
        scale=draw(st.none() | st.floats(allow_nan=False)),
        facts=draw(st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.text(max_size=3), max_size=3)),
    )
    time_ns = draw(st.none() | st.integers(-(2**63), 2**63 - 1))
    return Chunk(data, info, draw(st.integers(-(2**63), 2**63 - 1)), time_ns)


@given(chunk=chunks(), compression=st.sampled_from(["", "", "zlib", "blosc2"]))
def test_any_chunk_comes_back_with_its_axes_in_memory_as_they_were(chunk: Chunk, compression: Compression) -> None:
    found = there_and_back(chunk, compression=compression)
    assert_same(found, chunk)
    for axis in range(chunk.data.ndim):
        if chunk.data.shape[axis] > 1 and chunk.data.size:
            assert (found.data.strides[axis] < 0) == (chunk.data.strides[axis] < 0)


@pytest.mark.parametrize(
    "view",
    [
        lambda data: data,
        lambda data: data.transpose(0, 2, 1),
        lambda data: data.transpose(2, 1, 0),
        lambda data: data[::-1],
        lambda data: data.transpose(1, 0, 2)[:, ::-1],
        lambda data: data[3:7],
        lambda data: data[3:4].transpose(2, 0, 1),
    ],
)
def test_memory_in_one_piece_is_sent_as_it_lies_in_any_axis_order(view: Any) -> None:
    array = view(np.arange(240, dtype=np.int32).reshape(10, 4, 6))
    chunk = Chunk(array, StreamInfo(kind="map", dtype=array.dtype, shape=array.shape[1:]))
    header, body = ChunkEncoder().encode(chunk)
    assert np.shares_memory(np.frombuffer(body, np.uint8), array)
    found = ChunkDecoder().decode(header, bytes(body)).data
    np.testing.assert_array_equal(found, array)
    long = [axis for axis in range(3) if array.shape[axis] > 1]
    assert [found.strides[axis] for axis in long] == [array.strides[axis] for axis in long]


def test_what_comes_in_is_not_copied_either() -> None:
    header, body = ChunkEncoder().encode(analog())
    received = bytes(body)
    assert np.shares_memory(ChunkDecoder().decode(header, received).data, np.frombuffer(received, np.uint8))


def test_memory_with_gaps_is_packed_and_keeps_its_axis_order() -> None:
    array = np.arange(240, dtype=np.int32).reshape(24, 10)[::2, ::2].T
    chunk = Chunk(array, StreamInfo(kind="analog", dtype=array.dtype, shape=array.shape[1:]))
    found = there_and_back(chunk).data
    np.testing.assert_array_equal(found, array)
    assert found.T.flags.c_contiguous


def test_numpys_numbers_travel_as_pythons() -> None:
    info = ANALOG.replace(facts={"center_hz": np.float32(2.5), "n": np.int64(3), "on": np.True_, "t": (1, 2)})
    data = np.zeros((1, 4), "<i2")
    found = there_and_back(Chunk(data, info, np.int64(5), np.int64(6)))  # type: ignore[arg-type]
    assert dict(found.info.facts) == {"center_hz": 2.5, "n": 3, "on": True, "t": [1, 2]}
    assert (found.index, found.time_ns) == (5, 6)


# -- what the stream is


def test_the_stream_is_described_when_it_changes_and_is_then_the_same_object() -> None:
    encoder, decoder = ChunkEncoder(), ChunkDecoder()
    retuned = ANALOG.replace(facts={"center_frequency_hz": 1e9})
    sent = [analog(index=0), analog(index=5), analog(index=10, info=retuned), analog(index=15, info=retuned)]
    parts = [encoder.encode(chunk) for chunk in sent]
    assert len(parts[1][0]) < len(parts[0][0]) - 100
    found = [decoder.decode(*part) for part in parts]
    assert [chunk.info for chunk in found] == [chunk.info for chunk in sent]
    assert found[0].info is found[1].info is not found[2].info is found[3].info


def test_an_equal_stream_is_no_news() -> None:
    encoder = ChunkEncoder()
    first = encoder.encode(analog())
    again = encoder.encode(analog(info=ANALOG.replace()))
    assert len(again[0]) < len(first[0])


def test_who_joins_late_is_told_if_the_stream_is_always_described() -> None:
    encoder = ChunkEncoder(describe="always")
    encoder.encode(analog())
    decoder = ChunkDecoder()
    one = decoder.decode(*encoder.encode(analog(index=5)))
    two = decoder.decode(*encoder.encode(analog(index=10)))
    assert one.info == ANALOG
    assert two.info is one.info


def test_a_chunk_of_a_stream_that_was_not_described_is_refused_until_it_is() -> None:
    encoder, decoder = ChunkEncoder(), ChunkDecoder()
    encoder.encode(analog())
    with pytest.raises(NotDescribed, match="describe_again"):
        decoder.decode(*encoder.encode(analog(index=5)))
    encoder.describe_again()
    assert decoder.decode(*encoder.encode(analog(index=10))).info == ANALOG
    assert decoder.decode(*encoder.encode(analog(index=15))).info == ANALOG


def test_a_description_that_was_lost_does_not_lend_the_old_one_to_the_new_stream() -> None:
    encoder, decoder = ChunkEncoder(), ChunkDecoder()
    decoder.decode(*encoder.encode(analog()))
    encoder.encode(analog(index=5, info=ANALOG.replace(name="other")))  # lost
    with pytest.raises(NotDescribed):
        decoder.decode(*encoder.encode(analog(index=10, info=encoder._info or ANALOG)))


def test_messages_that_did_not_come_are_counted() -> None:
    encoder, decoder = ChunkEncoder(), ChunkDecoder()
    parts = [encoder.encode(analog(index=5 * number)) for number in range(10)]
    for number in (0, 1, 4, 5, 9):
        decoder.decode(*parts[number])
    assert decoder.missed == 2 + 3
    assert encoder.seq == 10


# -- what cannot be sent


def test_objects_and_padded_fields_and_odd_facts_are_refused_at_the_sender() -> None:
    padded = np.dtype([("a", "<i2"), ("b", "<f8")], align=True)
    nested = np.dtype([("a", [("b", "<i2")])])
    long = np.dtype(np.longdouble)
    for dtype in (padded, nested, long, np.dtype("U4"), np.dtype("M8[ns]")):
        chunk = Chunk(np.zeros(2, dtype), StreamInfo(kind="events", dtype=dtype))
        with pytest.raises(CodecError, match="cannot be sent"):
            ChunkEncoder().encode(chunk)
    for facts in ({"x": object()}, {"x": {1: 2}}, {"x": 2**70}, {"x": b"1"}):
        with pytest.raises(CodecError, match="JSON"):
            ChunkEncoder().encode(analog(info=ANALOG.replace(facts=facts)))


def test_text_of_fixed_length_in_a_field_is_sent() -> None:
    dtype = np.dtype([("sample", "<i8"), ("description", "S16")])
    chunk = Chunk(np.array([(5, b"Stimulus")], dtype), StreamInfo(kind="events", dtype=dtype))
    assert_same(there_and_back(chunk), chunk)


def test_a_chunk_over_the_limit_is_refused_at_both_ends_and_not_counted() -> None:
    encoder = ChunkEncoder(limit_bytes=39)
    with pytest.raises(ChunkTooLong, match="40 bytes, over limit_bytes=39"):
        encoder.encode(analog())
    with pytest.raises(ChunkTooLong, match="header"):
        ChunkEncoder(header_limit_bytes=50).encode(analog())
    assert encoder.seq == 0
    parts = ChunkEncoder().encode(analog())
    with pytest.raises(ChunkTooLong, match="40 bytes, over limit_bytes=39"):
        ChunkDecoder(limit_bytes=39).decode(*parts)
    with pytest.raises(ChunkTooLong, match="header"):
        ChunkDecoder(header_limit_bytes=50).decode(*parts)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="lz4"):
        ChunkEncoder(compression="lz4")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="lz4"):
        ChunkDecoder(compression=("lz4",))
    with pytest.raises(UsageError, match="describe"):
        ChunkEncoder(describe="never")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="level"):
        ChunkEncoder(level=0)


# -- compression


def test_what_does_not_get_shorter_goes_as_it_is() -> None:
    noise = np.frombuffer(np.random.default_rng(1).bytes(4000), "<i2").reshape(500, 4)
    chunk = Chunk(noise, ANALOG)
    _, body = ChunkEncoder(compression="zlib").encode(chunk)
    assert np.shares_memory(np.frombuffer(body, np.uint8), noise)
    _, packed = ChunkEncoder(compression="zlib").encode(analog(1000))
    assert len(packed) < 8000


def test_a_compression_that_was_not_asked_for_is_refused() -> None:
    parts = ChunkEncoder(compression="blosc2").encode(analog(1000))
    with pytest.raises(BadChunk, match="blosc2"):
        ChunkDecoder().decode(*parts)


@pytest.mark.parametrize("compression", ["zlib", "blosc2"])
def test_a_packed_body_that_is_cut_longer_or_changed_is_refused(compression: Compression) -> None:
    header, body = ChunkEncoder(compression=compression).encode(analog(1000))
    packed = bytes(body)
    other = bytes(ChunkEncoder(compression=compression).encode(analog(1001))[1])
    shorter = bytes(ChunkEncoder(compression=compression).encode(analog(999))[1])
    for hostile in (packed[:-1], packed[:20], b"", packed + b"x", other, shorter, b"\xff" * len(packed)):
        with pytest.raises(BadChunk):
            ChunkDecoder(compression=(compression,)).decode(header, hostile)


def test_a_body_that_unpacks_to_far_more_than_it_says_is_not_unpacked() -> None:
    header, _ = ChunkEncoder(compression="zlib").encode(analog(1000))
    bomb = zlib.compress(bytes(1 << 24), 1)
    with pytest.raises(BadChunk, match="takes 8000 bytes, 8001 came"):
        ChunkDecoder().decode(header, bomb)


# -- what comes from outside


def header_of(**changes: Any) -> bytes:
    """A header that was tampered with."""
    header, _ = ChunkEncoder().encode(analog())
    fields = dict(zip(FIELDS, msgspec.msgpack.decode(header[5:])))
    return header[:5] + msgspec.msgpack.encode(list((fields | changes).values()))


FIELDS = ("seq", "index", "time_ns", "dtype", "shape", "order", "compression", "stream", "info")
BODY = bytes(ChunkEncoder().encode(analog())[1])


def test_the_header_that_is_tampered_with_below_is_a_good_one() -> None:
    assert_same(ChunkDecoder().decode(header_of(), BODY), analog())


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "|O"},
        {"dtype": "<O8"},
        {"dtype": "O"},
        {"dtype": "<U4"},
        {"dtype": "i2,f4"},
        {"dtype": "<g16"},
        {"dtype": "|V8"},
        {"dtype": "__import__('os')"},
        {"dtype": "<f4"},
        {"dtype": [["a", "|O"]]},
        {"dtype": [["a", "<i2"], ["a", "<i2"]]},
        {"dtype": [["a", "<i8", [65536, 65536, 65536, 65536]]]},
        {"dtype": [["a", [["b", "<i2"]]]]},
        {"dtype": []},
        {"dtype": 5},
        {"shape": []},
        {"shape": [5]},
        {"shape": [4, 5]},
        {"shape": [6, 4]},
        {"shape": [-5, 4]},
        {"shape": [5, 0]},
        {"shape": [0, 0]},
        {"shape": [5, 4, 1]},
        {"shape": [2**60, 2**60]},
        {"shape": [0, 2**48, 2**48], "order": [0, 1, 2]},
        {"shape": [2**48, 4]},
        {"shape": [1] * 9, "order": list(range(9))},
        {"order": []},
        {"order": [0]},
        {"order": [0, 0]},
        {"order": [0, -1]},
        {"order": [0, 2]},
        {"order": [0, 1, 2]},
        {"order": [-9, 1]},
        {"seq": -1},
        {"seq": 2**63},
        {"index": 2**63},
        {"index": 0.5},
        {"index": None},
        {"time_ns": "now"},
        {"compression": "lz4"},
        {"compression": None},
        {"stream": -1},
        {"info": {"kind": "nonsense"}},
        {"info": {}},
        {"info": {"kind": "analog", "channel_names": ["a"]}},
        {"info": {"kind": "analog", "sample_rate_hz": float("nan")}},
        {"info": {"kind": "analog", "sample_rate_hz": -1.0}},
        {"info": {"kind": "analog", "scale": [1.0, 2.0]}},
        {"info": {"kind": "analog", "dtype": "|O"}},
        {"info": {"kind": "analog", "facts": {"when": msgspec.msgpack.Ext(1, b"x")}}},
        {"info": {"kind": "analog", "facts": [1]}},
        {"info": {"kind": "analog", "axis": ["f", "Hz", 0.0]}},
        {"extra": 1},
    ],
)
def test_a_header_that_lies_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((BadChunk, ChunkTooLong)):
        ChunkDecoder().decode(header_of(**changes), BODY)


def test_rows_that_no_machine_can_hold_are_refused_though_there_are_none() -> None:
    with pytest.raises(ChunkTooLong):
        ChunkDecoder().decode(header_of(shape=[0, 2**48, 2**48], order=[0, 1, 2], info={"kind": "map"}), b"")


@pytest.mark.parametrize(
    "header",
    [b"", b"AXC", b"AXCH", b"AXCH\x01", b"AXCH\x02" + header_of()[5:], b"GET / HTTP/1.1\r\n", pickle.dumps(analog)],
)
def test_what_is_no_header_at_all_is_refused(header: bytes) -> None:
    with pytest.raises(BadChunk):
        ChunkDecoder().decode(header, BODY)


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b"\0", BODY * 2])
def test_a_body_of_another_length_is_refused(body: bytes) -> None:
    with pytest.raises(BadChunk, match="takes 40 bytes"):
        ChunkDecoder().decode(header_of(), body)


def test_a_refused_chunk_leaves_the_decoder_as_it_was() -> None:
    decoder = ChunkDecoder()
    info = {"kind": "digital"}
    with pytest.raises(BadChunk):
        decoder.decode(header_of(info=info, seq=100), BODY[:-1])
    with pytest.raises(NotDescribed):
        decoder.decode(header_of(info=None), BODY)
    assert decoder.decode(header_of(), BODY).info == ANALOG
    assert decoder.missed == 0


@given(header=st.binary(max_size=300), body=st.binary(max_size=100))
def test_any_bytes_are_a_chunk_or_a_codec_error(header: bytes, body: bytes) -> None:
    for each in (header, b"AXCH\x01" + header):
        try:
            found = ChunkDecoder().decode(each, body)
        except CodecError:
            continue
        assert isinstance(found, Chunk)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
    | st.text(max_size=5) | st.binary(max_size=5)
    | st.sampled_from(["<i2", "|O", "<f8", "analog", "", "zlib", "blosc2", [0, 1], [5, 4], [-1, 1], {"kind": "iq"}]),
    lambda each: st.lists(each, max_size=5) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3),
    body=st.sampled_from([BODY, b""]),
)
def test_any_lie_in_a_header_is_a_chunk_or_a_codec_error(changes: dict[str, Any], body: bytes) -> None:
    try:
        found = ChunkDecoder(compression=("zlib", "blosc2")).decode(header_of(**changes), body)
    except CodecError:
        return
    assert found.data.nbytes == len(body)


@given(data=st.data(), compression=st.sampled_from(["", "zlib", "blosc2"]))
def test_bytes_that_were_changed_on_the_way_are_a_chunk_or_a_codec_error(
    data: st.DataObject, compression: Compression
) -> None:
    header, body = ChunkEncoder(compression=compression).encode(analog(50))
    parts = [bytearray(header), bytearray(body)]
    for _ in range(data.draw(st.integers(1, 4))):
        part = parts[data.draw(st.integers(0, 0 if compression == "blosc2" else 1))]
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = ChunkDecoder(compression=("zlib", "blosc2")).decode(bytes(parts[0]), bytes(parts[1]))
    except CodecError:
        return
    assert found.data.nbytes == found.info.row_bytes * len(found)


# -- over a stream of bytes


@given(cuts=st.lists(st.integers(0, 3000), max_size=8), compression=st.sampled_from(["", "zlib"]))
def test_any_cutting_of_the_bytes_gives_the_same_chunks(cuts: list[int], compression: Compression) -> None:
    encoder = ChunkEncoder(compression=compression)
    sent = [analog(20, 20 * number) for number in range(5)] + [analog(0, 100), analog(3, 200)]
    stream = b"".join(bytes(part) for chunk in sent for part in framed(encoder.encode(chunk)))
    decoder = ChunkStreamDecoder()
    found: list[Chunk] = []
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, stop in zip(bounds, bounds[1:]):
        found += decoder.feed(stream[start:stop])
    assert len(found) == len(sent)
    for one, other in zip(found, sent):
        assert_same(one, other)
    assert (decoder.pending_bytes, decoder.discarded_bytes) == (0, 0)


def test_after_a_fault_what_was_whole_is_there_and_the_rest_is_counted() -> None:
    encoder = ChunkEncoder()
    good, late = (b"".join(map(bytes, framed(encoder.encode(analog())))) for _ in range(2))
    bad = b"".join(framed((b"AXCH\x01nonsense", b"body")))
    decoder = ChunkStreamDecoder()
    with pytest.raises(BadChunk) as caught:
        decoder.feed(good + bad + late[:10])
    assert [chunk.index for chunk in caught.value.completed] == [0]
    assert decoder.discarded_bytes == len(bad) + 10
    with pytest.raises(BadChunk):
        decoder.feed(late)
    assert decoder.discarded_bytes == len(bad) + 10 + len(late)
    assert decoder.finish() == []
    assert len(decoder.feed(good)) == 1


def test_a_length_over_the_limits_is_refused_before_anything_is_waited_for() -> None:
    good = b"".join(map(bytes, framed(ChunkEncoder().encode(analog()))))
    decoder = ChunkStreamDecoder()
    with pytest.raises(ChunkTooLong) as caught:
        decoder.feed(good + b"\xff\xff\xff\xff")
    assert len(caught.value.completed) == 1
    assert decoder.pending_bytes == 0
    assert decoder.discarded_bytes == 4


def test_a_stream_that_ends_in_a_chunk_has_its_bytes_counted() -> None:
    parts = framed(ChunkEncoder().encode(analog()))
    stream = b"".join(map(bytes, parts))
    decoder = ChunkStreamDecoder()
    assert decoder.feed(stream[:-5]) == []
    assert decoder.pending_bytes == len(stream) - 5
    decoder.finish()
    assert (decoder.pending_bytes, decoder.discarded_bytes) == (0, len(stream) - 5)


@pytest.mark.net
def test_chunks_go_through_a_real_socket() -> None:
    encoder, decoder = ChunkEncoder(compression="zlib"), ChunkStreamDecoder()
    sent = [analog(200, 200 * number) for number in range(20)]
    found: list[Chunk] = []
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as client:
        connection, _ = server.accept()
        with connection:
            for chunk in sent:
                for buffer in framed(encoder.encode(chunk)):
                    client.sendall(buffer)
            client.shutdown(socket.SHUT_WR)
            while data := connection.recv(1000):
                found += decoder.feed(data)
    assert len(found) == 20
    for one, other in zip(found, sent):
        assert_same(one, other)
