"""Pictures of a graph: SVG drawn by us, text for a terminal, and source for Mermaid and Graphviz.

Pure functions from a `GraphSnapshot` to text; the same snapshot gives the same text, byte by byte. Parts go by their
names. `picture_of` says what is shown of a snapshot, layout.py where, and the rest here how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from axonlike.cli.layout import Edge, Gate, Hop, Item, Layout, Place, Style, Wire, lay_out
from axonlike.introspection import GraphSnapshot, PartSnapshot

__all__ = ["Picture", "ascii_text", "dot", "mermaid", "picture_of", "svg"]


@dataclass(frozen=True)
class Picture:
    """What is shown: a tree of items and the links between them. title: for who cannot see it."""

    items: list[Item]
    edges: list[Edge]
    title: str = "Graph"


def picture_of(graph: GraphSnapshot, *, title: str = "Graph", everything: bool = False) -> Picture:
    """What to show of a snapshot.

    Left out, unless `everything` is asked for: what a component of the toolkit is made of (the parts of a SingleServer,
    say) and links from signal to control. Of a server's clients one is shown. A Backplane is joined to those who
    publish and subscribe.
    """
    shown = _Shown(graph, everything)
    return Picture(shown.items(), _without_blind_ends(list(shown.edges())), title)


class _Shown:
    """What of a snapshot is visible, and as what."""

    def __init__(self, graph: GraphSnapshot, everything: bool) -> None:
        self.graph, self.everything = graph, everything
        self.parts = {part.path: part for part in reversed(graph.parts)}
        self.of: dict[str, list[str]] = {}
        for part in graph.parts:
            parent = part.parent if part.parent in self.parts else ""
            siblings = self.of.setdefault(parent, [])
            if part.path not in siblings and part.path != parent:
                siblings.append(part.path)
        self.stands_for: dict[str, str] = {}
        """For each path that of the item that shows it, or an empty string."""
        self.clients: dict[str, int] = {}
        self._look_at("", "")

    def _look_at(self, path: str, shown_as: str) -> None:
        work = [(path, shown_as, False)]
        while work:
            path, shown_as, hidden = work.pop()
            children = self.of.get(path, [])
            part = self.parts.get(path)
            if part is not None and not hidden and not self.everything:
                if _serves_clients(part):
                    self.clients[path] = len(children)
                    for child in children[1:]:
                        self._hide(child, "")
                    children = children[:1]
                elif part.closed:
                    for child in children:
                        self._hide(child, path)
                    children = []
            for child in children:
                self.stands_for[child] = child
                work.append((child, child, False))

    def _hide(self, path: str, shown_as: str) -> None:
        work = [path]
        while work:
            path = work.pop()
            self.stands_for[path] = shown_as
            work.extend(self.of.get(path, ()))

    def items(self) -> list[Item]:
        made: dict[str, Item] = {"": Item("")}
        # Parents before their children, in the order of the snapshot.
        work = list(reversed(self.of.get("", [])))
        while work:
            path = work.pop()
            if self.stands_for.get(path) != path:
                continue
            part = self.parts[path]
            item = made[path] = Item(path, self._text(part), self._kind(part), self._tooltip(part))
            made[part.parent if part.parent in made else ""].children.append(item)
            work.extend(reversed(self.of.get(path, [])))
        return made[""].children

    def _text(self, part: PartSnapshot) -> tuple[str, ...]:
        name = part.path.removeprefix(f"{part.parent}/") if part.parent else part.path
        kind = part.type.lstrip("_")
        if part.topic and name.startswith(f"{part.type}("):
            name = part.topic
        elif re.fullmatch(rf"{re.escape(part.type)}-\d+", name) and part.detail:
            name = part.type  # two servers are told apart by their ports
        said_by_name = name == kind or name.startswith((f"{kind}(", f"{kind}-"))
        second = [] if said_by_name else [f"{kind}({part.topic})" if part.topic not in ("", name) else kind]
        if part.detail:
            second.append(part.detail)
        if self.clients.get(part.path, 0) and self.graph.state != "new":
            count = self.clients[part.path]
            second.append(f"{count} client{'s' if count != 1 else ''}")
        elif self.clients.get(part.path):
            second.append("for each client")
        lost = sum(box.dropped for box in part.boxes)
        lines = [name, ", ".join(second), f"{lost} dropped" if lost else ""]
        return tuple(line for line in lines if line)

    def _kind(self, part: PartSnapshot) -> str:
        if part.role:
            return "backplane" if part.role == "provides" else "by name"
        if _serves_clients(part):
            return "server"
        return "inner"

    def _tooltip(self, part: PartSnapshot) -> str:
        lines = [f"{part.path} ({part.type})"]
        if part.made_at is not None:
            lines.append(f"made at {part.made_at.filename.rpartition('/')[2]}:{part.made_at.line}")
        if part.state != "NEW":
            lines.append(part.why)
        return "\n".join(lines)

    def edges(self) -> Iterator[Edge]:
        seen: set[Edge] = set()
        for link in self.graph.links:
            if not self.everything and (link.source_box == "signal" or link.sink_box == "control"):
                continue
            source, sink = self.stands_for.get(link.source, ""), self.stands_for.get(link.sink, "")
            inside = source == sink and (link.source != source or link.sink != sink)
            if not source or not sink or inside:
                continue
            passes_in, passes_out = link.kind == "pass_in", link.kind == "pass_out"
            edge = Edge(
                source, link.source_box, sink, link.sink_box, "link",
                "" if link.source_box == "outbox" or passes_in else link.source_box,
                "" if link.sink_box == "inbox" or passes_out else link.sink_box,
                link.kind != "deliver",
            )  # fmt: skip
            if edge not in seen:
                seen.add(edge)
                yield edge
        provided = {part.topic: part.path for part in self.graph.parts if part.role == "provides"}
        for part in self.graph.parts:
            shown, by = self.stands_for.get(part.path, ""), provided.get(part.topic)
            if not shown or by is None or part.role not in ("publishes", "subscribes"):
                continue
            ends = (shown, "publishes", by, "") if part.role == "publishes" else (by, "", shown, "subscribes")
            edge = Edge(*ends, kind="topic")
            if edge not in seen:
                seen.add(edge)
                yield edge


def _without_blind_ends(edges: list[Edge]) -> list[Edge]:
    """Without what passes a frame's border to or from a box that is not linked on the other side of it."""
    while True:
        fed = {(edge.sink, edge.sink_box) for edge in edges}
        feeding = {(edge.source, edge.source_box) for edge in edges}
        kept = [
            edge for edge in edges
            if not edge.passes
            or ((edge.source, edge.source_box) in fed if _is_in(edge.sink, edge.source)
                else (edge.sink, edge.sink_box) in feeding)
        ]  # fmt: skip
        if len(kept) == len(edges):
            return kept
        edges = kept


def _is_in(key: str, frame: str) -> bool:
    return key.startswith(f"{frame}/")


def _serves_clients(part: PartSnapshot) -> bool:
    return part.type == "SimpleServer"


# -- SVG


# Widths of Helvetica, in thousandths of an em: system fonts are of about that width. Others count as `_OTHER`.
_WIDTHS = {
    **dict.fromkeys("ijl'|", 222), **dict.fromkeys(" .,:;/!I[]ft()-`\"r*", 310), **dict.fromkeys("Jcksvxyz^", 500),
    **dict.fromkeys("FLTZ", 611), **dict.fromkeys("ABEKPSVXY", 667), **dict.fromkeys("CDHNRUw&", 722),
    **dict.fromkeys("GOQ", 778), **dict.fromkeys("mM", 833), **dict.fromkeys("W@%", 1000),
}  # fmt: skip
_OTHER, _WIDE = 556, 1000
_BREADTH = 1.12  # the system fonts of some are broader than Helvetica (DejaVu Sans the most)


def _text_width(text: str, size: float, bold: bool = False) -> float:
    units = sum(_WIDTHS.get(char, _OTHER if ord(char) < 0x1100 else _WIDE) for char in text)
    return units / 1000 * size * _BREADTH * (1.06 if bold else 1.0)


_NAME, _SECOND, _LABEL = 14.0, 12.0, 11.5
_MOST_LETTERS = 40  # of a line; the tooltip has all


def _plain(text: str) -> str:
    """Without what has no shape; XML allows no control characters, and the other forms no line ends."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _short(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _svg_leaf(item: Item) -> tuple[float, float]:
    widths = [
        _text_width(_short(line), _SECOND if number else _NAME, not number) for number, line in enumerate(item.text)
    ]
    return max(96.0, round(max(widths, default=0.0) + 32)), 22.0 + 18 * max(1, len(item.text))


def _svg_title(item: Item) -> float:
    name, *rest = (*map(_short, item.text), "")
    return round(_text_width(name, _NAME, True) + sum(_text_width(line, _SECOND) + 8 for line in rest if line) + 44)


def _svg_gap(hops: Sequence[Hop]) -> float:
    before = max((_text_width(hop.label0, _LABEL) + 12 for hop in hops if hop.label0), default=0.0)
    after = max((_text_width(hop.label1, _LABEL) + 14 for hop in hops if hop.label1), default=0.0)
    steepest = max((abs(hop.y1 - hop.y0) for hop in hops), default=0.0)
    return round(40 + before + after + min(44.0, steepest / 6))


_SVG_STYLE = Style(
    leaf_size=_svg_leaf, title_width=_svg_title, gap=_svg_gap, end_step=24, end_margin=14, lane=16, distance=22,
    head=46, side=24, foot=22,
)  # fmt: skip

_EDGE_OF_PAGE = 20.0
_CSS = """\
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; }
.page { fill: #ffffff; stroke: #e3e6ec; }
.name { font-size: 14px; font-weight: 600; fill: #1d2433; }
.second { font-size: 12px; font-weight: 400; fill: #5d6779; }
.label { font-size: 11.5px; fill: #47536b; }
.dropped { font-size: 12px; fill: #b3261e; }
.frame { fill: #6d7f9e; fill-opacity: 0.07; stroke: #b9c3d4; }
.frame.server { stroke-dasharray: 6 4; }
.box { fill: #f2f6fd; stroke: #5b83c4; stroke-width: 1.4; }
.box.source { fill: #effaf3; stroke: #3f9968; }
.box.sink { fill: #fff6ea; stroke: #c98a2e; }
.box.server { fill: #eefafb; stroke: #2f97a3; }
.box.backplane { fill: #f6f1fd; stroke: #8660c5; }
.link { fill: none; stroke: #5a6b87; stroke-width: 1.6; }
.topic { fill: none; stroke: #8660c5; stroke-width: 1.5; stroke-dasharray: 5 4; }
.tip-link, .gate-link { fill: #5a6b87; }
.tip-topic, .gate-topic { fill: #8660c5; }
@media (prefers-color-scheme: dark) {
  .page { fill: #14181f; stroke: #2a313d; }
  .name { fill: #e8ecf4; }
  .second { fill: #9aa6ba; }
  .label { fill: #b3bfd4; }
  .dropped { fill: #ff8a80; }
  .frame { fill: #8fa3c7; stroke: #435067; }
  .box { fill: #1b2638; stroke: #6f9be0; }
  .box.source { fill: #16291f; stroke: #58b684; }
  .box.sink { fill: #2d2417; stroke: #d9a04a; }
  .box.server { fill: #14292c; stroke: #46b3bf; }
  .box.backplane { fill: #251d35; stroke: #a284dd; }
  .link { stroke: #93a3bf; }
  .topic { stroke: #a284dd; }
  .tip-link, .gate-link { fill: #93a3bf; }
  .tip-topic, .gate-topic { fill: #a284dd; }
}
"""


def svg(picture: Picture) -> str:
    """A picture by itself: readable on light and dark pages, and without any script, font file or address."""
    layout = lay_out(picture.items, picture.edges, _SVG_STYLE)
    # The outermost level has no name above it.
    top = _SVG_STYLE.head - _EDGE_OF_PAGE
    width, height = max(layout.width, 120.0), layout.height - top
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {_n(top)} {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img">',
        f"<title>{escape(_plain(picture.title))}</title>",
        f"<style>\n{_CSS}</style>",
        f'<rect class="page" x="0.5" y="{_n(top + 0.5)}" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="12"/>',
    ]
    fed = {edge.sink for edge in picture.edges}
    feeding = {edge.source for edge in picture.edges}
    frames = [place for place in layout.places if place.item.children]
    lines += [line for place in frames for line in _svg_frame(place)]
    lines += [line for wire in layout.wires for line in _svg_wire(wire)]
    lines += [
        f'<circle class="gate-{gate.kind}" cx="{_n(gate.x)}" cy="{_n(gate.y)}" r="3"/>' for gate in _distinct(layout)
    ]
    for place in layout.places:
        if not place.item.children:
            kind = place.item.kind
            if kind == "inner" and place.item.key not in fed and place.item.key in feeding:
                kind = "source"
            elif kind == "inner" and place.item.key in fed and place.item.key not in feeding:
                kind = "sink"
            lines += _svg_box(place, "inner" if kind == "by name" else kind)
    return "\n".join([*lines, "</svg>", ""])


def _distinct(layout: Layout) -> list[Gate]:
    return list(dict.fromkeys(layout.gates))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _svg_frame(place: Place) -> Iterator[str]:
    name, *rest = (*map(_short, place.item.text), "")
    kind = " server" if place.item.kind == "server" else ""
    yield f"<g><title>{_tooltip(place.item)}</title>"
    yield (
        f'<rect class="frame{kind}" x="{_n(place.x)}" y="{_n(place.y)}" width="{_n(place.width)}" '
        f'height="{_n(place.height)}" rx="12"/>'
    )
    second = "".join(f'<tspan class="second" dx="8">{escape(line)}</tspan>' for line in rest if line)
    yield (
        f'<text class="name" x="{_n(place.x + 16)}" y="{_n(place.y + 24)}">{escape(name)}{second}</text></g>'
    )


def _tooltip(item: Item) -> str:
    return "\n".join(escape(_plain(line)) for line in item.tooltip.splitlines())


def _svg_box(place: Place, kind: str) -> Iterator[str]:
    middle, lines = place.x + place.width / 2, place.item.text
    yield f"<g><title>{_tooltip(place.item)}</title>"
    yield (
        f'<rect class="box {kind}" x="{_n(place.x)}" y="{_n(place.y)}" width="{_n(place.width)}" '
        f'height="{_n(place.height)}" rx="8"/>'
    )
    first = place.y + place.height / 2 - 9 * (len(lines) - 1) + 5
    for number, line in enumerate(lines):
        role = "name" if not number else "dropped" if line.endswith(" dropped") else "second"
        yield (
            f'<text class="{role}" x="{_n(middle)}" y="{_n(first + 18 * number)}" text-anchor="middle">'
            f"{escape(_short(line))}</text>"
        )
    yield "</g>"


_TIP = 8.0


def _svg_wire(wire: Wire) -> Iterator[str]:
    first, last = wire.hops[0], wire.hops[-1]
    x, y = wire.start
    forth = 1 if first.forth0 else -1
    out = _text_width(first.label0, _LABEL) + 12 if first.label0 else 0.0
    back = _text_width(last.label1, _LABEL) + 14 if last.label1 else 0.0
    tip = _TIP if wire.ends_at_box else 0.0
    path = [f"M{_n(x)} {_n(y)}"]
    for number, hop in enumerate(wire.hops):
        x0 = hop.x0 + (out * (1 if hop.forth0 else -1) if number == 0 else 0.0)
        end = (back + tip) * (1 if hop.forth1 else -1) if number == len(wire.hops) - 1 else 0.0
        x1 = hop.x1 - end
        path.append(f"H{_n(x0)}")
        if hop.y0 == hop.y1:
            path.append(f"H{_n(x1)}")
            continue
        # A turn swings out beyond what is written at either end; a crossing of the gap bends in its middle.
        bend = abs(x1 - x0) / 2
        if hop.forth0 != hop.forth1:
            x0 = x1 = (max if hop.forth0 else min)(x0, x1)
            path.append(f"H{_n(x0)}")
            bend = min(24.0, abs(hop.y1 - hop.y0) / 2)
        c0, c1 = x0 + bend * (1 if hop.forth0 else -1), x1 - bend * (1 if hop.forth1 else -1)
        path.append(f"C{_n(c0)} {_n(hop.y0)} {_n(c1)} {_n(hop.y1)} {_n(x1)} {_n(hop.y1)}")
    end_x, end_y = wire.end
    toward = 1 if last.forth1 else -1
    path.append(f"H{_n(end_x - tip * toward)}")
    kind = wire.edge.kind
    yield f'<path class="{kind}" d="{"".join(path)}"/>'
    if wire.ends_at_box:
        base = end_x - (_TIP + 1) * toward
        yield (
            f'<path class="tip-{kind}" d="M{_n(end_x)} {_n(end_y)}L{_n(base)} {_n(end_y - 4.5)}'
            f'L{_n(base)} {_n(end_y + 4.5)}Z"/>'
        )
    if first.label0:
        yield _svg_label(first.label0, x + 7 * forth, y - 5, "start" if forth > 0 else "end")
    if last.label1:
        yield _svg_label(last.label1, end_x - 13 * toward, end_y - 5, "end" if toward > 0 else "start")


def _svg_label(text: str, x: float, y: float, anchor: str) -> str:
    return f'<text class="label" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(_plain(text))}</text>'


# -- text


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _ascii_gap(hops: Sequence[Hop]) -> float:
    """As wide as the labels and a channel for each hop that changes its height; gives out the channels.

    A column is left free between two channels, and between the first one and the frame's border (gap 0).
    """
    before = max((_cells(hop.label0) + 2 for hop in hops if hop.label0), default=1)
    before = max(before, 2 if any(hop.gap == 0 for hop in hops) else 1)
    after = max((_cells(hop.label1) + 1 for hop in hops if hop.label1), default=0)
    bent = [hop for hop in hops if hop.y0 != hop.y1]
    for channel, hop in enumerate(_in_channels(bent)):
        hop.channel = before + 2 * channel
    return before + max(0, 2 * len(bent) - 1) + after + 3


def _in_channels(hops: list[Hop]) -> list[Hop]:
    """From left to right, so that few cross and none runs along another."""
    waiting = sorted(hops, key=_channel_place)
    placed: list[Hop] = []
    while waiting:
        # One whose beginning lies at the height at which another ends must be to the left of that.
        free = next((hop for hop in waiting if not any(_left_of(other, hop) for other in waiting)), waiting[0])
        waiting.remove(free)
        placed.append(free)
    return placed


def _channel_place(hop: Hop) -> tuple[int, float]:
    left, right = _heights(hop)
    return (0, left) if right < left else (1, -left)


def _heights(hop: Hop) -> tuple[float, float]:
    return (hop.y0, hop.y1) if hop.forth0 else (hop.y1, hop.y0)


def _left_of(a: Hop, b: Hop) -> bool:
    """Must `a` bend to the left of `b`, as else two level pieces would lie on each other?"""
    return a is not b and _touches(a, left=True) & _touches(b, left=False) != set()


def _touches(hop: Hop, *, left: bool) -> set[float]:
    """The heights at which a hop runs to its channel from the left (or from the right)."""
    heights = set()
    if hop.forth0 == left:
        heights.add(hop.y0)
    if hop.forth1 != left:
        heights.add(hop.y1)
    return heights


_ASCII_STYLE = Style(
    leaf_size=lambda item: (max(map(_cells, map(_short, item.text)), default=0) + 4, 2 + max(1, len(item.text))),
    title_width=lambda item: _cells(" ".join(map(_short, item.text))) + 8,
    gap=_ascii_gap, end_step=1, end_margin=1, lane=1, distance=1, head=2, side=2, foot=2, whole=True,
)  # fmt: skip

_UP, _RIGHT, _DOWN, _LEFT = 1, 2, 4, 8
_LINES = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"


class _Canvas:
    """Characters in rows; lines that meet become corners and crossings."""

    def __init__(self, width: int, height: int) -> None:
        self.rows = [[" "] * width for _ in range(height)]
        self.lines = [[0] * width for _ in range(height)]
        self.dotted: set[tuple[int, int]] = set()

    def level(self, x0: int, x1: int, y: int, dotted: bool = False) -> None:
        for x in range(min(x0, x1), max(x0, x1)):
            self._join(x, y, _RIGHT, dotted)
            self._join(x + 1, y, _LEFT, dotted)

    def upright(self, x: int, y0: int, y1: int, dotted: bool = False) -> None:
        for y in range(min(y0, y1), max(y0, y1)):
            self._join(x, y, _DOWN, dotted)
            self._join(x, y + 1, _UP, dotted)

    def _join(self, x: int, y: int, side: int, dotted: bool) -> None:
        if not self.lines[y][x]:
            if dotted:
                self.dotted.add((x, y))
        elif not dotted:
            self.dotted.discard((x, y))
        self.lines[y][x] |= side

    def write(self, x: int, y: int, text: str) -> None:
        for char in text:
            self.rows[y][x] = char
            self.lines[y][x] = 0
            x += 1
            if _cells(char) == 2:
                self.rows[y][x] = ""
                x += 1

    def clear(self, x: int, y: int, width: int, height: int) -> None:
        for row in range(y, y + height):
            self.write(x, row, " " * width)

    def text(self) -> str:
        out = []
        for y, row in enumerate(self.rows):
            line = []
            for x, char in enumerate(row):
                mask = self.lines[y][x]
                drawn = _LINES[mask] if mask else char
                if (x, y) in self.dotted:
                    drawn = {"─": "╌", "│": "╎"}.get(drawn, drawn)
                line.append(drawn)
            out.append("".join(line).rstrip())
        return "\n".join(out).strip("\n") + "\n"


def ascii_text(picture: Picture) -> str:
    """The picture in characters, for a terminal; good for some twenty components. Dotted: by way of a Backplane."""
    layout = lay_out(picture.items, picture.edges, _ASCII_STYLE)
    canvas = _Canvas(int(layout.width) + 3, int(layout.height) + 1)
    for place in layout.places:
        if place.item.children:
            _ascii_rectangle(canvas, place)
    # Dotted ones first: where they meet the others, those are what is seen.
    for wire in sorted(layout.wires, key=lambda wire: wire.edge.kind != "topic"):
        _ascii_wire(canvas, wire)
    for place in layout.places:
        x, y = int(place.x), int(place.y)
        if place.item.children:
            canvas.write(x + 2, y, f" {'  '.join(map(_short, place.item.text))} ")
            continue
        canvas.clear(x, y, int(place.width), int(place.height))
        _ascii_rectangle(canvas, place)
        first = y + (int(place.height) - len(place.item.text)) // 2
        for number, line in enumerate(place.item.text):
            short = _short(line)
            canvas.write(x + (int(place.width) - _cells(short)) // 2, first + number, short)
    for wire in layout.wires:
        _ascii_ends(canvas, wire)
    text = canvas.text()
    spare = min((len(line) - len(line.lstrip()) for line in text.splitlines() if line.strip()), default=0)
    return "".join(f"{line[spare:]}\n" for line in text.splitlines())


def _ascii_rectangle(canvas: _Canvas, place: Place) -> None:
    left, top = int(place.x), int(place.y)
    right, bottom = left + int(place.width) - 1, top + int(place.height) - 1
    canvas.level(left, right, top)
    canvas.level(left, right, bottom)
    canvas.upright(left, top, bottom)
    canvas.upright(right, top, bottom)


def _ascii_wire(canvas: _Canvas, wire: Wire) -> None:
    dotted = wire.edge.kind == "topic"
    x, y = int(wire.start[0]), int(wire.start[1])
    if wire.hops[0].forth0:
        canvas.level(x - 1, x, y, dotted)  # up to the border, which is drawn over it
    for hop in wire.hops:
        if hop.y0 != hop.y1:
            channel = int(hop.channel)
            canvas.level(x, channel, y, dotted)
            canvas.upright(channel, int(hop.y0), int(hop.y1), dotted)
            x = channel
        y = int(hop.y1)
        canvas.level(x, int(hop.x1), y, dotted)
        x = int(hop.x1)
    canvas.level(x, int(wire.end[0]), y, dotted)


def _ascii_ends(canvas: _Canvas, wire: Wire) -> None:
    first, last = wire.hops[0], wire.hops[-1]
    x, y = int(wire.start[0]), int(wire.start[1])
    if first.label0:
        canvas.write(x + 1 if first.forth0 else x - 1 - _cells(first.label0), y, first.label0)
    x, y = int(wire.end[0]), int(wire.end[1])
    tip = x - 1 if last.forth1 else x
    if last.label1:
        canvas.write(tip - _cells(last.label1) if last.forth1 else tip + 1, y, last.label1)
    if wire.ends_at_box:
        canvas.write(tip, y, "▶" if last.forth1 else "◀")


# -- for other programs


def _names_for(picture: Picture) -> dict[str, str]:
    """For each item a name that any program takes: n1, n2, ..."""
    names: dict[str, str] = {}
    work = list(reversed(picture.items))
    while work:
        item = work.pop()
        names[item.key] = f"n{len(names) + 1}"
        work.extend(reversed(item.children))
    return names


def _edge_label(edge: Edge) -> str:
    return " → ".join(label for label in (edge.source_label, edge.sink_label) if label)


def _ends(picture: Picture) -> Iterator[tuple[Edge, str, str]]:
    """Links from box to box: those programs link no frames, so what passes a frame's border is followed through."""
    frames = {item.key for item in _all_items(picture.items) if item.children}
    ways_in: dict[tuple[str, str], list[tuple[str, str]]] = {}
    ways_out: dict[tuple[str, str], list[tuple[str, str]]] = {}
    passing = [edge for edge in picture.edges if edge.passes]
    for edge in passing:
        source, sink = (edge.source, edge.source_box), (edge.sink, edge.sink_box)
        if edge.source in frames and _is_in(edge.sink, edge.source):
            ways_in.setdefault(source, []).append(sink)
        else:
            ways_out.setdefault(sink, []).append(source)
    seen: set[tuple[tuple[str, str], tuple[str, str]]] = set()
    for edge in picture.edges:
        if edge.passes:
            continue
        for start in _through((edge.source, edge.source_box), ways_out):
            for end in _through((edge.sink, edge.sink_box), ways_in):
                if (start, end) not in seen:
                    seen.add((start, end))
                    yield edge, start[0], end[0]


def _through(end: tuple[str, str], ways: dict[tuple[str, str], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    found, work = [], [end]
    while work:
        end = work.pop(0)
        if end in ways:
            work.extend(ways[end])
        else:
            found.append(end)
    return found


def _all_items(items: Iterable[Item]) -> Iterator[Item]:
    work = list(reversed(list(items)))
    while work:
        item = work.pop()
        yield item
        work.extend(reversed(item.children))


def _nested(
    items: list[Item], opening: Callable[[Item], str], leaf: Callable[[Item], str], closing: str
) -> Iterator[str]:
    work: list[tuple[int, Item | None]] = [(1, item) for item in reversed(items)]
    while work:
        depth, item = work.pop()
        indent = "  " * depth
        if item is None:
            yield f"{indent}{closing}"
        elif item.children:
            yield f"{indent}{opening(item)}"
            work.append((depth, None))
            work.extend((depth + 1, child) for child in reversed(item.children))
        else:
            yield f"{indent}{leaf(item)}"


def mermaid(picture: Picture) -> str:
    """Source for Mermaid, which GitHub and many wikis draw in a ```mermaid block."""
    names = _names_for(picture)

    def text(item: Item) -> str:
        return "<br/>".join(_mermaid_text(line) for line in item.text)

    def leaf(item: Item) -> str:
        opening, closing = ("([", "])") if item.kind == "backplane" else ("(", ")")
        return f'{names[item.key]}{opening}"{text(item)}"{closing}'

    lines = ["flowchart LR"]
    lines += _nested(
        picture.items, lambda item: f'subgraph {names[item.key]}["{" ".join(map(_mermaid_text, item.text))}"]',
        leaf, "end",
    )  # fmt: skip
    for edge, source, sink in _ends(picture):
        arrow = "-.->" if edge.kind == "topic" else "-->"
        label = _edge_label(edge)
        said = f'|"{_mermaid_text(label)}"|' if label else ""
        lines.append(f"  {names[source]} {arrow}{said} {names[sink]}")
    return "\n".join([*lines, ""])


def _mermaid_text(text: str) -> str:
    """Mermaid reads # as the begin of an entity, and HTML; nothing else has a meaning between quotes."""
    return re.sub(r'[#"&<>`\\;]', lambda found: f"#{ord(found[0])};", _plain(text))


def dot(picture: Picture) -> str:
    """Source for Graphviz: ``axonlike graph FILE --dot | dot -Tpdf``."""
    names = _names_for(picture)

    def leaf(item: Item) -> str:
        style = ', style="rounded,dashed"' if item.kind == "backplane" else ""
        return f"{names[item.key]} [label={_dot_text(item.text)}{style}]"

    lines = [
        "digraph {", "  rankdir=LR", "  compound=true", '  node [shape=box, style=rounded, fontname="Helvetica"]',
        '  edge [fontname="Helvetica", fontsize=10]', '  graph [fontname="Helvetica", style=rounded]',
    ]  # fmt: skip
    lines += _nested(
        picture.items, lambda item: f"subgraph cluster_{names[item.key]} {{ label={_dot_text(item.text)}", leaf, "}"
    )
    leaves = {item.key: next(i.key for i in _all_items([item]) if not i.children) for item in _all_items(picture.items)}
    for edge, source, sink in _ends(picture):
        said = []
        if label := _edge_label(edge):
            said.append(f"label={_dot_text((label,))}")
        if edge.kind == "topic":
            said.append("style=dashed")
        # Graphviz links no clusters, but cuts a link off at the border of one.
        if leaves[source] != source:
            said.append(f"ltail=cluster_{names[source]}")
        if leaves[sink] != sink:
            said.append(f"lhead=cluster_{names[sink]}")
        attributes = f" [{', '.join(said)}]" if said else ""
        lines.append(f"  {names[leaves[source]]} -> {names[leaves[sink]]}{attributes}")
    return "\n".join([*lines, "}", ""])


def _dot_text(lines: Iterable[str]) -> str:
    quoted = (_plain(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(quoted) + '"'
