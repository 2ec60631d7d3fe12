"""Other programs as components, with real ones."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler
from axonlike.components.file import ProcessExited, ProcessStarted, Subprocess
from axonlike.components.util import Collect, DataSource
from axonlike.errors import ComponentError, DeviceError, UsageError
from axonlike.testing import Stalled, check_component

HANG_GUARD_S = 30.0


def ran(process: Subprocess, *messages: Any) -> dict[str, list[Any]]:
    """What came out of each of its boxes."""
    boxes = {box: Collect() for box in ("outbox", "stderr", "status")}
    parts: dict[str, Any] = {box.upper(): boxes[box] for box in boxes}
    links = "SOURCE -> P; P -> OUTBOX; P.stderr -> STDERR; P.status -> STATUS"
    Scheduler().run(Graphline(links=links, SOURCE=DataSource(messages), P=process, **parts))
    return {box: collect.messages for box, collect in boxes.items()}


def cause_of(process: Subprocess) -> BaseException:
    with pytest.raises(ComponentError) as caught:
        ran(process)
    return caught.value.cause


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    until_s = time.monotonic() + HANG_GUARD_S
    while is_alive(pid):
        assert time.monotonic() < until_s, f"{pid} still runs"
        threading.Event().wait(0.01)


def test_lines_go_in_and_come_out() -> None:
    got = ran(Subprocess(["cat"]), "a", "zwölf", b"c")
    assert got["outbox"] == ["a", "zwölf", "c"]
    started, exited = got["status"]
    assert isinstance(started, ProcessStarted)
    assert exited == ProcessExited(("cat",), 0)
    assert got["stderr"] == []


def test_bytes_go_in_and_come_out() -> None:
    everything = bytes(range(256)) * 1000
    assert b"".join(ran(Subprocess(["cat"], mode="bytes"), everything, everything)["outbox"]) == everything * 2


def test_many_lines_pass_a_program_that_answers_late() -> None:
    """sort says nothing before its end of input; nothing may block, or be lost."""
    lines = [f"{n:06}" for n in range(50_000, 0, -1)]
    assert ran(Subprocess(["sort"]), *lines)["outbox"] == sorted(lines)


def test_the_last_line_without_ending_is_sent_and_stderr_comes_apart() -> None:
    got = ran(Subprocess(["sh", "-c", "echo out; echo err >&2; printf last"]))
    assert got["outbox"] == ["out", "last"]
    assert got["stderr"] == ["err"]


@pytest.mark.parametrize(
    ("script", "code", "reason"), [("exit 3", 3, "exit code 3"), ("kill -9 $$", -9, "killed by SIGKILL")]
)
def test_the_exit_code_is_a_message(script: str, code: int, reason: str) -> None:
    exited = ran(Subprocess(["sh", "-c", script]))["status"][-1]
    assert (exited.code, exited.reason) == (code, reason)


def test_with_check_a_bad_exit_code_is_an_error() -> None:
    error = cause_of(Subprocess(["sh", "-c", "exit 3"], check=True))
    assert isinstance(error, DeviceError)
    assert str(error) == "sh ended with exit code 3"


def test_a_bad_exit_code_that_nobody_listens_to_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    Scheduler().run(Subprocess(["false"]))
    assert "false ended with exit code 1" in caplog.text


def test_its_output_is_all_sent_before_its_exit() -> None:
    got = ran(Subprocess(["sh", "-c", "seq 20000"]))
    assert got["outbox"] == [str(n) for n in range(1, 20_001)]


@pytest.mark.parametrize(
    ("command", "options", "text"),
    [
        (["no-such-program"], {}, "cannot start no-such-program: there is no such program"),
        (["/etc/passwd"], {}, "cannot start /etc/passwd: it is not executable"),
        (["true"], {"cwd": "/no/such/folder"}, "cannot start true: its folder cwd='/no/such/folder'"),
    ],
)
def test_what_cannot_be_started_is_named(command: list[str], options: dict[str, Any], text: str) -> None:
    error = cause_of(Subprocess(command, **options))
    assert isinstance(error, DeviceError)
    assert str(error).startswith(text)


def test_a_script_without_its_first_line_is_named(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    assert "it is no program" in str(cause_of(Subprocess([script])))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UsageError, match=r"Subprocess\(\['ls', '-l'\]\)"):
        Subprocess("ls -l")
    with pytest.raises(UsageError, match="needs a program"):
        Subprocess([])
    with pytest.raises(UsageError, match="mode"):
        Subprocess(["cat"], mode="words")  # type: ignore[arg-type]
    with pytest.raises(ComponentError, match="takes bytes"):
        ran(Subprocess(["cat"], mode="bytes"), "text")


def test_cwd_and_env(tmp_path: Path) -> None:
    process = Subprocess(["sh", "-c", "pwd; echo $WORD"], cwd=tmp_path, env={**os.environ, "WORD": "here"})
    assert ran(process)["outbox"] == [str(tmp_path), "here"]


def test_a_program_that_reads_nothing_does_not_break_what_feeds_it() -> None:
    process = Subprocess(["true"])
    got = ran(process, *("x" * 1000 for _ in range(1000)))
    assert got["status"][-1].code == 0
    inbox = process.inbox().statistics()
    assert inbox.offered == inbox.taken + inbox.unread_at_end


@pytest.mark.parametrize("echo", ["echo $!", "printf $!"])
def test_a_grandchild_that_holds_the_output_does_not_hold_the_component(echo: str) -> None:
    got = ran(Subprocess(["sh", "-c", f"sleep 1000 & {echo}"], grace_s=0.1))
    assert got["status"][-1].code == 0
    wait_until_gone(int(got["outbox"][0]))


def test_a_grandchild_that_goes_on_writing_does_not_hold_it_either(caplog: pytest.LogCaptureFixture) -> None:
    got = ran(Subprocess(["sh", "-c", "echo first; yes &"], grace_s=0.1))
    assert got["status"][-1].code == 0
    assert got["outbox"][0] == "first"
    assert set(got["outbox"][1:-1]) <= {"y"}
    assert "something that it started still holds its output" in caplog.text


def test_a_receiver_slower_than_the_grace_gets_all(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(Collect):
        def main(self) -> Any:
            while True:
                yield self.sleep(0.2)
                yield self.wait("inbox")
                self.messages.append(self.recv())

    slow = Slow().configure_inbox(limit=1)
    script = "echo a; echo b; sleep 0.1; echo c; echo d; echo e; printf last"
    Scheduler().run(Pipeline(Subprocess(["sh", "-c", script], grace_s=0.1), slow))
    assert slow.messages == ["a", "b", "c", "d", "e", "last"]
    assert "something that it started" not in caplog.text


# -- stopping


def stopped(process: Subprocess, *after: Any) -> list[Any]:
    """Run it until its first line, then Shutdown; returns its lines."""
    scheduler = Scheduler(stop_deadline_s=HANG_GUARD_S)  # not abandoned on a busy machine

    class First(Collect):
        def main(self) -> Any:
            yield self.wait("inbox")
            self.messages.append(self.recv())
            scheduler.stop()
            yield self.wait("inbox")

    first = First()
    scheduler.run(Pipeline(process, first))
    return first.messages


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_shutdown_ends_the_whole_group(trap: str) -> None:
    lines = stopped(Subprocess(["sh", "-c", f"{trap}sleep 1000 & echo $$ $!; wait"], grace_s=0.2))
    for pid in lines[0].split():
        wait_until_gone(int(pid))


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    source = """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        while True:
            time.sleep(1)
    """
    lines = stopped(Subprocess([sys.executable, "-c", textwrap.dedent(source)], grace_s=0.2))
    assert not is_alive(int(lines[0]))


def test_shutdown_gives_it_time_for_its_own_end(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"trap 'echo clean > {done}; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    stopped(Subprocess(["sh", "-c", script], grace_s=HANG_GUARD_S))
    assert done.read_text() == "clean\n"


def test_shutdown_while_its_receiver_is_full() -> None:
    scheduler, process, stalled = Scheduler(), Subprocess(["yes"]), Stalled()

    class Stopping(Component):  # from within: a timer's thread might tell a scheduler that does not run yet
        def main(self) -> Any:
            while not stalled.inbox().full:
                yield self.sleep(0.01)
            yield self.sleep(0.05)
            scheduler.stop()

    scheduler.run(Pipeline(process, stalled), Stopping())
    assert process.pid is None


def test_ctrl_c_on_the_terminal_ends_the_child_with_the_program() -> None:
    source = """
        from axonlike import Pipeline, run
        from axonlike.components.file import Subprocess
        from axonlike.components.util import ConsoleEchoer
        run(Pipeline(Subprocess(["sh", "-c", "echo $$; sleep 1000"]), ConsoleEchoer()))
    """
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGINT)
        _, err = program.communicate(timeout=HANG_GUARD_S)
    assert (program.returncode, err) == (130, b"")
    wait_until_gone(pid)


def test_a_subprocess_conforms() -> None:
    check_component(lambda: Subprocess(["cat"]), messages=["x"] * 10)
    check_component(lambda: Subprocess(["yes"]), ends=False)
