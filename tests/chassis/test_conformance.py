"""Every chassis, and the Supervisor, keeps the promises of all components."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from axonlike import Carousel, Component, Graphline, Par, Pipeline, Seq, Supervisor
from axonlike.components.util import PassThrough
from axonlike.testing import check_component
from tests.chassis.doubles import Numbered


@pytest.mark.parametrize(
    "factory",
    [
        lambda: Par(Numbered("a"), Numbered("b")),
        lambda: Pipeline(Numbered("a"), PassThrough()),
        lambda: Graphline(
            A=Numbered("a"), B=PassThrough(),
            linkages={("self", "inbox"): ("A", "inbox"), ("A", "outbox"): ("B", "inbox"),
                      ("B", "outbox"): ("self", "outbox")},
        ),
        lambda: Seq(Numbered("a"), lambda: Numbered("b")),
        lambda: Supervisor(lambda: Numbered("a")),
        lambda: Supervisor(Numbered("a"), restart="temporary"),
    ],
    ids=["Par", "Pipeline", "Graphline", "Seq", "Supervisor", "Supervisor of one instance"],
)  # fmt: skip
def test_what_is_fed_conforms(factory: Callable[[], Component]) -> None:
    check_component(factory, messages=range(10))


def test_a_carousel_conforms_that_is_told_what_to_make() -> None:
    check_component(lambda: Carousel(Numbered), messages=["a", "b", "c"], inbox="next")
    check_component(lambda: Carousel(Numbered, make_first_request=True), messages=["a", "b", "c"], inbox="next")


def test_a_carousel_without_a_child_conforms_and_takes_nothing_from_its_inbox() -> None:
    check_component(lambda: Carousel(Numbered), messages=[1, 2, 3], takes_all=False)
