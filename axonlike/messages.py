"""The messages of the toolkit itself: what travels from a ``signal`` outbox to a ``control`` inbox.

They are frozen: one object may be handed to any number of components.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Crashed", "ProducerFinished", "Shutdown"]


@dataclass(frozen=True, slots=True)
class ProducerFinished:
    """No more data will come from `source`: take what is in the boxes, then stop."""

    source: str = ""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop now; what is still in the boxes is counted as unread."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Crashed:
    """A component failed: sent on its ``error`` outbox under ``on_error="error"``, and by supervisors.

    path: the component's path. error: the exception. box, number, value: the message at which it failed (number is
    its ordinal, from 1, in that box; 0 where none had been taken).
    """

    path: str
    error: BaseException
    box: str = ""
    number: int = 0
    value: object = None
