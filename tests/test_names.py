"""Names that are unique in one place."""

from __future__ import annotations

from axonlike import Component, Scheduler
from axonlike.names import Names


def test_a_second_bearer_of_a_name_gets_a_number() -> None:
    names = Names()
    assert [names.take("a"), names.take("a"), names.take("b"), names.take("a")] == ["a", "a-2", "b", "a-3"]


def test_a_number_that_somebody_bears_already_is_passed_over() -> None:
    names = Names()
    names.take("a-2")
    assert [names.take("a"), names.take("a")] == ["a", "a-3"]


def test_a_free_name_can_be_taken_again_and_numbers_begin_anew_when_all_are_free() -> None:
    names = Names()
    names.take("a")
    names.take("a")
    names.free("a")
    assert names.take("a") == "a"
    names.free("a")
    names.free("a-2")
    assert [names.take("b"), names.take("b")] == ["b", "b-2"]


def test_roots_of_one_scheduler_have_different_paths() -> None:
    class Idle(Component):
        async def main(self) -> None:
            paths.append(self.path)

    paths: list[str] = []
    Scheduler().run(Idle(), Idle(), Idle())
    assert sorted(paths) == ["Idle", "Idle-2", "Idle-3"]
