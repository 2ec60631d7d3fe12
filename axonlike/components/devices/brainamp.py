"""BrainAmp amplifiers by way of the BrainVision Recorder, which passes on what it measures over TCP (RDA)."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from axonlike.components.devices.brainamp_protocol import RdaBlock, RdaParser, RdaStart
from axonlike.components.devices.descriptor_source import (
    DeviceGap,
    DeviceLost,
    DeviceOpened,
    DeviceUnavailable,
    ReopeningSource,
)
from axonlike.components.devices.lagclock import LagClock
from axonlike.components.net.connection import address_text, set_socket_options
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.simulators.brainamp import SimulatedBrainAmp
from axonlike.streams.chunk import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamType

__all__ = ["MARKER", "BrainAmp", "BrainAmpStatistics", "MonitoringStarted", "MonitoringStopped"]

log = logging.getLogger("axonlike.brainamp")

FLOAT32_PORT = 51244
INT16_PORT = 51234

MARKER = np.dtype([*EVENT.descr, ("rows", "<i8"), ("type", "S32"), ("description", "S96")])
"""A marker, as an event: `value` is the number in its description ("S  7": 7), or NaN; `channel` is -1 for all of them;
`rows` is how long it lasts; the texts are UTF-8."""

_READ_BYTES = 1 << 18
_GARBAGE_LIMIT_BYTES = 1 << 20
_NUMBER = re.compile(rb"\d+")
_RESTARTED = 1 << 31  # block numbers are of 32 bits: a step by more is one back
# By so much what the Recorder's count says after a break may differ from the time: a busy machine reads late.
_AGREES_S = 5.0


@dataclass(frozen=True, slots=True)
class MonitoringStarted:
    """On `status`: the Recorder measures, and what."""

    channel_names: tuple[str, ...]
    sample_rate_hz: float


@dataclass(frozen=True, slots=True)
class MonitoringStopped:
    """On `status`: the Recorder has stopped measuring; the connection stands."""


@dataclass(frozen=True, slots=True)
class BrainAmpStatistics:
    """What came so far, over all connections."""

    connections: int
    blocks: int
    rows: int
    lost_rows: int
    gaps: int
    markers: int
    shortened_markers: int
    """Whose texts were longer than a `MARKER` holds."""
    discarded_bytes: int
    malformed: int
    malformed_markers: int
    unstarted_blocks: int
    unknown_messages: int


class BrainAmp(ReopeningSource):
    """``BrainAmp("192.168.0.3")``: what a BrainVision Recorder with "Remote Data Access" switched on measures.

    host: of the Recorder; or "demo", a simulated one, which is then `simulator`. port: 51244 sends float32, 51234
    int16. Connected while somebody takes its samples or markers, and connected anew whenever that breaks, after 0.1 s,
    then 0.2 s, ... up to `longest_retry_s`.

    values: "uV", float32 in microvolts; "raw", as they come, with the resolutions as the stream's scale. The
    resolutions are those that the Recorder tells; resolutions=False takes its values for microvolts as they are.

    The Recorder counts its blocks: what is missing shows in the index, to the row. Over a break in which the count
    began anew, it is as many rows as fit into the time. outbox `markers`: events of dtype `MARKER`, whose `sample` is
    the index of their row; they are sent after the samples of their block. `status` tells DeviceOpened, DeviceLost,
    DeviceUnavailable, MonitoringStarted, MonitoringStopped, DeviceGap.

    What is no RDA is passed over and counted (`rda_statistics()`); after 1 MiB of it the connection is given up.
    """

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("samples", Chunk, stream=StreamType(kind="analog", units="uV"), required=True),
        "markers": Box("markers", Chunk, stream=StreamType(kind="events"), required=True),
        "status": Box(
            "DeviceOpened, DeviceLost, DeviceUnavailable, MonitoringStarted, MonitoringStopped, DeviceGap",
            (DeviceOpened, DeviceLost, DeviceUnavailable, MonitoringStarted, MonitoringStopped, DeviceGap),
        ),
    }
    any_demand_will_do: ClassVar[bool] = True

    def __init__(
        self,
        host: str = "localhost",
        port: int = FLOAT32_PORT,
        *,
        values: Literal["uV", "raw"] = "uV",
        resolutions: bool = True,
        connect_timeout_s: float = 10.0,
        first_retry_s: float = 0.1,
        longest_retry_s: float = 30.0,
        message_limit_bytes: int = 16 << 20,
        simulator: SimulatedBrainAmp | None = None,
    ) -> None:
        """simulator: the one to start and connect to, in place of "demo"'s own."""
        if not isinstance(host, str) or not host:
            raise UsageError(f'BrainAmp: host is a name, an address or "demo", not {host!r}')
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            raise UsageError(f"BrainAmp: port is a number from 1 to 65535, not {port!r}")
        if values not in ("uV", "raw"):
            raise UsageError(f"BrainAmp: values is 'uV' or 'raw', not {values!r}")
        self.host = host
        self.port = port
        self.values = values
        self.simulator = simulator or (SimulatedBrainAmp() if host == "demo" else None)
        super().__init__(
            address_text((host, port)) if self.simulator is None else "the simulated Recorder",
            must_exist=False, first_retry_s=first_retry_s, longest_retry_s=longest_retry_s,
        )  # fmt: skip
        self._resolutions = resolutions
        self._connect_timeout_s = connect_timeout_s
        self._parser = RdaParser(message_limit_bytes=message_limit_bytes)
        self._info: StreamInfo | None = None
        self._marker_info: StreamInfo | None = None
        self._scale: Any = None
        self._clock: LagClock | None = None
        self._index = 0
        self._last_number: int | None = None  # of a block, since the run began
        self._last_rows = 0
        self._number_may_be_new = False  # a START has come since the last block
        self._info_is_new = False
        self._malformed_told = 0
        self._blocks = self._rows = self._lost_rows = self._gaps = self._markers = self._shortened_markers = 0
        if values == "uV":
            self.specify("outbox", stream=StreamType(kind="analog", dtype="float32", units="uV"))

    def rda_statistics(self) -> BrainAmpStatistics:
        """Counts so far; may be called from any thread."""
        parser = self._parser
        return BrainAmpStatistics(
            self.opened, self._blocks, self._rows, self._lost_rows, self._gaps, self._markers,
            self._shortened_markers, parser.discarded_bytes, parser.malformed, parser.malformed_markers,
            parser.unstarted, sum(parser.unknown.values()),
        )  # fmt: skip

    # -- the connection

    def attend(self) -> None:
        if self.simulator is None:
            super().attend()
            return
        with self.simulator:
            super().attend()

    def open_source(self) -> socket.socket:
        until_s = time.monotonic() + self._connect_timeout_s
        if self.simulator is not None:
            addresses = [(socket.AF_INET, (self.simulator.host, self.simulator.port_for(self.port)))]
        else:
            addresses = self._addresses(until_s)
        problem = OSError(f"no address for {self.host}")
        for left, (family, address) in zip(range(len(addresses), 0, -1), addresses):
            try:
                return self._connected(family, address, (until_s - time.monotonic()) / left)
            except OSError as exc:
                problem = exc
        raise problem

    def _addresses(self, until_s: float) -> list[Any]:
        """Of the host. Looked up in another thread, as a name server that is away would hold up the end."""
        found: list[Any] = []
        problem: list[OSError] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                answers = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
                found.extend(dict.fromkeys((family, address) for family, _, _, _, address in answers))
            except OSError as exc:
                problem.append(exc)
            except UnicodeError as exc:
                problem.append(OSError(f"{self.host!r} is no name: {exc}"))
            done.set()
            self._wake()

        threading.Thread(target=look_up, name=f"axonlike-resolve-{self.host}", daemon=True).start()
        while not done.is_set():
            self._wait_at_most(until_s, f"the name {self.host} was not resolved")
        if problem:
            raise problem[0]
        return found

    def _connected(self, family: int, address: Any, timeout_s: float) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            set_socket_options(sock)
            until_s = time.monotonic() + timeout_s
            code = sock.connect_ex(address)
            while code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                ready = self._wait_at_most(until_s, "no answer", writable=sock.fileno())
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else code
            if code:
                raise OSError(code, os.strerror(code))
            if sock.getsockname() == sock.getpeername():
                # Without a server on a port of the ephemeral range TCP may connect a socket with itself.
                raise OSError(errno.ECONNREFUSED, "nobody listens there")
        except BaseException:
            sock.close()
            raise
        return sock

    def _wait_at_most(self, until_s: float, what: str, *, writable: int | None = None) -> bool:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"{what} within {self._connect_timeout_s:g} s")
        write = () if writable is None else (writable,)
        return bool(self.wait_io((), write, timeout_s=left_s, boxes=()).writable)

    def reason_of(self, exc: OSError) -> str:
        if exc.errno == errno.ECONNREFUSED:
            return "nobody listens there (is Remote Data Access switched on in the Recorder?)"
        return super().reason_of(exc)

    def read(self, source: socket.socket) -> bytes:
        return source.recv(_READ_BYTES)

    def at_end(self) -> str:
        return "closed by the Recorder"

    def was_lost(self) -> None:
        self._parser.finish()

    # -- what comes

    def received(self, data: bytes) -> None:
        now_s, now_ns = time.monotonic(), time.time_ns()
        for message in self._parser.feed(data):
            if isinstance(message, RdaStart):
                self._begin(message)
            elif isinstance(message, RdaBlock):
                self._take_block(message, now_s, now_ns)
            else:
                log.info("%s: the Recorder has stopped monitoring", self.path)
                self.send(MonitoringStopped(), "status")
        if self._parser.malformed > self._malformed_told:
            self._malformed_told = self._parser.malformed
            log.warning("%s: left out a malformed message: %s", self.path, self._parser.fault)
        if self._parser.in_a_row > _GARBAGE_LIMIT_BYTES:
            raise OSError(f"what comes from there is no RDA: {self._parser.in_a_row} bytes without a message")

    def _begin(self, start: RdaStart) -> None:
        self._number_may_be_new = True
        self._scale = np.array(start.resolutions_uv) if self._resolutions else np.ones(len(start.resolutions_uv))
        before = self._info
        self._info = StreamInfo(
            kind="analog", dtype=np.dtype("<f4"), shape=(len(start.channel_names),), units="uV",
            sample_rate_hz=start.sample_rate_hz, channel_names=start.channel_names, name=self.name,
            facts={"source": "BrainVision RDA", "resolutions_uv": list(start.resolutions_uv)},
        )  # fmt: skip
        if self.values == "raw":
            self._info = self._info.replace(scale=tuple(self._scale))
        self._info_is_new = before is not None and before.replace(dtype=self._info.dtype) != self._info
        self._marker_info = StreamInfo(
            kind="events", dtype=MARKER, sample_rate_hz=start.sample_rate_hz, name=self.name,
            facts={"source": "BrainVision RDA"},
        )  # fmt: skip
        if self._clock is None or self._clock.sample_rate_hz != start.sample_rate_hz:
            clock, self._clock = self._clock, LagClock(start.sample_rate_hz)
            if clock is not None:  # what is missing up to now is measured at the new rate
                self._clock.note(self._index, time.monotonic())
        self.send(MonitoringStarted(start.channel_names, start.sample_rate_hz), "status")

    def _take_block(self, block: RdaBlock, now_s: float, now_ns: int) -> None:
        rows = len(block.data)
        self._note_missing(block, now_s)
        info, clock = self._info, self._clock
        assert info is not None
        assert clock is not None
        if self.values == "uV":
            data: Any = (block.data * self._scale).astype(np.float32)
        else:
            data = block.data
            if info.dtype != data.dtype:
                info = self._info = info.replace(dtype=data.dtype)
        self._blocks += 1
        self._rows += rows
        first = self._index
        self._index += rows
        clock.note(self._index, now_s)
        if rows:
            self.send(Chunk(data, info, first, now_ns - round(rows * 1e9 / info.sample_rate_hz)))
        if block.markers:
            self._send_markers(block, first)

    def _note_missing(self, block: RdaBlock, now_s: float) -> None:
        """Move the index on by what is missing before this block."""
        last, self._last_number = self._last_number, block.number
        fresh, self._number_may_be_new = self._number_may_be_new, False
        rows_each = self._last_rows or len(block.data)
        self._last_rows = len(block.data) or self._last_rows
        if last is None:
            return
        assert self._clock is not None
        assert self._info is not None
        step = (block.number - last) % (1 << 32)
        counted = (step - 1) * rows_each if 0 < step < _RESTARTED else None
        if not fresh and counted is not None:
            lost, reason = counted, f"blocks {last + 1} to {block.number - 1} did not come"
        else:
            by_time = max(1, round(self._clock.behind(self._index + len(block.data), now_s)))
            agrees = counted is not None and abs(counted - by_time) <= (
                _AGREES_S * self._info.sample_rate_hz + 0.1 * by_time
            )
            if counted is not None and agrees and not self._info_is_new:
                lost, reason = counted, "the connection was broken; by the Recorder's count"
            else:
                lost, reason = by_time, "the Recorder began anew; by the time that passed"
        self._info_is_new = False
        if lost:
            self._index += lost
            self._lost_rows += lost
            self._gaps += 1
            log.warning("%s: %d rows are missing before row %d (%s)", self.path, lost, self._index, reason)
            self.send(DeviceGap(self._index, lost, reason), "status")

    def _send_markers(self, block: RdaBlock, first: int) -> None:
        assert self._marker_info is not None
        events = np.zeros(len(block.markers), MARKER)
        for event, marker in zip(events, block.markers):
            event["sample"] = first + marker.position
            event["channel"] = marker.channel
            event["rows"] = marker.rows
            texts = marker.type.encode(), marker.description.encode()
            event["type"], event["description"] = texts
            if (event["type"], event["description"]) != texts:
                self._shortened_markers += 1
            number = _NUMBER.search(texts[1])
            event["value"] = float(number[0]) if number else np.nan
        index = self._markers
        self._markers += len(events)
        self.send(Chunk(events, self._marker_info, index), "markers")
