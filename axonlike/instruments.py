"""What watches a scheduler without being part of it: the watchdog for a step that does not end.

The watchdog is a thread that sleeps on a lock while the scheduler is idle, so an idle program has no wake-ups from
it. While there is work it looks a few times a second: has the same slice been running since the last look?
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Protocol

__all__ = ["Watchdog", "stack_of"]


class Watched(Protocol):
    """What the watchdog reads of a scheduler, from its own thread."""

    slices: int
    thread_id: int | None

    @property
    def running_path(self) -> str | None: ...


def stack_of(thread_id: int, *, skip: Callable[[FrameType], bool] | None = None) -> str:
    """What a thread is executing now, as text; frames for which `skip` is true are left out."""
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return "  (the thread has ended)\n"
    summary = traceback.extract_stack(frame)
    if skip is not None:
        kept = [f for f, _ in traceback.walk_stack(frame) if not skip(f)]
        names = {(f.f_code.co_filename, f.f_code.co_name) for f in kept}
        summary = traceback.StackSummary.from_list([s for s in summary if (s.filename, s.name) in names] or summary)
    return "".join(summary.format())


class Watchdog:
    """Calls `report(path, seconds, stack)` when one step has held the scheduler for `limit_s`, and at doubled times."""

    def __init__(self, watched: Watched, limit_s: float, report: Callable[[str, float, str], None]) -> None:
        self._watched = watched
        self._limit_s = limit_s
        self._report = report
        self._work = threading.Event()
        self._closed = threading.Event()
        self.asleep = True
        self._thread = threading.Thread(target=self._watch, name="axonlike-watchdog", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is work again. Called by the scheduler when `asleep`; costs nothing while awake."""
        self.asleep = False
        self._work.set()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._work.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            self._watch_until_idle()
            if self._closed.is_set():
                return
            # Say that we sleep before the last look: a slice that began in between sees it and wakes us.
            self.asleep = True
            if self._watched.running_path is not None:
                self.wake()

    def _watch_until_idle(self) -> None:
        """Look every quarter of the limit until nothing ran between two looks."""
        watched = self._watched
        seen, since, told_s = watched.slices, time.monotonic(), 0.0
        idle_looks = 0
        while idle_looks < 2 and not self._closed.is_set():
            if self._work.wait(self._limit_s / 4):
                self._work.clear()
            if self._closed.is_set():
                return
            now, path = time.monotonic(), watched.running_path
            if watched.slices != seen:
                seen, since, told_s, idle_looks = watched.slices, now, 0.0, 0
            elif path is None:
                since = now
                idle_looks += 1
            elif now - since >= max(self._limit_s, 2 * told_s) and watched.thread_id is not None:
                told_s = now - since
                self._report(path, told_s, stack_of(watched.thread_id))
