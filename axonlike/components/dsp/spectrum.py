"""Power spectra of IQ samples and of real signals. The arithmetic is in functions of arrays; `FFT` cuts the stream.

Levels. A window w of N points weighs the samples; the transform is divided by a gain:

* ``"coherent"``: by sum(w). A tone of amplitude a in the middle of a bin has the power a^2 there (full scale is 1).
* ``"pyrf"``: by N, as pyrf 2.8, ThinkRF's own library, does. A Hann window's coherent loss stays in: the tone reads
  a^2 ((N - 1) / (2 N))^2, or 6.02 dB less. The radio's 15.7678 dB (`axonlike.components.dsp.calibrate`) were found
  with this in place, so the level of such a tone in dBm, with the reference level R, is
  20 log10(a) + 20 log10((N - 1) / (2 N)) + R + 15.7678; a full-scale tone reads R + 9.747.

numpy.hanning(N) sums to (N - 1) / 2: that is where the (N - 1) / (2 N) comes from.

IQ correction. With the means taken away, let Si = sum(i^2), Sq = sum(q^2), Siq = sum(i q). A mixer whose branches
differ in gain and are not at right angles shows as Si != Sq and Siq != 0, and puts an image of each signal at the
mirrored frequency. With r = sqrt(Si / Sq) and rho = Siq / sqrt(Si Sq), q' = (r q - rho i) / sqrt(1 - rho^2) has the
power of i and is at right angles to it. That is pyrf's formula (it says sin(phi) = -rho). i stays, and so the level.
It is found from each frame alone: two strong stations at mirrored frequencies are taken for a bad mixer, and may read
a decibel wrong in a short frame. `FFT(iq_correct=False)` is for radios without that fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import scipy.fft

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, flag, one_of, whole
from axonlike.components.dsp.iq import check_iq, complex_samples, tuned_hz
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = [
    "FFT",
    "coherent_gain",
    "correct_iq",
    "enbw_bins",
    "iq_power",
    "mask_dc",
    "real_power",
    "taper",
    "usable_bins",
]

Float = npt.NDArray[np.floating[Any]]
Complex = npt.NDArray[np.complexfloating[Any, Any]]
Dc = Literal["mask", "mean"]

_BATCH = 65536
"""Samples transformed at once: 0.5 MB of complex64, so that what the steps hand on stays in a core's cache."""

_NO_QUADRATURE = 1e-6
"""Where q has less than this part of i's power (or the other way round) there is nothing to be corrected: it is an
I-only signal, and pyrf's formula would blow up what is left of q, or give NaN."""


_OF_NUMPY: dict[str, Callable[[int], npt.NDArray[Any]]] = {
    "bartlett": np.bartlett,
    "blackman": np.blackman,
    "boxcar": np.ones,
    "hamming": np.hamming,
    "hann": np.hanning,
}
"""The usual windows: to import scipy.signal takes longer than all else that a program with a spectrum imports."""


# -- the arithmetic


def taper(window: str | tuple[Any, ...], points: int) -> npt.NDArray[np.float64]:
    """A window of `scipy.signal.get_window` by name, symmetric as pyrf's is (``"hann"`` is numpy.hanning(points))."""
    if isinstance(window, str) and window in _OF_NUMPY:
        return np.asarray(_OF_NUMPY[window](points), np.float64)
    import scipy.signal

    return np.asarray(scipy.signal.get_window(window, points, fftbins=False), np.float64)


def coherent_gain(window: Float) -> float:
    """mean(w): what a tone's amplitude is multiplied by."""
    return float(np.mean(window))


def enbw_bins(window: Float) -> float:
    """Equivalent noise bandwidth in bins, N sum(w^2) / sum(w)^2: 1.5 N / (N - 1) for Hann."""
    return float(len(window) * np.sum(np.square(window)) / np.sum(window) ** 2)


def correct_iq(frames: Complex) -> None:
    """Give each frame's q the power of its i and take out of it what is i (see above), in place.

    frames: shape (frames, points), without a mean. A frame with no q, or with q in phase with i, stays as it is.
    """
    energy = np.sum(np.square(frames.real) + np.square(frames.imag), axis=-1, dtype=frames.real.dtype)
    squares = np.sum(np.square(frames), axis=-1)  # of z: Si - Sq + 2j Siq
    energy64, squares64 = energy.astype(np.float64), squares.astype(np.complex128)
    of_i, of_q, of_both = (energy64 + squares64.real) / 2, (energy64 - squares64.real) / 2, squares64.imag / 2
    sound = (of_q > _NO_QUADRATURE * of_i) & (of_i > _NO_QUADRATURE * of_q)
    of_i, of_q = np.where(sound, of_i, 1.0), np.where(sound, of_q, 1.0)
    rho = of_both / np.sqrt(of_i * of_q)
    sound &= np.abs(rho) < 1 - _NO_QUADRATURE
    rho = np.where(sound, rho, 0.0)
    turn = 1 / np.sqrt(1 - rho * rho)
    real = frames.real.dtype.type
    q = frames.imag
    q *= np.where(sound, np.sqrt(of_i / of_q) * turn, 1.0).astype(real)[:, None]
    q -= frames.real * (rho * turn).astype(real)[:, None]


def iq_power(
    frames: Complex,
    weights: Float,
    *,
    iq_correct: bool = True,
    dc: Dc | None = "mask",
    inverted: bool = False,
    workers: int = 1,
    out: Float | None = None,
) -> Float:
    """Power of each frequency from -fs/2 rising; 0 Hz is at place N // 2.

    frames: shape (frames, N), written to. weights: the window divided by its gain, shape (N,), of the real dtype that
    belongs to the frames'. dc: "mean" takes each frame's mean away, "mask" also puts the geometric mean of its
    neighbours (as pyrf: their mean in dB) in the place of 0 Hz. inverted: the band came mirrored; 0 Hz stays where it
    is. Returns shape (frames, N), in `out` if that is given.
    """
    if dc is not None or iq_correct:
        mean = np.add.reduce(frames, axis=-1, keepdims=True) / weights.dtype.type(frames.shape[-1])
        frames -= mean
        if iq_correct:
            correct_iq(frames)
        if dc is None:
            frames += mean
    if inverted:
        np.conjugate(frames, out=frames)
    frames *= weights
    transformed = scipy.fft.fft(frames, axis=-1, overwrite_x=True, workers=workers)
    points = frames.shape[-1]
    power = np.empty(frames.shape, weights.dtype) if out is None else out
    positive = (points + 1) // 2  # how many bins are not below 0 Hz
    _squared(transformed[:, :positive], power[:, points - positive :])
    _squared(transformed[:, positive:], power[:, : points - positive])
    if dc == "mask":
        mask_dc(power)
    return power


def mask_dc(power: Float) -> None:
    """Put the geometric mean of its neighbours at 0 Hz, in place; shape (..., bins), 0 Hz at bins // 2."""
    bins = power.shape[-1]
    if bins > 2:
        power[..., bins // 2] = np.sqrt(power[..., bins // 2 - 1]) * np.sqrt(power[..., bins // 2 + 1])


def real_power(frames: Float, weights: Float, *, fold: float, take_mean: bool = True, workers: int = 1) -> Float:
    """Power of each frequency from 0 to fs/2 of real frames, shape (..., N), written to; returns (..., N // 2 + 1).

    fold: what stands for the negative frequencies: 2 adds their power, so that a tone of amplitude a gives a^2 / 2,
    its mean square; 4 adds their amplitude, so that it gives a^2. 0 Hz and fs/2 have none and are not multiplied.
    """
    if take_mean:
        frames -= frames.mean(axis=-1, keepdims=True)
    frames *= weights
    transformed = scipy.fft.rfft(frames, axis=-1, overwrite_x=True, workers=workers)
    power = np.empty(transformed.shape, weights.dtype)
    _squared(transformed, power)
    power[..., 1 : (frames.shape[-1] + 1) // 2] *= weights.dtype.type(fold)
    return power


def _squared(values: Complex, out: Float) -> None:
    np.multiply(values.real, values.real, out=out)
    out += values.imag * values.imag


def usable_bins(info: StreamInfo, bins: int) -> tuple[int, int]:
    """The first usable bin and how many there are, of the `bins` of an iq stream's spectrum.

    From the facts: usable_bandwidth_hz (none: all are usable), around the radio frequency that the radio is tuned to,
    which frequency_shift_hz has moved off the middle; with decimation (the fact `decimation` above 1) what is left is
    in the middle whatever the shift. Bins that are partly usable are in, so that the bands of a sweep leave no hole.
    """
    usable_hz = info.facts.get("usable_bandwidth_hz")
    rate_hz = info.sample_rate_hz
    if usable_hz is None or not rate_hz:
        return 0, bins
    if info.facts.get("i_only"):
        return 0, min(bins, math.ceil(usable_hz / rate_hz * 2 * (bins - 1)) + 1)
    decimated = (info.facts.get("decimation") or 1) > 1
    middle = bins // 2 + (0.0 if decimated else float(info.facts.get("frequency_shift_hz", 0.0)) / rate_hz * bins)
    half = usable_hz / rate_hz * bins / 2
    first, last = max(0, math.floor(middle - half)), min(bins - 1, math.ceil(middle + half))
    return (first, last - first + 1) if last >= first else (0, bins)


# -- the block


class FFT(Block):
    """Power spectra of frames of `points` samples: kind "spectrum", or "map" for an analog stream of several channels.

    Takes iq (integers or complex) and analog streams. Sends float32 (float64 with ``precision="float64"``) of linear
    power in `units`^2, bins in rising frequency, `axis` in Hz of the radio. IQ whose fact `i_only` is true (a radio's
    lowest band, which is digitised without a mixer) gives the bins from 0 to fs/2 of I alone, levelled like the other
    bands: a tone of amplitude a has a^2. An analog stream gives 0 to fs/2 with a tone's mean square, a^2 / 2.
    `spectral_inversion` among the facts mirrors the band back. The facts are kept; enbw_bins, window and window_gain
    come to them.

    points: any number of at least 4; powers of two are fast. window: of scipy.signal.get_window, symmetric.
    window_gain: "coherent" or "pyrf" (see the module); None is "pyrf" for a stream with a reference_level_dbm, else
    "coherent". dc: "mean" takes each frame's mean away; "mask" also fills the bin at 0 Hz of iq from its neighbours.
    iq_correct: balance I and Q in each frame. overlap: samples that a frame shares with the next. band: "usable" keeps
    only what `usable_bandwidth_hz` of the facts covers. workers: threads of the transform. All but precision and
    workers are settings.

    Frames begin where the stream begins, and anew behind a gap. The index of a frame is that of its first sample
    divided by points - overlap, rounded up, so it shows gaps from a frame's length on. unused: samples that ended up in
    no frame, before a gap or a change or at the end.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("samples", Chunk, stream=StreamType(kind=("iq", "analog"))),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("spectra, linear power", Chunk, required=True, stream=StreamType(kind=("spectrum", "map"))),
    }
    settings = ("points", "window", "window_gain", "dc", "iq_correct", "overlap", "band")

    points = Checked(whole(4))
    overlap = Checked(whole(0))
    window = Checked[str | tuple[Any, ...]](lambda value: _window(value))
    window_gain = Checked[str | None](one_of("pyrf", "coherent", None))
    dc = Checked[Dc | None](one_of("mask", "mean", None))
    iq_correct = Checked(flag)
    band = Checked[str](one_of("full", "usable"))

    def __init__(
        self,
        *producers: Component,
        points: int = 1024,
        window: str | tuple[Any, ...] = "hann",
        window_gain: Literal["pyrf", "coherent"] | None = None,
        dc: Dc | None = "mask",
        iq_correct: bool = True,
        overlap: int = 0,
        band: Literal["full", "usable"] = "full",
        precision: Literal["float32", "float64"] = "float32",
        workers: int = 1,
    ) -> None:
        self.unused = 0
        self._begun: StreamInfo | None = None
        self._number: int | None = None
        self._held, self._framed, self._hop = 0, False, points
        self._stale = True
        self.points = points
        self.overlap = overlap
        self.window = window
        self.window_gain = window_gain
        self.dc = dc
        self.iq_correct = iq_correct
        self.band = band
        if precision not in ("float32", "float64"):
            raise UsageError(f"FFT: precision is 'float32' or 'float64', not {precision!r}")
        if workers < 1:
            raise UsageError(f"FFT: workers is 1 or more, not {workers!r}")
        self.workers = workers
        self._dtype = np.dtype(precision)
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: begin anew with the next chunk."""
        settings = self.__dict__
        if settings.get("overlap", 0) >= settings["points"]:
            raise UsageError(
                f"{self.path}: overlap {self.overlap} is not less than points {self.points}; change the other one first"
            )
        self._stale = True

    def begin(self, info: StreamInfo) -> None:
        self._drop_held()
        if info is self._begun and not self._stale:
            return  # behind a gap
        self._stale = False
        self._begun = info
        if not info.sample_rate_hz:
            raise StreamMismatch(f"{self.path}: the stream {info.name or 'without a name'} has no sample rate")
        if info.kind == "iq":
            check_iq(info, self.path)
        elif len(info.shape) != 1 or info.dtype.kind not in "iuf":
            raise StreamMismatch(f"{self.path}: of an analog stream it takes rows of real numbers, not {info.shape} "
                                 f"of {info.dtype}")  # fmt: skip
        window = taper(self.window, self.points)
        gain = self.window_gain or ("pyrf" if "reference_level_dbm" in info.facts else "coherent")
        self._weights = (window / (self.points if gain == "pyrf" else window.sum())).astype(self._dtype)
        self._hop = self.points - self.overlap
        self._buffer = np.empty((self.points, *info.shape), info.dtype)
        self._result = self._result_info(info, window, gain)

    def _result_info(self, info: StreamInfo, window: Float, gain: str) -> StreamInfo:
        points, rate_hz = self.points, info.sample_rate_hz
        one_sided = info.kind == "analog" or bool(info.facts.get("i_only"))
        bins = points // 2 + 1 if one_sided else points
        step_hz = rate_hz / points
        if info.kind == "analog":
            start_hz = 0.0
        elif one_sided:
            start_hz = -float(info.facts.get("frequency_shift_hz", 0.0))
        else:
            start_hz = tuned_hz(info) - points // 2 * step_hz
        first, count = usable_bins(info, bins) if self.band == "usable" and info.kind == "iq" else (0, bins)
        self._band = slice(first, first + count)
        several = info.kind == "analog" and info.channels > 1
        return StreamInfo(
            kind="map" if several else "spectrum",
            dtype=self._dtype,
            shape=(info.channels, count) if several else (count,),
            sample_rate_hz=rate_hz / self._hop,
            units=f"{info.units}^2" if info.units else "",
            channel_names=info.channel_names if several else (),
            name=info.name,
            axis=Axis("frequency", "Hz", start_hz + first * step_hz, step_hz),
            clock=info.clock,
            facts={
                **info.facts,
                "enbw_bins": enbw_bins(window),
                "window": self.window if isinstance(self.window, str) else list(self.window),
                "window_gain": gain,
            },
        )

    def process(self, chunk: Chunk) -> Chunk | None:
        if self._stale:
            self.begin(chunk.info)
        if self._number is None:
            self._number = -(-chunk.index // self._hop)
        rows = len(chunk)
        frames = max(0, (self._held + rows - self.points) // self._hop + 1)
        if not frames:
            self._buffer[self._held : self._held + rows] = chunk.data
            self._held += rows
            return None
        time_ns = chunk.time_ns_of(-self._held)
        result = self._result.empty(frames)
        done = 0
        for some in self._cut(chunk.data, frames):
            self._power(some, chunk.info, result[done : done + len(some)])
            done += len(some)
        number = self._number
        self._number += frames
        self._framed = True
        return Chunk(result, self._result, number, time_ns)

    def _cut(self, data: npt.NDArray[Any], frames: int) -> Iterator[npt.NDArray[Any]]:
        """So many frames of what is held and `data`, some at a time, shape (some, points, *row); holds the rest."""
        points, hop, buffer = self.points, self._hop, self._buffer
        at = 0
        while self._held and frames:  # until a frame begins in `data` itself
            more = points - self._held
            buffer[self._held :] = data[at : at + more]
            at += more
            yield buffer[None]
            frames -= 1
            self._held = points - hop
            if self._held <= at:
                at -= self._held
                self._held = 0
            else:
                buffer[: self._held] = buffer[hop:]
        row = data.strides[0] if len(data) else 0
        batch = max(1, _BATCH // points)
        while frames:
            some = min(batch, frames)
            if hop == points:
                yield data[at : at + some * points].reshape(some, points, *data.shape[1:])
            else:
                shape, strides = (some, points, *data.shape[1:]), (hop * row, *data.strides)
                yield np.lib.stride_tricks.as_strided(data[at:], shape, strides, writeable=False)
            at += some * hop
            frames -= some
        left = len(data) - at
        buffer[self._held : self._held + left] = data[at:]
        self._held += left

    def _power(self, frames: npt.NDArray[Any], info: StreamInfo, out: Float) -> None:
        if info.kind == "analog":
            power = self._analog_power(frames, info)
        else:
            samples = complex_samples(frames, info, np.result_type(self._dtype, np.complex64))
            if not info.facts.get("i_only"):
                whole = out.shape[-1] == self.points
                power = iq_power(
                    samples, self._weights, iq_correct=self.iq_correct, dc=self.dc,
                    inverted=bool(info.facts.get("spectral_inversion")), workers=self.workers,
                    out=out if whole else None,
                )  # fmt: skip
                if whole:
                    return
            else:
                power = self._power_of_i(np.ascontiguousarray(samples.real), info)
        out[...] = power[..., self._band]

    def _power_of_i(self, samples: Float, info: StreamInfo) -> Float:
        power = real_power(samples, self._weights, fold=4.0, take_mean=self.dc is not None, workers=self.workers)
        if self.dc == "mask":
            power[:, 0] = power[:, 1]
        return power[:, ::-1] if info.facts.get("spectral_inversion") else power

    def _analog_power(self, frames: npt.NDArray[Any], info: StreamInfo) -> Float:
        samples = frames.astype(self._dtype)
        if info.scale is not None:
            samples *= np.asarray(info.scale, self._dtype)
        if info.offset is not None:
            samples += np.asarray(info.offset, self._dtype)
        by_channel = np.ascontiguousarray(samples.transpose(0, 2, 1))
        power = real_power(by_channel, self._weights, fold=2.0, take_mean=self.dc is not None, workers=self.workers)
        return power if self._result.kind == "map" else power[:, 0]

    def flush(self) -> None:
        self._drop_held()

    def _drop_held(self) -> None:
        # What an overlap keeps was in a frame already.
        self.unused += max(0, self._held - (len(self._buffer) - self._hop if self._framed else 0))
        self._held = 0
        self._framed = False
        self._number = None


def _window(value: Any) -> str | tuple[Any, ...]:
    kept = tuple(value) if isinstance(value, list) else value
    try:
        if not isinstance(kept, str | tuple):
            raise ValueError
        taper(kept, 4)
    except (TypeError, ValueError, KeyError):
        raise ValueError("the name of a window of scipy.signal.get_window, or a tuple of a name and numbers") from None
    return kept
