"""``axonlike components``: what a graph file may name, and what can be set in each."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonlike.cli.output import Exit, Failure, complain, print_json, styled

if TYPE_CHECKING:
    from axonlike.settings import Setting

__all__ = ["add_arguments", "describe", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike components [NAME]``."""
    parser.description = "List the components that a graph file may name, or tell the settings and boxes of one."
    parser.add_argument("name", nargs="?", metavar="NAME", help='such as SerialLines; or "module:Class"')
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Print the list, or one component."""
    from axonlike.registry import imported_from, load_all

    loaded, complaints = load_all()
    for complaint in complaints:
        complain(f"warning: {complaint}")
    if options.name is None:
        if options.json:
            print_json({name: describe(name, made) for name, made in loaded.items()})
        else:
            _print_list(loaded)
        return Exit.OK
    with imported_from(Path.cwd()):
        made = _find(options.name, loaded)
    if options.json:
        print_json(describe(options.name, made))
    else:
        _print_one(options.name, made)
    return Exit.OK


def _find(name: str, loaded: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    from axonlike.errors import did_you_mean
    from axonlike.registry import find
    from axonlike.settings import Misfit

    try:
        if ":" in name:
            return find(name, {})
        return loaded[name]
    except Misfit as misfit:
        raise Failure(f"{misfit.text}: {misfit.remedy}") from misfit
    except KeyError:
        near = did_you_mean(name, loaded)
        raise Failure(f"there is no component {name!r}{near} (`axonlike components` lists them)") from None


def describe(name: str, made: Callable[..., Any]) -> dict[str, Any]:
    """A component as data: what it does, its settings and its boxes."""
    from axonlike.component import Component
    from axonlike.registry import summary_of, what_is_said_of
    from axonlike.settings import settings_of

    boxes: dict[str, dict[str, str]] = {"inboxes": {}, "outboxes": {}}
    if isinstance(made, type) and issubclass(made, Component):
        boxes["inboxes"] = {box: spec.description for box, spec in made._class_inboxes.items()}
        boxes["outboxes"] = {box: spec.description for box, spec in made._class_outboxes.items()}
    return {
        "name": name,
        "summary": summary_of(made),
        "settings": [
            {
                "name": setting.name,
                "type": setting.shown,
                "required": setting.required,
                "default": _plain_default(setting),
                "description": what_is_said_of(setting.name, made),
            }
            for setting in settings_of(made).by_name.values()
            if setting.shown
        ],
        **boxes,
    }


def _plain_default(setting: Setting) -> Any:
    default = setting.default
    if isinstance(default, bytes):
        return default.decode("latin-1")
    if isinstance(default, tuple | list):
        return list(default)
    return default if isinstance(default, str | int | float | bool) else None


def _print_list(loaded: dict[str, Callable[..., Any]]) -> None:
    from axonlike.registry import summary_of

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    column = max(map(len, loaded), default=0) + 2
    for name, made in loaded.items():
        summary = summary_of(made)
        if width and len(summary) > width - column:
            summary = summary[: max(width - column - 1, 10)].rstrip() + "…"
        print(f"{styled(name, 'bold', sys.stdout)}{' ' * (column - len(name))}{summary}")


def _print_one(name: str, made: Callable[..., Any]) -> None:
    told = describe(name, made)
    width = min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 100
    print(f"{styled(name, 'bold', sys.stdout)}: {told['summary']}.")
    if told["settings"]:
        print(styled("\nsettings", "cyan", sys.stdout))
    for setting in told["settings"]:
        default = setting["default"]
        has_default = default not in (None, [])
        rest = " (needed)" if setting["required"] else f" (default {_as_toml(default)})" if has_default else ""
        print(f"  {styled(setting['name'], 'bold', sys.stdout)}: {setting['type']}{styled(rest, 'dim', sys.stdout)}")
        if setting["description"]:
            print(textwrap.indent(textwrap.fill(setting["description"], width - 6), "      "))
    for way in ("inboxes", "outboxes"):
        if told[way]:
            print(styled(f"\n{way}", "cyan", sys.stdout))
            column = max(map(len, told[way])) + 2
            for box, description in told[way].items():
                print(f"  {styled(box, 'bold', sys.stdout)}{' ' * (column - len(box))}{description}")


def _as_toml(default: Any) -> str:
    from axonlike.settings import show_plain

    return "[" + ", ".join(map(show_plain, default)) + "]" if isinstance(default, list) else show_plain(default)
