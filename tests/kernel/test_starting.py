"""A part that fails while it is started takes the whole start back, whatever stands behind it in the batch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Driven, Scheduler
from axonlike.errors import ComponentError


class Refuses(Driven):
    def begin(self) -> None:
        raise OSError("the port is busy")


class Waits(Component):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def main(self) -> Generator[Any, Any, None]:
        self.log.append(f"{self.name} began")
        try:
            yield self.sleep(3600)
        finally:
            self.log.append(f"{self.name} closed")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_was_activated_beside_a_part_that_cannot_start_does_not_run_on(place: int) -> None:
    log: list[str] = []
    parts: list[Component] = [Waits(log), Waits(log)]
    parts.insert(place, Refuses())
    with pytest.raises(ComponentError, match="the port is busy"):
        Scheduler().run(*parts)
    began = [line for line in log if line.endswith("began")]
    closed = [line for line in log if line.endswith("closed")]
    assert len(began) == len(closed)
    assert all(part.ended for part in parts)


def test_an_interpreter_without_standard_descriptors_still_runs() -> None:
    # No watchdog: on a busy machine it has something to say even of such a step.
    program = (
        "from axonlike import *\nclass A(Component):\n    def main(self): yield\n"
        "Scheduler(watchdog_s=None).run(A())"
    )
    done = subprocess.run(["sh", "-c", f"exec {sys.executable} -c '{program}' <&-"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_that_is_added_to_a_parent_that_was_told_to_stop_is_stopped_too() -> None:
    log: list[str] = []

    class Parent(Component):
        async def main(self) -> None:
            self.stop()
            self.add_child(Waits(log))

    Scheduler().run(Parent())
    assert log in ([], ["Waits began", "Waits closed"])


def test_a_child_that_is_added_while_a_parent_closes_is_stopped_too() -> None:
    log: list[str] = []

    class Parent(Component):
        def main(self) -> Generator[Any, Any, None]:
            try:
                yield self.sleep(3600)
            finally:
                self.add_child(Waits(log))

    class Stops(Component):
        def main(self) -> Generator[Any, Any, None]:
            yield
            parent.stop()

    parent = Parent()
    Scheduler().run(parent, Stops())
    assert parent.ended
    assert log in ([], ["Waits began", "Waits closed"])
