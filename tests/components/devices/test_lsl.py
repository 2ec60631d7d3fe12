"""LSL streams in and out: over the loopback through pylsl, and gaps and ends on a fake of it."""

from __future__ import annotations

import builtins
import itertools
import math
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler
from axonlike.components.devices.lsl import (
    LSLGap,
    LSLInlet,
    LSLLost,
    LSLMarker,
    LSLOpened,
    LSLOutlet,
    LSLTimes,
    _both_clocks,
    info_from_lsl,
)
from axonlike.components.devices.player import ArrayPlayer
from axonlike.errors import ComponentError, DeviceError, MissingExtra, UsageError, WiringError
from axonlike.streams.chunk import Axis, Chunk, Continuity, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual
from tests.components.devices.watcher import HANG_GUARD_S, Watcher

# liblsl ends its connections in threads of its own, after we have let go of them.
pytestmark = pytest.mark.leak_grace(30.0)


@pytest.fixture(scope="session")
def lsl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """pylsl, told to stay on this machine; it reads that when it is imported."""
    configuration = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    configuration.write_text("[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n")
    os.environ.setdefault("LSLAPICFG", str(configuration))
    try:
        import pylsl
    except (ImportError, RuntimeError) as exc:
        pytest.skip(f"pylsl cannot be used: {exc}")
    name = str(uuid.uuid4())
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "", 1, 0, "float32", name))
    if not pylsl.resolve_byprop("name", name, timeout=10):
        pytest.skip("LSL streams of this machine are not found by itself (is multicast off?)")
    del outlet
    return pylsl


class Bench:
    """Parts that run in a thread of their own, in real time, as the network does."""

    def __init__(self, **parts: Any) -> None:
        self.scheduler = Scheduler()
        self.graph = Graphline(**parts)

    def __enter__(self) -> Bench:
        self.scheduler.start_in_thread(self.graph)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.scheduler.call_from_thread(self.scheduler.stop)
        assert self.scheduler.join(HANG_GUARD_S)


DATA = np.arange(3000, dtype=np.float32).reshape(1000, 3)


def unique() -> str:
    return f"axonlike test {uuid.uuid4()}"


# -- over the network


@pytest.mark.net
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int16", "int32", "int64"])
def test_what_goes_out_comes_in_bit_for_bit_with_its_description(lsl: Any, dtype: str) -> None:
    name = unique()
    info = StreamInfo(
        kind="analog", dtype=np.dtype(dtype), shape=(3,), sample_rate_hz=1000, units="uV", name="ignored",
        channel_names=("Cz", "Fp1", "größte µ"), facts={"gain": 24},
    )  # fmt: skip
    data = DATA[:40].astype(dtype)
    got, status, times = Watcher(), Watcher(), Watcher()
    inlet = LSLInlet(name, lsl=lsl)
    with Bench(
        PLAYER=ArrayPlayer(data, info=info, chunk_rows=50, loop=True), OUT=LSLOutlet(name, type="EEG", lsl=lsl),
        IN=inlet, GOT=got, ST=status, TIMES=times,
        links="PLAYER -> OUT; IN -> GOT; IN.status -> ST; IN.times -> TIMES",
    ):  # fmt: skip
        chunks = got.wait_for_rows(600)
        opened = status.wait_for(LSLOpened)
        stamps = times.wait_for(LSLTimes)
    rows = np.concatenate([chunk.data for chunk in chunks])
    start = int(np.flatnonzero((data == rows[0]).all(axis=1))[0])
    assert np.array_equal(rows, np.take(data, np.arange(start, start + len(rows)), axis=0, mode="wrap"))
    assert [chunk.index for chunk in chunks] == list(itertools.accumulate(map(len, chunks[:-1]), initial=0))
    taken = chunks[0].info
    assert (taken.kind, taken.dtype.name, taken.shape, taken.sample_rate_hz) == ("analog", dtype, (3,), 1000.0)
    assert (taken.units, taken.channel_names, taken.name) == ("uV", ("Cz", "Fp1", "größte µ"), name)
    assert (taken.facts["gain"], taken.facts["lsl_type"]) == (24, "EEG")
    assert (opened.name, opened.times) == (name, 1)
    assert opened.source_id.endswith(name)
    assert stamps.index == 0
    assert len(stamps.stamps_s) == len(chunks[0])
    assert np.diff(stamps.stamps_s) == pytest.approx(0.001, abs=1e-6)
    assert abs(stamps.correction_s) < 0.1  # both ends have one clock


@pytest.mark.net
def test_a_sender_that_goes_and_comes_back_is_told_and_the_stream_goes_on_with_a_counted_gap(lsl: Any) -> None:
    name = unique()
    got, status = Watcher(), Watcher()
    inlet = LSLInlet(name, lsl=lsl, longest_wait_s=0.2)

    def make() -> Any:
        return lsl.StreamOutlet(lsl.StreamInfo(name, "", 1, 100, "int32", name))

    def push_until(outlet: Any, first: int, enough: Callable[[], bool]) -> int:
        """One sample each 10 ms, with the time at which it is due: being late with one is no gap."""
        start_s = lsl.local_clock()
        for number in itertools.count():
            if enough():
                return first + number
            outlet.push_sample([first + number], start_s + number / 100)
            pause.wait(max(0.0, start_s + (number + 1) / 100 - lsl.local_clock()))
        raise AssertionError

    pause = threading.Event()
    outlet = make()
    with Bench(IN=inlet, GOT=got, ST=status, links="IN -> GOT; IN.status -> ST"):
        pushed = push_until(outlet, 1, lambda: sum(map(len, got.messages)) > 150)
        before = sum(map(len, got.messages))
        del outlet
        status.wait_for(LSLLost)
        pause.wait(0.5)
        outlet = make()
        push_until(outlet, pushed, lambda: sum(map(len, got.messages)) > before + 150)
        assert status.wait_for(LSLOpened, 2).times == 2
        gap = status.wait_for(LSLGap)
    del outlet
    continuity = Continuity()
    for chunk in got.messages:
        continuity.missing(chunk)
    assert continuity.lost == inlet.lost_rows == gap.rows
    assert continuity.gaps == 1
    assert gap.rows >= 50  # half a second at least
    assert [type(message) for message in status.messages] == [LSLOpened, LSLLost, LSLOpened, LSLGap]


@pytest.mark.net
def test_strings_come_as_markers_with_their_times(lsl: Any) -> None:
    name = unique()
    outlet = lsl.StreamOutlet(lsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    markers, status = Watcher(), Watcher()
    with Bench(IN=LSLInlet(name, lsl=lsl), MARKERS=markers, ST=status, links="IN.markers -> MARKERS; IN.status -> ST"):
        status.wait_for(LSLOpened)
        stamp_s = lsl.local_clock()
        outlet.push_sample(["go ✓"], stamp_s)
        outlet.push_sample(["stop"], stamp_s + 2.0)
        markers.wait_for(LSLMarker, 2)
    del outlet
    first, second = markers.messages
    assert (first.values, second.values) == (("go ✓",), ("stop",))
    assert first.stamp_s == pytest.approx(stamp_s)
    assert second.time_ns - first.time_ns == pytest.approx(2e9, rel=0.05)


@pytest.mark.net
def test_a_stream_of_no_rate_counts_its_samples(lsl: Any) -> None:
    name = unique()
    outlet = lsl.StreamOutlet(lsl.StreamInfo(name, "", 2, 0, "float32", name))
    got, status = Watcher(), Watcher()
    with Bench(IN=LSLInlet(name, lsl=lsl), GOT=got, ST=status, links="IN -> GOT; IN.status -> ST"):
        status.wait_for(LSLOpened)
        for number in range(3):
            outlet.push_sample([number, -number])
        chunks = got.wait_for_rows(3)
    del outlet
    assert np.concatenate([chunk.data for chunk in chunks]).tolist() == [[0, 0], [1, -1], [2, -2]]
    assert chunks[0].info.sample_rate_hz == 0
    assert chunks[-1].end == 3


@pytest.mark.net
def test_engineering_values_are_sent_where_there_is_a_scale(lsl: Any) -> None:
    name = unique()
    player = ArrayPlayer(np.full((100, 2), 100, ">i2"), 1000.0, loop=True, scale=(0.5, 2.0), units="uV", chunk_rows=20)
    got = Watcher()
    with Bench(
        PLAYER=player,
        OUT=LSLOutlet(name, lsl=lsl),
        IN=LSLInlet(name, lsl=lsl),
        GOT=got,
        links="PLAYER -> OUT; IN -> GOT",
    ):
        chunks = got.wait_for_rows(20)
    assert chunks[0].info.dtype == np.float32
    assert chunks[0].data[0].tolist() == [50.0, 200.0]


@pytest.mark.net
def test_the_demo_goes_over_the_network_and_conforms(lsl: Any) -> None:
    got = Watcher()
    with Bench(IN=LSLInlet("demo", lsl=lsl), GOT=got, links="IN -> GOT"):
        chunks = got.wait_for_rows(100)
    rows = np.concatenate([chunk.data for chunk in chunks])
    demo = ArrayPlayer("demo")
    assert chunks[0].info.channel_names == demo.info.channel_names
    start = int(np.flatnonzero((demo.data == rows[0]).all(axis=1))[0])
    assert np.array_equal(rows, np.take(demo.data, np.arange(start, start + len(rows)), axis=0, mode="wrap"))


@pytest.mark.net
def test_both_conform(lsl: Any) -> None:
    check_component(lambda: LSLInlet("demo", lsl=lsl), ends=False)
    info = StreamInfo(kind="analog", dtype=np.dtype(np.float32), shape=(3,), sample_rate_hz=1000)
    messages = [Chunk(DATA[k : k + 10], info, k) for k in range(0, 50, 10)]
    check_component(lambda: LSLOutlet(unique(), lsl=lsl), messages=messages)


@pytest.mark.net
def test_a_stream_that_is_not_there_is_an_error(lsl: Any) -> None:
    with pytest.raises(ComponentError) as raised:
        Scheduler().run(Pipeline(LSLInlet("no such stream", lsl=lsl, timeout_s=0.1), Probe()))
    assert isinstance(raised.value.cause, DeviceError)
    assert "no LSL stream with name='no such stream'" in str(raised.value.cause)


@pytest.mark.net
def test_several_streams_that_fit_are_an_error_that_names_them(lsl: Any) -> None:
    name = unique()
    outlets = [lsl.StreamOutlet(lsl.StreamInfo(name, "", 1, 100, "float32", f"id-{k}")) for k in range(2)]
    try:
        # LSL may return as soon as it has found one.
        while len(lsl.resolve_byprop("name", name, minimum=2, timeout=HANG_GUARD_S)) < 2:
            pass
        with pytest.raises(ComponentError, match=r"2 LSL streams have.*name one by its source_id.*id-0.*id-1"):
            Scheduler().run(Pipeline(_ThatFindsBoth(name, lsl=lsl), Probe()))
        got = Watcher()
        with Bench(IN=LSLInlet(name, source_id="id-1", lsl=lsl), GOT=got, links="IN -> GOT"):
            while not got.messages:
                outlets[1].push_sample([7.0])
                threading.Event().wait(0.01)
            assert got.messages[0].info.facts["lsl_source_id"] == "id-1"
    finally:
        del outlets


class _ThatFindsBoth(LSLInlet):
    """It asks until both have answered."""

    def __init__(self, name: str, lsl: Any) -> None:
        class Asking:
            def __getattr__(self, attribute: str) -> Any:
                return getattr(lsl, attribute)

            def resolve_bypred(self, predicate: str, minimum: int, timeout: float) -> Any:
                return lsl.resolve_bypred(predicate, minimum=2, timeout=HANG_GUARD_S)

        super().__init__(name, lsl=Asking())


# -- on a fake of pylsl, in virtual time


class FakeLSL:
    """As much of pylsl as an outlet needs; its clock goes on as that of the chunks does."""

    def __init__(self) -> None:
        self.outlets: list[FakeLSL.StreamOutlet] = []
        fake = self

        class Outlet(FakeLSL.StreamOutlet):
            def __init__(self, info: Any) -> None:
                self.info, self.pushed = info, []
                fake.outlets.append(self)

        self.StreamOutlet = Outlet  # type: ignore[misc, assignment]

    def local_clock(self) -> float:
        return time.time()

    class StreamOutlet:
        info: Any
        pushed: list[tuple[np.ndarray, float]]

        def push_chunk(self, values: np.ndarray, stamp_s: float) -> None:
            self.pushed.append((values.copy(), stamp_s))

        def have_consumers(self) -> bool:
            return True

    class StreamInfo:
        def __init__(self, *arguments: Any) -> None:
            self.arguments = arguments
            self.said: list[tuple[str, str]] = []

        def desc(self) -> Any:
            return self

        def append_child(self, _name: str) -> Any:
            return self

        def append_child_value(self, name: str, value: str) -> None:
            self.said.append((name, value))


def sent(chunks: list[Any], **options: Any) -> tuple[FakeLSL, LSLOutlet]:
    fake = FakeLSL()
    outlet = LSLOutlet(lsl=fake, **options)
    run_virtual(Pipeline(Feeder(chunks), outlet))
    return fake, outlet


def of(dtype: Any, shape: tuple[int, ...] = (2,), kind: Any = "analog", **more: Any) -> StreamInfo:
    return StreamInfo(kind=kind, dtype=np.dtype(dtype), shape=shape, sample_rate_hz=100, **more)


def test_a_gap_in_the_stream_shows_in_the_stamps() -> None:
    info = of("f4")
    now_ns = time.time_ns()
    chunks = [Chunk(np.zeros((10, 2), "f4"), info, index, now_ns + index * 10**7) for index in (0, 10, 50)]
    fake, outlet = sent(chunks)
    stamps_s = [stamp_s for _, stamp_s in fake.outlets[0].pushed]
    assert np.diff(stamps_s) == pytest.approx([0.1, 0.4], abs=0.05)
    assert (outlet.sent_rows, outlet.continuity.lost) == (30, 30)


def test_a_stream_of_another_description_gets_a_new_outlet() -> None:
    chunks = [Chunk(np.zeros((1, 2), "f4"), of("f4"), 0), Chunk(np.zeros((1, 3), "f8"), of("f8", (3,)), 0)]
    fake, _ = sent(chunks, name="mine", type="EEG", source_id="id")
    assert [outlet.info.arguments for outlet in fake.outlets] == [
        ("mine", "EEG", 2, 100.0, 1, "id"), ("mine", "EEG", 3, 100.0, 2, "id"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("info", "number"),
    [
        (of(">i2"), 5),
        (of("u1"), 5),
        (of("u2"), 4),
        (of("u4"), 7),
        (of("f2"), 1),
        (of(">i2", scale=0.5), 1),
        (of("i4", scale=0.5), 2),
        (of("f4", offset=1.0), 1),
        (of(">i2", kind="iq"), 5),
        (of("f4", (64,), kind="spectrum"), 1),
    ],
)  # fmt: skip
def test_each_dtype_goes_as_one_that_holds_it(info: StreamInfo, number: int) -> None:
    data = np.ones((4, *info.shape), info.dtype)
    fake, _ = sent([Chunk(data, info)])
    assert fake.outlets[0].info.arguments[4] == number
    expected = 1.0 * (0.5 if info.scale else 1.0) + (1.0 if info.offset else 0.0)
    assert (fake.outlets[0].pushed[0][0] == expected).all()


def test_what_lsl_cannot_carry_is_refused() -> None:
    with pytest.raises(ComponentError, match="LSL takes rows of integers or floats of one axis"):
        sent([Chunk(np.ones((1, 2), "c8"), of("c8", kind="iq"))])
    with pytest.raises(ComponentError, match="LSL takes rows of integers or floats of one axis"):
        sent([Chunk(np.ones((1, 2, 5), "f4"), of("f4", (2, 5)))])
    with pytest.raises(WiringError, match="kind video"):
        from axonlike.components.devices.video import VideoIn

        Pipeline(VideoIn("demo", open_video=lambda: None), LSLOutlet(lsl=FakeLSL()))


def test_the_error_names_the_streams_that_there_are() -> None:
    with pytest.raises(ComponentError, match=r"is its sender running\? .* a \(type 'b', source_id 'c', on d\)"):
        run_virtual(Pipeline(LSLInlet("x", lsl=FakeSource(), timeout_s=0.01), Probe()))


def test_after_its_input_it_lingers_while_somebody_listens() -> None:
    fake = FakeLSL()
    feeder, outlet = Feeder([Chunk(np.zeros((1, 2), "f4"), of("f4"))]), LSLOutlet(lsl=fake, linger_s=3000.0)
    took_s = run_virtual(Pipeline(feeder, outlet))  # real time counts too, while its thread works
    assert took_s == pytest.approx(3000.0, abs=HANG_GUARD_S)


class SlowLSL(FakeLSL):
    """liblsl, whose outlets end when they may: `ends` are the threads in which one has begun to end."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.ends: queue.Queue[str] = queue.Queue()
        self.may_end = threading.Semaphore(0)
        self.made = 0
        slow = self

        class Outlet:
            def __init__(self, _info: Any) -> None:
                slow.made += 1

            def push_chunk(self, _values: np.ndarray, _stamp_s: float) -> None:
                if error is not None:
                    raise error

            def have_consumers(self) -> bool:
                return False

            def __del__(self) -> None:
                slow.ends.put(threading.current_thread().name)
                assert slow.may_end.acquire(timeout=HANG_GUARD_S)

        self.StreamOutlet = Outlet  # type: ignore[assignment]

    def wait_for_an_end(self) -> str:
        return self.ends.get(timeout=HANG_GUARD_S)


TWO_DESCRIPTIONS = [
    Chunk(np.zeros((1, 2), "f4"), of("f4"), 0),
    Chunk(np.zeros((1, 3), "f4"), of("f4", (3,)), 0),
]


def test_an_outlet_that_takes_long_to_end_does_not_hold_the_scheduler_and_the_component_ends_after_it() -> None:
    class UntilItEnds(Component):
        over = threading.Event()

        def main(self) -> Any:
            try:
                while True:
                    yield self.wait()
            finally:
                self.over.set()

    slow, following = SlowLSL(), UntilItEnds()
    with Bench(
        FEEDER=Feeder(TWO_DESCRIPTIONS), OUT=LSLOutlet(lsl=slow), NEXT=following, links="FEEDER -> OUT -> NEXT"
    ) as bench:
        try:
            for made in (1, 2):  # one ends before the next begins, and the last with the component
                assert slow.wait_for_an_end().startswith("axonlike:")
                assert bench.scheduler.call(lambda: slow.made, HANG_GUARD_S) == made
                assert not following.over.is_set()
                slow.may_end.release()
            assert following.over.wait(HANG_GUARD_S)
        finally:
            slow.may_end.release(2)


def test_one_that_does_not_end_by_the_deadline_is_named(caplog: pytest.LogCaptureFixture) -> None:
    slow, pause = SlowLSL(), threading.Event()
    scheduler = Scheduler(stop_deadline_s=0.05)
    outlet = LSLOutlet("mine", lsl=slow)
    scheduler.start_in_thread(Pipeline(Feeder([TWO_DESCRIPTIONS[0], PAUSE(1000)]), outlet))
    try:
        while not outlet.sent_rows:
            pause.wait(0.01)
        scheduler.call_from_thread(scheduler.stop)
        assert scheduler.join(HANG_GUARD_S)
        slow.wait_for_an_end()
        assert "LSLOutlet did not stop within 0.05 s: its thread is still in:" in caplog.text
    finally:
        slow.may_end.release()


def test_the_outlet_of_one_that_fails_does_not_end_in_the_schedulers_thread_either() -> None:
    slow = SlowLSL(OSError("no buffer space"))
    slow.may_end.release()
    with pytest.raises(ComponentError, match="no buffer space"):
        run_virtual(Pipeline(Feeder(TWO_DESCRIPTIONS), LSLOutlet(lsl=slow)))
    assert slow.wait_for_an_end().startswith("axonlike:")


class FakeInlet:
    """An inlet of 100 Hz that gives these chunks: (stamps, or an exception)."""

    def __init__(self, script: Iterator[Any]) -> None:
        self.script = script
        self.closed = False
        self.rows = 0

    def info(self, _timeout: float) -> Any:
        return FakeInfo()

    def open_stream(self, _timeout: float) -> None:
        pass

    def time_correction(self, _timeout: float) -> float:
        return -5000.0

    def close_stream(self) -> None:
        self.closed = True

    def pull_chunk(self, timeout: float, max_samples: int, dest_obj: Any) -> Any:
        stamps = next(self.script)
        if isinstance(stamps, Exception):
            raise stamps
        assert len(stamps) <= max_samples
        dest_obj[: len(stamps)] = np.arange(self.rows, self.rows + len(stamps))[:, np.newaxis]
        self.rows += len(stamps)
        return None, stamps


class FakeInfo:
    def __getattr__(self, name: str) -> Any:
        values = {
            "name": "a", "type": "b", "source_id": "c", "hostname": "d", "channel_count": 2, "nominal_srate": 100.0,
            "channel_format": 1, "desc": self, "child": self, "empty": True, "child_value": "{",
        }  # fmt: skip
        return lambda *_: values[name]


class FakeSource:
    def __init__(self, *inlets: FakeInlet) -> None:
        self.inlets = list(inlets)
        self.predicates: list[str] = []

    def resolve_bypred(self, predicate: str, minimum: int, timeout: float) -> list[Any]:
        self.predicates.append(predicate)
        return [FakeInfo()] if self.inlets else []

    def resolve_streams(self, _timeout: float) -> list[Any]:
        return [FakeInfo()]

    def StreamInlet(self, found: Any, max_buflen: int, recover: bool) -> FakeInlet:
        assert not recover
        return self.inlets.pop(0)

    def local_clock(self) -> float:
        return 1000.0


def stamps_from(start_s: float, rows: int) -> Iterator[list[float]]:
    """Chunks of 5 rows."""
    for first in range(0, rows, 5):
        yield [6000.0 + start_s + (first + k) / 100 for k in range(5)]


def taken(*inlets: Iterator[Any]) -> tuple[Probe, Probe, FakeSource, LSLInlet]:
    """What comes from these inlets, one after the other, until the last has nothing any more."""
    source = FakeSource(*(FakeInlet(inlet) for inlet in inlets))
    inlet = LSLInlet("it's", lsl=source, longest_wait_s=0.1)
    got, status = Probe(), Probe()
    graph = Graphline(IN=inlet, GOT=got, ST=status, links="IN -> GOT; IN.status -> ST")
    with pytest.raises(ComponentError) as raised:
        run_virtual(graph, until_s=1000)
    assert isinstance(raised.value.cause, _Over)
    return got, status, source, inlet


class _Over(Exception):
    pass


def test_rows_that_are_missing_by_their_stamps_are_a_gap() -> None:
    got, status, _, inlet = taken(itertools.chain(stamps_from(0.0, 500), stamps_from(7.0, 500), [_Over()]))
    [gap] = [message for message in status.messages if isinstance(message, LSLGap)]
    assert gap.rows == pytest.approx(200, abs=2)
    assert got.messages[-1].end == 1000 + gap.rows
    assert inlet.lost_rows == gap.rows


def test_the_stamps_jitter_is_no_gap() -> None:
    def jittering() -> Iterator[Any]:
        for number, stamps in enumerate(stamps_from(0.0, 3000)):
            late_s = 0.15 * math.sin(number) ** 2
            yield [stamp_s + late_s for stamp_s in stamps]
        yield _Over()

    got, status, _, _ = taken(jittering())
    assert [type(message) for message in status.messages] == [LSLOpened]
    assert got.messages[-1].end == 3000


def test_the_time_of_a_chunk_is_its_first_stamp_on_our_clock() -> None:
    before_ns = time.time_ns()
    got, _, source, _ = taken(itertools.chain(stamps_from(0.0, 10), [_Over()]))
    after_ns = time.time_ns()
    # The stamps begin at 6000 s, the sender's clock is 5000 s before ours, and ours shows 1000 s: that is now.
    assert before_ns - 10**6 <= got.messages[0].time_ns <= after_ns + 10**6
    assert source.predicates == ['name="it\'s"']


def test_two_clocks_are_read_together_however_long_the_thread_stood_between() -> None:
    class Clock:
        looks = 0

        def local_clock(self) -> float:
            self.looks += 1
            now_s = time.time() - 1000.0
            if self.looks in (1, 2):
                time.sleep(0.05)
            return now_s

    now_s, now_ns = _both_clocks(Clock())
    assert now_ns * 1e-9 - now_s == pytest.approx(1000.0, abs=0.01)


def test_one_that_comes_back_is_looked_for_by_its_source_id() -> None:
    lost = RuntimeError("the stream has been lost.")
    got, status, source, inlet = taken(
        itertools.chain(stamps_from(0.0, 300), [lost]), itertools.chain(stamps_from(5.0, 300), [_Over()])
    )
    assert source.predicates == ['name="it\'s"', "name=\"it's\" and source_id='c'"]
    kinds = [type(message) for message in status.messages]
    assert kinds == [LSLOpened, LSLLost, LSLOpened, LSLGap]
    assert inlet.lost_rows == pytest.approx(200, abs=2)
    assert status.messages[-1] == LSLGap(300 + inlet.lost_rows, inlet.lost_rows)
    assert got.messages[-1].end == 600 + inlet.lost_rows


def test_it_opens_on_demand_and_closes_a_linger_after() -> None:
    inlets = [FakeInlet(itertools.cycle([[]])) for _ in range(2)]
    source = FakeSource(*inlets)
    inlet, probe = LSLInlet("x", lsl=source), Probe()

    class Wiring(Component):
        def main(self) -> Any:
            yield self.sleep(1.0)
            assert len(source.inlets) == 2
            link = self.link((inlet, "markers"), (probe, "inbox"))
            while len(source.inlets) == 2:
                yield self.sleep(0.01)
            self.unlink(link)
            yield self.sleep(0.5)
            assert not inlets[0].closed
            while not inlets[0].closed:
                yield self.sleep(0.01)
            self.link((inlet, "outbox"), (probe, "inbox"))
            while source.inlets:
                yield self.sleep(0.01)

    wiring = Wiring()
    wiring.link((wiring, "outbox"), (inlet, "inbox"))
    run_virtual(wiring, inlet, probe, until_s=100)
    assert [one.closed for one in inlets] == [True, True]


# -- descriptions


@pytest.mark.net
def test_somebody_elses_description_is_read_as_far_as_it_goes(lsl: Any) -> None:
    plain = lsl.StreamInfo("x", "EEG", 3, 250, "float32", "")
    assert info_from_lsl(plain).channel_names == ()
    described = lsl.StreamInfo("x", "EEG", 2, 250, "int16", "")
    channels = described.desc().append_child("channels")
    for label, unit in (("Cz", "microvolts"), ("ECG", "millivolts")):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    described.desc().append_child_value("axonlike", "not json {")
    info = info_from_lsl(described)
    assert (info.channel_names, info.units, info.facts["channel_units"]) == (
        ("Cz", "ECG"), "", ["microvolts", "millivolts"],
    )  # fmt: skip


@pytest.mark.net
def test_kind_axis_and_facts_survive_the_way(lsl: Any) -> None:
    info = of("f4", (64,), "spectrum", axis=Axis("frequency", "Hz", 1e6, 250.0), facts={"window": "hann"}, units="dBm")
    outlet = LSLOutlet("x", lsl=lsl)
    back = info_from_lsl(outlet._lsl_info(info))
    assert (back.kind, back.axis, back.units, back.facts["window"]) == ("spectrum", info.axis, "dBm", "hann")


def test_without_pylsl_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pylsl":
            raise ImportError(name)
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for make in (lambda: LSLInlet("x"), LSLOutlet):
        with pytest.raises(MissingExtra, match=r"axonlike\[lsl\]"):
            make()


def test_arguments_that_make_no_sense_are_refused() -> None:
    for options in ({}, {"name": "x", "chunk_s": 0.0}, {"name": "x", "timeout_s": -1.0}, {"type": "x", "gap_s": 0}):
        with pytest.raises(UsageError):
            LSLInlet(lsl=FakeSource(), **options)  # type: ignore[arg-type]
    with pytest.raises(ComponentError, match="both kinds of quotation marks"):
        run_virtual(Pipeline(LSLInlet("\"'", lsl=FakeSource()), Probe()))


def test_it_ends_with_what_feeds_it() -> None:
    probe = Probe()
    source = FakeSource(FakeInlet(itertools.cycle([[]])))
    run_virtual(Pipeline(Feeder([PAUSE(0.2)]), LSLInlet("x", lsl=source), probe))
    assert probe.ended_by == "finished"
