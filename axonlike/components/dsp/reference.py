"""Against what a channel is measured: an electrode's voltage is a difference, and its other end can be chosen later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from axonlike.component import Component
from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked
from axonlike.components.dsp.samples import channel_number, engineering, engineering_info
from axonlike.errors import UsageError
from axonlike.linkage import Box
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType

__all__ = ["Channel", "Reference", "Rereference"]

Channel = int | str
Reference = str | Sequence[Channel | Sequence[Channel]]


def _kind_of(reference: Any) -> Literal["average", "channels", "pairs"] | None:
    if reference == "average" or reference == "bipolar":
        return "average" if reference == "average" else "pairs"
    if isinstance(reference, list | tuple) and reference:
        if all(_is_channel(channel) for channel in reference):
            return "channels"
        if all(isinstance(p, list | tuple) and len(p) == 2 and all(map(_is_channel, p)) for p in reference):
            return "pairs"
    return None


def _is_channel(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _reference(value: Any) -> Reference:
    if _kind_of(value) is None:
        raise ValueError("'average', 'bipolar', a list of channels or a list of pairs of channels")
    return value if isinstance(value, str) else tuple(value)


def _channels(value: Any) -> tuple[Channel, ...]:
    if not isinstance(value, list | tuple) or not all(_is_channel(channel) for channel in value):
        raise ValueError("a list of channels, numbers or names")
    return tuple(value)


class Rereference(Block):
    """Subtracts a reference from each channel. A channel is given by its number, from 0, or by its name.

    reference: "average", the mean of all channels; a list of channels, ``["A1", "A2"]``, their mean; or a list of
    pairs, ``[("Fp1", "F7"), ("F7", "T3")]``, for a bipolar montage: then a stream of so many channels comes out, each
    the first minus the second, called "Fp1-F7"; "bipolar": each channel minus the next. exclude: channels that neither
    count into an average nor are changed (an eye's, a bad one); bipolar pairs do not look at it.

    Sends floating point in the stream's units, scale and offset applied (`SosFilter` does likewise). Both settings can
    be changed while it runs.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("samples", Chunk, stream=StreamType(kind="analog"))}
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": Box("samples against the reference", Chunk, stream=StreamType(kind="analog"), required=True)
    }
    settings: ClassVar[tuple[str, ...]] = ("reference", "exclude")

    reference = Checked(_reference)
    exclude = Checked(_channels)

    def __init__(
        self, *producers: Component, reference: Reference = "average", exclude: Sequence[Channel] = ()
    ) -> None:
        self.info = None
        self._plan: _Plan | None = None
        self.reference = reference
        self.exclude = exclude
        super().__init__(*producers)

    def renew(self) -> None:
        """A setting has changed: are there such channels?"""
        if self.info is not None:
            self._plan = _Plan(self.reference, self.exclude, self.info, self.path)

    def begin(self, info: StreamInfo) -> None:
        self._plan = _Plan(self.reference, self.exclude, info, self.path)

    def process(self, chunk: Chunk) -> Chunk:
        assert self._plan is not None
        return chunk.with_data(self._plan(engineering(chunk.data, chunk.info)), self._plan.info)


class _Plan:
    """A reference, worked out for the channels of one stream."""

    def __init__(self, reference: Reference, exclude: Sequence[Channel], info: StreamInfo, where: str) -> None:
        if len(info.shape) != 1:
            raise StreamMismatch(f"{where}: rows have shape {info.shape}; it takes rows of channels")
        left_alone = {channel_number(c, info, where) for c in exclude}
        self.info = engineering_info(info)
        self._pairs: tuple[list[int], list[int]] | None = None
        self._mean_of: list[int] = []
        self._changed = [c for c in range(info.channels) if c not in left_alone]
        kind = _kind_of(reference)
        if kind == "average":
            self._mean_of = self._changed
            if not self._mean_of:
                raise UsageError(f"{where}: exclude leaves no channel for an average")
        elif kind == "channels":
            self._mean_of = [channel_number(c, info, where) for c in reference]  # type: ignore[arg-type]
        else:
            self._set_pairs(reference, info, where)

    def _set_pairs(self, reference: Any, info: StreamInfo, where: str) -> None:
        if isinstance(reference, str):
            if info.channels < 2:
                raise UsageError(f"{where}: a bipolar montage needs 2 channels or more, the stream has {info.channels}")
            reference = [(c, c + 1) for c in range(info.channels - 1)]
        pairs = [(channel_number(a, info, where), channel_number(b, info, where)) for a, b in reference]
        self._pairs = [a for a, _ in pairs], [b for _, b in pairs]
        names = info.channel_names or tuple(str(c) for c in range(info.channels))
        self.info = self.info.replace(
            shape=(len(pairs),), channel_names=tuple(f"{names[a]}-{names[b]}" for a, b in pairs)
        )

    def __call__(self, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        wide = data.astype(np.float64, copy=False)
        if self._pairs is not None:
            first, second = self._pairs
            return (wide[:, first] - wide[:, second]).astype(self.info.dtype, copy=False)
        # Added up channel by channel: a sum by numpy takes another order, and so other rounding, for other numbers of
        # rows.
        mean = np.zeros(len(wide))
        for channel in self._mean_of:
            mean += wide[:, channel]
        mean /= len(self._mean_of)
        result = np.array(wide)
        for channel in self._changed:
            result[:, channel] -= mean
        return result.astype(self.info.dtype, copy=False)
