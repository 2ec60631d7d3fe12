"""``axonlike schema``: the JSON Schema of graph files, made from the components that are installed here.

Editors that check TOML (Even Better TOML, taplo) take it: ``axonlike schema > graph.schema.json``, and in the file
``#:schema graph.schema.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from axonlike.cli.output import Exit, complain, print_json

__all__ = ["add_arguments", "graph_file_schema", "run"]

_NAME = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
_LINKS = r"^[\s;]*([\w-]+(\.[\w-]+)?([ \t]*->[ \t]*[\w-]+(\.[\w-]+)?)+[\s;]*)*$"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike schema``."""
    parser.description = (
        "Print the JSON Schema (2020-12) of graph files, with the settings of every component that is installed here. "
        "For editors: axonlike schema > graph.schema.json, and the line `#:schema graph.schema.json` in a graph file."
    )
    parser.add_argument("--json", action="store_true", help="it always is JSON; taken as other commands take it")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from axonlike.registry import load_all

    loaded, complaints = load_all()
    for complaint in complaints:
        complain(f"warning: {complaint}")
    print_json(graph_file_schema(loaded))
    return Exit.OK


def graph_file_schema(components: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The schema, for these components by their short names; those named "module:Class" may have any settings."""
    from axonlike.settings import REFERENCE

    graph = {"components": {"$ref": "#/$defs/components"}, "links": {"$ref": "#/$defs/links"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "axonlike graph file",
        "description": "Components with their settings, and the links between them.",
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": _NAME, "description": "What the graph is called; else as the file."},
            **graph,
        },
        "required": ["components"],
        "additionalProperties": False,
        "$defs": {
            "links": {
                "description": 'What feeds what: "A -> B", "A.error -> C.inbox", "A -> B -> C".',
                "anyOf": [
                    {"type": "string", "pattern": _LINKS},
                    {"type": "array", "items": {"type": "string", "pattern": _LINKS}},
                ],
            },
            "components": {
                "description": "A table for each component: [components.NAME]",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": _NAME, "not": {"enum": ["self", "name", "links", "linkages"]}},
                "additionalProperties": {"$ref": "#/$defs/component"},
            },
            "component": {
                "type": "object",
                "properties": {
                    "type": {
                        "description": 'A short name (see `axonlike components`), or "module:Class".',
                        "anyOf": [{"enum": sorted(components)}, {"type": "string", "pattern": REFERENCE}],
                    }
                },
                "required": ["type"],
                "allOf": [
                    {
                        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                        "then": {"$ref": f"#/$defs/{name}"},
                    }
                    for name in sorted(components)
                ],
            },
            "graph": {
                "description": "Components and links in the place of one component; its own boxes are those of self.",
                "type": "object",
                "properties": graph,
                "required": ["components"],
                "additionalProperties": False,
            },
            "made": {
                "if": {"required": ["type"]},
                "then": {"$ref": "#/$defs/component"},
                "else": {"$ref": "#/$defs/graph"},
            },
            **{name: _kind(made) for name, made in sorted(components.items())},
        },
    }


def _kind(made: Callable[..., Any]) -> dict[str, Any]:
    from axonlike.registry import summary_of, what_is_said_of
    from axonlike.settings import schema_of, settings_of

    settings = settings_of(made)
    properties: dict[str, Any] = {
        "type": {},
        "on_error": {
            "enum": ["stop", "skip", "restart", "error"],
            "description": "What an exception in it does: end everything, drop the message, restart, or tell `error`.",
        },
    }
    required = ["type"]
    for setting in settings.by_name.values():
        schema = schema_of(setting.hint)
        if schema is None:
            continue
        if setting.several:
            schema = {"type": "array", "items": schema}
        if said := what_is_said_of(setting.name, made):
            schema = {**schema, "description": said}
        if isinstance(setting.default, str | int | float | bool):
            schema = {**schema, "default": setting.default}
        properties[setting.name] = schema
        if setting.required:
            required.append(setting.name)
    kind: dict[str, Any] = {"description": summary_of(made), "properties": properties, "required": required}
    return kind if settings.is_open else {**kind, "additionalProperties": False}
