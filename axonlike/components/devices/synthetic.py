"""Signals that need no device: noise and tones, for trying things out, for tests, and as a load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.source import PacedSource, channel_names, per_channel
from axonlike.errors import UsageError
from axonlike.streams.chunk import StreamInfo

__all__ = ["Noise", "Tone"]


class _Synthetic(PacedSource):
    def __init__(
        self,
        *,
        channels: int,
        sample_rate_hz: float,
        chunk_rows: int | None,
        rows: int | None,
        dtype: Literal["float32", "float64"],
        seed: int | None,
        units: str,
        names: Iterable[str] | None,
        paced: bool,
    ) -> None:
        who = type(self).__name__
        if channels < 1:
            raise UsageError(f"{who}: channels is at least 1, not {channels!r}")
        kind = np.dtype(dtype)
        if kind not in (np.float32, np.float64):
            raise UsageError(f"{who}: dtype is float32 or float64, not {kind}")
        if chunk_rows is None:  # ten a second
            chunk_rows = max(1, round(sample_rate_hz / 10))
        self._random = np.random.default_rng(seed)
        info = StreamInfo(
            kind="analog", dtype=kind, shape=(channels,), sample_rate_hz=sample_rate_hz, units=units, name=who.lower(),
            channel_names=channel_names(channels, names),
        )  # fmt: skip
        super().__init__(info, chunk_rows=chunk_rows, total_rows=rows, paced=paced, speed=1.0)

    def _normal(self, rows: int) -> npt.NDArray[np.float64]:
        # Always in float64: how the generator cuts its bits into float32 would depend on the chunks.
        return self._random.standard_normal((rows, self.info.channels))


class Noise(_Synthetic):
    """White Gaussian noise of standard deviation `amplitude`, in chunks of shape (rows, channels).

    chunk_rows: a tenth of a second, unless said. rows: how many in all; None for no end. seed: the same one gives the
    same samples, however they are cut into chunks. amplitude: one number, or one for each channel; it may be changed by
    a message to the inbox `settings`. paced=False: as fast as they are taken.
    """

    settings: ClassVar[tuple[str, ...]] = ("amplitude",)

    def __init__(
        self,
        *,
        channels: int = 1,
        sample_rate_hz: float = 1000.0,
        amplitude: float | Sequence[float] = 1.0,
        chunk_rows: int | None = None,
        rows: int | None = None,
        seed: int | None = None,
        dtype: Literal["float32", "float64"] = "float32",
        units: str = "V",
        channel_names: Iterable[str] | None = None,
        paced: bool = True,
    ) -> None:
        super().__init__(
            channels=channels, sample_rate_hz=sample_rate_hz, chunk_rows=chunk_rows, rows=rows, dtype=dtype, seed=seed,
            units=units, names=channel_names, paced=paced,
        )  # fmt: skip
        self.amplitude = amplitude

    @property
    def amplitude(self) -> Any:
        """The standard deviation of each channel, shape (channels,)."""
        return self._amplitude

    @amplitude.setter
    def amplitude(self, amplitude: float | Sequence[float]) -> None:
        self._amplitude = per_channel(self.path, "amplitude", amplitude, self.info.channels)

    def rows_at(self, index: int, rows: int) -> npt.NDArray[Any]:
        return (self._normal(rows) * self._amplitude).astype(self.info.dtype)


class Tone(_Synthetic):
    """Sine waves: amplitude * sin(2 pi frequency_hz t + phase) + offset, in chunks of shape (rows, channels).

    frequency_hz, amplitude, offset, noise (the standard deviation of noise that is added) and phase (in radians, at row
    0) are one number, or one for each channel; all but phase may be changed by messages to `settings`. A new frequency
    begins at the phase that the old one had reached. The other arguments are those of `Noise`.
    """

    settings: ClassVar[tuple[str, ...]] = ("frequency_hz", "amplitude", "offset", "noise")

    def __init__(
        self,
        frequency_hz: float | Sequence[float] = 440.0,
        *,
        channels: int = 1,
        sample_rate_hz: float = 44100.0,
        amplitude: float | Sequence[float] = 0.5,
        offset: float | Sequence[float] = 0.0,
        phase: float | Sequence[float] = 0.0,
        noise: float | Sequence[float] = 0.0,
        chunk_rows: int | None = None,
        rows: int | None = None,
        seed: int | None = None,
        dtype: Literal["float32", "float64"] = "float32",
        units: str = "FS",
        channel_names: Iterable[str] | None = None,
        paced: bool = True,
    ) -> None:
        super().__init__(
            channels=channels, sample_rate_hz=sample_rate_hz, chunk_rows=chunk_rows, rows=rows, dtype=dtype, seed=seed,
            units=units, names=channel_names, paced=paced,
        )  # fmt: skip
        # Phases are kept in cycles, from a row that is moved whenever a frequency changes.
        self._since = 0
        self._cycles = per_channel(self.path, "phase", phase, channels) / (2 * np.pi)
        self._frequency_hz = per_channel(self.path, "frequency_hz", frequency_hz, channels)
        self.amplitude = amplitude
        self.offset = offset
        self.noise = noise

    @property
    def frequency_hz(self) -> Any:
        """Of each channel, shape (channels,)."""
        return self._frequency_hz

    @frequency_hz.setter
    def frequency_hz(self, frequency_hz: float | Sequence[float]) -> None:
        new = per_channel(self.path, "frequency_hz", frequency_hz, self.info.channels)
        self._cycles = self._cycles_at(np.array([self.index]))[0]
        self._since = self.index
        self._frequency_hz = new

    @property
    def amplitude(self) -> Any:
        """Of each channel, shape (channels,)."""
        return self._amplitude

    @amplitude.setter
    def amplitude(self, amplitude: float | Sequence[float]) -> None:
        self._amplitude = per_channel(self.path, "amplitude", amplitude, self.info.channels)

    @property
    def offset(self) -> Any:
        """Of each channel, shape (channels,)."""
        return self._offset

    @offset.setter
    def offset(self, offset: float | Sequence[float]) -> None:
        self._offset = per_channel(self.path, "offset", offset, self.info.channels)

    @property
    def noise(self) -> Any:
        """The standard deviation of each channel's noise, shape (channels,)."""
        return self._noise

    @noise.setter
    def noise(self, noise: float | Sequence[float]) -> None:
        self._noise = per_channel(self.path, "noise", noise, self.info.channels)

    def rows_at(self, index: int, rows: int) -> npt.NDArray[Any]:
        cycles = self._cycles_at(np.arange(index, index + rows))
        values = self._amplitude * np.sin(2 * np.pi * cycles) + self._offset
        if self._noise.any():
            values = values + self._normal(rows) * self._noise
        return np.asarray(values, self.info.dtype)

    def _cycles_at(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The phases in cycles, without the whole ones, which would cost digits after a day; shape (rows, channels)."""
        passed = (index - self._since)[:, np.newaxis] * (self._frequency_hz / self.info.sample_rate_hz)
        return np.asarray(np.mod(passed + self._cycles, 1.0))
