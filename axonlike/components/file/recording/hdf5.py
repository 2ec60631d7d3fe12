"""HDF5: several streams in one file, for h5py, MATLAB and everything that reads it.

    /streams/NAME                  a group for each stream; a second description of it (a retune) is NAME~2, NAME~3 ...
        .attrs["info"]             what its rows are, as JSON
        data                       (rows, ...) in the stream's own dtype
        segments                   (row, index, time_ns, missing, order): where rows follow each other without a gap;
                                   time_ns is -1 where it is unknown, order counts the segments of the whole file
    /marks                         label, sample, time_ns, of

Each chunk is a step (see `steps`), so neither a kill nor a full disk costs anything that was whole, or the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from axonlike.components.file.recording.journal import recall
from axonlike.components.file.recording.steps import FileInSteps, System, finish_last_step
from axonlike.components.file.recording.writer import Mark, Reader, Segment, Writer
from axonlike.components.file.trouble import file_trouble
from axonlike.errors import MissingExtra, UsageError
from axonlike.streams.chunk import Chunk, StreamInfo

__all__ = ["HDF5Reader", "HDF5Writer"]

_CHUNK_BYTES = 1 << 18
_SEGMENT = np.dtype([("row", "<i8"), ("index", "<i8"), ("time_ns", "<i8"), ("missing", "<i8"), ("order", "<i8")])


def _h5py(who: str) -> Any:
    try:
        import h5py
    except ImportError as exc:
        raise MissingExtra(who, "h5py", "record") from exc
    return h5py


class HDF5Writer(Writer):
    """Any streams."""

    several: ClassVar[bool] = True

    def __init__(self, path: Path, *, overwrite: bool = False, system: System = os) -> None:
        h5py = _h5py("Recorder")
        self._steps = FileInSteps(path, overwrite=overwrite, system=system)
        self._file = h5py.File(self._steps, "w", libver=("earliest", "v110"))
        self._file.create_group("streams")
        text = h5py.string_dtype()
        mark = np.dtype([("label", text), ("sample", "<i8"), ("time_ns", "<i8"), ("of", text)])
        self._marks = self._file.create_dataset("marks", (0,), mark, maxshape=(None,), chunks=(64,))
        self._file.flush()
        self._steps.commit()
        self._groups: dict[str, list[tuple[StreamInfo, Any]]] = {}
        self._now: dict[str, Any] = {}  # the group that each stream's rows go to
        self._order = 0

    @staticmethod
    def takes(info: StreamInfo) -> str | None:
        return None

    @staticmethod
    def goes_on(old: StreamInfo, new: StreamInfo) -> bool:
        return True

    def segment(self, segment: Segment) -> None:
        time_ns = -1 if segment.time_ns is None else segment.time_ns
        with self._disk_may_fail():
            group = self._now[segment.stream] = self._group(segment.stream, segment.info)
            table = group["segments"]
            table.resize((len(table) + 1,))
            table[-1] = (len(group["data"]), segment.index, time_ns, segment.missing, self._order)
        self._order += 1

    def _group(self, stream: str, info: StreamInfo) -> Any:
        known = self._groups.setdefault(stream, [])
        for had, group in known:
            if had == info:
                return group
        name = stream.replace("/", "_") if not known else f"{stream.replace('/', '_')}~{len(known) + 1}"
        group = self._file["streams"].create_group(name)
        group.attrs["info"] = json.dumps(info.as_dict())
        group.attrs["stream"] = stream
        rows = max(1, min(_CHUNK_BYTES // info.row_bytes, 1 << 20))
        shape = (0, *info.shape)
        group.create_dataset("data", shape, info.dtype, maxshape=(None, *info.shape), chunks=(rows, *info.shape))
        group.create_dataset("segments", (0,), _SEGMENT, maxshape=(None,), chunks=(64,))
        known.append((info, group))
        return group

    def write(self, stream: str, chunk: Chunk) -> int:
        data = chunk.data
        with self._disk_may_fail():
            rows = self._now[stream]["data"]
            had = len(rows)
            rows.resize(had + len(data), axis=0)
            rows[had:] = data
            self._file.flush()
        self._steps.commit()
        return int(data.nbytes)

    def mark(self, mark: Mark) -> None:
        sample, time_ns = (-1 if value is None else value for value in (mark.sample, mark.time_ns))
        with self._disk_may_fail():
            self._marks.resize((len(self._marks) + 1,))
            self._marks[-1] = (mark.label, sample, time_ns, mark.of)
            self._file.flush()
        self._steps.commit()

    @contextmanager
    def _disk_may_fail(self) -> Iterator[None]:
        """HDF5 writes to memory here, but reads from the file what it has forgotten."""
        try:
            yield
        except OSError as exc:
            raise file_trouble("cannot add to", str(self._steps.path), exc) from exc

    def sync(self) -> None:
        self._steps.sync()

    def close(self) -> None:
        if self._file:
            self._file.close()
            try:
                self._steps.commit()
            finally:
                self._steps.close()

    def abandon(self) -> None:
        self._file.close()  # what it writes then is never committed
        self._steps.close()


class HDF5Reader(Reader):
    """A file that `HDF5Writer` wrote, also one whose writer was killed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        h5py = _h5py("Replay")
        finish_last_step(path)
        try:
            self._file = h5py.File(path, "r", locking=False)
            groups = list(self._file["streams"].values())
        except (OSError, KeyError) as exc:
            raise UsageError(f"{path} is no recording in HDF5: {exc}") from exc
        recall(self)
        found: list[tuple[int, Segment, Any, int]] = []
        for group in groups:
            info = StreamInfo.from_dict(json.loads(group.attrs["info"]))
            table, rows = group["segments"][:], len(group["data"])
            for number, entry in enumerate(table):
                stop = int(table[number + 1]["row"]) if number + 1 < len(table) else rows
                time_ns = int(entry["time_ns"])
                segment = Segment(
                    str(group.attrs["stream"]), info, int(entry["row"]), int(entry["index"]),
                    None if time_ns < 0 else time_ns, int(entry["missing"]),
                )  # fmt: skip
                found.append((int(entry["order"]), segment, group["data"], stop - segment.row))
        found.sort(key=lambda item: item[0])
        self._found = found
        if not self.marks:
            for label, sample, time_ns, of in self._file["marks"][:] if "marks" in self._file else ():
                self.marks.append(
                    Mark(
                        _text(label),
                        int(sample) if sample >= 0 else None,
                        int(time_ns) if time_ns >= 0 else None,
                        _text(of),
                    )
                )

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(segment for _, segment, _, _ in self._found)

    def rows_of(self, number: int) -> int:
        return self._found[number][3]

    def read(self, number: int, start: int, stop: int) -> npt.NDArray[Any]:
        _, segment, data, _ = self._found[number]
        return np.asarray(data[segment.row + start : segment.row + stop])

    def close(self) -> None:
        self._file.close()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
