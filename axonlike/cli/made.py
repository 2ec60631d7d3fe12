"""A component from words of the command line: its name, and settings as ``name=value``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonlike.cli.output import Exit, Failure

if TYPE_CHECKING:
    from axonlike.component import Component
    from axonlike.settings import Setting

__all__ = ["made_of_words"]


def made_of_words(name: str, words: Sequence[str]) -> Component:
    """The component that `name` and `words` say, as in a graph file: ``"Noise", ["channels=4"]``.

    Values are as in TOML; what is none is text. Raises Failure for what does not fit, and what the constructor raises
    if that is an AxonlikeError.
    """
    from axonlike.component import Component
    from axonlike.errors import AxonlikeError, did_you_mean
    from axonlike.registry import find, imported_from, known
    from axonlike.settings import Misfit, settings_of

    with imported_from(Path.cwd()):
        try:
            made = find(name, known()[0])
            signature = settings_of(made)
            values: dict[str, Any] = {}
            for word in words:
                key, equals, text = word.partition("=")
                if not equals or not key:
                    raise Failure(f"{word!r} is no setting: write name=value (`axonlike components {name}` lists them)")
                setting = signature.by_name.get(key)
                if setting is None:
                    names = [there for there, setting in signature.by_name.items() if setting.shown]
                    raise Failure(
                        f"{name} has no setting {key!r}{did_you_mean(key, names)} "
                        f"(`axonlike components {name}` lists them)"
                    )
                try:
                    values[key] = _converted(text, setting)
                except Misfit as misfit:
                    raise Failure(f"{key}: {misfit.text}: {misfit.remedy}") from misfit
            for setting in signature.by_name.values():
                if setting.required and setting.name not in values:
                    raise Failure(f"{name} needs {setting.name!r}: add {setting.name}=...")
            component = signature.call(made, values)
        except Misfit as misfit:
            raise Failure(f"{misfit.text}: {misfit.remedy}") from misfit
        except AxonlikeError:
            raise
        except (TypeError, ValueError) as exc:
            raise Failure(f"{name} cannot be made: {exc}", Exit.FAILED) from exc
    if not isinstance(component, Component):
        raise Failure(f"{name} made {component!r}, which is no component")
    return component


def _converted(text: str, setting: Setting) -> Any:
    from axonlike.registry import refer
    from axonlike.settings import Misfit, convert

    value = _value_of(text)
    if setting.several:
        given = value if isinstance(value, list) else [value]
        return [convert(member, setting.hint, refer, _refuse_table) for member in given]
    try:
        return convert(value, setting.hint, refer, _refuse_table)
    except Misfit:
        if isinstance(value, str):
            raise
        return convert(text, setting.hint, refer, _refuse_table)  # a text that looks like a number


def _value_of(text: str) -> Any:
    try:
        return tomllib.loads(f"it = {text}")["it"]
    except tomllib.TOMLDecodeError:
        return text


def _refuse_table(*_: Any) -> Any:
    from axonlike.settings import Misfit

    raise Misfit("a component cannot be a setting here", "use a graph file (axonlike run FILE.toml)")
