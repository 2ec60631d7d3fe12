"""How often something may be started again, and after how long: OTP's intensity and a growing back-off.

One class for all that starts again: components with ``on_error="restart"``, supervisors, clients that reconnect.
"""

from __future__ import annotations

import random
from collections import deque

__all__ = ["Backoff", "RestartLimit"]


class Backoff:
    """Delays that double from `first_s` to `longest_s`, shortened by chance so that many do not come at once.

    jitter: the part of a delay that chance decides, 0 to 1. random: a source of chance, for tests.
    """

    def __init__(
        self, first_s: float = 0.1, longest_s: float = 30.0, *, jitter: float = 0.5, chance: random.Random | None = None
    ) -> None:
        if not 0 <= first_s <= longest_s:
            raise ValueError(f"a back-off grows: first_s={first_s!r} is not between 0 and longest_s={longest_s!r}")
        self.first_s = first_s
        self.longest_s = longest_s
        self.jitter = jitter
        self._chance = chance or random.Random()
        self._next_s = first_s

    def next_delay_s(self) -> float:
        """The delay before the next try."""
        delay_s = self._next_s
        self._next_s = min(self.longest_s, 2 * delay_s)
        return delay_s * (1 - self.jitter * self._chance.random())

    def reset(self) -> None:
        """It worked: begin at the first delay again."""
        self._next_s = self.first_s


class RestartLimit:
    """At most `intensity` restarts in any `period_s` (OTP's rule); each after a growing delay.

    The delay begins anew once nothing has failed for a whole period.
    """

    def __init__(self, intensity: int = 3, period_s: float = 5.0, *, backoff: Backoff | None = None) -> None:
        self.intensity = intensity
        self.period_s = period_s
        self.backoff = backoff or Backoff()
        self.seen = -1  # for "skip": how many messages had been taken at the last failure
        self._times_s: deque[float] = deque()

    def next_delay_s(self, now_s: float) -> float | None:
        """After how long to start again, or None: too often, escalate."""
        times_s = self._times_s
        if times_s and now_s - times_s[-1] > self.period_s:
            self.backoff.reset()
        while times_s and now_s - times_s[0] > self.period_s:
            times_s.popleft()
        if len(times_s) >= self.intensity:
            return None
        times_s.append(now_s)
        return self.backoff.next_delay_s()
