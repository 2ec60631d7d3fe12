"""The screen: one window, and what stands in it. Needs pygame (the extra "ui"), from when a component is made."""

from axonlike.components.ui.button import Button
from axonlike.components.ui.display import Display
from axonlike.components.ui.image import Image
from axonlike.components.ui.keys import Keys
from axonlike.components.ui.library import NoScreen, ScreenLost
from axonlike.components.ui.textbox import TextBox
from axonlike.components.ui.ticker import Ticker
from axonlike.components.ui.widget import Widget

__all__ = [
    "Button",
    "Display",
    "Image",
    "Keys",
    "NoScreen",
    "ScreenLost",
    "TextBox",
    "Ticker",
    "Widget",
]
