"""The user's own plotter: a class of theirs, named in the calculation, made and called in the viewer.

A plotter is any class that can be made without arguments and has a method `draw`; there is no base class:

    class Wave:
        def __init__(self):
            self.figure, self.axes = plt.subplots()
            (self.line,) = self.axes.plot([], [])

        def draw(self, x, y):
            self.line.set_data(x, y)
            self.axes.relim()
            self.axes.autoscale_view()

`draw` gets what the calculation gave to its plot, as arrays of its own that it may change. What it returns is shown:
nothing (None) stands for the figures of matplotlib.pyplot; else a figure (or its axes or lines), a pygame Surface, an
array of shape (height, width, 3) and dtype uint8, or a dict of such things and of any values that the viewer's own
panels can show. A plotter with an attribute `size_px` finds the size there that its picture has, before each draw.

The class goes to the viewer by its name only: module and qualified name. A script is loaded there as multiprocessing
loads it, with another `__name__`, so what stands under ``if __name__ == "__main__":`` is not run. Without that line
the script is run as far as to where it makes its LivePlot, and no further: see `CalculationReached`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import logging
import os
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from axonlike.errors import (
    AxonlikeError,
    Site,
    UsageError,
    did_you_mean,
    hide_secrets,
    how_to_install,
    is_machinery,
    show_value,
)
from axonlike.plotting.figures import Figures, Size, figures_in, prefer_pictures
from axonlike.plotting.loading import CalculationReached, as_loading
from axonlike.plotting.messages import Frame, PlotterName

__all__ = [
    "OwnPlotter",
    "PlotterError",
    "name_of",
    "plotter_named",
    "tiles",
]

log = logging.getLogger("axonlike.plot")

_LOADED_AS: Final = "__mp_main__"
"""The name multiprocessing gives to a script it loads: what scripts and libraries look for already."""
_TEXT_CHARACTERS: Final = 1000
_GUARD: Final = 'if __name__ == "__main__":'


class PlotterError(AxonlikeError):
    """The user's plotter cannot be loaded, made, or failed to draw; the text says where. `__cause__` is the reason."""

    code = "AX619"


# -------------------------------------------------------------------------------------------------- in the calculation


def name_of(cls: Any) -> PlotterName:
    """How another process finds this class. Raises UsageError for what is no plotter or cannot be found by name."""
    if not isinstance(cls, type):
        hint = "; give the class itself, the viewer makes one" if callable(getattr(cls, "draw", None)) else ""
        raise UsageError(f"LivePlot: the plotter is a class with a method draw, not {show_value(cls)}{hint}")
    name = cls.__qualname__
    if not callable(getattr(cls, "draw", None)):
        near = did_you_mean("draw", [each for each in vars(cls) if not each.startswith("_")])
        raise UsageError(f"LivePlot: {name} has no method draw{near}")
    _check_can_be_made(cls)
    if "<" in name:
        inside = name.partition(".<")[0]
        raise UsageError(
            f"LivePlot: {name.rpartition('.')[2]} is made inside {inside}(), and the viewer, which is another process, "
            "finds a class by its name only: move it out to the top of its module"
        )
    module, file = cls.__module__, ""
    if module == "__main__":
        module, file = _place_in_main(cls)
    elif _within(sys.modules.get(module), name) is not cls:
        raise UsageError(
            f"LivePlot: {module}.{name} is not the class that was given (another has taken its place, or it was made "
            "by a call): the viewer, which is another process, would not find it; give it a name of its own there"
        )
    path = tuple(os.getcwd() if entry == "" else str(entry) for entry in sys.path)
    return PlotterName(module=module, name=name, file=file, path=path)


def plotter_named(text: str) -> PlotterName:
    """A plotter as a command line names it: ``package.module:Class`` or ``path/of/script.py:Class``."""
    place, _, name = text.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"a plotter is named MODULE:CLASS or FILE.py:CLASS, not {text!r}")
    if place.endswith(".py") or os.sep in place:
        if not os.path.isfile(place):
            raise UsageError(f"plotter {text!r}: there is no file {place}")
        file = os.path.abspath(place)
        return PlotterName(module="__main__", name=name, file=file, path=(os.path.dirname(file),))
    if not all(part.isidentifier() for part in place.split(".")):
        raise UsageError(f"a plotter is named MODULE:CLASS or FILE.py:CLASS, not {text!r}")
    return PlotterName(module=place, name=name, path=(os.getcwd(),))


def _check_can_be_made(cls: type) -> None:
    try:
        signature = inspect.signature(cls)
    except (ValueError, TypeError):  # written in C
        return
    try:
        signature.bind()
    except TypeError as exc:
        raise UsageError(
            f"LivePlot: the viewer makes its plotter as {cls.__qualname__}(), without arguments: {exc}; give it a "
            "default"
        ) from None


def _place_in_main(cls: type) -> tuple[str, str]:
    """Module and file of a class of the program that was started."""
    main = sys.modules.get("__main__")
    main_file = getattr(main, "__file__", None)
    is_there = _within(main, cls.__qualname__) is cls
    spec = getattr(main, "__spec__", None)
    written_in = _files_of(cls)
    if is_there and spec is not None and spec.name != "__main__" and (not written_in or main_file in written_in):
        return str(spec.name), ""  # python -m package.module
    # What runs a script by itself (a profiler, python -m mpi4py) may leave its own file with __main__, so the code of
    # the class is asked first.
    if written_in:
        file = main_file if main_file in written_in else written_in[0]
    else:
        file = main_file if is_there else None
    if file is not None and os.path.isfile(file):
        return "__main__", os.path.abspath(file)
    raise UsageError(
        f"LivePlot: {cls.__qualname__} was typed into a notebook, an interactive session or python -c, and the viewer, "
        "which is another process, has to read it from a file: write it into a module and import it from there (in a "
        "notebook: %%writefile NAME.py above it, then from NAME import ...)"
    )


def _files_of(cls: type) -> list[str]:
    """In which files the methods of a class are written, if any are; those that exist come first."""
    files: dict[str, None] = {}
    for member in vars(cls).values():
        member = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
        code = getattr(inspect.unwrap(member) if callable(member) else None, "__code__", None)
        if code is not None:
            files[code.co_filename] = None
    return sorted(files, key=lambda file: not os.path.isfile(file))


def _within(module: types.ModuleType | None, qualified_name: str) -> Any:
    found: Any = module
    for part in qualified_name.split("."):
        found = getattr(found, part, None)
    return found


# ------------------------------------------------------------------------------------------------------- in the viewer


def tiles(number: int, area_px: Size) -> Size:
    """The size of each of so many equal panels in a grid that has as many columns as rows, or one more."""
    columns = 1
    while columns * columns < number:
        columns += 1
    rows = -(-number // columns)
    return max(1, area_px[0] // columns), max(1, area_px[1] // rows)


class OwnPlotter:
    """The user's plotter, loaded and made: in the viewer's main thread, where window systems want to be called.

    Raises PlotterError, also from `draw`; after that it may draw again.
    """

    def __init__(self, plotter: PlotterName | type) -> None:
        """plotter: its name, or the class itself where that is at hand."""
        prefer_pictures()
        self.name = plotter.__qualname__ if isinstance(plotter, type) else plotter.name
        """What messages call it."""
        self._figures = Figures()
        self._frame: Frame | None = None
        self._returned: Any = None
        """What draw returned for that frame."""
        with as_loading():
            cls = plotter if isinstance(plotter, type) else _loaded(plotter)
            self._where = _where_is(cls)
            try:
                self._plotter = cls()
            except CalculationReached:
                raise PlotterError(f"{self.name}() makes a LivePlot, and it is what draws one{self._where}") from None
            except (Exception, SystemExit) as exc:
                raise _trouble(f"{self.name}() failed", exc, self._where) from exc
        if not callable(getattr(self._plotter, "draw", None)):
            raise PlotterError(f"{self.name} has no method draw{self._where}")
        self.own_windows = self._figures.own_windows
        """Has it opened windows of its own (matplotlib's, by MPLBACKEND)? Then `pump` has to be called."""
        self._not_seen = False
        if self.own_windows:
            self._figures.show_windows()  # before the first frame, so that their user can place them
        else:
            self._figures.open_no_windows()

    @property
    def closed(self) -> bool:
        """Has the user closed all of the windows of its own?"""
        return self._figures.closed

    def pump(self) -> None:
        """Let windows of its own answer the mouse and the keys: some ten times a second."""
        try:
            self._figures.pump()
        except (Exception, SystemExit) as exc:  # of a callback of the user's
            raise _trouble(f"{self.name} failed in an answer to the mouse or a key", exc, self._where) from exc

    def draw(self, frame: Frame, size_px: Size, size_of: Callable[[int], Size] | None = None) -> Frame:
        """The frame with what is to be shown in place of its values.

        Pictures are uint8, shape (height, width, 3), row 0 at the top; one that is the same array as in the last frame
        has not changed. size_px: width and height of all panels together; size_of: of each, by their number; without it
        they lie in equal `tiles`.
        """
        each = size_of or (lambda number: tiles(number, size_px))
        with as_loading():
            # The very frame of last time is asked for when only the size has changed: the user's draw may count or
            # gather what it gets, so it gets each frame once.
            if frame is not self._frame or hasattr(self._plotter, "size_px"):
                self._frame = None
                self._returned = self._called(frame, each)
                self._frame = frame
            try:
                args, kwargs = self._shown(self._returned, each)
            except (Exception, SystemExit) as exc:
                raise _trouble(f"what {self.name}.draw() drew cannot be shown", exc, self._where) from exc
        if self.own_windows and (args or kwargs) and not self._not_seen:
            self._not_seen = True
            log.warning(
                "%s.draw() returned what is not seen: it has windows of its own; without MPLBACKEND=%s all is seen",
                self.name, os.environ.get("MPLBACKEND", ""),
            )  # fmt: skip
        return msgspec.structs.replace(frame, args=args, kwargs=kwargs)

    def _called(self, frame: Frame, each: Callable[[int], Size]) -> Any:
        """What the user's draw returns."""
        args = tuple(_its_own(value) for value in frame.args)
        kwargs = {name: _its_own(value) for name, value in frame.kwargs.items()}
        try:
            self._figures.fit(each)
            if hasattr(self._plotter, "size_px"):
                self._plotter.size_px = each(1)
            return self._plotter.draw(*args, **kwargs)
        except CalculationReached:
            raise PlotterError(f"{self.name}.draw() makes a LivePlot, and it is what draws one{self._where}") from None
        except (Exception, SystemExit) as exc:
            raise _trouble(f"{self.name}.draw() failed", exc, self._where) from exc

    def _shown(self, returned: Any, each: Callable[[int], Size]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        figures = figures_in(returned)
        if returned is None or (figures and all(map(self._figures.is_window, figures))):
            return (), dict(self._figures.pictures(each))
        if len(figures) == 1:
            return (), {"figure": self._figures.picture(figures[0], each(1))}
        if figures:
            size = each(len(figures))
            return (), {
                f"figure {number}": self._figures.picture(figure, size, number)
                for number, figure in enumerate(figures, 1)
            }
        if isinstance(returned, Mapping):
            size = each(len(returned))
            return (), {str(name): self._value(value, size) for name, value in returned.items()}
        value = self._value(returned, each(1))
        if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3:
            return (), {"picture": value}
        return (value,), {}

    def _value(self, value: Any, size: Size) -> Any:
        figures = figures_in(value)
        if figures:
            return self._figures.picture(figures[0], size)
        pygame = sys.modules.get("pygame")
        if pygame is not None and isinstance(value, pygame.Surface):
            return np.ascontiguousarray(pygame.surfarray.array3d(value).swapaxes(0, 1))
        # A copy: it is shown later than this, and the user may draw the next picture into the same array.
        return np.array(value) if isinstance(value, np.ndarray) or hasattr(value, "__array__") else value


def _its_own(value: Any) -> Any:
    """The same with arrays that may be written to."""
    if type(value) is np.ndarray:
        return value if value.flags.writeable else value.copy("K")
    if type(value) in (tuple, list):
        return type(value)(_its_own(each) for each in value)
    if type(value) is dict:
        return {key: _its_own(each) for key, each in value.items()}
    return value


# -- loading


def _loaded(name: PlotterName) -> Any:
    if name.path:
        sys.path[:] = [*name.path, *(entry for entry in sys.path if entry not in name.path)]
    what = f"the plotter {name.name} of {name.file or name.module}"
    try:
        module = _script(name.file) if name.file else importlib.import_module(name.module)
    except CalculationReached as exc:
        found, line = _as_far_as(exc, name)
        if found is None:
            raise PlotterError(
                f"{what} comes after the line that makes the LivePlot ({line}), and the viewer loads the file to find "
                f"it: put what runs the calculation under {_GUARD}"
            ) from None
        log.warning(
            "%s: loaded as far as to %s, where the calculation begins; what stands above has been run here too; put "
            "the calculation under %s", what, line, _GUARD,
        )  # fmt: skip
        return found
    except (Exception, SystemExit) as exc:
        raise _trouble(f"{what} cannot be loaded", exc, "") from exc
    found = _within(module, name.name)
    if not isinstance(found, type):
        there_are = [each for each, value in vars(module).items() if isinstance(value, type)]
        near = did_you_mean(name.name, there_are)
        raise PlotterError(
            f"{what}: there is no such class when the file is loaded anew{near} (is it made under {_GUARD}?)"
        )
    return found


class _ScriptLoader(importlib.machinery.SourceFileLoader):
    """Leaves no __pycache__ beside a script, as running it leaves none."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Not kept."""


def _script(file: str) -> types.ModuleType:
    """Run a script as a module. It takes the place of `__main__`, so that objects of its classes can be unpickled."""
    spec = importlib.util.spec_from_file_location(_LOADED_AS, file, loader=_ScriptLoader(_LOADED_AS, file))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["__main__"] = sys.modules[_LOADED_AS] = module
    sys.argv[:] = [file]
    spec.loader.exec_module(module)
    return module


def _as_far_as(reached: CalculationReached, name: PlotterName) -> tuple[Any, str]:
    """The class, if it was there when the loading was stopped, and the place where that was."""
    module_name = _LOADED_AS if name.file else name.module
    found, place = None, ""
    for frame, line in traceback.walk_tb(reached.__traceback__):
        if frame.f_globals.get("__name__") == module_name and not is_machinery(frame):
            if not place:  # the outermost: the line at the top of the file
                place = str(Site(frame.f_code.co_filename, line))
            module = types.ModuleType(module_name)
            vars(module).update(frame.f_globals)
            found = _within(module, name.name)
            if isinstance(found, type) and module_name not in sys.modules:
                sys.modules[module_name] = module  # import took it away: objects of its classes are to be unpickled
    return (found if isinstance(found, type) else None), place


# -- what went wrong


def _trouble(what: str, exc: BaseException, where: str) -> PlotterError:
    log.debug("%s", what, exc_info=exc)
    place = _place_of(exc)
    text = " ".join(f"{type(exc).__name__}: {exc}".split()) if str(exc) else type(exc).__name__
    text = hide_secrets(text[:_TEXT_CHARACTERS])
    hint = ""
    if isinstance(exc, ModuleNotFoundError) and exc.name == "matplotlib":
        hint = f"; {how_to_install('axonlike[matplotlib]')}"
    return PlotterError(f"{what}{f' at {place}' if place else where}: {text}{hint}")


def _place_of(exc: BaseException) -> str:
    """The innermost line that is the user's own; empty if there is none."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return str(Site(exc.filename, exc.lineno or 0))
    for frame, line in reversed(list(traceback.walk_tb(exc.__traceback__))):
        file = frame.f_code.co_filename
        if not is_machinery(frame) and not any(part in file for part in ("site-packages", "dist-packages")):
            return str(Site(file, line))
    return ""


def _where_is(cls: type) -> str:
    code = getattr(inspect.unwrap(cls.draw) if hasattr(cls, "draw") else None, "__code__", None)
    return f" ({Site(code.co_filename, code.co_firstlineno)})" if code is not None else ""
