from axonlike import Graphline
from axonlike.components.ui import Button, Ticker

Graphline(
    start=Button("Start", key="s", message="started"),
    stop=Button("Stop", key="ctrl+q", message="stopped"),
    help=Button("Help", message="Start it with S, stop it with Ctrl-Q."),
    told=Ticker(height=90),
    links="start -> told; stop -> told; help -> told",
).run()
