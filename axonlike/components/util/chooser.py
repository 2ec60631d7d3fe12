"""Going back and forth in a list by messages: slides, channels, a playlist."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import UsageError, did_you_mean, show_value
from axonlike.linkage import Box

__all__ = ["Chooser"]

class Chooser(Component):
    """Sends the first of `items` at its start, then another one for each "NEXT", "PREV", "FIRST", "LAST" or "SAME".

    At an end, NEXT and PREV send nothing; with loop=True they go on at the other end. `index` is the present place. Any
    other message is a UsageError. Without items nothing is ever sent.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box('"NEXT", "PREV", "FIRST", "LAST", "SAME"', str)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the items that were chosen"}

    def __init__(self, items: Iterable[Any], *, loop: bool = False) -> None:
        self.items: tuple[Any, ...] = tuple(items)
        self.loop = loop
        self.index = 0

    def main(self) -> Generator[Any, Any, None]:
        if self.items:
            self.send(self.items[self.index])
        while True:
            yield self.wait("inbox")
            for move in self.inbox():
                if self._go(move):
                    self.send(self.items[self.index])

    def _go(self, move: Any) -> bool:
        """Change place; False if there is nothing to send."""
        last = len(self.items) - 1
        places = {"FIRST": 0, "LAST": last, "NEXT": self.index + 1, "PREV": self.index - 1, "SAME": self.index}
        if not isinstance(move, str) or move not in places:
            hint = did_you_mean(move, places) if isinstance(move, str) else ""
            raise UsageError(f"{self.path}: {show_value(move)} is no move{hint} (there are: {', '.join(places)})")
        place = places[move]
        if self.items and self.loop:
            place %= len(self.items)
        if not 0 <= place <= last:
            return False
        self.index = place
        return True
