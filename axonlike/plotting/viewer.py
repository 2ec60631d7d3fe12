"""The viewer's process: ``python -m axonlike.plotting.viewer FD``, where FD is its end of a pair of sockets.

The first message says what the plot is. Whatever goes wrong here is told to the calculation in one sentence, never on
the terminal; when the calculation goes, in whatever way, this process goes too, or stays for its user (`hold`).
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING

from axonlike import Pipeline, Scheduler
from axonlike.errors import AxonlikeError, ComponentError
from axonlike.plotting.link import Connection, LocalConnection, receive_now
from axonlike.plotting.messages import BadMessage, Failed, Welcome, encode
from axonlike.plotting.source import PlotSource

if TYPE_CHECKING:
    from axonlike.plotting.plotter import OwnPlotter

__all__ = ["main", "view"]

_SIZE = (1100, 700)  # four panels, on a small laptop's screen too


def view(source: PlotSource, *, title: str = "", plotter: OwnPlotter | None = None) -> None:
    """Show what comes from there in a window, until that is closed or there comes no more."""
    # A drawing of the user's own may take its time, and the terminal is the calculation's: no watchdog.
    scheduler = Scheduler(watchdog_s=None)
    if plotter is not None and plotter.own_windows:
        from axonlike.plotting.own_windows import OwnWindows

        scheduler.run(Pipeline(source, OwnWindows(plotter), circular=True))
        return
    from axonlike.components.ui.display import Display
    from axonlike.plotting.view import PlotView

    scheduler.run(Display(_SIZE, title), Pipeline(source, PlotView(plotter), circular=True))


def main(arguments: list[str]) -> int:
    """Be the viewer at the other end of this file descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(arguments[0])) as sock:
        sock.set_inheritable(False)
        try:
            welcome = receive_now(sock)
        except (BadMessage, OSError):
            return 1
        assert isinstance(welcome, Welcome)
        try:
            _show(welcome, sock)
        except AxonlikeError as exc:
            cause = exc.cause if isinstance(exc, ComponentError) else exc
            _tell(sock, f"{cause}")
            return 3
    return 0


def _show(welcome: Welcome, sock: socket.socket) -> None:
    plotter = None
    if welcome.plotter is not None:
        from axonlike.plotting.plotter import OwnPlotter

        plotter = OwnPlotter(welcome.plotter)

    async def connect() -> Connection:
        return LocalConnection(sock.dup(), welcome)

    view(PlotSource(connect=connect), title=welcome.title, plotter=plotter)


def _tell(sock: socket.socket, text: str) -> None:
    blob = encode(Failed(text[:4000], ends=True))
    with contextlib.suppress(OSError):
        sock.setblocking(True)
        sock.settimeout(1.0)
        sock.sendall(len(blob).to_bytes(4, "big") + blob)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
