"""An array in the place of a device: for tests of a whole set-up, with the faults that real devices have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.source import PacedSource, channel_names
from axonlike.errors import UsageError
from axonlike.streams.chunk import StreamInfo

__all__ = ["ArrayPlayer"]


class ArrayPlayer(PacedSource):
    """Plays an array of any length at its sample rate, once or again and again; "demo" plays four channels of EEG.

    data: shape (rows, channels), or (rows,) for one channel; with `info`, whatever that says. info: in place of all
    that describes the stream (sample_rate_hz, units, scale, names).

    gaps: pairs (index, rows) of what is left out, as if a device had lost it: the indices of the chunks show it. With
    loop=True they count through, so each comes once. drop_probability: how often a chunk is lost by chance. jitter_s:
    each chunk comes up to so much later than it is due. seed: of the chances. speed may be changed by a message to the
    inbox `settings`. paced=False: as fast as the chunks are taken, and without jitter.
    """

    settings: ClassVar[tuple[str, ...]] = ("speed",)

    def __init__(
        self,
        data: npt.ArrayLike | Literal["demo"],
        sample_rate_hz: float = 1000.0,
        *,
        chunk_rows: int = 256,
        loop: bool | None = None,
        speed: float = 1.0,
        paced: bool = True,
        gaps: Iterable[tuple[int, int]] = (),
        drop_probability: float = 0.0,
        jitter_s: float = 0.0,
        seed: int | None = None,
        units: str = "",
        scale: float | Sequence[float] | None = None,
        channel_names: Iterable[str] | None = None,
        name: str = "",
        info: StreamInfo | None = None,
    ) -> None:
        """loop: False unless it plays "demo"."""
        if isinstance(data, str):
            if data != "demo":
                raise UsageError(f'ArrayPlayer plays an array, or "demo", not {data!r}; a file is played by Replay')
            data, info = _demo_eeg()
            loop = loop is not False
        array = np.array(data)  # a copy: what is played must not change
        if info is None:
            info, array = _described(array, sample_rate_hz, units, scale, channel_names, name or "array")
        elif array.shape[1:] != info.shape or array.ndim == 0 or array.dtype != info.dtype:
            raise UsageError(
                f"ArrayPlayer: info says dtype {info.dtype} and shape {('rows', *info.shape)}, but the array has "
                f"{array.dtype} and {array.shape}"
            )
        array.flags.writeable = False
        if loop and not len(array):
            raise UsageError("ArrayPlayer: an array without rows cannot be played in a loop")
        if not 0 <= drop_probability <= 1:
            raise UsageError(f"ArrayPlayer: drop_probability is from 0 to 1, not {drop_probability!r}")
        if not 0 <= jitter_s < float("inf"):
            raise UsageError(f"ArrayPlayer: jitter_s is a number of seconds, not {jitter_s!r}")
        self.data = array
        self.loop = bool(loop)
        self.jitter_s = jitter_s
        self.dropped_rows = 0
        """How many rows have been left out on purpose so far."""
        self._gaps = _checked(gaps)
        self._drop_probability = drop_probability
        self._random = np.random.default_rng(seed)
        super().__init__(
            info, chunk_rows=chunk_rows, total_rows=None if self.loop else len(array), paced=paced, speed=speed
        )

    def rows_at(self, index: int, rows: int) -> npt.NDArray[Any]:
        if not self.loop:
            return self.data[index : index + rows]
        start = index % len(self.data)
        if start + rows <= len(self.data):
            return self.data[start : start + rows]
        return np.take(self.data, np.arange(index, index + rows), axis=0, mode="wrap")

    def sent_of(self, index: int, rows: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        if self._drop_probability and self._random.random() < self._drop_probability:
            self.dropped_rows += rows
            return
        start, end = index, index + rows
        while self._gaps and self._gaps[0][1] <= start:
            self._gaps.pop(0)
        for gap_start, gap_end in self._gaps:
            if gap_start >= end:
                break
            if gap_start > start:
                yield start, self.rows_at(start, gap_start - start)
            self.dropped_rows += min(gap_end, end) - max(gap_start, start)
            start = gap_end
            if start >= end:
                return
        yield start, self.rows_at(start, end - start)

    def delay_s(self) -> float:
        return self.jitter_s * self._random.random() if self.jitter_s else 0.0


def _described(
    array: npt.NDArray[Any],
    sample_rate_hz: float,
    units: str,
    scale: float | Sequence[float] | None,
    names: Iterable[str] | None,
    name: str,
) -> tuple[StreamInfo, npt.NDArray[Any]]:
    if array.ndim == 1 and array.dtype.kind != "c":
        array = array[:, np.newaxis]
    if array.dtype.kind == "c" and array.ndim == 1:
        info = StreamInfo(kind="iq", dtype=array.dtype, sample_rate_hz=sample_rate_hz, units=units, name=name)
        return info, array
    if array.ndim != 2 or array.dtype.kind not in "iuf" or not array.shape[1]:
        raise UsageError(
            f"ArrayPlayer: data is an array of numbers, (rows, channels), not {array.dtype} of shape {array.shape}; "
            "say info=StreamInfo(...) for other streams"
        )
    info = StreamInfo(
        kind="analog", dtype=array.dtype, shape=array.shape[1:], sample_rate_hz=sample_rate_hz, units=units, name=name,
        scale=scale if scale is None or isinstance(scale, int | float) else tuple(scale),
        channel_names=channel_names(array.shape[1], names),
    )  # fmt: skip
    return info, array


def _checked(gaps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(start, end) of each gap, in order. Raises UsageError."""
    found = sorted((int(start), int(start) + int(rows)) for start, rows in gaps)
    if any(start < 0 or end <= start for start, end in found) or any(b[0] < a[1] for a, b in zip(found, found[1:])):
        raise UsageError(f"ArrayPlayer: gaps are pairs (index, rows) that do not overlap, not {gaps!r}")
    return found


def _demo_eeg() -> tuple[npt.NDArray[np.float32], StreamInfo]:
    """Ten seconds that look like EEG and can be put end to end: an alpha rhythm that waxes and wanes, with blinks."""
    rate_hz, seconds = 250, 10
    t_s = np.arange(rate_hz * seconds) / rate_hz
    random = np.random.default_rng(7)
    # Background that falls with frequency as EEG's does, made in the frequency domain, so that its ends meet.
    bins = len(t_s) // 2 + 1
    spectrum = np.exp(2j * np.pi * random.random((bins, 4))) / np.maximum(1.0, np.arange(bins) / seconds)[:, np.newaxis]
    background = np.fft.irfft(spectrum, len(t_s), axis=0)
    background *= 8.0 / background.std(axis=0)
    alpha = np.sin(2 * np.pi * 10.0 * t_s) * (0.5 - 0.5 * np.cos(2 * np.pi * 0.2 * t_s))
    blinks = sum(np.exp(-(((t_s - at_s) / 0.09) ** 2)) for at_s in (2.1, 4.9, 8.2))
    names = ("Fp1", "Fp2", "O1", "O2")
    values = background + np.outer(alpha, (3.0, 3.0, 22.0, 20.0)) + np.outer(blinks, (90.0, 85.0, 4.0, 4.0))
    info = StreamInfo(
        kind="analog", dtype=np.dtype(np.float32), shape=(4,), sample_rate_hz=rate_hz, units="uV", channel_names=names,
        name="demo EEG",
    )  # fmt: skip
    return values.astype(np.float32), info
