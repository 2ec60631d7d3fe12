"""`axonlike doctor`: every look gives a line, with a remedy where something is missing, and none ends the others."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from axonlike import speedups
from axonlike.cli import doctor
from axonlike.cli.doctor import PACKAGES, Line, examine, wall_clock
from axonlike.cli.main import main
from axonlike.cli.output import Exit
from axonlike.errors import how_to_install

ROOT = Path(__file__).parents[2]


def line(what: str) -> Line:
    (found,) = [line for line in examine() if line.what == what]
    return found


def test_a_machine_on_which_the_tests_run_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == Exit.OK
    output = capsys.readouterr().out
    for what in ("Python", "axonlike", "pyserial", "event loop", "open files", "runtime folder", "wall clock"):
        assert f"\n{what} " in f"\n{output}"


def test_whatever_is_not_well_has_a_remedy() -> None:
    for found in examine():
        assert found.state in ("ok", "optional", "warning", "broken")
        assert bool(found.remedy) == (found.state != "ok")


def test_json_has_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said["broken"] is False
    assert all(list(entry) == ["what", "state", "found", "remedy"] for entry in said["lines"])


def test_an_optional_package_that_is_not_installed_says_what_it_is_for_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)  # what Python itself does to bar an import
    found = line("pyserial")
    install = how_to_install("axonlike[serial]")
    assert found == Line("pyserial", "optional", "not installed (only for serial ports)", install)


def test_whether_the_short_ways_are_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speedups, "in_use", True)
    assert line("speedups").state == "ok"
    monkeypatch.setattr(speedups, "in_use", False)
    monkeypatch.setenv("AXONLIKE_SPEEDUPS", "0")
    assert line("speedups").remedy == "unset AXONLIKE_SPEEDUPS"
    monkeypatch.delenv("AXONLIKE_SPEEDUPS")
    assert line("speedups").state == "optional"
    assert "sudo apt install gcc python3-dev" in line("speedups").remedy


def test_what_is_optional_is_counted_apart_from_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    assert main(["doctor"]) == Exit.OK
    said = capsys.readouterr().out
    install = r"^pyserial +optional  not installed \(only for serial ports\)\n +.*pip install"
    assert re.search(install, said, re.MULTILINE)
    assert re.search(r"\d optional and not there; the rest is well$", said)
    assert "missing" not in said


@pytest.mark.parametrize(
    ("synchronised", "state", "begin"),
    [(True, "ok", "kept right"), (False, "warning", "nothing keeps it right"), (None, "ok", "this system does not")],
)
def test_the_wall_clock_is_judged_apart_from_timers(synchronised: bool | None, state: str, begin: str) -> None:
    found = wall_clock(synchronised)
    assert (found.state, found.found[: len(begin)]) == (state, begin)
    assert line("timers").state == "ok"


def test_a_package_that_is_installed_and_broken_is_told_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyaudio.py").write_text("import a_library_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pyaudio", raising=False)
    found = line("PyAudio")
    assert (found.state, found.found) == ("warning", "is installed, but lacks a_library_that_is_not_there")


def test_the_packages_are_those_of_the_extras() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package in PACKAGES:
        assert any(requirement.startswith(package.name) for requirement in extras[package.extra])


@pytest.mark.parametrize(("soft", "state"), [(256, "warning"), (1024, "warning"), (4096, "ok")])
def test_the_limit_of_open_files_is_judged(soft: int, state: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        found = line("open files")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found.state == state
    assert found.found.startswith(f"{soft} at once")


def test_the_runtime_folder_is_this_users_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:  # a short path: the address of a socket has 108 bytes
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        found = line("runtime folder")
        assert found.state == "ok"
        assert found.found.startswith(f"{runtime}/axonlike, ")
        folder = Path(runtime, "axonlike")
        assert not folder.exists()  # looking makes nothing
        folder.mkdir()
        folder.chmod(0o755)
        found = line("runtime folder")
    assert found.state == "warning"
    assert "is open to others" in found.found


def test_no_screen_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert line("screen").state == "optional"
    monkeypatch.setenv("DISPLAY", ":7")
    assert line("screen") == Line("screen", "ok", "DISPLAY=:7")


def test_an_event_loop_that_cannot_work_is_broken_and_the_exit_code_says_so() -> None:
    # A uvloop that was built for another Python, say: it can be imported, and fails when a loop is made.
    code = (
        "import sys, types; sys.modules['uvloop'] = broken = types.ModuleType('uvloop')\n"
        "def new_event_loop(): raise RuntimeError('cannot make a loop')\n"
        "broken.new_event_loop = new_event_loop\n"
        "from axonlike.cli.main import main; sys.exit(main(['doctor']))"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert asked.returncode == Exit.FAILED
    assert "cannot make a loop" in asked.stdout
    assert "wall clock" in asked.stdout  # the looks behind it were taken all the same
    assert asked.stderr == ""


def test_every_look_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", None)
    found = line("packages")
    assert found.state == "broken"
    assert found.found.startswith("could not be looked at: TypeError")
