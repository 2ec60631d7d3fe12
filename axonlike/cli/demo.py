"""``axonlike demo``: a whole notification system in one process, with a simulated serial device.

The device (behind a real pseudo-terminal) sends events. Machine A reads them and sends them to machine B over TCP;
machine B tells everybody who is connected: every event on one port, important and critical ones on the next two. As
programs of their own these are notify_machine_a.py, notify_machine_b.py and notify_by_priority.py of the examples.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Generator, Sequence
from typing import Any, ClassVar

from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.chassis.graphline import Graphline
from axonlike.chassis.pipeline import Pipeline
from axonlike.cli.output import Exit, Failure, uses_colour
from axonlike.component import Component, step
from axonlike.components.devices import SerialLines, SerialLost, SerialOpened
from axonlike.components.net import CannotListen, SimpleServer, SingleServer, TCPClient
from axonlike.defaults import run as run_parts
from axonlike.errors import ComponentError
from axonlike.simulators import SimulatedSerialDevice

__all__ = ["PortTaken", "add_arguments", "main", "run", "serve"]

_UNPLUGGED_S = 0.7
_TOPICS = [("Events", "every event"), ("ImportantEvents", "important ones"), ("CriticalEvents", "critical ones")]
_COLOURS = {"IMPORTANT": "33", "CRITICAL": "1;31", "device": "36", "client": "36"}


class PortTaken(Exception):
    """A port that clients were to come to cannot be used."""


class _Screen:
    """What the demo tells, for a person or (as_json) as one JSON object a line."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._coloured = not as_json and uses_colour(sys.stdout)

    def show(self, text: str, /, **for_programs: Any) -> None:
        if self._as_json:
            if not for_programs:
                return
            text = json.dumps(for_programs, ensure_ascii=False)
        try:
            print(text, flush=True)
        except BrokenPipeError:  # nobody reads it any more (`| head`), but the clients are still there
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def say(self, subject: str, text: str = "") -> None:
        line = f"  {subject:<10}  {text}"
        if self._coloured and subject in _COLOURS:
            line = f"\033[{_COLOURS[subject]}m{line}\033[0m"
        now = time.strftime("%H:%M:%S")
        self.show(now + line, time=now, subject=subject, text=text)

    def show_event(self, event: str) -> None:
        self.say(*event.split(" ", 1))

    def show_device_news(self, news: object) -> None:
        if isinstance(news, SerialLost):
            self.say("device", "unplugged")
        elif isinstance(news, SerialOpened) and news.times > 1:
            self.say("device", "plugged in again")


class EventFilter(Component):
    """Every event goes to `outbox`, and by its first word to `important` or `critical` too."""

    Outboxes: ClassVar[dict[str, Any]] = {"important": "important events", "critical": "critical events"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for event in self.inbox():
                self.send(event)
                kind = event.partition(" ")[0].lower()
                if kind in ("important", "critical"):
                    self.send(event, kind)


class Unplug(Component):
    """Pulls the device's cable after a while, and puts it in again."""

    def __init__(self, device: SimulatedSerialDevice, after_s: float) -> None:
        self.device = device
        self.after_s = after_s

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self.after_s)
        self.device.unplug()
        yield self.sleep(_UNPLUGGED_S)
        self.device.plug()


class Demo(Component):
    """Begins when everything listens: tells what there is to see, starts machine A, and ends all when time is over."""

    def __init__(
        self, options: argparse.Namespace, screen: _Screen, machine_b: SingleServer, servers: Sequence[SimpleServer]
    ) -> None:
        self.options = options
        self.screen = screen
        self.machine_b = machine_b
        self.servers = servers

    def main(self) -> Generator[Any, Any, None]:
        show = self.screen.show
        show("A simulated serial device sends events, and this server passes them on. Ctrl-C ends it.")
        show("Type in other terminals, as many as you like:\n")
        for server, (topic, what) in zip(self.servers, _TOPICS):
            show(f"    nc 127.0.0.1 {server.port:<8} {what}", topic=topic, port=server.port)
        show("")

        serial_lines = SerialLines("demo", demo_interval_s=self.options.every)
        Graphline(
            serial=serial_lines,
            client=TCPClient("127.0.0.1", self.machine_b.port),
            news=step(self.screen.show_device_news, name="show_device_news"),
            links="serial -> client; serial.status -> news",
        ).activate()
        if self.options.unplug_after is not None and serial_lines.device is not None:
            Unplug(serial_lines.device, self.options.unplug_after).activate()
        if self.options.seconds is not None:
            yield self.sleep(self.options.seconds)
            sys.exit()  # ends every component in order, then the program


def _events_server(topic: str, what: str, port: int, screen: _Screen) -> SimpleServer:
    def subscribe(peer: str, port: int) -> SubscribeTo:
        screen.say("client", f"{peer}:{port} gets {what}")
        return SubscribeTo(topic)

    server = SimpleServer(subscribe, port, announce=False)
    server.name = f"SimpleServer({topic})"
    return server


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _first_port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65533:
        raise argparse.ArgumentTypeError("must be a number from 0 (three ports that are free) to 65533")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike demo [OPTIONS]``."""
    parser.description = "A notification server with a simulated device."
    parser.add_argument("--for", type=_seconds, dest="seconds", metavar="SECONDS", help="end after so long")
    parser.add_argument("--port", type=_first_port, default=1600, help="first of three for clients (default 1600)")
    parser.add_argument(
        "--every", type=_seconds, default=1.0, metavar="SECONDS", help="one event every ... (default 1)"
    )
    parser.add_argument("--unplug-after", type=_seconds, metavar="SECONDS", help="unplug the device then, for a moment")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object a line")


def serve(options: argparse.Namespace) -> None:
    """Run the demo until its time is over or somebody stops it. Raises PortTaken."""
    # What the serial port has to say is on the screen already, in fewer words; all else that goes wrong is shown.
    logging.basicConfig(format="%(asctime)s  %(levelname)-10s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("axonlike.serial").setLevel(logging.ERROR)

    screen = _Screen(options.json)
    machine_b = SingleServer(0, announce=False)
    servers = [
        _events_server(topic, what, options.port + number if options.port else 0, screen)
        for number, (topic, what) in enumerate(_TOPICS)
    ]
    graph = Graphline(
        machine_b=machine_b,
        filter=EventFilter(),
        events=PublishTo("Events"),
        important=PublishTo("ImportantEvents"),
        critical=PublishTo("CriticalEvents"),
        links="machine_b -> filter -> events; filter.important -> important; filter.critical -> critical",
    )
    backplanes = [Backplane(topic) for topic, _what in _TOPICS]
    shown = Pipeline(SubscribeTo("Events"), step(screen.show_event, name="show_event"))
    try:
        run_parts(*backplanes, graph, shown, *servers, Demo(options, screen, machine_b, servers))
    except ComponentError as error:
        if not isinstance(error.cause, CannotListen):
            raise
        reason = getattr(error.cause.__cause__, "strerror", error.cause)
        (port,) = [server.port for server in servers if server.path == error.path]
        raise PortTaken(f"port {port} cannot be used ({reason})") from error
    finally:
        if count := backplanes[0].published:
            screen.show(f"\nThat was the demo: {count} event{'s' if count > 1 else ''}.", events=count)


def run(options: argparse.Namespace) -> int:
    """Run it as a command; returns the exit code."""
    os.environ.setdefault("AXONLIKE_OBSERVE", "1")  # so that `axonlike top` has something to show
    try:
        serve(options)
    except PortTaken as error:
        raise Failure(f"{error}; choose other ports: axonlike demo --port 1700", Exit.FAILED) from error
    except ComponentError as error:
        from axonlike.cli import errors

        errors.show(error)
        return errors.exit_code_of(error)
    return Exit.OK


def main(program: str, arguments: Sequence[str] | None = None) -> None:
    """Run it as a program of its own, which goes by that name."""
    parser = argparse.ArgumentParser(prog=program)
    add_arguments(parser)
    try:
        serve(parser.parse_args(arguments))
    except PortTaken as error:
        sys.exit(f"{program}: {error}; choose other ports: {program} --port 1700")
