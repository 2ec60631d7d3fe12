"""Boxes do not overlap, links go from box to box, and everything is inside the picture: of any graph."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.cli.drawing import _ASCII_STYLE, _SVG_STYLE, Picture, ascii_text
from axonlike.cli.layout import Edge, Item, Layout, Place, Style, lay_out

STYLES = pytest.mark.parametrize("style", [_SVG_STYLE, _ASCII_STYLE], ids=["svg", "ascii"])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Item], list[Edge]]:
    """A tree of items, and links between any two of them: from a frame to what is in it, to itself, in circles."""
    items: list[Item] = []
    every: list[Item] = []
    for number in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(["a", "filter", "a rather long name for a box", "日本"]))
        item = Item(f"k{number}", (name,) * draw(st.integers(1, 3)))
        above = draw(st.sampled_from([None, *every]))
        (items if above is None else above.children).append(item)
        every.append(item)
    end = st.tuples(st.sampled_from(every), st.sampled_from(["outbox", "inbox", "b"]))
    edges = [
        Edge(a.key, a_box, b.key, b_box, kind, a_box if a_box == "b" else "", b_box if b_box == "b" else "")
        for (a, a_box), (b, b_box), kind in draw(
            st.lists(st.tuples(end, end, st.sampled_from(["link", "topic"])), max_size=14)
        )
        if a is not b or not a.children
    ]
    return items, list(dict.fromkeys(edges))


def _overlap(a: Place, b: Place) -> bool:
    across = a.x < b.x + b.width and b.x < a.x + a.width
    return across and a.y < b.y + b.height and b.y < a.y + a.height


def _contains(a: Place, b: Place) -> bool:
    across = a.x <= b.x and b.x + b.width <= a.x + a.width
    return across and a.y <= b.y and b.y + b.height <= a.y + a.height


def _inside(item: Item) -> set[str]:
    return {item.key}.union(*(_inside(child) for child in item.children))


@STYLES
@given(graphs())
def test_boxes_lie_apart_and_frames_around_what_is_in_them(style: Style, graph: tuple[list[Item], list[Edge]]) -> None:
    layout = lay_out(*graph, style)
    assert len(layout.places) == sum(len(_inside(item)) for item in graph[0])
    for a, b in itertools.combinations(layout.places, 2):
        if b.item.key in _inside(a.item):
            assert _contains(a, b), f"{b.item.key} sticks out of {a.item.key}"
        elif a.item.key not in _inside(b.item):
            assert not _overlap(a, b), f"{a.item.key} and {b.item.key} overlap"


@STYLES
@given(graphs())
def test_everything_is_inside_the_picture(style: Style, graph: tuple[list[Item], list[Edge]]) -> None:
    layout = lay_out(*graph, style)
    for place in layout.places:
        assert 0 <= place.x <= place.x + place.width <= layout.width
        assert 0 <= place.y <= place.y + place.height <= layout.height
    for wire in layout.wires:
        points = [wire.start, wire.end, *((hop.x0, hop.y0) for hop in wire.hops), *((h.x1, h.y1) for h in wire.hops)]
        assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in points)


@STYLES
@given(graphs())
def test_every_link_can_be_followed_from_its_source_to_its_sink(
    style: Style, graph: tuple[list[Item], list[Edge]]
) -> None:
    items, edges = graph
    layout = lay_out(items, edges, style)
    places = {place.item.key: place for place in layout.places}
    following: dict[tuple[float, float], set[tuple[float, float]]] = {}
    for wire in layout.wires:
        following.setdefault(wire.start, set()).add(wire.end)
    for edge in edges:
        reached = {point for point in following if _on_side(point, places[edge.source])}
        work = list(reached)
        while work:
            for point in following.get(work.pop(), set()) - reached:
                reached.add(point)
                work.append(point)
        assert any(_on_side(point, places[edge.sink]) for point in reached), edge


def _on_side(point: tuple[float, float], place: Place) -> bool:
    x, y = point
    on_side = min(abs(x - place.x), abs(x - place.x - place.width)) < 0.01
    return on_side and place.y < y < place.y + place.height


@STYLES
@given(graphs())
def test_links_run_level_where_boxes_are_and_are_of_one_piece(
    style: Style, graph: tuple[list[Item], list[Edge]]
) -> None:
    layout = lay_out(*graph, style)
    for wire in layout.wires:
        assert wire.hops[0].y0 == wire.start[1]
        assert wire.hops[-1].y1 == wire.end[1]
        for before, after in itertools.pairwise(wire.hops):
            assert before.y1 == after.y0  # from one gap to the next it is level
        level = [(wire.start, (wire.hops[0].x0, wire.hops[0].y0)), ((wire.hops[-1].x1, wire.hops[-1].y1), wire.end)]
        level += [((a.x1, a.y1), (b.x0, b.y0)) for a, b in itertools.pairwise(wire.hops)]
        assert not [place for place in layout.places for piece in level if _crosses(piece, place)]


def _crosses(piece: tuple[tuple[float, float], tuple[float, float]], place: Place) -> bool:
    """Does a level piece run through a box? (Into a frame that it belongs to it may.)"""
    if place.item.children:
        return False
    (x0, y), (x1, _) = piece
    left, right = min(x0, x1), max(x0, x1)
    return place.y < y < place.y + place.height and left < place.x + place.width - 0.01 and right > place.x + 0.01


@given(graphs())
def test_in_characters_no_link_begins_or_ends_at_a_corner_of_a_box(graph: tuple[list[Item], list[Edge]]) -> None:
    layout = lay_out(*graph, _ASCII_STYLE)
    boxes = [place for place in layout.places if not place.item.children]
    ends = {(x, y) for wire in layout.wires for x, y in (wire.start, wire.end)}
    for place in boxes:
        for x, y in ends:
            if x in (place.x, place.x + place.width):
                assert y not in (place.y, place.y + place.height - 1), place.item.key


_SIDES = {char: number for number, char in enumerate(" ╵╶└╷│┌├╴┘─┴┐┤┬┼")} | {"╎": 5, "╌": 10}
_UPRIGHT, _TO_THE_RIGHT, _TO_THE_LEFT = 1 | 4, 2, 8


@given(graphs())
def test_in_characters_upright_lines_that_do_not_meet_do_not_touch(graph: tuple[list[Item], list[Edge]]) -> None:
    drawn = ascii_text(Picture(*graph))
    for line in drawn.splitlines():
        for left, right in itertools.pairwise(_SIDES.get(char, 0) for char in line):
            met = left & _TO_THE_RIGHT and right & _TO_THE_LEFT
            assert met or not (left & _UPRIGHT and right & _UPRIGHT), drawn


@STYLES
@given(graphs())
def test_the_same_graph_is_laid_out_alike(style: Style, graph: tuple[list[Item], list[Edge]]) -> None:
    def numbers(layout: Layout) -> list[object]:
        wires = [(wire.start, wire.end, [vars(hop) for hop in wire.hops]) for wire in layout.wires]
        return [[(p.x, p.y, p.width, p.height) for p in layout.places], wires, layout.gates]

    assert numbers(lay_out(*graph, style)) == numbers(lay_out(*graph, style))


def test_what_feeds_stands_to_the_left_of_what_it_feeds() -> None:
    items = [Item(key, (key,)) for key in "dcba"]
    layout = lay_out(items, [Edge("a", "outbox", "b", "inbox"), Edge("b", "outbox", "c", "inbox"),
                             Edge("a", "x", "c", "inbox"), Edge("c", "outbox", "d", "inbox"),
                             Edge("d", "outbox", "b", "inbox")], _SVG_STYLE)  # fmt: skip
    x = {place.item.key: place.x for place in layout.places}
    assert x["a"] < x["b"] < x["c"] < x["d"]


def test_links_do_not_cross_without_need() -> None:
    items = [Item(key, (key,)) for key in ("source", "a", "b", "B", "A")]
    pairs = [("source", "a"), ("source", "b"), ("a", "A"), ("b", "B")]
    layout = lay_out(items, [Edge(a, f"to {b}", b, "inbox") for a, b in pairs], _SVG_STYLE)
    y = {place.item.key: place.y for place in layout.places}
    assert (y["a"] < y["b"]) == (y["A"] < y["B"])
