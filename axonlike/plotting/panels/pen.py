"""What panels write and stamp with: text in the window's fonts, and colours by the share of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.theme import DIM, Theme
from axonlike.components.ui.wrapping import printable

if TYPE_CHECKING:
    import pygame

__all__ = ["Colour", "Pen"]

Colour = tuple[int, int, int]

_KEPT = 600
_LONGEST = 500  # characters that any line has room for


class Pen:
    """Text is kept as pictures: most of what a plot writes was written in the last frame too."""

    def __init__(self, pygame: Any, theme: Theme) -> None:
        self.pygame = pygame
        self.theme = theme
        self._texts: dict[tuple[str, int, bool, Colour], pygame.Surface] = {}

    def width(self, text: str, size: int = 13, *, bold: bool = False) -> int:
        """In pixels."""
        return int(self.theme.font(size, bold=bold).size(printable(text))[0])

    def fitting(self, text: str, width: int, size: int = 13, *, bold: bool = False) -> str:
        """As much of the text as has room, with an ellipsis if that is not all."""
        text = text[:_LONGEST]
        if self.width(text, size, bold=bold) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(f"{text[:middle]}…", size, bold=bold) <= width:
                low = middle
            else:
                high = middle - 1
        return f"{text[:low].rstrip()}…" if low else ""

    def text(
        self, surface: pygame.Surface, text: str, x: float, y: float, *, size: int = 13, colour: Colour = DIM,
        bold: bool = False, across: float = 0.0, down: float = 0.5,
    ) -> int:  # fmt: skip
        """Write. (x, y): of the point `across` its width and `down` its height. Returns the width."""
        key = (text, size, bold, colour)
        picture = self._texts.get(key)
        if picture is None:
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            font = self.theme.font(size, bold=bold)
            picture = self._texts[key] = font.render(printable(text), True, colour)
        surface.blit(picture, (round(x - across * picture.get_width()), round(y - down * picture.get_height())))
        return picture.get_width()

    def stamp(self, surface: pygame.Surface, alpha: npt.NDArray[np.uint8], colour: Colour, at: tuple[int, int]) -> None:
        """Lay a colour over the picture from `at` on, of each pixel so much as alpha (width, height) says."""
        if not alpha.size:
            return
        layer = self.pygame.Surface(alpha.shape, self.pygame.SRCALPHA)
        layer.fill(colour)
        share = self.pygame.surfarray.pixels_alpha(layer)
        share[...] = alpha
        del share  # it locks the surface
        surface.blit(layer, at)

    def forget(self) -> None:
        """The window is closed: let go of pictures."""
        self._texts.clear()
