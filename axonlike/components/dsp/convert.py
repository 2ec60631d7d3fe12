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
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Convert"]

log = logging.getLogger("axonlike.dsp")

_SAMPLED = StreamType(kind=("analog", "digital", "iq", "spectrum", "map", "video"))

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
        self._work = np.dtype(np.float64)
        self._limits: tuple[int, Any, Any] = 0, 0.0, 0.0
        self._scratch: Samples | None = None
        self._always_fits = False
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
        self._always_fits = False
        if dtype.kind in "fc" and self.to != "raw":
            self._always_fits = _bound(info.dtype, multiply, add) <= float(np.finfo(dtype).max)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            self._limits = int(limits.min), _within(limits.min, self._work), _within(limits.max, self._work)

    def process(self, chunk: Chunk) -> Chunk:
        info = self._converted
        assert info is not None
        if info is chunk.info and not self._steps:
            return chunk
        data = self._values(chunk.data, info.dtype) if self._always_fits else self._limited(chunk.data, info.dtype)
        data.setflags(write=False)
        return Chunk.unchecked(data, info, chunk.index, chunk.time_ns)

    def _limited(self, source: Samples, dtype: np.dtype[Any]) -> Samples:
        """The values, of which some may be too large."""
        try:
            with np.errstate(over="raise", invalid="ignore"):
                return self._values(source, dtype)
        except FloatingPointError:
            with np.errstate(over="ignore", invalid="ignore"):
                data = self._values(source, dtype)
            if dtype.kind in "fc":
                self._count(int(np.count_nonzero(np.isinf(data) & ~np.isinf(source))))
            return data

    def _values(self, source: Samples, dtype: np.dtype[Any]) -> Samples:
        if not self._steps:
            if dtype.kind in "fc" or _all_fit(source.dtype, dtype):
                return source.astype(dtype)
            if source.dtype.kind in "iub":
                return self._clipped(source, dtype)
        work = self._room(source, dtype)
        values = source
        if source.dtype != self._work or not self._steps:
            np.copyto(work, source, casting="unsafe")
            values = work
        for function, factor in self._steps:
            function(values, factor, out=work)
            values = work
        return work.astype(dtype, copy=False) if dtype.kind in "fc" else self._rounded(work, dtype)

    def _room(self, source: Samples, dtype: np.dtype[Any]) -> Samples:
        """An array of the dtype in which the values are worked on: those that came in are others' too."""
        if dtype.kind in "fc":
            return np.empty(source.shape, self._work)
        # What is sent is made of it and no view of it, so one array serves all chunks: the allocator has less to do.
        if self._scratch is None or self._scratch.shape[1:] != source.shape[1:] or len(self._scratch) < len(source):
            self._scratch = np.empty(source.shape, self._work)
        return self._scratch[: len(source)]

    def _clipped(self, source: Samples, dtype: np.dtype[Any]) -> Samples:
        """Integers in a dtype that does not hold all of them."""
        low, high = _shared_range(source.dtype, dtype)
        if source.size and (source.min() < low or source.max() > high):
            self._count(int(np.count_nonzero((source < low) | (source > high))))
            source = np.clip(source, low, high)
        return source.astype(dtype)

    def _rounded(self, work: Samples, dtype: np.dtype[Any]) -> Samples:
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
        return work.astype(dtype)

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
        return factor[()]
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
    largest = 1 if source.kind == "b" else max(-int(np.iinfo(source).min), int(np.iinfo(source).max))
    factor, offset = (0.0 if value is None else float(np.abs(value).max()) for value in (multiply, add))
    return (1.0 if multiply is None else factor) * largest + offset


def _all_fit(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    return bool(np.can_cast(source, target, "safe"))


def _shared_range(source: np.dtype[Any], target: np.dtype[Any]) -> tuple[int, int]:
    """What integers of both dtypes can be."""
    if source.kind == "b":
        return 0, 1
    one, other = np.iinfo(source), np.iinfo(target)
    return max(int(one.min), int(other.min)), min(int(one.max), int(other.max))


def _within(limit: int, work: np.dtype[Any]) -> Any:
    """The float nearest to a limit of integers that does not lie beyond it."""
    value = work.type(limit)
    if limit > 0 and int(value) > limit:
        value = np.nextafter(value, work.type(0))
    return value
