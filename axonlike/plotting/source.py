"""Frames of a calculation as messages, for a viewer's own graph."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Generator
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import AxonlikeError, Finished, UsageError
from axonlike.linkage import Box
from axonlike.plotting.link import Connection, LocalConnection
from axonlike.plotting.messages import (
    FRAME_LIMIT_BYTES,
    Did,
    Drawn,
    Ended,
    Failed,
    Frame,
    Message,
    Ready,
    Set,
    Values,
    Welcome,
)

__all__ = ["PlotSource"]

log = logging.getLogger("axonlike.plot")

Opened = Callable[[], Awaitable[Connection]]

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_LAST_WORDS_S = 1.0


class PlotSource(Component):
    """Takes part in a plot as a viewer: sends what the calculation says, and tells it what comes back.

        run(Pipeline(PlotSource("127.0.0.1:9999", token="..."), PlotView(), circular=True))

    address: "host:port" of a plot that listens; in a viewer that a plot has started (`LivePlot(viewer=...)`) the last
    word of its command. token: what it gave out. tls: an ssl.SSLContext, or True for the system's certificates.
    reconnect: try again, after 0.5 to 10 s, when the connection is lost or was not to be had; else that is the
    component's failure, and the end of a calculation its end. limit_bytes: of a message.

    A frame comes only when one was asked for: `Ready` asks for the first, `Drawn(number)` for the one after. So a
    graph that does not keep up gets fewer frames, and nobody waits for it.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("Ready, Drawn, Did, Set, Failed: what the calculation is told", (Ready, Drawn, Did, Set, Failed)),
        "arrived": Box("what the calculation says, on its way to the outbox", None, limit=None, aside=True),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("Welcome, Frame, Values, Ended: what the calculation says", (Welcome, Frame, Values, Ended)),
    }

    def __init__(
        self,
        address: str = "",
        *,
        token: str = "",
        tls: ssl.SSLContext | bool = False,
        reconnect: bool = False,
        limit_bytes: int | None = None,
        connect: Opened | None = None,
    ) -> None:
        if connect is None:
            connect = _way_to(address, token, tls, limit_bytes)
        elif address:
            raise UsageError("PlotSource: give an address or connect=, not both")
        self.address = address
        self.frames = 0
        self._connect = connect
        self._reconnects = reconnect
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._unsent = 0
        self._asks = False

    def main(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        assert scheduler.loop is not None
        scheduler.hold(self, f"{self.path} waits for a calculation")
        self._task = scheduler.loop.create_task(self._follow())
        stays = False
        try:
            while True:
                yield self.wait("inbox", "arrived")
                for message in self.inbox("arrived"):
                    if isinstance(message, BaseException):
                        raise message
                    if message is None:
                        # What it has sent is still to be seen, and a receiver that answers us is stopped when we end:
                        # so we wait for its end, for ever if it is to stay.
                        if not stays:
                            scheduler.release(self)
                        continue
                    self.frames += isinstance(message, Frame)
                    stays = isinstance(message, Ended) and message.hold
                    self.send(message)
                for message in self.inbox("inbox"):
                    self._asks = self._asks or isinstance(message, Ready)
                    self._answers.put_nowait(message)
                    self._unsent += 1
        except Finished:
            until_s = scheduler.time() + _LAST_WORDS_S
            while self._unsent and not self._task.done() and scheduler.time() < until_s:
                yield self.sleep(0.01)  # its last words: that the window was closed
        finally:
            scheduler.release(self)
            self._task.cancel()

    def consumer_ended(self, outbox: str) -> None:
        """Nobody looks any more: an ordinary end, since what the user did last is still to be told."""
        scheduler = self.scheduler
        if outbox == "outbox" and scheduler is not None:
            scheduler.input_ended(self)

    def _arrived(self, message: Any) -> None:
        if not self.ended:
            self.open_inbox("arrived").put(message)

    async def _follow(self) -> None:
        """Be connected, as often as it takes; runs beside `main`, in the same event loop."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                connection = await self._connect()
            except AxonlikeError as exc:
                if not self._reconnects:
                    self._arrived(exc)
                    return
                log.info("%s: %s; trying again in %.1f s", self.path, exc, wait_s)
                self._arrived(Ended(f"no connection: {exc}", hold=True))
                await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                continue
            try:
                last = await self._talk(connection)
            except AxonlikeError as exc:
                if not self._reconnects:
                    self._arrived(exc)
                    return
                last = False
                log.warning("%s: %s", self.path, exc)
            finally:
                await connection.close()
            if not self._reconnects:
                if not last:
                    self._arrived(Ended("the calculation has gone", hold=False))
                self._arrived(None)
                return
            if not last:
                self._arrived(Ended("the connection was lost; trying again", hold=True))
            wait_s = _FIRST_WAIT_S
            await asyncio.sleep(wait_s)

    async def _talk(self, connection: Connection) -> bool:
        """Until the connection ends. Returns whether the calculation said that it was over."""
        while not self._answers.empty():  # meant for the connection before
            self._answers.get_nowait()
            self._unsent -= 1
        if self._asks:
            await connection.send(Ready("remote"))
        answering = asyncio.ensure_future(self._answer(connection))
        try:
            over = False
            while (message := await connection.receive()) is not None:
                over = over or isinstance(message, Ended)
                self._arrived(message)
            return over
        finally:
            answering.cancel()

    async def _answer(self, connection: Connection) -> None:
        while True:
            message = await self._answers.get()
            await connection.send(message)
            self._unsent -= 1


def _way_to(address: str, token: str, tls: ssl.SSLContext | bool, limit_bytes: int | None) -> Opened:
    if address.isascii() and address.isdigit():
        local = LocalConnection(socket.socket(fileno=int(address)))

        async def take() -> Connection:
            return local

        return take
    from axonlike.plotting.client import RemoteConnection
    from axonlike.plotting.liveplot import address_of

    host, port = address_of(address)
    connection = functools.partial(RemoteConnection, host, port, token, tls, limit_bytes or FRAME_LIMIT_BYTES)
    connection()  # it refuses a token or port that cannot be

    async def connect() -> Connection:
        remote = connection()
        await remote.connect()
        return remote

    return connect
