"""The compiled ways of the kernel do what the Python ones do.

The tests of the kernel run on whatever is installed, which with a compiler is the compiled ways. Here the same tests
run on the Python ones, and each call that the compiled ways leave to Python is made on both.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from axonlike import Box, Component, Pipeline, Scheduler, speedups
from axonlike.box import Destination, Inbox
from axonlike.errors import BoxEmpty, NoSuchBox
from axonlike.testing import Probe, run_virtual

ROOT = Path(__file__).resolve().parent.parent
KERNEL = [
    "tests/kernel/test_random_graphs.py", "tests/kernel/test_semantics_bodies.py",
    "tests/kernel/test_semantics_boxes.py", "tests/kernel/test_semantics_ends.py",
    "tests/kernel/test_semantics_errors.py", "tests/test_bodies.py", "tests/test_box.py", "tests/test_component.py",
    "tests/test_scheduler.py", "tests/test_observe.py", "tests/plotting/test_desk.py",
]  # fmt: skip


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_they_are_in_use_where_there_is_a_compiler() -> None:
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if importlib.util.find_spec("axonlike._speedups") is None and not (shutil.which("gcc") and header.exists()):
        pytest.skip("no C compiler, or no headers of Python")
    assert speedups.in_use is (os.environ.get("AXONLIKE_SPEEDUPS") != "0")


def test_an_environment_variable_leaves_the_python_ones_in_place() -> None:
    code = "import axonlike; print(axonlike.speedups.in_use, type(axonlike.Component.send).__name__)"
    done = _run("-c", code, AXONLIKE_SPEEDUPS="0")
    assert (done.stdout, done.stderr) == ("False function\n", "")


def test_without_the_compiled_module_the_python_ones_stay() -> None:
    code = (
        "import sys; sys.modules['axonlike._speedups'] = None\n"
        "import axonlike; print(axonlike.speedups.in_use, type(axonlike.Component.send).__name__)"
    )
    done = _run("-c", code, AXONLIKE_SPEEDUPS="1")
    assert (done.stdout, done.stderr) == ("False function\n", "")


def test_what_was_compiled_for_other_classes_is_named_and_not_used() -> None:
    code = (
        "import sys, types, warnings\n"
        "compiled = types.ModuleType('axonlike._speedups')\n"
        "def install(*_): raise TypeError('Turn.after is no slot')\n"
        "compiled.install = install\n"
        "sys.modules['axonlike._speedups'] = compiled\n"
        "warnings.simplefilter('always')\n"
        "import axonlike; print(axonlike.speedups.in_use)"
    )
    done = _run("-c", code)
    assert done.stdout == "False\n"
    assert "C was compiled for another version of it (Turn.after is no slot) and is not used" in done.stderr


@pytest.mark.skipif(not speedups.in_use, reason="nothing is compiled here")
def test_they_are_installed_once_and_refuse_classes_without_the_slots() -> None:
    import axonlike._speedups as compiled
    from axonlike.plotting import LivePlot

    installs: tuple[Callable[..., None], ...] = compiled.install, compiled.install_call
    for install in installs:
        with pytest.raises(RuntimeError, match="installed already"):
            install(LivePlot)
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('axonlike._speedups', {compiled.__file__!r})\n"
        "compiled = importlib.util.module_from_spec(spec)\n"
        "class Bare: pass\n"
        "generator = (n for n in range(0))\n"
        "try:\n"
        "    compiled.install(*[Bare] * 8, list, 0, 0, generator.send, {}, 0, 0, 0, 0.1, 1, 1, print, 1.0)\n"
        "except TypeError as exc:\n"
        "    print(exc)\n"
    )
    assert _run("-I", "-c", code).stdout == "Bare._links is no slot\n"


@pytest.mark.slow
@pytest.mark.skipif(not speedups.in_use, reason="then all tests run on the Python ones")
@pytest.mark.hang_guard(600)
def test_the_tests_of_the_kernel_pass_on_the_python_ones_too_and_in_a_shuffled_order() -> None:
    done = _run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not soak", *KERNEL,
                AXONLIKE_SPEEDUPS="0", AXONLIKE_SHUFFLE="11")  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


COMPILED = ["send", "recv", "data_ready", "any_ready", "inbox", "pause", "sleep", "wait"]


@functools.cache
def _help_of_compiled(switch: str) -> dict[str, str]:
    code = (
        "import inspect, json, sys; from axonlike import Component\n"
        "def told(f):\n"
        "    s = inspect.signature(f)\n"
        "    return f'{[(p.name, p.kind, p.default) for p in s.parameters.values()][1:]}'"
        " f' {list(s.parameters)} {inspect.getdoc(f)}'\n"
        "print(json.dumps({name: told(getattr(Component, name)) for name in sys.argv[1:]}))"
    )
    told: dict[str, str] = json.loads(_run("-c", code, *COMPILED, AXONLIKE_SPEEDUPS=switch).stdout)
    return told


@pytest.mark.parametrize("name", COMPILED)
def test_help_says_of_the_compiled_ones_what_it_says_of_the_python_ones(name: str) -> None:
    compiled, python = (_help_of_compiled(switch)[name] for switch in ("1", "0"))
    assert compiled == python
    assert "['self'" in python


# -- calls that are not usual: the same result or the same error from both


class Idle(Component):
    Inboxes = {"second": "another", "few": Box("holds two", limit=2, policy="drop_oldest")}

    def main(self) -> Any:
        yield


UNUSUAL: list[tuple[str, Callable[[Any], Any]]] = [
    ("send() without a message", lambda c: c.send()),
    ("send() with a box by name", lambda c: c.send(1, box="outbox")),
    ("send() with a message by name", lambda c: c.send(message=1)),
    ("send() with too much", lambda c: c.send(1, "outbox", 3)),
    ("send() with a word that it does not know", lambda c: c.send(1, bx="outbox")),
    ("send() to a box that is not there", lambda c: c.send(1, "outbxo")),
    ("send() to what is no name", lambda c: c.send(1, 7)),
    ("send() to what has no hash", lambda c: c.send(1, [])),
    ("recv() of an empty box", lambda c: c.recv()),
    ("recv() of a box that is not there", lambda c: c.recv("inbxo")),
    ("recv() with a box by name", lambda c: c.recv(box="second")),
    ("recv() of what has no hash", lambda c: c.recv({})),
    ("data_ready() of a box that was never used", lambda c: c.data_ready("second")),
    ("data_ready() with a box by name", lambda c: c.data_ready(box="second")),
    ("data_ready() with too much", lambda c: c.data_ready("second", "inbox")),
    ("data_ready() of a box that is not there", lambda c: c.data_ready("secnod")),
    ("any_ready()", lambda c: c.any_ready()),
    ("inbox() of a box that is not there", lambda c: c.inbox("secnod")),
    ("inbox() by name", lambda c: c.inbox(box="second")),
    ("wait() of several", lambda c: c.wait("inbox", "second")),
    ("wait() with a time-out", lambda c: c.wait(timeout=1)),
    ("wait() of what has no hash", lambda c: c.wait([])),
    ("wait() by name", lambda c: c.wait(box="inbox")),
    ("wait() with a time that is none", lambda c: c.wait(timeout="soon")),
]


def outcomes() -> list[str]:
    """What each of the calls gives, or raises."""
    found = []
    for _, call in UNUSUAL:
        try:
            given = call(Idle())
            found.append(f"gave {type(given).__name__ if isinstance(given, Destination) else given!r}")
        except Exception as exc:
            found.append(f"raised {type(exc).__name__}: {exc}")
    return found


@pytest.fixture(scope="module")
def in_python() -> list[str]:
    code = "from tests.test_speedups import outcomes; import json; print(json.dumps(outcomes()))"
    done = _run("-c", code, AXONLIKE_SPEEDUPS="0")
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("number", range(len(UNUSUAL)), ids=[name for name, _ in UNUSUAL])
def test_an_unusual_call_ends_as_it_does_in_python(number: int, in_python: list[str]) -> None:
    assert outcomes()[number] == in_python[number]


@pytest.mark.skipif(not speedups.in_use, reason="nothing is compiled here")
def test_what_was_never_made_or_does_not_belong_there_is_an_error_and_no_crash() -> None:
    class Unmade(Component):
        def __new__(cls) -> Any:
            return object.__new__(cls)

    unmade = Unmade()
    for call in (unmade.any_ready, unmade.pause, unmade.recv, unmade.data_ready, lambda: unmade.send(1)):
        with pytest.raises(AttributeError):
            call()
    with pytest.raises(AttributeError):
        iter(Inbox.__new__(Inbox))
    scheduler = Scheduler(shuffle="")  # a shuffled run takes the Python way
    scheduler.ready.append(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="7 stands in the ready queue, and is no Turn"):
        scheduler._run_ready()
    with pytest.raises(TypeError):
        Component.send(7, 1)  # type: ignore[arg-type]


# -- what is kept alive


class Message:
    """Something whose end can be seen."""


class Forward(Component):
    def main(self) -> Any:
        while True:
            yield self.wait("inbox")
            while self.data_ready("inbox"):
                self.send(self.recv("inbox"))


class Drain(Component):
    def main(self) -> Any:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.send(message)


@pytest.mark.parametrize("relay", [Forward, Drain])
def test_no_message_is_kept_but_the_last(relay: type[Component]) -> None:
    alive: list[weakref.ref[Message]] = []
    most = 0

    class Source(Component):
        def main(self) -> Any:
            nonlocal most
            for _ in range(200):
                message = Message()
                alive.append(weakref.ref(message))
                self.send(message)
                del message
                yield
                most = max(most, sum(ref() is not None for ref in alive))

    class Sink(Component):
        def main(self) -> Any:
            while True:
                yield self.wait()
                for _ in self.inbox():
                    pass

    chain = Pipeline(Source(), relay(), relay(), Sink())
    run_virtual(chain, shuffle="")
    del chain
    gc.collect()
    assert most <= 12  # each box knows its last message, and a few are on their way
    assert not [ref for ref in alive if ref() is not None]


def test_reference_counts_of_what_they_touch_stay_as_they_were() -> None:
    message, name = object(), "second"
    component, probe = Idle(), Probe()
    component.link((component, "outbox"), (probe, "inbox"))
    watched = (message, None, True, False, name)

    def use_all() -> None:
        for _ in range(1000):
            component.send(message)
            component.send(message, "outbox")
            probe.inbox().take_up_to(2)
            component.inbox(name)
            component.data_ready(name)
            component.any_ready()
            component.wait(name)
            component.pause()
            with pytest.raises(BoxEmpty):
                component.recv(name)
            with pytest.raises(NoSuchBox):
                component.send(message, "nowhere")

    use_all()
    before = [sys.getrefcount(item) for item in watched]
    use_all()
    after = [sys.getrefcount(item) for item in watched]
    assert all(abs(now - then) < 100 for now, then in zip(after, before, strict=True)), (before, after)


def test_a_message_whose_end_runs_code_may_send_and_receive() -> None:
    """The last message of a box is let go in the middle of a recv; what its __del__ does must find the box whole."""
    seen: list[object] = []

    class Loud:
        def __init__(self, component: Component) -> None:
            self.component = component

        def __del__(self) -> None:
            seen.append(self.component.data_ready("inbox"))
            self.component.send("gone")

    class Taker(Component):
        def main(self) -> Any:
            while True:
                yield self.wait("inbox")
                while self.data_ready("inbox"):
                    self.recv("inbox")
                    gc.collect(0)

    taker = Taker()

    class Source(Component):
        def main(self) -> Any:
            for _ in range(20):
                self.send(Loud(taker))
                yield

    run_virtual(Pipeline(Source(), taker, Probe()))
    assert len(seen) == 19  # the box still knows the last one
