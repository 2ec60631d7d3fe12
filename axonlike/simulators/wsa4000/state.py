"""What a simulated WSA4000 knows: its settings, its sweep list, its clients, and in what it differs from others."""

from __future__ import annotations

import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Client", "Entry", "Event", "Quirks", "Refusal", "State", "Tuning", "number_text"]


def number_text(value: float) -> str:
    """As the device writes it: a whole number without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``Event("stream_start", {"id": 7})``. at_s: on the machine's monotonic clock."""

    name: str
    details: dict[str, Any]
    at_s: float


@dataclass
class Quirks:
    """How this device differs from a plain WSA4000, and what is wrong with it for as long as it is set.

    reply_ending: "\\r\\n" as later firmware. stray_blank: a blank line in reply to TRACe:BLOCk:DATA?, and before each
    reply. decimation_off_is_0: firmware before 2.5.3. combined_contexts: all fields in one packet. class_ids: two
    more words in each header. without_times: TSI and TSF are 0. iq_swap_word: that field has a word of its own.
    mute: queries get no reply. drip_reply_s: one byte of a reply in so many seconds. refuse_lock: someone else has it.
    unlocked: the reference clock is gone. over_range: too strong a signal. inverted: the spectral inversion bit.
    stalled: no data. drip_bytes: data in pieces of so many bytes, each sent by itself. refuse: commands that begin so
    are refused with -221. wrong_ids: streams and sweeps begin with another id than was asked for.
    """

    reply_ending: str = ""
    stray_blank: bool = False
    decimation_off_is_0: bool = False
    combined_contexts: bool = False
    class_ids: bool = False
    without_times: bool = False
    iq_swap_word: bool = False
    mute: bool = False
    drip_reply_s: float = 0.0
    refuse_lock: bool = False
    unlocked: bool = False
    over_range: bool = False
    inverted: bool = False
    stalled: bool = False
    drip_bytes: int = 0
    refuse: str = ""
    wrong_ids: bool = False


@dataclass
class State:
    """What SCPI sets."""

    center_hz: int = 2_400_000_000
    shift_hz: float = 0.0
    decimation: int = 1
    rf_gain: str = "HIGH"
    if_gain_db: int = 0
    antenna: int = 1
    preselect: int = 0
    reference: str = "INT"
    spp: int = 1024
    ppb: int = 1
    trigger: str = "NONE"
    trigger_level: tuple[float, float, float] = (0.0, 1e10, -100.0)
    trigger_delay: int = 0
    trigger_sync: str = "MASTER"
    ese: int = 0
    sre: int = 0
    esr: int = 0x80  # power on


@dataclass
class Entry:
    """A sweep entry."""

    start_hz: int = 2_400_000_000
    stop_hz: int = 2_400_000_000
    step_hz: int = 100_000_000
    shift_hz: float = 0.0
    decimation: int = 1
    antenna: int = 1
    rf_gain: str = "HIGH"
    if_gain_db: int = 0
    spp: int = 1024
    ppb: int = 1
    dwell_s: int = 0
    dwell_us: int = 0
    trigger: str = "NONE"
    trigger_level: tuple[float, float, float] = (0.0, 1e10, -100.0)

    def reply(self) -> str:
        parts: list[Any] = [
            self.start_hz, self.stop_hz, self.step_hz, number_text(self.shift_hz), self.decimation, self.antenna,
            self.rf_gain, self.if_gain_db, self.spp, self.ppb, self.dwell_s, self.dwell_us, self.trigger,
        ]  # fmt: skip
        if self.trigger == "LEVEL":
            parts += map(number_text, self.trigger_level)
        return ",".join(map(str, parts))


class Refusal(Exception):
    """A command that goes into the error queue."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


@dataclass
class Client:
    """One control connection, and the data connection that was made after it from the same address."""

    sock: socket.socket
    address: Any
    received: bytearray = field(default_factory=bytearray)
    errors: deque[tuple[int, str]] = field(default_factory=deque)
    data: socket.socket | None = None
    sent_bytes: int = 0


@dataclass(frozen=True)
class Tuning:
    """What the samples depend on."""

    center_hz: int
    shift_hz: float
    decimation: int
    spp: int
