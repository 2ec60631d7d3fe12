"""WAV: what every audio program opens. Also for IQ, as radios' programs do: I left, Q right.

The sizes in the header are brought up to date after each chunk, so the file is whole at any moment. Past 4 GiB it
becomes RF64 (EBU Tech 3306): a chunk "JUNK" keeps the place for the 64-bit sizes from the beginning. Missing rows are
written as zeros, up to an hour of them; the journal beside it says where.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Reader, Segment, Writer, little_endian
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["WavReader", "WavWriter"]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GIBI4 = 0xFFFFFFFF
_CODINGS = {"uint8": _PCM, "int16": _PCM, "int32": _PCM, "float32": _FLOAT, "float64": _FLOAT}
_BLOCK_BYTES = 1 << 20


def _name(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("=").name


class WavWriter(Writer):
    """One stream of samples."""

    fills: ClassVar[bool] = True

    def __init__(self, path: Path, *, overwrite: bool = False, largest_riff_bytes: int = _GIBI4) -> None:
        self._output = Output(path, overwrite=overwrite)
        self._largest_riff_bytes = largest_riff_bytes  # tests have it smaller
        self._info: StreamInfo | None = None
        self._data_at = 0

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        if info.kind not in ("analog", "iq", "digital"):
            return f"WAV holds samples (analog, digital, iq), not {info.kind}"
        if info.dtype.kind == "c":
            return None if info.dtype.itemsize == 8 and not info.shape else "WAV holds complex64 without channels"
        if _name(info.dtype) not in _CODINGS:
            return f"WAV holds {', '.join(_CODINGS)} and complex64, not {info.dtype}: put a Convert before it"
        if len(info.shape) > 1:
            return f"WAV holds rows of channels, not rows of shape {info.shape}"
        if not 1 <= round(info.sample_rate_hz) <= _GIBI4:
            return f"WAV holds whole sample rates from 1 Hz to 4.2 GHz, not {info.sample_rate_hz:g} Hz"
        return None

    def segment(self, segment: Segment) -> None:
        if self._info is None:
            self._info = segment.info
            self._write_header(segment.info)
        elif segment.missing > 0:
            zeros = bytes(_BLOCK_BYTES)
            left = segment.missing * segment.info.row_bytes
            while left:
                left -= self._add(zeros[: min(left, len(zeros))])

    def write(self, stream: str, chunk: Chunk) -> int:
        return self._add(little_endian(chunk.data).data.cast("B") if len(chunk) else b"")

    def _add(self, data: bytes | memoryview) -> int:
        count = self._output.write(data)
        self._write_sizes()
        return count

    def _write_header(self, info: StreamInfo) -> None:
        channels, width = (2, 4) if info.dtype.kind == "c" else (info.channels, info.dtype.itemsize)
        coding = _FLOAT if info.dtype.kind == "c" else _CODINGS[_name(info.dtype)]
        rate_hz = round(info.sample_rate_hz)
        tag = _EXTENSIBLE if channels > 2 else coding
        form = struct.pack("<HHIIHH", tag, channels, rate_hz, min(rate_hz * channels * width, _GIBI4),
                           channels * width, 8 * width)  # fmt: skip
        if channels > 2:
            # No loudspeaker is meant (mask 0); the coding is the head of a GUID that is the same for all codings.
            form += struct.pack("<HHIH", 22, 8 * width, 0, coding) + bytes.fromhex("000000001000800000aa00389b71")
        elif coding == _FLOAT:
            form += struct.pack("<H", 0)
        head = b"RIFF" + bytes(4) + b"WAVE" + b"JUNK" + struct.pack("<I", 28) + bytes(28)
        head += b"fmt " + struct.pack("<I", len(form)) + form + b"data" + bytes(4)
        self._output.write(head)
        self._data_at = len(head)
        self._write_sizes()

    def _write_sizes(self) -> None:
        riff, data = self._output.size - 8, self._output.size - self._data_at
        if riff <= self._largest_riff_bytes:
            self._output.patch(4, struct.pack("<I", riff))
            self._output.patch(self._data_at - 4, struct.pack("<I", data))
            return
        assert self._info is not None
        rows = data // self._info.row_bytes
        self._output.patch(
            0, b"RF64" + struct.pack("<I", _GIBI4) + b"WAVEds64" + struct.pack("<IQQQI", 28, riff, data, rows, 0)
        )
        self._output.patch(self._data_at - 4, struct.pack("<I", _GIBI4))

    def sync(self) -> None:
        self._output.sync()

    def close(self) -> None:
        self._output.close()


class WavReader(Reader):
    """Any WAV file of plain samples; with the journal of ours beside it also what its rows were."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            head = file.read(1 << 16)
        form, data_at, data_bytes = _parse(head, path.stat().st_size, path)
        tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", form[:16])
        if tag == _EXTENSIBLE and len(form) >= 26:
            (tag,) = struct.unpack("<H", form[24:26])
        kind = {_PCM: "u" if bits == 8 else "i", _FLOAT: "f"}.get(tag)
        if kind is None or bits not in (8, 16, 32, 64):
            raise UsageError(
                f"{path}: samples of coding {tag} with {bits} bits; it reads PCM of 8, 16, 32 bits and floats"
            )
        info = StreamInfo(
            kind="analog",
            dtype=np.dtype(f"<{kind}{bits // 8}"),
            shape=(channels,),
            sample_rate_hz=rate_hz,
            name=path.stem,
        )
        self._segments = recall(self) or [Segment(info.name, info, 0, 0, None)]
        info = self._segments[0].info
        file_dtype = info.dtype.newbyteorder("<")
        rows = data_bytes // info.row_bytes
        self._rows: npt.NDArray[Any] = (
            np.memmap(path, file_dtype, "r", data_at, (rows, *info.shape))
            if rows
            else np.empty((0, *info.shape), file_dtype)
        )

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def rows_of(self, number: int) -> int:
        start = self._segments[number].row
        if number + 1 < len(self._segments):
            after = self._segments[number + 1]
            return max(0, min(after.row - max(after.missing, 0), len(self._rows)) - start)
        return max(0, len(self._rows) - start)

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        segment = self._segments[number]
        rows = self._rows[segment.row + start : segment.row + stop]
        return np.asarray(rows).astype(segment.info.dtype)


def _parse(head: bytes, size: int, path: Path) -> tuple[bytes, int, int]:
    """The chunk "fmt ", where the samples are, and how many bytes of them."""
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        raise UsageError(f"{path} is no WAV file: it begins with {head[:12]!r}")
    place, form, long_bytes = 12, b"", None
    while place + 8 <= len(head):
        kind, length = head[place : place + 4], struct.unpack("<I", head[place + 4 : place + 8])[0]
        body = head[place + 8 : place + 8 + min(length, 4096)]
        if kind == b"fmt " and len(body) >= 16:
            form = body
        elif kind == b"ds64" and len(body) >= 16:
            (long_bytes,) = struct.unpack("<Q", body[8:16])
        elif kind == b"data" and form:
            data_at = place + 8
            length = long_bytes if length == _GIBI4 and long_bytes is not None else length
            return form, data_at, min(length, size - data_at)
        place += 8 + length + length % 2
    raise UsageError(f"{path}: there is no 'fmt ' and 'data' in the first {len(head)} bytes of it")
