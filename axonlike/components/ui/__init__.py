"""The screen: one window, and what stands in it. Needs pygame (the extra "ui"), from when a component is made."""

from typing import TYPE_CHECKING

from axonlike.components.ui.button import Button
from axonlike.components.ui.display import Display
from axonlike.components.ui.image import Image
from axonlike.components.ui.keys import Keys
from axonlike.components.ui.library import NoScreen, ScreenLost
from axonlike.components.ui.textbox import TextBox
from axonlike.components.ui.ticker import Ticker
from axonlike.components.ui.widget import Widget
from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.ui.image_view import ImageView
    from axonlike.components.ui.instrument import Exported
    from axonlike.components.ui.scope import Scope
    from axonlike.components.ui.spectrum_view import SpectrumView
    from axonlike.components.ui.timefreq_view import TimeFreqView
    from axonlike.components.ui.triggered_scope import TriggeredScope
    from axonlike.components.ui.waterfall import Waterfall

__getattr__ = loaded_late(
    __name__,
    {
        "image_view": "ImageView",
        "instrument": "Exported",
        "scope": "Scope",
        "spectrum_view": "SpectrumView",
        "timefreq_view": "TimeFreqView",
        "triggered_scope": "TriggeredScope",
        "waterfall": "Waterfall",
    },
)

__all__ = [
    "Button",
    "Display",
    "Exported",
    "Image",
    "ImageView",
    "Keys",
    "NoScreen",
    "Scope",
    "ScreenLost",
    "SpectrumView",
    "TextBox",
    "Ticker",
    "TimeFreqView",
    "TriggeredScope",
    "Waterfall",
    "Widget",
]
