"""A thread that waits for descriptors and boxes at once: nothing is missed, and Shutdown comes at once."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent
from axonlike.components.util import Collect, DataSource, DescriptorComponent
from axonlike.components.util.descriptors import WakePipe, wait_for_descriptors
from axonlike.errors import ComponentError, UsageError


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


class Both(DescriptorComponent):
    """Sends what it reads from a descriptor, and what comes into its inbox."""

    def __init__(self, fd: int, until: bytes = b"") -> None:
        self.fd = fd
        self.until = until

    def attend(self) -> None:
        ended = False
        seen = b""
        while not (ended and seen.endswith(self.until)):
            ready = self.wait_io([self.fd], boxes=() if ended else ("inbox",))
            if ready.readable:
                data = os.read(self.fd, 10)
                seen += data
                self.send(data)
            if ready.box is not None:
                self.send(self.recv())
            ended = ended or ready.input_ended


def test_it_waits_for_messages_and_descriptors_at_once_and_misses_none(pipe: tuple[int, int]) -> None:
    read_fd, write_fd = pipe
    writer = threading.Thread(target=lambda: [os.write(write_fd, piece) for piece in [b"x"] * 500 + [b"."]])
    collect = Collect()
    writer.start()
    Scheduler().run(Pipeline(DataSource(range(3000)), Both(read_fd, b"."), collect, limit=7))
    writer.join()
    assert [m for m in collect.messages if isinstance(m, int)] == list(range(3000))
    assert b"".join(m for m in collect.messages if isinstance(m, bytes)) == b"x" * 500 + b"."


def test_the_end_of_input_wakes_it(pipe: tuple[int, int]) -> None:
    class Late(Component):
        def main(self) -> Any:
            self.send(1)
            yield self.sleep(0.05)

    collect = Collect()
    Scheduler().run(Pipeline(Late(), Both(pipe[0]), collect))
    assert collect.messages == [1]


def test_messages_one_at_a_time_each_wake_it(pipe: tuple[int, int]) -> None:
    class Slow(Component):
        def main(self) -> Any:
            for n in range(200):
                self.send(n)
                yield
                yield

    collect = Collect()
    Scheduler().run(Pipeline(Slow(), Both(pipe[0]), collect))
    assert collect.messages == list(range(200))


def test_a_time_out_returns_an_empty_answer() -> None:
    class Once(DescriptorComponent):
        def attend(self) -> None:
            self.send(self.wait_io(timeout_s=0.01, boxes=()))

    collect = Collect()
    Scheduler().run(Pipeline(Once(), collect))
    (ready,) = collect.messages
    assert (ready.readable, ready.box, ready.input_ended) == (frozenset(), None, False)


def test_an_attend_that_is_missing_is_named() -> None:
    with pytest.raises(ComponentError) as caught:
        Scheduler().run(DescriptorComponent())
    assert isinstance(caught.value.cause, UsageError)


def test_a_wake_pipe_can_be_filled_and_closed_without_harm() -> None:
    pipe = WakePipe()
    for _ in range(100_000):  # more than a pipe holds
        pipe.wake()
    assert wait_for_descriptors([pipe.fileno()], (), 0)[0] == {pipe.fileno()}
    pipe.drain()
    assert wait_for_descriptors([pipe.fileno()], (), 0)[0] == frozenset()
    pipe.close()
    pipe.wake()
    pipe.close()


def test_descriptors_above_1023_are_waited_for(pipe: tuple[int, int]) -> None:
    """select() refuses them; a server with a thousand clients has them."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= 1100:
        pytest.skip("the limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, 1200), hard))
    try:
        os.dup2(pipe[0], 1100)
        os.write(pipe[1], b"x")
        assert wait_for_descriptors([1100], (), 5)[0] == {1100}
        os.close(1100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def test_a_thread_that_has_just_made_room_and_rests_is_no_deadlock() -> None:
    """The senders have been told of the room, but not in the scheduler's thread yet."""

    class Slow(Component):
        def main(self) -> Any:
            for n in range(150):  # where it is one, it is one of the first
                self.send(n)
                yield

    class Eats(ThreadedComponent):
        def main(self) -> None:
            while True:
                self.wait("inbox")
                for _ in self.inbox():
                    pass

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(40):
            Scheduler(watchdog_s=None).run(Pipeline(Slow(), Eats(), limit=1))
    finally:
        sys.setswitchinterval(interval_s)
