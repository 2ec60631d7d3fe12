"""ArrayPlayer: any array at its pace, with the faults that are asked for. All in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike import Component, Graphline, Pipeline
from axonlike.components.devices.player import ArrayPlayer
from axonlike.components.settable import Changed, Refused
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, Continuity, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual

DATA = np.arange(1000 * 3).reshape(1000, 3)


def played(player: ArrayPlayer, until_s: float | None = None) -> Probe:
    probe = Probe()
    run_virtual(Pipeline(player, probe), until_s=until_s)
    return probe


def rows_of(chunks: list[Chunk]) -> np.ndarray:
    return np.concatenate([chunk.data for chunk in chunks])


@given(rows=st.integers(0, 300), chunk_rows=st.integers(1, 400))
def test_an_array_of_any_length_is_played_whole_and_once(rows: int, chunk_rows: int) -> None:
    probe = played(ArrayPlayer(DATA[:rows], 250.0, chunk_rows=chunk_rows))
    assert [chunk.index for chunk in probe.messages] == list(range(0, rows, chunk_rows))
    if rows:
        assert np.array_equal(rows_of(probe.messages), DATA[:rows])
        assert probe.times_s[-1] == pytest.approx(rows / 250)


@given(rows=st.integers(1, 50), chunk_rows=st.integers(1, 120))
def test_a_loop_has_no_seam_and_its_index_counts_on(rows: int, chunk_rows: int) -> None:
    player = ArrayPlayer(DATA[:rows], 100.0, chunk_rows=chunk_rows, loop=True)
    probe = played(player, until_s=5 * chunk_rows / 100 + 0.001)
    assert [chunk.index for chunk in probe.messages] == [k * chunk_rows for k in range(5)]
    assert np.array_equal(rows_of(probe.messages), np.resize(DATA[:rows], (5 * chunk_rows, 3)))


@pytest.mark.parametrize(
    ("sample_rate_hz", "chunk_rows", "speed"),
    [(10_000.0, 256, 1.0), (30_000.0, 7, 1.0), (1000.0, 100, 0.1), (250.0, 64, 60.0)],
)
def test_deadlines_are_absolute(sample_rate_hz: float, chunk_rows: int, speed: float) -> None:
    player = ArrayPlayer(DATA, sample_rate_hz, chunk_rows=chunk_rows, speed=speed, loop=True)
    probe = played(player, until_s=2000.5 * chunk_rows / sample_rate_hz / speed)
    assert probe.times_s == pytest.approx(
        [(k + 1) * chunk_rows / sample_rate_hz / speed for k in range(2000)], rel=1e-9
    )


def test_its_speed_may_be_changed_while_it_plays() -> None:
    player = ArrayPlayer(DATA, 100.0, chunk_rows=50)
    probe, status = Probe(), Probe()
    graph = Graphline(
        PLAYER=player, GOT=probe, STATUS=status,
        CHANGES=Feeder([PAUSE(1.01), {"speed": 10.0}, {"speed": 0.0}, PAUSE(100)]),
        links="CHANGES -> PLAYER.settings; PLAYER -> GOT; PLAYER.status -> STATUS",
    )  # fmt: skip
    run_virtual(graph)
    assert probe.times_s[:2] == pytest.approx([0.5, 1.0])
    assert probe.times_s[2:] == pytest.approx([1.01 + (50 * (k + 1) - 1) / 1000 for k in range(18)])
    assert [type(message) for message in status.messages] == [Changed, Refused]


@settings(max_examples=15)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 1100), st.integers(1, 200)), max_size=5),
    chunk_rows=st.integers(1, 150),
    loop=st.booleans(),
)
def test_gaps_leave_out_just_those_rows_and_show_in_the_index(
    gaps: list[tuple[int, int]], chunk_rows: int, loop: bool
) -> None:
    free: list[tuple[int, int]] = []
    for start, rows in sorted(gaps):
        if not free or start >= sum(free[-1]):
            free.append((start, rows))
    player = ArrayPlayer(DATA[:1000], 1000.0, chunk_rows=chunk_rows, gaps=free, loop=loop)
    probe = played(player, until_s=3.0 if loop else None)
    got = np.concatenate([np.arange(chunk.index, chunk.end) for chunk in probe.messages] or [np.empty(0)])
    end = player.index if loop else 1000
    missing = {row for start, rows in free for row in range(start, start + rows)}
    expected = [row for row in range(end) if row not in missing]
    assert got.tolist() == expected
    if expected:
        assert np.array_equal(rows_of(probe.messages), DATA[np.array(expected) % 1000])
    assert player.dropped_rows == len([row for row in missing if row < end])


def test_chunks_dropped_by_chance_are_as_many_as_asked_for_and_counted() -> None:
    def run() -> tuple[list[int], int, int]:
        player = ArrayPlayer(DATA, 1000.0, chunk_rows=1, drop_probability=0.3, seed=4)
        probe, continuity = played(player), Continuity()
        for chunk in probe.messages:
            continuity.missing(chunk)
        return [chunk.index for chunk in probe.messages], player.dropped_rows, continuity.lost

    first = run()
    assert 230 < first[1] < 370
    assert first[1] - 5 <= first[2] <= first[1]  # the last ones may be followed by none
    assert len(first[0]) == 1000 - first[1]
    assert run() == first


def test_jitter_delays_each_chunk_for_itself() -> None:
    probe = played(ArrayPlayer(DATA, 100.0, chunk_rows=10, jitter_s=0.08, seed=2))
    late_s = np.array(probe.times_s) - 0.1 * np.arange(1, 101)
    assert late_s.min() >= -1e-9
    assert late_s.max() < 0.08
    assert late_s.std() > 0.015
    assert np.array_equal(rows_of(probe.messages), DATA)


def test_jitter_longer_than_a_chunk_keeps_the_order() -> None:
    probe = played(ArrayPlayer(DATA, 1000.0, chunk_rows=10, jitter_s=0.5, seed=2))
    assert np.array_equal(rows_of(probe.messages), DATA)
    assert probe.times_s[-1] < 1.5 + 1e-9


def test_unpaced_it_takes_no_time() -> None:
    probe = Probe()
    assert run_virtual(Pipeline(ArrayPlayer(DATA, paced=False, jitter_s=1.0), probe)) == 0.0
    assert np.array_equal(rows_of(probe.messages), DATA)


def test_what_is_played_is_a_copy_and_read_only() -> None:
    data = DATA.copy()
    player = ArrayPlayer(data)
    data[:] = 0
    chunks = played(player).messages
    assert np.array_equal(rows_of(chunks), DATA)
    assert not chunks[0].data.flags.writeable


def test_the_stream_is_described_as_asked_for() -> None:
    info = ArrayPlayer(DATA.astype("<i2"), 250.0, units="uV", scale=0.5, channel_names=("a", "b", "c"), name="x").info
    assert info == StreamInfo(
        kind="analog", dtype=np.dtype("<i2"), shape=(3,), sample_rate_hz=250, units="uV", scale=0.5,
        channel_names=("a", "b", "c"), name="x",
    )  # fmt: skip
    assert ArrayPlayer(np.zeros(5)).info.shape == (1,)
    assert ArrayPlayer(np.zeros(5, "c8")).info.kind == "iq"
    own = StreamInfo(kind="iq", dtype=np.dtype(">i2"), shape=(2,), sample_rate_hz=1e6, facts={"source": "test"})
    assert ArrayPlayer(np.zeros((5, 2), ">i2"), info=own).info is own


def test_the_demo_is_eeg_without_end() -> None:
    player = ArrayPlayer("demo")
    chunks = played(player, until_s=25.0).messages
    info = chunks[0].info
    assert (info.units, info.sample_rate_hz, info.channel_names) == ("uV", 250.0, ("Fp1", "Fp2", "O1", "O2"))
    rows = rows_of(chunks)
    assert len(rows) > 6000
    steps = np.abs(np.diff(rows, axis=0))
    assert steps[2499].max() <= steps[:2499].max()  # the seam is as smooth as the rest
    occipital = np.abs(np.fft.rfft(rows[:2500, 2]))
    assert 9 <= np.argmax(occipital[50:]) / 10 + 5 <= 11  # its largest rhythm above 5 Hz is alpha
    assert 60 < np.abs(rows).max() < 200
    assert not ArrayPlayer("demo", loop=False).loop


def test_demand_starts_it_and_it_goes_on_where_it_was() -> None:
    player, probe = ArrayPlayer(DATA, 100.0, chunk_rows=10), Probe()

    class Wiring(Component):
        def main(self) -> Any:
            yield self.sleep(3.0)
            assert player.index == 0
            link = self.link((player, "outbox"), (probe, "inbox"))
            yield self.sleep(1.05)
            self.unlink(link)
            yield self.sleep(50.0)
            assert 200 <= player.index <= 210
            self.link((player, "outbox"), (probe, "inbox"))

    run_virtual(Wiring(), player, probe)
    assert probe.messages[9].end == 100
    assert probe.messages[10].index in (200, 210)
    assert probe.messages[-1].end == 1000


@pytest.mark.parametrize(
    "make",
    [
        lambda: ArrayPlayer("file.wav"),
        lambda: ArrayPlayer([], loop=True),
        lambda: ArrayPlayer(DATA, 0.0),
        lambda: ArrayPlayer(DATA, chunk_rows=0),
        lambda: ArrayPlayer(DATA, speed=0.0),
        lambda: ArrayPlayer(DATA, speed=float("inf")),
        lambda: ArrayPlayer(DATA, gaps=[(5, 10), (10, 3)]),
        lambda: ArrayPlayer(DATA, gaps=[(5, 0)]),
        lambda: ArrayPlayer(DATA, drop_probability=1.5),
        lambda: ArrayPlayer(DATA, jitter_s=-1.0),
        lambda: ArrayPlayer(np.zeros((2, 3, 4))),
        lambda: ArrayPlayer(np.array(["a"])),
        lambda: ArrayPlayer(DATA, info=StreamInfo(kind="analog", dtype=np.dtype("f4"), shape=(3,), sample_rate_hz=1)),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_it_conforms() -> None:
    check_component(lambda: ArrayPlayer(DATA, chunk_rows=10))
    check_component(lambda: ArrayPlayer(DATA, chunk_rows=10, paced=False))
    check_component(lambda: ArrayPlayer("demo"), ends=False)
