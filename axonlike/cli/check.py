"""``axonlike check``: all that is wrong with scripts and graph files, each with its place and what to do.

Three looks are taken. The text is read (`axonlike.cli.source`). The script is executed as far as its runs, in a
process of its own, so that whatever it does ends there (`axonlike.cli.loading`). And what it would run is examined:
names, ports, devices, files, circles. What two of them see is told once, at the more precise place.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import linecache
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axonlike.cli.errors import show_place
from axonlike.cli.output import Exit, Failure, print_json, styled

if TYPE_CHECKING:
    from axonlike.cli.loading import Loaded
    from axonlike.cli.source import Source
    from axonlike.component import Component
    from axonlike.part import Part
    from axonlike.scheduler import Scheduler

__all__ = ["Finding", "add_arguments", "check", "examine", "report_from_child", "run", "show"]

_NOBODY = "nobody provides the name"
_MERCY_S = 3.0  # how long after its time a script may take to be interrupted before its process is killed


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault (severity "error") or doubt ("warning"); line and column count from 1."""

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    text: str
    remedy: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike check FILE...``."""
    parser.usage = "axonlike check [OPTION ...] FILE ... [-- ARGUMENT ...]"
    parser.description = (
        "Find all that is wrong with scripts and graph files: boxes, links and names that do not fit, bodies that "
        "never yield, busy ports, missing devices, files and packages. A script is executed, but its graphs are not: "
        "run() returns at once. What the script does besides (files that it writes, programs that it starts) is done. "
        "It gets no input, and is ended after the time limit. Exit code 1 if there is a fault."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a script (.py) or a graph file (.toml)")
    parser.add_argument(
        "--time-limit", type=float, default=10.0, metavar="SECONDS", dest="time_limit_s",
        help="how long a script may take to come to its run (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="show what the scripts print")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.epilog = "Arguments of the script itself go after --: axonlike check relay.py -- host-a 1600 host-b 1600"


def run(options: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    files, arguments = options.files, options.of_script
    for file in files:
        if not Path(file).is_file():
            there = "is a folder" if Path(file).is_dir() else "is not there"
            raise Failure(f"{file} {there}: name a script (.py) or a graph file (.toml)")
    findings: list[Finding] = []
    for file in files:
        found, output = check(Path(file), arguments, time_limit_s=options.time_limit_s)
        findings += found
        if options.verbose and output:
            print(f"{styled(file, 'bold', sys.stderr)} printed:\n{output.rstrip()}", file=sys.stderr)
    errors = sum(finding.severity == "error" for finding in findings)
    if options.json:
        print_json(
            {
                "files": files,
                "errors": errors,
                "warnings": len(findings) - errors,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        show(findings, len(files))
    return Exit.FAILED if errors else Exit.OK


# -- showing


def show(findings: Sequence[Finding], files: int) -> None:
    """Print what was found in so many files, for people."""
    for one in findings:
        show_place(one.file, one.line, one.column, one.text, one.remedy, sys.stdout, severity=one.severity)
        print()
    errors = sum(finding.severity == "error" for finding in findings)
    print(_summary(errors, len(findings) - errors, files))


def _line_of(file: str, number: int) -> str:
    return linecache.getline(file, number).rstrip("\n").replace("\t", " ")


def _summary(errors: int, warnings: int, files: int) -> str:
    where = f"in {files} file{'' if files == 1 else 's'}"
    if not errors and not warnings:
        return f"{styled('no faults', 'green', sys.stdout)} {where}"
    counts = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((errors, "fault"), (warnings, "warning")) if n]
    return f"{styled(' and '.join(counts), 'red bold' if errors else 'yellow', sys.stdout)} {where}"


# -- one file


def check(
    path: Path, arguments: Sequence[str] = (), *, time_limit_s: float = 10.0, start: Callable[..., Any] | None = None
) -> tuple[list[Finding], str]:
    """All that is found about one file, sorted by place; and what it printed.

    start: called as `subprocess.Popen` is (the default) to execute the file in a process of its own.
    """
    from importlib.util import decode_source

    from axonlike.cli.source import Source

    file = str(path.absolute())
    source: Source | None = None
    found: list[Finding] = []
    if path.suffix != ".toml":
        try:
            source = Source(decode_source(path.read_bytes()), file)
        except UnicodeDecodeError as exc:
            text = f"the file is not {exc.encoding.upper()}: {exc.reason} at byte {exc.start}"
            return [Finding(file, 1, 1, "error", text, "save it as UTF-8")], ""
        except (SyntaxError, ValueError) as exc:
            line, column = getattr(exc, "lineno", None) or 1, getattr(exc, "offset", None) or 1
            remedy = "mend this first: nothing else of the file could be read"
            return [Finding(file, line, column, "error", f"syntax: {getattr(exc, 'msg', exc)}", remedy)], ""
        found = [Finding(file, r.line, r.column, r.severity, r.text, r.remedy) for r in source.remarks()]
    report = _ask_child(file, arguments, time_limit_s, start or subprocess.Popen)
    if source is not None:
        found += _names_nobody_provides(source, file, report)
    for told in (Finding(**finding) for finding in report["findings"]):
        precise = told
        if told.file == file:
            precise = _made_precise(told, source) if source is not None else _made_precise_in_table(told)
        if not any(_say_the_same(known, told, source) for known in found):
            found.append(precise)
    found = list(dict.fromkeys(found))
    found.sort(key=lambda f: (f.file != file, f.file, f.line, f.column, f.text))
    return found, report["output"]


def _names_nobody_provides(source: Source, file: str, report: dict[str, Any]) -> Iterator[Finding]:
    """Names in the text, those in the factories of servers among them, of which there is no Backplane."""
    provided = source.names_provided()
    if provided is None or not (report["runs"] or report["broken_off"]):
        return
    from axonlike.cli.source import choice

    known = sorted(provided.union(report["provided"]))
    for wanted in source.names_wanted():
        if wanted.name not in known:
            remedy = choice(wanted.name, known) if known else f"activate a Backplane({wanted.name!r})"
            yield Finding(file, wanted.line, wanted.column, "error", f"{_NOBODY} {wanted.name!r}", remedy)


def _made_precise(told: Finding, source: Source) -> Finding:
    """Put what concerns a whole statement at the word in it that the text is about."""
    statement = source.statement_at(told.line)
    words = _quoted(told.text)
    if statement is None or not words or hasattr(statement, "body"):
        return told
    place = source.find(words[0], statement)
    return told if place is None else replace(told, line=place[0], column=place[1])


def _made_precise_in_table(told: Finding) -> Finding:
    """Put what concerns a component of a graph file at the setting that the text is about."""
    lines = Path(told.file).read_text(encoding="utf-8", errors="replace").splitlines()
    if not told.line <= len(lines) or not lines[told.line - 1].lstrip().startswith("["):
        return told
    for number, line in enumerate(lines[told.line :], told.line + 1):
        if line.lstrip().startswith("["):
            break
        for word in reversed(_quoted(told.text)):
            if f'"{word}"' in line:
                return replace(told, line=number, column=line.index(f'"{word}"') + 1)
    return told


def _say_the_same(known: Finding, told: Finding, source: Source | None) -> bool:
    """Is what the text showed what came to light in the execution too?"""
    words, others = _quoted(known.text), _quoted(told.text)
    if known.file != told.file or not words or not others or words[0] not in (others[0], others[-1]):
        return False
    if known.text.startswith(_NOBODY) and "no backplane" not in told.text:
        return False
    return source is None or source.statement_at(known.line) is source.statement_at(told.line)


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']+)'", text)


# -- the child process


def _ask_child(
    file: str, arguments: Sequence[str], time_limit_s: float, start: Callable[..., Any]
) -> dict[str, Any]:
    """Have the file loaded and examined in a process of its own; what `report_from_child` wrote there."""
    # Files, and no pipes: what the script has started may hold the other end of those open for ever.
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        code = f"from axonlike.cli.check import report_from_child; report_from_child({answer.fileno()})"
        child = start(
            [sys.executable, "-c", code, file, repr(time_limit_s), *arguments],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, pass_fds=[answer.fileno()],
            start_new_session=True, env={**os.environ, "PYTHONPATH": _python_path()},
        )  # fmt: skip
        try:
            code_of_end: int | None = child.wait(time_limit_s + _MERCY_S)
        except subprocess.TimeoutExpired:
            code_of_end = None
        finally:
            _end_group(child.pid)  # with what it has started
            child.wait()
        answer.seek(0)
        printed.seek(0)
        written, output = answer.read(), printed.read().decode("utf-8", "replace")
    if written:
        report: dict[str, Any] = json.loads(written)
        report["output"] += output
        return report
    if code_of_end is None:
        why = f"the script did not come to a run within {time_limit_s:g} s, and could not be interrupted"
    elif code_of_end < 0:
        why = f"the script's process was ended by {signal.Signals(-code_of_end).name}"
    else:
        why = f"the script ended its process (exit code {code_of_end}) before it came to a run"
    remedy = "come to run() at once, and let components do what takes long; --verbose shows what it printed"
    finding = asdict(Finding(file, 1, 1, "error", why, remedy))
    return {"findings": [finding], "runs": 0, "broken_off": True, "provided": [], "output": output}


def _python_path() -> str:
    """Where this axonlike is, in front of what the user has set: the child need not find it by itself."""
    ours = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(group, signal.SIGKILL)


def report_from_child(descriptor: int) -> None:
    """In the child: load and examine the file that sys.argv names, write what was found, and end the process."""
    from axonlike.cli.loading import load

    _, file, time_limit_s, *arguments = sys.argv
    sys.path[:] = [entry for entry in sys.path if entry]  # "" is there for -c, not for the script
    loaded = load(Path(file), arguments, time_limit_s=float(time_limit_s))
    report = {
        "findings": [asdict(finding) for finding in examine(loaded)],
        "runs": len(loaded.runs),
        "broken_off": loaded.broken_off,
        "provided": sorted({name for scheduler, _ in loaded.runs for name in scheduler._names.get("backplane", ())}),
        "output": loaded.output,
    }
    with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
        json.dump(report, pipe)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that the script started need not end, and nobody waits for its exit handlers


# -- what would run


def examine(loaded: Loaded) -> list[Finding]:
    """What was found while a file was loaded, and what is wrong with the parts that it would run."""
    found = [Finding(f.file, f.line, f.column, "error", f.text, f.remedy) for f in loaded.faults]
    found += [Finding(f.file, f.line, f.column, "warning", f.text, f.remedy) for f in loaded.warnings]
    for number, (scheduler, given) in enumerate(loaded.runs):
        parts = list(_with_children(given))
        found += _of_names(parts, scheduler, told=not loaded.broken_off)
        found += _of_ports(parts)
        if not loaded.faults:  # a link that was left out is told already, and so need not be what follows from it
            found += _of_circles(parts)
            found += (finding for part in parts for finding in _of_boxes(part))
        for part in parts:
            found += _of_body(part)
            found += _of_devices(part)
            if number == 0:  # what a later run reads an earlier one may write
                found += _of_files(part, parts)
    return found


def split_remedy(text: str) -> tuple[str, str]:
    """See `axonlike.cli.loading.split_remedy`, which is imported in the child only."""
    from axonlike.cli import loading

    return loading.split_remedy(text)


def _with_children(parts: Iterable[Part]) -> Iterator[Component]:
    from axonlike.component import Component

    for part in parts:
        if isinstance(part, Component):
            yield part
            yield from _with_children(part.children)


def _at(part: Component, severity: Literal["error", "warning"], text: str, remedy: str) -> Finding:
    made_at = part.made_at
    column = _line_of(made_at.filename, made_at.line).find(type(part).__name__) + 1
    return Finding(made_at.filename, made_at.line, max(1, column), severity, text, remedy)


def _of_names(parts: Sequence[Component], scheduler: Scheduler, *, told: bool) -> Iterator[Finding]:
    """Names that are looked up at the start, and names that are provided twice."""
    from axonlike.errors import AxonlikeError, NameNotProvided

    names = _names_of(scheduler)
    ours = [part for part in parts if type(part).resolve.__module__.startswith("axonlike.")]
    seen: set[str] = set()
    for action in ("provide", "resolve"):
        for part in ours:
            try:
                getattr(part, action)(names)
            except AxonlikeError as exc:
                # A package that each of them lacks is told once.
                if str(exc) not in seen and (told or not isinstance(exc, NameNotProvided)):
                    yield _at(part, "error", *split_remedy(str(exc)))
                seen.add(str(exc))
    for part in ours if told else ():
        yield from _of_a_factory(part, names)
    yield from _of_screens(ours, names)


def _names_of(scheduler: Scheduler) -> Scheduler:
    """What answers lookups as the start of a run would, and starts nothing; `scheduler` keeps the names too."""
    from axonlike.part import Part
    from axonlike.scheduler import Scheduler

    class Names(Scheduler):
        def activate(self, *parts: object) -> None:
            for part in _with_children(part for part in parts if isinstance(part, Part)):
                part.provide(self)
                part.resolve(self)

    names = Names(watchdog_s=None)
    names._names = scheduler._names
    return names


def _of_screens(parts: Sequence[Component], names: Scheduler) -> Iterator[Finding]:
    """Windows where there is no screen for them."""
    if "display" not in names._names or os.environ.get("SDL_VIDEODRIVER"):
        return
    from axonlike.cli.devices import displays

    lacks = displays().missing.removeprefix("none: ")
    shown = [part for part in parts if type(part).__module__.startswith("axonlike.components.ui.")]
    if lacks and shown:
        text, _, remedy = lacks.partition(" (")
        yield _at(shown[0], "warning", f"{shown[0].path} needs a screen: {text}", remedy.removesuffix(")"))


def _of_a_factory(server: Component, scheduler: Scheduler) -> Iterator[Finding]:
    """Names that a component looks up which a graph file has a server make for each client."""
    from axonlike.errors import NameNotProvided

    factory: Any = getattr(server, "factory", None)
    if type(factory).__module__ != "axonlike.graphfile.building":
        return  # a script's own function may do anything; its text has been read
    for part in _with_children([factory()]):
        if type(part).resolve.__module__.startswith("axonlike."):
            try:
                part.resolve(scheduler)
            except NameNotProvided as exc:
                yield _at(part, "error", *split_remedy(str(exc)))


def _of_ports(parts: Sequence[Component]) -> Iterator[Finding]:
    """Servers that cannot listen; each is tried, and all are closed again."""
    from axonlike.components.net import CannotListen, UDPReceiver
    from axonlike.components.net.listening import Listener

    taken: dict[tuple[str, str, int], Component] = {}
    tried: list[Listener] = []
    for part in parts:
        if not isinstance(part, Listener | UDPReceiver):
            continue
        kind, port = ("UDP" if isinstance(part, UDPReceiver) else "TCP"), part.port
        other = taken.setdefault((kind, part.host, port), part)
        if port and other is not part:
            text = f"{part.path} wants {kind} port {port}, and so does {other.path} (line {other.made_at.line})"
            yield _at(part, "error", text, "choose another port (0 = any that is free)")
            continue
        try:
            if isinstance(part, Listener):
                tried.append(part)
                for family, address in part._resolve_host():
                    part._listen(family, address)
            else:
                _try_datagrams(part)
        except CannotListen as exc:
            yield _at(part, "error", *split_remedy(str(exc)))
        part.port = port
    for listener in tried:
        for sock in listener._sockets:
            sock.close()
        listener._sockets.clear()


def _try_datagrams(part: Any) -> None:
    import socket

    try:
        found = socket.getaddrinfo(part.host, part.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        with socket.socket(*found[0][:3]) as sock:
            sock.bind(found[0][4])
    except (OSError, UnicodeError) as exc:
        raise part._cannot(exc) from exc


def _of_circles(parts: Sequence[Component]) -> Iterator[Finding]:
    """Components in a circle, each of which waits for another's message before it sends one."""
    from axonlike.shutdown import strongly_connected

    for members in strongly_connected(parts, lambda part: part.consumers()):
        if len(members) < 2 or any(map(_may_begin, members)):
            continue
        fed = {feeder for member in members for inbox in member._data for feeder in inbox.feeders or ()}
        if fed <= set(members):
            first, *others = sorted(members, key=lambda part: (part.made_at.line, part.path))
            circle = " and ".join(part.path for part in (first, *others))
            text = f"{circle} feed each other, and each waits for a message before it sends one: nothing will happen"
            remedy = "let one of them send something before its first wait, or feed it from outside"
            yield _at(first, "error", text, remedy)


def _may_begin(part: Component) -> bool:
    """May it send something without having been sent anything? True where its text does not tell."""
    import ast
    import inspect

    from axonlike.cli.syntax import speaks_first

    if part.service or any(inbox.depth for inbox in part._inboxes.values()):
        return True
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(type(part).main)))
    except (OSError, TypeError, SyntaxError):
        return True
    function = tree.body[0]
    return not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or speaks_first(function)


def _of_body(part: Component) -> Iterator[Finding]:
    from axonlike.component import Component
    from axonlike.errors import did_you_mean

    cls = type(part)
    if cls.main is Component.main and cls.start is Component.start and not part.children:
        methods = {name.lower(): name for name, value in vars(cls).items() if callable(value) and name[0] != "_"}
        near = did_you_mean("main", methods).removeprefix("; did you mean ").strip("'?")
        remedy = "write one: def main(self), with a yield in it"
        if near in methods:
            remedy = f"is {methods[near]}() meant to be it?"
        yield _at(part, "error", f"{cls.__name__} has no main()", remedy)


def _of_boxes(part: Component) -> Iterator[Finding]:
    """Components that wait for what nobody sends, and outboxes that lead nowhere."""
    if type(part).__name__.startswith("_") or type(part).__module__.startswith("axonlike.") or part.children:
        return
    text = _text_of(part)
    if ".link(" in text:
        return  # it may be linked while it runs
    if not part.has_producers() and not part._takes_control and not _may_begin(part):
        told = f"{part.path} waits for messages, and nobody feeds it"
        yield _at(part, "warning", told, "it would end at once: link an outbox to it, or talk to it with a Handle")
    from axonlike.cli.source import outboxes_named
    from axonlike.linkage import destination

    with contextlib.suppress(SyntaxError, ValueError):
        used = outboxes_named(text, type(part).__name__).intersection(part.outbox_names)
        for box in sorted(used.difference(("outbox", "signal", "error"))):
            if destination(part, box) is None and not (part._wires is not None and box in part._wires.from_out):
                told = f"{part.path} sends on {box!r}, which is linked to nothing"
                remedy = f"link it, as in links=\"{part.name}.{box} -> ...\", or what is sent there is lost"
                yield _at(part, "warning", told, remedy)


def _text_of(part: Component) -> str:
    """The file in which its class is written."""
    code = getattr(type(part).main, "__code__", None)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(code.co_filename).read_text(encoding="utf-8") if code is not None else ""
    return ""


def _of_devices(part: Component) -> Iterator[Finding]:
    from axonlike.components.devices import SerialPort

    if not isinstance(part, SerialPort) or part.port == "demo":
        return
    from axonlike.cli.devices import trouble_of_port

    if part.port != "auto":
        trouble = trouble_of_port(part.port)
        waits = trouble is not None and trouble.kind in ("absent", "busy") and not part._must_exist
        if trouble is not None:
            text, remedy = f"{part.path}: {trouble.text}", trouble.remedy
            if waits:
                remedy = f"{remedy}; otherwise it is waited for (must_exist=True fails at once)"
            yield _at(part, "warning" if waits else "error", text, remedy)
        return
    found = sorted(part._find_ports())
    if not found:
        remedy = 'is the cable in? Until it is, it is waited for; port="demo" is a simulated device'
        severity: Literal["error", "warning"] = "error" if part._must_exist else "warning"
        yield _at(part, severity, f"{part.path}: there is no serial port on this machine", remedy)
    elif len(found) > 1:
        text = f'{part.path}: port="auto" needs exactly one serial port, and there are {len(found)}'
        yield _at(part, "error", text, f"name one of these: {', '.join(path for path, _ in found)}")


def _of_files(part: Component, parts: Sequence[Component]) -> Iterator[Finding]:
    """Files and programs that are not there."""
    from axonlike.components.file import FileReader, FileWriter, Subprocess

    if isinstance(part, FileReader) and not part.follow:
        path = os.fsdecode(part.file_path)
        written = [os.fsdecode(other.file_path) for other in parts if isinstance(other, FileWriter)]
        if path not in written and not os.access(path, os.R_OK):
            problem = "may not be read" if os.path.lexists(path) else "is not there"
            remedy = "see ls -l of it" if os.path.lexists(path) else "mend its name, or wait for it with follow=True"
            yield _at(part, "error", f"{part.path}: the file {path!r} {problem}", remedy)
    elif isinstance(part, FileWriter):
        folder = os.path.dirname(os.fsdecode(part.file_path)) or "."
        if not os.path.isdir(folder):
            yield _at(part, "error", f"{part.path}: there is no folder {folder!r} to write to", f"mkdir -p {folder}")
        elif not os.access(folder, os.W_OK) and not os.path.exists(part.file_path):
            yield _at(part, "error", f"{part.path}: this user may not write in {folder!r}", f"see ls -ld {folder}")
    elif isinstance(part, Subprocess):
        program = os.fsdecode(part.command[0])
        search = part._env.get("PATH") if part._env is not None else None
        if part._cwd is None and shutil.which(program, path=search) is None:
            text = f"{part.path}: there is no program {program!r} that could be started"
            remedy = "mend its name, or install it; a path is relative to where the script is run"
            yield _at(part, "error", text, remedy)
