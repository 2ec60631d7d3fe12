"""Recordings in the place of devices: the same chunks, with the same indices, gaps and marks."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

from axonlike.components.file.recording.formats import open_recording
from axonlike.components.file.recording.writer import Mark, Reader
from axonlike.components.settable import Settable
from axonlike.demand import OnDemand
from axonlike.errors import UsageError, did_you_mean
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk

__all__ = ["Replay"]


class Replay(OnDemand, Settable):
    """Sends what a recording holds: ``Replay("run.h5")``. It begins when somebody takes what it sends.

    speed: 1.0 as it was, 2.0 twice as fast, 0 as fast as the receivers take it. loop: begin again at the end; indices
    then go on, so that receivers see neither a gap nor a restart. stream: only this one of several. start_s: where to
    begin, in seconds of the recording. rows: the most rows in a chunk (0: 50 ms each). Marks go to the outbox
    `events`, each before the chunk that holds its sample.

    Settings, also while it runs: speed, paused, and seek_s, which goes to that second of the recording. `sent` counts
    chunks, `progress` goes from 0 to 1. Raises UsageError if the file is no recording.
    """

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("chunks as they were recorded", Chunk, required=True),
        "events": Box("marks", Mark),
    }
    settings: ClassVar[tuple[str, ...]] = ("speed", "paused", "seek_s")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        speed: float = 1.0,
        loop: bool = False,
        stream: str | None = None,
        start_s: float = 0.0,
        rows: int = 0,
    ) -> None:
        self.file_path = Path(path)
        reader = open_recording(self.file_path)
        try:
            infos = {segment.stream: segment.info for segment in reader.segments}
            self.rows_in_all = sum(
                reader.rows_of(n) for n, segment in enumerate(reader.segments) if stream in (None, segment.stream)
            )
        finally:
            reader.close()
        if stream is not None and stream not in infos:
            raise UsageError(
                f"{path}: there is no stream {stream!r}{did_you_mean(stream, infos)} (there are: {', '.join(infos)})"
            )
        wanted = [info for name, info in infos.items() if stream in (None, name)]
        if len(wanted) == 1:
            self.specify("outbox", stream=wanted[0].type)
        self.loop = loop
        self.stream = stream
        self.rows = rows
        self.sent = 0
        self.rows_sent = 0
        self.paused = False
        self._speed = 1.0
        self._position_s = 0.0
        self._seek_s: float | None = start_s or None
        self.speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not 0 <= value < float("inf"):
            raise UsageError(f"speed is 0 (as fast as it goes) or more, not {value!r}")
        self._speed = float(value)

    @property
    def seek_s(self) -> float:
        return self._position_s

    @seek_s.setter
    def seek_s(self, value: float) -> None:
        if not 0 <= value < float("inf"):
            raise UsageError(f"seek_s is a second of the recording, not {value!r}")
        self._seek_s = float(value)

    @property
    def progress(self) -> float:
        """How much of the recording was sent, 0 to 1 (within this round, if it loops)."""
        return min(1.0, self.rows_sent / self.rows_in_all) if self.rows_in_all else 1.0

    def main(self) -> Generator[Any, Any, None]:
        while not self.wanted:
            yield self.wait("demand")
        self._discard_demand()
        offset = 0
        while True:
            ends: dict[str, int] = {}
            yield from self._once(offset, ends)
            if not self.loop or not ends:
                return
            offset = max(ends.values())

    def _once(self, offset: int, ends: dict[str, int]) -> Generator[Any, Any, None]:
        reader = open_recording(self.file_path)
        clock = self.scheduler
        assert clock is not None
        try:
            first = min((s.index for s in reader.segments if self.stream in (None, s.stream)), default=0)
            shift = offset - first if offset else 0
            marks = sorted(
                (mark for mark in reader.marks if mark.sample is not None), key=lambda mark: mark.sample or 0
            )
            again = True
            while again:
                again = False
                self.rows_sent = 0
                seek_s, self._seek_s = self._seek_s or 0.0, None
                left = list(marks)
                began_s, began_at_s = clock.time(), seek_s
                speed = self._speed
                for at_s, name, chunk in _timed(reader, self.stream, self.rows):
                    self.rows_sent += len(chunk)
                    ends[name] = chunk.end + shift
                    if at_s + chunk.duration_s <= seek_s and seek_s:
                        continue
                    self._position_s = at_s
                    while self._seek_s is None:
                        if self._speed != speed or self.paused or not self.wanted:
                            # What was played until now stays played.
                            began_at_s += (clock.time() - began_s) * speed
                            if self.paused or not self.wanted:
                                yield self.wait("settings", "demand")
                                self._obey()
                            began_s, speed = clock.time(), self._speed
                            continue
                        # A chunk is there when its last row has been taken.
                        due_s = began_s + (at_s + chunk.duration_s - began_at_s) / speed if speed else began_s
                        if due_s <= clock.time():
                            break
                        if (yield self.wait("settings", "demand", timeout=due_s - clock.time())) is not None:
                            self._obey()
                    if self._seek_s is not None:
                        again = True
                        break
                    while left and left[0].sample is not None and left[0].sample < chunk.end:
                        self.send(left.pop(0), "events")
                    self.sent += 1
                    moved = Chunk(chunk.data, chunk.info, chunk.index + shift, chunk.time_ns)
                    self.send(moved)
                    yield
                    self._obey()
        finally:
            reader.close()

    def _obey(self) -> None:
        """Take what has come on `settings` and `demand`."""
        if self.data_ready("settings"):
            self.take_settings()
        self._discard_demand()

    def _discard_demand(self) -> None:
        for _ in self.inbox("demand"):
            pass  # `wanted` says it already


def _timed(reader: Reader, stream: str | None, rows: int) -> Iterator[tuple[float, str, Chunk]]:
    """Chunks with the second of the recording at which each began: by their indices and rates; of several streams in
    the order of these times."""
    import heapq

    segments = reader.segments
    names = [name for name in dict.fromkeys(s.stream for s in segments) if stream in (None, name)]
    known_ns = [s.time_ns for s in segments if s.time_ns is not None and s.stream in names]
    began_ns = min(known_ns) if known_ns else None

    def of(name: str) -> Iterator[tuple[float, int, str, Chunk]]:
        at_s, expected, number = 0.0, None, 0
        for place, segment in enumerate(segments):
            if segment.stream != name:
                continue
            rate_hz = segment.info.sample_rate_hz
            if expected is None:
                if began_ns is not None and segment.time_ns is not None:
                    at_s = (segment.time_ns - began_ns) / 1e9
            elif segment.index > expected and rate_hz:
                at_s += (segment.index - expected) / rate_hz
            for _, chunk in reader.chunks_of(place, segment, rows):
                number += 1
                yield at_s, number, name, chunk
                at_s += chunk.duration_s
                expected = chunk.end

    for at_s, _, name, chunk in heapq.merge(*(of(name) for name in names), key=lambda item: item[:3]):
        yield at_s, name, chunk
