"""What is said at the end of a script that made a graph and never ran it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
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


def errors_of(script: str, folder: Path, *options: str) -> str:
    """What a script prints on stderr."""
    path = folder / "demo.py"
    path.write_text(HEAD + textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, *options, str(path)], capture_output=True, text=True, cwd=ROOT, timeout=HANG_GUARD_S
    )
    return done.stderr


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("graph = Pipeline(DataSource([1]), Collect())", "Pipeline"),
        ("Pipeline(DataSource([1]), Collect())", "Pipeline"),
        ("Pipeline(DataSource([1]), Collect()).run", "Pipeline"),
        ("DataSource([1]) | Collect() | Collect()", "Pipeline"),
        ("Pipeline(Pipeline(DataSource([1])), Collect(), name='outer')", "outer"),
        ("Supervisor(Collect)", "Supervisor"),
        ("SimpleServer(Echo, 0)", "SimpleServer"),
    ],
)
def test_a_graph_that_was_never_run_is_named_once_with_its_line(script: str, name: str, tmp_path: Path) -> None:
    told = errors_of(script, tmp_path)
    assert f"demo.py:5: RuntimeWarning: {name} made at demo.py:5 was never run: call .run()" in told
    assert told.count("RuntimeWarning") == 1


@pytest.mark.parametrize(
    "script",
    [
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
    ],
)
def test_nothing_is_said_where_that_may_be_right(script: str, tmp_path: Path) -> None:
    assert "never run" not in errors_of(script, tmp_path)


def test_nothing_is_said_after_an_interactive_session(tmp_path: Path) -> None:
    assert "never run" not in errors_of("Pipeline(Collect())\nsys.ps1 = '> '", tmp_path)


@pytest.mark.parametrize("use", ["graph.run()", "graph.activate()", "Pipeline(graph)", "graph | Collect()"])
def test_what_is_used_is_not_kept_for_the_warning(use: str, tmp_path: Path) -> None:
    script = f"""
    from axonlike.here import UNUSED
    graph = DataSource([1]) | Collect()
    {use}
    print(graph in UNUSED, file=sys.stderr)
    """
    assert errors_of(script, tmp_path).startswith("False\n")
