"""The blocking face, for scripts of ten lines: ordinary sockets, ordinary waiting.

    from axonlike.components.devices.wsa4000.blocking import connect

    with connect("10.0.0.5") as wsa:
        wsa.configure(center_frequency_hz=2.45e9, samples_per_packet=1024, packets_per_block=16)
        block = wsa.capture()
        print(block.info.facts["center_frequency_hz"], abs(block.data).max())

It runs no event loop, so it works where one runs already, a notebook for instance. Every wait has an end.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
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
from axonlike.streams.chunk import Chunk, join

__all__ = ["BlockingWSA4000", "connect"]

_LAST_LOOK_S = 0.001

T = TypeVar("T")


def connect(host: str, scpi_port: int = SCPI_PORT, vrt_port: int = VRT_PORT, **options: Any) -> BlockingWSA4000:
    """A device to be used in ``with``; the options are those of BlockingWSA4000."""
    return BlockingWSA4000(host, scpi_port, vrt_port, **options)


class BlockingWSA4000(Client):
    """A connection to a WSA4000. Use it in ``with``, or `open` and `close`; one thread at a time.

    connect_timeout_s: for each connection. reply_timeout_s: for each reply. reply_gap_s: after such a silence a reply
    without an end has ended. read_timeout_s: how long a stream may bring nothing before NoData. lock: ask for the lock
    on acquisition. tracker: one that goes on from an earlier connection.

    identity: who it is. settings: what has been set. statistics: of the packets (`VrtStatistics`). events: the last
    1000 things that were to be told: Missing, Indicated; they are in the log as well.

    After an error on one of the connections (ConnectionLost, NoReply, Desynchronised, ...) nothing works any more but
    `close`: connect anew.
    """

    def __init__(self, host: str, scpi_port: int = SCPI_PORT, vrt_port: int = VRT_PORT, **options: Any) -> None:
        super().__init__(host, scpi_port, vrt_port, **options)
        self._control: socket.socket | None = None
        self._data: socket.socket | None = None
        self._parser = VrtParser()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- connecting

    def open(self) -> None:
        """Connect to both ports, get the lock, and end what may still go on. Raises WSA4000Error of several kinds."""
        try:
            self._control = self._connect(self.scpi_port)
            self.identity = self.run(say.open_session(lock=self.lock))
            self._connect_data()
        except BaseException:
            self.close()
            raise

    def _connect_data(self) -> None:
        self._data = self._connect(self.vrt_port)
        self._parser = VrtParser()
        self.tracker.reconnected()

    def _connect(self, port: int) -> socket.socket:
        try:
            sock = socket.create_connection((self.host, port), self.connect_timeout_s)
        except OSError as exc:
            raise self._cannot_reach(address_text((self.host, port)), exc) from exc
        set_socket_options(sock)
        return sock

    def close(self) -> None:
        """End what goes on, and both connections. Harmless a second time."""
        control, data, self._control, self._data = self._control, self._data, None, None
        if control is not None:
            if self._fault is None:
                with contextlib.suppress(OSError):  # it may have gone first
                    control.sendall(say.GOODBYE)
            control.close()
        if data is not None:
            data.close()
        self._discard()

    def _fail(self, exc: WSA4000Error) -> WSA4000Error:
        if self._fault is None:
            self._fault = exc
        return self._fault

    # -- the control port

    def run(self, dialogue: say.Dialogue[T]) -> T:
        """Have a dialogue: what its generator returns. Raises what it raises, NoReply and ConnectionLost."""
        answer: str | None = None
        try:
            while True:
                answer = self._say(dialogue.send(answer))
        except StopIteration as end:
            return cast("T", end.value)
        finally:
            dialogue.close()

    def _say(self, step: say.Step) -> str | None:
        control = self._control
        if self._fault is not None:
            raise self._fault
        if control is None:
            raise self._not_connected()
        try:
            if isinstance(step, say.Ask):
                self._take_strays(control)
            control.settimeout(self.reply_timeout_s)
            control.sendall(step.line)
            return self._reply(control, step) if isinstance(step, say.Ask) else None
        except WSA4000Error as exc:
            raise self._fail(exc) from None  # what comes now may be the end of this reply, or that of the next
        except OSError as exc:
            raise self._fail(self._connection_lost("control", exc)) from exc

    def _reply(self, control: socket.socket, ask: say.Ask) -> str:
        pending = say.PendingReply(ask, time.monotonic(), timeout_s=self.reply_timeout_s, gap_s=self.reply_gap_s)
        while True:
            # At least a millisecond, as 0 would make the socket one that never waits.
            control.settimeout(max(0.001, pending.wake_at_s - time.monotonic()))
            try:
                data = control.recv(65536)
            except TimeoutError:
                data = None
            if data == b"":
                raise self._connection_lost("control", None)
            now_s = time.monotonic()
            reply = pending.feed(data, now_s) if data else None
            if reply is None and now_s >= pending.wake_at_s:
                reply = pending.look(now_s)
            if reply is not None:
                return reply

    def _take_strays(self, control: socket.socket) -> None:
        """What has come since the last reply belongs to no query."""
        control.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while data := control.recv(65536):
                self._note_stray(data)
            raise self._connection_lost("control", None)

    def configure(self, **settings: Any) -> Settings:
        """Change settings (those of `Settings`); returns all that are known. Raises UsageError and CommandRefused.

        Not while it streams or sweeps: the device refuses that.
        """
        for change in self._changes(settings):
            self.run(say.apply(change))
            self._know(change)
        return self.settings

    def read_settings(self) -> Settings:
        """All settings, as the device says them."""
        self._know(self.run(say.read_settings()))
        return self.settings

    def locks(self) -> say.Locks:
        """Are its oscillators locked?"""
        return self.run(say.locks())

    def command(self, header: str, *parameters: str | float) -> None:
        """Any command. Raises CommandRefused."""
        self.run(say.tell(header, *parameters))

    def ask(self, query: str, shape: Shape) -> str:
        """Any query; the shape says when its reply is complete (`axonlike.components.devices.wsa4000.scpi`)."""
        scpi_line(query)
        return self.run(say.query(query, shape))

    # -- the data port

    def receive(self, timeout_s: float | None = None) -> list[Item]:
        """What comes next, once there is something: chunks, and Missing and Indicated in their places.

        timeout_s: read_timeout_s unless given. Raises NoData, ConnectionLost, Desynchronised; what came before that is
        given first.
        """
        timeout_s = self.read_timeout_s if timeout_s is None else timeout_s
        until_s = time.monotonic() + timeout_s
        is_last_look = False
        while not self._items:
            if self._fault is not None:
                raise self._fault
            if self._data is None:
                raise self._not_connected()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                if is_last_look:
                    raise self._no_data(timeout_s)
                is_last_look, left_s = True, _LAST_LOOK_S  # if this process stood still, something lies there
            self._data.settimeout(left_s)
            try:
                number = self._data.recv_into(self._parser.room())
            except TimeoutError:
                raise self._no_data(timeout_s) from None
            except OSError as exc:
                raise self._fail(self._connection_lost("data", exc, self._parser.pending_bytes)) from exc
            if not number:
                raise self._fail(self._connection_lost("data", None, self._parser.pending_bytes))
            for packet in self._parser.filled(number):
                for item in self.tracker.feed(packet):
                    self._items.append(item)
                    if not isinstance(item, Chunk):
                        self._note(item)
            if self._parser.fault is not None:
                self._fail(self._parser.fault)
        items = list(self._items)
        self._items.clear()
        return items

    def start_stream(self) -> None:
        """Let samples come. `receive` them."""
        start_id = self._next_id()
        self._discard()
        self.tracker.begins(("stream_start_id", start_id))
        self.run(say.start_stream(start_id))

    def stop_stream(self) -> None:
        """No more; what was under way is dropped (and counted as stale) when the next stream begins."""
        self.run(say.stop_stream())

    def stream(self) -> Iterator[Chunk]:
        """Chunks, until the loop is left. Gaps show in their indices."""
        self.start_stream()
        try:
            while True:
                for item in self.receive():
                    if isinstance(item, Chunk):
                        yield item
        finally:
            if self._fault is None and self._control is not None:
                self.stop_stream()

    def start_block(self) -> None:
        """Ask for one block. Its packets come when the trigger says so."""
        self._discard()
        self.tracker.begins()
        self.run(say.capture_block())

    def block_samples(self) -> int:
        """How many samples one block has."""
        if self.settings.samples_per_packet is None or self.settings.packets_per_block is None:
            self.read_settings()
        return (self.settings.samples_per_packet or 0) * (self.settings.packets_per_block or 0)

    def capture(self, *, timeout_s: float | None = None) -> Chunk:
        """One block as one chunk. timeout_s: for the trigger to come; read_timeout_s unless given.

        Raises NoData, after which another capture needs a new connection (the trigger may still come), and
        StreamMismatch if samples are missing within the block.
        """
        left = self.block_samples()
        self.start_block()
        chunks: list[Chunk] = []
        try:
            while left > 0:
                for item in self.receive(timeout_s):
                    if isinstance(item, Chunk):
                        chunks.append(item)
                        left -= len(item)
        except NoData as exc:
            self._fail(exc)
            raise
        return join(chunks)

    def start_sweep(self, entries: Sequence[SweepEntry], *, iterations: int = 0) -> None:
        """Go through the entries; `receive` what comes. iterations: 0 for without end."""
        self.run(say.sweep_entries(entries))
        start_id = self._next_id()
        self._discard()
        self.tracker.begins(("sweep_start_id", start_id), in_bursts=True)
        self.run(say.start_sweep(start_id, iterations=iterations))

    def stop_sweep(self) -> None:
        """End the sweep."""
        self.run(say.stop_sweep())

    def sweep(self, entries: Sequence[SweepEntry], *, iterations: int = 1) -> Iterator[Chunk]:
        """Chunks of a sweep, each with its own center_frequency_hz in the facts of its info. 0 iterations: no end."""
        self.start_sweep(entries, iterations=iterations)
        left = iterations * samples_of(entries)
        is_over = False
        try:
            while left > 0 or not iterations:
                try:
                    items = self.receive()
                except NoData:
                    if is_over:
                        return
                    # A trigger that has not come, or one after whose dwell time it went on: is it over? Then what came
                    # before the answer is still to be taken.
                    is_over = not self.run(say.sweep_is_running())
                    continue
                for item in items:
                    if isinstance(item, Chunk):
                        left -= len(item)
                        yield item
                    else:
                        left -= item.samples if isinstance(item, Missing) else 0
        finally:
            if self._fault is None and self._control is not None:
                self.stop_sweep()

    def abort(self) -> None:
        """End whatever goes on, at once. That may be in the middle of a packet, so the data port is connected anew."""
        self.run(say.abort())
        if self._data is not None:
            self._data.close()
        self._discard()
        self._connect_data()
