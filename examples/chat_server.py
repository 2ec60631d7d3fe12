"""A chat room of two ports: who connects to the first hears what is said on the second.

    python examples/chat_server.py [PORT-TO-LISTEN PORT-TO-TALK]

The ports are 1600 and 1601 unless you say otherwise. The client is chat_console.py, or two terminals with
`nc 127.0.0.1 1600` and `nc 127.0.0.1 1601`.
"""

import sys

from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer

listen_port, talk_port = map(int, sys.argv[1:] or (1600, 1601))

Backplane("chatroom").activate()


def listen_to_room():
    return SubscribeTo("chatroom")


def talk_to_room():
    return PublishTo("chatroom")


SimpleServer(listen_to_room, listen_port).activate()
SimpleServer(talk_to_room, talk_port).run()
