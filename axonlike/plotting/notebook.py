"""A plot within a notebook: the web viewer of the plot, in a frame below the cell.

The kernel serves the viewer itself, on its own machine's loopback address, and the browser of whoever reads the
notebook has to reach that: by itself where both are one machine, through a tunnel (``ssh -L PORT:127.0.0.1:PORT``)
where the kernel is elsewhere. matplotlib and its inline backend are not touched.
"""

from __future__ import annotations

import html
import re
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from axonlike.errors import UsageError

if TYPE_CHECKING:
    from axonlike.plotting.liveplot import LivePlot

__all__ = ["Inline", "in_notebook", "inline_html", "show"]

WIDTH: Final = "100%"
HEIGHT: Final = 480

_LENGTH: Final = re.compile(r"[0-9]+(\.[0-9]+)?(px|em|rem|vw|vh|%)")

Side = int | str
"""In pixels, or as CSS says it ("100%", "30em")."""


def in_notebook() -> bool:
    """Is this the kernel of a notebook (Jupyter, VS Code, Colab), which shows HTML below its cells?"""
    return getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    """IPython's, in which this code runs; None if it does not."""
    ipython = sys.modules.get("IPython")  # whoever is in a shell has it imported
    return None if ipython is None else ipython.get_ipython()


def inline_html(url: str, width: Side = WIDTH, height: Side = HEIGHT) -> str:
    """The web viewer at this address in a frame, and a line that opens it in a window of its own.

    The frame carries the plot's token, so a notebook that is saved with it tells that token: let each plot make its
    own, which is worth nothing once the calculation has ended.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"the address of a plot begins with http:// or https://, not {url!r}")
    source = html.escape(url)
    return (
        f'<iframe src="{source}" title="live plot" loading="eager" '
        f'style="width: {_css(width)}; height: {_css(height)}; border: 0; border-radius: 6px"></iframe>'
        f'<div style="font-size: smaller; opacity: 0.7"><a href="{source}" target="_blank" rel="noopener">'
        f"live plot at {html.escape(parts.netloc)}</a>: if it stays empty here, the browser cannot reach the kernel's "
        f"machine; forward that port</div>"
    )


def _css(side: Side) -> str:
    if isinstance(side, int) and not isinstance(side, bool) and side > 0:
        return f"{side}px"
    if isinstance(side, str) and _LENGTH.fullmatch(side):
        return side
    raise UsageError(f"width and height are pixels (480) or a length of CSS ('100%', '30em'), not {side!r}")


class Inline:
    """What stands below a cell: a frame where HTML can be shown, else a line of text."""

    def __init__(self, url: str, width: Side = WIDTH, height: Side = HEIGHT) -> None:
        self.url = url
        self._html = inline_html(url, width, height)

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"live plot at {self.url}"


def show(plot: LivePlot, width: Side = WIDTH, height: Side = HEIGHT) -> None:
    """Show the plot below this cell; it has to listen: ``LivePlot(window=False, listen=("127.0.0.1", 0))``.

    In a shell that shows no HTML, the address is printed. Raises UsageError for a plot that does not listen, and where
    there is no IPython.
    """
    if not plot.url:
        raise UsageError(
            "this plot does not listen, so no browser can see it: make it as "
            'LivePlot(window=False, listen=("127.0.0.1", 0))'
        )
    if _shell() is None:
        raise UsageError(f"show() is for the cell of a notebook, and this runs in none: open {plot.url} in a browser")
    from IPython.display import display

    display(Inline(plot.url, width, height))  # type: ignore[no-untyped-call]
