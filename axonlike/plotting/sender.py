"""Between the calculation and all who look: it hands the newest frame to each viewer that has asked for one.

All of this lives in one event loop, in a thread of its own beside the calculation. What the two threads share are the
few fields of `Desk`; none needs a lock, because each has one writer at a time.

Nothing here runs while nothing changes. That a frame is wanted is said by `Desk.due`; the next call copies its data
onto the desk, and the tick that comes after it (at most 1 / fps later) sends that. When no call has come for a second
the ticks stop, and the next call wakes this thread. So a call never waits for it, and a wake-up, which costs tens of
microseconds, is paid only by calls that come seldom.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from numpy import ndarray

from axonlike.errors import UsageError
from axonlike.plotting.history import History, numbers_in
from axonlike.plotting.messages import (
    Counters,
    Did,
    Drawn,
    Ended,
    Failed,
    Frame,
    Message,
    Panel,
    PlotterName,
    Ready,
    Set,
    Values,
    Welcome,
    copied,
    encode,
)
from axonlike.plotting.params import Params

__all__ = ["Desk", "Sender", "Snapshot", "Viewer", "same"]

log = logging.getLogger("axonlike.plot")

_QUIET_S = 1.0

Snapshot = tuple[int, float, list[Any], dict[str, Any]]
"""The call's number, when it was, its values as they were then."""


class Desk:
    """Where the calculation lays a frame down and the sender picks it up.

    due: a viewer waits for a frame. snapshot: the frame. asleep: nobody looks here by itself: `wake` has to be called.
    """

    __slots__ = ("args", "asleep", "began_s", "due", "kwargs", "offered", "snapshot", "wake", "worst_call_s")

    def __init__(self) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.offered = 0
        self.due = True  # the first call is kept for whoever comes
        self.snapshot: Snapshot | None = None
        self.asleep = True
        self.wake: Callable[[], None] = _nobody
        self.worst_call_s = 0.0
        self.began_s = perf_counter()

    def lay_down(self) -> None:
        """Copy what the last call showed, as it is now."""
        # Thirty times a second in the calculation's thread: no call of our own for an array, which before Python 3.12
        # a comprehension would be too.
        self.due = False
        began_s = perf_counter()
        args: list[Any] = []
        for value in self.args:
            args.append(value.copy("K") if type(value) is ndarray else copied(value))
        kwargs: dict[str, Any] = {}
        for name, value in self.kwargs.items():
            kwargs[name] = value.copy("K") if type(value) is ndarray else copied(value)
        self.snapshot = self.offered, began_s - self.began_s, args, kwargs
        if self.asleep:
            self.asleep = False
            self.wake()
        took_s = perf_counter() - began_s
        if took_s > self.worst_call_s:
            self.worst_call_s = took_s


def _nobody() -> None:
    pass


class Viewer:
    """One who looks. `send` must not block; at most one frame is under way at a time.

    kind: "window", "remote", "web". private: it was started by this process and has a socket that nobody else can
    reach. may_set: may it set parameters?
    """

    kind = "remote"
    private = False
    may_set = True

    asks = False
    """It has drawn what it was sent, and waits for a frame."""
    seen = 0
    """Number of the newest frame that it was sent."""
    drawn = 0
    paused = False
    failed = False

    def send(self, blob: bytes) -> None:
        """Give it a message."""
        raise NotImplementedError

    def close(self) -> None:
        """No more comes; what was sent is still to arrive."""
        raise NotImplementedError


class Sender:
    """All viewers of one plot. Every method is called in `loop`'s thread.

    fps: at most so many frames a second are taken. on_did: is told what users do in the windows. on_ready: that a
    viewer can be seen.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        desk: Desk,
        params: Params,
        *,
        title: str = "",
        pid: int = 0,
        fps: float = 30.0,
        hold: bool = False,
        panels: dict[str, Panel] | None = None,
        plotter: PlotterName | None = None,
        on_did: Callable[[Did], None] = lambda did: None,
        on_ready: Callable[[Viewer], None] = lambda viewer: None,
    ) -> None:
        self.loop = loop
        self.desk = desk
        self.params = params
        self.fps = fps
        self.viewers: dict[Viewer, None] = {}
        self.taken = 0
        self.sent = 0
        self.drawn = 0
        self.ended: Ended | None = None
        self._on_did = on_did
        self._on_ready = on_ready
        self._title, self._pid, self._hold = title, pid, hold
        self._panels = panels or {}
        self._plotter = plotter
        self._history = History()
        self._frame: Frame | None = None
        self._blobs: dict[bool, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = -1.0
        self._tick_s = 0.0
        self._quiet_since_s = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        desk.wake = self._wake_from_call

    # -- viewers

    def join(self, viewer: Viewer, ready: Ready) -> None:
        """It can be seen: it is told what there is, and gets the newest frame."""
        if viewer not in self.viewers:
            self.greet(viewer)
        viewer.kind = viewer.kind or ready.kind
        self.viewers[viewer] = None
        viewer.asks = True
        self._on_ready(viewer)
        self._serve(viewer)
        if self.ended is not None:
            viewer.send(encode(self.ended))

    def greet(self, viewer: Viewer) -> None:
        """Tell it what the plot is; so it can get ready."""
        viewer.send(
            encode(
                Welcome(
                    title=self._title,
                    pid=self._pid,
                    fps=self.fps,
                    hold=self._hold,
                    controls=viewer.may_set,
                    panels=self._panels,
                    params=self.params.specs,
                    values=self.params.as_dict(),
                    history=self._history.arrays(),
                    plotter=self._plotter if viewer.private else None,
                )
            )
        )
        self.viewers[viewer] = None

    def heard(self, viewer: Viewer, message: Message) -> None:
        """What a viewer says. What it may not say is ignored and logged."""
        if isinstance(message, Drawn):
            if viewer.seen and message.number <= viewer.seen and message.number > viewer.drawn:
                viewer.drawn = message.number
                viewer.failed = False
                self.drawn += 1
                viewer.asks = True
                self._note_progress()
                self._serve(viewer)
        elif isinstance(message, Ready):
            self.join(viewer, message)
        elif isinstance(message, Set):
            self._set(viewer, message)
        elif isinstance(message, Did):
            if message.what in ("paused", "resumed"):
                viewer.paused = message.what == "paused"
                self._note_progress()
            self._on_did(message)
        elif isinstance(message, Failed):
            log.warning("the plot in a viewer (%s) cannot be drawn: %s", viewer.kind, message.text)
            viewer.failed = True  # it is not waited for, until it has drawn something
            self._note_progress()

    def left(self, viewer: Viewer) -> None:
        """It has gone. Harmless if it had before."""
        if self.viewers.pop(viewer, viewer) is None:
            self._note_progress()
            if not self.viewers:
                self.desk.due = self.desk.asleep = False
                self._cancel_tick()

    def _set(self, viewer: Viewer, message: Set) -> None:
        if not viewer.may_set:
            log.warning("a viewer (%s) that may only look tried to set %s", viewer.kind, message.name)
            return
        try:
            self.params.take(message.name, message.value)
        except UsageError as exc:
            log.warning("a viewer (%s) set what cannot be set: %s", viewer.kind, exc)
            return
        self.tell_value(message.name, but=viewer)

    def tell_value(self, name: str, but: Viewer | None = None) -> None:
        """A parameter has another value."""
        blob = encode(Values({name: self.params[name]}))
        for viewer in tuple(self.viewers):
            if viewer is not but:
                viewer.send(blob)

    @property
    def counters(self) -> Counters:
        """As they are now."""
        offered = self.desk.offered
        return Counters(
            offered, self.taken, self.sent, self.drawn, max(0, offered - self.taken), self.desk.worst_call_s,
            len(self.viewers),
        )  # fmt: skip

    # -- frames

    def _serve(self, viewer: Viewer) -> None:
        """Give it the newest frame, if it asks and has not had it; else have one taken."""
        if not viewer.asks:
            return
        if viewer.seen < self.taken:
            self._send_frame(viewer)
        elif self.ended is None:
            self._ask()

    def _send_frame(self, viewer: Viewer) -> None:
        frame = self._frame
        assert frame is not None
        blob = self._blobs.get(viewer.private)
        if blob is None:
            blob = self._blobs[viewer.private] = encode(frame, private=viewer.private)
        viewer.asks = False
        viewer.seen = self.taken
        self.sent += 1
        viewer.send(blob)

    def _ask(self) -> None:
        """Have a frame sent as soon as there is one, but not before a frame's time has passed since the last."""
        if self._timer is None and not self.desk.asleep:
            self._quiet_since_s = self.loop.time()
            self._tick_at(self._last_s + 1 / self.fps)

    def _tick_at(self, when_s: float) -> None:
        self._tick_s = max(when_s, self.loop.time())
        self._timer = self.loop.call_at(self._tick_s, self._tick)

    def _cancel_tick(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        desk, now_s = self.desk, self.loop.time()
        if not any(viewer.asks for viewer in self.viewers) or self.ended is not None:
            return
        snapshot, desk.snapshot = desk.snapshot, None
        if snapshot is not None:
            self._quiet_since_s = now_s
            self.take(snapshot)
        # One ahead: where the calculation holds the interpreter, each thing done here takes its 5 ms to begin, and a
        # frame that is copied only when it can be sent would come at half the rate.
        desk.due = True
        if now_s - self._quiet_since_s < _QUIET_S:
            self._tick_at(self._tick_s + 1 / self.fps)
            return
        desk.asleep = True
        if desk.snapshot is not None and desk.asleep:  # it was laid down before it could see that
            desk.asleep = False
            self._tick_at(now_s)

    def _wake_from_call(self) -> None:
        """Called in the calculation's thread."""
        try:
            self.loop.call_soon_threadsafe(self._woken)
        except RuntimeError:  # the loop has closed since
            pass

    def _woken(self) -> None:
        if self._timer is None and self.desk.snapshot is not None:
            self._quiet_since_s = self.loop.time()
            self._tick_at(self._last_s + 1 / self.fps)

    def take(self, snapshot: Snapshot) -> None:
        """A frame has been copied: send it to all who ask, unless it shows the same as the last one."""
        call, time_s, values, kwargs = snapshot
        args = tuple(values)
        last = self._frame
        if last is not None and same(last.args, args) and same(last.kwargs, kwargs):
            self._frame = msgspec.structs.replace(last, call=call)
            return
        self._history.add(call, numbers_in(args, kwargs))
        self.taken += 1
        self._last_s = self.loop.time()
        self._frame = Frame(self.taken, call, time_s, args, kwargs, self.counters)
        self._blobs = {}
        for viewer in tuple(self.viewers):
            if viewer.asks:
                self._send_frame(viewer)

    # -- the end

    async def flush(self, snapshot: Snapshot | None, timeout_s: float) -> bool:
        """Send this frame, and wait until all viewers that can have drawn it. False: some have not in time."""
        self._cancel_tick()
        desk = self.desk
        older, desk.snapshot = desk.snapshot, None
        snapshot = snapshot or older
        if snapshot is not None and (self._frame is None or snapshot[0] >= self._frame.call):
            self.take(snapshot)
        until_s = self.loop.time() + timeout_s
        while behind := [viewer for viewer in self.viewers if self._owes(viewer)]:
            left_s = until_s - self.loop.time()
            if left_s <= 0:
                break
            progress: asyncio.Future[None] = self.loop.create_future()
            self._waiting.append(progress)
            try:
                await asyncio.wait_for(progress, left_s)
            except TimeoutError:
                pass
        for viewer in self.viewers:
            self._serve(viewer)
        return not behind

    def _owes(self, viewer: Viewer) -> bool:
        is_coming = viewer.private or viewer.seen > 0 or viewer.asks  # not one who was greeted and says nothing
        return is_coming and viewer.drawn < self.taken and not viewer.paused and not viewer.failed

    def _note_progress(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def end(self, text: str, hold: bool) -> None:
        """Tell all viewers that no more comes, and let them go."""
        self.ended = Ended(text, hold)
        self.desk.due = False
        self._cancel_tick()
        blob = encode(self.ended)
        for viewer in tuple(self.viewers):
            viewer.send(blob)
            viewer.close()
        self.viewers.clear()
        self._note_progress()


_SHORT_BYTES = 65536
_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def same(a: Any, b: Any) -> bool:
    """Do both show the same? NaN is like NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        # By their bits: a tenth of the time that a comparison takes which knows what NaN is.
        if a.nbytes <= _SHORT_BYTES:
            return bool(a.tobytes() == b.tobytes())
        plain = _UNSIGNED.get(a.itemsize)
        return bool((a.view(plain) == b.view(plain)).all() if plain else np.array_equal(a, b, equal_nan=True))
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, str | bytes | int | complex | None):
        return bool(a == b)
    return a is b or (getattr(a, "pickled", a) is not None and getattr(a, "pickled", a) == getattr(b, "pickled", b))
