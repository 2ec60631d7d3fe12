"""The component, seen from its boxes and from the simulated radio's log."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest

from axonlike import Component, Scheduler
from axonlike.components.devices.wsa4000.component import WSA4000, RadioConnected, RadioDisconnected
from axonlike.components.devices.wsa4000.context import Indicated, Missing
from axonlike.components.devices.wsa4000.discovery import Discovered
from axonlike.components.devices.wsa4000.errors import CannotReach, NoReply
from axonlike.components.devices.wsa4000.settings import SweepEntry, Trigger
from axonlike.components.producers import take_from
from axonlike.components.settable import Changed, Refused
from axonlike.errors import ComponentError, UsageError
from axonlike.linkage import Box
from axonlike.simulators.wsa4000 import Quirks, SimulatedWSA4000
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import check_component

GUARD_S = 60.0
_N = np.arange(1 << 20)
RAMP = np.stack([_N % 4096, _N // 4096], axis=1)
"""Samples that tell their position."""


class Sink(Component):
    """A display, as far as demand goes: it has no required outbox. Keeps the indices of what comes, and the last."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, limit=20)}

    def __init__(self, *producers: Component) -> None:
        self.samples = 0
        self.spans: list[tuple[int, int]] = []
        self.infos: list[Any] = []
        self.out_of_place = 0
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()
        take_from(self, *producers)

    def main(self) -> Any:
        while True:
            yield self.wait("inbox")
            while not self.gate.is_set():
                yield self.sleep(0.01)
            for chunk in self.inbox():
                self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        positions = chunk.data[:, 0].astype(int) + 4096 * chunk.data[:, 1].astype(int)
        if not (np.diff(positions) % len(RAMP) == 1).all():
            self.out_of_place += 1
        with self.changed:
            self.samples += len(chunk)
            self.spans.append((chunk.index, chunk.end))
            if not self.infos or chunk.info is not self.infos[-1]:
                self.infos.append(chunk.info)
            self.changed.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, GUARD_S), f"only {self.samples} samples"

    def wait_more(self, samples: int = 50_000) -> None:
        wanted = self.samples + samples
        self.wait_until(lambda: self.samples >= wanted)

    @property
    def missing(self) -> int:
        return sum(b[0] - a[1] for a, b in zip(self.spans, self.spans[1:], strict=False))


class Told(Component):
    """Keeps what comes on `status`. It ends with nothing, so that a run goes on while nobody wants the radio."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.changed = threading.Condition()

    def main(self) -> Any:
        while True:
            yield self.wait("inbox", timeout=1000)
            with self.changed:
                self.messages.extend(self.inbox())
                self.changed.notify_all()

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    def wait_for(self, kind: type, count: int = 1) -> Any:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.of(kind)) >= count, GUARD_S), f"only {self.messages}"
            return self.of(kind)[count - 1]


class Through(Component):
    """A block: it wants only what somebody wants of it."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, *producers: Component) -> None:
        take_from(self, *producers)

    def main(self) -> Any:
        while True:
            yield self.wait("inbox")
            for chunk in self.inbox():
                self.send(chunk)


class TwoWays(Component):
    """A block that works only if both its outboxes are wanted."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}
    Outboxes: ClassVar[dict[str, Any]] = {
        "left": Box("chunks", Chunk, required=True), "right": Box("chunks", Chunk, required=True),
    }  # fmt: skip

    def __init__(self, *producers: Component) -> None:
        take_from(self, *producers)

    def main(self) -> Any:
        while True:
            yield self.wait("inbox")
            for chunk in self.inbox():
                self.send(chunk, "left")
                self.send(chunk, "right")


def radio(**options: Any) -> WSA4000:
    """A component with a simulated radio of its own, quick in everything."""
    simulated = {
        name: options.pop(name)
        for name in ("quirks", "paced", "memory_samples", "trigger_delay_s", "firmware")
        if name in options
    }
    made: dict[str, Any] = {"samples": RAMP, "paced": False, "start_time_s": 1_700_000_000} | simulated
    sim = SimulatedWSA4000(**made)
    options = {
        "decimation": 8, "samples_per_packet": 1024, "reply_gap_s": 0.01, "first_retry_s": 0.01,
        "longest_retry_s": 0.05, "read_timeout_s": GUARD_S, "reply_timeout_s": GUARD_S, **options,
    }  # fmt: skip
    wsa = WSA4000("demo", simulator=sim, **options)
    wsa.linger_s = 0.02
    return wsa


class Running:
    """Parts that run in a scheduler in a thread."""

    def __init__(self, wsa: WSA4000, *parts: Component) -> None:
        self.wsa = wsa
        self.sim: SimulatedWSA4000 = wsa.simulator  # type: ignore[assignment]  # each test knows whether there is one
        self.told = Told()
        wsa.link((wsa, "status"), (self.told, "inbox"))
        self.scheduler = Scheduler()
        self.parts = parts
        self._links: dict[Sink, Any] = {}

    def __enter__(self) -> Running:
        self.scheduler.start_in_thread(self.wsa, self.told, *self.parts)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.scheduler.call_from_thread(self.scheduler.stop)
        assert self.scheduler.join(GUARD_S)

    def do(self, action: Callable[[], object]) -> None:
        """In the scheduler's thread."""
        done = threading.Event()
        failed: list[BaseException] = []

        def act() -> None:
            try:
                action()
            except BaseException as exc:
                failed.append(exc)
            finally:
                done.set()

        self.scheduler.call_from_thread(act)
        assert done.wait(GUARD_S)
        if failed:
            raise failed[0]

    def set(self, **settings: Any) -> None:
        self.do(lambda: self.wsa.inbox("settings").put(settings))

    def attach(self, producer: Component, box: str = "outbox") -> Sink:
        sink = Sink()

        def link() -> None:
            self._links[sink] = sink.link((producer, box), (sink, "inbox"))
            self.scheduler.activate(sink)

        self.do(link)
        return sink

    def detach(self, sink: Sink) -> None:
        def unlink() -> None:
            if sink in self._links:
                sink.unlink(self._links.pop(sink))
            sink.stop("detached")

        self.do(unlink)


@contextmanager
def running(**options: Any) -> Iterator[tuple[Running, Sink]]:
    wsa = radio(**options)
    sink = Sink(wsa)
    with Running(wsa, sink) as run:
        yield run, sink


# -- what comes


def test_the_samples_come_whole_and_in_their_places() -> None:
    with running() as (run, sink):
        sink.wait_more(500_000)
        connected = run.told.wait_for(RadioConnected)
        assert connected.identity.serial == run.sim.serial
        assert sink.missing == sink.out_of_place == 0
        assert sink.spans[0][0] == 0
        (info,) = sink.infos
        assert (info.kind, info.sample_rate_hz, info.name) == ("iq", 125e6 / 8, "WSA4000 demo")
        assert info.facts["center_frequency_hz"] == 2.45e9
        assert info.facts["reference_level_dbm"] == -25
        assert run.wsa.packet_statistics.missing_samples == 0


def test_a_box_that_takes_another_stream_is_refused_at_wiring() -> None:
    class Scope(Component):
        Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=StreamType(kind="analog"))}

    wsa, scope = radio(), Scope()
    with pytest.raises(StreamMismatch, match="kind iq, wanted analog"):
        wsa.link((wsa, "outbox"), (scope, "inbox"))


@pytest.mark.parametrize(
    "bad",
    [{"host": ""}, {"scpi_port": 0}, {"vrt_port": 70000}, {"mode": "burst"}, {"mode": "sweep"}, {"sweep": [1]},
     {"decimation": 2}, {"rf_gain": "medium"}, {"center_frequency_hz": 1e11}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_at_once(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        WSA4000(bad.pop("host", "10.0.0.5"), **bad)


def test_auto_takes_the_only_radio_that_answers() -> None:
    with SimulatedWSA4000(samples=RAMP, paced=False) as sim:
        found = [Discovered(sim.host, "WSA4000", sim.serial)]
        wsa = WSA4000("auto", sim.scpi_port, sim.vrt_port, reply_gap_s=0.01, find_radios=lambda: found)
        sink = Sink(wsa)
        with Running(wsa, sink):
            sink.wait_more()


@pytest.mark.parametrize(("hosts", "says"), [([], "no radio answers"), (["10.0.0.5", "10.0.0.6"], "10.0.0.6 .SN.")])
def test_auto_says_what_there_is_if_it_cannot_choose(hosts: list[str], says: str) -> None:
    found = [Discovered(host, "WSA4000", "SN") for host in hosts]
    wsa = WSA4000("auto", reconnect=False, find_radios=lambda: found)
    with pytest.raises(ComponentError, match=says):
        Scheduler().run(wsa, Sink(wsa))


# -- laziness, from the radio's log


def test_a_chain_without_a_sink_opens_nothing_and_does_not_hold_the_run() -> None:
    wsa = radio()
    block = Through(wsa)
    Scheduler().run(wsa, block)
    assert wsa.simulator is not None
    assert not wsa.simulator.log
    assert not wsa.simulator.running


def test_nothing_is_opened_until_a_display_comes_and_all_is_closed_when_it_has_gone() -> None:
    wsa = radio()
    block = Through(wsa)
    with Running(wsa, block) as run:
        run.do(lambda: None)
        assert not run.sim.log
        sink = run.attach(block)
        sink.wait_more()
        assert [run.sim.count(name) for name in ("scpi_open", "vrt_open", "stream_start")] == [1, 1, 1]
        run.detach(sink)
        for name in ("stream_stop", "vrt_close", "scpi_close"):
            run.sim.wait_for(name)
        commands = [event.details["line"] for event in run.sim.log if event.name == "command"]
        assert commands[-3:] == [":TRACE:STREAM:STOP", ":SWEEP:LIST:STOP", ":SYSTEM:ABORT"]
        assert run.told.wait_for(RadioDisconnected).reason == "nobody wants its samples any more"


def test_one_that_comes_back_within_the_linger_finds_it_open() -> None:
    wsa = radio(paced=True, decimation=1000, samples_per_packet=128)
    wsa.linger_s = 30.0
    block = Through(wsa)
    with Running(wsa, block) as run:
        for _ in range(1000):
            sink = run.attach(block)
            run.detach(sink)
        run.attach(block).wait_more(1000)
        assert [run.sim.count(name) for name in ("scpi_open", "scpi_close", "stream_start")] == [1, 0, 1]


def test_opening_and_closing_again_and_again_leaks_nothing() -> None:
    wsa = radio()
    wsa.linger_s = 0.0
    block = Through(wsa)
    with Running(wsa, block) as run:
        for times in range(1, 21):
            sink = run.attach(block)
            sink.wait_more(1)
            run.detach(sink)
            run.sim.wait_for("scpi_close", times)
        run.sim.wait_for("vrt_close", 20)
        assert [run.sim.count(name) for name in ("scpi_open", "vrt_open", "vrt_close")] == [20, 20, 20]
        assert not run.told.of(Missing)


def test_two_displays_on_one_radio_are_one_connection_and_a_diamond_too() -> None:
    wsa = radio()
    first, second = Sink(wsa), Sink(Through(wsa))
    with Running(wsa, first, second) as run:
        first.wait_more()
        second.wait_more()
        assert [run.sim.count(name) for name in ("scpi_open", "vrt_open", "stream_start")] == [1, 1, 1]
        run.detach(first)
        second.wait_more()
        assert run.sim.count("scpi_close") == 0
        run.detach(second)
        run.sim.wait_for("scpi_close")


def test_a_block_with_two_required_outboxes_wants_it_when_both_are_wanted() -> None:
    wsa = radio()
    block = TwoWays(wsa)
    with Running(wsa, block) as run:
        left = run.attach(block, "left")
        run.do(lambda: None)
        assert not run.sim.log
        right = run.attach(block, "right")
        left.wait_more()
        right.wait_more()
        run.detach(left)
        run.sim.wait_for("scpi_close")


# -- faults: it tells, connects again, and goes on with a gap


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda sim: sim.truncate(1001), "bytes into a packet"),
        (lambda sim: sim.reset_data(0), "reset"),
        (lambda sim: sim.reset_data(77_777), "reset"),
        (lambda sim: sim.reset_control(), "connection"),
        (lambda sim: sim.send_garbage(999), "where a packet begins"),
        (lambda sim: sim.claim_size(3), "where a packet begins"),
    ],
    ids=["truncate", "reset", "reset later", "reset control", "garbage", "size"],
)
def test_after_a_fault_it_connects_again(fault: Callable[[SimulatedWSA4000], None], reason: str) -> None:
    with running() as (run, sink):
        sink.wait_more()
        fault(run.sim)
        lost = run.told.wait_for(RadioDisconnected)
        assert reason in lost.reason
        run.told.wait_for(RadioConnected, 2)
        sink.wait_more()
        starts = [a for a, _ in sink.spans]
        assert starts == sorted(starts)
        assert sink.missing > 0
        assert sink.out_of_place == 0


@pytest.mark.parametrize("quirk", ["stalled", "mute"])
def test_after_a_silence_it_connects_again(quirk: str) -> None:
    with running(read_timeout_s=0.2, reply_timeout_s=0.2) as (run, sink):
        sink.wait_more()
        setattr(run.sim.quirks, quirk, True)
        if quirk == "mute":
            run.set(decimation=16)  # something that is to be answered
        run.told.wait_for(RadioDisconnected)
        setattr(run.sim.quirks, quirk, False)
        run.told.wait_for(RadioConnected, 2)
        sink.wait_more()


def test_a_radio_that_is_not_there_is_tried_again_and_told_of_once() -> None:
    wsa = radio()
    sim = wsa.simulator
    assert sim is not None
    sim.quirks.refuse_lock = True
    with Running(wsa, Sink(wsa)) as run:
        run.sim.wait_for("scpi_open", 3)
        run.sim.quirks.refuse_lock = False
        run.told.wait_for(RadioConnected)
        assert [m.reason.split(":")[0] for m in run.told.of(RadioDisconnected)] == [
            f"the WSA4000 v3 {sim.serial} is in use"
        ]


@pytest.mark.parametrize(("quirks", "error"), [(Quirks(mute=True), NoReply), (None, CannotReach)])
def test_without_reconnect_the_first_failure_ends_the_run(quirks: Quirks | None, error: type[Exception]) -> None:
    wsa = radio(reconnect=False, reply_timeout_s=0.1, quirks=quirks or Quirks())
    sim = wsa.simulator
    assert sim is not None
    if quirks is None:
        with SimulatedWSA4000() as other:
            wsa.host, wsa.scpi_port, wsa.vrt_port = other.host, other.scpi_port, other.vrt_port
        wsa.simulator = None
    with pytest.raises(ComponentError) as raised:
        Scheduler().run(wsa, Sink(wsa))
    assert isinstance(raised.value.cause, error)


def test_lost_samples_and_a_lost_lock_are_told_and_the_stream_goes_on() -> None:
    with running() as (run, sink):
        sink.wait_more()
        run.sim.lose_samples(777)
        missing = run.told.wait_for(Missing)
        assert missing.samples == 777
        run.sim.quirks.unlocked = True
        assert run.told.wait_for(Indicated) == Indicated("reference lock", False, run.told.of(Indicated)[0].index)
        run.sim.quirks.unlocked = False
        assert run.told.wait_for(Indicated, 2).value is True
        sink.wait_more()
        assert sink.missing == 777
        assert run.sim.count("scpi_open") == 1


def test_a_reader_that_is_too_slow_makes_the_radio_drop_and_that_is_counted_to_the_sample() -> None:
    with running(paced=True, memory_samples=100_000, decimation=4) as (run, sink):
        sink.wait_more()
        sink.gate.clear()
        box, sent, quiet = sink.inbox("inbox"), 0, 0
        while quiet < 30:  # until the radio cannot send any more: box, sockets and all between are full
            select.select([], [], [], 0.01)
            quiet = quiet + 1 if run.sim.sent_samples == sent and box.full else 0
            sent = run.sim.sent_samples
            assert box.depth < 400
        sink.gate.set()
        run.sim.wait_for("samples_lost")
        run.told.wait_for(Missing)
        sink.wait_more(1_000_000)
        run.do(lambda: run.wsa.stop("enough"))
    assert sink.out_of_place == 0
    lost = [e.details["samples"] for e in run.sim.log if e.name == "samples_lost"]
    gaps = [b[0] - a[1] for a, b in zip(sink.spans, sink.spans[1:], strict=False) if b[0] != a[1]]
    assert gaps
    assert gaps == lost[: len(gaps)]
    told = [m.samples for m in run.told.of(Missing)]
    assert told == lost[: len(told)]


# -- settings


def test_a_retune_begins_a_new_stream_with_a_gap() -> None:
    with running() as (run, sink):
        sink.wait_more()
        run.set(center_frequency_hz=1e9, decimation=16)
        assert run.told.wait_for(Changed).settings == {"center_frequency_hz": 1e9, "decimation": 16}
        sink.wait_until(lambda: len(sink.infos) > 1 and sink.infos[-1].sample_rate_hz == 125e6 / 16)
        sink.wait_more()
        assert sink.infos[-1].facts["center_frequency_hz"] == 1e9
        assert sink.missing > 0
        assert (run.sim.count("scpi_open"), run.sim.count("stream_start")) == (1, 2)
        assert (run.wsa.center_frequency_hz, run.wsa.decimation) == (1_000_000_000, 16)
        assert not run.told.of(Missing)


def test_a_bad_setting_changes_nothing_and_does_not_stop_the_stream() -> None:
    with running() as (run, sink):
        sink.wait_more()
        run.set(center_frequency_hz=1e9, decimation=2)
        assert "decimation is 1 (off) or 4 to 1023" in run.told.wait_for(Refused).reason
        sink.wait_more()
        assert run.wsa.center_frequency_hz == 2.45e9
        assert (run.sim.count("stream_start"), sink.missing) == (1, 0)


def test_what_the_radio_refuses_is_told_and_stays_as_it_was() -> None:
    with running() as (run, sink):
        sink.wait_more()
        run.sim.quirks.refuse = ":INPUT:ANTENNA"
        run.set(antenna=2, if_gain_db=5)
        refused = run.told.wait_for(Refused)
        assert refused.settings == {"antenna": 2}
        assert "-221" in refused.reason
        sink.wait_more()
        assert (run.wsa.antenna, run.wsa.if_gain_db) == (1, 5)
        assert (run.sim.state.antenna, run.sim.state.if_gain_db) == (1, 5)


def test_settings_outlive_a_connection() -> None:
    with running() as (run, sink):
        sink.wait_more()
        run.set(if_gain_db=7)
        run.told.wait_for(Changed)
        run.sim.wait_for("stream_start", 2)
        run.do(lambda: run.sim._reset())  # as a radio that was switched off and on
        run.sim.reset_control()
        run.told.wait_for(RadioConnected, 2)
        sink.wait_more()
        assert run.sim.state.if_gain_db == 7


# -- blocks, triggers, sweeps


def test_blocks_come_one_after_another_each_without_a_gap() -> None:
    with running(mode="block", packets_per_block=10) as (run, sink):
        run.sim.wait_for("block", 4)
        sink.wait_until(lambda: sink.samples >= 3 * 10_240)
        gaps = [b[0] - a[1] for a, b in zip(sink.spans, sink.spans[1:], strict=False)]
        assert sum(gap > 0 for gap in gaps) >= 2
        assert not run.told.of(Missing)
        run.set(mode="stream")
        run.sim.wait_for("stream_start")


def test_a_trigger_may_take_its_time() -> None:
    trigger = Trigger(2.4e9, 2.5e9, -60)
    with running(mode="block", trigger=trigger, trigger_delay_s=None, read_timeout_s=0.1) as (run, sink):
        run.sim.wait_until(lambda: sum("LOCK:RF?" in e.details.get("line", "") for e in run.sim._log) >= 2)
        assert not sink.samples
        run.sim.fire_trigger()
        sink.wait_until(lambda: sink.samples == 16 * 1024)
        # What waits for no trigger loses the connection when nothing comes, which may take longer on a busy machine.
        run.do(lambda: setattr(run.wsa._wsa, "read_timeout_s", GUARD_S))
        run.set(trigger="NONE")  # while the next one is waited for
        sink.wait_more()
        assert run.sim.count("scpi_open") == 1
        assert not run.told.of(RadioDisconnected)


def test_a_sweep_goes_on_and_on() -> None:
    entries = [SweepEntry(start_hz=1e9, stop_hz=1.2e9, step_hz=1e8, packets_per_step=2)]
    with running(mode="sweep", sweep=entries, packets_per_block=2) as (run, sink):
        sink.wait_until(lambda: len(sink.infos) >= 10)
        centers = [info.facts["center_frequency_hz"] for info in sink.infos]
        assert centers[:6] == [1e9, 1.1e9, 1.2e9] * 2
        assert not run.told.of(Missing)
        run.set(mode="stream")
        run.sim.wait_for("stream_start")
        sink.wait_until(lambda: sink.infos[-1].facts["center_frequency_hz"] == 2.45e9)


# -- what components promise


def test_a_settings_source_that_ends_does_not_end_the_radio() -> None:
    class Once(Component):
        def main(self) -> Any:
            self.send({"if_gain_db": 3})
            yield

    wsa, once = radio(), Once()
    once.link((once, "outbox"), (wsa, "settings"))
    sink = Sink(wsa)
    with Running(wsa, once, sink) as run:
        sink.wait_until(lambda: sink.samples > 50_000)
        run.told.wait_for(Changed)
        sink.wait_more()
        assert not wsa.ended


def test_producer_finished_on_control_is_an_ordinary_end() -> None:
    wsa = radio()
    sink = Sink(wsa)
    with Running(wsa, sink) as run:
        sink.wait_more()
        run.do(lambda: run.scheduler.input_ended(wsa))
        run.sim.wait_for("scpi_close")
        run.sim.wait_for("abort")  # it was told
        assert not run.told.of(RadioDisconnected)


def test_a_run_of_a_radio_that_nobody_wants_ends() -> None:
    wsa = radio()
    Scheduler().run(wsa)
    assert wsa.ended
    assert wsa.simulator is not None
    assert not wsa.simulator.running


def test_a_run_whose_display_has_gone_ends() -> None:
    class Leaving(Sink):
        def _take(self, chunk: Chunk) -> None:
            super()._take(chunk)
            if self.samples > 50_000 and (links := self.wires().to_in.get("inbox")):
                self.unlink(links[0])

    wsa = radio()
    sink = Leaving(wsa)
    Scheduler().run(wsa, sink)
    assert sink.samples > 50_000
    assert wsa.ended
    assert wsa.simulator is not None
    assert wsa.simulator.count("scpi_close") == 1


def test_it_conforms() -> None:
    def make() -> WSA4000:
        sim = SimulatedWSA4000(paced=True)
        return WSA4000("demo", simulator=sim, decimation=1000, samples_per_packet=128, reply_gap_s=0.01)

    check_component(make, messages=[{"if_gain_db": 1}, {"nonsense": 1}], inbox="settings", ends=False)
