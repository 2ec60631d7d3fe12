"""What the numbers of a plot have been so far, kept with the calculation: a viewer that comes later shows it too."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["History", "numbers_in"]

_MOST_NUMBERS = 64  # names whose history is kept


def numbers_in(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Names, as panels have them, and values of all plain numbers in a call."""
    for number, value in enumerate(args, 1):
        yield from _numbers(str(number), value)
    for name, value in kwargs.items():
        yield from _numbers(name, value)


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, bool | int | float):
        try:
            yield name, float(value)
        except OverflowError:
            yield name, math.inf if value > 0 else -math.inf
    elif isinstance(value, complex):
        yield name, abs(value)
    elif isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biufc":
        yield from _numbers(name, value.item())
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _numbers(f"{name}.{key}", each)


class History:
    """Rows (call, value) of each number, at most `limit` of each.

    When they are full every second one goes, and from then on only every second one is kept that comes. Both the
    calculation's thread and the one beside it add to it.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._call = 0
        self._lock = threading.Lock()
        self._rows: dict[str, list[tuple[float, float]]] = {}
        self._every: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def add(self, call: int, numbers: Iterable[tuple[str, float]]) -> None:
        """What the numbers are at this call. Nothing if it, or a later one, was added before."""
        with self._lock:
            if call > self._call:
                self._call = call
                self._add(call, numbers)

    def _add(self, call: int, numbers: Iterable[tuple[str, float]]) -> None:
        for name, value in numbers:
            rows = self._rows.get(name)
            if rows is None:
                if len(self._rows) >= _MOST_NUMBERS:
                    continue
                rows = self._rows[name] = []
                self._every[name] = 1
                self._seen[name] = 0
            if self._seen[name] % self._every[name] == 0:
                rows.append((call, value))
                if len(rows) >= self._limit:
                    del rows[1::2]
                    self._every[name] *= 2
            self._seen[name] += 1

    def arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """Of each name, shape (rows, 2)."""
        with self._lock:
            return {name: np.array(rows, np.float64).reshape(-1, 2) for name, rows in self._rows.items()}
