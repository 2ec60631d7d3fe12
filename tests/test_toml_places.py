"""Places of keys and values in TOML: compared with those that a writer of random documents notes as it writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.toml_places import Place, places_of

Draw = Any
KEYS = st.sampled_from(["a", "b-1", "c_c", "3", "A.b", "ä ö", 'with "quotes"', "", "type"])
TEXTS = st.text(alphabet='ab"\'\\#[]{}=,.\n é\t', max_size=12)
PLAIN = ["true", "17", "-0.5", "1e3", "2026-01-02T03:04:05Z", "07:32:00", "inf", "0xff"]


class Writer:
    """Writes a random document, and notes what stands where."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.text = ""
        self.keys: dict[tuple[str | int, ...], Place] = {}
        self.values: dict[tuple[str | int, ...], Place] = {}

    def here(self) -> Place:
        return Place(self.text.count("\n") + 1, len(self.text) - (self.text.rfind("\n") + 1) + 1)

    def choose(self, *choices: str) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def blank(self) -> None:
        self.text += self.choose("", " ", "\t ")

    def lines(self) -> None:
        self.text += self.choose("", "\n", " # a = [1, \"\n", "  \n\n")

    def document(self) -> None:
        self.pairs(())
        used: set[str] = set()
        for name in self.draw(st.lists(KEYS, unique=True, max_size=3)):
            if (name,) in self.keys or name in used:
                continue
            used.add(name)
            if self.draw(st.booleans()):
                self.header((name,), "[", "]", (name,))
                self.pairs((name,))
            else:
                for number in range(self.draw(st.integers(1, 3))):
                    self.header((name,), "[[", "]]", (name, number))
                    self.pairs((name, number))

    def header(self, names: tuple[str, ...], left: str, right: str, path: tuple[str | int, ...]) -> None:
        self.text += self.choose("", "  ") + left
        self.blank()
        place = self.here()
        self.keys.setdefault((names[0],), place)
        if len(path) == 2:
            self.values[path] = place
        self.key(names[0])
        self.blank()
        self.text += right + self.choose("\n", " # [x]\n")

    def key(self, name: str) -> None:
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if bare and self.draw(st.booleans()):
            self.text += name
        elif self.draw(st.booleans()) and "'" not in name:
            self.text += f"'{name}'"
        else:
            self.text += '"' + name.replace('"', '\\"') + '"'

    def pairs(self, table: tuple[str | int, ...]) -> None:
        for name in self.draw(st.lists(KEYS, unique=True, max_size=3)):
            self.lines()
            if self.text and not self.text.endswith("\n"):
                self.text += "\n"
            self.pair((*table, name), depth=2)
            self.text += self.choose("\n", " # x = 1\n", "\n\n")

    def pair(self, path: tuple[str | int, ...], depth: int) -> None:
        self.blank()
        self.keys.setdefault(path, self.here())
        self.key(str(path[-1]))
        self.blank()
        if self.draw(st.integers(0, 3)) == 0:  # a dotted key
            self.text += "."
            self.blank()
            path = (*path, "sub")
            self.keys.setdefault(path, self.here())
            self.key("sub")
            self.blank()
        self.text += "="
        self.blank()
        self.value(path, depth)

    def value(self, path: tuple[str | int, ...], depth: int) -> None:
        self.values[path] = self.here()
        kind = self.choose("plain", "text", *(["array", "table"] if depth else []))
        if kind == "plain":
            self.text += self.choose(*PLAIN)
        elif kind == "text":
            self.string()
        elif kind == "array":
            self.text += "["
            count = self.draw(st.integers(0, 3))
            for number in range(count):
                self.lines()
                self.value((*path, number), depth - 1)
                self.lines()
                if number < count - 1 or self.draw(st.booleans()):
                    self.text += ","
            self.lines()
            self.text += "]"
        else:
            self.text += "{"
            names = self.draw(st.lists(KEYS, unique=True, max_size=3))
            for number, name in enumerate(names):
                self.pair((*path, name), depth - 1)
                self.blank()
                self.text += "," if number < len(names) - 1 else ""
            self.text += "}"

    def string(self) -> None:
        said = self.draw(TEXTS)
        if self.draw(st.booleans()) and "'" not in said:
            self.text += f"'''{said}'''" if "\n" in said else f"'{said}'"
        elif self.draw(st.booleans()):
            quotes = said.replace("\\", "\\\\").replace('"""', '""\\"')
            # Up to two quotes may stand before the closing ones: they are its own.
            self.text += f'"""{quotes}"""'
        else:
            escaped = said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            self.text += f'"{escaped}"'


@given(st.data())
def test_every_key_and_value_is_found_where_it_was_written(data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.document()
    tomllib.loads(writer.text)
    places = places_of(writer.text)
    assert places.keys == writer.keys
    assert places.values == writer.values


TEXT = """\
links = ["A -> B",
    "B -> C"]
[components.A]  # first
type = "X"
[components]
B = { type = 'Y', factory = { name = "n" } }
[[list]]
x = 1
[list.sub]
y = \"\"\"
a\"\"\"
[[list]]
x = 2
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("links", 1), (2, 5)),
        (("components", "A"), (3, 13)),
        (("components", "B", "factory", "name"), (6, 38)),
        (("list", 0, "sub", "y"), (10, 5)),
        (("list", 1, "x"), (13, 5)),
        (("components", "A", "nothing"), (3, 13)),
        (("nowhere",), (1, 1)),
    ],
)
def test_a_value_is_found_by_its_path_and_what_is_not_written_at_what_is_above_it(
    path: tuple[str | int, ...], place: tuple[int, int]
) -> None:
    assert places_of(TEXT).value(path) == Place(*place)


def test_windows_line_ends_count_once() -> None:
    assert places_of(TEXT.replace("\n", "\r\n")) == places_of(TEXT)


def test_it_reads_the_projects_own_files() -> None:
    root = Path(__file__).resolve().parent.parent
    for path in (root / "pyproject.toml", root / "tests" / "layers.toml", root / "examples" / "notify.toml"):
        text = path.read_text()
        lines = text.split("\n")
        for keys, place in places_of(text).keys.items():
            assert lines[place.line - 1][place.column - 1 :].lstrip("\"'").startswith(str(keys[-1])), (path, keys)
