"""Which panel draws which kind of value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from axonlike.plotting.panels.curves import CurvesPanel
from axonlike.plotting.panels.image import ImagePanel
from axonlike.plotting.panels.panel import PlotPanel
from axonlike.plotting.panels.picture import FigurePanel, PicturePanel
from axonlike.plotting.panels.text import TextPanel
from axonlike.plotting.shown import Kind

__all__ = ["PANELS"]

PANELS: Mapping[Kind, type[PlotPanel]] = MappingProxyType(
    {
        "lines": CurvesPanel,
        "points": CurvesPanel,
        "history": CurvesPanel,
        "spectrum": CurvesPanel,
        "image": ImagePanel,
        "picture": PicturePanel,
        "figure": FigurePanel,
        "text": TextPanel,
    }
)
"""By the kind that `shown.panels_of` gives."""
