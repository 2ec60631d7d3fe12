"""Components at the ends of a graph under test: what feeds it, what collects from it, what breaks in it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from axonlike.component import Component
from axonlike.errors import Finished

__all__ = ["CRASH", "END", "PAUSE", "Crashing", "Feeder", "Probe", "Stalled"]


@dataclass(frozen=True, slots=True)
class PAUSE:
    """In a Feeder's list: nothing for so many seconds of the scheduler's clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CRASH:
    """In a Feeder's list: raise this exception."""

    exception: BaseException


class _End:
    def __repr__(self) -> str:
        return "END"


END: Final = _End()
"""In a Feeder's list: end here; what comes after is never sent."""


class Feeder(Component):
    """Sends each thing in `items`, then ends. PAUSE(seconds), CRASH(exception) and END in it are obeyed, not sent.

    One message a step, so that back-pressure holds it at the limit. `sent` counts what it has sent.
    """

    def __init__(self, items: Iterable[Any], *, name: str = "Feeder") -> None:
        self.name = name
        self.sent = 0
        self._items = items

    def main(self) -> Generator[Any, Any, None]:
        for item in self._items:
            if isinstance(item, PAUSE):
                yield self.sleep(item.seconds)
            elif isinstance(item, CRASH):
                raise item.exception
            elif item is END:
                return
            else:
                self.sent += 1
                self.send(item)
                yield


class Probe(Component):
    """Keeps everything that comes in, with the scheduler's time.

    `messages` and `times_s` have the same length. `ended` tells how it ended: "" while it runs, "finished" after end of
    input, "stopped" after Shutdown. seconds_each: how long it takes over each message (a slow receiver).
    forward: also sends it on.
    """

    def __init__(self, *, seconds_each: float = 0.0, forward: bool = False, name: str = "Probe") -> None:
        self.name = name
        self.messages: list[Any] = []
        self.times_s: list[float] = []
        self.ended_by = ""
        self._seconds_each = seconds_each
        self._forward = forward

    @property
    def timed(self) -> list[tuple[float, Any]]:
        """(time, message) for each message."""
        return list(zip(self.times_s, self.messages, strict=True))

    def main(self) -> Generator[Any, Any, None]:
        try:
            while True:
                yield self.wait("inbox")
                if self._forward or self._seconds_each:
                    self._keep(self.recv())
                    if self._seconds_each:
                        yield self.sleep(self._seconds_each)
                else:
                    for message in self.inbox():
                        self._keep(message)
        except Finished:
            self.ended_by = "finished"
            raise
        finally:
            self.ended_by = self.ended_by or "stopped"

    def _keep(self, message: Any) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        self.messages.append(message)
        self.times_s.append(scheduler.time())
        if self._forward:
            self.send(message)


class Stalled(Component):
    """A receiver that never takes anything: its inbox (limit messages) fills, and what feeds it is held back.

    It waits by sleeping, so it does not end at end of input; stop the run.
    """

    def __init__(self, limit: int = 1, *, name: str = "Stalled") -> None:
        self.name = name
        self.configure_inbox("inbox", limit=limit)

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.sleep(3600.0)


class Crashing(Component):
    """Hands messages on and raises `exception` at the one numbered `at` (from 1); with at=0 before the first.

    times: how often it crashes; a component that is restarted begins to count anew.
    """

    def __init__(self, at: int, exception: BaseException, *, times: int = 1, name: str = "Crashing") -> None:
        self.name = name
        self.crashes = 0
        self._at = at
        self._exception = exception
        self._times = times

    def main(self) -> Generator[Any, Any, None]:
        self._count(0)
        number = 0
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                number += 1
                self._count(number)
                self.send(message)

    def _count(self, number: int) -> None:
        if number == self._at and self.crashes < self._times:
            self.crashes += 1
            raise self._exception
