"""VideoIn: FFmpeg's own test pictures and files against what PyAV itself decodes, and faults on a fake."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.devices.video import VideoGap, VideoIn, VideoLost, VideoOpened, VideoUnavailable
from axonlike.errors import ComponentError, DeviceError, MissingExtra, UsageError
from axonlike.streams.chunk import Chunk
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual

av = pytest.importorskip("av", reason="PyAV is not installed")

TESTSRC = "testsrc=size=160x120:rate=25:duration=1"


def frames_by_pyav(place: str, pixels: str, input_format: str | None = None) -> list[np.ndarray]:
    with av.open(place, format=input_format) as container:
        return [frame.to_ndarray(format=pixels) for frame in container.decode(video=0)]


def seen(video: VideoIn, until_s: float | None = None) -> tuple[list[Chunk], list[Any]]:
    got, status = Probe(), Probe()
    run_virtual(Graphline(VIDEO=video, GOT=got, ST=status, links="VIDEO -> GOT; VIDEO.status -> ST"), until_s=until_s)
    return got.messages, status.messages


@pytest.fixture
def film(tmp_path: Path) -> str:
    """20 seconds at 10 frames a second, encoded without loss."""
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in [*range(20)] * 10:
            picture = np.full((48, 64, 3), number * 10, np.uint8)
            picture[:, number * 3 : number * 3 + 3] = (255, 0, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return str(path)


@pytest.mark.parametrize("pixels", ["rgb24", "gray"])
@pytest.mark.parametrize("paced", [True, False])
def test_the_frames_are_ffmpegs_one_a_chunk_counted_from_0(pixels: Any, paced: bool) -> None:
    chunks, status = seen(VideoIn(TESTSRC, input_format="lavfi", pixel_format=pixels, paced=paced))
    expected = frames_by_pyav(TESTSRC, pixels, "lavfi")
    assert len(chunks) == len(expected) == 25
    assert [chunk.index for chunk in chunks] == list(range(25))
    for chunk, frame in zip(chunks, expected):
        assert np.array_equal(chunk.data[0], frame)
    info = chunks[0].info
    assert (info.kind, info.shape, info.sample_rate_hz) == ("video", expected[0].shape, 25.0)
    assert status == [VideoOpened(TESTSRC, 160, 120, 25.0, 1)]


def test_a_file_is_played_at_its_pace_and_its_end_is_the_end(film: str) -> None:
    got = Probe()
    run_virtual(Pipeline(VideoIn(film), got))
    assert got.ended_by == "finished"
    expected = frames_by_pyav(film, "rgb24")
    assert len(got.messages) == len(expected) == 200
    assert all(np.array_equal(chunk.data[0], frame) for chunk, frame in zip(got.messages, expected))
    # Its thread's work takes real time, which may hold up the frames of seconds; but that does not add up.
    late_s = np.array(got.times_s) - np.arange(200) / 10
    assert late_s[-100:].min() == pytest.approx(late_s[:100].min(), abs=0.3)
    times_ns = [chunk.time_ns - got.messages[0].time_ns for chunk in got.messages]
    assert times_ns == pytest.approx([k * 1e8 for k in range(200)], abs=2e6)  # Matroska counts in milliseconds


def test_the_demo_is_a_picture_without_end() -> None:
    chunks, _ = seen(VideoIn("demo"), until_s=12.0)
    assert 200 <= len(chunks) <= 300  # its thread may be late by seconds when the run ends
    assert chunks[0].info.shape == (240, 320, 3)
    assert chunks[0].data.std() > 50


class Watched:
    """A container of PyAV's that can be asked if it was closed."""

    def __init__(self, container: Any) -> None:
        self.container, self.streams, self.closed = container, container.streams, False

    def demux(self, stream: Any) -> Any:
        return self.container.demux(stream)

    def close(self) -> None:
        self.container.close()
        self.closed = True


def test_it_opens_on_demand_and_closes_a_linger_after() -> None:
    opened: list[Watched] = []

    def open_video(*arguments: Any, **options: Any) -> Watched:
        opened.append(Watched(av.open(*arguments, **options)))
        return opened[-1]

    video, got = VideoIn("demo", open_video=open_video), Probe()

    class Wiring(Component):
        def main(self) -> Any:
            yield self.sleep(1.0)
            assert not opened
            link = self.link((video, "outbox"), (got, "inbox"))
            while len(got.messages) < 10:
                yield self.sleep(0.1)
            self.unlink(link)
            yield self.sleep(5.0)
            before = len(got.messages)
            assert [one.closed for one in opened] == [True]
            self.link((video, "outbox"), (got, "inbox"))
            while len(got.messages) < before + 10:
                yield self.sleep(0.1)

    wiring = Wiring()
    wiring.link((wiring, "outbox"), (video, "inbox"))
    run_virtual(wiring, video, got, until_s=60.0)
    assert [one.closed for one in opened] == [True, True]
    assert [chunk.index for chunk in got.messages if chunk.index == 0] == [0, 0]  # it began anew


# -- live sources, on a fake


class FakeFrame:
    time = None

    def __init__(self, number: int) -> None:
        self.number = number

    def to_ndarray(self, format: str) -> np.ndarray:
        return np.full((4, 6), self.number, np.uint8)


class FakePacket:
    def __init__(self, number: int, error: Exception | None = None) -> None:
        self.number, self.error = number, error

    def decode(self) -> list[FakeFrame]:
        if self.error is not None:
            raise self.error
        return [FakeFrame(self.number)]


class FakeContainer:
    """Gives these packets; one that is an exception is raised, at the end there is none any more."""

    def __init__(self, *packets: Any, rate_hz: float = 10.0) -> None:
        class Size:
            width, height = 6, 4

        class Stream:
            average_rate = base_rate = rate_hz
            codec_context = Size

        class Streams:
            video: ClassVar[list[Any]] = [Stream]

        self.streams = Streams
        self.packets = packets
        self.closed = False

    def demux(self, _stream: Any) -> Any:
        for packet in self.packets:
            if isinstance(packet, Exception):
                raise packet
            yield packet

    def close(self) -> None:
        self.closed = True


def opening(*results: Any) -> Callable[..., Any]:
    left = list(results)

    def open_video(*_arguments: Any, **_options: Any) -> Any:
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return open_video


def packets(*numbers: int) -> list[FakePacket]:
    return [FakePacket(number) for number in numbers]


def test_a_live_stream_that_breaks_off_is_opened_again_and_the_frames_of_that_time_are_counted() -> None:
    first = FakeContainer(*packets(0, 1, 2), ConnectionResetError(104, "Connection reset by peer"))
    second, last = FakeContainer(*packets(3, 4)), FakeContainer(*packets(5, 6), KeyError("the end of the test"))
    refused = ConnectionRefusedError(111, "Connection refused")
    video = VideoIn(
        "rtsp://me:secret@camera/1", pixel_format="gray", open_video=opening(first, refused, refused, second, last)
    )
    assert video.live
    got, status = Probe(), Probe()
    with pytest.raises(ComponentError, match="the end of the test"):
        run_virtual(Graphline(VIDEO=video, GOT=got, ST=status, links="VIDEO -> GOT; VIDEO.status -> ST"), until_s=100)
    kinds = [type(message) for message in status.messages]
    assert kinds == [
        VideoOpened, VideoLost, VideoUnavailable, VideoOpened, VideoGap, VideoLost, VideoOpened, VideoGap,
    ]  # fmt: skip
    assert [int(chunk.data[0, 0, 0]) for chunk in got.messages] == list(range(len(got.messages)))
    gaps = [message for message in status.messages if isinstance(message, VideoGap)]
    assert [chunk.index for chunk in got.messages[:5]] == [0, 1, 2, 3 + gaps[0].frames, 4 + gaps[0].frames]
    assert gaps[0].frames >= 2  # three tries, with pauses of 0.05 s at least, 0.1 s and more: at 10 frames a second
    counted = video.video_statistics()
    assert counted.lost_frames == sum(gap.frames for gap in gaps)
    assert (counted.opened, counted.broken_packets) == (3, 0)
    assert all(container.closed for container in (first, second, last))
    told = "".join(map(str, status.messages))
    assert "secret" not in told
    assert "Connection reset by peer" in told


def test_packets_that_cannot_be_decoded_are_left_out_and_counted() -> None:
    damaged = FakePacket(9, av.error.InvalidDataError(1094995529, "Invalid data found when processing input"))
    container = FakeContainer(*packets(0, 1), damaged, damaged, *packets(2))
    video = VideoIn("film.mkv", paced=False, pixel_format="gray", open_video=opening(container))
    chunks, _ = seen(video)
    assert [int(chunk.data[0, 0, 0]) for chunk in chunks] == [0, 1, 2]
    assert video.video_statistics().broken_packets == 2


def test_a_file_of_nothing_but_broken_packets_is_an_error() -> None:
    damaged = FakePacket(9, av.error.InvalidDataError(1094995529, "Invalid data found when processing input"))
    video = VideoIn("film.mkv", paced=False, open_video=opening(FakeContainer(*[damaged] * 200)))
    with pytest.raises(ComponentError, match="broke off after 0 frames: 100 packets one after the other"):
        seen(video)


def test_a_file_that_breaks_off_is_an_error() -> None:
    container = FakeContainer(*packets(0, 1), OSError(5, "Input/output error"))
    with pytest.raises(ComponentError, match=r"film\.mkv broke off after 2 frames: Input/output error"):
        seen(VideoIn("film.mkv", paced=False, pixel_format="gray", open_video=opening(container)))


# -- what cannot be opened


@pytest.mark.parametrize(
    ("source", "more", "text"),
    [
        ("/no/such.mp4", {}, "video /no/such.mp4 cannot be opened: No such file or directory; is the path right"),
        ("/dev/video987", {}, "/dev/video987 cannot be opened: No such file or directory; is it plugged in"),
        ("nosuchsource=1", {"input_format": "lavfi"}, "Invalid argument; can FFmpeg play it"),
        (__file__, {}, "Invalid data found"),
        ("x", {"input_format": "nosuchformat"}, "nosuchformat"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_one_sentence_with_what_to_do(source: str, more: Any, text: str) -> None:
    with pytest.raises(ComponentError) as raised:
        seen(VideoIn(source, **more))
    assert isinstance(raised.value.cause, DeviceError)
    assert text in str(raised.value.cause)


@pytest.mark.net
def test_a_host_that_does_not_answer_is_told() -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(ComponentError, match="Connection refused; does its host answer"):
            seen(VideoIn(f"rtsp://127.0.0.1:{unused.getsockname()[1]}/x"))


@pytest.mark.net
@pytest.mark.hang_guard(60)
def test_a_host_that_says_nothing_fails_within_the_time_limit() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ComponentError, match="cannot be opened"):
            seen(VideoIn(f"http://127.0.0.1:{silent.getsockname()[1]}/x.mp4", timeout_s=0.3))


def test_sound_alone_is_no_video() -> None:
    with pytest.raises(ComponentError, match="there is no video in sine=duration=1"):
        seen(VideoIn("sine=duration=1", input_format="lavfi"))


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"axonlike\[video\]"):
        VideoIn("demo")


@pytest.mark.parametrize(
    "make",
    [
        lambda: VideoIn(""),
        lambda: VideoIn(1.5),  # type: ignore[arg-type]
        lambda: VideoIn("demo", pixel_format="yuv"),  # type: ignore[arg-type]
        lambda: VideoIn("demo", timeout_s=0.0),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


def test_cameras_and_streams_are_live_and_files_are_not() -> None:
    live = [VideoIn(source).live for source in (0, "/dev/video3", "rtsp://x/y", "udp://@:5000", "UDP://x")]
    assert live == [True] * 5
    assert [VideoIn(source).live for source in ("demo", "film.mkv", "http://x/film.mp4")] == [False] * 3
    assert VideoIn("http://camera/mjpeg", live=True).live


# -- what every component promises


def test_it_ends_with_what_feeds_it() -> None:
    got = Probe()
    run_virtual(Pipeline(Feeder([PAUSE(1.0)]), VideoIn("demo"), got))
    assert got.ended_by == "finished"


def test_it_stops_while_its_receiver_is_full() -> None:
    video = VideoIn("demo", paced=False)
    run_virtual(Pipeline(video, Stalled(limit=3)), until_s=1.0)
    assert video.video_statistics().frames < 20


def test_it_conforms() -> None:
    check_component(lambda: VideoIn(TESTSRC, input_format="lavfi", paced=False))
    check_component(lambda: VideoIn("demo"), ends=False)
