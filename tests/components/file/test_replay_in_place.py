"""A recording in the place of a device: whatever kind of component that is, it is never opened."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.file.recorder import Recorder
from axonlike.components.file.recording.writer import Mark
from axonlike.components.file.replay import replay_in_place_of
from axonlike.components.settable import Refused, Settable
from axonlike.components.util import DataSource
from axonlike.demand import OnDemand, stand_in
from axonlike.driven import Driven
from axonlike.errors import ComponentError, UsageError
from axonlike.linkage import Box
from axonlike.streams import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import Feeder, Probe, run_virtual
from axonlike.threads import ThreadedComponent

INFO = StreamInfo(kind="analog", dtype=np.dtype("int16"), shape=(1,), sample_rate_hz=100, name="eeg")
SENDS: dict[str, Any] = {"outbox": Box("chunks", Chunk, required=True)}


def chunk(index: int, rows: int) -> Chunk:
    return Chunk(np.arange(index, index + rows, dtype="int16").reshape(-1, 1), INFO, index)


class Device(OnDemand):
    """A generator; as its subclasses, it notes in `opened` that it was asked for anything."""

    Outboxes: ClassVar[dict[str, Any]] = SENDS
    opened: ClassVar[list[str]] = []

    def open(self, how: str) -> None:
        self.opened.append(how)

    def main(self) -> Any:
        self.open("generator")
        yield


class AsyncDevice(Device):
    async def main(self) -> None:
        self.open("coroutine")


class Threaded(Device, ThreadedComponent):
    def main(self) -> None:
        self.open("thread")

    def interrupt(self) -> None:
        self.open("interrupt")


class ThreadFirst(ThreadedComponent, OnDemand):
    Outboxes: ClassVar[dict[str, Any]] = SENDS

    def main(self) -> None:
        Device.opened.append("thread")


class FromOutside(Device, Driven):
    always_trips: ClassVar[bool] = True

    def start(self) -> None:
        self.open("start")
        super().start()

    def begin(self) -> None:
        self.open("begin")

    def stopped(self) -> None:
        self.open("stopped")


class Port(ThreadedComponent):
    Outboxes: ClassVar[dict[str, Any]] = {"status": "of the port"}

    def main(self) -> None:
        Device.opened.append("port")


class OfParts(Device):
    """An amplifier that is read through a port: a child of its own."""

    Outboxes: ClassVar[dict[str, Any]] = {"status": "of the port"}

    def __init__(self) -> None:
        self.port = Port()
        self.add_child(self.port)
        self.add_inbox("raw")
        self.link((self.port, "outbox"), (self, "raw"))
        self.link((self.port, "status"), (self, "status"), passthrough="out")


class Narrow(Device):
    """Its class has slots only for what it adds."""

    __slots__ = ("handle",)


KINDS = [Device, AsyncDevice, Threaded, ThreadFirst, FromOutside, OfParts, Narrow]


@pytest.fixture(autouse=True)
def _nothing_opened() -> Any:
    Device.opened.clear()
    yield
    assert Device.opened == []


@pytest.fixture
def run_h5(tmp_path: Path) -> Path:
    """A second, half a second lost, another second."""
    path = tmp_path / "run.h5"
    Scheduler().run(Pipeline(DataSource([chunk(10, 100), chunk(160, 100)]), Recorder(path)))
    return path


def indices(probe: Probe) -> list[int]:
    return [index for message in probe.messages for index in range(message.index, message.end)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_sent_in_place_of_any_kind_of_device(kind: Callable[[], Component], run_h5: Path) -> None:
    device, probe = kind(), Probe()
    with stand_in({kind.__name__: replay_in_place_of(run_h5)}) as stand_ins:
        took_s = run_virtual(Pipeline(device, probe))
    assert indices(probe) == [*range(10, 110), *range(160, 260)]
    assert took_s == pytest.approx(2.5)
    assert stand_ins.unused == set()
    assert isinstance(device, kind)  # type: ignore[arg-type]
    assert type(device).__name__ == kind.__name__
    assert device.ended


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_stopped_in_the_middle(kind: Callable[[], Component], run_h5: Path) -> None:
    probe = Probe()
    with stand_in({kind.__name__: replay_in_place_of(run_h5)}):
        run_virtual(Pipeline(kind(), probe), until_s=0.52)
    assert indices(probe) == [*range(10, 60)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_box_holds_it_back(kind: Callable[[], Component], run_h5: Path) -> None:
    class Slow(Probe):
        def main(self) -> Generator[Any, Any, None]:
            self.depths: list[int] = []
            while True:
                yield self.wait("inbox")
                self.depths.append(self.data_ready())
                self.messages.append(self.recv())
                yield self.sleep(5.0)

    slow = Slow()
    slow.configure_inbox("inbox", limit=2)
    with stand_in({kind.__name__: replay_in_place_of(run_h5)}):
        run_virtual(Pipeline(kind(), slow))
    assert indices(slow) == [*range(10, 110), *range(160, 260)]
    assert max(slow.depths) <= 3


def test_devices_of_the_library_are_not_opened(tmp_path: Path) -> None:
    from axonlike.components.devices import WSA4000, AudioIn, Noise, VideoIn
    from axonlike.components.devices.brainamp import BrainAmp

    info = StreamInfo(kind="iq", dtype=np.dtype(">i2"), shape=(2,), sample_rate_hz=1e6, name="radio")
    path = tmp_path / "band.h5"
    Scheduler().run(Pipeline(DataSource([Chunk(np.ones((5000, 2), ">i2"), info, 7)]), Recorder(path)))

    def opened(*_: Any, **__: Any) -> Any:
        raise AssertionError("the device was opened")

    devices: list[OnDemand] = [
        WSA4000("192.0.2.1"), AudioIn(portaudio=opened), VideoIn("/dev/video99", open_video=opened), Noise(),
        BrainAmp("192.0.2.1"),
    ]  # fmt: skip
    for device in devices:
        probe = Probe()
        with stand_in({type(device).__name__: replay_in_place_of(path)}):
            run_virtual(Pipeline(device, probe))
        assert indices(probe) == [*range(7, 5007)], device
        assert isinstance(probe.messages[0].data, np.ndarray)
        assert probe.messages[0].info.name == "radio"


def test_it_is_found_by_its_path_too(run_h5: Path) -> None:
    probe, other = Probe(), Probe()
    with stand_in({"Pipeline/Device": replay_in_place_of(run_h5)}):
        run_virtual(Pipeline(Device(), probe))
    assert len(indices(probe)) == 200
    assert other.messages == []


def test_nothing_is_sent_while_nobody_takes_it(run_h5: Path) -> None:
    device = Device()
    with stand_in({"Device": replay_in_place_of(run_h5)}):
        run_virtual(device)
    assert device.ended


def test_a_name_that_no_source_has_ends_the_run_before_anything_is_opened(run_h5: Path) -> None:
    with stand_in({"Devise": replay_in_place_of(run_h5)}), pytest.raises(UsageError) as caught:
        run_virtual(Pipeline(Device(), Probe()))
    assert str(caught.value) == "no source is called 'Devise'; did you mean 'Device'? (there are: Pipeline/Device)"
    with stand_in({"Probe": replay_in_place_of(run_h5)}), pytest.raises(UsageError, match="is no source that can be"):
        run_virtual(Pipeline(Device(), Probe()))


def test_marks_go_to_events_and_settings_are_refused(tmp_path: Path) -> None:
    class Both(Component):
        Outboxes = {"events": "marks"}

        def main(self) -> Any:
            self.send(Mark("here", sample=20, of="eeg"), "events")
            self.send(chunk(0, 100))
            yield

    class Radio(Device, Settable):
        Outboxes: ClassVar[dict[str, Any]] = {"events": "marks"}
        settings = ("gain",)
        gain = 1

    both, recorder = Both(), Recorder(tmp_path / "run.h5")
    recorder.link((both, "outbox"), (recorder, "inbox"))
    recorder.link((both, "events"), (recorder, "events"))
    Scheduler().run(both, recorder)
    radio, probe, events, status = Radio(), Probe(), Probe(), Probe()
    tunes = Feeder([{"gain": 2}])
    radio.link((tunes, "outbox"), (radio, "settings"))
    for box, to in ("outbox", probe), ("events", events), ("status", status):
        radio.link((radio, box), (to, "inbox"))
    with stand_in({"Radio": replay_in_place_of(tmp_path / "run.h5")}):
        run_virtual(tunes, radio, probe, events, status)
    assert [mark.label for mark in events.messages] == ["here"]
    (refused,) = status.messages
    assert isinstance(refused, Refused)
    assert refused.reason == f"Radio is the recording {tmp_path / 'run.h5'}: it cannot be set"
    assert radio.gain == 1
    assert len(indices(probe)) == 100


def test_a_recording_that_does_not_fit_what_takes_it_is_told(run_h5: Path) -> None:
    class TakesIQ(Probe):
        def __init__(self) -> None:
            super().__init__()
            self.specify("inbox", type=Chunk, stream=StreamType("iq"))

    with stand_in({"Device": replay_in_place_of(run_h5)}), pytest.raises(ComponentError, match="wanted iq") as caught:
        run_virtual(Pipeline(Device(), TakesIQ()))
    assert isinstance(caught.value.cause, StreamMismatch)


def test_what_is_no_recording_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "run.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"run\.wav"):
        replay_in_place_of(tmp_path / "run.wav")
