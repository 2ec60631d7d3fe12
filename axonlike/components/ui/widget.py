"""What all that stands in the window has in common: finding the `Display`, being placed and drawn, the end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.component import Component
from axonlike.components.ui.display import KIND, NAME, Display
from axonlike.components.ui.library import load_pygame
from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.theme import Theme
from axonlike.errors import Finished, NameNotProvided, UsageError
from axonlike.scheduler import Scheduler
from axonlike.waits import checked_seconds

if TYPE_CHECKING:
    import pygame

__all__ = ["Controls", "Widget", "checked_linger"]

_FOR_EVER_S = 1e9
_LOOK_EVERY_S = 1 / 30


class Widget(Component):
    """Something in the window. Write `draw`, and `main` as in any component; call `redraw` when it should look anew.

    at: "top", "middle" or "bottom" of the window, in the order in which they are started, or (x, y, width, height).
    It uses the `Display` of the run, started before or after it; without one it makes one. Raises MissingExtra when
    pygame is not installed.
    """

    takes_focus: ClassVar[bool] = False
    """Can it be reached with Tab?"""
    takes_text: ClassVar[bool] = False
    """Does it get the first focus, and what is typed?"""
    pointer: ClassVar[str] = "ARROW"
    """The shape of the mouse's pointer above it: the end of a pygame.SYSTEM_CURSOR_... name."""

    def __init__(self, *, at: Place = "middle") -> None:
        who = type(self).__name__
        zoned = at in ("top", "middle", "bottom")
        if not zoned and not (isinstance(at, tuple) and len(at) == 4 and all(isinstance(n, int) for n in at)):
            raise UsageError(f'{who}: at is "top", "middle", "bottom" or (x, y, width, height), not {at!r}')
        self.pygame = load_pygame(who)
        self.at = at
        self.size = (0, 0)
        self.focused = False
        self.hovered = False
        self.window_is_closed = False
        self._display: Display | None = None

    # -- what a widget says and does; a subclass fills these in

    def wish(self, theme: Theme) -> Wish:
        """Where it wants to stand, and how large."""
        return Wish(self.at)

    def placed(self) -> None:
        """`size` has changed."""

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        """Draw the whole widget; `surface` has its size. Calls `redraw` if it moves."""

    def mouse_pressed(self, x: int, y: int) -> None:
        """The left button went down above it."""

    def mouse_dragged(self, x: int, y: int) -> None:
        """The mouse moved while that button is down."""

    def mouse_released(self, inside: bool) -> None:
        """... and was let go."""

    def button_pressed(self, x: int, y: int, button: int) -> None:
        """Another button than the left one went down above it: 2 is the middle one, 3 the right one."""

    def wheel_turned(self, notches: int) -> None:
        """Up is positive."""

    def key_pressed(self, event: Any) -> bool:
        """A key (pygame's KEYDOWN) while it has the focus; True if that was for it."""
        return False

    def shortcut_pressed(self, event: Any) -> bool:
        """A key that was not for the widget that has the focus; True if it was for this one."""
        return False

    def key_released(self, event: Any) -> None:
        """A key went up (pygame's KEYUP)."""

    def text_typed(self, text: str) -> None:
        """Text, while it has the focus."""

    # -- what a widget uses

    @property
    def theme(self) -> Theme:
        """Colours and fonts of the window."""
        assert self._display is not None
        return self._display.theme

    @property
    def is_shown(self) -> bool:
        """Does it have a place in an open window?"""
        return self._display is not None and self._display.shows(self)

    def redraw(self) -> None:
        """Have it drawn in the next frame."""
        if self._display is not None:
            self._display.redraw(self)

    def rearrange(self) -> None:
        """What it wishes for has changed."""
        if self._display is not None:
            self._display.rearrange()

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` then, unless it has ended by that time."""
        scheduler = self.scheduler
        assert scheduler is not None
        scheduler.call_at(scheduler.time() + seconds, lambda: None if self.ended else action())

    def until_shown(self) -> Generator[Any, Any, None]:
        """``yield from`` this: rest until it has a place in the window."""
        while not self.is_shown:
            yield self.sleep(_LOOK_EVERY_S)

    def linger(self, linger_s: float | None) -> Generator[Any, Any, None]:
        """``yield from`` this at the end: stay on the screen for so long (None: until the window is closed)."""
        try:
            if not self.window_is_closed:
                yield self.sleep(_FOR_EVER_S if linger_s is None else linger_s)
        except Finished:
            return

    def go_on_without_input(self) -> None:
        """Its input has ended, and it has something else to live for: waits do not raise Finished any more."""
        self._turn.input_ended = False

    # -- the kernel's calls, and the Display's

    def resolve(self, scheduler: Scheduler) -> None:
        try:
            found = scheduler.lookup(KIND, NAME, self)
        except NameNotProvided:
            found = Display()
            found._made_code, found._made_line = self._made_code, self._made_line  # the line that a person can look at
            scheduler.activate(found)
        assert isinstance(found, Display)
        self._display = found

    def start(self) -> Callable[[Any], Any] | None:
        assert self._display is not None
        resume = super().start()
        self._display.add(self)
        return resume

    def unlink_all(self, shut_down: bool) -> None:
        if self._display is not None:
            self._display.remove(self)
        super().unlink_all(shut_down)

    def close_with_window(self) -> None:
        """The user closed the window: an ordinary end, so what it sent is still dealt with."""
        self.window_is_closed = True
        scheduler = self.scheduler
        if scheduler is None or self.ended:
            return
        if self._body is None:
            scheduler.part_ended(self)
        else:
            scheduler.throw(self, Finished(), at_once=True)


class Controls(Widget):
    """A widget that tells what its user did: `act` keeps it, and the body sends it while there is room for it.

    Lives until the window is closed, whatever happens to its input.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"done": "what its user did and nobody has had room for yet (filled by itself)"}

    def act(self, message: Any) -> None:
        """The user did something: it is sent on as soon as there is room."""
        self.open_inbox("done").put(message)

    def told(self, message: Any) -> None:
        """A message has come to the inbox."""

    def main(self) -> Generator[Any, Any, None]:
        while True:
            try:
                yield self.wait("done", "inbox")
            except Finished:
                if self.window_is_closed:
                    self.send_many(self.inbox("done"))
                    return
                self.go_on_without_input()
                continue
            for message in self.inbox("inbox"):
                self.told(message)
            if self.data_ready("done"):
                self.send(self.recv("done"))


def checked_linger(who: str, linger_s: float | None) -> float | None:
    """Raises UsageError for what is no time."""
    if linger_s is not None and checked_seconds(linger_s, f"{who}(linger_s=...)") < 0:
        raise UsageError(f"{who}: linger_s is a number of seconds, or None for ever, not {linger_s!r}")
    return linger_s
