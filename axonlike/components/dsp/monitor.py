"""What comes along a stream, in words: for the first look at a source, and for tests of a link."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, TextIO

from axonlike.component import Component
from axonlike.components.producers import take_from
from axonlike.components.util.console import ConsoleEchoer
from axonlike.errors import Finished, UsageError, counted, show_value
from axonlike.linkage import Box, destination
from axonlike.messages import ProducerFinished
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo

__all__ = ["StreamMonitor", "StreamReport"]


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream over the last interval. str() makes a line of it.

    index: of the row that follows the last one. chunks, rows: in this interval. rows_per_s: measured; None in the
    report of a single chunk. lost, gaps, restarts: since the beginning, as `Continuity` counts.
    """

    info: StreamInfo
    index: int
    chunks: int
    rows: int
    rows_per_s: float | None
    lost: int
    gaps: int
    restarts: int

    def __str__(self) -> str:
        info = self.info
        parts = [
            f"{info.name or info.kind}: index {self.index}",
            f"{counted(self.rows, 'row')} of {info.dtype} {info.shape} in {counted(self.chunks, 'chunk')}",
        ]
        if self.rows_per_s is not None:
            nominal = f" (nominal {info.sample_rate_hz:g})" if info.sample_rate_hz else ""
            parts.append(f"{self.rows_per_s:.6g} rows/s{nominal}")
        parts.append(f"{counted(self.gaps, 'gap')}, {counted(self.lost, 'row')} lost" if self.gaps else "no gap")
        if self.restarts:
            parts.append(counted(self.restarts, "restart"))
        return ", ".join(parts)


class _Seen:
    """What was counted of one stream since the last report."""

    def __init__(self, now_s: float) -> None:
        self.continuity = Continuity()
        self.since_s = now_s
        self.last: Chunk | None = None
        self.chunks = 0
        self.rows = 0

    def take(self, chunk: Chunk) -> None:
        self.continuity.missing(chunk)
        self.last = chunk
        self.chunks += 1
        self.rows += len(chunk.data)

    def report(self, now_s: float, *, with_rate: bool) -> StreamReport | None:
        """None if nothing has come. The counts of the interval begin anew."""
        last, seen = self.last, self.continuity
        if last is None or not self.chunks:
            return None
        passed_s = now_s - self.since_s
        rate = self.rows / passed_s if with_rate and passed_s > 0 else None
        report = StreamReport(
            last.info, last.end, self.chunks, self.rows, rate, seen.lost, seen.gaps, seen.restarts
        )
        self.since_s, self.chunks, self.rows = now_s, 0, 0
        return report


class StreamMonitor(Component):
    """Prints a line about each stream that comes in, every `interval_s`; 0: about every chunk. A sink.

    Streams are told apart by their names, at most 100 of them. stream: where to print, sys.stdout by default.
    quiet: nowhere; what would be printed is sent in any case, as StreamReport, if the outbox is linked. The last report
    comes at the end of input. It prints through a `ConsoleEchoer`, so a terminal that is held up holds up nothing here.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("reports", StreamReport)}

    def __init__(
        self, *producers: Component, interval_s: float = 1.0, stream: TextIO | None = None, quiet: bool = False
    ) -> None:
        if not 0 <= interval_s < float("inf"):
            raise UsageError(f"StreamMonitor: interval_s is a time, 0 for every chunk, not {interval_s!r}")
        self.interval_s = interval_s
        self._seen: dict[str, _Seen] = {}
        self._prints = not quiet
        if not quiet:
            printer = ConsoleEchoer(stream=stream)
            self.add_child(printer)
            self.add_outbox("print", "reports to be printed")
            self.add_outbox("printed", "tells the printer that there are no more")
            self.link((self, "print"), (printer, "inbox"))
            self.link((self, "printed"), (printer, "control"))
        take_from(self, *producers)

    def main(self) -> Generator[Any, Any, None]:
        inbox, interval_s = self.inbox("inbox"), self.interval_s
        due_s: float | None = None  # None: nothing has come since the last report, so there is nothing to wake up for
        last_s = self._now_s()
        try:
            while True:
                if due_s is None:
                    yield self.wait("inbox")
                else:
                    yield self.wait("inbox", timeout=max(0.0, due_s - self._now_s()))
                for chunk in inbox:
                    self._take(chunk)
                    if not interval_s:
                        self._tell(with_rate=False)
                        yield
                    elif due_s is None:
                        next_s = last_s + interval_s
                        due_s = next_s if next_s > self._now_s() else self._now_s() + interval_s
                if due_s is not None and self._now_s() >= due_s:
                    self._tell(with_rate=True)
                    last_s = due_s
                    due_s = None
        except Finished:
            self._tell(with_rate=bool(interval_s))
            if self._prints:
                self.send(ProducerFinished(self.path), "printed")
                yield self.join()

    def _take(self, chunk: Chunk) -> None:
        if not isinstance(chunk, Chunk):
            raise UsageError(f"{self.path}: it takes chunks (axonlike.streams.Chunk), not {show_value(chunk)}")
        seen = self._seen.get(chunk.info.name)
        if seen is None:
            if len(self._seen) >= _MOST_STREAMS:
                raise UsageError(f"{self.path}: over {_MOST_STREAMS} streams of different names in one inbox")
            seen = self._seen[chunk.info.name] = _Seen(self._now_s())
        seen.take(chunk)

    def _tell(self, *, with_rate: bool) -> None:
        now_s = self._now_s()
        asked = destination(self, "outbox") is not None
        for seen in self._seen.values():
            report = seen.report(now_s, with_rate=with_rate)
            if report is None:
                continue
            if self._prints:
                self.send(report, "print")
            if asked:
                self.send(report)

    def _now_s(self) -> float:
        scheduler = self.scheduler
        assert scheduler is not None
        return scheduler.time()


_MOST_STREAMS = 100
