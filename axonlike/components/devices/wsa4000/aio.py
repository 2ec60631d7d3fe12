"""The asyncio face: the same methods as the blocking one, to be awaited. The component runs on it too.

    async with connect("10.0.0.5") as wsa:
        await wsa.configure(center_frequency_hz=2.45e9, decimation=8)
        async for chunk in wsa.stream():
            ...

It needs a running asyncio loop and nothing else of this package: it works under Twisted's asyncio reactor as well.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from axonlike.components.devices.wsa4000 import dialogue as say
from axonlike.components.devices.wsa4000.client import SCPI_PORT, VRT_PORT, Client, Item, samples_of
from axonlike.components.devices.wsa4000.context import Missing
from axonlike.components.devices.wsa4000.errors import NoData, WSA4000Error
from axonlike.components.devices.wsa4000.scpi import Shape, scpi_line
from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry
from axonlike.components.devices.wsa4000.vrt import VrtParser
from axonlike.components.net.connection import address_text, set_socket_options
from axonlike.components.net.tcp_client import resolve_address
from axonlike.streams.chunk import Chunk, join

__all__ = ["AsyncWSA4000", "connect"]

# Of samples that were received and not taken yet. When that is full the socket is not read, then the device's memory
# fills, and at last the device drops samples and says so.
_PENDING_LIMIT_BYTES = 4 << 20
_CLOSE_S = 1.0

T = TypeVar("T")


def connect(host: str, scpi_port: int = SCPI_PORT, vrt_port: int = VRT_PORT, **options: Any) -> AsyncWSA4000:
    """A device to be used in ``async with``; the options are those of AsyncWSA4000."""
    return AsyncWSA4000(host, scpi_port, vrt_port, **options)


class _Control(asyncio.Protocol):
    """The control port: bytes go to the reply that is waited for, or to nobody."""

    def __init__(self, wsa: AsyncWSA4000) -> None:
        self._wsa = wsa
        self.transport: asyncio.Transport | None = None
        self.pending: say.PendingReply | None = None
        self.reply: str | None = None
        self.failure: WSA4000Error | None = None
        self.came: asyncio.Event = asyncio.Event()
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        pending = self.pending
        if pending is None or self.reply is not None or self.failure is not None:
            self._wsa._note_stray(data)
            return
        try:
            self.reply = pending.feed(data, asyncio.get_running_loop().time())
        except WSA4000Error as exc:
            self.failure = exc
        self.came.set()  # even if it is not complete: from now on a silence may be its end

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._wsa._lost("control", exc)


class _Data(asyncio.BufferedProtocol):
    """The data port: received straight into the parser's buffer."""

    def __init__(self, wsa: AsyncWSA4000) -> None:
        self._wsa = wsa
        self._parser = VrtParser()
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._parser.room()

    def buffer_updated(self, nbytes: int) -> None:
        wsa, parser = self._wsa, self._parser
        try:
            for packet in parser.filled(nbytes):
                wsa._came(packet)
        except WSA4000Error as exc:
            wsa._fail(exc)
        if parser.fault is not None:
            wsa._fail(parser.fault)
        if wsa._items:  # stale packets, or half of one, do not end the wait for samples nor put off its time-out
            wsa._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        if self._wsa._data is self:
            self._wsa._lost("data", exc, self._parser.pending_bytes)


class AsyncWSA4000(Client):
    """A connection to a WSA4000. Use it in ``async with``, or `open` and `aclose`; one task at a time.

    connect_timeout_s: for both connections together. reply_timeout_s: for each reply. reply_gap_s: after such a silence
    a reply without an end has ended. read_timeout_s: how long a stream may bring nothing before NoData.
    lock: ask for the lock on acquisition. tracker: one that goes on from an earlier connection.

    identity: who it is. settings: what has been set. statistics: of the packets (`VrtStatistics`). events: the last
    1000 things that were to be told: Missing, Indicated; they are in the log as well.

    After an error on one of the connections (ConnectionLost, NoReply, Desynchronised, ...) nothing works any more but
    `aclose`: connect anew.
    """

    def __init__(self, host: str, scpi_port: int = SCPI_PORT, vrt_port: int = VRT_PORT, **options: Any) -> None:
        super().__init__(host, scpi_port, vrt_port, **options)
        self._control: _Control | None = None
        self._data: _Data | None = None
        self._pending_bytes = 0
        self._paused = False
        self._awake: asyncio.Future[None] | None = None
        self._talking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- connecting

    async def open(self) -> None:
        """Connect to both ports, get the lock, and end what may still go on. Raises WSA4000Error of several kinds."""
        try:
            self._control = await self._connect(self.scpi_port, lambda: _Control(self))
            self.identity = await self.run(say.open_session(lock=self.lock))
            await self._connect_data()
        except BaseException:
            await self.aclose()
            raise

    async def _connect_data(self) -> None:
        self._data = await self._connect(self.vrt_port, lambda: _Data(self))
        self._paused = False
        self.tracker.reconnected()

    async def _connect(self, port: int, factory: Any) -> Any:
        loop = asyncio.get_running_loop()
        where = address_text((self.host, port))
        problem: OSError | None = None
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                for family, address in await resolve_address(self.host, port, socket.SOCK_STREAM):
                    sock = socket.socket(family, socket.SOCK_STREAM)
                    try:
                        sock.setblocking(False)
                        set_socket_options(sock)
                        await loop.sock_connect(sock, address)
                        _, protocol = await loop.create_connection(factory, sock=sock)
                        return protocol
                    except OSError as exc:
                        problem = exc
                        sock.close()
                    except BaseException:
                        sock.close()
                        raise
        except OSError as exc:  # the name, or TimeoutError
            problem = exc
        raise self._cannot_reach(where, problem) from problem

    async def aclose(self) -> None:
        """End what goes on, and both connections. Harmless a second time."""
        self._closing = True
        control, data, self._control, self._data = self._control, self._data, None, None
        closed = []
        for protocol in (control, data):
            if protocol is None or protocol.transport is None:
                continue
            if protocol is control and self._fault is None:
                protocol.transport.write(say.GOODBYE)
            if self._fault is None:
                protocol.transport.close()
            else:
                protocol.transport.abort()
            closed.append(protocol)
        self._discard()
        self._pending_bytes = 0
        if closed:
            await asyncio.wait([protocol.closed for protocol in closed], timeout=_CLOSE_S)
            for protocol in closed:
                if not protocol.closed.done() and protocol.transport is not None:
                    protocol.transport.abort()  # it does not take our goodbye

    def _lost(self, which: str, exc: BaseException | None, pending_bytes: int = 0) -> None:
        if not self._closing:
            self._fail(self._connection_lost(which, exc, pending_bytes))

    def _fail(self, exc: WSA4000Error) -> None:
        """It cannot go on: whoever waits is told."""
        if self._fault is None:
            self._fault = exc
        if self._control is not None:
            self._control.came.set()
        data = self._data.transport if self._data is not None else None
        if data is not None and not self._paused and not data.is_closing():
            self._paused = True
            data.pause_reading()
        self._wake()

    # -- the control port

    async def run(self, dialogue: say.Dialogue[T]) -> T:
        """Have a dialogue: what its generator returns. Raises what it raises, NoReply and ConnectionLost."""
        async with self._talking:
            answer: str | None = None
            try:
                while True:
                    step = dialogue.send(answer)
                    answer = await self._say(step)
            except StopIteration as end:
                return cast("T", end.value)
            finally:
                dialogue.close()

    async def _say(self, step: say.Step) -> str | None:
        control = self._control
        if self._fault is not None:
            raise self._fault
        if control is None or control.transport is None:
            raise self._not_connected()
        loop = asyncio.get_running_loop()
        if isinstance(step, say.Tell):
            control.transport.write(step.line)
            return None
        control.pending = pending = say.PendingReply(
            step, loop.time(), timeout_s=self.reply_timeout_s, gap_s=self.reply_gap_s
        )
        control.reply = control.failure = None
        try:
            control.transport.write(step.line)
            while True:
                control.came.clear()
                try:
                    async with asyncio.timeout_at(pending.wake_at_s):
                        await control.came.wait()
                except TimeoutError:
                    control.reply = pending.look(loop.time())
                if self._fault is not None or control.failure is not None:
                    raise self._fault or control.failure or AssertionError
                if control.reply is not None:
                    return control.reply
        except WSA4000Error as exc:
            self._fail(exc)  # what comes now may be the end of this reply, or that of the next
            raise
        finally:
            control.pending = None

    async def configure(self, **settings: Any) -> Settings:
        """Change settings (those of `Settings`); returns all that are known. Raises UsageError and CommandRefused.

        Not while it streams or sweeps: the device refuses that.
        """
        for change in self._changes(settings):
            await self.run(say.apply(change))
            self._know(change)
        return self.settings

    async def read_settings(self) -> Settings:
        """All settings, as the device says them."""
        self._know(await self.run(say.read_settings()))
        return self.settings

    async def locks(self) -> say.Locks:
        """Are its oscillators locked?"""
        return await self.run(say.locks())

    async def command(self, header: str, *parameters: str | float) -> None:
        """Any command. Raises CommandRefused."""
        await self.run(say.tell(header, *parameters))

    async def ask(self, query: str, shape: Shape) -> str:
        """Any query; the shape says when its reply is complete (`axonlike.components.devices.wsa4000.scpi`)."""
        scpi_line(query)
        return await self.run(say.query(query, shape))

    # -- the data port

    def _came(self, packet: Any) -> None:
        items = self.tracker.feed(packet)
        for item in items:
            self._items.append(item)
            if isinstance(item, Chunk):
                self._pending_bytes += item.data.nbytes
            else:
                self._note(item)
        if self._pending_bytes > _PENDING_LIMIT_BYTES and not self._paused and self._data is not None:
            assert self._data.transport is not None
            self._paused = True
            self._data.transport.pause_reading()

    def _wake(self) -> None:
        if self._awake is not None and not self._awake.done():
            self._awake.set_result(None)

    def interrupt(self) -> None:
        """Have `receive` return, maybe with nothing."""
        self._wake()

    async def receive(self, timeout_s: float | None = None) -> list[Item]:
        """What has come, as soon as there is something: chunks, and Missing and Indicated in their places.

        An empty list if `interrupt` was called. timeout_s: read_timeout_s unless given. Raises NoData, ConnectionLost,
        Desynchronised; what came before that is given first.
        """
        timeout_s = self.read_timeout_s if timeout_s is None else timeout_s
        if not self._items:
            if self._fault is not None:
                raise self._fault
            if self._data is None:
                raise self._not_connected()
            loop = asyncio.get_running_loop()
            self._awake = loop.create_future()
            timer = loop.call_later(timeout_s, self._too_late, timeout_s)
            try:
                await self._awake
            finally:
                timer.cancel()
                self._awake = None
            if not self._items and self._fault is not None:
                raise self._fault
        items = list(self._items)
        self._items.clear()
        self._go_on()
        return items

    def _drop_pending(self) -> None:
        self._discard()
        self._go_on()

    def _go_on(self) -> None:
        """There is room again."""
        self._pending_bytes = 0
        if self._paused and self._fault is None and self._data is not None:
            assert self._data.transport is not None
            self._paused = False
            self._data.transport.resume_reading()

    def _too_late(self, timeout_s: float) -> None:
        if self._awake is not None and not self._awake.done():
            self._awake.set_exception(self._no_data(timeout_s))

    async def start_stream(self) -> None:
        """Let samples come. `receive` them."""
        start_id = self._next_id()
        self._drop_pending()
        self.tracker.begins(("stream_start_id", start_id))
        await self.run(say.start_stream(start_id))

    async def stop_stream(self) -> None:
        """No more; what was under way is dropped (and counted as stale) when the next stream begins."""
        await self.run(say.stop_stream())

    async def stream(self) -> AsyncIterator[Chunk]:
        """Chunks, until the loop is left. Gaps show in their indices."""
        await self.start_stream()
        try:
            while True:
                for item in await self.receive():
                    if isinstance(item, Chunk):
                        yield item
        finally:
            if self._fault is None and not self._closing:
                await self.stop_stream()

    async def start_block(self) -> None:
        """Ask for one block. Its packets come when the trigger says so."""
        self._drop_pending()
        self.tracker.begins()
        await self.run(say.capture_block())

    async def block_samples(self) -> int:
        """How many samples one block has."""
        if self.settings.samples_per_packet is None or self.settings.packets_per_block is None:
            await self.read_settings()
        return (self.settings.samples_per_packet or 0) * (self.settings.packets_per_block or 0)

    async def capture(self, *, timeout_s: float | None = None) -> Chunk:
        """One block as one chunk. timeout_s: for the trigger to come; read_timeout_s unless given.

        Raises NoData, after which another capture needs a new connection (the trigger may still come), and
        StreamMismatch if samples are missing within the block.
        """
        left = await self.block_samples()
        await self.start_block()
        chunks: list[Chunk] = []
        try:
            while left > 0:
                for item in await self.receive(timeout_s):
                    if isinstance(item, Chunk):
                        chunks.append(item)
                        left -= len(item)
        except NoData as exc:
            self._fail(exc)
            raise
        return join(chunks)

    async def start_sweep(self, entries: Sequence[SweepEntry], *, iterations: int = 0) -> None:
        """Go through the entries; `receive` what comes. iterations: 0 for without end."""
        await self.run(say.sweep_entries(entries))
        start_id = self._next_id()
        self._drop_pending()
        self.tracker.begins(("sweep_start_id", start_id), in_bursts=True)
        await self.run(say.start_sweep(start_id, iterations=iterations))

    async def stop_sweep(self) -> None:
        """End the sweep."""
        await self.run(say.stop_sweep())

    async def sweep(self, entries: Sequence[SweepEntry], *, iterations: int = 1) -> AsyncIterator[Chunk]:
        """Chunks of a sweep, each with its own center_frequency_hz in the facts of its info."""
        await self.start_sweep(entries, iterations=iterations)
        left = iterations * samples_of(entries)
        is_over = False
        try:
            while left > 0 or not iterations:
                try:
                    items = await self.receive()
                except NoData:
                    if is_over:
                        return
                    # A trigger that has not come, or one after whose dwell time it went on: is it over? Then what came
                    # before the answer is still to be taken.
                    is_over = not await self.run(say.sweep_is_running())
                    continue
                for item in items:
                    if isinstance(item, Chunk):
                        left -= len(item)
                        yield item
                    else:
                        left -= item.samples if isinstance(item, Missing) else 0
        finally:
            if self._fault is None and not self._closing:
                await self.stop_sweep()

    async def abort(self) -> None:
        """End whatever goes on, at once. That may be in the middle of a packet, so the data port is connected anew."""
        await self.run(say.abort())
        data, self._data = self._data, None
        if data is not None and data.transport is not None:
            data.transport.abort()
            await asyncio.wait([data.closed], timeout=_CLOSE_S)
        self._discard()
        self._pending_bytes = 0
        await self._connect_data()
