"""`check_component`: does a component keep the promises that every component makes?

It is public: run it on your own components, one call a class, with messages that the class understands.

    def test_lines_conforms():
        check_component(lambda: Lines(), messages=[b"one\\ntw", b"o\\n"])

Each scenario makes a fresh component, wires it to a Feeder and to Probes on all its outboxes, runs it (in virtual time
as far as no thread or socket is involved) and looks afterwards: did it end, in time, of the right cause; has every
message that was sent to it been accounted for; is any thread, task, descriptor or child left?
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from axonlike.clock import Virtual
from axonlike.component import Component
from axonlike.errors import ComponentError
from axonlike.linkage import final_inbox
from axonlike.messages import Shutdown
from axonlike.part import Part
from axonlike.scheduler import Scheduler
from axonlike.testing.leaks import LeakError, no_leaks
from axonlike.testing.parts import CRASH, PAUSE, Feeder, Probe, Stalled
from axonlike.testing.virtual import VirtualLoop

__all__ = ["NotConforming", "check_component"]

_FOR_EVER_S = 1e7
_BUSY_S = 0.1  # what polls and never rests is stopped all the same
_ENDLESS = 200_000  # a component that has sent so many messages and has not ended is taken for an endless one


class NotConforming(AssertionError):
    """A component broke a promise. The text names the component, the scenario, and what was seen."""


class _Deliberate(Exception):
    """What the scenario's own producer raises."""


class _Counting(Probe):
    """Says so when it has been sent so many messages as only an endless component sends."""

    too_many: Callable[[], None]

    def _keep(self, message: Any) -> None:
        super()._keep(message)
        if len(self.messages) == _ENDLESS:
            self.too_many()


def check_component(
    factory: Callable[[], Component],
    *,
    messages: Sequence[Any] = (),
    inbox: str = "inbox",
    ends: bool | None = None,
    takes_all: bool = True,
    companions: Callable[[], Iterable[Part]] = tuple,
    stop_at_s: float = 0.05,
    patience_s: float = 30.0,
    stop_deadline_s: float = 5.0,
    leak_grace_s: float = 2.0,
) -> None:
    """Raise NotConforming (an AssertionError) if the components that `factory` makes break a rule.

    messages: what a component is fed, through `inbox`; empty for a pure source. ends: does it end by itself once its
    input has ended (a source: once it is done)? By default yes, unless it is a service. takes_all: does it take all its
    input before it ends (not so for one like Head(3))? companions: makes other parts that have to run beside it (a
    Backplane). stop_at_s: when Shutdown comes in the scenarios that stop it; patience_s: how long it may take over its
    messages. Both count virtual seconds, or real ones while a thread or socket is in play; one that has sent 200 000
    messages at end of input and has not ended is called endless whatever the time. leak_grace_s: how long a
    thread or the like may take to go away after the run.

    The scenarios: made and dropped; stopped before its first step; fed until end of input; Shutdown while it waits,
    while it is fed, while all its outboxes are full, and on its control box; its producer crashes.
    """
    check = _Check(
        factory, tuple(messages), inbox, takes_all, companions, stop_at_s, patience_s, stop_deadline_s, leak_grace_s,
    )  # fmt: skip
    check.made_and_dropped()
    check.stopped_before_its_first_step()
    check.fed_until_end_of_input(ends)
    check.shutdown_while_waiting()
    check.shutdown_while_fed()
    check.shutdown_while_receivers_are_full()
    check.shutdown_on_control()
    check.producer_crashes()


class _Check:
    def __init__(
        self,
        factory: Callable[[], Component],
        messages: tuple[Any, ...],
        inbox: str,
        takes_all: bool,
        companions: Callable[[], Iterable[Part]],
        stop_at_s: float,
        patience_s: float,
        stop_deadline_s: float,
        leak_grace_s: float,
    ) -> None:
        self.factory = factory
        self.messages = messages
        self.inbox = inbox
        self.takes_all = takes_all
        self.companions = companions
        self.stop_at_s = stop_at_s
        self.patience_s = patience_s
        self.stop_deadline_s = stop_deadline_s
        self.leak_grace_s = leak_grace_s

    # -- the scenarios

    def made_and_dropped(self) -> None:
        with self.no_leaks("made and dropped"):
            first, second = self._make(), self._make()
            if first is second:
                raise NotConforming(f"{first.path}: the factory returned one component twice; make a new one each time")
            # A box that one instance gets must not show in another: Inboxes on a class is read, never edited.
            extra = first.add_inbox("only-in-the-first")
            if extra in second.inbox_names or extra in self._make().inbox_names:
                raise NotConforming(f"{first.path}: an inbox added to one instance appears in another")
            del first, second

    def stopped_before_its_first_step(self) -> None:
        run = self._run("stopped before its first step")
        run.feed(*self.messages, PAUSE(_FOR_EVER_S))
        run.go(stop_after_s=0.0)
        run.was_stopped()

    def fed_until_end_of_input(self, ends: bool | None) -> None:
        run = self._run("fed until end of input", receiver=_Counting)
        run.stop_when_too_much_comes()
        if ends is None:
            ends = not run.component.service
        if self.messages:
            run.feed(*self.messages)
        run.go(stop_after_s=self.patience_s if ends else self.stop_at_s)
        if not ends:
            run.was_stopped()
            return
        run.ended_by_itself()
        if self.takes_all:
            run.took_everything()

    def shutdown_while_waiting(self) -> None:
        run = self._run("Shutdown while it waits for input")
        run.feed(PAUSE(_FOR_EVER_S))
        run.go(stop_after_s=self.stop_at_s)
        run.was_stopped()

    def shutdown_while_fed(self) -> None:
        for part in (0.3, 1.0):
            run = self._run(f"Shutdown {part * self.stop_at_s:g} s into a stream")
            pause = PAUSE(self.stop_at_s / max(1, len(self.messages)))
            run.feed(*(item for message in self.messages for item in (message, pause)), PAUSE(_FOR_EVER_S))
            run.go(stop_after_s=part * self.stop_at_s)
            run.was_stopped()

    def shutdown_while_receivers_are_full(self) -> None:
        run = self._run("Shutdown while its receivers are full", receiver=Stalled)
        run.feed(*self.messages * 3, PAUSE(_FOR_EVER_S))
        run.go(stop_after_s=self.stop_at_s)
        run.was_stopped()

    def shutdown_on_control(self) -> None:
        run = self._run("Shutdown on its control box")
        run.feed(*self.messages, PAUSE(_FOR_EVER_S))
        teller = Feeder([PAUSE(self.stop_at_s), Shutdown("check_component")], name="teller")
        run.component.link((teller, "outbox"), (run.component, "control"))
        run.others.append(teller)
        run.go(stop_after_s=self.stop_at_s + self.stop_deadline_s)
        if run.stopped_by_scenario and not run.service:
            run.fail("it did not end")
        run.was_stopped()

    def producer_crashes(self) -> None:
        run = self._run("its producer crashes")
        # One that ends before it has taken everything has its producer stopped, which then has no time to crash.
        crash = _Deliberate("on purpose")
        run.feed(*(self.messages if self.takes_all else ()), CRASH(crash))
        try:
            run.go(stop_after_s=self.patience_s)
        except ComponentError as exc:
            if not isinstance(exc.cause, _Deliberate):
                raise
        else:
            # A source may be over before its producer's turn has come, which then is stopped and raises nothing.
            if crash.__traceback__ is not None:
                run.fail("the producer's exception did not come out of run()")
            if run.stopped_by_scenario:
                run.fail("its producer could not go on to where it crashes")
        run.was_stopped()

    # -- what they share

    def _make(self) -> Component:
        component = self.factory()
        if not isinstance(component, Component):
            raise NotConforming(f"the factory returned {component!r}, which is not a Component")
        return component

    @contextlib.contextmanager
    def no_leaks(self, scenario: str) -> Iterator[None]:
        try:
            with no_leaks(scenario, grace_s=self.leak_grace_s):
                yield
        except LeakError as exc:
            raise NotConforming(str(exc)) from None

    def _run(self, scenario: str, receiver: Callable[[], Component] = Probe) -> _Scenario:
        return _Scenario(self, scenario, receiver)


class _Scenario:
    """One component, wired up, run once, and looked at."""

    def __init__(self, check: _Check, name: str, receiver: Callable[[], Component]) -> None:
        self._check = check
        self.name = name
        self.state_at_stop = ""
        self.stopped_by_scenario = False
        self._endless = False
        self._leaks = check.no_leaks(name)
        self._leaks.__enter__()
        self._warnings = _Warnings()
        self.component = check._make()
        self.service = self.component.service
        self.others = [*check.companions()]
        self.feeder: Feeder | None = None
        self.receivers: dict[str, Component] = {}
        taken = self.component._wires.from_out if self.component._wires is not None else {}
        for box in self.component.outbox_names:
            if box != "signal" and box not in taken:
                self.receivers[box] = receiver()
                self.component.link((self.component, box), (self.receivers[box], "inbox"))

    def fail(self, what: str) -> None:
        state = f" (it {self.state_at_stop} when Shutdown came)" if self.state_at_stop else ""
        raise NotConforming(f"{self.component.path}: {self.name}: {what}{state}")

    def feed(self, *items: Any) -> None:
        self.feeder = Feeder(items)
        self.feeder.link((self.feeder, "outbox"), (self.component, self._check.inbox))
        owner, box = final_inbox(self.component, self._check.inbox)
        self._fed = owner.open_inbox(box)

    def stop_when_too_much_comes(self) -> None:
        """Bound the run by what the component sends: it may be such that virtual time passes slowly, or not at all."""
        for receiver in self.receivers.values():
            assert isinstance(receiver, _Counting)
            receiver.too_many = self._sent_too_much

    def _sent_too_much(self) -> None:
        self._endless = True
        self._stop()

    def go(self, stop_after_s: float) -> None:
        """Run, then look at everything that holds whatever the scenario was."""
        clock, loops = Virtual(), []

        def factory() -> VirtualLoop:
            loop = VirtualLoop(clock, busy_s=_BUSY_S)
            loop.call_at(stop_after_s, self._stop)
            loops.append(loop)
            return loop

        self._scheduler = Scheduler(loop_factory=factory, watchdog_s=None, stop_deadline_s=self._check.stop_deadline_s)
        parts = [*self.others, self.component, *self.receivers.values(), *([self.feeder] if self.feeder else ())]
        with self._warnings:
            try:
                self._scheduler.run(*parts)
            finally:
                self._look(loops)
        self._leaks.__exit__(None, None, None)

    def _stop(self) -> None:
        self.stopped_by_scenario = True
        self.state_at_stop = self.component._state.value
        self._scheduler.stop(self.name)

    def _look(self, loops: list[VirtualLoop]) -> None:
        if self._warnings.abandoned:
            self.fail(f"not stopped within {self._check.stop_deadline_s:g} s: {self._warnings.abandoned[0]}")
        if not self.component.ended:
            self.fail(f"it has not ended: it {self.component._state.value}")
        if left := [child.path for child in self.component.children]:
            self.fail(f"children are left: {', '.join(left)}")
        if loops and loops[0].left_over:
            self.fail(f"asyncio tasks are left: {'; '.join(loops[0].left_over)}")
        for box in self.component.statistics():
            if box.waiting_senders:
                self.fail(f"{box.waiting_senders} senders still wait for room in its {box.name}")
        self._every_message_is_accounted_for()

    def _every_message_is_accounted_for(self) -> None:
        feeder = self.feeder
        if feeder is not None:
            lost = feeder.lost_at_sending()
            gone = sum(count for boxes in lost.values() for count in boxes.values())
            offered = self._fed.offered
            if feeder.sent != offered + gone:
                self.fail(
                    f"{feeder.sent} messages were sent to it, but its {self._check.inbox} knows of {offered} "
                    f"and {gone} went to nobody"
                )
        for outbox, receiver in self.receivers.items():
            for box in receiver.statistics():
                if isinstance(receiver, Probe) and box.taken != len(receiver.messages):
                    self.fail(f"{box.taken} messages of its {outbox} were taken, {len(receiver.messages)} arrived")
                if box.depth:
                    self.fail(f"{box.depth} messages of its {outbox} lie in a box whose owner has ended")

    def was_stopped(self) -> None:
        """It ended because of the scenario; `_look` has seen that it did."""
        for outbox, receiver in self.receivers.items():
            if not receiver.ended:
                self.fail(f"what its {outbox} feeds has not ended")

    def ended_by_itself(self) -> None:
        if self._endless:
            self.fail(
                f"it sent {_ENDLESS} messages and did not end by itself (if it is not meant to, say ends=False; "
                "if it only has so much to send, give it less here)"
            )
        if self.stopped_by_scenario:
            self.fail(
                f"it did not end by itself within {self._check.patience_s:g} s (if it is not meant to, say ends=False)"
            )
        for outbox, receiver in self.receivers.items():
            if isinstance(receiver, Probe) and receiver.ended_by != "finished":
                self.fail(f"what its {outbox} feeds did not get end of input: {receiver.ended_by or 'it never ran'}")

    def took_everything(self) -> None:
        if self.feeder is None:
            return
        dealt_with = self._fed.taken + self._fed.dropped
        if dealt_with != len(self._check.messages):
            self.fail(
                f"it took {dealt_with} of {len(self._check.messages)} messages, then ended "
                "(if it is meant to end early, say takes_all=False)"
            )


class _Warnings(logging.Handler):
    """Listens to the toolkit's log for what had to be abandoned."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.abandoned: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "did not stop within" in text:
            self.abandoned.append(text)

    def __enter__(self) -> None:
        logging.getLogger("axonlike").addHandler(self)

    def __exit__(self, *_exc: object) -> None:
        logging.getLogger("axonlike").removeHandler(self)
