"""A chat client with a window: the room above, a line to type into below.

    python examples/chat_window.py [NAME] [HOST] [PORT-TO-LISTEN PORT-TO-TALK]

It talks to chat_server.py (default 127.0.0.1 1600 1601). Start it twice to chat with yourself. Closing the window ends
it. It needs a screen, and pygame: pip install "axonlike[ui]".
"""

import getpass
import sys

from axonlike import Pipeline, run
from axonlike.components.net import TCPClient
from axonlike.components.ui import Display, TextBox, Ticker
from axonlike.components.util import Transform

name = sys.argv[1] if sys.argv[1:] else getpass.getuser()
host = sys.argv[2] if sys.argv[2:] else "127.0.0.1"
listen_port, talk_port = map(int, sys.argv[3:] or (1600, 1601))

run(
    Display((560, 340), f"Chat: {name}"),
    Pipeline(
        TCPClient(host, listen_port, reconnect=True),
        Ticker(highlight=r"[^:]{1,30}:"),
    ),
    Pipeline(
        TextBox(f"{name}:", hint="Say something, and press Enter"),
        Transform(lambda line: f"{name}: {line}"),
        TCPClient(host, talk_port, reconnect=True),
    ),
)
