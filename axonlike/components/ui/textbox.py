"""One line of text to type into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.editing import LineEditor, cursor_at
from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.theme import ACCENT, DIM, LINE, PANEL, TEXT, WARNING, Theme
from axonlike.components.ui.widget import Controls
from axonlike.errors import UsageError
from axonlike.linkage import Box

if TYPE_CHECKING:
    import pygame

__all__ = ["TextBox"]

_PADDING = 14
_SELECTION = (45, 82, 128)


class TextBox(Controls):
    """Sends the line that is typed into it when Enter is pressed. Raises nothing; empty lines are not sent.

    prompt: what stands before the text; hint: what an empty box shows. limit_chars: more is not taken, and the frame
    turns yellow. What comes to its inbox takes the place of the text.

    Keys: arrows, Home, End, Backspace, Delete, with Ctrl by words, with Shift to select; up and down through the
    history; Ctrl-A, C, X, V as everywhere, Ctrl-U and Ctrl-K cut to the start and the end, Ctrl-W the word before;
    Esc clears. The mouse places the cursor and selects.

    Lines wait in its box "done" while the receiver is full. It lives until the window is closed.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("text to be edited, in place of what is there", str)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("lines", str)}
    takes_focus: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True
    pointer: ClassVar[str] = "IBEAM"

    def __init__(
        self,
        prompt: str = "",
        *,
        hint: str = "",
        font_size: int = 17,
        limit_chars: int = 4096,
        at: Place = "bottom",
        width: int | None = None,
    ) -> None:
        super().__init__(at=at)
        if limit_chars < 1 or font_size < 4:
            raise UsageError(f"TextBox: limit_chars={limit_chars!r} is at least 1, font_size={font_size!r} at least 4")
        self.editor = LineEditor(limit_chars)
        self._prompt = prompt
        self._hint = hint
        self._font_size = font_size
        self._width = width
        self._left_px = 0  # how much of the text is hidden at the left
        self._refused_before = 0

    def told(self, message: Any) -> None:
        self.editor.set(str(message))
        self.redraw()

    # -- keys

    def text_typed(self, text: str) -> None:
        self.editor.insert(text)
        self.redraw()

    def key_pressed(self, event: Any) -> bool:
        pygame, editor = self.pygame, self.editor
        ctrl, shift = bool(event.mod & pygame.KMOD_CTRL), bool(event.mod & pygame.KMOD_SHIFT)
        self._refused_before = editor.refused
        key = event.key
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            if line := editor.submit():
                self.act(line)
        elif key == pygame.K_LEFT:
            editor.left(word=ctrl, select=shift)
        elif key == pygame.K_RIGHT:
            editor.right(word=ctrl, select=shift)
        elif key == pygame.K_HOME:
            editor.home(select=shift)
        elif key == pygame.K_END:
            editor.end(select=shift)
        elif key == pygame.K_UP:
            editor.older()
        elif key == pygame.K_DOWN:
            editor.newer()
        elif key == pygame.K_BACKSPACE:
            editor.backspace(word=ctrl)
        elif key == pygame.K_DELETE and shift:
            self._copy()
            editor.delete_selection()
        elif key == pygame.K_DELETE:
            editor.delete(word=ctrl)
        elif key == pygame.K_INSERT and (ctrl or shift):
            self._paste() if shift else self._copy()
        elif key == pygame.K_ESCAPE and editor.text:
            editor.set("")
        elif ctrl and not event.mod & pygame.KMOD_ALT:
            if not self._ctrl(key):
                return False
        else:
            # What is a character comes again as text; it is no shortcut of a button's meanwhile.
            return bool(event.unicode) and event.unicode.isprintable() and not event.mod & pygame.KMOD_LALT
        self.redraw()
        return True

    def _ctrl(self, key: int) -> bool:
        pygame, editor = self.pygame, self.editor
        if key == pygame.K_a:
            editor.select_all()
        elif key == pygame.K_c:
            self._copy()
        elif key == pygame.K_x:
            self._copy()
            editor.delete_selection()
        elif key == pygame.K_v:
            self._paste()
        elif key == pygame.K_u:
            editor.delete_to_start()
        elif key == pygame.K_k:
            editor.delete_to_end()
        elif key == pygame.K_w:
            editor.backspace(word=True)
        else:
            return False
        return True

    def _copy(self) -> None:
        if self.editor.selected:
            self.pygame.scrap.put_text(self.editor.selected)

    def _paste(self) -> None:
        try:
            text = self.pygame.scrap.get_text()
        except self.pygame.error:  # there is nothing, or a picture
            return
        self.editor.insert(text)

    def mouse_pressed(self, x: int, y: int) -> None:
        self.editor.go_to(self._character_at(x))
        self.redraw()

    def mouse_dragged(self, x: int, y: int) -> None:
        self.editor.go_to(self._character_at(x), select=True)
        self.redraw()

    def _character_at(self, x: int) -> int:
        font = self.theme.font(self._font_size)
        return cursor_at(self.editor.text, x - self._text_x + self._left_px, lambda text: font.size(text)[0])

    # -- how it looks

    def wish(self, theme: Theme) -> Wish:
        return Wish(self.at, self._width, theme.font(self._font_size).get_linesize() + 22)

    @property
    def _text_x(self) -> int:
        font = self.theme.font(self._font_size)
        return _PADDING + (font.size(f"{self._prompt} ")[0] if self._prompt else 0)

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        editor, font = self.editor, self.theme.font(self._font_size)
        border = WARNING if editor.refused > self._refused_before else ACCENT if self.focused else LINE
        surface.blit(self.theme.box(self.size, PANEL, border, width=2 if self.focused else 1), (0, 0))
        y = (self.size[1] - font.get_linesize()) // 2
        if self._prompt:
            surface.blit(font.render(self._prompt, True, ACCENT if self.focused else DIM), (_PADDING, y))
        x = self._text_x
        area = self.pygame.Rect(x - 1, 4, self.size[0] - x - _PADDING + 3, self.size[1] - 8).clip(surface.get_rect())
        if area.width < 4 or area.height < 4:
            return
        view = surface.subsurface(area)
        y -= 4
        cursor_px = font.size(editor.text[: editor.cursor])[0]
        room = area.width - 4
        # The cursor stays in sight, and no room is left empty at the right while text is hidden at the left.
        self._left_px = max(0, min(self._left_px, font.size(editor.text)[0] - room, cursor_px))
        self._left_px = max(self._left_px, cursor_px - room)
        if not editor.text:
            view.blit(font.render(self._hint, True, DIM), (5, y))
        start, end = editor.selection
        if end > start:
            from_px, to_px = font.size(editor.text[:start])[0], font.size(editor.text[:end])[0]
            view.fill(_SELECTION, (1 + from_px - self._left_px, y - 1, to_px - from_px, font.get_linesize() + 2))
        view.blit(font.render(editor.text, True, TEXT), (1 - self._left_px, y))
        if self.focused:
            view.fill(ACCENT, (1 + cursor_px - self._left_px, y, 2, font.get_linesize()))
