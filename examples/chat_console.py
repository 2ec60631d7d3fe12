"""A chat client for the console: what you type goes to the room, what is said there is shown.

    python examples/chat_console.py [HOST] [PORT-TO-LISTEN PORT-TO-TALK]

It talks to chat_server.py (default 127.0.0.1 1600 1601), and only once it listens, so you see your own first line too.
Ctrl-D ends talking, Ctrl-C ends the program.
"""

import sys

from axonlike import Component, Graphline, Pipeline
from axonlike.components.net import Connected, TCPClient
from axonlike.components.util import ConsoleEchoer, ConsoleReader

host = sys.argv[1] if sys.argv[1:] else "127.0.0.1"
listen_port, talk_port = map(int, sys.argv[2:] or (1600, 1601))


class TalkWhenConnected(Component):
    Inboxes = {"inbox": "what the listener tells about its connection"}

    def main(self):
        yield self.wait("inbox")
        while not isinstance(self.recv("inbox"), Connected):
            yield self.wait("inbox")
        Pipeline(
            ConsoleReader(">>> "),
            TCPClient(host, talk_port),
        ).activate()


Graphline(
    listener=TCPClient(host, listen_port),
    screen=ConsoleEchoer(),
    talker=TalkWhenConnected(),
    links="listener -> screen; listener.status -> talker",
).run()
