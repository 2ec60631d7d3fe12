"""``axonlike record``: what a component sends, to a file, until a time is over, Ctrl-C, or its end."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from axonlike.cli.output import Exit, Failure, complain, print_json, styled

if TYPE_CHECKING:
    from axonlike.components.file.recorder import Recorded

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike record COMPONENT [SETTING=VALUE ...] --to FILE [--for SECONDS] [--overwrite] [--json]``."""
    parser.usage = "axonlike record COMPONENT [SETTING=VALUE ...] --to FILE [OPTION ...]"
    parser.description = (
        "Record what a component sends (`axonlike components` lists them), with settings as in a graph file. The "
        "ending of FILE says the format: .sigmf, .vrt, .wav and .csv hold one stream, .h5 and .mcap several. Ctrl-C "
        "ends it in order. Exit code 0: COMPLETE; 1: INCOMPLETE, or it failed."
    )
    parser.epilog = "For example: axonlike record Tone frequency_hz=1000 --to tone.wav --for 10"
    parser.add_argument("component", metavar="COMPONENT", help='such as AudioIn; or "module:Class"')
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="of the component: device=demo")
    parser.add_argument("--to", metavar="FILE", required=True, help="the recording")
    parser.add_argument(
        "--for", type=float, metavar="SECONDS", dest="for_s", help="how much of the signal (default: until Ctrl-C)"
    )
    parser.add_argument("--overwrite", action="store_true", help="even if the file is there already")
    parser.add_argument("--json", action="store_true", help="the verdict for programs")


def run(options: argparse.Namespace) -> int:
    """Record, and say what became of it."""
    from axonlike.cli.made import made_of_words
    from axonlike.errors import AxonlikeError

    if options.for_s is not None and not 0 < options.for_s < float("inf"):
        raise Failure(f"--for is a number of seconds above 0, not {options.for_s:g}")
    try:
        source = made_of_words(options.component, options.settings)
    except AxonlikeError as exc:
        raise Failure(str(exc), _exit_of(exc)) from exc
    from axonlike.cli.recording import record

    result = record(source, options.to, for_s=options.for_s, overwrite=options.overwrite)
    return tell(result, as_json=options.json)


def tell(result: Recorded | None, *, as_json: bool) -> int:
    """Print the verdict; returns the exit code that says the same."""
    if result is None:
        complain("the recording was not finished: its journal has no verdict")
        return Exit.FAILED
    if as_json:
        from dataclasses import asdict

        print_json(asdict(result))
    else:
        colour = "green" if result.verdict == "COMPLETE" else "yellow"
        print(str(result).replace(result.verdict, styled(result.verdict, colour, sys.stdout), 1))
    return Exit.OK if result.verdict == "COMPLETE" else Exit.FAILED


def _exit_of(exc: BaseException) -> Exit:
    from axonlike.cli.errors import exit_code_of

    return Exit(exit_code_of(exc))
