"""A stream, a block or a sweep of a simulated WSA4000: a thread that makes VITA-49 packets and sends them."""

from __future__ import annotations

import math
import struct
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from axonlike.simulators.wsa4000.band import LONGEST_CUT, TABLE, band
from axonlike.simulators.wsa4000.state import Client, Tuning

if TYPE_CHECKING:
    from axonlike.simulators.wsa4000.device import SimulatedWSA4000

__all__ = ["DIGITIZER", "EXTENSION", "IF_DATA", "RECEIVER", "Acquisition"]

RECEIVER, DIGITIZER, IF_DATA, EXTENSION = 0x90000001, 0x90000002, 0x90000003, 0x90000004

_ADC_HZ = 125_000_000
_PS_PER_ADC = 8000
_PS = 1_000_000_000_000
_GOOD_TRAILER = 0x67060000
_CLASS_ID = (0x00FF0000, 0x00010002)


class _Gone(Exception):
    """The reader has gone, or the acquisition was stopped."""


class Acquisition:
    """A stream, a block or a sweep, in a thread of its own."""

    def __init__(
        self, sim: SimulatedWSA4000, client: Client, kind: str, start_id: int, before: Acquisition | None
    ) -> None:
        self.sim = sim
        self.client = client
        self.kind = kind
        self.start_id = start_id
        self._before = before
        self._stopping = False
        self._at_once = False
        self._position = 0
        self._cut: tuple[str, int] | None = None
        self._behind_s = 0.0
        self.goes_on = True
        self.thread = threading.Thread(target=self._run, name=f"simulated WSA4000 {kind}", daemon=True)

    def stop(self, *, at_once: bool) -> None:
        """From the control thread."""
        with self.sim._changed:
            self._stopping = True
            self._at_once |= at_once
            self.goes_on = False
            self.sim._changed.notify_all()
        if at_once:
            self.thread.join()

    def _run(self) -> None:
        sim = self.sim
        try:
            if self._before is not None:
                self._before.thread.join()  # its last packet is to be whole
                self._before = None
            sim._note({"stream": "stream_start", "block": "block", "sweep": "sweep_start"}[self.kind], id=self.start_id)
            elapsed_ps = int((time.monotonic() - sim._started_s) * _PS) if sim.paced else 0
            sim._now_ps = max(sim._now_ps + _PS // 1000, sim._start_ps + elapsed_ps)
            getattr(self, f"_{self.kind}")()
        except _Gone:
            pass
        except BaseException as exc:
            sim._failure = exc
        finally:
            self.goes_on = False
            sim._note(
                {"stream": "stream_stop", "block": "block_end", "sweep": "sweep_stop"}[self.kind], id=self.start_id
            )

    # -- the three kinds

    def _stream(self) -> None:
        state = self.sim.state
        self._contexts(state.center_hz, state.shift_hz, state.decimation, state.rf_gain, state.if_gain_db, 2)
        tuning = Tuning(state.center_hz, state.shift_hz, state.decimation, state.spp)
        self._pace_from_s = time.monotonic()
        self._produced = 0
        while True:
            if fault := self.sim._take_fault("spp"):
                tuning = replace(tuning, spp=fault[1])
            self._wait_for_trigger(state.trigger)
            self._data(tuning, max(1, LONGEST_CUT // tuning.spp), continuous=True)

    def _block(self) -> None:
        state = self.sim.state
        self._wait_for_trigger(state.trigger)
        self._contexts(state.center_hz, state.shift_hz, state.decimation, state.rf_gain, state.if_gain_db, None)
        tuning = Tuning(state.center_hz, state.shift_hz, state.decimation, state.spp)
        left = state.ppb
        while left:
            left -= self._data(tuning, min(left, max(1, LONGEST_CUT // tuning.spp)))

    def _sweep(self) -> None:
        sim = self.sim
        iteration = 0
        while not sim._sweep_iterations or iteration < sim._sweep_iterations:
            for entry in list(sim.entries):
                for center_hz in range(entry.start_hz, entry.stop_hz + 1, entry.step_hz):
                    began_s = time.monotonic()
                    dwell_s = entry.dwell_s + entry.dwell_us / 1e6
                    if not self._wait_for_trigger(entry.trigger, dwell_s or None):
                        continue
                    self._contexts(
                        center_hz, entry.shift_hz, entry.decimation, entry.rf_gain, entry.if_gain_db,
                        None if iteration or center_hz != entry.start_hz or entry is not sim.entries[0] else 1,
                    )  # fmt: skip
                    tuning = Tuning(center_hz, entry.shift_hz, entry.decimation, entry.spp)
                    left = entry.ppb
                    while left:
                        left -= self._data(tuning, min(left, max(1, LONGEST_CUT // tuning.spp)))
                    sim._now_ps += 500_000_000  # tuning takes half a millisecond
                    if sim.paced:
                        rate_hz = _ADC_HZ / entry.decimation
                        self._rest(began_s + 0.0005 + entry.spp * entry.ppb / rate_hz - time.monotonic())
            iteration += 1

    def _rest(self, seconds: float) -> None:
        with self.sim._changed:
            self.sim._changed.wait_for(lambda: self._stopping, max(0.0, seconds))
        self._check()

    def _check(self) -> None:
        if self._stopping:
            raise _Gone

    def _wait_for_trigger(self, trigger: str, dwell_s: float | None = None) -> bool:
        """False if it has not come within the dwell time."""
        sim = self.sim
        if trigger == "NONE":
            return True
        delay_s = sim.trigger_delay_s
        fires_s = time.monotonic() + (math.inf if delay_s is None else delay_s)
        until_s = min(fires_s, time.monotonic() + (math.inf if dwell_s is None else dwell_s))
        with sim._changed:
            while not self._stopping and ("trigger", 0) not in sim._faults and time.monotonic() < until_s:
                sim._changed.wait(None if until_s == math.inf else max(0.0, until_s - time.monotonic()))
        self._check()
        came = sim._take_fault("trigger") is not None or time.monotonic() >= fires_s
        if came:
            sim._note("trigger")
        return came

    # -- packets

    def _head(self, kind: int, stream_id: int, words: int, extra: int = 0) -> list[int]:
        """The header words of a packet whose body has so many words."""
        sim = self.sim
        quirks = sim.quirks
        count = sim._counts[stream_id]
        sim._counts[stream_id] = (count + 1) & 15
        head = [kind << 28 | extra | count << 16, stream_id]
        if quirks.class_ids:
            head[0] |= 1 << 27
            head += _CLASS_ID
        if not quirks.without_times:
            head[0] |= 1 << 22 | 2 << 20
            seconds, picoseconds = divmod(sim._now_ps, _PS)
            head += [seconds, picoseconds >> 32, picoseconds & 0xFFFFFFFF]
        head[0] |= len(head) + words
        return head

    def _contexts(
        self, center_hz: int, shift_hz: float, decimation: int, rf_gain: str, if_gain_db: int, id_bit: int | None
    ) -> None:
        """id_bit: 2 for the id of a stream, 1 of a sweep."""
        quirks = self.sim.quirks
        level_dbm = {"HIGH": -25, "MED": -10, "LOW": 0, "VLOW": 10}[rf_gain] - if_gain_db
        rf_gain_db = {"HIGH": 30, "MED": 15, "LOW": 5, "VLOW": -5}[rf_gain]
        sent = []
        if id_bit is not None:
            swap = (8, [0]) if quirks.iq_swap_word else (0, [])
            body = [1 << 31 | swap[0] | id_bit, *swap[1], self.start_id + quirks.wrong_ids]
            sent += self._head(5, EXTENSION, len(body)) + body
        for stream_id, said in (
            (
                RECEIVER,
                [
                    (27, _hertz(center_hz)),
                    (23, [(if_gain_db * 128 & 0xFFFF) << 16 | rf_gain_db * 128 & 0xFFFF]),
                    (18, [int(41.5 * 64)]),
                ],
            ),
            (
                DIGITIZER,
                [(29, _hertz(_ADC_HZ / decimation)), (26, _hertz(shift_hz)), (24, [level_dbm * 128 & 0xFFFF])],
            ),
        ):
            packets = [said] if quirks.combined_contexts else [[one] for one in said]
            for together in packets:
                words = [1 << 31 | sum(1 << bit for bit, _ in together), *(w for _, value in together for w in value)]
                sent += self._head(4, stream_id, len(words)) + words
        self._send(struct.pack(f">{len(sent)}I", *sent), 0)

    def _data(self, tuning: Tuning, packets: int, *, continuous: bool = False) -> int:
        """Send up to so many data packets; how many it were (the dropped ones too)."""
        sim = self.sim
        quirks = sim.quirks
        while quirks.stalled:
            sim._note("stalled")
            self._rest(0.05)
        lost = 0
        if continuous and sim.paced:
            packets, lost = self._due(tuning, packets)
        self._check()
        trailer = _GOOD_TRAILER
        if quirks.unlocked:
            trailer &= ~(1 << 17)
        if quirks.over_range:
            trailer |= 1 << 13
        if quirks.inverted:
            trailer |= 1 << 14
        size_said = 0
        with sim._changed:
            special = bool(sim._faults)
        if special or lost:
            packets = 1
        if special:
            if fault := sim._take_fault("clock"):
                sim._now_ps += fault[1]
            if fault := sim._take_fault("drop"):
                sim._counts[IF_DATA] = (sim._counts[IF_DATA] + fault[1]) & 15
                self._pass(tuning, fault[1] * tuning.spp)
                sim.dropped_samples += fault[1] * tuning.spp
                sim._note("drop", packets=fault[1])
                return fault[1] if continuous else min(packets, fault[1])
            if fault := sim._take_fault("garbage"):
                sim._note("garbage", bytes=fault[1])
                self._send(bytes(np.random.default_rng(sim.seed).integers(0, 256, fault[1], np.uint8)), 0)
            if fault := sim._take_fault("unknown"):
                words = [1 << 28 | fault[1], 0x90000099, *range(fault[1] - 2)]
                self._send(struct.pack(f">{len(words)}I", *words), 0)
            if fault := sim._take_fault("lose"):
                lost += fault[1]
            if fault := sim._take_fault("size"):
                size_said = fault[1]
            if fault := sim._take_fault("truncate", "reset"):
                self._cut = fault
        if lost:
            trailer |= 1 << 12
        batch = self._make(tuning, packets, trailer)
        if size_said:
            batch[0, 0] = (int(batch[0, 0]) & 0xFFFF0000) | size_said
        self._pass(tuning, packets * tuning.spp)
        self._send(batch, batch.shape[1] * 4)
        with sim._changed:
            sim.sent_samples += packets * tuning.spp
            sim._changed.notify_all()
        if lost:
            self._pass(tuning, lost)
            sim.dropped_samples += lost
            sim._note("samples_lost", samples=lost)
        return packets

    def _pass(self, tuning: Tuning, samples: int) -> None:
        """So many samples have been taken."""
        self.sim._now_ps += samples * tuning.decimation * _PS_PER_ADC
        self._position += samples
        if self.kind == "stream":
            self._produced += samples

    def _due(self, tuning: Tuning, packets: int) -> tuple[int, int]:
        """Wait until a hundredth of a second's packets are due: how many to send, and the samples to drop then."""
        sim = self.sim
        rate_hz = _ADC_HZ / tuning.decimation
        wanted = max(1, min(packets, int(rate_hz / 100 / tuning.spp)))
        due_s = self._pace_from_s + (self._produced + wanted * tuning.spp) / rate_hz
        self._rest(due_s - time.monotonic())
        behind = int((time.monotonic() - self._pace_from_s) * rate_hz) - self._produced
        if behind > sim.memory_samples + wanted * tuning.spp:
            return 1, behind - sim.memory_samples // 2
        return wanted, 0

    def _make(self, tuning: Tuning, packets: int, trailer: int) -> npt.NDArray[np.uint32]:
        """So many data packets, one a row."""
        sim = self.sim
        head = self._head(1, IF_DATA, tuning.spp + 1, extra=1 << 26)
        words = len(head)
        batch = np.empty((packets, words + tuning.spp + 1), ">u4")
        batch[:, :words] = head
        if packets > 1:
            numbers = np.arange(packets)
            counts = (head[0] >> 16 & 15) + numbers & 15
            batch[:, 0] = (head[0] & 0xFFF0FFFF) | counts << 16
            sim._counts[IF_DATA] = int(counts[-1] + 1) & 15
            if not sim.quirks.without_times:
                step_ps = tuning.spp * tuning.decimation * _PS_PER_ADC
                seconds, first_ps = divmod(sim._now_ps, _PS)
                times = first_ps + numbers * step_ps
                batch[:, words - 3] = seconds + times // _PS
                batch[:, words - 2] = times % _PS >> 32
                batch[:, words - 1] = times % _PS & 0xFFFFFFFF
        batch[:, -1] = trailer
        batch[:, words:-1] = self._samples(tuning, packets * tuning.spp).reshape(packets, tuning.spp)
        return batch

    def _samples(self, tuning: Tuning, number: int) -> npt.NDArray[np.uint32]:
        """The next samples, I in the upper half of each word."""
        sim = self.sim
        if sim._given is not None:
            at = self._position % len(sim._given)
            if at + number <= len(sim._given):
                return sim._given[at : at + number]
            return np.take(sim._given, np.arange(at, at + number), mode="wrap")
        on_air = self._position // max(1, int(0.4 * _ADC_HZ / tuning.decimation)) % 3 == 0
        table = band(tuning.center_hz, tuning.shift_hz, tuning.decimation, sim.noise_dbfs, sim.seed, on_air)
        at = self._position % TABLE
        return table[at : at + number]

    def _send(self, data: Any, packet_bytes: int) -> None:
        """All of it; or, when it is told to stop, as far as the end of a packet. Raises _Gone."""
        sim, client = self.sim, self.client
        view = memoryview(data).cast("B")
        sent = 0
        while sent < len(view):
            if self._at_once:
                raise _Gone
            stop = len(view)
            if self._stopping and packet_bytes:
                stop = sent + -sent % packet_bytes
                if stop == sent:
                    raise _Gone
            if self._cut is not None:
                stop = min(stop, sent + self._cut[1])
            if sim.quirks.drip_bytes:
                stop = min(stop, sent + sim.quirks.drip_bytes)
            sock = client.data
            if sock is None:
                raise _Gone
            number = 0
            if stop > sent:
                try:
                    number = sock.send(view[sent:stop])
                except TimeoutError:
                    continue
                except OSError:
                    sim._note("reader_gone")
                    raise _Gone from None
            sent += number
            if self._cut is not None:
                self._cut = (self._cut[0], self._cut[1] - number)
                if self._cut[1] <= 0:
                    sim._close_data(client, reset=self._cut[0] == "reset")
                    sim._note(self._cut[0])
                    raise _Gone
            if sim.quirks.drip_bytes:
                self._rest(0.0005)


def _hertz(value: float) -> list[int]:
    fixed = round(value * (1 << 20)) & 0xFFFFFFFFFFFFFFFF
    return [fixed >> 32, fixed & 0xFFFFFFFF]
