"""Each benchmark, tiny: that it counts what it says it does. Never how long it took."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401  (before trio and gc.freeze(): it looks at who refers to trio's random generator)
import pytest

from benchmarks import (
    chains_asyncio,
    chains_raw,
    connects,
    connects_child,
    fanout,
    idle,
    imports,
    messages,
    observing,
    observing_child,
    signals,
)
from benchmarks.children import ChildError, call, child, free_ports, python, wait_listening
from benchmarks.fanout import Contestant, Load
from benchmarks.harness import (
    CountError,
    Options,
    Reach,
    Run,
    Table,
    expect,
    installed,
    interleave,
    measure_rates,
    render,
    to_json,
)

TINY = "Options(quick=True, rounds=1, run_s=0.0, scale=0.001)"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module", autouse=True)
def libuv_signal_pipe() -> None:
    """libuv opens one pipe with the first loop of the process and keeps it: no leak of the test that comes first."""
    if installed("uvloop"):
        import uvloop

        uvloop.new_event_loop().close()


def tables_of(section: str) -> list[dict[str, Any]]:
    """What a section measures, as written to JSON; in a process of its own, as for users.

    The harness collects all garbage before each run, and there are as many objects here as a test run has.
    """
    program = f"from benchmarks import {section}; from benchmarks.harness import Options, to_json"
    written = call([sys.executable, "-c", f"{program}; print(to_json({{'it': {section}.run({TINY})}}))"])
    tables: list[dict[str, Any]] = json.loads(written)["sections"]["it"]
    return tables


# -- harness


def test_contestants_run_in_turn_each_once_a_round() -> None:
    order: list[str] = []

    def contestant(name: str) -> int:
        order.append(name)
        return len(order)

    found = interleave({name: partial(contestant, name) for name in "ABC"}, rounds=2)
    assert order == list("ABCABC")
    assert found == {"A": [1, 4], "B": [2, 5], "C": [3, 6]}


def test_a_rate_is_the_median_of_the_rounds() -> None:
    seconds = iter([1.0, 1.0, 4.0, 2.0])  # the first is the calibration

    def workload(count: int) -> Run:
        return Run(8, next(seconds))

    assert measure_rates({"one": workload}, Options(rounds=3, run_s=1.0), start=1) == {"one": 4.0}


def test_a_benchmark_that_did_less_fails() -> None:
    expect(3, 3, "messages")
    with pytest.raises(CountError, match="messages: counted 2, expected 3"):
        expect(2, 3, "messages")


def test_a_table_says_what_was_not_reached() -> None:
    table = Table("Title", ("a", "b"), reaches=[Reach("speed", 5, 4.5), Reach("memory", 5, 4.5, at_least=False)])
    table.add("row", 1234.5, None)
    text = render(table)
    assert "1,234" in text
    assert "BELOW    speed: 4.5 (wanted >= 5)" in text
    assert "reached  memory: 4.5 (wanted <= 5)" in text
    written = json.loads(to_json({"section": [table]}))["sections"]["section"][0]
    assert written["rows"] == [["row", [1234.5, None]]]
    assert [reach["reached"] for reach in written["reaches"]] == [False, True]


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1 cells for 2 columns"):
        Table("Title", ("a", "b")).add("row", 1.0)


# -- messages


@pytest.mark.parametrize("burst", [1, 7, 100])
@pytest.mark.parametrize("relays", [1, 10])
def test_a_chain_of_a_peer_passes_every_message_over_every_link(relays: int, burst: int) -> None:
    assert chains_raw.chain(relays, 200, burst).count == 200 * (relays + 1)
    assert chains_asyncio.chain(relays, 200, burst).count == 200 * (relays + 1)


@pytest.mark.parametrize(("name", "column"), sorted(messages.peers()))
def test_each_peer_row_of_the_message_table_counts_its_hops(name: str, column: str) -> None:
    links = messages.RING if column == "ring" else messages.RELAYS + 1
    assert messages.peers()[name, column](300).count == 300 * links


@pytest.mark.parametrize("column", ["step", "burst", "ring"])
def test_each_idiom_in_the_message_table_counts_its_hops(column: str) -> None:
    workloads = {name: workload for (name, one_column), workload in messages.own().items() if one_column == column}
    relays = {messages.SHORT: 2, messages.LONG: 100}
    assert messages.DOCUMENTED in workloads
    for name, workload in workloads.items():
        links = messages.RING if column == "ring" else relays.get(name, messages.RELAYS) + 1
        assert workload(300).count == 300 * links, name


def test_the_message_table_has_a_figure_in_each_cell_but_the_ring_of_other_lengths() -> None:
    (table,) = tables_of("messages")
    for name, cells in table["rows"]:
        assert len(cells) == 9
        if name not in (messages.SHORT, messages.LONG):
            assert all(cells), name


# -- idle


@LINUX
@pytest.mark.parametrize("name", ["axonlike", "asyncio", "raw"])
def test_idle_components_all_start_and_end(name: str) -> None:
    assert idle.measure("components", name, 100, 0.05)["count"] == 100


@pytest.mark.parametrize("name", [name for pair in idle.PAIRS for name in pair])
def test_every_wake_is_timed(name: str) -> None:
    assert idle.measure("wake", name, 20)["count"] == 20


@pytest.mark.parametrize("name", ["axonlike", "asyncio", "raw"])
def test_every_timer_is_timed(name: str) -> None:
    assert idle.measure("timers", name, 20)["count"] == 20


@pytest.mark.parametrize("name", ["axonlike", "asyncio", "raw"])
def test_every_message_of_a_thread_arrives(name: str) -> None:
    assert idle.measure("thread", name, 2000)["count"] == 2000


# -- fan-out


def generators() -> list[Any]:
    has_compiler = shutil.which("cc") or shutil.which("gcc")
    missing = pytest.mark.skipif(not has_compiler, reason="no C compiler")
    return [pytest.param("C", marks=missing), "Python"]


@pytest.fixture(scope="module", params=generators())
def generator(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The command that makes load."""
    if request.param == "Python":
        yield python("benchmarks.loadgen")
        return
    with fanout.load_generator() as (compiled, _):
        yield compiled


@LINUX
@pytest.mark.net
@pytest.mark.parametrize("server", sorted(fanout.contestants()))
def test_every_line_reaches_every_client_stalled_neighbour_or_not(server: str, generator: list[str]) -> None:
    load = Load(clients=5, stalled=1, fill_lines=2000, lines_per_second=200, rate_s=0.1)
    found = fanout.measure(fanout.contestants()[server], load, generator)
    assert found.deliveries == 5 * (2000 + 20)
    assert found.p99_us >= found.p50_us > 0
    assert found.memory_bytes > 0


LOSES_A_LINE = """
import selectors, socket, sys
publishing, subscribing = (socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:])
clients = [subscribing.accept()[0] for _ in range(2)]
producer = publishing.accept()[0]
for number, line in enumerate(producer.makefile("rb")):
    for client in clients[number == 10:]:
        client.sendall(line)
"""


@LINUX
@pytest.mark.net
def test_a_server_that_loses_lines_has_no_figures(generator: list[str]) -> None:
    server = Contestant(lambda publish, subscribe: [sys.executable, "-c", LOSES_A_LINE, str(publish), str(subscribe)])
    with pytest.raises(ChildError, match="out of order"):
        fanout.measure(server, Load(clients=2, lines_per_second=500, rate_s=0.1), generator)


@LINUX
def test_a_server_that_does_not_start_is_reported_at_once() -> None:
    server = Contestant(lambda publish, subscribe: [sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(ChildError, match="ended with 7 before it listened"):
        fanout.measure(server, Load(clients=1), python("benchmarks.loadgen"))


def test_the_window_never_holds_more_than_the_server_may() -> None:
    window = Load(clients=1000).window_lines(joins=True)
    assert window * 1000 * fanout.LINE_BYTES <= fanout.WINDOW_BYTES


# -- connects


@LINUX
@pytest.mark.net
def test_every_client_that_comes_and_leaves_and_every_idle_one_is_counted() -> None:
    (port,) = free_ports(1)
    with child(python("benchmarks.connects_child", "serve", "axonlike", port, "plain")) as server:
        wait_listening(server, port)
        came = connects_child.churn(port, server.pid, 8)
        assert (came["count"], came["refused"]) == (8, 0)
        assert connects_child.crowd(port, server.pid, 5)["count"] == 5


REFUSES = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    while True:
        listening.accept()[0].close()
"""


@LINUX
@pytest.mark.net
def test_clients_that_are_closed_without_an_answer_are_refused() -> None:
    (port,) = free_ports(1)
    with child([sys.executable, "-c", REFUSES, str(port)]) as server:
        wait_listening(server, port)
        assert connects_child.churn(port, server.pid, 8)["refused"] == 6  # those that reset do not wait for one
        with pytest.raises(CountError, match="answer to the first client"):
            connects_child.crowd(port, server.pid, 1)


@LINUX
@pytest.mark.net
def test_some_are_served_and_some_wait_where_descriptors_are_few() -> None:
    found = connects.load("starve", "asyncio", 0.1, "starved")
    assert 1 < found["served"] < connects_child.FILES


@LINUX
@pytest.mark.net
def test_all_clients_come_back_to_a_server_that_is_started_again() -> None:
    found = connects.restart("asyncio", 5, 0.0)
    assert (found["count"], found["refused"]) == (5, 0)


# -- observing


@LINUX
@pytest.mark.parametrize("graph", sorted(observing_child.GRAPHS))
def test_each_graph_is_counted_watched_and_not_watched(graph: str) -> None:
    alone, seen = observing.slow_down(graph, 1, 0.05)
    assert len(alone) == len(seen) == 1
    assert all(rate > 0 for window in (*alone, *seen) for rate in window)
    assert "AXONLIKE_RUNTIME_DIR" not in os.environ


# -- signals


@pytest.mark.parametrize("options", [{}, {"burst": 7}, {"made": True}, {"made": True, "through_block": True}])
def test_every_chunk_is_handed_over(options: dict[str, Any]) -> None:
    assert signals.handed_over(50, **options).count >= 50


@pytest.mark.parametrize(("name", "way"), sorted(signals.blocks(100)))
def test_each_block_is_fed_every_row_in_each_way(name: str, way: str) -> None:
    assert signals.blocks(100)[name, way](30).count == 30


# -- children and command line


def test_a_child_is_ended_when_its_block_fails() -> None:
    with pytest.raises(KeyError), child([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        raise KeyError("the block failed")
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_child_that_fails_is_an_error_with_its_last_words() -> None:
    with pytest.raises(ChildError, match="no such luck"):
        call([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_the_command_line_runs_one_section_and_writes_its_figures(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    shown = call(python("benchmarks", "--quick", "--only", "imports", "--json", written))
    assert "Imports: start of a process" in shown
    sections = json.loads(written.read_text(encoding="utf-8"))["sections"]
    assert list(sections) == ["imports"]
    names = [name for name, _ in sections["imports"][0]["rows"]]
    assert names[:3] == ["bare python", "import asyncio", "import axonlike"]


def test_import_loads_no_optional_module() -> None:
    assert not set(imports.HEAVY) & set(imports.loaded_modules("import axonlike"))
