"""Every component of util keeps the promises of all components."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator

import pytest

from axonlike import Component
from axonlike.components.util import (
    Chooser,
    Collect,
    ConsoleEchoer,
    ConsoleReader,
    DataSource,
    Every,
    Filter,
    Latest,
    Null,
    OneShot,
    PassThrough,
    RateLimit,
    Splitter,
    Tap,
    Ticks,
    Transform,
)
from axonlike.testing import check_component


@pytest.mark.parametrize(
    "factory",
    [
        lambda: Collect(forward=True),
        lambda: Filter(lambda n: n % 2),
        lambda: Latest(),
        lambda: Null(),
        lambda: PassThrough(),
        lambda: RateLimit(1000),
        lambda: Splitter("a", "b"),
        lambda: Tap(lambda n: n),
        lambda: Transform(lambda n: n + 1),
        lambda: ConsoleEchoer(forward=True, stream=io.StringIO()),
    ],
)
def test_what_is_fed_conforms(factory: Callable[[], Component]) -> None:
    check_component(factory, messages=range(10))


def test_latest_with_a_rate_conforms() -> None:
    check_component(lambda: Latest(1000), messages=range(10))


def test_chooser_conforms() -> None:
    check_component(lambda: Chooser("abc"), messages=["NEXT", "LAST", "PREV", "FIRST", "SAME"])


@pytest.mark.parametrize(
    "factory",
    [
        lambda: DataSource(range(5000)),
        lambda: OneShot("x"),
        lambda: Every(0.01, "x", count=20),
        lambda: Ticks(0.01, count=20),
    ],
)
def test_sources_conform(factory: Callable[[], Component]) -> None:
    check_component(factory)


@pytest.mark.parametrize(
    "factory", [lambda: Every(0.01, "x"), lambda: Ticks(0.01)]
)
def test_sources_without_end_conform(factory: Callable[[], Component]) -> None:
    check_component(factory, ends=False)


@pytest.fixture
def silent_pipe() -> Iterator[Callable[[], io.FileIO]]:
    """Makes streams on which nobody ever types."""
    opened: list[io.FileIO] = []
    read_fd, write_fd = os.pipe()

    def stream() -> io.FileIO:
        opened.append(io.FileIO(os.dup(read_fd)))
        return opened[-1]

    # The suite looks for leaks itself, so these are all opened before it begins.
    ready = [stream() for _ in range(30)]
    yield ready.pop
    for each in opened:
        each.close()
    os.close(read_fd)
    os.close(write_fd)


def test_console_reader_conforms_while_nobody_types(silent_pipe: Callable[[], io.FileIO]) -> None:
    check_component(lambda: ConsoleReader(stream=silent_pipe()), ends=False)
