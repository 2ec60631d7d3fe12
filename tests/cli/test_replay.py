"""``axonlike replay``, and ``axonlike run --replay``: recordings printed, converted, described, in a device's place."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Scheduler
from axonlike.cli import main
from axonlike.cli.replay import describe
from axonlike.components.file.recorder import Recorder
from axonlike.components.file.recording.formats import open_recording
from axonlike.components.file.recording.journal import read_journal
from axonlike.components.file.recording.writer import Mark
from axonlike.introspection import NoSnapshot
from axonlike.observe import SystemEnded, connect
from axonlike.streams import Axis, Chunk, StreamInfo
from tests import prepared
from tests.prepared import is_quiet

HANG_GUARD_S = 60.0
EEG = StreamInfo(
    kind="analog", dtype=np.dtype("int16"), shape=(2,), sample_rate_hz=100, name="eeg", units="V",
    channel_names=("Fz", "Cz"),
)  # fmt: skip


def chunk(index: int, rows: int, info: StreamInfo = EEG) -> Chunk:
    values = np.arange(index, index + rows).astype(info.dtype)
    return Chunk(np.stack([values] * info.channels, 1).reshape(rows, *info.shape), info, index)


def recorded(path: Path, *messages: Any) -> Path:
    class Both(Component):
        Outboxes = {"events": "marks"}

        def main(self) -> Any:
            for message in messages:
                self.send(message, "outbox" if isinstance(message, Chunk) else "events")
            yield

    both, recorder = Both(), Recorder(path)
    recorder.link((both, "outbox"), (recorder, "inbox"))
    recorder.link((both, "events"), (recorder, "events"))
    Scheduler().run(both, recorder)
    return path


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AXONLIKE_OBSERVE", "0")


@pytest.fixture
def run_h5(tmp_path: Path) -> Path:
    """A second from index 10 on, a half lost, another second; a mark in it."""
    return recorded(tmp_path / "run.h5", chunk(10, 100), Mark("eyes shut", sample=170, of="eeg"), chunk(160, 100))


def test_info_tells_what_is_in_it(run_h5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "run.h5", "--info"]) == 0
    assert capsys.readouterr().out == (
        "run.h5: INCOMPLETE (50 rows are missing), 2.500 s\n"
        "  eeg: analog, 2 of int16 at 100 Hz in V\n"
        "      200 rows in 2 segments, 50 missing in 1 gap\n"
        "      channels: Fz, Cz\n"
        "      100 rows from index 10 on\n"
        "      100 rows from index 160 on, after 50 missing\n"
        "  1 mark\n"
        "      mark 'eyes shut' at index 170 of eeg\n"
    )


def test_info_for_programs(run_h5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "run.h5", "--info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["duration_s"], told["verdict"]) == (2.5, "INCOMPLETE")
    assert [segment["index"] for segment in told["streams"]["eeg"]["segments"]] == [10, 160]
    assert told["marks"][0]["label"] == "eyes shut"


@pytest.mark.parametrize("ending", ["wav", "csv", "h5", "mcap", "sigmf"])
def test_each_format_tells_the_same_duration_and_gap(ending: str, tmp_path: Path) -> None:
    told = describe(recorded(tmp_path / f"run.{ending}", chunk(10, 100), chunk(160, 100)))
    (stream,) = told["streams"].values()
    assert told["duration_s"] == pytest.approx(2.5)
    assert (stream["missing"], stream["gaps"]) == (50, 1)


def test_one_that_was_broken_off_is_incomplete(run_h5: Path) -> None:
    journal = run_h5.with_name("run.h5.journal.jsonl")
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    told = describe(run_h5)
    assert (told["verdict"], told["reason"]) == ("INCOMPLETE", "it was broken off")
    journal.unlink()
    assert describe(run_h5)["verdict"] is None


def test_it_prints_what_it_sends_and_the_marks(run_h5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "run.h5", "--speed", "0"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "mark 'eyes shut' at index 170 of eeg" in said
    assert said[-1].startswith("eeg: index 260, ")
    assert said[-1].endswith("1 gap, 50 rows lost")


def test_it_prints_the_same_for_programs(run_h5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "run.h5", "--speed", "0", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reports = [line for line in said if "stream" in line]
    assert sum(report["rows"] for report in reports) == 200
    assert (reports[-1]["missing"], reports[-1]["gaps"]) == (50, 1)
    assert [line["mark"]["label"] for line in said if "mark" in line] == ["eyes shut"]


def test_it_begins_where_it_is_told_to(run_h5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "run.h5", "--speed", "0", "--json", "--start", "2"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line["rows"] for line in said if "stream" in line) == 50


@pytest.mark.parametrize("ending", ["csv", "h5", "mcap", "sigmf"])
def test_it_is_converted_with_its_gap_and_that_is_no_failure(
    ending: str, run_h5: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = f"new.{ending}"
    assert main(["replay", "run.h5", "--to", to, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["streams"]["eeg"]["rows"], result["streams"]["eeg"]["missing"], result["marks"]) == (200, 50, 1)
    reader = open_recording(to)
    assert [segment.index for segment in reader.segments] == [10, 160]
    assert np.array_equal(reader.read(1, 0, 100), np.stack([np.arange(160, 260)] * 2, 1))
    reader.close()


def test_one_stream_of_several_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = StreamInfo(kind="analog", dtype=np.dtype("float32"), shape=(1,), sample_rate_hz=10, name="slow")
    recorded(tmp_path / "run.mcap", chunk(0, 100), chunk(0, 10, slow))
    assert main(["replay", "run.mcap", "--to", "slow.wav", "--stream", "slow"]) == 0
    assert "slow.wav: COMPLETE" in capsys.readouterr().out
    assert main(["replay", "run.mcap", "--to", "both.wav"]) == 1
    assert ".wav holds one stream, and both eeg and slow come" in capsys.readouterr().err


def of_kind(kind: Any, dtype: str, shape: tuple[int, ...], **more: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        info = StreamInfo(
            kind=kind, dtype=np.dtype(dtype), shape=shape, sample_rate_hz=10_000, name=kind, **more
        )
        data = np.zeros((2048, *shape), info.dtype)
        return recorded(path, Chunk(data, info, 0))

    return make


@pytest.mark.parametrize(
    "make",
    [
        of_kind("analog", "float32", (2,)),
        of_kind("digital", "uint8", (1,)),
        of_kind("iq", ">i2", (2,), scale=1 / 8192, facts={"center_frequency_hz": 1e9}),
        of_kind(
            "iq", ">i2", (2,), scale=1 / 8192, facts={"center_frequency_hz": 1e9, "reference_level_dbm": -10.0}
        ),
        of_kind("spectrum", "float32", (32,), axis=Axis("frequency", "Hz", 0.0, 10.0), units="FS^2"),
        of_kind("map", "float32", (2, 8), axis=Axis("frequency", "Hz", 1.0, 1.0)),
        of_kind("video", "uint8", (12, 16, 3)),
    ],
    ids=["analog", "digital", "iq", "iq-calibrated", "spectrum", "map", "video"],
)
def test_each_kind_has_its_display(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from axonlike.cli import replay
    from axonlike.components.file.replay import Replay
    from axonlike.components.ui.instrument import Instrument

    path = make(tmp_path / "run.h5")
    told = describe(path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    (stream,) = told["streams"].values()
    source = Replay(path)
    displays = replay._displays(source, stream, "title")
    assert displays
    assert all(isinstance(display, Instrument) for display in displays)


def test_it_is_shown_until_ctrl_c(run_h5: Path, tmp_path: Path) -> None:
    name = f"replay-{os.getpid()}"
    environment = {
        **os.environ, "SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1", "AXONLIKE_OBSERVE": name,
    }  # fmt: skip
    with contextlib.closing(
        prepared.start(
            "-m", "axonlike", "replay", "run.h5", "--show", "--loop", imports="h5py", cwd=tmp_path, env=environment,
            stderr=prepared.PIPE,
        )
    ) as process:  # fmt: skip
        until_s = time.monotonic() + HANG_GUARD_S
        while not _scope_has_taken_a_chunk(name):
            assert time.monotonic() < until_s
            select.select([], [], [], 0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(HANG_GUARD_S) == 128 + signal.SIGINT
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert is_quiet(errors), errors


def _scope_has_taken_a_chunk(name: str) -> bool:
    with contextlib.suppress(NoSnapshot, SystemEnded), connect(name) as system:
        parts = system.snapshot().parts
        return any(part.box().taken for part in parts if part.type == "Scope")
    return False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.wav"], "cannot read nowhere.wav: No such file or directory"),
        (["run.h5", "--to", "run.h5"], "run.h5 is the recording itself: name another file"),
        (["run.h5", "--to", "there.wav"], "there.wav is there already"),
        (["run.h5", "--to", "new.wav", "--loop"], "--loop never ends"),
        (["run.h5", "--to", "new.wav", "--speed", "2"], "--to converts as fast as it goes"),
        (["run.h5", "--overwrite"], "--overwrite says something about --to FILE only"),
        (["run.h5", "--stream", "egg"], "there is no stream 'egg'; did you mean 'eeg'?"),
        (["run.h5", "--stream", "egg", "--info"], "there is no stream 'egg'; did you mean 'eeg'?"),
        (["run.h5", "--stream", "egg", "--show"], "there is no stream 'egg'; did you mean 'eeg'?"),
        (["run.h5", "--start", "9"], "--start 9: run.h5 has 2.500 s"),
        (["run.h5", "--speed", "-1"], "speed is 0 (as fast as it goes) or more, not -1.0"),
        (["there.wav"], "there.wav"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], says: str, run_h5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.wav").write_bytes(b"precious")
    before = sorted(os.listdir(tmp_path))
    assert main(["replay", *words]) in (2, 3)
    said = capsys.readouterr().err
    assert said.startswith("axonlike: ")
    assert says in said
    assert said.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before


# -- in the place of a device


SCRIPT = """\
from axonlike import Pipeline
from axonlike.components.devices import Noise
from axonlike.components.util import ConsoleEchoer, Transform

Pipeline(Noise(channels=2), Transform(lambda c: (c.info.name, c.index, len(c))), ConsoleEchoer()).run()
"""
GRAPH = """\
links = ["RADIO -> LINES -> SHOWN"]

[components.RADIO]
type = "Noise"

[components.LINES]
type = "Transform"
functions = ["builtins:len"]

[components.SHOWN]
type = "ConsoleEchoer"
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return prepared.run("-m", "axonlike", "run", *arguments, imports="h5py", cwd=folder, timeout=HANG_GUARD_S)


def test_a_recording_stands_in_for_a_device_of_a_script(run_h5: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run(tmp_path, "--replay", "Noise=run.h5", "script.py")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "('eeg', 10, 5)"
    assert len(lines) == 40


def test_a_recording_stands_in_for_a_device_of_a_graph_file(run_h5: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.toml").write_text(GRAPH)
    done = run(tmp_path, "--replay", "RADIO=run.h5", "graph.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["5"] * 40


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--replay", "Noice=run.h5"], 1, "no source is called 'Noice'; did you mean 'Noise'? (there are: "),
        (["--replay", "Transform=run.h5"], 1, "Pipeline/Transform is no source that can be replaced"),
        (["--replay", "Noise"], 2, "--replay Noise: write NAME=FILE"),
        (["--replay", "Noise=run.h6"], 2, "no format for the ending '.h6'; did you mean '.h5'?"),
        (["--replay", "Noise=rum.h5"], 2, "cannot read rum.h5: No such file"),
        (["--replay", "Noise=run.h5", "--replay", "Noise=a.h5"], 2, "Noise is replaced by run.h5 already"),
    ],
)
def test_a_name_or_a_file_that_is_not_there_is_told(
    words: list[str], code: int, says: str, run_h5: Path, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run(tmp_path, *words, "script.py")
    assert done.returncode == code
    assert says in done.stderr
    assert done.stdout == ""


def test_a_script_without_any_source_is_told_at_its_end(run_h5: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print('done')\n")
    done = run(tmp_path, "--replay", "Noise=run.h5", "script.py")
    assert (done.returncode, done.stdout) == (2, "done\n")
    assert done.stderr == "axonlike: --replay Noise=run.h5: no source is called 'Noise' (there are: none)\n"


def test_a_conversion_that_is_interrupted_is_incomplete(tmp_path: Path) -> None:
    info = StreamInfo(kind="analog", dtype=np.dtype("float32"), shape=(8,), sample_rate_hz=1000, name="long")
    recorded(tmp_path / "long.h5", Chunk(np.zeros((2_000_000, 8), "float32"), info, 0))
    command = [sys.executable, "-m", "axonlike", "replay", "long.h5", "--to", "long.csv"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until_s = time.monotonic() + HANG_GUARD_S
        # Not before its journal says what is in it: one that was interrupted earlier holds nothing to be described.
        while not any("segment" in entry for entry in read_journal(tmp_path / "long.csv")):
            assert time.monotonic() < until_s
            select.select([], [], [], 0.02)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=HANG_GUARD_S)
    assert process.returncode == 1
    assert is_quiet(errors), errors
    assert said.startswith("long.csv: INCOMPLETE (interrupted), ")
    assert describe(tmp_path / "long.csv")["verdict"] == "INCOMPLETE"
