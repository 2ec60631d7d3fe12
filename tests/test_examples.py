"""Every example, executed in a process of its own as its user would, with what it prints and does.

Those processes are forked from one that has imported what takes long (prepared.py), but for one example of each kind.

What an example prints by itself stands in tests/golden/examples/NAME.out; as that is in FIFO order, AXONLIKE_SHUFFLE is
not handed on to these. Those that serve or connect get real peers: sockets on free ports, a pseudo-terminal, small HTTP
and SMTP servers.
"""

from __future__ import annotations

import ast
import contextlib
import http.server
import json
import os
import random
import re
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from axonlike.introspection import NoSnapshot
from axonlike.observe import SystemEnded, connect
from axonlike.simulators import SimulatedSerialDevice
from tests import prepared
from tests.prepared import is_quiet

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "golden" / "examples"
HANG_GUARD_S = 60.0

# These end by themselves and print the same each time: name -> what is typed.
GOLDEN_EXAMPLES = {
    "00_miniaxon": "",
    "async_pipeline": "",
    "bounded_producer_consumer": "",
    "calling_components": "",
    "carousel": "",
    "feedback_loop": "",
    "notify_filter": "NORMAL door 2 open\nCRITICAL smoke in the hall\nIMPORTANT temperature 29.7\n",
    "one_after_another": "hello\nis it me you are looking for?",
    "publish_subscribe": "",
    "restart": "",
    "subprocess_in_a_pipeline": "",
    "timers": "",
}
# Driven by a test below.
DRIVEN_EXAMPLES = {
    "aggregating_logger",
    "chat_console",
    "chat_server",
    "demo",
    "echo_server",
    "fm_radio",
    "file_to_network",
    "message_of_the_day",
    "notify_by_priority",
    "notify_machine_a",
    "notify_machine_b",
    "radio_capture",
    "relay",
    "stream_monitor",
    "web_hook_and_mail",
}
# They open a window: started and ended here, and used with real keys in tests/components/ui/test_on_a_screen.py.
WINDOW_EXAMPLES = {"buttons", "chat_window", "ticker"}
# They show signals of a simulated device until they are interrupted: name -> (the display, how often it is to be fed).
SIGNAL_WINDOWS = {
    "audio_scope": "Scope",
    "audio_spectrogram": "TimeFreqView",
    "audio_triggered_scope": "TriggeredScope",
    "eeg_record": "Scope",
    "noise_scope": "Scope",
    "radio_spectrum": "Waterfall",
    "two_radios": "SpectrumView",
    "webcam": "ImageView",
}
# A calculation with a live plot, in SDL's dummy window: name -> (its argument, what it prints at its end).
PLOT_EXAMPLES = {
    "plot_field": ("20", r""),
    "plot_matplotlib": ("50", r"50 swings\n"),
    "plot_relaxation": ("2000", r"2000 steps, energy \S+\n"),
}
WATCHED = """
import runpy, sys
from axonlike.plotting import LivePlot
made = []
class Noted(LivePlot):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        made.append(self)
import axonlike.plotting, axonlike.plotting.sink
axonlike.plotting.LivePlot = axonlike.plotting.sink.LivePlot = Noted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print([plot.counters.drawn > 0 for plot in made], file=sys.stderr)
"""
# In virtual time, because what they print depends on which of two timers is first: on a machine that stalls, either.
TIMED_EXAMPLES = {"async_pipeline", "timers"}
IN_VIRTUAL_TIME = """
import runpy, sys
from axonlike import Scheduler
from axonlike.clock import Virtual
from axonlike.testing import isolated
from axonlike.testing.virtual import virtual_loops
with isolated(Scheduler(loop_factory=virtual_loops(Virtual()))):
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    prepared.begin()


def test_each_example_is_executed_here() -> None:
    there_are = {path.stem for path in EXAMPLES.glob("*.py")}
    with_windows = WINDOW_EXAMPLES | SIGNAL_WINDOWS.keys() | PLOT_EXAMPLES.keys()
    assert there_are == GOLDEN_EXAMPLES.keys() | DRIVEN_EXAMPLES | with_windows


def test_each_example_is_listed_and_says_how_to_run_it() -> None:
    listed = re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.py"))
    for path in EXAMPLES.glob("*.py"):
        assert re.match(r'"""[^\n]+\n\n    (python examples/' + path.name + "|scripts/demo)", path.read_text()), path


@pytest.mark.parametrize("name", GOLDEN_EXAMPLES)
def test_it_prints_what_it_should(name: str, tmp_path: Path) -> None:
    in_virtual_time = ("-c", IN_VIRTUAL_TIME) if name in TIMED_EXAMPLES else ()
    environment = _environment()
    environment.pop("AXONLIKE_SHUFFLE", None)
    program, typed = [*in_virtual_time, EXAMPLES / f"{name}.py"], GOLDEN_EXAMPLES[name]
    if name == "bounded_producer_consumer":
        done = subprocess.run(
            [sys.executable, *program], input=typed, capture_output=True, text=True, timeout=HANG_GUARD_S,
            cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip
    else:
        done = prepared.run(*program, typed=typed, timeout=HANG_GUARD_S, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (0, (GOLDEN / f"{name}.out").read_text()), done.stderr
    assert name == "restart" or is_quiet(done.stderr), done.stderr


@pytest.mark.parametrize("name", PLOT_EXAMPLES)
def test_a_calculation_with_a_plot_runs_to_its_end_and_has_been_seen(name: str, tmp_path: Path) -> None:
    argument, prints = PLOT_EXAMPLES[name]
    done = prepared.run(
        "-c", WATCHED, EXAMPLES / f"{name}.py", argument, imports=prepared.OF_EXAMPLES[name],
        timeout=HANG_GUARD_S, cwd=tmp_path, env={**_environment(), "SDL_VIDEODRIVER": "dummy"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(prints, done.stdout), done.stdout
    assert done.stderr == "[True]\n"


def test_the_restarted_component_is_named_in_the_log(tmp_path: Path) -> None:
    done = _run("restart", tmp_path)
    assert re.findall(r"message #\d: .*|cause     \w+", done.stderr) == [
        "message #3: 'nonsense' (str)", "cause     ValueError", "message #5: '' (str)", "cause     ValueError",
    ]  # fmt: skip


def test_miniaxon_is_short_and_imports_nothing() -> None:
    lines = (EXAMPLES / "00_miniaxon.py").read_text().splitlines()
    assert len(lines) <= 150
    assert not [line for line in lines if re.match(r"\s*(import|from)\s|.*__import__", line)]


# -- servers and clients


def test_echo_server(start: Start) -> None:
    with Client(start("echo_server", 0).port()) as client:
        client.say("good", "morning")
        assert client.lines(2) == ["good", "morning"]


def test_message_of_the_day_hangs_up_after_its_message(start: Start) -> None:
    port = start("message_of_the_day", 0).port()
    for number, message in (1, "Make each program do one thing well."), (2, "Measure before you tune."):
        with Client(port) as client:
            assert client.lines_until_the_end() == [f"You are visitor number {number}.", message]


def test_file_to_network_sends_the_whole_file_and_ends_the_connection(start: Start, tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(500)]
    (tmp_path / "text").write_text("\n".join(lines))
    server = start("file_to_network", "text", 0, 100_000)
    port = server.port()
    with Client(port) as one, Client(port) as other:
        assert one.lines_until_the_end() == lines
        assert other.lines_until_the_end() == lines


def test_relay_tells_each_server_what_the_other_one_says(start: Start) -> None:
    with OneConnection() as a, OneConnection() as b:
        start("relay", "127.0.0.1", a.port, "127.0.0.1", b.port)
        with a.accept() as left, b.accept() as right:
            left.say("from a")
            right.say("from b")
            assert right.lines(1) == ["from a"]
            assert left.lines(1) == ["from b"]


def test_aggregating_logger_writes_all_sources_into_one_file(start: Start, tmp_path: Path) -> None:
    with OneConnection() as door, OneConnection() as gate, SimulatedSerialDevice(name="ttyTEST") as device:
        program = start("aggregating_logger", "log", device.path, f"127.0.0.1:{door.port}", f"127.0.0.1:{gate.port}")
        with door.accept() as door_client, gate.accept() as gate_client:
            door_client.say("door 1 open")
            gate_client.say("gate 2 open")

            def log() -> list[str]:
                path = tmp_path / "log"
                # A line may be lost to a device that nobody has open yet, so it says it again and again.
                device.emit(b"temperature 20\r\n")
                return path.read_text().splitlines() if path.exists() else []

            wanted = [
                rf"127\.0\.0\.1:{door.port}  +door 1 open", rf"127\.0\.0\.1:{gate.port}  +gate 2 open",
                r".*ttyTEST  +temperature 20", "clock  +one minute has passed",
            ]  # fmt: skip
            when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "
            wait_until(lambda: all(any(re.fullmatch(when + want, line) for line in log()) for want in wanted), log)
        assert program.interrupt() == 130


# -- the sketch's programs


def test_an_event_goes_from_the_serial_port_over_machine_a_and_b_to_every_client(start: Start) -> None:
    machine_b = start("notify_machine_b", 0, 0)
    events_port, clients_port = machine_b.port(), machine_b.port()
    with Client(clients_port) as one, Client(clients_port) as other, SimulatedSerialDevice() as device:
        start("notify_machine_a", "127.0.0.1", events_port, device.path)
        device_says(device, "first", until=one)
        device.emit(b"NORMAL door 1 open\r\n  CRITICAL smoke cellar  \r\n")
        wanted = ["NORMAL door 1 open", "CRITICAL smoke cellar"]
        for client in one, other:
            assert client.lines(2, after="first") == wanted


def test_machine_a_may_be_started_before_machine_b(start: Start) -> None:
    events_port = free_port()
    start("notify_machine_a", "127.0.0.1", events_port, "demo")
    machine_b = start("notify_machine_b", events_port, 0)
    assert machine_b.port() == events_port
    with Client(machine_b.port()) as client:
        assert [line.split()[0] in ("NORMAL", "IMPORTANT", "CRITICAL", "DIAGNOSTIC") for line in client.lines(2)]


def test_each_of_three_ports_gets_exactly_its_class_of_event(start: Start) -> None:
    server = start("notify_by_priority", 0, 0, 0, 0)
    events_port, *ports = (server.port() for _ in range(4))
    events = [f"{kind} {number}" for number in range(50) for kind in ("NORMAL", "IMPORTANT", "CRITICAL", "ODD")]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for port in ports]
        machine_a = stack.enter_context(Client(events_port))
        machine_a.say(*events)
        for client, kind in zip(clients, ("NORMAL", "IMPORTANT", "CRITICAL"), strict=True):
            assert client.lines(50) == [f"{kind} {number}" for number in range(50)]
        machine_a.say("NORMAL the end", "IMPORTANT the end", "CRITICAL the end")
        for client, kind in zip(clients, ("NORMAL", "IMPORTANT", "CRITICAL"), strict=True):
            assert client.lines(1) == [f"{kind} the end"]  # so there was nothing in between
    for number in range(50):
        assert server.line() == f"of no known kind: ODD {number}"


def test_the_sketch_as_its_author_wrote_it_runs(start: Start) -> None:
    """With a threaded WatchSerialPort around a call that blocks, all in one process."""
    with SimulatedSerialDevice() as device:
        # Its thread stays in that call when the program is to end: it is named then, and the program ends all the same.
        program = start(SKETCH, free_port(), 0, device.path, says="WatchSerialPort did not stop within 5 s")
        program.port()
        with Client(program.port()) as client:
            device_says(device, "door 1", until=client)
            device.emit(b"nothing\r\ndoor 2\r\n")
            assert client.lines(1, after="We got an event! door 1") == ["We got an event! door 2"]
        assert program.interrupt() == 130


SKETCH = """
import sys

from axonlike import Pipeline, ThreadedComponent
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer, SingleServer, TCPClient


class WatchSerialPort(ThreadedComponent):
    def format_output(self, *args):
        return " ".join([str(x) for x in args])

    def matches_event(self, x):
        return x.startswith("door")

    def main(self):
        port = open(sys.argv[3])
        while 1:
            x = port.readline().strip()
            if self.matches_event(x):
                self.send(self.format_output("We got an event!", x), "outbox")


class EventFilter(ThreadedComponent):
    def pre_process_event(self, event):
        return event

    def main(self):
        while 1:
            while self.data_ready("inbox"):
                event = self.recv("inbox")
                information = self.pre_process_event(event)
                self.send(information, "outbox")
            if not self.any_ready():
                self.pause()


Pipeline(
    WatchSerialPort(),
    TCPClient("127.0.0.1", int(sys.argv[1])),
).activate()

Backplane("Events").activate()
Pipeline(
    SingleServer(port=int(sys.argv[1])),
    EventFilter(),
    PublishTo("Events"),
).activate()


def subscriber_protocol():
    return SubscribeTo("Events")


SimpleServer(subscriber_protocol, int(sys.argv[2])).run()
"""


CHATTERS = 50
LINES_EACH = 20


def test_fifty_in_a_chat_all_see_every_line_in_one_order(start: Start) -> None:
    server = start("chat_server", 0, 0)
    listen_port, talk_port = server.port(), server.port()
    with contextlib.ExitStack() as stack:
        listeners, talkers = [], []
        for _ in range(CHATTERS):
            listeners.append(stack.enter_context(Client(listen_port)))
            talkers.append(stack.enter_context(Client(talk_port)))
            # The first line at once: it must come back, however fast its sender is.
            talkers[-1].say(f"{len(talkers) - 1}: 0")
            assert listeners[-1].lines(1, after=None)[0].endswith(": 0")
        for number in range(1, LINES_EACH):
            for index, talker in enumerate(talkers):
                talker.say(f"{index}: {number}")
        for index, listener in enumerate(listeners):
            # He was there from his own first line on.
            count = CHATTERS * LINES_EACH - index
            listener.lines(count - 1)
        said = listeners[0].seen
        assert sorted(said) == sorted(f"{index}: {number}" for index in range(CHATTERS) for number in range(LINES_EACH))
        for index, listener in enumerate(listeners):
            assert listener.seen == said[index:]
            assert listener.seen[0] == f"{index}: 0"


def test_chat_console_shows_its_own_first_line_and_what_others_say(start: Start) -> None:
    server = start("chat_server", 0, 0)
    listen_port, talk_port = server.port(), server.port()
    consoles = [start("chat_console", "127.0.0.1", listen_port, talk_port, typed=True) for _ in range(2)]
    for console in consoles:
        console.type("hello")
        console.line("hello")
    consoles[0].line("hello")  # of the second one
    consoles[1].type("how are you?")
    for console in consoles:
        console.line(r"how are you\?")


def test_the_chat_client_of_the_sketch_as_its_author_wrote_it_runs(start: Start) -> None:
    """Two plain pipelines in one process, one activated, one run; two of them, in the room of the example."""
    server = start("chat_server", 0, 0)
    listen_port, talk_port = server.port(), server.port()
    with Client(listen_port) as witness, Client(talk_port) as host:
        anna, ben = (start(SKETCHED_CHAT, "127.0.0.1", talk_port, listen_port, typed=True) for _ in range(2))
        for one in anna, ben:  # who talks before he listens does not hear it
            until_s = time.monotonic() + HANG_GUARD_S
            while not one.has_line():
                assert time.monotonic() < until_s, "it does not show what is said"
                host.say("welcome")
                assert witness.lines(1) == ["welcome"]
        anna.type("hello", "is it me you are looking for?")
        assert witness.lines(2) == ["hello", "is it me you are looking for?"]
        ben.type("no", "goodbye")
        assert witness.lines(2) == ["no", "goodbye"]
        for one in anna, ben:
            one.line("hello$")
            assert [one.line().rpartition(">>> ")[2] for _ in range(3)] == witness.seen[-3:]
            assert one.interrupt() == 130
            assert is_quiet(one.errors), one.errors


SKETCHED_CHAT = """
import sys

from axonlike import Pipeline
from axonlike.components.net import TCPClient
from axonlike.components.util import ConsoleReader, ConsoleEchoer

Pipeline(
    ConsoleReader(">>> "),
    TCPClient(sys.argv[1], int(sys.argv[2])),
).activate()
Pipeline(
    TCPClient(sys.argv[1], int(sys.argv[3])),
    ConsoleEchoer(),
).run()
"""


# -- windows, which nobody sees here


def test_chat_window_joins_the_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with OneConnection() as listen, OneConnection() as talk:
        window = start("chat_window", "anna", "127.0.0.1", listen.port, talk.port)
        with listen.accept() as room, talk.accept():
            room.say("ben: hello")
            assert window.interrupt() == 130
    assert is_quiet(window.errors), window.errors


def test_chat_window_says_that_the_room_is_gone_and_back() -> None:
    from axonlike import Pipeline
    from axonlike.components.net import Connected, Disconnected
    from axonlike.testing import Feeder, Probe, run_virtual

    tree = ast.parse((EXAMPLES / "chat_window.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef)]
    names: dict[str, Any] = {"host": "there", "__name__": "chat_window"}
    exec(compile(tree, "chat_window.py", "exec"), names)
    probe = Probe()
    events = [Connected("there:1"), Disconnected("closed"), Connected("there:1"), Connected("there:1")]
    run_virtual(Pipeline(Feeder(events), names["News"](), probe))
    assert probe.messages == ["-- disconnected from there, trying again: closed", "-- connected again"]


def test_the_ticker_is_fed_from_a_backplane_over_tcp(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    server = start("ticker", "serve", 0)
    port = server.port()
    with Client(port) as client:
        name = f"ticker-{os.getpid()}"
        monkeypatch.setenv("AXONLIKE_OBSERVE", name)
        ticker = start("ticker", "127.0.0.1", port)
        _fed(name, "Ticker", times=1)
        assert client.lines(1)[0].split()[0] in ("NORMAL", "IMPORTANT", "CRITICAL", "DIAGNOSTIC")
        assert ticker.interrupt() == 130
    assert is_quiet(ticker.errors), ticker.errors


def test_the_buttons_open_their_window(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("AXONLIKE_OBSERVE", f"buttons-{os.getpid()}")
    buttons = start("buttons")
    _fed(f"buttons-{os.getpid()}", "Button", times=0)  # it runs: before that Ctrl-C is Python's
    select.select([], [], [], 1.0)
    assert buttons.interrupt() == 130
    assert is_quiet(buttons.errors), buttons.errors


# -- signals


def _fed(name: str, part: str, times: int) -> None:
    """Wait until a part of a program that is observed by this name has taken so many messages."""
    until_s = time.monotonic() + HANG_GUARD_S
    while time.monotonic() < until_s:
        with contextlib.suppress(NoSnapshot, SystemEnded), connect(name) as system:
            while time.monotonic() < until_s:
                parts = system.snapshot().parts
                boxes = [box for found in parts if found.type == part for box in found.boxes if box.name == "inbox"]
                if sum(box.taken for box in boxes) >= times:
                    return
                select.select([], [], [], 0.05)
        select.select([], [], [], 0.05)
    pytest.fail(f"{part} was not fed {times} times in {HANG_GUARD_S:g} s")


@pytest.mark.parametrize("name", SIGNAL_WINDOWS)
def test_signals_come_to_the_display_until_it_is_interrupted(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("AXONLIKE_OBSERVE", f"{name}-{os.getpid()}")
    window = start(name)
    _fed(f"{name}-{os.getpid()}", SIGNAL_WINDOWS[name], times=5)
    assert window.interrupt() == 130
    assert is_quiet(window.errors), window.errors
    if name == "eeg_record":
        last = json.loads((tmp_path / "eeg.h5.journal.jsonl").read_text().splitlines()[-1])
        assert last["verdict"] == "COMPLETE"
        assert last["streams"]


def test_the_radio_is_heard(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_OBSERVE", f"fm_radio-{os.getpid()}")
    radio = start("fm_radio")
    _fed(f"fm_radio-{os.getpid()}", "AudioOut", times=5)
    assert radio.interrupt() == 130
    assert is_quiet(radio.errors), radio.errors


def test_the_ten_line_script_says_what_it_received(tmp_path: Path) -> None:
    done = _run("radio_capture", tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"16384 samples, the strongest signal: -\d+ dBm at 24\d\d\.\d MHz\n", done.stdout)


def test_the_monitor_tells_what_is_missing(tmp_path: Path) -> None:
    done = _run("stream_monitor", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 gap, 10 rows lost" in done.stdout.splitlines()[-1]


# -- an event calls a web hook and is mailed


def test_each_event_calls_the_web_hook_and_critical_ones_are_mailed(tmp_path: Path) -> None:
    with fake_web_server() as (url, called), FakeMailServer() as mail:
        done = _run(
            "web_hook_and_mail", tmp_path, url, "127.0.0.1", mail.port, "house@example.org", "anna@example.org",
            typed="NORMAL door 1 open\nCRITICAL smoke in the cellar\n",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert called == [{"event": "NORMAL door 1 open"}, {"event": "CRITICAL smoke in the cellar"}]
    (letter,) = mail.letters
    assert "Subject: CRITICAL smoke in the cellar" in letter
    assert "To: anna@example.org" in letter
    assert sorted(done.stdout.splitlines()) == [
        "mail sent: CRITICAL smoke in the cellar",
        "web hook called: CRITICAL smoke in the cellar",
        "web hook called: NORMAL door 1 open",
    ]


def test_an_event_that_cannot_be_told_is_logged_and_the_next_one_is_tried(tmp_path: Path) -> None:
    with fake_web_server(refuse_first=True) as (url, called), FakeMailServer() as mail:
        done = _run(
            "web_hook_and_mail", tmp_path, url, "127.0.0.1", mail.port, "house@example.org", "anna@example.org",
            typed="NORMAL one\nNORMAL two\n",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [body["event"] for body in called] == ["NORMAL one", "NORMAL two"]
    assert done.stdout == "web hook called: NORMAL two\n"
    assert "HTTP Error 503" in done.stderr


# -- the graph file


def test_the_graph_file_tells_each_client_the_events_of_its_port_in_order(start: Start) -> None:
    ports = [f"{name}.port=0" for name in ("EVERYBODY", "THE_BUSY", "ON_CALL")]
    program = "import sys\nfrom axonlike.cli import main\nsys.exit(main(['run', *sys.argv[1:]]))\n"
    server = start(program, EXAMPLES / "notify.toml", "DEVICE.demo_interval_s=0.01", *ports)
    every, important, critical = (server.port() for _ in range(3))
    with Client(every) as one, Client(every) as other, Client(important) as busy, Client(critical) as on_call:
        assert gets(one, other.lines(20))
        assert {line.split()[0] for line in busy.lines(5)} == {"IMPORTANT"}
        assert {line.split()[0] for line in on_call.lines(2)} == {"CRITICAL"}


# -- the demo


def test_two_clients_of_the_demo_get_the_same_events_in_order_and_others_their_class(start: Start) -> None:
    demo = start("demo", "--port", 0, "--every", 0.01)
    every, important, critical = (demo_port(demo) for _ in range(3))
    with Client(every) as one, Client(every) as other, Client(important) as third, Client(critical) as fourth:
        one.lines(50)
        assert gets(one, other.lines(250))
        for client, kind in (third, "IMPORTANT"), (fourth, "CRITICAL"):
            got = client.lines(5)
            assert [line.split()[0] for line in got] == [kind] * 5
            assert gets(one, got, kind)
    for line in one.seen[:50]:
        kind, _, rest = line.partition(" ")
        shown = demo.line(rf"{kind} +{re.escape(rest)}$")
        assert re.fullmatch(rf"\d\d:\d\d:\d\d  {kind:<10}  {re.escape(rest)}", shown)


def test_the_device_of_the_demo_is_unplugged_and_comes_back_and_nothing_is_restarted(start: Start) -> None:
    demo = start("demo", "--port", 0, "--every", 0.1, "--unplug-after", 0.5)
    with Client(demo_port(demo)) as client:
        demo.line("device      unplugged")
        demo.line("device      plugged in again")
        before = len(client.seen)
        client.lines(10)  # the very same connection goes on
        assert len(client.seen) >= before + 10


def test_the_demo_ends_by_itself(tmp_path: Path) -> None:
    done = _run("demo", tmp_path, "--for", 3, "--every", 0.1, "--port", 0)  # long enough for one event
    assert done.returncode == 0
    assert is_quiet(done.stderr), done.stderr
    assert re.search(r"\n\nThat was the demo: [1-9]\d* events?\.\n$", done.stdout)


def test_ctrl_c_ends_the_demo_tidily(start: Start) -> None:
    demo = start("demo", "--port", 0, "--every", 0.1)
    demo.line("door")
    assert demo.interrupt() == 130
    assert is_quiet(demo.errors), demo.errors
    demo.line("That was the demo")


def test_the_demo_goes_on_for_its_clients_when_nobody_reads_what_it_prints(start: Start) -> None:
    demo = start("demo", "--port", 0, "--every", 0.1)
    with Client(demo_port(demo)) as client:
        demo.stop_reading()
        client.lines(5)
    assert demo.interrupt() == 130
    assert is_quiet(demo.errors), demo.errors


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_demo_says_in_one_sentence_that_a_port_is_in_use(number: int, tmp_path: Path) -> None:
    # Below those that the system gives to clients: a port beside it may be in use too, and be the one that is named.
    for port in random.Random(os.getpid()).sample(range(20_000, 32_000), 10):
        try:
            taken = socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
        with taken:
            done = _run("demo", tmp_path, "--for", 5, "--port", port - number)
        if f"port {port} " in done.stderr:
            break
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"scripts/demo: port {port} cannot be used (Address already in use); "
        "choose other ports: scripts/demo --port 1700\n"
    )


@pytest.mark.parametrize("wrong", [("--port", 99999), ("--every", 0), ("--for", -1)])
def test_the_demo_refuses_options_that_make_no_sense(wrong: tuple[str, object], tmp_path: Path) -> None:
    done = _run("demo", tmp_path, *wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# -- the README


README = (ROOT / "README.md").read_text()


def readme_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_readmes_script_has_seven_lines_and_is_a_notification_server(start: Start) -> None:
    script = readme_blocks("python")[0]
    assert len(script.splitlines()) == 7
    assert script.count(" 1600)") == 1
    with Client(start(script.replace(" 1600)", " 0)")).port()) as client:
        assert client.lines(1)[0].split()[0] in ("NORMAL", "IMPORTANT", "CRITICAL", "DIAGNOSTIC")


def test_the_readmes_component_prints_what_it_says(tmp_path: Path) -> None:
    script, prints = readme_blocks("python")[1], readme_blocks("text")[-1]
    done = prepared.run("-c", script, timeout=HANG_GUARD_S, cwd=tmp_path, env=_environment())
    assert (done.returncode, done.stdout) == (0, prints), done.stderr
    assert is_quiet(done.stderr), done.stderr


def test_the_demo_prints_what_the_readme_says(start: Start) -> None:
    demo = start("demo", "--port", 0, "--every", 0.5)
    port = 0
    for line in readme_blocks("text")[0].splitlines():
        if " gets " in line:
            continue  # a client's port, and when it comes, is nobody's to say
        said = demo.line()
        port = port or (int(said.split()[2]) if " nc " in said else 0)
        assert without_numbers(said) == without_numbers(line)
    with Client(port) as client:
        demo.line(r"client      127\.0\.0\.1:\d+ gets every event")
        client.lines(1)


def test_what_the_readme_names_is_there() -> None:
    for path in re.findall(r"\]\(([^)]+)\)", README) + re.findall(r"scripts/\w+", README):
        assert (ROOT / path).exists(), path


def without_numbers(line: str) -> str:
    return re.sub(r"^\d\d:\d\d:\d\d|(?<=nc 127\.0\.0\.1 )\d+ *", "#", line)


def demo_port(demo: Running) -> int:
    return int(demo.line(r"^    nc 127\.0\.0\.1 \d+ ").split()[2])


def is_part(lines: list[str], of: list[str]) -> bool:
    """Do these lines stand one after the other in those?"""
    return any(of[start : start + len(lines)] == lines for start in range(len(of)))


def gets(client: Client, lines: list[str], kind: str = "") -> bool:
    """Does it get these lines too, one after the other among those of the kind? However long before it connected."""
    for _ in range(50):
        if is_part(lines, [line for line in client.seen if line.startswith(kind)]):
            return True
        client.lines(20)
    return False


# -- what the tests above use


class Running:
    """An example that runs until it is interrupted."""

    def __init__(self, program: str, arguments: tuple[object, ...], cwd: Path, *, typed: bool, says: str) -> None:
        script = [EXAMPLES / f"{program}.py"] if "\n" not in program else ["-c", program]
        self._errors = open(cwd / f"stderr-{time.monotonic_ns()}", "w+b")  # noqa: SIM115  # closed in `end`
        self._process = prepared.start(
            *script, *arguments, imports=prepared.OF_EXAMPLES.get(program, ""), cwd=cwd, env=_environment(),
            stdin=prepared.PIPE if typed else prepared.DEVNULL, stdout=prepared.PIPE, stderr=self._errors.fileno(),
        )  # fmt: skip
        self._rest = b""
        self._says = says

    def line(self, pattern: str = "") -> str:
        """The next line that it prints, or the next one in which the pattern is found."""
        assert self._process.stdout is not None
        until_s = time.monotonic() + HANG_GUARD_S
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                if re.search(pattern, line.decode()):
                    return line.decode()
                continue
            fd = self._process.stdout.fileno()
            if not select.select([fd], [], [], max(0.0, until_s - time.monotonic()))[0]:
                raise AssertionError(f"no line with {pattern!r}; last: {self._rest!r}; stderr: {self.errors}")
            data = os.read(fd, 65536)
            if not data:
                raise AssertionError(f"it has ended before a line with {pattern!r}; stderr: {self.errors}")
            self._rest += data

    def has_line(self) -> bool:
        """Is there a line of it at this moment?"""
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        if b"\n" not in self._rest and select.select([fd], [], [], 0.05)[0]:
            self._rest += os.read(fd, 65536)
        return b"\n" in self._rest

    def port(self) -> int:
        """Where the next server that it announces listens."""
        return int(self.line(r" listens on ").partition(" listens on ")[2].split()[0].rpartition(":")[2])

    def stop_reading(self) -> None:
        """What it prints from now on meets a closed pipe."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def type(self, *lines: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self._process.stdin.flush()

    @property
    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()

    def interrupt(self) -> int:
        """Ctrl-C; returns its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(HANG_GUARD_S)

    def end(self) -> None:
        """Ctrl-C ends it in order. Nothing stands on its standard error but log lines."""
        try:
            code = self.interrupt()
            errors = self.errors
        finally:
            self._process.close()
            self._errors.close()
        assert code == 130, errors
        assert "Traceback" not in errors, errors
        assert self._says in errors


class Start(Protocol):
    def __call__(self, program: str, *arguments: object, typed: bool = False, says: str = "") -> Running: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts examples, and ends each of them with Ctrl-C after the test."""
    with contextlib.ExitStack() as running:

        def start_one(program: str, *arguments: object, typed: bool = False, says: str = "") -> Running:
            started = Running(program, arguments, tmp_path, typed=typed, says=says)
            running.callback(started.end)
            return started

        yield start_one


class Client:
    """What `nc` is: a connection that sends and shows lines. Keeps all of them in `seen`."""

    def __init__(self, connection: int | socket.socket) -> None:
        self.seen: list[str] = []
        self._rest = b""
        if isinstance(connection, int):
            connection = socket.create_connection(("127.0.0.1", connection), timeout=HANG_GUARD_S)
        connection.settimeout(HANG_GUARD_S)
        self._socket = connection

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def say(self, *lines: str) -> None:
        self._socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def lines(self, count: int, *, after: str | None = None) -> list[str]:
        """The next `count` lines (the first ones that follow the last `after`)."""
        got: list[str] = []
        while len(got) < count:
            line = self._line()
            if line is None:
                raise AssertionError(f"the connection ended after {got}, where {count} lines were to come")
            got = [] if line == after else [*got, line]
        return got

    def lines_until_the_end(self) -> list[str]:
        got = []
        while (line := self._line()) is not None:
            got.append(line)
        return got

    def has_line(self) -> bool:
        """Is there something to read at this moment?"""
        return b"\n" in self._rest or bool(select.select([self._socket], [], [], 0.05)[0])

    def _line(self) -> str | None:
        while b"\n" not in self._rest:
            data = self._socket.recv(65536)
            if not data:
                assert not self._rest, f"half a line at the end: {self._rest!r}"
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]


class OneConnection:
    """A server for one client, which the test plays."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(HANG_GUARD_S)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> OneConnection:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def accept(self) -> Client:
        return Client(self._socket.accept()[0])


def device_says(device: SimulatedSerialDevice, line: str, *, until: Client) -> None:
    """Say a line until it arrives: what a device says before a program has opened the port is lost."""
    until_s = time.monotonic() + HANG_GUARD_S
    while not until.has_line():
        assert time.monotonic() < until_s, "nothing of what the device says arrives"
        device.emit(f"{line}\r\n".encode())


def free_port() -> int:
    """A port that was free a moment ago: where one program has to be told before the other has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seen: Callable[[], object]) -> None:
    until_s = time.monotonic() + HANG_GUARD_S
    while not condition():
        assert time.monotonic() < until_s, f"it did not happen; seen: {seen()}"
        select.select([], [], [], 0.05)


@contextlib.contextmanager
def fake_web_server(*, refuse_first: bool = False) -> Iterator[tuple[str, list[Any]]]:
    """An HTTP server that keeps the JSON bodies of what is posted; yields its URL and them."""
    bodies: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503 if refuse_first and len(bodies) == 1 else 204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Nothing on standard error."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FakeMailServer:
    """An SMTP server that accepts everything. `letters` are the texts of what was sent."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        letters = self.letters

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    command = line.split()[0].upper() if line.split() else b""
                    if command == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = iter(self.rfile.readline, b".\r\n")
                        letters.append(b"".join(text).decode())
                    self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
                    if command == b"QUIT":
                        return

        self._server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> FakeMailServer:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"}


def _run(name: str, cwd: Path, *arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return prepared.run(
        EXAMPLES / f"{name}.py", *arguments, imports=prepared.OF_EXAMPLES.get(name, ""), typed=typed,
        timeout=HANG_GUARD_S, cwd=cwd, env=_environment(),
    )  # fmt: skip
