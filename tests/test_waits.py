"""What a body yields: pure data, safe to yield many times."""

from __future__ import annotations

from typing import Any

import pytest

from axonlike import Component
from axonlike.errors import UsageError
from axonlike.waits import PAUSE, PLAIN, Join, Sleep, Wait, plain_wait


def test_they_tell_what_they_wait_for() -> None:
    assert repr(Wait(())) == "wait(any inbox)"
    assert repr(Wait(("a", "b"), 2.5)) == "wait('a', 'b', timeout=2.5)"
    assert repr(Sleep(3)) == "sleep(3)"
    assert repr(Join(())) == "join(all children)"


def test_a_plain_wait_is_one_object_for_all() -> None:
    assert plain_wait("inbox") is plain_wait("inbox") is Component().wait("inbox")
    assert Component().wait() is PLAIN[None]


def test_not_every_name_ever_asked_for_is_kept() -> None:
    before = len(PLAIN)
    for number in range(3000):
        assert plain_wait(f"box-{number}").boxes == (f"box-{number}",)
    kept = len(PLAIN)
    for number in range(3000):
        PLAIN.pop(f"box-{number}", None)
    assert kept <= 1025
    assert len(PLAIN) == before


@pytest.mark.parametrize("value", ["5", b"5", None, [], float("nan"), "soon", 1j])
def test_what_is_no_time_is_refused_where_it_is_written(value: Any) -> None:
    with pytest.raises(UsageError, match=r"sleep\(\) takes seconds, not"):
        Component().sleep(value)
    if value is not None:
        with pytest.raises(UsageError, match=r"wait\(timeout=...\) takes seconds, not"):
            Component().wait("inbox", timeout=value)


@pytest.mark.parametrize("value", [0, 1.5, -1, float("inf"), True])
def test_what_is_a_number_is_a_time(value: Any) -> None:
    assert Component().sleep(value).seconds == value
    assert Component().wait(timeout=value).timeout_s == value


def test_an_error_that_is_thrown_into_an_awaited_one_stays_what_it_is() -> None:
    awaited = PAUSE.__await__()
    assert next(awaited) is PAUSE
    with pytest.raises(RuntimeError, match="the user's own"):
        awaited.throw(RuntimeError("the user's own"))
