"""What all processing of signals has in common: chunks in, chunks out, gaps, changes of the stream, settings.

A block can be used without any scheduler: ``SosFilter(sos=sos).feed(chunk)`` returns what would be sent. As a component
it does the same with what comes into its inbox.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, ClassVar

from axonlike.box import DEFAULT_LIMIT
from axonlike.component import Component
from axonlike.components.producers import take_from
from axonlike.components.settable import Settable
from axonlike.errors import Finished, UsageError, show_value
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo

__all__ = ["Block"]

_CHUNKS = 64  # that wait: a radio's may have 2 MiB each


class Block(Settable):
    """Base of blocks. Write `begin`, `process`, and `flush` if samples are kept back.

    producers: components whose streams it takes (see `axonlike.components.producers`). However the stream is cut into
    chunks, the result is to be the same. Where rows are missing, what was kept is flushed and it begins anew, so
    nothing is computed across a gap; the indices of what it sends show the gap to those further down.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, *producers: Component) -> None:
        self.info: StreamInfo | None = None
        self.continuity = Continuity()
        if self.inbox_spec("inbox").limit == DEFAULT_LIMIT:
            self.specify("inbox", limit=_CHUNKS)
        take_from(self, *producers)

    # -- what a subclass writes

    def begin(self, info: StreamInfo) -> None:
        """A stream begins: forget all samples. Called before the first chunk, when the stream changes, and at a gap."""

    def process(self, chunk: Chunk) -> Chunk | Iterable[Chunk] | None:
        """What follows from this chunk, which follows the one before without a gap. It may have 0 rows."""
        raise NotImplementedError(f"{type(self).__name__} has no process()")

    def flush(self) -> Chunk | Iterable[Chunk] | None:
        """What is still kept: the stream ends here, or rows are missing. `begin` follows, or nothing."""
        return None

    # -- for everybody

    def feed(self, chunk: Chunk) -> list[Chunk]:
        """Everything that follows from the next chunk. Raises StreamMismatch for a stream that it cannot take."""
        if not isinstance(chunk, Chunk):
            raise UsageError(
                f"{self.path}: it takes chunks of a stream (axonlike.streams.Chunk), not {show_value(chunk)}"
            )
        continuity = self.continuity
        if chunk.index == continuity.expected and chunk.info is self.info:
            # Nearly every chunk: it follows the one before. Short, since for short chunks this is what a block costs.
            continuity.expected = chunk.index + len(chunk.data)
            result = self.process(chunk)
            if type(result) is Chunk:
                return [result]
            return result if type(result) is list else _gathered(result)
        missing = continuity.missing(chunk)
        results: list[Chunk] = []
        if chunk.info is not self.info:
            if chunk.info != self.info:
                chunk.info.check(self.inbox_spec("inbox").stream, f"{self.path}.inbox")
                if self.info is not None:
                    results += _gathered(self.flush())
                self.begin(chunk.info)
                missing = 0
            self.info = chunk.info
        if missing:
            results += _gathered(self.flush())
            self.begin(chunk.info)
        results += _gathered(self.process(chunk))
        return results

    def finish(self) -> list[Chunk]:
        """What is still kept, at the end of the stream; the next chunk begins anew."""
        results: list[Chunk] = []
        if self.info is not None:
            results += _gathered(self.flush())
            self.info = None
            self.continuity.expected = None
        return results

    def main(self) -> Generator[Any, Any, None]:
        inbox, settings = self.inbox("inbox"), self.inbox("settings")
        something = self.wait("inbox", "settings")
        try:
            while True:
                yield something
                if settings:
                    self.take_settings()
                for chunk in inbox:
                    for result in self.feed(chunk):
                        self.send(result)
                        if self._feed.full:
                            yield
                    # Others have their turn after each chunk: a thousand that wait may be a second's work, or ten
                    # thousand results.
                    yield
        except Finished:
            for result in self.finish():
                self.send(result)
                if self._feed.full:
                    yield


def _gathered(found: Chunk | Iterable[Chunk] | None) -> list[Chunk]:
    if found is None:
        return []
    return [found] if isinstance(found, Chunk) else list(found)
