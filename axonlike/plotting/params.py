"""What may be set in the window of a plot and is read by the calculation: numbers, switches, choices and words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from axonlike.errors import UsageError, did_you_mean, show_value

__all__ = ["NoSuchParam", "Param", "ParamValue", "Params", "params_of"]

ParamValue = bool | int | float | str

_MOST_CHARACTERS: Final = 1000


class Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One parameter: what it begins with says what it may be.

    value: True or False is a switch, an int a whole number, a float any finite number, a str one of `choices` or,
    without them, any words. low, high: of numbers, both included. log: a control moves in factors (both ends above 0).
    """

    value: ParamValue
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()
    units: str = ""
    text: str = ""
    """What it is, for the one who sets it."""

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise UsageError(f"Param: low={self.low:g} is to be below high={self.high:g}")
        if self.log and (self.low is None or self.high is None or self.low <= 0):
            raise UsageError("Param: log=True needs low and high, both above 0")
        if (self.low is not None or self.high is not None or self.log) and (
            isinstance(self.value, bool | str) or self.choices
        ):
            raise UsageError("Param: low, high and log are for numbers")
        self.checked(self.value, "Param")

    def checked(self, value: Any, name: str) -> ParamValue:
        """The value as this parameter takes it. Raises UsageError."""
        if isinstance(self.value, str):
            fits = isinstance(value, str) and len(value) <= _MOST_CHARACTERS
            if fits and (not self.choices or value in self.choices):
                return str(value)
            wanted = f"one of {', '.join(map(repr, self.choices))}" if self.choices else "words"
            raise UsageError(f"{name} is {wanted}, not {show_value(value)}")
        if isinstance(self.value, bool):
            if isinstance(value, bool):
                return value
            raise UsageError(f"{name} is True or False, not {show_value(value)}")
        whole = isinstance(self.value, int)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{name} is a {'whole ' if whole else ''}number, not {show_value(value)}")
        if whole and value != int(value):
            raise UsageError(f"{name} is a whole number, not {show_value(value)}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            low, high = ("any" if end is None else f"{end:g}" for end in (self.low, self.high))
            raise UsageError(f"{name} is from {low} to {high}, not {value:g}")
        return int(value) if whole else float(value)


def params_of(specs: Mapping[str, Any]) -> dict[str, Param]:
    """What a person writes for each parameter: a `Param`, its first value, or the choices (the first is the value).

    Raises UsageError, which names the parameter.
    """
    params: dict[str, Param] = {}
    for name, spec in specs.items():
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or hasattr(Params, name):
            raise UsageError(f"params: {name!r} is no name that can be read as plot.params.{name}; take another")
        if isinstance(spec, Param):
            params[name] = spec
        elif isinstance(spec, bool | int | float | str):
            params[name] = Param(spec)
        elif isinstance(spec, tuple | list) and spec and all(isinstance(choice, str) for choice in spec):
            params[name] = Param(spec[0], choices=tuple(spec))
        else:
            raise UsageError(
                f"params: {name}={show_value(spec)}: give a Param(...), a number, True or False, words, or a tuple "
                "of choices"
            )
    return params


class NoSuchParam(UsageError, AttributeError):
    """A parameter that the plot was not given."""


class Params:
    """Values of the parameters as last set, by the window or here: ``plot.params.dt`` or ``plot.params["dt"]``.

    Setting one here shows it in all windows. Reading is one lookup; any thread may.
    """

    __slots__ = ("_changed", "_values", "specs")

    def __init__(self, specs: Mapping[str, Param], changed: Any = None) -> None:
        self.specs: dict[str, Param] = dict(specs)
        self._values: dict[str, ParamValue] = {name: spec.value for name, spec in specs.items()}
        self._changed = changed

    def _known(self, name: str) -> Param:
        try:
            return self.specs[name]
        except KeyError:
            there_are = ", ".join(self.specs) or "none"
            raise NoSuchParam(
                f"there is no parameter {name!r}{did_you_mean(name, self.specs)} (there are: {there_are})"
            ) from None

    def take(self, name: str, value: Any) -> ParamValue:
        """Set one without telling anybody. Raises UsageError."""
        checked = self._known(name).checked(value, name)
        self._values[name] = checked
        return checked

    def as_dict(self) -> dict[str, ParamValue]:
        """All of them, as they are now."""
        return dict(self._values)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            self._known(name)
            raise

    def __setitem__(self, name: str, value: Any) -> None:
        self.take(name, value)
        if self._changed is not None:
            self._changed(name)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            if name.startswith("_"):
                raise AttributeError(name) from None
            self._known(name)
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Params.__slots__:
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Params({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"
