"""The components that a graph file may name, by short names: entry points of the group "axonlike.components".

Ours are listed in pyproject.toml, those of other packages in theirs:

    [project.entry-points."axonlike.components"]
    Thermometer = "my_package.devices:Thermometer"

Nothing is imported before it is asked for. A package that cannot be imported costs its own components only.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from axonlike.component import Component
from axonlike.errors import did_you_mean
from axonlike.settings import REFERENCE, Misfit

__all__ = [
    "GROUP", "Entry", "find", "imported_from", "known", "load_all", "makes_components", "refer", "summary_of",
    "what_is_said_of",
]  # fmt: skip

GROUP = "axonlike.components"


@dataclass(frozen=True, slots=True)
class Entry:
    """A component under its short name. reference: ``"module:Name"``. package: the distribution that brings it."""

    name: str
    reference: str
    package: str

    def load(self) -> Callable[..., Any]:
        """The class, or function that makes one. Raises Misfit if it cannot be imported."""
        try:
            made = refer(self.reference)
        except Misfit as misfit:
            raise Misfit(f"{self.name} of the package {self.package}: {misfit.text}", misfit.remedy) from misfit
        if not makes_components(made):
            raise Misfit(f"{self.name} of the package {self.package} is no component", "tell those who wrote it")
        return made  # type: ignore[no-any-return]


def known() -> tuple[dict[str, Entry], list[str]]:
    """Every short name, sorted; and a sentence for each that hides another one."""
    found: dict[str, Entry] = {}
    hidden: list[str] = []
    for entry in _entries():
        other = found.setdefault(entry.name, entry)
        if other.reference == entry.reference or other.package == entry.package:
            continue
        if entry.package == "axonlike":  # ours keep their names, whatever is installed beside them
            entry, other = other, entry
            found[entry.name] = other
        hidden.append(
            f"the component {entry.name} of the package {entry.package} is hidden by that of {other.package}; "
            f'name it as "{entry.reference}"'
        )
    return dict(sorted(found.items())), hidden


def _entries() -> Iterator[Entry]:
    # Not metadata.entry_points(), which takes the first distribution of a name only: in a checkout that can be what an
    # older build left there.
    for distribution in metadata.distributions():
        points = distribution.entry_points.select(group=GROUP)
        if points:
            package = distribution.name  # read from a file at each look
            for point in points:
                yield Entry(point.name, point.value.replace(" ", ""), package)


def load_all() -> tuple[dict[str, Callable[..., Any]], list[str]]:
    """All that can be imported, by short name; and a sentence for each that cannot."""
    entries, complaints = known()
    loaded: dict[str, Callable[..., Any]] = {}
    for entry in entries.values():
        try:
            loaded[entry.name] = entry.load()
        except Misfit as misfit:
            complaints.append(misfit.text)
    return loaded, complaints


def find(name: str, entries: Mapping[str, Entry]) -> Callable[..., Any]:
    """What a file calls `name`: a short name or ``"module:Name"``. Raises Misfit."""
    if ":" in name:
        made = refer(name)
        if not makes_components(made):
            kind = "a component: add the name of its class" if isinstance(made, Component) else "no component"
            raise Misfit(f"{name} is {kind}", "name a class that is a Component, or a function that makes one")
        return made  # type: ignore[no-any-return]
    entry = entries.get(name)
    if entry is None:
        raise Misfit(
            f"there is no component {name!r}{did_you_mean(name, entries)}",
            'see `axonlike components`; a class of your own is named "module:Class"',
        )
    return entry.load()


def makes_components(made: object) -> bool:
    """A component class, or a function (what it returns is seen when it is called)."""
    if isinstance(made, type):
        return issubclass(made, Component)
    return callable(made) and not isinstance(made, Component)


def refer(reference: str) -> Any:
    """What ``"module:name"`` names. Raises Misfit, with the place where an import fails."""
    if not re.match(REFERENCE, reference):
        raise Misfit(f"{reference!r} is no name of a class or function", 'write "module:name"')
    module_name, _, path = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        missing = exc.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise Misfit(
                f"there is no module {missing!r}", "put it beside this file, or install the package that has it"
            ) from exc
        raise Misfit(f"{module_name} needs the module {missing!r}", f"install it: pip install {missing}") from exc
    except SyntaxError as exc:
        raise Misfit(f"{module_name} cannot be imported: {exc.msg}", f"mend {exc.filename}:{exc.lineno}") from exc
    except Exception as exc:
        raise Misfit(f"{module_name} cannot be imported: {type(exc).__name__}: {exc}", f"mend {_place(exc)}") from exc
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as exc:
            names = [known for known in dir(found) if not known.startswith("_")]
            raise Misfit(f"{module_name} has no {name!r}{did_you_mean(name, names)}", "mend the name") from exc
    return found


def _place(exc: BaseException) -> str:
    tb = exc.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return f"{tb.tb_frame.f_code.co_filename}:{tb.tb_lineno}" if tb is not None else "it"


@contextmanager
def imported_from(folder: Path) -> Iterator[None]:
    """While the block runs, modules are looked for in this folder first, as for a script that stands there."""
    place = str(folder)
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(place)


def summary_of(made: Callable[..., Any]) -> str:
    """The first sentence of its docstring, without markup."""
    text = " ".join((inspect.getdoc(made) or "").partition("\n\n")[0].split())
    # A docstring may begin with an example. It stays where what follows speaks of the names in it (a, b, c).
    text = re.sub(r"^``\w+\((?![a-z], )[^`]*``: ", "", text).replace("``", "")
    text = re.split(r"(?<=[.]) ", text, maxsplit=1)[0].rstrip(".:")
    return text[:1].upper() + text[1:]


def what_is_said_of(setting: str, made: Callable[..., Any]) -> str:
    """What the docstrings say of a setting, where they do it as ``setting: what it is.``; else an empty text."""
    # "setting: what it is." at the beginning of a line or a sentence, up to the end of that sentence.
    pattern = re.compile(rf"(?ms)(?:^|[.;)]\s+){re.escape(setting)}: (.+?)(?:\.(?=\s|\Z)|; \w+: |\n\n|\Z)")
    for kind in made.__mro__ if isinstance(made, type) else (made,):
        function = vars(kind).get("__init__") if isinstance(kind, type) else kind
        if kind is not made and setting not in getattr(getattr(function, "__code__", None), "co_varnames", ()):
            continue  # the same word in a base that takes no such setting is about something else
        for text in (kind.__doc__, getattr(function, "__doc__", None)):
            if found := pattern.search(inspect.cleandoc(text or "")):
                return " ".join(found[1].replace("``", "").split())
    return ""
