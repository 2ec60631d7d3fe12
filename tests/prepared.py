"""Python processes for tests, forked from one that has imported what takes long: they start in milliseconds.

`python FILE` spends 0.2 s of processor time on imports before the first line of FILE, and 2 s with SciPy. Here one
process of a test run, begun by `begin`, imports and forks for each program. The program has its process for itself,
with its own session, folder, environment, standard streams and end of the interpreter. What is different to `python -W
error -u FILE`: modules are there already, settings that Python reads when it starts (PYTHON...) are those of the test
run, and a traceback begins with two frames of this file. So some of each kind are started with a Python of their own.

`begin` belongs into a fixture of a module: the connection stays open for the whole run, and each test is looked through
for descriptors that it leaves behind. The process is nobody's child, and ends when the connection does.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["DEVNULL", "OF_EXAMPLES", "PIPE", "Running", "begin", "is_quiet", "run", "start"]

DEVNULL, PIPE = subprocess.DEVNULL, subprocess.PIPE
_HANG_GUARD_S = 100.0
_IMPORTS = [
    "asyncio", "doctest", "ssl", "axonlike.cli.loading", "axonlike.cli.run", "axonlike.components.net",
    "axonlike.components.util",
]  # fmt: skip

# What the examples import beside, by their names.
OF_EXAMPLES = {
    **dict.fromkeys(
        [
            "audio_scope", "audio_triggered_scope", "noise_scope", "plot_field", "plot_matplotlib", "plot_relaxation",
            "radio_capture", "radio_spectrum", "stream_monitor", "two_radios", "webcam",
        ],
        "scipy.fft",
    ),
    **dict.fromkeys(["audio_spectrogram", "eeg_record", "fm_radio"], "scipy.signal"),
}  # fmt: skip


# -- in the test's process


@functools.cache
def begin() -> socket.socket:
    """The connection to the process that forks; begun with the first call."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if name != "AXONLIKE_SHUFFLE"}
    with theirs:
        subprocess.run(  # which forks the one that stays, and ends
            [sys.executable, "-W", "error", "-u", __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, check=True, start_new_session=True,
        )  # fmt: skip
    atexit.register(ours.close)
    return ours


class Running:
    """A program in a process of its own, to be used as a Popen. Its file objects are binary."""

    def __init__(
        self, program: Sequence[object], imports: str, cwd: Path | None, env: Mapping[str, str] | None,
        streams: Sequence[int], pass_fds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.returncode: int | None = None
        request = {
            "program": [str(word) for word in program], "imports": imports, "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env), "numbers": [0, 1, 2, *pass_fds],
        }  # fmt: skip
        with contextlib.ExitStack() as theirs:

            def pipe(way: int) -> tuple[int, IO[bytes]]:
                ends = os.pipe()
                theirs.callback(os.close, ends[way])
                return ends[way], open(ends[1 - way], "rb" if way else "wb")  # see `close`

            fds: list[int] = []
            files: list[IO[bytes] | None] = []
            for number, stream in enumerate(streams):
                fd, file = stream, None
                if stream == PIPE:
                    fd, file = pipe(1 if number else 0)
                elif stream == DEVNULL:
                    fd = os.open(os.devnull, os.O_RDWR)
                    theirs.callback(os.close, fd)
                fds.append(fd)
                files.append(file)
            self.stdin, self.stdout, self.stderr = files
            status, self._status = pipe(1)
            socket.send_fds(begin(), [json.dumps(request).encode()], [status, *fds, *pass_fds])
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float = _HANG_GUARD_S) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("the program", timeout)
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Ends the program, if it has not ended, and closes what leads to it."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def start(
    *program: object, imports: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None,
    stdin: int = DEVNULL, stdout: int = DEVNULL, stderr: int = DEVNULL, pass_fds: Sequence[int] = (),
) -> Running:  # fmt: skip
    """Start `FILE ARGUMENT ...`, `-c CODE ...` or `-m MODULE ...`; the streams are descriptors, PIPE or DEVNULL.

    imports: a module that takes long to import; once it was named, it is there already.
    """
    return Running(program, imports, cwd, env, (stdin, stdout, stderr), pass_fds)


def run(
    *program: object, imports: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None, typed: str = "",
    timeout: float = _HANG_GUARD_S,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """A program from start to end: its exit code, and what it wrote."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        given.write(typed.encode())
        given.seek(0)
        running = Running(program, imports, cwd, env, (given.fileno(), out.fileno(), errors.fileno()))
        try:
            running.wait(timeout)
        finally:
            running.close()
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            [str(word) for word in program], running.wait(), out.read().decode(), errors.read().decode()
        )


def is_quiet(errors: str) -> bool:
    """Nothing on standard error; on a machine that stalls for a second the watchdog may say so."""
    return errors == "" or "has held the scheduler for" in errors


# -- in the process that forks


def _serve(control: socket.socket, loaded: str = "") -> dict[str, Any]:
    """Fork for each request, and return it in the fork; ends the process with the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    others: dict[str, socket.socket] = {}
    while True:
        data, fds, _, _ = socket.recv_fds(control, 1 << 20, 20)
        if not data:
            os._exit(0)
        request: dict[str, Any] = json.loads(data)
        imports = request["imports"]
        if imports == loaded:
            if os.fork() == 0:
                control.close()
                for other in others.values():
                    other.close()
                _tell_how_it_ends(fds[0], fds[1:])
                return _as_a_program_begins(request, fds[1:])
        else:
            if imports not in others:
                others[imports], theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                if os.fork() == 0:
                    for other in (control, *others.values()):
                        other.close()
                    for fd in fds:
                        os.close(fd)
                    importlib.import_module(imports)
                    return _serve(theirs, imports)
                theirs.close()
            socket.send_fds(others[imports], [data], fds)
        for fd in fds:
            os.close(fd)


def _tell_how_it_ends(status: int, streams: list[int]) -> None:
    """Returns in the program's process; the one between waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(status)
        return
    for fd in (*streams, 0, 1, 2):
        with contextlib.suppress(OSError):
            os.close(fd)
    os.write(status, b"%d\n" % pid)
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # told first: until then its number is nobody else's
    assert ended is not None
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d\n" % (ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status))
    os._exit(0)


def _as_a_program_begins(request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    os.setsid()
    aside = []
    for fd in fds:  # where they are another may have its place
        aside.append(fcntl.fcntl(fd, fcntl.F_DUPFD, 200))
        os.close(fd)
    for number, fd in zip(request["numbers"], aside, strict=True):
        os.dup2(fd, number)
        os.close(fd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    return request


def _execute(request: dict[str, Any]) -> None:
    """As `python` executes a file, the text after -c, or the module after -m."""
    first, *arguments = request["program"]
    folder = "" if first == "-c" else request["cwd"] if first == "-m" else os.path.dirname(os.path.abspath(first))
    python_path = [entry for entry in request["env"].get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:1] = [folder, *(entry for entry in python_path if entry not in sys.path)]
    if first == "-m":
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__)
    sys.modules["__main__"] = main
    if first == "-c":
        name, text, sys.argv = "<string>", arguments[0], ["-c", *arguments[1:]]
    else:
        name, text, sys.argv = first, Path(first).read_text(encoding="utf-8"), [first, *arguments]
        main.__file__ = first
    exec(compile(text, name, "exec", dont_inherit=True), main.__dict__)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    for _name in _IMPORTS:
        importlib.import_module(_name)
    _execute(_serve(socket.socket(fileno=int(sys.argv[1]))))
