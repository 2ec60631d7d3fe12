"""The picture of a user's own matplotlib plotter in the viewer's window: what `scripts/pictures` runs.

The class of examples/plot_matplotlib.py draws what its own calculation makes; no screen is needed.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
os.environ.pop("MPLBACKEND", None)

from axonlike import Component, Pipeline  # noqa: E402
from axonlike.components.ui import Display  # noqa: E402
from axonlike.plotting.messages import Counters, Ended, Frame, Welcome  # noqa: E402
from axonlike.plotting.plotter import OwnPlotter, plotter_named  # noqa: E402
from axonlike.plotting.view import PlotView  # noqa: E402
from axonlike.testing import run_virtual  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "plot-matplotlib.png"
SWINGS = 6000
SIZE = (1180, 640)


class LastCall:
    """In the place of the example's LivePlot: keeps the last call."""

    is_closed = False

    def __init__(self) -> None:
        self.args: tuple[Any, ...] = ()
        self.calls = 0

    def __call__(self, *args: Any) -> None:
        self.args = args
        self.calls += 1

    def __enter__(self) -> LastCall:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Calculation(Component):
    """Says what a calculation would."""

    def __init__(self, last: LastCall) -> None:
        self._args = last.args
        self._calls = last.calls

    def main(self) -> Generator[Any, Any, None]:
        self.send(Welcome(title="A pendulum that never repeats itself"))
        yield self.sleep(0.2)
        for number in range(1, 31):
            counters = Counters(
                self._calls, number, number, number - 1, self._calls - number, worst_call_s=38e-6, viewers=1
            )
            self.send(Frame(number, self._calls - 30 + number, number / 30, self._args, {}, counters))
            yield self.sleep(1 / 30)
        yield self.sleep(0.5)
        self.send(Ended())


class Shoot(Component):
    """Saves what the window shows."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(1.19)
        self._display.save_picture(PICTURE)
        print(PICTURE.relative_to(ROOT))


def main() -> None:
    """One file beside this one."""
    example = ROOT / "examples" / "plot_matplotlib.py"
    last = LastCall()
    script = runpy.run_path(str(example))["main"]
    script.__globals__["LivePlot"] = lambda *_, **__: last
    script(SWINGS)
    display = Display(SIZE)
    view = PlotView(OwnPlotter(plotter_named(f"{example}:Portrait")))
    run_virtual(display, Pipeline(Calculation(last), view), Shoot(display))


if __name__ == "__main__":
    main()
