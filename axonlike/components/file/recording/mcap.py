"""MCAP (mcap.dev): several streams in one log, message by message, in the order in which they came.

A channel for each description of a stream; the description is its metadata "info" (JSON). A message is one chunk: its
index and its number of rows, each 8 bytes little-endian, then the samples in C order, in the byte order of their
dtype. Marks are JSON, on the topic "marks". Nothing is kept back in memory; a log without its end, left by a kill, is
read as far as it goes.
"""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Mark, Reader, Segment, Writer
from axonlike.errors import MissingExtra, UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["MCAPReader", "MCAPWriter"]

_MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<qq")
_MARK_SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}, "sample": {"type": ["integer", "null"]}}}


def _mcap(who: str) -> Any:
    try:
        import mcap.exceptions
        import mcap.reader
        import mcap.stream_reader
        import mcap.writer
    except ImportError as exc:
        raise MissingExtra(who, "mcap", "record") from exc
    return mcap


class MCAPWriter(Writer):
    """Any streams."""

    several: ClassVar[bool] = True

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        library = _mcap("Recorder")
        self._output = Output(path, overwrite=overwrite)
        self._writer = library.writer.Writer(self._output, use_chunking=False)
        self._writer.start(profile="axonlike", library="axonlike")
        self._schema = self._writer.register_schema("axonlike/Chunk", "", b"")
        self._marks: int | None = None
        self._channels: dict[tuple[str, StreamInfo], int] = {}
        self._sequences: dict[int, int] = {}
        self._closed = False

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        return None

    @staticmethod
    def goes_on(old: StreamInfo, new: StreamInfo) -> bool:
        return True

    def segment(self, segment: Segment) -> None:
        key = segment.stream, segment.info
        if key not in self._channels:
            self._channels[key] = self._writer.register_channel(
                topic=segment.stream, message_encoding="x-axonlike-chunk", schema_id=self._schema,
                metadata={"info": json.dumps(segment.info.as_dict())},
            )  # fmt: skip

    def write(self, stream: str, chunk: Chunk) -> int:
        before = self._output.size
        data = _HEAD.pack(chunk.index, len(chunk)) + chunk.data.tobytes()
        self._add(self._channels[stream, chunk.info], data, chunk.time_ns)
        return self._output.size - before

    def mark(self, mark: Mark) -> None:
        if self._marks is None:
            schema = self._writer.register_schema("axonlike/Mark", "jsonschema", json.dumps(_MARK_SCHEMA).encode())
            self._marks = self._writer.register_channel("marks", "json", schema)
        entry = {
            "label": mark.label,
            "sample": mark.sample,
            "time_ns": mark.time_ns,
            "of": mark.of,
            "facts": mark.facts,
        }
        self._add(self._marks, json.dumps(entry, default=str).encode(), mark.time_ns)

    def _add(self, channel: int, data: bytes, time_ns: int | None) -> None:
        number = self._sequences[channel] = self._sequences.get(channel, -1) + 1
        now_ns = time.time_ns()
        self._writer.add_message(channel, now_ns, data, now_ns if time_ns is None else max(0, time_ns), number)

    def sync(self) -> None:
        self._output.sync()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._writer.finish()
            finally:
                self._output.close()

    def abandon(self) -> None:
        self._closed = True
        self._output.close()


class MCAPReader(Reader):
    """A log that `MCAPWriter` wrote, also one without its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        library = _mcap("Replay")
        recall(self)
        has_marks = bool(self.marks)
        infos: dict[int, StreamInfo] = {}
        ends: dict[str, tuple[StreamInfo, int]] = {}
        self._segments: list[Segment] = []
        self._pieces: list[list[tuple[int, int]]] = []  # of each segment: rows, and where in the file they are
        self._file = path.open("rb")
        if self._file.read(len(_MAGIC)) != _MAGIC:
            self._file.close()
            raise UsageError(f"{path} is no MCAP file")
        self._file.seek(0)
        try:
            for _, channel, message in _messages(library, self._file):
                if channel.topic == "marks" and channel.message_encoding == "json":
                    if not has_marks:
                        self.marks.append(Mark(**json.loads(message.data)))
                    continue
                info = infos.get(channel.id)
                if info is None:
                    info = infos[channel.id] = StreamInfo.from_dict(json.loads(channel.metadata["info"]))
                index, rows = _HEAD.unpack_from(message.data)
                if ends.get(channel.topic) != (info, index):
                    before = ends.get(channel.topic)
                    missing = index - before[1] if before is not None else 0
                    self._segments.append(Segment(channel.topic, info, 0, index, message.publish_time, missing))
                    self._pieces.append([])
                    at = len(self._segments) - 1
                else:
                    at = max(n for n, segment in enumerate(self._segments) if segment.stream == channel.topic)
                ends[channel.topic] = info, index + rows
                # The samples are the end of the record that the library has just read.
                self._pieces[at].append((rows, self._file.tell() - len(message.data) + _HEAD.size))
        except (KeyError, struct.error, ValueError) as exc:
            self._file.close()
            raise UsageError(f"{path} is no recording in MCAP: {exc!r}") from exc

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def rows_of(self, number: int) -> int:
        return sum(rows for rows, _ in self._pieces[number])

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        info = self._segments[number].info
        parts, at = [], 0
        for rows, place in self._pieces[number]:
            first, last = max(start - at, 0), min(stop - at, rows)
            if first < last:
                self._file.seek(place + first * info.row_bytes)
                data = self._file.read((last - first) * info.row_bytes)
                parts.append(np.frombuffer(data, info.dtype).reshape(last - first, *info.shape))
            at += rows
            if at >= stop:
                break
        return np.concatenate(parts, dtype=info.dtype) if parts else info.empty(0)

    def close(self) -> None:
        self._file.close()


def _messages(library: Any, file: Any) -> Any:
    """The messages up to where the file ends, whole or not."""
    reader = library.reader.NonSeekingReader(file)
    try:
        yield from reader.iter_messages(log_time_order=False)
    except (library.exceptions.EndOfFile, library.exceptions.McapError):
        return
