"""Graph files: what they say is run, and every fault is told with its place and a remedy."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from axonlike import Graphline, run
from axonlike.chassis.pipeline import Pipeline
from axonlike.errors import ComponentError, MissingExtra, how_to_install
from axonlike.graphfile import Fault, GraphFileError, build, read
from axonlike.introspection import snapshot_of
from axonlike.testing import isolated, run_virtual

HELLO = """\
links = ["SOURCE -> SHOUT -> KEPT"]

[components.SOURCE]
type = "DataSource"
messages = ["one", "two"]

[components.SHOUT]
type = "Transform"
functions = ["builtins:str.upper"]

[components.KEPT]
type = "Collect"
"""


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "graph.toml") -> Path:
    Path(name).write_text(text)
    return Path(name)


def built(text: str, *overrides: str) -> Any:
    return build(read(written(text), overrides))


def faults_of(text: str, *overrides: str) -> tuple[Fault, ...]:
    with pytest.raises(GraphFileError) as caught:
        built(text, *overrides)
    return caught.value.faults


def told(text: str, *overrides: str) -> list[tuple[int, int, str]]:
    return [(fault.line, fault.column, fault.text) for fault in faults_of(text, *overrides)]


def components(*lines: str, links: str = "") -> str:
    """A file with these components, one a line, from the third line on; the links are in the first one."""
    return f"links = [{links}]\n[components]\n" + "\n".join(lines) + "\n"


def kept(graph: Any) -> list[Any]:
    return list(graph.components["KEPT"].messages)


# -- what is run


def test_a_graph_file_is_run() -> None:
    graph = built(HELLO)
    run_virtual(graph)
    assert kept(graph) == ["ONE", "TWO"]


def test_what_was_read_has_components_settings_and_links_each_with_its_place() -> None:
    file = read(written(HELLO))
    assert file.faults == ()
    assert file.name == "graph"
    assert {name: (spec.type, spec.line) for name, spec in file.components.items()} == {
        "SOURCE": ("DataSource", 3), "SHOUT": ("Transform", 7), "KEPT": ("Collect", 11),
    }  # fmt: skip
    assert file.components["SOURCE"].settings == {"messages": ["one", "two"]}
    assert [(str(link), link.line, link.column, link.sink_column) for link in file.links] == [
        ("SOURCE.outbox -> SHOUT.inbox", 1, 11, 21), ("SHOUT.outbox -> KEPT.inbox", 1, 21, 30),
    ]  # fmt: skip


def test_a_file_may_name_its_graph() -> None:
    assert built('name = "hello"\n' + HELLO).path == "hello"
    assert built(HELLO).path == "graph"


def test_links_may_be_one_text_and_name_boxes() -> None:
    text = HELLO.replace('["SOURCE -> SHOUT -> KEPT"]', '"""\nSOURCE.outbox -> SHOUT.inbox; SHOUT -> KEPT\n"""')
    graph = built(text)
    run_virtual(graph)
    assert kept(graph) == ["ONE", "TWO"]


def test_errors_name_the_line_of_the_file() -> None:
    graph = built(HELLO.replace('["one", "two"]', "[1]"))
    with isolated(), pytest.raises(ComponentError) as caught:
        run(graph)
    assert str(caught.value).splitlines()[:2] == [
        "component 'SHOUT' failed      graph.toml › graph › SHOUT",
        "  made at   graph.toml:7      [components.SHOUT]",
    ]


def test_components_go_by_their_names_in_the_file_whatever_they_call_themselves() -> None:
    graph = built(
        components(
            "OUT = {type = 'PublishTo', name = 'Events'}",
            "PLANE = {type = 'Backplane', name = 'Events'}",
            "LOUD = {type = 'Transform', functions = ['builtins:str.upper'], name = 'loud'}",
        )
    )
    assert [child.path for child in graph.children] == ["graph/OUT", "graph/PLANE", "graph/LOUD"]


def test_a_backplane_in_a_file_does_not_keep_the_graph_alive() -> None:
    graph = built(
        components(
            'SOURCE = {type = "DataSource", messages = [1, 2]}',
            'OUT = {type = "PublishTo", name = "Events"}',
            'PLANE = {type = "Backplane", name = "Events"}',
            'IN = {type = "SubscribeTo", name = "Events"}',
            'KEPT = {type = "Collect"}',
            links='"SOURCE -> OUT", "IN -> KEPT"',
        )
    )
    run_virtual(graph)
    assert kept(graph) == [1, 2]


def test_a_class_beside_the_file_is_used_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "beside_it.py").write_text(
        "from axonlike import Component, step\n\nclass Twice(Component):\n    def __init__(self, factor=2):\n"
        "        self.factor = factor\n    def main(self):\n        while True:\n            yield self.wait()\n"
        "            for n in self.inbox():\n                self.send(self.factor * n)\n\n"
        "def plus(number: int):\n    return step(lambda n: n + number)\n"
    )
    text = components(
        'SOURCE = {type = "DataSource", messages = [1, 2]}',
        'TWICE = {type = "beside_it:Twice", factor = 3}',
        'PLUS = {type = "beside_it:plus", number = 1}',
        'KEPT = {type = "Collect"}',
        links='"SOURCE -> TWICE -> PLUS -> KEPT"',
    )
    (folder / "g.toml").write_text(text)
    monkeypatch.chdir("/")
    graph: Any = build(read(folder / "g.toml"))
    run_virtual(graph)
    assert kept(graph) == [4, 7]


def test_a_factory_makes_a_fresh_component_for_each_client() -> None:
    graph: Any = built(
        components('SERVER = {type = "SimpleServer", port = 0, factory = {type = "SubscribeTo", name = "E"}}')
    )
    factory = graph.components["SERVER"].factory
    one, other = factory(), factory()
    assert one is not other
    assert (one.topic, str(one.made_at)) == ("E", "graph.toml:3")
    assert "SubscribeTo at graph.toml:3" in repr(factory.__qualname__)


def test_a_factory_may_be_a_whole_graph_or_the_name_of_a_function() -> None:
    text = """\
[components.SERVER]
type = "SimpleServer"
port = 0
[components.SERVER.factory]
links = ["self -> UP -> self"]
[components.SERVER.factory.components.UP]
type = "Transform"
functions = ["builtins:str.upper"]
[components.OTHER]
type = "SimpleServer"
port = 0
factory = "axonlike.components.net:Echo"
"""
    graph: Any = built(text)
    inner = graph.components["SERVER"].factory()
    assert isinstance(inner, Graphline)
    assert [child.name for child in inner.children] == ["UP"]
    assert graph.components["OTHER"].factory.__name__ == "Echo"


def test_a_chassis_is_written_with_tables_for_its_components() -> None:
    graph: Any = built(
        components(
            'SOURCE = {type = "DataSource", messages = ["a"]}',
            'WORK = {type = "Pipeline", components = [{type = "PassThrough"}, {type = "PassThrough"}]}',
            'KEPT = {type = "Collect"}',
            links='"SOURCE -> WORK -> KEPT"',
        )
    )
    assert isinstance(graph.components["WORK"], Pipeline)
    run_virtual(graph)
    assert kept(graph) == ["a"]


def test_the_policy_for_errors_is_a_setting_of_every_component() -> None:
    text = HELLO.replace('["one", "two"]', '["one", 2, "three"]')
    graph: Any = built(text + 'on_error = "skip"\n')
    assert graph.components["KEPT"].on_error == "skip"
    assert told(text + 'on_error = "skp"\n') == [(13, 12, '"skp" is no policy')]


def test_a_setting_can_be_given_another_value_for_one_run() -> None:
    graph: Any = built(HELLO, 'SOURCE.messages=["x"]')
    run_virtual(graph)
    assert kept(graph) == ["X"]
    assert built(HELLO, "SOURCE.on_error=skip").components["SOURCE"].on_error == "skip"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("SORCE.messages=[]", "there is no component 'SORCE'; did you mean 'SOURCE'?"),
        ("SOURCE", "'SOURCE' is no setting"),
        ("SOURCE.mesages=[]", "SOURCE: DataSource has no setting 'mesages'; did you mean 'messages'?"),
        ("KEPT.forward=3", "KEPT: forward: 3 does not fit"),
        ("SOURCE.messages.x=1", "'SOURCE.messages.x' is no setting"),
    ],
)
def test_what_is_typed_wrongly_is_told_as_typed(override: str, text: str) -> None:
    (fault,) = faults_of(HELLO, override)
    assert (fault.file, fault.text) == ("the command line", text)
    assert fault.remedy


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("links = [1\n", [(2, 1, "unclosed array")]),
        ("a = b\n", [(1, 5, "invalid value")]),
        ("[a]\n[a]\n", [(2, 3, "cannot declare ('a',) twice")]),
        ("", [(1, 1, "there are no components")]),
        ("nmae = 'x'\n" + HELLO, [(1, 1, "'nmae' means nothing here; did you mean 'name'?")]),
        ("name = 'a b'\n" + HELLO, [(1, 8, '"a b" is no name')]),
        ("components = 3\n", [(1, 1, "components is a table")]),
        ("[components]\nA = 3\n", [(2, 1, "A is not a table")]),
        ("[components]\n'a b' = {type = 'Null'}\n", [(2, 1, "a component cannot be named 'a b'")]),
        ("[components]\nself = {type = 'Null'}\n", [(2, 1, "a component cannot be named 'self'")]),
        ("[components]\nA = {}\n", [(2, 1, "A has no type")]),
        ("[components]\nA = {type = 3}\n", [(2, 13, "type is a text")]),
        ("[components]\nA = {type = 'Nul'}\n", [(2, 13, "there is no component 'Nul'; did you mean 'Null'?")]),
        ("[components]\nA = {type = 'nowhere:X'}\n", [(2, 13, "there is no module 'nowhere'")]),
        ("[components]\nA = {type = 'os:sep'}\n", [(2, 13, "os:sep is no component")]),
        (
            "[components.A]\ntype = 'Every'\n",
            [(1, 13, "Every needs 'interval_s'")],
        ),
        (
            "[components.A]\ntype = 'Every'\nintervall_s = 2\n",
            [
                (1, 13, "Every needs 'interval_s'"),
                (3, 1, "Every has no setting 'intervall_s'; did you mean 'interval_s'?"),
            ],
        ),
        ("[components.A]\ntype = 'Every'\ninterval_s = 'x'\n", [(3, 14, 'interval_s: "x" does not fit')]),
        (
            "[components.A]\ntype = 'Every'\ninterval_s = -1\n",
            [(1, 13, "Every: interval_s is a number of seconds above 0, not -1.0")],
        ),
        ("[components.A]\ntype = 'Null'\nlinks = []\n", [(3, 1, "these links stand among the settings of A")]),
        (
            components("LOG = {type = 'Null'}", links="'LOG -> LOGS', 'x -> LOG'"),
            [(1, 18, "no component 'LOGS'; did you mean 'LOG'?"), (1, 26, "no component 'x'")],
        ),
        (components("A = {type = 'Null'}", links="'A => A'"), [(1, 11, "cannot read the link 'A => A'")]),
        (components("A = {type = 'Null'}", links="3"), [(1, 10, "3 is no link")]),
        ("links = 3\n[components]\nA = {type = 'Null'}\n", [(1, 1, "links is an array of texts")]),
        (components("A = {type = 'Null'}", links="'self -> self'"), [(1, 11, "self cannot be linked to self")]),
        (
            components("A = {type = 'Null'}", "B = {type = 'Null'}", links="'A -> B',\n'A -> B.control'"),
            [(2, 2, "A.outbox already feeds B.inbox (line 1)")],
        ),
        (
            components("A = {type = 'Null'}", "B = {type = 'Null'}", links="'A.outbux -> B', 'B -> A.inbux'"),
            [(1, 11, "graph/A has no outbox 'outbux'; did you mean 'outbox'?"),
             (1, 33, "graph/A has no inbox 'inbux'; did you mean 'inbox'?")],
        ),
        (
            components("A = {type = 'SimpleServer', port = 1, factory = {type = 'SubscribeTo'}}"),
            [(3, 39, "SubscribeTo needs 'name'")],
        ),
        (
            components("A = {type='SimpleServer', port=1, factory={components={B={type='Nul'}}, lins=[]}}"),
            [
                (3, 64, "there is no component 'Nul'; did you mean 'Null'?"),
                (3, 73, "'lins' means nothing here; did you mean 'links'?"),
            ],
        ),
        (
            components("A = {type = 'SimpleServer', port = 1, factory = {type='SubscribeTo', name='E', limit=0}}"),
            [(3, 39, "SubscribeTo('E'): a limit is at least 1, not 0")],
        ),
    ],
    ids=lambda value: "" if isinstance(value, list) else value.replace("\n", "⏎")[:50],
)  # fmt: skip
def test_each_mistake_is_told_with_its_place_and_a_remedy(text: str, expected: list[tuple[int, int, str]]) -> None:
    faults = faults_of(text)
    assert [(fault.line, fault.column, fault.text) for fault in faults] == expected
    assert all(fault.remedy and fault.file == "graph.toml" for fault in faults)


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_its_lines() -> None:
    text = """\
links = ["A -> C", "A.out -> B"]
nmae = "x"
[components.A]
type = "Every"
interval_s = "x"
[components.B]
type = "Nul"
[components.D]
type = "Backplane"
name = ""
[components.E]
type = "Splitter"
outboxes = ["a", "a"]
"""
    assert [line for line, _column, _text in told(text)] == [1, 2, 5, 7, 8, 11]


def test_a_box_that_only_the_made_component_has_is_known() -> None:
    graph = built(
        components(
            "S = {type = 'Splitter', outboxes = ['log']}", "A = {type = 'Null'}", "B = {type = 'Null'}",
            links="'S.log -> A', 'S -> B'",
        )
    )  # fmt: skip
    assert {str(link) for link in snapshot_of([graph]).links} >= {
        "graph/S.log -> graph/A.inbox", "graph/S.outbox -> graph/B.inbox",
    }  # fmt: skip


def test_boxes_of_self_are_those_of_the_graph() -> None:
    graph = built(components("A = {type = 'PassThrough'}", links="'self.tune -> A', 'A -> self.results'"))
    assert "tune" in graph.inbox_names
    assert "results" in graph.outbox_names


def test_text_that_is_not_utf8_is_a_fault_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# fine\nname = '\xe4'\n")
    (fault,) = read(path).faults
    assert (fault.line, fault.column, fault.text) == (2, 9, "this is not UTF-8")


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.toml")


def test_a_missing_package_is_a_fault_that_keeps_its_cause(tmp_path: Path) -> None:
    Path("lacking.py").write_text(
        "from axonlike import Component\nfrom axonlike.errors import MissingExtra\n\nclass Lacking(Component):\n"
        "    def __init__(self):\n        raise MissingExtra('Lacking', 'pyserial', 'serial')\n"
    )
    (fault,) = faults_of(components("A = {type = 'lacking:Lacking'}"))
    assert isinstance(fault.cause, MissingExtra)
    assert (fault.line, fault.text) == (3, f"Lacking needs pyserial: {how_to_install('axonlike[serial]')}")


def test_a_constructor_that_fails_is_a_fault_with_the_exception(tmp_path: Path) -> None:
    Path("failing.py").write_text(
        "from axonlike import Component\n\nclass Failing(Component):\n    def __init__(self, n: int):\n"
        "        1 / n\n\ndef nothing():\n    pass\n"
    )
    text = components("A = {type = 'failing:Failing', n = 0}", "B = {type = 'failing:nothing'}")
    assert told(text) == [
        (3, 1, "ZeroDivisionError: division by zero"),
        (4, 1, "failing:nothing made None, which is no component"),
    ]


def test_the_error_says_it_all_in_lines_and_survives_a_process_border() -> None:
    with pytest.raises(GraphFileError) as caught:
        built("[components]\nA = {}\nB = 3\n")
    assert str(caught.value).splitlines() == [
        'graph.toml:2:1: A has no type: add type = "...", see `axonlike components`',
        'graph.toml:3:1: B is not a table: write [components.B] and type = "..." below',
    ]
    assert pickle.loads(pickle.dumps(caught.value)).faults == caught.value.faults


def test_values_are_data_and_nothing_in_them_is_executed() -> None:
    marker = Path("executed")
    code = f"__import__('pathlib').Path({os.fspath(marker)!r}).touch()"
    graph: Any = built(HELLO.replace('["one", "two"]', f'["{code}", "{{{code}}}", "${{x}}"]'))
    run_virtual(graph)
    assert kept(graph)[0] == code.upper()
    assert not marker.exists()


# -- the page about them


def test_every_graph_file_on_the_page_can_be_built(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "graph-files.md"
    blocks = re.findall(r"```\{code-block\} toml\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        built(block)
