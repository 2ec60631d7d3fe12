"""What is said on the control port, as generators: they yield `Tell` or `Ask`, and get the reply to what they asked.

All three faces run the same ones, each with its own way of waiting. None has more than one query under way, as
replies have no ends (see `scpi`). After each change the error queue is read until it is empty, so a refusal is known
with the command that it belongs to.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from axonlike.components.devices.wsa4000.errors import BadReply, CommandRefused, DeviceInUse, NoReply
from axonlike.components.devices.wsa4000.scpi import (
    ERROR,
    FLAG,
    NUMBER,
    DeviceIdentity,
    ReplyReader,
    Shape,
    fields,
    number_of,
    one_of,
    parse_error,
    parse_identity,
    scpi_line,
)
from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry, Trigger
from axonlike.errors import show_value

__all__ = [
    "GOODBYE",
    "Ask",
    "Dialogue",
    "Locks",
    "PendingReply",
    "Tell",
    "abort",
    "apply",
    "capture_block",
    "capture_mode",
    "errors",
    "locks",
    "open_session",
    "query",
    "read_settings",
    "start_stream",
    "start_sweep",
    "stop_stream",
    "stop_sweep",
    "sweep_entries",
    "sweep_is_running",
    "tell",
]

T = TypeVar("T")

GOODBYE = b":TRACE:STREAM:STOP\n:SWEEP:LIST:STOP\n:SYSTEM:ABORT\n"
"""The last that is sent on a connection: whatever was under way ends; no reply is waited for."""

_MOST_ERRORS = 100


@dataclass(frozen=True, slots=True)
class Tell:
    """Send this; there is no reply."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this and wait for a reply of this shape."""

    line: bytes
    shape: Shape

    @property
    def query(self) -> str:
        """It as text, for messages."""
        return self.line.decode("ascii").strip()


class PendingReply:
    """The reply to one query while it is waited for, in times that are handed in.

    `feed` what comes; when `wake_at_s` has passed, `look`. gap_s: how long a silence ends a reply whose shape does not
    tell; timeout_s: for all of it.
    """

    def __init__(self, ask: Ask, now_s: float, *, timeout_s: float, gap_s: float) -> None:
        self.ask = ask
        self.timeout_s = timeout_s
        self._gap_s = gap_s
        self._reader = ReplyReader(ask.shape, ask.query)
        self._until_s = now_s + timeout_s
        self.wake_at_s = self._until_s

    def feed(self, data: bytes | bytearray | memoryview, now_s: float) -> str | None:
        """The reply, if it is complete with this."""
        reply = self._reader.feed(data)
        self.wake_at_s = min(self._until_s, now_s + self._gap_s) if self._reader.begun else self._until_s
        return reply

    def look(self, now_s: float) -> str | None:
        """The reply, if the silence has ended it. Raises NoReply when the time is over."""
        reply = self._reader.idle()
        if reply is not None:
            return reply
        if now_s >= self._until_s:
            got = f"only {show_value(self._reader.got)}" if self._reader.begun else "nothing"
            raise NoReply(
                f"no reply to {self.ask.query!r} in {self.timeout_s:g} s ({got} came, wanted is "
                f"{self.ask.shape.name}). Is this a WSA4000's control port, and does the device still answer to ping?"
            )
        self.wake_at_s = self._until_s  # begun, but not to be read like this: more has to come
        return None


Step = Tell | Ask
Dialogue = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Locks:
    """Are the two oscillators locked: that of the tuner, and that of the 10 MHz reference?"""

    rf: bool
    reference: bool


def tell(header: str, *parameters: str | float) -> Dialogue[None]:
    """A command, and then the error queue. Raises CommandRefused with what stood in it."""
    line = scpi_line(header, *parameters)
    yield Tell(line)
    command = line.decode("ascii").strip()
    found = yield from errors()
    if found:
        code, text = found[0]
        more = f" (and {len(found) - 1} errors more)" if len(found) > 1 else ""
        raise CommandRefused(f'the device refuses {command!r}: {code}, "{text}"{more}', scpi_code=code, command=command)


def query(header: str, shape: Shape) -> Dialogue[str]:
    """The reply to a query."""
    reply: str = yield Ask(scpi_line(header), shape)
    return reply


def errors() -> Dialogue[list[tuple[int, str]]]:
    """What stands in the error queue, oldest first; it is empty then."""
    found: list[tuple[int, str]] = []
    while True:
        code, text = parse_error((yield from query(":SYSTEM:ERROR?", ERROR)))
        if code == 0:
            return found
        found.append((code, text))
        if len(found) > _MOST_ERRORS:
            raise BadReply(f":SYSTEM:ERROR?: its queue does not end; the last is {code}, {text!r}")


def open_session(*, lock: bool = True) -> Dialogue[DeviceIdentity]:
    """Who it is; the lock on acquisition; and whatever went on before is ended. Raises DeviceInUse.

    To be run before the data port is connected: what ABORT breaks off, maybe in the middle of a packet, then goes to
    nobody.
    """
    identity = parse_identity((yield from query("*IDN?", fields(4))))
    if not identity.model.upper().startswith("WSA"):
        raise BadReply(f"*IDN?: {','.join(identity)!r} is no WSA4000")
    if lock and (yield from query(":SYSTEM:LOCK:REQUEST? ACQ", FLAG)) != "1":
        raise DeviceInUse(
            f"the {identity.model} {identity.serial} is in use: another client has the lock on acquisition. Close that "
            "one, or wait until it lets go"
        )
    yield Tell(b":SYSTEM:ABORT\n")
    yield Tell(b":SYSTEM:FLUSH\n")
    yield from errors()  # of whoever was there before
    return identity


def apply(settings: Settings) -> Dialogue[Settings]:
    """Send what `settings` says; returns it with what the device made of it. Raises CommandRefused."""
    for name, value in settings.items():
        yield from _SENT[name](value)
    return settings


def _plain(header: str) -> Any:
    def send(value: Any) -> Dialogue[None]:
        yield from tell(header, value)

    return send


def _decimation(value: int) -> Dialogue[None]:
    """Off is 1, but 0 before firmware 2.5.3: what is read back says which."""
    if value != 1:
        yield from tell(":SENSE:DECIMATION", value)
        return
    try:
        yield from tell(":SENSE:DECIMATION", 1)
        is_off = number_of((yield from query(":SENSE:DECIMATION?", NUMBER))) == 1
    except CommandRefused:
        is_off = False
    if not is_off:
        yield from tell(":SENSE:DECIMATION", 0)


def _trigger(value: Trigger | str) -> Dialogue[None]:
    if isinstance(value, Trigger):
        # The level first: the type arms it.
        yield from tell(":TRIGGER:LEVEL", value.start_hz, value.stop_hz, value.level_dbm)
        yield from tell(":TRIGGER:TYPE", value.type)
    else:
        yield from tell(":TRIGGER:TYPE", "NONE")


_SENT: dict[str, Any] = {
    "center_frequency_hz": _plain(":FREQ:CENTER"),
    "frequency_shift_hz": _plain(":FREQ:SHIFT"),
    "decimation": _decimation,
    "rf_gain": _plain(":INPUT:GAIN:RF"),
    "if_gain_db": _plain(":INPUT:GAIN:IF"),
    "antenna": _plain(":INPUT:ANTENNA"),
    "preselect": _plain(":INPUT:FILTER:PRESELECT"),
    "reference": _plain(":SOURCE:REFERENCE:PLL"),
    "samples_per_packet": _plain(":TRACE:SPPACKET"),
    "packets_per_block": _plain(":TRACE:BLOCK:PACKETS"),
    "trigger": _trigger,
}


def read_settings() -> Dialogue[Settings]:
    """What is set now, as the device says it."""
    numbers: dict[str, Any] = {}
    for name, header in (
        ("center_frequency_hz", ":FREQ:CENTER?"),
        ("frequency_shift_hz", ":FREQ:SHIFT?"),
        ("if_gain_db", ":INPUT:GAIN:IF?"),
        ("antenna", ":INPUT:ANTENNA?"),
        ("preselect", ":INPUT:FILTER:PRESELECT?"),
        ("samples_per_packet", ":TRACE:SPPACKET?"),
        ("packets_per_block", ":TRACE:BLOCK:PACKETS?"),
    ):
        numbers[name] = number_of((yield from query(header, NUMBER)))
    decimation = int(number_of((yield from query(":SENSE:DECIMATION?", NUMBER)))) or 1
    gain: Any = (yield from query(":INPUT:GAIN:RF?", one_of("HIGH", "MED", "LOW", "VLOW"))).upper()
    reference: Any = (yield from query(":SOURCE:REFERENCE:PLL?", one_of("INT", "EXT"))).upper()
    kind: Any = (yield from query(":TRIGGER:TYPE?", one_of("NONE", "LEVEL", "PULSE"))).upper()
    trigger: Any = "NONE"
    if kind != "NONE":
        level = yield from query(":TRIGGER:LEVEL?", fields(3))
        start_hz, stop_hz, level_dbm = (number_of(part.strip()) for part in level.split(","))
        trigger = Trigger(start_hz, stop_hz, level_dbm, kind)
    return Settings(**numbers, decimation=decimation, rf_gain=gain, reference=reference, trigger=trigger)


def locks() -> Dialogue[Locks]:
    """The two PLLs."""
    rf = yield from query(":SENSE:LOCK:RF?", FLAG)
    reference = yield from query(":SENSE:LOCK:REFERENCE?", FLAG)
    return Locks(rf == "1", reference == "1")


def capture_mode() -> Dialogue[str]:
    """BLOCK, STREAMING or SWEEPING."""
    return (yield from query(":SYSTEM:CAPTURE:MODE?", one_of("BLOCK", "STREAMING", "SWEEPING"))).upper()


def abort() -> Dialogue[None]:
    """End what goes on; the data port may have got half a packet."""
    yield from tell(":SYSTEM:ABORT")
    yield from tell(":SYSTEM:FLUSH")


def start_stream(start_id: int) -> Dialogue[None]:
    """Stream until it is stopped. A context packet with the id comes before the first data packet."""
    yield from tell(":TRACE:STREAM:START", start_id)


def stop_stream() -> Dialogue[None]:
    """It ends with a whole packet; what was captured and not sent is dropped."""
    yield from tell(":TRACE:STREAM:STOP")
    yield from tell(":SYSTEM:FLUSH")


def capture_block() -> Dialogue[None]:
    """Take one block, when the trigger says so. It looks like a query and has no reply."""
    yield Tell(b":TRACE:BLOCK:DATA?\n")


def sweep_entries(entries: Sequence[SweepEntry]) -> Dialogue[None]:
    """Put these into the sweep list in place of what it holds."""
    yield from tell(":SWEEP:ENTRY:DELETE", "ALL")
    for entry in entries:
        yield from tell(":SWEEP:ENTRY:NEW")
        yield from tell(":SWEEP:ENTRY:FREQ:CENTER", entry.start_hz, entry.stop_hz)
        yield from tell(":SWEEP:ENTRY:FREQ:STEP", entry.step_hz)
        yield from tell(":SWEEP:ENTRY:FREQ:SHIFT", entry.frequency_shift_hz)
        yield from tell(":SWEEP:ENTRY:DECIMATION", entry.decimation)
        yield from tell(":SWEEP:ENTRY:ANTENNA", entry.antenna)
        yield from tell(":SWEEP:ENTRY:GAIN:RF", entry.rf_gain)
        yield from tell(":SWEEP:ENTRY:GAIN:IF", entry.if_gain_db)
        yield from tell(":SWEEP:ENTRY:SPPACKET", entry.samples_per_packet)
        yield from tell(":SWEEP:ENTRY:PPBLOCK", entry.packets_per_step)
        seconds = int(entry.dwell_s)
        yield from tell(":SWEEP:ENTRY:DWELL", seconds, round((entry.dwell_s - seconds) * 1e6))
        if entry.trigger is not None:
            yield from tell(
                ":SWEEP:ENTRY:TRIGGER:LEVEL", entry.trigger.start_hz, entry.trigger.stop_hz, entry.trigger.level_dbm
            )
            yield from tell(":SWEEP:ENTRY:TRIGGER:TYPE", entry.trigger.type)
        else:
            yield from tell(":SWEEP:ENTRY:TRIGGER:TYPE", "NONE")
        yield from tell(":SWEEP:ENTRY:SAVE")
    kept = int(number_of((yield from query(":SWEEP:ENTRY:COUNT?", NUMBER))))
    if kept != len(entries):
        raise CommandRefused(f"the device keeps {kept} sweep entries of {len(entries)}", command=":SWEEP:ENTRY:SAVE")


def start_sweep(start_id: int, *, iterations: int = 0) -> Dialogue[None]:
    """Go through the list; 0 iterations: again and again. A context packet with the id comes first."""
    yield from tell(":SWEEP:LIST:ITERATIONS", iterations)
    yield from tell(":SWEEP:LIST:START", start_id)


def sweep_is_running() -> Dialogue[bool]:
    """Is a sweep under way?"""
    return (yield from query(":SWEEP:LIST:STATUS?", one_of("RUNNING", "STOPPED"))).upper() == "RUNNING"


def stop_sweep() -> Dialogue[None]:
    """It ends, and only then may be flushed."""
    yield from tell(":SWEEP:LIST:STOP")
    yield from tell(":SYSTEM:FLUSH")
