"""A part whose failure comes in somebody else's step is restarted in one place only."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline
from axonlike.backplane import Backplane, SubscribeTo
from axonlike.errors import Finished
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual


class Batcher(Component):
    """Sends all that it got as one message at the end of its input. goes_on: it does not end then by itself."""

    def __init__(self, *, goes_on: bool = False) -> None:
        self.goes_on = goes_on
        self.flushed: list[Any] = []

    def main(self) -> Generator[Any, Any, None]:
        batch: list[Any] = []
        try:
            while True:
                yield self.wait("inbox")
                batch.extend(self.inbox())
        except Finished:
            self.flushed.extend(batch)
            self.send(batch)
            while self.goes_on:  # it must be stopped all the same: nobody needs it
                yield


def test_a_subscription_that_fails_while_it_is_ready_stands_in_the_ready_queue_once() -> None:
    backplane, probe = Backplane("Events"), Probe()
    subscription = SubscribeTo("Events", limit=2, policy="error")
    subscription.on_error = "restart"
    other = Feeder([PAUSE(100)])
    for sender in (subscription, other):  # two senders: so the subscription has a body
        sender.link((sender, "outbox"), (probe, "inbox"))
    places: list[int] = []

    class Publishes(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            backplane.publish_many([0])  # it is ready now
            backplane.publish_many([1, 2, 3])
            assert self.scheduler is not None
            places.append(sum(turn.part is subscription for turn in self.scheduler.ready))
            yield self.sleep(10)

    run_virtual(backplane, subscription, other, probe, Publishes(), until_s=50)
    assert places == [0]  # it backs off: what it was before must not run meanwhile
    box = subscription.statistics()[0]
    assert box.offered == box.taken + box.dropped + box.unread_at_end + box.depth


@pytest.mark.parametrize("batcher_first", [True, False])
def test_what_a_batcher_in_a_circle_flushes_at_the_end_is_accounted_for(batcher_first: bool) -> None:
    class Other(Component):
        taken = 0

        def main(self) -> Generator[Any, Any, None]:
            while True:
                yield self.wait("inbox")
                for _ in self.inbox():
                    self.taken += 1

    batcher, other = Batcher(), Other()
    feeder = Feeder([1, 2, 3])
    feeder.link((feeder, "outbox"), (batcher, "inbox"))
    members = (batcher, other) if batcher_first else (other, batcher)
    circle = Pipeline(*members, circular=True)
    run_virtual(circle, feeder)
    to_ended = batcher.lost_at_sending()["to_ended"].get("outbox", 0)
    unread = sum(box.unread_at_end for box in other.statistics())
    assert other.taken + to_ended + unread == 1


def test_a_batcher_in_a_circle_is_not_closed_before_it_has_flushed_when_its_receiver_ends_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AXONLIKE_SHUFFLE", raising=False)  # its subject is one order
    feeder, other, batcher = Feeder([1, 2, 3]), Probe(forward=True), Batcher(goes_on=True)
    feeder.link((feeder, "outbox"), (batcher, "inbox"))
    run_virtual(Pipeline(other, batcher, circular=True), feeder, until_s=5)
    assert batcher.flushed == [1, 2, 3]
    assert batcher.lost_at_sending()["to_ended"] == {"outbox": 1}
