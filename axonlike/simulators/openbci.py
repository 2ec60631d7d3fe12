"""An OpenBCI Cyton that is not there, with or without a Daisy, at the end of a real pseudo-terminal.

It writes the protocol from its own reading of it and shares no code with the client, so that each tests the other.
BrainFlow takes it for a board, too.
"""

from __future__ import annotations

import time
from typing import Any

from axonlike.simulators.eeg import SimulatedEeg
from axonlike.simulators.happenings import Happenings
from axonlike.simulators.serial_device import SimulatedSerialDevice

__all__ = ["SimulatedOpenBCI"]

_TICK_S = 0.02
_LONGEST_BURST_S = 0.5
_GAINS = (1, 2, 4, 6, 8, 12, 24)
_LETTERS = "12345678QWERTYUI"
_OFF = "12345678qwertyui"
_ON = "!@#$%^&*QWERTYUI"
_ELECTRODES = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2", "F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4")


class SimulatedOpenBCI(SimulatedSerialDevice):
    """The board, its radio, and the dongle: `unplug`, `plug` move the dongle, `switch_off`, `switch_on` the board.

    It answers to the commands of the Cyton's firmware 3, streams 250 rows a second (with a Daisy 125) between ``b`` and
    ``s``, and keeps the commands in `commands`. frames: how many it has made since it streams.
    """

    def __init__(self, *, daisy: bool = False, firmware: str = "v3.1.2", seed: int = 1020, **options: Any) -> None:
        """The other options are those of SimulatedSerialDevice (name, directory)."""
        super().__init__(self._tick, interval_s=_TICK_S, ending=b"", **options)
        self.daisy = daisy
        self.firmware = firmware
        self.commands = Happenings()
        self.streaming = False
        self.frames = 0
        self._eeg = SimulatedEeg(_ELECTRODES[: 16 if daisy else 8], 125.0 if daisy else 250.0, seed=seed)
        self._is_on = True
        self._heard_bytes = 0
        self._command = ""
        self._since_s = 0.0
        self._frames_to_lose = 0
        self._set_defaults()
        self._mode = 0
        self._stamped = False

    def _set_defaults(self) -> None:
        self._gain = [24] * 16
        self._off = [False] * 16
        self._shorted = False

    def switch_off(self) -> None:
        """The board falls silent; the dongle stays."""
        self._is_on = False

    def switch_on(self) -> None:
        """The board is on again, and does not stream."""
        self.streaming = False
        self._is_on = True

    def lose_frames(self, count: int) -> None:
        """The radio loses the next frames: they are counted and not sent."""
        self._frames_to_lose += count

    # -- what happens at every tick, in its thread

    def _tick(self) -> bytes | None:
        new = self.received_bytes - self._heard_bytes
        self._heard_bytes += new
        if not self._is_on:
            return None
        answers = b"".join(map(self._heard, self.received[-new:].decode("latin-1"))) if new else b""
        return (answers + self._due_frames()) or None

    def _due_frames(self) -> bytes:
        if not self.streaming:
            return b""
        due = int((time.monotonic() - self._since_s) * 250)
        if self.daisy:
            due -= due % 2
        if due - self.frames > _LONGEST_BURST_S * 250:
            self.frames = due  # the dongle was away
        made = b""
        while self.frames < due:
            frame = self.frame(self.frames)
            self.frames += 1
            if self._frames_to_lose:
                self._frames_to_lose -= 1
            else:
                made += frame
        return made

    def frame(self, number: int) -> bytes:
        """The frame that is sent as number `number` since streaming began, with the present settings."""
        row = number // 2 if self.daisy else number
        values_uv = self._eeg.rows(row, 1)[0]
        first = 8 if self.daisy and number % 2 == 0 else 0
        data = b""
        for channel in range(first, first + 8):
            counts = values_uv[channel] / (4.5e6 / self._gain[channel] / (2**23 - 1))
            limited = 0 if self._off[channel] or self._shorted else max(-(2**23), min(2**23 - 1, round(counts)))
            data += limited.to_bytes(3, "big", signed=True)
        aux, end = self._aux(number)
        return bytes([0xA0, number % 256]) + data + aux + bytes([end])

    def _aux(self, number: int) -> tuple[bytes, int]:
        time_ms = (number * 4).to_bytes(4, "big")
        tilt = (number % 500) - 250
        axes = [value.to_bytes(2, "big", signed=True) for value in (tilt * 4 or 1, -tilt * 2, 8000)]  # 1 g is 8000
        if self._mode == 0:
            if self._stamped:
                axis = number % 256 % 10 - 7
                return (axes[axis] if axis >= 0 else b"\0\0") + time_ms, 0xC4
            return (b"".join(axes) if number % 10 == 0 else bytes(6)), 0xC0
        words = [(number * factor % 1024).to_bytes(2, "big") for factor in (1, 3, 7)]
        return (words[0] + time_ms, 0xC6) if self._stamped else (b"".join(words), 0xC1)

    # -- commands

    def _heard(self, char: str) -> bytes:
        if self._command:
            self._command += char
            if char == {"x": "X", "z": "Z"}.get(self._command[0]) or (
                self._command[0] in "/~" and len(self._command) == 2
            ):
                command, self._command = self._command, ""
                return self._obey(command)
            if len(self._command) > 10:
                self._command = ""
            return b""
        if char in "xz/~":
            self._command = char
            return b""
        return self._obey(char)

    def _obey(self, command: str) -> bytes:
        answer = self._answer_to(command)
        self.commands.add(command)
        if command == "v" or not self.streaming:
            return answer.encode() + b"$$$" if answer is not None else b""
        return b""

    def _answer_to(self, command: str) -> str | None:
        if command == "b":
            if not self.streaming:
                self.streaming, self.frames, self._since_s = True, 0, time.monotonic()
            return None
        if command == "s":
            self.streaming = False
            return None
        if command == "v":
            self.streaming, self._mode, self._stamped = False, 0, False
            self._set_defaults()
            daisy = "On Daisy ADS1299 Device ID: 0x3E\n" if self.daisy else ""
            return (
                "OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n"
                f"{daisy}LIS3DH Device ID: 0x33\nFirmware: {self.firmware}\n"
            )
        if command == "d":
            self._set_defaults()
            return "updating channel settings to default"
        if command[0] in "xz":
            return self._set_channel(command)
        if command in _ON or command in _OFF:
            self._off[(_ON if command in _ON else _OFF).index(command)] = command in _OFF
            return None
        if command in "0-=p[]":
            self._shorted = command == "0"
            return "Success: Configured internal test signal."
        if command[0] == "/":
            if command[1].isdigit():
                self._mode = int(command[1])
            return f"Success: {('default', 'debug', 'analog', 'digital', 'marker')[self._mode % 5]}"
        other = {
            "c": "daisy removed", "C": "16" if self.daisy else "no daisy to attach!8", "V": self.firmware,
            "D": "060110", "?": "Board ADS Registers\nADS_ID, 00, 3E", "~~": "Success: Sample rate is 250Hz",
        }  # fmt: skip
        if command in "<>":
            self._stamped = command == "<"
            return f"Time stamp {'ON' if self._stamped else 'OFF'}"
        return other.get(command)

    def _set_channel(self, command: str) -> str:
        channel = _LETTERS.find(command[1])
        if channel < 0 or len(command) != (9 if command[0] == "x" else 5):
            return "Failure: too few chars"
        if command[0] == "z":
            return f"Success: Lead off set for {channel + 1}"
        if not command[2:8].isdigit() or int(command[3]) > 6:
            return "Failure: Invalid channel setting"
        self._off[channel] = command[2] == "1"
        self._gain[channel] = _GAINS[int(command[3])]
        self._shorted = False
        return f"Success: Channel set for {channel + 1}"
