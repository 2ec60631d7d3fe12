"""Text that scrolls by: what a chat room says, what a log tells."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.theme import ACCENT, GAP, LINE, PANEL, TEXT, Theme
from axonlike.components.ui.widget import Widget, checked_linger
from axonlike.components.ui.wrapping import Row, Rows, Scroll
from axonlike.errors import Finished, UsageError

if TYPE_CHECKING:
    import pygame

__all__ = ["Ticker"]

_LOOK_EVERY_S = 1 / 30
_PADDING = 14
_WHEEL_ROWS = 3
_LONGEST_STEP_S = 0.1


class Ticker(Widget):
    """Shows each message as a paragraph below the last one, scrolled smoothly; old ones leave at the top.

    A message is text (bytes are read as UTF-8, anything else is shown as str() has it), wrapped to the window's width;
    a line end in it begins a new paragraph. flow=True: its words go on in the row where the last message ended.
    highlight: a regular expression; what it matches at a beginning (a name) gets a colour of its own, or the
    one that `colours` has for it ("tomato", "#ff6347").

    Nothing is dropped: at most `rows_per_s` rows scroll by in a second, and while more than one windowful waits to be
    shown its inbox holds the senders back. The mouse wheel (or PageUp) looks back, through `history_rows` rows.

    At the end of its input it stays for `linger_s` seconds once all is shown; None: until the window is closed.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "text"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "nothing"}
    takes_focus: ClassVar[bool] = False

    def __init__(
        self,
        *,
        font_size: int = 17,
        flow: bool = False,
        highlight: str = "",
        colours: Mapping[str, str] | None = None,
        rows_per_s: float = 30.0,
        history_rows: int = 10_000,
        linger_s: float | None = None,
        at: Place = "middle",
        height: int | None = None,
    ) -> None:
        super().__init__(at=at)
        if font_size < 4:
            raise UsageError(f"Ticker: font_size is a number of pixels from 4, not {font_size!r}")
        if not rows_per_s > 0 or history_rows < 1:
            raise UsageError(f"Ticker: rows_per_s={rows_per_s!r} and history_rows={history_rows!r} must be above 0")
        try:
            self._highlight = re.compile(highlight) if highlight else None
        except re.error as exc:
            raise UsageError(f"Ticker: highlight={highlight!r} is no regular expression: {exc}") from exc
        try:
            self._colours = {text: self.pygame.Color(colour) for text, colour in (colours or {}).items()}
        except ValueError as exc:
            raise UsageError(f"Ticker: colours={colours!r}: {exc}; a colour is a name or #rrggbb") from exc
        self.taken = 0
        self._font_size = font_size
        self._flow = flow
        self._rows_per_s = rows_per_s
        self._history_rows = history_rows
        self._linger_s = checked_linger("Ticker", linger_s)
        self._height = height
        self._rows: Rows | None = None
        self._row_px = 1
        self._scroll = Scroll(1.0)
        self._looks_back_px: float | None = None
        self._drawn_s: float | None = None
        self._pictures: OrderedDict[int, pygame.Surface] = OrderedDict()

    @property
    def paragraphs(self) -> list[str]:
        """The text that can be looked at, by scrolling back too."""
        return self._rows.paragraphs() if self._rows is not None else []

    @property
    def visible_rows(self) -> list[str]:
        """The rows in the window, from top to bottom."""
        return [row.text for _number, row in self._visible()]

    @property
    def all_is_shown(self) -> bool:
        """Has everything that it took been in the window?"""
        return self._rows is None or self._scroll.position_px >= self._lowest_px

    # -- the body

    def main(self) -> Generator[Any, Any, None]:
        try:
            yield from self.until_shown()
            while True:
                yield self.wait("inbox")
                while self.data_ready("inbox") and not self._has_enough:
                    self._take(self.recv("inbox"))
                self.redraw()
                while self._has_enough:
                    yield self.sleep(_LOOK_EVERY_S)
        except Finished:
            if self.window_is_closed:
                return
        try:
            while not self.all_is_shown:
                self.redraw()
                yield self.sleep(_LOOK_EVERY_S)
        except Finished:
            return
        yield from self.linger(self._linger_s)

    def _take(self, message: Any) -> None:
        assert self._rows is not None
        self.taken += 1
        text = bytes(message).decode("utf-8", "replace") if isinstance(message, bytes | bytearray) else str(message)
        if self._flow:
            self._rows.go_on(text)
        else:
            self._rows.add(text)
        top = int(self._top_px // self._row_px)
        self._rows.forget(min(self._rows.end - self._rows.first - self._history_rows, top - self._rows.first))

    @property
    def _has_enough(self) -> bool:
        """Does more than one windowful (or, while somebody looks back, the whole history) wait to be shown?"""
        if self._looks_back_px is not None:
            assert self._rows is not None
            return self._rows.end - self._looks_back_px / self._row_px > self._history_rows
        return self._lowest_px - self._scroll.position_px > self._view_px

    # -- how it looks

    def wish(self, theme: Theme) -> Wish:
        return Wish(self.at, height=self._height)

    def placed(self) -> None:
        font = self.theme.font(self._font_size)
        width = self.size[0] - 2 * _PADDING
        self._row_px = max(1, round(font.get_linesize() * 1.2))
        self._scroll.fastest_px_s = self._rows_per_s * self._row_px
        self._pictures.clear()
        if self._rows is None:
            self._rows = Rows(width, self._measure)
            return
        was_shown = self.all_is_shown
        rows_from_end = self._rows.end - self._scroll.position_px / self._row_px
        self._rows.rewrap(width)
        self._looks_back_px = None
        # It shows the same text as before, as near as that can be said of other rows.
        position = self._lowest_px if was_shown else (self._rows.end - rows_from_end) * self._row_px
        self._scroll.position_px = max(float(self._rows.first * self._row_px), position)

    def _measure(self, text: str) -> int:
        # Looked up each time: a font that is held on to keeps its file open when the window is long closed.
        return int(self.theme.font(self._font_size).size(text)[0])

    @property
    def _view_px(self) -> int:
        return max(self._row_px, self.size[1] - 2 * GAP)

    @property
    def _lowest_px(self) -> float:
        """Where the view stands when it shows the last row."""
        assert self._rows is not None
        return float(max(self._rows.first * self._row_px, self._rows.end * self._row_px - self._view_px))

    @property
    def _top_px(self) -> float:
        return self._scroll.position_px if self._looks_back_px is None else self._looks_back_px

    def _visible(self) -> list[tuple[int, Row]]:
        if self._rows is None:
            return []
        first = max(self._rows.first, int(self._top_px // self._row_px))
        last = min(self._rows.end, int((self._top_px + self._view_px - 1) // self._row_px) + 1)
        return [(number, self._rows[number]) for number in range(first, last)]

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        surface.blit(self.theme.box(self.size, PANEL, LINE), (0, 0))
        elapsed_s = 0.0 if self._drawn_s is None else min(_LONGEST_STEP_S, now_s - self._drawn_s)
        self._drawn_s = now_s
        if self._looks_back_px is None and self._scroll.advance(self._lowest_px, elapsed_s):
            self.redraw()
        else:
            self._drawn_s = None  # a rest: the next movement begins slowly
            if self._looks_back_px is None and self._scroll.position_px < self._lowest_px:
                self.redraw()
        area = self.pygame.Rect(_PADDING, GAP, self.size[0] - 2 * _PADDING, self._view_px).clip(surface.get_rect())
        if not area.width or not area.height:
            return
        view = surface.subsurface(area)
        for number, row in self._visible():
            view.blit(self._picture(number, row), (0, round(number * self._row_px - self._top_px)))
        if self._looks_back_px is not None:
            self._draw_marks(surface)

    def _picture(self, number: int, row: Row) -> pygame.Surface:
        if self._flow and self._rows is not None and number == self._rows.end - 1:
            return self._render(row)  # it may grow yet
        picture = self._pictures.get(number)
        if picture is None:
            picture = self._pictures[number] = self._render(row)
            while len(self._pictures) > 200:
                self._pictures.popitem(last=False)
        return picture

    def _render(self, row: Row) -> pygame.Surface:
        font = self.theme.font(self._font_size)
        match = self._highlight.match(row.text) if self._highlight is not None and row.begins else None
        if match is None or not match.end():
            return font.render(row.text, True, TEXT)
        name = match.group()
        picture: pygame.Surface = self.pygame.Surface(
            (max(1, font.size(row.text)[0]), font.get_linesize()), self.pygame.SRCALPHA
        )
        picture.blit(font.render(name, True, self._colours.get(name) or self.theme.name_colour(name)), (0, 0))
        picture.blit(font.render(row.text[len(name) :], True, TEXT), (font.size(name)[0], 0))
        return picture

    def _draw_marks(self, surface: pygame.Surface) -> None:
        """While somebody looks back: where that is, and that there is more below."""
        assert self._rows is not None
        whole = max(1.0, self._lowest_px + self._view_px - self._rows.first * self._row_px)
        bar_px = max(24, round(self._view_px * self._view_px / whole))
        way = (self._top_px - self._rows.first * self._row_px) / max(1.0, whole - self._view_px)
        bar = self.theme.box((4, bar_px), LINE, radius=2)
        surface.blit(bar, (self.size[0] - 9, GAP + round((self._view_px - bar_px) * way)))
        text = self.theme.font(13).render("↓ back to the end", True, PANEL)
        size = (text.get_width() + 22, text.get_height() + 10)
        place = ((self.size[0] - size[0]) // 2, self.size[1] - size[1] - 12)
        surface.blit(self.theme.box(size, ACCENT, radius=size[1] // 2), place)
        surface.blit(text, (place[0] + 11, place[1] + 5))

    # -- looking back

    def wheel_turned(self, notches: int) -> None:
        self._look_back_by(notches * _WHEEL_ROWS * self._row_px)

    def mouse_pressed(self, x: int, y: int) -> None:
        if self._looks_back_px is not None and y > self.size[1] - 50:
            self._look_back_by(-int(self._lowest_px))

    def shortcut_pressed(self, event: Any) -> bool:
        pages = {self.pygame.K_PAGEUP: 1, self.pygame.K_PAGEDOWN: -1}.get(event.key)
        if pages is None:
            return False
        self._look_back_by(pages * (self._view_px - self._row_px))
        return True

    def _look_back_by(self, pixels: int) -> None:
        if self._rows is None:
            return
        top = max(float(self._rows.first * self._row_px), self._top_px - pixels)
        self._looks_back_px = top if top < self._scroll.position_px else None
        self.redraw()
