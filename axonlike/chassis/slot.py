"""A place in a graph whose component is replaced while the links to it stay.

Theory of operation of `Slot`. A slot's boxes pass through to the component in it, its occupant, so a message costs
nothing on its way. Before an occupant closes its boxes, `part_ending` takes the link back and draws what the occupant
has not taken into the slot's own inbox, where messages then wait until the next occupant is linked; that moves them on.
So those who feed the slot never find a closed box while a successor may come, and what the slot feeds sees the slot as
its producer all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

from axonlike.box import Inbox, Sink
from axonlike.chassis.hollow import hand_to_control
from axonlike.component import Component
from axonlike.errors import WiringError
from axonlike.linkage import Kind, Linkage, final_inbox, upstream
from axonlike.messages import ProducerFinished
from axonlike.part import Part

__all__ = ["Slot", "check_makers", "made_by", "name_of"]


def made_by(maker: Component | Callable[..., Any], chassis: Component, *arguments: Any) -> Component:
    """The component itself, or what the factory makes. Raises WiringError where that is not a new component."""
    if isinstance(maker, Component):
        return maker
    made = maker(*arguments)
    if not isinstance(made, Component):
        hint = " (it returned the class: add the brackets)" if isinstance(made, type) else ""
        raise WiringError(f"{chassis.path}: the factory {name_of(maker)} returned {made!r}, not a component{hint}")
    if made._parent is not None or made.ended or made.scheduler is not None:
        raise WiringError(
            f"{chassis.path}: the factory {name_of(maker)} returned {made!r}, which is in use: "
            "it has to make a new one each time"
        )
    return made


def check_makers(chassis: Component, makers: Iterable[object]) -> None:
    """Raise WiringError for the first that is neither a component nor something that makes one."""
    seen: set[int] = set()
    for maker in makers:
        if not (isinstance(maker, Component) or callable(maker)):
            raise WiringError(f"{chassis.path}: {maker!r} is neither a component nor a function that makes one")
        if isinstance(maker, Component) and id(maker) in seen:
            raise WiringError(f"{chassis.path}: {maker.path} stands in it twice; make a second one")
        seen.add(id(maker))


def name_of(maker: object) -> str:
    """What a person calls a factory."""
    return getattr(maker, "__qualname__", None) or repr(maker)


class Slot(Component):
    """A chassis with one place, whose component may end and be replaced (base of Seq, Carousel and Supervisor).

    Boxes that both the slot and its occupant have are passed through, but for control and signal.
    """

    own_boxes: ClassVar[frozenset[str]] = frozenset({"control", "signal"})
    """Boxes that are the slot's own business, whatever boxes the occupant has."""

    _is_whole = True
    _occupant: Component | None
    _passages: list[Linkage]

    def _occupy(self, component: Component) -> None:
        """Link a component in and start it. Raises what starting it raises."""
        assert self._occupant is None
        self._occupant = component
        # Linked first: a subscription looks at its destination when it starts, and a source must not send to nobody.
        self._pass(component, component.inbox_names, self.inbox_names, "in")
        self._pass(component, component.outbox_names, self.outbox_names, "out")
        self.add_child(component)
        self._end_input_that_is_over(component)

    def _pass(
        self, component: Component, theirs: Iterable[str], ours: Iterable[str], way: Literal["in", "out"]
    ) -> None:
        for box in sorted(set(theirs).intersection(ours).difference(self.own_boxes)):
            ends = ((self, box), (component, box)) if way == "in" else ((component, box), (self, box))
            self._passages.append(self.link(*ends, passthrough=way))

    def _vacate(self) -> None:
        """Take the links to the occupant back; what it has not taken waits here."""
        for linkage in self._passages:
            if linkage.kind is Kind.PASS_IN:
                self._take_back(linkage)
            else:
                self.unlink(linkage)
        self._passages = []
        self._occupant = None

    def _take_back(self, linkage: Linkage) -> None:
        owner, box = final_inbox(linkage.sink, linkage.sink_box)
        self.unlink(linkage)
        left = owner._inboxes.get(box)
        if left is not None:
            # What holds for the occupant's box holds for this one while there is none.
            self.configure_inbox(linkage.source_box, limit=left.limit_or_none, policy=left.policy)
            self.open_inbox(linkage.source_box).put_many(_drained(left))

    def _end_input_that_is_over(self, component: Component) -> None:
        """A successor whose producers have ended meanwhile finds end of input after what waits for it."""
        senders = {sender for sender, _ in upstream(self, "inbox")}
        if (senders or self._input_ended) and all(sender.ended for sender in senders):
            hand_to_control(component, ProducerFinished(self.path))

    def keeps_input(self) -> bool:
        """May another occupant come after the one that ends now?"""
        return not self._closing

    def part_ending(self, part: Part) -> None:
        if not self._passages or not self.keeps_input():
            return
        for linkage in tuple(self._passages):
            if linkage.kind is Kind.PASS_IN and final_inbox(linkage.sink, linkage.sink_box)[0] is part:
                self._passages.remove(linkage)
                self._take_back(linkage)

    def consumer_ended(self, outbox: str) -> None:
        """Whom it feeds is gone: it ends when that holds for all that passes through, whatever its own boxes feed."""
        if self._scheduler is None or outbox in self.own_boxes:
            return
        passing = [link for box, link in self._links.items() if box not in self.own_boxes]
        gone = {id(sink) for (why, _), sink in (self._sinks or {}).items() if why == "to_ended"}
        linked = [link for link in passing if not isinstance(link, Sink) or id(link) in gone]
        if linked and all(id(link) in gone for link in linked):
            self._scheduler.stop_part(self, "all receivers have ended")

    def _fail(self, error: BaseException) -> None:
        """What a factory or the start of a component raised, outside any step of its own."""
        if self._scheduler is None or not self._scheduler.running:
            raise error
        self._scheduler.part_failed(self, error)


def _drained(inbox: Inbox) -> list[Any]:
    """What lies in an inbox. One by one, since the owner may be a thread that takes at the same time."""
    messages: list[Any] = []
    while True:
        try:
            messages.append(inbox.take())
        except IndexError:
            return messages
