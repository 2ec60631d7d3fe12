"""Maps of time and frequency, one for each channel, in a grid: what a wavelet transform gives."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.ui.axes import Scale, duration, fitting_ticks, quantity, tick_axis
from axonlike.components.ui.colormaps import COLORMAPS, colormap, colour_index
from axonlike.components.ui.instrument import HEADER_PX, PLOT, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, amount, count, flag, one_of, span
from axonlike.components.ui.steady import SteadyRows
from axonlike.components.ui.theme import DIM, LINE, TEXT, WARNING
from axonlike.components.ui.waterfall import palette
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis, Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["TimeFreqView", "grid_columns"]

Floats = npt.NDArray[np.float32]

_LOOKS_S = (0.0, 0.3, 1.0, 3.0)
_CELL_GAP = 10


def grid_columns(cells: int, width: int, height: int, *, aspect: float = 1.6) -> int:
    """In how many columns so many cells are largest, if each is to be about `aspect` times as wide as high."""

    def size(columns: int) -> float:
        rows = math.ceil(cells / columns)
        return min(width / columns / aspect, height / rows)

    return max(range(1, max(1, cells) + 1), key=size)


class TimeFreqView(Instrument):
    """Shows a stream of maps (rows, channels, bins): for each channel the strength of each frequency over time.

    producers: a component whose stream it takes (one).

    span_s: from the left to the right, where the newest is. columns: of the grid; 0 for what fits. colours: the name of
    a map. alike: all channels have one scale; otherwise each its own. level_range: of the colours, None for what fits
    (0 to nearly the greatest of the first seconds; key A: again). What was lost is left dark.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("maps", Chunk, limit=512, policy="drop_oldest", stream=StreamType(kind="map")),
    }
    settings = ("paused", "span_s", "level_range", "colours", "columns", "alike")
    MOUSE = (
        ("Wheel", "brightness"),
        ("Shift + wheel", "time span"),
        ("Drag ↔", "time span"),
        ("Double click", "colours that fit"),
    )
    KEYS = (
        Key("a", "colours that fit", "fit_levels"),
        Key("m", "next colour map", "next_colours"),
        Key("s", "one scale for all, or each its own", "toggle_alike"),
        Key("right", "longer", "longer"),
        Key("left", "shorter", "shorter"),
    )

    span_s: Setting[float] = Setting(amount(0.05, 3600.0, "s"), "Seconds from the left to the right.")
    level_range: Setting[tuple[float, float] | None] = Setting(span, "Of the colours; None: what fits.")
    colours: Setting[str] = Setting(one_of(*COLORMAPS), "The name of a colour map.")
    columns: Setting[int] = Setting(count(0, 64), "Of the grid; 0: what fits.")
    alike: Setting[bool] = Setting(flag, "Has every channel the same scale of colours?")

    def __init__(
        self,
        *producers: Component,
        span_s: float = 5.0,
        level_range: tuple[float, float] | None = None,
        colours: str = "viridis",
        columns: int = 0,
        alike: bool = False,
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self._info: StreamInfo | None = None
        self._continuity = Continuity()
        self._rows: SteadyRows | None = None
        self._cells: list[pygame.Rect] = []
        self._rings: list[pygame.Surface] = []
        self._palette: npt.NDArray[np.uint32] | None = None
        self._greatest: Floats = np.ones(1, np.float32)
        self._painted = -1
        self._looks = 0
        self._noted_lost = 0
        self.span_s = span_s
        self.level_range = level_range
        self.colours = colours
        self.columns = columns
        self.alike = alike
        self.be_ready()

    def apply(self, name: str) -> None:
        self._painted = -1
        if name == "span_s":
            self._fit_rows()
        elif name == "columns":
            self.arrange()
        elif name == "colours":
            self._palette = None

    # -- the maps

    def take(self, box: str, chunk: Chunk) -> None:
        info = chunk.info
        if info is not self._info and info != self._info:
            if self._info is not None and info.name != self._info.name:
                raise UsageError(
                    f"{self.path}: it shows one stream, and had {self._info.name!r} before {info.name!r} came; make "
                    "one for each"
                )
            self._info = info
            self._channels, self._bins = info.channels, info.shape[-1]
            self._axis = info.axis or Axis("bin", "", 0.0, 1.0)
            self._continuity = Continuity()
            self._rows, self._looks = None, 0
            self._greatest = np.ones(self._channels, np.float32)
            self.arrange()
            self.refresh()
        self.lost += max(0, self._continuity.missing(chunk))
        if self._rows is not None:
            self._rows.add(np.asarray(chunk.data.reshape(len(chunk.data), -1), np.float32), chunk.index)

    def _fit_rows(self) -> None:
        self._painted = -1
        if self._info is None or not self._cells:
            return
        width = self._cells[0].width
        frames = self.span_s / width * (self._info.sample_rate_hz or width / self.span_s)
        if self._rows is None:
            self._rows = SteadyRows(width, self._channels * self._bins, frames)
        elif (self._rows.height, self._rows.frames_per_row) != (width, frames):
            self._rows = self._rows.resized(width, frames)

    def took(self) -> None:
        rows = self._rows
        if rows is None or self._info is None:
            return
        if rows.end != self._painted:
            self.redraw()
        rate_hz = self._info.sample_rate_hz or 1.0
        if self._looks < len(_LOOKS_S) and (rows.end - rows.first) * rows.frames_per_row / rate_hz >= min(
            _LOOKS_S[self._looks], 0.9 * self.span_s
        ):
            self._looks += 1
            self._find_levels()

    def _maps(self, start: int, stop: int) -> Floats:
        """(columns of pixels, channels, bins)"""
        assert self._rows is not None
        return self._rows.rows(start, stop).reshape(stop - start, self._channels, self._bins)

    def _find_levels(self) -> None:
        if self._rows is None:
            return
        maps = self._maps(self._rows.first, self._rows.end)
        known = maps[~np.isnan(maps).any(axis=(1, 2))]
        if not len(known):
            return
        greatest = np.percentile(known.transpose(1, 0, 2).reshape(self._channels, -1), 99.7, axis=1)
        self._greatest = np.where(greatest > 0, greatest, 1.0).astype(np.float32)
        self._painted = -1
        self.refresh()

    def levels(self, channel: int) -> tuple[float, float]:
        """Of the darkest and the brightest colour in a channel's map."""
        if self.level_range is not None:
            return self.level_range
        return 0.0, float(self._greatest.max() if self.alike else self._greatest[channel])

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        return 60, HEADER_PX, 20, 30

    def arrange(self) -> None:
        self._cells, self._rings = [], []
        if self._info is None or not self.plot.width:
            return
        columns = min(self._channels, self.columns or grid_columns(self._channels, *self.plot.size))
        rows = math.ceil(self._channels / columns)
        width = (self.plot.width - _CELL_GAP * (columns - 1)) // columns
        height = (self.plot.height - _CELL_GAP * (rows - 1)) // rows
        if width < 8 or height < 8:
            return
        self._columns = columns
        for number in range(self._channels):
            row, column = divmod(number, columns)
            x, y = self.plot.left + column * (width + _CELL_GAP), self.plot.top + row * (height + _CELL_GAP)
            self._cells.append(self.pygame.Rect(x, y, width, height))
        self._fit_rows()

    def draw_ground(self, ground: pygame.Surface) -> None:
        info = self._info
        self._noted_lost = self.lost
        notes = [(f"{spaced(self.lost)} rows lost", WARNING)] if self.lost else []
        if info is not None and (self.alike or self.level_range is not None):
            low, high = self.levels(0)
            units = info.units
            notes.append((f"{quantity(low, units, 3)} to {quantity(high, units, 3)}", DIM))
        notes.append((duration(self.span_s), TEXT))
        self.draw_header(ground, self.title or (info.name if info is not None else "") or "Time and frequency", notes)
        self._draw_colours(ground)
        if info is None:
            self.draw_frame(ground)
            return
        f0 = self._axis.start - 0.5 * self._axis.step
        f1 = self._axis.start + (self._bins - 0.5) * self._axis.step
        for number, cell in enumerate(self._cells):
            self.draw_frame(ground, cell)
            y = Scale(f0, f1, cell.bottom, cell.top)
            if number % self._columns == 0:
                axis = tick_axis(f0, f1, fitting_ticks(cell.height, 34), self._axis.units)
                self.draw_y(ground, axis, y, plot=cell, lines=False)
            if number + self._columns >= self._channels:
                x = Scale(-self.span_s, 0.0, cell.left, cell.right - 1)
                axis = tick_axis(x.low, x.high, fitting_ticks(cell.width, 70), "s")
                if number + 1 < self._channels:  # the units stand at the end of the row
                    axis = replace(axis, ticks=axis.ticks[:-1], labels=axis.labels[:-1], units="")
                self.draw_x(ground, axis, x, plot=cell)

    def _draw_colours(self, ground: pygame.Surface) -> None:
        """In the header: which colour is little, which is much."""
        colours = colormap(self.colours, 72).tolist()
        x, y = self.size[0] // 2 - 36, HEADER_PX // 2 - 2
        for place, colour in enumerate(colours):
            self.pygame.draw.line(ground, colour, (x + place, y), (x + place, y + 8))
        self.pygame.draw.rect(ground, LINE, (x - 1, y - 1, 74, 11), 1)
        self.text(ground, "weak", x - 10, y + 4, size=12, across=1.0)
        self.text(ground, "strong", x + 82, y + 4, size=12)

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        rows = self._rows
        if rows is None or not self._cells:
            text = "too small for so many channels" if self._info is not None else "waiting for maps"
            self.draw_waiting(surface, text)
            return
        if not self._rings:
            self._rings = [self.pygame.Surface(cell.size, 0, 32) for cell in self._cells]
            self._painted, self._palette = -1, None
        if self._palette is None:
            self._palette = palette(self._rings[0], self.colours)
        self._paint(rows)
        assert self._info is not None
        names = self._info.channel_names or tuple(f"ch {n}" for n in range(self._channels))
        width, height = self._cells[0].size
        start = rows.end % width
        for cell, ring, name in zip(self._cells, self._rings, names, strict=True):
            surface.blit(ring, cell, (start, 0, width - start, height))
            if start:
                surface.blit(ring, (cell.left + width - start, cell.top), (0, 0, start, height))
            if self._channels > 1:
                needs = self.text_width(name, bold=True)
                veil = self.pygame.Surface((needs + 14, 22), self.pygame.SRCALPHA)
                veil.fill((*PLOT, 150))
                surface.blit(veil, (cell.left + 6, cell.top + 6))
                self.text(surface, name, cell.left + 13, cell.top + 17, bold=True, colour=TEXT)
        if self.lost != self._noted_lost:
            self.refresh()

    def _paint(self, rows: SteadyRows) -> None:
        """Columns that are not in the pictures yet, and the newest, which may have changed."""
        assert self._palette is not None
        width, height = self._cells[0].size
        first = rows.end - width
        if self._painted >= 0:
            first = max(first, self._painted - 1)
        maps = self._maps(first, rows.end)
        # From the top down; between the middles of two bins it goes straight from one to the other.
        place = np.clip((height - 0.5 - np.arange(height)) / height * self._bins - 0.5, 0, self._bins - 1)
        below = np.minimum(place.astype(np.int64), max(0, self._bins - 2))
        part = (place - below).astype(np.float32)
        above = np.minimum(below + 1, self._bins - 1)
        columns = np.arange(first, rows.end) % width
        unseen = max(0, rows.first - first)
        for number, ring in enumerate(self._rings):
            values = maps[:, number, below] * (1 - part) + maps[:, number, above] * part
            pixels = self._palette[colour_index(values, *self.levels(number))]
            pixels[:unseen] = ring.map_rgb(PLOT)
            into = self.pygame.surfarray.pixels2d(ring)
            into[columns] = pixels
            del into  # it locks the surface
        self._painted = rows.end

    # -- its user

    def wheel_turned(self, notches: int) -> None:
        if self.held("shift"):
            self._change_span(1.3**-notches)
        elif self.level_range is not None:
            low, high = self.level_range
            self.level_range = low, low + (high - low) * 1.2**-notches
        else:
            self._greatest = self._greatest * np.float32(1.2**-notches)
            self._painted = -1
            self.refresh()

    def dragged(self, dx: int, dy: int) -> None:
        if abs(dx) >= abs(dy):
            self._change_span(max(0.1, 1 + dx / 100))

    def double_clicked(self, x: int, y: int) -> None:
        self.fit_levels()

    def fit_levels(self) -> None:
        """Colours for what is seen now."""
        self.level_range = None
        self._find_levels()

    def next_colours(self) -> None:
        """The next map."""
        self.colours = COLORMAPS[(COLORMAPS.index(self.colours) + 1) % len(COLORMAPS)]

    def toggle_alike(self) -> None:
        """One scale for all channels, or each its own."""
        self.alike = not self.alike

    def _change_span(self, factor: float) -> None:
        self.span_s = min(max(self.span_s * factor, 0.05), 3600.0)

    def longer(self) -> None:
        """More time in the window."""
        self._change_span(1.3)

    def shorter(self) -> None:
        """Less time in the window."""
        self._change_span(1 / 1.3)
