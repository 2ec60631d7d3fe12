"""The user's own plotter: how it is named, found in another process, and what its figures and answers become."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from axonlike.errors import UsageError
from axonlike.plotting.loading import CalculationReached, is_loading, stop_if_loading
from axonlike.plotting.messages import (
    Counters,
    Frame,
    PlotterName,
    decode,
    encode,
)
from axonlike.plotting.plotter import (
    OwnPlotter,
    PlotterError,
    name_of,
    plotter_named,
    tiles,
)
from tests.components.ui.xscreen import MISSING, XScreen, x_screen

AREA = (320, 200)
ROOT = Path(__file__).resolve().parents[2]


class Plotter:
    """One that can be found by name."""

    class Inner:
        def draw(self) -> None:
            """Nothing."""

    def draw(self, value: Any = None) -> Any:
        """What it was given."""
        return value


Same = type("Plotter", (), {"draw": Plotter.draw, "__module__": __name__})


class NeedsMore:
    def __init__(self, colour: str) -> None:
        self.colour = colour

    def draw(self) -> None:
        """Nothing."""


class Misspelt:
    def drwa(self) -> None:
        """Nothing."""


@pytest.fixture
def viewer() -> Iterator[None]:
    """A process as it was before a plotter was loaded, afterwards."""
    modules, path, argv, environment = dict(sys.modules), list(sys.path), list(sys.argv), dict(os.environ)
    os.environ.pop("MPLBACKEND", None)
    with warnings.catch_warnings():
        yield
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
        pyplot.ioff()
        pyplot.switch_backend("Agg")
    for name in set(sys.modules) - set(modules):
        if name in ("__mp_main__",) or name.startswith("own_"):
            del sys.modules[name]
    sys.modules["__main__"] = modules["__main__"]
    sys.path[:], sys.argv[:] = path, argv
    os.environ.clear()
    os.environ.update(environment)
    importlib.invalidate_caches()


Load = Callable[..., OwnPlotter]


@pytest.fixture
def load(viewer: None, tmp_path: Path) -> Load:
    """Writes a script with a class Own, and loads that as the viewer does."""

    def load(text: str, name: str = "Own") -> OwnPlotter:
        file = tmp_path / "own.py"
        file.write_text(textwrap.dedent(text))
        return OwnPlotter(PlotterName(module="__main__", name=name, file=str(file), path=(str(tmp_path),)))

    return load


def frame(*args: Any, **kwargs: Any) -> Frame:
    """As it comes out of the connection."""
    made = decode(encode(Frame(number=1, call=7, time_s=0.5, args=args, kwargs=kwargs, counters=Counters(offered=7))))
    assert isinstance(made, Frame)
    return made


# -- names


def test_a_class_is_named_by_module_qualified_name_and_where_modules_are_looked_for() -> None:
    name = name_of(Plotter.Inner)
    assert (name.module, name.name, name.file) == (__name__, "Plotter.Inner", "")
    assert name.path == tuple(entry or os.getcwd() for entry in sys.path)


def local() -> type:
    class Local(Plotter):
        pass

    return Local


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Plotter(), "give the class itself"),
        (lambda x: x, "a class with a method draw, not"),
        (3, "a class with a method draw, not 3 (int)"),
        (Misspelt, "Misspelt has no method draw; did you mean 'drwa'?"),
        (NeedsMore, "makes its plotter as NeedsMore(), without arguments: missing a required argument: 'colour'"),
        (local(), "Local is made inside local()"),
        (Same, "Plotter is not the class that was given"),
    ],
)
def test_what_another_process_could_not_find_or_make_is_refused_in_one_sentence(given: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        name_of(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


SCRIPT = """
import sys
from axonlike.errors import UsageError
from axonlike.plotting.plotter import name_of

class Own:
    def draw(self):
        pass

try:
    name = name_of(Own)
    print(name.module, name.name, name.file)
except UsageError as exc:
    print(exc)
"""


def said_by(*command: str, folder: Path, typed: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, input=typed, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_class_of_a_script_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    assert said_by("script.py", folder=tmp_path) == f"__main__ Own {file}\n"


def test_a_script_run_by_another_program_is_still_named_by_its_own_file(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    assert said_by("-m", "cProfile", "script.py", folder=tmp_path).startswith(f"__main__ Own {file}\n")


def test_a_module_run_with_m_is_named_as_that_module(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "calc.py").write_text(SCRIPT)
    assert said_by("-m", "parts.calc", folder=tmp_path) == "parts.calc Own \n"


@pytest.mark.parametrize("command", [("-c", SCRIPT), ("-",)])
def test_a_class_that_no_file_holds_is_refused_with_the_way_out(command: tuple[str, ...], tmp_path: Path) -> None:
    said = said_by(*command, folder=tmp_path, typed=SCRIPT)
    assert "Own was typed into a notebook, an interactive session or python -c" in said
    assert "%%writefile" in said


def test_a_class_typed_into_ipython_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(history_length=0)
shell.history_manager.enabled = False
shell.run_cell({SCRIPT!r})
"""
    said = said_by("-c", program, folder=tmp_path)
    assert "Own was typed into a notebook" in said


def test_a_plotter_is_named_on_a_command_line_by_module_or_file(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("")
    assert plotter_named("lab.plots:Wave.Small").module == "lab.plots"
    by_file = plotter_named(f"{file}:Wave")
    assert (by_file.module, by_file.name, by_file.file, by_file.path) == (
        "__main__",
        "Wave",
        str(file),
        (str(tmp_path),),
    )


@pytest.mark.parametrize("text", ["Wave", ":Wave", "lab.plots:", "lab plots:Wave", "lab.plots:1", "/no/such.py:Wave"])
def test_a_plotter_that_is_not_named_so_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        plotter_named(text)


# -- loading


def test_it_is_loaded_from_its_module_and_draws_what_it_is_given(viewer: None) -> None:
    own = OwnPlotter(name_of(Plotter))
    drawn = own.draw(frame(np.arange(3.0)), AREA)
    assert drawn.args[0].tolist() == [0, 1, 2]
    assert (drawn.number, drawn.call, drawn.time_s, drawn.counters.offered) == (1, 7, 0.5, 7)
    assert own.name == "Plotter"


def test_a_class_that_is_at_hand_needs_no_name(viewer: None) -> None:
    class Local:
        def draw(self, x: float) -> dict[str, float]:
            return {"twice": 2 * x}

    own = OwnPlotter(Local)
    assert own.draw(frame(2.0), AREA).kwargs == {"twice": 4.0}
    assert own.name.endswith("Local")


def test_what_stands_under_the_guard_of_a_script_is_not_run(load: Load, tmp_path: Path) -> None:
    own = load("""
        class Own:
            def draw(self):
                return {"name": __name__}

        if __name__ == "__main__":
            raise SystemExit("the calculation began again")
    """)
    assert own.draw(frame(), AREA).kwargs == {"name": "__mp_main__"}
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]


def test_modules_beside_the_script_are_found(load: Load, tmp_path: Path) -> None:
    (tmp_path / "own_colours.py").write_text("BEST = 'blue'")
    own = load("""
        from own_colours import BEST
        class Own:
            def draw(self):
                return {"best": BEST}
    """)
    assert own.draw(frame(), AREA).kwargs == {"best": "blue"}


def test_objects_of_the_scripts_own_classes_can_be_unpickled_once_it_is_loaded(load: Load) -> None:
    own = load("""
        class State:
            energy = 2.5
        class Own:
            def draw(self, state):
                return {"energy": state.energy}
    """)
    # As a calculation would have pickled it: an object of __main__.State.
    state = pickle.loads(b"c__main__\nState\n)R.")
    assert own.draw(Frame(number=1, args=(state,)), AREA).kwargs == {"energy": 2.5}


def test_a_script_without_a_guard_is_run_as_far_as_to_its_plot_and_no_further(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    own = load("""
        from axonlike.plotting.loading import stop_if_loading

        class Own:
            def draw(self):
                return {"found": True}

        def calculate():
            try:
                stop_if_loading()     # what LivePlot() does first
            except Exception:
                pass
            raise RuntimeError("the calculation began again")

        calculate()
    """)
    assert own.draw(frame(), AREA).kwargs == {"found": True}
    assert "own.py:15, where the calculation begins" in caplog.text
    assert 'put the calculation under if __name__ == "__main__":' in caplog.text


def test_the_same_holds_for_a_module_whose_import_begins_the_calculation(viewer: None, tmp_path: Path) -> None:
    (tmp_path / "own_module.py").write_text(
        "from axonlike.plotting.loading import stop_if_loading\n"
        "class Own:\n    def draw(self): return {'found': True}\n"
        "stop_if_loading()\n"
    )
    own = OwnPlotter(PlotterName(module="own_module", name="Own", path=(str(tmp_path),)))
    assert own.draw(frame(), AREA).kwargs == {"found": True}
    assert type(pickle.loads(b"cown_module\nOwn\n)R.")).__name__ == "Own"


def test_a_plotter_that_comes_after_the_plot_is_explained(load: Load) -> None:
    with pytest.raises(PlotterError) as caught:
        load("""
            from axonlike.plotting.loading import stop_if_loading
            stop_if_loading()
            class Own:
                def draw(self): pass
        """)
    assert "comes after the line that makes the LivePlot (own.py:3)" in str(caught.value)
    assert 'under if __name__ == "__main__":' in str(caught.value)


def test_only_while_a_plotter_is_at_work_is_it_loading(viewer: None, tmp_path: Path) -> None:
    stop_if_loading()
    (tmp_path / "own_asks.py").write_text(
        "from axonlike.plotting.loading import is_loading\n"
        "seen = [is_loading()]\n"
        "class Own:\n"
        "    def __init__(self): seen.append(is_loading())\n"
        "    def draw(self): return {'seen': seen + [is_loading()]}\n"
    )
    own = OwnPlotter(PlotterName(module="own_asks", name="Own", path=(str(tmp_path),)))
    assert not is_loading()
    assert own.draw(frame(), AREA).kwargs == {"seen": [True, True, True]}
    assert not is_loading()


@pytest.mark.parametrize("where", ["__init__", "draw"])
def test_a_plotter_that_makes_a_plot_itself_is_told_so(load: Load, where: str) -> None:
    with pytest.raises(PlotterError, match="makes a LivePlot, and it is what draws one"):
        load(f"""
            from axonlike.plotting.loading import stop_if_loading
            class Own:
                def draw(self): pass
                def {where}(self): stop_if_loading()
        """).draw(frame(), AREA)
    assert not is_loading()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module_at_all", "own.py:1: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("x = 1\nx = )", "own.py:2: SyntaxError: unmatched ')'"),
        ("1 / 0", "own.py:1: ZeroDivisionError"),
        ("raise SystemExit(3)", "own.py:1: SystemExit: 3"),
        ("class Pwn:\n    def draw(self): pass", "no such class when the file is loaded anew; did you mean 'Pwn'?"),
        ("class Own: pass", "Own has no method draw"),
        ("class Own:\n  def __init__(self):\n    self.x = {}['a']\n  def draw(self): pass", "Own() failed at own.py:3"),
    ],
)
def test_what_is_wrong_with_a_script_is_said_with_its_place(load: Load, text: str, said: str) -> None:
    with pytest.raises(PlotterError) as caught:
        load(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_script_that_is_gone_is_said(viewer: None) -> None:
    with pytest.raises(PlotterError, match="cannot be loaded: FileNotFoundError"):
        OwnPlotter(PlotterName(module="__main__", name="Own", file="/no/such/own.py"))


def test_without_matplotlib_a_plotter_that_needs_it_says_what_to_install(load: Load) -> None:
    with pytest.raises(PlotterError, match=r'install "axonlike\[matplotlib\]"'):
        load("raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')")


# -- drawing


def test_a_failed_draw_names_its_line_and_the_next_one_goes_on(load: Load) -> None:
    own = load("""
        class Own:
            def draw(self, x):
                return {"y": self.divide(x)}
            def divide(self, x):
                return 1 / x
    """)
    with pytest.raises(PlotterError) as caught:
        own.draw(frame(0), AREA)
    assert str(caught.value) == "Own.draw() failed at own.py:6: ZeroDivisionError: division by zero"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert own.draw(frame(2), AREA).kwargs == {"y": 0.5}


def test_a_call_that_does_not_fit_draw_names_the_line_of_draw(load: Load) -> None:
    own = load("class Own:\n    def draw(self, x): pass")
    with pytest.raises(PlotterError, match=r"\(own.py:2\): TypeError: .*unexpected keyword argument 'energy'"):
        own.draw(frame(energy=1.0), AREA)


def test_arrays_are_the_plotters_own_to_change(load: Load) -> None:
    own = load("""
        class Own:
            def draw(self, x, pair, *, named):
                x += 1
                pair[0][0] = 5
                named["a"] *= 2
                return {"x": x, "pair": pair[0], "a": named["a"]}
    """)
    shown = own.draw(frame(np.zeros(2), (np.zeros(1), 3), named={"a": np.ones(1)}), AREA).kwargs
    assert {name: value.tolist() for name, value in shown.items()} == {"x": [1, 1], "pair": [5], "a": [2]}


def test_the_size_of_the_picture_is_there_for_who_asks(load: Load) -> None:
    own = load("""
        class Own:
            size_px = None
            def draw(self): return {"size": list(self.size_px)}
    """)
    assert own.draw(frame(), (640, 480)).kwargs == {"size": [640, 480]}


def test_a_frame_is_drawn_once_and_shown_in_each_size_that_is_asked_for(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            calls = 0
            def draw(self):
                self.calls += 1
                plt.figure(1).suptitle(str(self.calls))
    """)
    one, other = frame(), frame()
    sizes = [own.draw(each, size).kwargs["Figure 1"].shape for each, size in
             [(one, AREA), (one, (400, 300)), (other, (400, 300)), (one, AREA)]]  # fmt: skip
    assert sizes == [(200, 320, 3), (300, 400, 3), (300, 400, 3), (200, 320, 3)]
    assert pyplot.figure(1).get_suptitle() == "3"


def test_a_plotter_that_draws_for_a_size_draws_again_for_another(load: Load) -> None:
    own = load("""
        import numpy as np
        class Own:
            size_px = (0, 0)
            def draw(self): return np.zeros((self.size_px[1], self.size_px[0], 3), np.uint8)
    """)
    one = frame()
    assert own.draw(one, AREA).kwargs["picture"].shape == (200, 320, 3)
    assert own.draw(one, (60, 50)).kwargs["picture"].shape == (50, 60, 3)


def test_a_dict_is_handed_on_to_the_viewers_own_panels(load: Load) -> None:
    own = load("class Own:\n    def draw(self, x): return {'twice': 2 * x, 'text': 'half'}")
    shown = own.draw(frame(np.arange(2)), AREA)
    assert shown.args == ()
    assert shown.kwargs["twice"].tolist() == [0, 2]
    assert shown.kwargs["text"] == "half"


def test_a_picture_is_a_copy_of_what_was_returned(load: Load) -> None:
    own = load("""
        import numpy as np
        class Own:
            def __init__(self): self.canvas = np.zeros((4, 6, 3), np.uint8)
            def draw(self):
                self.canvas += 1
                return self.canvas
    """)
    first = own.draw(frame(), AREA).kwargs["picture"]
    second = own.draw(frame(), AREA).kwargs["picture"]
    assert (first.shape, first.max(), second.max()) == ((4, 6, 3), 1, 2)


def test_a_pygame_surface_is_a_picture_the_right_way_up(load: Load) -> None:
    pytest.importorskip("pygame")
    own = load("""
        import pygame
        class Own:
            def draw(self):
                surface = pygame.Surface((5, 3))
                surface.set_at((4, 0), (10, 20, 30))
                return surface
    """)
    picture = own.draw(frame(), AREA).kwargs["picture"]
    assert (picture.shape, picture.dtype) == ((3, 5, 3), np.uint8)
    assert picture[0, 4].tolist() == [10, 20, 30]
    assert picture.sum() == 60


# -- matplotlib

TWO_FIGURES = """
    import matplotlib
    import matplotlib.pyplot as plt
    class Own:
        def __init__(self):
            self.a, self.b = plt.figure(), plt.figure("phase")
            self.a.gca()
            self.line = self.b.gca().plot([0, 1], [0, 0])[0]
        def draw(self, y):
            if y is not None:
                self.line.set_ydata(y)
"""


@pytest.fixture(scope="module")
def pyplot() -> Any:
    """With its fonts open, which it keeps open from the first text on."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    pyplot.title("words and $x^2$")
    pyplot.gcf().canvas.draw()
    pyplot.close("all")
    return pyplot


def test_figures_are_pictures_of_their_panels_size_named_and_in_order(load: Load, pyplot: Any) -> None:
    own = load(TWO_FIGURES)
    shown = own.draw(frame(None), (901, 433)).kwargs
    assert list(shown) == ["Figure 1", "phase"]
    for picture in shown.values():
        assert (picture.shape, picture.dtype, picture.flags.writeable) == ((433, 450, 3), np.uint8, False)
        assert picture.min() < 50 < 250 < picture.max()
    assert not own.own_windows


@pytest.mark.parametrize("size", [(640, 480), (641, 359), (333, 777), (1919, 1080)])
def test_a_figure_has_its_panels_size_to_the_pixel(load: Load, pyplot: Any, size: tuple[int, int]) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def __init__(self): plt.figure(dpi=97.3)
            def draw(self): pass
    """)
    assert own.draw(frame(), size).kwargs["Figure 1"].shape == (size[1], size[0], 3)


def test_only_the_figure_that_changed_is_drawn_again(load: Load, pyplot: Any) -> None:
    own = load(TWO_FIGURES)
    before = own.draw(frame(None), AREA).kwargs
    drawn: list[Any] = []
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.mpl_connect("draw_event", lambda event: drawn.append(event.canvas.figure.number))
    again = own.draw(frame(None), AREA).kwargs
    assert not drawn
    assert all(again[name] is before[name] for name in before)
    changed = own.draw(frame([0, 1]), AREA).kwargs
    assert drawn == [2]
    assert changed["Figure 1"] is before["Figure 1"]
    assert (changed["phase"] != before["phase"]).any()
    own.draw(frame(None), (400, 300))
    assert drawn == [2, 1, 2]


def test_what_the_user_drew_by_hand_is_seen_and_not_drawn_twice(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def draw(self, x, y):
                plt.ioff(); plt.clf(); plt.plot(x, y); plt.ion(); plt.draw(); plt.pause(0.001); plt.show()
    """)
    own.draw(frame([0, 1], [0, 0]), AREA)
    drawn: list[Any] = []
    pyplot.figure(1).canvas.mpl_connect("draw_event", drawn.append)
    first = own.draw(frame([0, 1], [0, 1]), AREA).kwargs["Figure 1"]
    assert len(drawn) == 1
    second = own.draw(frame([0, 1], [1, 0]), AREA).kwargs["Figure 1"]
    assert (first != second).any()
    assert first.shape == (200, 320, 3)


def test_the_figure_that_pyplot_draws_into_stays_the_same(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def __init__(self): plt.figure(); plt.figure(); plt.figure(1)
            def draw(self): return {"active": plt.gcf().number} if self.later else None
            later = False
    """)
    own.draw(frame(), AREA)
    assert pyplot.gcf().number == 1


def test_a_closed_figure_goes_and_a_new_one_comes(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def draw(self, name):
                plt.close("all")
                plt.figure(name).gca().plot([1, 2])
    """)
    assert list(own.draw(frame("a"), AREA).kwargs) == ["a"]
    assert list(own.draw(frame("b"), AREA).kwargs) == ["b"]


def test_figures_of_one_name_are_told_apart(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def draw(self):
                for _ in range(3): plt.figure().set_label("flux")
    """)
    assert list(own.draw(frame(), AREA).kwargs) == ["flux", "flux (2)", "flux (3)"]


@pytest.mark.parametrize("returned", ["figure", "figure.axes[0]", "figure.axes[0].lines", "tuple(figure.axes)"])
def test_a_figure_of_ones_own_is_drawn_without_pyplot(load: Load, pyplot: Any, returned: str) -> None:
    own = load(f"""
        from matplotlib.figure import Figure
        class Own:
            def draw(self, x):
                figure = Figure()
                figure.add_subplot().plot(x)
                return {returned}
    """)
    shown = own.draw(frame([1, 2, 1]), AREA).kwargs
    assert list(shown) == ["figure"]
    assert shown["figure"].shape == (200, 320, 3)
    assert not pyplot.get_fignums()


def test_several_returned_figures_share_the_area(load: Load, pyplot: Any) -> None:
    own = load("""
        from matplotlib.figure import Figure
        class Own:
            def __init__(self): self.figures = [Figure(), Figure()]
            def draw(self, mixed):
                return {"left": self.figures[0], "n": 3} if mixed else self.figures
    """)
    assert [(name, value.shape) for name, value in own.draw(frame(False), AREA).kwargs.items()] == [
        ("figure 1", (200, 160, 3)), ("figure 2", (200, 160, 3)),
    ]  # fmt: skip
    mixed = own.draw(frame(True), AREA).kwargs
    assert (mixed["left"].shape, mixed["n"]) == ((200, 160, 3), 3)


def test_a_transparent_figure_lies_on_white(load: Load, pyplot: Any) -> None:
    own = load("""
        from matplotlib.figure import Figure
        class Own:
            def draw(self): return Figure(facecolor=(1, 0, 0, 0.5))
    """)
    assert own.draw(frame(), AREA).kwargs["figure"][0, 0].tolist() == pytest.approx([255, 127, 127], abs=1)


def test_a_figure_that_cannot_be_drawn_is_an_error_of_the_plotter(load: Load, pyplot: Any) -> None:
    own = load("""
        import matplotlib.pyplot as plt
        class Own:
            def draw(self, title): plt.title(title)
    """)
    with pytest.raises(PlotterError, match=r"what Own.draw\(\) drew cannot be shown.*: ValueError: .*x\^"):
        own.draw(frame("$x^$"), AREA)
    assert own.draw(frame("$x^2$"), AREA).kwargs["Figure 1"].shape == (200, 320, 3)


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "widget", ""])
def test_the_backend_of_a_notebook_is_not_taken_over(load: Load, backend: str) -> None:
    os.environ["MPLBACKEND"] = backend
    load("class Own:\n    def draw(self): pass")
    assert os.environ["MPLBACKEND"] == "Agg"


def test_the_backend_that_the_user_chose_is_kept(load: Load) -> None:
    os.environ["MPLBACKEND"] = "svg"
    load("class Own:\n    def draw(self): pass")
    assert os.environ["MPLBACKEND"] == "svg"


OWN_WINDOWS = """
import sys
sys.path.insert(0, sys.argv[1])
from axonlike.plotting.messages import Frame, PlotterName
from axonlike.plotting.plotter import OwnPlotter
own = OwnPlotter(PlotterName(module="own_tk", name="Own", path=(sys.argv[1],)))
print("made", flush=True)
sys.stdin.readline()
shown = own.draw(Frame(number=1, args=([0, 1], [1, 3])), (320, 200))
print("drawn", shown.kwargs, own.own_windows, own.closed, flush=True)
if not own.own_windows:
    raise SystemExit
while not own.closed:
    own.pump()
print("closed")
"""
TK_PLOTTER = """
import matplotlib.pyplot as plt
class Own:
    def __init__(self):
        self.figure, self.axes = plt.subplots(num="pendulum")
        plt.figure("second")  # closed by what is pressed in the first
        plt.figure("pendulum")
        self.figure.canvas.mpl_connect("key_press_event", lambda event: plt.close("all"))
    def draw(self, x, y):
        return self.axes.plot(x, y)
"""
LATE_TK_PLOTTER = """
import matplotlib.pyplot as plt
class Own:
    def draw(self, x, y):
        plt.plot(x, y)
"""


@pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")
def test_with_a_window_systems_backend_the_users_own_windows_are_shown_and_answer(tmp_path: Path) -> None:
    pytest.importorskip("tkinter")
    pytest.importorskip("matplotlib")
    with x_screen((800, 600)) as screen, own_windows(screen, tmp_path, TK_PLOTTER) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        assert running.stdout.readline() == "made\n"
        (window,) = screen.xdotool("search", "--sync", "--name", "^pendulum$").split()  # before there is any frame
        running.stdin.write("draw\n")
        running.stdin.flush()
        assert running.stdout.readline() == "drawn {} True False\n"
        screen.focus(window)
        screen.key("x")
        assert running.stdout.readline() == "closed\n"


@pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")
def test_figures_that_come_later_are_pictures_with_any_backend(tmp_path: Path) -> None:
    pytest.importorskip("tkinter")
    pytest.importorskip("matplotlib")
    with x_screen((800, 600)) as screen, own_windows(screen, tmp_path, LATE_TK_PLOTTER) as running:
        said, _ = running.communicate("draw\n")
        assert said.startswith("made\ndrawn {'Figure 1': array(")
        assert said.endswith("dtype=uint8)} False False\n")


@contextlib.contextmanager
def own_windows(screen: XScreen, folder: Path, plotter: str) -> Iterator[subprocess.Popen[str]]:
    """A process with this plotter, which may open windows on that screen."""
    (folder / "own_tk.py").write_text(plotter)
    running = subprocess.Popen(
        [sys.executable, "-c", OWN_WINDOWS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**screen.environment, "MPLBACKEND": "TkAgg", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with running:
        try:
            yield running
        finally:
            with contextlib.suppress(ProcessLookupError):
                running.kill()


# -- sizes


@pytest.mark.parametrize(
    ("number", "size"),
    [(1, (300, 200)), (2, (150, 200)), (3, (150, 100)), (4, (150, 100)), (5, (100, 100)), (9, (100, 66))],
)
def test_tiles_fill_the_area(number: int, size: tuple[int, int]) -> None:
    assert tiles(number, (300, 200)) == size


def test_the_viewer_may_say_the_sizes_itself(load: Load, pyplot: Any) -> None:
    asked: list[int] = []

    def size_of(number: int) -> tuple[int, int]:
        asked.append(number)
        return 100, 40 * number

    shown = load(TWO_FIGURES).draw(frame(None), AREA, size_of).kwargs
    assert [picture.shape for picture in shown.values()] == [(80, 100, 3)] * 2
    assert 2 in asked


def test_calculation_reached_is_not_caught_by_except_exception() -> None:
    assert not issubclass(CalculationReached, Exception)


def test_a_name_goes_over_the_wire_as_it_is() -> None:
    name = name_of(Plotter)
    assert msgspec.convert(msgspec.to_builtins(name), PlotterName) == name
