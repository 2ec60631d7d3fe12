"""What an OpenBCI Cyton says on its serial line, alone or with a Daisy: frames of samples, and answers to commands.

A frame is 33 bytes: A0, a counter, 8 samples of 24 bits (big-endian), 6 bytes whose meaning the last byte tells (C0 to
C6). There is no check sum. With a Daisy, frames with an even counter hold channels 9 to 16, and those with the odd one
that follows channels 1 to 8 of the same moment. Source: OpenBCI documentation, "Cyton Data Format", "Cyton Board SDK".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.lagclock import LagClock

__all__ = [
    "CHANNEL_LETTERS",
    "GAINS",
    "BoardAnswers",
    "CytonBatch",
    "CytonDecoder",
    "FrameDecoder",
    "GainTracker",
    "uv_per_count",
]

_FRAME_BYTES = 33
_BEGIN = 0xA0
_ENDS = range(0xC0, 0xC7)
GAINS = (1, 2, 4, 6, 8, 12, 24)
CHANNEL_LETTERS = "12345678QWERTYUI"
G_PER_COUNT = 0.002 / 16
_VOLTS = 4.5
_ANSWER_KEPT_BYTES = 16384


def uv_per_count(gain: float) -> float:
    """Microvolts that one step of the converter stands for."""
    return _VOLTS / gain / (2**23 - 1) * 1e6


class FrameDecoder:
    """``feed(bytes)`` gives the frames that are whole by then, whatever the pieces.

    Where a frame should begin and none does, or one does not end as frames do, it looks on from the next byte: so a
    byte that was lost or changed costs the frame it belonged to, and no other. As A0 may stand among samples too, a
    frame must be followed by another one, or have a counter that comes next, until it is sure again; at the very
    beginning by another one.

    frames: how many there were. discarded_bytes: those of no frame.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.discarded_bytes = 0
        self._buffer = bytearray()
        self._sure = False
        self._counter: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; returns frames of 33 bytes."""
        self._buffer += data
        buffer = self._buffer
        found: list[bytes] = []
        at = 0
        while True:
            start = buffer.find(_BEGIN, at)
            if start != at:
                self._sure = False
                end = len(buffer) if start < 0 else start
                self.discarded_bytes += end - at
                at = end
                if start < 0:
                    break
            if len(buffer) - at < _FRAME_BYTES:
                break
            if buffer[at + _FRAME_BYTES - 1] in _ENDS:
                if not self._sure and not self._is_next(buffer[at + 1]):
                    if len(buffer) - at == _FRAME_BYTES:
                        break  # what follows decides
                    self._sure = buffer[at + _FRAME_BYTES] == _BEGIN
                else:
                    self._sure = True
                if self._sure:
                    found.append(bytes(buffer[at : at + _FRAME_BYTES]))
                    self._counter = buffer[at + 1]
                    at += _FRAME_BYTES
                    continue
            self._sure = False
            self.discarded_bytes += 1
            at += 1
        del buffer[:at]
        self.frames += len(found)
        return found

    def finish(self) -> list[bytes]:
        """Nothing follows: the last frame, if one waits for what does; the rest is discarded."""
        buffer = bytes(self._buffer)
        self._buffer.clear()
        whole = len(buffer) == _FRAME_BYTES and buffer[0] == _BEGIN and buffer[-1] in _ENDS
        self._sure, self._counter = False, None
        if whole:
            self.frames += 1
            return [buffer]
        self.discarded_bytes += len(buffer)
        return []

    def _is_next(self, counter: int) -> bool:
        return self._counter is not None and 1 <= (counter - self._counter) % 256 <= 3


@dataclass(frozen=True, slots=True, eq=False)
class CytonBatch:
    """Rows that follow each other without a gap, and whose frames end alike.

    index: of the first one. lost: how many are missing before it. counts: int32, shape (rows, 8), with a Daisy
    (rows, 16). end: the last byte of their frames, C0 to C6. acceleration_g: float32, shape (rows, 3): the last
    reading, as there is one for every tenth row only; NaN before the first. aux: float32, shape (rows, 3), the numbers
    in frames that end in C1 and C2; shape (rows, 1) for C5 and C6, else (rows, 0). board_ms: int64, shape (rows,), the
    board's clock, for C3 to C6; else shape (0,).
    """

    index: int
    lost: int
    counts: npt.NDArray[np.int32]
    end: int
    acceleration_g: npt.NDArray[np.float32]
    aux: npt.NDArray[np.float32]
    board_ms: npt.NDArray[np.int64]


class CytonDecoder:
    """Rows of samples from the bytes of a board that streams. daisy: join two frames for each row of 16 channels.

    The counter tells how many rows are missing, up to 255 (with a Daisy 127). The time at which bytes came, if it is
    given, tells how many more, and how many after `reopened`. Just 256 that are lost, or a multiple, go unseen.

    index: of the row that comes next. lost_rows, gaps: how many rows were missing, and how often. unpaired: frames
    without the other one of their pair; their row is lost.
    """

    def __init__(self, *, daisy: bool = False) -> None:
        self.daisy = daisy
        self.channels = 16 if daisy else 8
        self.sample_rate_hz = 125.0 if daisy else 250.0
        self.frames = FrameDecoder()
        self.index = 0
        self.lost_rows = 0
        self.gaps = 0
        self.unpaired = 0
        self._clock = LagClock(self.sample_rate_hz)
        self._cycle = 128 if daisy else 256
        self._last: int | None = None
        self._first_of_pair: bytes | None = None
        self._reopened = False
        self._acceleration_g = np.full(3, np.nan)

    def feed(self, data: bytes, time_s: float | None = None) -> list[CytonBatch]:
        """Take bytes that came at `time_s`."""
        return self._rows(self.frames.feed(data), time_s)

    def finish(self) -> list[CytonBatch]:
        """Nothing follows."""
        batches = self._rows(self.frames.finish(), None)
        self.unpaired += self._first_of_pair is not None
        self._first_of_pair = None
        return batches

    def reopened(self) -> None:
        """The board begins to count anew: what is missing before the next row is known from the time only."""
        self.finish()
        self._reopened = self._last is not None

    def _rows(self, frames: list[bytes], time_s: float | None) -> list[CytonBatch]:
        rows = list(self._joined(frames)) if self.daisy else [(frame[1], frame) for frame in frames]
        batches: list[CytonBatch] = []
        begun = 0
        lost_before = 0
        for number, (counter, frame) in enumerate(rows):
            lost = self._lost_before(counter, len(rows) - number, time_s)
            if number and (lost or frame[-1] != rows[number - 1][1][-1]):
                batches.append(self._batch([row for _, row in rows[begun:number]], lost_before))
                begun, lost_before = number, 0
            if lost:
                lost_before = lost
                self.index += lost
                self.lost_rows += lost
                self.gaps += 1
            self.index += 1
            self._last = counter
        if rows:
            batches.append(self._batch([row for _, row in rows[begun:]], lost_before))
            self._place(batches)
            if time_s is not None:
                self._clock.note(self.index, time_s)
        return batches

    def _place(self, batches: list[CytonBatch]) -> None:
        """Their indices, from the last one back."""
        end = self.index
        for number in range(len(batches) - 1, -1, -1):
            batch = batches[number]
            end -= len(batch.counts)
            batches[number] = CytonBatch(
                end, batch.lost, batch.counts, batch.end, batch.acceleration_g, batch.aux, batch.board_ms
            )
            end -= batch.lost

    def _joined(self, frames: Iterable[bytes]) -> Iterable[tuple[int, bytes]]:
        """(number of the pair, both frames) for each pair that is whole."""
        for frame in frames:
            first = self._first_of_pair
            if frame[1] % 2 == 0:
                self.unpaired += first is not None
                self._first_of_pair = frame
                continue
            self._first_of_pair = None
            if first is not None and first[1] + 1 == frame[1]:
                yield frame[1] >> 1, first + frame
            else:
                self.unpaired += 1 + (first is not None)

    def _lost_before(self, counter: int, left: int, time_s: float | None) -> int:
        """How many rows are missing before this one; `left` have come at `time_s`, with it."""
        if self._last is None:
            return 0
        if self._reopened:
            self._reopened = False
            behind = 0.0 if time_s is None else self._clock.behind(self.index + left, time_s)
            return max(1, round(behind))
        lost = (counter - self._last - 1) % self._cycle
        if lost and time_s is not None:
            behind = self._clock.behind(self.index + lost + left, time_s)
            lost += max(0, round(behind / self._cycle)) * self._cycle
        return lost

    def _batch(self, rows: list[bytes], lost: int) -> CytonBatch:
        raw = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1, _FRAME_BYTES)
        # Channels 1 to 8 are in the last frame of a row, 9 to 16 in the first one.
        samples = raw[:, ::-1, 2:26].reshape(len(rows), self.channels, 3).astype(np.int32)
        counts = ((samples[..., 0] << 24) | (samples[..., 1] << 16) | (samples[..., 2] << 8)) >> 8
        end = int(raw[-1, -1, -1])
        words = np.ascontiguousarray(raw[:, :, 26:32]).view(">i2").astype(np.float64)
        aux = np.empty((len(rows), 0))
        board_ms = np.empty(0, np.int64)
        if end >= 0xC3:
            board_ms = np.ascontiguousarray(raw[:, -1, 28:32]).view(">u4")[:, 0].astype(np.int64)
        if end in (0xC1, 0xC2):
            aux = words.mean(axis=1)
        elif end >= 0xC5:
            aux = words[:, :, :1].mean(axis=1)
        return CytonBatch(
            0, lost, counts, end, self._acceleration(raw, words, end).astype(np.float32), aux.astype(np.float32),
            board_ms,
        )  # fmt: skip

    def _acceleration(
        self, raw: npt.NDArray[np.uint8], words: npt.NDArray[np.float64], end: int
    ) -> npt.NDArray[np.float64]:
        """The last reading at each row, shape (rows, 3)."""
        readings = np.full((len(raw), 3), np.nan)
        if end == 0xC0:
            # A reading comes with every tenth frame; the others hold zeros. Two in a row's frames are averaged.
            is_new = words[:, :, 0] != 0
            several = is_new.sum(axis=1)
            rows = np.flatnonzero(several)
            readings[rows] = (words * is_new[:, :, np.newaxis]).sum(axis=1)[rows] / several[rows, np.newaxis]
        elif end in (0xC3, 0xC4):
            # One axis at a time: x with counters that end in 7, y in 8, z in 9.
            axis = raw[:, :, 1].astype(np.int64) % 10 - 7
            for row, frame in np.argwhere(axis >= 0):
                readings[row, axis[row, frame]] = words[row, frame, 0]
        readings *= G_PER_COUNT
        held = np.empty_like(readings)
        now = self._acceleration_g
        for row in range(len(readings)):
            now = np.where(np.isnan(readings[row]), now, readings[row])
            held[row] = now
        self._acceleration_g = now
        return held


class BoardAnswers:
    """Text that the board sends while it does not stream. ``feed`` returns what stands before ``$$$``, or None."""

    def __init__(self) -> None:
        self._text = bytearray()

    def feed(self, data: bytes) -> str | None:
        """The first answer that is whole; what follows it is kept."""
        self._text += data
        answer, end, rest = bytes(self._text).partition(b"$$$")
        if not end:
            del self._text[:-_ANSWER_KEPT_BYTES]
            return None
        self._text[:] = rest
        return answer.decode("ascii", "replace").strip()

    def clear(self) -> None:
        """Forget what has come so far."""
        self._text.clear()


class GainTracker:
    """Which gain each of 16 channels has, from the commands that were sent to the board."""

    _COMMAND = re.compile(rb"[vd]|x([1-8QWERTYUI])[01]([0-6])[0-9][01][01][01]X")

    def __init__(self) -> None:
        self.gains = [24] * 16
        self._kept = b""

    def note(self, command: bytes) -> bool:
        """Take what was sent; returns whether any gain is another one now."""
        before = list(self.gains)
        text = self._kept + command
        end = 0
        for match in self._COMMAND.finditer(text):
            end = match.end()
            if match[1] is None:
                # As a setting of the board: both set all channels to 24. Inside of x ... X no v and d can stand.
                self.gains = [24] * 16
            else:
                self.gains[CHANNEL_LETTERS.index(match[1].decode())] = GAINS[int(match[2])]
        # A command of a channel may come in pieces.
        begun = text.rfind(b"x", end)
        self._kept = text[begun:][:8] if begun >= 0 and b"X" not in text[begun:] else b""
        return before != self.gains
