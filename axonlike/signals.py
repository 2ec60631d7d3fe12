"""Ctrl-C, SIGTERM and SIGHUP during a run."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from axonlike.scheduler import Scheduler

__all__ = ["Signals"]

log = logging.getLogger("axonlike")


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP during a run: a flag and an orderly stop; then, or after the deadline, force.

    Nothing is raised inside a component before that. Only in the main thread; elsewhere Python delivers no signals.
    A signal that was inherited as ignored (nohup, a background job) stays ignored.
    """

    HANDLED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._before: dict[int, Any] = {}
        self._number = 0
        self._forced = False
        self._over = threading.Event()
        self._enforcer: threading.Thread | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self.HANDLED:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN and before is not None:
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        if self._enforcer is not None:
            self._enforcer.join()
        # SIGINT's comes back last: from then on a Ctrl-C raises KeyboardInterrupt, and must not leave the others to us.
        for number, before in reversed(self._before.items()):
            signal.signal(number, before)

    def exit_if_signalled(self, errors: list[BaseException]) -> None:
        """Raise SystemExit(128 + signal) if one came; errors met while stopping are logged first."""
        if self._number:
            for error in errors:
                if not isinstance(error, KeyboardInterrupt):
                    log.error("while stopping: %s", error)
            raise SystemExit(128 + self._number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if not self._number:
            self._number = number
            name = signal.Signals(number).name
            self._enforcer = threading.Thread(target=self._enforce, name="axonlike-enforcer", daemon=True)
            self._enforcer.start()
            self._scheduler.interrupt(name)
        elif number == signal.SIGINT or self._forced:
            self._forced = True
            if self._scheduler.running_path is not None:  # a step, or a main() without a yield
                raise KeyboardInterrupt
            self._scheduler.stop_at_once()

    def _enforce(self) -> None:
        """After the deadline: interrupt the running step; a second later: end the process."""
        grace_s = self._scheduler.stop_deadline_s
        began_s = time.monotonic()
        told, slices = False, self._scheduler.slices
        while not self._forced and time.monotonic() < began_s + grace_s:
            told = told or self._tell_of_a_long_step(slices, began_s, grace_s)
            if self._over.wait(0.1):
                return
        if not self._forced:
            self._forced = True
            main = threading.main_thread().ident
            if main is not None and self._scheduler.running_path is not None:
                signal.pthread_kill(main, signal.SIGINT)
        if self._over.wait(1.0):
            return
        path = self._scheduler.running_path or "(between two steps)"
        _say(f"axonlike: {path} did not stop; ending the process")
        os._exit(128 + self._number)

    def _tell_of_a_long_step(self, slices: int, began_s: float, grace_s: float) -> bool:
        """Say why nothing happens, if it is for a step that does not end: at once, if the watchdog knows that one."""
        scheduler = self._scheduler
        path, waited_s = scheduler.running_path, time.monotonic() - began_s
        # A step that ended since has seen more slices than there were at the signal.
        held_s = max(scheduler.held_s, waited_s if scheduler.slices == slices else 0.0)
        if path is None or held_s < _LONG_STEP_S:
            return False
        ends = f"it is interrupted in {grace_s - waited_s:.0f} s"
        if self._number == signal.SIGINT:
            ends = f"Ctrl-C again ends it now, otherwise {ends}"
        _say(f"axonlike: stopping; {path} has not come to a yield for {held_s:.0f} s; {ends}")
        return True


_LONG_STEP_S = 1.0


def _say(text: str) -> None:
    """One line on stderr, whatever state the process is in: never waits, as nobody would end the process then."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr is closed, or nobody reads it
        descriptor = sys.stderr.fileno()
        if os.name != "posix" or select.select([], [descriptor], [], 0)[1]:
            behind_the_echo = "\n" if os.isatty(descriptor) else ""  # a terminal has just shown ^C
            os.write(descriptor, f"{behind_the_echo}{text}\n".encode(errors="replace"))
