"""Emotiv EPOC headsets, by their dongle's HID device, or from any other source of their reports: a file, a pipe."""

from __future__ import annotations

import logging
import os
import stat
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from axonlike.components.devices.descriptor_source import (
    DeviceGap,
    DeviceLost,
    DeviceOpened,
    DeviceUnavailable,
    ReopeningSource,
)
from axonlike.components.devices.emotiv_protocol import (
    CHANNELS,
    SAMPLE_RATE_HZ,
    EmotivBatch,
    EmotivDecoder,
    cipher_key,
    decipherer,
)
from axonlike.components.devices.serial import why_not_open
from axonlike.errors import DeviceError, Finished, UsageError
from axonlike.linkage import Box
from axonlike.simulators.emotiv import SimulatedEmotiv
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamType

__all__ = ["Emotiv", "EmotivBattery", "EmotivStatistics"]

log = logging.getLogger("axonlike.emotiv")

_READ_BYTES = 4096
_UV_PER_COUNT = 0.51
_FIRST_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class EmotivBattery:
    """On `status`: how full the headset's battery is, when that has changed."""

    percent: int


@dataclass(frozen=True, slots=True)
class EmotivStatistics:
    """What came so far, over all openings."""

    opened: int
    rows: int
    lost_rows: int
    gaps: int
    discarded_bytes: int
    battery_percent: int | None


class Emotiv(ReopeningSource):
    """``Emotiv("/dev/hidraw1")``: the 14 channels of an EPOC headset, 128 rows a second.

    device: a path: the dongle's, a named pipe or a file of reports; "auto", the last HID device that says it is
    Emotiv's; or "demo", a simulated headset, which is then `simulator`. serial: the headset's serial number, of which
    the key is made; None: the system tells it. research: for the research edition and the EPOC+. encrypted=False: the
    reports are deciphered already.

    values: "uV", float32, of 0.51 microvolts a step (`uv_per_count`) around the middle of the range; "raw", the steps,
    int16, with that as the stream's scale. outboxes beside it, with a row for each of its rows: `quality`, the contact
    of each electrode, 0 for none, above 4 excellent (each is told about once a second; NaN before); `gyro`, two axes.
    `status` tells EmotivBattery, DeviceOpened, DeviceLost, DeviceUnavailable, DeviceGap.

    Opened while somebody takes any of these, and again after unplugging. The index shows reports that were lost, by
    their counter, and by time for a second or more. The end of a file is the end of the stream.

    Decodes as emokit 0.0.8 does; it was not tried with a headset. Raises MissingExtra without pycryptodome.
    """

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box(
            "samples", Chunk, required=True,
            stream=StreamType(kind="analog", units="uV", channels=14, sample_rate_hz=SAMPLE_RATE_HZ),
        ),
        "quality": Box(
            "contact quality", Chunk, required=True, stream=StreamType(kind="analog", dtype="float32", channels=14)
        ),
        "gyro": Box(
            "gyroscope", Chunk, required=True, stream=StreamType(kind="analog", dtype="int16", channels=2)
        ),
        "status": Box(
            "EmotivBattery, DeviceOpened, DeviceLost, DeviceUnavailable, DeviceGap",
            (EmotivBattery, DeviceOpened, DeviceLost, DeviceUnavailable, DeviceGap),
        ),
    }  # fmt: skip
    any_demand_will_do: ClassVar[bool] = True

    def __init__(
        self,
        device: str = "auto",
        *,
        serial: str | None = None,
        research: bool = False,
        encrypted: bool = True,
        values: Literal["uV", "raw"] = "uV",
        uv_per_count: float = _UV_PER_COUNT,
        quality_divisor: float | None = None,
        must_exist: bool = False,
        longest_retry_s: float = 1.0,
        hidraw: str | os.PathLike[str] = "/sys/class/hidraw",
        simulator: SimulatedEmotiv | None = None,
    ) -> None:
        """quality_divisor: of the measured quality; None: 1024 for serial numbers with GM at the end, 540 for others.

        hidraw: where the system lists its HID devices. simulator: the one to start, in place of "demo"'s own.
        """
        if not isinstance(device, str) or not device:
            raise UsageError(f'Emotiv: device is a path, "auto" or "demo", not {device!r}')
        if values not in ("uV", "raw"):
            raise UsageError(f"Emotiv: values is 'uV' or 'raw', not {values!r}")
        if serial is not None:
            cipher_key(serial)
        simulated = device == "demo" or simulator is not None
        super().__init__(
            "the simulated headset" if simulated else device, must_exist=must_exist, first_retry_s=_FIRST_RETRY_S,
            longest_retry_s=longest_retry_s,
        )  # fmt: skip
        if encrypted:
            decipherer("0000")  # a missing package is to be found now
        self.device = device
        self.simulator = simulator
        if simulator is None and simulated:
            self.simulator = SimulatedEmotiv(research=research, encrypted=encrypted)
        self.serial = serial or (self.simulator.serial if self.simulator is not None else None)
        self.research = research
        self.encrypted = encrypted
        self.values = values
        self.uv_per_count = float(uv_per_count)
        self._quality_divisor = quality_divisor
        self._hidraw = Path(hidraw)
        self._decoder: EmotivDecoder | None = None
        self._is_file = False
        self._rows = 0
        self._battery_percent: int | None = None
        self._divisor = 1.0
        self.specify(
            "outbox",
            stream=StreamType(
                kind="analog", dtype="float32" if values == "uV" else "int16", units="uV", channels=14,
                sample_rate_hz=SAMPLE_RATE_HZ,
            ),
        )  # fmt: skip
        info = StreamInfo(
            kind="analog", dtype=np.dtype(np.float32), shape=(14,), sample_rate_hz=SAMPLE_RATE_HZ, units="uV",
            channel_names=CHANNELS, facts={"source": "Emotiv EPOC"},
        )  # fmt: skip
        if values == "raw":
            info = info.replace(dtype=np.dtype(np.int16), scale=self.uv_per_count)
        self._info = info
        self._quality_info = info.replace(dtype=np.dtype(np.float32), units="", scale=None)
        self._gyro_info = self._quality_info.replace(
            dtype=np.dtype(np.int16), shape=(2,), channel_names=("x", "y")
        )  # fmt: skip

    def emotiv_statistics(self) -> EmotivStatistics:
        """Counts so far; may be called from any thread."""
        decoder = self._decoder
        if decoder is None:
            return EmotivStatistics(self.opened, 0, 0, 0, 0, None)
        return EmotivStatistics(
            self.opened, self._rows, decoder.lost_rows, decoder.gaps, decoder.discarded_bytes, self._battery_percent
        )

    # -- the device

    def attend(self) -> None:
        if self.simulator is None:
            super().attend()
            return
        with self.simulator:
            super().attend()

    def open_source(self) -> FileIO:
        path = self._path()
        try:
            source = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
        except PermissionError as exc:
            raise DeviceError(why_not_open(path, exc)[2]) from exc
        try:
            mode = os.fstat(source.fileno()).st_mode
            self._is_file = stat.S_ISREG(mode)
            serial = self._serial_of(path)
            if self._decoder is None or self._is_file:
                self._decoder = EmotivDecoder(
                    decipherer(serial, research=self.research) if self.encrypted else None,
                    whole_reports=stat.S_ISCHR(mode),
                )  # fmt: skip
            else:
                self._decoder.reopened()
            divisor = self._quality_divisor or (1024.0 if serial.endswith("GM") else 540.0)
        except BaseException:
            source.close()
            raise
        self._divisor = divisor
        return source

    def _path(self) -> str:
        if self.simulator is not None:
            return self.simulator.path
        if self.device != "auto":
            return self.device
        named = [
            entry.name
            for entry in (self._hidraw.iterdir() if self._hidraw.is_dir() else ())
            if "emotiv" in _uevent(entry).get("HID_NAME", "").lower()
        ]
        if not named:
            raise OSError(f"no HID device of {self._hidraw} is Emotiv's; is the dongle plugged in?")
        # The dongle has two; samples come from the second one.
        return f"/dev/{max(named, key=lambda name: int(name.removeprefix('hidraw')))}"

    def _serial_of(self, path: str) -> str:
        if self.serial is not None:
            return self.serial
        found = _uevent(self._hidraw / Path(os.path.realpath(path)).name).get("HID_UNIQ", "")
        if self.encrypted and len(found) < 4:
            raise DeviceError(f"the system does not tell the serial number of {path}: give Emotiv(serial=...)")
        return found

    def read(self, source: FileIO) -> bytes:
        return os.read(source.fileno(), _READ_BYTES)

    def at_end(self) -> str:
        if self._is_file:
            assert self._decoder is not None
            for batch in self._decoder.finish():
                self._send_rows(batch, time.time_ns())
            raise Finished
        return "it was unplugged, or its writer has ended"

    def reason_of(self, exc: OSError) -> str:
        return why_not_open(self._device, exc)[2] if exc.errno else str(exc)

    # -- what comes

    def received(self, data: bytes) -> None:
        now_s, now_ns = time.monotonic(), time.time_ns()
        assert self._decoder is not None
        # The time at which a file is read says nothing of its reports.
        for batch in self._decoder.feed(data, None if self._is_file else now_s):
            self._send_rows(batch, now_ns)

    def _send_rows(self, batch: EmotivBatch, now_ns: int) -> None:
        assert self._decoder is not None
        self._rows += len(batch.counts)
        if self._info.name != self.name:
            self._info, self._quality_info, self._gyro_info = (
                info.replace(name=self.name) for info in (self._info, self._quality_info, self._gyro_info)
            )
        if batch.lost:
            log.warning("%s: %d rows are missing before row %d", self.path, batch.lost, batch.index)
            self.send(DeviceGap(batch.index, batch.lost, "the reports' counter, and time"), "status")
        time_ns = None
        if not self._is_file:
            time_ns = now_ns - round((self._decoder.index - batch.index) * 1e9 / SAMPLE_RATE_HZ)
        data: Any = batch.counts
        if self.values == "uV":
            data = data * np.float32(self.uv_per_count)
        self.send(Chunk(data, self._info, batch.index, time_ns))
        self.send(Chunk(batch.quality / np.float32(self._divisor), self._quality_info, batch.index, time_ns), "quality")
        self.send(Chunk(batch.gyro, self._gyro_info, batch.index, time_ns), "gyro")
        if batch.battery_percent is not None and batch.battery_percent != self._battery_percent:
            self._battery_percent = batch.battery_percent
            self.send(EmotivBattery(batch.battery_percent), "status")


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would hold us up


def _uevent(entry: Path) -> dict[str, str]:
    """What the system says of a HID device."""
    try:
        text = (entry / "device" / "uevent").read_text()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
