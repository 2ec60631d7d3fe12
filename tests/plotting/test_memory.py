"""Frames that lie in memory: what is seen of them, whose turn it is, and who sleeps. Both ends in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from axonlike.plotting.memory import WINDOW, FrameRoom, FrameWatch
from axonlike.plotting.messages import Frame, Other, decode, encode

FPS = 50.0
PERIOD_S = 1 / FPS

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has such memory")


class Pair:
    """The calculation and its window."""

    def __init__(self) -> None:
        self.room = FrameRoom()
        self.watch = FrameWatch(os.dup(self.room.fd), FPS)
        self.now_s = 100.0
        self.calls = 0
        self.wakes = 0
        self.watch.start(self.now_s)
        assert self.watch.look(self.now_s) is None

    def call(self, *args: Any, **kwargs: Any) -> bool:
        """As a call of a plot does. Returns whether it was due."""
        self.calls += 1
        if not self.room.flags[WINDOW]:
            return False
        if self.room.lay(self.calls, self.calls / 10, args, kwargs, 0.5):
            self.wakes += 1
            self.watch.wake(self.now_s)
        return True

    def look(self) -> Frame | None:
        """At the time at which it looks."""
        if self.watch.next_look_s is None:
            return None
        self.now_s = max(self.now_s, self.watch.next_look_s)
        return self.watch.look(self.now_s)

    def draw(self, *args: Any, **kwargs: Any) -> Frame | None:
        """What is seen of this call, and drawn."""
        assert self.call(*args, **kwargs)
        frame = self.look()
        self.watch.drawn(self.now_s)
        return frame


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.room.close()
    del pair.room, pair.watch  # the memory goes with the last who has it


def test_a_frame_is_taken_as_it_was_and_no_other_before_it_is_drawn(pair: Pair) -> None:
    field = np.arange(1000.0)
    assert pair.call(field, field[::2], n=field)
    before = field.copy()
    field += 1
    assert not pair.call(field)  # not due: nobody waits
    frame = pair.look()
    assert frame is not None
    assert (frame.number, frame.call, frame.time_s) == (1, 1, 0.1)
    assert frame.args[0].tolist() == before.tolist()
    assert frame.args[1].tolist() == before[::2].tolist()
    assert frame.kwargs["n"].tolist() == before.tolist()
    assert not pair.call(field)
    assert pair.watch.next_look_s is None
    assert not pair.room.is_drawn
    pair.watch.drawn(pair.now_s)
    assert pair.room.is_drawn
    assert pair.call(field)
    later = pair.look()
    assert later is not None
    assert later.args[0].tolist() == field.tolist()
    assert frame.args[0].tolist() == before.tolist()  # the window's own, whatever is laid there later


def test_frames_come_in_time_with_a_clock_however_late_each_look_is(pair: Pair) -> None:
    times_s = []
    for number in range(100):
        assert pair.call(n=number)
        assert pair.watch.next_look_s is not None
        pair.now_s = max(pair.now_s, pair.watch.next_look_s) + 0.1 * PERIOD_S * (number % 3)
        assert pair.watch.look(pair.now_s) is not None
        times_s.append(pair.now_s)
        pair.now_s += 0.4 * PERIOD_S  # drawn so much later
        pair.watch.drawn(pair.now_s)
    assert times_s[96] - times_s[6] == pytest.approx(90 * PERIOD_S)


def test_a_call_that_comes_just_after_the_look_is_seen_soon_and_a_rare_one_costs_few_looks(pair: Pair) -> None:
    pair.draw(n=0)
    pair.now_s += 1.5 * PERIOD_S  # it took long to draw, so it looks at once, and too early
    pair.watch.drawn(pair.now_s)
    assert pair.look() is None
    assert pair.call(n=1)
    before_s = pair.now_s
    assert pair.look() is not None
    assert pair.now_s - before_s <= 0.002
    pair.watch.drawn(pair.now_s)
    looks = 0
    while pair.now_s < before_s + 0.9:
        assert pair.look() is None
        looks += 1
    assert looks <= 0.9 * FPS + 8


class Own:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 7


ARRAYS: list[Any] = [
    np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.arange(6)[::-1], np.array(2.5), np.empty((0, 3)),
    np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0)[:, ::-1], np.array([1, 2], ">i2"), np.array([True, False]),
    np.array([1j, 2]), np.zeros((1,) * 9), np.array([Own()]), np.array(["text"]), np.ma.masked_less(np.arange(4.0), 2),
    np.arange(10.0)[::3],
]  # fmt: skip
OTHERS: list[Any] = [1, -(2**70), 2.5, float("nan"), 1 + 2j, "text", "\ud800", b"bytes", None, True, Own(), range(3),
    [1, [2.0, np.arange(3)]], (1, 2), {"a": np.zeros(2)}, frozenset({1}), np.float32(1.5), lambda: 0]  # fmt: skip


@pytest.mark.parametrize("value", ARRAYS + OTHERS, ids=lambda value: type(value).__name__)
def test_whatever_is_shown_comes_as_it_would_by_a_socket(pair: Pair, value: Any) -> None:
    known = np.arange(5.0)
    for values in ((value,), (known, value), (known, known), (value, known)):
        wanted = decode(encode(Frame(1, args=values, kwargs={"k": value}), private=True), private=True)
        frame = pair.draw(*values, k=value)
        assert isinstance(wanted, Frame)
        assert frame is not None
        for seen, due in zip((*frame.args, frame.kwargs["k"]), (*wanted.args, wanted.kwargs["k"]), strict=True):
            if isinstance(due, Other):
                assert isinstance(seen, Other)
                continue
            np.testing.assert_equal(seen, due)
            assert type(seen) is type(due)
            if isinstance(due, np.ndarray):
                assert (seen.dtype, seen.shape) == (due.dtype, due.shape)


def test_a_call_with_another_shape_is_told_from_the_one_before(pair: Pair) -> None:
    a, b = np.arange(4.0), np.arange(4.0) + 10
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((a, b), {}), ((b, a), {}), ((a,), {"x": b}), ((), {"x": a, "y": b}), ((), {"y": a, "x": b}), ((), {"x": b}),
        ((), {"x": b.astype("f4")}), ((), {"x": b.reshape(2, 2)}), ((), {"x": a.reshape(2, 2).T}), ((a, 3), {}),
        ((a, b), {}), ((a, b.view("i8")), {}), ((), {}), ((a,), {}),
    ]  # fmt: skip
    for args, kwargs in calls:
        frame = pair.draw(*args, **kwargs)
        assert frame is not None
        assert [*frame.kwargs] == [*kwargs]
        for seen, given in zip((*frame.args, *frame.kwargs.values()), (*args, *kwargs.values()), strict=True):
            np.testing.assert_array_equal(seen, given)
            assert np.asarray(seen).dtype == np.asarray(given).dtype


def test_what_does_not_change_is_not_shown_again_and_looked_at_less_and_less(pair: Pair) -> None:
    field = np.array([1.0, np.nan])
    assert pair.draw(field) is not None
    times_s = []
    for _ in range(40):
        assert pair.draw(field) is None
        times_s.append(pair.now_s)
    gaps_s = np.diff(times_s)
    assert gaps_s.max() == pytest.approx(0.25)
    assert np.all(np.diff(gaps_s) > -1e-9)
    field[0] = 2.0
    assert pair.draw(field) is not None
    field[0] = 3.0
    before_s = pair.now_s
    assert pair.draw(field) is not None
    assert pair.now_s - before_s <= 1.01 * PERIOD_S  # at once again
    assert pair.room.taken == pair.room.drawn == 3


def test_a_window_sleeps_when_no_call_comes_and_the_first_call_wakes_it(pair: Pair) -> None:
    pair.draw(n=1)
    began_s, looks = pair.now_s, 0
    while pair.watch.next_look_s is not None:
        assert pair.look() is None
        looks += 1
    assert 1.0 <= pair.now_s - began_s <= 1.0 + 3 * PERIOD_S
    assert looks <= 1.1 * FPS
    assert pair.room.window_sleeps
    pair.now_s += 3600.0
    assert pair.wakes == 0
    frame = pair.draw(n=2)
    assert pair.wakes == 1
    assert frame is not None
    assert frame.kwargs == {"n": 2}
    pair.draw(n=3)
    assert pair.wakes == 1  # awake


def test_a_call_that_did_not_see_in_time_that_the_window_sleeps_is_seen_all_the_same(pair: Pair) -> None:
    pair.draw(n=1)
    while not pair.room.window_sleeps:
        assert pair.look() is None
    pair.room.flags[2] = 0  # as the call still sees it
    assert pair.call(n=2)
    assert pair.wakes == 0
    frame = pair.look()
    assert frame is not None
    assert frame.kwargs == {"n": 2}


def test_a_frame_that_came_by_the_socket_is_shown_unless_it_is_older(pair: Pair) -> None:
    pair.draw(n=1)
    pair.draw(n=2)
    assert not pair.watch.shown(1)
    assert pair.watch.shown(2)  # of the same call, as its arrays were later
    assert pair.watch.shown(5)
    assert pair.draw(n=2) is None  # the third call, older than what is shown
    pair.calls = 5
    assert pair.draw(n=2) is not None  # not like the one that is shown


def test_nothing_is_due_for_a_window_that_has_gone_and_the_next_one_sees_what_lies_there(pair: Pair) -> None:
    pair.draw(n=1)
    pair.room.window_left()
    assert not pair.call(n=2)
    pair.watch = FrameWatch(os.dup(pair.room.fd), FPS)
    pair.watch.start(pair.now_s)
    frame = pair.look()
    assert frame is not None
    assert frame.kwargs == {"n": 1}
    pair.watch.drawn(pair.now_s)
    assert pair.call(n=3)


def test_the_newest_frame_is_read_beside_but_never_while_it_is_written(pair: Pair) -> None:
    assert pair.room.newest() is None
    pair.draw(np.arange(3.0))
    frame = pair.room.newest()
    assert frame is not None
    assert (frame.call, frame.time_s) == (1, 0.1)
    assert frame.args[0].tolist() == [0.0, 1.0, 2.0]

    class Looks:
        """Looks for the newest while a call copies it."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            found.append(pair.room.newest())
            return np.arange(2.0)

    found: list[Any] = []
    pair.draw(Looks())
    assert found == [None]
    newest = pair.room.newest()
    assert newest is not None
    assert newest.args[0].tolist() == [0.0, 1.0]


def test_the_newest_frame_is_read_again_when_a_call_came_in_between(pair: Pair) -> None:
    pair.draw(np.zeros(3))
    content = pair.room._content

    class Interrupted:
        """The memory of a room in which a call lays a frame down while another thread reads."""

        def __getitem__(self, place: slice) -> bytes:
            pair.room._content = content
            before = bytes(content[place])
            pair.draw(np.ones(3))
            return before

    pair.room._content = Interrupted()  # type: ignore[assignment]
    newest = pair.room.newest()
    assert newest is not None
    assert (newest.call, newest.args[0].tolist()) == (2, [1.0, 1.0, 1.0])


def test_a_call_that_fails_in_the_middle_leaves_the_next_one_whole(pair: Pair) -> None:
    class Fails:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise KeyboardInterrupt

    pair.draw(np.arange(3.0))
    with pytest.raises(KeyboardInterrupt):
        pair.call(Fails())
    assert pair.room.newest() is None
    frame = pair.draw(np.arange(3.0) + 1)
    assert frame is not None
    assert frame.args[0].tolist() == [1.0, 2.0, 3.0]
    assert pair.room.newest() is not None


def test_two_plots_in_two_threads_do_not_meet() -> None:
    def lays() -> None:
        pair = Pair()
        try:
            for number in range(2000):
                assert pair.draw(n=number) is not None  # a number: the way in Python
        finally:
            pair.room.close()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(lays) for _ in range(2)]:
            done.result()


def test_what_is_too_large_says_so_in_its_place(pair: Pair) -> None:
    frame = pair.draw(np.empty(2**27, np.uint8), x=1)
    assert frame is not None
    assert frame.kwargs == {}
    assert "134 MB" in frame.args[0]
    assert "::2" in frame.args[0]
    small = pair.draw(np.zeros(2, np.uint8))
    assert small is not None
    assert small.args[0].tolist() == [0, 0]


def test_a_frame_knows_what_became_of_the_others(pair: Pair) -> None:
    pair.draw(n=1)
    pair.calls = 99
    pair.room.tell(taken=3, sent=7, drawn=5, viewers=2)
    frame = pair.draw(n=2)
    assert frame is not None
    counters = frame.counters
    assert (counters.offered, counters.taken, counters.sent, counters.drawn) == (100, 5, 9, 6)
    assert (counters.dropped, counters.viewers, counters.worst_call_s) == (95, 2, 0.5)


@pytest.mark.parametrize("size", [1, 4096, None])
def test_memory_of_something_else_is_refused_and_let_go(pair: Pair, size: int | None) -> None:
    fd = os.memfd_create("other")
    os.ftruncate(fd, size or os.fstat(pair.room.fd).st_size)
    with pytest.raises(ValueError, match="no plot's"):
        FrameWatch(fd, FPS)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
