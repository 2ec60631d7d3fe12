"""SigMF (sigmf.org, 1.2): raw samples in NAME.sigmf-data, and what they are in NAME.sigmf-meta.

A segment of ours, after a gap or a retune, is a capture there; its `core:global_index` is our index. The metadata is
written anew, and moved into place, when segments or marks have come, but at most once a second: the journal has each
at once, and reading prefers it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Mark, Reader, Segment, Writer
from axonlike.components.file.trouble import file_trouble
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["SigMFReader", "SigMFWriter", "datatype_of"]

_VERSION = "1.2.0"
_EXTENSION = {"name": "axonlike", "version": "1.0.0", "optional": True}
_EVERY_S = 1.0
_BYTE_ORDER = {"<": "_le", ">": "_be", "=": "_le" if np.little_endian else "_be", "|": ""}


def datatype_of(info: StreamInfo) -> str | None:
    """SigMF's word for the samples ("ci16_be"), or None if it has none."""
    dtype = info.dtype
    if info.kind == "iq" and dtype.kind == "c" and not info.shape and dtype.itemsize == 8:
        return "cf32" + _BYTE_ORDER[dtype.byteorder]
    if info.kind == "iq" and info.shape == (2,):
        letter = "c"
    elif info.kind in ("analog", "digital") and len(info.shape) <= 1:
        letter = "r"
    else:
        return None
    if dtype.kind not in "iuf" or (dtype.kind == "f" and dtype.itemsize not in (4, 8)) or dtype.itemsize > 8:
        return None
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return None
    return f"{letter}{dtype.kind}{8 * dtype.itemsize}{_BYTE_ORDER[dtype.byteorder]}"


def _dtype_of(datatype: str) -> tuple[np.dtype[Any], bool]:
    """Of a word of SigMF's: the dtype of one number, and whether the samples are complex."""
    word, _, order = datatype.partition("_")
    try:
        number = np.dtype(f"{'>' if order == 'be' else '<'}{word[1]}{int(word[2:]) // 8}")
    except (IndexError, ValueError, TypeError):
        raise UsageError(f"SigMF: there is no datatype {datatype!r}") from None
    return number, word[0] == "c"


def _meta_of(data_path: Path) -> Path:
    return data_path.with_suffix(".sigmf-meta")


class SigMFWriter(Writer):
    """One stream of samples; `path` ends in .sigmf-data."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        meta = _meta_of(path)
        if not overwrite and meta.exists():
            raise UsageError(f"{meta} is there already: name another file, or say overwrite=True")
        self._output = Output(path, overwrite=overwrite)
        self._meta_path = meta
        self._hash = hashlib.sha512()
        self._info: StreamInfo | None = None
        self._captures: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._first_index = 0
        self._meta_written_s = -_EVERY_S
        self._dirty = False

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        if datatype_of(info) is not None:
            return None
        return (
            "SigMF holds samples (analog, digital, iq) of whole numbers up to 32 bits and floats, not "
            f"{info.kind} of {info.dtype} in rows of shape {info.shape}"
        )

    def segment(self, segment: Segment) -> None:
        if self._info is None:
            self._info, self._first_index = segment.info, segment.index
        capture: dict[str, Any] = {"core:sample_start": segment.row, "core:global_index": max(0, segment.index)}
        if segment.time_ns is not None:
            capture["core:datetime"] = _datetime(segment.time_ns)
        frequency_hz = segment.info.facts.get("center_frequency_hz")
        if frequency_hz is not None:
            capture["core:frequency"] = float(frequency_hz)
        if segment.info != self._info:
            capture["axonlike:stream"] = segment.info.as_dict()
        if segment.missing:
            capture["axonlike:missing"] = segment.missing
        self._captures.append(capture)
        self._dirty = True
        self._write_meta_now_and_then()

    def write(self, stream: str, chunk: Chunk) -> int:
        data = np.ascontiguousarray(chunk.data).data.cast("B") if len(chunk) else b""
        count = self._output.write(data)
        self._hash.update(data)
        self._write_meta_now_and_then()
        return count

    def mark(self, mark: Mark) -> None:
        start = self._row_of(mark.sample)
        if start is None:
            return
        note = {"core:sample_start": start, "core:label": mark.label[:20], "core:comment": mark.label}
        if start < self._captures[0]["core:sample_start"]:
            return
        self._annotations.append(note)
        self._dirty = True

    def _row_of(self, sample: int | None) -> int | None:
        for capture in reversed(self._captures):
            if sample is not None and sample >= capture["core:global_index"]:
                return int(capture["core:sample_start"] + sample - capture["core:global_index"])
        return None

    def _write_meta_now_and_then(self) -> None:
        now_s = time.monotonic()
        if self._dirty and now_s - self._meta_written_s >= _EVERY_S:
            self._write_meta()
            self._meta_written_s = now_s

    def _write_meta(self, whole: bool = False) -> None:
        info = self._info
        assert info is not None
        general: dict[str, Any] = {
            "core:datatype": datatype_of(info),
            "core:version": _VERSION,
            "core:recorder": "axonlike",
            "core:num_channels": 1 if info.kind == "iq" else info.channels,
            "core:extensions": [_EXTENSION],
            "axonlike:stream": info.as_dict(),
        }
        if info.sample_rate_hz:
            general["core:sample_rate"] = info.sample_rate_hz
        if whole:
            general["core:sha512"] = self._hash.hexdigest()
        annotations = sorted(self._annotations, key=lambda note: note["core:sample_start"])
        text = json.dumps({"global": general, "captures": self._captures, "annotations": annotations}, indent=1)
        fresh = self._meta_path.with_name(self._meta_path.name + ".new")
        try:
            fresh.write_text(text)
            os.replace(fresh, self._meta_path)
        except OSError as exc:
            raise file_trouble("cannot write", str(self._meta_path), exc) from exc
        self._dirty = False

    def sync(self) -> None:
        self._output.sync()

    def close(self) -> None:
        if self._info is not None:
            self._write_meta(whole=True)
        self._output.close()

    def abandon(self) -> None:
        self._output.close()
        if self._info is not None:
            self._write_meta()  # as far as the disk lets us: the caller expects an error here


class SigMFReader(Reader):
    """A SigMF recording, ours or anybody's. `path` may end in .sigmf-data, .sigmf-meta or .sigmf."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.with_suffix(".sigmf-data"))
        meta_path = _meta_of(self.path)
        try:
            meta = json.loads(meta_path.read_text())
            general = meta["global"]
            number, is_complex = _dtype_of(general["core:datatype"])
        except OSError as exc:
            raise file_trouble("cannot read", str(meta_path), exc) from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise UsageError(f"{meta_path} is no SigMF metadata: {exc!r}") from exc
        channels = int(general.get("core:num_channels", 1))
        if is_complex and channels > 1:
            raise UsageError(f"{meta_path}: {channels} channels of complex samples; it reads one")
        own = general.get("axonlike:stream")
        info = StreamInfo.from_dict(own) if own is not None else StreamInfo(
            kind="iq" if is_complex else "analog",
            dtype=np.dtype(f"{number.byteorder}c8") if is_complex and number.kind == "f" else number,
            shape=() if is_complex and number.kind == "f" else (2,) if is_complex else (channels,),
            sample_rate_hz=float(general.get("core:sample_rate", 0)),
            name=self.path.stem,
        )  # fmt: skip
        if is_complex and number.kind == "f" and number.itemsize != 4:
            raise UsageError(f"{meta_path}: samples of {general['core:datatype']}; it reads cf32 and whole numbers")
        self._segments = recall(self) or _from_captures(info, meta.get("captures") or [{}])
        if not self.marks:
            self.marks = [_mark_of(note) for note in meta.get("annotations", ())]
        rows = self.path.stat().st_size // info.row_bytes  # a torn last row is left out
        empty = np.empty((0, *info.shape), info.dtype)
        self._rows: npt.NDArray[Any] = np.memmap(self.path, info.dtype, "r", 0, (rows, *info.shape)) if rows else empty

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def rows_of(self, number: int) -> int:
        stop = self._segments[number + 1].row if number + 1 < len(self._segments) else len(self._rows)
        return max(0, min(stop, len(self._rows)) - self._segments[number].row)

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        first = self._segments[number].row
        return np.array(self._rows[first + start : first + stop])


def _from_captures(info: StreamInfo, captures: list[dict[str, Any]]) -> list[Segment]:
    segments = []
    for capture in captures:
        row = int(capture.get("core:sample_start", 0))
        own = capture.get("axonlike:stream")
        described = StreamInfo.from_dict(own) if own is not None else info
        frequency_hz = capture.get("core:frequency")
        if own is None and frequency_hz is not None and described.facts.get("center_frequency_hz") != frequency_hz:
            described = described.replace(facts={**described.facts, "center_frequency_hz": frequency_hz})
        segments.append(
            Segment(
                info.name, described, row, int(capture.get("core:global_index", row)),
                _time_ns(capture.get("core:datetime")), int(capture.get("axonlike:missing", 0)),
            )
        )  # fmt: skip
    return segments


def _mark_of(note: dict[str, Any]) -> Mark:
    return Mark(str(note.get("core:comment") or note.get("core:label") or ""), int(note.get("core:sample_start", 0)))


def _datetime(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _time_ns(text: str | None) -> int | None:
    if not text:
        return None
    whole, _, fraction = text.rstrip("Zz").partition(".")
    try:
        moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC)
        return int(moment.timestamp()) * 1_000_000_000 + int(fraction[:9].ljust(9, "0") or 0)
    except ValueError:
        return None
