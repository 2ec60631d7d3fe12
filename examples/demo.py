"""A whole notification system in one process: what `scripts/demo` shows.

    scripts/demo [--for SECONDS] [--port PORT] [--every SECONDS] [--unplug-after SECONDS]

A simulated serial device (behind a real pseudo-terminal) sends events. Machine A reads them and sends them to machine B
over TCP; machine B tells everybody who is connected: every event on one port, important and critical ones on the next
two. As programs of their own they are notify_machine_a.py, notify_machine_b.py and notify_by_priority.py.
"""

import argparse
import os
import sys
import time

from axonlike import Component, Graphline, Pipeline, run
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.devices import SerialLines, SerialLost, SerialOpened
from axonlike.components.net import CannotListen, SimpleServer, SingleServer, TCPClient
from axonlike.errors import ComponentError

PORTS = {"Events": "every event", "ImportantEvents": "important ones", "CriticalEvents": "critical ones"}
COLOURS = {"IMPORTANT": "33", "CRITICAL": "1;31", "device": "36", "client": "36"}
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
UNPLUGGED_S = 1.0


def say(subject, text):
    line = f"  {subject:<10}  {text}"
    if COLOURED and subject in COLOURS:
        line = f"\033[{COLOURS[subject]}m{line}\033[0m"
    print(time.strftime("%H:%M:%S") + line, flush=True)


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


class Screen(Component):
    """Shows events, and what the serial port tells about itself."""

    Inboxes = {"status": "SerialOpened, SerialLost"}

    def main(self):
        while True:
            yield self.wait("inbox", "status")
            for event in self.inbox():
                say(*event.split(" ", 1))
            for news in self.inbox("status"):
                if isinstance(news, SerialLost):
                    say("device", "unplugged")
                elif isinstance(news, SerialOpened) and news.times > 1:
                    say("device", "plugged in again")


class Unplug(Component):
    """Pulls the device's cable once, and puts it in again."""

    def __init__(self, serial_lines, after_s):
        self.serial_lines = serial_lines
        self.after_s = after_s

    def main(self):
        yield self.sleep(self.after_s)
        self.serial_lines.device.unplug()
        yield self.sleep(UNPLUGGED_S)
        self.serial_lines.device.plug()


class Demo(Component):
    """Tells what there is to see once everything listens, starts machine A, and ends all when its time is over."""

    def __init__(self, options, event_server, servers):
        self.options = options
        self.event_server = event_server
        self.servers = servers

    def main(self):
        print("A simulated serial device sends events; this is the server that passes them on. Ctrl-C ends it.")
        print("Type this in other terminals, as often as you like:")
        for server, what in zip(self.servers, PORTS.values()):
            print(f"    nc 127.0.0.1 {server.port}    {what}")
        print(flush=True)

        device = SerialLines("demo", demo_interval_s=self.options.every)
        Graphline(
            device=device,
            machine_b=TCPClient("127.0.0.1", self.event_server.port),
            screen=self.options.screen,
            links="device -> machine_b; device.status -> screen.status",
        ).activate()

