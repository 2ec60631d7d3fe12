"""A graph by calling constructors: ``SpectrumView(Calibrate(FFT(WSA4000(host))))``.

What stands as a positional argument is a producer: one of its outboxes is linked to one of the new component's inboxes,
and their declared types say which. `run()` of any of them runs all that were joined so.
"""

from __future__ import annotations

from axonlike.component import Component
from axonlike.components.util.splitter import Splitter
from axonlike.errors import WiringError
from axonlike.linkage import Box, Kind
from axonlike.part import how_to_make_one
from axonlike.streamtype import StreamMismatch

__all__ = ["take_from"]

_NO_DATA = ("control", "demand", "settings")


def take_from(consumer: Component, *producers: Component) -> None:
    """Link each producer to the consumer: the one outbox to the one inbox whose declared types and streams fit.

    If several boxes fit, those called `outbox` and `inbox` are taken. A second consumer of one outbox gets a Splitter
    put between. Raises WiringError, which names the boxes there are, when none fits or several do.
    """
    for producer in producers:
        if not isinstance(producer, Component):
            raise WiringError(
                f"{type(consumer).__name__}(...): {producer!r} is not a component{how_to_make_one(producer)}"
            )
        outbox, inbox = _fitting(producer, consumer)
        taken = producer.wires().from_out.get(outbox)
        if taken is None:
            consumer.link((producer, outbox), (consumer, inbox))
            consumer.runs_with(producer)
            continue
        if taken.kind is Kind.PASS_OUT:
            chassis = f"{taken.sink.path}.{taken.sink_box}"
            raise WiringError(
                f"{type(consumer).__name__}({producer.path}): its outbox {outbox} is that of a chassis, {chassis}, "
                "already; link that one, or put a Splitter into the chassis"
            )
        splitter = taken.sink
        if not isinstance(splitter, Splitter):
            splitter = Splitter()
            splitter.name = f"{producer.name}-splitter"
            producer.unlink(taken)
            producer.link((producer, outbox), (splitter, "inbox"))
            splitter.add_sink(taken.sink, taken.sink_box)
            signal = producer.wires().from_out.get("signal")
            if signal is not None and signal.sink is taken.sink:
                # In a Pipeline the end of the producer is told to that consumer. It must not overtake what is in the
                # splitter, so it goes through it, too.
                producer.unlink(signal)
                producer.link((producer, "signal"), (splitter, "control"))
                splitter.link((splitter, "signal"), (signal.sink, signal.sink_box))
            splitter.runs_with(producer)
            splitter.runs_with(taken.sink)
        splitter.add_sink(consumer, inbox)
        consumer.runs_with(splitter)


def _fitting(producer: Component, consumer: Component) -> tuple[str, str]:
    """The pair of boxes whose declared types fit. What declares nothing (signal, status) or is no data is left out."""
    outboxes = {name: producer.outbox_spec(name) for name in producer.outbox_names if name != "signal"}
    inboxes = {name: consumer.inbox_spec(name) for name in consumer.inbox_names if name not in _NO_DATA}
    fitting = [
        (outbox, inbox)
        for outbox, sends in outboxes.items()
        for inbox, takes in inboxes.items()
        if sends.type is not None and takes.type is not None and _fits(sends, takes)
    ]
    if len(fitting) > 1 and ("outbox", "inbox") in fitting:
        return "outbox", "inbox"
    if len(fitting) == 1:
        return fitting[0]
    who = f"{type(consumer).__name__}({producer.path})"
    if not fitting:
        whys = "".join(
            f"; {outbox} -> {inbox}: it sends {why}"
            for outbox, sends in outboxes.items()
            for inbox, takes in inboxes.items()
            if (why := _why_not(sends, takes)) is not None
        )
        error = StreamMismatch if whys else WiringError
        raise error(
            f"{who}: no outbox of {producer.path} ({_listed(outboxes)}) fits an inbox of {consumer.name} "
            f"({_listed(inboxes)}){whys}"
        )
    pairs = ", ".join(f"{outbox} -> {inbox}" for outbox, inbox in fitting)
    raise WiringError(f"{who}: several boxes fit ({pairs}); make it without an argument and link the ones you mean")


def _fits(sends: Box, takes: Box) -> bool:
    return takes.accepts(sends) and _why_not(sends, takes) is None


def _why_not(sends: Box, takes: Box) -> str | None:
    """Why the stream of one cannot be that of the other, with both sides' values."""
    return None if takes.stream is None or sends.stream is None else takes.stream.mismatch(sends.stream)


def _listed(boxes: dict[str, Box]) -> str:
    return ", ".join(f"{name}: {_said(box)}" for name, box in boxes.items()) or "none"


def _said(box: Box) -> str:
    if box.stream is None or box.stream.kind is None:
        return box.type_name
    kinds = box.stream.kind if isinstance(box.stream.kind, tuple) else (box.stream.kind,)
    return f"{box.type_name} of {' or '.join(kinds)}"
