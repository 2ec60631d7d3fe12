"""Every error of axonlike: what happened, where, what was seen, what to do.

    AxonlikeError
    ├── WiringError            links, names and boxes that do not fit: raised while the graph is put together
    │   ├── NoSuchBox
    │   └── NameNotProvided    a Backplane (or other name) that nobody provides
    ├── UsageError             the toolkit was called in a way that cannot work
    │   ├── BadYield           a body yielded something that means nothing
    │   └── BoxEmpty           recv() on an empty box
    ├── BoxFull                policy "error": the message was refused
    │   └── BoxOverrun         a step that sends and sends and never yields
    ├── Deadlock               all that could go on wait for each other
    ├── MissingExtra           an optional package is not installed
    ├── DeviceError            the device's or the peer's fault
    └── ComponentError         a component failed; what `run()` raises

`Finished` and `Stopped` are not errors: they end a body in order, so they are BaseExceptions that an
``except Exception`` does not catch by mistake.
"""

from __future__ import annotations

import difflib
import functools
import linecache
import os
import re
import reprlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = [
    "AxonlikeError",
    "BadYield",
    "BoxEmpty",
    "BoxFull",
    "BoxOverrun",
    "ComponentError",
    "Deadlock",
    "DeviceError",
    "Finished",
    "MissingExtra",
    "NameNotProvided",
    "NoSuchBox",
    "Site",
    "Stopped",
    "UsageError",
    "WiringError",
    "did_you_mean",
    "how_to_install",
    "show_value",
]


_HELP = "help: axonlike explain "


class Finished(BaseException):
    """End of input: raised in a body at a wait, pause or blocking recv whose boxes are empty for good.

    Uncaught it is the normal end of the component. ``except Finished:`` may still send, wait and sleep.
    """


class Stopped(BaseException):
    """The component was told to stop now: raised in a thread's recv, send, wait, pause and sleep."""


class AxonlikeError(Exception):
    """Base of all errors of the toolkit. `code` is what ``axonlike explain`` takes; a traceback says so in a note."""

    code = "AX100"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.add_note(f"{_HELP}{self.code}")


class WiringError(AxonlikeError):
    """A graph that cannot be put together."""

    code = "AX201"


class NoSuchBox(WiringError):
    """A box name that the component does not have."""

    code = "AX202"


class NameNotProvided(WiringError):
    """A name that nothing in this scheduler provides.

    Attributes: wanted (that name), wanted_by (the path of what needs it), complaint (the text without that path).
    """

    code = "AX203"

    def __init__(self, complaint: str, *, wanted: str = "", wanted_by: str = "") -> None:
        self.complaint, self.wanted, self.wanted_by = complaint, wanted, wanted_by
        super().__init__(f"{wanted_by}: {complaint}" if wanted_by else complaint)

    def __reduce__(self) -> tuple[object, ...]:
        return (_not_provided, (self.complaint, self.wanted, self.wanted_by))


def _not_provided(complaint: str, wanted: str, wanted_by: str) -> NameNotProvided:
    return NameNotProvided(complaint, wanted=wanted, wanted_by=wanted_by)


class UsageError(AxonlikeError):
    """A call that cannot work in this place."""

    code = "AX301"


class BadYield(UsageError):
    """A body yielded or awaited something that means nothing to the scheduler."""

    code = "AX302"


class BoxEmpty(UsageError):
    """recv() on an empty box."""

    code = "AX303"


class BoxFull(AxonlikeError):
    """A message was refused because its inbox is full and its policy is "error"."""

    code = "AX401"


class BoxOverrun(BoxFull):
    """One step sent thousands of messages past a box's limit without yielding."""

    code = "AX402"


class Deadlock(AxonlikeError):
    """Components that wait for each other, so that none of them can ever run again."""

    code = "AX403"


class MissingExtra(AxonlikeError):
    """A component needs a package that is not installed."""

    code = "AX501"

    def __init__(self, component: str, package: str, extra: str, *, apt: str = "") -> None:
        self.component, self.package, self.extra, self.apt = component, package, extra, apt
        also = f"; on Debian first: sudo apt install {apt}" if apt else ""
        super().__init__(f"{component} needs {package}: {how_to_install(f'axonlike[{extra}]')}{also}")


def how_to_install(what: str) -> str:
    """The line that installs a package for this interpreter: ``pip install "axonlike[ui]"`` where `pip` is its own.

    Where it is another's or none (a virtual environment that is not activated), the interpreter is named, as a path
    from the current folder if it lies below it.
    """
    import shlex
    import shutil

    ours = os.path.dirname(os.path.abspath(sys.executable or "python"))
    pip = shutil.which("pip")
    if pip is not None and os.path.realpath(os.path.dirname(os.path.abspath(pip))) == os.path.realpath(ours):
        return f'pip install "{what}"'
    python = sys.executable
    try:
        below = os.path.relpath(python)
    except (OSError, ValueError):
        below = python
    if not below.startswith(os.pardir) and len(below) < len(python):
        python = below if os.sep in below else os.path.join(os.curdir, below)
    return f'{shlex.quote(python)} -m pip install "{what}"'


class DeviceError(AxonlikeError):
    """A device or a peer failed or is not there."""

    code = "AX601"


@dataclass(frozen=True, slots=True)
class Site:
    """A place in somebody's script."""

    filename: str
    line: int

    def __str__(self) -> str:
        return f"{short_path(self.filename)}:{self.line}"

    @property
    def source(self) -> str:
        """The line as it is written there, or an empty string."""
        return linecache.getline(self.filename, self.line).strip()


def short_path(filename: str) -> str:
    """The last part of a path: what a person calls the file."""
    return filename.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]


_VALUE_SHOWN = 200
_CAUSE_SHOWN = 1000
_LEAVES_SHOWN = 3
_LINE_ENDS = re.compile(r"\s*[\r\n]\s*")
_SECRET = re.compile(
    r"""(?ix)
        (?<! [\w-] )  # from a word's beginning only: otherwise a long word takes time by its square
        (["']? [\w-]* (?: token | passwor[dt] | passwd | secret | api[_-]?key | authorization ) [\w-]*
            ["']? \s* [=:] \s*)
        (?: (?: bearer | basic ) \s+ )? (["']?) [^\s"',;&})\]]+""",
)


def show_value(value: object) -> str:
    """A message as an error shows it: at most 200 characters, with what looks like a secret hidden."""
    shorten = reprlib.Repr()
    shorten.maxlevel = 4
    shorten.maxstring = shorten.maxother = shorten.maxlong = 4 * _VALUE_SHOWN
    shorten.maxlist = shorten.maxtuple = shorten.maxdict = shorten.maxset = shorten.maxdeque = 20
    try:
        text = shorten.repr(value)
    except Exception as exc:  # a repr that fails must not hide the error that is being reported
        text = f"<{type(value).__name__} whose repr() raises {type(exc).__name__}>"
    text = hide_secrets(_LINE_ENDS.sub(" ", text))
    if len(text) > _VALUE_SHOWN:
        text = f"{text[: _VALUE_SHOWN - 1]}…"
    return f"{text} ({type(value).__name__})"


def counted(number: int, what: str) -> str:
    """``1 gap``, ``2 gaps``: a number and what it counts, a word that forms its plural with s."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def hide_secrets(text: str) -> str:
    """Replace the values of token=..., password: ... and the like by asterisks."""
    return _SECRET.sub(r"\1\2***", text)


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or an empty string. cutoff: how like it must be, 0 to 1."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


class ComponentError(AxonlikeError):
    """A component failed. ``str()`` is the short text that a person needs; `cause` is the exception itself.

    Attributes: path ("Pipeline/divide"), made_at (a Site), box, source (the outbox that feeds that box), number (the
    ordinal, from 1, of the last message taken from the box; 0 if none), value (that message), policy, handled (the
    policy dealt with it, and the component goes on), failed_at (a Site), called (the function that failed, where no
    line of the user's can be named: "float").

    `__cause__` is the exception too, so that a traceback shows where it came from; unless no line of the user's is
    in there and the six lines say it all (a port in use): then it is None, and a traceback shows the six lines only.
    """

    code = "AX103"

    def __init__(
        self,
        path: str,
        cause: BaseException,
        *,
        made_at: Site | None = None,
        box: str = "",
        source: str = "",
        number: int = 0,
        value: object = None,
        policy: str = "stop",
        handled: bool = False,
        failed_at: Site | None = None,
    ) -> None:
        self.path = path
        self.made_at = made_at
        self.box = box
        self.source = source
        self.number = number
        self.value = value
        self.policy = policy
        self.handled = handled
        frames = _frames_of(cause)
        self.failed_at = failed_at or _site_in(frames)
        self.called = "" if any(_is_users(frame) for frame, _ in frames) else _called_in(frames)
        self._cause = cause
        # Set to None, it also suppresses the context, whatever is handled where this is raised.
        self.__cause__ = cause if _shows_more(cause, self.called) else None
        super().__init__(path, cause)
        _drop_help(self)  # the sixth line is that
        _drop_help(cause)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self.path, self.cause, self.made_at, self.box, self.source, self.number, self.policy))

    @property
    def cause(self) -> BaseException:
        """The exception that ended the component."""
        return self._cause

    def __str__(self) -> str:
        name = self.path.rsplit("/", 1)[-1]
        script = f"{short_path(self.made_at.filename)} › " if self.made_at else ""
        where = f"{script}{self.path.replace('/', ' › ')}"
        made = f"{self.made_at}      {hide_secrets(self.made_at.source)}" if self.made_at else "(unknown)"
        if self.number:
            fed = f"  ←  {self.source}" if self.source else ""
            box = f"{self.box}{fed}      message #{self.number}: {show_value(self.value)}"
        else:
            box = "no message taken yet"
        places = [f"in {self.called}()"] if self.called else []
        at = f"      {', '.join(places + [str(self.failed_at)] * bool(self.failed_at))}".rstrip()
        outcome = (_HANDLED_TEXT if self.handled else _POLICY_TEXT).get(self.policy, "")
        code = self.cause.code if isinstance(self.cause, AxonlikeError) else self.code
        return (
            f"component {name!r} failed      {where}\n"
            f"  made at   {made}\n"
            f"  box       {box}\n"
            f"  cause     {_show_cause(self.cause)}{at}\n"
            f'  policy    on_error="{self.policy}"  ({outcome})\n'
            f"  help      axonlike explain {code}"
        )


_POLICY_TEXT = {
    "stop": 'others: "skip", "restart", "error" = send to an error outbox',
    "skip": "it failed again before it had taken another message",
    "restart": "restarted more often than its limit allows",
    "error": "it failed again before it had taken another message",
}
_HANDLED_TEXT = {
    "skip": "the message was dropped, main() is called again",
    "restart": "main() is called again after a pause",
    "error": "told on the error outbox, main() is called again",
}


def _rebuilt(
    path: str, cause: BaseException, made_at: Site | None, box: str, source: str, number: int, policy: str
) -> ComponentError:
    return ComponentError(path, cause, made_at=made_at, box=box, source=source, number=number, policy=policy)


def _show_cause(cause: BaseException) -> str:
    """An exception in one line; of a group, the first exceptions in it too."""
    text = _bare(cause)
    if isinstance(cause, BaseExceptionGroup):
        inner = list(_leaves(cause))
        shown = [_bare(exc).strip() for exc in inner[:_LEAVES_SHOWN]]
        more = f"; and {len(inner) - _LEAVES_SHOWN} more" if len(inner) > _LEAVES_SHOWN else ""
        text = f"{text.strip()}: {'; '.join(shown)}{more}"
    text = hide_secrets(_LINE_ENDS.sub(" ", text[: 2 * _CAUSE_SHOWN].strip()))
    return text if len(text) <= _CAUSE_SHOWN else f"{text[: _CAUSE_SHOWN - 1]}…"


def _bare(exc: BaseException) -> str:
    """Kind and text; the module only of a kind that is not ours."""
    text = "".join(traceback.format_exception_only(exc))
    return text.removeprefix(f"{type(exc).__module__}.") if isinstance(exc, AxonlikeError) else text


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _drop_help(exc: BaseException) -> None:
    notes = getattr(exc, "__notes__", None)
    if isinstance(notes, list):
        notes[:] = [note for note in notes if not (isinstance(note, str) and note.startswith(_HELP))]


_PACKAGE = os.path.dirname(__file__) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep

_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
_BENEATH_US = re.compile(r"^uvloop[/\\]|[/\\](site|dist)-packages[/\\](uvloop|serial)[/\\]")

_Frames = list[tuple[FrameType, int]]


def _frames_of(cause: BaseException) -> _Frames:
    """Where it was raised, the innermost frame last, each with the line in it."""
    if isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        return _frames_of(cause.exceptions[0])  # a TaskGroup's: what failed in it
    return list(traceback.walk_tb(cause.__traceback__))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((_PACKAGE, "<frozen"))


def _is_librarys(frame: FrameType) -> bool:
    """Is it the standard library's, or of a package through which our own components reach the system?"""
    filename = frame.f_code.co_filename
    return (filename.startswith(_LIBRARY) and not _INSTALLED.search(filename)) or bool(_BENEATH_US.search(filename))


def is_machinery(frame: FrameType) -> bool:
    """Is it a line of axonlike's, or of what it stands on: nothing that its user could change?"""
    return _is_ours(frame) or _is_librarys(frame)


def _is_users(frame: FrameType) -> bool:
    return not (is_machinery(frame) or _INSTALLED.search(frame.f_code.co_filename))


def _site_in(frames: _Frames) -> Site | None:
    """The innermost line of the user's own, else of a library; None if there is but our own."""
    others = [(frame, line) for frame, line in frames if not _is_ours(frame)]
    if not others:
        return None
    frame, line = next((found for found in reversed(others) if _is_users(found[0])), others[-1])
    return Site(frame.f_code.co_filename, line)


def _called_in(frames: _Frames) -> str:
    """The name of the function that a component of ours was given and called (its variable `function`), if one was."""
    for frame, _ in reversed(frames):
        if _is_ours(frame):
            return _name_of(frame.f_locals["function"]) if "function" in frame.f_locals else ""
    return ""


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return name if module in (None, "builtins", "__main__") else f"{module}.{name}"


def _shows_more(cause: BaseException, called: str) -> bool:
    """Does the traceback of `cause`, with all that led to it, tell a person more than its text?

    It does not where something of ours gave its reason on purpose, or the system refused, and none of the user's lines
    had a part in it. It does where anything of ours, or of another package, has a defect.
    """
    frames = _frames_of(cause)
    on_purpose = isinstance(cause, AxonlikeError | OSError) or called or not frames or _was_raised(*frames[-1])
    return not on_purpose or not all(map(is_machinery, _all_frames(cause)))


def _was_raised(frame: FrameType, line: int) -> bool:
    """Is that a ``raise`` of ours?"""
    filename = frame.f_code.co_filename
    return filename.startswith(_PACKAGE) and linecache.getline(filename, line).lstrip().startswith("raise ")


def _all_frames(exc: BaseException) -> Iterator[FrameType]:
    """Every frame that the traceback of an exception shows, those of its causes among them."""
    seen: set[int] = set()
    work: list[BaseException | None] = [exc]
    while work:
        exc_or_none = work.pop()
        if exc_or_none is None or id(exc_or_none) in seen:
            continue
        seen.add(id(exc_or_none))
        yield from (frame for frame, _ in traceback.walk_tb(exc_or_none.__traceback__))
        work.append(exc_or_none.__cause__)
        if not exc_or_none.__suppress_context__:
            work.append(exc_or_none.__context__)
        if isinstance(exc_or_none, BaseExceptionGroup):
            work.extend(exc_or_none.exceptions)
