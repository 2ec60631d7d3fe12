"""Command line of the benchmarks: `python -m benchmarks [--quick] [--only NAME] [--json FILE]`."""

import argparse
import importlib
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from benchmarks.harness import Options, Table, machine, render, to_json

__all__ = ["main"]

# Modules of this package, in the order in which they run. Each is imported when it is to: what one needs (scipy takes
# longer to load than some sections to run) is not there in another's figures, and need not be installed for them.
SECTIONS = (
    "imports", "messages", "idle", "fanout", "connects", "observing", "spectrum", "signals", "filters", "wsa4000",
    "displays", "plotting",
)  # fmt: skip
FULL = Options()
QUICK = Options(quick=True, rounds=3, run_s=0.02, scale=0.1)


def _end(signum: int, frame: FrameType | None) -> None:
    # As an exception, so that every `finally` that ends a child process runs.
    raise SystemExit(128 + signum)


def main(arguments: list[str] | None = None) -> int:
    """Run the sections that were asked for and print one table or more for each. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a tenth of the size")
    parser.add_argument("--only", action="append", choices=sorted(SECTIONS), help="this section alone; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE too")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)

    about = machine()
    print(f"{about['python']}, {about['system']}, {about['cores']} cores; medians of interleaved runs\n", flush=True)
    done: dict[str, list[Table]] = {}
    for name in SECTIONS:
        if asked.only and name not in asked.only:
            continue
        started = time.perf_counter()
        section = importlib.import_module(f"benchmarks.{name}")
        done[name] = section.run(QUICK if asked.quick else FULL)
        for table in done[name]:
            print(render(table), end="\n\n", flush=True)
        print(f"({name}: {time.perf_counter() - started:.0f} s)\n", flush=True)
    if asked.json is not None:
        asked.json.write_text(to_json(done) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
