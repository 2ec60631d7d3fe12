"""Sorts events by their first word; notify.toml uses it, and here it can be tried on what you type.

    python examples/notify_filter.py

Type lines such as "CRITICAL smoke in the hall" and "NORMAL door 2 open": the critical ones are shown.
"""

from axonlike import Component, Graphline
from axonlike.components.util import ConsoleEchoer, ConsoleReader


class EventFilter(Component):
    """Every event goes to `outbox`, and by its first word to `important` or `critical` too."""

    Outboxes = {"important": "important events", "critical": "critical events"}

    def main(self):
        while True:
            yield self.wait("inbox")
            for event in self.inbox():
                self.send(event)
                kind = event.partition(" ")[0].lower()
                if kind in ("important", "critical"):
                    self.send(event, kind)


if __name__ == "__main__":
    Graphline(
        TYPED=ConsoleReader(),
        FILTER=EventFilter(),
        SHOWN=ConsoleEchoer(),
        links="TYPED -> FILTER; FILTER.critical -> SHOWN",
    ).run()
