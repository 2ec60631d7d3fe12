"""``axonlike doctor``: what axonlike finds on this machine, and what to do about what it does not find."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

from axonlike.cli.output import Exit, print_json, styled
from axonlike.errors import how_to_install

__all__ = ["PACKAGES", "Line", "Package", "add_arguments", "examine", "run", "wall_clock"]

State = Literal["ok", "optional", "warning", "broken"]

_FEWEST_FILES = 1024  # a server's default limit of connections
_LEAST_SPACE_MIB = 16


class Package(NamedTuple):
    """An optional package: its name where packages are installed, the module, the extra, what it is for."""

    name: str
    module: str
    extra: str
    purpose: str
    apt: str = ""


PACKAGES = (
    Package("pyserial", "serial", "serial", "serial ports"),
    Package("pygame-ce", "pygame", "ui", "windows: Display, Ticker, TextBox, Button"),
    Package("PyAudio", "pyaudio", "audio", "sound cards", "portaudio19-dev python3-dev gcc"),
    Package("uvloop", "uvloop", "fast", "a faster event loop"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    state: "ok"; "optional" (not there, and needed for some things only); "warning" (it works, with a limit); "broken"
    (axonlike needs it).
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike doctor``."""
    parser.description = "Look at this machine: Python, packages, devices, limits. Exit code 1 if axonlike cannot work."
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Print one line for each thing looked at."""
    lines = list(examine())
    broken = any(line.state == "broken" for line in lines)
    if options.json:
        print_json({"broken": broken, "lines": [asdict(line) for line in lines]})
    else:
        _show(lines)
    return Exit.FAILED if broken else Exit.OK


_COLOURS = {"ok": "green", "optional": "dim", "warning": "yellow", "broken": "red bold"}


def _show(lines: list[Line]) -> None:
    width = max(len(line.what) for line in lines)
    for line in lines:
        state = styled(f"{line.state:<8}", _COLOURS[line.state], sys.stdout)
        print(f"{line.what:<{width}}  {state}  {line.found}")
        if line.remedy:
            print(f"{'':<{width}}  {'':<8}  {styled(line.remedy, 'cyan', sys.stdout)}")
    words = {"broken": "broken", "warning": "with a warning", "optional": "optional and not there"}
    counts = [(sum(line.state == state for line in lines), word) for state, word in words.items()]
    said = ", ".join(f"{number} {word}" for number, word in counts if number)
    print(f"\n{said}; the rest is well" if said else "\nall is well")


def examine() -> Iterator[Line]:
    """Everything that is looked at. A look that fails is a line too, never the end of the others."""
    looks: list[tuple[str, Callable[[], Iterator[Line]]]] = [
        ("Python", _python),
        ("axonlike", _axonlike),
        ("speedups", _speedups),
        ("packages", _packages),
        ("event loop", _event_loop),
        ("open files", _open_files),
        ("serial ports", _dialout),
        ("screen", _screen),
        ("runtime folder", _runtime_folder),
        ("timers", _timers),
        ("wall clock", _wall_clock),
    ]
    for what, look in looks:
        try:
            yield from look()
        except Exception as exc:
            yield Line(what, "broken", f"could not be looked at: {type(exc).__name__}: {exc}", "please report this")


def _python() -> Iterator[Line]:
    import platform

    found = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    yield Line("Python", "ok", found)


def _axonlike() -> Iterator[Line]:
    """Its version and place, and whether what is installed is what is imported."""
    import importlib.metadata

    import axonlike

    place = os.path.dirname(axonlike.__file__)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.version("axonlike")
        if installed != axonlike.__version__:
            found = f"{axonlike.__version__} in {place}, but {installed} is what is installed"
            remedy = "another copy stands in front of it: see PYTHONPATH and this folder"
            yield Line("axonlike", "warning", found, remedy)
            return
    yield Line("axonlike", "ok", f"{axonlike.__version__}, {place}")


def _speedups() -> Iterator[Line]:
    """Whether the kernel's short ways run in C."""
    from axonlike import speedups

    if speedups.in_use:
        yield Line("speedups", "ok", "compiled: messages take half the time")
    elif os.environ.get("AXONLIKE_SPEEDUPS") == "0":
        yield Line("speedups", "optional", "left out by AXONLIKE_SPEEDUPS=0", "unset AXONLIKE_SPEEDUPS")
    else:
        install = "install axonlike again, with a C compiler: sudo apt install gcc python3-dev"
        yield Line("speedups", "optional", "not compiled (all works, messages take twice the time)", install)


def _packages() -> Iterator[Line]:
    """The optional packages, imported, since what is installed may be broken."""
    import importlib
    import importlib.metadata

    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    for package in PACKAGES:
        install = how_to_install(f"axonlike[{package.extra}]")
        if package.apt:
            install = f"sudo apt install {package.apt}, then {install}"
        try:
            importlib.import_module(package.module)
        except ModuleNotFoundError as exc:
            if exc.name == package.module:
                yield Line(package.name, "optional", f"not installed (only for {package.purpose})", install)
            else:
                yield Line(package.name, "warning", f"is installed, but lacks {exc.name}", f"again: {install}")
            continue
        except Exception as exc:
            yield Line(package.name, "warning", f"is installed, but fails: {exc}", f"again: {install}")
            continue
        try:
            version = importlib.metadata.version(package.name)
        except importlib.metadata.PackageNotFoundError:
            version = "installed under another name"
        yield Line(package.name, "ok", f"{version}, for {package.purpose}")


def _event_loop() -> Iterator[Line]:
    """Make the loop that a run would use, and have it do something."""
    from axonlike.component import step
    from axonlike.scheduler import Scheduler

    made: list[str] = []
    done = step(lambda message: None)
    scheduler = Scheduler(watchdog_s=None)
    make = scheduler._loop_factory

    def noting() -> object:
        loop = make()
        made.append(f"{type(loop).__module__.partition('.')[0]} ({type(loop).__name__})")
        return loop

    scheduler._loop_factory = noting  # type: ignore[assignment]
    scheduler.run(done)
    yield Line("event loop", "ok", f"{made[0]}, and a run works")


def _open_files() -> Iterator[Line]:
    try:
        import resource
    except ImportError:  # Windows
        yield Line("open files", "ok", "no limit is known here")
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{_count(soft)} at once" + (f" (could be raised to {_count(hard)})" if hard != soft else "")
    remedy = f"ulimit -n {max(4096, 4 * _FEWEST_FILES)}; for a service LimitNOFILE= in its systemd unit"
    if soft != resource.RLIM_INFINITY and soft < 32:
        yield Line("open files", "broken", found, remedy)
    elif soft != resource.RLIM_INFINITY and soft <= _FEWEST_FILES:
        yield Line("open files", "warning", f"{found}: a server takes up to 1024 connections, each needs one", remedy)
    else:
        yield Line("open files", "ok", found)


def _count(limit: int) -> str:
    import resource

    return "any number" if limit == resource.RLIM_INFINITY else str(limit)


def _dialout() -> Iterator[Line]:
    """The group whose members may open serial ports."""
    try:
        import grp
        import pwd
    except ImportError:  # Windows
        return
    if not sys.platform.startswith("linux"):
        return
    user = pwd.getpwuid(os.getuid()).pw_name if _is_known(os.getuid()) else str(os.getuid())
    for name in ("dialout", "uucp"):
        try:
            group = grp.getgrnam(name)
        except KeyError:
            continue
        if os.getuid() == 0:
            yield Line("serial ports", "ok", "may be opened: this is root")
        elif group.gr_gid in os.getgroups():
            yield Line("serial ports", "ok", f"may be opened: {user} is in group {name}")
        elif user in group.gr_mem:
            yield Line("serial ports", "warning", f"{user} is in group {name}, but this login is older", "log in again")
        else:
            remedy = f"sudo usermod -aG {name} {user}, then log in again"
            yield Line("serial ports", "warning", f"you are not in group {name}", remedy)
        return
    yield Line("serial ports", "ok", "no group dialout on this machine; `axonlike devices` tells which may be opened")


def _is_known(user_id: int) -> bool:
    import pwd

    try:
        pwd.getpwuid(user_id)
    except KeyError:
        return False
    return True


def _screen() -> Iterator[Line]:
    named = [f"{name}={os.environ[name]}" for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
    if named or not sys.platform.startswith("linux"):
        yield Line("screen", "ok", ", ".join(named) or "this machine's")
    else:
        remedy = "only for windows: over ssh use `ssh -X`; `xvfb-run` gives a virtual screen"
        yield Line("screen", "optional", "none: neither DISPLAY nor WAYLAND_DISPLAY is set", remedy)


def _runtime_folder() -> Iterator[Line]:
    """Where a running system puts the socket through which `axonlike top` looks at it."""
    from axonlike.observe import directories, make_directory

    folder = directories()[0]
    there = folder if folder.is_dir() else folder.parent
    try:
        if folder.is_dir() or folder.is_symlink():
            make_directory(folder)  # it is there, so this only looks whether it is this user's alone
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(f"{there} is not writable")
        status = os.statvfs(there)
    except OSError as exc:
        remedy = "mend that: until then `axonlike top` and `tap` cannot look into a system"
        yield Line("runtime folder", "warning", str(exc), remedy)
        return
    free_mib = status.f_bavail * status.f_frsize / 2**20
    found = f"{folder}, {free_mib:.0f} MiB free"
    if free_mib < _LEAST_SPACE_MIB:
        yield Line("runtime folder", "warning", found, "free some space there")
    else:
        yield Line("runtime folder", "ok", found)


def _timers() -> Iterator[Line]:
    """The clock that timers go by."""
    import time

    from axonlike import alarm

    info = time.get_clock_info("monotonic")
    within = "1 ms" if alarm.system_timer is None else "0.1 ms"
    found = f"go by {info.implementation}, in steps of {info.resolution * 1e9:g} ns; they ring within {within}"
    if info.monotonic:
        yield Line("timers", "ok", found)
    else:
        yield Line("timers", "broken", f"{found}, which is not monotonic", "this system cannot be relied on for timers")


def _wall_clock() -> Iterator[Line]:
    yield wall_clock(_is_synchronised())


def wall_clock(synchronised: bool | None) -> Line:
    """What is said of the clock of log lines and recordings; None: the system does not tell whether it is right."""
    if synchronised is None:
        return Line("wall clock", "ok", "this system does not tell whether it is kept right")
    if synchronised:
        return Line("wall clock", "ok", "kept right (synchronised)")
    found = "nothing keeps it right: times in logs and recordings may be off (timers do not use it)"
    return Line("wall clock", "warning", found, "sudo timedatectl set-ntp true; of a container: on its host")


def _is_synchronised() -> bool | None:
    """Does the kernel say that something keeps its clock right? None where it cannot be asked."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return None
    # adjtimex(2) with modes 0 only reads, and returns TIME_ERROR (5) while nobody keeps the clock.
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5
