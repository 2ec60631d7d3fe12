"""Chunks of samples: handed over inside one scheduler, and worked on by the simplest blocks beside plain numpy.

Hand-over: a source sends chunks to a sink, one a step or 100; "made" also makes each Chunk, as a device does. What is
counted is chunks that arrived, in order.

Blocks: the same samples through a block (its `feed`), through a component in a Pipeline, and through a few lines of
numpy that do the same and nothing else: no index, no gap, no StreamInfo. Counted are rows that came out. What a block
adds is about a microsecond a chunk, whatever its length, so the short chunks show that, and the long ones (512 KiB, as
a radio sends them) what it is with the samples.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike import Component, Pipeline
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.channels import ChannelSelect, ChannelSplit
from axonlike.components.dsp.convert import Convert
from axonlike.components.dsp.rechunk import Rechunk
from axonlike.streams.chunk import Chunk, StreamInfo
from benchmarks.harness import Options, Reach, Run, Table, Workload, expect, measure_rates, ratio

__all__ = ["blocks", "handed_over", "run"]

CHANNELS = 16
ROWS = (1024, 16384)
RECHUNKED_ROWS = 1000
GROUPS = {"left": [0, 1, 2, 5], "right": [3, 8, 9, 15]}
SCALE, OFFSET = 0.1, -3.5
RAW_SCALE = 1.0  # with which all samples fit into int16 again
INFO = StreamInfo(
    kind="analog", dtype=np.dtype(np.int16), shape=(CHANNELS,), sample_rate_hz=20_000.0, units="uV", scale=SCALE,
    offset=OFFSET,
)  # fmt: skip

Samples = npt.NDArray[Any]


def samples(rows: int) -> Samples:
    """One chunk's worth, always the same."""
    made = np.random.default_rng(1).integers(-30_000, 30_000, (rows, CHANNELS)).astype(np.int16)
    made.flags.writeable = False
    return made


# -- hand-over


class Source(Component):
    """Sends `chunks` chunks, `burst` a step."""

    def __init__(self, chunks: int, burst: int, made: bool) -> None:
        self.chunks, self.burst, self.made = chunks, burst, made

    def main(self) -> Iterator[None]:
        data = samples(1024)
        ready = [Chunk(data, INFO, 1024 * number) for number in range(self.burst)]
        for start in range(0, self.chunks, self.burst):
            if self.made:
                for number in range(start, start + self.burst):
                    self.send(Chunk(data, INFO, 1024 * number))
            else:
                for chunk in ready:
                    self.send(chunk)
            yield


class Sink(Component):
    """Counts chunks and rows."""

    chunks = rows = 0

    def main(self) -> Iterator[Any]:
        inbox = self.inbox()
        while True:
            yield self.wait("inbox")
            for chunk in inbox:
                self.chunks += 1
                self.rows += len(chunk.data)


class Same(Block):
    """Hands every chunk on."""

    def process(self, chunk: Chunk) -> Chunk:
        return chunk


def handed_over(chunks: int, *, burst: int = 1, made: bool = False, through_block: bool = False) -> Run:
    """From a source to a sink; through_block: by way of a block that does nothing, so over two links."""
    chunks = -(-chunks // burst) * burst
    sink = Sink()
    block = [Same()] if through_block else []
    graph = Pipeline(Source(chunks, burst, made), *block, sink)
    started = time.perf_counter()
    graph.run()
    seconds = time.perf_counter() - started
    expect(sink.chunks, chunks, "chunks handed over")
    expect(sink.rows, 1024 * chunks, "rows handed over")
    return Run(chunks, seconds)


# -- blocks beside plain numpy


def numpy_rechunk(data: Samples, chunks: int) -> int:
    """Into arrays of RECHUNKED_ROWS, each a new one."""
    kept, filled, came_out = np.empty((RECHUNKED_ROWS, CHANNELS), data.dtype), 0, 0
    for _ in range(chunks):
        start, count = 0, len(data)
        while start < count:
            taken = min(RECHUNKED_ROWS - filled, count - start)
            kept[filled : filled + taken] = data[start : start + taken]
            filled += taken
            start += taken
            if filled == RECHUNKED_ROWS:
                came_out += len(kept)
                kept, filled = np.empty((RECHUNKED_ROWS, CHANNELS), data.dtype), 0
    return came_out + filled


def numpy_split(data: Samples, chunks: int) -> int:
    """Two groups of four channels."""
    came_out = 0
    left, right = GROUPS.values()
    for _ in range(chunks):
        one, other = data[:, left], data[:, right]
        came_out += len(one) + len(other)
    return came_out


def numpy_select(data: Samples, chunks: int) -> int:
    """Four channels."""
    came_out = 0
    left = GROUPS["left"]
    for _ in range(chunks):
        one = data[:, left]
        came_out += len(one)
    return came_out


def numpy_convert(data: Samples, chunks: int) -> int:
    """Into engineering values, float32."""
    came_out = 0
    scale, offset = np.float32(SCALE), np.float32(OFFSET)
    for _ in range(chunks):
        values = offset + scale * data.astype(np.float32)
        came_out += len(values)
    return came_out


def numpy_raw(data: Samples, chunks: int) -> int:
    """From float32 into int16, rounded; what does not fit is counted and limited, if there is any, and NaN is 0.

    A look at the least and largest value costs less than np.clip, which would count nothing.
    """
    came_out = saturated = 0
    values = data.astype(np.float32)
    scale, offset = np.float32(RAW_SCALE), np.float32(OFFSET)
    for _ in range(chunks):
        rounded = values - offset
        rounded /= scale
        np.rint(rounded, out=rounded)
        if not (rounded.min() >= -32768 and rounded.max() <= 32767):
            fits = (rounded >= -32768) & (rounded <= 32767)
            saturated += rounded.size - int(np.count_nonzero(fits))
            rounded = np.nan_to_num(np.clip(rounded, -32768, 32767), nan=0.0)
        raw = rounded.astype(np.int16)
        came_out += len(raw)
    expect(saturated, 0, "values that do not fit")
    return came_out


PLAIN: dict[str, Callable[[Samples, int], int]] = {
    "Rechunk": numpy_rechunk,
    "ChannelSplit": numpy_split,
    "ChannelSelect": numpy_select,
    "Convert to engineering": numpy_convert,
    "Convert to raw": numpy_raw,
}
OURS: dict[str, Callable[[], Block | ChannelSplit]] = {
    "Rechunk": lambda: Rechunk(rows=RECHUNKED_ROWS),
    "ChannelSplit": lambda: ChannelSplit(GROUPS),
    "ChannelSelect": lambda: ChannelSelect(channels=GROUPS["left"]),
    "Convert to engineering": lambda: Convert(to="engineering"),
    "Convert to raw": lambda: Convert(to="raw", dtype=np.int16, scale=RAW_SCALE, offset=OFFSET),
}


def stream(name: str, rows: int, chunks: int) -> list[Chunk]:
    """What a device would send."""
    info, data = INFO, samples(rows)
    if name == "Convert to raw":
        info = INFO.replace(dtype=np.dtype(np.float32), scale=None, offset=None)
        data = data.astype(np.float32)
    return [Chunk(data, info, rows * number) for number in range(chunks)]


def plain(name: str, rows: int, chunks: int) -> Run:
    """The lines of numpy."""
    data = samples(rows)
    started = time.perf_counter()
    came_out = PLAIN[name](data, chunks)
    return _checked(name, rows, chunks, came_out, time.perf_counter() - started)


def fed(name: str, rows: int, chunks: int) -> Run:
    """The block's `feed`, without a scheduler."""
    block, sent = OURS[name](), stream(name, rows, chunks)
    came_out = 0
    started = time.perf_counter()
    if isinstance(block, ChannelSplit):
        for chunk in sent:
            for each in block.feed(chunk).values():
                came_out += len(each.data)
    else:
        for chunk in sent:
            for each in block.feed(chunk):
                came_out += len(each.data)
        for each in block.finish():
            came_out += len(each.data)
    return _checked(name, rows, chunks, came_out, time.perf_counter() - started)


class Device(Component):
    """Sends the chunks of a stream, one a step."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self.chunks = chunks

    def main(self) -> Iterator[None]:
        for chunk in self.chunks:
            self.send(chunk)
            yield


def in_a_graph(name: str, rows: int, chunks: int) -> Run:
    """The component, between a source and a sink (ChannelSplit: two)."""
    block = OURS[name]()
    device, sinks = Device(stream(name, rows, chunks)), [Sink()]
    if isinstance(block, ChannelSplit):
        sinks.append(Sink())
        graph = Pipeline(device, block)
        for group, sink in zip(GROUPS, sinks):
            block.link((block, group), (sink, "inbox"))
            sink.activate()
    else:
        graph = Pipeline(device, block, sinks[0])
    started = time.perf_counter()
    graph.run()
    seconds = time.perf_counter() - started
    return _checked(name, rows, chunks, sum(sink.rows for sink in sinks), seconds)


def _checked(name: str, rows: int, chunks: int, came_out: int, seconds: float) -> Run:
    expect(came_out, rows * chunks * (2 if name == "ChannelSplit" else 1), f"rows out of {name}")
    return Run(chunks, seconds)


WAYS: dict[str, Callable[[str, int, int], Run]] = {"numpy": plain, "feed": fed, "graph": in_a_graph}


def blocks(rows: int) -> dict[tuple[str, str], Workload]:
    """Each block in each way, with chunks of so many rows; a workload takes the number of chunks."""
    return {(name, way): partial(workload, name, rows) for name in PLAIN for way, workload in WAYS.items()}


def run(options: Options) -> list[Table]:
    """Both tables."""
    rates = measure_rates(
        {
            ("handed over", "step"): handed_over,
            ("handed over", "burst"): partial(handed_over, burst=100),
            ("made and handed over", "step"): partial(handed_over, made=True),
            ("made and handed over", "burst"): partial(handed_over, burst=100, made=True),
            ("made, and through a block", "step"): partial(handed_over, made=True, through_block=True),
            ("made, and through a block", "burst"): partial(handed_over, burst=100, made=True, through_block=True),
        },
        options,
    )
    first = Table("Signals: chunks by reference inside one scheduler, thousands a second", ("step", "burst of 100"))
    for name in dict.fromkeys(name for name, _ in rates):
        first.add(name, rates[name, "step"] / 1e3, rates[name, "burst"] / 1e3)
    wanted = 200_000
    first.reaches.append(Reach("chunks/s, handed over, step", wanted, rates["handed over", "step"]))
    first.reaches.append(Reach("chunks/s, made and handed over, burst", wanted, rates["made and handed over", "burst"]))

    columns = [f"{rows} rows: {what}" for rows in ROWS for what in ("numpy/s", "feed", "graph")]
    title = f"Signals: blocks, {CHANNELS} channels of int16; time as a multiple of plain numpy's"
    second = Table(title, tuple(columns))
    found = {rows: measure_rates(blocks(rows), options, start=20) for rows in ROWS}
    for name in PLAIN:
        cells: list[float | None] = []
        for rates_of in found.values():
            numpy_rate = rates_of[name, "numpy"]
            cells += [numpy_rate, *(ratio(numpy_rate, rates_of[name, way]) for way in ("feed", "graph"))]
        second.add(name, *cells)
        for rows, rates_of in found.items():
            times = rates_of[name, "numpy"] / rates_of[name, "feed"]
            second.reaches.append(Reach(f"{name}, {rows} rows, as times of numpy", 1.2, times, at_least=False))
    return [first, second]
