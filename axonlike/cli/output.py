"""What all commands share: exit codes, colours where a person reads, JSON where a program does."""

from __future__ import annotations

import json
import os
import sys
from enum import IntEnum
from typing import Any, TextIO

__all__ = ["Exit", "Failure", "complain", "print_json", "styled", "uses_colour"]


class Exit(IntEnum):
    """What the exit code of a command means."""

    OK = 0
    FAILED = 1  # a component failed, or `check` found a fault
    USAGE = 2
    MISSING = 3  # a package or a device that is needed is not there
    INTERRUPTED = 130


class Failure(Exception):
    """Ends a command with one sentence for its user, and an exit code."""

    def __init__(self, sentence: str, exit: Exit = Exit.USAGE) -> None:
        super().__init__(sentence)
        self.exit = exit


_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def uses_colour(stream: TextIO) -> bool:
    """Colours on a terminal; none in a pipe, under NO_COLOR (no-color.org) or on a terminal that knows none."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def styled(text: str, style: str, stream: TextIO) -> str:
    """`text` in a style ("bold", "red", ...; several with a blank between), plain where `stream` shows no colours."""
    if not uses_colour(stream):
        return text
    codes = ";".join(_STYLES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def complain(sentence: str) -> None:
    """One line on stderr about why a command could not do what it was asked."""
    print(f"{styled('axonlike:', 'red', sys.stderr)} {sentence}", file=sys.stderr)


def print_json(value: Any) -> None:
    """A command's result for programs: one JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
