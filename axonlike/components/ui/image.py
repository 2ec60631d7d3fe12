"""A picture, and the next one in its place."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.components.ui.placing import Place, Wish
from axonlike.components.ui.theme import LINE, PANEL, Theme
from axonlike.components.ui.widget import Widget, checked_linger
from axonlike.errors import Finished, UsageError, show_value

if TYPE_CHECKING:
    import pygame

__all__ = ["Image"]

_MODES = {3: "RGB", 4: "RGBA"}


class Image(Widget):
    """Shows a picture, as large as its place allows; each message takes the place of the one before.

    A picture is a file's path (PNG, JPEG, BMP, GIF, WebP), such a file's bytes, a pygame Surface, or a numpy array of
    uint8: (height, width) in greys, (height, width, 3) in RGB, or 4 in RGBA. scale=False: pixel by pixel, centred.
    `replaced` counts pictures that were never drawn because a newer one had come by the next frame.

    Raises UsageError for what is no picture. At the end of its input it stays for `linger_s` seconds; None: until the
    window is closed.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "pictures"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "nothing"}

    def __init__(
        self,
        picture: Any = None,
        *,
        scale: bool = True,
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(at=at)
        self.replaced = 0
        self._scale = scale
        self._height = height
        self._linger_s = checked_linger("Image", linger_s)
        self._is_new = False
        self._scaled: pygame.Surface | None = None
        self._picture: pygame.Surface | None = None if picture is None else self._read(picture)

    def main(self) -> Generator[Any, Any, None]:
        try:
            yield from self.until_shown()
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self._picture = self._read(message)
                    self._scaled = None
                    self.replaced += self._is_new
                    self._is_new = True
                self.redraw()
                yield
        except Finished:
            pass
        yield from self.linger(self._linger_s)

    def _read(self, picture: Any) -> pygame.Surface:
        pygame = self.pygame
        try:
            if isinstance(picture, pygame.Surface):
                return picture  # type: ignore[no-any-return]
            if isinstance(picture, str | os.PathLike):
                return pygame.image.load(os.fspath(picture))  # type: ignore[no-any-return]
            if isinstance(picture, bytes | bytearray):
                return pygame.image.load(io.BytesIO(picture))  # type: ignore[no-any-return]
            if hasattr(picture, "shape") and hasattr(picture, "tobytes"):
                return self._from_array(picture)
        except (OSError, pygame.error, ValueError) as exc:
            raise UsageError(f"{self.name}: {show_value(picture)} cannot be read as a picture: {exc}") from exc
        raise UsageError(
            f"{self.name}: {show_value(picture)} is no picture: it takes a path, a file's bytes, a pygame Surface or a "
            "numpy array"
        )

    def _from_array(self, array: Any) -> pygame.Surface:
        shape = tuple(array.shape)
        grey = len(shape) == 2 or shape[2:] == (1,)
        if str(array.dtype) != "uint8" or not (grey or (len(shape) == 3 and shape[2] in _MODES)):
            raise UsageError(
                f"{self.name}: an array of {array.dtype}, shape {shape}, is no picture: it takes uint8, "
                "(height, width), (height, width, 3) or (height, width, 4)"
            )
        size = (int(shape[1]), int(shape[0]))
        data = array.tobytes()  # a copy, in C order: what was sent stays its sender's
        surface: pygame.Surface = self.pygame.image.frombytes(data, size, "P" if grey else _MODES[shape[2]])
        if grey:
            surface.set_palette([(level, level, level) for level in range(256)])
        return surface

    def wish(self, theme: Theme) -> Wish:
        return Wish(self.at, height=self._height)

    def placed(self) -> None:
        self._scaled = None

    def draw(self, surface: pygame.Surface, now_s: float) -> None:
        self._is_new = False
        surface.blit(self.theme.box(self.size, PANEL, LINE), (0, 0))
        if self._picture is None:
            return
        if self._scaled is None:
            self._scaled = self._fitted(self._picture)
        surface.blit(self._scaled, self._scaled.get_rect(center=(self.size[0] // 2, self.size[1] // 2)))

    def _fitted(self, picture: pygame.Surface) -> pygame.Surface:
        width, height = picture.get_size()
        room = max(1, self.size[0] - 12), max(1, self.size[1] - 12)
        if not self._scale or not width or not height:
            return picture
        factor = min(room[0] / width, room[1] / height)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        if size == (width, height):
            return picture
        smooth = picture.convert_alpha() if picture.get_bitsize() < 24 else picture
        return self.pygame.transform.smoothscale(smooth, size)  # type: ignore[no-any-return]
