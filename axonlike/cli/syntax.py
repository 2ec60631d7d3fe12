"""Questions about the syntax tree of a script with components, answered from the tree alone.

What is wrong with a script, and what to do about it, says `axonlike.cli.source`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

__all__ = [
    "FUNCTIONS",
    "Function",
    "boxes_added",
    "boxes_declared",
    "boxes_named",
    "constants",
    "imported_modules",
    "in_order",
    "last_name",
    "may_hand_on",
    "method_called",
    "methods",
    "never_gives_way",
    "nodes_with_the_same",
    "own_nodes",
    "speaks_first",
    "yields",
]

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def speaks_first(function: Function) -> bool:
    """Does a main() send something, or rest with a timer, before it waits for a message? True where it is not seen."""
    me = function.args.args[0].arg if function.args.args else "self"
    for node in in_order(function):
        if isinstance(node, ast.YieldFrom):
            return True
        called = method_called(node, me)
        if called in ("send", "send_many", "sleep", "deliver"):
            return True
        if called == "wait" and isinstance(node, ast.Call):
            # One that rests on its control box is told what to do otherwise.
            boxes = {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
            return "control" in boxes or any(keyword.arg == "timeout" for keyword in node.keywords)
        if called in ("recv", "inbox", "data_ready", "any_ready", "pause"):
            return False
    return True


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The modules that it imports by their full names, each with the statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node


def in_order(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `tree`, as they stand in the text."""
    for child in ast.iter_child_nodes(tree):
        yield child
        yield from in_order(child)


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions and classes within it."""
    work: list[ast.AST] = list(reversed(function.body))
    while work:
        node = work.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            work.extend(reversed(list(ast.iter_child_nodes(node))))


def methods(node: ast.ClassDef) -> Iterator[Function]:
    """The functions that stand in a class itself."""
    for function in node.body:
        if isinstance(function, FUNCTIONS):
            yield function


def yields(function: Function) -> bool:
    """Is it a generator function?"""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def may_hand_on(function: Function) -> bool:
    """Does it return something (another generator), or do nothing but raise?"""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in own_nodes(function))
    return returns or any(isinstance(statement, ast.Raise) for statement in body)


def nodes_with_the_same(me: str, function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of classes and functions within it that have a `self` of their own."""
    work: list[ast.AST] = list(function.body)
    while work:
        node = work.pop()
        yield node
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            arguments = node.args
            if me in {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}:
                continue
        if not isinstance(node, ast.ClassDef):
            work.extend(ast.iter_child_nodes(node))


def last_name(node: ast.expr) -> str:
    """X of ``a.b.X`` and of ``X``; an empty str of anything else."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def method_called(node: ast.AST, me: str) -> str | None:
    """X, if the node is a call self.X(...)."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    return node.func.attr if isinstance(node.func.value, ast.Name) and node.func.value.id == me else None


_BOX_ARGUMENT: dict[str, tuple[Literal["inbox", "outbox"], int]] = {
    "send": ("outbox", 1),
    "send_many": ("outbox", 1),
    "deliver": ("outbox", 1),
    "recv": ("inbox", 0),
    "data_ready": ("inbox", 0),
    "inbox": ("inbox", 0),
}


def boxes_named(method: str | None, node: ast.AST) -> Iterator[tuple[Literal["inbox", "outbox"], ast.expr]]:
    """The box names in a call of that method of a component."""
    if method is None or not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return
    if method == "wait":
        for argument in node.args:
            yield "inbox", argument
    elif method in _BOX_ARGUMENT:
        which, place = _BOX_ARGUMENT[method]
        if len(node.args) > place:
            yield which, node.args[place]
        for keyword in node.keywords:
            if keyword.arg == "box":
                yield which, keyword.value


def never_gives_way(loop: ast.While, me: str) -> bool:
    """Is it a loop that nothing in it ends, and that neither yields nor awaits?"""
    inner = [node for statement in loop.body for node in (statement, *ast.walk(statement))]
    gives_way = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Return, ast.Raise, ast.Break)
    if any(isinstance(node, gives_way) for node in inner):
        return False
    test = loop.test
    if isinstance(test, ast.Constant):
        return bool(test.value)
    # Nothing comes into a box while this step runs, so looking again does not help.
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return method_called(test.operand, me) in ("data_ready", "any_ready")
    return False


def constants(tree: ast.Module) -> dict[str, str]:
    """The script's names that stand for one text all along."""
    found: dict[str, str] = {}
    several: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            if node.id in found:
                several.add(node.id)
            found.setdefault(node.id, "")
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name) and isinstance(statement.value.value, str):
                    found[target.id] = statement.value.value
    return {name: text for name, text in found.items() if text and name not in several}


def boxes_declared(node: ast.ClassDef, which: str, constants: dict[str, str]) -> set[str] | None:
    """The names in a class's Inboxes or Outboxes; None if they are computed."""
    for statement in node.body:
        targets: Sequence[ast.expr] = ()
        value: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign):
            targets, value = (statement.target,), statement.value
        if value is None or not any(isinstance(target, ast.Name) and target.id == which for target in targets):
            continue
        keys: Iterable[ast.expr | None]
        if isinstance(value, ast.Dict):
            keys = value.keys
        elif isinstance(value, ast.List | ast.Tuple | ast.Set):
            keys = value.elts
        else:
            return None
        names: set[str] = set()
        for key in keys:
            name = constants.get(key.id) if isinstance(key, ast.Name) else getattr(key, "value", None)
            if not isinstance(name, str):
                return None
            names.add(name)
        return names
    return set()


def boxes_added(tree: ast.AST) -> dict[str, set[str] | None]:
    """The names given to add_inbox and add_outbox anywhere; None if one of them is computed."""
    added: dict[str, set[str] | None] = {"inbox": set(), "outbox": set()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            which = node.func.attr.removeprefix("add_")
            if node.func.attr in ("add_inbox", "add_outbox"):
                first = node.args[0] if node.args else None
                names = added[which]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and names is not None:
                    names.add(first.value)
                else:
                    added[which] = None
    return added
