"""An oscilloscope: signals over time, as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.ui.axes import Scale, brief, duration, fitting_ticks, tick_axis
from axonlike.components.ui.instrument import GRID, HEADER_PX, SHADE, TRACES, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, amount, one_of, span
from axonlike.components.ui.theme import DIM, TEXT, WARNING
from axonlike.components.ui.traces import (
    Envelope,
    History,
    Scaling,
    auto_scale,
    coverage,
    digital_lines,
    engineering,
    line_spans,
    linked_spans,
    strips,
)  # fmt: skip
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["Scope"]

Floats = npt.NDArray[np.float32]

_HISTORY_BYTES = 64_000_000
_ROWS_TO_SCALE = 20_000
_FIRST_LOOKS_S = (0.1, 0.5, 1.0, 3.0)
_CURSOR_PX = 10
_MODES = ("scan", "scroll")
_SCALES = ("same", "each", "real")


class _Line:
    """One trace: a channel, or a bit of one."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        """Its column in the stream's rows."""


class _Stream:
    """One source, and what is kept of it."""

    def __init__(self, info: StreamInfo, longest_s: float) -> None:
        self.info = info
        self.rate_hz = info.sample_rate_hz or 1.0
        self.continuity = Continuity()
        self.digital = info.kind == "digital"
        names = _names(info)
        self.lines = [_Line(name, number) for number, name in enumerate(names)]
        most = max(1000, _HISTORY_BYTES // (4 * len(names)))
        self.history = History(int(min(longest_s * self.rate_hz + 1, most)), len(names))
        self.envelope: Envelope | None = None
        self.gaps: list[tuple[int, int]] = []
        self.drawn = -1
        """The pixel column (counted from row 0) up to which the picture is drawn; -1: it is not."""

    def rows_of(self, chunk: Chunk) -> Floats:
        if self.digital:
            return digital_lines(chunk.data).astype(np.float32)
        return engineering(chunk.data, self.info.scale, self.info.offset)

    def take(self, chunk: Chunk) -> int:
        """Returns how many rows are missing before it."""
        begins = self.continuity.expected is None
        missing = self.continuity.missing(chunk)
        if begins or missing < 0:
            self.history.begin(chunk.index)
            self.gaps.clear()
            self.drawn = -1
            if self.envelope is not None:
                self.envelope.begin(chunk.index)
        elif missing:
            self.gaps.append((chunk.index - missing, chunk.index))
            self.history.skip(missing)
            if self.envelope is not None:
                self.envelope.skip(missing)
        while self.gaps and self.gaps[0][1] < self.history.first:
            self.gaps.pop(0)
        rows = self.rows_of(chunk)
        self.history.add(rows)
        if self.envelope is not None:
            self.envelope.add(rows)
        return max(0, missing)

    def span_rows(self, span_s: float) -> int:
        return max(2, min(round(span_s * self.rate_hz), self.history.capacity))

    def fit(self, columns: int, span_s: float) -> None:
        """The picture has so many columns now, for so long a time: compute anew from the history."""
        self.drawn = -1
        rows = self.span_rows(span_s)
        if rows < columns:
            self.envelope = None  # fewer samples than columns: lines between them
            return
        self.envelope = Envelope(columns, rows, len(self.lines))
        start = max(self.history.first, self.history.end - rows)
        self.envelope.begin(start)
        self.envelope.add(self.history.rows(start, self.history.end))

    def column(self, index: int, columns: int, span_s: float) -> int:
        return index * columns // self.span_rows(span_s)

    def spans(self, first: int, stop: int, columns: int, span_s: float) -> tuple[Floats, Floats]:
        """Least and greatest of each column from number `first` to before `stop`, as unbroken lines."""
        if self.envelope is not None:
            places = np.arange(first - 1, stop) % columns
            low, high = linked_spans(self.envelope.low[places], self.envelope.high[places])
            return low[1:], high[1:]
        rows = self.span_rows(span_s)
        start = max(self.history.first, first * rows // columns - 1)
        end = min(self.history.end, stop * rows // columns + 2)
        values = self.history.rows(start, end)
        step = columns / rows
        if len(values) < 2:
            nothing = np.full((stop - first, len(self.lines)), np.nan, np.float32)
            return nothing, nothing
        return line_spans(values, start * step - first, step, stop - first)


def _names(info: StreamInfo) -> list[str]:
    if info.kind == "digital":
        bits = 8 * info.dtype.itemsize
        channels = info.channel_names or [str(n) for n in range(info.channels)]
        alone = len(channels) == 1 and not info.channel_names
        return [f"bit {bit}" if alone else f"{name}.{bit}" for name in channels for bit in range(bits)]
    if info.channel_names:
        return list(info.channel_names)
    if info.kind == "iq":
        return ["I", "Q"]
    return [f"ch {n}" for n in range(info.channels)] if info.channels > 1 else [info.name or "signal"]


def _numbers(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in value.values()
    ):
        raise ValueError("it is a dict of channel names and numbers")
    return {str(name): float(v) for name, v in value.items()}


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("it is a dict of channel names and colours (names, or #rrggbb)")
    return {str(name): v for name, v in value.items()}


def _shown(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
        raise ValueError("it is a list of channel names, or None for all")
    return tuple(value)


class Scope(Instrument):
    """Shows signals over time: analog channels, the bits of digital ones, I and Q.

    producers: components whose streams it takes; several streams are told apart by their names and share the window.

    span_s: from the left to the right. mode: "scan" (the newest overwrites the oldest, as an oscilloscope or a patient
    monitor does) or "scroll" (the newest is at the right). scale: "same" (each channel in a lane of its own, all with
    one gain), "each" (with a gain of its own) or "real" (all on one axis). It finds gains and offsets by itself during
    the first seconds, and again with the key A; level_range sets the axis of "real" and nothing else. gain multiplies
    all lanes; gains, offsets (what is shown of x is ``x * gain + offset``, in lanes or, for "real", in units) and
    colours are dicts by channel name; shown: the names of those that are seen, None for all.

    What the inbox had to drop, or was lost before, is shaded. Raises UsageError for a setting that cannot be.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box(
            "chunks of signals", Chunk, limit=512, policy="drop_oldest",
            stream=StreamType(kind=("analog", "digital", "iq")),
        ),
    }  # fmt: skip
    settings = (
        "paused", "span_s", "mode", "scale", "level_range", "gain", "gains", "offsets", "colours", "shown",
    )  # fmt: skip
    MOUSE = (
        ("Wheel", "gain (with Ctrl: coarse)"),
        ("Shift + wheel", "time span"),
        ("Drag ↔", "time span"),
        ("Drag ↕", "move up and down"),
        ("Click a name", "show this channel alone, or all"),
        ("Double click", "fit"),
    )
    KEYS = (
        Key("a", "fit gains and offsets", "fit"),
        Key("m", "scan or scroll", "next_mode"),
        Key("s", "lanes alike, each by itself, one axis", "next_scale"),
        Key("up", "more gain", "more_gain"),
        Key("down", "less gain", "less_gain"),
        Key("right", "longer", "longer"),
        Key("left", "shorter", "shorter"),
    )

    span_s: Setting[float] = Setting(amount(1e-6, 3600.0, "s"), "Seconds from the left to the right.")
    mode: Setting[str] = Setting(one_of(*_MODES), "scan or scroll")
    scale: Setting[str] = Setting(one_of(*_SCALES), "same, each or real")
    level_range: Setting[tuple[float, float] | None] = Setting(span, "The axis of scale real; None: what fits.")
    gain: Setting[float] = Setting(amount(1e-9, 1e9), "Of all channels.")
    gains: Setting[dict[str, float]] = Setting(_numbers, "Of single channels, beside `gain`.")
    offsets: Setting[dict[str, float]] = Setting(_numbers, "Of single channels: lanes, or units on one axis.")
    colours: Setting[dict[str, str]] = Setting(_texts, "Of single channels.")
    shown: Setting[tuple[str, ...] | None] = Setting(_shown, "Names of the channels that are seen; None: all.")

    def __init__(
        self,
        *producers: Component,
        span_s: float = 3.0,
        mode: str = "scan",
        scale: str = "same",
        level_range: tuple[float, float] | None = None,
        gain: float = 1.0,
        gains: Mapping[str, float] | None = None,
        offsets: Mapping[str, float] | None = None,
        colours: Mapping[str, str] | None = None,
        shown: Sequence[str] | None = None,
        longest_s: float = 60.0,
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self._longest_s = max(longest_s, span_s)
        self._streams: dict[str, _Stream] = {}
        self._layer: pygame.Surface | None = None
        self._scaling: Scaling | None = None
        self._looks = 0
        self.span_s = span_s
        self.mode = mode
        self.scale = scale
        self.level_range = level_range
        self.gain = gain
        self.gains = gains or {}
        self.offsets = offsets or {}
        self.colours = colours or {}
        self.shown = shown
        self._check_colours()
        self.be_ready()

    def apply(self, name: str) -> None:
        if name == "paused":
            return
        if name == "colours":
            self._check_colours()
        if name == "span_s":
            self._fit_streams()
        if name in ("scale", "shown"):
            self._scale_anew()
        if name == "scale":
            self.placed()
        self._draw_all_anew()

    def _check_colours(self) -> None:
        for name, colour in self.colours.items():
            try:
                self.pygame.Color(colour)
            except ValueError as exc:
                raise UsageError(f"Scope: colours[{name!r}] is {colour!r}: {exc}; it is a name or #rrggbb") from exc

    def numbers(self) -> tuple[list[str], npt.NDArray[Any]] | None:
        stream = next(iter(self._streams.values()), None)
        if stream is None:
            return None
        rows = stream.history.rows(stream.history.end - int(self.span_s * stream.rate_hz), stream.history.end)
        first = stream.history.end - len(rows)
        units = f" [{stream.info.units}]" if stream.info.units else ""
        index = np.arange(first, stream.history.end, dtype=np.float64)
        return ["index", *(line.name + units for line in stream.lines)], np.column_stack([index, rows])

    # -- the signals

    def take(self, box: str, chunk: Chunk) -> None:
        info = chunk.info
        stream = self._streams.get(info.name)
        if stream is None or (stream.info is not info and stream.info != info):
            stream = self._streams[info.name] = _Stream(info, self._longest_s)
            self._looks = 0
            self._scaling = None
            self.placed()
            self.refresh()
        self.lost += stream.take(chunk)

    def took(self) -> None:
        self.redraw_in_time()
        if self._looks < len(_FIRST_LOOKS_S):
            stream = next(iter(self._streams.values()))
            seen_s = (stream.history.end - stream.history.first) / stream.rate_hz
            if self._scaling is None or seen_s >= min(_FIRST_LOOKS_S[self._looks], self.span_s):
                while self._looks < len(_FIRST_LOOKS_S) and seen_s >= min(_FIRST_LOOKS_S[self._looks], self.span_s):
                    self._looks += 1
                self._scale_anew()

    @property
    def _lines(self) -> list[tuple[_Stream, _Line]]:
        """What is seen, from top to bottom."""
        wanted = None if self.shown is None else set(self.shown)
        return [
            (stream, line)
            for stream in self._streams.values()
            for line in stream.lines
            if wanted is None or line.name in wanted
        ]

    @property
    def _is_digital(self) -> bool:
        return bool(self._streams) and all(stream.digital for stream in self._streams.values())

    def fit(self) -> None:
        """Find gains and offsets for what is seen now."""
        self._looks = len(_FIRST_LOOKS_S)
        self.gain = 1.0
        self.offsets = {}
        self.level_range = None
        self._scale_anew()
        self._draw_all_anew()

    def _scale_anew(self) -> None:
        lines = self._lines
        if not lines:
            self._scaling = None
            return
        if self._is_digital:
            rank = np.arange(len(lines), dtype=np.float64)[::-1]
            self._scaling = Scaling(np.full(len(lines), 0.8), rank, -0.5, len(lines) + 0.3)
        else:
            columns = []
            for stream, line in lines:
                rows = stream.history.rows(stream.history.end - stream.span_rows(self.span_s), stream.history.end)
                columns.append(rows[:: max(1, len(rows) // _ROWS_TO_SCALE), line.number])
            if len({len(column) for column in columns}) == 1:
                self._scaling = auto_scale(np.stack(columns, axis=1), self.scale)
            else:
                self._scaling = self._scale_apart(columns)
        self._draw_all_anew()

    def _scale_apart(self, columns: list[Floats]) -> Scaling:
        """Streams of different rates: each line by itself, then what they have in common."""
        ones = [auto_scale(column[:, np.newaxis], self.scale) for column in columns]
        gains = np.array([one.gains[0] for one in ones])
        if self.scale == "real":
            return Scaling(gains, gains * 0, min(one.low for one in ones), max(one.high for one in ones))
        medians = np.array([-one.offsets[0] / one.gains[0] for one in ones])
        if self.scale == "same":
            gains = np.full(len(ones), gains.min())
        return Scaling(gains, np.arange(len(ones))[::-1] - medians * gains, -0.5, len(ones) - 0.5)

    def _view(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Scale]:
        """For each line what x is multiplied with, what is added, and how that becomes pixels of the plot."""
        scaling = self._scaling
        assert scaling is not None
        lines = self._lines
        own = np.array([self.gain * self.gains.get(line.name, 1.0) for _, line in lines])
        moved = np.array([self.offsets.get(line.name, 0.0) + self.offsets.get("", 0.0) for _, line in lines])
        low, high = scaling.low, scaling.high
        if self.scale == "real" and not self._is_digital:
            if self.level_range is not None:
                low, high = self.level_range
            else:
                spare = 0.06 * (high - low)
                low, high = low - spare, high + spare
            middle, half = (low + high) / 2, (high - low) / 2 / self.gain
            gains = np.array([self.gains.get(line.name, 1.0) for _, line in lines])
            return gains, moved, Scale(middle - half, middle + half, self.plot.height, 0)
        if self._is_digital:
            return scaling.gains, scaling.offsets + moved, Scale(low, high, self.plot.height, 0)
        rank = np.arange(len(lines))[::-1]
        # Around the lane's middle, so that more gain does not move it away.
        return (
            scaling.gains * own, rank + (scaling.offsets - rank) * own + moved, Scale(low, high, self.plot.height, 0),
        )  # fmt: skip

    # -- how it looks

    @property
    def _columns(self) -> int:
        return 2 * self.plot.width  # two for each pixel: smooth flanks

    def margins(self) -> tuple[int, int, int, int]:
        return (76, HEADER_PX, 72 if self.scale == "same" and not self._is_digital else 18, 30)

    def arrange(self) -> None:
        self._layer = None
        self._fit_streams()

    def _fit_streams(self) -> None:
        if self.plot.width:
            for stream in self._streams.values():
                stream.fit(self._columns, self.span_s)
        self._draw_all_anew()

    def _draw_all_anew(self) -> None:
        for stream in self._streams.values():
            stream.drawn = -1
        self._static = None

    def _colour(self, line: _Line, place: int) -> tuple[int, int, int]:
        name = self.colours.get(line.name)
        if name is None:
            return TRACES[place % len(TRACES)]
        r, g, b, _ = self.pygame.Color(name)
        return (r, g, b)

    def draw_ground(self, ground: pygame.Surface) -> None:
        plot = self.plot
        self.draw_frame(ground)
        newest = self.mode == "scroll"
        low, high = (-self.span_s, 0.0) if newest else (0.0, self.span_s)
        x_axis = tick_axis(low, high, fitting_ticks(plot.width, 90), "s")
        self.draw_x(ground, x_axis, Scale(low, high, plot.left, plot.right - 1))
        notes = []
        rates = {stream.info.sample_rate_hz for stream in self._streams.values()}
        if rates and rates != {0.0}:
            notes.append((" · ".join(brief(rate, "Hz") for rate in sorted(rates)), DIM))
        notes.append((duration(self.span_s), TEXT))
        if self.lost:
            notes.insert(0, (f"{spaced(self.lost)} rows lost", WARNING))
        self._noted_lost = self.lost
        title = self.title or ", ".join(name for name in self._streams if name) or "Scope"
        self.draw_header(ground, title, notes)
        if self._scaling is None:
            return
        _gains, _offsets, scale = self._view()
        lines = self._lines
        if self.scale == "real" and not self._is_digital:
            units = lines[0][0].info.units if lines else ""
            y_axis = tick_axis(scale.low, scale.high, fitting_ticks(plot.height, 44), units)
            self.draw_y(ground, y_axis, Scale(scale.low, scale.high, plot.bottom, plot.top))
            self._draw_legend(ground, lines)
            return
        self._draw_lanes(ground, lines, scale)
        if self.scale == "same" and not self._is_digital and len({stream.info.units for stream, _ in lines}) == 1:
            self.draw_bar(ground, float(self._scaling.gains[0]) * self.gain, scale, lines[0][0].info.units)

    def _draw_legend(self, ground: pygame.Surface, lines: Sequence[tuple[_Stream, _Line]]) -> None:
        if len(lines) < 2:
            return
        x = float(self.plot.left + 12)
        for place, (_stream, line) in enumerate(lines):
            colour = self._colour(line, place)
            width = self.text_width(line.name)
            if x + width > self.plot.right:
                break
            self.text(ground, line.name, x, self.plot.top + 12, colour=colour)
            x += width + 16

    def _draw_lanes(self, ground: pygame.Surface, lines: Sequence[tuple[_Stream, _Line]], scale: Scale) -> None:
        plot = self.plot
        lane_px = plot.height / max(1.0, scale.high - scale.low)
        size = 13 if lane_px >= 17 else 11 if lane_px >= 12 else 9
        for place, (_stream, line) in enumerate(lines):
            middle = len(lines) - 1 - place + (0.4 if self._is_digital else 0.0)
            middle += 0.0 if self._is_digital else self.offsets.get(line.name, 0.0) + self.offsets.get("", 0.0)
            y = plot.top + scale.pixel(middle)
            if not plot.top <= y <= plot.bottom:
                continue
            if not self._is_digital:
                self.pygame.draw.line(ground, GRID, (plot.left, round(y)), (plot.right - 1, round(y)))
            if lane_px >= 9:
                self.text(ground, line.name, plot.left - 10, y, size=size, across=1.0, colour=self._colour(line, place))

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        if self._scaling is None or not self._lines:
            self.draw_waiting(surface, "no channel of that name" if self._streams else "waiting for a signal")
            return
        layer = self._layer
        if layer is None:
            layer = self._layer = self.pygame.Surface(self.plot.size, self.pygame.SRCALPHA)
            self._draw_all_anew()
        self._draw_traces(layer)
        surface.blit(layer, self.plot)
        if self.mode == "scan":
            self._draw_cursor(surface)
        if self.lost != self._noted_lost:
            self._static = None
            self.redraw()

    def _draw_cursor(self, surface: pygame.Surface) -> None:
        stream = next(iter(self._streams.values()))
        if stream.drawn >= 0:
            x = self.plot.left + stream.drawn % self.plot.width + 1
            if x < self.plot.right:
                self.pygame.draw.line(surface, (92, 102, 122), (x, self.plot.top), (x, self.plot.bottom - 1))

    def _draw_traces(self, layer: pygame.Surface) -> None:
        """Draw what is not in the picture yet: usually some columns of pixels."""
        streams = list(self._streams.values())
        if len(streams) > 1 or any(stream.drawn < 0 for stream in streams):
            # Streams of several rates do not end in the same column: what stands beside each other is drawn together.
            layer.fill((0, 0, 0, 0))
            for stream in streams:
                stream.drawn = -1
        for stream in streams:
            self._draw_stream(layer, stream, alone=len(streams) == 1)

    def _draw_stream(self, layer: pygame.Surface, stream: _Stream, *, alone: bool) -> None:
        width, columns = self.plot.width, self._columns
        if stream.history.end == stream.history.first:
            return
        newest = stream.column(stream.history.end - 1, columns, self.span_s) // 2
        oldest = max(newest - width + 1, stream.column(stream.history.first, columns, self.span_s) // 2)
        first = oldest if stream.drawn < 0 else max(oldest, stream.drawn - 1)
        if self.mode == "scroll" and stream.drawn >= 0 and newest > stream.drawn:
            layer.scroll(stream.drawn - newest, 0)
        stream.drawn = newest
        if self.mode == "scan":
            first = max(first, newest - width + 1 + _CURSOR_PX)
        pieces = strips(first, newest, width, scroll=self.mode == "scroll")
        for start, stop, x in pieces:
            if stop > start:
                strip = layer.subsurface((x, 0, stop - start, self.plot.height))
                if alone:
                    strip.fill((0, 0, 0, 0))
                self._draw_strip(strip, stream, start, stop)
        if self.mode == "scan" and alone:
            ahead = (newest + 1) % width
            layer.fill((0, 0, 0, 0), (ahead, 0, min(_CURSOR_PX, width - ahead), self.plot.height))
            if ahead + _CURSOR_PX > width:
                layer.fill((0, 0, 0, 0), (0, 0, ahead + _CURSOR_PX - width, self.plot.height))

    def _draw_strip(self, strip: pygame.Surface, stream: _Stream, start: int, stop: int) -> None:
        """Pixel columns from number `start` to before `stop`."""
        pygame, columns, height = self.pygame, self._columns, self.plot.height
        for gap in stream.gaps:
            a = stream.column(gap[0], columns, self.span_s) // 2
            b = max(a + 2, stream.column(gap[1], columns, self.span_s) // 2 + 1)
            if b > start and a < stop:
                strip.fill(SHADE, (max(a, start) - start, 0, min(b, stop) - max(a, start), height))
        low, high = stream.spans(2 * start, 2 * stop, columns, self.span_s)
        gains, offsets, scale = self._view()
        own = [(place, line) for place, (owner, line) in enumerate(self._lines) if owner is stream]
        places, numbers = [place for place, _ in own], [line.number for _, line in own]
        a = scale.pixel(low[:, numbers] * gains[places] + offsets[places])
        b = scale.pixel(high[:, numbers] * gains[places] + offsets[places])
        top = np.clip(np.minimum(a, b), -1e4, 1e4).astype(np.float32)  # a gain may be negative
        bottom = np.clip(np.maximum(a, b), -1e4, 1e4).astype(np.float32)
        highest = np.nan_to_num(np.fmin.reduce(top), nan=1e6).astype(np.int64) - 2
        lowest = np.nan_to_num(np.fmax.reduce(bottom), nan=-1e6).astype(np.int64) + 3
        for (place, line), first, last, upper, lower in zip(
            own, np.maximum(highest, 0).tolist(), np.minimum(lowest, height).tolist(), top.T, bottom.T, strict=True
        ):
            if last <= first:
                continue
            trace = pygame.Surface((stop - start, last - first), pygame.SRCALPHA)
            trace.fill(self._colour(line, place))
            alpha = pygame.surfarray.pixels_alpha(trace)
            alpha[...] = coverage(upper - first, lower - first, last - first)
            del alpha  # it locks the surface
            strip.blit(trace, (0, first))

    # -- its user

    def wheel_turned(self, notches: int) -> None:
        if self.held("shift"):
            self._change_span(1.3**-notches)
        else:
            self._change_gain((10.0 if self.held("ctrl") else 1.3) ** notches)

    def dragged(self, dx: int, dy: int) -> None:
        if abs(dx) >= abs(dy):
            self._change_span(max(0.1, 1 + dx / 100))
        elif self._scaling is not None and not self._is_digital:
            _gains, _offsets, scale = self._view()
            moved = -dy / self.plot.height * (scale.high - scale.low)
            self.offsets = {**self.offsets, "": self.offsets.get("", 0.0) + moved}

    def clicked(self, x: int, y: int) -> None:
        if x >= self.plot.left or self._scaling is None or (self.scale == "real" and not self._is_digital):
            return
        if self.shown is not None:
            self.shown = None
            return
        lines = self._lines
        _gains, _offsets, scale = self._view()
        lane = round(scale.value(y - self.plot.top) - (0.4 if self._is_digital else 0.0) - self.offsets.get("", 0.0))
        place = len(lines) - 1 - lane
        if 0 <= place < len(lines):
            self.shown = (lines[place][1].name,)

    def double_clicked(self, x: int, y: int) -> None:
        self.fit()

    def _change_span(self, factor: float) -> None:
        self.span_s = min(max(self.span_s * factor, 1e-6), self._longest_s)

    def _change_gain(self, factor: float) -> None:
        self._looks = len(_FIRST_LOOKS_S)  # from now on it is the user's
        self.gain = min(max(self.gain * factor, 1e-9), 1e9)

    def more_gain(self) -> None:
        """Larger."""
        self._change_gain(1.3)

    def less_gain(self) -> None:
        """Smaller."""
        self._change_gain(1 / 1.3)

    def longer(self) -> None:
        """More time in the window."""
        self._change_span(1.3)

    def shorter(self) -> None:
        """Less time in the window."""
        self._change_span(1 / 1.3)

    def next_mode(self) -> None:
        """Scan or scroll."""
        self.mode = _MODES[(_MODES.index(self.mode) + 1) % len(_MODES)]

    def next_scale(self) -> None:
        """Lanes with one gain, with a gain each, or one axis."""
        self.scale = _SCALES[(_SCALES.index(self.scale) + 1) % len(_SCALES)]
