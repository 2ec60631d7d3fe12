"""Pipeline: components one after the other, as a component of its own."""

from __future__ import annotations

from axonlike.box import Policy
from axonlike.component import Component
from axonlike.errors import WiringError

__all__ = ["Pipeline"]


class Pipeline(Component):
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
        self.add_child(*components)
        if len(self._children) != len(components):
            raise WiringError(f"{self.path}: the same component stands in it twice; make a second one")
        changed = (limit, policy) != (1000, "block")
        for a, b in zip(components, components[1:], strict=False):
            self._join(a, b, limit if changed else "unchanged", policy if changed else None)
        first, last = components[0], components[-1]
        if circular:
            self._join(last, first, limit if changed else "unchanged", policy if changed else None)
            return
        self.link((self, "inbox"), (first, "inbox"), passthrough="in")
        self.link((self, "control"), (first, "control"), passthrough="in")
        self.link((last, "outbox"), (self, "outbox"), passthrough="out")
        self.link((last, "signal"), (self, "signal"), passthrough="out")

    def _join(self, a: Component, b: Component, limit: object, policy: Policy | None) -> None:
        self.link((a, "outbox"), (b, "inbox"), limit=limit, policy=policy)  # type: ignore[arg-type]
        self.link((a, "signal"), (b, "control"))

    def start(self) -> None:
        """Has no body: it stands as long as its components."""


def _compose(left: Component, right: Component) -> Component:
    """What ``left | right`` is: the pipelines that ``|`` made are taken apart and joined to one."""
    if isinstance(left, Piped):
        return Piped(*left.taken_apart(), right)
    return Piped(left, right)


class Piped(Pipeline):
    """A pipeline written as ``a | b | c``."""

    def __init__(self, *components: Component) -> None:
        super().__init__(*components, name="Pipeline")
        self._written = components

    def taken_apart(self) -> tuple[Component, ...]:
        """Undo the wiring; the components are free again."""
        for component in self._written:
            for linkage in tuple(component.wires().all()):
                self.unlink(linkage)
            component._parent = None
        self._children.clear()
        return self._written


Component._compose = staticmethod(_compose)
