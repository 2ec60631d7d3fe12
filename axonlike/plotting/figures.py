"""matplotlib's figures as pictures: sized to where they are shown, drawn only when they have changed.

Nothing here imports matplotlib until the user's own code has: a viewer without it pays nothing.

Without MPLBACKEND the figures are drawn by Agg, into memory, and the viewer's window shows them. With a backend of a
window system (MPLBACKEND=TkAgg) those that the plotter makes in its ``__init__`` stay in matplotlib's own windows, with
its toolbar: then `Figures.pump` has to be called some ten times a second, from the thread that made the figures.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

__all__ = ["Figures", "Picture", "Size", "figures_in", "prefer_pictures"]

Size = tuple[int, int]
"""Width and height in pixels."""
Picture = npt.NDArray[np.uint8]
"""Shape (height, width, 3), row 0 at the top."""

_NOTEBOOKS: Final = ("inline", "ipympl", "nbagg", "notebook", "widget")
_NOTEBOOK_MODULES: Final = ("module://matplotlib_inline", "module://ipykernel", "module://ipympl")
"""A calculation in a notebook hands its own MPLBACKEND on to the viewer, where it means nothing."""
_WITHOUT_WINDOWS: Final = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
_SMALLEST_PX: Final = 16
_PAPER: Final = 255
"""What shows through a transparent figure: white, as where it would be printed."""
_BARELY_PX: Final = 0.01
"""Added to each side, because Agg rounds down and inches times dots per inch may come out just below."""


def prefer_pictures() -> None:
    """Have matplotlib draw into memory, unless MPLBACKEND says otherwise. To be called before it is imported."""
    asked = os.environ.get("MPLBACKEND", "").lower()
    if not asked or asked in _NOTEBOOKS or asked.startswith(_NOTEBOOK_MODULES):
        os.environ["MPLBACKEND"] = "Agg"
    if os.environ["MPLBACKEND"].lower() == "agg":
        # plt.show() and plt.pause() at the end of a draw are a habit; here they have nothing to do.
        warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown")


def figures_in(value: Any) -> list[Any]:
    """The figures that a value is or belongs to: a figure, an axes, a line, or a sequence of nothing else."""
    if "matplotlib.artist" not in sys.modules:
        return []
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    if isinstance(value, np.ndarray):
        items = list(value.flat) if value.dtype == object else []  # axes, from plt.subplots
    else:
        items = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if not items or not all(isinstance(item, Artist) for item in items):
        return []
    found: dict[int, Any] = {}
    for item in items:
        figure = item.figure
        while figure is not None and not isinstance(figure, Figure):  # a SubFigure's own
            figure = figure.figure
        if figure is not None:
            found.setdefault(id(figure), figure)
    return list(found.values())


class _Drawn:
    """What is known of one figure. picture: as it was taken last."""

    def __init__(self, figure: Any, number: int) -> None:
        self.name = figure.get_label() or f"Figure {number}"
        self.picture: Picture | None = None
        self.changed = True
        self.shown = False
        """Has its own window been opened?"""

    def on_draw(self, _event: object) -> None:
        self.changed = True


class Figures:
    """The figures of this process. All methods belong to one thread."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, _Drawn] = WeakKeyDictionary()
        self._had_windows = False

    @staticmethod
    def _of_pyplot() -> dict[int, Any]:
        """By number, in order. The one that plt.plot would draw into stays the same."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        numbers = pyplot.get_fignums() if pyplot is not None else []
        if pyplot is None or not numbers:
            return {}
        active = pyplot.gcf().number
        figures = {number: pyplot.figure(number) for number in numbers}
        pyplot.figure(active)
        return figures

    def _about(self, figure: Any, number: int) -> _Drawn:
        about = self._known.get(figure)
        if about is None:
            about = self._known[figure] = _Drawn(figure, number)
            # The user's own draw may draw the canvas and so mark the figure as fresh: only this event tells. It is kept
            # weakly, for as long as `about` lives.
            figure.canvas.mpl_connect("draw_event", about.on_draw)
        return about

    @property
    def own_windows(self) -> bool:
        """Are there figures in windows of matplotlib's own?"""
        return any(self.is_window(figure) for figure in self._of_pyplot().values())

    @staticmethod
    def open_no_windows() -> None:
        """Have figures that are made from now on drawn into memory, whatever MPLBACKEND says."""
        if os.environ.get("MPLBACKEND", "").lower() in _WITHOUT_WINDOWS:
            return
        os.environ["MPLBACKEND"] = "Agg"
        if "matplotlib" in sys.modules:
            sys.modules["matplotlib"].use("Agg")

    @staticmethod
    def is_window(figure: Any) -> bool:
        """Is this figure shown by a window system?"""
        return getattr(figure.canvas, "required_interactive_framework", None) is not None

    @property
    def closed(self) -> bool:
        """Have all of matplotlib's own windows been closed, of which there were some?"""
        return self._had_windows and not self.own_windows

    def fit(self, size_of: Callable[[int], Size]) -> None:
        """Give the pyplot figures the size of their panels; size_of tells it for a number of panels.

        Before the user draws: what is placed by hand or by tight_layout then fits.
        """
        figures = [figure for figure in self._of_pyplot().values() if not self.is_window(figure)]
        for figure in figures:
            _resize(figure, size_of(len(figures)))

    def pictures(self, size_of: Callable[[int], Size]) -> dict[str, Picture]:
        """Of the pyplot figures, by name, in the order of their numbers. Those in windows of their own are shown there
        and are not among them."""
        self.show_windows()
        figures = {number: figure for number, figure in self._of_pyplot().items() if not self.is_window(figure)}
        named: dict[str, Picture] = {}
        for number, figure in figures.items():
            name = _free(self._about(figure, number).name, named)
            named[name] = self.picture(figure, size_of(len(figures)), number)
        return named

    def picture(self, figure: Any, size_px: Size, number: int = 1) -> Picture:
        """One figure, drawn anew if it or the size has changed; else the very array of last time. Read-only."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        if not isinstance(figure.canvas, FigureCanvasAgg):
            FigureCanvasAgg(figure)  # it becomes figure.canvas
        about = self._about(figure, number)
        _resize(figure, size_px)
        if figure.stale or about.picture is None:
            figure.canvas.draw()
        if about.changed or about.picture is None:
            about.changed = False
            about.picture = _taken(figure)
        return about.picture

    def pump(self) -> None:
        """Let matplotlib's own windows answer the mouse and the keys."""
        for number, figure in self._of_pyplot().items():
            # An answer may have closed those that come after it.
            if self.is_window(figure) and sys.modules["matplotlib.pyplot"].fignum_exists(number):
                figure.canvas.flush_events()

    def show_windows(self) -> None:
        """Open those of the figures that have windows of their own, and have them drawn if they have changed."""
        for number, figure in self._of_pyplot().items():
            if not self.is_window(figure):
                continue
            self._had_windows = True
            about = self._about(figure, number)
            if not about.shown:
                about.shown = True
                figure.canvas.manager.show()
            if figure.stale:
                figure.canvas.draw_idle()
        self.pump()


def _resize(figure: Any, size_px: Size) -> None:
    width, height = (max(_SMALLEST_PX, int(side)) for side in size_px)
    if tuple(map(int, figure.bbox.size)) != (width, height):
        inches = ((width + _BARELY_PX) / figure.dpi, (height + _BARELY_PX) / figure.dpi)
        figure.set_size_inches(*inches, forward=False)


def _taken(figure: Any) -> Picture:
    """What the canvas holds, copied."""
    rgba = np.asarray(figure.canvas.buffer_rgba())
    if figure.patch.get_visible() and figure.get_facecolor()[3] == 1:
        picture = np.ascontiguousarray(rgba[..., :3])
    else:
        alpha = rgba[..., 3:].astype(np.uint16)
        picture = ((rgba[..., :3] * alpha + _PAPER * (255 - alpha)) // 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def _free(name: str, taken: dict[str, Picture]) -> str:
    if name not in taken:
        return name
    return next(other for count in range(2, len(taken) + 3) if (other := f"{name} ({count})") not in taken)
