"""``axonlike replay``: a recording, printed as it goes, shown in a window, converted, or described."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonlike.cli.output import Exit, Failure
from axonlike.errors import counted

if TYPE_CHECKING:
    from axonlike.component import Component
    from axonlike.components.file.recording.writer import Mark
    from axonlike.components.file.replay import Replay
    from axonlike.streams.chunk import StreamInfo

__all__ = ["add_arguments", "describe", "run"]

_CONVERTED_BYTES = 1 << 18  # in a chunk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike replay FILE [--speed X] [--loop] [--start S] [--stream NAME] [--to FILE | --show | --info]``."""
    parser.description = (
        "Send a recording as it was recorded, gaps included, and print a line each second about what is sent. --show "
        "opens the display that fits it, --to converts it, --info only tells what is in it. In the place of a device "
        "of a script it is put by `axonlike run --replay NAME=FILE`."
    )
    parser.add_argument("file", metavar="FILE", help="a recording: .sigmf, .vrt, .wav, .csv, .h5 or .mcap")
    parser.add_argument(
        "--speed", type=float, metavar="X", help="2: twice as fast; 0: as fast as it goes (default: 1, with --to 0)"
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="SECONDS", dest="start_s", help="where to begin (default: 0)"
    )
    parser.add_argument("--stream", metavar="NAME", help="this one of several (default: all)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="FILE", help="record it anew, in the format that the ending of FILE says")
    what.add_argument("--show", action="store_true", help="in a window")
    what.add_argument("--info", action="store_true", help="streams, segments, gaps, marks, duration and verdict")
    parser.add_argument("--overwrite", action="store_true", help="with --to: even if that file is there already")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Do what is asked for."""
    from axonlike.cli.errors import exit_code_of
    from axonlike.errors import AxonlikeError, MissingExtra

    if options.overwrite and options.to is None:
        raise Failure("--overwrite says something about --to FILE only")
    if options.loop and options.to is not None:
        raise Failure("--loop never ends, so it cannot be recorded: leave out --loop or --to")
    try:
        if options.info:
            return _tell_info(options)
        if options.to is not None:
            return _convert(options)
        return _show(options) if options.show else _monitor(options)
    except MissingExtra as exc:
        raise Failure(str(exc), Exit.MISSING) from exc
    except AxonlikeError as exc:
        raise Failure(str(exc), Exit.USAGE if exit_code_of(exc) == Exit.FAILED else exit_code_of(exc)) from exc


def _replay(options: argparse.Namespace, *, speed: float = 1.0, stream: str | None = None, rows: int = 0) -> Replay:
    from axonlike.components.file.replay import Replay

    if options.start_s:
        _check_start(options)
    return Replay(
        options.file, speed=speed if options.speed is None else options.speed, loop=options.loop, rows=rows,
        stream=stream or options.stream, start_s=options.start_s,
    )  # fmt: skip


def _check_start(options: argparse.Namespace) -> None:
    duration_s = describe(options.file)["duration_s"]
    if not 0 <= options.start_s < duration_s:
        raise Failure(f"--start {options.start_s:g}: {options.file} has {duration_s:.3f} s")


# -- what is in it


def describe(path: str | Path) -> dict[str, Any]:
    """A recording as data: its streams with their segments and gaps, marks, duration, and verdict."""
    from dataclasses import asdict

    from axonlike.components.file.recording.formats import open_recording

    reader = open_recording(path)
    try:
        streams: dict[str, dict[str, Any]] = {}
        ends: dict[str, int] = {}
        for number, segment in enumerate(reader.segments):
            info, rows = segment.info, reader.rows_of(number)
            told = streams.setdefault(
                segment.stream,
                {**_info_as_data(info), "rows": 0, "duration_s": 0.0, "missing": 0, "gaps": 0, "segments": []},
            )
            expected = ends.get(segment.stream)
            missing = max(0, segment.index - expected) if expected is not None else 0
            if segment.missing > missing:  # a format that fills gaps has the rows; the journal knows that they are none
                missing = segment.missing
            ends[segment.stream] = segment.index + rows
            told["rows"] += rows
            told["missing"] += missing
            told["gaps"] += bool(missing)
            if info.sample_rate_hz:
                filled = 0 if expected is not None and segment.index <= expected else missing
                told["duration_s"] += (rows + filled) / info.sample_rate_hz
            told["segments"].append(
                {"index": segment.index, "rows": rows, "time_ns": segment.time_ns, "missing": missing}
            )
        return {
            "path": str(path),
            "duration_s": max((stream["duration_s"] for stream in streams.values()), default=0.0),
            "streams": streams,
            "marks": [asdict(mark) for mark in reader.marks],
            "verdict": (reader.verdict or {}).get("verdict", "INCOMPLETE" if _has_journal(path) else None),
            "reason": (reader.verdict or {}).get("reason", "it was broken off" if _has_journal(path) else ""),
        }
    finally:
        reader.close()


def _has_journal(path: str | Path) -> bool:
    from axonlike.components.file.recording.formats import format_of
    from axonlike.components.file.recording.journal import journal_of

    return journal_of(format_of(Path(path))[0]).exists()


def _info_as_data(info: StreamInfo) -> dict[str, Any]:
    return {
        "kind": info.kind, "dtype": str(info.dtype), "shape": list(info.shape), "sample_rate_hz": info.sample_rate_hz,
        "units": info.units, "channel_names": list(info.channel_names), "facts": dict(info.facts),
    }  # fmt: skip


def _tell_info(options: argparse.Namespace) -> int:
    told = describe(options.file)
    if options.stream is not None:
        _check_stream(options.stream, told)
        told["streams"] = {options.stream: told["streams"][options.stream]}
    if options.json:
        print(json.dumps(told, indent=2, ensure_ascii=False, default=str))
        return Exit.OK
    verdict = told["verdict"] or "no journal, so no verdict"
    why = f" ({told['reason']})" if told["reason"] else ""
    print(f"{told['path']}: {verdict}{why}, {told['duration_s']:.3f} s")
    for name, stream in told["streams"].items():
        channels = ", ".join(stream["channel_names"][:8]) + (", ..." if len(stream["channel_names"]) > 8 else "")
        shape = " x ".join(map(str, stream["shape"])) or "1"
        rate = f" at {stream['sample_rate_hz']:g} Hz" if stream["sample_rate_hz"] else ""
        print(f"  {name}: {stream['kind']}, {shape} of {stream['dtype']}{rate}{_units(stream['units'])}")
        print(f"      {stream['rows']} rows in {counted(len(stream['segments']), 'segment')}, {_gaps(stream)}")
        if channels:
            print(f"      channels: {channels}")
        for segment in stream["segments"] if len(stream["segments"]) > 1 else ():
            before = f", after {segment['missing']} missing" if segment["missing"] else ""
            print(f"      {segment['rows']} rows from index {segment['index']} on{before}")
    if told["marks"]:
        print(f"  {counted(len(told['marks']), 'mark')}")
        for mark in told["marks"][:20]:
            print(f"      {_mark_text(mark['label'], mark['sample'], mark['of'])}")
        if len(told["marks"]) > 20:
            print(f"      and {len(told['marks']) - 20} more (--json has them all)")
    return Exit.OK


def _check_stream(name: str, told: dict[str, Any]) -> None:
    from axonlike.errors import did_you_mean

    if name not in told["streams"]:
        there_are = ", ".join(told["streams"])
        near = did_you_mean(name, told["streams"])
        raise Failure(f"{told['path']}: there is no stream {name!r}{near} (there are: {there_are})")


def _units(units: str) -> str:
    return f" in {units}" if units else ""


def _gaps(stream: dict[str, Any]) -> str:
    return f"{stream['missing']} missing in {counted(stream['gaps'], 'gap')}" if stream["gaps"] else "no gap"


def _mark_text(label: str, sample: int | None, of: str) -> str:
    where = f" at index {sample}" if sample is not None else ""
    return f"mark {label!r}{where}{f' of {of}' if of else ''}"


# -- sent


def _monitor(options: argparse.Namespace) -> int:
    from axonlike.cli.recording import run_parts
    from axonlike.components.dsp import StreamMonitor
    from axonlike.components.util import ConsoleEchoer, Transform

    replay = _replay(options)
    monitor = StreamMonitor(quiet=True)
    monitor.link((replay, "outbox"), (monitor, "inbox"))
    reports, marks = Transform(_report_as_json if options.json else str), Transform(_mark_as(options.json))
    printer = ConsoleEchoer()
    monitor.link((monitor, "outbox"), (reports, "inbox"))
    monitor.link((replay, "events"), (marks, "inbox"))
    for lines in reports, marks:
        monitor.link((lines, "outbox"), (printer, "inbox"))
        monitor.link((lines, "signal"), (printer, "control"))
    monitor.link((monitor, "signal"), (reports, "control"))
    return run_parts(replay, monitor, reports, marks, printer)


def _report_as_json(report: Any) -> str:
    return json.dumps(
        {
            "stream": report.info.name, "index": report.index, "chunks": report.chunks, "rows": report.rows,
            "rows_per_s": report.rows_per_s, "missing": report.lost, "gaps": report.gaps, "restarts": report.restarts,
        },
        ensure_ascii=False,
    )  # fmt: skip


def _mark_as(as_json: bool) -> Any:
    def text(mark: Mark) -> str:
        if as_json:
            from dataclasses import asdict

            return json.dumps({"mark": asdict(mark)}, ensure_ascii=False, default=str)
        return _mark_text(mark.label, mark.sample, mark.of)

    return text


# -- converted


def _convert(options: argparse.Namespace) -> int:
    from axonlike.cli.record import tell
    from axonlike.cli.recording import record

    if options.speed:
        raise Failure("--to converts as fast as it goes: leave out --speed")
    if Path(options.to).resolve() == Path(options.file).resolve():
        raise Failure(f"{options.to} is the recording itself: name another file")
    told = describe(options.file)
    row_bytes = [_row_bytes(stream) for stream in told["streams"].values()]
    replay = _replay(options, speed=0.0, rows=max(1, _CONVERTED_BYTES // max(row_bytes, default=1)))
    result = record(replay, options.to, overwrite=options.overwrite, share=lambda: replay.progress)
    code = tell(result, as_json=options.json)
    missing = sum(stream["missing"] for name, stream in told["streams"].items() if options.stream in (None, name))
    whole = result is not None and result.reason == f"{missing} rows are missing"
    return Exit.OK if whole else code  # what the recording lacks it lacks in any format


def _row_bytes(stream: dict[str, Any]) -> int:
    import math

    import numpy as np

    return max(1, math.prod(stream["shape"]) * np.dtype(stream["dtype"]).itemsize) if stream["kind"] != "events" else 16


# -- shown


def _show(options: argparse.Namespace) -> int:
    from axonlike.cli.recording import run_parts

    told = describe(options.file)
    if options.stream is not None:
        _check_stream(options.stream, told)
    streams = {name: stream for name, stream in told["streams"].items() if options.stream in (None, name)}
    if not streams:
        raise Failure(f"{options.file}: there is nothing in it")
    title = f"{Path(options.file).name} (replay)"
    displays = [
        display
        for name, stream in streams.items()
        for display in _displays(_replay(options, stream=name), stream, title if len(streams) == 1 else name)
    ]
    if not displays:
        kinds = ", ".join(sorted({stream["kind"] for stream in streams.values()}))
        raise Failure(f"{options.file}: there is no display for {kinds}; without --show it is printed")
    return run_parts(*displays)


def _displays(replay: Replay, stream: dict[str, Any], title: str) -> list[Component]:
    """What shows a stream of that kind, linked to its source."""
    from axonlike.components import ui

    kind = stream["kind"]
    if kind == "analog" or kind == "digital":
        return [ui.Scope(replay, title=title)]
    if kind == "video":
        return [ui.ImageView(replay, title=title)]
    if kind == "map":
        return [ui.TimeFreqView(replay, title=title)]
    if kind == "spectrum":
        return [ui.SpectrumView(replay, title=title), ui.Waterfall(replay, title=title)]
    if kind == "iq":
        from axonlike.components.dsp import FFT, Calibrate

        spectra: Component = FFT(replay)
        if "reference_level_dbm" in stream["facts"]:
            spectra = Calibrate(spectra)
        return [ui.SpectrumView(spectra, title=title), ui.Waterfall(spectra, title=title)]
    return []
