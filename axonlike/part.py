"""What the scheduler knows of a component: a body, a name, a state, and what it is asked and told."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.box import Inbox, both
from axonlike.errors import NoSuchBox
from axonlike.shutdown import State
from axonlike.timers import Timer
from axonlike.turn import Turn
from axonlike.waits import Wait

if TYPE_CHECKING:
    from axonlike.scheduler import Scheduler

__all__ = ["NO_FEED", "Part", "SeveralFeeds", "how_to_make_one"]


class SeveralFeeds:
    """Stands for several bounded boxes that one part feeds."""

    __slots__ = ("inboxes",)

    def __init__(self, inboxes: tuple[Inbox, ...]) -> None:
        self.inboxes = inboxes

    @property
    def full(self) -> Inbox | None:
        """The first of them that is full."""
        for inbox in self.inboxes:
            if inbox.full:
                return inbox
        return None


class _Nobody:
    """The owner of the box that is never full."""

    path = "nobody"
    always_trips = False

    def __init__(self) -> None:
        self._turn = Turn(self, None)

    def notify(self, inbox: Inbox) -> None:
        """Nothing is ever sent to it."""


# An Inbox like all the others, so that the scheduler's look at `part._feed.full` meets one type.
NO_FEED = Inbox(_Nobody(), "none")


def how_to_make_one(candidate: object) -> str:
    """``: `` and what to write instead of something that is not a component; an empty string if there is no saying."""
    if isinstance(candidate, type):
        return f": pass an instance, {candidate.__name__}(...)"
    if inspect.iscoroutine(candidate) or inspect.isgenerator(candidate) or inspect.iscoroutinefunction(candidate):
        return f": write a Component whose main() does what {candidate.__name__}() does"
    if inspect.isroutine(candidate):
        return f": make one of the function, step({candidate.__name__})"
    if isinstance(candidate, list | tuple):
        of_parts = any(isinstance(item, Part) for item in candidate)
        return ": put a * before it" if of_parts else ": to send what is in it, DataSource([...])"
    return ""


def _in_turn(name: str) -> Any:
    """A property of `Part` that stands for an attribute of its `Turn`."""

    def set_it(part: Part, value: Any) -> None:
        setattr(part._turn, name, value)

    return property(operator.attrgetter(f"_turn.{name}"), set_it)


class Part:
    """Anything with a body and a name: what the scheduler knows of a component.

    `Component` builds boxes and links on it. Underscored attributes belong to the kernel.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_children",
        "_closing",
        "_counts",
        "_data",
        "_group",
        "_inboxes",
        "_joined_by",
        "_links",
        "_parent",
        "_stands",
        "_timer",
        "_turn",
        "name",
    )

    service: ClassVar[bool] = False
    """True for what serves others and never ends by itself: `run()` does not wait for it."""

    always_trips: ClassVar[bool] = False
    """True where the owner of the inboxes is another thread (see box.py)."""

    name: str
    _turn: Turn
    """What every message touches; the properties below read and set it."""
    _stands: State
    _body: Any
    _timer: Timer | None
    _parent: Part | None
    _children: dict[Part, None]
    _data: tuple[Inbox, ...]
    _closing: bool
    _counts: bool
    _group: Any
    _inboxes: dict[str, Inbox]
    _joined_by: list[Part] | None
    _links: dict[str, Any]
    """Where each outbox leads: an Inbox, a Sink or a Door."""

    waiting: Wait | None = _in_turn("waiting")
    _after: Any = _in_turn("after")
    _feed: Inbox | SeveralFeeds = _in_turn("feed")
    _input_ended: bool = _in_turn("input_ended")
    _last: Inbox | None = _in_turn("last")
    _only: Inbox | None = _in_turn("only")
    _pausing: bool = _in_turn("pausing")
    _rests_on: Inbox | None = _in_turn("rests_on")
    _resume: Callable[[Any], Any] = _in_turn("resume")
    _scheduler: Scheduler | None = _in_turn("scheduler")
    _value: Any = _in_turn("value")
    _why: Any = _in_turn("why")

    @property
    def _state(self) -> State:
        # Waiting and waking happen once a message: they set `waiting` alone.
        return State.WAITING if self._turn.waiting is not None else self._stands

    @_state.setter
    def _state(self, state: State) -> None:
        self._stands = state

    # -- what the scheduler asks of a part; `Component` and its kinds fill these in

    @property
    def path(self) -> str:
        """Where the part stands: the names from the outermost chassis to itself, joined by "/"."""
        names = [self.name]
        parent = self._parent
        while parent is not None:
            names.append(parent.name)
            parent = parent._parent
        return "/".join(reversed(names))

    def provide(self, scheduler: Scheduler) -> None:
        """Phase one of starting: register the names that this part provides."""

    def resolve(self, scheduler: Scheduler) -> None:
        """Phase two of starting: look up the names that this part needs."""

    def start(self) -> Callable[[Any], Any] | None:
        """Phase three: make the body; returns what runs one step, or None for a part without steps."""
        return None

    def close_body(self) -> bool:
        """Shutdown: end the body. True if it has ended, False if it will say so later (`Scheduler.part_ended`)."""
        return True

    def abandon(self) -> str:
        """The deadline has passed: give the body up; returns what was left running, for the report."""
        return "did not stop"

    def notice_end_of_input(self) -> None:
        """End of input for a body that runs outside the scheduler."""

    def unlink_all(self, shut_down: bool) -> None:
        """The part has ended: close its boxes and tell those it fed."""

    def open_inbox(self, name: str) -> Inbox:
        """The inbox of that name, made if need be. Raises NoSuchBox."""
        raise NoSuchBox(f"{self.path} has no inbox {name!r}")

    def consumers(self) -> Iterable[Part]:
        """The parts that its outboxes feed."""
        return ()

    def companions(self) -> Iterable[Part]:
        """The parts that are activated with it."""
        return ()

    def has_producers(self) -> bool:
        """True while somebody who may still send is linked to one of its data inboxes."""
        return False

    def part_ending(self, part: Part) -> None:
        """A part below it, however deep, has ended and closes its boxes next: the last moment to link around it."""

    def child_ended(self, child: Part) -> None:
        """One of its children has ended."""

    def forget_child(self, child: Part) -> None:
        """It has ended, or will not be started."""
        self._children.pop(child, None)

    def stop_children(self, reason: str) -> Sequence[Part]:
        """It was told to stop: what of the parts that it is made of the scheduler is to stop now, in this order."""
        return tuple(self._children)

    def child_failed(self, child: Part, error: BaseException) -> bool:
        """One of its children failed: True if that was dealt with, and need not end the run."""
        return False

    def failed(self, error: BaseException) -> bool:
        """Its own body raised `error`: apply its error policy; True if that was dealt with."""
        return False

    def describe_failure(self, error: BaseException) -> BaseException:
        """The error as `run()` raises it."""
        return error

    def blocked_on(self) -> Inbox | None:
        """The full box for whose room it waits."""
        return self._why if self._state is State.BLOCKED else None

    # -- waking

    def notify(self, inbox: Inbox) -> None:
        """A message has come into `inbox` while this part waits."""
        wait = self.waiting
        assert wait is not None
        boxes = wait.boxes
        if inbox.name not in boxes if boxes else inbox not in self._data:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._turn.waiting = None
        self._value = inbox.name
        scheduler = self._scheduler
        assert scheduler is not None
        scheduler.ready.append(self._turn)
        if not scheduler.awake:
            scheduler.kick()

    def unblock(self, inbox: Inbox) -> None:
        """There is room in `inbox`, for which this part waited; it is looked at again before its step."""
        self._state = State.READY
        # When its step is over (or it finds no room after all) the next in line is let in.
        self._after = both(self._after, inbox)
        scheduler = self._scheduler
        assert scheduler is not None
        scheduler.ready.append(self._turn)
        if not scheduler.awake:
            scheduler.kick()
