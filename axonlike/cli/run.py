"""``axonlike run``: a script as ``python script.py`` would run it, or a graph file; errors in a form for people."""

from __future__ import annotations

import argparse
import builtins
import contextlib
import difflib
import logging
import os
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.abc import InspectLoader
from pathlib import Path

from axonlike.cli.output import Exit, Failure

__all__ = ["add_arguments", "run", "run_graph_file", "run_script"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike run [OPTIONS] FILE [ARGUMENT ...]``."""
    parser.usage = "axonlike run [OPTIONS] FILE [ARGUMENT ...]"
    parser.description = (
        "Run a script (as python would, with its arguments) or a graph file (.toml). What stands after FILE goes to "
        "the script; after a graph file, NAME.setting=VALUE sets something for this run: CLIENTS.port=1700."
    )
    parser.epilog = (
        "Exit codes: 0 ok, 1 something failed, 2 wrong usage, 3 a package or device is missing, 130 Ctrl-C; or the "
        "script's own, if it calls sys.exit()."
    )
    parser.add_argument("--traceback", action="store_true", help="show Python's whole traceback of an error")
    parser.add_argument(
        "--observe", action=argparse.BooleanOptionalAction, default=True,
        help="let `axonlike top` and `axonlike tap` of the same user look into it (default: yes)",
    )  # fmt: skip
    parser.add_argument(
        "--replay", action="append", default=[], metavar="NAME=FILE",
        help="a recording in the place of the source that is called NAME (or has that path); may be said several times",
    )  # fmt: skip
    parser.add_argument(
        "--plot", metavar="WHERE",
        help="where its live plots are seen: off, window, listen=HOST:PORT, or window,listen=HOST:PORT",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="tell errors as one JSON document on stderr, for programs")
    parser.add_argument("file", metavar="FILE", help="a script (.py) or a graph file (.toml)")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="the script's own")


def run(options: argparse.Namespace) -> int:
    """Run the file; returns the exit code. SystemExit of the script passes."""
    path = Path(options.file)
    _check_file(path)
    os.environ["AXONLIKE_OBSERVE"] = "1" if options.observe else "0"
    if options.plot is not None:
        os.environ["AXONLIKE_PLOT"] = options.plot
    try:
        with _replayed(options.replay):
            if path.suffix == ".toml":
                run_graph_file(path, options.arguments)
            else:
                run_script(path, options.arguments)
    except Failure:
        raise
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as exc:
        return _failed(exc, whole=options.traceback, as_json=options.json)
    return Exit.OK


@contextlib.contextmanager
def _replayed(asked: Sequence[str]) -> Iterator[None]:
    """While the block runs, recordings stand in for sources: NAME=FILE each. Raises Failure."""
    if not asked:
        yield
        return
    files: dict[str, str] = {}
    for word in asked:
        name, sign, file = word.partition("=")
        if not (name and sign and file):
            raise Failure(f"--replay {word}: write NAME=FILE, the name of a source and that of a recording")
        if name in files:
            raise Failure(f"--replay {word}: {name} is replaced by {files[name]} already")
        files[name] = file
    from axonlike.components.file.replay import replay_in_place_of
    from axonlike.demand import stand_in
    from axonlike.errors import AxonlikeError

    try:
        bodies = {name: replay_in_place_of(file) for name, file in files.items()}
    except AxonlikeError as exc:
        raise Failure(f"--replay: {exc}") from exc
    with stand_in(bodies) as stand_ins:
        yield
    for name in sorted(stand_ins.unused):
        raise Failure(f"--replay {name}={files[name]}: {stand_ins.complaint(name)}")


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise Failure(f"{path} is a folder: name a script (.py) or a graph file (.toml) in it")
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else Path()
        files = [str(there) for there in folder.iterdir() if there.suffix in (".py", ".toml")]
        near = difflib.get_close_matches(str(folder / path.name), files, n=1, cutoff=0.75)
        raise Failure(f"there is no file {str(path)!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _failed(exc: BaseException, *, whole: bool, as_json: bool) -> int:
    from axonlike.cli import errors

    # As the interpreter does for an error that nobody caught; the warning about graphs that were never run looks there.
    sys.last_type, sys.last_value, sys.last_traceback = type(exc), exc, exc.__traceback__
    if as_json:
        import json

        print(json.dumps(errors.as_json(exc), indent=2, ensure_ascii=False), file=sys.stderr)
    elif sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(exc), exc, exc.__traceback__)  # the script wants to tell errors itself
    else:
        sys.stdout.flush()
        errors.show(exc, whole=whole)
    return errors.exit_code_of(exc)


class _Script(InspectLoader):
    """Loads a script as the module ``__main__``, without leaving a .pyc."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get_source(self, fullname: str) -> str:
        from importlib.util import decode_source

        return decode_source(self.path.read_bytes())

    def get_code(self, fullname: str) -> types.CodeType:
        code: types.CodeType = compile(self.path.read_bytes(), str(self.path), "exec", dont_inherit=True)
        return code


def run_script(path: Path, arguments: Sequence[str] = ()) -> None:
    """Run a script in this process as ``python path arguments`` does; raises what it raises."""
    _stand_in(path, arguments)
    path = path.absolute()  # so it stands in __file__ and in tracebacks; not in sys.argv
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    module.__dict__.update(__cached__=None, __builtins__=builtins)
    module.__loader__ = loader = _Script(path)
    # What ran until now is the command: the script's classes and functions are looked for in this module.
    sys.modules["__main__"] = module
    loader.exec_module(module)


def run_graph_file(path: Path, overrides: Sequence[str] = ()) -> None:
    """Build and run a graph file in this process. Raises GraphFileError, and what the run raises."""
    _stand_in(path, overrides)
    from axonlike import graphfile
    from axonlike.defaults import run as run_parts

    logging.basicConfig(format="%(asctime)s  %(levelname)-8s  %(message)s", datefmt="%H:%M:%S")
    run_parts(graphfile.build(graphfile.read(path, overrides)))


def _stand_in(path: Path, arguments: Sequence[str]) -> None:
    """Arguments and import path as `python path arguments` has them."""
    sys.argv = [str(path), *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = str(path.resolve().parent)
