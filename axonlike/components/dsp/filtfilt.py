"""Filters without delay in phase: forwards, and a little later backwards over what came in the meantime.

The backward pass ought to begin at the end of the stream. Here it begins `overlap_rows` behind the rows that it is
for; what is wrong then has died away by that time, as fast as the filter rings (`overlap_for`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import signal

from axonlike.component import Component
from axonlike.components.dsp.filters import Design, Sections, SosFilter, check_sos, filter_rows
from axonlike.components.dsp.samples import RowTimes
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["OverlapFiltfilt", "overlap_for"]

_CREST = 4.0
"""Peaks of noise are about so many times as large as its mean magnitude."""
_SHORTEST_BLOCK = 64


def overlap_for(sos: npt.ArrayLike, tolerance: float) -> int:
    """Rows after which the largest error of a pass that began from zero is `tolerance` times the mean magnitude.

    It is where what is left of the impulse response (the sum of magnitudes) has fallen to tolerance / 4 of the whole: a
    little above ln(tolerance) / ln(largest pole radius), which is when one pole alone has died away. Of several
    filters, the largest. Raises UsageError for one that does not settle, and for a tolerance outside of 0 to 1.
    """
    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance lies between 0 and 1, not {tolerance!r}")
    sections = check_sos(sos)
    return max(_overlap(one, tolerance / _CREST) for one in (sections if sections.ndim == 3 else [sections]))


def _overlap(sos: Sections, part: float) -> int:
    _, poles, _ = signal.sos2zpk(sos)
    radius = float(np.abs(poles).max(initial=0.0))
    if radius >= 1.0:
        raise UsageError(f"a filter with a pole of radius {radius:.6g} does not settle: no overlap is long enough")
    rows = 64 + 8 * len(sos)
    if radius > 0.0:
        rows += 2 * int(np.ceil(np.log(part) / np.log(radius)))
    while True:
        impulse = np.zeros(rows)
        impulse[0] = 1.0
        magnitudes = np.abs(signal.sosfilt(sos, impulse))
        left = np.cumsum(magnitudes[::-1])[::-1]
        # The last quarter may not count: what would follow it is missing in all its sums.
        enough = np.flatnonzero(left[: rows * 3 // 4] <= part * left[0])
        if enough.size:
            return max(1, int(enough[0]))
        rows *= 2


class OverlapFiltfilt(SosFilter):
    """Filters forwards and backwards: twice the filter's attenuation and no shift in time, at the price of a delay.

    sos, keep_state, steady_start: as for `SosFilter`, the latter for both passes (scipy.signal.sosfiltfilt without
    padding, then). overlap_rows: how far behind the rows that it is for a backward pass begins; None: what `tolerance`
    needs (`overlap_for`). block_rows: the backward pass runs each time so many rows have come; None: as many as
    overlap_rows, so that it takes twice the work of the forward pass. A row leaves at most overlap_rows + block_rows
    after it came.

    The result depends on the blocks, counted from where the stream begins, and never on the chunks. When the stream
    ends, and before a gap, the last rows follow, as exact as the whole signal filtered at once. When `sos` is changed,
    what has been filtered forwards is ended like this with the old ones.
    """

    def __init__(
        self,
        *producers: Component,
        sos: npt.ArrayLike | Design,
        overlap_rows: int | None = None,
        tolerance: float = 1e-3,
        block_rows: int | None = None,
        keep_state: bool = True,
        steady_start: bool = False,
    ) -> None:
        if overlap_rows is not None and overlap_rows < 0:
            raise UsageError(f"OverlapFiltfilt: overlap_rows is 0 or more, not {overlap_rows!r}")
        if block_rows is not None and block_rows < 1:
            raise UsageError(f"OverlapFiltfilt: block_rows is 1 or more, not {block_rows!r}")
        if not 0 < tolerance < 1:
            raise UsageError(f"OverlapFiltfilt: tolerance lies between 0 and 1, not {tolerance!r}")
        self._wanted_overlap, self._tolerance, self._wanted_block = overlap_rows, tolerance, block_rows
        self.overlap_rows = overlap_rows or 0
        self.block_rows = block_rows or 1
        super().__init__(*producers, sos=sos, keep_state=keep_state, steady_start=steady_start)

    def begin(self, info: StreamInfo) -> None:
        super().begin(info)
        self._begin_blocks(info)

    def _begin_blocks(self, info: StreamInfo) -> None:
        assert self.sections is not None
        overlap = self._wanted_overlap
        self.overlap_rows = overlap_for(self.sections, self._tolerance) if overlap is None else overlap
        self.block_rows = self._wanted_block or max(self.overlap_rows, _SHORTEST_BLOCK)
        wide = np.result_type(self._out.dtype, np.float64)
        self._held = np.empty((self.overlap_rows + self.block_rows, *info.shape), wide)  # filtered forwards, not back
        self._rows = 0
        self._in_block = 0
        self._first: int | None = None  # the index of held[0]
        self._times = RowTimes()

    def process(self, chunk: Chunk) -> Iterable[Chunk]:
        results: list[Chunk] = []
        if self._next is not None:
            # The old filter's backward pass cannot run over what the new one has filtered forwards.
            results += self.flush()
            self.take_over()
            self._begin_blocks(chunk.info)
        if self._first is None:
            self._first = chunk.index
        self._times.note(chunk)
        forward = self.filtered(chunk)
        start = 0
        while start < len(forward):
            stop = min(len(forward), start + self.block_rows - self._in_block)
            self._held[self._rows : self._rows + stop - start] = forward[start:stop]
            self._rows += stop - start
            self._in_block += stop - start
            start = stop
            if self._in_block == self.block_rows:
                self._in_block = 0
                if self._rows > self.overlap_rows:
                    results.append(self._release(self._rows - self.overlap_rows))
        return results

    def flush(self) -> list[Chunk]:
        return [self._release(self._rows)] if self._rows else []

    def _release(self, rows: int) -> Chunk:
        assert self._first is not None
        # A value that is not finite was counted on the way forwards.
        backward, _ = filter_rows(self.cascades(), self._held[: self._rows][::-1])
        ready = backward[::-1][:rows].astype(self._out.dtype, order="C")
        result = Chunk(ready, self._out, self._first, self._times.of(self._first))
        self._held[: self._rows - rows] = self._held[rows : self._rows].copy()
        self._rows -= rows
        self._first += rows
        return result
