"""A file that is changed in steps, each of which happens whole or not at all, whenever the program is killed.

HDF5 keeps trees of blocks, and puts them on the disk block by block: killed between two of them it leaves a file that
nobody can read. Here what it writes is kept until `commit`, which goes:

1. What lies past the end of the last step is written. Nothing in the file points there yet.
2. What is to be written over is put at the very end of the file, with a mark behind it that says that it is whole.
3. It is written over, and the copy at the end is cut off.

A kill in 1 or 2 leaves the last step, with something behind it that no reader looks at. After a kill in 3 the copy is
whole, and `finish_last_step` does what is left. A disk that is full fails in 1 or 2, and the file is as it was before.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any, Protocol

from axonlike.components.file.trouble import file_trouble
from axonlike.errors import UsageError

__all__ = ["FileInSteps", "System", "finish_last_step"]

_PIECE = struct.Struct("<QQ")  # where it goes, how long it is
_MARK = struct.Struct("<QI20s")  # how long the pieces are together, their CRC-32, the magic
_MAGIC = b"axonlike whole step\n"
_BLOCK_BYTES = 4096


class System(Protocol):
    """What of the system's calls is used: the module `os`, or a disk that fails."""

    def pread(self, fd: int, length: int, place: int, /) -> bytes: ...
    def pwrite(self, fd: int, data: Any, place: int, /) -> int: ...
    def ftruncate(self, fd: int, length: int, /) -> None: ...


class FileInSteps:
    """A new file to read and write at will, as the driver "fileobj" of h5py does; `commit` brings it to the disk.

    Raises UsageError if the file is there already (overwrite=True: it is emptied), DeviceError for what goes wrong.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, system: System = os) -> None:
        self.path = path
        self._system = system
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if overwrite else os.O_EXCL)
        try:
            self._fd = os.open(path, flags, 0o666)
        except FileExistsError:
            raise UsageError(f"{path} is there already: name another file, or say overwrite=True") from None
        except OSError as exc:
            raise file_trouble("cannot open for writing", str(path), exc) from exc
        self._committed = 0  # the length of the file after the last step
        self._size = 0
        self._place = 0
        self._pending: dict[int, bytearray] = {}  # pieces that do not overlap, by their places

    # What h5py wants of a file.

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Where to go on."""
        self._place = place + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        """Where it goes on."""
        return self._place

    def write(self, data: Any) -> int:
        """Keep this for the next step; a bytearray is not copied (h5py makes one for each call)."""
        piece = data if isinstance(data, bytearray) else bytearray(data)
        length = len(piece)
        start, stop = self._place, self._place + length
        self._place = stop
        for place in [p for p, had in self._pending.items() if p < stop and start < p + len(had)]:
            had = self._pending.pop(place)
            if place < start:
                piece = had[: start - place] + piece
            if place + len(had) > stop:
                piece += had[stop - place :]
            start, stop = min(start, place), max(stop, place + len(had))
        self._pending[start] = piece
        self._size = max(self._size, self._place)
        return length

    def readinto(self, buffer: Any) -> int:
        """What is in the file, or will be after the next step."""
        view = memoryview(buffer).cast("B")
        start, stop = self._place, min(self._place + len(view), self._size)
        length = max(0, stop - start)
        had = (
            self._system.pread(self._fd, min(length, self._committed - start), start)
            if start < self._committed
            else b""
        )
        view[: len(had)] = had
        view[len(had) : length] = bytes(length - len(had))
        for place, piece in self._pending.items():
            first, last = max(place, start), min(place + len(piece), stop)
            if first < last:
                view[first - start : last - start] = piece[first - place : last - place]
        self._place += length
        return length

    def read(self, length: int) -> bytes:
        """The same, as bytes."""
        data = bytearray(length)
        return bytes(data[: self.readinto(data)])

    def truncate(self, size: int) -> int:
        """How long the file is after the next step."""
        for place in [p for p, piece in self._pending.items() if p + len(piece) > size]:
            del self._pending[place][max(0, size - place) :]
        if size < self._committed:  # should it grow again, this is what is there
            self.seek(size)
            self.write(bytes(self._committed - size))
        self._size = size
        return size

    def flush(self) -> None:
        """Nothing is to be done: `commit` says when a step is whole."""

    # The steps.

    def commit(self) -> None:
        """One step: everything that was written since the last. Raises DeviceError; the file is as before then."""
        end = self._committed
        try:
            over: list[tuple[int, bytearray]] = []
            fresh: list[bytes | bytearray] = []
            at = end
            for place, piece in sorted(self._pending.items()):
                if place < end:
                    over += self._changed(place, piece[: end - place])
                    place, piece = end, piece[end - place :]
                if piece:
                    fresh += (bytes(place - at), piece)
                    at = place + len(piece)
            if over:
                copy = b"".join([part for place, block in over for part in (_PIECE.pack(place, len(block)), block)])
                fresh += (bytes(max(0, self._size - at)), copy, _MARK.pack(len(copy), zlib.crc32(copy), _MAGIC))
            self._put(end, b"".join(fresh))
        except OSError as exc:
            self._take_back()
            raise file_trouble(f"cannot write (after {end} bytes) to", str(self.path), exc) from exc
        try:
            for place, block in over:
                self._put(place, block)
            self._system.ftruncate(self._fd, self._size)
        except OSError as exc:  # the copy is at the file's end, and whoever reads it finishes the step
            raise file_trouble(f"cannot write (after {end} bytes) to", str(self.path), exc) from exc
        self._committed = self._size
        self._pending.clear()

    def _changed(self, place: int, piece: bytearray) -> list[tuple[int, bytearray]]:
        """The blocks of a piece that differ from what is there: HDF5 writes a whole chunk of it for each added row."""
        had = self._system.pread(self._fd, len(piece), place)
        blocks = (slice(start, start + _BLOCK_BYTES) for start in range(0, len(piece), _BLOCK_BYTES))
        return [(place + block.start, piece[block]) for block in blocks if piece[block] != had[block]]

    def _put(self, place: int, data: bytes | bytearray) -> None:
        left = memoryview(data)
        while left:
            count = self._system.pwrite(self._fd, left, place)
            place, left = place + count, left[count:]

    def _take_back(self) -> None:
        try:
            self._system.ftruncate(self._fd, self._committed)
        except OSError:
            pass  # the disk is failing: the error that led here is the one to tell

    def sync(self) -> None:
        """Wait until all steps are on the disk itself."""
        try:
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as exc:
            raise file_trouble("cannot bring to the disk", str(self.path), exc) from exc

    def close(self) -> None:
        """Without a step. Harmless a second time."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def finish_last_step(path: Path) -> None:
    """If the program that wrote `path` was killed in mid-step, do what is left of it. Raises DeviceError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size < _MARK.size:
                return
            file.seek(size - _MARK.size)
            length, crc, magic = _MARK.unpack(file.read(_MARK.size))
            if magic != _MAGIC or length > size - _MARK.size:
                return
            end = size - _MARK.size - length
            file.seek(end)
            copy = file.read(length)
        if zlib.crc32(copy) != crc:
            return
        with path.open("r+b") as file:
            start = 0
            while start < length:
                place, count = _PIECE.unpack_from(copy, start)
                start += _PIECE.size + count
                file.seek(place)
                file.write(copy[start - count : start])
            file.truncate(end)
    except OSError as exc:
        raise file_trouble("its recorder was killed in mid-step, and cannot finish", str(path), exc) from exc
