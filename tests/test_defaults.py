"""What is said at the end of a script that made a graph and never ran it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HANG_GUARD_S = 60.0
HEAD = """\
import sys
from axonlike import *
from axonlike.components.net import Echo, SimpleServer
from axonlike.components.util import Collect, DataSource
"""


# Runs each script as the __main__ of a process of its own, which ends as any does. Forked, so that what takes long, the
# imports, is there already.
EACH = """
import os, sys
import axonlike.components.net, axonlike.components.util
for path in sys.argv[1:]:
    if not (child := os.fork()):
        break
    os.waitpid(child, 0)
else:
    sys.exit()
sys.argv = [path]
os.dup2(os.open(path + ".told", os.O_WRONLY | os.O_CREAT), 2)
with open(path) as script:
    text = script.read()
exec(compile(text, path, "exec"))
"""


def written(script: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "demo.py"
    path.write_text(HEAD + textwrap.dedent(script))
    return path


def errors_of(script: str, folder: Path) -> str:
    """What a script prints on stderr, in a Python started for it."""
    command = [sys.executable, str(written(script, folder))]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=HANG_GUARD_S).stderr


def errors_of_each(scripts: Sequence[str], folder: Path) -> dict[str, str]:
    paths = {script: written(script, folder / str(number)) for number, script in enumerate(scripts)}
    done = subprocess.run(
        [sys.executable, "-c", EACH, *map(str, paths.values())], cwd=ROOT, timeout=HANG_GUARD_S, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return {script: path.with_name("demo.py.told").read_text() for script, path in paths.items()}


NAMED = [
    ("graph = Pipeline(DataSource([1]), Collect())", "Pipeline"),
    ("Pipeline(DataSource([1]), Collect())", "Pipeline"),
    ("Pipeline(DataSource([1]), Collect()).run", "Pipeline"),
    ("DataSource([1]) | Collect() | Collect()", "Pipeline"),
    ("Pipeline(Pipeline(DataSource([1])), Collect(), name='outer')", "outer"),
    ("Supervisor(Collect)", "Supervisor"),
    ("SimpleServer(Echo, 0)", "SimpleServer"),
]

RIGHT = [
    "Pipeline(DataSource([1]), Collect()).run()",
    "(DataSource([1]) | Collect() | Collect()).run()",
    "inner = Pipeline(DataSource([1])); run(Pipeline(inner, Collect()))",
    # Not made by the script itself, or nothing that is run by itself.
    "def test(): Pipeline(DataSource([1]), Collect())\ntest()",
    "DataSource([1]); Collect()",
    # It may be that it was not to be run this time, or this is not the end of it.
    "graph = Pipeline(Collect())\nif len(sys.argv) > 1: graph.run()",
    "Pipeline(Collect())\nraise SystemError",
    "try: Pipeline(Collect(), 3)\nexcept Exception: pass",
]

INTERACTIVE = "Pipeline(Collect())\nsys.ps1 = '> '"

USES = {
    use: f"""
    from axonlike.here import UNUSED
    graph = DataSource([1]) | Collect()
    {use}
    print(graph in UNUSED, file=sys.stderr)
    """
    for use in ["graph.run()", "graph.activate()", "Pipeline(graph)", "graph | Collect()"]
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of the scripts prints on stderr."""
    scripts = [*(script for script, _ in NAMED), *RIGHT, INTERACTIVE, *USES.values()]
    return errors_of_each(scripts, tmp_path_factory.mktemp("scripts"))


def is_named_once(name: str, told: str) -> bool:
    named = f"demo.py:5: RuntimeWarning: {name} made at demo.py:5 was never run: call .run()"
    return named in told and told.count("RuntimeWarning") == 1


@pytest.mark.parametrize(("script", "name"), NAMED)
def test_a_graph_that_was_never_run_is_named_once_with_its_line(script: str, name: str, told: dict[str, str]) -> None:
    assert is_named_once(name, told[script]), told[script]


def test_a_script_that_is_started_by_itself_is_told_so_too(tmp_path: Path) -> None:
    found = errors_of("Pipeline(DataSource([1]), Collect())", tmp_path)
    assert is_named_once("Pipeline", found), found


@pytest.mark.parametrize("script", RIGHT)
def test_nothing_is_said_where_that_may_be_right(script: str, told: dict[str, str]) -> None:
    assert "never run" not in told[script]


def test_nothing_is_said_after_an_interactive_session(told: dict[str, str]) -> None:
    assert "never run" not in told[INTERACTIVE]


@pytest.mark.parametrize("use", USES)
def test_what_is_used_is_not_kept_for_the_warning(use: str, told: dict[str, str]) -> None:
    assert told[USES[use]].startswith("False\n")
