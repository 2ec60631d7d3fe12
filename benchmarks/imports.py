"""What `import axonlike` costs a script at its start, beside bare Python and beside the asyncio that it stands on."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.children import call, python
from benchmarks.harness import Options, Reach, Table, expect, installed, interleave

__all__ = ["run"]

BARE = "bare python"
PROGRAMS = {BARE: "pass", "import asyncio": "import asyncio", "import axonlike": "import axonlike"}
HELP = "python -m axonlike --help"
HEAVY = ("numpy", "scipy", "serial", "pygame", "aiohttp", "zmq", "uvloop", "trio")


def _start(command: list[str]) -> Callable[[], float]:
    def timed() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return timed


def loaded_modules(program: str) -> list[str]:
    """Names of all modules that are loaded when `program` has run in a process of its own."""
    return call([sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"]).split()


def run(options: Options) -> list[Table]:
    """Median start of a process for each import; one table."""
    commands = {name: [sys.executable, "-c", program] for name, program in PROGRAMS.items()}
    if installed("axonlike.__main__"):
        commands[HELP] = python("axonlike", "--help")
    for command in commands.values():  # writes the .pyc files, warms the file cache
        _start(command)()
    starts = interleave(
        {name: _start(command) for name, command in commands.items()}, options.rounds if options.quick else 15
    )
    medians = {name: 1e3 * statistics.median(seconds) for name, seconds in starts.items()}
    table = Table("Imports: start of a process, ms", ("median", "above bare python", "modules"))
    modules = {name: loaded_modules(program) for name, program in PROGRAMS.items()}
    for name, median in medians.items():
        table.add(name, median, median - medians[BARE], str(len(modules[name])) if name in modules else None)
    heavy = [module for module in HEAVY if module in modules["import axonlike"]]
    expect(len(heavy), 0, f"optional modules loaded by `import axonlike` ({', '.join(heavy)})")
    table.reaches.append(Reach("import axonlike, ms", 50, medians["import axonlike"] - medians[BARE], at_least=False))
    if HELP in medians:
        table.reaches.append(Reach("axonlike --help, ms", 120, medians[HELP], at_least=False))
    return [table]
