"""Components that callbacks of the event loop drive: sockets, pipes, signals.

A generator waits in the scheduler; a socket waits in the event loop. `Driven` is the seam: it has boxes and a name
like every component, but no steps. What comes from outside is handed on with `deliver`; when the receiver is full,
`when_room` says when to go on. `end` and `fail` finish it.

What comes into its inboxes a `Listening` component hears of at once, by a callback too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from axonlike.box import Inbox
from axonlike.component import Component
from axonlike.part import SeveralFeeds
from axonlike.shutdown import State
from axonlike.waits import Wait

__all__ = ["Driven", "Listening"]

_ANY = Wait((), 0.0)  # never "simple", so that every message comes through `notify`


class _Waiter:
    """Stands in a full inbox's line on behalf of a callback."""

    __slots__ = ("action", "component")

    def __init__(self, component: Driven, action: Callable[[], None]) -> None:
        self.component = component
        self.action: Callable[[], None] | None = action

    def unblock(self, inbox: Inbox) -> None:
        action, self.action = self.action, None
        if action is not None:
            action()
        # It sends at once or never: the next in line is let in if there is room still.
        if not inbox.full and inbox.waiters:
            inbox.settle()


class Listening(Component):
    """A component without steps that hears its inboxes. Write `notify`: it is called for each message that comes.

    `notify` may leave messages in the box; the scheduler does not ask again. All is in the scheduler's thread.
    """

    always_trips: ClassVar[bool] = True

    @property
    def _state(self) -> State:
        return self._stands  # for the scheduler it is outside, though `waiting` is set so that `notify` hears

    @_state.setter
    def _state(self, state: State) -> None:
        self._stands = state

    def listen(self) -> None:
        """Hear from now on; what is there already is heard at once."""
        self._state = State.OUTSIDE
        self.waiting = _ANY
        for inbox in tuple(self._data):
            if inbox.depth:
                self.notify(inbox)


class Driven(Component):
    """A component without steps. Write `begin`, and `stopped` to let go of what it holds.

    While it is alive the scheduler counts it as something that may bring messages. All methods are called in the
    scheduler's thread, by callbacks of its event loop.
    """

    def begin(self) -> None:
        """Start whatever calls back. An exception here is the component's failure."""

    def stopped(self) -> None:
        """Shutdown or the end: let go of sockets and handles. Called once."""

    def end_of_input(self) -> None:
        """All producers have ended. The default ends the component."""
        self.end()

    def start(self) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        self._state = State.OUTSIDE
        scheduler.hold(self, f"{self.path} is driven from outside")
        self.begin()

    def deliver(self, message: Any, box: str = "outbox") -> bool:
        """Send; False when the receiver is full now and `when_room` should be asked before more is sent."""
        self.send(message, box)
        return not self._feed.full

    @property
    def has_room(self) -> bool:
        """True while no bounded box that this component feeds is full."""
        return not self._feed.full

    def when_room(self, action: Callable[[], None]) -> None:
        """Call `action` once there is room for more (at once if there is)."""
        feed = self._feed
        full = feed.full if isinstance(feed, SeveralFeeds) else feed if feed.full else None
        if not full:
            action()
            return
        if full.waiters is None:
            full.waiters = deque()
        # Another box that it feeds may be full by then, so it looks again.
        full.waiters.append(_Waiter(self, lambda: self.when_room(action)))

    def end(self) -> None:
        """An ordinary end: what was delivered stays delivered, the receivers get end of input."""
        scheduler = self._scheduler
        if scheduler is None or self._state is State.ENDED:
            return
        self.stopped()
        scheduler.part_ended(self)

    def fail(self, exc: BaseException) -> None:
        """Something went wrong: treated like an exception in a main()."""
        scheduler = self._scheduler
        if scheduler is None or self._state is State.ENDED:
            return
        self.stopped()
        scheduler.part_failed(self, exc)

    def close_body(self) -> bool:
        self.stopped()
        return True

    def notice_end_of_input(self) -> None:
        self.end_of_input()
