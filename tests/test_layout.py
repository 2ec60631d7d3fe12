"""The shape of the repository and of the package: links, layers, cycles, exports, forbidden calls, cost of import."""

from __future__ import annotations

import ast
import functools
import gc
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "axonlike"
LAYERS_FILE = Path(__file__).with_name("layers.toml")


@dataclass(frozen=True)
class Module:
    name: str  # dotted, "axonlike.box"; a package goes by its own name
    path: Path
    is_package: bool

    @property
    def tree(self) -> ast.Module:
        return _trees()[self.name]

    @functools.cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports_of(self))

    def __str__(self) -> str:
        return self.name


@functools.cache
def _trees() -> dict[str, ast.Module]:
    """All at once, and then out of the collector's sight: it would look through a million nodes again and again."""
    gc.collect()
    gc.disable()
    try:
        trees = {name: ast.parse(module.path.read_bytes(), str(module.path)) for name, module in MODULES.items()}
        gc.freeze()
    finally:
        gc.enable()
    return trees


class Import(NamedTuple):
    importer: str
    imported: str  # module, not the name taken out of it
    names: tuple[str, ...]  # what `from ... import` takes; submodules are in `imported` instead
    line: int
    at_module_level: bool


def _find_modules() -> dict[str, Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name, path, is_package)
    return found


MODULES = _find_modules()
# Imports nothing itself, and is there only where a compiler was.
COMPILED = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PACKAGE.rglob("*.c")}
# Importing __main__ would run the command line.
IMPORTABLE = [module for name, module in MODULES.items() if not name.endswith("__main__")]
PACKAGES = [module for module in MODULES.values() if module.is_package]
each_package = pytest.mark.parametrize("module", PACKAGES, ids=str)


# --- imports, read from the source --------------------------------------------------------------------------------


def _imports_of(module: Module) -> Iterator[Import]:
    """The imports of axonlike modules. What stands under `if TYPE_CHECKING:` is for the type checker and left out."""

    def walk(node: ast.AST, at_module_level: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for branch in node.orelse:
                yield from walk(branch, at_module_level)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "axonlike" and alias.name not in COMPILED:
                    yield Import(module.name, alias.name, (), node.lineno, at_module_level)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            if base.split(".")[0] == "axonlike":
                names = tuple(alias.name for alias in node.names)
                taken = tuple(name for name in names if f"{base}.{name}" not in MODULES)
                if taken:
                    yield Import(module.name, base, taken, node.lineno, at_module_level)
                for name in names:
                    if f"{base}.{name}" in MODULES:
                        yield Import(module.name, f"{base}.{name}", (), node.lineno, at_module_level)
        inside = at_module_level and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):  # nine nodes of ten, and no import is in an expression
                yield from walk(child, inside)

    yield from walk(module.tree, True)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join(base + ([node.module] if node.module else []))


def _read_layers() -> tuple[dict[str, int], int, dict[tuple[str, str], str]]:
    table = tomllib.loads(LAYERS_FILE.read_text())
    layer_of = {}
    for layer in table["layer"]:
        for name in layer["modules"]:
            assert name not in layer_of, f"{LAYERS_FILE.name}: {name} stands in two layers"
            layer_of[name] = layer["number"]
    upward = {
        (f"axonlike.{entry['importer']}", f"axonlike.{entry['imported']}"): entry["reason"]
        for entry in table.get("upward", [])
    }
    return layer_of, table["top_layer"], upward


LAYER_OF, TOP_LAYER, UPWARD = _read_layers()


def _layer(module_name: str) -> int | None:
    """The layer of a module by its longest entry in the table; None if it has none."""
    if module_name == "axonlike":
        return TOP_LAYER
    parts = module_name.split(".")[1:]
    exact = "/".join(parts)
    if exact in LAYER_OF:
        return LAYER_OF[exact]
    for length in range(len(parts), 0, -1):
        found = LAYER_OF.get("/".join(parts[:length]) + "/*")
        if found is not None:
            return found
    return None


# --- links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["components", "backplane"])
def test_the_root_links_point_into_the_package(name: str) -> None:
    link = ROOT / name
    if not link.is_symlink() and link.is_file() and link.stat().st_size < 100:
        pytest.skip("this checkout has text files in place of links (git: core.symlinks=false)")
    assert os.readlink(link) == f"axonlike/{name}"
    assert (link / "__init__.py").samefile(PACKAGE / name / "__init__.py")


@pytest.mark.parametrize("name", ["components", "backplane"])
def test_importing_by_the_short_name_is_refused_and_names_the_right_one(name: str) -> None:
    done = _python(f"import {name}")
    assert done.returncode != 0
    assert "ImportError" in done.stderr
    assert f"axonlike.{name}" in done.stderr.splitlines()[-1]


# --- layers -------------------------------------------------------------------------------------------------------


# What holds for every module is one test, which names all that break it: a test each would be thousands of nothing.


def test_every_module_stands_in_the_layer_table() -> None:
    without = [name for name in MODULES if _layer(name) is None]
    assert not without, f"give these a layer in tests/{LAYERS_FILE.name}: {without}"


def test_a_module_imports_from_its_own_layer_or_below() -> None:
    wrong = []
    for module in MODULES.values():
        own = _layer(module.name)
        for found in module.imports:
            layer = _layer(found.imported)
            if own is not None and layer is not None and layer <= own:
                continue
            if (module.name, found.imported) in UPWARD and not found.at_module_level:
                continue
            wrong.append(f"{module.path}:{found.line}: layer {own} imports {found.imported} of layer {layer}")
    assert not wrong, "\n".join(wrong)


def test_every_upward_import_of_the_table_is_still_made() -> None:
    made = {(found.importer, found.imported) for module in MODULES.values() for found in module.imports}
    assert UPWARD.keys() <= made, f"remove from {LAYERS_FILE.name}: {UPWARD.keys() - made}"


def test_what_is_compiled_is_imported_by_the_module_of_its_name_alone() -> None:
    assert COMPILED
    for name in COMPILED:
        importers = [m.name for m in MODULES.values() if f"import {name}" in m.path.read_text()]
        assert importers == [name.replace("._", ".")]


def test_every_imported_module_exists() -> None:
    unknown = [
        f"{module.path}:{found.line}: {found.imported}"
        for module in MODULES.values()
        for found in module.imports
        if found.imported not in MODULES
    ]
    assert not unknown, "\n".join(unknown)


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """At module level: an import inside a function runs when both ends are complete."""
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for module in MODULES.values():
        for found in module.imports:
            if found.at_module_level and found.imported in graph:
                graph[module.name].add(found.imported)
    cycle = _find_cycle(graph)
    assert cycle is None, " -> ".join(cycle or ())


def _find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    finished: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return None
        for imported in sorted(graph[name]):
            cycle = visit(imported, [*path, name])
            if cycle:
                return cycle
        finished.add(name)
        return None

    for name in graph:
        cycle = visit(name, [])
        if cycle:
            return cycle
    return None


@pytest.mark.parametrize(
    ("graph", "cycle"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, None),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, None),
        ({"a": {"a"}}, ["a", "a"]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
    ],
)
def test_the_cycle_search_itself(graph: dict[str, set[str]], cycle: list[str] | None) -> None:
    assert _find_cycle(graph) == cycle


# --- exports ------------------------------------------------------------------------------------------------------


def _written_all(module: Module) -> list[str] | None:
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return list(value)
    return None


def _late_names(module: Module) -> dict[str, set[str]]:
    """What a package loads late: for each of its modules, the names that its ``__getattr__`` gives from there."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__getattr__":
            assert isinstance(node.value, ast.Call)
            assert ast.unparse(node.value.func) == "loaded_late"
            table = ast.literal_eval(node.value.args[1])
            return {f"{module.name}.{home}": set(names.split()) for home, names in table.items()}
    return {}


def _names_for_type_checkers(module: Module) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for node in module.tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for found in ast.walk(node):
                if isinstance(found, ast.ImportFrom):
                    names.setdefault(_absolute(module, found), set()).update(alias.name for alias in found.names)
    return names


def _defined_names(module: Module) -> set[str]:
    """What the module's own top level defines: not what it imports."""
    names: set[str] = set()

    def collect(body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    names.update(part.id for part in ast.walk(target) if isinstance(part, ast.Name))
            elif isinstance(node, ast.If | ast.Try | ast.With):
                for field in ("body", "orelse", "finalbody"):
                    collect(getattr(node, field, []))
                for handler in getattr(node, "handlers", []):
                    collect(handler.body)

    collect(module.tree.body)
    return names


def test_every_module_says_what_it_exports() -> None:
    wrong = []
    for module in MODULES.values():
        exported = _written_all(module)
        if exported is None:
            wrong.append(f"{module.path}: no __all__")
            continue
        if len(exported) != len(set(exported)):
            wrong.append(f"{module.path}: __all__ names something twice")
        private = [name for name in exported if name.startswith("_") and name != "__version__"]
        if private:
            wrong.append(f"{module.path}: __all__ holds private names {private}")
    assert not wrong, "\n".join(wrong)


def test_every_exported_name_exists() -> None:
    wrong = []
    for module in IMPORTABLE:
        loaded = importlib.import_module(module.name)
        missing = [name for name in _written_all(module) or () if not hasattr(loaded, name)]
        if missing:
            wrong.append(f"{module.path}: __all__ names {missing}, which the module does not have")
    assert not wrong, "\n".join(wrong)


def test_a_module_exports_only_what_it_defines() -> None:
    """One name, one home: re-exports are for the __init__ of a package."""
    wrong = []
    for module in MODULES.values():
        foreign = set(_written_all(module) or ()) - _defined_names(module)
        if foreign and not module.is_package:
            wrong.append(f"{module.path}: __all__ names {sorted(foreign)}, defined elsewhere")
    assert not wrong, "\n".join(wrong)


@each_package
def test_a_package_only_reexports(module: Module) -> None:
    allowed_assignments = {"__all__", "__version__", "__getattr__"}
    for node in module.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # docstring
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if all(isinstance(target, ast.Name) and target.id in allowed_assignments for target in targets):
                continue
        if isinstance(node, ast.If) and ("TYPE_CHECKING" in ast.unparse(node.test) or _is_guard(node)):
            continue
        pytest.fail(f"{module.path}:{node.lineno}: an __init__ holds re-exports only; move this to a module")


def _is_guard(node: ast.If) -> bool:
    """`if __name__ != "axonlike.components": raise ImportError(...)`: refuses to be imported under the short name."""
    return "__name__" in ast.unparse(node.test) and all(isinstance(inner, ast.Raise) for inner in node.body)


@each_package
def test_what_a_package_imports_and_what_it_exports_are_the_same(module: Module) -> None:
    taken = {name for found in module.imports for name in found.names} - {"loaded_late"}
    taken.update(*_late_names(module).values())
    exported = set(_written_all(module) or ()) - {"__version__"}
    defined = _defined_names(module) - taken
    assert taken == exported - defined, f"{module.path}: imported and __all__ differ"


@each_package
def test_what_a_package_loads_late_is_what_it_tells_type_checkers(module: Module) -> None:
    assert _late_names(module) == _names_for_type_checkers(module)


@each_package
def test_what_a_package_reexports_is_public_where_it_comes_from(module: Module) -> None:
    for found in module.imports:
        origin = _written_all(MODULES[found.imported]) or []
        missing = [name for name in found.names if name not in origin]
        assert not missing, f"{module.path}:{found.line}: {missing} not in __all__ of {found.imported}"
    for home, names in _late_names(module).items():
        missing = sorted(names - set(_written_all(MODULES[home]) or ()))
        assert not missing, f"{module.path}: {missing} not in __all__ of {home}"


def test_no_module_takes_private_names_out_of_another() -> None:
    taken = [
        f"{module.path}:{found.line}: {name} of {found.imported}"
        for module in MODULES.values()
        for found in module.imports
        for name in found.names
        if name.startswith("_") and name != "__version__"
    ]
    assert not taken, "\n".join(taken)


def test_the_version_is_the_one_of_the_metadata() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert importlib.import_module("axonlike").__version__ == metadata["project"]["version"]


# --- what the package must not do ---------------------------------------------------------------------------------

# What turns bytes or text into running code. Data travels as text, msgpack or raw buffers (DESIGN sections 4 and 5).
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "__import__"}
# Each with its reason in its text, and with a test that nothing else asks for it.
ALLOWED = {"axonlike.plotting.own_objects": {"import pickle"}}


def _code_loading(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in FORBIDDEN_MODULES:
                    yield node.lineno, f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
                yield node.lineno, f"from {node.module} import"
        elif isinstance(node, ast.Name) and node.id in FORBIDDEN_CALLS:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            if node.attr in FORBIDDEN_CALLS and ast.unparse(node.value) in {"builtins", "__builtins__"}:
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield node.value.lineno, "allow_pickle"


def test_no_module_can_run_code_from_data() -> None:
    found = [
        f"{module.path}:{line}: {what}"
        for module in MODULES.values()
        for line, what in _code_loading(module.tree)
        if what not in ALLOWED.get(module.name, set())
    ]
    assert not found, "\n".join(found)


def test_what_may_unpickle_is_asked_for_by_one_module_only() -> None:
    users = [name for name, module in MODULES.items() if "made_again" in module.path.read_text()]
    assert sorted(users) == ["axonlike.plotting.messages", "axonlike.plotting.own_objects"]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import os, marshal",
        "def f(text):\n    return eval(text)",
        "run = exec",
        "import builtins\nbuiltins.eval('1')",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
    ],
)
def test_the_search_for_code_loading_itself(source: str) -> None:
    assert list(_code_loading(ast.parse(source)))


# --- what an import costs -----------------------------------------------------------------------------------------

# Of the standard library, but slow to load or started by nothing that the kernel does.
TOO_HEAVY = {
    "ctypes", "doctest", "email", "http", "importlib.metadata", "multiprocessing", "pydoc", "sqlite3", "tkinter",
    "unittest", "urllib.request", "xml",
}  # fmt: skip


def _python(code: str, extras: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs code in a Python that sees the repository's root and the standard library, and site-packages if asked."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    options = ["-I", "-W", "error"] if extras else ["-I", "-S", "-W", "error"]
    return subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=False)


def _loaded_by(statement: str, extras: bool = False) -> set[str]:
    done = _python(f"before = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))", extras)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_axonlike_loads_nothing_that_is_slow_or_foreign() -> None:
    loaded = _loaded_by("import axonlike")
    foreign = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names | {"axonlike"}}
    assert not foreign
    assert not loaded & TOO_HEAVY


# What the extra "signals" brings. Modules import it at their top, and are themselves loaded late (axonlike/late.py).
SIGNALS = {"msgspec", "numpy", "scipy"}


@functools.cache  # when a test asks: every worker of a parallel run collects this file, and few run these
def _needs_signals() -> set[str]:
    """The modules that cannot be imported without the extra "signals": by themselves or by what they import."""
    needing = {
        name
        for name, module in MODULES.items()
        for node in module.tree.body
        if (isinstance(node, ast.Import) and {alias.name.split(".")[0] for alias in node.names} & SIGNALS)
        or (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in SIGNALS)
    }
    while True:
        more = {
            name
            for name, module in MODULES.items()
            if name not in needing
            and any(found.at_module_level and found.imported in needing for found in module.imports)
        }
        if not more:
            return needing
        needing |= more


def test_every_other_module_can_be_imported_without_any_extra() -> None:
    """Optional libraries are imported when a component is made, or late with the module that needs them."""
    others = [str(module) for module in IMPORTABLE if module.name not in _needs_signals()]
    loaded = _loaded_by("import " + ", ".join(others))
    assert set(others) <= loaded
    assert not [module for module in MODULES.values() if module.is_package and module.name in _needs_signals()]


def test_a_name_that_needs_a_package_that_is_missing_says_what_to_install() -> None:
    done = _python("from axonlike.streams import Chunk")
    assert done.returncode == 1
    assert "axonlike.streams.Chunk needs numpy: " in done.stderr
    assert 'pip install "axonlike[signals]"' in done.stderr


# Each import in a fork of its own, of a process in which nothing but the packages that the module is in were imported:
# Python itself imports these first. What a package loads is thereby shown with the package. What is not ours (NEEDED)
# is loaded once for all.
_EACH_FIRST = """
import gc, importlib, os, sys, traceback

def first(name):
    try:
        importlib.import_module(name)
    except BaseException:
        return print(name, traceback.format_exc(), flush=True)
    gc.freeze()
    for inner in NAMES:
        if inner.rpartition(".")[0] != name or not (inner in TESTED or inner in PACKAGES):
            continue
        if inner in sys.modules:
            first(inner)
            continue
        child = os.fork()
        if not child:
            first(inner)
            os._exit(0)
        if status := os.waitpid(child, 0)[1]:
            print(inner, "ended its process:", status, flush=True)

gc.disable()
for name in NEEDED: importlib.import_module(name)
first("axonlike")
"""


@pytest.mark.slow
@pytest.mark.parametrize("needing", [False, True], ids=["without extras", "with numpy"])
def test_each_module_can_be_the_first_to_be_imported(needing: bool) -> None:
    """No module may rely on another import having come before it; only a process of its own shows that."""
    tested = [module.name for module in IMPORTABLE if (module.name in _needs_signals()) == needing]
    needed = ["asyncio", "msgspec", "numpy", "scipy.fft", "scipy.signal"] if needing else ["asyncio"]
    packages = [module.name for module in PACKAGES]
    names = f"NAMES, TESTED, PACKAGES, NEEDED = {list(MODULES)!r}, {tested!r}, {packages!r}, {needed!r}"
    done = _python(f"{names}\n{_EACH_FIRST}", extras=needing)
    assert done.returncode == 0, done.stderr
    assert not done.stdout, done.stdout


def test_python_files_of_the_package_have_docstrings_that_say_why_they_exist() -> None:
    without = [str(module.path) for module in MODULES.values() if not ast.get_docstring(module.tree)]
    assert not without, "\n".join(without)
