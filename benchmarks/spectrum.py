"""IQ to spectra in dBm: components in a scheduler beside the same functions without one, and beside scipy.fft alone.

One core, one process. Counted are samples a second of processor time. A radio on Gigabit Ethernet sends up to 29.4
million (117.5 MB/s of 4 bytes each). The functions do what pyrf does: integers to complex64, mean and IQ correction of
each frame, window, transform, power, dBm.
"""

import statistics
from collections.abc import Callable
from functools import partial

from benchmarks.harness import Options, Reach, Table, Workload, calibrate, interleave

__all__ = ["contestants", "run"]

POINTS = (1024, 16384, 131072)
PACKET = 1024
GIGABIT = 29.4e6
ROUNDS = 3  # times as many as other sections have: what the neighbours leave of the caches moves single runs by a third

SCIPY = "scipy.fft alone"
FUNCTIONS = "functions, one after the other"
BLOCKS = "FFT and Calibrate in a scheduler"
PACKETS = ("functions, 1024 samples a call", "in a scheduler, 1024 samples a chunk")

Key = tuple[str, int]


def contestants() -> dict[Key, Workload]:
    """All that is measured. A workload takes the number of arrays of `CHUNK` samples, or of one packet."""
    from benchmarks import spectrum_chains as chains

    found: dict[Key, Workload] = {}
    for points in POINTS:
        found[SCIPY, points] = partial(chains.scipy_alone, points)
        found[FUNCTIONS, points] = partial(chains.functions, points, chains.CHUNK)
        found[BLOCKS, points] = partial(chains.blocks, points, chains.CHUNK)
    found[PACKETS[0], PACKET] = partial(chains.functions, PACKET, PACKET)
    found[PACKETS[1], PACKET] = partial(chains.blocks, PACKET, PACKET)
    return found


def run(options: Options) -> list[Table]:
    """One table: millions of samples a second of each, at each length."""
    runs = _measured(contestants(), options)
    rates = {key: statistics.median(of_rounds) for key, of_rounds in runs.items()}
    table = Table("IQ to spectra in dBm, millions of samples/s", tuple(f"{points} points" for points in POINTS))
    for name in (SCIPY, FUNCTIONS, BLOCKS, *PACKETS):
        table.add(name, *(rates[name, points] / 1e6 if (name, points) in rates else None for points in POINTS))
    for name in (FUNCTIONS, BLOCKS):
        table.add(f"times scipy.fft's: {name}", *(_times(runs, (SCIPY, n), (name, n)) for n in POINTS))
    for points in POINTS:
        wanted = 1.3 if points == 1024 else 1.1
        times = _times(runs, (FUNCTIONS, points), (BLOCKS, points))
        table.reaches.append(Reach(f"{points} points: times the functions alone", wanted, times, at_least=False))
        table.reaches.append(Reach(f"{points} points: samples/s", GIGABIT, rates[BLOCKS, points]))
    table.notes.append(f"chunks of 65536 samples; the last two contestants have {PACKET} at a time, for comparison")
    return [table]


def _measured(workloads: dict[Key, Workload], options: Options) -> dict[Key, list[float]]:
    sizes = {key: calibrate(workload, options.run_s, start=2) for key, workload in workloads.items()}

    def sized(workload: Workload, size: int) -> Callable[[], float]:
        return lambda: workload(size).rate

    contestants = {key: sized(workload, sizes[key]) for key, workload in workloads.items()}
    return interleave(contestants, ROUNDS * options.rounds)


def _times(runs: dict[Key, list[float]], faster: Key, slower: Key) -> float:
    """How many times as long the one takes: the median over the rounds, in each of which one follows the other."""
    return statistics.median(a / b for a, b in zip(runs[faster], runs[slower]))
