"""Filters on streams, beside the same calls of scipy on the same chunks without any stream around them.

1024 rows of 16 channels a chunk, a band-pass of order 7 (7 sections). "scipy alone" keeps its state in a local variable
and does nothing else; the block makes a chunk of the result, looks at the indices, and watches for values that are not
finite. What is counted is rows, in thousands a second; each contestant checks that it has given them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import signal

from axonlike.components.dsp.filters import SosFilter
from axonlike.components.dsp.filtfilt import OverlapFiltfilt
from axonlike.streams.chunk import Chunk, StreamInfo
from benchmarks.harness import Options, Reach, Run, Table, Workload, expect, measure_rates, ratio

__all__ = ["own", "peers", "run"]

ROWS, CHANNELS = 1024, 16
OVERLAP = 512
RATE_HZ = 1000.0
SOS = signal.iirfilter(7, [40, 60], btype="band", ftype="butter", output="sos", fs=RATE_HZ)

FILTERS = ("SosFilter", "OverlapFiltfilt")
Key = tuple[str, str, str]
"""Filter, dtype, contestant."""
DTYPES = ("float64", "float32")
ALONE, BLOCK = "scipy alone", "axonlike"


def _data(dtype: str) -> npt.NDArray[np.floating]:
    return np.random.default_rng(0).standard_normal((ROWS, CHANNELS)).astype(dtype)


def _alone_forwards(dtype: str) -> Workload:
    data = _data(dtype)

    def workload(chunks: int) -> Run:
        state, rows = np.zeros((len(SOS), 2, CHANNELS)), 0
        begin = time.perf_counter()
        for _ in range(chunks):
            result, state = signal.sosfilt(SOS, data, axis=0, zi=state)
            rows += len(result.astype(dtype, copy=False))
        seconds = time.perf_counter() - begin
        expect(rows, chunks * ROWS, f"{ALONE}, {FILTERS[0]}, {dtype}")
        return Run(rows, seconds)

    return workload


def _alone_both_ways(dtype: str) -> Workload:
    data = _data(dtype)

    def workload(chunks: int) -> Run:
        state, rows = np.zeros((len(SOS), 2, CHANNELS)), 0
        held = np.zeros((ROWS + OVERLAP, CHANNELS))
        begin = time.perf_counter()
        for _ in range(chunks):
            result, state = signal.sosfilt(SOS, data, axis=0, zi=state)
            held[:OVERLAP] = held[ROWS:]
            held[OVERLAP:] = result
            rows += len(signal.sosfilt(SOS, held[::-1], axis=0)[::-1][:ROWS].astype(dtype, order="C"))
        seconds = time.perf_counter() - begin
        expect(rows, chunks * ROWS, f"{ALONE}, {FILTERS[1]}, {dtype}")
        return Run(rows, seconds)

    return workload


def _block(made: Callable[[], SosFilter], name: str, dtype: str) -> Workload:
    data = _data(dtype)
    info = StreamInfo(kind="analog", dtype=np.dtype(dtype), shape=(CHANNELS,), sample_rate_hz=RATE_HZ)

    def workload(chunks: int) -> Run:
        block, rows = made(), 0
        begin = time.perf_counter()
        for number in range(chunks):
            for result in block.feed(Chunk(data, info, number * ROWS)):
                rows += len(result)
        seconds = time.perf_counter() - begin
        rows += sum(len(result) for result in block.finish())
        expect(rows, chunks * ROWS, f"{BLOCK}, {name}, {dtype}")
        return Run(rows, seconds)

    return workload


def peers() -> dict[Key, Workload]:
    """scipy without a stream. A workload takes the number of chunks."""
    found: dict[Key, Workload] = {}
    for dtype in DTYPES:
        found[FILTERS[0], dtype, ALONE] = _alone_forwards(dtype)
        found[FILTERS[1], dtype, ALONE] = _alone_both_ways(dtype)
    return found


def own() -> dict[Key, Workload]:
    """The blocks."""
    found: dict[Key, Workload] = {}
    for dtype in DTYPES:
        found[FILTERS[0], dtype, BLOCK] = _block(lambda: SosFilter(sos=SOS), FILTERS[0], dtype)
        found[FILTERS[1], dtype, BLOCK] = _block(
            lambda: OverlapFiltfilt(sos=SOS, overlap_rows=OVERLAP, block_rows=ROWS), FILTERS[1], dtype
        )
    return found


def run(options: Options) -> list[Table]:
    """Measure every contestant; one table."""
    rates = measure_rates(peers() | own(), options, start=8)
    table = Table(
        f"Filters: thousand rows of {CHANNELS} channels a second, {ROWS} a chunk, {len(SOS)} sections",
        (ALONE, BLOCK, "us a chunk", "x scipy's time"),
    )
    for name in FILTERS:
        for dtype in DTYPES:
            alone, block = rates[name, dtype, ALONE], rates[name, dtype, BLOCK]
            table.add(f"{name}, {dtype}", alone / 1e3, block / 1e3, ROWS / block * 1e6, ratio(alone, block))
            table.reaches.append(Reach(f"time of {name}, {dtype} / scipy alone", 1.2, alone / block, at_least=False))
    return [table]
