"""Running without naming a scheduler: ``run(...)``, ``X().activate()`` and ``Y().run()`` of short scripts.

There is no global scheduler. Code that is part of a run uses that run's; elsewhere each thread has one of its own, made
on demand and dropped when its run begins.
"""

from __future__ import annotations

import atexit
import logging
import weakref

from axonlike.here import HERE
from axonlike.part import Part
from axonlike.scheduler import Scheduler

__all__ = ["default_scheduler", "run", "run_async", "take_default_scheduler"]

log = logging.getLogger("axonlike")

_made: weakref.WeakSet[Scheduler] = weakref.WeakSet()


def default_scheduler() -> Scheduler:
    """The scheduler of the run that this code is part of, else this thread's own (made on demand, for one run)."""
    scheduler = HERE.running or HERE.waiting
    if scheduler is None:
        scheduler = HERE.waiting = Scheduler()
        _made.add(scheduler)
    return scheduler


def take_default_scheduler() -> Scheduler:
    """This thread's own default scheduler, to be run elsewhere: the next one that is asked for here is a new one."""
    scheduler, HERE.waiting = HERE.waiting, None
    return scheduler or Scheduler()


@atexit.register
def _warn_of_what_never_ran() -> None:
    for scheduler in tuple(_made):
        if scheduler.state == "new" and scheduler.never_ran:
            names = ", ".join(part.path for part in scheduler.never_ran[:10])
            log.warning("activated, but never run: %s (call run(), or .run() on the last one)", names)


def run(*parts: Part) -> None:
    """Run these parts, and whatever was activated before, until everything but services has ended.

    Uses this thread's default scheduler. Raises ComponentError when a component failed, SystemExit after a signal.
    """
    default_scheduler().run(*parts)


async def run_async(*parts: Part) -> None:
    """As `run`, inside the event loop that runs (asyncio programs, Jupyter)."""
    await default_scheduler().run_async(*parts)
