"""Streams of bytes and samples as plain data: framing, buffers and codecs, with no scheduler in them.

The function `framing` is not here but in its module, which it would hide under the same name.
"""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late
from axonlike.streams.framing import (
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
)

if TYPE_CHECKING:
    from axonlike.streams.chunk import EVENT, Axis, Chunk, Continuity, StreamInfo, join
    from axonlike.streams.codec import (
        BadChunk,
        ChunkDecoder,
        ChunkEncoder,
        ChunkStreamDecoder,
        ChunkTooLong,
        CodecError,
    )
    from axonlike.streams.ringbuffer import RingBuffer

__getattr__ = loaded_late(
    __name__,
    {
        "chunk": "EVENT Axis Chunk Continuity StreamInfo join",
        "codec": "BadChunk ChunkDecoder ChunkEncoder ChunkStreamDecoder ChunkTooLong CodecError",
        "ringbuffer": "RingBuffer",
    },
)

__all__ = [
    "EVENT",
    "Axis",
    "BadChunk",
    "Chunk",
    "ChunkDecoder",
    "ChunkEncoder",
    "ChunkStreamDecoder",
    "ChunkTooLong",
    "CodecError",
    "Continuity",
    "Decoder",
    "FrameTooLong",
    "Framing",
    "FramingError",
    "LengthDecoder",
    "LineDecoder",
    "LineTooLong",
    "RawDecoder",
    "RingBuffer",
    "StreamInfo",
    "TextCodingError",
    "encode_length",
    "encode_line",
    "encode_raw",
    "join",
]
