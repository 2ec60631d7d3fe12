"""The packet parser: exact bytes, every cut, and what is no packet."""

from __future__ import annotations

import functools
import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.devices.wsa4000.errors import Desynchronised
from axonlike.components.devices.wsa4000.vrt import (
    ContextPacket,
    DataPackets,
    Packet,
    Trailer,
    UnknownPacket,
    VrtParser,
)
from axonlike.errors import UsageError
from tests.components.devices.wsa4000.packets import (
    DIGITIZER,
    EXTENSION,
    GOOD,
    IF_DATA,
    RECEIVER,
    SAMPLE_PS,
    context,
    data,
    hertz,
    packet,
)


def one(raw: bytes) -> Packet:
    (found,) = VrtParser().feed(raw)
    return found


def summed_up(packets: list[Packet]) -> list[object]:
    """What packets say, with data packets that were taken together taken apart."""
    said: list[object] = []
    for found in packets:
        if isinstance(found, DataPackets):
            spp = found.samples_per_packet
            for k in range(found.packets):
                offset = 0 if found.offsets_ps is None else int(found.offsets_ps[k])
                said.append(
                    (
                        found.count + k & 15,
                        found.class_id,
                        found.samples[k * spp : (k + 1) * spp].tobytes(),
                        None if found.time_ps is None else found.time_ps + offset,
                        found.trailer,
                    )
                )
        else:
            said.append(found)
    return said


# -- exact bytes


def test_a_data_packet_byte_for_byte() -> None:
    # Words: header, stream, seconds, two of picoseconds, samples (I=24, Q=-2) and (-8192, 8191), trailer.
    raw = bytes.fromhex("1465 0008 90000003 6553F100 00000000 0000000A 0018FFFE E0001FFF 67060000".replace(" ", ""))
    found = one(raw)
    assert isinstance(found, DataPackets)
    assert found.samples.dtype == np.dtype(">i2")
    assert found.samples.tolist() == [[24, -2], [-8192, 8191]]
    assert (found.count, found.packets, found.time_ps) == (5, 1, 1_700_000_000 * 10**12 + 10)
    assert found.trailer == Trailer(True, True, False, False, False)


@pytest.mark.parametrize(
    ("word", "trailer"),
    [
        (GOOD, Trailer(True, True, False, False, False)),
        (0x67000000, Trailer(False, False, False, False, False)),
        (0x67067000, Trailer(True, True, True, True, True)),
        (0x00067000, Trailer(None, None, None, None, None)),  # set, but not enabled
        (0x40000000, Trailer(False, None, None, None, None)),
        (0x01001000, Trailer(None, None, None, None, True)),
        (0x02002000, Trailer(None, None, None, True, None)),
        (0x04004000, Trailer(None, None, True, None, None)),
        (0x20020000, Trailer(None, True, None, None, None)),
    ],
)
def test_an_indicator_counts_only_if_it_is_enabled(word: int, trailer: Trailer) -> None:
    assert Trailer.of(word) == trailer


@pytest.mark.parametrize(
    ("bit", "words", "fields"),
    [
        (30, [7], {"reference_point": 7}),
        (27, hertz(2.45e9), {"rf_frequency_hz": 2.45e9}),
        (23, [0x0200_FF80], {"if_gain_db": 4.0, "rf_gain_db": -1.0}),
        (18, [2656], {"temperature_c": 41.5}),
        (29, hertz(125e6 / 8), {"bandwidth_hz": 15.625e6}),
        (26, hertz(-1.5), {"frequency_offset_hz": -1.5}),
        (24, [0x0080], {"reference_level_dbm": 1.0}),
        (24, [0xFF80], {"reference_level_dbm": -1.0}),
        (14, [0] * 11, {}),
    ],
)
@pytest.mark.parametrize("changed", [0, 1])
def test_each_context_field(bit: int, words: list[int], fields: dict[str, float], changed: int) -> None:
    found = one(context(RECEIVER if bit in (30, 27, 23, 18) else DIGITIZER, (bit, words), changed=changed, count=9))
    assert isinstance(found, ContextPacket)
    assert dict(found.fields) == fields
    assert (found.changed, found.count) == (bool(changed), 9)
    assert found.skipped_bits == ((14,) if bit == 14 else ())


def test_several_fields_in_one_packet_come_in_the_order_of_their_bits_and_unknown_ones_are_stepped_over() -> None:
    found = one(
        context(
            DIGITIZER, (29, hertz(1e6)), (28, [1, 2]), (26, hertz(2.0)), (24, [0x0100]), (21, [3, 4]), (18, [64])
        )
    )
    assert isinstance(found, ContextPacket)
    assert dict(found.fields) == {
        "bandwidth_hz": 1e6, "frequency_offset_hz": 2.0, "reference_level_dbm": 2.0, "temperature_c": 1.0,
    }  # fmt: skip
    assert found.skipped_bits == (28, 21)


def test_fields_after_one_of_unknown_length_are_named_not_guessed() -> None:
    found = one(context(RECEIVER, (27, hertz(1e9)), (9, [1, 2, 3]), (3, [5])))
    assert isinstance(found, ContextPacket)
    assert dict(found.fields) == {"rf_frequency_hz": 1e9}
    assert found.skipped_bits == (9, 3)


def test_a_field_that_is_longer_than_its_packet_is_skipped() -> None:
    found = one(context(RECEIVER, (27, [1])))
    assert isinstance(found, ContextPacket)
    assert not found.fields
    assert found.skipped_bits == (27,)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ([(1, [77])], {"stream_start_id": 77}),
        ([(0, [78])], {"sweep_start_id": 78}),
        ([(3, []), (1, [5])], {"iq_swapped": 1, "stream_start_id": 5}),  # as the manual has it
        ([(3, [0]), (1, [5])], {"iq_swapped": 0, "stream_start_id": 5}),  # as others read it
        ([(3, []), (1, [5]), (0, [6])], {"iq_swapped": 1, "stream_start_id": 5, "sweep_start_id": 6}),
    ],
)
def test_extension_contexts(said: list[tuple[int, list[int]]], fields: dict[str, float]) -> None:
    found = one(context(EXTENSION, *said, kind=5))
    assert isinstance(found, ContextPacket)
    assert dict(found.fields) == fields


def test_class_ids_and_missing_times_are_taken() -> None:
    found = one(data(0, class_id=0x00FF000000010002))
    assert isinstance(found, DataPackets)
    assert found.class_id == 0x00FF000000010002
    assert len(found.samples) == 16
    found = one(data(0, timed=False))
    assert isinstance(found, DataPackets)
    assert found.time_ps is None
    assert len(found.samples) == 16


def test_a_data_packet_without_trailer() -> None:
    found = one(data(0, trailer=None))
    assert isinstance(found, DataPackets)
    assert found.trailer == (None,) * 5
    assert len(found.samples) == 16


@pytest.mark.parametrize("stream_id", [0x90000005, 0x90000007, 0x12345678])
@pytest.mark.parametrize("kind", [1, 4, 5])
def test_unknown_streams_are_handed_on_whole(kind: int, stream_id: int) -> None:
    raw = packet(kind, stream_id, [1, 2, 3])
    parser = VrtParser()
    unknown, known = parser.feed(raw + data(0))
    assert unknown == UnknownPacket(kind, stream_id, raw)
    assert isinstance(known, DataPackets)
    assert parser.unknown_packets == 1


def test_a_data_packet_without_data_is_nothing() -> None:
    parser = VrtParser()
    assert parser.feed(data(0, samples=0)) == []
    assert len(parser.feed(data(0))) == 1


# -- together, and cut


def test_packets_that_are_alike_are_taken_together() -> None:
    raw = b"".join(data(16 * k, count=k + 14) for k in range(20))
    (found,) = VrtParser().feed(raw)
    assert isinstance(found, DataPackets)
    assert (found.packets, found.count, found.samples_per_packet) == (20, 14, 16)
    assert (found.samples[:, 0] + 4096 * found.samples[:, 1].astype(int)).tolist() == list(range(320))
    assert found.offsets_ps is not None
    assert found.offsets_ps.tolist() == [16 * SAMPLE_PS * k for k in range(20)]


@pytest.mark.parametrize(
    ("middle", "groups"),
    [
        (data(48, count=4), [3, 3]),  # a count is missing
        (data(48, count=3, trailer=GOOD | 1 << 13), [3, 1, 2]),  # over-range
        (data(48, count=3, trailer=GOOD | 1 << 12), [3, 1, 2]),  # samples lost after it
        (data(48, count=3, class_id=5), [3, 1, 2]),
        (data(48, samples=32, count=3), [3, 1, 2]),
    ],
)
def test_what_differs_begins_a_new_group(middle: bytes, groups: list[int]) -> None:
    before = b"".join(data(16 * k, count=k) for k in range(3))
    count = middle[1] & 15
    after = b"".join(data(80 + 16 * k, count=count + 1 + k) for k in range(2))
    found = VrtParser().feed(before + middle + after)
    assert [p.packets for p in found if isinstance(p, DataPackets)] == groups


def test_packets_that_tell_of_a_loss_are_never_joined_with_what_follows() -> None:
    raw = b"".join(data(16 * k, count=k, trailer=GOOD | 1 << 12) for k in range(4))
    assert [p.packets for p in VrtParser().feed(raw) if isinstance(p, DataPackets)] == [1, 1, 1, 1]


def test_times_that_are_years_apart_do_not_overflow() -> None:
    far = data(0, count=1, start_ps=4_000_000_000 * 10**12)
    (found,) = VrtParser().feed(data(0) + far)
    assert isinstance(found, DataPackets)
    assert found.offsets_ps is not None
    assert found.offsets_ps[1] == 4_000_000 * 10**12


STREAM = b"".join(
    [
        context(EXTENSION, (1, [7]), kind=5),
        context(RECEIVER, (27, hertz(2.4e9))),
        context(DIGITIZER, (29, hertz(15.625e6)), (24, [0x0080])),
        *(data(32 * k, samples=32, count=k) for k in range(3)),
        packet(1, 0x90000006, range(9)),
        data(96, samples=160, count=3, trailer=GOOD | 1 << 12),
        *(data(500 + 32 * k, samples=32, count=4 + k, class_id=1) for k in range(2)),
        context(RECEIVER, (18, [2656]), count=1),
        *(data(600 + 16 * k, samples=16, count=6 + k, timed=False) for k in range(3)),
    ]
)
SMALL = 2 * 65535 * 4
WHOLE = summed_up(VrtParser().feed(STREAM))


def test_the_stream_of_the_next_tests_has_all_in_it() -> None:
    assert len(WHOLE) == 4 + 1 + 3 + 1 + 2 + 3


def test_every_single_cut_gives_the_same() -> None:
    for cut in range(len(STREAM) + 1):
        parser = VrtParser(SMALL)
        assert summed_up(parser.feed(STREAM[:cut]) + parser.feed(STREAM[cut:])) == WHOLE, cut


def test_byte_by_byte_gives_the_same() -> None:
    parser = VrtParser()
    assert summed_up([p for k in range(len(STREAM)) for p in parser.feed(STREAM[k : k + 1])]) == WHOLE


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_cutting_gives_the_same(cuts: list[int]) -> None:
    parser = VrtParser(SMALL)
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [p for start, stop in zip(edges, edges[1:], strict=False) for p in parser.feed(STREAM[start:stop])]
    assert summed_up(found) == WHOLE
    assert not parser.pending_bytes
    assert parser.parsed_bytes == len(STREAM)


@functools.cache
def two_packets(spp: int) -> bytes:
    return b"".join(data(spp * k, samples=spp, count=k) for k in range(2))


@settings(max_examples=10)
@given(
    st.lists(st.one_of(st.integers(1, 8), st.integers(1, 700_000)), max_size=4),
    st.integers(2000, 700_000),
    st.sampled_from([128, 1024, 16384, 65520]),
)
def test_megabytes_through_the_buffer_of_the_socket_in_reads_of_any_size(few: list[int], many: int, spp: int) -> None:
    # More than the buffer holds, so that its rest is moved to the front again and again, with packets of the largest
    # size too. Reads of one byte come anywhere, but megabytes of nothing else would take seconds.
    reads = itertools.cycle([*few, many])
    number = 2_400_000 // (4 * spp)
    raw = two_packets(spp) * (number // 2)
    parser = VrtParser(buffer_bytes=1 << 20)
    samples, at = 0, 0
    while at < len(raw):
        room = parser.room()
        size = min(len(room), next(reads), len(raw) - at)
        assert size
        room[:size] = raw[at : at + size]
        at += size
        for found in parser.filled(size):
            assert isinstance(found, DataPackets)
            samples += len(found.samples)
            positions = found.samples[:, 0] + 4096 * found.samples[:, 1].astype(int)
            assert (np.diff(positions.reshape(-1, spp), axis=1) == 1).all()
    assert samples == spp * 2 * (number // 2)


def test_samples_are_the_chunks_own_memory() -> None:
    parser = VrtParser()
    (found,) = parser.feed(data(0))
    parser.feed(data(16, count=1))
    assert isinstance(found, DataPackets)
    assert found.samples[:, 0].tolist() == list(range(16))


# -- what is no packet


@pytest.mark.parametrize("kind", [0, 2, 3, *range(6, 16)])
def test_other_types_are_no_packets(kind: int) -> None:
    parser = VrtParser()
    assert len(parser.feed(data(0) + struct.pack(">II", kind << 28 | 8, IF_DATA))) == 1
    assert isinstance(parser.fault, Desynchronised)
    with pytest.raises(Desynchronised, match=rf"at byte {len(data(0))} of the stream .* type {kind}"):
        parser.feed(b"more")


@pytest.mark.parametrize(
    ("raw", "least"),
    [(data(0), 6), (context(RECEIVER, (18, [1])), 6), (data(0, timed=False), 3), (data(0, class_id=1), 8)],
)
def test_sizes_below_what_the_header_needs_are_no_packets(raw: bytes, least: int) -> None:
    (word,) = struct.unpack_from(">I", raw)
    for size in range(least):
        parser = VrtParser()
        parser.feed(struct.pack(">I", word & 0xFFFF0000 | size) + raw[4:])
        assert parser.fault is not None, size
    parser = VrtParser()
    parser.feed(struct.pack(">I", word & 0xFFFF0000 | least) + raw[4 : 4 * least])
    assert parser.fault is None


@given(st.binary(max_size=3000))
def test_garbage_never_hangs_and_never_raises_anything_else(raw: bytes) -> None:
    parser = VrtParser(SMALL)
    for k in range(0, len(raw), 100):
        try:
            parser.feed(raw[k : k + 100])
        except Desynchronised:
            break
    assert parser.fault is not None or parser.parsed_bytes + parser.pending_bytes == len(raw)


def test_the_buffer_holds_two_packets_at_least() -> None:
    with pytest.raises(UsageError, match="524280"):
        VrtParser(buffer_bytes=1 << 16)
