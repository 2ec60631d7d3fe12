"""Supervisor: starts components again when they fail, as Erlang/OTP's supervisors do.

A supervisor holds *places*, in order. Each has a factory and the component that it made last. A component that ends is
put down as normal, shutdown or crash; `restart` says which of these are followed by a new component, `strategy` who
else is stopped and started with it. Restarts are counted for the supervisor as a whole; past `intensity` in `period_s`
it stops everything and fails itself, which is the next supervisor's business, or the end of the run.

How a restart goes: those concerned that still run are stopped one by one, the last started first; then a delay, from
the failed place's back-off; then all are made anew in their order. A `_Recovery` is one such course of events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

from axonlike.chassis.slot import Slot, check_makers, made_by
from axonlike.component import Component
from axonlike.errors import AxonlikeError, ComponentError, WiringError, did_you_mean
from axonlike.linkage import final_inbox
from axonlike.messages import Crashed
from axonlike.part import Part
from axonlike.restarts import Backoff, RestartLimit
from axonlike.shutdown import State
from axonlike.timers import Timer

__all__ = ["Restart", "Strategy", "Supervisor", "TooManyRestarts"]

log = logging.getLogger("axonlike.supervisor")

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is started again when one ends: that one; all; that one and those that were started after it."""

Restart = Literal["permanent", "transient", "temporary"]
"""When a component is started again: whenever it ends; only when it failed; never."""

_EVENTS = "events"


class TooManyRestarts(AxonlikeError):
    """A supervised component ended again and again, so its supervisor gives up. `__cause__` is the last failure."""

    code = "AX104"


class Supervisor(Slot):
    """Runs components that factories make, and makes new ones when they fail.

        Supervisor(lambda: Pipeline(SerialLines("auto"), PublishTo("events")))

    strategy: who is started again with the one that failed. restart: after which ends. A component that ends because
    its input has ended, or because nothing in the whole system can happen any more, has done its work and is not
    started again. intensity, period_s: more restarts than that in so many seconds, and the supervisor gives up: it
    stops its components and fails with TooManyRestarts. backoff: the delay before a restart grows from the first to the
    second of these seconds, separately for each component, and begins anew after `period_s` without an end. shutdown_s:
    how long a component may take to stop before it is abandoned and named in the log.

    The first components are made when the Supervisor is. An instance in place of a factory cannot be made anew, so it
    needs ``restart="temporary"``. With exactly one component, the Supervisor has all its boxes, and links to them
    outlive it: messages that it has not taken are there for its successor (the one at which it failed is lost, and
    reported). With several, they talk by backplanes, and the Supervisor's inbox leads nowhere.

    A failure is logged, and goes out on `events` as a `Crashed`.
    """

    Outboxes: ClassVar[Mapping[str, Any]] = {_EVENTS: "Crashed, for each failure of a component"}
    own_boxes: ClassVar[frozenset[str]] = Slot.own_boxes | {_EVENTS}

    def __init__(
        self,
        *children: Component | Callable[[], Component],
        strategy: Strategy = "one_for_one",
        restart: Restart = "permanent",
        intensity: int = 3,
        period_s: float = 5.0,
        backoff: tuple[float, float] = (0.1, 30.0),
        shutdown_s: float = 5.0,
        name: str = "",
    ) -> None:
        if name:
            self.name = name
        _check_word(self, "strategy", strategy, get_args(Strategy))
        _check_word(self, "restart", restart, get_args(Restart))
        if not children:
            raise WiringError(f"{self.path}: a Supervisor needs factories: Supervisor(lambda: Worker(...))")
        check_makers(self, children)
        if restart != "temporary":
            for child in children:
                if isinstance(child, Component):
                    raise WiringError(
                        f"{self.path}: {child.path} is one component and cannot be made anew: pass a function that "
                        f'makes it, Supervisor(lambda: {type(child).__name__}(...)), or restart="temporary"'
                    )
        if intensity < 0 or period_s <= 0 or shutdown_s <= 0:
            raise WiringError(
                f"{self.path}: intensity={intensity!r}, period_s={period_s!r}, shutdown_s={shutdown_s!r}: "
                "intensity is a number of restarts, the others are seconds above 0"
            )
        self._occupant = None
        self._passages = []
        self.strategy = strategy
        self.restart = restart
        self.shutdown_s = shutdown_s
        self._limit = RestartLimit(intensity, period_s, backoff=Backoff(0.0, 0.0))
        self._ends_s: list[tuple[float, str]] = []
        self._recoveries: list[_Recovery] = []
        self._giving_up: BaseException | None = None
        self._gave_up = False
        self._places = [_Place(number, child, Backoff(*backoff)) for number, child in enumerate(children)]
        self._by_component: dict[Part, _Place] = {}
        for place in self._places:
            self._begin(place, made_by(place.maker, self))

    def start(self) -> None:
        """Has no body: it stands as long as its components, and while one of them is to come again."""
        assert self._scheduler is not None
        for place in self._places:
            place.began_s = self._scheduler.time()
            place.quiescences = self._scheduler.quiescences

    @property
    def restarts(self) -> int:
        """How many components were started again so far."""
        return sum(place.starts - 1 for place in self._places)

    # -- starting

    def _begin(self, place: _Place, component: Component) -> None:
        place.starts += 1
        place.failure = None
        place.input_ended = False
        place.component = component
        self._by_component[component] = place
        if self._scheduler is not None:
            place.began_s = self._scheduler.time()
            place.quiescences = self._scheduler.quiescences
        if len(self._places) == 1:
            self._have_boxes_of(component)
            if place.inbox_settings is not None:
                owner, box = final_inbox(component, "inbox")
                owner.open_inbox(box).configure(*place.inbox_settings)
            self._occupy(component)
        else:
            self.add_child(component)
        place.name = component.name

    def _have_boxes_of(self, component: Component) -> None:
        for name in component.inbox_names:
            if name not in self.inbox_names:
                self.add_inbox(name, component.inbox_spec(name).description)
        for name in component.outbox_names:
            if name not in self.outbox_names:
                self.add_outbox(name, component.outbox_spec(name).description)

    def _start_again(self, recovery: _Recovery) -> None:
        """The delay is over: make all places of a recovery anew, in their order."""
        self._recoveries.remove(recovery)
        self._state = State.HOLLOW
        for place in sorted(recovery.places, key=lambda place: place.number):
            if self._closing or self._giving_up is not None:
                return
            if place.component is not None or any(place in other.places for other in self._recoveries):
                continue
            place.recovery = None
            component: Component | None = None
            try:
                component = made_by(place.maker, self)
                self._begin(place, component)
            except Exception as exc:  # a factory, or the start, failed: that is a crash like any other
                place.failure = exc
                self._report(f"{self.path}/{place.title()}", exc)
                if component is not None:
                    self._by_component.pop(component, None)
                    if self._occupant is component:
                        self._vacate()
                place.component = None
                self._has_ended(place, "crash")
        self._rest_if_alone()
        assert self._scheduler is not None
        self._scheduler.hollow_part_may_end(self)

    # -- what the kernel tells

    def child_failed(self, child: Part, error: BaseException) -> bool:
        place = self._by_component.get(child)
        if place is None or self._closing or self._scheduler is None or self._scheduler.state != "running":
            return False
        place.failure = place.failure or error
        self._report(child.path, error)
        self._stop(place, "a part of it failed")
        return True

    def keeps_input(self) -> bool:
        return not self._closing and self._giving_up is None and self.restart != "temporary"

    def part_ending(self, part: Part) -> None:
        super().part_ending(part)
        child: Any = part
        while child._parent is not self:
            child = child._parent
        place = self._by_component.get(child)
        # Its first component heard that there is nothing more to come. (A source that ends by itself did not.)
        if place is not None and part._input_ended and final_inbox(child, "inbox")[0] is part:
            place.input_ended = True
        if part is not child and child._state is State.ENDED and not self._closing and not _rest_of(child):
            assert self._scheduler is not None
            if self._state is State.BACKING_OFF:
                self._state = State.HOLLOW
            self._is_gone(child)
            self._scheduler.hollow_part_may_end(self)

    def child_ended(self, child: Part) -> None:
        place = self._by_component.get(child)
        is_to_go = place is not None and (
            place.failure is not None or child._closing or place.recovery is not None or self.restart == "permanent"
        )
        if place is None or self._closing or not is_to_go or not _rest_of(child):
            self._is_gone(child)
            return
        # Its successor must not meet what it was made of: a thread, say, that still holds the port.
        scheduler = self._scheduler
        assert scheduler is not None
        assert place.component is not None
        component = place.component
        if self._state is State.HOLLOW and not self._children:
            self._state = State.BACKING_OFF
        if place.watch is None:
            due_s = scheduler.time() + self.shutdown_s
            place.watch = scheduler.call_at(due_s, lambda: self._abandon(place, component))
        for part in tuple(child._children):
            scheduler.stop_part(part, "its parent has ended")

    def _is_gone(self, child: Part) -> None:
        """A child has ended, and all that was part of it."""
        place = self._by_component.pop(child, None)
        if place is None:
            return
        place.no_longer_watched()
        if self._occupant is child:
            self._keep_settings(place)
            self._vacate()
        place.component = None
        if self._closing or self._giving_up is not None:
            self._stop_one_more()
        elif place.recovery is not None:
            self._go_on(place.recovery)
        else:
            self._has_ended(place, "crash" if place.failure else "shutdown" if child._closing else "normal")
        self._rest_if_alone()

    def stop_children(self, reason: str) -> Sequence[Part]:
        for recovery in self._recoveries:
            recovery.cancel()
        self._stop_one_more()
        return ()

    def unlink_all(self, shut_down: bool) -> None:
        for recovery in self._recoveries:
            recovery.cancel()
        for place in self._places:
            place.no_longer_watched()
        super().unlink_all(shut_down)

    def failed(self, error: BaseException) -> bool:
        return False

    def _rest_if_alone(self) -> None:
        """With nothing running and something to come it is not at its end, as a chassis without children would be."""
        if self._state is State.HOLLOW and not self._children and self._recoveries and not self._closing:
            self._state = State.BACKING_OFF

    # -- deciding

    def _has_ended(self, place: _Place, how: str) -> None:
        """A component has ended by itself; `how` is OTP's reason: normal, shutdown or crash."""
        assert self._scheduler is not None
        now_s = self._scheduler.time()
        work_is_done = how == "normal" and (place.input_ended or self._scheduler.quiescences > place.quiescences)
        again = self.restart == "permanent" or (self.restart == "transient" and how == "crash")
        if work_is_done or not again:
            return
        period_s = self._limit.period_s
        self._ends_s = [end for end in self._ends_s if now_s - end[0] <= period_s]
        self._ends_s.append((now_s, place.title()))
        if now_s - place.began_s > period_s:
            place.backoff.reset()
        if self._limit.next_delay_s(now_s) is None:
            self._give_up(place, how, now_s)
            return
        concerned = {
            "one_for_one": [place],
            "one_for_all": self._places,
            "rest_for_one": self._places[place.number :],
        }[self.strategy]
        self._recover(concerned, now_s + place.backoff.next_delay_s())

    def _recover(self, concerned: Iterable[_Place], start_s: float) -> None:
        places = set(concerned)
        if self.strategy != "one_for_one":
            # One at most is under way, and all its places are concerned again: what still ran was started before them.
            for other in tuple(self._recoveries):
                other.cancel()
                self._recoveries.remove(other)
                start_s = max(start_s, other.start_s)
        recovery = _Recovery(places, start_s)
        for place in places:
            place.recovery = recovery
        self._recoveries.append(recovery)
        self._go_on(recovery)

    def _go_on(self, recovery: _Recovery) -> None:
        """Stop the last of those concerned that still run; when none is left, wait until it is time to start."""
        assert self._scheduler is not None
        running = [place for place in recovery.places if place.component is not None]
        if running:
            self._stop(max(running, key=lambda place: place.number))
        elif recovery.timer is None:
            recovery.timer = self._scheduler.call_at(recovery.start_s, lambda: self._start_again(recovery))

    def _give_up(self, place: _Place, how: str, now_s: float) -> None:
        times = ", ".join(f"{name} {now_s - end_s:.2f} s ago" for end_s, name in self._ends_s[-10:])
        last = f": {type(place.failure).__name__}" if place.failure is not None else f" ({how} end)"
        if isinstance(place.failure, ComponentError):
            last = f": {type(place.failure.cause).__name__}: {place.failure.cause}"
        error = TooManyRestarts(
            f"{place.title()} ended once more{last}; that is more than intensity={self._limit.intensity} restarts "
            f"within period_s={self._limit.period_s:g} (ends: {times})"
        )
        error.__cause__ = place.failure
        self._giving_up = error
        for recovery in self._recoveries:
            recovery.cancel()
        self._recoveries.clear()
        self._stop_one_more()

    # -- stopping

    def _stop_one_more(self) -> None:
        """Stop the component that was started last; when none is left, fail if it gave up."""
        running = [place for place in self._places if place.component is not None]
        if running:
            self._stop(running[-1])
        elif self._giving_up is not None and not self._gave_up and self._scheduler is not None:
            self._gave_up = True
            self._scheduler.part_failed(self, self._giving_up)

    def _stop(self, place: _Place, reason: str = "its supervisor stops it") -> None:
        component, scheduler = place.component, self._scheduler
        assert component is not None
        assert scheduler is not None
        if place.watch is not None:
            return  # it is being stopped
        place.watch = scheduler.call_at(scheduler.time() + self.shutdown_s, lambda: self._abandon(place, component))
        scheduler.stop_part(component, reason)

    def _abandon(self, place: _Place, component: Component) -> None:
        """`shutdown_s` is over: give up what is left of a component, and say so."""
        scheduler = self._scheduler
        assert scheduler is not None
        place.watch = None
        for part in reversed(list(_with_children(component))):
            if part._state is not State.HOLLOW and part._state is not State.ENDED:
                log.warning("%s did not stop within %g s: %s", part.path, self.shutdown_s, part.abandon())
            part._closing = True
            scheduler.part_ended(part)

    def _keep_settings(self, place: _Place) -> None:
        """Limit and policy that a link gave to the inbox are the link's, and stay."""
        component = place.component
        assert component is not None
        owner, box = final_inbox(component, "inbox")
        inbox, spec = owner._inboxes.get(box), owner.inbox_spec(box)
        if inbox is not None and (inbox.limit_or_none, inbox.policy) != (spec.limit, spec.policy):
            place.inbox_settings = (inbox.limit_or_none, inbox.policy)

    def _report(self, path: str, error: BaseException) -> None:
        """A failure that is dealt with stands in the log all the same, and goes to whoever listens."""
        assert self._scheduler is not None
        self._scheduler.log_failure(error)
        if isinstance(error, ComponentError):
            crashed = Crashed(error.path, error.cause, error.box, error.number, error.value)
        else:
            crashed = Crashed(path, error)
        self.send(crashed, _EVENTS)


class _Place:
    """One component's place in a supervisor, over all its incarnations."""

    def __init__(self, number: int, maker: Component | Callable[[], Component], backoff: Backoff) -> None:
        self.number = number
        self.maker = maker
        self.backoff = backoff
        self.component: Component | None = None
        self.starts = 0
        self.began_s = 0.0
        self.quiescences = 0
        self.failure: BaseException | None = None
        self.input_ended = False
        self.inbox_settings: tuple[int | None, Any] | None = None
        self.recovery: _Recovery | None = None
        self.watch: Timer | None = None  # runs while it is being stopped
        self.name = ""

    def title(self) -> str:
        """What its component is (or was) called."""
        return self.name or f"component {self.number + 1}"

    def no_longer_watched(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None


class _Recovery:
    """Places that are being stopped, or wait to be started again."""

    def __init__(self, places: set[_Place], start_s: float) -> None:
        self.places = places
        self.start_s = start_s
        self.timer: Timer | None = None

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


def _with_children(part: Part) -> Iterable[Part]:
    found = [part]
    for above in found:
        found.extend(above._children)
    return found


def _check_word(supervisor: Supervisor, option: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise WiringError(
            f"{supervisor.path}: no {option} {word!r}{did_you_mean(word, known)} (there are: {', '.join(known)})"
        )


def _rest_of(child: Part) -> bool:
    """Is there something left of what a child that has ended was made of?"""
    return any(part is not child and part._state is not State.ENDED for part in _with_children(child))
