"""A spectrum analyser's screen: level over frequency, one trace for each source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.measures import channel_power_db, marker, occupied_bandwidth, peaks
from axonlike.components.ui.axes import Axis, Scale, brief, fitting_ticks, quantity, tick_axis, zoomed
from axonlike.components.ui.instrument import TRACES, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, count, flag, one_of, span
from axonlike.components.ui.spectra import (
    DETECTORS,
    SpectrumTraces,
    as_db,
    columns_of_bins,
    round_levels,
)  # fmt: skip
from axonlike.components.ui.theme import DIM, LINE, RAISED, TEXT, WARNING
from axonlike.components.ui.traces import coverage, linked_spans
from axonlike.components.ui.waterfall import COLOUR_BAR_PX, Waterfall
from axonlike.linkage import Box
from axonlike.streams.chunk import Axis as StreamAxis
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["SpectrumView"]

Floats = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

_PEAK: Colour = (255, 220, 120)
_MINIMUM: Colour = (120, 140, 175)
_AVERAGE: Colour = (240, 240, 245)
_LOOKS_S = (0.0, 0.3, 1.5)
_FRACTION = 0.99


class _Source:
    """One stream, and its traces."""

    def __init__(self, info: StreamInfo, detector: str, averages: int) -> None:
        self.info = info
        self.continuity = Continuity()
        self.bins = info.shape[-1] if info.shape else 1
        axis = info.axis or StreamAxis("bin", "", 0.0, 1.0)
        self.falls = axis.step < 0  # then it is turned round
        if self.falls:
            axis = StreamAxis(axis.name, axis.units, axis.start + (self.bins - 1) * axis.step, -axis.step)
        self.axis = axis
        self.in_db = info.units.startswith("dB")
        self.traces = SpectrumTraces(self.bins, detector=detector, averages=averages)  # type: ignore[arg-type]
        self.enbw_bins = float(info.facts.get("enbw_bins", 1.0))

    @property
    def units(self) -> str:
        return self.info.units if self.in_db else "dBFS" if self.info.units.startswith("FS") else "dB"

    def take(self, chunk: Chunk) -> int:
        missing = max(0, self.continuity.missing(chunk))
        frames = chunk.data.reshape(len(chunk.data), -1)
        if self.falls:
            frames = frames[:, ::-1]
        self.traces.add(np.asarray(frames, np.float32) if self.in_db else as_db(frames))
        return missing

    def bin_of(self, frequency: float) -> float:
        return (frequency - self.axis.start) / self.axis.step

    def frequency_of(self, bin_: float) -> float:
        return self.axis.start + bin_ * self.axis.step

    @property
    def reach(self) -> tuple[float, float]:
        """From the lower edge of the first bin to the upper edge of the last."""
        return self.frequency_of(-0.5), self.frequency_of(self.bins - 0.5)


class SpectrumView(Instrument):
    """Shows spectra, in dBm or whatever decibels they are in; linear power (units "FS^2") is shown as dBFS.

    producers: components whose streams it takes; several are told apart by their names, each has a trace.

    Each frame goes into each trace, however many come between two pictures. detector: what the live trace shows of
    those: their mean (of power, not of dB), their max, or the newest alone. peak_hold, minimum_hold: since the last
    clear (key C). average: the mean power of the last `averages` frames. level_range, frequency_range: (low, high), or
    None for what fits. marker: a frequency, or None; it snaps to a peak near it and stays there. delta: a second one,
    shown as a difference to it. channel: (low, high) in Hz, whose power and occupied bandwidth (99 %) are shown.

    `readout` is what it shows in numbers, as a dict.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("spectra", Chunk, limit=512, policy="drop_oldest", stream=StreamType(kind="spectrum")),
    }
    settings = (
        "paused", "level_range", "frequency_range", "detector", "peak_hold", "minimum_hold", "average", "averages",
        "marker", "delta", "channel",
    )  # fmt: skip
    MOUSE = (
        ("Wheel", "zoom in frequency at the pointer"),
        ("Ctrl + wheel", "dB for a division"),
        ("Shift + wheel", "level up and down"),
        ("Drag", "move the axes"),
        ("Shift + drag", "choose the channel to be measured"),
        ("Click", "put the marker on the nearest peak"),
        ("Double click", "all frequencies, levels that fit"),
    )
    KEYS = (
        Key("p", "peak hold", "toggle_peak_hold"),
        Key("l", "minimum hold", "toggle_minimum_hold"),
        Key("v", "average", "toggle_average"),
        Key("t", "detector: mean, max, newest", "next_detector"),
        Key("c", "clear holds and average", "clear"),
        Key("m", "marker to the highest peak", "marker_to_peak"),
        Key("n", "marker to the next lower peak", "marker_to_next_peak"),
        Key("d", "delta marker: here, or off", "toggle_delta"),
        Key("left", "marker one bin down", "marker_down"),
        Key("right", "marker one bin up", "marker_up"),
        Key("b", "measure what is seen, or nothing", "toggle_channel"),
        Key("a", "levels that fit", "fit_levels"),
        Key("r", "all frequencies", "all_frequencies"),
    )

    PICTURES_PER_S = 30.0  # traces as high as the plot take some milliseconds each

    level_range: Setting[tuple[float, float] | None] = Setting(span, "(low, high) in dB; None: what fits.")
    frequency_range: Setting[tuple[float, float] | None] = Setting(span, "(low, high); None: all.")
    detector: Setting[str] = Setting(one_of(*DETECTORS), "mean, max or newest")
    peak_hold: Setting[bool] = Setting(flag, "Show the greatest since the last clear.")
    minimum_hold: Setting[bool] = Setting(flag, "Show the least since the last clear.")
    average: Setting[bool] = Setting(flag, "Show the mean of the last frames.")
    averages: Setting[int] = Setting(count(1, 1_000_000), "How many frames that are.")
    marker: Setting[float | None] = Setting(lambda value: None if value is None else float(value), "A frequency.")
    delta: Setting[float | None] = Setting(lambda value: None if value is None else float(value), "A frequency.")
    channel: Setting[tuple[float, float] | None] = Setting(span, "(low, high) in Hz, to be measured.")

    def __init__(
        self,
        *producers: Component,
        level_range: tuple[float, float] | None = None,
        frequency_range: tuple[float, float] | None = None,
        detector: str = "mean",
        peak_hold: bool = False,
        minimum_hold: bool = False,
        average: bool = False,
        averages: int = 100,
        marker: float | None = None,
        delta: float | None = None,
        channel: tuple[float, float] | None = None,
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self._sources: dict[str, _Source] = {}
        self._levels = (-120.0, 0.0)
        self._looks = 0
        self._began_s: float | None = None
        self._fills: dict[Colour, pygame.Surface] = {}
        self._noted_lost = 0
        self._choosing: float | None = None
        self.level_range = level_range
        self.frequency_range = frequency_range
        self.detector = detector
        self.peak_hold = peak_hold
        self.minimum_hold = minimum_hold
        self.average = average
        self.averages = averages
        self.marker = marker
        self.delta = delta
        self.channel = channel
        self.be_ready()

    def apply(self, name: str) -> None:
        for source in self._sources.values():
            source.traces.detector = self.detector  # type: ignore[assignment]
            source.traces.averages = self.averages

    # -- the spectra

    def take(self, box: str, chunk: Chunk) -> None:
        info = chunk.info
        source = self._sources.get(info.name)
        if source is None or (source.info is not info and source.info != info):
            old = source
            source = self._sources[info.name] = _Source(info, self.detector, self.averages)
            if old is not None and self.frequency_range is not None and old.reach != source.reach:
                self.frequency_range = None  # it was tuned away from what was looked at
            if old is None or old.units != source.units:
                self._looks, self._began_s = 0, None
            self.refresh()
        self.lost += source.take(chunk)

    def took(self) -> None:
        self.redraw_in_time()
        scheduler = self.scheduler
        assert scheduler is not None
        if self._began_s is None:
            self._began_s = scheduler.time()
        if self._looks < len(_LOOKS_S) and scheduler.time() - self._began_s >= _LOOKS_S[self._looks]:
            self._looks += 1
            self._find_levels()

    def _find_levels(self) -> None:
        ranges = []
        for source in self._sources.values():
            low, high = source.traces.look(), source.traces.peak
            ranges.append(round_levels(np.concatenate([low, high])))
        if ranges:
            self._levels = min(low for low, _ in ranges), max(high for _, high in ranges)
            self._static = None

    @property
    def levels(self) -> tuple[float, float]:
        """The range of the level axis."""
        return self.level_range or self._levels

    @property
    def frequencies(self) -> tuple[float, float]:
        """The range of the frequency axis."""
        if self.frequency_range is not None:
            return self.frequency_range
        reaches = [source.reach for source in self._sources.values()]
        return (min(r[0] for r in reaches), max(r[1] for r in reaches)) if reaches else (0.0, 1.0)

    @property
    def _first(self) -> _Source | None:
        """The source that is measured."""
        low, high = self.frequencies
        for source in self._sources.values():
            if source.reach[1] > low and source.reach[0] < high:
                return source
        return None

    def _measured(self, source: _Source) -> Floats:
        """The trace that markers and measures read: the calmest that is seen."""
        return source.traces.average if self.average else source.traces.look()

    def _level_at(self, frequency: float) -> tuple[float, float] | None:
        """The bin's own frequency, and its level."""
        for source in self._sources.values():
            if source.reach[0] <= frequency < source.reach[1]:
                found = marker(self._measured(source), source.axis, frequency)
                return found.frequency_hz, found.level_db
        return None

    @property
    def readout(self) -> dict[str, float]:
        """What is shown in numbers: marker_hz, marker_db, delta_hz, delta_db, power_db, occupied_hz and its ends."""
        found: dict[str, float] = {}
        at = self._level_at(self.marker) if self.marker is not None else None
        if at is not None:
            found["marker_hz"], found["marker_db"] = at
            other = self._level_at(self.delta) if self.delta is not None else None
            if other is not None:
                found["delta_hz"], found["delta_db"] = other[0] - at[0], other[1] - at[1]
        source = self._first
        if self.channel is not None and source is not None:
            levels, (low, high) = self._measured(source), self.channel
            found["power_db"] = channel_power_db(levels, source.axis, low, high, enbw_bins=source.enbw_bins)
            middles = source.axis.values(source.bins)
            band = occupied_bandwidth(
                np.where((middles >= low) & (middles <= high), levels, np.nan), source.axis, fraction=_FRACTION
            )
            if band is not None:
                found["occupied_hz"] = band.width_hz
                found["occupied_low_hz"], found["occupied_high_hz"] = band.low_hz, band.high_hz
        return found

    def numbers(self) -> tuple[list[str], npt.NDArray[Any]] | None:
        columns, values = [], []
        for source in self._sources.values():
            name = source.info.name or "stream"
            columns.append(f"{name} frequency [{source.axis.units}]")
            values.append(source.axis.values(source.bins))
            traces = [("level", source.traces.look())]
            traces += [("peak", source.traces.peak)] if self.peak_hold else []
            traces += [("minimum", source.traces.minimum)] if self.minimum_hold else []
            traces += [("average", source.traces.average)] if self.average else []
            for what, trace in traces:
                columns.append(f"{name} {what} [{source.units}]")
                values.append(trace.astype(np.float64))
        if not values:
            return None
        table = np.full((max(map(len, values)), len(values)), np.nan)
        for column, numbers in enumerate(values):
            table[: len(numbers), column] = numbers
        return columns, table

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        left, top, right, bottom = super().margins()
        others = self._display.widgets if self._display is not None else ()
        # Above a waterfall the two frequency axes stand in line.
        return left, top, COLOUR_BAR_PX if any(isinstance(widget, Waterfall) for widget in others) else right, bottom

    def arrange(self) -> None:
        self._fills.clear()

    def _scales(self) -> tuple[Scale, Scale]:
        (f0, f1), (l0, l1) = self.frequencies, self.levels
        plot = self.plot
        return Scale(f0, f1, plot.left, plot.right), Scale(l0, l1, plot.bottom, plot.top)

    @property
    def _units(self) -> tuple[str, str]:
        """Of frequencies and of levels."""
        source = next(iter(self._sources.values()), None)
        return ("Hz", "dB") if source is None else (source.axis.units, source.units)

    def draw_ground(self, ground: pygame.Surface) -> None:
        plot = self.plot
        self.draw_frame(ground)
        self._noted_lost = self.lost
        if not self._sources:
            self.draw_header(ground, self.title or "Spectrum")
            return
        x, y = self._scales()
        x_units, y_units = self._units
        self.draw_y(ground, tick_axis(y.low, y.high, fitting_ticks(plot.height, 38), y_units), y)
        self.draw_x(ground, _frequency_axis(x, plot.width, x_units), x)
        notes = [(f"{spaced(self.lost)} frames lost", WARNING)] if self.lost else []
        several = len(self._sources) > 1
        for place, (name, source) in enumerate(self._sources.items()):
            if several:
                notes.append((name or f"source {place + 1}", TRACES[place % len(TRACES)]))
            elif source.axis.step and x_units:
                notes.append((f"RBW {brief(float(f'{abs(source.axis.step) * source.enbw_bins:.3g}'), x_units)}", DIM))
        if self.detector != "mean":
            notes.append((f"{self.detector} detector", DIM))
        if self.average:
            notes.append((f"average of {spaced(self.averages)}", _AVERAGE))
        if self.minimum_hold:
            notes.append(("minimum hold", _MINIMUM))
        if self.peak_hold:
            notes.append(("peak hold", _PEAK))
        self.draw_header(ground, self.title or (next(iter(self._sources)) if not several else "") or "Spectrum", notes)

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        if not self._sources:
            self.draw_waiting(surface)
            return
        if self.lost != self._noted_lost:
            self.refresh()
        x, y = self._scales()
        plot = surface.subsurface(self.plot)
        self._draw_channel(plot, x)
        for place, source in enumerate(self._sources.values()):
            colour = TRACES[place % len(TRACES)]
            live = source.traces.look()
            if self.minimum_hold:
                self._draw_trace(plot, source, source.traces.minimum, _MINIMUM, 1.2)
            if self.peak_hold:
                self._draw_trace(plot, source, source.traces.peak, _PEAK if len(self._sources) == 1 else colour, 1.2)
            behind = self.average
            self._draw_trace(plot, source, live, colour, 1.5, filled=place == 0, faint=behind)
            if self.average:
                self._draw_trace(plot, source, source.traces.average, _AVERAGE, 1.6)
        self._draw_markers(surface, x, y)

    def _draw_trace(
        self, plot: pygame.Surface, source: _Source, levels: Floats, colour: Colour, width_px: float, *,
        filled: bool = False, faint: bool = False,
    ) -> None:  # fmt: skip
        pygame = self.pygame
        size = plot.get_size()
        levels = np.where(np.isfinite(levels), levels, np.float32(np.nan))
        (f0, f1), (l0, l1) = self.frequencies, self.levels
        low, high = columns_of_bins(levels, source.bin_of(f0), source.bin_of(f1), 2 * size[0])
        if np.isnan(low).all():
            return
        scale = Scale(l0, l1, size[1], 0)
        a, b = linked_spans(low[:, np.newaxis], high[:, np.newaxis])
        top = np.clip(scale.pixel(b[:, 0]), -50, size[1] + 50)
        bottom = np.clip(scale.pixel(a[:, 0]), -50, size[1] + 50)
        if filled:
            self._draw_fill(plot, top, colour)
        first = max(0, int(np.nanmin(top)) - 2)
        rows = min(size[1], int(np.nanmax(bottom)) + 3) - first
        if rows <= 0:
            return
        trace = pygame.Surface((size[0], rows), pygame.SRCALPHA)
        trace.fill(colour)
        alpha = pygame.surfarray.pixels_alpha(trace)
        covered = coverage(top - first, bottom - first, rows, width_px)
        alpha[...] = covered // 3 if faint else covered
        del alpha  # it locks the surface
        plot.blit(trace, (0, first))

    def _draw_fill(self, plot: pygame.Surface, top: Floats, colour: Colour) -> None:
        """Below the trace a shade of its colour, which fades downwards."""
        pygame = self.pygame
        width, height = plot.get_size()
        fill = self._fills.get(colour)
        if fill is None:
            fill = self._fills[colour] = pygame.Surface((width, height), pygame.SRCALPHA)
            fill.fill(colour)
        edge = np.fmin(top[0::2], top[1::2])
        first = np.nan_to_num(edge, nan=height).astype(np.int16)
        rows = np.arange(height, dtype=np.int16)
        shade = np.linspace(96, 10, height).astype(np.uint8)
        alpha = pygame.surfarray.pixels_alpha(fill)
        np.multiply(rows > first[:, np.newaxis], shade, out=alpha)
        del alpha
        plot.blit(fill, (0, 0))

    def _draw_channel(self, plot: pygame.Surface, x: Scale) -> None:
        if self.channel is None:
            return
        left = round(x.pixel(self.channel[0])) - self.plot.left
        right = round(x.pixel(self.channel[1])) - self.plot.left
        left, right = max(0, left), min(self.plot.width, right)
        if right > left:
            band = self.pygame.Surface((right - left, self.plot.height), self.pygame.SRCALPHA)
            band.fill((255, 255, 255, 16))
            plot.blit(band, (left, 0))
            for edge in (left, right - 1):
                self.pygame.draw.line(plot, (88, 98, 116), (edge, 0), (edge, self.plot.height))

    def _draw_markers(self, surface: pygame.Surface, x: Scale, y: Scale) -> None:
        found = self.readout
        x_units, y_units = self._units
        rows: list[tuple[str, str, str]] = []
        step = min((abs(source.axis.step) for source in self._sources.values()), default=1.0)
        if "marker_hz" in found:
            self._draw_marker(surface, x, y, "1", found["marker_hz"], found["marker_db"])
            rows.append(
                (
                    "M1",
                    quantity(found["marker_hz"], x_units, step=step / 2),
                    quantity(found["marker_db"], y_units, step=0.1),
                )
            )
        if "delta_hz" in found:
            at_hz, at_db = found["marker_hz"] + found["delta_hz"], found["marker_db"] + found["delta_db"]
            self._draw_marker(surface, x, y, "Δ", at_hz, at_db)
            rows.append(
                (
                    "Δ",
                    quantity(found["delta_hz"], x_units, step=step / 2, signed=True),
                    quantity(found["delta_db"], "dB", step=0.1, signed=True),
                )
            )
        if "power_db" in found:
            assert self.channel is not None
            rows.append(
                (
                    "Channel",
                    brief(float(f"{self.channel[1] - self.channel[0]:.6g}"), x_units),
                    quantity(found["power_db"], y_units, step=0.1),
                )
            )
        if "occupied_hz" in found:
            rows.append(("Occupied", quantity(found["occupied_hz"], x_units), f"{100 * _FRACTION:.0f} %"))
            for edge in ("occupied_low_hz", "occupied_high_hz"):
                place = round(x.pixel(found[edge]))
                if self.plot.left <= place < self.plot.right:
                    for down in range(self.plot.top, self.plot.bottom, 8):
                        self.pygame.draw.line(surface, (170, 178, 195), (place, down), (place, down + 3))
        if rows:
            self._draw_readout(surface, rows)

    def _draw_marker(self, surface: pygame.Surface, x: Scale, y: Scale, name: str, hz: float, db: float) -> None:
        px, py = x.pixel(hz), min(max(y.pixel(db), self.plot.top + 32), self.plot.bottom)
        if not self.plot.left <= px <= self.plot.right:
            return
        self.pygame.draw.aalines(surface, TEXT, True, [(px, py - 3), (px - 5, py - 12), (px + 5, py - 12)])
        self.pygame.draw.polygon(surface, TEXT, [(px, py - 3), (px - 5, py - 12), (px + 5, py - 12)])
        surface.blit(self.theme.box((20, 18), RAISED, LINE, radius=6), (round(px) - 10, round(py) - 31))
        self.text(surface, name, px, py - 22, across=0.5, colour=TEXT, bold=True)

    def _draw_readout(self, surface: pygame.Surface, rows: list[tuple[str, str, str]]) -> None:
        widths = [max(self.text_width(row[column], 14) for row in rows) for column in range(3)]
        width, height = sum(widths) + 2 * 18 + 28, 22 * len(rows) + 14
        x0, y0 = self.plot.right - width - 10, self.plot.top + 10 + (32 if self.paused else 0)
        box = self.theme.box((width, height), RAISED, LINE).copy()
        box.set_alpha(225)
        surface.blit(box, (x0, y0))
        for number, row in enumerate(rows):
            y = y0 + 7 + 22 * number + 11
            self.text(surface, row[0], x0 + 14, y, size=14)
            self.text(surface, row[1], x0 + 14 + widths[0] + 18 + widths[1], y, size=14, across=1.0, colour=TEXT)
            self.text(surface, row[2], x0 + width - 14, y, size=14, across=1.0, colour=TEXT)

    # -- its user

    def wheel_turned(self, notches: int) -> None:
        if not self._sources:
            return
        low, high = self.levels
        if self.held("ctrl"):
            middle, half = (low + high) / 2, (high - low) / 2 * 1.3**-notches
            half = min(max(half, 1.0), 200.0)
            self.level_range = middle - half, middle + half
        elif self.held("shift"):
            moved = notches * (high - low) / 20
            self.level_range = low + moved, high + moved
        else:
            at = self._scales()[0].value(min(max(self.pointer_place()[0], self.plot.left), self.plot.right))
            self._zoom(factor=1.25**-notches, at=at)

    def _zoom(self, **change: float) -> None:
        reaches = [source.reach for source in self._sources.values()]
        whole = min(r[0] for r in reaches), max(r[1] for r in reaches)
        least = 4 * min(abs(source.axis.step) for source in self._sources.values())
        self.frequency_range = zoomed(self.frequencies, whole, least, **change)

    def mouse_pressed(self, x: int, y: int) -> None:
        super().mouse_pressed(x, y)
        self._choosing = self._scales()[0].value(x) if self._sources and self.held("shift") else None

    def dragged(self, dx: int, dy: int) -> None:
        if not self._sources:
            return
        x, y = self._scales()
        if self._choosing is not None:
            here = x.value(min(max(self._dragged_to[0], self.plot.left), self.plot.right))
            if here != self._choosing:
                self.channel = min(here, self._choosing), max(here, self._choosing)
            return
        if dx and self.frequency_range is not None:
            self._zoom(moved=x.value(0) - x.value(dx))
        if dy:
            moved = y.value(0) - y.value(dy)
            self.level_range = y.low + moved, y.high + moved

    def clicked(self, x: int, y: int) -> None:
        if not self.plot.collidepoint(x, y) or not self._sources:
            return
        scale = self._scales()[0]
        self.marker = self._nearest_peak(scale.value(x), abs(scale.value(10) - scale.value(0)))

    def double_clicked(self, x: int, y: int) -> None:
        self.all_frequencies()
        self.fit_levels()

    def _nearest_peak(self, frequency: float, within: float) -> float:
        """The highest bin not farther away than `within`."""
        for source in self._sources.values():
            first = max(0, int(np.ceil(source.bin_of(frequency - within))))
            stop = min(source.bins, int(np.floor(source.bin_of(frequency + within))) + 1)
            if stop > first:
                return source.frequency_of(first + int(np.argmax(self._measured(source)[first:stop])))
            if 0 <= round(source.bin_of(frequency)) < source.bins:
                return source.frequency_of(round(source.bin_of(frequency)))
        return frequency

    def _seen_peaks(self) -> list[tuple[float, float]]:
        """Level and frequency of those in the window, the highest first. Those of the average, which is calm."""
        source = self._first
        if source is None or not source.traces.averaged:
            return []
        low, high = self.frequencies
        found = [(one.level_db, one.frequency_hz) for one in peaks(source.traces.average, source.axis)]
        return sorted((one for one in found if low <= one[1] <= high), reverse=True)

    def marker_to_peak(self) -> None:
        """The highest that is seen."""
        found = self._seen_peaks()
        if found:
            self.marker = found[0][1]

    def marker_to_next_peak(self) -> None:
        """The next lower one; after the last, or from elsewhere, the highest."""
        found = [frequency for _, frequency in self._seen_peaks()]
        if found:
            place = found.index(self.marker) + 1 if self.marker in found else 0
            self.marker = found[place % len(found)]

    def marker_up(self) -> None:
        """One bin."""
        self._move_marker(1)

    def marker_down(self) -> None:
        """One bin."""
        self._move_marker(-1)

    def _move_marker(self, bins: int) -> None:
        source = self._first
        if source is None or self.marker is None:
            self.marker_to_peak()
            return
        place = round(source.bin_of(self.marker)) + bins
        self.marker = source.frequency_of(min(max(place, 0), source.bins - 1))

    def toggle_delta(self) -> None:
        """Leave a second marker where the first is now, or take it away."""
        self.delta = self.marker if self.delta is None else None

    def toggle_channel(self) -> None:
        """Measure what is seen, or nothing."""
        self.channel = self.frequencies if self.channel is None and self._sources else None

    def toggle_peak_hold(self) -> None:
        """On (from now on) or off."""
        if not self.peak_hold:
            for source in self._sources.values():
                source.traces.peak[:] = -np.inf
        self.peak_hold = not self.peak_hold

    def toggle_minimum_hold(self) -> None:
        """On (from now on) or off."""
        if not self.minimum_hold:
            for source in self._sources.values():
                source.traces.minimum[:] = np.inf
        self.minimum_hold = not self.minimum_hold

    def toggle_average(self) -> None:
        """On or off."""
        self.average = not self.average

    def next_detector(self) -> None:
        """Mean, max, newest."""
        self.detector = DETECTORS[(DETECTORS.index(self.detector) + 1) % len(DETECTORS)]

    def clear(self) -> None:
        """Begin holds and average anew."""
        for source in self._sources.values():
            source.traces.clear()
        self.redraw()

    def fit_levels(self) -> None:
        """Whole divisions in which it stands well."""
        self.level_range = None
        self._find_levels()
        self.refresh()

    def all_frequencies(self) -> None:
        """Zoom out."""
        self.frequency_range = None


def _frequency_axis(scale: Scale, width_px: int, units: str) -> Axis:
    return tick_axis(scale.low, scale.high, fitting_ticks(width_px, 96), units)
