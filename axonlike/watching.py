"""What is measured of a running scheduler while somebody watches it, and costs nothing while nobody does.

Theory of operation of `Stopwatch`. While it is on, the scheduler is of a class made for it, in which `_run_ready` is
timed as a whole, and at times (in the "fine" class) the attribute `_current` is a property. The scheduler sets
`_current` before each step, so the property sees every step begin, and the kernel has no line of code for it. Seeing
a step costs about half a microsecond, as much as a short step itself. So there is an allowance, a share of the time
that has passed: while it lasts, every step is seen (which in most systems is always); once it is used up, whole
slices go by unseen until there is some again. What was seen last then stands for the slices that were not.

Theory of operation of `Tap`. A component looks up where to send in its dict `_links`, by ``_links[box]``; the kernel
looks at the same dict with ``get``, ``items`` and ``values`` to know who feeds whom. While an outbox is tapped, that
dict is a `_TappedLinks`, in which the first way, and no other, finds the `Tap` in place of the receiver. So links,
back-pressure and ends are what they were, and a link that changes meanwhile changes under the tap.
"""

from __future__ import annotations

import logging
import reprlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from axonlike.box import Destination
from axonlike.component import Component
from axonlike.introspection import Effort
from axonlike.linkage import leaf_outboxes
from axonlike.part import Part
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.threads import ThreadedComponent

__all__ = ["SHOWN", "Stopwatch", "Tap", "shown"]

log = logging.getLogger("axonlike")

SHOWN = 200  # characters of a message

_SHARE = 0.005  # of the time that passes may go into seeing steps
_STEP_COST_S = 0.6e-6  # what seeing one step costs, measured: half of it at the step, half in `_sum_up`
_SLICE_COST_S = 2e-6
_CREDIT_S = 0.001  # the allowance does not grow past this: a rest is not followed by a burst


class Stopwatch:
    """Times the steps of a scheduler's parts. All of it is called in the scheduler's thread.

    busy_s: how long the scheduler has run steps since the start. `efforts` tells each part's share.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._plain = plain = type(scheduler)
        self.busy_s = 0.0
        self._unread_s = 0.0  # of that, not yet given to anybody: since `efforts` was asked last
        self._seen_s = 0.0  # of that, in slices whose steps were seen
        self._seen: list[Any] = []  # turn, time, turn, time, ... of the slice that runs
        self._parts: dict[Any, list[float]] = {}  # turn: seconds seen, slowest step, seconds in all, share
        self._allowance_s = _CREDIT_S
        self._topped_up_s = time.perf_counter()
        self._coarse = type("WatchedScheduler", (plain,), {"_run_ready": self._timed(fine=False)})
        self._fine = type(
            "TimedScheduler", (plain,), {"_run_ready": self._timed(fine=True), "_current": self._current_property()}
        )
        scheduler.__class__ = self._fine

    def stop(self) -> None:
        """Leave the scheduler as it was."""
        self._scheduler.__class__ = self._plain

    def efforts(self) -> dict[Part, Effort]:
        """What each part that lives has taken since the start."""
        unread_s, seen_s = self._unread_s, self._seen_s
        self._seen_s = 0.0
        if self._parts:  # else nothing says yet whose time it was
            self._unread_s = 0.0
        efforts: dict[Part, Effort] = {}
        for turn in tuple(self._parts):
            if turn.part._state is State.ENDED:
                del self._parts[turn]
                continue
            figures = self._parts[turn]
            if seen_s:
                figures[3] = figures[0] / seen_s
                figures[0] = 0.0
            figures[2] += figures[3] * unread_s
            efforts[turn.part] = Effort(figures[2], figures[1])
        if sys.platform == "linux":
            efforts.update(_of_threads(self._scheduler))
        return efforts

    def _timed(self, fine: bool) -> Callable[[Scheduler], None]:
        run_ready: Callable[[Any], None] = self._plain._run_ready
        perf_counter = time.perf_counter

        def timed(scheduler: Scheduler) -> None:
            self._seen.clear()  # of a slice that had begun before it was timed
            began_s = perf_counter()
            try:
                run_ready(scheduler)
            finally:
                ended_s = perf_counter()
                self._slice_over(began_s, ended_s, fine)

        return timed

    def _current_property(self) -> property:
        note, perf_counter = self._seen.append, time.perf_counter
        slot: Any = Scheduler.__dict__["_current"]

        def set_and_note(scheduler: Scheduler, turn: Any) -> None:
            slot.__set__(scheduler, turn)
            note(turn)
            note(perf_counter())

        return property(slot.__get__, set_and_note)

    def _slice_over(self, began_s: float, ended_s: float, fine: bool) -> None:
        took_s = ended_s - began_s
        self.busy_s += took_s
        self._unread_s += took_s
        allowance_s = self._allowance_s + _SHARE * (ended_s - self._topped_up_s) - _SLICE_COST_S
        self._topped_up_s = ended_s
        if fine:
            allowance_s -= _STEP_COST_S * len(self._seen) / 2
            self._seen_s += took_s
            self._sum_up(ended_s)
        self._allowance_s = allowance_s = min(allowance_s, _CREDIT_S)
        if fine:
            if allowance_s < 0 and type(self._scheduler) is self._fine:
                self._scheduler.__class__ = self._coarse
        elif allowance_s > _CREDIT_S / 2 and type(self._scheduler) is self._coarse:
            self._scheduler.__class__ = self._fine

    def _sum_up(self, ended_s: float) -> None:
        """Give the time of a slice to those whose steps filled it. None stands for the scheduler's own work."""
        seen, parts = self._seen, self._parts
        seen.append(None)
        seen.append(ended_s)
        pairs = iter(seen)
        turn, since_s = next(pairs), next(pairs)
        for following in pairs:
            now_s = next(pairs)
            if turn is not None:
                figures = parts.get(turn)
                if figures is None:
                    figures = parts[turn] = [0.0, 0.0, 0.0, 0.0]
                took_s = now_s - since_s
                figures[0] += took_s
                if took_s > figures[1]:
                    figures[1] = took_s
            turn, since_s = following, now_s
        seen.clear()


def _of_threads(scheduler: Scheduler) -> Iterator[tuple[Part, Effort]]:
    """The time that the threads of components have had a processor, which Linux counts anyway."""
    threads = {thread.ident: thread.native_id for thread in threading.enumerate()}
    for part in scheduler.parts:
        if isinstance(part, ThreadedComponent):
            native_id = threads.get(getattr(part._body, "ident", None))
            if native_id is not None:
                try:
                    spent_ns, _, _ = Path(f"/proc/self/task/{native_id}/schedstat").read_text().partition(" ")
                except OSError:  # it has just ended, or this kernel does not count
                    continue
                yield part, Effort(int(spent_ns) / 1e9, None)


# -- taps


class _TappedLinks(dict[str, Any]):
    """A component's links, some of them tapped: ``links[box]``, by which it sends, finds the tap."""

    __slots__ = ("taps",)

    def __init__(self, links: dict[str, Any]) -> None:
        super().__init__(links)
        self.taps: dict[str, _Branch] = {}

    def __getitem__(self, box: str) -> Any:
        branch = self.taps.get(box)
        return super().__getitem__(box) if branch is None else branch


class _Branch(Destination):
    """Stands where a tapped outbox's receiver would be found: hands on to it, and tells the taps."""

    __slots__ = ("box", "component", "queue", "taps", "trip")

    def __init__(self, component: Component, box: str) -> None:
        self.component, self.box = component, box
        self.queue = self
        self.trip = 1
        self.taps: dict[Tap, None] = {}

    @property
    def _real(self) -> Any:
        real = self.component._links.get(self.box)
        return self.component._open_outbox(self.box) if real is None else real

    @property
    def full(self) -> Any:
        return self._real.full

    def put(self, message: Any) -> None:
        """Deliver it, then show it: what is refused was not sent."""
        self._real.put(message)
        self._tell(message)

    append = put

    def put_many(self, messages: Iterable[Any]) -> None:
        """As the receiver's own: an iterator is consumed only as far as that does."""
        self._real.put_many(self._telling(messages))

    def _telling(self, messages: Iterable[Any]) -> Iterator[Any]:
        for message in messages:
            yield message
            self._tell(message)

    def _tell(self, message: Any) -> None:
        path = self.component.path
        for tap in tuple(self.taps):
            tap.tell(message, path)

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def tripped(self) -> None:
        """Never called: its length stays below its trip."""


class Tap:
    """Calls ``tell(message, path of the sender)`` for each message that an outbox sends, after it was delivered.

    An outbox of a chassis is tapped at the components that send on it. `look_again` takes in those that came since.
    """

    def __init__(self, component: Component, box: str, tell: Callable[[Any, str], None]) -> None:
        self.component, self.box = component, box
        self.tell = tell
        self._branches: dict[_Branch, None] = {}
        self.look_again()

    @property
    def over(self) -> bool:
        """Has the component ended?"""
        return self.component.ended

    def look_again(self) -> None:
        """Tap the outboxes that send on this one now."""
        for component, box in leaf_outboxes(self.component, self.box):
            if component.ended:
                continue
            links = component._links
            if not isinstance(links, _TappedLinks):
                links = component._links = _TappedLinks(links)
            branch = links.taps.get(box)
            if branch is None:
                branch = links.taps[box] = _Branch(component, box)
            branch.taps[self] = None
            self._branches[branch] = None

    def close(self) -> None:
        """Leave the components as they were."""
        for branch in self._branches:
            branch.taps.pop(self, None)
            links = branch.component._links
            if not branch.taps and isinstance(links, _TappedLinks) and links.taps.get(branch.box) is branch:
                del links.taps[branch.box]
                if not links.taps:
                    branch.component._links = dict(links)
        self._branches.clear()


def shown(message: object) -> str:
    """A message as a tap shows it: its repr on one line, cut at 200 characters."""
    if isinstance(message, str | bytes | bytearray):
        text = repr(message[: SHOWN + 1])  # the rest would be cut off anyway, and may be megabytes
    else:
        try:
            text = _repr.repr(message)
        except Exception as exc:
            text = f"<{type(message).__name__} whose repr() raises {type(exc).__name__}>"
    text = " ".join(text.splitlines())
    if not text.isprintable():  # a repr of somebody's own may hold what moves a terminal's cursor
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


_repr = reprlib.Repr()
_repr.maxlevel = 4
_repr.maxstring = _repr.maxother = _repr.maxlong = 4 * SHOWN
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = _repr.maxdeque = _repr.maxfrozenset = SHOWN
