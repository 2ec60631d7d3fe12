"""A message of the day: a server that says something to each client and hangs up.

    python examples/message_of_the_day.py [PORT]

Try it with `nc 127.0.0.1 1700`. A connection ends when what the factory made for it has ended; the server goes on.
"""

import itertools
import sys

from axonlike.components.net import SimpleServer
from axonlike.components.util import DataSource

port = int(sys.argv[1]) if sys.argv[1:] else 1700

messages = itertools.cycle([
    "Make each program do one thing well.",
    "Measure before you tune.",
    "When in doubt, use brute force.",
])  # fmt: skip
visitors = itertools.count(1)


def message_of_the_day():
    return DataSource([f"You are visitor number {next(visitors)}.", next(messages)])


SimpleServer(message_of_the_day, port).run()
