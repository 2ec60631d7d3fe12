"""Reading files as streams of messages, without holding up anything else while the disk, or a pipe, is slow."""

from __future__ import annotations

import logging
import math
import os
import stat
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from axonlike.components.file.trouble import file_trouble
from axonlike.components.util.descriptors import DescriptorComponent
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.framing import FramingError, LineDecoder

__all__ = ["FileReader"]

log = logging.getLogger("axonlike.file")


class FileReader(DescriptorComponent):
    """Sends a file's lines (str, without endings; the last one also if it has no ending), or its bytes; then ends.

    mode: "lines" or "bytes" (pieces of at most `chunk_bytes`). lines_per_s, bytes_per_s: not faster than so, evenly. It
    reads no faster than its receiver takes. A named pipe is read until its writers have closed it.

    follow: at the end of the file go on with what is appended to it, for ever (as tail -F): the file is looked at every
    `poll_s` seconds; one that has been replaced (by logrotate) is read to its end and the new one from its
    beginning, one that was cut short (copytruncate) from its beginning; while it is gone, it is waited for. With
    from_end=True only what is appended after the start is sent.

    encoding, errors: for lines; what is not valid becomes U+FFFD. limit_bytes: a longer line raises LineTooLong. A file
    that is not there or cannot be read is a DeviceError with the path and what to do.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of what feeds it ends the reader"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("lines or bytes of the file", (str, bytes))}

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: Literal["lines", "bytes"] = "lines",
        *,
        chunk_bytes: int = 65536,
        lines_per_s: float | None = None,
        bytes_per_s: float | None = None,
        follow: bool = False,
        from_end: bool = False,
        poll_s: float = 0.25,
        encoding: str = "utf-8",
        errors: str = "replace",
        limit_bytes: int = 1024 * 1024,
    ) -> None:
        if mode not in ("lines", "bytes"):
            raise UsageError(f'FileReader: mode is "lines" or "bytes", not {mode!r}')
        if lines_per_s is not None and (mode != "lines" or not lines_per_s > 0):
            raise UsageError('FileReader: lines_per_s is above 0, and goes with mode="lines"')
        if bytes_per_s is not None and not bytes_per_s > 0:
            raise UsageError(f"FileReader: bytes_per_s is above 0, not {bytes_per_s!r}")
        if chunk_bytes < 1:
            raise UsageError(f"FileReader: chunk_bytes is at least 1, not {chunk_bytes!r}")
        if from_end and not follow:
            raise UsageError("FileReader: from_end=True goes with follow=True; without it nothing would be read")
        self.file_path = os.fspath(path)
        self.mode = mode
        self.follow = follow
        self.from_end = from_end
        self.chunk_bytes = chunk_bytes if bytes_per_s is None else max(1, min(chunk_bytes, math.ceil(bytes_per_s / 10)))
        self.poll_s = poll_s
        self._decoder: LineDecoder[str] = LineDecoder(limit_bytes=limit_bytes, encoding=encoding, errors=errors)
        self._lines_per_s = lines_per_s
        self._bytes_per_s = bytes_per_s
        self._due_s = 0.0

    def attend(self) -> None:
        fd: int | None = None
        self._due_s = time.monotonic()
        try:
            fd = self._open_or_wait()
            if self.from_end:
                os.lseek(fd, 0, os.SEEK_END)
            while not self._input_over():
                data = self._read(fd)
                if data:
                    self._hand_on(data)
                elif not self.follow:
                    self._hand_on_last()
                    return
                else:
                    fd = self._wait_for_more(fd)
        finally:
            if fd is not None:
                os.close(fd)

    def _open_or_wait(self) -> int:
        if self.follow and not os.path.lexists(self.file_path):
            log.warning("%s: %s is not there yet; waiting for it", self.path, self.file_path)
            while not os.path.lexists(self.file_path) and not self._input_over():
                self.wait_io(timeout_s=self.poll_s)
        return self._open()

    def _open(self) -> int:
        try:
            # Non-blocking, so that a named pipe without a writer does not keep the thread in open().
            fd = os.open(self.file_path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise file_trouble("cannot open", self.file_path, exc) from exc
        try:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                raise UsageError(f"{self.file_path} is a folder: name a file")
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _read(self, fd: int) -> bytes:
        while True:
            self.wait_io([fd], boxes=())
            try:
                return os.read(fd, self.chunk_bytes)
            except BlockingIOError:
                continue
            except OSError as exc:
                raise file_trouble("cannot read", self.file_path, exc) from exc

    def _input_over(self) -> bool:
        """Was there something that fed it, and has that ended?"""
        for _ in self.inbox():
            pass
        return self.input_ended

    # -- following

    def _wait_for_more(self, fd: int) -> int:
        """At the end of the file: the descriptor to go on with, once there may be more."""
        self.wait_io(timeout_s=self.poll_s)
        here = os.fstat(fd)
        try:
            there = os.stat(self.file_path)
        except FileNotFoundError:
            return fd  # moved away; what is still written to it is read until a new one is there
        except OSError as exc:
            raise file_trouble("cannot look at", self.file_path, exc) from exc
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            if here.st_size > os.lseek(fd, 0, os.SEEK_CUR):
                return fd  # its last lines came before it was replaced
            log.info("%s: %s was replaced; reading the new one", self.path, self.file_path)
            self._hand_on_last()
            new = self._open()
            os.close(fd)
            return new
        if stat.S_ISREG(here.st_mode) and here.st_size < os.lseek(fd, 0, os.SEEK_CUR):
            log.warning("%s: %s was cut short; reading it from its beginning", self.path, self.file_path)
            self._hand_on_last()
            os.lseek(fd, 0, os.SEEK_SET)
        return fd

    # -- sending

    def _hand_on(self, data: bytes) -> None:
        if self.mode == "bytes":
            self.send(data)
            self._keep_pace(len(data), self._bytes_per_s)
            return
        try:
            lines = self._decoder.feed(data)
        except FramingError as exc:
            self._send_lines([str(line) for line in exc.completed])
            raise
        self._send_lines(lines)
        if self._lines_per_s is None:
            self._keep_pace(len(data), self._bytes_per_s)

    def _hand_on_last(self) -> None:
        if self.mode == "lines":
            self._send_lines(self._decoder.finish())

    def _send_lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.send(line)
            self._keep_pace(1, self._lines_per_s)

    def _keep_pace(self, count: int, per_s: float | None) -> None:
        if per_s is None:
            return
        # Absolute times, so that small delays do not add up; after a long one no burst follows.
        self._due_s = max(self._due_s, time.monotonic() - 1.0) + count / per_s
        while (left_s := self._due_s - time.monotonic()) > 0:
            self.wait_io(timeout_s=left_s, boxes=())
