"""What a body may yield or await besides nothing: pure data that the scheduler reads.

A bare ``yield`` (or ``yield 1``, Kamaelia's spelling) means "run me again soon". Everything else is one of the
objects below, made by the component's own `wait`, `sleep` and `join`. They hold no state, so one object may be
yielded any number of times. All of them can be awaited too: an ``async def main`` is driven by the same scheduler,
which sees the same objects.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from axonlike.errors import UsageError

__all__ = ["PAUSE", "PLAIN", "ROOM", "Foreign", "Join", "Room", "Sleep", "Wait", "plain_wait"]


def checked_seconds(value: Any, where: str) -> float:
    """`value` as seconds. Raises UsageError, at the user's line, for what is no number or not a time (NaN)."""
    if type(value) is float and value == value:
        return value
    try:
        seconds = float(value) if not isinstance(value, (str, bytes)) else math.nan
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if seconds != seconds:
        raise UsageError(f"{where} takes seconds, not {value!r}")
    return seconds


class _Trap:
    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            return (yield self)
        except RuntimeError as exc:
            if str(exc).startswith("Task got bad yield"):  # asyncio says that, of what only the scheduler understands
                raise UsageError(
                    f"{self!r} is awaited in an asyncio task, but can be only in main() itself: gather, wait_for, "
                    "TaskGroup and create_task make tasks. There use asyncio.sleep and the like; for a time-out use "
                    "`async with asyncio.timeout(...)` in main()"
                ) from None
            raise


class Wait(_Trap):
    """Until one of the named boxes holds a message (no names: any inbox but control), or the time is over.

    Level-triggered: a box that is not empty ends the wait at once. The result is the box's name, or None when
    `timeout_s` passed first.
    """

    __slots__ = ("boxes", "simple", "timeout_s")

    def __init__(self, boxes: tuple[str, ...], timeout_s: float | None = None) -> None:
        self.boxes = boxes
        self.timeout_s = timeout_s if timeout_s is None else checked_seconds(timeout_s, "wait(timeout=...)")
        # For the scheduler's short way: the one box of a plain wait, "" for any inbox, None for all other waits.
        self.simple = None if timeout_s is not None or len(boxes) > 1 else boxes[0] if boxes else ""

    def __repr__(self) -> str:
        named = ", ".join(map(repr, self.boxes)) or "any inbox"
        return f"wait({named})" if self.timeout_s is None else f"wait({named}, timeout={self.timeout_s:g})"


class Sleep(_Trap):
    """Until `seconds` have passed on the scheduler's clock, whatever arrives meanwhile."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        usual = type(seconds) is float and seconds == seconds
        self.seconds = seconds if usual else checked_seconds(seconds, "sleep()")

    def __repr__(self) -> str:
        return f"sleep({self.seconds:g})"


class Join(_Trap):
    """Until each of the components has ended (none given: all children of the one that waits)."""

    __slots__ = ("components",)

    def __init__(self, components: tuple[Any, ...]) -> None:
        self.components = components

    def __repr__(self) -> str:
        return f"join({', '.join(c.name for c in self.components) or 'all children'})"


class Room(_Trap):
    """Until no box that this component feeds under `block` is full: what ``await self.send(...)`` suspends on."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "send"


class Foreign(_Trap):
    """An asyncio future that an ``async def main`` awaits; made by the async body, never by a user."""

    __slots__ = ("future",)

    def __init__(self, future: Any) -> None:
        self.future = future

    def __repr__(self) -> str:
        return f"await {self.future!r}"


PAUSE = Wait(())
"""What `Component.pause` turns into at the next yield."""

ROOM = Room()

# A plain wait is the same for every component, so one object serves all: by its one box, or None for any inbox.
PLAIN: dict[str | None, Wait] = {None: Wait(())}
_PLAIN_KEPT = 1024


def plain_wait(box: str) -> Wait:
    """The shared wait for one box, without a time-out."""
    wait = PLAIN.get(box)
    if wait is None:
        wait = Wait((box,))
        if len(PLAIN) < _PLAIN_KEPT:
            PLAIN[box] = wait
    return wait
