"""Words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axonlike.components.ui.theme import TEXT, WARNING
from axonlike.components.ui.wrapping import printable, wrap
from axonlike.plotting.panels.panel import PlotPanel
from axonlike.plotting.panels.pen import Pen

if TYPE_CHECKING:
    import pygame

__all__ = ["TextPanel"]

_SIZE = 14


class TextPanel(PlotPanel):
    """Kind "text": lines that are too long go on in the next row; as many rows as have room.

    failure: it says what went wrong, and looks so.
    """

    def __init__(self, pen: Pen, name: str, number: int = 0) -> None:
        super().__init__(pen, name, number)
        self.failure = False

    def margins(self) -> tuple[int, int, int, int]:
        left, top, right, bottom = super().margins()
        return left, top if self.title else bottom, right, bottom

    def ground_key(self) -> object:
        return super().ground_key(), self.shown.text, self.failure

    def draw_ground(self, ground: pygame.Surface) -> None:
        font = self.pen.theme.font(_SIZE)
        line_px = font.get_linesize()
        plot = self.plot.move(-self.rect.left, -self.rect.top)
        fits = max(1, plot.height // line_px)
        rows: list[str] = []
        paragraphs = self.shown.text.splitlines()
        for paragraph in paragraphs:
            rows += [row.text for row in wrap(printable(paragraph), plot.width, lambda text: font.size(text)[0])]
            if len(rows) > fits:
                rows[fits - 1 :] = ["…"]
                break
        for number, row in enumerate(rows):
            y = plot.top + line_px * (number + 0.5)
            self.pen.text(ground, row, plot.left, y, size=_SIZE, colour=WARNING if self.failure else TEXT)
