"""Attributes that are checked when they are set, by a message, a key or a program: the settings of displays."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar, overload

from axonlike.errors import UsageError, did_you_mean, show_value

__all__ = ["Setting", "amount", "count", "flag", "one_of", "span"]

T = TypeVar("T")


class _Showing(Protocol):
    def setting_changed(self, name: str) -> None: ...


class Setting(Generic[T]):
    """A setting of a display: `check` returns the value to be kept, or raises ValueError, which says what is wrong.

    The display is told by `setting_changed(name)` when the value is another one.
    """

    def __init__(self, check: Callable[[Any], T], doc: str = "") -> None:
        self._check = check
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | Setting[T]:
        if instance is None:
            return self
        value: T = instance.__dict__[f"_setting_{self._name}"]
        return value

    def __set__(self, instance: _Showing, value: Any) -> None:
        key = f"_setting_{self._name}"
        try:
            checked = self._check(value)
        except (ValueError, TypeError) as exc:
            raise UsageError(f"{type(instance).__name__}: {self._name}={show_value(value)}: {exc}") from exc
        is_new = key not in instance.__dict__ or instance.__dict__[key] != checked
        instance.__dict__[key] = checked
        if is_new:
            instance.setting_changed(self._name)


def flag(value: Any) -> bool:
    """True or False."""
    if value is not True and value is not False:
        raise ValueError("it is True or False")
    return bool(value)


def amount(low: float, high: float, units: str = "") -> Callable[[Any], float]:
    """A number within these."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"it is a number from {low:g} to {high:g} {units}".rstrip())
        return float(value)

    return check


def count(low: int, high: int) -> Callable[[Any], int]:
    """A whole number within these."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"it is a whole number from {low} to {high}")
        return value

    return check


def one_of(*names: str) -> Callable[[Any], str]:
    """One of these names."""

    def check(value: Any) -> str:
        if value not in names:
            hint = did_you_mean(value, names) if isinstance(value, str) else ""
            raise ValueError(f"it is one of {', '.join(names)}{hint}")
        return str(value)

    return check


def span(value: Any) -> tuple[float, float] | None:
    """(low, high), or None for what fits."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Collection) or len(value) != 2:
        raise ValueError("it is (low, high), or None")
    low, high = (float(v) for v in value)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError("it is (low, high) with low below high, or None")
    return low, high
