"""What a person sees as one character is often several: a letter and its accent, an emoji and its skin, a flag."""

from __future__ import annotations

import unicodedata

__all__ = ["clings", "clusters", "is_unseen"]

_JOINER = "\u200d"
# Text from outside may be one letter with a thousand accents, or flags only: nobody shall pay for that.
_LONGEST = 32


def clings(text: str, place: int) -> bool:
    """Does the character at `place` belong to the one before it? (Unicode's UAX 29 says more, for scripts such as
    Hangul in single letters; this is the part that chats and logs have.)
    """
    if not 0 < place < len(text):
        return False
    character = text[place]
    if character.isascii():
        return False
    if text[place - 1] == _JOINER or character == _JOINER or _is_skin(character) or _is_tag(character):
        return True
    if _is_half_flag(character):
        first = place
        while first and place - first < _LONGEST and _is_half_flag(text[first - 1]):
            first -= 1
        return (place - first) % 2 == 1
    return unicodedata.category(character) in ("Mn", "Me", "Mc")


def clusters(text: str) -> list[str]:
    """The text in pieces that each look like one character."""
    pieces: list[str] = []
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or place - start == _LONGEST or not clings(text, place):
            pieces.append(text[start:place])
            start = place
    return pieces


def is_unseen(character: str) -> bool:
    """Does it only say how others are to be drawn? A font need not have it."""
    return character == _JOINER or "\ufe00" <= character <= "\ufe0f" or _is_tag(character)


def _is_skin(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _is_half_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"
