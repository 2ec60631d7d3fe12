"""Machine B with a port for each kind of event: normal, important and critical ones.

    python examples/notify_by_priority.py [PORT-FOR-MACHINE-A PORT-FOR-NORMAL-EVENTS FOR-IMPORTANT FOR-CRITICAL]

The ports are 1500 and 1600 to 1602 unless you say otherwise; try `nc 127.0.0.1 1602`. The first word of an event is its
kind. What is of no known kind is shown here.
"""

import sys

from axonlike import Graphline, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer, SingleServer
from axonlike.components.util import ConsoleEchoer

events_port, *clients_ports = map(int, sys.argv[1:] or (1500, 1600, 1601, 1602))


class EventFilter(ThreadedComponent):
    Outboxes = {
        "normalevent": "events of normal priority",
        "importantevent": "important events",
        "criticalevent": "critical events",
        "error": "what is of no known kind",
    }

    def pre_process_event(self, event):
        return event.strip()

    def characterise(self, event):
        return event.partition(" ")[0]

    def main(self):
        while True:
            while self.data_ready("inbox"):
                event = self.recv("inbox")
                information = self.pre_process_event(event)
                event_type = self.characterise(event)
                if event_type == "NORMAL":
                    self.send(information, "normalevent")
                elif event_type == "IMPORTANT":
                    self.send(information, "importantevent")
                elif event_type == "CRITICAL":
                    self.send(information, "criticalevent")
                else:
                    self.send(f"of no known kind: {information}", "error")
            if not self.any_ready():
                self.pause()


Backplane("NormalEvents").activate()
Backplane("ImportantEvents").activate()
Backplane("CriticalEvents").activate()

Graphline(
    EVENTSIN=SingleServer(port=events_port),
    EVENTDEMUX=EventFilter(),
    NORMALEVENT=PublishTo("NormalEvents"),
    IMPORTANTEVENT=PublishTo("ImportantEvents"),
    CRITICALEVENT=PublishTo("CriticalEvents"),
    ERROROUT=ConsoleEchoer(),
    linkages={
        ("EVENTSIN", ""): ("EVENTDEMUX", "inbox"),
        ("EVENTDEMUX", "normalevent"): ("NORMALEVENT", "inbox"),
        ("EVENTDEMUX", "importantevent"): ("IMPORTANTEVENT", "inbox"),
        ("EVENTDEMUX", "criticalevent"): ("CRITICALEVENT", "inbox"),
        ("EVENTDEMUX", "error"): ("ERROROUT", "inbox"),
    },
).activate()


def normal_events_protocol():
    return SubscribeTo("NormalEvents")


def important_events_protocol():
    return SubscribeTo("ImportantEvents")


def critical_events_protocol():
    return SubscribeTo("CriticalEvents")


SimpleServer(normal_events_protocol, clients_ports[0]).activate()
SimpleServer(important_events_protocol, clients_ports[1]).activate()
SimpleServer(critical_events_protocol, clients_ports[2]).run()
