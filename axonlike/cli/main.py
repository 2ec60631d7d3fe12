"""The ``axonlike`` command: a table of subcommands, each a module of its own that is imported when it is asked for.

A command's module has two functions: ``add_arguments(parser)``, and ``run(options) -> int``, which returns an exit
code (`axonlike.cli.output.Exit`). Nothing else of axonlike is imported here, so that ``axonlike --help`` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from axonlike.cli.output import Exit, Failure, complain

__all__ = ["COMMANDS", "Command", "main"]


class Command(NamedTuple):
    """One subcommand: the module that does it, and its line in ``axonlike --help``."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "run": Command("run", "run a script or a graph file"),
    "check": Command("check", "find all that is wrong with a script or a graph file, without running it"),
    "graph": Command("graph", "draw the graph of a script, a graph file or a running system"),
    "top": Command("top", "watch a running system: what each component does, waits for and drops"),
    "tap": Command("tap", "print what a component of a running system sends"),
    "record": Command("record", "record what a component sends to a file"),
    "replay": Command("replay", "send a recording: print it, show it, convert it"),
    "plot": Command("plot", "look at the live plot of a calculation that runs somewhere else"),
    "new": Command("new", "write a small project to start from"),
    "schema": Command("schema", "print the JSON Schema of graph files"),
    "components": Command("components", "list the components that a graph file may name"),
    "devices": Command("devices", "list serial ports, sound cards, cameras and screens"),
    "doctor": Command("doctor", "look at this machine: Python, packages, devices, limits"),
    "demo": Command("demo", "the notification server with a simulated device"),
    "explain": Command("explain", "say more about the code at the end of an error message"),
}

_LOAD_SCRIPTS = ("check", "graph")  # what stands after -- is for the script that they load: `options.of_script`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    of_script: list[str] = []
    if "--" in arguments and arguments[0] in _LOAD_SCRIPTS:
        at = arguments.index("--")
        arguments, of_script = arguments[:at], arguments[at + 1 :]
    parser = _parser(arguments)
    options = parser.parse_args(arguments)
    options.of_script = of_script
    try:
        code: int = options.run(options)
    except Failure as failure:
        complain(str(failure))
        return failure.exit
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (`axonlike graph x.py | head`). Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.OK
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    from axonlike import __version__

    parser = argparse.ArgumentParser(
        prog="axonlike",
        description="Wire small generators into live systems.",
        epilog="axonlike COMMAND --help tells the options of a command.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=16),
    )
    parser.add_argument("--version", action="version", version=f"axonlike {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=f"{command.help[:1].upper()}{command.help[1:]}.")
        if name == wanted:
            module = importlib.import_module(f"axonlike.cli.{command.module}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser
