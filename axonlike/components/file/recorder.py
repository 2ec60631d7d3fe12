"""Recording: samples to files from which nothing that was whole is ever lost."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.components.file.recording.formats import format_of, numbered
from axonlike.components.file.recording.journal import Journal
from axonlike.components.file.recording.writer import Mark, Segment, Writer
from axonlike.components.producers import take_from
from axonlike.errors import DeviceError, Finished, Stopped, UsageError, counted, show_value
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.threads import ThreadedComponent

__all__ = ["Recorded", "Recorder"]

log = logging.getLogger("axonlike.record")


@dataclass(slots=True)
class Recorded:
    """What a recording has come to; the last message of a Recorder, and the last line of its journal.

    verdict: "COMPLETE" if it ended in order and no row is missing, else "INCOMPLETE". reason: why not. streams: for
    each, how many rows, how many are missing and in how many gaps, how many segments. duration_s: of the recording.
    """

    path: str
    verdict: str
    reason: str
    bytes: int
    duration_s: float
    files: list[str]
    marks: int
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = ", ".join(
            f"{name}: {counted(count['rows'], 'row')}"
            + (f" ({count['missing']} missing in {counted(count['gaps'], 'gap')})" * bool(count["gaps"]))
            for name, count in self.streams.items()
        )
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.path}: {self.verdict}{why}, {self.bytes} bytes in {self.duration_s:.1f} s; {rows or 'no rows'}"


class _Track:
    """One stream of a recording."""

    def __init__(self) -> None:
        self.info: StreamInfo | None = None
        self.number = 0
        self.continuity = Continuity()
        self.rows = 0  # in all files
        self.row = 0  # in this file
        self.segments = 0
        self.needs_segment = True


class Recorder(ThreadedComponent):
    """Records what comes into its inbox: ``Recorder("run.h5", source)``. A sink, in a thread of its own.

    The ending of `path` says the format: .sigmf, .vrt, .wav and .csv hold one stream; .h5 and .mcap any number, told
    apart by `StreamInfo.name`. The inbox `events` takes marks: text, `Mark`s, or chunks of events. Beside the file
    stands a journal (``run.h5.journal.jsonl``) with every description, gap and mark, whose last line is the verdict;
    the outbox gets the same, a `Recorded`, at the end.

    A chunk is with the system when the next one is taken, so a kill of the program loses no whole one; sync_s says how
    often to wait for the disk itself (None: left to the system). When a stream changes so that the format cannot hold
    both (its rate, say), it goes on in ``run-2.wav``. Missing rows begin a new segment; in WAV they are written as
    zeros, up to an hour of them.

    A disk that is full or fails ends this component alone, with a readable file and the verdict INCOMPLETE. Raises
    UsageError if the file is there already (unless overwrite=True) or cannot hold such a stream.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("chunks to record", Chunk, limit=256),
        "events": Box("marks: text, Mark, or chunks of events"),
    }
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("at the end: what was recorded", Recorded)}

    def __init__(
        self,
        path: str | os.PathLike[str],
        *producers: Component,
        overwrite: bool = False,
        sync_s: float | None = 5.0,
        longest_fill_s: float = 3600.0,
    ) -> None:
        self.file_path = Path(path)
        self.samples_path, self._format, _ = format_of(self.file_path)
        self._overwrite = overwrite
        self._sync_s = sync_s
        self._longest_fill_s = longest_fill_s
        self._writer: Writer | None = None
        self._journal: Journal | None = None
        self._tracks: dict[str, _Track] = {}
        self._numbers: dict[tuple[str, StreamInfo], int] = {}
        self._files: list[Path] = []
        self._marks = 0
        self._bytes = 0
        self._began_s = self._synced_s = 0.0
        self.result: Recorded | None = None
        take_from(self, *producers)

    def main(self) -> None:
        self._began_s = self._synced_s = time.monotonic()
        reason = "stopped before its input had ended"
        try:
            self._journal = Journal(self.samples_path, overwrite=self._overwrite)
            self._open()
            while True:
                self.wait("inbox", "events", timeout=self._sync_s)
                self._take()
                if self._sync_s is not None and time.monotonic() - self._synced_s >= self._sync_s:
                    self._sync()
        except Finished:
            reason = ""
        except Stopped:
            # What lies in the boxes was sent before the stop, so it belongs to the recording.
            self._take()
            reason = ""
        except DeviceError as exc:
            reason = str(exc)
            log.error("%s: recording ends: %s", self.path, exc)
        except BaseException as exc:
            self._end(f"{type(exc).__name__}: {exc}")
            raise
        self._end(reason)

    def _take(self) -> None:
        for chunk in self.inbox("inbox"):
            self._record(chunk)
        for message in self.inbox("events"):
            self._mark(message)

    # -- samples

    def _record(self, chunk: Any) -> None:
        if not isinstance(chunk, Chunk):
            raise UsageError(
                f"{self.path}: it records chunks of a stream (axonlike.streams.Chunk), not {show_value(chunk)}"
            )
        info = chunk.info
        name = info.name or "stream"
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks[name] = self._new_track(name)
        changed = info is not track.info and info != track.info
        if changed:
            self._begin_stream(name, track, info)
        missing = track.continuity.missing(chunk)
        if changed or missing or track.needs_segment:
            fills = self._format.fills and missing > 0 and not changed
            if fills and info.sample_rate_hz and missing / info.sample_rate_hz > self._longest_fill_s:
                self._next_file()
            self._begin_segment(name, track, chunk, missing)
        track.info = info
        if len(chunk):
            self._bytes += self._the_writer.write(name, chunk)
            track.row += len(chunk)
            track.rows += len(chunk)

    def _new_track(self, name: str) -> _Track:
        if self._tracks and not self._format.several:
            first = next(iter(self._tracks))
            raise StreamMismatch(
                f"{self.path}: {self.file_path.suffix} holds one stream, and both {first} and {name} come; record "
                "them to two files, or to .h5 or .mcap"
            )
        return _Track()

    def _begin_stream(self, name: str, track: _Track, info: StreamInfo) -> None:
        why = self._format.takes(info)
        if why is not None:
            raise StreamMismatch(f"{self.path}: {name} cannot be recorded to {self.file_path.name}: {why}")
        if track.info is not None and not self._format.goes_on(track.info, info):
            self._next_file()
        key = name, info
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._note(stream=name, info=info.as_dict(), number=self._numbers[key])
        track.number = self._numbers[key]

    def _begin_segment(self, name: str, track: _Track, chunk: Chunk, missing: int) -> None:
        filled = missing if self._format.fills and missing > 0 and not track.needs_segment else 0
        track.row += filled
        self._the_writer.segment(
            Segment(name, chunk.info, track.row, chunk.index, chunk.time_ns, filled if self._format.fills else missing)
        )
        track.segments += 1
        track.needs_segment = False
        self._note(
            segment=name, number=track.number, row=track.row, index=chunk.index, time_ns=chunk.time_ns, missing=missing,
            file=self._files[-1].name,
        )  # fmt: skip

    # -- marks

    def _mark(self, message: Any) -> None:
        for mark in _marks_of(message):
            self._marks += 1
            self._note(mark=asdict(mark))
            self._the_writer.mark(mark)

    # -- files

    @property
    def _the_writer(self) -> Writer:
        assert self._writer is not None
        return self._writer

    def _open(self) -> None:
        path = numbered(self.samples_path, len(self._files) + 1)
        self._writer = self._format(path, overwrite=self._overwrite)
        self._files.append(path)

    def _next_file(self) -> None:
        self._the_writer.close()
        self._open()
        for track in self._tracks.values():
            track.row = 0
            track.needs_segment = True

    def _note(self, **entry: Any) -> None:
        assert self._journal is not None
        self._journal.note(**entry)

    def _sync(self) -> None:
        self._the_writer.sync()
        self._synced_s = time.monotonic()

    def _end(self, reason: str) -> None:
        """Finish the files, whatever has happened to the disk, and say what became of the recording."""
        if self._writer is not None:
            try:
                if reason:
                    self._writer.abandon()
                else:
                    self._writer.close()
            except (DeviceError, OSError) as exc:
                reason = reason or str(exc)
        streams = {
            name: {
                "rows": track.rows, "missing": track.continuity.lost, "gaps": track.continuity.gaps,
                "restarts": track.continuity.restarts, "segments": track.segments,
            }
            for name, track in self._tracks.items()
        }  # fmt: skip
        lost = sum(count["missing"] for count in streams.values())
        verdict = "INCOMPLETE" if reason or lost else "COMPLETE"
        self.result = result = Recorded(
            str(self.file_path), verdict, reason or (f"{lost} rows are missing" if lost else ""), self._bytes,
            round(time.monotonic() - self._began_s, 3), [str(path) for path in self._files], self._marks, streams,
        )  # fmt: skip
        if self._journal is not None:
            try:
                self._journal.note(**asdict(result))
            except DeviceError as exc:
                log.error("%s: %s", self.path, exc)
            self._journal.close()
        log.log(logging.INFO if verdict == "COMPLETE" else logging.WARNING, "%s", result)
        try:
            self.send(result)
        except Stopped:
            pass  # nobody is there to hear it; the journal has it


def _marks_of(message: Any) -> list[Mark]:
    if isinstance(message, Mark):
        return [message]
    if isinstance(message, str):
        return [Mark(message, time_ns=time.time_ns())]
    if isinstance(message, Chunk) and message.info.kind == "events":
        names = message.info.dtype.names or ()
        of = str(message.info.facts.get("of", message.info.name))
        return [
            Mark(
                message.info.name or "event", int(row["sample"]) if "sample" in names else None, None, of,
                {name: _plain(row[name]) for name in names if name != "sample"},
            )
            for row in message.data
        ]  # fmt: skip
    return [Mark(show_value(message), time_ns=time.time_ns())]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
