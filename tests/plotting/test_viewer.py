"""The viewer as its user has it: a window on a virtual X screen, real keys, a server that dies, no screen at all."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike.plotting import LivePlot
from tests.components.ui.xscreen import MISSING, XScreen, x_screen

pytest.importorskip("pygame", reason="pygame is not installed")
PATIENCE_S = 60.0
ON_A_SCREEN = [pytest.mark.system, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")]


def until(condition: Callable[[], Any], what: str) -> Any:
    end_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"it never happened: {what}"
        threading.Event().wait(0.02)
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "axonlike.plot"]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[XScreen]:
    with x_screen((1000, 760)) as made:
        monkeypatch.setenv("DISPLAY", made.display)
        for name in ("SDL_VIDEODRIVER", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        yield made


@pytest.fixture
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.usefixtures("_dummy")
def test_the_default_viewer_draws_all_kinds_of_values_and_ends_with_the_calculation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = np.linspace(0, 1, 300)
    with LivePlot(wait=True, fps=100) as plot:
        for number in range(30):
            plot(
                x,
                x**2,
                e=1 / (number + 1),
                field=np.outer(x, x) + number,
                text=f"number {number}",
                rgb=np.zeros((4, 5, 3)),
            )
            assert plot.flush(timeout_s=PATIENCE_S)
        pid = plot.window_pid
        assert pid is not None
    assert plot.counters.drawn == plot.counters.taken == 30
    assert not warnings(caplog)
    assert not Path(f"/proc/{pid}").exists()


def test_without_a_screen_there_is_one_sentence_and_the_calculation_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with LivePlot(wait=True, title="relax") as plot:
        plot(n=1)
        assert plot.flush()
        until(lambda: warnings(caplog), "the message")
    (said,) = warnings(caplog)
    assert said.startswith("relax: there is no plot: ")
    assert "\n" not in said
    assert "Traceback" not in capfd.readouterr().err


class TestOnAScreen:
    pytestmark = ON_A_SCREEN

    def test_keys_clicks_and_a_pause_come_back_and_closing_is_told(
        self, screen: XScreen, caplog: pytest.LogCaptureFixture
    ) -> None:
        with LivePlot(wait=True, title="relax") as plot:
            plot(n=np.linspace(0, 1, 100))
            assert plot.flush(timeout_s=PATIENCE_S)
            assert plot.window_pid is not None
            window = screen.window(plot.window_pid)
            screen.focus(window)
            screen.key("k")
            events = until(plot.events, "the key")
            assert [(event.what, event.key) for event in events] == [("key", "k")]
            screen.xdotool("mousemove", "--window", window, 300, 200, "click", 1)
            events = until(plot.events, "the click")
            assert (events[0].what, events[0].panel, events[0].button) == ("click", "n", 1)
            assert 0 < events[0].x < 99
            # Paused it asks for nothing and is not waited for.
            screen.key("space")
            until(lambda: "paused" in [event.what for event in plot.events()], "the pause")
            for number in range(1000):
                plot(n=number)
            began_s = time.monotonic()
            assert plot.flush(timeout_s=PATIENCE_S)
            assert time.monotonic() - began_s < PATIENCE_S / 2
            drawn = plot.counters.drawn
            screen.key("space")
            until(lambda: plot.counters.drawn > drawn, "going on")
            plot.events()
            screen.close(window)
            until(lambda: plot.is_closed, "the closing")
            assert [event.what for event in plot.events()][-1] == "closed"
        assert [line for line in warnings(caplog) if "was closed" in line] == warnings(caplog)
        assert len(warnings(caplog)) == 1

    def test_a_screen_that_dies_is_one_message(self, screen: XScreen, caplog: pytest.LogCaptureFixture) -> None:
        with LivePlot(wait=True) as plot:
            plot(n=1)
            assert plot.flush(timeout_s=PATIENCE_S)
            screen.kill()
            until(lambda: warnings(caplog), "the message")
            for number in range(100):
                plot(n=number)
        assert len(warnings(caplog)) == 1

    def test_nothing_runs_while_nothing_changes(self, screen: XScreen) -> None:
        with LivePlot(wait=True) as plot:
            plot(n=np.zeros(10), e=1.0)
            assert plot.flush(timeout_s=PATIENCE_S)
            pid = plot.window_pid
            threading.Event().wait(4.0)  # until the last of what it draws by itself: that no frame comes any more

            def wakes() -> int:
                text = Path(f"/proc/{pid}/status").read_text()
                return int(text.partition("voluntary_ctxt_switches:")[2].split()[0])

            def wakes_in_three_seconds() -> int:
                before = wakes()
                threading.Event().wait(3.0)
                return wakes() - before

            # One look a second, in case Xlib has read an event; it may touch a lock. On a busy machine it draws that
            # last thing later than after those four seconds: then this is looked at again.
            until(lambda: wakes_in_three_seconds() <= 3 * 3, "a window at rest")

    def test_a_viewer_elsewhere_looks_by_the_command(self, screen: XScreen, tmp_path: Path) -> None:
        with LivePlot(window=False, listen="127.0.0.1:0", title="far away") as plot:
            plot(n=1)
            command = [sys.executable, "-m", "axonlike", "plot", plot.url, "--once"]
            with subprocess.Popen(
                command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=self.environment()
            ) as process:
                until(lambda: plot.counters.drawn >= 1, "a frame in the other window")
                plot(n=2)
                assert plot.flush(timeout_s=PATIENCE_S)
                plot.close()
                assert process.wait(PATIENCE_S) == 0
                assert process.stderr is not None
                assert process.stderr.read() == ""

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_logging_is_off_by_default() -> None:
    assert logging.getLogger("axonlike.plot").level == logging.NOTSET
    assert not logging.getLogger("axonlike.plot").handlers
