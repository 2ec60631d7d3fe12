"""CSV: a line a row, for spreadsheets and for looking at. Numbers are written so that they read back the same."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Reader, Segment, Writer
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["CSVReader", "CSVWriter"]

_MOST_COLUMNS = 16384  # what a spreadsheet has


def _columns(info: StreamInfo) -> list[str]:
    """The names of a row's values: channels with their units, or places on the axis."""
    if info.dtype.names is not None:
        return list(info.dtype.names)
    if not info.shape:
        return ["value"]
    units = f" [{info.units}]" if info.units else ""
    if len(info.shape) == 1 and info.axis is not None:
        return [f"{value:.12g} {info.axis.units}" for value in info.axis.values(info.shape[0])]
    if info.kind == "iq":
        return ["I", "Q"]
    return [f"{name}{units}" for name in info.channel_names or (f"channel {n}" for n in range(info.shape[0]))]


class CSVWriter(Writer):
    """One stream whose rows are numbers. Two columns come first: the index, and the time in ns since 1970, if known."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._output = Output(path, overwrite=overwrite)
        self._info: StreamInfo | None = None

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        if info.dtype.kind == "c":
            return f"CSV holds real numbers, not {info.dtype}: record I and Q as whole numbers, or another format"
        if len(info.shape) > 1:
            return f"CSV holds rows of numbers, not rows of shape {info.shape}"
        if info.shape and info.shape[0] > _MOST_COLUMNS:
            return f"CSV here has at most {_MOST_COLUMNS} columns, not {info.shape[0]}"
        return None

    @staticmethod
    def goes_on(old: StreamInfo, new: StreamInfo) -> bool:
        return old.dtype == new.dtype and _columns(old) == _columns(new)

    def segment(self, segment: Segment) -> None:
        if self._info is None:
            self._info = segment.info
            self._output.write(_line(["index", "time_ns", *_columns(segment.info)]))

    def write(self, stream: str, chunk: Chunk) -> int:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        data = chunk.data
        if data.dtype.names is not None:
            values: Any = [[_plain(item) for item in row] for row in data.tolist()]
        else:
            # float32 as itself: the shortest text that reads back as the same float32
            values = (
                data.reshape(len(data), -1).astype(str)
                if data.dtype == np.float32
                else data.reshape(len(data), -1).tolist()
            )
        for number, row in enumerate(values):
            time_ns = chunk.time_ns_of(number)
            rows.writerow([chunk.index + number, "" if time_ns is None else time_ns, *row])
        return self._output.write(text.getvalue().encode())

    def sync(self) -> None:
        self._output.sync()

    def close(self) -> None:
        self._output.close()


def _plain(item: Any) -> Any:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def _line(fields: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


class CSVReader(Reader):
    """A file that `CSVWriter` wrote; what its journal says of the stream is needed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._segments = recall(self)
        if not self._segments:
            raise UsageError(
                f"{path}: a CSV file is replayed with the journal that was recorded beside it; there is none"
            )
        info = self._segments[0].info
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(line for line in file if line.endswith("\n"))  # a last line that is torn is left out
            next(rows, None)
            width = len(_columns(info))
            values = [row[2:] for row in rows if len(row) == width + 2]
        if info.dtype.names is not None:
            data = np.zeros(len(values), info.dtype)
            for number, name in enumerate(info.dtype.names):
                data[name] = [row[number] for row in values]
            self._rows: npt.NDArray[Any] = data
        else:
            self._rows = np.array(values, dtype=str).astype(info.dtype).reshape(len(values), *info.shape)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def rows_of(self, number: int) -> int:
        stop = self._segments[number + 1].row if number + 1 < len(self._segments) else len(self._rows)
        return max(0, min(stop, len(self._rows)) - self._segments[number].row)

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        first = self._segments[number].row
        return self._rows[first + start : first + stop]
