"""The recent past of a stream, to be asked for: what stood before an event, or a window for a display."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.components.producers import take_from
from axonlike.components.settable import Refused
from axonlike.errors import UsageError, show_value
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.streams.ringbuffer import RingBuffer

__all__ = ["Ring"]


class Ring(Component):
    """Keeps the last `rows` rows; a message (start, stop) on `query` is answered with the chunk of these rows.

    Positions are absolute; None is the oldest or newest that there is, and below 0 they count from the newest row on:
    (-1000, None) is the last 1000. A query for rows that are not there (any more) is answered with `Refused` on
    `status`. Rows that were lost on the way hold `fill` (NaN for floats, else 0).

    When the stream changes, or its index goes back, it begins anew. An answer is a copy, and taking it leaves the rows
    where they are. feed() and window() do the same without a scheduler.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("chunks to keep", Chunk),
        "query": Box("(start, stop): which rows to send", (tuple, slice)),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("the rows that were asked for", Chunk),
        "status": Box("Refused: queries that cannot be answered", Refused),
    }

    def __init__(self, *producers: Component, rows: int, double: bool = True, fill: Any = None) -> None:
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise UsageError(f"Ring: rows is how many it keeps, 1 or more, not {rows!r}")
        self.rows = rows
        self.refused = 0
        self.continuity = Continuity()
        self._double = double
        self._fill = fill
        self._info: StreamInfo | None = None
        self._buffer: RingBuffer | None = None
        self._oldest = 0
        self._times: deque[tuple[int, int | None]] = deque()  # (index, time_ns) of the chunks of which rows are left
        take_from(self, *producers)

    def feed(self, chunk: Chunk) -> None:
        """Keep the rows of a chunk."""
        if not isinstance(chunk, Chunk):
            raise UsageError(f"{self.path}: it takes chunks (axonlike.streams.Chunk), not {show_value(chunk)}")
        missing = self.continuity.missing(chunk)
        buffer = self._buffer
        if chunk.info is not self._info:
            if buffer is None or chunk.info != self._info:
                shape = (self.rows, *chunk.info.shape)
                self._buffer = buffer = RingBuffer(shape, chunk.info.dtype, self._double, self._fill)
                self._begin(buffer, chunk)
                missing = 0
            self._info = chunk.info
        assert buffer is not None
        if missing < 0:
            buffer.reset_index()
            self._begin(buffer, chunk)
        kept = chunk.part(max(0, len(chunk.data) - self.rows), len(chunk.data))
        buffer.new_chunk(kept.data, index=chunk.end)
        times = self._times
        if len(chunk.data):
            times.append((chunk.index, chunk.time_ns))
        while len(times) > 1 and times[1][0] <= buffer.first_index():
            times.popleft()

    def _begin(self, buffer: RingBuffer, chunk: Chunk) -> None:
        buffer.new_chunk(chunk.data[:0], index=chunk.index)
        self._oldest = chunk.index
        self._times.clear()

    def window(self, start: int | None = None, stop: int | None = None) -> Chunk:
        """The rows start .. stop, as for a query. Raises IndexError when they are not all there."""
        info, buffer = self._info, self._buffer
        if info is None or buffer is None:
            raise IndexError(f"{self.path}: no chunk has come yet")
        end = buffer.index()
        oldest = max(self._oldest, buffer.first_index())
        first = oldest if start is None else start + end if start < 0 else start
        last = end if stop is None else stop + end if stop < 0 else stop
        if not oldest <= first <= last <= end:
            raise IndexError(f"{self.path}: rows {start}..{stop} were asked for, it holds {oldest}..{end}")
        return Chunk(buffer.get_data(first, last, copy=True), info, first, self._time_ns_of(first, info))

    def _time_ns_of(self, position: int, info: StreamInfo) -> int | None:
        index, time_ns = next((each for each in reversed(self._times) if each[0] <= position), (position, None))
        if time_ns is None or index == position:
            return time_ns
        return time_ns + round((position - index) * 1e9 / info.sample_rate_hz) if info.sample_rate_hz else None

    def main(self) -> Generator[Any, Any, None]:
        inbox, query = self.inbox("inbox"), self.inbox("query")
        while True:
            yield self.wait("inbox", "query")
            for chunk in inbox:
                self.feed(chunk)
                yield
            for asked in query:
                self._answer(asked)

    def _answer(self, asked: Any) -> None:
        bounds = (asked.start, asked.stop) if isinstance(asked, slice) and asked.step is None else asked
        if not _is_query(bounds):
            self._refuse(asked, f"a query is (start, stop), each a whole number or None, not {show_value(asked)}")
            return
        try:
            self.send(self.window(*bounds))
        except IndexError as exc:
            self._refuse(asked, str(exc))

    def _refuse(self, asked: Any, reason: str) -> None:
        self.refused += 1
        self.send(Refused(asked, reason), "status")


def _is_query(bounds: object) -> bool:
    return (
        isinstance(bounds, tuple)
        and len(bounds) == 2
        and all(each is None or (isinstance(each, int) and not isinstance(each, bool)) for each in bounds)
    )
