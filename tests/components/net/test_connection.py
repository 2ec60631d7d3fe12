"""The parts of a connection by themselves: one block for all that waits, and the bound on all clients together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Scheduler
from axonlike.components.net.connection import BlockEncoder, ClientBuffers, SendLimits, address_text
from axonlike.streams.framing import encode_line, framing

lines = st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.just("a\n"), st.just(""), st.binary()), min_size=1)


@given(lines)
def test_a_block_of_lines_is_what_its_lines_are_one_by_one(messages: list[Any]) -> None:
    encoder = BlockEncoder(framing("lines"))
    wanted = b"".join(map(encode_line, messages))
    assert encoder.encode(list(messages)) == wanted
    assert encoder.encode(list(messages)) == wanted


@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "a\n"]), min_size=1, max_size=3), max_size=20))
def test_what_an_encoder_remembers_never_shows(batches: list[list[str]]) -> None:
    encoder = BlockEncoder(framing("lines"))
    for batch in batches:
        assert encoder.encode(list(batch)) == b"".join(map(encode_line, batch))


def test_a_block_is_made_once_for_all_clients_that_get_the_same_messages() -> None:
    encoder = BlockEncoder(framing("lines"))
    messages = [f"line {i}" for i in range(100)]
    assert encoder.encode(list(messages)) is encoder.encode(list(messages))


@pytest.mark.parametrize("bad", [5, None, ["x"], "\ud800"])
def test_what_is_no_line_is_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        BlockEncoder(framing("lines")).encode(["good", bad])


def test_addresses_are_written_as_people_do() -> None:
    assert address_text(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert address_text(("::1", 80, 0, 0)) == "[::1]:80"


class Holding:
    """Stands for a sender with so much in its buffer."""

    def __init__(self, pending_bytes: int) -> None:
        self.pending_bytes = pending_bytes
        self.reason = ""

    def cut(self, reason: str, text: str) -> None:
        self.reason = f"{reason}: {text}"


def test_over_the_bound_for_all_clients_the_largest_is_cut() -> None:
    buffers = ClientBuffers(limit_bytes=100)
    small, large, drained = Holding(40), Holding(50), Holding(60)
    buffers.note(drained, 60)  # type: ignore[arg-type]
    drained.pending_bytes = 0  # it has been sent since: it costs nobody anything
    buffers.note(small, 40)  # type: ignore[arg-type]
    buffers.note(large, 50)  # type: ignore[arg-type]
    assert not (small.reason)
    assert not (large.reason)
    assert not (drained.reason)
    large.pending_bytes = 70
    buffers.note(large, 70)  # type: ignore[arg-type]
    assert "over the limit of 100 for all together; this one's 70 are the most" in large.reason
    assert not (small.reason)
    assert not (drained.reason)
    small.pending_bytes = 90
    buffers.note(small, 90)  # type: ignore[arg-type]
    assert not small.reason  # the room of the one that was cut is free again
    buffers.forget(small)  # type: ignore[arg-type]
    buffers.note(drained, 95)  # type: ignore[arg-type]
    assert not drained.reason


def test_the_defaults_are_those_of_the_documents() -> None:
    limits = SendLimits()
    assert (limits.pending_limit_bytes, limits.soft_limit_bytes) == (8 * 2**20, 2 * 2**20)
    assert (limits.soft_limit_s, limits.stall_timeout_s) == (10.0, 10.0)
    assert limits.drain_s <= Scheduler().stop_deadline_s
    assert ClientBuffers().limit_bytes == 256 * 2**20
