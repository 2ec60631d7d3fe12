"""Other sample rates: rational ones by a polyphase filter (`Resample`), whole parts of the rate (`Decimate`).

Both are scipy.signal.resample_poly, cut into chunks. With h the filter, of 2 * half + 1 taps around its middle,

    y[n] = sum over k of x[k] * h[n * down - k * up + half]

so the filter delays nothing: row n of the result belongs to the time of row n * down / up of the input, and so do their
indices, absolutely: whoever has both streams can lay one over the other. What is before the beginning, behind the end
and in a gap counts as zeros, as in scipy; the rows within half / up input rows of such an edge show it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, positive, whole
from axonlike.components.dsp.samples import RowTimes, engineering, engineering_info
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Decimate", "Polyphase", "Resample", "decimation_filter", "ratio_of", "resampling_filter"]

_LIMIT = 100_000
"""The greatest up or down; the filter has 20 taps for each of it."""

_AT_ONCE = 65536
"""Rows that are decimated at once: 0.5 MB of complex64, which stays in a core's cache."""


# -- the arithmetic


def ratio_of(to_hz: float, from_hz: float) -> Fraction:
    """to_hz / from_hz as the simplest fraction of several that is right to 1e-6 (no clock is better).

    Raises UsageError if that needs numbers above 100 000.
    """
    exact = Fraction(to_hz) / Fraction(from_hz)
    for limit in (10, 100, 1000, 10_000, _LIMIT):
        ratio = exact.limit_denominator(limit)
        if ratio and ratio.numerator <= _LIMIT and abs(ratio / exact - 1) <= Fraction(1, 10**6):
            return ratio
    raise UsageError(
        f"{to_hz:.12g} Hz is too far from {from_hz:.12g} Hz for one step (up to 1 to {_LIMIT}): put a Decimate between"
    )


def resampling_filter(up: int, down: int, window: str | tuple[Any, ...] = ("kaiser", 5.0)) -> npt.NDArray[np.float64]:
    """The taps that scipy.signal.resample_poly makes itself, the factor `up` that it puts to them included."""
    widest = max(up, down)
    taps = scipy.signal.firwin(20 * widest + 1, 1 / widest, window=window)
    return np.asarray(taps * up, np.float64)


def decimation_filter(factor: int, *, pass_part: float = 0.8, attenuation_db: float = 80.0) -> npt.NDArray[np.float64]:
    """A Kaiser low-pass for every factor-th row.

    What would fold into the lower `pass_part` of the new band is at least attenuation_db down, and that part is even
    within as little; between pass_part and 2 - pass_part of the new half rate it falls.
    """
    if factor == 1:
        return np.ones(1)
    # The formula is an estimate, up to 1.2 dB too good: 2 dB more are asked for.
    taps, beta = scipy.signal.kaiserord(attenuation_db + 2, (2 - 2 * pass_part) / factor)
    taps |= 1  # odd: the middle is a tap, the delay whole
    return np.asarray(scipy.signal.firwin(taps, 1 / factor, window=("kaiser", beta)), np.float64)


class Polyphase:
    """resample_poly of a signal that comes in parts. No scheduler, no chunks: rows and their absolute index.

    taps: odd in number. edges: the first and last rows too, which are partly made of the zeros beyond the signal's
    ends; False leaves them away. process: shape (rows, ...) of float32, float64, complex64 or complex128; the result
    has the same dtype. However the signal is cut, the result is the same to rounding (1e-6 and 1e-13 of the signal's
    greatest value).
    """

    def __init__(self, up: int, down: int, taps: npt.NDArray[np.float64], *, edges: bool = True) -> None:
        self.up, self.down = up, down
        self._edges = edges
        self._taps = taps
        self._half = len(taps) // 2
        self._padded: dict[tuple[int, str], npt.NDArray[Any]] = {}
        self._spectra: dict[tuple[int, str], npt.NDArray[Any]] = {}
        self.begin(0)

    def begin(self, index: int) -> None:
        """The signal begins (anew) with row `index`."""
        self._kept: npt.NDArray[Any] | None = None
        self._kept_from = index
        self.next = -(-(index * self.up + (0 if self._edges else self._half)) // self.down)
        """The index of the row that comes next."""

    def process(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """All rows of the result that no later row can change."""
        x = rows if self._kept is None or not len(self._kept) else np.concatenate([self._kept, rows])
        end = self._kept_from + len(x)
        # Row n needs x up to row (n * down + half) // up, which is to be end - 1 at most.
        stop = -(-(end * self.up - self._half) // self.down)
        return self._rows(x, stop)

    def finish(self) -> npt.NDArray[Any] | None:
        """The rows that are left if zeros follow; None if there are none. Call `begin` then."""
        if self._kept is None or not self._edges:
            return None
        end = self._kept_from + len(self._kept)
        return self._rows(self._kept, -(-end * self.up // self.down))

    def _rows(self, x: npt.NDArray[Any], stop: int) -> npt.NDArray[Any]:
        first, count = self.next, max(0, stop - self.next)
        result: npt.NDArray[Any] = x[:0]
        if count:
            result = self._decimated(x, first, count) if self.up == 1 < self.down else self._resampled(x, first, count)
        self.next += count
        keep_from = max(self._kept_from, -(-(self.next * self.down - self._half) // self.up))
        keep_from = min(keep_from, self._kept_from + len(x))
        self._kept = x[keep_from - self._kept_from :].copy()
        self._kept_from = keep_from
        return result

    def _resampled(self, x: npt.NDArray[Any], first: int, count: int) -> npt.NDArray[Any]:
        up, down, start = self.up, self.down, self._kept_from * self.up
        # upfirdn gives sum of x[j] h[m * down - j * up]; with so many zeros before h its row m is our row m + off.
        pad = (start - self._half) % down
        off = (start - self._half - pad) // down
        y = scipy.signal.upfirdn(self._with_zeros(pad, x.dtype), x, up, down, axis=0)
        result: npt.NDArray[Any] = y[first - off : first - off + count]
        if len(result) < count:  # zeros alone are under the filter there
            result = np.concatenate([result, np.zeros((count - len(result), *x.shape[1:]), x.dtype)])
        return result

    def _decimated(self, x: npt.NDArray[Any], first: int, count: int) -> npt.NDArray[Any]:
        # By overlap and save: each block of length * down rows is correlated with the taps by way of its spectrum. To
        # take every down-th row is to fold the spectrum into length bins, so the way back is that much shorter. It
        # takes a fifth to a twentieth of upfirdn's time. Two real columns go as one complex one, as the taps are real.
        down, real = self.down, x.real.dtype
        parts = -(-len(self._taps) // down)
        length = 1 << (count + parts - 2).bit_length()
        length = max(min(length, 1 << (_AT_ONCE // down).bit_length()), 1 << (4 * parts).bit_length() - 1)
        spectrum = self._spectrum_of_taps(length, real)
        pairs = _as_complex(x)
        result = np.empty((count, pairs.shape[1]), pairs.dtype)
        for at in range(0, count, length - parts + 1):
            some = min(length - parts + 1, count - at)
            start = (first + at) * down - self._half - self._kept_from
            from_, to = max(0, start), max(0, min(len(pairs), start + length * down))
            block = np.zeros((pairs.shape[1], length * down), pairs.dtype)
            block[:, from_ - start : to - start] = pairs[from_:to].T
            block = scipy.fft.fft(block, axis=-1, overwrite_x=True)
            block *= spectrum
            folded = block.reshape(-1, down, length).sum(axis=1)
            result[at : at + some] = scipy.fft.ifft(folded, axis=-1, overwrite_x=True)[:, :some].T
        return _as_before(result, x)

    def _spectrum_of_taps(self, length: int, real: np.dtype[Any]) -> npt.NDArray[Any]:
        if (length, real.char) not in self._spectra:
            if len(self._spectra) >= 16:
                self._spectra.clear()
            spectrum = np.conj(scipy.fft.fft(self._taps[::-1], length * self.down)) / self.down
            self._spectra[length, real.char] = spectrum.astype(np.result_type(real, np.complex64))
        return self._spectra[length, real.char]

    def _with_zeros(self, pad: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        # Real taps for a complex signal: half of the work.
        real = np.dtype({"F": "f", "D": "d"}.get(dtype.char, dtype.char))
        if (pad, real.char) not in self._padded:
            if len(self._padded) >= 16:
                self._padded.clear()
            self._padded[pad, real.char] = np.concatenate([np.zeros(pad), self._taps]).astype(real)
        return self._padded[pad, real.char]


def _as_complex(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Its columns, two real ones as one complex one; shape (rows, columns)."""
    columns = x.reshape(len(x), -1)
    if columns.dtype.kind == "c":
        return columns
    if columns.shape[1] % 2:
        columns = np.concatenate([columns, np.zeros_like(columns[:, :1])], axis=1)
    return np.ascontiguousarray(columns).view(np.result_type(x.dtype, np.complex64))


def _as_before(pairs: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What `_as_complex` made of columns like those of x, as they were."""
    columns = pairs.view(x.dtype)[:, : int(np.prod(x.shape[1:]))]
    return np.ascontiguousarray(columns).reshape(len(pairs), *x.shape[1:])


# -- the blocks


class _Rate(Block):
    """What both have in common: the stream in, the polyphase filter, the stream out."""

    _KINDS = StreamType(kind=("analog", "iq"))
    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=_KINDS)}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("samples at the other rate", Chunk, required=True, stream=_KINDS)
    }

    _begun: StreamInfo | None = None

    def __init__(self, *producers: Component) -> None:
        self._filter: Polyphase | None = None
        self._fresh = True
        self._stale = False
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: begin anew with the next chunk."""
        self._stale = True

    def _plan(self, info: StreamInfo) -> tuple[int, int, npt.NDArray[np.float64]]:
        """up, down and taps for such a stream."""
        raise NotImplementedError

    def begin(self, info: StreamInfo) -> None:
        self._fresh = True
        if info is self._begun and not self._stale:
            return
        if info.dtype.kind not in "iufc" or not info.sample_rate_hz:
            raise StreamMismatch(
                f"{self.path}: it takes samples that are numbers at a rate; {info.name or 'this stream'} has "
                f"{info.dtype} at {info.sample_rate_hz:g} Hz"
            )
        self._begun, self._stale = info, False
        up, down, taps = self._plan(info)
        self._filter = Polyphase(up, down, taps)
        self._times = RowTimes()
        rate_hz = info.sample_rate_hz * up / down
        facts = dict(info.facts)
        if info.kind == "iq" and up < down:
            usable_hz = 0.8 * rate_hz
            facts["usable_bandwidth_hz"] = min(usable_hz, facts.get("usable_bandwidth_hz") or usable_hz)
        self._result = engineering_info(info, sample_rate_hz=rate_hz, facts=facts)

    def process(self, chunk: Chunk) -> list[Chunk]:
        results: list[Chunk] = []
        if self._stale:
            results = self.flush()
            self.begin(chunk.info)
        assert self._filter is not None
        if self._fresh:
            self._fresh = False
            self._filter.begin(chunk.index)
            self._times = RowTimes()
        self._times.note(chunk)
        data = engineering(chunk.data, chunk.info).astype(self._result.dtype, copy=False)
        index = self._filter.next
        rows = self._filter.process(data)
        if len(rows):
            results.append(self._chunk(rows, index))
        return results

    def flush(self) -> list[Chunk]:
        if self._filter is None or self._fresh:
            return []
        index = self._filter.next
        rows = self._filter.finish()
        self._fresh = True
        return [self._chunk(rows, index)] if rows is not None and len(rows) else []

    def _chunk(self, rows: npt.NDArray[Any], index: int) -> Chunk:
        assert self._filter is not None
        of_input = index * self._filter.down
        row, beyond = divmod(of_input, self._filter.up)
        time_ns = self._times.of(row)
        if time_ns is not None and beyond:
            assert self._begun is not None
            time_ns += round(beyond / self._filter.up * 1e9 / self._begun.sample_rate_hz)
        return Chunk(rows, self._result, index, time_ns)


class Resample(_Rate):
    """Analog or iq streams at the rate `sample_rate_hz`, or at up / down times their own.

    As scipy.signal.resample_poly over the whole stream, to 1e-6 (float32) or 1e-13 (float64) of its greatest value;
    index, edges and gaps: see the module. The result is in engineering units, in floating point; complex samples stay
    complex, and pairs of I and Q pairs. Integers of up to 16 bits become float32, others float64. window: of the
    filter, 20 * max(up, down) + 1 taps; what folds back is about 60 dB down above 1.2 times the new half rate. An
    uneven ratio makes a long filter (48 kHz of 125 MHz / 6: 312 501 taps): `Decimate` before. It is late by 10 *
    max(up, down) / up input rows. Settings: sample_rate_hz (if it was given), up and down.
    """

    settings = ("sample_rate_hz", "up", "down")
    sample_rate_hz = Checked[float | None](lambda value: None if value is None else positive(value))
    up = Checked(whole(1))
    down = Checked(whole(1))

    def __init__(
        self,
        *producers: Component,
        sample_rate_hz: float | None = None,
        up: int = 1,
        down: int = 1,
        window: str | tuple[Any, ...] = ("kaiser", 5.0),
    ) -> None:
        if (sample_rate_hz is None) == (up == down == 1):
            raise UsageError("Resample takes either sample_rate_hz, or up and down")
        self.sample_rate_hz = sample_rate_hz
        self.up, self.down = up, down
        self._window = window
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting was changed: begin anew with the next chunk. Raises UsageError if the stream cannot have it."""
        if self._begun is not None and self.sample_rate_hz is not None:
            ratio_of(self.sample_rate_hz, self._begun.sample_rate_hz)
        self._stale = True

    def _plan(self, info: StreamInfo) -> tuple[int, int, npt.NDArray[np.float64]]:
        ratio = Fraction(self.up, self.down)
        if self.sample_rate_hz is not None:
            try:
                ratio = ratio_of(self.sample_rate_hz, info.sample_rate_hz)
            except UsageError as exc:
                raise UsageError(f"{self.path}: {exc}") from None
        up, down = ratio.numerator, ratio.denominator
        return up, down, np.ones(1) if up == down else resampling_filter(up, down, self._window)


class Decimate(_Rate):
    """Every factor-th row of analog or iq streams, behind a low-pass against what would fold back.

    Signals up to pass_part of the new half rate come through; whatever would fold onto them is attenuation_db down. The
    result is in engineering units, in floating point; complex samples stay complex, and pairs of I and Q pairs.
    Integers of up to 16 bits become float32, others float64. Index, edges and gaps: see the module. It is late by about
    13 * factor rows. Settings: factor.
    """

    settings = ("factor",)
    factor = Checked(whole(1))

    def __init__(
        self, *producers: Component, factor: int, pass_part: float = 0.8, attenuation_db: float = 80.0
    ) -> None:
        if not 0 < pass_part < 1 or not 20 <= attenuation_db <= 200:
            raise UsageError(
                f"Decimate: pass_part is between 0 and 1, attenuation_db between 20 and 200, not {pass_part!r} and "
                f"{attenuation_db!r}"
            )
        self.factor = factor
        self._pass_part, self._attenuation_db = pass_part, attenuation_db
        super().__init__(*producers)

    def _plan(self, info: StreamInfo) -> tuple[int, int, npt.NDArray[np.float64]]:
        taps = decimation_filter(self.factor, pass_part=self._pass_part, attenuation_db=self._attenuation_db)
        return 1, self.factor, taps
