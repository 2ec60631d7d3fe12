"""How many samples a card has lost, found by comparing what it delivered with the time that has passed.

Sound systems do not always say so when they lose samples, and never how many. But a card's clock is good to a few parts
in ten thousand, so samples that stay missing for a second were lost, while those of a late block come after it.
"""

from __future__ import annotations

__all__ = ["SampleClock"]

_WINDOW_S = 1.0


class SampleClock:
    """Counts the rows of one source against time, over all its interruptions.

    rows: how many there were, the lost ones included, so it is the index of the next row. lost: how many of them were.

    A loss that nobody tells of is found if it is larger than `tolerance_s` (buffers of the system may grow by less than
    that at any time), a second later. Drift of the card's clock is no loss: only what comes within a second is.
    """

    def __init__(self, sample_rate_hz: float, *, tolerance_s: float = 0.2) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.tolerance_s = tolerance_s
        self.rows = 0
        self.lost = 0
        self._start_s: float | None = None
        # Lags are how much later than by its number a block came. The least one within a window is that of a block
        # which was not held up anywhere; only if even that one has grown, rows are missing.
        self._usual_lag_s: float | None = None
        self._least_lag_s = 0.0
        self._window_end_s: float | None = None

    def take(self, rows: int, time_s: float, *, known_loss: bool = False) -> int:
        """Count a block that came at `time_s`; returns how many rows are missing before it.

        known_loss: something is missing, at least one row: an overrun that was told, or the source was opened again.
        """
        if self._start_s is None:
            self._start_s = time_s - rows / self.sample_rate_hz
        lag_s = self._lag_s(rows, time_s)
        lost = 0
        if known_loss:
            usual_s = self._usual_lag_s
            if usual_s is None:  # within the first window
                usual_s = self._least_lag_s if self._window_end_s is not None else lag_s
            lost = max(1, round((lag_s - usual_s) * self.sample_rate_hz))
        elif self._window_end_s is not None and time_s >= self._window_end_s:
            least_s = min(self._least_lag_s, lag_s)
            if self._usual_lag_s is not None and least_s - self._usual_lag_s > self.tolerance_s:
                lost = round((least_s - self._usual_lag_s) * self.sample_rate_hz)
            else:
                self._usual_lag_s = least_s
            self._window_end_s = None
        self.rows += lost + rows
        self.lost += lost
        lag_s = self._lag_s(0, time_s)
        if self._window_end_s is None:
            self._window_end_s, self._least_lag_s = time_s + _WINDOW_S, lag_s
        else:
            self._least_lag_s = min(self._least_lag_s, lag_s)
        return lost

    def skip(self, rows: int) -> None:
        """So many rows came and were lost afterwards: they are counted, and not missing."""
        self.rows += rows
        self.lost += rows

    def _lag_s(self, rows: int, time_s: float) -> float:
        assert self._start_s is not None
        return time_s - self._start_s - (self.rows + rows) / self.sample_rate_hz
