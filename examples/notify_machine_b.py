"""Machine B of a notification system: takes events from machine A and tells them to everybody who is connected.

    python examples/notify_machine_b.py [PORT-FOR-MACHINE-A PORT-FOR-CLIENTS]

The ports are 1500 and 1600 unless you say otherwise. A client needs no program of its own: `nc 127.0.0.1 1600`.
"""

import sys

from axonlike import Pipeline, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer, SingleServer

events_port, clients_port = map(int, sys.argv[1:] or (1500, 1600))


class EventFilter(ThreadedComponent):
    """Has a thread of its own, so what it does to an event (look it up in a database, say) may block."""

    def pre_process_event(self, event):
        return event.strip()

    def main(self):
        while True:
            while self.data_ready("inbox"):
                event = self.recv("inbox")
                information = self.pre_process_event(event)
                self.send(information, "outbox")
            if not self.any_ready():
                self.pause()


Backplane("Events").activate()
Pipeline(
    SingleServer(port=events_port),
    EventFilter(),
    PublishTo("Events"),
).activate()


def subscriber_protocol():
    return SubscribeTo("Events")


SimpleServer(subscriber_protocol, clients_port).run()
