"""What is read from the text of a script: what is wrong is seen, and nothing is said where the text leaves a doubt."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from axonlike.cli.source import Source, outboxes_named

ROOT = Path(__file__).parents[2]


def texts(script: str) -> list[str]:
    source = Source(textwrap.dedent(script), "script.py")
    return [f"{remark.line}:{remark.column} {remark.text}" for remark in source.remarks()]


def in_a_class(body: str, *, base: str = "Component", head: str = "") -> list[str]:
    script = f"from axonlike import Component, ThreadedComponent\n{head}\nclass Ours({base}):\n"
    return texts(script + textwrap.indent(textwrap.dedent(body), "    "))


@pytest.mark.parametrize(
    "script",
    sorted((ROOT / "examples").glob("*.py")) + sorted((ROOT / "tests" / "components").rglob("*.py")),
    ids=lambda path: path.name,
)
def test_no_false_alarm(script: Path) -> None:
    assert Source(script.read_text(), script.name).remarks() == []


@pytest.mark.parametrize(
    "body",
    [
        "def main(self):\n    yield self.wait('inbx')\n",
        "def main(self):\n    self.send(1, 'outbx')\n    yield\n",
        "def main(self):\n    self.send(1, box='outbx')\n    yield\n",
        "def main(this):\n    yield\n    this.recv('inbx')\n",
        "async def main(self):\n    async for m in self.inbox('inbx'): pass\n",
        "def main(self):\n    yield self.wait('inbox', 'inbx')\n",
    ],
)
def test_a_box_that_is_not_there_is_seen(body: str) -> None:
    (text,) = in_a_class(body)
    assert "Ours has no " in text


@pytest.mark.parametrize(
    ("body", "text", "remedy"),
    [
        ("def main(self):\n    yield\n    self.sned(1)\n", "'sned'", "'send'"),
        ("def main(this):\n    yield this.wiat('inbox')\n", "'wiat'", "'wait'"),
        ("async def main(self):\n    async for m in self.inbx(): pass\n", "'inbx'", "'inbox'"),
        ("def decode(self): pass\ndef main(self):\n    yield\n    self.decdoe()\n", "'decdoe'", "'decode'"),
        ("def main(self):\n    def inner(): self.sned(1)\n    yield inner()\n", "'sned'", "'send'"),
    ],
)
def test_a_method_that_nobody_has_and_that_is_nearly_one_is_seen(body: str, text: str, remedy: str) -> None:
    script = "from axonlike import Component\nclass Ours(Component):\n" + textwrap.indent(body, "    ")
    (remark,) = Source(script, "<script>").remarks()
    assert (remark.text, remark.remedy) == (f"Ours has no method {text}", f"did you mean {remedy}?")
    line = script.splitlines()[remark.line - 1]
    assert line[remark.column - 1 :].startswith(text.strip("'"))


CALLS = "def main(self):\n    yield\n    self.sned(1)\n"


@pytest.mark.parametrize(
    "script",
    [
        "class Ours(Component):\n    def __init__(self, f):\n        self.sned = f\n    CALLS",
        "class Ours(Component):\n    sned: object\n    CALLS",
        "class Ours(Component):\n    sned = print\n    CALLS",
        "class Ours(Component):\n    CALLS\nOurs().sned = print\n",
        "class Ours(Component):\n    CALLS\nsetattr(Ours, 'sned', print)\n",
        "class Base(Component):\n    def sned(self, m): pass\nclass Ours(Base):\n    CALLS",
        "class Mixin(Component):\n    CALLS\nclass Ours(Mixin):\n    def sned(self, m): pass\n",
        "import other\nclass Ours(other.Mixin, Component):\n    CALLS",
        "import other\n@other.adds_methods\nclass Ours(Component):\n    CALLS",
        "class Ours(Component):\n    def __getattr__(self, name): return print\n    CALLS",
        (
            "class Ours(Component):\n    def main(self):\n        yield\n"
            "        class Other:\n            def f(self): self.sned()\n"
        ),
        "class Ours(Component):\n    @staticmethod\n    def f(self): self.sned()\n    def main(self): yield\n",
    ],
)
def test_a_method_that_somebody_may_have_set_is_not_told(script: str) -> None:
    script = script.replace("CALLS", textwrap.indent(CALLS, "    ").lstrip())
    assert Source("from axonlike import Component\n" + script, "<script>").remarks() == []


def test_what_a_base_of_ours_sets_in_its_methods_is_known() -> None:
    script = (
        "from axonlike.components.ui import Ticker\nclass Ours(Ticker):\n"
        "    def shown(self):\n        self._rows()\n        self.reconnect_()\n        self.highlight()\n"
    )
    assert Source(script, "<script>").remarks() == []


@pytest.mark.parametrize(
    "body",
    [
        "Inboxes = {'extra': ''}\ndef main(self):\n    yield self.wait('extra')\n",
        "Inboxes = ['extra']\ndef main(self):\n    yield self.wait('extra')\n",
        "Inboxes = dict(extra='')\ndef main(self):\n    yield self.wait('extra')\n",
        "Inboxes = {**BOXES}\ndef main(self):\n    yield self.wait('extra')\n",
        "Inboxes = {NAME: ''}\ndef main(self):\n    yield self.wait('extra')\n",
        "def __init__(self):\n    self.add_inbox('extra')\ndef main(self):\n    yield self.wait('extra')\n",
        "def __init__(self, n):\n    self.add_inbox(n)\ndef main(self):\n    yield self.wait('extra')\n",
        "on_error = 'error'\ndef main(self):\n    yield self.send(1, 'error')\n",
        "def main(self, box):\n    yield self.wait(box)\n",
    ],
)
def test_a_box_that_may_be_there_is_left_alone(body: str) -> None:
    assert in_a_class(body, head="BOXES = {'extra': ''}\nNAME = 'extra'") == []


def test_boxes_of_a_base_of_axonlikes_and_of_a_subclass_count() -> None:
    assert texts(
        """
        from axonlike.components.devices import SerialPort
        from axonlike import Component

        class Port(SerialPort):
            def lost(self):
                self.send(1, "status")

        class Template(Component):
            def main(self):
                yield self.wait("inbox")
                self.send(1, "special")

        class Special(Template):
            Outboxes = {"special": ""}
        """
    ) == []  # fmt: skip


def test_a_class_with_a_base_from_elsewhere_is_left_alone() -> None:
    assert texts("from theirs import Base\nclass A(Base):\n    def main(self):\n        self.wait('x')\n") == []


@pytest.mark.parametrize(
    "loop",
    [
        "while True:\n    self.send(1)\n",
        "while 1:\n    for m in self.inbox(): pass\n",
        "while not self.data_ready('inbox'):\n    pass\n",
        "while not self.any_ready():\n    pass\n",
    ],
)
def test_a_loop_that_never_gives_way_is_seen(loop: str) -> None:
    body = "def main(self):\n    yield\n" + textwrap.indent(loop, "    ")
    (text,) = in_a_class(body)
    assert text == "6:9 this loop has no yield in it: it never gives way to other components"
    assert in_a_class(body, base="ThreadedComponent") == []


@pytest.mark.parametrize(
    "loop",
    [
        "while self.data_ready('inbox'):\n    self.recv('inbox')\n",
        "while True:\n    if self.data_ready(): break\n",
        "while True:\n    return\n",
        "while True:\n    yield from self.wait_for_it()\n",
        "for n in range(10):\n    self.send(n)\n",
        "while n:\n    n -= 1\n",
    ],
)
def test_a_loop_that_ends_or_gives_way_is_left_alone(loop: str) -> None:
    assert in_a_class("def main(self):\n    yield\n" + textwrap.indent(loop, "    ")) == []


def test_a_wait_that_is_not_yielded_is_seen_once_and_not_in_a_thread() -> None:
    body = "def main(self):\n    while True:\n        self.wait('inbox')\n        self.recv('inbox')\n"
    assert in_a_class(body) == ["6:13 self.wait('inbox') alone does not wait"]
    assert in_a_class(body, base="ThreadedComponent") == []


def test_a_wait_kept_to_be_yielded_later_is_left_alone() -> None:
    assert in_a_class("def main(self):\n    rest = self.wait('inbox')\n    while True:\n        yield rest\n") == []


def test_a_main_that_hands_on_another_generator_is_left_alone() -> None:
    assert in_a_class("def main(self):\n    return self.other()\ndef other(self):\n    yield\n") == []
    assert in_a_class("def main(self):\n    raise NotImplementedError\n") == []


@pytest.mark.parametrize("value", ["", " 1", " None", " self.send(1)", " self.sleep(1)", " self.join()", " thing"])
def test_what_may_be_yielded(value: str) -> None:
    assert in_a_class(f"def main(self):\n    yield{value}\n") == []


def test_names_of_backplanes_are_read_through_constants() -> None:
    source = Source(
        "from axonlike.backplane import Backplane, PublishTo as P\nNAME = 'Events'\nBackplane(NAME)\nP('Event')\n", ""
    )
    assert source.names_provided() == {"Events"}
    assert [(wanted.name, wanted.by, wanted.line, wanted.column) for wanted in source.names_wanted()] == [
        ("Event", "PublishTo", 4, 3)
    ]
    assert Source("from axonlike.backplane import Backplane\nBackplane(name())\n", "").names_provided() is None


METHODS = """\
from axonlike import Component, ThreadedComponent

class Loops(Component):
    def main(self):
        while not self.any_ready:
            yield self.wait()
        for message in self.inbox:
            self.send(message)
        self.send([one for one in self.inbox if self.data_ready])

class Thread(ThreadedComponent):
    def main(self):
        while self.data_ready:
            self.send(self.recv())

class Well(Component):
    def main(self):
        yield self.wait()
        inbox = self.inbox
        for message in inbox():
            self.send(message if self.any_ready() else None)

class OfItsOwn:
    inbox = ()
    def take(self):
        return [one for one in self.inbox]
"""


def test_methods_that_are_not_called_are_seen_where_nothing_else_can_be_meant() -> None:
    assert texts(METHODS) == [
        "5:19 self.any_ready is a method, and so always true",
        "7:24 self.inbox is a method: there is nothing in it to take",
        "9:35 self.inbox is a method: there is nothing in it to take",
        "13:15 self.data_ready is a method, and so always true",
    ]


def test_what_is_wrong_with_an_import_is_told_for_its_statement_only() -> None:
    source = Source("from axonlike import (\n    Componet,\n    run,\n    Pipelin,\n)\nfrom axonlike import rnu\n", "x")
    assert [(remark.line, remark.column) for remark in source.remarks_on_import(1)] == [(2, 5), (4, 5)]
    assert [remark.text for remark in source.remarks_on_import(6)] == ["axonlike has no 'rnu'"]
    assert Source("import os\n", "x").remarks_on_import(1) == []


def test_an_import_that_is_guarded_is_left_alone() -> None:
    assert texts("try:\n    from axonlike import Novelty\nexcept ImportError:\n    Novelty = None\n") == []


def test_arguments_of_a_component_are_known_by_name() -> None:
    assert texts("from axonlike.components.net import SimpleServer\nSimpleServer(print, prot=5)\n") == [
        "2:21 SimpleServer takes no argument 'prot'"
    ]
    assert texts("from axonlike import Graphline\nGraphline(anything=1)\n") == []


def test_an_own_class_of_the_same_name_is_not_axonlikes() -> None:
    assert texts("from axonlike.components.util import *\nclass Null:\n    pass\nNull(own=1)\n") == []


def test_outboxes_that_a_class_and_its_bases_in_the_script_send_on() -> None:
    script = (
        "from axonlike import Component\nclass A(Component):\n    def say(self):\n        self.send(1, 'a')\n"
        "class B(A):\n    def main(self):\n        self.send(1, box='b')\n        yield\n"
    )
    assert outboxes_named(script, "B") == {"a", "b"}
    assert outboxes_named(script, "C") == set()
