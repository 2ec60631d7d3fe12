"""Video from cameras, files, network streams and test sources, through FFmpeg (PyAV brings it along).

Decoding blocks and takes its time, so it is done in a thread; FFmpeg lets go of Python's lock meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from axonlike.components.devices.source import ThreadedSource
from axonlike.errors import DeviceError, Finished, MissingExtra, UsageError
from axonlike.linkage import Box
from axonlike.restarts import Backoff
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamType

__all__ = ["VideoGap", "VideoIn", "VideoLost", "VideoOpened", "VideoStatistics", "VideoUnavailable"]

log = logging.getLogger("axonlike.video")

PixelFormat = Literal["rgb24", "gray"]

_FIRST_RETRY_S = 0.1
_WELL_AFTER_S = 5.0
_LIVE = re.compile(r"(rtsps?|rtmps?|rtp|udp|srt|tcp|mms)://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+$")
_USER = re.compile(r"(?<=://)[^/@]*@")
# Where FFmpeg does not know how many frames a second there are.
_USUAL_RATE_HZ = 25.0
# Packets that cannot be decoded one after the other: no such file can be played.
_BROKEN_IN_A_ROW = 100


@dataclass(frozen=True, slots=True)
class VideoOpened:
    """It is open. times: 1 for the first time, then one more for each reopening."""

    source: str
    width: int
    height: int
    rate_hz: float
    times: int


@dataclass(frozen=True, slots=True)
class VideoLost:
    """A live source has broken off. It is opened again when that can be done."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class VideoUnavailable:
    """A live source, which was open before, cannot be opened, for a new reason; it is tried again and again."""

    reason: str


@dataclass(frozen=True, slots=True)
class VideoGap:
    """So many frames, by the time that passed, are missing before the one with this index."""

    index: int
    frames: int


@dataclass(frozen=True, slots=True)
class VideoStatistics:
    """What it has done so far. broken_packets: how many could not be decoded."""

    opened: int
    frames: int
    lost_frames: int
    broken_packets: int


class VideoIn(ThreadedSource):
    """Frames of a video, one a chunk, of shape (1, height, width, 3) of uint8, or (1, height, width) in greys.

    source: a camera's number or path, a file, a URL, or "demo", FFmpeg's test picture. input_format and options are
    FFmpeg's: ``VideoIn("testsrc=size=160x120:rate=25", input_format="lavfi")`` makes a picture with no device at all;
    ``options={"video_size": "640x480", "framerate": "30"}`` asks a camera. pixel_format: "rgb24" or "gray".

    The index counts frames from 0. A file or test picture is played at its own pace (paced=False: as fast as its
    frames are taken), and its end is the end of the stream. Live are cameras and such URLs as rtsp:// (live=True says
    so of any other): they come as they come; when one breaks off it is opened again, at least every `longest_wait_s`
    seconds, and the frames of that time count as lost (`VideoGap` on `status`). Not to be there at first is a
    DeviceError.

    It is opened while somebody takes its frames; a file begins anew then, at index 0. While its receiver is full it
    does not read, so let a display take frames with the policy "latest". Frames need much memory (640 x 480: 0.9 MB),
    so bound the inbox that takes them (``configure_inbox(limit=8)``).

    A read or opening that takes longer than `timeout_s` fails. Raises MissingExtra without PyAV.
    """

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("frames", Chunk, stream=StreamType(kind="video", dtype="uint8"), required=True),
        "status": "VideoOpened, VideoLost, VideoUnavailable, VideoGap",
    }

    def __init__(
        self,
        source: int | str = "demo",
        *,
        pixel_format: PixelFormat = "rgb24",
        input_format: str | None = None,
        options: Mapping[str, str] | None = None,
        live: bool | None = None,
        paced: bool | None = None,
        timeout_s: float = 3.0,
        longest_wait_s: float = 5.0,
        open_video: Callable[..., Any] | None = None,
    ) -> None:
        """open_video: in place of ``av.open``."""
        # FFmpeg's own errors are OSErrors, ValueErrors, or neither.
        self._errors: tuple[type[Exception], ...] = (OSError, ValueError, EOFError)
        if open_video is None:
            av = _pyav_or_missing(type(self).__name__)
            open_video = av.open
            self._errors += (av.FFmpegError,)
        self._open_video: Callable[..., Any] = open_video
        if pixel_format not in ("rgb24", "gray"):
            raise UsageError(f"VideoIn: pixel_format is rgb24 or gray, not {pixel_format!r}")
        if not timeout_s > 0:
            raise UsageError(f"VideoIn: timeout_s is a number of seconds above 0, not {timeout_s!r}")
        self.source = source
        self.pixel_format = pixel_format
        self._place, found_format = _place_of(source)
        self._input_format = input_format or found_format
        is_camera = self._input_format in ("v4l2", "avfoundation", "dshow")
        self.live = is_camera or bool(_LIVE.match(self._place)) if live is None else live
        self.paced = not self.live if paced is None else paced
        self._is_camera = is_camera
        self._shown = _USER.sub("", self._place)
        self._options = {str(name): str(value) for name, value in (options or {}).items()}
        self._timeout_s = timeout_s
        self._backoff = Backoff(min(_FIRST_RETRY_S, longest_wait_s), longest_wait_s)
        self._info: StreamInfo | None = None
        self._index = 0
        self._opened = 0
        self._frames = 0
        self._lost_frames = 0
        self._broken_packets = 0
        self._why_unavailable = ""
        self._rate_hz = _USUAL_RATE_HZ
        self._last_s: float | None = None  # when the last frame of a live source came
        self._after_reopening = False

    def video_statistics(self) -> VideoStatistics:
        """Counts so far; may be called from any thread."""
        return VideoStatistics(self._opened, self._frames, self._lost_frames, self._broken_packets)

    def _now_s(self) -> float:
        scheduler = self.scheduler
        assert scheduler is not None
        return scheduler.time()

    def attend(self) -> float | None:
        try:
            container = self._open()
        except DeviceError as exc:
            if not self.live or not self._opened:
                raise
            if str(exc) != self._why_unavailable:
                self._why_unavailable = str(exc)
                log.warning("%s: %s; trying again", self.path, str(exc))
                self.send(VideoUnavailable(str(exc)), "status")
            return self._backoff.next_delay_s()
        with contextlib.closing(container):
            opened_s = self._now_s()
            self._after_reopening = self._opened > 1
            trouble = self._play(container)
        if trouble is None:
            return None
        if not self.live:
            raise Finished
        if self._now_s() - opened_s >= _WELL_AFTER_S:
            self._backoff.reset()
        log.warning("%s: lost %s: %s; opening it again", self.path, self._shown, trouble)
        self.send(VideoLost(self._shown, trouble), "status")
        return self._backoff.next_delay_s()

    def _open(self) -> Any:
        try:
            container = self._open_video(
                self._place, format=self._input_format, options=dict(self._options),
                timeout=(self._timeout_s, self._timeout_s),
            )  # fmt: skip
        except self._errors as exc:
            raise DeviceError(f"video {self._shown} cannot be opened: {_said(exc)}; {self._remedy(exc)}") from exc
        if not container.streams.video:
            container.close()
            raise DeviceError(f"there is no video in {self._shown}; VideoIn takes what has moving pictures in it")
        stream = container.streams.video[0]
        rate_hz = float(stream.average_rate or stream.base_rate or 0) or _USUAL_RATE_HZ
        self._opened += 1
        self._why_unavailable = ""
        if not self.live:
            self._index, self._last_s = 0, None
        width, height = stream.codec_context.width, stream.codec_context.height
        again = self._opened > 1 and self.live
        log.log(logging.WARNING if again else logging.INFO, "%s: %s is open", self.path, self._shown)
        self.send(VideoOpened(self._shown, width, height, rate_hz, self._opened), "status")
        self._rate_hz = rate_hz
        return container

    def _remedy(self, exc: Exception) -> str:
        if isinstance(exc, PermissionError) and self._is_camera:
            return "sudo usermod -aG video $USER, then log in again"
        if self._is_camera:
            return "is it plugged in? `v4l2-ctl --list-devices` lists the cameras"
        if isinstance(exc, FileNotFoundError):
            return "is the path right?"
        if "://" in self._place:
            return "does its host answer, and is the address right?"
        return "can FFmpeg play it (ffprobe says)?"

    def _play(self, container: Any) -> str | None:
        """Send the frames: until nobody wants them any more (None), or there are no more (why)."""
        start_s, start_ns, first_time_s = self._now_s(), time.time_ns(), None
        number = 0
        frames = self._frames_of(container)
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                return "it has ended"
            except self._errors as exc:
                if self.live:
                    return _said(exc)
                raise DeviceError(f"video {self._shown} broke off after {number} frames: {_said(exc)}") from exc
            at_s = number / self._rate_hz
            if frame.time is not None and not self.live:
                first_time_s = frame.time if first_time_s is None else first_time_s
                at_s = frame.time - first_time_s
            if self.paced:
                left_s = start_s + at_s - self._now_s()
                while left_s > 0:
                    if not self.wait_unless_told(timeout_s=left_s):
                        return None
                    left_s = start_s + at_s - self._now_s()
            told = self.data_ready("demand") or self.data_ready("inbox") or self.input_ended
            if told and not self.wait_unless_told(timeout_s=0.0):
                return None
            self._send(frame, time.time_ns() if self.live else start_ns + round(at_s * 1e9))
            number += 1

    def _frames_of(self, container: Any) -> Iterator[Any]:
        broken = 0
        for packet in container.demux(container.streams.video[0]):
            try:
                decoded = packet.decode()
            except ValueError as exc:  # which InvalidDataError is: a packet that was damaged on its way
                self._broken_packets += 1
                broken += 1
                if broken >= _BROKEN_IN_A_ROW:
                    raise OSError(f"{broken} packets one after the other cannot be decoded: {_said(exc)}") from exc
                continue
            if decoded:
                broken = 0
            yield from decoded

    def _send(self, frame: Any, time_ns: int) -> None:
        data = frame.to_ndarray(format=self.pixel_format)
        if self.live:
            now_s = self._now_s()
            if self._last_s is not None and self._after_reopening:
                lost = max(1, round((now_s - self._last_s) * self._rate_hz) - 1)
                self._lost_frames += lost
                self._index += lost
                self.send(VideoGap(self._index, lost), "status")
            self._after_reopening, self._last_s = False, now_s
        info = self._info
        if info is None or info.shape != data.shape or info.sample_rate_hz != self._rate_hz:
            info = self._info = StreamInfo(
                kind="video", dtype=np.dtype(np.uint8), shape=data.shape, sample_rate_hz=self._rate_hz, name=self.name,
                facts={"pixel_format": self.pixel_format},
            )  # fmt: skip
        self.send(Chunk(data[np.newaxis], info, self._index, time_ns))
        self._index += 1
        self._frames += 1


def _place_of(source: int | str) -> tuple[str, str | None]:
    """What FFmpeg is to open, and as what."""
    if isinstance(source, bool) or not isinstance(source, int | str) or source == "":
        raise UsageError(f'VideoIn: source is a camera\'s number, a path, a URL or "demo", not {source!r}')
    if isinstance(source, int):
        if sys.platform.startswith("linux"):
            return f"/dev/video{source}", "v4l2"
        if sys.platform == "darwin":
            return f"{source}:none", "avfoundation"
        raise UsageError(
            'VideoIn: here a camera is named as FFmpeg names it: VideoIn("video=NAME", input_format="dshow"); '
            "ffmpeg -list_devices true -f dshow -i dummy lists them"
        )
    if source == "demo":
        return "testsrc=size=320x240:rate=25", "lavfi"
    return source, "v4l2" if _CAMERA.match(source) else None


def _said(exc: BaseException) -> str:
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


def _pyav_or_missing(component: str) -> Any:
    try:
        import av
    except ImportError as exc:
        raise MissingExtra(component, "PyAV", "video") from exc
    return av
