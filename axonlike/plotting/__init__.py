"""A live plot of a running calculation, in a process of its own or on another machine: the extra "plot"."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.plotting.film import Film
    from axonlike.plotting.liveplot import LivePlot
    from axonlike.plotting.messages import (
        Counters,
        Did,
        Drawn,
        Ended,
        Failed,
        Frame,
        Other,
        Panel,
        Ready,
        Set,
        Values,
        Welcome,
    )
    from axonlike.plotting.params import Param, Params
    from axonlike.plotting.sink import PlotSink
    from axonlike.plotting.source import PlotSource
    from axonlike.plotting.view import PlotView

__getattr__ = loaded_late(
    __name__,
    {
        "film": "Film",
        "liveplot": "LivePlot",
        "messages": "Counters Did Drawn Ended Failed Frame Other Panel Ready Set Values Welcome",
        "params": "Param Params",
        "sink": "PlotSink",
        "source": "PlotSource",
        "view": "PlotView",
    },
)

__all__ = [
    "Counters",
    "Did",
    "Drawn",
    "Ended",
    "Failed",
    "Film",
    "Frame",
    "LivePlot",
    "Other",
    "Panel",
    "Param",
    "Params",
    "PlotSink",
    "PlotSource",
    "PlotView",
    "Ready",
    "Set",
    "Values",
    "Welcome",
]
