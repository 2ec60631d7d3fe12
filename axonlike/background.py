"""Components in the background of an ordinary program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axonlike.defaults import take_default_scheduler
from axonlike.part import Part
from axonlike.scheduler import Scheduler

__all__ = ["background"]


@contextmanager
def background(*parts: Part, scheduler: Scheduler | None = None) -> Iterator[Scheduler]:
    """Run these parts, and what was activated in this thread before, in a thread of their own while the block runs.

        with background(Pipeline(source, sink)) as scheduler:
            ...

    Yields the scheduler; more can be activated in it (``part.activate(scheduler)``), and a `Handle` talks to them. At
    the end of the block everything that still runs is stopped in order, and what went wrong in it is raised.
    """
    running = scheduler or take_default_scheduler()
    running.activate(*parts)
    with running:
        yield running
