"""`axonlike top`: figures that agree with what was sent, frames of any size, and a terminal that is left as it was."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.box import BoxStatistics
from axonlike.cli.top import View, compare, frame
from axonlike.introspection import Effort, GraphSnapshot, LinkSnapshot, PartSnapshot
from axonlike.observe import Look
from tests.cli.watched import Server, axonlike, observed_server, spawn

SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


# -- figures


def part(path: str, *boxes: BoxStatistics, state: str = "WAITING", **fields: Any) -> PartSnapshot:
    parent = path.rpartition("/")[0]
    plain: dict[str, Any] = {
        "type": "Component", "made_at": None, "why": "waits", "children": (), "service": False, "unlinked": {},
        "to_ended": {}, "parent": parent,
    }  # fmt: skip
    return PartSnapshot(path=path, state=state, boxes=boxes, **{**plain, **fields})


def box(offered: int, *, depth: int = 0, dropped: int = 0, name: str = "inbox") -> BoxStatistics:
    return BoxStatistics(name, depth, 1000, "block", offered, offered - depth - dropped, dropped, 0, 0)


def look(parts: Sequence[PartSnapshot], links: Sequence[LinkSnapshot] = (), **fields: Any) -> Look:
    graph = GraphSnapshot(0.0, "running", tuple(parts), tuple(links), ("a thread",), 0)
    return Look(**{"graph": graph, "uptime_s": 10.0, "busy_s": 1.0, "watchers": 1, "cut_off": 0, **fields})


LINKS = (
    LinkSnapshot("P/a", "outbox", "P/b", "inbox", "deliver"),
    LinkSnapshot("P/a", "signal", "P/b", "control", "deliver"),
    LinkSnapshot("P/b", "outbox", "P", "outbox", "pass_out"),
    LinkSnapshot("P", "outbox", "Q", "inbox", "deliver"),
    LinkSnapshot("Q", "inbox", "Q/c", "inbox", "pass_in"),
)


def chain(sent: int, dropped: int = 0, **efforts: Effort) -> list[PartSnapshot]:
    return [
        part("P", state="HOLLOW"),
        part("P/a", unlinked={"extra": sent // 10}, effort=efforts.get("a")),
        part("P/b", box(sent), box(1, name="control"), effort=efforts.get("b")),
        part("Q", state="HOLLOW"),
        part("Q/c", box(sent // 2, depth=7, dropped=dropped), effort=efforts.get("c")),
    ]


def test_rates_are_what_came_between_the_two_looks_and_follow_links_through_chassis() -> None:
    before = look(chain(100, 3, b=Effort(1.0, 0.2)), LINKS)
    after = look(chain(300, 5, b=Effort(1.5, 0.3)), LINKS, uptime_s=12.0, busy_s=2.2)
    view = compare(before, after, "plant", 7)
    rows = {row.path: row for row in view.components}
    assert (view.interval_s, view.messages_per_s, view.held_by) == (2.0, 150.0, ("a thread",))
    assert view.busy == pytest.approx(0.6)
    assert (rows["P/a"].sent, rows["P/a"].out_per_s) == (330, 110.0)  # 300 into b, 30 to nobody
    assert (rows["P/b"].received, rows["P/b"].in_per_s, rows["P/b"].out_per_s) == (300, 100.0, 25.0 * 2)
    assert (rows["Q/c"].dropped, rows["Q/c"].dropped_per_s, rows["Q/c"].boxes[0].depth) == (5, 1.0, 7)
    assert (rows["P/b"].busy, rows["P/b"].slowest_step_s) == (0.25, 0.3)
    assert (rows["P/a"].busy, rows["P"].busy) == (0.0, None)
    assert not any(row.sent_is_at_most for row in rows.values())


def test_what_several_send_into_one_box_is_said_to_be_at_most() -> None:
    links = [LinkSnapshot(path, "outbox", "c", "inbox", "deliver") for path in ("a", "b")]
    parts = [part("a"), part("b"), part("c", box(10))]
    rows = compare(look(parts, links), look(parts, links, uptime_s=11.0), "x", 1).components
    assert [(row.sent, row.sent_is_at_most) for row in rows] == [(10, True), (10, True), (0, False)]


def test_a_component_that_came_or_was_replaced_between_the_looks_counts_from_its_start() -> None:
    before = look([part("a", box(1000))])
    after = look([part("a", box(4)), part("b", box(6))], uptime_s=12.0)
    assert [row.in_per_s for row in compare(before, after, "x", 1).components] == [2.0, 3.0]


# -- frames


def view() -> View:
    before = look(chain(100), LINKS)
    parts = chain(30_000, 12_345, a=Effort(0.5, 0.00002), b=Effort(1.0, 0.15))
    blocked = part("Z/späť 日本", box(5, depth=1000), state="BLOCKED", why="waits for room in P/b.inbox (9 of 9)")
    rude = part("r\x1b[2J", state="ENDED", why="\x1b]0;x\x07")
    return compare(before, look([*parts, blocked, rude], LINKS, uptime_s=11.5, busy_s=2.0), "plant", 7)


def plain_width(line: str) -> int:
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in SEQUENCE.sub("", line))


@given(st.integers(1, 250), st.integers(1, 60), st.sampled_from(["tree", "busy"]), st.integers(0, 40))
def test_a_frame_fits_any_terminal(width: int, height: int, sort: str, scroll: int) -> None:
    lines = frame(view(), width, height, sort=sort, scroll=scroll)
    assert len(lines) == height
    assert max(map(plain_width, lines)) <= width
    assert not [c for c in SEQUENCE.sub("", "".join(lines)) if not c.isprintable()]


def test_without_colour_there_is_no_sequence_and_the_text_is_the_same() -> None:
    plain, coloured = frame(view(), 140, colour=False), frame(view(), 140)
    assert "\x1b" not in "".join(plain)
    assert [SEQUENCE.sub("", line) for line in coloured] == plain


def test_the_table_at_80_columns() -> None:
    assert [line.rstrip() for line in frame(view(), 80, colour=False)] == [
        " plant  pid 7   up 11s   parts 7   messages/s 29.9k   busy 66.7%",
        " kept running by a thread",
        "",
        "COMPONENT                  STATE          BOX   IN/S  OUT/S  DROPS   BUSY   STEP",
        "P                                                                    100%",
        "├ a                        waits            -      -  21.9k      ·  33.3%   20us",
        "└ b                        waits       0/1000  19.9k   9967      ·  66.7%  0.15s",
        "Q",
        "└ c                        waits       7/1000   9967      ·  12.3k      ·      -",
        "Z/späť 日本                blocked  1000/1000    3.3      ·      ·      ·      -",
        "    waits for room in P/b.inbox (9 of 9)",
        "r?[2J                      ended            -      -      ·      ·      -      -",
    ]


def test_a_wide_table_says_why_and_a_narrow_one_keeps_what_matters_most() -> None:
    wide = frame(view(), 140, colour=False)
    assert "WHY" in wide[3]
    assert wide[9].rstrip().endswith("waits for room in P/b.inbox (9 of 9)")
    assert frame(view(), 46, colour=False)[3].split() == ["COMPONENT", "STATE", "IN/S", "OUT/S"]
    assert frame(view(), 20, colour=False)[3].split() == ["COMPONENT"]


def test_sorted_by_busy_the_busiest_comes_first_and_a_chassis_with_the_sum_of_its_parts() -> None:
    lines = frame(view(), 80, sort="busy", colour=False)[4:]
    labels = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert labels[:3] == ["P", "P/b", "P/a"]
    assert "100%" in lines[0]
    assert labels[3:5] == ["Q", "Q/c"]  # idle: as they stand in the tree


def test_a_chassis_within_a_chassis_has_the_sum_of_all_that_is_in_it() -> None:
    rows = [
        part("P", state="HOLLOW"), part("P/Q", state="HOLLOW"), part("P/Q/a", effort=Effort(0.25, 0.1)),
        part("P/b", effort=Effort(0.5, 0.1)), part("x", effort=Effort(0.3, 0.1)),
    ]  # fmt: skip
    shown = compare(look([]), look(rows, uptime_s=11.0), "plant", 7)
    lines = frame(shown, 80, sort="busy", colour=False)[4:]
    assert [(line.split()[0], *re.findall(r"[\d.]+%", line)) for line in lines] == [
        ("P", "75.0%"), ("P/b", "50.0%"), ("x", "30.0%"), ("P/Q", "25.0%"), ("P/Q/a", "25.0%"),
    ]  # fmt: skip


def test_servers_tell_port_and_clients_and_backplanes_rate_and_subscribers() -> None:
    def parts(published: int) -> list[PartSnapshot]:
        counts = {"subscribers": 1, "published": published}
        return [
            part("Backplane(E)", state="OUTSIDE", counts=counts, why="passes on to 1 subscriber"),
            part("SimpleServer", state="OUTSIDE", detail="port 1600", counts={"clients": 12}),
        ]

    shown = compare(look(parts(100)), look(parts(400), uptime_s=12.0), "plant", 7)
    backplane, server = frame(shown, 100, colour=False)[4:]
    assert backplane.split("  ")[0] == "Backplane(E), 1 subscriber"
    assert backplane.split()[3:] == ["outside", "-", "150", "·", "·", "-", "-"]
    assert server.split("  ")[0] == "SimpleServer, port 1600, 12 clients"
    assert (shown.components[0].received, shown.messages_per_s) == (400, 0.0)  # its publishers' inboxes count them


def test_what_keeps_it_running_is_told_by_name_and_as_much_as_fits() -> None:
    held = (
        "G/IN is driven from outside", "G/IN/receiver is driven from outside", "Lines runs in a thread",
        "Handle(x) is open", "the block that uses it", "W awaits something of asyncio's",
    )  # fmt: skip
    lines = frame(replace(view(), held_by=held), 80, colour=False)
    assert lines[1].rstrip() == " kept running by G/IN, Lines (thread), Handle(x), the block that uses it, W"
    lines = frame(replace(view(), held_by=held), 60, colour=False)
    assert lines[1].rstrip() == " kept running by G/IN, Lines (thread), Handle(x) and 2 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0000004, "0us"), (0.000999, "999us"), (0.00125, "1.2ms"), (0.0994, "99.4ms"), (0.09996, "0.10s"),
        (12.345, "12.35s"), (250.0, "250s"),
    ],
)
def test_a_longest_step_takes_six_places(seconds: float, text: str) -> None:
    parts = [part("a", effort=Effort(1.0, seconds))]
    line = frame(compare(look(parts), look(parts, uptime_s=11.0), "x", 1), 80, colour=False)[4]
    assert line.endswith(f" {text}")


def test_scrolling_says_where_one_is() -> None:
    lines = frame(view(), 80, 8, colour=False, scroll=2)
    assert lines[4].startswith("└ b")
    assert "lines 3-5 of 8" in lines[-1]
    assert frame(view(), 80, 8, colour=False, scroll=99)[6].startswith("r?")


def test_what_was_left_out_is_told() -> None:
    lines = frame(replace(view(), left_out=1234), 80, colour=False)
    assert lines[-1] == "and 1,234 more"


# -- the command


def once(server: Server) -> dict[str, Any]:
    done = axonlike(server, "top", "--once", "--json", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    shown: dict[str, Any] = json.loads(done.stdout)
    shown["components"] = {row["path"]: row for row in shown["components"]}
    return shown


@pytest.mark.net
def test_names_depths_drops_and_counts_are_those_of_what_was_sent() -> None:
    with observed_server() as server:
        server.feed(0, 700)
        server.expect(0, 700)
        shown = once(server)
        components = shown["components"]
        assert (shown["name"], shown["pid"], shown["state"]) == ("observed_server.py", server.process.pid, "running")
        assert shown["parts"] == len(components)
        assert shown["watchers"] == 1
        lines, stuck = components["Pipeline/Lines"], components["Pipeline-3/Stuck"]
        assert (lines["received"], lines["sent"], lines["dropped"]) == (700, 700, 0)
        assert components["Pipeline/PublishTo(Events)"]["received"] == 700
        assert components["Pipeline/SubscribeTo(In)"]["sent"] == 700
        inbox = next(box for box in stuck["boxes"] if box["name"] == "inbox")
        assert (inbox["depth"], inbox["limit"], inbox["offered"], inbox["taken"]) == (5, 5, 700, 0)
        assert stuck["dropped"] == inbox["dropped"] == 695
        assert stuck["why"] == "waits for a message in 'control'"
        assert any("SimpleServer" in why for why in shown["held_by"])


@pytest.mark.net
def test_rates_add_up_to_what_was_sent_while_it_was_watched() -> None:
    with observed_server() as server:
        top = spawn(server, "top", "--json", "--interval", "0.1")
        assert top.stdout is not None
        counted = 0.0
        fed = 0
        while fed < 2000 or round(counted) < fed:
            if fed < 2000:
                server.feed(fed, 400)
                server.expect(fed, 400)
                fed += 400
            shown = json.loads(top.stdout.readline())
            rows = {row["path"]: row for row in shown["components"]}
            if not counted:  # what came before its first look is in no rate
                counted = rows["Pipeline/Lines"]["received"] - rows["Pipeline/Lines"]["in_per_s"] * shown["interval_s"]
            counted += rows["Pipeline/Lines"]["in_per_s"] * shown["interval_s"]
        assert round(counted) == fed == rows["Pipeline/Lines"]["received"]
        assert rows["Pipeline/Lines"]["slowest_step_s"] > 0
        top.send_signal(signal.SIGINT)
        _out, complaints = top.communicate()
        assert (top.returncode, complaints) == (130, "")


@pytest.mark.net
def test_a_pipe_gets_plain_text_and_usage_faults_are_one_sentence() -> None:
    with observed_server() as server:
        done = axonlike(server, "top", "--once", "--interval", "0.05", "observed_server")
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert done.stdout.startswith(f" observed_server.py  pid {server.process.pid}")
        assert "└ PublishTo(Events)" in done.stdout
        for arguments, says in (
            (("nobody",), "no system 'nobody' can be looked into (there are: observed_server.py (pid "),
            (("--interval", "0"), "--interval is a time from 0.05 to 3600 seconds"),
        ):
            done = axonlike(server, "top", *arguments)
            assert done.returncode == 2
            assert says in done.stderr
            assert done.stderr.count("\n") == 1


class OnTerminal:
    """The live command on a pseudo-terminal."""

    def __init__(self, server: Server, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "axonlike", "top", *arguments],
            env={**server.environment, "TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave,
            process_group=0,  # its parent is outside: the system stops no group that nobody could continue
        )  # fmt: skip
        self.mode = self._mode(slave)
        self.slave = slave
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @staticmethod
    def _mode(descriptor: int) -> list[Any]:
        import termios

        return termios.tcgetattr(descriptor)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return
            with self._grown:
                self.text += data.decode(errors="replace")
                self._grown.notify_all()

    def wait_for(self, text: str) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: text in SEQUENCE.sub("", self.text), timeout=20), self.text

    def wait_for_end(self, text: str) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: self.text.endswith(text), timeout=20), self.text

    def forget(self) -> None:
        with self._grown:
            self.text = ""

    def press(self, key: bytes) -> None:
        self.forget()
        os.write(self.master, key)

    def end(self) -> int:
        code = self.process.wait(timeout=60)
        assert self._mode(self.slave) == self.mode  # the terminal is as it was
        os.close(self.slave)
        self._reader.join()
        os.close(self.master)
        assert self.text.rindex("\x1b[?25h\x1b[?1049l") > self.text.rfind("\x1b[H")
        return code


@pytest.mark.net
def test_on_a_terminal_it_redraws_in_place_sorts_scrolls_and_quits() -> None:
    with observed_server() as server:
        terminal = OnTerminal(server, "--interval", "0.1")
        terminal.wait_for("Stuck")
        assert terminal.text.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
        assert "\x1b[7m" in terminal.text  # in colour
        terminal.press(b"s")
        terminal.wait_for("sort by tree")
        terminal.press(b"\x1b[B")
        terminal.wait_for("kept running by")
        terminal.press(b"q")
        assert terminal.end() == 0


@pytest.mark.net
def test_ctrl_z_gives_the_terminal_back_until_the_program_goes_on() -> None:
    with observed_server() as server:
        terminal = OnTerminal(server, "--interval", "0.1")
        terminal.wait_for("Stuck")
        terminal.process.send_signal(signal.SIGTSTP)
        _pid, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == signal.SIGTSTP
        assert terminal._mode(terminal.slave) == terminal.mode
        terminal.wait_for_end("\x1b[?25h\x1b[?1049l")
        terminal.forget()
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for("Stuck")
        assert terminal.text.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
        assert terminal._mode(terminal.slave) != terminal.mode  # keys come as they are pressed
        terminal.press(b"q")
        assert terminal.end() == 0


@pytest.mark.net
def test_the_end_of_what_is_watched_is_told_and_is_no_failure() -> None:
    with observed_server() as server:
        terminal = OnTerminal(server, "--interval", "0.1")
        terminal.wait_for("Stuck")
        server.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert f"observed_server.py (pid {server.process.pid}) has ended" in terminal.text
