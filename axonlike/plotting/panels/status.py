"""The line at the bottom of the window: what is going on, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from axonlike.components.ui.axes import duration
from axonlike.components.ui.instrument import spaced
from axonlike.components.ui.theme import ACCENT, DIM, TEXT, WARNING
from axonlike.plotting.messages import Counters
from axonlike.plotting.panels.pen import Colour, Pen

if TYPE_CHECKING:
    import pygame

__all__ = ["STATUS_PX", "Status", "draw_status"]

STATUS_PX = 30
LIVE: Colour = (72, 214, 170)


@dataclass(frozen=True, slots=True)
class Status:
    """state: "live", "paused" or what else there is to say. frame: the number of the newest, 0 without one."""

    state: str
    frame: int = 0
    call: int = 0
    fps: float | None = None
    counters: Counters = field(default_factory=Counters)
    film: str = ""
    notes: tuple[str, ...] = ()

    def parts(self) -> list[str]:
        """What it says beside the state, the most wanted first."""
        if not self.frame:
            return []
        c = self.counters
        parts = [f"frame {spaced(self.frame)} · call {spaced(self.call)}"]
        if self.fps is not None:
            parts.append(f"{self.fps:.0f} frames/s" if self.fps >= 9.5 else f"{self.fps:.1f} frames/s")
        if c.offered:
            parts.append(
                f"offered {spaced(c.offered)} · sent {spaced(c.sent)} · drawn {spaced(c.drawn)} · "
                f"dropped {spaced(c.dropped)}"
            )
        if c.worst_call_s:
            parts.append(f"worst call {duration(c.worst_call_s)}")
        if c.viewers > 1:
            parts.append(f"{c.viewers} viewers")
        return parts


def draw_status(pen: Pen, surface: pygame.Surface, rect: pygame.Rect, status: Status) -> None:
    """Draw it; what has no room is left out, from the end."""
    y = rect.centery + 2
    colour = {"live": LIVE, "paused": WARNING, "waiting for data": DIM, "no new data": DIM}.get(status.state, ACCENT)
    x = float(rect.left + 4)
    surface.blit(pen.theme.box((10, 10), colour, radius=5), (round(x), y - 5))
    x += 18
    state = pen.fitting(status.state, rect.right - round(x))
    x += pen.text(surface, state, x, y, colour=TEXT, bold=True) + 18
    if status.film:
        surface.blit(pen.theme.box((10, 10), (255, 92, 92), radius=5), (round(x), y - 5))
        x += 16
        x += pen.text(surface, pen.fitting(status.film, rect.right - round(x)), x, y, colour=TEXT) + 18
    note = status.notes[0] if status.notes else ""
    if len(status.notes) > 1:
        note += f" (+{len(status.notes) - 1} more)"
    end = float(rect.right - 4)
    if note:
        note = pen.fitting(note, max(0, int((end - x) * 0.6)))
        end -= pen.text(surface, note, end, y, colour=WARNING, across=1.0) + 18
    for part in status.parts():
        needs = pen.width(part)
        if x + needs > end:
            break
        x += pen.text(surface, part, x, y) + 18
