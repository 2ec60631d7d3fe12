"""A graph by calling constructors: boxes are picked by what they declare, and run of any runs all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.dsp.block import Block
from axonlike.components.producers import take_from
from axonlike.components.util import Splitter
from axonlike.errors import WiringError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import run_virtual

IQ = StreamType(kind="iq")
SPECTRUM = StreamType(kind="spectrum")
INFO = StreamInfo(kind="analog", dtype=np.dtype(np.float64), shape=(1,), name="A")


def chunk(index: int) -> Chunk:
    return Chunk(np.full((1, 1), float(index)), INFO, index)


class Source(Component):
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, count: int = 3) -> None:
        self.count = count

    def main(self) -> Any:
        for index in range(self.count):
            self.send(chunk(index))
            yield


class Add(Block):
    def process(self, chunk: Chunk) -> Chunk:
        return chunk.with_data(chunk.data + 1)


class View(Component):
    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}

    def __init__(self, *producers: Component, name: str = "View") -> None:
        self.name = name
        self.seen: list[float] = []
        take_from(self, *producers)

    def main(self) -> Any:
        while True:
            yield self.wait("inbox")
            self.seen += [float(each.data[0, 0]) for each in self.inbox()]


class Radio(Component):
    """Several outboxes, told apart by what they send."""

    Outboxes: ClassVar[dict[str, Any]] = {
        "iq": Box("samples", Chunk, stream=IQ, required=True),
        "sweep": Box("spectra", Chunk, stream=SPECTRUM, required=True),
        "context": Box("fields", dict),
        "notes": "whatever is to be said",
    }


class SpectrumView(View):
    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": "not used here",
        "spectra": Box("spectra", Chunk, stream=SPECTRUM),
        "settings": Box("changes", dict),
    }


def links(component: Component) -> set[str]:
    return {repr(link) for link in component.wires().from_out.values()}


def test_a_nested_call_is_a_chain() -> None:
    source = Source()
    view = View(Add(Add(source)))
    run_virtual(view)
    assert view.seen == [2, 3, 4]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_run_of_any_runs_all(which: int) -> None:
    source = Source()
    block = Add(source)
    view = View(block)
    run_virtual((source, block, view)[which])
    assert view.seen == [1, 2, 3]
    assert all(part.ended for part in (source, block, view))


def test_boxes_are_picked_by_what_they_declare() -> None:
    radio = Radio()
    view = SpectrumView(radio)
    assert links(radio) == {"Radio.sweep -> View.spectra"}
    assert view.wires().to_in.keys() == {"spectra"}


def test_of_several_that_fit_those_called_outbox_and_inbox_are_taken() -> None:
    class Two(Source):
        Outboxes: ClassVar[dict[str, Any]] = {"raw": Box("the same", Chunk)}

    two = Two()
    View(two)
    assert links(two) == {"Two.outbox -> View.inbox"}


def test_several_that_fit_equally_are_an_error_that_names_them() -> None:
    with pytest.raises(WiringError, match=r"several boxes fit .iq -> inbox, sweep -> inbox.; make it without"):
        View(Radio())


def test_none_that_fits_is_an_error_that_names_both_sides() -> None:
    class Text(Component):
        Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("lines", str)}

    with pytest.raises(WiringError, match=r"View\(Text\): no outbox of Text \(outbox: str.*fits an inbox of View"):
        View(Text())

    class IqOnly(View):
        Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=IQ)}

    class Spectra(Component):
        Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("spectra", Chunk, stream=SPECTRUM)}

    with pytest.raises(WiringError, match=r"Chunk of spectrum.*Chunk of iq"):
        IqOnly(Spectra())


@pytest.mark.parametrize(
    ("wrong", "text"),
    [(Source, r"pass an instance, Source\(\.\.\.\)"), ("text", "'text' is not a component"), (print, "step")],
)
def test_what_is_no_component_is_refused_with_what_to_write(wrong: Any, text: str) -> None:
    with pytest.raises(WiringError, match=text):
        View(wrong)


def test_a_second_consumer_gets_a_splitter_and_a_third_the_same_one() -> None:
    source = Source()
    views = [View(source, name=f"view{number}") for number in range(3)]
    run_virtual(views[1])
    assert [view.seen for view in views] == [[0, 1, 2]] * 3
    (link,) = source.wires().from_out.values()
    assert isinstance(link.sink, Splitter)
    assert link.sink.name == "Source-splitter"
    assert all(part.ended for part in (source, link.sink, *views))


@pytest.mark.parametrize("run", [0, 1])
def test_a_second_consumer_of_a_block_in_the_middle(run: int) -> None:
    source = Source()
    block = Add(source)
    one, two = View(Add(block)), View(block, name="two")
    run_virtual((one, two)[run])
    assert (one.seen, two.seen) == ([2, 3, 4], [1, 2, 3])


def test_several_producers_feed_one_inbox() -> None:
    view = View(Source(2), Add(Source(2)))
    run_virtual(view)
    assert sorted(view.seen) == [0, 1, 1, 2]


def test_a_diamond_ends_in_order_and_loses_nothing() -> None:
    source = Source(500)
    view = View(Add(source), source)
    run_virtual(view)
    assert sorted(view.seen) == sorted([*range(500), *range(1, 501)])


def test_the_same_producer_twice_is_two_links() -> None:
    source = Source()
    block = Add(source)
    view = View(block)
    with pytest.raises(WiringError, match="is a sink already"):
        take_from(view, block)
    run_virtual(view)
    assert view.seen == [1, 2, 3]


def test_a_refused_consumer_leaves_the_producer_as_it_was() -> None:
    radio = Radio()
    with pytest.raises(WiringError):
        View(radio)
    assert links(radio) == set()
    assert not list(radio.companions())


# -- inside a chassis


@pytest.mark.parametrize(
    "chassis",
    [
        lambda head, *rest: Pipeline(head, *rest),
        lambda head, *rest: Graphline(links="A -> B", A=head, B=rest[0]),
    ],
)
def test_a_chain_by_constructors_stands_at_the_head_of_a_chassis(chassis: Callable[..., Component]) -> None:
    view = View()
    run_virtual(chassis(Add(Source()), view))
    assert view.seen == [1, 2, 3]


def test_a_consumer_outside_of_a_pipeline_takes_from_a_part_of_it() -> None:
    source = Source()
    inside, outside = View(), View(name="outside")
    pipeline = Pipeline(source, inside)
    with pytest.raises(WiringError):
        take_from(outside, pipeline)  # a Pipeline's outbox says nothing of what it sends
    take_from(outside, source)
    run_virtual(pipeline)
    assert inside.seen == outside.seen == [0, 1, 2]


@pytest.mark.parametrize("seed", [None, "1", "2", "3", "4", "5", "6", "7", "8"])
@pytest.mark.parametrize("nested", [False, True])
def test_the_end_of_a_producer_in_a_pipeline_does_not_overtake_what_lies_in_the_splitter(
    seed: str | None, nested: bool
) -> None:
    class AtOnce(Source):
        def main(self) -> Any:
            self.send_many(chunk(index) for index in range(500))
            return
            yield

    source, inside, outside, third = AtOnce(), View(), View(name="outside"), View(name="third")
    pipeline = Pipeline(source, Pipeline(Add(), inside) if nested else inside)
    take_from(outside, source)
    take_from(third, source)
    run_virtual(pipeline, shuffle=seed)
    assert [len(view.seen) for view in (inside, outside, third)] == [500] * 3


def test_a_stream_that_does_not_fit_fails_at_construction() -> None:
    class Narrow(View):
        Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=StreamType(channels=2))}

    source = Source()
    source.specify("outbox", stream=StreamType(channels=1))
    with pytest.raises(StreamMismatch, match="channels 1, wanted 2"):
        Narrow(source)


def test_a_part_whose_outbox_is_that_of_its_chassis_is_refused_and_stays_as_it_was() -> None:
    source, view = Source(), View()
    pipeline = Pipeline(source)
    with pytest.raises(WiringError, match="Pipeline"):
        View(source, name="second")
    pipeline.link((pipeline, "outbox"), (view, "inbox"))
    run_virtual(pipeline, view)
    assert view.seen == [0, 1, 2]
