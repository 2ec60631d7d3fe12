"""A plot at the end of a pipeline: the same as calling it, and nobody waits for its window."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline, run
from axonlike.errors import ComponentError
from axonlike.plotting.messages import Did
from axonlike.plotting.sink import PlotSink
from axonlike.testing import Feeder, Probe, check_component

VIEWER = str(Path(__file__).with_name("plain_viewer.py"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "viewer.jsonl"


def command(file: Path, *words: str) -> list[str]:
    return [sys.executable, VIEWER, str(file), *words]


def frames(file: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["is_"] == "frame"]


class EachDrawn(Component):
    """Sends the next message when the window has drawn the one before, and waits for another."""

    def __init__(self, messages: list[Any], sink: PlotSink) -> None:
        self.messages = messages
        self.sink = sink

    def main(self) -> Generator[Any, Any, None]:
        for number, message in enumerate(self.messages, 1):
            self.send(message)
            while self.sink.counters.drawn < number or not self._is_due:
                yield self.wait(timeout=0.01)

    @property
    def _is_due(self) -> bool:
        """The window counts what it has drawn before it asks for more. In between a call would not be drawn."""
        return self.sink.plot is not None and self.sink.plot._desk.due


def test_each_message_is_a_call(file: Path) -> None:
    sink = PlotSink(viewer=command(file), fps=100)
    run(Pipeline(EachDrawn([{"e": 1.5, "s": "a"}, (1, 2), np.arange(3), [4, 5]], sink), sink))
    assert [(frame["args"], frame["kwargs"]) for frame in frames(file)] == [
        ([], {"e": 1.5, "s": "a"}), ([1, 2], {}), ([[0, 1, 2]], {}), ([[4, 5]], {}),
    ]  # fmt: skip
    assert sink.counters.offered == 4
    assert sink.counters.drawn == 4
    assert sink.plot is None


class AllAtOnce(Component):
    """Sends all messages once the window has drawn the first: how long it takes to come is nobody's business here."""

    def __init__(self, messages: list[Any], sink: PlotSink) -> None:
        self.messages = messages
        self.sink = sink

    def main(self) -> Generator[Any, Any, None]:
        for number, message in enumerate(self.messages):
            self.send(message)
            yield
            while not number and not self.sink.counters.drawn:
                yield self.wait(timeout=0.01)


def test_the_last_message_is_drawn_whatever_came_before(file: Path) -> None:
    sink = PlotSink(viewer=command(file, "slow=0.05"))
    run(Pipeline(AllAtOnce([{"n": number} for number in range(5000)], sink), sink))
    assert frames(file)[-1]["kwargs"] == {"n": 4999}
    assert len(frames(file)) < 100


class Caller(Component):
    """Sends until it is told that the user has done something."""

    def main(self) -> Generator[Any, Any, None]:
        while not self.data_ready():
            self.send({"n": 1})
            yield self.wait(timeout=0.01)
        self.recv()


def test_what_the_user_does_comes_out_and_parameters_go_in(file: Path) -> None:
    events = Probe()
    sink = PlotSink(viewer=command(file, "click"), params={"dt": 1.0})
    run(
        Graphline(
            CALLER=Caller(), PLOT=sink, SET=Feeder([{"dt": 4.0}]), TEE=Tee(), EVENTS=events,
            links="CALLER -> PLOT; SET -> PLOT.params; PLOT.events -> TEE -> CALLER; TEE.copy -> EVENTS",
        )
    )  # fmt: skip
    assert events.messages == [Did("click", panel="n", x=1.0, y=2.0, button=1)]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line["values"] for line in lines if "values" in line][-1] == {"dt": 4.0}


class Tee(Component):
    """Both get it."""

    Outboxes = {"copy": "the same"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.send(message)
                self.send(message, "copy")


def test_a_parameter_that_there_is_not_is_its_failure() -> None:
    sink = PlotSink(window=False, listen="127.0.0.1:0", params={"dt": 1.0})
    with pytest.raises(ComponentError, match="no parameter 'dx'"):
        run(Graphline(P=sink, S=Feeder([{"dx": 1}]), links="S -> P.params"))


def test_it_is_a_component_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", "off")
    check_component(lambda: PlotSink(), messages=[{"n": 1}, (1, 2), 3])
