"""How strong is each frequency, at each moment: the magnitude of a Morlet wavelet transform, without an end.

The formulas are pyacq's. The wavelet of frequency f, at t samples from its middle, is

    s = f0 / f * sample rate        w(t) = exp(2i pi f0 t/s) * exp(-(t/s)^2 / 2) * s^-(1 + normalisation)

and the map the magnitude of the signal correlated with it: for a unit sine of frequency f and normalisation 0 it is
sqrt(2 pi)/2 in the row of f, and that times exp(-(2 pi f0 (f/f' - 1))^2 / 2) in the row of f'.

Blocks of the signal are transformed at once, each as much longer than what it gives as the longest wavelet reaches, so
nothing of a block's end shows at its beginning (overlap-save). What is kept of the result is one row every so many
samples; folding the spectrum gives just these (the carrier's aliases have the same magnitude), so no filter has to
stand before, and none of its ripple is in the map.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import fft

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, positive, real
from axonlike.components.dsp.samples import RowTimes, engineering
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["MorletBank", "TimeFreq", "morlet"]

_NEGLIGIBLE = 1e-14


def morlet(
    frequency_hz: float, sample_rate_hz: float, half: int, *, f0: float = 2.5, normalisation: float = 0.0
) -> npt.NDArray[np.complex128]:
    """The wavelet, shape (2 * half + 1,), its middle at `half`."""
    scale = f0 / frequency_hz * sample_rate_hz
    t = np.arange(-half, half + 1) / scale
    wavelet: npt.NDArray[np.complex128] = np.exp(2j * np.pi * f0 * t - t**2 / 2) * scale ** -(1.0 + normalisation)
    return wavelet


class MorletBank:
    """The wavelets of several frequencies, ready to be applied to blocks of `step * rows + 2 * half` samples.

    step: one row of the map every so many samples. rows: at least so many a block. reach: how many standard deviations
    of each wavelet are taken on either side. half: how many samples the longest one reaches on either side; a multiple
    of step, as is a block's length.
    """

    def __init__(
        self,
        frequencies_hz: npt.ArrayLike,
        sample_rate_hz: float,
        *,
        step: int = 1,
        rows: int = 1,
        f0: float = 2.5,
        normalisation: float = 0.0,
        reach: float = 6.0,
    ) -> None:
        frequencies = np.asarray(frequencies_hz, np.float64)
        halves = np.ceil(reach * f0 / frequencies * sample_rate_hz).astype(np.int64)
        self.step = step
        self.half = -(-int(halves.max()) // step) * step
        self.places = fft.next_fast_len(rows + 2 * self.half // step)
        self.rows = self.places - 2 * self.half // step
        self.samples = self.places * step
        # Of each frequency: which bins of a block's spectrum fold onto which places, and with what weights.
        self._bands: list[list[tuple[slice, slice, npt.NDArray[np.complex128]]]] = []
        for frequency, half in zip(frequencies, halves.tolist()):
            kernel = np.zeros(self.samples, np.complex128)
            wavelet = morlet(frequency, sample_rate_hz, half, f0=f0, normalisation=normalisation)
            kernel[: half + 1] = wavelet[half:]
            kernel[self.samples - half :] = wavelet[:half]
            spectrum = np.conj(fft.fft(kernel))
            size = np.abs(spectrum)
            # A band of the circle of frequencies; outside of it there is nothing but rounding.
            bins = np.flatnonzero(size > _NEGLIGIBLE * size.max())
            edges = np.searchsorted(bins, np.arange(step + 1) * self.places).tolist()
            band = []
            for turn, (first, end) in enumerate(zip(edges, edges[1:])):
                if first < end:
                    start, stop, aside = int(bins[first]), int(bins[end - 1]) + 1, turn * self.places
                    weights = spectrum[start:stop, None] / step
                    band.append((slice(start, stop), slice(start - aside, stop - aside), weights))
            self._bands.append(band)

    def map(self, block: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The map of a block, shape (samples, channels), but for its first and last `half` samples, which are what
        stands around: one row every `step` samples, shape (rows, channels, frequencies)."""
        spectrum = fft.fft(block, axis=0)
        channels = block.shape[1]
        result: npt.NDArray[np.float64] = np.empty((self.rows, channels, len(self._bands)))
        first = self.half // self.step
        for place, band in enumerate(self._bands):
            aliased = np.zeros((self.places, channels), np.complex128)
            for bins, folded, weights in band:
                aliased[folded] += spectrum[bins] * weights
            values = fft.ifft(aliased, axis=0, overwrite_x=True)[first : first + self.rows]
            result[:, :, place] = np.abs(values)
        return result


def _three_frequencies(value: Any) -> tuple[float, float, float]:
    """The lowest, the highest, the step; a message may bring a list."""
    first, last, step = (positive(number) for number in value)
    if first > last:
        raise ValueError("the lowest, the highest and the step between")
    return first, last, step


def _positive_or_none(value: Any) -> float | None:
    return None if value is None else positive(value)


class TimeFreq(Block):
    """A map of each channel: rows in time, and in each a value for every frequency.

    frequencies_hz: the lowest, the highest, the step between them. f0: cycles of a wavelet within one of its standard
    deviations: more make it finer in frequency and coarser in time. normalisation: with 0 a sine is as large at each
    frequency, with -0.5 white noise is. rows_per_s: about so many rows of the map a second (there is a whole number of
    samples between two); None: as many as the highest frequency. A row is the map at its moment, no mean of several.
    update_s: the map comes in blocks of at least so long; larger ones are less work. reach: how many standard
    deviations of a wavelet are taken on either side; with 6 what is cut off is 2e-9 of it, with 3 a quarter of a
    percent.

    Sends kind "map", float32, rows of shape (channels, frequencies), the axis being the frequencies. Row k is the map
    at the sample with index k * step, and has k for index, so a gap shows. A row leaves up to `delay_s` after its
    sample: the lowest frequency's wavelet reaches reach * f0 / f into the future (5 s for 3 Hz). What precedes the
    stream and what follows it counts as zero; so does a value that is not finite, and `not_finite` counts these. A
    changed setting ends the map as the end of the stream would, and begins another.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="analog"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("maps", Chunk, stream=StreamType(kind="map", dtype="float32"), required=True)
    }
    settings: ClassVar[tuple[str, ...]] = ("frequencies_hz", "f0", "normalisation", "rows_per_s", "reach")

    frequencies_hz = Checked(_three_frequencies)
    f0 = Checked(positive)
    normalisation = Checked(real)
    rows_per_s = Checked(_positive_or_none)
    reach = Checked(positive)

    def __init__(
        self,
        *producers: Component,
        frequencies_hz: tuple[float, float, float] = (3.0, 90.0, 3.0),
        f0: float = 2.5,
        normalisation: float = 0.0,
        rows_per_s: float | None = None,
        update_s: float = 0.25,
        reach: float = 6.0,
    ) -> None:
        if not 0 < update_s < float("inf"):
            raise UsageError(f"TimeFreq: update_s is a positive time, not {update_s!r}")
        self.not_finite = 0
        self._update_s = update_s
        self.info = None
        self.frequencies_hz = frequencies_hz
        self.f0 = f0
        self.normalisation = normalisation
        self.rows_per_s = rows_per_s
        self.reach = reach
        self._used: tuple[Any, ...] = ()  # the settings that the bank was made with
        self._bank: MorletBank
        self._out: StreamInfo
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting has changed: does it go with the stream?"""
        if self.info is not None:
            self._check(self.info)

    @property
    def delay_s(self) -> float:
        """How long after its sample a row may leave; 0 before a stream has begun."""
        if self.info is None:
            return 0.0
        return float(self._bank.half + self._bank.rows * self._bank.step) / self.info.sample_rate_hz

    # -- the work

    def _check(self, info: StreamInfo) -> None:
        if not self.frequencies_hz[1] < info.sample_rate_hz / 2:
            raise UsageError(
                f"{self.path}: a map up to {self.frequencies_hz[1]:g} Hz needs more than twice as many samples a "
                f"second; the stream has {info.sample_rate_hz:g} Hz"
            )

    def _wanted(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.settings)

    def begin(self, info: StreamInfo) -> None:
        if len(info.shape) != 1:
            raise StreamMismatch(f"{self.path}: rows have shape {info.shape}; it takes rows of channels")
        self._check(info)
        if self.info != info or self._used != self._wanted():
            self._make_bank(info)
        self._block = np.zeros((self._bank.samples, info.channels))
        self._filled = 0
        self._row: int | None = None  # the number of the first row that the block will give
        self._times = RowTimes()

    def _make_bank(self, info: StreamInfo) -> None:
        rate_hz, (first, last, gap) = info.sample_rate_hz, self.frequencies_hz
        frequencies = first + gap * np.arange(int((last - first) / gap + 1e-9) + 1)
        step = max(1, round(rate_hz / (self.rows_per_s or last)))
        self._bank = MorletBank(
            frequencies,
            rate_hz,
            step=step,
            rows=max(1, round(self._update_s * rate_hz / step)),
            f0=self.f0,
            normalisation=self.normalisation,
            reach=self.reach,
        )
        self._used = self._wanted()
        self._out = info.replace(
            kind="map",
            dtype=np.dtype(np.float32),
            shape=(info.channels, len(frequencies)),
            sample_rate_hz=rate_hz / step,
            axis=Axis("frequency", "Hz", first, gap),
            scale=None,
            offset=None,
            facts={**info.facts, "f0": self.f0, "normalisation": self.normalisation},
        )

    def process(self, chunk: Chunk) -> list[Chunk]:
        results: list[Chunk] = []
        if self._used != self._wanted():
            results += self.flush()
            self.begin(chunk.info)
        bank = self._bank
        if self._row is None:
            # Rows stand at whole multiples of step. The block begins `half` before the first; zeros precede the stream.
            self._row = -(-chunk.index // bank.step)
            self._filled = chunk.index - (self._row * bank.step - bank.half)  # not negative: half is a step or more
        self._times.note(chunk)
        data = engineering(chunk.data, chunk.info)
        finite = np.isfinite(data)
        if not finite.all():
            self.not_finite += int(finite.size - finite.sum())
            data = np.where(finite, data, 0.0)
        start = 0
        while start < len(data):
            stop = min(len(data), start + bank.samples - self._filled)
            self._block[self._filled : self._filled + stop - start] = data[start:stop]
            self._filled += stop - start
            start = stop
            if self._filled == bank.samples:
                results.append(self._release(bank.rows))
        return results

    def flush(self) -> list[Chunk]:
        bank, results = self._bank, []
        # The rows up to the last sample, with zeros behind it.
        while (rows := -(-(self._filled - bank.half) // bank.step)) > 0:
            self._block[self._filled :] = 0.0
            results.append(self._release(min(rows, bank.rows)))
        return results

    def _release(self, rows: int) -> Chunk:
        assert self._row is not None
        bank = self._bank
        values = bank.map(self._block)[:rows].astype(np.float32)
        result = Chunk(values, self._out, self._row, self._times.of(self._row * bank.step))
        gone = bank.rows * bank.step
        self._block[:-gone] = self._block[gone:].copy()
        self._filled -= gone
        self._row += bank.rows
        return result
