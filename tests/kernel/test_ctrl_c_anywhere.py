"""Fault row 20: Ctrl-C at any moment. SIGINT is raised at the N-th opcode of a whole run; nothing may stay open.

`sys.settrace` counts opcodes in the main thread, in the kernel as in asyncio, from the call of `run()` to its return.
Within the run the signal sets a flag and the graph stops in order; just before and after, Python's own handler raises
KeyboardInterrupt. In all cases: every body that was started has run its `finally`, the loop is closed, no thread and no
descriptor is left, the handlers are those from before.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent, step
from axonlike.errors import Finished
from axonlike.testing import Feeder

SEED = 2024
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Book:
    """Who has opened and who has closed."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []


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


def graph(book: Book) -> list[Component]:
    inner = Pipeline(Writes(book, "a"), AsyncWrites(book, "b"), limit=2)
    return [Pipeline(Feeder(range(4)), inner, step(lambda n: n), ThreadWrites(book, "c"), Writes(book, "d"), limit=2)]


def run_and_interrupt(at: int | None) -> int:
    """Run the graph; SIGINT at that opcode. Returns how many opcodes there were."""
    book, loops = Book(), []
    parts = graph(book)
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
    return count


@pytest.fixture
def total() -> int:
    run_and_interrupt(None)  # imports and caches are warm after the first
    return run_and_interrupt(None)


def sweep(positions: list[int]) -> None:
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    for position in positions:
        run_and_interrupt(position)
        where = f"after SIGINT at opcode {position}"
        assert len(os.listdir("/proc/self/fd")) == descriptors, f"a descriptor is left {where}"
        for thread in threading.enumerate():
            if thread.name.startswith("axonlike"):
                thread.join(2.0)
        assert not set(threading.enumerate()) - threads, f"a thread is left {where}"


def test_row_20_ctrl_c_at_40_seeded_positions_leaves_nothing_open(total: int) -> None:
    sweep(random.Random(SEED).sample(range(1, total), 40))


@pytest.mark.slow
def test_row_20_ctrl_c_at_300_seeded_positions_leaves_nothing_open(total: int) -> None:
    sweep(sorted(random.Random(SEED + 1).sample(range(1, total), 300)))


@pytest.mark.soak
@pytest.mark.hang_guard(36_000)
def test_row_20_ctrl_c_at_every_position_leaves_nothing_open(total: int) -> None:
    sweep(list(range(1, total + 200)))
