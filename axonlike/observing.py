"""The socket through which a running system can be looked into, by its own user and nobody else.

It lives in the scheduler's event loop, by `add_reader` and `add_writer` on sockets of its own: no task, no part, so it
keeps no run alive and shows up in no snapshot. `axonlike.observe` has the protocol and the other end. Rules:

1. Only this user: the directory lets nobody else in, and who connects all the same is asked for by SO_PEERCRED.
2. Nothing that can be asked changes the system.
3. A watcher costs itself only. What is kept for one is bounded; of a tap, what does not fit is dropped and counted; one
   that does not read at all for `_PATIENCE_S` is cut off when its place or its buffer is needed.
4. An error in here is logged and ends the watcher, never the run.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from axonlike.component import Component
from axonlike.errors import AxonlikeError, did_you_mean
from axonlike.introspection import take
from axonlike.linkage import no_such_box
from axonlike.observe import (
    MOST_PARTS,
    PARTS,
    PROTOCOL,
    directories,
    make_directory,
    peer_uid,
    sockets_in,
    to_document,
)
from axonlike.scheduler import Scheduler
from axonlike.watching import Stopwatch, Tap, shown

__all__ = ["Observation", "observe"]

log = logging.getLogger("axonlike.observe")

_WATCHERS = 16
_REQUEST_BYTES = 4096
_TAPPED_BYTES = 256 * 1024  # of messages are kept for one watcher
_TAPS = 16  # of one watcher
_PATIENCE_S = 10.0
_NAMED = 20  # in a list of what there is
_UNFINISHED = re.compile(r"\.(\d+)-[0-9a-f]{8}\.new")


def observe(scheduler: Scheduler) -> None:
    """Let a scheduler that begins its run be observed. What stands in the way of that is logged: the run goes on."""
    try:
        Observation(scheduler)
    except (OSError, AttributeError, NotImplementedError) as exc:
        log.warning("nobody can look into this run (observe=True): %s", exc)


class Observation:
    """The listening socket of one scheduler, and those who look. It ends with the run.

    cut_off: watchers that were dropped as they did not read. refused: those of other users, and those too many.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        assert scheduler.loop is not None
        self.scheduler = scheduler
        self.loop = scheduler.loop
        self.name = scheduler.observe if isinstance(scheduler.observe, str) else _name_of_script()
        self.cut_off = 0
        self.refused = 0
        self.watchers: dict[_Watcher, None] = {}
        self._began_s = time.monotonic()
        self._pid = os.getpid()
        self._stopwatch: Stopwatch | None = None
        self._listener, self.path = _listen()
        self._retry: Any = None
        try:
            self.loop.add_reader(self._listener, self._guarded(self._accept))
        except BaseException:
            self._remove()
            raise
        scheduler.when_ended(self.close)
        log.info("%s can be observed at %s", self.name, self.path)

    def close(self) -> None:
        """The run is over: tell those who look, and leave nothing behind."""
        for watcher in tuple(self.watchers):
            try:
                watcher.say({"ended": "has ended", "dropped": watcher.dropped})
                watcher.flush()
            except Exception as exc:
                log.warning("while a watcher was told of the end: %r", exc)
            self.let_go(watcher)
        if self._retry is not None:
            self._retry.cancel()
        self.loop.remove_reader(self._listener)
        self._remove()

    def _remove(self) -> None:
        self._listener.close()
        if os.getpid() == self._pid:  # a process that was forked off has the listener too, but not the file
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _guarded(self, action: Callable[[], None], watcher: _Watcher | None = None) -> Callable[[], None]:
        """A callback of the event loop whose failure is nobody's but ours."""

        def guarded() -> None:
            try:
                action()
            except Exception:
                log.exception("an error in the observation of this run; the run goes on")
                if watcher is not None:
                    self.let_go(watcher)

        return guarded

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:
                if exc.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                # It stays readable, so the loop would call us again and again.
                log.warning("cannot let a watcher in: %s; trying again in a second", exc)
                self.loop.remove_reader(self._listener)
                again = self._guarded(lambda: self.loop.add_reader(self._listener, self._guarded(self._accept)))
                self._retry = self.loop.call_later(1.0, again)
                return
            connection.setblocking(False)
            owner = peer_uid(connection)
            if owner not in (None, os.getuid()):
                self.refused += 1
                log.warning("refused a watcher of another user (uid %s)", owner)
                _refuse(connection, f"this system is another user's (uid {os.getuid()})")
                continue
            if len(self.watchers) >= _WATCHERS:
                self._make_place()
            if len(self.watchers) >= _WATCHERS:
                self.refused += 1
                _refuse(connection, f"{_WATCHERS} watchers look into this system already, and no more may")
                continue
            watcher = _Watcher(self, connection)
            self.watchers[watcher] = None
            self.loop.add_reader(connection, self._guarded(watcher.receive, watcher))
            version = getattr(sys.modules.get("axonlike"), "__version__", "")
            watcher.say({"axonlike": PROTOCOL, "version": version, "name": self.name, "pid": self._pid})

    def _make_place(self) -> None:
        for watcher in tuple(self.watchers):
            if watcher.stalled:
                self.cut(watcher)

    def cut(self, watcher: _Watcher) -> None:
        """It does not read."""
        self.cut_off += 1
        log.warning("cut a watcher off that has not read for %g s", _PATIENCE_S)
        self.let_go(watcher)

    def let_go(self, watcher: _Watcher) -> None:
        """A watcher has left, or has to."""
        if self.watchers.pop(watcher, watcher) is not None:
            return
        watcher.close()
        if self._stopwatch is not None and not any(other.measures for other in self.watchers):
            self._stopwatch.stop()
            self._stopwatch = None

    # -- what can be asked

    def answer(self, watcher: _Watcher, request: Any) -> dict[str, Any]:
        """What a request is answered with."""
        what = request.get("do") if isinstance(request, dict) else None
        if what == "snapshot":
            return self._snapshot(watcher, request)
        if what == "tap":
            return self._tap(watcher, request)
        if what == "check":
            return self._check(watcher)
        return {"error": f"there is no request {what!r} (there are: snapshot, tap, check)"}

    def _snapshot(self, watcher: _Watcher, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("parts", PARTS)
        if not isinstance(wanted, int) or not 0 <= wanted <= MOST_PARTS:
            return {"error": f"parts is a number from 0 to {MOST_PARTS}, not {wanted!r}"}
        if request.get("measure"):
            watcher.measures = True
            if self._stopwatch is None:
                self._stopwatch = Stopwatch(self.scheduler)
        watch = self._stopwatch
        efforts = {} if watch is None else watch.efforts()
        return {
            "snapshot": to_document(take(self.scheduler, wanted, efforts)),
            "uptime_s": time.monotonic() - self._began_s,
            "busy_s": None if watch is None else watch.busy_s,
            "watchers": len(self.watchers),
            "cut_off": self.cut_off,
        }

    def _tap(self, watcher: _Watcher, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("outbox")
        if not isinstance(wanted, str) or not wanted:
            return {"error": f"outbox is a name such as 'lines.outbox', not {wanted!r}"}
        if len(watcher.taps) >= _TAPS:
            return {"error": f"one watcher may have {_TAPS} taps"}
        try:
            component, box = _find_outbox(self.scheduler, wanted)
        except LookupError as exc:
            return {"error": str(exc.args[0])}
        except AxonlikeError as exc:
            return {"error": str(exc)}
        watcher.taps.append(Tap(component, box, watcher.tell))
        return {"tap": f"{component.path}.{box}"}

    def _check(self, watcher: _Watcher) -> dict[str, Any]:
        for at, tap in enumerate(watcher.taps):
            if not tap.over:
                tap.look_again()
                continue
            path = tap.component.path  # as it was: a successor in its place has the same
            tap.close()
            for part in self.scheduler.parts:
                if isinstance(part, Component) and part.path == path and tap.box in part.outbox_names:
                    watcher.taps[at] = Tap(part, tap.box, watcher.tell)
                    break
        watcher.taps = [tap for tap in watcher.taps if not tap.over]
        return {"check": "on" if watcher.taps else "ended", "dropped": watcher.dropped}


class _Watcher:
    """One connection."""

    def __init__(self, observation: Observation, connection: socket.socket) -> None:
        self.observation = observation
        self.connection = connection
        self.measures = False
        self.taps: list[Tap] = []
        self.dropped = 0
        self._number = 0
        self._received = bytearray()
        self._to_send = bytearray()
        self._progress_s = time.monotonic()
        self._flush_comes = False
        self._writing = False
        self._reading = True
        self._closed = False

    @property
    def stalled(self) -> bool:
        """Has it not read for long, though there is something for it?"""
        return bool(self._to_send) and time.monotonic() - self._progress_s > _PATIENCE_S

    def receive(self) -> None:
        """Requests have come, or the end."""
        try:
            data = self.connection.recv(_REQUEST_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.observation.let_go(self)
            return
        self._received += data
        self._answer_all()

    def _answer_all(self) -> None:
        # While an answer waits for the watcher to read there is no other: at most one large one is ever kept.
        while not self._closed and len(self._to_send) <= _TAPPED_BYTES:
            line, newline, rest = self._received.partition(b"\n")
            if not newline:
                if len(line) > _REQUEST_BYTES:
                    self.say({"error": f"a request has at most {_REQUEST_BYTES} bytes"})
                    self.flush()
                    self.observation.let_go(self)
                    return
                break
            self._received = rest
            try:
                request = json.loads(line)
            except (ValueError, RecursionError) as exc:
                self.say({"error": f"a request is a line of JSON: {exc}"})
            else:
                self.say(self.observation.answer(self, request))
        self._read_on(len(self._to_send) <= _TAPPED_BYTES)

    def _read_on(self, wanted: bool) -> None:
        if wanted != self._reading and not self._closed:
            self._reading = wanted
            loop = self.observation.loop
            if wanted:
                loop.add_reader(self.connection, self.observation._guarded(self.receive, self))
            else:
                loop.remove_reader(self.connection)

    def tell(self, message: Any, sender: str) -> None:
        """A message was sent on a tapped outbox. It must not fail: this is called in the sender's step."""
        self._number += 1
        if self._closed or len(self._to_send) > _TAPPED_BYTES:
            self.dropped += 1
            if self.stalled:
                # Not here: the sender is in the middle of its step.
                self.observation.loop.call_soon(self.observation._guarded(self._cut_if_stalled, self))
            return
        try:
            self.say({"sent": shown(message), "by": sender, "at": time.time(), "n": self._number})
        except Exception as exc:
            self.dropped += 1
            log.warning("a tapped message of %s cannot be shown: %r", sender, exc)

    def _cut_if_stalled(self) -> None:
        if self.stalled and not self._closed:
            self.observation.cut(self)

    def say(self, what: dict[str, Any]) -> None:
        """Have a line sent, together with all others of this turn of the event loop."""
        if self._closed:
            return
        if not self._to_send:
            self._progress_s = time.monotonic()
        self._to_send += json.dumps(what, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        if not self._flush_comes and not self._writing:
            self._flush_comes = True
            self.observation.loop.call_soon(self.observation._guarded(self._flush_now, self))

    def _flush_now(self) -> None:
        self._flush_comes = False
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes now; the rest when it takes more."""
        if self._closed:
            return
        try:
            while self._to_send:
                sent = self.connection.send(self._to_send)
                del self._to_send[:sent]
                self._progress_s = time.monotonic()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:  # it has left
            self.observation.let_go(self)
            return
        wants_to_write = bool(self._to_send)
        if wants_to_write != self._writing:
            self._writing = wants_to_write
            loop = self.observation.loop
            if wants_to_write:
                loop.add_writer(self.connection, self.observation._guarded(self._on_writable, self))
            else:
                loop.remove_writer(self.connection)

    def _on_writable(self) -> None:
        self.flush()
        if not self._reading:
            self._answer_all()

    def close(self) -> None:
        """Called once, by the observation."""
        self._closed = True
        for tap in self.taps:
            tap.close()
        self.taps = []
        loop = self.observation.loop
        loop.remove_reader(self.connection)
        loop.remove_writer(self.connection)
        self.connection.close()


# -- the socket


def _listen() -> tuple[socket.socket, Path]:
    """A socket that listens at ``<pid>.sock`` in the first directory that can be used. Raises OSError."""
    complaint: OSError | None = None
    for directory in directories():
        try:
            make_directory(directory)
            _clean(directory)
            return _listen_in(directory)
        except OSError as exc:
            complaint = exc
    assert complaint is not None
    raise complaint


def _listen_in(directory: Path) -> tuple[socket.socket, Path]:
    listener = socket.socket(socket.AF_UNIX)
    made = directory / f".{os.getpid()}-{secrets.token_hex(4)}.new"
    try:
        # Under its own name only once it listens, so that whoever cleans up never meets one that does not yet.
        listener.bind(os.fspath(made))
        try:
            made.chmod(0o600)
            listener.listen(_WATCHERS)
            listener.setblocking(False)
            number = 1
            while True:
                suffix = "" if number == 1 else f"-{number}"
                path = directory / f"{os.getpid()}{suffix}.sock"
                try:
                    os.link(made, path)
                except FileExistsError:  # another run in this process
                    number += 1
                else:
                    return listener, path
        finally:
            made.unlink()
    except BaseException:
        listener.close()
        raise


def _clean(directory: Path) -> None:
    """Remove the sockets of processes that are dead."""
    for _pid, path in sockets_in(directory):
        probe = socket.socket(socket.AF_UNIX)
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        except OSError:  # its queue is full, so it lives; or it has gone meanwhile
            pass
        finally:
            probe.close()
    for name in os.listdir(directory):
        left = _UNFINISHED.fullmatch(name)
        if left:
            try:
                os.kill(int(left[1]), 0)
            except ProcessLookupError:
                (directory / name).unlink(missing_ok=True)
            except PermissionError:  # that pid is somebody else's by now
                pass


def _refuse(connection: socket.socket, why: str) -> None:
    with contextlib.suppress(OSError):
        connection.send(json.dumps({"error": why}).encode() + b"\n")
    connection.close()


def _name_of_script() -> str:
    """What a person calls this program: the script's name."""
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c", "-m") else None
    if script is None:
        return "python"
    return script.parent.name if script.name == "__main__.py" else script.name


# -- names


def _find_outbox(scheduler: Scheduler, wanted: str) -> tuple[Component, str]:
    """The component and outbox of a name: "path.box" or "path", of which the last names will do if one fits only.

    Raises LookupError and NoSuchBox, with what there is.
    """
    components = [part for part in scheduler.parts if isinstance(part, Component)]
    fitting, box = _fitting(components, wanted), "outbox"  # names may have dots: SubscribeTo(a.b)
    if not fitting:
        name, dot, box = wanted.rpartition(".")
        if dot:
            fitting = _fitting(components, name)
        else:
            name = wanted
        if not fitting:
            known = dict.fromkeys(name for part in components for name in (part.path.rpartition("/")[2], part.path))
            there_are = [part.path for part in components if not part.children]
            raise LookupError(f"no component {name!r}{did_you_mean(name, known)} (there are: {_some(there_are)})")
    if len(fitting) > 1:
        raise LookupError(f"several components fit {wanted!r}, say which: {_some(part.path for part in fitting)}")
    component = fitting[0]
    if box not in component.outbox_names:
        raise no_such_box(component, "outbox", box, component.outbox_names)
    return component, box


def _fitting(components: Iterable[Component], name: str) -> list[Component]:
    exact, by_end = [], []
    for component in components:
        path = component.path
        if path == name:
            exact.append(component)
        elif path.endswith(f"/{name}"):
            by_end.append(component)
    return exact or by_end


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
