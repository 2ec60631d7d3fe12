"""SCPI text: commands to bytes, replies out of bytes that have no line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.wsa4000.errors import BadReply
from axonlike.components.devices.wsa4000.scpi import (
    ERROR,
    FLAG,
    NUMBER,
    REPLY_LIMIT_BYTES,
    ReplyReader,
    Shape,
    fields,
    number_of,
    one_of,
    parse_error,
    parse_identity,
    scpi_line,
)
from axonlike.errors import UsageError

MODE = one_of("BLOCK", "STREAMING", "SWEEPING")

# What a device sends, the shape that is asked for, and whether the shape alone says that it is whole.
REPLIES: list[tuple[str, Shape, bool]] = [
    ("1", FLAG, True),
    ("0", FLAG, True),
    ("STREAMING", MODE, True),
    ("BLOCK", MODE, True),
    ("MED", one_of("HIGH", "MED", "LOW", "VLOW"), True),
    ('0,"No error"', ERROR, True),
    ('-221,"Settings conflict;not, while ""streaming"""', ERROR, True),
    ("2450000000", NUMBER, False),
    ("24 dB", NUMBER, False),
    ("ThinkRF,WSA4000 v3,110324-0001,v2.5.3", fields(4), False),
]


@pytest.mark.parametrize(("text", "shape", "tells"), REPLIES)
def test_a_reply_without_an_end_is_whole_by_its_shape_or_by_the_silence_after_it(
    text: str, shape: Shape, tells: bool
) -> None:
    reader = ReplyReader(shape, "Q?")
    assert reader.feed(text.encode()) == (text if tells else None)
    assert reader.idle() == text


@pytest.mark.parametrize(("text", "shape", "_tells"), REPLIES)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_newline_ends_a_reply_at_once(text: str, shape: Shape, _tells: bool, ending: str) -> None:
    assert ReplyReader(shape, "Q?").feed((text + ending).encode()) == text


@pytest.mark.parametrize(("text", "shape", "_tells"), REPLIES)
@given(data=st.data())
def test_blank_lines_before_a_reply_are_skipped_however_it_is_cut(
    text: str, shape: Shape, _tells: bool, data: st.DataObject
) -> None:
    blanks = data.draw(st.text("\r\n ", max_size=4))
    raw = (blanks + text + "\n").encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    reader = ReplyReader(shape, "Q?")
    got = None
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        got = reader.feed(raw[start:stop]) or got
    assert got == text


def test_a_quoted_text_that_has_not_ended_is_no_reply_even_after_a_silence() -> None:
    reader = ReplyReader(ERROR, "SYST:ERR?")
    assert reader.feed(b'-221,"Settings conf') is None
    assert reader.begun
    assert reader.idle() is None
    assert reader.feed(b'lict"') == '-221,"Settings conflict"'


def test_what_is_no_such_reply_is_refused() -> None:
    with pytest.raises(BadReply, match=r"LOCK\?: the reply is 'maybe' .*not 0 or 1"):
        ReplyReader(FLAG, "LOCK?").feed(b"maybe\n")
    with pytest.raises(BadReply, match="is no text"):
        ReplyReader(FLAG, "LOCK?").feed(b"\xff\xfe")


def test_a_reply_is_bounded() -> None:
    reader = ReplyReader(NUMBER, "FREQ?")
    assert reader.feed(b"1" * REPLY_LIMIT_BYTES) is None
    with pytest.raises(BadReply, match="more than 4096 bytes"):
        reader.feed(b"1")


def test_endless_blank_lines_take_no_memory() -> None:
    reader = ReplyReader(NUMBER, "FREQ?")
    for _ in range(100):
        assert reader.feed(b"\n" * 1000) is None
    assert not reader.got
    assert not reader.begun


def test_commands_are_lines_with_commas_between_parameters() -> None:
    assert scpi_line(":FREQ:CENTER", 2450000000) == b":FREQ:CENTER 2450000000\n"
    assert scpi_line(":TRIGGER:LEVEL", 2.4e9, 2.41e9, -70.5) == b":TRIGGER:LEVEL 2400000000,2410000000,-70.5\n"
    assert scpi_line(":INPUT:FILTER:PRESELECT", True) == b":INPUT:FILTER:PRESELECT 1\n"
    assert scpi_line("*IDN?") == b"*IDN?\n"


@pytest.mark.parametrize("bad", ["two\nlines", "\N{MICRO SIGN}s", "nul\0"])
def test_a_parameter_cannot_smuggle_a_second_command(bad: str) -> None:
    with pytest.raises(UsageError, match="one command a line"):
        scpi_line(":X", bad)


def test_numbers_are_read_without_their_units() -> None:
    assert number_of("24 dB") == 24
    assert number_of("-10") == -10
    assert number_of("2.45e9") == 2.45e9
    with pytest.raises(BadReply):
        number_of("dB")


def test_errors_and_identities_are_taken_apart() -> None:
    assert parse_error('-221,"Settings conflict;a ""b"""') == (-221, 'Settings conflict;a "b"')
    identity = parse_identity("ThinkRF,WSA4000 v3,110324-0001,v2.5.3")
    assert (identity.model, identity.serial, identity.firmware_version) == ("WSA4000 v3", "110324-0001", (2, 5, 3))
    with pytest.raises(BadReply, match="not 4 values"):
        parse_identity("ThinkRF,WSA4000")
