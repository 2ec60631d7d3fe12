"""`axonlike devices`: what there is, and why it cannot be used, without opening anything."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from axonlike.cli.devices import (
    Trouble,
    audio_devices,
    cameras,
    displays,
    lsl_streams,
    radios,
    serial_ports,
    trouble_of_camera,
    trouble_of_port,
)
from axonlike.cli.main import main
from axonlike.cli.output import Exit
from axonlike.errors import how_to_install


@pytest.fixture
def port() -> Iterator[str]:
    """The path of a pseudo-terminal that nobody else has open."""
    ours, theirs = os.openpty()
    path = os.ttyname(theirs)
    os.close(theirs)
    try:
        yield path
    finally:
        os.close(ours)


def as_nobody(action: Callable[[], Trouble | None]) -> list[str] | None:
    """What `action` returns to a user without groups."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setuid(65534)
            os.write(writing, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        answer: list[str] | None = json.load(pipe)
    return answer


def test_a_port_that_can_be_used_has_no_trouble(port: str) -> None:
    assert trouble_of_port(port) is None


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    trouble = trouble_of_port(str(tmp_path / "ttyUSB0"))
    assert trouble is not None
    assert trouble.kind == "absent"
    assert "axonlike devices" in trouble.remedy


def test_a_file_is_not_a_port(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").write_text("")
    trouble = trouble_of_port(str(tmp_path / "ttyUSB0"))
    assert trouble is not None
    assert trouble.kind == "not a port"


def test_a_port_that_another_program_has_open_is_busy_and_the_program_is_named(port: str) -> None:
    with open(port) as terminal, subprocess.Popen(["cat"], stdin=terminal, stdout=subprocess.PIPE) as other:
        try:
            trouble = trouble_of_port(port)
        finally:
            other.kill()
    assert trouble is not None
    assert trouble.kind == "busy"
    assert f"(process {other.pid})" in trouble.text


def test_what_this_process_has_open_itself_is_not_called_busy(port: str) -> None:
    with open(port):
        assert trouble_of_port(port) is None


@pytest.mark.system
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become a user without groups")
def test_a_port_of_a_group_that_the_user_is_not_in(port: str) -> None:
    group = next((group for group in grp.getgrall() if group.gr_name == "dialout"), None) or grp.getgrgid(1)
    os.chown(port, 0, group.gr_gid)
    os.chmod(port, 0o660)
    assert as_nobody(lambda: trouble_of_port(port)) == [
        "permission",
        f"you may not open {port}",
        f"you are not in group {group.gr_name}: sudo usermod -aG {group.gr_name} $USER, then log in again",
    ]


def test_without_pyserial_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial.tools", None)
    monkeypatch.setitem(sys.modules, "serial", None)
    assert how_to_install("axonlike[serial]") in serial_ports().missing


def test_without_pyaudio_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    assert how_to_install("axonlike[audio]") in audio_devices().missing


def test_without_a_screen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    shown = displays()
    assert shown.devices == ()
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in shown.missing


def test_a_screen_that_cannot_be_opened_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.setenv("DISPLAY", ":4711")
    (screen,) = displays().devices
    assert screen.name == "DISPLAY=:4711"
    assert screen.trouble.startswith("cannot be opened: ")


def test_the_command_prints_each_kind_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == Exit.OK
    output = capsys.readouterr().out
    titles = [line for line in output.splitlines() if line and line[0] != " "]
    assert titles == ["Serial ports", "Sound cards", "Cameras", "Screens"]


def test_json_has_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["serial", "audio", "camera", "display"]
    for kind in said.values():
        assert list(kind) == ["devices", "missing"]
        for device in kind["devices"]:
            assert list(device) == ["name", "description", "trouble", "remedy", "use"]


def test_a_screen_is_shown_with_its_size_under_a_virtual_x_server(tmp_path: Path) -> None:
    pytest.importorskip("pygame")
    with contextlib.ExitStack() as stack:
        try:
            reading, writing = os.pipe()
            command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
            server = stack.enter_context(
                subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
            )
        except FileNotFoundError:
            os.close(reading)
            os.close(writing)
            pytest.skip("Xvfb is not installed")
        stack.callback(server.kill)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        command = [sys.executable, "-m", "axonlike", "devices", "--json"]
        environment = {k: v for k, v in os.environ.items() if k not in ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER")}
        output = subprocess.run(command, env={**environment, "DISPLAY": f":{number}"}, capture_output=True, check=True)
        (screen,) = json.loads(output.stdout)["display"]["devices"]
    assert (screen["name"], screen["description"], screen["trouble"]) == (f"DISPLAY=:{number}", "640 x 480", "")


# -- cameras, and what answers in the network


def test_cameras_are_listed_with_their_names_and_how_to_use_them(tmp_path: Path, port: str) -> None:
    folder, about = tmp_path / "dev", tmp_path / "sys"
    folder.mkdir()
    for number, index, name in ((0, 0, "HD Webcam"), (1, 1, "HD Webcam"), (10, 0, "Grabber")):
        (folder / f"video{number}").symlink_to(port)
        place = about / f"video{number}"
        place.mkdir(parents=True)
        (place / "name").write_text(f"{name}\n")
        (place / "index").write_text(f"{index}\n")
    kind = cameras(folder, about)
    assert [(Path(device.name).name, device.description, device.trouble) for device in kind.devices] == [
        ("video0", "HD Webcam", ""), ("video1", "HD Webcam", "has no pictures"), ("video10", "Grabber", ""),
    ]  # fmt: skip
    assert kind.devices[0].use == f"VideoIn('{folder}/video0')"


def test_without_a_camera_the_test_picture_is_named(tmp_path: Path) -> None:
    assert 'none; VideoIn("demo") is a test picture' in cameras(tmp_path, tmp_path).missing


def test_without_pyav_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert how_to_install("axonlike[video]") in cameras(tmp_path, tmp_path).missing


def test_a_camera_that_cannot_be_used(tmp_path: Path, port: str) -> None:
    absent, file = trouble_of_camera(str(tmp_path / "video0")), trouble_of_camera(__file__)
    assert absent is not None
    assert absent.kind == "absent"
    assert file is not None
    assert file.kind == "not a camera"
    with open(port, "rb", buffering=0):
        busy = trouble_of_camera(port)
    assert busy is None  # our own process does not count


class Stream:
    """As pylsl tells one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def type(self) -> str:
        return "EEG"

    def channel_count(self) -> int:
        return 8

    def nominal_srate(self) -> float:
        return 250.0

    def hostname(self) -> str:
        return "lab"

    def source_id(self) -> str:
        return "42"


def test_streams_that_answer_are_listed() -> None:
    kind = lsl_streams(lambda: [Stream("b"), Stream("a")])
    assert [device.name for device in kind.devices] == ["a", "b"]
    assert kind.devices[0].description == "EEG, 8 channels at 250 Hz, on lab"
    assert kind.devices[0].use == "LSLInlet('a')"
    assert lsl_streams(list).missing == 'no stream answers; LSLInlet("demo") is a simulated one'


def test_radios_that_answer_are_listed() -> None:
    from axonlike.components.devices.wsa4000.discovery import Discovered

    kind = radios(lambda: [Discovered("10.0.0.7", "WSA4000", "1234", "2.5.3")])
    (radio,) = kind.devices
    assert (radio.name, radio.description, radio.use) == ("10.0.0.7", "WSA4000 1234 2.5.3", "WSA4000('10.0.0.7')")
    assert radios(list).missing == 'none answers; WSA4000("demo") is a simulated one'

    def not_permitted() -> list[Discovered]:
        raise PermissionError(13, "Permission denied")

    assert radios(not_permitted).missing == "nobody could be asked: [Errno 13] Permission denied"


def test_the_network_is_asked_only_when_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["devices", "--json"]) == Exit.OK
    assert list(json.loads(capsys.readouterr().out)) == ["serial", "audio", "camera", "display"]
