"""A plot and its viewer's process: what is drawn, what it costs the calculation, and who survives whom."""

from __future__ import annotations

import asyncio
import functools
import json
import operator
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike.errors import UsageError
from axonlike.plotting.desk import Snapshot
from axonlike.plotting.liveplot import LivePlot, address_of
from axonlike.plotting.messages import Did, Panel
from axonlike.plotting.sender import Sender

VIEWER = str(Path(__file__).with_name("plain_viewer.py"))
PATIENCE_S = 30.0


class Viewer:
    """The plain viewer, and what it has written so far."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "viewer.jsonl"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, VIEWER, str(self.file), *words]

    def lines(self, what: str = "") -> list[dict[str, Any]]:
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in found if what in ("", line["is_"])]


class Patient(LivePlot):
    """Waits longer for its viewer: on a busy machine five seconds are not always enough to start it, or to be drawn."""

    def flush(self, timeout_s: float = PATIENCE_S) -> bool:
        return super().flush(timeout_s)

    def close(self, timeout_s: float | None = PATIENCE_S) -> None:
        super().close(timeout_s)


@pytest.fixture
def viewer(tmp_path: Path) -> Viewer:
    return Viewer(tmp_path)


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Real processes: looked at again and again, until it is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"it never happened: {what or condition}"
        threading.Event().wait(0.01)
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "axonlike.plot"]


@pytest.mark.parametrize("is_number", [True, False], ids=["with a number", "arrays alone"])  # each in its own way
def test_frames_come_as_they_were_and_the_last_is_drawn(
    viewer: Viewer, is_number: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A viewer that has not ended by then is ended, and on a busy machine that comes before it has said that it is over.
    monkeypatch.setattr("axonlike.plotting.window._PATIENCE_S", PATIENCE_S)
    array = np.zeros(100)
    with Patient(wait=True, title="relax", fps=100, panels={"field": "lines"}, viewer=viewer.command()) as plot:
        while len(viewer.lines("frame")) < 10:
            array += 1
            plot(array, step=int(array[0]) if is_number else array[:1])
            array += 1
        array[:] = -5
    frames = viewer.lines("frame")
    for frame in frames[:-1]:
        values = set(frame["args"][0])
        step = frame["kwargs"]["step"]
        assert values == ({step} if is_number else set(step))  # never torn, never from between two calls
    assert set(frames[-1]["args"][0]) == {-5.0}  # the last call, as its array was at the close
    assert [frame["number"] for frame in frames] == list(range(1, len(frames) + 1))
    assert viewer.lines("welcome")[0]["title"] == "relax"
    assert viewer.lines("welcome")[0]["panels"] == ["field"]
    assert viewer.lines("over")
    counters = plot.counters
    assert counters.drawn == counters.sent == counters.taken == len(frames)
    assert counters.offered == frames[-1]["call"]
    assert counters.dropped == counters.offered - counters.taken
    assert counters.worst_call_s > 0


def forgetful(viewer: Viewer) -> str:
    """A program that calls a plot once. What it does at its end is as patient as `Patient`, and with the viewer too."""
    return textwrap.dedent(
        f"""
        from axonlike.plotting import liveplot, window
        window._PATIENCE_S = {PATIENCE_S}
        class Patient(liveplot.LivePlot):
            def close(self, timeout_s={PATIENCE_S}):
                super().close(timeout_s)
        Patient(viewer={viewer.command()!r})(n=42)
        """
    )


def test_a_program_that_forgets_to_close_draws_its_last_call_too(viewer: Viewer) -> None:
    subprocess.run([sys.executable, "-c", forgetful(viewer)], check=True, timeout=3 * PATIENCE_S)
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 42}
    assert viewer.lines("over")


def test_a_program_that_fails_draws_its_last_call_too(viewer: Viewer) -> None:
    script = forgetful(viewer) + "1/0"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=3 * PATIENCE_S)
    assert "ZeroDivisionError" in result.stderr
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 42}


def test_a_value_may_have_any_name_and_what_a_caller_does_to_its_own_dict_afterwards_is_not_shown(
    viewer: Viewer,
) -> None:
    class Plain(Patient):
        """One's own, which changes nothing."""

    with Plain(wait=True, viewer=viewer.command()) as plot:
        for number, call in enumerate((plot.__call__, plot.update)):
            call(number, self=2, args=3, kwargs=4)
            assert plot.flush()
            frame = viewer.lines("frame")[-1]
            assert (frame["args"], frame["kwargs"]) == ([number], {"self": 2, "args": 3, "kwargs": 4})
        values = {"n": 1}
        partial = functools.partial(plot, **values)
        partial()
        partial.keywords["n"] = 2
        values["n"] = 3
        operator.call(plot, **values)
        values["n"] = 4
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 3}


def test_a_subclass_may_call_it_in_its_own_way(viewer: Viewer) -> None:
    class Doubled(Patient):
        def __call__(self, /, *args: Any, **kwargs: Any) -> None:
            super().__call__(*(2 * value for value in args), **kwargs)

    with Doubled(wait=True, viewer=viewer.command()) as plot:
        plot(1)
    assert viewer.lines("frame")[-1]["args"] == [2]


def test_a_plot_that_was_never_made_cannot_be_called() -> None:
    for call in (LivePlot.__call__, LivePlot.update, lambda plot: plot()):
        with pytest.raises(AttributeError):
            call(LivePlot.__new__(LivePlot))


def test_flush_waits_until_it_is_drawn(viewer: Viewer) -> None:
    with Patient(wait=True, viewer=viewer.command("slow=0.05")) as plot:
        for number in range(50):
            plot(n=number)
        assert plot.flush()
        assert viewer.lines("frame")[-1]["kwargs"] == {"n": 49}
        assert plot.flush()
        assert viewer.lines("frame")[-1]["kwargs"] == {"n": 49}


def test_a_viewer_that_is_killed_is_one_message_and_another_can_be_opened(
    viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    with Patient(wait=True, title="relax", viewer=viewer.command()) as plot:
        plot(n=1)
        assert plot.flush()
        assert plot.window_pid is not None
        os.kill(plot.window_pid, signal.SIGKILL)
        until(lambda: warnings(caplog), "the message")
        for number in range(1000):
            plot(n=number)
        assert plot.flush()
        assert plot.window_pid is None
        assert warnings(caplog) == [
            "relax: the plot's window was ended by SIGKILL; the calculation goes on (reopen() starts another)"
        ]
        assert not plot.is_closed
        plot.reopen()
        plot.reopen()  # there is one: nothing
        plot(n=77)
        assert plot.flush()
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 77}
    assert len(viewer.lines("began")) == 2
    assert len(warnings(caplog)) == 1


def test_a_viewer_that_stands_still_costs_nothing_and_is_ended_at_the_close(viewer: Viewer) -> None:
    with Patient(wait=True, viewer=viewer.command()) as plot:
        plot(n=1)
        assert plot.flush()
        pid = plot.window_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        before = plot.counters
        for number in range(20_000):
            plot(n=number)
        assert plot.counters.taken - before.taken <= 1
        assert not plot.flush(timeout_s=0.2)
        plot.close(timeout_s=0.2)
    until(lambda: not is_alive(pid), "the end of the viewer")


def test_two_threads_may_close_it_and_the_one_in_a_hurry_ends_it_for_both(viewer: Viewer) -> None:
    plot = Patient(wait=True, viewer=viewer.command())
    plot(n=1)
    assert plot.flush()
    pid = plot.window_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    plot(n=2)
    failures: list[BaseException] = []

    def close() -> None:
        try:
            plot.close(PATIENCE_S)
        except BaseException as exc:
            failures.append(exc)

    patient = threading.Thread(target=close)
    patient.start()
    threading.Event().wait(0.1)  # it is most likely in its flush by then, and whether or not the end is the same
    plot.close(timeout_s=0.0)
    patient.join()
    assert not failures
    until(lambda: not is_alive(pid), "the end of the viewer")


def test_the_shortest_calculation_waits_for_its_window_and_is_seen(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_seen = []

    async def flush(sender: Sender, snapshot: Snapshot | None, timeout_s: float) -> bool:
        was_seen.append(plot._seen.is_set())
        return await flush_of_old(sender, snapshot, PATIENCE_S)

    flush_of_old = Sender.flush
    monkeypatch.setattr(Sender, "flush", flush)
    plot = LivePlot(viewer=viewer.command())
    plot(n=42)
    plot.close()
    assert was_seen == [True]  # drawing has its own time: that of starting is not taken from it
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 42}


def test_a_window_that_never_comes_is_told_of_and_not_waited_for_longer_than_that(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("_READY_S", "_FLUSH_S"):
        monkeypatch.setattr(f"axonlike.plotting.liveplot.{name}", 0.05)
    monkeypatch.setattr("axonlike.plotting.window._PATIENCE_S", 0.05)
    plot = LivePlot(title="late", viewer=[sys.executable, "-c", "import time; time.sleep(600)"])
    plot(n=1)
    pid = plot.window_pid
    plot.close()
    assert warnings(caplog) == ["late: after 0.05 s the window is not there yet; the plot ends"]
    assert pid is not None
    until(lambda: not is_alive(pid), "the end of the viewer")


def test_one_who_waits_for_the_window_is_let_go_by_a_thread_in_a_hurry(caplog: pytest.LogCaptureFixture) -> None:
    plot = LivePlot(viewer=[sys.executable, "-c", "import time; time.sleep(600)"])
    plot(n=1)
    patient = threading.Thread(target=plot.close)
    patient.start()
    until(lambda: plot._seen._cond._waiters, "the wait for the window")  # type: ignore[attr-defined]
    plot.close(timeout_s=0.0)
    patient.join()
    assert warnings(caplog) == []


def test_a_window_closed_by_its_user_is_told(viewer: Viewer, caplog: pytest.LogCaptureFixture) -> None:
    with Patient(wait=True, viewer=viewer.command("close")) as plot:
        number = 0
        while not plot.is_closed:
            plot(n=number)
            number += 1
        assert plot.events() == [Did("closed")]
        assert plot.events() == []
    assert len(warnings(caplog)) == 1
    assert "was closed" in warnings(caplog)[0]


def test_a_viewer_that_cannot_show_anything_is_one_message(viewer: Viewer, caplog: pytest.LogCaptureFixture) -> None:
    with Patient(wait=True, viewer=viewer.command("fail=there is no screen here")) as plot:
        plot(n=1)
        until(lambda: warnings(caplog))
    assert len(warnings(caplog)) == 1
    assert "there is no screen here" in warnings(caplog)[0]


def test_a_command_that_is_none_is_one_message(caplog: pytest.LogCaptureFixture) -> None:
    with LivePlot(wait=True, viewer=["/nowhere/viewer"]) as plot:
        plot(n=1)
        assert plot.flush()
    assert len(warnings(caplog)) == 1
    assert "cannot be started" in warnings(caplog)[0]


def test_a_viewer_that_says_garbage_is_let_go(viewer: Viewer, caplog: pytest.LogCaptureFixture) -> None:
    with Patient(wait=True, viewer=viewer.command("garbage")) as plot:
        plot(n=1)
        until(lambda: warnings(caplog))
    assert len(warnings(caplog)) == 1
    assert "what no viewer says" in warnings(caplog)[0]


def test_what_is_set_and_done_in_the_window_reaches_the_calculation(viewer: Viewer) -> None:
    with Patient(wait=True, params={"dt": 0.5}, viewer=viewer.command("set=dt:0.25", "click")) as plot:
        assert plot.params.dt == 0.5
        plot(n=1)
        until(lambda: plot.params.dt == 0.25)
        until(lambda: plot.events() == [Did("click", panel="n", x=1.0, y=2.0, button=1)])
        plot.params.dt = 4
        until(lambda: viewer.lines("values"))
    assert viewer.lines("values")[0]["values"] == {"dt": 4.0}


def test_events_that_nobody_takes_are_counted(viewer: Viewer) -> None:
    with LivePlot(window=False, listen="127.0.0.1:0") as plot:
        for number in range(1005):
            plot._did(Did("key", key=str(number)))
        assert plot.events_dropped == 5
        assert [event.key for event in plot.events()][:2] == ["5", "6"]
        assert plot.events() == []


def test_it_has_asyncios_own_loop_even_where_the_program_prefers_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop keeps the interpreter while it writes, and the calculation would wait for the viewer that this wakes."""
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.setattr(asyncio, "new_event_loop", uvloop.new_event_loop)
    with LivePlot(window=False, listen="127.0.0.1:0") as plot:
        assert isinstance(plot._loop, asyncio.SelectorEventLoop)


def test_the_viewer_stays_with_hold_and_goes_without(viewer: Viewer) -> None:
    with Patient(wait=True, hold=True, viewer=viewer.command("stay=60")) as plot:
        plot(n=1)
        pid = plot.window_pid
        assert pid is not None
    try:
        assert until(lambda: viewer.lines("ended"))[0]["hold"] is True
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def calculation(viewer: Viewer, body: str, *words: str) -> str:
    return textwrap.dedent(
        f"""
        import os, sys, time
        from axonlike.plotting.liveplot import LivePlot
        plot = LivePlot(wait=True, viewer={viewer.command(*words)!r})
        plot(n=1)
        assert plot.flush({PATIENCE_S})
        print(plot.window_pid, flush=True)
        """
    ) + textwrap.dedent(body)


def test_a_calculation_that_is_killed_takes_its_viewer_along(viewer: Viewer) -> None:
    """Even if a process that it forked lives on."""
    fork = "child = os.fork()\nif not child: time.sleep(3600)\nprint(child, flush=True); time.sleep(3600)"
    program = calculation(viewer, fork)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, child = int(process.stdout.readline()), int(process.stdout.readline())
        process.kill()
        process.wait()
    try:
        until(lambda: not is_alive(pid), "the end of the viewer")
    finally:
        os.kill(child, signal.SIGKILL)


def test_ctrl_c_at_the_terminal_ends_the_calculation_alone(viewer: Viewer) -> None:
    body = """
    try:
        while True:
            plot(n=2)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    time.sleep(0.2)
    plot(n=3)
    plot.close(30.0)
    print("closed", flush=True)
    """
    program = calculation(viewer, body)
    # A session of its own stands for the terminal: Ctrl-C signals all of its foreground group.
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert os.getpgid(pid) != os.getpgid(process.pid)
        until(lambda: viewer.lines("frame")[-1]["kwargs"] == {"n": 2}, "the loop")
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert process.stdout.readline() == "closed\n"
        assert process.wait() == 0
    assert viewer.lines("frame")[-1]["kwargs"] == {"n": 3}  # it was there to the end
    assert viewer.lines("began")[0]["sigint"] is True


def test_a_process_that_is_forked_off_does_not_touch_the_plot(viewer: Viewer) -> None:
    body = """
    if not os.fork():
        plot(n=2); plot.flush(); plot.params; plot.close(); plot.reopen(); os._exit(0)
    os.wait()
    plot(n=3)
    plot.close(30.0)
    """
    subprocess.run([sys.executable, "-c", calculation(viewer, body)], check=True, timeout=3 * PATIENCE_S)
    assert [frame["kwargs"]["n"] for frame in viewer.lines("frame")] == [1, 3]


def test_a_plot_that_is_off_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", "off")
    threads = threading.active_count()
    with LivePlot(wait=True, listen="127.0.0.1:0", params={"dt": 1}) as plot:
        plot(n=1)
        assert plot.flush()
        plot.reopen()
        assert (plot.window_pid, plot.address, plot.url) == (None, None, "")
        assert plot.params.dt == 1
        assert threading.active_count() == threads
        assert plot.counters.offered == 1


@pytest.mark.parametrize("said", ["on", "window=1", "listen=nonsense", "off,everywhere"])
def test_an_environment_that_makes_no_sense_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", said)
    with pytest.raises(UsageError):
        LivePlot()


def test_the_environment_has_the_last_word(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", "window")
    monkeypatch.setenv("AXONLIKE_PLOT_FPS", "5")
    with LivePlot(window=False, listen="127.0.0.1:0", fps=50, wait=True, viewer=viewer.command()) as plot:
        assert plot.address is None
        assert plot.window_pid is not None
    assert viewer.lines("welcome")[0]["fps"] == 5.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0.0},
        {"fps": 1e6},
        {"panels": {"n": 3}},
        {"panels": {"n": "pie"}},
        {"params": {"n": None}},
        {"listen": "x"},
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_started(wrong: Any) -> None:
    with pytest.raises(UsageError):
        LivePlot(viewer=["/nowhere"], **wrong)
    assert not [thread for thread in threading.enumerate() if thread.name == "axonlike-plot"]


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:9", ("localhost", 9)), (":9", ("127.0.0.1", 9)), ("[::1]:80", ("::1", 80)), ("a.b:0", ("a.b", 0))],
)
def test_addresses_are_read(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:70000", "9999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        address_of(text)


def test_nothing_runs_while_nothing_changes(viewer: Viewer) -> None:
    with Patient(wait=True, viewer=viewer.command()) as plot:
        plot(n=1)
        assert plot.flush()
        pid = plot.window_pid
        room = plot._desk.room
        assert room is not None
        until(lambda: room.window_sleeps)
        thread_id = plot._thread.native_id

        def switches() -> list[int]:
            paths = (f"/proc/{os.getpid()}/task/{thread_id}/status", f"/proc/{pid}/status")
            return [int(Path(path).read_text().partition("voluntary_ctxt_switches:")[2].split()[0]) for path in paths]

        before = switches()
        threading.Event().wait(1.0)
        ours, theirs = (later - earlier for earlier, later in zip(before, switches()))
        assert ours <= 2
        assert theirs <= 2


def test_a_plot_says_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    plot = LivePlot(title="relax", window=False, listen="127.0.0.1:0", panels={"n": Panel(units="J")})
    assert repr(plot) == "<LivePlot 'relax', open>"
    plot.close()
    plot.close()
    assert repr(plot) == "<LivePlot 'relax', closed>"
    assert plot.is_closed
    plot(n=1)  # harmless
    assert plot.flush()
    assert not warnings(caplog)
