"""Which scheduler the code of this thread belongs to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axonlike.part import Part
    from axonlike.scheduler import Scheduler

__all__ = ["HERE", "UNUSED", "forget_default", "running_in_this_thread"]


class _Here(threading.local):
    running: Scheduler | None = None
    """The one whose run this thread is part of: the thread that it runs in, and those of its components."""
    runs: tuple[Scheduler, ...] = ()
    """All of which it is part, the last to begin last."""
    waiting: Scheduler | None = None
    """The default one, to which parts were activated and whose run has not begun."""


HERE = _Here()

UNUSED: dict[Part, None] = {}
"""Graphs that the script itself made (at most ten) and that were neither activated nor made part of anything yet."""


def forget_default(scheduler: Scheduler) -> None:
    """Its run has begun or failed: the next default scheduler of this thread is a new one."""
    if HERE.waiting is scheduler:
        HERE.waiting = None


@contextlib.contextmanager
def running_in_this_thread(scheduler: Scheduler) -> Iterator[None]:
    """While the block runs, this thread belongs to `scheduler`."""
    # Two runs in one event loop need not end in the order in which they began.
    HERE.runs = (*HERE.runs, scheduler)
    HERE.running = scheduler
    forget_default(scheduler)
    try:
        yield
    finally:
        runs = list(HERE.runs)
        runs.remove(scheduler)
        HERE.runs = tuple(runs)
        HERE.running = runs[-1] if runs else None
