"""Pictures of the displays of signals, on data that look real: `python docs/pictures/make_signals.py [NAME...]`.

Each function feeds a display with what an amplifier, a radio or a camera would give, in virtual time, and saves what
the window then shows under docs/pictures/. No screen is needed. `main(names)` is for another script to call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "docs" / "pictures"), str(ROOT)]
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import pygame  # noqa: E402
from palette import save_small  # noqa: E402

from axonlike import Component  # noqa: E402
from axonlike.components.ui import Display  # noqa: E402
from axonlike.components.ui.colormaps import colormap  # noqa: E402
from axonlike.components.ui.image_view import ImageView  # noqa: E402
from axonlike.components.ui.instrument import Instrument  # noqa: E402
from axonlike.components.ui.scope import Scope  # noqa: E402
from axonlike.components.ui.spectrum_view import SpectrumView  # noqa: E402
from axonlike.components.ui.timefreq_view import TimeFreqView  # noqa: E402
from axonlike.components.ui.triggered_scope import TriggeredScope  # noqa: E402
from axonlike.components.ui.waterfall import Waterfall  # noqa: E402
from axonlike.linkage import Box  # noqa: E402
from axonlike.streams.chunk import EVENT, Axis, Chunk, StreamInfo  # noqa: E402
from axonlike.testing import run_virtual  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
Doubles = npt.NDArray[np.float64]

EEG_CHANNELS = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P3", "Pz", "P4", "Oz",
)  # fmt: skip


# -- data


def pink(rows: int, columns: int, random: np.random.Generator, *, slope: float = 1.0) -> Doubles:
    """Noise whose power falls with frequency as brain signals' does, unit variance, shape (rows, columns)."""
    spectrum = np.fft.rfft(random.standard_normal((rows, columns)), axis=0)
    frequency = np.fft.rfftfreq(rows)
    frequency[0] = frequency[1]
    noise = np.fft.irfft(spectrum / np.maximum(frequency, 4 / rows)[:, np.newaxis] ** (slope / 2), rows, axis=0)
    scaled: Doubles = noise / noise.std(axis=0)
    return scaled


def eeg(seconds: float, rate_hz: float, *, seed: int = 4) -> Doubles:
    """µV of 16 electrodes: background, an alpha rhythm that is strongest at the back and comes in spindles, blinks at
    the front, a little mains hum."""
    random = np.random.default_rng(seed)
    rows = round(seconds * rate_hz)
    t = np.arange(rows) / rate_hz
    back = np.array([0.1, 0.1, 0.15, 0.2, 0.25, 0.2, 0.15, 0.3, 0.4, 0.5, 0.4, 0.3, 0.8, 1.0, 0.85, 1.25])
    front = np.array([1, 0.95, 0.35, 0.4, 0.45, 0.4, 0.35, 0.05, 0.1, 0.12, 0.1, 0.05, 0, 0, 0, 0])
    shared = pink(rows, 1, random, slope=1.6)
    uv = 6.5 * pink(rows, 16, random, slope=1.3) + 5 * shared + 2.2 * random.standard_normal((rows, 16))
    spindle = np.clip(0.55 + 0.6 * pink(rows, 1, random, slope=2.4)[:, 0], 0, None)
    phase = 2 * np.pi * np.cumsum(10.1 + 0.35 * pink(rows, 1, random, slope=2.0)[:, 0]) / rate_hz
    lag = np.linspace(0.6, 0, 16)
    uv += 17 * spindle[:, np.newaxis] * back * np.sin(phase[:, np.newaxis] + lag)
    for start in np.arange(1.3, seconds, 3.4) + random.uniform(-0.4, 0.4, len(np.arange(1.3, seconds, 3.4))):
        uv += 85 * np.exp(-(((t - start) / 0.09) ** 2))[:, np.newaxis] * front
        uv -= 18 * np.exp(-(((t - start - 0.28) / 0.13) ** 2))[:, np.newaxis] * front
    uv += 0.8 * np.sin(2 * np.pi * 50 * t)[:, np.newaxis]
    return uv


def radio(frames: int, points: int, *, seed: int = 7) -> Doubles:
    """dBm of a band 20 MHz wide around 2.45 GHz, (frames, points): noise, a carrier, WiFi in bursts, a Bluetooth that
    hops, a cordless phone, a tone that drifts."""
    random = np.random.default_rng(seed)
    x = np.linspace(-10, 10, points, endpoint=False)  # MHz from the middle
    power = np.empty((frames, points))
    floor = 10 ** (-9.95 + 0.12 * np.cos(x / 10 * np.pi / 2))  # mW in a bin: the filter's slope at the edges
    ofdm = 10 ** (-7.3 - 4 * np.clip((np.abs(x - 4.2) - 2.05) / 0.7, 0, 1) + 0.05 * np.sin(3 * x))
    wide = 10 ** (-8.05 - 4 * np.clip((np.abs(x + 1.9) - 0.9) / 0.35, 0, 1))
    busy, hop, left = False, 0.0, 0
    for k in range(frames):
        if left == 0:
            busy, left = not busy, int(random.exponential(9)) + 2
            hop = random.uniform(-9.5, 9.5)
        left -= 1
        drift = -6.3 + 0.7 * np.sin(k / 260) + 0.12 * np.sin(k / 37)
        p = floor.copy()
        if busy:
            p += ofdm * random.uniform(0.75, 1.25)
        p += wide * (0.9 + 0.1 * np.sin(k / 9))
        tones = ((-8.02, -4.6, 0.022), (drift, -6.35, 0.03), (0.52, -7.5, 0.02), (8.75, -6.9, 0.02))
        for centre, level, width in tones:
            p += 10 ** (level - np.minimum(((x - centre) / width) ** 2 / 2.2, 7))
        if k % 5 == 0:
            p += 10 ** (-7.2 - np.minimum(((x - hop) / 0.32) ** 2, 7))
        power[k] = p * random.exponential(1.0, points) ** 0.9
    levels: Doubles = 10 * np.log10(power) + 0.0
    return levels


# -- the run


class Feed(Component):
    """Sends chunks at the times at which a device would, as (seconds, box, chunk)."""

    Outboxes = {"outbox": Box("chunks", Chunk), "events": Box("events", Chunk)}

    def __init__(self, messages: Iterable[tuple[float, str, Any]]) -> None:
        self._messages = messages

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(0.2)
        now_s = 0.0
        for at_s, box, message in self._messages:
            if at_s > now_s:
                yield self.sleep(at_s - now_s)
                now_s = at_s
            self.send(message, box)


class Shoot(Component):
    """Saves the window when the feeds are done, and ends the run."""

    def __init__(self, display: Display, path: Path, acts: Iterable[tuple[float, Callable[[], object]]]) -> None:
        self._display, self._path, self._acts = display, path, acts

    def main(self) -> Generator[Any, Any, None]:
        for wait_s, act in self._acts:
            yield self.sleep(wait_s)
            act()
        yield self.sleep(0.2)
        self._display.save_picture(self._path)
        assert self.scheduler is not None
        self.scheduler.stop("the picture is made")


def shoot(
    name: str,
    size: tuple[int, int],
    parts: Iterable[tuple[Instrument, Iterable[tuple[float, str, Any]]]],
    *acts: tuple[float, Callable[[], object]],
    until_s: float,
) -> None:
    """Run the displays with their feeds until then (in virtual seconds), then save docs/pictures/NAME.png."""
    display = Display(size, name)
    path = PICTURES / f"{name}.png"
    made: list[Component] = []
    for view, messages in parts:
        feed = Feed(messages)
        for box in view.BOXES:
            feed.link((feed, "outbox" if box == "inbox" else box), (view, box))
        made += [feed, view]
    run_virtual(display, *made, Shoot(display, path, [*acts, (until_s, lambda: None)]))
    save_small(pygame.image.load(path), path)
    print(f"{path.relative_to(ROOT)}  {size[0]} x {size[1]}  {path.stat().st_size / 1000:.0f} kB")


def cut(rows: npt.NDArray[Any], info: StreamInfo, per_chunk: int, *, index: int = 0) -> list[tuple[float, str, Chunk]]:
    """Chunks of so many rows, at the times of their last ones."""
    return [
        ((at + per_chunk) / info.sample_rate_hz, "outbox", Chunk(rows[at : at + per_chunk], info, index + at))
        for at in range(0, len(rows), per_chunk)
    ]


# -- the pictures


def scope() -> None:
    """An EEG, scanned."""
    rate_hz = 500.0
    info = StreamInfo(
        kind="analog", dtype=np.dtype("f4"), shape=(16,), sample_rate_hz=rate_hz, units="µV",
        channel_names=EEG_CHANNELS, name="EEG",
    )  # fmt: skip
    rows = eeg(16.3, rate_hz).astype(np.float32)
    shoot("scope", (1280, 800), [(Scope(span_s=10.0, gain=1.2), cut(rows, info, 20))], until_s=16.6)


def radio_info(points: int, rate_hz: float, name: str = "WSA4000") -> StreamInfo:
    """Of the spectra that `radio` makes."""
    width_hz = 20e6
    return StreamInfo(
        kind="spectrum", dtype=np.dtype("f4"), shape=(points,), sample_rate_hz=rate_hz, units="dBm", name=name,
        axis=Axis("frequency", "Hz", 2.45e9 - width_hz / 2, width_hz / points),
        facts={"enbw_bins": 1.5, "center_frequency_hz": 2.45e9},
    )  # fmt: skip


def spectrum() -> None:
    """A radio band with holds, average, markers and a measured channel."""
    points, rate_hz = 2048, 300.0
    info = radio_info(points, rate_hz)
    view = SpectrumView(peak_hold=True, channel=(2.4517e9, 2.4567e9))
    frames = radio(900, points).astype(np.float32)
    acts = [(2.4, view.marker_to_peak), (0.02, view.toggle_delta), (0.02, lambda: view.change(marker=2.45875e9))]
    shoot("spectrum", (1280, 640), [(view, cut(frames, info, 5))], *acts, until_s=1.0)


def scope_sound() -> None:
    """Speech-like sound on two channels, scrolling, with a gap; the lines of a digital port below."""
    rate_hz, rows = 20_000.0, 80_000
    random = np.random.default_rng(3)
    t = np.arange(rows) / rate_hz
    syllables = np.clip(np.sin(2 * np.pi * 2.7 * t + 2 * np.sin(2 * np.pi * 0.31 * t)), 0, None) ** 1.5
    pitch = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.8 * t)) / rate_hz
    voice = np.sum([np.sin(n * pitch + n) / n**1.1 for n in range(1, 12)], axis=0) * syllables
    sound = np.stack([0.22 * voice, 0.12 * np.roll(voice, 90)], axis=1) + 0.008 * random.standard_normal((rows, 2))
    info = StreamInfo(
        kind="analog", dtype=np.dtype("f4"), shape=(2,), sample_rate_hz=rate_hz, units="V", name="Microphones",
        channel_names=("left", "right"),
    )  # fmt: skip
    lines = StreamInfo(kind="digital", dtype=np.dtype("u1"), shape=(1,), sample_rate_hz=rate_hz, name="Trigger port")
    counter = (np.arange(rows) // 900).astype(np.uint8)
    gate = (syllables > 0.3).astype(np.uint8) << 7
    bits = ((counter & 0x0F) | gate | ((counter & 0x12 == 0x12).astype(np.uint8) << 5))[:, np.newaxis]
    chunks = [message for message in cut(sound.astype(np.float32), info, 200) if not 2.62 < message[0] <= 2.75]
    shoot(
        "scope_sound", (1280, 720),
        [
            (Scope(span_s=2.0, mode="scroll", scale="real"), chunks),
            (Scope(span_s=2.0, mode="scroll", height=250), cut(bits, lines, 200)),
        ],
        until_s=4.3,
    )  # fmt: skip


def triggered_scope() -> None:
    """Spikes at three electrodes, cut around a trigger."""
    rate_hz, seconds = 20_000.0, 8.0
    random = np.random.default_rng(11)
    rows = round(rate_hz * seconds)
    uv = 7 * random.standard_normal((rows, 3)) + 4 * pink(rows, 3, random)
    at = np.sort(random.choice(np.arange(600, rows - 900), 60, replace=False))
    t_ms = np.arange(-20, 50) / rate_hz * 1e3
    shape = -np.exp(-((t_ms / 0.16) ** 2)) + 0.38 * np.exp(-(((t_ms - 0.5) / 0.33) ** 2))
    for sample in at:
        height = random.normal(1.0, 0.09)
        for channel, high in enumerate((120, 68, 38)):
            uv[sample - 20 : sample + 50, channel] += high * height * shape
    info = StreamInfo(
        kind="analog", dtype=np.dtype("f4"), shape=(3,), sample_rate_hz=rate_hz, units="µV", name="Tetrode",
        channel_names=("e1", "e2", "e3"),
    )  # fmt: skip
    events = StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=rate_hz, name="spikes")
    found = np.array([(sample, 0, -60.0) for sample in at], EVENT)
    messages: list[tuple[float, str, Chunk]] = list(cut(uv.astype(np.float32), info, 400))
    for n, sample in enumerate(at.tolist()):
        messages.append(((sample + 9) / rate_hz, "events", Chunk(found[n : n + 1], events, n)))
    view = TriggeredScope(window_s=(-0.001, 0.003), stack_size=50, mean=True, gain=0.7)
    shoot("triggered_scope", (1280, 760), [(view, sorted(messages, key=lambda m: m[0]))], until_s=8.4)


def waterfall() -> None:
    """A band as a spectrum and as a waterfall."""
    points, rate_hz = 2048, 60.0
    info = radio_info(points, rate_hz)
    frames = radio(960, points).astype(np.float32)
    shoot(
        "waterfall", (1280, 900),
        [
            (SpectrumView(height=330, average=True, averages=60), cut(frames, info, 2)),
            (Waterfall(span_s=15.0, title="Last 15 seconds"), cut(frames, info, 2)),
        ],
        until_s=16.2,
    )  # fmt: skip


def timefreq() -> None:
    """Wavelet maps of four channels: a chirp, bursts, an alpha rhythm, sweeps."""
    from scipy.signal import fftconvolve

    rate_hz, seconds = 250.0, 9.0
    random = np.random.default_rng(5)
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    chirp = np.sin(2 * np.pi * (8 * t + (72 - 8) / (2 * seconds) * t**2))
    places = ((0.8, 30), (2.1, 55), (3.2, 20), (4.3, 70), (5.6, 40), (6.4, 62), (7.1, 25), (8.1, 50))
    bursts = np.sum([np.exp(-(((t - at) / 0.16) ** 2)) * np.sin(2 * np.pi * f * t) for at, f in places], axis=0)
    wander = 0.7 * np.sin(2 * np.pi * 0.4 * t)
    alpha = (0.4 + 0.6 * np.sin(2 * np.pi * 0.21 * t) ** 2) * np.sin(2 * np.pi * 10.3 * t + wander)
    alpha += 0.35 * np.sin(2 * np.pi * np.cumsum(46 + 6 * np.sin(2 * np.pi * 0.5 * t)) / rate_hz)
    sweeps = np.sin(2 * np.pi * np.cumsum(22 + 14 * np.sin(2 * np.pi * 0.33 * t)) / rate_hz)
    signals = np.stack([chirp, bursts, alpha, sweeps + 0.5 * np.sin(2 * np.pi * (78 * t - 3.2 * t**2))], axis=1)
    signals += 0.28 * pink(len(t), 4, random)
    frequencies = np.arange(3.0, 90.0, 1.5)
    maps = np.empty((len(t), 4, len(frequencies)), np.float32)
    for number, f in enumerate(frequencies):
        s = 2.5 / f * rate_hz
        lag = np.arange(-int(5 * s), int(5 * s) + 1)
        wavelet = np.exp(2j * np.pi * 2.5 * lag / s) * np.exp(-((lag / s) ** 2) / 2) / s
        for channel in range(4):
            whole = fftconvolve(signals[:, channel], wavelet, mode="full")
            maps[:, channel, number] = np.abs(whole[len(lag) // 2 :][: len(t)])
    info = StreamInfo(
        kind="map", dtype=np.dtype("f4"), shape=(4, len(frequencies)), sample_rate_hz=rate_hz, name="Wavelet transform",
        channel_names=("chirp", "bursts", "alpha", "sweeps"), axis=Axis("frequency", "Hz", 3.0, 1.5),
    )  # fmt: skip
    shoot("timefreq", (1280, 760), [(TimeFreqView(span_s=8.0), cut(maps, info, 5))], until_s=9.4)


def videos() -> None:
    """Four videos in a grid: what cameras at a microscope, a wave tank, a warm circuit board and a telescope see."""
    height, width, frames = 270, 480, 6
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    random = np.random.default_rng(8)

    def rgb(red: Doubles, green: Doubles, blue: Doubles) -> npt.NDArray[np.uint8]:
        picture = np.stack([red, green, blue], axis=-1) + random.normal(0, 3, (height, width, 1))
        bounded: npt.NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
        return bounded

    walls, nuclei = np.zeros((height, width)), np.zeros((height, width))
    for _ in range(34):
        cx, cy, r = random.uniform(0, width), random.uniform(0, height), random.uniform(14, 30)
        angle, squeeze = random.uniform(0, np.pi), random.uniform(0.6, 1)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (-(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)) / squeeze
        d = np.hypot(u, v)
        walls += 120 * np.exp(-(((d - r) / 4) ** 2)) + 38 / (1 + np.exp((d - r) / 3))
        nuclei += 170 / (1 + np.exp((d - r * 0.36) / 1.6))
    microscope = rgb(8 + 0.18 * nuclei, 12 + walls, 22 + 0.3 * walls + nuclei)

    stars = np.zeros((height, width))
    for _ in range(260):
        cx, cy, bright = random.uniform(0, width), random.uniform(0, height), random.exponential(50)
        stars += bright * 3 * np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / (0.5 + bright / 120)))
    clouds = 0.75 + 0.25 * np.sin(x / 31) * np.sin(y / 23 + x / 67)
    haze = 60 * np.exp(-(((y - 0.45 * x - 20) / 70) ** 2)) * clouds
    sky = rgb(10 + stars + 0.9 * haze, 12 + stars + 0.75 * haze, 26 + stars + 1.1 * haze)

    near, far = np.hypot(x - 170, y - 130), np.hypot(x - 330, y - 150)
    waves = np.sin(near / 5.2) / (1 + near / 130) + np.sin(far / 5.2) / (1 + far / 130)
    tank = rgb(30 + 30 * waves, 82 + 52 * waves, 120 + 68 * waves)

    heat = 30 * np.exp(-(((x - 240) / 190) ** 2 + ((y - 140) / 110) ** 2))
    for cx, cy, warm, r in ((150, 90, 150, 26), (318, 170, 215, 34), (238, 88, 90, 18), (96, 200, 70, 22)):
        heat += warm * np.exp(-(np.maximum(abs(x - cx) / r, abs(y - cy) / (r * 0.7)) ** 4))
    board = colormap("inferno")[np.clip(heat + random.normal(0, 2, heat.shape), 0, 255).astype(np.uint8)]

    messages: list[tuple[float, str, Chunk]] = []
    for name, picture in (("microscope", microscope), ("wave tank", tank), ("circuit board", board), ("sky", sky)):
        info = StreamInfo(kind="video", dtype=np.dtype("u1"), shape=picture.shape, sample_rate_hz=25.0, name=name)
        messages += [((n + 1) / 25, "outbox", Chunk(picture[np.newaxis], info, n)) for n in range(frames)]
    shoot("videos", (1280, 780), [(ImageView(title="Cameras"), sorted(messages, key=lambda m: m[0]))], until_s=0.8)


def spectrum_keys() -> None:
    """What the key ? shows."""
    info = radio_info(1024, 100.0)
    view = SpectrumView()
    feed = cut(radio(60, 1024).astype(np.float32), info, 5)
    shoot("spectrum_keys", (1280, 640), [(view, feed)], (0.9, view.toggle_keys), until_s=0.3)


MAKERS: dict[str, Callable[[], None]] = {
    "scope": scope,
    "scope_sound": scope_sound,
    "triggered_scope": triggered_scope,
    "spectrum": spectrum,
    "spectrum_keys": spectrum_keys,
    "waterfall": waterfall,
    "timefreq": timefreq,
    "videos": videos,
}


def main(names: Iterable[str] = ()) -> None:
    """Make the pictures that are named, or all."""
    for name in list(names) or MAKERS:
        if name not in MAKERS:
            raise SystemExit(f"no picture {name!r}; there are: {', '.join(MAKERS)}")
        MAKERS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
