"""Publish and subscribe by name, inside one scheduler.

A publisher needs no link to its subscribers, and no component stands between them: `Backplane.publish_many` puts the
messages straight into the inbox that each subscription feeds. One slow subscriber costs itself only: its inbox drops
by its policy, and counts. Where a subscription feeds a TCP connection nothing is dropped; there a limit in bytes and
time holds instead, and a client past it is cut; and clients that are up to date get what is published through a group
that writes to all of them (components/net/together.py).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, ClassVar, Protocol

from axonlike.box import DEFAULT_LIMIT, Inbox, Policy, check_policy
from axonlike.component import Component
from axonlike.errors import AxonlikeError, NameNotProvided, WiringError
from axonlike.linkage import destination, upstream
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State

__all__ = ["Backplane", "PublishTo", "SubscribeTo"]

log = logging.getLogger("axonlike.backplane")

KIND = "backplane"
_A_STEP = 256  # messages that PublishTo hands on before others get their turn


class Way(Protocol):
    """What the Backplane hands messages to on behalf of several subscriptions."""

    def hand_on(self, messages: list[Any] | tuple[Any, ...]) -> None:
        """What was published. It must not fail, nor change who is subscribed."""

    def leave(self, subscription: SubscribeTo) -> None:
        """It is served no longer; what it has yet to get goes its own way."""


class Backplane(Component):
    """A name to publish to and subscribe to. A service: it runs as long as anything else does.

    history: how many of the last messages a new subscriber gets first. `published` counts all messages.
    Shutdown on its control ends its subscriptions too.
    """

    service: ClassVar[bool] = True

    def __init__(self, name: str, history: int = 0) -> None:
        given: object = name
        if not isinstance(given, str) or not name:
            raise WiringError(f"a Backplane's name is a non-empty str, not {name!r}")
        if history < 0:
            raise WiringError(f"Backplane({name!r}): history is a number of messages, not {history!r}")
        self.topic = name
        self.name = f"Backplane({name})"
        self.published = 0
        self.history: deque[Any] = deque(maxlen=history)
        self._subscribers: dict[SubscribeTo, Way | None] = {}
        self._to_deliver: tuple[Way | SubscribeTo, ...] | None = ()

    @property
    def subscribers(self) -> tuple[SubscribeTo, ...]:
        """Who gets what is published."""
        return tuple(self._subscribers)

    def publish(self, message: Any) -> None:
        """Give a message to every subscriber. In the scheduler's thread only."""
        self.publish_many((message,))

    def publish_many(self, messages: Iterable[Any]) -> None:
        """Give messages to every subscriber. Those who come or go meanwhile are not disturbed by it."""
        batch = messages if isinstance(messages, list | tuple) else list(messages)
        self.published += len(batch)
        if self.history.maxlen:
            self.history.extend(batch)
        deliver = self._to_deliver
        if deliver is None:
            # The common ways first: who leaves one while this loop runs has its share, for he takes it along.
            ways = dict.fromkeys(way for way in self._subscribers.values() if way is not None)
            singles = (subscriber for subscriber, way in self._subscribers.items() if way is None)
            deliver = self._to_deliver = (*ways, *singles)
        for way in deliver:
            way.hand_on(batch)

    def subscribe(self, subscriber: SubscribeTo) -> None:
        """From now on `subscriber` gets what is published."""
        self._subscribers.setdefault(subscriber, None)
        self._to_deliver = None

    def unsubscribe(self, subscriber: SubscribeTo) -> None:
        """Harmless if it is not subscribed."""
        way = self._subscribers.get(subscriber)
        if way is not None:
            way.leave(subscriber)
        self._subscribers.pop(subscriber, None)
        self._to_deliver = None

    def deliver_through(self, subscriber: SubscribeTo, way: Way | None) -> None:
        """From now on `subscriber` gets what is published by this way (None: by itself, as at first)."""
        if subscriber in self._subscribers:
            self._subscribers[subscriber] = way
            self._to_deliver = None

    def way_of(self, subscriber: SubscribeTo) -> Way | None:
        """The way by which it gets what is published; None: by itself, or not at all."""
        return self._subscribers.get(subscriber)

    def serves_alone(self, subscriber: SubscribeTo) -> bool:
        """Is it subscribed, and gets what is published by itself?"""
        return self._subscribers.get(subscriber, self) is None

    def provide(self, scheduler: Scheduler) -> None:
        scheduler.provide(KIND, self.topic, self)

    def start(self) -> None:
        self._state = State.OUTSIDE

    def unlink_all(self, shut_down: bool) -> None:
        scheduler = self._scheduler
        super().unlink_all(shut_down)
        if scheduler is not None:
            scheduler.withdraw(KIND, self.topic, self)
            for subscriber in tuple(self._subscribers):
                scheduler.part_ended(subscriber)


def _find(name: str, scheduler: Scheduler, wanted_by: Component) -> Backplane:
    found = scheduler.lookup(KIND, name, wanted_by)
    assert isinstance(found, Backplane)
    return found


class PublishTo(Component):
    """Publishes what comes into its inbox. forward: also sends it on.

    The Backplane may be activated before or after it. When that has ended, and no other of the name has come, there is
    nobody to publish to: it ends, as a component does whose receivers have ended.
    """

    def __init__(self, name: str, forward: bool = False) -> None:
        self.topic = name
        self.forward = forward
        self.name = f"PublishTo({name})"

    def resolve(self, scheduler: Scheduler) -> None:
        self._backplane = _find(self.topic, scheduler, self)

    def main(self) -> Generator[Any, Any, None]:
        inbox = self.inbox()
        while True:
            yield self.wait("inbox")
            if self._backplane.ended and not self._find_its_successor():
                return
            messages = inbox.take_up_to(_A_STEP)
            self._backplane.publish_many(messages)
            if self.forward:
                for message in messages:
                    self.send(message)

    def _find_its_successor(self) -> bool:
        assert self._scheduler is not None
        try:
            self._backplane = _find(self.topic, self._scheduler, self)
        except NameNotProvided:
            log.info("%s ends: the backplane %r has ended", self.path, self.topic)
            return False
        return True


class SubscribeTo(Component):
    """Sends on what is published under a name, from the moment it is activated.

    limit, policy: for the inbox that it feeds; without them that inbox holds 1000 messages and drops the oldest, unless
    it has a dropping policy of its own. A subscription never holds the publisher back. One that feeds a TCP connection
    loses nothing (see `components.net`). Where the inbox that it feeds has other senders too, what is published waits
    in the subscription's own inbox, with the same limit and policy.

    It ends with its Backplane. What goes wrong in it (policy "error") is its own failure, never the publisher's.
    """

    service: ClassVar[bool] = True

    def __init__(self, name: str, *, limit: int | None = None, policy: Policy | None = None) -> None:
        self.topic = name
        self.name = f"SubscribeTo({name})"
        self._policy = None if policy is None else check_policy(policy)
        if policy == "block":
            raise WiringError(
                f'SubscribeTo({name!r}): policy "block" would hold the publisher back; choose one that drops'
            )
        if limit is not None and limit < 1:
            raise WiringError(f"SubscribeTo({name!r}): a limit is at least 1, not {limit!r}")
        self._limit = limit
        self._backplane: Backplane | None = None
        self._into: Inbox | None = None
        self._too_early: list[Any] | None = None  # what was published since the subscription, before its start

    @property
    def backplane(self) -> Backplane | None:
        """The one that it is subscribed to, from its start on."""
        return self._backplane

    def resolve(self, scheduler: Scheduler) -> None:
        self._backplane = _find(self.topic, scheduler, self)
        self._too_early = list(self._backplane.history)
        self._backplane.subscribe(self)

    def start(self) -> Callable[[Any], Any] | None:
        resume = self._choose_way()
        if resume is None:
            self._state = State.OUTSIDE
        early, self._too_early = self._too_early, None
        if early:
            self.hand_on(early)
        return resume

    def _choose_way(self) -> Callable[[Any], Any] | None:
        """Straight into the inbox that it feeds, or by way of its own, which needs a body: what runs that body."""
        end = destination(self, "outbox")
        if end is None or end[0].ended:
            self._into = None
            return None
        shared = any(sender is not self and not _is_part_of(self, sender) for sender, _ in upstream(*end))
        # A TCP sender's inbox has no message limit, so there others' messages are no hindrance.
        if shared and not hasattr(end[0], "takes_subscriptions"):
            self._into = self.open_inbox("inbox")
            self._configure(self._into, self)
            return super().start()
        self._into = end[0].open_inbox(end[1])
        self._configure(self._into, end[0])
        return None

    def resolve_outbox(self, box: str) -> None:
        self.go_alone()  # what it has yet to get was published while its outbox led where it led until now
        super().resolve_outbox(box)
        # Linked anew while it runs. Once it has a body, that serves any destination.
        if box == "outbox" and self._state is State.OUTSIDE and self._too_early is None:
            resume = self._choose_way()
            if resume is not None and self._scheduler is not None:
                self._resume = resume
                self._scheduler.make_ready(self)

    def _configure(self, inbox: Inbox, owner: Component) -> None:
        if getattr(owner, "takes_subscriptions", None) is not None:
            owner.takes_subscriptions(inbox, self)  # type: ignore[attr-defined]
        elif self._limit is not None or self._policy is not None or inbox.policy == "block":
            policy = self._policy or ("drop_oldest" if inbox.policy == "block" else inbox.policy)
            inbox.configure(DEFAULT_LIMIT if self._limit is None else self._limit, policy)
        self.refeed()

    def hand_on(self, messages: list[Any] | tuple[Any, ...]) -> None:
        """What was published (called by the Backplane)."""
        if self._too_early is not None:
            self._too_early.extend(messages)
            return
        if self.ended:
            return  # it ended while this batch was being published
        into = self._into
        try:
            if into is None or into.closed:
                for message in messages:
                    self.send(message)
            elif into.owner is self:
                into.put_many(messages)
            else:
                self.put_many(messages)
        except AxonlikeError as exc:  # policy "error": the subscription fails, the publisher goes on
            if self._scheduler is not None:
                self._scheduler.part_failed(self, exc)

    def put_many(self, messages: list[Any] | tuple[Any, ...]) -> None:
        """Send these on, in the order of what was published."""
        # By the box's name, not to the inbox kept in `_into`: so a tap on the outbox sees it too.
        self._links["outbox"].put_many(messages)

    def feeds_alone(self, inbox: Inbox) -> bool:
        """Does its outbox lead straight to this inbox, untapped, and nobody else's?"""
        links = self._links  # asked by [], which tells a tap; .get does not
        return ("outbox" in links and links["outbox"] is inbox) and all(
            sender is self or _is_part_of(self, sender) for sender in inbox.feeders or ()
        )

    def go_alone(self) -> None:
        """Leave those together with whom it gets what is published; harmless if it is by itself."""
        way = self._backplane.way_of(self) if self._backplane is not None else None
        if way is not None:
            way.leave(self)

    def main(self) -> Generator[Any, Any, None]:
        """Only where the inbox at the end has other senders too: hand on under back-pressure."""
        inbox = self.inbox()
        while True:
            yield self.wait("inbox")
            for message in inbox:
                self.send(message)
                while self._feed.full:
                    yield

    def unlink_all(self, shut_down: bool) -> None:
        if self._backplane is not None:
            self._backplane.unsubscribe(self)
        super().unlink_all(shut_down)


def _is_part_of(component: Component, chassis: object) -> bool:
    """Does the chassis only pass on what the component sends?"""
    above = component._parent
    while above is not None:
        if above is chassis:
            return True
        above = above._parent
    return False
