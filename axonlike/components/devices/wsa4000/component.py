"""The WSA4000 as a component: opened while somebody wants its samples, connected anew whenever the connection breaks.

One asyncio task does everything in order (`_serve`): wait until it is wanted, connect, bring the settings over, start,
hand chunks on, stop. Demand, messages with settings and room downstream are told by callbacks, which only ring; the
task looks what has changed at places where it can act on it. So there are no states that two callbacks could confuse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from axonlike.box import Inbox
from axonlike.components.devices.wsa4000.aio import AsyncWSA4000
from axonlike.components.devices.wsa4000.client import SCPI_PORT, VRT_PORT, why
from axonlike.components.devices.wsa4000.context import Missing, Tracker, VrtStatistics
from axonlike.components.devices.wsa4000.discovery import Discovered, discover
from axonlike.components.devices.wsa4000.errors import CommandRefused, NoData, WSA4000Error
from axonlike.components.devices.wsa4000.scpi import DeviceIdentity
from axonlike.components.devices.wsa4000.settings import RfGain, Settings, SweepEntry, Trigger, check_setting
from axonlike.components.settable import Refused, Settable
from axonlike.demand import OnDemand
from axonlike.driven import Driven, Listening
from axonlike.errors import DeviceError, UsageError, show_value
from axonlike.linkage import Box
from axonlike.restarts import Backoff
from axonlike.shutdown import State
from axonlike.simulators.wsa4000 import SimulatedWSA4000
from axonlike.streams.chunk import Chunk
from axonlike.streamtype import StreamType

__all__ = ["WSA4000", "RadioConnected", "RadioDisconnected"]

log = logging.getLogger("axonlike.wsa4000")

Mode = Literal["stream", "block", "sweep"]

_WELL_AFTER_S = 5.0
"""A connection that stood for so long was well: the next loss is followed by quick tries again."""


@dataclass(frozen=True, slots=True)
class RadioConnected:
    """On `status`: both connections stand, and the lock on acquisition is ours."""

    identity: DeviceIdentity


@dataclass(frozen=True, slots=True)
class RadioDisconnected:
    """On `status`: there is no connection any more, or none could be made (once for each new reason)."""

    reason: str


def _setting(name: str) -> Any:
    """A property that checks its value and has the device follow soon."""

    def get(self: WSA4000) -> Any:
        return getattr(self._settings, name)

    def set_it(self: WSA4000, value: Any) -> None:
        if value is None:
            raise UsageError(f"{name} cannot be None once it is set")
        self._set({name: check_setting(name, value)})

    return property(get, set_it, doc=f"See `Settings`: {name}.")


class WSA4000(OnDemand, Settable, Listening, Driven):
    """``WSA4000("10.0.0.5", center_frequency_hz=2.45e9)``: the radio's samples as chunks of a stream of kind "iq".

    host: a name or an address; "auto", the only radio that answers on this network; or "demo", a simulated radio,
    which is then `simulator`. Nothing is opened before somebody wants the samples, and it is closed when nobody has
    wanted them for a second.

    mode: "stream", without gaps as long as network and reader keep up; "block", one capture after another, each
    without a gap whatever the rate, begun by the trigger if there is one; "sweep", through the entries of `sweep` again
    and again. The other settings are those of `Settings`. All can be changed by a dict on the inbox `settings` while it
    runs; the stream begins anew then, with a gap in the index. What the device refuses is told on `status` as Refused,
    and the setting is what it was.

    Chunks: dtype >i2, shape (rows, 2), scale 1/8192; info.facts has center_frequency_hz, frequency_shift_hz,
    reference_level_dbm, spectral_inversion, i_only, usable_bandwidth_hz. The index counts samples: what is lost shows
    in it exactly, by the device's own times, and so does the time between blocks and between connections. time_ns is
    the device's clock.

    When the connection breaks, or nothing comes for `read_timeout_s`, it connects again, after 0.1 s, then 0.2 s, ...
    up to `longest_retry_s`; reconnect=False makes that an error. `status` tells RadioConnected, RadioDisconnected,
    Missing (samples), Indicated (reference lock, over-range, valid data), Changed, Refused. A reader that is slower
    than the radio makes the radio drop samples, which is Missing too.

    simulator: behind "demo", a SimulatedWSA4000; else None. identity: of the device, once it was connected.
    """

    Inboxes: ClassVar[dict[str, Any]] = {}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box(
            "chunks of I and Q", Chunk, required=True, stream=StreamType(kind="iq", dtype="int16", channels=2)
        ),
        "status": "RadioConnected, RadioDisconnected, Missing, Indicated, Changed, Refused",
    }
    settings: ClassVar[tuple[str, ...]] = (*(f.name for f in fields(Settings)), "mode", "sweep")

    def __init__(
        self,
        host: str,
        scpi_port: int = SCPI_PORT,
        vrt_port: int = VRT_PORT,
        *,
        mode: Mode = "stream",
        center_frequency_hz: float = 2.45e9,
        frequency_shift_hz: float = 0.0,
        decimation: int = 16,
        rf_gain: RfGain = "HIGH",
        if_gain_db: int = 0,
        antenna: int = 1,
        preselect: bool = False,
        reference: Literal["INT", "EXT"] = "INT",
        samples_per_packet: int = 16384,
        packets_per_block: int = 16,
        trigger: Trigger | Literal["NONE"] = "NONE",
        sweep: Sequence[SweepEntry] = (),
        reconnect: bool = True,
        connect_timeout_s: float = 5.0,
        reply_timeout_s: float = 5.0,
        reply_gap_s: float = 0.05,
        read_timeout_s: float = 5.0,
        first_retry_s: float = 0.1,
        longest_retry_s: float = 30.0,
        simulator: SimulatedWSA4000 | None = None,
        find_radios: Callable[[], Sequence[Discovered]] = discover,
    ) -> None:
        """simulator: the one to start and connect to, in place of "demo"'s own. find_radios: what "auto" asks; it is
        called in a thread.
        """
        if not isinstance(host, str) or not host:
            raise UsageError(f'WSA4000: host is a name, an address, "auto" or "demo", not {host!r}')
        for what, port in (("scpi_port", scpi_port), ("vrt_port", vrt_port)):
            if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
                raise UsageError(f"WSA4000: {what} is a number from 1 to 65535, not {port!r}")
        self.host = host
        self.scpi_port = scpi_port
        self.vrt_port = vrt_port
        self.reconnect = reconnect
        self.simulator = simulator or (SimulatedWSA4000() if host == "demo" else None)
        self.identity: DeviceIdentity | None = None
        self.connected = False
        self._find_radios = find_radios
        self._timeouts = {
            "connect_timeout_s": connect_timeout_s,
            "reply_timeout_s": reply_timeout_s,
            "reply_gap_s": reply_gap_s,
            "read_timeout_s": read_timeout_s,
        }
        self._read_timeout_s = read_timeout_s
        self._tracker = Tracker(name=f"WSA4000 {host}")
        self._backoff = Backoff(first_retry_s, longest_retry_s)
        self._settings = Settings(
            center_frequency_hz=center_frequency_hz,
            frequency_shift_hz=frequency_shift_hz,
            decimation=decimation,
            rf_gain=rf_gain,
            if_gain_db=if_gain_db,
            antenna=antenna,
            preselect=preselect,
            reference=reference,
            samples_per_packet=samples_per_packet,
            packets_per_block=packets_per_block,
            trigger=trigger,
        )
        self._sweep = _checked_sweep(sweep)
        self._mode = _checked_mode(mode)
        if mode == "sweep" and not self._sweep:
            raise UsageError('WSA4000: mode="sweep" needs sweep=[SweepEntry(...), ...]')
        self._brought = (self._settings, self._mode, self._sweep)
        self._task: asyncio.Task[None] | None = None
        self._wsa: AsyncWSA4000 | None = None
        self._bell: asyncio.Event | None = None
        self._told_reason = ""

    center_frequency_hz = _setting("center_frequency_hz")
    frequency_shift_hz = _setting("frequency_shift_hz")
    decimation = _setting("decimation")
    rf_gain = _setting("rf_gain")
    if_gain_db = _setting("if_gain_db")
    antenna = _setting("antenna")
    preselect = _setting("preselect")
    reference = _setting("reference")
    samples_per_packet = _setting("samples_per_packet")
    packets_per_block = _setting("packets_per_block")
    trigger = _setting("trigger")

    @property
    def mode(self) -> Mode:
        """stream, block or sweep."""
        return self._mode

    @mode.setter
    def mode(self, value: Mode) -> None:
        mode = _checked_mode(value)
        if mode == "sweep" and not self._sweep:
            raise UsageError("mode cannot be sweep before there are entries: set `sweep` first")
        self._mode = mode
        self._ring()

    @property
    def sweep(self) -> tuple[SweepEntry, ...]:
        """The entries of the sweep."""
        return self._sweep

    @sweep.setter
    def sweep(self, value: Sequence[SweepEntry]) -> None:
        self._sweep = _checked_sweep(value)
        self._ring()

    @property
    def packet_statistics(self) -> VrtStatistics:
        """What came over the data port so far, and what is missing; over all connections."""
        return self._tracker.snapshot()

    def _set(self, change: dict[str, Any]) -> None:
        self._settings = Settings(**change).over(self._settings)
        self._ring()

    # -- what rings. All in the scheduler's thread.

    def start(self) -> None:
        self.begin()
        self.listen()

    def begin(self) -> None:
        scheduler = self._scheduler
        assert scheduler is not None
        assert scheduler.loop is not None
        self._bell = asyncio.Event()
        if self.name != type(self).__name__:  # of several radios each has a name of its own
            self._tracker.name = f"{self.name} {self.host}"
        self._task = scheduler.loop.create_task(self._serve(), name=self.path)
        self._task.add_done_callback(self._served)

    def notify(self, inbox: Inbox) -> None:
        if inbox.name == "settings":
            self.take_settings()
            inbox.settle()  # there is no step after which the scheduler would
            return
        inbox.take_up_to(inbox.depth)  # of `demand`: `wanted` says it. Of `inbox`: nobody has a use for it.
        scheduler = self._scheduler
        if inbox.name == "demand" and scheduler is not None:
            if self.wanted:
                scheduler.hold(self, f"{self.path} has its radio")
            self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()
        if self._wsa is not None:
            self._wsa.interrupt()

    def end_of_input(self) -> None:
        """Told to finish (on `control`), or nothing can happen any more: an ordinary end, after a word to the radio."""
        scheduler = self._scheduler
        if self._task is None or self._task.done():
            self.end()
        elif scheduler is not None:
            scheduler.hold(self, f"{self.path} takes leave of its radio")  # which takes some turns of the loop
            self._task.cancel()

    def close_body(self) -> bool:
        if self._task is None or self._task.done():
            self.stopped()
            return True
        self._task.cancel()
        return False

    def stopped(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
        if self.simulator is not None:
            self.simulator.close()

    def _served(self, task: asyncio.Task[None]) -> None:
        scheduler = self._scheduler
        exc = None if task.cancelled() else task.exception()
        if scheduler is None or self._stands is State.ENDED:
            return
        if exc is not None:
            self.fail(exc)
        else:
            self.stopped()
            scheduler.part_ended(self)

    # -- the task

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._until_wanted()
            began_s = loop.time()
            try:
                await self._session()
                self._backoff.reset()
                self.send(RadioDisconnected("nobody wants its samples any more"), "status")
                continue
            except (WSA4000Error, DeviceError, OSError) as exc:
                if not self.reconnect:
                    raise
                self._tell_down(exc)
            finally:
                self.connected = False
                self._wsa = None
            if loop.time() - began_s > _WELL_AFTER_S:
                self._backoff.reset()
            await self._pause(self._backoff.next_delay_s())

    async def _until_wanted(self) -> None:
        assert self._bell is not None
        scheduler = self._scheduler
        while not self.wanted:
            if scheduler is not None:
                scheduler.release(self)  # what nobody wants brings nothing, and does not keep the run from ending
            self._bell.clear()
            await self._bell.wait()

    async def _pause(self, seconds: float) -> None:
        """As long, but not after it is not wanted any more."""
        assert self._bell is not None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while self.wanted and (left_s := until_s - loop.time()) > 0:
            self._bell.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._bell.wait()
            except TimeoutError:
                return

    async def _session(self) -> None:
        """One connection, from opening to closing."""
        host, scpi_port, vrt_port = await self._where()
        self._wsa = wsa = AsyncWSA4000(host, scpi_port, vrt_port, tracker=self._tracker, **self._timeouts)
        try:
            await wsa.open()
            assert wsa.identity is not None
            self.identity, self.connected, self._told_reason = wsa.identity, True, ""
            log.info("%s: connected to %s, %s %s", self.path, wsa.peer, wsa.identity.model, wsa.identity.serial)
            self.send(RadioConnected(wsa.identity), "status")
            while self.wanted:
                await self._bring_settings(wsa)
                await self._acquire(wsa)
        finally:
            await wsa.aclose()

    async def _where(self) -> tuple[str, int, int]:
        if self.simulator is not None:
            if not self.simulator.running:
                self.simulator.start()
            return self.simulator.host, self.simulator.scpi_port, self.simulator.vrt_port
        if self.host == "auto":
            found = await asyncio.get_running_loop().run_in_executor(None, self._find_radios)
            if len(found) != 1:
                there_are = ", ".join(f"{radio.host} ({radio.serial})" for radio in found)
                raise DeviceError(
                    f"{len(found)} radios answer on this network: {there_are}; name the host you mean"
                    if found
                    else 'no radio answers on this network: is it switched on, or is it behind a router? "auto" sees '
                    "only this network; name its host"
                )
            return found[0].host, self.scpi_port, self.vrt_port
        return self.host, self.scpi_port, self.vrt_port

    async def _bring_settings(self, wsa: AsyncWSA4000) -> None:
        """What differs from what the device has. It may refuse some of it, which then is as before."""
        settings, mode, sweep = self._settings, self._mode, self._sweep
        for name, value in settings.changes_from(wsa.settings).items():
            try:
                await wsa.configure(**{name: value})
            except CommandRefused as exc:
                self.refused += 1
                log.warning("%s: %s", self.path, exc)
                self.send(Refused({name: value}, str(exc)), "status")
                if (before := getattr(wsa.settings, name)) is None:
                    continue
                settings = Settings(**{name: before}).over(settings)
                if getattr(self._settings, name) == value:  # and nothing else was asked for meanwhile
                    self._settings = Settings(**{name: before}).over(self._settings)
        self._brought = (settings, mode, sweep)

    @property
    def _changed(self) -> bool:
        """Is something else wanted by now than what goes on? Not so after a message that was refused and taken back."""
        return (self._settings, self._mode, self._sweep) != self._brought

    async def _acquire(self, wsa: AsyncWSA4000) -> None:
        """Hand on what comes, until it is not wanted any more or something else is set."""
        settings, mode, sweep = self._brought
        triggered = settings.trigger != "NONE"
        if mode == "block":
            while self.wanted and not self._changed:
                left = await wsa.block_samples()
                await wsa.start_block()
                if await self._hand_on(wsa, patient=triggered, samples=left):
                    await wsa.abort()  # of a block that had not come whole
        elif mode == "sweep":
            await wsa.start_sweep(sweep)
            if await self._hand_on(wsa, patient=any(entry.trigger for entry in sweep)):
                await wsa.stop_sweep()
        else:
            await wsa.start_stream()
            if await self._hand_on(wsa, patient=triggered):
                await wsa.stop_stream()

    async def _hand_on(self, wsa: AsyncWSA4000, *, patient: bool, samples: int | None = None) -> bool:
        """Until so many samples have come, or something has changed: True if the device is to be told to stop.

        patient: a trigger may take its time; then silence means only that the device is asked whether it lives.
        """
        left = samples
        while self.wanted and not self._changed:
            try:
                items = await wsa.receive()
            except NoData:
                if not patient:
                    raise
                await wsa.locks()
                continue
            for item in items:
                if isinstance(item, Chunk):
                    self.send(item)
                    if left is not None:
                        left -= len(item)
                else:
                    self.send(item, "status")
                    if left is not None and isinstance(item, Missing):
                        left -= item.samples
            if not self.has_room:
                await self._room()
            if left is not None and left <= 0:
                return False
        return self.wanted  # else the connection is closed, which stops everything

    async def _room(self) -> None:
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def there_is() -> None:
            if not room.done():
                room.set_result(None)

        self.when_room(there_is)
        await room

    def _tell_down(self, exc: BaseException) -> None:
        reason = why(exc)
        if self.connected or reason != self._told_reason:
            self._told_reason = reason
            log.warning("%s: %s", self.path, reason)
            self.send(RadioDisconnected(reason), "status")


def _checked_mode(value: Any) -> Mode:
    if value not in ("stream", "block", "sweep"):
        raise UsageError(f"mode is stream, block or sweep, not {show_value(value)}")
    mode: Mode = value
    return mode


def _checked_sweep(value: Any) -> tuple[SweepEntry, ...]:
    entries = tuple(value)
    if not all(isinstance(entry, SweepEntry) for entry in entries):
        raise UsageError(f"sweep is a list of SweepEntry, not {show_value(value)}")
    return entries


