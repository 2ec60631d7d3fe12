"""The default viewer of a plot: one window with a panel for each value, a strip of parameters and a status line.

What is shown is decided in `shown.py` and drawn in `panels/`; this component takes the calculation's messages, gives
the user's doing back, and sees that each frame is answered when its picture has been drawn, and not before.
"""

from __future__ import annotations

import csv
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np
import numpy.typing as npt

from axonlike.components.file.trouble import file_trouble
from axonlike.components.ui.instrument import Exported, Instrument, Key
from axonlike.components.ui.keynames import name_of
from axonlike.components.ui.theme import LINE, RAISED, TEXT
from axonlike.components.ui.wrapping import printable, wrap
from axonlike.errors import AxonlikeError, DeviceError, Finished, UsageError, show_value
from axonlike.linkage import Box
from axonlike.plotting.messages import Did, Drawn, Ended, Failed, Frame, Ready, Set, Values, Welcome
from axonlike.plotting.panels.curves import CurvesPanel
from axonlike.plotting.panels.grid import Place, grid
from axonlike.plotting.panels.kinds import PANELS
from axonlike.plotting.panels.panel import PlotPanel
from axonlike.plotting.panels.pen import Pen
from axonlike.plotting.panels.status import STATUS_PX, Status, draw_status
from axonlike.plotting.panels.strip import ParamStrip
from axonlike.plotting.panels.text import TextPanel
from axonlike.plotting.panels.trail import Trail
from axonlike.plotting.params import ParamValue
from axonlike.plotting.shown import Shown, panels_of

if TYPE_CHECKING:
    import pygame

__all__ = ["FilmWriter", "PlotView", "Plotter"]

log = logging.getLogger("axonlike.plot")

Size = tuple[int, int]

_GAP_PX: Final = 10
_STRIP_PX: Final = 268
_NARROW_PX: Final = 620
_SETS_PER_S: Final = 30.0
_QUIET_S: Final = 2.0
"""After which time without a frame the status line says so."""
_FOR_EVER_S: Final = 1e9
_SAID_S: Final = 8.0
_LAST_FRAME_S: Final = 2.0
"""How long the end of a calculation waits for its last picture."""
_KEPT_NAMES: Final = 256
_TEXTS: Final = 100
_DOUBLE_CLICK_S: Final = 0.35
_FAILURE: Final = "\0failure"


class Plotter(Protocol):
    """A plotter of the user's own (`axonlike.plotting.plotter.OwnPlotter`)."""

    def draw(self, frame: Frame, size_px: Size, size_of: Callable[[int], Size], /) -> Frame:
        """The frame with pictures, or values for panels, in the place of its values. size_of: of each of n pictures."""
        ...


class FilmWriter(Protocol):
    """What a film is written to (`axonlike.plotting.film.Film`)."""

    def add(self, picture: npt.NDArray[np.uint8], /) -> None:
        """The next picture, (height, width, 3); the window may have another size by now."""

    def close(self) -> None:
        """Finish the file."""


def _film(path: str, fps: float) -> FilmWriter:
    from axonlike.plotting.film import Film

    return Film(path, fps)


class PlotView(Instrument):
    """Shows the frames of a calculation, and tells it what its user does.

    plotter: draws in its own way, once for each frame; when the window gets another size, its pictures are scaled until
    the next one. Without a plotter each value has a panel that fits it. linger_s: how long it stays after a calculation
    has ended that does not ask for more (None: until the window is closed). make_film: opens a film's file.

    `Drawn(number)` is sent when the picture with that frame stands in the window. While it is paused, frames are not
    answered, so a calculation that waits for answers is not asked for more.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("Welcome, Frame, Values, Ended: what the calculation says", (Welcome, Frame, Values, Ended)),
        "done": Box("what its user did, on its way to the outbox (filled by itself)", limit=None, aside=True),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("Ready, Drawn, Did, Set, Failed: what the calculation is told", (Ready, Drawn, Did, Set, Failed)),
    }
    takes_text = True
    MOUSE = (
        ("Wheel", "zoom at the pointer"),
        ("Shift + wheel", "zoom across only"),
        ("Ctrl + wheel", "zoom up and down only"),
        ("Drag", "move what is seen"),
        ("Double click", "show this panel alone, or all"),
        ("Double right click", "show all of it again"),
    )
    KEYS = (
        Key("l", "logarithmic values, or straight", "toggle_log_y"),
        Key("x", "logarithmic x axis, or straight", "toggle_log_x"),
        Key("r", "show all of it again", "reset"),
        Key("p", "show or hide the parameters", "toggle_params"),
        Key("f", "begin or end a film", "toggle_film"),
    )

    def __init__(
        self,
        plotter: Plotter | None = None,
        *,
        title: str = "",
        linger_s: float | None = 0.0,
        make_film: Callable[[str, float], FilmWriter] = _film,
    ) -> None:
        super().__init__(title=title, at="middle", height=None, linger_s=linger_s)
        self._plotter = plotter
        self._make_film = make_film
        self._welcome: Welcome | None = None
        self._is_ready = False
        self._frame: Frame | None = None
        self._held: Frame | None = None
        """Came while paused."""
        self._undrawn: int | None = None
        """The number of a frame whose picture has not been drawn yet."""
        self._ended: Ended | None = None
        self._input_is_over = False
        self._ends_at_s: float | None = None
        self._pen: Pen | None = None
        self._panels: dict[str, PlotPanel] = {}
        self._trails: dict[str, Trail] = {}
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        """Of the panels of the newest frame."""
        self._alone: str | None = None
        self._area: Place = (0, 0, 0, 0)
        self._notes: tuple[str, ...] = ()
        self._failures: set[str] = set()
        self._drawn_times: deque[float] = deque(maxlen=64)
        self._came_s = 0.0
        self._watches_for_quiet = False
        self._is_quiet = False
        self._said = ""
        self._said_until_s = 0.0
        self._strip: ParamStrip | None = None
        self._shows_strip = False
        self._on_strip = False
        self._sets: dict[str, ParamValue] = {}
        self._set_s = -1.0
        self._right_pressed_s = -1.0
        self._down: set[int] = set()
        """Keys that are held down."""
        self._film: FilmWriter | None = None
        self._film_path = ""
        self._film_pictures = 0
        self._is_exporting = False
        self.be_ready()

    # -- what comes

    def main(self) -> Generator[Any, Any, None]:
        try:
            while not self._is_over():
                try:
                    yield self.wait("inbox", "settings", "done", timeout=self._patience_s())
                except Finished:
                    if self.window_is_closed:
                        break
                    self.go_on_without_input()
                    self._calculation_gone()
                    continue
                self._take_all()
                if self.data_ready("done"):
                    self.send(self.recv("done"))
            self.send_many(self.inbox("done"))
            if self.window_is_closed:
                self.send(Did("closed"))
        finally:
            self._end_film(tells=False)

    def _is_over(self) -> bool:
        scheduler = self.scheduler
        assert scheduler is not None
        if self._ends_at_s is None or self.data_ready("inbox"):
            return False
        now_s = scheduler.time()
        if self._undrawn is not None and now_s < self._came_s + _LAST_FRAME_S:
            return False
        return now_s >= self._ends_at_s

    def _patience_s(self) -> float | None:
        scheduler = self.scheduler
        assert scheduler is not None
        if self._ends_at_s is None or self._ends_at_s == float("inf"):
            # With a time-out a circle with a source that has ended is not taken for over, as long as there is a window.
            return _FOR_EVER_S if self._input_is_over else None
        until_s = self._ends_at_s
        if self._undrawn is not None:
            until_s = max(until_s, self._came_s + _LAST_FRAME_S)
        return max(0.0, until_s - scheduler.time())

    def consumer_ended(self, outbox: str) -> None:
        """Nobody is told any more what its user does: no reason to end for something to be looked at."""

    def _end_soon(self) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        if self._ends_at_s is None:
            self._ends_at_s = float("inf") if self._linger_s is None else scheduler.time() + self._linger_s

    def _calculation_gone(self) -> None:
        if self._input_is_over:
            return
        self._input_is_over = True
        holds = self._ended.hold if self._ended is not None else self._welcome is not None and self._welcome.hold
        if not holds:
            self._end_soon()
        self.redraw()

    def _take_all(self) -> None:
        if self.data_ready("settings"):
            self.take_settings()
        for message in self.inbox("inbox"):
            self.check("inbox", message)
            self._take_message(message)

    def check(self, box: str, message: Any) -> None:
        if not isinstance(message, Welcome | Frame | Values | Ended):
            raise UsageError(
                f"{self.path}: it takes what a calculation says to its viewer (Welcome, Frame, Values, Ended of "
                f"axonlike.plotting.messages), not {show_value(message)}"
            )

    def _take_message(self, message: Welcome | Frame | Values | Ended) -> None:
        if isinstance(message, Frame):
            if self.paused:
                self._held = message
            else:
                self._take_frame(message)
            return
        if isinstance(message, Welcome):
            self._begin(message)
        elif isinstance(message, Values):
            if self._strip is not None:
                self._strip.take(message.values)
        else:
            self._ended = message
            if not message.hold:
                self._end_soon()
        self.redraw()

    def _begin(self, welcome: Welcome) -> None:
        """A calculation greets us: the first, or another after the connection was lost."""
        self._welcome, self._ended, self._ends_at_s = welcome, None, None
        self._trails.clear()
        for panel in self._panels.values():
            if isinstance(panel, CurvesPanel):
                panel.trail = None
        for name, rows in welcome.history.items():
            array = np.asarray(rows, np.float64) if np.asarray(rows).dtype.kind in "biuf" else np.empty((0, 2))
            if array.ndim == 2 and array.shape[1] == 2:
                self._trail(name).begin(array)
        self._strip = None
        if welcome.params:
            self._strip = ParamStrip(self._the_pen, welcome.params, welcome.values, enabled=welcome.controls)
            self._shows_strip = welcome.controls
        self.arrange()

    @property
    def _the_pen(self) -> Pen:
        if self._pen is None:
            self._pen = Pen(self.pygame, self.theme)
        return self._pen

    def _trail(self, name: str) -> Trail:
        trail = self._trails.get(name)
        if trail is None:
            while len(self._trails) >= _KEPT_NAMES:
                self._trails.pop(next(iter(self._trails)))
            trail = self._trails[name] = Trail()
        return trail

    def _take_frame(self, frame: Frame) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        self._frame, self._held, self._undrawn = frame, None, frame.number
        self._came_s = scheduler.time()
        self._is_quiet = False
        self._watch_for_quiet()
        self._fill_panels(frame)
        self.redraw_in_time()

    def _fill_panels(self, frame: Frame) -> None:
        """Have the panels show this frame."""
        scheduler = self.scheduler
        assert scheduler is not None
        hints = self._welcome.panels if self._welcome is not None else {}
        if self._plotter is None:
            shown = panels_of(frame.args, frame.kwargs, hints)
        else:
            try:
                size = (max(16, self._area[2]), max(16, self._area[3]))
                frame = self._plotter.draw(frame, size, self._size_of)
                drawn = panels_of(frame.args, frame.kwargs, hints)
                shown = {
                    name: replace(one, kind="figure") if one.kind == "picture" else one for name, one in drawn.items()
                }
            except Exception as exc:
                text = str(exc) if isinstance(exc, AxonlikeError) else f"{type(exc).__name__}: {exc}"
                self._failed(text, exc)
                shown = {_FAILURE: Shown("text", title="The plotter failed", text=text)}
        now_s = scheduler.time()
        call = frame.call or frame.number
        for name, one in shown.items():
            self._fill(name, one, call, now_s)
        self._notes = tuple(f"{name}: {one.note}" for name, one in shown.items() if one.note)
        if self._names != list(shown):
            self._names = list(shown)
            self._forget_some()
            self.arrange()

    def _fill(self, name: str, shown: Shown, call: int, now_s: float) -> None:
        trail = None
        if shown.kind == "history":
            trail = self._trail(name)
            trail.add(call, shown.value)
        wanted = PANELS[shown.kind]
        panel = self._panels.get(name)
        if type(panel) is not wanted:
            number = self._numbers.setdefault(name, len(self._numbers))
            new = wanted(self._the_pen, name, number)
            if panel is not None:
                new.place(panel.rect)
            panel = self._panels[name] = new
        if isinstance(panel, CurvesPanel):
            panel.trail = trail
        elif isinstance(panel, TextPanel):
            panel.failure = name == _FAILURE
        try:
            panel.show(shown, now_s)
        except Exception as exc:
            self._panel_failed(panel, exc)

    def _panel_failed(self, panel: PlotPanel, exc: Exception) -> None:
        """A panel of ours cannot show what came. The others can."""
        text = f"the panel {panel.name!r} cannot be drawn: {type(exc).__name__}: {exc}"
        self._failed(text, exc)
        words = TextPanel(self._the_pen, panel.name, panel.number)
        words.failure = True
        words.place(panel.rect)
        words.show(Shown("text", title=panel.shown.title, text=text), 0.0)
        self._panels[panel.name] = words

    def _failed(self, text: str, exc: Exception) -> None:
        """Tell it once, however often it happens."""
        if text in self._failures:
            return
        if len(self._failures) >= _TEXTS:
            self._failures.clear()
        self._failures.add(text)
        log.warning("%s: %s", self.path, text, exc_info=None if isinstance(exc, AxonlikeError) else exc)
        self._tell(Failed(text[:4000]))

    def _forget_some(self) -> None:
        """Panels that have not been seen for long: somebody may make up a new name for each frame."""
        for name in list(self._panels):
            if len(self._panels) <= _KEPT_NAMES:
                break
            if name not in self._names:
                del self._panels[name]
                self._numbers.pop(name, None)

    def _tell(self, message: Any) -> None:
        """Send it on as soon as there is room."""
        self.open_inbox("done").put(message)

    def _watch_for_quiet(self) -> None:
        if not self._watches_for_quiet:
            self._watches_for_quiet = True
            self.call_later(_QUIET_S, self._look_for_quiet)

    def _look_for_quiet(self) -> None:
        """Called at last two seconds after the last frame; there is no timer after that."""
        scheduler = self.scheduler
        assert scheduler is not None
        left_s = self._came_s + _QUIET_S - scheduler.time()
        if left_s > 1e-3:
            self.call_later(left_s, self._look_for_quiet)
            return
        self._watches_for_quiet = False
        self._is_quiet = True
        self._drawn_times.clear()
        self.redraw()

    def apply(self, name: str) -> None:
        if name == "paused":
            self._tell(Did("paused" if self.paused else "resumed"))  # so that nobody waits for what it does not draw
        if name == "paused" and not self.paused and self._held is not None:
            self._take_frame(self._held)

    def say(self, text: str) -> None:
        """Show a sentence for some seconds."""
        scheduler = self.scheduler
        assert scheduler is not None
        self._said, self._said_until_s = text, scheduler.time() + _SAID_S
        self.call_later(_SAID_S + 0.05, self.redraw)
        self.redraw()

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        return 0, 0, 0, STATUS_PX

    def arrange(self) -> None:
        """Places for the panels and the strip."""
        if not self.plot.width:
            return  # there is no window yet, and so no fonts to measure with
        x, y, width, height = self.plot
        strip = self._strip
        if strip is not None and self._shows_strip:
            if width >= _NARROW_PX:
                strip.place(self.pygame.Rect(x + width - _STRIP_PX, y, _STRIP_PX, height))
                width -= _STRIP_PX + _GAP_PX
            else:
                own = min(240, height // 2)
                strip.place(self.pygame.Rect(x, y + height - own, width, own))
                height -= own + _GAP_PX
        self._area = (x, y, max(0, width), max(0, height))
        names = self._visible
        fills = self._plotter is None
        for name, place in zip(names, grid(len(names), self._area, gap=_GAP_PX, fills=fills), strict=True):
            self._panels[name].place(self.pygame.Rect(place))
        self.redraw()

    def _size_of(self, pictures: int) -> Size:
        """Of each of so many pictures."""
        alone = 1 if self._alone is not None else pictures
        places = grid(max(1, alone), self._area, gap=_GAP_PX, fills=False)
        return max(16, places[0][2]), max(16, places[0][3])

    @property
    def _visible(self) -> list[str]:
        if self._alone is not None and self._alone in self._names:
            return [self._alone]
        return self._names

    def draw_box(self, ground: pygame.Surface) -> None:
        """Nothing: each panel has a box of its own."""

    def draw_badge(self, surface: pygame.Surface, text: str) -> None:
        """Nothing: the status line says it."""

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        super().draw(surface, now_s)
        if self._is_exporting or surface.get_size() != self.size or self.plot.width < 20 or self.plot.height < 10:
            return
        if self._welcome is not None and not self._is_ready:
            self._is_ready = True
            self._tell(Ready())
            if not self.title and self._welcome.title:
                self.pygame.display.set_caption(printable(self._welcome.title))
        if self._undrawn is not None:
            number, self._undrawn = self._undrawn, None
            self._drawn_times.append(now_s)
            self._film_picture(surface)
            self._tell(Drawn(number))

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        for name in self._visible:
            panel = self._panels[name]
            try:
                panel.draw(surface)
            except Exception as exc:
                self._panel_failed(panel, exc)
                self._panels[name].draw(surface)
        if not self._names:
            left, top, width, height = self._area
            self._the_pen.text(
                surface, "waiting for data", left + width / 2, top + height / 2, size=16, across=0.5, colour=TEXT
            )
        if self._strip is not None and self._shows_strip:
            self._strip.draw(surface)
        width, height = self.size
        line = self.pygame.Rect(0, height - STATUS_PX, width, STATUS_PX)
        draw_status(self._the_pen, surface, line, self.status_now(now_s))
        if self._said and now_s < self._said_until_s:
            self._draw_said(surface)

    def status_now(self, now_s: float) -> Status:
        """What the status line says."""
        frame, ended = self._frame, self._ended
        if ended is not None:
            state = ended.text if ended.text not in ("", "has ended") else "the calculation has ended"
        elif self._input_is_over:
            state = "the calculation has gone"
        elif self.paused:
            state = "paused"
        elif frame is None:
            state = "waiting for data"
        else:
            state = "no new data" if self._is_quiet else "live"
        film = f"film: {self._film_pictures} pictures" if self._film is not None else ""
        if frame is None:
            return Status(state, film=film)
        return Status(
            state, frame.number, frame.call, self._fps(now_s) if state == "live" else None, frame.counters, film,
            self._notes,
        )  # fmt: skip

    def _fps(self, now_s: float) -> float | None:
        """Frames a second over the last second or so."""
        times = [moment for moment in self._drawn_times if moment > now_s - 1.5]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None

    def _draw_said(self, surface: pygame.Surface) -> None:
        pen = self._the_pen
        room = min(self.size[0] - 80, 720)
        if room < 60:
            return
        font = self.theme.font(14)
        rows = [row.text for row in wrap(printable(self._said), room, lambda text: font.size(text)[0])][:6]
        line = font.get_linesize()
        width, height = max(pen.width(row, 14) for row in rows) + 40, line * len(rows) + 24
        left, top = (self.size[0] - width) // 2, self.size[1] - STATUS_PX - height - 16
        surface.blit(self.theme.box((width, height), RAISED, LINE), (left, top))
        for number, row in enumerate(rows):
            pen.text(surface, row, left + 20, top + 12 + line * (number + 0.5), size=14, colour=TEXT)

    # -- the mouse

    def _panel_at(self, x: int, y: int) -> PlotPanel | None:
        return next(
            (panel for name in self._visible if (panel := self._panels[name]).rect.collidepoint(x, y)), None
        )  # fmt: skip

    def _strip_at(self, x: int, y: int) -> ParamStrip | None:
        strip = self._strip
        return strip if strip is not None and self._shows_strip and strip.rect.collidepoint(x, y) else None

    def mouse_pressed(self, x: int, y: int) -> None:
        strip = self._strip_at(x, y)
        self._on_strip = strip is not None
        if strip is not None:
            self._change(strip.press(x, y))
            return
        if self._strip is not None:
            self._change(self._strip.finish())
        super().mouse_pressed(x, y)

    def mouse_dragged(self, x: int, y: int) -> None:
        if not self._on_strip:
            super().mouse_dragged(x, y)
        elif self._strip is not None:
            self._change(self._strip.drag(x, y))

    def mouse_released(self, inside: bool) -> None:
        if not self._on_strip:
            super().mouse_released(inside)
        elif self._strip is not None:
            self._on_strip = False
            self._strip.release()
            self.redraw()

    def dragged(self, dx: int, dy: int) -> None:
        panel = self._panel_at(*self._pressed_at)
        if panel is not None and panel.move(dx, dy):
            self.redraw()

    def clicked(self, x: int, y: int) -> None:
        self._clicked(x, y, 1)

    def _clicked(self, x: int, y: int, button: int) -> None:
        panel = self._panel_at(x, y)
        at = panel.point(x, y) if panel is not None else None
        if panel is not None and at is not None:
            self._tell(Did("click", panel=panel.name[:256], x=at[0], y=at[1], button=button))

    def button_pressed(self, x: int, y: int, button: int) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        if self._strip_at(x, y) is not None:
            return
        self._clicked(x, y, button)
        if button != 3:
            return
        now_s = scheduler.time()
        if now_s - self._right_pressed_s < _DOUBLE_CLICK_S:
            self._right_pressed_s = -1.0
            panel = self._panel_at(x, y)
            if panel is not None:
                panel.reset()
                self.redraw()
        else:
            self._right_pressed_s = now_s

    def double_clicked(self, x: int, y: int) -> None:
        if self._alone is not None:
            self._alone = None
        elif len(self._names) > 1:
            panel = self._panel_at(x, y)
            self._alone = panel.name if panel is not None else None
        self.arrange()

    def wheel_turned(self, notches: int) -> None:
        x, y = self.pointer_place()
        strip = self._strip_at(x, y)
        if strip is not None:
            self._change(strip.wheel(x, y, notches))
            return
        panel = self._panel_at(x, y)
        across, down = not self.held("ctrl"), not self.held("shift")
        if panel is not None and panel.zoom(x, y, 1.25**-notches, across=across or not down, down=down or not across):
            self.redraw()

    # -- keys

    def key_pressed(self, event: Any) -> bool:
        strip = self._strip
        if strip is not None and strip.is_editing:
            self._edit(strip, event)
            return True
        repeated = event.key in self._down
        self._down.add(event.key)
        # A key that is held down repeats; one that saves a file or switches something does so once.
        if (repeated and any(chord.matches(event, self.pygame) for chord, _ in self._keys)) or super().key_pressed(
            event
        ):
            return True
        pygame = self.pygame
        if event.key == pygame.K_ESCAPE and self._alone is not None:
            self._alone = None
            self.arrange()
            return True
        if strip is not None and self._strip_at(*self.pointer_place()) is not None:
            name = {pygame.K_LEFT: "left", pygame.K_RIGHT: "right", pygame.K_RETURN: "return"}.get(event.key, "")
            was_for_it, change = strip.key(name, *self.pointer_place())
            if was_for_it:
                self._change(change)
                self.redraw()
                return True
        if event.key not in _modifiers(pygame):
            self._tell(Did("key", key=name_of(event, pygame)[:256]))
        return True

    def key_released(self, event: Any) -> None:
        self._down.discard(event.key)

    def _edit(self, strip: ParamStrip, event: Any) -> None:
        """A key while a field is being edited: all are for it."""
        pygame, editor, key = self.pygame, strip.editor, event.key
        ctrl, shift = bool(event.mod & pygame.KMOD_CTRL), bool(event.mod & pygame.KMOD_SHIFT)
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._change(strip.submit())
        elif key == pygame.K_ESCAPE:
            strip.cancel()
        elif key == pygame.K_LEFT:
            editor.left(word=ctrl, select=shift)
        elif key == pygame.K_RIGHT:
            editor.right(word=ctrl, select=shift)
        elif key == pygame.K_HOME:
            editor.home(select=shift)
        elif key == pygame.K_END:
            editor.end(select=shift)
        elif key == pygame.K_BACKSPACE:
            editor.backspace(word=ctrl)
            strip.typed()
        elif key == pygame.K_DELETE:
            editor.delete(word=ctrl)
            strip.typed()
        elif ctrl and key == pygame.K_a:
            editor.select_all()
        self.redraw()

    def text_typed(self, text: str) -> None:
        strip = self._strip
        if strip is not None and strip.is_editing:
            strip.editor.insert(text)
            strip.typed()
            self.redraw()

    def _under_the_pointer(self) -> PlotPanel | None:
        """The panel there, or the only one."""
        if len(self._visible) == 1:
            return self._panels[self._visible[0]]
        panel = self._panel_at(*self.pointer_place())
        if panel is None:
            self.say("Point at a panel with the mouse first.")
        return panel

    def toggle_log_y(self) -> None:
        """Of the panel under the pointer."""
        self._toggle_log("y")

    def toggle_log_x(self) -> None:
        """Of the panel under the pointer."""
        self._toggle_log("x")

    def _toggle_log(self, axis: str) -> None:
        panel = self._under_the_pointer()
        if panel is not None:
            refused = panel.toggle_log(axis)
            if refused:
                self.say(f"{refused[0].upper()}{refused[1:]}.")
            self.redraw()

    def reset(self) -> None:
        """The panel under the pointer shows all of it; with the pointer elsewhere, all panels do."""
        panel = self._panel_at(*self.pointer_place())
        for one in [panel] if panel is not None else [self._panels[name] for name in self._visible]:
            one.reset()
        self.redraw()

    # -- parameters

    def toggle_params(self) -> None:
        """Show the strip, or hide it."""
        if self._strip is None:
            self.say("There are no parameters: the calculation names them with LivePlot(params={...}).")
            return
        self._change(self._strip.finish())
        self._shows_strip = not self._shows_strip
        self.arrange()

    def _change(self, change: tuple[str, ParamValue] | None) -> None:
        """The user set a parameter: sent at once, but not more often than 30 times a second."""
        self.redraw()
        scheduler = self.scheduler
        if change is None or scheduler is None:
            return
        waits = bool(self._sets)
        self._sets[change[0]] = change[1]
        wait_s = self._set_s + 1 / _SETS_PER_S - scheduler.time()
        if wait_s <= 0:
            self._send_sets()
        elif not waits:
            self.call_later(wait_s, self._send_sets)

    def _send_sets(self) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        sets, self._sets = self._sets, {}
        for name, value in sets.items():
            self._set_s = scheduler.time()
            self._tell(Set(name, value))

    # -- export

    def _tables(self) -> dict[str, list[list[Any]]]:
        tables = {name: self._panels[name].table() for name in self._names}
        return {name: table for name, table in tables.items() if table}

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the picture (.png, .jpg, .bmp), or the values of the panels (.csv).

        Values go to a file for each panel, ``NAME-PANEL.csv``; those of a single panel to ``NAME.csv``. Of an image
        the first row has the places across, and the first column those up. Raises as `Instrument.export`.
        """
        if Path(path).suffix == ".csv":
            self._export_tables(Path(path))
            return
        self._is_exporting = True
        try:
            super().export(path)
        finally:
            self._is_exporting = False

    def _export_tables(self, path: Path) -> list[Path]:
        tables = self._tables()
        if not tables:
            raise UsageError(f"{self.path}: it shows no numbers that could be a table; export a .png")
        written = []
        for name, table in tables.items():
            file = path if len(tables) == 1 else path.with_name(f"{path.stem}-{_plain(name)}.csv")
            try:
                with file.open("w", newline="", encoding="utf-8") as out:
                    csv.writer(out, lineterminator="\n").writerows(table)
            except OSError as exc:
                raise file_trouble("cannot export to", str(file), exc) from exc
            written.append(file)
        return written

    def _stem(self) -> str:
        title = self.title or (self._welcome.title if self._welcome is not None else "") or "plot"
        return f"{_plain(title)}-{time.strftime('%Y%m%d-%H%M%S')}"

    def export_here(self) -> None:
        """Export the picture and the values to the current folder; the window, `status` and the log tell the names."""
        stem = self._stem()
        try:
            files = [Path(f"{stem}.png")]
            self.export(files[0])
            if self._tables():
                files += self._export_tables(Path(f"{stem}.csv"))
        except (DeviceError, UsageError) as exc:
            log.error("%s: %s", self.path, exc)
            self.say(str(exc))
            return
        for file in files:
            log.info("%s: exported to %s", self.path, file)
            self.send(Exported(os.path.abspath(file)), "status")
        more = f" and the values of {len(files) - 1} panel{'s' if len(files) > 2 else ''} (.csv)" if files[1:] else ""
        self.say(f"Saved {files[0]}{more} in {os.getcwd()}.")

    # -- the film

    def toggle_film(self) -> None:
        """Begin a film of the frames to come, or end it."""
        if self._film is not None:
            self._end_film()
            return
        path = f"{self._stem()}.mp4"
        fps = min(max(self._welcome.fps if self._welcome is not None else 30.0, 1.0), 60.0)
        try:
            self._film = self._make_film(path, fps)
        except (AxonlikeError, OSError) as exc:
            log.warning("%s: no film: %s", self.path, exc)
            self.say(str(exc))
            return
        self._film_path, self._film_pictures = path, 0
        self.redraw()

    def _film_picture(self, surface: pygame.Surface) -> None:
        if self._film is None:
            return
        try:
            self._film.add(np.ascontiguousarray(self.pygame.surfarray.array3d(surface).swapaxes(0, 1)))
            self._film_pictures += 1
        except (AxonlikeError, OSError, ValueError) as exc:
            log.error("%s: %s: %s", self.path, self._film_path, exc)
            self._end_film()
            self.say(f"The film has ended: {exc}")

    def _end_film(self, *, tells: bool = True) -> None:
        """tells: there is somebody to be told what became of it."""
        film, self._film = self._film, None
        if film is None:
            return
        try:
            film.close()
        except (AxonlikeError, OSError, ValueError) as exc:
            log.error("%s: %s: %s", self.path, self._film_path, exc)
            text = f"The film could not be finished: {exc}"
        else:
            text = f"Saved {self._film_path}, {self._film_pictures} pictures, in {os.getcwd()}."
            if not self._film_pictures:
                text = "No frame came, so there is no film."
            log.info("%s: %s", self.path, text)
            if tells and self._film_pictures:
                self.send(Exported(os.path.abspath(self._film_path)), "status")
        if tells:
            self.say(text)


def _plain(name: str) -> str:
    """As part of a file's name."""
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("-.")
    return plain[:80] or "plot"


def _modifiers(pygame: Any) -> frozenset[int]:
    return frozenset(
        getattr(pygame, f"K_{name}")
        for name in ("LSHIFT", "RSHIFT", "LCTRL", "RCTRL", "LALT", "RALT", "LMETA", "RMETA", "CAPSLOCK", "NUMLOCK")
    )
