"""Short names of components: ours, those of other packages, and packages that cannot be imported."""

from __future__ import annotations

import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from axonlike import Component
from axonlike.components.net import SimpleServer
from axonlike.registry import find, imported_from, known, load_all, refer, summary_of, what_is_said_of
from axonlike.settings import Misfit

ROOT = Path(__file__).resolve().parent.parent
LISTED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["axonlike.components"]
# Bases of components, and what only another component makes.
NOT_FOR_FILES = {"Block", "DescriptorComponent", "TCPConnection", "Widget"}


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Path]:
    """An installed package with four components, of which one is well."""
    (tmp_path / "plug_well.py").write_text(
        "from axonlike import Component\n\n"
        "class Thermometer(Component):\n    pass\n\nclass Echo(Component):\n    pass\n"
    )
    (tmp_path / "plug_broken.py").write_text("import nothing_of_that_name\n")
    metadata = tmp_path / "plug-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[axonlike.components]\nThermometer = plug_well:Thermometer\nEcho = plug_well:Echo\n"
        "Broken = plug_broken:Thing\nNoComponent = os:getcwd.x\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        yield tmp_path
    finally:
        sys.path.remove(str(tmp_path))
        for name in ("plug_well", "plug_broken"):
            sys.modules.pop(name, None)


def test_every_public_component_is_listed_in_pyproject_under_its_own_name() -> None:
    public = {}
    folders = [path.name for path in (ROOT / "axonlike" / "components").iterdir() if (path / "__init__.py").exists()]
    components = [f"axonlike.components.{folder}" for folder in folders]
    for package in ("axonlike.backplane", "axonlike.plotting", *components):
        module = importlib.import_module(package)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, Component) and name not in NOT_FOR_FILES:
                public[name] = f"{package}:{name}"
    packages = ("axonlike.backplane", "axonlike.c", "axonlike.plotting")
    chassis = {name for name, reference in LISTED.items() if not reference.startswith(packages)}
    chassis |= {name for name, reference in LISTED.items() if reference.startswith("axonlike.chassis:")}
    assert {name: reference for name, reference in LISTED.items() if name not in chassis} == public
    assert chassis == {"Carousel", "Par", "Pipeline", "Seq", "Supervisor"}


def test_every_listed_component_can_be_imported_and_says_what_it_is() -> None:
    for name, reference in LISTED.items():
        made = refer(reference)
        assert made.__name__ == name
        assert len(summary_of(made)) > 10


def test_a_component_of_another_package_is_there_and_a_broken_one_is_one_sentence(plugins: Path) -> None:
    loaded, complaints = load_all()
    assert loaded["Thermometer"].__module__ == "plug_well"
    assert [line for line in complaints if "Broken" in line] == [
        "Broken of the package plug: plug_broken needs the module 'nothing_of_that_name'"
    ]
    assert all("\n" not in line for line in complaints)
    assert "Broken" not in loaded


def test_ours_keep_their_names_and_the_hidden_one_is_told(plugins: Path) -> None:
    entries, hidden = known()
    assert entries["Echo"].package == "axonlike"
    assert hidden == [
        'the component Echo of the package plug is hidden by that of axonlike; name it as "plug_well:Echo"'
    ]


def test_nothing_is_imported_to_know_the_names(plugins: Path) -> None:
    known()
    assert "plug_well" not in sys.modules


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SimpleServr", "there is no component 'SimpleServr'; did you mean 'SimpleServer'?"),
        ("local_parts:Thing", "local_parts has no 'Thing'; did you mean 'Things'?"),
        ("local_parts:number", "local_parts:number is no component"),
        ("local_parts:one", "local_parts:one is a component: add the name of its class"),
        ("no_such_module:Thing", "there is no module 'no_such_module'"),
        ("not a name:", "'not a name:' is no name of a class or function"),
        ("local_broken:Thing", "local_broken cannot be imported: ZeroDivisionError: division by zero"),
        ("local_syntax:Thing", "local_syntax cannot be imported: "),
    ],
)
def test_what_cannot_be_found_is_told_with_a_remedy(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "local_parts.py").write_text(
        "from axonlike import Component\n\n\nclass Things(Component):\n    pass\n\n\nnumber = 3\none = Things()\n"
    )
    (tmp_path / "local_broken.py").write_text("\n1 / 0\n")
    (tmp_path / "local_syntax.py").write_text("def f(:\n")
    entries, _ = known()
    with imported_from(tmp_path), pytest.raises(Misfit) as caught:
        find(name, entries)
    for module in ("local_parts", "local_broken", "local_syntax"):
        sys.modules.pop(module, None)
    assert caught.value.text.startswith(text)
    assert caught.value.remedy
    if name == "local_broken:Thing":
        assert caught.value.remedy == f"mend {tmp_path / 'local_broken.py'}:2"


def test_the_import_path_is_as_before_afterwards(tmp_path: Path) -> None:
    before = list(sys.path)
    with imported_from(tmp_path):
        assert sys.path[0] == str(tmp_path)
    assert sys.path == before


def test_what_a_docstring_says_of_a_setting_is_found() -> None:
    assert what_is_said_of("needs", SimpleServer).startswith("names of Backplanes that must be there at the start")
    assert what_is_said_of("no_such_setting", SimpleServer) == ""
