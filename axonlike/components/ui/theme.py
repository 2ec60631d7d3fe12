"""How everything on the screen looks: colours, fonts, rounded boxes."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from axonlike.components.ui.fonts import SystemFonts, Typeface

if TYPE_CHECKING:
    import pygame

__all__ = ["ACCENT", "BACKGROUND", "DIM", "GAP", "LINE", "PANEL", "RAISED", "TEXT", "WARNING", "Theme", "find_font"]

Colour = tuple[int, int, int]

BACKGROUND: Colour = (18, 21, 27)
PANEL: Colour = (25, 29, 37)
RAISED: Colour = (38, 44, 55)
LINE: Colour = (48, 55, 68)
TEXT: Colour = (226, 230, 238)
DIM: Colour = (133, 143, 161)
ACCENT: Colour = (94, 170, 255)
WARNING: Colour = (235, 186, 92)
# For names in a chat and the like: as bright as each other on PANEL, and told apart by those who see fewer colours.
NAMES: tuple[Colour, ...] = (
    (122, 184, 255), (255, 186, 110), (134, 214, 160), (233, 150, 200), (232, 214, 120), (176, 164, 255),
    (120, 214, 220), (255, 150, 140),
)  # fmt: skip

GAP = 12  # pixels between widgets, and around them
_RADIUS = 9
_OVERSAMPLED = 4
_NAMED = 256  # names beyond these get a colour by their letters

# Where Linux distributions, macOS and Windows keep readable fonts. pygame's own search runs `fc-list`, which takes up
# to a second on a machine with many fonts, so it comes after these.
_FILES = {
    False: (
        "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/google-noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
        "/System/Library/Fonts/Helvetica.ttc",
        "C:/Windows/Fonts/segoeui.ttf",
    ),
    True: (
        "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf",
        "/usr/share/fonts/google-noto/NotoSans-Bold.ttf",
        "/usr/share/fonts/noto/NotoSans-Bold.ttf",
        "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf",
        "/System/Library/Fonts/Helvetica.ttc",
        "C:/Windows/Fonts/segoeuib.ttf",
    ),
}
_FAMILIES = "notosans,dejavusans,liberationsans,cantarell,ubuntu,opensans,arial,helvetica"


def find_font(
    wanted: str,
    bold: bool,
    search: Callable[[str, bool], str | None],
    exists: Callable[[str], bool] = os.path.exists,
    files: Iterable[str] | None = None,
) -> str | None:
    """A font's file: of the one that is wanted (a file or a name), or of a readable one; None if there is none."""
    if wanted:
        return wanted if exists(wanted) else search(wanted, bold)
    known = _FILES[bold] if files is None else files
    return next(filter(exists, known), None) or search(_FAMILIES, bold)


class Theme:
    """The looks of one window. Fonts and boxes are made once and kept."""

    def __init__(self, pygame: Any, *, font: str = "", system: SystemFonts | None = None) -> None:
        self.pygame = pygame
        self._wanted = font
        self._system = system or SystemFonts()
        self._paths: dict[bool, str] = {}
        self._fonts: dict[tuple[int, bool], Typeface] = {}
        self._boxes: dict[tuple[object, ...], pygame.Surface] = {}
        self._named: dict[str, Colour] = {}

    def font(self, size: int, *, bold: bool = False) -> Typeface:
        """The font at so many points."""
        font = self._fonts.get((size, bold))
        if font is None:
            if bold not in self._paths:
                found = find_font(self._wanted, bold, self._search)
                self._paths[bold] = found or os.path.join(
                    os.path.dirname(self.pygame.__file__), self.pygame.font.get_default_font()
                )
            font = self._fonts[size, bold] = Typeface(
                self.pygame, lambda file: self.pygame.font.Font(file, size), self._paths[bold], self._system, bold=bold
            )
        return font

    def _search(self, name: str, bold: bool) -> str | None:
        """The file of one of these fonts. None: pygame's own is taken, which is always there."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a machine without fontconfig
            found: str | None = self.pygame.font.match_font(name, bold=bold)
        return found

    def name_colour(self, text: str) -> Colour:
        """The same colour for the same text, and another one for each of the first few."""
        if text not in self._named and len(self._named) < _NAMED:
            self._named[text] = NAMES[len(self._named) % len(NAMES)]
        return self._named.get(text) or NAMES[zlib.crc32(text.encode()) % len(NAMES)]

    def box(
        self,
        size: tuple[int, int],
        fill: Colour,
        border: Colour | None = None,
        *,
        width: int = 1,
        radius: int = _RADIUS,
    ) -> pygame.Surface:
        """A rounded box with smooth corners (pygame draws them as stairs, so it is drawn larger and scaled down)."""
        key = (size, fill, border, width, radius)
        box = self._boxes.get(key)
        if box is None:
            if len(self._boxes) > 100:  # sizes change while a window is dragged larger
                self._boxes.clear()
            # All that is not straight is in the corners: the box is drawn as small as it can be, and pulled apart.
            least = 2 * max(radius, width) + 1
            small = self._small_box((min(size[0], least), min(size[1], least)), fill, border, width, radius)
            box = self._boxes[key] = small if small.get_size() == size else _pulled_apart(small, size, self.pygame)
        return box

    def _small_box(
        self, size: tuple[int, int], fill: Colour, border: Colour | None, width: int, radius: int
    ) -> pygame.Surface:
        n = _OVERSAMPLED
        large = self.pygame.Surface((size[0] * n, size[1] * n), self.pygame.SRCALPHA)
        large.fill((*(border or fill), 0))  # what is see-through has the colour of the edge, lest that darken
        self.pygame.draw.rect(large, border or fill, large.get_rect(), border_radius=radius * n)
        if border is not None:
            inner = large.get_rect().inflate(-2 * width * n, -2 * width * n)
            self.pygame.draw.rect(large, fill, inner, border_radius=max(0, (radius - width) * n))
        made: pygame.Surface = self.pygame.transform.smoothscale(large, size)
        return made

    def forget(self) -> None:
        """The window is closed: let go of fonts and boxes, which are pygame's."""
        self._fonts.clear()
        self._boxes.clear()


def _pulled_apart(small: pygame.Surface, size: tuple[int, int], library: Any) -> pygame.Surface:
    """The corners as they are, and what lies between them repeated up to that size."""
    made: pygame.Surface = library.Surface(size, library.SRCALPHA)
    columns, rows = (_thirds(now, wanted) for now, wanted in zip(small.get_size(), size))
    for x, width, left, wide in columns:
        for y, height, top, high in rows:
            part = library.transform.scale(small.subsurface((x, y, width, height)), (wide, high))
            made.blit(part, (left, top), special_flags=library.BLEND_RGBA_ADD)  # onto nothing: a copy, alpha and all
    return made


def _thirds(now: int, wanted: int) -> tuple[tuple[int, int, int, int], ...]:
    """Where each part begins and how long it is, in the small one and in the other: both ends, one pixel between."""
    if now == wanted:
        return ((0, now, 0, now),)
    end = now // 2
    return (0, end, 0, end), (end, 1, end, wanted - 2 * end), (end + 1, end, wanted - end, end)
