"""Inboxes: bounded queues that wake their owner, hold back their senders, and count everything.

Theory of operation
-------------------
A send is ``queue.append(message)`` followed by one comparison, ``len(queue) >= trip``. All that a message can bring
about (waking the owner, the box becoming full, a policy that drops, a runaway sender) hides behind that comparison:
`trip` is kept at the depth at which something has to happen next, and `tripped` does it. So a send costs the same
whether boxes are bounded or not.

    owner waits for this box       trip = 1                 the next message wakes it
    nothing special                trip = limit             (limit + 1 where the policy drops or refuses)
    full, policy "block"           trip = limit + 10 001    a runaway; until then overshoot within a step is allowed

An inbox whose owner is a thread keeps `trip` at 1 (`always_trips`): both sides would race to write it.

`trip` may be lower than need be (left at 1 by a wait that ended otherwise): `tripped` then just sets it right.

`queue` is the box itself until the first message comes: an empty deque takes 760 bytes, and most boxes of a large
graph (control, signal, errors) never see a message.

Draining (``for message in self.inbox():``) moves what is there into a list and hands out the list's own iterator,
which costs C speed only. What the loop has not taken yet, `_rest`, still waits in the box: whoever counts reads it
off the iterator.

Conservation, for each box at any time:  offered == taken + dropped + unread_at_end + depth.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast, get_args

from axonlike.errors import BoxFull, BoxOverrun, Finished, WiringError, did_you_mean
from axonlike.turn import Turn
from axonlike.waits import ROOM, plain_wait

__all__ = [
    "DEFAULT_LIMIT",
    "OVERRUN",
    "UNBOUNDED",
    "BoxStatistics",
    "Destination",
    "Inbox",
    "Policy",
    "Several",
    "Sink",
    "both",
    "check_policy",
]

Policy = Literal["block", "drop_oldest", "drop_newest", "latest", "error"]
"""What a full inbox does: hold back the sender, drop, keep only the newest, or refuse with `BoxFull`."""

DEFAULT_LIMIT: Final = 1000
UNBOUNDED: Final = sys.maxsize
OVERRUN: Final = 10_000
"""How far past a box's limit one step may send before it is called a runaway."""


_NOTHING: Any = iter([])  # of the same type as what a loop gets otherwise
_AT_ONCE: Iterator[Any] = iter(())


class Owner(Protocol):
    """What an inbox needs of the component it belongs to."""

    @property
    def _turn(self) -> Turn: ...
    @property
    def always_trips(self) -> bool: ...
    @property
    def path(self) -> str: ...
    def notify(self, inbox: Inbox) -> None: ...


class Sender(Protocol):
    """What an inbox needs of a component that waits for room in it."""

    def unblock(self, inbox: Inbox) -> None: ...


@dataclass(frozen=True, slots=True)
class BoxStatistics:
    """One inbox at one moment; offered == taken + dropped + unread_at_end + depth."""

    name: str
    depth: int
    limit: int | None
    policy: Policy
    offered: int
    taken: int
    dropped: int
    unread_at_end: int
    waiting_senders: int


def check_policy(policy: str) -> Policy:
    """The policy of that name; raises WiringError for any other word."""
    known = get_args(Policy)
    if policy not in known:
        raise WiringError(f"no box policy {policy!r}{did_you_mean(policy, known)} (there are: {', '.join(known)})")
    return cast("Policy", policy)


class Destination:
    """Where an outbox leads; what `send` returns. Awaiting it suspends until there is room."""

    __slots__ = ()
    full: Any

    def __await__(self) -> Iterator[Any]:
        return self._until_room() if self.full else _AT_ONCE

    def _until_room(self) -> Iterator[Any]:
        while self.full:
            yield from ROOM.__await__()


class Inbox(Destination):
    """A named inbox of one component. Iterate it to take what is there now; ``async for`` takes until end of input.

    Users get one from `Component.inbox`; `len()` tells its depth, `statistics()` everything.
    """

    __slots__ = (
        "__weakref__",
        "_rest",
        "_taken",
        "attention",
        "closed",
        "dropped",
        "drops",
        "feeders",
        "full",
        "last",
        "limit",
        "mark",
        "name",
        "owner",
        "policy",
        "queue",
        "rest_trip",
        "trip",
        "turn",
        "unread_at_end",
        "waiters",
    )

    def __init__(
        self, owner: Owner, name: str, limit: int | None = DEFAULT_LIMIT, policy: Policy = "block"
    ) -> None:
        self.owner = owner
        self.turn = owner._turn
        self.name = name
        self.queue: Any = self
        self.trip = 1
        self.full = False
        self.attention = True  # the short ways of the owner are open only while this is False: see `_look`
        self.closed = False
        self.last: Any = None
        self.dropped = 0
        self.unread_at_end = 0
        self.mark = (0, 0)
        self.feeders: dict[object, int] | None = None
        self.waiters: deque[Sender] | None = None
        self._taken = 0
        self._rest: Any = None  # the iterator that the last loop was given
        self.configure(limit, policy)

    def __repr__(self) -> str:
        return f"<{self.owner.path}.{self.name}: {self.depth} of {self.limit_or_none or 'any number'}>"

    # -- what the box is

    def configure(self, limit: int | None, policy: Policy) -> None:
        """Set limit and policy; what is in the box stays in it. None = no limit."""
        self.policy = check_policy(policy)
        if limit is not None and limit < 1:
            raise WiringError(f"{self.owner.path}.{self.name}: a limit is at least 1, not {limit!r}")
        self.limit = 1 if policy == "latest" else UNBOUNDED if limit is None else limit
        self.drops = policy != "block"
        self.rest_trip = 1 if self.owner.always_trips else self.limit + self.drops
        self.trip = 1  # `tripped` finds out at the next message
        if self.full and (policy != "block" or self.depth < self.limit):
            self._relieve()  # who was held back by the old limit goes on

    @property
    def limit_or_none(self) -> int | None:
        """How many messages it may hold; None where that is unbounded."""
        return None if self.limit == UNBOUNDED else self.limit

    @property
    def depth(self) -> int:
        """How many messages wait."""
        queue, rest = self.queue, self._rest
        depth = 0 if queue is self else len(queue)
        return depth if rest is None else depth + rest.__length_hint__()

    @property
    def taken(self) -> int:
        """How many messages the owner has taken."""
        rest = self._rest
        return self._taken if rest is None else self._taken - rest.__length_hint__()

    @property
    def offered(self) -> int:
        """How many messages were ever put into the box."""
        return self.taken + self.dropped + self.unread_at_end + self.depth

    @property
    def last_taken(self) -> Any:
        """The last message that was taken (None if that is not known)."""
        rest = self._rest
        if rest is None or not rest.__length_hint__():
            return self.last
        _iter, (batch,), following = rest.__reduce__()
        return batch[following - 1] if following else None

    def statistics(self) -> BoxStatistics:
        """Its counts at this moment; a frozen object."""
        return BoxStatistics(
            self.name, self.depth, self.limit_or_none, self.policy, self.offered, self.taken, self.dropped,
            self.unread_at_end, len(self.waiters) if self.waiters else 0,
        )  # fmt: skip

    # -- the sender's side. Component.send does the same in line.

    def put(self, message: Any) -> None:
        """Deliver one message. Raises BoxFull under the policy "error"."""
        queue = self.queue
        queue.append(message)
        if len(queue) >= self.trip:
            self.tripped()

    def put_many(self, messages: Iterable[Any]) -> None:
        """Deliver several messages with one look at the box's state (policies that refuse: one by one)."""
        if self.policy == "error":
            for message in messages:
                self.put(message)
            return
        if self.queue is self:
            if self.closed:
                self.unread_at_end += len(list(messages))
                return
            self.queue = deque()
            self._look()
        self.queue.extend(messages)
        if len(self.queue) >= self.trip:
            self.tripped()

    def append(self, message: Any) -> None:
        """Make the deque: only called while the box is its own `queue` (see the module's docstring)."""
        if self.closed:  # nobody links to a closed box; a direct put into one is counted here
            self.unread_at_end += 1
            return
        self.queue = deque((message,))
        self.trip = 1
        self._look()

    def _look(self) -> None:
        """Decide whether the owner may take the short way past the unusual cases."""
        self.attention = self.full or self.queue is self or self.turn.input_ended

    def popleft(self) -> Any:
        """Raises IndexError, as an empty deque does: the box is its own `queue` only while it holds nothing."""
        raise IndexError

    def __len__(self) -> int:
        return self.depth

    def __bool__(self) -> bool:
        return True  # a box is not False because it is empty

    def tripped(self) -> None:
        """Do what a message can bring about: wake the owner, mark the box full, apply the policy."""
        turn = self.turn
        wait = turn.waiting
        if wait is not None:
            simple = wait.simple
            if simple is self.name or (simple == "" and self is turn.only):
                # The short way of `notify`: a plain wait, without a timer.
                turn.waiting = None
                turn.value = self.name
                scheduler = turn.scheduler
                scheduler.ready.append(turn)
                if not scheduler.awake:
                    scheduler.kick()
            else:
                self.owner.notify(self)
        queue, limit, rest = self.queue, self.limit, self._rest
        if rest is None and len(queue) < limit:
            self.trip = self.rest_trip
            return
        if queue is self:
            return
        resting = 0 if rest is None else rest.__length_hint__()
        depth = len(queue) + resting
        if depth < limit:
            self.trip = max(1, self.rest_trip - resting)
        elif self.policy == "block":
            self.full = self.attention = True
            if resting:
                turn.after = both(turn.after, self)  # the loop goes on in a later step, which makes the room
            if depth > limit + OVERRUN:
                raise BoxOverrun(
                    f"one step sent over {OVERRUN} messages past the limit of {limit} of {self.owner.path}."
                    f"{self.name}: yield between sends, so that the receiver can run"
                )
            if not self.owner.always_trips:
                self.trip = limit + OVERRUN + 1 - resting
            elif len(queue) < limit:
                self._relieve()  # the owner's thread emptied it while we looked
        else:
            self.trip = max(1, self.rest_trip - resting)
            if depth > limit:
                self._overflow(depth - limit)

    def _overflow(self, excess: int) -> None:
        queue = self.queue
        if self.policy == "error":
            queue.pop()
            raise BoxFull(
                f'{self.owner.path}.{self.name} is full ({self.limit} messages) and refuses more (policy "error")'
            )
        drop = queue.pop if self.policy == "drop_newest" else queue.popleft
        for _ in range(min(excess, len(queue))):
            try:
                drop()
            except IndexError:
                return  # the owner's thread has emptied it while we looked
            self.dropped += 1

    # -- the owner's side. Component.recv does the first lines of `take` in line.

    def take(self) -> Any:
        """The oldest message. Raises IndexError when there is none."""
        message = self._pop() if self._rest is None else self._take_of_rest()
        if self.full and self.depth < self.limit:
            self._relieve()
        return message

    def _take_of_rest(self) -> Any:
        for message in self._rest:
            self.last = message
            return message
        self._rest = None
        self.trip = 1
        return self._pop()

    def _pop(self) -> Any:
        self.last = message = self.queue.popleft()
        self._taken += 1
        return message

    def __iter__(self) -> Any:
        rest = self._rest
        if rest is not None and rest.__length_hint__():
            self._put_back()
        queue = self.queue
        number = len(queue)
        if number == 1:
            self.last = message = queue.popleft()
            self._rest = rest = iter([message])
            self._taken += 1
            turn = self.turn
            turn.last = self
            if self.full or self.waiters or self.drops:
                turn.after = both(turn.after, self)
                self.trip = 1
        elif number:
            batch = list(queue)
            queue.clear()
            self.last = batch[-1]
            self._rest = rest = iter(batch)
            self._taken += number  # less what the iterator still has: see `taken`
            turn = self.turn
            turn.last = self
            turn.after = self if turn.after is None else both(turn.after, self)
            if self.drops:
                self.trip = 1
        else:
            self._rest = None
            return _NOTHING
        return rest

    def take_up_to(self, number: int) -> list[Any]:
        """At most so many of the oldest messages."""
        if self._rest is not None:
            self._put_back()
        if self.queue is self:
            return []
        if len(self.queue) <= number:
            messages = list(self.queue)
            self.queue.clear()
        else:
            popleft = self.queue.popleft
            messages = [popleft() for _ in range(number)]
        if messages:
            self.last = messages[-1]
            self._taken += len(messages)
            self.turn.last = self
            self.settle()
        return messages

    def count_taken(self, number: int) -> None:
        """So many messages were taken from `queue` itself (below 0: put back into it)."""
        self._taken += number

    def settle(self) -> None:
        """After a step: let a sender in where there is room now."""
        rest = self._rest
        if rest is not None and rest.__length_hint__():
            self.trip = 1  # the loop goes on in a later step; what it holds counts
        if self.full:
            if self.depth < self.limit:
                self._relieve()
            elif rest is not None and rest.__length_hint__():
                # That later step makes the room: look again after it.
                turn = self.turn
                turn.after = both(turn.after, self)
        elif self.waiters:
            self._wake_one()

    def _put_back(self) -> None:
        """A loop was left early: its rest goes back to the head of the queue."""
        self.last = self.last_taken
        left = list(self._rest)
        self._taken -= len(left)
        self.queue.extendleft(reversed(left))
        self._rest = None
        self.trip = 1

    def _relieve(self) -> None:
        self.full = False
        self.trip = 1
        self._look()
        if self.waiters:
            self._wake_one()

    def _wake_one(self) -> None:
        assert self.waiters
        self.waiters.popleft().unblock(self)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Every message until end of input."""
        while True:
            for message in self:
                yield message
            try:
                await plain_wait(self.name)
            except Finished:
                return

    # -- the end

    def close(self) -> list[Sender]:
        """The owner has ended: what is left counts as unread; the senders that waited for room are returned."""
        if self._rest is not None:
            self._put_back()
        if self.queue is not self:
            self.unread_at_end += len(self.queue)
        self.queue = self
        self.closed = True
        self.full = False
        self.attention = True
        waiters = list(self.waiters or ())
        self.waiters = None
        return waiters


class Several:
    """What is to be settled after a step that looped over several boxes."""

    __slots__ = ("parts",)

    def __init__(self, first: Any, second: Inbox) -> None:
        self.parts: dict[Any, None] = {first: None, second: None}

    def settle(self) -> None:
        """Settle each of them, in the order of their first use."""
        for part in self.parts:
            part.settle()


def both(after: Any, box: Inbox) -> Any:
    """What a turn has to settle after its step, and `box` too."""
    if after is None or after is box:
        return box
    if type(after) is Several:
        after.parts[box] = None
        return after
    return Several(after, box)


class Sink(Destination):
    """Where an outbox leads that leads nowhere: counts what is sent, and why it went nowhere."""

    __slots__ = ("count", "queue", "trip")
    full = False
    limit = UNBOUNDED
    policy = "unlinked"

    def __init__(self) -> None:
        self.count = 0
        self.queue = self
        self.trip = 1

    def append(self, _message: Any) -> None:
        """Count a message that goes nowhere."""
        self.count += 1

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def put(self, _message: Any) -> None:
        """As `append`."""
        self.count += 1

    def put_many(self, messages: Iterable[Any]) -> None:
        """As `append`, for each of them."""
        self.count += len(list(messages))

    def tripped(self) -> None:
        """Never called: a sink's length stays below its trip."""
