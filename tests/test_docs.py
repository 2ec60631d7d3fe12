"""The documentation is true: its code runs and prints what the pages show, and every public name is described.

How pages are executed stands in doc_pages.py.
"""

from __future__ import annotations

import enum
import fcntl
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from axonlike.box import Policy
from axonlike.component import Component
from axonlike.shutdown import REACTION, Ending, State
from tests import prepared
from tests.doc_pages import PageError, blocks_of, fences_of, languages_of

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("howto/*.md")), ROOT / "README.md"]
PAGES_WITH_CODE = [page for page in PAGES if blocks_of(page)]
# Pages say on each block what it is. Nothing but these; so no Python block can be kept from running.
MARKS = {"python", "text", "sh", "ini", "mermaid"}
HANG_GUARD_S = 100.0

# The packages of components that the page of components shows.
_LIBRARY = ["devices", "dsp", "file", "net", "ui", "util"]

# Their code imports these, which takes long (see prepared.py).
_WITH_SCIPY = {"components.md", "eeg.md", "from-pyacq.md", "radio.md", "signals.md", "sound.md", "testing.md"}
_WITH_NUMPY = {"deployment.md", "displays.md", "index.md", "recording.md"}

# What users import from. (Other modules are described for those who read the code.)
PUBLIC_MODULES = [
    "axonlike",
    "axonlike.background",
    "axonlike.backplane",
    "axonlike.box",
    "axonlike.chassis",
    "axonlike.chassis.carousel",
    "axonlike.chassis.par",
    "axonlike.chassis.seq",
    "axonlike.clock",
    "axonlike.components.devices",
    "axonlike.components.devices.wsa4000",
    "axonlike.components.dsp",
    "axonlike.components.file",
    "axonlike.components.file.recording",
    "axonlike.components.net",
    "axonlike.components.producers",
    "axonlike.components.settable",
    "axonlike.components.ui",
    "axonlike.components.util",
    "axonlike.demand",
    "axonlike.driven",
    "axonlike.errors",
    "axonlike.graphfile",
    "axonlike.handle",
    "axonlike.introspection",
    "axonlike.messages",
    "axonlike.observe",
    "axonlike.restarts",
    "axonlike.simulators",
    "axonlike.streams",
    "axonlike.streamtype",
    "axonlike.supervisor",
    "axonlike.testing",
    "axonlike.threads",
]


# -- code on pages


def _run(page: Path) -> subprocess.CompletedProcess[str]:
    """Execute a page, once in a test run of however many workers, in a process and a folder of its own."""
    folder = _scratch / page.parent.name / page.stem
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".json"), "a+") as written:
        fcntl.flock(written, fcntl.LOCK_EX)  # who comes second waits for what the first one finds
        written.seek(0)
        known = written.read()
        if known:
            return subprocess.CompletedProcess(**json.loads(known))
        environment = {name: value for name, value in os.environ.items() if name != "AXONLIKE_SHUFFLE"}
        imports = "scipy.signal" if page.name in _WITH_SCIPY else "scipy.fft" if page.name in _WITH_NUMPY else ""
        done = prepared.run(
            ROOT / "tests" / "doc_pages.py", page, imports=imports, cwd=folder, env=environment, timeout=HANG_GUARD_S
        )
        json.dump(vars(done), written)
        return done


def _executed(page: Path) -> int:
    """How many blocks of the page were executed; fails the test if one did something else than the page says."""
    done = _run(page)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{page}: after {len(reports)} blocks:\n{done.stderr}"
    # What -W error cannot raise, because it happens in a destructor, is printed.
    assert "Exception ignored" not in done.stderr, done.stderr
    assert "never retrieved" not in done.stderr, done.stderr
    return len(reports)


_scratch = Path()


@pytest.fixture(scope="module", autouse=True)
def _scratch_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _scratch
    own = tmp_path_factory.getbasetemp()
    # A worker of a parallel run has its folder in that of the run.
    prepared.begin()
    _scratch = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "pages"


@pytest.mark.net
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
def test_the_code_of_the_page_runs_and_prints_what_the_page_shows(page: Path) -> None:
    assert _executed(page) == len(blocks_of(page))


@pytest.mark.net
def test_every_block_of_python_is_executed(capsys: pytest.CaptureFixture[str]) -> None:
    executed = {page.name: _executed(page) for page in PAGES_WITH_CODE}
    with capsys.disabled():
        print(f"\n{sum(executed.values())} blocks of Python in {len(executed)} pages were executed, 0 were left out")
    assert sum(executed.values()) >= 30
    assert {"index.md", "tutorial.md", "boxes.md", "shutdown.md", "errors.md", "threads.md"} <= executed.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_has_a_mark_that_would_keep_it_from_running(page: Path) -> None:
    unknown = [(line, mark) for line, mark in languages_of(page) if mark not in MARKS and not mark.startswith("{")]
    assert unknown == []


def test_a_page_whose_code_prints_something_else_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for content, complaint in (
        ('```python\nprint("one")\n```\n\n```text\ntwo\n```\n', "the page says"),
        ('```python\nprint("one")\n```\n', "does not show it"),
        ("```python\nx = 1\n```\n```python\nassert x == 2\n```\n", "AssertionError"),
    ):
        page.write_text(content)
        command = [sys.executable, str(ROOT / "tests" / "doc_pages.py"), str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, complaint in done.stderr) == (1, True), done.stderr


def test_a_block_without_end_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n")
    with pytest.raises(PageError, match="no end"):
        fences_of(page)


def test_output_belongs_to_the_block_directly_before_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n1\n```\n\n```text\na\n```\n\n```python\n2\n```\nA picture:\n\n```text\nb\n```\n")
    assert [block.expected for block in blocks_of(page)] == ["a\n", None]


@pytest.mark.parametrize("package", ["backplane", *_LIBRARY])
def test_every_component_is_on_the_page_of_components_with_an_example(package: str) -> None:
    page = (DOCS / "components.md").read_text()
    examples = "".join(block.code for block in blocks_of(DOCS / "components.md"))
    above = "axonlike" if package == "backplane" else "axonlike.components"
    module = importlib.import_module(f"{above}.{package}")
    members = [(name, getattr(module, name)) for name in module.__all__]
    names = [name for name, thing in members if inspect.isclass(thing) and issubclass(thing, Component)]
    assert names
    for name in names:
        assert f"\n### {name}\n" in page, f"{name} has no section"
        assert re.search(rf"\.\. component:: {re.escape(module.__name__)}\.{name}\n", page), f"{name} has no card"
        # Windows are in the examples that the page shows; they need a screen.
        assert package == "ui" or re.search(rf"\b{name}\(|\({name}\b|\b{name}\)", examples), f"{name} is in no example"


def test_every_picture_is_made_by_a_script() -> None:
    makers = "".join(maker.read_text() for maker in (DOCS / "pictures").glob("*.py"))
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            path = Path(target)
            assert path.parent.name == "pictures", f"{page.name}: {target}"
            assert path.stem in makers or path.stem.partition("-")[2] in makers, f"{page.name}: who makes {target}?"


# -- tables on pages that are written by hand


def test_the_table_of_policies_has_each_policy_once() -> None:
    named = re.findall(r"^\| `(\w+)` \|", (DOCS / "boxes.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(get_args(Policy))


def test_the_table_of_endings_is_complete() -> None:
    # The page draws what is in the table; a cell that is missing there would be missing in the page.
    assert set(REACTION) == {(state, ending) for state in State for ending in Ending}


def test_every_import_that_a_page_names_works() -> None:
    named = {
        line for page in PAGES for line in re.findall(r"`(from axonlike[\w.]* import [\w, ]+)`", page.read_text())
    }
    assert len(named) >= 15
    for line in sorted(named):
        exec(line, {})


def test_every_link_to_a_page_or_file_leads_somewhere() -> None:
    dead = [
        f"{page.name}: {target}"
        for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_the_reading_order_names_files_and_functions_that_there_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\|[^|]*\|([^|]*`axonlike/[^|]*)\|([^|]*)\|$", text, re.MULTILINE)
    assert len(rows) > 15
    for files, what in rows:
        sources = "".join((ROOT / path).read_text() for path in re.findall(r"`([\w/]+\.py)`", files))
        for name in re.findall(r"`([\w.]+)(?:\(\))?`", what):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", sources), f"{name} is not in {files.strip()}"


# -- every public name


def _public() -> Iterator[tuple[str, Any]]:
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            yield f"{module_name}.{name}", getattr(module, name)


PUBLIC = dict(_public())
COMPONENTS = {
    thing: name for name, thing in PUBLIC.items() if inspect.isclass(thing) and issubclass(thing, Component)
}


def test_every_public_class_and_function_has_a_docstring_of_its_own() -> None:
    without = [
        name
        for name, thing in PUBLIC.items()
        if (inspect.isclass(thing) and not vars(thing).get("__doc__"))
        or (inspect.isfunction(thing) and not thing.__doc__)
    ]
    assert without == []


def test_no_docstring_of_a_dataclass_is_the_one_that_python_makes() -> None:
    made = [
        name for name, thing in PUBLIC.items()
        if inspect.isclass(thing) and (thing.__doc__ or "").startswith(f"{thing.__name__}(")
        and " " not in (thing.__doc__ or "").partition("(")[0] and "\n" not in (thing.__doc__ or "")
        and not (thing.__doc__ or "").endswith(".")
    ]  # fmt: skip
    assert made == []


# Described in the Protocol that they fulfil (WireOwner), or at the base they override.
_DESCRIBED_ELSEWHERE = {"beat", "run_in_executor", "wire_ended", "wire_fault", "wire_lost", "wire_made"}


def test_every_public_method_of_a_public_class_is_described() -> None:
    without = set()
    for thing in {thing for thing in PUBLIC.values() if inspect.isclass(thing) and not issubclass(thing, enum.Enum)}:
        for name, member in vars(thing).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            # What overrides a described method of a base is described there.
            if not name.startswith("_") and inspect.isfunction(function) and not inspect.getdoc(getattr(thing, name)):
                if name in _DESCRIBED_ELSEWHERE:
                    continue
                without.add(f"{thing.__module__}.{thing.__qualname__}.{name}")
    assert sorted(without) == []


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_every_box_says_what_goes_through_it(component: type[Component]) -> None:
    without = [
        f"{COMPONENTS[component]}.{way}[{name!r}]"
        for way, boxes in (("Inboxes", component._class_inboxes), ("Outboxes", component._class_outboxes))
        for name, box in boxes.items()
        if len(box.description) < 3
    ]
    assert without == []


# -- the built pages


@pytest.mark.slow
@pytest.mark.hang_guard(300)
def test_the_documentation_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason='needs pip install -e ".[docs]"')
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    # A build makes millions of objects that live to its end: looking for garbage among them takes half of its time, and
    # letting go of each one at the end a second.
    program = (
        "import gc, os, sys; gc.disable(); from sphinx.cmd.build import main\n"
        "code = main(sys.argv[1:]); sys.stdout.flush(); sys.stderr.flush(); os._exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "-W", "--keep-going", "-n", "-q", "-b", "html", "-d", tmp_path / "doctrees",
         DOCS, tmp_path / "html"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "html" / "index.html").exists()
    shutdown = (tmp_path / "html" / "shutdown.html").read_text()
    assert all(f">{state.name}<" in shutdown for state in State)
