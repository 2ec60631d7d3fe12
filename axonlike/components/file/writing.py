"""Writing messages to files: whole lines, or an error that says where and why."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from typing import Any, ClassVar, Literal

from axonlike.components.file.trouble import file_trouble
from axonlike.components.util.descriptors import wait_for_descriptors
from axonlike.errors import Finished, Stopped, UsageError, show_value
from axonlike.linkage import Box
from axonlike.streams.framing import encode_line
from axonlike.threads import ThreadedComponent

__all__ = ["FileAppender", "FileWriter"]

log = logging.getLogger("axonlike.file")

_BATCH_BYTES = 256 * 1024
_LOOK_EVERY_S = 1.0
_LOOK_FOR_READER_S = 0.25  # nothing tells when somebody opens a named pipe


class FileWriter(ThreadedComponent):
    """Writes what comes to a file, which is emptied first (append=True: goes on at its end). In a thread of its own.

    mode: "lines" (str or bytes, a line feed is added) or "bytes" (as they are). forward: sends each message on once it
    is written. encoding: for str.

    How safe it is: each batch is given to the system at once, there is no buffer in this program; so what was written
    survives a crash or a kill of the program. For a crash of the machine `sync_s` counts: None leaves it to the system
    (Linux: up to 30 s are lost), 5.0 loses at most 5 s, 0 waits for the disk after each batch.

    A full, failing or read-only disk is a DeviceError with the path, the reason and what to do; the error box or
    policy of the component decides what then happens. In a file that it does not share (append=False) a half-written
    line is taken back. A named pipe is opened once somebody reads from it.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("what to write", (str, bytes, bytearray))}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "with forward=True: what was written"}

    def __init__(
        self,
        path: str | os.PathLike[str],
        append: bool = False,
        *,
        mode: Literal["lines", "bytes"] = "lines",
        sync_s: float | None = None,
        encoding: str = "utf-8",
        forward: bool = False,
    ) -> None:
        if mode not in ("lines", "bytes"):
            raise UsageError(f'{type(self).__name__}: mode is "lines" or "bytes", not {mode!r}')
        if sync_s is not None and sync_s < 0:
            raise UsageError(f"{type(self).__name__}: sync_s is a number of seconds, or None, not {sync_s!r}")
        self.file_path = os.fspath(path)
        self.append = append
        self.mode = mode
        self.encoding = encoding
        self.forward = forward
        self.written_bytes = 0
        self._sync_s = sync_s
        self._unsynced_since_s: float | None = None
        self._looked_s = 0.0
        self._began = False

    def main(self) -> None:
        # After a restart by an error policy what this component has written already is not thrown away.
        fd = self._open(empty=not self.append and not self._began)
        self._began = True
        try:
            while True:
                try:
                    arrived = self.wait("inbox", timeout=self._sync_left_s())
                except Finished:
                    break
                if arrived is not None:
                    fd = self._follow_rotation(fd)
                    self._write_batch(fd)
                if self._sync_left_s() == 0:
                    self._sync(fd)
        finally:
            try:
                if self._unsynced_since_s is not None and self._sync_s is not None:
                    self._sync(fd)
            finally:
                os.close(fd)

    def _open(self, *, empty: bool) -> int:
        if _is_fifo(self.file_path):
            return self._open_fifo()
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if empty else os.O_APPEND)
        if not empty:
            flags = (flags & ~os.O_WRONLY) | os.O_RDWR  # to see whether the last line is whole
        try:
            fd = os.open(self.file_path, flags, 0o666)
        except OSError as exc:
            raise file_trouble("cannot open for writing", self.file_path, exc) from exc
        try:
            if not empty:
                self._end_torn_line(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _open_fifo(self) -> int:
        """Open a named pipe once somebody reads from it. Raises Finished if there is nothing to write until then."""
        waits = False
        while True:
            try:
                # Non-blocking, so that without a reader open() does not keep the thread, which could not be stopped.
                return os.open(self.file_path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as exc:
                if exc.errno != errno.ENXIO:
                    raise file_trouble("cannot open for writing", self.file_path, exc) from exc
            if self.input_ended and not self.data_ready("inbox"):
                raise Finished
            if not waits:
                waits = True
                log.info("%s: nobody reads from %s yet; waiting", self.path, self.file_path)
            self.sleep(_LOOK_FOR_READER_S)

    def _end_torn_line(self, fd: int) -> None:
        """A crash or a full disk may have left half a line: end it, so that the next one does not become part of it."""
        here = os.fstat(fd)
        if self.mode != "lines" or not stat.S_ISREG(here.st_mode) or here.st_size == 0:
            return
        if os.pread(fd, 1, here.st_size - 1) != b"\n":
            log.warning("%s: %s ended in the middle of a line, which is ended now", self.path, self.file_path)
            self._write(fd, b"\n")

    def _write_batch(self, fd: int) -> None:
        batch: list[Any] = []
        pieces: list[bytes] = []
        size = 0
        for message in self.inbox():
            piece = self._encoded(message)
            batch.append(message)
            pieces.append(piece)
            size += len(piece)
            if size >= _BATCH_BYTES:
                break
        self._write(fd, b"".join(pieces))
        if self.forward:
            for message in batch:
                self.send(message)

    def _encoded(self, message: Any) -> bytes:
        if self.mode == "lines":
            return encode_line(message, encoding=self.encoding)
        if isinstance(message, str):
            return message.encode(self.encoding)
        if isinstance(message, bytes | bytearray | memoryview):
            return bytes(message)
        raise TypeError(f"{self.path}: a file takes str or bytes, not {show_value(message)}; make it text first")

    def _write(self, fd: int, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                try:
                    count = os.write(fd, left)
                except BlockingIOError:  # a named pipe whose reader is slow
                    self._wait_for_reader(fd)
                    continue
                left = left[count:]
                self.written_bytes += count
        except OSError as exc:
            self._take_back_torn_line(fd, len(data) - len(left), data)
            raise file_trouble(f"cannot write (after {self.written_bytes} bytes) to", self.file_path, exc) from exc
        if self._unsynced_since_s is None:
            self._unsynced_since_s = time.monotonic()

    def _wait_for_reader(self, fd: int) -> None:
        while not wait_for_descriptors((), [fd], _LOOK_FOR_READER_S)[1]:
            if self.stopping:
                raise Stopped

    def _take_back_torn_line(self, fd: int, written: int, data: bytes) -> None:
        torn = written - (data.rfind(b"\n", 0, written) + 1) if self.mode == "lines" else 0
        if torn and not self.append and stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, os.fstat(fd).st_size - torn)
            self.written_bytes -= torn

    # -- to the disk itself

    def _sync_left_s(self) -> float | None:
        if self._sync_s is None or self._unsynced_since_s is None:
            return None
        return max(0.0, self._unsynced_since_s + self._sync_s - time.monotonic())

    def _sync(self, fd: int) -> None:
        self._unsynced_since_s = None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return  # a pipe or a terminal has no disk behind it
        try:
            os.fdatasync(fd) if hasattr(os, "fdatasync") else os.fsync(fd)
        except OSError as exc:
            raise file_trouble("cannot bring to the disk", self.file_path, exc) from exc

    def _follow_rotation(self, fd: int) -> int:
        return fd


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False  # opening it says what is wrong


class FileAppender(FileWriter):
    """Adds to the end of a file, which may be there already; otherwise as FileWriter.

    Several programs may append to one file; lines do not mix as long as the disk is not full. When the file has been
    moved away or removed (logrotate), it goes on in a new one of the same name, at the latest a second later. If the
    file ends in the middle of a line (a crash, a full disk), that line is ended first, and the log says so.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        mode: Literal["lines", "bytes"] = "lines",
        sync_s: float | None = None,
        encoding: str = "utf-8",
        forward: bool = False,
    ) -> None:
        super().__init__(path, True, mode=mode, sync_s=sync_s, encoding=encoding, forward=forward)

    def _follow_rotation(self, fd: int) -> int:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return fd
        self._looked_s = now_s
        here = os.fstat(fd)
        try:
            there = os.stat(self.file_path)
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise file_trouble("cannot look at", self.file_path, exc) from exc
        else:
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return fd
        if not stat.S_ISREG(here.st_mode):
            return fd
        log.info("%s: %s was moved away; going on in a new one", self.path, self.file_path)
        if self._unsynced_since_s is not None and self._sync_s is not None:
            self._sync(fd)
        new = self._open(empty=False)
        os.close(fd)
        return new
