"""The blocking and the asyncio face against the simulator: what works, and each way in which it can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from axonlike.components.devices.wsa4000 import dialogue as say
from axonlike.components.devices.wsa4000.aio import AsyncWSA4000
from axonlike.components.devices.wsa4000.blocking import BlockingWSA4000, connect
from axonlike.components.devices.wsa4000.context import Indicated, Missing
from axonlike.components.devices.wsa4000.dialogue import Locks
from axonlike.components.devices.wsa4000.errors import (
    BadReply,
    CannotReach,
    CommandRefused,
    ConnectionLost,
    Desynchronised,
    DeviceInUse,
    NoData,
    NoReply,
    WSA4000Error,
)
from axonlike.components.devices.wsa4000.scpi import NUMBER, fields
from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry, Trigger
from axonlike.errors import UsageError
from axonlike.simulators.wsa4000 import Quirks, SimulatedWSA4000
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch

_N = np.arange(1 << 20)
RAMP = np.stack([_N % 4096, _N // 4096], axis=1)
"""Samples that tell their position."""


class Face:
    """Either face under one set of names that block."""

    def __init__(self, wsa: BlockingWSA4000 | AsyncWSA4000, runner: asyncio.Runner | None) -> None:
        self.wsa = wsa
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.wsa, name)
        if self._runner is None or not asyncio.iscoroutinefunction(found):
            return found
        return lambda *a, **k: self._runner.run(found(*a, **k))

    def collect(self, chunks: Callable[[Any], Any], samples: float = 1e12, seen: Callable[[Chunk], Any] = bool) -> Any:
        """The chunks of an iterator, until there are so many samples."""
        found: list[Chunk] = []

        def enough(chunk: Chunk) -> bool:
            found.append(chunk)
            seen(chunk)
            return sum(map(len, found)) >= samples

        if self._runner is None:
            with contextlib.closing(chunks(self.wsa)) as iterator:
                for chunk in iterator:
                    if enough(chunk):
                        break
            return found

        async def collect() -> None:
            async with contextlib.aclosing(chunks(self.wsa)) as iterator:
                async for chunk in iterator:
                    if enough(chunk):
                        break

        self._runner.run(collect())
        return found

    def stream(self, samples: float, seen: Callable[[Chunk], Any] = bool) -> list[Chunk]:
        return self.collect(lambda wsa: wsa.stream(), samples, seen)  # type: ignore[no-any-return]

    def shut(self) -> None:
        if self._runner is None:
            self.wsa.close()  # type: ignore[union-attr]
        else:
            self.aclose()


@contextlib.contextmanager
def opened(kind: str, sim: SimulatedWSA4000, **options: Any) -> Iterator[Face]:
    options = {"reply_timeout_s": 5.0, "read_timeout_s": 5.0, "reply_gap_s": 0.01, **options}
    where = sim.host, sim.scpi_port, sim.vrt_port
    if kind == "blocking":
        with connect(*where, **options) as wsa:
            yield Face(wsa, None)
        return
    with asyncio.Runner() as runner:

        async def make() -> AsyncWSA4000:
            made = AsyncWSA4000(*where, **options)
            await made.open()
            return made

        face = Face(runner.run(make()), runner)
        try:
            yield face
        finally:
            face.shut()


@pytest.fixture(params=["blocking", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sim() -> Iterator[SimulatedWSA4000]:
    with SimulatedWSA4000(samples=RAMP, paced=False, start_time_s=1_700_000_000) as made:
        yield made


def in_place(chunks: list[Chunk]) -> bool:
    base = chunks[0].index - (int(chunks[0].data[0, 0]) + 4096 * int(chunks[0].data[0, 1]))
    for chunk in chunks:
        positions = chunk.data[:, 0].astype(int) + 4096 * chunk.data[:, 1].astype(int)
        if not np.array_equal(positions, (np.arange(chunk.index, chunk.end) - base) % len(RAMP)):
            return False
    return True


# -- what works


def test_it_says_who_it_is_and_what_is_set(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        assert face.identity.model == "WSA4000 v3"
        face.configure(
            center_frequency_hz=2441.5e6, frequency_shift_hz=1e6, decimation=8, rf_gain="med", if_gain_db=-3, antenna=2,
            preselect=True, reference="EXT", samples_per_packet=512, packets_per_block=7,
            trigger=Trigger(2.44e9, 2.45e9, -60.5),
        )  # fmt: skip
        assert (sim.state.center_hz, sim.state.rf_gain, sim.state.spp) == (2_441_500_000, "MED", 512)
        assert face.read_settings() == Settings(
            center_frequency_hz=2_441_500_000, frequency_shift_hz=1e6, decimation=8, rf_gain="MED", if_gain_db=-3,
            antenna=2, preselect=True, reference="EXT", samples_per_packet=512, packets_per_block=7,
            trigger=Trigger(2.44e9, 2.45e9, -60.5),
        )  # fmt: skip
        assert face.locks() == Locks(rf=True, reference=True)
        assert face.ask(":TRACE:BLOCK:PACKETS? MAX", NUMBER) == str((128 << 20) // (4 * 518))


def test_blocks_are_one_chunk_each_without_a_gap(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        face.configure(decimation=10, samples_per_packet=1024, packets_per_block=50)
        first, second = face.capture(), face.capture()
        assert (len(first), len(second)) == (51200, 51200)
        assert second.index > first.end  # some time passes between
        assert (first.data[0].tolist(), first.data[-1].tolist()) == ([0, 0], [2047, 12])
        assert first.info.sample_rate_hz == 12.5e6
        assert not face.events


@pytest.mark.parametrize("spp", [128, 1024, 65520])
def test_a_stream_is_whole(kind: str, sim: SimulatedWSA4000, spp: int) -> None:
    with opened(kind, sim) as face:
        face.configure(samples_per_packet=spp, decimation=4)
        chunks = face.stream(1_000_000)
        assert in_place(chunks)
        assert face.statistics.missing_samples == 0
        again = face.stream(100_000)  # a fresh one, though the pipe is full of the first
        assert again[0].data[0].tolist() == [0, 0]
        assert in_place(again)
        assert again[0].index > chunks[-1].end
        assert sim.count("stream_start") == 2


def test_a_sweep_goes_through_its_entries(kind: str, sim: SimulatedWSA4000) -> None:
    entries = [
        SweepEntry(start_hz=2.4e9, stop_hz=2.5e9, step_hz=50e6, packets_per_step=3),
        SweepEntry(start_hz=1e9, stop_hz=1e9, decimation=4, samples_per_packet=256),
    ]
    with opened(kind, sim) as face:
        chunks = face.collect(lambda wsa: wsa.sweep(entries, iterations=2))
        centers = [c.info.facts["center_frequency_hz"] for c in chunks]
        steps = [center for center, _ in itertools.groupby(centers)]
        assert steps == [2.4e9, 2.45e9, 2.5e9, 1e9] * 2
        assert sum(map(len, chunks)) == 2 * (3 * 3 * 1024 + 256)
        assert chunks[-1].info.sample_rate_hz == 125e6 / 4
        assert not face.events
        assert face.ask(":SWEEP:ENTRY:READ? 2", fields(13)) == (
            "1000000000,1000000000,90000000,0,4,1,HIGH,0,256,1,0,0,NONE"
        )


def test_a_sweep_whose_trigger_does_not_come_ends_with_its_dwell_times(kind: str, sim: SimulatedWSA4000) -> None:
    sim.trigger_delay_s = None
    entry = SweepEntry(start_hz=1e9, stop_hz=1e9, dwell_s=0.05, trigger=Trigger(1e9, 1.1e9, -50))
    with opened(kind, sim, read_timeout_s=0.3) as face:
        assert face.collect(lambda wsa: wsa.sweep([entry])) == []


def test_what_a_sweep_brought_while_it_was_asked_whether_it_is_over_is_taken(
    kind: str, sim: SimulatedWSA4000, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.trigger_delay_s = None
    entry = SweepEntry(start_hz=1e9, stop_hz=1e9, dwell_s=20.0, trigger=Trigger(1e9, 1.1e9, -50))
    ask = say.sweep_is_running

    def ask_late() -> Any:
        sim.fire_trigger()
        deadline_s = time.monotonic() + 20.0
        while sim.sent_samples < 1024 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return ask()

    monkeypatch.setattr(say, "sweep_is_running", ask_late)
    with opened(kind, sim, read_timeout_s=0.3) as face:
        assert sum(map(len, face.collect(lambda wsa: wsa.sweep([entry])))) == 1024


def test_a_triggered_block_comes_when_the_trigger_does(kind: str, sim: SimulatedWSA4000) -> None:
    sim.trigger_delay_s = None
    with opened(kind, sim) as face:
        face.configure(trigger=Trigger(2.4e9, 2.41e9, -70), packets_per_block=2)
        sim.fire_trigger()
        assert len(face.capture()) == 2048
        face.wsa.read_timeout_s = 0.2  # only now: that block had all the time it needed
        with pytest.raises(NoData, match="does a trigger wait"):
            face.capture()
        with pytest.raises(NoData):  # it might come now, for the capture before
            face.capture()


def test_abort_begins_anew_even_in_the_middle_of_a_packet(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        face.configure(samples_per_packet=65520, packets_per_block=500)
        face.start_block()
        sim.wait_for("block")
        face.abort()
        face.configure(packets_per_block=2)
        assert len(face.capture()) == 2 * 65520
        assert face.capture().data[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(reply_ending="\n"),
        Quirks(reply_ending="\r\n", stray_blank=True),
        Quirks(stray_blank=True),
        Quirks(combined_contexts=True),
        Quirks(class_ids=True),
        Quirks(class_ids=True, combined_contexts=True, iq_swap_word=True),
        Quirks(without_times=True),
        Quirks(decimation_off_is_0=True),
        Quirks(drip_bytes=1000),
    ],
    ids=lambda quirks: ",".join(name for name in vars(Quirks()) if getattr(quirks, name)),
)
def test_devices_that_differ(kind: str, sim: SimulatedWSA4000, quirks: Quirks) -> None:
    sim.quirks = quirks
    with opened(kind, sim) as face:
        face.configure(center_frequency_hz=1e9, decimation=1, samples_per_packet=256, packets_per_block=4)
        assert face.read_settings().decimation == 1
        block = face.capture()
        assert (len(block), block.info.sample_rate_hz) == (1024, 125e6)
        assert block.info.facts["center_frequency_hz"] == 1e9
        chunks = face.stream(20_000)
        assert in_place(chunks)
        assert (chunks[0].time_ns is None) == quirks.without_times
        assert face.stray_bytes == 0


# -- what is lost is counted


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        (lambda sim: sim.drop_packets(3), 3 * 512),
        (lambda sim: sim.drop_packets(16), 16 * 512),
        (lambda sim: sim.lose_samples(1), 1),
        (lambda sim: sim.lose_samples(12_345), 12_345),
        (lambda sim: sim.change_spp(2048), 0),
        (lambda sim: sim.step_clock(10**9 + 7), 0),
        (lambda sim: sim.unknown_packet(), 0),
    ],
    ids=["drop 3", "drop 16", "lose 1", "lose 12345", "change size", "step clock", "unknown"],
)
def test_faults_that_lose_samples_are_exact_gaps(
    kind: str, sim: SimulatedWSA4000, fault: Callable[[SimulatedWSA4000], None], missing: int
) -> None:
    with opened(kind, sim) as face:
        face.configure(samples_per_packet=512, decimation=5)
        told: list[bool] = []

        def seen(_chunk: Chunk) -> None:
            if not told:
                told.append(True)
                fault(sim)

        chunks: list[Chunk] = []
        while not chunks or (missing and face.statistics.missing_samples != missing):
            chunks = face.stream(4_000_000, seen)
            assert in_place(chunks)
        assert [e.samples for e in face.events if isinstance(e, Missing)] == ([missing] if missing else [])
        assert face.statistics.gaps == bool(missing)


def test_a_gap_within_a_block_is_an_error_not_a_shorter_block(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        face.configure(samples_per_packet=512, packets_per_block=100)
        sim.lose_samples(50)
        with pytest.raises(StreamMismatch, match="does not follow"):
            face.capture()


def test_over_range_and_a_lost_lock_are_told(kind: str, sim: SimulatedWSA4000) -> None:
    sim.quirks.over_range = sim.quirks.unlocked = True
    with opened(kind, sim) as face:
        face.configure(packets_per_block=3)
        face.capture()
        assert [(e.indicator, e.value) for e in face.events if isinstance(e, Indicated)] == [
            ("reference lock", False), ("over range", True),
        ]  # fmt: skip
        assert face.statistics.over_range_packets == face.statistics.unlocked_packets == 3
        assert face.locks().reference is False


# -- what ends it, always with an error that says what it was


def test_what_the_device_refuses_is_told_with_the_command(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        with pytest.raises(CommandRefused, match=r"refuses ':NO:SUCH 5': -113, \"Undefined header") as refused:
            face.command(":NO:SUCH", 5)
        assert (refused.value.scpi_code, refused.value.command) == (-113, ":NO:SUCH 5")
        assert len(face.capture()) == 1024  # and all goes on


@pytest.mark.parametrize(
    "bad",
    [
        {"center_frequency_hz": 11e9}, {"center_frequency_hz": 100_050_000}, {"decimation": 3}, {"rf_gain": "medium"},
        {"if_gain_db": 35}, {"antenna": 3}, {"samples_per_packet": 1000}, {"trigger": "LEVEL"},
        {"samples_per_packet": 65520, "packets_per_block": 513}, {"reference": "GPS"}, {"preselect": 2},
        {"packets_per_block": 0}, {"frequency_shift_hz": -1.0}, {"decimation": True}, {"center_frequency_hz": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_no_device_takes_are_refused_here(kind: str, sim: SimulatedWSA4000, bad: dict[str, Any]) -> None:
    with opened(kind, sim) as face:
        commands = sim.count("command")
        with pytest.raises(UsageError):
            face.configure(**bad)
        assert sim.count("command") == commands


def test_a_second_client_is_told_that_it_is_in_use(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim), pytest.raises(DeviceInUse, match="another client has the lock"), opened(kind, sim):
        pass
    sim.wait_for("scpi_close", 2)
    with opened(kind, sim) as face:  # it is free again
        assert len(face.capture()) == 1024
    with opened(kind, sim), opened(kind, sim, lock=False) as second:
        assert second.locks().rf


def test_nobody_there(kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen; nobody else can take the port meanwhile
        port = unused.getsockname()[1]
        with pytest.raises(CannotReach, match=rf"127.0.0.1:{port}: Connection refused"), opened(
            kind, SimulatedWSA4000(scpi_port=port)
        ):
            pass


def test_a_data_port_that_is_not_there(kind: str, sim: SimulatedWSA4000) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen; nobody else can take the port meanwhile
        sim.vrt_port = unused.getsockname()[1]
        with pytest.raises(CannotReach), opened(kind, sim):
            pass


def test_a_device_that_says_nothing(kind: str, sim: SimulatedWSA4000) -> None:
    sim.quirks.mute = True
    with pytest.raises(NoReply, match=r"no reply to '\*IDN\?' in 0.2 s \(nothing came"), opened(
        kind, sim, reply_timeout_s=0.2
    ):
        pass


def test_a_reply_that_drips_is_waited_for_if_its_shape_tells_that_it_is_not_whole(
    kind: str, sim: SimulatedWSA4000
) -> None:
    with opened(kind, sim, reply_gap_s=0.01) as face:
        sim.quirks.drip_reply_s = 0.02
        face.command(":FREQ:CENTER", 1_000_000_000)  # 0,"No error" with longer pauses than the gap
        sim.quirks.drip_reply_s = 0.0


def test_a_reply_that_drips_for_ever_ends_with_the_time_out(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        # Neither does nothing come within the time, nor all of it, if one side stands still for a second or two.
        face.wsa.reply_timeout_s = 2.5
        sim.quirks.drip_reply_s = 0.5
        with pytest.raises(NoReply, match="only b'0"):
            face.command(":FREQ:CENTER", 1_000_000_000)
        sim.quirks.drip_reply_s = 0.0
        with pytest.raises(NoReply):  # what comes late must not be taken for the next reply
            face.locks()


def test_another_kind_of_device(kind: str, sim: SimulatedWSA4000) -> None:
    sim.serial = "a,b"
    with pytest.raises(NoReply, match="wanted is 4 values"), opened(kind, sim, reply_timeout_s=2.5):
        pass
    sim.quirks.reply_ending = "\n"
    with pytest.raises(BadReply, match="not 4 values"), opened(kind, sim):
        pass


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda sim: sim.truncate(1), ConnectionLost),
        (lambda sim: sim.truncate(1000), ConnectionLost),
        (lambda sim: sim.reset_data(0), ConnectionLost),
        (lambda sim: sim.reset_data(21), ConnectionLost),
        (lambda sim: sim.reset_data(4119), ConnectionLost),
        (lambda sim: sim.reset_data(50_001), ConnectionLost),
        (lambda sim: sim.reset_control(), ConnectionLost),
        (lambda sim: sim.send_garbage(999), Desynchronised),
        (lambda sim: sim.send_garbage(3), Desynchronised),
        (lambda sim: sim.claim_size(2), Desynchronised),
        (lambda sim: sim.claim_size(0xFFFF), Desynchronised),
        (lambda sim: sim.claim_size(1000), Desynchronised),
        (lambda sim: setattr(sim.quirks, "stalled", True), NoData),
    ],
)
def test_each_fault_of_the_data_port_is_a_typed_error(
    kind: str, sim: SimulatedWSA4000, fault: Callable[[SimulatedWSA4000], None], error: type[WSA4000Error]
) -> None:
    # Only where nothing comes is the time-out the point; elsewhere it must not be quicker than a busy machine.
    with opened(kind, sim, read_timeout_s=0.5 if error is NoData else 60.0, reply_timeout_s=60.0) as face:
        face.configure(decimation=8)
        told: list[bool] = []

        def seen(chunk: Chunk) -> None:
            if not told:
                told.append(True)
                fault(sim)

        with pytest.raises(error) as raised:
            face.stream(1e12, seen)
        assert str(raised.value)
        if error is not NoData:
            with pytest.raises(error):  # and it stays broken
                face.locks()


def test_samples_of_another_stream_only_are_no_samples(kind: str, sim: SimulatedWSA4000) -> None:
    sim.quirks.wrong_ids = True
    with opened(kind, sim, read_timeout_s=0.2) as face:
        while not face.statistics.stale_packets:  # on a busy machine the first may come after the time-out
            with pytest.raises(NoData, match="not even the packet that says that the stream has begun"):
                face.stream(1)
        assert face.statistics.packets == 0


def test_it_is_to_be_opened_first(kind: str) -> None:
    with pytest.raises(UsageError, match="not connected"):
        if kind == "blocking":
            connect("127.0.0.1").locks()
        else:
            asyncio.run(_not_opened())
    with pytest.raises(UsageError, match="host is a name"):
        connect("")


async def _not_opened() -> None:
    await AsyncWSA4000("127.0.0.1").locks()


def test_closing_ends_what_goes_on_at_the_device(kind: str, sim: SimulatedWSA4000) -> None:
    with opened(kind, sim) as face:
        face.start_stream()
        face.receive()
    sim.wait_for("scpi_close")
    sim.wait_for("stream_stop")
    sim.wait_for("vrt_close")
