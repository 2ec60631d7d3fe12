"""Settable: a message changes all that it names, or nothing, and is answered."""

from __future__ import annotations

import logging
from collections.abc import Generator
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from axonlike.components.settable import Changed, Refused, Settable
from axonlike.errors import UsageError
from axonlike.testing import Feeder, Probe, check_component, run_virtual


class Trigger(Settable):
    settings: ClassVar[tuple[str, ...]] = ("threshold", "front", "length", "gain")

    def __init__(self) -> None:
        self.history: list[tuple[str, Any]] = []
        self.threshold = 0.5
        self._front = "+"
        self._length = 1

    @property
    def gain(self) -> float:
        return 1.0

    @gain.setter
    def gain(self, gain: float) -> None:
        raise ValueError("it is fixed")

    @property
    def front(self) -> str:
        return self._front

    @front.setter
    def front(self, front: str) -> None:
        if front not in ("+", "-"):
            raise UsageError(f"Trigger: front is + or -, not {front!r}")
        self._front = front
        self.history.append(("front", front))

    @property
    def length(self) -> int:
        return self._length

    @length.setter
    def length(self, length: Any) -> None:
        self._length = int(length)
        self.history.append(("length", length))

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("settings", "inbox")
            self.take_settings()
            for message in self.inbox():
                self.send(message)


def test_all_that_are_named_are_changed() -> None:
    trigger = Trigger()
    trigger.change(threshold=2, front="-")
    assert (trigger.threshold, trigger.front) == (2, "-")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"front": "-", "length": 9, "threshhold": 3}, "no setting 'threshhold'.*threshold.*there are: threshold, fr"),
        ({"front": "-", "length": "nine"}, "Trigger: length cannot be 'nine' [(]str[)]: invalid literal"),
        ({"front": "-", "length": None}, "Trigger: length cannot be None [(]NoneType[)]: int"),
        ({"length": 9, "threshold": 3, "front": "up"}, "front is [+] or -, not 'up'"),
        ({"main": 3}, "no setting 'main'"),
        ({"_front": "-"}, "no setting '_front'"),
    ],
)
def test_one_that_is_refused_leaves_all_as_they_were(settings: dict[str, Any], text: str) -> None:
    trigger = Trigger()
    with pytest.raises(UsageError, match=text):
        trigger.change(**settings)
    assert (trigger.threshold, trigger.front, trigger.length) == (0.5, "+", 1)


def test_what_was_done_is_taken_back_in_reverse_order() -> None:
    trigger = Trigger()
    with pytest.raises(UsageError):
        trigger.change(front="-", length=5, threshold=7, typo=1)
    assert trigger.history == []
    with pytest.raises(UsageError):
        trigger.change(front="-", length=5, gain=2.0)
    assert trigger.history == [("front", "-"), ("length", 5), ("length", 1), ("front", "+")]


def test_a_component_without_settings_says_so() -> None:
    with pytest.raises(UsageError, match="there are: none"):
        Settable().change(x=1)


def test_a_fault_of_the_setter_is_not_taken_for_a_refusal() -> None:
    class Broken(Settable):
        settings: ClassVar[tuple[str, ...]] = ("a",)

        @property
        def a(self) -> int:
            return 1

        @a.setter
        def a(self, value: int) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken().change(a=1)


def run(*messages: Any) -> tuple[Trigger, list[Any]]:
    trigger, settings, status = Trigger(), Feeder(messages), Probe()
    trigger.link((settings, "outbox"), (trigger, "settings"))
    trigger.link((trigger, "status"), (status, "inbox"))
    run_virtual(trigger, settings, status)
    return trigger, status.messages


def test_each_message_is_answered_in_order(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "axonlike"):
        trigger, status = run({"threshold": 3}, {"treshold": 4}, MappingProxyType({"front": "-"}), {})
    assert (trigger.threshold, trigger.front) == (3, "-")
    assert status[0] == Changed({"threshold": 3})
    assert isinstance(status[1], Refused)
    assert status[1].settings == {"treshold": 4}
    assert "did you mean" in status[1].reason
    assert status[2:] == [Changed({"front": "-"}), Changed({})]
    assert trigger.refused == 1


@pytest.mark.parametrize("message", ["front", ["front", "-"], {1: 2}, None])
def test_what_is_no_dict_of_names_is_refused_and_not_raised(message: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "axonlike"):
        trigger, status = run(message)
    assert trigger.refused == 1
    assert "a dict of names and values" in status[0].reason


def test_a_refusal_is_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    run({"front": "up"})
    assert [record.getMessage() for record in caplog.records] == ["refused: Trigger: front is + or -, not 'up'"]


def test_the_answer_does_not_change_with_the_senders_dict() -> None:
    message = {"threshold": 3}
    _, status = run(message)
    message["threshold"] = 4
    assert status == [Changed({"threshold": 3})]


def test_it_conforms() -> None:
    check_component(Trigger, messages=[1, 2, 3])
    check_component(Trigger, messages=[{"threshold": n} for n in range(3)], inbox="settings")
