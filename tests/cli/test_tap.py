"""`axonlike tap`: a line for each message that a component of another process sends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from typing import IO

import pytest

from tests.cli.watched import axonlike, observed_server, spawn

pytestmark = [pytest.mark.net, pytest.mark.hang_guard(60)]


def test_each_line_is_shown_in_order_and_the_receivers_get_them_all() -> None:
    with observed_server() as server:
        tap = spawn(server, "tap", "Lines.outbox", "--json", "--count", "300")
        fed = 0
        while tap.poll() is None:  # it may have attached after the first ones
            server.feed(fed, 50)
            server.expect(fed, 50)
            fed += 50
        out, complaints = tap.communicate()
        assert (tap.returncode, complaints) == (0, "")
        shown = [json.loads(line) for line in out.splitlines()]
        first = int(shown[0]["message"].strip("'").removeprefix("line "))
        assert [one["message"] for one in shown] == [f"'line {n}'" for n in range(first, first + 300)]
        assert [one["number"] for one in shown] == list(range(1, 301))
        assert {one["sender"] for one in shown} == {"Pipeline/Lines"}
        server.feed(fed, 10)  # and on without the tap
        server.expect(fed, 10)


def test_a_person_sees_the_messages_alone_or_with_the_time() -> None:
    with observed_server() as server:
        tap = spawn(server, "tap", "Lines", "--count", "1", "--time", "--of", "observed_server")
        fed = 0
        while tap.poll() is None:
            server.feed(fed, 1)
            server.expect(fed, 1)
            fed += 1
        out, complaints = tap.communicate()
        assert complaints == ""
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d  'line \d+'\n", out)


def test_the_end_of_the_system_and_of_the_component_are_told_and_are_no_failure() -> None:
    with observed_server() as server:
        tap = spawn(server, "tap", "Lines")
        fed = 0
        assert tap.stdout is not None
        while not fed or not _readable(tap.stdout):
            server.feed(fed, 1)
            server.expect(fed, 1)
            fed += 1
        server.process.send_signal(signal.SIGTERM)
        _out, complaints = tap.communicate()
        assert tap.returncode == 0
        assert re.search(r"has ended", complaints)


def _readable(stream: IO[str]) -> bool:
    return bool(select.select([stream], [], [], 0.01)[0])


def test_what_cannot_be_tapped_is_one_sentence() -> None:
    with observed_server() as server:
        for arguments, says in (
            (("Lines.out",), "no outbox 'out'; did you mean 'outbox'? (there are: outbox, signal)"),
            (("Lines", "--of", "12"), "no system '12' can be looked into (there are: observed_server.py (pid "),
            (("Lines", "--count", "0"), "--count is a number from 1, not 0"),
        ):
            done = axonlike(server, "tap", *arguments)
            assert done.returncode == 2
            assert says in done.stderr
            assert done.stderr.count("\n") == 1


def test_a_name_that_is_not_there_is_told_with_those_that_are_a_line_for_each() -> None:
    with observed_server() as server:
        done = axonlike(server, "tap", "Line")
        assert (done.returncode, done.stdout) == (2, "")
        first, *names = done.stderr.splitlines()
        assert first.endswith("axonlike: no component 'Line'; did you mean 'Lines'? There are:")
        assert "    Pipeline/Lines.outbox" in names


def test_without_a_name_it_lists_what_can_be_tapped() -> None:
    with observed_server() as server:
        done = axonlike(server, "tap")
        assert (done.returncode, done.stderr) == (0, "")
        names = done.stdout.splitlines()
        assert "Pipeline/Lines.outbox" in names
        assert not [name for name in names if name.endswith((".signal", ".inbox"))]
        assert json.loads(axonlike(server, "tap", "--json").stdout) == names


def test_on_a_terminal_it_says_what_it_waits_for_once_and_in_a_pipe_nothing() -> None:
    with observed_server() as server:
        ours, theirs = os.openpty()
        tap = subprocess.Popen(
            [sys.executable, "-m", "axonlike", "tap", "Stuck"], env=server.environment, stdout=subprocess.PIPE,
            stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        said = b""
        while not said.endswith(b"\n"):
            said += os.read(ours, 1000)
        text = re.sub(r"\x1b\[\d*m", "", said.decode()).strip()
        pid = server.process.pid
        name = "waiting for what Pipeline-3/Stuck.outbox of observed_server.py"
        assert text == f"{name} (pid {pid}) sends; Ctrl-C ends this"
        tap.send_signal(signal.SIGINT)
        out, _ = tap.communicate()
        assert (tap.returncode, out) == (130, b"")
        with pytest.raises(OSError, match="Input/output error"):  # nothing more was said
            os.read(ours, 1000)
        os.close(ours)
