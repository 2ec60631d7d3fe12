"""An oscilloscope that stands still: pieces of a signal around events, laid over each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.epochs import Epoch, EventEpochs
from axonlike.components.ui.axes import Scale, fitting_ticks, tick_axis
from axonlike.components.ui.instrument import GRID, HEADER_PX, TRACES, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, amount, count, flag, one_of
from axonlike.components.ui.theme import DIM, TEXT, WARNING
from axonlike.components.ui.traces import (
    Envelope,
    Scaling,
    auto_scale,
    coverage,
    engineering,
    line_spans,
    linked_spans,
)  # fmt: skip
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["TriggeredScope"]

Floats = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

_ZERO: Colour = (255, 96, 80)
_MEAN: Colour = (245, 246, 250)
_SCALES = ("same", "each", "real")


class _Lane:
    """How often each pixel was covered by the curves of one channel: (pixel columns, height)."""

    def __init__(self, width: int, height: int) -> None:
        self.covered = np.zeros((width, height), np.uint32)
        self.top, self.bottom = height, 0

    def add(self, first: int, covered: npt.NDArray[np.uint8], *, taken_away: bool = False) -> None:
        part = self.covered[:, first : first + covered.shape[1]]
        if taken_away:
            part -= covered
        else:
            part += covered
            self.top, self.bottom = min(self.top, first), max(self.bottom, first + covered.shape[1])


class TriggeredScope(Instrument):
    """Shows the last `stack_size` pieces of a signal around events, superposed, the newest brightest.

    producers: an EventEpochs (or anything that sends `Epoch`); or a signal and a trigger, whose events go to the inbox
    `events`: then it cuts the pieces itself, from window_s[0] before to window_s[1] after each event.

    scale: "same" (a lane for each channel, all with one gain), "each" (with a gain of its own), "real" (one axis). It
    is found from the first epochs, and again with the key A. mean: draw the mean of what is in the stack. `total`
    counts epochs since the beginning, or the last reset (key C).
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box(
            "epochs, or a signal", (Chunk, Epoch), limit=512, policy="drop_oldest",
            stream=StreamType(kind=("analog", "iq")),
        ),
        "events": Box(
            "events of that signal", Chunk, limit=512, policy="drop_oldest", stream=StreamType(kind="events")
        ),
    }  # fmt: skip
    BOXES = ("inbox", "events")
    settings = ("paused", "window_s", "stack_size", "scale", "gain", "mean")
    MOUSE = (
        ("Wheel", "gain (with Ctrl: coarse)"),
        ("Drag ↕", "move up and down"),
        ("Double click", "fit"),
    )
    KEYS = (
        Key("a", "fit gains and offsets", "fit"),
        Key("c", "begin anew", "reset"),
        Key("s", "lanes alike, each by itself, one axis", "next_scale"),
        Key("v", "mean", "toggle_mean"),
        Key("up", "more gain", "more_gain"),
        Key("down", "less gain", "less_gain"),
    )

    stack_size: Setting[int] = Setting(count(1, 10_000), "How many epochs are seen.")
    scale: Setting[str] = Setting(one_of(*_SCALES), "same, each or real")
    gain: Setting[float] = Setting(amount(1e-9, 1e9), "Of all channels.")
    mean: Setting[bool] = Setting(flag, "Draw the mean?")

    def __init__(
        self,
        *producers: Component,
        window_s: tuple[float, float] = (-1.0, 1.0),
        stack_size: int = 20,
        scale: str = "same",
        gain: float = 1.0,
        mean: bool = False,
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self.total = 0
        self._cutter = EventEpochs(window_s=window_s, incomplete="drop")
        self._epochs: deque[Floats] = deque()
        self._sum: npt.NDArray[np.float64] | None = None
        self._drawn: deque[Floats] = deque()
        """Those of them that are in the picture."""
        self._info: StreamInfo | None = None
        self._times: tuple[float, float] = window_s
        self._names: tuple[str, ...] = ()
        self._scaling: Scaling | None = None
        self._fitted = 0
        self._moved = 0.0
        self._units = ""
        self._lanes: list[_Lane] = []
        self._layer: pygame.Surface | None = None
        self.stack_size = stack_size
        self.scale = scale
        self.gain = gain
        self.mean = mean
        self.be_ready()

    @property
    def window_s(self) -> tuple[float, float]:
        """From when to when pieces are cut, counted from the event."""
        return self._cutter.window_s

    @window_s.setter
    def window_s(self, window_s: tuple[float, float]) -> None:
        self._cutter.window_s = window_s
        self.reset()

    def apply(self, name: str) -> None:
        if name == "scale":
            self._scale_anew()
            self.placed()
        elif name == "stack_size":
            while len(self._epochs) > self.stack_size:
                self._forget_oldest()
        if name in ("gain", "stack_size"):
            self._draw_anew()

    # -- the epochs

    def check(self, box: str, message: Any) -> None:
        if box == "inbox" and isinstance(message, Epoch):
            return
        super().check(box, message)

    def take(self, box: str, chunk: Any) -> None:
        if isinstance(chunk, Epoch):
            self._take_epoch(chunk)
        elif box == "events":
            for epoch in self._cutter.feed_events(chunk):
                self._take_epoch(epoch)
        else:
            lost = self._cutter.continuity.lost
            for epoch in self._cutter.feed(chunk):
                self._take_epoch(epoch)
            self.lost += self._cutter.continuity.lost - lost

    def _take_epoch(self, epoch: Epoch) -> None:
        info = epoch.info
        rows = engineering(np.asarray(epoch.data), info.scale, info.offset)
        if not len(rows):
            return
        times = float(epoch.times_s[0]), float(epoch.times_s[-1])
        if self._epochs and (self._epochs[0].shape != rows.shape or times != self._times):
            self.reset()
        if self._info is not info:
            self._info, self._units = info, info.units
            names = info.channel_names or (("I", "Q") if info.kind == "iq" else ())
            self._names = names or tuple(f"ch {n}" for n in range(rows.shape[1]))
            self.refresh()
        if times != self._times:
            self._times = times
            self.refresh()
        self.total += 1
        self._epochs.append(rows)
        self._sum = rows.astype(np.float64) if self._sum is None else self._sum + rows
        if len(self._epochs) > self.stack_size:
            self._forget_oldest()
        if self._scaling is None or (self._fitted < 10 and len(self._epochs) >= 2 * self._fitted):
            self._fitted = len(self._epochs)
            self._scale_anew()

    def _forget_oldest(self) -> None:
        oldest = self._epochs.popleft()
        if self._sum is not None:
            self._sum -= oldest

    def reset(self) -> None:
        """Begin anew: the stack is empty."""
        self._epochs.clear()
        self._sum = None
        self.total = 0
        self._scaling, self._fitted = None, 0
        self._draw_anew()
        self.refresh()

    def fit(self) -> None:
        """Gains and offsets for what is in the stack."""
        self._moved = 0.0
        self.gain = 1.0
        self._fitted = 10
        self._scale_anew()

    def _scale_anew(self) -> None:
        if not self._epochs:
            return
        rows = np.concatenate(list(self._epochs)[-20:])
        self._scaling = auto_scale(rows, self.scale)
        self._draw_anew()
        self.refresh()

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        return 76, HEADER_PX, 72 if self.scale == "same" else 18, 30

    def arrange(self) -> None:
        self._layer = None
        self._draw_anew()

    def _draw_anew(self) -> None:
        self._lanes = []
        self._drawn.clear()

    def _view(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Scale]:
        scaling = self._scaling
        assert scaling is not None
        channels = len(scaling.gains)
        if self.scale == "real":
            spare = 0.06 * (scaling.high - scaling.low)
            middle, half = (scaling.low + scaling.high) / 2, (scaling.high - scaling.low) / 2 + spare
            low, high = middle - half / self.gain, middle + half / self.gain
            return scaling.gains, scaling.offsets + self._moved, Scale(low, high, self.plot.height, 0)
        rank = np.arange(channels)[::-1]
        offsets = rank + (scaling.offsets - rank) * self.gain + self._moved
        return scaling.gains * self.gain, offsets, Scale(scaling.low, scaling.high, self.plot.height, 0)

    def draw_ground(self, ground: pygame.Surface) -> None:
        plot = self.plot
        self.draw_frame(ground)
        x = Scale(*self._times, plot.left, plot.right - 1)
        self.draw_x(ground, tick_axis(x.low, x.high, fitting_ticks(plot.width, 90), "s"), x)
        self.draw_header(ground, self.title or (self._info.name if self._info is not None else "") or "Triggered scope")
        if self._scaling is not None:
            _gains, _offsets, scale = self._view()
            if self.scale == "real":
                axis = tick_axis(scale.low, scale.high, fitting_ticks(plot.height, 44), self._units)
                self.draw_y(ground, axis, Scale(scale.low, scale.high, plot.bottom, plot.top))
            else:
                self._draw_lanes(ground, scale)
        if x.low < 0 < x.high:
            zero = round(x.pixel(0.0))
            self.pygame.draw.line(ground, _ZERO, (zero, plot.top), (zero, plot.bottom - 1))

    def _draw_lanes(self, ground: pygame.Surface, scale: Scale) -> None:
        plot, channels = self.plot, len(self._names)
        lane_px = plot.height / (scale.high - scale.low)
        for place, name in enumerate(self._names):
            y = round(plot.top + scale.pixel(channels - 1 - place + self._moved))
            if plot.top <= y < plot.bottom:
                self.pygame.draw.line(ground, GRID, (plot.left, y), (plot.right - 1, y))
                if lane_px >= 9:
                    size = 13 if lane_px >= 17 else 11 if lane_px >= 12 else 9
                    colour = TRACES[place % len(TRACES)]
                    self.text(ground, name, plot.left - 10, y, size=size, across=1.0, colour=colour)
        if self.scale == "same" and self._scaling is not None:
            self.draw_bar(ground, float(self._scaling.gains[0]) * self.gain, scale, self._units)

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        if self._scaling is None or not self._epochs:
            self.draw_waiting(surface, "waiting for a trigger")
            return
        plot = self.plot
        layer = self._layer
        if layer is None:
            layer = self._layer = self.pygame.Surface(plot.size, self.pygame.SRCALPHA)
        if not self._lanes:
            self._lanes = [_Lane(*plot.size) for _ in self._names]
        self._update_lanes()
        gains, offsets, scale = self._view()
        part = surface.subsurface(plot)
        for place, lane in enumerate(self._lanes):
            self._draw_lane(part, lane, TRACES[place % len(TRACES)])
        newest = self._spans(self._epochs[-1])
        for place in range(len(self._lanes)):
            colour = TRACES[place % len(TRACES)]
            if len(self._epochs) > 1:
                colour = tuple((c + 255) // 2 for c in colour)  # type: ignore[assignment]
            self._draw_curve(part, newest, place, gains, offsets, scale, colour, 1.3)
        if self.mean and self._sum is not None and len(self._epochs) > 1:
            mean = self._spans((self._sum / len(self._epochs)).astype(np.float32))
            for place in range(len(self._lanes)):
                self._draw_curve(part, mean, place, gains, offsets, scale, _MEAN, 2.4)
        notes = [(f"{spaced(self.lost)} rows lost", WARNING)] if self.lost else []
        if self.mean:
            notes.append(("mean", _MEAN))
        notes.append((f"{len(self._epochs)} shown", DIM))
        notes.append((f"{spaced(self.total)} triggers" if self.total != 1 else "1 trigger", TEXT))
        x = float(self.size[0] - 18)
        for text, colour in reversed(notes):
            x -= self.text(surface, text, x, HEADER_PX / 2 + 2, colour=colour, across=1.0) + 18

    def _spans(self, rows: Floats) -> tuple[Floats, Floats]:
        columns = 2 * self.plot.width
        if len(rows) < columns:
            step = (columns - 1) / max(1, len(rows) - 1)
            if len(rows) < 2:
                return rows[:0], rows[:0]
            return line_spans(rows, 0.0, step, columns)
        envelope = Envelope(columns, len(rows), rows.shape[1])
        envelope.add(rows)
        return linked_spans(envelope.low, envelope.high)

    def _curve(
        self, spans: tuple[Floats, Floats], place: int, gain: float, offset: float, scale: Scale, width_px: float
    ) -> tuple[int, npt.NDArray[np.uint8]] | None:
        """The first row of pixels, and what is covered of it and those below."""
        if not len(spans[0]):
            return None
        a, b = (spans[0][:, place] * gain + offset), (spans[1][:, place] * gain + offset)
        if gain < 0:
            a, b = b, a
        height = self.plot.height
        top = np.clip(scale.pixel(b), -1e4, 1e4)
        bottom = np.clip(scale.pixel(a), -1e4, 1e4)
        if np.isnan(top).all():
            return None
        first = max(0, int(np.nanmin(top)) - 3)
        rows = min(height, int(np.nanmax(bottom)) + 4) - first
        return (first, coverage(top - first, bottom - first, rows, width_px)) if rows > 0 else None

    def _update_lanes(self) -> None:
        """Add epochs that are new to the picture, take those away that are not in the stack any more."""
        gains, offsets, scale = self._view()

        def put(rows: Floats, *, away: bool) -> None:
            spans = self._spans(rows)
            for place, lane in enumerate(self._lanes):
                curve = self._curve(spans, place, float(gains[place]), float(offsets[place]), scale, 1.2)
                if curve is not None:
                    lane.add(*curve, taken_away=away)

        kept = {id(rows) for rows in self._epochs}
        while self._drawn and id(self._drawn[0]) not in kept:
            put(self._drawn.popleft(), away=True)
        drawn = {id(rows) for rows in self._drawn}
        for rows in self._epochs:
            if id(rows) not in drawn:
                put(rows, away=False)
                self._drawn.append(rows)

    def _draw_lane(self, plot: pygame.Surface, lane: _Lane, colour: Colour) -> None:
        """All curves of a channel: the more of them go through a pixel, the brighter it is."""
        pygame = self.pygame
        height = lane.bottom - lane.top
        if height <= 0:
            return
        picture = pygame.Surface((lane.covered.shape[0], height), pygame.SRCALPHA)
        picture.fill(colour)
        alpha = pygame.surfarray.pixels_alpha(picture)
        share = max(0.1, 1.9 / len(self._epochs) ** 0.6)
        alpha[...] = np.minimum(lane.covered[:, lane.top : lane.bottom] * share, 190).astype(np.uint8)
        del alpha  # it locks the surface
        plot.blit(picture, (0, lane.top))

    def _draw_curve(
        self, plot: pygame.Surface, spans: tuple[Floats, Floats], place: int, gains: npt.NDArray[np.float64],
        offsets: npt.NDArray[np.float64], scale: Scale, colour: Colour, width_px: float,
    ) -> None:  # fmt: skip
        curve = self._curve(spans, place, float(gains[place]), float(offsets[place]), scale, width_px)
        if curve is None:
            return
        picture = self.pygame.Surface((plot.get_width(), curve[1].shape[1]), self.pygame.SRCALPHA)
        picture.fill(colour)
        alpha = self.pygame.surfarray.pixels_alpha(picture)
        alpha[...] = curve[1]
        del alpha
        plot.blit(picture, (0, curve[0]))

    # -- its user

    def wheel_turned(self, notches: int) -> None:
        self._change_gain((10.0 if self.held("ctrl") else 1.3) ** notches)

    def dragged(self, dx: int, dy: int) -> None:
        if self._scaling is not None and dy:
            _gains, _offsets, scale = self._view()
            self._moved -= dy / self.plot.height * (scale.high - scale.low)
            self._draw_anew()
            self.refresh()

    def double_clicked(self, x: int, y: int) -> None:
        self.fit()

    def _change_gain(self, factor: float) -> None:
        self._fitted = 10
        self.gain = min(max(self.gain * factor, 1e-9), 1e9)

    def more_gain(self) -> None:
        """Larger."""
        self._change_gain(1.3)

    def less_gain(self) -> None:
        """Smaller."""
        self._change_gain(1 / 1.3)

    def next_scale(self) -> None:
        """Lanes with one gain, with a gain each, or one axis."""
        self.scale = _SCALES[(_SCALES.index(self.scale) + 1) % len(_SCALES)]

    def toggle_mean(self) -> None:
        """Draw the mean, or not."""
        self.mean = not self.mean
