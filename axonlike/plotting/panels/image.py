"""A field in colours, with the bar that says which colour is which value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.axes import fitting_ticks
from axonlike.components.ui.colormaps import colormap, colour_index
from axonlike.components.ui.theme import LINE
from axonlike.components.ui.waterfall import palette
from axonlike.plotting.panels.panel import HEADER_PX, AxesPanel
from axonlike.plotting.panels.pen import Pen
from axonlike.plotting.panels.ranges import PanelScale, SteadyRange, Ticks, drawable, extent, panel_ticks
from axonlike.plotting.shown import Shown

if TYPE_CHECKING:
    import pygame

__all__ = ["ImagePanel"]

_BAR_PX: Final = 12
_SQUARE: Final = 4.0
"""A field at most so many times as wide as high, or as high as wide, has square cells."""


class ImagePanel(AxesPanel):
    """Kind "image". Row 0 is at the bottom; a cell stands around its place, half of it to each side."""

    def __init__(self, pen: Pen, name: str, number: int = 0) -> None:
        super().__init__(pen, name, number)
        self._steady = SteadyRange(share=0.8)
        self._levels = (0.0, 1.0)
        self._log_levels = False
        self._palettes: dict[str, npt.NDArray[np.uint32]] = {}
        self._kept: tuple[object, Any, pygame.Surface, tuple[int, int]] | None = None
        self._bar_px = 0

    @property
    def _field(self) -> npt.NDArray[Any]:
        field = self.shown.field
        return np.empty((0, 0)) if field is None else field

    @property
    def levels(self) -> tuple[float, float]:
        """The values of the first and the last colour."""
        return drawable(*self._levels, log=self._log_levels)

    def show(self, shown: Shown, now_s: float) -> None:
        self._log_levels = self._own_log.get("y", shown.log_y)
        super().show(shown, now_s)
        self.log_x = self.log_y = False  # its axes are places

    def measure(self, now_s: float) -> None:
        shown, field = self.shown, self._field
        rows, columns = field.shape
        ends = shown.x_start - 0.5 * shown.x_step, shown.x_start + (columns - 0.5) * shown.x_step
        self.x_range = (min(ends), max(ends)) if columns else (0.0, 1.0)
        self.y_range = (-0.5, rows - 0.5) if rows else (0.0, 1.0)
        data = extent(field, log=self._log_levels)
        low, high = self._steady.follow(data, now_s, log=self._log_levels, pad=0.0)
        low, high = low if shown.low is None else shown.low, high if shown.high is None else shown.high
        self._levels = (low, high) if low < high else (low, low + 1.0)
        self.remark = ""
        if self._log_levels and (count := int(np.count_nonzero(field <= 0))):
            self.remark = f"log: {count} value{'s' if count > 1 else ''} of 0 or less left out"

    # -- how it looks

    def y_units(self) -> str:
        return ""

    def _level_ticks(self) -> Ticks:
        height = self.plot.height or self.rect.height
        return panel_ticks(*self.levels, fitting_ticks(height, 40), self.shown.units, log=self._log_levels)

    def units_note(self) -> str:
        return self._level_ticks().units

    def place(self, rect: pygame.Rect) -> None:
        if rect != self.rect:
            self._bar_px = 0
        super().place(rect)

    def margins(self) -> tuple[int, int, int, int]:
        left, top, _right, bottom = super().margins()
        needs = max((self.pen.width(label) for label in self._level_ticks().labels), default=0)
        self._bar_px = max(self._bar_px, needs + -needs % 8 + 40)
        return left, top, self._bar_px, bottom

    def arrange(self) -> None:
        """Square cells, if they are places and the field is not too long."""
        rows, columns = self._field.shape
        if not rows or not columns or self.shown.x_step != 1.0 or self.shown.x_start:
            return
        aspect = columns / rows
        if not 1 / _SQUARE <= aspect <= _SQUARE:
            return
        width, height = self.plot.size
        fitted = min(width, round(height * aspect)), min(height, round(width / aspect))
        size = max(1, fitted[0]), max(1, fitted[1])
        self.plot = self.pen.pygame.Rect(
            self.plot.left + (width - size[0]) // 2, self.plot.top + (height - size[1]) // 2, *size
        )

    def scales(self) -> tuple[PanelScale, PanelScale]:
        width, height = self.plot.size
        return PanelScale(*self.x_view, 0.0, width), PanelScale(*self.y_view, height, 0.0)

    def ground_key(self) -> object:
        shown = self.shown
        return super().ground_key(), self.levels, self._log_levels, shown.colours

    def draw_ground(self, ground: pygame.Surface) -> None:
        super().draw_ground(ground)
        pygame = self.pen.pygame
        plot = self.plot.move(-self.rect.left, -self.rect.top)
        bar = pygame.Rect(plot.right + 12, plot.top, _BAR_PX, plot.height)
        for row, colour in enumerate(colormap(self.shown.colours, max(2, plot.height))[::-1].tolist()):
            pygame.draw.line(ground, colour, (bar.left, bar.top + row), (bar.right - 1, bar.top + row))
        pygame.draw.rect(ground, LINE, bar, 1)
        ticks = self._level_ticks()
        scale = PanelScale(*self.levels, bar.bottom - 0.5, bar.top + 0.5, self._log_levels)
        for place, label in zip(ticks.places, ticks.labels, strict=True):
            y = scale.pixel(place)
            self.pen.text(ground, label, bar.right + 6, min(max(y, bar.top + 6), bar.bottom - 6))

    def draw_data(self, surface: pygame.Surface) -> None:
        field = self._field
        rows, columns = field.shape
        if not rows or not columns:
            self.pen.text(surface, "no values", *self.plot.center, across=0.5)
            return
        x, y = self.scales()
        key = (self.shown.x_start, self.shown.x_step, self.x_view, self.y_view, self.plot.size, self.levels,
               self._log_levels, self.shown.colours)  # fmt: skip
        if self._kept is None or self._kept[0] != key or self._kept[1] is not field:
            found = self._picture(field, x, y)
            if found is None:
                return
            self._kept = (key, field, *found)
        _, _, picture, (left, top) = self._kept
        surface.blit(picture, (self.plot.left + left, self.plot.top + top))

    def _picture(
        self, field: npt.NDArray[Any], x: PanelScale, y: PanelScale
    ) -> tuple[pygame.Surface, tuple[int, int]] | None:
        """The part of the field that is seen, as large as it is seen, and where in the plot it stands."""
        pygame, shown = self.pen.pygame, self.shown
        rows, columns = field.shape
        places = sorted((edge - shown.x_start) / shown.x_step + 0.5 for edge in self.x_view)
        c0, c1 = max(0, math.floor(places[0] + 1e-9)), min(columns, math.ceil(places[1] - 1e-9))
        r0, r1 = max(0, math.floor(self.y_view[0] + 0.5 + 1e-9)), min(rows, math.ceil(self.y_view[1] + 0.5 - 1e-9))
        if c0 >= c1 or r0 >= r1:
            return None
        ends_x = sorted(x.pixel(shown.x_start + (place - 0.5) * shown.x_step) for place in (c0, c1))
        ends_y = sorted(y.pixel(place - 0.5) for place in (r0, r1))
        left, top = round(ends_x[0]), round(ends_y[0])
        size = max(1, round(ends_x[1]) - left), max(1, round(ends_y[1]) - top)
        # With more than two cells for each pixel, only so many are looked at.
        every_row, every_column = max(1, (r1 - r0) // (2 * size[1])), max(1, (c1 - c0) // (2 * size[0]))
        part = field[r0:r1:every_row, c0:c1:every_column][::-1]
        if shown.x_step < 0:
            part = part[:, ::-1]
        low, high = self.levels
        with np.errstate(all="ignore"):
            if self._log_levels:
                values = np.log10(np.where(part > 0, part, np.nan)).astype(np.float32)
                low, high = math.log10(low), math.log10(high)
            else:
                # The difference in full precision, the rest in half of it, which is faster.
                values = (part - np.float64(low)).astype(np.float32)
                low, high = 0.0, high - low
            pixels = self._palette()[colour_index(values, low, high)]
        made = pygame.Surface((pixels.shape[1], pixels.shape[0]), 0, 32)
        into = pygame.surfarray.pixels2d(made)
        into[...] = pixels.T
        del into  # it locks the surface
        if made.get_size() == size:
            return made, (left, top)
        smaller = size[0] <= made.get_width() and size[1] <= made.get_height()
        return (pygame.transform.smoothscale if smaller else pygame.transform.scale)(made, size), (left, top)

    def _palette(self) -> npt.NDArray[np.uint32]:
        name = self.shown.colours
        if name not in self._palettes:
            self._palettes[name] = palette(self.pen.pygame.Surface((1, 1), 0, 32), name)
        return self._palettes[name]

    def draw_over(self, surface: pygame.Surface) -> None:
        rows, columns = self._field.shape
        text = f"{columns} × {rows}"
        right = self.rect.right - 16
        if self.rect.left + self.header_end + self.pen.width(text) + 12 < right:
            self.pen.text(surface, text, right, self.rect.top + HEADER_PX / 2 + 1, across=1.0)

    # -- its user

    def _look_at(self, axis: str, view: tuple[float, float]) -> None:
        """Not beyond the field's edges, and not less than one cell."""
        whole = self.x_range if axis == "x" else self.y_range
        cell = abs(self.shown.x_step) if axis == "x" else 1.0
        width = view[1] - view[0]
        if width >= whole[1] - whole[0]:
            self._view.pop(axis, None)
            return
        if width >= cell:
            low = min(max(view[0], whole[0]), whole[1] - width)
            self._view[axis] = low, low + width

    def toggle_log(self, axis: str) -> str:
        if axis == "x":
            return "the x axis of an image is not logarithmic"
        self._own_log["y"] = not self._log_levels
        self.show(self.shown, self._shown_s)
        return ""

    def table(self) -> list[list[Any]]:
        columns = self._field.shape[1]
        across = (self.shown.x_start + self.shown.x_step * np.arange(columns)).tolist()
        return [["row \\ column", *across], *([row, *values] for row, values in enumerate(self._field.tolist()))]
