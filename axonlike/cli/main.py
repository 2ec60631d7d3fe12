"""The ``axonlike`` command: for now it explains the codes that error messages end with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from axonlike.cli.explain import EXPLANATIONS, explain

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 ok, 2 usage."""
    parser = argparse.ArgumentParser(prog="axonlike", description="Wire small generators into live systems.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explaining = commands.add_parser("explain", help="say more about the code at the end of an error message")
    explaining.add_argument("code", nargs="?", help="such as AX103; none: list them all")
    options = parser.parse_args(arguments)
    if options.code is None:
        for code in sorted(EXPLANATIONS):
            print(f"{code}  {EXPLANATIONS[code].title}")
        return 0
    text = explain(options.code)
    if text is None:
        print(f"axonlike: no code {options.code!r}; `axonlike explain` lists those there are", file=sys.stderr)
        return 2
    print(text)
    return 0
