"""What watches a scheduler without being part of it: the watchdog for a step that does not end.

The watchdog is a thread that sleeps on a lock while the scheduler is idle, so an idle program has no wake-ups from
it. While there is work it looks a few times a second: has the same slice been running since the last look?
"""

from __future__ import annotations

import ast
import faulthandler
import linecache
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from axonlike.errors import is_machinery, short_path

__all__ = ["DeadMansSwitch", "Watchdog", "advice_on", "place_of", "stack_of"]

_Frames = list[tuple[FrameType, int]]


class Watched(Protocol):
    """What the watchdog reads of a scheduler, from its own thread."""

    slices: int
    thread_id: int | None

    @property
    def running_path(self) -> str | None: ...


def stack_of(thread_id: int, *, skip: Callable[[FrameType], bool] | None = None) -> str:
    """What a thread is executing now, as text; frames for which `skip` is true are left out, unless it is true of all.

    With `skip` those below the `axonlike` command are left out too: they started it, and not the program. A line of
    advice follows where a loop of the user's is seen to have no yield.
    """
    frames = _frames_of(thread_id)
    if not frames:
        return "  (the thread has ended)\n"
    kept = frames
    if skip is not None:
        kept = [found for found in _above_the_command(frames) if not skip(found[0])] or frames
    summary = traceback.StackSummary.extract(iter(reversed(kept)))
    return "".join(summary.format()) + _advice(frames)


def place_of(thread_id: int) -> str:
    """``file.py:12``: the user's line that a thread is executing now, or the innermost there is."""
    frames = _frames_of(thread_id)
    if not frames:
        return "(the thread has ended)"
    frame, line = next((found for found in frames if not is_machinery(found[0])), frames[0])
    return f"{short_path(frame.f_code.co_filename)}:{line}"


def _frames_of(thread_id: int) -> _Frames:
    """What a thread is executing now, the innermost first; none if it has ended."""
    frame = sys._current_frames().get(thread_id)
    return [] if frame is None else list(traceback.walk_stack(frame))


_COMMAND = os.path.join(os.path.dirname(__file__), "cli", "")


def _above_the_command(frames: _Frames) -> _Frames:
    """Without the outermost frame of the `axonlike` command, and what called that."""
    for index in range(len(frames) - 1, -1, -1):
        if frames[index][0].f_code.co_filename.startswith(_COMMAND):
            return frames[:index]
    return frames


def _advice(frames: _Frames) -> str:
    """What to change, if the source of the innermost method of a component of the user's shows it, else nothing."""
    for frame, line in frames:
        if not is_machinery(frame) and hasattr(frame.f_locals.get("self"), "any_ready"):
            return advice_on("".join(linecache.getlines(frame.f_code.co_filename)), frame.f_code.co_filename, line)
    return ""


_RESTS = ("wait", "sleep", "join")


def advice_on(source: str, filename: str, line: int) -> str:
    """What is wrong around a line at which a step hangs: a wait that is not yielded, a loop without yield.

    An empty string where that cannot be seen. It looks at the function (of a component, so with a `self`) that the
    line is in, and at the loops in that function around the line.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    around: list[ast.AST] = []  # the innermost last
    work: list[ast.AST] = [tree]
    while work:
        node = work.pop()
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            around.append(node)
        work.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
    functions = [node for node in around if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if not functions:
        return ""
    function = functions[-1]
    word = "await" if isinstance(function, ast.AsyncFunctionDef) else "yield"
    loops = [node for node in around if isinstance(node, ast.While | ast.For) and node.lineno >= function.lineno]
    loops = [loop for loop in loops if not any(isinstance(node, _GIVES_WAY) for node in ast.walk(loop))]
    if not loops:
        return ""
    place = f"{short_path(filename)}:"
    for node in ast.walk(loops[0]):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr in _RESTS and ast.unparse(called.value) == "self":
                text = ast.get_source_segment(source, node.value)
                return f"  {place}{node.lineno}: {text} alone does not wait: write `{word} {text}`\n"
    if not (function.args.args and function.args.args[0].arg == "self"):
        return ""
    return f"  {place}{loops[0].lineno}: this loop has no {word} in it\n"


_GIVES_WAY = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)


class DeadMansSwitch:
    """Ends the process with exit code 1, and the stacks of all threads on stderr, if not pressed for `seconds`.

    By a thread of faulthandler's, which needs neither Python's lock nor that of the log. A process has one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def press(self) -> None:
        """All is well now; from the first time on it has to be pressed."""
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=2)

    def off(self) -> None:
        """It need not be pressed any more."""
        faulthandler.cancel_dump_traceback_later()


class Watchdog:
    """Calls `report(path, seconds, stack, "")` when one step has held the scheduler for `limit_s`.

    At doubled times, while it is still the same step, it calls ``report(path, seconds, "", place)``. Presses `switch`
    as long as steps end.
    """

    def __init__(
        self,
        watched: Watched,
        limit_s: float,
        report: Callable[[str, float, str, str], None],
        switch: DeadMansSwitch | None = None,
    ) -> None:
        self._watched = watched
        self._limit_s = limit_s
        self._report = report
        self._switch = switch
        self._work = threading.Event()
        self._closed = threading.Event()
        self.asleep = True
        self._seen = (-1, 0.0)  # the slice that was running at the last looks, and since when it has been
        self._thread = threading.Thread(target=self._watch, name="axonlike-watchdog", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is work again. Called by the scheduler when `asleep`; costs nothing while awake."""
        self.asleep = False
        if self._switch is not None:  # here: a step that keeps Python's lock would not let our thread do it
            self._switch.press()
        self._work.set()

    @property
    def held_s(self) -> float:
        """For how long the step that runs now has been seen to run. May be read from any thread."""
        slices, since_s = self._seen
        watched = self._watched
        running = slices == watched.slices and watched.running_path is not None and not self.asleep
        return time.monotonic() - since_s if running else 0.0

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
            if self._switch is not None:
                self._switch.off()
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
        self._seen = (seen, since)
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
            self._seen = (seen, since)
            if path is None or since == now:
                if self._switch is not None:
                    self._switch.press()
                continue
            if now - since >= max(self._limit_s, 2 * told_s) and watched.thread_id is not None:
                again, told_s = told_s > 0, now - since
                if again:
                    self._report(path, told_s, "", place_of(watched.thread_id))
                else:
                    self._report(path, told_s, stack_of(watched.thread_id, skip=is_machinery), "")
