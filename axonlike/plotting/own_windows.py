"""A user's plotter with windows of its own (matplotlib's, by MPLBACKEND): frames go to it, nothing is drawn here."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import Finished
from axonlike.linkage import Box
from axonlike.plotting.messages import Did, Drawn, Ended, Failed, Frame, Ready, Values, Welcome
from axonlike.plotting.plotter import OwnPlotter, PlotterError

__all__ = ["OwnWindows"]

_PUMP_S = 1 / 20
_SIZE_PX = (960, 640)


class OwnWindows(Component):
    """Draws each frame with a plotter that has its own windows, and lets these answer the mouse and the keys."""

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": Box("what the calculation says", (Welcome, Frame, Values, Ended), limit=16)
    }
    Outboxes: ClassVar[dict[str, Any]] = {"outbox": Box("Ready, Drawn, Did, Failed", (Ready, Drawn, Did, Failed))}

    def __init__(self, plotter: OwnPlotter) -> None:
        self._plotter = plotter
        self._told = ""
        self._stays = False

    def main(self) -> Generator[Any, Any, None]:
        try:
            while not self._plotter.closed:
                yield self.wait("inbox", timeout=_PUMP_S)
                for message in self.inbox("inbox"):
                    self._take(message)
                self._try(self._plotter.pump)
        except Finished:  # there is nothing more to come
            while self._stays and not self._plotter.closed:
                yield self.sleep(_PUMP_S)
                self._try(self._plotter.pump)
        self.send(Did("closed"))

    def _take(self, message: Any) -> None:
        if isinstance(message, Welcome):
            self.send(Ready("window"))
        elif isinstance(message, Frame):
            self._draw(message)
            self.send(Drawn(message.number))
        elif isinstance(message, Ended):
            self._stays = message.hold

    def _draw(self, frame: Frame) -> None:
        self._try(lambda: self._plotter.draw(frame, _SIZE_PX))

    def _try(self, action: Any) -> None:
        try:
            action()
        except PlotterError as exc:
            if str(exc) != self._told:
                self._told = str(exc)
                self.send(Failed(self._told[:4000]))
