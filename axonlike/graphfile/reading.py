"""Reading a graph file: all that can be judged without making a component, each fault with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from axonlike.errors import did_you_mean
from axonlike.graphfile.spec import ComponentSpec, Fault, GraphFile, GraphSpec, Link, Made
from axonlike.registry import Entry, find, imported_from, known, refer
from axonlike.settings import Kind, Misfit, Setting, Settings, convert, settings_of, show_plain
from axonlike.settings import Path as KeyPath
from axonlike.toml_places import Place, Places, places_of

__all__ = ["read"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_END = re.compile(r"(?P<name>[\w-]+)(?:\.(?P<box>[\w-]+))?")
# Graphline takes these as options; "self" is the graph itself.
_RESERVED = ("self", "name", "links", "linkages")
_COMMON = ("on_error",)
_ON_ERROR = ("stop", "skip", "restart", "error")


def read(path: Path | str, overrides: Sequence[str] = ()) -> GraphFile:
    """Read a graph file. Raises OSError only; whatever else is wrong is in its `faults`.

    overrides: settings that count in place of the file's, as ``"CLIENTS.port=1700"`` (the value as in TOML; what is not
    valid there is a text).
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        column = exc.start - (data.rfind(b"\n", 0, exc.start) + 1) + 1
        return _unreadable(path, Fault(str(path), line, column, "this is not UTF-8", "save the file as UTF-8"))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        return _unreadable(path, _syntax_fault(path, text, exc))
    with imported_from(path.absolute().parent):
        return _Reader(path, table, places_of(text), text).read(overrides)


def _unreadable(path: Path, fault: Fault) -> GraphFile:
    return GraphFile(path, path.stem, GraphSpec({}, (), 1), (fault,))


def _syntax_fault(path: Path, text: str, exc: tomllib.TOMLDecodeError) -> Fault:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", str(exc))
    lines = text.split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    said = str(exc)
    if found is not None:
        said = said[: found.start()]
        if found.group(1):
            line, column = int(found.group(1)), int(found.group(2))
    remedy = "mend the TOML; nothing else of the file could be checked"
    if said == "Invalid value":
        remedy = "put texts into quotes; nothing else of the file could be checked"
    return Fault(str(path), line, column, said[:1].lower() + said[1:], remedy)


class _Reader:
    def __init__(self, path: Path, table: dict[str, Any], places: Places, text: str) -> None:
        self.path = path
        self.table = table
        self.places = places
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.faults: list[Fault] = []
        self._entries: dict[str, Entry] | None = None
        self._overridden: set[KeyPath] = set()

    def read(self, overrides: Sequence[str]) -> GraphFile:
        for override in overrides:
            self._override(override)
        name = self.table.get("name", self.path.stem)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            if "name" in self.table:
                self._fault(("name",), f"{show_plain(name)} is no name", "use letters, digits, _ and -", at_value=True)
            name = "graph"
        self._refuse_unknown(self.table, ("name", "components", "links"), ())
        graph = self._graph(self.table, ())
        ordered = sorted(self.faults, key=lambda fault: (fault.line, fault.column))
        return GraphFile(self.path, name, graph, tuple(dict.fromkeys(ordered)))

    def _fault(self, path: KeyPath, text: str, remedy: str, *, at_value: bool = False) -> None:
        if any(path[: len(known)] == known for known in self._overridden):
            self._typed(f"{'.'.join(map(str, path[1:-1]))}: {text}", remedy)
            return
        place = self.places.value(path) if at_value else self.places.key(path)
        self.faults.append(Fault(str(self.path), place.line, place.column, text, remedy))

    def _typed(self, text: str, remedy: str) -> None:
        """A fault of what was typed in place of the file's settings."""
        self.faults.append(Fault("the command line", 1, 1, text, remedy))

    def _at(self, line: int, column: int, text: str, remedy: str) -> None:
        self.faults.append(Fault(str(self.path), line, column, text, remedy))

    def _override(self, override: str) -> None:
        left, equals, right = override.partition("=")
        names = [name.strip() for name in left.split(".")]
        if not equals or len(names) < 2 or not all(names):
            self._typed(f"{override!r} is no setting", "write NAME.setting=value: CLIENTS.port=1700")
            return
        components = self.table.get("components")
        if not isinstance(components, dict) or not isinstance(components.get(names[0]), dict):
            near = did_you_mean(names[0], components if isinstance(components, dict) else ())
            self._typed(f"there is no component {names[0]!r}{near}", f"see {self.path}")
            return
        table = components
        for name in names[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                self._typed(f"{left!r} is no setting", f"see {self.path}")
                return
        try:
            table[names[-1]] = tomllib.loads(f"it = {right}")["it"]
        except tomllib.TOMLDecodeError:
            table[names[-1]] = right
        self._overridden.add(("components", *names))

    def _refuse_unknown(self, table: dict[str, Any], known_keys: Sequence[str], path: KeyPath) -> None:
        for key in table:
            if key not in known_keys:
                what = f"{key!r} means nothing here{did_you_mean(key, known_keys)}"
                self._fault((*path, key), what, f"there are: {', '.join(known_keys)}")

    # -- a graph: the file, or a table with `components`

    def _graph(self, table: dict[str, Any], path: KeyPath) -> GraphSpec:
        components: dict[str, ComponentSpec] = {}
        tables = table.get("components", {})
        here = (*path, "components")
        if not isinstance(tables, dict):
            self._fault(here, "components is a table", "write [components.NAME] above the settings of each")
            tables = {}
        elif not tables:
            self._fault(here, "there are no components", 'write [components.NAME], and below it type = "..."')
        for name, settings in tables.items():
            if not _NAME.fullmatch(name) or name in _RESERVED:
                remedy = "use letters, digits, _ and -" if name not in _RESERVED else f"not {', '.join(_RESERVED)}"
                self._fault((*here, name), f"a component cannot be named {name!r}", remedy)
            elif not isinstance(settings, dict):
                remedy = f'write [components.{name}] and type = "..." below'
                self._fault((*here, name), f"{name} is not a table", remedy)
            elif (spec := self._component(name, settings, (*here, name))) is not None:
                components[name] = spec
        links = [link for link in self._links(table.get("links", []), (*path, "links")) if self._fits(link, tables)]
        firsts = self._first_of_each_outbox(links)
        kept = tuple(link for link in firsts if {link.source, link.sink} <= {*components, "self"})
        return GraphSpec(components, kept, self.places.key(path).line if path else 1)

    # -- components

    def _component(self, name: str, table: dict[str, Any], path: KeyPath) -> ComponentSpec | None:
        faults_before = len(self.faults)
        kind = table.get("type")
        if not isinstance(kind, str):
            if "type" in table:
                self._fault((*path, "type"), "type is a text", 'as in type = "ConsoleEchoer"', at_value=True)
            else:
                what = ".".join(map(str, path[1:]))
                self._fault(path, f"{what} has no type", 'add type = "...", see `axonlike components`')
            return None
        try:
            made = find(kind, self._known())
            signature = settings_of(made)
        except Misfit as misfit:
            self._fault((*path, "type"), misfit.text, misfit.remedy, at_value=True)
            return None
        except (TypeError, ValueError) as exc:  # no signature
            self._fault((*path, "type"), f"{kind}: {exc}", "name a class that is a Component", at_value=True)
            return None
        on_error = ""
        values: dict[str, Any] = {}
        for key, value in table.items():
            setting = signature.by_name.get(key)
            if key == "type":
                continue
            if setting is None and key in _COMMON:
                if value in _ON_ERROR:
                    on_error = value
                else:
                    self._fault(
                        (*path, key), f"{show_plain(value)} is no policy", f"write one of {', '.join(_ON_ERROR)}",
                        at_value=True,
                    )  # fmt: skip
            elif setting is None and signature.is_open:
                values[key] = value
            elif setting is None:
                self._unknown_setting(kind, key, signature, path)
            else:
                values[key] = self._value(value, setting, name, (*path, key))
        for setting in signature.by_name.values():
            if setting.required and setting.name not in table:
                what = f": {setting.shown}" if setting.shown else ""
                self._fault(path, f"{kind} needs {setting.name!r}", f"add {setting.name} = ...{what}")
        if len(self.faults) > faults_before:
            return None
        place = self.places.key(path)
        return ComponentSpec(name, kind, made, values, place.line, place.column, signature, on_error)

    def _value(self, value: Any, setting: Setting, name: str, path: KeyPath) -> Any:
        if not setting.several:
            given = [(value, path)]
        elif isinstance(value, list):
            given = [(member, (*path, number)) for number, member in enumerate(value)]
        else:
            self._fault(path, f"{setting.name} is an array", f"write {setting.shown}", at_value=True)
            return None
        converted = []
        for member, place in given:
            try:
                converted.append(convert(member, setting.hint, refer, self._table_maker(name), place))
            except Misfit as misfit:
                self._fault(misfit.path, f"{setting.name}: {misfit.text}", misfit.remedy, at_value=True)
        return converted if setting.several else converted[0] if converted else None

    def _unknown_setting(self, kind: str, key: str, signature: Settings, path: KeyPath) -> None:
        if key == "links":
            self._fault(
                (*path, key), f"these links stand among the settings of {path[-1]}",
                "put links = [...] above the first line in [brackets]",
            )  # fmt: skip
            return
        settable = [name for name, setting in signature.by_name.items() if setting.shown]
        names = [*settable, *(name for name in _COMMON if name not in settable)]
        remedy = f"it has: {', '.join(names)}" if len(names) < 9 else f"`axonlike components {kind}` lists them"
        self._fault((*path, key), f"{kind} has no setting {key!r}{did_you_mean(key, names)}", remedy)

    def _table_maker(self, name: str) -> Callable[[dict[str, Any], Kind, KeyPath], Any]:
        def make(table: dict[str, Any], kind: Kind, path: KeyPath) -> Any:
            spec: ComponentSpec | GraphSpec | None
            if "type" not in table and "components" in table:
                self._refuse_unknown(table, ("components", "links"), path)
                spec = self._graph(table, path)
            else:
                spec = self._component(name, table, path)
            return None if spec is None else Made(spec, kind == "factory", name)

        return make

    def _known(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries, _hidden = known()
        return self._entries

    # -- links

    def _links(self, links: Any, path: KeyPath) -> Iterator[Link]:
        if isinstance(links, str):
            yield from self._links_in(links, self.places.value(path))
        elif isinstance(links, list):
            for number, statement in enumerate(links):
                if isinstance(statement, str):
                    yield from self._links_in(statement, self.places.value((*path, number)))
                else:
                    self._fault(
                        (*path, number), f"{show_plain(statement)} is no link", 'write "A -> B"', at_value=True
                    )
        else:
            self._fault(path, "links is an array of texts", 'as in links = ["A -> B", "B.error -> C"]')

    def _links_in(self, text: str, begins: Place) -> Iterator[Link]:
        line, column = begins.line, begins.column
        for statement in re.split(r"[;\n]", text):
            ends = [end.strip() for end in statement.split("->")]
            if not statement.strip():
                continue
            place = self._find(statement.strip(), line, column)
            found = [_END.fullmatch(end) for end in ends]
            if len(ends) < 2 or not all(found):
                text = f"cannot read the link {statement.strip()!r}"
                self._at(place.line, place.column, text, 'write "A -> B" or "A.box -> B.box"')
                line, column = place.line, place.column
                continue
            pairs = [(end["name"], end["box"] or "") for end in found if end is not None]
            at = place
            for index, ((source, outbox), (sink, inbox)) in enumerate(zip(pairs, pairs[1:])):
                at = self._find(ends[index], at.line, at.column)
                behind = self._find(ends[index + 1], at.line, at.column + len(ends[index]))
                # In a chain a middle end's box is the one it takes; what it sends on is its outbox.
                outbox = outbox if index == 0 else ""
                yield Link(
                    source, outbox or ("inbox" if source == "self" else "outbox"),
                    sink, inbox or ("outbox" if sink == "self" else "inbox"),
                    at.line, at.column, behind.column if behind.line == at.line else at.column,
                )  # fmt: skip
                at = behind
            line, column = at.line, at.column

    def _find(self, what: str, line: int, column: int) -> Place:
        """Where a piece of a text stands, from here on (an escape in it may hide it: then here)."""
        for number in range(line, min(line + 1000, len(self.lines) + 1)):
            at = self.lines[number - 1].find(what, column - 1 if number == line else 0)
            if at >= 0:
                return Place(number, at + 1)
        return Place(line, column)

    def _fits(self, link: Link, tables: Mapping[str, Any]) -> bool:
        """Are both ends components of this graph?"""
        unknown = [
            (name, column)
            for name, column in ((link.source, link.column), (link.sink, link.sink_column))
            if name not in tables and name != "self"
        ]
        for name, column in unknown:
            names = (*tables, "self")
            text = f"no component {name!r}{did_you_mean(name, names)}"
            self._at(link.line, column, text, f"there are: {', '.join(names)}")
        through = link.source == link.sink == "self"
        if through:
            self._at(link.line, link.column, "self cannot be linked to self", "put a component between")
        return not unknown and not through

    def _first_of_each_outbox(self, links: Iterable[Link]) -> Iterable[Link]:
        first: dict[tuple[str, str], Link] = {}
        for link in links:
            before = first.setdefault((link.source, link.outbox), link)
            if before is not link:
                self._at(
                    link.line, link.column,
                    f"{link.source}.{link.outbox} already feeds {before.sink}.{before.inbox} (line {before.line})",
                    "an outbox has one link: put a Splitter between, or publish to a Backplane",
                )  # fmt: skip
        return first.values()
