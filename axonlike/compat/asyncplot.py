"""asyncplot 0.1's names, so that a program written for it runs after its import lines are changed.

    from axonlike.compat.asyncplot import Server      # was: from asyncplot.server import Server

    class Plotter:
        def __init__(self):
            plt.clf()

        def draw(self, x, y):
            plt.clf()
            plt.plot(x, y)

    if __name__ == "__main__":
        with Server(Plotter=Plotter, wait_for_client=True) as p:
            for n in range(1_000_000):
                t += dt
                p.update(x=x, y=np.sin(x - t))

What is behind these names is `LivePlot`; a new program takes that. What does not carry over:

    asyncplot 0.1                              here
    -----------------------------------------  ----------------------------------------------------------------------
    listens always, on every address, 9999     only if host or port is given, or without a Plotter; host "" is this
                                               machine; another address than its own needs tls
    whoever connects is served                 a viewer has to know the token: token=..., or AXONLIKE_PLOT_TOKEN
    data and class are pickled over TCP        arrays as they lie in memory; the viewer takes its class from where it is
                                               written, by name, and no code goes over the network
    client_cmd (IPython)                       ignored, with a warning: the viewer is this Python
    wait_for_client waits for the Return key   waits until the window can be seen
    IPython's --pylab opens the windows        figures are shown in the viewer's window; in matplotlib's own windows
                                               with MPLBACKEND=TkAgg (or another) in the environment
    the viewer gets the last data over and     a frame is drawn once; data that does not change costs nothing; the last
    over, as references                        update is always drawn
    ThreadedClient's queue_size                ignored: the latest frame wins
    PlotSocketServer, asyncplot.thread,        not there: `Server` gives out a LivePlot, which has update
    asyncplot.threading_server
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from axonlike.errors import UsageError
from axonlike.plotting.liveplot import LivePlot

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

__all__ = ["Client", "Server", "ThreadedClient"]

log = logging.getLogger("axonlike.plot")

HOST: Final = "127.0.0.1"
PORT: Final = 9999


class Server:
    """The calculation's end: ``with Server(Plotter) as p: p.update(x, y)``; p is a `LivePlot`.

    Plotter: a class with ``draw(*args, **kwargs)``, made in a viewer that is started here; None starts none. host,
    port: where others may look; neither listens nowhere, unless there is no Plotter. token, tls, hold: as in LivePlot.
    """

    def __init__(
        self,
        Plotter: type | None = None,
        host: str | None = None,
        port: int | None = None,
        client_cmd: Sequence[str] | None = None,
        wait_for_client: bool = False,
        *,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        hold: bool = False,
    ) -> None:
        if client_cmd is not None:
            log.warning(
                "asyncplot's Server: client_cmd=%r is not used: the viewer is run by this Python; MPLBACKEND=TkAgg in "
                "the environment opens matplotlib's own windows", client_cmd,
            )  # fmt: skip
        self.Plotter = Plotter
        self.wait_for_client = wait_for_client
        self.plot: LivePlot | None = None
        """What is updated, within the ``with``."""
        listens = Plotter is None or host is not None or port is not None
        self._listen = (host or HOST, PORT if port is None else port) if listens else None
        self._token, self._tls, self._hold = token, tls, hold

    def __enter__(self) -> LivePlot:
        if self.plot is not None:
            raise UsageError("asyncplot's Server: it has been entered before; make another")
        self.plot = LivePlot(
            self.Plotter,
            wait=self.wait_for_client,
            hold=self._hold,
            window=self.Plotter is not None,
            listen=self._listen,
            token=self._token,
            tls=self._tls,
        )
        if self.plot.url and not (self._token or os.environ.get("AXONLIKE_PLOT_TOKEN")):
            log.warning("the plot can be watched at %s", self.plot.url)
        return self.plot

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.plot is not None:
            self.plot.close()


class Client:
    """A viewer of a plot that listens: ``Client(Plotter, host, port).run()``.

    Plotter is made here and now. token: the server's; AXONLIKE_PLOT_TOKEN without it. tls: True for the certificates
    that the system trusts, or an ssl.SSLContext.
    """

    reconnect = False

    def __init__(
        self,
        Plotter: type,
        host: str | None = None,
        port: int | None = None,
        *,
        token: str = "",
        tls: ssl.SSLContext | bool = False,
    ) -> None:
        from axonlike.plotting.plotter import OwnPlotter

        self.host, self.port = host or HOST, PORT if port is None else port
        self._token = token or os.environ.get("AXONLIKE_PLOT_TOKEN", "")
        if not self._token:
            raise UsageError(
                "asyncplot's Client: the server has a token: give token=..., or set AXONLIKE_PLOT_TOKEN for both"
            )
        self._tls = tls
        self.plot = OwnPlotter(Plotter)

    def run(self) -> None:
        """Draw what comes until the calculation ends or the window is closed. Raises CannotWatch if there is none."""
        from axonlike.plotting.source import PlotSource
        from axonlike.plotting.viewer import view

        host = f"[{self.host}]" if ":" in self.host else self.host
        source = PlotSource(f"{host}:{self.port}", token=self._token, tls=self._tls, reconnect=self.reconnect)
        view(source, title=f"{host}:{self.port}", plotter=self.plot)


class ThreadedClient(Client):
    """A Client that may start before its server and outlive it: it connects again, after half a second to ten."""

    reconnect = True

    def __init__(
        self, Plotter: type, host: str | None = None, port: int | None = None, queue_size: int = 1, **options: Any
    ) -> None:
        if queue_size != 1:
            log.warning("asyncplot's ThreadedClient: queue_size=%r is not used: the latest frame wins", queue_size)
        super().__init__(Plotter, host, port, **options)
