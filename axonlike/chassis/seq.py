"""Seq: components one after another in time, as a component of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from axonlike.chassis.slot import Slot, check_makers, made_by
from axonlike.component import Component
from axonlike.errors import WiringError
from axonlike.part import Part

__all__ = ["Seq"]


class Seq(Slot):
    """``Seq(a, b, c)``: a runs until it ends, then b, then c; whoever runs has the Seq's inbox and outbox.

    Each is a component, or a function (or class) that makes one when its turn comes. Messages that one has not taken
    are there for the next. A component that ends because of end of input leaves the same to its successors, so all get
    their turn. After the last one the Seq ends (ProducerFinished on its signal). Shutdown ends both it and
    the one that runs.
    """

    def __init__(self, *steps: Component | Callable[[], Component], name: str = "") -> None:
        if name:
            self.name = name
        if not steps:
            raise WiringError(f"{type(self).__name__}() needs components")
        check_makers(self, steps)
        for step in steps:
            if isinstance(step, Component):
                if step._parent is not None:
                    raise WiringError(f"{step.path} is part of {step._parent.path} already; make a second one")
                step._parent = self  # reserved, though it is added to the children in its turn only
        self._occupant = None
        self._passages = []
        self._failed = False
        self._to_come = deque(steps)
        self._next()

    def start(self) -> None:
        """Has no body: it stands as long as its components."""

    def keeps_input(self) -> bool:
        return bool(self._to_come) and not self._over

    @property
    def _over(self) -> bool:
        scheduler = self._scheduler
        return self._closing or self._failed or (scheduler is not None and scheduler.state == "stopping")

    def _next(self) -> None:
        self._occupy(made_by(self._to_come.popleft(), self))

    def child_failed(self, child: Part, error: BaseException) -> bool:
        self._failed = True
        return False

    def child_ended(self, child: Part) -> None:
        if child is not self._occupant:
            return
        self._vacate()
        if self._to_come and not self._over:
            try:
                self._next()
            except Exception as exc:
                self._fail(exc)
