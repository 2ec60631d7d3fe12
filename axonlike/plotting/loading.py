"""Scripts that are loaded for what they hold, not to be run: by a viewer for its plotter, by ``axonlike check``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["CalculationReached", "as_loading", "is_loading", "stop_if_loading"]


class CalculationReached(BaseException):
    """A script that is being loaded wants to make a LivePlot: there its calculation begins.

    A BaseException, so that no ``except Exception`` in the script keeps it from ending the loading.
    """


_loading = 0


def is_loading() -> bool:
    """Is a script being loaded, or a user's plotter at work, in this process? Then no LivePlot is to be made here."""
    return _loading > 0


def stop_if_loading() -> None:
    """For whatever begins a plot: raises CalculationReached while a script is being loaded."""
    if _loading:
        raise CalculationReached


@contextlib.contextmanager
def as_loading() -> Iterator[None]:
    """For the one who loads."""
    global _loading
    _loading += 1
    try:
        yield
    finally:
        _loading -= 1
