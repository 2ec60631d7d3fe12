"""Components whose main() blocks: it runs in a thread of its own, with the same boxes.

Theory of operation
-------------------
Inward: messages land in ordinary inboxes. The thread takes them from the deque itself (`popleft` is atomic). Before
it sleeps it sets `trip` to 1 and looks once more; a message put after that look meets the trip and wakes it. So no
wake-up is lost, and no lock is taken on the sender's side.

Outward: the thread appends (box, message) to a deque and, unless a wake is on its way already, posts one to the event
loop: append first, wake second, so one wake serves a whole batch. The scheduler's thread then sends what is there in
the ordinary way. A thread's `send` waits while the destination and what is under way to it fill the box's limit.

What must run in the scheduler's thread (letting senders in, arming a timer, linking) is posted there.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from threading import get_ident
from typing import Any, ClassVar

from axonlike.box import Inbox
from axonlike.component import Component
from axonlike.errors import BoxEmpty, Finished, Stopped, UsageError
from axonlike.here import running_in_this_thread
from axonlike.instruments import stack_of
from axonlike.part import SeveralFeeds
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State
from axonlike.speedups import install_thread
from axonlike.timers import Timer
from axonlike.waits import Wait

__all__ = ["ThreadedComponent"]

_ANY = Wait((), 0.0)  # never "simple", so that every message comes through `notify`
_UNDER_WAY = 1000  # messages on their way to boxes that never hold a sender back


class ThreadedComponent(Component):
    """A component whose `main` is an ordinary blocking function in a thread of its own.

    In it: `send` (waits while the receiver is full), `recv` (waits for a message), `data_ready`, `any_ready`, `pause`,
    `wait`, `sleep` - called plainly, never yielded - and ``for message in self.inbox():``, which takes what lies in the
    box. At end of input `Finished` is raised where it waits; after Shutdown, `Stopped`. Both end it in order when
    they are not caught. A call that blocks elsewhere (a driver) can be unblocked by overriding `interrupt`; if it has
    not returned at the deadline it is abandoned and named.
    """

    always_trips: ClassVar[bool] = True

    def main(self) -> Any:
        """What the thread does."""
        raise UsageError(f"{type(self).__name__} has no main(): write one (an ordinary function, without yield)")

    def interrupt(self) -> None:
        """Shutdown has come while the thread may block in a call of its own: make that call return.

        Called in the scheduler's thread; the default does nothing.
        """

    # -- life, in the scheduler's thread

    @property
    def _state(self) -> State:
        return self._stands  # for the scheduler a thread that waits is OUTSIDE like one that works

    @_state.setter
    def _state(self, state: State) -> None:
        self._stands = state

    def start(self) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        self._body = _Thread(self, scheduler)
        self._state = State.OUTSIDE
        scheduler.hold(self, f"{self.path} runs in a thread", self._body.waits_for_messages)
        self._body.begin()

    def close_body(self) -> bool:
        thread = self._body
        if thread is None or thread.over:
            return True
        thread.stop()
        self.interrupt()
        return False

    def abandon(self) -> str:
        thread = self._body
        return "nothing was left" if thread is None else f"its thread is still in:\n{thread.stack()}"

    def blocked_on(self) -> Inbox | None:
        return self._body.blocked_on() if self._body is not None else None

    def notify(self, inbox: Inbox) -> None:
        self.waiting = None
        if self._body is not None:
            self._body.wake()

    def notice_end_of_input(self) -> None:
        if self._body is not None:
            self._body.wake()

    def _in_thread(self) -> _Thread | None:
        """The thread's own side, when called from it; None in the scheduler's thread."""
        body = self._body
        return body if body is not None and body.ident == threading.get_ident() else None

    # -- the component's methods, for both threads

    def send(self, message: Any, box: str = "outbox") -> None:
        thread = self._body
        if thread is None or thread.ident != get_ident():
            super().send(message, box)
            return
        # All in one function: it runs for each message, and a thread that is woken for one finds its caches cold.
        if thread.stopped:
            raise Stopped
        outgoing = thread.outgoing
        link: Any = self._links.get(box)
        if link is None:
            self.outbox_spec(box)  # raises here, where the script's line is
        if outgoing:
            # What is under way counts as if it all went to this box: the limit is kept, at times a little early.
            if link is not None and link.policy == "block":
                if len(outgoing) + len(link.queue) >= link.limit:
                    thread.wait_for_room()
            elif len(outgoing) >= _UNDER_WAY:
                thread.wait_for_room()
        elif link is not None and link.full:
            thread.wait_for_room()
        # Append before waking: the scheduler takes what is there, then sleeps.
        outgoing.append((box, message))
        if not thread.posted:
            thread.post()

    def send_many(self, messages: Iterable[Any], box: str = "outbox") -> None:
        for message in messages:
            self.send(message, box)

    def recv(self, box: str = "inbox", timeout: float | None = None) -> Any:
        """Take the oldest message; waits for one. Raises BoxEmpty after `timeout` seconds, Finished, Stopped."""
        thread = self._in_thread()
        return super().recv(box) if thread is None else thread.recv(box, timeout)

    def data_ready(self, box: str = "inbox") -> int:
        inbox = self.inbox(box)
        return len(inbox)

    def any_ready(self) -> str | None:
        for inbox in self._data:
            if _holds_something(inbox):
                return inbox.name
        return None

    def pause(self, timeout: float | None = None) -> None:
        """Wait until a message arrives in any box, or for `timeout` seconds."""
        self._called_in_thread("pause").wait((), timeout)

    def wait(self, box: str | None = None, /, *more: str, timeout: float | None = None) -> Any:
        """Wait until one of the boxes holds a message; returns its name, or None after `timeout` seconds."""
        return self._called_in_thread("wait").wait((box, *more) if box is not None else (), timeout)

    def sleep(self, seconds: float) -> Any:
        """Wait for some time; raises Stopped when Shutdown comes."""
        return self._called_in_thread("sleep").sleep(seconds)

    def inbox(self, box: str = "inbox") -> Any:
        inbox = super().inbox(box)
        thread = self._in_thread()
        return inbox if thread is None else _ThreadsInbox(thread, inbox)

    def call_scheduler(self, action: Callable[[], Any]) -> Any:
        """Run `action` in the scheduler's thread and return its result: for linking and the like from main()."""
        return self._called_in_thread("call_scheduler").call(action)

    def ask_for_messages(self, wanted: bool) -> None:
        """From now on each message that comes is told to `notify` (or not any more).

        For subclasses whose thread waits by means of its own: ask, then look at the boxes, then wait.
        """
        self.waiting = _ANY if wanted else None

    @property
    def stopping(self) -> bool:
        """True once Shutdown has come: for loops that block elsewhere, with a time-out of their own."""
        body = self._body
        return body is None or body.stopped

    def _called_in_thread(self, method: str) -> _Thread:
        thread = self._in_thread()
        if thread is None:
            raise UsageError(f"{self.path}: {method}() is for main(), in the component's own thread")
        return thread


class _Thread:
    """The thread of one component: all that both sides touch."""

    __slots__ = (
        "_bell",
        "_failure",
        "_heard",
        "_listens",
        "_post",
        "_room_wanted",
        "_rung",
        "_settles_asked",
        "_settles_done",
        "component",
        "ident",
        "idle",
        "outgoing",
        "over",
        "posted",
        "scheduler",
        "stopped",
    )

    def __init__(self, component: ThreadedComponent, scheduler: Scheduler) -> None:
        self.component = component
        self.scheduler = scheduler
        self.stopped = False
        self.over = False
        self.idle = False  # it waits for messages, without a time-out
        self._listens = False  # it is about to wait for the bell, or does
        # The bell's strokes, counted by one side each: a thread that was rung for works, even before it has got the
        # interpreter to say so. Without this the scheduler could end the run with a message on its way to the thread.
        self._rung = 0
        self._heard = 0
        self.ident: int | None = None
        # Room that it has made in a full box and that the senders have not been told of yet: asked here, done in the
        # scheduler's thread. Until then those senders are not blocked for good, though the thread rests.
        self._settles_asked = 0
        self._settles_done = 0
        self.outgoing: deque[tuple[str, Any]] = deque()
        self.posted = False
        self._failure: BaseException | None = None  # what sending its messages raised, in the scheduler's thread
        assert scheduler.loop is not None
        self._post = functools.partial(scheduler.loop.call_soon_threadsafe, self._pump_and_run)
        self._bell = threading.Semaphore(0)
        self._room_wanted = False

    # -- called in the scheduler's thread

    def begin(self) -> None:
        thread = threading.Thread(target=self._run, name=f"axonlike:{self.component.path}", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:
            raise UsageError(
                f"{self.component.path}: cannot start its thread: {exc} (too many threads, or too little memory)"
            ) from exc

    def stop(self) -> None:
        self.stopped = True
        self.wake()

    def wake(self) -> None:
        self.idle = False
        self._rung += 1
        self._bell.release()

    def waits_for_messages(self) -> bool:
        return (
            self.idle and self._rung == self._heard and not self.outgoing and self._settles_asked == self._settles_done
        )

    def rests(self) -> bool:
        """It waits for messages, a time or room: nothing comes from it before the scheduler's thread rings."""
        return self._listens and self._rung == self._heard

    def stack(self) -> str:
        return stack_of(self.ident) if self.ident is not None else "  (not started)\n"

    def _pump_and_run(self) -> None:
        """Send what the thread has handed over, and run what that made ready in the same turn of the event loop."""
        self.scheduler._posted(self._pump)

    def _pump(self) -> None:
        """Send what the thread has handed over. Clears the mark first: what is appended from now on posts anew."""
        self.posted = False
        component, outgoing = self.component, self.outgoing
        if component._stands is State.ENDED:
            outgoing.clear()
            return
        popleft = outgoing.popleft
        try:
            while number := len(outgoing):
                if number == 1:
                    box, message = popleft()
                    Component.send(component, message, box)
                    continue
                taken = [popleft() for _ in range(number)]
                box = taken[0][0]
                run = [message for name, message in taken if name == box]
                if len(run) == number:
                    Component.send_many(component, run, box)
                else:
                    for box, entries in groupby(taken, itemgetter(0)):
                        Component.send_many(component, [message for _, message in entries], box)
        except BaseException as exc:
            self._pump_failed(exc)
            return
        if self._room_wanted:
            self._ring_when_room()

    def _pump_failed(self, exc: BaseException) -> None:
        component = self.component
        self.outgoing.clear()
        self.stop()
        self._failure = exc
        if component.on_error == "stop":
            self.scheduler.part_failed(component, exc)
        else:
            component.interrupt()  # main() is called again, in a new thread, once this one has ended

    def _ring_when_room(self) -> None:
        """The thread waits in `send`: ring when no box that it feeds is full."""
        inbox = self._full_feed()
        if inbox is None:
            self._room_wanted = False
            self.wake()
            return
        if inbox.waiters is None:
            inbox.waiters = deque()
        if self not in inbox.waiters:
            inbox.waiters.append(self)
            self.scheduler.look_for_circle(self.component, inbox)

    def _settle(self, inbox: Inbox) -> None:
        self._settles_done += 1
        inbox.settle()

    def blocked_on(self) -> Inbox | None:
        """The full box for whose room `send` waits."""
        return self._full_feed() if self._room_wanted else None

    def _full_feed(self) -> Inbox | None:
        feed = self.component._feed
        return feed.full if isinstance(feed, SeveralFeeds) else feed if feed.full else None

    def unblock(self, inbox: Inbox) -> None:
        """There is room in a box for which `send` waits."""
        self._ring_when_room()
        if not inbox.full and inbox.waiters:
            inbox.settle()

    def _ended(self, exc: BaseException | None) -> None:
        self._pump()
        self.over = True
        component, scheduler = self.component, self.scheduler
        if component._state is State.ENDED:
            return
        exc = self._failure or exc
        if exc is None or isinstance(exc, Stopped):
            scheduler.part_ended(component)
        else:
            scheduler.part_failed(component, exc)

    # -- called in the component's thread

    def _run(self) -> None:
        self.ident = threading.get_ident()
        # If main() is abandoned in input(), Python ends while this thread holds standard input's lock, and aborts when
        # it closes that. It does not close what is still referred to, and the frame of an abandoned thread stays.
        standard_input = sys.stdin  # noqa: F841
        failure: BaseException | None = None
        try:
            with running_in_this_thread(self.scheduler):
                result: Any = self.component.main()
                if result is not None:
                    hint = " (it has a yield in it: use Component)" if hasattr(result, "__next__") else ""
                    raise UsageError(f"main() of {self.component.path} returned {result!r}{hint}: a thread's just runs")
        except (Finished, Stopped):
            pass
        except BaseException as exc:
            failure = exc
        finally:
            self.over = True
            self.scheduler.call_from_thread(lambda: self._ended(failure))

    def _check(self) -> None:
        if self.stopped:
            raise Stopped

    def _rest(self, until_s: float | None = None) -> bool:
        """Sleep until the bell rings; False when `until_s` on the scheduler's clock came first."""
        if until_s is None:
            self.idle = True
            # A scheduler that sleeps has looked before we were idle: have it look again, this may be the end.
            if not self.scheduler.awake:
                self.scheduler.call_from_thread(self.scheduler.kick)
            self._listen()
            self.idle = False
            return True
        due: list[bool] = []
        timer: list[Timer] = []

        def ring() -> None:
            due.append(True)
            self.wake()

        self.scheduler.call_from_thread(lambda: timer.append(self.scheduler.call_at(until_s, ring)))
        self._listen()
        if due:
            return False
        self.scheduler.call_from_thread(lambda: timer[0].cancel())
        return True

    def _listen(self) -> None:
        """Wait for one stroke of the bell. Whatever the scheduler's thread is to know has been posted before."""
        self._listens = True
        self._bell.acquire()
        self._listens = False
        self._heard += 1

    def wait_for_room(self) -> None:
        """Rest until all that was handed over has been sent, and no box that is fed is full."""
        self._room_wanted = True
        self.post()
        while self._room_wanted:
            self._listen()
            self._check()

    def post(self) -> None:
        """Have what was handed over sent."""
        self.posted = True
        try:
            self._post()
        except RuntimeError:  # the loop has closed since
            raise Stopped from None

    def take(self, inbox: Inbox) -> Any:
        """The oldest message. Raises IndexError."""
        if inbox.queue is inbox:
            raise IndexError
        inbox.last = message = inbox.queue.popleft()
        inbox.count_taken(1)
        self.component._last = inbox
        if inbox.full and len(inbox.queue) < inbox.limit:
            self._ask_to_settle(inbox)
        return message

    def _ask_to_settle(self, inbox: Inbox) -> None:
        self._settles_asked += 1
        self.scheduler.call_from_thread(lambda: self._settle(inbox))

    def recv(self, box: str, timeout_s: float | None) -> Any:
        inbox = self.component.open_inbox(box)
        while True:
            self._check()
            try:
                return self.take(inbox)
            except IndexError:
                pass
            if self.wait((box,), timeout_s) is None:
                raise BoxEmpty(f"{self.component.path}: nothing came into {box!r} within {timeout_s:g} s")

    def wait(self, boxes: tuple[str, ...], timeout_s: float | None) -> str | None:
        component = self.component
        names = boxes or tuple(n for n in component._inbox_specs_ if n != "control" or component._takes_control)
        inboxes = [component.open_inbox(name) for name in names]
        until_s = None if timeout_s is None else self.scheduler.time() + timeout_s
        try:
            while True:
                self._check()
                # Ask to be woken before looking: what is put after the look rings the bell.
                component.ask_for_messages(True)
                for inbox in inboxes:
                    if _holds_something(inbox):
                        return inbox.name
                    if inbox.full:
                        self._ask_to_settle(inbox)
                if component.input_ended and not any(map(_holds_something, inboxes)):
                    raise Finished
                if not self._rest(until_s):
                    self._check()
                    return None
        finally:
            component.ask_for_messages(False)

    def sleep(self, seconds: float) -> None:
        until_s = self.scheduler.time() + seconds
        self._check()
        while self.scheduler.time() < until_s:
            arrived = not self._rest(until_s)
            self._check()
            if arrived:
                return

    def call(self, action: Callable[[], Any]) -> Any:
        self._check()
        return self.scheduler.ask(action, Stopped())


def _holds_something(inbox: Inbox) -> bool:
    return inbox.queue is not inbox and bool(inbox.queue)


class _ThreadsInbox:
    """An inbox as the component's thread sees it."""

    __slots__ = ("_inbox", "_thread")

    def __init__(self, thread: _Thread, inbox: Inbox) -> None:
        self._thread, self._inbox = thread, inbox

    def __len__(self) -> int:
        return self._inbox.depth

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self._inbox.depth):
            try:
                yield self._thread.take(self._inbox)
            except IndexError:
                return


install_thread(ThreadedComponent, _Thread, State.ENDED, _UNDER_WAY)
