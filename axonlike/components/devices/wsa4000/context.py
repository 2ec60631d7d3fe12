"""From packets to chunks: which settings hold for which samples, what is missing, and what the indicators say.

Settings. What was sent to the device holds until it says something else itself: each context packet overwrites the
fields that it names, for the data that follow. So it does not matter whether the fields come one in a packet or all in
one. A change makes a new StreamInfo; data of before and after are never in one chunk.

What is missing. Data packets have a count of 4 bits and the exact time of their first sample. A step in the count says
that packets are missing, the indicator "sample loss" that samples are; how many, the times say. A step in time alone
is a loss if it is a whole multiple of 16 packets (then the count has come round; if their size changes at the same
place, any number of samples), and else a correction of the device's clock. Without times the count alone has to do,
modulo 16.

What is stale. A stream or sweep is begun with a fresh id, and all data are dropped until a context packet names it:
flushing the device does not empty the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from axonlike.components.devices.wsa4000.settings import (
    ADC_RATE_HZ,
    DECIMATED_USABLE,
    FULL_USABLE_HZ,
    I_ONLY_UP_TO_HZ,
    PICOSECONDS_PER_ADC_SAMPLE,
)
from axonlike.components.devices.wsa4000.vrt import (
    EXTENSION,
    ContextPacket,
    DataPackets,
    Packet,
    Trailer,
    UnknownPacket,
)
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["Indicated", "Missing", "Tracker", "VrtStatistics"]

# A longer interval between two packets is taken for a clock that was set, not for samples that are missing.
_LONGEST_GAP_PS = 86_400 * 1_000_000_000_000
_INFOS_KEPT = 4096
_RESTART_ROWS = 1


@dataclass(frozen=True, slots=True)
class Missing:
    """Samples are missing before the one with this index. cause: what told of it."""

    index: int
    samples: int
    cause: str


@dataclass(frozen=True, slots=True)
class Indicated:
    """An indicator of the data packets changed: "reference lock" lost or back, "over-range", "valid data", ... ."""

    indicator: str
    value: bool
    index: int


@dataclass(slots=True)
class VrtStatistics:
    """What came over the data port, and what did not."""

    packets: int = 0
    samples: int = 0
    missing_samples: int = 0
    gaps: int = 0
    stale_packets: int = 0
    """Of an earlier stream, dropped."""
    discarded_samples: int = 0
    """Received, and not taken by anybody before something else was begun."""
    context_packets: int = 0
    missing_context_packets: int = 0
    unknown_packets: int = 0
    over_range_packets: int = 0
    unlocked_packets: int = 0
    invalid_packets: int = 0
    clock_steps: int = 0
    """Times that moved though nothing was missing."""


_WATCHED = ("valid_data", "reference_lock", "over_range")


class Tracker:
    """Packets in, chunks and what is to be told out. Kept from connection to connection, so indices go on.

    name: of the stream. statistics: counts since the beginning; the same object always.
    """

    def __init__(self, name: str = "WSA4000") -> None:
        self.name = name
        self.statistics = VrtStatistics()
        self.index = 0
        """Of the next sample, if none is missing."""
        self._decimation = 1
        self._held: dict[str, float] = {}
        self._info: StreamInfo | None = None
        self._infos: dict[tuple[Any, ...], StreamInfo] = {}
        self._inversion = False
        self._counts: dict[int, int] = {}
        self._next_ps: int | None = None
        self._next_count: int | None = None
        self._spp = 0  # of the packet before
        self._loss_flagged = False
        self._after_break = False
        self._in_bursts = False
        self._awaited: tuple[str, int] | None = None
        self._indicated: dict[str, bool] = {}

    # -- what was said to the device

    def set_up(self, *, decimation: int | None = None, **held: float | None) -> None:
        """What the device was told or has said on the control port: decimation, rf_frequency_hz, frequency_offset_hz,
        reference_level_dbm. Holds until a context packet says otherwise."""
        if decimation is not None:
            self._decimation = decimation
            self._held.pop("bandwidth_hz", None)
        self._held |= {name: value for name, value in held.items() if value is not None}
        self._info = None

    def begins(self, awaited: tuple[str, int] | None = None, *, in_bursts: bool = False) -> None:
        """A stream, a sweep or a block has been asked for: what comes next does not follow what came before.

        awaited: ("stream_start_id" or "sweep_start_id", id): data before that are of an earlier one, and dropped.
        in_bursts: time may pass between packets without any being missing, as in a sweep.
        """
        self._awaited = awaited
        self._in_bursts = in_bursts
        self._info = None
        self._after_break = True
        self._loss_flagged = False

    def reconnected(self) -> None:
        """A new connection: the counts of the old one say nothing about it."""
        self._counts.clear()
        self.begins()

    @property
    def is_fresh(self) -> bool:
        """Has the awaited id come, if there is one?"""
        return self._awaited is None

    @property
    def decimation(self) -> int:
        """That of the samples now: as the device's bandwidth says it, if it does."""
        bandwidth_hz = self._held.get("bandwidth_hz", 0)
        return max(1, round(ADC_RATE_HZ / bandwidth_hz)) if bandwidth_hz > 0 else self._decimation

    @property
    def held(self) -> Mapping[str, float]:
        """All fields that context packets or `set_up` have named, with their last values."""
        return dict(self._held)

    # -- packets

    def feed(self, packet: Packet) -> list[Chunk | Missing | Indicated]:
        """What follows from the next packet."""
        if isinstance(packet, DataPackets):
            return list(self._data(packet))
        if isinstance(packet, ContextPacket):
            self._context(packet)
        elif isinstance(packet, UnknownPacket):
            self.statistics.unknown_packets += 1
        return []

    def _context(self, packet: ContextPacket) -> None:
        statistics = self.statistics
        statistics.context_packets += 1
        expected = self._counts.get(packet.stream_id)
        if expected is not None:
            statistics.missing_context_packets += (packet.count - expected) & 15
        self._counts[packet.stream_id] = (packet.count + 1) & 15
        awaited = self._awaited
        if packet.stream_id == EXTENSION and awaited is not None and packet.fields.get(awaited[0]) == awaited[1]:
            self._awaited = None
        for name, value in packet.fields.items():
            if self._held.get(name) != value:
                self._held[name] = value
                self._info = None

    def _data(self, data: DataPackets) -> Iterator[Chunk | Missing | Indicated]:
        statistics = self.statistics
        if self._awaited is not None:
            statistics.stale_packets += data.packets
            self._next_count = None
            return
        spp = data.samples_per_packet
        packet_ps = spp * self.decimation * PICOSECONDS_PER_ADC_SAMPLE
        info = self._info_for(data.trailer)
        start = 0
        for stop in self._cuts(data, packet_ps):
            time_ps = None if data.time_ps is None else data.time_ps + int(data.offsets_ps[start])  # type: ignore[index]
            missing, cause = self._missing_before(
                time_ps, (data.count + start) & 15, spp, packet_ps // spp
            )  # fmt: skip
            if missing:
                self.index += missing
                if cause:
                    statistics.missing_samples += missing
                    statistics.gaps += 1
                    yield Missing(self.index, missing, cause)
            yield from self._indicators(data.trailer, stop - start)
            samples = data.samples[start * spp : stop * spp] if stop - start < data.packets else data.samples
            yield Chunk(samples, info, self.index, None if time_ps is None else time_ps // 1000)
            self.index += len(samples)
            statistics.packets += stop - start
            statistics.samples += len(samples)
            # The last packet's own time, not one summed up: the device's clock may be a sample's length off.
            last_ps = None if data.time_ps is None else data.time_ps + int(data.offsets_ps[stop - 1])  # type: ignore[index]
            self._next_ps = None if last_ps is None else last_ps + packet_ps
            self._next_count = (data.count + stop) & 15
            self._spp = spp
            self._loss_flagged = False
            start = stop
        self._loss_flagged = bool(data.trailer.sample_loss)

    @staticmethod
    def _cuts(data: DataPackets, packet_ps: int) -> list[int]:
        """Where to cut so that within each piece the times follow each other; the last is the end."""
        if data.packets == 1 or data.offsets_ps is None:
            return [data.packets]
        off = np.abs(np.diff(data.offsets_ps) - packet_ps) > PICOSECONDS_PER_ADC_SAMPLE
        return [*(np.flatnonzero(off) + 1).tolist(), data.packets] if off.any() else [data.packets]

    def _missing_before(
        self, time_ps: int | None, count: int, spp: int, sample_ps: int
    ) -> tuple[int, str]:  # fmt: skip
        """How many samples are missing before a packet, and what tells so: "" where none were promised."""
        expected_ps, expected = self._next_ps, self._next_count
        late_ps = time_ps - expected_ps if time_ps is not None and expected_ps is not None else None
        if self._after_break or expected is None:
            self._after_break = False
            if expected_ps is None and not self.index:
                return 0, ""  # the very first
            if late_ps is not None and sample_ps <= late_ps <= _LONGEST_GAP_PS:
                return round(late_ps / sample_ps), ""
            return _RESTART_ROWS, ""  # nothing is known, but it does not follow
        skipped = (count - expected) & 15
        if late_ps is None:
            if skipped:
                return skipped * spp, f"the count of packets stepped by {skipped + 1}"
            return (1, "the device reports lost samples") if self._loss_flagged else (0, "")
        if abs(late_ps) <= PICOSECONDS_PER_ADC_SAMPLE:
            if skipped:
                self.statistics.clock_steps += 1  # the count moved and time did not: nothing is missing
            return 0, ""
        rows = round(late_ps / sample_ps)
        if rows > 0 and late_ps <= _LONGEST_GAP_PS:
            if self._loss_flagged:
                return rows, "the device reports lost samples"
            if skipped:
                return rows, f"the count of packets stepped by {skipped + 1}"
            if self._in_bursts:
                return rows, ""
            whole_rounds = rows % (16 * spp) == 0 or spp != self._spp  # of which size they were nobody knows then
            if abs(late_ps - rows * sample_ps) <= PICOSECONDS_PER_ADC_SAMPLE and whole_rounds:
                return rows, f"the time stepped by {rows} samples"
        self.statistics.clock_steps += 1
        if skipped:
            return skipped * spp, f"the count of packets stepped by {skipped + 1}"
        return (1, "the device reports lost samples") if self._loss_flagged else (0, "")

    def _indicators(self, trailer: Trailer, packets: int) -> Iterator[Indicated]:
        statistics = self.statistics
        if trailer.over_range:
            statistics.over_range_packets += packets
        if trailer.reference_lock is False:
            statistics.unlocked_packets += packets
        if trailer.valid_data is False:
            statistics.invalid_packets += packets
        for name in _WATCHED:
            value = getattr(trailer, name)
            usual = name != "over_range"
            if value is not None and value != self._indicated.get(name, usual):
                self._indicated[name] = value
                yield Indicated(name.replace("_", " "), value, self.index)

    # -- what the samples are

    def _info_for(self, trailer: Trailer) -> StreamInfo:
        inversion = bool(trailer.spectral_inversion)
        if self._info is not None and inversion == self._inversion:
            return self._info
        self._inversion = inversion
        held = self._held
        decimation = self.decimation
        center_hz, shift_hz = held.get("rf_frequency_hz"), held.get("frequency_offset_hz", 0.0)
        level_dbm, swapped = held.get("reference_level_dbm"), bool(held.get("iq_swapped"))
        sweep_id = int(held["sweep_start_id"]) if self._in_bursts and "sweep_start_id" in held else None
        key = (decimation, center_hz, shift_hz, level_dbm, inversion, swapped, sweep_id)
        info = self._infos.get(key)
        if info is None:
            if len(self._infos) >= _INFOS_KEPT:
                self._infos.clear()
            info = self._infos[key] = self._make_info(
                decimation, center_hz, shift_hz, level_dbm, inversion, swapped, sweep_id
            )
        self._info = info
        return info

    def _make_info(
        self,
        decimation: int,
        center_hz: float | None,
        shift_hz: float,
        level_dbm: float | None,
        inversion: bool,
        swapped: bool,
        sweep_id: int | None,
    ) -> StreamInfo:
        rate_hz = ADC_RATE_HZ / decimation
        facts: dict[str, Any] = {
            "source": "WSA4000",
            "decimation": decimation,
            "frequency_shift_hz": shift_hz,
            # I and Q exchanged mirror the spectrum as well.
            "spectral_inversion": inversion != swapped,
            "i_only": center_hz is not None and center_hz <= I_ONLY_UP_TO_HZ,
        }
        if center_hz is not None:
            facts["center_frequency_hz"] = center_hz
        if sweep_id is not None:
            facts["sweep_id"] = sweep_id
        if level_dbm is not None:
            facts["reference_level_dbm"] = level_dbm
        if decimation > 1:
            facts["usable_bandwidth_hz"] = DECIMATED_USABLE * rate_hz
        elif not facts["i_only"]:
            facts["usable_bandwidth_hz"] = FULL_USABLE_HZ
        return StreamInfo(
            kind="iq",
            dtype=np.dtype(">i2"),
            shape=(2,),
            sample_rate_hz=rate_hz,
            units="FS",
            channel_names=("I", "Q"),
            name=self.name,
            scale=1 / 8192,
            clock="device",
            facts=facts,
        )

    def snapshot(self) -> VrtStatistics:
        """The counts of this moment."""
        return replace(self.statistics)
