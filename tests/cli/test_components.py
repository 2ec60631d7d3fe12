"""``axonlike components``: the list, and the settings and boxes of one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from axonlike.cli import main
from axonlike.registry import known


def test_the_list_has_each_name_once_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(known()[0])
    assert all(len(line.split()) > 3 for line in lines)


def test_one_of_them_is_described_with_settings_and_boxes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "SerialLines"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SerialLines: A serial port that speaks lines: str from it, without their endings;")
    assert '  parity: "none" or "even" or "odd" or "mark" or "space" (default "none")\n' in said
    assert "  status  SerialOpened, SerialLost, SerialUnavailable\n" in said
    assert main(["components", "SimpleServer"]) == 0
    assert "  port: a whole number (needed)\n" in capsys.readouterr().out


def test_for_programs_it_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(known()[0])
    assert main(["components", "--json", "Backplane"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"][0] == {
        "name": "name", "type": "a text", "required": True, "default": None, "description": "",
    }  # fmt: skip
    assert set(told["inboxes"]) == {"inbox", "control"}


def test_a_class_of_the_folder_is_described_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_this_folder.py").write_text(
        'from axonlike import Component\n\nclass Mine(Component):\n    """Does it."""\n'
        "    def __init__(self, n: int): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["components", "of_this_folder:Mine"]) == 0
    sys.modules.pop("of_this_folder")
    said = capsys.readouterr().out
    assert said.startswith("of_this_folder:Mine: Does it.\n\nsettings\n  n: a whole number (needed)\n")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SerialLine", "there is no component 'SerialLine'; did you mean 'SerialLines'?"),
        ("no_such_module:X", "there is no module 'no_such_module': put it beside this file, or install"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_a_usage_error(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", name]) == 2
    assert capsys.readouterr().err.startswith(f"axonlike: {says}")


def test_a_broken_plug_in_is_one_warning_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "plug-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[axonlike.components]\nBroken = plug_of_nothing:Thing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for command in (["components"], ["schema"]):
        assert main(command) == 0
        assert capsys.readouterr().err == (
            "axonlike: warning: Broken of the package plug: there is no module 'plug_of_nothing'\n"
        )
