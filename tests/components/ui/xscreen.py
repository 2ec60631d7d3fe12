"""A virtual X screen with real key and mouse events, for the tests of windows and for scripts/pictures.

It needs Xvfb and xdotool (apt install xvfb xdotool). What the screen shows is read from Xvfb's frame buffer file, which
is an XWD picture (X11/XWDFile.h), so no tool for screenshots is needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["MISSING", "XScreen", "x_screen"]

MISSING = ", ".join(tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None)
"""Which of the tools are not installed."""

GUARD_S = 60.0


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent, as long as any XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 12),
    )


class XScreen:
    """One Xvfb. `display` is for DISPLAY."""

    def __init__(self, size: tuple[int, int], folder: Path) -> None:
        self.size = size
        self._picture = folder / "Xvfb_screen0"
        reader, writer = os.pipe()
        try:
            self._server = subprocess.Popen(
                ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size[0]}x{size[1]}x24", "-fbdir", str(folder),
                 "-nolisten", "tcp", "-noreset"],
                pass_fds=[writer], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            os.close(writer)
            if not select.select([reader], [], [], GUARD_S)[0]:
                raise AssertionError("Xvfb did not start")
            said = b""
            while not said.endswith(b"\n"):  # it writes the line end apart, and dies of a pipe that is closed by then
                said += os.read(reader, 20)
            self.display = f":{said.decode().strip()}"
        finally:
            os.close(reader)

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to open their windows here."""
        environment = {**os.environ, "DISPLAY": self.display}
        for name in "SDL_VIDEODRIVER", "WAYLAND_DISPLAY":
            environment.pop(name, None)
        return environment

    def xdotool(self, *words: object) -> str:
        """Runs xdotool, and returns what it says."""
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=GUARD_S,
            check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def window(self, pid: int) -> str:
        """The window of that process, as soon as there is one. (xdotool does not find SDL's windows by their title.)"""
        until_s = time.monotonic() + GUARD_S
        while not (found := self.xdotool("search", "--onlyvisible", "--pid", pid)):
            assert time.monotonic() < until_s, f"process {pid} has opened no window"
            select.select([], [], [], 0.05)
        return found.split()[-1]

    def move(self, window: str, x: int, y: int) -> None:
        """Place a window."""
        self.xdotool("windowmove", "--sync", window, x, y)

    def focus(self, window: str) -> None:
        """What is typed from now on goes to this window (there is no window manager here to do it)."""
        self.xdotool("windowfocus", "--sync", window)

    def type(self, text: str) -> None:
        """Real key events."""
        self.xdotool("type", "--delay", "8", text)

    def key(self, *names: str) -> None:
        """Keys by X's names: Return, ctrl+a, Home."""
        self.xdotool("key", "--delay", "8", *names)

    def click(self, window: str, x: int, y: int, button: int = 1) -> None:
        """Move the mouse there, and click."""
        self.xdotool("mousemove", "--sync", "--window", window, x, y, "click", button)

    def pixels(self) -> tuple[bytes, int, int]:
        """(rows of BGRX, bytes a row, height) of the whole screen."""
        data = self._picture.read_bytes()
        header = struct.unpack(">25I", data[:100])
        header_bytes, colours, row_bytes, height = header[0], header[19], header[12], header[5]
        start = header_bytes + 12 * colours
        return data[start : start + row_bytes * height], row_bytes, height

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green and blue of one pixel."""
        rows, row_bytes, _height = self.pixels()
        blue, green, red = rows[y * row_bytes + 4 * x : y * row_bytes + 4 * x + 3]
        return red, green, blue

    def picture(self, pygame: Any) -> Any:
        """The whole screen as a pygame Surface."""
        rows, row_bytes, height = self.pixels()
        return _rgb(pygame, rows, row_bytes // 4, height)

    def close(self, window: str) -> None:
        """As a window manager does when its close button is pressed (xdotool cannot, before its 2021 version)."""
        x11 = ctypes.CDLL("libX11.so.6")
        for name in ("XOpenDisplay", "XInternAtom"):
            getattr(x11, name).restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.display.encode()))
        protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        event = _ClientMessage(type=33, window=int(window), message_type=protocols, format=32)
        event.data[0] = delete
        x11.XSendEvent(display, ctypes.c_ulong(int(window)), 0, ctypes.c_long(0), ctypes.byref(event))
        x11.XCloseDisplay(display)

    def kill(self) -> None:
        """As a crash of the server does it."""
        self._server.kill()
        self._server.wait()


def _rgb(pygame: Any, rows: bytes, width: int, height: int) -> Any:
    rgb = bytearray(3 * width * height)
    rgb[0::3], rgb[1::3], rgb[2::3] = rows[2::4], rows[1::4], rows[0::4]
    return pygame.image.frombytes(bytes(rgb), (width, height), "RGB")


@contextlib.contextmanager
def x_screen(size: tuple[int, int] = (1280, 720)) -> Iterator[XScreen]:
    """A screen for the block."""
    with tempfile.TemporaryDirectory() as folder:
        screen = XScreen(size, Path(folder))
        try:
            yield screen
        finally:
            screen.kill()
