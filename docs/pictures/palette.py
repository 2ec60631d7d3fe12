"""Small pictures: of 256 colours, which are enough for what windows show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pygame

__all__ = ["save_small"]


def save_small(surface: Any, path: Path) -> None:
    """Save a pygame Surface as a PNG: with the 256 colours that suit it best if Pillow is there, else with all."""
    try:
        from PIL import Image
    except ImportError:
        pygame.image.save(surface, path)
        return
    whole = Image.frombytes("RGB", surface.get_size(), pygame.image.tobytes(surface, "RGB"))
    colours, counts = np.unique(np.asarray(whole).reshape(-1, 3), axis=0, return_counts=True)
    # By the cube root of how often they occur: else a colour bar, a few pixels wide, is left without its colours.
    some = np.repeat(colours, np.cbrt(counts).astype(int), axis=0)[np.newaxis]
    palette = Image.fromarray(some).quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=5)
    whole.quantize(palette=palette, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
