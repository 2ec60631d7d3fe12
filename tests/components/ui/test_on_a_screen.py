"""Windows on a virtual X screen, used with real keys and a real mouse, and a server that dies.

They skip, and say so, where Xvfb or xdotool is not installed: apt install xvfb xdotool.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from axonlike.components.ui.theme import ACCENT, BACKGROUND, PANEL
from tests.components.ui.xscreen import MISSING, XScreen, x_screen

pytest.importorskip("pygame", reason="pygame is not installed")
pytestmark = [
    pytest.mark.system,
    pytest.mark.net,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}"),
]

ROOT = Path(__file__).resolve().parents[3]
GUARD_S = 60.0


@pytest.fixture
def screen() -> Iterator[XScreen]:
    with x_screen((1300, 600)) as made:
        yield made


class Program:
    """A script with a window."""

    def __init__(self, screen: XScreen, folder: Path, script: str, *arguments: object) -> None:
        self._stderr = open(folder / f"stderr-{time.monotonic_ns()}", "w+b")  # noqa: SIM115  # closed in `end`
        named = [str(ROOT / "examples" / script)] if script.endswith(".py") else ["-c", script]
        self._process = subprocess.Popen(
            [sys.executable, *named, *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._stderr,
            env={**screen.environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"},
        )  # fmt: skip
        self.pid = self._process.pid

    @property
    def errors(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode()

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        got = b""
        while not got.endswith(b"\n"):
            assert select.select([self._process.stdout], [], [], GUARD_S)[0], self.errors
            got += (data := os.read(self._process.stdout.fileno(), 1))
            assert data, self.errors
        return got.decode().rstrip("\n")

    def port(self) -> int:
        """Of the next server that it announces."""
        found = re.search(r" listens on [^ ]*:(\d+)", self.line())
        assert found
        return int(found.group(1))

    def cpu_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self) -> int:
        return self._process.wait(GUARD_S)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(GUARD_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._stderr.close()


@pytest.fixture
def start(screen: XScreen, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    with contextlib.ExitStack() as stack:

        def start_one(script: str, *arguments: object) -> Program:
            program = Program(screen, tmp_path, script, *arguments)
            stack.callback(program.end)
            return program

        yield start_one


def until(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + GUARD_S
    while not condition():
        assert time.monotonic() < until_s, what
        select.select([], [], [], 0.05)


def test_two_chat_windows_in_use(screen: XScreen, start: Callable[..., Program]) -> None:
    server = start("chat_server.py", 0, 0)
    listen_port, talk_port = server.port(), server.port()
    with socket.create_connection(("127.0.0.1", listen_port), GUARD_S) as listener, listener.makefile() as room:
        windows = []
        for name, x in ("anna", 0), ("ben", 640):
            program = start("chat_window.py", name, "127.0.0.1", listen_port, talk_port)
            windows.append(screen.window(program.pid))
            screen.move(windows[-1], x, 0)
            until(functools.partial(_is_drawn, screen, x), "the window is not drawn")
        anna, ben = windows

        def say(window: str, text: str, *keys: str) -> None:
            screen.focus(window)
            screen.type(text)
            screen.key(*keys, "Return")

        # A word of a line of the history is selected and typed over.
        say(anna, "everybody", "Home")
        assert room.readline() == "anna: everybody\n"
        say(ben, "hello wrong")
        assert room.readline() == "ben: hello wrong\n"
        screen.key("Up", "shift+ctrl+Left")
        say(ben, "anna")
        assert room.readline() == "ben: hello anna\n"
        # Cut in one place, pasted in another.
        screen.focus(anna)
        screen.type("one two")
        screen.key("shift+ctrl+Left", "ctrl+x", "Home", "ctrl+v", "Return")
        assert room.readline() == "anna: twoone \n"

        for left in 0, 640:  # both show the room: names in colours where the first row is, and the text box below
            until(functools.partial(_shows_text, screen, left), "the room is not shown")
            assert screen.pixel(left + 2, 2) == BACKGROUND
            assert screen.pixel(left + 400, 240) == PANEL
        screen.focus(ben)
        until(lambda: screen.pixel(640 + 300, 327) == ACCENT, "the focus is not shown")
        until(lambda: screen.pixel(300, 327) != ACCENT, "the other window still shows the focus")


def _is_drawn(screen: XScreen, left: int) -> bool:
    return screen.pixel(left + 400, 240) == PANEL


def _shows_text(screen: XScreen, left: int) -> bool:
    """Is there text in the first rows of the window that begins there?"""
    rows, row_bytes, _height = screen.pixels()
    return sum(rows[y * row_bytes + 4 * (left + x) + 1] > 150 for y in range(20, 120) for x in range(26, 230)) > 300


def test_buttons_by_mouse_and_keys(screen: XScreen, start: Callable[..., Program]) -> None:
    program = start("buttons.py")
    window = screen.window(program.pid)
    screen.focus(window)
    until(lambda: screen.pixel(*_middle(screen)) == PANEL, "the window is not drawn")
    screen.key("b")
    assert program.line() == "blue was pressed"
    x, y = _origin(screen, window)
    screen.xdotool("mousemove", x + 60, y + 30, "click", 1)
    assert program.line() == "red was pressed"
    screen.key("Up")
    assert program.line() == "up"
    screen.key("q")
    assert program.wait() == 0
    assert program.errors == ""


def _origin(screen: XScreen, window: str) -> tuple[int, int]:
    said = dict(line.split("=") for line in screen.xdotool("getwindowgeometry", "--shell", window).splitlines())
    return int(said["X"]), int(said["Y"])


def _middle(screen: XScreen) -> tuple[int, int]:
    return screen.size[0] // 2, screen.size[1] // 2


WRITES = """
from axonlike import Component, Graphline
from axonlike.components.file import FileWriter
from axonlike.components.ui import Display, Ticker
from axonlike.components.util import Splitter

class Lines(Component):
    def main(self):
        number = 0
        while True:
            yield self.sleep(0.3)
            number += 1
            self.send(f"line {number}")

Display(title="Lines").activate()
Graphline(
    lines=Lines(), both=Splitter("a", "b"), file=FileWriter("out"), ticker=Ticker(),
    links="lines -> both; both.a -> file; both.b -> ticker",
).run()
"""


def test_a_server_that_dies_ends_the_program_in_order_with_a_clear_message(
    screen: XScreen, start: Callable[..., Program], tmp_path: Path
) -> None:
    program = start(WRITES)
    screen.window(program.pid)
    until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text().count("\n") >= 3, "nothing is written")
    screen.kill()
    assert program.wait() == 1
    assert "cause     ScreenLost: Lines: the X server :" in program.errors
    assert program.errors.endswith("axonlike explain AX631\n")
    assert "XIO" not in program.errors
    written = (tmp_path / "out").read_text()
    assert written.endswith("\n")
    assert written.splitlines() == [f"line {number}" for number in range(1, written.count("\n") + 1)]


IDLE = """
import sys
from axonlike import Component, run
from axonlike.components.ui import Button, Display, TextBox, Ticker
class Look(Component):
    def main(self):
        # Until its window has been drawn and stands still: ten looks in a row, as on a busy machine one alone may come
        # before what was to be drawn long since.
        before = quiet = 0
        while quiet < 10:
            yield self.sleep(0.1)
            quiet = quiet + 1 if before and display.frames == before else 0
            before = display.frames
        yield self.sleep(4)
        print(before, display.frames - before, self.scheduler.slices)
        sys.exit()
display = Display()
run(display, Ticker(), TextBox(), Button("Go"), Look())
"""


def test_an_idle_window_draws_nothing(screen: XScreen, start: Callable[..., Program]) -> None:
    drawn, since, _slices = map(int, start(IDLE).line().split())
    assert drawn > 0
    assert since == 0


SCROLLS = """
from axonlike import Component, Pipeline, run
from axonlike.components.ui import Ticker
from axonlike.components.util import DataSource

class Holds(Component):
    def main(self):
        try:
            while True:
                yield self.sleep(1)
        finally:
            print("let go")

run(Holds(), Pipeline(DataSource(f"line {number}" for number in range(1_000_000)), Ticker()))
"""


@pytest.mark.parametrize("again", range(2))
def test_a_server_that_dies_while_text_scrolls_is_told_too(
    screen: XScreen, start: Callable[..., Program], again: int
) -> None:
    """Half of the time that is within a call of Xlib's, from which there is no way back."""
    program = start(SCROLLS)
    screen.window(program.pid)
    until(lambda: screen.pixel(*_middle(screen)) != (0, 0, 0), "the window is not drawn")
    screen.kill()
    assert program.wait() == 1
    assert program.line() == "let go"
    assert "cause     ScreenLost: " in program.errors
    assert program.errors.endswith("axonlike explain AX631\n")


def test_closing_the_window_ends_the_program_in_order(
    screen: XScreen, start: Callable[..., Program], tmp_path: Path
) -> None:
    """As window managers do it: WM_DELETE_WINDOW, here by way of SDL's own queue."""
    program = start(
        "from axonlike import Component, Pipeline, run\n"
        "from axonlike.components.file import FileWriter\n"
        "from axonlike.components.ui import TextBox, Keys\n"
        "class Close(Component):\n"
        "    def main(self):\n"
        "        yield self.wait('inbox')\n"
        "        import pygame\n"
        "        pygame.event.post(pygame.event.Event(pygame.QUIT))\n"
        "run(Pipeline(TextBox(), FileWriter('out')), Pipeline(Keys({'f1': 1}), Close()))\n"
        "print('ended')\n"
    )
    window = screen.window(program.pid)
    until(lambda: screen.pixel(*_middle(screen)) != (0, 0, 0), "the window is not drawn")
    screen.focus(window)
    screen.type("last words")
    screen.key("Return", "F1")
    assert program.line() == "ended"
    assert program.wait() == 0
    assert (tmp_path / "out").read_text() == "last words\n"
