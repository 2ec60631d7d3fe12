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
import functools
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy import ndarray

from axonlike.errors import UsageError
from axonlike.plotting.desk import Desk, Snapshot
from axonlike.plotting.history import numbers_in
from axonlike.plotting.messages import (
    Counters,
    Did,
    Drawn,
    Ended,
    Failed,
    Frame,
    Laid,
    Message,
    Panel,
    PlotterName,
    Ready,
    Set,
    Values,
    Welcome,
    encode,
)
from axonlike.plotting.params import Params

__all__ = ["Sender", "Viewer", "same"]

log = logging.getLogger("axonlike.plot")

_QUIET_S = 1.0
_LOOK_S = 0.01


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
    looks = False
    """It looks by itself at what is laid down in memory, and is sent only frames that are not there."""
    behind = False
    """The newest frame is not in that memory, and was not sent yet."""

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
        self._number = 0
        """Of the newest frame here."""
        self._frame: Frame | None = None
        self._is_in_memory = False
        """Did the window get this frame as it lay in memory?"""
        self._blobs: dict[bool, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = -1.0
        self._tick_s = 0.0
        self._quiet_since_s = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        desk.wake = functools.partial(self._from_call, self._woken)
        desk.wake_window = functools.partial(self._from_call, self._wake_window)

    # -- viewers

    def join(self, viewer: Viewer, ready: Ready) -> None:
        """It can be seen: it is told what there is, and gets the newest frame."""
        if viewer not in self.viewers:
            self.greet(viewer)
        viewer.kind = viewer.kind or ready.kind
        self.viewers[viewer] = None
        viewer.asks = True
        viewer.looks = ready.looks and viewer.private and self.desk.room is not None
        self._on_ready(viewer)
        self._tell_window()
        self._catch_up()
        self._serve_now(viewer)
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
                    history=self.desk.history.arrays(),
                    plotter=self._plotter if viewer.private else None,
                    memory=self.desk.room.fd if viewer.private and self.desk.room is not None else -1,
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
                self._tell_window()
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
            if viewer.looks and self.desk.room is not None:
                self.desk.room.window_left()
            self._tell_window()
            self._note_progress()
            if not self.viewers:
                self.desk.shut()
                self.desk.asleep = False
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
        offered, room = self.desk.offered, self.desk.room
        taken, sent, drawn = self.taken, self.sent, self.drawn
        if room is not None:
            taken, sent, drawn = taken + room.taken, sent + room.taken, drawn + room.drawn
        return Counters(offered, taken, sent, drawn, max(0, offered - taken), self.desk.worst_call_s, len(self.viewers))

    # -- frames

    def _serve(self, viewer: Viewer) -> None:
        """Give it the newest frame, if it asks and has not had it; else have one taken."""
        if not viewer.asks:
            return
        if viewer.looks:
            if viewer.behind:
                self._send_frame(viewer)
        elif viewer.seen < self._number:
            self._send_frame(viewer)
        elif self.ended is None:
            self._ask()

    def _send_frame(self, viewer: Viewer) -> None:
        frame = self._frame
        assert frame is not None
        blob = self._blobs.get(viewer.private)
        if blob is None:
            blob = self._blobs[viewer.private] = encode(frame, private=viewer.private)
        viewer.asks = viewer.behind = False
        viewer.seen = self._number
        self.sent += 1
        self._tell_window()
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
        if self.ended is not None:
            return
        if not any(viewer.asks and not viewer.looks for viewer in self.viewers):
            self._serve_windows()
            return
        snapshot, desk.snapshot = desk.snapshot, None
        if snapshot is not None:
            self._quiet_since_s = now_s
            self.take(snapshot)
        # One ahead: where the calculation holds the interpreter, each thing done here takes its 5 ms to begin, and a
        # frame that is copied only when it can be sent would come at half the rate.
        desk.ask()
        if now_s - self._quiet_since_s < _QUIET_S:
            self._tick_at(self._tick_s + 1 / self.fps)
            return
        self._serve_windows()
        desk.asleep = True
        if desk.snapshot is not None and desk.asleep:  # it was laid down before it could see that
            desk.asleep = False
            self._tick_at(now_s)

    def _from_call(self, then: Callable[[], None]) -> None:
        """Called in the calculation's thread."""
        try:
            self.loop.call_soon_threadsafe(then)
        except RuntimeError:  # the loop has closed since
            pass

    def _woken(self) -> None:
        if self._timer is None and self.desk.snapshot is not None:
            self._quiet_since_s = self.loop.time()
            self._tick_at(self._last_s + 1 / self.fps)

    # -- the window that looks in memory

    def _wake_window(self) -> None:
        for viewer in self.viewers:
            if viewer.looks:
                viewer.send(encode(Laid()))

    def _tell_window(self) -> None:
        """What its status line says of frames that it does not see."""
        if self.desk.room is not None:
            self.desk.room.tell(self.taken, self.sent, self.drawn, len(self.viewers))

    def _serve_windows(self) -> None:
        """A call may have been copied just before the window waited for one, and no other may have come."""
        if any(viewer.looks for viewer in self.viewers):
            self._catch_up()
            for viewer in tuple(self.viewers):
                if viewer.looks:
                    self._serve_now(viewer)

    def _serve_now(self, viewer: Viewer) -> None:
        """As `_serve`, and one that looks in memory gets the newest frame too, if that is not there."""
        viewer.behind = viewer.looks and not self._is_in_memory and viewer.seen < self._number
        self._serve(viewer)

    def _catch_up(self) -> None:
        """The newest frame may be one of which only the memory knows, or one that nobody has asked for yet."""
        room = self.desk.room
        snapshot, self.desk.snapshot = self.desk.snapshot, None
        if snapshot is not None and (room is None or snapshot[0] > room.call):
            self.take(snapshot)
        last = self._frame
        if room is not None and room.call > (0 if last is None else last.call):
            newest = room.newest()
            if newest is not None:
                self._is_in_memory = True
                self._renew(msgspec.structs.replace(newest, number=self._number + 1, counters=self.counters))

    def _renew(self, frame: Frame) -> None:
        self._last_s = self.loop.time()
        self._number = frame.number
        self._frame = frame
        self._blobs = {}

    def take(self, snapshot: Snapshot) -> None:
        """A frame has been copied: send it to all who ask, unless it shows the same as the last one."""
        call, time_s, values, kwargs = snapshot
        args = tuple(values)
        last = self._frame
        if last is not None and call < last.call:
            return
        if last is not None and same(last.args, args) and same(last.kwargs, kwargs):
            self._frame = msgspec.structs.replace(last, call=call)
            return
        self.desk.history.add(call, numbers_in(args, kwargs))
        self.taken += 1
        self._is_in_memory = False
        self._renew(Frame(self._number + 1, call, time_s, args, kwargs, self.counters))
        for viewer in tuple(self.viewers):
            if viewer.asks and not viewer.looks:
                self._send_frame(viewer)

    # -- the end

    async def flush(self, snapshot: Snapshot | None, timeout_s: float) -> bool:
        """Send this frame, and wait until all viewers that can have drawn it. False: some have not in time."""
        self._cancel_tick()
        self._catch_up()
        if snapshot is not None:
            self.take(snapshot)
        self._serve_windows()
        until_s = self.loop.time() + timeout_s
        while behind := [viewer for viewer in self.viewers if self._owes(viewer)]:
            left_s = until_s - self.loop.time()
            if left_s <= 0:
                break
            if any(viewer.looks for viewer in behind):  # it does not say when it has drawn what it found in memory
                left_s = min(left_s, _LOOK_S)
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
        if viewer.paused or viewer.failed:
            return False
        if viewer.looks:
            return viewer.behind or not viewer.asks or not (self.desk.room is None or self.desk.room.is_drawn)
        is_coming = viewer.private or viewer.seen > 0 or viewer.asks  # not one who was greeted and says nothing
        return is_coming and viewer.drawn < self._number

    def _note_progress(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def end(self, text: str, hold: bool) -> None:
        """Tell all viewers that no more comes, and let them go."""
        self.ended = Ended(text, hold)
        self.desk.shut()
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
