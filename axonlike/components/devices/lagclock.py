"""How many rows a device has lost where its own counter cannot tell: found from the time that has passed."""

from __future__ import annotations

__all__ = ["LagClock"]

_WINDOW_S = 10.0


class LagClock:
    """Compares a device's numbers with time: tells how many rows were lost where its own counter cannot.

    A row's lag is how much later than by its number it came. The least one of the last 10 to 20 s is that of a row
    which nothing held up; a device's clock does not drift by a row in that time.
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._least_s: float | None = None
        self._least_before_s = float("inf")
        self._window_end_s = 0.0

    def note(self, index: int, time_s: float) -> None:
        """All rows before `index` have come at `time_s`."""
        lag_s = time_s - index / self.sample_rate_hz
        if self._least_s is None or time_s >= self._window_end_s:
            self._least_before_s = float("inf") if self._least_s is None else self._least_s
            self._least_s, self._window_end_s = lag_s, time_s + _WINDOW_S
        elif lag_s < self._least_s:
            self._least_s = lag_s

    def behind(self, index: int, time_s: float) -> float:
        """By how many rows `index` is less than it should be at `time_s`; 0 before the first `note`."""
        if self._least_s is None:
            return 0.0
        usual_s = min(self._least_s, self._least_before_s)
        return (time_s - index / self.sample_rate_hz - usual_s) * self.sample_rate_hz
