"""A thread that waits for file descriptors and for its own boxes at the same time.

`ThreadedComponent` can wait for messages, and any thread can wait for a descriptor, but a component that reads a device
and is written to must wait for both, and must notice Shutdown while it does. A pipe joins the two: whatever the
scheduler's side has to say (a message, end of input, Shutdown) writes one byte into it, and the thread waits for that
pipe together with its descriptors. Nothing polls.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from axonlike.box import Inbox
from axonlike.errors import Stopped, UsageError
from axonlike.threads import ThreadedComponent

__all__ = ["DescriptorComponent", "Ready", "WakePipe", "wait_for_descriptors"]

_POLL_REFUSES_TERMINALS = sys.platform == "darwin"
_LONGEST_POLL_S = 3600.0  # poll() counts milliseconds in 32 bits


@dataclass(frozen=True, slots=True)
class Ready:
    """Why `DescriptorComponent.wait_io` returned. All empty and False: the time was over."""

    readable: frozenset[int] = frozenset()
    """Descriptors that can be read, or are at their end, or failed: a read says which."""
    writable: frozenset[int] = frozenset()
    hung_up: frozenset[int] = frozenset()
    """Those of which the other side has gone; there may be bytes left to read."""
    box: str | None = None
    """An inbox that holds a message."""
    input_ended: bool = False
    """All inboxes are empty, and nothing will come any more."""


class WakePipe:
    """A pipe that makes a thread's wait for descriptors return. `wake` may be called from any thread, at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_fd, self._write_fd = os.pipe()
        self._open = True
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def fileno(self) -> int:
        """What to give to a selector: readable after `wake`."""
        return self._read_fd

    def wake(self) -> None:
        """Make the pipe readable. Harmless after `close`."""
        with self._lock:
            if self._open:
                # Full is as good as written: it is readable then.
                with contextlib.suppress(BlockingIOError):
                    os.write(self._write_fd, b"w")

    def drain(self) -> None:
        """Make it unreadable, until the next `wake`."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._read_fd, 512)) == 512:
                pass

    def close(self) -> None:
        """Close both ends; harmless a second time."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._read_fd)
                os.close(self._write_fd)


class DescriptorComponent(ThreadedComponent):
    """A ThreadedComponent for devices: write `attend` in place of main(), and wait in it with `wait_io`.

    `send` may be used as in every thread; while it waits for room, descriptors are not attended to. Shutdown raises
    `Stopped` in `wait_io` and `send`; clean up in a `finally`. POSIX only; UsageError elsewhere.
    """

    _wake_pipe: WakePipe | None = None

    def attend(self) -> None:
        """What the thread does."""
        raise UsageError(f"{type(self).__name__} has no attend(): write one, and wait in it with self.wait_io(...)")

    def main(self) -> None:
        if os.name != "posix":
            raise UsageError(f"{self.path} waits for file descriptors, which {sys.platform} does not offer for devices")
        pipe = self._wake_pipe = WakePipe()
        try:
            self.attend()
        finally:
            pipe.close()

    def wait_io(
        self,
        read: Collection[int] = (),
        write: Collection[int] = (),
        *,
        timeout_s: float | None = None,
        boxes: Collection[str] = ("inbox",),
    ) -> Ready:
        """Wait until a descriptor is ready, one of `boxes` holds a message, all input has ended, or time is over.

        The end of input is reported each time when `boxes` are named: leave them out (``boxes=()``) to wait on for
        descriptors alone. The time is real time. Raises Stopped after Shutdown.
        """
        pipe = self._wake_pipe
        assert pipe is not None, "wait_io is for attend()"
        inboxes = [self.open_inbox(name) for name in boxes]
        try:
            if inboxes:
                # Ask to be told before looking: what is put after the look wakes the pipe.
                self.ask_for_messages(True)
            self._check_stopped()
            box, input_ended = self._look(inboxes)
            at_once = box is not None or input_ended
            if at_once and not read and not write:
                return Ready(box=box, input_ended=input_ended)
            readable, writable, hung_up = wait_for_descriptors(
                [pipe.fileno(), *read], write, 0.0 if at_once else timeout_s
            )
        finally:
            self.ask_for_messages(False)
        if pipe.fileno() in readable:
            pipe.drain()
        self._check_stopped()
        if not at_once:
            box, input_ended = self._look(inboxes)
        return Ready(readable - {pipe.fileno()}, writable, hung_up, box, input_ended)

    def _look(self, inboxes: list[Inbox]) -> tuple[str | None, bool]:
        for inbox in inboxes:
            if inbox.depth:
                return inbox.name, False
            if inbox.full and self.scheduler is not None:
                self.scheduler.call_from_thread(inbox.settle)
        # Read after the boxes were seen empty a last time, so that no message can have come before the end.
        return None, bool(inboxes) and self.input_ended and not any(inbox.depth for inbox in inboxes)

    def _check_stopped(self) -> None:
        if self.stopping:
            raise Stopped

    def _wake(self) -> None:
        if self._wake_pipe is not None:
            self._wake_pipe.wake()

    # -- what the scheduler's thread calls

    def interrupt(self) -> None:
        self._wake()

    def notify(self, inbox: Inbox) -> None:
        super().notify(inbox)
        self._wake()

    def notice_end_of_input(self) -> None:
        super().notice_end_of_input()
        self._wake()


def wait_for_descriptors(
    read: Collection[int], write: Collection[int] = (), timeout_s: float | None = None
) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """Those that can be read (or failed), those that can be written (or failed), and those that hung up.

    Takes any descriptor, also a regular file and one above 1023. Blocks at most an hour, so look again.
    """
    if timeout_s is None or timeout_s > _LONGEST_POLL_S:
        timeout_s = _LONGEST_POLL_S
    if _POLL_REFUSES_TERMINALS:
        readable, writable, _ = select.select(list(read), list(write), [], max(0.0, timeout_s))
        return frozenset(readable), frozenset(writable), frozenset()
    wanted: dict[int, int] = dict.fromkeys(read, select.POLLIN)
    for fd in write:
        wanted[fd] = wanted.get(fd, 0) | select.POLLOUT
    poll = select.poll()
    for fd, events in wanted.items():
        poll.register(fd, events)
    # Rounded up: 0.4 ms rounded down would be no wait at all, again and again.
    milliseconds = 0 if timeout_s <= 0 else int(timeout_s * 1000) + 1
    failed = select.POLLERR | select.POLLHUP | select.POLLNVAL
    seen: list[Any] = poll.poll(milliseconds)
    return (
        frozenset(fd for fd, events in seen if wanted[fd] & select.POLLIN and events & (select.POLLIN | failed)),
        frozenset(fd for fd, events in seen if wanted[fd] & select.POLLOUT and events & (select.POLLOUT | failed)),
        frozenset(fd for fd, events in seen if events & failed),
    )
