"""``axonlike new``: a small project to start from: a script, a test of it in virtual time, a graph file, a README.

Its pytest.ini keeps pytest from taking the settings of a project in whose folder it was made.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from axonlike.cli.output import Exit, Failure, print_json

__all__ = ["add_arguments", "project", "run"]

_README = """\
# NAME

Tells which of the temperatures that a serial device sends are too high.

    axonlike run MODULE.py                  # with a simulated device
    axonlike run MODULE.py /dev/ttyUSB0     # with yours
    axonlike run MODULE.toml                # the same as a graph file
    axonlike check MODULE.py MODULE.toml
    pip install pytest
    python -m pytest                        # the tests, in virtual time: an hour takes a moment
"""

_SCRIPT = '''\
"""Tells which of the temperatures that a serial device sends are too high.

    axonlike run MODULE.py [PORT]

PORT is a serial port such as /dev/ttyUSB0, "auto" for the only one there is, or "demo" (default), a simulated device.
"""

import sys

from axonlike import Component, Pipeline
from axonlike.components.devices import SerialLines
from axonlike.components.util import ConsoleEchoer


class Hot(Component):
    """Takes lines such as "IMPORTANT temperature 29.7", and tells of those above the limit, at most once a minute."""

    def __init__(self, limit_c: float = 29.5, quiet_s: float = 60.0) -> None:
        self.limit_c = limit_c
        self.quiet_s = quiet_s

    def main(self):
        while True:
            yield self.wait("inbox")
            for line in self.inbox():
                *_, what, value = ["", "", *line.split()]
                if what == "temperature" and float(value) > self.limit_c:
                    self.send(f"too hot: {value} C")
                    yield self.sleep(self.quiet_s)
                    for _ in self.inbox():
                        pass  # what came in the meantime is old news


if __name__ == "__main__":
    port = sys.argv[1] if sys.argv[1:] else "demo"
    Pipeline(SerialLines(port), Hot(), ConsoleEchoer()).run()
'''

_TEST = '''\
"""In virtual time: the clock jumps to the next thing that happens, so an hour takes a moment."""

from axonlike import Pipeline
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual

from MODULE import Hot


def told(*lines):
    """What Hot tells, and when."""
    probe = Probe()
    run_virtual(Pipeline(Feeder(lines), Hot(limit_c=30.0), probe))
    return probe.timed


def test_it_tells_of_what_is_too_hot_and_of_nothing_else():
    assert told("NORMAL temperature 30.0", "IMPORTANT temperature 30.1", "NORMAL door 2 open", "noise") == [
        (0.0, "too hot: 30.1 C")
    ]


def test_it_tells_at_most_once_a_minute():
    lines = ["temperature 31", PAUSE(30), "temperature 32", PAUSE(3600), "temperature 33"]
    assert told(*lines) == [(0.0, "too hot: 31 C"), (3630.0, "too hot: 33 C")]
'''

_GRAPH = """\
# The graph of MODULE.py as a file:   axonlike run MODULE.toml DEVICE.port=/dev/ttyUSB0
# What can stand here: `axonlike components`, and for your editor `axonlike schema`.

links = ["DEVICE -> HOT -> SCREEN"]

[components.DEVICE]
type = "SerialLines"
port = "demo"

[components.HOT]
type = "MODULE:Hot"
limit_c = 29.5

[components.SCREEN]
type = "ConsoleEchoer"
"""


_PYTEST = """\
[pytest]
"""


def project(name: str) -> dict[str, str]:
    """The files of a new project: their names and contents."""
    module = name.replace("-", "_").lower()
    files = {
        f"{module}.py": _SCRIPT, f"test_{module}.py": _TEST, f"{module}.toml": _GRAPH, "README.md": _README,
        "pytest.ini": _PYTEST,
    }  # fmt: skip
    return {file: text.replace("MODULE", module).replace("NAME", name) for file, text in files.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike new NAME``."""
    parser.description = (
        "Write a small project into a new folder: a script, a test that runs it in virtual time, the same as a graph "
        "file, and a README. Nothing that is there is ever overwritten."
    )
    parser.add_argument("name", metavar="NAME", help="of the project and its folder; letters, digits, _ and -")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Write it."""
    import keyword
    import sys

    folder = Path(options.name)
    name = folder.name
    module = name.replace("-", "_").lower()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", name) or keyword.iskeyword(module):
        raise Failure(f"{name!r} cannot name a project: use letters, digits, _ and -, and begin with a letter")
    if module in sys.stdlib_module_names or module in ("axonlike", "test", "tests", "pytest", "serial"):
        raise Failure(f"a project named {name!r} would hide the module {module}: choose another name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failure(f"{options.name} is there already: choose another name, or remove it")
    files = project(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            with open(folder / file, "x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as exc:
        raise Failure(f"cannot write {exc.filename or folder}: {exc.strerror}", Exit.FAILED) from exc
    if options.json:
        print_json({"folder": str(folder), "files": list(files)})
        return Exit.OK
    print(f"{folder}/ is ready:\n")
    comments = (
        "the script", "its test, in virtual time", "the same as a graph file", "how to use them",
        "keeps pytest in this folder",
    )  # fmt: skip
    for file, what in zip(files, comments):
        print(f"    {file:<{max(map(len, files)) + 2}}{what}")
    print(f"\nTry it:\n\n    cd {folder}\n    axonlike run {module}.py\n    pip install pytest\n    python -m pytest")
    return Exit.OK
