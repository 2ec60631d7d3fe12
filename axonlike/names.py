"""Names that are unique in one place: among the children of a component, among the roots of a scheduler."""

from __future__ import annotations

__all__ = ["Names"]


class Names:
    """The names in use in one place. A second one of a name has a number added: "Relay", "Relay-2", "Relay-3"."""

    __slots__ = ("_next_number", "_taken")

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next_number = 2

    def take(self, name: str) -> str:
        """Reserve this name, or with a number added if it is taken; returns what was reserved."""
        if name in self._taken:
            # Counted upwards, so that a server finds the name of its millionth connection at once.
            while (numbered := f"{name}-{self._next_number}") in self._taken:
                self._next_number += 1
            self._next_number += 1
            name = numbered
        self._taken.add(name)
        return name

    def free(self, name: str) -> None:
        """Its bearer is gone. Once nothing is left, numbers begin at 2 again."""
        self._taken.discard(name)
        if not self._taken:
            self._next_number = 2
