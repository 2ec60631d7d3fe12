"""Chunks as bytes, for sockets and files between processes: a header that msgspec checks, and the samples as they lie.

A chunk is two parts, as of a message of several parts: the header and the body. `ChunkEncoder` and `ChunkDecoder` turn
one into the other; over a stream of bytes each part follows its length (`framed`, `ChunkStreamDecoder`).

The header is the four bytes ``AXCH``, the version, and a msgpack array (`_Header`). What the stream is (`StreamInfo`)
travels with the first chunk and whenever it changes, or with each (``describe="always"``, where receivers may join
late or messages may be lost). The body is the memory of the array from its first byte to its last: `order` says which
axis is the slowest there, so a transposed or reversed array is neither copied nor changed.

What comes in is not trusted. Data types are looked up in a list, never parsed; lengths have to agree to the byte before
anything is allocated; nothing is ever unpickled or evaluated. Whatever the bytes, decoding gives a chunk or raises
`CodecError`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NoReturn, get_args

import msgspec
import numpy as np

from axonlike.errors import AxonlikeError, MissingExtra, UsageError, show_value
from axonlike.streams.arrays import PLAIN_DTYPES, Buffer, in_memory_order, is_order, laid_out
from axonlike.streams.chunk import Axis, Chunk, StreamInfo
from axonlike.streams.framing import FrameTooLong, LengthDecoder

__all__ = [
    "BadChunk",
    "ChunkDecoder",
    "ChunkEncoder",
    "ChunkStreamDecoder",
    "ChunkTooLong",
    "CodecError",
    "Compression",
    "NotDescribed",
    "framed",
]

MAGIC: Final = b"AXCH"
VERSION: Final = 1
DEFAULT_LIMIT_BYTES = 1024 * 1024
HEADER_LIMIT_BYTES = 16 * 1024

Compression = Literal["", "zlib", "blosc2"]


# --------------------------------------------------------------------------------------------------------- errors


class CodecError(AxonlikeError, ValueError):
    """A chunk cannot be encoded, or bytes are no chunk.

    `completed` holds the chunks that the same feed had made whole before the fault: deliver them first.
    """

    code = "AX614"
    completed: Sequence[Chunk] = ()


class BadChunk(CodecError):
    """Bytes that are no chunk of this version, or contradict themselves."""


class ChunkTooLong(CodecError):
    """The samples, packed or not, or the header, take more bytes than allowed."""

    code = "AX615"


class NotDescribed(CodecError):
    """A chunk of a stream whose StreamInfo has not come: the receiver has joined late, or a message was lost."""

    code = "AX616"


# ---------------------------------------------------------------------------------------------------- what is sent

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Length = Annotated[int, msgspec.Meta(ge=0, le=2**48)]
_Position = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, msgspec.Meta(max_length=1024)]
_FieldName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Lengths = Annotated[tuple[_Length, ...], msgspec.Meta(min_length=1, max_length=8)]
_Order = Annotated[tuple[Annotated[int, msgspec.Meta(ge=-8, lt=8)], ...], msgspec.Meta(min_length=1, max_length=8)]


class _Field(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One field of a structured dtype, packed: each begins where the one before ends."""

    name: _FieldName
    dtype: _Text
    shape: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=65536)], ...], msgspec.Meta(max_length=4)] = ()


_Dtype = _Text | Annotated[tuple[_Field, ...], msgspec.Meta(min_length=1, max_length=64)]


class _Axis(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    name: _Text
    units: _Text
    start: float
    step: float


class _Info(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A StreamInfo without dtype and shape, which stand in each header."""

    kind: _Text
    sample_rate_hz: float = 0.0
    units: _Text = ""
    channel_names: tuple[_Text, ...] = ()
    name: _Text = ""
    axis: _Axis | None = None
    scale: float | tuple[float, ...] | None = None
    offset: float | tuple[float, ...] | None = None
    clock: _Text = "host"
    facts: dict[str, Any] = {}


class _Header(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """stream: counts the StreamInfos of this sender; a chunk belongs to the one that came with this number.

    order: the axes from slowest to fastest in memory; ~axis for one that runs backwards there.
    """

    seq: _Count
    index: _Position
    time_ns: _Position | None
    dtype: _Dtype
    shape: _Lengths
    order: _Order
    compression: Compression
    stream: _Count
    info: _Info | None


_encode_header = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(_Header).decode

# Text of fixed length, in fields only: descriptions of markers.
_TEXT: dict[str, np.dtype[Any]] = {dtype.str: dtype for dtype in (np.dtype(f"S{length}") for length in range(1, 257))}


def _said_dtype(dtype: np.dtype[Any]) -> str | tuple[_Field, ...]:
    """How a dtype is written. Raises CodecError for one that is not in the list."""
    if dtype.names is None:
        if dtype.str not in PLAIN_DTYPES:
            raise CodecError(f"samples of dtype {dtype} cannot be sent: make plain numbers of them (Convert)")
        return dtype.str
    fields = []
    end = 0
    for name in dtype.names:
        assert dtype.fields is not None
        field, offset = dtype.fields[name][:2]
        base, shape = field.subdtype or (field, ())
        if offset != end or (base.str not in PLAIN_DTYPES and base.str not in _TEXT) or base.names is not None:
            raise CodecError(
                f"rows of dtype {dtype} cannot be sent: its field {name!r} is no plain number (or text up to 256 "
                "bytes), or does not follow the one before without padding"
            )
        end += field.itemsize
        fields.append(_Field(name, base.str, tuple(shape)))
    if end != dtype.itemsize:
        raise CodecError(f"rows of dtype {dtype} cannot be sent: there is padding after its last field")
    return tuple(fields)


def _dtype_of(said: str | tuple[_Field, ...]) -> np.dtype[Any]:
    if isinstance(said, str):
        try:
            return PLAIN_DTYPES[said]
        except KeyError:
            raise BadChunk(f"a chunk of dtype {said!r}, which is not in the list of those that are taken") from None
    fields: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    for field in said:
        base = PLAIN_DTYPES.get(field.dtype) or _TEXT.get(field.dtype)
        if base is None:
            raise BadChunk(f"a chunk with a field of dtype {field.dtype!r}, which is not in the list of those taken")
        if base.itemsize * math.prod(field.shape) > _LONGEST_FIELD_BYTES:
            raise BadChunk(f"a chunk with a field {field.name!r} of shape {field.shape}: too long")
        fields.append((field.name, base, field.shape))
    try:
        return np.dtype(fields)
    except (ValueError, TypeError) as exc:
        raise BadChunk(f"a chunk whose fields are no dtype: {exc}") from exc


_LONGEST_FIELD_BYTES = 1 << 20


# -------------------------------------------------------------------------------------------------------- encoding


class ChunkEncoder:
    """Turns the chunks of one stream into header and body, in the order in which they are sent.

    describe: send the StreamInfo "changed" (with the first chunk and whenever it is another) or "always".
    compression: of bodies, "zlib" or "blosc2"; what would not get shorter goes as it is. limit_bytes: of the samples of
    one chunk, before compression; the receiver's is to be as large. level: 1 is fast, 9 is small.

    seq: how many chunks were encoded. Raises UsageError, and MissingExtra where blosc2 is not installed.
    """

    def __init__(
        self,
        *,
        describe: Literal["changed", "always"] = "changed",
        compression: Compression = "",
        level: int = 1,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        header_limit_bytes: int = HEADER_LIMIT_BYTES,
    ) -> None:
        if describe not in ("changed", "always"):
            raise UsageError(f"ChunkEncoder: describe is 'changed' or 'always', not {describe!r}")
        if not 1 <= level <= 9:
            raise UsageError(f"ChunkEncoder: level is 1 to 9, not {level!r}")
        _check_compression(compression, "ChunkEncoder")
        self.compression: Compression = compression
        self.limit_bytes = limit_bytes
        self.header_limit_bytes = header_limit_bytes
        self.seq = 0
        self._level = level
        self._always = describe == "always"
        self._stream = -1
        self._info: StreamInfo | None = None
        self._dtype: Any = None
        self._said: _Info | None = None
        self._describe_next = False

    def describe_again(self) -> None:
        """Send the StreamInfo with the next chunk: somebody has joined."""
        self._describe_next = True

    def encode(self, chunk: Chunk) -> tuple[bytes, memoryview]:
        """Header and body. The body is the chunk's own memory where that is in one piece, whatever its axis order.

        Raises ChunkTooLong, and CodecError for a dtype that cannot be sent; nothing is then counted.
        """
        data = chunk.data
        if data.nbytes > self.limit_bytes:
            raise ChunkTooLong(
                f"{chunk!r} has {data.nbytes} bytes, over limit_bytes={self.limit_bytes}. Send shorter chunks "
                "(Rechunk), or give both ends a greater limit"
            )
        info, stream, dtype, said = chunk.info, self._stream, self._dtype, self._said
        news = info is not self._info and info != self._info
        if news:
            stream, dtype, said = stream + 1, _said_dtype(info.dtype), _said_info(info)
        order, body = in_memory_order(data)
        packed, compression = self._packed(body, data.dtype.itemsize)
        telling = said if news or self._always or self._describe_next else None
        time_ns = None if chunk.time_ns is None else int(chunk.time_ns)
        header = _encode_header(
            _Header(self.seq, int(chunk.index), time_ns, dtype, data.shape, order, compression, stream, telling)
        )
        header = MAGIC + bytes((VERSION,)) + header
        if len(header) > self.header_limit_bytes:
            raise ChunkTooLong(
                f"the header of {chunk!r} has {len(header)} bytes, over header_limit_bytes="
                f"{self.header_limit_bytes}: its facts or channel names are too long"
            )
        self._info, self._stream, self._dtype, self._said, self._describe_next = info, stream, dtype, said, False
        self.seq += 1
        return header, packed

    def _packed(self, body: memoryview, item_bytes: int) -> tuple[memoryview, Compression]:
        if not self.compression or not len(body):
            return body, ""
        if self.compression == "zlib":
            packed: bytes = zlib.compress(body, self._level)
        else:
            import blosc2  # type: ignore[import-untyped, unused-ignore]

            packed = blosc2.compress2(body, cparams={"typesize": min(item_bytes, 255), "clevel": self._level})
        return (memoryview(packed), self.compression) if len(packed) < len(body) else (body, "")


def _said_info(info: StreamInfo) -> _Info:
    axis = None
    if info.axis is not None:
        axis = _Axis(info.axis.name, info.axis.units, float(info.axis.start), float(info.axis.step))
    try:
        facts = _plain(info.facts)
    except _NotPlain as exc:
        raise CodecError(f"the facts of {info.name or 'a stream'} cannot be sent: {exc}; give what JSON holds") from exc
    return _Info(
        info.kind, info.sample_rate_hz, info.units, info.channel_names, info.name, axis, info.scale, info.offset,
        info.clock, facts,
    )  # fmt: skip


_DEEPEST = 16


class _NotPlain(ValueError):
    """A value that is not what JSON can hold."""


def _plain(value: Any, depth: int = 0) -> Any:
    """The same as dict, list, str, int, float, bool and None. numpy's numbers become Python's, tuples lists."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    for plain in (str, float):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {str(key): _plain(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [_plain(each, depth + 1) for each in value]
    raise _NotPlain(show_value(value))


# -------------------------------------------------------------------------------------------------------- decoding


class ChunkDecoder:
    """Turns headers and bodies of one sender into chunks.

    limit_bytes: of the samples of one chunk, unpacked. compression: those that are taken; name "blosc2" only where the
    sender is trusted as far as that library is. missed: messages that did not come, by their numbers; what they held
    shows as a gap in the index, too.
    """

    def __init__(
        self,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        header_limit_bytes: int = HEADER_LIMIT_BYTES,
        compression: Collection[str] = ("zlib",),
    ) -> None:
        for each in compression:
            _check_compression(each, "ChunkDecoder")
        self.limit_bytes = limit_bytes
        self.header_limit_bytes = header_limit_bytes
        self.missed = 0
        self._compression = frozenset(compression)
        self._expected: int | None = None
        self._stream = -1
        self._info: StreamInfo | None = None
        self._sent: tuple[_Info, np.dtype[Any], tuple[int, ...]] | None = None

    def decode(self, header: Buffer, body: Buffer) -> Chunk:
        """The chunk of these two parts.

        Its array is a read-only view of `body`, which must not change any more (bytes cannot), unless it was packed.
        Raises BadChunk, ChunkTooLong and NotDescribed; the next message can then be tried.
        """
        said = self._read(header)
        dtype = _dtype_of(said.dtype)
        shape, order = said.shape, said.order
        if not is_order(order, len(shape)):
            raise BadChunk(f"a chunk whose axis order {order} does not name each axis of shape {shape} once")
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        wanted = shape[0] * row_bytes
        if max(wanted, row_bytes) > self.limit_bytes:
            raise ChunkTooLong(
                f"a chunk of shape {shape} and dtype {dtype} has {wanted} bytes, over limit_bytes={self.limit_bytes}: "
                "give both ends a greater limit"
            )
        info = self._info_of(said, dtype, shape)
        if shape[1:] != info.shape or dtype != info.dtype:
            raise BadChunk(
                f"a chunk has shape {shape} and dtype {dtype}, its stream rows of {info.shape} and dtype {info.dtype}"
            )
        content = self._unpacked(said.compression, body, wanted)
        if len(content) != wanted:
            raise BadChunk(f"a chunk of shape {shape} and dtype {dtype} takes {wanted} bytes, {len(content)} came")
        data = laid_out(content, dtype, shape, order)
        if said.info is not None:
            self._info, self._stream = info, said.stream
            self._sent = said.info, dtype, shape[1:]
        if self._expected is not None and said.seq > self._expected:
            self.missed += said.seq - self._expected
        self._expected = said.seq + 1
        return Chunk(data, info, said.index, said.time_ns)

    def _read(self, header: Buffer) -> _Header:
        if len(header) > self.header_limit_bytes:
            raise ChunkTooLong(f"a header of {len(header)} bytes, over header_limit_bytes={self.header_limit_bytes}")
        head = bytes(header[:5])
        if head[:4] != MAGIC:
            raise BadChunk(f"a chunk begins with {MAGIC!r}, this one with {head[:4]!r}: it is something else")
        if head[4:] != bytes((VERSION,)):
            raise BadChunk(f"a chunk of version {head[4:].hex() or 'none'}, known is {VERSION}: update the older end")
        try:
            return _decode_header(memoryview(header)[5:])
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            raise BadChunk(f"a chunk with a header that cannot be read: {exc}") from exc

    def _info_of(self, said: _Header, dtype: np.dtype[Any], shape: tuple[int, ...]) -> StreamInfo:
        sent = said.info
        if sent is None:
            if self._info is None or said.stream != self._stream:
                raise NotDescribed(
                    f"a chunk of stream number {said.stream} (rows from {said.index} on), which was not described: "
                    'the sender is to use describe="always", or describe_again() when somebody joins'
                )
            return self._info
        if self._info is not None and self._sent == (sent, dtype, shape[1:]):
            return self._info  # the same object, so that receivers see at once that nothing has changed
        axis = None
        if sent.axis is not None:
            axis = Axis(sent.axis.name, sent.axis.units, sent.axis.start, sent.axis.step)
        try:
            return StreamInfo(
                kind=sent.kind,  # type: ignore[arg-type]  # StreamInfo checks it
                dtype=dtype, shape=shape[1:], sample_rate_hz=sent.sample_rate_hz, units=sent.units,
                channel_names=sent.channel_names, name=sent.name, axis=axis, scale=sent.scale, offset=sent.offset,
                clock=sent.clock, facts=_plain(sent.facts),
            )  # fmt: skip
        except (UsageError, _NotPlain) as exc:
            raise BadChunk(f"a chunk of what is no stream: {exc}") from exc

    def _unpacked(self, compression: Compression, body: Buffer, wanted: int) -> Buffer:
        if not compression:
            return memoryview(body).cast("B") if len(body) else b""
        if compression not in self._compression:
            raise BadChunk(f"a chunk packed with {compression}, which is not taken here: ChunkDecoder(compression=...)")
        if compression == "zlib":
            unpack = zlib.decompressobj()
            try:
                # One byte more than wanted: if it comes, the body is longer than it says, and no more is unpacked.
                content = unpack.decompress(body, wanted + 1)
            except zlib.error as exc:
                raise BadChunk(f"a chunk whose body zlib cannot unpack: {exc}") from exc
            if len(content) <= wanted and (not unpack.eof or unpack.unused_data):
                raise BadChunk("a chunk whose packed body is cut off, or goes on behind its end")
            return content
        return _unpacked_with_blosc2(body, wanted)


def _unpacked_with_blosc2(body: Buffer, wanted: int) -> bytes:
    import blosc2

    packed = bytes(body)
    try:
        content_bytes, packed_bytes, _ = blosc2.get_cbuffer_sizes(packed)
        if content_bytes != wanted or packed_bytes != len(packed):
            raise BadChunk(
                f"a chunk whose body says {content_bytes} bytes packed into {packed_bytes}; it takes {wanted}, and "
                f"{len(packed)} came"
            )
        content: bytes = blosc2.decompress2(packed)
    except (RuntimeError, ValueError, TypeError, MemoryError) as exc:
        if isinstance(exc, BadChunk):
            raise
        raise BadChunk(f"a chunk whose body blosc2 cannot unpack: {exc}") from exc
    return content


def _check_compression(name: str, who: str) -> None:
    if name not in get_args(Compression):
        raise UsageError(f"{who}: no compression {name!r}; there are 'zlib', 'blosc2' and '' for none")
    if name == "blosc2":
        try:
            import blosc2  # noqa: F401
        except ImportError:
            raise MissingExtra(f"{who}(compression='blosc2')", "blosc2", "compress") from None


# ------------------------------------------------------------------------------------------- over a stream of bytes


def framed(parts: Iterable[Buffer]) -> list[Buffer]:
    """The parts, each behind its length as `axonlike.streams.framing` reads it; to be written one after the other."""
    buffers: list[Buffer] = []
    for part in parts:
        buffers += (len(part).to_bytes(4, "big"), part)
    return buffers


class ChunkStreamDecoder:
    """Chunks from a stream of bytes, cut anywhere, whose parts each follow their length.

    A fault breaks it, as the place of the next chunk is then in doubt: each further `feed` raises again, until `finish`
    makes it ready for another stream. decoder: as it was set up; it goes on knowing what the stream is.
    """

    def __init__(self, decoder: ChunkDecoder | None = None) -> None:
        self.decoder = decoder or ChunkDecoder()
        limit_bytes = max(self.decoder.limit_bytes, self.decoder.header_limit_bytes)
        self._frames = LengthDecoder(limit_bytes=limit_bytes)
        self._header: bytes | None = None
        self._fault: CodecError | None = None
        self._discarded_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes held because their chunk is not whole yet."""
        return self._frames.pending_bytes + (len(self._header) + 4 if self._header is not None else 0)

    @property
    def discarded_bytes(self) -> int:
        """Bytes taken, over all streams so far, that no chunk was made of."""
        return self._discarded_bytes + self._frames.discarded_bytes

    def feed(self, data: Buffer, /) -> list[Chunk]:
        """The chunks that are now whole. Raises CodecError."""
        if self._fault is not None:
            self._discarded_bytes += len(data)
            raise type(self._fault)(str(self._fault))
        chunks: list[Chunk] = []
        too_long: FrameTooLong | None = None
        try:
            parts = self._frames.feed(data)
        except FrameTooLong as exc:
            parts = [part for part in exc.completed if isinstance(part, bytes)]
            too_long = exc
        for number, part in enumerate(parts):
            if self._header is None:
                self._header = part
                continue
            try:
                chunks.append(self.decoder.decode(self._header, part))
            except CodecError as exc:
                self._discarded_bytes += sum(len(each) + 4 for each in parts[number:])
                self._break(exc, chunks)
            self._header = None
        if too_long is not None:
            self._break(ChunkTooLong(str(too_long)), chunks)
        return chunks

    def _break(self, fault: CodecError, chunks: list[Chunk]) -> NoReturn:
        self.finish()
        self._fault = fault
        fault.completed = tuple(chunks)
        raise fault

    def finish(self) -> list[Chunk]:
        """End the stream: a chunk that is not whole is discarded and counted. Ready for another stream afterwards."""
        if self._header is not None:
            self._discarded_bytes += len(self._header) + 4
        self._frames.finish()
        self._header = self._fault = None
        return []
