"""Block: what every block does at gaps, changes, ends, with settings, and when much comes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Pipeline
from axonlike.components.dsp.block import Block
from axonlike.components.settable import Changed
from axonlike.errors import ComponentError, UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual

INFO = StreamInfo(kind="analog", dtype=np.dtype(np.float64), shape=(1,), sample_rate_hz=100.0, name="A")


def chunk(rows: int, index: int = 0, info: StreamInfo = INFO) -> Chunk:
    return Chunk(np.arange(index, index + rows, dtype=np.float64)[:, None], info, index)


class Pairs(Block):
    """Sums of two neighbouring rows; the last odd row is kept, and flushed as it is. Notes what it is told."""

    settings: ClassVar[tuple[str, ...]] = ("factor",)

    def __init__(self, *producers: Any) -> None:
        super().__init__(*producers)
        self.factor = 1
        self.told: list[str] = []
        self.kept: Chunk | None = None

    def begin(self, info: StreamInfo) -> None:
        self.told.append(f"begin {info.name}")
        self.kept = None

    def process(self, chunk: Chunk) -> Iterator[Chunk]:
        for row in range(len(chunk)):
            one = chunk.part(row, row + 1)
            if self.kept is None:
                self.kept = one
            else:
                kept, self.kept = self.kept, None
                yield kept.with_data((kept.data + one.data) * self.factor)

    def flush(self) -> Chunk | None:
        self.told.append("flush")
        kept, self.kept = self.kept, None
        return kept


def values(chunks: Iterable[Chunk]) -> list[tuple[int, float]]:
    return [(each.index, float(each.data[0, 0])) for each in chunks]


def test_it_begins_with_the_first_chunk_and_ends_with_a_flush() -> None:
    block = Pairs()
    assert values(block.feed(chunk(3, 10))) == [(10, 21)]
    assert block.told == ["begin A"]
    assert block.info is INFO
    assert values(block.finish()) == [(12, 12)]
    assert block.finish() == []
    assert block.told == ["begin A", "flush"]


def test_after_the_end_the_next_chunk_begins_anew_without_a_gap() -> None:
    block = Pairs()
    block.feed(chunk(1, 10))
    block.finish()
    assert values(block.feed(chunk(2, 500))) == [(500, 1001)]
    assert block.told == ["begin A", "flush", "begin A"]
    assert block.continuity.gaps == 0


@pytest.mark.parametrize(("index", "lost", "restarts"), [(15, 2, 0), (0, 0, 1), (12, 0, 1)])
def test_nothing_reaches_across_missing_rows_or_a_restart(index: int, lost: int, restarts: int) -> None:
    block = Pairs()
    block.feed(chunk(3, 10))
    assert values(block.feed(chunk(2, index))) == [(12, 12), (index, 2 * index + 1)]
    assert block.told == ["begin A", "flush", "begin A"]
    assert (block.continuity.lost, block.continuity.restarts) == (lost, restarts)


def test_when_the_stream_changes_what_is_kept_goes_out_first() -> None:
    block = Pairs()
    block.feed(chunk(3, 10))
    other = INFO.replace(name="B")
    found = block.feed(chunk(2, 13, other))
    assert [each.info.name for each in found] == ["A", "B"]
    assert block.told == ["begin A", "flush", "begin B"]
    assert block.info is other


def test_a_gap_at_a_change_of_the_stream_begins_once() -> None:
    block = Pairs()
    block.feed(chunk(3, 10))
    assert len(block.feed(chunk(2, 100, INFO.replace(name="B")))) == 2
    assert block.told == ["begin A", "flush", "begin B"]


def test_an_equal_stream_is_no_change() -> None:
    block = Pairs()
    block.feed(chunk(1, 10))
    block.feed(chunk(1, 11, INFO.replace()))
    assert block.told == ["begin A"]


def test_a_chunk_without_rows_changes_nothing() -> None:
    block = Pairs()
    assert block.feed(chunk(0, 10)) == []
    assert values(block.feed(chunk(2, 10))) == [(10, 21)]
    assert block.feed(chunk(0, 12)) == []
    assert block.told == ["begin A"]


@given(st.lists(st.integers(0, 7), max_size=20))
def test_the_cutting_into_chunks_does_not_matter(cuts: list[int]) -> None:
    block = Pairs()
    found: list[Chunk] = []
    index = 5
    for rows in cuts:
        found += block.feed(chunk(rows, index))
        index += rows
    found += block.finish()
    whole = Pairs()
    assert values(found) == values(whole.feed(chunk(sum(cuts), 5)) + whole.finish())


@pytest.mark.parametrize("result", ["one", "list", "none", "generator"])
def test_process_may_return_a_chunk_several_or_nothing(result: str) -> None:
    class Echo(Block):
        def process(self, chunk: Chunk) -> Any:
            return {"one": chunk, "list": [chunk], "none": None, "generator": iter([chunk])}[result]

    assert len(Echo().feed(chunk(3))) == (result != "none")


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Pairs: it takes chunks of a stream .* not \[1, 2\]"):
        Pairs().feed([1, 2])  # type: ignore[arg-type]


def test_a_block_without_process_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Block has no process"):
        Block().feed(chunk(1))


# -- as a component


def test_what_is_kept_is_sent_at_the_end_of_input() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([chunk(3), chunk(2, 3)]), Pairs(), probe))
    assert values(probe.messages) == [(0, 1), (2, 5), (4, 4)]
    assert probe.ended_by == "finished"


def test_on_shutdown_what_is_kept_is_not_sent() -> None:
    block, probe = Pairs(), Probe()
    run_virtual(Pipeline(Feeder([chunk(3), PAUSE(100)]), block, probe), until_s=1)
    assert values(probe.messages) == [(0, 1)]
    assert block.told == ["begin A"]


def test_settings_are_taken_between_chunks() -> None:
    feeder, settings = Feeder([chunk(2), PAUSE(2), chunk(2, 2)]), Feeder([PAUSE(1), {"factor": 10}])
    block, probe, status = Pairs(), Probe(), Probe()
    block.link((feeder, "outbox"), (block, "inbox"))
    block.link((settings, "outbox"), (block, "settings"))
    block.link((block, "outbox"), (probe, "inbox"))
    block.link((block, "status"), (status, "inbox"))
    run_virtual(feeder, settings, block, probe, status)
    assert values(probe.messages) == [(0, 1), (2, 50)]
    assert status.messages == [Changed({"factor": 10})]


class Crumbs(Block):
    """Cuts each chunk into single rows."""

    def process(self, chunk: Chunk) -> Iterator[Chunk]:
        return (chunk.part(row, row + 1) for row in range(len(chunk)))

    def flush(self) -> Iterator[Chunk]:
        return (chunk(1, 10**9 + n) for n in range(2000))


def test_many_results_of_many_chunks_at_once_wait_for_room_and_none_is_lost() -> None:
    chunks = [chunk(100, 100 * number) for number in range(130)]
    probe = Probe()

    class AtOnce(Feeder):
        def main(self) -> Any:
            self.send_many(chunks)
            yield

    run_virtual(Pipeline(AtOnce([]), Crumbs(), probe))
    assert len(probe.messages) == 13_000 + 2000
    assert [each.index for each in probe.messages[:13_000]] == list(range(13_000))


def test_results_overshoot_a_full_receiver_by_one_chunks_at_most() -> None:
    stalled = Stalled(limit=3)
    block = Crumbs().configure_inbox(limit=None)
    run_virtual(Pipeline(Feeder([chunk(50, 50 * n) for n in range(100)]), block, stalled), until_s=1)
    assert stalled.inbox().statistics().offered <= 4


def test_a_drop_before_it_shows_as_a_gap_behind_it() -> None:
    block = Pairs()
    block.configure_inbox(limit=2, policy="drop_oldest")

    class Burst(Feeder):
        def main(self) -> Any:
            self.send_many(chunk(2, 2 * number) for number in range(10))
            yield

    probe = Probe()
    run_virtual(Pipeline(Burst([]), block, probe))
    assert values(probe.messages) == [(16, 33), (18, 37)]
    assert block.inbox().statistics().dropped == 8


def test_a_drop_in_the_middle_is_counted_as_lost_rows() -> None:
    block = Pairs()
    block.configure_inbox(limit=1, policy="latest")

    class Bursts(Feeder):
        def main(self) -> Any:
            self.send(chunk(2, 0))
            yield self.sleep(1)
            self.send_many(chunk(2, 2 * number) for number in range(1, 10))
            yield

    probe = Probe()
    run_virtual(Pipeline(Bursts([]), block, probe))
    assert values(probe.messages) == [(0, 1), (18, 37)]
    assert (block.continuity.gaps, block.continuity.lost) == (1, 16)


def test_what_is_no_chunk_fails_the_component() -> None:
    with pytest.raises(ComponentError, match="it takes chunks"):
        run_virtual(Pipeline(Feeder(["text"]), Pairs(), Probe()))


def test_it_conforms() -> None:
    check_component(Pairs, messages=[chunk(3, 3 * number) for number in range(10)])
