"""The short ways of the kernel, and of a plot's call, in C (_speedups.c), in the place of the Python ones.

A component's `send`, `recv`, `data_ready`, `wait` and the scheduler's loop run for every message, and what they cost
is mostly what Python takes to call a function. The compiled ones take the usual case and call the Python function for
all others, so both do the same. No compiler when axonlike was installed: then all is as it was, only slower.

``AXONLIKE_SPEEDUPS=0`` in the environment leaves the Python ones in place: for a debugger, which can then step through
the kernel, and to find out whether a fault lies in here.
"""

from __future__ import annotations

import inspect
import os
import time
import warnings
from collections import deque
from collections.abc import Callable
from heapq import heappush
from types import ModuleType
from typing import Any

from axonlike import alarm, box, scheduler, waits
from axonlike.component import Component
from axonlike.shutdown import State
from axonlike.timers import TICKS_PER_S, Timer, TimerQueue
from axonlike.turn import Turn

__all__ = ["in_use", "install_call", "install_thread"]


def _compiled() -> ModuleType | None:
    if os.environ.get("AXONLIKE_SPEEDUPS") == "0":
        return None
    try:
        import axonlike._speedups as compiled
    except ImportError:  # nothing was compiled
        return None
    return compiled


def _fits(install: Callable[..., None], *arguments: object) -> bool:
    try:
        install(*arguments)
    except TypeError as exc:
        warnings.warn(
            f"axonlike's C was compiled for another version of it ({exc}) and is not used: install axonlike again "
            "(scripts/setup in a clone)",
            RuntimeWarning,
            stacklevel=3,
        )
        return False
    return True


def _install() -> bool:
    generator = (number for number in range(0))
    return _module is not None and _fits(
        _module.install,
        Component, box.Inbox, Turn, waits.Wait, waits.Sleep, scheduler.Scheduler, TimerQueue, Timer, deque,
        State.SLEEPING, heappush, generator.send, waits.PLAIN, waits.PAUSE, box._NOTHING, time.perf_counter,
        scheduler.SLICE_S, scheduler._LONGEST_STRIDE, scheduler._PARKS, _documented, TICKS_PER_S,
    )  # fmt: skip


def _documented(function: Callable[..., Any]) -> str:
    """What a function in C has as its documentation: its signature, for `help` and the like, and the words."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    name = function.__name__ if function.__name__ != "__call__" else "update"
    return f"{name}{text.replace('(self', '($self', 1)}\n--\n\n{inspect.cleandoc(function.__doc__ or '')}"


def install_call(plot: type, desk: type, array: type, room: tuple[int, ...]) -> None:
    """Do in C what a call of a plot does: lay its arguments on `_desk`, an object of the class `desk`.

    array: numpy's. room: `memory.LAYOUT`.
    """
    if in_use and _module is not None:
        _fits(_module.install_call, plot, desk, array, room)


def install_thread(component: type, thread: type, ended: object, most_under_way: int) -> None:
    """Do in C what takes a single message from a thread to who waits for it.

    component: ThreadedComponent. thread: the class of its thread's own side. ended: State.ENDED. most_under_way: how
    many messages may wait for the scheduler to take them over.
    """
    if in_use and _module is not None:
        _fits(_module.install_thread, component, thread, ended, most_under_way)


_module = _compiled()
in_use = _install()
"""Are the compiled ways in place?"""

if in_use:
    alarm.system_timer = getattr(_module, "TimerFD", None)  # Linux has it
