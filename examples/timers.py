"""Timers: what is done every so often, what is done later, and what is done when nothing has come for a while.

    python examples/timers.py

Nobody polls: between two timers the process sleeps in the operating system.
"""

from axonlike import Component, Par, Pipeline
from axonlike.components.util import Every


class Later(Component):
    """Sends something once, after a while."""

    def __init__(self, seconds, message):
        self.seconds = seconds
        self.message = message

    def main(self):
        yield self.sleep(self.seconds)
        self.send(self.message)


class Watch(Component):
    """Says so when nothing has come for half a second."""

    def main(self):
        while True:
            box = yield self.wait("inbox", timeout=0.5)
            if box is None:
                print("nothing has come for half a second!")
                yield self.wait("inbox")  # said once is enough
            for message in self.inbox():
                print(message)


Pipeline(
    Par(
        Every(0.2, "beat", count=5),
        Later(1.9, "the doctor comes"),
    ),
    Watch(),
).run()
