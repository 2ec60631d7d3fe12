"""Streams of bytes and samples as plain data: framing, buffers and codecs, with no scheduler in them.

The function `framing` is not here but in its module, which it would hide under the same name.
"""

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

__all__ = [
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
]
