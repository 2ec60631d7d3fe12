"""What a run may leave behind: threads, file descriptors, child processes."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import select
import sys
import threading
import time
from collections.abc import Iterator

__all__ = ["LeakError", "no_leaks"]

_GRACE_STEP_S = 0.005


class LeakError(AssertionError):
    """Something was left open. `left` lists it."""

    def __init__(self, what: str, left: list[str]) -> None:
        self.left = left
        super().__init__(f"{what} left open: {'; '.join(left)}")


@contextlib.contextmanager
def no_leaks(what: str = "the block", *, grace_s: float = 2.0) -> Iterator[None]:
    """Raises LeakError when there are more threads, descriptors or children after the block than before it.

    What is just ending gets `grace_s`. Nothing is checked when the block raises: a traceback keeps objects alive.
    Descriptors and children are seen on Linux only.
    """
    _make_what_lasts()
    before = _open_things()
    yield
    deadline_s = time.monotonic() + grace_s
    while left := [text for identity, text in _open_things().items() if identity not in before]:
        if time.monotonic() > deadline_s:
            raise LeakError(what, left)
        gc.collect()  # a socket or file that nobody refers to is not a leak of the component under test alone
        select.select([], [], [], _GRACE_STEP_S)


@functools.cache
def _make_what_lasts() -> None:
    """libuv keeps one pipe for the life of the process from its first loop on: nobody's leak."""
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.new_event_loop().close()


def _open_things() -> dict[object, str]:
    """Identity -> words. A descriptor is known by number and target, a child by pid and start time."""
    found: dict[object, str] = {thread: f"thread {thread.name!r}" for thread in threading.enumerate()}
    if not sys.platform.startswith("linux"):
        return found
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None)
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of this very listing is gone
            target = os.readlink(f"/proc/self/fd/{number}")
            if int(number) != getattr(tracker, "_fd", None):
                found["fd", number, target] = f"descriptor {number} ({target})"
    for pid, start, command in _children():
        if pid != getattr(tracker, "_pid", None):
            found["child", pid, start] = f"child process {pid} ({command})"
    return found


def _children() -> Iterator[tuple[int, str, str]]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # reaps nothing
    except ChildProcessError:
        return  # none, not even a zombie: spared is a look at every process of the machine
    parent = str(os.getpid())
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb", buffering=0) as stat:
            # pid (command, may hold blanks) state ppid ... starttime is field 22; see proc(5)
            text = (stat.read() or b"").decode(errors="replace")
            command, _, rest = text.partition("(")[2].rpartition(")")
            fields = rest.split()
            if fields[1] == parent:
                yield int(entry), fields[19], command
