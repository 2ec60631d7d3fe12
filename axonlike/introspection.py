"""What a running system looks like from inside: which parts there are, what each waits for, what lies in which box.

    print(describe(snapshot(scheduler)))       # "why does my system not stop?"

A snapshot is taken between two steps and is frozen: it may be kept, compared and handed to any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from axonlike.box import BoxStatistics
from axonlike.component import Component
from axonlike.errors import AxonlikeError, Site
from axonlike.instruments import stack_of
from axonlike.part import Part, SeveralFeeds
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.timers import Timer

__all__ = [
    "BoxRate",
    "Effort",
    "GraphSnapshot",
    "LinkSnapshot",
    "NoSnapshot",
    "PartSnapshot",
    "describe",
    "rates",
    "snapshot",
    "snapshot_of",
    "take",
]

_NO_EFFORTS: Mapping[Part, Effort] = {}


class NoSnapshot(AxonlikeError):
    """The scheduler did not answer: one step holds it. The text says which, and where in the code it is."""

    code = "AX306"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long one part has run, counted since somebody measures; slowest_step_s: None for what runs in a thread."""

    busy_s: float
    slowest_step_s: float | None


@dataclass(frozen=True, slots=True)
class PartSnapshot:
    """One part at one moment.

    state: name of a `State` ("WAITING"). why: what it waits for, in words. parent: path, or "" for an outermost part.
    boxes: the inboxes that have been used or linked. unlinked, to_ended: how many messages each outbox has sent to
    nobody, and to a part that had ended. service: does `run()` not wait for it? effort: None while nobody measures it.

    detail: what tells it from others of its kind ("port 1600"). topic, role: the name of the Backplane that it
    "provides", "publishes" to or "subscribes" to. closed: it is a component of the toolkit, and what it is made of is
    its own affair. counts: of a server its "clients" now, of a Backplane its "subscribers" now and how many messages
    were "published".
    """

    path: str
    type: str
    made_at: Site | None
    state: str
    why: str
    parent: str
    children: tuple[str, ...]
    service: bool
    boxes: tuple[BoxStatistics, ...]
    unlinked: Mapping[str, int]
    to_ended: Mapping[str, int]
    effort: Effort | None = None
    detail: str = ""
    topic: str = ""
    role: str = ""
    closed: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    def box(self, name: str = "inbox") -> BoxStatistics:
        """The inbox of that name. Raises KeyError if it was never used."""
        for box in self.boxes:
            if box.name == name:
                return box
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """One link as it was made: (source, outbox) -> (sink, inbox). kind: "deliver", "pass_in" or "pass_out"."""

    source: str
    source_box: str
    sink: str
    sink_box: str
    kind: str

    def __str__(self) -> str:
        passes = "" if self.kind == "deliver" else f"   ({self.kind.replace('_', 'es ')})"
        return f"{self.source}.{self.source_box} -> {self.sink}.{self.sink_box}{passes}"


@dataclass(frozen=True, slots=True)
class GraphSnapshot:
    """Everything in a scheduler at one moment.

    time_s: on the scheduler's clock. state: "new", "running", "stopping" or "ended". held_by: what outside (threads,
    sockets, handles) may still bring messages. ready: how many parts stood in line for their turn. left_out: how many
    parts were left out, as only so many had been asked for.
    """

    time_s: float
    state: str
    parts: tuple[PartSnapshot, ...]
    links: tuple[LinkSnapshot, ...]
    held_by: tuple[str, ...]
    ready: int
    left_out: int = 0

    def part(self, path: str) -> PartSnapshot:
        """The part of that path (the first, where several independent graphs use it). Raises KeyError."""
        for part in self.parts:
            if part.path == path:
                return part
        raise KeyError(path)


@dataclass(frozen=True, slots=True)
class BoxRate:
    """How fast messages went through one inbox between two snapshots."""

    path: str
    box: str
    offered_per_s: float
    taken_per_s: float
    dropped_per_s: float


def snapshot(scheduler: Scheduler, timeout_s: float = 5.0) -> GraphSnapshot:
    """The scheduler's parts as they are now. From any thread.

    Raises NoSnapshot when a step has held the scheduler for `timeout_s`.
    """
    try:
        return scheduler.call(lambda: take(scheduler), timeout_s)
    except TimeoutError:
        stack = stack_of(scheduler.thread_id) if scheduler.thread_id is not None else ""
        who = scheduler.running_path or "something"
        raise NoSnapshot(f"the scheduler has not answered within {timeout_s:g} s: {who} holds it\n{stack}") from None


def snapshot_of(parts: Iterable[Component]) -> GraphSnapshot:
    """Parts that were made and linked and never run, with all that they are made of."""
    work: list[Part] = [*reversed([*parts])]
    found: dict[Part, None] = {}
    while work:
        part = work.pop()
        if part not in found:
            found[part] = None
            work.extend(reversed(part._children))
    nowhere = Scheduler()
    shown = tuple(_part(part, nowhere, {}, None) for part in found)
    return GraphSnapshot(time_s=0.0, state="new", parts=shown, links=tuple(_links(found)), held_by=(), ready=0)


def rates(before: GraphSnapshot, after: GraphSnapshot) -> tuple[BoxRate, ...]:
    """Messages a second through each inbox that is in both snapshots. Raises ValueError if no time passed between."""
    seconds = after.time_s - before.time_s
    if seconds <= 0:
        raise ValueError(f"the second snapshot is not later than the first ({seconds:g} s)")
    earlier = {(part.path, part.made_at, box.name): box for part in before.parts for box in part.boxes}
    return tuple(
        BoxRate(
            part.path,
            box.name,
            (box.offered - old.offered) / seconds,
            (box.taken - old.taken) / seconds,
            (box.dropped - old.dropped) / seconds,
        )
        for part in after.parts
        for box in part.boxes
        if (old := earlier.get((part.path, part.made_at, box.name))) is not None
        and old.offered <= box.offered  # fewer than before: it is another component of that name
    )


def describe(graph: GraphSnapshot) -> str:
    """A snapshot as text: a tree of parts with what each waits for, what boxes hold or lost, and the links."""
    lines = [f"{graph.state}: {_number(len(graph.parts), 'part')}, {graph.ready} in line for their turn"]
    of: dict[str, list[PartSnapshot]] = {}
    paths = {part.path for part in graph.parts}
    for part in graph.parts:
        of.setdefault(part.parent if part.parent in paths else "", []).append(part)
    shown: set[int] = set()
    for part in of.get("", ()):
        lines += _tree(part, of, 0, shown)
    if graph.links:
        lines += ["links:", *(f"  {link}" for link in graph.links)]
    lines += _why_it_goes_on(graph)
    return "\n".join(lines)


def _tree(part: PartSnapshot, of: Mapping[str, list[PartSnapshot]], depth: int, shown: set[int]) -> Iterator[str]:
    if id(part) in shown:
        return
    shown.add(id(part))
    indent = "  " * (depth + 1)
    name = part.path.rsplit("/", 1)[-1] if depth else part.path
    of_topic = f"({part.topic})" if part.topic and part.topic not in name else ""
    kind = "" if name.startswith(part.type) else f" ({part.type}{of_topic})"
    yield f"{indent}{name}{kind}: {part.why}"
    for box in part.boxes:
        if box.depth or box.dropped or box.waiting_senders:
            limit = "any number" if box.limit is None else str(box.limit)
            dropped = f", {box.dropped} dropped ({box.policy})" if box.dropped else ""
            senders = f", {_number(box.waiting_senders, 'sender')} held back" if box.waiting_senders else ""
            yield f"{indent}    {box.name}: {box.depth} of {limit}{dropped}{senders}"
    for why, counts in (("was linked to nothing", part.unlinked), ("fed what had ended", part.to_ended)):
        for outbox, count in counts.items():
            yield f"{indent}    {outbox}: {_number(count, 'message')} lost, as it {why}"
    for child in of.get(part.path, ()):
        yield from _tree(child, of, depth + 1, shown)


def _why_it_goes_on(graph: GraphSnapshot) -> Iterator[str]:
    if graph.state not in ("running", "stopping"):
        return
    leaves = [part for part in graph.parts if not part.service and not part.children]
    if leaves or graph.held_by:
        yield "it ends when these have ended:" if leaves else "it goes on because of:"
    yield from (f"  {part.path}: {part.why}" for part in leaves)
    yield from (f"  outside: {why}" for why in graph.held_by)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# -- in the scheduler's thread


def take(
    scheduler: Scheduler, parts_limit: int | None = None, efforts: Mapping[Part, Effort] = _NO_EFFORTS
) -> GraphSnapshot:
    """As `snapshot`, in the scheduler's own thread, of at most so many parts; efforts: what was measured of them."""
    parts = tuple(islice(_all_parts(scheduler), parts_limit))
    due_s = scheduler._timers.due_times_s()
    return GraphSnapshot(
        time_s=scheduler.time(),
        state=scheduler.state,
        parts=tuple(_part(part, scheduler, due_s, efforts.get(part)) for part in parts),
        links=tuple(_links(parts)),
        held_by=scheduler.held_by,
        ready=len(scheduler.ready),
        left_out=max(0, len(scheduler.parts) - len(parts)),
    )


def _all_parts(scheduler: Scheduler) -> Iterator[Part]:
    yield from scheduler.parts
    work = list(reversed(scheduler._pending))
    while work:
        part = work.pop()
        yield part
        work.extend(reversed(part._children))


def _part(part: Part, scheduler: Scheduler, due_s: Mapping[Timer, float], effort: Effort | None) -> PartSnapshot:
    lost: dict[str, dict[str, int]] = {"unlinked": {}, "to_ended": {}}
    boxes: tuple[BoxStatistics, ...] = ()
    made_at = None
    role = _role(part)
    if isinstance(part, Component):
        lost, boxes, made_at = part.lost_at_sending(), part.statistics(), part.made_at
    # One that found its box empty stands in line once more before it is parked.
    rests = part._rests_on is not None and not part._rests_on.depth
    state = State.WAITING if rests else part._state
    return PartSnapshot(
        path=part.path,
        type=type(part).__name__,
        made_at=made_at,
        state=state.name,
        why=_why(part, state, scheduler, _Left(part, scheduler, due_s)),
        parent=part._parent.path if part._parent is not None else "",
        children=tuple(child.path for child in part._children),
        service=_serves(part),
        boxes=boxes,
        unlinked=lost["unlinked"],
        to_ended=lost["to_ended"],
        effort=effort,
        detail=_detail(part),
        topic=str(getattr(part, "topic", "")) if role else "",
        role=role,
        closed=bool(part._children) and type(part).__module__.startswith("axonlike.components."),
        counts=_counts(part),
    )


# By name: the backplane stands above this module.
_ROLES = {"Backplane": "provides", "PublishTo": "publishes", "SubscribeTo": "subscribes"}


def _role(part: Part) -> str:
    return next((_ROLES[name] for name in _library_names(part) if name in _ROLES), "")


def _is_a(part: Part, name: str) -> bool:
    """Is it of that class of the library, which stands above this module?"""
    return name in _library_names(part)


def _library_names(part: Part) -> tuple[str, ...]:
    cls: Any = type(part)
    return _names_of_class(cls)


@lru_cache(maxsize=1024)  # a snapshot asks several times for each part, and watchers take snapshots all day
def _names_of_class(cls: type) -> tuple[str, ...]:
    return tuple(each.__name__ for each in cls.__mro__ if each.__module__.startswith("axonlike."))


def _counts(part: Any) -> dict[str, int]:
    if _is_a(part, "Backplane"):
        return {"subscribers": len(part.subscribers), "published": part.published}
    if _is_a(part, "Listener"):
        return {"clients": part.connection_statistics().open}
    return {}


def _detail(part: Part) -> str:
    port = getattr(part, "port", None)
    if isinstance(port, str):
        return port
    return (f"port {port}" if port else "any port") if isinstance(port, int) else ""


def _serves(part: Part) -> bool:
    above: Part | None = part
    while above is not None:
        if above.service:
            return True
        above = above._parent
    return False


def _why(part: Part, state: State, scheduler: Scheduler, left: _Left) -> str:
    why: Any = part._why
    if state is State.WAITING:
        wait = part.waiting or why
        boxes = " or ".join(map(repr, wait.boxes)) or "any inbox"
        fed = any(inbox.feeders for inbox in part._data if not wait.boxes or inbox.name in wait.boxes)
        nobody = "" if fed or "control" in wait.boxes else ", and nobody feeds it"
        return f"waits for a message in {boxes}{left.text(', {} s at most')}{nobody}"
    if state is State.SLEEPING:
        return f"sleeps{left.text(', {} s more')}"
    if state is State.BLOCKED:
        return f"waits for room in {why.owner.path}.{why.name} ({why.depth} of {why.limit_or_none})"
    if state is State.FOREIGN:
        return f"awaits {why.future!r}"
    if state is State.JOINING:
        awaited = [p.path for p in why.components or tuple(part._children) if p._state is not State.ENDED]
        return f"waits for {', '.join(awaited)} to end"
    if state is State.OUTSIDE:
        return _why_outside(part, scheduler)
    if state is State.HOLLOW:
        return f"stands as long as its {_number(len(part._children), 'child')}".replace("childs", "children")
    if state is State.BACKING_OFF:
        return f"failed; starts again{left.text(' in {} s')}"
    return str(state.value)


def _why_outside(part: Any, scheduler: Scheduler) -> str:
    """What brings it messages: it has no steps of its own."""
    counts = _counts(part)
    if "subscribers" in counts:
        subscribers = _number(counts["subscribers"], "subscriber") if counts["subscribers"] else "nobody"
        return f"passes on to {subscribers}"
    if _is_a(part, "SubscribeTo"):
        return f"is subscribed to {part.topic!r}"
    if "clients" in counts:
        return f"listens on port {part.port}: {_number(counts['clients'], 'client')}"
    if _is_a(part, "Receiver"):  # one direction of a TCP connection
        if part.wire is None:
            return "waits for a connection"
        full = part._feed.full if isinstance(part._feed, SeveralFeeds) else part._feed if part._feed.full else None
        if part.waits_for_room and full is not None:
            return f"holds its peer {part.wire.peer} back: waits for room in {full.owner.path}.{full.name}"
        return f"waits for its peer {part.wire.peer}"
    if _is_a(part, "TCPClient"):
        return f"{'is connected' if part.connected else 'tries to connect'} to {part.host}:{part.port}"
    held = scheduler._outside.get(part)
    text, idle = held if held is not None else ("", bool)
    text = text.removeprefix(part.path).strip()
    if not text or text == "is driven from outside":  # nobody says more about it
        port = getattr(part, "port", None)
        return f"waits for what comes to port {port}" if port and isinstance(port, int) else "waits for the event loop"
    return f"{text}, which waits for messages" if idle() else text


class _Left:
    """How long a part's timer still runs."""

    def __init__(self, part: Part, scheduler: Scheduler, due_s: Mapping[Timer, float]) -> None:
        when_s = due_s.get(part._timer) if part._timer is not None else None
        self.seconds = None if when_s is None else max(0.0, when_s - scheduler.time())

    def text(self, form: str) -> str:
        return "" if self.seconds is None else form.format(f"{self.seconds:.3g}")


def _links(parts: Iterable[Part]) -> Iterator[LinkSnapshot]:
    for part in parts:
        wires = part._wires if isinstance(part, Component) else None
        if wires is None:
            continue
        for linkage in (*wires.from_out.values(), *wires.from_in.values()):
            yield LinkSnapshot(
                linkage.source.path,
                linkage.source_box,
                linkage.sink.path,
                linkage.sink_box,
                linkage.kind.name.lower(),
            )
