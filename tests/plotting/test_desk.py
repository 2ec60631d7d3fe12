"""What a call lays down, and for whom; in C and in Python (test_speedups.py runs this without C too)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from axonlike.plotting.desk import Desk
from axonlike.plotting.liveplot import LivePlot
from axonlike.plotting.memory import FrameRoom, FrameWatch
from axonlike.plotting.messages import Frame

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has memory to share")


class Plot:
    """A plot without its thread, and the window's end of the memory."""

    def __init__(self) -> None:
        self.room = FrameRoom()
        self.desk = Desk(self.room)
        self.desk.shut()
        self.call = LivePlot.__new__(LivePlot)
        self.call._desk = self.desk
        self.watch = FrameWatch(os.dup(self.room.fd), 10.0)
        self.now_s = 0.0
        self.watch.start(0.0)
        assert self.watch.look(0.0) is None

    def show(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
        """What the window sees of this call, if that is something new, and draws."""
        assert self.room.is_drawn
        self.call(*args, **kwargs)
        assert not self.room.is_drawn
        self.now_s += 0.5
        frame = self.watch.look(self.now_s)
        self.watch.drawn(self.now_s)
        return frame


@pytest.fixture
def plot() -> Iterator[Plot]:
    plot = Plot()
    yield plot
    plot.room.close()
    plot.desk.close()
    del plot.room, plot.watch


def check(frame: Frame, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert len(frame.args) == len(args)
    assert [*frame.kwargs] == [*kwargs]
    for seen, given in zip((*frame.args, *frame.kwargs.values()), (*args, *kwargs.values()), strict=True):
        np.testing.assert_array_equal(seen, given)
        assert np.asarray(seen).dtype == np.asarray(given).dtype


A, B = np.arange(4.0), np.arange(4.0) + 10
FIELD = np.arange(6.0).reshape(2, 3)
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((A, B), {}), ((A,), {"x": B}), ((), {"x": A, "y": B}), ((), {"y": A, "x": B}), ((FIELD,), {}), ((FIELD.T,), {}),
    ((FIELD[:, ::-1],), {}), ((FIELD.reshape(3, 2),), {}), ((FIELD.astype("f4"),), {}), ((FIELD.view("i8"),), {}),
    ((FIELD.astype(">f8"),), {}), ((A, 3), {}), ((A,), {"n": 3}), ((np.array(2.0),), {}), ((np.empty((0, 2)), A), {}),
    ((A,) * 20, {}), ((), {}), ((A[::2],), {}), (("text",), {}),
]  # fmt: skip


@pytest.mark.parametrize("before", [*range(len(CALLS))])
def test_every_call_is_seen_as_it_was_whatever_the_one_before_it_was(plot: Plot, before: int) -> None:
    for args, kwargs in CALLS:
        plot.show(*CALLS[before])
        for step in (1, 2, 2):
            changed = tuple(value + step if isinstance(value, np.ndarray) else value for value in args)
            named = {name: value + step for name, value in kwargs.items()}
            frame = plot.show(changed, named)
            if frame is not None:
                check(frame, changed, named)
                assert frame.call == plot.desk.offered
        # The last was like the one before it; one without an array that can change was like the first.
        assert frame is None
    assert plot.room.call == plot.desk.offered == 4 * len(CALLS)


def test_the_first_call_of_a_shape_and_the_next_are_both_new(plot: Plot) -> None:
    for step in range(3):
        frame = plot.show((A + step, B), {"x": FIELD})
        assert frame is not None
        check(frame, (A + step, B), {"x": FIELD})
        assert 0.0 < frame.time_s < 3600.0
        assert frame.counters.worst_call_s == (0.0 if not step else pytest.approx(plot.desk.worst_call_s, rel=1.0))


def test_a_call_that_nobody_waits_for_lays_nothing_down(plot: Plot) -> None:
    plot.show((A,), {})
    plot.call(A + 1)
    plot.call(A + 2)
    call = plot.room.call
    plot.call(A + 3)
    assert plot.room.call == call
    assert plot.desk.snapshot is None


def test_other_viewers_get_a_copy_of_the_same_call(plot: Plot) -> None:
    for step in range(3):
        plot.desk.ask()
        frame = plot.show((A + step,), {})
        assert frame is not None
        snapshot, plot.desk.snapshot = plot.desk.snapshot, None
        assert snapshot is not None
        assert snapshot[0] == frame.call
        assert snapshot[2][0].tolist() == frame.args[0].tolist() == (A + step).tolist()
        plot.show((A - 1,), {})
        assert plot.desk.snapshot is None  # asked for once


def test_a_window_that_sleeps_is_woken_once(plot: Plot) -> None:
    woken = []
    plot.desk.wake_window = lambda: woken.append(plot.desk.offered)
    for _ in range(2):  # by a call that lays down a new shape, and by one that does not
        while plot.watch.next_look_s is not None:
            plot.now_s = plot.watch.next_look_s
            assert plot.watch.look(plot.now_s) is None
        plot.call(A + plot.desk.offered)
        plot.watch.wake(plot.now_s)
        assert plot.watch.look(plot.now_s) is not None
        plot.watch.drawn(plot.now_s)
        plot.call(A + plot.desk.offered)
        plot.now_s += 0.2
        assert plot.watch.look(plot.now_s) is not None
        plot.watch.drawn(plot.now_s)
    assert woken == [1, 3]


def test_an_error_of_who_wakes_the_window_is_not_swallowed(plot: Plot) -> None:
    def fails() -> None:
        raise RuntimeError("no")

    plot.show((A,), {})
    while plot.watch.next_look_s is not None:
        plot.now_s = plot.watch.next_look_s
        assert plot.watch.look(plot.now_s) is None
    plot.desk.wake_window = fails
    with pytest.raises(RuntimeError):
        plot.call(A)


def test_the_longest_call_is_kept(plot: Plot) -> None:
    plot.show((A,), {})
    first_s = plot.desk.worst_call_s
    assert first_s > 0
    plot.desk.worst_call_s = 0.0
    plot.show((A,), {})
    assert plot.desk.worst_call_s > 0
    plot.desk.worst_call_s = 1e9
    plot.show((A,), {})
    assert plot.desk.worst_call_s == 1e9


def test_a_desk_that_was_closed_takes_nothing(plot: Plot) -> None:
    plot.show((A,), {})
    plot.desk.close()
    plot.call(A)
    assert (plot.room.call, plot.desk.due, plot.desk.snapshot) == (1, False, None)


def test_who_finds_a_snapshot_finds_that_the_window_has_it_too(plot: Plot) -> None:
    """Else the thread beside would send it to the window, which would draw it twice."""
    in_memory: list[int] = []
    plot.desk.wake = lambda: in_memory.append(plot.room.call)
    plot.desk.ask()
    plot.call(1)
    assert in_memory == [1]
    assert plot.desk.snapshot is not None
