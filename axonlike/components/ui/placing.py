"""Where each widget of a window stands: arithmetic only.

A window has three zones. What is at the top and at the bottom takes the height that it asks for; narrow ones (buttons)
stand side by side, in as many rows as they need. What is in the middle shares the height that is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Place", "Rect", "Wish", "natural_size", "place"]

Zone = Literal["top", "middle", "bottom"]
Place = Zone | tuple[int, int, int, int]
"""A zone, or (x, y, width, height) in pixels."""

Rect = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a widget asks for. None: as much as there is; 0 as height: it is not seen at all."""

    at: Place
    width: int | None = None
    height: int | None = None


def _rows(wishes: Sequence[tuple[int, Wish]], width: int, gap: int) -> list[list[tuple[int, Wish]]]:
    rows: list[list[tuple[int, Wish]]] = []
    left = 0
    for index, wish in wishes:
        needs = width if wish.width is None else min(width, wish.width)
        if rows and left >= needs:
            rows[-1].append((index, wish))
        else:
            rows.append([(index, wish)])
            left = width
        left -= needs + gap
    return rows


def _height(row: Sequence[tuple[int, Wish]]) -> int:
    return max(wish.height or 0 for _, wish in row)


def place(wishes: Sequence[Wish], size: tuple[int, int], gap: int) -> list[Rect]:
    """A rectangle for each wish, in a window of this size; zero-sized ones where nothing is left."""
    places: list[Rect] = [(0, 0, 0, 0)] * len(wishes)
    width, height = max(0, size[0] - 2 * gap), size[1]
    zones: dict[str, list[tuple[int, Wish]]] = {"top": [], "middle": [], "bottom": []}
    for index, wish in enumerate(wishes):
        if isinstance(wish.at, tuple):
            places[index] = wish.at
        elif wish.height != 0:
            zones[wish.at].append((index, wish))

    def put(row: Sequence[tuple[int, Wish]], y: int, row_height: int) -> None:
        x = gap
        for index, wish in row:
            own = width if wish.width is None else min(width, wish.width)
            places[index] = (x, y, own, max(0, row_height))
            x += own + gap

    top = gap
    for row in _rows(zones["top"], width, gap):
        put(row, top, _height(row))
        top += _height(row) + gap
    bottom = height - gap
    for row in reversed(_rows(zones["bottom"], width, gap)):
        bottom -= _height(row)
        put(row, bottom, _height(row))
        bottom -= gap
    stretching = [entry for entry in zones["middle"] if entry[1].height is None]
    fixed = sum((wish.height or 0) + gap for _, wish in zones["middle"] if wish.height is not None)
    spare = max(0, bottom - top - fixed - gap * max(0, len(stretching) - 1))
    for index, wish in zones["middle"]:
        share = wish.height
        if share is None:
            number = [i for i, _ in stretching].index(index)
            share = spare * (number + 1) // len(stretching) - spare * number // len(stretching)
        put([(index, wish)], top, share)
        top += share + gap
    return places


def natural_size(wishes: Sequence[Wish], gap: int, *, roomy: tuple[int, int], narrow: int) -> tuple[int, int]:
    """How large a window for them should be: `roomy` if something in it stretches, else just what they need."""
    right = max((at[0] + at[2] + gap for wish in wishes if isinstance(at := wish.at, tuple)), default=0)
    below = max((at[1] + at[3] + gap for wish in wishes if isinstance(at := wish.at, tuple)), default=0)
    zoned = [(index, wish) for index, wish in enumerate(wishes) if not isinstance(wish.at, tuple) and wish.height != 0]
    if any(wish.height is None for _, wish in zoned):
        return max(right, roomy[0]), max(below, roomy[1])
    if not zoned:
        return (right, below) if right else (narrow, narrow // 3)
    rows = [
        row for zone in ("top", "middle", "bottom") for row in _rows([z for z in zoned if z[1].at == zone], narrow, gap)
    ]
    wide = max(sum((narrow if w.width is None else w.width) + gap for _, w in row) for row in rows) + gap
    return max(right, wide), max(below, sum(_height(row) + gap for row in rows) + gap)
