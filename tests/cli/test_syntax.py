"""What the tree of a script's text says, without executing it."""

from __future__ import annotations

import ast
import textwrap

import pytest

from axonlike.cli.syntax import (
    Function,
    boxes_added,
    boxes_declared,
    boxes_named,
    constants,
    method_called,
    never_gives_way,
    nodes_with_the_same,
    own_nodes,
    speaks_first,
    yields,
)


def function_of(body: str) -> Function:
    function = ast.parse("def main(self):\n" + textwrap.indent(body, "    ")).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def class_of(body: str) -> ast.ClassDef:
    cls = ast.parse("class C:\n" + textwrap.indent(body, "    ")).body[0]
    assert isinstance(cls, ast.ClassDef)
    return cls


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ("self.send(1)\nyield self.wait()", True),
        ("yield self.wait()\nself.send(1)", False),
        ("yield self.wait(timeout=1)\nself.send(1)", True),
        ("yield self.wait('control')\nself.send(1)", True),
        ("while True:\n    for m in self.inbox():\n        self.send(m)\n    yield", False),
        ("yield self.sleep(1)", True),
        ("yield from self.helper()", True),
        ("yield", True),
    ],
)
def test_who_speaks_first(body: str, first: bool) -> None:
    assert speaks_first(function_of(body)) is first


def test_a_generator_within_a_function_does_not_make_it_one() -> None:
    assert not yields(function_of("def inner():\n    yield\nreturn inner"))
    assert yields(function_of("def inner():\n    pass\nyield"))


def test_own_nodes_leave_out_what_stands_in_inner_functions_and_classes() -> None:
    nodes = own_nodes(function_of("a\ndef f():\n    b\nlambda: c\nd"))
    assert [node.id for node in nodes if isinstance(node, ast.Name)] == ["a", "d"]


def test_an_inner_function_shares_self_unless_it_has_its_own() -> None:
    nodes = list(nodes_with_the_same("self", function_of("def f(self):\n    self.a()\ndef g():\n    self.b()")))
    assert [called for node in nodes if (called := method_called(node, "self"))] == ["b"]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("self.send(1, 'out')", [("outbox", "out")]),
        ("self.send(1, box='out')", [("outbox", "out")]),
        ("self.recv('in')", [("inbox", "in")]),
        ("self.wait('a', 'b')", [("inbox", "a"), ("inbox", "b")]),
        ("self.send(*both)", []),
        ("self.other('a')", []),
    ],
)
def test_the_boxes_that_a_call_names(call: str, named: list[tuple[str, str]]) -> None:
    node = ast.parse(call, mode="eval").body
    found = [(which, ast.literal_eval(box)) for which, box in boxes_named(method_called(node, "self"), node)]
    assert found == named


@pytest.mark.parametrize(
    ("loop", "never"),
    [
        ("while True:\n    pass", True),
        ("while not self.data_ready():\n    pass", True),
        ("while True:\n    yield", False),
        ("while True:\n    break", False),
        ("while self.more():\n    pass", False),
    ],
)
def test_a_loop_that_nothing_ends_and_that_never_yields(loop: str, never: bool) -> None:
    node = ast.parse(loop).body[0]
    assert isinstance(node, ast.While)
    assert never_gives_way(node, "self") is never


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("Inboxes = {'a': '', B: ''}", {"a", "bee"}),
        ("Inboxes: dict = ['a', 'b']", {"a", "b"}),
        ("Inboxes = {computed(): ''}", None),
        ("Inboxes = make()", None),
        ("pass", set()),
    ],
)
def test_the_boxes_that_a_class_declares(body: str, names: set[str] | None) -> None:
    assert boxes_declared(class_of(body), "Inboxes", {"B": "bee"}) == names


def test_a_name_stands_for_a_text_only_if_it_is_set_once() -> None:
    assert constants(ast.parse("A = 'a'\nB = 'b'\nB = 'c'\nC = 1\ndef f():\n    D = 'd'\n")) == {"A": "a"}


def test_boxes_that_are_added_are_known_unless_one_is_computed() -> None:
    tree = ast.parse("self.add_inbox('a')\nself.add_outbox('b')\nself.add_outbox(name)\n")
    assert boxes_added(tree) == {"inbox": {"a"}, "outbox": None}
