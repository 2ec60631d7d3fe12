"""The packets of a WSA4000's data port: VITA-49 over TCP, back to back, from bytes that come in any pieces.

The parser owns the buffer into which a socket reads (`room`, `filled`), so that a sample is copied once: out of that
buffer into the array that is handed on. Data packets that follow each other and are alike are taken together: their
headers are compared with a few numpy operations, whatever their number. At 1024 samples a packet that is ten times
faster than looking at one after the other.

All words are 32 bits, big-endian. Word 0: type in bits 31-28, class id present 27, trailer present 26 (data packets),
kind of seconds 23-22, kind of fraction 21-20, a count of 4 bits for each stream 19-16, the size in words 15-0.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.wsa4000.errors import Desynchronised
from axonlike.errors import UsageError

__all__ = [
    "DIGITIZER",
    "EXTENSION",
    "IF_DATA",
    "RECEIVER",
    "ContextPacket",
    "DataPackets",
    "Packet",
    "Trailer",
    "UnknownPacket",
    "VrtParser",
]

RECEIVER = 0x90000001
DIGITIZER = 0x90000002
IF_DATA = 0x90000003
EXTENSION = 0x90000004

_DATA, _CONTEXT, _EXTENSION_CONTEXT = 1, 4, 5
_LONGEST_PACKET_BYTES = 65535 * 4
_COUNT_MASK = 0xFFF0FFFF  # word 0 without its count
_PS_PER_S = 1_000_000_000_000


class Trailer(NamedTuple):
    """The indicators of a data packet; None for one that the device did not enable, which then says nothing.

    sample_loss: samples are missing after this packet.
    """

    valid_data: bool | None
    reference_lock: bool | None
    spectral_inversion: bool | None
    over_range: bool | None
    sample_loss: bool | None

    @classmethod
    @functools.lru_cache(maxsize=256)
    def of(cls, word: int) -> Trailer:
        """From the trailer's word: each indicator has its enable bit 12 above."""
        return cls(*(bool(word >> bit & 1) if word >> (bit + 12) & 1 else None for bit in (18, 17, 14, 13, 12)))


NO_TRAILER = Trailer(None, None, None, None, None)


@dataclass(frozen=True, slots=True, eq=False)
class DataPackets:
    """One or more data packets of one stream that are alike and whose counts follow each other.

    samples: shape (packets * samples_per_packet, 2), dtype >i2: I and Q, -8192 to 8191; its own memory. count: of the
    first. time_ps: when its first sample was taken, in ps since 1970; None without an absolute time. offsets_ps: for
    each packet, how much later its time is than the first one's; int64, or None. A packet that tells of a loss of
    samples after it is always the last.
    """

    stream_id: int
    class_id: int | None
    count: int
    packets: int
    samples: npt.NDArray[np.int16]
    time_ps: int | None
    offsets_ps: npt.NDArray[np.int64] | None
    trailer: Trailer

    @property
    def samples_per_packet(self) -> int:
        """How many samples each of the packets holds."""
        return len(self.samples) // self.packets


@dataclass(frozen=True, slots=True)
class ContextPacket:
    """What the device says about the data that follow: one field or several.

    fields, by name: reference_point, rf_frequency_hz, if_gain_db, rf_gain_db, temperature_c (receiver); bandwidth_hz,
    frequency_offset_hz, reference_level_dbm (digitizer); iq_swapped, stream_start_id, sweep_start_id (extension).
    skipped_bits: fields that are not decoded. changed: the indicator of bit 31.
    """

    stream_id: int
    count: int
    time_ps: int | None
    fields: Mapping[str, float]
    changed: bool
    skipped_bits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownPacket:
    """A packet of a stream that is none of the WSA4000's: a later device's format, a recording's note. data: all."""

    type: int
    stream_id: int
    data: bytes


Packet = DataPackets | ContextPacket | UnknownPacket


def _hertz(words: bytes) -> dict[str, float]:
    return {"": struct.unpack(">q", words)[0] / (1 << 20)}


def _low_half(fraction_bits: int) -> Callable[[bytes], dict[str, float]]:
    def decode(words: bytes) -> dict[str, float]:
        return {"": struct.unpack(">xxh", words)[0] / (1 << fraction_bits)}

    return decode


def _word(words: bytes) -> dict[str, float]:
    return {"": struct.unpack(">I", words)[0]}


def _gains(words: bytes) -> dict[str, float]:
    second, first = struct.unpack(">hh", words)
    return {"if_gain_db": second / 128, "rf_gain_db": first / 128}


# Bit of the indicator word -> words of the field, and for those that are decoded its name. The lengths of the others
# are those of VITA 49.0, table 7.1.5-1, so that a field after them is found all the same. Bits 9 and 8 have lengths of
# their own, and those below are no fields: there it ends.
_FIELDS: dict[int, tuple[int, str, Callable[[bytes], dict[str, float]] | None]] = {
    30: (1, "reference_point", _word),
    29: (2, "bandwidth_hz", _hertz),
    28: (2, "", None),
    27: (2, "rf_frequency_hz", _hertz),
    26: (2, "frequency_offset_hz", _hertz),
    25: (2, "", None),
    24: (1, "reference_level_dbm", _low_half(7)),
    23: (1, "", _gains),
    22: (1, "", None),
    21: (2, "", None),
    20: (2, "", None),
    19: (1, "", None),
    18: (1, "temperature_c", _low_half(6)),
    17: (2, "", None),
    16: (1, "", None),
    15: (2, "", None),
    14: (11, "", None),
    13: (11, "", None),
    12: (13, "", None),
    11: (13, "", None),
    10: (1, "", None),
}


def _context_fields(body: bytes) -> tuple[dict[str, float], tuple[int, ...]]:
    """The fields of a context packet from its indicator word on, and the bits that were skipped."""
    (indicator,) = struct.unpack_from(">I", body)
    fields: dict[str, float] = {}
    skipped: list[int] = []
    at = 4
    for bit in range(30, -1, -1):
        if not indicator >> bit & 1:
            continue
        words, name, decode = _FIELDS.get(bit, (0, "", None))
        if not words or at + 4 * words > len(body):
            skipped.extend(b for b in range(bit, -1, -1) if indicator >> b & 1)
            break
        if decode is None:
            skipped.append(bit)
        else:
            for part, value in decode(body[at : at + 4 * words]).items():
                fields[part or name] = value
        at += 4 * words
    return fields, tuple(skipped)


def _extension_fields(body: bytes) -> tuple[dict[str, float], tuple[int, ...]]:
    """As `_context_fields`. Firmware differs in whether "IQ swapped" has a word of its own: the size tells."""
    (indicator,) = struct.unpack_from(">I", body)
    words = len(body) // 4 - 1
    fields: dict[str, float] = {}
    unknown = [bit for bit in range(30, 3, -1) if indicator >> bit & 1] + ([2] if indicator & 4 else [])
    if unknown:  # of unknown lengths, before what we know: nothing that follows can be placed
        return fields, tuple(unknown)
    ids = (indicator >> 1 & 1) + (indicator & 1)
    at = 4
    if indicator & 8:
        if words > ids:
            fields["iq_swapped"] = struct.unpack_from(">I", body, at)[0] & 1
            at += 4
        else:
            fields["iq_swapped"] = 1
    skipped = []
    for bit, name in ((1, "stream_start_id"), (0, "sweep_start_id")):
        if indicator >> bit & 1:
            if at + 4 > len(body):
                skipped.append(bit)
                continue
            fields[name] = struct.unpack_from(">I", body, at)[0]
            at += 4
    return fields, tuple(skipped)


class VrtParser:
    """Bytes in, packets out; what it gives does not depend on how the bytes are cut, only how many data packets are
    taken together does.

    With a socket: ``n = sock.recv_into(parser.room()); packets = parser.filled(n)``. Without: `feed`. When it meets
    what is no packet it returns those before it and sets `fault`; the next call raises that.

    unknown_packets: how many were of no stream of the WSA4000.
    """

    def __init__(self, buffer_bytes: int = 2 << 20) -> None:
        if buffer_bytes % 4 or buffer_bytes < 2 * _LONGEST_PACKET_BYTES:
            raise UsageError(
                f"VrtParser: buffer_bytes is a multiple of 4 and holds two packets ({2 * _LONGEST_PACKET_BYTES} bytes "
                f"at least), not {buffer_bytes!r}"
            )
        self._bytes = bytearray(buffer_bytes)
        self._view = memoryview(self._bytes)
        self._words = np.frombuffer(self._bytes, ">u4")
        # What was received and not yet parsed. A packet's bytes are a multiple of 4, so _start always is.
        self._start = 0
        self._end = 0
        self.fault: Desynchronised | None = None
        self.unknown_packets = 0
        self.parsed_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """How much of a packet is there whose end has not come."""
        return self._end - self._start

    def room(self) -> memoryview:
        """Where to receive into; never empty. Call `filled` before it is asked for again."""
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = 0
        elif start and len(self._bytes) - start < _LONGEST_PACKET_BYTES + 65536:
            self._view[: end - start] = self._view[start:end]
            self._start, self._end = 0, end - start
        return self._view[self._end :]

    def feed(self, data: bytes | bytearray | memoryview) -> list[Packet]:
        """All packets that are complete with these bytes."""
        packets: list[Packet] = []
        source = memoryview(data).cast("B")
        while source:
            room = self.room()
            number = min(len(room), len(source))
            room[:number] = source[:number]
            packets.extend(self.filled(number))
            source = source[number:]
        return packets

    def filled(self, number: int) -> list[Packet]:
        """`number` more bytes stand in `room`: the packets that are complete now. Raises Desynchronised."""
        if self.fault is not None:
            raise self.fault
        self._end += number
        packets: list[Packet] = []
        while self._end - self._start >= 8:
            word, stream_id = struct.unpack_from(">II", self._bytes, self._start)
            size, kind = word & 0xFFFF, word >> 28
            header = 2 + 2 * (word >> 27 & 1) + (word >> 22 & 3 != 0) + 2 * (word >> 20 & 3 != 0)
            trailer = (word >> 26 & 1) if kind == _DATA else 0
            if kind not in (_DATA, _CONTEXT, _EXTENSION_CONTEXT) or size < header + trailer + (kind != _DATA):
                self.fault = Desynchronised(
                    f"the data port: at byte {self.parsed_bytes} of the stream stands {word:#010x} where a packet "
                    f"begins: type {kind}, size {size} words (types are 1, 4, 5). The stream cannot be followed any "
                    "more; connect anew"
                )
                break
            if self._end - self._start < 4 * size:
                break
            if kind == _DATA and stream_id == IF_DATA:
                taken, packet = self._data(word, size, header, trailer)
                if packet is not None:
                    packets.append(packet)
            else:
                taken = 1
                packets.append(self._other(word, kind, stream_id, size, header))
            self._start += 4 * size * taken
            self.parsed_bytes += 4 * size * taken
        return packets

    def _data(self, word: int, size: int, header: int, has_trailer: int) -> tuple[int, DataPackets | None]:
        """The packets from the one at `_start` on that can be taken together, and how many they are."""
        first = self._start // 4
        at_most = (self._end - self._start) // (4 * size)
        rows = self._words[first : first + at_most * size].reshape(at_most, size)
        trailer = Trailer.of(int(rows[0, -1])) if has_trailer else NO_TRAILER
        packets = 1
        if at_most > 1 and not trailer.sample_loss:
            heads = rows[:, 0].astype(np.uint32)
            counts = (heads >> 16) & 15
            alike = (heads & _COUNT_MASK) == word & _COUNT_MASK
            alike &= (counts - counts[0] - np.arange(at_most, dtype=np.uint32)) & 15 == 0
            alike &= rows[:, 1] == rows[0, 1]
            if has_trailer:
                alike &= rows[:, -1] == rows[0, -1]
            if word >> 27 & 1:
                alike &= (rows[:, 2:4] == rows[0, 2:4]).all(axis=1)
            packets = at_most if alike.all() else int(alike.argmin())
        if size - header - has_trailer == 0:
            return packets, None  # a data packet without data: nothing was sampled
        samples = np.array(rows[:packets, header : size - has_trailer]).view(">i2").reshape(-1, 2)
        class_id = (int(rows[0, 2]) << 32 | int(rows[0, 3])) if word >> 27 & 1 else None
        time_ps, offsets_ps = None, None
        if word >> 22 & 3 and word >> 20 & 3 == 2:
            times = rows[:packets, header - 3 : header].astype(np.int64)
            seconds, fraction = times[:, 0], (times[:, 1] << 32) | times[:, 2]
            time_ps = int(seconds[0]) * _PS_PER_S + int(fraction[0])
            # Two times that are years apart do not fit into 64 bits of ps: such an offset is as good as any other.
            later_s = np.clip(seconds - seconds[0], -4_000_000, 4_000_000)
            offsets_ps = later_s * _PS_PER_S + (fraction - fraction[0])
        packet = DataPackets(IF_DATA, class_id, word >> 16 & 15, packets, samples, time_ps, offsets_ps, trailer)
        return packets, packet

    def _other(self, word: int, kind: int, stream_id: int, size: int, header: int) -> Packet:
        start, stop = self._start, self._start + 4 * size
        if kind == _CONTEXT and stream_id in (RECEIVER, DIGITIZER):
            decode = _context_fields
        elif kind == _EXTENSION_CONTEXT and stream_id == EXTENSION:
            decode = _extension_fields
        else:
            self.unknown_packets += 1
            return UnknownPacket(kind, stream_id, bytes(self._view[start:stop]))
        time_ps = None
        if word >> 22 & 3 and word >> 20 & 3 == 2:
            seconds, fraction = struct.unpack_from(">IQ", self._bytes, start + 4 * (header - 3))
            time_ps = seconds * _PS_PER_S + fraction
        body = bytes(self._view[start + 4 * header : stop])
        fields, skipped = decode(body)
        return ContextPacket(stream_id, word >> 16 & 15, time_ps, MappingProxyType(fields), bool(body[0] >> 7), skipped)
