"""``axonlike tap NAME.outbox``: what a component of a running system sends, a line for each message.

Without a name: which outboxes there are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from axonlike.cli.output import Exit, Failure, complain, print_json, styled

if TYPE_CHECKING:
    from axonlike.introspection import GraphSnapshot
    from axonlike.observe import Observed, Tapped

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike tap [NAME.outbox] [--of PID|NAME] [--count N] [--time] [--json]``."""
    parser.add_argument(
        "outbox", metavar="NAME.outbox", nargs="?",
        help="a component (its path, or the end of it) and its outbox; none: list those that there are",
    )  # fmt: skip
    parser.add_argument("--of", metavar="PID|NAME", help="of which system; without: the only one that runs")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many messages")
    parser.add_argument("--time", action="store_true", help="with the time at which each was sent")
    parser.add_argument("--json", action="store_true", help="for programs: a JSON document for each message")


def run(options: argparse.Namespace) -> int:
    """Print messages until the component or the system ends."""
    from axonlike.introspection import NoSnapshot
    from axonlike.observe import NoSystem, SystemEnded, connect

    if options.count is not None and options.count < 1:
        raise Failure(f"--count is a number from 1, not {options.count}")
    try:
        with connect(options.of) as system:
            if options.outbox is None:
                _list(list(_outboxes(system.snapshot())), as_json=options.json)
                return Exit.OK
            try:
                _print_all(system, options, _as_json if options.json else _as_text(options.time))
            except SystemEnded as exc:
                _note(str(exc).splitlines()[0])
            except NoSystem as exc:
                sentence = str(exc).splitlines()[0]
                if not sentence.startswith("no component "):
                    raise
                said = _THERE_ARE.sub("", sentence)
                complain(f"{said}{'' if said.endswith('?') else '.'} There are:")
                for name in _outboxes(system.snapshot()):
                    _note(f"    {name}")
                return Exit.USAGE
            finally:
                if system.dropped:
                    _note(f"not shown, as they came too fast (the receiver has got them): {system.dropped} messages")
    except NoSnapshot as exc:
        raise Failure(str(exc).splitlines()[0]) from None
    return Exit.OK


_THERE_ARE = re.compile(r" \(there are: .*\)$")


def _outboxes(graph: GraphSnapshot) -> Iterator[str]:
    """The outboxes that lead somewhere, by the names by which they can be tapped: a line for each, parents first."""
    linked: dict[str, list[str]] = {}
    for link in graph.links:
        if link.kind != "pass_in" and link.source_box != "signal":
            linked.setdefault(link.source, []).append(link.source_box)
    for part in graph.parts:
        boxes = [*linked.get(part.path, ()), *(box for box in part.unlinked if box != "signal")]
        yield from (f"{part.path}.{box}" for box in dict.fromkeys(boxes))


def _list(names: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(names)
        return
    for name in names:
        print(name)
    if not names:
        _note("no component of it sends anything")


def _print_all(system: Observed, options: argparse.Namespace, form: Callable[[Tapped], str]) -> None:
    shown = 0
    messages = system.tap(options.outbox)
    if sys.stderr.isatty():  # it may be long until the first one
        said = f"waiting for what {system.tapped} of {system.name} (pid {system.pid}) sends; Ctrl-C ends this"
        _note(styled(said, "dim", sys.stderr))
    for message in messages:
        if message is None:
            sys.stdout.flush()
            continue
        print(form(message), flush=True)
        shown += 1
        if shown == options.count:
            return
    _note(f"{options.outbox} has ended")


def _as_json(message: Tapped) -> str:
    return json.dumps(
        {"message": message.text, "sender": message.sender, "time_s": message.time_s, "number": message.number},
        ensure_ascii=False,
    )


def _as_text(with_time: bool) -> Callable[[Tapped], str]:
    def text(message: Tapped) -> str:
        if not with_time:
            return message.text
        when = time.strftime("%H:%M:%S", time.localtime(message.time_s)) + f".{int(message.time_s * 1000) % 1000:03}"
        return f"{styled(when, 'dim', sys.stdout)}  {message.text}"

    return text


def _note(sentence: str) -> None:
    print(sentence, file=sys.stderr)
