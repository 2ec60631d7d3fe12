"""What a calculation and its viewers say to each other, and how that goes over a socket or a WebSocket.

A message is one block of bytes: ``AXPL``, the version, three bytes 0, the length of the header (32 bits), the header in
JSON, and the memory of the arrays it speaks of, each part beginning at a multiple of 8 bytes. JSON, because a browser
reads it.

What comes in is not trusted: types and names are checked (msgspec), dtypes are looked up in a list, lengths have to
agree to the byte before anything is made of them. Nothing is unpickled, but by a viewer that the calculation itself
has started, from the socket that both have had since then (`decode(private=True)`): there an object of the user's own
may go to the user's own plotter. All other viewers get its text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from axonlike.errors import AxonlikeError, UsageError, show_value
from axonlike.plotting.own_objects import OwnObject, made_again
from axonlike.plotting.params import Param, ParamValue
from axonlike.streams.arrays import PLAIN_DTYPES, Buffer, in_memory_order, is_order, laid_out
from axonlike.streams.chunk import Axis, Chunk, StreamInfo

__all__ = [
    "KINDS",
    "BadMessage",
    "Counters",
    "Did",
    "Drawn",
    "Ended",
    "Failed",
    "Frame",
    "Laid",
    "Message",
    "MessageTooLong",
    "Other",
    "Panel",
    "PlotterName",
    "Ready",
    "Set",
    "Values",
    "Welcome",
    "copied",
    "decode",
    "encode",
    "is_plain",
    "parts_of",
]

MAGIC: Final = b"AXPL"
VERSION: Final = 1
FRAME_LIMIT_BYTES: Final = 64 * 1024 * 1024
ANSWER_LIMIT_BYTES: Final = 16 * 1024
"""Of what a viewer may say."""
_HEAD_BYTES: Final = 12
_DEEPEST: Final = 8
_MOST_DIMENSIONS: Final = 8
_TEXT_CHARACTERS: Final = 4000

KINDS: Final = ("", "lines", "points", "history", "image", "picture", "spectrum", "text")


class BadMessage(AxonlikeError, ValueError):
    """Bytes that are no message of this version, or contradict themselves."""

    code = "AX617"


class MessageTooLong(BadMessage):
    """A message is longer than its receiver allows."""

    code = "AX618"


# ---------------------------------------------------------------------------------------------------- what is said

_Name = Annotated[str, msgspec.Meta(max_length=256)]
_Text = Annotated[str, msgspec.Meta(max_length=_TEXT_CHARACTERS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="is"):
    pass


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one value is shown, where the data does not say it well enough.

    kind: "lines", "points" (not joined), "history" (of a number), "image" (a field in colours), "picture" (RGB or
    greys), "spectrum" (dB over frequency), "text"; "" for what fits the data. x_start, x_step: where the samples of a
    1-D array, or the columns of an image, stand. low, high: of the values; None for what there is. colours: of an
    image, a name of `axonlike.components.ui.colormaps`. log_y is for lines and histories, and for the colours of an
    image.
    """

    kind: _Name = ""
    title: _Name = ""
    units: _Name = ""
    x_label: _Name = ""
    x_units: _Name = ""
    x_start: float = 0.0
    x_step: float = 1.0
    low: float | None = None
    high: float | None = None
    log_x: bool = False
    log_y: bool = False
    colours: _Name = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"Panel: kind is one of {', '.join(map(repr, KINDS))}, not {self.kind!r}")
        if not (math.isfinite(self.x_start) and math.isfinite(self.x_step)) or self.x_step == 0:
            raise UsageError(f"Panel: x_start={self.x_start} and x_step={self.x_step} are to be numbers, x_step not 0")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise UsageError(f"Panel: low={self.low:g} is to be below high={self.high:g}")


class Counters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What has become of the calls so far.

    offered: calls. taken: frames, calls whose data was copied (for the window that looks in memory: and was new to it).
    sent: frames given to a viewer, once for each. drawn: of these, what viewers said they have drawn. dropped: calls
    that no viewer was shown (offered - taken). worst_call_s: the longest time that one call took to copy.
    """

    offered: _Count = 0
    taken: _Count = 0
    sent: _Count = 0
    drawn: _Count = 0
    dropped: _Count = 0
    worst_call_s: float = 0.0
    viewers: _Count = 0


class PlotterName(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user's class, by name. file: of the script, if the module is `__main__`. path: the calculation's sys.path."""

    module: str
    name: str
    file: str = ""
    path: tuple[str, ...] = ()


class Welcome(_Said, frozen=True, tag="welcome"):
    """To a viewer, first of all. history: of each number shown so far, rows (call, value), float64. hold: stay when the
    calculation has ended. plotter: only for a viewer that the calculation has started."""

    title: _Name = ""
    pid: _Count = 0
    fps: float = 30.0
    hold: bool = False
    controls: bool = True
    """May this viewer set parameters?"""
    panels: dict[_Name, Panel] = {}
    params: dict[_Name, Param] = {}
    values: dict[_Name, ParamValue] = {}
    history: dict[_Name, Any] = {}
    plotter: PlotterName | None = None
    memory: int = -1
    """To a viewer that the calculation has started: of which file descriptor is the memory in which frames are laid."""


class Frame(_Said, frozen=True, tag="frame"):
    """What one call of the plot showed. number: of the frame, from 1; call: which call it was, from 1; time_s: when,
    since the plot was made. Arrays are copies, read-only when they come out of `decode`."""

    number: _Count
    call: _Count = 0
    time_s: float = 0.0
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    counters: Counters = Counters()


class Laid(_Said, frozen=True, tag="laid"):
    """To a window that slept: a frame lies in the memory that it shares with the calculation."""


class Values(_Said, frozen=True, tag="values"):
    """To a viewer: parameters that were set by the calculation or in another window."""

    values: dict[_Name, ParamValue]


class Ended(_Said, frozen=True, tag="ended"):
    """To a viewer: no frame comes any more; why."""

    text: _Text = ""
    hold: bool = False


class Ready(_Said, frozen=True, tag="ready"):
    """From a viewer: it can be seen, and asks for a frame. kind: "window", "remote", "web" or what it calls itself.
    looks: it looks for frames in the memory that it shares with the calculation."""

    kind: _Name = "window"
    looks: bool = False


class Drawn(_Said, frozen=True, tag="drawn"):
    """From a viewer: it has drawn this frame, or left it out (paused), and asks for another."""

    number: _Count


class Did(_Said, frozen=True, tag="did"):
    """From a viewer: what the user did. what: "key", "click", "closed", "paused" or "resumed". key: its name. panel, x,
    y: where, in the panel's own units; button: of the mouse, from 1."""

    what: _Name
    key: _Name = ""
    panel: _Name = ""
    x: float = 0.0
    y: float = 0.0
    button: _Count = 0


class Set(_Said, frozen=True, tag="set"):
    """From a viewer: the user set a parameter."""

    name: _Name
    value: ParamValue


class Failed(_Said, frozen=True, tag="failed"):
    """From a viewer: it cannot draw, and why. ends: it ends because of that."""

    text: _Text
    ends: bool = False


Message = Welcome | Frame | Laid | Values | Ended | Ready | Drawn | Did | Set | Failed
_FROM_CALCULATION = Welcome | Frame | Laid | Values | Ended
_FROM_VIEWER = Ready | Drawn | Did | Set | Failed


class Other:
    """In the place of an object that does not go to this viewer: its text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Other) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


_ATOMS = frozenset((int, float, bool, complex, str, bytes, type(None)))


def copied(value: Any, depth: int = 0) -> Any:
    """The value as it is now, whatever becomes of it later. Arrays, lists, tuples and dicts of plain things are copied,
    what numpy can make an array of becomes one (not by way of objects), anything else is pickled."""
    kind = type(value)
    if kind is np.ndarray:
        return value.copy("K")
    if kind in _ATOMS or kind is Chunk:
        return value
    if depth < _DEEPEST:
        if kind is tuple:
            return tuple(copied(each, depth + 1) for each in value)
        if kind is list:
            return [copied(each, depth + 1) for each in value]
        if kind is dict and all(type(key) is str for key in value):
            return {key: copied(each, depth + 1) for key, each in value.items()}
    if isinstance(value, np.generic):
        return value.item() if value.dtype.str in PLAIN_DTYPES else str(value)
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        try:
            made = np.array(value)
        except Exception:
            return OwnObject(value)
        if made.dtype.str in PLAIN_DTYPES and not isinstance(value, np.ma.MaskedArray):
            return made
        if isinstance(value, np.ma.MaskedArray) and made.dtype.kind == "f":
            return np.ma.filled(value, np.nan)
    return OwnObject(value)


# ------------------------------------------------------------------------------------------------------------- encoding

_ORDINARY = frozenset((bool, type(None), str))
_to_json = msgspec.json.Encoder().encode


def is_plain(array: np.ndarray[Any, Any]) -> bool:
    """Does it go as its memory is? Other arrays are objects."""
    return array.dtype.str in PLAIN_DTYPES and array.ndim <= _MOST_DIMENSIONS


class _Writer:
    """Turns values into what JSON can hold, and gathers the memory of arrays."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self.buffers: list[Buffer] = []
        self.has_objects = False

    def node(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ORDINARY:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is int:
            return value if -(2**53) <= value <= 2**53 else {"int": str(value) if value.bit_length() < 4096 else "0"}
        if kind is np.ndarray:
            return self._array(value)
        if kind is Chunk:
            info = value.info
            said: dict[str, Any] = {"kind": info.kind, "units": info.units, "rate": info.sample_rate_hz}
            if info.axis is not None:
                said["axis"] = [info.axis.name, info.axis.units, float(info.axis.start), float(info.axis.step)]
            return {"chunk": self._array(np.asarray(value.data)), "of": said}
        if kind is tuple:
            return {"tuple": [self.node(each) for each in value]}
        if kind is list:
            return [self.node(each) for each in value]
        if kind is dict:
            return {"map": {key: self.node(each) for key, each in value.items()}}
        if kind is complex:
            return {"complex": [self.node(value.real), self.node(value.imag)]}
        if kind is OwnObject:
            self.has_objects = True
            if self.private and value.pickled is not None:
                self.buffers.append(value.pickled)
                return {"object": value.text, "at": len(self.buffers) - 1}
            return {"object": value.text}
        if kind is bytes:
            self.buffers.append(value)
            return {"bytes": len(self.buffers) - 1}
        if kind is Other:
            return {"object": value.text}
        return self.node(copied(value))

    def _array(self, array: np.ndarray[Any, Any]) -> Any:
        if not is_plain(array):
            return self.node(OwnObject(array))
        order, memory = in_memory_order(array)
        self.buffers.append(memory)
        return {"array": [array.dtype.str, list(array.shape), list(order), len(self.buffers) - 1]}


def encode(message: Message, *, private: bool = False) -> bytes:
    """The message as bytes. private: with objects of the user's own, pickled; for a viewer that we have started."""
    return b"".join(parts_of(message, private=private))


def parts_of(message: Message, *, private: bool = False) -> list[Buffer]:
    """The message in parts: its head, and for each array, which is not copied, what fills up to it and its memory."""
    writer = _Writer(private)
    document: dict[str, Any]
    if isinstance(message, Frame):
        document = {
            "is": "frame",
            "number": message.number,
            "call": message.call,
            "time_s": message.time_s,
            "counters": message.counters,
            "args": [writer.node(each) for each in message.args],
            "kwargs": {name: writer.node(each) for name, each in message.kwargs.items()},
        }
    elif isinstance(message, Welcome):
        document = msgspec.to_builtins(msgspec.structs.replace(message, history={}))
        document["history"] = {name: writer.node(each) for name, each in message.history.items()}
    else:
        document = msgspec.to_builtins(message)
    if writer.buffers:
        document["buffers"] = [len(buffer) for buffer in writer.buffers]
    try:
        header = _to_json(document)
    except UnicodeEncodeError:  # half of a surrogate pair, which a file's name may hold, is no text elsewhere
        header = json.dumps(msgspec.to_builtins(document), ensure_ascii=False).encode("utf-8", "replace")
    parts: list[Buffer] = [b"".join((MAGIC, bytes((VERSION, 0, 0, 0)), len(header).to_bytes(4, "big"), header))]
    at = _HEAD_BYTES + len(header)
    for buffer in writer.buffers:
        parts += (bytes(-at % 8), buffer)
        at += -at % 8 + len(buffer)
    return parts


# ------------------------------------------------------------------------------------------------------------- decoding

_from_calculation = msgspec.json.Decoder(dict[str, Any])
_from_viewer: msgspec.json.Decoder[Message] = msgspec.json.Decoder(_FROM_VIEWER)


def decode(
    data: Buffer, *, from_viewer: bool = False, private: bool = False, limit_bytes: int | None = None
) -> Message:
    """The message of these bytes, which are not to change any more: arrays are views of them.

    from_viewer: what a viewer may say, else what a calculation may. private: unpickle objects; only for what comes from
    the process that started this one. Raises BadMessage.
    """
    limit = limit_bytes or (ANSWER_LIMIT_BYTES if from_viewer else FRAME_LIMIT_BYTES)
    if len(data) > limit:
        raise MessageTooLong(f"a message of {len(data)} bytes; at most {limit} are taken")
    view = memoryview(data).cast("B").toreadonly()
    if bytes(view[:4]) != MAGIC:
        raise BadMessage(f"a message begins with {MAGIC!r}, this one with {bytes(view[:4])!r}: it is something else")
    if len(view) < _HEAD_BYTES or bytes(view[4:8]) != bytes((VERSION, 0, 0, 0)):
        seen = bytes(view[4:8]).hex() or "none"
        raise BadMessage(f"a message of version {seen}, known is {VERSION}: update the older end")
    header_bytes = int.from_bytes(view[8:12], "big")
    if header_bytes > len(view) - _HEAD_BYTES:
        raise BadMessage(f"a message whose header has {header_bytes} bytes, of which {len(view) - _HEAD_BYTES} came")
    header = view[_HEAD_BYTES : _HEAD_BYTES + header_bytes]
    try:
        if from_viewer and header_bytes == len(view) - _HEAD_BYTES:
            return _from_viewer.decode(header)
        document = _from_calculation.decode(header)
        lengths = msgspec.convert(document.pop("buffers", []), list[_Count])
        buffers, at = [], _HEAD_BYTES + header_bytes
        for length in lengths:
            at += -at % 8
            if length > len(view) - at:
                raise BadMessage(f"a message that is cut off: a part of {length} bytes begins at {at} of {len(view)}")
            buffers.append(view[at : at + length])
            at += length
        if at != len(view):
            raise BadMessage(f"a message that goes on for {len(view) - at} bytes behind its end")
        read = _Reader(buffers, private).value
        values: dict[str, Any] = {}
        if document.get("is") == "frame":
            values["args"] = tuple(read(node) for node in msgspec.convert(document.pop("args", []), list[Any]))
            values["kwargs"] = _each(read, document.pop("kwargs", {}))
        elif document.get("is") == "welcome":
            values["history"] = _each(read, document.pop("history", {}))
        wanted: Any = _FROM_VIEWER if from_viewer else _FROM_CALCULATION
        message = msgspec.convert(document, wanted)
        return msgspec.structs.replace(message, **values) if values else message  # type: ignore[no-any-return]
    except BadMessage:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as exc:
        raise BadMessage(f"a message that cannot be read: {exc}") from exc


def _each(read: Callable[[Any], Any], nodes: Any) -> dict[str, Any]:
    return {name: read(node) for name, node in msgspec.convert(nodes, dict[_Name, Any]).items()}


class _Reader:
    def __init__(self, buffers: list[memoryview], private: bool) -> None:
        self.buffers = buffers
        self.private = private

    def value(self, node: Any, depth: int = 0) -> Any:
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if depth > 2 * _DEEPEST:
            raise BadMessage("a message with values nested too deep")
        if isinstance(node, list):
            return [self.value(each, depth + 1) for each in node]
        if not isinstance(node, Mapping):
            raise BadMessage(f"a message with a value that is none: {show_value(node)}")
        match node:
            case {"array": [str(dtype), list(shape), list(order), int(at)]}:
                return self._array(dtype, tuple(shape), tuple(order), at)
            case {"tuple": list(items)}:
                return tuple(self.value(each, depth + 1) for each in items)
            case {"map": dict(items)}:
                return {key: self.value(each, depth + 1) for key, each in items.items()}
            case {"float": "nan" | "inf" | "-inf" as text}:
                return float(text)
            case {"int": str(text)} if len(text) < 1300:
                return int(text)
            case {"complex": [real, imaginary]}:
                return complex(self.value(real, depth + 1), self.value(imaginary, depth + 1))
            case {"bytes": int(at)}:
                return bytes(self._buffer(at))
            case {"object": str(text), "at": int(at)} if self.private:
                try:
                    return made_again(self._buffer(at))
                except Exception as exc:
                    return Other(f"{text} (it cannot be made again here: {exc})")
            case {"object": str(text)}:
                return Other(text)
            case {"chunk": Mapping() as array, "of": Mapping() as said}:
                return self._chunk(array, said)
        raise BadMessage(f"a message with a value that is none: {show_value(node)}")

    def _buffer(self, at: int) -> memoryview:
        if not 0 <= at < len(self.buffers):
            raise BadMessage(f"a message with a value in part {at} of {len(self.buffers)}")
        return self.buffers[at]

    def _array(self, name: str, shape: tuple[Any, ...], order: tuple[Any, ...], at: int) -> Any:
        dtype = PLAIN_DTYPES.get(name)
        if dtype is None:
            raise BadMessage(f"an array of dtype {name!r}, which is not in the list of those that are taken")
        if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and 0 <= n <= 2**48 for n in shape):
            raise BadMessage(f"an array of shape {shape}")
        if not all(type(axis) is int for axis in order) or not is_order(order, len(shape)):
            raise BadMessage(f"an array whose axis order {order} does not name each axis of shape {shape} once")
        content = self._buffer(at)
        if len(content) != dtype.itemsize * math.prod(shape):
            raise BadMessage(f"an array of shape {shape} and dtype {dtype}, for which {len(content)} bytes came")
        data = laid_out(content, dtype, shape, order)
        data.flags.writeable = False
        return data

    def _chunk(self, array: Mapping[str, Any], said: Mapping[str, Any]) -> Any:
        data = self.value(array)
        if not isinstance(data, np.ndarray) or data.ndim < 1:
            raise BadMessage("a chunk without samples")
        axis = said.get("axis")
        try:
            info = StreamInfo(
                kind=said.get("kind", ""), dtype=data.dtype, shape=data.shape[1:], units=str(said.get("units", "")),
                sample_rate_hz=float(said.get("rate", 0.0)), axis=None if axis is None else Axis(*axis),
            )  # fmt: skip
            return Chunk(data, info)
        except UsageError as exc:
            raise BadMessage(f"a chunk of what is no stream: {exc}") from exc
