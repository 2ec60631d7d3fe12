"""What displays cost: processor seconds for each second of the clock, while signals come as they do from devices.

Each case runs in a process of its own, in a window of 1600 x 1000 pixels that SDL's dummy driver keeps (what an X
server does with the pixels is not in the figure). A scope of 16 channels at 20 kHz and a waterfall with 60 frames of
4096 bins a second come in 60 chunks a second, so each chunk is drawn. What the feed costs is measured alone and is in
the others. Nothing may be lost.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Generator
from typing import Any

from benchmarks.children import call, python
from benchmarks.harness import CountError, Options, Reach, Table, expect

__all__ = ["CASES", "main", "measure", "run"]

CASES = {
    "feed alone": (),
    "scope, scan": ("scan",),
    "scope, scroll": ("scroll",),
    "waterfall": ("waterfall",),
    "spectrum": ("spectrum",),
    "scope and waterfall": ("scan", "waterfall"),
}
LIMIT = 1.0
"""Cores that a scope and a waterfall may take together."""
CHANNELS, RATE_HZ = 16, 20_000.0
BINS, FRAMES_HZ = 4096, 60
WARM_UP_S = 2.0


def measure(case: str, run_s: float) -> dict[str, float]:
    """Run one case in a child process: cores, frames drawn a second, rows lost."""
    figures: dict[str, float] = json.loads(call(python("benchmarks.displays", case, run_s), 60 + 3 * run_s))
    expect(int(figures["lost"]), 0, f"rows lost by {case}")
    return figures


def run(options: Options) -> list[Table]:
    """The section."""
    run_s = 2.0 if options.quick else 5.0
    rounds = 1 if options.quick else 3
    table = Table("displays: what a second of signals costs", ("cores", "frames/s", "chunks/s"))
    found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case in CASES:
            found[case].append(measure(case, run_s))
    for case, runs in found.items():
        cells = [statistics.median(one[name] for one in runs) for name in ("cores", "frames", "chunks")]
        table.add(case, round(cells[0], 3), round(cells[1], 1), round(cells[2], 1))
    together = statistics.median(one["cores"] for one in found["scope and waterfall"])
    table.reaches.append(Reach("cores for scope and waterfall together", LIMIT, together, at_least=False))
    table.notes.append("16 channels at 20 kHz; 60 frames of 4096 bins a second; 1600 x 1000 pixels, nothing lost")
    return [table]


def main(arguments: list[str]) -> int:
    """The child: run one case for so many seconds and print its figures."""
    os.environ.update(SDL_VIDEODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1")
    import numpy as np

    from axonlike import Component, run
    from axonlike.components.ui import Display
    from axonlike.components.ui.instrument import Instrument
    from axonlike.components.ui.scope import Scope
    from axonlike.components.ui.spectrum_view import SpectrumView
    from axonlike.components.ui.waterfall import Waterfall
    from axonlike.linkage import Box
    from axonlike.streams.chunk import Axis, Chunk, StreamInfo

    case, run_s = arguments[0], float(arguments[1])
    random = np.random.default_rng(1)
    rows = round(RATE_HZ / FRAMES_HZ)
    analog = StreamInfo(
        kind="analog", dtype=np.dtype("f4"), shape=(CHANNELS,), sample_rate_hz=RATE_HZ, units="V", name="signal"
    )
    spectra = StreamInfo(
        kind="spectrum", dtype=np.dtype("f4"), shape=(BINS,), sample_rate_hz=FRAMES_HZ, units="dBm", name="radio",
        axis=Axis("frequency", "Hz", 1e9, 1e3),
    )  # fmt: skip
    signals = [random.standard_normal((rows, CHANNELS)).astype(np.float32) for _ in range(32)]
    frames = [random.normal(-90, 5, (1, BINS)).astype(np.float32) for _ in range(32)]

    class Feed(Component):
        Outboxes = {"signal": Box("samples", Chunk), "spectra": Box("spectra", Chunk)}
        sent = 0

        def main(self) -> Generator[Any, Any, None]:
            began_s = time.monotonic()
            while True:
                number, self.sent = self.sent, self.sent + 1
                if "signal" in self.wires().from_out:
                    self.send(Chunk(signals[number % 32], analog, number * rows), "signal")
                if "spectra" in self.wires().from_out:
                    self.send(Chunk(frames[number % 32], spectra, number), "spectra")
                yield self.sleep(max(0.0, began_s + self.sent / FRAMES_HZ - time.monotonic()))

    feed, display = Feed(), Display((1600, 1000))
    views: list[Instrument] = []
    for kind in CASES[case]:
        if kind in ("scan", "scroll"):
            views.append(Scope(span_s=3.0, mode=kind))
            feed.link((feed, "signal"), (views[-1], "inbox"))
        else:
            views.append(Waterfall(span_s=8.0) if kind == "waterfall" else SpectrumView(peak_hold=True))
            feed.link((feed, "spectra"), (views[-1], "inbox"))

    class Watch(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(WARM_UP_S)
            before = time.monotonic(), time.process_time(), display.frames, feed.sent
            yield self.sleep(run_s)
            after = time.monotonic(), time.process_time(), display.frames, feed.sent
            wall_s = after[0] - before[0]
            cpu, drawn, sent = ((b - a) / wall_s for a, b in zip(before[1:], after[1:], strict=True))
            if views and drawn < 10:
                raise CountError(f"{case}: {drawn:.0f} frames a second were drawn, so the time says nothing")
            print(json.dumps({"cores": cpu, "frames": drawn, "chunks": sent, "lost": sum(v.lost for v in views)}))
            assert self.scheduler is not None
            self.scheduler.stop("measured")

    run(*([display] if views else []), feed, *views, Watch())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
