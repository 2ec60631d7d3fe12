"""A source, what passes its chunks on while a person watches the numbers, and a recorder: run to the end.

For `axonlike record` and `axonlike replay --to`. It needs numpy, which the commands import when they are run only.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from typing import Any, ClassVar

from axonlike.cli import errors
from axonlike.cli.output import Exit, Failure, complain
from axonlike.cli.progress import ProgressLine, size_text
from axonlike.component import Component
from axonlike.components.file.recorder import Recorded, Recorder
from axonlike.components.file.recording.journal import journal_of
from axonlike.components.producers import take_from
from axonlike.errors import AxonlikeError
from axonlike.linkage import Box
from axonlike.scheduler import Scheduler
from axonlike.streams.chunk import Chunk, Continuity

__all__ = ["Meter", "record", "run_parts"]

_MARKS = ("events", "markers")
_PATIENCE_S = 10.0  # how long after its time a source that sends nothing may take to send its first chunk
_UNDER_WAY = 2  # chunks in a box of a conversion; what is there when it is interrupted is still written
_LAG_S = 2.0  # how much longer than by the clock a source may take for the samples that were asked for


class Meter(Component):
    """Passes chunks on, counts them, and stops their source when it has had `for_s` seconds of them.

    A stream with a sample rate is cut at the row; any other, and one whose samples do not come, ends by the clock.
    `share` says how much of the work is done (0 to 1), if that is known.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": Box("chunks", Chunk)}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("the same", Chunk, required=True)}

    def __init__(self, source: Component, for_s: float | None, share: Callable[[], float] | None = None) -> None:
        self.source = source
        self.for_s = for_s
        self.share = share
        self.line = ProgressLine(sys.stderr)
        self.chunks = self.rows = self.size_bytes = 0
        self._streams: dict[str, Continuity] = {}
        self._first: dict[str, int] = {}
        self._done: set[str] = set()
        self._began_s = self._first_s = -1.0
        take_from(self, source)

    @property
    def gaps(self) -> int:
        return sum(stream.gaps for stream in self._streams.values())

    def main(self) -> Generator[Any, Any, None]:
        self._began_s = self._now_s
        try:
            while not self._is_enough():
                yield self.wait("inbox", timeout=self._pause_s())
                for chunk in self.inbox():
                    self._pass_on(chunk)
                if self.line.due:
                    self.line.show(self._text())
            assert self._scheduler is not None
            self._scheduler.stop_part(self.source, "it has been recorded for long enough")
        finally:
            self.line.clear()

    @property
    def _now_s(self) -> float:
        assert self._scheduler is not None
        return self._scheduler.time()

    def _pass_on(self, chunk: Chunk) -> None:
        if self._first_s < 0:
            self._first_s = self._now_s
        info = chunk.info
        name = info.name
        if name in self._done:
            return
        if self.for_s is not None and info.sample_rate_hz:
            end = self._first.setdefault(name, chunk.index) + math.ceil(self.for_s * info.sample_rate_hz)
            if chunk.end >= end:
                self._done.add(name)
                chunk = Chunk(chunk.data[: max(0, end - chunk.index)], info, chunk.index, chunk.time_ns)
        if not len(chunk):
            return
        self._streams.setdefault(name, Continuity()).missing(chunk)
        self.chunks += 1
        self.rows += len(chunk)
        self.size_bytes += chunk.data.nbytes
        self.send(chunk)

    def _is_enough(self) -> bool:
        if self.for_s is None:
            return False
        if self._first and self._done == set(self._first):
            return True
        if self._first_s < 0:
            return self._now_s - self._began_s >= self.for_s + _PATIENCE_S
        rated = _LAG_S if self._first else 0.0
        return self._now_s - self._first_s >= self.for_s + rated

    def _pause_s(self) -> float | None:
        """How long it may wait for a chunk: until the line or the end is due."""
        if self.for_s is None:
            return 0.25 if self.line.shown else None
        return 0.25

    def _text(self) -> str:
        passed_s = self._now_s - self._first_s if self._first_s >= 0 else 0.0
        gaps = f"{self.gaps} gap{'' if self.gaps == 1 else 's'}"
        counts = f"{self.rows} rows  {size_text(self.size_bytes)}  {gaps}"
        if self.share is not None:
            return f"{self.share():4.0%}  {counts}"
        of = f" of {self.for_s:g}" if self.for_s is not None else ""
        return f"{passed_s:.1f}{of} s  {counts}" if self._first_s >= 0 else "waiting for the first chunk"


def record(
    source: Component,
    path: str,
    *,
    for_s: float | None = None,
    overwrite: bool = False,
    share: Callable[[], float] | None = None,
) -> Recorded | None:
    """Record what a source sends. Errors are told as by `axonlike run`.

    Returns what became of it; None where nothing was recorded. Raises Failure for what cannot be done.
    """
    if not any(source.outbox_spec(name).type is Chunk for name in source.outbox_names):
        boxes = ", ".join(f"{name}: {source.outbox_spec(name).type_name}" for name in source.outbox_names)
        raise Failure(f"{type(source).__name__} sends no samples that could be recorded ({boxes})")
    try:
        meter = Meter(source, for_s, share)
        recorder = Recorder(path, overwrite=overwrite)
        if recorder.samples_path.exists() and not overwrite:
            raise Failure(f"{recorder.samples_path} is there already: choose another name, or add --overwrite")
        if share is not None:  # a file can wait, a device cannot
            for part in meter, recorder:
                part.configure_inbox("inbox", limit=_UNDER_WAY)
        meter.link((meter, "outbox"), (recorder, "inbox"))
        for name in _MARKS:
            if name in source.outbox_names and name not in source.wires().from_out:
                source.link((source, name), (recorder, "events"))
    except AxonlikeError as exc:
        raise Failure(str(exc), Exit(errors.exit_code_of(exc))) from exc
    logging.getLogger("axonlike.record").setLevel(logging.CRITICAL)  # the closing line says it
    code = run_parts(source, meter, recorder)
    result = recorder.result
    if result is None or result.verdict != "COMPLETE":
        return result
    why = ""
    if code in (Exit.FAILED, Exit.MISSING):
        why = "the source failed"
    elif code and share is not None:
        why = "interrupted"  # of a source that goes on for ever, Ctrl-C is the ordinary end
    elif not result.streams:
        why = "nothing came"
    if why:
        result = replace(result, verdict="INCOMPLETE", reason=why)
        _note(recorder, result)
    return result


def _note(recorder: Recorder, result: Recorded) -> None:
    """Say in the journal too what the recorder could not know: its last line counts."""
    try:
        with journal_of(recorder.samples_path).open("ab") as journal:
            journal.write(json.dumps(asdict(result), ensure_ascii=False).encode() + b"\n")
    except OSError as exc:
        complain(f"the journal says COMPLETE all the same: {exc}")


def run_parts(*parts: Component) -> int:
    """Run them to the end; an error is told. Returns its exit code, 0, or what a signal makes of it (130)."""
    logging.basicConfig(format="%(asctime)s  %(levelname)-8s  %(message)s", datefmt="%H:%M:%S")
    os.environ.setdefault("AXONLIKE_OBSERVE", "1")
    try:
        Scheduler().run(*parts)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else Exit.INTERRUPTED
    except BaseException as exc:
        errors.show(exc)
        return errors.exit_code_of(exc)
    return Exit.OK
