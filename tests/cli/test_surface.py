"""The frozen surface: commands, their options, and exit codes. Scripts and habits hang on these.

tests/golden/surface.txt is what there is. Something new is added there on purpose (AXONLIKE_WRITE_GOLDEN=1 writes it);
what disappears or changes its meaning breaks somebody's script, and has to stand in CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from axonlike.cli.main import COMMANDS, main
from axonlike.cli.output import Exit

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "surface.txt"


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"axonlike {command}")
    importlib.import_module(f"axonlike.cli.{COMMANDS[command].module}").add_arguments(parser)
    return parser


def surface_of(command: str) -> Iterator[str]:
    """A command and its options, one a line."""
    yield command
    for action in parser_of(command)._actions:
        if action.dest == "help":
            continue
        word = " ".join(action.option_strings) or action.metavar or action.dest
        value = ""
        if action.option_strings and action.nargs != 0:
            value = f" {action.metavar or action.dest.upper()}"
        if action.choices is not None:
            value += f" ({', '.join(map(str, action.choices))})"
        how_many = {"?": ", once at most", "*": ", any number", "+": ", at least one", "A...": ", all that follow"}
        yield f"    {word}{value}{how_many.get(str(action.nargs), '')}"


def test_the_surface_is_what_it_was() -> None:
    lines = [f"exit {code.value} {code.name}" for code in Exit]
    for command in sorted(COMMANDS):
        lines += surface_of(command)
    text = "\n".join(lines) + "\n"
    if os.environ.get("AXONLIKE_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_exit_codes_are_what_the_documents_say() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0, "FAILED": 1, "USAGE": 2, "MISSING": 3, "INTERRUPTED": 130,
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_json_and_says_what_it_is_for(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--json" in parser_of(command)._option_string_actions
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: axonlike {command}")
    undescribed = re.findall(r"^  (-\S+(?:, -\S+)*(?: [A-Z|]+)?)$\n(?! {20})", said, re.MULTILINE)
    assert undescribed == []
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_is_not_there_is_a_usage_error(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--no-such-option"])
    assert caught.value.code == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("no-such-command",), ("--no-such-option",)])
def test_a_command_that_is_not_there_is_a_usage_error(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == Exit.USAGE
    assert "usage: axonlike" in capsys.readouterr().err


def test_the_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        assert f"{name} {command.help}" in said


def test_the_help_imports_nothing_that_takes_long() -> None:
    program = "import sys\nfrom axonlike.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    program += "print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    slow = {"numpy", "pygame", "serial", "asyncio", "importlib.metadata", "sphinx", "axonlike.graphfile"}
    assert loaded & slow == set()
    commands = {f"axonlike.cli.{command.module}" for command in COMMANDS.values()}
    assert loaded & commands == set()


def test_the_page_about_the_command_line_names_every_command_and_exit_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)[ `]", page, re.MULTILINE)) == sorted(COMMANDS)
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == [code.value for code in Exit]
