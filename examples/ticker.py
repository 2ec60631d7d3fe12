"""What is published on one machine scrolls by on another: a Backplane over TCP, and a Ticker.

    python examples/ticker.py serve [PORT]
    python examples/ticker.py [HOST] [PORT]

Start the first one, then the second in another terminal, as often as you like (default 127.0.0.1 1700). Without a
device of your own the events are those of a simulated one.
"""

import sys

from axonlike import Pipeline, run
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.devices import SerialLines
from axonlike.components.net import SimpleServer, TCPClient
from axonlike.components.ui import Display, Ticker

serves = sys.argv[1:2] == ["serve"]
host = sys.argv[1] if sys.argv[1:] else "127.0.0.1"
port = int(sys.argv[2]) if sys.argv[2:] else 1700

if serves:
    run(
        Backplane("Events", history=10),
        Pipeline(SerialLines("demo"), PublishTo("Events")),
        SimpleServer(lambda: SubscribeTo("Events"), port),
    )
else:
    run(
        Display((720, 320), f"Events of {host}"),
        Pipeline(
            TCPClient(host, port, reconnect=True),
            Ticker(
                font_size=20,
                highlight=r"[A-Z]+\b",
                colours={"CRITICAL": "#ff7a70", "IMPORTANT": "#ffc46b", "NORMAL": "#86d6a0", "DIAGNOSTIC": "#858fa1"},
            ),
        ),
    )
