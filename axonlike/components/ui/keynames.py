"""Keys by name: "a", "up", "f5", "ctrl+s", "?"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from axonlike.errors import UsageError, did_you_mean

__all__ = ["Chord", "name_of"]

_MODIFIERS = {"ctrl": "ctrl", "control": "ctrl", "shift": "shift", "alt": "alt"}
_ALSO = {
    "enter": "return", "esc": "escape", "page up": "pageup", "page down": "pagedown", "del": "delete",
    "ins": "insert", "spacebar": "space",
}  # fmt: skip


def _codes(pygame: Any) -> dict[str, int]:
    return {name[2:].lower(): getattr(pygame, name) for name in dir(pygame) if name.startswith("K_")}


@dataclass(frozen=True, slots=True)
class Chord:
    """A key, with the modifiers that are held with it."""

    name: str
    code: int | None
    """pygame's; None where only the character counts, wherever the keyboard has it."""
    ctrl: bool = False
    shift: bool = False
    alt: bool = False

    @classmethod
    def parse(cls, text: str, pygame: Any, who: str) -> Chord:
        """Raises UsageError for a name that no key has."""
        given: object = text
        if not isinstance(given, str) or not text:
            raise UsageError(f'{who}: a key is a name such as "a", "up", "f5" or "ctrl+s", not {text!r}')
        *modifiers, name = text.split("+") if len(text) > 1 and not text.endswith("+") else [text]
        held = set()
        for word in modifiers:
            modifier = _MODIFIERS.get(word.strip().lower())
            if modifier is None:
                raise UsageError(
                    f"{who}: {word!r} in {text!r} is no modifier{did_you_mean(word, _MODIFIERS)} "
                    "(there are: ctrl, shift, alt)"
                )
            held.add(modifier)
        name = name.strip().lower() if len(name) > 1 else name
        wanted = _ALSO.get(name, name)
        # pygame writes letters small and all else large.
        code = getattr(pygame, f"K_{wanted.lower()}", getattr(pygame, f"K_{wanted.upper()}", None))
        if code is None and (len(name) != 1 or held):
            known = [*_codes(pygame), *_ALSO]
            raise UsageError(f"{who}: no key is called {name!r}{did_you_mean(name, known)}")
        return cls(name, code, "ctrl" in held, "shift" in held, "alt" in held)

    def matches(self, event: Any, pygame: Any) -> bool:
        """Is this key event of pygame's the chord?"""
        ctrl, alt = bool(event.mod & pygame.KMOD_CTRL), bool(event.mod & pygame.KMOD_LALT)
        if (ctrl, alt) != (self.ctrl, self.alt):
            return False
        if len(self.name) == 1 and not self.shift and getattr(event, "unicode", "") == self.name:
            return True
        return event.key == self.code and bool(event.mod & pygame.KMOD_SHIFT) == self.shift


def name_of(event: Any, pygame: Any) -> str:
    """What a chord of this event would be called."""
    held = [
        word
        for word, mask in (("ctrl", pygame.KMOD_CTRL), ("alt", pygame.KMOD_LALT), ("shift", pygame.KMOD_SHIFT))
        if event.mod & mask
    ]
    character = getattr(event, "unicode", "")
    if len(character) == 1 and character.isprintable() and not character.isspace() and not {"ctrl", "alt"} & set(held):
        return character
    return "+".join([*held, pygame.key.name(event.key) or f"key {event.key}"])
