"""A plot that is served, for tests of the server and of those who look: a real sender, without a calculation."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from axonlike.plotting.client import RemoteConnection
from axonlike.plotting.desk import Desk
from axonlike.plotting.handshake import PROTOCOL, ViewerSide
from axonlike.plotting.messages import Did, Drawn, Frame, Message, Panel, Ready, Welcome, decode
from axonlike.plotting.params import Params, params_of
from axonlike.plotting.sender import Sender
from axonlike.plotting.server import PlotServer

__all__ = ["TOKEN", "Plot", "PlotInThread", "a_plot", "frame_of", "looking", "raw", "shaken", "until"]

TOKEN = "the-token-of-the-tests"
PATIENCE_S = 60.0  # of both ends with each other: on a busy machine many handshakes at once take longer than 5 s


class Plot:
    """The plot. events: what users did."""

    def __init__(
        self, *, params: dict[str, Any] | None = None, panels: dict[str, Panel] | None = None, **server: Any
    ) -> None:
        self.events: list[Did] = []
        self.sender = Sender(
            asyncio.get_running_loop(), Desk(), Params(params_of(params or {})), title="Test", pid=1, panels=panels,
            on_did=self.events.append,
        )  # fmt: skip
        self.server = PlotServer(self.sender, **{"token": TOKEN, "handshake_s": PATIENCE_S, **server})
        self._calls = itertools.count(1)

    @property
    def port(self) -> int:
        return self.server.address[1]

    @property
    def http(self) -> str:
        return self.server.url.partition("/#")[0]

    def show(self, *args: Any, **kwargs: Any) -> None:
        """One call of the plot, all of which are taken."""
        self.sender.take((next(self._calls), 0.0, list(args), kwargs))


@contextlib.asynccontextmanager
async def a_plot(**settings: Any) -> AsyncIterator[Plot]:
    """A plot that is served while the block runs."""
    plot = Plot(**settings)
    await plot.server.start()
    try:
        yield plot
    finally:
        await plot.server.stop()


@contextlib.asynccontextmanager
async def looking(plot: Plot, token: str = TOKEN) -> AsyncIterator[RemoteConnection]:
    """A viewer that is ready, and has had its Welcome."""
    connection = RemoteConnection("127.0.0.1", plot.port, token, connect_s=PATIENCE_S, handshake_s=PATIENCE_S)
    try:
        await connection.send(Ready("remote"))
        assert isinstance(await connection.receive(), Welcome)
        await until(lambda: all(viewer.asks or viewer.seen for viewer in plot.sender.viewers))
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def raw(plot: Plot, **settings: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse[Any]]:
    """A WebSocket on which nothing has been said."""
    async with aiohttp.ClientSession() as session:
        settings = {"protocols": (PROTOCOL,), "timeout": aiohttp.ClientWSTimeout(ws_close=0.1), **settings}
        async with session.ws_connect(f"{plot.http}/plot", **settings) as socket:
            yield socket


async def shaken(socket: aiohttp.ClientWebSocketResponse[Any]) -> Message:
    """The handshake, by hand. Returns what the plot says first."""
    side = ViewerSide(TOKEN)
    reply = side.reply(await socket.receive_bytes())
    assert reply is not None
    await socket.send_bytes(reply)
    assert side.trusts(await socket.receive_bytes())
    return decode(await socket.receive_bytes())


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait until that is so; whoever waits too long, waits in vain."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


async def frame_of(connection: RemoteConnection) -> Frame:
    """The next frame, drawn."""
    while True:
        message: Message | None = await connection.receive()
        assert message is not None
        if isinstance(message, Frame):
            await connection.send(Drawn(message.number))
            return message


class PlotInThread(contextlib.AbstractContextManager["PlotInThread"]):
    """A plot that is served from a thread of its own, as beside a calculation."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> PlotInThread:
        self._thread.start()
        try:
            self.plot = self.do(self._made)
            self.do(self.plot.server.start)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.do(self.plot.server.stop)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _made(self) -> Plot:
        return Plot(**self._settings)

    def do(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it there, and wait for what it returns."""

        async def main() -> Any:
            found = work(*args, **kwargs)
            return await found if inspect.isawaitable(found) else found

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result(30)

    def show(self, *args: Any, **kwargs: Any) -> None:
        """One call of the plot."""
        self.do(self.plot.show, *args, **kwargs)

    def until(self, condition: Callable[[Plot], object]) -> None:
        """Wait until the plot is like that."""
        self.do(until, lambda: condition(self.plot))
