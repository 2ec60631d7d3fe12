"""AudioIn and AudioOut on a sound card that the test plays, in virtual time; and the card that is not there."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.devices.audio import (
    AudioGap,
    AudioIn,
    AudioLost,
    AudioOpened,
    AudioOut,
    AudioStalled,
    AudioUnavailable,
    AudioUnderrun,
)
from axonlike.components.devices.soundcard import SoundCard, demo_music, list_audio_devices
from axonlike.components.devices.synthetic import Tone
from axonlike.errors import ComponentError, DeviceError, MissingExtra, UsageError, WiringError
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual

RATE_HZ = 1000
BLOCK = 100
LATE_ROWS = 90


class FakeStream:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.callback = options["stream_callback"]
        self.alive = True
        self.closed = False
        self.played: list[bytes] = []

    def is_active(self) -> bool:
        return self.alive

    def close(self) -> None:
        if not self.alive:
            raise OSError(-9988, "Stream closed")  # as PyAudio does
        self.alive = False
        self.closed = True

    def give(self, rows: int, start: int = 0, status: int = 0) -> None:
        """A block of rows that count up from `start`."""
        channels = self.options["channels"]
        data = np.repeat(np.arange(start, start + rows, dtype="<i2"), channels)
        self.callback(data.tobytes(), rows, {}, status)

    def ask(self, rows: int, status: int = 0) -> np.ndarray:
        data, flag = self.callback(None, rows, {}, status)
        self.played.append(data)
        self.alive = flag == 0
        return np.frombuffer(data, "<i2")


class FakePortAudio:
    """What PyAudio offers, with the cards and the faults that a test wants. Called, it is its own instance."""

    def __init__(self, *names: str) -> None:
        self.names = list(names) or ["built-in", "USB mic", "USB speaker"]
        self.streams: list[FakeStream] = []
        self.instances = 0
        self.refuse: list[OSError] = []

    def __call__(self) -> FakePortAudio:
        self.instances += 1
        return self

    def terminate(self) -> None:
        self.instances -= 1

    def get_device_count(self) -> int:
        return len(self.names)

    def get_device_info_by_index(self, index: int, /) -> Mapping[str, Any]:
        name = self.names[index]
        return {
            "index": index, "name": name, "hostApi": 0, "defaultSampleRate": 44100.0,
            "maxInputChannels": 0 if "speaker" in name else 1 if "mic" in name else 2,
            "maxOutputChannels": 0 if "mic" in name else 2,
        }  # fmt: skip

    def get_host_api_info_by_index(self, index: int, /) -> Mapping[str, Any]:
        return {"name": "ALSA"}

    def get_default_input_device_info(self) -> Mapping[str, Any]:
        if not self.names:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(0)

    get_default_output_device_info = get_default_input_device_info

    def open(self, **options: Any) -> FakeStream:
        if self.refuse:
            raise self.refuse.pop(0)
        self.streams.append(FakeStream(options))
        return self.streams[-1]


class Script(Component):
    """Does one thing after the other, at times; what is to be done gives the seconds to wait before the next.

    What the component's thread takes for its work is real time, which comes on top; so the times are absolute, and
    what is measured by them is known to `LATE_ROWS` only.
    """

    def __init__(self, things: Callable[[], Iterator[float]]) -> None:
        self.things = things

    def main(self) -> Any:
        assert self.scheduler is not None
        due_s = self.scheduler.time()
        yield self.sleep(0.0)
        for seconds in self.things():
            due_s += seconds
            yield self.sleep(max(0.0, due_s - self.scheduler.time()))


class Hearing:
    """An AudioIn on a fake card, with a script, run to the script's end."""

    def __init__(self, things: Callable[[Hearing], Iterator[float]], receiver: Component | None = None, **options: Any):
        self.card = options.pop("card", None) or FakePortAudio()
        self.got, self.status = receiver or Probe(), Probe()
        self.audio = AudioIn(
            sample_rate_hz=RATE_HZ, block_rows=BLOCK, portaudio=self.card,
            **{"channels": 1, "buffer_s": 60.0, **options},  # room for what comes while its thread stands still
        )  # fmt: skip
        self.things = things

    @property
    def stream(self) -> FakeStream:
        return self.card.streams[-1]

    def run(self) -> Hearing:
        script = Script(lambda: self.things(self))
        # Its end is the end of what feeds the card's inboxes, so it ends the run.
        run_virtual(
            Graphline(
                SCRIPT=script, IN=self.audio, GOT=self.got, STATUS=self.status,
                links="SCRIPT -> IN; IN -> GOT; IN.status -> STATUS",
            ),
            until_s=600.0,
        )  # fmt: skip
        assert self.card.instances == 0
        assert all(not stream.alive for stream in self.card.streams)
        return self

    @property
    def chunks(self) -> list[Chunk]:
        assert isinstance(self.got, Probe)
        return self.got.messages

    def told(self, kind: type) -> list[Any]:
        return [message for message in self.status.messages if isinstance(message, kind)]


def at_real_pace(hearing: Hearing, blocks: int, start: int = 0) -> Iterator[float]:
    while not hearing.card.streams:  # opened by a thread, which on a busy machine may take long
        yield BLOCK / RATE_HZ
    for number in range(blocks):
        yield BLOCK / RATE_HZ
        hearing.stream.give(BLOCK, start + number * BLOCK)


# -- listening


def test_blocks_become_chunks_that_count_their_rows() -> None:
    def things(hearing: Hearing) -> Iterator[float]:
        yield from at_real_pace(hearing, 5)
        yield 0.01

    hearing = Hearing(things).run()
    assert [(chunk.index, len(chunk)) for chunk in hearing.chunks] == [(k * BLOCK, BLOCK) for k in range(5)]
    info = hearing.chunks[0].info
    assert (info.kind, info.dtype.name, info.shape, info.units, info.scale) == ("analog", "int16", (1,), "FS", 2.0**-15)
    assert np.concatenate([chunk.data[:, 0] for chunk in hearing.chunks]).tolist() == list(range(500))
    assert hearing.told(AudioOpened) == [AudioOpened("0: built-in (2 in, 2 out)", 1)]
    assert hearing.told(AudioGap) == []
    counted = hearing.audio.audio_statistics()
    assert (counted.rows, counted.lost_rows, counted.opened) == (500, 0, 1)
    assert hearing.stream.closed


def test_an_overrun_of_the_card_is_a_gap_as_long_as_the_time_that_is_missing() -> None:
    def things(hearing: Hearing) -> Iterator[float]:
        yield from at_real_pace(hearing, 15)
        yield 0.4  # in which the card gave nothing, and said so afterwards
        hearing.stream.give(BLOCK, status=2)
        yield from at_real_pace(hearing, 2)
        yield 0.01

    hearing = Hearing(things).run()
    [gap] = hearing.told(AudioGap)
    assert gap.rows == pytest.approx(300, abs=LATE_ROWS)
    assert gap == AudioGap(1500 + gap.rows, gap.rows, "the card's buffer overran")
    assert [chunk.index for chunk in hearing.chunks[-4:]] == [1400, gap.index, gap.index + 100, gap.index + 200]
    counted = hearing.audio.audio_statistics()
    assert (counted.lost_rows, counted.overruns, counted.gaps) == (gap.rows, 1, 1)


def test_rows_that_are_missing_without_a_word_are_found_by_time() -> None:
    def things(hearing: Hearing) -> Iterator[float]:
        yield from at_real_pace(hearing, 25)
        yield 0.5
        yield from at_real_pace(hearing, 25)
        yield 0.01

    hearing = Hearing(things).run()
    [gap] = hearing.told(AudioGap)
    assert gap.rows == pytest.approx(500, abs=LATE_ROWS)
    assert gap.reason == "time went on without samples"
    assert gap.index - 3000 <= 2100  # found within a second or two


def test_blocks_that_come_late_are_no_loss_but_told_when_they_are_very_late() -> None:
    late = 0

    def things(hearing: Hearing) -> Iterator[float]:
        nonlocal late
        yield from at_real_pace(hearing, 25)
        while late < 20 or not hearing.told(AudioStalled):  # its thread may be slow to see it
            late += 1
            yield BLOCK / RATE_HZ
        for _ in range(late):
            hearing.stream.give(BLOCK)
        yield from at_real_pace(hearing, 25)
        yield 0.01

    hearing = Hearing(things).run()
    assert hearing.told(AudioGap) == []
    [stalled] = hearing.told(AudioStalled)
    assert 1.0 <= stalled.seconds <= late * BLOCK / RATE_HZ
    assert hearing.told(AudioLost) == []
    assert hearing.chunks[-1].end == (50 + late) * BLOCK


def test_a_card_that_hangs_is_opened_again_and_the_gap_counted() -> None:
    away_s = 0.0

    def things(hearing: Hearing) -> Iterator[float]:
        nonlocal away_s
        yield from at_real_pace(hearing, 20)
        assert hearing.audio.scheduler is not None
        away_s -= hearing.audio.scheduler.time()
        yield 4.5
        assert len(hearing.card.streams) == 1
        while len(hearing.card.streams) == 1:
            yield 0.1
        away_s += hearing.audio.scheduler.time()
        yield from at_real_pace(hearing, 5)
        yield 0.01

    hearing = Hearing(things).run()
    [lost] = hearing.told(AudioLost)
    assert "not moved" in lost.reason
    [gap] = hearing.told(AudioGap)
    assert gap == AudioGap(2000 + gap.rows, gap.rows, "the card was closed")
    assert gap.rows == pytest.approx(away_s * RATE_HZ, abs=LATE_ROWS)
    assert 5000 <= gap.rows <= 9000  # 5 s, a first try 0.1 s later, and what its thread takes, in real time
    assert [opened.times for opened in hearing.told(AudioOpened)] == [1, 2]


def test_a_card_that_dies_is_waited_for_and_opened_again() -> None:
    def things(hearing: Hearing) -> Iterator[float]:
        yield from at_real_pace(hearing, 20)
        hearing.card.refuse = [OSError(-9985, "Device unavailable") for _ in range(3)]
        hearing.stream.alive = False
        yield 4.0
        while len(hearing.card.streams) == 1:
            yield 0.1
        assert not hearing.card.refuse
        yield from at_real_pace(hearing, 5)
        yield 0.01

    hearing = Hearing(things).run()
    assert [type(message) for message in hearing.status.messages] == [
        AudioOpened, AudioLost, AudioUnavailable, AudioOpened, AudioGap,
    ]  # fmt: skip
    assert "fuser" in hearing.told(AudioUnavailable)[0].reason
    assert hearing.told(AudioGap)[0].rows >= 4000 - LATE_ROWS
    assert all(one.end <= two.index for one, two in zip(hearing.chunks, hearing.chunks[1:]))


def test_a_receiver_that_stalls_costs_counted_rows_and_the_rest_is_whole() -> None:
    class Late(Probe):
        def main(self) -> Any:
            self.configure_inbox("inbox", limit=2)
            yield self.sleep(20.0)
            yield from super().main()

    def things(hearing: Hearing) -> Iterator[float]:
        yield from at_real_pace(hearing, 250)
        yield 0.1

    hearing = Hearing(things, Late(), buffer_s=1.0).run()
    continuity = Continuity()
    for chunk in hearing.chunks:
        continuity.missing(chunk)
        assert (chunk.data[:, 0] >= 0).all()
    slow = [gap for gap in hearing.told(AudioGap) if "receivers" in gap.reason]
    assert 1 <= len(slow) <= 3  # one, and one more when its thread stands still for a second
    counted = hearing.audio.audio_statistics()
    assert continuity.lost == counted.lost_rows == sum(gap.rows for gap in hearing.told(AudioGap))
    assert counted.rows + sum(gap.rows for gap in slow) == 25000
    assert slow[0].rows > 15000


def test_it_opens_when_somebody_wants_it_and_closes_a_second_after_nobody_does() -> None:
    card = FakePortAudio()
    audio = AudioIn(sample_rate_hz=RATE_HZ, channels=1, portaudio=card)
    probe = Probe()
    unwanted: list[bool] = []
    seen: list[tuple[str, int, bool, bool]] = []

    def note(when: str) -> None:
        seen.append((when, len(card.streams), bool(card.streams) and card.streams[-1].alive, audio.wanted))

    class Wiring(Component):
        def main(self) -> Any:
            yield self.sleep(1.0)
            note("nobody")
            link = self.link((audio, "outbox"), (probe, "inbox"))
            while not card.streams:  # opened and closed by a thread, which on a busy machine may take long
                yield self.sleep(0.1)
            note("wanted")
            self.unlink(link)
            yield self.sleep(0.9)
            note("lingers")
            yield self.sleep(0.3)
            unwanted.append(audio.wanted)
            while card.streams[-1].alive:
                yield self.sleep(0.1)
            note("closed")
            self.link((audio, "outbox"), (probe, "inbox"))
            while len(card.streams) == 1:
                yield self.sleep(0.1)
            note("again")

    wiring = Wiring()
    wiring.link((wiring, "outbox"), (audio, "inbox"))
    run_virtual(wiring, audio, probe, until_s=600)
    assert unwanted == [False]
    assert seen == [
        ("nobody", 0, False, False), ("wanted", 1, True, True), ("lingers", 1, True, True),
        ("closed", 1, False, False), ("again", 2, True, True),
    ]  # fmt: skip
    assert card.instances == 0


def test_the_demo_plays_a_tune_at_real_pace() -> None:
    probe = Probe()
    audio = AudioIn("demo", sample_rate_hz=8000.0, block_rows=800, format="float32", buffer_s=60.0)
    run_virtual(Pipeline(audio, probe), until_s=35.0)
    # The thread's own work is real time, which may hold up the blocks of seconds; but that does not add up.
    late_s = np.array(probe.times_s[:300]) - 0.1 * np.arange(300)
    assert late_s[-100:].min() == pytest.approx(late_s[:100].min(), abs=0.3)
    heard = np.concatenate([chunk.data for chunk in probe.messages[:30]])
    assert np.array_equal(heard, demo_music(8000, 2)[:24000])
    assert 0.2 < np.abs(heard).max() < 1.0


def test_the_demos_tune_has_no_click_where_it_begins_again() -> None:
    tune = demo_music(44100, 2)
    steps = np.abs(np.diff(np.concatenate([tune[-2000:], tune[:2000]]), axis=0))
    assert steps.max() <= np.abs(np.diff(tune, axis=0)).max()


# -- playing


def info_of(dtype: str = "int16", channels: int = 1, **more: Any) -> StreamInfo:
    return StreamInfo(kind="analog", dtype=np.dtype(dtype), shape=(channels,), sample_rate_hz=RATE_HZ, **more)


def counting(rows: int, info: StreamInfo, index: int = 0) -> Chunk:
    data = np.repeat(np.arange(index, index + rows)[:, np.newaxis], info.channels, axis=1)
    return Chunk(data.astype(info.dtype), info, index)


class Playing:
    """An AudioOut on a fake card that takes BLOCK rows each 0.1 s, fed with items."""

    def __init__(self, items: list[Any], **options: Any) -> None:
        self.card = options.pop("card", None) or FakePortAudio()
        self.status = Probe()
        self.items: Iterable[Any] = items
        self.audio = AudioOut(block_rows=BLOCK, portaudio=self.card, **options)
        self.status_at_end: list[Any] = []

    def run(self, until_s: float = 100.0) -> Playing:
        card, audio = self.card, self.audio

        class Clockwork(Component):
            service = True

            def main(self) -> Any:
                while True:
                    yield self.sleep(BLOCK / RATE_HZ)
                    for stream in card.streams:
                        if stream.alive:
                            stream.ask(BLOCK)

        run_virtual(
            Graphline(FEED=Feeder(self.items), OUT=audio, ST=self.status, links="FEED -> OUT; OUT.status -> ST"),
            Clockwork(),
            until_s=until_s,
        )
        assert card.instances == 0
        assert all(not stream.alive for stream in card.streams)
        return self

    def played(self, stream: int = 0, dtype: str = "<i2") -> list[Any]:
        one = self.card.streams[stream]
        return np.frombuffer(b"".join(one.played), dtype).reshape(-1, one.options["channels"]).tolist()


def without_silence(rows: list[list[int]]) -> list[list[int]]:
    return [row for row in rows if any(row)]


@pytest.mark.parametrize("buffer_s", [0.25, 10.0])
def test_what_comes_is_played_to_its_end_bit_for_bit(buffer_s: float) -> None:
    info = info_of(channels=2)
    playing = Playing([counting(130, info, 1 + k * 130) for k in range(10)], buffer_s=buffer_s).run()
    assert without_silence(playing.played()) == [[n, n] for n in range(1, 1301)]
    options = playing.card.streams[0].options
    assert (options["rate"], options["channels"], options["format"], options["output"]) == (RATE_HZ, 2, 8, True)
    counted = playing.audio.audio_statistics()
    assert counted.rows == 1300
    if buffer_s > 1:  # it has all before it begins; else its thread may be late, in real time, and so is what it plays
        assert (counted.underruns, counted.underrun_rows) == (0, 0)
        assert playing.status.messages == [AudioOpened("0: built-in (2 in, 2 out)", 1)]


def test_its_feeder_is_held_to_the_cards_pace() -> None:
    probe = Probe(forward=True)
    info = info_of()
    audio = AudioOut("demo", block_rows=10, buffer_s=0.2)
    took_s = run_virtual(
        Pipeline(
            Tone(50.0, sample_rate_hz=RATE_HZ, rows=3000, chunk_rows=50, paced=False),
            probe,
            audio.configure_inbox(limit=1),
        )
    )
    assert 2.7 <= took_s <= 5.5  # what its thread takes to open and to close is real time
    assert probe.times_s[-1] > 2.0
    assert audio.audio_statistics().rows == 3000
    assert info.sample_rate_hz == RATE_HZ


def test_nothing_to_play_is_silence_that_is_counted_and_told() -> None:
    info = info_of()

    def items() -> Iterator[Any]:
        yield counting(400, info, 1)
        while playing.audio.audio_statistics().rows < 400:  # its thread, which opens the card, may be late
            yield PAUSE(0.1)
        yield PAUSE(2.0)
        yield counting(300, info, 401)  # less than it begins with: it is played once the end has come, too

    playing = Playing([], buffer_s=0.7)
    playing.items = items()
    playing.run()
    played = playing.played()
    assert without_silence(played) == [[n] for n in range(1, 701)]
    counted = playing.audio.audio_statistics()
    assert counted.underruns == 1
    assert counted.underrun_rows == played.index([401]) - played.index([400]) - 1
    assert counted.underrun_rows >= 1800
    [told] = [message for message in playing.status.messages if isinstance(message, AudioUnderrun)]
    assert told.times == 1


def test_a_buffer_smaller_than_the_cards_blocks_still_plays() -> None:
    playing = Playing([counting(70, info_of(), 1 + k * 70) for k in range(5)], buffer_s=0.01).run()
    assert without_silence(playing.played()) == [[n] for n in range(1, 351)]


def test_underruns_that_the_card_tells_of_are_counted() -> None:
    card = FakePortAudio()

    class Underrunning(FakeStream):
        def ask(self, rows: int, status: int = 0) -> np.ndarray:
            return super().ask(rows, 4 if len(self.played) in (3, 5) else 0)

    card.open = lambda **options: card.streams.append(Underrunning(options)) or card.streams[-1]  # type: ignore[method-assign, func-returns-value]
    # It has all before it begins, so that there is no underrun of its own.
    playing = Playing([counting(1000, info_of(), 1)], card=card, buffer_s=10.0).run()
    assert playing.audio.audio_statistics().underruns == 2


def test_a_card_that_dies_while_it_plays_is_opened_again_and_goes_on() -> None:
    card = FakePortAudio()

    class Dying(FakeStream):
        def ask(self, rows: int, status: int = 0) -> np.ndarray:
            data = super().ask(rows, status)
            if len(self.played) == 5 and self is card.streams[0]:
                card.refuse = [OSError(-9993, "Illegal combination of I/O devices")] * 2
                self.alive = False
            return data

    def open_stream(**options: Any) -> FakeStream:
        if card.refuse:
            raise card.refuse.pop()
        card.streams.append(Dying(options))
        return card.streams[-1]

    card.open = open_stream  # type: ignore[method-assign]
    playing = Playing([counting(100, info_of(), 1 + k * 100) for k in range(20)], card=card).run()
    # Its thread may be late, in real time, so that there is nothing to play for a while.
    kinds = [type(message) for message in playing.status.messages if not isinstance(message, AudioUnderrun)]
    assert kinds == [AudioOpened, AudioLost, AudioUnavailable, AudioOpened]
    played = without_silence(playing.played(0) + playing.played(1))
    assert played == [[n] for n in range(1, 2001)]


def test_another_stream_is_played_after_the_first_has_ended() -> None:
    items = [counting(200, info_of(), 1), counting(200, info_of("float32", 2).replace(sample_rate_hz=500), 0)]
    playing = Playing(items).run()
    assert [stream.options["rate"] for stream in playing.card.streams] == [RATE_HZ, 500]
    assert without_silence(playing.played(0)) == [[n] for n in range(1, 201)]
    assert playing.card.streams[1].options["format"] == 1


def test_lost_rows_of_the_stream_are_counted() -> None:
    playing = Playing([counting(100, info_of(), 0), counting(100, info_of(), 150)]).run()
    counted = playing.audio.audio_statistics()
    assert (counted.lost_rows, counted.gaps, counted.rows) == (50, 1, 200)


def test_the_wrong_rate_is_refused_at_wiring_and_at_the_first_chunk() -> None:
    with pytest.raises(WiringError, match="sample rate 44100 Hz, wanted 48000 Hz"):
        Pipeline(Tone(440.0), AudioOut("demo", sample_rate_hz=48000))
    with pytest.raises(ComponentError, match="wanted 48000 Hz"):
        Playing([counting(100, info_of())], sample_rate_hz=48000).run()


def test_a_producer_may_stand_in_the_devices_place() -> None:
    tone = Tone(440.0, rows=10)
    audio = AudioOut(tone, portaudio=FakePortAudio())
    assert audio.device is None
    assert [linkage.sink for linkages in [tone.wires().from_out.values()] for linkage in linkages] == [audio]


def test_more_channels_than_the_stream_has_are_refused_unless_it_has_one() -> None:
    playing = Playing([counting(200, info_of(), 1)], channels=2).run()
    assert without_silence(playing.played()) == [[n, n] for n in range(1, 201)]
    with pytest.raises(ComponentError, match="ChannelSelect"):
        Playing([counting(200, info_of(channels=3), 1)], channels=2).run()


# -- cards that cannot be opened


def nothing(*_arguments: Any) -> Any:
    return None, 0


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(-9997, "Invalid sample rate"), "Invalid sample rate; choose another sample_rate_hz"),
        (OSError(-9998, "Invalid number of channels"), "choose fewer channels"),
        (OSError("Device unavailable", -9985), "Device unavailable; end the program that uses it"),
        (OSError(-9999, "Unanticipated host error"), "Unanticipated host error; `axonlike devices`"),
        (ValueError("Invalid format"), "Invalid format; `axonlike devices`"),
    ],
)  # fmt: skip
def test_a_card_that_cannot_be_opened_is_one_sentence_with_what_to_do(error: OSError, remedy: str) -> None:
    card = FakePortAudio()
    card.refuse = [error]
    with pytest.raises(DeviceError) as raised:
        SoundCard(
            card, "in", None, sample_rate_hz=96000, channels=8, format="int32", block_rows=10, callback=nothing
        )  # fmt: skip
    assert str(raised.value).startswith(
        "sound card 0: built-in (2 in, 2 out) cannot be opened for 8 channels of int32 at"
    )
    assert remedy in str(raised.value)
    assert card.instances == 0


def test_the_first_failure_ends_the_component() -> None:
    card = FakePortAudio()
    card.refuse = [OSError(-9985, "Device unavailable")]
    with pytest.raises(ComponentError) as raised:
        Hearing(lambda _hearing: iter([1.0]), card=card).run()
    assert isinstance(raised.value.cause, DeviceError)


def test_a_card_is_found_by_its_number_or_a_part_of_its_name() -> None:
    def chosen(direction: Any, device: Any, *names: str) -> int:
        card = FakePortAudio(*names)
        opened = SoundCard(
            card, direction, device, sample_rate_hz=RATE_HZ, channels=None, format="int16", block_rows=10,
            callback=nothing,
        )  # fmt: skip
        opened.close()
        assert card.streams[0].options["channels"] == opened.channels
        return opened.device.index

    assert chosen("in", None) == 0
    assert chosen("in", "mic") == 1
    assert chosen("in", "usb") == 1  # the speaker has no input
    assert chosen("out", "usb") == 2
    assert chosen("in", 1) == 1
    assert chosen("in", "mic", "mic 2", "mic") == 1  # the whole name
    with pytest.raises(DeviceError, match="2 sound cards have 'mic' in their names, name one of them: 0: mic 1"):
        chosen("in", "mic", "mic 1", "mic 2")
    with pytest.raises(DeviceError, match="no sound card 'webcam' with an input; name one of these: 0: built-in"):
        chosen("in", "webcam")
    with pytest.raises(DeviceError, match="there is no sound card 2 with an input"):
        chosen("in", 2)


def test_a_machine_without_cards_is_told_what_to_do() -> None:
    card = FakePortAudio()
    card.names.clear()
    with pytest.raises(DeviceError, match=r'no sound card with an output.*device="demo" needs none'):
        SoundCard(
            card, "out", None, sample_rate_hz=RATE_HZ, channels=None, format="int16", block_rows=10,
            callback=nothing,
        )  # fmt: skip
    assert list_audio_devices(card) == ()


def test_the_list_of_cards_says_what_each_can_do() -> None:
    first, mic, _speaker = list_audio_devices(FakePortAudio())
    assert str(mic) == "1: USB mic (1 in, 0 out)"
    assert (first.host_api, first.default_input, first.default_output, mic.default_input) == ("ALSA", True, True, False)


def test_a_sound_system_that_is_down_is_told() -> None:
    def broken() -> Any:
        raise OSError(-9999, "Unanticipated host error")

    with pytest.raises(DeviceError, match="cannot be asked: Unanticipated host error; does it run"):
        list_audio_devices(broken)


def test_without_pyaudio_the_component_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pyaudio":
            raise ImportError(name)
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for make in (AudioIn, AudioOut):
        with pytest.raises(MissingExtra, match=r"axonlike\[audio\].*portaudio19-dev"):
            make()
        make("demo")


@pytest.mark.parametrize(
    "make",
    [
        lambda: AudioIn("demo", format="int8"),  # type: ignore[arg-type]
        lambda: AudioIn("demo", channels=0),
        lambda: AudioIn("demo", sample_rate_hz=0.0),
        lambda: AudioIn("demo", sample_rate_hz=44100.5),
        lambda: AudioIn("demo", block_rows=0),
        lambda: AudioIn("demo", stall_s=0.0),
        lambda: AudioIn(1.5),  # type: ignore[arg-type]
        lambda: AudioOut("demo", buffer_s=0.0),
        lambda: AudioOut("demo", format="int24"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_both_conform(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    check_component(lambda: AudioIn("demo", sample_rate_hz=8000.0), ends=False)
    info = info_of(channels=2)
    check_component(lambda: AudioOut("demo", block_rows=BLOCK), messages=[counting(50, info, k * 50) for k in range(5)])


def test_it_stops_while_its_receivers_are_full() -> None:
    audio = AudioIn("demo", sample_rate_hz=8000.0, block_rows=80, buffer_s=0.5)
    run_virtual(Pipeline(audio, Stalled()), until_s=5.0)
    assert audio.ended
