"""Sources that read a file descriptor: opened while somebody wants what they send, and again whenever it was lost.

`DescriptorSource` adds demand to `DescriptorComponent`; `ReopeningSource` the loop of opening, reading, losing and
trying again. Each runs in a thread of its own, as opening may take long.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from axonlike.components.util.descriptors import DescriptorComponent, Ready
from axonlike.demand import OnDemand
from axonlike.errors import Finished
from axonlike.linkage import Box
from axonlike.restarts import Backoff

__all__ = [
    "DescriptorSource",
    "DeviceGap",
    "DeviceLost",
    "DeviceOpened",
    "DeviceUnavailable",
    "NotWanted",
    "ReopeningSource",
]

log = logging.getLogger("axonlike.devices")

_FIRST_RETRY_S = 0.1
_WELL_AFTER_S = 5.0  # open for so long: the next loss is a new one, and is followed by quick tries again


@dataclass(frozen=True, slots=True)
class DeviceOpened:
    """It is open. times: 1 for the first time, then one more for each reopening."""

    device: str
    times: int


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """It went away. It is opened again when that can be done."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceUnavailable:
    """It cannot be opened, for a new reason; it is tried again and again."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceGap:
    """So many rows are missing before the one with this index. reason: how that is known."""

    index: int
    rows: int
    reason: str


class NotWanted(Exception):
    """Raised in `wait_io` when nobody takes what the source sends any more: close everything and let it through."""


class DescriptorSource(OnDemand, DescriptorComponent):
    """A DescriptorComponent whose `attend` runs only while it is wanted.

    `attend` is called when somebody wants what it sends; `wait_io` raises NotWanted in it when nobody does any more,
    and after that it is called anew with the next demand. When it returns, the component ends.
    """

    def main(self) -> None:
        while True:
            while not self.wanted:
                # Not `wait_io`: a thread that waits so counts as one that brings nothing, and a run may end beside it.
                try:
                    self.wait(*self.heard)
                except Finished:
                    # Its input may have ended in the very turn in which the links were made, before the demand was
                    # looked at: a list of commands is short.
                    self.call_scheduler(self._look_at_demand)
                    if not self.wanted:
                        raise
                self.take_messages()
            try:
                super().main()
            except NotWanted:
                continue
            return

    heard: ClassVar[tuple[str, ...]] = ("demand", "inbox")
    """Boxes that `take_messages` empties."""

    def take_messages(self) -> None:
        """Empty the boxes in `heard`. `wanted` has what was said on `demand`."""
        for box in self.heard:
            for _ in self.inbox(box):
                pass

    def wait_io(
        self,
        read: Collection[int] = (),
        write: Collection[int] = (),
        *,
        timeout_s: float | None = None,
        boxes: Collection[str] = ("inbox",),
    ) -> Ready:
        # Ask before looking, as the wait itself does; without boxes it would not ask at all.
        self.ask_for_messages(True)
        try:
            self._look_whether_wanted()
            ready = super().wait_io(read, write, timeout_s=timeout_s, boxes=boxes)
        finally:
            self.ask_for_messages(False)
        self._look_whether_wanted()
        return ready

    def _look_whether_wanted(self) -> None:
        self.take_messages()
        if not self.wanted:
            raise NotWanted


class _Open(Protocol):
    """What `open_source` returns: a file or a socket that does not block."""

    def fileno(self) -> int: ...

    def close(self) -> Any: ...


class ReopeningSource(DescriptorSource):
    """Opens, reads, and opens again. Write `open_source`, `read` and `received`.

    opened: how often it was. must_exist: what cannot be opened at first is an error.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of all that feeds its inboxes ends this"}
    Outboxes: ClassVar[dict[str, Any]] = {
        "status": Box("DeviceOpened, DeviceLost, DeviceUnavailable, DeviceGap, and what else is to be told")
    }
    opened = 0

    def __init__(self, device: str, *, must_exist: bool, first_retry_s: float, longest_retry_s: float) -> None:
        self._device = device
        self._must_exist = must_exist
        self._backoff = Backoff(min(first_retry_s, longest_retry_s), longest_retry_s)
        self._told_reason = ""

    # -- what a subclass writes

    @abstractmethod
    def open_source(self) -> _Open:
        """Open it, waiting only by `wait_io`. Raises OSError for what may be well later, DeviceError for other."""
        raise NotImplementedError

    @abstractmethod
    def read(self, source: Any) -> bytes:
        """What there is; b"" at its end. Raises OSError."""
        raise NotImplementedError

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Bytes have come. An OSError means that it is to be opened anew."""
        raise NotImplementedError

    def at_end(self) -> str:
        """The source is at its end: why that is a loss. Raises Finished where it is none."""
        return "it has ended"

    def was_opened(self) -> None:
        """It has just been opened."""

    def was_lost(self) -> None:
        """What is not whole never will be."""

    def reason_of(self, exc: OSError) -> str:
        """What is said of an error in opening or reading."""
        return exc.strerror or str(exc)

    # -- the thread

    def attend(self) -> None:
        while True:
            try:
                source = self.open_source()
            except OSError as exc:
                if self._must_exist and not self.opened:
                    raise
                self._tell_unavailable(self.reason_of(exc))
                self.rest(self._backoff.next_delay_s())
                continue
            opened_s = time.monotonic()
            try:
                self.opened += 1
                again = self.opened > 1 and self._told_reason
                log.log(logging.WARNING if again else logging.INFO, "%s: %s is open", self.path, self._device)
                self._told_reason = ""
                self.send(DeviceOpened(self._device, self.opened), "status")
                self.was_opened()
                trouble = self._serve(source)
            finally:
                source.close()
                self.was_lost()
            if time.monotonic() - opened_s >= _WELL_AFTER_S:
                self._backoff.reset()
            self._told_reason = trouble
            log.warning("%s: lost %s: %s; opening it again", self.path, self._device, trouble)
            self.send(DeviceLost(self._device, trouble), "status")
            self.rest(self._backoff.next_delay_s())

    def _serve(self, source: _Open) -> str:
        fd = source.fileno()
        while True:
            ready = self.wait_io([fd])
            if fd in ready.readable:
                try:
                    data = self.read(source)
                except BlockingIOError:
                    continue
                except OSError as exc:
                    return self.reason_of(exc)
                if not data:
                    return self.at_end()
                try:
                    self.received(data)
                except OSError as exc:
                    return self.reason_of(exc)
            elif ready.input_ended:
                raise Finished

    def rest(self, seconds: float) -> None:
        """Wait, while it is wanted and its input has not ended."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if self.wait_io(timeout_s=left_s).input_ended:
                raise Finished

    def _tell_unavailable(self, reason: str) -> None:
        if reason != self._told_reason:
            self._told_reason = reason
            log.warning("%s: %s cannot be opened: %s; trying again", self.path, self._device, reason)
            self.send(DeviceUnavailable(self._device, reason), "status")
