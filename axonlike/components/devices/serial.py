"""Serial ports that may be pulled out and plugged in again, as components.

One thread a port does everything: it opens the port, waits for its descriptor and for the component's inbox together
(see `components.util.descriptors`), and closes it. Why a thread, where asyncio could watch the descriptor: opening,
configuring and closing a tty can take seconds in a driver (a hung USB adapter, a Bluetooth port, output that waits to
be sent), and that must not hold up every other component. pyserial opens and configures the port and finds the ports
that there are; reading and writing go to the descriptor itself, since pyserial's own read uses select(), which takes no
descriptor above 1023, and cannot wait for anything else besides.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from axonlike.components.util.descriptors import DescriptorComponent
from axonlike.errors import DeviceError, MissingExtra, Stopped, UsageError, show_value
from axonlike.linkage import Box, destination, upstream
from axonlike.restarts import Backoff
from axonlike.simulators.serial_device import SimulatedSerialDevice, demo_events
from axonlike.streams.framing import LineDecoder, encode_line

if TYPE_CHECKING:
    import serial

try:
    import termios
except ImportError:  # Windows, where attend() says that it cannot work
    _TtyError: type[Exception] = OSError
else:
    _TtyError = termios.error

__all__ = [
    "SerialLines",
    "SerialLost",
    "SerialOpened",
    "SerialPort",
    "SerialStatistics",
    "SerialUnavailable",
    "why_not_open",
]

log = logging.getLogger("axonlike.serial")

_READ_BYTES = 65536
_FIRST_RETRY_S = 0.05
# A port that stayed open for so long was well: the next loss is a new one, and is followed by quick tries again.
_WELL_AFTER_S = 5.0
# A device that was in the middle of a line goes on within a few character times; at 1200 baud one takes 8 ms, and USB
# adapters hand on what they got every 16 ms (FTDI's latency timer).
_QUIET_S = 0.1
# How often a descriptor may say "readable" and hold nothing before the port counts as lost.
_EMPTY_READS = 10
_DRAIN_STEP_S = 0.02

Parity = Literal["none", "even", "odd", "mark", "space"]


@dataclass(frozen=True, slots=True)
class SerialOpened:
    """The port is open. times: 1 for the first time, then one more for each reopening."""

    port: str
    times: int


@dataclass(frozen=True, slots=True)
class SerialLost:
    """The port went away. unsent_bytes: how much of what had been taken from the inbox was not handed to it."""

    port: str
    reason: str
    unsent_bytes: int


@dataclass(frozen=True, slots=True)
class SerialUnavailable:
    """The port cannot be opened, for a new reason; it is tried again and again."""

    port: str
    reason: str


@dataclass(frozen=True, slots=True)
class SerialStatistics:
    """What a port has done so far. What a device sent while nobody had the port open cannot be counted."""

    opened: int
    received_bytes: int
    sent_bytes: int
    unsent_bytes: int
    """Taken from the inbox and never handed to the port, because it was lost or the component was stopped."""
    discarded_bytes: int
    """Received, and no part of any line: half a line at the start or at a loss, and lines that were too long."""
    skipped_lines: int
    """Lines that were too long."""


class SerialPort(DescriptorComponent):
    """A serial port: bytes from it as they come, bytes to it from the inbox. Reopens by itself after unplugging.

    port: a device's path; "auto", the only port there is (DeviceError with the list when there are several); or "demo",
    a simulated device behind a pseudo-terminal, which sends an event every `demo_interval_s` seconds and can be
    unplugged (``component.device.unplug()``, ``plug()``).

    While the port is absent or busy it is tried again, at least every `longest_wait_s` seconds, with one line in the
    log, and the inbox holds its senders back; with must_exist=True the first failure is a DeviceError. Missing
    permission at the first try is one in any case, as waiting would not help. The port is locked against others.

    Bytes that were taken from the inbox and did not get out when the port went away are counted (`SerialLost`,
    `port_statistics()`), not repeated: half a command twice may be worse than none.

    After the end of its input it sends what there is, and then reads on for `linger_s` seconds (None: for ever, as
    answers come late), or ends, if its outbox is not linked. While its receiver is full it does not read; the system
    keeps some kilobytes, and what comes after those is lost without trace, so give that inbox a policy that drops if
    newer data matter more.

    device: the SimulatedSerialDevice behind "demo", else None. Raises MissingExtra without pyserial.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("bytes to send", (bytes, bytearray))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("bytes as they come", bytes),
        "status": Box(
            "SerialOpened, SerialLost, SerialUnavailable", (SerialOpened, SerialLost, SerialUnavailable)
        ),
    }

    def __init__(
        self,
        port: str = "auto",
        baud: int = 9600,
        *,
        bits: Literal[5, 6, 7, 8] = 8,
        parity: Parity = "none",
        stop_bits: float = 1,
        rtscts: bool = False,
        xonxoff: bool = False,
        dtr: bool = True,
        must_exist: bool = False,
        longest_wait_s: float = 1.0,
        linger_s: float | None = None,
        demo_interval_s: float = 1.0,
        find_ports: Callable[[], Iterable[tuple[str, str]]] | None = None,
        announce: bool = True,
    ) -> None:
        """dtr=False opens the port without raising DTR, which resets many Arduino boards.

        announce: with "auto", one line on stderr says which port was taken.

        find_ports: what "auto" asks in place of pyserial: (path, description) of each port.
        """
        self._serial = _pyserial(type(self).__name__)
        who = type(self).__name__
        if not port:
            raise UsageError(f'{who}: port is a path such as "/dev/ttyUSB0", "auto" or "demo", not {port!r}')
        if baud < 1:
            raise UsageError(f"{who}: baud={baud!r} is no speed; common ones are 9600 and 115200")
        if parity not in ("none", "even", "odd", "mark", "space"):
            raise UsageError(f"{who}: parity is none, even, odd, mark or space, not {parity!r}")
        self.port = port
        self.baud = baud
        self.device: SimulatedSerialDevice | None = None
        if port == "demo":
            self.device = SimulatedSerialDevice(demo_events(), interval_s=demo_interval_s)
        self._settings: dict[str, Any] = {
            "baudrate": baud,
            "bytesize": bits,
            "parity": parity[0].upper(),
            "stopbits": stop_bits,
            "rtscts": rtscts,
            "xonxoff": xonxoff,
            "timeout": 0,
            "exclusive": True,
        }
        self._dtr = dtr
        self._must_exist = must_exist
        self._linger_s = linger_s
        self._find_ports = find_ports or _ports_of_pyserial
        self._announce = announce
        self._announced = ""
        self._description = ""
        self._backoff = Backoff(min(_FIRST_RETRY_S, longest_wait_s), longest_wait_s)
        self._tries = 0
        self._why_unavailable = ""  # the kind of trouble that was told last
        self._last_path = ""
        self._unsent = memoryview(b"")
        self._opened = 0
        self._received_bytes = 0
        self._sent_bytes = 0
        self._unsent_bytes = 0

    def port_statistics(self) -> SerialStatistics:
        """Counts so far; may be called from any thread."""
        return SerialStatistics(
            self._opened, self._received_bytes, self._sent_bytes, self._unsent_bytes, *self._discarded()
        )

    # -- what a subclass makes of the bytes

    def received(self, data: bytes) -> None:
        """Bytes have come: send them on."""
        self.send(data)

    def encoded(self, message: Any) -> bytes:
        """The bytes of a message from the inbox."""
        if not isinstance(message, bytes | bytearray | memoryview):
            raise TypeError(f"{self.path}: its inbox takes bytes, not {show_value(message)}; SerialLines takes str")
        return bytes(message)

    def opened(self) -> None:
        """The port has just been opened."""

    def lost(self) -> None:
        """The port has gone: what is not whole never will be."""

    def _discarded(self) -> tuple[int, int]:
        return 0, 0

    # -- the thread

    def attend(self) -> None:
        if self.device is not None:
            self.device.start()
        try:
            while (port := self._wait_until_open()) is not None:
                opened_s = time.monotonic()
                try:
                    trouble = self._serve(port)
                finally:
                    port.close()
                if trouble is None:
                    return
                if time.monotonic() - opened_s >= _WELL_AFTER_S:
                    self._backoff.reset()
                self._note_loss(trouble)
                self.wait_io(timeout_s=self._backoff.next_delay_s(), boxes=())
        finally:
            if self.device is not None:
                self.device.close()

    def _wait_until_open(self) -> serial.Serial | None:
        """Open the port, however long it takes to appear. None: nobody needs it any more."""
        while True:
            if self._reads_on_s() == 0 and self.input_ended and not self.data_ready("inbox"):
                return None
            try:
                port = self._open()
            except _NotOpen as trouble:
                first = self._tries == 0
                self._tries += 1
                if first and (self._must_exist or trouble.kind in ("permission", "not a port", "several")):
                    raise DeviceError(trouble.text) from trouble.__cause__
                if trouble.kind != self._why_unavailable:
                    self._why_unavailable = trouble.kind
                    log.warning("%s: %s; trying again", self.path, trouble.text)
                    self.send(SerialUnavailable(trouble.port, trouble.text), "status")
                self.wait_io(timeout_s=self._backoff.next_delay_s(), boxes=())
                continue
            self._tries += 1
            self._opened += 1
            again = self._opened > 1 or self._why_unavailable != ""
            log.log(logging.WARNING if again else logging.INFO, "%s: %s is open", self.path, port.port)
            self._why_unavailable = ""
            if self.port == "auto":
                self._tell_which(str(port.port))
            self.send(SerialOpened(str(port.port), self._opened), "status")
            self.opened()
            return port

    def _tell_which(self, path: str) -> None:
        """Nobody named the port, so say which it is. On stderr: stdout may be where its data go."""
        if self._announce and path != self._announced:
            self._announced = path
            with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr is closed or gone: the log has it
                said = f" ({self._description})" if self._description not in ("", "n/a") else ""
                print(f"{self.name} uses {path}{said}, the only serial port there is", file=sys.stderr, flush=True)

    def _open(self) -> serial.Serial:
        path = self._path()
        try:
            if not stat.S_ISCHR(os.stat(path).st_mode):
                raise _NotOpen("not a port", path, f"{path} is not a serial port, but a file or folder")
            port: serial.Serial = self._serial.Serial(None, **self._settings)
            port.dtr = self._dtr
            port.port = path
            port.open()
        except OSError as exc:  # SerialException is one
            raise _NotOpen(*why_not_open(path, exc)) from exc
        except _TtyError as exc:
            raise _NotOpen(*why_not_open(path, OSError(*exc.args))) from exc
        except (ValueError, OverflowError) as exc:
            raise UsageError(f"{path} cannot be set to {self._settings}: {exc}") from exc
        self._last_path = path
        return port

    def _path(self) -> str:
        if self.device is not None:
            return self.device.path
        if self.port != "auto":
            return self.port
        found = sorted(self._find_ports())
        paths = [path for path, _ in found]
        if self._last_path in paths:
            return self._last_path
        if len(found) == 1:
            self._description = found[0][1]
            return paths[0]
        if not found:
            raise _NotOpen("absent", "auto", "there is no serial port on this machine (is the cable in?)")
        listed = "; ".join(f"{path} ({said})" if said else path for path, said in found)
        raise _NotOpen("several", "auto", f'port="auto" needs exactly one serial port; name one of these: {listed}')

    def _serve(self, port: serial.Serial) -> str | None:
        """Read and write until the port fails: returns why; None when there is nothing more to do."""
        fd: int = port.fileno()
        linger_until_s: float | None = None  # set once the input has ended and everything is sent
        empty_reads = 0
        try:
            while True:
                writing = bool(self._unsent)
                ready = self.wait_io(
                    [fd],
                    [fd] if writing else [],
                    timeout_s=None if linger_until_s is None else max(0.0, linger_until_s - time.monotonic()),
                    boxes=() if writing or linger_until_s is not None else ("inbox",),
                )
                if fd in ready.readable:
                    data = _read(fd)
                    if data is None:
                        pass
                    elif data:
                        empty_reads = 0
                        self._received_bytes += len(data)
                        self.received(data)
                    elif fd in ready.hung_up:
                        return "it was unplugged"
                    else:
                        empty_reads += 1
                        if empty_reads >= _EMPTY_READS:
                            return "it has data and gives none: does another program read from it?"
                if ready.box is not None:
                    self._unsent = memoryview(self.encoded(self.recv("inbox")))
                if self._unsent and (fd in ready.writable or not writing):
                    self._write(fd)
                if linger_until_s is not None:
                    if time.monotonic() >= linger_until_s:
                        return None
                elif ready.input_ended:
                    self._wait_until_sent(port)
                    linger_until_s = time.monotonic() + self._reads_on_s()
        except (OSError, _TtyError) as exc:
            return f"{exc.args[-1]} (unplugged?)"
        except Stopped:
            self._give_up_unsent(port)
            raise

    def _write(self, fd: int) -> None:
        try:
            count = os.write(fd, self._unsent)
        except BlockingIOError:
            return
        self._sent_bytes += count
        self._unsent = self._unsent[count:]

    def _wait_until_sent(self, port: serial.Serial) -> None:
        """Closing would throw away what the kernel has still to send."""
        longest_s = 1.0 + port.out_waiting * 12 / self.baud
        until_s = time.monotonic() + longest_s
        while port.out_waiting and time.monotonic() < until_s:
            self.wait_io(timeout_s=_DRAIN_STEP_S, boxes=())
        if left := port.out_waiting:
            port.reset_output_buffer()
            log.warning("%s: %d bytes were not sent within %.1f s (flow control?)", self.path, left, longest_s)
            self._unsent_bytes += left

    def _give_up_unsent(self, port: serial.Serial) -> None:
        try:
            left = port.out_waiting
            if left:
                # Otherwise close() waits in the kernel until it has gone out, up to 30 s (closing_wait).
                port.reset_output_buffer()
        except (OSError, _TtyError):
            left = 0  # the port has gone as well
        left += len(self._unsent)
        self._unsent = memoryview(b"")
        if left:
            self._unsent_bytes += left
            log.warning("%s: stopped with %d bytes unsent", self.path, left)

    def _note_loss(self, trouble: str) -> None:
        unsent_bytes = len(self._unsent)
        self._unsent = memoryview(b"")
        self._unsent_bytes += unsent_bytes
        self.lost()
        self._why_unavailable = "absent"  # said by this line already
        also = f", {unsent_bytes} bytes unsent" if unsent_bytes else ""
        log.warning("%s: lost %s: %s%s; waiting for it to come back", self.path, self._last_path, trouble, also)
        self.send(SerialLost(self._last_path, trouble, unsent_bytes), "status")

    def _reads_on_s(self) -> float:
        """How long to read on after the end of input."""
        if destination(self, "outbox") is None or not any(upstream(self, "inbox")):
            return 0.0
        return math.inf if self._linger_s is None else self._linger_s


class SerialLines(SerialPort):
    r"""A serial port that speaks lines: str from it, without their endings; str to it, `write_ending` is added.

    As `SerialPort`, and: half a line at the start is left out, and so is half a line at a loss. Whether the first line
    is a half one is seen by the pause before it: a device that was in the middle of one goes on at once;
    skip_first=True or False decides it instead. Bytes that are not valid in `encoding` become U+FFFD
    (errors="replace"). A line longer than `limit_bytes` (noise, a wrong speed) is left out and counted up to the next
    line ending, where everything is well again. ending: what ends a line coming in, if not LF or CR LF.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("lines to send", (str, bytes, bytearray))}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("lines, without their endings", str)}

    def __init__(
        self,
        port: str = "auto",
        baud: int = 9600,
        *,
        encoding: str = "utf-8",
        errors: str = "replace",
        ending: bytes | None = None,
        write_ending: bytes = b"\n",
        limit_bytes: int = 4096,
        skip_first: bool | None = None,
        **options: Any,
    ) -> None:
        """The other options are those of SerialPort."""
        super().__init__(port, baud, **options)
        self._decoder: LineDecoder[str] = LineDecoder(
            limit_bytes=limit_bytes, encoding=encoding, errors=errors, ending=ending, too_long="skip"
        )
        self._encoding = encoding
        self._write_ending = write_ending
        self._skip_first = skip_first
        self._opened_s: float | None = None

    def opened(self) -> None:
        if self._skip_first:
            self._decoder.skip_partial_line()
        self._opened_s = time.monotonic() if self._skip_first is None else None

    def received(self, data: bytes) -> None:
        if self._opened_s is not None:
            if time.monotonic() - self._opened_s < _QUIET_S:
                self._decoder.skip_partial_line()
            self._opened_s = None
        for line in self._decoder.feed(data):
            self.send(line)

    def encoded(self, message: Any) -> bytes:
        return encode_line(message, encoding=self._encoding, ending=self._write_ending)

    def lost(self) -> None:
        self._decoder.finish(keep_partial=False)

    def _discarded(self) -> tuple[int, int]:
        return self._decoder.discarded_bytes, self._decoder.skipped_lines


def _read(fd: int) -> bytes | None:
    """What is there; None for nothing."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None


class _NotOpen(Exception):
    def __init__(self, kind: str, port: str, text: str) -> None:
        super().__init__(kind, port, text)
        self.kind, self.port, self.text = kind, port, text


def why_not_open(path: str, exc: OSError) -> tuple[str, str, str]:
    """(kind, path, text) of why a port cannot be opened; the kinds are absent, busy, permission, not a port, failed."""
    number = exc.errno
    if number is None and isinstance(exc.__context__, _TtyError) and exc.__context__.args:
        number = exc.__context__.args[0]  # pyserial's "Could not configure port" keeps it there only
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return "absent", path, f"{path} is not there (is the cable in?)"
    if number in (errno.EBUSY, errno.EAGAIN):
        return "busy", path, f"{path} is in use by another program (see: fuser {path})"
    if number in (errno.EACCES, errno.EPERM):
        return "permission", path, f"no permission to open {path}: {_permission_remedy(path)}"
    if number == errno.ENOTTY:
        return "not a port", path, f"{path} is not a serial port"
    return "failed", path, f"{path} cannot be opened: {exc}"


def _permission_remedy(path: str) -> str:
    import grp

    try:
        group_id = os.stat(path).st_gid
        group = grp.getgrgid(group_id).gr_name
    except (OSError, KeyError):
        return f"see ls -l {path}"
    if group_id == 0 or group_id in os.getgroups():
        return f"see ls -l {path}"
    return f"you are not in group {group}: sudo usermod -aG {group} $USER, then log in again"


def _ports_of_pyserial() -> Iterable[tuple[str, str]]:
    from serial.tools import list_ports

    return [(port.device, port.description) for port in list_ports.comports()]


def _pyserial(component: str) -> Any:
    try:
        import serial
    except ImportError as exc:
        raise MissingExtra(component, "pyserial", "serial") from exc
    if not hasattr(serial, "Serial"):
        raise MissingExtra(component, "pyserial (another package named serial is in its place)", "serial")
    return serial
