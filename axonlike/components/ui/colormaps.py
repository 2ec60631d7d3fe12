"""Colours for values: maps that rise evenly in brightness, so that they are read without colour vision too.

The anchors of viridis, magma, inferno (Nathaniel J. Smith, Stéfan van der Walt; CC0) and cividis (Jamie R. Nuñez and
others, CC0) at ten even places; between them colours are interpolated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from axonlike.errors import UsageError, did_you_mean

__all__ = ["COLORMAPS", "colormap", "colour_index"]

_ANCHORS = {
    "viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    "inferno": "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
    "magma": "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
    "cividis": "00204d 00336f 39486b 575c6d 707173 8a8779 a69d75 c4b56c e4cf5b ffea46",
    "grey": "000000 ffffff",
}
COLORMAPS: tuple[str, ...] = tuple(_ANCHORS)
"""The names that there are."""


def colormap(name: str, places: int = 256) -> npt.NDArray[np.uint8]:
    """RGB of `places` even steps from the lowest to the highest value, shape (places, 3). Raises UsageError."""
    text = _ANCHORS.get(name)
    if text is None:
        raise UsageError(
            f"there is no colour map {name!r}{did_you_mean(str(name), COLORMAPS)} (there are: {', '.join(COLORMAPS)})"
        )
    anchors = np.array([list(bytes.fromhex(colour)) for colour in text.split()], np.float64)
    at = np.linspace(0.0, len(anchors) - 1, places)
    channels = [np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def colour_index(
    values: npt.NDArray[np.floating], low: float, high: float, *, places: int = 255
) -> npt.NDArray[np.uint8]:
    """The place in a map of each value: 0 for `low` and below, places - 1 for `high` and above.

    NaN (nothing was received) becomes `places`, which is one beyond the map: its own colour.
    """
    span = high - low if high > low else 1.0
    scaled = (values - low) * ((places - 1) / span)
    with np.errstate(invalid="ignore"):
        index = np.clip(np.rint(scaled), 0, places - 1)
    missing = np.isnan(index)
    if missing.any():
        index = np.where(missing, places, index)
    found: npt.NDArray[np.uint8] = index.astype(np.uint8)
    return found
