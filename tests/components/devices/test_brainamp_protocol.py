"""RDA: what the bytes of a Recorder say, whatever the pieces, and what becomes of bytes that are none."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from axonlike.components.devices.brainamp_protocol import RDA_GUID, RdaBlock, RdaMarker, RdaParser, RdaStart, RdaStop

# A message of each type, byte by byte as the manual has them.
START = bytes.fromhex(
    "8e45584396c9864caf4a98bbf6c91450" "3b000000" "01000000"
    "02000000" "000000000040 9f40"  # 2 channels, 2000 us
    "9a9999999999b93f" "000000000000e03f"  # 0.1 and 0.5 uV
    "46703100" "437a00"  # Fp1, Cz
)  # fmt: skip
INT16 = bytes.fromhex(
    "8e45584396c9864caf4a98bbf6c91450" "4b000000" "02000000"
    "07000000" "02000000" "01000000"  # block 7, 2 rows, 1 marker
    "0100" "feff" "ff7f" "0080"
    "1f000000" "01000000" "05000000" "ffffffff"  # 31 bytes; at row 1, for 5 rows, all channels
    "5374696d756c757300" "532020313200"  # Stimulus, S  12
)  # fmt: skip
FLOAT32 = bytes.fromhex(
    "8e45584396c9864caf4a98bbf6c91450" "34000000" "04000000"
    "08000000" "02000000" "00000000"
    "0000803f" "000000c0" "0000003f" "00007a44"
)  # fmt: skip
STOP = bytes.fromhex("8e45584396c9864caf4a98bbf6c91450" "18000000" "03000000")  # fmt: skip


def shown(messages: Sequence[object]) -> list[object]:
    return [
        (m.number, m.data.tolist(), m.data.dtype.str, m.markers) if isinstance(m, RdaBlock) else m for m in messages
    ]


EXPECTED = [
    RdaStart(500.0, (0.1, 0.5), ("Fp1", "Cz")),
    (7, [[1, -2], [32767, -32768]], "<i2", (RdaMarker(1, 5, -1, "Stimulus", "S  12"),)),
    (8, [[1.0, -2.0], [0.5, 1000.0]], "<f4", ()),
    RdaStop(),
]


def test_each_message_is_decoded_to_the_byte() -> None:
    assert shown(RdaParser().feed(START + INT16 + FLOAT32 + STOP)) == EXPECTED


@given(cuts=st.lists(st.integers(0, len(START + INT16 + FLOAT32 + STOP)), max_size=12))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    stream = START + INT16 + FLOAT32 + STOP
    parser = RdaParser()
    messages: list[object] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)]):
        messages += parser.feed(stream[begin:end])
    assert shown(messages) == EXPECTED
    assert parser.discarded_bytes == 0


def test_byte_by_byte_too() -> None:
    parser = RdaParser()
    stream = START + INT16 + FLOAT32 + STOP
    assert shown([m for at in range(len(stream)) for m in parser.feed(stream[at : at + 1])]) == EXPECTED


@given(garbage=st.binary(max_size=60), cut=st.integers(0, 200))
def test_garbage_between_messages_is_passed_over_and_counted(garbage: bytes, cut: int) -> None:
    stream = START + garbage + FLOAT32 + garbage + STOP
    parser = RdaParser()
    messages = parser.feed(stream[:cut]) + parser.feed(stream[cut:])
    assert shown(messages) == [EXPECTED[0], EXPECTED[2], EXPECTED[3]]
    assert parser.discarded_bytes == 2 * len(garbage)


@given(data=st.binary(max_size=400), before=st.booleans())
def test_no_bytes_at_all_make_it_fail(data: bytes, before: bool) -> None:
    parser = RdaParser()
    parser.feed((START if before else b"") + data)
    parser.feed(RDA_GUID + data)
    parser.finish()
    assert shown(parser.feed(START)) == EXPECTED[:1]


@given(at=st.integers(16, len(FLOAT32) - 1), value=st.integers(0, 255))
def test_a_changed_byte_costs_its_message_at_most(at: int, value: int) -> None:
    broken = bytearray(FLOAT32)
    broken[at] = value
    parser = RdaParser(message_limit_bytes=1000)
    messages = parser.feed(START + bytes(broken) + 20 * FLOAT32)
    assert shown(messages)[-1] == EXPECTED[2]


@given(kept=st.integers(0, len(INT16) - 1), piece=st.integers(1, 500))
def test_a_message_that_was_cut_short_costs_no_other(kept: int, piece: int) -> None:
    # Of the next message's GUID 4 bytes have to stand in it: fewer could be anything.
    assume(kept <= 20 or 24 <= kept <= len(INT16) - 4)
    stream = START + INT16[:kept] + 3 * FLOAT32
    parser = RdaParser()
    messages = [m for at in range(0, len(stream), piece) for m in parser.feed(stream[at : at + piece])]
    assert shown(messages) == [EXPECTED[0], *3 * [EXPECTED[2]]]
    assert parser.discarded_bytes == kept
    assert parser.malformed == (kept >= 16)


def test_unknown_types_are_passed_over_by_their_size_even_with_a_guid_inside() -> None:
    body = b"x" * 30 + STOP
    unknown = RDA_GUID + struct.pack("<II", 24 + len(body), 10000) + body
    parser = RdaParser()
    assert shown(parser.feed(START + unknown[:40]) + parser.feed(unknown[40:] + FLOAT32)) == [EXPECTED[0], EXPECTED[2]]
    assert parser.unknown == {10000: 1}
    assert parser.discarded_bytes == 0


@pytest.mark.parametrize("size", [0, 23, 1001, 2**32 - 1])
def test_sizes_that_cannot_be_are_garbage(size: int) -> None:
    parser = RdaParser(message_limit_bytes=1000)
    false = RDA_GUID + struct.pack("<II", size, 4)
    assert shown(parser.feed(START + false + FLOAT32)) == [EXPECTED[0], EXPECTED[2]]
    assert parser.discarded_bytes == len(false)


def test_after_a_start_that_makes_no_sense_data_make_none_either() -> None:
    parser = RdaParser()
    assert shown(parser.feed(START + with_body(1, b"") + FLOAT32)) == EXPECTED[:1]
    assert (parser.malformed, parser.unstarted) == (1, 1)


def test_data_before_a_start_are_counted_and_left_out() -> None:
    parser = RdaParser()
    assert parser.feed(FLOAT32 + INT16) == []
    assert parser.unstarted == 2
    parser.feed(START)
    parser.finish()  # after a new connection there has to be a new START
    assert parser.feed(FLOAT32) == []


def with_body(kind: int, body: bytes) -> bytes:
    return RDA_GUID + struct.pack("<II", 24 + len(body), kind) + body


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (with_body(4, b"1234567"), "body of 7 bytes"),
        (with_body(4, struct.pack("<III", 3, 1000, 0) + bytes(16)), "1000 rows of 2 channels do not fit"),
        (with_body(2, struct.pack("<III", 3, 2**32 - 1, 0)), "do not fit"),
        (with_body(1, b""), "START"),
        (with_body(1, struct.pack("<Id", 2**32 - 1, 1.0)), "do not fit"),
        (with_body(1, struct.pack("<Id", 0, 1.0) + bytes(9)), "0 channels"),
        (with_body(1, struct.pack("<Idd", 1, float("nan"), 1.0) + b"a\0"), "interval of nan"),
        (with_body(1, struct.pack("<Idd", 1, 0.0, 1.0) + b"a\0"), "interval of 0"),
        (with_body(1, struct.pack("<Idd", 1, 1.0, 0.0) + b"a\0"), "resolutions"),
        (with_body(1, struct.pack("<Idd", 1, 1.0, 1.0) + b"a"), "0 names for 1 channels"),
    ],
)
def test_messages_whose_parts_do_not_fit_are_left_out_and_counted(message: bytes, fault: str) -> None:
    parser = RdaParser()
    assert shown(parser.feed(START + message + STOP)) == [EXPECTED[0], RdaStop()]
    assert parser.malformed == 1
    assert fault in parser.fault


@pytest.mark.parametrize("size", [0, 15, 1000, 2**32 - 1])
def test_of_a_block_whose_markers_do_not_fit_the_samples_are_kept(size: int) -> None:
    good = struct.pack("<IIIi", 20, 0, 1, 3) + b"a\0b\0"
    bad = struct.pack("<IIIi", size, 0, 1, 3)
    message = with_body(4, struct.pack("<III", 9, 1, 4) + bytes(8) + good + bad)
    parser = RdaParser()
    block = parser.feed(START + message)[1]
    assert isinstance(block, RdaBlock)
    assert block.data.tolist() == [[0.0, 0.0]]
    assert block.markers == (RdaMarker(0, 1, 3, "a", "b"),)
    assert parser.malformed_markers == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Stimulus\0S  1\0", ("Stimulus", "S  1")),
        (b"Stimulus:S  1\0", ("Stimulus", "S  1")),
        (b"New Segment\0\0", ("New Segment", "")),
        (b"Sync On", ("Sync On", "")),
        (b"", ("", "")),
        ("Reiz\0grün\0".encode(), ("Reiz", "grün")),
        ("Reiz\0grün\0".encode("cp1252"), ("Reiz", "grün")),
    ],
)
def test_texts_of_markers(text: bytes, expected: tuple[str, str]) -> None:
    message = with_body(2, struct.pack("<III", 0, 0, 1) + struct.pack("<IIIi", 16 + len(text), 4, 1, -1) + text)
    block = RdaParser().feed(START + message)[1]
    assert isinstance(block, RdaBlock)
    assert (block.markers[0].type, block.markers[0].description) == expected
    assert block.data.shape == (0, 2)
    assert block.data.dtype == np.int16


def test_the_limit_is_16_mib() -> None:
    assert RdaParser().message_limit_bytes == 16 << 20
