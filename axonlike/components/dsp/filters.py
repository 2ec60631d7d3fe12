"""Filters of second-order sections that run on for ever: the state goes from chunk to chunk.

What they give is what `scipy.signal.sosfilt` gives for the whole signal at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import signal

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, flag, positive, whole
from axonlike.components.dsp.samples import engineering, engineering_info
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = [
    "Butterworth",
    "Cascade",
    "Design",
    "Notch",
    "Sections",
    "SosFilter",
    "check_sos",
    "filter_rows",
    "steady_state",
]

Sections = npt.NDArray[np.float64]
"""Shape (sections, 6), or (channels, sections, 6): b0 b1 b2 1 a1 a2 of each, as scipy writes them."""
Design = Callable[[float], npt.ArrayLike]
"""From a sample rate in Hz to sections."""

_SILENCE = 1e-200
_SAMPLES = StreamType(kind=("analog", "iq"))


def check_sos(sos: npt.ArrayLike) -> Sections:
    """Sections as a new float64 array. Raises UsageError for anything else."""
    try:
        array = np.array(sos, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"sos are numbers, shape (sections, 6) or (channels, sections, 6): {exc}") from exc
    if array.ndim not in (2, 3) or array.shape[-1] != 6 or not array.size:
        raise UsageError(f"sos have shape (sections, 6) or (channels, sections, 6), not {array.shape}")
    if not np.isfinite(array).all():
        raise UsageError("sos hold a value that is not finite; design them anew")
    if not (array[..., 3] == 1.0).all():
        raise UsageError("sos[..., 3], which is a0 of each section, is 1; divide each section by it")
    return array


def steady_state(sos: Sections) -> Sections:
    """State of one filter (sections, 6) that has seen 1 for ever, shape (sections, 2): scipy's sosfilt_zi.

    Raises UsageError for a filter that does not settle.
    """
    with np.errstate(all="ignore"):
        try:
            state = np.asarray(signal.sosfilt_zi(sos), np.float64)
        except (np.linalg.LinAlgError, ValueError) as exc:
            raise UsageError(f"a filter that never settles has no steady state to start from ({exc})") from exc
    if not np.isfinite(state).all():
        raise UsageError("a filter that never settles has no steady state to start from")
    return state


@dataclass(frozen=True, slots=True)
class Butterworth:
    """A Butterworth filter by its edges in Hz, designed when the sample rate is known.

    edges_hz: where it is 3 dB down, two of them for a band. order: as scipy.signal.butter counts, so a band has twice
    as many poles.
    """

    band: Literal["lowpass", "highpass", "bandpass", "bandstop"]
    edges_hz: tuple[float, ...]
    order: int = 4

    def __post_init__(self) -> None:
        wanted = 2 if self.band in ("bandpass", "bandstop") else 1
        if len(self.edges_hz) != wanted or not all(edge > 0 for edge in self.edges_hz):
            raise UsageError(f"a {self.band} filter has {wanted} positive edges in Hz, not {self.edges_hz!r}")
        if wanted == 2 and not self.edges_hz[0] < self.edges_hz[1]:
            raise UsageError(f"a {self.band} filter has the lower edge first, not {self.edges_hz!r}")
        if self.order < 1:
            raise UsageError(f"the order of a filter is 1 or more, not {self.order!r}")

    def __call__(self, sample_rate_hz: float) -> npt.ArrayLike:
        if not self.edges_hz[-1] < sample_rate_hz / 2:
            raise UsageError(
                f"a {self.band} filter with an edge at {self.edges_hz[-1]:g} Hz needs more than twice as many samples "
                f"a second; the stream has {sample_rate_hz:g} Hz"
            )
        edges = self.edges_hz if len(self.edges_hz) > 1 else self.edges_hz[0]
        sos: npt.ArrayLike = signal.butter(self.order, edges, self.band, output="sos", fs=sample_rate_hz)
        return sos


class Cascade:
    """One filter over some columns, called with rows after rows: shape (rows, ...) in, float64 (complex128) out.

    A value that is not finite would stay in the state for ever. So it gives NaN in its own row, and its column begins
    anew with the row behind it; however the rows are cut into chunks.
    """

    def __init__(self, sos: Sections, steady_start: bool) -> None:
        self.sos = sos
        self.steady = steady_state(sos) if steady_start else None
        self.state: npt.NDArray[Any] | None = None

    def __call__(self, data: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
        """The filtered rows, and how many values were not finite."""
        if not len(data):
            return data.astype(np.result_type(data.dtype, np.float64)), 0
        before = self._start(data[0]) if self.state is None else self.state
        bad = 0
        with np.errstate(invalid="ignore"):
            result, self.state = signal.sosfilt(self.sos, data, axis=0, zi=before)
        if not np.isfinite(self.state).all():  # never so again, once a value in it is not
            result, self.state, bad = self._by_columns(data, before)
        # A channel that falls silent would ring for ever in denormal numbers, with which some processors are a hundred
        # times slower.
        self.state[np.abs(self.state) < _SILENCE] = 0.0
        return result, bad

    def _start(self, first: npt.NDArray[Any]) -> npt.NDArray[Any]:
        wide = np.result_type(first.dtype, np.float64)
        if self.steady is None:
            return np.zeros((len(self.sos), 2, *first.shape), wide)
        steady = self.steady.reshape(*self.steady.shape, *(1,) * first.ndim)
        return np.asarray(steady * np.where(np.isfinite(first), first, 0.0).astype(wide))

    def _by_columns(
        self, data: npt.NDArray[Any], before: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], int]:
        columns = data.reshape(len(data), -1)
        state = before.reshape(*before.shape[:2], -1).copy()
        result = np.full(columns.shape, np.nan, before.dtype)
        finite = np.isfinite(columns)
        for column in range(columns.shape[1]):
            values = columns[:, column]
            kept = state[:, :, column]
            for start, stop in _stretches(finite[:, column]):
                if start > 0 or not np.isfinite(kept).all():
                    kept = self._start(values[start])
                result[start:stop, column], kept = signal.sosfilt(self.sos, values[start:stop], zi=kept)
            state[:, :, column] = kept if finite[-1, column] else np.nan
        return result.reshape(data.shape), state.reshape(before.shape), int(finite.size - finite.sum())


def filter_rows(cascades: list[Cascade], data: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """The next rows through one cascade for all channels, or through one for each; and how many were not finite."""
    if len(cascades) == 1:
        return cascades[0](data)
    result = np.empty(data.shape, np.result_type(data.dtype, np.float64))
    bad = 0
    for channel, cascade in enumerate(cascades):
        result[:, channel], there = cascade(data[:, channel])
        bad += there
    return result, bad


def _stretches(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each run of True."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2]))


class SosFilter(Block):
    """Filters each channel with second-order sections: scipy.signal.sosfilt over the whole stream, whatever its chunks.

    sos: shape (sections, 6), or (channels, sections, 6) for a filter of its own for each channel; or a function that
    designs them for a sample rate in Hz, called when a stream begins (`Butterworth` is one, and `SosFilter.bandpass`
    and the like make it). keep_state: when `sos` is changed while it runs, go on from the state that there is (if there
    are as many sections as before), or begin from nothing. steady_start: a stream, and what follows a gap, begins as if
    its first row had stood for ever, so that an offset gives no ring; otherwise it begins from zero.

    Sends floating point, float32 for 16 bits and float32, in the stream's units: scale and offset are applied. The
    state is float64 whatever the stream is. A value that is not finite gives NaN in its own row alone, and its channel
    begins anew behind it; `not_finite` counts them.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=_SAMPLES)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("filtered samples", Chunk, stream=_SAMPLES, required=True)}
    settings: ClassVar[tuple[str, ...]] = ("sos", "keep_state")

    keep_state = Checked(flag, renews=False)

    def __init__(
        self,
        *producers: Component,
        sos: npt.ArrayLike | Design,
        keep_state: bool = True,
        steady_start: bool = False,
    ) -> None:
        self.not_finite = 0
        self.keep_state = keep_state
        self.steady_start = steady_start
        self.info = None
        self._sections: Sections | None = None
        self._next: Sections | None = None  # what the next row is to be filtered with
        self._running: list[Cascade] = []
        self._out: StreamInfo
        self.sos = sos  # before anything is linked: it may be refused
        super().__init__(*producers)

    @classmethod
    def lowpass(cls, edge_hz: float, *producers: Component, order: int = 4, **options: Any) -> Self:
        """Butterworth low-pass; `options` as for the class."""
        return cls(*producers, sos=Butterworth("lowpass", (edge_hz,), order), **options)

    @classmethod
    def highpass(cls, edge_hz: float, *producers: Component, order: int = 4, **options: Any) -> Self:
        """Butterworth high-pass."""
        return cls(*producers, sos=Butterworth("highpass", (edge_hz,), order), **options)

    @classmethod
    def bandpass(cls, low_hz: float, high_hz: float, *producers: Component, order: int = 4, **options: Any) -> Self:
        """Butterworth band-pass."""
        return cls(*producers, sos=Butterworth("bandpass", (low_hz, high_hz), order), **options)

    @classmethod
    def bandstop(cls, low_hz: float, high_hz: float, *producers: Component, order: int = 4, **options: Any) -> Self:
        """Butterworth band-stop."""
        return cls(*producers, sos=Butterworth("bandstop", (low_hz, high_hz), order), **options)

    @property
    def sos(self) -> Any:
        """What was set: sections, or the function that designs them."""
        return self._sos

    @sos.setter
    def sos(self, sos: npt.ArrayLike | Design) -> None:
        given = sos if callable(sos) else check_sos(sos)
        if self.info is not None:
            designed = self._designed(given, self.info)
            # The same again (a change that was refused is taken back so) disturbs nothing.
            same = self._sections is not None and np.array_equal(designed, self._sections)
            self._next = None if same else designed
        elif not callable(given) and self.steady_start:
            _steady(given)
        self._sos = given

    @property
    def sections(self) -> Sections | None:
        """The sections in use, float64; None before a stream has begun."""
        return self._sections

    def _designed(self, given: Sections | Design, info: StreamInfo) -> Sections:
        if callable(given):
            if not info.sample_rate_hz:
                raise UsageError(f"{self.path}: a filter is designed for a sample rate, and this stream has none")
            given = check_sos(given(info.sample_rate_hz))
        if given.ndim == 3 and len(given) != info.channels:
            raise StreamMismatch(f"{self.path}: sos for {len(given)} channels, the stream has {info.channels}")
        if self.steady_start:
            _steady(given)
        return given

    def begin(self, info: StreamInfo) -> None:
        self._sections = self._designed(self._sos, info)
        self._next = None
        self._running = self.cascades()
        self._out = engineering_info(info)

    def cascades(self) -> list[Cascade]:
        """New ones of the sections in use: one for all channels, or one for each."""
        assert self._sections is not None
        several = self._sections if self._sections.ndim == 3 else [self._sections]
        return [Cascade(sos, self.steady_start) for sos in several]

    def process(self, chunk: Chunk) -> Chunk | Iterable[Chunk] | None:
        if self._next is not None:
            self.take_over()
        return chunk.with_data(self.filtered(chunk).astype(self._out.dtype, copy=False), self._out)

    def take_over(self) -> None:
        """From here on with the sections that were set last."""
        self._sections, self._next = self._next, None
        before, self._running = self._running, self.cascades()
        if self.keep_state and [c.sos.shape for c in before] == [c.sos.shape for c in self._running]:
            for old, new in zip(before, self._running):
                new.state = old.state

    def filtered(self, chunk: Chunk) -> npt.NDArray[Any]:
        """The next rows, filtered, in float64 or complex128."""
        result, bad = filter_rows(self._running, engineering(chunk.data, chunk.info))
        self.not_finite += bad
        return result


def _steady(sos: Sections) -> None:
    for one in sos if sos.ndim == 3 else [sos]:
        steady_state(one)


class Notch(SosFilter):
    """Takes one frequency (the mains) and, if asked to, its multiples out of each channel; made for the stream's rate.

    quality: frequency over the width at -3 dB; a multiple has the same width in Hz. harmonics: how many multiples, the
    frequency itself the first; those from half the sample rate up are left out. Source: scipy.signal.iirnotch.
    """

    settings: ClassVar[tuple[str, ...]] = ("frequency_hz", "quality", "harmonics", "keep_state")

    frequency_hz = Checked(positive)
    quality = Checked(positive)
    harmonics = Checked(whole(1))

    def __init__(
        self,
        *producers: Component,
        frequency_hz: float = 50.0,
        quality: float = 30.0,
        harmonics: int = 1,
        keep_state: bool = True,
        steady_start: bool = False,
    ) -> None:
        self.info = None
        self.frequency_hz = frequency_hz
        self.quality = quality
        self.harmonics = harmonics
        super().__init__(*producers, sos=self.designed_for, keep_state=keep_state, steady_start=steady_start)

    def renew(self) -> None:
        """A setting has changed."""
        if self.info is not None:
            self.sos = self.designed_for

    def designed_for(self, sample_rate_hz: float) -> Sections:
        """The sections of these notches at a sample rate. Raises UsageError if frequency_hz is half of it or more."""
        first = self.frequency_hz
        if not first < sample_rate_hz / 2:
            raise UsageError(
                f"a notch at {first:g} Hz needs more than twice as many samples a second; the stream has "
                f"{sample_rate_hz:g} Hz"
            )
        multiples = [k * first for k in range(1, self.harmonics + 1) if k * first < sample_rate_hz / 2]
        return np.array(
            [np.concatenate(signal.iirnotch(hz, self.quality * hz / first, sample_rate_hz)) for hz in multiples]
        )
