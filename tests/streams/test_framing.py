"""Framing: whatever way the bytes are cut, whatever they are, the same messages come out and memory is bounded."""

import pickle
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.errors import AxonlikeError
from axonlike.streams.framing import (
    DEFAULT_FRAME_LIMIT_BYTES,
    DEFAULT_LINE_LIMIT_BYTES,
    Decoder,
    FrameTooLong,
    Framing,
    FramingError,
    LengthDecoder,
    LineDecoder,
    LineTooLong,
    RawDecoder,
    TextCodingError,
    encode_length,
    encode_line,
    encode_raw,
    framing,
)

# How long an example takes says nothing on a machine that is busy with other things.
unhurried = settings(deadline=None)

# Bytes in which everything that matters is frequent: endings, halves of them, UTF-8 whole, cut and wrong, marks.
PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"a", b"bcd"),
        *("ü".encode(), "€".encode(), b"\xe2\x82", b"\xff", b"\xef\xbb\xbf", b"\xef"),
        *("\u2028".encode(), "\x85".encode(), b"\0", b"\x0b", b"\x1c"),
    ]
)
STREAMS = st.lists(PIECES, max_size=40).map(b"".join)
# Anywhere, or everywhere.
CUTS = st.lists(st.integers(min_value=0, max_value=200), max_size=20) | st.just(range(200))


def cut(stream: bytes, at: Sequence[int]) -> list[bytes]:
    """The stream in pieces, empty ones among them."""
    edges = [0, *sorted(min(place, len(stream)) for place in at), len(stream)]
    return [stream[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def decoded(decoder: Decoder, pieces: Sequence[bytes], *, keep_partial: bool = True) -> tuple[list[Any], str | None]:
    """The messages of a stream, and the class of the error that ended it."""
    got: list[Any] = []
    try:
        for piece in pieces:
            got += decoder.feed(piece)
        got += decoder.finish(keep_partial=keep_partial)
    except FramingError as exc:
        return [*got, *exc.completed], type(exc).__name__
    return got, None


def lines_of(stream: bytes, ending: bytes | None) -> tuple[list[bytes], bytes]:
    """The definition, slow and plain: whole lines without their endings, and what is left."""
    *whole, rest = stream.split(b"\n" if ending is None else ending)
    if ending is None:
        whole = [line.removesuffix(b"\r") for line in whole]
    return whole, rest


def drop_mark(stream: bytes) -> bytes:
    return stream.removeprefix(b"\xef\xbb\xbf")


def line_decoder(encoding: str | None, **options: Any) -> LineDecoder[Any]:
    return LineDecoder(encoding=encoding, **options)


# ---------------------------------------------------------------------------------------------------------- lines


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", None])
@pytest.mark.parametrize("ending", [None, b"\n", b"\r", b"\r\n", b"\n\n", b"a\r\n"])
@settings(unhurried, max_examples=12)  # of each of 24 pairs
@given(stream=STREAMS, cuts=CUTS, keep_partial=st.booleans())
def test_any_cutting_gives_the_lines_of_the_whole_stream(
    encoding: str | None, ending: bytes | None, stream: bytes, cuts: Sequence[int], keep_partial: bool
) -> None:
    if encoding == "utf-8":
        whole, rest = lines_of(drop_mark(stream), ending)
    else:
        whole, rest = lines_of(stream, ending)
    if rest and keep_partial:
        whole.append(rest.removesuffix(b"\r") if ending is None else rest)
    expected = whole if encoding is None else [line.decode(encoding, "replace") for line in whole]

    decoder = line_decoder(encoding, ending=ending)
    assert decoded(decoder, cut(stream, cuts), keep_partial=keep_partial) == (expected, None)
    assert decoder.pending_bytes == 0
    assert decoder.discarded_bytes == (0 if keep_partial else len(rest))


@unhurried
@given(stream=STREAMS)
def test_byte_by_byte_gives_the_same_lines_as_all_at_once(stream: bytes) -> None:
    assert decoded(LineDecoder(), cut(stream, range(len(stream)))) == decoded(LineDecoder(), [stream])


@pytest.mark.parametrize("ending", [None, b"\r", b"\r\n", b"\n\n", b"ENDING"])
@unhurried
@given(stream=STREAMS, cuts=CUTS, limit_bytes=st.integers(min_value=1, max_value=12))
def test_skipping_leaves_out_exactly_the_lines_over_the_limit_for_any_cutting(
    ending: bytes | None, stream: bytes, cuts: Sequence[int], limit_bytes: int
) -> None:
    stream = stream.replace(b"bcd", b"bcdENDINGE")
    whole, rest = lines_of(stream, ending)
    last = rest.removesuffix(b"\r") if ending is None else rest
    candidates = [*whole, last] if rest else whole
    expected = [line for line in candidates if len(line) <= limit_bytes]

    decoder = line_decoder(None, ending=ending, limit_bytes=limit_bytes, too_long="skip")
    assert decoded(decoder, cut(stream, cuts)) == (expected, None)
    assert decoder.skipped_lines == len(candidates) - len(expected)
    # Every byte is in a line, in an ending (one or two for LF and CR LF), or counted as discarded.
    in_lines = sum(map(len, expected))
    at_most_in_endings = len(candidates) * len(ending or b"\r\n")
    assert 0 <= len(stream) - in_lines - decoder.discarded_bytes <= at_most_in_endings


@unhurried
@given(stream=STREAMS, cuts=CUTS, limit_bytes=st.integers(min_value=1, max_value=12))
def test_lines_before_a_too_long_one_are_delivered_for_any_cutting(
    stream: bytes, cuts: Sequence[int], limit_bytes: int
) -> None:
    whole, rest = lines_of(stream, None)
    if rest:
        whole.append(rest.removesuffix(b"\r"))
    expected: list[bytes] = []
    for line in whole:
        if len(line) > limit_bytes:
            break
        expected.append(line)
    error = None if expected == whole else "LineTooLong"

    assert decoded(line_decoder(None, limit_bytes=limit_bytes), cut(stream, cuts)) == (expected, error)


@unhurried
@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))), CUTS)
def test_encoded_lines_come_back(messages: list[str], cuts: Sequence[int]) -> None:
    stream = b"".join(map(encode_line, messages))
    if stream.startswith(b"\xef\xbb\xbf"):
        messages = [messages[0][1:], *messages[1:]]
    assert decoded(LineDecoder(), cut(stream, cuts)) == (messages, None)


def test_carriage_returns_and_exotic_separators_stay_in_the_line() -> None:
    assert LineDecoder().feed("a\rb\0c\u2028d\x85e\x0bf\r\r\n\r\n".encode()) == ["a\rb\0c\u2028d\x85e\x0bf\r", ""]


def test_a_carriage_return_whose_line_feed_comes_later_is_removed() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b"temp 21.5\r") == []
    assert decoder.feed(b"\ntemp") == ["temp 21.5"]
    assert decoder.pending_bytes == 4


def test_a_character_cut_in_two_is_intact_and_invalid_bytes_are_replaced() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b"21 \xc2") == []
    assert decoder.feed(b"\xb0C\n\xffend \xe2\x82\n") == ["21 °C", "\ufffdend \ufffd"]


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2], [3]])
def test_a_byte_order_mark_is_removed_at_the_start_only(cuts: Sequence[int]) -> None:
    stream = b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n"
    assert decoded(LineDecoder(), cut(stream, cuts)) == (["a", "\ufeffb"], None)
    assert decoded(LineDecoder(encoding="utf-8-sig"), cut(stream, cuts)) == (["a", "\ufeffb"], None)
    assert decoded(LineDecoder(encoding=None), cut(stream, cuts)) == (stream.splitlines(), None)


def test_finish_makes_the_decoder_ready_for_the_next_stream() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b"a\nhalf") == ["a"]
    assert decoder.finish(keep_partial=False) == []
    assert decoder.discarded_bytes == 4
    assert decoder.feed(b"\xef\xbb\xbfb\n") == ["b"]
    assert decoder.finish() == []


@pytest.mark.parametrize("ending", [b"", b"\r"])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_the_limit_counts_the_content_of_a_line(ending: bytes, excess: int) -> None:
    content = b"x" * (100 + excess)
    for pieces in ([b"a\n" + content + ending + b"\nb\n"], [b"a\n" + content, ending, b"\nb\n"]):
        got = decoded(line_decoder(None, limit_bytes=100), pieces)
        assert got == (([b"a", content, b"b"], None) if excess <= 0 else ([b"a"], "LineTooLong"))


def test_the_default_limit_is_64_kib() -> None:
    assert LineDecoder().feed(b"x" * 65536 + b"\r\n") == ["x" * 65536]
    with pytest.raises(LineTooLong):
        LineDecoder().feed(b"x" * 65537)


def test_a_too_long_line_names_limit_and_seen_bytes_and_breaks_the_decoder_until_finish() -> None:
    decoder = LineDecoder(limit_bytes=8)
    with pytest.raises(LineTooLong) as caught:
        decoder.feed(b"one\ntwo\n123456789 and more\nthree\nfo")
    assert caught.value.completed == ["one", "two"]
    assert (caught.value.limit_bytes, caught.value.seen_bytes) == (8, 18)
    assert "limit_bytes=8: 18 bytes seen" in str(caught.value)
    assert isinstance(caught.value, AxonlikeError)
    assert isinstance(caught.value, ValueError)

    with pytest.raises(LineTooLong) as again:
        decoder.feed(b"four\n")
    assert again.value.completed == ()
    assert decoder.finish() == []
    assert decoder.discarded_bytes == len("123456789 and more\nthree\nfo") + len("four\n")
    assert decoder.feed(b"five\n") == ["five"]


def test_skipping_finds_the_next_line_after_noise() -> None:
    decoder = LineDecoder(limit_bytes=8, too_long="skip")
    assert decoder.feed(b"noise without end") == []
    assert decoder.feed(b" and on") == []
    assert decoder.feed(b" and on\ntemp 21\n") == ["temp 21"]
    assert decoder.skipped_lines == 1
    assert decoder.discarded_bytes == len("noise without end and on and on\n")


def test_the_half_line_at_the_start_of_a_device_can_be_left_out() -> None:
    decoder = LineDecoder()
    decoder.skip_partial_line()
    assert decoder.feed(b"p 21.") == []
    assert decoder.feed(b"5\r\ntemp 22.0\r\n") == ["temp 22.0"]
    assert decoder.discarded_bytes == len("p 21.5\r\n")
    assert decoder.skipped_lines == 0


def test_strict_decoding_names_the_place_and_keeps_the_lines_before() -> None:
    decoder = LineDecoder(errors="strict")
    with pytest.raises(TextCodingError) as caught:
        decoder.feed(b"fine\nbad \xff\nlater\n")
    assert caught.value.completed == ["fine"]
    assert "not utf-8: invalid start byte at byte 4 of b'bad \\xff'" in str(caught.value)
    assert decoder.discarded_bytes == len(b"bad \xff\nlater\n")
    decoder.finish()
    decoder.feed(b"cut \xc2")
    with pytest.raises(TextCodingError, match="unexpected end of data at byte 4"):
        decoder.finish()
    assert decoder.feed(b"next\n") == ["next"]


def held_bytes(decoder: Decoder, piece: bytes, times: int) -> int:
    """The peak of memory while `piece` is fed again and again."""
    tracemalloc.start()
    try:
        for _ in range(times):
            try:
                decoder.feed(piece)
            except FramingError:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("too_long", ["raise", "skip"])
@pytest.mark.parametrize("ending", [None, b"END"])
@pytest.mark.parametrize("feed_bytes", [1, 1000, 65536])
def test_a_line_without_end_never_takes_more_than_the_limit_and_some_feeds(
    too_long: str, ending: bytes | None, feed_bytes: int
) -> None:
    limit_bytes = 4096

    def peak() -> int:
        decoder = line_decoder("utf-8", limit_bytes=limit_bytes, too_long=too_long, ending=ending)
        return held_bytes(decoder, b"x" * feed_bytes, 24_000 // feed_bytes + 20)

    # Copies of one feed are alive side by side for a moment; 8 KiB are the objects themselves and the exception.
    allowed_bytes = 2 * limit_bytes + 3 * feed_bytes + 8192
    # One of three: what other threads of the test run allocate meanwhile is counted too, and only adds.
    peaks: list[int] = []
    while not peaks or (peaks[-1] >= allowed_bytes and len(peaks) < 3):
        peaks.append(peak())
    assert min(peaks) < allowed_bytes


def test_many_bytes_one_at_a_time_are_not_copied_again_each_time() -> None:
    # 2 MB in single bytes: seconds if it is linear, hours if each byte copies what is held.
    decoder = LineDecoder(limit_bytes=3_000_000)
    feed = decoder.feed
    for _ in range(500_000):
        feed(b"abcd")
    assert feed(b"\n") == ["abcd" * 500_000]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"limit_bytes": 0}, ValueError, "limit_bytes=0"),
        ({"limit_bytes": 1.5}, TypeError, "1.5"),
        ({"limit_bytes": True}, TypeError, "True"),
        ({"encoding": "utf-16"}, ValueError, "a line feed is not the byte 0A"),
        ({"encoding": "klingon"}, ValueError, "unknown encoding: klingon"),
        ({"encoding": "rot13"}, ValueError, "not a text encoding"),
        ({"errors": "hide"}, ValueError, "unknown error handler name 'hide'"),
        ({"ending": "\r"}, TypeError, "ending is bytes"),
        ({"ending": b""}, ValueError, "end a line everywhere"),
        ({"too_long": "cut"}, ValueError, "'raise' or 'skip'"),
    ],
)
def test_a_wrong_option_is_named_when_the_decoder_is_made(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        LineDecoder(**options)
    assert words in str(caught.value)


def test_an_encoding_of_two_bytes_works_with_its_own_ending() -> None:
    decoder = LineDecoder(encoding="utf-16-le", ending="\n".encode("utf-16-le"))
    assert decoder.feed("grün\nrot\n".encode("utf-16-le")) == ["grün", "rot"]


@pytest.mark.parametrize("decoder", [LineDecoder(), LengthDecoder(), RawDecoder()])
def test_a_decoder_takes_any_bytes_and_says_what_is_wrong_with_others(decoder: Decoder) -> None:
    assert decoder.feed(b"") == []
    assert decoder.feed(bytearray(b"\0\0\0\1\n")) == decoder.feed(memoryview(b"\0\0\0\1\n"))
    with pytest.raises(TypeError, match=r"fed with bytes, not 'text' \(str\)"):
        decoder.feed("text")  # type: ignore[arg-type]


def test_a_line_is_encoded_with_one_ending() -> None:
    assert encode_line("temp 21 °C") == "temp 21 °C\n".encode()
    assert encode_line("ready\n") == b"ready\n"
    assert encode_line("ready\r\n") == b"ready\r\n"
    assert encode_line("") == b"\n"
    assert encode_line(b"raw \xff") == b"raw \xff\n"
    assert encode_line("two\nlines") == b"two\nlines\n"
    assert encode_line("AT", ending=b"\r\n") == b"AT\r\n"
    assert encode_line("é", encoding="latin-1") == b"\xe9\n"


def test_what_is_no_line_is_refused_with_its_type_and_value() -> None:
    with pytest.raises(TypeError, match=r"a line is str or bytes, not 21.5 \(float\)"):
        encode_line(21.5)  # type: ignore[arg-type]
    with pytest.raises(TextCodingError, match="cannot be sent as utf-8: surrogates not allowed at character 2"):
        encode_line("ab\ud800")


# ---------------------------------------------------------------------------------------------------------- length


@unhurried
@given(st.lists(st.binary(max_size=40)), CUTS, st.integers(min_value=0, max_value=10))
def test_length_framed_messages_come_back_for_any_cutting(
    messages: list[bytes], cuts: Sequence[int], missing: int
) -> None:
    stream = b"".join(map(encode_length, messages)) + encode_length(b"cut short!")[: 14 - missing]
    decoder = LengthDecoder(limit_bytes=40)
    expected = messages if missing else [*messages, b"cut short!"]
    assert decoded(decoder, cut(stream, cuts)) == (expected, None)
    assert decoder.discarded_bytes == (14 - missing if missing else 0)
    assert decoded(decoder, cut(stream, range(len(stream)))) == (expected, None)


@pytest.mark.parametrize("size", [9, 10, 11])
def test_a_frame_over_the_limit_is_refused_by_both_ends(size: int) -> None:
    decoder = LengthDecoder(limit_bytes=10)
    frame = encode_length(b"x" * size)
    if size <= 10:
        assert encode_length(b"x" * size, 10) == frame
        assert decoder.feed(frame) == [b"x" * size]
        return
    with pytest.raises(FrameTooLong, match="a frame of 11 bytes is longer than limit_bytes=10"):
        encode_length(b"x" * size, 10)
    with pytest.raises(FrameTooLong) as caught:
        decoder.feed(encode_length(b"whole") + frame[:4])  # the header is enough
    assert caught.value.completed == [b"whole"]
    assert (caught.value.limit_bytes, caught.value.frame_bytes) == (10, 11)
    with pytest.raises(FrameTooLong) as again:
        decoder.feed(b"body")
    assert again.value.completed == ()
    assert decoder.discarded_bytes == 8
    assert decoder.finish() == []
    assert decoder.feed(encode_length(b"next")) == [b"next"]


def test_a_text_on_a_length_framed_port_is_refused_at_once() -> None:
    with pytest.raises(FrameTooLong, match="a frame of 1195725856 bytes"):
        LengthDecoder().feed(b"GET / HTTP/1.1\r\n")


def test_the_default_frame_limit_is_1_mib() -> None:
    assert LengthDecoder().feed(encode_length(b"x" * (1 << 20))) == [b"x" * (1 << 20)]
    with pytest.raises(FrameTooLong):
        encode_length(b"x" * ((1 << 20) + 1))


def test_a_decoder_gives_back_the_room_of_a_long_message() -> None:
    lines, frames = LineDecoder(limit_bytes=1 << 20), LengthDecoder()
    tracemalloc.start()
    try:
        for piece in (b"x" * 500_000, b"x" * 500_000, b"\nrest"):
            lines.feed(piece)
        stream = encode_length(b"x" * 1_000_000) + b"\0"
        for piece in (stream[:500_000], stream[500_000:]):
            frames.feed(piece)
        del stream, piece
        assert tracemalloc.get_traced_memory()[0] < 250_000  # either message alone is a million
    finally:
        tracemalloc.stop()


# -------------------------------------------------------------------------------------------------- raw and by name


def test_raw_bytes_pass_as_they_come() -> None:
    decoder = RawDecoder()
    assert decoder.feed(b"a\n") == [b"a\n"]
    assert decoder.feed(b"") == []
    assert decoder.finish() == []
    assert encode_raw(bytearray(b"\0\xff")) == b"\0\xff"


@pytest.mark.parametrize("name", ["bytes", "length"])
def test_str_is_refused_where_bytes_travel_and_lines_are_offered(name: str) -> None:
    with pytest.raises(
        TypeError, match=rf"framing='{name}' sends bytes, not 'hello' \(str\).*framing=\"lines\" for str"
    ):
        framing(name).encode("hello")


@pytest.mark.parametrize(
    ("name", "message", "sent"),
    [("lines", "temp 21", b"temp 21\n"), ("bytes", b"\1\2", b"\1\2"), ("length", b"\1\2", b"\0\0\0\2\1\2")],
)
def test_a_framing_is_found_by_name_and_its_two_halves_fit(name: str, message: str | bytes, sent: bytes) -> None:
    found = framing(name)
    assert found.encode(message) == sent
    assert found.decoder().feed(sent) == [message]
    assert found.decoder() is not found.decoder()


def test_limits_by_name() -> None:
    assert framing("lines").limit_bytes == DEFAULT_LINE_LIMIT_BYTES == 65536
    assert framing("length").limit_bytes == DEFAULT_FRAME_LIMIT_BYTES == 1 << 20
    short = framing("lines", limit_bytes=4)
    assert framing(short) is short
    assert framing(short, limit_bytes=9) == Framing("lines", 9)
    with pytest.raises(LineTooLong, match="limit_bytes=4"):
        short.decoder().feed(b"12345\n")
    with pytest.raises(FrameTooLong, match="limit_bytes=4"):
        framing("length", limit_bytes=4).encode(b"12345")
    with pytest.raises(FrameTooLong, match="limit_bytes=4"):
        framing("length", limit_bytes=4).decoder().feed(encode_length(b"12345"))
    with pytest.raises(ValueError, match="limit_bytes=0"):
        framing("bytes", limit_bytes=0)


@pytest.mark.parametrize(("wrong", "near"), [("line", "lines"), ("byte", "bytes"), ("lenght", "length")])
def test_an_unknown_framing_names_the_nearest_and_all_there_are(wrong: str, near: str) -> None:
    with pytest.raises(ValueError) as caught:
        framing(wrong)
    assert f"did you mean {near!r}?" in str(caught.value)
    assert "'lines' (str messages" in str(caught.value)
    assert "'bytes' (" in str(caught.value)
    assert "'length' (" in str(caught.value)


def test_a_framing_of_another_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"framing=\['lines'\] is not known"):
        framing(["lines"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error", [LineTooLong(10, 12, ["a"]), FrameTooLong(10, 12, [b"a"]), TextCodingError("why", ["a"])]
)
def test_errors_travel_between_processes(error: FramingError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.completed == error.completed
