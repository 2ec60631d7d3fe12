"""The window, and the only place that talks to pygame about events and frames.

Which thread. pygame wants its events to be fetched in the thread that opened the window, and on some systems that has
to be the process's first one. `run()` is called there, so the scheduler's own thread it is: no lock is needed, and a
widget's methods run between two steps like everything else. It costs the others one or two milliseconds a frame, and
frames are drawn only while something changes, at most 60 a second.

When nothing happens. On an X server the event loop watches the server's connection, so a key or the mouse wakes the
program at once, and a rare look (once a second) finds what Xlib may have read while it waited for something else.
Elsewhere events are asked for 25 times a second. Nothing is drawn unless a widget asked for it.

When it ends. Closing the window ends all widgets as an end of input does: what was typed is still sent, files get
their last lines. What has not ended by itself some seconds later is stopped. When an X server dies, Xlib would end the
process in the next call to it: its connection is looked at before each use (`library.XConnection`), and the run ends in
order with a `ScreenLost`. If it dies within a call (a frame takes a millisecond or two), there is no way back from that
call: the parts are stopped out of it, threads get their time to write and close what they hold, the same text is
printed, and the process exits with 1.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.library import NoScreen, ScreenLost, XConnection, load_pygame, open_video, plain_pictures
from axonlike.components.ui.placing import Rect, natural_size, place
from axonlike.components.ui.theme import ACCENT, BACKGROUND, GAP, PANEL, TEXT, Theme
from axonlike.driven import Driven
from axonlike.errors import UsageError, WiringError
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.timers import Timer

if TYPE_CHECKING:
    import pygame

    from axonlike.components.ui.widget import Widget

__all__ = ["KIND", "NAME", "Display"]

log = logging.getLogger("axonlike.ui")

KIND, NAME = "display", "the window"

_FRAME_S = 1 / 60
_POLL_S = 1 / 25
_RARELY_S = 1.0
_DRAIN_S = 2.0  # after the window was closed: how long the rest of the program may take to end by itself
_REPEAT_MS = (400, 33)
_ROOMY, _NARROW = (760, 480), 480


class Display(Driven):
    """The window that all widgets of a run stand in. A service; made by the first widget if the script makes none.

    size: in pixels; without it as large as the widgets need. title: the script's name unless it is given. font: a
    font's name or file; without it a readable one that is installed. `frames` counts what was drawn.

    The window opens with the first widget and closes with the last. Closing it ends the program in order. Raises
    NoScreen where there is none, ScreenLost when it goes away.
    """

    service: ClassVar[bool] = True

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        title: str = "",
        *,
        font: str = "",
        resizable: bool = True,
    ) -> None:
        if size is not None and not (len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size)):
            raise UsageError(f"Display: size is (width, height) in pixels, not {size!r}")
        self.pygame = load_pygame(type(self).__name__)
        self.theme = Theme(self.pygame, font=font)
        self.title = title or os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "axonlike"
        self.frames = 0
        self.closed_by_user = False
        self._size = size
        self._resizable = resizable
        self._surface: pygame.Surface | None = None
        self._connection: XConnection | None = None
        self._lost = False
        self._widgets: dict[Widget, Rect] = {}
        self._dirty: dict[Widget, None] = {}
        self._all_dirty = False
        self._frame_timer: Timer | None = None
        self._poll_timer: Timer | None = None
        self._drawn_s = 0.0
        self._focus: Widget | None = None
        self._hovered: Widget | None = None
        self._pressed: Widget | None = None
        self._changing = False

    @property
    def is_open(self) -> bool:
        """Is there a window now?"""
        return self._surface is not None

    @property
    def widgets(self) -> tuple[Widget, ...]:
        """What stands in the window, in the order in which it was started."""
        return tuple(self._widgets)

    def save_picture(self, path: str | os.PathLike[str]) -> None:
        """Save what the window shows as a picture (.png, .jpg or .bmp)."""
        if self._surface is None:
            raise UsageError(f"{self.path}: the window is not open, so there is no picture to save")
        self.pygame.image.save(self._surface, os.fspath(path))

    # -- for widgets

    def add(self, widget: Widget) -> None:
        """It has started: give it a place."""
        self._widgets[widget] = (0, 0, 0, 0)
        if self.closed_by_user:
            self._soon(widget.close_with_window)
        else:
            self.rearrange()

    def remove(self, widget: Widget) -> None:
        """It has ended. Harmless if it is not there."""
        if self._widgets.pop(widget, None) is None:
            return
        self._dirty.pop(widget, None)
        if self._focus is widget:
            self._focus = None
        if self._hovered is widget:
            self._hovered = None
        if self._pressed is widget:
            self._pressed = None
        self.rearrange()

    def shows(self, widget: Widget) -> bool:
        """Does it have a place in an open window?"""
        return self.is_open and widget in self._widgets and self._widgets[widget] != (0, 0, 0, 0)

    def redraw(self, widget: Widget) -> None:
        """Draw it in the next frame."""
        if widget in self._widgets and not self.ended:
            self._dirty[widget] = None
            self._ask_for_frame()

    def rearrange(self) -> None:
        """Place all widgets anew, once those that come and go at this moment have done so."""
        if not self._changing and not self.ended:
            self._changing = True
            self._soon(self._arrange)

    # -- opening and closing

    def provide(self, scheduler: Scheduler) -> None:
        try:
            scheduler.provide(KIND, NAME, self)
        except WiringError:
            other = scheduler.lookup(KIND, NAME, self)
            raise WiringError(
                f"there is a Display already, {other.path}: all widgets of a run share one window; "
                "give your Display to the same run() as the first widget"
            ) from None

    def start(self) -> None:
        self._state = State.OUTSIDE  # nothing to wait for before there is a window

    def begin(self) -> None:
        """Nothing: the window opens with the first widget."""

    def end_of_input(self) -> None:
        """It has no input; it goes with the run."""

    def stopped(self) -> None:
        self._close()

    def unlink_all(self, shut_down: bool) -> None:
        if self.scheduler is not None:
            self.scheduler.withdraw(KIND, NAME, self)
        super().unlink_all(shut_down)

    def _soon(self, action: Any) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        scheduler.call_at(scheduler.time(), action)

    def _arrange(self) -> None:
        self._changing = False
        if self.ended or self.closed_by_user:
            return
        if not self._widgets:
            self._close()
            return
        try:
            if self._surface is None:
                self._open()
            if not self._is_lost():
                self._place()
        except Exception as exc:
            self.fail(exc)

    def _open(self) -> None:
        pygame, scheduler = self.pygame, self.scheduler
        assert scheduler is not None
        assert scheduler.loop is not None
        if pygame.display.get_init() and pygame.display.get_surface() is not None:
            raise UsageError(f"{self.path}: this process has a pygame window already, and can have one only")
        open_video(pygame)
        try:
            wishes = [widget.wish(self.theme) for widget in self._widgets]
            size = self._size or natural_size(wishes, GAP, roomy=_ROOMY, narrow=_NARROW)
            pygame.display.set_caption(self.title)
            pygame.display.set_icon(self._icon())
            with plain_pictures(pygame):
                self._surface = pygame.display.set_mode(size, pygame.RESIZABLE if self._resizable else 0)
        except pygame.error as exc:
            raise NoScreen(f"no window of {size[0]} x {size[1]} pixels can be opened: {exc}") from exc
        self._drawn_s = scheduler.time()
        pygame.display.set_allow_screensaver(True)
        pygame.key.set_repeat(*_REPEAT_MS)
        self._connection = XConnection.of(pygame, self._died_in_a_call)
        if self._connection is not None:
            scheduler.loop.add_reader(self._connection.fd, self._look)
        scheduler.hold(self, f"{self.path} is open")
        self._poll()

    def _close(self) -> None:
        scheduler, connection = self.scheduler, self._connection
        for timer in (self._frame_timer, self._poll_timer):
            if timer is not None:
                timer.cancel()
        self._frame_timer = self._poll_timer = self._connection = None
        if self._surface is None and not self.pygame.display.get_init():
            return
        self._surface = None
        if scheduler is not None:
            scheduler.release(self)
            if connection is not None and scheduler.loop is not None:
                scheduler.loop.remove_reader(connection.fd)
        if self._lost or (connection is not None and connection.is_gone):
            # Not one call more: Xlib would end the process. pygame would make some when Python ends.
            atexit.unregister(self.pygame.quit)
            return
        self.theme.forget()
        self.pygame.font.quit()
        self.pygame.display.quit()
        if connection is not None:
            connection.let_go()

    def _close_by_user(self) -> None:
        """The window's close button: an ordinary end of everything."""
        scheduler = self.scheduler
        assert scheduler is not None
        log.info("%s: the window was closed", self.path)
        self.closed_by_user = True
        self._close()
        for widget in tuple(self._widgets):
            widget.close_with_window()
        scheduler.call_at(scheduler.time() + _DRAIN_S, scheduler.stop, "the window was closed")

    def _icon(self) -> pygame.Surface:
        """Two boxes and a link."""
        icon: pygame.Surface = self.theme.box((64, 64), PANEL, radius=14).copy()
        self.pygame.draw.line(icon, TEXT, (18, 32), (46, 32), 4)
        icon.blit(self.theme.box((22, 22), ACCENT, radius=6), (8, 21))
        icon.blit(self.theme.box((22, 22), TEXT, radius=6), (34, 21))
        return icon

    # -- frames

    def _place(self) -> None:
        assert self._surface is not None
        wishes = [widget.wish(self.theme) for widget in self._widgets]
        for widget, rect in zip(tuple(self._widgets), place(wishes, self._surface.get_size(), GAP), strict=True):
            self._widgets[widget] = rect
            if widget.size != rect[2:]:
                widget.size = rect[2:]
                widget.placed()
        if self._focus is None:
            self._set_focus(next((widget for widget in self._widgets if widget.takes_text), None))
        self._redraw_all()

    def _redraw_all(self) -> None:
        self._all_dirty = True
        self._ask_for_frame()

    def _ask_for_frame(self) -> None:
        scheduler = self.scheduler
        if self._frame_timer is None and self._surface is not None and scheduler is not None:
            when_s = max(scheduler.time(), self._drawn_s + _FRAME_S)
            self._frame_timer = scheduler.call_at(when_s, self._frame)

    def _frame(self) -> None:
        self._frame_timer = None
        surface, scheduler = self._surface, self.scheduler
        if surface is None or scheduler is None or self._is_lost():
            return
        now_s = self._drawn_s = scheduler.time()
        dirty, self._dirty = self._dirty, {}
        whole, self._all_dirty = self._all_dirty, False
        if whole:
            surface.fill(BACKGROUND)
            dirty = dict.fromkeys(self._widgets)
        changed = []
        for widget in dirty:
            rect = self.pygame.Rect(self._widgets.get(widget, (0, 0, 0, 0))).clip(surface.get_rect())
            if rect.width and rect.height:
                part = surface.subsurface(rect)
                part.fill(BACKGROUND)
                try:
                    widget.draw(part, now_s)
                except Exception as exc:
                    scheduler.part_failed(widget, exc)
                changed.append(rect)
        if self._surface is None:
            return  # a widget failed, and that ended everything
        if whole:
            self.pygame.display.flip()
        else:
            self.pygame.display.update(changed)
        self.frames += 1
        self._look()  # drawing may have read events from the connection, which then does not say so any more

    # -- events

    def _poll(self) -> None:
        scheduler = self.scheduler
        if self._surface is not None and scheduler is not None:
            every_s = _POLL_S if self._connection is None else _RARELY_S
            self._poll_timer = scheduler.call_at(scheduler.time() + every_s, self._poll)
            self._look()

    def _is_lost(self) -> bool:
        if self._connection is not None and self._connection.is_gone and not self._lost:
            self._lost = True
            self.fail(self._how_it_was_lost())
        return self._lost

    def _how_it_was_lost(self) -> ScreenLost:
        return ScreenLost(
            f"{self.title}: the X server {os.environ.get('DISPLAY', '')} closed the connection (did it end, or the ssh "
            "session?), so the window is gone; start the program again on a screen that is there"
        )

    def _died_in_a_call(self) -> None:
        """Called by Xlib, in the scheduler's thread; never returns (see the module's text)."""
        try:
            self._lost = True
            error = self.describe_failure(self._how_it_was_lost())
            scheduler = self.scheduler
            if scheduler is not None and not self.ended:
                self.fail(error)
                until_s = time.monotonic() + scheduler.stop_deadline_s
                while scheduler.ready and time.monotonic() < until_s:
                    scheduler._run_ready()
                for thread in threading.enumerate():
                    if thread.name.startswith("axonlike:"):  # a component's (threads.py)
                        thread.join(max(0.0, until_s - time.monotonic()))
            print(error, file=sys.stderr, flush=True)
            logging.shutdown()
            sys.stdout.flush()
        finally:
            os._exit(1)

    def _look(self) -> None:
        """Deal with the events that there are."""
        if self._surface is None or self._is_lost():
            return
        for event in self.pygame.event.get():
            if self._surface is None:
                return
            widget = self._focus
            try:
                self._deal_with(event)
            except Exception as exc:
                scheduler = self.scheduler
                if widget is None or scheduler is None:
                    self.fail(exc)
                else:
                    scheduler.part_failed(widget, exc)

    def _deal_with(self, event: Any) -> None:
        pygame = self.pygame
        if event.type == pygame.QUIT:
            self._close_by_user()
        elif event.type == pygame.KEYDOWN:
            self._key(event)
        elif event.type == pygame.KEYUP:
            for widget in tuple(self._widgets):
                widget.key_released(event)
        elif event.type == pygame.TEXTINPUT:
            if self._focus is not None:
                self._focus.text_typed(event.text)
        elif event.type == pygame.MOUSEMOTION:
            self._hover(self._at(event.pos))
            if self._pressed is not None:
                x, y = self._widgets[self._pressed][:2]
                self._pressed.mouse_dragged(event.pos[0] - x, event.pos[1] - y)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            below = self._pressed = self._at(event.pos)
            if below is not None:
                if below.takes_focus:
                    self._set_focus(below)
                x, y = self._widgets[below][:2]
                below.mouse_pressed(event.pos[0] - x, event.pos[1] - y)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button in (2, 3):
            below = self._at(event.pos)
            if below is not None:
                x, y = self._widgets[below][:2]
                below.button_pressed(event.pos[0] - x, event.pos[1] - y, event.button)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            pressed, self._pressed = self._pressed, None
            if pressed is not None:
                pressed.mouse_released(self._at(event.pos) is pressed)
        elif event.type == pygame.MOUSEWHEEL:
            if self._hovered is not None:
                self._hovered.wheel_turned(event.y)
        elif event.type == pygame.WINDOWLEAVE:
            self._hover(None)
        elif event.type in (pygame.WINDOWFOCUSGAINED, pygame.WINDOWFOCUSLOST):
            if self._focus is not None:  # it keeps it for when the window has it again
                self._focus.focused = event.type == pygame.WINDOWFOCUSGAINED
                self._focus.redraw()
        elif event.type in (pygame.VIDEORESIZE, pygame.WINDOWSIZECHANGED):
            self._surface = pygame.display.get_surface()
            self.rearrange()
        elif event.type in (pygame.VIDEOEXPOSE, pygame.WINDOWEXPOSED):
            self._redraw_all()

    def _key(self, event: Any) -> None:
        pygame = self.pygame
        if event.key == pygame.K_TAB and not event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT):
            self._next_focus(-1 if event.mod & pygame.KMOD_SHIFT else 1)
            return
        if self._focus is not None and self._focus.key_pressed(event):
            return
        for widget in tuple(self._widgets):
            if widget.shortcut_pressed(event):
                return

    def _at(self, position: tuple[int, int]) -> Widget | None:
        for widget, rect in self._widgets.items():
            if self.pygame.Rect(rect).collidepoint(position):
                return widget
        return None

    def _hover(self, widget: Widget | None) -> None:
        if widget is self._hovered:
            return
        for changed, hovered in ((self._hovered, False), (widget, True)):
            if changed is not None:
                changed.hovered = hovered
                changed.redraw()
        self._hovered = widget
        with contextlib.suppress(self.pygame.error):  # SDL's dummy driver has no pointer
            shape = getattr(self.pygame, f"SYSTEM_CURSOR_{'ARROW' if widget is None else widget.pointer}")
            self.pygame.mouse.set_cursor(shape)

    def _set_focus(self, widget: Widget | None) -> None:
        if widget is self._focus:
            return
        for changed, focused in ((self._focus, False), (widget, True)):
            if changed is not None:
                changed.focused = focused
                changed.redraw()
        self._focus = widget

    def _next_focus(self, step: int) -> None:
        can = [widget for widget in self._widgets if widget.takes_focus]
        if can:
            place = can.index(self._focus) + step if self._focus in can else 0
            self._set_focus(can[place % len(can)])
