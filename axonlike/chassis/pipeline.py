"""Pipeline: components one after the other, as a component of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from axonlike.box import Policy
from axonlike.chassis.hollow import Hollow
from axonlike.component import Component
from axonlike.errors import UsageError, WiringError
from axonlike.here import UNUSED
from axonlike.linkage import Linkage

__all__ = ["Pipeline"]


class Pipeline(Hollow):
    """``Pipeline(a, b, c)``: a's outbox feeds b's inbox, b's feeds c's, and the same for signal and control.

    The first component's inbox and control, and the last one's outbox and signal, are the pipeline's own, so pipelines
    nest. ``a | b | c`` makes one too. It ends when all its components have.

    circular: the last outbox feeds the first inbox. limit, policy: for the inboxes between the components. name: how
    it appears in paths.
    """

    def __init__(
        self,
        *components: Component,
        circular: bool = False,
        limit: int | None = 1000,
        policy: Policy = "block",
        name: str = "",
    ) -> None:
        if name:
            self.name = name
        if not components:
            raise WiringError(f"{type(self).__name__}() needs components")
        if len({id(component) for component in components}) != len(components):
            raise WiringError(f"{self.path}: the same component stands in it twice; make a second one")
        self.add_child(*components)
        self._in_order = components
        self._joints: list[Linkage] = []
        joints = zip(components, (*components[1:], components[0]) if circular else components[1:], strict=False)
        for a, b in joints:
            self._join(a, b, limit, policy)
        if not circular:
            first, last = components[0], components[-1]
            self._joints += (
                self.link((self, "inbox"), (first, "inbox"), passthrough="in"),
                self.link((self, "control"), (first, "control"), passthrough="in"),
                self.link((last, "outbox"), (self, "outbox"), passthrough="out"),
                self.link((last, "signal"), (self, "signal"), passthrough="out"),
            )

    def _join(self, a: Component, b: Component, limit: int | None, policy: Policy) -> None:
        changed_limit: int | Literal["unchanged"] | None = "unchanged"
        changed_policy = None
        if (limit, policy) != (1000, "block"):
            changed_limit, changed_policy = limit, policy
        self._joints += (
            self.link((a, "outbox"), (b, "inbox"), limit=changed_limit, policy=changed_policy),
            self.link((a, "signal"), (b, "control")),
        )

    def hears_control(self) -> Sequence[Component]:
        # Asked in a circle, and when the first component has ended: it then runs along what is left.
        return [component for component in self._in_order if not component.ended][:1]


def _compose(left: Component, right: Component) -> Component:
    """What ``left | right`` is: a pipeline that ``|`` made and nobody has used is made one with what follows."""
    if isinstance(left, Piped):
        return Piped(*left.taken_apart(), right) if left.is_fresh() else Piped(left, right)
    return Piped(left, right)


class Piped(Pipeline):
    """A pipeline written as ``a | b | c``."""

    def __init__(self, *components: Component) -> None:
        super().__init__(*components, name="Pipeline")
        self._became_part = False

    def is_fresh(self) -> bool:
        """Has nobody linked it, activated it or made it a part of something?"""
        linked = set(self.wires().all()).difference(self._joints)
        return not linked and self._parent is None and self._scheduler is None and not self._became_part

    def taken_apart(self) -> tuple[Component, ...]:
        """Undo its own wiring; the components are free again, and it stands for nothing any more."""
        for linkage in self._joints:
            self.unlink(linkage)
        for component in self._in_order:
            component._parent = None
        self._children.clear()
        self._became_part = True
        UNUSED.pop(self, None)
        return self._in_order

    def start(self) -> None:
        if self._became_part:
            raise UsageError(f"{self.path}: its components went into a longer pipeline, written with `|`; run that one")


Component._compose = staticmethod(_compose)
