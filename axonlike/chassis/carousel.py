"""Carousel: one place in a graph whose component is replaced whenever somebody asks for another."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Mapping
from typing import Any, ClassVar

from axonlike.chassis.hollow import hand_to_control
from axonlike.chassis.slot import Slot, check_makers, made_by
from axonlike.component import Component
from axonlike.errors import Finished, WiringError
from axonlike.messages import ProducerFinished
from axonlike.part import Part

__all__ = ["Carousel"]

NEXT = "NEXT"


class Carousel(Slot):
    """``Carousel(factory)``: a message on `next` replaces the child by ``factory(message)``.

    The child has the Carousel's inbox and outbox (and whatever other boxes both have). What the old child has not
    taken, and what comes while there is none, is there for the new one. The old child gets Shutdown; the new one is
    made when the old one has ended. When a child ends by itself, "NEXT" goes out on `requestNext`.

    make_first_request: ask for the first child too, at the start.

    ProducerFinished on control: it ends when its child has, and asks for no more. It also ends, with its child, when
    nobody is left who could send to `next`. Shutdown ends both at once.
    """

    Inboxes: ClassVar[Mapping[str, Any]] = {"next": "what to make the next child of; replaces the one that is there"}
    Outboxes: ClassVar[Mapping[str, Any]] = {"requestNext": '"NEXT", when a child has ended'}
    own_boxes: ClassVar[frozenset[str]] = Slot.own_boxes | {"next", "requestNext"}

    def __init__(
        self, factory: Callable[[Any], Component], make_first_request: bool = False, *, name: str = ""
    ) -> None:
        if name:
            self.name = name
        check_makers(self, (factory,))
        if isinstance(factory, Component):
            raise WiringError(f"{self.path}: {factory!r} is one component; a Carousel needs a function that makes them")
        self._occupant = None
        self._passages = []
        self._factory = factory
        self._make_first_request = make_first_request
        self._replacing = False
        self._finishing = False

    def main(self) -> Generator[Any, Any, None]:
        if self._make_first_request:
            self.send(NEXT, "requestNext")
        try:
            while True:
                yield self.wait("next")
                message = self.recv("next")
                if (old := self._occupant) is not None:
                    self._replacing = True
                    old.stop("replaced in a Carousel")
                    yield self.join(old)
                    self._replacing = False
                self._occupy(made_by(self._factory, self, message))
        except Finished:
            yield self.join()

    def has_producers(self) -> bool:
        """Its own input is `next`; the inbox is the child's, also while there is none."""
        return bool(self.open_inbox("next").feeders)

    def _is_fed_beside(self, sender: Component, aside: Container[str] = ("next",)) -> bool:
        """ProducerFinished tells of data: who feeds `next` does not hold it back."""
        return super()._is_fed_beside(sender, aside)

    def controlled(self, message: Any) -> None:
        if not isinstance(message, ProducerFinished):
            super().controlled(message)
            return
        self._finishing = True
        if self._occupant is not None:
            hand_to_control(self._occupant, message)
        else:
            self._end_if_nothing_waits()

    def _end_if_nothing_waits(self) -> None:
        data_may_be_used = self.data_ready("inbox") and self.has_producers()
        if self._scheduler is not None and not self._replacing and not data_may_be_used:
            self._scheduler.input_ended(self)

    def child_ended(self, child: Part) -> None:
        if child is self._occupant:
            self._vacate()
        if self._closing or self._replacing or self.ended:
            return
        if self._finishing:
            self._end_if_nothing_waits()
        elif not self._input_ended:
            self.send(NEXT, "requestNext")
