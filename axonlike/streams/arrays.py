"""Arrays as they lie in memory: which dtypes go between processes, and in which order the axes stand in the bytes.

What both codecs, of chunks and of plots, have in common. Neither a transposed nor a reversed array is copied or
changed on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PLAIN_DTYPES", "Buffer", "in_memory_order", "is_order", "laid_out", "set_writeable"]

Buffer = bytes | bytearray | memoryview

PLAIN_DTYPES: dict[str, np.dtype[Any]] = {
    dtype.str: dtype
    for dtype in (
        np.dtype(order + code)
        for code in ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16")
        for order in "<>"
    )
}
"""The allow-list: by the name that numpy gives it, so that no text from outside reaches np.dtype()."""

set_writeable: Callable[[npt.NDArray[Any], bool], None] = np.ndarray.setflags  # type: ignore[assignment]
"""``ndarray.setflags(write=...)`` by position, as numpy documents it (its stubs have keywords alone).

Every chunk is made read-only: this takes a third of what it takes by keyword, a sixth of `.flags.writeable`.
"""


def in_memory_order(data: np.ndarray[Any, Any]) -> tuple[tuple[int, ...], memoryview]:
    """The axes from slowest to fastest, ~axis where one runs backwards, and the bytes in that order."""
    if data.flags.c_contiguous:
        return tuple(range(data.ndim)), _bytes_of(data)
    order = sorted(range(data.ndim), key=lambda axis: -abs(data.strides[axis]))
    backwards = {axis for axis in order if data.strides[axis] < 0 and data.shape[axis] > 1}
    turned = data[tuple(slice(None, None, -1 if axis in backwards else 1) for axis in range(data.ndim))]
    native = turned.transpose(order)
    if not native.flags.c_contiguous:
        native = np.ascontiguousarray(native)
    return tuple(~axis if axis in backwards else axis for axis in order), _bytes_of(native)


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview:
    if not array.size:
        return memoryview(b"")
    return array.reshape(-1).view(np.uint8).data  # by way of uint8: a memoryview knows no structured dtype


def is_order(order: tuple[int, ...], dimensions: int) -> bool:
    """Does it name each of so many axes once, as it stands or as ~axis?"""
    return sorted(axis if axis >= 0 else ~axis for axis in order) == [*range(dimensions)]


def laid_out(content: Buffer, dtype: np.dtype[Any], shape: tuple[int, ...], order: tuple[int, ...]) -> Any:
    """The array of these bytes, its axes in memory as `order` says; read-only where `content` cannot be written."""
    if not len(content):
        return np.empty(shape, dtype)
    axes = [axis if axis >= 0 else ~axis for axis in order]
    native = np.frombuffer(content, dtype).reshape([shape[axis] for axis in axes])
    data = native.transpose(np.argsort(axes))
    if min(order, default=0) < 0:
        data = data[tuple(slice(None, None, -1 if ~axis in order else 1) for axis in range(len(shape)))]
    return data
