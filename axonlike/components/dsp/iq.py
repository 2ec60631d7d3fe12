"""Samples of the two kinds that radios send, pairs of integers and complex numbers, as arrays of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike.streams.chunk import StreamInfo
from axonlike.streamtype import StreamMismatch

__all__ = ["check_iq", "complex_samples", "tuned_hz"]

Complex = npt.NDArray[np.complexfloating[Any, Any]]


def check_iq(info: StreamInfo, where: str) -> None:
    """Raise StreamMismatch unless rows are complex numbers or pairs of real ones."""
    complex_rows = info.shape == () and info.dtype.kind == "c"
    if not complex_rows and not (info.shape == (2,) and info.dtype.kind in "iuf"):
        raise StreamMismatch(
            f"{where}: an iq stream has rows that are complex numbers or pairs of real ones; {info.name or 'this one'} "
            f"has dtype {info.dtype} and rows of shape {info.shape}"
        )


def complex_samples(data: npt.NDArray[Any], info: StreamInfo, dtype: npt.DTypeLike = np.complex64) -> Complex:
    """A new contiguous array of the samples in `info.units` (offset + scale * raw), which the caller may change.

    data: shape (..., 2) of pairs I, Q or (...) of complex numbers, as `info` says. Returns shape (...) of `dtype`,
    complex64 or complex128.
    """
    pairs = info.shape == (2,)
    samples: Complex = np.empty(data.shape[:-1] if pairs else data.shape, dtype)
    parts = samples.view(samples.real.dtype).reshape(*samples.shape, 2)
    if pairs:
        parts[...] = data
    else:
        samples[...] = data
    if info.scale is not None:
        parts *= np.asarray(info.scale, parts.dtype)
    if info.offset is not None:
        (parts if pairs else samples)[...] += np.asarray(info.offset, parts.dtype)
    return samples


def tuned_hz(info: StreamInfo) -> float:
    """The radio frequency that stands at 0 Hz in the samples: center_frequency_hz - frequency_shift_hz of the facts."""
    return float(info.facts.get("center_frequency_hz", 0.0)) - float(info.facts.get("frequency_shift_hz", 0.0))
