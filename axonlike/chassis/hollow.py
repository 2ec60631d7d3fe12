"""What chassis without a body have in common: how control comes down to their components, and how they end."""

from __future__ import annotations

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

    What comes to its control goes to each of its components whose control is not linked otherwise, unless the control
    passes in to one of them while that one lives.
    """

    _told_to_stop = False
    _signal_went_out = False

    def start(self) -> None:
        """It has no body."""

    def controlled(self, message: Any) -> None:
        self._told_to_stop = self._told_to_stop or isinstance(message, Shutdown)
        for child in tuple(self._children):
            if isinstance(child, Component) and not control_is_linked(child):
                hand_to_control(child, message)

    def part_ending(self, part: Part) -> None:
        linkage = self._wires.from_in.get("control") if self._wires is not None else None
        # Whoever sends to the control of this chassis has to reach the components that are left.
        if linkage is not None and final_inbox(linkage.sink, linkage.sink_box)[0] is part:
            self.unlink(linkage)
        if any(leaf is part for leaf, _ in leaf_outboxes(self, "signal")):
            self._signal_went_out = True

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
