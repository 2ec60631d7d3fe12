"""Where everything in a picture of a graph goes: boxes in columns from left to right, links between the columns.

Theory of operation
-------------------
A graph is a tree of items: a leaf is a box, an item with children is a frame around them. Each frame is laid out by
itself, the innermost first, and is then one box of its parent's picture. A link that leads into or out of a frame
passes its border at a *gate*; so each link is cut into pieces, one for each frame that it crosses, and every piece
lies within one frame. For each frame, in this order (the steps of Sugiyama, Tagawa and Toda, 1981):

1. columns: the longest path from the left; a link that closes a circle is turned round for that (`_columns`)
2. lanes: a link past a column gets a place in it, as if it were a thin box; one that leads back gets a place in each
   column from its end to its beginning, so that it goes round below (`_Frame._lay_lanes`)
3. order: in each column by the mean place of the neighbours, to and fro; the order with fewest crossings wins
4. heights: as near to the mean of the neighbours as the order and the distances allow (`_spread`)
5. widths: each gap between columns as wide as its links need, which the style says.

Links run level inside columns and change their height in gaps only, where no box is: none can cross a box. Nothing here
knows of fonts or of SVG: sizes come from a `Style`, whose unit may be a pixel or a character.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Edge", "Gate", "Hop", "Item", "Layout", "Place", "Style", "Wire", "lay_out"]

_SWEEPS = 8


@dataclass(eq=False)
class Item:
    """Something to place. text: its lines, of which the first is its name. kind: for the drawing only."""

    key: str
    text: tuple[str, ...] = ()
    kind: str = "inner"
    tooltip: str = ""
    children: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Edge:
    """A link of (item, box) to (item, box). kind: for the drawing only.

    passes: it joins a box of a frame and the box of a child that stands for it.
    """

    source: str
    source_box: str
    sink: str
    sink_box: str
    kind: str = "link"
    source_label: str = ""
    sink_label: str = ""
    passes: bool = False


@dataclass(frozen=True)
class Style:
    """Sizes, in pixels or characters.

    leaf_size: of a box. gap: how wide a gap with these hops has to be; it may also give each hop its channel. whole:
    round heights to whole numbers. head, side, foot: room inside a frame above, beside and below what is in it.
    """

    leaf_size: Callable[[Item], tuple[float, float]]
    title_width: Callable[[Item], float]
    gap: Callable[[Sequence[Hop]], float]
    end_step: float
    end_margin: float
    lane: float
    distance: float
    head: float
    side: float
    foot: float
    whole: bool = False


@dataclass
class Place:
    """A box or frame and its rectangle. depth: how many frames it is in."""

    item: Item
    x: float
    y: float
    width: float
    height: float
    depth: int


@dataclass
class Hop:
    """A piece of a link within one gap, from (x0, y0) to (x1, y1); it leaves and arrives level.

    forth0, forth1: does it run to the right there? channel: for drawings with right angles, its place in the gap.
    """

    gap: int
    y0: float
    y1: float
    forth0: bool = True
    forth1: bool = True
    x0: float = 0.0
    x1: float = 0.0
    channel: float = 0.0
    label0: str = ""
    label1: str = ""


@dataclass
class Wire:
    """A piece of a link within one frame. ends_at_box: it has an arrow; else it ends at a gate and is taken on there.

    start, end: the points on the borders at both ends. hops: what it does in gaps; between them it is level.
    """

    edge: Edge
    start: tuple[float, float]
    end: tuple[float, float]
    hops: list[Hop]
    starts_at_box: bool
    ends_at_box: bool


@dataclass(frozen=True)
class Gate:
    """Where links pass the border of a frame."""

    x: float
    y: float
    kind: str


@dataclass
class Layout:
    """All rectangles (a frame before what is in it), links and gates of a picture."""

    width: float
    height: float
    places: list[Place]
    wires: list[Wire]
    gates: list[Gate]


# -- cutting links into pieces


_End = tuple[str, str]  # an item's key and, of a frame, the gate's name


@dataclass
class _Piece:
    """Of `edge`, what lies in one frame; ends are children of the frame, or gates of its own (key "")."""

    edge: Edge
    source: _End
    sink: _End
    first: bool
    last: bool


def _cut(edge: Edge, above: dict[str, str], frames: set[str]) -> Iterator[tuple[str, _Piece]]:
    """The pieces of a link, each with the key of the frame it lies in."""
    source_line, sink_line = _line(edge.source, above), _line(edge.sink, above)
    if edge.source != edge.sink and edge.source in sink_line:
        frame, here, first = edge.source, ("", f"in:{edge.source_box}"), True
        way_down = sink_line[sink_line.index(edge.source) + 1 :]
        way_up: list[str] = []
    elif edge.source != edge.sink and edge.sink in source_line:
        frame, here, first = above[edge.source], (edge.source, _gate(edge.source, "out", edge.source_box, frames)), True
        way_up = source_line[source_line.index(edge.sink) : -1][::-1]
        way_down = []
    else:
        common = 0
        shortest = min(len(source_line), len(sink_line)) - 1
        while common < shortest and source_line[common] == sink_line[common]:
            common += 1
        frame, here, first = above[edge.source], (edge.source, _gate(edge.source, "out", edge.source_box, frames)), True
        way_up = source_line[common:-1][::-1]
        way_down = sink_line[common:]
    through = f"{edge.kind}:{edge.source_box}:{edge.sink}.{edge.sink_box}"
    for number, left in enumerate(way_up):
        ends_here = not way_down and number == len(way_up) - 1
        gate = f"out:{edge.sink_box}" if ends_here else f"out:{through}"
        yield left, _Piece(edge, here, ("", gate), first, ends_here)
        here, first, frame = (left, gate), False, above[left]
    through = f"{edge.kind}:{edge.source}.{edge.source_box}:{edge.sink_box}"
    for entered in way_down:
        last = entered == edge.sink
        gate = _gate(entered, "in", edge.sink_box if last else through, frames)
        yield frame, _Piece(edge, here, (entered, gate), first, last)
        here, first, frame = ("", gate), False, entered


def _line(key: str, above: dict[str, str]) -> list[str]:
    """From the whole picture ("") down to the item."""
    line = [key]
    while line[-1]:
        line.append(above[line[-1]])
    return line[::-1]


def _gate(key: str, side: str, name: str, frames: set[str]) -> str:
    return f"{side}:{name}" if key in frames else ""


# -- one frame


class _Cell:
    """What takes room in a column: a child, a gate of the frame, or a link on its way through ("lane")."""

    __slots__ = ("below", "column", "height", "inner", "key", "kind", "left", "order", "rank", "right", "y")

    def __init__(self, kind: str, key: str, column: int, height: float, rank: int) -> None:
        self.kind, self.key, self.column, self.height, self.rank = kind, key, column, height, rank
        self.inner: _Frame | None = None
        self.left: list[_Joint] = []
        self.right: list[_Joint] = []
        self.below: _Cell | None = None  # a lane that turns round a box stands directly below it
        self.order = 0
        self.y = 0.0


class _Joint:
    """A hop between two cells."""

    __slots__ = ("a", "a_gate", "a_offset", "a_right", "b", "b_gate", "b_offset", "b_right", "hop", "turn")

    def __init__(self, a: _Cell, a_right: bool, a_gate: str, b: _Cell, b_right: bool, b_gate: str) -> None:
        self.a, self.a_right, self.a_gate = a, a_right, a_gate
        self.b, self.b_right, self.b_gate = b, b_right, b_gate
        self.a_offset = self.b_offset = 0.0
        self.turn = a.column == b.column
        gap = a.column + 1 if a_right else a.column
        self.hop = Hop(gap, 0.0, 0.0, a_right, not b_right)
        (a.right if a_right else a.left).append(self)
        (b.right if b_right else b.left).append(self)

    def other(self, cell: _Cell) -> tuple[_Cell, float]:
        return (self.b, self.b_offset) if cell is self.a else (self.a, self.a_offset)

    def own_offset(self, cell: _Cell) -> float:
        return self.a_offset if cell is self.a else self.b_offset


class _Frame:
    """One frame: its children placed, relative to its corner."""

    def __init__(self, item: Item, pieces: dict[str, list[_Piece]], style: Style, outermost: bool) -> None:
        self.item, self.style = item, style
        self.width = self.height = 0.0
        self.outermost = outermost
        self.inner = {
            child.key: _Frame(child, pieces, style, False) for child in item.children if child.children
        }
        mine = _without_doubles(pieces.get(item.key, ()))
        self.cells: list[_Cell] = []
        self.chains: list[tuple[_Piece, list[_Joint]]] = []
        self._make_cells(mine)
        self._lay_lanes(mine)
        self._order()
        self._set_ends()
        self._set_heights()
        self._set_widths()

    # 1. columns

    def _make_cells(self, pieces: list[_Piece]) -> None:
        links = [(p.source[0], p.sink[0]) for p in pieces if p.source[0] and p.sink[0]]
        keys = [child.key for child in self.item.children]
        linked = {key for piece in pieces for key, _ in (piece.source, piece.sink)}
        columns = _columns(keys, links, [key for key in keys if key not in linked])
        self.of_key: dict[str, _Cell] = {}
        for child in self.item.children:
            cell = _Cell("child", child.key, columns[child.key], 0.0, len(self.cells))
            cell.inner = self.inner.get(child.key)
            self.of_key[child.key] = cell
            self.cells.append(cell)
        self.last = max(columns.values(), default=0)
        self.gates: dict[str, _Cell] = {}
        for piece in pieces:
            for key, gate in (piece.source, piece.sink):
                if not key and gate not in self.gates:
                    column = -1 if gate.startswith("in:") else self.last + 1
                    self.gates[gate] = cell = _Cell("gate", gate, column, self.style.lane, len(self.cells))
                    self.cells.append(cell)

    def _cell(self, end: _End) -> _Cell:
        return self.of_key[end[0]] if end[0] else self.gates[end[1]]

    # 2. lanes

    def _lay_lanes(self, pieces: list[_Piece]) -> None:
        for piece in pieces:
            a, b = self._cell(piece.source), self._cell(piece.sink)
            chain: list[_Joint] = []
            here, gate = a, piece.source[1]
            if a.column < b.column:
                for column in range(a.column + 1, b.column):
                    lane = self._lane(column, a)
                    chain.append(_Joint(here, True, gate, lane, False, ""))
                    here, gate = lane, ""
                chain.append(_Joint(here, True, gate, b, False, piece.sink[1]))
            else:
                for column in range(a.column, b.column - 1, -1):
                    lane = self._lane(column, a)
                    turns = column == a.column
                    lane.below = a if turns else b if column == b.column else None
                    chain.append(_Joint(here, turns, gate, lane, True, ""))
                    here, gate = lane, ""
                chain.append(_Joint(here, False, gate, b, False, piece.sink[1]))
            chain[0].hop.label0 = piece.edge.source_label if piece.first else ""
            chain[-1].hop.label1 = piece.edge.sink_label if piece.last else ""
            self.chains.append((piece, chain))

    def _lane(self, column: int, of: _Cell) -> _Cell:
        cell = _Cell("lane", "", column, self.style.lane, of.rank)
        self.cells.append(cell)
        return cell

    # 3. order

    def _order(self) -> None:
        self.columns: dict[int, list[_Cell]] = {column: [] for column in range(-1, self.last + 2)}
        for cell in self.cells:
            self.columns[cell.column].append(cell)
        group = _groups(self.cells)
        for cells in self.columns.values():
            cells.sort(key=lambda cell: (group[id(cell)], cell.rank))
            _number(cells)
        best, fewest = self._as_it_is(), self._crossings()
        for sweep in range(_SWEEPS):
            forth = sweep % 2 == 0
            for column in sorted(self.columns, reverse=not forth):
                cells = self.columns[column]
                means = {id(cell): _mean_place(cell, forth) for cell in cells}
                cells.sort(key=lambda cell: (group[id(cell)], means[id(cell)]))
                _number(cells)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = self._as_it_is(), crossings
        for column, cells in best.items():
            self.columns[column] = cells
            _number(cells)

    def _as_it_is(self) -> dict[int, list[_Cell]]:
        return {column: list(cells) for column, cells in self.columns.items()}

    def _crossings(self) -> int:
        gaps: dict[int, list[tuple[float, float]]] = {}
        for _, chain in self.chains:
            for joint in chain:
                if not joint.turn:
                    left, right = (joint.a, joint.b) if joint.a.column < joint.b.column else (joint.b, joint.a)
                    places = _place_of_other(joint, right), _place_of_other(joint, left)
                    gaps.setdefault(left.column, []).append(places)
        return sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0 for ends in gaps.values() for i, a in enumerate(ends) for b in ends[:i]
        )

    # 4. heights

    def _set_ends(self) -> None:
        """Where on its sides each cell has its links, in the order of the places that they lead to."""
        style = self.style
        children = {child.key: child for child in self.item.children}
        for cell in self.cells:
            if cell.inner is not None:
                cell.height = cell.inner.height
                for joint in (*cell.left, *cell.right):
                    if joint.a is cell:
                        joint.a_offset = cell.inner.gate_y(joint.a_gate)
                    if joint.b is cell:
                        joint.b_offset = cell.inner.gate_y(joint.b_gate)
                continue
            if cell.kind == "child":
                most = max(len(cell.left), len(cell.right), 1)
                needed = 2 * style.end_margin + (most - 1) * style.end_step + (1 if style.whole else 0)
                cell.height = max(style.leaf_size(children[cell.key])[1], needed)
            for side in (cell.left, cell.right):
                self._set_ends_of(cell, side)

    def _set_ends_of(self, cell: _Cell, joints: list[_Joint]) -> None:
        joints.sort(key=lambda joint: _place_of_other(joint, cell))
        step = self.style.end_step if cell.kind == "child" else 0.0
        middle = cell.height / 2 if not self.style.whole else cell.height // 2
        span = (len(joints) - 1) * step
        first = middle - (span / 2 if not self.style.whole else span // 2)
        if self.style.whole and cell.kind == "child":  # its last row is its border
            first = min(first, cell.height - 1 - self.style.end_margin - span)
        right = joints is cell.right
        for number, joint in enumerate(joints):
            offset = first + number * step
            if joint.a is cell and joint.a_right == right:
                joint.a_offset = offset
            if joint.b is cell and joint.b_right == right:
                joint.b_offset = offset

    def _set_heights(self) -> None:
        style = self.style
        for cells in self.columns.values():
            y = 0.0
            for cell in cells:
                cell.y = y
                y += cell.height + style.distance
        for sweep in range(_SWEEPS):
            forth = sweep % 2 == 0
            for column in sorted(self.columns, reverse=not forth):
                self._spread_column(column, "left" if forth else "right")
        for column in sorted(self.columns):
            self._spread_column(column, "both")
        top = min((cell.y for cell in self.cells), default=0.0)
        for cell in self.cells:
            cell.y += style.head - top
        bottom = max((cell.y + cell.height for cell in self.cells), default=style.head)
        self.height = bottom + style.foot

    def _spread_column(self, column: int, side: str) -> None:
        cells = self.columns[column]
        if not cells:
            return
        wanted, weights = [], []
        for cell in cells:
            joints = {"left": cell.left, "right": cell.right, "both": [*cell.left, *cell.right]}[side]
            straight = [joint for joint in joints if not joint.turn]
            heights = []
            for joint in straight or [joint for joint in (*cell.left, *cell.right) if not joint.turn]:
                other, offset = joint.other(cell)
                heights.append(other.y + offset - joint.own_offset(cell))
            wanted.append(sum(heights) / len(heights) if heights else cell.y)
            # A link's lane is kept level before a box is moved; what has no wish gives way.
            weights.append((4.0 if cell.kind == "lane" else 1.0) * len(heights) if heights else 0.1)
        distances = [a.height + self._distance(a, b) for a, b in zip(cells, cells[1:])]
        for cell, y in zip(cells, _spread(wanted, weights, distances)):
            # To halves otherwise, so that sums are exact. Not by round(), which would bring neighbours nearer: it
            # rounds 1.5 up and 2.5 down.
            cell.y = math.floor(y + 0.5) if self.style.whole else math.floor(2 * y + 0.5) / 2

    def _distance(self, a: _Cell, b: _Cell) -> float:
        both_thin = a.kind != "child" and b.kind != "child"
        return self.style.distance / 2 if both_thin or "child" not in (a.kind, b.kind) else self.style.distance

    # 5. widths

    def _set_widths(self) -> None:
        style = self.style
        children = {child.key: child for child in self.item.children}
        self.width_of: dict[str, float] = {}
        widths = dict.fromkeys(self.columns, 0.0)
        for key, cell in self.of_key.items():
            width = cell.inner.width if cell.inner is not None else style.leaf_size(children[key])[0]
            self.width_of[key] = width
            widths[cell.column] = max(widths[cell.column], width)
        for cells in self.columns.values():  # boxes of a column are of one width, and frames of nearly one
            leaves = [cell.key for cell in cells if cell.kind == "child" and cell.inner is None]
            widest = max((self.width_of[key] for key in leaves), default=0.0)
            self.width_of.update((key, widest) for key in leaves)
            frames = [cell for cell in cells if cell.inner is not None]
            widest = max((self.width_of[cell.key] for cell in frames), default=0.0)
            for cell in frames:
                if cell.inner is not None and cell.inner.width > 0.6 * widest:
                    cell.inner.widen(widest)
                    self.width_of[cell.key] = widest
        hops: dict[int, list[Hop]] = {}
        for _, chain in self.chains:
            for joint in chain:
                hop = joint.hop
                hop.y0, hop.y1 = joint.a.y + joint.a_offset, joint.b.y + joint.b_offset
                hops.setdefault(hop.gap, []).append(hop)
        x = 0.0
        gaps: dict[int, tuple[float, float]] = {}  # of each gap: where it begins and ends
        self.x_of: dict[str, float] = {}
        column_x: dict[int, float] = {}
        for gap in range(self.last + 2):
            in_gap = hops.get(gap, [])
            outer = gap in (0, self.last + 1)
            wide = style.gap(in_gap) if in_gap or not outer else 0.0
            wide = max(wide, style.side) if outer else wide
            gaps[gap] = (x, x + wide)
            for hop in in_gap:
                hop.channel += x
            x += wide
            if gap <= self.last:
                column_x[gap] = x
                x += widths[gap]
        self.width = x
        for key, cell in self.of_key.items():
            spare = (widths[cell.column] - self.width_of[key]) / 2
            self.x_of[key] = column_x[cell.column] + (spare // 1 if style.whole else spare)
        for _, chain in self.chains:
            for joint in chain:
                begin, end = gaps[joint.hop.gap]
                joint.hop.x0 = begin if joint.a_right else end
                joint.hop.x1 = begin if joint.b_right else end
        if not self.outermost:
            self.widen(style.title_width(self.item))

    def widen(self, width: float) -> None:
        """Make it at least that wide, with what is in it in the middle."""
        if width <= self.width:
            return
        shift = (width - self.width) / 2
        shift = shift // 1 if self.style.whole else shift
        self.width = width
        for key in self.x_of:
            self.x_of[key] += shift
        for _, chain in self.chains:
            for joint in chain:
                joint.hop.x0 += shift
                joint.hop.x1 += shift
                joint.hop.channel += shift

    # -- what comes of it

    def gate_y(self, gate: str) -> float:
        """The height at which a gate of this frame stands; the middle, if nothing goes through it inside."""
        cell = self.gates.get(gate)
        if cell is None:
            return self.height // 2 if self.style.whole else self.height / 2
        return cell.y + (cell.height // 2 if self.style.whole else cell.height / 2)

    def _edge_of(self, cell: _Cell, right: bool) -> float:
        if cell.kind == "gate":
            return self.width if cell.column > self.last else 0.0
        return self.x_of[cell.key] + (self.width_of[cell.key] if right else 0.0)

    def put(self, x: float, y: float, depth: int, into: Layout) -> None:
        """Write everything into the layout, with the frame's corner at (x, y)."""
        children = {child.key: child for child in self.item.children}
        for key, cell in self.of_key.items():
            left, top = x + self.x_of[key], y + cell.y
            into.places.append(Place(children[key], left, top, self.width_of[key], cell.height, depth))
            if cell.inner is not None:
                cell.inner.put(left, top, depth + 1, into)
        for piece, chain in self.chains:
            first, last = chain[0], chain[-1]
            for joint in chain:
                hop = joint.hop
                hop.x0, hop.x1, hop.channel = hop.x0 + x, hop.x1 + x, hop.channel + x
                hop.y0, hop.y1 = hop.y0 + y, hop.y1 + y
            start = x + self._edge_of(first.a, first.a_right), first.hop.y0
            end = x + self._edge_of(last.b, last.b_right), last.hop.y1
            goes_on = last.b.kind == "gate" or (last.b.inner is not None and last.b_gate in last.b.inner.gates)
            comes_from = first.a.kind == "gate" or (first.a.inner is not None and first.a_gate in first.a.inner.gates)
            into.wires.append(
                Wire(piece.edge, start, end, [joint.hop for joint in chain], not comes_from, not goes_on)
            )
        for gate, cell in self.gates.items():
            kind = next(p.edge.kind for p, _ in self.chains if ("", gate) in (p.source, p.sink))
            at = self.width if cell.column > self.last else 0.0
            into.gates.append(Gate(x + at, y + self.gate_y(gate), kind))


def _without_doubles(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Links that go through the same gates share their pieces between these."""
    seen: dict[tuple[object, ...], _Piece] = {}
    for piece in pieces:
        labels = piece.edge.source_label if piece.first else "", piece.edge.sink_label if piece.last else ""
        seen.setdefault((piece.source, piece.sink, piece.edge.kind, piece.first, piece.last, labels), piece)
    return list(seen.values())


def _columns(keys: list[str], links: list[tuple[str, str]], lonely: list[str]) -> dict[str, int]:
    """The column of each: one more than the last that feeds it, where links that close a circle do not count.

    lonely: those without any link. They stand side by side rather than in one high column.
    """
    following: dict[str, list[str]] = {key: [] for key in keys}
    feeders = dict.fromkeys(keys, 0)
    for source, sink in links:
        if source != sink:
            following[source].append(sink)
            feeders[sink] += 1
    # A circle is entered where something outside feeds it, if there is such a place.
    order: list[str] = []
    entered: set[str] = set()
    done: set[str] = set()
    back: set[tuple[str, str]] = set()
    for root in sorted(keys, key=lambda key: feeders[key] > 0):
        if root in entered:
            continue
        entered.add(root)
        stack = [(root, iter(following[root]))]
        while stack:
            key, rest = stack[-1]
            for sink in rest:
                if sink in entered:
                    if sink not in done:
                        back.add((key, sink))
                    continue
                entered.add(sink)
                stack.append((sink, iter(following[sink])))
                break
            else:
                done.add(key)
                order.append(key)
                stack.pop()
    order.reverse()
    columns = dict.fromkeys(keys, 0)
    for key in order:
        for sink in following[key]:
            if (key, sink) not in back:
                columns[sink] = max(columns[sink], columns[key] + 1)
    # What nothing feeds stands directly before what it feeds.
    for key in order:
        if not feeders[key] and following[key]:
            columns[key] = max(0, min(columns[sink] for sink in following[key]) - 1)
    if len(lonely) > 3:
        there_are = max(columns.values(), default=0) + 1
        across = max(there_are, round((len(lonely) * (1.0 if len(lonely) == len(keys) else 0.5)) ** 0.5))
        for number, key in enumerate(lonely):
            columns[key] = number % across
    return columns


def _groups(cells: list[_Cell]) -> dict[int, int]:
    """For each cell the number of the connected part that it belongs to, in the order of the cells."""
    group: dict[int, int] = {}
    for cell in cells:
        if id(cell) in group:
            continue
        number = len(group)
        work = [cell]
        group[id(cell)] = number
        while work:
            found = work.pop()
            for joint in (*found.left, *found.right):
                other, _ = joint.other(found)
                if id(other) not in group:
                    group[id(other)] = number
                    work.append(other)
    return group


def _number(cells: list[_Cell]) -> None:
    """Lanes that turn round a box go directly below it; then each cell is told its place."""
    turning = [cell for cell in cells if cell.below is not None]
    if turning:
        rest = [cell for cell in cells if cell.below is None]
        cells[:] = [
            each for cell in rest for each in (cell, *(lane for lane in turning if lane.below is cell))
        ]
    for place, cell in enumerate(cells):
        cell.order = place


def _mean_place(cell: _Cell, forth: bool) -> float:
    joints = [joint for joint in (cell.left if forth else cell.right) if not joint.turn]
    if not joints:
        return float(cell.order)
    return sum(_place_of_other(joint, cell) for joint in joints) / len(joints)


def _place_of_other(joint: _Joint, cell: _Cell) -> float:
    """The place in its column of what a link leads to, and which gate of it."""
    other, gate = (joint.b, joint.b_gate) if joint.a is cell else (joint.a, joint.a_gate)
    place = float(other.order)
    if joint.turn:
        place += 1000.0
    if other.inner is not None:
        place += other.inner.gate_y(gate) / (other.inner.height + 1)
    return place


def _spread(wanted: list[float], weights: list[float], distances: list[float]) -> list[float]:
    """Places nearest to those wanted (least squares) with at least these distances between them, in this order.

    With the distances taken off it is isotonic regression: neighbours in the wrong order are pooled at their mean.
    """
    offset, offsets = 0.0, [0.0]
    for distance in distances:
        offset += distance
        offsets.append(offset)
    pools: list[list[float]] = []  # mean, weight, number
    for want, weight, taken_off in zip(wanted, weights, offsets):
        pools.append([want - taken_off, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, number = pools.pop()
            below = pools[-1]
            below[0] = (below[0] * below[1] + mean * heavy) / (below[1] + heavy)
            below[1] += heavy
            below[2] += number
    means = [pool[0] for pool in pools for _ in range(int(pool[2]))]
    return [mean + taken_off for mean, taken_off in zip(means, offsets)]


def lay_out(items: list[Item], edges: Iterable[Edge], style: Style) -> Layout:
    """Place items and links. Keys are unique, and "" is none of them; links name items that there are."""
    above: dict[str, str] = {}
    frames: set[str] = set()
    work = [(item, "") for item in items]
    while work:
        item, parent = work.pop()
        above[item.key] = parent
        if item.children:
            frames.add(item.key)
            work.extend((child, item.key) for child in item.children)
    pieces: dict[str, list[_Piece]] = {}
    for edge in edges:
        for frame, piece in _cut(edge, above, frames):
            pieces.setdefault(frame, []).append(piece)
    whole = _Frame(Item("", children=items), pieces, style, True)
    layout = Layout(whole.width, whole.height, [], [], [])
    whole.put(0.0, 0.0, 0, layout)
    return layout
