"""What happened to a simulated device, in order, for tests to wait for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Happenings"]

_KEPT = 10_000


class Happenings:
    """A list of words that one thread adds to and others wait on. The last 10 000 are kept."""

    def __init__(self) -> None:
        self._words: deque[str] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()

    def add(self, word: str) -> None:
        """It has happened."""
        with self._changed:
            self._words.append(word)
            self._changed.notify_all()

    @property
    def words(self) -> list[str]:
        """All that has happened."""
        with self._changed:
            return list(self._words)

    def wait_for(self, condition: Callable[[list[str]], object], *, timeout_s: float = 30.0) -> list[str]:
        """Wait until it holds for `words`; returns those. Raises TimeoutError, which shows the last 20."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(list(self._words)), timeout_s):
                raise TimeoutError(f"not within {timeout_s:g} s: the last words are {list(self._words)[-20:]}")
            return list(self._words)
