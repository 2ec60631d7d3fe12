"""Time as the scheduler sees it: seconds that only go forward, whatever the wall clock does.

The scheduler reads its event loop's time. `Monotonic` is that of a normal loop; the testing kit's loop runs on a
`Virtual` clock, which stands still until someone advances it.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "Monotonic", "Virtual"]


class Clock(Protocol):
    """Anything that tells seconds which never go back."""

    def time(self) -> float:
        """Seconds from an arbitrary beginning; never less than before."""
        ...


class Monotonic:
    """The machine's monotonic clock; it does not move when the wall clock is set."""

    def time(self) -> float:
        """Seconds from an arbitrary beginning."""
        return time.monotonic()


class Virtual:
    """A clock that moves only by `advance`. Starts at `start_s`."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def time(self) -> float:
        """Seconds from an arbitrary beginning."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock on. Raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError(f"a clock only goes forward: advance({seconds!r})")
        self._now_s += seconds

    def advance_to(self, when_s: float) -> None:
        """Move the clock on to exactly `when_s`: adding a difference could miss it by a rounding. Never goes back."""
        if when_s < self._now_s:
            raise ValueError(f"a clock only goes forward: advance_to({when_s!r}) at {self._now_s!r}")
        self._now_s = when_s
