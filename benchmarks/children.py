"""Child processes of the benchmarks: none outlives its benchmark, whatever ends that."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ChildError", "call", "child", "free_ports", "peak_memory_bytes", "python", "wait_listening"]

ROOT = Path(__file__).parent.parent
STOP_S = 5.0
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildError(Exception):
    """A child process failed; the message holds its command and what it wrote."""


def _die_with_parent() -> None:
    # A parent that is killed runs no `finally`; Linux then ends the child for it.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def python(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this repository under this interpreter."""
    return [sys.executable, "-m", module, *map(str, arguments)]


@contextmanager
def child(command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A running child process, ended at the end of the block: SIGTERM, and SIGKILL after 5 s."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def call(command: Sequence[str], timeout_s: float = 120.0) -> str:
    """Run a child to its end and return what it printed. Raises ChildError if it fails or takes too long."""
    try:
        # run() kills the child at the time-out and at any exception, KeyboardInterrupt included.
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            preexec_fn=_die_with_parent,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"{' '.join(command)} took more than {timeout_s:g} s") from error
    if done.returncode != 0:
        raise ChildError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr or done.stdout}")
    return done.stdout


def wait_listening(process: "subprocess.Popen[bytes]", port: int, timeout_s: float = 20.0) -> None:
    """Return when somebody listens on the TCP port (Linux). Raises ChildError if the process ends before, or is late.

    Looks at the kernel's table: a trial connection would be a client for the server.
    """
    until = time.monotonic() + timeout_s
    listening = f":{port:04X} 00000000:0000 0A"  # local port, any remote end, state LISTEN; see proc(5)
    while listening not in Path("/proc/net/tcp").read_text(encoding="ascii"):
        if process.poll() is not None:
            raise ChildError(f"{process.args!r} ended with {process.returncode} before it listened on port {port}")
        if time.monotonic() > until:
            raise ChildError(f"{process.args!r} does not listen on port {port} after {timeout_s:g} s")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that were free a moment ago, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def peak_memory_bytes(pid: int) -> int:
    """Largest resident size that the process has had (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise ChildError(f"no VmHWM in /proc/{pid}/status: process {pid} (of {os.getpid()}) is gone")
