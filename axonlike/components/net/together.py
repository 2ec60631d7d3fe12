"""What is published to many clients of one server: kept once, encoded once, and written to all of them in one go.

Theory of operation
-------------------
A subscription that feeds a TCP client hands each message to that client's sender, and the sender writes it in its own
turn. For hundreds of clients those turns are most of the work, though nearly all of the clients have nothing waiting
and get the same bytes. So the subscriptions whose clients are up to date stand in a `Group`: the Backplane hands
messages to the group, once, and in the event loop's next iteration the group writes all that has come since, as one
block, straight to each client.

Whoever is not up to date any more (its socket took only a part, it has no socket, it is being stopped, its outbox is
tapped) leaves the group and gets what the others get through its sender's inbox, as if there were no group; after its
next write that leaves nothing waiting it comes back. At every moment:

1. What was published to a member and not written yet is in its group's `_pending`, in order, and nowhere else; its
   sender's inbox is empty. So nothing is told twice and nothing overtakes.
2. Whoever leaves takes what is pending along, into the sender's inbox.
3. A member is let in only while nothing is pending.

A message counts as offered to the sender's inbox and taken from it when it is written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from axonlike.backplane.local import Backplane, SubscribeTo
    from axonlike.components.net.connection import BlockEncoder, Sender

__all__ = ["Group", "Together"]

_MEMBERS = 64  # written to without a look at the clock: at 5 us for each about a third of a slice
_SLICE_S = 0.001


class Together:
    """The groups of one server's clients, which share its encoder."""

    def __init__(self, encoder: BlockEncoder) -> None:
        self.encoder = encoder
        self._groups: dict[Backplane, list[Group]] = {}
        self._due: deque[Group] = deque()
        self._comes = False  # the loop is going to call `_write_due`

    def join(self, subscription: SubscribeTo, sender: Sender) -> None:
        """All that was published to it so far is written: let it in, at once or when its group has written."""
        backplane, scheduler = subscription.backplane, sender.scheduler
        if backplane is None or not backplane.serves_alone(subscription):
            return
        assert scheduler is not None
        assert scheduler.loop is not None
        groups = self._groups.setdefault(backplane, [])
        for group in groups:
            if len(group) < _MEMBERS:
                break
        else:
            group = Group(self, backplane, scheduler.loop)
            groups.append(group)
        group.join(subscription, sender)

    def is_due(self, group: Group, loop: asyncio.AbstractEventLoop) -> None:
        """It has something to write."""
        self._due.append(group)
        if not self._comes:
            self._comes = True
            loop.call_soon(self._write_due, loop)

    def _write_due(self, loop: asyncio.AbstractEventLoop) -> None:
        began_s = time.perf_counter()
        due = self._due
        written: list[tuple[Group, _Written]] = []
        try:
            while due:
                group = due.popleft()
                written.append((group, group.write()))
                if time.perf_counter() - began_s >= _SLICE_S:
                    break  # others get their turn
            # Counted only now, so that the last client waits for nothing but the system calls for the others.
            for group, what in written:
                group.settle(what)
        finally:
            self._comes = bool(due)
            if due:
                loop.call_soon(self._write_due, loop)

    def is_empty(self, group: Group, backplane: Backplane) -> None:
        """Its last member has left."""
        groups = self._groups.get(backplane, [])
        if group in groups:
            groups.remove(group)
        if not groups:
            self._groups.pop(backplane, None)


@dataclass(slots=True)
class _Written:
    """What a group has written, to whom, and who did not get it that way."""

    messages: list[Any]
    block: bytes = b""
    members: tuple[tuple[SubscribeTo, Sender], ...] = ()
    behind: list[SubscribeTo] = field(default_factory=list)


class Group:
    """Subscriptions to one Backplane whose clients have nothing waiting (at most `_MEMBERS`)."""

    def __init__(self, together: Together, backplane: Backplane, loop: asyncio.AbstractEventLoop) -> None:
        self._together = together
        self._backplane = backplane
        self._loop = loop
        self._members: dict[SubscribeTo, Sender] = {}
        self._joining: dict[SubscribeTo, Sender] = {}
        self._pending: list[Any] = []
        # What writes to each member's client, and the member's links: if they are others now, it is tapped.
        self._ways: list[tuple[Callable[[bytes], None] | None, SubscribeTo, object]] | None = None

    def __len__(self) -> int:
        return len(self._members) + len(self._joining)

    def hand_on(self, messages: Iterable[Any]) -> None:
        """What was published (called by the Backplane)."""
        nothing_pending = not self._pending
        self._pending.extend(messages)
        if nothing_pending and self._pending:
            self._together.is_due(self, self._loop)

    def join(self, subscription: SubscribeTo, sender: Sender) -> None:
        """Let it in, now if nothing is pending."""
        if self._pending:
            self._joining[subscription] = sender
        else:
            self._members[subscription] = sender
            self._ways = None
            self._backplane.deliver_through(subscription, self)

    def leave(self, subscription: SubscribeTo) -> None:
        """From now on it gets what is published through its sender's inbox, first of all what is pending."""
        self._part_with(subscription, self._pending)

    def _part_with(self, subscription: SubscribeTo, messages: list[Any]) -> None:
        if self._members.pop(subscription, None) is None:
            return
        self._ways = None
        self._backplane.deliver_through(subscription, None)
        if messages:
            subscription.put_many(messages)
        if not len(self):
            self._together.is_empty(self, self._backplane)

    def write(self) -> _Written:
        """Write all that has come since the last time to every member."""
        messages, self._pending = self._pending, []
        what = _Written(messages)
        if not messages or not self._members:
            return what  # they have all left, and have taken it along
        what.members = tuple(self._members.items())
        ways = self._ways
        if ways is None:
            ways = self._ways = [(sender.out, each, each._links) for each, sender in what.members]
        behind = what.behind
        try:
            what.block = block = self._together.encoder.encode(messages)
        except Exception:
            # One of the messages cannot be sent: each sender finds that out by itself, and its error names the message.
            behind.extend(self._members)
            return what
        for out, subscription, links in ways:
            if out is not None and subscription._links is links:
                try:
                    out(block)
                except Exception:  # in its own turn that is its own failure
                    behind.append(subscription)
            else:
                behind.append(subscription)
        return what

    def settle(self, what: _Written) -> None:
        """After `write`: count, part with those who are not up to date, let in those who are again."""
        for subscription, sender in what.members:
            if subscription in what.behind:
                self._part_with(subscription, [*what.messages, *self._pending])
            elif not sender.has_written(what.block, what.messages):
                self.leave(subscription)
        joining, self._joining = self._joining, {}
        for subscription, sender in joining.items():
            # It may have come into another group meanwhile.
            if self._backplane.serves_alone(subscription) and sender.is_up_to_date(subscription):
                self.join(subscription, sender)
        if not len(self):
            self._together.is_empty(self, self._backplane)
