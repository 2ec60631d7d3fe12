"""Sound cards through PortAudio: which there are, opening one, and a card that is not there.

PyAudio is imported when a card is opened or asked for. What can be handed in in its place, for tests, is anything that
makes an object with the methods of `PortAudio`; its constants are PortAudio's (portaudio.h), so none are needed of it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from axonlike.errors import DeviceError, MissingExtra, UsageError

__all__ = [
    "AudioDevice",
    "COMPLETE",
    "CONTINUE",
    "Callback",
    "DemoPortAudio",
    "DemoStream",
    "FORMATS",
    "Format",
    "INPUT_OVERFLOW",
    "OUTPUT_UNDERFLOW",
    "PortAudio",
    "SoundCard",
    "check_format",
    "demo_music",
    "list_audio_devices",
    "pyaudio_or_missing",
]

Format = Literal["int16", "int32", "float32"]

# paInt16, paInt32, paFloat32 (portaudio.h), and what one step of it is worth.
FORMATS: dict[str, tuple[int, float | None]] = {"int16": (8, 2.0**-15), "int32": (2, 2.0**-31), "float32": (1, None)}
CONTINUE, COMPLETE = 0, 1
INPUT_OVERFLOW, OUTPUT_UNDERFLOW = 2, 4

# Error numbers of portaudio.h, with what can be done about them.
_REMEDIES = {
    -9997: "choose another sample_rate_hz (to play, put a Resample before it)",
    -9998: "choose fewer channels",
    -9994: "choose another format",
    -9985: "end the program that uses it (see: fuser -v /dev/snd/*)",
}

# Pa_Initialize, Pa_Terminate and Pa_OpenStream must not run at the same time in two threads (portaudio.h says of none
# of them that it may).
_ONE_AT_A_TIME = threading.Lock()

Callback = Callable[[bytes | None, int, Mapping[str, float], int], tuple[bytes | None, int]]
"""As PyAudio calls it, in a thread of PortAudio's: (data, frames, times, status) -> (data, CONTINUE or COMPLETE)."""


class Stream(Protocol):
    """What is used of pyaudio.Stream."""

    def is_active(self) -> bool: ...

    def close(self) -> None: ...


class PortAudio(Protocol):
    """What is used of pyaudio.PyAudio."""

    def get_device_count(self) -> int: ...

    def get_device_info_by_index(self, index: int, /) -> Mapping[str, Any]: ...

    def get_host_api_info_by_index(self, index: int, /) -> Mapping[str, Any]: ...

    def get_default_input_device_info(self) -> Mapping[str, Any]: ...

    def get_default_output_device_info(self) -> Mapping[str, Any]: ...

    def open(self, **options: Any) -> Any: ...

    def terminate(self) -> None: ...


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """A sound card, or what passes for one, as PortAudio knows it."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_sample_rate_hz: float
    default_input: bool = False
    default_output: bool = False

    def __str__(self) -> str:
        return f"{self.index}: {self.name} ({self.input_channels} in, {self.output_channels} out)"


def pyaudio_or_missing(component: str) -> Callable[[], PortAudio]:
    """``pyaudio.PyAudio``. Raises MissingExtra."""
    try:
        import pyaudio
    except ImportError as exc:
        raise MissingExtra(component, "PyAudio", "audio", apt="portaudio19-dev python3-dev gcc") from exc
    make: Callable[[], PortAudio] = pyaudio.PyAudio
    return make


def list_audio_devices(portaudio: Callable[[], PortAudio] | None = None) -> tuple[AudioDevice, ...]:
    """All sound cards that there are now. Raises MissingExtra without PyAudio, DeviceError if none can be asked."""
    make = portaudio or pyaudio_or_missing("list_audio_devices")
    with _ONE_AT_A_TIME:
        try:
            audio = make()
            try:
                return _devices(audio)
            finally:
                audio.terminate()
        except OSError as exc:
            raise DeviceError(f"the sound system cannot be asked: {_said(exc)}; does it run?") from exc


def _devices(audio: PortAudio) -> tuple[AudioDevice, ...]:
    defaults: list[int] = []
    for ask in (audio.get_default_input_device_info, audio.get_default_output_device_info):
        try:
            defaults.append(int(ask()["index"]))
        except OSError:
            defaults.append(-1)  # there is none
    found = []
    for index in range(audio.get_device_count()):
        card = audio.get_device_info_by_index(index)
        api = audio.get_host_api_info_by_index(int(card["hostApi"]))
        ins, outs, rate_hz = card["maxInputChannels"], card["maxOutputChannels"], card["defaultSampleRate"]
        is_default = [index == default for default in defaults]
        found.append(
            AudioDevice(index, str(card["name"]), str(api["name"]), int(ins), int(outs), float(rate_hz), *is_default)
        )
    return tuple(found)


class SoundCard:
    """One stream of a sound card, open. Raises DeviceError, with what to do, if it cannot be.

    direction: "in" or "out". device: its number, a part of its name, or None for the system's default. channels: None
    for as many as it has, two at most. callback: called in a thread of PortAudio's.
    """

    def __init__(
        self,
        make: Callable[[], PortAudio],
        direction: Literal["in", "out"],
        device: int | str | None,
        *,
        sample_rate_hz: float,
        channels: int | None,
        format: Format,
        block_rows: int,
        callback: Callback,
    ) -> None:
        with _ONE_AT_A_TIME:
            # A new one each time: PortAudio looks for cards only when it is begun.
            try:
                self._audio = make()
            except OSError as exc:
                raise DeviceError(f"the sound system cannot be asked: {_said(exc)}; does it run?") from exc
            try:
                self.device = _chosen(_devices(self._audio), direction, device)
                most = self.device.input_channels if direction == "in" else self.device.output_channels
                self.channels = min(2, most) if channels is None else channels
                number, _ = FORMATS[format]
                self.stream: Stream = self._audio.open(
                    rate=round(sample_rate_hz),
                    channels=self.channels,
                    format=number,
                    frames_per_buffer=block_rows,
                    stream_callback=callback,
                    **({"input": True, "input_device_index": self.device.index} if direction == "in" else {}),
                    **({"output": True, "output_device_index": self.device.index} if direction == "out" else {}),
                )
            except (OSError, ValueError) as exc:
                self._audio.terminate()
                remedy = next((_REMEDIES[fact] for fact in exc.args if fact in _REMEDIES), None)
                remedy = remedy or "`axonlike devices` lists the sound cards that there are"
                raise DeviceError(
                    f"sound card {self.device} cannot be opened for {self.channels} channels of {format} at "
                    f"{sample_rate_hz:g} Hz: {_said(exc)}; {remedy}"
                ) from exc
            except BaseException:
                self._audio.terminate()
                raise

    @property
    def demo(self) -> DemoStream | None:
        """The stream, if it is one that `turn` has to be called of."""
        return self.stream if isinstance(self.stream, DemoStream) else None

    def close(self) -> None:
        """Stop and close it. May block for as long as the sound system hangs."""
        # PortAudio refuses to close what has died on its own: then there is nothing to close.
        with contextlib.suppress(OSError):
            self.stream.close()
        with _ONE_AT_A_TIME, contextlib.suppress(OSError):
            self._audio.terminate()


def _chosen(devices: tuple[AudioDevice, ...], direction: str, device: int | str | None) -> AudioDevice:
    usable = [card for card in devices if (card.input_channels if direction == "in" else card.output_channels)]
    what = "input" if direction == "in" else "output"
    listed = "; ".join(map(str, usable)) or "none"
    if device is None:
        for card in usable:
            if card.default_input if direction == "in" else card.default_output:
                return card
        if usable:
            return usable[0]
        raise DeviceError(
            f"there is no sound card with an {what} on this machine (is it plugged in, does the sound server run?); "
            'device="demo" needs none'
        )
    if isinstance(device, int):
        fitting = [card for card in usable if card.index == device]
    else:
        fitting = [card for card in usable if device.casefold() in card.name.casefold()]
        exact = [card for card in fitting if card.name.casefold() == device.casefold()]
        fitting = exact[:1] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        several = "; ".join(map(str, fitting))
        raise DeviceError(f"{len(fitting)} sound cards have {device!r} in their names, name one of them: {several}")
    raise DeviceError(f"there is no sound card {device!r} with an {what}; name one of these: {listed}")


def _said(exc: BaseException) -> str:
    """PyAudio puts the text before PortAudio's number at times, and at times behind it."""
    return next((fact for fact in exc.args if isinstance(fact, str) and fact), type(exc).__name__)


def check_format(who: str, format: str) -> None:
    """Raises UsageError for what is no `Format`."""
    if format not in FORMATS:
        raise UsageError(f"{who}: format is one of {', '.join(FORMATS)}, not {format!r}")


# -- the card that is not there


class DemoPortAudio:
    """PortAudio with one card, which plays quiet music to those who listen, and swallows what is played, at real pace.

    It has no thread: the owner of a stream calls its `turn` when it is due.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int, /) -> Mapping[str, Any]:
        return {
            "index": 0, "name": "demo", "hostApi": 0, "maxInputChannels": 32, "maxOutputChannels": 32,
            "defaultSampleRate": 44100.0,
        }  # fmt: skip

    def get_host_api_info_by_index(self, index: int, /) -> Mapping[str, Any]:
        return {"name": "demo"}

    def get_default_input_device_info(self) -> Mapping[str, Any]:
        return self.get_device_info_by_index(0)

    def get_default_output_device_info(self) -> Mapping[str, Any]:
        return self.get_device_info_by_index(0)

    def open(self, **options: Any) -> DemoStream:
        rate = options["rate"]
        music: npt.NDArray[Any] | None = None
        if options.get("input"):
            music = demo_music(rate, options["channels"])
            dtype = next(name for name, (number, _) in FORMATS.items() if number == options["format"])
            if dtype != "float32":
                music = np.round(music * float(np.iinfo(dtype).max)).astype(dtype)
        return DemoStream(self._now_s(), rate, options["frames_per_buffer"], options["stream_callback"], music)

    def terminate(self) -> None:
        pass


class DemoStream:
    """A stream of the demo's card. music: what is heard, from the beginning again at its end; None for an output."""

    def __init__(
        self, now_s: float, rate: int, block_rows: int, callback: Callback, music: npt.NDArray[Any] | None
    ) -> None:
        self._start_s = now_s
        self._rate = rate
        self._block_rows = block_rows
        self._callback = callback
        self._music = music
        self._rows = 0
        self._active = True

    @property
    def due_s(self) -> float:
        """When `turn` is to be called."""
        return self._start_s + (self._rows + self._block_rows) / self._rate

    def turn(self, now_s: float) -> None:
        """Do all that is due: each block of music is handed over, or each that should have been played fetched."""
        while self._active and now_s >= self.due_s:
            data = None
            if self._music is not None:
                rows = np.arange(self._rows, self._rows + self._block_rows)
                data = np.take(self._music, rows, axis=0, mode="wrap").tobytes()
            self._rows += self._block_rows
            _, flag = self._callback(data, self._block_rows, {}, 0)
            self._active = flag == CONTINUE

    def is_active(self) -> bool:
        return self._active

    def close(self) -> None:
        self._active = False


_SCALE_HZ = (261.63, 293.66, 329.63, 392.0, 440.0, 523.25, 587.33, 659.26)  # pentatonic on C4: no two notes clash
_TUNE = (0, 3, 5, 7, 4, 5, 2, 3, 1, 4, 6, 5, 3, 2, 4, 0)
_NOTE_S = 0.4
_RING_S = 1.6


def demo_music(sample_rate_hz: int, channels: int) -> npt.NDArray[np.float32]:
    """A tune on bells that can be played again and again, 6.4 s long; shape (rows, channels), within -1 .. 1."""
    note_rows = round(_NOTE_S * sample_rate_hz)
    total = note_rows * len(_TUNE)
    t_s = np.arange(round(_RING_S * sample_rate_hz)) / sample_rate_hz
    # A bell's attack and decay, and the last 50 ms down to zero, so that nothing clicks.
    shape = np.minimum(1.0, t_s / 0.005) * np.exp(-t_s / 0.35) * np.clip((_RING_S - t_s) / 0.05, 0.0, 1.0)
    music = np.zeros((total, channels))
    for place, note in enumerate(_TUNE):
        hz = _SCALE_HZ[note]
        sound = shape * (np.sin(2 * np.pi * hz * t_s) + 0.25 * np.sin(2 * np.pi * 3 * hz * t_s) * np.exp(-t_s / 0.1))
        rows = np.arange(place * note_rows, place * note_rows + len(t_s)) % total
        for channel in range(channels):
            # The notes wander from side to side; a single channel has all of each.
            side = 1.0 if channels == 1 else 0.6 + 0.4 * np.cos(np.pi * (place / 4 + channel))
            music[rows, channel] += 0.22 * side * sound
    return music.astype(np.float32)
