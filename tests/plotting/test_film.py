"""Films: what comes back when they are played, what a killed process leaves, and what a full disk does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from axonlike.errors import DeviceError, UsageError
from axonlike.plotting.film import Film

av = pytest.importorskip("av")

ROOT = Path(__file__).resolve().parents[2]
BLUE, RED = (20, 180, 255), (200, 40, 90)


def picture(width: int = 96, height: int = 64, left: Any = BLUE, right: Any = RED) -> npt.NDArray[np.uint8]:
    """Two colours side by side."""
    made = np.empty((height, width, 3), np.uint8)
    made[:, : width // 2], made[:, width // 2 :] = left, right
    return made


def played(path: Path) -> tuple[list[npt.NDArray[np.uint8]], Any]:
    """All pictures of a film, and its stream's facts."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return frames, (stream.codec_context.name, stream.codec_context.pix_fmt, float(stream.average_rate))


@pytest.mark.parametrize(
    ("name", "fps", "facts", "apart"),
    [("film.mp4", 30, ("h264", "yuv420p", 30.0), 6), ("film.MP4", 12.5, ("h264", "yuv420p", 12.5), 6),
     ("film.gif", 20, ("gif", "bgra", 20.0), 1)],
)  # fmt: skip
def test_a_film_plays_as_many_pictures_as_were_added_in_their_colours(
    tmp_path: Path, name: str, fps: float, facts: Any, apart: int
) -> None:
    path = tmp_path / name
    with Film(path, fps) as film:
        for number in range(40):
            film.add(picture(right=(4 * number, 40, 90)))
        assert film.frames == 40
        assert film.duration_s == pytest.approx(40 / fps)
    frames, seen = played(path)
    assert len(frames) == 40
    assert seen == facts
    for number, frame in enumerate(frames):
        assert frame.shape == (64, 96, 3)
        assert abs(frame[32, 20].astype(int) - BLUE).max() <= apart
        assert abs(frame[32, 75].astype(int) - (4 * number, 40, 90)).max() <= apart


def test_odd_sizes_get_a_line_more(tmp_path: Path) -> None:
    with Film(tmp_path / "odd.mp4") as film:
        film.add(picture(97, 63))
    (frame,), _ = played(tmp_path / "odd.mp4")
    assert frame.shape == (64, 98, 3)
    assert abs(frame[63, 97].astype(int) - RED).max() <= 6


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (500, 2)])
def test_any_size_is_a_film(tmp_path: Path, size: tuple[int, int]) -> None:
    with Film(tmp_path / "small.mp4") as film:
        film.add(picture(*size))
    assert len(played(tmp_path / "small.mp4")[0]) == 1


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_later_picture_of_another_size_is_fitted_in_with_its_proportions(tmp_path: Path, name: str) -> None:
    with Film(tmp_path / name) as film:
        film.add(picture(96, 64))
        film.add(picture(192, 64))
        film.add(picture(24, 16))
    (_, wide, small), _ = played(tmp_path / name)
    assert wide.shape == small.shape == (64, 96, 3)
    assert wide[4, 20].max() <= 6
    assert wide[60, 20].max() <= 6
    for frame, row in ((wide, 32), (small, 4), (small, 60)):
        assert abs(frame[row, 20].astype(int) - BLUE).max() <= 8
        assert abs(frame[row, 75].astype(int) - RED).max() <= 8


def test_transparency_and_the_layout_in_memory_do_not_matter(tmp_path: Path) -> None:
    turned = np.ascontiguousarray(picture().swapaxes(0, 1)).swapaxes(0, 1)
    with Film(tmp_path / "film.mp4") as film:
        film.add(np.dstack([picture(), np.zeros((64, 96), np.uint8)]))
        film.add(turned)
        film.add(np.flipud(picture()))
    frames, _ = played(tmp_path / "film.mp4")
    assert [abs(frame[32, 75].astype(int) - RED).max() <= 6 for frame in frames] == [True] * 3


FILM_UNTIL_KILLED = """
import os, sys
import numpy as np
from axonlike.plotting.film import Film
film = Film(sys.argv[1], 10)
for number in range(35):
    film.add(np.full((48, 64, 3), 5 * number, np.uint8))
os.kill(os.getpid(), 9)
"""


def test_all_but_the_last_second_can_be_played_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    done = subprocess.run(
        [sys.executable, "-c", FILM_UNTIL_KILLED, path], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    frames, _ = played(path)
    assert len(frames) >= 30  # of the 3.5 s, the last whole second
    assert [round(frame.mean() / 5) for frame in frames[:30]] == list(range(30))


def test_a_full_disk_is_said_once_and_ends_the_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.symlink_to("/dev/full")
    film = Film(path, 4, overwrite=True)
    with pytest.raises(
        DeviceError, match=r"writing picture \d+ of the film .*No space left on device; free some space"
    ):
        for _ in range(20):
            film.add(picture())
    assert film.is_closed
    film.close()
    with pytest.raises(UsageError, match="has been closed; begin another"):
        film.add(picture())


def test_a_disk_that_is_full_only_at_the_end_is_said_by_close(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.symlink_to("/dev/full")
    film = Film(path, 30, overwrite=True)
    film.add(picture())
    with pytest.raises(DeviceError, match="No space left on device"):
        film.close()
    assert film.is_closed


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"beginning the film .*No such file or directory"):
        Film(tmp_path / "none" / "film.mp4")


def test_a_file_that_is_there_is_kept_unless_asked_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("precious")
    with pytest.raises(UsageError, match="overwrite=True replaces it"):
        Film(path)
    assert path.read_text() == "precious"
    with Film(path, overwrite=True) as film:
        film.add(picture())
    assert len(played(path)[0]) == 1


def test_a_film_without_pictures_leaves_no_file(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4") as film:
        pass
    film.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "fps", "said"),
    [("film.avi", 30, "ends in .mp4 or .gif"), ("film", 30, "ends in .mp4 or .gif"),
     ("film.mp4", 0, "0.01 to 240, not 0"), ("film.gif", 60, "0.01 to 50, not 60"),
     ("film.mp4", float("nan"), "not nan"), ("film.mp4", "30", "not '30'")],
)  # fmt: skip
def test_what_is_no_film_is_refused(tmp_path: Path, name: str, fps: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Film(tmp_path / name, fps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), "u1"), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1"), np.zeros((4, 4, 2), "u1")],
)  # fmt: skip
def test_what_is_no_picture_is_refused_and_the_film_goes_on(tmp_path: Path, wrong: Any) -> None:
    with Film(tmp_path / "film.mp4") as film:
        film.add(picture())
        with pytest.raises(UsageError, match="a picture is uint8 of shape"):
            film.add(wrong)
        film.add(picture())
    assert len(played(tmp_path / "film.mp4")[0]) == 2


def test_without_pyav_it_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from axonlike.plotting.film import Film\n"
        "try: Film('film.mp4')\n"
        "except Exception as exc: print(type(exc).__name__, exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("MissingExtra Film needs PyAV: ")
    assert 'install "axonlike[video]"' in done.stdout
    assert not list(tmp_path.iterdir())
