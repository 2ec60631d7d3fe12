"""What a user gets from the built wheel: the package alone, complete, and working without any extra."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since setuptools writes build/ and *.egg-info beside its sources."""
    return _copy(tmp_path_factory.mktemp("source"))


def _copy(source: Path) -> Path:
    shutil.copytree(ROOT / "axonlike", source / "axonlike", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("components", "backplane"):
        (source / name).symlink_to(f"axonlike/{name}")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    return source


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the network."""
    source = _copy(tmp_path_factory.mktemp("source"))
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(source)]
    environment = os.environ | {"CFLAGS": "-O0"}  # nobody asks here how fast it is
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_once_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "axonlike").rglob("*.py")}
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "axonlike" / "plotting" / "web").iterdir()}
    compiled = {name for name in packed if name.startswith("axonlike/_speedups.") and not name.endswith(".pyi")}
    assert len(compiled) <= 1, "none where no compiler is"
    assert packed - compiled == modules | pages | {"axonlike/py.typed", "axonlike/_speedups.pyi"}


def test_no_compiler_is_needed(source: Path, tmp_path: Path) -> None:
    # What pip calls to make a wheel (PEP 517), without pip: that is in the other tests.
    command = [sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"]
    done = subprocess.run(
        command, cwd=source, env=os.environ | {"CC": "no-such-compiler"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        assert [name for name in archive.namelist() if "_speedups" in name] == ["axonlike/_speedups.pyi"]


def test_the_installed_core_runs_a_pipeline_without_any_extra(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from axonlike import Pipeline, run
from axonlike.components.util import Collect, DataSource
collected = Collect()
run(Pipeline(DataSource([1, 2, 3]), collected))
import axonlike
print(axonlike.__file__)
"""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "axonlike" / "__init__.py")


def test_the_core_depends_on_nothing_and_all_never_needs_a_compiler() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
    extras = project["optional-dependencies"]
    (everything,) = extras["all"]
    names = everything.removeprefix("axonlike[").removesuffix("]").split(",")
    assert set(names) == set(extras) - {"all", "audio", "test", "docs"}  # audio: PyAudio has no wheel for Linux
    assert "PyAudio" not in str([extras[name] for name in names])
