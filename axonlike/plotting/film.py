"""Pictures one after another as a film in a file: MP4 for players and talks, GIF for web pages.

The MP4 is a fragmented one: its index is not at the end, but with each half second of pictures, and each goes to the
disk when it is complete. So when the process is killed or the disk fills up, all but the last second can be played.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from axonlike.components.file.trouble import file_trouble
from axonlike.errors import DeviceError, MissingExtra, UsageError, show_value

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Film"]

_FRAGMENT_S: Final = 0.5
# What an MP4 is encoded with: the first that this FFmpeg has. bf, rc-lookahead: no picture waits for those after it, or
# they would be missing on the disk. crf 18: lines and letters stay sharp.
_ENCODERS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("libx264", {"preset": "superfast", "crf": "18", "bf": "0", "rc-lookahead": "0"}),
    ("libopenh264", {}),
    ("h264_videotoolbox", {}),
    ("mpeg4", {}),
)
_BITS_A_PIXEL: Final = 0.25
"""For encoders that know no crf."""
# A palette of its own for each picture: a plot's few colours then come out as they were.
_GIF_GRAPH: Final = (
    ("split", ""), ("palettegen", "stats_mode=single:reserve_transparent=0"), ("paletteuse", "new=1:dither=none"),
)  # fmt: skip
_MOST_FPS: Final = {".mp4": 240.0, ".gif": 50.0}
_BT709: Final = 1
_MPEG_RANGE: Final = 1


class Film:
    """A film being written: ``film.add(picture)`` for each picture, ``film.close()`` at the end; or in a ``with``.

    path ends in .mp4 (H.264, which everything plays) or .gif. fps: pictures a second when it is played; a GIF has at
    most 50. The first picture says how large the film is (an odd side of an MP4 gets a line more); later ones of other
    sizes are fitted into it. A file that is there already is kept, unless `overwrite`.

    Raises UsageError for a path, fps or picture that cannot be; MissingExtra without PyAV; DeviceError when the file
    cannot be written, after which the film has ended: what was written of an MP4 can be played.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 30.0, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.frames = 0
        """Pictures so far."""
        suffix = self.path.suffix.lower()
        most_fps = _MOST_FPS.get(suffix)
        if most_fps is None:
            raise UsageError(f"Film: a film's name ends in {' or '.join(_MOST_FPS)}, not {str(path)!r}")
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0.01 <= fps <= most_fps:
            raise UsageError(f"Film: fps of a {suffix} is a number from 0.01 to {most_fps:g}, not {show_value(fps)}")
        self._av = _pyav()
        self._rate = Fraction(fps).limit_denominator(1001)
        self._is_gif = suffix == ".gif"
        try:
            # Unbuffered: FFmpeg gathers what belongs together, and that is then to be on the disk.
            self._file: Any = open(self.path, "wb" if overwrite else "xb", buffering=0)  # noqa: SIM115
        except FileExistsError:
            raise UsageError(f"Film: there is a file {self.path} already; overwrite=True replaces it") from None
        except OSError as exc:
            raise file_trouble("beginning the film", str(self.path), exc) from exc
        self._container: Any = None
        self._stream: Any = None
        self._graph: Any = None
        self._size = (0, 0)

    @property
    def duration_s(self) -> float:
        """How long it plays so far."""
        return float(self.frames / self._rate)

    @property
    def is_closed(self) -> bool:
        """Has it been closed, or ended by an error?"""
        return self._file is None

    def add(self, picture: npt.NDArray[np.uint8]) -> None:
        """One more picture: uint8, shape (height, width, 3 or 4), row 0 at the top; of 4, the last is left out."""
        if self._file is None:
            raise UsageError(f"Film: {self.path} has been closed; begin another")
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4) or 0 in picture.shape:
            raise UsageError(
                f"Film: a picture is uint8 of shape (height, width, 3), not {picture.dtype} of shape {picture.shape}"
            )
        try:
            if self._container is None:
                self._begin(picture.shape[1], picture.shape[0])
            frame = self._av.VideoFrame.from_ndarray(self._fitted(picture[..., :3]), format="rgb24")
            frame.pts, frame.time_base = self.frames, 1 / self._rate
            self._write(frame)
        except (OSError, self._av.FFmpegError) as exc:
            self._let_go()
            raise self._trouble(exc) from exc
        self.frames += 1

    def close(self) -> None:
        """Write the rest. Harmless when done; without any picture, no file stays."""
        if self._file is None:
            return
        if self._container is None:
            self._let_go()
            self.path.unlink(missing_ok=True)
            return
        try:
            self._write(None)
            self._container.close()
            self._file.close()
        except (OSError, self._av.FFmpegError) as exc:
            raise self._trouble(exc) from exc
        finally:
            self._let_go()

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, width: int, height: int) -> None:
        if self._is_gif:
            self._size = (width, height)
            self._container = self._av.open(self._file, "w", format="gif")
            self._stream = self._container.add_stream("gif", rate=self._rate)
            self._stream.pix_fmt = "pal8"
            self._graph = _gif_graph(self._av, width, height, self._rate)
        else:
            self._size = (width + width % 2, height + height % 2)  # colours are kept for 2 x 2 pixels
            name, options = next(each for each in _ENCODERS if each[0] in self._av.codecs_available)
            self._container = self._av.open(
                self._file, "w", format="mp4",
                options={"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"},
            )  # fmt: skip
            self._stream = self._container.add_stream(name, rate=self._rate, options=options)
            self._stream.pix_fmt = "yuv420p"
            context = self._stream.codec_context
            context.gop_size = max(1, round(float(self._rate) * _FRAGMENT_S))
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _MPEG_RANGE
            if "crf" not in options:
                self._stream.bit_rate = round(
                    _BITS_A_PIXEL * self._size[0] * self._size[1] * max(10.0, float(self._rate))
                )
        self._stream.width, self._stream.height = self._size

    def _fitted(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The picture in the film's size: by repeating its last line, or scaled, with its proportions, onto black."""
        width, height = self._size
        if picture.shape[:2] == (height, width):
            return np.ascontiguousarray(picture)
        rows, columns = picture.shape[:2]
        if (columns + columns % 2, rows + rows % 2) == self._size and not self._is_gif:
            return np.pad(picture, ((0, height - rows), (0, width - columns), (0, 0)), mode="edge")
        scale = min(width / columns, height / rows)
        inner_width, inner_height = max(1, round(columns * scale)), max(1, round(rows * scale))
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        scaled = frame.reformat(width=inner_width, height=inner_height, interpolation="AREA").to_ndarray(format="rgb24")
        canvas = np.zeros((height, width, 3), np.uint8)
        top, left = (height - inner_height) // 2, (width - inner_width) // 2
        canvas[top : top + inner_height, left : left + inner_width] = scaled
        return canvas

    def _write(self, frame: Any) -> None:
        """Encode a frame; None: what the encoder holds back."""
        if self._graph is not None:
            if frame is not None:
                self._graph.push(frame)
                self._encode(self._graph.pull())
                return
        elif frame is not None:
            pts, time_base = frame.pts, frame.time_base
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = pts, time_base
        self._encode(frame)

    def _encode(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _let_go(self) -> None:
        """Of the file, whatever state it is in."""
        file, container = self._file, self._container
        self._file = self._container = self._stream = self._graph = None
        if container is not None:
            try:
                container.close()
            except (OSError, ValueError, self._av.FFmpegError):  # it was reported already, or the file is closed
                pass
        if file is not None:
            try:
                file.close()
            except OSError:
                pass

    def _trouble(self, exc: Exception) -> DeviceError:
        if isinstance(exc, OSError):
            return file_trouble(f"writing picture {self.frames + 1} of the film", str(self.path), exc)
        return DeviceError(f"writing picture {self.frames + 1} of the film {self.path}: {exc}")


def _gif_graph(av: Any, width: int, height: int, rate: Fraction) -> Any:
    """A filter that gives each picture the 256 colours that are best for it."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate)
    split, palette, use = (graph.add(name, arguments) for name, arguments in _GIF_GRAPH)
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _pyav() -> Any:
    try:
        import av
        import av.filter
    except ImportError as exc:
        raise MissingExtra("Film", "PyAV", "video") from exc
    return av
