"""Files as sources and sinks, with real files, pipes and a full disk."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.file import FileAppender, FileReader, FileWriter
from axonlike.components.file.trouble import file_trouble
from axonlike.components.util import Collect, DataSource
from axonlike.errors import ComponentError, DeviceError, UsageError
from axonlike.streams.framing import LineTooLong
from axonlike.testing import check_component

HANG_GUARD_S = 30.0


def read(reader: FileReader) -> list[Any]:
    collect = Collect()
    Scheduler().run(Pipeline(reader, collect))
    return collect.messages


def cause_of(*parts: Component) -> BaseException:
    with pytest.raises(ComponentError) as caught:
        Scheduler().run(*parts)
    return caught.value.cause


# -- reading


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a\nb\r\n\nlast", ["a", "b", "", "last"]),
        ("Grüße\n".encode(), ["Grüße"]),
        (b"".join(b"%d\n" % n for n in range(50_000)), [str(n) for n in range(50_000)]),
    ],
)
def test_lines_of_a_file(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert read(FileReader(file)) == lines


def test_bytes_of_a_file_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "file"
    content = bytes(range(256)) * 100
    file.write_bytes(content)
    pieces = read(FileReader(file, "bytes", chunk_bytes=1000))
    assert b"".join(pieces) == content
    assert {len(piece) for piece in pieces[:-1]} == {1000}


def test_rates_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x\n" * 20)
    began_s = time.monotonic()
    assert len(read(FileReader(file, lines_per_s=200))) == 20
    assert time.monotonic() - began_s >= 20 / 200 - 0.01
    began_s = time.monotonic()
    pieces = read(FileReader(file, "bytes", bytes_per_s=400))
    assert time.monotonic() - began_s >= 40 / 400 - 0.01
    assert b"".join(pieces) == file.read_bytes()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = cause_of(Pipeline(FileReader(tmp_path / "missing"), Collect()))
    assert isinstance(error, DeviceError)
    assert str(tmp_path / "missing") in str(error)
    assert isinstance(cause_of(Pipeline(FileReader(tmp_path), Collect())), UsageError)


def test_a_line_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    assert isinstance(cause_of(Pipeline(FileReader(file, limit_bytes=10), Collect())), LineTooLong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "words"},
        {"lines_per_s": 0},
        {"mode": "bytes", "lines_per_s": 1},
        {"bytes_per_s": -1},
        {"chunk_bytes": 0},
        {"from_end": True},
    ],
)
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="FileReader"):
        FileReader("x", **wrong)


def test_a_named_pipe_is_read_until_its_writers_close_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write() -> None:
        for text in ("a\n", "b\n"):
            with open(fifo, "w") as stream:  # waits for the reader
                stream.write(text)
            return

    thread = threading.Thread(target=write)
    thread.start()
    assert read(FileReader(fifo)) == ["a"]
    thread.join()


def test_a_named_pipe_that_nobody_writes_to_can_be_stopped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    # Stopped from within: a timer's thread might tell a scheduler that does not run yet.
    Scheduler().run(Pipeline(FileReader(tmp_path / "fifo"), Collect()), StopsSoon())


class Follower:
    """A FileReader with follow=True that runs in a thread."""

    def __init__(self, reader: FileReader) -> None:
        self._collect = Collect()
        self._scheduler = Scheduler()
        self._graph = Pipeline(reader, self._collect)

    def __enter__(self) -> Follower:
        self._scheduler.start_in_thread(self._graph)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._scheduler.call_from_thread(self._scheduler.stop)
        assert self._scheduler.join(HANG_GUARD_S)

    @property
    def lines(self) -> list[str]:
        return self._collect.messages

    def wait_for(self, lines: list[str]) -> None:
        until_s = time.monotonic() + HANG_GUARD_S
        while self.lines != lines:
            assert time.monotonic() < until_s, self.lines
            threading.Event().wait(0.01)


def append(file: Path, text: str) -> None:
    with open(file, "a") as stream:
        stream.write(text)


def test_following_sends_what_is_appended_through_rotation_and_truncation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Follower(FileReader(log, follow=True, poll_s=0.05)) as follower:  # it is not there yet
        append(log, "a\nb\nhal")
        follower.wait_for(["a", "b"])
        append(log, "f\n")
        follower.wait_for(["a", "b", "half"])
        log.rename(tmp_path / "log.1")
        append(tmp_path / "log.1", "late\n")
        append(log, "new\n")  # before it has looked again
        follower.wait_for(["a", "b", "half", "late", "new"])
        os.truncate(log, 0)
        append(log, "c\n")  # shorter than before, so that it shows whenever it looks
        follower.wait_for(["a", "b", "half", "late", "new", "c"])


def test_following_from_the_end_leaves_out_what_was_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    with Follower(FileReader(log, follow=True, from_end=True, poll_s=0.01)) as follower:
        until_s = time.monotonic() + HANG_GUARD_S
        while not follower.lines:  # it may not have opened the file yet
            assert time.monotonic() < until_s
            append(log, "new\n")
            threading.Event().wait(0.02)
        assert set(follower.lines) == {"new"}


# -- writing


@pytest.mark.parametrize(
    ("mode", "messages", "content"),
    [
        ("lines", ["a", b"b", "c\n"], b"a\nb\nc\n"),
        ("bytes", ["a", b"b", "c\n"], b"abc\n"),
        ("lines", [str(n) for n in range(20_000)], b"".join(b"%d\n" % n for n in range(20_000))),
    ],
)
def test_what_is_written(tmp_path: Path, mode: Any, messages: list[Any], content: bytes) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    writer = FileWriter(file, mode=mode, forward=True)
    collect = Collect()
    Scheduler().run(Pipeline(DataSource(messages), writer, collect))
    assert file.read_bytes() == content
    assert writer.written_bytes == len(content)
    assert collect.messages == messages


def test_appending_goes_on_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for line in ("a", "b"):
        Scheduler().run(Pipeline(DataSource([line]), FileAppender(file)))
    Scheduler().run(Pipeline(DataSource(["c"]), FileWriter(file, append=True)))
    assert file.read_text() == "a\nb\nc\n"


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "file"
    file.write_text("whole\nto")
    Scheduler().run(Pipeline(DataSource(["next"]), FileAppender(file)))
    assert file.read_text() == "whole\nto\nnext\n"
    assert "ended in the middle of a line" in caplog.text


def test_the_appender_goes_on_in_a_new_file_when_its_file_was_rotated(tmp_path: Path) -> None:
    file = tmp_path / "log"

    class Rotating(Component):
        def main(self) -> Iterator[Any]:
            self.send("before")
            yield from self.until(lambda: file.exists() and file.read_text() == "before\n")
            file.rename(tmp_path / "log.1")
            yield self.sleep(1.1)  # it looks once a second
            self.send("after")

        def until(self, condition: Callable[[], bool]) -> Iterator[Any]:
            while not condition():
                yield self.sleep(0.01)

    Scheduler().run(Pipeline(Rotating(), FileAppender(file)))
    assert (tmp_path / "log.1").read_text() == "before\n"
    assert file.read_text() == "after\n"


@pytest.mark.parametrize("sync_s", [0, 0.01, 5.0])
def test_syncing_changes_nothing_of_what_is_written(tmp_path: Path, sync_s: float) -> None:
    file = tmp_path / "file"
    Scheduler().run(Pipeline(DataSource(["abc"]), FileWriter(file, sync_s=sync_s)))
    assert file.read_text() == "abc\n"


@pytest.mark.parametrize(("sync_s", "expected"), [(0, {2, 4}), (100, {4}), (None, set())])
def test_it_syncs_after_each_batch_after_a_time_and_at_the_end(
    tmp_path: Path, sync_s: float | None, expected: set[int]
) -> None:
    syncs: list[int] = []

    class Counting(FileWriter):
        def _sync(self, fd: int) -> None:
            super()._sync(fd)
            syncs.append(self.written_bytes)

    class Slow(Component):
        def main(self) -> Iterator[Any]:
            self.send("a")
            # Never both in one batch, however late the writer is.
            while 2 not in (syncs if sync_s == 0 else [writer.written_bytes]):
                yield self.sleep(0.01)
            yield self.sleep(0.1)
            self.send("b")

    writer = Counting(tmp_path / "file", sync_s=sync_s)
    Scheduler().run(Pipeline(Slow(), writer))
    assert set(syncs) == expected


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_a_loud_error() -> None:
    error = cause_of(Pipeline(DataSource(["x"]), FileWriter("/dev/full")))
    assert isinstance(error, DeviceError)
    what, remedy = "No space left on device", "free some space, or write elsewhere"
    assert str(error) == f"cannot write (after 0 bytes) to /dev/full: {what}; {remedy}"
    assert isinstance(error.__cause__, OSError)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
def test_after_a_full_disk_the_file_ends_with_a_whole_line(tmp_path: Path) -> None:
    import subprocess

    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("may not mount here")
    try:
        file = tmp_path / "file"
        writer = FileWriter(file)
        error = cause_of(Pipeline(DataSource(f"line {n} " + "x" * 1000 for n in range(100)), writer))
        assert "No space left" in str(error)
        content = file.read_bytes()
        assert content.endswith(b"x\n")
        assert len(content) == writer.written_bytes
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_each_trouble_says_what_to_do() -> None:
    for number in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT):
        text = str(file_trouble("cannot write to", "/x", OSError(number, os.strerror(number))))
        assert text.startswith(f"cannot write to /x: {os.strerror(number)}; ")
    assert str(file_trouble("cannot read", "/x", OSError(errno.ELOOP, "loop"))) == "cannot read /x: loop"


def test_a_message_that_is_no_text_is_named(tmp_path: Path) -> None:
    for mode in ("lines", "bytes"):
        error = cause_of(Pipeline(DataSource([7]), FileWriter(tmp_path / "file", mode=mode)))
        assert isinstance(error, TypeError)
        assert "7 (int)" in str(error)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    error = cause_of(Pipeline(DataSource(["x"]), FileWriter(tmp_path / "no" / "file")))
    assert "a folder in its path is missing" in str(error)


@pytest.mark.parametrize("wrong", [{"mode": "words"}, {"sync_s": -1}])
def test_wrong_options_of_a_writer_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="FileAppender"):
        FileAppender("x", **wrong)


# -- promises


def test_files_conform(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"line\n" * 500)
    check_component(lambda: FileReader(file, lines_per_s=2000))
    check_component(lambda: FileReader(file, "bytes", bytes_per_s=20_000))
    check_component(lambda: FileReader(file, follow=True), ends=False)
    check_component(lambda: FileWriter(tmp_path / "out", forward=True), messages=["x"] * 10)
    check_component(lambda: FileAppender(tmp_path / "out", sync_s=0), messages=["x"] * 10)


# -- named pipes


class StopsSoon(Component):
    def main(self) -> Any:
        yield self.sleep(0.05)
        assert self.scheduler is not None
        self.scheduler.stop("test")


@pytest.mark.parametrize("writer", [FileWriter, FileAppender])
def test_a_named_pipe_without_a_reader_does_not_delay_the_stop(tmp_path: Path, writer: Any) -> None:
    os.mkfifo(tmp_path / "fifo")
    began_s = time.monotonic()
    Scheduler(stop_deadline_s=30).run(
        Pipeline(FileReader(os.devnull, follow=True), writer(tmp_path / "fifo")), StopsSoon()
    )
    assert time.monotonic() - began_s < 15


def test_a_named_pipe_whose_reader_takes_nothing_does_not_delay_the_stop(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        began_s = time.monotonic()
        Scheduler(stop_deadline_s=30).run(
            Pipeline(DataSource(["x" * 100_000] * 3), FileWriter(tmp_path / "fifo")), StopsSoon()
        )
        assert time.monotonic() - began_s < 15
    finally:
        os.close(reading)


@pytest.mark.parametrize("writer", [FileWriter, FileAppender])
def test_a_named_pipe_gets_everything_once_its_reader_has_come(tmp_path: Path, writer: Any) -> None:
    os.mkfifo(tmp_path / "fifo")
    got: list[str] = []

    def reads() -> None:
        with open(tmp_path / "fifo") as stream:
            got.extend(line.rstrip() for line in stream)

    class ReaderComes(Component):
        def main(self) -> Any:
            yield self.sleep(0.05)
            thread.start()

    thread = threading.Thread(target=reads)
    lines = [f"{number} " + "x" * 1000 for number in range(300)]  # several times what a pipe holds
    Scheduler().run(Pipeline(DataSource(lines), writer(tmp_path / "fifo")), ReaderComes())
    thread.join()
    assert got == lines


def test_a_writer_with_nothing_to_write_ends_without_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    writer = FileWriter(tmp_path / "fifo")
    Scheduler().run(Pipeline(DataSource([]), writer))
    assert writer.ended
