"""``axonlike new``: the project that it writes works as it stands, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axonlike.cli import main
from axonlike.cli.new import project
from axonlike.graphfile import build, read
from tests.prepared import is_quiet

HANG_GUARD_S = 60.0


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=folder, capture_output=True, text=True, timeout=HANG_GUARD_S,
        check=False, env={**os.environ, **environment},
    )  # fmt: skip


# As the plug-ins of this environment are no part of what is shown, one test with them is enough.
WITHOUT_PLUG_INS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_its_test_passes_as_it_stands(tmp_path: Path) -> None:
    assert main(["new", "warm-up"]) == 0
    folder = tmp_path / "warm-up"
    assert sorted(os.listdir(folder)) == ["README.md", "pytest.ini", "test_warm_up.py", "warm_up.py", "warm_up.toml"]
    done = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_its_test_passes_in_the_folder_of_another_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\n')
    (tmp_path / "conftest.py").write_text("raise SystemExit('not mine')\n")
    main(["new", "warm"])
    done = python(tmp_path / "warm", "-m", "pytest", "-q", "-p", "no:cacheprovider", **WITHOUT_PLUG_INS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_test_fails_when_the_component_is_broken(tmp_path: Path) -> None:
    main(["new", "warm"])
    script = tmp_path / "warm" / "warm.py"
    script.write_text(script.read_text().replace("> self.limit_c", "< self.limit_c"))
    done = python(tmp_path / "warm", "-m", "pytest", "-q", "-p", "no:cacheprovider", **WITHOUT_PLUG_INS)
    assert done.returncode == 1


@pytest.mark.net
@pytest.mark.parametrize("file", ["warm.py", "warm.toml"])
def test_its_script_and_its_graph_file_tell_what_is_too_hot(file: str, tmp_path: Path) -> None:
    main(["new", "warm"])
    with subprocess.Popen(
        [sys.executable, "-m", "axonlike", "run", file], cwd=tmp_path / "warm", stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("too hot: ")
        process.send_signal(2)
        _output, errors = process.communicate(timeout=HANG_GUARD_S)
    assert process.returncode == 130
    assert is_quiet(errors), errors


def test_its_graph_file_has_no_faults(tmp_path: Path) -> None:
    main(["new", "of_its_own_name"])
    file = read(tmp_path / "of_its_own_name" / "of_its_own_name.toml")
    assert file.faults == ()
    assert build(file).path == "of_its_own_name"


def test_what_it_writes_is_formatted_as_we_format(tmp_path: Path) -> None:
    main(["new", "warm"])
    rules = ("--isolated", "--select", "E,F,I,B,UP", "--line-length", "120")
    done = python(tmp_path / "warm", "-m", "ruff", "check", *rules, ".")
    assert done.returncode == 0, done.stdout


def test_the_readme_has_ten_lines_and_names_what_there_is() -> None:
    files = project("warm-up")
    assert len(files["README.md"].splitlines()) <= 10
    assert all(name in files["README.md"] for name in files if name.startswith("warm"))
    assert not any(word in text for text in files.values() for word in ("MODULE", "NAME"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("2fast", "'2fast' cannot name a project: use letters, digits, _ and -, and begin with a letter"),
        ("a b", "'a b' cannot name a project"),
        ("class", "'class' cannot name a project"),
        ("queue", "a project named 'queue' would hide the module queue: choose another name"),
        ("axonlike", "a project named 'axonlike' would hide the module axonlike"),
        ("taken", "taken is there already: choose another name, or remove it"),
        ("a-file", "a-file is there already"),
    ],
)
def test_a_name_that_cannot_be_is_a_usage_error(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.py").write_text("precious")
    (tmp_path / "a-file").write_text("precious")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    assert main(["new", name]) == 2
    assert capsys.readouterr().err.startswith(f"axonlike: {says}")
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_it_says_what_it_wrote_and_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "one"])
    said = capsys.readouterr().out
    assert "    cd one\n    axonlike run one.py\n    pip install pytest\n    python -m pytest\n" in said
    main(["new", "--json", "other"])
    assert json.loads(capsys.readouterr().out) == {
        "folder": "other", "files": ["other.py", "test_other.py", "other.toml", "README.md", "pytest.ini"],
    }  # fmt: skip
