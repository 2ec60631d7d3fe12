"""A chat client with a window: the room above, a line to type into below.

    python examples/chat_window.py [NAME] [HOST] [PORT-TO-LISTEN PORT-TO-TALK]

It talks to chat_server.py (default 127.0.0.1 1600 1601). Start it twice to chat with yourself. Closing the window ends
it. It needs a screen, and pygame: pip install "axonlike[ui]".
"""

import getpass
import sys

from axonlike import Component, Graphline, Pipeline, run
from axonlike.components.net import Disconnected, TCPClient
from axonlike.components.ui import Display, TextBox, Ticker
from axonlike.components.util import Transform

name = sys.argv[1] if sys.argv[1:] else getpass.getuser()
host = sys.argv[2] if sys.argv[2:] else "127.0.0.1"
listen_port, talk_port = map(int, sys.argv[3:] or (1600, 1601))


class News(Component):
    """Tells the user when the connection is lost, and when it is back."""

    def main(self):
        lost = False
        while True:
            yield self.wait("inbox")
            for event in self.inbox():
                if isinstance(event, Disconnected):
                    lost = True
                    self.send(f"-- disconnected from {host}, trying again: {event.reason}")
                elif lost:
                    lost = False
                    self.send("-- connected again")


run(
    Display((560, 340), f"Chat: {name}"),
    Graphline(
        room=TCPClient(host, listen_port, reconnect=True),
        news=News(),
        window=Ticker(highlight=r"(?!--)[^:]{1,30}:"),
        links="room -> window; room.status -> news -> window",
    ),
    Pipeline(
        TextBox(f"{name}:", hint="Say something, and press Enter"),
        Transform(lambda line: f"{name}: {line}"),
        TCPClient(host, talk_port, reconnect=True),
    ),
)
