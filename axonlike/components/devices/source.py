"""What sources have in common: `PacedSource` makes its samples itself, `ThreadedSource` waits for them in a thread.

A PacedSource keeps its pace by absolute deadlines on the scheduler's clock: row n of a stream is due n / sample_rate_hz
after the first, however long anything takes. One that was held up (by a full receiver, or a machine that slept) sends
what is overdue at once, and is on time again; nothing is left out.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.components.settable import Settable
from axonlike.demand import OnDemand
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.threads import ThreadedComponent

__all__ = ["PacedSource", "ThreadedSource", "channel_names", "per_channel"]


class PacedSource(OnDemand, Settable):
    """Base of sources whose samples can be had at any time. Write `rows_at`.

    It works while somebody takes its chunks, and goes on where it was when somebody does again. It ends after
    `total_rows`, or with what feeds its inbox. paced=False: no waiting, as fast as they are taken.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of what feeds it ends this"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, info: StreamInfo, *, chunk_rows: int, total_rows: int | None, paced: bool, speed: float) -> None:
        who = type(self).__name__
        if not info.sample_rate_hz:
            raise UsageError(f"{who}: sample_rate_hz is above 0, not {info.sample_rate_hz:g}")
        if chunk_rows < 1:
            raise UsageError(f"{who}: chunk_rows is at least 1, not {chunk_rows!r}")
        if total_rows is not None and total_rows < 0:
            raise UsageError(f"{who}: a number of rows is not negative: {total_rows!r}")
        self.info = info
        self.index = 0
        """The index of the row that comes next."""
        self.chunk_rows = chunk_rows
        self.total_rows = total_rows
        self.paced = paced
        self._speed = 1.0
        self._start_s: float | None = None  # when row `_start_index` was, or would have been, due
        self._start_index = 0.0
        self._start_ns = 0
        self.speed = speed
        self.specify("outbox", stream=info.type)

    @property
    def speed(self) -> float:
        """How many times faster than the sample rate it sends; a change takes effect at once."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not 0 < speed < float("inf"):
            raise UsageError(f"{self.path}: speed is a number above 0, not {speed!r}")
        if self._start_s is not None and self.scheduler is not None:  # from where it would be now
            passed_s = self.scheduler.time() - self._start_s
            self._start_index += passed_s * self.info.sample_rate_hz * self._speed
            self._start_ns += round(passed_s * 1e9)
            self._start_s += passed_s
        self._speed = float(speed)

    # -- what a subclass writes

    def rows_at(self, index: int, rows: int) -> npt.NDArray[Any]:
        """The next `rows` rows, the first of which is number `index`, as a new array of shape (rows, *info.shape)."""
        raise NotImplementedError(f"{type(self).__name__} has no rows_at()")

    def sent_of(self, index: int, rows: int) -> Iterable[tuple[int, npt.NDArray[Any]]]:
        """(index, array) of each chunk that is sent of these rows: all of them, in one."""
        yield index, self.rows_at(index, rows)

    def delay_s(self) -> float:
        """How much later than due the next chunk is sent; those that follow are not put off by it."""
        return 0.0

    # -- the body

    def main(self) -> Generator[Any, Any, None]:
        while True:
            while not self.wanted:
                yield self.wait()
                self._take_messages()
            self._start_s = None
            yield from self._send_while_wanted()
            if self.total_rows is not None and self.index >= self.total_rows:
                return

    def _send_while_wanted(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        while self.total_rows is None or self.index < self.total_rows:
            rows = self.chunk_rows if self.total_rows is None else min(self.chunk_rows, self.total_rows - self.index)
            late_s = self.delay_s() if self.paced else 0.0
            waited = False
            while True:
                if self._start_s is None:
                    self._start_s, self._start_index = scheduler.time(), self.index
                    self._start_ns = time.time_ns()
                left_s = self._due_s(self.index + rows) + late_s - scheduler.time() if self.paced else 0.0
                if left_s <= 0 and waited:
                    break
                if left_s > 0:
                    yield self.wait(timeout=left_s)
                else:
                    yield  # let others have their turn, and room be made
                waited = True
                self._take_messages()
                if not self.wanted:
                    return
            for index, array in self.sent_of(self.index, rows):
                self.send(Chunk(array, self.info, index, self._time_ns(index)))
            self.index += rows

    def _due_s(self, index: int) -> float:
        assert self._start_s is not None
        return self._start_s + (index - self._start_index) / (self.info.sample_rate_hz * self._speed)

    def _time_ns(self, index: int) -> int:
        return self._start_ns + round((index - self._start_index) * 1e9 / (self.info.sample_rate_hz * self._speed))

    def _take_messages(self) -> None:
        for _ in self.inbox("demand"):
            pass  # `wanted` has it
        for _ in self.inbox("inbox"):
            pass
        if self.data_ready("settings"):
            self.take_settings()


class ThreadedSource(OnDemand, ThreadedComponent):
    """Base of sources that hold something which blocks. Write `attend`, which `main` calls when there is demand."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of what feeds it ends this"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def attend(self) -> float | None:
        """Open it, send what comes while `wanted`, close it.

        Returns None when nobody wants it any more, or after how many seconds it is to be tried again. Raises Finished
        at the end of the stream.
        """
        raise UsageError(f"{type(self).__name__} has no attend(): write one")

    def main(self) -> None:
        pause_s: float | None = None
        while True:
            while not self.wanted or pause_s is not None:
                found = self.wait("inbox", "demand", timeout=pause_s)
                self.take_messages()
                if found is None or not self.wanted:
                    pause_s = None
            pause_s = self.attend()

    def take_messages(self) -> None:
        """Empty the inboxes: `wanted` has what was said on `demand`."""
        for box in ("inbox", "demand"):
            for _ in self.inbox(box):
                pass

    def wait_unless_told(self, *boxes: str, timeout_s: float | None) -> bool:
        """Wait for a message in one of these boxes, or that long; False when nobody wants it any more."""
        self.wait(*boxes, "inbox", "demand", timeout=timeout_s)
        self.take_messages()
        return self.wanted


def channel_names(channels: int, given: Iterable[str] | None) -> tuple[str, ...]:
    """Those given, or "1", "2" and so on."""
    return tuple(str(number + 1) for number in range(channels)) if given is None else tuple(given)


def per_channel(who: str, what: str, value: Any, channels: int) -> npt.NDArray[np.float64]:
    """One number for all channels, or one for each, as an array of shape (channels,). Raises UsageError."""
    array = np.asarray(value, np.float64)
    if array.shape not in ((), (channels,)) or not np.isfinite(array).all():
        raise UsageError(f"{who}: {what} is a number, or {channels} of them, one for each channel, not {value!r}")
    return np.broadcast_to(array, (channels,))
