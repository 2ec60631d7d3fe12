"""Settings that can be changed while a component runs, by messages: ``{"threshold": 0.5, "front": "-"}``.

Blocks, devices and displays have it in common. A message changes all that it names, or nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import AxonlikeError, UsageError, did_you_mean, show_value
from axonlike.linkage import Box

__all__ = ["Changed", "Refused", "Settable"]

log = logging.getLogger("axonlike.settings")


@dataclass(frozen=True, slots=True)
class Changed:
    """On `status`: these settings have been changed."""

    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """On `status`: nothing of this message was taken over, and why."""

    settings: Any
    reason: str


class Settable(Component):
    """Base of components with settings. Name in `settings` the attributes that may be changed.

    A subclass checks values in properties of these names, raising UsageError or ValueError. Its `main` calls
    `take_settings` when a message is in the inbox `settings`. refused: how many messages were.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "settings": Box("changes: a dict of names and values", (dict, Mapping), aside=True)
    }
    Outboxes: ClassVar[dict[str, Any]] = {"status": "what was changed or refused, and what else is to be told"}

    settings: ClassVar[tuple[str, ...]] = ()
    refused: int = 0

    def change(self, **settings: Any) -> None:
        """Change settings, all of them or, if one is refused, none. Raises UsageError."""
        who = self.path
        for name in settings:
            if name not in self.settings:
                there_are = ", ".join(self.settings) or "none"
                raise UsageError(
                    f"{who}: there is no setting {name!r}{did_you_mean(name, self.settings)} (there are: {there_are})"
                )
        before = {name: getattr(self, name) for name in settings}
        done: list[str] = []
        try:
            for name, value in settings.items():
                setattr(self, name, value)
                done.append(name)
        except (AxonlikeError, ValueError, TypeError) as exc:
            for changed in reversed(done):
                setattr(self, changed, before[changed])
            if isinstance(exc, UsageError):
                raise
            raise UsageError(f"{who}: {name} cannot be {show_value(value)}: {exc}") from exc

    def take_settings(self) -> None:
        """Apply what lies in the inbox `settings`, and tell on `status` what became of it."""
        for message in self.inbox("settings"):
            if not isinstance(message, Mapping) or not all(isinstance(name, str) for name in message):
                self._refuse(
                    message, f"{self.path}: settings are a dict of names and values, not {show_value(message)}"
                )
                continue
            try:
                self.change(**message)
            except UsageError as exc:
                self._refuse(message, str(exc))
            else:
                self.send(Changed(dict(message)), "status")

    def _refuse(self, message: Any, reason: str) -> None:
        self.refused += 1
        log.warning("refused: %s", reason)
        self.send(Refused(message, reason), "status")
