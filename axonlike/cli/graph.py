"""``axonlike graph``: the graph of a script, a graph file or a running system, as a picture or for other programs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from axonlike.cli.output import Exit, Failure, complain, styled

if TYPE_CHECKING:
    from axonlike.component import Component
    from axonlike.introspection import GraphSnapshot

__all__ = ["add_arguments", "run"]

_FORMATS = ("svg", "ascii", "mermaid", "dot", "json")
_SUFFIXES = {".svg": "svg", ".txt": "ascii", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot",
             ".json": "json"}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike graph FILE [-- ARGUMENT ...]`` or ``axonlike graph --pid PID``."""
    parser.usage = "axonlike graph [OPTION ...] FILE [-- ARGUMENT ...]\n       axonlike graph [OPTION ...] --pid PID"
    parser.description = (
        "Draw the graph of a script, a graph file or a running system. A script is executed up to its run(), which is "
        "answered in place of being run."
    )
    parser.epilog = "Without -o and a format it is a drawing in characters, into a pipe too."
    parser.add_argument("file", nargs="?", metavar="FILE", help="a script (.py) or a graph file (.toml)")
    parser.add_argument("--pid", metavar="PID", help="a running system: its process id, or its script's name")
    parser.add_argument("-o", "--output", metavar="PATH", help="write to this file; its suffix says the format, as in "
                        "graph.svg")  # fmt: skip
    formats = parser.add_mutually_exclusive_group()
    for name, text in (
        ("svg", "a picture that stands by itself, for light and dark pages"),
        ("ascii", "a drawing in characters"),
        ("mermaid", "source for Mermaid, which GitHub draws"),
        ("dot", "source for Graphviz"),
        ("json", "for programs"),
    ):
        formats.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=text)
    parser.add_argument("--all", action="store_true", dest="everything", help="also what the toolkit's components are "
                        "made of, every client, and signals")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Draw, and tell on stderr what is wrong with a file that is drawn all the same."""
    if (options.file is None) == (options.pid is None):
        raise Failure("name a script or a graph file, or a running system with --pid")
    form = options.format or _form_of(options.output)
    graph, title, faults = _running(options.pid) if options.pid is not None else _loaded(options)
    text = _writers()[form](graph, title, options.everything)
    if options.output is not None:
        try:
            Path(options.output).write_text(text, encoding="utf-8")
        except OSError as exc:
            raise Failure(f"cannot write {options.output}: {exc.strerror}") from exc
    else:
        sys.stdout.write(text)
        if options.format is None and sys.stdout.isatty():
            hint = f"as a picture: axonlike graph {options.file or f'--pid {options.pid}'} -o graph.svg"
            print(styled(hint, "dim", sys.stderr), file=sys.stderr)
    return Exit.FAILED if faults else Exit.OK


def _form_of(output: str | None) -> str:
    if output is None:
        return "ascii"
    suffix = Path(output).suffix.lower()
    if suffix not in _SUFFIXES:
        raise Failure(f"{output}: name a format (--{', --'.join(_FORMATS)}), or a file that ends in .svg or the like")
    return _SUFFIXES[suffix]


def _writers() -> dict[str, Callable[[GraphSnapshot, str, bool], str]]:
    from axonlike.cli import drawing

    def drawn(write: Callable[[drawing.Picture], str]) -> Callable[[GraphSnapshot, str, bool], str]:
        return lambda graph, title, everything: write(drawing.picture_of(graph, title=title, everything=everything))

    return {
        "svg": drawn(drawing.svg), "ascii": drawn(drawing.ascii_text), "mermaid": drawn(drawing.mermaid),
        "dot": drawn(drawing.dot), "json": _as_json,
    }  # fmt: skip


def _as_json(graph: GraphSnapshot, title: str, everything: bool) -> str:
    import json

    from axonlike.observe import to_document

    return json.dumps({"title": title, **to_document(graph)}, indent=2, ensure_ascii=False) + "\n"


def _running(which: str) -> tuple[GraphSnapshot, str, int]:
    from axonlike.observe import NoSystem, connect

    try:
        with contextlib.closing(connect(which)) as system:
            return system.snapshot(), f"Graph of {system.name}", 0
    except NoSystem as exc:
        raise Failure(str(exc)) from exc


def _loaded(options: argparse.Namespace) -> tuple[GraphSnapshot, str, int]:
    from axonlike.cli.loading import load
    from axonlike.introspection import snapshot_of

    path = Path(options.file)
    try:
        loaded = load(path, options.of_script)
    except OSError as exc:
        raise Failure(f"cannot read {path}: {exc.strerror}") from exc
    for fault in (*loaded.faults, *loaded.warnings):
        complain(f"{path}:{fault.line}: {fault.text}{f' ({fault.remedy})' if fault.remedy else ''}")
    if not loaded.parts:
        found = "see above" if loaded.faults or loaded.warnings else "it runs no component"
        raise Failure(f"{path}: nothing to draw: {found}", Exit.FAILED if loaded.faults else Exit.USAGE)
    for part in loaded.parts:
        _show_clients(part)
    return snapshot_of(loaded.parts), f"Graph of {path.name}", len(loaded.faults)


def _show_clients(part: Component) -> None:
    """Have each server make what it makes for a client, so that it can be drawn; none of it runs."""
    from axonlike.component import Component
    from axonlike.components.net import SimpleServer

    work: list[Component] = [part]
    while work:
        part = work.pop()
        work.extend(child for child in part._children if isinstance(child, Component))
        if not isinstance(part, SimpleServer) or part._children:
            continue
        try:
            with contextlib.redirect_stdout(sys.stderr):
                part.add_child(part.handler_for(("127.0.0.1", 49152)))
        except Exception as exc:
            complain(f"{part.path}: not drawn is what it makes for a client: {type(exc).__name__}: {exc}")
