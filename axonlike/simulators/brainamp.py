"""A BrainVision Recorder that is not there: its two TCP ports (RDA), with somebody's EEG to look at.

It writes the protocol from its own reading of it and shares no code with the client, so that each tests the other.

Threads. One (`_serve`) listens, accepts, makes blocks when they are due and sends them; the methods that make it fail
are called from others, and what both touch is guarded by `_lock`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from axonlike.errors import DeviceError, UsageError
from axonlike.simulators.eeg import SimulatedEeg
from axonlike.simulators.happenings import Happenings

__all__ = ["ELECTRODES", "SimulatedBrainAmp"]

ELECTRODES = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8",
    "Fz", "Cz", "Pz", "Oz", "FC1", "FC2", "CP1", "CP2", "FC5", "FC6", "CP5", "CP6", "TP9", "TP10", "AF3", "AF4",
)  # fmt: skip

_GUID = b"\x8e\x45\x58\x43\x96\xc9\x86\x4c\xaf\x4a\x98\xbb\xf6\xc9\x14\x50"
_SLOW_CLIENT_BYTES = 4 << 20
_RESOLUTION_UV = 0.1


class _Client:
    def __init__(self, sock: socket.socket, int16: bool) -> None:
        self.sock = sock
        self.int16 = int16
        self.waiting = bytearray()
        self.started = False


class SimulatedBrainAmp:
    """The Recorder. Use it in a ``with`` block, or call `start` and `close`.

    float32_port, int16_port: 0 takes any free ones, known after `start`. While it monitors it sends a block of
    `block_rows` rows (20 ms unless given) whenever one is due, and a marker "Stimulus" "S  1", "S  2", ... every
    `marker_every_s`; paced=False: as fast as clients take them. A client that takes nothing for long misses blocks.

    resolutions_uv: of each channel. log: "connected", "disconnected" (by the client), "cut". blocks: how many were made
    since monitoring began; `block(number, int16)` is what one of them holds, in units of the resolution.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        float32_port: int = 0,
        int16_port: int = 0,
        channel_names: Sequence[str] = ELECTRODES,
        sample_rate_hz: float = 500.0,
        block_rows: int | None = None,
        resolutions_uv: Sequence[float] | None = None,
        marker_every_s: float = 2.0,
        paced: bool = True,
        seed: int = 1020,
    ) -> None:
        self.host = host
        self.float32_port = float32_port
        self.int16_port = int16_port
        self.sample_rate_hz = sample_rate_hz
        self.channel_names = tuple(channel_names)
        self.block_rows = block_rows or max(1, round(sample_rate_hz / 50))
        self.resolutions_uv = (
            tuple(resolutions_uv) if resolutions_uv is not None else (_RESOLUTION_UV,) * len(self.channel_names)
        )
        if len(self.resolutions_uv) != len(self.channel_names):
            raise UsageError(f"{len(self.resolutions_uv)} resolutions for {len(self.channel_names)} channels")
        self.marker_every_s = marker_every_s
        self.paced = paced
        self.blocks = 0
        self.log = Happenings()
        self._eeg = SimulatedEeg(self.channel_names, sample_rate_hz, seed=seed)
        self._lock = threading.RLock()
        self._clients: list[_Client] = []
        self._to_drop = 0
        self._given: list[tuple[str, str, int, int]] = []
        self._monitoring = True
        self._since_s = 0.0
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._closing = False

    # -- life

    def start(self) -> Self:
        """Listen. Raises DeviceError when a port is taken."""
        if self._thread is not None:
            raise UsageError(f"{self!r} is running already")
        self._closing = False
        self._listeners: list[socket.socket] = []
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        try:
            self.float32_port = self._listen(self.float32_port)
            self.int16_port = self._listen(self.int16_port)
        except OSError as exc:
            self._release()
            raise DeviceError(f"the simulated Recorder cannot listen on {self.host}: {exc.strerror}") from exc
        self._since_s = time.monotonic()
        self.blocks = 0
        self._thread = threading.Thread(target=self._run, name="simulated BrainAmp", daemon=True)
        self._thread.start()
        return self

    def _listen(self, port: int) -> int:
        sock = socket.socket()
        self._listeners.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, port))
        sock.listen(64)
        sock.setblocking(False)
        return int(sock.getsockname()[1])

    def close(self) -> None:
        """Switch it off: all connections are closed. Harmless a second time. Raises DeviceError if it had failed."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing = True
        self._ring()
        thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise DeviceError(f"the simulated Recorder failed: {failure!r}") from failure

    def _release(self) -> None:
        for sock in (*self._listeners, *(client.sock for client in self._clients), self._wake, self._waker):
            sock.close()
        self._clients.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"on {self.host}:{self.float32_port}" if self._thread is not None else "switched off"
        return f"<SimulatedBrainAmp {state}>"

    def port_for(self, port: int) -> int:
        """Which of its ports stands for that of a real Recorder."""
        return self.int16_port if port == 51234 else self.float32_port

    # -- what can be done to it

    def drop_blocks(self, count: int) -> None:
        """The next blocks are counted and not sent."""
        with self._lock:
            self._to_drop += count

    def mark(self, type: str, description: str, *, rows: int = 1, channel: int = -1) -> None:
        """Put a marker at the first row of the next block."""
        with self._lock:
            self._given.append((type, description, rows, channel))

    def send_raw(self, data: bytes) -> None:
        """Send these bytes to all clients, between two messages."""
        with self._lock:
            for client in self._clients:
                client.waiting += data
        self._ring()

    def disconnect(self) -> None:
        """Close all connections; clients may come back."""
        with self._lock:
            for client in list(self._clients):
                self._leave(client, "cut")

    def stop_monitoring(self) -> None:
        """Send STOP; no blocks until `start_monitoring`."""
        with self._lock:
            self._monitoring = False
            for client in self._clients:
                client.waiting += _message(3, b"")
                client.started = False
        self._ring()

    def start_monitoring(self) -> None:
        """Send START, and blocks from number 0 on."""
        with self._lock:
            self._monitoring = True
            self.blocks = 0
            self._since_s = time.monotonic()
        self._ring()

    # -- what it sends

    def block(self, number: int, int16: bool) -> npt.NDArray[Any]:
        """The samples of a block, shape (rows, channels), in units of the resolutions."""
        values = self._eeg.rows(number * self.block_rows, self.block_rows) / np.array(self.resolutions_uv)
        if int16:
            return np.asarray(np.clip(np.rint(values), -32768, 32767), "<i2")
        return np.asarray(values, "<f4")

    def start_message(self) -> bytes:
        """START, as every client gets it first."""
        body = struct.pack("<Id", len(self.channel_names), 1e6 / self.sample_rate_hz)
        body += struct.pack(f"<{len(self.resolutions_uv)}d", *self.resolutions_uv)
        return _message(1, body + b"".join(name.encode() + b"\0" for name in self.channel_names))

    def block_message(self, number: int, int16: bool, markers: Sequence[tuple[int, int, int, str, str]] = ()) -> bytes:
        """A block; markers: (position, rows, channel, type, description) of each."""
        body = struct.pack("<III", number, self.block_rows, len(markers)) + self.block(number, int16).tobytes()
        for position, rows, channel, kind, description in markers:
            texts = kind.encode() + b"\0" + description.encode() + b"\0"
            body += struct.pack("<IIIi", 16 + len(texts), position, rows, channel) + texts
        return _message(2 if int16 else 4, body)

    def _markers_of(self, number: int) -> list[tuple[int, int, int, str, str]]:
        found = [(0, rows, channel, kind, said) for kind, said, rows, channel in self._given]
        self._given.clear()
        every = round(self.marker_every_s * self.sample_rate_hz)
        first = number * self.block_rows
        found += [
            (row - first, 1, -1, "Stimulus", f"S{row // every % 99 or 99:3d}")
            for row in range(-(-first // every) * every, first + self.block_rows, every)
            if row
        ]
        return found

    # -- the thread

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as exc:
            self._failure = exc
        finally:
            with self._lock:
                self._release()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"w")

    def _serve(self) -> None:
        while not self._closing:
            with self._lock:
                self._make_due_blocks()
                for client in list(self._clients):
                    self._pass_on(client)
                wait_s = self._wait_s()
                with selectors.DefaultSelector() as selector:
                    for sock in (*self._listeners, self._wake):
                        selector.register(sock, selectors.EVENT_READ)
                    for client in self._clients:
                        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
                        selector.register(client.sock, events, client)
                    self._lock.release()
                    try:
                        ready = selector.select(wait_s)
                    finally:
                        self._lock.acquire()
                for key, events in ready:
                    if key.fileobj is self._wake:
                        self._wake.recv(512)
                    elif isinstance(key.data, _Client):
                        if events & selectors.EVENT_READ and key.data in self._clients:
                            self._hear(key.data)
                    elif isinstance(key.fileobj, socket.socket):
                        self._accept(key.fileobj)

    def _wait_s(self) -> float | None:
        if not self._monitoring or not self._clients:
            return None
        if not self.paced:
            return 0.0 if any(len(client.waiting) < _SLOW_CLIENT_BYTES // 4 for client in self._clients) else None
        due_s = self._since_s + (self.blocks + 1) * self.block_rows / self.sample_rate_hz
        return max(0.0, due_s - time.monotonic())

    def _make_due_blocks(self) -> None:
        """Nothing is made for nobody: blocks that were due meanwhile are counted all the same."""
        if not self._monitoring:
            return
        block_s = self.block_rows / self.sample_rate_hz
        due = int((time.monotonic() - self._since_s) / block_s) if self.paced else self.blocks + bool(self._clients)
        if not self._clients:
            self.blocks = max(self.blocks, due)
            return
        while self.blocks < due:
            number = self.blocks
            self.blocks += 1
            dropped = self._to_drop > 0
            self._to_drop -= dropped
            markers = [] if dropped else self._markers_of(number)
            for client in self._clients:
                if not client.started:
                    client.started = True
                    client.waiting += self.start_message()
                if not dropped and len(client.waiting) < _SLOW_CLIENT_BYTES:
                    client.waiting += self.block_message(number, client.int16, markers)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(sock, listener is self._listeners[1])
            if not self._clients:
                self._make_due_blocks()
            self._clients.append(client)
            if self._monitoring:
                client.started = True
                client.waiting += self.start_message()
            self.log.add("connected")

    def _hear(self, client: _Client) -> None:
        try:
            data = client.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leave(client, "disconnected")

    def _pass_on(self, client: _Client) -> None:
        try:
            while client.waiting:
                sent = client.sock.send(memoryview(client.waiting)[:65536])
                del client.waiting[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._leave(client, "disconnected")

    def _leave(self, client: _Client, why: str) -> None:
        self._clients.remove(client)
        client.sock.close()
        self.log.add(why)
        self._ring()


def _message(kind: int, body: bytes) -> bytes:
    return _GUID + struct.pack("<II", 24 + len(body), kind) + body
