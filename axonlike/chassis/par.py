"""Par: any number of components side by side, as one component."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from axonlike import linkage as _linkage
from axonlike.chassis.hollow import Hollow, control_is_linked
from axonlike.component import Component
from axonlike.errors import WiringError
from axonlike.linkage import Kind, Linkage, final_inbox
from axonlike.messages import ProducerFinished, Shutdown

__all__ = ["Par"]


class Par(Hollow):
    """``Par(a, b, c)`` runs them side by side; it ends when all have ended.

    What the outboxes of its components send goes out of its outbox, in the order in which it is sent. What comes to its
    inbox goes to the inbox of each (the same object; the slowest of them holds the sender back), and what comes to its
    control to the control of each. With nothing linked to its inbox, that costs nothing.
    """

    def __init__(self, *components: Component, name: str = "") -> None:
        if name:
            self.name = name
        if not components:
            raise WiringError(f"{type(self).__name__}() needs components")
        self.add_child(*components)
        if len(self._children) != len(components):
            raise WiringError(f"{self.path}: the same component stands in it twice; make a second one")
        self._components = components
        self._copies: _Copies | None = None
        for component in components:
            self.link((component, "outbox"), (self, "outbox"), passthrough="out")
        if len(components) == 1:
            self.link((self, "inbox"), (components[0], "inbox"), passthrough="in")

    def _target(self, box: str) -> Any:
        """Somebody links to its inbox: now the component that copies is needed."""
        if box != "inbox":
            return super()._target(box)
        if self._copies is None:
            self._copies = _Copies([component for component in self._components if not component.ended])
            self.add_child(self._copies)
            # Entered without resolving what is upstream: that is what we are asked for.
            _linkage.connect(Linkage(Kind.PASS_IN, self, "inbox", self._copies, "inbox"))
        return self._copies.open_inbox("inbox")

    def controlled(self, message: Any) -> None:
        if isinstance(message, ProducerFinished) and self._copies is not None and not self._copies.ended:
            self._copies.controlled(message)  # the others hear of it when all that came before has been copied
        else:
            super().controlled(message)


class _Copies(Component):
    """Gives each message to all components of a Par."""

    def __init__(self, components: Iterable[Component]) -> None:
        self.name = "copies"
        self._receivers = tuple(components)
        self._boxes = []
        for component in self._receivers:
            box = self.add_outbox(component.name)
            self.link((self, box), (component, "inbox"))
            self._boxes.append(box)

    def main(self) -> Generator[Any, Any, None]:
        inbox, boxes, send = self.inbox(), self._boxes, self.send
        while True:
            yield self.wait("inbox")
            for message in inbox:
                for box in boxes:
                    send(message, box)
                while self._feed.full:
                    yield

    def unlink_all(self, shut_down: bool) -> None:
        # Told while this still counts as their producer, so that what takes its control itself hears of it before the
        # end of input that follows.
        for component in self._receivers:
            if not component.ended and not control_is_linked(component) and not self._others_feed(component):
                owner, box = final_inbox(component, "control")
                owner._target(box).put(Shutdown(self.path) if shut_down else ProducerFinished(self.path))
        super().unlink_all(shut_down)

    def _others_feed(self, component: Component) -> bool:
        owner, _ = final_inbox(component, "inbox")
        return any(feeder is not self for inbox in owner._data for feeder in inbox.feeders or ())
