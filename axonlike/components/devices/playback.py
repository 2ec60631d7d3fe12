"""What AudioOut plays: chunks made into a card's own samples, and the buffer from which the card takes them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.soundcard import FORMATS
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["PlayBuffer", "as_played"]


class PlayBuffer:
    """Bytes of rows to be played: put by one thread, taken by another.

    Nothing is given out before `prefill_rows` are there, nor, after it ran empty, until they are there again; so a late
    producer makes one pause, and not a crackle. After `finish` all that there is is given out.
    """

    def __init__(self, row_bytes: int, prefill_rows: int) -> None:
        self.rows = 0
        self.played_rows = 0
        self.underruns = 0
        self.underrun_rows = 0
        self.finished = False
        self._row_bytes = row_bytes
        self._prefill_rows = prefill_rows
        self._playing = False
        self._began = False
        self._pieces: deque[memoryview] = deque()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> None:
        """Add whole rows."""
        with self._lock:
            if data:
                self._pieces.append(memoryview(data))
                self.rows += len(data) // self._row_bytes
            if self.rows >= self._prefill_rows:
                self._playing = self._began = True

    def finish(self) -> None:
        """Nothing will be put any more."""
        with self._lock:
            self.finished = True
            self._playing = self.rows > 0

    def take(self, rows: int) -> tuple[bytes, bool]:
        """So many rows, filled up with silence, and whether all has been played."""
        with self._lock:
            taken: list[Any] = []
            missing = rows
            while self._playing and missing and self._pieces:
                piece = self._pieces[0]
                there = len(piece) // self._row_bytes
                if there <= missing:
                    taken.append(self._pieces.popleft())
                else:
                    taken.append(piece[: missing * self._row_bytes])
                    self._pieces[0] = piece[missing * self._row_bytes :]
                missing -= min(there, missing)
            self.rows -= rows - missing
            self.played_rows += rows - missing
            if missing:
                taken.append(bytes(missing * self._row_bytes))
                if self._playing and not self.finished:
                    self.underruns += 1
                    self._playing = False
                if self._began and not self.finished:
                    self.underrun_rows += missing
            return b"".join(taken), self.finished and not self._pieces


def as_played(chunk: Chunk, format: str, channels: int) -> tuple[npt.NDArray[Any], int]:
    """A chunk's rows as a card takes them, shape (rows, channels), and how many samples had to be clipped for it."""
    info, data = chunk.info, chunk.data
    if data.ndim == 1:
        data = data[:, np.newaxis]
    clipped = 0
    dtype = np.dtype(format)
    native = info.scale in (None, FORMATS[format][1]) and info.offset is None and dtype.kind == "i"
    if not (data.dtype == dtype and native):
        values = _full_scale(info, data)
        bad = ~(np.abs(values) <= 1.0)  # true for what is no number, too
        clipped = int(np.count_nonzero(bad))
        if clipped:
            values = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
        if dtype.kind == "i":
            limits = np.iinfo(format)
            data = np.clip(np.round(values * -float(limits.min)), limits.min, limits.max).astype(dtype)
        else:
            data = values.astype(dtype)
    if data.shape[1] != channels:
        data = np.repeat(data, channels, axis=1)
    return np.ascontiguousarray(data), clipped


def _full_scale(info: StreamInfo, data: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The samples in units of full scale."""
    values = data.astype(np.float64)
    if info.scale is not None or info.offset is not None:
        values = values * np.asarray(1.0 if info.scale is None else info.scale)
        return np.asarray(values + np.asarray(0.0 if info.offset is None else info.offset))
    if data.dtype.kind in "iu":
        limits = np.iinfo(data.dtype)
        half = (float(limits.max) - float(limits.min) + 1) / 2
        return np.asarray((values - (half if limits.min == 0 else 0.0)) / half)
    return values
