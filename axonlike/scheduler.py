"""The scheduler: gives each ready component its turn, in order, inside an asyncio event loop.

Theory of operation
-------------------
A component that can run stands in one deque. A *slice* (a callback of the event loop) takes components from its left
end and runs each for one step, from one ``yield`` to the next, for at most a millisecond; then the loop gets its turn
for sockets and timers. When the deque is empty nothing is scheduled: the loop sleeps in its selector until a socket,
a timer or a thread has something, and an idle program costs nothing.

A component is in exactly one `State`. It is in the deque if and only if it is READY (one that was stopped while it
stood there is passed over). Everything that makes a component ready goes through `_make_ready`.

Invariants
1. Only the scheduler's own thread touches the deque, boxes and states. Others post with `call_from_thread`.
2. A component runs only while none of the `block` boxes that it feeds is full; it is looked at before each step.
3. Nobody is forgotten: whoever leaves READY is woken by a box (`Inbox.tripped`), a box's room, a timer, a future, a
   thread or the end of another component; each of these is recorded before the step that needs it is over.
4. When nothing is ready, no timer runs and nothing outside (thread, socket, future, handle) can bring anything, the
   components that wait get end of input; if blocked ones remain, that is a `Deadlock`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from axonlike.alarm import Alarm
from axonlike.box import Destination, Inbox, Several
from axonlike.errors import (
    AxonlikeError,
    BadYield,
    Deadlock,
    Finished,
    NameNotProvided,
    Stopped,
    UsageError,
    WiringError,
    did_you_mean,
)
from axonlike.here import UNUSED, forget_default, running_in_this_thread
from axonlike.instruments import DeadMansSwitch, Watchdog
from axonlike.names import Names
from axonlike.part import NO_FEED, Part, SeveralFeeds, how_to_make_one
from axonlike.shutdown import REACTION, Ending, Reaction, State, strongly_connected
from axonlike.signals import Signals
from axonlike.timers import Timer, TimerQueue
from axonlike.turn import Turn
from axonlike.waits import PAUSE, Foreign, Join, Room, Sleep, Wait

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future
    from typing import Self

__all__ = ["Scheduler"]

log = logging.getLogger("axonlike")

T = TypeVar("T")

SLICE_S = 0.001
_LONGEST_STRIDE = 64
_PARKS = 8  # after a rest in vain a component is parked at once that many times, before it rests again
_READY, _WAITING, _SLEEPING, _BLOCKED, _ENDED = (
    State.READY, State.WAITING, State.SLEEPING, State.BLOCKED, State.ENDED,
)  # fmt: skip


def _gone(_value: Any) -> Any:
    """What an ended part's `_resume` is: it may still stand in the deque once."""
    raise StopIteration


_LEAVE = object()
"""What a stopping part's step returns while its thread or task has yet to end."""


_STANDS = object()
"""What a stopping part's step returns when its next turn is in the deque already."""


class _StopAfterStep:
    """A part that stops itself does so when its step is over."""

    __slots__ = ("before", "part", "reason")

    def __init__(self, part: Part, reason: str, before: Any) -> None:
        self.part, self.reason, self.before = part, reason, before

    def settle(self) -> None:
        if self.before is not None:
            self.before.settle()
        scheduler = self.part._scheduler
        if scheduler is not None:
            scheduler.stop_part(self.part, self.reason, stands=False)


class _Cycle:
    """Parts that feed each other in a circle, which therefore never see each other end."""

    __slots__ = ("members",)

    def __init__(self, members: set[Part]) -> None:
        self.members = members

    def is_over(self) -> bool:
        """True when nothing can come from outside and every member waits on empty boxes, without timer or hold."""
        for member in self.members:
            if not _is_quiet(member):
                return False
            for inbox in member._data:
                for feeder in inbox.feeders or ():
                    # A chassis through which the circle passes sends nothing by itself while its children live.
                    hollow = isinstance(feeder, Part) and feeder._state is State.HOLLOW and feeder._children
                    if feeder not in self.members and not hollow:
                        return False
        return True


def _is_quiet(part: Part) -> bool:
    """Does it wait on empty boxes, without a timer, and does all that it is made of? Its end would wake its parent."""
    work = [part]
    while work:
        part = work.pop()
        if part._state is _WAITING:
            if part._timer is not None or any(inbox.depth for inbox in part._data):
                return False
            scheduler = part._scheduler
            held = scheduler._outside.get(part) if scheduler is not None else None
            if held is not None and not held[1]():  # something outside brings it messages
                return False
        elif part._state is not State.HOLLOW:
            return False
        work.extend(part._children)
    return True


class _Shuffled(deque[Turn]):
    """The ready queue of a test run that must not depend on order: takes from a random place."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def popleft(self) -> Turn:
        self.rotate(-self._random.randrange(len(self)))
        return super().popleft()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A uvloop if it is installed (the extra "fast"), else asyncio's own."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    # libuv aborts the process when it closes a descriptor of its own below 3, as it gets where those were closed.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    return uvloop.new_event_loop()


class Scheduler:
    """Runs parts until all that is not a service has ended.

    stop_deadline_s: how long an orderly stop may take before what is left is abandoned and named.
    watchdog_s: how long one step may hold the scheduler before it is named in the log (None: no watchdog).
    watchdog_exit_s: how long before the process is ended, at once, with exit code 1 and the stacks of all threads on
    stderr (None: never); for a program that systemd or the like starts again. One scheduler of a process may have it.
    loop_factory: makes the event loop for `run()`; the testing kit hands in one that runs in virtual time.
    shuffle: a seed; ready parts then run in random order (for tests; also by the variable AXONLIKE_SHUFFLE).
    observe: let this user's `axonlike top` and `axonlike tap` look into the run; a str is its name there, in place of
    the script's. By default as the variable AXONLIKE_OBSERVE says (1, or a name), but never with a loop_factory.

    ``with Scheduler() as s:`` runs it in a thread of its own, ``async with`` in the running loop; both stop it at the
    end of the block and raise what went wrong in it. A scheduler runs once.
    """

    # What is looked at for every message has a slot (_speedups.c reads it there); all else is in the dict.
    __slots__ = (
        "__dict__", "__weakref__", "_armed_s", "_current", "_now_s", "_time_out", "_timers", "_watchdog",
        "awake", "ready", "slices",
    )  # fmt: skip

    def __init__(
        self,
        *,
        stop_deadline_s: float = 5.0,
        watchdog_s: float | None = 1.0,
        watchdog_exit_s: float | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        shuffle: str | None = None,
        observe: bool | str | None = None,
    ) -> None:
        self.stop_deadline_s = stop_deadline_s
        self.watchdog_s = watchdog_s
        self.watchdog_exit_s = watchdog_exit_s
        if watchdog_exit_s is not None and (watchdog_s is None or watchdog_exit_s <= watchdog_s):
            raise UsageError(f"watchdog_exit_s={watchdog_exit_s} needs a watchdog_s that is shorter, not {watchdog_s}")
        self.observe = _observe_by_environment() if observe is None and loop_factory is None else observe or False
        self._loop_factory = loop_factory or _new_loop
        shuffle = shuffle if shuffle is not None else os.environ.get("AXONLIKE_SHUFFLE")
        self.ready: deque[Turn] = _Shuffled(shuffle) if shuffle else deque()
        self.awake = True  # a slice is scheduled or runs; also before the start, when nothing has to be kicked
        self._current: Turn | None = None
        self.parts: dict[Part, None] = {}
        self.slices = 0
        self.quiescences = 0  # how often nothing could happen any more, and all that waited got end of input
        self.thread_id: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.state = "new"  # new, running, stopping, ended
        self._pending: dict[Part, None] = {}
        self._names: dict[str, dict[str, Part]] = {}
        self._root_names = Names()
        self._busy = 0
        self._outside: dict[object, tuple[str, Callable[[], bool]]] = {}
        self._errors: list[BaseException] = []
        self._cycles: list[_Cycle] = []
        self._timers = TimerQueue()
        self._now_s: Callable[[], float] = time.monotonic
        self._alarm: Alarm | None = None
        self._armed_s = math.inf  # when the alarm rings
        self._deadline: Timer | None = None
        self._done: asyncio.Future[None] | None = None
        self._watchdog: Watchdog | None = None
        self._time_out = self._timed_out
        self._starting: Part | None = None
        self._thread: threading.Thread | None = None
        self._background_error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupted_by = ""
        self._when_ended: dict[Callable[[], None], None] = {}
        self._when_rewired: dict[Callable[[], None], None] = {}
        self._change_is_noted = False
        self._unanswered: dict[Future[Any], None] = {}

    def __repr__(self) -> str:
        return f"<Scheduler {self.state}: {len(self.parts) + len(self._pending)} parts, {len(self.ready)} ready>"

    # -- for everybody

    @property
    def never_ran(self) -> tuple[Part, ...]:
        """What was activated and waits for the run to begin."""
        return tuple(self._pending)

    @property
    def running(self) -> bool:
        """From the start of the run to its end, the orderly stop included."""
        return self.state in ("running", "stopping")

    @property
    def running_path(self) -> str | None:
        """The path of the part that runs a step or is being started now (read by the watchdog from its thread)."""
        current = self.current or self._starting
        return None if current is None else current.path

    @property
    def held_s(self) -> float:
        """For how long the step that runs now has been seen to run, by the watchdog; 0 without one."""
        return self._watchdog.held_s if self._watchdog is not None else 0.0

    @property
    def current(self) -> Part | None:
        """The part whose step runs now."""
        turn = self._current
        if turn is None:
            return None
        part: Part = turn.part
        return part

    def time(self) -> float:
        """Seconds on the clock that timers go by."""
        return self._now_s()

    def activate(self, *parts: object) -> None:
        """Have these parts run: from the start of `run()`, or at once when it runs already.

        Activating twice is harmless. Raises WiringError if a name they need is not provided, UsageError for what is
        not a component or has ended. May be called from any thread; returns when they have been started.
        """
        if self.running and threading.get_ident() != self.thread_id:
            self.call(lambda: self.activate(*parts))
            return
        new: dict[Part, None] = {}
        work = deque(parts)
        while work:
            part = work.popleft()
            if not isinstance(part, Part):
                raise UsageError(f"{part!r} is not a component and cannot run{how_to_make_one(part)}")
            if part._state is _ENDED:
                raise UsageError(f"{part.path} has ended and cannot run again: make a new one")
            if part._scheduler not in (None, self):
                raise UsageError(f"{part.path} belongs to another scheduler")
            if part in new or part in self.parts or part in self._pending:
                continue
            new[part] = None
            for member in _with_children((part,)):
                work.extend(p for p in member.companions() if p._parent is None and p._state is not _ENDED)
        if self.state == "ended":
            raise UsageError("this scheduler's run has ended: use a new one")
        for part in new:
            UNUSED.pop(part, None)
            if part._parent is None:
                part.name = self._root_names.take(part.name)
        if self.running:
            self._admit(new)
        else:
            for part in new:
                part._turn.scheduler = self
            self._pending.update(new)

    def run(self, *parts: Part) -> None:
        """Run until everything but services has ended.

        Raises ComponentError (an ExceptionGroup for several) when a component failed. Ctrl-C, SIGTERM and SIGHUP
        stop in order and raise SystemExit(130, 143, 129); a second Ctrl-C stops at once.
        """
        import asyncio

        self._check_new()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise UsageError("an event loop runs in this thread already (Jupyter?): use `await run_async(...)`")
        with Signals(self) as signals:
            self._activate_first(parts)
            self._run_own_loop()
        signals.exit_if_signalled(self._errors)
        self._raise_errors()

    async def run_async(self, *parts: Part) -> None:
        """As `run`, inside the event loop that runs. Cancelling it stops the parts in order. Leaves signals alone."""
        import asyncio

        self._check_new()
        self._activate_first(parts)
        loop = asyncio.get_running_loop()
        with self._attached(loop):
            await self._until_done(self._start(loop))
        self._raise_errors()

    async def _until_done(self, done: asyncio.Future[None]) -> None:
        """Wait for the end of the run. Cancelled, stop the parts in order first; cancelled again, give them up."""
        import asyncio

        try:
            await asyncio.shield(done)  # a cancelled task cancels what it awaits: the run's own future must not be
        except asyncio.CancelledError:
            self.stop("cancelled")
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError:
                self._deadline_passed()
            for error in self._errors:
                log.error("while stopping: %s", error)
            raise

    def stop(self, reason: str = "stop()") -> None:
        """End all parts in order, the last activated first. Only from the scheduler's own thread."""
        if self.state != "running":
            return
        self.state = "stopping"
        self._deadline = self.call_at(self.time() + self.stop_deadline_s, self._deadline_passed)
        for part in tuple(self.parts):
            if part._parent not in self.parts:
                self.stop_part(part, reason)
        if not self.parts:
            self._finish()

    def call_from_thread(self, action: Callable[[], object]) -> bool:
        """Have `action` called in the scheduler's thread. False if the scheduler has ended."""
        loop = self.loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(self._posted, action)
        except RuntimeError:  # the loop has closed since
            return False
        return True

    def _posted(self, action: Callable[[], object]) -> None:
        """Call `action`, and run what it made ready in the same turn of the event loop."""
        had_turn_coming = self.awake
        self.awake = True
        try:
            action()
        except BaseException as exc:  # under run_async the loop, and its handler, are somebody else's
            self._kernel_failed(exc)
        if not had_turn_coming:
            self._slice()

    def call(self, action: Callable[[], T], timeout_s: float | None = None) -> T:
        """Have `action` called in the scheduler's thread, and return its result: from any thread, before the run too.

        Raises what it raises, TimeoutError after `timeout_s`, and UsageError when the run has ended.
        """
        if not self.running or threading.get_ident() == self.thread_id:
            return action()
        return self.ask(action, UsageError("this scheduler's run has ended"), timeout_s)

    def ask(self, action: Callable[[], T], over: BaseException, timeout_s: float | None = None) -> T:
        """As `call`, and only from another thread. Raises `over` when the run has ended."""
        from concurrent.futures import CancelledError, Future

        answer: Future[T] = Future()

        def ask() -> None:
            if not answer.set_running_or_notify_cancel():
                return  # the run has ended, and has answered
            try:
                answer.set_result(action())
            except BaseException as exc:
                answer.set_exception(exc)

        # What is posted to a loop that then closes is never called: the end of the run answers for it.
        self._unanswered[answer] = None
        try:
            if not self.call_from_thread(ask) or (self.state == "ended" and not answer.done()):
                raise over
            return answer.result(timeout_s)
        except CancelledError:
            raise over from None
        finally:
            self._unanswered.pop(answer, None)

    def when_ended(self, action: Callable[[], None]) -> None:
        """Have `action` called, in the scheduler's thread, when the run is over in whatever way. It must not raise."""
        self._when_ended[action] = None

    def no_longer_when_ended(self, action: Callable[[], None]) -> None:
        """The counterpart of `when_ended`; harmless if it was not to be called."""
        self._when_ended.pop(action, None)

    # -- with, async with, and a thread of its own

    def when_rewired(self, action: Callable[[], None]) -> None:
        """Call `action` once, soon, whenever links have changed or parts have started or ended."""
        self._when_rewired[action] = None

    def no_longer_when_rewired(self, action: Callable[[], None]) -> None:
        """Take that back."""
        self._when_rewired.pop(action, None)

    def _note_change(self) -> None:
        if self._when_rewired and not self._change_is_noted and self.state == "running":
            self._change_is_noted = True
            self.call_at(self._now_s(), self._tell_change)

    def _tell_change(self) -> None:
        self._change_is_noted = False
        for action in tuple(self._when_rewired):
            action()

    def start_in_thread(self, *parts: Part) -> None:
        """Run in a new thread; returns when the parts have been started. Raises what starting them raised."""
        self._check_new()
        self.activate(*parts)
        started = threading.Event()

        def background() -> None:
            try:
                self._run_own_loop(started.set)
                self._raise_errors()
            except BaseException as exc:
                self._background_error = exc
            finally:
                started.set()

        self.hold(self, "the block that uses it")
        self._thread = threading.Thread(target=background, name="axonlike-scheduler", daemon=True)
        self._thread.start()
        started.wait()
        if self._background_error is not None and not self._thread.is_alive():
            self.join()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread of `start_in_thread` to end, and raise what went wrong in it. False on time-out."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        error, self._background_error = self._background_error, None
        if error is not None:
            raise error
        return True

    def __enter__(self) -> Self:
        self.start_in_thread()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.call_from_thread(lambda: self.stop("end of the with block"))
        self.join()

    async def __aenter__(self) -> Self:
        import asyncio

        loop = asyncio.get_running_loop()
        started = loop.create_future()

        async def inside() -> None:
            with self._attached(loop):
                done = self._start(loop)
                started.set_result(None)
                await self._until_done(done)

        self._check_new()
        self.hold(self, "the block that uses it")
        self._task = asyncio.create_task(inside(), name="axonlike-scheduler")
        await asyncio.wait((started, self._task), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop("end of the async with block")
        assert self._task is not None
        await self._task
        self._raise_errors()

    # -- for parts: names, time, the world outside, ends

    def provide(self, kind: str, name: str, part: Part) -> None:
        """Register `part` under a name of its kind ("backplane", ...). Raises WiringError when the name is taken."""
        named = self._names.setdefault(kind, {})
        if named.setdefault(name, part) is not part:
            raise WiringError(f"there are two of {kind} {name!r}, {named[name].path} and {part.path}: rename one")

    def withdraw(self, kind: str, name: str, part: Part) -> None:
        """Take a name back, if it is this part's."""
        named = self._names.get(kind, {})
        if named.get(name) is part:
            del named[name]

    def lookup(self, kind: str, name: str, wanted_by: Part) -> Part:
        """The part of that name. Raises NameNotProvided, with the names that there are."""
        named = self._names.get(kind, {})
        try:
            return named[name]
        except KeyError:
            there_are = ", ".join(map(repr, sorted(named))) or "none; give one to run() too, or activate it"
            complaint = f"no {kind} {name!r}{did_you_mean(name, named)} (there are: {there_are})"
            raise NameNotProvided(complaint, wanted=name, wanted_by=wanted_by.path) from None

    def call_at(self, when_s: float, action: Callable[..., None], *argument: Any) -> Timer:
        """Have ``action(*argument)`` called at a time on `time()`'s clock."""
        timer = self._timers.add(when_s, action, *argument)
        if when_s < self._armed_s:
            self._arm(when_s)
        return timer

    def hold(self, key: object, why: str, idle: Callable[[], bool] = lambda: False) -> None:
        """Something outside (a thread, a socket, a future, a handle) may bring messages until `release(key)`.

        `idle` tells whether it cannot at this moment: a thread that itself waits for messages.
        """
        self._outside[key] = (why, idle)

    def release(self, key: object) -> None:
        """The counterpart of `hold`; harmless if it was not held."""
        if self._outside.pop(key, None) is not None and not self.awake:
            self.kick()

    @property
    def held_by(self) -> tuple[str, ...]:
        """What outside can bring messages now."""
        return tuple(why for why, idle in self._outside.values() if not idle())

    def _is_held(self) -> bool:
        """Can anything outside bring messages now? Asked at each idleness: the first that can is enough."""
        return any(not idle() for _why, idle in self._outside.values())

    def kick(self) -> None:
        """Schedule a slice, if none is."""
        if not self.awake and self.loop is not None:
            self.awake = True
            self.loop.call_soon(self._slice)

    def make_ready(self, part: Part, value: Any = None) -> None:
        """Give a part that waits its turn; `value` is what its yield returns."""
        if part._timer is not None:
            part._timer.cancel()
            part._timer = None
        part._turn.waiting = None
        part._state = _READY
        part._value = value
        self.ready.append(part._turn)
        if not self.awake:
            self.kick()

    def input_ended(self, part: Part) -> None:
        """End of input for a part (see `shutdown.REACTION`)."""
        work = [part]
        while work:  # a list, since parts may be nested deeper than Python calls
            part = work.pop()
            part._turn.input_ended = True
            for inbox in part._data:
                inbox.attention = True
            reaction = REACTION[part._state, Ending.FINISHED]
            if reaction is Reaction.THROW and self._waits_on_empty_boxes(part):
                self.throw(part, Finished())
            elif reaction is Reaction.CHILDREN:
                work.extend(child for child in reversed(part._children) if not child.has_producers())
            elif part._state is State.OUTSIDE:
                part.notice_end_of_input()

    def throw(self, part: Part, exc: BaseException, *, at_once: bool = False) -> None:
        """Raise `exc` at the yield where the part stands, at its next turn (`at_once`: full boxes do not delay it)."""
        body, feed = part._body, part._feed

        def resume(_value: Any) -> Any:
            part._resume = body.send
            if at_once:
                part._turn.feed = feed
            return body.throw(exc)

        part._resume = resume
        part._turn.rests_on = None
        if at_once:
            part._turn.feed = NO_FEED
        if part._state is not _READY:
            self._leave_waiters(part)
            self.make_ready(part)

    def stop_part(self, part: Part, reason: str = "stop()", *, stands: bool = True) -> None:
        """Shutdown for one part and its children (see `shutdown.REACTION`).

        stands: a part that is READY stands in the deque (False for the one whose step has just ended).
        """
        work: list[tuple[Part, bool]] = [(part, True)]
        while work:  # a list, since parts may be nested deeper than Python calls
            part, comes_in = work.pop()
            if not comes_in:
                self.hollow_part_may_end(part)
            elif self._close(part, reason, stands):
                work.append((part, False))
                # Children come after, so that they stand before their parent: what started last is closed first.
                work.extend((child, True) for child in reversed(part.stop_children(reason)))
            stands = True

    def _close(self, part: Part, reason: str, stands: bool) -> bool:
        """Begin to stop one part; True if what it is made of is to be stopped next."""
        if part is self.current:
            part._after = _StopAfterStep(part, reason, part._after)
            return False
        reaction = REACTION[part._state, Ending.SHUTDOWN]
        if reaction is Reaction.NOTHING or part._closing:
            return False
        part._closing = True
        if part not in self.parts:  # activated, but the run has not begun
            self._pending.pop(part, None)
            self._closing_quietly(part)
            return False
        if reaction is Reaction.CANCEL and part._state is State.FOREIGN:
            part._turn.feed = NO_FEED
            part._body.cancel(reason)
        elif reaction is not Reaction.CHILDREN:
            self._leave_waiters(part)
            part._turn.feed = NO_FEED
            twice = stands and part._state is _READY
            part._resume = self._closes(part, twice)
            self._to_the_front(part)
        return True

    def stop_after_step(self, part: Part, reason: str) -> None:
        """Shutdown for a part that stands in the deque, when its next step is over."""
        part._after = _StopAfterStep(part, reason, part._after)

    def _to_the_front(self, part: Part) -> None:
        part._turn.rests_on = None
        if part._timer is not None:
            part._timer.cancel()
            part._timer = None
        part._turn.waiting = None
        part._state = _READY
        self.ready.appendleft(part._turn)
        if not self.awake:
            self.kick()

    def part_ended(self, part: Part) -> None:
        """A body has ended, in whatever way: close the part's boxes and tell those who need to know."""
        if part._state is _ENDED:
            return
        self._end(part)
        # Its parent may have stood for it alone, and so on: a loop, since they may be nested deeper than Python calls.
        above = part._parent
        while above is not None and above._state is State.HOLLOW and not above._children:
            self._end(above)
            above = above._parent
        if not self.parts:
            self._finish()
        elif self._busy <= 0 and self.state == "running" and self not in self._outside:
            self.stop("all work is done")

    def _end(self, part: Part) -> None:
        self._leave_waiters(part)
        if part._timer is not None:
            part._timer.cancel()
            part._timer = None
        part._turn.waiting = None
        part._state = _ENDED
        part._resume = _gone
        part._turn.rests_on = None
        part._body = None
        after, part._after = part._after, None
        if after is not None:
            # It may have stopped itself in its very last step: then its children are to stop too.
            part._closing = part._closing or type(after) is _StopAfterStep
            after.settle()
        self._outside.pop(part, None)
        _tell_those_above(part)
        part.unlink_all(part._closing)
        if part._group is not None:
            part._group.members.discard(part)
            part._group = None
        self.parts.pop(part, None)
        if part._counts:
            self._busy -= 1
        for waiting in part._joined_by or ():
            self._rejoin(waiting)
        parent = part._parent
        if part._closing:
            for child in tuple(part._children):
                self.stop_part(child, "its parent was stopped")
        if parent is not None:
            parent.forget_child(part)
            parent.child_ended(part)
        else:
            self._root_names.free(part.name)
        self._note_change()

    def hollow_part_may_end(self, part: Part) -> None:
        """A part without a body ends with its last child."""
        if part._state is State.HOLLOW and not part._children:
            self.part_ended(part)

    def part_failed(self, part: Part, exc: BaseException) -> None:
        """A body raised `exc`: an ordinary end, a matter for its policy or a supervisor, or the end of the run."""
        import asyncio

        if isinstance(exc, Finished) or (part._closing and isinstance(exc, Stopped | asyncio.CancelledError)):
            self.part_ended(part)
            return
        if isinstance(exc, SystemExit | KeyboardInterrupt):
            self._errors.append(exc)
            self.part_ended(part)
            self.stop(type(exc).__name__)
            return
        if not part._closing and self.state == "running" and part.failed(exc):
            return
        error = part.describe_failure(exc)
        if not self._held_by_a_parent(part, error):
            self._errors.append(error)
            self.part_ended(part)
            self.stop(f"{part.path} failed")
        else:
            self.part_ended(part)

    def restart(self, part: Part, delay_s: float) -> None:
        """Call the part's main() again, now or after `delay_s`; boxes and links stay."""
        after, part._after = part._after, None
        if after is not None:
            after.settle()  # others may stand in line behind it; it may have stopped itself
            if part._closing:
                return
        # It may have failed outside its own step (a subscription in the publisher's): no second place in a line, then.
        self._leave_waiters(part)
        if part._state is _READY and part._turn in self.ready:
            self.ready.remove(part._turn)
        part._body = None
        part._turn.pausing = False
        part._turn.rests_on = None  # a fresh generator takes no value: what lies in its boxes, it looks for itself
        if delay_s > 0:
            part._state = State.BACKING_OFF
            part._timer = self.call_at(self.time() + delay_s, self._start_body, part)
        else:
            self._start_body(part)

    def log_failure(self, error: BaseException) -> None:
        """A failure that did not end the run: in the log it stands all the same."""
        log.error("%s", error)

    def _held_by_a_parent(self, part: Part, error: BaseException) -> bool:
        child, parent = part, part._parent
        while parent is not None:
            if parent.child_failed(child, error):
                return True
            child, parent = parent, parent._parent
        return False

    # -- the run

    def _activate_first(self, parts: Iterable[Part]) -> None:
        """What `run(...)` was given. If that cannot run, nothing stays behind for the next run."""
        try:
            self.activate(*parts)
        except BaseException:
            self.state = "ended"
            self._pending.clear()
            forget_default(self)
            raise

    def _check_new(self) -> None:
        if self.state == "ended":
            raise UsageError("this scheduler's run has ended: use a new one")
        if self.running:
            raise UsageError(
                "this scheduler runs already: activate() more parts in it, or give them one of their own "
                "(Scheduler().run(...), await Scheduler().run_async(...))"
            )

    def _run_own_loop(self, started: Callable[[], None] | None = None) -> None:
        import asyncio

        try:
            loop = self._loop_factory()
        except BaseException:
            self._is_over()
            raise
        try:
            asyncio.set_event_loop(loop)
            loop.set_exception_handler(self._loop_failed)
            with self._attached(loop):
                loop.call_soon(self._begin, started)
                self._done = loop.create_future()
                loop.run_until_complete(self._done)
        finally:
            try:
                _close_loop(loop)
            finally:
                asyncio.set_event_loop(None)
                self.loop = None

    def _begin(self, started: Callable[[], None] | None) -> None:
        assert self.loop is not None
        try:
            self._start(self.loop)
        except BaseException as exc:
            self._errors.append(exc)
            self.stop("could not start")
        if started is not None:
            started()

    @contextlib.contextmanager
    def _attached(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        import asyncio

        self.loop = loop
        # uvloop tells the time in milliseconds, as it was when its turn began: timers would fire too early by it.
        monotonic = type(loop).__module__.startswith("uvloop") or type(loop).time is asyncio.BaseEventLoop.time
        self._now_s = time.monotonic if monotonic else loop.time
        self.thread_id = threading.get_ident()
        with running_in_this_thread(self):
            try:
                self._alarm = Alarm(loop, self._timers_due, exact=monotonic)
                self._arm_for_next()
                yield
            finally:
                self._is_over()
                if self._alarm is not None:
                    self._alarm.close()
                    self._alarm = None
                if self._watchdog is not None:
                    self._watchdog.close()

    def _is_over(self) -> None:
        self.state = "ended"
        for answer in tuple(self._unanswered):
            answer.cancel()
        for action in tuple(self._when_ended):
            action()

    def _start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Admit what was activated; returns the future that is done when everything has ended."""
        if self._done is None:
            self._done = loop.create_future()
        self.state = "running"
        if self.watchdog_s is not None:
            switch = None if self.watchdog_exit_s is None else DeadMansSwitch(self.watchdog_exit_s)
            self._watchdog = Watchdog(self, self.watchdog_s, _report_hog, switch)
        if self.observe:
            from axonlike.observing import observe

            observe(self)
        pending, self._pending = self._pending, {}
        self.awake = False
        self._admit(pending)
        if self._interrupted_by:
            self.stop(self._interrupted_by)
        elif self._busy <= 0 and self not in self._outside:
            self.stop("nothing to do")
        return self._done

    def _finish(self) -> None:
        if self.state == "running" and self in self._outside:
            return  # a with block may still activate something
        self.state = "stopping"
        if self._deadline is not None:
            self._deadline.cancel()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _raise_errors(self) -> None:
        errors, self._errors = self._errors, []
        if not errors:
            return
        if len(errors) == 1:
            raise errors[0]
        if all(isinstance(e, Exception) for e in errors):
            raise ExceptionGroup(f"{len(errors)} components failed", [e for e in errors if isinstance(e, Exception)])
        raise BaseExceptionGroup(f"{len(errors)} components failed", errors)

    def _admit(self, roots: Iterable[Part]) -> None:
        """Start parts in phases, so that the order in which they were activated does not matter."""
        parts = list(_with_children(roots))
        admitted: list[Part] = []
        try:
            for part in parts:
                part._turn.scheduler = self
                self.parts[part] = None
                admitted.append(part)
                part._counts = not _serves(part)
                self._busy += part._counts
                part.provide(self)
            for part in parts:
                part.resolve(self)
        except BaseException:
            for part in reversed(admitted):
                self._closing_quietly(part)
            raise
        self._find_cycles(parts)
        for part in parts:
            if not part._closing:  # one that failed to start has stopped the others by now
                self._start_body(part)
        if self.state == "stopping":
            for part in parts:
                self.stop_part(part, "the scheduler is stopping")
        self._note_change()
        self.kick()

    def _closing_quietly(self, part: Part) -> None:
        """Take back a part that was activated or admitted but never started."""
        if self.parts.pop(part, part) is None:
            self._busy -= part._counts
        part._state = _ENDED
        part._resume = _gone
        _tell_those_above(part)
        part.unlink_all(True)
        if part._parent is not None:
            part._parent.forget_child(part)
        else:
            self._root_names.free(part.name)

    def _start_body(self, part: Part) -> None:
        part._timer = None
        self.slices += 1  # for the watchdog: a main() that is no generator does all its work here
        if self._watchdog is not None and self._watchdog.asleep:
            self._watchdog.wake()
        before, self._starting = self._starting, part
        try:
            resume = part.start()
        except BaseException as exc:
            self._starting = before
            self.part_failed(part, exc)
            return
        self._starting = before
        if part._state is _ENDED:
            return
        if resume is None:
            if part._state in (State.NEW, State.BACKING_OFF):
                part._state = State.HOLLOW
            self.hollow_part_may_end(part)
            return
        part._resume = resume
        self.make_ready(part)

    def _find_cycles(self, parts: Iterable[Part]) -> None:
        """Note the circles that newly linked parts are in."""
        for members in strongly_connected(parts, lambda part: part.consumers()):
            cycle = _Cycle(members)
            for member in members:
                if member._group is not None:
                    member._group.members.discard(member)
                member._group = cycle
            self._cycles.append(cycle)

    def rewired(self, part: Part) -> None:
        """Links of a running part have changed."""
        parts = [part]
        if part._group is not None:
            old = part._group
            parts += (member for member in old.members if member is not part)
            for member in parts:
                member._group = None
            old.members.clear()
        self._cycles = [cycle for cycle in self._cycles if cycle.members]
        self._find_cycles(parts)
        self._note_change()

    def _slice(self) -> None:
        self.slices += 1
        watchdog = self._watchdog
        if watchdog is not None and watchdog.asleep:
            watchdog.wake()
        try:
            self._run_ready()
        except BaseException as exc:  # a defect of the kernel, or KeyboardInterrupt between two steps
            self._slice_failed(exc)
        self._slice_over()

    def _slice_failed(self, exc: BaseException) -> None:
        self._current = None
        self._kernel_failed(exc)

    def _slice_over(self) -> None:
        if self.ready:
            self.awake = True
            assert self.loop is not None
            self.loop.call_soon(self._slice)
        else:
            self.awake = False
            self._idle()

    def _run_ready(self) -> None:
        ready = self.ready
        perf_counter = time.perf_counter
        began_s = looked_s = perf_counter()
        # The clock is read after 1, 2, 4, ... steps while steps are short, after each one when they are long.
        countdown = stride = 1
        while ready:
            countdown -= 1
            if not countdown:
                now_s = perf_counter()
                if now_s - began_s >= SLICE_S:
                    break
                stride = min(2 * stride, _LONGEST_STRIDE) if now_s - looked_s < SLICE_S / 8 else 1
                countdown, looked_s = stride, now_s
            turn = ready.popleft()
            resting = turn.rests_on
            if resting is not None:
                # It found its box empty when its last step was over. In a steady stream a message has come since:
                # it goes on without having been parked and woken. Otherwise it is parked now.
                if not resting.queue or resting.attention:
                    turn.rests_on = None
                    turn.parks = _PARKS
                    self._wait(turn.part, turn.why)
                    continue
                value = resting.name
            else:
                value = turn.value
            if turn.feed.full:
                turn.value = value
                self._current = None  # it was the turn before: a deadlock found here stops that one at once too
                self._block(turn.part)
                continue
            self._current = turn
            try:
                trap = turn.resume(value)
            except StopIteration:
                self._current = None
                self.part_ended(turn.part)
                continue
            except BaseException as exc:
                self._current = None
                self.part_failed(turn.part, exc)
                continue
            if turn.after is not None and self._settle(turn):
                continue
            if resting is not None:
                if trap is turn.why:
                    ready.append(turn)  # it goes on as before
                    continue
                turn.rests_on = None
            if type(trap) is not Wait:
                if not (trap is None or trap is True or (type(trap) is int and trap == 1)):
                    self._current = None
                    self._trap(turn.part, trap)
                    continue
                if not turn.pausing:
                    turn.value = None
                    ready.append(turn)
                    continue
                turn.pausing = False
                trap = PAUSE
            inbox = turn.only
            if (
                inbox is None
                or inbox.attention
                or not (trap.simple is inbox.name or trap.simple == "")
                or (inbox.queue and trap is PAUSE)
                or ((rest := inbox._rest) is not None and rest.__length_hint__())
            ):
                self._wait(turn.part, trap)
            elif inbox.queue:
                turn.value = inbox.name
                ready.append(turn)
            elif turn.parks:
                turn.parks -= 1
                turn.waiting = trap
                inbox.trip = 1
            else:
                turn.why = trap
                turn.rests_on = inbox
                ready.append(turn)
        self._current = None

    def _settle(self, turn: Turn) -> bool:
        """Settle what a step has left; True if its part was stopped by that and stands in the deque again."""
        after, turn.after = turn.after, None
        self._current = None
        part = turn.part
        closing = part._closing
        after.settle()
        if part._closing and not closing and part._stands is _READY:  # by itself, mostly
            turn.resume = self._closes(part, False)
            return True
        return False

    def _wait(self, part: Part, wait: Wait) -> None:
        """Park a part until one of the boxes holds something (at once, if one does) or the time is over."""
        if wait.boxes:
            try:
                inboxes: tuple[Inbox, ...] = tuple([part._inboxes.get(b) or part.open_inbox(b) for b in wait.boxes])
            except AxonlikeError as exc:
                self.throw(part, exc)
                self.ready.append(part._turn)
                return
        else:
            inboxes = part._data
        for inbox in inboxes:
            if inbox.queue is not inbox and (inbox.queue or inbox.depth):
                if wait is PAUSE:
                    # Left there on purpose? Then neither it came nor was the box read since the last pause.
                    mark = (inbox.taken, inbox.depth + inbox.dropped)
                    if mark == inbox.mark:
                        continue
                    inbox.mark = mark
                    part._value = None
                else:
                    part._value = inbox.name
                self.ready.append(part._turn)
                return
        if part._input_ended:
            self.throw(part, Finished())
            self.ready.append(part._turn)
            return
        if wait.timeout_s is not None:
            if wait.timeout_s <= 0:
                part._value = None
                self.ready.append(part._turn)
                return
            part._timer = self.call_at(self.time() + wait.timeout_s, self._timed_out, part)
        part._turn.waiting = wait
        for inbox in inboxes:
            inbox.trip = 1

    def _timed_out(self, part: Part) -> None:
        part._timer = None
        self.make_ready(part)

    def _waits_on_empty_boxes(self, part: Part) -> bool:
        boxes = part.waiting.boxes if part.waiting is not None else ()
        if not boxes:
            return True
        return not any(inbox.depth for inbox in part._data if inbox.name in boxes)

    def _trap(self, part: Part, trap: Any) -> None:
        """The rarer things that a body yields."""
        if type(trap) is Sleep:
            part._turn.why = trap
            part._stands = _SLEEPING
            when_s = self._now_s()
            if trap.seconds > 0:
                when_s += trap.seconds
            part._timer = self._timers.add(when_s, self._time_out, part)
            if when_s < self._armed_s:
                self._arm(when_s)
        elif isinstance(trap, (Room, Destination)):  # `yield self.send(...)` is a bare yield
            part._value = None
            self.ready.append(part._turn)
        elif isinstance(trap, Foreign):
            part._why = trap
            part._state = State.FOREIGN
            self.hold(part, f"{part.path} awaits something of asyncio's")
            trap.future.add_done_callback(lambda _future: self._future_done(part, trap))
        elif isinstance(trap, Join):
            part._why = trap
            part._state = State.JOINING
            for other in trap.components or tuple(part._children):
                if other._state is not _ENDED:
                    if other._joined_by is None:
                        other._joined_by = []
                    if part not in other._joined_by:  # it may wait with a time-out, again and again
                        other._joined_by.append(part)
            self._rejoin(part)
        elif trap is _LEAVE:
            part._state = State.STOPPING
        elif trap is _STANDS:
            part._value = None
        else:
            error = BadYield(
                f"{part.path} yielded {trap!r} ({type(trap).__name__}): yield nothing, self.wait(...), self.sleep(...) "
                "or self.join(...), and use `yield from` for a generator of your own"
            )
            self.throw(part, error)
            self.ready.append(part._turn)

    def _future_done(self, part: Part, trap: Foreign) -> None:
        # Cancelled when this was done already, it may await something else by now: that is not to be released.
        if part._state is State.FOREIGN and part._why is trap:
            self.release(part)
            self.make_ready(part)

    def _rejoin(self, part: Part) -> None:
        if part._state is State.JOINING and not any(
            other._state is not _ENDED for other in part._why.components or tuple(part._children)
        ):
            self.make_ready(part)

    def _block(self, part: Part) -> None:
        """Park a part before its step: a box that it feeds is full."""
        feed = part._feed
        inbox = feed.full if isinstance(feed, SeveralFeeds) else feed
        assert inbox is not None
        after, part._after = part._after, None
        waiters = inbox.waiters
        if waiters is None:
            waiters = inbox.waiters = deque()
        part._state = _BLOCKED
        part._why = inbox
        part._turn.rests_on = None
        if after is inbox or (type(after) is Several and inbox in after.parts):
            waiters.appendleft(part)  # it was let in, and another was quicker: it stays first in line
        else:
            waiters.append(part)
        if after is not None and after is not inbox:
            after.settle()
        self.look_for_circle(part, inbox)

    def look_for_circle(self, part: Part, inbox: Inbox) -> None:
        """A part waits for room in `inbox`: a Deadlock if its owner waits for room, and so on, back to the part."""
        circle = [inbox]
        owner: Any = inbox.owner
        while owner is not part and (following := owner.blocked_on()) is not None:
            if following.depth < following.limit:
                return  # its owner, a thread, has taken something and not come to say so
            circle.append(following)
            owner = following.owner
            if len(circle) > len(self.parts):
                return  # a circle that this part only leads into; it was named when it closed
        if owner is part:
            text = " -> ".join(f"{box.owner.path}.{box.name} ({box.depth} of {box.limit})" for box in circle)
            self._errors.append(
                Deadlock(
                    f"a circle of full boxes, so nobody can go on: {text}; "
                    "give one of them a larger limit or a policy that drops"
                )
            )
            self.stop("deadlock")

    def _leave_waiters(self, part: Part) -> None:
        if part._state is _BLOCKED:
            inbox: Inbox = part._why
            if inbox.waiters is not None:
                with contextlib.suppress(ValueError):
                    inbox.waiters.remove(part)

    def _closes(self, part: Part, twice: bool) -> Callable[[Any], Any]:
        return lambda _value: self._close_step(part, twice)

    def _close_step(self, part: Part, twice: bool) -> Any:
        """The last step of a part that was told to stop; `twice`: it stands in the deque once more."""
        # A generator or a coroutine runs in steps; what runs outside (it has no throw) says later that it has ended.
        in_steps = hasattr(part._body, "throw")
        part._resume = part._body.send if in_steps else _gone
        if part.close_body():
            raise StopIteration
        if in_steps:
            part._turn.pausing = False
            return _STANDS if twice else None
        return _LEAVE

    def _deadline_passed(self) -> None:
        """What has not stopped by now is given up, and named."""
        for part in tuple(self.parts):
            if part._state is _ENDED or part._state is State.HOLLOW:
                continue
            try:
                left = part.abandon()
            except Exception as exc:  # it must not keep the others from being given up
                left = f"abandon() raised {exc!r}"
            log.warning("%s did not stop within %g s: %s", part.path, self.stop_deadline_s, left)
            part._closing = True
            self.part_ended(part)
        for part in tuple(self.parts):
            self.part_ended(part)
        self._finish()

    # -- time and idleness

    def _arm(self, when_s: float) -> None:
        if self._alarm is not None:
            self._armed_s = when_s
            self._alarm.set(when_s)

    def _timers_due(self) -> None:
        self._armed_s = math.inf
        self._posted(self._call_due)

    def _call_due(self) -> None:
        try:
            self._timers.call_due(self.time())
        except BaseException as exc:
            self._kernel_failed(exc)
        self._arm_for_next()

    def _arm_for_next(self) -> None:
        due_s = self._timers.next_due_s()
        self._arm(math.inf if due_s is None else due_s)

    def _idle(self) -> None:
        """Nothing is ready: look whether anything ever can be."""
        if self._cycles:
            self._end_cycles()
        while not (self.ready or len(self._timers) or self._is_held()) and self.state == "running":
            waiting = [
                part for part in self.parts
                if part._counts and not part._input_ended and part._state in (_WAITING, State.OUTSIDE)
            ]  # fmt: skip
            if not waiting:
                break
            self.quiescences += 1
            # Those that nobody feeds come first: what they send at their end is to find its receivers waiting.
            for part in [part for part in waiting if not part.has_producers()] or waiting:
                self.input_ended(part)
        if self.ready or len(self._timers) or self._is_held() or self.state != "running" or not self.parts:
            return
        if blocked := [(part, box) for part in self.parts if (box := part.blocked_on()) is not None]:
            text = ", ".join(f"{p.path} waits for room in {box.owner.path}.{box.name}" for p, box in blocked[:10])
            self._errors.append(Deadlock(f"nothing can go on: {text}"))
        else:
            text = ", ".join(f"{p.path}: {p._state.value}" for p in tuple(self.parts)[:10])
            self._errors.append(AxonlikeError(f"nothing can happen any more, and nothing has ended: {text}"))
        self.stop("nothing can go on")

    def _end_cycles(self) -> None:
        self._cycles = [cycle for cycle in self._cycles if cycle.members]
        for cycle in self._cycles:
            if cycle.is_over():
                for member in [part for part in self.parts if part in cycle.members]:  # in an order that is the same
                    self.input_ended(member)

    # -- what goes wrong around the parts

    def _kernel_failed(self, exc: BaseException) -> None:
        self._errors.append(exc)
        if self.state == "running":
            self.stop("an error outside any component")
        elif isinstance(exc, KeyboardInterrupt):
            self._deadline_passed()

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        log.error("event loop: %s", context.get("message"), exc_info=exc)
        self._kernel_failed(exc or AxonlikeError(str(context.get("message"))))

    def interrupt(self, reason: str) -> None:
        """Begin an orderly stop from a signal handler, before the start of the run too."""
        self._interrupted_by = reason
        self.call_from_thread(lambda: self.stop(reason))

    def stop_at_once(self) -> None:
        """Give up what has not stopped, without waiting for the deadline."""
        self.call_from_thread(self._deadline_passed)


def _observe_by_environment() -> bool | str:
    asked = os.environ.get("AXONLIKE_OBSERVE", "")
    return asked == "1" or (asked if asked != "0" else False)


def _serves(part: Part) -> bool:
    """Is it, or something that it is a part of, a service?"""
    above: Part | None = part
    while above is not None:
        if above.service:
            return True
        above = above._parent
    return False


def _tell_those_above(part: Part) -> None:
    above = part._parent
    while above is not None:
        above.part_ending(part)
        above = above._parent


def _with_children(roots: Iterable[Part]) -> Iterator[Part]:
    """The parts and all below them, parents first, without recursion."""
    work = list(roots)
    work.reverse()
    while work:
        part = work.pop()
        yield part
        work.extend(reversed(part._children))


def _report_hog(path: str, seconds: float, stack: str, place: str) -> None:
    if place:  # the whole of it is told already
        log.warning("still held by %s for %.1f s at %s", path, seconds, place)
        return
    log.warning(
        "%s has held the scheduler for %.1f s: nothing else can run. Is there a yield in every loop? "
        "Yield more often, or make it a ThreadedComponent.\n%s",
        path,
        seconds,
        stack.rstrip("\n"),
    )


def _close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """As asyncio.run does: cancel what is left, wait for it, close."""
    import asyncio

    try:
        leftover = asyncio.all_tasks(loop)
        for task in leftover:
            task.cancel()
        if leftover:
            loop.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
