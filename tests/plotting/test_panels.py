"""Panels and the strip of parameters as they are drawn: colours where the data is, and what the mouse finds there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from axonlike.components.ui.colormaps import colormap
from axonlike.components.ui.fonts import SystemFonts
from axonlike.components.ui.instrument import TRACES
from axonlike.components.ui.theme import ACCENT, TEXT, WARNING, Theme
from axonlike.components.ui.waterfall import MISSED
from axonlike.plotting.messages import Counters, Panel
from axonlike.plotting.panels.curves import CurvesPanel
from axonlike.plotting.panels.image import ImagePanel
from axonlike.plotting.panels.kinds import PANELS
from axonlike.plotting.panels.panel import PlotPanel
from axonlike.plotting.panels.pen import Pen
from axonlike.plotting.panels.picture import PicturePanel
from axonlike.plotting.panels.status import Status, draw_status
from axonlike.plotting.panels.strip import ParamStrip
from axonlike.plotting.panels.text import TextPanel
from axonlike.plotting.panels.trail import Trail
from axonlike.plotting.params import Param
from axonlike.plotting.shown import Shown, panels_of

pygame = pytest.importorskip("pygame", reason="pygame is not installed")

SIZE = (500, 400)
SYSTEM = SystemFonts()  # it asks fontconfig once, not in each test


@pytest.fixture
def pen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pen]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.font.init()
    theme = Theme(pygame, system=SYSTEM)
    yield Pen(pygame, theme)
    theme.forget()
    pygame.font.quit()


def panel_of(pen: Pen, value: Any, hint: Panel | None = None, *, name: str = "v", now_s: float = 0.0) -> PlotPanel:
    """The panel of a value, placed."""
    (shown,) = panels_of((), {name: value}, {name: hint} if hint else {}).values()
    panel = PANELS[shown.kind](pen, name)
    if isinstance(panel, CurvesPanel) and shown.kind == "history":
        panel.trail = Trail()
        panel.trail.add(1, shown.value)
    panel.place(pygame.Rect(0, 0, *SIZE))
    panel.show(shown, now_s)
    return panel


def drawn(panel: PlotPanel) -> npt.NDArray[np.uint8]:
    """The picture, (x, y, 3)."""
    surface = pygame.Surface(SIZE, 0, 32)
    panel.draw(surface)
    return np.array(pygame.surfarray.array3d(surface))


def plot_of(panel: PlotPanel) -> npt.NDArray[np.uint8]:
    """... of its plot only."""
    whole = drawn(panel)
    plot = panel.plot
    return whole[plot.left : plot.right, plot.top : plot.bottom]


def like(picture: npt.NDArray[np.uint8], colour: Any, within: int = 40) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (np.abs(picture.astype(int) - np.array(colour)) <= within).all(axis=-1)
    return found


# -- all kinds


@pytest.mark.parametrize(
    "value", [1.0, np.arange(9.0), np.ones((9, 9)), np.ones((9, 9, 3), np.uint8), "words\n\twith lines" * 99, [],
              np.empty((0, 9)), np.empty((0, 9, 3), np.uint8), np.full(5, np.nan), np.full((9, 9), np.nan), 10**400],
    ids=lambda value: "",
)  # fmt: skip
@pytest.mark.parametrize("size", [(500, 400), (90, 70), (30, 20), (3, 400), (400, 3)])
def test_every_kind_can_be_drawn_in_any_size_zoomed_moved_and_asked(
    pen: Pen, value: Any, size: tuple[int, int]
) -> None:
    panel = panel_of(pen, value)
    panel.place(pygame.Rect(5, 5, *size))
    for _ in range(2):
        drawn(panel)
        x, y = panel.plot.center
        panel.point(x, y)
        for factor in (0.1, 30.0, 0.5):
            panel.zoom(x, y, factor)
            panel.move(40, -30)
            drawn(panel)
        panel.toggle_log("y")
        panel.toggle_log("x")
        panel.table()
    panel.reset()
    drawn(panel)


def test_nothing_is_drawn_outside_of_a_panel(pen: Pen) -> None:
    for value in (np.arange(9.0), np.ones((9, 9)), np.ones((99, 99, 3), np.uint8), "words " * 999, 1.0):
        panel = panel_of(pen, value)
        panel.place(pygame.Rect(100, 80, 240, 180))
        surface = pygame.Surface(SIZE, 0, 32)
        surface.fill((255, 0, 255))
        panel.draw(surface)
        panel.zoom(*panel.plot.center, 0.2)
        panel.draw(surface)
        surface.fill((255, 0, 255), panel.rect)
        assert like(np.array(pygame.surfarray.array3d(surface)), (255, 0, 255), 0).all()


# -- lines


def test_a_line_stands_where_its_values_are(pen: Pen) -> None:
    panel = panel_of(pen, np.linspace(0.0, 10.0, 50))
    plot = plot_of(panel)
    for part in (0.1, 0.5, 0.9):
        column = int(part * plot.shape[0])
        rows = np.flatnonzero(like(plot[column], TRACES[0]))
        x, y = panel.point(panel.plot.left + column, panel.plot.top + int(rows.mean())) or (0.0, 0.0)
        assert x == pytest.approx(part * 49, abs=0.2)
        assert y == pytest.approx(part * 10, abs=0.1)


def test_each_line_has_a_colour_of_its_own_and_a_name(pen: Pen) -> None:
    panel = panel_of(pen, (np.arange(9.0), np.zeros(9), np.ones(9), np.full(9, 2.0)))
    whole = drawn(panel)
    for colour in TRACES[:3]:
        assert like(whole, colour, 8).sum() > 300
    assert not like(whole, TRACES[3], 8).any()


def test_values_of_0_or_less_are_gaps_on_a_logarithmic_axis_and_that_is_said(pen: Pen) -> None:
    panel = panel_of(pen, np.array([1.0, 10.0, 0.0, -5.0, 100.0, 1000.0]), Panel(log_y=True))
    assert panel.remark == "log: 2 values of 0 or less left out"
    plot = plot_of(panel)
    gap = plot[int(plot.shape[0] * 0.42) : int(plot.shape[0] * 0.58), : panel.plot.height - 30]
    assert not like(gap, TRACES[0]).any()
    assert like(drawn(panel), WARNING).any()
    assert panel.toggle_log("y") == ""
    assert panel.remark == ""


def test_the_user_s_logarithm_stays_when_the_next_frame_comes(pen: Pen) -> None:
    panel = panel_of(pen, np.array([1.0, 10.0, 100.0]))
    panel.toggle_log("y")
    panel.show(panels_of((), {"v": np.array([2.0, 20.0])}, {})["v"], 1.0)
    assert isinstance(panel, CurvesPanel)
    assert panel.log_y


def test_a_zoomed_view_stays_when_the_next_frame_comes_until_it_is_reset(pen: Pen) -> None:
    panel = panel_of(pen, np.arange(100.0))
    assert isinstance(panel, CurvesPanel)
    drawn(panel)
    before = panel.x_view
    panel.zoom(*panel.plot.center, 0.5)
    zoomed = panel.x_view, panel.y_view
    panel.show(panels_of((), {"v": np.arange(500.0)}, {})["v"], 1.0)
    assert (panel.x_view, panel.y_view) == zoomed
    assert zoomed[0] != before
    panel.reset()
    assert panel.x_view == (0.0, 499.0)


def test_zoom_may_be_across_or_up_only(pen: Pen) -> None:
    panel = panel_of(pen, np.arange(100.0))
    assert isinstance(panel, CurvesPanel)
    drawn(panel)
    x, y = panel.x_view, panel.y_view
    panel.zoom(*panel.plot.center, 0.5, down=False)
    assert panel.x_view != x
    assert panel.y_view == y


def test_limits_of_a_hint_go_before_the_data(pen: Pen) -> None:
    panel = panel_of(pen, np.arange(10.0), Panel(low=-5.0, high=5.0))
    assert isinstance(panel, CurvesPanel)
    assert panel.y_view == (-5.0, 5.0)
    beyond = panel_of(pen, np.arange(10.0), Panel(low=50.0))
    assert isinstance(beyond, CurvesPanel)
    assert beyond.y_view[0] == 50.0


def test_a_history_shows_all_calls_and_the_newest_number(pen: Pen) -> None:
    panel = CurvesPanel(pen, "energy")
    panel.trail = Trail()
    panel.place(pygame.Rect(0, 0, *SIZE))
    for call in range(1, 200):
        panel.trail.add(call, call / 10)
        panel.show(Shown("history", value=call / 10), call / 30)
    assert panel.table()[1] == [1.0, 0.1]
    assert len(panel.table()) == 200
    whole = drawn(panel)
    assert like(whole[300:490, 4:30], TRACES[0]).any(), "the number in the header"
    assert like(plot_of(panel), TRACES[0]).sum() > 200


def test_a_spectrum_is_filled_below(pen: Pen) -> None:
    plot = plot_of(panel_of(pen, np.full(64, -20.0), Panel(kind="spectrum", low=-100.0, high=0.0)))
    middle = plot.shape[0] // 2
    assert plot[middle, int(plot.shape[1] * 0.5)].sum() > plot[middle, int(plot.shape[1] * 0.1)].sum() + 20


def test_points_are_not_joined(pen: Pen) -> None:
    plot = plot_of(panel_of(pen, (np.array([0.0, 1.0]), np.array([0.0, 1.0])), Panel(kind="points")))
    assert 10 < like(plot, TRACES[0]).sum() < 80


# -- fields


def test_a_field_has_row_0_at_the_bottom_and_a_colour_for_each_value(pen: Pen) -> None:
    field = np.zeros((10, 20))
    field[0, 19] = 1.0
    panel = panel_of(pen, field)
    plot = plot_of(panel)
    dark, bright = colormap("viridis", 255)[0], colormap("viridis", 255)[-1]
    assert like(plot[-10, -10], bright, 6)
    assert like(plot[10, 10], dark, 6)
    assert like(plot[-10, 10], dark, 6)
    assert panel.plot.width == pytest.approx(2 * panel.plot.height, abs=2), "square cells"
    x, y = panel.point(panel.plot.right - 5, panel.plot.bottom - 5) or (0.0, 0.0)
    assert (round(x), round(y)) == (19, 0)


def test_the_bar_of_colours_stands_beside_a_field(pen: Pen) -> None:
    panel = panel_of(pen, np.arange(100.0).reshape(10, 10), Panel(colours="inferno"))
    whole = drawn(panel)
    bar = whole[panel.plot.right + 18, panel.plot.top + 2 : panel.plot.bottom - 2]
    assert like(bar[0], colormap("inferno", 255)[-1], 20)
    assert like(bar[-1], colormap("inferno", 255)[0], 20)


def test_what_is_no_number_has_a_colour_of_its_own(pen: Pen) -> None:
    field = np.arange(100.0).reshape(10, 10)
    field[5, 5] = np.nan
    assert 0 < like(plot_of(panel_of(pen, field)), MISSED, 0).mean() < 0.02


def test_colours_are_logarithmic_if_asked(pen: Pen) -> None:
    field = np.tile([1e-4, 1e-2, 1.0], (20, 10)).reshape(20, 30)
    panel = panel_of(pen, field, Panel(log_y=True, low=1e-4, high=1.0))
    assert isinstance(panel, ImagePanel)
    assert panel.levels == (1e-4, 1.0)
    middle = colormap("viridis", 255)[127]
    assert 0.25 < like(plot_of(panel), middle, 10).mean() < 0.4
    assert panel.toggle_log("x") == "the x axis of an image is not logarithmic"


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", ">f4", "f2"])
def test_fields_of_any_real_dtype_are_drawn(pen: Pen, dtype: str) -> None:
    field = (np.indices((20, 20)).sum(axis=0) % 2).astype(dtype)
    plot = plot_of(panel_of(pen, field))
    bright = like(plot, colormap("viridis", 255)[-1], 6).mean()
    assert bright == pytest.approx(0.5, abs=0.1)


def test_a_field_is_zoomed_within_its_edges_to_one_cell_at_most(pen: Pen) -> None:
    panel = panel_of(pen, np.arange(400.0).reshape(20, 20))
    assert isinstance(panel, ImagePanel)
    drawn(panel)
    for _ in range(40):
        panel.zoom(*panel.plot.center, 0.7)
    assert 1.0 <= panel.x_view[1] - panel.x_view[0] < 2
    panel.move(100_000, 0)
    assert panel.x_view[0] == -0.5
    for _ in range(40):
        panel.zoom(*panel.plot.center, 1.5)
    assert panel.x_view == (-0.5, 19.5)


def test_steps_of_the_x_axis_may_run_backwards(pen: Pen) -> None:
    field = np.zeros((10, 10))
    field[:, 0] = 1
    panel = panel_of(pen, field, Panel(x_start=5.0, x_step=-0.5))
    plot = plot_of(panel)
    assert like(plot[-5, 50], colormap("viridis", 255)[-1], 6)
    x, _ = panel.point(panel.plot.right - 2, panel.plot.centery) or (0.0, 0.0)
    assert x == pytest.approx(5.25, abs=0.05)


def test_a_large_field_is_drawn_with_its_own_colours(pen: Pen) -> None:
    plot = plot_of(panel_of(pen, np.tile(np.linspace(0, 1, 3000), (2000, 1))))
    assert like(plot[3, 100], colormap("viridis", 255)[2], 12)
    assert like(plot[-3, 100], colormap("viridis", 255)[-3], 12)


# -- pictures


def test_a_picture_keeps_its_shape_and_its_colours_row_0_at_the_top(pen: Pen) -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = (255, 0, 0)
    panel = panel_of(pen, pixels)
    plot = plot_of(panel)
    red = like(plot, (255, 0, 0), 5)
    columns, rows = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert len(columns) == pytest.approx(panel.plot.height, abs=2)
    assert rows[0] == 0
    assert len(rows) == pytest.approx(panel.plot.height / 2, abs=20)
    assert panel.point(panel.plot.left + 2, panel.plot.centery) is None, "beside the picture"
    x, y = panel.point(panel.plot.centerx, panel.plot.top + 1) or (9.0, 9.0)
    assert x == pytest.approx(5, abs=0.1)
    assert y < 0.2


def test_a_figure_that_fits_is_shown_pixel_for_pixel(pen: Pen) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 500, 3), np.uint8)
    panel = PANELS["figure"](pen, "figure")
    panel.place(pygame.Rect(0, 0, *SIZE))
    panel.show(Shown("figure", field=pixels), 0.0)
    assert (drawn(panel)[1:-1, 1:-1] == pixels.swapaxes(0, 1)[1:-1, 1:-1]).all()


def test_what_is_under_the_pointer_stays_there_when_a_picture_is_zoomed_and_moved(pen: Pen) -> None:
    panel = panel_of(pen, np.zeros((100, 200, 3), np.uint8))
    assert isinstance(panel, PicturePanel)
    drawn(panel)
    place = panel.plot.centerx + 60, panel.plot.centery - 20
    before = panel.point(*place)
    assert before is not None
    panel.zoom(*place, 0.25)
    assert panel.point(*place) == pytest.approx(before, abs=0.2)
    panel.move(30, 10)
    assert panel.point(place[0] + 30, place[1] + 10) == pytest.approx(before, abs=0.2)
    panel.reset()
    assert panel.point(*place) == pytest.approx(before)


# -- words


def test_words_are_wrapped_and_end_with_the_room(pen: Pen) -> None:
    panel = panel_of(pen, "word " * 3000)
    assert isinstance(panel, TextPanel)
    whole = drawn(panel)
    written = like(whole, TEXT, 60)
    assert written[:, 380:].sum() < written[:, 340:380].sum()
    assert written.sum() > 3000


# -- parameters


PARAMS = {
    "a": Param(0.5, low=0.0, high=1.0),
    "switch": Param(True),
    "scheme": Param("x", choices=("x", "y")),
    "n": Param(5),
    "long": Param("first of many", choices=("first of many", "second of many", "third of many")),
    "name": Param("words"),
}


@pytest.fixture
def strip(pen: Pen) -> ParamStrip:
    strip = ParamStrip(pen, PARAMS, {"a": 0.25, "unknown": 1}, enabled=True)
    strip.place(pygame.Rect(200, 10, 260, 390))
    return strip


def center(strip: ParamStrip, name: str) -> tuple[int, int]:
    row = next(row for row in strip._rows if row.name == name)
    return int(row.control.centerx), int(row.control.centery)


def test_values_begin_as_they_are_and_follow_what_is_set_elsewhere(strip: ParamStrip) -> None:
    assert strip.values == {"a": 0.25, "switch": True, "scheme": "x", "n": 5, "long": "first of many", "name": "words"}
    strip.take({"a": 0.75, "n": 9})
    assert (strip.values["a"], strip.values["n"]) == (0.75, 9)


def test_a_slider_is_dragged(strip: ParamStrip) -> None:
    x, y = center(strip, "a")
    assert strip.press(x, y) == ("a", 0.5)
    assert strip.press(x, y) is None, "nothing has changed"
    assert strip.drag(x + 5000, y + 300) == ("a", 1.0)
    strip.take({"a": 0.1})
    assert strip.values["a"] == 1.0, "the user has it in hand"
    strip.release()
    strip.take({"a": 0.1})
    assert strip.values["a"] == 0.1
    assert strip.drag(x, y) is None


def test_switches_and_choices_are_clicked(strip: ParamStrip) -> None:
    assert strip.press(*center(strip, "switch")) == ("switch", False)
    x, y = center(strip, "scheme")
    assert strip.press(x + 80, y) == ("scheme", "y")
    assert strip.press(x - 80, y) == ("scheme", "x")
    x, y = center(strip, "long")
    assert strip.press(x + 90, y) == ("long", "second of many")
    assert strip.press(x - 90, y) == ("long", "first of many")
    assert strip.press(x - 90, y) == ("long", "third of many")


def test_the_wheel_and_keys_step_what_is_below_the_pointer(strip: ParamStrip) -> None:
    x, y = center(strip, "a")
    assert strip.wheel(x, y, 2) == ("a", 0.27)
    assert strip.key("left", x, y) == (True, ("a", 0.26))
    assert strip.key("return", *center(strip, "switch")) == (True, ("switch", False))
    assert strip.key("right", *center(strip, "scheme")) == (True, ("scheme", "y"))
    assert strip.key("right", *center(strip, "n")) == (False, None)
    assert strip.key("right", 5, 5) == (False, None)


def test_a_field_is_typed_into_and_what_is_no_value_is_marked_and_not_set(strip: ParamStrip, pen: Pen) -> None:
    assert strip.press(*center(strip, "n")) is None
    assert strip.is_editing
    strip.editor.insert("7x")
    strip.typed()
    assert strip.submit() is None
    assert strip.is_editing
    surface = pygame.Surface(SIZE, 0, 32)
    strip.draw(surface)
    assert like(np.array(pygame.surfarray.array3d(surface)), WARNING, 10).sum() > 100
    strip.editor.backspace()
    strip.typed()
    assert strip.submit() == ("n", 7)
    assert not strip.is_editing
    strip.draw(surface)
    assert not like(np.array(pygame.surfarray.array3d(surface)), WARNING, 10).any()


def test_a_field_that_is_left_sets_a_value_and_forgets_what_is_none(strip: ParamStrip) -> None:
    strip.press(*center(strip, "n"))
    strip.editor.insert("8")
    assert strip.press(*center(strip, "name")) == ("n", 8)
    strip.cancel()
    strip.press(*center(strip, "n"))
    strip.editor.insert("x")
    assert strip.finish() is None
    assert strip.values["n"] == 8


def test_nothing_can_be_set_where_that_is_not_allowed(pen: Pen) -> None:
    strip = ParamStrip(pen, PARAMS, {}, enabled=False)
    strip.place(pygame.Rect(0, 0, 260, 390))
    for name in PARAMS:
        assert strip.press(*center(strip, name)) is None
        assert strip.wheel(*center(strip, name), 1) is None
        assert strip.key("right", *center(strip, name)) == (False, None)
        assert not strip.is_editing
    surface = pygame.Surface(SIZE, 0, 32)
    strip.draw(surface)
    assert not like(np.array(pygame.surfarray.array3d(surface)), ACCENT, 6).any(), "it is greyed"


def test_more_parameters_than_have_room_are_scrolled_by_the_wheel_beside_controls(pen: Pen) -> None:
    strip = ParamStrip(pen, {f"p{n}": Param(n, low=0, high=99) for n in range(30)}, {}, enabled=True)
    strip.place(pygame.Rect(0, 0, 260, 390))
    x, y = center(strip, "p29")
    assert y > 390
    for _ in range(60):
        assert strip.wheel(30, 20, -1) is None
    x, y = center(strip, "p29")
    assert y < 390
    assert strip.press(x, y) == ("p29", 50)
    strip.draw(pygame.Surface(SIZE, 0, 32))


# -- the status line


def test_the_status_line_says_what_it_costs() -> None:
    counters = Counters(offered=1000, sent=30, drawn=29, dropped=970, worst_call_s=4.2e-5)
    assert Status("live", 30, 1000, 29.6, counters).parts() == [
        "frame 30 · call 1\N{NARROW NO-BREAK SPACE}000",
        "30 frames/s",
        "offered 1\N{NARROW NO-BREAK SPACE}000 · sent 30 · drawn 29 · dropped 970",
        "worst call 42 µs",
    ]
    assert Status("waiting for data").parts() == []


@pytest.mark.parametrize("width", [10, 60, 300, 1200])
def test_the_status_line_stays_within_its_room(pen: Pen, width: int) -> None:
    surface = pygame.Surface((width, 30), 0, 32)
    status = Status("the calculation has ended: " + "x" * 400, 1, 1, 30.0, Counters(offered=1), "film", ("a note", "b"))
    draw_status(pen, surface, pygame.Rect(0, 0, width, 30), status)
