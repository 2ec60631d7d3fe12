"""Another program as a component: its standard input is the inbox, its standard output the outbox.

One thread waits for the pipes, the process and the boxes together (see `components.util.descriptors`). No asyncio child
watcher is involved, so it works the same under every event loop and in every thread.

The process leads a session and process group of its own: Ctrl-C in the terminal reaches this program only, which
then ends its children in order; and what the child has started is ended with it. The group is signalled only while its
leader has not been waited for, so that its number cannot have been given to strangers.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from axonlike.components.util.descriptors import DescriptorComponent, wait_for_descriptors
from axonlike.errors import DeviceError, UsageError, show_value
from axonlike.linkage import Box, destination
from axonlike.streams.framing import FramingError, LineDecoder, encode_line

__all__ = ["ProcessExited", "ProcessStarted", "Subprocess"]

log = logging.getLogger("axonlike.process")

_READ_BYTES = 65536
_WRITE_BYTES = 65536
_LOOK_EVERY_S = 0.1  # at the process, where the system has no descriptor for it


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """The program runs."""

    command: tuple[str, ...]
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """The program has ended by itself. code: its exit code, or minus the number of the signal that killed it."""

    command: tuple[str, ...]
    code: int

    @property
    def reason(self) -> str:
        """ "exit code 1", "killed by SIGSEGV"."""
        return f"exit code {self.code}" if self.code >= 0 else f"killed by {_signal_name(-self.code)}"


class Subprocess(DescriptorComponent):
    """Runs a program: lines (or bytes) from the inbox to its standard input, from its standard output to the outbox.

    command: the program and its arguments, as a list; no shell looks at them. mode: "lines" (str, endings removed and
    added) or "bytes". At the end of input its standard input is closed, as by Ctrl-D. It ends when the program has
    ended and all its output is sent; then `status` gets `ProcessExited`. With check=True an exit code other than 0 is a
    DeviceError; without, it is a warning in the log if `status` is not linked.

    Standard error goes to the outbox "stderr" if that is linked when it starts, else to where this program's goes.

    Shutdown ends the program and all in its process group: SIGTERM, and SIGKILL after `grace_s` seconds. What still
    holds its output `grace_s` seconds after its end is ended too. cwd, env: as for subprocess.Popen. limit_bytes: a
    longer line raises LineTooLong. A program that cannot be started is a DeviceError.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("for its standard input", (str, bytes, bytearray))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("its standard output", (str, bytes)),
        "stderr": Box("its standard error", (str, bytes)),
        "status": Box("ProcessStarted, ProcessExited", (ProcessStarted, ProcessExited)),
    }

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        mode: Literal["lines", "bytes"] = "lines",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = False,
        grace_s: float = 2.0,
        encoding: str = "utf-8",
        errors: str = "replace",
        limit_bytes: int = 1024 * 1024,
    ) -> None:
        if isinstance(command, str | bytes):
            raise UsageError(
                f"Subprocess takes a list, not the text {command!r}: Subprocess({command.split()!r}), or for a shell "
                f'Subprocess(["sh", "-c", {command!r}])'
            )
        self.command = tuple(os.fspath(part) for part in command)
        if not self.command:
            raise UsageError("Subprocess needs a program: Subprocess(['cat'])")
        if mode not in ("lines", "bytes"):
            raise UsageError(f'Subprocess: mode is "lines" or "bytes", not {mode!r}')
        self.mode = mode
        self.encoding = encoding
        self.check = check
        self.grace_s = grace_s
        self.unsent_bytes = 0
        self.pid: int | None = None
        self._cwd = cwd
        self._env = env
        self._errors = errors
        self._limit_bytes = limit_bytes

    def attend(self) -> None:
        process = self._start()
        try:
            self.send(ProcessStarted(self.command, process.pid), "status")
            self._serve(_Pipes(process, self._decoder))
        except BaseException:
            self._kill(process)
            raise
        finally:
            _close_pipes(process)
        code = process.wait()
        self.pid = None
        self._report(ProcessExited(self.command, code))

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self.command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if destination(self, "stderr") is not None else None,
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,
            )
        except OSError as exc:
            raise DeviceError(_why_not_started(self.command[0], self._cwd, exc)) from exc
        except ValueError as exc:  # a NUL in an argument
            raise UsageError(f"cannot start {self.command!r}: {exc}") from exc
        self.pid = process.pid
        return process

    def _decoder(self) -> LineDecoder[str] | None:
        if self.mode == "bytes":
            return None
        return LineDecoder(encoding=self.encoding, errors=self._errors, limit_bytes=self._limit_bytes)

    def _serve(self, pipes: _Pipes) -> None:
        """Until the process has ended and its output is read."""
        unsent = memoryview(b"")
        give_up_s: float | None = None
        with _ExitWatch(pipes.process) as watch:
            while pipes.outputs or give_up_s is None:
                stdin = pipes.stdin
                now_s = time.monotonic()
                if give_up_s is not None and now_s >= give_up_s:
                    self._give_up(pipes)
                    break
                ready = self.wait_io(
                    [*pipes.outputs, *(watch.fds if give_up_s is None else ())],
                    [stdin] if unsent and stdin is not None else [],
                    timeout_s=watch.timeout_s if give_up_s is None else give_up_s - now_s,
                    boxes=("inbox",) if stdin is not None and not unsent else (),
                )
                for fd in ready.readable & set(pipes.outputs):
                    self._read(pipes, fd)
                if ready.box is not None:
                    unsent = memoryview(self._next_batch())
                if unsent and stdin is not None:
                    unsent = self._write(pipes, stdin, unsent)
                if ready.input_ended and not unsent:
                    pipes.close_stdin()
                if give_up_s is None and watch.has_exited():
                    give_up_s = time.monotonic() + self.grace_s
                    pipes.close_stdin()
        self.unsent_bytes += len(unsent)

    def _give_up(self, pipes: _Pipes) -> None:
        """The process has ended, and its pipes were not read to their end within `grace_s`."""
        # That may be our receivers' doing: then all of it lies there.
        self._read_what_is_there(pipes)
        if not pipes.outputs:
            return
        log.warning(
            "%s: %s has ended, and something that it started still holds its output; ending that",
            self.path, self.command[0],
        )  # fmt: skip
        _signal_group(pipes.process, signal.SIGKILL)
        self._read_what_is_there(pipes)
        for fd in tuple(pipes.outputs):
            self._take(pipes, fd, b"")

    def _read_what_is_there(self, pipes: _Pipes) -> None:
        """What lies in the pipes at this moment, not what somebody goes on to write."""
        for fd in tuple(pipes.outputs):
            lying_bytes = _lying_bytes(fd)
            while lying_bytes > 0:
                lying_bytes -= self._read(pipes, fd, min(lying_bytes, _READ_BYTES))
            if not _lying_bytes(fd) and fd in wait_for_descriptors([fd], timeout_s=0)[0]:
                self._read(pipes, fd)  # its end

    def _read(self, pipes: _Pipes, fd: int, at_most: int = _READ_BYTES) -> int:
        data = os.read(fd, at_most)
        self._take(pipes, fd, data)
        return len(data)

    def _take(self, pipes: _Pipes, fd: int, data: bytes) -> None:
        """Send what was read; b"" is the end."""
        box, decoder = pipes.outputs[fd]
        if not data:
            del pipes.outputs[fd]
        if decoder is None:
            if data:
                self.send(data, box)
            return
        try:
            lines = decoder.feed(data) if data else decoder.finish()
        except FramingError as exc:
            for completed in exc.completed:
                self.send(completed, box)
            raise
        for line in lines:
            self.send(line, box)

    def _write(self, pipes: _Pipes, stdin: int, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(stdin, unsent) :]
        except BlockingIOError:
            return unsent
        except BrokenPipeError:
            # It reads no more; what else is for it stays in the inbox, where it is counted as unread.
            log.info("%s: %s has closed its standard input", self.path, self.command[0])
            self.unsent_bytes += len(unsent)
            pipes.close_stdin()
            return memoryview(b"")

    def _next_batch(self) -> bytes:
        """What is there, up to about what a pipe takes at once."""
        batch = bytearray()
        for message in self.inbox():
            batch += self._encoded(message)
            if len(batch) >= _WRITE_BYTES:
                break
        return bytes(batch)

    def _encoded(self, message: Any) -> bytes:
        if self.mode == "lines":
            return encode_line(message, encoding=self.encoding)
        if isinstance(message, bytes | bytearray | memoryview):
            return bytes(message)
        raise TypeError(f'{self.path}: with mode="bytes" its inbox takes bytes, not {show_value(message)}')

    def _report(self, exited: ProcessExited) -> None:
        self.send(exited, "status")
        if exited.code == 0:
            return
        text = f"{self.command[0]} ended with {exited.reason}"
        if self.check:
            raise DeviceError(text)
        if destination(self, "status") is None:
            log.warning("%s: %s", self.path, text)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the whole group, politely at first. Takes at most `grace_s`."""
        with _ExitWatch(process) as watch:
            if process.returncode is None and not watch.has_exited():
                _signal_group(process, signal.SIGTERM)
                until_s = time.monotonic() + self.grace_s
                while not watch.has_exited() and (left_s := until_s - time.monotonic()) > 0:
                    wait_for_descriptors(watch.fds, (), left_s if watch.fds else min(left_s, _LOOK_EVERY_S))
        _signal_group(process, signal.SIGKILL)
        process.wait()
        self.pid = None


class _Pipes:
    """The ends of a process's pipes that are still open."""

    def __init__(self, process: subprocess.Popen[bytes], decoder: Any) -> None:
        self.process = process
        self.outputs: dict[int, tuple[str, LineDecoder[str] | None]] = {}
        for pipe, box in ((process.stdout, "outbox"), (process.stderr, "stderr")):
            if pipe is not None:
                self.outputs[pipe.fileno()] = (box, decoder())
        assert process.stdin is not None
        self.stdin: int | None = process.stdin.fileno()
        os.set_blocking(self.stdin, False)

    def close_stdin(self) -> None:
        self.stdin = None
        if self.process.stdin is not None:
            self.process.stdin.close()


class _ExitWatch:
    """Tells when a process has ended, without waiting for it in the sense of wait(): its number stays its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._pidfd: int | None = None

    def __enter__(self) -> _ExitWatch:
        if hasattr(os, "pidfd_open") and self._process.returncode is None:
            try:
                self._pidfd = os.pidfd_open(self._process.pid)
            except OSError:
                self._pidfd = None  # an old kernel, or a sandbox without it: look at times instead
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)

    @property
    def fds(self) -> tuple[int, ...]:
        """What becomes readable at the end."""
        return () if self._pidfd is None else (self._pidfd,)

    @property
    def timeout_s(self) -> float | None:
        """How long one may wait before looking again."""
        return _LOOK_EVERY_S if self._pidfd is None else None

    def has_exited(self) -> bool:
        if self._process.returncode is not None:
            return True
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None


def _lying_bytes(fd: int) -> int:
    """What a pipe holds at this moment."""
    import fcntl  # not on Windows, as termios
    import termios

    count = array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is not None:
        return  # it has been waited for: the number may be somebody else's
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError) as exc:
        # Nobody is left; or (macOS) only a zombie; or a set-user-id program, which is not ours to kill.
        log.debug("signal %s to the group of process %d: %s", number.name, process.pid, exc)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _why_not_started(program: str, cwd: str | os.PathLike[str] | None, exc: OSError) -> str:
    if cwd is not None and exc.filename == os.fspath(cwd):
        return f"cannot start {program}: its folder cwd={os.fspath(cwd)!r}: {exc.strerror}"
    if exc.errno == errno.ENOENT:
        return f"cannot start {program}: there is no such program (is it installed? is its folder in PATH?)"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return f"cannot start {program}: it is not executable for this user (chmod +x?)"
    if exc.errno == errno.ENOEXEC:
        return f"cannot start {program}: it is no program; a script begins with a line such as #!/bin/sh"
    return f"cannot start {program}: {exc.strerror or exc}"
