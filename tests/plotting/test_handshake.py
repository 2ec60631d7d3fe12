"""The proof that both know the token: pure bytes."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from axonlike.errors import UsageError
from axonlike.plotting.handshake import PlotSide, ViewerSide, checked_token, new_token

TOKEN = "a token of the tests".replace(" ", "-")


def test_both_sides_with_one_token_trust_each_other():
    plot, viewer = PlotSide(TOKEN), ViewerSide(TOKEN)
    reply = viewer.reply(plot.challenge)
    assert reply is not None
    answer = plot.answer(reply)
    assert answer is not None
    assert viewer.trusts(answer)


def test_the_proofs_are_those_of_the_description():
    nonces = b"p" * 32 + b"v" * 32
    plot, viewer = PlotSide(TOKEN, b"p" * 32), ViewerSide(TOKEN, b"v" * 32)
    of = {
        side: hmac.new(TOKEN.encode(), f"axonlike-plot-1 {side}\0".encode() + nonces, sha256).digest()
        for side in ("viewer", "plot")
    }
    assert viewer.reply(b"p" * 32) == b"v" * 32 + of["viewer"]
    assert plot.answer(b"v" * 32 + of["viewer"]) == of["plot"]


def test_another_token_is_refused():
    plot = PlotSide(TOKEN)
    reply = ViewerSide(TOKEN + "x").reply(plot.challenge)
    assert reply is not None
    assert plot.answer(reply) is None


def test_what_an_earlier_viewer_said_is_worth_nothing():
    earlier, now = PlotSide(TOKEN), PlotSide(TOKEN)
    reply = ViewerSide(TOKEN).reply(earlier.challenge)
    assert reply is not None
    assert earlier.answer(reply) is not None
    assert now.answer(reply) is None


def test_a_viewers_own_proof_sent_back_is_not_the_plots():
    viewer = ViewerSide(TOKEN)
    reply = viewer.reply(b"p" * 32)
    assert reply is not None
    assert not viewer.trusts(reply[32:])


@pytest.mark.parametrize("reply", [b"", b"x" * 32, b"x" * 63, b"x" * 64, b"x" * 65, b"x" * 4096])
def test_what_is_no_reply_is_refused(reply: bytes):
    assert PlotSide(TOKEN).answer(reply) is None


def test_a_proof_without_its_random_bytes_is_refused():
    plot = PlotSide(TOKEN)
    said = b"axonlike-plot-1 viewer\0" + plot.challenge
    assert plot.answer(hmac.digest(TOKEN.encode(), said, sha256)) is None


@pytest.mark.parametrize("challenge", [b"", b"x" * 31, b"x" * 33])
def test_a_viewer_answers_no_other_challenge(challenge: bytes):
    assert ViewerSide(TOKEN).reply(challenge) is None


def test_a_viewer_trusts_nothing_before_it_has_replied():
    assert not ViewerSide(TOKEN).trusts(b"")
    assert not ViewerSide(TOKEN).trusts(b"x" * 32)


def test_each_has_new_random_bytes():
    assert PlotSide(TOKEN).challenge != PlotSide(TOKEN).challenge
    assert len(PlotSide(TOKEN).challenge) == 32
    assert ViewerSide(TOKEN).reply(b"p" * 32) != ViewerSide(TOKEN).reply(b"p" * 32)


def test_a_new_token_is_a_good_one_and_another_each_time():
    assert checked_token(new_token())
    assert new_token() != new_token()


@pytest.mark.parametrize("token", ["", "short", "fifteen-letters", "sixteen and blanks", "a-new-line-in-it-\n-here"])
def test_a_token_that_is_guessed_or_mistyped_is_refused(token: str):
    with pytest.raises(UsageError, match="at least 16 characters and no blanks: leave it out"):
        checked_token(token)


def test_a_token_may_have_any_letters():
    token = "Ä" * 16
    plot, viewer = PlotSide(token), ViewerSide(token)
    reply = viewer.reply(plot.challenge)
    assert reply is not None
    assert plot.answer(reply) is not None
