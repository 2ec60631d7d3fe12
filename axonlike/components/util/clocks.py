"""Messages at regular times, from the scheduler's timers: no thread, and no wake-up in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import UsageError
from axonlike.linkage import Box

__all__ = ["Every", "Tick", "Ticks"]


@dataclass(frozen=True, slots=True)
class Tick:
    """One beat of `Ticks`. time_s: when it was due, in seconds since the first one could have been; missed: how many
    beats just before it were left out because the program, or the machine, did not run."""

    number: int
    time_s: float
    missed: int = 0


class _Beats(Component):
    """Times that are whole multiples of an interval after the start, whatever each of them takes."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "ignored; the end of what feeds it ends this"}

    def __init__(self, interval_s: float, *, at_once: bool = False, count: int | None = None) -> None:
        if not (interval_s > 0 and math.isfinite(interval_s)):
            raise UsageError(f"{type(self).__name__}: interval_s is a number of seconds above 0, not {interval_s!r}")
        if count is not None and count < 1:
            raise UsageError(f"{type(self).__name__}: count is at least 1, not {count!r}")
        self.interval_s = interval_s
        self.at_once = at_once
        self.count = count
        self.missed = 0

    def main(self) -> Generator[Any, Any, None]:
        scheduler = self.scheduler
        assert scheduler is not None
        start_s = scheduler.time()
        beat = 0 if self.at_once else 1
        sent = 0
        while self.count is None or sent < self.count:
            due_s = start_s + beat * self.interval_s
            while (left_s := due_s - scheduler.time()) > 0:
                if (yield self.wait("inbox", timeout=left_s)) is not None:
                    for _ in self.inbox():
                        pass
            # The last beat that is due now goes out; those before it would only make a burst.
            late = int((scheduler.time() - due_s) / self.interval_s)
            self.missed += late
            beat += late
            self.beat(sent, beat * self.interval_s, late)
            sent += 1
            beat += 1
            yield

    def beat(self, number: int, time_s: float, missed: int) -> None:
        raise NotImplementedError


class Every(_Beats):
    """Sends `message` every `interval_s` seconds; if it is a function, what that returns (None: nothing this time).

    The first time after one interval; at_once: at once. count: ends after so many. Times do not drift: they are
    multiples of the interval after the start. When the program could not run, or its receiver was full, for several
    intervals, one message goes out and the others are left out and counted in `missed`.
    """

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the message, again and again"}

    def __init__(
        self,
        interval_s: float,
        message: Any | Callable[[], Any] = None,
        *,
        at_once: bool = False,
        count: int | None = None,
    ) -> None:
        super().__init__(interval_s, at_once=at_once, count=count)
        self.message = message

    def beat(self, number: int, time_s: float, missed: int) -> None:
        if callable(self.message):
            message = self.message()
            if message is not None:
                self.send(message)
        else:
            self.send(self.message)


class Ticks(_Beats):
    """Sends a `Tick` (number, time_s, missed) every `interval_s` seconds; otherwise as `Every`."""

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("ticks", Tick)}

    def beat(self, number: int, time_s: float, missed: int) -> None:
        self.send(Tick(number, time_s, missed))
