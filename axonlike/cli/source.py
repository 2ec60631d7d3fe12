"""What the text of a script shows to be wrong with its components, without executing it.

It knows the classes of axonlike that the script imports, and the components that the script derives from them. Where
the text leaves a doubt (boxes with computed names, bases from elsewhere) it says nothing.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from axonlike.chassis.graphline import Graphline
from axonlike.cli.syntax import (
    FUNCTIONS,
    Function,
    boxes_added,
    boxes_declared,
    boxes_named,
    constants,
    imported_modules,
    in_order,
    last_name,
    may_hand_on,
    method_called,
    methods,
    never_gives_way,
    nodes_with_the_same,
    own_nodes,
    yields,
)
from axonlike.component import Component
from axonlike.errors import did_you_mean
from axonlike.instruments import advice_on
from axonlike.threads import ThreadedComponent

__all__ = ["Remark", "Source", "Wanted", "choice", "outboxes_named", "public_names"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is wrong, and where; lines and columns count from 1."""

    line: int
    column: int
    text: str
    remedy: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name that is published or subscribed to."""

    name: str
    by: str
    line: int
    column: int


@dataclass(slots=True)
class _Class:
    """A class of the script: what it derives from, as far as that is known."""

    node: ast.ClassDef
    local_bases: list[_Class] = field(default_factory=list)
    real_bases: list[type] = field(default_factory=list)
    known: bool = True  # all its bases are known
    inboxes: set[str] | None = field(default_factory=set)  # None: cannot be told
    outboxes: set[str] | None = field(default_factory=set)
    subclasses: list[_Class] = field(default_factory=list)

    def line_of_descent(self) -> Iterator[_Class]:
        yield self
        for base in self.local_bases:
            yield from base.line_of_descent()

    def descendants(self) -> Iterator[_Class]:
        yield self
        for subclass in self.subclasses:
            yield from subclass.descendants()

    def real(self) -> Iterator[type]:
        for cls in self.line_of_descent():
            yield from cls.real_bases

    def derives_from(self, kind: type) -> bool:
        return any(issubclass(base, kind) for base in self.real())


class Source:
    """The text of a script. Raises SyntaxError (or ValueError, for a null byte) if Python cannot read it."""

    def __init__(self, text: str, filename: str) -> None:
        self.text = text
        self.filename = filename
        self.tree = ast.parse(text, filename)
        self._nodes = list(ast.walk(self.tree))  # looked through a dozen times
        self.lines = text.splitlines()
        self._names: dict[str, Any] = {}  # what the script's names stand for, of axonlike
        self._constants = constants(self.tree)
        self._import_remarks: list[Remark] = []
        self._read_imports()
        self._classes = self._read_classes()
        self._added = boxes_added(self.tree)

    @property
    def uses_axonlike(self) -> bool:
        """Does it import anything of axonlike?"""
        return any(_is_axonlikes(module) for module, _ in imported_modules(self.tree))

    def remarks(self) -> list[Remark]:
        """All that is seen to be wrong, sorted by place."""
        found = [*self._import_remarks, *self._of_attributes(), *self._of_calls()]
        for cls in self._classes.values():
            if cls.derives_from(Component):
                found += self._of_class(cls)
        return sorted(set(found), key=lambda remark: (remark.line, remark.column, remark.text))

    def remarks_on_import(self, line: int) -> list[Remark]:
        """What is wrong with the import statement that a line is part of, where it names something of axonlike."""
        statement = self.statement_at(line)
        found = [remark for remark in self._import_remarks if self.statement_at(remark.line) is statement]
        return sorted(found, key=lambda remark: (remark.line, remark.column))

    # -- what the script's names stand for

    def _read_imports(self) -> None:
        guarded = {
            id(inner)
            for node in self._nodes
            if isinstance(node, ast.Try)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if _is_axonlikes(alias.name):
                        module = self._module(alias.name, alias, id(node) in guarded)
                        if module is not None and (alias.asname or "." not in alias.name):
                            self._names[alias.asname or alias.name] = module
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level and _is_axonlikes(node.module):
                module = self._module(node.module, node, id(node) in guarded)
                for alias in node.names if module is not None else ():
                    self._import_name(module, alias, id(node) in guarded)

    def _module(self, name: str, node: ast.AST, guarded: bool) -> Any:
        parent, _, last = name.rpartition(".")
        if parent:
            above = self._module(parent, node, guarded)
            if above is None:
                return None
        try:
            found = importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            found = False
        if found:
            try:
                return importlib.import_module(name)
            except ImportError:
                return None  # it lacks a package; executing the script tells which
        if not guarded:
            paths = getattr(above, "__path__", []) if parent else []
            public = [module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")]
            remark = _at(node, f"there is no module {name!r}", choice(last, public))
            line, column = self.find(name, node) or (remark.line, remark.column)
            self._import_remarks.append(replace(remark, line=line, column=column))
        return None

    def _import_name(self, module: Any, alias: ast.alias, guarded: bool) -> None:
        if alias.name == "*":
            for name in getattr(module, "__all__", ()):
                self._names[name] = getattr(module, name, None)
            return
        value = getattr(module, alias.name, None)
        if value is None and hasattr(module, "__path__"):
            full = f"{module.__name__}.{alias.name}"
            if importlib.util.find_spec(full) is not None:
                value = importlib.import_module(full)
        if value is not None or hasattr(module, alias.name):
            self._names[alias.asname or alias.name] = value
        elif not guarded:
            text = f"{module.__name__} has no {alias.name!r}"
            self._import_remarks.append(_at(alias, text, _where_is(alias.name, module)))

    def _value_of(self, node: ast.expr) -> Any:
        """The object of axonlike's that an expression names, or None."""
        if isinstance(node, ast.Name):
            return None if node.id in self._local_names else self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            value = self._value_of(node.value)
            return getattr(value, node.attr, None) if inspect.ismodule(value) else None
        return None

    @functools.cached_property
    def _local_names(self) -> frozenset[str]:
        return frozenset(node.name for node in self._nodes if isinstance(node, ast.ClassDef))

    def _read_classes(self) -> dict[str, _Class]:
        classes: dict[str, _Class] = {}
        for node in in_order(self.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            cls = _Class(node)
            for base in node.bases:
                value = None
                if isinstance(base, ast.Name) and base.id in classes:
                    cls.local_bases.append(classes[base.id])
                    classes[base.id].subclasses.append(cls)
                    cls.known = cls.known and classes[base.id].known
                    continue
                value = self._names.get(base.id) if isinstance(base, ast.Name) else self._value_of(base)
                if isinstance(value, type):
                    cls.real_bases.append(value)
                else:
                    cls.known = False
            cls.inboxes = boxes_declared(node, "Inboxes", self._constants)
            cls.outboxes = boxes_declared(node, "Outboxes", self._constants)
            classes[node.name] = cls
        return classes

    # -- names of boxes

    def boxes_of(self, cls: _Class, which: Literal["inbox", "outbox"]) -> set[str] | None:
        """All boxes that an object of the class may have, or None if the text does not tell."""
        added = self._added[which]
        if added is None:
            return None
        names = set(added)
        for descendant in cls.descendants():
            for relative in descendant.line_of_descent():
                own = relative.inboxes if which == "inbox" else relative.outboxes
                if own is None or not relative.known:
                    return None
                names |= own
            for base in descendant.real():
                if issubclass(base, Component):
                    names |= set(base._class_inboxes if which == "inbox" else base._class_outboxes)
        if which == "outbox" and "on_error" in self.text:
            names.add("error")
        return names

    def _of_class(self, cls: _Class) -> Iterator[Remark]:
        inboxes, outboxes = self.boxes_of(cls, "inbox"), self.boxes_of(cls, "outbox")
        generators = {function.name for function in methods(cls.node) if yields(function)}
        for function in methods(cls.node):
            if not function.args.args:
                continue
            me = function.args.args[0].arg
            for node in ast.walk(function):
                called = method_called(node, me)
                if called is None:
                    continue
                for which, name_node in boxes_named(called, node):
                    known = inboxes if which == "inbox" else outboxes
                    other = outboxes if which == "inbox" else inboxes
                    name = self._text_of(name_node)
                    if known is None or name is None or name in known:
                        continue
                    text = f"{cls.node.name} has no {which} {name!r}"
                    yield _at(name_node, text, _box_choice(name, which, known, other))
            if cls.known:
                yield from _of_methods_not_called(function, me)
                yield from self._of_methods_not_there(cls, function, me)
            if cls.known and not cls.derives_from(ThreadedComponent):
                yield from self._of_body(cls, function, me, generators)

    def _of_methods_not_there(self, cls: _Class, function: Function, me: str) -> Iterator[Remark]:
        """``self.sned(...)``: a method that nobody has, and that is nearly one that there is."""
        if any(last_name(decorator) in ("staticmethod", "classmethod") for decorator in function.decorator_list):
            return
        known: set[str] | None = None
        for node in nodes_with_the_same(me, function):
            called = method_called(node, me)
            if called is None or called.startswith("_"):
                continue
            if known is None and (known := self._attributes_of(cls)) is None:
                return
            if called in known or called in self._names_in_text:
                continue
            near = did_you_mean(called, [name for name in known if not name.startswith("_")], cutoff=0.7)
            if near and isinstance(node, ast.Call):
                place = _at(node, f"{cls.node.name} has no method {called!r}", near.removeprefix("; "))
                yield replace(place, column=place.column + len(me) + 1) if node.func.lineno == node.lineno else place

    def _attributes_of(self, cls: _Class) -> set[str] | None:
        """The attributes that an object of the class may have; None if the text does not tell."""
        names: set[str] = set()
        for relative in (relative for heir in cls.descendants() for relative in heir.line_of_descent()):
            own: set[str] = set()
            for inner in ast.walk(relative.node):
                if isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
                    own.add(inner.name)
                elif isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                    own.add(inner.id)
            if not relative.known or relative.node.decorator_list or "__getattr__" in own:
                return None
            names |= own
        for base in {base for heir in cls.descendants() for base in heir.real()}:
            names.update(dir(base))
            for kind in base.__mro__:
                if hasattr(kind, "__getattr__"):
                    return None
                names |= _set_in(kind.__module__)
        return names

    @functools.cached_property
    def _names_in_text(self) -> set[str]:
        """What is set as an attribute of anything, or named in a text (as for setattr), anywhere in the script."""
        named: set[str] = set()
        for node in self._nodes:
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                named.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
        return named

    def _text_of(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return None

    # -- bodies

    def _of_body(self, cls: _Class, function: Function, me: str, generators: set[str]) -> Iterator[Remark]:
        asynchronous = isinstance(function, ast.AsyncFunctionDef)
        word = "await" if asynchronous else "yield"
        is_main = function.name == "main"
        if not (is_main or asynchronous or yields(function)):
            return
        if asynchronous and is_main and yields(function):
            where = next(node for node in own_nodes(function) if isinstance(node, ast.Yield))
            yield _at(where, "an `async def main` cannot yield", "write `await` in its place, or leave out `async`")
            return
        found = False
        told: set[int] = set()
        for node in own_nodes(function):
            if isinstance(node, ast.Expr) and method_called(node.value, me) in ("wait", "sleep", "join"):
                call = ast.unparse(node.value)
                found = True
                told.add(node.lineno)
                yield _at(node, f"{call} alone does not wait", f"write `{word} {call}`")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
                seconds = ast.unparse(node.args[0]) if node.args else "seconds"
                remedy = f"write `{word} {me}.sleep({seconds})`, or make it a ThreadedComponent"
                yield _at(node, "time.sleep() holds up every other component", remedy, "warning")
            elif isinstance(node, ast.Yield) and not asynchronous and node.value is not None:
                yield from _of_yield(node, me, generators)
        for loop in own_nodes(function):
            if isinstance(loop, ast.While) and never_gives_way(loop, me):
                found = True
                advice = _ADVICE.match(advice_on(self.text, self.filename, loop.body[0].lineno))
                if advice is None or int(advice["line"]) in told:
                    continue
                text, _, remedy = advice["text"].partition(": ")
                told.add(int(advice["line"]))
                indent = len(self.lines[int(advice["line"]) - 1]) - len(self.lines[int(advice["line"]) - 1].lstrip())
                yield Remark(
                    int(advice["line"]), indent + 1, f"{text}: it never gives way to other components",
                    remedy or f"wait in it for what it needs, as in `{word} {me}.wait()`; a bare `yield` at least",
                )  # fmt: skip
        if is_main and not asynchronous and not found and not yields(function) and not may_hand_on(function):
            yield _at(
                function, f"main() of {cls.node.name} has no yield in it",
                f"put `yield {me}.wait()` where it waits for messages, or make it a ThreadedComponent if it blocks",
            )  # fmt: skip

    # -- calls

    def _of_attributes(self) -> Iterator[Remark]:
        for node in self._nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                module = self._value_of(node.value)
                if inspect.ismodule(module) and not hasattr(module, node.attr):
                    full = f"{module.__name__}.{node.attr}"
                    if importlib.util.find_spec(full) is None:
                        yield _at(node, f"{module.__name__} has no {node.attr!r}", _where_is(node.attr, module))

    def _of_calls(self) -> Iterator[Remark]:
        for node in self._nodes:
            if not isinstance(node, ast.Call):
                continue
            value = self._value_of(node.func)
            if not (isinstance(value, type) and issubclass(value, Component)):
                continue
            if issubclass(value, Graphline):
                yield from self._of_graphline(node)
            else:
                yield from _of_arguments(node, value)

    def _of_graphline(self, call: ast.Call) -> Iterator[Remark]:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        links = given.get("links") or (call.args[1] if len(call.args) > 1 else None)
        if not (isinstance(links, ast.Constant) and isinstance(links.value, str)):
            return
        names = None if None in given else [*(n for n in given if n not in ("links", "linkages", "name")), "self"]
        for statement in filter(None, (part.strip() for part in re.split(r"[;\n]", links.value))):
            ends = [end.strip() for end in statement.split("->")]
            if len(ends) < 2 or not all(re.fullmatch(r"[\w-]+(\.[\w-]+)?", end) for end in ends):
                place = self.find(statement, links) or (links.lineno, links.col_offset + 1)
                yield Remark(*place, f"cannot read the link {statement!r}", 'write "a -> b" or "a.box -> b.box"')
                continue
            for end in ends if names is not None else ():
                name = end.partition(".")[0]
                if names is not None and name not in names:
                    within = self.find(statement, links) or (links.lineno, links.col_offset + 1)
                    place = (within[0], within[1] + statement.index(end))
                    yield Remark(*place, f"no component {name!r}", choice(name, [str(known) for known in names]))

    def find(self, word: str, around: ast.AST) -> tuple[int, int] | None:
        """The first place of a text within a node, by line and column."""
        first, last = getattr(around, "lineno", 1), getattr(around, "end_lineno", 1) or 1
        pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        for number in range(first, last + 1):
            line = self.lines[number - 1] if number <= len(self.lines) else ""
            begin = len(line.encode()[: getattr(around, "col_offset", 0)].decode()) if number == first else 0
            found = pattern.search(line, begin)
            if found:
                return number, found.start() + 1
        return None

    def statement_at(self, line: int) -> ast.stmt | None:
        """The innermost simple statement that a line is part of."""
        statements = (node for node in self._nodes if isinstance(node, ast.stmt))
        around = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
        return max(around, key=lambda node: node.lineno, default=None)

    # -- names of backplanes

    def names_wanted(self) -> list[Wanted]:
        """What PublishTo and SubscribeTo are given, where the text says it."""
        return [
            Wanted(name, by, node.args[0].lineno, node.args[0].col_offset + 1)
            for by in ("PublishTo", "SubscribeTo")
            for node, name in self._named(by)
            if name is not None
        ]

    def names_provided(self) -> set[str] | None:
        """The names of all Backplanes that the text makes; None if it does not tell them all."""
        names = [name for _, name in self._named("Backplane")]
        return None if None in names else {name for name in names if name is not None}

    def _named(self, what: str) -> Iterator[tuple[ast.Call, str | None]]:
        for node in self._nodes:
            if isinstance(node, ast.Call):
                value = self._value_of(node.func)
                if getattr(value, "__name__", "") == what and getattr(value, "__module__", "").startswith("axonlike."):
                    first = node.args[0] if node.args else None
                    name = self._constants.get(first.id) if isinstance(first, ast.Name) else None
                    yield node, name or (self._text_of(first) if first is not None else None)

    # -- for what the run would be

    def outboxes_used(self, class_name: str) -> set[str]:
        """The outboxes on which methods of that class send, as far as the text says."""
        cls = self._classes.get(class_name)
        used: set[str] = set()
        for relative in cls.line_of_descent() if cls is not None else ():
            for function in methods(relative.node):
                me = function.args.args[0].arg if function.args.args else ""
                for node in ast.walk(function):
                    for which, name_node in boxes_named(method_called(node, me), node):
                        name = self._text_of(name_node)
                        if which == "outbox" and name is not None:
                            used.add(name)
        return used


@functools.lru_cache(maxsize=16)
def _read(text: str) -> Source:
    return Source(text, "<script>")


def outboxes_named(text: str, class_name: str) -> set[str]:
    """The outboxes on which that class of a script sends. Raises what `Source` raises."""
    return _read(text).outboxes_used(class_name)


# -- reading the tree


def _at(node: ast.AST, text: str, remedy: str, severity: Severity = "error") -> Remark:
    return Remark(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, text, remedy, severity)


def _is_axonlikes(module: str) -> bool:
    return module == "axonlike" or module.startswith("axonlike.")


@functools.lru_cache
def _set_in(module_name: str) -> frozenset[str]:
    """The attributes that a module's functions set, as far as its text can be had."""
    try:
        tree = ast.parse(inspect.getsource(importlib.import_module(module_name)))
    except (ImportError, OSError, TypeError, SyntaxError):
        return frozenset()
    return frozenset(
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    )


def _of_yield(node: ast.Yield, me: str, generators: set[str]) -> Iterator[Remark]:
    value = node.value
    called = method_called(value, me) if value is not None else None
    assert value is not None
    shown = ast.unparse(value)
    if called is not None and called in generators:
        yield _at(node, f"`yield {shown}` hands over the generator itself", f"write `yield from {shown}`")
    elif called in ("recv", "data_ready", "any_ready"):
        yield _at(
            node, f"`yield {shown}` means nothing to the scheduler",
            f"send with `{me}.send(...)`; yield nothing, {me}.wait(...), {me}.sleep(...) or {me}.join(...)",
        )  # fmt: skip
    elif isinstance(value, ast.Constant) and not isinstance(value.value, int | None):
        yield _at(
            node, f"`yield {shown}` means nothing to the scheduler",
            f"to send it, `{me}.send({shown})`; to rest, `yield {me}.sleep(seconds)`",
        )  # fmt: skip


def _of_methods_not_called(function: Function, me: str) -> Iterator[Remark]:
    """``for message in self.inbox:`` and ``if self.data_ready:``: the parentheses are missing."""
    names: tuple[str, ...]
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            where, names = node.iter, ("inbox",)
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            test = node.test
            where = test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else test
            names = ("inbox", "data_ready", "any_ready")
        else:
            continue
        if (
            isinstance(where, ast.Attribute) and where.attr in names
            and isinstance(where.value, ast.Name) and where.value.id == me
        ):  # fmt: skip
            shown = ast.unparse(where)
            if isinstance(node, ast.If | ast.While | ast.IfExp):
                yield _at(where, f"{shown} is a method, and so always true", f"call it: `{shown}()`")
            else:
                yield _at(where, f"{shown} is a method: there is nothing in it to take", f"call it: `{shown}()`")


_ADVICE = re.compile(r"  [^:]*:(?P<line>\d+): (?P<text>.*)\n")


def _of_arguments(call: ast.Call, cls: type) -> Iterator[Remark]:
    """Named arguments that a component of axonlike's does not have."""
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    named = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in named:
            yield _at(keyword, f"{cls.__name__} takes no argument {keyword.arg!r}", choice(keyword.arg, named))


# -- remedies


def choice(word: str, known: Sequence[str]) -> str:
    """What to write in place of an unknown word: ``did you mean 'x'? (there are: ...)``."""
    near = did_you_mean(word, known).removeprefix("; ")
    shown = f"{', '.join(known[:_MOST_NAMED])}{', ...' if len(known) > _MOST_NAMED else ''}"
    there_are = f"there are: {shown}" if known else "there are none"
    if near and len(known) > _MOST_NAMED:
        return near
    return f"{near} ({there_are})" if near else there_are


_MOST_NAMED = 16


def _box_choice(name: str, which: str, known: set[str], other: set[str] | None) -> str:
    if other is not None and name in other:
        kind = "an outbox" if which == "inbox" else "an inbox"
        return f"{name!r} is {kind} of it (its {which}es: {', '.join(sorted(known))})"
    declare = "Inboxes" if which == "inbox" else "Outboxes"
    near = did_you_mean(name, sorted(known)).removeprefix("; ")
    there_are = f"there are: {', '.join(sorted(known))}"
    return f"{near} ({there_are})" if near else f"declare it in {declare} of the class ({there_are})"


def _where_is(name: str, module: Any) -> str:
    """Where a name that a module of axonlike's has not is to be found, or what it is called there."""
    for other, names in public_names():
        if name in names:
            return f"write `from {other} import {name}`"
    here = [known for known in getattr(module, "__all__", ()) if isinstance(known, str)]
    near = did_you_mean(name, here).removeprefix("; ")
    if near:
        return near
    for other, names in public_names():
        nearly = did_you_mean(name, names)
        if nearly:
            return f"{nearly.removeprefix('; ')} (in {other})"
    return f"there are: {', '.join(here)}" if here else "see the reference of components in the documentation"


def public_names() -> Iterator[tuple[str, list[str]]]:
    """The packages that users import from, with what they export."""
    import axonlike.components

    packages = [f"axonlike.components.{m.name}" for m in pkgutil.iter_modules(axonlike.components.__path__) if m.ispkg]
    for name in ("axonlike", "axonlike.backplane", *packages, "axonlike.testing"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        yield name, list(getattr(module, "__all__", ()))
