"""The toolkit's own messages: frozen, equal by value."""

from __future__ import annotations

import dataclasses

import pytest

from axonlike.messages import Crashed, ProducerFinished, Shutdown


@pytest.mark.parametrize("message", [ProducerFinished("a"), Shutdown("why"), Crashed("a/b", ValueError("x"))])
def test_they_cannot_be_changed(message: object) -> None:
    field = dataclasses.fields(message)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(message, field, "other")


def test_they_are_equal_by_value_and_of_different_kinds() -> None:
    assert ProducerFinished("a") == ProducerFinished("a") != ProducerFinished("b")
    kinds: set[object] = {ProducerFinished(), Shutdown()}
    assert len(kinds) == 2
    assert {Shutdown(), Shutdown()} == {Shutdown()}


def test_a_crash_without_a_message_has_number_0() -> None:
    crashed = Crashed("a/b", ValueError("x"))
    assert (crashed.box, crashed.number, crashed.value) == ("", 0, None)
