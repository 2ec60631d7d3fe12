"""Sound cards as components: AudioIn listens, AudioOut plays. PortAudio does the work, through PyAudio.

PortAudio calls back in a thread of its own, once a block, and nothing there waits: a block that came is posted to the
scheduler's thread, which puts it into the inbox `card`; a block to be played is taken from a bounded buffer. The
component's own thread opens and closes the card, as that may hang with the sound system, and watches it: a card that
has died says so (`is_active`), and one that hangs is known by the time in which nothing came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from axonlike.component import Component
from axonlike.components.devices.playback import PlayBuffer, as_played
from axonlike.components.devices.sampleclock import SampleClock
from axonlike.components.devices.soundcard import (
    COMPLETE,
    CONTINUE,
    FORMATS,
    INPUT_OVERFLOW,
    OUTPUT_UNDERFLOW,
    DemoPortAudio,
    Format,
    PortAudio,
    SoundCard,
    check_format,
    pyaudio_or_missing,
)
from axonlike.components.devices.source import ThreadedSource
from axonlike.components.producers import take_from
from axonlike.errors import DeviceError, Finished, UsageError
from axonlike.linkage import Box
from axonlike.restarts import Backoff
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.threads import ThreadedComponent

__all__ = [
    "AudioGap",
    "AudioIn",
    "AudioLost",
    "AudioOpened",
    "AudioOut",
    "AudioStalled",
    "AudioStatistics",
    "AudioUnavailable",
    "AudioUnderrun",
]

log = logging.getLogger("axonlike.audio")

# Nothing for so many times `stall_s`: the card is closed and opened again. The first block may take as long: a sound
# server that was asleep needs about 2 s.
_STALLS_UNTIL_REOPENED = 5
_LOOK_S = 0.2  # how soon it is seen that a card has died
_FIRST_RETRY_S = 0.1
_WELL_AFTER_S = 5.0  # open for so long: the next loss is a new one


@dataclass(frozen=True, slots=True)
class AudioOpened:
    """The card is open. times: 1 for the first time, then one more for each reopening."""

    device: str
    times: int


@dataclass(frozen=True, slots=True)
class AudioLost:
    """The card died or hung for long. It is opened again when that can be done."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class AudioUnavailable:
    """The card, which was open before, cannot be opened, for a new reason; it is tried again and again."""

    reason: str


@dataclass(frozen=True, slots=True)
class AudioStalled:
    """Nothing has come from (or gone to) the open card for so many seconds. Samples that come late are not lost."""

    device: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AudioGap:
    """AudioIn lost `rows` rows before the one with this index. reason: what lost them."""

    index: int
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class AudioUnderrun:
    """AudioOut had nothing to play, and plays silence. times: how often that was; rows: of silence, before this."""

    times: int
    rows: int


@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """What a component has done so far. May be read from any thread."""

    opened: int
    rows: int
    """Sent, or handed to the card."""
    lost_rows: int
    """AudioIn: never sent. AudioOut: missing in what came to it."""
    gaps: int
    overruns: int
    """AudioIn: how often the card, or what takes its chunks, was not served in time."""
    underruns: int
    """AudioOut: how often there was nothing to play."""
    underrun_rows: int
    clipped_samples: int
    """AudioOut: how many were beyond full scale, or no numbers."""
    stalls: int


class _Audio(ThreadedComponent):
    """What listening and playing have in common: a card that may go and come back, and a watch on it."""

    Outboxes: ClassVar[dict[str, Any]] = {"status": Box("AudioOpened, AudioLost, AudioStalled and so on")}
    _direction: ClassVar[Any]

    def _set_up(
        self,
        device: int | str | None,
        block_rows: int,
        stall_s: float,
        longest_wait_s: float,
        portaudio: Callable[[], PortAudio] | None,
    ) -> None:
        who = type(self).__name__
        if block_rows < 1:
            raise UsageError(f"{who}: block_rows is at least 1, not {block_rows!r}")
        if not stall_s > 0:
            raise UsageError(f"{who}: stall_s is a number of seconds above 0, not {stall_s!r}")
        if isinstance(device, bool) or not (device is None or isinstance(device, int | str)):
            raise UsageError(f'{who}: device is a number, a part of a name, "demo" or None, not {device!r}')
        self.device = device
        self.block_rows = block_rows
        self.stall_s = stall_s
        self._portaudio: Callable[[], PortAudio]
        if portaudio is not None:
            self._portaudio = portaudio
        elif device == "demo":
            self._portaudio = lambda: DemoPortAudio(self._now_s)
        else:
            self._portaudio = pyaudio_or_missing(who)
        self._backoff = Backoff(min(_FIRST_RETRY_S, longest_wait_s), longest_wait_s)
        self._opened = 0
        self._stalls = 0
        self._card_name = ""
        self._opened_s = 0.0
        # Set by the callback, in PortAudio's thread. None until the first one.
        self._called_s: float | None = None
        self._stall_told = False

    def _now_s(self) -> float:
        scheduler = self.scheduler
        assert scheduler is not None
        return scheduler.time()

    def _try_to_open(
        self, *, sample_rate_hz: float, channels: int | None, format: Format, callback: Any
    ) -> SoundCard | None:
        """The card, opened; None if it cannot be now, though it could before. Raises DeviceError the first time."""
        self._called_s = None
        self._stall_told = False
        try:
            card = SoundCard(
                self._portaudio, self._direction, self.device, sample_rate_hz=sample_rate_hz, channels=channels,
                format=format, block_rows=self.block_rows, callback=callback,
            )  # fmt: skip
        except DeviceError as exc:
            if not self._opened:
                raise
            if str(exc) != self._why_unavailable:
                self._why_unavailable = str(exc)
                log.warning("%s: %s; trying again", self.path, str(exc))
                self.send(AudioUnavailable(str(exc)), "status")
            return None
        self._opened += 1
        self._why_unavailable = ""
        self._opened_s = self._now_s()
        self._card_name = str(card.device)
        log.log(logging.WARNING if self._opened > 1 else logging.INFO, "%s: %s is open", self.path, card.device)
        self.send(AudioOpened(self._card_name, self._opened), "status")
        return card

    _why_unavailable = ""

    def _trouble_with(self, card: SoundCard) -> str:
        """Why the card has to be opened again, or an empty string. Tells of stalls."""
        if not card.stream.is_active():
            return "it has died (unplugged, or the sound server has ended)"
        now_s, called_s = self._now_s(), self._called_s
        longest_s = _STALLS_UNTIL_REOPENED * self.stall_s
        if called_s is None:
            waited_s = now_s - self._opened_s
            return f"nothing came from it for {waited_s:.1f} s after it was opened" if waited_s >= longest_s else ""
        waited_s = now_s - called_s
        if waited_s < self.stall_s:
            self._stall_told = False
        elif not self._stall_told:
            self._stall_told = True
            self._stalls += 1
            log.warning("%s: %s has stalled for %.1f s", self.path, self._card_name, waited_s)
            self.send(AudioStalled(self._card_name, waited_s), "status")
        return f"it has not moved for {waited_s:.1f} s" if waited_s >= longest_s else ""

    def _note_loss(self, trouble: str) -> float:
        """Tell of it; returns how long to wait before the next try."""
        if self._now_s() - self._opened_s >= _WELL_AFTER_S:
            self._backoff.reset()
        log.warning("%s: lost %s: %s; opening it again", self.path, self._card_name, trouble)
        self.send(AudioLost(self._card_name, trouble), "status")
        return self._backoff.next_delay_s()

    def _look_again_s(self, card: SoundCard) -> float:
        """How long to wait at most until the next look at the card."""
        look_s = min(_LOOK_S, self.stall_s)
        return look_s if card.demo is None else max(0.0, min(look_s, card.demo.due_s - self._now_s()))


@dataclass(slots=True)
class _Hearing:
    """One opening of the card: what its callbacks, which come from another thread, and we have in common."""

    # Blocks put into the inbox, counted by the scheduler's thread, and taken out of it, by ours.
    put: int = 0
    taken: int = 0
    missed_rows: int = 0  # that did not get into it, since the last that did
    over: bool = False


@dataclass(frozen=True, slots=True)
class _Block:
    data: bytes
    rows: int
    came_s: float
    began_ns: int
    overrun: bool
    missed_rows: int
    hearing: _Hearing


class AudioIn(ThreadedSource, _Audio):
    """Listens to a sound card: chunks of shape (rows, channels), in units of full scale ("FS").

    device: its number or a part of its name as `list_audio_devices` gives them, None for the system's default, or
    "demo", a tune that needs no card. channels: None for as many as the card has, two at most. format: int16, int32 or
    float32, which is the dtype of the chunks, too; for integers `info.scale` leads to full scale. block_rows: of a
    chunk.

    It is opened while somebody takes its chunks. Not to be there at first is a DeviceError; later on it is waited for,
    at least every `longest_wait_s` seconds. What is lost shows in the index, is counted (`audio_statistics`) and told
    on `status`: an overrun of the card, or of the `buffer_s` seconds that are kept for slow receivers; samples that
    went missing without a word (more than 0.2 s); and the time in which the card was away. It tells of a card that has
    not moved for `stall_s` seconds, and opens it again after five times that.

    `Chunk.time_ns` is when its first sample was taken, as well as PortAudio knows. It ends with what feeds its inbox.
    portaudio: in place of ``pyaudio.PyAudio``. Raises MissingExtra without PyAudio.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "card": Box("blocks from the card, put there by its own thread", limit=None, aside=True),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("chunks", Chunk, stream=StreamType(kind="analog", units="FS"), required=True)
    }
    _direction = "in"

    def __init__(
        self,
        device: int | str | None = None,
        *,
        sample_rate_hz: float = 44100.0,
        channels: int | None = None,
        format: Format = "int16",
        block_rows: int = 1024,
        buffer_s: float = 2.0,
        stall_s: float = 1.0,
        longest_wait_s: float = 5.0,
        portaudio: Callable[[], PortAudio] | None = None,
    ) -> None:
        check_format("AudioIn", format)
        if not sample_rate_hz > 0 or sample_rate_hz != round(sample_rate_hz) or (channels is not None and channels < 1):
            raise UsageError(
                f"AudioIn: a card has channels, and a whole number of Hz, not {channels!r} at {sample_rate_hz!r}"
            )
        self._set_up(device, block_rows, stall_s, longest_wait_s, portaudio)
        self.sample_rate_hz = float(sample_rate_hz)
        self.channels = channels
        self.format: Format = format
        self._limit_blocks = max(2, round(buffer_s * sample_rate_hz / block_rows))
        self._clock = SampleClock(self.sample_rate_hz)
        self._info: StreamInfo | None = None
        self._sent_rows = 0
        self._gaps = 0
        self._overruns = 0
        self._was_away = False
        self.specify("outbox", stream=StreamType("analog", format, channels, self.sample_rate_hz, "FS"))

    def audio_statistics(self) -> AudioStatistics:
        """Counts so far; may be called from any thread."""
        return AudioStatistics(
            self._opened, self._sent_rows, self._clock.lost, self._gaps, self._overruns, 0, 0, 0, self._stalls
        )

    # -- the thread

    def attend(self) -> float | None:
        hearing = _Hearing()
        card = self._try_to_open(
            sample_rate_hz=self.sample_rate_hz, channels=self.channels, format=self.format,
            callback=partial(self._heard, hearing),
        )  # fmt: skip
        if card is None:
            self._was_away = True
            return self._backoff.next_delay_s()
        try:
            if self._info is None:
                self._info = self._describe(card.channels)
                self.channels = card.channels
            trouble = self._serve(card, hearing)
            return None if trouble is None else self._note_loss(trouble)  # told first: closing may hang
        finally:
            hearing.over = True
            self._was_away = True
            card.close()

    def _describe(self, channels: int) -> StreamInfo:
        names = ("left", "right") if channels == 2 else tuple(str(number + 1) for number in range(channels))
        return StreamInfo(
            kind="analog", dtype=np.dtype(self.format), shape=(channels,), sample_rate_hz=self.sample_rate_hz,
            units="FS", channel_names=names, name=self.name, scale=FORMATS[self.format][1],
        )  # fmt: skip

    def _serve(self, card: SoundCard, hearing: _Hearing) -> str | None:
        """Send what comes: until the card is in trouble (what it is), or nobody wants it any more (None)."""
        while True:
            if not self.wait_unless_told("card", timeout_s=self._look_again_s(card)):
                return None
            for block in self.inbox("card"):
                if block.hearing is hearing:
                    hearing.taken += 1
                    self._send(block)
            if card.demo is not None:
                card.demo.turn(self._now_s())
            trouble = self._trouble_with(card)
            if trouble:
                return trouble

    def _send(self, block: _Block) -> None:
        info, clock = self._info, self._clock
        assert info is not None
        away, self._was_away = self._was_away and clock.rows > 0, False
        if block.missed_rows:
            self._overruns += 1
            self._tell_gap(block.missed_rows, "its receivers take less than the card gives", clock.rows)
            clock.skip(block.missed_rows)
        self._overruns += block.overrun
        lost = clock.take(block.rows, block.came_s, known_loss=block.overrun or away)
        if lost:
            reason = "the card was closed" if away else "the card's buffer overran" if block.overrun else ""
            self._tell_gap(lost, reason or "time went on without samples", clock.rows - block.rows - lost)
        data = np.frombuffer(block.data, info.dtype).reshape(-1, info.channels)
        self._sent_rows += len(data)
        self.send(Chunk(data, info, clock.rows - block.rows, block.began_ns))

    def _tell_gap(self, rows: int, reason: str, before: int) -> None:
        self._gaps += 1
        log.warning("%s: %d rows are missing from row %d on: %s", self.path, rows, before, reason)
        self.send(AudioGap(before + rows, rows, reason), "status")

    # -- other threads

    def _heard(
        self, hearing: _Hearing, data: bytes | None, rows: int, times: Mapping[str, float], status: int
    ) -> tuple[None, int]:
        """PortAudio's thread: a block has come. It must not wait, nor ask for its own threading.Thread."""
        scheduler = self.scheduler
        if hearing.over or scheduler is None or data is None:
            return None, CONTINUE
        now_s = self._called_s = scheduler.time()
        latency_s = times.get("current_time", 0.0) - times.get("input_buffer_adc_time", 0.0)
        if not 0 < latency_s < 10:  # some sound systems leave these fields at zero, or in another clock
            latency_s = rows / self.sample_rate_hz
        began_ns = time.time_ns() - round(latency_s * 1e9)
        overrun = bool(status & INPUT_OVERFLOW)
        scheduler.call_from_thread(partial(self._keep, hearing, data, rows, now_s, began_ns, overrun))
        return None, CONTINUE

    def _keep(self, hearing: _Hearing, data: bytes, rows: int, came_s: float, began_ns: int, overrun: bool) -> None:
        """The scheduler's thread: a block has come."""
        if hearing.over or self.ended:
            return
        if hearing.put - hearing.taken >= self._limit_blocks:
            hearing.missed_rows += rows
            return
        missed, hearing.missed_rows = hearing.missed_rows, 0
        hearing.put += 1
        self.open_inbox("card").put(_Block(data, rows, came_s, began_ns, overrun, missed, hearing))


class AudioOut(_Audio):
    """Plays chunks on a sound card; takes the rate and the channels of the stream that comes.

    device: as for AudioIn; "demo" needs no card and swallows at real pace. It may be left out:
    ``AudioOut(Tone(440))``. format: None for the stream's dtype if the card can have it (int16, int32, float32), else
    float32. channels: None for those of the stream; a stream of one channel is played on all. What is beyond full scale
    is clipped and counted. Integers without `info.scale` are taken at their full range.

    It opens with the first chunk and plays when half of `buffer_s` seconds is there; when that much is, it takes no
    more, so that what feeds it goes at the card's pace. If nothing is there to play, silence is, which is counted and
    told on `status` (AudioUnderrun). At the end of its input it plays what there is, and ends. Missing rows in the
    stream are counted and not filled up. Losses of the card are dealt with as by AudioIn.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=StreamType(kind="analog"))}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "nothing"}
    _direction = "out"

    def __init__(
        self,
        device: int | str | Component | None = None,
        *producers: Component,
        sample_rate_hz: float | None = None,
        channels: int | None = None,
        format: Format | None = None,
        block_rows: int = 1024,
        buffer_s: float = 0.25,
        stall_s: float = 1.0,
        longest_wait_s: float = 5.0,
        portaudio: Callable[[], PortAudio] | None = None,
    ) -> None:
        """sample_rate_hz: if given, a stream of any other is refused."""
        if isinstance(device, Component):
            producers = (device, *producers)
            device = None
        if format is not None:
            check_format("AudioOut", format)
        if not buffer_s > 0:
            raise UsageError(f"AudioOut: buffer_s is a number of seconds above 0, not {buffer_s!r}")
        self._set_up(device, block_rows, stall_s, longest_wait_s, portaudio)
        self.channels = channels
        self.format: Format | None = format
        self.buffer_s = buffer_s
        self.clipped_samples = 0
        self._info: StreamInfo | None = None
        self._format: Format = "float32"
        self._channels = 0
        self._most_rows = 0
        self._card: SoundCard | None = None
        self._buffer: PlayBuffer | None = None
        self._former = [0, 0, 0]  # what the buffers of former streams counted: rows, underruns, rows of silence
        self._underruns_told = 0
        self._continuity = Continuity()
        self._card_underruns = 0
        self.specify("inbox", stream=StreamType(kind="analog", sample_rate_hz=sample_rate_hz))
        take_from(self, *producers)

    def audio_statistics(self) -> AudioStatistics:
        """Counts so far; may be called from any thread."""
        buffer, (rows, underruns, silent_rows) = self._buffer, self._former
        if buffer is not None:
            rows, underruns, silent_rows = (
                rows + buffer.played_rows, underruns + buffer.underruns, silent_rows + buffer.underrun_rows,
            )  # fmt: skip
        return AudioStatistics(
            self._opened, rows, self._continuity.lost, self._continuity.gaps, 0, underruns + self._card_underruns,
            silent_rows, self.clipped_samples, self._stalls,
        )  # fmt: skip

    # -- the thread

    def main(self) -> None:
        try:
            while True:
                card = self._card
                self.wait("inbox", timeout=None if card is None else self._look_again_s(card))
                self._watch()
                for chunk in self.inbox("inbox"):
                    self._play(chunk)
        except Finished:
            self._play_to_the_end()
        finally:
            self._close()

    def _play(self, chunk: Chunk) -> None:
        self._continuity.missing(chunk)
        info = self._info
        if chunk.info is not info:
            if info is None or not _sounds_alike(chunk.info, info):
                self._play_to_the_end()
                self._begin(chunk.info)
            self._info = chunk.info
        buffer = self._buffer
        assert buffer is not None
        rate_hz = chunk.info.sample_rate_hz
        data, clipped = as_played(chunk, self._format, self._channels)
        self.clipped_samples += clipped
        buffer.put(data.tobytes())
        while (too_many := buffer.rows - self._most_rows) > 0:
            self.sleep(min(_LOOK_S, max(too_many, self.block_rows) / rate_hz))
            self._watch()

    def _begin(self, info: StreamInfo) -> None:
        info.check(self.inbox_spec("inbox").stream, f"{self.path}.inbox")
        if not info.sample_rate_hz:
            raise StreamMismatch(f"{self.path}.inbox: the stream {info.name or 'without a name'} has no sample rate")
        if len(info.shape) > 1 or (self.channels not in (None, info.channels) and info.channels != 1):
            raise StreamMismatch(
                f"{self.path}.inbox: the stream {info.name or 'without a name'} has rows of shape {info.shape}; it "
                f"plays {self.channels or 'some'} channels (ChannelSelect picks some)"
            )
        self._format = self.format or (info.dtype.name if info.dtype.name in FORMATS else "float32")  # type: ignore[assignment]
        self._channels = self.channels or info.channels
        row_bytes = self._channels * np.dtype(self._format).itemsize
        # Room for two blocks at least: the card takes one at a time.
        self._most_rows = max(2 * self.block_rows, round(self.buffer_s * info.sample_rate_hz))
        self._buffer = PlayBuffer(row_bytes, self._most_rows // 2)
        self._underruns_told = 0
        self._info = info
        self._card = self._open()
        while self._card is None:
            self._wait_and_open(self._backoff.next_delay_s())

    def _wait_and_open(self, delay_s: float) -> None:
        self.sleep(delay_s)
        self._card = self._open()

    def _open(self) -> SoundCard | None:
        assert self._info is not None
        assert self._buffer is not None
        return self._try_to_open(
            sample_rate_hz=self._info.sample_rate_hz, channels=self._channels, format=self._format,
            callback=partial(self._asked, self._buffer),
        )  # fmt: skip

    def _watch(self) -> None:
        """Look after the card, and tell of underruns."""
        card, buffer = self._card, self._buffer
        if card is None or buffer is None:
            return
        if card.demo is not None:
            card.demo.turn(self._now_s())
        underruns = buffer.underruns
        if underruns > self._underruns_told:
            self._underruns_told = underruns
            counted = self.audio_statistics()
            log.info("%s: nothing to play, for the time number %d", self.path, counted.underruns)
            self.send(AudioUnderrun(counted.underruns, counted.underrun_rows), "status")
        if buffer.finished and not card.stream.is_active():
            return
        trouble = self._trouble_with(card)
        if trouble:
            delay_s = self._note_loss(trouble)  # told first: closing may hang
            self._card = None
            card.close()
            while self._card is None:
                self._wait_and_open(delay_s)
                delay_s = self._backoff.next_delay_s()

    def _play_to_the_end(self) -> None:
        """Play what there is, and close the card."""
        buffer, card = self._buffer, self._card
        if buffer is not None and card is not None and self._info is not None:
            buffer.finish()
            while self._card is not None and self._card.stream.is_active():
                self.sleep(self._look_again_s(self._card) if self._card.demo else _LOOK_S / 10)
                self._watch()
        self._close()

    def _close(self) -> None:
        card, self._card = self._card, None
        if card is not None:
            card.close()
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            for place, count in enumerate((buffer.played_rows, buffer.underruns, buffer.underrun_rows)):
                self._former[place] += count
        self._info = None

    # -- PortAudio's thread

    def _asked(
        self, buffer: PlayBuffer, _data: bytes | None, rows: int, _times: Mapping[str, float], status: int
    ) -> tuple[bytes, int]:
        scheduler = self.scheduler
        if scheduler is not None:
            self._called_s = scheduler.time()
        if status & OUTPUT_UNDERFLOW:
            self._card_underruns += 1
        data, over = buffer.take(rows)
        return data, COMPLETE if over else CONTINUE


def _sounds_alike(one: StreamInfo, other: StreamInfo) -> bool:
    return (one.sample_rate_hz, one.shape, one.dtype) == (other.sample_rate_hz, other.shape, other.dtype)
