"""A file that only ever ends with something whole, as far as the system lets us."""

from __future__ import annotations

import os
from pathlib import Path

from axonlike.components.file.trouble import file_trouble
from axonlike.errors import UsageError

__all__ = ["Output"]


class Output:
    """A new file, written piece by piece; each piece is with the system when `write` returns, so a kill loses none.

    A piece that could not be written whole (a full disk) is taken back. Raises UsageError if the file is there already
    (overwrite=True: it is emptied), DeviceError for what goes wrong.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if overwrite else os.O_EXCL)
        try:
            self._fd = os.open(path, flags, 0o666)
        except FileExistsError:
            raise UsageError(f"{path} is there already: name another file, or say overwrite=True") from None
        except OSError as exc:
            raise file_trouble("cannot open for writing", str(path), exc) from exc
        self.size = 0

    def write(self, *pieces: bytes | memoryview) -> int:
        """Add these at the end, all or nothing; returns how many bytes that was."""
        length = 0
        try:
            for piece in pieces:
                left = memoryview(piece).cast("B")
                while left:
                    count = os.write(self._fd, left)
                    length += count
                    left = left[count:]
        except OSError as exc:
            self._take_back()
            raise file_trouble(f"cannot write (after {self.size} bytes) to", str(self.path), exc) from exc
        self.size += length
        return length

    def patch(self, place: int, data: bytes) -> None:
        """Write over what stands at `place`."""
        try:
            os.pwrite(self._fd, data, place)
        except OSError as exc:
            raise file_trouble("cannot write the header of", str(self.path), exc) from exc

    def sync(self) -> None:
        """Wait until it is on the disk itself."""
        try:
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as exc:
            raise file_trouble("cannot bring to the disk", str(self.path), exc) from exc

    def close(self) -> None:
        """Harmless a second time."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            pass  # the disk is failing: the error that led here is the one to tell

    # What the mcap library wants of a file.

    def tell(self) -> int:
        """Where the next piece goes."""
        return self.size

    def flush(self) -> None:
        """Nothing is kept back."""
