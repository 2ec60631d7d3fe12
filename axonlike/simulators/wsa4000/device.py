"""A WSA4000 that is not there: the radio's two TCP ports and its answer to discovery, with a band to look at.

It speaks the protocol from its own reading of it and shares no code with the client, so that each tests the other.
It keeps a log of what really happened (`log`), which is how tests know that nothing was opened that nobody wanted, and
it can be told to fail in all the ways in which a radio on a network does.

Threads. One listens, accepts and speaks SCPI for all clients (`_serve`). Each acquisition (a stream, a block, a sweep)
has one more, which makes packets and sends them (`Acquisition`). What both touch is guarded by `_changed`.

The signal. A table of samples that fits into itself without a seam, made once for each tuning: carriers, a frequency
modulated station, one that comes and goes, noise, some DC and an I/Q imbalance as a direct conversion receiver has
them. Packets are cut out of it, whatever the rate, so that making them costs a copy.
"""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from axonlike.errors import DeviceError, UsageError
from axonlike.simulators.wsa4000.acquisition import DIGITIZER, EXTENSION, IF_DATA, RECEIVER, Acquisition
from axonlike.simulators.wsa4000.commands import execute
from axonlike.simulators.wsa4000.state import Client, Entry, Event, Quirks, Refusal, State

__all__ = ["SimulatedWSA4000"]

_PS = 1_000_000_000_000
_LOG_KEPT = 100_000
_LINE_LIMIT = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST


class SimulatedWSA4000:
    """The radio. Use it in a ``with`` block, or call `start` and `close`; clients need `host`, `scpi_port`, `vrt_port`.

    Ports of 0 take any free ones; they are known after `start`. paced: data come at the rate of the settings; else as
    fast as they are taken. noise_dbfs: the power of the noise, relative to full scale. memory_samples: what it can
    hold back for a slow reader, if paced; then it drops samples and says so in the packet before. trigger_delay_s:
    after how long a trigger fires; None: never. start_time_s: of the first sample (UTC), now unless given.

    samples: shape (n, 2), I and Q in counts: what is sent, again and again from the start of each acquisition, in place
    of the band. It goes on under samples that are lost, so the value tells the position.

    quirks: what is odd about it; may be changed at any time. log: what happened, see `wait_for`.
    sent_samples, dropped_samples: in all, over all acquisitions.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        scpi_port: int = 0,
        vrt_port: int = 0,
        discovery_port: int | None = None,
        serial: str = "110324-0001",
        firmware: str = "v2.5.3",
        paced: bool = True,
        noise_dbfs: float = -60.0,
        seed: int = 4000,
        memory_samples: int = 32 << 20,
        trigger_delay_s: float | None = 0.05,
        start_time_s: int | None = None,
        samples: npt.ArrayLike | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.host = host
        self.scpi_port = scpi_port
        self.vrt_port = vrt_port
        self.discovery_port = discovery_port
        self.serial = serial
        self.firmware = firmware
        self.paced = paced
        self.noise_dbfs = noise_dbfs
        self.seed = seed
        self.memory_samples = memory_samples
        self.trigger_delay_s = trigger_delay_s
        self.start_time_s = start_time_s
        self.quirks = quirks or Quirks()
        self._given = None if samples is None else np.ascontiguousarray(samples, ">i2").view(">u4").reshape(-1)
        self.sent_samples = 0
        self.dropped_samples = 0
        self.state = State()
        self.entries: list[Entry] = []
        self._template = Entry()
        self._sweep_iterations = 0
        self._changed = threading.Condition()
        self._log: deque[Event] = deque(maxlen=_LOG_KEPT)
        self._faults: deque[tuple[str, int]] = deque()
        self._asked: deque[Callable[[], None]] = deque()
        self._clients: dict[int, Client] = {}
        self._lock_holder: Client | None = None
        self._acquisition: Acquisition | None = None
        self._counts = {RECEIVER: 0, DIGITIZER: 0, IF_DATA: 0, EXTENSION: 0}
        self._now_ps = 0
        self._thread: threading.Thread | None = None
        self._closing = False
        self._sockets: list[socket.socket] = []
        self._failure: BaseException | None = None

    # -- life

    def start(self) -> Self:
        """Listen. Raises DeviceError when a port is taken."""
        if self._thread is not None:
            raise UsageError(f"{self!r} is running already")
        self._closing = False
        try:
            scpi = self._listen(self.scpi_port)
            vrt = self._listen(self.vrt_port)
            self.scpi_port, self.vrt_port = scpi.getsockname()[1], vrt.getsockname()[1]
            udp = None
            if self.discovery_port is not None:
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._sockets.append(udp)
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                udp.bind((self.host if self.host == "127.0.0.1" else "", self.discovery_port))
                udp.setblocking(False)
                self.discovery_port = udp.getsockname()[1]
        except OSError as exc:
            self._close_sockets()
            raise DeviceError(f"the simulated WSA4000 cannot listen on {self.host}: {exc.strerror}") from exc
        wake, self._waker = socket.socketpair()
        wake.setblocking(False)
        self._sockets += [wake, self._waker]
        self._start_ps = (int(time.time()) if self.start_time_s is None else self.start_time_s) * _PS
        self._now_ps = self._start_ps
        self._started_s = time.monotonic()
        self._thread = threading.Thread(
            target=self._serve, args=(scpi, vrt, udp, wake), name="simulated WSA4000", daemon=True
        )
        self._thread.start()
        return self

    def _listen(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, port))
        sock.listen(64)
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        """Switch it off: all connections are closed. Harmless a second time. Raises DeviceError if it had failed."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing = True
        self._waker.send(b"w")
        thread.join()
        self._close_sockets()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise DeviceError(f"the simulated WSA4000 failed: {failure!r}") from failure

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"on {self.host}:{self.scpi_port}/{self.vrt_port}" if self._thread is not None else "switched off"
        return f"<SimulatedWSA4000 {self.serial} {state}>"

    @property
    def running(self) -> bool:
        """From `start` to `close`."""
        return self._thread is not None

    # -- what happened

    @property
    def log(self) -> list[Event]:
        """What has happened so far, oldest first: scpi_open, scpi_close, vrt_open, vrt_close, command, lock, abort,
        stream_start, stream_stop, block, sweep_start, sweep_stop, drop, samples_lost, and others named for the fault.
        """
        with self._changed:
            return list(self._log)

    def count(self, name: str) -> int:
        """How often that happened."""
        return sum(event.name == name for event in self.log)

    def wait_for(self, name: str, count: int = 1, *, timeout_s: float = 10.0) -> Event:
        """Wait until that has happened so often; the last of them. Raises TimeoutError with what happened instead."""
        with self._changed:
            self._changed.wait_for(lambda: sum(e.name == name for e in self._log) >= count, timeout_s)
            found = [event for event in self._log if event.name == name]
        if len(found) < count:
            names = [event.name for event in self.log][-20:]
            raise TimeoutError(f"{name} happened {len(found)} times, not {count}, in {timeout_s} s; the last: {names}")
        return found[count - 1]

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
        """Wait until the condition holds, looked at whenever something happens or is sent."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _note(self, name: str, **details: Any) -> None:
        with self._changed:
            self._log.append(Event(name, details, time.monotonic()))
            self._changed.notify_all()

    # -- faults that happen once

    def drop_packets(self, number: int = 1) -> None:
        """Do not send the next data packets: the count and the time go on."""
        self._add_fault("drop", number)

    def lose_samples(self, number: int) -> None:
        """Drop so many samples after the next data packet, which says so; the count of packets goes on as if nothing
        had been."""
        self._add_fault("lose", number)

    def step_clock(self, picoseconds: int) -> None:
        """From the next data packet on, times are later by this much, and nothing is missing."""
        self._add_fault("clock", picoseconds)

    def truncate(self, after_bytes: int = 100) -> None:
        """Send only so many bytes of the next data packet and then close the data connection in order."""
        self._add_fault("truncate", after_bytes)

    def reset_data(self, after_bytes: int = 0) -> None:
        """Reset the data connection after so many more bytes."""
        self._add_fault("reset", after_bytes)

    def send_garbage(self, number: int = 1000) -> None:
        """So many bytes that are no packet, before the next data packet."""
        self._add_fault("garbage", number)

    def claim_size(self, words: int) -> None:
        """The next data packet's header says that it has so many words."""
        self._add_fault("size", words)

    def change_spp(self, samples: int) -> None:
        """From the next packet on the stream has packets of another size."""
        self._add_fault("spp", samples)

    def unknown_packet(self, words: int = 10) -> None:
        """A packet of a stream that the WSA4000 has not, before the next data packet."""
        self._add_fault("unknown", words)

    def reset_control(self) -> None:
        """Reset all control connections now."""
        with self._changed:
            clients = list(self._clients.values())
        for client in clients:
            self._ask_serve(functools.partial(self._drop, client, reset=True))

    def fire_trigger(self) -> None:
        """The trigger's condition comes true now."""
        with self._changed:
            self._faults.append(("trigger", 0))
            self._changed.notify_all()

    def _add_fault(self, name: str, value: int) -> None:
        with self._changed:
            self._faults.append((name, value))
            self._changed.notify_all()

    def _take_fault(self, *names: str) -> tuple[str, int] | None:
        with self._changed:
            for fault in self._faults:
                if fault[0] in names:
                    self._faults.remove(fault)
                    return fault
        return None

    # -- the control port

    def _ask_serve(self, action: Callable[[], None]) -> None:
        with self._changed:
            self._asked.append(action)
        self._waker.send(b"w")

    def _serve(self, scpi: socket.socket, vrt: socket.socket, udp: socket.socket | None, wake: socket.socket) -> None:
        try:
            while not self._closing:
                self._serve_once(scpi, vrt, udp, wake)
        except BaseException as exc:
            self._failure = exc
        finally:
            self._end_acquisition()
            for client in list(self._clients.values()):
                self._drop(client)

    def _serve_once(
        self, scpi: socket.socket, vrt: socket.socket, udp: socket.socket | None, wake: socket.socket
    ) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(scpi, selectors.EVENT_READ, lambda: self._accept_scpi(scpi))
            selector.register(vrt, selectors.EVENT_READ, lambda: self._accept_vrt(vrt))
            selector.register(wake, selectors.EVENT_READ, lambda: _drain(wake))
            if udp is not None:
                selector.register(udp, selectors.EVENT_READ, lambda: self._discovered(udp))
            for client in self._clients.values():
                selector.register(client.sock, selectors.EVENT_READ, functools.partial(self._receive, client))
            ready = [key.data for key, _ in selector.select()]
        for action in ready:
            action()
        while self._asked:
            self._asked.popleft()()

    def _accept_scpi(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, address = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(5.0)
            with self._changed:
                self._clients[sock.fileno()] = Client(sock, address)
            self._note("scpi_open", address=address)

    def _accept_vrt(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, address = listener.accept()
            here = [c for c in self._clients.values() if c.address[0] == address[0]]
            # Whoever has none yet; or who has the lock, and connects anew after an abort in the middle of a packet.
            waiting = [c for c in here if c.data is None] or [c for c in here if c is self._lock_holder]
            if not waiting:
                self._note("vrt_refused", address=address)  # counted before the other end can know
                sock.close()  # nobody has said who he is
                return
            sock.settimeout(0.2)
            self._close_data(waiting[-1])
            waiting[-1].data = sock
            self._note("vrt_open", address=address)

    def _discovered(self, udp: socket.socket) -> None:
        with contextlib.suppress(OSError):
            data, address = udp.recvfrom(65536)
            if data[:8] == struct.pack(">II", 0x93315555, 2):
                udp.sendto(struct.pack(">II", 0x93315555, 1) + self.serial.encode() + b"\0", address)
                self._note("discovered", address=address)

    def _drop(self, client: Client, *, reset: bool = False) -> None:
        """The control connection is over; what it had goes with it."""
        if client is self._lock_holder:
            self._end_acquisition()
            self._lock_holder = None
        with self._changed:
            self._clients.pop(client.sock.fileno(), None)
        if reset:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if client.sock.fileno() != -1:
            client.sock.close()
            self._note("scpi_close", address=client.address)
        self._close_data(client)

    def _close_data(self, client: Client, *, reset: bool = False) -> None:
        data, client.data = client.data, None
        if data is not None:
            if reset:
                data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            data.close()
            self._note("vrt_close", address=client.address)

    def _receive(self, client: Client) -> None:
        try:
            data = client.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.received += data
        while (end := client.received.find(b"\n")) >= 0:
            line = client.received[:end].decode("ascii", "replace").strip()
            del client.received[: end + 1]
            if line:
                self._execute(client, line)
        if len(client.received) > _LINE_LIMIT:
            self._drop(client)

    def _execute(self, client: Client, line: str) -> None:
        self._note("command", line=line)
        try:
            reply = execute(self, client, line)
        except Refusal as refusal:
            client.errors.append((refusal.code, refusal.text))
            self.state.esr |= 0x20 if refusal.code > -200 else 0x10
            return
        if reply is not None:
            self._reply(client, reply)

    def _reply(self, client: Client, reply: str) -> None:
        quirks = self.quirks
        if quirks.mute:
            self._note("mute", reply=reply)
            return
        data = (("\n" if quirks.stray_blank else "") + reply + quirks.reply_ending).encode()
        try:
            if quirks.drip_reply_s:
                for byte in data:
                    client.sock.sendall(bytes([byte]))
                    with self._changed:
                        self._changed.wait_for(lambda: self._closing, quirks.drip_reply_s)
            else:
                client.sock.sendall(data)
        except OSError:
            self._drop(client)

    # -- what commands do

    def _busy(self) -> None:
        if self._running() != "BLOCK":
            raise Refusal(-221, "Settings conflict;not while streaming or sweeping")

    def _need_lock(self, client: Client) -> None:
        if self._lock_holder is not client:
            raise Refusal(-203, "Command protected;request the acquisition lock")

    def _begin(self, client: Client, kind: str, start_id: int) -> None:
        self._need_lock(client)
        self._busy()
        self._acquisition = Acquisition(self, client, kind, start_id, self._acquisition)
        self._acquisition.thread.start()

    def _end_acquisition(self, *, at_once: bool = True) -> None:
        """at_once: maybe in the middle of a packet, and waited for; else soon, after a whole packet."""
        if self._acquisition is not None:
            self._acquisition.stop(at_once=at_once)

    def _running(self) -> str:
        acquisition = self._acquisition
        if acquisition is None or not acquisition.goes_on:
            return "BLOCK"
        return {"block": "BLOCK", "stream": "STREAMING", "sweep": "SWEEPING"}[acquisition.kind]

    def _reset(self) -> None:
        self._end_acquisition()
        self.state = replace(State(), esr=self.state.esr, ese=self.state.ese, sre=self.state.sre)
        self.entries.clear()
        self._template = Entry()


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while sock.recv(4096):
            pass
