from axonlike import Graphline, run
from axonlike.components.ui import Button, Display, TextBox, Ticker

run(
    Display((560, 300), "Gate"),
    Graphline(
        open=Button("Open", key="f1", message="open"),
        close=Button("Close", key="f2", message="closed"),
        note=TextBox("note"),
        log=Ticker(),
        links="open -> log; close -> log; note -> log",
    ),
)
