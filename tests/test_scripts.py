"""The set-up shared by scripts/demo and scripts/test: what it says and does where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("demo", "setup", "test")

# Commands that play the machine: first in PATH, so scripts/lib.sh meets them in place of the real ones.
NOT_ROOT = {"id": "echo 1000", "sudo": "exit 1"}
ROOT_WITH_APT = {"id": "echo 0", "apt-get": 'echo "apt-get $*" >>"$RECORD"'}
NO_PORTAUDIO = {"gcc": "exit 1"}
NO_VENV = {
    # A python3 as Debian ships it: recent, of the system, without ensurepip.
    "python3": """case "$2" in
        *ensurepip*) exit 1 ;;
        *realpath*) echo /usr/bin/python3.11 ;;
        *executable*) echo "$0" ;;
        *%d*) echo 3.11 ;;
    esac"""
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with a blank in its path, without .venv."""
    folder = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "axonlike").mkdir()
    for name in ("pyproject.toml", "setup.py", "axonlike/_speedups.c"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _run(copy: Path, code: str, commands: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in sh after sourcing scripts/lib.sh, with these commands in PATH."""
    machine = copy.parent / "bin"
    machine.mkdir()
    for name, body in commands.items():
        command = machine / name
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)
    path = f"{machine}:{os.environ.get('PATH', os.defpath)}"
    environment = {"PATH": path, "RECORD": str(copy.parent / "record"), **environment}
    return subprocess.run(
        ["sh", "-eu", "-c", f". scripts/lib.sh\n{code}", "scripts/test"],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", [*SCRIPTS, "lib.sh"])
def test_the_scripts_are_posix_sh(name: str) -> None:
    done = subprocess.run(["sh", "-n", ROOT / "scripts" / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", [*(f"scripts/{name}" for name in SCRIPTS), ".ci/run"])
def test_the_scripts_can_be_started(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)


@pytest.mark.parametrize(("sudo", "typed"), [({"sudo": "exit 1"}, "sudo sh -c "), ({}, "su -c ")])
def test_without_root_all_that_is_missing_stands_in_one_line_to_type(
    copy: Path, sudo: dict[str, str], typed: str
) -> None:
    if not sudo and shutil.which("sudo"):
        pytest.skip("this machine has a sudo, so it cannot play one that has none")
    done = _run(copy, "need_machine serial audio", {"id": "echo 1000"} | sudo | NO_PORTAUDIO | NO_VENV)
    assert done.returncode == 3
    line = done.stderr.splitlines()[-1].strip()
    assert line.startswith(f"{typed}'apt-get update && apt-get install -y python3")
    assert line.endswith(" portaudio19-dev'")


def test_as_root_all_that_is_missing_is_installed_in_one_go(copy: Path) -> None:
    done = _run(copy, "need_machine serial audio", ROOT_WITH_APT | NO_PORTAUDIO | NO_VENV)
    assert done.returncode == 0, done.stderr
    update, install = (copy.parent / "record").read_text().splitlines()
    assert update == "apt-get update"
    assert install.startswith("apt-get install -y --no-install-recommends python3")
    assert install.endswith(" portaudio19-dev")


def test_a_compiler_is_asked_for_by_the_audio_extra_only(copy: Path) -> None:
    done = _run(copy, "need_machine test serial fast", NOT_ROOT | NO_PORTAUDIO)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failing_installation_shows_what_apt_said(copy: Path) -> None:
    machine = ROOT_WITH_APT | NO_PORTAUDIO | {"apt-get": '[ "$1" = update ] || { echo "no such package"; exit 100; }'}
    done = _run(copy, "need_machine audio", machine)
    assert done.returncode == 3
    assert "no such package" in done.stderr
    assert "apt-get update && apt-get install -y" in done.stderr


def test_a_failing_update_alone_stops_nothing(copy: Path) -> None:
    machine = ROOT_WITH_APT | NO_PORTAUDIO | {"apt-get": '[ "$1" = install ] || { echo "no route"; exit 100; }'}
    done = _run(copy, "need_machine audio", machine)
    assert done.returncode == 0
    assert "no route" in done.stderr


def test_too_old_a_python_is_named(copy: Path) -> None:
    old = 'case "$1" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac'
    newer = {f"python3.{minor}": "exit 1" for minor in range(11, 15)}
    done = _run(copy, "find_python", {"python3": old, **newer})
    assert done.returncode == 3
    assert "needs Python 3.11 or newer; found: Python 3.9.2" in done.stderr


def test_the_users_own_python_comes_first(copy: Path) -> None:
    own = copy.parent / "bin" / "my-python"
    code = 'find_python; echo "$PYTHON"'
    body = 'case "$2" in *executable*) echo /opt/my-python ;; esac'
    done = _run(copy, code, {"my-python": body}, PYTHON=str(own))
    assert done.stdout == "/opt/my-python\n"


@pytest.mark.slow
def test_a_half_made_venv_is_made_anew_and_a_good_one_is_kept(copy: Path) -> None:
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    # To unpack pip takes longer than all else here: this Python makes a venv with an empty one.
    python = f"""case "$*" in
        "-m venv "*) {sys.executable} -m venv --without-pip "$3" && : >"$3/bin/pip" &&
            for folder in "$3"/lib/python*/site-packages; do mkdir "$folder/pip"; done ;;
        *executable*) echo "$0" ;;
        *) exec {sys.executable} "$@" ;;
    esac"""
    done = _run(copy, "need_machine; need_venv; need_machine; need_venv", {"python3": python})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("making it anew") == 1
    assert (copy / ".venv" / "bin" / "pip").exists()


def test_pip_is_called_only_for_what_is_not_there_yet(copy: Path) -> None:
    """A .venv whose python records its calls: once for an extra, again for another, again when the project changed."""
    fake = copy / ".venv" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\ncase "$*" in *install*) echo "$*" >>"$RECORD" ;; *version*) echo 3.11.2 ;; esac\n')
    fake.chmod(0o755)
    code = """
        prepare serial; prepare serial; prepare serial fast; prepare fast
        echo '# a change' >>setup.py; prepare fast; prepare fast
    """
    done = _run(copy, code, {})
    assert done.returncode == 0, done.stderr
    installed = [line.split()[-1] for line in (copy.parent / "record").read_text().splitlines()]
    assert installed == [".[serial]", ".[serial,fast]", ".[fast]"]


def test_a_failed_installation_is_tried_again(copy: Path) -> None:
    fake = copy / ".venv" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\ncase "$*" in *install*) echo no >&2; exit 1 ;; *version*) echo 3.11.2 ;; esac\n')
    fake.chmod(0o755)
    done = _run(copy, "prepare serial", {})
    assert done.returncode == 1
    assert "pip could not install axonlike[serial]" in done.stderr
    assert not (copy / ".venv" / ".axonlike-installed").exists()
