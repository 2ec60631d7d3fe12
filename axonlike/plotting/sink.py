"""The end of a pipeline that is looked at from another process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from axonlike.component import Component
from axonlike.errors import Finished
from axonlike.linkage import Box
from axonlike.plotting.liveplot import Address, LivePlot
from axonlike.plotting.messages import Counters, Did, Panel

__all__ = ["PlotSink"]


class PlotSink(Component):
    """Shows the newest message of what comes in: the same as calling a `LivePlot` with each.

    A dict is named values (``plot(**message)``), a tuple positional ones, anything else one value. The arguments are
    those of `LivePlot`; the window opens when the component starts. What users do in the windows (`Did`: key, click,
    closed) goes to `events`. Dicts in the inbox "params" set parameters.

    The window outlives the end of the input by `hold`, as that of a LivePlot does.
    """

    Inboxes: ClassVar[dict[str, Any]] = {
        "inbox": "values to be shown; the latest wins",
        "params": Box("dicts of parameters to be set", dict, aside=True),
        "happened": Box("what users did, on its way to events", Did, limit=None, aside=True),
    }
    Outboxes: ClassVar[dict[str, Any]] = {
        "outbox": "nothing",
        "events": Box("what users do in the windows: key, click, closed", Did),
    }

    def __init__(
        self,
        plotter: type | None = None,
        *,
        title: str = "",
        hold: bool = False,
        fps: float = 30.0,
        panels: Mapping[str, Panel | str] | None = None,
        params: Mapping[str, Any] | None = None,
        window: bool = True,
        listen: Address | str | None = None,
        token: str = "",
        tls: Any = None,
        view_only: bool = False,
        viewer: Sequence[str] | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "title": title, "hold": hold, "fps": fps, "panels": panels, "params": params, "window": window,
            "listen": listen, "token": token, "tls": tls, "view_only": view_only, "viewer": viewer,
        }  # fmt: skip
        self._plotter = plotter
        self._plot: LivePlot | None = None
        self._counters = Counters()

    @property
    def plot(self) -> LivePlot | None:
        """While it runs."""
        return self._plot

    @property
    def counters(self) -> Counters:
        """As of the plot; of the last one after the end."""
        return self._counters if self._plot is None else self._plot.counters

    async def main(self) -> None:
        scheduler = self.scheduler
        assert scheduler is not None
        # A plot is opened and closed in a thread: both wait for another process, and nobody else here should.
        plot = self._plot = await asyncio.to_thread(LivePlot, self._plotter, **self._options)

        def on_event(did: Did) -> None:
            scheduler.call_from_thread(lambda: self._happened(did))

        plot.on_event = on_event
        try:
            while True:
                await self.wait("inbox", "params", "happened")
                self._take(plot)
        except Finished:
            await asyncio.to_thread(plot.close)
            raise
        finally:
            plot.close(timeout_s=0.0)  # nothing to be done, unless it is stopped at once
            self._counters, self._plot = plot.counters, None

    def _take(self, plot: LivePlot) -> None:
        for message in self.inbox("inbox"):
            if isinstance(message, dict):
                plot(**message)
            elif isinstance(message, tuple):
                plot(*message)
            else:
                plot(message)
        for changes in self.inbox("params"):
            for name, value in changes.items():
                plot.params[name] = value
        for did in self.inbox("happened"):
            self.send(did, "events")

    def _happened(self, did: Did) -> None:
        if not self.ended:
            self.open_inbox("happened").put(did)
