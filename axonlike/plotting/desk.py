"""Where a calculation lays down what it shows: all that a call of a plot does."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from numpy import ndarray

from axonlike.plotting.history import History
from axonlike.plotting.memory import OTHERS, WINDOW, Form, FrameRoom
from axonlike.plotting.messages import copied

__all__ = ["Desk", "Snapshot"]

Snapshot = tuple[int, float, list[Any], dict[str, Any]]
"""The call's number, when it was, its values as they were then."""


class Desk:
    """Where the calculation lays a frame down: in the `room` that it shares with its window, for the window; as a
    `snapshot`, for the thread beside it, which sends it to other viewers.

    gate: one number, which each call looks at: 0 while nobody waits for a frame. asleep: the thread does not look here
    by itself: `wake` has to be called. wake_window: has to be called when the window does not.
    """

    __slots__ = (
        "_flags",
        "args",
        "asleep",
        "began_s",
        "form",
        "gate",
        "history",
        "kwargs",
        "offered",
        "room",
        "snapshot",
        "wake",
        "wake_window",
        "worst_call_s",
    )

    def __init__(self, room: FrameRoom | None = None) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.offered = 0
        self.history = History()
        self.snapshot: Snapshot | None = None
        self.asleep = True
        self.wake: Callable[[], None] = _nobody
        self.wake_window: Callable[[], None] = _nobody
        self.worst_call_s = 0.0
        self.began_s = perf_counter()
        self.room = room
        self.form: Form | None = None
        self._flags = memoryview(bytearray(2)) if room is None else room.flags
        self.gate = self._flags[:2].cast("H")
        self.ask()  # the first call is kept for whoever comes

    @property
    def due(self) -> bool:
        """Is the next call copied?"""
        return bool(self.gate[0])

    def ask(self) -> None:
        """A viewer waits for a snapshot."""
        self._flags[OTHERS] = 1

    def shut(self) -> None:
        """Nobody waits for a snapshot."""
        self._flags[OTHERS] = 0

    def close(self) -> None:
        """No frame is taken any more, whoever waits."""
        self._flags = memoryview(bytearray(2))
        self.gate = self._flags.cast("H")  # of its own: the other may be shared with another process
        self.room = self.form = None

    def lay_down(self) -> None:
        """Copy what the last call showed, as it is now, for those who wait."""
        began_s = perf_counter()
        flags = self._flags
        room = self.room
        if room is not None and flags[WINDOW]:
            if room.lay(self.offered, began_s - self.began_s, self.args, self.kwargs, self.worst_call_s):
                self.wake_window()
            self.form = room.form
            if room.numbers:
                self.history.add(self.offered, room.numbers)
        # After the room, where the thread beside looks whether the window has what the snapshot shows.
        if flags[OTHERS]:
            flags[OTHERS] = 0
            self.snapshot = self.copy(began_s)
            if self.asleep:
                self.asleep = False
                self.wake()
        took_s = perf_counter() - began_s
        if took_s > self.worst_call_s:
            self.worst_call_s = took_s

    def copy(self, now_s: float | None = None) -> Snapshot:
        """What the last call showed, as it is now."""
        # Thirty times a second in the calculation's thread: no call of our own for an array, which before Python 3.12
        # a comprehension would be too.
        args: list[Any] = []
        for value in self.args:
            args.append(value.copy("K") if type(value) is ndarray else copied(value))
        kwargs: dict[str, Any] = {}
        for name, value in self.kwargs.items():
            kwargs[name] = value.copy("K") if type(value) is ndarray else copied(value)
        return self.offered, (now_s or perf_counter()) - self.began_s, args, kwargs


def _nobody() -> None:
    pass
