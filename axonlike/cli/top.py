"""``axonlike top``: what each component of a running system does, waits for, holds and drops, as it happens.

Three steps, each of which can be used alone: `compare` makes numbers of two looks at a system, `frame` makes lines of
text of those, of any size, and `run` puts such frames on a terminal.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from axonlike.cli.output import Exit, Failure, print_json, uses_colour

if TYPE_CHECKING:
    from axonlike.introspection import GraphSnapshot, PartSnapshot
    from axonlike.observe import Look, Observed

__all__ = ["BoxRow", "Row", "View", "add_arguments", "compare", "frame", "run"]


# -- numbers


@dataclass(frozen=True, slots=True)
class BoxRow:
    """One inbox, as it was at the second look; in_per_s: messages that came into it between the two."""

    name: str
    depth: int
    limit: int | None
    policy: str
    offered: int
    taken: int
    dropped: int
    in_per_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One component. What ends in _per_s, and busy, is of the time between the two looks; the rest is since its start.

    received, in_per_s: what came into its inboxes; of a Backplane what was published. sent, out_per_s: what arrived
    where its outboxes lead, and what they sent to nobody. Where others feed the same inbox, that counts theirs too:
    sent_is_at_most says so. busy: the share of the time in which it ran, 0 to 1; None for what does not run in steps.
    detail, counts: as in `PartSnapshot` ("port 1600", {"clients": 2}).
    """

    path: str
    type: str
    parent: str
    state: str
    why: str
    service: bool
    boxes: tuple[BoxRow, ...]
    received: int
    in_per_s: float
    sent: int
    out_per_s: float
    sent_is_at_most: bool
    dropped: int
    dropped_per_s: float
    unlinked: Mapping[str, int]
    to_ended: Mapping[str, int]
    busy: float | None
    slowest_step_s: float | None
    detail: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class View:
    """A system between two looks. busy: the share of the time in which its scheduler ran steps."""

    name: str
    pid: int
    state: str
    uptime_s: float
    interval_s: float
    parts: int
    messages_per_s: float
    busy: float | None
    held_by: tuple[str, ...]
    watchers: int
    left_out: int
    components: tuple[Row, ...]


def compare(before: Look, after: Look, name: str, pid: int) -> View:
    """What happened between two looks at one system."""
    seconds = max(after.uptime_s - before.uptime_s, 1e-9)
    earlier = {(part.path, part.made_at): part for part in before.graph.parts}
    sent_before, _ = _sent(before.graph)
    sent, at_most = _sent(after.graph)
    rows = tuple(
        _row(part, earlier.get((part.path, part.made_at)), seconds, sent, sent_before, at_most)
        for part in after.graph.parts
    )
    busy = None if after.busy_s is None else max(0.0, after.busy_s - (before.busy_s or 0.0)) / seconds
    return View(
        name=name,
        pid=pid,
        state=after.graph.state,
        uptime_s=after.uptime_s,
        interval_s=seconds,
        parts=len(rows) + after.graph.left_out,
        messages_per_s=sum(box.in_per_s for row in rows for box in row.boxes if box.name != "control"),
        busy=busy,
        held_by=after.graph.held_by,
        watchers=after.watchers,
        left_out=after.graph.left_out,
        components=rows,
    )


def _row(
    part: PartSnapshot,
    old: PartSnapshot | None,
    seconds: float,
    sent: Mapping[str, int],
    sent_before: Mapping[str, int],
    at_most: set[str],
) -> Row:
    boxes_before = {box.name: box for box in old.boxes} if old is not None else {}
    boxes = []
    dropped_before = 0
    for box in part.boxes:
        box_before = boxes_before.get(box.name)
        offered_before = box_before.offered if box_before is not None else 0
        if offered_before > box.offered:  # it is another component of that name and place
            offered_before = 0
        elif box_before is not None:
            dropped_before += box_before.dropped
        in_per_s = (box.offered - offered_before) / seconds
        boxes.append(BoxRow(box.name, box.depth, box.limit, box.policy, box.offered, box.taken, box.dropped, in_per_s))
    data = [box for box in boxes if box.name != "control"]
    dropped = sum(box.dropped for box in boxes)
    busy = slowest = None
    if part.effort is not None:
        started_s = old.effort.busy_s if old is not None and old.effort is not None else 0.0
        busy = min(1.0, max(0.0, part.effort.busy_s - started_s) / seconds)
        slowest = part.effort.slowest_step_s
    elif part.state not in ("OUTSIDE", "HOLLOW", "ENDED"):
        busy = 0.0  # it has not run since somebody measures
    published = part.counts.get("published", 0)
    published_since = published - (old.counts.get("published", 0) if old is not None else 0)
    all_sent = sent.get(part.path, 0)
    sent_since = all_sent - sent_before.get(part.path, 0)
    return Row(
        path=part.path,
        type=part.type,
        parent=part.parent,
        state=part.state,
        why=part.why,
        service=part.service,
        boxes=tuple(boxes),
        received=sum(box.offered for box in data) + published,
        in_per_s=sum(box.in_per_s for box in data) + max(0, published_since) / seconds,
        sent=all_sent,
        out_per_s=max(0, sent_since) / seconds,
        sent_is_at_most=part.path in at_most,
        dropped=dropped,
        dropped_per_s=max(0, dropped - dropped_before) / seconds,
        unlinked=part.unlinked,
        to_ended=part.to_ended,
        busy=busy,
        slowest_step_s=slowest,
        detail=part.detail,
        counts=part.counts,
    )


def _sent(graph: GraphSnapshot) -> tuple[dict[str, int], set[str]]:
    """How many messages each part has sent (its signal aside), and for which parts that is more than their own."""
    passes_in: dict[tuple[str, str], tuple[str, str]] = {}
    onward: dict[tuple[str, str], tuple[str, str]] = {}
    delivers: dict[tuple[str, str], tuple[str, str]] = {}
    for link in graph.links:
        table = passes_in if link.kind == "pass_in" else onward if link.kind == "pass_out" else delivers
        table[link.source, link.source_box] = (link.sink, link.sink_box)
    chassis_outboxes = set(onward.values())
    senders: dict[tuple[str, str], list[str]] = {}
    for source in {**delivers, **onward}:
        if source in chassis_outboxes or source[1] == "signal":
            continue
        outbox = source
        for _ in range(len(onward) + 1):
            if outbox not in onward:
                break
            outbox = onward[outbox]
        inbox = delivers.get(outbox)
        if inbox is not None:
            for _ in range(len(passes_in) + 1):
                if inbox not in passes_in:
                    break
                inbox = passes_in[inbox]
            senders.setdefault(inbox, []).append(source[0])
    offered = {(part.path, box.name): box.offered for part in graph.parts for box in part.boxes}
    sent = {
        part.path: sum(n for box, n in (*part.unlinked.items(), *part.to_ended.items()) if box != "signal")
        for part in graph.parts
    }
    at_most = set()
    for inbox, paths in senders.items():
        for path in dict.fromkeys(paths):
            if path in sent:
                sent[path] += offered.get(inbox, 0)
                if len(set(paths)) > 1 and offered.get(inbox, 0):
                    at_most.add(path)
    return sent, at_most


# -- text


_COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "1;31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "head": "7",
    "title": "1;36",
}

_STATES: dict[str, tuple[str, str]] = {  # state: the word in the table, its style
    "NEW": ("new", "dim"),
    "READY": ("ready", "green"),
    "WAITING": ("waits", ""),
    "SLEEPING": ("sleeps", "dim"),
    "BLOCKED": ("blocked", "red"),
    "FOREIGN": ("awaits", ""),
    "JOINING": ("joins", "dim"),
    "OUTSIDE": ("outside", "cyan"),
    "HOLLOW": ("·", "dim"),
    "BACKING_OFF": ("failed", "yellow"),
    "STOPPING": ("stopping", "yellow"),
    "ENDED": ("ended", "dim"),
}


class _Cell(NamedTuple):
    text: str
    style: str = ""


class _Column(NamedTuple):
    title: str
    width: int
    right: bool = True

    @property
    def gap(self) -> int:
        """Blanks before it: what is set to the right mostly has some of its own."""
        return 1 if self.right or not self.title else 2


_COMPONENT_MIN = 18
_COMPONENT_MAX = 44
_WHY_MIN = 24
_BAR = 5
# From the most important one to the first that goes where the terminal is narrow.
_FIGURES = {
    "state": _Column("STATE", 8, right=False),
    "in": _Column("IN/S", 6),
    "out": _Column("OUT/S", 6),
    "box": _Column("BOX", 9),
    "drops": _Column("DROPS", 6),
    "busy": _Column("BUSY", 6),
    "slowest": _Column("STEP", 6),
}
_ORDER = ("state", "box", "in", "out", "drops", "busy", "bar", "slowest", "why")


def frame(
    view: View, width: int = 80, height: int | None = None, *, sort: str = "tree", colour: bool = True, scroll: int = 0
) -> list[str]:
    """A view as the lines of a screen: exactly `height` of them, none wider than `width`; None: as many as it takes.

    sort: "tree", or "busy": the busiest first. colour: with ANSI sequences. scroll: components left out at the top.
    """
    rows = _with_sums(view.components)
    entries = list(_by_busy(rows) if sort == "busy" else _as_tree(rows))
    columns = _columns(width, max((_width(label) for label, _ in entries), default=0))
    lines = [*_header(view, width, colour), _fitted([_Cell("")], width, colour)]
    lines.append(_painted(_line(columns, {name: _Cell(c.title) for name, c in columns.items()}, False), "head", colour))
    body = []
    for label, row in entries:
        body.append(_line(columns, _cells(label, row, columns), colour))
        if "why" not in columns and row.state in ("BLOCKED", "BACKING_OFF"):
            body.append(_fitted([_Cell(f"    {row.why}", _STATES[row.state][1])], width, colour))
    if view.left_out:
        body.append(_fitted([_Cell(f"and {view.left_out:,} more", "dim")], width, colour))
    if height is None:
        return lines + body
    room = max(0, height - len(lines) - 1)
    scroll = max(0, min(scroll, len(body) - room))
    seen = body[scroll : scroll + room]
    hidden = len(body) - len(seen)
    lines += seen + [""] * (room - len(seen))
    more = f"  lines {scroll + 1}-{scroll + len(seen)} of {len(body)}" if hidden else ""
    keys = [_Cell(" q", "bold"), _Cell(" quit  ", "dim"), _Cell("s", "bold")]
    keys += [_Cell(f" sort by {'tree' if sort == 'busy' else 'busy'}  ", "dim"), _Cell("↑↓", "bold")]
    keys += [_Cell(" scroll", "dim"), _Cell(more, "yellow")]
    return [*lines, _fitted(keys, width, colour)][:height]


def _header(view: View, width: int, colour: bool) -> list[str]:
    state = [_Cell("  "), _Cell(view.state, "yellow")] if view.state != "running" else []
    first = [_Cell(f" {_clean(view.name)}", "title"), _Cell("  pid ", "dim"), _Cell(f"{view.pid}"), *state]
    for label, text in (
        ("up", _duration(view.uptime_s)),
        ("parts", f"{view.parts:,}"),
        ("messages/s", _rate(view.messages_per_s).text.replace("·", "0")),
        ("busy", "-" if view.busy is None else _percent(view.busy)),
    ):
        first += [_Cell("   "), _Cell(f"{label} ", "dim"), _Cell(text, "bold")]
    label = " kept running by "
    held = _listed(list(_holders(view)), width - len(label)) or "nothing outside"
    return [_fitted(first, width, colour), _fitted([_Cell(label, "dim"), _Cell(held)], width, colour)]


_HOLDER = re.compile(
    r"(?P<path>.+?) (?:is driven from outside|is open|(?P<thread>runs in a thread)|awaits something .*)"
)


def _holders(view: View) -> Iterator[str]:
    """What keeps it running, by name; what is part of another that does is told with that one."""
    found = [(text, _HOLDER.fullmatch(text)) for text in view.held_by]
    paths = {match["path"] for _, match in found if match is not None}
    for text, match in found:
        if match is None:
            yield _clean(text)
        elif not any(match["path"].startswith(f"{other}/") for other in paths):
            yield _clean(match["path"]) + (" (thread)" if match["thread"] else "")


def _listed(names: Sequence[str], width: int) -> str:
    """As many of the names as fit into the width, and how many more there are."""
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        text = ", ".join(names[:count]) + more
        if _width(text) <= width or count == 1:
            return text
    return ""


def _columns(width: int, longest: int) -> dict[str, _Column]:
    """The columns that there is room for, in their order."""
    wanted = max(_COMPONENT_MIN, min(longest, _COMPONENT_MAX))
    left = width - min(width, _COMPONENT_MIN)
    chosen: dict[str, _Column] = {}
    for name, column in _FIGURES.items():
        if left < column.width + column.gap:
            break
        chosen[name] = column
        left -= column.width + column.gap
    component = min(wanted, width, _COMPONENT_MIN + left)
    left -= max(0, component - _COMPONENT_MIN)
    if len(chosen) == len(_FIGURES) and left >= _WHY_MIN + 2 + _BAR + 1:
        chosen["bar"] = _Column("", _BAR, right=False)
        left -= _BAR + 1
    if len(chosen) >= len(_FIGURES) and left >= _WHY_MIN + 2:
        chosen["why"] = _Column("WHY", left - 2, right=False)
        left = 0
    columns = {"component": _Column("COMPONENT", component + max(0, left), right=False)}
    return columns | {name: chosen[name] for name in _ORDER if name in chosen}


def _cells(label: str, row: Row, columns: Mapping[str, _Column]) -> dict[str, _Cell]:
    word, style = _STATES.get(row.state, (row.state.lower(), ""))
    if row.state == "OUTSIDE" and "thread" in row.why:
        word = "thread"
    box = max((b for b in row.boxes if b.name != "control" or b.depth), key=_fullness, default=None)
    busy = row.busy
    if row.state == "HOLLOW" and box is None and not row.sent:
        sum_of_parts = {} if busy is None or busy < 0.0005 else {"busy": _Cell(_percent(busy), "dim")}
        return {"component": _Cell(label, "dim"), "why": _Cell(_clean(row.why), "dim"), **sum_of_parts}
    return {
        "component": _Cell(label, "dim" if row.state == "ENDED" else ""),
        "state": _Cell(word, style),
        "box": _NONE if box is None else _box(box),
        "in": _rate(row.in_per_s) if box is not None or "published" in row.counts else _NONE,
        "out": _rate(row.out_per_s, "≤" if row.sent_is_at_most else ""),
        "drops": _Cell(_count(row.dropped), "red" if row.dropped_per_s else "yellow") if row.dropped else _NOTHING,
        "busy": _NONE if busy is None else _Cell(_percent(busy), _busy_style(busy)) if busy >= 0.0005 else _NOTHING,
        "bar": _NO_BAR if busy is None or busy < 0.0005 else _Cell(_bar(busy), _busy_style(busy) or "green"),
        "slowest": _NONE if row.slowest_step_s is None else _seconds(row.slowest_step_s),
        "why": _Cell(_clean(row.why), style if row.state in ("BLOCKED", "BACKING_OFF", "STOPPING") else "dim"),
    }


_NONE = _Cell("-", "dim")
_NOTHING = _Cell("·", "dim")
_NO_BAR = _Cell("")


def _as_tree(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Parents before their children, with lines that show it."""
    paths = {row.path for row in rows}
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.parent if row.parent in paths and row.parent != row.path else "", []).append(row)
    work = [("", "", row) for row in reversed(of.get("", ()))]
    shown: set[str] = set()
    while work:
        indent, branch, row = work.pop()
        if row.path in shown:
            continue
        shown.add(row.path)
        name = row.path if not branch else row.path.removeprefix(f"{row.parent}/")
        yield f"{indent}{branch}{_clean(name)}{_about(row)}", row
        below = of.get(row.path, [])
        indent += {"": "", "├ ": "│ ", "└ ": "  "}[branch]
        for child in reversed(below):
            work.append((indent, "└ " if child is below[-1] else "├ ", child))


def _by_busy(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """The busiest first; a chassis stands above the parts whose sum it has."""
    for row in sorted(rows, key=lambda row: -(row.busy or 0.0)):
        yield f"{_clean(row.path)}{_about(row)}", row


def _about(row: Row) -> str:
    """What stands behind its name: a server's port and clients, a Backplane's subscribers."""
    said = []
    if "clients" in row.counts:
        said = [row.detail, _number(row.counts["clients"], "client")]
    elif "subscribers" in row.counts:
        said = [_number(row.counts["subscribers"], "subscriber")]
    return "".join(f", {text}" for text in said if text)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _with_sums(rows: Sequence[Row]) -> list[Row]:
    """The rows, those of chassis and servers with the sums of their parts: they have no steps of their own."""
    by_path = {row.path: row for row in rows}
    parents = {row.parent for row in rows}
    busy = {row.path: 0.0 for row in rows if row.busy is None and row.path in parents}
    for row in rows:
        above = by_path.get(row.parent) if row.busy else None
        for _ in range(len(rows)):
            if above is None:
                break
            if above.path in busy:
                busy[above.path] += row.busy or 0.0
            above = by_path.get(above.parent) if above.parent != above.path else None
    return [row if row.path not in busy else replace(row, busy=busy[row.path]) for row in rows]


def _fullness(box: BoxRow) -> tuple[float, int]:
    return (box.depth / box.limit if box.limit else 0.0, box.depth)


def _box(box: BoxRow) -> _Cell:
    limit = "∞" if box.limit is None else _count(box.limit)
    full = box.depth / box.limit if box.limit else 0.0
    style = "red" if full >= 1 else "yellow" if full >= 0.5 else "" if box.depth else "dim"
    return _Cell(f"{_count(box.depth)}/{limit}", style)


def _busy_style(busy: float) -> str:
    return "red" if busy >= 0.8 else "yellow" if busy >= 0.4 else ""


def _bar(share: float) -> str:
    eighths = round(min(1.0, share) * _BAR * 8)
    full, rest = divmod(max(1, eighths), 8)
    return "█" * full + ("" if not rest else "▏▎▍▌▋▊▉"[rest - 1])


def _rate(per_s: float, before: str = "") -> _Cell:
    if per_s <= 0:
        return _NOTHING
    return _Cell(before + (f"{per_s:.1f}" if per_s < 99.95 else _count(round(per_s))))


def _count(number: int) -> str:
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if number >= unit:
            number_of = number / (1000 if name == "k" else unit)
            return f"{number_of:.1f}{name}" if number_of < 100 else f"{number_of:.0f}{name}"
    return str(number)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share < 0.9995 else "100%"


def _seconds(seconds: float) -> _Cell:
    if seconds < 0.0009995:
        return _Cell(f"{seconds * 1e6:.0f}us", "dim")
    style = "red" if seconds >= 0.1 else "yellow" if seconds >= 0.01 else ""
    if seconds < 0.09995:
        return _Cell(f"{seconds * 1e3:.1f}ms", style)
    return _Cell(f"{seconds:.2f}s" if seconds < 99.5 else f"{seconds:.0f}s", style)


def _duration(seconds: float) -> str:
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d {h:02}h"
    return f"{h}h {m:02}m" if h else f"{m}m {s:02}s" if m else f"{s}s"


def _clean(text: str) -> str:
    """Without what would move the terminal's cursor: names may come from outside."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _width(text: str) -> int:
    """How many places a terminal takes for it."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept, used = [], 1
    for c in text:
        used += _width(c)
        if used > width:
            break
        kept.append(c)
    return "".join(kept) + "…" if width > 0 else ""


def _line(columns: Mapping[str, _Column], cells: Mapping[str, _Cell], colour: bool) -> str:
    texts: list[str] = []
    for name, column in columns.items():
        cell = cells.get(name, _Cell(""))
        text = _cut(cell.text, column.width)
        space = " " * (column.width - _width(text))
        painted = _painted(text, cell.style, colour)
        before = " " * column.gap if texts else ""
        texts.append(before + (space + painted if column.right else painted + space))
    return "".join(texts)


def _fitted(cells: Sequence[_Cell], width: int, colour: bool) -> str:
    texts, left = [], width
    for cell in cells:
        text = _cut(cell.text, left)
        left -= _width(text)
        texts.append(_painted(text, cell.style, colour))
    return "".join(texts)


def _painted(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour and style and text else text


# -- the command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike top [PID|NAME] [--once] [--json] [--interval S] [--sort tree|busy]``."""
    parser.add_argument("system", nargs="?", metavar="PID|NAME", help="which; none: the only one that runs")
    parser.add_argument("--once", action="store_true", help="look for one interval, print that, and end")
    parser.add_argument("--json", action="store_true", help="for programs; without --once a line for each interval")
    parser.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between two looks (1)")
    parser.add_argument("--sort", choices=("tree", "busy"), default="tree", help="as built, or busiest first")


def run(options: argparse.Namespace) -> int:
    """Watch a running system until it ends or the user has seen enough."""
    from axonlike.introspection import NoSnapshot
    from axonlike.observe import SystemEnded, connect

    if not 0.05 <= options.interval <= 3600:
        raise Failure(f"--interval is a time from 0.05 to 3600 seconds, not {options.interval:g}")
    try:
        system = connect(options.system)
    except NoSnapshot as exc:
        raise Failure(_sentence(exc)) from None
    with system:
        try:
            first = system.look(measure=True)
            if options.once:
                time.sleep(options.interval)
                view = compare(first, system.look(measure=True), system.name, system.pid)
                if options.json:
                    print_json(asdict(view))
                else:
                    width = _size()[0] if sys.stdout.isatty() else 140
                    print("\n".join(line.rstrip() for line in frame(view, width, sort=options.sort, colour=_colour())))
            elif options.json or not sys.stdout.isatty():
                _print_forever(system, first, options)
            else:
                _show(system, first, options.interval, options.sort)
        except SystemEnded as exc:
            print(_sentence(exc), file=sys.stderr if options.json else sys.stdout)
        except NoSnapshot as exc:
            raise Failure(_sentence(exc), Exit.FAILED) from None
    return Exit.OK


def _sentence(exc: Exception) -> str:
    return str(exc).splitlines()[0]


def _colour() -> bool:
    return uses_colour(sys.stdout)


def _size() -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return width or 80, height or 24


def _print_forever(system: Observed, look: Look, options: argparse.Namespace) -> None:
    import json

    while True:
        time.sleep(options.interval)
        before, look = look, system.look(measure=True)
        view = compare(before, look, system.name, system.pid)
        if options.json:
            print(json.dumps(asdict(view), ensure_ascii=False), flush=True)
        else:
            lines = frame(view, 140, sort=options.sort, colour=_colour())
            print("\n".join(line.rstrip() for line in lines), end="\n\n", flush=True)


def _show(system: Observed, look: Look, interval_s: float, sort: str) -> None:
    """Redraw in place until q is pressed. Raises SystemEnded."""
    colour, scroll = _colour(), 0
    interval_now_s = min(interval_s, 0.25)  # the first figures come soon
    view = compare(look, look, system.name, system.pid)
    with _Terminal() as terminal:
        due_s = time.monotonic() + interval_now_s
        while True:
            size = _size()
            terminal.draw(frame(view, *size, sort=sort, colour=colour, scroll=scroll))
            while True:
                key = terminal.key(min(0.25, max(0.0, due_s - time.monotonic())))
                if key or _size() != size or time.monotonic() >= due_s:
                    break
            if key == "q":
                return
            if key == "s":
                sort, scroll = ("tree" if sort == "busy" else "busy"), 0
            scroll = min(max(0, scroll + {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}.get(key, 0)),
                         len(view.components) + 1)  # fmt: skip
            if time.monotonic() >= due_s:
                before, look = look, system.look(measure=True)
                view = compare(before, look, system.name, system.pid)
                due_s = time.monotonic() + interval_s


_KEYS = {"q": "q", "Q": "q", "s": "s", "k": "up", "j": "down", "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up",
         "\x1bOB": "down", "\x1b[5~": "pageup", "\x1b[6~": "pagedown", " ": "pagedown", "\x1b": ""}  # fmt: skip


class _Terminal:
    """The screen beside the one that was there, with keys as they are pressed; everything is put back at the end.

    Ctrl-Z puts everything back too, until the program goes on.
    """

    def __enter__(self) -> _Terminal:
        self._input: int | None = None
        self._mode: list[Any] = []
        self._lines: Sequence[str] = ()
        self._is_to_stop = False
        with contextlib.suppress(Exception):  # keys are a comfort: without a terminal to read from Ctrl-C remains
            import termios

            self._mode = termios.tcgetattr(sys.stdin.fileno())
            self._input = sys.stdin.fileno()
        # Only noted: the signal may come in the middle of a write.
        self._stop_before = signal.signal(signal.SIGTSTP, self._note_stop)
        self._take()
        return self

    def __exit__(self, *_error: object) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, self._stop_before)

    def _note_stop(self, *_signal: object) -> None:
        self._is_to_stop = True

    def _take(self) -> None:
        if self._input is not None:
            import tty

            tty.setcbreak(self._input)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")

    def _give_back(self) -> None:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        if self._mode and self._input is not None:
            import termios

            termios.tcsetattr(self._input, termios.TCSADRAIN, self._mode)

    def _stop(self) -> None:
        """Stop as Ctrl-Z asks every program to; goes on behind the signal once SIGCONT has come."""
        self._is_to_stop = False
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note_stop)
        self._take()
        self.draw(self._lines)

    def draw(self, lines: Sequence[str]) -> None:
        """Put these lines on the screen, in one piece."""
        self._lines = lines
        sys.stdout.write("\x1b[H" + "\x1b[K\r\n".join(lines) + "\x1b[K\x1b[J")
        sys.stdout.flush()

    def key(self, timeout_s: float) -> str:
        """What was pressed, or "" after the time."""
        if self._is_to_stop:
            self._stop()
        if self._input is None:
            time.sleep(timeout_s)
            return ""
        import select

        if not select.select([self._input], [], [], timeout_s)[0]:
            return ""
        pressed = os.read(self._input, 32).decode(errors="replace")
        if not pressed:  # its input was closed
            self._input = None
        return _KEYS.get(pressed, "")
