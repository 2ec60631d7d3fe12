"""Making the components of a graph file and linking them, each error at its line of the file.

It goes on after a mistake as far as it can, so that all are told at once. What a server is to make for each client is
made once on trial, for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axonlike.chassis.graphline import Graphline
from axonlike.component import Component
from axonlike.errors import AxonlikeError, WiringError, short_path
from axonlike.graphfile.spec import ComponentSpec, Fault, GraphFile, GraphFileError, GraphSpec, Link, Made
from axonlike.registry import imported_from

__all__ = ["build"]


def build(graph_file: GraphFile) -> Graphline:
    """Make and link the components of a file. Raises GraphFileError with all faults, those that `read` found too."""
    builder = _Builder(graph_file.path, list(graph_file.faults))
    with imported_from(graph_file.path.absolute().parent):
        graph = builder.graph(graph_file.graph, graph_file.name)
    if builder.faults:
        faults = sorted(builder.faults, key=lambda fault: (fault.line, fault.column))
        raise GraphFileError(tuple(dict.fromkeys(faults)))
    assert graph is not None
    return graph


class _Builder:
    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.path = path
        self.faults = faults
        # What a component is said to be made at: this file (see `_stand_at`).
        self._code = (lambda: None).__code__.replace(co_filename=str(path.absolute()), co_name="<graph file>")

    def graph(self, spec: GraphSpec, name: str) -> Graphline | None:
        """None if nothing could be made."""
        made = {key: self._component(component) for key, component in spec.components.items()}
        components = {key: component for key, component in made.items() if component is not None}
        if not components:
            return None
        try:
            graph = Graphline(None, "", name=name, **components)
        except WiringError as exc:
            self._fault(spec.line, 1, exc)
            return None
        self._stand_at(graph, spec.line)
        for link in spec.links:
            if {link.source, link.sink} <= {*components, "self"}:
                self._link(graph, components, link)
        return graph

    def _link(self, graph: Graphline, components: Mapping[str, Component], link: Link) -> None:
        source, sink = components.get(link.source, graph), components.get(link.sink, graph)
        try:
            if source is graph and link.outbox not in graph.inbox_names:
                graph.add_inbox(link.outbox)
            if sink is graph and link.inbox not in graph.outbox_names:
                graph.add_outbox(link.inbox)
            passthrough: Any = "in" if source is graph else "out" if sink is graph else None
            column = link.column
            if source is not graph:
                source.outbox_spec(link.outbox)
            column = link.sink_column
            if sink is not graph:
                sink.inbox_spec(link.inbox)
            column = link.column
            graph.link((source, link.outbox), (sink, link.inbox), passthrough=passthrough)
        except WiringError as exc:
            self._fault(link.line, column, exc)

    def _component(self, spec: ComponentSpec) -> Component | None:
        faults_before = len(self.faults)
        values = {key: self._value(value) for key, value in spec.settings.items()}
        if len(self.faults) > faults_before:
            return None
        try:
            component = spec.signature.call(spec.made, values)
            if not isinstance(component, Component):
                raise WiringError(f"{spec.type} made {component!r}, which is no component")
            if spec.on_error:
                component.on_error = spec.on_error  # type: ignore[assignment, misc]  # read() has looked at it
        except Exception as exc:
            self._fault(spec.line, spec.column, exc)
            return None
        self._stand_at(component, spec.line)
        return component

    def _value(self, value: Any) -> Any:
        """A setting's value with the components in it made; of those for later, one is made on trial."""
        if isinstance(value, Made):
            if not value.is_factory:
                return self._one(value)
            # What is wrong with it is to be known now, and not when the first client comes.
            self._one(value)
            return _Factory(_Builder(self.path, []), value)
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(map(self._value, value))
        if isinstance(value, dict):
            return {key: self._value(member) for key, member in value.items()}
        return value

    def _one(self, made: Made) -> Component | None:
        if isinstance(made.spec, GraphSpec):
            return self.graph(made.spec, made.name)
        return self._component(made.spec)

    def make(self, made: Made) -> Component:
        """One of those that a factory makes."""
        component = self._one(made)
        if self.faults or component is None:
            faults, self.faults = self.faults, []
            raise faults[0].cause or GraphFileError(faults)
        return component

    def _stand_at(self, component: Component, line: int) -> None:
        """Errors are to name the line of the file, and not that of the call in this module."""
        component._made_code, component._made_line = self._code, line

    def _fault(self, line: int, column: int, exc: Exception) -> None:
        text, remedy = _told(exc)
        self.faults.append(Fault(str(self.path), line, column, text, remedy, exc))


class _Factory:
    """What is handed to a server: makes the same component (or graph) again and again."""

    def __init__(self, builder: _Builder, made: Made) -> None:
        self._builder, self._made = builder, made
        place = f"{short_path(str(builder.path))}:{made.spec.line}"
        self.__qualname__ = f"{made.spec.type} at {place}" if isinstance(made.spec, ComponentSpec) else place

    def __call__(self) -> Component:
        return self._builder.make(self._made)


def _told(exc: Exception) -> tuple[str, str]:
    """What an exception of a constructor or a link says, and what to do."""
    text = " ".join(str(exc).split())
    there_are = re.search(r" \((there are: [^()]*)\)$", text)
    if there_are is not None:
        return text[: there_are.start()], there_are[1]
    if isinstance(exc, AxonlikeError):
        what, _, remedy = text.rpartition("; ")
        return (what, remedy) if what else (text, f"axonlike explain {exc.code}")
    return f"{type(exc).__name__}: {text}", "mend the setting, or the component's __init__"
