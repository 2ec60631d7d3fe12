"""The terminal as a source and a sink of lines.

Both ends can block for ever (nobody types; somebody pressed Ctrl-S, or pages through `| less`), so both run in
threads, and neither holds the lock of sys.stdin or sys.stdout while it waits: Python aborts the whole process when it
finds such a lock held by a thread at exit. They use the descriptors themselves.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
from collections.abc import Iterable
from itertools import islice
from typing import IO, Any, ClassVar, TextIO

from axonlike.components.util.descriptors import DescriptorComponent, wait_for_descriptors
from axonlike.linkage import Box
from axonlike.streams.framing import FramingError, LineDecoder
from axonlike.threads import ThreadedComponent

__all__ = ["ConsoleEchoer", "ConsoleReader"]

log = logging.getLogger("axonlike.console")

_READ_BYTES = 65536
_BATCH = 256  # messages that go out in one write
# The reader of a pipe has gone; the terminal has gone.
_NOBODY_READS = (errno.EPIPE, errno.EIO)


class ConsoleReader(DescriptorComponent):
    """Sends each line that is typed, without its line ending. The end of input (Ctrl-D, end of a pipe) ends it.

    All lines that came before the end are sent first, the last one too when it has no line ending. prompt: printed
    before each line. stream: what to read in place of sys.stdin; a file or pipe is read through its descriptor, so what
    `input()` has buffered before is not seen; anything else through its `readline`. encoding: that of the stream;
    what is not valid in it becomes U+FFFD. limit_bytes: a longer line raises LineTooLong.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of what feeds it ends the reader"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("lines, without their endings", str)}

    def __init__(
        self, prompt: str = "", *, stream: IO[Any] | None = None, encoding: str = "", limit_bytes: int = 1024 * 1024
    ) -> None:
        self.prompt = prompt
        self._stream = stream
        self._encoding = encoding
        self._limit_bytes = limit_bytes

    def attend(self) -> None:
        stream = self._stream if self._stream is not None else sys.stdin
        if stream is None or getattr(stream, "closed", False):
            return  # a program without a terminal (a daemon): nothing will ever be typed
        fd = _descriptor(stream)
        if fd is None:
            self._read_lines(stream)
            return
        # A copy, so that nobody who closes the stream takes it away, or gives its number to another file.
        fd = os.dup(fd)
        try:
            self._read_descriptor(fd, self._encoding or getattr(stream, "encoding", None) or "utf-8")
        finally:
            os.close(fd)

    def _read_descriptor(self, fd: int, encoding: str) -> None:
        decoder = LineDecoder(encoding=encoding, limit_bytes=self._limit_bytes)
        self._show_prompt()
        while True:
            ready = self.wait_io([fd])
            if ready.box is not None:
                for _ in self.inbox():
                    pass
            if not ready.readable:
                if ready.input_ended:
                    return
                continue
            try:
                data = os.read(fd, _READ_BYTES)
            except BlockingIOError:  # somebody else's non-blocking descriptor, and another reader was quicker
                continue
            except OSError as exc:
                if exc.errno != errno.EIO:
                    raise
                log.info("%s: the terminal has gone", self.path)
                data = b""
            try:
                lines = decoder.feed(data) if data else decoder.finish()
            except FramingError as exc:
                self._hand_on(str(line) for line in exc.completed)
                raise
            self._hand_on(lines)
            if not data:
                return

    def _read_lines(self, stream: IO[Any]) -> None:
        self._show_prompt()
        while line := stream.readline():
            text = line if isinstance(line, str) else line.decode(self._encoding or "utf-8", "replace")
            self._hand_on([text.removesuffix("\n").removesuffix("\r")])

    def _hand_on(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.send(line)
            self._show_prompt()

    def _show_prompt(self) -> None:
        if self.prompt and sys.stdout is not None:
            try:
                _write(sys.stdout, self.prompt)
            except OSError as exc:
                if exc.errno not in _NOBODY_READS:
                    raise
                self.prompt = ""  # nobody sees it, and the lines can be read all the same


class ConsoleEchoer(ThreadedComponent):
    """Prints each message on a line, as print() would, and at once.

    forward: also sends it on. use_repr: prints its repr. stream: where to, in place of sys.stdout. When nobody reads
    any more (`| head -1`, a terminal that was closed) it ends, quietly and in order; what still came is counted as
    unread in its inbox. Other errors (a full disk behind `> file`) are raised.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what to print"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "with forward=True: what was printed"}

    def __init__(self, forward: bool = False, use_repr: bool = False, *, stream: TextIO | None = None) -> None:
        self.forward = forward
        self.use_repr = use_repr
        self._stream = stream

    def main(self) -> None:
        text_of = repr if self.use_repr else str
        while True:
            self.wait("inbox")
            batch = list(islice(self.inbox(), _BATCH))
            stream = self._stream if self._stream is not None else sys.stdout
            if stream is not None:  # None: a program without a terminal, as for print()
                try:
                    _write(stream, "".join(f"{text_of(message)}\n" for message in batch))
                except OSError as exc:
                    if exc.errno not in _NOBODY_READS:
                        raise
                    _nobody_reads(stream)
                    log.info("%s: nobody reads what it prints any more", self.path)
                    return
            if self.forward:
                for message in batch:
                    self.send(message)


def _descriptor(stream: object) -> int | None:
    """The descriptor that a stream reads from; None for a stand-in that has none (a notebook's, io.StringIO)."""
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None


def _is_the_processs_own(stream: TextIO) -> bool:
    """sys.stdout or sys.stderr as Python made them: whatever replaced them wants its `write` called."""
    return os.name == "posix" and stream in (sys.__stdout__, sys.__stderr__) and isinstance(stream, io.TextIOWrapper)


def _write(stream: TextIO, text: str) -> None:
    """Write and flush. To the process's own output without its buffer, whose lock must not be held while it blocks."""
    if not _is_the_processs_own(stream):
        stream.write(text)
        stream.flush()
        return
    stream.flush()  # what print() left there comes first
    data = memoryview(text.encode(stream.encoding, "backslashreplace"))
    fd = stream.fileno()
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            # Another program made the terminal non-blocking; wait for room as a blocking one would.
            wait_for_descriptors((), [fd])


def _nobody_reads(stream: TextIO) -> None:
    """Lead the process's own output into nothing, so that its last flush at exit does not print a traceback."""
    if _is_the_processs_own(stream):
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, stream.fileno())
        finally:
            os.close(nothing)
    else:
        with contextlib.suppress(OSError):  # what is left in its buffer would fail again when it is collected
            stream.close()
