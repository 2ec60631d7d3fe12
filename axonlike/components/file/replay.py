"""Recordings in the place of devices: the same chunks, with the same indices, gaps and marks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

from axonlike.components.file.recording.formats import open_recording
from axonlike.components.file.recording.writer import Mark, Reader
from axonlike.components.settable import Refused, Settable
from axonlike.demand import OnDemand, StandIn
from axonlike.errors import UsageError, did_you_mean
from axonlike.linkage import Box, destination
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Player", "Replay", "replay_in_place_of"]

log = logging.getLogger("axonlike.replay")


class Player:
    """A recording and where it stands: `play` sends it, on the outboxes of whatever component is at hand.

    speed, loop, stream, start_s and rows are those of `Replay`. `paused` and `seek_s` may be set while it plays.
    `sent` counts chunks; `rows_sent` rows, those that were passed over included. Raises UsageError if the file is no
    recording.
    """

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
        self.path = Path(path)
        reader = open_recording(self.path)
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
        self.infos = {name: info for name, info in infos.items() if stream in (None, name)}
        """The streams that it sends, with their last descriptions."""
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
    def stream_type(self) -> StreamType | None:
        """What it sends; None if that is several streams, or none."""
        infos = list(self.infos.values())
        return infos[0].type if len(infos) == 1 else None

    @property
    def speed(self) -> float:
        """How many times as fast as it was recorded; 0: as fast as the receivers take it."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not 0 <= value < float("inf"):
            raise UsageError(f"speed is 0 (as fast as it goes) or more, not {value!r}")
        self._speed = float(value)

    @property
    def seek_s(self) -> float:
        """The second of the recording at which it is; set it to go there."""
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

    def play(
        self,
        component: OnDemand,
        obey: Callable[[], None],
        *,
        outbox: str = "outbox",
        events: str | None = "events",
    ) -> Generator[Any, Any, None]:
        """The body of a component: sends the recording while the component is wanted.

        obey: takes what has come into the component's inboxes; called whenever something may have. Marks go to the
        outbox `events`, or nowhere if it is None.
        """
        while not component.wanted:
            yield component.wait()
            obey()
        offset = 0
        while True:
            ends: dict[str, int] = {}
            yield from self._once(component, (outbox, events), obey, offset, ends)
            if not self.loop or not ends:
                return
            offset = max(ends.values())

    def _once(
        self,
        component: OnDemand,
        boxes: tuple[str, str | None],
        obey: Callable[[], None],
        offset: int,
        ends: dict[str, int],
    ) -> Generator[Any, Any, None]:
        reader = open_recording(self.path)
        clock = component.scheduler
        assert clock is not None
        outbox, events = boxes
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
                    if at_s + chunk.duration_s <= seek_s + 1e-9 and seek_s:  # the rounding of a time in seconds
                        continue
                    self._position_s = at_s
                    while self._seek_s is None:
                        if self._speed != speed or self.paused or not component.wanted:
                            # What was played until now stays played.
                            began_at_s += (clock.time() - began_s) * speed
                            if self.paused or not component.wanted:
                                yield component.wait()
                                obey()
                            began_s, speed = clock.time(), self._speed
                            continue
                        # A chunk is there when its last row has been taken.
                        due_s = began_s + (at_s + chunk.duration_s - began_at_s) / speed if speed else began_s
                        if due_s <= clock.time():
                            break
                        if (yield component.wait(timeout=due_s - clock.time())) is not None:
                            obey()
                    if self._seek_s is not None:
                        again = True
                        break
                    while left and left[0].sample is not None and left[0].sample < chunk.end:
                        mark = left.pop(0)
                        if events is not None:
                            component.send(mark, events)
                    self.sent += 1
                    moved = Chunk(chunk.data, chunk.info, chunk.index + shift, chunk.time_ns)
                    component.send(moved, outbox)
                    yield
                    obey()
        finally:
            reader.close()


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
        self.player = Player(path, speed=speed, loop=loop, stream=stream, start_s=start_s, rows=rows)
        if self.player.stream_type is not None:
            self.specify("outbox", stream=self.player.stream_type)

    @property
    def file_path(self) -> Path:
        """The recording."""
        return self.player.path

    @property
    def speed(self) -> float:
        """How many times as fast as it was recorded; 0: as fast as the receivers take it."""
        return self.player.speed

    @speed.setter
    def speed(self, value: float) -> None:
        self.player.speed = value

    @property
    def paused(self) -> bool:
        """Does it stand still?"""
        return self.player.paused

    @paused.setter
    def paused(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise UsageError(f"paused is true or false, not {value!r}")
        self.player.paused = value

    @property
    def seek_s(self) -> float:
        """The second of the recording at which it is; set it to go there."""
        return self.player.seek_s

    @seek_s.setter
    def seek_s(self, value: float) -> None:
        self.player.seek_s = value

    @property
    def sent(self) -> int:
        """How many chunks were sent."""
        return self.player.sent

    @property
    def progress(self) -> float:
        """How much of the recording was sent, 0 to 1 (within this round, if it loops)."""
        return self.player.progress

    def main(self) -> Generator[Any, Any, None]:
        return self.player.play(self, self._obey)

    def _obey(self) -> None:
        """Take what has come on `settings` and `demand`."""
        for _ in self.inbox("demand"):
            pass  # `wanted` says it already
        for _ in self.inbox("inbox"):
            pass
        if self.data_ready("settings"):
            self.take_settings()


def replay_in_place_of(path: str | os.PathLike[str]) -> StandIn:
    """A recording that stands in for a source (`axonlike.demand.stand_in`): it is sent on the source's own outboxes.

    Chunks go to its one required outbox, or to `outbox` if it has several; marks to `events`, if it has that. What
    comes to its settings is refused. Raises UsageError if the file is no recording.
    """
    Player(path)  # what is no recording is told now, before anything runs

    def body(device: OnDemand) -> Generator[Any, Any, None]:
        player = Player(path)  # anew, should the component be restarted
        outbox = _chunks_go_to(device, player)
        log.info("%s: %s is sent in its place", device.path, path)
        return player.play(
            device, lambda: _refuse(device, player.path), outbox=outbox,
            events="events" if "events" in device.outbox_names else None,
        )  # fmt: skip

    return body


def _chunks_go_to(device: OnDemand, player: Player) -> str:
    required = [name for name in device.outbox_names if device.outbox_spec(name).required]
    box = required[0] if len(required) == 1 else "outbox"
    if required and box not in required:
        raise UsageError(
            f"{device.path} sends on several outboxes ({', '.join(required)}): a recording cannot stand in for it"
        )
    sends, end = player.stream_type, destination(device, box)
    takes = end[0].inbox_spec(end[1]).stream if end is not None else None
    why = takes.mismatch(sends) if sends is not None and takes is not None else None
    if why is not None and end is not None:
        raise StreamMismatch(f"{player.path} in place of {device.path} does not fit {end[0].path}: it sends {why}")
    return box


def _refuse(device: OnDemand, path: Path) -> None:
    """Empty its inboxes; tell those who would set it that it is a recording."""
    for name in device.inbox_names:
        if name == "control":
            continue
        for message in device.inbox(name):
            if name == "settings" and isinstance(device, Settable):
                device.refused += 1
                device.send(Refused(message, f"{device.path} is the recording {path}: it cannot be set"), "status")


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
            segment_s = at_s
            for _, chunk in reader.chunks_of(place, segment, rows):
                number += 1
                yield at_s, number, name, chunk
                # By the rows: a sum of durations would drift by its roundings.
                at_s = segment_s + (chunk.end - segment.index) / rate_hz if rate_hz else at_s + chunk.duration_s
                expected = chunk.end

    for at_s, _, name, chunk in heapq.merge(*(of(name) for name in names), key=lambda item: item[:3]):
        yield at_s, name, chunk
