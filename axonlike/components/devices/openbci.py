"""OpenBCI's Cyton boards, alone or with a Daisy, over the serial port of their dongle."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from axonlike.components.devices.descriptor_source import DescriptorSource, DeviceGap, NotWanted
from axonlike.components.devices.openbci_protocol import (
    CHANNEL_LETTERS,
    GAINS,
    BoardAnswers,
    CytonBatch,
    CytonDecoder,
    GainTracker,
    uv_per_count,
)
from axonlike.components.devices.serial import SerialLost, SerialOpened, SerialPort, SerialUnavailable
from axonlike.components.settable import Changed, Refused, Settable
from axonlike.components.util.descriptors import Ready
from axonlike.errors import DeviceError, UsageError, show_value
from axonlike.linkage import Box
from axonlike.simulators.openbci import SimulatedOpenBCI
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamType

if TYPE_CHECKING:
    import serial

__all__ = ["BoardAnswered", "BoardReady", "BoardSilent", "OpenBCI", "OpenBCIStatistics", "TestSignal"]

log = logging.getLogger("axonlike.openbci")

TestSignal = Literal["ground", "slow", "fast", "dc", "slow x2", "fast x2"]

_TEST_SIGNALS = {"ground": b"0", "slow": b"-", "fast": b"=", "dc": b"p", "slow x2": b"[", "fast x2": b"]"}
_NAMES = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2", "F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4")
_BAUD = 115200
# The board answers to a setting within some ms; the radio makes tens of them.
_COMMAND_ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class BoardReady:
    """On `status`: the board has been reset, and begins to stream. report: what it said."""

    daisy: bool
    report: str


@dataclass(frozen=True, slots=True)
class BoardAnswered:
    """On `status`: what the board said to a command."""

    text: str


@dataclass(frozen=True, slots=True)
class BoardSilent:
    """On `status`: nothing comes from the board (is it switched on, is its battery empty?); it is asked again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OpenBCIStatistics:
    """What came so far, over all openings. discarded_bytes: of no frame. unpaired_frames: with a Daisy, single ones."""

    opened: int
    rows: int
    lost_rows: int
    gaps: int
    frames: int
    discarded_bytes: int
    unpaired_frames: int
    silences: int


class OpenBCI(DescriptorSource, Settable, SerialPort):
    """``OpenBCI("/dev/ttyUSB0")``: the samples of a Cyton (8 channels, 250 Hz) or a Cyton with Daisy (16, 125 Hz).

    port: as of `SerialPort`: a path, "auto", or "demo", a simulated board behind a pseudo-terminal, which is then
    `simulator`. Opened while somebody takes from any of its outboxes, and again after unplugging. The board is reset
    then, which also tells whether it has a Daisy (daisy=True or False decides it), gets the settings and `commands`,
    and streams. A board that falls silent for `stall_s` is reset again. listen_only=True sends it nothing.

    values: "uV", float32 in microvolts; "raw", the converter's counts, int32, with the stream's scale. The index shows
    frames that the radio has lost, by their counter, and for as long as a second or more by time.

    outboxes beside the samples, with a row for each of their rows: `accelerometer` (in g, the last reading), `aux` (the
    pins in board modes /2 and /3, or what a user's firmware sends) and `board_time` (in s, after the command "<").

    inbox: further commands, as text ("~6", "/2", "z101Z"); what changes gains (x, d, v) changes the scale. Settings:
    gain, one of 1, 2, 4, 6, 8, 12, 24, or one for each channel; off_channels, numbers from 1; test_signal, "ground",
    "slow", "fast", "dc", "slow x2", "fast x2" or None. They are kept over resets, commands in the inbox are not.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("commands to the board", (str, bytes, bytearray))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("samples", Chunk, stream=StreamType(kind="analog", units="uV"), required=True),
        "accelerometer": Box(
            "acceleration", Chunk, stream=StreamType(kind="analog", units="g", channels=3), required=True
        ),
        "aux": Box("pins", Chunk, stream=StreamType(kind="analog"), required=True),
        "board_time": Box(
            "the board's clock", Chunk, stream=StreamType(kind="analog", units="s", channels=1), required=True
        ),
        "status": Box(
            "SerialOpened, SerialLost, SerialUnavailable, BoardReady, BoardAnswered, BoardSilent, DeviceGap, Changed, "
            "Refused",
            (SerialOpened, SerialLost, SerialUnavailable, BoardReady, BoardAnswered, BoardSilent, DeviceGap, Changed,
             Refused),
        ),
    }  # fmt: skip
    any_demand_will_do: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("gain", "off_channels", "test_signal")
    heard: ClassVar[tuple[str, ...]] = ("demand", "settings")

    def __init__(
        self,
        port: str = "auto",
        *,
        daisy: bool | None = None,
        values: Literal["uV", "raw"] = "uV",
        gain: int | Sequence[int] = 24,
        off_channels: Sequence[int] = (),
        test_signal: TestSignal | None = None,
        commands: Iterable[str] = (),
        listen_only: bool = False,
        channel_names: Sequence[str] | None = None,
        answer_timeout_s: float = 3.0,
        stall_s: float = 2.0,
        must_exist: bool = False,
        longest_wait_s: float = 1.0,
        find_ports: Callable[[], Iterable[tuple[str, str]]] | None = None,
        announce: bool = True,
        simulator: SimulatedOpenBCI | None = None,
    ) -> None:
        """simulator: the one to start and open, in place of "demo"'s own. The others are those of SerialPort."""
        super().__init__(
            port if simulator is None else "demo", _BAUD, must_exist=must_exist, longest_wait_s=longest_wait_s,
            find_ports=find_ports, announce=announce,
        )  # fmt: skip
        if values not in ("uV", "raw"):
            raise UsageError(f"OpenBCI: values is 'uV' or 'raw', not {values!r}")
        if isinstance(commands, str):
            raise UsageError(f"OpenBCI: commands is a list of commands, such as [{commands!r}]")
        self.simulator = simulator or (SimulatedOpenBCI(daisy=bool(daisy)) if port == "demo" else None)
        self.device = self.simulator
        self.values = values
        self.daisy = daisy
        self._names = tuple(channel_names) if channel_names is not None else None
        self._commands = [_as_bytes(command) for command in commands]
        self._listen_only = listen_only
        self._answer_timeout_s = answer_timeout_s
        self._stall_s = stall_s
        self._phase: Literal["closed", "reset", "configuring", "streaming"] = "closed"
        self._due_s = math.inf
        self._pending: list[bytes] = []
        self._answers = BoardAnswers()
        self._tracker = GainTracker()
        self._decoder = CytonDecoder(daisy=bool(daisy))
        self._earlier = (0, 0, 0)  # of decoders before: frames, discarded bytes, unpaired
        self._earlier_losses = (0, 0)
        self._rows = 0
        self._silences = 0
        self._silence_told = False
        self._infos: dict[str, StreamInfo] = {}
        self._gain: tuple[int, ...] = (24,) * 16
        self._off_channels: tuple[int, ...] = ()
        self._test_signal: TestSignal | None = None
        self.gain = gain
        self.off_channels = off_channels
        self.test_signal = test_signal
        if daisy is not None and channel_names is not None and len(self._names or ()) != self._decoder.channels:
            raise UsageError(f"OpenBCI: {len(self._names or ())} channel names for {self._decoder.channels} channels")
        dtype = "float32" if values == "uV" else "int32"
        known = daisy is not None or listen_only
        self.specify(
            "outbox",
            stream=StreamType(
                kind="analog", dtype=dtype, units="uV", channels=self._decoder.channels if known else None,
                sample_rate_hz=self._decoder.sample_rate_hz if known else None,
            ),
        )  # fmt: skip

    def openbci_statistics(self) -> OpenBCIStatistics:
        """Counts so far; may be called from any thread. `port_statistics` has those of the serial port."""
        decoder = self._decoder
        frames, discarded, unpaired = self._earlier
        lost, gaps = self._earlier_losses
        return OpenBCIStatistics(
            self._opened, self._rows, lost + decoder.lost_rows, gaps + decoder.gaps, frames + decoder.frames.frames,
            discarded + decoder.frames.discarded_bytes, unpaired + decoder.unpaired, self._silences,
        )  # fmt: skip

    # -- settings

    @property
    def gain(self) -> tuple[int, ...]:
        """Of each of 16 channels, as set; a command in the inbox may have changed it."""
        return self._gain

    @gain.setter
    def gain(self, gain: int | Sequence[int]) -> None:
        gains = (gain,) * 16 if isinstance(gain, int) else tuple(gain)
        if len(gains) not in (8, 16) or not set(gains) <= set(GAINS):
            raise UsageError(f"{self.path}: gain is one of {GAINS}, or 8 or 16 of them, not {gain!r}")
        gains += (24,) * (16 - len(gains))
        changed = [channel for channel in range(16) if gains[channel] != self._gain[channel]]
        self._gain = gains
        self._set_channels(changed)

    @property
    def off_channels(self) -> tuple[int, ...]:
        """The numbers, from 1, of the channels that are switched off."""
        return self._off_channels

    @off_channels.setter
    def off_channels(self, off_channels: Sequence[int]) -> None:
        off = tuple(sorted(set(off_channels)))
        if not set(off) <= set(range(1, 17)):
            raise UsageError(f"{self.path}: off_channels are numbers from 1 to 16, not {off_channels!r}")
        changed = sorted(set(off) ^ set(self._off_channels))
        self._off_channels = off
        self._set_channels([number - 1 for number in changed])

    @property
    def test_signal(self) -> TestSignal | None:
        """What the board measures in place of its electrodes; None: the electrodes."""
        return self._test_signal

    @test_signal.setter
    def test_signal(self, test_signal: TestSignal | None) -> None:
        if test_signal is not None and test_signal not in _TEST_SIGNALS:
            raise UsageError(f"{self.path}: test_signal is {', '.join(_TEST_SIGNALS)} or None, not {test_signal!r}")
        before, self._test_signal = self._test_signal, test_signal
        if test_signal is not None:
            self._command_soon(_TEST_SIGNALS[test_signal])
        elif before is not None:
            self._set_channels(list(range(self._decoder.channels)))

    def _set_channels(self, channels: Iterable[int]) -> None:
        for channel in channels:
            if channel < self._decoder.channels:
                self._command_soon(self._channel_command(channel))

    def _channel_command(self, channel: int) -> bytes:
        """x, channel, off, gain, input (0: the electrode), bias, SRB2, SRB1, X; what is not ours is as by default."""
        off = int(channel + 1 in self._off_channels)
        return f"x{CHANNEL_LETTERS[channel]}{off}{GAINS.index(self._gain[channel])}0110X".encode()

    def _settings_as_commands(self) -> list[bytes]:
        commands = [
            self._channel_command(channel)
            for channel in range(self._decoder.channels)
            if self._gain[channel] != 24 or channel + 1 in self._off_channels
        ]
        if self._test_signal is not None:
            commands.append(_TEST_SIGNALS[self._test_signal])
        return commands

    # -- demand, the port and its bytes

    def take_messages(self) -> None:
        for _ in self.inbox("demand"):
            pass  # `wanted` has it
        if self.data_ready("settings"):
            self.take_settings()

    def wait_io(
        self,
        read: Collection[int] = (),
        write: Collection[int] = (),
        *,
        timeout_s: float | None = None,
        boxes: Collection[str] = ("inbox",),
    ) -> Ready:
        if read and self._due_s < math.inf:
            left_s = max(0.0, self._due_s - time.monotonic())
            timeout_s = left_s if timeout_s is None else min(timeout_s, left_s)
        if self._phase in ("reset", "configuring"):
            boxes = ()  # a reset would undo a command
        ready = super().wait_io(read, write, timeout_s=timeout_s, boxes=boxes)
        if read and not ready.readable and time.monotonic() >= self._due_s:
            self._overdue()
        return ready

    def _serve(self, port: serial.Serial) -> str | None:
        try:
            return super()._serve(port)
        except NotWanted:
            self._give_up_unsent(port)
            raise
        finally:
            self._phase, self._due_s = "closed", math.inf
            self._decoder.reopened()
            if not self._listen_only:
                with contextlib.suppress(OSError):  # unplugged
                    os.write(port.fileno(), b"s")

    def encoded(self, message: Any) -> bytes:
        """What is still to be sent, and the command."""
        command = _as_bytes(message)
        self._note(command)
        return bytes(self._unsent) + command

    def opened(self) -> None:
        if self._listen_only:
            self._phase, self._due_s = "streaming", time.monotonic() + self._stall_s
        else:
            self._reset_board()

    def _command_soon(self, command: bytes) -> None:
        """Send it, if the board has been reset; else it is sent then."""
        if self._phase in ("configuring", "streaming") and not self._listen_only:
            self._write_soon(command)

    def _write_soon(self, data: bytes) -> None:
        self._note(data)
        self._unsent = memoryview(bytes(self._unsent) + data)

    def _note(self, command: bytes) -> None:
        if self._tracker.note(command):
            self._infos.clear()

    # -- the dialogue

    def _reset_board(self) -> None:
        self._phase, self._due_s = "reset", time.monotonic() + self._answer_timeout_s
        self._answers.clear()
        self._write_soon(b"sv")

    def received(self, data: bytes) -> None:
        now_s, now_ns = time.monotonic(), time.time_ns()
        if self._phase != "streaming":
            answer = self._answers.feed(data)
            while answer is not None:
                self._answered(answer)
                answer = self._answers.feed(b"")
            return
        self._due_s = now_s + self._stall_s
        self._silence_told = False
        for batch in self._decoder.feed(data, now_s):
            self._send_rows(batch, now_ns)

    def _answered(self, answer: str) -> None:
        if self._phase == "streaming":
            return  # a second answer to the last command
        self._silence_told = False
        if self._phase == "reset":
            self._begin(answer)
            self._phase = "configuring"
            self._pending = [*self._settings_as_commands(), *self._commands]
            if self.daisy is not None:
                self._pending.insert(0, b"C" if self.daisy else b"c")
        else:
            self.send(BoardAnswered(answer), "status")
        self._next_command()

    def _begin(self, report: str) -> None:
        there = "On Daisy" in report
        if self.daisy and not there:
            raise DeviceError(f"there is no Daisy on the board at {self._last_path}: make OpenBCI(daisy=None or False)")
        daisy = there if self.daisy is None else self.daisy
        if daisy != self._decoder.daisy:
            before, self._decoder = self._decoder, CytonDecoder(daisy=daisy)
            # Rows of another rate: a step in the index makes everybody further down begin anew.
            self._decoder.index = before.index + (before.index > 0)
            self._earlier = tuple(  # type: ignore[assignment]
                a + b
                for a, b in zip(
                    self._earlier, (before.frames.frames, before.frames.discarded_bytes, before.unpaired), strict=True
                )
            )
            self._earlier_losses = (
                self._earlier_losses[0] + before.lost_rows, self._earlier_losses[1] + before.gaps
            )  # fmt: skip
            self._infos.clear()
        if self._names is not None and len(self._names) != self._decoder.channels:
            raise DeviceError(
                f"the board at {self._last_path} has {self._decoder.channels} channels, and there are "
                f"{len(self._names)} channel_names"
            )
        log.info("%s: the board says %s", self.path, report.replace("\n", "; "))
        self.send(BoardReady(daisy, report), "status")

    def _next_command(self) -> None:
        if self._pending:
            self._write_soon(self._pending.pop(0))
            self._due_s = time.monotonic() + _COMMAND_ANSWER_S
        else:
            self._write_soon(b"b")
            self._phase, self._due_s = "streaming", time.monotonic() + self._stall_s

    def _overdue(self) -> None:
        if self._phase == "configuring":
            log.warning("%s: the board did not answer to a command within %g s", self.path, _COMMAND_ANSWER_S)
            self._next_command()
            return
        silent_s = self._stall_s if self._phase == "streaming" else self._answer_timeout_s
        if not self._silence_told:
            self._silence_told = True
            self._silences += 1
            log.warning("%s: nothing comes from the board for %g s; is it on?", self.path, silent_s)
            self.send(BoardSilent(silent_s), "status")
        if self._listen_only:
            self._due_s = math.inf
            return
        if self._phase == "streaming":
            self._decoder.reopened()
        self._reset_board()

    # -- what it sends

    def _send_rows(self, batch: CytonBatch, now_ns: int) -> None:
        rows = len(batch.counts)
        self._rows += rows
        if batch.lost:
            log.warning("%s: %d rows are missing before row %d", self.path, batch.lost, batch.index)
            self.send(DeviceGap(batch.index, batch.lost, "the frames' counter, and time"), "status")
        if not self._infos:
            self._infos = self._describe()
        info = self._infos["outbox"]
        time_ns = now_ns - round((self._decoder.index - batch.index) * 1e9 / info.sample_rate_hz)
        data: Any = batch.counts
        if self.values == "uV":
            data = (batch.counts * self._scale()).astype(np.float32)
        self.send(Chunk(data, info, batch.index, time_ns))
        if batch.end in (0xC0, 0xC3, 0xC4):
            self.send(Chunk(batch.acceleration_g, self._infos["accelerometer"], batch.index, time_ns), "accelerometer")
        if batch.aux.shape[1]:
            pins = self._infos["aux"].replace(shape=(batch.aux.shape[1],))
            self.send(Chunk(batch.aux, pins, batch.index, time_ns), "aux")
        if len(batch.board_ms):
            seconds = batch.board_ms[:, np.newaxis] / 1e3
            self.send(Chunk(seconds, self._infos["board_time"], batch.index, time_ns), "board_time")

    def _scale(self) -> Any:
        return np.array([uv_per_count(gain) for gain in self._tracker.gains[: self._decoder.channels]])

    def _describe(self) -> dict[str, StreamInfo]:
        channels = self._decoder.channels
        info = StreamInfo(
            kind="analog", dtype=np.dtype(np.float32), shape=(channels,), units="uV", name=self.name,
            sample_rate_hz=self._decoder.sample_rate_hz, channel_names=self._names or _NAMES[:channels],
            facts={"source": "OpenBCI Cyton with Daisy" if self._decoder.daisy else "OpenBCI Cyton",
                   "gains": self._tracker.gains[:channels]},
        )  # fmt: skip
        beside = info.replace(channel_names=(), units="", facts={"source": info.facts["source"]})
        raw = info.replace(dtype=np.dtype(np.int32), scale=tuple(self._scale()))
        return {
            "outbox": info if self.values == "uV" else raw,
            "accelerometer": beside.replace(shape=(3,), units="g", channel_names=("x", "y", "z")),
            "aux": beside,
            "board_time": beside.replace(dtype=np.dtype(np.float64), shape=(1,), units="s"),
        }


def _as_bytes(command: Any) -> bytes:
    if isinstance(command, str) and command.isascii():
        return command.encode()
    if isinstance(command, bytes | bytearray):
        return bytes(command)
    raise UsageError(f"OpenBCI: a command is text such as 'x1060110X', not {show_value(command)}")
