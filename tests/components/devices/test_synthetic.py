"""Noise and Tone: the samples, their pace, and what can be changed while they run. All in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Component, Graphline, Pipeline
from axonlike.components.devices.source import PacedSource
from axonlike.components.devices.synthetic import Noise, Tone
from axonlike.components.settable import Changed, Refused
from axonlike.errors import UsageError, WiringError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamType
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual


def chunks_of(source: PacedSource, until_s: float | None = None) -> list[Chunk]:
    probe = Probe()
    run_virtual(Pipeline(source, probe), until_s=until_s)
    return probe.messages


def samples_of(source: PacedSource, until_s: float | None = None) -> np.ndarray:
    chunks = chunks_of(source, until_s)
    assert all(one.end == two.index for one, two in zip(chunks, chunks[1:]))
    return np.concatenate([chunk.data for chunk in chunks])


# -- the samples


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from(["float32", "float64"]))
def test_the_same_seed_gives_the_same_noise_however_it_is_cut(one: int, other: int, dtype: Any) -> None:
    def noise(rows: int) -> np.ndarray:
        source = Noise(channels=3, seed=5, rows=1000, paced=False, dtype=dtype)
        return np.concatenate([source.rows_at(k, min(rows, 1000 - k)) for k in range(0, 1000, rows)])

    assert np.array_equal(noise(one), noise(other))


def test_noise_is_gaussian_and_as_large_as_was_said() -> None:
    noise = samples_of(Noise(channels=2, amplitude=(1.0, 0.25), rows=200_000, chunk_rows=10_000, seed=1, paced=False))
    assert noise.shape == (200_000, 2)
    assert noise.std(axis=0) == pytest.approx([1.0, 0.25], rel=0.01)
    assert noise.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.01)
    assert np.mean(np.abs(noise[:, 0]) < 1.0) == pytest.approx(0.6827, abs=0.005)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.01
    assert not np.array_equal(
        noise, samples_of(Noise(channels=2, rows=200_000, chunk_rows=10_000, seed=2, paced=False))
    )


def test_a_tone_is_the_sine_that_was_asked_for() -> None:
    tone = samples_of(
        Tone((10.0, 20.0), channels=2, sample_rate_hz=1000, amplitude=(1.0, 0.5), offset=(0.0, 2.0),
             phase=(0.0, np.pi / 2), rows=3000, chunk_rows=17, paced=False, dtype="float64")
    )  # fmt: skip
    t_s = np.arange(3000) / 1000
    expected = np.stack([np.sin(2 * np.pi * 10 * t_s), 2 + 0.5 * np.cos(2 * np.pi * 20 * t_s)], axis=1)
    assert np.abs(tone - expected).max() < 1e-9


def test_a_tone_keeps_its_phase_after_years() -> None:
    tone = Tone(440.0, sample_rate_hz=48000, dtype="float64", amplitude=1.0)
    years = 48000 * 86400 * 1000
    assert np.abs(tone.rows_at(years, 48000) - tone.rows_at(0, 48000)).max() < 1e-3


def test_a_new_frequency_begins_at_the_old_ones_phase() -> None:
    tone = Tone(12.7, sample_rate_hz=1000, rows=1000, chunk_rows=100, dtype="float64", amplitude=1.0)
    probe, status = Probe(), Probe()
    graph = Graphline(
        CHANGES=Feeder([PAUSE(0.55), {"frequency_hz": 30.0, "amplitude": 2.0}]),
        TONE=tone, GOT=probe, STATUS=status,
        links="CHANGES -> TONE.settings; TONE -> GOT; TONE.status -> STATUS",
    )  # fmt: skip
    run_virtual(graph)
    got = np.concatenate([chunk.data[:, 0] for chunk in probe.messages])
    t_s = np.arange(500) / 1000
    assert np.abs(got[:500] - np.sin(2 * np.pi * 12.7 * t_s)).max() < 1e-9
    assert np.abs(got[500:] - 2 * np.sin(2 * np.pi * (12.7 * 0.5 + 30 * t_s))).max() < 1e-9
    assert status.messages == [Changed({"frequency_hz": 30.0, "amplitude": 2.0})]


def test_a_setting_that_makes_no_sense_is_refused_and_changes_nothing() -> None:
    tone = Tone(10.0, channels=2, sample_rate_hz=1000, rows=1000)
    probe, status = Probe(), Probe()
    messages = [{"frequency_hz": (1.0, 2.0, 3.0)}, {"amplitude": "loud"}, {"volume": 1}, {"amplitude": np.nan}]
    graph = Graphline(
        CHANGES=Feeder([*messages, PAUSE(100)]), TONE=tone, GOT=probe, STATUS=status,
        links="CHANGES -> TONE.settings; TONE -> GOT; TONE.status -> STATUS",
    )  # fmt: skip
    run_virtual(graph)
    assert [type(message) for message in status.messages] == [Refused] * 4
    assert "2 of them, one for each channel" in status.messages[0].reason
    assert tone.frequency_hz.tolist() == [10.0, 10.0]


def test_noise_may_be_added_to_a_tone() -> None:
    tone = samples_of(Tone(10.0, noise=0.1, amplitude=0.0, rows=100_000, chunk_rows=10_000, seed=3, paced=False))
    assert tone.std() == pytest.approx(0.1, rel=0.02)


# -- the pace


def test_each_chunk_comes_when_its_last_row_is_due() -> None:
    probe = Probe()
    run_virtual(Pipeline(Noise(sample_rate_hz=1000, chunk_rows=30, rows=100), probe))
    assert probe.times_s == pytest.approx([0.03, 0.06, 0.09, 0.1])
    assert [(chunk.index, len(chunk)) for chunk in probe.messages] == [(0, 30), (30, 30), (60, 30), (90, 10)]


def test_a_day_does_not_drift() -> None:
    probe = Probe()
    run_virtual(Pipeline(Noise(sample_rate_hz=3, chunk_rows=100, rows=3 * 86400), probe))
    assert probe.times_s == pytest.approx([100 * (k + 1) / 3 for k in range(2592)], rel=1e-12)


def test_what_held_it_up_does_not_put_off_what_follows_nor_lose_a_row() -> None:
    class Busy(Probe):
        def main(self) -> Any:
            self.configure_inbox("inbox", limit=1)
            yield self.sleep(5.0)
            yield from super().main()

    probe = Busy()
    run_virtual(Pipeline(Noise(sample_rate_hz=1000, chunk_rows=100, rows=10_000), probe))
    assert [chunk.index for chunk in probe.messages] == list(range(0, 10_000, 100))
    assert probe.times_s[-40:] == pytest.approx([6.1 + 0.1 * k for k in range(40)])


def test_unpaced_it_takes_no_time_and_is_held_by_its_receiver() -> None:
    assert run_virtual(Pipeline(Noise(rows=100_000, chunk_rows=10, paced=False), Probe())) == 0.0
    stalled = Stalled(limit=3)
    source = Noise(chunk_rows=10, paced=False)
    run_virtual(Pipeline(source, stalled), until_s=1.0)
    assert source.index <= 50


def test_the_times_of_chunks_are_those_of_their_first_rows() -> None:
    chunks = chunks_of(Noise(sample_rate_hz=1000, chunk_rows=30, rows=100))
    times_ns = [chunk.time_ns or 0 for chunk in chunks]
    assert [time_ns - times_ns[0] for time_ns in times_ns] == [0, 30_000_000, 60_000_000, 90_000_000]


# -- demand, ends, wiring


def test_it_works_only_while_somebody_takes_its_chunks_and_goes_on_where_it_was() -> None:
    source, probe = Noise(sample_rate_hz=1000, chunk_rows=100), Probe()
    seen: list[int] = []

    class Wiring(Component):
        def main(self) -> Any:
            yield self.sleep(5.05)
            seen.append(source.index)
            link = self.link((source, "outbox"), (probe, "inbox"))
            yield self.sleep(1.0)
            seen.append(len(probe.messages))
            self.unlink(link)
            yield self.sleep(10.0)
            seen.append(source.index)
            self.link((source, "outbox"), (probe, "inbox"))
            yield self.sleep(1.0)

    wiring = Wiring()
    wiring.link((wiring, "outbox"), (source, "inbox"))
    run_virtual(wiring, source, probe)
    assert seen[0] == 0
    assert seen[1] in (9, 10)
    assert 1800 <= seen[2] <= 2100  # it lingers for a second
    assert probe.messages[-1].end > seen[2]


def test_it_ends_with_what_feeds_it() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder([PAUSE(1.05)]), Noise(sample_rate_hz=1000, chunk_rows=100), probe))
    assert probe.ended_by == "finished"
    assert len(probe.messages) == 10


def test_a_consumer_of_another_stream_is_refused_at_wiring() -> None:
    class Eight(Component):
        Inboxes = {"inbox": Box("chunks", Chunk, stream=StreamType(channels=8, sample_rate_hz=250))}

    with pytest.raises(WiringError, match=r"channels 4, wanted 8; sample rate 1000 Hz, wanted 250 Hz"):
        Pipeline(Noise(channels=4, sample_rate_hz=1000), Eight())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(channels=0),
        lambda: Noise(sample_rate_hz=0),
        lambda: Noise(sample_rate_hz=-5),
        lambda: Noise(chunk_rows=0),
        lambda: Noise(rows=-1),
        lambda: Noise(dtype="int16"),  # type: ignore[arg-type]
        lambda: Noise(channels=2, amplitude=(1, 2, 3)),
        lambda: Noise(channel_names=("a", "b")),
        lambda: Tone(float("inf")),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("made", [Noise, Tone])
def test_both_conform(made: Callable[..., PacedSource]) -> None:
    check_component(lambda: made(sample_rate_hz=1000, rows=2000))
    check_component(lambda: made(sample_rate_hz=1000, rows=2000, paced=False))
    check_component(lambda: made(sample_rate_hz=1000), ends=False)
