"""A live plot for a plain loop: one call a step, which costs next to nothing, and a window in another process."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy import ndarray

from axonlike.errors import AxonlikeError, UsageError
from axonlike.plotting.desk import Desk, Snapshot
from axonlike.plotting.loading import stop_if_loading
from axonlike.plotting.memory import LAYOUT, FrameRoom
from axonlike.plotting.messages import Counters, Did, Panel
from axonlike.plotting.params import Params, params_of
from axonlike.plotting.plotter import name_of
from axonlike.plotting.sender import Sender, Viewer
from axonlike.plotting.window import VIEWER, Window
from axonlike.speedups import install_call

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from axonlike.plotting.server import PlotServer

__all__ = ["LivePlot"]

log = logging.getLogger("axonlike.plot")

Address = tuple[str, int]
T = TypeVar("T")

_READY_S = 30.0
_FLUSH_S = 5.0
_MOST_EVENTS = 1000


class LivePlot:
    """A window in a process of its own that shows what each call gives it: ``plot(energy=e, density=rho)``.

    The latest call wins. When a viewer waits for a frame (at most `fps` times a second) the call copies its values, and
    that copy is drawn; any other call keeps a reference only, and costs a fraction of a microsecond. So what is drawn
    is never half old and half new. The last call is drawn at `flush`, at `close` and at the end of the program, as its
    arrays are then.

    What is shown of a value: of a number its history, of a 1-D array a line, of (x, y) a line over x, of a 2-D array a
    field in colours, of (h, w, 3) a picture, of text the text; `Panel`s say it better by name. Positional 1-D arrays
    of one length, ``plot(x, y)``, are lines over the first.

    plotter: a class of your own in the place of all that, made once in the viewer's process: ``draw(*args, **kwargs)``
    is called with each frame and returns what is to be seen (a matplotlib figure, a pygame surface, a picture
    (h, w, 3), a dict of values; None for the figures of pyplot). It is found by its module and name, so it stands at a
    module's or script's top level.

    wait: return when the window can be seen, or cannot come. hold: the window stays when the calculation has ended.
    params: what may be set in the window: `Param`, a first value, or choices; read `params`. window: start a viewer
    here. listen: (host, port) or "host:port" where further viewers may look (`axonlike plot HOST:PORT`, a browser);
    port 0 picks a free one. token: what they have to know; a new one without it. tls: an ssl.SSLContext, without which
    only this machine is served. view_only: they may not set parameters. viewer: the words of a command that is started
    in the place of the window; its last word is the address for its `PlotSource`.

    The environment has the last word: AXONLIKE_PLOT is "off", "window", "listen=HOST:PORT" or both with a comma;
    AXONLIKE_PLOT_TOKEN and AXONLIKE_PLOT_FPS stand for `token` and `fps`.

    A viewer that fails, is killed or closed is told of in one line of the log (a warning of "axonlike.plot"), and the
    calculation goes on; `reopen` starts another. Only one thread at a time may call the plot.
    """

    __slots__ = ("__dict__", "__weakref__", "_desk")  # a slot for what each call looks up

    def __init__(
        self,
        plotter: type | None = None,
        *,
        title: str = "",
        wait: bool = False,
        hold: bool = False,
        fps: float = 30.0,
        panels: Mapping[str, Panel | str] | None = None,
        params: Mapping[str, Any] | None = None,
        window: bool = True,
        listen: Address | str | None = None,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        view_only: bool = False,
        viewer: Sequence[str] | None = None,
    ) -> None:
        where = _Where.of(window, listen, token, fps)
        hints = _panels_of(panels or {})
        name = None if plotter is None else name_of(plotter)
        self.params = Params(params_of(params or {}), self._tell_value)
        stop_if_loading()
        self.title = title or _name_of_script()
        self._room = _room() if where.window else None
        self._desk = Desk(self._room)
        self._events: deque[Did] = deque(maxlen=_MOST_EVENTS)
        self.events_dropped = 0
        """How many of `events` nobody took in time."""
        self.on_event: Callable[[Did], None] | None = None
        """Is called with each of `events`, in the thread beside the calculation."""
        self._closed_by_user = False
        self._over = False
        self._ending = threading.Lock()
        self._pid = os.getpid()
        self._seen = threading.Event()
        self._window: Window | None = None
        self._server: PlotServer | None = None
        self._hold = hold
        self._viewer = tuple(viewer or VIEWER)
        self._is_off = not where.window and where.listen is None
        self._sender: Sender | None = None
        self._last: Counters | None = None
        if self._is_off:
            self._desk.close()
            return
        # Never uvloop: it writes without letting go of the interpreter, and a write wakes the viewer, which may take
        # this thread's processor away: the calculation would wait until the viewer has drawn.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run_loop, name="axonlike-plot", daemon=True)
        self._thread.start()
        self._sender = Sender(
            self._loop,
            self._desk,
            self.params,
            title=self.title,
            pid=self._pid,
            fps=where.fps,
            hold=hold,
            panels=hints,
            plotter=name,
            on_did=self._did,
            on_ready=self._ready,
        )
        _open.add(self)
        try:
            if where.listen is not None:
                from axonlike.plotting.server import PlotServer

                host, port = where.listen
                self._server = PlotServer(
                    self._sender, host=host, port=port, token=where.token, tls=tls, view_only=view_only
                )
                self._in_loop(self._server.start())
                if where.is_told:
                    log.warning("%s can be watched at %s", self.title, self._server.url)
            if where.window:
                self.reopen()
        except BaseException:
            self.close()
            raise
        if wait and where.window and not self._seen.wait(_READY_S):
            log.warning("%s: after %g s the window is not there yet; the calculation goes on", self.title, _READY_S)

    # -- what a calculation calls

    # With a `self` that has no name, "self" may be the name of a value, and names are not compared with it.
    def __call__(self, /, *args: Any, **kwargs: Any) -> None:
        """Show these values. `update` is the same."""
        desk = self._desk
        desk.args = args
        desk.kwargs = kwargs
        desk.offered += 1
        if desk.gate[0]:
            desk.lay_down()

    update = __call__

    def flush(self, timeout_s: float = _FLUSH_S) -> bool:
        """Have the last call drawn as its arrays are now. False: a viewer has not drawn it within `timeout_s`."""
        if self._sender is None or self._over or not self._is_mine:
            return True
        return self._in_loop(self._sender.flush(self._last_call(), timeout_s))

    def close(self, timeout_s: float | None = None) -> None:
        """Draw the last call, and end the viewers, or with `hold` leave them to their user. Harmless when done.

        By itself it gives a window that is only starting 30 s to be there, then 5 s to draw; `timeout_s` is for both.
        """
        if self._over or not self._is_mine:
            return
        try:
            if timeout_s is None:
                self._await_window()
                timeout_s = _FLUSH_S
            if self._sender is not None and not self._over and self._thread.is_alive():
                self._in_loop(self._sender.flush(self._last_call(), timeout_s))
        finally:
            with self._ending:
                self._end_all()

    def _await_window(self) -> None:
        """The shortest calculation is over before its window can be seen, and is to be seen as any other."""
        if self._window is not None and self._desk.offered and not self._seen.wait(_READY_S):
            log.warning("%s: after %g s the window is not there yet; the plot ends", self.title, _READY_S)

    def _end_all(self) -> None:
        if self._over:
            return  # another thread, that would not wait as long for the last call, has done it
        self._over = True
        self._seen.set()  # who waits for the window waits no longer
        _open.discard(self)
        if self._sender is not None:
            self._last = self._sender.counters
        self._desk.close()
        if self._sender is not None:
            self._in_loop(self._end(self._sender))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._sender = None
        if self._room is not None:
            self._room.close()
            self._room = None
        self._desk.args, self._desk.kwargs = (), {}  # they may be large, and this plot may be kept

    def reopen(self) -> None:
        """Start the window again, after it was closed or has failed. Harmless while there is one."""
        if self._sender is None or self._over or not self._is_mine:
            return
        self._in_loop(self._start_window())

    def events(self) -> list[Did]:
        """What users have done in the windows since the last call: keys, clicks, "closed".

        The last 1000 are kept; `events_dropped` counts the others.
        """
        events = []
        while self._events:  # one by one: the thread beside may put another one in
            events.append(self._events.popleft())
        return events

    @property
    def is_closed(self) -> bool:
        """Has the user closed the window, or was the plot closed here? ``while not plot.is_closed: ...``"""
        return self._closed_by_user or self._over

    @property
    def counters(self) -> Counters:
        """How many calls were offered, taken, sent and drawn, and the longest that one took."""
        if self._sender is not None:
            return self._sender.counters
        return self._last or Counters(offered=self._desk.offered)

    @property
    def address(self) -> Address | None:
        """Where it listens, None if it does not."""
        return None if self._server is None else self._server.address

    @property
    def url(self) -> str:
        """What a browser is given, the token included; "" if it does not listen."""
        return "" if self._server is None else self._server.url

    @property
    def window_pid(self) -> int | None:
        """Of the viewer's process."""
        return None if self._window is None else self._window.pid

    def __enter__(self) -> LivePlot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "off" if self._is_off else "closed" if self._over else "open"
        return f"<LivePlot {self.title!r}, {state}>"

    def _repr_html_(self) -> str | None:
        if not self.url:
            return None
        from axonlike.plotting.notebook import inline_html

        return inline_html(self.url)

    # -- the thread beside it

    @property
    def _is_mine(self) -> bool:
        return os.getpid() == self._pid  # a process that was forked off has no such thread

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    def _in_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _start_window(self) -> None:
        assert self._sender is not None
        if self._window is not None:
            return
        self._closed_by_user = False
        self._seen.clear()
        self._window = Window(self._sender, self._viewer, self._gone)
        try:
            await self._window.start()
        except OSError as exc:
            self._gone(f"there is no plot: its process cannot be started ({exc})", False)

    def _gone(self, text: str, by_user: bool) -> None:
        self._window = None
        if by_user:
            self._did(Did("closed"))  # first: who sees is_closed finds the event
        self._closed_by_user = by_user
        self._seen.set()
        log.warning("%s: %s; the calculation goes on (reopen() starts another)", self.title, text)

    async def _end(self, sender: Sender) -> None:
        window, self._window = self._window, None
        sender.end("has ended", self._hold)
        if window is not None:
            await window.over(self._hold)
        if self._server is not None:
            await self._server.stop()

    def _last_call(self) -> Snapshot | None:
        """A copy of the last call, as its values are now."""
        return self._desk.copy() if self._desk.offered else None

    def _did(self, did: Did) -> None:
        if did.what == "closed" and not self._closed_by_user and self._window is not None:
            return  # told when its process has ended
        if len(self._events) == self._events.maxlen:
            self.events_dropped += 1
        self._events.append(did)
        if self.on_event is not None:
            self.on_event(did)

    def _ready(self, viewer: Viewer) -> None:
        if viewer.kind == "window":
            self._seen.set()

    def _tell_value(self, name: str) -> None:
        if self._sender is not None and not self._over and self._is_mine:
            self._loop.call_soon_threadsafe(self._sender.tell_value, name)

    def _forget_in_child(self) -> None:
        """In a process that was forked off: whose end of the socket would keep the viewer alive."""
        self._desk.close()
        if self._room is not None:
            self._room.close()
            self._room = None
        if self._window is not None and self._window.fd >= 0:
            os.close(self._window.fd)


def _room() -> FrameRoom | None:
    """Memory that the window shares; None where there is none to be had: then frames go to it by the socket."""
    try:
        return FrameRoom()
    except (AttributeError, OSError) as exc:
        log.debug("no memory to share with the window: %s", exc)
        return None


class _Where:
    """What the arguments and the environment say of where the plot is seen."""

    def __init__(self, window: bool, listen: Address | None, token: str, fps: float, is_told: bool) -> None:
        self.window, self.listen, self.token, self.fps, self.is_told = window, listen, token, fps, is_told

    @classmethod
    def of(cls, window: bool, listen: Address | str | None, token: str, fps: float) -> _Where:
        said = os.environ.get("AXONLIKE_PLOT", "").strip()
        is_told = False
        if said:
            window, listen = False, None
            for word in said.split(","):
                name, _, value = word.strip().partition("=")
                if name == "window" and not value:
                    window = True
                elif name == "listen":
                    listen, is_told = value or ("127.0.0.1", 0), True
                elif word.strip() != "off":
                    raise UsageError(
                        f'AXONLIKE_PLOT={said}: it is "off", "window", "listen=HOST:PORT" or "window,listen=HOST:PORT"'
                    )
        said_fps = os.environ.get("AXONLIKE_PLOT_FPS")
        if said_fps:
            try:
                fps = float(said_fps)
            except ValueError:
                raise UsageError(f"AXONLIKE_PLOT_FPS={said_fps}: it is a number of frames a second") from None
        if not 0.01 <= fps <= 240:
            raise UsageError(f"LivePlot: fps is from 0.01 to 240, not {fps!r}")
        address = address_of(listen) if isinstance(listen, str) else listen
        return cls(window, address, os.environ.get("AXONLIKE_PLOT_TOKEN") or token, fps, is_told)


def address_of(text: str) -> Address:
    """("host", port) of "host:port", ":port" or "[::1]:port". Raises UsageError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address: write HOST:PORT, such as 127.0.0.1:9999")
    return host, int(port)


def _panels_of(panels: Mapping[str, Panel | str]) -> dict[str, Panel]:
    found: dict[str, Panel] = {}
    for name, panel in panels.items():
        if isinstance(panel, str):
            panel = Panel(panel)
        elif not isinstance(panel, Panel):
            raise UsageError(f"panels: {name}={panel!r} is neither a Panel nor a kind of one")
        found[str(name)] = panel
    return found


def _name_of_script() -> str:
    script = sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    return Path(script).stem if script else "axonlike"


install_call(LivePlot, Desk, ndarray, LAYOUT)
_open: weakref.WeakSet[LivePlot] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for plot in tuple(_open):
        try:
            plot.close()
        except AxonlikeError as exc:  # the program is ending: nobody could catch it
            log.warning("%s: while it was closed: %s", plot.title, exc)


def _forget_all() -> None:
    for plot in tuple(_open):
        plot._forget_in_child()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
