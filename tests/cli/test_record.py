"""``axonlike record``: what a component sends, to a file, with a verdict that can be relied upon."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from axonlike.cli import main
from axonlike.cli.made import made_of_words
from axonlike.cli.output import Failure
from axonlike.cli.progress import size_text
from axonlike.components.devices import Noise, Tone
from axonlike.components.file.recording.formats import open_recording
from tests import prepared
from tests.prepared import is_quiet

HANG_GUARD_S = 60.0

PLUG_IN = """
    import numpy as np
    from axonlike import Component
    from axonlike.demand import OnDemand
    from axonlike.errors import DeviceError
    from axonlike.linkage import Box
    from axonlike.streams import Chunk, StreamInfo

    INFO = StreamInfo(kind="analog", dtype=np.dtype("int16"), shape=(1,), sample_rate_hz=100, name="adc")

    def chunk(index, rows=10, info=INFO):
        return Chunk(np.zeros((rows, *info.shape), info.dtype), info, index)

    class Source(OnDemand):
        Outboxes = {"outbox": Box("chunks", Chunk, required=True), "events": "marks"}

    class Gappy(Source):
        def main(self):
            yield self.wait("demand")
            self.send("pressed", "events")
            self.send(chunk(0))
            self.send(chunk(15))

    class Broken(Source):
        def main(self):
            yield self.wait("demand")
            self.send(chunk(0))
            yield self.sleep(0.01)
            raise DeviceError("the cable is out")

    class Mute(Source):
        def main(self):
            yield self.wait("demand")

    class Unrated(Source):
        def main(self):
            info = StreamInfo(kind="analog", dtype=np.dtype("int16"), shape=(1,), name="odd")
            index = 0
            while True:
                yield self.sleep(0.02)
                self.send(chunk(index, 1, info))
                index += 1
"""


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AXONLIKE_OBSERVE", "0")


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's, in the folder from which the command is typed."""
    (tmp_path / "adc_of_mine.py").write_text(textwrap.dedent(PLUG_IN))
    monkeypatch.delitem(sys.modules, "adc_of_mine", raising=False)
    return "adc_of_mine"


def test_it_records_until_the_component_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["Noise", "rows=2500", "channels=3", "paced=false", "seed=1"]
    assert main(["record", *words, "--to", "noise.h5"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("noise.h5: COMPLETE, 30000 bytes in ")
    assert said.out.endswith("; noise: 2500 rows\n")
    assert said.err == ""
    reader = open_recording("noise.h5")
    expected = Noise(channels=3, seed=1)
    assert np.array_equal(reader.read(0, 0, 2500), expected.rows_at(0, 2500))
    reader.close()


def test_so_many_seconds_are_so_many_rows(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["Tone", "sample_rate_hz=1000", "chunk_rows=64", "paced=false"]
    assert main(["record", *words, "--to", "tone.wav", "--for", "1.5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["streams"]["tone"]["rows"]) == ("COMPLETE", 1500)


def test_a_stream_without_a_rate_ends_by_the_clock(plug_in: str, capsys: pytest.CaptureFixture[str]) -> None:
    began_s = time.monotonic()
    assert main(["record", f"{plug_in}:Unrated", "--to", "odd.csv", "--for", "0.3"]) == 0
    assert 0.25 <= time.monotonic() - began_s < HANG_GUARD_S
    assert "odd.csv: COMPLETE" in capsys.readouterr().out


def test_what_is_missing_is_incomplete_and_exit_code_1(plug_in: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", f"{plug_in}:Gappy", "--to", "adc.h5", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["reason"], result["marks"]) == ("INCOMPLETE", "5 rows are missing", 1)
    assert result["streams"]["adc"] == {"rows": 20, "missing": 5, "gaps": 1, "restarts": 0, "segments": 2}


def test_a_source_that_fails_leaves_what_it_sent_and_says_why(
    plug_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", f"{plug_in}:Broken", "--to", "adc.wav"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("adc.wav: INCOMPLETE (the source failed), 20 bytes")
    assert "the cable is out" in said.err
    reader = open_recording("adc.wav")
    assert reader.verdict is not None
    assert (reader.verdict["verdict"], reader.verdict["reason"]) == ("INCOMPLETE", "the source failed")
    assert reader.rows_of(0) == 10
    reader.close()


def test_a_source_that_sends_nothing_is_incomplete(plug_in: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", f"{plug_in}:Mute", "--to", "adc.wav"]) == 1
    assert capsys.readouterr().out.startswith("adc.wav: INCOMPLETE (nothing came)")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["Tome"], "there is no component 'Tome'; did you mean 'Tone'?"),
        (["Tone", "chanels=2"], "Tone has no setting 'chanels'; did you mean 'channels'?"),
        (["Tone", "channels"], "'channels' is no setting: write name=value"),
        (["Tone", "channels=two"], 'channels: "two" does not fit: write a whole number'),
        (["Tone", "channels=0"], "Tone: channels is at least 1, not 0"),
        (["ConsoleReader"], "ConsoleReader sends no samples that could be recorded (outbox:"),
        (["Recorder"], "Recorder needs 'path': add path=..."),
        (["Tone", "--for", "-1"], "--for is a number of seconds above 0, not -1"),
        (["Tone", "--to", "tone.wave"], "no format for the ending '.wave'; did you mean '.wav'?"),
        (["Tone", "--to", "there.wav"], "there.wav is there already: choose another name, or add --overwrite"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.wav").write_bytes(b"precious")
    to = [] if "--to" in words else ["--to", "new.wav"]
    assert main(["record", *words, *to]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("axonlike: ")
    assert says in said
    assert said.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["there.wav"]
    assert (tmp_path / "there.wav").read_bytes() == b"precious"


def test_settings_are_values_as_in_graph_files_and_texts_that_look_like_numbers_are_texts() -> None:
    tone = made_of_words("Tone", ["frequency_hz=[1.0, 2.0]", "channels=2", "units=42", 'channel_names=["a", "b"]'])
    assert isinstance(tone, Tone)
    assert tone.info.units == "42"
    assert tone.info.channel_names == ("a", "b")
    assert tone.frequency_hz.tolist() == [1.0, 2.0]
    with pytest.raises(Failure, match="a component cannot be a setting here"):
        made_of_words("Pipeline", ["components=[{type='Tone'}]"])


@pytest.mark.parametrize("seconds", [[], ["--for", "1000"]])
def test_ctrl_c_ends_it_in_order(tmp_path: Path, seconds: list[str]) -> None:
    with contextlib.closing(
        prepared.start(
            "-m", "axonlike", "record", "Noise", "--to", "noise.wav", *seconds, imports="scipy.fft", cwd=tmp_path,
            stdout=prepared.PIPE, stderr=prepared.PIPE,
        )
    ) as process:  # fmt: skip
        _until_it_records(tmp_path / "noise.wav")
        process.send_signal(signal.SIGINT)
        assert process.wait(HANG_GUARD_S) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        assert is_quiet(errors), errors
        assert process.stdout.read().startswith(b"noise.wav: COMPLETE, ")
    reader = open_recording(tmp_path / "noise.wav")
    assert reader.verdict is not None
    assert reader.verdict["verdict"] == "COMPLETE"
    reader.close()


def _until_it_records(path: Path) -> None:
    until_s = time.monotonic() + HANG_GUARD_S
    while not (path.exists() and path.stat().st_size > 1000):
        assert time.monotonic() < until_s
        select.select([], [], [], 0.02)


def test_a_terminal_gets_a_line_that_tells_how_far_it_is(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    with contextlib.closing(
        prepared.start(
            "-m", "axonlike", "record", "Noise", "--to", "noise.wav", "--for", "1", imports="scipy.fft", cwd=tmp_path,
            stdout=prepared.PIPE, stderr=terminal,
        )
    ) as process:  # fmt: skip
        os.close(terminal)
        seen = b""
        while True:
            try:
                data = os.read(ours, 1000)
            except OSError:  # nobody has it open any more
                break
            if not data:
                break
            seen += data
        process.wait(HANG_GUARD_S)
        assert process.stdout is not None
        output = process.stdout.read()
    os.close(ours)
    lines = seen.decode().split("\r")
    assert any(" of 1 s  " in line and " rows  " in line and "0 gaps" in line for line in lines)
    assert "\n" not in seen.decode()
    assert lines[-1] == ""
    assert output.decode().count("\n") == 1


def test_sizes_are_told_for_people() -> None:
    assert [size_text(size) for size in (0, 999, 1000, 4_240_000, 1e9, 2e12)] == [
        "0 B", "999 B", "1.0 kB", "4.2 MB", "1.0 GB", "2.0 TB",
    ]  # fmt: skip
