"""Looking into a running system from another process: where its socket is, what is said over it, and the looker's end.

    with connect("notify") as system:            # by name, by pid, or None for the only one there is
        print(describe(system.snapshot()))

A system that runs with ``observe=True`` (or AXONLIKE_OBSERVE=1, or `axonlike run --observe`) listens on a unix socket
in a directory that only its user can enter. Requests and answers are lines of JSON. Nothing that can be asked changes
the system. `axonlike.observing` is the other end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axonlike.box import BoxStatistics
from axonlike.errors import Site, did_you_mean
from axonlike.introspection import Effort, GraphSnapshot, LinkSnapshot, NoSnapshot, PartSnapshot

__all__ = [
    "MOST_PARTS",
    "PARTS",
    "PROTOCOL",
    "Look",
    "NoSystem",
    "Observed",
    "SystemEnded",
    "Tapped",
    "connect",
    "directories",
    "from_document",
    "make_directory",
    "peer_uid",
    "running",
    "sockets_in",
    "to_document",
]

PROTOCOL = 1
PARTS = 1000  # in one snapshot, unless more are asked for: each costs the system some 20 us
MOST_PARTS = 10_000
SILENCE_S = 0.5  # a tap that is silent asks whether there is still something to come
_ADDRESS_BYTES = 100  # sun_path holds 108 on Linux, 104 elsewhere
_NAME = re.compile(r"(\d+)(?:-(\d+))?\.sock")


class NoSystem(NoSnapshot):
    """No running system could be looked into: there is none, there are several, or it is not ours."""


class SystemEnded(NoSnapshot):
    """The system that was looked into has ended, or has cut us off. The text says which."""


# -- the place


def directories() -> tuple[Path, ...]:
    """Where sockets may be, the preferred place first: what AXONLIKE_RUNTIME_DIR says, and then nowhere else."""
    said = os.environ.get("AXONLIKE_RUNTIME_DIR")
    if said:
        return (Path(said),)
    uid = os.getuid()
    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and len(os.fsencode(runtime)) < _ADDRESS_BYTES - len("/axonlike/.4194304-9-ffffffff.new"):
        with contextlib.suppress(OSError):
            if os.stat(runtime).st_uid == uid:
                found.append(Path(runtime, "axonlike"))
    found.append(Path(f"/tmp/axonlike-{uid}"))
    return tuple(found)


def make_directory(path: Path) -> None:
    """Make the directory for this user alone, or look whether it is so. Raises PermissionError where it is not."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    _check_directory(path)


def _check_directory(path: Path) -> None:
    found = os.lstat(path)  # a symbolic link is refused, wherever it leads
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{path} is not a directory; remove it")
    if found.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user (uid {found.st_uid}); have it removed")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):o}); chmod 700 {path}")


def sockets_in(directory: Path) -> list[tuple[int, Path]]:
    """The sockets in a directory of ours, with the pids in their names. Raises PermissionError where it is not safe."""
    try:
        _check_directory(directory)
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                if stat.S_ISSOCK(os.lstat(directory / name).st_mode):
                    found.append((int(match[1]), int(match[2] or 1), directory / name))
    return [(pid, path) for pid, _number, path in sorted(found)]


def peer_uid(connection: socket.socket) -> int | None:
    """Whose process is at the other end; None where the machine does not say (there the directory's mode protects)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


# -- snapshots as JSON


def to_document(graph: GraphSnapshot) -> dict[str, Any]:
    """A snapshot as plain data for JSON; `from_document` is its inverse."""
    return {
        "time_s": graph.time_s,
        "state": graph.state,
        "held_by": list(graph.held_by),
        "ready": graph.ready,
        "left_out": graph.left_out,
        "parts": [
            {
                "path": part.path,
                "type": part.type,
                "made_at": [part.made_at.filename, part.made_at.line] if part.made_at is not None else None,
                "state": part.state,
                "why": part.why,
                "parent": part.parent,
                "children": list(part.children),
                "service": part.service,
                "boxes": [{name: getattr(box, name) for name in _BOX} for box in part.boxes],
                "unlinked": dict(part.unlinked),
                "to_ended": dict(part.to_ended),
                "effort": [part.effort.busy_s, part.effort.slowest_step_s] if part.effort is not None else None,
                "detail": part.detail,
                "topic": part.topic,
                "role": part.role,
                "closed": part.closed,
                "counts": dict(part.counts),
            }
            for part in graph.parts
        ],
        "links": [[link.source, link.source_box, link.sink, link.sink_box, link.kind] for link in graph.links],
    }


_BOX = tuple(field.name for field in dataclasses.fields(BoxStatistics))


def from_document(document: Mapping[str, Any]) -> GraphSnapshot:
    """The inverse of `to_document`. Raises KeyError and TypeError for anything else."""
    return GraphSnapshot(
        time_s=document["time_s"],
        state=document["state"],
        parts=tuple(
            PartSnapshot(
                path=part["path"],
                type=part["type"],
                made_at=Site(*part["made_at"]) if part["made_at"] is not None else None,
                state=part["state"],
                why=part["why"],
                parent=part["parent"],
                children=tuple(part["children"]),
                service=part["service"],
                boxes=tuple(BoxStatistics(**box) for box in part["boxes"]),
                unlinked=part["unlinked"],
                to_ended=part["to_ended"],
                effort=Effort(*part["effort"]) if part["effort"] is not None else None,
                detail=part["detail"],
                topic=part["topic"],
                role=part["role"],
                closed=part["closed"],
                counts=part["counts"],
            )
            for part in document["parts"]
        ),
        links=tuple(LinkSnapshot(*link) for link in document["links"]),
        held_by=tuple(document["held_by"]),
        ready=document["ready"],
        left_out=document["left_out"],
    )


# -- the looker's end


@dataclass(frozen=True, slots=True)
class Look:
    """A snapshot, and what goes with it.

    uptime_s: since the run began. busy_s: how long the scheduler has run steps, counted since somebody measures (None
    if nobody does). watchers: who looks now. cut_off: how many were dropped because they did not read.
    """

    graph: GraphSnapshot
    uptime_s: float
    busy_s: float | None
    watchers: int
    cut_off: int


@dataclass(frozen=True, slots=True)
class Tapped:
    """One message that was sent. text: its repr, cut at 200 characters. number: counts from 1, what was missed too."""

    text: str
    sender: str
    time_s: float
    number: int


class Observed:
    """A running system, seen from another process. Use it as a context manager, or `close` it."""

    def __init__(self, connection: socket.socket, timeout_s: float = 5.0) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._received = bytearray()
        connection.settimeout(timeout_s)
        try:
            owner = peer_uid(connection)
            if owner not in (None, os.getuid()):
                raise NoSystem(f"the socket is another user's (uid {owner})")
            hello = self._answer()
            if hello.get("axonlike") != PROTOCOL:
                raise NoSystem(
                    f"it speaks version {hello.get('axonlike')} of the protocol and we {PROTOCOL}: "
                    "use the axonlike command of the installation that it runs with"
                )
        except BaseException:
            connection.close()
            raise
        self.name: str = hello["name"]
        self.pid: int = hello["pid"]
        self.version: str = hello["version"]
        self.dropped = 0
        """How many messages of a tap were not kept for us, as we read too slowly."""
        self.tapped = ""
        """The whole name of the outbox that was tapped last."""

    def __repr__(self) -> str:
        return f"<Observed {self.name!r}, pid {self.pid}>"

    def __enter__(self) -> Observed:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; the system notices and stops measuring."""
        self._connection.close()

    def snapshot(self) -> GraphSnapshot:
        """Its parts as they are now. Raises SystemEnded, and NoSnapshot if it does not answer."""
        return self.look().graph

    def look(self, *, measure: bool = False, parts: int = PARTS) -> Look:
        """A snapshot and what goes with it.

        measure: have the system time its components' steps from now on until `close`. parts: at most so many of them.
        """
        self._ask({"do": "snapshot", "measure": measure, "parts": parts})
        answer = self._answer()
        graph = from_document(answer["snapshot"])
        return Look(graph, answer["uptime_s"], answer["busy_s"], answer["watchers"], answer["cut_off"])

    def tap(self, outbox: str) -> Iterator[Tapped | None]:
        """Each message that is sent on an outbox ("lines.outbox"; without a box: its outbox) from now on.

        Yields None in every half second of silence; ends when the component has ended. `dropped` counts what was not
        kept for us. Raises NoSystem, with what there is, for an unknown name, and SystemEnded.
        """
        self._ask({"do": "tap", "outbox": outbox})
        self.tapped = self._answer()["tap"]
        return self._tapped()

    def _tapped(self) -> Iterator[Tapped | None]:
        asked_s: float | None = None
        while True:
            line = self._line(SILENCE_S)
            if line is None:
                now_s = time.monotonic()
                if asked_s is None:
                    asked_s = now_s
                    self._ask({"do": "check"})
                elif now_s - asked_s > self._timeout_s:
                    raise self._silent()
                yield None
                continue
            said = self._read(line)
            self.dropped = said.get("dropped", self.dropped)
            if "sent" in said:
                yield Tapped(said["sent"], said["by"], said["at"], said["n"])
            elif "check" in said:
                asked_s = None
                if said["check"] == "ended":
                    return

    def _ask(self, request: Mapping[str, Any]) -> None:
        try:
            self._connection.settimeout(self._timeout_s)
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        except TimeoutError:
            raise self._silent() from None
        except OSError as exc:
            # It may have said why before it left.
            with contextlib.suppress(NoSystem, NoSnapshot):
                while (line := self._line(0.01)) is not None:
                    self._read(line)
            raise SystemEnded(f"{self._who()} has ended ({exc})") from None

    def _answer(self) -> dict[str, Any]:
        line = self._line(self._timeout_s)
        if line is None:
            raise self._silent()
        return self._read(line)

    def _read(self, line: bytes) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise NoSystem(said["error"])
        if "ended" in said:
            self.dropped = said.get("dropped", self.dropped)
            raise SystemEnded(f"{self._who()} {said['ended']}")
        return said

    def _line(self, timeout_s: float) -> bytes | None:
        """The next line; None if there is none within the time."""
        looked = 0
        while (end := self._received.find(b"\n", looked)) < 0:
            looked = len(self._received)
            try:
                self._connection.settimeout(timeout_s)
                data = self._connection.recv(1 << 18)
            except TimeoutError:
                return None
            except ConnectionError:
                data = b""
            if not data:
                raise SystemEnded(f"{self._who()} has ended")
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _silent(self) -> NoSnapshot:
        return NoSnapshot(
            f"{self._who()} has not answered within {self._timeout_s:g} s: one step holds its scheduler "
            "(its log names the component)"
        )

    def _who(self) -> str:
        name = getattr(self, "name", "")
        return f"{name} (pid {self.pid})" if name else "the system"


def running(timeout_s: float = 1.0) -> list[Observed]:
    """The running systems of this user that can be looked into. The caller closes them.

    Sockets that nobody listens on any more are passed over, and so is a system that does not answer in time.
    """
    found = []
    for directory in directories():
        for _pid, path in sockets_in(directory):
            with contextlib.suppress(NoSnapshot, OSError):
                found.append(Observed(_connect(path, timeout_s), timeout_s))
    return found


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(os.fspath(path))
    except BaseException:
        connection.close()
        raise
    return connection


def connect(which: int | str | None = None, timeout_s: float = 5.0) -> Observed:
    """The running system of that pid or name (a script's name, with or without its ".py"); None: the only one.

    Raises NoSystem, with those that there are, when that is none or several.
    """
    found: list[Observed] = []
    try:
        for pid, path in (entry for directory in directories() for entry in sockets_in(directory)):
            if str(pid) == str(which):
                with contextlib.suppress(OSError):
                    return Observed(_connect(path, timeout_s), timeout_s)
        found = running()
        fitting = [one for one in found if which is None or _fits(one, str(which))]
        if len(fitting) == 1:
            found.remove(fitting[0])
            fitting[0]._timeout_s = timeout_s
            return fitting[0]
        raise NoSystem(_which(found, fitting, which))
    except PermissionError as exc:
        raise NoSystem(str(exc)) from None
    finally:
        for other in found:
            other.close()


def _fits(system: Observed, which: str) -> bool:
    return which in (str(system.pid), system.name, system.name.removesuffix(".py"))


def _which(found: list[Observed], fitting: list[Observed], which: object) -> str:
    there_are = ", ".join(f"{one.name} (pid {one.pid})" for one in fitting or found)
    if not found:
        nothing = "no system that can be looked into runs here" if which is None else f"no system {which!r} runs here"
        return f"{nothing}: start one with `axonlike run FILE`, or with run(..., observe=True)"
    if fitting:
        by = "pid" if len({one.pid for one in fitting}) == len(fitting) else "name"
        return f"several systems {'run' if which is None else 'have that name'}, say which by its {by}: {there_are}"
    near = did_you_mean(str(which), [one.name for one in found])
    return f"no system {which!r} can be looked into{near} (there are: {there_are})"
