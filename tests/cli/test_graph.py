"""`axonlike graph`: which form is written where, what it does with broken files, and what it draws of servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axonlike import Scheduler
from axonlike.cli.main import main
from axonlike.components.net import SingleServer

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
SCRIPT = """
from axonlike import Pipeline, run
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.components.net import SimpleServer
from axonlike.components.util import DataSource, Null

def client(peer):
    print("somebody comes")
    return SubscribeTo("Events")

run(Backplane("Events"), Pipeline(DataSource([1]), Null()), SimpleServer(client, 1600))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_into_a_pipe_it_draws_in_characters_and_writes_nothing_else(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", str(script)]) == 0
    captured = capsys.readouterr()
    assert "┌─ SimpleServer  port 1600, for each client ─" in captured.out
    assert captured.err == "somebody comes\n"  # said by the script


def test_svg_is_written_to_a_pipe_on_request(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--svg", str(script)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("<svg ")
    assert out.endswith("</svg>\n")
    assert "<title>Graph of script.py</title>" in out


def test_to_a_terminal_it_draws_in_characters_and_says_how_to_get_the_picture(script: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "axonlike", "graph", str(script)]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        shown = b""
        while some := _read(ours):
            shown += some
        assert process.stderr is not None
        said = process.stderr.read()
    os.close(ours)
    assert "┌─ SimpleServer  port 1600, for each client ─" in shown.decode()
    assert f"axonlike graph {script} -o graph.svg" in said
    assert process.returncode == 0


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other side has closed it
        return b""


def test_what_a_server_makes_for_a_client_is_drawn_with_it(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--mermaid", str(script)]) == 0
    out = capsys.readouterr().out
    assert 'subgraph n5["SimpleServer port 1600, for each client"]\n    n6("Events<br/>SubscribeTo")' in out
    assert "n1 -.-> n6" in out


def test_a_factory_that_fails_is_told_and_the_rest_is_drawn(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text(SCRIPT.replace('print("somebody comes")', "1 / 0"))
    assert main(["graph", "--ascii", str(script)]) == 0
    captured = capsys.readouterr()
    assert "SimpleServer" in captured.out
    assert "division by zero" in captured.err


@pytest.mark.parametrize(
    ("suffix", "begin"),
    [("svg", "<svg"), ("txt", "┌"), ("mmd", "flowchart LR"), ("dot", "digraph {"), ("json", "{")],
)
def test_the_suffix_of_the_file_says_the_form(
    script: Path, tmp_path: Path, suffix: str, begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"graph.{suffix}"
    assert main(["graph", "-o", str(path), str(script)]) == 0
    assert path.read_text(encoding="utf-8").strip().startswith(begin)
    assert capsys.readouterr().out == ""


def test_json_has_every_part_and_link(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--json", str(script)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["title"] == "Graph of script.py"
    assert ["Pipeline/DataSource", "outbox", "Pipeline/Null", "inbox", "deliver"] in document["links"]
    assert {part["path"] for part in document["parts"]} >= {"Backplane(Events)", "SimpleServer", "Pipeline/Null"}


@pytest.mark.net
def test_a_running_system_is_drawn_by_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with Scheduler(observe="drawn") as scheduler:
        scheduler.activate(SingleServer(0, announce=False))
        assert main(["graph", "--ascii", "--pid", "drawn"]) == 0
    out = capsys.readouterr().out
    assert "SingleServer" in out
    assert "receiver" not in out


def test_arguments_after_two_dashes_are_those_of_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--ascii", str(EXAMPLES / "echo_server.py"), "--", "1717"]) == 0
    assert "port 1717" in capsys.readouterr().out


def test_a_broken_script_is_drawn_as_far_as_it_goes(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text(
        "from axonlike import Graphline\nfrom axonlike.components.util import DataSource, Null\n"
        'Graphline(A=DataSource([1]), B=Null(), links="A -> B; A.errors -> B").run()\n'
    )
    assert main(["graph", "--ascii", str(script)]) == 1
    captured = capsys.readouterr()
    assert "DataSource" in captured.out
    assert "script.py:3: " in captured.err
    assert "'errors'" in captured.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "name a script"),
        (["nowhere.py"], "cannot read nowhere.py"),
        (["-o", "graph.pdf", "x.py"], "name a format"),
        (["--pid", "no such system"], "no such system"),
        (["--pid", "1", "x.py"], "name a script"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["graph", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("axonlike: ")
    assert text in captured.err


def test_a_script_that_runs_nothing_is_said_to(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.write_text("print('hello')\n")
    assert main(["graph", str(script)]) == 2
    assert "it runs no component" in capsys.readouterr().err


@pytest.mark.parametrize(
    "example",
    [
        "notify_by_priority.py",
        "demo.py",
        "chat_server.py",
        "carousel.py",
        "feedback_loop.py",
        "timers.py",
        "publish_subscribe.py",
        "notify.toml",
    ],
)
def test_examples_can_be_drawn(example: str, tmp_path: Path) -> None:
    assert main(["graph", "-o", str(tmp_path / "x.svg"), str(EXAMPLES / example)]) == 0
    assert main(["graph", "-o", str(tmp_path / "x.txt"), str(EXAMPLES / example)]) == 0
    assert (tmp_path / "x.txt").read_text().count("┌") > 1
