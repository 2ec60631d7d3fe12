"""An Emotiv EPOC that is not there: encrypted reports out of a named pipe, which is read like the real device's path.

It makes reports from its own reading of the format and shares no code with the client, so that each tests the other.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from axonlike.errors import DeviceError, MissingExtra, UsageError
from axonlike.simulators.eeg import SimulatedEeg
from axonlike.simulators.happenings import Happenings

__all__ = ["SimulatedEmotiv"]

_SENSORS = ("F3", "FC5", "AF3", "F7", "T7", "P7", "O1", "O2", "P8", "T8", "F8", "AF4", "FC6", "F4")
_BITS = (0, 14, 28, 42, 56, 70, 84, 126, 140, 154, 168, 182, 196, 210)  # where each begins, counted from byte 1
_RATE_HZ = 128
_TICK_S = 1 / 32
_UV_PER_COUNT = 0.51
_LONGEST_BURST_S = 5.0
_PIPE_BUF = 4096


class SimulatedEmotiv:
    """The headset and its dongle. Use it in a ``with`` block, or call `start` and `close`.

    path: of the pipe, the same from `start` to `close`. While a program reads it, it gets 128 reports a second, one
    after the other; reports for which the pipe has no room are lost. log: "opened", "closed" by the reader.
    encrypted=False sends them as they are. battery: the byte that stands for it (224 to 255).
    """

    def __init__(
        self,
        *,
        serial: str = "SN201211154288GM",
        research: bool = False,
        encrypted: bool = True,
        battery: int = 243,
        seed: int = 1020,
    ) -> None:
        if os.name != "posix":
            raise DeviceError("the simulated headset needs named pipes, which this system has not")
        self.serial = serial
        self.battery = battery
        self.log = Happenings()
        self.reports = 0
        self.lost_reports = 0
        self._encipher = _encipherer(serial, research) if encrypted else None
        self._eeg = SimulatedEeg(_SENSORS, _RATE_HZ, seed=seed)
        self._to_lose = 0
        self._lock = threading.Lock()
        self._plugged = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._fd: int | None = None
        self._since_s = 0.0

    # -- life

    def start(self) -> Self:
        """Make the pipe and begin."""
        if self._thread is not None:
            raise UsageError(f"{self!r} is running already")
        self._directory = tempfile.TemporaryDirectory(prefix="axonlike-emotiv-")
        self._closing.clear()
        self._since_s = time.monotonic()
        self.reports = 0
        self.plug()
        self._thread = threading.Thread(target=self._run, name="simulated Emotiv", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Switch it off and remove the pipe. Harmless a second time."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        thread.join()
        self.unplug()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SimulatedEmotiv {self.serial} {'running' if self._thread is not None else 'switched off'}>"

    @property
    def path(self) -> str:
        """What a program opens."""
        if self._directory is None:
            raise UsageError(f"{self!r} has no path yet: use it in a with block, or call start()")
        return str(Path(self._directory.name) / "hidraw0")

    def unplug(self) -> None:
        """Pull the dongle out: the path is gone, and readers get end of file."""
        with self._lock:
            if self._plugged:
                self._plugged = False
                os.unlink(self.path)
                self._hang_up()

    def plug(self) -> None:
        """Put it in again."""
        with self._lock:
            if not self._plugged:
                os.mkfifo(self.path, 0o600)
                self._plugged = True

    def lose_reports(self, count: int) -> None:
        """The radio loses the next reports: they are counted and not sent."""
        self._to_lose += count

    # -- what it sends

    def report(self, number: int) -> bytes:
        """Report `number` since it was switched on, not encrypted."""
        place = number % 129
        values_uv = self._eeg.rows(number, 1)[0]
        bits = 0
        for value_uv, begin in zip(values_uv, _BITS):
            counts = max(0, min(16383, 8192 + round(value_uv / _UV_PER_COUNT)))
            bits |= counts << (31 * 8 - begin - 14)
        report = bytearray([place if place < 128 else self.battery]) + bits.to_bytes(31, "big")
        for bit in range(14):  # contact quality, of the electrode whose turn it is: good
            byte, shift = (99 + bit) // 8 + 1, (99 + bit) % 8
            report[byte] |= (self._quality(place) >> bit & 1) << shift
        report[29] = 106 + round(12 * math.sin(number / 90))
        report[30] = 105 + round(5 * math.sin(number / 60))
        return bytes(report)

    def _quality(self, place: int) -> int:
        return 4096 + 128 * (place % 16)  # without the two bits that stand in O1

    # -- the thread

    def _run(self) -> None:
        while not self._closing.wait(_TICK_S):
            with self._lock:
                due = int((time.monotonic() - self._since_s) * _RATE_HZ)
                if self._fd is None:
                    self.reports = due  # it measures, and nobody hears
                    self._wait_for_reader()
                else:
                    self._send_until(due)
        with self._lock:
            self._hang_up()

    def _wait_for_reader(self) -> None:
        if not self._plugged:
            return
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            if exc.errno != errno.ENXIO:
                raise
        else:
            self.log.add("opened")

    def _send_until(self, due: int) -> None:
        if due - self.reports > _LONGEST_BURST_S * _RATE_HZ:
            self.reports = due  # the machine slept
        data = b""
        while self.reports < due:
            report = self.report(self.reports)
            self.reports += 1
            if self._to_lose:
                self._to_lose -= 1
                self.lost_reports += 1
            else:
                data += self._encipher(report) if self._encipher is not None else report
        assert self._fd is not None
        try:
            # Up to this size a pipe takes all or nothing, so that no report is cut in two.
            for at in range(0, len(data), _PIPE_BUF):
                os.write(self._fd, data[at : at + _PIPE_BUF])
        except BlockingIOError:
            self.lost_reports += len(data) // 32
        except BrokenPipeError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None
            self.log.add("closed")


def _encipherer(serial: str, research: bool) -> Callable[[bytes], bytes]:
    try:
        from Crypto.Cipher import AES
    except ImportError as exc:
        raise MissingExtra("the simulated headset", "pycryptodome", "emotiv") from exc
    a, b, c, d = serial[-1], serial[-2], serial[-3], serial[-4]
    pattern = f"{a}\0{b}H{a}\0{b}T{c}\x10{d}B" if research else f"{a}\0{b}T{c}\x10{d}B{a}\0{b}H"
    encipher: Callable[[bytes], bytes] = AES.new((pattern + f"{c}\0{d}P").encode("ascii"), AES.MODE_ECB).encrypt
    return encipher
