"""How a plot and a viewer show each other that both know the token, without saying it.

First thing on the WebSocket, three binary messages, before anything of the plot is told:

1. plot -> viewer: 32 random bytes.
2. viewer -> plot: 32 random bytes of its own, and HMAC-SHA256(token, "axonlike-plot-1 viewer\\0" + both).
3. plot -> viewer: HMAC-SHA256(token, "axonlike-plot-1 plot\\0" + both).

The token never travels. The two proofs differ by their first words, so neither can be played back as the other, and by
the random bytes, so an old one is worth nothing. The plot answers only a viewer that has proved itself; a viewer draws
nothing of a plot that has not. What both say afterwards is not signed: against those who can change it on its way there
is TLS, without which a plot serves its own machine only.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

from axonlike.errors import UsageError

__all__ = [
    "BAD_MESSAGE",
    "HANDSHAKE_S",
    "NO_ROOM",
    "OTHER_VERSION",
    "PROTOCOL",
    "TOO_SLOW",
    "WRONG_TOKEN",
    "PlotSide",
    "ViewerSide",
    "checked_token",
    "new_token",
]

PROTOCOL: Final = "axonlike-plot-1"
"""The WebSocket's sub-protocol; another number is another version."""
HANDSHAKE_S: Final = 5.0

# How the plot closes a WebSocket (4000 to 4999 are for applications, RFC 6455 section 7.4.2).
BAD_MESSAGE: Final = 4400
WRONG_TOKEN: Final = 4401
OTHER_VERSION: Final = 4406
TOO_SLOW: Final = 4408
NO_ROOM: Final = 4429

_NONCE_BYTES: Final = 32
_PROOF_BYTES: Final = 32
_LEAST_CHARACTERS: Final = 16


def new_token() -> str:
    """192 random bits, in letters that a URL takes as they are."""
    return secrets.token_urlsafe(24)


def checked_token(token: str) -> str:
    """The token, if it is one that is not guessed. Raises UsageError.

    Whoever is asked for a proof, by a false plot too, can try tokens against it at home: so a short one is refused.
    """
    if not isinstance(token, str) or len(token) < _LEAST_CHARACTERS or not token.isprintable() or " " in token:
        raise UsageError(
            f"a token has at least {_LEAST_CHARACTERS} characters and no blanks: leave it out, and a new one is made, "
            "or take what `python -c 'import secrets; print(secrets.token_urlsafe(24))'` prints"
        )
    return token


def _proof(token: str, side: bytes, plots: bytes, viewers: bytes) -> bytes:
    said = PROTOCOL.encode() + b" " + side + b"\0" + plots + viewers
    return hmac.digest(token.encode("utf-8", "surrogatepass"), said, sha256)


class PlotSide:
    """The plot's part. challenge: the first message; `answer` makes the third of the second."""

    def __init__(self, token: str, nonce: bytes = b"") -> None:
        self._token = token
        self.challenge = nonce or secrets.token_bytes(_NONCE_BYTES)

    def answer(self, reply: bytes) -> bytes | None:
        """Our proof for a viewer that knows the token; None for any other."""
        viewers, proof = reply[:_NONCE_BYTES], reply[_NONCE_BYTES:]
        wanted = _proof(self._token, b"viewer", self.challenge, viewers)
        if len(viewers) != _NONCE_BYTES or not hmac.compare_digest(proof, wanted):
            return None
        return _proof(self._token, b"plot", self.challenge, viewers)


class ViewerSide:
    """The viewer's part: `reply` makes the second message of the first, `trusts` judges the third."""

    def __init__(self, token: str, nonce: bytes = b"") -> None:
        self._token = token
        self._nonce = nonce or secrets.token_bytes(_NONCE_BYTES)
        self._wanted = b""

    def reply(self, challenge: bytes) -> bytes | None:
        """Our bytes and proof; None for what is no challenge."""
        if len(challenge) != _NONCE_BYTES:
            return None
        self._wanted = _proof(self._token, b"plot", challenge, self._nonce)
        return self._nonce + _proof(self._token, b"viewer", challenge, self._nonce)

    def trusts(self, proof: bytes) -> bool:
        """Does the plot know the token?"""
        return len(proof) == _PROOF_BYTES and hmac.compare_digest(proof, self._wanted)
