"""From a radio's IQ to sound: shift the station to 0 Hz, keep its channel, demodulate, and bring it to an audio rate.

``AudioOut(FMDemodulate(WSA4000(host), station_hz=98.5e6))`` is a radio. The steps are plain classes that can be used
without a scheduler: `Oscillator`, `FmDiscriminator`, `AmDetector`, `Deemphasis`, and `Polyphase` for the rates.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.signal

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, positive, real
from axonlike.components.dsp.iq import check_iq, complex_samples, tuned_hz
from axonlike.components.dsp.resample import Polyphase, decimation_filter, ratio_of, resampling_filter
from axonlike.components.dsp.samples import RowTimes
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = [
    "AMDemodulate",
    "AmDetector",
    "Deemphasis",
    "FMDemodulate",
    "FmDiscriminator",
    "FrequencyShift",
    "Oscillator",
]

log = logging.getLogger("axonlike.demodulate")

Samples = npt.NDArray[np.complex64]
Audio = npt.NDArray[np.float32]


# -- the arithmetic


class Oscillator:
    """exp(2 pi j f n / fs), n the absolute index, so that gaps and cuts leave its phase alone.

    The phase is counted in 2^-64 of a turn, modulo a turn: exact for any index, and the frequency is right to
    fs / 2^64. Values are of float32's accuracy.
    """

    _LENGTH = 4096

    def __init__(self, frequency_hz: float, sample_rate_hz: float) -> None:
        self._step = round(Fraction(frequency_hz) / Fraction(sample_rate_hz) * 2**64)
        turns = (self._step * np.arange(self._LENGTH, dtype=object)) % 2**64
        self._table = np.exp(2j * np.pi / 2**64 * turns.astype(np.float64)).astype(np.complex64)

    def multiply(self, samples: Samples, index: int) -> None:
        """Multiply samples, shape (n,), the first one at `index`, in place."""
        for at in range(0, len(samples), self._LENGTH):
            turn = (self._step * (index + at)) % 2**64 / 2**64
            part = samples[at : at + self._LENGTH]
            part *= np.complex64(np.exp(2j * np.pi * turn))
            part *= self._table[: len(part)]


class FmDiscriminator:
    """The frequency of a complex signal, angle(z[n] * conj(z[n - 1])): +1.0 is +deviation_hz.

    process: complex64, shape (n,) -> float32, shape (n,). The last sample is kept, so cutting a signal into other
    chunks changes nothing; the first one gives 0. Noise reaches sample_rate_hz / (2 * deviation_hz). What it says is
    of the time half a sample earlier.
    """

    def __init__(self, deviation_hz: float, sample_rate_hz: float) -> None:
        self._gain = np.float32(sample_rate_hz / (2 * np.pi * deviation_hz))
        self._last = np.complex64(0)

    def process(self, samples: Samples) -> Audio:
        if not len(samples):
            return np.zeros(0, np.float32)
        before = np.empty_like(samples)
        before[0], before[1:] = self._last, samples[:-1]
        self._last = samples[-1]
        np.conjugate(before, out=before)
        before *= samples
        frequency: Audio = np.angle(before).astype(np.float32, copy=False)
        frequency *= self._gain
        return frequency


class AmDetector:
    """The modulation of a carrier, (|z| - c) / c: +-1.0 is 100 %, however strong the station is.

    c is the carrier's level: |z| behind a one-pole low-pass of time constant carrier_s, which begins at the first
    sample's. No carrier, no sound: 0. process: complex64, shape (n,) -> float32, shape (n,); state is kept.
    """

    def __init__(self, sample_rate_hz: float, carrier_s: float = 0.1) -> None:
        self._pole = float(np.exp(-1 / (carrier_s * sample_rate_hz)))
        self._state: npt.NDArray[np.float64] | None = None

    def process(self, samples: Samples) -> Audio:
        if not len(samples):
            return np.zeros(0, np.float32)
        level = np.abs(samples).astype(np.float64)
        if self._state is None:
            self._state = np.array([self._pole * level[0]])
        carrier, self._state = scipy.signal.lfilter([1 - self._pole], [1, -self._pole], level, zi=self._state)
        # A filter's memory never quite reaches 0; below the least float32 there is none.
        heard = carrier > np.finfo(np.float32).tiny
        return np.where(heard, level / np.where(heard, carrier, 1.0) - 1.0, 0.0).astype(np.float32)


class Deemphasis:
    """The low-pass that undoes a broadcast FM sender's pre-emphasis: one pole at 1 / (2 pi time_constant_s).

    By the bilinear transform with the corner kept in place: -3.01 dB at 3183 Hz for 50 us (Europe, Asia, Australia), at
    2122 Hz for 75 us (the Americas, Korea). process: float32, shape (n,) -> the same; state is kept.
    """

    def __init__(self, time_constant_s: float, sample_rate_hz: float) -> None:
        corner = np.tan(1 / (2 * time_constant_s * sample_rate_hz))
        self._b = np.array([corner, corner]) / (1 + corner)
        self._a = np.array([1.0, (corner - 1) / (corner + 1)])
        self._state = np.zeros(1)

    def process(self, audio: Audio) -> Audio:
        if not len(audio):  # lfilter of nothing forgets its state
            return audio
        filtered, self._state = scipy.signal.lfilter(self._b, self._a, audio.astype(np.float64), zi=self._state)
        result: Audio = filtered.astype(np.float32)
        return result


# -- the blocks


class FrequencyShift(Block):
    """An iq stream with another radio frequency at 0 Hz: complex64, in engineering units.

    station_hz: what comes to 0 Hz, a frequency on the radio's scale (center_frequency_hz and frequency_shift_hz of the
    facts; without them it counts from the middle of the band). Afterwards the facts have it as the center. Setting:
    station_hz.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="iq"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("shifted samples", Chunk, required=True, stream=StreamType(kind="iq", dtype="complex64"))
    }
    settings = ("station_hz",)
    station_hz = Checked(real)

    def __init__(self, *producers: Component, station_hz: float) -> None:
        self._stale = True
        self.station_hz = station_hz
        super().__init__(*producers)

    def renew(self) -> None:
        """The station was changed: the next chunk is the first of the new one."""
        self._stale = True

    def begin(self, info: StreamInfo) -> None:
        self._stale = False
        check_iq(info, self.path)
        if not info.sample_rate_hz:
            raise StreamMismatch(f"{self.path}: the stream {info.name or 'without a name'} has no sample rate")
        self._oscillator = Oscillator(tuned_hz(info) - self.station_hz, info.sample_rate_hz)
        facts = {**info.facts, "center_frequency_hz": self.station_hz, "frequency_shift_hz": 0.0}
        facts.pop("usable_bandwidth_hz", None)  # it is not around the middle any more
        self._result = info.replace(
            dtype=np.complex64, shape=(), channel_names=(), scale=None, offset=None, facts=facts
        )  # fmt: skip

    def process(self, chunk: Chunk) -> Chunk:
        if self._stale:
            self.begin(chunk.info)
        samples = complex_samples(chunk.data, chunk.info)
        self._oscillator.multiply(samples, chunk.index)
        return chunk.with_data(samples, self._result)


class _Demodulate(Block):
    """What FM and AM have in common: all but the detector."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="iq"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("sound, one channel", Chunk, required=True, stream=StreamType("analog", "float32", 1))
    }
    settings: ClassVar[tuple[str, ...]] = ("station_hz", "bandwidth_hz", "volume")
    station_hz = Checked[float | None](lambda value: None if value is None else real(value))
    bandwidth_hz = Checked(positive)
    volume = Checked[float](lambda value: 0.0 if value == 0 else positive(value), renews=False)

    def __init__(
        self, *producers: Component, station_hz: float | None, bandwidth_hz: float, audio_rate_hz: float, volume: float
    ) -> None:
        self.unheard = 0
        self._begun: StreamInfo | None = None
        self._stale = True
        self._fresh = True
        self._out_of_band = False
        self.station_hz = station_hz
        self.bandwidth_hz = bandwidth_hz
        self.volume = volume
        if not 1000 <= audio_rate_hz <= 1e6:
            raise UsageError(f"{self.path}: audio_rate_hz is between 1000 and 1e6, not {audio_rate_hz!r}")
        self.audio_rate_hz = float(audio_rate_hz)
        super().__init__(*producers)
        self.specify("outbox", stream=StreamType("analog", "float32", 1, sample_rate_hz=self.audio_rate_hz, units="FS"))

    def renew(self) -> None:
        """A setting was changed: begin anew with the next chunk."""
        self._stale = True

    def _begin_detector(self, sample_rate_hz: float) -> None:
        raise NotImplementedError

    def _detect(self, samples: Samples) -> Audio:
        raise NotImplementedError

    def begin(self, info: StreamInfo) -> None:
        self._fresh = True
        if info is not self._begun or self._stale:
            self._plan(info)

    def _plan(self, info: StreamInfo) -> None:
        check_iq(info, self.path)
        rate_hz = info.sample_rate_hz
        if rate_hz < self.bandwidth_hz:
            raise StreamMismatch(
                f"{self.path}: a channel of {self.bandwidth_hz:g} Hz does not fit into the band of {rate_hz:g} Hz of "
                f"{info.name or 'this stream'}; lower the radio's decimation, or bandwidth_hz"
            )
        station_hz = tuned_hz(info) if self.station_hz is None else self.station_hz
        off_hz = tuned_hz(info) - station_hz
        self._out_of_band = abs(off_hz) > (rate_hz - self.bandwidth_hz) / 2
        if self._out_of_band:
            log.warning(
                "%s: no sound: the station at %g Hz is not in the band of %g Hz around %g Hz; tune the radio",
                self.path, station_hz, rate_hz, tuned_hz(info),
            )  # fmt: skip
        factor, ratio = self._rates(rate_hz)
        self._begun, self._stale = info, False
        self._oscillator = Oscillator(off_hz, rate_hz) if off_hz else None
        self._channel_hz = rate_hz / factor
        # Without its edges: half of a filter full of zeros would be a thump in the sound.
        self._channel = Polyphase(1, factor, decimation_filter(factor), edges=False)
        up, down = ratio.numerator, ratio.denominator
        self._audio = Polyphase(up, down, np.ones(1) if up == down else resampling_filter(up, down))
        self._times = RowTimes()
        facts = {"station_hz": station_hz}
        if "source" in info.facts:
            facts["source"] = info.facts["source"]
        self._result = StreamInfo(
            kind="analog", dtype=np.dtype(np.float32), shape=(1,), sample_rate_hz=self.audio_rate_hz, units="FS",
            channel_names=("audio",), name=info.name, clock=info.clock, facts=facts,
        )  # fmt: skip

    def _rates(self, rate_hz: float) -> tuple[int, Fraction]:
        """By how much to decimate for the channel, and what is left to do to come to the audio rate."""
        # The channel is what comes through evenly, 0.8 of the band that decimation leaves. Somewhat less decimation may
        # make for a simpler ratio.
        most = max(1, int(0.8 * rate_hz / self.bandwidth_hz))
        found: list[tuple[int, int, Fraction]] = []
        for factor in range(most, max(0, most - max(most // 4, 10)), -1):
            try:
                ratio = ratio_of(self.audio_rate_hz, rate_hz / factor)
            except UsageError as exc:
                refusal = exc
            else:
                found.append((max(ratio.numerator, ratio.denominator), -factor, ratio))
        if not found:
            raise UsageError(f"{self.path}: audio_rate_hz: {refusal}")
        _, minus, ratio = min(found)
        return -minus, ratio

    def process(self, chunk: Chunk) -> list[Chunk]:
        results: list[Chunk] = []
        if self._stale:
            results = self.flush()
            self.begin(chunk.info)
        if self._fresh:
            self._fresh = False
            self._channel.begin(chunk.index)
            self._audio.begin(self._channel.next)
            self._audio.next = max(self._audio.next, results[-1].end if results else 0)
            self._begin_detector(self._channel_hz)
            self._times = RowTimes()
        if self._out_of_band:
            self.unheard += len(chunk)
            return results
        self._times.note(chunk)
        samples = complex_samples(chunk.data, chunk.info)
        if self._oscillator is not None:
            self._oscillator.multiply(samples, chunk.index)
        index = self._audio.next
        sound = self._audio.process(self._detect(self._channel.process(samples)))
        return results + self._chunk(sound, index)

    def flush(self) -> list[Chunk]:
        if self._begun is None or self._fresh:
            return []
        self._fresh = True
        index = self._audio.next
        sound = self._audio.finish()
        return [] if sound is None else self._chunk(sound, index)

    def _chunk(self, sound: npt.NDArray[Any], index: int) -> list[Chunk]:
        if not len(sound):
            return []
        assert self._begun is not None
        row = index * self._audio.down * self._channel.down // self._audio.up
        data = (sound * np.float32(self.volume))[:, None]
        return [Chunk(data, self._result, index, self._times.of(row))]


class FMDemodulate(_Demodulate):
    """Frequency modulation to sound: analog, float32, one channel at audio_rate_hz; +-1.0 is +-deviation_hz.

    Takes iq of any rate from bandwidth_hz up, integers or complex. station_hz: where the station is on the radio's
    scale (None: in the middle of the band); a change is heard at the next chunk. While it is outside of the band there
    is no sound, a warning, and `unheard` counts the samples. bandwidth_hz: of its channel.
    deemphasis_s: 50e-6 or 75e-6 for broadcasts, None for voice radio. Louder noise than +-1.0 is not cut off here.
    Narrow-band voice: ``deviation_hz=2500, bandwidth_hz=12.5e3, deemphasis_s=None``. Settings: station_hz,
    bandwidth_hz, deviation_hz, deemphasis_s, volume.

    The index is absolute: row n belongs to the time of IQ sample n * sample_rate_hz / audio_rate_hz, however the stream
    was cut (it is late by half a sample of the channel: 2 us, 32 us for narrow bands). Behind a gap it begins anew, and
    the gap shows in the index.
    """

    settings: ClassVar[tuple[str, ...]] = ("station_hz", "bandwidth_hz", "volume", "deviation_hz", "deemphasis_s")
    deviation_hz = Checked(positive)
    deemphasis_s = Checked[float | None](lambda value: None if value is None else positive(value))

    def __init__(
        self,
        *producers: Component,
        station_hz: float | None = None,
        deviation_hz: float = 75e3,
        bandwidth_hz: float = 180e3,
        deemphasis_s: float | None = 50e-6,
        audio_rate_hz: float = 48000.0,
        volume: float = 1.0,
    ) -> None:
        self.deviation_hz = deviation_hz
        self.deemphasis_s = deemphasis_s
        super().__init__(
            *producers, station_hz=station_hz, bandwidth_hz=bandwidth_hz, audio_rate_hz=audio_rate_hz, volume=volume
        )

    def _begin_detector(self, sample_rate_hz: float) -> None:
        self._discriminator = FmDiscriminator(self.deviation_hz, sample_rate_hz)
        self._deemphasis = None if self.deemphasis_s is None else Deemphasis(self.deemphasis_s, sample_rate_hz)

    def _detect(self, samples: Samples) -> Audio:
        audio = self._discriminator.process(samples)
        return audio if self._deemphasis is None else self._deemphasis.process(audio)


class AMDemodulate(_Demodulate):
    """Amplitude modulation to sound: analog, float32, one channel at audio_rate_hz; +-1.0 is 100 % modulation.

    The carrier's level sets the gain (see `AmDetector`), so strong and weak stations are equally loud. carrier_s: how
    fast it follows. Otherwise as `FMDemodulate`. Settings: station_hz, bandwidth_hz, volume, carrier_s.
    """

    settings: ClassVar[tuple[str, ...]] = ("station_hz", "bandwidth_hz", "volume", "carrier_s")
    carrier_s = Checked(positive)

    def __init__(
        self,
        *producers: Component,
        station_hz: float | None = None,
        bandwidth_hz: float = 9e3,
        carrier_s: float = 0.1,
        audio_rate_hz: float = 48000.0,
        volume: float = 1.0,
    ) -> None:
        self.carrier_s = carrier_s
        super().__init__(
            *producers, station_hz=station_hz, bandwidth_hz=bandwidth_hz, audio_rate_hz=audio_rate_hz, volume=volume
        )

    def _begin_detector(self, sample_rate_hz: float) -> None:
        self._detector = AmDetector(sample_rate_hz, self.carrier_s)

    def _detect(self, samples: Samples) -> Audio:
        return self._detector.process(samples)
