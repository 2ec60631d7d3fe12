"""A whole notification system in one process: what `scripts/demo` shows.

    scripts/demo [--for SECONDS] [--port PORT] [--every SECONDS] [--unplug-after SECONDS]

A simulated serial device (behind a real pseudo-terminal) sends events. Machine A reads them and sends them to machine B
over TCP; machine B tells everybody who is connected: every event on one port, important and critical ones on the next
two. As programs of their own they are notify_machine_a.py, notify_machine_b.py and notify_by_priority.py.
"""

import argparse
import logging
import os
import sys
import time

from axonlike import Component, Graphline, Pipeline, run, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.devices import SerialLines, SerialLost, SerialOpened
from axonlike.components.net import CannotListen, SimpleServer, SingleServer, TCPClient
from axonlike.errors import ComponentError

UNPLUGGED_S = 0.7
TOPICS = [("Events", "every event"), ("ImportantEvents", "important ones"), ("CriticalEvents", "critical ones")]
COLOURS = {"IMPORTANT": "33", "CRITICAL": "1;31", "device": "36", "client": "36"}
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def show(text):
    try:
        print(text, flush=True)
    except BrokenPipeError:  # nobody reads it any more (`| head`), but the clients are still there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(subject, text=""):
    line = f"  {subject:<10}  {text}"
    if COLOURED and subject in COLOURS:
        line = f"\033[{COLOURS[subject]}m{line}\033[0m"
    show(time.strftime("%H:%M:%S") + line)


@step
def show_event(event):
    say(*event.split(" ", 1))


@step
def show_device_news(news):
    if isinstance(news, SerialLost):
        say("device", "unplugged")
    elif isinstance(news, SerialOpened) and news.times > 1:
        say("device", "plugged in again")


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


class Unplug(Component):
    """Pulls the device's cable after a while, and puts it in again."""

    def __init__(self, device, after_s):
        self.device = device
        self.after_s = after_s

    def main(self):
        yield self.sleep(self.after_s)
        self.device.unplug()
        yield self.sleep(UNPLUGGED_S)
        self.device.plug()


class Demo(Component):
    """Begins when everything listens: tells what there is to see, starts machine A, and ends all when time is over."""

    def __init__(self, options, machine_b, servers):
        self.options = options
        self.machine_b = machine_b
        self.servers = servers

    def main(self):
        show("A simulated serial device sends events, and this server passes them on. Ctrl-C ends it.")
        show("Type in other terminals, as many as you like:\n")
        for server, (_topic, what) in zip(self.servers, TOPICS):
            show(f"    nc 127.0.0.1 {server.port:<8} {what}")
        show("")

        serial_lines = SerialLines("demo", demo_interval_s=self.options.every)
        Graphline(
            serial=serial_lines,
            client=TCPClient("127.0.0.1", self.machine_b.port),
            news=show_device_news,
            links="serial -> client; serial.status -> news",
        ).activate()
        if self.options.unplug_after is not None:
            Unplug(serial_lines.device, self.options.unplug_after).activate()
        if self.options.seconds is not None:
            yield self.sleep(self.options.seconds)
            sys.exit()  # ends every component in order, then the program


def events_server(topic, what, port):
    def subscribe(peer, port):
        say("client", f"{peer}:{port} gets {what}")
        return SubscribeTo(topic)

    server = SimpleServer(subscribe, port, announce=False)
    server.name = f"SimpleServer({topic})"
    return server


def seconds(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def first_port(text):
    value = int(text)
    if not 0 <= value <= 65533:
        raise argparse.ArgumentTypeError("must be a number from 0 (three ports that are free) to 65533")
    return value


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="A notification server with a simulated device.")
    parser.add_argument("--for", type=seconds, dest="seconds", metavar="SECONDS", help="end after so long")
    parser.add_argument("--port", type=first_port, default=1600, help="first of three for clients (default 1600)")
    parser.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="one event every ... (default 1)")
    parser.add_argument("--unplug-after", type=seconds, metavar="SECONDS", help="unplug the device then, for a moment")
    options = parser.parse_args()

    # What the serial port has to say is on the screen already, in fewer words; all else that goes wrong is shown.
    logging.basicConfig(format="%(asctime)s  %(levelname)-10s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("axonlike.serial").setLevel(logging.ERROR)

    machine_b = SingleServer(0, announce=False)
    servers = [
        events_server(topic, what, options.port + number if options.port else 0)
        for number, (topic, what) in enumerate(TOPICS)
    ]
    graph = Graphline(
        machine_b=machine_b,
        filter=EventFilter(),
        events=PublishTo("Events"),
        important=PublishTo("ImportantEvents"),
        critical=PublishTo("CriticalEvents"),
        links="machine_b -> filter -> events; filter.important -> important; filter.critical -> critical",
    )
    backplanes = [Backplane(topic) for topic, _what in TOPICS]
    screen = Pipeline(SubscribeTo("Events"), show_event)
    try:
        run(*backplanes, graph, screen, *servers, Demo(options, machine_b, servers))
    except ComponentError as error:
        if not isinstance(error.cause, CannotListen):
            raise
        reason = getattr(error.cause.__cause__, "strerror", error.cause)
        (port,) = [server.port for server in servers if server.path == error.path]
        sys.exit(f"scripts/demo: port {port} cannot be used ({reason}); choose other ports: scripts/demo --port 1700")
    finally:
        if backplanes[0].published:
            count = backplanes[0].published
            show(f"\nThat was the demo: {count} event{'s' if count > 1 else ''}.")


if __name__ == "__main__":
    main()
