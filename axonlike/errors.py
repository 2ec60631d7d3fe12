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
import linecache
import os
import re
import reprlib
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
    "show_value",
]


class Finished(BaseException):
    """End of input: raised in a body at a wait, pause or blocking recv whose boxes are empty for good.

    Uncaught it is the normal end of the component. ``except Finished:`` may still send, wait and sleep.
    """


class Stopped(BaseException):
    """The component was told to stop now: raised in a thread's recv, send, wait, pause and sleep."""


class AxonlikeError(Exception):
    """Base of all errors of the toolkit. `code` is what ``axonlike explain`` takes."""

    code = "AX100"


class WiringError(AxonlikeError):
    """A graph that cannot be put together."""

    code = "AX201"


class NoSuchBox(WiringError):
    """A box name that the component does not have."""

    code = "AX202"


class NameNotProvided(WiringError):
    """A name that nothing in this scheduler provides."""

    code = "AX203"


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
        super().__init__(f'{component} needs {package}: pip install "axonlike[{extra}]"{also}')


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


def hide_secrets(text: str) -> str:
    """Replace the values of token=..., password: ... and the like by asterisks."""
    return _SECRET.sub(r"\1\2***", text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class ComponentError(AxonlikeError):
    """A component failed. ``str()`` is the short text that a person needs; `__cause__` is the exception itself.

    Attributes: path ("Pipeline/divide"), script (where the graph was made), made_at (a Site), box, source (the outbox
    that feeds that box), number (the ordinal, from 1, of the last message taken from the box; 0 if none), value (that
    message), policy, handled (the policy dealt with it, and the component goes on), failed_at (a Site).
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
        self.failed_at = failed_at or _user_site(cause)
        self.__cause__ = cause
        super().__init__(path, cause)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self.path, self.__cause__, self.made_at, self.box, self.source, self.number, self.policy))

    @property
    def cause(self) -> BaseException:
        """The exception that ended the component."""
        assert self.__cause__ is not None
        return self.__cause__

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
        at = f"      {self.failed_at}" if self.failed_at else ""
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
    text = "".join(traceback.format_exception_only(cause))
    if isinstance(cause, BaseExceptionGroup):
        inner = list(_leaves(cause))
        shown = ["".join(traceback.format_exception_only(exc)).strip() for exc in inner[:_LEAVES_SHOWN]]
        more = f"; and {len(inner) - _LEAVES_SHOWN} more" if len(inner) > _LEAVES_SHOWN else ""
        text = f"{text.strip()}: {'; '.join(shown)}{more}"
    text = hide_secrets(_LINE_ENDS.sub(" ", text[: 2 * _CAUSE_SHOWN].strip()))
    return text if len(text) <= _CAUSE_SHOWN else f"{text[: _CAUSE_SHOWN - 1]}…"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _user_site(cause: BaseException) -> Site | None:
    """Where it was raised: the innermost line of the user's own, else of a library; None if there is but our own."""
    if isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        return _user_site(cause.exceptions[0])  # a TaskGroup's: what failed in it
    ours = __file__.rsplit("/", 1)[0]
    frames = [
        frame for frame in traceback.extract_tb(cause.__traceback__) if not frame.filename.startswith((ours, "<frozen"))
    ]
    if not frames:
        return None
    library = os.__file__.rsplit("/", 1)[0]
    for frame in reversed(frames):
        if not frame.filename.startswith(library) and "site-packages" not in frame.filename:
            break
    else:
        frame = frames[-1]
    return Site(frame.filename, frame.lineno or 0)
