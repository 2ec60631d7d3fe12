"""From the radio's socket to a component's inbox: megabytes a second at three packet sizes, with nothing lost.

The simulated radio runs in a process of its own and sends as fast as it is read, so the figure is what the reading
side can take: the whole way (event loop, packets, tracking of settings and losses, chunks, the box of a component that
counts) beside the same socket read and thrown away, and beside the blocking face, which is the same work without a
scheduler.

The second table is of one process on one core: all its threads are bound to it, and the radio to the others.

Alone, for longer: ``python -m benchmarks.wsa4000 --seconds 60``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from axonlike import Component, Scheduler
from axonlike.components.devices.wsa4000.blocking import connect
from axonlike.components.devices.wsa4000.component import WSA4000
from axonlike.components.dsp import FFT, Calibrate
from benchmarks.children import child, free_ports, python, wait_listening
from benchmarks.harness import Options, Reach, Run, Table, expect, interleave, ratio, render

__all__ = ["run"]

PACKET_SIZES = (1024, 16384, 65520)
POINTS = (1024, 16384, 131072)
_GIGABIT_MB_S = 117.0
_BYTES = 4  # a sample


@contextlib.contextmanager
def _radio() -> Iterator[tuple[int, int]]:
    """The ports of a simulated radio in another process."""
    scpi_port, vrt_port = free_ports(2)
    ports = ("--port", scpi_port, "--vrt-port", vrt_port)
    with child(python("axonlike.simulators.wsa4000", *ports, "--as-fast-as-possible")) as process:
        wait_listening(process, vrt_port)
        yield scpi_port, vrt_port


def _bind(cores: set[int]) -> None:
    """All threads of this process, and what is started from now on, to these cores."""
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread), cores)


def _bound() -> set[int]:
    """The cores on which any thread of this process may run."""
    return set().union(*(os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")))


@contextlib.contextmanager
def _radio_on_other_cores() -> Iterator[tuple[tuple[int, int], str]]:
    """The same, and this process bound to one core, the radio to the rest; with a sentence on that."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(cores) < 2:
        with _radio() as ports:
            yield ports, "Not bound to one core: that needs Linux, and a second core for the radio."
        return
    *others, own = cores
    try:
        _bind(set(others))
        with _radio() as ports:
            _bind({own})
            yield ports, f"This process, all its threads, is bound to core {own}; the simulated radio to {others}."
            expect(len(_bound()), 1, "cores on which this process may have run")
    finally:
        _bind(set(cores))


class _Counter(Component):
    """Counts samples until so many seconds after the first; checks that each follows the one before."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.samples = 0
        self.chunks = 0
        self.missing = 0
        self.took_s = 0.0

    def main(self) -> Any:
        expected: int | None = None
        began_s = 0.0
        while True:
            yield self.wait("inbox")
            for chunk in self.inbox():
                if expected is None:
                    began_s = time.perf_counter()
                else:
                    self.missing += chunk.index - expected
                    self.samples += len(chunk)
                self.chunks += 1
                expected = chunk.end
            self.took_s = time.perf_counter() - began_s
            if self.took_s >= self.seconds:
                return


def _settings(spp: int) -> dict[str, Any]:
    return {"decimation": 4, "samples_per_packet": spp}


def _component(ports: tuple[int, int], spp: int, seconds: float) -> Run:
    radio, counter = WSA4000("127.0.0.1", *ports, reply_gap_s=0.01, **_settings(spp)), _Counter(seconds)
    radio.link((radio, "outbox"), (counter, "inbox"))
    radio.linger_s = 0.0
    Scheduler().run(radio, counter)
    expect(counter.missing, 0, f"samples missing at {spp} samples a packet, by the indices")
    expect(radio.packet_statistics.missing_samples, 0, f"samples missing at {spp} samples a packet, by the packets")
    return Run(counter.samples * _BYTES, counter.took_s)


@dataclass(frozen=True)
class _Load(Run):
    """busy_s: how long this process computed, all its threads together."""

    busy_s: float


class _Frames(_Counter):
    """Counts spectra; `samples` are those that they were made of."""

    def __init__(self, seconds: float, points: int) -> None:
        super().__init__(seconds)
        self.points = points
        self.busy_s = 0.0

    def main(self) -> Any:
        yield from super().main()
        self.samples *= self.points


def _chain(ports: tuple[int, int], points: int, seconds: float) -> _Load:
    radio = WSA4000("127.0.0.1", *ports, reply_gap_s=0.01, **_settings(min(points, 16384)))
    radio.linger_s = 0.0
    fft = FFT(radio, points=points)
    calibrate, frames = Calibrate(fft), _Frames(seconds, points)
    frames.link((calibrate, "outbox"), (frames, "inbox"))
    busy_s = time.process_time()
    Scheduler().run(radio, frames)
    frames.busy_s = time.process_time() - busy_s
    expect(fft.continuity.lost, 0, f"samples missing at {points} points, by the indices")
    expect(frames.missing, 0, f"spectra missing at {points} points")
    expect(radio.packet_statistics.missing_samples, 0, f"samples missing at {points} points, by the packets")
    return _Load(frames.samples * _BYTES, frames.took_s, frames.busy_s)


def _spectra_table(seconds: float, rounds: int) -> Table:
    table = Table(
        f"WSA4000 -> FFT -> Calibrate -> counter, in one process on one core, {seconds:g} s a run, nothing lost",
        ("MB/s", "of Gigabit Ethernet's 117", "seconds of the core / second"),
    )
    with _radio_on_other_cores() as (ports, where):
        for points in POINTS:
            runs = sorted((_chain(ports, points, seconds) for _ in range(rounds)), key=lambda run: run.rate)
            median = runs[rounds // 2]
            done = median.rate / 1e6
            table.add(f"{points} points", done, ratio(done, _GIGABIT_MB_S), ratio(median.busy_s, median.seconds))
            table.reaches.append(Reach(f"MB/s at {points} points", _GIGABIT_MB_S, done))
    table.notes.append(where)
    return table


def _blocking(ports: tuple[int, int], spp: int, seconds: float) -> Run:
    with connect("127.0.0.1", *ports, reply_gap_s=0.01) as radio:
        radio.configure(**_settings(spp))
        samples, began_s, took_s = 0, 0.0, 0.0
        for chunk in radio.stream():
            if not began_s:
                began_s = time.perf_counter()
                continue
            samples += len(chunk)
            took_s = time.perf_counter() - began_s
            if took_s >= seconds:
                break
        expect(radio.statistics.missing_samples, 0, f"samples missing at {spp} samples a packet")
    return Run(samples * _BYTES, took_s)


class _Thrown(asyncio.BufferedProtocol):
    """Reads and forgets."""

    def __init__(self, seconds: float) -> None:
        self.buffer = memoryview(bytearray(2 << 20))
        self.received = 0
        self.seconds = seconds
        self.began_s = self.took_s = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self.began_s:
            self.began_s = time.perf_counter()
            return
        self.received += nbytes
        self.took_s = time.perf_counter() - self.began_s
        if self.took_s >= self.seconds and not self.over.done():
            self.over.set_result(None)


def _thrown_away(ports: tuple[int, int], spp: int, seconds: float) -> Run:
    async def read() -> Run:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        writer.write(b"SYST:LOCK:REQ? ACQ\n")
        await reader.read(1)
        transport, protocol = await loop.create_connection(lambda: _Thrown(seconds), "127.0.0.1", ports[1])
        writer.write(f"DEC 4\nTRAC:SPP {spp}\nTRAC:STR:STAR 1\n".encode())
        await protocol.over
        transport.abort()
        writer.close()
        await writer.wait_closed()
        return Run(protocol.received, protocol.took_s)

    return asyncio.run(read())


def _table(seconds: float, rounds: int) -> Table:
    table = Table(
        f"WSA4000 -> counting component, MB/s, {seconds:g} s a run, nothing lost",
        ("component", "blocking face", "read and thrown away", "component / thrown away"),
    )
    with _radio() as ports:
        for spp in PACKET_SIZES:
            runs = interleave(
                {
                    "component": lambda spp=spp: _component(ports, spp, seconds),  # type: ignore[misc]
                    "blocking": lambda spp=spp: _blocking(ports, spp, seconds),  # type: ignore[misc]
                    "thrown away": lambda spp=spp: _thrown_away(ports, spp, seconds),  # type: ignore[misc]
                },
                rounds,
            )
            ours, blocking, bare = (
                sorted(run.rate for run in runs[name])[rounds // 2] / 1e6
                for name in ("component", "blocking", "thrown away")
            )
            table.add(f"{spp} samples a packet", ours, blocking, bare, ratio(ours, bare))
            table.reaches.append(Reach(f"MB/s at {spp} samples a packet", _GIGABIT_MB_S, ours))
    table.notes.append("The radio is simulated in a process of its own, which needs the second core.")
    return table


def run(options: Options) -> list[Table]:
    """Two tables. A run of `options.run_s` * 10 seconds for each contestant and packet size."""
    seconds = options.run_s * 10
    return [_table(seconds, options.rounds), _spectra_table(seconds, options.rounds)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wsa4000", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run (5)")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many (1)")
    asked = parser.parse_args()
    for table in (_table(asked.seconds, asked.rounds), _spectra_table(asked.seconds, asked.rounds)):
        print(render(table), end="\n\n", flush=True)
