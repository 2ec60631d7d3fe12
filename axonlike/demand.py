"""Lazy sources: a device is opened when somebody wants what it sends, and closed when nobody does any more.

Who is live. A component none of whose outboxes is declared ``required`` is (a display, a recorder, anything that was
not written with this in mind). One with required outboxes is live if each of them feeds somebody live; a splitter if
any of its outboxes does. So ``WSA4000 -> FFT`` alone opens nothing, and a display at its end opens the radio. It is the
least set for which this holds: components that only feed each other in a circle are not live.

Whenever links or parts have changed, each `OnDemand` component looks anew; it is told with messages on its inbox
`demand`, so that any kind of body can wait for them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.linkage import Box, destination
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.timers import Timer

__all__ = ["OnDemand", "Unwanted", "Wanted", "is_live"]


class Wanted:
    """To an `OnDemand` component: somebody takes what it sends; open."""

    def __repr__(self) -> str:
        return "Wanted()"


class Unwanted:
    """To an `OnDemand` component: nobody has taken what it sends for `linger_s`; close."""

    def __repr__(self) -> str:
        return "Unwanted()"


class OnDemand(Component):
    """Base of sources that hold something open: declare what they send as ``Box(..., required=True)``.

    ``yield self.wait("demand")`` and look at `wanted`, or take the messages `Wanted` and `Unwanted` from that inbox;
    they come in turn, `Wanted` first. linger_s: how long a demand that has gone is waited for to come back.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "demand": Box("Wanted and Unwanted: does anybody take what it sends?", (Wanted, Unwanted), None, aside=True)
    }
    linger_s: float = 1.0
    wanted: bool = False
    """Was `Wanted` the last message? A thread may read it too."""
    _linger: Timer | None = None

    def provide(self, scheduler: Scheduler) -> None:
        super().provide(scheduler)
        scheduler.when_rewired(self._look)

    def unlink_all(self, shut_down: bool) -> None:
        if self._scheduler is not None:
            self._scheduler.no_longer_when_rewired(self._look)
        if self._linger is not None:
            self._linger.cancel()
        super().unlink_all(shut_down)

    def _look(self) -> None:
        if self.ended or self._scheduler is None:
            return
        if is_live(self):
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            if not self.wanted:
                self._tell(True)
        elif self.wanted and self._linger is None:
            self._linger = self._scheduler.call_at(self._scheduler.time() + self.linger_s, self._lingered)

    def _lingered(self) -> None:
        self._linger = None
        if not self.ended:
            self._tell(False)

    def _tell(self, wanted: bool) -> None:
        self.wanted = wanted
        self.open_inbox("demand").put(Wanted() if wanted else Unwanted())


def is_live(component: Component) -> bool:
    """Does it work, by the rule above? Looks at everything downstream of it, through chassis."""
    needs: dict[Component, list[set[Component]]] = {}  # for each required outbox, whom it feeds
    found = [component]
    while found:
        part = found.pop()
        if part in needs:
            continue
        boxes = [
            {end[0]} if (end := destination(part, box)) is not None and _takes(end[0]) else set()
            for box, spec in part._outbox_specs_.items()
            if spec.required
        ]
        if boxes and part.any_demand_will_do:
            boxes = [set().union(*boxes)]
        needs[part] = boxes
        found.extend(consumer for consumers in boxes for consumer in consumers)
    live: set[Component] = set()
    grew = True
    while grew:
        grew = False
        for part, boxes in needs.items():
            if part not in live and all(consumers & live for consumers in boxes):
                live.add(part)
                grew = True
    return component in live


def _takes(component: Component) -> bool:
    """Can it take messages now? Not what was never started or is over, nor a chassis that passes its inbox nowhere."""
    scheduler = component._scheduler
    return (
        scheduler is not None
        and component in scheduler.parts
        and not component._closing
        and component._state not in (State.ENDED, State.HOLLOW)
    )
