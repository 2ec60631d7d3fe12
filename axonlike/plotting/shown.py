"""Which panels the values of a call make: the one place that decides it, whatever draws them.

A value is seen as one of five forms (a number, curves, a field, a picture, words), and each form has a kind of panel
that shows it by itself and others that a hint may ask for. The browser's viewer has the same rules in JavaScript.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from axonlike.components.ui.colormaps import COLORMAPS
from axonlike.components.ui.spectra import as_db
from axonlike.components.ui.traces import engineering
from axonlike.errors import did_you_mean, show_value
from axonlike.plotting.messages import Other, Panel
from axonlike.streams.chunk import Chunk

__all__ = ["MOST_LINES", "MOST_PANELS", "Kind", "Shown", "panels_of"]

Doubles = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Kind = Literal["lines", "points", "history", "image", "picture", "figure", "spectrum", "text"]

MOST_PANELS: Final = 64
MOST_LINES: Final = 32
_FEW: Final = 4
_MANY: Final = 16
_DEEPEST: Final = 8
_LONGEST: Final = 100_000
"""Of a list that is looked at, number by number."""
_TEXT_CHARACTERS: Final = 20_000
_NAME_CHARACTERS: Final = 240
"""Of a panel: less than the 256 that a viewer may say (`messages.Did`), since names alike get a number."""
_PLAIN = Panel()


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What one panel shows.

    kind says which of the fields have something: "history": value. "lines", "points", "spectrum": curves, shape
    (points, lines), float64, NaN for gaps; x, shape (points,), or None for ``x_start + x_step * place``; names, of the
    lines (none for one line). "image": field, shape (rows, columns), real numbers, row 0 at the bottom. "picture":
    field, shape (rows, columns) or (rows, columns, 3 or 4), uint8, row 0 at the top; "figure": the same, from a plotter
    of the user's own. "text": text. low, high: of the values (of an image, of the colours); None for what there is.
    note: what of a hint was not followed, and why.
    """

    kind: Kind
    title: str = ""
    units: str = ""
    x_label: str = ""
    x_units: str = ""
    x_start: float = 0.0
    x_step: float = 1.0
    value: float = math.nan
    x: Doubles | None = None
    curves: Doubles | None = None
    names: tuple[str, ...] = ()
    field: Array | None = None
    text: str = ""
    low: float | None = None
    high: float | None = None
    log_x: bool = False
    log_y: bool = False
    colours: str = "viridis"
    note: str = ""


def panels_of(args: Sequence[Any], kwargs: Mapping[str, Any], hints: Mapping[str, Panel]) -> dict[str, Shown]:
    """The panels that show these values of a call, by name, in order. Never raises, whatever the values are.

    Positional values are called "1", "2" and so on; entries of a dict "name.key". A hint of a panel's name goes before
    what its data says; what of it does not fit the data is told in `Shown.note`.
    """
    found: dict[str, Shown] = {}
    values: dict[str, Any] = {}
    together = _over_the_first(args) if len(args) > 1 else None
    if together is not None:
        values["1"] = together
    else:
        values.update((str(number), value) for number, value in enumerate(args, 1))
    for name, value in kwargs.items():
        values[_free(str(name), values)] = value
    left_out = _gather(values, "", found, hints, 0)
    if left_out:
        name = list(found)[-1]
        found[name] = Shown("text", text=f"{left_out + 1} more values are not shown: {MOST_PANELS} panels are the most")
    return found


def _free(name: str, taken: Mapping[str, Any]) -> str:
    if name not in taken:
        return name
    return next(new for number in range(2, len(taken) + 3) if (new := f"{name} ({number})") not in taken)


def _gather(
    values: Mapping[Any, Any], before: str, found: dict[str, Shown], hints: Mapping[str, Panel], depth: int
) -> int:
    left_out = 0
    for key, value in values.items():
        name = (before + (key if isinstance(key, str) else show_value(key)))[:_NAME_CHARACTERS]
        if isinstance(value, dict) and depth < _DEEPEST:
            left_out += _gather(value, name + ".", found, hints, depth + 1)
        elif value is None:
            continue
        elif len(found) >= MOST_PANELS:
            left_out += 1
        else:
            hint = hints.get(name, _PLAIN)
            try:
                found[_free(name, found)] = _hinted(_form(value), value, hint)
            except Exception as exc:  # of a type that we know nothing about; the others are still shown
                text = f"{show_value(value)}\n\ncannot be shown: {type(exc).__name__}: {exc}"
                found[_free(name, found)] = Shown("text", title=hint.title, text=text)
    return left_out


# ------------------------------------------------------------------------------------------------- what a value is


@dataclass(frozen=True, slots=True, eq=False)
class _Number:
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class _Curves:
    x: Doubles | None
    curves: Doubles
    names: tuple[str, ...] = ()
    kind: Kind = "lines"
    units: str = ""
    x_label: str = ""
    x_units: str = ""
    x_start: float = 0.0
    x_step: float = 1.0
    grid: Array | None = None
    """The same as a field, if it came as one."""
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    grid: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    text: str


_Form = _Number | _Curves | _Field | _Picture | _Words


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biufc"


def _form(value: Any) -> _Form:
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, bool | int | float | complex):
        return _number(value)
    if isinstance(value, str):
        return _Words(value)
    if isinstance(value, Other):
        return _Words(value.text)
    if isinstance(value, Chunk):
        return _chunk(value)
    if isinstance(value, tuple | list):
        return _sequence(value)
    if _is_numeric(value):
        return _array(value)
    return _Words(show_value(value))


def _number(value: complex) -> _Number:
    try:
        return _Number(float(abs(value)) if isinstance(value, complex) else float(value))
    except OverflowError:
        return _Number(math.nan if isinstance(value, complex) else math.inf if value > 0 else -math.inf)


def _array(array: Array) -> _Form:
    if array.ndim == 0:
        return _number(array.item())
    if array.ndim == 1:
        return _over(None, [array])
    if array.ndim == 2:
        grid = np.abs(array) if array.dtype.kind == "c" else array
        rows, columns = grid.shape
        if (columns <= _FEW and rows > _MANY) or (rows <= _FEW and columns > _MANY):
            lines = _over(None, list(array if rows <= _FEW else array.T))
            return replace(lines, grid=grid)
        return _Field(grid)
    if array.ndim == 3 and array.shape[2] in (3, 4) and (array.dtype == np.uint8 or array.dtype.kind == "f"):
        return _Picture(_bytes(array))
    return _Words(f"an array of shape {array.shape} and dtype {array.dtype}, which no panel shows; give a part of it")


def _bytes(array: Array) -> npt.NDArray[np.uint8]:
    """0..1 as 0..255, what is no number as black."""
    if array.dtype == np.uint8:
        return array
    scaled = np.clip(np.nan_to_num(array.astype(np.float32), nan=0.0), 0, 1) * 255
    return np.rint(scaled).astype(np.uint8)


def _over(x: Array | None, lines: Sequence[Array], names: Sequence[str] = ()) -> _Curves:
    """Curves over x; a complex one as two."""
    columns: list[Array] = []
    called: list[str] = []
    for number, line in enumerate(lines, 1):
        own = names[number - 1] if names else str(number) if len(lines) > 1 else ""
        if line.dtype.kind == "c":
            columns += [line.real, line.imag]
            called += [f"{own} real".strip(), f"{own} imaginary".strip()]
        else:
            columns.append(line)
            called.append(own)
    kept = columns[:MOST_LINES]
    curves = np.empty((len(kept[0]) if kept else 0, len(kept)))
    for place, column in enumerate(kept):
        curves[:, place] = column
    return _Curves(
        None if x is None else np.asarray(x, np.float64), curves, tuple(called[:MOST_LINES]) if len(kept) > 1 else (),
        left_out=len(columns) - len(kept),
    )  # fmt: skip


def _over_the_first(values: Sequence[Any]) -> tuple[Any, ...] | None:
    """These as (x, y1, y2, ...), if that is what they look like."""
    arrays = [_flat(value) for value in values]
    first = arrays[0]
    if first is None or first.dtype.kind == "c":
        return None
    if any(array is None or len(array) != len(first) for array in arrays):
        return None
    return tuple(arrays)


def _flat(value: Any) -> Array | None:
    """A value that is 1-D, or can be taken as such."""
    if _is_numeric(value) and value.ndim == 1:
        return value  # type: ignore[no-any-return]
    return _numbers(value) if isinstance(value, list | tuple) and value else None


def _numbers(values: Sequence[Any]) -> Array | None:
    """A list of numbers as an array."""
    if len(values) > _LONGEST or not all(
        isinstance(each, bool | int | float | complex) or (_is_numeric(each) and each.ndim == 0) for each in values
    ):
        return None
    if any(isinstance(each, complex) or (isinstance(each, np.ndarray) and each.dtype.kind == "c") for each in values):
        return np.array([complex(each) for each in values], np.complex128)
    return np.array([_number(each.item() if isinstance(each, np.ndarray) else each).value for each in values])


def _sequence(values: Sequence[Any]) -> _Form:
    numbers = _numbers(values)
    if numbers is not None:
        return _array(numbers)
    if len(values) > 1:
        together = _over_the_first(values[: 2 * MOST_LINES])
        if together is not None and all(_is_numeric(each) for each in values[: 2 * MOST_LINES]):
            curves = _over(together[0], together[1:])
            return replace(curves, left_out=curves.left_out + max(0, len(values) - 2 * MOST_LINES))
    if isinstance(values, list) and len(values) <= _LONGEST:
        rows = [_numbers(each) if isinstance(each, list) else None for each in values]
        if all(row is not None and len(row) == len(rows[0]) for row in rows):  # type: ignore[arg-type]
            return _array(np.stack([row for row in rows if row is not None]))
    return _Words(show_value(values))


def _chunk(chunk: Chunk) -> _Form:
    info, data = chunk.info, np.asarray(chunk.data)
    if data.dtype.kind not in "biufc":
        return _Words(show_value(chunk))
    if info.kind == "video" and len(data):
        return _array(data[-1]) if data[-1].ndim == 3 else _Picture(_greys(data[-1], None, None))
    if info.kind == "spectrum" and data.ndim > 1:
        rows = data[-1:].reshape(-1, data.shape[-1]) if len(data) else np.empty((1, data.shape[-1]))
        levels = np.abs(rows) if rows.dtype.kind == "c" else rows
        in_db = info.units.startswith("dB")
        curves = _over(None, list(levels if in_db else as_db(levels)))
        axis = info.axis
        return replace(
            curves, kind="spectrum", units=info.units if in_db else "dB",
            x_label=axis.name if axis else "", x_units=axis.units if axis else "",
            x_start=axis.start if axis else 0.0, x_step=(axis.step if axis else 1.0) or 1.0,
        )  # fmt: skip
    if info.kind == "analog" and data.ndim <= 2:
        rows = data[:, np.newaxis] if data.ndim == 1 else data
        if (info.scale is not None or info.offset is not None) and rows.dtype.kind != "c":
            rows = engineering(rows, info.scale, info.offset)
        curves = _over(None, list(rows.T), info.channel_names)
        rate_hz = info.sample_rate_hz
        timed = {"x_label": "time", "x_units": "s", "x_step": 1 / rate_hz} if rate_hz else {}
        return replace(curves, units=info.units, **timed)  # type: ignore[arg-type]
    return _array(data)


def _greys(grid: Array, low: float | None, high: float | None) -> npt.NDArray[np.uint8]:
    if grid.dtype == np.uint8 and low is None and high is None:
        return grid
    real = np.abs(grid) if grid.dtype.kind == "c" else grid.astype(np.float64)
    finite = real[np.isfinite(real)]
    bottom = low if low is not None else float(finite.min()) if finite.size else 0.0
    top = high if high is not None else float(finite.max()) if finite.size else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (real - bottom) / (top - bottom) if top > bottom else np.zeros_like(real)
    return _bytes(scaled)


# ------------------------------------------------------------------------------------------- what a hint makes of it

_LIKE_LINES = ("lines", "points", "spectrum")
_FORMS = {_Number: "a number", _Curves: "lines", _Field: "a field", _Picture: "a picture", _Words: "words"}


def _hinted(form: _Form, value: Any, hint: Panel) -> Shown:
    notes: list[str] = []
    low, high = (end if end is None or math.isfinite(end) else None for end in (hint.low, hint.high))
    if hint.log_y and low is not None and low <= 0:
        notes.append(f"low={low:g} is not used with log_y, which needs a number above 0")
        low = None
    if hint.log_y and high is not None and high <= 0:
        notes.append(f"high={high:g} is not used with log_y, which needs a number above 0")
        high = None
    kind = hint.kind
    shown = _of_kind(kind, form, value, low, high) if kind else None
    if kind and shown is None:
        notes.append(f"kind {kind!r} does not fit {_FORMS[type(form)]}")
    if shown is None:
        natural = _of_kind(_natural(form), form, value, low, high)
        assert natural is not None
        shown = natural
    if isinstance(form, _Curves) and form.left_out:
        notes.append(f"{form.left_out} more lines are not shown: {MOST_LINES} are the most")
    axes = shown.kind in (*_LIKE_LINES, "history")
    if (hint.log_x and not axes) or (hint.log_y and not axes and shown.kind != "image"):
        notes.append(f"there is no {'log_x' if hint.log_x and not axes else 'log_y'} for {shown.kind}")
    colours = hint.colours or "viridis"
    if colours not in COLORMAPS:
        notes.append(
            f"there are no colours {colours!r}{did_you_mean(colours, COLORMAPS)} (there are: {', '.join(COLORMAPS)})"
        )
        colours = "viridis"
    placed = (hint.x_start, hint.x_step) != (0.0, 1.0)
    return replace(
        shown, title=hint.title, units=hint.units or shown.units, x_label=hint.x_label or shown.x_label,
        x_units=hint.x_units or shown.x_units, x_start=hint.x_start if placed else shown.x_start,
        x_step=hint.x_step if placed else shown.x_step, low=low, high=high, log_x=hint.log_x and axes,
        log_y=hint.log_y and (axes or shown.kind == "image"), colours=colours, note="; ".join(notes),
    )  # fmt: skip


def _natural(form: _Form) -> str:
    match form:
        case _Number():
            return "history"
        case _Curves():
            return form.kind
        case _Field():
            return "image"
        case _Picture():
            return "picture"
    return "text"


def _of_kind(kind: str, form: _Form, value: Any, low: float | None, high: float | None) -> Shown | None:
    """The value as this kind of panel shows it; None if that cannot be."""
    if kind == "text":
        return Shown("text", text=(form.text if isinstance(form, _Words) else show_value(value))[:_TEXT_CHARACTERS])
    match form:
        case _Number() if kind == "history":
            return Shown("history", value=form.value, x_label="call")
        case _Curves() if kind in _LIKE_LINES:
            return _curves(kind, form)
        case _Curves() if kind == "history" and form.curves.size == 1:
            return Shown("history", value=float(form.curves[0, 0]), x_label="call")
        case _Curves(grid=np.ndarray() as grid) if kind == "image":
            return Shown("image", field=grid)
        case _Field() if kind == "image":
            return Shown("image", field=form.grid)
        case _Field() if kind == "picture":
            return Shown("picture", field=_greys(form.grid, low, high))
        case _Field() if kind in _LIKE_LINES and min(form.grid.shape) <= MOST_LINES:
            lines = form.grid if form.grid.shape[0] < form.grid.shape[1] else form.grid.T
            return _curves(kind, _over(None, list(lines)))
        case _Picture() if kind == "picture":
            return Shown("picture", field=form.pixels)
    return None


def _curves(kind: str, form: _Curves) -> Shown:
    units, x_units = form.units, form.x_units
    if kind == "spectrum":
        units, x_units = units or "dB", x_units or ("" if form.x_label else "Hz")
    return Shown(
        "points" if kind == "points" else "spectrum" if kind == "spectrum" else "lines", units=units,
        x_label=form.x_label, x_units=x_units, x_start=form.x_start, x_step=form.x_step, x=form.x, curves=form.curves,
        names=form.names,
    )  # fmt: skip
