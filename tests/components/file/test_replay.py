"""Replaying: at its speed, in a loop, from anywhere, with the indices and gaps that were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.file.recorder import Recorder
from axonlike.components.file.replay import Replay
from axonlike.components.settable import Refused
from axonlike.components.util import DataSource
from axonlike.errors import UsageError
from axonlike.streams import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual

INFO = StreamInfo(kind="analog", dtype="int16", shape=(1,), sample_rate_hz=100, name="eeg")
BEGAN_NS = 1_700_000_000_000_000_000


def chunk(index: int, rows: int, info: StreamInfo = INFO) -> Chunk:
    values = np.arange(index, index + rows).astype(info.dtype)
    time_ns = BEGAN_NS + round(index / info.sample_rate_hz * 1e9)
    return Chunk(np.stack([values] * info.channels, 1), info, index, time_ns)


def recorded(path: Path, *messages: Any) -> Path:
    Scheduler().run(Pipeline(DataSource(messages), Recorder(path)))
    return path


@pytest.fixture
def run_h5(tmp_path: Path) -> Path:
    """A second from index 10 on, half a second lost, another second."""
    return recorded(tmp_path / "run.h5", chunk(10, 100), chunk(160, 100))


def indices(messages: Sequence[Chunk]) -> list[int]:
    return [index for message in messages for index in range(message.index, message.end)]


def test_chunks_come_when_their_last_row_was_taken(run_h5: Path) -> None:
    probe = Probe()
    took_s = run_virtual(Pipeline(Replay(run_h5, rows=50), probe))
    assert [round(at_s, 6) for at_s in probe.times_s] == [0.5, 1.0, 2.0, 2.5]
    assert [message.index for message in probe.messages] == [10, 60, 160, 210]
    assert took_s == pytest.approx(2.5)
    assert all(message.info == INFO for message in probe.messages)
    assert np.array_equal(probe.messages[2].data, np.arange(160, 210).reshape(-1, 1))


@pytest.mark.parametrize(("speed", "took_s"), [(2.0, 1.25), (0.5, 5.0), (0.0, 0.0)])
def test_its_speed(run_h5: Path, speed: float, took_s: float) -> None:
    probe = Probe()
    assert run_virtual(Pipeline(Replay(run_h5, speed=speed), probe)) == pytest.approx(took_s, abs=1e-3)
    assert indices(probe.messages) == [*range(10, 110), *range(160, 260)]


def test_it_begins_in_the_middle(run_h5: Path) -> None:
    probe = Probe()
    took_s = run_virtual(Pipeline(Replay(run_h5, start_s=2.0, rows=50), probe))
    assert [message.index for message in probe.messages] == [210]
    assert took_s == pytest.approx(0.5)


def test_a_loop_goes_on_counting(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.wav", chunk(10, 100))
    probe, replay = Probe(), Replay(path, loop=True, rows=100)
    run_virtual(Pipeline(replay, probe), until_s=3.5)
    assert [message.index for message in probe.messages] == [10, 110, 210]
    assert all(message.data[0, 0] == 10 for message in probe.messages)


def test_it_is_paused_sped_up_and_sent_elsewhere_while_it_runs(run_h5: Path) -> None:
    replay, probe, status = Replay(run_h5, rows=50), Probe(), Probe()
    settings = Feeder([PAUSE(0.6), {"paused": True}, PAUSE(10), {"paused": False, "speed": 5.0}, {"seek_s": 2.0}])
    replay.link((settings, "outbox"), (replay, "settings"))
    replay.link((replay, "outbox"), (probe, "inbox"))
    replay.link((replay, "status"), (status, "inbox"))
    run_virtual(settings, replay, probe, status)
    assert [message.index for message in probe.messages] == [10, 210]
    assert probe.times_s[0] == pytest.approx(0.5)
    assert probe.times_s[1] == pytest.approx(10.7)
    assert not [message for message in status.messages if isinstance(message, Refused)]


def test_a_setting_that_cannot_be_is_refused_and_nothing_stops(run_h5: Path) -> None:
    replay, probe, status = Replay(run_h5, rows=100), Probe(), Probe()
    settings = Feeder([{"speed": -1}, {"sped": 2}])
    replay.link((settings, "outbox"), (replay, "settings"))
    replay.link((replay, "outbox"), (probe, "inbox"))
    replay.link((replay, "status"), (status, "inbox"))
    run_virtual(settings, replay, probe, status)
    assert len(probe.messages) == 2
    reasons = [message.reason for message in status.messages]
    assert "speed is 0 (as fast as it goes) or more, not -1" in reasons[0]
    assert "did you mean 'speed'" in reasons[1]


def test_one_stream_of_several_or_all_in_the_order_of_their_times(tmp_path: Path) -> None:
    slow = StreamInfo(kind="analog", dtype="float32", shape=(2,), sample_rate_hz=10, name="slow")
    path = recorded(tmp_path / "run.mcap", chunk(0, 100), chunk(0, 10, slow), chunk(100, 100), chunk(10, 10, slow))
    probe = Probe()
    run_virtual(Pipeline(Replay(path, speed=0, rows=10), probe))
    begins = [message.index / message.info.sample_rate_hz for message in probe.messages]
    assert begins == sorted(begins)
    assert len([message for message in probe.messages if message.info == slow]) == 2
    only = Probe()
    run_virtual(Pipeline(Replay(path, speed=0, stream="slow"), only))
    assert {message.info.name for message in only.messages} == {"slow"}
    with pytest.raises(UsageError, match=r"there is no stream 'slo'; did you mean 'slow'\? \(there are: eeg, slow\)"):
        Replay(path, stream="slo")


def test_it_reads_nothing_while_nobody_takes_what_it_sends(run_h5: Path) -> None:
    replay = Replay(run_h5)
    run_virtual(replay)
    assert replay.sent == 0


def test_marks_come_before_the_chunk_that_holds_their_sample(tmp_path: Path) -> None:
    from axonlike.components.file.recording.writer import Mark

    class Both(Component):
        Outboxes = {"events": "marks"}

        def main(self) -> Any:
            self.send(Mark("here", sample=70, of="eeg"), "events")
            self.send(chunk(0, 100))
            yield

    both, recorder = Both(), Recorder(tmp_path / "run.h5")
    recorder.link((both, "outbox"), (recorder, "inbox"))
    recorder.link((both, "events"), (recorder, "events"))
    Scheduler().run(both, recorder)
    replay, probe = Replay(tmp_path / "run.h5", rows=50, speed=0), Probe()
    replay.link((replay, "outbox"), (probe, "inbox"))
    replay.link((replay, "events"), (probe, "inbox"))
    run_virtual(replay, probe)
    assert [type(message).__name__ for message in probe.messages] == ["Chunk", "Mark", "Chunk"]
    assert probe.messages[1].sample == 70


def test_a_recording_that_does_not_fit_a_block_is_told_at_wiring(run_h5: Path) -> None:
    class TakesIQ(Component):
        def __init__(self) -> None:
            self.specify("inbox", type=Chunk, stream=StreamType("iq"))

    with pytest.raises(StreamMismatch, match="kind analog, wanted iq"):
        Pipeline(Replay(run_h5), TakesIQ())


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a recording at all" * 50])
@pytest.mark.parametrize("ending", [".wav", ".h5", ".mcap", ".csv", ".sigmf-meta"])
def test_what_is_no_recording_is_told_so(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"run{ending}"
    path.write_bytes(content)
    path.with_suffix(".sigmf-data").write_bytes(content)
    with pytest.raises(UsageError, match="run"):
        Replay(path)


def test_a_recording_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    for ending in (".wav", ".h5", ".mcap", ".csv", ".sigmf"):
        with pytest.raises(Exception, match="No such file") as caught:
            Replay(tmp_path / f"run{ending}")
        assert "AX" in "".join(getattr(caught.value, "__notes__", []))


def test_it_is_a_component_like_others(run_h5: Path) -> None:
    check_component(lambda: Replay(run_h5))
