"""Attributes of blocks that are checked when they are set, in the constructor or by a message to `settings`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from axonlike.components.dsp.block import Block
from axonlike.errors import UsageError, show_value

__all__ = ["Checked", "flag", "one_of", "positive", "real", "whole"]

T = TypeVar("T")


class Checked(Generic[T]):
    """A setting of a block. check: returns the value as it is to be kept, or raises ValueError saying what is allowed.

    After each its block's `renew` is called (if it has one): what was computed beforehand is stale. If that raises
    UsageError, because values do not go together, the one before stays. renews: False for one of which nothing was
    computed.
    """

    def __init__(self, check: Callable[[Any], T], *, renews: bool = True) -> None:
        self.check = check
        self.renews = renews

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, block: None, owner: type) -> Checked[T]: ...
    @overload
    def __get__(self, block: Block, owner: type) -> T: ...
    def __get__(self, block: Block | None, owner: type) -> Checked[T] | T:
        if block is None:
            return self
        value: T = block.__dict__[self.name]
        return value

    def __set__(self, block: Block, value: Any) -> None:
        try:
            checked = self.check(value)
        except (TypeError, ValueError) as exc:
            raise UsageError(f"{block.path}: {self.name} is {exc}, not {show_value(value)}") from exc
        settings = block.__dict__
        before = settings.get(self.name, checked)
        settings[self.name] = checked
        renew = getattr(block, "renew", None)
        if renew is None or not self.renews:
            return
        try:
            renew()
        except UsageError:
            settings[self.name] = before
            raise


def whole(at_least: int) -> Callable[[Any], int]:
    """A check: an int of at least this."""

    def check(value: Any) -> int:
        number = _number(value)
        if number is None or number != int(number) or number < at_least:
            raise ValueError(f"a whole number of at least {at_least}")
        return int(number)

    return check


def positive(value: Any) -> float:
    """A check: a finite number above 0."""
    number = _number(value)
    if number is None or number <= 0:
        raise ValueError("a number above 0")
    return number


def real(value: Any) -> float:
    """A check: a finite number."""
    number = _number(value)
    if number is None:
        raise ValueError("a finite number")
    return number


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool | str) else None


def flag(value: Any) -> bool:
    """A check: True or False."""
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def one_of(*values: Any) -> Callable[[Any], Any]:
    """A check: one of these."""

    def check(value: Any) -> Any:
        if not any(value is v or (isinstance(value, str) and value == v) for v in values):
            raise ValueError("one of " + ", ".join(map(repr, values)))
        return value

    return check
