"""Errors as a person meets them at the command line: how each kind is shown, and the exit code it leads to.

A failed component is told in its six lines, a missing package or device, a busy port, and a screen that is not there in
one sentence with the remedy, what is wrong in a file at its place, and anything else as Python does, from the script's
own line on.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterable, Iterator
from importlib.util import decode_source
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from axonlike.cli.output import Exit, styled
from axonlike.errors import (
    AxonlikeError,
    ComponentError,
    DeviceError,
    MissingExtra,
    Site,
    hide_secrets,
    how_to_install,
    is_machinery,
    short_path,
)

if TYPE_CHECKING:
    from axonlike.cli.source import Remark
    from axonlike.graphfile import Fault

__all__ = ["as_json", "exit_code_of", "show", "show_place"]

# Modules that our extras bring, by the name under which they are imported.
_EXTRAS = {
    "serial": ("pyserial", "serial"),
    "pygame": ("pygame", "ui"),
    "pyaudio": ("PyAudio", "audio"),
    "uvloop": ("uvloop", "fast"),
}
_LABEL = re.compile(r"^  (made at|box|cause|policy|help) +")
_INDENT = 12  # of what follows the labels of the six lines


def exit_code_of(exc: BaseException) -> Exit:
    """3 where a package or a device is missing (and nothing else is wrong), 130 after Ctrl-C, else 1."""
    if isinstance(exc, KeyboardInterrupt):
        return Exit.INTERRUPTED
    roots = [root for leaf in _leaves(exc) for root in _roots(leaf)]
    return Exit.MISSING if roots and all(map(_is_missing, roots)) else Exit.FAILED


def _is_missing(root: BaseException | None) -> bool:
    if isinstance(root, ModuleNotFoundError):
        return not _is_of_axonlike(root)  # that name is misspelt
    return isinstance(root, MissingExtra | DeviceError)


def _is_of_axonlike(exc: ImportError) -> bool:
    return (exc.name or "").partition(".")[0] == "axonlike"


def show(exc: BaseException, stream: TextIO | None = None, *, whole: bool = False) -> None:
    """Tell a person (on stderr) what ended the program. whole: with Python's traceback, ours and all."""
    stream = stream or sys.stderr
    if whole:
        stream.write("".join(traceback.format_exception(exc)))
        return
    for leaf in _leaves(exc):
        _show_one(leaf, stream)


def as_json(exc: BaseException) -> dict[str, Any]:
    """The same for programs."""
    return {
        "exit_code": int(exit_code_of(exc)),
        "errors": [entry for leaf in _leaves(exc) for entry in _entries(leaf)],
    }


def _entries(exc: BaseException) -> Iterator[dict[str, Any]]:
    root = _root(exc)
    faults: Iterable[Fault] | None = getattr(exc, "faults", None)
    if faults is not None:
        for fault in faults:
            yield {
                "kind": "fault", "text": fault.text, "file": fault.file, "line": fault.line, "column": fault.column,
                "remedy": fault.remedy,
            }  # fmt: skip
        return
    remarks = _on_import(exc)
    for file, remark in remarks:
        yield {
            "kind": type(exc).__name__, "text": remark.text, "file": file, "line": remark.line,
            "column": remark.column, "remedy": remark.remedy,
        }  # fmt: skip
    if remarks:
        return
    at = _users_place(exc)
    entry: dict[str, Any] = {
        "kind": type(root).__name__,
        "text": hide_secrets(str(root)),
        "code": next((error.code for error in (root, exc) if isinstance(error, AxonlikeError)), ""),
        "file": at.filename if at else "",
        "line": at.line if at else 0,
    }
    if isinstance(exc, ComponentError):
        made = exc.made_at
        entry |= {
            "component": exc.path, "policy": exc.policy, "box": exc.box, "message_number": exc.number,
            "made_at": {"file": made.filename, "line": made.line} if made else None,
        }  # fmt: skip
    yield entry


# -- what it is


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    """An exception, or those of a group. A group that the script itself made is shown as Python does."""
    if isinstance(exc, BaseExceptionGroup) and all(_is_ours(inner) for inner in exc.exceptions):
        for inner in exc.exceptions:
            yield from _leaves(inner)
    else:
        yield exc


def _is_ours(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return all(map(_is_ours, exc.exceptions))
    return isinstance(exc, AxonlikeError)


def _root(exc: BaseException) -> BaseException:
    """What ended the component, for a failed component."""
    return exc.cause if isinstance(exc, ComponentError) else exc


def _roots(exc: BaseException) -> list[BaseException | None]:
    """As `_root`; for a graph file, what each of its faults comes from (None: a mistake in the file)."""
    faults: Iterable[Fault] | None = getattr(exc, "faults", None)
    return [_root(exc)] if faults is None else [fault.cause for fault in faults]


def _is_told_in_a_sentence(root: BaseException | None) -> bool:
    # AX620 is a server that cannot listen: its class stands in a module that takes long to import.
    return isinstance(root, MissingExtra | DeviceError) or getattr(root, "code", "") == "AX620"


def _users_place(exc: BaseException) -> Site | None:
    """The innermost line of the user's own in its traceback."""
    if isinstance(exc, ComponentError):
        return exc.failed_at or exc.made_at
    if isinstance(exc, SyntaxError) and exc.filename:
        return Site(exc.filename, exc.lineno or 1)
    places = [
        Site(frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(exc.__traceback__)
        if not is_machinery(frame) and os.path.exists(frame.f_code.co_filename)
    ]
    return places[-1] if places else None


# -- how it is shown


def _show_one(exc: BaseException, stream: TextIO) -> None:
    root = _root(exc)
    if faults := getattr(exc, "faults", None):
        for number, fault in enumerate(faults):
            if number:
                print(file=stream)
            _show_fault(fault, stream)
    elif _is_told_in_a_sentence(root):
        _show_sentence(exc, root, stream)
    elif isinstance(exc, ComponentError):
        _show_six_lines(exc, stream)
    elif isinstance(exc, AxonlikeError):
        _show_ours(exc, stream)
    elif isinstance(exc, SyntaxError) and _has_no_line_of_the_user(exc):
        text = f"{type(exc).__name__}: {exc.msg}"
        width = (exc.end_offset or 0) - (exc.offset or 0) if exc.end_lineno == exc.lineno else 1
        show_place(exc.filename or "", exc.lineno or 1, exc.offset or 1, text, "", stream, source=exc.text, width=width)
    elif isinstance(exc, ModuleNotFoundError) and (exc.name or "").partition(".")[0] in _EXTRAS:
        package, extra = _EXTRAS[(exc.name or "").partition(".")[0]]
        install = how_to_install(f"axonlike[{extra}]")
        _say(f"{_at(_users_place(exc))}{package} is not installed: {install}", stream)
    elif remarks := _on_import(exc):
        for number, (file, remark) in enumerate(remarks):
            if number:
                print(file=stream)
            show_place(file, remark.line, remark.column, remark.text, remark.remedy, stream)
    else:
        stream.write("".join(traceback.format_exception(type(exc), exc, _from_the_script_on(exc.__traceback__))))


def _on_import(exc: BaseException) -> list[tuple[str, Remark]]:
    """What `axonlike check` says of an import of the user's that asks for what axonlike has not."""
    place = _users_place(exc) if isinstance(exc, ImportError) else None
    if place is None or not isinstance(exc, ImportError) or not _is_of_axonlike(exc):
        return []
    from axonlike.cli.source import Source

    with contextlib.suppress(OSError, SyntaxError, ValueError):  # it has changed since it was run
        source = Source(decode_source(Path(place.filename).read_bytes()), place.filename)
        return [(place.filename, remark) for remark in source.remarks_on_import(place.line)]
    return []


def _show_six_lines(error: ComponentError, stream: TextIO) -> None:
    first, *lines = str(error).splitlines()
    what, _, where = first.partition("      ")
    print(f"{styled(what, 'red bold', stream)}      {styled(where, 'bold', stream)}", file=stream)
    for line in lines:
        label = _LABEL.match(line)
        if label is None:
            print(_wrapped(line, stream), file=stream)
            continue
        rest = _wrapped(f"{' ' * _INDENT}{line[label.end() :]}", stream)[_INDENT:]
        if label[1] == "cause":
            kind, colon, said = rest.partition(":")
            rest = f"{styled(kind, 'red', stream)}{colon}{said}"
        elif label[1] == "policy":
            # What else could be done is the least of it.
            chosen, bracket, others = rest.partition("(")
            rest = f"{chosen}{styled(bracket + others, 'dim', stream)}" if bracket else rest
        print(f"{styled(label.group(), 'cyan', stream)}{rest}", file=stream)


def _show_ours(exc: AxonlikeError, stream: TextIO) -> None:
    """An error in how the toolkit was used: its text, the line of the script, and where to read more."""
    print(f"{styled(type(exc).__name__, 'red bold', stream)}: {hide_secrets(str(exc))}", file=stream)
    place = _users_place(exc)
    if place is not None:
        text = _wrapped(f"{' ' * _INDENT}{place}      {hide_secrets(place.source)}".rstrip(), stream)[_INDENT:]
        print(f"{styled('  at        ', 'cyan', stream)}{text}", file=stream)
    print(f"{styled('  help      ', 'cyan', stream)}axonlike explain {exc.code}", file=stream)


def _show_sentence(exc: BaseException, root: BaseException, stream: TextIO) -> None:
    if isinstance(exc, ComponentError):
        made = f" (made at {exc.made_at})" if exc.made_at else ""
        text = str(root)
        # Some texts begin with the path of the component already.
        who = "" if text.startswith(exc.path) else f"{exc.path}{made}: "
        _say(f"{who}{text}", stream)
    else:
        _say(f"{_at(_users_place(exc))}{root}", stream)


def _show_fault(fault: Fault, stream: TextIO) -> None:
    if _is_told_in_a_sentence(fault.cause):
        _say(f"{_relative(fault.file)}:{fault.line}: {fault.cause}", stream)
    else:
        show_place(fault.file, fault.line, fault.column, fault.text, fault.remedy, stream)


def show_place(
    file: str, line: int, column: int, text: str, remedy: str, stream: TextIO,
    *, source: str | None = None, width: int = 0, severity: str = "error",
) -> None:  # fmt: skip
    """``file:line:column: text``, the line with a caret below, and what to do. Columns count from 1.

    source: the line, where it is not to be read from the file. width: how much of it is marked; 0: a word.
    """
    place = styled(f"{_relative(file)}:{line}:{column}:", "bold", stream)
    colour = "red bold" if severity == "error" else "yellow bold"
    print(f"{place} {styled(f'{severity}:', colour, stream)} {hide_secrets(text)}", file=stream)
    source = (source if source is not None else linecache.getline(file, line)).rstrip("\n").replace("\t", " ")
    if source.strip():
        indent = len(source) - len(source.lstrip())
        at = min(max(column - 1, indent), max(len(source) - 1, 0))
        found = re.compile(r"""(["'])(?:(?!\1).)*\1|[\w.-]+""").match(source, at)
        carets = "^" * max(1, width or (len(found.group()) if found else 1))
        print(f"    {hide_secrets(source.strip())}", file=stream)
        print(f"    {' ' * (at - indent)}{styled(carets, colour, stream)}", file=stream)
    if remedy:
        if stream.isatty():
            columns = max(40, shutil.get_terminal_size().columns - 11)
            remedy = textwrap.fill(remedy, columns, break_long_words=False, break_on_hyphens=False)
            remedy = textwrap.indent(remedy, " " * 10).lstrip()
        print(f"    {styled('help:', 'cyan', stream)} {remedy}", file=stream)


def _say(sentence: str, stream: TextIO) -> None:
    print(f"{styled('axonlike:', 'red', stream)} {hide_secrets(sentence)}", file=stream)


def _at(place: Site | None) -> str:
    return f"{short_path(place.filename)}:{place.line}: " if place is not None else ""


def _relative(file: str) -> str:
    """As its user names it: by the way from here, if it is not far."""
    if not Path(file).exists():
        return file
    short = os.path.relpath(file)
    return file if short.startswith(os.pardir) else short


def _wrapped(line: str, stream: TextIO) -> str:
    """On a terminal, a long line is broken between words and goes on below its beginning; in a pipe it stays one."""
    if not stream.isatty():
        return line
    width = max(shutil.get_terminal_size().columns, 40)
    if len(line) <= width:
        return line
    return textwrap.fill(
        line, width, subsequent_indent=" " * _INDENT, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def _has_no_line_of_the_user(exc: BaseException) -> bool:
    """Is it the script itself that cannot be read (and not a module that it imports)?"""
    return all(is_machinery(frame) for frame, _ in traceback.walk_tb(exc.__traceback__))


def _from_the_script_on(tb: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of the command, which are before the script's."""
    start = tb
    while start is not None and _is_the_commands(start):
        start = start.tb_next
    return start or tb


def _is_the_commands(tb: TracebackType) -> bool:
    return tb.tb_frame.f_code.co_filename.startswith(("<frozen importlib", _COMMAND))


_COMMAND = str(Path(__file__).parent) + os.sep
