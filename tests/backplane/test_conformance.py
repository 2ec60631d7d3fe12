"""A backplane and its two ends keep the promises of all components."""

from __future__ import annotations

from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.testing import check_component


def beside() -> list[Backplane]:
    return [Backplane("Events")]


def test_a_backplane_conforms() -> None:
    check_component(lambda: Backplane("Events", history=3))


def test_its_two_ends_conform() -> None:
    check_component(lambda: PublishTo("Events"), messages=range(10), companions=beside)
    check_component(lambda: PublishTo("Events", forward=True), messages=range(10), companions=beside)
    check_component(lambda: SubscribeTo("Events"), companions=beside)
