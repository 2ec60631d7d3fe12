"""What travels between components that work on signals: some rows of samples, and what they are.

A `Chunk` is never changed once it was sent: its array is read-only, and many may hold the same one. Its index is the
absolute number of its first row since the stream began, so whatever was lost on the way, anywhere, is seen by everybody
further down: the next index is larger than expected. `Continuity` watches for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.lib.format
import numpy.typing as npt

from axonlike.errors import UsageError
from axonlike.streams.arrays import set_writeable
from axonlike.streamtype import Kind, StreamMismatch, StreamType

__all__ = ["EVENT", "Axis", "Chunk", "Continuity", "StreamInfo", "join"]

EVENT = np.dtype([("sample", "<i8"), ("channel", "<i4"), ("value", "<f8")])
"""An event found in a signal: the absolute index of its row, the channel, and a value (a level, a spike's height)."""

_KINDS = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Axis:
    """The last axis of each row: place k stands for start + k * step."""

    name: str
    units: str
    start: float
    step: float

    def values(self, places: int) -> npt.NDArray[np.float64]:
        """All `places` values, shape (places,)."""
        return self.start + self.step * np.arange(places, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What the rows of a stream are. Equal streams are equal; a new one is sent when something changes (a retune).

    dtype: anything numpy takes as one. shape: of one row, so (channels,) for analog. sample_rate_hz: rows a second; 0
    for a stream that has none (events). channel_names: as many as the row's first axis has places, or none. name: of
    the source; two streams into one display are told apart by it. axis: what the last axis of a row means.
    scale, offset: engineering value = offset + scale * raw, each one number or one for each channel; None if the
    samples are in `units` already. clock: whose `Chunk.time_ns` is. facts: whatever else belongs to the stream, plain
    data that JSON can hold (``{"center_frequency_hz": 2.45e9, "reference_level_dbm": -5}``).

    Raises UsageError for what is no stream.
    """

    kind: Kind
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    sample_rate_hz: float = 0.0
    units: str = ""
    channel_names: tuple[str, ...] = ()
    name: str = ""
    axis: Axis | None = None
    scale: float | tuple[float, ...] | None = None
    offset: float | tuple[float, ...] | None = None
    clock: str = "host"
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    if TYPE_CHECKING:  # what it takes is wider than what it keeps

        def __init__(
            self,
            *,
            kind: Kind,
            dtype: npt.DTypeLike,
            shape: Iterable[int] = (),
            sample_rate_hz: float = 0.0,
            units: str = "",
            channel_names: Iterable[str] = (),
            name: str = "",
            axis: Axis | None = None,
            scale: float | Iterable[float] | None = None,
            offset: float | Iterable[float] | None = None,
            clock: str = "host",
            facts: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UsageError(f"StreamInfo: there is no kind {self.kind!r} (there are: {', '.join(_KINDS)})")
        try:
            object.__setattr__(self, "dtype", np.dtype(self.dtype))
        except TypeError as exc:
            raise UsageError(f"StreamInfo: {self.dtype!r} is no dtype: {exc}") from exc
        if self.dtype.hasobject:
            raise UsageError(f"StreamInfo: {self.dtype!r} holds Python objects; a stream is of numbers")
        shape = tuple(int(length) for length in self.shape)
        if any(length < 1 for length in shape):
            raise UsageError(f"StreamInfo: shape is that of one row, its lengths positive, not {self.shape!r}")
        if not 0 <= self.sample_rate_hz < float("inf"):
            raise UsageError(f"StreamInfo: sample_rate_hz is positive (0: no rate), not {self.sample_rate_hz!r}")
        names = tuple(str(name) for name in self.channel_names)
        if names and (not shape or len(names) != shape[0]):
            raise UsageError(f"StreamInfo: {len(names)} channel names for rows of shape {shape}")
        for what in ("scale", "offset"):
            value = getattr(self, what)
            if isinstance(value, Real):  # numpy's numbers too
                object.__setattr__(self, what, float(value))
            elif value is not None:
                value = tuple(float(v) for v in value)
                if not shape or len(value) != shape[0]:
                    raise UsageError(f"StreamInfo: {what} has {len(value)} values for rows of shape {shape}")
                object.__setattr__(self, what, value)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "channel_names", names)
        object.__setattr__(self, "sample_rate_hz", float(self.sample_rate_hz))
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __reduce__(self) -> Any:
        return StreamInfo.from_dict, (self.as_dict(),)

    def as_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold, of what is not as by default; `from_dict` makes the same stream of it."""
        plain = {
            f.name: value
            for f in fields(self)
            if (value := getattr(self, f.name)) != ({} if f.name == "facts" else f.default)
        }
        plain["dtype"] = np.lib.format.dtype_to_descr(self.dtype)
        if self.axis is not None:
            plain["axis"] = asdict(self.axis)
        if self.facts:
            plain["facts"] = dict(self.facts)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> StreamInfo:
        """The stream that `as_dict` described (lists may stand for tuples). Raises UsageError for anything else."""
        fields_of_it = dict(plain)
        try:
            fields_of_it["dtype"] = np.lib.format.descr_to_dtype(_with_tuples(plain["dtype"]))
            if plain.get("axis") is not None:
                fields_of_it["axis"] = Axis(**plain["axis"])
            for name in ("shape", "channel_names"):
                fields_of_it[name] = tuple(plain.get(name, ()))
            return cls(**fields_of_it)
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            raise UsageError(f"that describes no stream: {exc!r}") from exc

    @property
    def channels(self) -> int:
        """The length of a row's first axis; 1 for rows that are single values."""
        return self.shape[0] if self.shape else 1

    @property
    def row_bytes(self) -> int:
        """What one row takes."""
        return int(self.dtype.itemsize * np.prod(self.shape, dtype=np.int64))

    @property
    def type(self) -> StreamType:
        """What a box would have to say to send just this."""
        return StreamType(
            self.kind, self.dtype.newbyteorder("=").name if self.dtype.names is None else None,
            self.channels, self.sample_rate_hz, self.units,
        )  # fmt: skip

    def check(self, takes: StreamType | None, where: str) -> None:
        """Raise StreamMismatch, which begins with `where`, if these rows are not what `takes` says."""
        why = takes.mismatch(self.type) if takes is not None else None
        if why is not None:
            raise StreamMismatch(f"{where}: the stream {self.name or 'without a name'} has {why}")

    def replace(self, **changes: Any) -> StreamInfo:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def empty(self, rows: int) -> npt.NDArray[Any]:
        """An array for so many rows, not filled."""
        return np.empty((rows, *self.shape), self.dtype)


def _with_tuples(descr: Any) -> Any:
    """A dtype's description as numpy wants it: JSON has made lists of the tuples."""
    if not isinstance(descr, list):
        return descr
    return [tuple(_with_tuples(item) if n == 1 else tuple(item) if isinstance(item, list) else item
                  for n, item in enumerate(field_)) for field_ in descr]  # fmt: skip


class Chunk:
    """Some rows of a stream, read-only, axis 0 is time.

    data: shape (rows, *info.shape), dtype info.dtype; 0 rows are allowed. index: the absolute number of the first row.
    time_ns: when that row was taken, in ns since 1970 (UTC) on the clock that `info.clock` names; None if unknown.

    The array is not copied: whoever makes a chunk of it does not write to it again. Raises StreamMismatch when the
    array is not as `info` says.
    """

    __slots__ = ("data", "index", "info", "time_ns")

    def __init__(self, data: npt.ArrayLike, info: StreamInfo, index: int = 0, time_ns: int | None = None) -> None:
        array = data if type(data) is np.ndarray else np.asarray(data)
        dtype, shape = array.dtype, array.shape
        if (dtype is not info.dtype and dtype != info.dtype) or shape[1:] != info.shape or not shape:
            raise StreamMismatch(
                f"a chunk of {info.name or 'a stream'}: the array has dtype {array.dtype} and shape {array.shape}, the "
                f"stream dtype {info.dtype} and shape {('rows', *info.shape)}"
            )
        if array.flags.writeable:
            array = array.view()
            set_writeable(array, False)
        self.data: npt.NDArray[Any] = array
        self.info = info
        self.index = index
        self.time_ns = time_ns

    @staticmethod
    def unchecked(data: npt.NDArray[Any], info: StreamInfo, index: int, time_ns: int | None) -> Chunk:
        """The same without a look at the array, which is as `info` says, and read-only already: for code that has
        just made it so, and works on short chunks."""
        chunk = _new_chunk(Chunk)
        chunk.data = data
        chunk.info = info
        chunk.index = index
        chunk.time_ns = time_ns
        return chunk

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        info = self.info
        name = f" of {info.name}" if info.name else ""
        return f"<Chunk{name}: rows {self.index}..{self.end} of {info.kind}, {info.dtype} {info.shape}>"

    @property
    def end(self) -> int:
        """The index of the row that follows its last one."""
        return self.index + len(self.data)

    @property
    def duration_s(self) -> float:
        """How long it took; 0 for a stream without a rate."""
        rate_hz = self.info.sample_rate_hz
        return len(self.data) / rate_hz if rate_hz else 0.0

    def time_ns_of(self, row: int) -> int | None:
        """When its row number `row` was taken, from `time_ns` and the rate; None if that is unknown."""
        if self.time_ns is None or not row:
            return self.time_ns
        rate_hz = self.info.sample_rate_hz
        return self.time_ns + round(row * 1e9 / rate_hz) if rate_hz else None

    def part(self, start: int, stop: int) -> Chunk:
        """Its rows from `start` to before `stop`, counted from its own first one; no copy."""
        start, stop, _ = slice(start, stop).indices(len(self.data))
        return _unchecked(self.data[start:stop], self.info, self.index + start, self.time_ns_of(start))

    def with_data(self, data: npt.ArrayLike, info: StreamInfo | None = None) -> Chunk:
        """A chunk at the same place with other data: what a block that changes each row by itself gives."""
        return Chunk(data, info or self.info, self.index, self.time_ns)


_new_chunk = object.__new__
_unchecked = Chunk.unchecked


def join(chunks: Iterable[Chunk]) -> Chunk:
    """One chunk of several that follow each other without a gap, in one new array (one chunk: itself).

    Raises UsageError if there are none, StreamMismatch if they do not follow each other.
    """
    several = list(chunks)
    if not several:
        raise UsageError("join: no chunks")
    first = several[0]
    for before, after in zip(several, several[1:]):
        if after.index != before.end or (after.info is not before.info and after.info != before.info):
            raise StreamMismatch(f"join: {after!r} does not follow {before!r}")
    if len(several) == 1:
        return first
    data = np.concatenate([chunk.data for chunk in several], dtype=first.info.dtype)  # it would turn >i2 round
    return Chunk(data, first.info, first.index, first.time_ns)


class Continuity:
    """Watches the indices of one stream.

    lost: rows that were missing, in all; gaps: how often. restarts: how often the index went back (the source began
    anew). Rows that came twice are part of a restart.
    """

    def __init__(self) -> None:
        self.expected: int | None = None
        self.lost = 0
        self.gaps = 0
        self.restarts = 0

    def missing(self, chunk: Chunk) -> int:
        """How many rows are missing before this chunk: 0 if it follows, -1 if the index went back."""
        expected, self.expected = self.expected, chunk.index + len(chunk.data)
        if expected is None or expected == chunk.index:
            return 0
        if chunk.index < expected:
            self.restarts += 1
            return -1
        lost = chunk.index - expected
        self.lost += lost
        self.gaps += 1
        return lost
