"""Memory in which a call lays its frame for the window of this machine: neither a thread nor a socket has part in it.

There is room for one frame, and one byte says whose turn it is. While the window waits for a frame it is the
calculation's: the next call lays its values down and gives the room to the window, which draws them and gives it back.
So nobody waits for anybody, and what lies there is never half of one call and half of another. The window looks at its
own pace, as often as it may draw; when for a second no call came it says that it sleeps, and is woken by the socket.

What lies there is a message (messages.py). Its head is written when the values have another shape than before; else
only the arrays are. What is different in each frame stands before it, as numbers.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from numpy import ndarray

from axonlike.plotting.history import numbers_in
from axonlike.plotting.messages import FRAME_LIMIT_BYTES, Counters, Frame, copied, decode, is_plain, parts_of
from axonlike.streams.arrays import in_memory_order, laid_out

__all__ = ["LAYOUT", "OTHERS", "WINDOW", "Form", "FrameRoom", "FrameWatch"]

WINDOW: Final = 0
"""Index of the byte that is 1 while the window waits for a frame."""
OTHERS: Final = 1
"""Of the byte that is 1 while another viewer does: both are looked at in one go, by each call."""
_SLEEPS: Final = 2
"""Of the byte that is 1 while the window does not look by itself."""

# Numbers of 64 bits before the message, which begins at a page of its own.
_MAGIC, _TURN, _CALL, _TIME_S, _LENGTH, _WORST_S, _TAKEN, _DRAWN = range(1, 9)
_TAKEN_BESIDE, _SENT_BESIDE, _DRAWN_BESIDE, _VIEWERS = range(9, 13)
_HEAD_BYTES: Final = 4096
LAYOUT: Final = (WINDOW, OTHERS, _SLEEPS, 8 * _TURN, 8 * _CALL, 8 * _TIME_S, 8 * _WORST_S, _HEAD_BYTES)
"""Where these lie, and where the message begins, in bytes from the start."""
_LIMIT_BYTES: Final = 2 * FRAME_LIMIT_BYTES
_IS_OURS: Final = int.from_bytes(b"axonplot", "little")

_QUIET_S: Final = 1.0
_SOON_S: Final = 0.001
_LONGEST_S: Final = 0.25
"""How long a change may wait for its look, after looks at what did not change."""

Form = tuple[int, tuple[str, ...], tuple[tuple[Any, tuple[int, ...], int], ...]]
"""How many values have no name, the names of the others; of each, all arrays: dtype, shape, and where it begins."""


class _Shared:
    """What both ends see."""

    def __init__(self, mapped: mmap.mmap) -> None:
        whole = memoryview(mapped)
        self.flags = whole[:8]
        self._counts = whole[:_HEAD_BYTES].cast("Q")
        self._reals = whole[:_HEAD_BYTES].cast("d")
        self._content = whole[_HEAD_BYTES:]
        self._lock = threading.Lock()

    def _in_order(self) -> None:
        """What was written before can be seen before what is written after, on every processor.

        Nobody else has this lock: taking it a second time after it was let go is what orders the memory. Python
        leaves it free wherever a Ctrl-C comes.
        """
        with self._lock:
            pass
        with self._lock:
            pass


class FrameRoom(_Shared):
    """The calculation's end. `lay` is called in its thread, and in it alone.

    fd: of the memory, for the viewer's process. Pages are taken from the system when they are first written to: as many
    as the largest frame needs. Raises OSError, and AttributeError where the system has no such memory (only Linux has).
    """

    def __init__(self) -> None:
        self.fd = os.memfd_create("axonlike-plot")
        try:
            os.ftruncate(self.fd, _HEAD_BYTES + _LIMIT_BYTES)
            super().__init__(mmap.mmap(self.fd, _HEAD_BYTES + _LIMIT_BYTES))
        except BaseException:
            os.close(self.fd)
            raise
        self._counts[_MAGIC] = _IS_OURS
        self.form: Form | None = None
        """Of the values that were laid last, if all are arrays that lie in C's order."""
        self.numbers: list[tuple[str, float]] = []
        """Names and values of the plain numbers that were laid last."""
        self._positional = -1
        self._names: tuple[str, ...] = ()
        self._places: list[tuple[ndarray[Any, Any], Any, tuple[int, ...]]] = []

    def close(self) -> None:
        """Let go of the file. The memory itself goes with the last who has it."""
        os.close(self.fd)

    def lay(self, call: int, time_s: float, args: Sequence[Any], kwargs: dict[str, Any], worst_call_s: float) -> bool:
        """Lay these values down, as they are now, and give them to the window. Returns whether it has to be woken."""
        counts, reals, flags = self._counts, self._reals, self.flags
        turn = counts[_TURN] | 1
        counts[_TURN] = turn
        if not (len(args) == self._positional and tuple(kwargs) == self._names and self._fill(args, kwargs)):
            self._write(args, kwargs)
        counts[_CALL] = call
        reals[_TIME_S] = time_s
        reals[_WORST_S] = worst_call_s
        counts[_TURN] = turn + 1
        self._in_order()
        flags[WINDOW] = 0
        if flags[_SLEEPS]:
            flags[_SLEEPS] = 0
            return True
        return False

    def _fill(self, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
        """Is each value an array like the one that lay here before? Then all of them lie there now."""
        for value, (place, dtype, shape) in zip((*args, *kwargs.values()) if kwargs else args, self._places):
            if type(value) is not ndarray or value.shape != shape or value.dtype != dtype:
                return False
            place[...] = value
        return True

    def _write(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.form = None
        self._positional = -1
        self._places = []
        # An array goes from where it is to where the window reads it; of all else a copy goes through JSON.
        values = [value if type(value) is ndarray else copied(value) for value in (*args, *kwargs.values())]
        given, named = tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))
        parts = parts_of(Frame(0, args=given, kwargs=named), private=True)
        length = sum(map(len, parts))
        if length > _LIMIT_BYTES:
            mb = f"{length / 1e6:.0f} MB, more than the {_LIMIT_BYTES / 1e6:.0f} MB of a frame"
            parts = parts_of(Frame(0, args=(f"This call shows {mb}: give a part of it, as field[::2, ::2].",)))
            values = []
        at, starts = 0, []
        for part in parts:
            starts.append(at)
            self._content[at : at + len(part)] = part
            at += len(part)
        self._counts[_LENGTH] = at
        self.numbers = list(numbers_in(given, named))
        if values and all(type(value) is ndarray and is_plain(value) and value.ndim for value in values):
            for value, start in zip(values, starts[2::2], strict=True):  # the head; of each: what brings it to 8, it
                content = self._content[start : start + value.nbytes]
                place = laid_out(content, value.dtype, value.shape, in_memory_order(value)[0])
                self._places.append((place, value.dtype, value.shape))
            self._positional, self._names = len(args), tuple(kwargs)
            if all(place.flags.c_contiguous for place, _, _ in self._places):
                arrays = zip(self._places, starts[2::2], strict=True)
                self.form = len(args), tuple(kwargs), tuple((dtype, shape, at) for (_, dtype, shape), at in arrays)

    # -- what the thread beside the calculation asks and tells

    @property
    def call(self) -> int:
        """Of the newest frame; 0: there was none."""
        return self._counts[_CALL]

    @property
    def is_drawn(self) -> bool:
        """Has the window drawn what was laid down, so that it waits for the next?"""
        return bool(self.flags[WINDOW])

    @property
    def window_sleeps(self) -> bool:
        """It looks when it is woken."""
        return bool(self.flags[_SLEEPS])

    @property
    def taken(self) -> int:
        """Frames that the window took: not those that showed what it had."""
        return self._counts[_TAKEN]

    @property
    def drawn(self) -> int:
        """Of these, how many it said it has drawn."""
        return self._counts[_DRAWN]

    def newest(self) -> Frame | None:
        """The newest frame; None if there is none, or calls write there all the time."""
        counts = self._counts
        for _ in range(3):
            turn = counts[_TURN]
            if not turn or turn & 1:
                continue
            content, call, time_s = bytes(self._content[: counts[_LENGTH]]), counts[_CALL], self._reals[_TIME_S]
            if counts[_TURN] == turn:
                frame = decode(content, private=True, limit_bytes=_LIMIT_BYTES)
                assert isinstance(frame, Frame)
                return msgspec.structs.replace(frame, call=call, time_s=time_s)
        return None

    def tell(self, taken: int, sent: int, drawn: int, viewers: int) -> None:
        """What became of frames that did not go through this memory, for the window's status line."""
        counts = self._counts
        counts[_TAKEN_BESIDE], counts[_SENT_BESIDE], counts[_DRAWN_BESIDE] = taken, sent, drawn
        counts[_VIEWERS] = viewers

    def window_left(self) -> None:
        """Nobody waits for what is laid here."""
        self.flags[WINDOW] = self.flags[_SLEEPS] = 0


class FrameWatch(_Shared):
    """The window's end. fd: of the memory; it is closed. fps: so often it looks. Raises OSError and ValueError."""

    def __init__(self, fd: int, fps: float) -> None:
        try:
            mapped = mmap.mmap(fd, 0)
        finally:
            os.close(fd)
        if len(mapped) != _HEAD_BYTES + _LIMIT_BYTES:
            raise ValueError("this memory is no plot's")
        super().__init__(mapped)
        if self._counts[_MAGIC] != _IS_OURS:
            raise ValueError("this memory is no plot's")
        self.next_look_s: float | None = None
        """When `look` is to be called; None: not before `start`, `drawn` or `wake` was."""
        self._period_s = self._every_s = 1 / fps
        self._again_s = _SOON_S
        self._laid_s = self._beat_s = 0.0
        self._held = False
        self._newest = 0
        self._last = b""

    def start(self, now_s: float) -> None:
        """The window can be seen: from now on there are frames for it, the first one that which lies there."""
        self._laid_s = self._beat_s = self.next_look_s = now_s

    def wake(self, now_s: float) -> None:
        """A frame was laid down while it slept."""
        if self.next_look_s is None and not self._held:
            self.next_look_s = now_s

    def look(self, now_s: float) -> Frame | None:
        """The frame that was laid down since, if it shows anything new. No other comes before `drawn`.

        Its number is the call's. Raises BadMessage.
        """
        flags = self.flags
        if flags[WINDOW]:
            if now_s - self._laid_s < _QUIET_S:
                # Soon, then later and later: most calculations have their next step done in a moment.
                self.next_look_s = now_s + self._again_s
                self._again_s = min(2 * self._again_s, self._every_s)
            elif not flags[_SLEEPS]:
                flags[_SLEEPS] = 1
                self.next_look_s = now_s + self._every_s  # once more: a call may not have seen that in time
            else:
                self.next_look_s = None
            return None
        self._in_order()
        flags[_SLEEPS] = 0
        self._laid_s = now_s
        call = self._counts[_CALL]
        content = bytes(self._content[: self._counts[_LENGTH]]) if call > self._newest else self._last
        self._newest = max(call, self._newest)
        if content == self._last:
            self._every_s = min(1.5 * self._every_s, _LONGEST_S)
            self.next_look_s = now_s + self._every_s
            self._ask()
            return None
        # In time with a clock, not with the last look: else each frame would take a little longer than its time.
        self._beat_s = max(self._beat_s + self._period_s, now_s - self._period_s / 4)
        self._every_s = self._period_s
        self._held = True
        self._last = content
        self.next_look_s = None
        self._counts[_TAKEN] += 1
        frame = decode(content, private=True, limit_bytes=_LIMIT_BYTES)
        assert isinstance(frame, Frame)
        time_s = self._reals[_TIME_S]
        return msgspec.structs.replace(frame, number=call, call=call, time_s=time_s, counters=self._counters(call))

    def _counters(self, call: int) -> Counters:
        counts = self._counts
        taken = counts[_TAKEN] + counts[_TAKEN_BESIDE]
        sent, drawn = counts[_TAKEN] + counts[_SENT_BESIDE], counts[_DRAWN] + counts[_DRAWN_BESIDE]
        return Counters(call, taken, sent, drawn, max(0, call - taken), self._reals[_WORST_S], counts[_VIEWERS])

    def shown(self, call: int) -> bool:
        """Another frame is shown, which came by the socket. False: it is older than what is shown already."""
        if call < self._newest:
            return False
        self._newest = call
        self._last = b""
        return True

    def drawn(self, now_s: float) -> None:
        """It has drawn the frame that it was given, and waits for the next."""
        if self._held:
            self._held = False
            self._counts[_DRAWN] += 1
            self.next_look_s = max(now_s, self._beat_s + self._period_s)
            self._ask()

    def _ask(self) -> None:
        self._again_s = _SOON_S
        self._in_order()
        self.flags[WINDOW] = 1
