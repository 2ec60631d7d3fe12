"""Components: named inboxes and outboxes around a body that is a generator or a coroutine.

    class Shout(Component):
        def main(self):
            while True:
                yield self.wait("inbox")
                for line in self.inbox():
                    self.send(line.upper())

All the state that the kernel needs is made in `__new__`, so a subclass with an `__init__` of its own need not call
ours. `Inboxes` and `Outboxes` add to what the bases declare; they are read when the class is made, never edited.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from axonlike import linkage as _linkage
from axonlike.box import UNBOUNDED, BoxStatistics, Destination, Inbox, Policy, Sink
from axonlike.defaults import default_scheduler
from axonlike.errors import BadYield, BoxEmpty, ComponentError, Site, UsageError, WiringError
from axonlike.here import UNUSED
from axonlike.linkage import Box, Kind, Linkage, Wires, merge_boxes, no_such_box
from axonlike.messages import Crashed, ProducerFinished, Shutdown
from axonlike.names import Names
from axonlike.part import NO_FEED, Part, SeveralFeeds, how_to_make_one
from axonlike.restarts import RestartLimit
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.turn import Turn
from axonlike.waits import PLAIN, Join, Sleep, Wait, plain_wait

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Component", "OnError", "Step", "step"]

OnError = Literal["stop", "skip", "restart", "error"]
_POLICIES = ("stop", "skip", "restart", "error")
_OURS = __file__.rsplit("/", 1)[0]

_NOTHING: Any = object()
_NONE_YET: Any = {}
"""The links and children of all components that have none; never written to. An empty dict of one's own is 64 bytes."""
_MAKING_BOXES = threading.RLock()  # again by the same thread: what the collector finalizes may ask for a box
_ERROR_BOX = 'Crashed, under on_error="error"'


class Component(Part):
    """A body with boxes. Subclass it and write `main`, a generator function or an ``async def``.

    In `main`: `send`, `recv`, `data_ready`, `any_ready`, `inbox`; ``yield self.wait(...)``, ``yield
    self.sleep(seconds)``, ``yield self.join()``, a bare ``yield`` ("run me again soon"), or Kamaelia's
    ``self.pause(); yield 1``. In an ``async def`` the same with ``await``.

    Nothing has to be written for the end: when all its producers have ended and its boxes are empty, `Finished` is
    raised at the component's next wait or pause; on Shutdown its generator is closed.

    on_error: what an exception in `main` does. "stop" (default) ends the whole graph; "skip" drops the message and
    calls main() again; "restart" does so after a back-off, at most 3 times in 5 s; "error" also sends a `Crashed` on
    the outbox "error", which the class then has.
    """

    __slots__ = (
        "_child_names",
        "_companions",
        "_inbox_specs_",
        "_made_code",
        "_made_line",
        "_outbox_specs_",
        "_restarts",
        "_sinks",
        "_wires",
    )

    Inboxes: ClassVar[Mapping[str, Any] | Iterable[str]] = {}
    Outboxes: ClassVar[Mapping[str, Any] | Iterable[str]] = {}
    on_error: OnError = "stop"

    _class_inboxes: ClassVar[Mapping[str, Box]] = {
        "inbox": Box("data to work on"),
        "control": Box("ProducerFinished or Shutdown from upstream", limit=None),
    }
    _class_outboxes: ClassVar[Mapping[str, Box]] = {
        "outbox": Box("results"),
        "signal": Box("ProducerFinished or Shutdown for downstream"),
    }
    _takes_control: ClassVar[bool] = False
    _is_whole: ClassVar[bool] = False
    """True for what is made to be run: a chassis, a server."""
    _compose: ClassVar[Callable[[Any, Any], Component]]  # a | b; the chassis sets it

    any_demand_will_do: ClassVar[bool] = False
    """True where one live receiver is enough for all required outboxes (demand.py): a splitter."""

    _child_names: Names | None
    _companions: dict[Part, None] | None
    _wires: Wires | None
    _sinks: dict[tuple[str, str], Sink] | None
    _inbox_specs_: Mapping[str, Box]
    _outbox_specs_: Mapping[str, Box]
    _made_code: CodeType
    _made_line: int
    _restarts: RestartLimit | None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        inboxes, outboxes = Component._class_inboxes, Component._class_outboxes
        for base in reversed(cls.__mro__):  # each of several bases adds its own
            if issubclass(base, Component) and base is not Component:
                own = base.__dict__
                inboxes = merge_boxes(inboxes, own.get("Inboxes", {}), f"{base.__name__}.Inboxes")
                outboxes = merge_boxes(outboxes, own.get("Outboxes", {}), f"{base.__name__}.Outboxes")
                if "control" in own.get("Inboxes", {}):
                    cls._takes_control = True
        cls._class_inboxes, cls._class_outboxes = inboxes, outboxes
        if cls.on_error == "error" and "error" not in cls._class_outboxes:
            cls._class_outboxes = merge_boxes(cls._class_outboxes, {"error": _ERROR_BOX}, cls.__name__)

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        self = super().__new__(cls)
        self.name = cls.__name__
        self._turn = Turn(self, NO_FEED)
        self._inboxes = {}
        self._links = _NONE_YET
        self._stands = State.NEW
        self._body = None
        self._timer = None
        self._parent = None
        self._children = _NONE_YET
        self._data = ()
        self._closing = False
        self._counts = True
        self._group = None
        self._joined_by = None
        self._child_names = None
        self._companions = None
        self._wires = None
        self._sinks = None
        self._inbox_specs_ = cls._class_inboxes
        self._outbox_specs_ = cls._class_outboxes
        self._restarts = None
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
            frame = frame.f_back
        self._made_code = frame.f_code
        self._made_line = frame.f_lineno
        if (
            self._is_whole
            and frame.f_code.co_name == "<module>"
            and frame.f_globals.get("__name__") == "__main__"
            and len(UNUSED) < 10
        ):
            UNUSED[self] = None  # said at exit (defaults.py), if nothing comes of it
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}: {self._state.value}>"

    # -- the body

    def main(self) -> Any:
        """What the component does: a generator function, or an ``async def``."""
        raise UsageError(f"{type(self).__name__} has no main(): write one (def main(self): ... yield self.wait())")

    def start(self) -> Callable[[Any], Any] | None:
        body = self.main()
        if inspect.isgenerator(body):
            self._body = body
        elif inspect.iscoroutine(body):
            from axonlike.bodies import AsyncBody

            self._body = AsyncBody(self, body)
        else:
            code = getattr(self.main, "__code__", None)
            where = f" ({Site(code.co_filename, code.co_firstlineno)})" if code is not None else ""
            raise UsageError(
                f"main() of {self.path}{where} returned {body!r} where it should be a generator or a coroutine: "
                "put a yield into it, write it as `async def`, or make it a ThreadedComponent if it blocks"
            )
        send: Callable[[Any], Any] = self._body.send
        return send

    def close_body(self) -> bool:
        body = self._body
        if body is None:
            return True
        if not inspect.isgenerator(body):
            body.cancel("Shutdown")
            return False
        try:
            body.close()
        except RuntimeError as exc:
            frame = body.gi_frame
            if frame is None:
                raise
            # It still stands at a yield: it did not let itself be closed.
            raise BadYield(
                f"{self.path} yields at {Site(frame.f_code.co_filename, frame.f_lineno)} although it was stopped: "
                "after Shutdown `finally` may send, but not yield, wait or sleep"
            ) from exc
        return True

    def abandon(self) -> str:
        return f"given up while it {self._state.value}"

    # -- messages

    def send(self, message: Any, box: str = "outbox") -> Any:
        """Deliver a message, at once and by reference, to the inbox that this outbox feeds.

        An outbox without link counts it as `unlinked`. Under the policy `block` the component is not run again while
        that inbox is full; in an ``async def``, ``await self.send(...)`` suspends right here. Raises NoSuchBox, BoxFull
        (policy "error") and BoxOverrun (thousands past the limit in one step).
        """
        try:
            inbox = self._links[box]
        except KeyError:
            inbox = self._open_outbox(box)
        queue = inbox.queue
        queue.append(message)
        if len(queue) >= inbox.trip:
            inbox.tripped()
        return inbox

    def send_many(self, messages: Iterable[Any], box: str = "outbox") -> Any:
        """Deliver several messages in order: as `send` for each, with one look at the receiver."""
        try:
            link = self._links[box]
        except KeyError:
            link = self._open_outbox(box)
        link.put_many(messages)
        return link

    def recv(self, box: str = "inbox") -> Any:
        """Take the oldest message from an inbox. Raises BoxEmpty when there is none: look with `data_ready` first."""
        try:
            inbox = self._inboxes[box]
            if inbox.attention or inbox._rest is not None:
                message = inbox.take()
            else:
                inbox.last = message = inbox.queue.popleft()
                inbox._taken += 1
        except (KeyError, IndexError):
            self.open_inbox(box)
            raise BoxEmpty(
                f"{self.path}: recv({box!r}) on an empty box; look with data_ready({box!r}) "
                f"or `yield self.wait({box!r})` first"
            ) from None
        inbox.turn.last = inbox
        return message

    def data_ready(self, box: str = "inbox") -> int:
        """How many messages wait in an inbox."""
        try:
            inbox = self._inboxes[box]
        except KeyError:
            inbox = self.open_inbox(box)
        return len(inbox.queue) if inbox._rest is None else inbox.depth

    def any_ready(self) -> str | None:
        """The name of an inbox (other than control) that holds a message, or None."""
        for inbox in self._data:
            if len(inbox.queue) if inbox._rest is None else inbox.depth:
                return inbox.name
        return None

    def inbox(self, box: str = "inbox") -> Inbox:
        """The inbox itself. ``for m in self.inbox():`` takes what lay in it when the loop began;
        ``async for`` takes everything until end of input."""
        try:
            return self._inboxes[box]
        except KeyError:
            return self.open_inbox(box)

    # -- waiting

    def pause(self) -> None:
        """At the next bare yield, rest until a message arrives (Kamaelia's idiom).

        A message that came since the last pause, or that is left in a box that was read since then, counts as
        arrived; so reading one message a turn does not stall, and leaving one on purpose does not spin.
        """
        self._turn.pausing = True

    def wait(self, box: str | None = None, /, *more: str, timeout: float | None = None) -> Wait:
        """Yield (or await) this: rest until one of the boxes holds a message. The result is its name.

        Without names: any inbox but control. None after `timeout` seconds.
        """
        if timeout is None and not more:
            try:
                return PLAIN[box]
            except KeyError:
                return plain_wait(box or "")
        return Wait((box, *more) if box is not None else (), timeout)

    def sleep(self, seconds: float) -> Sleep:
        """Yield (or await) this: rest for some time, whatever arrives."""
        return Sleep(seconds)

    def join(self, *components: Component) -> Join:
        """Yield (or await) this: rest until these components (none given: all children) have ended."""
        return Join(components)

    # -- the graph

    @property
    def children(self) -> tuple[Part, ...]:
        """The components that this one is made of, without those that have ended."""
        return tuple(self._children)

    @property
    def scheduler(self) -> Scheduler | None:
        """The scheduler in which it was activated."""
        return self._scheduler

    @property
    def ended(self) -> bool:
        """Is it over, in whatever way? An ended component never runs again."""
        return self._state is State.ENDED

    @property
    def input_ended(self) -> bool:
        """Has its input ended? Its boxes may still hold messages, but nothing will come any more.

        For a body that has something else to do than wait; a wait on empty boxes raises `Finished` by itself. A thread
        looks at this first and at its boxes then: so it misses nothing.
        """
        return self._turn.input_ended

    @property
    def made_at(self) -> Site:
        """Where in the user's code the component was made."""
        return Site(self._made_code.co_filename, self._made_line)

    @property
    def inbox_names(self) -> tuple[str, ...]:
        """Its inboxes: those of the class, and those that `add_inbox` gave it."""
        return tuple(self._inbox_specs_)

    @property
    def outbox_names(self) -> tuple[str, ...]:
        """Its outboxes: those of the class, and those that `add_outbox` gave it."""
        return tuple(self._outbox_specs_)

    def add_child(self, *components: Component) -> None:
        """Make components part of this one: they start with it (at once if it runs), bear its path and stop with it."""
        for component in components:
            if not _is_component(component):
                raise WiringError(f"{self.path}: {component!r} is not a component{how_to_make_one(component)}")
            if component._parent is not None and component._parent is not self:
                raise WiringError(f"{component.path} is part of {component._parent.path} already; make a second one")
            if component is self:
                raise WiringError(f"{self.path} cannot be a part of itself")
            if component not in self._children:
                if self._child_names is None:
                    self._child_names = Names()
                component.name = self._child_names.take(component.name)
                component._parent = self
                if self._children is _NONE_YET:
                    self._children = {}
                self._children[component] = None
                UNUSED.pop(component, None)
        if self._scheduler is not None and self in self._scheduler.parts:
            self._scheduler.activate(*components)
            if self._closing:  # it was told to stop, and its last step has yet to come
                for component in components:
                    component.stop("its parent was stopped")

    def forget_child(self, child: Part) -> None:
        if child in self._children and self._child_names is not None:
            self._child_names.free(child.name)
        super().forget_child(child)

    def activate(self, scheduler: Scheduler | None = None) -> Self:
        """Have it run in `scheduler` (this run's, or this thread's default one). Returns itself."""
        (scheduler or self._scheduler or default_scheduler()).activate(self)
        return self

    def run(self) -> None:
        """Activate it, and run everything that was activated; returns when all but services have ended."""
        scheduler = self._scheduler or default_scheduler()
        scheduler.run(self)

    def stop(self, reason: str = "stop()") -> None:
        """Shutdown for this component and its children, now (for itself: when its step is over)."""
        if self._scheduler is not None and self in self._scheduler.parts:
            self._scheduler.stop_part(self, reason)

    def __or__(self, following: object) -> Component:
        """``a | b | c`` is ``Pipeline(a, b, c)``."""
        if not isinstance(following, Component):
            return NotImplemented
        return Component._compose(self, following)

    def link(
        self,
        source: tuple[Component, str],
        sink: tuple[Component, str],
        *,
        passthrough: Literal["in", "out"] | None = None,
        limit: int | Literal["unchanged"] | None = "unchanged",
        policy: Policy | None = None,
    ) -> Linkage:
        """Link an outbox to an inbox, before or while they run.

        A link from an inbox of this component to one of a child passes in, from an outbox of a child to one of this
        component passes out; `passthrough` says so where the box names alone do not. `limit` and `policy` are the
        inbox's; a link may set them while it is the only one to that inbox. Raises WiringError.
        """
        (a, a_box), (b, b_box) = source, sink
        for end in (a, b):
            if not isinstance(end, Component):
                raise WiringError(f"{self.path}: cannot link {end!r}: it is not a component")
        kind = self._kind_of(a, a_box, b, b_box, passthrough)
        new = Linkage(kind, a, a_box, b, b_box)
        sends = a.inbox_spec(a_box) if kind is Kind.PASS_IN else a.outbox_spec(a_box)
        takes = b.outbox_spec(b_box) if kind is Kind.PASS_OUT else b.inbox_spec(b_box)
        for end in (a, b):
            if end.ended:
                raise WiringError(f"{new}: {end.path} has ended")
        _linkage.check_types(new, sends, takes)
        if (limit != "unchanged" or policy is not None) and kind is Kind.PASS_OUT:
            raise WiringError(f"{new}: limit and policy belong to an inbox")
        _linkage.connect(new)
        try:
            if limit != "unchanged" or policy is not None:
                self._set_limit(new, limit, policy)
        except WiringError:
            _linkage.disconnect(new)
            raise
        _relink(new, came=True)
        return new

    def unlink(self, linkage: Linkage) -> None:
        """Take a link back; the outbox then leads nowhere. Harmless if it is gone."""
        if _linkage.disconnect(linkage):
            _relink(linkage, came=False)

    def _kind_of(self, a: Component, a_box: str, b: Component, b_box: str, passthrough: str | None) -> Kind:
        if passthrough is None and a is not b:
            if a is self and a_box not in a._outbox_specs_ and b.is_within(self):
                passthrough = "in"
            elif b is self and b_box not in b._inbox_specs_ and a.is_within(self):
                passthrough = "out"
        return Kind.PASS_IN if passthrough == "in" else Kind.PASS_OUT if passthrough == "out" else Kind.DELIVER

    def runs_with(self, other: Component) -> None:
        """Activating one of the two activates the other too, unless it is a child of something."""
        for one, two in ((self, other), (other, self)):
            if one._companions is None:
                one._companions = {}
            one._companions[two] = None

    def companions(self) -> Iterable[Part]:
        return self._companions or ()

    def is_within(self, other: Component) -> bool:
        """Is `other` its parent, or its parent's, and so on?"""
        above = self._parent
        while above is not None and above is not other:
            above = above._parent
        return above is not None

    def _set_limit(self, new: Linkage, limit: int | Literal["unchanged"] | None, policy: Policy | None) -> None:
        owner, box = _linkage.final_inbox(new.sink, new.sink_box)
        if _linkage.links_to(owner, box) > 1:
            raise WiringError(f"{new}: one of several links to {owner.path}.{box} cannot set its limit and policy")
        inbox = owner.open_inbox(box)
        inbox.configure(inbox.limit_or_none if limit == "unchanged" else limit, policy or inbox.policy)

    def configure_inbox(self, box: str = "inbox", *, limit: int | None = 1000, policy: Policy = "block") -> Self:
        """Set how much an inbox holds and what it does when it is full. Returns the component."""
        inbox = self.open_inbox(box)
        inbox.configure(limit, policy)
        for sender, _ in set(_linkage.upstream(self, box)):
            sender.refeed()
        return self

    # -- boxes

    def inbox_spec(self, name: str) -> Box:
        """What is said of an inbox. Raises NoSuchBox."""
        try:
            return self._inbox_specs_[name]
        except KeyError:
            raise no_such_box(self, "inbox", name, self._inbox_specs_) from None

    def outbox_spec(self, name: str) -> Box:
        """What is said of an outbox. Raises NoSuchBox."""
        try:
            return self._outbox_specs_[name]
        except KeyError:
            if name == "error" and self.on_error == "error":  # set on this one object
                self.add_outbox("error", _ERROR_BOX)
                return self._outbox_specs_[name]
            raise no_such_box(self, "outbox", name, self._outbox_specs_) from None

    def add_inbox(self, name: str, description: str = "", **options: Any) -> str:
        """Give this one instance another inbox; returns its name, which has a number added if it was taken."""
        name = _free_name(name, self._inbox_specs_)
        self._inbox_specs_ = {**self._inbox_specs_, name: Box(description, **options)}
        return name

    def add_outbox(self, name: str, description: str = "", **options: Any) -> str:
        """Give this one instance another outbox; returns its name, which has a number added if it was taken."""
        name = _free_name(name, self._outbox_specs_)
        self._outbox_specs_ = {**self._outbox_specs_, name: Box(description, **options)}
        return name

    def specify(self, name: str, **changes: Any) -> None:
        """Say more about one box of this instance than its class does: `type`, `stream`, `required`, `description`."""
        if name in self._inbox_specs_:
            self._inbox_specs_ = {**self._inbox_specs_, name: replace(self._inbox_specs_[name], **changes)}
        else:
            self._outbox_specs_ = {**self._outbox_specs_, name: replace(self.outbox_spec(name), **changes)}

    def remove_inbox(self, name: str) -> None:
        """Take away an inbox that `add_inbox` gave; links to it are cut, what it held counts as unread."""
        self.inbox_spec(name)
        for linkage in tuple(self.wires().to_in.get(name, ())):
            self.unlink(linkage)
        self._inbox_specs_ = {n: spec for n, spec in self._inbox_specs_.items() if n != name}
        inbox = self._inboxes.pop(name, None)
        if inbox is not None:
            for waiter in inbox.close():
                waiter.unblock(inbox)
            self._data = tuple(box for box in self._data if box is not inbox)
            self._turn.only = self._data[0] if len(self._data) == 1 else None

    def remove_outbox(self, name: str) -> None:
        """Take away an outbox that `add_outbox` gave; its link is cut."""
        self.outbox_spec(name)
        linkage = self.wires().from_out.get(name)
        if linkage is not None:
            self.unlink(linkage)
        self._outbox_specs_ = {n: spec for n, spec in self._outbox_specs_.items() if n != name}
        self._links.pop(name, None)

    def statistics(self) -> tuple[BoxStatistics, ...]:
        """All inboxes that have been used."""
        return tuple(inbox.statistics() for inbox in self._inboxes.values())

    def lost_at_sending(self) -> dict[str, dict[str, int]]:
        """What was sent to nobody: {"unlinked": {outbox: count}, "to_ended": {outbox: count}}."""
        lost: dict[str, dict[str, int]] = {"unlinked": {}, "to_ended": {}}
        for (why, box), sink in (self._sinks or {}).items():
            if sink.count:
                lost[why][box] = sink.count
        return lost

    def open_inbox(self, name: str) -> Inbox:
        inbox = self._inboxes.get(name)
        return inbox if inbox is not None else self._make_inbox(name)

    def _make_inbox(self, name: str) -> Inbox:
        # A component's thread asks for its boxes while the scheduler's puts into them: there must not be two of one.
        with _MAKING_BOXES:
            inbox = self._inboxes.get(name)
            if inbox is None:
                spec = self.inbox_spec(name)
                inbox = Inbox(self, name, spec.limit, spec.policy)
                inbox.closed = self._state is State.ENDED
                if name != "control" or self._takes_control:
                    self._data = (*self._data, inbox)
                    self._turn.only = inbox if len(self._data) == 1 else None
                self._inboxes[name] = inbox
            return inbox

    def _open_outbox(self, name: str) -> Inbox | Sink | Door:
        """First use of an outbox that is not linked."""
        self.outbox_spec(name)
        return self._lead_nowhere(name, "unlinked")

    def _lead_nowhere(self, name: str, why: str) -> Sink:
        if self._sinks is None:
            self._sinks = {}
        sink = self._sinks.setdefault((why, name), Sink())
        self._lead(name, sink)
        return sink

    def _lead(self, name: str, where: Inbox | Sink | Door) -> None:
        if self._links is _NONE_YET:
            self._links = {}
        self._links[name] = where

    def wires(self) -> Wires:
        """The component's links, by box."""
        if self._wires is None:
            self._wires = Wires()
        return self._wires

    def _target(self, box: str) -> Inbox | Door:
        """What links to an inbox lead to."""
        if box == "control" and not self._takes_control:
            return Door(self)
        return self.open_inbox(box)

    def resolve_outbox(self, box: str) -> None:
        """Find anew where this outbox leads."""
        old = self._links.get(box)
        end = _linkage.destination(self, box)
        if end is None:
            if old is not None and not isinstance(old, Sink):
                self._lead_nowhere(box, "unlinked")
        elif end[0].ended:
            self._lead_nowhere(box, "to_ended")
        elif not (isinstance(old, Door) and old.owner is end[0]):
            self._lead(box, end[0]._target(end[1]))
        new = self._links.get(box)
        if old is new:
            return
        if isinstance(old, Inbox) and old.feeders is not None:
            left = old.feeders.get(self, 0) - 1
            if left > 0:
                old.feeders[self] = left
            else:
                old.feeders.pop(self, None)
        if isinstance(new, Inbox):
            if new.feeders is None:
                new.feeders = {}
            new.feeders[self] = new.feeders.get(self, 0) + 1
        self.refeed()
        if isinstance(old, Inbox) and old.waiters:
            # It does not feed this box any more, so it must not go on waiting for room in it.
            for waiter in [w for w in old.waiters if w is self or getattr(w, "component", None) is self]:
                old.waiters.remove(waiter)
                waiter.unblock(old)

    def refeed(self) -> None:
        """Note anew which boxes can hold this component back."""
        if self._closing:
            return
        feeds = {
            link: None
            for link in self._links.values()
            if isinstance(link, Inbox) and link.policy == "block" and link.limit != UNBOUNDED
        }
        self._turn.feed = next(iter(feeds)) if len(feeds) == 1 else SeveralFeeds(tuple(feeds)) if feeds else NO_FEED

    def consumers(self) -> Iterable[Component]:
        for link in self._links.values():
            if isinstance(link, Inbox) and isinstance(link.owner, Component):
                yield link.owner

    def has_producers(self) -> bool:
        return any(inbox.feeders for inbox in self._inputs())

    def _inputs(self) -> Iterator[Inbox]:
        """The inboxes whose producers' end is the end of the input."""
        return (inbox for inbox in self._data if not self._inbox_specs_[inbox.name].aside)

    # -- ends and errors

    def controlled(self, message: Any) -> None:
        """ProducerFinished or Shutdown has come to the control box."""
        scheduler = self._scheduler
        if scheduler is None or self._state is State.ENDED:
            return
        if isinstance(message, Shutdown):
            scheduler.stop_part(self, message.reason or "Shutdown")
        else:
            sender = scheduler.current
            # From a component that feeds it nothing it is a command; of several producers the last one's counts.
            if not (isinstance(sender, Component) and sender._feeds(self) and self._is_fed_beside(sender)):
                scheduler.input_ended(self)

    def _is_fed_beside(self, sender: Component, aside: Container[str] = ()) -> bool:
        """Do others than `sender` (and the chassis out of which it sends) still feed it, but in boxes `aside`?"""
        return any(
            feeder is not sender and not (isinstance(feeder, Component) and sender.is_within(feeder))
            for inbox in self._inputs()
            if inbox.name not in aside
            for feeder in inbox.feeders or ()
        )

    def _feeds(self, consumer: Component) -> bool:
        """Does one of its outboxes lead to a data inbox of that component?"""
        ends = (_linkage.destination(self, box) for box in (self._wires.from_out if self._wires is not None else ()))
        return any(end is not None and end[0] is consumer and end[1] != "control" for end in ends)

    def unlink_all(self, shut_down: bool) -> None:
        signal = self._links.get("signal")
        consumers: dict[Component, None] = {}
        for link in list(self._links.values()):
            if not isinstance(link, Inbox):
                continue
            if link.feeders is not None:
                link.feeders.pop(self, None)
            owner = link.owner
            if isinstance(owner, Component) and link in owner._inputs():
                consumers[owner] = None
        if isinstance(signal, Door):
            # Of several producers only the last one's end is the end of the input.
            if shut_down or not (self._feeds(signal.owner) and signal.owner._is_fed_beside(self)):
                signal.put(Shutdown(self.path) if shut_down else ProducerFinished(self.path))
        elif isinstance(signal, Inbox) and not signal.closed:
            signal.put(Shutdown(self.path) if shut_down else ProducerFinished(self.path))
        scheduler = self._scheduler
        for inbox in self._inboxes.values():
            for waiter in inbox.close():
                waiter.unblock(inbox)
        for box in self._inboxes if self._wires is None else {**self._inboxes, **self._wires.to_in}:
            for sender, outbox in set(_linkage.upstream(self, box)):
                if not sender.ended:
                    sender.resolve_outbox(outbox)
                    sender.consumer_ended(outbox)
        if scheduler is not None:
            for consumer in consumers:
                if not consumer.has_producers():
                    scheduler.input_ended(consumer)
        if self._wires is not None:
            for linkage in tuple(self._wires.all()):
                if linkage.kind is Kind.PASS_OUT and linkage.source is self:
                    _linkage.disconnect(linkage)

    def consumer_ended(self, outbox: str) -> None:
        """The receiver of one of its outboxes has ended: when all of them have, nobody needs this component."""
        if outbox == "signal" or self._scheduler is None:
            return
        sinks = self._sinks or {}
        linked = [
            (box, link) for box, link in self._links.items()
            if box != "signal" and link is not sinks.get(("unlinked", box))
        ]  # fmt: skip
        if linked and all(link is sinks.get(("to_ended", box)) for box, link in linked):
            pending = self._state is State.READY and getattr(self._resume, "__self__", None) is not self._body
            if self._input_ended and pending:
                # It is told of the end of its input in this moment (the members of a circle are, all at once): it
                # has that one step to send what it keeps, which then counts as sent to nobody.
                self._scheduler.stop_after_step(self, "all receivers have ended")
            else:
                self._scheduler.stop_part(self, "all receivers have ended")

    def failed(self, error: BaseException) -> bool:
        policy = self.on_error
        if policy not in _POLICIES:
            raise UsageError(f"{self.path}: on_error is {policy!r}; there are: {', '.join(_POLICIES)}") from error
        if policy == "stop" or not isinstance(error, Exception):
            return False
        scheduler = self._scheduler
        assert scheduler is not None
        if policy == "restart":
            if self._restarts is None:
                self._restarts = RestartLimit()
            delay_s = self._restarts.next_delay_s(scheduler.time())
            if delay_s is None:
                return False
        else:
            delay_s = 0.0
            taken = sum(inbox.taken for inbox in self._inboxes.values())
            if self._last is None or taken == (self._restarts.seen if self._restarts else -1):
                # It failed again without having taken a message: calling main() again would only spin.
                return False
            self._restarts = self._restarts or RestartLimit()
            self._restarts.seen = taken
        described = self.describe_failure(error)
        if isinstance(described, ComponentError):
            described.handled = True
        scheduler.log_failure(described)
        if policy == "error":
            last = self._last
            number, value = (last.taken, last.last_taken) if last is not None else (0, None)
            self.send(Crashed(self.path, error, last.name if last else "", number, value), "error")
        scheduler.restart(self, delay_s)
        return True

    def describe_failure(self, error: BaseException) -> BaseException:
        wrapped = isinstance(error, RuntimeError) and str(error).endswith(" raised StopIteration")
        if wrapped and isinstance(error.__cause__, StopIteration):
            error = error.__cause__  # PEP 479 wrapped what the body raised
        last = self._last
        box = source = ""
        number, value = 0, None
        if last is not None and last.taken:
            box, number, value = last.name, last.taken, last.last_taken
            source = ", ".join(sorted({f"{sender.name}.{outbox}" for sender, outbox in _linkage.upstream(self, box)}))
        return ComponentError(
            self.path, error, made_at=self.made_at, box=box, source=source, number=number, value=value,
            policy=self.on_error,
        )  # fmt: skip


class Door(Destination):
    """What links to a control box lead to: the kernel takes ProducerFinished and Shutdown before the box."""

    __slots__ = ("owner", "queue", "trip")
    full = False
    limit = UNBOUNDED
    policy = "control"

    def __init__(self, owner: Component) -> None:
        self.owner = owner
        self.queue = self
        self.trip = 1

    def append(self, message: Any) -> None:
        if message is ProducerFinished or message is Shutdown:
            message = message()  # Kamaelia's programs send the class now and then
        if isinstance(message, ProducerFinished | Shutdown):
            self.owner.controlled(message)
        else:
            self.owner.open_inbox("control").put(message)

    put = append

    def put_many(self, messages: Iterable[Any]) -> None:
        for message in messages:
            self.append(message)

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def tripped(self) -> None:
        """Never called: a door's length stays below its trip."""


class Step(Component):
    """A function called for each message; what `step` makes.

    It returns the message to send on, None for nothing, or an iterator (an object with ``__next__``, never a list or a
    str), which is pulled one item at a time, and only while there is room downstream.
    """

    Outboxes: ClassVar[Mapping[str, Any]] = {"error": "Crashed, under on_error=\"error\""}

    def __init__(self, function: Callable[[Any], Any], *, name: str = "", on_error: OnError = "stop") -> None:
        if not callable(function):
            raise UsageError(f"step() takes a function, not {function!r}")
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__).replace("<lambda>", "step")
        self.on_error = on_error

    def main(self) -> Generator[Any, Any, None]:
        function, inbox = self.function, self.inbox()
        results: list[Any] = []
        while True:
            yield self.wait("inbox")
            try:
                for message in inbox:
                    result = function(message)
                    if result is None:
                        continue
                    if hasattr(result, "__next__"):
                        self.send_many(results)
                        results.clear()
                        yield from self._pull(result)
                    else:
                        results.append(result)
            finally:
                if results:
                    self.send_many(results)
                    results.clear()

    def _pull(self, items: Iterator[Any]) -> Generator[Any, Any, None]:
        try:
            for item in items:
                self.send(item)
                while self._feed.full:
                    yield
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()


class _StepFactory:
    """``step`` itself: a decorator, and a function that makes one component a call."""

    @overload
    def __call__(self, function: Callable[[Any], Any], *, on_error: OnError = "stop", name: str = "") -> Step: ...
    @overload
    def __call__(
        self, function: None = None, *, on_error: OnError = "stop", name: str = ""
    ) -> Callable[[Callable[[Any], Any]], Step]: ...
    def __call__(
        self, function: Callable[[Any], Any] | None = None, *, on_error: OnError = "stop", name: str = ""
    ) -> Step | Callable[[Callable[[Any], Any]], Step]:
        """Make a component of a function. After ``@step`` the name stands for one component; ``step(f)`` makes more."""
        if function is None:
            return lambda f: Step(f, name=name, on_error=on_error)
        return Step(function, name=name, on_error=on_error)


step = _StepFactory()


def _is_component(candidate: object) -> bool:
    return isinstance(candidate, Component)


def _free_name(name: str, taken: Iterable[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _relink(linkage: Linkage, *, came: bool) -> None:
    """Resolve anew whatever lies upstream of a link that came (or went), and move what waited in between."""
    if linkage.kind is Kind.PASS_IN:
        senders = list(_linkage.upstream(linkage.source, linkage.source_box))
        waiting = linkage.source._inboxes.get(linkage.source_box)
        owner, box = _linkage.final_inbox(linkage.source, linkage.source_box)
        if waiting is not None and waiting.depth and owner is not linkage.source:
            _linkage.move_messages(waiting, owner._target(box))
    else:
        if came and _linkage.destination(linkage.source, linkage.source_box) is None:
            return  # it leads nowhere yet, as before: what is nested deep is not to be walked through at each level
        senders = list(_linkage.leaf_outboxes(linkage.source, linkage.source_box))
    for sender, outbox in senders:
        if sender.ended:
            continue  # its links remain, but it is nobody's producer any more
        sender.resolve_outbox(outbox)
        scheduler = sender._scheduler
        if scheduler is not None and sender in scheduler.parts:
            scheduler.rewired(sender)
