"""Talking to components from ordinary code: put into an inbox, get from an outbox, from any thread.

Theory of operation. A handle has a *port*, a component in the scheduler that is linked to the component it speaks with.
Calls never touch boxes: `put` appends to a deque and has the port send it on in the scheduler's thread; what reaches
the port's inboxes it moves to deques from which `get` takes. One lock guards these, and one condition wakes whoever
waits. Both directions hold back: the port moves on at most `limit` messages that nobody has got yet, and `put` waits
while the inbox is full.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from axonlike.box import Inbox, Sink
from axonlike.component import Component
from axonlike.defaults import default_scheduler
from axonlike.driven import Listening
from axonlike.errors import AxonlikeError, BoxEmpty, BoxFull, UsageError, WiringError
from axonlike.linkage import final_inbox
from axonlike.messages import ProducerFinished
from axonlike.scheduler import Scheduler
from axonlike.shutdown import State

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Handle", "HandleEmpty", "HandleEnded", "HandleFull"]


class HandleEmpty(BoxEmpty, TimeoutError):
    """Nothing came within the time that `get` was given."""

    code = "AX304"


class HandleFull(BoxFull, TimeoutError):
    """No room was made within the time that `put` was given."""

    code = "AX404"


class HandleEnded(AxonlikeError):
    """The component at the other side has ended (or the whole run has), or the handle was closed."""

    code = "AX305"


class Handle:
    """Ordinary code's end of a component, usable from any thread but the scheduler's own.

        with background(shout), Handle(shout) as handle:
            handle.put("hello")
            print(handle.get())

    A component that has not been activated is activated, in `scheduler` or in this thread's default one. While the
    handle is open it counts as a producer of the component, so that this does not meet end of input. What the component
    sends before the handle exists is not for the handle, and one that has ended raises HandleEnded at once.

    outboxes: those whose messages are kept for `get` from the start (others: from the first `get` on). What nobody gets
    fills the handle after `limit` messages and then holds the component back; a handle that only puts takes ``()``.

    What ends the run with an error is raised from `put` and `get` too; they never wait for a run that is over. In the
    thread that made the handle they wait `start_timeout_s` at most for one that has not begun (UsageError).
    """

    def __init__(
        self,
        component: Component,
        scheduler: Scheduler | None = None,
        *,
        outboxes: Iterable[str] = ("outbox",),
        limit: int = 1000,
        start_timeout_s: float = 2.0,
    ) -> None:
        given: Any = component
        if not isinstance(given, Component):
            hint = f": pass an instance, {given.__name__}(...)" if isinstance(given, type) else ""
            raise UsageError(f"a Handle is for a component, not {given!r}{hint}")
        if limit < 1:
            raise UsageError(f"Handle({component.path}): a limit is at least 1, not {limit!r}")
        self.component = component
        self.scheduler = scheduler or component.scheduler or default_scheduler()
        self.limit = limit
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._made_in = threading.get_ident()
        self._came: dict[str, deque[Any]] = {}
        self._over: set[str] = set()  # outboxes from which nothing more comes
        self._going: dict[str, deque[_Message]] = {}
        self._room_wanted: set[str] = set()
        self._wake_posted = False
        self._start_timeout_s = start_timeout_s
        self._started = False
        self._closed = False
        self._ended = False  # nothing more goes to the component
        self._run_error: BaseException | None = None
        self._port = _Port(self)
        self.scheduler.call(lambda: self._attach(tuple(outboxes)))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ended" if self._ended else "open"
        return f"<Handle of {self.component.path}: {state}>"

    # -- for the caller

    def put(self, message: Any, box: str = "inbox", timeout: float | None = None) -> None:
        """Send a message into one of the component's inboxes; waits while that is full.

        Raises HandleFull (a TimeoutError) after `timeout` seconds, HandleEnded when the component takes no more,
        BoxFull where the inbox's policy is "error", NoSuchBox, and what ended the run.
        """
        self._check_thread("put")
        if box not in self._going:
            self.scheduler.call(lambda: self._open_way_in(box))
        entry = _Message(message, self._port.refuses(box))
        with self._changed:
            if not self._changed.wait_for(lambda: self._takes_no_more() or self._finds_room(box), timeout):
                raise HandleFull(f"{self.component.path}.{box} had no room within {timeout:g} s")
            self._raise_if_over()
            if self._takes_no_more():
                raise HandleEnded(f"{self.component.path} takes no more: {self._why_not()}")
            self._going[box].append(entry)
            self._post()
            if entry.answer is not None:
                self._check_that_it_runs("put")
                self._changed.wait_for(lambda: entry.answer or self._ended)
                if isinstance(entry.answer, BaseException):
                    raise entry.answer

    def get(self, box: str = "outbox", timeout: float | None = None) -> Any:
        """The oldest message from one of the component's outboxes; waits for one.

        Raises HandleEmpty (a TimeoutError) after `timeout` seconds, HandleEnded when nothing more can come, WiringError
        if the outbox feeds something else, and what ended the run.
        """
        self._check_thread("get")
        came = self._came.get(box)
        if came is None:
            came = self.scheduler.call(lambda: self._open_way_out(box))
        with self._changed:
            if not came:
                self._check_that_it_runs("get")
            if not self._changed.wait_for(lambda: came or box in self._over, timeout):
                raise HandleEmpty(f"nothing came from {self.component.path}.{box} within {timeout:g} s")
            if came:
                message = came.popleft()
                if len(came) == self.limit // 2:
                    self._post()  # the port holds the rest back
                return message
            self._raise_if_over()
            raise HandleEnded(f"nothing more comes from {self.component.path}.{box}: {self._why_not()}")

    def __iter__(self) -> Iterator[Any]:
        """What comes from the outbox, until nothing more can come."""
        while True:
            try:
                message = self.get()
            except HandleEnded:
                return
            yield message

    def close(self) -> None:
        """End of input for the component, after what was put. `get` goes on until the component has ended."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._post()
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Closes it, and lets go of what nobody will get now."""
        self.close()
        if self.scheduler.running:
            self.scheduler.call_from_thread(self._port.let_go)

    # -- under the lock

    def _takes_no_more(self) -> bool:
        return self._closed or self._ended

    def _why_not(self) -> str:
        if self.scheduler.state == "ended":
            return "the run has ended"
        return "the component has ended" if self.component.ended or self._ended else "the handle is closed"

    def _raise_if_over(self) -> None:
        if self._run_error is not None:
            raise self._run_error

    def _finds_room(self, box: str) -> bool:
        way = self._port.way(box)
        under_way = len(self._going[box])
        if isinstance(way, Inbox) and way.policy == "block":
            room = way.depth + under_way < way.limit
        else:
            room = under_way < self.limit
        if not room and box not in self._room_wanted:
            self._check_that_it_runs("put")
            self._room_wanted.add(box)
            self._post()
        return room

    def _post(self) -> None:
        """Have the port look after the deques. Appended first: what it finds, it sends."""
        if not self._wake_posted and self.scheduler.loop is not None:
            self._wake_posted = self.scheduler.call_from_thread(self._port.look)

    def _check_thread(self, method: str) -> None:
        scheduler, here = self.scheduler, threading.get_ident()
        if scheduler.running and here == scheduler.thread_id:
            raise UsageError(
                f"Handle.{method}() was called in the scheduler's own thread, where it would wait for itself: "
                "use links there, or run the scheduler with background()"
            )

    def _check_that_it_runs(self, method: str) -> None:
        """Before waiting: most likely nobody starts the run while the thread in which all this was made waits."""
        if self._started or self._ended or threading.get_ident() != self._made_in:
            return
        if not self._changed.wait_for(lambda: self._started or self._ended, self._start_timeout_s):
            raise UsageError(
                f"Handle.{method}() would wait for ever: the scheduler of {self.component.path} does not run; "
                "write `with background(...):` around it"
            )

    # -- in the scheduler's thread

    def _attach(self, outboxes: tuple[str, ...]) -> None:
        component, port = self.component, self._port
        if self.scheduler.state == "ended" or component.ended:
            raise HandleEnded(f"{component.path} has ended: there is nothing to talk to")
        self._open_way_in("inbox")
        for box in outboxes:
            if component.wires().from_out.get(box) is None:
                self._open_way_out(box)
        above: Any = component
        while above._parent is not None:
            above = above._parent
        self.scheduler.when_ended(self._run_has_ended)
        self.scheduler.activate(port, above)

    def _open_way_in(self, box: str) -> None:
        if box in self._going or self._ended:
            self._going.setdefault(box, deque())
            return
        self.component.inbox_spec(box)
        self._port.add_outbox(_to(box))
        self._port.link((self._port, _to(box)), (self.component, box))
        self._going[box] = deque()

    def _open_way_out(self, box: str) -> deque[Any]:
        came = self._came.get(box)
        if came is not None:
            return came
        self.component.outbox_spec(box)
        came = self._came[box] = deque()
        if self._port.ended or self.component.ended:
            self._over.add(box)
            return came
        # What is kept is kept in the deque; the port's inbox is full as soon as that is.
        name = self._port.add_inbox(_from(box), limit=1)
        try:
            self.component.link((self.component, box), (self._port, name))
        except WiringError:
            del self._came[box]
            self._port.remove_inbox(name)
            raise
        return came

    def _run_has_ended(self) -> None:
        with self._changed:
            self._ended = True
            self._over.update(self._came)
            self._changed.notify_all()


class _Message:
    """What is on its way in. `answer` is there for boxes that may refuse: False, True, or the error."""

    __slots__ = ("answer", "message")

    def __init__(self, message: Any, may_be_refused: bool) -> None:
        self.message = message
        self.answer: bool | BaseException | None = False if may_be_refused else None


class _Port(Listening):
    """The handle's side in the scheduler. Its methods run in the scheduler's thread, all but `way` and `refuses`."""

    Inboxes: ClassVar[dict[str, Any]] = {}

    def __init__(self, handle: Handle) -> None:
        self.name = f"Handle({handle.component.name})"
        self._handle = handle
        self._inbox_specs_ = {"control": self._inbox_specs_["control"]}
        self._outbox_specs_ = {"signal": self._outbox_specs_["signal"]}
        self._in_line: set[str] = set()
        self._let_go = False
        self._said_end = False

    def way(self, box: str) -> Any:
        """Where messages for that inbox of the component go."""
        return self._links.get(_to(box))

    def refuses(self, box: str) -> bool:
        way = self.way(box)
        return isinstance(way, Inbox) and way.policy == "error"

    def start(self) -> None:
        assert self._scheduler is not None
        self._handle._started = True
        self._scheduler.hold(self, f"{self.path} is open", self._cannot_bring_anything)
        self.listen()
        self.look()

    def _cannot_bring_anything(self) -> bool:
        handle = self._handle
        return handle._closed and not any(handle._going.values()) and not any(inbox.full for inbox in self._data)

    # -- from the component

    def notify(self, inbox: Inbox) -> None:
        self._move_on(inbox)

    def _move_on(self, inbox: Inbox, *, all_of_it: bool = False) -> None:
        """Hand what has come to the handle, as far as it keeps more."""
        handle = self._handle
        came = handle._came.get(inbox.name.removeprefix(_from("")))
        if self._let_go or came is None:
            inbox.take_up_to(inbox.depth)
            return
        with handle._changed:
            room = inbox.depth if all_of_it else handle.limit - len(came)
            if room > 0 and inbox.depth:
                came.extend(inbox.take_up_to(room))
                handle._changed.notify_all()

    def let_go(self) -> None:
        """Nobody will get anything any more: hold nothing back."""
        self._let_go = True
        for inbox in tuple(self._data):
            for linkage in tuple(self.wires().to_in.get(inbox.name, ())):
                self.unlink(linkage)
            self._move_on(inbox)
        self.look()

    # -- to the component

    def look(self) -> None:
        """Send on what was put, let in what was held back, and end when all is done."""
        handle = self._handle
        with handle._changed:
            handle._wake_posted = False
        if self._state is not State.OUTSIDE:
            return
        for inbox in tuple(self._data):
            if inbox.depth:
                self._move_on(inbox)
        for box, going in tuple(handle._going.items()):
            self._send_on(box, going)
        if handle._closed and not any(handle._going.values()):
            self._say_end_of_input()
            if self._let_go or not self._data:
                self._end()
        with handle._changed:
            handle._changed.notify_all()

    def _send_on(self, box: str, going: deque[_Message]) -> None:
        while going and not self.way(box).full:
            entry = going[0]
            answer: bool | BaseException = True
            try:
                self.send(entry.message, _to(box))
            except AxonlikeError as exc:
                if entry.answer is None:
                    raise
                answer = exc
            if entry.answer is not None:
                entry.answer = answer
            going.popleft()
        inbox = self.way(box)
        if not inbox.full:
            self._handle._room_wanted.discard(box)
        elif (going or box in self._handle._room_wanted) and box not in self._in_line:
            if inbox.waiters is None:
                inbox.waiters = deque()
            self._in_line.add(box)
            inbox.waiters.append(_Line(lambda: self._room_at_last(box)))

    def _room_at_last(self, box: str) -> None:
        self._in_line.discard(box)
        self.look()

    def _say_end_of_input(self) -> None:
        if self._said_end:
            return
        self._said_end = True
        for linkage in tuple(self.wires().from_out.values()):
            self.unlink(linkage)
        component = self._handle.component
        owner, box = final_inbox(component, "control")
        if not component.ended and not owner.ended and not final_inbox(component, "inbox")[0].has_producers():
            owner._target(box).put(ProducerFinished(self.path))

    # -- ends

    def consumer_ended(self, outbox: str) -> None:
        """The component, or the part of it that took that inbox, has ended."""
        handle = self._handle
        if self.component_is_over():
            return
        with handle._changed:
            ended = all(isinstance(self.way(box), Sink) for box in handle._going)
            handle._ended = handle._ended or ended
            for going in handle._going.values():
                going.clear()
            handle._changed.notify_all()

    def notice_end_of_input(self) -> None:
        self.component_is_over()

    def component_is_over(self) -> bool:
        """Has the component ended? Then so does this, when it has handed on all there is."""
        if self._handle.component.ended:
            self._end()
            return True
        return False

    def _end(self) -> None:
        if self._scheduler is not None and self._state is not State.ENDED:
            self._scheduler.part_ended(self)

    def unlink_all(self, shut_down: bool) -> None:
        handle, scheduler = self._handle, self._scheduler
        for inbox in tuple(self._data):
            self._move_on(inbox, all_of_it=True)
        super().unlink_all(shut_down)
        if scheduler is not None:
            scheduler.no_longer_when_ended(handle._run_has_ended)
        with handle._changed:
            handle._ended = True
            handle._over.update(handle._came)
            if scheduler is not None and scheduler._errors:
                handle._run_error = _as_raised(scheduler._errors)
            handle._changed.notify_all()


class _Line:
    """Stands in a full inbox's line for a port."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action

    def unblock(self, inbox: Inbox) -> None:
        self.action()
        if not inbox.full and inbox.waiters:
            inbox.settle()


def _to(box: str) -> str:
    """The port's outbox that feeds that inbox of the component."""
    return f"to {box}"


def _from(box: str) -> str:
    """The port's inbox that is fed by that outbox of the component."""
    return f"from {box}"


def _as_raised(errors: list[BaseException]) -> BaseException:
    """These errors as `run()` raises them."""
    if len(errors) == 1:
        return errors[0]
    return BaseExceptionGroup(f"{len(errors)} components failed", list(errors))

