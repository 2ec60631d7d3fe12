"""Keeps what a test activates away from the default scheduler of other tests, and the other way round."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from axonlike.here import HERE
from axonlike.scheduler import Scheduler

__all__ = ["isolated"]


@contextlib.contextmanager
def isolated(scheduler: Scheduler | None = None) -> Iterator[Scheduler]:
    """In the block this thread's default scheduler is `scheduler`, by default a new one; afterwards it is as before.

    Parts that were activated in it and never run are forgotten without a warning.
    """
    waiting, running = HERE.waiting, HERE.running
    scheduler = scheduler or Scheduler(watchdog_s=None)
    HERE.waiting, HERE.running = scheduler, None
    try:
        yield scheduler
    finally:
        scheduler._pending.clear()
        HERE.waiting, HERE.running = waiting, running
