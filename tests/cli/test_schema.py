"""``axonlike schema``: what an editor would say of a graph file is what axonlike says of it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from axonlike import Component
from axonlike.cli import main
from axonlike.cli.schema import graph_file_schema
from axonlike.graphfile import read
from axonlike.registry import load_all

ROOT = Path(__file__).resolve().parents[2]
NOTIFY = ROOT / "examples" / "notify.toml"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = graph_file_schema(load_all()[0])
    return jsonschema.Draft202012Validator(schema)


def test_it_prints_a_schema_of_the_2020_12_draft(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["SerialLines"]["properties"]["baud"]["default"] == 9600
    assert "a device's path" in schema["$defs"]["SerialLines"]["properties"]["port"]["description"]


def test_the_example_fits_its_schema(validator: jsonschema.Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(NOTIFY.read_text()))) == []
    assert read(NOTIFY).faults == ()


@pytest.mark.parametrize(
    ("written", "wrongly"),
    [
        ('port = "demo"', "port = 3"),
        ('port = "demo"', 'prot = "demo"'),
        ('type = "SerialLines"', 'type = "SerialLine"'),
        ('type = "SerialLines"', ""),
        ("port = 1600", 'port = "1600"'),
        ("port = 1600", ""),
        ('type = "notify_filter:EventFilter"', 'type = "notify_filter."'),
        ('"DEVICE -> FILTER -> EVENTS"', '"DEVICE => FILTER"'),
        ('"DEVICE -> FILTER -> EVENTS"', "3"),
        ("links = [", "lnks = ["),
        ("[components.DEVICE]", "[components.self]"),
        ('factory = { type = "SubscribeTo", name = "Events" }', 'factory = { type = "SubscribeTo" }'),
        ('factory = { type = "SubscribeTo", name = "Events" }', 'factory = { name = "Events" }'),
        ('factory = { type = "SubscribeTo", name = "Events" }', "factory = { components = {} }"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses_too(
    written: str, wrongly: str, validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    text = NOTIFY.read_text()
    assert written in text
    path = tmp_path / "notify.toml"
    path.write_text(text.replace(written, wrongly))
    (tmp_path / "notify_filter.py").write_text((ROOT / "examples" / "notify_filter.py").read_text())
    assert list(validator.iter_errors(tomllib.loads(path.read_text()))) != []
    assert read(path).faults != ()


@pytest.mark.parametrize(
    "text",
    [
        'links = "A -> A"\n[components.A]\ntype = "PassThrough"\non_error = "skip"\n',
        'links = """\nA -> B; B.error -> C\n\n"""\n[components]\nA = {type = "Null"}\nB = {type = "Null"}\n'
        'C = {type = "Null"}\n',
        '[components.A]\ntype = "axonlike.components.util:Null"\n',
        '[components.A]\ntype = "Pipeline"\ncomponents = [{type = "Null"}, {components = {B = {type = "Null"}}}]\n',
        '[components.A]\ntype = "SimpleServer"\nport = 0\nfactory = "axonlike.components.net:Echo"\n',
        '[components.A]\ntype = "Splitter"\noutboxes = ["log"]\n',
        '[components.A]\ntype = "Every"\ninterval_s = 1\nmessage = {any = ["thing", 3]}\n',
    ],
)
def test_what_the_reader_takes_the_schema_takes_too(
    text: str, validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(text)
    assert [(error.json_path, error.message) for error in validator.iter_errors(tomllib.loads(text))] == []
    assert "cannot read" not in str([fault for fault in read(path).faults if "no component" not in fault.text])


def test_the_settings_of_any_component_are_in_it() -> None:
    class Thermometer(Component):
        """Tells temperatures. limit_c: above it, it tells."""

        def __init__(self, limit_c: float, *sites: str, loud: bool = False, **others: Any) -> None: ...

    kind = graph_file_schema({"Thermometer": Thermometer})["$defs"]["Thermometer"]
    assert kind["properties"]["limit_c"] == {"type": "number", "description": "above it, it tells"}
    assert kind["properties"]["sites"] == {"type": "array", "items": {"type": "string"}}
    assert kind["properties"]["loud"] == {"type": "boolean", "default": False}
    assert kind["required"] == ["type", "limit_c"]
    assert "additionalProperties" not in kind
