"""What panels come of what a call shows: the cases of panel_cases.json, for both who decide it, Python and JavaScript.

A value is plain JSON, or one of: ``{"array": [dtype, values]}``, ``{"ramp": [dtype, shape]}`` (0, 1, 2...),
``{"transposed": value}``, ``{"flipped": value}`` (rows in memory from the last to the first), ``{"tuple": [...]}``,
``{"complex": [real, imaginary]}``, ``{"float": "nan"}``, ``{"map": {...}}``, ``{"object": text}`` and ``{"chunk":
array, "kind": ..., "units": ..., "sample_rate_hz": ..., "axis": [name, units, start, step]}``.

What is said of a panel: kind, title, units, x_label, x_units, low, high as they stand in it; value (of a history);
x and y (y: one list for each line), or count and points (how many lines, and values in each); rows, columns and values
(row 0 is the array's own first row) of an image; rows, columns and pixels (RGB) of a picture; text. None stands for
what is not finite. Only what a case names is compared.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from axonlike.plotting.messages import Other, Panel
from axonlike.streams.chunk import Axis, Chunk, StreamInfo

__all__ = ["PanelCase", "differences", "panel_cases"]


@dataclass(frozen=True)
class PanelCase:
    """One call, and its panels."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    hints: dict[str, Panel]
    panels: dict[str, dict[str, Any]]


def panel_cases() -> list[PanelCase]:
    """All cases, their values made."""
    documents = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return [
        PanelCase(
            case["name"],
            tuple(_made(value) for value in case["args"]),
            {name: _made(value) for name, value in case["kwargs"].items()},
            {name: Panel(**hint) for name, hint in case["hints"].items()},
            case["panels"],
        )
        for case in documents
    ]


def _made(node: Any) -> Any:
    if isinstance(node, list):
        return [_made(each) for each in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"array": [dtype, values]}:
            return np.array(_made(values), dtype)
        case {"ramp": [dtype, shape]}:
            return np.arange(math.prod(shape)).reshape(shape).astype(dtype)
        case {"transposed": of}:
            return _made(of).T
        case {"flipped": of}:
            return _made(of)[::-1]
        case {"tuple": items}:
            return tuple(_made(each) for each in items)
        case {"complex": [real, imaginary]}:
            return complex(real, imaginary)
        case {"float": text}:
            return float(text)
        case {"map": items}:
            return {key: _made(each) for key, each in items.items()}
        case {"object": text}:
            return Other(text)
        case {"chunk": array, "kind": kind, "units": units, "sample_rate_hz": rate_hz}:
            data = _made(array)
            axis = node.get("axis")
            return Chunk(
                data,
                StreamInfo(
                    kind=kind, dtype=data.dtype, shape=data.shape[1:], units=units, sample_rate_hz=rate_hz,
                    axis=None if axis is None else Axis(*axis),
                ),
            )  # fmt: skip
    raise ValueError(f"no value: {node}")


def differences(expected: dict[str, dict[str, Any]], seen: dict[str, dict[str, Any]]) -> list[str]:
    """Where the panels that were made are not those of the case; both by name, the order of names counts."""
    if list(expected) != list(seen):
        return [f"panels {list(seen)}, not {list(expected)}"]
    return [
        f"{name}: {what} is {seen[name].get(what)!r}, not {wanted!r}"
        for name, facts in expected.items()
        for what, wanted in facts.items()
        if not _alike(wanted, seen[name].get(what))
    ]


def _alike(wanted: Any, seen: Any) -> bool:
    if isinstance(wanted, list):
        return isinstance(seen, list) and len(wanted) == len(seen) and all(map(_alike, wanted, seen))
    if isinstance(seen, float) and not math.isfinite(seen):
        seen = None
    if isinstance(wanted, int | float) and isinstance(seen, int | float):
        return math.isclose(wanted, seen, rel_tol=1e-6, abs_tol=1e-9)
    return type(wanted) is type(seen) and bool(wanted == seen)
