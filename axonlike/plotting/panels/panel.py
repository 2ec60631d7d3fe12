"""What all panels have in common: a box with a title, where the data stands in it, axes that can be zoomed and moved.

A panel is a plain object: it is given what to show and where to stand, and draws itself. It keeps the user's view of it
(zoom, logarithms) from frame to frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.instrument import GRID, PLOT
from axonlike.components.ui.theme import BACKGROUND, DIM, LINE, PANEL, TEXT, WARNING
from axonlike.plotting.panels.pen import Colour, Pen
from axonlike.plotting.panels.ranges import PanelScale, SteadyRange, Ticks, drawable, panel_ticks
from axonlike.plotting.shown import Shown

if TYPE_CHECKING:
    import pygame

__all__ = ["HEADER_PX", "AxesPanel", "PlotPanel"]

Range = tuple[float, float]

HEADER_PX = 34
_EDGE_PX = 14
_FAINT: Colour = (26, 30, 38)


class PlotPanel:
    """One panel. Write `draw_data`, and what of the rest the kind has.

    rect: the whole panel in the window; plot: the part with the data in it. number: of the panel, for its colour.
    """

    edge_to_edge: ClassVar[bool] = False
    """Is all of the panel its plot?"""

    def __init__(self, pen: Pen, name: str, number: int = 0) -> None:
        self.pen = pen
        self.name = name
        self.number = number
        self.shown = Shown("text")
        self.remark = ""
        """What is to be said about the picture: values that have no place in it."""
        self.rect: pygame.Rect = pen.pygame.Rect(0, 0, 0, 0)
        self.plot: pygame.Rect = pen.pygame.Rect(0, 0, 0, 0)
        self._ground: tuple[object, pygame.Surface] | None = None

    def show(self, shown: Shown, now_s: float) -> None:
        """Another value has come."""
        self.shown = shown

    def place(self, rect: pygame.Rect) -> None:
        """Stand here."""
        if rect != self.rect:
            self.rect = rect.copy()
            self._ground = None

    @property
    def title(self) -> str:
        """What stands above it. Positional values have no name."""
        return self.shown.title or ("" if self.name.isdigit() else self.name)

    # -- what a kind of panel writes

    def margins(self) -> tuple[int, int, int, int]:
        """Pixels around the plot: left, top, right, bottom."""
        return _EDGE_PX, HEADER_PX, _EDGE_PX, _EDGE_PX

    def ground_key(self) -> object:
        """What the ground depends on: it is drawn anew when this has changed."""
        return self.title, self.shown.units

    def draw_ground(self, ground: pygame.Surface) -> None:
        """What stands below the data and seldom changes. `ground` has the size of `rect`."""

    def draw_data(self, surface: pygame.Surface) -> None:
        """The data, into the window; nothing outside of `plot` is touched."""

    def draw_over(self, surface: pygame.Surface) -> None:
        """What stands above the data, anywhere in `rect`."""

    def units_note(self) -> str:
        """Units, as they stand beside the title."""
        return self.shown.units

    # -- drawing

    def draw(self, surface: pygame.Surface) -> None:
        """Draw all of it."""
        pygame, rect = self.pen.pygame, self.rect
        if rect.width < 8 or rect.height < 8:
            return
        left, top, right, bottom = self.margins()
        self.plot = pygame.Rect(
            rect.left + left, rect.top + top, max(0, rect.width - left - right), max(0, rect.height - top - bottom)
        )
        self.arrange()
        if self.edge_to_edge:
            surface.fill(PANEL, rect)
        elif self.plot.width < 12 or self.plot.height < 12:
            surface.blit(self.pen.theme.box(rect.size, PANEL, LINE), rect)
            self.plot = pygame.Rect(0, 0, 0, 0)
            return
        else:
            surface.blit(self._current_ground(surface), rect)
        before = surface.get_clip()
        surface.set_clip(self.plot.clip(before))
        try:
            self.draw_data(surface)
        finally:
            surface.set_clip(before)
        self.draw_over(surface)
        if self.remark:
            self._draw_remark(surface)

    def arrange(self) -> None:
        """`plot` has been computed; it may be made smaller here."""

    def _current_ground(self, surface: pygame.Surface) -> pygame.Surface:
        key = (self.plot.topleft, self.plot.size, self.ground_key())
        if self._ground is None or self._ground[0] != key:
            ground: pygame.Surface = self.pen.pygame.Surface(self.rect.size, 0, surface)
            ground.fill(BACKGROUND)
            ground.blit(self.pen.theme.box(self.rect.size, PANEL, LINE), (0, 0))
            self.draw_ground(ground)
            self._draw_title(ground)
            self._ground = key, ground
        return self._ground[1]

    def _draw_title(self, ground: pygame.Surface) -> None:
        y = HEADER_PX / 2 + 1
        room = self.rect.width - 2 * _EDGE_PX
        title = self.pen.fitting(self.title, room, 15, bold=True)
        x = float(_EDGE_PX)
        if title:
            x += self.pen.text(ground, title, x, y, size=15, bold=True, colour=TEXT) + 10
        units = self.pen.fitting(self.units_note(), int(self.rect.width - _EDGE_PX - x))
        if units:
            x += self.pen.text(ground, units, x, y + 1) + 10
        self.header_end = x

    header_end: float = 0.0
    """Where the title and its units end, from the panel's left edge."""

    def _draw_remark(self, surface: pygame.Surface) -> None:
        text = self.pen.fitting(self.remark, self.plot.width - 16, 12)
        if not text or self.plot.height < 24:
            return
        box = self.pen.pygame.Rect(self.plot.left + 6, self.plot.bottom - 24, self.pen.width(text, 12) + 12, 18)
        surface.fill(PLOT, box)
        self.pen.text(surface, text, box.left + 6, box.centery, size=12, colour=WARNING)

    # -- its user

    def point(self, x: int, y: int) -> tuple[float, float] | None:
        """What stands at a pixel of the window, in the panel's own units; None outside of the plot."""
        return None

    def zoom(self, x: int, y: int, factor: float, *, across: bool = True, down: bool = True) -> bool:
        """Around this pixel; a factor below 1 shows less, larger. Returns whether that is seen."""
        return False

    def move(self, dx: int, dy: int) -> bool:
        """By so many pixels. Returns whether that is seen."""
        return False

    def reset(self) -> None:
        """Show all of it."""

    def toggle_log(self, axis: str) -> str:
        """Make "x" or "y" logarithmic, or straight again. Returns why that cannot be."""
        return f"{self.title or 'this panel'} has no such axis"

    def table(self) -> list[list[Any]]:
        """What it shows, as rows; the first has the names. Empty for what is no numbers."""
        return []


class AxesPanel(PlotPanel):
    """A panel with an axis across and one up."""

    def __init__(self, pen: Pen, name: str, number: int = 0) -> None:
        super().__init__(pen, name, number)
        self.x_range: Range = (0.0, 1.0)
        self.y_range: Range = (0.0, 1.0)
        self.log_x = self.log_y = False
        self._own_log: dict[str, bool] = {}
        """What the user has set, instead of what the hint says."""
        self._view: dict[str, Range] = {}
        """What the user has zoomed into."""
        self._left_px = 0
        self._shown_s = 0.0
        self._steady_x = SteadyRange()
        self._steady_y = SteadyRange()

    def show(self, shown: Shown, now_s: float) -> None:
        self.shown, self._shown_s = shown, now_s
        self.log_x = self._own_log.get("x", shown.log_x)
        self.log_y = self._own_log.get("y", shown.log_y)
        self.measure(now_s)

    def measure(self, now_s: float) -> None:
        """Set x_range and y_range by the data."""

    def place(self, rect: pygame.Rect) -> None:
        if rect != self.rect:
            self._left_px = 0
        super().place(rect)

    # -- axes

    @property
    def x_view(self) -> Range:
        """What of the x axis is seen."""
        return drawable(*self._view.get("x", self.x_range), log=self.log_x)

    @property
    def y_view(self) -> Range:
        """What of the y axis is seen."""
        return drawable(*self._view.get("y", self.y_range), log=self.log_y)

    def scales(self) -> tuple[PanelScale, PanelScale]:
        """From values to pixels of the plot, counted from its upper left corner: across, and up."""
        width, height = self.plot.size
        return (
            PanelScale(*self.x_view, 0.5, width - 0.5, self.log_x),
            PanelScale(*self.y_view, height - 0.5, 0.5, self.log_y),
        )

    def x_ticks(self) -> Ticks:
        """Labels of the x axis."""
        width = self.plot.width or self.rect.width
        return panel_ticks(*self.x_view, max(3, width // 72), self.shown.x_units, log=self.log_x)

    def y_ticks(self) -> Ticks:
        """Labels of the y axis."""
        height = self.plot.height or self.rect.height
        return panel_ticks(*self.y_view, max(2, height // 40), self.y_units(), log=self.log_y)

    def y_units(self) -> str:
        """Of the y axis."""
        return self.shown.units

    def units_note(self) -> str:
        return self.y_ticks().units

    def margins(self) -> tuple[int, int, int, int]:
        needs = max((self.pen.width(label) for label in self.y_ticks().labels), default=0) + 22
        if not needs <= self._left_px <= needs + 24:  # within that it stays, lest the plot jumps with each label
            self._left_px = min(needs + -needs % 8, self.rect.width // 3)
        return self._left_px, HEADER_PX, _EDGE_PX + 2, 30

    def ground_key(self) -> object:
        shown = self.shown
        return (
            self.title, shown.units, shown.x_label, shown.x_units, shown.names, self.x_view, self.y_view, self.log_x,
            self.log_y,
        )  # fmt: skip

    def draw_ground(self, ground: pygame.Surface) -> None:
        pygame = self.pen.pygame
        plot = self.plot.move(-self.rect.left, -self.rect.top)
        pygame.draw.rect(ground, PLOT, plot)
        x, y = self.scales()
        x_ticks, y_ticks = self.x_ticks(), self.y_ticks()
        for place in x_ticks.minor:
            at = plot.left + round(x.pixel(place) - 0.5)
            pygame.draw.line(ground, _FAINT, (at, plot.top), (at, plot.bottom - 1))
        for place in y_ticks.minor:
            at = plot.top + round(y.pixel(place) - 0.5)
            pygame.draw.line(ground, _FAINT, (plot.left, at), (plot.right - 1, at))
        self._draw_x(ground, plot, x, x_ticks)
        for place, label in zip(y_ticks.places, y_ticks.labels, strict=True):
            at = plot.top + round(y.pixel(place) - 0.5)
            if plot.top < at < plot.bottom - 1:
                pygame.draw.line(ground, GRID, (plot.left, at), (plot.right - 1, at))
            self.pen.text(ground, label, plot.left - 8, min(max(at, plot.top + 6), plot.bottom - 6), across=1.0)

    def _draw_x(self, ground: pygame.Surface, plot: pygame.Rect, x: PanelScale, ticks: Ticks) -> None:
        y = plot.bottom + 14
        label, units = self.shown.x_label, ticks.units
        name = f"{label} ({units})" if label and units else label or units
        name = self.pen.fitting(name, plot.width // 2)
        end = plot.right - self.pen.width(name) - 10 if name else plot.right + 30
        for place, label in zip(ticks.places, ticks.labels, strict=True):
            at = plot.left + round(x.pixel(place) - 0.5)
            if plot.left < at < plot.right - 1:
                self.pen.pygame.draw.line(ground, GRID, (at, plot.top), (at, plot.bottom - 1))
            half = self.pen.width(label) / 2
            if at + half < end:
                self.pen.text(ground, label, max(at, plot.left - 24 + half), y, across=0.5)
        if name:
            self.pen.text(ground, name, plot.right, y, across=1.0)

    # -- its user

    def point(self, x: int, y: int) -> tuple[float, float] | None:
        if not self.plot.collidepoint(x, y):
            return None
        across, up = self.scales()
        return across.value(x - self.plot.left + 0.5), up.value(y - self.plot.top + 0.5)

    def zoom(self, x: int, y: int, factor: float, *, across: bool = True, down: bool = True) -> bool:
        if not self.plot.width or not self.plot.inflate(2, 2).collidepoint(x, y):
            return False
        x_scale, y_scale = self.scales()
        if across:
            self._look_at("x", x_scale.changed(factor=factor, at=x - self.plot.left + 0.5))
        if down:
            self._look_at("y", y_scale.changed(factor=factor, at=y - self.plot.top + 0.5))
        return True

    def move(self, dx: int, dy: int) -> bool:
        if not self.plot.width:
            return False
        x_scale, y_scale = self.scales()
        if dx:
            self._look_at("x", x_scale.changed(moved_px=dx))
        if dy:
            self._look_at("y", y_scale.changed(moved_px=dy))
        return True

    def _look_at(self, axis: str, view: Range) -> None:
        self._view[axis] = view

    def reset(self) -> None:
        self._view.clear()

    def _set_log(self, axis: str) -> None:
        self._own_log[axis] = not (self.log_x if axis == "x" else self.log_y)
        self._view.pop(axis, None)
        self.show(self.shown, self._shown_s)

    def draw_legend(self, surface: pygame.Surface, entries: list[tuple[str, Colour]]) -> None:
        """Names in their colours at the right of the header, as many as have room."""
        y = self.rect.top + HEADER_PX / 2 + 1
        room = self.rect.width - self.header_end - _EDGE_PX
        widths = [self.pen.width(name) + 34 for name, _ in entries]
        fits = len(entries)
        while fits and sum(widths[:fits]) + (32 if fits < len(entries) else 0) > room:
            fits -= 1
        x = float(self.rect.right - _EDGE_PX)
        if fits < len(entries) and room > 40:
            x -= self.pen.text(surface, f"+{len(entries) - fits}", x, y, across=1.0, colour=DIM) + 12
        for (name, colour), width in reversed(list(zip(entries[:fits], widths, strict=False))):
            left = x - width + 12
            surface.fill(colour, (round(left), round(y) - 1, 16, 2))
            self.pen.text(surface, name, left + 22, y, colour=TEXT)
            x -= width
