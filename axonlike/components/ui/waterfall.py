"""A waterfall: spectra as rows of colours, the newest at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.ui.axes import Scale, duration, fitting_ticks, tick_axis, zoomed
from axonlike.components.ui.colormaps import COLORMAPS, colormap, colour_index
from axonlike.components.ui.instrument import PLOT, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, amount, one_of, span
from axonlike.components.ui.spectra import as_db, greatest_of_bins
from axonlike.components.ui.steady import SteadyRows
from axonlike.components.ui.theme import LINE, TEXT, WARNING
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis, Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["COLOUR_BAR_PX", "MISSED", "Waterfall", "palette"]

Floats = npt.NDArray[np.float32]

MISSED = (52, 44, 30)
"""Where nothing was received."""
COLOUR_BAR_PX = 78
"""The margin at the right, where the bar of colours stands."""
_LOOKS_S = (0.0, 0.3, 1.5, 5.0)
_KEPT_BYTES = 64_000_000
_FEWEST_ROWS = 16


def palette(surface: pygame.Surface, name: str) -> npt.NDArray[np.uint32]:
    """The map's 255 colours as pixels of this surface, and MISSED as the last: what `colour_index` counts."""
    colours = [*colormap(name, 255).tolist(), MISSED]
    return np.array([surface.map_rgb(colour) for colour in colours], np.uint32)


class Waterfall(Instrument):
    """Shows the spectra of one stream over time; each row of pixels stands for the same time.

    producers: a component whose stream it takes (one; make a waterfall for each).

    span_s: from the top to the bottom. Its speed follows from that alone, whatever the transform's size: of frames that
    fall into one row the greatest level of each bin is shown (detector "max"), or their mean power ("mean"). A stream
    without a rate (sweeps) has a row for each frame. level_range: the levels of the darkest and the brightest colour;
    None: what fits the first seconds (key A: again). frequency_range: None for all. colours: the name of a map
    ("viridis", "inferno", "magma", "cividis", "grey"). Paused, it stands still; what came meanwhile is a dark gap, as
    are frames that were lost.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("spectra", Chunk, limit=512, policy="drop_oldest", stream=StreamType(kind="spectrum")),
    }
    settings = ("paused", "span_s", "level_range", "frequency_range", "colours", "detector")
    MOUSE = (
        ("Wheel", "zoom in frequency at the pointer"),
        ("Ctrl + wheel", "contrast"),
        ("Shift + wheel", "time span"),
        ("Drag ↔", "move in frequency"),
        ("Drag ↕", "brightness"),
        ("Double click", "all frequencies, colours that fit"),
    )
    KEYS = (
        Key("a", "colours that fit", "fit_levels"),
        Key("m", "next colour map", "next_colours"),
        Key("t", "detector: max or mean", "next_detector"),
        Key("up", "faster", "faster"),
        Key("down", "slower", "slower"),
        Key("r", "all frequencies", "all_frequencies"),
    )

    span_s: Setting[float] = Setting(amount(0.05, 86400.0, "s"), "Seconds from the top to the bottom.")
    level_range: Setting[tuple[float, float] | None] = Setting(span, "Of the colours, in dB; None: what fits.")
    frequency_range: Setting[tuple[float, float] | None] = Setting(span, "(low, high); None: all.")
    colours: Setting[str] = Setting(one_of(*COLORMAPS), "The name of a colour map.")
    detector: Setting[str] = Setting(one_of("max", "mean"), "max or mean")

    def __init__(
        self,
        *producers: Component,
        span_s: float = 10.0,
        level_range: tuple[float, float] | None = None,
        frequency_range: tuple[float, float] | None = None,
        colours: str = "viridis",
        detector: str = "max",
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self._info: StreamInfo | None = None
        self._continuity = Continuity()
        self._rows: SteadyRows | None = None
        self._levels = (-120.0, -20.0)
        self._looks = 0
        self._began = 0
        self._ring: pygame.Surface | None = None
        self._palette: npt.NDArray[np.uint32] | None = None
        self._painted = -1
        self.span_s = span_s
        self.level_range = level_range
        self.frequency_range = frequency_range
        self.colours = colours
        self.detector = detector
        self.be_ready()

    def apply(self, name: str) -> None:
        if name in ("span_s", "detector"):
            self._fit_rows()
        elif name != "paused":
            self._painted = -1
        if name == "colours":
            self._palette = None

    # -- the spectra

    def take(self, box: str, chunk: Chunk) -> None:
        info = chunk.info
        if info is not self._info and info != self._info:
            self._begin(info)
        missing = self._continuity.missing(chunk)
        self.lost += max(0, missing)
        if missing < 0:
            self._began = chunk.index
        rows = self._rows
        if rows is None:
            return
        frames = np.asarray(chunk.data.reshape(len(chunk.data), -1), np.float32)
        if self.detector == "mean":
            rows.add(_power(frames) if self._in_db else frames, chunk.index)
        else:
            rows.add(frames if self._in_db else as_db(frames), chunk.index)

    def _begin(self, info: StreamInfo) -> None:
        old = self._info
        if old is not None and info.name != old.name:
            raise UsageError(
                f"{self.path}: it shows one stream, and had {old.name!r} before {info.name!r} came; make one for each"
            )
        self._info = info
        self._in_db = info.units.startswith("dB")
        self._axis = info.axis or Axis("bin", "", 0.0, 1.0)
        self._bins = info.shape[-1] if info.shape else 1
        if old is None or old.shape != info.shape or old.sample_rate_hz != info.sample_rate_hz or old.axis != info.axis:
            self._continuity = Continuity()
            self._rows = None
            self._looks = 0
            if old is not None and old.axis != info.axis:
                self.frequency_range = None
            self._fit_rows()
        self.refresh()

    @property
    def _step_s(self) -> float:
        """How long a row of pixels is."""
        return self.span_s / max(1, self.plot.height)

    def _fit_rows(self) -> None:
        """As many rows as the plot is high, of the right duration."""
        self._painted = -1
        if self._info is None:
            return
        rate_hz = self._info.sample_rate_hz
        height = max(_FEWEST_ROWS, min(self.plot.height or 512, _KEPT_BYTES // (4 * self._bins)))
        frames = self.span_s / height * rate_hz if rate_hz else 1.0
        wanted = "mean" if self.detector == "mean" else "max"
        if self._rows is None or self._rows.reduce != wanted:
            self._rows = SteadyRows(height, self._bins, frames, reduce=wanted)  # type: ignore[arg-type]
        elif (self._rows.height, self._rows.frames_per_row) != (height, frames):
            self._rows = self._rows.resized(height, frames)

    def took(self) -> None:
        rows = self._rows
        if rows is None or self._info is None:
            return
        if rows.end != self._painted:
            self.redraw()
        if self._looks < len(_LOOKS_S):
            rate_hz = self._info.sample_rate_hz or 1.0
            if (rows.end - rows.first) * rows.frames_per_row / rate_hz >= _LOOKS_S[self._looks]:
                self._looks += 1
                self._find_levels()

    def _seen(self, start: int, stop: int) -> Floats:
        assert self._rows is not None
        rows = self._rows.rows(start, stop)
        return as_db(rows) if self.detector == "mean" else rows

    def _find_levels(self) -> None:
        if self._rows is None:
            return
        levels = self._seen(max(self._rows.first, self._rows.end - 200), self._rows.end)
        levels = levels[np.isfinite(levels)]
        if not levels.size:
            return
        low, high = np.percentile(levels, (25, 99.8))
        low, high = 5 * np.floor((low - 3) / 5), 5 * np.ceil((high + 1) / 5)
        if (low, high) != self._levels:
            self._levels = float(low), float(max(high, low + 20))
            self._painted = -1
            self.refresh()

    @property
    def levels(self) -> tuple[float, float]:
        """Of the darkest and the brightest colour."""
        return self.level_range or self._levels

    @property
    def _whole(self) -> tuple[float, float]:
        ends = self._axis.start - 0.5 * self._axis.step, self._axis.start + (self._bins - 0.5) * self._axis.step
        return min(ends), max(ends)

    @property
    def frequencies(self) -> tuple[float, float]:
        """The range of the frequency axis."""
        if self.frequency_range is not None:
            return self.frequency_range
        return self._whole if self._info is not None else (0.0, 1.0)

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        left, top, _right, bottom = super().margins()
        return left, top, COLOUR_BAR_PX, bottom

    def arrange(self) -> None:
        self._ring = None
        self._fit_rows()

    def draw_ground(self, ground: pygame.Surface) -> None:
        plot, info = self.plot, self._info
        self.draw_frame(ground)
        notes = [(f"{spaced(self.lost)} frames lost", WARNING)] if self.lost else []
        self._noted_lost = self.lost
        timed = info is None or bool(info.sample_rate_hz)
        notes.append((duration(self.span_s) if timed else f"{plot.height} frames", TEXT))
        self.draw_header(ground, self.title or (info.name if info is not None else "") or "Waterfall", notes)
        span_y = self.span_s if timed else float(plot.height)
        y = Scale(0.0, -span_y, plot.top, plot.bottom)
        self.draw_y(ground, tick_axis(-span_y, 0.0, fitting_ticks(plot.height, 48), "s" if timed else "frames"), y)
        if info is None:
            return
        x = Scale(*self.frequencies, plot.left, plot.right)
        self.draw_x(ground, tick_axis(x.low, x.high, fitting_ticks(plot.width, 96), self._axis.units), x)
        self._draw_colours(ground)

    def _draw_colours(self, ground: pygame.Surface) -> None:
        """The bar that says which colour is which level."""
        plot, pygame = self.plot, self.pygame
        assert self._info is not None
        bar = pygame.Rect(plot.right + 14, plot.top, 12, plot.height)
        colours = colormap(self.colours, plot.height)[::-1]
        for row, colour in enumerate(colours.tolist()):
            pygame.draw.line(ground, colour, (bar.left, bar.top + row), (bar.right - 1, bar.top + row))
        pygame.draw.rect(ground, LINE, bar, 1)
        low, high = self.levels
        units = self._info.units if self._in_db else "dB"
        axis = tick_axis(low, high, fitting_ticks(plot.height, 44), units)
        scale = Scale(low, high, bar.bottom - 1, bar.top)
        for tick, label in zip(axis.ticks, axis.labels, strict=True):
            y = scale.pixel(tick)
            if y < bar.top + 20:
                continue
            self.text(ground, label, bar.right + 6, min(y, bar.bottom - 7))
        self.text(ground, units, bar.right + 6, bar.top + 7)

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        rows = self._rows
        if rows is None:
            self.draw_waiting(surface)
            return
        width, height = self.plot.size
        ring = self._ring
        if ring is None:
            ring = self._ring = self.pygame.Surface((width, height), 0, 32)
            self._painted = -1
            self._palette = None
        if self._palette is None:
            self._palette = palette(ring, self.colours)
        self._paint(ring, rows)
        # Row r stands at y = -r modulo height: what is older lies below.
        start = -(rows.end - 1) % height
        surface.blit(ring, self.plot, (0, start, width, height - start))
        if start:
            surface.blit(ring, (self.plot.left, self.plot.top + height - start), (0, 0, width, start))
        if self.lost != self._noted_lost:
            self.refresh()

    def _paint(self, ring: pygame.Surface, rows: SteadyRows) -> None:
        """Rows that are not in the picture yet, and the newest, which may have changed."""
        assert self._palette is not None
        width, height = self.plot.size
        first = rows.end - height
        if self._painted >= 0:
            first = max(first, self._painted - 1)
        f0, f1 = self.frequencies
        ends = (f0 - self._axis.start) / self._axis.step, (f1 - self._axis.start) / self._axis.step
        levels = greatest_of_bins(self._seen(first, rows.end), ends[0], ends[1], width)
        pixels = self._palette[colour_index(levels, *self.levels)]
        pixels[: max(0, rows.first - first)] = ring.map_rgb(PLOT)
        places = -np.arange(first, rows.end) % height
        into = self.pygame.surfarray.pixels2d(ring)
        into[:, places] = pixels.T
        del into  # it locks the surface
        self._painted = rows.end

    # -- its user

    def wheel_turned(self, notches: int) -> None:
        low, high = self.levels
        if self.held("shift"):
            self._change_span(1.3**-notches)
        elif self.held("ctrl"):
            middle, half = (low + high) / 2, min(max((high - low) / 2 * 1.2**-notches, 1.0), 200.0)
            self.level_range = middle - half, middle + half
        elif self._info is not None:
            scale = Scale(*self.frequencies, self.plot.left, self.plot.right)
            at = scale.value(min(max(self.pointer_place()[0], self.plot.left), self.plot.right))
            self._zoom(factor=1.25**-notches, at=at)

    def _zoom(self, **change: float) -> None:
        self.frequency_range = zoomed(self.frequencies, self._whole, 4 * abs(self._axis.step), **change)

    def dragged(self, dx: int, dy: int) -> None:
        if self._info is None:
            return
        if abs(dx) >= abs(dy):
            if self.frequency_range is not None:
                scale = Scale(*self.frequencies, 0, self.plot.width)
                self._zoom(moved=scale.value(0) - scale.value(dx))
        else:
            low, high = self.levels
            moved = dy / self.plot.height * (high - low)
            self.level_range = low + moved, high + moved

    def double_clicked(self, x: int, y: int) -> None:
        self.all_frequencies()
        self.fit_levels()

    def fit_levels(self) -> None:
        """Colours for what is seen now."""
        self.level_range = None
        self._find_levels()
        self.refresh()

    def all_frequencies(self) -> None:
        """Zoom out."""
        self.frequency_range = None

    def next_colours(self) -> None:
        """The next map."""
        self.colours = COLORMAPS[(COLORMAPS.index(self.colours) + 1) % len(COLORMAPS)]

    def next_detector(self) -> None:
        """Max or mean."""
        self.detector = "mean" if self.detector == "max" else "max"

    def _change_span(self, factor: float) -> None:
        self.span_s = min(max(self.span_s * factor, 0.05), 86400.0)

    def faster(self) -> None:
        """Less time in the window."""
        self._change_span(1 / 1.3)

    def slower(self) -> None:
        """More time in the window."""
        self._change_span(1.3)


def _power(levels_db: Floats) -> Floats:
    power: Floats = np.power(np.float32(10), levels_db / np.float32(10)).astype(np.float32)
    return power
