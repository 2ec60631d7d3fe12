"""A picture in colours or greys, and a figure that a plotter of the user's own has drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.instrument import PLOT
from axonlike.components.ui.theme import LINE
from axonlike.plotting.panels.panel import HEADER_PX, PlotPanel
from axonlike.plotting.panels.pen import Pen

if TYPE_CHECKING:
    import pygame

__all__ = ["FigurePanel", "PicturePanel"]


class PicturePanel(PlotPanel):
    """Kind "picture": as large as it fits, its shape kept. Places are pixels of the picture, from its upper left."""

    def __init__(self, pen: Pen, name: str, number: int = 0) -> None:
        super().__init__(pen, name, number)
        self._zoom = 1.0
        self._middle = (0.5, 0.5)
        """What of the picture stands in the middle of the plot, as parts of its width and height."""
        self._kept: tuple[object, Any, pygame.Surface, pygame.Rect] | None = None

    @property
    def _pixels(self) -> npt.NDArray[np.uint8]:
        field = self.shown.field
        return np.empty((0, 0, 3), np.uint8) if field is None else field

    def draw_ground(self, ground: pygame.Surface) -> None:
        self.pen.pygame.draw.rect(ground, PLOT, self.plot.move(-self.rect.left, -self.rect.top))

    def _whole(self) -> tuple[float, float, float]:
        """How many pixels of the screen one of the picture is; and where its upper left corner is, in the window."""
        height, width = self._pixels.shape[:2]
        scale = min(self.plot.width / width, self.plot.height / height) * self._zoom
        return (
            scale, self.plot.left + self.plot.width / 2 - self._middle[0] * width * scale,
            self.plot.top + self.plot.height / 2 - self._middle[1] * height * scale,
        )  # fmt: skip

    def draw_data(self, surface: pygame.Surface) -> None:
        pixels = self._pixels
        if not pixels.size or not self.plot.width:
            self.pen.text(surface, "no picture", *self.plot.center, across=0.5)
            return
        key = self.plot.topleft, self.plot.size, self._zoom, self._middle
        if self._kept is None or self._kept[0] != key or self._kept[1] is not pixels:
            self._kept = (key, pixels, *self._drawn(pixels))
        surface.blit(self._kept[2], self._kept[3])

    def _drawn(self, pixels: npt.NDArray[np.uint8]) -> tuple[pygame.Surface, pygame.Rect]:
        pygame = self.pen.pygame
        scale, left, top = self._whole()
        height, width = pixels.shape[:2]
        # Only what is seen, in whole pixels of the picture.
        x0, y0 = max(0, int((self.plot.left - left) / scale)), max(0, int((self.plot.top - top) / scale))
        x1 = min(width, int((self.plot.right - left) / scale) + 1)
        y1 = min(height, int((self.plot.bottom - top) / scale) + 1)
        if x1 <= x0 or y1 <= y0:
            return pygame.Surface((1, 1)), pygame.Rect(self.plot.topleft, (0, 0))
        part = pixels[y0:y1, x0:x1]
        step = max(1, int(0.5 / scale)) if scale < 0.5 else 1
        part = part[::step, ::step]
        if part.ndim == 2:
            part = np.repeat(part[:, :, np.newaxis], 3, axis=2)
        made = pygame.image.frombuffer(
            np.ascontiguousarray(part).tobytes(),
            (part.shape[1], part.shape[0]),
            "RGBA" if part.shape[2] == 4 else "RGB",
        )
        rect = pygame.Rect(
            round(left + x0 * scale), round(top + y0 * scale), max(1, round((x1 - x0) * scale)),
            max(1, round((y1 - y0) * scale)),
        )  # fmt: skip
        if rect.size != made.get_size():
            smooth = scale < 1 or (scale < 3 and self._zoom == 1.0)
            made = (pygame.transform.smoothscale if smooth else pygame.transform.scale)(made, rect.size)
        return made, rect

    def draw_over(self, surface: pygame.Surface) -> None:
        height, width = self._pixels.shape[:2]
        text = f"{width} × {height}"
        right = self.rect.right - 16
        if self.rect.left + self.header_end + self.pen.width(text) + 12 < right:
            self.pen.text(surface, text, right, self.rect.top + HEADER_PX / 2 + 1, across=1.0)

    # -- its user

    def point(self, x: int, y: int) -> tuple[float, float] | None:
        if not self._pixels.size or not self.plot.collidepoint(x, y):
            return None
        scale, left, top = self._whole()
        column, row = (x + 0.5 - left) / scale, (y + 0.5 - top) / scale
        height, width = self._pixels.shape[:2]
        return (column, row) if 0 <= column < width and 0 <= row < height else None

    def zoom(self, x: int, y: int, factor: float, *, across: bool = True, down: bool = True) -> bool:
        if not self._pixels.size or not self.plot.collidepoint(x, y):
            return False
        scale, left, top = self._whole()
        column, row = (x - left) / scale, (y - top) / scale
        height, width = self._pixels.shape[:2]
        # At most until one pixel of it fills the plot.
        self._zoom = min(max(self._zoom / factor, 1.0), float(max(1, width, height)))
        new = min(self.plot.width / width, self.plot.height / height) * self._zoom
        self._look_at(
            (column - (x - self.plot.left - self.plot.width / 2) / new) / width,
            (row - (y - self.plot.top - self.plot.height / 2) / new) / height,
        )
        return True

    def _look_at(self, across: float, down: float) -> None:
        if self._zoom <= 1.0:
            across = down = 0.5
        self._middle = min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)

    def move(self, dx: int, dy: int) -> bool:
        if not self._pixels.size or self._zoom <= 1.0:
            return False
        scale = self._whole()[0]
        height, width = self._pixels.shape[:2]
        self._look_at(self._middle[0] - dx / scale / width, self._middle[1] - dy / scale / height)
        return True

    def reset(self) -> None:
        self._zoom, self._middle = 1.0, (0.5, 0.5)

    def table(self) -> list[list[Any]]:
        return []


class FigurePanel(PicturePanel):
    """Kind "figure": edge to edge, and pixel for pixel where it has the panel's size."""

    edge_to_edge = True

    def margins(self) -> tuple[int, int, int, int]:
        return 0, 0, 0, 0

    def draw_over(self, surface: pygame.Surface) -> None:
        self.pen.pygame.draw.rect(surface, LINE, self.rect, 1)
