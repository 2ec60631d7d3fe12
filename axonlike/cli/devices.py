"""``axonlike devices``: the serial ports, sound cards and screens of this machine, and why one cannot be used.

No serial port is opened for it: opening one raises DTR, which resets many Arduino boards.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from axonlike.cli.output import Exit, print_json, styled

__all__ = ["Device", "Trouble", "add_arguments", "audio_devices", "displays", "run", "serial_ports", "trouble_of_port"]


class Trouble(NamedTuple):
    """Why a serial port cannot be used: kind ("absent", "not a port", "permission", "busy"), and what to do."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device. trouble: why it cannot be used; an empty string where it can. remedy: what to do about it."""

    name: str
    description: str
    trouble: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """All devices of a kind; missing: what to install to see them, or why there are none."""

    title: str
    devices: tuple[Device, ...]
    missing: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike devices``."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """List what there is."""
    kinds = {"serial": serial_ports(), "audio": audio_devices(), "display": displays()}
    if options.json:
        print_json(
            {
                name: {"devices": [asdict(device) for device in kind.devices], "missing": kind.missing}
                for name, kind in kinds.items()
            }
        )
        return Exit.OK
    for number, kind in enumerate(kinds.values()):
        print(("\n" if number else "") + styled(kind.title, "bold", sys.stdout))
        width = max((len(device.name) for device in kind.devices), default=0)
        for device in kind.devices:
            usable = styled("usable", "green", sys.stdout)
            state = styled(device.trouble, "yellow", sys.stdout) if device.trouble else usable
            about = f"{device.description}  " if device.description else ""
            print(f"  {device.name:<{width}}  {about}{state}")
            if device.remedy:
                print(f"  {'':<{width}}  {device.remedy}")
        if kind.missing:
            print(f"  {styled(kind.missing, 'dim', sys.stdout)}")
    return Exit.OK


# -- serial ports


def serial_ports() -> _Kind:
    """All serial ports, usable or not; without pyserial those whose device files have the usual names."""
    missing = ""
    try:
        from serial.tools import list_ports
    except ImportError:
        found = [(path, "") for path in _usual_paths()]
        missing = 'to use them: pip install "axonlike[serial]"'
    else:
        found = sorted((port.device, port.description.replace("n/a", "")) for port in list_ports.comports())
    devices = []
    for path, description in found:
        trouble = trouble_of_port(path)
        devices.append(Device(path, description, *((trouble.text, trouble.remedy) if trouble else ())))
    if not devices:
        none = 'none (is the cable in?); port="demo" is a simulated device'
        missing = f"{none}; {missing}" if missing else none
    return _Kind("Serial ports", tuple(devices), missing)


def _usual_paths() -> list[str]:
    patterns = ("ttyUSB*", "ttyACM*", "ttyAMA*", "rfcomm*", "cu.usb*")
    return sorted(str(path) for pattern in patterns for path in Path("/dev").glob(pattern))


def trouble_of_port(path: str) -> Trouble | None:
    """Why a serial port could not be opened by this user now, found out without opening it; None if it could."""
    try:
        status = os.stat(path)
    except OSError:
        return Trouble("absent", f"{path} is not there", "is the cable in? `axonlike devices` lists those that are")
    if not stat.S_ISCHR(status.st_mode):
        text = f"{path} is not a serial port, but a file or folder"
        return Trouble("not a port", text, "name a device such as /dev/ttyUSB0")
    if not os.access(path, os.R_OK | os.W_OK):
        return Trouble("permission", f"you may not open {path}", _permission_remedy(status.st_gid, path))
    user = _user_of(os.path.realpath(path))
    if user:
        return Trouble("busy", f"{path} is in use by {user}", "end that program, or wait until it has")
    return None


def _permission_remedy(group_id: int, path: str) -> str:
    import grp

    with contextlib.suppress(KeyError):
        group = grp.getgrgid(group_id).gr_name
        if group_id and group_id not in os.getgroups():
            return f"you are not in group {group}: sudo usermod -aG {group} $USER, then log in again"
    return f"see ls -l {path}"


def _user_of(path: str) -> str:
    """The program that has a device open, as far as this user may see it: "minicom (process 4711)"."""
    ours = {os.getpid(), os.getppid()}
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if int(process.name) in ours:
            continue
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            for number in os.listdir(process / "fd"):
                link = process / "fd" / number
                # Its name alone is not enough: in a container another device may bear it.
                if os.readlink(link) == path and os.path.samestat(os.stat(link), os.stat(path)):
                    return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


# -- sound


def audio_devices() -> _Kind:
    """Sound cards as PyAudio numbers them."""
    title = "Sound cards"
    try:
        import pyaudio
    except ImportError:
        apt = "sudo apt install portaudio19-dev python3-dev gcc"
        return _Kind(title, (), f'to see them: {apt}, then pip install "axonlike[audio]"')
    try:
        with _quiet_stderr():
            audio = pyaudio.PyAudio()
            try:
                found = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
            finally:
                audio.terminate()
    except OSError as exc:
        return _Kind(title, (), f"none that can be asked: {exc}")
    devices = tuple(_sound_card(card) for card in found)
    return _Kind(title, devices, "" if devices else "none")


def _sound_card(card: Any) -> Device:
    inputs, outputs = int(card["maxInputChannels"]), int(card["maxOutputChannels"])
    said = f"{inputs} in, {outputs} out, {float(card['defaultSampleRate']):g} Hz"
    return Device(f"{card['index']}", f"{card['name']} ({said})", "" if inputs or outputs else "has no channels")


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """PortAudio's libraries tell of every card that they do not find, on the process's own stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# -- screens


def displays() -> _Kind:
    """The screens that windows would come up on."""
    title = "Screens"
    named = {name: os.environ[name] for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)}
    shown = ", ".join(f"{name}={value}" for name, value in named.items())
    if not named and sys.platform.startswith("linux"):
        remedy = "over ssh use `ssh -X`; without a screen `xvfb-run` gives a virtual one"
        return _Kind(title, (), f"none: neither DISPLAY nor WAYLAND_DISPLAY is set ({remedy})")
    if not _has_pygame():
        return _Kind(title, (Device(shown or "this machine's", ""),), 'to open windows: pip install "axonlike[ui]"')
    sizes, why_not = _sizes()
    if why_not:
        remedy = "is it this user's, and does it run? try `xdpyinfo`"
        return _Kind(title, (Device(shown, "", f"cannot be opened: {why_not}", remedy),))
    return _Kind(title, tuple(Device(shown or "this machine's", f"{width} x {height}") for width, height in sizes))


def _has_pygame() -> bool:
    import importlib.util

    return importlib.util.find_spec("pygame") is not None


def _sizes() -> tuple[list[tuple[int, int]], str]:
    """What pygame says, in a process of its own: a broken X server can end (or hold up) the one that asks."""
    import json
    import subprocess

    code = (
        "import json, pygame; pygame.display.init(); d = pygame.display.get_driver(); "
        "print(json.dumps([d, pygame.display.get_desktop_sizes()]))"
    )
    environment = {**os.environ, "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    try:
        asked = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=10, env=environment, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [], "no answer within 10 s"
    if asked.returncode:
        return [], (asked.stderr.strip().splitlines() or ["pygame gave no reason"])[-1].removeprefix("pygame.error: ")
    driver, sizes = json.loads(asked.stdout.splitlines()[-1])
    if driver in ("offscreen", "dummy") and not os.environ.get("SDL_VIDEODRIVER"):
        return [], "no connection to it"
    return [(int(width), int(height)) for width, height in sizes], ""
