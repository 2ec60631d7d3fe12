"""Buttons, keys and a ticker that tells what was pressed.

    python examples/buttons.py

R, G and B press the buttons too; the arrow keys are told without a button. Closing the window, or Q, ends it. It needs
a screen, and pygame: pip install "axonlike[ui]".
"""

from axonlike import Graphline, step
from axonlike.components.ui import Button, Keys, Ticker


@step
def tell(what):
    if what == "end":
        raise SystemExit  # ends every component in order, then the program
    print(what, flush=True)
    return what


Graphline(
    red=Button("Red", key="r", message="red was pressed"),
    green=Button("Green", key="g", message="green was pressed"),
    blue=Button("Blue", key="b", message="blue was pressed"),
    keys=Keys({"up": "up", "down": "down", "left": "left", "right": "right", "q": "end"}),
    tell=tell,
    ticker=Ticker(font_size=20),
    links="red -> tell; green -> tell; blue -> tell; keys -> tell; tell -> ticker",
).run()
