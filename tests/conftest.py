"""Guards around every test: none may leak a thread, descriptor, child, task or variable, and none may hang.

Leaks. What is there before a test is compared with what is there after it and its fixtures. Things that are on their
way out get `GRACE_S`; the comparison is by identity (a descriptor's number *and* target, a process's pid *and* start),
so what an earlier test left behind is blamed on that test only. A test that fails anyway is not reported twice: its
traceback keeps objects alive. `@pytest.mark.allow_leak("child")` is for a test whose subject is the leak.

Hangs. After `HANG_GUARD_S` (or `@pytest.mark.hang_guard(seconds)`) the stacks of all threads are printed and the run
ends with exit code 1: what hangs in C code or with signals blocked cannot be failed politely. The same `EXIT_GUARD_S`
after the last test, should a thread that a failed test left behind keep the interpreter from ending. Nothing else here
measures time: Hypothesis's deadline per example and its "too slow" check are off, as both fail on a busy machine.

Order. The scheduler is FIFO. `AXONLIKE_SHUFFLE=<seed>` in the environment makes each Scheduler take ready components
in an order shuffled by that seed instead (the scheduler itself reads it); the seed is printed in pytest's header.
test_speedups.py runs the kernel's tests so, on the Python ones; all of them: `AXONLIKE_SHUFFLE=$RANDOM scripts/test`.
Golden output is then to be compared per sink.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports numpy, also in the processes that tests start: the tests' arrays are small, and threads that
# share them out would only be in the way of the other workers.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HANG_GUARD_S = 120.0
HANG_GUARD_STEP_S = 1.0  # so much shorter may it be
SOAK_PATIENCE = 200  # as many times as many examples take
EXIT_GUARD_S = 10.0
GRACE_S = 10.0  # a thread on its way out may stand still for seconds
GRACE_STEP_S = 0.01

# The same examples in each run: a change is judged by what it changed. `make soak` looks for new ones.
settings.register_profile(
    "axonlike", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, derandomize=True,
    max_examples=25,
)  # fmt: skip
settings.register_profile("soak", settings.get_profile("axonlike"), max_examples=5000, derandomize=False)
settings.load_profile("axonlike")

# What is there of one kind: an identity that is never used again -> words for the report.
Found = dict[object, str]
_call_failed = pytest.StashKey[bool]()
_stderr = pytest.StashKey[int]()
_guarded_since_s = -math.inf


def pytest_configure(config: pytest.Config) -> None:
    # A copy, because pytest puts a file in place of descriptor 2 while a test runs, and what is written there just
    # before the process ends would be lost. Left open: it is needed until the very end.
    config.stash[_stderr] = os.dup(2)
    # Started with `&` or nohup, we are deaf to these, and so would be each program that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # libuv keeps one pipe for the life of the process from its first loop on: no test's leak.
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.new_event_loop().close()


def pytest_unconfigure(config: pytest.Config) -> None:
    # A thread that a failed test left behind would keep the interpreter from ending. A worker process of a parallel
    # run waits here for the others, and its master ends it.
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(EXIT_GUARD_S, exit=True, file=config.stash[_stderr])


def pytest_report_header() -> str | None:
    seed = os.environ.get("AXONLIKE_SHUFFLE")
    return f"AXONLIKE_SHUFFLE={seed} (the ready order is shuffled by this seed)" if seed else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # all that is made now stays for the whole run: nothing to be found, and much to be looked through
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a parallel run the slow tests come first, so that none is begun when the other workers have ended.

    xdist gives each of n workers an n-th of the list to begin with. So the modules with slow tests are dealt out to the
    heads of these parts; a module's stay together, as they may share what is expensive to set up.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    slow: dict[Path, list[pytest.Item]] = {}
    others = []
    for item in items:
        if any(item.get_closest_marker(name) for name in ("slow", "system")):
            slow.setdefault(item.path, []).append(item)
        else:
            others.append(item)
    if workers == 1 or not slow:
        return
    hands = [[item for module in list(slow.values())[k::workers] for item in module] for k in range(workers)]
    places = len(items)
    items.clear()
    for left, hand in zip(range(workers, 0, -1), hands):
        filled = max(0, (places - len(items)) // left - len(hand))
        items += hand + others[:filled]
        del others[:filled]
    items += others


def pytest_collection_finish() -> None:
    # Modules and collected tests stay for the whole run; out of the collector's sight they cost it nothing each time.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    global _guarded_since_s
    marker = item.get_closest_marker("hang_guard")
    now_s = time.monotonic()
    # Each start of the guard is one of a thread: what was started a moment ago serves a test of milliseconds too.
    if marker is not None or now_s > _guarded_since_s + HANG_GUARD_STEP_S:
        seconds = float(marker.args[0]) if marker else HANG_GUARD_S
        if item.config.getoption("--hypothesis-profile") == "soak":
            seconds *= SOAK_PATIENCE
        faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[_stderr])
        _guarded_since_s = now_s
    try:
        return (yield)
    finally:
        if marker is not None or nextitem is None:
            _end_hang_guard()


def pytest_sessionfinish() -> None:
    _end_hang_guard()  # a run that is broken off had a next test


def _end_hang_guard() -> None:
    global _guarded_since_s
    faulthandler.cancel_dump_traceback_later()
    _guarded_since_s = -math.inf


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_call_failed] = not report.passed
    return report


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test that leaves threads, descriptors, children, pending tasks or variables behind."""
    marker = request.node.get_closest_marker("allow_leak")
    kinds = [kind for kind in _LISTERS if marker is None or kind not in marker.args]
    before = {kind: _LISTERS[kind]() for kind in kinds}
    yield
    if request.node.stash.get(_call_failed, True):
        return
    grace = request.node.get_closest_marker("leak_grace")
    leaked = _wait_until_gone(before, GRACE_S if grace is None else grace.args[0])
    if leaked:
        pytest.fail("this test leaks: " + "; ".join(leaked), pytrace=False)


def _wait_until_gone(before: dict[str, Found], grace_s: float) -> list[str]:
    """What is there and was not before, after a grace for what is just ending."""
    deadline = time.monotonic() + grace_s
    while True:
        leaked = [
            f"{kind} {text}"
            for kind, known in before.items()
            for identity, text in _LISTERS[kind]().items()
            if identity not in known
        ]
        if not leaked or time.monotonic() > deadline:
            return leaked
        gc.collect()  # only now: what hangs in a cycle of references is not a leak, but most tests leave nothing at all
        select.select([], [], [], GRACE_STEP_S)


def _threads() -> Found:
    return {thread: repr(thread) for thread in threading.enumerate()}


def _descriptors() -> Found:
    """Open descriptors by number and target. Descriptors of this very listing fail in readlink and drop out.

    Strings in place of paths, and one look for the tracker: this runs twice for each of thousands of tests.
    """
    folder = "/proc/self/fd"
    if not os.path.exists(folder):  # not Linux
        return {fd: fd for fd in os.listdir("/dev/fd")} if os.path.exists("/dev/fd") else {}
    of_the_tracker = str(_resource_tracker()[0])
    found: Found = {}
    for fd in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{fd}")
        except OSError:
            continue
        if fd != of_the_tracker:
            found[fd, target] = f"{fd} -> {target}"
    return found


def _children() -> Found:
    """Child processes, zombies included, by pid and start time (a pid may come again).

    Read from every /proc/<pid>/stat, since /proc/self/task/<tid>/children is an option of the kernel's build.
    """
    if not os.path.exists("/proc/self/stat"):  # not Linux
        return {}
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return {}  # the quick way: there is none, not even a zombie
    parent = str(os.getpid())
    of_the_tracker = str(_resource_tracker()[1])
    found: Found = {}
    with contextlib.suppress(OSError):
        lists = [_read(f"/proc/self/task/{tid}/children") for tid in os.listdir("/proc/self/task")]
        if b" ".join(lists).split() == [of_the_tracker.encode()]:
            return found  # the second quickest, where the kernel has it
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == of_the_tracker:
            continue
        with contextlib.suppress(OSError):
            stat = _read(f"/proc/{name}/stat").decode(errors="replace")
            # pid (command, may hold blanks and parentheses) state ppid ... starttime, field 22; see proc(5)
            command, _, rest = stat.partition("(")[2].rpartition(")")
            fields = rest.split()
            if fields[1] == parent:
                found[name, fields[19]] = f"{name} ({command}, state {fields[0]})"
    return found


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read() or b""


def _resource_tracker() -> tuple[int | None, int | None]:
    """The descriptor and pid of multiprocessing's resource tracker: one a process, made on first use, on purpose."""
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(module, "_resource_tracker", None)
    return getattr(tracker, "_fd", None), getattr(tracker, "_pid", None)


def _pending_tasks() -> Found:
    """asyncio tasks that are not done, on whichever loop, running or closed.

    asyncio keeps them in a weak set of its own, under one name up to 3.11 and another since.
    """
    tasks: Any = getattr(asyncio.tasks, "_all_tasks", None)
    if tasks is None:
        tasks = vars(asyncio.tasks)["_scheduled_tasks"]
    return {task: repr(task) for task in list(tasks) if not task.done()}


def _variables() -> Found:
    """Our variables of the environment: one that stays, such as a command sets for its script, changes later tests."""
    return {(name, value): f"{name}={value}" for name, value in os.environ.items() if name.startswith("AXONLIKE_")}


_LISTERS: dict[str, Callable[[], Found]] = {
    "thread": _threads,
    "fd": _descriptors,
    "child": _children,
    "task": _pending_tasks,
    "variable": _variables,
}
