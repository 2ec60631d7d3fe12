"""What all displays of signals have in common: a panel with a plot in it, keys, the mouse, settings, pausing, the end.

A display takes all chunks that wait each time it gets its turn, and computes what a picture needs of them; the window
is drawn at most 60 times a second, whatever comes. So nothing that came is overlooked, and nothing is drawn twice.
"""

from __future__ import annotations

import csv
import logging
import os
import re
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.file.trouble import file_trouble
from axonlike.components.producers import take_from
from axonlike.components.settable import Settable
from axonlike.components.ui.axes import Axis, Scale, tick_axis
from axonlike.components.ui.keynames import Chord
from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.setting import Setting, flag
from axonlike.components.ui.theme import ACCENT, BACKGROUND, DIM, LINE, PANEL, RAISED, TEXT, WARNING, Theme
from axonlike.components.ui.widget import Widget, checked_linger
from axonlike.errors import DeviceError, Finished, UsageError, show_value
from axonlike.streams.chunk import Chunk

if TYPE_CHECKING:
    import pygame

__all__ = ["GRID", "PLOT", "TRACES", "Exported", "Instrument", "Key", "spaced"]

log = logging.getLogger("axonlike.ui")

Colour = tuple[int, int, int]

PLOT: Colour = (16, 18, 24)
GRID: Colour = (36, 41, 51)
SHADE: tuple[int, int, int, int] = (235, 186, 92, 38)
"""Laid over what was not received."""
# After Okabe and Ito, lightened for a dark ground: told apart with any colour vision.
TRACES: tuple[Colour, ...] = (
    (94, 188, 255), (255, 184, 92), (72, 214, 170), (240, 142, 196), (238, 224, 110), (168, 158, 255), (255, 132, 102),
)  # fmt: skip

HEADER_PX = 34
_GUTTER_PX = 68
_FOOTER_PX = 30
_RIGHT_PX = 18
_DOUBLE_CLICK_S = 0.35
_FOR_EVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Exported:
    """On `status`: what was shown has been written to this file."""

    path: str


class Key(NamedTuple):
    """A key of a display."""

    key: str
    text: str
    """What it does, as the overlay says it."""
    method: str


def _file_name(title: str) -> str:
    return re.sub(r"[^\w.-]+", "-", title).strip("-.") or "display"


def spaced(number: int) -> str:
    """A whole number in groups of three."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


class Instrument(Widget, Settable):
    """A display of signals. Write `take` and `draw_plot`; what a key does is a method that `KEYS` names.

    The inbox drops the oldest chunks when a display cannot keep up, so it never holds the source back; the gap in the
    indices shows. `lost` counts rows that were missing.
    """

    settings: ClassVar[tuple[str, ...]] = ("paused",)
    takes_focus: ClassVar[bool] = True
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": "nothing",
        "status": "Changed and Refused settings; Exported",
    }

    KEYS: ClassVar[tuple[Key, ...]] = ()
    MOUSE: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Gestures and what they do, for the overlay."""
    EVERYWHERE: ClassVar[tuple[Key, ...]] = (
        Key("space", "pause, go on", "toggle_pause"),
        Key("e", "export the picture and the numbers", "export_here"),
        Key("?", "show or hide this", "toggle_keys"),
    )
    PICTURES_PER_S: ClassVar[float] = 60.0
    """How often it is drawn for what comes in; the window itself is drawn 60 times a second at most."""
    BOXES: ClassVar[tuple[str, ...]] = ("inbox",)
    """Inboxes with chunks."""

    paused: Setting[bool] = Setting(flag, "Does the picture stand still? What comes meanwhile is left out.")

    def __init__(
        self, *producers: Component, title: str, at: Place, height: int | None, linger_s: float | None
    ) -> None:
        self._ready = False
        super().__init__(at=at)
        self.title = title
        self.lost = 0
        self.shows_keys = False
        self.plot: pygame.Rect = self.pygame.Rect(0, 0, 0, 0)
        self._height = height
        self._linger_s = checked_linger(type(self).__name__, linger_s)
        self._static: pygame.Surface | None = None
        self._origin = (0, 0)
        self._pressed_s = -1.0
        self._drawn_s = -1.0
        self._asked = False
        self._pressed_at = self._dragged_to = (0, 0)
        self._was_dragged = False
        who = type(self).__name__
        self._keys = [(Chord.parse(key.key, self.pygame, who), key.method) for key in (*self.KEYS, *self.EVERYWHERE)]
        self.paused = False
        take_from(self, *producers)

    # -- what a subclass writes

    def take(self, box: str, chunk: Chunk) -> None:
        """The next chunk."""

    def draw_ground(self, ground: pygame.Surface) -> None:
        """Grid and labels, on a panel that is ready; kept until `refresh` is called."""

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        """The data, over the ground."""

    def arrange(self) -> None:
        """`plot` has changed."""

    def margins(self) -> tuple[int, int, int, int]:
        """Pixels around the plot: left, top, right, bottom."""
        return _GUTTER_PX, HEADER_PX, _RIGHT_PX, _FOOTER_PX

    def numbers(self) -> tuple[list[str], npt.NDArray[Any]] | None:
        """What is shown as a table, for export: names of columns, and values (rows, columns). None: only a picture."""
        return None

    def took(self) -> None:
        """All chunks that had come were taken: call `redraw_in_time` if that is to be seen."""
        self.redraw_in_time()

    def dragged(self, dx: int, dy: int) -> None:
        """The mouse moved by so much since the last call, its button down."""

    def clicked(self, x: int, y: int) -> None:
        """... was pressed and let go in the same place."""

    def double_clicked(self, x: int, y: int) -> None:
        """... twice."""

    # -- settings

    def setting_changed(self, name: str) -> None:
        """A setting has another value: `apply` it, and draw."""
        if self._ready:
            self.apply(name)
            self.refresh()

    def apply(self, name: str) -> None:
        """A setting has another value."""

    def be_ready(self) -> None:
        """All settings have their first value: from now on changes are applied."""
        self._ready = True

    def refresh(self) -> None:
        """Draw all of it anew, labels too."""
        self._static = None
        self.redraw()

    def redraw_in_time(self) -> None:
        """Draw, but not more often than `PICTURES_PER_S`."""
        scheduler = self.scheduler
        if scheduler is None or self._asked:
            return
        wait_s = self._drawn_s + 1 / self.PICTURES_PER_S - scheduler.time()
        if wait_s <= 0:
            self.redraw()
        else:
            self._asked = True
            self.call_later(wait_s, self._redraw_now)

    def _redraw_now(self) -> None:
        self._asked = False
        self.redraw()

    def toggle_pause(self) -> None:
        """Stand still, or go on."""
        self.paused = not self.paused

    def toggle_keys(self) -> None:
        """Show the keys, or hide them."""
        self.shows_keys = not self.shows_keys
        self.redraw()

    # -- export

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write what it shows to a file: the picture (.png, .jpg, .bmp) or the numbers (.csv).

        Raises UsageError for another ending, for a display without numbers and before it was shown, DeviceError for
        what the disk does.
        """
        file = Path(path)
        if file.suffix == ".csv":
            table = self.numbers()
            if table is None:
                raise UsageError(f"{self.path}: it shows no numbers that could be a table; export a .png")
            columns, values = table
            lines = [columns, *values.tolist()]
            try:
                with file.open("w", newline="", encoding="utf-8") as out:
                    csv.writer(out, lineterminator="\n").writerows(lines)
            except OSError as exc:
                raise file_trouble("cannot export to", str(file), exc) from exc
            return
        if file.suffix not in (".png", ".jpg", ".bmp"):
            raise UsageError(f"{self.path}: {file.name}: export to .png, .jpg or .bmp, or the numbers to .csv")
        if not self.is_shown:
            raise UsageError(f"{self.path}: it is not shown, so there is no picture to export")
        picture = self.pygame.Surface(self.size)
        origin, drawn_s = self._origin, self._drawn_s
        self.draw(picture, drawn_s)
        self._origin, self._drawn_s = origin, drawn_s
        try:
            self.pygame.image.save(picture, os.fspath(file))
        except (OSError, self.pygame.error) as exc:
            error = exc if isinstance(exc, OSError) else OSError(str(exc))
            raise file_trouble("cannot export to", str(file), error) from exc

    def export_here(self) -> None:
        """Export the picture and the numbers to the current folder; `status` and the log tell the names."""
        stem = f"{_file_name(self.title or self.name)}-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            for ending in (".png", ".csv") if self.numbers() is not None else (".png",):
                self.export(stem + ending)
                log.info("%s: exported to %s", self.path, stem + ending)
                self.send(Exported(os.path.abspath(stem + ending)), "status")
        except DeviceError as exc:
            log.error("%s: %s", self.path, exc)

    # -- the body

    def main(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait(*self.BOXES, "settings")
                self._take_all()
        except Finished:
            if self.window_is_closed:
                return
        yield from self._stay()

    def _stay(self) -> Generator[Any, Any, None]:
        """Its input has ended: it can still be looked at, and its settings be changed."""
        scheduler = self.scheduler
        assert scheduler is not None
        until_s = scheduler.time() + (_FOR_EVER_S if self._linger_s is None else self._linger_s)
        self.go_on_without_input()
        try:
            while (left_s := until_s - scheduler.time()) > 0:
                yield self.wait("settings", timeout=left_s)
                self._take_all()
        except Finished:  # nobody is left who could send any, or the window was closed
            yield from self.linger(max(0.0, until_s - scheduler.time()))

    def _take_all(self) -> None:
        if self.data_ready("settings"):
            self.take_settings()
        came = False
        for box in self.BOXES:
            for message in self.inbox(box):
                self.check(box, message)
                if not self.paused:
                    self.take(box, message)
                    came = True
        if came:
            self.took()

    def check(self, box: str, message: Any) -> None:
        """Raise for what it cannot show."""
        if not isinstance(message, Chunk):
            raise UsageError(
                f"{self.path}: it takes chunks of a stream (axonlike.streams.Chunk), not {show_value(message)}"
            )
        message.info.check(self.inbox_spec(box).stream, f"{self.path}.{box}")

    # -- how it looks

    def wish(self, theme: Theme) -> Wish:
        return Wish(self.at, height=self._height)

    def placed(self) -> None:
        self._static = None
        left, top, right, bottom = self.margins()
        width, height = self.size
        self.plot = self.pygame.Rect(left, top, max(0, width - left - right), max(0, height - top - bottom))
        self.arrange()

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        self._origin = surface.get_abs_offset()
        self._drawn_s = now_s
        if surface.get_size() != self.size or self.plot.width < 20 or self.plot.height < 10:
            surface.blit(self.theme.box(self.size, PANEL, LINE), (0, 0))  # too small, or cut off by the window's edge
            return
        if self._static is None:
            self._static = self._make_static(surface)
        surface.blit(self._static, (0, 0))
        self.draw_plot(surface, now_s)
        if self.focused and self._has_others:
            self.pygame.draw.rect(surface, ACCENT, surface.get_rect(), 1, border_radius=9)
        if self.paused:
            self.draw_badge(surface, "paused")
        if self.shows_keys:
            self._draw_keys(surface)

    def _make_static(self, surface: pygame.Surface) -> pygame.Surface:
        ground: pygame.Surface = self.pygame.Surface(self.size, 0, surface)
        ground.fill(BACKGROUND)
        self.draw_box(ground)
        self.draw_ground(ground)
        return ground

    @property
    def _has_others(self) -> bool:
        return self._display is not None and sum(widget.takes_focus for widget in self._display.widgets) > 1

    def text(
        self, surface: pygame.Surface, text: str, x: float, y: float, *, size: int = 13, colour: Colour = DIM,
        bold: bool = False, across: float = 0.0, down: float = 0.5,
    ) -> int:  # fmt: skip
        """Write. (x, y): of the point `across` its width and `down` its height. Returns the width."""
        picture = self.theme.font(size, bold=bold).render(text, True, colour)
        surface.blit(picture, (round(x - across * picture.get_width()), round(y - down * picture.get_height())))
        return picture.get_width()

    def text_width(self, text: str, size: int = 13, *, bold: bool = False) -> int:
        """In pixels."""
        return int(self.theme.font(size, bold=bold).size(text)[0])

    def draw_header(self, surface: pygame.Surface, title: str, notes: Iterable[tuple[str, Colour]] = ()) -> None:
        """The title at the left, and at the right what else is to be said."""
        y = HEADER_PX / 2 + 2
        width = self.text(surface, title, 16, y, size=15, bold=True, colour=TEXT)
        x = float(self.size[0] - _RIGHT_PX)
        for note, colour in reversed(list(notes)):
            needs = self.text_width(note)
            if x - needs < 16 + width + 24:
                break
            x -= self.text(surface, note, x, y, colour=colour, across=1.0) + 18

    def draw_box(self, ground: pygame.Surface) -> None:
        """What all of it lies on."""
        ground.blit(self.theme.box(self.size, PANEL, LINE), (0, 0))

    def draw_frame(self, ground: pygame.Surface, plot: pygame.Rect | None = None) -> None:
        """The plot's dark ground."""
        self.pygame.draw.rect(ground, PLOT, plot or self.plot)

    def draw_x(
        self, ground: pygame.Surface, axis: Axis, scale: Scale, *, plot: pygame.Rect | None = None, name: str = ""
    ) -> None:
        """Vertical lines of the grid, and labels below."""
        plot = plot or self.plot
        y = plot.bottom + 14
        needs = self.text_width(axis.units)
        end = plot.right - needs - 10 if axis.units else plot.right + 30
        for tick, label in zip(axis.ticks, axis.labels, strict=True):
            x = round(scale.pixel(tick))
            if plot.left < x < plot.right - 1:
                self.pygame.draw.line(ground, GRID, (x, plot.top), (x, plot.bottom - 1))
            if x + self.text_width(label) / 2 < end:
                self.text(ground, label, x, y, across=0.5)
        self.text(ground, axis.units, plot.right, y, across=1.0)

    def draw_y(
        self, ground: pygame.Surface, axis: Axis, scale: Scale, *, plot: pygame.Rect | None = None, lines: bool = True
    ) -> None:
        """Horizontal lines of the grid, labels at the left, and the units above them."""
        plot = plot or self.plot
        for tick, label in zip(axis.ticks, axis.labels, strict=True):
            y = round(scale.pixel(tick))
            if lines and plot.top < y < plot.bottom - 1:
                self.pygame.draw.line(ground, GRID, (plot.left, y), (plot.right - 1, y))
            if axis.units and y < plot.top + 20:
                continue  # the units stand there
            self.text(ground, label, plot.left - 10, min(y, plot.bottom - 7), across=1.0)
        if axis.units:
            self.text(ground, axis.units, plot.left - 10, plot.top + 7, across=1.0)

    def draw_bar(self, ground: pygame.Surface, gain: float, scale: Scale, units: str) -> None:
        """Beside the plot a round amplitude, about as high as a lane: what lanes with one gain are read by."""
        lane_px = self.plot.height / (scale.high - scale.low)
        axis = tick_axis(0.0, min(max(lane_px, 40), 110) / lane_px / gain, 2, units)
        if len(axis.ticks) < 2:
            return
        height = axis.ticks[1] * gain * lane_px
        x, y = self.plot.right + 18, self.plot.bottom - 1
        self.pygame.draw.line(ground, TEXT, (x, y), (x, round(y - height)), 2)
        for end in (y, round(y - height)):
            self.pygame.draw.line(ground, TEXT, (x - 4, end), (x + 5, end), 2)
        self.text(ground, axis.labels[1], x + 12, y - height / 2 - 8, colour=TEXT)
        self.text(ground, axis.units, x + 12, y - height / 2 + 8)

    def draw_waiting(self, surface: pygame.Surface, text: str = "waiting for a signal") -> None:
        """Nothing has come yet."""
        self.text(surface, text, *self.plot.center, size=15, across=0.5)

    def draw_badge(self, surface: pygame.Surface, text: str) -> None:
        """A word in the plot's corner: it is paused."""
        width = self.text_width(text, bold=True) + 20
        box = self.theme.box((width, 24), WARNING, radius=12)
        x, y = self.plot.right - width - 8, self.plot.top + 8
        surface.blit(box, (x, y))
        self.text(surface, text, x + 10, y + 12, colour=PANEL, bold=True)

    def _draw_keys(self, surface: pygame.Surface) -> None:
        names = {"space": "Space", "left": "←", "right": "→", "up": "↑", "down": "↓"}
        line = 24
        most = max(1, (self.size[1] - 60) // line)
        columns: list[Sequence[tuple[str, str]]] = []
        for part in (self.MOUSE, [(names.get(key.key, key.key), key.text) for key in (*self.KEYS, *self.EVERYWHERE)]):
            columns += [part[i : i + most] for i in range(0, len(part), most)]
        per_column = max(map(len, columns))
        widths = [
            (max(self.text_width(k, bold=True) for k, _ in column), max(self.text_width(t) for _, t in column))
            for column in columns
        ]
        width = sum(a + b + 16 for a, b in widths) + 32 * (len(widths) - 1) + 48
        height = per_column * line + 32
        veil = self.pygame.Surface(self.size, self.pygame.SRCALPHA)
        veil.fill((*PANEL, 150))
        surface.blit(veil, (0, 0))
        left, top = (self.size[0] - width) // 2, (self.size[1] - height) // 2
        surface.blit(self.theme.box((max(1, width), height), RAISED, LINE), (left, top))
        x = left + 24
        for column, (keys_px, texts_px) in zip(columns, widths, strict=True):
            for row, (key, text) in enumerate(column):
                y = top + 16 + line * row + line // 2
                self.text(surface, key, x + keys_px, y, colour=ACCENT, bold=True, across=1.0)
                self.text(surface, text, x + keys_px + 16, y, colour=TEXT)
            x += keys_px + texts_px + 16 + 32

    # -- the mouse and the keys

    def pointer_place(self) -> tuple[int, int]:
        """Where the mouse is, in the widget; anywhere, if it is elsewhere."""
        x, y = self.pygame.mouse.get_pos()
        return x - self._origin[0], y - self._origin[1]

    def held(self, modifier: str) -> bool:
        """Is "ctrl" or "shift" down?"""
        return bool(self.pygame.key.get_mods() & getattr(self.pygame, f"KMOD_{modifier.upper()}"))

    def mouse_pressed(self, x: int, y: int) -> None:
        self._pressed_at = self._dragged_to = (x, y)
        self._was_dragged = False

    def mouse_dragged(self, x: int, y: int) -> None:
        if not self._was_dragged and max(abs(x - self._pressed_at[0]), abs(y - self._pressed_at[1])) < 4:
            return
        self._was_dragged = True
        dx, dy = x - self._dragged_to[0], y - self._dragged_to[1]
        self._dragged_to = (x, y)
        if dx or dy:
            self.dragged(dx, dy)

    def mouse_released(self, inside: bool) -> None:
        scheduler = self.scheduler
        if self._was_dragged or not inside or scheduler is None:
            return
        if self.shows_keys:
            self.toggle_keys()
            return
        now_s = scheduler.time()
        if now_s - self._pressed_s < _DOUBLE_CLICK_S:
            self._pressed_s = -1.0
            self.double_clicked(*self._pressed_at)
        else:
            self._pressed_s = now_s
            self.clicked(*self._pressed_at)

    def key_pressed(self, event: Any) -> bool:
        for chord, method in self._keys:
            if chord.matches(event, self.pygame):
                getattr(self, method)()
                return True
        if self.shows_keys and event.key == self.pygame.K_ESCAPE:
            self.toggle_keys()
            return True
        return False

    def shortcut_pressed(self, event: Any) -> bool:
        """Keys are for the display below the mouse; if that is elsewhere, for the first that knows them."""
        others = self._display.widgets if self._display is not None and not self.hovered else ()
        if any(widget.hovered and isinstance(widget, Instrument) for widget in others):
            return False
        return self.key_pressed(event)
