"""One stream to many receivers: an outbox feeds one inbox only, and this is what stands between."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from axonlike.box import Policy
from axonlike.component import Component
from axonlike.errors import WiringError
from axonlike.linkage import Box, Linkage, destination

__all__ = ["Splitter"]


class Splitter(Component):
    """Sends each message on every one of its outboxes: ``Splitter("log", "screen")`` has these two, and `outbox`.

    Outboxes that are not linked are passed over; while none is linked, messages go to `outbox` and count as unlinked.
    `add_sink` and `remove_sink` give and take receivers, also while it runs; a sink that was added and ends is taken
    out by itself. When every receiver that was linked by others has ended, the splitter ends too, unless it has added
    sinks.

    A receiver whose inbox is full under the policy `block` holds the others back too: where it must not, give that
    inbox a policy that drops (``add_sink(slow, policy="drop_oldest")``).
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what everybody gets"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("every message", required=True)}
    any_demand_will_do: ClassVar[bool] = True

    def __init__(self, *outboxes: str) -> None:
        self._added: dict[tuple[Component, str], Linkage] = {}
        for name in outboxes:
            if name in self.outbox_names:
                raise WiringError(f'Splitter: there is an outbox {name!r} already; name each once, and not "outbox"')
            self.add_outbox(name, "every message", required=True)

    def add_sink(
        self, component: Component, box: str = "inbox", *, limit: int | None = 1000, policy: Policy = "block"
    ) -> None:
        """From now on messages go to this inbox too. Only from the scheduler's thread, once it runs.

        limit, policy: for that inbox, when this is its only link. Raises WiringError if it is a sink already.
        """
        if (component, box) in self._added:
            raise WiringError(f"{self.path}: {component.path}.{box} is a sink already")
        outbox = self.add_outbox(f"to-{component.name}", "every message", required=True)
        changed = (limit, policy) != (1000, "block")
        try:
            if changed:
                linkage = self.link((self, outbox), (component, box), limit=limit, policy=policy)
            else:
                linkage = self.link((self, outbox), (component, box))
        except WiringError:
            self.remove_outbox(outbox)
            raise
        self._added[component, box] = linkage

    def remove_sink(self, component: Component, box: str = "inbox") -> None:
        """Messages no longer go there; what is in the inbox stays in it. Raises WiringError if it is no sink."""
        linkage = self._added.pop((component, box), None)
        if linkage is None:
            raise WiringError(f"{self.path}: {component.path}.{box} is not a sink that add_sink has added")
        self.remove_outbox(linkage.source_box)

    @property
    def sinks(self) -> tuple[tuple[Component, str], ...]:
        """What `add_sink` has added and is still there."""
        return tuple(self._added)

    def consumer_ended(self, outbox: str) -> None:
        for sink, linkage in self._added.items():
            if linkage.source_box == outbox:
                self.remove_sink(*sink)
                return
        super().consumer_ended(outbox)

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            # Links change between two steps only.
            outboxes = self._linked()
            for message in self.inbox():
                for outbox in outboxes:
                    self.send(message, outbox)

    def _linked(self) -> list[str]:
        linked = [name for name in self.outbox_names if name != "signal" and destination(self, name) is not None]
        return linked or ["outbox"]
