"""What the blocking and the asyncio face have in common: all but sending, receiving and waiting."""

from __future__ import annotations

import itertools
import logging
import os
import random
from collections import deque
from collections.abc import Sequence

from axonlike.components.devices.wsa4000.context import Indicated, Missing, Tracker
from axonlike.components.devices.wsa4000.errors import CannotReach, ConnectionLost, NoData, WSA4000Error
from axonlike.components.devices.wsa4000.scpi import DeviceIdentity
from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry
from axonlike.components.net.connection import address_text
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk

__all__ = ["SCPI_PORT", "VRT_PORT", "Client", "Item", "samples_of", "why"]

log = logging.getLogger("axonlike.wsa4000")

SCPI_PORT = 37001
VRT_PORT = 37000

_EVENTS_KEPT = 1000

Item = Chunk | Missing | Indicated


class Client:
    """Base of the two; see them."""

    def __init__(
        self,
        host: str,
        scpi_port: int = SCPI_PORT,
        vrt_port: int = VRT_PORT,
        *,
        connect_timeout_s: float = 5.0,
        reply_timeout_s: float = 5.0,
        reply_gap_s: float = 0.05,
        read_timeout_s: float = 5.0,
        lock: bool = True,
        tracker: Tracker | None = None,
    ) -> None:
        if not isinstance(host, str) or not host:
            raise UsageError(f"WSA4000: host is a name or an address, not {host!r}")
        self.host = host
        self.scpi_port = scpi_port
        self.vrt_port = vrt_port
        self.connect_timeout_s = connect_timeout_s
        self.reply_timeout_s = reply_timeout_s
        self.reply_gap_s = reply_gap_s
        self.read_timeout_s = read_timeout_s
        self.lock = lock
        self.peer = address_text((host, scpi_port))
        self.identity: DeviceIdentity | None = None
        self.settings = Settings()
        self.tracker = tracker or Tracker()
        self.statistics = self.tracker.statistics
        self.events: deque[Missing | Indicated] = deque(maxlen=_EVENTS_KEPT)
        self.stray_bytes = 0
        """How many bytes came on the control port that answer nothing."""
        # At random, so that what an earlier client's stream left behind has another id.
        self._ids = itertools.count(random.randrange(1, 1 << 31))
        self._items: deque[Item] = deque()
        self._fault: WSA4000Error | None = None
        self._closing = False

    def _next_id(self) -> int:
        return next(self._ids) & 0xFFFFFFFF

    def _discard(self) -> None:
        """What has come and was not taken: something else begins, or all ends."""
        self.statistics.discarded_samples += sum(len(item) for item in self._items if isinstance(item, Chunk))
        self._items.clear()

    def _know(self, settings: Settings) -> None:
        self.settings = settings.over(self.settings)
        self.tracker.set_up(
            decimation=settings.decimation,
            rf_frequency_hz=settings.center_frequency_hz,
            frequency_offset_hz=settings.frequency_shift_hz,
        )

    def _changes(self, settings: dict[str, object]) -> list[Settings]:
        """One for each setting, checked one by one and together. Raises UsageError."""
        changes = Settings(**settings)  # type: ignore[arg-type]  # it checks them itself
        changes.over(self.settings)
        return [Settings(**{name: value}) for name, value in changes.items()]

    def _note(self, event: Missing | Indicated) -> None:
        self.events.append(event)
        if isinstance(event, Missing):
            log.warning("%s: %d samples missing before %d: %s", self.peer, event.samples, event.index, event.cause)
        else:
            log.info("%s: %s is %s at %d", self.peer, event.indicator, event.value, event.index)

    def _note_stray(self, data: bytes) -> None:
        """Bytes on the control port while no query is under way. A blank line is later firmware's habit."""
        if data.strip():
            self.stray_bytes += len(data)
            log.warning("%s: %d bytes on the control port that answer nothing", self.peer, len(data))

    # -- what there is to say when it goes wrong

    def _cannot_reach(self, where: str, exc: BaseException | None) -> CannotReach:
        if exc is None or isinstance(exc, TimeoutError):
            return CannotReach(
                f"no connection to {where} within {self.connect_timeout_s:g} s. Is the address right, and is the "
                "device on this network?"
            )
        return CannotReach(f"no connection to {where}: {why(exc)}. Is the device switched on, and the address right?")

    def _connection_lost(self, which: str, exc: BaseException | None, pending_bytes: int = 0) -> ConnectionLost:
        what = f"broke ({why(exc)})" if exc is not None else "was closed by the device"
        how_far = f", {pending_bytes} bytes into a packet" if pending_bytes else ""
        return ConnectionLost(f"the {which} connection to {self.peer} {what}{how_far}")

    def _no_data(self, timeout_s: float) -> NoData:
        stale = "" if self.tracker.is_fresh else ", not even the packet that says that the stream has begun"
        return NoData(
            f"{self.peer}: no samples{stale} in {timeout_s:g} s. Has the device its reference clock, does a trigger "
            "wait, or does something on the way hold back its data port?"
        )

    @staticmethod
    def _not_connected() -> UsageError:
        return UsageError("this WSA4000 is not connected: use it in a `with` block, or call open()")


def samples_of(entries: Sequence[SweepEntry]) -> int:
    """How many samples one run through the entries gives."""
    return sum(len(e.frequencies_hz) * e.packets_per_step * e.samples_per_packet for e in entries)


def why(exc: BaseException | None) -> str:
    """An exception in a few words."""
    if isinstance(exc, OSError) and exc.errno:
        # Of a name that has no address only the exception knows the words; asyncio puts its own into the others.
        return os.strerror(exc.errno) if exc.errno > 0 else str(exc.strerror)
    return str(exc) or type(exc).__name__
