"""Objects of the user's own, from a calculation to the viewer that it has started itself.

The only module of the package that pickles. It is for the pair of sockets that both have had since one started the
other: whoever could speak into that could as well change the calculation. `messages.decode` asks for it with
``private=True`` alone; to all other viewers an object is its text.
"""

from __future__ import annotations

import pickle
from typing import Any

from axonlike.errors import show_value

__all__ = ["OwnObject", "made_again"]


class OwnObject:
    """An object as it was when this was made. pickled: None if it cannot be."""

    __slots__ = ("pickled", "text")

    def __init__(self, value: Any) -> None:
        self.text = show_value(value)
        self.pickled: bytes | None = None
        try:
            self.pickled = pickle.dumps(value, protocol=5)
        except Exception as exc:
            self.text += f" (it cannot be sent: {exc})"


def made_again(pickled: bytes | memoryview) -> Any:
    """The object. Raises whatever its making raises."""
    return pickle.loads(pickled)
