"""Running without naming a scheduler: ``run(...)``, ``X().activate()`` and ``Y().run()`` of short scripts.

There is no global scheduler. Code that is part of a run uses that run's; elsewhere each thread has one of its own, made
on demand and dropped when its run begins.
"""

from __future__ import annotations

import atexit
import linecache
import logging
import sys
import warnings
import weakref

from axonlike.errors import Site
from axonlike.here import HERE, UNUSED
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


_STARTERS = ("run", "activate", "start", "background", "handle", "scheduler")


@atexit.register
def _warn_of_unused_graphs() -> None:
    """``Pipeline(...)`` without ``.run()`` at the top of a script: it would end without a word.

    Only if the text of the script leaves no doubt: it ended by itself, calls nothing that could run something, and
    catches no error around the place.
    """
    ended_by_error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not UNUSED or ended_by_error is not None or sys.flags.interactive or hasattr(sys, "ps1"):
        return
    import ast

    for part in UNUSED:
        made_at: Site = part.made_at  # type: ignore[attr-defined]  # only components are in there
        try:
            tree = ast.parse("".join(linecache.getlines(made_at.filename)))
        except (SyntaxError, ValueError):
            continue
        nodes = list(ast.walk(tree))
        called = [ast.unparse(node.func).rpartition(".")[2].lower() for node in nodes if isinstance(node, ast.Call)]
        guarded = any(
            isinstance(node, ast.Try | ast.With) and node.lineno <= made_at.line <= (node.end_lineno or 0)
            for node in nodes
        )
        if called and not guarded and not any(starter in name for name in called for starter in _STARTERS):
            text = f"{part.name} made at {made_at} was never run: call .run()"
            warnings.warn_explicit(text, RuntimeWarning, made_at.filename, made_at.line)


def run(*parts: Part, observe: bool | str | None = None) -> None:
    """Run these parts, and whatever was activated before, until everything but services has ended.

    Uses this thread's default scheduler. Raises ComponentError when a component failed, SystemExit after a signal.
    observe: as `Scheduler`'s; True lets `axonlike top` and `axonlike tap` look into it.
    """
    _default(observe).run(*parts)


async def run_async(*parts: Part, observe: bool | str | None = None) -> None:
    """As `run`, inside the event loop that runs (asyncio programs, Jupyter)."""
    await _default(observe).run_async(*parts)


def _default(observe: bool | str | None) -> Scheduler:
    scheduler = default_scheduler()
    if observe is not None:
        scheduler.observe = observe
    return scheduler
