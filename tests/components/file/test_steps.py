"""An HDF5 file at whatever call of the system its program is killed, or its disk fails."""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.file.recording.formats import open_recording
from axonlike.components.file.recording.hdf5 import HDF5Writer
from axonlike.components.file.recording.steps import FileInSteps, finish_last_step
from axonlike.components.file.recording.writer import Mark, Segment
from axonlike.errors import DeviceError, UsageError
from axonlike.streams import Chunk, StreamInfo

INFO = StreamInfo(kind="analog", dtype="int16", shape=(2,), sample_rate_hz=1000, name="eeg")
CHUNK_OF_HDF5 = 65536  # rows; when 64 are full, the tree that knows where they are is split


class Watched:
    """The system; `calls` are those that changed the file: what was written (None: the file was cut), and where."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes | None, int]] = []

    def pread(self, fd: int, length: int, place: int, /) -> bytes:
        return os.pread(fd, length, place)

    def pwrite(self, fd: int, data: Any, place: int, /) -> int:
        self.calls.append((bytes(data), place))
        return os.pwrite(fd, data, place)

    def ftruncate(self, fd: int, length: int, /) -> None:
        self.calls.append((None, length))
        os.ftruncate(fd, length)


class Failing(Watched):
    """From call number `first` on nothing can be written, after half of what that one was to write."""

    def __init__(self, first: int, error: int) -> None:
        super().__init__()
        self.first, self.error = first, error

    def pwrite(self, fd: int, data: Any, place: int, /) -> int:
        number = len(self.calls) + 1
        if number < self.first:
            return super().pwrite(fd, data, place)
        if number == self.first and len(data) > 1:
            return super().pwrite(fd, data[: len(data) // 2], place)
        self.calls.append((b"", place))
        raise OSError(self.error, os.strerror(self.error))

    def ftruncate(self, fd: int, length: int, /) -> None:
        if self.error == errno.EIO and len(self.calls) >= self.first:
            raise OSError(self.error, os.strerror(self.error))
        super().ftruncate(fd, length)


def chunk(number: int, rows: int) -> Chunk:
    return Chunk(np.full((rows, 2), number + 1, "int16"), INFO, number * rows)


def whole_chunks(path: Path, rows: int) -> int:
    """How many are in the file, each as it should be."""
    reader = open_recording(path)
    try:
        total = reader.rows_of(0) if reader.segments else 0
        for number in range(total // rows):
            assert np.all(reader.read(0, number * rows, (number + 1) * rows) == number + 1)
        return total // rows
    finally:
        reader.close()


def make(fd: int, data: bytes | None, place: int) -> None:
    """One call of those that were watched."""
    if data is None:
        os.ftruncate(fd, place)
    else:
        os.pwrite(fd, data, place)


def record(path: Path, rows: int, chunks: int, system: Watched) -> list[int]:
    """Write so many chunks and a mark; returns after how many calls of the system each was there."""
    writer = HDF5Writer(path, system=system)
    there = [len(system.calls)]
    try:
        writer.segment(Segment("eeg", INFO, 0, 0, None))
        for number in range(chunks):
            writer.write("eeg", chunk(number, rows))
            there.append(len(system.calls))
        writer.mark(Mark("lights on", sample=3))
        writer.close()
    except DeviceError:
        writer.abandon()
        raise
    return there


@pytest.mark.parametrize(("rows", "chunks", "look_from"), [(7, 12, 0), (CHUNK_OF_HDF5, 67, 62)])
def test_a_kill_at_any_call_leaves_every_whole_chunk(tmp_path: Path, rows: int, chunks: int, look_from: int) -> None:
    system = Watched()
    there = record(tmp_path / "run.h5", rows, chunks, system)
    looked = 0
    killed, copy = tmp_path / "killed.h5", tmp_path / "copy.h5"
    with killed.open("w+b", buffering=0) as file:
        for number, (data, place) in enumerate(system.calls, start=1):
            if number > there[look_from]:
                shutil.copyfile(killed, copy)  # looking mends it
                if data is not None:
                    with copy.open("r+b", buffering=0) as torn:
                        make(torn.fileno(), data[: len(data) // 2], place)
                assert whole_chunks(copy, rows) >= sum(number > after for after in there) - 1
                looked += 1
            make(file.fileno(), data, place)
    assert looked > 2 * (chunks - look_from)
    assert killed.read_bytes() == (tmp_path / "run.h5").read_bytes()
    assert whole_chunks(killed, rows) == chunks


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_at_any_call_leaves_every_whole_chunk(tmp_path: Path, error: int) -> None:
    system = Watched()
    there = record(tmp_path / "run.h5", 7, 5, system)
    for first in range(there[0] + 1, there[-1] + 1):
        path = tmp_path / f"failing{first}.h5"
        with pytest.raises(DeviceError, match=f"cannot write .* to .*: {os.strerror(error)}"):
            record(path, 7, 5, Failing(first, error))
        assert whole_chunks(path, 7) >= sum(first > after for after in there) - 1


def test_a_step_that_cannot_be_finished_is_told(tmp_path: Path) -> None:
    system = Watched()
    there = record(tmp_path / "run.h5", 7, 2, system)
    path = tmp_path / "killed.h5"
    with path.open("w+b", buffering=0) as file:
        for data, place in system.calls[: there[2] - 2]:
            make(file.fileno(), data, place)
    before = path.read_bytes()
    folder = tmp_path / "folder.h5"
    folder.mkdir()
    with pytest.raises(DeviceError, match=r"killed in mid-step, and cannot finish .*folder\.h5"):
        finish_last_step(folder)
    finish_last_step(path)
    assert len(path.read_bytes()) < len(before)
    assert whole_chunks(path, 7) == 2


def test_what_only_looks_like_a_step_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    for data in (b"", b"short", bytes(100), bytes(40) + struct.pack("<QI20s", 40, 1, b"axonlike whole step\n")):
        path.write_bytes(data)
        finish_last_step(path)
        assert path.read_bytes() == data


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="is there already"):
        FileInSteps(path)
    with pytest.raises(DeviceError, match="cannot open for writing"):
        FileInSteps(tmp_path / "no" / "run.h5")
    assert path.read_bytes() == b"precious"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 60), st.binary(min_size=1, max_size=30)),
            st.tuples(st.just("truncate"), st.integers(0, 80), st.none()),
            st.tuples(st.just("commit"), st.just(0), st.none()),
        ),
        max_size=30,
    )
)
def test_it_reads_as_a_file_in_memory_does(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int, bytes | None]]
) -> None:
    plain = io.BytesIO()
    path = tmp_path_factory.getbasetemp() / "steps"
    steps = FileInSteps(path, overwrite=True)
    for action, place, data in actions:
        if action == "commit":
            steps.commit()
            assert path.read_bytes() == plain.getvalue()
        elif action == "truncate":
            if place > len(plain.getvalue()):
                plain.seek(0, io.SEEK_END)
                plain.write(bytes(place - len(plain.getvalue())))
            plain.truncate(place)
            steps.truncate(place)
        elif data is not None:
            plain.seek(place)
            steps.seek(place)
            assert steps.write(data) == plain.write(data)
        assert steps.seek(0, io.SEEK_END) == len(plain.getvalue())
        steps.seek(0)
        assert steps.read(1000) == plain.getvalue()
    steps.close()
    steps.close()
