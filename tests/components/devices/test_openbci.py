"""OpenBCI, against the simulated board, which BrainFlow takes for one too (tests/simulators/test_openbci.py)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from axonlike import Pipeline, Scheduler
from axonlike.components.devices.descriptor_source import DeviceGap
from axonlike.components.devices.openbci import BoardAnswered, BoardReady, BoardSilent, OpenBCI
from axonlike.components.devices.openbci_protocol import uv_per_count
from axonlike.components.devices.serial import SerialLost, SerialOpened
from axonlike.components.settable import Changed, Refused
from axonlike.errors import ComponentError, DeviceError, UsageError
from axonlike.simulators.openbci import SimulatedOpenBCI
from axonlike.simulators.serial_device import SimulatedSerialDevice
from axonlike.streams.chunk import Chunk
from axonlike.testing import PAUSE, Feeder, Probe, check_component
from tests.components.devices.source_bench import Bench, rows_of
from tests.components.devices.test_openbci_protocol import board


@pytest.fixture
def cyton() -> Iterator[SimulatedOpenBCI]:
    with SimulatedOpenBCI() as made:
        yield made


def opened(simulator: SimulatedSerialDevice, **options: Any) -> OpenBCI:
    # On a busy machine the board must not seem silent, except to a test of just that.
    return OpenBCI(simulator.path, longest_wait_s=0.05, **{"answer_timeout_s": 10.0, "stall_s": 10.0, **options})


def counts_of(simulator: SimulatedOpenBCI, row: int) -> np.ndarray[Any, Any]:
    """What the board measures at this row, from the frames that it makes of it."""

    def channels(number: int) -> list[int]:
        made = simulator.frame(number)
        return [int.from_bytes(made[2 + 3 * k : 5 + 3 * k], "big", signed=True) for k in range(8)]

    if simulator.daisy:
        return np.array(channels(2 * row + 1) + channels(2 * row))
    return np.array(channels(row))


def measured(simulator: SimulatedOpenBCI, chunk: Chunk) -> np.ndarray[Any, Any]:
    return np.array([counts_of(simulator, row) for row in range(chunk.index, chunk.end)])


def stopped(times: int, commands: list[str]) -> bool:
    return commands.count("s") == times


def wait_commands(simulator: SimulatedOpenBCI, *wanted: str) -> None:
    simulator.commands.wait_for(lambda commands: commands[-len(wanted) :] == list(wanted))


def wait_gap(bench: Bench, wanted: Callable[[DeviceGap], bool]) -> DeviceGap:
    """The first gap of this kind."""

    def found(messages: list[Any]) -> list[DeviceGap]:
        return [message for message in messages if isinstance(message, DeviceGap) and wanted(message)]

    return found(bench.status.wait_until(found))[0]


@pytest.mark.parametrize("daisy", [False, True])
def test_it_finds_out_whether_there_is_a_daisy_and_streams_microvolts(daisy: bool) -> None:
    with SimulatedOpenBCI(daisy=daisy) as simulator, Bench(opened(simulator)) as bench:
        ready = bench.status.wait_for(BoardReady)
        chunks = bench.chunks.wait_rows(60)
    assert (ready.daisy, "Firmware: v3.1.2" in ready.report) == (daisy, True)
    info = chunks[0].info
    assert (info.units, info.channels) == ("uV", 16 if daisy else 8)
    assert info.dtype == np.float32
    assert info.sample_rate_hz == (125.0 if daisy else 250.0)
    assert info.channel_names[:3] == ("Fp1", "Fp2", "C3")
    assert chunks[0].index == 0
    for chunk in chunks:
        expected = measured(simulator, chunk) * uv_per_count(24)
        assert np.array_equal(chunk.data, expected.astype(np.float32))
    assert simulator.commands.words == ["s", "v", "b", "s"][: len(simulator.commands.words)]


def test_raw_values_are_the_converters_counts(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton, values="raw", gain=[1, 2, 4, 6, 8, 12, 24, 24])) as bench:
        chunks = bench.chunks.wait_rows(20)
    assert chunks[0].info.dtype == np.int32
    assert chunks[0].info.scale == tuple(uv_per_count(gain) for gain in (1, 2, 4, 6, 8, 12, 24, 24))
    assert chunks[0].info.facts["gains"] == [1, 2, 4, 6, 8, 12, 24, 24]
    for chunk in chunks:
        assert np.array_equal(chunk.data, measured(cyton, chunk))


def test_settings_and_commands_are_sent_before_it_streams(cyton: SimulatedOpenBCI) -> None:
    source = opened(cyton, gain=12, off_channels=(8,), commands=["/2", "z101Z"], daisy=False, test_signal="slow")
    with Bench(source) as bench:
        bench.chunks.wait_rows(10)
        aux = rows_of(bench.got["aux"].wait_rows(10))
    assert cyton.commands.words[:13] == [
        "s", "v", "c", *(f"x{n}050110X" for n in range(1, 8)), "x8150110X", "-", "/2",
    ]  # fmt: skip
    assert aux[0].tolist() == [0.0, 0.0, 0.0]
    assert (aux[:, 1] == aux[:, 0] * 3).all()
    assert [m.text for m in bench.status.messages if isinstance(m, BoardAnswered)][-1] == "Success: Lead off set for 1"


def test_settings_can_be_changed_while_it_streams(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton)) as bench:
        bench.chunks.wait_rows(10)
        bench.put({"gain": 6}, "settings")
        cyton.commands.wait_for(lambda commands: "x8030110X" in commands)
        bench.chunks.wait_until(lambda chunks: chunks[-1].info.facts["gains"] == [6] * 8)
        bench.put({"test_signal": "ground"}, "settings")
        wait_commands(cyton, "0")
        bench.chunks.wait_until(lambda chunks: not chunks[-1].data.any())
        bench.put({"test_signal": None, "off_channels": [1, 3]}, "settings")
        cyton.commands.wait_for(lambda commands: commands.count("x3130110X") == 1)
        bench.put({"gain": 5}, "settings")
        bench.put({"off_channels": [0]}, "settings")
        bench.put({"test_signal": "loud"}, "settings")
        bench.status.wait_for(Refused, 3)
    assert len([m for m in bench.status.messages if isinstance(m, Changed)]) == 3
    assert bench.source.off_channels == (1, 3)


def test_commands_in_its_inbox_go_to_the_board_and_gains_follow(cyton: SimulatedOpenBCI) -> None:
    feeder = Feeder(["x1000110X", b"/2", "<", PAUSE(0.2), "x2000110X"])
    with Bench(opened(cyton), feeds={"inbox": feeder}) as bench:
        # Those that came before the board had been reset are sent after it.
        bench.chunks.wait_until(lambda chunks: chunks and chunks[-1].info.facts["gains"][:2] == [1, 1])
        bench.got["board_time"].wait_rows(1)
        cyton.commands.wait_for(lambda commands: "x2000110X" in commands)  # the gain follows when it is sent
    assert cyton.commands.words[:3] == ["s", "v", "b"]
    assert cyton.commands.words[3:7] == ["x1000110X", "/2", "<", "x2000110X"]


def test_acceleration_and_the_boards_clock_come_beside_the_samples(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton)) as bench:
        bench.chunks.wait_rows(30)
        acceleration = bench.got["accelerometer"].wait_rows(30)
        bench.put("<", "inbox")
        times = bench.got["board_time"].wait_rows(40)
    assert [chunk.index for chunk in acceleration[:3]] == [chunk.index for chunk in bench.chunks.messages[:3]]
    assert acceleration[0].info.units == "g"
    assert np.allclose(rows_of(acceleration)[:10, 2], 1.0)
    assert times[0].info.units == "s"
    assert all(np.allclose(np.diff(chunk.data[:, 0]), 0.004) for chunk in times)


def test_frames_that_the_radio_loses_show_in_the_index(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton)) as bench:
        bench.chunks.wait_rows(20)
        cyton.lose_frames(7)
        gap = wait_gap(bench, lambda gap: gap.rows >= 7)  # on a busy machine the terminal loses some by itself
        chunks = bench.chunks.wait_rows(gap.index + 10)
        statistics = bench.source.openbci_statistics()
    after = next(chunk for chunk in chunks if chunk.index == gap.index)
    assert np.array_equal(
        after.data[0], (counts_of(cyton, gap.index) * uv_per_count(24)).astype(np.float32)
    )  # fmt: skip
    assert statistics.lost_rows >= 7
    assert statistics.gaps >= 1


def test_it_goes_on_after_unplugging(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton)) as bench:
        before = bench.chunks.wait_rows(20)[-1].end
        cyton.unplug()
        bench.status.wait_for(SerialLost)
        cyton.plug()
        assert bench.status.wait_for(SerialOpened, 2).times == 2
        bench.status.wait_for(BoardReady, 2)
        gap = wait_gap(bench, lambda gap: gap.index > before)
        bench.chunks.wait_rows(gap.index + 20)
    assert gap.rows >= 1


def test_a_board_that_falls_silent_is_told_and_begun_again(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton, stall_s=0.2, answer_timeout_s=0.3)) as bench:
        bench.chunks.wait_rows(20)
        cyton.switch_off()
        bench.status.wait_for(BoardSilent)
        cyton.switch_on()
        bench.status.wait_for(BoardReady, 2)
        gap = wait_gap(bench, lambda gap: gap.rows >= 40)
        bench.chunks.wait_rows(gap.index + 5)
        statistics = bench.source.openbci_statistics()
    assert statistics.silences >= 1
    assert statistics.opened == 1


def test_a_port_without_a_board_is_told_once() -> None:
    with SimulatedSerialDevice() as device, Bench(opened(device, answer_timeout_s=0.02)) as bench:
        device.wait_received(10)
        assert len([m for m in bench.status.messages if isinstance(m, BoardSilent)]) == 1
    assert device.received.startswith(b"svsvsv")


def test_it_can_listen_without_a_word() -> None:
    with SimulatedSerialDevice() as device:
        with Bench(opened(device, listen_only=True, daisy=True)) as bench:
            bench.status.wait_for(SerialOpened)
            device.emit(b"".join(board(100)))
            chunks = bench.chunks.wait_rows(50)
        assert device.received == b""
    assert chunks[0].info.channels == 16


def test_noise_on_the_line_is_counted() -> None:
    with SimulatedSerialDevice() as device:
        with Bench(opened(device, listen_only=True)) as bench:
            bench.status.wait_for(SerialOpened)
            frames = board(60)
            device.emit(b"".join(frames[:20]) + b"noise" + b"".join(frames[20:40])[:-1] + b"".join(frames[40:]))
            bench.chunks.wait_rows(60)
            statistics = bench.source.openbci_statistics()
    assert (statistics.rows, statistics.lost_rows, statistics.discarded_bytes) == (59, 1, 5 + 32)


def test_it_is_open_only_while_it_is_wanted(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton), wanted=False) as bench:
        for times in (1, 2):
            bench.want()
            bench.status.wait_for(BoardReady, times)
            bench.chunks.wait_more()
            bench.unwant()
            cyton.commands.wait_for(partial(stopped, 2 * times))
            assert cyton.streaming is False
        assert cyton.commands.words == ["s", "v", "b", "s"] * 2


@pytest.mark.parametrize("outbox", ["accelerometer", "aux", "board_time"])
def test_what_is_beside_the_samples_opens_it_too(cyton: SimulatedOpenBCI, outbox: str) -> None:
    with Bench(opened(cyton), wanted=False) as bench:
        bench.want(outbox)
        bench.status.wait_for(BoardReady)


def test_the_board_is_told_to_stop_at_the_end(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton)) as bench:
        bench.chunks.wait_rows(10)
    wait_commands(cyton, "s")


def test_where_nobody_takes_its_samples_a_run_ends(cyton: SimulatedOpenBCI) -> None:
    Scheduler().run(opened(cyton))
    assert cyton.commands.words == []


def test_a_daisy_that_is_not_there_is_an_error(cyton: SimulatedOpenBCI) -> None:
    with pytest.raises(ComponentError, match="no Daisy") as caught:
        Scheduler().run(Pipeline(opened(cyton, daisy=True), Probe()))
    assert isinstance(caught.value.cause, DeviceError)


def test_channel_names_have_to_be_as_many_as_the_channels(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton, channel_names=tuple("abcdefgh"))) as bench:
        assert bench.chunks.wait_rows(1)[0].info.channel_names == tuple("abcdefgh")
    with pytest.raises(UsageError, match="3 channel names for 8"):
        opened(cyton, channel_names="abc", daisy=False)
    with pytest.raises(ComponentError, match="has 8 channels"):
        Scheduler().run(Pipeline(opened(cyton, channel_names="abc"), Probe()))


@pytest.mark.parametrize(
    "options",
    [
        {"gain": 3}, {"gain": [24] * 9}, {"gain": "24"}, {"off_channels": [17]}, {"test_signal": "loud"},
        {"values": "V"}, {"commands": "vd"}, {"commands": ["é"]}, {"commands": [7]},
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        OpenBCI("demo", **options)


def test_the_end_of_its_commands_does_not_end_it(cyton: SimulatedOpenBCI) -> None:
    with Bench(opened(cyton), feeds={"inbox": Feeder(["/2"])}) as bench:
        cyton.commands.wait_for(lambda commands: "/2" in commands)
        bench.chunks.wait_rows(50)


def test_it_conforms(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    check_component(lambda: OpenBCI("demo"), messages=["/2", "1", "!"], ends=False)
    check_component(lambda: OpenBCI("/dev/no-such-port", longest_wait_s=0.02), ends=False)
