"""What pictures show of a graph, in each form, and what they do with names of all kinds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike import Component, Graphline, Par, Pipeline, Scheduler
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.cli.drawing import Picture, ascii_text, dot, mermaid, picture_of, svg
from axonlike.cli.layout import Item
from axonlike.components.net import SimpleServer, SingleServer
from axonlike.components.util import DataSource, Null, Splitter
from axonlike.introspection import GraphSnapshot, snapshot, snapshot_of

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "graph"
SVG = "{http://www.w3.org/2000/svg}"


class Filter(Component):
    Outboxes = {"error": "what is not understood"}


def _notifying() -> GraphSnapshot:
    graph = Graphline(
        EVENTS=SingleServer(1500), FILTER=Filter(), PUBLISH=PublishTo("Events"), COMPLAIN=Null(),
        links="EVENTS -> FILTER -> PUBLISH; FILTER.error -> COMPLAIN",
    )  # fmt: skip
    server = SimpleServer(lambda: SubscribeTo("Events"), 1600)
    server.add_child(Pipeline(SubscribeTo("Events"), Filter()))
    return snapshot_of([Backplane("Events"), graph, server])


def _nested() -> GraphSnapshot:
    inner = Graphline(
        A=Filter(), B=Filter(), linkages={
            ("self", "inbox"): ("A", "inbox"), ("A", "outbox"): ("B", "inbox"), ("B", "outbox"): ("self", "outbox"),
            ("B", "error"): ("A", "inbox"), ("A", "error"): ("self", "refused"),
        },
    )  # fmt: skip
    return snapshot_of(
        [
            Graphline(
                SOURCES=Par(DataSource([1]), DataSource([2])),
                INNER=inner, SPLIT=Splitter(), SINK=Null(), REFUSED=Null(),
                links="SOURCES -> INNER -> SPLIT -> SINK; INNER.refused -> REFUSED",
            )
        ]
    )  # fmt: skip


def _lonely() -> GraphSnapshot:
    scheduler = Scheduler()
    scheduler.activate(Null(), *(SingleServer(1500 + number) for number in range(6)))
    return snapshot(scheduler)


GRAPHS = {
    "notifying": _notifying(),
    "nested": _nested(),
    "lonely": _lonely(),
    "pipeline": snapshot_of([Pipeline(DataSource(["a"]), Filter(), Null())]),
}  # fmt: skip
FORMS: dict[str, Callable[[Picture], str]] = {"svg": svg, "txt": ascii_text, "mmd": mermaid, "dot": dot}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", GRAPHS)
def test_pictures_are_those_that_were_looked_at(name: str, form: str) -> None:
    text = FORMS[form](picture_of(GRAPHS[name], title=f"Graph of {name}"))
    expected = GOLDEN / f"{name}.{form}"
    if os.environ.get("AXONLIKE_WRITE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def _texts(picture: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_parts_go_by_their_names_and_never_by_an_id() -> None:
    for name, graph in GRAPHS.items():
        picture = picture_of(graph)
        for write in FORMS.values():
            assert not re.search(r"0x[0-9a-f]{4}", write(picture)), name


def test_an_svg_is_xml_that_needs_nothing_else() -> None:
    for graph in GRAPHS.values():
        root = ElementTree.fromstring(svg(picture_of(graph, title="A <graph> & more")))
        assert root.findtext(f"{SVG}title") == "A <graph> & more"
        assert not [element for element in root.iter() if element.tag in (f"{SVG}script", f"{SVG}image")]
        style = root.findtext(f"{SVG}style") or ""
        assert "prefers-color-scheme: dark" in style
        assert "url(" not in style


def test_labels_are_the_names_of_boxes_other_than_outbox_and_inbox() -> None:
    texts = _texts(svg(picture_of(_notifying())))
    assert texts.count("error") == 1
    assert not {"outbox", "inbox", "signal", "control"} & set(texts)


def test_a_backplane_is_joined_to_those_who_publish_and_subscribe() -> None:
    edges = [(edge.source, edge.sink) for edge in picture_of(_notifying()).edges if edge.kind == "topic"]
    assert edges == [
        ("Graphline/PUBLISH", "Backplane(Events)"),
        ("Backplane(Events)", "SimpleServer/Pipeline/SubscribeTo(Events)"),
    ]


def test_what_a_component_of_the_toolkit_is_made_of_is_shown_on_demand() -> None:
    graph = _notifying()
    assert "receiver" not in svg(picture_of(graph))
    assert "receiver" in svg(picture_of(graph, everything=True))
    assert "signal" in _texts(svg(picture_of(graph, everything=True)))


def test_of_many_clients_one_is_shown() -> None:
    server = SimpleServer(Null, 1600)
    server.add_child(*(Null() for _ in range(30)))
    (item,) = picture_of(snapshot_of([server])).items
    assert [child.text for child in item.children] == [("Null",)]


def test_a_box_that_is_linked_on_one_side_of_a_frame_only_is_left_out() -> None:
    assert [edge.passes for edge in picture_of(GRAPHS["pipeline"]).edges] == [False, False]
    assert sum(edge.passes for edge in picture_of(_nested()).edges) == 5  # two of them of the Par


def test_frames_are_followed_through_where_a_program_links_boxes_only() -> None:
    text = mermaid(picture_of(_nested()))
    names = dict(re.findall(r'(n\d+)\("([^"<]*)', text))
    links = [(names[a], names[b]) for a, b in re.findall(r"(n\d+) -->(?:\|[^|]*\|)? (n\d+)", text)]
    assert sorted(links) == sorted(
        [("DataSource", "A"), ("DataSource-2", "A"), ("A", "B"), ("B", "A"), ("B", "SPLIT"), ("A", "REFUSED"),
         ("SPLIT", "SINK")]
    )  # fmt: skip


def test_dropped_messages_are_shown() -> None:
    graph = Pipeline(DataSource([]), sink := Null())
    sink.configure_inbox("inbox", limit=1, policy="drop_newest")
    for number in range(3):
        sink.open_inbox("inbox").put(number)
    assert "2 dropped" in _texts(svg(picture_of(snapshot_of([graph]))))


def test_characters_that_meet_are_joined() -> None:
    drawn = ascii_text(picture_of(GRAPHS["pipeline"]))
    assert "│ DataSource │───▶│ Filter │───▶│ Null │" in drawn


@settings(max_examples=60)
@given(st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=3))
def test_any_name_gives_wellformed_text(lines: list[str]) -> None:
    picture = Picture([Item("a", tuple(lines), tooltip="\n".join(lines)), Item("b", ("b",))], [], lines[0])
    for write in FORMS.values():
        write(picture)
    ElementTree.fromstring(svg(picture))
    assert len(mermaid(picture).splitlines()) == 3
    assert dot(picture).count("[label=") == 2


def test_mermaid_and_dot_close_what_they_open() -> None:
    for graph in GRAPHS.values():
        picture = picture_of(graph)
        text = mermaid(picture)
        assert len(re.findall(r"^ *subgraph ", text, re.MULTILINE)) == len(re.findall(r"^ *end$", text, re.MULTILINE))
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot(picture))
        assert unquoted.count("{") == unquoted.count("}") > 0
        assert '"' not in unquoted
        known = set(re.findall(r"^ *(?:subgraph (?:cluster_)?)?(n\d+)[ (\[]", text + dot(picture), re.MULTILINE))
        assert set(re.findall(r"\bn\d+\b", unquoted + text)) <= known | {""}


@pytest.mark.system
@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz (apt-get install graphviz)")
@pytest.mark.parametrize("name", GRAPHS)
def test_graphviz_draws_what_is_written_for_it(name: str) -> None:
    done = subprocess.run(
        ["dot", "-Tsvg"], input=dot(picture_of(GRAPHS[name])), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "<svg" in done.stdout
