"""Sources, sinks, functions as components, chooser: what each does with messages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from axonlike import Pipeline, Scheduler
from axonlike.components.util import (
    Chooser,
    Collect,
    DataSource,
    Filter,
    Null,
    OneShot,
    PassThrough,
    Tap,
    Transform,
)
from axonlike.errors import ComponentError, UsageError
from axonlike.testing import Probe, outputs, run_virtual


def collected(*stages: Any) -> list[Any]:
    collect = Collect()
    run_virtual(Pipeline(*stages, collect))
    return collect.messages


def test_a_data_source_sends_its_items_in_order_and_ends() -> None:
    assert collected(DataSource(range(5000))) == list(range(5000))


def test_a_data_source_advances_its_iterable_only_as_far_as_there_is_room() -> None:
    numbers = itertools.count()
    head: list[int] = []

    class FirstThree(Probe):
        def main(self) -> Any:
            while len(head) < 3:
                yield self.wait("inbox")
                head.append(self.recv())

    run_virtual(Pipeline(DataSource(numbers), FirstThree(), limit=5))
    assert head == [0, 1, 2]
    assert next(numbers) <= 10


def test_a_data_source_into_a_box_that_drops_still_lets_others_run() -> None:
    collect = Collect()
    run_virtual(Pipeline(DataSource(range(100_000)), collect, limit=10, policy="drop_oldest"))
    assert collect.messages[-1] == 99_999


@pytest.mark.parametrize("wrong", ["text", b"bytes", 7])
def test_a_data_source_refuses_what_is_no_list(wrong: Any) -> None:
    with pytest.raises(UsageError, match="DataSource"):
        DataSource(wrong)


def test_a_data_source_that_is_restarted_goes_on_behind_the_item_that_failed() -> None:
    class Sensor:
        def __init__(self) -> None:
            self.readings = iter([1, OSError("no contact"), 3])

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            reading = next(self.readings)
            if isinstance(reading, OSError):
                raise reading
            return reading

    class Restarted(DataSource):
        on_error = "restart"

    assert collected(Restarted(Sensor())) == [1, 3]


def test_one_shot_sends_one_message() -> None:
    assert collected(OneShot("hello")) == ["hello"]


def test_collect_forwards_when_asked() -> None:
    middle = Collect(forward=True)
    assert collected(DataSource(["abc"]), middle) == ["abc"]
    assert middle.messages == ["abc"]


def test_null_counts_what_it_forgets() -> None:
    null = Null()
    run_virtual(Pipeline(DataSource(range(7)), null))
    assert null.count == 7


def test_transform_applies_its_functions_one_after_another() -> None:
    assert outputs(Transform(str.strip, str.upper), [" a ", "b"]) == ["A", "B"]


def test_transform_drops_none_from_any_of_its_functions() -> None:
    seen: list[Any] = []

    def see(message: Any) -> Any:
        seen.append(message)
        return message

    assert outputs(Transform(lambda n: n or None, see), [0, 1, 2]) == [1, 2]
    assert seen == [1, 2]


def test_transform_pulls_an_iterator_but_sends_a_list_whole() -> None:
    assert outputs(Transform(lambda s: iter(s)), ["ab"]) == ["a", "b"]
    assert outputs(Transform(list), ["ab"]) == [["a", "b"]]


async def _async_function(message: Any) -> Any:
    return message


@pytest.mark.parametrize("kind", [Transform, Filter, Tap])
@pytest.mark.parametrize("wrong", [_async_function, "no function"])
def test_what_cannot_be_called_for_a_message_is_refused(kind: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match=kind.__name__):
        kind(wrong)


def test_transform_without_a_function_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a function"):
        Transform()


def test_filter_sends_on_what_its_predicate_accepts_and_counts_the_rest() -> None:
    odd = Filter(lambda n: n % 2)
    assert outputs(odd, range(5)) == [1, 3]
    assert odd.refused == 3


def test_tap_shows_each_message_and_sends_it_on() -> None:
    seen: list[int] = []
    assert outputs(Tap(seen.append), [1, 2]) == [1, 2]
    assert seen == [1, 2]


def test_pass_through_passes_everything_through() -> None:
    assert outputs(PassThrough(), [1, None, 3]) == [1, None, 3]


def test_an_error_in_a_function_names_the_component_and_the_message() -> None:
    with pytest.raises(ComponentError) as caught:
        Scheduler().run(Pipeline(DataSource([2, 1, 0]), Transform(lambda n: 1 // n)))
    assert caught.value.path == "Pipeline/Transform"
    assert (caught.value.number, caught.value.value) == (3, 0)


@pytest.mark.parametrize(
    ("moves", "sent"),
    [
        ([], ["a"]),
        (["NEXT", "NEXT", "NEXT"], ["a", "b", "c"]),
        (["PREV", "SAME"], ["a", "a"]),
        (["LAST", "PREV", "FIRST"], ["a", "c", "b", "a"]),
    ],
)
def test_chooser_moves_and_stays_at_its_ends(moves: list[str], sent: list[str]) -> None:
    assert outputs(Chooser("abc"), moves) == sent


def test_chooser_with_loop_goes_round() -> None:
    assert outputs(Chooser("abc", loop=True), ["PREV", "NEXT"]) == ["a", "c", "a"]


@pytest.mark.parametrize("loop", [False, True])
def test_chooser_without_items_sends_nothing(loop: bool) -> None:
    assert outputs(Chooser([], loop=loop), ["NEXT", "FIRST", "LAST", "SAME", "PREV"]) == []


@pytest.mark.parametrize("wrong", ["NEXTT", 3, ["NEXT"]])
def test_chooser_names_a_move_that_there_is_not(wrong: Any) -> None:
    with pytest.raises(ComponentError, match="is no move"):
        outputs(Chooser("abc"), [wrong])
