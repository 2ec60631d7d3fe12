"""Links: which outbox feeds which inbox, resolved when the graph is wired, so that a chain costs nothing per message.

There are three kinds of link. An outbox *delivers* to an inbox. An inbox of a chassis *passes in* to an inbox of a
child, and an outbox of a child *passes out* to an outbox of its chassis. A component's `_links` hold, for each of its
outboxes, the inbox at the very end of all this (or a `Sink` that counts). Whenever a link changes, what lies
upstream of it is resolved anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from axonlike.box import DEFAULT_LIMIT, Inbox, Policy, check_policy
from axonlike.errors import NoSuchBox, WiringError, did_you_mean
from axonlike.streamtype import StreamMismatch, StreamType

if TYPE_CHECKING:
    from axonlike.component import Component, Door

__all__ = ["Box", "Kind", "Linkage", "Wires", "final_inbox", "leaf_outboxes", "merge_boxes", "no_such_box", "upstream"]


@dataclass(frozen=True, slots=True)
class Box:
    """What a class says of one of its boxes: a description, and if need be the type of messages, limit and policy.

    Limit and policy belong to inboxes. None as a limit means no limit. stream: what the chunks in it are, or have to
    be. required: of an outbox, that the component works only while somebody live takes what it sends (demand.py).
    aside: of an inbox, that it is no input (settings, say): its senders' end is not the end of the input.
    """

    description: str = ""
    type: type | tuple[type, ...] | None = None
    limit: int | None = DEFAULT_LIMIT
    policy: Policy = "block"
    stream: StreamType | None = None
    required: bool = False
    aside: bool = False

    def accepts(self, other: Box) -> bool:
        """Can messages that `other` sends be taken here? True where either does not say."""
        if self.type is None or other.type is None:
            return True
        takes = self.type if isinstance(self.type, tuple) else (self.type,)
        sends = other.type if isinstance(other.type, tuple) else (other.type,)
        return any(issubclass(s, t) for s in sends for t in takes)

    @property
    def type_name(self) -> str:
        """The declared types as a person writes them ("int | str"), or "anything"."""
        types = self.type if isinstance(self.type, tuple) else (self.type,)
        return " | ".join(t.__name__ for t in types if t is not None) or "anything"


def merge_boxes(inherited: Mapping[str, Box], declared: object, where: str) -> Mapping[str, Box]:
    """A class's boxes: what its bases have, and what it declares itself.

    A declaration maps names to descriptions, to (description, type) or to `Box`; a plain list of names will do.
    """
    merged = dict(inherited)
    entries: Iterable[tuple[Any, Any]]
    if isinstance(declared, Mapping):
        entries = declared.items()
    elif isinstance(declared, Iterable) and not isinstance(declared, str):
        entries = ((name, "") for name in declared)
    else:
        raise WiringError(f"{where} is {declared!r}: it maps box names to descriptions")
    for name, said in entries:
        if not isinstance(name, str) or not name:
            raise WiringError(f"{where} has {name!r} as the name of a box: a name is a non-empty str")
        if isinstance(said, Box):
            merged[name] = said
        elif isinstance(said, tuple):
            merged[name] = Box(*said)
        else:
            merged[name] = Box(str(said))
        check_policy(merged[name].policy)
    return MappingProxyType(merged)


_MANY = 16


class Kind(Enum):
    """Which boxes a link joins, and so on which side of a chassis it lies."""

    DELIVER = "outbox to inbox"
    PASS_IN = "inbox of a chassis to inbox of a child"
    PASS_OUT = "outbox of a child to outbox of its chassis"


class Linkage:
    """One link, as `Component.link` returns it; `Component.unlink` takes it back."""

    __slots__ = ("kind", "sink", "sink_box", "source", "source_box")

    def __init__(self, kind: Kind, source: Component, source_box: str, sink: Component, sink_box: str) -> None:
        self.kind = kind
        self.source, self.source_box = source, source_box
        self.sink, self.sink_box = sink, sink_box

    def __repr__(self) -> str:
        return f"{self.source.path}.{self.source_box} -> {self.sink.path}.{self.sink_box}"


class Wires:
    """All links that begin or end at one component, by box."""

    __slots__ = ("from_in", "from_out", "to_in", "to_out")

    def __init__(self) -> None:
        self.from_out: dict[str, Linkage] = {}  # an outbox has one link
        self.from_in: dict[str, Linkage] = {}  # so has an inbox that passes in
        self.to_in: dict[str, list[Linkage]] = {}
        self.to_out: dict[str, list[Linkage]] = {}

    def all(self) -> Iterator[Linkage]:
        """All links that touch the component."""
        yield from self.from_out.values()
        yield from self.from_in.values()
        for linkages in (*self.to_in.values(), *self.to_out.values()):
            yield from linkages


def connect(linkage: Linkage) -> None:
    """Enter a link at both ends. Raises WiringError if its source has one already."""
    source, sink = linkage.source.wires(), linkage.sink.wires()
    beginnings = source.from_in if linkage.kind is Kind.PASS_IN else source.from_out
    there = beginnings.get(linkage.source_box)
    if there is not None:
        raise WiringError(
            f"{linkage.source.path}.{linkage.source_box} already feeds {there.sink.path}.{there.sink_box}, so it "
            f"cannot feed {linkage.sink.path}.{linkage.sink_box} too: an outbox has one link; put a Splitter between"
        )
    beginnings[linkage.source_box] = linkage
    ends = sink.to_out if linkage.kind is Kind.PASS_OUT else sink.to_in
    there_are = ends.setdefault(linkage.sink_box, [])
    there_are.append(linkage)
    # What has ended stays for the sake of error texts, but not for ever: a receiver may see millions of senders.
    if len(there_are) >= _MANY and not len(there_are) & (len(there_are) - 1):
        there_are[:] = [link for link in there_are if not link.source.ended]


def disconnect(linkage: Linkage) -> bool:
    """Remove a link at both ends; False if it was gone already."""
    source, sink = linkage.source.wires(), linkage.sink.wires()
    beginnings = source.from_in if linkage.kind is Kind.PASS_IN else source.from_out
    if beginnings.get(linkage.source_box) is not linkage:
        return False
    del beginnings[linkage.source_box]
    ends = sink.to_out if linkage.kind is Kind.PASS_OUT else sink.to_in
    if linkage in ends[linkage.sink_box]:
        ends[linkage.sink_box].remove(linkage)
    return True


def final_inbox(component: Component, box: str) -> tuple[Component, str]:
    """Where a message for this inbox really lands: follows what passes in."""
    while (wires := component._wires) is not None and (linkage := wires.from_in.get(box)) is not None:
        component, box = linkage.sink, linkage.sink_box
    return component, box


def destination(component: Component, box: str) -> tuple[Component, str] | None:
    """The inbox that this outbox feeds in the end, or None when it is not linked through."""
    while (wires := component._wires) is not None and (linkage := wires.from_out.get(box)) is not None:
        if linkage.kind is Kind.DELIVER:
            return final_inbox(linkage.sink, linkage.sink_box)
        component, box = linkage.sink, linkage.sink_box
    return None


def leaf_outboxes(component: Component, box: str) -> Iterator[tuple[Component, str]]:
    """The outboxes that really send on this one: itself, and those of children that pass out to it."""
    work = [(component, box)]
    while work:
        component, box = work.pop()
        yield component, box
        if component._wires is not None:
            work.extend((link.source, link.source_box) for link in component._wires.to_out.get(box, ()))


def upstream(component: Component, inbox: str) -> Iterator[tuple[Component, str]]:
    """All outboxes whose messages land in this inbox."""
    work = [(component, inbox)]
    while work:
        component, box = work.pop()
        if component._wires is None:
            continue
        for linkage in component._wires.to_in.get(box, ()):
            if linkage.kind is Kind.DELIVER:
                yield from leaf_outboxes(linkage.source, linkage.source_box)
            else:
                work.append((linkage.source, linkage.source_box))


def links_to(component: Component, inbox: str) -> int:
    """How many links deliver to this inbox; what passes out through a chassis on the way is one link."""
    number, work = 0, [(component, inbox)]
    while work:
        component, box = work.pop()
        if component._wires is not None:
            for linkage in component._wires.to_in.get(box, ()):
                if linkage.kind is Kind.DELIVER:
                    number += 1
                else:
                    work.append((linkage.source, linkage.source_box))
    return number


def no_such_box(component: Component, kind: str, name: str, known: Iterable[str]) -> NoSuchBox:
    """The error for a box name that is not there."""
    names = sorted(known)
    there_are = ", ".join(names)
    return NoSuchBox(f"{component.path} has no {kind} {name!r}{did_you_mean(name, names)} (there are: {there_are})")


def check_types(linkage: Linkage, sends: Box, takes: Box) -> None:
    """Raise WiringError when what one end sends is not what the other takes."""
    if not takes.accepts(sends):
        raise WiringError(f"{linkage}: the outbox sends {sends.type_name}, the inbox takes {takes.type_name}")
    if takes.stream is not None and sends.stream is not None:
        why = takes.stream.mismatch(sends.stream)
        if why is not None:
            raise StreamMismatch(f"{linkage}: the outbox sends {why}")


def move_messages(source: Inbox, sink: Inbox | Door) -> None:
    """What waited in an inbox goes on to the one that it now passes in to."""
    waiting = list(source)
    source.settle()
    if waiting:
        sink.put_many(waiting)
