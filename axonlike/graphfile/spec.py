"""What stands in a graph file: components with their settings, links, and what is wrong with them.

Facts between `reading`, which finds them in the text, and `building`, which makes components of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axonlike.errors import WiringError
from axonlike.settings import Settings

__all__ = ["ComponentSpec", "Fault", "GraphFile", "GraphFileError", "GraphSpec", "Link", "Made"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file: where (line and column from 1), what, and what to do about it.

    cause: the exception that a component raised as it was made, else None.
    """

    file: str
    line: int
    column: int
    text: str
    remedy: str
    cause: BaseException | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}" + (f": {self.remedy}" if self.remedy else "")


class GraphFileError(WiringError):
    """A graph file that cannot be run. faults: all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, faults)))

    def __reduce__(self) -> tuple[object, ...]:
        return (GraphFileError, (self.faults,))


@dataclass(frozen=True, slots=True)
class Link:
    """From an outbox to an inbox, as in the file; a box that is not named there is "outbox", "inbox"."""

    source: str
    outbox: str
    sink: str
    inbox: str
    line: int
    column: int
    sink_column: int

    def __str__(self) -> str:
        return f"{self.source}.{self.outbox} -> {self.sink}.{self.inbox}"


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """One component of a file. type: as written there; made: the class, or the function that makes it.

    settings: by name, as the constructor takes them, but for the components among them, which are specs too.
    """

    name: str
    type: str
    made: Callable[..., Any]
    settings: Mapping[str, Any]
    line: int
    column: int
    signature: Settings
    on_error: str = ""


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """Components by name, and links: a whole file, or a graph in it (what a server makes for each client)."""

    components: Mapping[str, ComponentSpec]
    links: tuple[Link, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Made:
    """A component, or (is_factory) a function that makes one, in the place of a setting's value."""

    spec: ComponentSpec | GraphSpec
    is_factory: bool
    name: str


@dataclass(frozen=True, slots=True)
class GraphFile:
    """What stands in a file; `faults`: what is wrong with it, as far as can be seen without making a component."""

    path: Path
    name: str
    graph: GraphSpec
    faults: tuple[Fault, ...]

    @property
    def components(self) -> Mapping[str, ComponentSpec]:
        """The components of the file, without those that have a fault."""
        return self.graph.components

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between these."""
        return self.graph.links
