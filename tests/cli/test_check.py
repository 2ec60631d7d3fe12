"""`axonlike check`: golden output for broken scripts and graph files, no false alarms, and what is done to a script."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from axonlike.cli.check import Finding, check, show
from axonlike.cli.main import main
from axonlike.cli.output import Exit
from axonlike.errors import how_to_install
from tests import prepared

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "check"
# The broken files end in .txt, so that no tool takes them for scripts of this repository.
BROKEN = sorted(path.name.removesuffix(".txt") for path in GOLDEN.glob("*.txt"))
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".toml"))


def prepared_for(example: str) -> Callable[..., prepared.Running]:
    """For `check`, what starts a process; tests further down have it started as users have."""

    def start(
        command: list[str], *, stdin: int, stdout: IO[bytes], stderr: IO[bytes], pass_fds: list[int],
        start_new_session: bool, env: dict[str, str],
    ) -> prepared.Running:  # fmt: skip
        assert (stdin, stdout, start_new_session, command[0]) == (prepared.DEVNULL, stderr, True, sys.executable)
        return prepared.start(
            *command[1:], imports=prepared.OF_EXAMPLES.get(example, ""), env=env, stdout=stdout.fileno(),
            stderr=stderr.fileno(), pass_fds=pass_fds,
        )  # fmt: skip

    return start


def check_quickly(path: Path, *, time_limit_s: float = 10.0) -> tuple[list[Finding], str]:
    return check(path, time_limit_s=time_limit_s, start=prepared_for(""))


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["axonlike", "check"])
    return tmp_path


@pytest.mark.net
@pytest.mark.parametrize("name", BROKEN)
def test_golden_output_of_a_broken_file(
    name: str, folder: Path, busy_port: int, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GOLDEN / f"{name}.txt").read_text()
    (folder / name).write_text(text.replace("BUSY_PORT", str(busy_port)).replace("FREE_PORT", str(free_port)))
    findings, _ = check_quickly(Path(name), time_limit_s=1.0 if name == "never_comes_to_run.py" else 10.0)
    show(findings, 1)
    output = capsys.readouterr().out.replace(str(busy_port), "BUSY_PORT").replace(str(free_port), "FREE_PORT")
    output = output.replace(how_to_install("axonlike[serial]"), 'pip install "axonlike[serial]"')
    expected = GOLDEN / f"{name}.out"
    if os.environ.get("AXONLIKE_WRITE_GOLDEN"):
        expected.write_text(output)
    assert output == expected.read_text()


def test_there_are_at_least_20_broken_files() -> None:
    assert len(BROKEN) >= 20
    assert {Path(name).suffix for name in BROKEN} == {".py", ".toml"}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_has_its_place_and_what_to_do(name: str) -> None:
    *shown, summary = (GOLDEN / f"{name}.out").read_text().split("\n\n")
    assert re.fullmatch(r"(\d+ faults?)?( and )?(\d+ warnings?)? in 1 file\n", summary)
    for block in shown:
        first, *_source, last = block.splitlines()
        assert re.match(rf"{re.escape(name)}:\d+:\d+: (error|warning): \S", first)
        assert re.match(r"    help: \S", last)


def test_the_faults_of_a_file_are_sorted_by_place() -> None:
    for name in BROKEN:
        places = re.findall(r"^[\w.]+:(\d+):(\d+): ", (GOLDEN / f"{name}.out").read_text(), re.MULTILINE)
        assert places == sorted(places, key=lambda place: (int(place[0]), int(place[1])))


_ARGUMENTS = {
    "aggregating_logger.py": ["log.txt", "demo", "127.0.0.1:1601"],
    "file_to_network.py": [__file__, "0"],
    "relay.py": ["127.0.0.1", "1601", "127.0.0.1", "1602"],
    "web_hook_and_mail.py": ["http://127.0.0.1:8000/", "127.0.0.1", "25", "a@example.org", "b@example.org"],
    # Their own ports may be in use on this machine.
    "chat_server.py": ["0", "0"],
    "echo_server.py": ["0"],
    "message_of_the_day.py": ["0"],
    "notify_by_priority.py": ["0", "0", "0", "0"],
    "notify_machine_b.py": ["0", "0"],
}


@pytest.mark.net
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_clean(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # this machine need not have a screen
    path = ROOT / "examples" / name
    if path.suffix == ".toml":  # its ports may be in use on this machine, and it takes no arguments
        shutil.copytree(path.parent, tmp_path / "examples")
        path = tmp_path / "examples" / name
        path.write_text(re.sub(r"port = \d+", "port = 0", path.read_text()))
    findings, _ = check(path, _ARGUMENTS.get(name, []), start=prepared_for(path.stem))
    # The examples' ports may really be in use on this machine: by a demo, say, that somebody watches meanwhile.
    assert [found for found in findings if "cannot listen on 127.0.0.1:1" not in found.text] == []


def test_a_script_that_lacks_its_arguments_is_doubtful_not_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "port.py").write_text("import sys\nport = int(sys.argv[1])\n")
    assert main(["check", "port.py"]) == Exit.OK
    assert "port.py:2:1: warning: the script wants arguments of its own" in capsys.readouterr().out


def test_arguments_of_the_script_go_after_two_dashes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "port.py").write_text(
        "import sys\nfrom axonlike.components.util import Null\n"
        "assert sys.argv[1:] == ['1600', '-x'], sys.argv\nNull().run()\n"
    )
    monkeypatch.setattr(sys, "argv", ["axonlike", "check", "port.py", "--", "1600", "-x"])
    assert main(["check", "port.py", "--", "1600", "-x"]) == Exit.OK
    assert "AssertionError" not in capsys.readouterr().out


def test_a_file_that_is_not_there_is_a_mistake_of_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "absent.py"]) == Exit.USAGE
    assert "absent.py is not there" in capsys.readouterr().err


def test_several_files_are_checked_and_counted_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.py").write_text("from axonlike import Pipline\n")
    (folder / "b.py").write_text("from axonlike import Graphlin\n")
    assert main(["check", "a.py", "b.py"]) == Exit.FAILED
    output = capsys.readouterr().out
    assert "a.py:1:22: error: axonlike has no 'Pipline'" in output
    assert "b.py:1:22: error: axonlike has no 'Graphlin'" in output
    assert output.endswith("2 faults in 2 files\n")


def test_json_says_the_same_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.py").write_text("from axonlike import Pipline\n")
    assert main(["check", "--json", "a.py"]) == Exit.FAILED
    said = json.loads(capsys.readouterr().out)
    assert (said["errors"], said["warnings"], said["files"]) == (1, 0, ["a.py"])
    assert said["findings"] == [
        {
            "file": str(folder / "a.py"),
            "line": 1,
            "column": 22,
            "severity": "error",
            "text": "axonlike has no 'Pipline'",
            "remedy": "did you mean 'Pipeline'?",
        }
    ]


def test_colours_only_where_they_are_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.py").write_text("from axonlike import Pipline\n")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["check", "a.py"])
    assert "\x1b[31;1merror:\x1b[0m" in capsys.readouterr().out.replace("\x1b[31;1m", "\x1b[31;1m")
    monkeypatch.setenv("NO_COLOR", "1")
    main(["check", "a.py"])
    assert "\x1b" not in capsys.readouterr().out


# -- what is done to a script


def test_no_graph_is_run_and_nothing_listens_afterwards(folder: Path, free_port: int) -> None:
    (folder / "server.py").write_text(
        "from axonlike import step, run\nfrom axonlike.components.net import Echo, SimpleServer\n"
        "from axonlike.components.util import DataSource\n"
        f"run(SimpleServer(Echo, {free_port}), DataSource([1]) | step(lambda m: open('ran', 'w')))\n"
    )
    assert check_quickly(folder / "server.py") == ([], "")
    assert not (folder / "ran").exists()
    with socket.create_server(("127.0.0.1", free_port)):
        pass


def test_what_a_script_prints_is_shown_only_when_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "talks.py").write_text(
        "import os\nfrom axonlike.components.util import Null, DataSource\nprint('hello')\n"
        "os.system('echo from a shell')\n"
        "(DataSource([1]) | Null()).run()\n"
    )
    assert main(["check", "talks.py"]) == Exit.OK
    assert capsys.readouterr().out == "no faults in 1 file\n"
    assert main(["check", "--verbose", "talks.py"]) == Exit.OK
    shown = capsys.readouterr()
    assert shown.out == "no faults in 1 file\n"
    assert "hello" in shown.err
    assert "from a shell" in shown.err


def test_what_a_script_starts_is_ended_with_it(folder: Path) -> None:
    (folder / "starts.py").write_text(
        "import subprocess\nfrom axonlike.components.util import Null, DataSource\n"
        "print(subprocess.Popen(['sleep', '600']).pid)\n(DataSource([1]) | Null()).run()\n"
    )
    findings, output = check(folder / "starts.py")
    assert findings == []
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(int(output))
        try:
            assert select.select([descriptor], [], [], 10)[0] == [descriptor]  # it has ended
        finally:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("os._exit(3)", r"the script ended its process \(exit code 3\)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the script's process was ended by SIGKILL"),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(600)", "could not be interrupted"),
    ],
)
def test_a_script_that_takes_its_process_with_it_is_a_fault(folder: Path, statement: str, said: str) -> None:
    (folder / "ends.py").write_text(f"import os, signal, time\nimport axonlike\n{statement}\n")
    (finding,), _ = check(folder / "ends.py", time_limit_s=3.0)  # it may be late to come to the statement
    assert finding.severity == "error"
    assert re.search(said, finding.text)


def test_a_script_that_runs_on_beside_its_graph_is_no_fault(folder: Path) -> None:
    (folder / "beside.py").write_text(
        "import time\nfrom axonlike import background\nfrom axonlike.components.util import Null, DataSource\n"
        "with background(DataSource([1]) | Null()):\n    while True:\n        time.sleep(0.05)\n"
    )
    assert check_quickly(folder / "beside.py", time_limit_s=3.0)[0] == []  # it may be late to come to the run


def test_a_file_of_components_that_runs_nothing_is_judged_by_its_text_alone(folder: Path) -> None:
    (folder / "parts.py").write_text(
        "from axonlike import Component\nfrom axonlike.backplane import PublishTo\n\n"
        "class Late(Component):\n    def main(self):\n        self.wait()\n\n"
        "def make():\n    return PublishTo('somewhere')\n"
    )
    (finding,), _ = check_quickly(folder / "parts.py")
    assert (finding.line, finding.text) == (6, "self.wait() alone does not wait")


def test_components_that_are_linked_while_they_run_are_not_called_unfed(folder: Path) -> None:
    script = (
        "from axonlike import Component, run\nclass Sink(Component):\n    def main(self):\n        yield self.wait()\n"
        "class Source(Component):\n    def __init__(self, sink):\n        self.sink = sink\n"
        "    def main(self):\n        LINK\n        yield self.send(1)\nsink = Sink()\nrun(Source(sink), sink)\n"
    )
    (folder / "later.py").write_text(script.replace("LINK", "self.link((self, 'outbox'), (self.sink, 'inbox'))"))
    assert check_quickly(folder / "later.py")[0] == []
    (folder / "never.py").write_text(script.replace("LINK", "pass"))
    (finding,), _ = check_quickly(folder / "never.py")
    assert (finding.line, finding.severity, finding.text) == (
        11, "warning", "Sink waits for messages, and nobody feeds it"
    )  # fmt: skip


def test_what_follows_from_a_link_that_was_left_out_is_not_told_too(folder: Path) -> None:
    (folder / "script.py").write_text(
        "from axonlike import Component, Graphline\nfrom axonlike.components.util import DataSource\n"
        "class Sink(Component):\n    def main(self):\n        yield self.wait()\n"
        "Graphline(A=DataSource([1]), B=Sink(), links='A -> B.inbx').run()\n"
    )
    (finding,), _ = check_quickly(folder / "script.py")
    assert finding.text == "Graphline/B has no inbox 'inbx'"


@pytest.mark.net
def test_a_port_may_be_used_by_one_run_after_the_other(folder: Path, free_port: int) -> None:
    (folder / "script.py").write_text(
        "from axonlike.components.net import Echo, SimpleServer\n"
        f"SimpleServer(Echo, {free_port}).run()\nSimpleServer(Echo, {free_port}).run()\n"
    )
    assert check_quickly(folder / "script.py")[0] == []


def test_a_name_that_a_module_of_the_users_provides_is_provided(folder: Path) -> None:
    (folder / "ours.py").write_text("from axonlike.backplane import Backplane\nBackplane('Events').activate()\n")
    (folder / "script.py").write_text(
        "import ours\nfrom axonlike import Pipeline\nfrom axonlike.backplane import PublishTo\n"
        "from axonlike.components.util import DataSource\nPipeline(DataSource([1]), PublishTo('Events')).run()\n"
    )
    assert check_quickly(folder / "script.py")[0] == []


def test_a_window_where_there_is_no_screen_is_doubtful(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(variable, raising=False)
    (folder / "window.py").write_text(
        "from axonlike import run\nfrom axonlike.components.ui import Button, Keys\nrun(Button('Go'), Keys())\n"
    )
    (finding,), _ = check_quickly(folder / "window.py")
    assert (finding.line, finding.severity) == (3, "warning")
    assert "needs a screen" in finding.text
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert check_quickly(folder / "window.py")[0] == []


def test_a_package_that_all_widgets_lack_is_told_once(folder: Path) -> None:
    (folder / "window.py").write_text(
        "import sys\nsys.modules['pygame'] = None\nfrom axonlike import run\n"
        "from axonlike.components.ui import Button\nrun(Button('Go'), Button('Stop'))\n"
    )
    (finding,), _ = check_quickly(folder / "window.py")
    assert finding.severity == "error"
    assert finding.remedy == how_to_install("axonlike[ui]")


def test_a_file_that_is_not_text_is_one_fault(folder: Path) -> None:
    (folder / "binary.py").write_bytes(b"\xff\xfe\x00x")
    (finding,), _ = check_quickly(folder / "binary.py")
    assert "encoding" in finding.text
