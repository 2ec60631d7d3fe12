"""Wiring: what may be linked, what is refused and how it is told, what moves when links change."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import pytest

from axonlike import Box, Component, Graphline, Pipeline
from axonlike.errors import NoSuchBox, WiringError
from axonlike.linkage import destination, final_inbox, merge_boxes, upstream
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, run_virtual


class Relay(Component):
    Inboxes = {"tune": "a frequency"}
    Outboxes = {"spectrum": "power"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


def linked(source: Component, sink: Component, outbox: str = "outbox", inbox: str = "inbox", **options: Any) -> Any:
    return source.link((source, outbox), (sink, inbox), **options)


@pytest.mark.parametrize(
    ("outbox", "inbox", "text"),
    [
        ("outbx", "inbox", r"no outbox 'outbx'; did you mean 'outbox'\? \(there are: outbox, signal, spectrum\)"),
        ("outbox", "tunes", r"Relay has no inbox 'tunes'; did you mean 'tune'\? \(there are: control, inbox, tune\)"),
        ("outbox", "zzz", r"Relay has no inbox 'zzz' \(there are"),
        ("inbox", "inbox", r"Relay has no outbox 'inbox'"),
        ("outbox", "outbox", r"Relay has no inbox 'outbox'"),
    ],
)
def test_row_13_an_unknown_box_is_refused_at_wiring_with_those_there_are(outbox: str, inbox: str, text: str) -> None:
    a, b = Relay(), Relay()
    with pytest.raises(NoSuchBox, match=text):
        linked(a, b, outbox, inbox)


def test_row_13_a_second_link_from_an_outbox_is_refused_and_names_both() -> None:
    a, b, c = Feeder([], name="a"), Probe(name="b"), Probe(name="c")
    linked(a, b)
    with pytest.raises(WiringError, match=r"a\.outbox already feeds b\.inbox, .* cannot feed c\.inbox too: .*Splitter"):
        linked(a, c)


def test_row_13_what_has_ended_cannot_be_linked() -> None:
    ended, new = Feeder([]), Probe()
    run_virtual(ended)
    with pytest.raises(WiringError, match="Feeder has ended"):
        linked(ended, new)
    with pytest.raises(WiringError, match="Feeder has ended"):
        linked(Feeder([], name="other"), ended)


def test_row_13_what_is_not_a_component_cannot_be_linked_or_added() -> None:
    relay = Relay()
    with pytest.raises(WiringError, match="it is not a component"):
        relay.link((relay, "outbox"), ("somebody", "inbox"))  # type: ignore[arg-type]
    with pytest.raises(WiringError, match=r"pass an instance, Relay\(...\)"):
        relay.add_child(Relay)  # type: ignore[arg-type]
    with pytest.raises(WiringError, match="cannot be a part of itself"):
        relay.add_child(relay)


def test_a_component_is_part_of_one_other_only() -> None:
    relay = Relay()
    Pipeline(relay, name="first")
    with pytest.raises(WiringError, match="first/Relay is part of first already; make a second one"):
        Pipeline(relay, name="second")


def test_types_of_boxes_are_checked_at_wiring() -> None:
    class Text(Component):
        Inboxes = {"inbox": ("lines", str)}
        Outboxes = {"outbox": ("lines", str)}

    class Numbers(Component):
        Inboxes = {"inbox": Box("numbers", (int, float))}
        Outboxes = {"outbox": ("numbers", bool)}

    linked(Text(), Text())
    linked(Text(), Relay())
    linked(Numbers(), Numbers())  # a bool is an int
    with pytest.raises(WiringError, match=r"the outbox sends str, the inbox takes int \| float"):
        linked(Text(), Numbers())


def test_boxes_add_to_what_the_bases_declare() -> None:
    class Base(Component):
        Inboxes: ClassVar[Any] = {"one": "first"}

    class Sub(Base):
        Inboxes = ["two"]
        Outboxes = {"outbox": Box("another description", int)}

    assert Sub().inbox_names == ("inbox", "control", "one", "two")
    assert Base().inbox_names == ("inbox", "control", "one")
    assert Sub().outbox_spec("outbox").type is int
    assert Component().outbox_spec("outbox").type is None


@pytest.mark.parametrize("declared", [3, "inbox", {1: "x"}, {"": "x"}, {"x": Box("x", policy="drop")}])  # type: ignore[arg-type]
def test_a_wrong_declaration_is_refused_when_the_class_is_made(declared: Any) -> None:
    with pytest.raises(WiringError):
        type("Wrong", (Component,), {"Inboxes": declared})


def test_merged_boxes_cannot_be_edited() -> None:
    merged = merge_boxes({}, {"a": "x"}, "here")
    with pytest.raises(TypeError):
        merged["b"] = Box()  # type: ignore[index]


def test_a_chain_through_chassis_is_resolved_to_its_end() -> None:
    inner = Relay()
    outer = Pipeline(Pipeline(inner, name="middle"), name="outer")
    feeder, probe = Feeder([]), Probe()
    linked(feeder, outer)
    linked(outer, probe)
    assert final_inbox(outer, "inbox") == (inner, "inbox")
    assert destination(inner, "outbox") == (probe, "inbox")
    assert destination(feeder, "outbox") == (inner, "inbox")
    assert (inner, "outbox") in list(upstream(probe, "inbox"))
    assert destination(inner, "spectrum") is None


def test_a_chassis_linked_before_its_inside_is_linked_is_resolved_later() -> None:
    class Outer(Component):
        def start(self) -> None:
            """Has no body."""

    outer, inner, feeder, probe = Outer(), Relay(), Feeder([1, 2]), Probe()
    linked(feeder, outer)
    linked(outer, probe)
    outer.add_child(inner)
    outer.link((outer, "inbox"), (inner, "inbox"), passthrough="in")
    outer.link((inner, "outbox"), (outer, "outbox"), passthrough="out")
    run_virtual(feeder, outer, probe)
    assert probe.messages == [1, 2]


def test_what_waited_in_a_chassis_inbox_goes_on_when_it_is_passed_in() -> None:
    outer, inner = Component(), Relay()
    for number in range(3):
        outer.inbox().put(number)
    outer.add_child(inner)
    outer.link((outer, "inbox"), (inner, "inbox"), passthrough="in")
    assert list(inner.inbox()) == [0, 1, 2]
    assert outer.inbox().depth == 0


class Rewires(Component):
    """Does something with links after a second."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(1.0)
        self.action(self)
        yield self.sleep(1.0)


def test_links_can_be_moved_while_everything_runs() -> None:
    feeder, first, second = Feeder(["a", PAUSE(2), "b"]), Probe(name="first"), Probe(name="second")
    link = linked(feeder, first)

    def move(part: Component) -> None:
        part.unlink(link)
        linked(feeder, second)

    run_virtual(feeder, first, second, Rewires(move))
    assert (first.messages, second.messages) == (["a"], ["b"])
    assert (first.ended_by, second.ended_by) == ("finished", "finished")


def test_unlinking_frees_a_sender_that_waits_for_room() -> None:
    feeder, stalled = Feeder(range(10)), Stalled(limit=2)
    link = linked(feeder, stalled)
    run_virtual(feeder, stalled, Rewires(lambda part: part.unlink(link)), until_s=10)
    assert feeder.lost_at_sending()["unlinked"] == {"outbox": 8}


def test_a_sender_moved_from_one_full_box_to_another_waits_there() -> None:
    feeder, first, second = Feeder(range(10)), Stalled(limit=2, name="first"), Stalled(limit=3, name="second")
    link = linked(feeder, first)

    def move(part: Component) -> None:
        part.unlink(link)
        linked(feeder, second)

    run_virtual(feeder, first, second, Rewires(move), until_s=10)
    assert [part.statistics()[0].offered for part in (first, second)] == [2, 3]
    assert feeder.sent == 5


@pytest.mark.parametrize(("limit", "policy", "sent"), [(5, "block", 5), (None, "block", 10), (2, "drop_oldest", 10)])
def test_a_box_can_be_made_larger_or_lossy_while_senders_wait(limit: Any, policy: Any, sent: int) -> None:
    feeder, stalled = Feeder(range(10)), Stalled(limit=2)
    linked(feeder, stalled)
    run_virtual(
        feeder, stalled, Rewires(lambda _: stalled.configure_inbox("inbox", limit=limit, policy=policy)), until_s=10
    )
    assert feeder.sent == sent


def test_unlinking_twice_is_harmless() -> None:
    feeder, probe = Feeder([]), Probe()
    link = linked(feeder, probe)
    feeder.unlink(link)
    feeder.unlink(link)
    linked(feeder, probe)


def test_boxes_of_one_object_can_be_added_and_removed() -> None:
    relay, feeder, other = Relay(), Feeder(["x"]), Relay()
    assert relay.add_inbox("extra") == "extra"
    assert relay.add_inbox("extra") == "extra-2"
    assert relay.add_outbox("out", "more") == "out"
    linked(feeder, relay, inbox="extra")
    linked(relay, other, outbox="out")
    assert "extra" not in other.inbox_names
    relay.remove_inbox("extra")
    relay.remove_outbox("out")
    with pytest.raises(NoSuchBox):
        relay.inbox("extra")
    run_virtual(feeder, relay, other)
    assert feeder.lost_at_sending()["unlinked"] == {"outbox": 1}


def test_removing_a_box_frees_the_senders_that_wait_for_it() -> None:
    part, feeder = Stalled(), Feeder(range(5))
    part.add_inbox("extra", limit=2)
    linked(feeder, part, inbox="extra")
    run_virtual(feeder, part, Rewires(lambda _: part.remove_inbox("extra")), until_s=10)
    assert feeder.ended
    assert feeder.sent == 5


@pytest.mark.parametrize(
    "links", ["A => B", "A -> ", "-> B", "A.b.c -> B", "A", "A -> C", "A.x -> B", "A -> B.x", "self -> self"]
)
def test_a_text_of_links_that_cannot_be_read_is_refused(links: str) -> None:
    with pytest.raises(WiringError):
        Graphline(A=Relay(), B=Relay(), links=links)
