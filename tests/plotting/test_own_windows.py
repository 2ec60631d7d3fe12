"""A plotter with windows of its own, as a part of the viewer's graph: in virtual time, with a fake in its place."""

from __future__ import annotations

from typing import Any, cast

import pytest

from axonlike import Pipeline
from axonlike.plotting.messages import Did, Drawn, Ended, Failed, Frame, Ready, Welcome
from axonlike.plotting.own_windows import OwnWindows
from axonlike.plotting.plotter import OwnPlotter, PlotterError
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual


class FakeWindows:
    """In place of an OwnPlotter: draws into a list, and its user closes it at a time."""

    own_windows = True

    def __init__(self, closed_at_s: float = 1e9) -> None:
        self.drawn: list[int] = []
        self.pumps = 0
        self._closed_at = round(closed_at_s * 20)

    @property
    def closed(self) -> bool:
        return self.pumps >= self._closed_at

    def pump(self) -> None:
        self.pumps += 1

    def draw(self, frame: Frame, size_px: tuple[int, int]) -> Frame:
        if frame.args:
            raise PlotterError(frame.args[0])
        self.drawn.append(frame.number)
        return frame


def shown_in(windows: FakeWindows, *said: Any) -> tuple[list[Any], float]:
    """What the calculation is told, and how long it all took."""
    probe = Probe()
    took_s = run_virtual(Pipeline(Feeder(said), OwnWindows(cast(OwnPlotter, windows)), probe))
    return probe.messages, took_s


def test_own_windows_answer_each_frame_once_it_is_drawn() -> None:
    windows = FakeWindows()
    told, _ = shown_in(windows, Welcome(), Frame(number=1), PAUSE(1.0), Frame(number=2), Ended("over"))
    assert told[:3] == [Ready("window"), Drawn(1), Drawn(2)]
    assert windows.drawn == [1, 2]
    assert windows.pumps == pytest.approx(20, abs=3)


def test_own_windows_tell_each_error_once_and_go_on() -> None:
    windows = FakeWindows()
    frames = [Frame(number=number, args=("no such key",) if number < 3 else ()) for number in (1, 2, 3)]
    told, _ = shown_in(windows, Welcome(), *frames)
    assert told[:5] == [Ready("window"), Failed("no such key"), Drawn(1), Drawn(2), Drawn(3)]
    assert windows.drawn == [3]


def test_own_windows_that_are_closed_end_the_viewer() -> None:
    told, took_s = shown_in(FakeWindows(closed_at_s=2), Welcome(), PAUSE(60.0), Frame(number=1))
    assert told == [Ready("window"), Did("closed")]
    assert took_s < 60


@pytest.mark.parametrize(("hold", "expected_s"), [(True, 5.0), (False, 0.0)])
def test_own_windows_stay_for_their_user_only_if_asked(hold: bool, expected_s: float) -> None:
    told, took_s = shown_in(FakeWindows(closed_at_s=5), Welcome(), Frame(number=1), Ended("over", hold=hold))
    assert told[:2] == [Ready("window"), Drawn(1)]
    assert took_s == pytest.approx(expected_s, abs=0.2)
