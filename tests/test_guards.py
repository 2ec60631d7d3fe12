"""tests/conftest.py itself: each kind of leak fails the test that makes it, and a test that hangs ends the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts a pytest of its own

HERE = Path(__file__).resolve().parent

SETUP = """
import asyncio, os, subprocess, sys, threading
import pytest
kept = []
"""

LEAKS_OF_EACH_KIND = """
def test_that_leaks():
    wait = "import sys; sys.stdin.read()"  # ends when its parent does
    kept.append(subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE))
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait, name="left-behind", daemon=True).start()
    kept.append(os.pipe())
    loop = asyncio.new_event_loop()
    kept.append(loop.create_task(asyncio.sleep(60), name="never-done"))
    loop.close()
    os.environ["AXONLIKE_LEFT"] = "1"

def test_that_comes_after_it():
    pass
"""

NO_LEAK = """
def test_that_cleans_up_late():
    threading.Timer(0.1, lambda: None).start()  # gone within the grace

@pytest.mark.allow_leak("fd")
def test_that_leaks_on_purpose():
    kept.append(os.pipe())

@pytest.fixture(scope="module")
def shared_pipe():
    ends = os.pipe()
    yield ends
    os.close(ends[0])
    os.close(ends[1])

def test_that_uses_what_lives_longer_than_a_test(shared_pipe):
    pass
"""

FAILS_AND_LEAKS = """
def test_that_fails():
    kept.append(os.pipe())
    assert False, "the real reason"
"""

A_HANG = """
@pytest.mark.hang_guard(4)
def test_that_hangs():
    threading.Event().wait()
"""

A_HANG_AFTER_OTHERS = """
@pytest.mark.parametrize("number", range(20))
def test_that_is_quick(number):
    pass

def test_that_hangs():
    threading.Event().wait()

def test_that_comes_after_it():
    pass
"""

KEEPS_THE_INTERPRETER = """
def test_that_fails():
    threading.Thread(target=threading.Event().wait, name="not-a-daemon").start()
    assert False, "the real reason"
"""


def _run(
    folder: Path, tests: str, *changed: tuple[str, str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    text = (HERE / "conftest.py").read_text()
    for line, replaced in changed:
        assert f"\n{line}" in text
        text = text.replace(f"\n{line}", f"\n{replaced}")
    (folder / "conftest.py").write_text(text)
    shutil.copy(HERE.parent / "pyproject.toml", folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_inner.py").write_text(SETUP + tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:anyio", "tests"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    whole = inherited | dict(environment or {})
    return subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run of all that ends by itself: what one of them leaves is there when the next begins."""
    tests = LEAKS_OF_EACH_KIND + NO_LEAK + FAILS_AND_LEAKS
    changed = ("GRACE_S = 10.0", "GRACE_S = 4.0")  # it is waited for in vain
    return _run(tmp_path_factory.mktemp("leaking"), tests, changed, environment={"AXONLIKE_SHUFFLE": "17"})


def _outcomes(done: subprocess.CompletedProcess[str]) -> list[str]:
    """A letter for each test and E for each error after one, in their order."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("tests/test_inner.py ")]
    return list(line.split()[1])


def test_a_leak_of_each_kind_fails_the_test_that_made_it_and_no_other(
    leaking: subprocess.CompletedProcess[str],
) -> None:
    assert _outcomes(leaking)[:3] == [".", "E", "."]
    (report,) = [line for line in leaking.stdout.splitlines() if line.startswith("this test leaks:")]
    left = ["thread <Thread(left-behind", "fd ", "-> pipe:", "child ", "task <Task", "never-done", "AXONLIKE_LEFT=1"]
    for part in left:
        assert part in report
    assert leaking.returncode == 1


def test_late_clean_up_and_intended_leaks_and_wider_fixtures_are_no_leaks(
    leaking: subprocess.CompletedProcess[str],
) -> None:
    assert _outcomes(leaking)[3:6] == [".", ".", "."]


def test_a_failing_test_is_not_blamed_for_leaks_too(leaking: subprocess.CompletedProcess[str]) -> None:
    assert _outcomes(leaking)[6:] == ["F"]
    assert "the real reason" in leaking.stdout
    assert "1 failed, 5 passed, 1 error" in leaking.stdout


def test_the_seed_of_a_shuffled_run_is_printed(leaking: subprocess.CompletedProcess[str]) -> None:
    assert "AXONLIKE_SHUFFLE=17" in leaking.stdout


def test_a_hanging_test_ends_the_run_and_shows_where_it_hangs(tmp_path: Path) -> None:
    done = _run(tmp_path, A_HANG)
    assert "in test_that_hangs" in done.stderr
    assert done.returncode == 1


def test_a_hang_is_seen_too_when_the_guard_was_started_for_a_test_before(tmp_path: Path) -> None:
    done = _run(tmp_path, A_HANG_AFTER_OTHERS, ("HANG_GUARD_S = 120.0", "HANG_GUARD_S = 5.0"))
    assert "in test_that_hangs" in done.stderr
    assert done.returncode == 1


def test_a_thread_left_behind_does_not_keep_the_run_from_ending(tmp_path: Path) -> None:
    changed = ("EXIT_GUARD_S = 10.0", "EXIT_GUARD_S = 1.0")
    done = _run(tmp_path, KEEPS_THE_INTERPRETER, changed, environment={"AXONLIKE_SHUFFLE": ""})
    assert "the real reason" in done.stdout
    assert "1 failed" in done.stdout
    assert "in wait" in done.stderr
    assert done.returncode == 1
    assert "AXONLIKE_SHUFFLE" not in done.stdout  # no seed, none printed
