"""What chassis without a body have in common: how control comes down to their components, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonlike.component import Component
from axonlike.linkage import Kind, final_inbox, leaf_outboxes
from axonlike.messages import ProducerFinished, Shutdown
from axonlike.part import Part

__all__ = ["Hollow", "control_is_linked", "hand_to_control"]


def hand_to_control(component: Component, message: object) -> None:
    """Give a component what came to the control of its chassis.

    ProducerFinished goes past those that are still fed: it would overtake data, and they end with their producers.
    """
    owner, box = final_inbox(component, "control")
    if isinstance(message, ProducerFinished) and owner.has_producers():
        return
    owner._target(box).put(message)


class Hollow(Component):
    """A chassis that stands as long as its components, and sends ProducerFinished (or Shutdown) when all have ended.

    Services (a Backplane) do not keep it: it stops those that are left when all others have ended.

    What comes to its control goes to each of its components whose control is not linked otherwise, unless the control
    passes in to one of them while that one lives.
    """

    _is_whole = True
    _told_to_stop = False
    _signal_went_out = False

    def start(self) -> None:
        """It has no body."""

    def controlled(self, message: Any) -> None:
        work: list[Component] = self._note_control(message)
        while work:  # a list, since chassis may be nested deeper than Python calls
            component = work.pop()
            owner, box = final_inbox(component, "control")
            kernel_takes_it = box == "control" and not owner._takes_control
            if isinstance(owner, Hollow) and type(owner).controlled is Hollow.controlled and kernel_takes_it:
                if not (isinstance(message, ProducerFinished) and owner.has_producers()):
                    work.extend(owner._note_control(message))
            else:
                hand_to_control(component, message)

    def _note_control(self, message: Any) -> list[Component]:
        """Take notice of what came to the control; its components to which it goes on, the last one first."""
        self._told_to_stop = self._told_to_stop or isinstance(message, Shutdown)
        return list(reversed(self.hears_control()))

    def hears_control(self) -> Sequence[Component]:
        """Those of its components to which goes on what comes to its control."""
        children = tuple(self._children)
        return [child for child in children if isinstance(child, Component) and not control_is_linked(child)]

    def part_ending(self, part: Part) -> None:
        linkage = self._wires.from_in.get("control") if self._wires is not None else None
        # Whoever sends to the control of this chassis has to reach the components that are left.
        # (Where the control goes through one of its children deeper down, that child has taken its own link back.)
        if linkage is not None and linkage.sink is part and final_inbox(part, linkage.sink_box)[0] is part:
            self.unlink(linkage)
        # Asked once only: each end of a part is told to all above it, however deep they are nested.
        if not self._signal_went_out and any(leaf is part for leaf, _ in leaf_outboxes(self, "signal")):
            self._signal_went_out = True

    def add_child(self, *components: Component) -> None:
        super().add_child(*components)
        # One that is made of services is one, too.
        self.service = all(child.service for child in self._children)  # type: ignore[misc]

    def child_ended(self, child: Part) -> None:
        super().child_ended(child)
        if not child.service and self._scheduler is not None and all(left.service for left in self._children):
            for left in tuple(self._children):
                self._scheduler.stop_part(left, "all that used it has ended")

    def consumer_ended(self, outbox: str) -> None:
        """Concerns those of its components that feed the outbox, and they are told; others may have work to do."""

    def unlink_all(self, shut_down: bool) -> None:
        if self._signal_went_out:
            self._links.pop("signal", None)  # a component told the next one; it is not to hear it twice
        super().unlink_all(shut_down or self._told_to_stop)


def control_is_linked(component: Component) -> bool:
    """Does somebody else than its chassis send to its control?"""
    wires = component._wires
    return wires is not None and any(link.kind is Kind.DELIVER for link in wires.to_in.get("control", ()))
