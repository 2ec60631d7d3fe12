"""Directives whose content is read from the code when the pages are built, so that it cannot drift.

shutdown-table      `axonlike.shutdown.REACTION`: what each ending does to a component in each state
layer-table         tests/layers.toml: which module may import which
error-table         every error class that has a code of its own, with what `axonlike explain` says
names MODULE        everything in a module's `__all__`: signature, docstring, boxes, methods
component NAME...   of each component (a dotted name) what it does, its settings and its boxes, as tables
controls NAME       of a display of signals: keys, mouse, and what can be set while it runs

Docstrings here are plain text with `names` in backticks, not reStructuredText; `to_rst` makes them so, and a docstring
therefore cannot break the build. Signatures are shown without their annotations: the types are for checkers.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MethodDescriptorType
from typing import Any, get_origin

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import axonlike
from axonlike.cli.explain import EXPLANATIONS
from axonlike.component import Component
from axonlike.errors import AxonlikeError
from axonlike.linkage import Box
from axonlike.part import Part
from axonlike.shutdown import REACTION, Ending, State

# What the kernel and chassis ask of a component: no part of what its user works with.
KERNEL_HOOKS = (vars(Part).keys() - {"path"}) | {
    "consumer_ended", "controlled", "deliver_through", "feeds_alone", "go_alone", "put_many", "refeed",
    "resolve_outbox", "serves_alone", "takes_subscriptions", "way_of", "wire_ended", "wire_fault", "wire_lost",
    "wire_made", "wires",
}  # fmt: skip

LAYERS_FILE = Path(__file__).resolve().parents[2] / "tests" / "layers.toml"


class FromTheCode(SphinxDirective):
    """A directive that writes reStructuredText and has it read. Stands inside an ``{eval-rst}`` block."""

    def rst(self) -> Iterable[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        lines = [line for text in self.rst() for line in text.splitlines() or [""]]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="<from the code>"), 0, container, match_titles=1)
        children: list[nodes.Node] = container.children
        return children


class ShutdownTable(FromTheCode):
    def rst(self) -> Iterable[str]:
        head = ["state", "what it means", *(ending.name.replace("_", " ").lower() for ending in Ending)]
        rows = [
            [f"``{state.name}``", state.value, *(REACTION[state, ending].value for ending in Ending)] for state in State
        ]
        return table(head, rows, "12 28 30 30")


class LayerTable(FromTheCode):
    def rst(self) -> Iterable[str]:
        layers = tomllib.loads(LAYERS_FILE.read_text())["layer"]
        rows = [
            [str(layer["number"]), layer["name"], ", ".join(f"``{name}``" for name in layer["modules"])]
            for layer in layers
        ]
        self.env.note_dependency(str(LAYERS_FILE))
        return table(["layer", "what", "modules"], rows, "8 17 75")


class ErrorTable(FromTheCode):
    def rst(self) -> Iterable[str]:
        for cls in sorted(error_classes(), key=lambda cls: cls.code):
            explanation = EXPLANATIONS[cls.code]
            yield f"``{cls.code}`` {escaped(explanation.title)} (``{cls.__module__}.{cls.__name__}``)"
            yield from indented(inline(explanation.text))


class Names(FromTheCode):
    required_arguments = 1
    option_spec = {"only": directives.unchanged}

    def rst(self) -> Iterable[str]:
        module = importlib.import_module(self.arguments[0])
        only = self.options.get("only", "").split()
        yield f".. py:currentmodule:: {module.__name__}"
        yield ""
        for name in only or module.__all__:
            yield from documented(name, getattr(module, name))


class ComponentCard(FromTheCode):
    required_arguments = 1
    final_argument_whitespace = True

    def rst(self) -> Iterable[str]:
        for dotted in self.arguments[0].split():
            module, _, name = dotted.rpartition(".")
            yield from card(module, getattr(importlib.import_module(module), name))


class Controls(FromTheCode):
    required_arguments = 1

    def rst(self) -> Iterable[str]:
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        keys = [[f"``{key.key}``", escaped(key.text)] for key in (*cls.KEYS, *cls.EVERYWHERE)]
        yield from table(["key, mouse", "does"], keys + [[a, escaped(does)] for a, does in cls.MOUSE], "30 70")
        yield from table(["setting", "what it is"], [[f"``{s}``", of_setting(cls, s)] for s in cls.settings], "30 70")


def of_setting(cls: type, name: str) -> str:
    return " ".join(inline(inspect.getdoc(inspect.getattr_static(cls, name)) or ""))


def card(module: str, cls: type[Component]) -> Iterator[str]:
    """A component at one look: where it is imported from, what it does, its settings and boxes."""
    yield f"``from {module} import {cls.__name__}`` (:py:class:`in the reference <{module}.{cls.__name__}>`)"
    yield ""
    yield from to_rst(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0])
    takes = () if "__init__" not in vars(cls) and cls.__init__ is Component.__init__ else settings_of(cls)
    rows = list(takes)
    if rows:
        yield from table(["setting", "default", "type"], rows, "30 25 45")
    boxes = [
        [f"``{name}``", way, escaped(box.description), escaped(goes_through(box))]
        for way, there_are in (("in", cls._class_inboxes), ("out", cls._class_outboxes))
        for name, box in there_are.items()
        if name not in ("control", "signal")
    ]
    yield from table(["box", "", "what goes through", "type"], boxes, "15 8 52 25")


def goes_through(box: Box) -> str:
    """The type of a box's messages, and what is said of their stream."""
    stream = box.stream
    if stream is None:
        return box.type_name
    several = (stream.kind, stream.dtype, stream.units)
    said = [each if isinstance(each, str) else " or ".join(each) for each in several if each]
    said += [f"{stream.channels} channel{'s' * (stream.channels > 1)}"] if stream.channels else []
    said += [f"{stream.sample_rate_hz:g} Hz"] if stream.sample_rate_hz else []
    return f"{box.type_name}: {', '.join(said)}" if said else box.type_name


def settings_of(cls: type) -> Iterator[list[str]]:
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.name.startswith("_"):
            continue
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = with_readable_default(parameter).default
        annotation = str(parameter.annotation) if parameter.annotation is not parameter.empty else ""
        yield [
            f"``{stars}{parameter.name}``",
            "" if default is parameter.empty else f"``{default!r}``",
            f"``{annotation}``" if annotation else "",
        ]


def table(head: list[str], rows: list[list[str]], widths: str) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in [head, *rows]:
        for number, cell in enumerate(row):
            yield f"   {'*' if number == 0 else ' '} - {cell}"
    yield ""


def error_classes() -> Iterator[type[AxonlikeError]]:
    """Those with a code of their own, from all modules that can be imported without an extra."""
    for info in pkgutil.walk_packages(axonlike.__path__, "axonlike."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
    work = [AxonlikeError]
    while work:
        cls = work.pop()
        work += cls.__subclasses__()
        if "code" in cls.__dict__ and cls.__module__.startswith("axonlike."):
            yield cls


# -- one public name


def documented(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
        yield from entry(kind, f"{name}{signature_of(thing)}", "")
        yield from indented(to_rst(inspect.cleandoc(thing.__doc__ or "")))
        if issubclass(thing, Component):
            yield from indented(boxes_of(thing))
        for member, function in members_of(thing):
            yield from indented(documented_member(member, function))
    elif get_origin(thing) is not None:  # a name for a type
        yield from entry("data", name, "")
        yield from indented([f"``{re.sub(r'([a-z_]+[.])+(?=[A-Z])', '', str(thing))}``"])
    elif callable(thing):
        # `step` is an object whose class has __call__.
        described = thing if inspect.isfunction(thing) else vars(type(thing))["__call__"]
        text = inspect.getdoc(described) or ""
        yield from entry("function", f"{name}{signature_of(thing)}", "")
        yield from indented(to_rst(text))
    else:
        yield from entry("data", name, "")
        yield from indented([f"``{thing!r}``" if isinstance(thing, str | int | float | tuple) else ""])


def documented_member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        yield from entry("property", name, "")
    elif inspect.isfunction(member) or isinstance(member, MethodDescriptorType):  # the latter is compiled
        kind = ":async:" if inspect.iscoroutinefunction(member) else ""
        yield from entry("method", f"{name}{signature_of(member, skip_first=True)}", kind)
    else:  # a classmethod or staticmethod
        yield from entry("method", f"{name}{signature_of(member.__func__, skip_first=True)}", "")
    yield from indented(to_rst(inspect.getdoc(member) or ""))


def entry(kind: str, text: str, option: str) -> Iterator[str]:
    yield f".. py:{kind}:: {text}"
    if option:
        yield f"   {option}"
    yield ""


def indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"   {line}" if line else ""
    yield ""


def members_of(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class adds, or describes anew."""
    if issubclass(cls, enum.Enum):
        return
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        hook = issubclass(cls, Part) and name in KERNEL_HOOKS
        if name.startswith("_") or hook or not inspect.isroutine(function):
            continue
        if function.__doc__ or not any(hasattr(base, name) for base in cls.__bases__):
            yield name, member


def signature_of(thing: Any, *, skip_first: bool = False) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    if inspect.isclass(thing) and thing.__init__ in (object.__init__, BaseException.__init__):
        return ""
    if inspect.isclass(thing) and issubclass(thing, BaseException) and "__init__" not in vars(thing):
        return ""
    if inspect.isclass(thing) and "__init__" not in {name for cls in thing.__mro__[:-1] for name in vars(cls)}:
        return ""
    if skip_first:
        parameters = parameters[1:]
    shown = str(inspect.Signature([with_readable_default(p) for p in parameters]))
    return re.sub(r"\s*\n\s*", " ", shown)


class _Shown:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def with_readable_default(parameter: inspect.Parameter) -> inspect.Parameter:
    """A default whose repr is no Python (an address, a class) goes by its name."""
    default = parameter.default
    if default is not parameter.empty and repr(default).startswith("<"):
        return parameter.replace(default=_Shown(getattr(default, "__qualname__", "...").replace("<lambda>", "...")))
    return parameter


def boxes_of(cls: type[Component]) -> Iterator[str]:
    """The boxes that a class words itself; what is said of the four usual ones stands at Component."""
    usual = {**Component._class_inboxes, **Component._class_outboxes} if cls is not Component else {}
    rows = []
    for way, boxes in (("in", cls._class_inboxes), ("out", cls._class_outboxes)):
        for name, box in boxes.items():
            if usual.get(name) is not box:
                limit = "" if way == "out" or box.policy == "block" else f" ({box.policy})"
                rows.append([f"``{name}``", way, escaped(box.description) + limit, escaped(goes_through(box))])
    if rows:
        yield ""
        yield from table(["box", "", "what goes through", "type"], rows, "15 8 52 25")


# -- docstrings


def to_rst(docstring: str) -> Iterator[str]:
    """Paragraphs as they are, indented blocks as literal ones, `x` and ``x`` as literals, all else taken literally."""
    paragraphs = re.split(r"\n[ \t]*\n", docstring.strip("\n"))
    literal = False
    for paragraph in paragraphs:
        if paragraph.startswith((" ", "\t")):
            if not literal:
                yield from ("::", "")
            yield from (f"   {line}" for line in textwrap.dedent(paragraph).splitlines())
            literal = True
        else:
            literal = False
            # A block may follow its paragraph without an empty line between.
            yield from inline(" ".join(line.strip() for line in paragraph.splitlines()))
        yield ""


def inline(text: str) -> Iterator[str]:
    pieces = re.split(r"(``.+?``|`.+?`)", text)
    yield "".join(
        f"``{piece.strip('`')}``" if piece.startswith("`") and piece.strip("`").strip() else escaped(piece)
        for piece in pieces
    )


def escaped(text: str) -> str:
    return re.sub(r"([\\*`|_\[\]<>])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("shutdown-table", ShutdownTable)
    app.add_directive("layer-table", LayerTable)
    app.add_directive("error-table", ErrorTable)
    app.add_directive("names", Names)
    app.add_directive("component", ComponentCard)
    app.add_directive("controls", Controls)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
