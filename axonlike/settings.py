"""Settings of components as plain data: what a constructor takes, checked against its annotations.

For graph files, where a setting is a value of TOML: what may be written for a parameter, whether a value fits, what it
becomes, and the JSON Schema that says the same. What no plain value can stand for (an SSLContext, an open file) cannot
be set in a file.

A parameter that takes a function is written as the name of one, ``"module:name"``. One that takes a component, or a
function that makes components, is written as a table, of which the reader of the file makes one (`make`).
"""

from __future__ import annotations

import collections.abc
import datetime
import inspect
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from axonlike.component import Component
from axonlike.errors import did_you_mean

__all__ = [
    "REFERENCE", "Kind", "Make", "Misfit", "Path", "Refer", "Setting", "Settings", "convert", "kind_of_table",
    "schema_of", "settings_of", "show_plain",
]  # fmt: skip

REFERENCE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
"""How a class or a function is named: ``"package.module:Name"``."""

Kind = Literal["component", "factory"]


Path = tuple[str | int, ...]
Refer = Callable[[str], Any]
Make = Callable[[dict[str, Any], Kind, Path], Any]


class Misfit(Exception):
    """A value that does not fit. path: where it stands in the file."""

    def __init__(self, text: str, remedy: str, path: Path = ()) -> None:
        super().__init__(text)
        self.text, self.remedy, self.path = text, remedy, path


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a constructor. several: it takes any number of values, written as an array."""

    name: str
    hint: Any
    required: bool
    default: Any
    several: bool = False

    @property
    def shown(self) -> str:
        """Its type, as a person writes it."""
        return f"an array, each {show(self.hint)}" if self.several and show(self.hint) else show(self.hint)


@dataclass(frozen=True, slots=True)
class Settings:
    """All parameters of a constructor. is_open: it takes others too."""

    of: str
    by_name: Mapping[str, Setting]
    is_open: bool
    _signature: inspect.Signature

    def call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Call the constructor with these values, each as its signature wants it."""
        positional: list[Any] = []
        keywords = dict(values)
        several = next((p.name for p in self._signature.parameters.values() if p.kind is p.VAR_POSITIONAL), None)
        for parameter in self._signature.parameters.values():
            if parameter.kind is parameter.POSITIONAL_ONLY or (several in values and parameter.kind < 2):
                # What stands before *several can only be given by place.
                if parameter.name in keywords:
                    positional.append(keywords.pop(parameter.name))
                elif parameter.default is not parameter.empty:
                    positional.append(parameter.default)
        if several in values:
            positional += keywords.pop(str(several))
        return function(*positional, **keywords)


def settings_of(made: Callable[..., Any]) -> Settings:
    """What a component class (or a function that makes a component) takes.

    Where an ``__init__`` hands its other options on to that of its base (``**options: Any``), those are there too.
    """
    name = getattr(made, "__qualname__", repr(made))
    functions: list[Callable[..., Any]]
    if isinstance(made, type):
        functions = [vars(cls)["__init__"] for cls in made.__mro__ if "__init__" in vars(cls) and cls is not object]
    else:
        functions = [made]
    found: dict[str, Setting] = {}
    first: inspect.Signature | None = None
    is_open = False
    for function in functions:
        signature = inspect.signature(function)
        if isinstance(made, type):
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        first = first or signature
        is_open = False
        for parameter in signature.parameters.values():
            hint = _hint_of(function, parameter)
            if parameter.kind is parameter.VAR_KEYWORD:
                is_open = hint is Any
            elif parameter.kind is parameter.VAR_POSITIONAL:
                found.setdefault(parameter.name, Setting(parameter.name, hint, False, (), several=True))
            else:
                required = parameter.default is parameter.empty
                default = None if required else parameter.default
                found.setdefault(parameter.name, Setting(parameter.name, hint, required, default))
        if not is_open:
            break
    return Settings(name, found, is_open, first or inspect.Signature())


def _hint_of(function: Any, parameter: inspect.Parameter) -> Any:
    """A parameter's annotation; Any where there is none, or none that can be read here."""
    written = parameter.annotation
    if written is parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": written})
    try:
        return typing.get_type_hints(holder, getattr(inspect.unwrap(function), "__globals__", {}))["it"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any  # of a module that is imported for type checkers only


# -- what may be written


def kind_of_table(hint: Any) -> Kind | None:
    """Does the parameter take a component, or a function that makes components?"""
    kinds: set[Kind | None] = {_kind(choice) for choice in _choices(hint)}
    return "factory" if "factory" in kinds else "component" if "component" in kinds else None


def _kind(hint: Any) -> Kind | None:
    if isinstance(hint, type) and issubclass(hint, Component):
        return "component"
    if get_origin(hint) is collections.abc.Callable:
        result = get_args(hint)[1]
        return "factory" if any(_kind(choice) == "component" for choice in _choices(result)) else None
    return None


def _choices(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return (hint,)


_SEQUENCES = {
    list: list, tuple: tuple, set: set, frozenset: frozenset,
    collections.abc.Iterable: list, collections.abc.Sequence: list, collections.abc.Collection: list,
    collections.abc.Set: set,
}  # fmt: skip
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    bytes: ((str,), "a text (sent as UTF-8)"),
    datetime.datetime: ((datetime.datetime,), "a date and time"),
    datetime.date: ((datetime.date,), "a date"),
    datetime.time: ((datetime.time,), "a time of day"),
}


def _plain(hint: Any) -> tuple[tuple[type, ...], str] | None:
    if hint is os.PathLike or get_origin(hint) is os.PathLike or (
        isinstance(hint, type) and issubclass(hint, os.PathLike)
    ):
        return (str,), "a path"
    return _PLAIN.get(hint) if isinstance(hint, type) else None


def show(hint: Any) -> str:
    """What may be written for a parameter, in words; an empty text where nothing can be."""
    words: dict[str, None] = {}
    for choice in _choices(hint):
        if word := _show_one(choice):
            words[word] = None
    return " or ".join(words)


def _show_one(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return "any value"
    if origin is Literal:
        return " or ".join(f'"{word}"' if isinstance(word, str) else str(word) for word in arguments)
    if (origin or hint) in _SEQUENCES:
        inner = show(arguments[0]) if arguments else "any value"
        return f"an array, each {inner}" if inner else ""
    if (origin or hint) in _MAPPINGS:
        return "a table"
    if (kind := _kind(hint)) is not None:
        table = "a table with `type` (or with `components` and `links`)"
        return f'{table}, or "module:function"' if kind == "factory" else table
    if origin is collections.abc.Callable or hint is collections.abc.Callable:
        return 'the name of a function, "module:function"'
    plain = _plain(hint)
    return plain[1] if plain is not None else ""


# -- whether a value fits


def convert(value: Any, hint: Any, refer: Refer, make: Make, path: Path = ()) -> Any:
    """A plain value as a parameter of this annotation takes it. Raises Misfit.

    refer: finds what ``"module:name"`` names; it may raise Misfit. make: what stands for the table of a component.
    path: where the value stands, for a Misfit and for `make`.
    """
    kind = kind_of_table(hint)
    if kind is not None and isinstance(value, dict):
        return make(value, kind, path)
    problem: Misfit | None = None
    for choice in _choices(hint):
        try:
            return _convert_one(value, choice, refer, make, path)
        except Misfit as misfit:
            # The one that came furthest says most: an array of the wrong things is no "not a text".
            if problem is None or (len(misfit.path), bool(misfit.text)) > (len(problem.path), bool(problem.text)):
                problem = misfit
    assert problem is not None
    if problem.text:
        raise problem
    may_be = show(hint)
    if not may_be:
        raise Misfit("this setting cannot be written in a graph file", "leave it out, or write it in Python", path)
    raise Misfit(f"{show_plain(value)} does not fit", f"write {may_be}", path)


def _convert_one(value: Any, hint: Any, refer: Refer, make: Make, path: Path) -> Any:
    """Raises Misfit; without a text if this is not the kind of value at all."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return value
    if origin is Literal:
        if any(value == word and type(value) is type(word) for word in arguments):
            return value
        if isinstance(value, str) and any(isinstance(word, str) for word in arguments):
            near = did_you_mean(value, [word for word in arguments if isinstance(word, str)])
            words = ", ".join(map(show_plain, arguments))
            raise Misfit(f"{show_plain(value)} is none of its values{near}", f"write one of {words}", path)
        raise Misfit("", "", path)
    if (origin or hint) in _SEQUENCES:
        if not isinstance(value, list):
            raise Misfit("", "", path)
        inner = arguments or (Any,)
        if origin is tuple and Ellipsis not in arguments and arguments:
            if len(value) != len(arguments):
                raise Misfit(f"this array has {len(value)} values", f"write {len(arguments)} of them", path)
        else:
            inner = (inner[0],) * len(value)
        members = zip(value, inner, strict=True)
        return _SEQUENCES[origin or hint](
            [convert(member, of, refer, make, (*path, number)) for number, (member, of) in enumerate(members)]
        )
    if (origin or hint) in _MAPPINGS:
        if not isinstance(value, dict):
            raise Misfit("", "", path)
        of = arguments[1] if arguments else Any
        return {key: convert(member, of, refer, make, (*path, key)) for key, member in value.items()}
    if _kind(hint) == "component":
        raise Misfit("", "", path)
    if origin is collections.abc.Callable or hint is collections.abc.Callable:
        if not isinstance(value, str):
            raise Misfit("", "", path)
        try:
            function = refer(value)
        except Misfit as misfit:
            raise Misfit(misfit.text, misfit.remedy, path) from misfit
        if not callable(function):
            raise Misfit(f"{show_plain(value)} cannot be called", "name a function or a class", path)
        return function
    plain = _plain(hint)
    if plain is None or not isinstance(value, plain[0]) or (isinstance(value, bool) and hint is not bool):
        raise Misfit("", "", path)
    fitting: Any = value
    return fitting.encode() if hint is bytes else float(fitting) if hint is float else fitting


def show_plain(value: Any) -> str:
    """A value as it is written in TOML, cut after 60 characters."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    elif isinstance(value, dict):
        return "a table"
    elif isinstance(value, list):
        return "an array"
    else:
        text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# -- the same as JSON Schema


def schema_of(hint: Any) -> dict[str, Any] | None:
    """The JSON Schema of what may be written; None where nothing can be. "#/$defs/made" is a table for a component."""
    schemas: list[dict[str, Any]] = []
    for choice in _choices(hint):
        for schema in _schemas_of_one(choice):
            if schema == {}:
                return {}
            if schema not in schemas:
                schemas.append(schema)
    if not schemas:
        return None
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


_JSON_TYPES: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
}


def _schemas_of_one(hint: Any) -> list[dict[str, Any]]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return [{}]
    if origin is Literal:
        return [{"enum": list(arguments)}]
    if (origin or hint) in _SEQUENCES:
        items = schema_of(arguments[0]) if arguments else {}
        return [] if items is None else [{"type": "array", "items": items}]
    if (origin or hint) in _MAPPINGS:
        members = schema_of(arguments[1]) if arguments else {}
        return [{"type": "object", "additionalProperties": True if members is None else members}]
    if (kind := _kind(hint)) is not None:
        made: dict[str, Any] = {"$ref": "#/$defs/made"}
        return [made, {"type": "string", "pattern": REFERENCE}] if kind == "factory" else [made]
    if origin is collections.abc.Callable or hint is collections.abc.Callable:
        return [{"type": "string", "pattern": REFERENCE}]
    if _plain(hint) is None:
        return []
    return [_JSON_TYPES.get(hint, {"type": "string"})]
