"""Lazy sources: a device is opened when somebody wants what it sends, and closed when nobody does any more.

Who is live. A component none of whose outboxes is declared ``required`` is (a display, a recorder, anything that was
not written with this in mind). One with required outboxes is live if each of them feeds somebody live; a splitter if
any of its outboxes does. So ``WSA4000 -> FFT`` alone opens nothing, and a display at its end opens the radio. It is the
least set for which this holds: components that only feed each other in a circle are not live.

Whenever links or parts have changed, each `OnDemand` component looks anew; it is told with messages on its inbox
`demand`, so that any kind of body can wait for them.

In place of a source something else can run, found by the source's name (`stand_in`): so a recording takes the place of
a device, which is never opened, and the script that made the device stays as it is.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import UsageError, did_you_mean
from axonlike.linkage import Box, destination
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.timers import Timer

__all__ = ["OnDemand", "StandIn", "Unwanted", "Wanted", "is_live", "stand_in"]


class Wanted:
    """To an `OnDemand` component: somebody takes what it sends; open."""

    def __repr__(self) -> str:
        return "Wanted()"


class Unwanted:
    """To an `OnDemand` component: nobody has taken what it sends for `linger_s`; close."""

    def __repr__(self) -> str:
        return "Unwanted()"


class OnDemand(Component):
    """Base of sources that hold something open: declare what they send as ``Box(..., required=True)``.

    ``yield self.wait("demand")`` and look at `wanted`, or take the messages `Wanted` and `Unwanted` from that inbox;
    they come in turn, `Wanted` first. linger_s: how long a demand that has gone is waited for to come back.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "demand": Box("Wanted and Unwanted: does anybody take what it sends?", (Wanted, Unwanted), None, aside=True)
    }
    linger_s: float = 1.0
    wanted: bool = False
    """Was `Wanted` the last message? A thread may read it too."""
    _linger: Timer | None = None
    _has_a_stand_in: ClassVar[bool] = False

    def provide(self, scheduler: Scheduler) -> None:
        super().provide(scheduler)
        scheduler.when_rewired(self._look_at_demand)
        for stand_ins in _in_force:
            stand_ins.take_the_place_of(self)

    def resolve(self, scheduler: Scheduler) -> None:
        for stand_ins in _in_force:
            stand_ins.check(scheduler)
        super().resolve(scheduler)

    def unlink_all(self, shut_down: bool) -> None:
        if self._scheduler is not None:
            self._scheduler.no_longer_when_rewired(self._look_at_demand)
        if self._linger is not None:
            self._linger.cancel()
        super().unlink_all(shut_down)

    def _look_at_demand(self) -> None:
        if self.ended or self._scheduler is None:
            return
        if is_live(self):
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            if not self.wanted:
                self._tell(True)
        elif self.wanted and self._linger is None:
            self._linger = self._scheduler.call_at(self._scheduler.time() + self.linger_s, self._lingered)

    def _lingered(self) -> None:
        self._linger = None
        if not self.ended:
            self._tell(False)

    def _tell(self, wanted: bool) -> None:
        self.wanted = wanted
        self.open_inbox("demand").put(Wanted() if wanted else Unwanted())


def is_live(component: Component) -> bool:
    """Does it work, by the rule above? Looks at everything downstream of it, through chassis."""
    needs: dict[Component, list[set[Component]]] = {}  # for each required outbox, whom it feeds
    found = [component]
    while found:
        part = found.pop()
        if part in needs:
            continue
        boxes = [
            {end[0]} if (end := destination(part, box)) is not None and _takes(end[0]) else set()
            for box, spec in part._outbox_specs_.items()
            if spec.required
        ]
        if boxes and part.any_demand_will_do:
            boxes = [set().union(*boxes)]
        needs[part] = boxes
        found.extend(consumer for consumers in boxes for consumer in consumers)
    live: set[Component] = set()
    grew = True
    while grew:
        grew = False
        for part, boxes in needs.items():
            if part not in live and all(consumers & live for consumers in boxes):
                live.add(part)
                grew = True
    return component in live


def _takes(component: Component) -> bool:
    """Can it take messages now? Not what was never started or is over, nor a chassis that passes its inbox nowhere."""
    scheduler = component._scheduler
    return (
        scheduler is not None
        and component in scheduler.parts
        and not component._closing
        and component._state not in (State.ENDED, State.HOLLOW)
    )


StandIn = Callable[[OnDemand], Generator[Any, Any, None]]
"""Makes the body that runs in place of a source's own; it uses the source's boxes."""


class _StandIns:
    """What is to run in place of which source. unused: the names that have not been met yet."""

    def __init__(self, bodies: Mapping[str, StandIn]) -> None:
        self._bodies = dict(bodies)
        self._seen: list[str] = []
        self.unused = set(bodies)

    def take_the_place_of(self, source: OnDemand) -> None:
        """Called for each source before any starts."""
        self._seen.append(source.path)
        names = [name for name in (source.path, source.name) if name in self._bodies]
        if not names or source._has_a_stand_in:
            return
        self.unused.discard(names[0])
        _replace(source, self._bodies[names[0]])

    def check(self, scheduler: Scheduler) -> None:
        """All sources of a start are known, and none is open yet: now is the time to say what is misspelt."""
        for name in sorted(self.unused):
            raise UsageError(self.complaint(name, scheduler))

    def complaint(self, name: str, scheduler: Scheduler | None = None) -> str:
        """Why nothing runs in place of `name`."""
        sources = sorted({word for path in self._seen for word in (path, path.rpartition("/")[2])})
        others = [part for part in scheduler.parts if name in (part.name, part.path)] if scheduler is not None else []
        if others:
            return (
                f"{others[0].path} is no source that can be replaced: it is no OnDemand "
                f"(there are: {', '.join(self._seen) or 'none'})"
            )
        there_are = ", ".join(self._seen) or "none"
        return f"no source is called {name!r}{did_you_mean(name, sources)} (there are: {there_are})"


_in_force: list[_StandIns] = []


@contextlib.contextmanager
def stand_in(bodies: Mapping[str, StandIn]) -> Iterator[_StandIns]:
    """While the block runs: in place of each `OnDemand` whose name or path is in `bodies`, that body runs.

    The source's own main is never called, whether it is a generator, a coroutine or a thread. A name that fits none of
    the sources that are started first is a UsageError of that run. Yields what knows which names were `unused`.
    """
    stand_ins = _StandIns(bodies)
    _in_force.append(stand_ins)
    try:
        yield stand_ins
    finally:
        _in_force.remove(stand_ins)


def _silent_beside(source: OnDemand) -> Callable[[Any], Generator[Any, Any, None]]:
    """The body of a part of what was replaced (the port that an amplifier is read through): nothing, as long as it."""

    def main(part: Component) -> Generator[Any, Any, None]:
        yield part.join(source)

    return main


# What threads and components that are driven from outside have exchanged, as `Component` has it.
_AS_A_GENERATOR = (
    "_state", "abandon", "any_ready", "always_trips", "blocked_on", "close_body", "controlled", "data_ready", "inbox",
    "notice_end_of_input", "notify", "pause", "recv", "send", "send_many", "sleep", "start", "wait",
)  # fmt: skip


def _replace(source: OnDemand, body: StandIn) -> None:
    _change_class(source, body)
    parts = list(source.children)
    while parts:
        part = parts.pop()
        if isinstance(part, Component):
            parts += part.children
            _change_class(part, _silent_beside(source))


def _change_class(component: Component, main: Callable[[Any], Generator[Any, Any, None]]) -> None:
    """Make it a generator for the kernel, whatever it was. Its class stays what it derives from, and its name."""
    kind = type(component)
    replaced = {name: getattr(Component, name) for name in _AS_A_GENERATOR}
    named = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}

    def fill(namespace: dict[str, Any]) -> None:
        # No base in front of its own ones: its objects could then not become this class's.
        namespace.update(replaced, **named, __slots__=(), main=main, _has_a_stand_in=True)

    component.__class__ = types.new_class(kind.__name__, (kind,), {}, fill)
    for inbox in component._inboxes.values():  # what stands in them for a thread does not do for a generator
        inbox.configure(inbox.limit_or_none, inbox.policy)
