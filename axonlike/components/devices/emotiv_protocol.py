"""The reports of an Emotiv EPOC headset, deciphered and decoded as the emokit project found out that they are.

A report has 32 bytes and is encrypted with AES in two blocks of 16, with a key made from the headset's serial number.
In it: a counter, 14 samples of 14 bits, the contact quality of one electrode at a time, and a gyroscope; in place of
the counter's 129th value stands the battery's. Checked against emokit 0.0.8; there was no headset to check it with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axonlike.components.devices.lagclock import LagClock
from axonlike.errors import MissingExtra, UsageError

__all__ = ["CHANNELS", "SAMPLE_RATE_HZ", "EmotivBatch", "EmotivDecoder", "cipher_key", "decipherer"]

SAMPLE_RATE_HZ = 128.0
REPORT_BYTES = 32
CHANNELS = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")

# As they stand in a report: each 14 bits, the highest first, one after the other from byte 1 on; between O1 and O2
# there is room for two more, of which quality takes some.
_IN_REPORT = ("F3", "FC5", "AF3", "F7", "T7", "P7", "O1", "", "", "O2", "P8", "T8", "F8", "AF4", "FC6", "F4")
_SENSORS = tuple(name for name in _IN_REPORT if name)
_AT = np.array([8 + 14 * _IN_REPORT.index(name) for name in CHANNELS])[:, np.newaxis] + np.arange(14)
_WEIGHTS = 1 << np.arange(13, -1, -1)
# Bit n of quality, the highest first: counted as emokit does, n // 8 + 1 is the byte, n % 8 the bit in it. Two of them
# are O1's lowest bits too, which makes a difference of 24 in 16383.
_QUALITY = [(bit // 8 + 1) * 8 + 7 - bit % 8 for bit in range(112, 98, -1)]
_QUALITY_OF = {number: CHANNELS.index(name) for number, name in enumerate(_SENSORS)}
_QUALITY_OF |= {14: CHANNELS.index("F8"), 15: CHANNELS.index("AF4")}
_QUALITY_OF |= {number + 64: channel for number, channel in _QUALITY_OF.items()}
_QUALITY_OF[80] = CHANNELS.index("FC6")

_CYCLE = 129
_BATTERY = 128
# From 224 on; below it is 0, above 100.
_BATTERY_PERCENT = (0, 0, 1, 2, 2, 2, 3, 4, 6, 12, 20, 32, 46, 55, 62, 66, 72, 77, 82, 85, 89, 93, 97, 99)
# So many reports, each with a counter that is at most so much further than the one before, are no chance (1 in 10^6),
# and a radio that loses many reports does not stop it all.
_SURE_AFTER = 6
_LARGEST_STEP = 8


def cipher_key(serial: str, *, research: bool = False) -> bytes:
    """The 16 bytes of the AES key. research: of the research edition, and of the EPOC+."""
    if len(serial) < 4 or not serial.isascii():
        raise UsageError(f"an Emotiv headset's serial number looks like SN201211154288GM, not {serial!r}")
    last, second, third, fourth = (char.encode() for char in serial[:-5:-1])
    if research:
        parts = (last, b"\0", second, b"H", last, b"\0", second, b"T", third, b"\x10", fourth, b"B")
    else:
        parts = (last, b"\0", second, b"T", third, b"\x10", fourth, b"B", last, b"\0", second, b"H")
    return b"".join(parts) + third + b"\0" + fourth + b"P"


def decipherer(serial: str, *, research: bool = False) -> Callable[[bytes], bytes]:
    """What deciphers any number of reports. Raises MissingExtra without pycryptodome."""
    try:
        from Crypto.Cipher import AES
    except ImportError as exc:
        raise MissingExtra("Emotiv", "pycryptodome", "emotiv") from exc
    # Each block of 16 bytes stands for itself (ECB): that is how the headset does it.
    decipher: Callable[[bytes], bytes] = AES.new(cipher_key(serial, research=research), AES.MODE_ECB).decrypt
    return decipher


@dataclass(frozen=True, slots=True, eq=False)
class EmotivBatch:
    """Rows that follow each other without a gap.

    index: of the first one. lost: how many are missing before it. counts: int16, shape (rows, 14), in the order of
    `CHANNELS`, 0 in the middle of the converter's range. quality: float32, shape (rows, 14), 0 to 16383: the last
    known of each electrode, NaN before it. gyro: int16, shape (rows, 2). battery_percent: if it was told.
    """

    index: int
    lost: int
    counts: npt.NDArray[np.int16]
    quality: npt.NDArray[np.float32]
    gyro: npt.NDArray[np.int16]
    battery_percent: int | None


class EmotivDecoder:
    """Rows of samples from bytes that came in whatever pieces.

    decipher: for encrypted reports. whole_reports: the bytes of each `feed` begin with a report (as they come from the
    system's HID driver), and what is no whole number of them is discarded. Otherwise the counters tell where reports
    begin, so that after a byte that was lost or added it finds its way again, which costs two reports at most; the
    newest report waits for the next one.

    index, lost_rows, gaps, discarded_bytes, reports: counts so far. The counter tells how many rows are missing up to
    128, the time at which bytes came how many more, and how many after `reopened`.
    """

    def __init__(self, decipher: Callable[[bytes], bytes] | None = None, *, whole_reports: bool = False) -> None:
        self.index = 0
        self.reports = 0
        self.lost_rows = 0
        self.gaps = 0
        self.discarded_bytes = 0
        self._decipher = decipher
        self._whole_reports = whole_reports
        self._buffer = bytearray()
        self._sure = False
        self._passed_over = False
        self._last: int | None = None
        self._reopened = False
        self._clock = LagClock(SAMPLE_RATE_HZ)
        self._quality = np.full(14, np.nan, np.float32)

    def feed(self, data: bytes, time_s: float | None = None) -> list[EmotivBatch]:
        """Take bytes that came at `time_s`."""
        if self._whole_reports:
            odd = len(data) % REPORT_BYTES
            self.discarded_bytes += odd
            return self._rows(self._plain(data[: len(data) - odd]), time_s)
        self._buffer += data
        return self._rows(b"".join(self._found()), time_s)

    def finish(self) -> list[EmotivBatch]:
        """Nothing follows: reports that wait for what does are taken if they count on."""
        buffer = bytes(self._buffer)
        self._buffer.clear()
        whole = self._plain(buffer[: len(buffer) // REPORT_BYTES * REPORT_BYTES])
        if not _counts_on([_place(byte) for byte in whole[::REPORT_BYTES]]):
            whole = b""
        self.discarded_bytes += len(buffer) - len(whole)
        self._sure = self._passed_over = False
        return self._rows(whole, None)

    def reopened(self) -> None:
        """What is missing before the next row is known from the time only."""
        self.finish()
        self._reopened = self._last is not None

    def _plain(self, data: bytes) -> bytes:
        return self._decipher(data) if self._decipher is not None and data else data

    def _found(self) -> list[bytes]:
        """The reports in the buffer, deciphered, as far as it is known where they begin."""
        buffer = self._buffer
        found: list[bytes] = []
        expected = None if self._last is None else (self._last + 1) % _CYCLE
        at = 0
        while len(buffer) - at >= REPORT_BYTES:
            count = (len(buffer) - at) // REPORT_BYTES
            if not self._sure:
                count = min(count, _SURE_AFTER)
            whole = self._plain(bytes(buffer[at : at + count * REPORT_BYTES]))
            places = [_place(byte) for byte in whole[::REPORT_BYTES]]
            if self._sure:
                # On, as long as each counter follows the one before. The last report waits for the next one: only
                # that shows whether it was whole.
                good = 0
                while good < len(places) - 1 and places[good] == expected and _counts_on(places[good : good + 2]):
                    expected = (places[good] + 1) % _CYCLE
                    good += 1
                found.append(whole[: good * REPORT_BYTES])
                at += good * REPORT_BYTES
                if good == len(places) - 1 and places[good] == expected:
                    break
                self._sure = False
                continue
            if len(places) < _SURE_AFTER:
                break
            # Bytes that were passed over may end in what looks like a report before the first one.
            if _counts_on(places) and (not self._passed_over or places[1] == (places[0] + 1) % _CYCLE):
                self._sure, self._passed_over, expected = True, False, places[0]
                continue
            self._passed_over = True
            self.discarded_bytes += 1
            at += 1
        del buffer[:at]
        return found

    def _rows(self, reports: bytes, time_s: float | None) -> list[EmotivBatch]:
        if not reports:
            return []
        raw = np.frombuffer(reports, np.uint8).reshape(-1, REPORT_BYTES)
        self.reports += len(raw)
        batches: list[EmotivBatch] = []
        begun, lost_before = 0, 0
        for number, byte in enumerate(raw[:, 0].tolist()):
            place = _place(byte)
            lost = self._lost_before(place, len(raw) - begun, time_s)
            self._last = place
            if lost:
                if number:
                    batches.append(self._batch(raw[begun:number], lost_before))
                begun, lost_before = number, lost
                self.index += lost
                self.lost_rows += lost
                self.gaps += 1
            if number == len(raw) - 1:
                batches.append(self._batch(raw[begun:], lost_before))
        if time_s is not None:
            self._clock.note(self.index, time_s)
        return batches

    def _lost_before(self, place: int, left: int, time_s: float | None) -> int:
        """How many rows are missing before this one; those that are not counted yet, `left`, have come at `time_s`."""
        if self._last is None:
            return 0
        if self._reopened:
            self._reopened = False
            return max(1, round(0.0 if time_s is None else self._clock.behind(self.index + left, time_s)))
        lost = (place - self._last - 1) % _CYCLE
        if lost and time_s is not None:
            lost += max(0, round(self._clock.behind(self.index + lost + left, time_s) / _CYCLE)) * _CYCLE
        return lost

    def _batch(self, raw: npt.NDArray[np.uint8], lost: int) -> EmotivBatch:
        bits = np.unpackbits(raw, axis=1)
        counts = bits[:, _AT] @ _WEIGHTS - 8192
        levels = bits[:, _QUALITY] @ _WEIGHTS
        quality = np.empty((len(raw), 14), np.float32)
        battery: int | None = None
        for row, byte in enumerate(raw[:, 0].tolist()):
            channel = _QUALITY_OF.get(byte)
            if channel is not None:
                self._quality[channel] = levels[row]
            quality[row] = self._quality
            if byte >= _BATTERY:
                battery = battery_percent(byte)
        gyro = raw[:, 29:31].astype(np.int16) - np.array([106, 105], np.int16)
        index = self.index
        self.index += len(raw)
        return EmotivBatch(index, lost, counts.astype(np.int16), quality, gyro, battery)


def battery_percent(byte: int) -> int:
    """What the first byte of a report, from 128 on, says of the battery."""
    if byte >= 224 + len(_BATTERY_PERCENT):
        return 100
    return _BATTERY_PERCENT[byte - 224] if byte >= 224 else 0


def _place(byte: int) -> int:
    """Which of the 129 reports of a cycle begins with this byte."""
    return min(byte, _BATTERY)


def _counts_on(places: list[int]) -> bool:
    return all(1 <= (after - before) % _CYCLE <= _LARGEST_STEP for before, after in zip(places, places[1:]))
