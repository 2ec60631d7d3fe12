"""``axonlike run``: as python runs a script, but with errors for people and exit codes that mean something."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from axonlike.cli.errors import exit_code_of
from axonlike.cli.output import Exit
from axonlike.errors import ComponentError, DeviceError, MissingExtra
from tests import prepared
from tests.prepared import is_quiet

HANG_GUARD_S = 60.0
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "errors"

FAILING = """\
from axonlike import Pipeline, step
from axonlike.components.util import DataSource

Pipeline(DataSource(["1", "one"]), step(int, name="number")).run()
"""
SIX_LINES = """\
component 'number' failed      failing.py › Pipeline › number
  made at   failing.py:4      Pipeline(DataSource(["1", "one"]), step(int, name="number")).run()
  box       inbox  ←  DataSource.outbox      message #2: 'one' (str)
  cause     ValueError: invalid literal for int() with base 10: 'one'      in int()
  policy    on_error="stop"  (others: "skip", "restart", "error" = send to an error outbox)
  help      axonlike explain AX103
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PYTHONWARNINGS": "error", **more}


def axonlike(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return prepared.run("-m", "axonlike", "run", *arguments, cwd=folder, env=environment(), timeout=HANG_GUARD_S)


def axonlike_of_its_own(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """With nothing imported before, and nothing of the tests in its tracebacks."""
    return subprocess.run(
        [sys.executable, "-m", "axonlike", "run", *arguments],
        cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=HANG_GUARD_S, check=False,
    )  # fmt: skip


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=HANG_GUARD_S, check=False,
    )  # fmt: skip


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


# -- as python does


SURROUNDINGS = """\
import sys, os, __main__
print(sys.argv, os.path.realpath(sys.path[0]), __name__, __file__, __spec__, __doc__, __builtins__.len is len)
print(__main__.__dict__ is globals(), [name for name in sorted(globals()) if name.startswith("__")])
print(sys.flags.optimize, sys._getframe().f_back is None or "frames above")
from beside import value
print(value)
class Thing: pass
print(Thing.__module__, sys.modules["__main__"].Thing is Thing)
"""


def test_a_script_finds_what_python_gives_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, "sub/beside.py", "value = 'from beside the script'\n")
    name = write(tmp_path, "sub/script.py", '"""The docstring."""\n' + SURROUNDINGS)
    arguments = (name, "--port", "--", "1", "-h", "--json")
    ours, pythons = axonlike_of_its_own(tmp_path, *arguments), python(tmp_path, *arguments)
    assert ours.stderr == pythons.stderr == ""
    assert ours.stdout.replace("frames above", "True") == pythons.stdout.replace("'__annotations__', ", "")


@pytest.mark.parametrize(
    ("ends", "code", "says"),
    [
        ("pass", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('that is all')", 1, "that is all\n"),
        ("import os; os._exit(5)", 5, ""),
    ],
)
def test_a_script_ends_with_its_own_exit_code(ends: str, code: int, says: str, tmp_path: Path) -> None:
    done = axonlike(tmp_path, write(tmp_path, "ends.py", f"{ends}\n"))
    assert (done.returncode, done.stderr) == (code, says)


def test_an_ordinary_exception_is_told_as_python_tells_it(tmp_path: Path) -> None:
    name = write(tmp_path, "script.py", "def f():\n    return {}['key']\n\n\nf()\n")
    ours, pythons = axonlike_of_its_own(tmp_path, name), python(tmp_path, name)
    assert ours.returncode == pythons.returncode == 1
    assert ours.stderr == pythons.stderr


def test_an_excepthook_of_the_script_is_used(tmp_path: Path) -> None:
    hook = "import sys\nsys.excepthook = lambda kind, exc, tb: print('hook:', kind.__name__, file=sys.stderr)\n1 / 0\n"
    done = axonlike(tmp_path, write(tmp_path, "script.py", hook))
    assert (done.returncode, done.stderr) == (1, "hook: ZeroDivisionError\n")


def test_no_pyc_of_the_script_is_left(tmp_path: Path) -> None:
    axonlike(tmp_path, write(tmp_path, "script.py", "pass\n"))
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


@pytest.mark.parametrize(("options", "value"), [((), "1"), (("--observe",), "1"), (("--no-observe",), "0")])
def test_the_socket_to_look_into_it_is_asked_for_unless_it_is_not_wanted(
    options: tuple[str, ...], value: str, tmp_path: Path
) -> None:
    script = write(tmp_path, "script.py", "import os\nprint(os.environ['AXONLIKE_OBSERVE'])\n")
    assert axonlike(tmp_path, *options, script).stdout == f"{value}\n"


@pytest.mark.parametrize("script", ["import time\nprint('on', flush=True)\ntime.sleep(600)\n", None])
def test_ctrl_c_ends_it_without_a_traceback(script: str | None, tmp_path: Path) -> None:
    if script is None:
        text = "links = 'ON -> SHOW'\n[components]\nON = {type = 'OneShot', message = 'on'}\n"
        text += "SHOW = {type = 'ConsoleEchoer'}\nREST = {type = 'Every', interval_s = 1}\n"
        name = write(tmp_path, "graph.toml", text)
    else:
        name = write(tmp_path, "script.py", script)
    with subprocess.Popen(
        [sys.executable, "-m", "axonlike", "run", name], cwd=tmp_path, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGINT)
        _output, errors = process.communicate(timeout=HANG_GUARD_S)
    assert process.returncode == 130
    assert is_quiet(errors), errors


# -- errors


def test_a_failed_component_is_told_in_six_lines(tmp_path: Path) -> None:
    done = axonlike_of_its_own(tmp_path, write(tmp_path, "failing.py", FAILING))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", SIX_LINES)


def test_the_whole_traceback_is_there_on_request(tmp_path: Path) -> None:
    done = axonlike_of_its_own(tmp_path, "--traceback", write(tmp_path, "failing.py", FAILING))
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "scheduler.py" in done.stderr
    assert done.stderr.endswith(SIX_LINES)


def test_several_failed_components_are_told_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AXONLIKE_SHUFFLE", raising=False)  # its subject is one order
    script = FAILING + "\n".join(
        [
            "from axonlike import Component, run",
            "class Fails(Component):",
            "    def main(self):",
            "        try:",
            "            yield self.wait()",
            "        finally:",
            "            raise ValueError(self.name)",
            "run(Fails(), Fails(), Pipeline(DataSource(['x']), step(int)))",
        ]
    )
    script = script.replace('Pipeline(DataSource(["1", "one"]), step(int, name="number")).run()', "")
    done = axonlike(tmp_path, write(tmp_path, "failing.py", script))
    assert done.returncode == 1
    told = re.findall(r"^component '(.*?)' failed", done.stderr, re.MULTILINE)
    assert sorted(told) == ["Fails", "Fails-2", "int"]
    assert "Traceback" not in done.stderr


def test_a_wrong_link_is_told_with_the_line_of_the_script(tmp_path: Path) -> None:
    script = "from axonlike import Graphline\nfrom axonlike.components.util import Null\n\n"
    script += "Graphline(A=Null(), links='A -> B')\n"
    done = axonlike(tmp_path, write(tmp_path, "script.py", script))
    assert (done.returncode, done.stderr) == (
        1,
        "WiringError: Graphline: no component 'B' (there are: A, self)\n"
        "  at        script.py:4      Graphline(A=Null(), links='A -> B')\n"
        "  help      axonlike explain AX201\n",
    )


def test_a_syntax_error_of_the_script_is_told_with_its_place(tmp_path: Path) -> None:
    done = axonlike(tmp_path, write(tmp_path, "script.py", "x = 1\ndef f(:\n    pass\n"))
    assert (done.returncode, done.stderr) == (
        1, "script.py:2:7: error: SyntaxError: invalid syntax\n    def f(:\n          ^\n",
    )  # fmt: skip


def test_a_syntax_error_of_what_it_imports_is_told_as_python_tells_it(tmp_path: Path) -> None:
    write(tmp_path, "beside.py", "def f(:\n")
    name = write(tmp_path, "script.py", "import beside\n")
    done = axonlike(tmp_path, name)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n  File ")
    assert "script.py\", line 1, in <module>\n" in done.stderr


DEVICES = """\
from axonlike import Pipeline
from axonlike.components.devices import SerialLines
from axonlike.components.util import ConsoleEchoer
Pipeline(SerialLines({port!r}, must_exist=True), ConsoleEchoer()).run()
"""


def test_a_device_that_is_not_there_is_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    done = axonlike(tmp_path, write(tmp_path, "script.py", DEVICES.format(port="/dev/ttyNothing")))
    assert (done.returncode, done.stderr) == (
        3, "axonlike: Pipeline/SerialLines (made at script.py:4): /dev/ttyNothing is not there (is the cable in?)\n",
    )  # fmt: skip


def test_a_device_that_is_not_permitted_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    said = "no permission to open /dev/ttyUSB0: you are not in group dialout: sudo usermod -aG dialout $USER, then ..."
    script = f"from axonlike.errors import DeviceError\nraise DeviceError({said!r})\n"
    done = axonlike(tmp_path, write(tmp_path, "script.py", script))
    assert (done.returncode, done.stderr) == (3, f"axonlike: script.py:2: {said}\n")


def test_a_port_in_use_is_one_sentence_and_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        script = f"from axonlike.components.net import Echo, SimpleServer\nSimpleServer(Echo, {port}).run()\n"
        done = axonlike(tmp_path, write(tmp_path, "script.py", script))
    assert done.returncode == 1
    assert done.stderr.startswith(f"axonlike: SimpleServer cannot listen on 127.0.0.1:{port}: the port is in use")
    assert done.stderr.count("\n") == 1


def is_told(begin: str, said: str) -> bool:
    return said.startswith(begin) and said.endswith('pip install "axonlike[serial]"\n') and said.count("\n") == 1


def test_a_missing_extra_is_one_sentence_with_the_line_that_installs_it(tmp_path: Path) -> None:
    # None in sys.modules is what Python calls a module that must not be found.
    script = "import sys\nsys.modules['serial'] = None\n" + DEVICES.format(port="demo")
    done = axonlike(tmp_path, write(tmp_path, "script.py", script))
    assert done.returncode == 3
    assert is_told("axonlike: script.py:6: SerialLines needs pyserial: ", done.stderr)


def test_a_package_of_an_extra_that_the_script_itself_imports_is_told_likewise(tmp_path: Path) -> None:
    script = "import sys\nsys.modules['serial'] = None\nimport serial\n"
    done = axonlike(tmp_path, write(tmp_path, "script.py", script))
    assert done.returncode == 3
    assert is_told("axonlike: script.py:3: pyserial is not installed: ", done.stderr)


def test_any_other_missing_module_is_told_as_python_tells_it_with_exit_code_3(tmp_path: Path) -> None:
    done = axonlike(tmp_path, write(tmp_path, "script.py", "import nothing_of_that_name\n"))
    assert done.returncode == 3
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'nothing_of_that_name'\n")


def test_an_import_of_what_axonlike_has_not_is_told_as_check_tells_it(tmp_path: Path) -> None:
    name = write(tmp_path, "script.py", "import sys\nfrom axonlike import Componet, Pipeline\n")
    done = axonlike(tmp_path, name)
    assert (done.returncode, done.stderr) == (
        Exit.FAILED,
        "script.py:2:22: error: axonlike has no 'Componet'\n"
        "    from axonlike import Componet, Pipeline\n"
        "                         ^^^^^^^^\n"
        "    help: did you mean 'Component'?\n",
    )
    (error,) = json.loads(axonlike(tmp_path, "--json", name).stderr)["errors"]
    assert (error["line"], error["column"], error["remedy"]) == (2, 22, "did you mean 'Component'?")
    name = write(tmp_path, "module.py", "import axonlike.componnents.util\n")
    done = axonlike(tmp_path, name)
    assert done.returncode == Exit.FAILED
    assert "module.py:1:8: error: there is no module 'axonlike.componnents'" in done.stderr
    assert "did you mean 'components'?" in done.stderr


HOG = """
import logging
import time
from axonlike import Component, Scheduler

told = []
logging.getLogger("axonlike").addFilter(lambda record: not told.append(record))


class Hog(Component):
    def main(self):
        yield
        until = time.monotonic() + 30
        while len(told) < 2 and time.monotonic() < until:
            time.sleep(0.01)


Scheduler(watchdog_s=0.05).run(Hog())
"""


def test_a_step_that_holds_the_scheduler_is_shown_from_the_script_on(tmp_path: Path) -> None:
    write(tmp_path, "hog.py", HOG)
    # As the command that pip installs does.
    name = write(tmp_path, "command.py", "from axonlike.cli import main\nmain(['run', 'hog.py'])\n")
    done = python(tmp_path, name)
    assert done.returncode == Exit.OK
    first, _, later = done.stderr.partition("still held by ")
    assert re.findall(r'File "(.*)", line (\d+)', first.replace("line 14", "line 15")) == [
        (str(tmp_path / "hog.py"), "18"), (str(tmp_path / "hog.py"), "15"),
    ]  # fmt: skip
    assert re.match(r"Hog for \d+\.\d s at hog\.py:1[45]\n", later)


def test_errors_for_programs_are_one_json_document(tmp_path: Path) -> None:
    done = axonlike(tmp_path, "--json", write(tmp_path, "failing.py", FAILING))
    assert json.loads(done.stderr) == {
        "exit_code": 1,
        "errors": [
            {
                "kind": "ValueError", "text": "invalid literal for int() with base 10: 'one'", "code": "AX103",
                "file": str(tmp_path / "failing.py"), "line": 4, "component": "Pipeline/number", "policy": "stop",
                "box": "inbox", "message_number": 2, "made_at": {"file": str(tmp_path / "failing.py"), "line": 4},
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("filing.py", "axonlike: there is no file 'filing.py'; did you mean 'failing.py'?\n"),
        ("nothing.toml", "axonlike: there is no file 'nothing.toml'\n"),
        (".", "axonlike: . is a folder: name a script (.py) or a graph file (.toml) in it\n"),
    ],
)
def test_a_file_that_is_not_there_is_a_usage_error(file: str, says: str, tmp_path: Path) -> None:
    write(tmp_path, "failing.py", FAILING)
    done = axonlike(tmp_path, file)
    assert (done.returncode, done.stderr) == (2, says)


# -- graph files


GRAPH = """\
links = ["SOURCE -> SHOW"]
[components.SOURCE]
type = "DataSource"
messages = ["one", "two"]
[components.SHOW]
type = "ConsoleEchoer"
"""


def test_a_graph_file_is_run_with_settings_from_the_command_line(tmp_path: Path) -> None:
    name = write(tmp_path, "graph.toml", GRAPH)
    assert axonlike_of_its_own(tmp_path, name).stdout == "one\ntwo\n"
    done = axonlike(tmp_path, name, 'SOURCE.messages=["three"]')
    assert (done.returncode, done.stdout, done.stderr) == (0, "three\n", "")


def test_all_faults_of_a_graph_file_are_told_with_the_line_and_a_caret(tmp_path: Path) -> None:
    name = write(tmp_path, "graph.toml", GRAPH.replace("-> SHOW", "-> SHO").replace('"ConsoleEchoer"', '"ConsoleEcho"'))
    done = axonlike(tmp_path, name)
    assert (done.returncode, done.stderr) == (
        1,
        "graph.toml:1:21: error: no component 'SHO'; did you mean 'SHOW'?\n"
        '    links = ["SOURCE -> SHO"]\n'
        "                        ^^^\n"
        "    help: there are: SOURCE, SHOW, self\n"
        "\n"
        "graph.toml:6:8: error: there is no component 'ConsoleEcho'; did you mean 'ConsoleEchoer'?\n"
        '    type = "ConsoleEcho"\n'
        "           ^^^^^^^^^^^^^\n"
        '    help: see `axonlike components`; a class of your own is named "module:Class"\n',
    )
    (first, _second) = json.loads(axonlike(tmp_path, "--json", name).stderr)["errors"]
    assert (first["kind"], first["line"], first["column"]) == ("fault", 1, 21)


def test_a_missing_extra_in_a_graph_file_is_exit_code_3(tmp_path: Path) -> None:
    write(tmp_path, "sitecustomize.py", "import sys\nsys.modules['serial'] = None\n")
    name = write(tmp_path, "graph.toml", "[components.DEVICE]\ntype = 'SerialLines'\n")
    done = axonlike_of_its_own(tmp_path, name, PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert is_told("axonlike: graph.toml:1: SerialLines needs pyserial: ", done.stderr)


# -- colours


def on_a_terminal(folder: Path, *arguments: str, columns: int = 80, **more: str) -> str:
    """What a terminal is sent."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "axonlike", "run", *arguments], cwd=folder, stdout=theirs, stderr=theirs,
            env=environment(TERM="xterm", COLUMNS=str(columns), **more),
        )  # fmt: skip
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], HANG_GUARD_S)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux says so when the last one has closed the other side
                break
            if not data:
                break
            said += data
        process.wait(HANG_GUARD_S)
    finally:
        os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_on_a_terminal_errors_have_colours_and_are_broken_at_its_width(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, write(tmp_path, "failing.py", FAILING), columns=70)
    assert "\x1b[31;1mcomponent 'number' failed\x1b[0m" in said
    assert "\x1b[36m  cause     \x1b[0m\x1b[31mValueError\x1b[0m: " in said
    lines = re.sub(r"\x1b\[[\d;]*m", "", said).splitlines()
    assert max(map(len, lines)) <= 70
    assert " ".join(" ".join(lines).split()) == " ".join(SIX_LINES.split())


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}])
def test_under_no_color_there_are_none(more: dict[str, str], tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, write(tmp_path, "failing.py", FAILING), columns=200, **more)
    assert said == SIX_LINES


# -- exit codes


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (ComponentError("a", ValueError()), Exit.FAILED),
        (ComponentError("a", MissingExtra("A", "b", "c")), Exit.MISSING),
        (ComponentError("a", DeviceError("gone")), Exit.MISSING),
        (MissingExtra("A", "b", "c"), Exit.MISSING),
        (ExceptionGroup("", [ComponentError("a", DeviceError()), ComponentError("b", DeviceError())]), Exit.MISSING),
        (ExceptionGroup("", [ComponentError("a", DeviceError()), ComponentError("b", ValueError())]), Exit.FAILED),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (ValueError(), Exit.FAILED),
    ],
    ids=repr,
)
def test_the_exit_code_of_an_error(exc: BaseException, code: Exit) -> None:
    assert exit_code_of(exc) is code
