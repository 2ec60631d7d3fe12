"""What a script or a graph file would run, without running it.

A script is executed (there is no other way to know its graph), but wherever it would run its components, these are
taken and the script goes on as if the run had ended. It is executed statement by statement, so that one mistake does
not hide the next: a link that does not fit is noted and left out; a statement that fails is noted, and what needs the
names it would have bound is passed over. Nothing in the kernel knows of this: while a script is loaded, the few methods
in which wiring fails and runs begin are exchanged (`_answered`).
"""

from __future__ import annotations
import __future__

import ast
import asyncio
import contextlib
import inspect
import io
import re
import signal
import sys
import threading
import tomllib
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.abc import InspectLoader
from pathlib import Path
from types import FrameType
from typing import Any

from axonlike.component import Component
from axonlike.errors import AxonlikeError, UsageError, WiringError, did_you_mean, hide_secrets, is_machinery
from axonlike.graphfile import Fault, GraphFile, GraphFileError, build, read
from axonlike.here import HERE, UNUSED, forget_default
from axonlike.linkage import Kind, Linkage
from axonlike.part import Part
from axonlike.plotting.loading import CalculationReached, as_loading
from axonlike.scheduler import Scheduler

__all__ = ["Loaded", "fault_of", "load", "split_remedy"]

_MOST_RUNS = 1000  # a script that runs graphs in an endless loop is left after so many


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in a file.

    parts: what it would run, in the order in which it was given to the runs; made, linked and never started.
    faults: what is wrong. Where a link was wrong, the parts are there without it.
    warnings: why it may not have been seen whole (the script wants arguments of its own).
    runs: the schedulers that were asked to run, each with what it was given.
    broken_off: some statement failed, so what follows from it is not known.
    output: what the script printed.
    """

    path: Path
    parts: tuple[Component, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    runs: tuple[tuple[Scheduler, tuple[Part, ...]], ...] = ()
    broken_off: bool = False
    output: str = ""


def load(path: Path, arguments: Sequence[str] = (), *, time_limit_s: float = 10.0) -> Loaded:
    """What `path`, a script or a graph file (.toml), would run; `arguments` are the script's own.

    Raises OSError when the file cannot be read. Everything that is wrong in it is a fault of the result; that it has
    not come to a run after `time_limit_s` is one (looked at in the main thread only, by SIGALRM).
    """
    if path.suffix == ".toml":
        return _load_graph_file(path)
    return _Script(path, arguments, time_limit_s).load()


def _load_graph_file(path: Path) -> Loaded:
    """What is well in the file is made even if something else in it is wrong, so that it can be examined too."""
    graph_file = read(path)
    faults = list(graph_file.faults)
    graph = None
    while graph is None and graph_file.components:
        try:
            graph = build(replace(graph_file, faults=()))
        except GraphFileError as exc:
            faults += exc.faults
            rest = _without(graph_file, {(fault.line, fault.column) for fault in exc.faults})
            if rest is None:
                break
            graph_file = rest
    told = tuple(replace(fault, file=str(path.absolute())) for fault in dict.fromkeys(faults))
    if graph is None:
        return Loaded(path, faults=told, broken_off=True)
    scheduler = Scheduler(watchdog_s=None)
    scheduler.activate(graph)
    return Loaded(path, (graph,), told, runs=((scheduler, (graph,)),), broken_off=_may_lack_names(path, graph_file))


def _without(graph_file: GraphFile, places: set[tuple[int, int]]) -> GraphFile | None:
    """The file without the links and components of these places; None if none of them is there."""
    links = tuple(
        link for link in graph_file.links
        if not places & {(link.line, link.column), (link.line, link.sink_column)}
    )  # fmt: skip
    components = {
        name: spec for name, spec in graph_file.components.items() if (spec.line, spec.column) not in places
    }  # fmt: skip
    if len(links) == len(graph_file.links) and len(components) == len(graph_file.components):
        return None
    links = tuple(link for link in links if {link.source, link.sink} <= {*components, "self"})
    return replace(graph_file, graph=replace(graph_file.graph, components=components, links=links))


def _may_lack_names(path: Path, graph_file: GraphFile) -> bool:
    """May one of the components that could not be made be a Backplane?"""
    tables = tomllib.loads(path.read_text(encoding="utf-8")).get("components", {})
    kinds = [table.get("type") for name, table in tables.items() if name not in graph_file.components]
    return any(not isinstance(kind, str) or ":" in kind or did_you_mean(kind, ["Backplane"]) for kind in kinds)


# -- faults


def split_remedy(text: str) -> tuple[str, str]:
    """An error's text of ours in two: what is wrong, and what to do (an empty string if it does not say)."""
    text = re.sub(r" \(the system: .*\)$", "", text)
    text = re.sub(r"<class '(?:[\w.]*\.)?(\w+)'>", r"the class '\1'", text)
    text = re.sub(r"<function (?:[\w.<>]*\.)?([\w<>]+) at 0x\w+>", r"the function '\1'", text)
    text = re.sub(r"\[<.*>\]|\(<.*>\)", "a list of components", text)
    there_are = re.search(r"(?:; did you mean '([^']+)'\?)? \(there are: (.*)\)$", text, re.DOTALL)
    if there_are:
        near, known = there_are[1], there_are[2].replace("'", "")
        choice = f"there are: {known}"
        return text[: there_are.start()], f"did you mean {near!r}? ({choice})" if near else choice
    verbs = _IMPERATIVE.search(text)
    if verbs:
        remedy = text[verbs.end() :]
        return text[: verbs.start()], remedy[0].lower() + remedy[1:]
    return text, next((remedy for sign, remedy in _UNSAID.items() if sign in text), "")


_IMPERATIVE = re.compile(
    r"[:;,.] (?=(?:an outbox has one link; )?(?:put|make|write|pass|give|rename|use|choose|(?:\S+ -m )?pip install"
    r"|activate|run that|to send|await|name one|common ones|set|take|leave|add|End that|Choose|Use) )"
)

_UNSAID = {  # what is to be done where the text of an error leaves it to its reader
    "the outbox sends": "put a step() between that converts, or mend the types in Inboxes and Outboxes",
    "cannot be linked to ('self'": "put a component between",
}


def fault_of(exc: BaseException, filename: str, place: tuple[int, int] | None = None) -> Fault:
    """An exception as a fault, at the innermost line of the user's in its traceback, or at `place` in `filename`."""
    line, column = place or (1, 1)
    if place is None:
        frames = [found for found in traceback.walk_tb(exc.__traceback__) if not is_machinery(found[0])]
        frames = [found for found in frames if not _is_installed(found[0])] or frames
        if frames:
            filename = frames[-1][0].f_code.co_filename
            summary = traceback.extract_tb(_traceback_at(exc, frames[-1][0]), limit=1)[0]
            line, column = frames[-1][1], (summary.colno or 0) + 1
    if isinstance(exc, SyntaxError):
        filename = exc.filename or filename
        return Fault(filename, exc.lineno or 1, exc.offset or 1, f"{type(exc).__name__}: {exc.msg}", _SYNTAX)
    if isinstance(exc, AxonlikeError):
        text, remedy = split_remedy(str(exc))
        remedy = remedy or f"mend this call; `axonlike explain {exc.code}` says more"
        return Fault(filename, line, column, text, remedy)
    said = hide_secrets(" ".join(f"{type(exc).__name__}: {exc}".split())).rstrip(": ")
    remedy = _REMEDIES.get(type(exc), "the script fails here; run it to see more")
    if isinstance(exc, NameError) and exc.name:
        remedy = _where_to_find(exc.name) or "mend its name, or define it above"
    called = re.search(r"TypeError: (\w+)\.__init__\(\)", said)
    if called is not None:
        remedy = _how_to_call(called[1], exc) or remedy
    return Fault(filename, line, column, said, remedy)


def _where_to_find(name: str) -> str:
    from axonlike.cli.source import public_names

    return next((f"write `from {module} import {name}`" for module, names in public_names() if name in names), "")


def _how_to_call(name: str, exc: BaseException) -> str:
    """What a class that the failing line knows by that name takes; an empty string if there is none."""
    for frame, _ in reversed(list(traceback.walk_tb(exc.__traceback__))):
        cls = frame.f_locals.get(name, frame.f_globals.get(name))
        if isinstance(cls, type):
            with contextlib.suppress(TypeError, ValueError):
                taken = inspect.signature(cls).parameters.values()
                return f"it is {name}({', '.join(_without_annotation(parameter) for parameter in taken)})"
    return ""


def _without_annotation(parameter: inspect.Parameter) -> str:
    return str(parameter.replace(annotation=inspect.Parameter.empty))


_SYNTAX = "Python cannot read this file; nothing else of it could be checked"

_REMEDIES: dict[type, str] = {
    EOFError: "`axonlike check` gives a script no input; ask for it in a component (ConsoleReader)",
    ModuleNotFoundError: "install it (pip install ...), or mend its name",
}


def _is_installed(frame: FrameType) -> bool:
    """Is it a line of a package, which its user will not change?"""
    return bool(re.search(r"[/\\](site|dist)-packages[/\\]", frame.f_code.co_filename))


def _traceback_at(exc: BaseException, frame: FrameType) -> types.TracebackType | None:
    found = tb = exc.__traceback__
    while tb is not None:
        if tb.tb_frame is frame:
            found = tb
        tb = tb.tb_next
    return found


def _place(frame: FrameType) -> tuple[int, int]:
    """Line and column that a frame stands at."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    return positions[0] or frame.f_lineno, (positions[2] or 0) + 1


def _users_place() -> tuple[str, int, int] | None:
    """The innermost line of the user's that runs now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, *_place(frame))


# -- wiring and runs, answered


class _OutOfTime(BaseException):
    """The script has run for too long."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def over(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTime(f"{seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _wait_for_threads_beside(before: Sequence[threading.Thread]) -> None:
    """What the script has started may come to a run later than its own last line."""
    if threading.current_thread() is threading.main_thread():
        for thread in threading.enumerate():
            if thread not in before and not thread.daemon:
                thread.join()


class _EndOfScript(BaseException):
    """Ends a script that can only wait for what no run will bring it."""


class _Noted:
    """What comes to light while a script is executed."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.faults: list[Fault] = []
        self.runs: list[tuple[Scheduler, tuple[Part, ...]]] = []
        self.open: dict[Scheduler, None] = {}
        self._refused: dict[int, object] = {}  # kept, so that no other object gets its id

    def error(self, exc: WiringError) -> None:
        filename, line, column = _users_place() or (self.filename, 1, 1)
        self.faults.append(fault_of(exc, filename, (line, column)))

    def refuse(self, thing: object) -> None:
        """It cannot be part of the graph, and that has been told: what is done with it further is not to be judged."""
        self._refused[id(thing)] = thing

    def refused(self, *things: object) -> bool:
        """Has that been told of one of them?"""
        return any(id(thing) in self._refused for thing in things)

    def run(self, scheduler: Scheduler, parts: Iterable[Part] = ()) -> None:
        """A run begins, and is over."""
        scheduler._check_new()
        scheduler._activate_first(parts)
        self.take(scheduler)

    def begin(self, scheduler: Scheduler, parts: Iterable[Part] = ()) -> None:
        """A run begins that goes on while the script does."""
        scheduler._check_new()
        scheduler.activate(*parts)
        self.open[scheduler] = None

    def take(self, scheduler: Scheduler) -> None:
        """A run is over: note what it was given."""
        self.open.pop(scheduler, None)
        if scheduler.state == "ended":
            return
        self.runs.append((scheduler, scheduler.never_ran))
        scheduler.state = "ended"
        forget_default(scheduler)
        if len(self.runs) >= _MOST_RUNS:
            raise _EndOfScript


@contextlib.contextmanager
def _answered(noted: _Noted) -> Iterator[None]:
    """While the block runs, links that do not fit are noted and left out, and runs are noted and over at once."""
    from axonlike.chassis import graphline
    from axonlike.handle import Handle

    link, add_child = Component.link, Component.add_child
    link_named, parse = graphline.Graphline._link_named, graphline._parse

    def answer_link(self: Component, source: Any, sink: Any, **options: Any) -> Linkage:
        if not noted.refused(source[0], sink[0]):
            try:
                return link(self, source, sink, **options)
            except WiringError as exc:
                noted.error(exc)
        return Linkage(Kind.DELIVER, source[0], source[1], sink[0], sink[1])

    def answer_add_child(self: Component, *components: Component) -> None:
        for component in components:
            try:
                add_child(self, component)
            except WiringError as exc:
                noted.error(exc)
                noted.refuse(component)

    def answer_parse(links: str, path: str) -> Iterator[Any]:
        for statement in re.split(r"[;\n]", links):
            try:
                yield from parse(statement, path)
            except WiringError as exc:
                noted.error(exc)

    def answer_link_named(self: graphline.Graphline, source: Any, sink: Any) -> None:
        try:
            link_named(self, source, sink)
        except WiringError as exc:
            noted.error(exc)

    def answer_run(self: Scheduler, *parts: Part) -> None:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise UsageError("an event loop runs in this thread already: use `await run_async(...)`")
        noted.run(self, parts)

    async def answer_run_async(self: Scheduler, *parts: Part) -> None:
        noted.run(self, parts)

    def answer_start_in_thread(self: Scheduler, *parts: Part) -> None:
        noted.begin(self, parts)

    def answer_exit(self: Scheduler, *_exc: object) -> None:
        noted.take(self)

    async def answer_aenter(self: Scheduler) -> Scheduler:
        noted.begin(self)
        return self

    async def answer_aexit(self: Scheduler, *_exc: object) -> None:
        noted.take(self)

    def answer_handle(*_arguments: object, **_options: object) -> None:
        raise _EndOfScript

    table: list[tuple[Any, str, Callable[..., Any]]] = [
        (Component, "link", answer_link),
        (Component, "add_child", answer_add_child),
        (graphline.Graphline, "_link_named", answer_link_named),
        (graphline, "_parse", answer_parse),
        (Scheduler, "run", answer_run),
        (Scheduler, "run_async", answer_run_async),
        (Scheduler, "start_in_thread", answer_start_in_thread),
        (Scheduler, "__exit__", answer_exit),
        (Scheduler, "__aenter__", answer_aenter),
        (Scheduler, "__aexit__", answer_aexit),
        (Handle, "put", answer_handle),
        (Handle, "get", answer_handle),
    ]
    before = [(owner, name, owner.__dict__[name]) for owner, name, _ in table]
    for owner, name, answer in table:
        setattr(owner, name, answer)
    try:
        yield
    finally:
        for owner, name, was in before:
            setattr(owner, name, was)


# -- scripts


class _Script:
    """One script, executed statement by statement."""

    def __init__(self, path: Path, arguments: Sequence[str], time_limit_s: float) -> None:
        self.path = path
        self.time_limit_s = time_limit_s
        self.filename = str(path.absolute())
        self.arguments = arguments
        self.noted = _Noted(self.filename)
        self.warnings: list[Fault] = []
        self._poisoned: set[str] = set()
        self._not_imported: set[str] = set()  # names that their module has not
        self._broken_off = False

    def load(self) -> Loaded:
        source = self.path.read_bytes()
        try:
            tree = ast.parse(source, self.filename)
        except (SyntaxError, ValueError) as exc:
            return Loaded(self.path, faults=(fault_of(exc, self.filename),), broken_off=True)
        UNUSED.clear()
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace", write_through=True)
        with _answered(self.noted), as_loading(), _as_main(self.filename, self.arguments) as main:
            try:
                with contextlib.redirect_stdout(output), _time_limit(self.time_limit_s):
                    threads = threading.enumerate()
                    self._execute(tree, main)
                    _wait_for_threads_beside(threads)
            except _OutOfTime as exc:  # between two statements, or while threads go on
                self._note_that_time_is_over(exc)
            for scheduler in tuple(self.noted.open):
                self.noted.take(scheduler)
        self._note_what_never_runs()
        parts: dict[Component, None] = {}
        for _scheduler, given in self.noted.runs:
            parts.update((part, None) for part in given if isinstance(part, Component))
        written = output.buffer.getvalue() if isinstance(output.buffer, io.BytesIO) else b""
        return Loaded(
            self.path, tuple(parts), tuple(self.noted.faults), tuple(self.warnings), tuple(self.noted.runs),
            self._broken_off, written.decode("utf-8", "replace"),
        )  # fmt: skip

    def _execute(self, tree: ast.Module, main: types.ModuleType) -> None:
        flags = 0
        for statement in _statements(tree):
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                for alias in statement.names:
                    flags |= getattr(__future__, alias.name).compiler_flag
            if self._needs_what_failed(statement):
                self._poison(statement, vars(main))
                continue
            try:
                code = compile(ast.Module([statement], []), self.filename, "exec", flags=flags, dont_inherit=True)
                _Statement(code).exec_module(main)
            except (_EndOfScript, CalculationReached):
                return
            except KeyboardInterrupt:
                raise
            except BaseException as exc:
                if not self._goes_on_after(exc, statement):
                    return
                self._poison(statement, vars(main))

    def _needs_what_failed(self, statement: ast.stmt) -> bool:
        """Does it use a name that a failed statement would have bound? Of a def or class only what runs now counts."""
        if not self._poisoned or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        return any(isinstance(node, ast.Name) and node.id in self._poisoned for node in ast.walk(statement))

    def _poison(self, statement: ast.stmt, namespace: dict[str, Any]) -> None:
        for name in _names_bound(statement):
            # Deleted, or an older value would be taken for the one that this statement should have given.
            namespace.pop(name, None)
            self._poisoned.add(name)

    def _goes_on_after(self, exc: BaseException, statement: ast.stmt) -> bool:
        """Note an exception; False if the rest of the script cannot be judged after it."""
        runs_before = bool(self.noted.runs or self.noted.open)
        if isinstance(exc, _OutOfTime):
            self._note_that_time_is_over(exc)
            return False
        if runs_before and not isinstance(exc, AxonlikeError | ImportError | NameError | SyntaxError):
            return False  # it asks for results, and there was no run
        self._broken_off = True
        if isinstance(exc, NameError) and exc.name and self._follows_from_an_import(exc.name):
            return True
        if isinstance(exc, ImportError) and isinstance(statement, ast.ImportFrom):
            self._not_imported.update(alias.name for alias in statement.names)
        if isinstance(exc, AxonlikeError):
            self.noted.faults.append(fault_of(exc, self.filename))
            return True
        if self._is_for_lack_of_arguments(exc, statement):
            line, column = statement.lineno, statement.col_offset + 1
            self.warnings.append(
                Fault(
                    self.filename,
                    line,
                    column,
                    f"the script wants arguments of its own ({_said(exc)})",
                    f"give them after --, as in: {self.path.name} -- ARGUMENT ...; without, only its text is checked",
                )
            )
            return False
        if isinstance(exc, SystemExit):
            self.noted.faults.append(_ended_early(fault_of(exc, self.filename), exc))
            return False
        self.noted.faults.append(fault_of(exc, self.filename))
        return isinstance(exc, ImportError | NameError | TypeError | AttributeError)

    def _follows_from_an_import(self, name: str) -> bool:
        """Is it a name that a failed statement would have bound, or the right one of what is misspelt in an import?"""
        if name not in self._poisoned and did_you_mean(name, list(self._not_imported)):
            self._poisoned.add(name)
        return name in self._poisoned

    def _note_that_time_is_over(self, exc: _OutOfTime) -> None:
        """No fault of a script that has come to its run, and does something else beside it."""
        if not (self.noted.runs or self.noted.open):
            self._broken_off = True
            text = f"the script stood here after {exc}, and had not come to a run"
            remedy = "let components do what takes long or waits, and come to run() at once"
            self.noted.faults.append(replace(fault_of(exc, self.filename), text=text, remedy=remedy))

    def _is_for_lack_of_arguments(self, exc: BaseException, statement: ast.stmt) -> bool:
        if self.arguments:
            return False
        if isinstance(exc, SystemExit) and exc.code == 2:
            frames = traceback.walk_tb(exc.__traceback__)
            return any(frame.f_globals.get("__name__") == "argparse" for frame, _ in frames)
        return isinstance(exc, ValueError | IndexError | SystemExit) and any(
            isinstance(node, ast.Attribute) and node.attr == "argv" for node in ast.walk(statement)
        )

    def _note_what_never_runs(self) -> None:
        waiting = HERE.waiting
        unused = list(UNUSED)
        UNUSED.clear()
        if waiting is not None:
            forget_default(waiting)
            waiting.state = "ended"
        if self._broken_off:
            return
        for part in unused:
            made_at: Any = part.made_at  # type: ignore[attr-defined]  # only components are in there
            text = f"{part.name} is made here and never run"
            self.noted.faults.append(Fault(made_at.filename, made_at.line, 1, text, "call .run() on it"))
        for part in waiting.never_ran if waiting is not None else ():
            if isinstance(part, Component):
                text = f"{part.path} is activated, but nothing is run"
                remedy = "call run() at the end, or .run() on the last one"
                self.noted.faults.append(Fault(part.made_at.filename, part.made_at.line, 1, text, remedy))


class _Statement(InspectLoader):
    """Loads one statement of a script, as a module is loaded, into a module that is there."""

    def __init__(self, code: types.CodeType) -> None:
        self._code = code

    def get_source(self, fullname: str) -> None:
        return None

    def get_code(self, fullname: str) -> types.CodeType:
        return self._code


_ARGUMENTS = "if it wants arguments, give them after --"


def _ended_early(fault: Fault, exc: SystemExit) -> Fault:
    said = f": {exc.code}" if isinstance(exc.code, str) else f" with exit code {exc.code}" if exc.code else ""
    return replace(fault, text=f"the script ends here{said}, before it runs anything", remedy=_ARGUMENTS)


def _said(exc: BaseException) -> str:
    if isinstance(exc, SystemExit) and not isinstance(exc.code, str):
        return f"exit code {exc.code}"
    return " ".join(str(exc).split()) or type(exc).__name__


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a script: imports one by one, and those below ``if __name__ == "__main__":`` as any others."""
    for statement in tree.body:
        if (
            isinstance(statement, ast.If)
            and ast.unparse(statement.test).replace('"', "'") in ("__name__ == '__main__'", "'__main__' == __name__")
            and not statement.orelse
        ):
            yield from statement.body
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:  # one that is misspelt does not take the others with it
                yield ast.copy_location(ast.ImportFrom(statement.module, [alias], statement.level), statement)
        else:
            yield statement


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


@contextlib.contextmanager
def _as_main(filename: str, arguments: Sequence[str]) -> Iterator[types.ModuleType]:
    """The surroundings of a script that ``python FILE ARGUMENT ...`` starts; yields its module."""
    main = types.ModuleType("__main__")
    main.__file__ = filename
    argv, path, before = sys.argv, list(sys.path), sys.modules.get("__main__")
    sys.argv = [filename, *arguments]
    sys.path.insert(0, str(Path(filename).parent))
    sys.modules["__main__"] = main
    try:
        yield main
    finally:
        sys.argv, sys.path[:] = argv, path
        if before is not None:
            sys.modules["__main__"] = before
