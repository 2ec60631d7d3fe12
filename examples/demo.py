"""A whole notification system in one process: what `scripts/demo` shows.

    scripts/demo [--for SECONDS] [--port PORT] [--every SECONDS] [--unplug-after SECONDS]

A simulated serial device (a real pseudo-terminal) sends events. Machine A reads them and sends them to machine B, over
TCP; machine B tells everybody who is connected: all events on one port, important and critical ones on the next two.
notify_machine_a.py, notify_machine_b.py and notify_by_priority.py are the same, as programs of their own.
"""

import argparse
import logging
import os
import sys
import time

from axonlike import Component, Graphline, Pipeline, Scheduler
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.devices import SerialLines, SerialLost, SerialOpened
from axonlike.components.net import CannotListen, SimpleServer, SingleServer, TCPClient
from axonlike.errors import ComponentError

COLOURS = {"IMPORTANT": "33", "CRITICAL": "1;31", "device": "36", "client": "36"}
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
UNPLUGGED_S = 1.0


def say(subject, text):
    colour = COLOURS.get(subject) if COLOURED else None
    subject = f"{subject:<10}"
    if colour:
        subject, text = f"\033[{colour}m{subject}", f"{text}\033[0m"
    print(f"{time.strftime('%H:%M:%S')}  {subject}  {text}", flush=True)


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
    """Prints events, and what the device and the servers tell about themselves."""

    Inboxes = {"status": "SerialOpened, SerialLost and the like"}

    def __init__(self):
        self.events = 0

    def main(self):
        while True:
            yield self.wait("inbox", "status")
            for event in self.inbox():
                self.events += 1
                kind, _, rest = event.partition(" ")
                say(kind, rest)
            for news in self.inbox("status"):
                if isinstance(news, SerialLost):
                    say("device", "unplugged")
                elif isinstance(news, SerialOpened) and news.times > 1:
                    say("device", "plugged in again")


class Unplug(Component):
    """Pulls the device's cable once, and puts it in again."""

    def __init__(self, lines, after_s):
        self.lines = lines
        self.after_s = after_s

    def main(self):
        yield self.sleep(self.after_s)
        self.lines.device.unplug()
        yield self.sleep(UNPLUGGED_S)
        self.lines.device.plug()
