"""Component as its user meets it, without anything that runs: names, boxes, sugar, mistakes."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, ThreadedComponent, step
from axonlike.errors import BoxEmpty, ComponentError, NoSuchBox, UsageError, WiringError
from axonlike.linkage import Box
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual


class Named(Component):
    Inboxes = {"tune": "a frequency"}

    def __init__(self, name: str = "") -> None:  # calls no super().__init__(), as the documentation promises
        if name:
            self.name = name


def test_a_component_is_named_after_its_class_until_told_otherwise() -> None:
    assert (Named().name, Named("x").name, Named("x").path) == ("Named", "x", "x")


def test_siblings_get_names_of_their_own() -> None:
    pipeline = Pipeline(Named(), Named(), Named(), name="p")
    assert [child.path for child in pipeline.children] == ["p/Named", "p/Named-2", "p/Named-3"]


def test_it_knows_the_line_where_it_was_made_through_sugar_too() -> None:
    here = Named().made_at
    piped = Named() | Named()
    made = step(str)
    assert (piped.made_at.line, made.made_at.line) == (here.line + 1, here.line + 2)
    assert here.source == "here = Named().made_at"
    assert here.filename == __file__


def test_a_subclass_that_calls_super_init_is_fine_too() -> None:
    class Polite(Component):
        def __init__(self) -> None:
            super().__init__()
            self.ready = True

    assert Polite().ready


def test_recv_on_an_empty_box_tells_what_to_do() -> None:
    for part in (Named(), ThreadedComponent()):
        with pytest.raises(BoxEmpty, match=r"on an empty box; look with data_ready\('inbox'\) or `yield self.wait"):
            part.recv()


@pytest.mark.parametrize("method", ["recv", "data_ready", "inbox"])
def test_an_unknown_inbox_is_told_with_those_there_are(method: str) -> None:
    with pytest.raises(NoSuchBox, match=r"no inbox 'tuna'; did you mean 'tune'\? \(there are: control, inbox, tune\)"):
        getattr(Named(), method)("tuna")


def test_an_unknown_outbox_is_told_when_it_is_first_used() -> None:
    with pytest.raises(NoSuchBox, match="no outbox 'outbx'; did you mean 'outbox'"):
        Named().send(1, "outbx")


def test_any_ready_names_a_box_in_the_order_of_first_use() -> None:
    part = Named()
    assert part.any_ready() is None
    part.inbox("tune").put(1)
    part.inbox("inbox").put(2)
    assert part.any_ready() == "tune"
    part.recv("tune")
    assert part.any_ready() == "inbox"


def test_data_ready_counts() -> None:
    part = Named()
    part.inbox().put_many("abc")
    assert (part.data_ready(), part.data_ready("tune")) == (3, 0)


def test_pipes_make_one_flat_pipeline() -> None:
    parts = [Named(str(number)) for number in range(4)]
    piped = parts[0] | parts[1] | parts[2] | parts[3]
    assert piped.children == tuple(parts)
    assert [part.path for part in parts] == ["Pipeline/0", "Pipeline/1", "Pipeline/2", "Pipeline/3"]


def test_pipes_take_components_only() -> None:
    with pytest.raises(TypeError):
        Named() | "text"


@pytest.mark.parametrize("part", [Component, "x", 3, None])
def test_only_components_can_be_activated(part: Any) -> None:
    with pytest.raises(UsageError):
        run_virtual(part)


async def a_coroutine() -> None: ...


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (Pipeline, r"cannot run: pass an instance, Pipeline\(\.\.\.\)"),
        ([Feeder([1])], r"cannot run: put a \* before it"),
        ([1, 2], r"cannot run: to send what is in it, DataSource\(\[\.\.\.\]\)"),
        (print, r"cannot run: make one of the function, step\(print\)"),
        (a_coroutine, r"cannot run: write a Component whose main\(\) does what a_coroutine\(\) does"),
        (3, "3 is not a component and cannot run$"),
    ],
)
def test_what_is_given_to_run_in_place_of_a_component_is_told_with_what_to_write(given: Any, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_virtual(given)
    assert re.search(hint, str(caught.value))


def test_a_coroutine_given_to_run_is_told_with_what_to_write() -> None:
    coroutine = a_coroutine()
    with pytest.raises(UsageError, match=r"a Component whose main\(\) does what a_coroutine\(\) does"):
        run_virtual(coroutine)  # type: ignore[arg-type]
    coroutine.close()


def test_a_main_that_returns_is_told_with_its_line() -> None:
    class Returns(Component):
        def main(self) -> int:
            return 5

    with pytest.raises(ComponentError) as caught:
        run_virtual(Returns())
    line = Returns.main.__code__.co_firstlineno
    assert f"main() of Returns (test_component.py:{line}) returned 5" in str(caught.value)
    assert "put a yield into it" in str(caught.value)


def test_a_class_with_an_error_box_by_its_policy_has_that_box() -> None:
    class Tells(Component):
        on_error = "error"

        def main(self) -> Any:
            yield self.wait("inbox")
            self.recv()
            raise ValueError("told")

    assert "error" in Tells().outbox_names
    assert "error" not in Component().outbox_names
    tells, errors = Tells(), Probe()
    tells.link((tells, "error"), (errors, "inbox"))
    run_virtual(Pipeline(Feeder([1]), tells), errors)
    assert [type(message.error) for message in errors.messages] == [ValueError]


def test_an_object_whose_policy_is_set_later_gets_an_error_box_too() -> None:
    class Plain(Component):
        def main(self) -> Any:
            yield self.wait("inbox")
            self.recv()
            raise ValueError("told")

    for link in (True, False):
        part, errors = Plain(), Probe()
        part.on_error = "error"
        if link:
            part.link((part, "error"), (errors, "inbox"))
        run_virtual(Pipeline(Feeder([1]), part), errors)
        assert len(errors.messages) == link
        assert part.lost_at_sending()["unlinked"] == ({} if link else {"error": 1})


@pytest.mark.parametrize("function", [None, 3, "text"])
def test_step_takes_a_function(function: Any) -> None:
    if function is None:
        assert callable(step())  # used as @step(on_error=...)
    else:
        with pytest.raises(UsageError, match="takes a function"):
            step(function)


def test_step_is_a_decorator_with_and_without_options() -> None:
    @step
    def plain(message: Any) -> Any:
        return message

    @step(on_error="skip", name="other")
    def named(message: Any) -> Any:
        return message

    assert (plain.name, named.name, named.on_error) == ("plain", "other", "skip")
    assert isinstance(plain, Component)


def test_repr_tells_path_and_state() -> None:
    assert repr(Named("x")) == "<Named 'x': made, not activated>"


def test_stop_before_and_after_is_harmless() -> None:
    part = Feeder([1])
    part.stop()
    run_virtual(part)
    part.stop()
    assert part.ended


def test_components_are_small() -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [Named() for _ in range(1000)]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert each < 1500, f"{each:.0f} bytes"


def test_a_graph_cannot_be_linked_to_nothing() -> None:
    with pytest.raises(WiringError, match="needs components"):
        Pipeline()


def test_a_component_can_ask_whether_its_input_has_ended() -> None:
    seen: list[bool] = []

    class Polls(Component):
        def main(self) -> Generator[Any, Any, None]:
            while not self.input_ended:
                seen.append(self.input_ended)
                yield self.sleep(1.0)
            seen.append(self.input_ended)

    run_virtual(Pipeline(Feeder([PAUSE(1.5)]), Polls()))
    assert seen == [False, False, True]


def test_each_of_several_bases_adds_its_boxes_and_the_class_itself_has_the_last_word() -> None:
    class Left(Component):
        Inboxes = {"left": "of the left one", "both": "as the left one says"}

    class Right(Component):
        Inboxes = {"right": "of the right one", "both": "as the right one says"}
        Outboxes = {"outbox": "what the right one sends"}

    class Child(Left, Right):
        Inboxes = {"own": "of its own"}

    child = Child()
    assert set(child.inbox_names) == {"inbox", "control", "left", "right", "both", "own"}
    assert child.inbox_spec("both").description == "as the left one says"
    assert child.outbox_spec("outbox").description == "what the right one sends"


def test_the_end_of_what_only_sends_settings_is_not_the_end_of_the_input() -> None:
    class Works(Component):
        Inboxes = {"settings": Box("settings", aside=True)}

        def main(self) -> Any:
            for _ in range(3):
                yield self.wait("settings", timeout=0.01)
                self.send("worked")
            yield self.wait("settings")

    class Feeds(Component):
        def main(self) -> Any:
            self.send("setting")
            yield

    works, feeds, probe = Works(), Feeds(), Probe()
    works.link((feeds, "outbox"), (works, "settings"))
    works.link((works, "outbox"), (probe, "inbox"))
    run_virtual(works, feeds, probe)
    assert probe.messages == ["worked"] * 3
