"""Moving pictures: one video, or several in a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.ui.axes import brief
from axonlike.components.ui.instrument import HEADER_PX, PLOT, Instrument, Key, spaced
from axonlike.components.ui.placing import Place
from axonlike.components.ui.setting import Setting, count, flag
from axonlike.components.ui.theme import DIM, TEXT, WARNING
from axonlike.components.ui.timefreq_view import grid_columns
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import pygame

__all__ = ["ImageView"]

_CELL_GAP = 8


class _Video:
    """One stream: its newest frame."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.continuity = Continuity()
        self.frame: npt.NDArray[np.uint8] | None = None
        self.is_new = False
        self.picture: Any = None
        """The frame, scaled."""


class ImageView(Instrument):
    """Shows the newest frame of each video that comes, (rows, height, width, 3) of uint8 in RGB, or without the last
    axis in greys.

    producers: components whose streams it takes; several are told apart by their names and stand in a grid.

    columns: of the grid; 0 for what fits (at most 4). flip: upside down; mirror: left and right exchanged. smooth:
    blend pixels when a picture is scaled, instead of leaving them square. `frames` counts what came, `skipped` what was
    not drawn because a newer one had come by then.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("frames", Chunk, limit=16, policy="drop_oldest", stream=StreamType(kind="video", dtype="uint8")),
    }
    settings = ("paused", "columns", "flip", "mirror", "smooth")
    MOUSE = (("Click", "show this one alone, or all"),)
    KEYS = (
        Key("f", "upside down", "toggle_flip"),
        Key("m", "mirror", "toggle_mirror"),
        Key("s", "smooth or square pixels", "toggle_smooth"),
    )

    columns: Setting[int] = Setting(count(0, 64), "Of the grid; 0: what fits.")
    flip: Setting[bool] = Setting(flag, "Upside down?")
    mirror: Setting[bool] = Setting(flag, "Left and right exchanged?")
    smooth: Setting[bool] = Setting(flag, "Blend pixels where the picture is scaled?")

    def __init__(
        self,
        *producers: Component,
        columns: int = 0,
        flip: bool = False,
        mirror: bool = False,
        smooth: bool = True,
        title: str = "",
        at: Place = "middle",
        height: int | None = None,
        linger_s: float | None = None,
    ) -> None:
        super().__init__(*producers, title=title, at=at, height=height, linger_s=linger_s)
        self.frames = 0
        self.skipped = 0
        self._videos: dict[str, _Video] = {}
        self._alone: str | None = None
        self._cells: dict[str, pygame.Rect] = {}
        self._noted_lost = 0
        self.columns = columns
        self.flip = flip
        self.mirror = mirror
        self.smooth = smooth
        self.be_ready()

    def apply(self, name: str) -> None:
        self.arrange()

    def take(self, box: str, chunk: Chunk) -> None:
        info = chunk.info
        video = self._videos.get(info.name)
        if video is None or (video.info is not info and video.info != info):
            if len(info.shape) not in (2, 3) or (len(info.shape) == 3 and info.shape[2] != 3):
                raise UsageError(
                    f"{self.path}: frames of {info.name or 'a video'} have the shape {info.shape}; it takes "
                    "(height, width, 3), RGB, or (height, width), greys"
                )
            video = self._videos[info.name] = _Video(info)
            self.arrange()
            self.refresh()
        self.lost += max(0, video.continuity.missing(chunk))
        if not len(chunk):
            return
        self.frames += len(chunk)
        self.skipped += len(chunk) - 1 + video.is_new
        video.frame, video.is_new, video.picture = chunk.data[-1], True, None

    # -- how it looks

    def margins(self) -> tuple[int, int, int, int]:
        return 10, HEADER_PX, 10, 10

    def arrange(self) -> None:
        self._cells = {}
        names = [self._alone] if self._alone in self._videos else list(self._videos)
        if not names or not self.plot.width:
            return
        shape = next(iter(self._videos.values())).info.shape
        fits = min(4, grid_columns(len(names), *self.plot.size, aspect=shape[1] / shape[0]))
        columns = min(len(names), self.columns or fits)
        rows = math.ceil(len(names) / columns)
        width = (self.plot.width - _CELL_GAP * (columns - 1)) // columns
        height = (self.plot.height - _CELL_GAP * (rows - 1)) // rows
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            x, y = self.plot.left + column * (width + _CELL_GAP), self.plot.top + row * (height + _CELL_GAP)
            assert name is not None
            self._cells[name] = self.pygame.Rect(x, y, width, height)
        for video in self._videos.values():
            video.picture = None

    def draw_ground(self, ground: pygame.Surface) -> None:
        self._noted_lost = self.lost
        notes = [(f"{spaced(self.lost)} frames lost", WARNING)] if self.lost else []
        only = next(iter(self._videos.values())) if len(self._videos) == 1 else None
        title = "Video"
        if only is not None:
            height, width = only.info.shape[:2]
            notes.append((f"{width} × {height}", DIM))
            if only.info.sample_rate_hz:
                notes.append((f"{brief(float(f'{only.info.sample_rate_hz:.4g}'), '')} frames/s", DIM))
            title = only.info.name or title
        self.draw_header(ground, self.title or title, notes)
        for cell in self._cells.values():
            self.pygame.draw.rect(ground, PLOT, cell, border_radius=4)
        if not self._cells:
            self.pygame.draw.rect(ground, PLOT, self.plot, border_radius=4)

    def draw_plot(self, surface: pygame.Surface, now_s: float) -> None:
        if not self._videos:
            self.draw_waiting(surface, "waiting for a video")
            return
        for name, cell in self._cells.items():
            video = self._videos[name]
            if video.frame is None or cell.width < 4 or cell.height < 4:
                continue
            if video.picture is None:
                video.picture = self._scaled(video.frame, cell.size)
            video.is_new = False
            surface.blit(video.picture, video.picture.get_rect(center=cell.center))
            if len(self._videos) > 1:
                text = name or "video"
                veil = self.pygame.Surface((self.text_width(text, bold=True) + 14, 22), self.pygame.SRCALPHA)
                veil.fill((*PLOT, 170))
                surface.blit(veil, (cell.left + 6, cell.top + 6))
                self.text(surface, text, cell.left + 13, cell.top + 17, bold=True, colour=TEXT)
        if self.lost != self._noted_lost:
            self.refresh()

    def _scaled(self, frame: npt.NDArray[np.uint8], room: tuple[int, int]) -> pygame.Surface:
        pygame = self.pygame
        height, width = frame.shape[:2]
        grey = frame.ndim == 2
        data = np.repeat(frame[:, :, np.newaxis], 3, axis=2) if grey else np.ascontiguousarray(frame)
        picture: Any = pygame.image.frombuffer(data.tobytes(), (width, height), "RGB")
        factor = min(room[0] / width, room[1] / height)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        if size != (width, height):
            picture = (pygame.transform.smoothscale if self.smooth else pygame.transform.scale)(picture, size)
        if self.flip or self.mirror:
            picture = pygame.transform.flip(picture, self.mirror, self.flip)
        return picture  # type: ignore[no-any-return]

    # -- its user

    def clicked(self, x: int, y: int) -> None:
        if self._alone is not None:
            self._alone = None
        elif len(self._videos) > 1:
            self._alone = next((name for name, cell in self._cells.items() if cell.collidepoint(x, y)), None)
        self.arrange()
        self.refresh()

    def toggle_flip(self) -> None:
        """Upside down, or not."""
        self.flip = not self.flip

    def toggle_mirror(self) -> None:
        """Left and right exchanged, or not."""
        self.mirror = not self.mirror

    def toggle_smooth(self) -> None:
        """Smooth or square pixels."""
        self.smooth = not self.smooth
