"""Smooth lines and points as the share that they cover of each pixel: arithmetic on arrays, no screen.

A line whose x never goes back is drawn by columns, two for each pixel: each has the least and the greatest of what
falls into it, so 100 000 points cost little more than 1000, and a spike of one point is seen. Any other line is drawn
piece by piece. Points in pixels; NaN in either coordinate is a gap.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.traces import coverage

__all__ = ["column_spans", "line_alpha", "path_alpha", "points_alpha"]

Doubles = npt.NDArray[np.float64]
Alpha = npt.NDArray[np.uint8]

_FAR_PX: Final = 1e6
_WIDTH_PX: Final = 1.5
_MOST_SAMPLES: Final = 500_000


def line_alpha(x: Doubles, y: Doubles, width: int, height: int) -> Alpha:
    """A line through the points (x[i], y[i]), shape (width, height), 0 to 255."""
    if not len(x) or width < 1 or height < 1:
        return np.zeros((max(0, width), max(0, height)), np.uint8)
    missing = ~np.isfinite(x)
    if missing.any():
        if missing.all():
            return np.zeros((width, height), np.uint8)
        y = np.where(missing, np.nan, y)
        # In their place comes the last x that is a number: order is kept, and the gap too.
        places = np.maximum.accumulate(np.where(missing, 0, np.arange(len(x))))
        x = x[np.where(missing[places], np.flatnonzero(~missing)[0], places)]
    rises = x[1:] >= x[:-1]
    if rises.all():
        pass
    elif not rises.any() or (x[1:] <= x[:-1]).all():
        x, y = x[::-1], y[::-1]
    else:
        return path_alpha(x, y, width, height)
    low, high = column_spans(x, y, 2 * width)
    # A column to each side, lest a steep line is thinner than a flat one.
    wide_low, wide_high = low.copy(), high.copy()
    for own, near in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        np.fmin(wide_low[own], low[near], out=wide_low[own])
        np.fmax(wide_high[own], high[near], out=wide_high[own])
    return coverage(wide_low, wide_high, height, _WIDTH_PX)


def column_spans(x: Doubles, y: Doubles, columns: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Least and greatest y in each of `columns` columns half a pixel wide, of a line whose x never goes back.

    x: finite, in pixels. NaN where the line is not.
    """
    at = 2.0 * x
    first, stop = (int(each) for each in np.searchsorted(at, (0.0, float(columns)), side="left"))
    first, stop = max(0, first - 1), min(len(at), stop + 1)
    at, y = at[first:stop], np.clip(y[first:stop], -_FAR_PX, _FAR_PX)
    low = np.full(columns, np.nan)
    high = np.full(columns, np.nan)
    if len(at):
        edges = np.arange(columns + 1, dtype=np.float64)
        with np.errstate(all="ignore"):
            ends = np.interp(edges, at, y, left=np.nan, right=np.nan)
        low, high = np.fmin(ends[:-1], ends[1:]), np.fmax(ends[:-1], ends[1:])
        column = np.floor(at).astype(np.int64)
        begins = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
        own = column[begins]
        seen = (own >= 0) & (own < columns)
        least, greatest = np.fmin.reduceat(y, begins)[seen], np.fmax.reduceat(y, begins)[seen]
        own = own[seen]
        low[own], high[own] = np.fmin(low[own], least), np.fmax(high[own], greatest)
    return low.astype(np.float32), high.astype(np.float32)


def path_alpha(x: Doubles, y: Doubles, width: int, height: int) -> Alpha:
    """Any line, with loops and steps back. Shape (width, height)."""
    found = np.zeros((width, height), np.uint8)
    if len(x) > 2:
        # A point within half a pixel of the one before it adds nothing that can be seen; a gap's neighbours stay.
        with np.errstate(invalid="ignore"):
            cell_x, cell_y = np.rint(2 * x), np.rint(2 * y)
        moved = np.ones(len(x), np.bool_)
        moved[1:-1] = (cell_x[1:-1] != cell_x[:-2]) | (cell_y[1:-1] != cell_y[:-2])
        x, y = x[moved], y[moved]
    x0, y0, x1, y1 = _clipped(x[:-1], y[:-1], x[1:], y[1:], width, height)
    if not len(x0):
        return found
    dx, dy = x1 - x0, y1 - y0
    steps = np.ceil(np.maximum(np.abs(dx), np.abs(dy))).astype(np.int64) + 2  # so that none is skipped
    total = int(steps.sum())
    if total > _MOST_SAMPLES:  # a thicket: places on the lines, not all of them
        steps = np.maximum(2, steps * _MOST_SAMPLES // total)
    owner = np.repeat(np.arange(len(steps)), steps)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps)
    part = place / np.maximum(1, steps - 1)[owner]
    along, across = x0[owner] + dx[owner] * part, y0[owner] + dy[owner] * part
    steep = (np.abs(dy) > np.abs(dx))[owner]
    major = np.floor(np.where(steep, across, along)).astype(np.int32)
    minor = np.where(steep, along, across)
    half = _WIDTH_PX / 2
    first = np.floor(minor - half).astype(np.int32)
    flat = found.reshape(-1)
    for offset in range(3):
        pixel = first + offset
        cover = np.clip(np.minimum(minor + half, pixel + 1) - np.maximum(minor - half, pixel), 0, 1) * 255
        column, row = np.where(steep, pixel, major), np.where(steep, major, pixel)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (cover > 0)
        np.maximum.at(flat, column[inside] * height + row[inside], cover[inside].astype(np.uint8))
    return found


def _clipped(
    x0: Doubles, y0: Doubles, x1: Doubles, y1: Doubles, width: int, height: int
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """The pieces as far as they lie in the picture (Liang and Barsky)."""
    keep = np.isfinite(x0) & np.isfinite(y0) & np.isfinite(x1) & np.isfinite(y1)
    x0, y0, x1, y1 = (np.clip(each[keep], -_FAR_PX, _FAR_PX) for each in (x0, y0, x1, y1))
    dx, dy = x1 - x0, y1 - y0
    begin, end = np.zeros(len(x0)), np.ones(len(x0))
    with np.errstate(divide="ignore", invalid="ignore"):
        for p, q in ((-dx, x0 + 2), (dx, width + 2 - x0), (-dy, y0 + 2), (dy, height + 2 - y0)):
            at = q / p
            begin = np.where(p < 0, np.fmax(begin, at), begin)
            end = np.where(p > 0, np.fmin(end, at), end)
            end = np.where((p == 0) & (q < 0), -1.0, end)
    seen = begin <= end
    x0, y0, dx, dy, begin, end = (each[seen] for each in (x0, y0, dx, dy, begin, end))
    return x0 + dx * begin, y0 + dy * begin, x0 + dx * end, y0 + dy * end


def points_alpha(x: Doubles, y: Doubles, width: int, height: int, radius_px: float) -> Alpha:
    """A dot at each point, shape (width, height). Its cost hardly depends on how many there are."""
    reach = int(np.ceil(radius_px + 0.5))
    padded = np.zeros((width + 2 * reach, height + 2 * reach), np.bool_)
    with np.errstate(invalid="ignore"):
        seen = (x > -reach) & (x < width + reach - 1) & (y > -reach) & (y < height + reach - 1)
    column, row = np.floor(x[seen]).astype(np.int64) + reach, np.floor(y[seen]).astype(np.int64) + reach
    padded[column, row] = True
    found = np.zeros((width, height), np.uint8)
    for across in range(-reach, reach + 1):
        for down in range(-reach, reach + 1):
            cover = min(max(radius_px + 0.5 - float(np.hypot(across, down)), 0.0), 1.0)
            if cover <= 0:
                continue
            part: Any = padded[reach + across : reach + across + width, reach + down : reach + down + height]
            np.maximum(found, part * np.uint8(round(255 * cover)), out=found)
    return found
