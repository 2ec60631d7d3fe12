"""Where each panel of a window stands: arithmetic only."""

from __future__ import annotations

import math

from axonlike.components.ui.timefreq_view import grid_columns

__all__ = ["Place", "grid"]

Place = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


def grid(count: int, area: Place, *, gap: int = 10, aspect: float = 1.5, fills: bool = True) -> list[Place]:
    """Places for so many panels that fill the area, each about `aspect` times as wide as high.

    fills: a last row of fewer panels has wider ones; else all are of one size.
    """
    if count < 1:
        return []
    left, top, width, height = area
    columns = grid_columns(count, max(1, width), max(1, height), aspect=aspect)
    rows = math.ceil(count / columns)
    down = max(0, height - gap * (rows - 1))
    places = []
    for row in range(rows):
        here = min(columns, count - row * columns) if fills else columns
        across = max(0, width - gap * (here - 1))
        y0, y1 = down * row // rows, down * (row + 1) // rows
        if not fills:
            y0, y1 = row * (down // rows), (row + 1) * (down // rows)
        for column in range(min(here, count - row * columns)):
            x0, x1 = across * column // here, across * (column + 1) // here
            if not fills:
                x0, x1 = column * (across // here), (column + 1) * (across // here)
            places.append((left + x0 + gap * column, top + y0 + gap * row, x1 - x0, y1 - y0))
    return places
