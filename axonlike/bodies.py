"""Driving an ``async def main`` from the scheduler's own queue, while asyncio sees a task.

One asyncio task per component would cost a turn of the event loop for every message. So the scheduler sends into the
coroutine itself, and what the coroutine awaits of ours (wait, sleep, send) comes out as the same objects that a
generator yields. What it awaits of asyncio's comes out as a future; the scheduler resumes it when that is done.

`asyncio.timeout`, `TaskGroup` and aiohttp ask for `current_task()` and cancel it. `ComponentTask` is what they see:
during each step it is the loop's current task, and its `cancel` reaches the coroutine wherever it stands.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

from axonlike.part import Part
from axonlike.shutdown import State
from axonlike.waits import Foreign, Wait

__all__ = ["AsyncBody", "ComponentTask"]

_enter_task = asyncio.tasks._enter_task
_leave_task = asyncio.tasks._leave_task


class ComponentTask(asyncio.Future[None]):
    """The task that asyncio's own tools see while an async component runs."""

    def __init__(self, body: AsyncBody, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._body = body
        self._cancels = 0

    def cancel(self, msg: Any = None) -> bool:
        """Have CancelledError raised in the coroutine at its next chance."""
        if self.done():
            return False
        self._cancels += 1
        self._body.cancel(msg, counted=True)
        return True

    def cancelling(self) -> int:
        return self._cancels

    def uncancel(self) -> int:
        self._cancels = max(0, self._cancels - 1)
        if not self._cancels:
            self._body.cancel_pending = None
        return self._cancels

    def get_name(self) -> str:
        return self._body.part.path

    def set_name(self, value: object) -> None:
        self._body.part.name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        coroutine: Coroutine[Any, Any, Any] = self._body.coroutine
        return coroutine

    def get_context(self) -> contextvars.Context:
        return self._body.context

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        frame = self._body.coroutine.cr_frame
        return [] if frame is None else [frame]

    def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
        print(self._body.part.path, self.get_stack(), file=file)


class AsyncBody:
    """Looks like a generator to the scheduler: `send`, `throw`, `close`."""

    __slots__ = ("awaited", "cancel_pending", "context", "coroutine", "loop", "part", "task")

    def __init__(self, part: Part, coroutine: Any) -> None:
        scheduler = part._scheduler
        assert scheduler is not None
        assert scheduler.loop is not None
        self.part = part
        self.coroutine = coroutine
        self.loop = scheduler.loop
        self.context = contextvars.copy_context()
        self.task = ComponentTask(self, self.loop)
        self.awaited: Any = None
        self.cancel_pending: asyncio.CancelledError | None = None

    def send(self, value: Any) -> Any:
        """Run the coroutine to its next await that is not done yet."""
        if self.cancel_pending is not None:
            exc, self.cancel_pending = self.cancel_pending, None
            return self.throw(exc)
        return self._run(self.coroutine.send, value)

    def throw(self, exc: BaseException) -> Any:
        """Raise `exc` at the await where the coroutine stands."""
        return self._run(self.coroutine.throw, exc)

    def close(self) -> None:
        """End the coroutine at its await, without a word to it but GeneratorExit."""
        self.coroutine.close()
        self._over()

    def cancel(self, message: Any = None, *, counted: bool = False) -> None:
        """Raise CancelledError in the coroutine: where it awaits, or at its next step."""
        awaited, part = self.awaited, self.part
        if awaited is not None and awaited.cancel(message):
            return  # the cancelled future brings the error in by itself
        exc = asyncio.CancelledError(message) if message is not None else asyncio.CancelledError()
        scheduler = part._scheduler
        if scheduler is None or part._state in (State.READY, State.FOREIGN) or scheduler.current is part:
            self.cancel_pending = exc
            part._turn.rests_on = None  # its next turn is to come, not to be given up for want of a message
            if part._state is State.FOREIGN and scheduler is not None:
                scheduler.release(part)
                scheduler.make_ready(part)
        else:
            scheduler.throw(part, exc, at_once=True)

    def _run(self, function: Any, argument: Any) -> Any:
        loop, task = self.loop, self.task
        self.awaited = None
        _enter_task(loop, task)  # type: ignore[arg-type]
        try:
            trap = self.context.run(function, argument)
        except BaseException:
            self._over()
            raise
        finally:
            _leave_task(loop, task)  # type: ignore[arg-type]
        if type(trap) is not Wait and getattr(trap, "_asyncio_future_blocking", None):
            trap._asyncio_future_blocking = False
            self.awaited = trap
            # Cancelled in the step that has just ended: it must not wait for this first.
            if self.cancel_pending is not None and trap.cancel(*self.cancel_pending.args):
                self.cancel_pending = None
            return Foreign(trap)
        if self.cancel_pending is not None:
            exc, self.cancel_pending = self.cancel_pending, None
            return self.throw(exc)
        return trap

    def _over(self) -> None:
        if not self.task.done():
            self.task.set_result(None)
