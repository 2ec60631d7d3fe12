"""The console, with real pipes, terminals and processes."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.util import Collect, ConsoleEchoer, ConsoleReader, DataSource
from axonlike.errors import ComponentError
from axonlike.streams.framing import LineTooLong
from axonlike.testing import Stalled

HANG_GUARD_S = 60


def program(source: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        stdin=options.pop("stdin", subprocess.PIPE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


READ = """
    from axonlike import Pipeline, run
    from axonlike.components.util import ConsoleEchoer, ConsoleReader
    run(Pipeline(ConsoleReader(), ConsoleEchoer(use_repr=True)))
"""


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\nlast without ending", ["one", "", "last without ending"]),
        ("Grüße\n".encode(), ["Grüße"]),
        (b"\xff\n", ["\ufffd"]),
        (b"".join(b"%d\n" % n for n in range(20_000)), [str(n) for n in range(20_000)]),
    ],
)
def test_every_line_before_the_end_of_input_is_sent(typed: bytes, lines: list[str]) -> None:
    with program(READ, env={**os.environ, "PYTHONIOENCODING": "utf-8"}) as process:
        out, err = process.communicate(typed, timeout=HANG_GUARD_S)
    assert out.decode().splitlines() == [repr(line) for line in lines]
    assert (process.returncode, err) == (0, b"")


def test_a_file_and_dev_null_are_read_as_well(tmp_path: Any) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"a\nb\n")
    for path, expected in ((file, b"'a'\n'b'\n"), (os.devnull, b"")):
        with open(path, "rb") as stdin, program(READ, stdin=stdin) as process:
            assert process.communicate(timeout=HANG_GUARD_S) == (expected, b"")


def test_the_prompt_comes_before_each_line() -> None:
    with program(READ.replace("ConsoleReader()", "ConsoleReader('>>> ')")) as process:
        out, err = process.communicate(b"a\nb\n", timeout=HANG_GUARD_S)
    assert out.count(b">>> ") == 3
    assert out.startswith(b">>> ")
    assert err == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_nobody_types(number: int) -> None:
    with program(READ.replace("ConsoleReader()", "ConsoleReader('ready')")) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        process.send_signal(number)
        assert process.wait(timeout=HANG_GUARD_S) == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_without_a_standard_input_it_ends_at_once() -> None:
    """As Python has it when it is started with descriptor 0 closed."""
    with program("import sys; sys.stdin = None\n" + textwrap.dedent(READ)) as process:
        assert process.communicate(timeout=HANG_GUARD_S) == (b"", b"")


def test_a_typed_line_and_control_d_on_a_terminal() -> None:
    master, slave = pty.openpty()
    collect = Collect()
    with open(slave, "rb", buffering=0) as terminal, open(master, "wb", buffering=0) as keyboard:
        keyboard.write(b"hello\n\x04")
        Scheduler().run(Pipeline(ConsoleReader(stream=terminal), collect))
    assert collect.messages == ["hello"]


def test_a_terminal_that_goes_away_is_the_end_of_input() -> None:
    master, slave = pty.openpty()
    collect = Collect()
    with open(slave, "rb", buffering=0) as terminal:
        os.close(master)
        Scheduler().run(Pipeline(ConsoleReader(stream=terminal), collect))
    assert collect.messages == []


def test_a_stream_without_descriptor_is_read_by_lines() -> None:
    collect = Collect()
    Scheduler().run(Pipeline(ConsoleReader(stream=io.StringIO("a\r\nb\nlast")), collect))
    assert collect.messages == ["a", "b", "last"]


def test_the_lines_before_one_that_is_too_long_are_sent_first() -> None:
    read_fd, write_fd = os.pipe()
    collect = Collect()
    with open(read_fd, "rb") as stream:
        os.write(write_fd, b"fine\n" + b"x" * 20)
        with pytest.raises(ComponentError) as caught:
            Scheduler().run(Pipeline(ConsoleReader(stream=stream, limit_bytes=10), collect))
        os.close(write_fd)
    assert isinstance(caught.value.cause, LineTooLong)
    assert collect.messages in (["fine"], [])  # the graph was stopped as soon as the error came


def test_the_echoer_prints_each_message_on_a_line_and_forwards_it_after() -> None:
    out, collect = io.StringIO(), Collect()
    Scheduler().run(Pipeline(DataSource(["a", 1, None]), ConsoleEchoer(forward=True, stream=out), collect))
    assert out.getvalue() == "a\n1\nNone\n"
    assert collect.messages == ["a", 1, None]


def test_the_echoer_loses_nothing_of_a_long_stream() -> None:
    out = io.StringIO()
    Scheduler().run(Pipeline(DataSource(range(10_000)), ConsoleEchoer(stream=out)))
    assert out.getvalue().split() == [str(n) for n in range(10_000)]


def test_what_was_printed_before_comes_before() -> None:
    source = """
        from axonlike import Pipeline, run
        from axonlike.components.util import ConsoleEchoer, OneShot
        print("first")
        run(Pipeline(OneShot("second"), ConsoleEchoer()))
        print("third")
    """
    with program(source) as process:
        assert process.communicate(timeout=HANG_GUARD_S) == (b"first\nsecond\nthird\n", b"")


def test_when_nobody_reads_it_ends_quietly() -> None:
    """Row 22: `... | head -1`."""
    source = """
        import itertools
        from axonlike import Pipeline, run
        from axonlike.components.util import ConsoleEchoer, DataSource
        run(Pipeline(DataSource(itertools.count()), ConsoleEchoer()))
        print("what comes after does not fail either")
    """
    with program(source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.wait(timeout=HANG_GUARD_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_it_is_an_error() -> None:
    full, nothing = os.open("/dev/full", os.O_WRONLY), os.open(os.devnull, os.O_WRONLY)
    with open(full, "w", buffering=1) as stream:
        with pytest.raises(ComponentError, match="No space left"):
            Scheduler().run(Pipeline(DataSource(["x"]), ConsoleEchoer(stream=stream)))
        os.dup2(nothing, full)  # so that closing it does not fail again
        os.close(nothing)


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_scheduler() -> None:
    """Ctrl-S, or `| less`: the echoer's thread waits, the rest goes on, and Ctrl-C ends it all in order."""
    source = """
        import os, sys, threading
        from axonlike import Component, Pipeline, Scheduler
        from axonlike.components.util import ConsoleEchoer, DataSource

        class Ticks(Component):
            def main(self):
                for n in range(5):
                    yield self.sleep(0.05)
                os.write(2, b"still alive")
                while True:
                    yield self.sleep(1)

        scheduler = Scheduler(stop_deadline_s=0.2)
        scheduler.run(Pipeline(DataSource("x" * 1000 for _ in range(10**6)), ConsoleEchoer()), Ticks())
    """
    with program(source) as process:
        assert process.stderr is not None
        assert process.stderr.read(11) == b"still alive"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANG_GUARD_S) == 130
        assert b"ConsoleEchoer did not stop within" in process.stderr.read()


def test_the_reader_waits_while_its_receiver_is_full_and_can_be_stopped_then() -> None:
    class Stops(Component):
        """Within the run: a thread's timer may fire before that has begun."""

        def main(self) -> Generator[Any, Any, None]:
            while not stalled.inbox().full:
                yield self.sleep(0.01)
            yield self.sleep(0.2)
            scheduler.stop()

    read_fd, write_fd = os.pipe()
    stalled = Stalled(limit=1)
    scheduler = Scheduler()
    os.write(write_fd, b"a\nb\nc\nd\n")
    with open(read_fd, "rb") as stream:
        scheduler.run(Pipeline(ConsoleReader(stream=stream), stalled), Stops())
    os.close(write_fd)
    assert stalled.inbox().statistics().offered <= 3
