"""What a file would run, found without running it."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from axonlike import Component, Graphline, Handle, Scheduler
from axonlike.chassis import graphline
from axonlike.cli.loading import Loaded, load, split_remedy
from axonlike.here import HERE, UNUSED

HEAD = """\
import asyncio, sys
from axonlike import *
from axonlike.backplane import *
from axonlike.components.util import *
"""


@pytest.fixture
def loaded(tmp_path: Path):
    def loaded(text: str, *arguments: str, time_limit_s: float = 10.0) -> Loaded:
        (tmp_path / "script.py").write_text(HEAD + text)
        return load(tmp_path / "script.py", arguments, time_limit_s=time_limit_s)

    return loaded


def paths(loaded: Loaded) -> list[str]:
    return [part.path for part in loaded.parts]


@pytest.mark.parametrize(
    "text",
    [
        "run(DataSource([1]) | Null())",
        "(DataSource([1]) | Null()).run()",
        "Pipeline(DataSource([1]), Null()).activate()\nrun()",
        "Scheduler().run(Pipeline(DataSource([1]), Null()))",
        "asyncio.run(run_async(Pipeline(DataSource([1]), Null())))",
        "with background(Pipeline(DataSource([1]), Null())): pass",
        "with Scheduler() as s:\n    Pipeline(DataSource([1]), Null()).activate(s)",
        "async def main():\n    async with Scheduler() as s:\n        s.activate(Pipeline(DataSource([1]), Null()))\n"
        "asyncio.run(main())",
        "if __name__ == '__main__':\n    run(Pipeline(DataSource([1]), Null()))",
        "def main():\n    run(Pipeline(DataSource([1]), Null()))\nif __name__ == '__main__':\n    sys.exit(main())",
    ],
)
def test_every_way_to_run_is_answered(loaded, text: str) -> None:
    found = loaded(text)
    assert paths(found) == ["Pipeline"]
    assert [child.name for child in found.parts[0].children] == ["DataSource", "Null"]
    assert (found.faults, found.warnings, len(found.runs)) == ((), (), 1)


def test_nothing_runs(loaded, tmp_path: Path) -> None:
    loaded(f"(DataSource([1]) | step(lambda m: open({str(tmp_path / 'ran')!r}, 'w'))).run()")
    assert not (tmp_path / "ran").exists()


def test_a_script_with_several_runs_is_followed_through_all(loaded) -> None:
    found = loaded("for n in range(3):\n    Pipeline(DataSource([n]), Null()).run()\nrun(DataSource([4]) | Null())\n")
    assert len(found.runs) == 4
    assert len(found.parts) == 4


def test_what_fails_after_a_run_for_want_of_results_is_no_fault(loaded) -> None:
    found = loaded("got = Collect()\nPipeline(DataSource([1]), got).run()\nprint(got.messages[0])\n")
    assert (found.faults, found.broken_off) == ((), False)


def test_a_script_that_asks_a_handle_ends_there_in_silence(loaded) -> None:
    found = loaded(
        "double = step(lambda n: 2 * n)\n"
        "with background(double), Handle(double) as h:\n    h.put(1)\n    print(h.get())\n"
    )
    assert found.faults == ()
    assert paths(found)[0].startswith("step")


def test_a_link_that_does_not_fit_is_left_out_and_the_others_are_made(loaded) -> None:
    found = loaded('Graphline(A=DataSource([1]), B=Null(), links="A.outbx -> B; A -> B").run()')
    (fault,) = found.faults
    assert (fault.line, fault.text) == (5, "Graphline/A has no outbox 'outbx'")
    assert fault.remedy == "did you mean 'outbox'? (there are: outbox, signal)"
    _source, null = found.parts[0].children
    assert isinstance(null, Component)
    assert null.has_producers()


def test_what_depends_on_a_failed_statement_is_passed_over_and_the_rest_is_not(loaded, tmp_path: Path) -> None:
    found = loaded(
        "name = 'old'\n"
        "name = Every(0)\n"  # raises
        f"open({str(tmp_path)!r} + '/' + name, 'w')\n"  # must not see the old value
        f"def use():\n    open({str(tmp_path)!r} + '/' + name, 'w')\n"
        "use()\n"
        "Backplane('')\n"
        "run(DataSource([1]) | Null())\n"
    )
    assert [fault.line for fault in found.faults] == [6, 11]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py"]
    assert found.broken_off
    assert paths(found) == ["Pipeline"]


def test_an_import_that_fails_takes_no_other_name_with_it(loaded) -> None:
    found = loaded("from axonlike.components.util import Nul, Tap\nrun(Pipeline(DataSource([1]), Tap(print), Null()))")
    assert ["Nul" in fault.text for fault in found.faults] == [True]
    assert paths(found) == ["Pipeline"]


def test_a_script_that_is_no_python_is_one_fault(loaded) -> None:
    (fault,) = loaded("run(\n").faults
    assert fault.text.startswith("SyntaxError")
    assert fault.line == 5


def test_the_scripts_arguments_and_its_surroundings(loaded, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("value = 7\n")
    before = (sys.argv, list(sys.path), sys.modules["__main__"])
    found = loaded(
        "import beside\nassert sys.argv == [__file__, '-x', '1'], sys.argv\nassert beside.value == 7\n"
        "assert sys.modules['__main__'].Null is Null\nprint('said')\nrun(DataSource([1]) | Null())\n",
        "-x", "1",
    )  # fmt: skip
    assert found.faults == ()
    assert found.output == "said\n"
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before


def test_lack_of_arguments_is_a_warning_with_argparse_too(loaded, capsys: pytest.CaptureFixture[str]) -> None:
    found = loaded("import argparse\np = argparse.ArgumentParser()\np.add_argument('port')\no = p.parse_args()\n")
    assert found.faults == ()
    assert "wants arguments of its own" in found.warnings[0].text
    assert "usage:" in capsys.readouterr().err


def test_a_script_that_never_comes_to_a_run_is_a_fault_where_it_stands(loaded) -> None:
    found = loaded("import time\nwhile True:\n    time.sleep(0.01)\n", time_limit_s=3.0)  # it may come late
    (fault,) = found.faults
    assert fault.text == "the script stood here after 3 s, and had not come to a run"
    assert fault.line in (6, 7)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_endless_loop_of_runs_is_left(loaded) -> None:
    assert len(loaded("while True:\n    run(DataSource([1]) | Null())\n").runs) == 1000


def test_a_run_in_a_thread_of_the_scripts_is_waited_for(loaded) -> None:
    found = loaded(
        "import threading, time\ngraph = Pipeline(DataSource([1]), Null())\n"
        "def later():\n    time.sleep(0.05)\n    graph.run()\nthreading.Thread(target=later).start()\n"
    )
    assert paths(found) == ["Pipeline"]
    assert found.faults == ()


def test_a_thread_that_never_ends_is_left_when_time_is_over(loaded) -> None:
    found = loaded(
        "import threading\nover = threading.Event()\nthread = threading.Thread(target=over.wait)\nthread.start()\n",
        time_limit_s=3.0,  # it may be late to start it
    )
    assert [fault.text for fault in found.faults] == ["the script stood here after 3 s, and had not come to a run"]
    (thread,) = [thread for thread in threading.enumerate() if thread.name.endswith("(wait)")]
    thread._target.__self__.set()  # type: ignore[attr-defined]  # the script's own event
    thread.join()


def test_in_another_thread_there_is_no_time_limit_and_no_signal(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(HEAD + "run(DataSource([1]) | Null())")
    found: list[Loaded] = []
    thread = threading.Thread(target=lambda: found.append(load(tmp_path / "script.py", time_limit_s=0.001)))
    thread.start()
    thread.join()
    assert paths(found[0]) == ["Pipeline"]


def test_what_is_made_and_never_run_is_a_fault(loaded) -> None:
    found = loaded("Backplane('Events').activate()\nPipeline(DataSource([1]), Null())\n")
    assert sorted((fault.line, fault.text) for fault in found.faults) == [
        (5, "Backplane(Events) is activated, but nothing is run"),
        (6, "Pipeline is made here and never run"),
    ]
    assert HERE.waiting is None
    assert not UNUSED


def test_all_is_as_before_afterwards(loaded) -> None:
    def methods() -> list[object]:
        owners = (Component, Graphline, Scheduler, Handle)
        return [*(dict(vars(owner)) for owner in owners), graphline._parse]

    before = methods()
    loaded("run(Pipeline(DataSource([1]), 5))\nraise SystemExit(3)")
    assert methods() == before


def test_a_graph_file_is_made_without_what_is_wrong_in_it(tmp_path: Path) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(
        'links = ["A -> B", "A.signl -> C"]\n[components.A]\ntype = "Every"\ninterval_s = 1\n'
        '[components.B]\ntype = "Null"\n[components.C]\ntype = "Null"\n[components.D]\ntype = "Nul"\n'
    )
    found = load(path)
    assert [(fault.line, fault.file) for fault in found.faults] == [(10, str(path)), (1, str(path))]
    assert [child.name for child in found.parts[0].children] == ["A", "B", "C"]
    assert not found.broken_off  # what is missing can be no Backplane


def test_a_graph_file_that_is_well(tmp_path: Path) -> None:
    path = tmp_path / "graph.toml"
    path.write_text('links = "A -> B"\n[components.A]\ntype = "Every"\ninterval_s = 1\n[components.B]\ntype = "Null"\n')
    found = load(path)
    assert found.faults == ()
    assert len(found.runs) == 1


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("A has no inbox 'x'; did you mean 'y'? (there are: y, z)", "A has no inbox 'x'",
         "did you mean 'y'? (there are: y, z)"),
        ("no backplane 'x' (there are: 'y')", "no backplane 'x'", "there are: y"),
        ("A already feeds B: an outbox has one link; put a Splitter between", "A already feeds B",
         "an outbox has one link; put a Splitter between"),
        ("5 is not a component", "5 is not a component", ""),
        ("<class 'a.b.C'> is not a component: pass an instance, C(...)", "the class 'C' is not a component",
         "pass an instance, C(...)"),
        ("it cannot: End that one (the system: Address already in use)", "it cannot", "end that one"),
    ],
)  # fmt: skip
def test_an_errors_text_is_parted_from_its_remedy(text: str, what: str, remedy: str) -> None:
    assert split_remedy(text) == (what, remedy)
