"""Lab Streaming Layer: streams of a laboratory's network come in through LSLInlet and go out through LSLOutlet.

LSL gives each sample a time stamp on the sender's clock, and measures how far that clock is from ours. Neither is mixed
into the other here: what the sender wrote and what was measured are told apart (`LSLTimes`), so that a recording can be
corrected later on, and better.
"""

from __future__ import annotations

import json
import logging
import math
import socket
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.devices.player import ArrayPlayer
from axonlike.components.devices.sampleclock import SampleClock
from axonlike.components.devices.source import ThreadedSource
from axonlike.components.producers import take_from
from axonlike.errors import DeviceError, Finished, MissingExtra, UsageError
from axonlike.linkage import Box
from axonlike.restarts import Backoff
from axonlike.streams.chunk import Axis, Chunk, Continuity, StreamInfo
from axonlike.streamtype import Kind, StreamMismatch, StreamType
from axonlike.threads import ThreadedComponent

__all__ = [
    "LSLGap",
    "LSLInlet",
    "LSLLost",
    "LSLMarker",
    "LSLOpened",
    "LSLOutlet",
    "LSLTimes",
    "info_from_lsl",
]

log = logging.getLogger("axonlike.lsl")

# Numbers of liblsl's channel formats (lsl_c.h, lsl_channel_format_t), and of those we send.
_DTYPES = {1: "float32", 2: "float64", 4: "int32", 5: "int16", 6: "int8", 7: "int64"}
_FORMATS = {dtype: number for number, dtype in _DTYPES.items()}
_STRING = 3
_KINDS: tuple[Kind, ...] = ("analog", "digital", "iq", "spectrum")  # those whose rows have one axis
_SENT_AS = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "float16": "float32"}

_RESOLVE_STEP_S = 0.5  # how soon Shutdown is noticed while a stream is looked for
_LIST_S = 1.0  # how long the streams that there are get to answer
_CORRECT_EVERY_S = 5.0
_FIRST_RETRY_S = 0.1
_CLOSE_NS = 100_000  # two clocks read within this are read at the same time
_CLOCK_TRIES = 10


@dataclass(frozen=True, slots=True)
class LSLOpened:
    """The stream was found and is open. times: 1 for the first time, then one more for each time it came back."""

    name: str
    source_id: str
    hostname: str
    times: int


@dataclass(frozen=True, slots=True)
class LSLLost:
    """The stream broke off. It is looked for until it is back."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class LSLGap:
    """By the time stamps, `rows` rows are missing before the one with this index."""

    index: int
    rows: int


@dataclass(frozen=True, slots=True)
class LSLTimes:
    """The times of the rows of one chunk. stamps_s: what the sender wrote, on its own clock, read-only, shape (rows,).

    correction_s: what has to be added for our own clock (pylsl.local_clock), as measured last.
    """

    index: int
    stamps_s: npt.NDArray[np.float64] = field(repr=False)
    correction_s: float


@dataclass(frozen=True, slots=True)
class LSLMarker:
    """A sample of a stream of strings. time_ns: in ns since 1970, corrected; stamp_s: what the sender wrote."""

    values: tuple[str, ...]
    time_ns: int
    stamp_s: float
    correction_s: float


class LSLInlet(ThreadedSource):
    """Takes a stream from the network: chunks of about `chunk_s` seconds, shape (rows, channels), on `outbox`.

    name, type, source_id: which stream; exactly one has to fit. "demo" as a name makes an outlet with EEG of its own
    and takes that, over the network. A stream of strings gives `LSLMarker` on `markers` in place of chunks.

    `Chunk.time_ns` is the first row's stamp brought to our clock; the stamps as they came are on `times` (`LSLTimes`).
    LSL does not number samples: rows that are missing by their stamps, by more than `gap_s` seconds in all, show in the
    index and are told on `status` (`LSLGap`). A stream that breaks off is looked for until it is back; that is a gap
    of at least one row. Not to be found within `timeout_s` at first is a DeviceError.

    It is open while somebody takes its chunks or markers. lsl: in place of the module pylsl. Raises MissingExtra.
    """

    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("chunks", Chunk, stream=StreamType(kind=_KINDS), required=True),
        "markers": Box("LSLMarker, of a stream of strings", LSLMarker, required=True),
        "times": Box("LSLTimes, one for each chunk", LSLTimes),
        "status": "LSLOpened, LSLLost, LSLGap",
    }
    any_demand_will_do: ClassVar[bool] = True

    def __init__(
        self,
        name: str | None = None,
        *,
        type: str | None = None,
        source_id: str | None = None,
        chunk_s: float = 0.05,
        gap_s: float = 0.2,
        timeout_s: float = 10.0,
        longest_wait_s: float = 5.0,
        buffer_s: float = 60.0,
        lsl: Any = None,
    ) -> None:
        if name is None and type is None and source_id is None:
            raise UsageError("LSLInlet: say which stream: its name, its type or its source_id")
        for what, seconds in (("chunk_s", chunk_s), ("gap_s", gap_s), ("timeout_s", timeout_s), ("buffer_s", buffer_s)):
            if not 0 < seconds < math.inf:
                raise UsageError(f"LSLInlet: {what} is a number of seconds above 0, not {seconds!r}")
        self._lsl = lsl if lsl is not None else _pylsl_or_missing("LSLInlet")
        self._demo: _DemoOutlet | None = None
        self._is_demo = name == "demo"
        self._asked = {"name": None if self._is_demo else name, "type": type, "source_id": source_id}
        self._chunk_s = chunk_s
        self._gap_s = gap_s
        self._timeout_s = timeout_s
        self._buffer_s = buffer_s
        self._backoff = Backoff(min(_FIRST_RETRY_S, longest_wait_s), longest_wait_s)
        self._opened = 0
        self._shown = ""
        self._info: StreamInfo | None = None
        self._clock: SampleClock | None = None
        self._after_reopening = False
        self._correction_s = 0.0

    @property
    def lost_rows(self) -> int:
        """How many rows were missing so far."""
        return self._clock.lost if self._clock is not None else 0

    def attend(self) -> float | None:
        if self._is_demo:
            self._demo = _DemoOutlet(self._lsl)
            self._asked["source_id"] = self._demo.source_id
        try:
            return self._find_and_take()
        finally:
            self._demo = None

    def _find_and_take(self) -> float | None:
        found = self._find()
        if found is None:
            return None
        inlet = self._lsl.StreamInlet(found, max_buflen=max(1, math.ceil(self._buffer_s)), recover=False)
        try:
            info = inlet.info(self._timeout_s)
            # Opened before its clock is measured, which takes half a second: what comes meanwhile is kept for us.
            inlet.open_stream(self._timeout_s)
            self._correction_s = float(inlet.time_correction(self._timeout_s))
            self._begin(info)
            self._take(inlet, info)
        except (RuntimeError, TimeoutError) as exc:  # pylsl's LostError is a RuntimeError
            reason = str(exc)  # the exception itself would keep the inlet, and with it its sockets, as long as the log
            log.warning("%s: lost the LSL stream %s: %s; looking for it", self.path, self._shown, reason)
            self.send(LSLLost(self._shown, reason), "status")
            return self._backoff.next_delay_s()
        finally:
            inlet.close_stream()
        return None

    def _find(self) -> Any:
        """The one stream that fits; None if nobody wants it any more. Raises DeviceError."""
        predicate = " and ".join(f"{key}={_quoted(value)}" for key, value in self._asked.items() if value is not None)
        began_s = time.monotonic()
        while True:
            found = self._lsl.resolve_bypred(predicate, minimum=1, timeout=_RESOLVE_STEP_S)
            if len(found) == 1:
                return found[0]
            told = self.data_ready("demand") or self.data_ready("inbox") or self.input_ended
            if (told or self.stopping) and not self.wait_unless_told(timeout_s=0.0):
                return None
            if found:
                several = "; ".join(sorted(map(_description, found)))
                raise DeviceError(f"{len(found)} LSL streams have {predicate}; name one by its source_id: {several}")
            if not self._opened and time.monotonic() - began_s >= self._timeout_s:
                there = "; ".join(sorted(map(_description, self._lsl.resolve_streams(_LIST_S)))) or "none"
                raise DeviceError(
                    f"there is no LSL stream with {predicate} on this network; is its sender running? "
                    f"Those that there are: {there}"
                )

    def _begin(self, lsl_info: Any) -> None:
        self._opened += 1
        self._backoff.reset()
        self._shown = lsl_info.name()
        # One that comes back is known by its source_id, if it has one, even when another gets the same name meanwhile.
        self._asked["source_id"] = lsl_info.source_id() or self._asked["source_id"]
        level = logging.WARNING if self._opened > 1 else logging.INFO
        log.log(level, "%s: the LSL stream %s is open", self.path, self._shown)
        opened = LSLOpened(lsl_info.name(), lsl_info.source_id(), lsl_info.hostname(), self._opened)
        self.send(opened, "status")
        self._after_reopening = self._opened > 1
        if lsl_info.channel_format() == _STRING:
            return
        info = info_from_lsl(lsl_info)
        if info != self._info:
            if self._info is None or info.sample_rate_hz != self._info.sample_rate_hz:
                rows = self._clock.rows if self._clock is not None else 0
                self._clock = SampleClock(info.sample_rate_hz or 1.0, tolerance_s=self._gap_s)
                self._clock.rows = rows
            self._info = info

    def _take(self, inlet: Any, lsl_info: Any) -> None:
        """Send what comes, until nobody wants it any more."""
        strings = lsl_info.channel_format() == _STRING
        rate_hz = lsl_info.nominal_srate()
        most = max(1, math.ceil(rate_hz * self._chunk_s)) if rate_hz else 1024
        buffer = None if strings or self._info is None else self._info.empty(most)
        corrected_s = time.monotonic()
        while True:
            told = self.data_ready("demand") or self.data_ready("inbox") or self.input_ended
            if (told or self.stopping) and not self.wait_unless_told(timeout_s=0.0):
                return
            if self._demo is not None:
                self._demo.push_what_is_due()
            values, stamps_s = inlet.pull_chunk(timeout=self._chunk_s, max_samples=most, dest_obj=buffer)
            if time.monotonic() - corrected_s >= _CORRECT_EVERY_S:
                self._correction_s = float(inlet.time_correction(self._timeout_s))
                corrected_s = time.monotonic()
            if not len(stamps_s):
                continue
            stamps = np.array(stamps_s, np.float64)
            if buffer is None:
                for row, stamp_s in zip(values, stamps.tolist()):
                    self.send(LSLMarker(tuple(row), self._unix_ns(stamp_s), stamp_s, self._correction_s), "markers")
            else:
                self._send(buffer[: len(stamps)].copy(), stamps)

    def _send(self, data: npt.NDArray[Any], stamps: npt.NDArray[np.float64]) -> None:
        info, clock = self._info, self._clock
        assert info is not None
        assert clock is not None
        if info.sample_rate_hz:
            lost = clock.take(len(data), float(stamps[-1]) + self._correction_s, known_loss=self._after_reopening)
        else:
            lost = int(self._after_reopening)
            clock.skip(lost)
            clock.rows += len(data)
        self._after_reopening = False
        index = clock.rows - len(data)
        if lost:
            log.warning("%s: %d rows of %s are missing before row %d", self.path, lost, self._shown, index)
            self.send(LSLGap(index, lost), "status")
        stamps.flags.writeable = False
        self.send(LSLTimes(index, stamps, self._correction_s), "times")
        self.send(Chunk(data, info, index, self._unix_ns(float(stamps[0]))))

    def _unix_ns(self, stamp_s: float) -> int:
        now_s, now_ns = _both_clocks(self._lsl)
        return now_ns - round((now_s - (stamp_s + self._correction_s)) * 1e9)


def _both_clocks(lsl: Any) -> tuple[float, int]:
    """LSL's clock, and ns since 1970 at the same time: of some tries the closest, for this thread may stand still."""
    closest_ns, found = math.inf, (0.0, 0)
    for _ in range(_CLOCK_TRIES):
        before_ns = time.time_ns()
        now_s = float(lsl.local_clock())
        after_ns = time.time_ns()
        if 0 <= after_ns - before_ns < closest_ns:
            closest_ns, found = after_ns - before_ns, (now_s, (before_ns + after_ns) // 2)
        if closest_ns < _CLOSE_NS:
            break
    return found


class LSLOutlet(ThreadedComponent):
    """Offers the stream that it gets to the network, with the names and units of its channels.

    name: as others will find it; None for that of the stream. It may be left out: ``LSLOutlet(ArrayPlayer("demo"))``.
    type: what LSL calls the content, such as "EEG". source_id: by which receivers know it again after a restart; made
    of this host's name and the stream's, unless said.

    Rows of one axis at most can go: analog, digital, iq as pairs, spectra. Values with `info.scale` or `info.offset` go
    as engineering values (float32, of integers above 16 bits float64), since LSL has no word for scales. A row's time
    stamp is `Chunk.time_ns` brought to LSL's clock, so that what is missing in the stream shows in the stamps, or now.
    A stream of another description gets a new outlet. Takes what it gets at once; when its input ends it stays for
    `linger_s` seconds if somebody listens, so that the last samples get out.

    It has a thread, since liblsl waits for threads of its own when it ends an outlet, for a second at times. The
    component has ended once that is through.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=StreamType(kind=_KINDS))}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "nothing"}

    def __init__(
        self,
        name: str | Component | None = None,
        *producers: Component,
        type: str = "",
        source_id: str | None = None,
        linger_s: float = 0.5,
        lsl: Any = None,
    ) -> None:
        if isinstance(name, Component):
            producers = (name, *producers)
            name = None
        self._lsl = lsl if lsl is not None else _pylsl_or_missing("LSLOutlet")
        self.stream_name = name
        self.type = type
        self.source_id = source_id
        self.linger_s = linger_s
        self.sent_rows = 0
        self.continuity = Continuity()
        """Counts the rows that were missing in what came."""
        self._info: StreamInfo | None = None
        self._outlet: Any = None
        self._dtype = np.dtype(np.float32)
        take_from(self, *producers)

    def main(self) -> None:
        try:
            while True:
                self.wait("inbox")
                for chunk in self.inbox("inbox"):
                    self._push(chunk)
        except Finished:
            if self._outlet is not None and self._outlet.have_consumers():
                self.sleep(self.linger_s)
        except Exception as exc:
            # A frame of pylsl's would keep the outlet until the error is told: it would end in the scheduler's thread.
            traceback.clear_frames(exc.__traceback__)
            raise
        finally:
            self._outlet = None

    def _push(self, chunk: Chunk) -> None:
        info = chunk.info
        self.continuity.missing(chunk)
        if info is not self._info:
            if info != self._info:
                info.check(self.inbox_spec("inbox").stream, f"{self.path}.inbox")
                self._outlet = None  # the old one ends before the new one, which bears its name, begins
                self._dtype = _sent_dtype(info, f"{self.path}.inbox")
                self._outlet = self._lsl.StreamOutlet(self._lsl_info(info))
            self._info = info
        rows = len(chunk)
        if not rows:
            return
        values = np.asarray(chunk.data)
        if info.scale is not None or info.offset is not None:
            values = values * np.asarray(1.0 if info.scale is None else info.scale)
            values = values + np.asarray(0.0 if info.offset is None else info.offset)
        last_ns = chunk.time_ns_of(rows - 1)
        # LSL stamps a chunk by its last row, and counts back by the rate.
        now_s, now_ns = _both_clocks(self._lsl)
        stamp_s = now_s if last_ns is None else now_s - (now_ns - last_ns) * 1e-9
        self._outlet.push_chunk(np.ascontiguousarray(values.reshape(rows, -1), self._dtype), stamp_s)
        self.sent_rows += rows

    def _lsl_info(self, info: StreamInfo) -> Any:
        name = self.stream_name or info.name or "axonlike"
        source_id = self.source_id or f"axonlike-{socket.gethostname()}-{name}"
        lsl_info = self._lsl.StreamInfo(
            name, self.type, info.channels, info.sample_rate_hz, _FORMATS[self._dtype.name], source_id
        )
        description = lsl_info.desc()
        channels = description.append_child("channels")
        for number in range(info.channels):
            channel = channels.append_child("channel")
            channel.append_child_value("label", info.channel_names[number] if info.channel_names else str(number + 1))
            channel.append_child_value("unit", info.units)
        facts: dict[str, Any] = {"kind": info.kind, "facts": dict(info.facts)}
        if info.axis is not None:
            facts["axis"] = [info.axis.name, info.axis.units, info.axis.start, info.axis.step]
        description.append_child_value("axonlike", json.dumps(facts))
        return lsl_info


def info_from_lsl(lsl_info: Any) -> StreamInfo:
    """What a stream of numbers is. One unit for all channels is its units; else they are among its facts."""
    channels = lsl_info.channel_count()
    description = lsl_info.desc()
    names: list[str] = []
    units: list[str] = []
    channel = description.child("channels").child("channel")
    while not channel.empty() and len(names) < channels:
        names.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    facts: dict[str, Any] = {"lsl_type": lsl_info.type(), "lsl_source_id": lsl_info.source_id()}
    facts["lsl_hostname"] = lsl_info.hostname()
    if len(set(units)) > 1:
        facts["channel_units"] = units
    kind, axis, more_facts = _ours(description.child_value("axonlike"))
    if kind == "iq" and channels != 2:
        kind = "analog"
    return StreamInfo(
        kind=kind,
        dtype=np.dtype(_DTYPES[lsl_info.channel_format()]),
        shape=(channels,),
        sample_rate_hz=lsl_info.nominal_srate(),
        units=units[0] if len(set(units)) == 1 else "",
        channel_names=names if len(names) == channels and all(names) else (),
        name=lsl_info.name(),
        axis=axis,
        facts={**more_facts, **facts},
    )


def _ours(text: str) -> tuple[Kind, Axis | None, Mapping[str, Any]]:
    """The kind, axis and facts that an LSLOutlet wrote; nothing of the kind if it is somebody else's text."""
    try:
        said = json.loads(text)
        kind, axis, facts = said["kind"], said.get("axis"), said["facts"]
        if kind not in _KINDS or not isinstance(facts, dict):
            return "analog", None, {}
        return kind, None if axis is None else Axis(str(axis[0]), str(axis[1]), float(axis[2]), float(axis[3])), facts
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return "analog", None, {}


def _sent_dtype(info: StreamInfo, where: str) -> np.dtype[Any]:
    """Raises StreamMismatch if LSL has nothing like it."""
    name = info.dtype.newbyteorder("=").name
    if info.dtype.kind in "iuf" and (info.scale is not None or info.offset is not None):
        name = "float64" if info.dtype.itemsize > 2 and info.dtype != np.float32 else "float32"
    name = _SENT_AS.get(name, name)
    if name not in _FORMATS or len(info.shape) > 1:
        raise StreamMismatch(
            f"{where}: the stream {info.name or 'without a name'} has {info.dtype} rows of shape {info.shape}; LSL "
            "takes rows of integers or floats of one axis"
        )
    return np.dtype(name)


def _quoted(text: str) -> str:
    """A literal of XPath, in which LSL's queries are written; it has no escapes."""
    for quote in "'\"":
        if quote not in text:
            return f"{quote}{text}{quote}"
    raise UsageError(f"LSLInlet: {text!r} has both kinds of quotation marks in it, which LSL cannot look for")


def _description(lsl_info: Any) -> str:
    return f"{lsl_info.name()} (type {lsl_info.type()!r}, source_id {lsl_info.source_id()!r}, on {lsl_info.hostname()})"


def _pylsl_or_missing(component: str) -> Any:
    try:
        import pylsl
    except ImportError as exc:
        raise MissingExtra(component, "pylsl", "lsl") from exc
    except RuntimeError as exc:  # it found no liblsl
        raise DeviceError(f"{component}: pylsl finds no liblsl: {exc}; is it installed for this machine?") from exc
    return pylsl


class _DemoOutlet:
    """An outlet with EEG, without a thread: what is due is pushed when `push_what_is_due` is called."""

    def __init__(self, lsl: Any) -> None:
        self._lsl = lsl
        self._player = ArrayPlayer("demo")
        info = self._player.info
        self.source_id = f"axonlike-demo-{uuid.uuid4()}"
        outlet = LSLOutlet("axonlike demo", type="EEG", source_id=self.source_id, lsl=lsl)
        self._rate_hz = info.sample_rate_hz
        self._outlet = lsl.StreamOutlet(outlet._lsl_info(info))
        self._start_s = float(lsl.local_clock())
        self._rows = 0

    def push_what_is_due(self) -> None:
        due = int((float(self._lsl.local_clock()) - self._start_s) * self._rate_hz) - self._rows
        if due > 0:
            data = np.array(self._player.rows_at(self._rows, due))
            self._rows += due
            self._outlet.push_chunk(data, self._start_s + (self._rows - 1) / self._rate_hz)
