"""Who gets which frame, and what is copied when nobody waits for one. In virtual time; the viewers are objects."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from axonlike.plotting.desk import Desk
from axonlike.plotting.memory import FrameRoom, FrameWatch
from axonlike.plotting.messages import (
    Did,
    Drawn,
    Ended,
    Failed,
    Frame,
    Laid,
    Message,
    Ready,
    Set,
    Values,
    Welcome,
    copied,
    decode,
)
from axonlike.plotting.params import Params, params_of
from axonlike.plotting.sender import Sender, Viewer, same
from axonlike.testing.virtual import VirtualLoop

FPS = 10.0


class Looker(Viewer):
    """Keeps what it is sent. draws_in_s: says that a frame is drawn so much later; None: never."""

    def __init__(self, sender: Sender, draws_in_s: float | None = 0.0) -> None:
        self.sender = sender
        self.draws_in_s = draws_in_s
        self.got: list[Message] = []
        self.times_s: list[float] = []
        self.closed = False

    def send(self, blob: bytes) -> None:
        message = decode(blob, private=self.private)
        self.got.append(message)
        if isinstance(message, Frame):
            loop = asyncio.get_running_loop()
            self.times_s.append(loop.time())
            if self.draws_in_s is not None:
                loop.call_later(self.draws_in_s, self.sender.heard, self, Drawn(message.number))

    def close(self) -> None:
        self.closed = True

    @property
    def frames(self) -> list[Frame]:
        return [message for message in self.got if isinstance(message, Frame)]

    @property
    def shown(self) -> list[Any]:
        return [frame.kwargs["n"] for frame in self.frames]


class Plot:
    """The calculation's half, without a thread."""

    def __init__(self, room: FrameRoom | None = None, **options: Any) -> None:
        self.desk = Desk(room)
        self.params = Params(params_of({"dt": 0.1}))
        self.did: list[Did] = []
        self.sender = Sender(
            asyncio.get_running_loop(), self.desk, self.params, fps=FPS, on_did=self.did.append, **options
        )

    def __call__(self, **kwargs: Any) -> None:
        self.desk.args, self.desk.kwargs = (), kwargs
        self.desk.offered += 1
        if self.desk.due:
            self.desk.lay_down()

    def viewer(self, draws_in_s: float | None = 0.0) -> Looker:
        viewer = Looker(self.sender, draws_in_s)
        self.sender.join(viewer, Ready("test"))
        return viewer

    def window(self, draws_in_s: float | None = 0.0) -> tuple[Looker, FrameWatch]:
        """A viewer that looks in memory, and its end of that. What is sent to it is drawn so much later."""
        assert self.desk.room is not None
        window = Looker(self.sender, draws_in_s)
        window.private = True
        self.sender.join(window, Ready("window", looks=True))
        return window, FrameWatch(os.dup(self.desk.room.fd), FPS)

    async def calls(self, count: int, every_s: float = 0.001) -> None:
        for _ in range(count):
            self(n=self.desk.offered)
            await asyncio.sleep(every_s)


def in_virtual_time(test: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(test())  # type: ignore[arg-type]


def test_a_viewer_is_welcomed_and_gets_frames_at_the_rate_asked_for() -> None:
    async def test() -> None:
        plot = Plot(title="relax")
        viewer = plot.viewer()
        await plot.calls(2000)
        first, *_ = viewer.got
        assert isinstance(first, Welcome)
        assert (first.title, first.fps, first.plotter) == ("relax", FPS, None)
        assert 19 <= len(viewer.frames) <= 21  # two seconds
        assert all(later - earlier > 0.099 for earlier, later in zip(viewer.times_s, viewer.times_s[1:]))
        assert plot.sender.counters.offered == 2000
        assert plot.sender.counters.dropped == 2000 - plot.sender.counters.taken
        assert plot.sender.counters.sent == len(viewer.frames)

    in_virtual_time(test)


def test_a_slow_viewer_gets_fewer_frames_and_costs_the_quick_one_none() -> None:
    async def test() -> None:
        plot = Plot()
        quick, slow = plot.viewer(), plot.viewer(1.0)
        await plot.calls(3000)
        assert 28 <= len(quick.frames) <= 31
        assert 3 <= len(slow.frames) <= 4
        assert set(slow.shown) < set(quick.shown)

    in_virtual_time(test)


def test_a_viewer_that_never_draws_costs_two_copies() -> None:
    async def test() -> None:
        plot = Plot()
        plot.viewer(None)
        await plot.calls(3000)
        # One was sent; one more was copied ahead of the next, and lies on the desk.
        assert plot.sender.counters.taken == 1
        assert plot.desk.snapshot is not None
        assert not plot.desk.due

    in_virtual_time(test)


def test_without_a_viewer_only_the_first_call_is_copied() -> None:
    async def test() -> None:
        plot = Plot()
        await plot.calls(100)
        assert plot.desk.snapshot is not None
        assert plot.desk.snapshot[0] == 1
        assert plot.viewer().shown == [0]
        assert plot.sender.taken == 1

    in_virtual_time(test)


def test_what_was_copied_does_not_change_with_the_calculation() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer()
        field = np.zeros(50)
        for _ in range(500):
            field += 1  # in place
            plot(n=field)
            field += 1
            await asyncio.sleep(0.002)
        assert len(viewer.frames) > 5
        for frame in viewer.frames:
            values = np.unique(frame.kwargs["n"])
            assert len(values) == 1
            assert values[0] % 2 == 1  # as it was in a call, never between two
            assert values[0] == 2 * frame.call - 1

    in_virtual_time(test)


def test_what_does_not_change_is_not_sent_again() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer()
        array = np.array([1.0, np.nan])
        for _ in range(100):
            plot(n=array, text="same", deep={"a": [1, (2.0,)]})
            await asyncio.sleep(0.05)
        assert len(viewer.frames) == 1
        array[0] = 2.0
        plot(n=array, text="same", deep={"a": [1, (2.0,)]})
        await asyncio.sleep(0.5)
        assert len(viewer.frames) == 2

    in_virtual_time(test)


def test_nothing_happens_while_nobody_calls() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer()
        await plot.calls(300)
        await asyncio.sleep(3.0)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before, frames = loop.jumps, len(viewer.frames)
        await asyncio.sleep(3600.0)
        assert loop.jumps - before <= 2  # no timer but the test's own
        assert plot.desk.asleep
        assert plot.desk.due
        plot(n=-1)
        await asyncio.sleep(0.2)
        assert viewer.shown[frames:] == [-1]  # the first call wakes it

    in_virtual_time(test)


def test_who_comes_late_sees_the_newest_frame_and_what_the_numbers_were() -> None:
    async def test() -> None:
        plot = Plot()
        first = plot.viewer()
        await plot.calls(1000)
        late = plot.viewer()
        assert late.shown == first.shown[-1:]
        welcome = late.got[0]
        assert isinstance(welcome, Welcome)
        assert welcome.history["n"][:, 1].tolist() == first.shown
        assert welcome.history["n"][:, 0].tolist() == [frame.call for frame in first.frames]

    in_virtual_time(test)


def test_flush_draws_the_last_call_as_it_is_now() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer(0.2)
        array = np.zeros(3)
        for number in range(20):
            array[:] = number
            plot(n=array)
        array[:] = 77.0
        assert await plot.sender.flush(plot.desk.copy(), 5.0)
        assert viewer.shown[-1].tolist() == [77.0] * 3
        assert viewer.drawn == plot.sender.taken

    in_virtual_time(test)


def test_flush_does_not_wait_for_who_is_paused_has_failed_or_left() -> None:
    async def test() -> None:
        plot = Plot()
        paused, failed, gone = plot.viewer(None), plot.viewer(None), plot.viewer(None)
        plot.sender.heard(paused, Did("paused"))
        plot.sender.heard(failed, Failed("no"))
        plot.sender.left(gone)
        plot(n=1)
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        assert await plot.sender.flush(None, 5.0)
        assert loop.time() == before_s
        plot.sender.heard(paused, Did("resumed"))
        plot(n=2)
        plot.desk.lay_down()
        assert not await plot.sender.flush(None, 5.0)
        assert loop.time() == pytest.approx(before_s + 5.0)

    in_virtual_time(test)


def test_a_viewer_that_leaves_in_the_middle_lets_flush_return() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer(None)
        plot(n=1)
        asyncio.get_running_loop().call_later(1.0, plot.sender.left, viewer)
        assert await plot.sender.flush(None, 5.0)
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)
        plot.sender.left(viewer)  # once more does no harm

    in_virtual_time(test)


def test_parameters_are_set_checked_and_told_to_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        plot = Plot()
        one, other, only_looks = plot.viewer(), plot.viewer(), plot.viewer()
        only_looks.may_set = False
        plot.sender.heard(one, Set("dt", 0.5))
        assert plot.params.dt == 0.5
        assert Values({"dt": 0.5}) in other.got
        assert Values({"dt": 0.5}) not in one.got
        for viewer, message in ((one, Set("dt", "x")), (one, Set("no", 1.0)), (only_looks, Set("dt", 9.0))):
            plot.sender.heard(viewer, message)
        assert plot.params.dt == 0.5
        assert len(caplog.records) == 3

    in_virtual_time(test)


def test_what_users_do_is_told() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer()
        plot.sender.heard(viewer, Did("click", panel="n", x=1.0, y=2.0, button=1))
        assert plot.did == [Did("click", panel="n", x=1.0, y=2.0, button=1)]

    in_virtual_time(test)


@pytest.mark.parametrize("number", [0, 2, 2**40])
def test_a_frame_that_was_not_sent_cannot_be_drawn(number: int) -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer(None)
        plot(n=1)
        await asyncio.sleep(1.0)
        plot.sender.heard(viewer, Drawn(number))
        assert plot.sender.drawn == 0
        plot.sender.heard(viewer, Drawn(1))
        plot.sender.heard(viewer, Drawn(1))
        assert plot.sender.drawn == 1

    in_virtual_time(test)


def test_a_failure_is_told_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        plot = Plot()
        plot.sender.heard(plot.viewer(), Failed("draw() raised"))
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "draw() raised" in caplog.text

    in_virtual_time(test)


def test_the_end_is_told_to_all_and_to_who_comes_after() -> None:
    async def test() -> None:
        plot = Plot()
        viewer = plot.viewer()
        await plot.calls(5)
        plot.sender.end("has ended", hold=True)
        assert viewer.got[-1] == Ended("has ended", hold=True)
        assert viewer.closed
        late = plot.viewer()
        assert late.got[-1] == Ended("has ended", hold=True)
        assert not plot.desk.due

    in_virtual_time(test)


def test_only_the_viewer_started_here_gets_objects() -> None:
    async def test() -> None:
        plot = Plot()
        own = Looker(plot.sender)
        own.private = True
        plot.sender.join(own, Ready("window"))
        other = plot.viewer()
        plot(n=range(3))
        await asyncio.sleep(1.0)
        assert own.shown == [range(3)]
        assert [type(shown).__name__ for shown in other.shown] == ["Other"]

    in_virtual_time(test)


def test_same_knows_what_looks_the_same() -> None:
    alike: list[Any] = [1, 1.0, "a", None, float("nan"), (1, [2, {"a": np.zeros(2)}]), np.array([np.nan, 1]), b"x", 1j]
    for value in alike:
        assert same(value, copied(value)), value
    different: list[Any] = [
        (1, 2), (1, 1.0), ("a", "b"), ((1,), [1]), ({"a": 1}, {"b": 1}), (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, "f4")), ([1], [1, 2]), (np.array([0.0, 1]), np.array([0.0, 2])),
    ]  # fmt: skip
    for a, b in different:
        assert not same(a, b), (a, b)
    assert same(copied(range(3)), copied(range(3)))
    assert not same(copied(range(3)), copied(range(4)))


def test_one_who_was_greeted_and_never_said_that_it_is_ready_is_not_waited_for_unless_we_started_it() -> None:
    async def test() -> None:
        plot = Plot()
        plot.sender.greet(Looker(plot.sender))
        plot(n=1)
        loop = asyncio.get_running_loop()
        assert await plot.sender.flush(None, 5.0)
        assert loop.time() == 0.0
        ours = Looker(plot.sender)
        ours.private = True
        plot.sender.greet(ours)  # its window is on its way
        loop.call_later(2.0, plot.sender.heard, ours, Ready("window"))
        assert await plot.sender.flush(None, 5.0)
        assert loop.time() == pytest.approx(2.0)
        assert ours.shown == [1]

    in_virtual_time(test)


needs_memory = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has such memory")


def with_memory(test: Callable[[FrameRoom], Awaitable[None]]) -> None:
    room = FrameRoom()
    try:
        in_virtual_time(lambda: test(room))
    finally:
        room.close()


def begin(watch: FrameWatch) -> None:
    """The window waits for its first frame."""
    now_s = asyncio.get_running_loop().time()
    watch.start(now_s)
    watch.look(now_s)


def draw(watch: FrameWatch, *, is_done: bool = True) -> Frame:
    now_s = asyncio.get_running_loop().time()
    frame = watch.look(now_s)
    assert frame is not None
    if is_done:
        watch.drawn(now_s)
    return frame


@needs_memory
def test_a_window_that_looks_in_memory_is_sent_no_frame_and_no_thread_has_to_run() -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        window, watch = plot.window()
        begin(watch)
        plot(n=0)
        await asyncio.sleep(1.0)
        draw(watch)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before = loop.jumps
        for number in range(1, 100):
            plot(n=number)
            plot(n=-number)  # not due
            assert draw(watch).kwargs == {"n": number}
        await asyncio.sleep(3.0)
        assert loop.jumps - before <= 2
        assert window.frames == []
        counters = plot.sender.counters
        assert (counters.offered, counters.taken, counters.sent, counters.drawn) == (199, 100, 100, 100)

    with_memory(test)


@needs_memory
@pytest.mark.parametrize("kind", [int, np.float32, np.array])
def test_who_comes_late_sees_what_only_the_memory_knows_and_what_the_numbers_were(kind: Callable[[int], Any]) -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        _, watch = plot.window()
        begin(watch)
        for number in range(5):
            plot(n=kind(number))
            draw(watch)
        late = plot.viewer()
        assert late.shown == [4]
        welcome = late.got[0]
        assert isinstance(welcome, Welcome)
        assert welcome.history["n"].tolist() == [[call, call - 1] for call in range(1, 6)]
        assert plot.sender.counters.taken == 5
        await plot.calls(1000)  # both from now on
        assert late.frames[-1].call > 900
        assert draw(watch).call > 5

    with_memory(test)


@needs_memory
@pytest.mark.parametrize("is_drawing", [False, True])
def test_flush_waits_for_what_lies_in_memory_and_sends_what_does_not(is_drawing: bool) -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        window, watch = plot.window(draws_in_s=0.2)
        begin(watch)
        loop = asyncio.get_running_loop()
        array = np.zeros(3)
        plot(n=array)
        draw(watch, is_done=not is_drawing)
        if is_drawing:
            loop.call_later(0.5, lambda: watch.drawn(loop.time()))
        assert await plot.sender.flush(plot.desk.copy(), 5.0)
        assert loop.time() == pytest.approx(0.5 if is_drawing else 0.0, abs=0.02)
        assert window.frames == []  # it has drawn that
        array += 1
        before_s = loop.time()
        assert await plot.sender.flush(plot.desk.copy(), 5.0)
        assert loop.time() - before_s == pytest.approx(0.2)
        assert [frame.kwargs["n"].tolist() for frame in window.frames] == [[1.0, 1.0, 1.0]]

    with_memory(test)


@needs_memory
def test_flush_does_not_wait_for_ever_for_a_window_that_stands_still() -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        _, watch = plot.window()
        begin(watch)
        plot(n=1)
        assert not await plot.sender.flush(None, 2.0)
        assert asyncio.get_running_loop().time() == pytest.approx(2.0)

    with_memory(test)


@needs_memory
def test_a_call_that_came_just_before_the_window_waited_is_sent() -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        window, watch = plot.window()
        plot(n=1)
        begin(watch)
        await asyncio.sleep(3.0)
        assert window.shown == [1]

    with_memory(test)


@needs_memory
def test_a_window_that_sleeps_is_told_of_the_next_call() -> None:
    async def test(room: FrameRoom) -> None:
        plot = Plot(room)
        window, watch = plot.window()
        begin(watch)
        plot(n=1)
        draw(watch)
        while watch.next_look_s is not None:
            await asyncio.sleep(watch.next_look_s - asyncio.get_running_loop().time())
            assert watch.look(asyncio.get_running_loop().time()) is None
        before = len(window.got)
        plot(n=2)
        await asyncio.sleep(0.0)
        assert window.got[before:] == [Laid()]
        plot.sender.left(window)
        plot(n=3)
        assert not room.flags[0]

    with_memory(test)
