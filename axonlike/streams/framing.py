"""Where one message ends and the next begins, in a stream of bytes that arrives cut anywhere.

TCP connections, serial lines and files all deliver bytes in pieces that have nothing to do with messages. The
decoders here take the pieces (`feed`) and give whole messages; the encode functions are their inverse. They do no
input or output, so that one implementation serves every component and can be tested without any.

What holds for every decoder:

* Any cutting of the same bytes gives the same messages.
* Memory: never more than `limit_bytes` and one feed are held, whatever the peer sends. Work is linear in the number
  of bytes, also when they come one at a time.
* A fault raises a `FramingError` whose `completed` holds the messages that were whole before it; deliver those
  first. The place of the next message is then unknown, so the decoder is broken: each further `feed` raises again,
  until `finish` makes it ready for another stream.
* Nothing goes missing in silence: what was taken and will never be delivered is in `discarded_bytes`.
"""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, NoReturn, Protocol, TypeVar, overload

from axonlike.errors import AxonlikeError, did_you_mean, show_value

__all__ = [
    "DEFAULT_FRAME_LIMIT_BYTES",
    "DEFAULT_LINE_LIMIT_BYTES",
    "Decoder",
    "FrameTooLong",
    "Framing",
    "FramingError",
    "LengthDecoder",
    "LineDecoder",
    "LineTooLong",
    "RawDecoder",
    "TextCodingError",
    "encode_length",
    "encode_line",
    "encode_raw",
    "framing",
]

# A line of 64 KiB lies between the 4 KiB control lines of NATS and the payloads of brokers (1 MiB): enough for any
# text that a person reads, little enough for a thousand clients that each hold a half-finished one.
DEFAULT_LINE_LIMIT_BYTES = 64 * 1024
DEFAULT_FRAME_LIMIT_BYTES = 1024 * 1024

_HEADER_BYTES = 4
_UTF8_BOM = codecs.BOM_UTF8

Line = TypeVar("Line", str, bytes)


# --------------------------------------------------------------------------------------------------------- errors


class FramingError(AxonlikeError, ValueError):
    """The bytes, or the message, cannot be framed.

    `completed` holds the messages that the same feed had made whole before the fault: deliver them first.
    """

    code = "AX610"
    completed: Sequence[str] | Sequence[bytes] = ()


class LineTooLong(FramingError):
    """A line has more bytes than allowed; `seen_bytes` of it had come when that was noticed."""

    code = "AX611"

    def __init__(self, limit_bytes: int, seen_bytes: int, completed: Sequence[str] | Sequence[bytes] = ()) -> None:
        # Here and below: all arguments go to args, so that the exception can be pickled and copied.
        super().__init__(limit_bytes, seen_bytes, completed)
        self.limit_bytes = limit_bytes
        self.seen_bytes = seen_bytes
        self.completed = completed

    def __str__(self) -> str:
        return (
            f"a line is longer than limit_bytes={self.limit_bytes}: {self.seen_bytes} bytes seen. Give a greater "
            'limit_bytes, or framing="bytes" if the sender does not speak lines'
        )


class FrameTooLong(FramingError):
    """A length-prefixed message announces, or has, more bytes (`frame_bytes`) than allowed."""

    code = "AX612"

    def __init__(self, limit_bytes: int, frame_bytes: int, completed: Sequence[bytes] = ()) -> None:
        super().__init__(limit_bytes, frame_bytes, completed)
        self.limit_bytes = limit_bytes
        self.frame_bytes = frame_bytes
        self.completed = completed

    def __str__(self) -> str:
        return (
            f"a frame of {self.frame_bytes} bytes is longer than limit_bytes={self.limit_bytes}. Give a greater "
            "limit_bytes, or another framing if the sender puts no 4-byte big-endian length before each message"
        )


class TextCodingError(FramingError):
    """Bytes that are no text in this encoding (decoding with errors="strict"), or text that it has no bytes for."""

    code = "AX613"

    def __init__(self, reason: str, completed: Sequence[str] | Sequence[bytes] = ()) -> None:
        super().__init__(reason, completed)
        self.reason = reason
        self.completed = completed

    def __str__(self) -> str:
        return self.reason


# --------------------------------------------------------------------------------------------- what all of them are


class Decoder(Protocol):
    """What a connection needs to know of any decoder."""

    @property
    def pending_bytes(self) -> int:
        """Bytes held because their message is not whole yet."""

    @property
    def discarded_bytes(self) -> int:
        """Bytes taken, over all streams so far, that no message was made of."""

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[str] | list[bytes]:
        """Take the next bytes and return the messages that are now whole, oldest first."""

    def finish(self, *, keep_partial: bool = True) -> list[str] | list[bytes]:
        """Say that the stream has ended; afterwards the decoder is ready for another one. Counters go on."""


def _as_bytes(data: object) -> bytes:
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if isinstance(data, bytes):
        return data
    raise TypeError(f"a decoder is fed with bytes, not {show_value(data)}")


def _check_limit(limit_bytes: int) -> int:
    if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int):
        raise TypeError(f"limit_bytes is a number of bytes, not {limit_bytes!r}")
    if limit_bytes < 1:
        raise ValueError(f"limit_bytes={limit_bytes} would allow no message at all; give 1 or more")
    return limit_bytes


# ---------------------------------------------------------------------------------------------------------- lines


class LineDecoder(Generic[Line]):
    r"""Lines of text (`encoding=None`: of bytes), without their endings.

    A line ends with LF or CR LF; a CR anywhere else stays in the line, and so do NUL, U+2028 and whatever else
    `str.splitlines` would cut at. Another `ending`, such as b"\r" or b"\0", is taken exactly and CR is then nothing
    special.

    Bytes become text by whole lines, so a character cut in two is intact. What is not valid becomes U+FFFD
    (`errors="replace"`; any handler of the codecs module will do; "strict" raises TextCodingError). A UTF-8 byte order
    mark at the very start of a stream is removed.

    `limit_bytes` counts a line's content in bytes, without its ending. A longer one raises LineTooLong, or,
    with `too_long="skip"`, is left out up to its ending and counted in `skipped_lines`: for sources that find their
    way back by themselves, such as a serial port that was at the wrong speed.
    """

    @overload
    def __init__(
        self: "LineDecoder[str]",
        *,
        limit_bytes: int = DEFAULT_LINE_LIMIT_BYTES,
        encoding: str = "utf-8",
        errors: str = "replace",
        ending: bytes | None = None,
        too_long: Literal["raise", "skip"] = "raise",
    ) -> None: ...

    @overload
    def __init__(
        self: "LineDecoder[bytes]",
        *,
        limit_bytes: int = DEFAULT_LINE_LIMIT_BYTES,
        encoding: None,
        errors: str = "replace",
        ending: bytes | None = None,
        too_long: Literal["raise", "skip"] = "raise",
    ) -> None: ...

    def __init__(
        self,
        *,
        limit_bytes: int = DEFAULT_LINE_LIMIT_BYTES,
        encoding: str | None = "utf-8",
        errors: str = "replace",
        ending: bytes | None = None,
        too_long: Literal["raise", "skip"] = "raise",
    ) -> None:
        if ending is not None and not isinstance(ending, bytes):
            raise TypeError(f"ending is bytes such as b'\\r', not {show_value(ending)}")
        if ending == b"":
            raise ValueError("ending=b'' would end a line everywhere; leave it out for LF or CR LF")
        if too_long not in ("raise", "skip"):
            raise ValueError(f"too_long={too_long!r}: it is 'raise' or 'skip'")
        self.limit_bytes = _check_limit(limit_bytes)
        self.skipped_lines = 0
        self._encoding = None if encoding is None else _line_encoding(encoding, errors, ending)
        self._errors = errors
        self._ending = b"\n" if ending is None else ending
        self._longest_ending = b"\r\n" if ending is None else ending
        self._ending_is_one_byte = len(self._ending) == 1
        self._cr_is_ending = ending is None
        self._skip_too_long = too_long == "skip"
        # UTF-8 never uses the byte 0A for anything but LF, not even in the middle of what is invalid, so a block of
        # lines may be decoded at once and cut afterwards, which is several times as fast. Of other encodings only
        # those with one byte a character promise the same.
        self._decode_whole_blocks = self._ending == b"\n" and self._encoding in ("utf-8", "ascii", "iso8859-1")

        self._partial = bytearray()  # an unfinished line; never contains a whole ending
        self._mark = b""  # the first one or two bytes of a stream, while they may be a byte order mark
        self._at_start = self._encoding == "utf-8"
        self._skipping = False  # inside a line that will not be delivered
        self._fault: Callable[[Sequence[Line]], FramingError] | None = None
        self._discarded_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes held because their message is not whole yet."""
        return len(self._partial) + len(self._mark)

    @property
    def discarded_bytes(self) -> int:
        """Bytes taken, over all streams so far, that no message was made of."""
        return self._discarded_bytes

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[Line]:
        """Take the next bytes and return the lines that are now whole. Raises LineTooLong and TextCodingError."""
        if type(data) is not bytes:
            data = _as_bytes(data)
        if self._fault is not None:
            self._discarded_bytes += len(data)
            raise self._fault(())
        if self._at_start:
            data = self._without_mark(data)
        if self._skipping:
            data = self._after_skipped_line(data)
        if self._ending_is_one_byte:
            end = data.rfind(self._ending) + 1
        else:
            data = self._with_held_ending(data)
            end = self._end_of_last_line(data)

        if end == 0:
            self._partial += data
            return self._without_excess([])
        block = data[:end]
        if self._partial:
            block = bytes(self._partial) + block
            self._partial = bytearray(data[end:])
        elif end < len(data):
            self._partial = bytearray(data[end:])
        lines = self._lines(block)
        return self._without_excess(lines) if self._partial else lines

    def finish(self, *, keep_partial: bool = True) -> list[Line]:
        """End the stream. A last line without ending is delivered, as it is the last line of a file.

        `keep_partial=False` discards it, which is right where the stream was broken off (a reset connection, an
        unplugged device): half a message must not pass for a whole one.
        """
        last = self._mark + bytes(self._partial)
        content = self._content(last)
        skip = self._skipping or self._fault is not None
        self._partial = bytearray()
        self._mark = b""
        self._at_start = self._encoding == "utf-8"
        self._skipping = False
        self._fault = None
        if not last:
            return []
        if skip or not keep_partial:
            self._discarded_bytes += len(last)
            return []
        if len(content) > self.limit_bytes:
            # Only reached with part of a long ending behind the content: any other excess was seen by feed.
            self._discarded_bytes += len(last)
            if self._skip_too_long:
                self.skipped_lines += 1
                return []
            raise LineTooLong(self.limit_bytes, len(content))
        try:
            return [self._decode(content)]
        except UnicodeDecodeError as exc:
            self._discarded_bytes += len(last)
            raise TextCodingError(_not_text(exc, content)) from exc

    def skip_partial_line(self) -> None:
        """Take what comes next for the end of a line whose beginning nobody saw: deliver nothing up to its ending.

        For a source that was joined in the middle, such as a serial device that was talking before the port was opened.
        """
        self._discarded_bytes += len(self._partial) + len(self._mark)
        self._partial = bytearray()
        self._mark = b""
        self._at_start = False
        self._skipping = True

    def _without_mark(self, data: bytes) -> bytes:
        start = self._mark + data
        if len(start) < len(_UTF8_BOM) and _UTF8_BOM.startswith(start):
            self._mark = start
            return b""
        self._mark = b""
        self._at_start = False
        return start.removeprefix(_UTF8_BOM)

    def _after_skipped_line(self, data: bytes) -> bytes:
        """What of `data` lies behind the ending of the line that is being skipped."""
        searched = bytes(self._partial) + data
        at = searched.find(self._ending)
        if at >= 0:
            self._skipping = False
            self._partial = bytearray()
            self._discarded_bytes += at + len(self._ending)
            return searched[at + len(self._ending) :]
        # Of an ending of several bytes the first ones may be here; they alone are kept.
        keep = min(len(self._ending) - 1, len(searched))
        self._discarded_bytes += len(searched) - keep
        self._partial = bytearray(searched[len(searched) - keep :])
        return b""

    def _with_held_ending(self, data: bytes) -> bytes:
        """`data` behind those held bytes that may be the beginning of an ending."""
        held = max(0, len(self._partial) - len(self._ending) + 1)
        start = bytes(self._partial[held:])
        del self._partial[held:]
        return start + data

    def _end_of_last_line(self, data: bytes) -> int:
        # From the left, as an ending such as b"\n\n" may overlap itself.
        end = 0
        while (at := data.find(self._ending, end)) >= 0:
            end = at + len(self._ending)
        return end

    def _lines(self, block: bytes) -> list[Line]:
        """The lines of a block that ends with an ending."""
        if self._cr_is_ending and b"\r" in block:
            plain = block.replace(b"\r\n", b"\n")
        else:
            plain = block
        if len(plain) > self.limit_bytes and not self._all_within_limit(plain):
            return self._lines_one_by_one(block)
        if self._encoding is None:
            pieces = plain.split(self._ending)
            del pieces[-1]
            return pieces  # type: ignore[return-value]
        if not self._decode_whole_blocks:
            return self._lines_one_by_one(block)
        try:
            lines = plain.decode(self._encoding, self._errors).split("\n")
        except UnicodeDecodeError:
            return self._lines_one_by_one(block)  # finds the line that it is, and saves those before it
        del lines[-1]
        return lines  # type: ignore[return-value]

    def _lines_one_by_one(self, block: bytes) -> list[Line]:
        lines: list[Line] = []
        left = len(block)
        for piece in block.split(self._ending)[:-1]:
            content = self._content(piece)
            if len(content) <= self.limit_bytes:
                try:
                    lines.append(self._decode(content))
                except UnicodeDecodeError as exc:
                    self._break(partial(TextCodingError, _not_text(exc, content)), lines, discarded_bytes=left)
            elif self._skip_too_long:
                self._discarded_bytes += len(piece) + len(self._ending)
                self.skipped_lines += 1
            else:
                self._break(partial(LineTooLong, self.limit_bytes, len(content)), lines, discarded_bytes=left)
            left -= len(piece) + len(self._ending)
        return lines

    def _content(self, line: bytes) -> bytes:
        """A line, cut off before its ending, without the CR of a CR LF."""
        return line[:-1] if self._cr_is_ending and line.endswith(b"\r") else line

    def _all_within_limit(self, block: bytes) -> bool:
        ending = self._ending
        if not self._ending_is_one_byte:
            return max(map(len, block.split(ending))) <= self.limit_bytes
        # From each line start to the last ending within reach: a handful of steps, however many lines there are.
        start = 0
        while start < len(block):
            start = block.rfind(ending, start, start + self.limit_bytes + 1) + 1
            if start == 0:
                return False
        return True

    def _decode(self, line: bytes) -> Line:
        if self._encoding is None:
            return line  # type: ignore[return-value]
        return line.decode(self._encoding, self._errors)  # type: ignore[return-value]

    def _without_excess(self, lines: list[Line]) -> list[Line]:
        """`lines`, after a look at the unfinished line: it may be too long already, whatever comes next."""
        seen_bytes = len(self._partial)
        if seen_bytes <= self.limit_bytes or self._skipping:
            return lines
        # The last bytes held may be the first of an ending, and then do not count as content.
        for held in range(seen_bytes - self.limit_bytes, len(self._longest_ending)):
            if self._partial.endswith(self._longest_ending[:held]):
                return lines
        if not self._skip_too_long:
            self._break(partial(LineTooLong, self.limit_bytes, seen_bytes), lines, discarded_bytes=0)
        self.skipped_lines += 1
        keep = min(len(self._ending) - 1, seen_bytes)  # the beginning of an ending, perhaps
        self._discarded_bytes += seen_bytes - keep
        self._partial = self._partial[seen_bytes - keep :]
        self._skipping = True
        return lines

    def _break(
        self, fault: Callable[[Sequence[Line]], FramingError], lines: list[Line], *, discarded_bytes: int
    ) -> NoReturn:
        self._fault = fault
        self._discarded_bytes += discarded_bytes + len(self._partial)
        self._partial = bytearray()
        raise fault(lines)


def _line_encoding(encoding: str, errors: str, ending: bytes | None) -> str:
    """The codec's canonical name, once it is clear that lines can be cut before they are decoded."""
    try:
        name = codecs.lookup(encoding).name.removesuffix("-sig")  # LineDecoder removes the mark itself
        codecs.lookup_error(errors)
        line_feed = "\n".encode(name)
    except LookupError as exc:
        raise ValueError(f"{exc}: encoding is a text encoding such as 'utf-8', errors such as 'replace'") from exc
    if ending is None and line_feed != b"\n":
        raise ValueError(
            f"in encoding={encoding!r} a line feed is not the byte 0A, so lines cannot be found before decoding; "
            "give ending=... as the bytes that end a line, or convert the stream first"
        )
    return name


def _not_text(exc: UnicodeDecodeError, line: bytes) -> str:
    return (
        f"a line is not {exc.encoding}: {exc.reason} at byte {exc.start} of {show_value(line)}. Give the sender's "
        'encoding, or errors="replace" to get U+FFFD in its place'
    )


def encode_line(message: str | bytes, *, encoding: str = "utf-8", ending: bytes = b"\n") -> bytes:
    r"""The bytes of one line; `ending` is added unless the message has it already.

    A message with line endings inside goes out as it is: the other side reads several lines. Its length is not checked,
    as only the receiver's limit counts. TypeError for anything but str and bytes; TextCodingError for text that the
    encoding has no bytes for (a lone surrogate in UTF-8).
    """
    if isinstance(message, str):
        try:
            data = message.encode(encoding)
        except UnicodeEncodeError as exc:
            raise TextCodingError(
                f"the line {show_value(message)} cannot be sent as {exc.encoding}: {exc.reason} at character "
                f"{exc.start}. Replace that character, or send bytes"
            ) from exc
    elif isinstance(message, bytes | bytearray):
        data = bytes(message)
    else:
        raise TypeError(f"a line is str or bytes, not {show_value(message)}; make it text first")
    return data if data.endswith(ending) else data + ending


# --------------------------------------------------------------------------------------------------- length prefix


class LengthDecoder:
    """Messages that each follow their length: four bytes, big-endian, not counting themselves.

    A length over `limit_bytes` raises FrameTooLong as soon as its four bytes are here, before any of the body is
    waited for. Empty messages are delivered as b"".
    """

    def __init__(self, *, limit_bytes: int = DEFAULT_FRAME_LIMIT_BYTES) -> None:
        self.limit_bytes = _check_limit(limit_bytes)
        self._buffer = bytearray()  # starts with a header, or part of one
        self._wanted_bytes = _HEADER_BYTES  # below this much in the buffer there is nothing to do
        self._too_long_bytes: int | None = None
        self._discarded_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes held because their message is not whole yet."""
        return len(self._buffer)

    @property
    def discarded_bytes(self) -> int:
        """Bytes taken, over all streams so far, that no message was made of."""
        return self._discarded_bytes

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[bytes]:
        """Take the next bytes and return the messages that are now whole. Raises FrameTooLong."""
        if type(data) is not bytes:
            data = _as_bytes(data)
        if self._too_long_bytes is not None:
            self._discarded_bytes += len(data)
            raise FrameTooLong(self.limit_bytes, self._too_long_bytes)
        buffer = self._buffer
        buffer += data
        if len(buffer) < self._wanted_bytes:
            return []
        frames: list[bytes] = []
        start = 0
        self._wanted_bytes = _HEADER_BYTES
        with memoryview(buffer) as view:
            while len(view) - start >= _HEADER_BYTES:
                body = start + _HEADER_BYTES
                frame_bytes = int.from_bytes(view[start:body], "big")
                if frame_bytes > self.limit_bytes:
                    self._too_long_bytes = frame_bytes
                    break
                if len(view) < body + frame_bytes:
                    self._wanted_bytes = _HEADER_BYTES + frame_bytes
                    break
                frames.append(bytes(view[body : body + frame_bytes]))
                start = body + frame_bytes
        if self._too_long_bytes is not None:
            self._discarded_bytes += len(buffer) - start
            self._buffer = bytearray()
            raise FrameTooLong(self.limit_bytes, self._too_long_bytes, frames)
        del buffer[:start]
        return frames

    def finish(self, *, keep_partial: bool = True) -> list[bytes]:
        """End the stream. An unfinished message is not delivered, whatever `keep_partial` says: it is known to be cut.

        `pending_bytes`, asked before, tells whether there was one; its bytes are counted as discarded.
        """
        self._discarded_bytes += len(self._buffer)
        self._buffer = bytearray()
        self._wanted_bytes = _HEADER_BYTES
        self._too_long_bytes = None
        return []


def encode_length(payload: object, limit_bytes: int = DEFAULT_FRAME_LIMIT_BYTES) -> bytes:
    """The payload behind its length. FrameTooLong above `limit_bytes`, as the receiver would refuse it."""
    data = _payload(payload, "length")
    if len(data) > limit_bytes:
        raise FrameTooLong(limit_bytes, len(data))
    return len(data).to_bytes(_HEADER_BYTES, "big") + data


def _payload(message: object, framing_name: str) -> bytes:
    if isinstance(message, bytes):
        return message
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    raise TypeError(
        f'framing={framing_name!r} sends bytes, not {show_value(message)}; encode it, or use framing="lines" for str'
    )


# ------------------------------------------------------------------------------------------------------ no framing


class RawDecoder:
    """The bytes as they come: each feed that is not empty is one message. Holds nothing."""

    pending_bytes = 0
    discarded_bytes = 0

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[bytes]:
        """Return the bytes as they are: one message, or none if there are none."""
        data = _as_bytes(data)
        return [data] if data else []

    def finish(self, *, keep_partial: bool = True) -> list[bytes]:
        """End the stream; nothing was held, so nothing comes."""
        return []


def encode_raw(message: object) -> bytes:
    """The message itself; TypeError for anything but bytes."""
    return _payload(message, "bytes")


# -------------------------------------------------------------------------------------------------------- by name


_MEANINGS = {
    "lines": "str messages, UTF-8, one a line",
    "bytes": "bytes as they come",
    "length": "bytes messages behind a 4-byte big-endian length",
}


@dataclass(frozen=True)
class Framing:
    """A way to cut a stream into messages, by name: what a component's `framing=` argument stands for.

    `limit_bytes` is that of one message; "bytes" has no messages of its own to limit.
    """

    name: str
    limit_bytes: int

    def __post_init__(self) -> None:
        if self.name not in tuple(_MEANINGS):
            raise ValueError(_unknown_framing(self.name))
        _check_limit(self.limit_bytes)

    def decoder(self) -> Decoder:
        """A new decoder, for one stream at a time."""
        if self.name == "lines":
            return LineDecoder(limit_bytes=self.limit_bytes)
        if self.name == "length":
            return LengthDecoder(limit_bytes=self.limit_bytes)
        return RawDecoder()

    def encode(self, message: str | bytes) -> bytes:
        """The bytes to send for a message; TypeError names the types that this framing takes."""
        if self.name == "lines":
            return encode_line(message)
        if self.name == "length":
            return encode_length(message, self.limit_bytes)
        return encode_raw(message)


def framing(name: str | Framing, *, limit_bytes: int | None = None) -> Framing:
    """The framing called `name`: "lines" (at most 64 KiB each), "length" (at most 1 MiB each) or "bytes".

    A Framing comes back as it is, so that a component may take either.
    """
    if isinstance(name, Framing):
        return name if limit_bytes is None else Framing(name.name, limit_bytes)
    if limit_bytes is None:
        limit_bytes = DEFAULT_LINE_LIMIT_BYTES if name == "lines" else DEFAULT_FRAME_LIMIT_BYTES
    return Framing(name, limit_bytes)


def _unknown_framing(name: object) -> str:
    allowed = ", ".join(f"{known!r} ({meaning})" for known, meaning in _MEANINGS.items())
    near = did_you_mean(name, _MEANINGS) if isinstance(name, str) else ""
    return f"framing={name!r} is not known{near}. Allowed are {allowed}"
