"""Raw VRT: the packets of a WSA4000's data port in a file, as pyrf wrote and reads them.

What a chunk's description says is written as context packets before its samples, one field in each; samples go into
data packets with their times. Any program that understands the device understands the file. Read back without a
journal, indices begin at 0 and follow from the packets' times.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.wsa4000.context import Tracker
from axonlike.components.devices.wsa4000.errors import Desynchronised
from axonlike.components.devices.wsa4000.vrt import DIGITIZER, EXTENSION, IF_DATA, RECEIVER, VrtParser
from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Reader, Segment, Writer
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["VRTReader", "VRTWriter"]

_MOST_SAMPLES = 32768  # in a packet; the size field would hold twice as many, but readers' buffers may not
_DATA, _CONTEXT, _EXTENSION_CONTEXT = 1, 4, 5
_TSI_UTC_TSF_PS = 0b0110 << 20
_HAS_TRAILER = 1 << 26
_ALL_GOOD = 0x67060000  # valid, reference locked; not inverted, no over-range, no loss: all of these said
_INVERTED = 1 << 14
_BLOCK_BYTES = 1 << 20


class VRTWriter(Writer):
    """One stream of a radio."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._output = Output(path, overwrite=overwrite)
        self._counts = {RECEIVER: 0, DIGITIZER: 0, EXTENSION: 0, IF_DATA: 0}
        self._info: StreamInfo | None = None
        self._trailer = _ALL_GOOD

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        if (
            info.kind == "iq"
            and info.shape == (2,)
            and info.dtype.newbyteorder("=") == np.int16
            and info.sample_rate_hz
        ):
            return None
        return f"VRT holds IQ of int16, (rows, 2), with a rate; not {info.kind} of {info.dtype} in rows of {info.shape}"

    def segment(self, segment: Segment) -> None:
        info = segment.info
        if segment.missing > 0:  # the count steps too, so that readers take the step of time for lost samples
            self._counts[IF_DATA] = (self._counts[IF_DATA] + 1) & 15
        if info == self._info:
            return
        when = _when(segment.time_ns)
        if self._info is None:
            self._context(EXTENSION, _EXTENSION_CONTEXT, 1, struct.pack(">I", 1), when)
        facts = info.facts
        self._trailer = _ALL_GOOD | (_INVERTED if facts.get("spectral_inversion") else 0)
        if "center_frequency_hz" in facts:
            self._context(RECEIVER, _CONTEXT, 27, _hertz(facts["center_frequency_hz"]), when)
        self._context(DIGITIZER, _CONTEXT, 29, _hertz(info.sample_rate_hz), when)
        self._context(DIGITIZER, _CONTEXT, 26, _hertz(facts.get("frequency_shift_hz", 0.0)), when)
        if "reference_level_dbm" in facts:
            level = struct.pack(">i", round(facts["reference_level_dbm"] * 128))
            self._context(DIGITIZER, _CONTEXT, 24, bytes(2) + level[2:], when)
        self._info = info

    def _context(self, stream_id: int, kind: int, bit: int, field: bytes, when: tuple[int, int]) -> None:
        self._output.write(
            self._head(kind, 0, stream_id, 6 + len(field) // 4, when), struct.pack(">I", 1 << 31 | 1 << bit), field
        )

    def _head(self, kind: int, flags: int, stream_id: int, words: int, when: tuple[int, int]) -> bytes:
        count = self._counts[stream_id]
        self._counts[stream_id] = (count + 1) & 15
        return struct.pack(">IIIQ", kind << 28 | flags | _TSI_UTC_TSF_PS | count << 16 | words, stream_id, *when)

    def write(self, stream: str, chunk: Chunk) -> int:
        pieces: list[bytes] = []
        samples = chunk.data.astype(">i2", copy=False)
        trailer = struct.pack(">I", self._trailer)
        for start in range(0, len(samples), _MOST_SAMPLES):
            piece = samples[start : start + _MOST_SAMPLES]
            head = self._head(
                _DATA, _HAS_TRAILER, IF_DATA, len(piece) + 6, _when(chunk.time_ns_of(start), chunk, start)
            )
            pieces += (head, piece.tobytes(), trailer)
        return self._output.write(*pieces)

    def sync(self) -> None:
        self._output.sync()

    def close(self) -> None:
        self._output.close()


def _hertz(value: float) -> bytes:
    return struct.pack(">q", round(value * (1 << 20)))


def _when(time_ns: int | None, chunk: Chunk | None = None, row: int = 0) -> tuple[int, int]:
    """Seconds and picoseconds. Where no time is known, that which the index would have, counted from 1970."""
    if time_ns is None:
        time_ns = round((chunk.index + row) * 1e9 / chunk.info.sample_rate_hz) if chunk is not None else 0
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return seconds, rest_ns * 1000


class VRTReader(Reader):
    """A file of packets, ours or one that pyrf wrote."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: BinaryIO = path.open("rb")
        try:
            self._begins, self._places = _find_samples(self._file, path)
            self._segments = recall(self) or self._from_packets()
        except BaseException:
            self._file.close()
            raise

    def _from_packets(self) -> list[Segment]:
        parser, tracker = VrtParser(), Tracker(self.path.stem)
        segments: list[Segment] = []
        row, end = 0, 0
        self._file.seek(0)
        try:
            while block := self._file.read(_BLOCK_BYTES):
                for packet in parser.feed(block):
                    for found in tracker.feed(packet):
                        if not isinstance(found, Chunk):
                            continue
                        if not segments or found.info is not segments[-1].info or found.index != end:
                            missing = found.index - end if segments else 0
                            segments.append(
                                Segment(self.path.stem, found.info, row, found.index, found.time_ns, missing)
                            )
                        row += len(found)
                        end = found.end
        except Desynchronised as exc:
            raise UsageError(f"{self.path} is no file of VRT packets: {exc}") from exc
        return segments

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def rows_of(self, number: int) -> int:
        rows = self._begins[-1]
        stop = self._segments[number + 1].row if number + 1 < len(self._segments) else rows
        return max(0, min(stop, rows) - self._segments[number].row)

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        segment = self._segments[number]
        start, stop = start + segment.row, stop + segment.row
        pieces = []
        packet = bisect_right(self._begins, start) - 1
        while start < stop:
            last = min(stop, self._begins[packet + 1])
            self._file.seek(self._places[packet] + 4 * (start - self._begins[packet]))
            pieces.append(np.frombuffer(self._file.read(4 * (last - start)), ">i2").reshape(-1, 2))
            start, packet = last, packet + 1
        return np.concatenate(pieces).astype(segment.info.dtype) if pieces else segment.info.empty(0)

    def close(self) -> None:
        self._file.close()


def _find_samples(file: BinaryIO, path: Path) -> tuple[list[int], list[int]]:
    """Of each data packet the row with which it begins (and the end of the last), and where its samples are."""
    size = path.stat().st_size
    begins, places, rows, place = [0], [], 0, 0
    while place + 8 <= size:
        file.seek(place)
        word, stream_id = struct.unpack(">II", file.read(8))
        kind, words = word >> 28, word & 0xFFFF
        if words < 2 or kind not in (_DATA, _CONTEXT, _EXTENSION_CONTEXT):
            raise UsageError(f"{path}: at byte {place} stands no VRT packet (type {kind}, {words} words)")
        if place + 4 * words > size:
            break  # the end of a file that was broken off
        if kind == _DATA and stream_id == IF_DATA:
            head = 2 + 2 * bool(word & 1 << 27) + bool(word & 3 << 22) + 2 * bool(word & 3 << 20)
            places.append(place + 4 * head)
            rows += words - head - bool(word & _HAS_TRAILER)
            begins.append(rows)
        place += 4 * words
    if size and not begins[-1] and place == 0:
        raise UsageError(f"{path} holds no VRT packet")
    return begins, places
