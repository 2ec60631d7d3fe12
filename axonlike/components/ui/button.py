"""A button to press, with the mouse or a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.keynames import Chord
from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.theme import ACCENT, BACKGROUND, DIM, LINE, PANEL, RAISED, TEXT, Theme
from axonlike.components.ui.widget import Controls
from axonlike.components.ui.wrapping import printable

if TYPE_CHECKING:
    import pygame

__all__ = ["Button"]

_PADDING = (20, 10)
_FLASH_S = 0.12


class Button(Controls):
    """Sends `message` (without one its caption) when it is pressed: with the mouse, with `key`, or, having the focus
    (Tab), with the space bar or Enter.

    key: such as "r", "f5", "ctrl+s" (see `Keys`); while a TextBox has the focus a character goes to that. What comes to
    its inbox is its new caption. It lives until the window is closed.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "a new caption"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "its message, each time it is pressed"}
    takes_focus: ClassVar[bool] = True
    pointer: ClassVar[str] = "HAND"

    def __init__(
        self, caption: str, *, key: str = "", message: Any = None, font_size: int = 16, at: Place = "top"
    ) -> None:
        super().__init__(at=at)
        self.caption = caption
        self.message = message
        self.presses = 0
        self._chord = Chord.parse(key, self.pygame, "Button") if key else None
        self._key_name = key
        self._font_size = font_size
        self._held = False  # the mouse went down on it
        self._flashes = False

    def press(self) -> None:
        """As its user does it."""
        self.presses += 1
        self.act(self.caption if self.message is None else self.message)
        self._flashes = True
        self.call_later(_FLASH_S, self._rest)
        self.redraw()

    def told(self, message: Any) -> None:
        self.caption = printable(str(message))
        self.rearrange()

    def _rest(self) -> None:
        self._flashes = False
        self.redraw()

    def mouse_pressed(self, x: int, y: int) -> None:
        self._held = True
        self.redraw()

    def mouse_released(self, inside: bool) -> None:
        self._held = False
        self.redraw()
        if inside:
            self.press()

    def key_pressed(self, event: Any) -> bool:
        if event.key not in (self.pygame.K_SPACE, self.pygame.K_RETURN, self.pygame.K_KP_ENTER):
            return False
        self.press()
        return True

    def shortcut_pressed(self, event: Any) -> bool:
        if self._chord is None or not self._chord.matches(event, self.pygame):
            return False
        self.press()
        return True

    def wish(self, theme: Theme) -> Wish:
        width = theme.font(self._font_size, bold=True).size(self.caption)[0] + 2 * _PADDING[0]
        if self._key_name:
            width += theme.font(self._font_size - 4).size(self._key_name)[0] + 22
        return Wish(self.at, width, theme.font(self._font_size).get_linesize() + 2 * _PADDING[1])

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        down = self._held or self._flashes
        fill = ACCENT if down else LINE if self.hovered else RAISED
        border = ACCENT if self.focused or down else LINE
        surface.blit(self.theme.box(self.size, fill, border, width=2 if self.focused else 1), (0, 0))
        caption = self.theme.font(self._font_size, bold=True).render(self.caption, True, BACKGROUND if down else TEXT)
        middle = self.size[1] // 2
        if not self._key_name:
            surface.blit(caption, caption.get_rect(center=(self.size[0] // 2, middle)))
            return
        surface.blit(caption, caption.get_rect(midleft=(_PADDING[0], middle)))
        key = self.theme.font(self._font_size - 4).render(self._key_name, True, DIM)
        cap = self.theme.box((key.get_width() + 12, key.get_height() + 4), PANEL, radius=5)
        place = cap.get_rect(midright=(self.size[0] - 12, middle))
        surface.blit(cap, place)
        surface.blit(key, key.get_rect(center=place.center))
