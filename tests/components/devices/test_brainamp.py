"""BrainAmp, against the simulated Recorder, which has its own idea of the protocol."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from axonlike import Pipeline, Scheduler
from axonlike.components.devices.brainamp import (
    MARKER,
    BrainAmp,
    MonitoringStarted,
    MonitoringStopped,
)
from axonlike.components.devices.descriptor_source import DeviceGap, DeviceLost, DeviceOpened, DeviceUnavailable
from axonlike.errors import UsageError
from axonlike.simulators.brainamp import ELECTRODES, SimulatedBrainAmp
from axonlike.streams.chunk import Chunk
from axonlike.streams.codec import ChunkDecoder, ChunkEncoder
from axonlike.testing import PAUSE, Feeder, Probe, check_component
from tests.components.devices.source_bench import Bench, rows_of
from tests.components.devices.watcher import HANG_GUARD_S

pytestmark = pytest.mark.net


@pytest.fixture
def recorder() -> Iterator[SimulatedBrainAmp]:
    with SimulatedBrainAmp(sample_rate_hz=5000.0, marker_every_s=0.1) as made:
        yield made


def client(recorder: SimulatedBrainAmp, *, int16: bool = False, **options: Any) -> BrainAmp:
    port = recorder.int16_port if int16 else recorder.float32_port
    return BrainAmp(recorder.host, port, longest_retry_s=0.05, **options)


def has(count: int, log: list[str]) -> bool:
    return len(log) == count


def expected_uv(recorder: SimulatedBrainAmp, first_block: int, rows: int, int16: bool) -> np.ndarray[Any, Any]:
    blocks = -(-rows // recorder.block_rows)
    raw = np.concatenate([recorder.block(first_block + n, int16) for n in range(blocks)])[:rows]
    return np.asarray(raw * np.array(recorder.resolutions_uv), np.float32)


@pytest.mark.parametrize("int16", [False, True])
def test_samples_arrive_in_microvolts(recorder: SimulatedBrainAmp, int16: bool) -> None:
    with Bench(client(recorder, int16=int16)) as bench:
        chunks = bench.chunks.wait_rows(1000)
    info = chunks[0].info
    assert (info.kind, info.units, info.scale) == ("analog", "uV", None)
    assert info.dtype == np.float32
    assert (info.sample_rate_hz, info.channel_names, info.shape) == (5000.0, ELECTRODES, (32,))
    assert [chunk.index for chunk in chunks] == list(range(0, 100 * len(chunks), 100))
    got = rows_of(chunks)
    # The simulator makes no blocks before somebody is there; which is the first one, its noise tells.
    first = next(n for n in range(recorder.blocks) if np.array_equal(expected_uv(recorder, n, 5, int16), got[:5]))
    assert np.array_equal(got, expected_uv(recorder, first, len(got), int16))


@pytest.mark.parametrize("int16", [False, True])
def test_raw_samples_carry_the_resolutions_as_scale(int16: bool) -> None:
    resolutions = tuple(0.1 + 0.01 * k for k in range(32))
    with SimulatedBrainAmp(sample_rate_hz=5000.0, resolutions_uv=resolutions) as recorder:
        with Bench(client(recorder, int16=int16, values="raw")) as bench:
            chunks = bench.chunks.wait_rows(200)
        info = chunks[0].info
        assert info.dtype == ("<i2" if int16 else "<f4")
        assert info.scale == resolutions
        assert info.facts["resolutions_uv"] == list(resolutions)
        assert any(np.array_equal(chunks[0].data, recorder.block(n, int16)) for n in range(recorder.blocks))


def test_resolutions_can_be_left_out(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder, int16=True, resolutions=False)) as bench:
        data = bench.chunks.wait_rows(100)[0].data
    assert np.array_equal(data, np.rint(data))


def test_markers_come_as_events_at_their_rows(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder)) as bench:
        bench.chunks.wait_rows(100)
        recorder.mark("Response", "R128", rows=7, channel=3)
        recorder.mark("Kommentar", "Ä" * 60)
        events = bench.got["markers"].wait_until(lambda chunks: sum(map(len, chunks)) >= 5)
        bench.chunks.wait_rows(max(int(chunk.data["sample"].max()) for chunk in events) + 1)
        statistics = bench.source.rda_statistics()
    assert isinstance(events[0], Chunk)
    assert (events[0].info.kind, events[0].info.dtype) == ("events", MARKER)
    assert [chunk.index for chunk in events] == np.cumsum([0, *map(len, events)])[:-1].tolist()
    every = np.concatenate([chunk.data for chunk in events])
    stimuli = every[every["type"] == b"Stimulus"]
    assert np.diff(stimuli["sample"]).tolist() == [500] * (len(stimuli) - 1)
    assert np.diff(stimuli["value"]).tolist() == [1.0] * (len(stimuli) - 1)
    assert stimuli[0]["description"].startswith(b"S  ")
    assert stimuli[0]["channel"] == -1
    given = every[every["type"] == b"Response"][0]
    assert (given["description"], given["value"], given["rows"], given["channel"]) == (b"R128", 128.0, 7, 3)
    assert given["sample"] % 100 == 0
    assert np.isnan(every[every["type"] == b"Kommentar"][0]["value"])
    assert statistics.shortened_markers == 1


def test_markers_can_be_sent_to_another_process(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder)) as bench:
        chunk = bench.got["markers"].wait_for(Chunk)
    received = ChunkDecoder().decode(*ChunkEncoder().encode(chunk))
    assert received.info.dtype == MARKER
    assert received.data.tobytes() == chunk.data.tobytes()


def test_blocks_that_are_missing_show_in_the_index_to_the_row(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder, int16=True)) as bench:
        bench.chunks.wait_rows(300)
        recorder.drop_blocks(4)
        gap = bench.status.wait_for(DeviceGap)
        chunks = bench.chunks.wait_rows(gap.index + 300)
        statistics = bench.source.rda_statistics()
    assert gap.rows == 400
    before = [chunk for chunk in chunks if chunk.end == gap.index - 400]
    after = [chunk for chunk in chunks if chunk.index == gap.index]
    assert len(before) == len(after) == 1
    assert (statistics.lost_rows, statistics.gaps) == (400, 1)
    first = next(
        n for n in range(recorder.blocks) if np.array_equal(expected_uv(recorder, n, 5, True), chunks[0].data[:5])
    )
    assert np.array_equal(after[0].data, expected_uv(recorder, first + gap.index // 100, 100, True))


def test_after_a_broken_connection_the_recorders_count_tells_what_is_missing(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder, int16=True)) as bench:
        bench.chunks.wait_rows(300)
        recorder.disconnect()
        assert "closed by the Recorder" in bench.status.wait_for(DeviceLost).reason
        gap = bench.status.wait_for(DeviceGap)
        chunks = bench.chunks.wait_rows(gap.index + 100)
    assert bench.status.wait_for(DeviceOpened, 2).times == 2
    assert gap.rows % 100 == 0
    first, after = (
        next(n for n in range(recorder.blocks) if np.array_equal(expected_uv(recorder, n, 5, True), chunk.data[:5]))
        for chunk in (chunks[0], next(chunk for chunk in chunks if chunk.index == gap.index))
    )
    assert (after - first) * 100 == gap.index


def test_a_recorder_that_begins_anew_makes_a_gap_by_time(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder)) as bench:
        bench.chunks.wait_rows(300)
        recorder.stop_monitoring()
        bench.status.wait_for(MonitoringStopped)
        recorder.start_monitoring()
        assert bench.status.wait_for(MonitoringStarted, 2) == MonitoringStarted(ELECTRODES, 5000.0)
        gap = bench.status.wait_for(DeviceGap)
        chunks = bench.chunks.wait_rows(gap.index + 200)
    assert gap.rows >= 1
    assert "time" in gap.reason
    assert all(a.end == b.index for a, b in zip(chunks, chunks[1:]) if b.index != gap.index)


def test_another_number_of_channels_is_another_stream() -> None:
    with SimulatedBrainAmp(sample_rate_hz=5000.0) as recorder:
        port = recorder.float32_port
        source = BrainAmp(recorder.host, port, longest_retry_s=0.05)
        with Bench(source) as bench:
            bench.chunks.wait_rows(200)
            recorder.close()
            bench.status.wait_for(DeviceUnavailable)
            with SimulatedBrainAmp(float32_port=port, channel_names=("Cz", "Pz"), sample_rate_hz=1000.0, block_rows=10):
                bench.status.wait_for(DeviceGap)
                chunks = bench.chunks.wait_more()
    assert chunks[-1].info.channel_names == ("Cz", "Pz")
    assert chunks[-1].info.sample_rate_hz == 1000.0
    ends = [chunk.end for chunk in chunks if chunk.info.channels == 32]
    assert next(chunk.index for chunk in chunks if chunk.info.channels == 2) > ends[-1]


def test_garbage_and_malformed_messages_are_passed_over(
    recorder: SimulatedBrainAmp, caplog: pytest.LogCaptureFixture
) -> None:
    with Bench(client(recorder)) as bench:
        bench.chunks.wait_rows(300)
        recorder.send_raw(b"no RDA at all" + recorder.block_message(0, False)[:24] + bytes(5))
        bench.chunks.wait_more()
        recorder.send_raw(
            recorder.start_message()[:20] + b"\x04\0\0\0"  # a data message of this size that ends after its header
            + recorder.start_message()[24:]
        )  # fmt: skip
        bench.chunks.wait_until(lambda chunks: chunks[-1].end > 3000)
        statistics = bench.source.rda_statistics()
    assert statistics.discarded_bytes >= len(b"no RDA at all")
    assert statistics.malformed >= 1
    assert statistics.connections == 1
    assert "malformed message" in caplog.text


def test_a_server_that_is_no_recorder_is_given_up_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(HANG_GUARD_S)

        def talk() -> None:
            for _ in range(2):
                sock, _address = server.accept()
                with sock:
                    try:
                        while True:
                            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 1000)
                    except OSError:
                        pass

        thread = threading.Thread(target=talk)
        thread.start()
        with Bench(BrainAmp("127.0.0.1", server.getsockname()[1], longest_retry_s=0.05)) as bench:
            assert "no RDA" in bench.status.wait_for(DeviceLost, 2).reason
        thread.join()
    assert bench.chunks.messages == []


def test_a_recorder_that_is_not_there_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Bench(BrainAmp("127.0.0.1", port, longest_retry_s=0.05)) as bench:
        assert "nobody listens" in bench.status.wait_for(DeviceUnavailable).reason
        with SimulatedBrainAmp(float32_port=port):
            bench.chunks.wait_rows(20)
            assert bench.status.messages[0].device == f"127.0.0.1:{port}"


def test_a_name_that_nobody_knows_is_told() -> None:
    with Bench(BrainAmp("no-such-host.invalid", longest_retry_s=0.05)) as bench:
        assert bench.status.wait_for(DeviceUnavailable).reason


def test_it_is_connected_only_while_it_is_wanted(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder), wanted=False) as bench:
        assert recorder.log.words == []
        for times in (1, 2):
            bench.want()
            bench.status.wait_for(DeviceOpened, times)
            bench.chunks.wait_more()
            bench.unwant()
            recorder.log.wait_for(partial(has, 2 * times))
        assert recorder.log.words == ["connected", "disconnected"] * 2


def test_its_markers_alone_are_worth_connecting(recorder: SimulatedBrainAmp) -> None:
    with Bench(client(recorder), wanted=False) as bench:
        bench.want("markers")
        bench.status.wait_for(DeviceOpened)
        bench.unwant()
        recorder.log.wait_for(partial(has, 2))


def test_where_nobody_takes_its_samples_a_run_ends_and_nothing_was_opened(recorder: SimulatedBrainAmp) -> None:
    source = client(recorder)
    Scheduler().run(source)
    assert recorder.log.words == []


def test_the_end_of_what_feeds_its_inbox_ends_it() -> None:
    probe = Probe()
    Scheduler().run(Pipeline(Feeder([PAUSE(0.2)]), BrainAmp("demo"), probe))
    assert probe.ended_by == "finished"


@pytest.mark.parametrize(
    "options", [{"host": ""}, {"port": 0}, {"port": True}, {"port": 70000}, {"values": "mV"}]
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="BrainAmp: "):
        BrainAmp(**options)


def test_it_conforms(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    check_component(lambda: BrainAmp("demo"), ends=False)
    check_component(lambda: BrainAmp("127.0.0.1", 9, longest_retry_s=0.02), ends=False)
