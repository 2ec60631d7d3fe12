"""Remote Data Access of the BrainVision Recorder: the bytes that it sends, made into messages. No socket in here.

Everything is little-endian. A message is a GUID, its whole size, its type, and a body; the server begins with START,
and counts its data blocks from there on. Source: Brain Products, BrainVision Recorder user manual, chapter "Remote Data
Access".
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["RDA_GUID", "RdaBlock", "RdaMarker", "RdaParser", "RdaStart", "RdaStop"]

RDA_GUID = bytes.fromhex("8e45584396c9864caf4a98bbf6c91450")

_HEADER = struct.Struct("<16sII")
_START_HEAD = struct.Struct("<Id")
_DATA_HEAD = struct.Struct("<III")
_MARKER_HEAD = struct.Struct("<IIIi")
_START, _DATA_16, _STOP, _DATA_32 = 1, 2, 3, 4
_DTYPES: dict[int, np.dtype[Any]] = {_DATA_16: np.dtype("<i2"), _DATA_32: np.dtype("<f4")}


@dataclass(frozen=True, slots=True)
class RdaStart:
    """Monitoring begins. resolutions_uv: microvolts per unit, for each channel."""

    sample_rate_hz: float
    resolutions_uv: tuple[float, ...]
    channel_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RdaMarker:
    """position: rows after the first one of its block. rows: how long it lasts. channel: -1 for all."""

    position: int
    rows: int
    channel: int
    type: str
    description: str


@dataclass(frozen=True, slots=True, eq=False)
class RdaBlock:
    """A block of samples. number: counts the server's blocks since START. data: (rows, channels), int16 or float32."""

    number: int
    data: npt.NDArray[Any]
    markers: tuple[RdaMarker, ...]


@dataclass(frozen=True, slots=True)
class RdaStop:
    """Monitoring has ended."""


class _Malformed(Exception):
    pass


class RdaParser:
    """``feed(bytes)`` gives the messages that are whole by then, whatever the pieces.

    Where no message begins, bytes are passed over up to the next GUID. A message of another type is passed over by its
    size; one larger than `message_limit_bytes` is taken for garbage. A message whose parts do not fit into its size, or
    that was cut short, is left out, and so are data before any START; of a block whose markers do not fit, the samples
    are kept.

    discarded_bytes: of no message; in_a_row: those of them since the last message. malformed, malformed_markers: how
    many were left out. unstarted: blocks without a START. unknown: how many of each other type. fault: what was wrong
    with the last malformed message.
    """

    def __init__(self, *, message_limit_bytes: int = 16 << 20) -> None:
        self.message_limit_bytes = message_limit_bytes
        self.start: RdaStart | None = None
        self.discarded_bytes = 0
        self.in_a_row = 0
        self.malformed = 0
        self.malformed_markers = 0
        self.unstarted = 0
        self.unknown: Counter[int] = Counter()
        self.fault = ""
        self._buffer = bytearray()
        self._skip_bytes = 0

    def feed(self, data: bytes) -> list[RdaStart | RdaBlock | RdaStop]:
        """Take bytes as they come."""
        self._buffer += data
        messages: list[RdaStart | RdaBlock | RdaStop] = []
        while True:
            if self._skip_bytes:
                skipped = min(self._skip_bytes, len(self._buffer))
                del self._buffer[:skipped]
                self._skip_bytes -= skipped
            if self._skip_bytes or not self._find_message():
                return messages
            if len(self._buffer) < _HEADER.size:
                return messages
            if self._begins_inside(_HEADER.size):
                continue
            _, size, kind = _HEADER.unpack_from(self._buffer)
            if not _HEADER.size <= size <= self.message_limit_bytes:
                self._discard(1)
                continue
            if kind not in (_START, _DATA_16, _STOP, _DATA_32):
                self.unknown[kind] += 1
                self.in_a_row = 0
                self._skip_bytes = size
                continue
            if len(self._buffer) < size:
                return messages
            if self._begins_inside(size):
                continue
            body = bytes(memoryview(self._buffer)[_HEADER.size : size])
            del self._buffer[:size]
            self.in_a_row = 0
            try:
                message = self._message(kind, body)
            except _Malformed as exc:
                self.malformed += 1
                self.fault = str(exc)
                continue
            if message is not None:
                messages.append(message)

    def finish(self) -> int:
        """The connection is over: how many bytes of a message were left, and lost. The next is a new beginning."""
        left = len(self._buffer)
        self.discarded_bytes += left
        self._buffer.clear()
        self._skip_bytes = self.in_a_row = 0
        self.start = None
        return left

    def _find_message(self) -> bool:
        """Does the buffer begin with a GUID, or what there is of one? Discards what stands before it."""
        buffer = self._buffer
        if buffer.startswith(RDA_GUID):
            return True
        found = buffer.find(RDA_GUID)
        if found < 0:
            # Its beginning may be at the very end of what has come.
            found = next(
                (at for at in range(max(0, len(buffer) - 15), len(buffer)) if RDA_GUID.startswith(bytes(buffer[at:]))),
                len(buffer),
            )
        if found:
            self._discard(found)
        return bool(buffer)

    def _begins_inside(self, size: int) -> bool:
        """Was a message cut short, so that the next one begins in it, at least with 4 bytes of its GUID? Goes there."""
        at = self._buffer.find(RDA_GUID[:4], 1, size)
        while at >= 0 and not RDA_GUID.startswith(bytes(self._buffer[at : min(size, at + 16)])):
            at = self._buffer.find(RDA_GUID[:4], at + 1, size)
        if at >= 0:
            self.malformed += 1
            self.fault = f"a message was cut short after {at} bytes"
            self._discard(at)
        return at >= 0

    def _discard(self, count: int) -> None:
        del self._buffer[:count]
        self.discarded_bytes += count
        self.in_a_row += count

    def _message(self, kind: int, body: bytes) -> RdaStart | RdaBlock | RdaStop | None:
        if kind == _START:
            self.start = None  # blocks after a START that makes no sense make none either
            self.start = _start_of(body)
            return self.start
        if kind == _STOP:
            return RdaStop()
        if self.start is None:
            self.unstarted += 1
            return None
        return self._block_of(body, _DTYPES[kind], len(self.start.channel_names))

    def _block_of(self, body: bytes, dtype: np.dtype[Any], channels: int) -> RdaBlock:
        if len(body) < _DATA_HEAD.size:
            raise _Malformed(f"a data message with a body of {len(body)} bytes")
        number, rows, markers = _DATA_HEAD.unpack_from(body)
        end = _DATA_HEAD.size + rows * channels * dtype.itemsize
        if end > len(body):
            raise _Malformed(f"block {number}: {rows} rows of {channels} channels do not fit into {len(body)} bytes")
        data = np.frombuffer(body, dtype, rows * channels, _DATA_HEAD.size).reshape(rows, channels)
        found: list[RdaMarker] = []
        for left in range(markers, 0, -1):
            if end + _MARKER_HEAD.size > len(body):
                self.malformed_markers += left
                break
            size, position, length, channel = _MARKER_HEAD.unpack_from(body, end)
            if size < _MARKER_HEAD.size or end + size > len(body):
                self.malformed_markers += left
                break
            texts = body[end + _MARKER_HEAD.size : end + size].split(b"\0")
            found.append(RdaMarker(position, length, channel, *_type_and_description(texts)))
            end += size
        return RdaBlock(number, data, tuple(found))


def _start_of(body: bytes) -> RdaStart:
    if len(body) < _START_HEAD.size:
        raise _Malformed(f"a START message with a body of {len(body)} bytes")
    channels, interval_us = _START_HEAD.unpack_from(body)
    names_at = _START_HEAD.size + 8 * channels
    if not channels or names_at + channels > len(body):
        raise _Malformed(f"START: {channels} channels do not fit into {len(body)} bytes")
    if not (math.isfinite(interval_us) and interval_us > 0):
        raise _Malformed(f"START: a sampling interval of {interval_us} us")
    resolutions = struct.unpack_from(f"<{channels}d", body, _START_HEAD.size)
    if not all(math.isfinite(value) and value for value in resolutions):
        raise _Malformed(f"START: resolutions {resolutions}")
    names = body[names_at:].split(b"\0")
    if len(names) <= channels:
        raise _Malformed(f"START: {len(names) - 1} names for {channels} channels")
    return RdaStart(1e6 / interval_us, resolutions, tuple(map(_text, names[:channels])))


def _type_and_description(texts: list[bytes]) -> tuple[str, str]:
    """Some servers send one text, "Stimulus:S  1", where the Recorder sends two."""
    if len(texts) > 2 or (len(texts) == 2 and texts[1]):
        return _text(texts[0]), _text(texts[1])
    kind, colon, description = _text(texts[0]).partition(":")
    return (kind, description) if colon else (kind, "")


def _text(data: bytes) -> str:
    """Older Recorders send the Windows code page, newer ones UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
