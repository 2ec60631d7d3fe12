"""Pictures of the examples' windows: what `scripts/pictures` runs.

Each program runs as its user would run it, on a virtual X screen; what is typed are real key events; the pictures are
what that screen then shows.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

import pygame  # noqa: E402

from tests.components.ui.xscreen import MISSING, XScreen, x_screen  # noqa: E402

BACKDROP = (236, 239, 244)


@contextlib.contextmanager
def program(screen: XScreen, name: str, *arguments: object, folder: str = "examples", port: int = 0) -> Iterator[int]:
    """An example that runs while the block does, from when it listens on `port`; yields its pid."""
    command = [sys.executable, str(ROOT / folder / name), *map(str, arguments)]
    running = subprocess.Popen(command, env=screen.environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        if port:
            until_listening(port)
        yield running.pid
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


def free_ports(count: int) -> list[int]:
    """Ports that are free at this moment."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def until_listening(port: int) -> None:
    """Wait for a server."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        pause(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def pause(seconds: float) -> None:
    """Let the windows draw."""
    select.select([], [], [], seconds)


def save(screen: XScreen, name: str, windows: list[tuple[int, int, int, int]], margin: int = 24) -> None:
    """The part of the screen that holds these windows (x, y, width, height), on a light ground, with its corners."""
    shot: Any = screen.picture(pygame)
    whole = pygame.Rect(windows[0]).unionall([pygame.Rect(w) for w in windows[1:]]).inflate(2 * margin, 2 * margin)
    picture = pygame.Surface(whole.size)
    picture.fill(BACKDROP)
    for window in windows:
        rect = pygame.Rect(window)
        place = rect.move(-whole.x, -whole.y)
        for spread in range(10, 0, -1):  # a soft shadow
            shade = pygame.Surface(place.inflate(2 * spread, 2 * spread).size, pygame.SRCALPHA)
            pygame.draw.rect(shade, (30, 36, 48, 9), shade.get_rect(), border_radius=spread + 2)
            picture.blit(shade, place.inflate(2 * spread, 2 * spread).move(0, 3))
        picture.blit(shot, place, rect)
    path = HERE / f"{name}.png"
    pygame.image.save(picture, path)
    print(f"{path.relative_to(ROOT)}  {whole.width} x {whole.height}  {path.stat().st_size / 1000:.0f} kB")


def chat_window() -> None:
    """Two people in a chat."""
    with x_screen((1240, 460)) as screen:
        listen_port, talk_port = free_ports(2)
        ports = ("127.0.0.1", listen_port, talk_port)
        with (
            program(screen, "chat_server.py", listen_port, talk_port, port=talk_port),
            program(screen, "chat_window.py", "anna", *ports) as annas,
            program(screen, "chat_window.py", "ben", *ports) as bens,
        ):
            anna, ben = screen.window(annas), screen.window(bens)
            screen.move(anna, 30, 30)
            screen.move(ben, 630, 30)
            pause(1.5)  # both are connected: who comes later has not heard what was said before
            for window, line in (
                (anna, "Hello Ben, can you read this?"),
                (ben, "Loud and clear. Is this the new client?"),
                (
                    anna,
                    "Yes: the room scrolls by above, and there is a box to type into. Nothing overtypes what I write.",
                ),
                (ben, "With a history, selection and paste, I hear."),
                (anna, "Arrow up!"),
                (ben, "And how long is the program?"),
                (anna, "Two pipelines. TCPClient | Ticker, and TextBox | TCPClient."),
            ):
                screen.focus(window)
                screen.type(line)
                screen.key("Return")
                pause(0.3)
            screen.focus(ben)
            screen.type("Then I'll write one for my")
            screen.key(*["shift+ctrl+Left"] * 1)
            pause(1.0)
            save(screen, "chat_window", [(30, 30, 560, 340), (630, 30, 560, 340)])


def ticker() -> None:
    """A ticker fed from a Backplane over TCP."""
    with x_screen((800, 400)) as screen:
        (port,) = free_ports(1)
        with program(screen, "ticker.py", "serve", port, port=port):
            with program(screen, "ticker.py", "127.0.0.1", port) as pid:
                screen.move(screen.window(pid), 40, 40)
                pause(12.3)
                save(screen, "ticker", [(40, 40, 720, 320)])


def buttons() -> None:
    """Buttons, one of them under the mouse."""
    with x_screen((860, 580)) as screen, program(screen, "buttons.py") as pid:
        window = screen.window(pid)
        screen.move(window, 40, 40)
        screen.focus(window)
        pause(0.5)
        screen.key("r", "b", "Up")
        screen.click(window, 190, 36)
        pause(1.0)
        save(screen, "buttons", [(40, 40, 760, 480)])


def widget(name: str, use: Callable[[XScreen, str], object]) -> None:
    """A program of docs/widgets, which the component reference shows, after somebody has used it."""
    with x_screen((800, 600)) as screen, program(screen, f"{name}.py", folder="docs/widgets") as pid:
        window = screen.window(pid)
        screen.move(window, 40, 40)
        screen.focus(window)
        pause(0.5)
        use(screen, window)
        pause(1.0)
        geometry = dict(line.split("=") for line in screen.xdotool("getwindowgeometry", "--shell", window).splitlines())
        save(screen, f"widget-{name}", [(40, 40, int(geometry["WIDTH"]), int(geometry["HEIGHT"]))], margin=16)


def display() -> None:
    """Widgets of every kind in one window."""

    def use(screen: XScreen, window: str) -> None:
        screen.type("Delivery for number 12")
        screen.key("Return", "F1", "F2")
        screen.type("Next one at four")

    widget("display", use)


def text_box() -> None:
    """A line that is being typed, with words selected."""

    def use(screen: XScreen, window: str) -> None:
        screen.type("The gate opens at nine.")
        screen.key("Return")
        screen.type("And closes at five o'clock")
        screen.key("shift+ctrl+Left", "shift+ctrl+Left", "shift+ctrl+Left")

    widget("text_box", use)


def button() -> None:
    """Buttons with and without a key, one of them under the mouse."""

    def use(screen: XScreen, window: str) -> None:
        screen.click(window, 304, 40)
        pause(0.2)
        screen.key("s")

    widget("button", use)


def keys() -> None:
    """What was pressed."""

    def use(screen: XScreen, window: str) -> None:
        screen.key("Up", "Left", "h", "space")

    widget("keys", use)


def image() -> None:
    """The second of three pictures."""
    widget("image", lambda screen, window: screen.key("Right"))


PICTURES = {
    "chat_window": chat_window, "ticker": ticker, "buttons": buttons,
    "display": display, "text_box": text_box, "button": button, "keys": keys, "image": image,
}  # fmt: skip


def main() -> None:
    """Make the pictures that are named, or all."""
    if MISSING:
        raise SystemExit(f"scripts/pictures needs {MISSING}: sudo apt install xvfb xdotool")
    began_s = time.monotonic()
    for name in sys.argv[1:] or PICTURES:
        if name not in PICTURES:
            raise SystemExit(f"no picture {name!r}; there are: {', '.join(PICTURES)}")
        PICTURES[name]()
    print(f"made in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
