"""The contestants of `benchmarks.spectrum`: from the radio's integers to levels in dBm, and scipy.fft alone.

All go through the same counts, in arrays of `CHUNK` samples as a radio sends them when it is read in large pieces, or
of one packet. A workload takes a number of arrays and counts samples; the frames that came out are checked. Seconds are
of processor time of this process, so that they are those of one core whatever else the machine does.
"""

import functools
import time
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from axonlike import Component, Pipeline
from axonlike.components.dsp.calibrate import Calibrate, decibels
from axonlike.components.dsp.iq import complex_samples
from axonlike.components.dsp.spectrum import FFT, iq_power, taper
from axonlike.streams.chunk import Chunk, StreamInfo
from benchmarks.harness import Run, expect

__all__ = ["CHUNK", "INFO", "blocks", "functions", "scipy_alone"]

CHUNK = 65536
POOL = 4 * 1024 * 1024  # bytes of counts that are gone through over and over: more than a core's own cache
LEVEL_DBM = -5.0
OFFSET_DB = 15.7678
BATCH = 65536  # samples that FFT transforms at once

INFO = StreamInfo(
    kind="iq", dtype=np.dtype(">i2"), shape=(2,), sample_rate_hz=25e6, units="FS", scale=1 / 8192, name="radio",
    facts={"center_frequency_hz": 2.4e9, "frequency_shift_hz": 0.0, "reference_level_dbm": LEVEL_DBM},
)  # fmt: skip

Counts = list[npt.NDArray[Any]]


@functools.cache  # most of a run would else be spent on making it
def counts(rows: int) -> Counts:
    """Read-only arrays of so many pairs of noise."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 500, (max(2, POOL // (4 * rows)), rows, 2)).round().astype(">i2")
    noise.flags.writeable = False
    return list(noise)


def scipy_alone(points: int, arrays: int) -> Run:
    """The transform of complex64 frames and nothing else, as many at once as `FFT` takes."""
    frames = max(1, BATCH // points)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((frames, points, 2)).astype(np.float32).view(np.complex64)[..., 0]
    rounds = arrays * CHUNK // (frames * points)
    started = time.process_time()
    for _ in range(rounds):
        done = scipy.fft.fft(z, axis=-1)
    seconds = time.process_time() - started
    expect(done.size, frames * points, "bins")
    return Run(rounds * frames * points, seconds)


def functions(points: int, rows: int, arrays: int) -> Run:
    """The functions that `FFT` and `Calibrate` consist of, called one after the other on whole frames."""
    whole = max(rows, points)
    pool = counts(whole)
    weights = (taper("hann", points) / points).astype(np.float32)
    batch = max(1, BATCH // points)
    rounds = arrays * rows // whole
    frames = 0
    started = time.process_time()
    for number in range(rounds):
        raw = pool[number % len(pool)].reshape(-1, points, 2)
        levels = np.empty(raw.shape[:2], np.float32)
        for at in range(0, len(raw), batch):
            iq_power(complex_samples(raw[at : at + batch], INFO), weights, out=levels[at : at + batch])
        levels = decibels(levels, LEVEL_DBM + OFFSET_DB)
        frames += len(levels)
    seconds = time.process_time() - started
    expect(frames, rounds * whole // points, "frames")
    return Run(frames * points, seconds)


class _Radio(Component):
    """Sends so many chunks of the counts, one a step."""

    def __init__(self, pool: Sequence[npt.NDArray[Any]], chunks: int) -> None:
        self.pool, self.chunks = pool, chunks

    def main(self) -> Generator[Any, Any, None]:
        pool = self.pool
        rows = len(pool[0])
        for number in range(self.chunks):
            self.send(Chunk(pool[number % len(pool)], INFO, number * rows))
            yield


class _Display(Component):
    """Counts frames; gaps in their numbers would be lost samples."""

    frames = 0
    next_index = 0

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for chunk in self.inbox():
                expect(chunk.index, self.next_index, "index of a chunk of spectra")
                self.next_index = chunk.end
                self.frames += len(chunk)


def blocks(points: int, rows: int, arrays: int) -> Run:
    """The same as components in a scheduler: a source, FFT, Calibrate, a sink, each chunk by reference."""
    display = _Display()
    graph = Pipeline(_Radio(counts(rows), arrays), FFT(points=points), Calibrate(), display)
    started = time.process_time()
    graph.run()
    seconds = time.process_time() - started
    expect(display.frames, arrays * rows // points, "frames")
    return Run(display.frames * points, seconds)
