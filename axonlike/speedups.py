"""The short ways of the kernel in C (_speedups.c), put in the place of the Python ones where they were compiled.

A component's `send`, `recv`, `data_ready`, `wait` and the scheduler's loop run for every message, and what they cost
is mostly what Python takes to call a function. The compiled ones take the usual case and call the Python function for
all others, so both do the same. No compiler when axonlike was installed: then all is as it was, only slower.

``AXONLIKE_SPEEDUPS=0`` in the environment leaves the Python ones in place: for a debugger, which can then step through
the kernel, and to find out whether a fault lies in here.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import deque

from axonlike import box, scheduler, waits
from axonlike.component import Component
from axonlike.turn import Turn

__all__ = ["in_use"]


def _install() -> bool:
    if os.environ.get("AXONLIKE_SPEEDUPS") == "0":
        return False
    try:
        import axonlike._speedups as compiled
    except ImportError:  # nothing was compiled
        return False
    generator = (number for number in range(0))
    try:
        compiled.install(
            Component, box.Inbox, Turn, waits.Wait, scheduler.Scheduler, deque, generator.send, waits.PLAIN,
            waits.PAUSE, box._NOTHING, time.perf_counter, scheduler.SLICE_S, scheduler._LONGEST_STRIDE,
            scheduler._PARKS,
        )  # fmt: skip
    except TypeError as exc:
        warnings.warn(
            f"{compiled.__file__} was compiled for another version of axonlike ({exc}) and is not used: "
            "install axonlike again (scripts/setup in a clone)",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


in_use = _install()
"""Are the compiled ways in place?"""
