"""Emotiv, against the simulated headset, and from files."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axonlike import Pipeline, Scheduler
from axonlike.components.devices.descriptor_source import DeviceGap, DeviceLost, DeviceOpened, DeviceUnavailable
from axonlike.components.devices.emotiv import Emotiv, EmotivBattery
from axonlike.components.devices.emotiv_protocol import CHANNELS, EmotivDecoder
from axonlike.errors import ComponentError, DeviceError, UsageError
from axonlike.simulators.emotiv import SimulatedEmotiv
from axonlike.testing import Probe, check_component
from tests.components.devices.source_bench import Bench, rows_of


@pytest.fixture
def headset() -> Iterator[SimulatedEmotiv]:
    with SimulatedEmotiv() as made:
        yield made


def worn(headset: SimulatedEmotiv, **options: Any) -> Emotiv:
    return Emotiv(headset.path, longest_retry_s=0.05, **({"serial": headset.serial} | options))


def has(count: int, log: list[str]) -> bool:
    return len(log) == count


def counts_of(headset: SimulatedEmotiv, first: int, rows: int) -> np.ndarray[Any, Any]:
    reports = b"".join(headset.report(first + number) for number in range(rows))
    return EmotivDecoder(whole_reports=True).feed(reports)[0].counts


@pytest.mark.parametrize("research", [False, True])
def test_samples_arrive_in_microvolts(research: bool) -> None:
    with SimulatedEmotiv(research=research) as headset:
        with Bench(worn(headset, research=research)) as bench:
            chunks = bench.chunks.wait_rows(64)
            beside = [rows_of(bench.got[name].wait_rows(64))[:64] for name in ("quality", "gyro")]
        got = rows_of(chunks)[:64]
        info = chunks[0].info
        assert (info.units, info.sample_rate_hz, info.channel_names) == ("uV", 128.0, CHANNELS)
        assert info.dtype == np.float32
        assert any(
            np.array_equal(got, counts_of(headset, first, 64) * np.float32(0.51)) for first in range(headset.reports)
        )
    quality, gyro = beside
    assert np.nanmin(quality) >= 4.0
    assert quality.shape == (64, 14)
    assert 0 < np.abs(gyro).max() <= 12
    assert gyro.dtype == np.int16


def test_raw_values_have_the_step_as_scale(headset: SimulatedEmotiv) -> None:
    with Bench(worn(headset, values="raw", uv_per_count=0.5)) as bench:
        chunk = bench.chunks.wait_rows(1)[0]
    assert chunk.info.dtype == np.int16
    assert chunk.info.scale == 0.5


def test_the_battery_is_told_when_it_changes(headset: SimulatedEmotiv) -> None:
    with Bench(worn(headset)) as bench:
        assert bench.status.wait_for(EmotivBattery).percent == 85
        headset.battery = 235
        assert bench.status.wait_for(EmotivBattery, 2).percent == 32
        assert bench.source.emotiv_statistics().battery_percent == 32


def test_reports_that_the_radio_loses_show_in_the_index(headset: SimulatedEmotiv) -> None:
    with Bench(worn(headset)) as bench:
        bench.chunks.wait_rows(16)
        headset.lose_reports(5)
        gap = bench.status.wait_for(DeviceGap)
        chunks = bench.chunks.wait_rows(gap.index + 8)
    assert gap.rows >= 5
    assert gap.index in [chunk.index for chunk in chunks]


def test_it_goes_on_after_unplugging(headset: SimulatedEmotiv) -> None:
    with Bench(worn(headset)) as bench:
        before = bench.chunks.wait_rows(16)[-1].end
        headset.unplug()
        bench.status.wait_for(DeviceLost)
        assert "is not there" in bench.status.wait_for(DeviceUnavailable).reason
        headset.plug()
        assert bench.status.wait_for(DeviceOpened, 2).times == 2
        gap = bench.status.wait_for(DeviceGap)
        bench.chunks.wait_rows(gap.index + 4)
    assert gap.index > before


def test_it_is_open_only_while_it_is_wanted(headset: SimulatedEmotiv) -> None:
    with Bench(worn(headset), wanted=False) as bench:
        for times in (1, 2):
            bench.want()
            bench.status.wait_for(DeviceOpened, times)
            bench.chunks.wait_more()
            bench.unwant()
            headset.log.wait_for(partial(has, 2 * times))
    assert headset.log.words == ["opened", "closed"] * 2


@pytest.mark.parametrize("outbox", ["quality", "gyro"])
def test_what_is_beside_the_samples_opens_it_too(headset: SimulatedEmotiv, outbox: str) -> None:
    with Bench(worn(headset), wanted=False) as bench:
        bench.want(outbox)
        bench.status.wait_for(DeviceOpened)
        bench.got[outbox].wait_more()


def test_where_nobody_takes_its_samples_a_run_ends(headset: SimulatedEmotiv) -> None:
    Scheduler().run(worn(headset))
    assert headset.log.words == []


def recorded(path: Path, reports: int) -> Path:
    simulated = SimulatedEmotiv(encrypted=False)
    path.write_bytes(b"".join(simulated.report(number) for number in range(reports)) + b"torn")
    return path


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = recorded(tmp_path / "reports.bin", 1000)
    probe, source = Probe(), Emotiv(str(path), encrypted=False, values="raw")
    Scheduler().run(Pipeline(source, probe))
    assert probe.ended_by == "finished"
    assert np.array_equal(rows_of(probe.messages), counts_of(SimulatedEmotiv(), 0, 1000))
    assert probe.messages[0].time_ns is None
    assert source.emotiv_statistics().discarded_bytes == 4


def hidraw_of(root: Path, entries: dict[str, str]) -> Path:
    for name, text in entries.items():
        (root / name / "device").mkdir(parents=True)
        (root / name / "device" / "uevent").write_text(text)
    return root


def test_the_system_tells_the_serial_number_and_which_device_it_is(tmp_path: Path) -> None:
    epoc = "HID_NAME=Emotiv Systems Pty Ltd  EPOC BCI\nHID_UNIQ=SN201211154288GM\n"
    root = hidraw_of(
        tmp_path, {"hidraw2": "HID_NAME=A mouse\n", "hidraw9": epoc, "hidraw10": epoc, "hidraw11": "no equals sign"}
    )
    source = Emotiv("auto", hidraw=root)
    assert source._path() == "/dev/hidraw10"
    assert source._serial_of("/dev/hidraw10") == "SN201211154288GM"


def test_without_a_serial_number_it_says_what_to_do(headset: SimulatedEmotiv) -> None:
    with pytest.raises(ComponentError, match=r"give Emotiv\(serial=") as caught:
        Scheduler().run(Pipeline(Emotiv(headset.path), Probe()))
    assert isinstance(caught.value.cause, DeviceError)


def test_a_dongle_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with Bench(Emotiv("auto", hidraw=tmp_path / "none", longest_retry_s=0.02)) as bench:
        assert "plugged in" in bench.status.wait_for(DeviceUnavailable).reason
    with pytest.raises(ComponentError, match=r"is not there|No such file"):
        Scheduler().run(Pipeline(Emotiv(str(tmp_path / "no"), serial="SN12", must_exist=True), Probe()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_missing_permission_is_an_error_at_once(tmp_path: Path) -> None:
    path = recorded(tmp_path / "reports.bin", 3)
    path.chmod(0)
    with pytest.raises(ComponentError, match="no permission"):
        Scheduler().run(Pipeline(Emotiv(str(path), encrypted=False), Probe()))


@pytest.mark.parametrize("options", [{"device": ""}, {"values": "V"}, {"serial": "GM"}])
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Emotiv(**options)


def test_without_pycryptodome_it_says_what_to_install() -> None:
    source = """
        import sys
        sys.modules["Crypto"] = None
        from axonlike.components.devices.emotiv import Emotiv
        from axonlike.errors import MissingExtra
        Emotiv("/dev/hidraw0", encrypted=False)
        try:
            Emotiv("/dev/hidraw0")
        except MissingExtra as exc:
            print(exc)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("Emotiv needs pycryptodome: "), done.stderr
    assert "axonlike[emotiv]" in done.stdout


def test_it_conforms(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.CRITICAL)
    check_component(lambda: Emotiv("demo"), ends=False)
    path = recorded(tmp_path / "reports.bin", 1000)
    check_component(lambda: Emotiv(str(path), encrypted=False), ends=True)
