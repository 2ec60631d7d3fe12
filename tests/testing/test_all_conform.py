"""Every public component is checked by `check_component` somewhere in the tests, or stands here with a reason.

It is the tests' text that is read (a run of a part of them knows nothing of the others): each call of
`check_component`, and what the factory in it makes; through parametrised lists, fixtures, local names and functions.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from axonlike import Component
from axonlike import components as _components

TESTS = Path(__file__).resolve().parents[1]
BASES = "a base class: there is nothing to run before somebody has written the rest"
NOT_CHECKED = {
    "Block": BASES,  # test_block.py checks one of its subclasses
    "Component": BASES,
    "DescriptorComponent": BASES,  # SerialPort is one
    "Driven": BASES,  # test_driven.py checks two of its subclasses
    "Settable": BASES,  # test_settable.py checks one of its subclasses
    "ThreadedComponent": BASES,  # test_threads.py checks one of its subclasses
    "Widget": BASES,  # all that draws is one
    "Step": "made by `step`, which is checked under that name",
}


def public_components() -> set[str]:
    """The names of all component classes that the packages export."""
    inside = pkgutil.iter_modules(_components.__path__, "axonlike.components.")
    packages = ["axonlike", "axonlike.chassis", "axonlike.backplane", *(module.name for module in inside)]
    found: set[str] = set()
    for package in map(importlib.import_module, packages):
        exported = ((name, getattr(package, name)) for name in package.__all__)
        found.update(name for name, kind in exported if isinstance(kind, type) and issubclass(kind, Component))
    return found


class Module:
    """The text of one file of tests."""

    def __init__(self, path: Path) -> None:
        self._tree = ast.parse(path.read_text())
        self._names = dict(_definitions(self._tree))

    def checked(self) -> Iterator[str]:
        """The names of what the factories given to check_component make."""
        for function in self._tree.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                checks = [call for call in calls if _name(call.func) == "check_component" and call.args]
                if checks:
                    names = self._names | dict(_parameters(function)) | dict(_definitions(function))
                    for call in checks:
                        yield from _made(call.args[0], names, frozenset())


def _definitions(scope: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.AST]]:
    """What names stand for in a function or module, as far as a function or an expression says so."""
    for node in scope.body if isinstance(scope, ast.Module) else ast.walk(scope):
        if isinstance(node, ast.FunctionDef) and node is not scope:
            yield node.name, node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            yield node.target.id, node.iter


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """The values that `parametrize` gives to the arguments (of several at once: all values to each)."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and _name(decorator.func) == "parametrize":
            for word in ast.walk(decorator.args[0]):
                if isinstance(word, ast.Constant):
                    for name in str(word.value).split(","):
                        yield name.strip(), decorator.args[1]


def _made(factory: ast.AST, names: dict[str, ast.AST], seen: frozenset[str]) -> Iterator[str]:
    """The names of the classes (or functions of the package) of which these expressions make a component."""
    if isinstance(factory, ast.Name | ast.Attribute):
        name = _name(factory)
        if name in names and name not in seen:
            yield from _made(names[name], names, seen | {name})
        else:
            yield name
    elif isinstance(factory, ast.Lambda):
        yield from _made(factory.body, names, seen)
    elif isinstance(factory, ast.Call):  # what it is made of is not what is checked
        yield from _made(factory.func, names, seen)
    elif isinstance(factory, ast.FunctionDef):
        inner = names | dict(_definitions(factory))
        for node in ast.walk(factory):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from _made(node.value, inner, seen)
    elif isinstance(factory, ast.List | ast.Tuple):
        for entry in factory.elts:
            yield from _made(entry, names, seen)
    elif isinstance(factory, ast.IfExp):
        yield from _made(factory.body, names, seen)
        yield from _made(factory.orelse, names, seen)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@cache
def checked_components() -> frozenset[str]:
    """What all tests check."""
    paths = (path for path in TESTS.rglob("test_*.py") if "check_component(" in path.read_text())
    return frozenset(name for path in paths for name in Module(path).checked())


def test_every_public_component_is_checked_or_excused() -> None:
    missing = public_components() - checked_components() - NOT_CHECKED.keys()
    assert not missing, (
        f"nothing checks that {', '.join(sorted(missing))} keep the promises of all components: "
        "add check_component(lambda: ...) to their tests, or a reason to NOT_CHECKED"
    )


def test_no_excuse_is_left_over() -> None:
    assert not NOT_CHECKED.keys() - public_components(), "these are no public components any more"
    assert not NOT_CHECKED.keys() & checked_components(), "these are checked and need no excuse"


def test_what_a_component_is_made_of_or_runs_beside_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(
        "KINDS = [Noise, Tone]\n"
        "def made():\n    inner = Echo()\n    return Pipeline(inner)\n"
        "@pytest.mark.parametrize(('factory', 'ends'), [(lambda: Par(Null()), True), (Seq, False)])\n"
        "def test_one(factory, ends):\n    check_component(factory, companions=lambda: [Backplane('a')], ends=ends)\n"
        "def test_other():\n    check_component(made)\n"
        "    for kind in KINDS:\n        check_component(lambda: kind(1))\n"
    )
    checked = set(Module(path).checked())
    assert checked == {"Noise", "Tone", "Par", "Seq", "Pipeline"}
