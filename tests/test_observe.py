"""Looking into a running system: who may, what is seen, and that those who are seen go on as before."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from axonlike import Component, Driven, Graphline, Handle, Pipeline, Scheduler, ThreadedComponent, run, run_async
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.introspection import NoSnapshot, snapshot
from axonlike.observe import (
    Look,
    Observed,
    SystemEnded,
    Tapped,
    connect,
    directories,
    from_document,
    make_directory,
    running,
    sockets_in,
    to_document,
)
from axonlike.shutdown import State
from axonlike.watching import SHOWN, Stopwatch, Tap, shown

ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of the test's own, with a short name: a unix socket's address has 108 bytes."""
    folder = tempfile.mkdtemp(prefix="axl", dir="/tmp")
    monkeypatch.setenv("AXONLIKE_RUNTIME_DIR", f"{folder}/axonlike")
    monkeypatch.delenv("AXONLIKE_OBSERVE", raising=False)
    yield Path(folder, "axonlike")
    shutil.rmtree(folder)


class Still(Component):
    """Takes nothing, and lives until it is stopped."""

    def main(self) -> Any:
        while True:
            yield self.wait("control")


class Sink(Component):
    def __init__(self) -> None:
        self.got: list[Any] = []

    def main(self) -> Any:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.got.append(message)


class Relay(Component):
    def main(self) -> Any:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.send(message)


@contextmanager
def observed(*parts: Component, name: str = "plant", **options: Any) -> Iterator[Scheduler]:
    with Scheduler(observe=name, **options) as scheduler:
        scheduler.activate(*parts)
        yield scheduler


def wait_until(true: Callable[[], object]) -> None:
    """Poll; the hang guard of the suite ends it if it never comes true."""
    while not true():
        time.sleep(0.005)


def taken(tap: Iterator[Tapped | None], count: int) -> list[str]:
    texts: list[str] = []
    for message in tap:
        if message is not None:
            texts.append(message.text)
        if len(texts) == count:
            break
    return texts


# -- the socket


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, None], ids=["asyncio", "default"])
def test_a_system_is_found_by_pid_by_name_and_as_the_only_one(loop_factory: Any) -> None:
    with observed(Still(), name="plant.py", loop_factory=loop_factory):
        for which in (os.getpid(), str(os.getpid()), "plant.py", "plant", None):
            with connect(which) as system:
                assert (system.name, system.pid) == ("plant.py", os.getpid())
                assert system.snapshot().part("Still").state == "WAITING"


def test_nobody_else_can_reach_the_socket_and_nothing_stays_behind(place: Path) -> None:
    with observed(Still()):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        (entry,) = place.iterdir()
        assert entry.name == f"{os.getpid()}.sock"
        assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert list(place.iterdir()) == []


def test_what_is_not_observed_has_no_socket(place: Path) -> None:
    with Scheduler() as scheduler:
        scheduler.activate(Still())
        assert not place.exists()


def test_observation_is_no_part_and_keeps_no_run_alive() -> None:
    sink = Sink()
    scheduler = Scheduler(observe=True)
    seen: list[str] = []
    looked = threading.Event()

    class Looks(threading.Thread):
        def run(self) -> None:
            with connect() as system:
                try:
                    while True:
                        system.look(measure=True)
                        looked.set()
                except SystemEnded as exc:
                    seen.append(str(exc))

    class Short(Component):
        def main(self) -> Any:
            looks.start()
            while not looked.is_set():
                yield self.sleep(0.01)
            self.send(1)

    looks = Looks()
    scheduler.run(Pipeline(Short(), sink))
    looks.join()
    assert sink.got == [1]
    assert "has ended" in seen[0]
    assert type(scheduler) is Scheduler


def test_two_runs_of_one_process_have_a_socket_each(place: Path) -> None:
    with observed(Still(), name="one"), observed(Still(), name="two"):
        assert sorted(path.name for path in place.iterdir()) == [f"{os.getpid()}-2.sock", f"{os.getpid()}.sock"]
        with connect("two") as system:
            assert system.name == "two"
        with pytest.raises(NoSnapshot, match=r"several systems run, say which by its name: one \(pid \d+\), two"):
            connect()
    assert list(place.iterdir()) == []


def test_run_and_run_async_take_observe_and_so_does_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    class Names(ThreadedComponent):
        def main(self) -> None:
            names.extend(system.name for system in all_systems())

    run(Names(), observe="here")
    asyncio.run(run_async(Names(), observe="there"))
    monkeypatch.setenv("AXONLIKE_OBSERVE", "said by the environment")
    run(Names())
    run(Names(), observe=False)
    Scheduler(loop_factory=asyncio.new_event_loop).run(Names())  # a loop of the caller's own: not by the environment
    assert names == ["here", "there", "said by the environment"]


def all_systems() -> list[Observed]:
    found = running()
    for system in found:
        system.close()
    return found


def test_sockets_of_the_dead_are_removed_and_those_of_the_living_are_not(place: Path) -> None:
    make_directory(place)
    for name in ("999999.sock", "77.sock"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(place / name))
    (place / ".999999-00000000.new").touch()
    (place / "notes").touch()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(place / "88.sock"))
        living.listen(1)
        with observed(Still()):
            names = {path.name for path in place.iterdir()}
    assert names == {"88.sock", "notes", f"{os.getpid()}.sock"}


def test_a_runtime_directory_with_too_long_a_name_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: Path
) -> None:
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    monkeypatch.delenv("AXONLIKE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert directories() == (Path(f"/tmp/axonlike-{os.getuid()}"),)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place.parent))
    assert directories() == (place, Path(f"/tmp/axonlike-{os.getuid()}"))


@pytest.mark.skipif(not ROOT, reason="only root can give a directory away")
def test_a_runtime_directory_of_another_user_is_passed_over(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    os.chown(place.parent, 65534, 65534)
    monkeypatch.delenv("AXONLIKE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place.parent))
    assert directories() == (Path("/tmp/axonlike-0"),)


def test_no_system_is_one_sentence_with_the_remedy() -> None:
    with pytest.raises(NoSnapshot, match=r"no system .* runs here: .*run FILE.*observe=True"):
        connect()
    with observed(Still(), name="plant.py"), pytest.raises(NoSnapshot, match=r"did you mean 'plant\.py'"):
        connect("plan")


# -- attacks


def refusal(caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.WARNING), observed(Still()) as scheduler:
        assert scheduler.running  # it goes on without being seen
    return caplog.text


def test_a_directory_that_is_a_symbolic_link_is_refused(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.symlink_to(tmp_path)
    assert "is not a directory" in refusal(caplog)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PermissionError):
        sockets_in(place)


def test_a_directory_that_is_open_to_others_is_refused(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    place.mkdir()
    place.chmod(0o755)
    assert "is open to others (mode 755)" in refusal(caplog)
    assert list(place.iterdir()) == []
    with pytest.raises(NoSnapshot, match="is open to others"):
        connect()


@pytest.mark.skipif(not ROOT, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)
    assert "belongs to another user (uid 65534)" in refusal(caplog)
    assert list(place.iterdir()) == []


CONNECTS = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
try:
    s.connect(sys.argv[1])
    print(s.recv(1000).decode(), s.recv(1000))
except OSError as exc:
    print(type(exc).__name__)
"""


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_another_user_is_refused_by_the_modes_and_if_those_fail_by_his_uid(place: Path) -> None:
    with observed(Still()):
        path = place / f"{os.getpid()}.sock"

        def other_user() -> str:
            return subprocess.run(
                [sys.executable, "-c", CONNECTS, str(path)], capture_output=True, text=True, check=True, cwd="/"
            ).stdout

        place.parent.chmod(0o755)
        assert other_user() == "PermissionError\n"
        place.chmod(0o755)
        path.chmod(0o666)
        assert json.loads(other_user().partition("\n")[0]) == {"error": "this system is another user's (uid 0)"}


# -- what can be asked


def raw(place: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(place / f"{os.getpid()}.sock"))
    assert b'"axonlike":1' in connection.recv(1000)
    return connection


def test_what_cannot_be_asked_is_answered_with_an_error_and_harms_nobody(place: Path) -> None:
    with observed(Still()):
        with closing(raw(place)) as connection:
            for request, says in (
                (b'{"do":"stop"}\n', "there is no request 'stop'"),
                (b"[1]\n", "there is no request None"),
                (b"\xff\xfe\n", "a line of JSON"),
                (b"[" * 4000 + b"\n", "a line of JSON"),
                (b'{"do":"snapshot","parts":-1}\n', "from 0 to 10000"),
                (b'{"do":"snapshot","parts":1e9}\n', "from 0 to 10000"),
                (b'{"do":"tap"}\n', "outbox is a name"),
            ):
                connection.sendall(request)
                assert says in json.loads(connection.recv(5000))["error"]
            connection.sendall(b"x" * 9000)
            with closing(connection.makefile()) as lines:
                assert "at most 4096 bytes" in lines.readline()
        with connect() as system:
            assert system.snapshot().state == "running"


def test_only_so_many_parts_are_told_and_only_so_many_watchers_let_in() -> None:
    with observed(*[Still() for _ in range(30)]):
        systems = [connect() for _ in range(16)]
        look = systems[0].look(parts=10)
        assert (len(look.graph.parts), look.graph.left_out, look.watchers) == (10, 20, 16)
        with pytest.raises(NoSnapshot):
            connect(os.getpid())
        for system in systems:
            system.close()
        wait_until(lambda: len(all_systems()) == 1)


def test_a_snapshot_is_the_same_after_its_way_through_json() -> None:
    still = Still()
    still.configure_inbox(limit=2, policy="drop_oldest")
    with observed(Pipeline(Relay(), still)) as scheduler, Handle(Relay(), scheduler=scheduler):
        scheduler.call(lambda: still.inbox().put_many(range(5)))
        graph = snapshot(scheduler)
        assert from_document(json.loads(json.dumps(to_document(graph)))) == graph
        with connect() as system:
            box = system.snapshot().part("Pipeline/Still").box()
        assert (box.depth, box.limit, box.offered, box.dropped) == (2, 2, 5, 3)


def test_a_system_that_is_held_by_a_step_is_said_to_be() -> None:
    go_on = threading.Event()

    class Holds(Component):
        def main(self) -> Any:
            yield self.wait()
            go_on.wait()

    holds = Holds()
    with observed(holds, Still()) as scheduler, connect() as system:
        system._timeout_s = 0.05
        scheduler.call_from_thread(lambda: holds.inbox().put(1))
        scheduler.call_from_thread(lambda: None)
        with pytest.raises(NoSnapshot, match=r"plant \(pid \d+\) has not answered within 0.05 s: one step holds it"):
            while True:
                system.snapshot()
        go_on.set()


# -- measuring


class Spins(Component):
    """Each message costs it so many seconds of processor time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def main(self) -> Any:
        while True:
            yield self.wait()
            for message in self.inbox():
                until = time.perf_counter() + self.seconds
                while time.perf_counter() < until:
                    pass
                self.send(message)


def _when_worked(system: Observed, path: str, busy_s: float, at_rest: str | None = None) -> Look:
    """A look at the system when a component has worked for so long, and three times as long as another one.

    The latter comes with time: what a machine takes from a component in the middle of its step counts as work.
    """
    while True:
        look = system.look(measure=True)
        effort = look.graph.part(path).effort
        rest = look.graph.part(at_rest).effort if at_rest is not None else None
        rested_s = 0.0 if rest is None else 3 * rest.busy_s
        if effort is not None and effort.busy_s >= max(busy_s, rested_s):
            return look
        time.sleep(0.005)


def test_time_is_measured_while_somebody_looks_and_at_no_other_time() -> None:
    class Ticks(Component):
        def main(self) -> Any:
            while True:
                yield self.sleep(0.01)
                self.send(1)

    with observed(Pipeline(Ticks(), Spins(0.002), Sink())) as scheduler:
        with connect() as system:
            assert all(part.effort is None for part in system.snapshot().parts)
            assert type(scheduler) is Scheduler
            before = system.look(measure=True)
            assert type(scheduler) is not Scheduler
            after = _when_worked(system, "Pipeline/Spins", 0.02, at_rest="Pipeline/Sink")
            effort = after.graph.part("Pipeline/Spins").effort
            assert effort is not None
            assert effort.slowest_step_s is not None
            assert effort.slowest_step_s >= 0.002
            assert after.busy_s is not None
            assert before.busy_s is not None
            assert 0 < effort.busy_s <= after.busy_s
        wait_until(lambda: type(scheduler) is Scheduler)


def test_what_was_not_seen_step_by_step_is_made_up_for_by_what_was() -> None:
    class Ring(Component):
        def main(self) -> Any:
            while True:
                yield

    with observed(Ring(), Still()), connect() as system:
        system.look(measure=True)
        # Hundreds of thousands of steps: far more than are looked at. Asked so often, most answers have seen no step.
        look = _when_worked(system, "Ring", 0.1)
        effort = look.graph.part("Ring").effort
        assert effort is not None
        assert look.busy_s is not None
        assert effort.busy_s > 0.5 * look.busy_s


def test_the_stopwatch_leaves_the_scheduler_as_it_was_and_forgets_the_dead() -> None:
    scheduler = Scheduler()
    sink = Sink()
    watches: list[Stopwatch] = []

    class Watched(Component):
        def main(self) -> Any:
            scheduler.call_at(scheduler.time(), lambda: watches.append(Stopwatch(scheduler)))
            yield self.sleep(0.01)
            for n in range(100):
                self.send(n)
                yield
            yield self.sleep(0.01)
            assert {part.name for part in watches[0].efforts()} == {"Watched", "Sink"}
            watches[0].stop()
            yield
            assert type(scheduler) is Scheduler

    scheduler.run(Pipeline(Watched(), sink))
    assert sink.got == list(range(100))
    assert watches[0].efforts() == {}


# -- taps


class Numbers(Component):
    """Sends what it is told to: how many numbers, from 0."""

    def main(self) -> Any:
        number = 0
        while True:
            yield self.wait()
            for count in self.inbox():
                for _ in range(count):
                    self.send(number)
                    number += 1


def feed(scheduler: Scheduler, component: Component, message: Any) -> None:
    scheduler.call(lambda: component.inbox().put(message))


def test_a_tap_shows_each_message_in_order_and_the_receiver_gets_them_all() -> None:
    numbers, sink = Numbers(), Sink()
    with observed(Pipeline(numbers, sink)) as scheduler, connect() as system:
        plain = numbers._links
        feed(scheduler, numbers, 3)
        wait_until(lambda: len(sink.got) == 3)
        tap = system.tap("Numbers.outbox")
        feed(scheduler, numbers, 500)
        assert taken(tap, 500) == [str(n) for n in range(3, 503)]
        wait_until(lambda: len(sink.got) >= 503)  # shown when sent, which is before it is taken
        assert sink.got == list(range(503))
        system.close()
        wait_until(lambda: type(numbers._links) is dict)
        assert numbers._links == plain
        feed(scheduler, numbers, 1)
        wait_until(lambda: sink.got[-1] == 503)


def test_a_tap_says_that_its_component_has_ended() -> None:
    numbers = Numbers()
    with observed(Pipeline(numbers, Sink()), Still()) as scheduler, connect() as system:
        tap = system.tap("Pipeline/Numbers")
        scheduler.call(numbers.stop)
        assert [message for message in tap if message is not None] == []


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with observed(Pipeline(Numbers(), Sink()), Pipeline(Numbers(), Sink())), connect() as system:
        for name, says in (
            ("Number.outbox", "no component 'Number'; did you mean 'Numbers'.*: Pipeline/Numbers, Pipeline/Sink"),
            ("Numbers.outbox", "several components fit.*Pipeline/Numbers, Pipeline-2/Numbers"),
            ("Pipeline/Numbers.out", "has no outbox 'out'; did you mean 'outbox'"),
        ):
            with pytest.raises(NoSnapshot, match=says):
                system.tap(name)


def test_a_component_whose_name_has_dots_is_found() -> None:
    with observed(Backplane("a.b"), Pipeline(SubscribeTo("a.b"), Sink())), connect() as system:
        for name in ("SubscribeTo(a.b)", "SubscribeTo(a.b).outbox"):
            system.tap(name)
            assert system.tapped == "Pipeline/SubscribeTo(a.b).outbox"


def test_a_tapped_sender_is_held_back_as_before() -> None:
    class Endless(Component):
        sent = 0

        def main(self) -> Any:
            while True:
                self.send(self.sent)
                self.sent += 1
                yield

    class Waits(Component):
        async def main(self) -> None:
            while True:
                await self.send(1)

    endless, still, waits, other = Endless(), Still(), Waits(), Still()
    still.configure_inbox(limit=10)
    other.configure_inbox(limit=10)
    # Tapped before they run, so that nothing has been sent before.
    taps = [Tap(endless, "outbox", lambda *_: None), Tap(waits, "outbox", lambda *_: None)]
    with observed(Pipeline(endless, still), Pipeline(waits, other)) as scheduler:
        wait_until(lambda: endless._state is State.BLOCKED and waits._state is State.BLOCKED)
        graph = snapshot(scheduler)
        assert graph.part("Pipeline/Still").box().depth == 10
        assert graph.part("Pipeline-2/Still").box().depth in (10, 11)
        feed_on = still.inbox()
        scheduler.call(lambda: [feed_on.take() for _ in range(10)])
        wait_until(lambda: endless.sent == 20 and endless._state is State.BLOCKED)
        for tap in taps:
            scheduler.call(tap.close)


def test_a_tap_follows_a_link_that_changes() -> None:
    numbers, first, second = Numbers(), Sink(), Sink()
    first.name, second.name = "first", "second"
    graph = Graphline(numbers=numbers, first=first, second=second, linkages={("numbers", "outbox"): ("first", "inbox")})
    with observed(graph) as scheduler, connect() as system:
        tap = system.tap("numbers")

        def relink() -> None:
            assert numbers._wires is not None
            graph.unlink(numbers._wires.from_out["outbox"])

        feed(scheduler, numbers, 2)
        assert taken(tap, 2) == ["0", "1"]
        scheduler.call(relink)
        feed(scheduler, numbers, 1)
        assert taken(tap, 1) == ["2"]
        assert numbers.lost_at_sending()["unlinked"] == {"outbox": 1}
        scheduler.call(lambda: graph.link((numbers, "outbox"), (second, "inbox")))
        feed(scheduler, numbers, 2)
        assert taken(tap, 2) == ["3", "4"]
        wait_until(lambda: second.got == [3, 4])
        assert first.got == [0, 1]


def test_the_end_goes_on_through_a_tap() -> None:
    seen: list[Any] = []

    class Few(Component):
        def main(self) -> Any:
            self.send(1)
            self.send_many(n for n in (2, 3))
            yield

    few, relay, sink = Few(), Relay(), Sink()
    pipeline = Pipeline(few, relay, sink)
    for component in (few, relay, sink):
        Tap(component, "outbox", lambda message, path: seen.append((path, message)))
    Scheduler().run(pipeline)
    assert sink.got == [1, 2, 3]
    assert seen == [(f"Pipeline/{name}", n) for name in ("Few", "Relay") for n in (1, 2, 3)]


def test_a_receiver_that_ends_ends_its_tapped_sender() -> None:
    class One(Component):
        def main(self) -> Any:
            yield self.wait()

    numbers, one = Numbers(), One()
    with observed(Pipeline(numbers, one), Still()) as scheduler:
        scheduler.call(lambda: Tap(numbers, "outbox", lambda *_: None))
        feed(scheduler, numbers, 1)
        wait_until(lambda: numbers.ended)
        assert one.ended


def test_what_a_full_box_refuses_is_not_shown() -> None:
    seen: list[Any] = []
    still = Still()
    still.configure_inbox(limit=2, policy="error")

    class Tries(Component):
        on_error = "skip"

        def main(self) -> Any:
            for n in range(4):
                self.send(n)
            yield

    tries = Tries()
    pipeline = Pipeline(tries, still)
    Tap(tries, "outbox", lambda message, _: seen.append(message))
    with pytest.raises(Exception, match="is full"):
        Scheduler().run(pipeline)
    assert seen == [0, 1]


class Outside(ThreadedComponent):
    def main(self) -> None:
        while True:
            self.send(self.recv())


class Driver(Driven):
    def begin(self) -> None:
        """Nothing: the test drives it."""


@pytest.mark.parametrize("kind", ["thread", "driven", "chassis", "subscription", "handle"])
def test_whatever_sends_can_be_tapped(kind: str) -> None:
    sink = Sink()
    sender: Component = {"thread": Outside, "driven": Driver, "handle": Relay}.get(kind, Relay)()
    first: Component = sender
    name = sender.name
    parts: list[Component]
    if kind == "chassis":
        parts = [Pipeline(Pipeline(sender), sink)]
        name = "Pipeline/Pipeline"
    elif kind == "subscription":
        first, sender = PublishTo("Events"), SubscribeTo("Events")
        parts = [Backplane("Events"), Pipeline(first), Pipeline(sender, sink)]
        name = sender.name
    else:
        parts = [Pipeline(sender, sink)]
    with observed(*parts) as scheduler, connect() as system:
        tap = system.tap(name)
        for n in range(3):
            if isinstance(sender, Driver):
                scheduler.call(lambda n=n: sender.deliver(n))  # type: ignore[misc]
            else:
                feed(scheduler, first, n)
        assert taken(tap, 3) == ["0", "1", "2"]
        wait_until(lambda: sink.got == [0, 1, 2])
    assert type(sender._links) is dict


def test_a_watcher_that_does_not_read_loses_messages_and_nobody_else_does(place: Path) -> None:
    numbers, sink = Numbers(), Sink()
    sink.configure_inbox(limit=None)
    with observed(Pipeline(numbers, sink)) as scheduler, connect() as reads, closing(raw(place)) as stalls:
        stalls.sendall(b'{"do":"tap","outbox":"Numbers"}\n')
        assert json.loads(stalls.recv(1000)) == {"tap": "Pipeline/Numbers.outbox"}
        tap = reads.tap("Numbers")
        got: list[str] = []
        for _ in range(50):
            feed(scheduler, numbers, 200)
            got += taken(tap, 200)
        wait_until(lambda: len(sink.got) == 10_000)
        assert got == [str(n) for n in range(10_000)]
        assert reads.dropped == 0
        stalls.sendall(b'{"do":"check"}\n')
        numbers_seen = []
        with closing(stalls.makefile()) as lines:
            for line in lines:
                said = json.loads(line)
                if "check" in said:
                    break
                numbers_seen.append(said["n"])
        assert said["check"] == "on"
        assert 0 < said["dropped"] == 10_000 - len(numbers_seen)
        assert numbers_seen == list(range(1, len(numbers_seen) + 1))  # what there was room for, without a gap in it


def test_a_message_is_shown_in_one_short_line_whatever_it_is() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    class Rude:
        def __repr__(self) -> str:
            return "\x1b[2J\nsecond line"

    assert shown("a\nb") == "'a\\nb'"
    assert len(shown("x" * 10**6)) == SHOWN
    assert len(shown(list(range(10**5)))) <= SHOWN
    assert shown(b"\x00" * 10**6).endswith("…")
    assert "Bad" in shown(Bad())
    assert shown(Rude()) == "\\x1b[2J second line"
