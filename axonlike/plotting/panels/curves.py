"""Lines, points, the history of a number, and spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.instrument import TRACES
from axonlike.plotting.panels.panel import HEADER_PX, AxesPanel
from axonlike.plotting.panels.pen import Colour
from axonlike.plotting.panels.ranges import extent, short_number
from axonlike.plotting.panels.raster import column_spans, line_alpha, points_alpha
from axonlike.plotting.panels.trail import Trail
from axonlike.plotting.shown import Shown

if TYPE_CHECKING:
    import pygame

__all__ = ["CurvesPanel"]

Doubles = npt.NDArray[np.float64]

_FILL: Final = 34
"""Below a spectrum, of 255."""
_NO_X: Final = np.empty(0)


class CurvesPanel(AxesPanel):
    """Shows kinds "lines", "points", "spectrum" and, with a trail, "history"."""

    trail: Trail | None = None
    """What a history shows. Whoever owns the panel keeps it up."""
    _x: Doubles = _NO_X
    _curves: Doubles = np.empty((0, 1))

    def measure(self, now_s: float) -> None:
        shown = self.shown
        is_history = shown.kind == "history"
        if is_history:
            rows = self.trail.rows() if self.trail is not None else np.empty((0, 2))
            self._x, self._curves = rows[:, 0], rows[:, 1:]
        elif shown.curves is not None:
            self._curves = shown.curves
            self._x = shown.x if shown.x is not None else self._places(shown)
        self.x_range = self._x_extent(now_s, is_history)
        data = extent(self._curves, log=self.log_y)
        low, high = self._steady_y.follow(data, now_s, log=self.log_y)
        low, high = low if shown.low is None else shown.low, high if shown.high is None else shown.high
        if not low < high:  # only one end is given, and all data lie beyond it
            low, high = (low, low + 1.0) if shown.high is None else (high - 1.0, high)
        self.y_range = low, high
        self.remark = self._left_out()

    def _places(self, shown: Shown) -> Doubles:
        count = len(self._curves)
        if len(self._x) == count and self._placed == (shown.x_start, shown.x_step):
            return self._x
        self._placed = shown.x_start, shown.x_step
        return shown.x_start + shown.x_step * np.arange(count, dtype=np.float64)

    _placed: tuple[float, float] | None = None

    def _x_extent(self, now_s: float, is_history: bool) -> tuple[float, float]:
        data = extent(self._x, log=self.log_x)
        if is_history:
            return self._steady_x.follow(data, now_s, log=self.log_x, grows=True)
        if data is None:
            return (1.0, 10.0) if self.log_x else (0.0, 1.0)
        if self.shown.kind == "points":
            return self._steady_x.follow(data, now_s, log=self.log_x)
        return data if data[0] < data[1] else (data[0] - 0.5, data[0] + 0.5)

    def _left_out(self) -> str:
        texts = []
        for log, values, axis in ((self.log_y, self._curves, ""), (self.log_x, self._x, " on the x axis")):
            if log and (count := int(np.count_nonzero(values <= 0))):
                texts.append(f"log: {count} value{'s' if count > 1 else ''} of 0 or less{axis} left out")
        return "; ".join(texts)

    def show(self, shown: Shown, now_s: float) -> None:
        if (shown.kind == "history") != (self.shown.kind == "history") or (shown.x is None) != (self.shown.x is None):
            self._placed = None
        super().show(shown, now_s)

    def colour(self, line: int) -> Colour:
        """Of a line; a panel with one line has the panel's own."""
        return TRACES[(line if self._curves.shape[1] > 1 else self.number) % len(TRACES)]

    def draw_data(self, surface: pygame.Surface) -> None:
        width, height = self.plot.size
        x_scale, y_scale = self.scales()
        x = x_scale.pixels(self._x)
        for line in range(self._curves.shape[1]):
            y = y_scale.pixels(self._curves[:, line])
            reach = extent(y)
            if reach is None or reach[1] < -8 or reach[0] > height + 8:
                continue
            first, stop = max(0, int(reach[0]) - 4), min(height, int(reach[1]) + 6)
            if stop <= first:
                continue
            colour = self.colour(line)
            if self.shown.kind == "points":
                alpha = points_alpha(x, y - first, width, stop - first, 2.2 if len(x) < 2000 else 1.2)
            elif len(x) == 1:
                alpha = points_alpha(x, y - first, width, stop - first, 3.0)
            else:
                alpha = line_alpha(x, y - first, width, stop - first)
            if self.shown.kind == "spectrum":
                self._fill_below(surface, x, y, colour)
            self.pen.stamp(surface, alpha, colour, (self.plot.left, self.plot.top + first))

    def _fill_below(self, surface: pygame.Surface, x: Doubles, y: Doubles, colour: Colour) -> None:
        if len(x) < 2 or not (x[1:] >= x[:-1]).all():
            return
        width, height = self.plot.size
        top, _ = column_spans(x, y, 2 * width)
        top = np.nan_to_num(np.fmin(top[0::2], top[1::2]), nan=1e6)
        shade = (np.arange(height) >= top[:, np.newaxis]) * np.uint8(_FILL)
        self.pen.stamp(surface, shade, colour, self.plot.topleft)

    def draw_over(self, surface: pygame.Surface) -> None:
        shown = self.shown
        if shown.kind == "history":
            if len(self._curves):
                text = " ".join(part for part in (short_number(shown.value, 6), shown.units) if part)
                right = self.rect.right - 16
                if self.rect.left + self.header_end + self.pen.width(text, 15) < right:
                    y = self.rect.top + HEADER_PX / 2 + 1
                    self.pen.text(surface, text, right, y, size=15, across=1.0, colour=self.colour(0))
        elif len(shown.names) > 1:
            self.draw_legend(surface, [(name, self.colour(line)) for line, name in enumerate(shown.names)])
        if not len(self._curves):
            self.pen.text(surface, "no values", *self.plot.center, across=0.5)

    def toggle_log(self, axis: str) -> str:
        self._set_log(axis)
        return ""

    def table(self) -> list[list[Any]]:
        shown = self.shown
        names = list(shown.names) or [self.title or "value"]
        across = " ".join(part for part in (shown.x_label, shown.x_units) if part) or "x"
        return [[across, *names], *np.column_stack([self._x, self._curves]).tolist()]
