"""Recording: every format gives back what was sent, a kill and a full disk cost nothing that was whole."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import textwrap
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import mcap.reader
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io.wavfile
import sigmf

from axonlike import Component, Pipeline, Scheduler
from axonlike.components.file.recorder import Recorded, Recorder
from axonlike.components.file.recording.formats import open_recording
from axonlike.components.file.recording.writer import Mark
from axonlike.components.util import Collect, DataSource
from axonlike.errors import ComponentError, UsageError
from axonlike.streams import EVENT, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component
from tests import prepared

BEGAN_NS = 1_700_000_000_000_000_000
FORMATS = ["wav", "sigmf", "csv", "h5", "mcap"]
STREAMS: dict[str, dict[str, Any]] = {
    "float32, 3 channels": {"kind": "analog", "dtype": "float32", "shape": (3,)},
    "int16, 1 channel": {"kind": "analog", "dtype": "int16", "shape": (1,)},
    "radio": {"kind": "iq", "dtype": ">i2", "shape": (2,)},
}


def info_of(**changes: Any) -> StreamInfo:
    return StreamInfo(
        **{"kind": "analog", "dtype": "int16", "shape": (2,), "sample_rate_hz": 1000, "name": "eeg", **changes}
    )


def some(info: StreamInfo, *pieces: tuple[int, int], seed: int = 1) -> list[Chunk]:
    """A chunk for each (index, rows)."""
    random = np.random.default_rng(seed)
    return [
        Chunk(
            (random.standard_normal((rows, *info.shape)) * 1000).astype(info.dtype),
            info,
            index,
            BEGAN_NS + index * 10**6,
        )
        for index, rows in pieces
    ]


def record(path: Path, messages: Sequence[Any], **options: Any) -> Recorded:
    results = Collect()
    Scheduler().run(Pipeline(DataSource(messages), Recorder(path, **options), results))
    (result,) = results.messages
    assert isinstance(result, Recorded)
    return result


def rows_in(chunks: Sequence[Chunk]) -> npt.NDArray[Any]:
    return np.concatenate([chunk.data for chunk in chunks])


def indices_in(chunks: Sequence[Chunk]) -> list[int]:
    return [index for chunk in chunks for index in range(chunk.index, chunk.end)]


def read(path: Path, rows: int = 7) -> list[Chunk]:
    reader = open_recording(path)
    try:
        return [chunk for _, chunk in reader.chunks(rows)]
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("format_", "stream"),
    [(format_, stream) for format_ in FORMATS for stream in STREAMS.values()] + [("vrt", STREAMS["radio"])],
)
def test_what_was_recorded_is_read_back_with_indices_times_gaps_and_retunes(
    tmp_path: Path, format_: str, stream: dict[str, Any]
) -> None:
    info = info_of(**stream, facts={"center_frequency_hz": 1e9}, units="uV")
    other = info.replace(facts={"center_frequency_hz": 2e9})
    chunks = some(info, (5, 20), (25, 0), (25, 31), (156, 10)) + some(other, (166, 9), (175, 1))
    path = tmp_path / f"run.{format_}"
    result = record(path, chunks)
    assert result.verdict == "INCOMPLETE"
    assert result.streams == {"eeg": {"rows": 71, "missing": 100, "gaps": 1, "restarts": 0, "segments": 3}}
    back = read(path)
    assert np.array_equal(rows_in(back), rows_in(chunks))
    assert indices_in(back) == indices_in(chunks)
    assert [chunk.time_ns for chunk in back] == [BEGAN_NS + chunk.index * 10**6 for chunk in back]
    assert [chunk.info for chunk in back if chunk.index >= 166] == [other, other]
    assert all(chunk.info == info for chunk in back if chunk.index < 166)


def test_other_programs_read_a_wav_file_with_silence_in_the_gap(tmp_path: Path) -> None:
    info = info_of()
    chunks = some(info, (0, 10), (15, 10))
    path = tmp_path / "run.wav"
    record(path, chunks)
    rate_hz, rows = scipy.io.wavfile.read(path)
    assert rate_hz == 1000
    assert np.array_equal(rows, np.concatenate([chunks[0].data, np.zeros((5, 2), "int16"), chunks[1].data]))
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 25)


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 1), ("int32", 4), ("float32", 2), ("float64", 6)])
def test_other_programs_read_every_coding_of_wav(tmp_path: Path, dtype: str, channels: int) -> None:
    chunks = some(info_of(dtype=dtype, shape=(channels,)), (0, 11))
    path = tmp_path / "run.wav"
    record(path, chunks)
    _, rows = scipy.io.wavfile.read(path)
    assert np.array_equal(rows.reshape(-1, channels), chunks[0].data)


def test_a_wav_file_past_what_its_header_can_say_becomes_rf64(tmp_path: Path) -> None:
    from axonlike.components.file.recording.wav import WavReader, WavWriter
    from axonlike.components.file.recording.writer import Segment

    info = info_of()
    (chunk,) = some(info, (0, 100))
    writer = WavWriter(tmp_path / "big.wav", largest_riff_bytes=300)
    writer.segment(Segment("eeg", info, 0, 0, None))
    writer.write("eeg", chunk)
    writer.close()
    assert (tmp_path / "big.wav").read_bytes()[:4] == b"RF64"
    reader = WavReader(tmp_path / "big.wav")
    assert np.array_equal(reader.read(0, 0, 100), chunk.data)
    assert np.array_equal(scipy.io.wavfile.read(tmp_path / "big.wav")[1], chunk.data)


def test_the_official_library_accepts_a_sigmf_recording(tmp_path: Path) -> None:
    info = info_of(kind="iq", dtype=">i2", facts={"center_frequency_hz": 2.45e9})
    chunks = some(info, (100, 50), (200, 50))
    record(tmp_path / "run.sigmf", chunks)
    recording = sigmf.sigmffile.fromfile(str(tmp_path / "run.sigmf-meta"))
    recording.validate()
    assert [capture["core:global_index"] for capture in recording.get_captures()] == [100, 200]
    samples = recording.read_samples()
    assert np.allclose(np.stack([samples.real, samples.imag], 1), rows_in(chunks) / 32768)


def test_a_sigmf_recording_of_somebody_else_is_read(tmp_path: Path) -> None:
    samples = np.arange(20, dtype="<f4").view("<c8")
    (tmp_path / "theirs.sigmf-data").write_bytes(samples.tobytes())
    meta = {
        "global": {"core:datatype": "cf32_le", "core:version": "1.0.0", "core:sample_rate": 48000},
        "captures": [{"core:sample_start": 0, "core:frequency": 433.92e6, "core:datetime": "2020-01-02T03:04:05.5Z"}],
        "annotations": [{"core:sample_start": 4, "core:sample_count": 2, "core:label": "burst"}],
    }
    (tmp_path / "theirs.sigmf-meta").write_text(json.dumps(meta))
    (chunk,) = read(tmp_path / "theirs.sigmf", rows=100)
    assert np.array_equal(chunk.data, samples)
    assert chunk.info.kind == "iq"
    assert chunk.info.facts["center_frequency_hz"] == 433.92e6
    assert chunk.time_ns == 1577934245_500_000_000


def test_h5py_and_mcap_open_what_was_recorded(tmp_path: Path) -> None:
    chunks = some(info_of(), (3, 40))
    record(tmp_path / "run.h5", chunks)
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file["streams/eeg/data"][:], chunks[0].data)
        assert file["streams/eeg/segments"][0]["index"] == 3
    record(tmp_path / "run.mcap", chunks)
    with (tmp_path / "run.mcap").open("rb") as file:
        ((_, channel, message),) = mcap.reader.make_reader(file).iter_messages()
    assert channel.topic == "eeg"
    assert message.data[16:] == chunks[0].data.tobytes()


@pytest.mark.parametrize("format_", ["h5", "mcap"])
def test_several_streams_in_one_file(tmp_path: Path, format_: str) -> None:
    a = some(info_of(name="a"), (0, 10), (10, 10))
    b = some(info_of(name="b", dtype="float64", shape=(1,), sample_rate_hz=10), (7, 3), (10, 3), seed=2)
    path = tmp_path / f"run.{format_}"
    assert record(path, [a[0], b[0], a[1], b[1]]).verdict == "COMPLETE"
    back = read(path, rows=100)
    for chunks in (a, b):
        mine = [chunk for chunk in back if chunk.info == chunks[0].info]
        assert np.array_equal(rows_in(mine), rows_in(chunks))
        assert indices_in(mine) == indices_in(chunks)


def test_a_format_for_one_stream_refuses_a_second(tmp_path: Path) -> None:
    chunks = some(info_of(name="a"), (0, 10)) + some(info_of(name="b"), (0, 10))
    with pytest.raises(ComponentError) as caught:
        record(tmp_path / "run.wav", chunks)
    assert isinstance(caught.value.cause, StreamMismatch)
    assert ".wav holds one stream, and both a and b come" in str(caught.value.cause)


@pytest.mark.parametrize(
    ("format_", "changes"),
    [
        ("wav", {"kind": "spectrum", "shape": (8,)}),
        ("wav", {"dtype": "float16"}),
        ("sigmf", {"dtype": "int64"}),
        ("csv", {"kind": "video", "dtype": "uint8", "shape": (4, 4, 3)}),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_the_reason(
    tmp_path: Path, format_: str, changes: dict[str, Any]
) -> None:
    info = info_of(**changes)
    with pytest.raises(ComponentError) as caught:
        record(tmp_path / f"run.{format_}", [Chunk(info.empty(2), info)])
    assert f"eeg cannot be recorded to run.{format_}" in str(caught.value.cause)


def test_a_stream_that_changes_its_rate_goes_on_in_a_second_file(tmp_path: Path) -> None:
    chunks = some(info_of(), (0, 10)) + some(info_of(sample_rate_hz=2000), (10, 10))
    result = record(tmp_path / "run.wav", chunks)
    assert [Path(name).name for name in result.files] == ["run.wav", "run-2.wav"]
    assert scipy.io.wavfile.read(tmp_path / "run-2.wav")[0] == 2000
    assert result.verdict == "COMPLETE"


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.wav"
    path.write_bytes(b"precious")
    with pytest.raises(ComponentError, match="is there already"):
        record(path, some(info_of(), (0, 10)))
    assert path.read_bytes() == b"precious"
    assert record(path, some(info_of(), (0, 10)), overwrite=True).verdict == "COMPLETE"


def test_an_unknown_ending_is_told_at_once() -> None:
    with pytest.raises(UsageError, match=r"no format for the ending '\.wave'; did you mean '\.wav'"):
        Recorder("run.wave")


@pytest.mark.parametrize("format_", FORMATS)
def test_marks_are_kept_beside_the_samples(tmp_path: Path, format_: str) -> None:
    class Both(Component):
        Outboxes = {"events": "marks"}

        def main(self) -> Any:
            self.send(some(info_of(), (0, 100))[0])
            yield self.sleep(0.05)
            self.send("lights on", "events")
            events = StreamInfo(kind="events", dtype=EVENT, name="trigger", facts={"of": "eeg"})
            self.send(Chunk(np.array([(42, 1, 0.5)], EVENT), events), "events")

    both, recorder = Both(), Recorder(tmp_path / f"run.{format_}")
    recorder.link((both, "outbox"), (recorder, "inbox"))
    recorder.link((both, "events"), (recorder, "events"))
    Scheduler().run(both, recorder)
    assert recorder.result is not None
    assert recorder.result.marks == 2
    reader = open_recording(tmp_path / f"run.{format_}")
    reader.close()
    marks = reader.marks
    assert marks[0].label == "lights on"
    assert marks[1] == Mark("trigger", 42, None, "eeg", {"channel": 1, "value": 0.5})


def test_the_last_line_of_the_journal_is_the_verdict(tmp_path: Path) -> None:
    result = record(tmp_path / "run.csv", some(info_of(), (0, 10)))
    last = json.loads((tmp_path / "run.csv.journal.jsonl").read_text().splitlines()[-1])
    assert last["verdict"] == "COMPLETE"
    assert last["streams"]["eeg"]["rows"] == 10
    assert str(result).startswith(f"{tmp_path}/run.csv: COMPLETE, ")


# -- a kill, a full disk

_CHILD = textwrap.dedent(
    """
    import itertools, resource, signal, sys
    import numpy as np
    from axonlike import Component, Scheduler
    from axonlike.components.file.recorder import Recorder
    from axonlike.streams import Chunk, StreamInfo

    path, number, limit_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    radio = dict(kind="iq", dtype=">i2") if path.endswith(".vrt") else dict(kind="analog", dtype="int16")
    info = StreamInfo(shape=(2,), sample_rate_hz=1000, name="eeg", **radio)

    class Source(Component):
        def main(self):
            for n in range(number) if number else itertools.count():
                self.send(Chunk(np.full((1000, 2), n % 30000, info.dtype), info, 1000 * n))
                yield

    class Beside(Component):
        def main(self):
            for _ in range(20) if number else itertools.count():
                yield self.sleep(0.02)
                print("taken", recorder.statistics()[0].taken, flush=True)
            print("beside went on", flush=True)

    if limit_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    source, recorder = Source(), Recorder(path)
    recorder.link((source, "outbox"), (recorder, "inbox"))
    Scheduler().run(source, recorder, Beside())
    print(recorder.result.verdict, recorder.result.reason, flush=True)
    """
)


def _program(path: Path, chunks: int = 400, limit_bytes: int = 0) -> list[str]:
    """A program that records so many chunks of 1000 rows (0: until it is killed); each row has its chunk's number."""
    return ["-c", _CHILD, str(path), str(chunks), str(limit_bytes)]


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    prepared.begin()


def _outcome(program: list[str], under: Sequence[str] = ()) -> str:
    """What the program said, which has come to its end though its recorder may not have."""
    if under:
        command = [*under, sys.executable, *program]
        child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    else:
        child = prepared.run(*program, imports="h5py", timeout=60)
    assert child.returncode == 0, child.stderr
    assert "beside went on" in child.stdout
    return child.stdout


def _check_rows(rows: npt.NDArray[Any], at_least: int) -> None:
    assert len(rows) >= at_least
    assert np.array_equal(rows, (np.arange(len(rows)) // 1000 % 30000)[:, None].repeat(2, 1))


@pytest.mark.parametrize("format_", [*FORMATS, "vrt"])
def test_a_kill_in_mid_recording_loses_no_whole_chunk(tmp_path: Path, format_: str) -> None:
    path = tmp_path / f"run.{format_}"
    child = prepared.start(*_program(path, chunks=0), imports="h5py", stdout=prepared.PIPE)
    with contextlib.closing(child):
        assert child.stdout is not None
        # Chunks come as fast as they are written, so the kill comes while one is.
        taken = next(number for line in child.stdout if (number := int(line.split()[1])) >= 100)
        child.kill()
        taken = max([taken, *(int(line.split()[1]) for line in child.stdout if line.endswith(b"\n"))])
    assert child.returncode == -signal.SIGKILL
    reader = open_recording(path)
    assert reader.verdict is None  # broken off
    chunks = [chunk for _, chunk in reader.chunks(1000)]
    reader.close()
    _check_rows(rows_in(chunks), 1000 * (taken - 1))  # each but that which was taken last
    assert indices_in(chunks[-1:])[-1] + 1 == sum(map(len, chunks))
    if format_ == "sigmf":
        sigmf.sigmffile.fromfile(str(tmp_path / "run.sigmf-meta")).validate()


@pytest.mark.parametrize("format_", [*FORMATS, "vrt"])
def test_a_file_that_may_not_grow_ends_the_recorder_alone_with_a_readable_file(tmp_path: Path, format_: str) -> None:
    path = tmp_path / f"run.{format_}"
    out = _outcome(_program(path, limit_bytes=500_000))
    assert "INCOMPLETE cannot write" in out
    assert "ulimit -f" in out
    rows = rows_in(read(path, rows=1000))
    assert len(rows) % 1000 == 0
    _check_rows(rows, at_least=1000)
    reader = open_recording(path)
    reader.close()
    assert reader.verdict is not None
    assert reader.verdict["verdict"] == "INCOMPLETE"


@pytest.mark.system
@pytest.mark.parametrize("format_", [*FORMATS, "vrt"])
def test_a_disk_that_fails_in_mid_recording_ends_the_recorder_alone_with_a_readable_file(
    tmp_path: Path, format_: str
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace, to let the system's calls fail")
    path = tmp_path / f"run.{format_}"
    samples = tmp_path / "run.sigmf-data" if format_ == "sigmf" else path
    failing = [strace, "-f", "-qq", "-o", str(tmp_path / "trace"), "-P", str(samples), "-e", "trace=write,pwrite64"]
    if subprocess.run([*failing, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("strace may not trace here")
    out = _outcome(_program(path), under=[*failing, "-e", "inject=write,pwrite64:error=EIO:when=30+"])
    assert "INJECTED" in (tmp_path / "trace").read_text()
    assert "INCOMPLETE cannot write" in out
    assert "Input/output error; the disk, card or network share fails" in out
    rows = rows_in(read(path, rows=1000))
    assert len(rows) % 1000 == 0
    _check_rows(rows, at_least=1000)


@pytest.mark.system
@pytest.mark.parametrize("format_", [*FORMATS, "vrt"])
def test_a_full_disk_ends_the_recorder_alone_with_a_readable_file(tmp_path: Path, format_: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]).returncode:
        pytest.skip("needs root, to mount a small disk")
    try:
        (disk / "ballast").write_bytes(bytes((4 << 20) - 400_000))
        path = disk / f"run.{format_}"
        out = _outcome(_program(path))
        assert "INCOMPLETE cannot write" in out
        assert "free some space" in out
        rows = rows_in(read(path, rows=1000))
        assert len(rows) % 1000 == 0
        _check_rows(rows, at_least=1000)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_it_is_a_component_like_others(tmp_path: Path) -> None:
    chunks = some(info_of(), (0, 10), (10, 10))
    check_component(lambda: Recorder(tmp_path / "run.wav", overwrite=True), messages=chunks)


def radio(index: int, rows: int, **facts: Any) -> Chunk:
    info = StreamInfo(
        kind="iq", dtype=">i2", shape=(2,), sample_rate_hz=125e6 / 8, units="FS", channel_names=("I", "Q"), name="run",
        scale=1 / 8192, clock="device",
        facts={
            "source": "WSA4000", "decimation": 8, "center_frequency_hz": 2.45e9, "frequency_shift_hz": 0.0,
            "reference_level_dbm": -5.0,
            "spectral_inversion": False, "i_only": False, "usable_bandwidth_hz": 125e6 / 16, **facts,
        },
    )  # fmt: skip
    (chunk,) = some(info, (index, rows), seed=index)
    return Chunk(chunk.data, info, index, BEGAN_NS + index * 64)


def test_a_radio_in_vrt_is_read_back_from_its_packets_alone(tmp_path: Path) -> None:
    chunks = [
        radio(0, 40_000), radio(40_000, 1024), radio(42_048, 1024), radio(43_072, 512, center_frequency_hz=1e9),
        radio(43_584, 512, center_frequency_hz=1e9, spectral_inversion=True, reference_level_dbm=-12.5),
    ]  # fmt: skip
    result = record(tmp_path / "run.vrt", chunks)
    assert result.streams["run"]["missing"] == 1024
    with_journal = read(tmp_path / "run.vrt", rows=10_000)
    (tmp_path / "run.vrt.journal.jsonl").unlink()
    for back in (with_journal, read(tmp_path / "run.vrt", rows=10_000)):
        assert np.array_equal(rows_in(back), rows_in(chunks))
        assert indices_in(back) == indices_in(chunks)
        assert [chunk.info for chunk in back if chunk.index >= 43_072] == [chunk.info for chunk in chunks[3:]]
        assert all(chunk.time_ns == BEGAN_NS + chunk.index * 64 for chunk in back)


def test_a_file_of_packets_that_was_broken_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "run.vrt"
    record(path, [radio(0, 1000), radio(1000, 1000)])
    os.truncate(path, path.stat().st_size - 100)
    assert len(rows_in(read(path))) == 1000
    path.write_bytes(b"this is no packet at all")
    with pytest.raises(UsageError, match="at byte 0 stands no VRT packet"):
        open_recording(path)


def test_a_disk_that_fails_ends_the_recorder_alone(tmp_path: Path) -> None:
    """A terminal whose other end is gone fails as a dying disk does: EIO."""
    master, slave = pty.openpty()
    path = tmp_path / "run.csv"
    path.symlink_to(os.ttyname(slave))
    os.close(slave)

    class Source(Component):
        def main(self) -> Any:
            self.send(some(info_of(), (0, 2))[0])
            while recorder.statistics()[0].taken < 1 or not os.read(master, 1000):
                yield self.sleep(0.01)
            os.close(master)
            self.send(some(info_of(), (2, 2))[0])
            yield

    class Beside(Component):
        def main(self) -> Any:
            yield self.join(recorder)
            yield self.sleep(0.01)
            went_on.append(True)

    went_on: list[bool] = []
    recorder, source = Recorder(path, overwrite=True), Source()
    recorder.link((source, "outbox"), (recorder, "inbox"))
    Scheduler().run(source, recorder, Beside())
    assert went_on
    assert recorder.result is not None
    assert recorder.result.verdict == "INCOMPLETE"
    assert "Input/output error" in recorder.result.reason
    last = json.loads((tmp_path / "run.csv.journal.jsonl").read_text().splitlines()[-1])
    assert last["verdict"] == "INCOMPLETE"
