"""Names of a package whose modules need numpy: loaded when they are asked for, so that the others work without it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from axonlike.errors import MissingExtra

__all__ = ["loaded_late"]

_EXTRAS = {"msgspec": "signals", "numpy": "signals", "scipy": "signals"}


def loaded_late(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package (PEP 562). modules: submodule -> the names in it, with blanks between.

    Asking for one raises MissingExtra where numpy, scipy or msgspec is not installed.
    The package's `__init__` imports the same names under TYPE_CHECKING, for type checkers; a test compares the two.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        try:
            home = homes[name]
        except KeyError:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
        try:
            value = getattr(importlib.import_module(f"{package}.{home}"), name)
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            if missing not in _EXTRAS:
                raise
            raise MissingExtra(f"{package}.{name}", missing, _EXTRAS[missing]) from None
        setattr(sys.modules[package], name, value)
        return value

    return get
