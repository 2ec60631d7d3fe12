"""A serial device that is not there: the other end of a real pseudo-terminal, with a cable that can be pulled.

What reads it (pyserial, `cat`, the toolkit's own SerialPort) opens an ordinary tty by its path and cannot tell the
difference, so examples and tests run the very code that runs with hardware. `unplug` closes the pseudo-terminal, as a
USB adapter's tty goes away: readers get end of file, writers an error. `plug` makes a new one behind the same path.

How the threads get along. The device has no thread when tests drive it step by step, and one when it has a script.
Whoever waits for the file descriptors does so outside the lock, counted in `_pollers`; whoever is about to close them
first wakes all of those through a pipe and waits until the count is 0. So nobody ever waits for, or reads from, a
descriptor that has been closed and given to somebody else.
"""

import contextlib
import errno
import logging
import os
import random
import select
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from axonlike.errors import DeviceError, UsageError, show_value
from axonlike.streams.framing import encode_line

__all__ = ["SimulatedSerialDevice", "demo_events"]

_logger = logging.getLogger(__name__)

_READ_BYTES = 65536
# What the host wrote is kept for whoever asks; a demo that runs for months must not keep all of it.
_RECEIVED_KEPT_BYTES = 1024 * 1024
# macOS: long so, and select() takes them.
_POLL_REFUSES_TERMINALS = sys.platform == "darwin"
# poll() counts milliseconds in 32 bits; who waits longer than this is woken once in between.
_LONGEST_POLL_S = 3600.0

Script = Iterable[str | bytes] | Callable[[], str | bytes | None]


def demo_events(seed: int = 0) -> Iterator[str]:
    """Lines such as a building's notification system sends, for ever; the same seed gives the same lines.

    The first word says how much it matters: NORMAL (about 14 of 20), IMPORTANT (4 of 20), CRITICAL (1 of 20). The rest
    (1 of 20) is of no such kind, as real devices have it too: "DIAGNOSTIC battery 87 %".
    """
    # random() alone gives the same numbers in every version of Python; randrange and choice do not promise it.
    chance = random.Random(seed).random
    open_doors: set[int] = set()
    temperature_c = 29.0
    battery_percent = 100
    while True:
        kind = chance()
        if kind < 0.7:
            door = 1 + int(chance() * 6)
            open_doors ^= {door}
            yield f"NORMAL door {door} {'open' if door in open_doors else 'closed'}"
        elif kind < 0.9:
            # A walk that is drawn back to 31 degrees, so that a demo of months does not end in ice or fire.
            temperature_c += (31.0 - temperature_c) * 0.1 + (chance() - 0.5) * 2.0
            yield f"IMPORTANT temperature {temperature_c:.1f}"
        elif kind < 0.95:
            what = ("smoke", "water", "gas")[int(chance() * 3)]
            where = ("cellar", "kitchen", "server room")[int(chance() * 3)]
            yield f"CRITICAL {what} {where}"
        else:
            battery_percent = battery_percent - 1 if battery_percent > 5 else 100  # somebody changes it
            yield f"DIAGNOSTIC battery {battery_percent} %"


class SimulatedSerialDevice:
    r"""A small sensor at the end of a pseudo-terminal. Linux and macOS; DeviceError elsewhere.

    Use it in a `with` block, or call `start` and `close`. `path` is what a program opens; it stays the same when the
    device is unplugged and plugged in again, and is a link into a temporary directory (or `directory`).

    With `lines` it has a life of its own: every `interval_s` seconds, beginning one interval after each plugging in, a
    thread sends the next line, ending in CR LF as sensors do (`ending`). `lines` is an iterable, at whose end the
    device falls silent, or a function, which may return None for nothing this time. The script stands still while the
    device is unplugged. If it raises, the device falls silent, and `close` raises DeviceError with that cause.

    Without `lines` there is no thread and it does what it is told: `emit`; and it takes what the host has written when
    it is asked for it: `received`, `wait_received`.

    It never waits for a reader. What the tty has no room for (from some 4 KiB on) is lost, as on a real line:
    `emitted_bytes` counts what was to be sent, `lost_bytes` what of it was lost so. `received_bytes` counts what the
    host has written.
    """

    def __init__(
        self,
        lines: Script | None = None,
        *,
        interval_s: float = 1.0,
        ending: bytes = b"\r\n",
        name: str = "ttySIM0",
        directory: str | os.PathLike[str] | None = None,
        close_timeout_s: float = 5.0,
    ) -> None:
        if not interval_s > 0:
            raise UsageError(f"interval_s={interval_s!r}: the time between two lines is more than 0 seconds")
        if name != os.path.basename(name) or name in ("", ".", ".."):
            raise UsageError(f"name={name!r}: it is the name of a file, without any directory")
        self.interval_s = interval_s
        self.close_timeout_s = close_timeout_s
        self.emitted_bytes = 0
        self.lost_bytes = 0
        self.received_bytes = 0
        self._next_line = _next_of(lines)
        self._ending = ending
        self._name = name
        self._directory = directory

        # All of the following is guarded by this lock.
        self._cond = threading.Condition()
        self._pollers = 0  # threads that wait for the descriptors at this moment
        self._closers = 0  # threads that want them to stop waiting
        self._changes = 0  # how often they have had it: who decided to wait before a change must decide again
        self._master: int | None = None
        self._slave: int | None = None  # held open, so that the settings stay and writing never fails between hosts
        self._wake_read: int | None = None
        self._wake_write: int | None = None
        self._received = bytearray()
        self._failure: Exception | None = None
        self._plugged_times = 0
        self._closing = False
        self._path: Path | None = None
        self._thread: threading.Thread | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    # ------------------------------------------------------------------------------------------- life

    def start(self) -> Self:
        """Make the path and plug the device in; begin the script if there is one."""
        with self._cond:
            if self._path is not None:
                raise UsageError(f"{self} is running already")
            self._closing = False
            try:
                if self._directory is None:
                    self._temporary = tempfile.TemporaryDirectory(prefix="axonlike-serial-")
                    self._path = Path(self._temporary.name) / self._name
                else:
                    self._path = Path(self._directory) / self._name
                if os.path.lexists(self._path):
                    raise UsageError(f"{self._path} is there already; remove it, or give the device another name")
                self._wake_read, self._wake_write = os.pipe()
                self._plug()
                if self._next_line is not None:
                    thread = threading.Thread(target=self._live, name=f"simulated {self._name}", daemon=True)
                    thread.start()
                    self._thread = thread  # it looks here as soon as it gets the lock
            except BaseException:
                self._release()
                raise
        return self

    def close(self) -> None:
        """Unplug the device, end its thread and remove its path. May be called twice.

        DeviceError if the script had failed, or does not return within `close_timeout_s`; its thread is then left
        behind, and ends when the script lets it.
        """
        with self._cond:
            if self._path is None or self._closing:
                return
            self._closing = True
            thread, self._thread = self._thread, None
            with self._nobody_polling():
                self._drain()
        # Without the lock, which the thread needs on its way out.
        if thread is not None and thread is not threading.current_thread():
            thread.join(self.close_timeout_s)
            if thread.is_alive():
                self._failure = TimeoutError(f"asked for a line, it has not returned in {self.close_timeout_s} s")
        with self._cond:
            # An unplug or plug that was under way needs the pipe until its end; no other can begin any more.
            self._cond.wait_for(lambda: self._closers == 0 and self._pollers == 0)
            self._release()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise DeviceError(f"the script of the simulated device {self._name} failed: {failure!r}") from failure

    def _release(self) -> None:
        """Give back whatever is open, with the lock held; all of it, should one part fail."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(setattr, self, "_path", None)
            if self._temporary is not None:
                last_first.callback(self._temporary.cleanup)
                self._temporary = None
            last_first.callback(self._close_fds, "_wake_read", "_wake_write")
            last_first.callback(self._unplug)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_path", None) is not None:
            warnings.warn(f"{self} was never closed", ResourceWarning, source=self, stacklevel=1)
            self.close()

    def __repr__(self) -> str:
        state = "not started" if self._path is None else f"at {self._path}" if self.is_plugged else "unplugged"
        return f"<SimulatedSerialDevice {self._name} {state}>"

    @property
    def path(self) -> str:
        """What a program opens. Stays the same from `start` to `close`."""
        if self._path is None:
            raise UsageError(f"{self} has no path yet: use it in a with block, or call start()")
        return str(self._path)

    # ------------------------------------------------------------------------------------------ cable

    @property
    def is_plugged(self) -> bool:
        """Is its path there to be opened? From `start` or `plug` on, until `unplug` or `close`."""
        return self._master is not None

    def unplug(self) -> None:
        """Pull the cable: the path is gone, readers get end of file, writers an error. Bytes on their way are lost.

        What has arrived from the host stays in `received`. Nothing happens if it is unplugged already.
        """
        with self._cond:
            self._require_started()
            with self._nobody_polling():
                self._drain()
                self._unplug()

    def plug(self) -> None:
        """Put the cable in again: a new tty behind the same path. Nothing happens if it is plugged in already."""
        with self._cond:
            self._require_started()
            with self._nobody_polling():
                if self._master is None and not self._closing:
                    self._plug()

    def _plug(self) -> None:
        assert self._path is not None
        with contextlib.ExitStack() as undo:
            self._master, self._slave = _open_raw_pty()
            undo.callback(self._close_fds, "_master", "_slave")
            # Under another name first: a path that exists always leads to a tty that is ready.
            new = self._path.with_name(f".{self._name}.new")
            try:
                new.unlink(missing_ok=True)
                os.symlink(os.ttyname(self._slave), new)
                os.replace(new, self._path)
            except OSError as exc:
                raise DeviceError(f"cannot make {self._path} for the simulated device: {exc}") from exc
            undo.pop_all()
        self._plugged_times += 1

    def _unplug(self) -> None:
        if self._master is None:
            return
        # The link first: who gets the end of file and looks at once must not find the old tty, whose number may
        # belong to somebody else by then.
        assert self._path is not None
        try:
            self._path.unlink(missing_ok=True)
        finally:
            self._close_fds("_master", "_slave")

    def _close_fds(self, *attributes: str) -> None:
        for attribute in attributes:
            fd = getattr(self, attribute)
            setattr(self, attribute, None)
            if fd is not None:
                os.close(fd)

    # ------------------------------------------------------------------------------------------ bytes

    def emit(self, data: bytes) -> int:
        """Send these bytes as they are; how many of them the tty took. The rest is lost and counted.

        UsageError while unplugged, as a test that means to lose bytes should say so.
        """
        if not isinstance(data, bytes | bytearray):
            raise TypeError(f"a serial device emits bytes, not {show_value(data)}; encode it first")
        with self._cond:
            self._require_started()
            if self._master is None:
                raise UsageError(f"{self} cannot emit {show_value(data)}: it is unplugged; call plug() first")
            return self._emit(self._master, bytes(data))

    def _emit(self, master: int, data: bytes) -> int:
        taken = 0
        while taken < len(data):
            try:
                taken += os.write(master, data[taken : taken + _READ_BYTES])
            except BlockingIOError:
                break
        self.emitted_bytes += len(data)
        self.lost_bytes += len(data) - taken
        return taken

    @property
    def received(self) -> bytes:
        """What the host has written so far: the last MiB of it. `received_bytes` counts all."""
        with self._cond:
            self._drain()
            return bytes(self._received)

    def wait_received(self, count: int = 1, *, timeout_s: float = 5.0) -> bytes:
        """Wait until the host has written `count` bytes in all; returns `received`.

        TimeoutError says what there was.
        """
        until = time.monotonic() + timeout_s
        while True:
            with self._cond:
                self._require_started()
                self._drain()
                if self.received_bytes >= count:
                    return bytes(self._received)
                left_s = until - time.monotonic()
                if left_s <= 0:
                    got = show_value(bytes(self._received))
                    raise TimeoutError(f"{self} got {self.received_bytes} of {count} bytes in {timeout_s} s: {got}")
                if self._master is None or self._thread is not None:
                    # Who drains the tty, or plugs it in, tells.
                    self._cond.wait(left_s)
                    continue
                changes = self._changes
            self._poll(left_s, changes)

    def _drain(self) -> None:
        """Take all that the host has written."""
        if self._master is None:
            return
        before = self.received_bytes
        while True:
            try:
                data = os.read(self._master, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno == errno.EIO:  # a host's last close, seen as the end of the line for a moment
                    break
                raise
            if not data:
                break
            self.received_bytes += len(data)
            self._received += data
        if self.received_bytes > before:
            del self._received[:-_RECEIVED_KEPT_BYTES]
            self._cond.notify_all()

    # ---------------------------------------------------------------------------------------- waiting

    def _poll(self, timeout_s: float | None, changes: int) -> None:
        """Wait, without the lock, until the host has written, or the time is over, or anything changes.

        `changes` is the count of them when the caller, under the lock, decided to wait.
        """
        with self._cond:
            self._cond.wait_for(lambda: self._closers == 0)
            if self._changes != changes or self._wake_read is None:
                return
            fds = [self._wake_read] if self._master is None else [self._wake_read, self._master]
            self._pollers += 1
        try:
            _wait_readable(fds, timeout_s)
        finally:
            with self._cond:
                self._pollers -= 1
                self._cond.notify_all()

    @contextlib.contextmanager
    def _nobody_polling(self) -> Iterator[None]:
        """With the lock held: all who poll have returned, and none begins, until the end of the block."""
        wake_read, wake_write = self._wake_read, self._wake_write
        assert wake_read is not None
        assert wake_write is not None
        self._closers += 1
        os.write(wake_write, b"w")
        try:
            self._cond.wait_for(lambda: self._pollers == 0)
            yield
        finally:
            os.read(wake_read, 1)
            self._closers -= 1
            self._changes += 1
            self._cond.notify_all()

    def _require_started(self) -> None:
        if self._path is None or self._closing:
            raise UsageError(f"{self}: use it in a with block, or call start() first")

    # ----------------------------------------------------------------------------------------- script

    def _live(self) -> None:
        """The thread's body: a line at each interval, and the host's bytes as they come."""
        due: float | None = None
        script_goes_on = True
        plugged_times = 0
        while True:
            with self._cond:
                if self._thread is not threading.current_thread():
                    return
                self._drain()
                plugged = self._master is not None
                changes = self._changes
                if plugged_times != self._plugged_times:
                    plugged_times = self._plugged_times
                    due = time.monotonic() + self.interval_s
            if not (plugged and script_goes_on) or due is None:
                self._poll(None, changes)
            elif (left_s := due - time.monotonic()) > 0:
                self._poll(left_s, changes)
            else:
                script_goes_on = self._emit_next_line()
                due = self._after(due)

    def _after(self, due: float) -> float:
        """The time after this one; after a pause of the whole machine no burst of the lines that were missed."""
        now = time.monotonic()
        return due + self.interval_s if due + self.interval_s > now else now + self.interval_s

    def _emit_next_line(self) -> bool:
        """Send the script's next line; False when there will be no more."""
        assert self._next_line is not None
        try:
            line = self._next_line()
            data = b"" if line is None else encode_line(line, ending=self._ending)
        except StopIteration:
            return False
        except Exception as exc:
            _logger.exception("the script of the simulated device %s failed; it is silent now", self._name)
            with self._cond:
                self._failure = exc
            return False
        with self._cond:
            if self._master is not None:
                self._emit(self._master, data)
            else:  # unplugged while the script was thinking
                self.emitted_bytes += len(data)
                self.lost_bytes += len(data)
        return True


def _next_of(lines: Script | None) -> Callable[[], str | bytes | None] | None:
    if lines is None:
        return None
    if isinstance(lines, str | bytes):
        raise UsageError(f"lines={show_value(lines)} would send one character at a time; give a list of lines")
    if callable(lines):
        return lines
    try:
        return iter(lines).__next__
    except TypeError:
        raise UsageError(
            f"lines={show_value(lines)}: it is an iterable of lines, or a function without arguments"
        ) from None


def _open_raw_pty() -> tuple[int, int]:
    """Master (never blocks) and slave of a new pseudo-terminal that changes no byte."""
    if not hasattr(os, "openpty"):
        raise DeviceError(no_pty_text(sys.platform))
    import termios  # not on Windows

    try:
        master, slave = os.openpty()
    except OSError as exc:
        raise DeviceError(
            f"no pseudo-terminal for the simulated device: {exc}. Too many may be open (kernel.pty.max, ulimit -n), or "
            "/dev/pts is not mounted in this container"
        ) from exc
    try:
        os.set_blocking(master, False)
        # By hand, as tty.setraw leaves some of these as they are before Python 3.12.
        iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(slave)
        iflag &= ~(termios.IGNBRK | termios.BRKINT | termios.IGNPAR | termios.PARMRK | termios.INPCK | termios.ISTRIP)
        iflag &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON | termios.IXANY | termios.IXOFF)
        oflag &= ~termios.OPOST
        lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        termios.tcsetattr(slave, termios.TCSANOW, [iflag, oflag, cflag, lflag, ispeed, ospeed, cc])
    except BaseException:
        os.close(master)
        os.close(slave)
        raise
    return master, slave


def no_pty_text(platform: str) -> str:
    """Why there can be no simulated device on this platform, and what to use."""
    return (
        f"the simulated serial device needs pseudo-terminals, which {platform} has not. It works on Linux, WSL and "
        "macOS; here, use a real port, or a pair of virtual ones such as com0com makes"
    )


def _wait_readable(fds: list[int], timeout_s: float | None) -> None:
    if timeout_s is not None:
        timeout_s = min(timeout_s, _LONGEST_POLL_S)
    if _POLL_REFUSES_TERMINALS:
        select.select(fds, [], [], timeout_s)
        return
    poll = select.poll()  # takes descriptors above 1023, unlike select()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    # Rounded up, as 0.4 ms rounded down would be no wait at all, again and again.
    poll.poll(None if timeout_s is None else int(timeout_s * 1000) + 1)
