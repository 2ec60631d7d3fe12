"""Fault row 20: Ctrl-C at any moment. SIGINT is raised at the N-th opcode of a whole run; nothing may stay open.

`sys.settrace` counts opcodes in the main thread, in the kernel as in asyncio, from the call of `run()` to its return.
Within the run the signal sets a flag and the graph stops in order; just before and after, Python's own handler raises
KeyboardInterrupt. In all cases: every body that was started has run its `finally`, the loop is closed, no thread and no
descriptor is left, the handlers are those from before; and the file that a real FileWriter writes at the end of the
graph holds exactly the lines that the writer took, the last one whole.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent, step
from axonlike.components.file import FileWriter
from axonlike.errors import Finished
from axonlike.testing import Feeder

SEED = 2024
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Book:
    """Who has opened and who has closed, and what was to be written into a file."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.lines: list[str] = []


class Writes(Component):
    """Stands for a file: what is in its buffer when it ends is written in `finally`."""

    def __init__(self, book: Book, name: str) -> None:
        self.name, self.book = name, book

    def main(self) -> Generator[Any, Any, None]:
        self.book.opened.append(self.name)
        try:
            while True:
                yield self.wait("inbox")
                for message in self.inbox():
                    self.send(message)
        except Finished:
            yield
            self.send("last")
        finally:
            self.book.closed.append(self.name)


class AsyncWrites(Writes):
    async def main(self) -> None:  # type: ignore[override]
        self.book.opened.append(self.name)
        try:
            async for message in self.inbox():
                await asyncio.sleep(0)
                await self.send(message)
        finally:
            self.book.closed.append(self.name)


class ThreadWrites(ThreadedComponent):
    def __init__(self, book: Book, name: str) -> None:
        self.name, self.book = name, book

    def main(self) -> None:
        self.book.opened.append(self.name)
        try:
            while True:
                self.send(self.recv())
        finally:
            self.book.closed.append(self.name)


def graph(book: Book, writer: Component) -> list[Component]:
    inner = Pipeline(Writes(book, "a"), AsyncWrites(book, "b"), limit=2)

    def line(message: object) -> str:
        book.lines.append(f"line {message}")
        return book.lines[-1]

    return [Pipeline(Feeder(range(4)), inner, step(line), ThreadWrites(book, "c"), Writes(book, "d"), writer, limit=2)]


def run_and_interrupt(at: int | None, path: Path) -> int:
    """Run the graph; SIGINT at that opcode. Returns how many opcodes there were."""
    book, loops = Book(), []
    path.unlink(missing_ok=True)
    writer = FileWriter(path)
    parts = graph(book, writer)
    count = 0

    def new_loop() -> asyncio.AbstractEventLoop:
        loops.append(asyncio.SelectorEventLoop())
        return loops[-1]

    scheduler = Scheduler(loop_factory=new_loop, watchdog_s=None)

    def trace(frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return inside

    def inside(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal count
        if event == "opcode":
            count += 1
            if count == at:
                sys.settrace(None)  # what comes after it need not be counted, and runs ten times as fast
                signal.raise_signal(signal.SIGINT)
        return inside

    outcome = "ended"
    before = [signal.getsignal(number) for number in HANDLED]
    tracer = sys.gettrace()
    try:
        sys.settrace(trace)
        try:
            scheduler.run(*parts)
        finally:
            sys.settrace(tracer)
    except SystemExit as exc:
        outcome = f"exit {exc.code}"
    except KeyboardInterrupt:
        outcome = "KeyboardInterrupt"
    where = f"SIGINT at opcode {at}, {count} counted: {outcome}"
    if at is None or at > count:
        assert outcome == "ended", where
    else:
        assert outcome in ("exit 130", "KeyboardInterrupt"), where
    assert sorted(book.closed) == sorted(book.opened), where
    assert all(loop.is_closed() for loop in loops), where
    assert [signal.getsignal(number) for number in HANDLED] == before, where
    written = path.read_text() if path.exists() else ""
    boxes = {box.name: box for box in writer.statistics()}
    taken = boxes["inbox"].taken if boxes else 0
    lines = [*book.lines, "last"][:taken]  # "last" is what d sends at the end of its input
    assert written == "".join(f"{line}\n" for line in lines), where
    if boxes:  # what it had not taken is not lost without a word: it is counted
        assert boxes["inbox"].offered == taken + boxes["inbox"].unread_at_end, where
    if outcome == "ended":
        assert lines == ["line 0", "line 1", "line 2", "line 3", "line last", "last"], where
    return count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines"


@pytest.fixture
def total(path: Path) -> int:
    run_and_interrupt(None, path)  # imports and caches are warm after the first
    return run_and_interrupt(None, path)


def sweep(positions: list[int], path: Path) -> None:
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    for position in positions:
        run_and_interrupt(position, path)
        where = f"after SIGINT at opcode {position}"
        assert len(os.listdir("/proc/self/fd")) == descriptors, f"a descriptor is left {where}"
        for thread in threading.enumerate():
            if thread.name.startswith("axonlike"):
                thread.join(20.0)  # the run is over a moment before its thread has gone
        assert not set(threading.enumerate()) - threads, f"a thread is left {where}"


def test_row_20_ctrl_c_at_40_seeded_positions_leaves_nothing_open(total: int, path: Path) -> None:
    sweep(random.Random(SEED).sample(range(1, total), 40), path)


@pytest.mark.slow
def test_row_20_ctrl_c_at_300_seeded_positions_leaves_nothing_open(total: int, path: Path) -> None:
    sweep(sorted(random.Random(SEED + 1).sample(range(1, total), 300)), path)


@pytest.mark.soak
@pytest.mark.hang_guard(36_000)
def test_row_20_ctrl_c_at_every_position_leaves_nothing_open(total: int, path: Path) -> None:
    sweep(list(range(1, total + 200)), path)
