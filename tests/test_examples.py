"""Every example, executed in a process of its own as its user would, with what it prints and does.

What an example prints by itself stands in tests/golden/examples/NAME.out. Those that serve or connect get real peers:
sockets on free ports, a pseudo-terminal, small HTTP and SMTP servers. What AXONLIKE_SHUFFLE would change in the order of
lines is not the subject here, so golden examples run without it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "golden" / "examples"
HANG_GUARD_S = 60.0

# These end by themselves and print the same each time: name -> what is typed.
GOLDEN_EXAMPLES = {
    "00_miniaxon": "",
    "async_pipeline": "",
    "bounded_producer_consumer": "",
    "carousel": "",
    "feedback_loop": "",
    "one_after_another": "hello\nis it me you are looking for?",
    "publish_subscribe": "",
    "restart": "",
    "timers": "",
}
# Driven by a test below.
DRIVEN_EXAMPLES = {
    "chat_console",
    "chat_server",
    "demo",
    "echo_server",
    "message_of_the_day",
    "notify_by_priority",
    "notify_machine_a",
    "notify_machine_b",
    "relay",
    "web_hook_and_mail",
}
# In virtual time, because what is printed first depends on timers of two components.
IN_VIRTUAL_TIME = """
import runpy, sys
from axonlike import Scheduler
from axonlike.clock import Virtual
from axonlike.testing import isolated, virtual_loops
with isolated(Scheduler(loop_factory=virtual_loops(Virtual()))):
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_each_example_is_executed_here() -> None:
    there_are = {path.stem for path in EXAMPLES.glob("*.py")}
    assert there_are == GOLDEN_EXAMPLES.keys() | DRIVEN_EXAMPLES


@pytest.mark.parametrize("name", GOLDEN_EXAMPLES)
def test_it_prints_what_it_should(name: str, tmp_path: Path) -> None:
    in_virtual_time = ("-c", IN_VIRTUAL_TIME) if name == "timers" else ()
    done = subprocess.run(
        [sys.executable, *in_virtual_time, EXAMPLES / f"{name}.py"],
        input=GOLDEN_EXAMPLES[name], capture_output=True, text=True, timeout=HANG_GUARD_S, cwd=tmp_path,
        env=_environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, (GOLDEN / f"{name}.out").read_text()), done.stderr
    assert name == "restart" or done.stderr == ""


def test_the_restarted_component_is_named_in_the_log(tmp_path: Path) -> None:
    done = _run("restart", tmp_path)
    assert re.findall(r"message #\d: .*|cause     \w+", done.stderr) == [
        "message #3: 'nonsense' (str)", "cause     ValueError", "message #5: '' (str)", "cause     ValueError",
    ]  # fmt: skip


def test_miniaxon_is_short_and_imports_nothing() -> None:
    lines = (EXAMPLES / "00_miniaxon.py").read_text().splitlines()
    assert len(lines) <= 150
    assert not [line for line in lines if re.match(r"\s*(import|from)\s|.*__import__", line)]


# -- what the tests above and below use


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "AXONLIKE_SHUFFLE"} | {
        "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error",
    }  # fmt: skip


def _run(name: str, cwd: Path, *arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)],
        input=typed, capture_output=True, text=True, timeout=HANG_GUARD_S, cwd=cwd, env=_environment(), check=False,
    )  # fmt: skip
