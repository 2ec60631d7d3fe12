"""The journal beside each recording: what no sample format can hold, written as it happens, a line each.

A recording ``run.wav`` has a ``run.wav.journal.jsonl``. Its lines are JSON objects, of these kinds:

    {"stream": NAME, "info": {...}, "number": n}           a stream begins, or has changed: a new description
    {"segment": NAME, "number": n, "row": r, "index": i, "time_ns": t, "missing": m, "file": f}
                                                           from row r of the file on: the rows with index i, i + 1, ...
                                                           of description n; m rows are missing before
    {"mark": {"label": ..., "sample": i, "time_ns": t, "of": NAME, "facts": ...}}  an event
    {"verdict": "COMPLETE" or "INCOMPLETE", "reason": ..., "streams": {NAME: {"rows": ..., "missing": ..., ...}}}

The verdict is the last line. A recording without one was broken off (a kill, a power cut): it is INCOMPLETE.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from axonlike.components.file.recording.output import Output
from axonlike.components.file.recording.writer import Mark, Reader, Segment
from axonlike.streams.chunk import StreamInfo

__all__ = ["Journal", "journal_of", "read_journal", "recall"]


def journal_of(path: Path) -> Path:
    """The journal's path, for a recording's."""
    return path.with_name(path.name + ".journal.jsonl")


class Journal:
    """Writes one."""

    def __init__(self, recording: Path, *, overwrite: bool = False) -> None:
        self._output = Output(journal_of(recording), overwrite=overwrite)

    def note(self, **entry: Any) -> None:
        """Add a line; with the system when this returns."""
        self._output.write(json.dumps(entry, ensure_ascii=False, default=str).encode() + b"\n")

    def close(self) -> None:
        """Harmless a second time."""
        self._output.close()


def read_journal(recording: Path) -> Iterator[dict[str, Any]]:
    """The lines of a recording's journal; none if there is no journal. A last line that is torn is left out."""
    try:
        text = journal_of(recording).read_bytes()
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if isinstance(entry, dict):
            yield entry


def recall(reader: Reader) -> list[Segment]:
    """What the journal says of a reader's file: its segments; marks and verdict are given to the reader."""
    infos: dict[int, StreamInfo] = {}
    segments = []
    for entry in read_journal(reader.path):
        if "stream" in entry:
            infos[entry["number"]] = StreamInfo.from_dict(entry["info"])
        elif "segment" in entry and entry["file"] == reader.path.name:
            segments.append(
                Segment(
                    entry["segment"], infos[entry["number"]], entry["row"], entry["index"], entry["time_ns"],
                    entry["missing"],
                )
            )  # fmt: skip
        elif "mark" in entry:
            reader.marks.append(Mark(**entry["mark"]))
        elif "verdict" in entry:
            reader.verdict = entry
    return segments
