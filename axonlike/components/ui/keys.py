"""Keys as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from axonlike.components.ui.keynames import Chord, name_of
from axonlike.components.ui.placing import Wish
from axonlike.components.ui.theme import Theme
from axonlike.components.ui.widget import Controls
from axonlike.errors import UsageError

__all__ = ["Keys"]


class Keys(Controls):
    """``Keys({"up": "faster", "ctrl+q": "end"})`` sends the message of each key that is pressed; it cannot be seen.

    Without a table it sends the name of every key. released: messages for keys that are let go. Keys are characters
    ("a", "?") or names: up, down, left, right, space, enter, escape, backspace, tab, home, end, pageup, f1, ...; with
    ctrl+, alt+ and shift+ before them. A key that is held repeats. What a TextBox takes while it has the focus does not
    come here. Raises UsageError for a name that no key has. It lives until the window is closed.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "nothing"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "what the table says, or the key's name"}

    def __init__(self, pressed: Mapping[str, Any] | None = None, *, released: Mapping[str, Any] | None = None) -> None:
        super().__init__(at="top")
        for table in (pressed, released):
            if table is not None and not isinstance(table, Mapping):
                raise UsageError(f'Keys takes a dict of keys and messages, {{"up": "faster"}}, not {table!r}')
        self._all = pressed is None and released is None
        self._pressed = self._parsed(pressed)
        self._released = self._parsed(released)

    def _parsed(self, table: Mapping[str, Any] | None) -> list[tuple[Chord, Any]]:
        return [(Chord.parse(key, self.pygame, "Keys"), message) for key, message in (table or {}).items()]

    def wish(self, theme: Theme) -> Wish:
        return Wish("top", 0, 0)

    def shortcut_pressed(self, event: Any) -> bool:
        if self._all:
            self.act(name_of(event, self.pygame))
            return False  # it listens to all of them, and takes none away
        return self._tell(self._pressed, event)

    def key_released(self, event: Any) -> None:
        self._tell(self._released, event)

    def _tell(self, table: list[tuple[Chord, Any]], event: Any) -> bool:
        for chord, message in table:
            if chord.matches(event, self.pygame):
                self.act(message)
                return True
        return False
