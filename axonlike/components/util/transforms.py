"""Components around a function of the user's, or around none: change, select, look at, pass on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from axonlike.component import Component, OnError, Step
from axonlike.errors import UsageError, show_value

__all__ = ["Filter", "PassThrough", "Tap", "Transform"]


class Transform(Step):
    """Sends on what the functions make of each message: ``Transform(f, g)`` sends ``g(f(message))``.

    None from any of them = nothing is sent. An iterator (what a generator function returns) from the last one is pulled
    one item at a time. The functions run in the scheduler's thread: one that blocks belongs into a ThreadedComponent.
    """

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what to change"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "results that are not None"}

    def __init__(self, *functions: Callable[[Any], Any], on_error: OnError = "stop", name: str = "") -> None:
        if not functions:
            raise UsageError("Transform() needs a function: Transform(str.upper)")
        for function in functions:
            _check_function("Transform", function)
        function = functions[0] if len(functions) == 1 else _one_after_another(functions)
        super().__init__(function, name=name or type(self).__name__, on_error=on_error)


class Filter(Component):
    """Sends on those messages for which ``predicate(message)`` is true. `refused` counts the others."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "what to look at"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "what the predicate accepts"}

    def __init__(self, predicate: Callable[[Any], Any]) -> None:
        _check_function("Filter", predicate)
        self.predicate = predicate
        self.refused = 0

    def main(self) -> Generator[Any, Any, None]:
        function = self.predicate  # so called, an error can name it (errors.py)
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                if function(message):
                    self.send(message)
                else:
                    self.refused += 1


class Tap(Component):
    """Calls ``callback(message)`` for each message, and sends the message on. What the callback returns is ignored."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "anything"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the same"}

    def __init__(self, callback: Callable[[Any], object]) -> None:
        _check_function("Tap", callback)
        self.callback = callback

    def main(self) -> Generator[Any, Any, None]:
        function = self.callback  # so called, an error can name it (errors.py)
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                function(message)
                self.send(message)


class PassThrough(Component):
    """Sends on what comes in: where a chassis wants a component and there is nothing to do."""

    Inboxes: ClassVar[dict[str, Any]] = {"inbox": "anything"}
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": "the same"}

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait("inbox")
            for message in self.inbox():
                self.send(message)


def _check_function(who: str, function: object) -> None:
    if not callable(function):
        raise UsageError(f"{who} takes a function of one message, not {show_value(function)}")
    if inspect.iscoroutinefunction(function):
        raise UsageError(
            f"{who} takes an ordinary function, and {show_value(function)} is async: write a Component with "
            "`async def main(self)` and await it there"
        )


def _one_after_another(functions: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    def all_of_them(message: Any) -> Any:
        for function in functions:
            message = function(message)
            if message is None:
                return None
        return message

    return all_of_them
