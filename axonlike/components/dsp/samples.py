"""What several blocks do with samples: engineering values of raw ones, channels by name, and the times of kept rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike.errors import UsageError, did_you_mean
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["RowTimes", "channel_number", "channel_values", "engineering", "engineering_info", "rows_of"]


def engineering_info(info: StreamInfo, **changes: Any) -> StreamInfo:
    """The stream of what `engineering` gives: floating point (or complex), neither scale nor offset.

    float32 for integers of up to 16 bits and for float32, float64 for wider ones; the machine's byte order.
    """
    dtype = np.result_type(info.dtype.newbyteorder("="), np.float32)
    return info.replace(**{"dtype": dtype, "scale": None, "offset": None} | changes)


def engineering(data: npt.NDArray[Any], info: StreamInfo) -> npt.NDArray[Any]:
    """offset + scale * raw, in float64 (complex128); without scale and offset the values as they are, not copied.

    data: rows of a stream that `info` describes, all channels.
    """
    if info.scale is None and info.offset is None:
        return data
    wide = np.result_type(info.dtype.newbyteorder("="), np.float64)
    return _over_rows(0.0 if info.offset is None else info.offset, info) + data.astype(wide) * _over_rows(
        1.0 if info.scale is None else info.scale, info
    )


def channel_values(data: npt.NDArray[Any], channel: int, info: StreamInfo) -> npt.NDArray[np.float64]:
    """What `engineering` gives of one channel alone, always float64, shape (rows,)."""
    values = (data[:, channel] if data.ndim > 1 else data).astype(np.float64)
    if info.scale is None and info.offset is None:
        return values
    scale, offset = (value[channel] if isinstance(value, tuple) else value for value in (info.scale, info.offset))
    return (0.0 if offset is None else offset) + values * (1.0 if scale is None else scale)


def _over_rows(value: float | Sequence[float], info: StreamInfo) -> npt.NDArray[np.float64]:
    """One number, or one for each place of a row's first axis, in a shape that goes with (rows, *info.shape)."""
    array = np.asarray(value, np.float64)
    return array.reshape(-1, *(1,) * (len(info.shape) - 1)) if array.ndim else array


def channel_number(channel: int | str, info: StreamInfo, where: str) -> int:
    """The place of a channel that is given by number or by name. Raises UsageError, which begins with `where`."""
    if isinstance(channel, str):
        if channel in info.channel_names:
            return info.channel_names.index(channel)
        names = ", ".join(info.channel_names) or "none has a name"
        raise UsageError(
            f"{where}: there is no channel {channel!r}{did_you_mean(channel, info.channel_names)} (there are: {names})"
        )
    if not 0 <= channel < info.channels:
        raise UsageError(f"{where}: there is no channel {channel} in a stream of {info.channels}; they count from 0")
    return channel


def rows_of(seconds: float, sample_rate_hz: float) -> int:
    """So many whole rows, rounded towards zero. What is whole but for the arithmetic (0.29 s at 100 Hz) stays whole."""
    rows = seconds * sample_rate_hz
    whole = round(rows)
    return whole if abs(rows - whole) < 1e-6 else int(rows)


class RowTimes:
    """When rows were taken that leave later, in other chunks, than they came."""

    def __init__(self) -> None:
        self._known: deque[tuple[int, int]] = deque()
        self._rate_hz = 0.0

    def note(self, chunk: Chunk) -> None:
        """Remember when this chunk's rows were taken. Chunks come in rising order."""
        self._rate_hz = chunk.info.sample_rate_hz
        if chunk.time_ns is not None and len(chunk):
            self._known.append((chunk.index, chunk.time_ns))

    def of(self, index: int) -> int | None:
        """When the row with this index was taken; None if unknown. Rows before it are forgotten."""
        known = self._known
        while len(known) > 1 and known[1][0] <= index:
            known.popleft()
        if not known or (known[0][0] != index and not self._rate_hz):
            return None
        row, time_ns = known[0]
        return time_ns + round((index - row) * 1e9 / self._rate_hz) if index != row else time_ns
