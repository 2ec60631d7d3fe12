"""pygame and the screen behind it: imported late, opened with care, and watched for its end.

Two things need care. Where no screen is named, SDL draws into a hidden picture without a word, so the environment is
looked at first. And when an X server dies, Xlib ends the process in the middle of the next call to it, so the
connection is looked at before each use: `XConnection.is_gone` costs a microsecond, and once it is true nothing of
pygame's may be called any more. For a server that dies within a call there is a handler.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from axonlike.errors import DeviceError, MissingExtra

__all__ = ["NoScreen", "ScreenLost", "XConnection", "choose_driver", "load_pygame", "open_video", "plain_pictures"]

_REMEDY = "log in on a screen, set DISPLAY (ssh -X), or set SDL_VIDEODRIVER=dummy to run without a window"


class NoScreen(DeviceError):
    """There is no screen to open a window on."""

    code = "AX630"


class ScreenLost(DeviceError):
    """The screen went away while a window was open on it."""

    code = "AX631"


def load_pygame(who: str) -> Any:
    """pygame, imported now. Raises MissingExtra, which names the component."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
        import pygame.font
    except ImportError as exc:
        raise MissingExtra(who, "pygame", "ui") from exc
    return pygame


def choose_driver(environment: Mapping[str, str], platform: str) -> str | None:
    """SDL's video driver for this environment; None leaves it to SDL. Raises NoScreen."""
    asked = environment.get("SDL_VIDEODRIVER") or environment.get("SDL_VIDEO_DRIVER")
    if asked or not platform.startswith("linux"):
        return asked or None
    if environment.get("WAYLAND_DISPLAY"):
        return "wayland,x11" if environment.get("DISPLAY") else "wayland"
    if environment.get("DISPLAY"):
        return "x11"
    raise NoScreen(f"no display: neither DISPLAY nor WAYLAND_DISPLAY is set; {_REMEDY}")


def open_video(pygame: Any) -> None:
    """Open SDL's video and fonts. Raises NoScreen."""
    driver = choose_driver(os.environ, sys.platform)
    # The scheduler deals with signals; SDL would turn SIGTERM into an event.
    settings = {"SDL_NO_SIGNAL_HANDLERS": "1", "SDL_VIDEO_X11_WMCLASS": "axonlike"}
    if driver is not None:
        settings["SDL_VIDEODRIVER"] = driver
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(
        {name: value for name, value in settings.items() if name == "SDL_VIDEODRIVER" or not before[name]}
    )
    try:
        pygame.display.init()
        pygame.font.init()
    except pygame.error as exc:
        name = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or driver
        raise NoScreen(f"no display: {name} cannot be opened ({exc}); {_REMEDY}") from exc
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def plain_pictures(pygame: Any) -> Iterator[None]:
    """While a window is opened: have SDL hand its pictures to an X server as they are.

    By itself it takes the way through OpenGL, and where that is computed (a virtual screen, ssh -X, a machine without a
    graphics card) each picture of 1200 x 800 costs 10 ms instead of some hundredths of one.
    """
    name = "SDL_FRAMEBUFFER_ACCELERATION"
    if pygame.display.get_driver() != "x11" or os.environ.get(name):
        yield
        return
    os.environ[name] = "0"
    try:
        yield
    finally:
        os.environ.pop(name, None)


class XConnection:
    """The connection to the X server that an open window uses: its descriptor, and whether it is alive."""

    def __init__(self, fd: int, let_go: Callable[[], object] = lambda: None) -> None:
        self.fd = fd
        self.let_go = let_go
        """To be called when the window is closed: gives Xlib its own handler back."""
        self._poll = select.poll()
        self._hang_up = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)
        self._poll.register(fd, self._hang_up)

    @classmethod
    def of(cls, pygame: Any, died_in_a_call: Callable[[], object]) -> XConnection | None:
        """The one of pygame's window; None where that is on no X server.

        died_in_a_call: what Xlib calls when the server dies while it waits for it. It must not return: what called
        Xlib would wait for ever.
        """
        if pygame.display.get_driver() != "x11":
            return None
        import ctypes

        capsule = pygame.display.get_wm_info().get("display")
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):  # then it is polled, as elsewhere
            # The very library that SDL has loaded, so its idea of a Display is ours.
            xlib = ctypes.CDLL("libX11.so.6")
            xlib.XConnectionNumber.argtypes = [ctypes.c_void_p]
            fd = int(xlib.XConnectionNumber(pointer_of(capsule, b"display")))
            handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _display: died_in_a_call())
            set_handler = xlib.XSetIOErrorHandler
            set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            before = set_handler(ctypes.cast(handler, ctypes.c_void_p))
            # `handler` lives as long as this lambda knows it: Xlib must not be left with what is gone.
            return cls(fd, lambda: (set_handler(before), handler))
        return None

    @property
    def is_gone(self) -> bool:
        """Has the server closed it (or died)?"""
        return any(what & self._hang_up for _fd, what in self._poll.poll(0))
