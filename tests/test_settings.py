"""Settings as plain data: what fits a parameter, what it becomes, and the schema that says the same."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import pytest

from axonlike import Component, Pipeline, Seq, Supervisor
from axonlike.components.devices import SerialLines
from axonlike.components.net import SimpleServer
from axonlike.components.util import Splitter, Transform
from axonlike.settings import Misfit, convert, kind_of_table, schema_of, settings_of, show_plain


def refer(name: str) -> Any:
    return {"m:upper": str.upper, "m:text": "no function"}[name]


def make(table: dict[str, Any], kind: str, path: tuple[str | int, ...]) -> Any:
    return (kind, table, path)


@pytest.mark.parametrize(
    ("value", "hint", "becomes"),
    [
        ("a", str, "a"),
        (3, int, 3),
        (3, float, 3.0),
        (True, bool, True),
        ("\r\n", bytes, b"\r\n"),
        ("even", Literal["even", "odd"], "even"),
        (8, Literal[7, 8], 8),
        (None, Any, None),
        ({"a": [1]}, object, {"a": [1]}),
        (["a", "b"], Sequence[str], ["a", "b"]),
        (["a", "b"], tuple[str, ...], ("a", "b")),
        ([0.1, 30], tuple[float, float], (0.1, 30.0)),
        (["a"], Iterable[str] | None, ["a"]),
        ("a", Iterable[str] | str, "a"),
        ({"A": "b"}, Mapping[str, str], {"A": "b"}),
        ("/x", str | os.PathLike[str], "/x"),
        ("/x", os.PathLike, "/x"),
        ("m:upper", Callable[[str], str], str.upper),
        ({"type": "X"}, Component, ("component", {"type": "X"}, ())),
        ({"type": "X"}, Callable[..., Component], ("factory", {"type": "X"}, ())),
        ({"type": "X"}, Component | Callable[[], Component], ("factory", {"type": "X"}, ())),
        ([{"type": "X"}], list[Component], [("component", {"type": "X"}, (0,))]),
        ("m:upper", Callable[..., Component], str.upper),
    ],
    ids=str,
)
def test_a_plain_value_becomes_what_the_parameter_takes(value: Any, hint: Any, becomes: Any) -> None:
    converted = convert(value, hint, refer, make)
    assert (converted, type(converted)) == (becomes, type(becomes))


@pytest.mark.parametrize(
    ("value", "hint", "text", "remedy"),
    [
        ("9600", int, '"9600" does not fit', "write a whole number"),
        (1.5, int, "1.5 does not fit", "write a whole number"),
        (True, int, "true does not fit", "write a whole number"),
        (1, bool, "1 does not fit", "write true or false"),
        (1, str | None, "1 does not fit", "write a text"),
        ([], str, "an array does not fit", "write a text"),
        ("evn", Literal["even"], "\"evn\" is none of its values; did you mean 'even'?", 'write one of "even"'),
        (9, Literal[7, 8], "9 does not fit", "write 7 or 8"),
        (["a", 1], Sequence[str], "1 does not fit", "write a text"),
        ([1.0], tuple[float, float], "this array has 1 values", "write 2 of them"),
        ("x", ssl.SSLContext, "this setting cannot be written in a graph file", "leave it out, or write it in Python"),
        (1, Callable[[str], str], "1 does not fit", 'write the name of a function, "module:function"'),
        ("m:text", Callable[[str], str], '"m:text" cannot be called', "name a function or a class"),
        ("X", Component, '"X" does not fit', "write a table with `type` (or with `components` and `links`)"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_told_with_what_would(value: Any, hint: Any, text: str, remedy: str) -> None:
    with pytest.raises(Misfit) as caught:
        convert(value, hint, refer, make)
    assert (caught.value.text, caught.value.remedy) == (text, remedy)


def test_a_misfit_says_where_in_the_value_it_is() -> None:
    with pytest.raises(Misfit) as caught:
        convert({"a": ["x", 3]}, dict[str, list[str]], refer, make, ("setting",))
    assert caught.value.path == ("setting", "a", 1)


def test_a_setting_that_only_its_base_has_is_found_where_the_options_are_handed_on() -> None:
    settings = settings_of(SerialLines)
    assert {"port", "encoding", "must_exist", "longest_wait_s"} <= set(settings.by_name)
    assert not settings.is_open


def test_a_constructor_that_takes_anything_is_open() -> None:
    class Anything(Component):
        def __init__(self, size: int, **options: Any) -> None: ...

    settings = settings_of(Anything)
    assert settings.is_open
    assert settings.by_name["size"].required


def test_an_annotation_that_cannot_be_read_counts_as_any_value() -> None:
    class Odd(Component):
        def __init__(self, thing: NotImportedHere, size: int = 3) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    by_name = settings_of(Odd).by_name
    assert by_name["thing"].shown == "any value"
    assert by_name["size"].shown == "a whole number"


@pytest.mark.parametrize(
    ("kind", "setting", "shown", "several"),
    [
        (SimpleServer, "port", "a whole number", False),
        (SimpleServer, "framing", '"lines" or "bytes" or "length"', False),
        (Splitter, "outboxes", "an array, each a text", True),
        (Transform, "functions", 'an array, each the name of a function, "module:function"', True),
    ],
)
def test_settings_are_shown_as_a_person_writes_them(kind: Any, setting: str, shown: str, several: bool) -> None:
    found = settings_of(kind).by_name[setting]
    assert (found.shown, found.several) == (shown, several)


def test_a_call_gives_each_value_in_the_way_its_signature_wants() -> None:
    def made(first: int, /, second: int = 2, *many: str, only: int = 4, **more: int) -> Any:
        return first, second, many, only, more

    settings = settings_of(made)
    assert settings.call(made, {"first": 1, "many": ["a", "b"], "more": 9}) == (1, 2, ("a", "b"), 4, {"more": 9})
    assert settings.call(made, {"first": 1, "only": 5}) == (1, 2, (), 5, {})


@pytest.mark.parametrize(("kind", "setting"), [(Pipeline, "components"), (Seq, "steps"), (Supervisor, "children")])
def test_a_chassis_takes_tables_for_its_components(kind: Any, setting: str) -> None:
    assert kind_of_table(settings_of(kind).by_name[setting].hint) == ("component" if kind is Pipeline else "factory")


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (int, {"type": "integer"}),
        (int | None, {"type": "integer"}),
        (str | Sequence[str], {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (Any, {}),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Component, {"$ref": "#/$defs/made"}),
        (ssl.SSLContext, None),
    ],
    ids=str,
)
def test_the_schema_of_an_annotation(hint: Any, schema: Any) -> None:
    assert schema_of(hint) == schema


def test_a_long_value_is_shown_in_part() -> None:
    assert show_plain("x" * 100) == '"' + "x" * 58 + "…"
    assert show_plain('a"b\n') == '"a\\"b\\n"'
