"""A stream in another dtype, or in engineering values in place of raw ones, and back."""

from __future__ import annotations

import logging
import math
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.arrays import set_writeable
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Convert"]

log = logging.getLogger("axonlike.dsp")

_SAMPLED = StreamType(kind=("analog", "digital", "iq", "spectrum", "map", "video"))

_INVERSE = {np.add: np.subtract, np.subtract: np.add, np.multiply: np.divide, np.divide: np.multiply}

_least_of, _largest_of = np.minimum.reduce, np.maximum.reduce  # as ndarray.min() and max(), but without their Python
_unchecked = Chunk.unchecked

Samples = npt.NDArray[Any]
Factor = float | tuple[float, ...]


class Convert(Block):
    """Another dtype; with `to`, other values: engineering = offset + scale * raw.

    dtype: of what it sends. to="engineering": applies the stream's scale and offset, and sends a stream without them;
    by default in float32 for raw values of up to 2 bytes, in float64 for others. to="raw": the reverse, into `dtype`,
    with the `scale` and `offset` that are given, which the stream then carries. None: the same values. scale, offset:
    numbers, or one for each channel, in place of the stream's.

    In an integer dtype values are rounded (halves to the even one) and limited to what it can hold, NaN becomes 0; in a
    float dtype too large ones are infinite. saturated: how many values did not fit. A stream that is as wanted already
    goes on as it is.

    Integers and floats are worked on in float32 where both dtypes fit into it (up to 16 bits), else in float64.
    Raises UsageError for settings that cannot be, StreamMismatch for a stream to which they do not apply.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=_SAMPLED)}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("the same rows, converted", Chunk, stream=_SAMPLED, required=True)
    }

    def __init__(
        self,
        *producers: Component,
        dtype: npt.DTypeLike | None = None,
        to: Literal["engineering", "raw"] | None = None,
        scale: Factor | None = None,
        offset: Factor | None = None,
    ) -> None:
        who = type(self).__name__
        if to not in (None, "engineering", "raw"):
            raise UsageError(f"{who}: to is 'engineering', 'raw' or None, not {to!r}")
        if dtype is None and to != "engineering":
            raise UsageError(f"{who}: say which dtype it is to send")
        if to is None and (scale is not None or offset is not None):
            raise UsageError(f"{who}: scale and offset need a direction: to='engineering' or to='raw'")
        if to == "raw" and scale is None and offset is None:
            raise UsageError(f"{who}: to='raw' needs the scale or offset that the raw values are to have")
        if scale is not None and not np.all(np.isfinite(scale) & (np.asarray(scale) != 0)):
            raise UsageError(f"{who}: scale is finite and not 0, not {scale!r}")
        if offset is not None and not np.all(np.isfinite(offset)):
            raise UsageError(f"{who}: offset is finite, not {offset!r}")
        self.dtype = _checked_dtype(dtype, who)
        self.to = to
        self.scale, self.offset = scale, offset
        self.saturated = 0
        self._converted: StreamInfo | None = None
        self._steps: list[tuple[Any, Any]] = []  # of arithmetic: a function of numpy's, and its second argument
        self._sent_as = self._work = np.dtype(np.float64)  # what is sent, and in which the steps are done
        self._integer = self._cast_alone = self._copied_first = False
        self._limits: tuple[int, Any, Any] = 0, 0.0, 0.0
        self._scratch: Samples | None = None
        self._always_fits = False
        self._fitting: tuple[float, float] | None = None  # source values that surely fit; None: not looked at
        if self.dtype is not None:
            self.specify("outbox", stream=StreamType(_SAMPLED.kind, self.dtype.newbyteorder("=").name))
        super().__init__(*producers)

    def begin(self, info: StreamInfo) -> None:
        self._scratch = None
        scale, offset = self.scale, self.offset
        if self.to == "engineering":
            scale = info.scale if scale is None else scale
            offset = info.offset if offset is None else offset
        elif self.to == "raw" and (info.scale is not None or info.offset is not None):
            raise StreamMismatch(
                f"{self.path}: the stream {info.name or 'without a name'} is raw already (its scale is "
                f"{info.scale}, its offset {info.offset}), wanted engineering values"
            )
        dtype = self.dtype or _default_dtype(info.dtype, changed=scale is not None or offset is not None)
        if info.dtype.kind == "c" and dtype.kind != "c":
            raise StreamMismatch(
                f"{self.path}: the stream {info.name or 'without a name'} has dtype {info.dtype}, wanted one that "
                f"fits into {dtype}; complex values do not"
            )
        self._work = np.result_type(info.dtype, dtype, np.float32)
        multiply, add = _factor(scale, info, self._work), _factor(offset, info, self._work)
        steps = (
            [(np.subtract, add), (np.divide, multiply)]
            if self.to == "raw"
            else [(np.multiply, multiply), (np.add, add)]
        )
        self._steps = [(function, factor) for function, factor in steps if factor is not None]
        if self.to is None:
            self._converted = info.replace(dtype=dtype)
        elif self.to == "raw":
            self._converted = info.replace(dtype=dtype, scale=_plain(scale), offset=_plain(offset))
        else:
            self._converted = info.replace(dtype=dtype, scale=None, offset=None)
        if self._converted == info:
            self._converted = info
        if self._work == dtype:
            self._work = dtype
        self._sent_as, self._integer = dtype, dtype.kind in "iu"
        all_fit = bool(np.can_cast(info.dtype, dtype, "safe"))
        self._cast_alone = not self._steps and (not self._integer or all_fit)
        self._copied_first = not self._steps or info.dtype != self._work
        # Not of floats: a signalling NaN would warn.
        self._always_fits = not self._steps and all_fit and info.dtype.kind in "iub"
        self._fitting = None
        if self._integer:
            limits = np.iinfo(dtype)
            low, high = _within(limits.min, self._work), _within(limits.max, self._work)
            self._limits = int(limits.min), low, high
            # long double is more exact than the bounds, which are Python's floats.
            if (self._steps or info.dtype.kind == "f") and self._work.itemsize <= 8:
                self._fitting = _fitting(self._steps, low, high, self._work)
                if self._fitting is not None and info.dtype.kind in "iub":
                    least, most = _range(info.dtype)
                    self._always_fits = self._fitting[0] <= least and most <= self._fitting[1]
        elif self.to != "raw" and not self._always_fits:
            self._always_fits = _bound(info.dtype, multiply, add) <= float(np.finfo(dtype).max)

    def process(self, chunk: Chunk) -> Chunk:
        info, source = self._converted, chunk.data
        assert info is not None
        if info is chunk.info and not self._steps:
            return chunk
        data = self._values(source) if self._always_fits or self._fits(source) else self._limited(source)
        set_writeable(data, False)
        return _unchecked(data, info, chunk.index, chunk.time_ns)

    def _fits(self, source: Samples) -> bool:
        """Is that sure from its least and largest value? Then there is nothing to limit, and nothing to be told of."""
        if self._fitting is None or not source.size:
            return False
        least, most = self._fitting
        # NaN compares as False. float(): a bound is not to be rounded to a narrower dtype of the source.
        return least <= float(_least_of(source, None)) and float(_largest_of(source, None)) <= most

    def _limited(self, source: Samples) -> Samples:
        """The values, of which some may be too large."""
        if self._integer:
            if source.dtype.kind in "iub" and not self._steps:
                return self._clipped(source)
            with np.errstate(over="ignore", invalid="ignore"):
                return self._rounded(self._computed(source))
        try:
            with np.errstate(over="raise", invalid="ignore"):
                return self._values(source)
        except FloatingPointError:
            with np.errstate(over="ignore", invalid="ignore"):
                data = self._values(source)
            self._count(int(np.count_nonzero(np.isinf(data) & ~np.isinf(source))))
            return data

    def _values(self, source: Samples) -> Samples:
        """The values, of which nothing is to be limited."""
        if self._cast_alone:
            return source.astype(self._sent_as)
        work = self._computed(source)
        if self._integer:
            np.rint(work, work)
        return work if self._work is self._sent_as else work.astype(self._sent_as)

    def _computed(self, source: Samples) -> Samples:
        """What the steps make of it, in the dtype in which they are done and an array that may be overwritten."""
        work = self._room(source) if self._integer else np.empty(source.shape, self._work)
        values = source
        if self._copied_first:
            work[...] = source
            values = work
        for function, factor in self._steps:
            function(values, factor, work)
            values = work
        return work

    def _room(self, source: Samples) -> Samples:
        """An array of the dtype in which the values are worked on: those that came in are others' too.

        What is sent is made of it and no view of it, so one array serves all chunks: the allocator has less to do.
        """
        scratch = self._scratch
        if scratch is None or scratch.shape[1:] != source.shape[1:] or len(scratch) < len(source):
            self._scratch = scratch = np.empty(source.shape, self._work)
        return scratch if len(scratch) == len(source) else scratch[: len(source)]

    def _clipped(self, source: Samples) -> Samples:
        """Integers in a dtype that does not hold all of them."""
        low, high = _shared_range(source.dtype, self._sent_as)
        if source.size and (source.min() < low or source.max() > high):
            self._count(int(np.count_nonzero((source < low) | (source > high))))
            source = np.clip(source, low, high)
        return source.astype(self._sent_as)

    def _rounded(self, work: Samples) -> Samples:
        """Floats, which are overwritten, as integers."""
        least, low, high = self._limits
        np.rint(work, out=work)
        # Written so that NaN, which compares as False, goes the long way.
        if work.size and not (work.min() >= low and work.max() <= high):
            missing = np.isnan(work)
            # Above `high` may be values that fit, as 2**63 - 1 is no float64: they are none in the source either.
            self._count(int(np.count_nonzero(missing | (work < least) | (work > high))))
            work[missing] = 0
            np.clip(work, low, high, out=work)
        return work.astype(self._sent_as)

    def _count(self, values: int) -> None:
        if values and not self.saturated:
            log.warning("%s: values do not fit into %s and are limited (counted in `saturated`)", self.path, self.dtype)
        self.saturated += values


def _checked_dtype(dtype: npt.DTypeLike | None, who: str) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    try:
        checked = np.dtype(dtype)
    except TypeError as exc:
        raise UsageError(f"{who}: {dtype!r} is no dtype: {exc}") from exc
    if checked.kind not in "iufc":
        raise UsageError(f"{who}: dtype is one of integers or floats, not {checked}")
    return checked


def _default_dtype(source: np.dtype[Any], *, changed: bool) -> np.dtype[Any]:
    if source.kind in "fc" or not changed:
        return source
    return np.dtype(np.float32 if source.itemsize <= 2 else np.float64)


def _plain(value: Factor | None) -> Factor | None:
    return tuple(float(each) for each in value) if isinstance(value, tuple | list | np.ndarray) else value


def _factor(value: Factor | None, info: StreamInfo, work: np.dtype[Any]) -> Any:
    """A scale or offset in such a shape that it meets the channels of a row."""
    if value is None:
        return None
    factor = np.asarray(value, work)
    if not factor.ndim:
        return factor  # of no dimensions: numpy takes it sooner than a number of its own
    if not info.shape or factor.shape != info.shape[:1]:
        raise StreamMismatch(
            f"Convert: the stream {info.name or 'without a name'} has rows of shape {info.shape}, wanted one channel "
            f"for each of the {factor.size} values of scale or offset"
        )
    return factor.reshape(-1, *(1 for _ in info.shape[1:]))


def _bound(source: np.dtype[Any], multiply: Any, add: Any) -> float:
    """What add + multiply * value does not exceed, on either side."""
    if source.kind not in "iub":
        return math.inf
    largest = max(map(abs, _range(source)))
    factor, offset = (0.0 if value is None else float(np.abs(value).max()) for value in (multiply, add))
    return (1.0 if multiply is None else factor) * largest + offset


def _range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """What integers of a dtype, or True and False, can be."""
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def _shared_range(source: np.dtype[Any], target: np.dtype[Any]) -> tuple[int, int]:
    """What integers of both dtypes can be."""
    (low, high), (lowest, highest) = _range(source), _range(target)
    return max(low, lowest), min(high, highest)


def _fitting(steps: list[tuple[Any, Any]], low: float, high: float, work: np.dtype[Any]) -> tuple[float, float] | None:
    """Values between which the steps give nothing that rounds to below `low` or above `high`; None: none are known.

    No step, with its rounding, ever turns the order of two values round (or it does of all): if the results of both
    ends fit, so do those of all values between them. So the ends may be guessed, and are tried.
    """
    ends = np.float64(low), np.float64(high)
    with np.errstate(all="ignore"):
        for function, factor in reversed(steps):
            ends = tuple(_INVERSE[function](end, factor.astype(np.float64)) for end in ends)
        least, most = float(np.minimum(*ends).max()), float(np.maximum(*ends).min())
        found = []
        for end, inwards in (least, most - least), (most, least - most):
            for margin in (0.0, 1e-6, 1e-4):
                tried = np.array(end + margin * inwards, work)
                result = tried
                for function, factor in steps:
                    result = function(result, factor)
                result = np.rint(result)
                if np.all((low <= result) & (result <= high)):
                    found.append(float(tried))
                    break
    return (found[0], found[1]) if len(found) == 2 else None


def _within(limit: int, work: np.dtype[Any]) -> Any:
    """The float nearest to a limit of integers that does not lie beyond it."""
    value = work.type(limit)
    if limit > 0 and int(value) > limit:
        value = np.nextafter(value, work.type(0))
    return value
