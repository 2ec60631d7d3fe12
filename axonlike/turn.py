"""What a message touches of a component, in an object of one class.

The scheduler's loop, `Inbox` and `Component.send` read a dozen attributes for every message. CPython's inline caches
make that cheap while all the objects met at one place in the code are of one class. In a real graph every component
has a class of its own, and the same accesses cost several times as much. So what is needed for every message lives
here; `Part` has properties of the same names for everyone else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axonlike.waits import Wait

__all__ = ["Turn"]


class Turn:
    """One component's place in the scheduler: what stands in its ready queue."""

    __slots__ = (
        "after",
        "feed",
        "input_ended",
        "last",
        "only",
        "parks",
        "part",
        "pausing",
        "rests_on",
        "resume",
        "scheduler",
        "value",
        "waiting",
        "why",
    )

    def __init__(self, part: Any, feed: Any) -> None:
        self.part = part
        self.resume: Callable[[Any], Any]
        """Runs one step: the body's `send`."""
        self.value: Any = None
        """What the yield returns at the next step."""
        self.feed = feed
        """The bounded box that it feeds; before each step `feed.full` is looked at."""
        self.waiting: Wait | None = None
        """What it waits for in its boxes; None in every other state."""
        self.rests_on: Any = None
        """The empty box that it waits for while it still stands in the ready queue (see `Scheduler._run_ready`)."""
        self.parks = 0
        """How often it is parked at once before it rests again."""
        self.why: Any = None
        """What it waits for, in the other states."""
        self.after: Any = None
        """What has to be settled when its step is over: boxes it drained, a place in a line that it was given."""
        self.only: Any = None
        """Its only data inbox; None if there are several or none."""
        self.last: Any = None
        """The inbox from which it took a message last."""
        self.pausing = False
        self.input_ended = False
        self.scheduler: Any = None
