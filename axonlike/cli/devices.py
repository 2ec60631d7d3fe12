"""``axonlike devices``: what components can be connected to, how each is named there, and why one cannot be used.

No serial port or camera is opened for it: opening a port raises DTR, which resets many Arduino boards, and a camera
lights its lamp. Nothing is sent into the network unless --scan asks for it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from axonlike.cli.output import Exit, print_json, styled
from axonlike.errors import how_to_install

__all__ = [
    "Device", "Trouble", "add_arguments", "audio_devices", "cameras", "displays", "lsl_streams", "radios", "run",
    "serial_ports", "trouble_of_camera", "trouble_of_port",
]  # fmt: skip


class Trouble(NamedTuple):
    """Why a serial port cannot be used: kind ("absent", "not a port", "permission", "busy"), and what to do."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device. trouble: why it cannot be used; an empty string where it can. remedy: what to do about it.

    use: how a component is made that uses it.
    """

    name: str
    description: str
    trouble: str = ""
    remedy: str = ""
    use: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """All devices of a kind; missing: what to install to see them, or why there are none."""

    title: str
    devices: tuple[Device, ...]
    missing: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike devices``."""
    parser.description = (
        "List serial ports, sound cards, cameras and screens, with how a component names each; with --scan also what "
        "answers in the local network: streams of the Lab Streaming Layer, and WSA4000 radios."
    )
    parser.add_argument("--scan", action="store_true", help="ask the local network too (about two seconds)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """List what there is."""
    kinds = {"serial": serial_ports(), "audio": audio_devices(), "camera": cameras(), "display": displays()}
    if options.scan:
        kinds |= {"lsl": lsl_streams(), "wsa4000": radios()}
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
            if device.use and not device.trouble:
                print(f"  {'':<{width}}  {styled(device.use, 'dim', sys.stdout)}")
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
        missing = f"to use them: {how_to_install('axonlike[serial]')}"
    else:
        found = sorted((port.device, port.description.replace("n/a", "")) for port in list_ports.comports())
    devices = []
    for path, description in found:
        trouble = trouble_of_port(path)
        use = f"SerialLines({path!r})"
        devices.append(Device(path, description, *((trouble.text, trouble.remedy) if trouble else ("", "")), use))
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
        return _Kind(title, (), f"to see them: {apt}, then {how_to_install('axonlike[audio]')}")
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
    ways = [way for way, channels in (("AudioIn", inputs), ("AudioOut", outputs)) if channels]
    use = ", ".join(f"{way}(device={card['index']})" for way in ways)
    return Device(f"{card['index']}", f"{card['name']} ({said})", "" if ways else "has no channels", use=use)


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


# -- cameras


def cameras(folder: Path = Path("/dev"), about: Path = Path("/sys/class/video4linux")) -> _Kind:
    """What takes pictures, as the kernel lists it. A camera may have several device files, one of them for pictures."""
    devices = []
    for path in sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name)):
        name = _first_line(about / path.name / "name")
        trouble = trouble_of_camera(str(path))
        if _first_line(about / path.name / "index") not in ("", "0"):
            trouble = trouble or Trouble("other", "has no pictures", f"the camera's first device file has: {name}")
        told = (trouble.text, trouble.remedy) if trouble else ("", "")
        devices.append(Device(str(path), name, *told, f"VideoIn({str(path)!r})"))
    missing = "" if _is_there("av") else f"to use them: {how_to_install('axonlike[video]')}"
    if not devices:
        none = 'none; VideoIn("demo") is a test picture'
        missing = f"{none}; {missing}" if missing else none
    return _Kind("Cameras", tuple(devices), missing)


def trouble_of_camera(path: str) -> Trouble | None:
    """Why this user could not open a camera now, found out without opening it; None if it could be."""
    try:
        status = os.stat(path)
    except OSError:
        return Trouble("absent", f"{path} is not there", "is the cable in?")
    if not stat.S_ISCHR(status.st_mode):
        return Trouble("not a camera", f"{path} is not a camera, but a file or folder", "")
    if not os.access(path, os.R_OK | os.W_OK):
        return Trouble("permission", f"you may not open {path}", _permission_remedy(status.st_gid, path))
    user = _user_of(os.path.realpath(path))
    return Trouble("busy", f"{path} is in use by {user}", "end that program, or wait until it has") if user else None


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _is_there(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


# -- in the network, when asked for


def lsl_streams(find: Callable[[], Iterable[Any]] | None = None) -> _Kind:
    """Streams of the Lab Streaming Layer that answer within a second. find: in place of pylsl's resolve_streams."""
    title = "Lab Streaming Layer"
    if find is None:
        try:
            import pylsl
        except (ImportError, RuntimeError) as exc:  # the latter: its library is not there
            return _Kind(title, (), f"to see them: {how_to_install('axonlike[lsl]')} ({exc})")

        def find() -> Iterable[Any]:
            return pylsl.resolve_streams(wait_time=1.0)  # type: ignore[no-any-return]

    with _quiet_stderr():
        streams = sorted(find(), key=lambda stream: (stream.name(), stream.source_id()))
    devices = tuple(
        Device(
            stream.name(),
            f"{stream.type()}, {stream.channel_count()} channels at {stream.nominal_srate():g} Hz, "
            f"on {stream.hostname()}",
            use=f"LSLInlet({stream.name()!r})",
        )
        for stream in streams
    )
    return _Kind(title, devices, "" if devices else 'no stream answers; LSLInlet("demo") is a simulated one')


def radios(find: Callable[[], Iterable[Any]] | None = None) -> _Kind:
    """WSA4000 radios that answer to a broadcast within a second. find: in place of that."""
    title = "WSA4000 radios"
    if find is None:
        try:
            from axonlike.components.devices.wsa4000.discovery import discover
        except ImportError:
            return _Kind(title, (), f"to see them: {how_to_install('axonlike[signals]')}")
        find = discover
    try:
        found = list(find())
    except OSError as exc:
        return _Kind(title, (), f"nobody could be asked: {exc}")
    devices = tuple(
        Device(
            radio.host, " ".join(filter(None, (radio.model, radio.serial, radio.firmware))),
            use=f"WSA4000({radio.host!r})",
        )
        for radio in found
    )  # fmt: skip
    return _Kind(title, devices, "" if devices else 'none answers; WSA4000("demo") is a simulated one')


# -- screens


def displays() -> _Kind:
    """The screens that windows would come up on."""
    title = "Screens"
    named = {name: os.environ[name] for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)}
    shown = ", ".join(f"{name}={value}" for name, value in named.items())
    if not named and sys.platform.startswith("linux"):
        remedy = "over ssh use `ssh -X`; without a screen `xvfb-run` gives a virtual one"
        return _Kind(title, (), f"none: neither DISPLAY nor WAYLAND_DISPLAY is set ({remedy})")
    if not _is_there("pygame"):
        install = f"to open windows: {how_to_install('axonlike[ui]')}"
        return _Kind(title, (Device(shown or "this machine's", ""),), install)
    sizes, why_not = _sizes()
    if why_not:
        remedy = "is it this user's, and does it run? try `xdpyinfo`"
        return _Kind(title, (Device(shown, "", f"cannot be opened: {why_not}", remedy),))
    return _Kind(title, tuple(Device(shown or "this machine's", f"{width} x {height}") for width, height in sizes))


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
