"""Graphline: named components and any links between them, as a component of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from axonlike.chassis.hollow import Hollow
from axonlike.component import Component
from axonlike.errors import WiringError, did_you_mean

__all__ = ["Graphline"]

_ARROW = re.compile(r"->")


class Graphline(Hollow):
    """``Graphline(A=..., B=..., links="A -> B; A.error -> C")``, or Kamaelia's
    ``linkages={("A", "outbox"): ("B", "inbox")}``.

    In `links` a box that is not named is ``outbox`` before an arrow and ``inbox`` after it; ``a -> b -> c`` chains. An
    empty box name in `linkages` means the same. "self" stands for the graphline: as a source ``("self", "inbox")``
    passes in, as a sink a box of "self" passes out; boxes of "self" that do not exist are made for this one graphline.

    Each component is called by its key, whatever it called itself: in paths, errors, pictures and `axonlike tap`.

    Shutdown works by itself: what comes to its control goes to every component whose control nobody linked, and
    when all components have ended it sends ProducerFinished (or Shutdown) on its own signal. It ends with the last of
    them. Raises WiringError, with the names that there are, for any name that does not fit.
    """

    def __init__(
        self,
        linkages: Mapping[tuple[str, str], tuple[str, str]] | None = None,
        links: str = "",
        *,
        name: str = "",
        **components: Component,
    ) -> None:
        kind = type(self).__name__
        if isinstance(links, Mapping):
            raise WiringError(f"{kind}(links={links!r}): links is a text such as 'A -> B'; a dict is linkages={{...}}")
        for option, value in (("name", name), ("links", links)):
            if not isinstance(value, str):
                raise WiringError(f"{kind}({option}={value!r}): {option} is a text; give a component another name")
        if not isinstance(linkages, Mapping | None):
            raise WiringError(f'{kind}: linkages is {{("A", "outbox"): ("B", "inbox"), ...}}, not {linkages!r}')
        if name:
            self.name = name
        if not components:
            raise WiringError(f'{kind}() needs components: {kind}(A=..., B=..., links="A -> B")')
        self.components = components
        keys: dict[int, str] = {}
        for key, component in components.items():
            first = keys.setdefault(id(component), key)
            if first != key:
                raise WiringError(f"{self.path}: {first} and {key} are the same component; make a second one")
            # Names that components give themselves ("PublishTo(Events)") would hide those that the links go by.
            if isinstance(component, Component) and component._parent is None:
                component.name = key
            self.add_child(component)
        for source, sink in (*(linkages or {}).items(), *_parse(links, self.path)):
            self._link_named(source, sink)

    def _link_named(self, source: tuple[str, str], sink: tuple[str, str]) -> None:
        a, a_box = self._end(source, "outbox", "inbox")
        b, b_box = self._end(sink, "inbox", "outbox")
        if a is self and b is self:
            raise WiringError(f"{self.path}: ('self', {a_box!r}) cannot be linked to ('self', {b_box!r})")
        if a is self and a_box not in self._inbox_specs_:
            self.add_inbox(a_box)
        if b is self and b_box not in self._outbox_specs_:
            self.add_outbox(b_box)
        self.link((a, a_box), (b, b_box), passthrough="in" if a is self else "out" if b is self else None)

    def _end(self, end: Any, default: str, own_default: str) -> tuple[Component, str]:
        if not (isinstance(end, tuple) and len(end) == 2):
            raise WiringError(f"{self.path}: {end!r} is not an end of a link: write (\"NAME\", \"box\")")
        name, box = end
        if name == "self":
            return self, box or own_default
        if name not in self.components:
            known = (*self.components, "self")
            raise WiringError(
                f"{self.path}: no component {name!r}{did_you_mean(name, known)} (there are: {', '.join(known)})"
            )
        return self.components[name], box or default


def _parse(links: str, path: str) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """The links of a text like ``a -> b.tune; b.error -> c``."""
    for statement in filter(None, (part.strip() for part in re.split(r"[;\n]", links))):
        ends = [end.strip() for end in _ARROW.split(statement)]
        if len(ends) < 2 or not all(re.fullmatch(r"[\w-]+(\.[\w-]+)?", end) for end in ends):
            raise WiringError(f'{path}: cannot read the link {statement!r}: write "a -> b" or "a.box -> b.box"')
        pairs = [(name, box) for name, _, box in (end.partition(".") for end in ends)]
        for index, (source, sink) in enumerate(zip(pairs, pairs[1:], strict=False)):
            # In a chain a middle end's box is the one it takes; what it sends on is its outbox.
            yield (source if index == 0 else (source[0], "")), sink
