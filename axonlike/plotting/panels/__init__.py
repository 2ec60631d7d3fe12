"""The panels of the plot's window: plain objects that draw one value each, and the strip of parameters."""

from axonlike.plotting.panels.curves import CurvesPanel
from axonlike.plotting.panels.image import ImagePanel
from axonlike.plotting.panels.panel import PlotPanel
from axonlike.plotting.panels.pen import Pen
from axonlike.plotting.panels.picture import FigurePanel, PicturePanel
from axonlike.plotting.panels.strip import ParamStrip
from axonlike.plotting.panels.text import TextPanel
from axonlike.plotting.panels.trail import Trail
from axonlike.plotting.shown import Kind

__all__ = [
    "PANELS",
    "CurvesPanel",
    "FigurePanel",
    "ImagePanel",
    "ParamStrip",
    "Pen",
    "PicturePanel",
    "PlotPanel",
    "TextPanel",
    "Trail",
]

PANELS: dict[Kind, type[PlotPanel]] = {
    "lines": CurvesPanel,
    "points": CurvesPanel,
    "history": CurvesPanel,
    "spectrum": CurvesPanel,
    "image": ImagePanel,
    "picture": PicturePanel,
    "figure": FigurePanel,
    "text": TextPanel,
}
"""What draws each kind."""
