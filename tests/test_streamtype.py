"""What boxes say of their streams: links that cannot fit fail at wiring, the rest at the first StreamInfo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.dsp.block import Block
from axonlike.components.util import Splitter
from axonlike.errors import ComponentError, UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual

WANTED = StreamType(kind="analog", dtype=("float32", "float64"), channels=4, sample_rate_hz=1000.0, units="uV")


class Source(Component):
    """Sends what its box says; a source says what it knows when it is made."""

    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, sends: StreamType | None = None) -> None:
        if sends is not None:
            self.specify("outbox", stream=sends)

    def main(self) -> Any:
        yield


class Filter(Block):
    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=WANTED)}

    def process(self, chunk: Chunk) -> Chunk:
        return chunk


def stream(**changes: Any) -> StreamInfo:
    good: dict[str, Any] = {
        "kind": "analog", "dtype": np.float32, "shape": (4,), "sample_rate_hz": 1000.0, "units": "uV", "name": "EEG"
    }  # fmt: skip
    return StreamInfo(**{**good, **changes})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "digital"}, "kind digital, wanted analog"),
    ({"dtype": "int16"}, "dtype int16, wanted float32 or float64"),
    ({"sample_rate_hz": 44100.5}, "sample rate 44100.5 Hz, wanted 1000 Hz"),
    ({"units": "V"}, "units V, wanted uV"),
]


@pytest.mark.parametrize(("changes", "text"), [*WRONG, ({"channels": 2}, "channels 2, wanted 4")])
def test_a_link_that_cannot_fit_fails_at_wiring_with_both_values(changes: dict[str, Any], text: str) -> None:
    source, block = Source(StreamType(**changes)), Filter()
    with pytest.raises(StreamMismatch, match=rf"Source.outbox -> Filter.inbox: the outbox sends {text}") as caught:
        source.link((source, "outbox"), (block, "inbox"))
    assert caught.value.code == "AX204"


@pytest.mark.parametrize(
    "wire",
    [
        lambda source, block: Pipeline(source, block),
        lambda source, block: source | block,
        lambda source, block: Graphline(links="S -> F", S=source, F=block),
        lambda source, block: Graphline({("S", "outbox"): ("F", "inbox")}, S=source, F=block),
    ],
)
def test_it_fails_so_in_every_way_of_wiring(wire: Callable[[Component, Component], Component]) -> None:
    with pytest.raises(StreamMismatch, match="channels 3, wanted 4"):
        wire(Source(StreamType(channels=3)), Filter())
    wire(Source(StreamType(channels=4)), Filter())


def test_several_faults_are_told_at_once() -> None:
    assert WANTED.mismatch(StreamType(kind="iq", channels=2)) == "kind iq, wanted analog; channels 2, wanted 4"


@pytest.mark.parametrize(
    "sends",
    [
        None,
        StreamType(),
        StreamType(kind="analog"),
        StreamType(kind=("digital", "analog")),
        StreamType("analog", "float64", 4, 1000, "uV"),
    ],
)
def test_what_may_fit_is_linked(sends: StreamType | None) -> None:
    Pipeline(Source(sends), Filter())


def test_a_box_that_says_nothing_takes_everything() -> None:
    Pipeline(Source(StreamType(kind="video", channels=480)), Probe())
    assert StreamType().mismatch(WANTED) is None


def test_what_one_instance_says_of_its_box_is_not_said_of_the_others() -> None:
    Source(StreamType(kind="digital"))
    assert Source().outbox_spec("outbox").stream is None
    assert Source.Outboxes["outbox"].stream is None


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no kind 'sound'"):
        StreamType(kind="sound")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is no kind 'sound'"):
        StreamType(kind=("iq", "sound"))  # type: ignore[arg-type]


# -- what is not known before the first chunk


@pytest.mark.parametrize(("changes", "text"), [*WRONG, ({"shape": (2,)}, "channels 2, wanted 4")])
def test_what_cannot_be_seen_at_wiring_fails_at_the_first_chunk_with_both_values(
    changes: dict[str, Any], text: str
) -> None:
    info = stream(**changes)
    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder([Chunk(info.empty(3), info)]), Splitter(), Filter(), Probe()))
    cause = caught.value.cause
    assert isinstance(cause, StreamMismatch)
    assert f"Filter.inbox: the stream EEG has {text}" in str(cause)


def test_a_stream_that_changes_into_a_wrong_one_fails_then() -> None:
    good, wrong = stream(), stream(units="V")
    probe = Probe()
    with pytest.raises(ComponentError, match="units V, wanted uV"):
        first, second, third = (Chunk(info.empty(3), info) for info in (good, good, wrong))
        run_virtual(Pipeline(Feeder([first, second, PAUSE(1), third]), Filter(), probe))
    assert len(probe.messages) == 2
