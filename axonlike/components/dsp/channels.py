"""Some of a stream's channels, or several groups of them, each as a stream of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.producers import take_from
from axonlike.components.settable import Settable
from axonlike.errors import UsageError, did_you_mean, show_value
from axonlike.linkage import Box, destination
from axonlike.streams.arrays import set_writeable
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["ChannelSelect", "ChannelSplit"]

_CHANNELLED = StreamType(kind=("analog", "digital", "map"))

Channels = tuple[int | str, ...]


class _Selection:
    """Which places of a row some channels are, and what the stream of them is."""

    def __init__(self, channels: Channels, info: StreamInfo, who: str) -> None:
        places = [_place(channel, info, who) for channel in channels]
        self.places: slice | npt.NDArray[np.intp] = _as_slice(places) or np.array(places, np.intp)
        per_channel = {
            what: tuple(value[place] for place in places)
            for what in ("scale", "offset")
            if isinstance(value := getattr(info, what), tuple)
        }
        names = tuple(info.channel_names[place] for place in places) if info.channel_names else ()
        shape = (len(places), *info.shape[1:])
        self.info = info.replace(shape=shape, channel_names=names, **per_channel)

    def of(self, chunk: Chunk) -> Chunk:
        """The chunk of these channels: a view where they lie one after the other in equal steps."""
        data = chunk.data[:, self.places]
        set_writeable(data, False)
        return Chunk.unchecked(data, self.info, chunk.index, chunk.time_ns)


def _place(channel: int | str, info: StreamInfo, who: str) -> int:
    there_are = ", ".join(info.channel_names) or f"{info.channels} without names"
    if isinstance(channel, str):
        if channel in info.channel_names:
            return info.channel_names.index(channel)
        near = did_you_mean(channel, info.channel_names)
        raise StreamMismatch(f"{who}: the stream {info.name or 'without a name'} has no channel {channel!r}{near} "
                             f"(channels: {there_are})")  # fmt: skip
    if not -info.channels <= channel < info.channels:
        raise StreamMismatch(
            f"{who}: the stream {info.name or 'without a name'} has no channel {channel} (channels: {there_are})"
        )
    return channel % info.channels


def _as_slice(places: list[int]) -> slice | None:
    """The slice that takes just these places in this order, if there is one."""
    step = places[1] - places[0] if len(places) > 1 else 1
    if step == 0 or any(after - before != step for before, after in zip(places, places[1:])):
        return None
    stop = places[-1] + (1 if step > 0 else -1)
    return slice(places[0], stop if stop >= 0 else None, step)


def _checked(channels: object, who: str) -> Channels:
    if isinstance(channels, int | str) and not isinstance(channels, bool):
        channels = (channels,)
    if isinstance(channels, Iterable):
        several = tuple(channels)
        if several and all(isinstance(each, int | str) and not isinstance(each, bool) for each in several):
            return several
    raise UsageError(
        f"{who}: channels are their numbers (from 0; below 0 from the end) or names, at least one, "
        f"not {show_value(channels)}"
    )


class ChannelSelect(Block):
    """The channels that are named, in that order: ``ChannelSelect(source, channels=["C4", 3])``.

    channels: numbers from 0 (below 0 from the end) or names. Names, scale and offset of the stream go with them.
    Raises StreamMismatch at the first chunk of a stream that has not got them all.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=_CHANNELLED)}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("the same rows, of these channels", Chunk, stream=_CHANNELLED, required=True)
    }
    settings: ClassVar[tuple[str, ...]] = ("channels",)

    _selection: _Selection | None = None

    def __init__(self, *producers: Component, channels: int | str | Iterable[int | str]) -> None:
        self.info = None
        self._channels = _checked(channels, type(self).__name__)
        super().__init__(*producers)

    @property
    def channels(self) -> Channels:
        """The channels, as they were named."""
        return self._channels

    @channels.setter
    def channels(self, channels: int | str | Iterable[int | str]) -> None:
        wanted = _checked(channels, self.path)
        if self.info is not None:
            self._selection = _Selection(wanted, self.info, self.path)
        self._channels = wanted

    def begin(self, info: StreamInfo) -> None:
        self._selection = _Selection(self._channels, info, self.path)

    def process(self, chunk: Chunk) -> Chunk:
        assert self._selection is not None
        return self._selection.of(chunk)


class ChannelSplit(Settable):
    """Each group of channels on an outbox of its own: ``ChannelSplit({"left": [0], "right": ["C4", 3]}, source)``.

    groups: names of outboxes and what `ChannelSelect` takes as channels; a channel may be in several. The chunks of all
    groups have the index of what came; `outbox` has these as they came. Outboxes that nobody takes are passed over; one
    that somebody takes is enough for the source to be wanted. Raises StreamMismatch at the first chunk of a stream that
    has not got all channels.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk, stream=_CHANNELLED)}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("all channels, as they came", Chunk, stream=_CHANNELLED, required=True)
    }
    any_demand_will_do: ClassVar[bool] = True

    def __init__(
        self, groups: Mapping[str, int | str | Iterable[int | str]], *producers: Component
    ) -> None:
        if not isinstance(groups, Mapping) or not groups:
            raise UsageError(
                f'ChannelSplit: groups are a dict such as {{"left": [0], "right": [1, 2]}}, not {show_value(groups)}'
            )
        self.groups = {name: _checked(channels, f"ChannelSplit: {name}") for name, channels in groups.items()}
        self._selections: dict[str, _Selection] = {}
        self.info: StreamInfo | None = None
        for name in self.groups:
            if not isinstance(name, str) or not name or name in self.outbox_names:
                raise UsageError(f"ChannelSplit: {name!r} cannot be the name of a group (an outbox)")
            self.add_outbox(name, f"channels {self.groups[name]}", type=Chunk, stream=_CHANNELLED, required=True)
        take_from(self, *producers)

    def feed(self, chunk: Chunk) -> dict[str, Chunk]:
        """The chunk of each group."""
        return self._split(chunk, self.groups)

    def _split(self, chunk: Chunk, names: Iterable[str]) -> dict[str, Chunk]:
        if not isinstance(chunk, Chunk):
            raise UsageError(f"{self.path}: it takes chunks (axonlike.streams.Chunk), not {show_value(chunk)}")
        if chunk.info is not self.info:
            if chunk.info != self.info:
                chunk.info.check(self.inbox_spec("inbox").stream, f"{self.path}.inbox")
                self._selections = {
                    name: _Selection(channels, chunk.info, f"{self.path}.{name}")
                    for name, channels in self.groups.items()
                }
            self.info = chunk.info
        return {name: self._selections[name].of(chunk) for name in names}

    def main(self) -> Generator[Any, Any, None]:
        inbox, settings = self.inbox("inbox"), self.inbox("settings")
        something = self.wait("inbox", "settings")
        while True:
            yield something
            if settings:
                self.take_settings()
            for chunk in inbox:
                linked = [name for name in self.groups if destination(self, name) is not None]
                for name, part in self._split(chunk, linked).items():
                    self.send(part, name)
                if not linked or destination(self, "outbox") is not None:
                    self.send(chunk)
                yield
