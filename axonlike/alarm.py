"""What wakes the event loop when the next timer is due.

asyncio and uvloop sleep in whole milliseconds, and so wake up to one too late. On Linux a timer of the system that can
be read like a socket (timerfd) wakes them within some ten microseconds. Without it (another system, axonlike's C not
compiled, a loop that tells a time of its own, as in virtual time) the loop's own timers do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["Alarm", "SystemTimer", "system_timer"]


class SystemTimer(Protocol):
    """A timer of the system, on `time.monotonic`'s clock; readable from when it is due until it is set again."""

    def fileno(self) -> int:
        """What to wait on."""
        ...

    def set(self, when_s: float) -> None:
        """Be due then, and not when it was to be before; infinity: never."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


system_timer: Callable[[], SystemTimer] | None = None
"""Makes one, where there are any (`speedups` puts it here). Raises OSError when no descriptor is left."""


class Alarm:
    """Calls `ring` in the loop at one time, and again and again from then until it is set anew.

    exact: the loop's time is `time.monotonic`, so the system's timer may be used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], object], *, exact: bool) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._timer: SystemTimer | None = None
        if not exact or system_timer is None:
            return
        try:
            timer = system_timer()
            loop.add_reader(timer.fileno(), ring)
        except (OSError, NotImplementedError):  # no descriptor left; a loop that watches none
            return
        self._timer = timer

    @property
    def exact(self) -> bool:
        """Does the system's timer ring it?"""
        return self._timer is not None

    def set(self, when_s: float) -> None:
        """Ring then, and not when it was to ring before; infinity: never."""
        if self._timer is not None:
            self._timer.set(when_s)
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(when_s, self._ring) if when_s < math.inf else None

    def close(self) -> None:
        """Never ring again."""
        if self._handle is not None:
            self._handle.cancel()
        if self._timer is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._timer.fileno())
            self._timer.close()
