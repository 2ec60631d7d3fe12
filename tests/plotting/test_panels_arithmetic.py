"""What panels compute before they draw: scales, ticks, calm ranges, lines as pixels, histories, sliders, grids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from axonlike.errors import UsageError
from axonlike.plotting.panels.grid import grid
from axonlike.plotting.panels.ranges import (
    PanelScale,
    SteadyRange,
    drawable,
    extent,
    panel_ticks,
    rounded,
    short_number,
)
from axonlike.plotting.panels.raster import column_spans, line_alpha, path_alpha, points_alpha
from axonlike.plotting.panels.strip import read_value, slider_part, slider_value, stepped
from axonlike.plotting.panels.trail import Trail
from axonlike.plotting.params import Param

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-250, max_value=1e250)

# -- scales


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-3, 1e9), place=st.floats(0, 1), upwards=st.booleans())
def test_a_value_is_found_again_at_its_pixel(low: float, span: float, place: float, upwards: bool) -> None:
    scale = PanelScale(low, low + span, 300.0 if upwards else 10.0, 10.0 if upwards else 300.0)
    value = low + place * span
    assert math.isclose(scale.value(scale.pixel(value)), value, rel_tol=1e-9, abs_tol=1e-6 * span)
    assert scale.pixels(np.array([value]))[0] == pytest.approx(scale.pixel(value))


@given(low=positive, factor=st.floats(1.01, 1e40), place=st.floats(0, 1))
def test_a_value_is_found_again_on_a_logarithmic_scale(low: float, factor: float, place: float) -> None:
    scale = PanelScale(low, low * factor, 10.0, 300.0, log=True)
    value = low * factor**place
    assert math.isclose(scale.value(scale.pixel(value)), value, rel_tol=1e-6)


def test_what_is_0_or_less_has_no_place_on_a_logarithmic_scale() -> None:
    scale = PanelScale(0.1, 10, 0.0, 100.0, log=True)
    assert math.isnan(scale.pixel(0))
    assert np.isnan(scale.pixels(np.array([-1.0, 0.0, np.nan, 1.0]))).tolist() == [True, True, True, False]
    assert scale.pixel(1.0) == pytest.approx(50)


@pytest.mark.parametrize("log", [False, True])
def test_what_is_under_the_pointer_stays_there_when_it_is_zoomed(log: bool) -> None:
    scale = PanelScale(1.0, 100.0, 300.0, 20.0, log)
    before = scale.value(90.0)
    low, high = scale.changed(factor=0.5, at=90.0)
    assert PanelScale(low, high, 300.0, 20.0, log).value(90.0) == pytest.approx(before)
    assert math.log(high / low) < math.log(100) if log else high - low == pytest.approx(49.5)


@pytest.mark.parametrize("log", [False, True])
def test_what_was_grabbed_follows_the_pointer(log: bool) -> None:
    scale = PanelScale(1.0, 100.0, 300.0, 20.0, log)
    grabbed = scale.value(90.0)
    moved = PanelScale(*scale.changed(moved_px=25.0), 300.0, 20.0, log)
    assert moved.value(115.0) == pytest.approx(grabbed)


@given(low=finite, high=finite, factor=st.sampled_from([1e-30, 0.5, 2.0, 1e30]), log=st.booleans())
def test_no_zoom_leads_to_a_range_that_cannot_be_drawn(low: float, high: float, factor: float, log: bool) -> None:
    low, high = drawable(low, high, log=log)
    assert low < high
    scale = PanelScale(low, high, 0.0, 500.0, log)
    for _ in range(3):
        low, high = scale.changed(factor=factor, at=200.0)
        scale = PanelScale(low, high, 0.0, 500.0, log)
        assert math.isfinite(scale.pixel(low))
        assert scale.pixel(high) == pytest.approx(500)
        panel_ticks(low, high, 5, "V", log=log)


# -- ranges


def test_an_extent_is_of_what_is_finite() -> None:
    assert extent(np.array([3.0, np.nan, -np.inf, 1.0, np.inf])) == (1.0, 3.0)
    assert extent(np.array([np.nan])) is None
    assert extent(np.empty(0)) is None
    assert extent(np.array([-1.0, 0.0, 2.0, 5.0]), log=True) == (2.0, 5.0)
    assert extent(np.array([-1.0]), log=True) is None
    assert extent(np.array([True, False])) == (0.0, 1.0)


@given(finite, finite)
def test_a_rounded_range_holds_the_data(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    assume(low > -1e290 and high < 1e290)
    bottom, top = rounded(low, high)
    assert bottom <= low
    assert high <= top
    assert bottom < top


def test_data_that_is_nowhere_negative_is_shown_from_0() -> None:
    assert rounded(0.0, 1.0)[0] == 0.0
    assert rounded(-1.0, 0.0)[1] == 0.0


def test_a_range_grows_at_once_and_narrows_after_two_calm_seconds() -> None:
    steady = SteadyRange()
    first = steady.follow((0.0, 10.0), 0.0)
    assert steady.follow((0.0, 9.0), 0.1) == first
    wider = steady.follow((0.0, 30.0), 0.2)
    assert wider[1] >= 30
    assert steady.follow((0.0, 3.0), 1.0) == wider
    assert steady.follow((0.0, 25.0), 2.0) == wider  # it was needed once more
    assert steady.follow((0.0, 3.0), 3.1) == wider
    assert steady.follow((0.0, 3.0), 5.0) == wider
    assert steady.follow((0.0, 3.0), 5.2)[1] < 4


def test_small_changes_of_the_data_do_not_move_a_range() -> None:
    steady, random = SteadyRange(), np.random.default_rng(0)
    ranges = {steady.follow((-1 - random.uniform(0, 0.02), 1 + random.uniform(0, 0.02)), n / 30) for n in range(300)}
    assert len(ranges) == 1


def test_the_calls_of_a_history_have_room_to_go_on() -> None:
    steady = SteadyRange()
    ranges = {steady.follow((1.0, float(n)), n / 30, grows=True) for n in range(2, 2000)}
    assert len(ranges) < 40
    assert all(low == 1.0 for low, _ in ranges)


# -- ticks


@pytest.mark.parametrize(
    ("low", "high", "units", "labels", "written"),
    [
        (0.0, 1.0, "", ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"), ""),
        (0.0, 5e-6, "V", ("0", "1", "2", "3", "4", "5"), "µV"),
        (0.0, 5e6, "steps", ("0", "1", "2", "3", "4", "5"), "× 10⁶ steps"),
        (1e-30, 3e-30, "", ("1.0", "1.5", "2.0", "2.5", "3.0"), "× 10⁻³⁰"),
        (1.0000001, 1.0000002, "kg", ("0", "20", "40", "60", "80", "100"), "× 10⁻⁹ + 1.0000001 kg"),
    ],
)
def test_labels_are_short_whatever_the_numbers_are(
    low: float, high: float, units: str, labels: tuple[str, ...], written: str
) -> None:
    ticks = panel_ticks(low, high, 5, units)
    assert (ticks.labels, ticks.units) == (labels, written)


def test_logarithmic_ticks_are_decades_with_faint_lines_between() -> None:
    ticks = panel_ticks(0.005, 200.0, 6, "V", log=True)
    assert ticks.labels == ("0.01", "0.1", "1", "10", "100")
    assert len(ticks.minor) == 4 + 4 * 8  # 0.006 to 0.009, then four whole decades; 200 is the edge itself
    assert panel_ticks(1e-20, 1e10, 6, "", log=True).labels == ("10⁻¹⁸", "10⁻¹²", "10⁻⁶", "10⁰", "10⁶")
    assert panel_ticks(2.0, 7.0, 5, "", log=True).labels == ("2", "3", "4", "5", "6", "7")


@given(low=finite, high=finite, most=st.integers(2, 12), log=st.booleans())
def test_ticks_lie_within_and_are_not_too_many(low: float, high: float, most: int, log: bool) -> None:
    low, high = drawable(min(low, high), max(low, high), log=log)
    ticks = panel_ticks(low, high, most, "s", log=log)
    slack = 1e-6 * (high - low)
    assert all(low - slack <= place <= high + slack for place in ticks.places)
    assert len(ticks.places) == len(ticks.labels) <= max(most, 5) + 2
    assert all(len(label) <= 12 for label in ticks.labels)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-1.23456789, "−1.2346"), (1e-7, "1.0000 × 10⁻⁷"), (123456, "1.2346e+05"), (1234567, "1.2346 × 10⁶"),
        (math.nan, "no number"), (-math.inf, "−∞"),
    ],
)  # fmt: skip
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert short_number(value) == text


# -- lines as pixels


@given(
    points=st.lists(st.tuples(st.floats(0, 99.9), st.floats(0, 60)), min_size=1, max_size=50),
)
def test_each_column_has_all_points_that_fall_into_it(points: list[tuple[float, float]]) -> None:
    x, y = np.array(sorted(points)).T
    low, high = column_spans(x, y, 200)
    for place, value in zip(x, y, strict=True):
        column = int(2 * place)
        assert low[column] <= np.float32(value) <= high[column]


def test_a_spike_of_one_point_in_100_000_is_seen() -> None:
    y = np.full(100_000, 50.0)
    y[43_210] = 3.0
    alpha = line_alpha(np.linspace(0, 200, 100_000), y, 200, 100)
    assert alpha[86, 3:50].min() > 150
    assert alpha[:80, :40].max() == 0


def test_a_line_is_as_thick_when_it_is_steep() -> None:
    flat = line_alpha(np.array([0.0, 100.0]), np.array([50.0, 50.0]), 100, 100)
    steep = line_alpha(np.array([50.0, 50.4]), np.array([0.0, 100.0]), 100, 100)
    assert 0.6 < steep[:, 20:80].sum() / flat[20:80].sum() < 1.6


@pytest.mark.parametrize("gap", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_what_is_no_number_is_a_gap(gap: float, where: str) -> None:
    x, y = np.array([0.0, 40, 50, 60, 100]), np.full(5, 20.0)
    (x if where == "x" else y)[2] = gap
    alpha = line_alpha(x, y, 100, 40)
    assert alpha[10:39].max(axis=1).min() > 150
    assert alpha[62:99].max(axis=1).min() > 150
    assert alpha[42:58].max() == 0


def test_a_line_that_goes_back_is_drawn_whole_and_smooth() -> None:
    angle = np.linspace(0, 2 * np.pi, 400)
    x, y = 50 + 40 * np.cos(angle), 50 + 30 * np.sin(angle)
    alpha = line_alpha(x, y, 100, 100)
    assert (alpha[x.astype(int), y.astype(int)] > 60).all()
    assert alpha[30:70, 40:60].max() == 0
    assert alpha.max() > 200
    assert np.unique(alpha).size > 20


@pytest.mark.parametrize("downwards", [False, True])
def test_a_line_looks_alike_from_both_ends_and_by_both_ways(downwards: bool) -> None:
    x, y = np.linspace(5, 95, 30), np.linspace(90, 10, 30) ** 1.02
    alpha = line_alpha(x[::-1], y[::-1], 100, 100) if downwards else line_alpha(x, y, 100, 100)
    path = path_alpha(x, y, 100, 100)
    assert 0.7 < alpha.sum() / path.sum() < 1.4
    assert (alpha[path > 200] > 80).mean() > 0.95


def test_pieces_far_outside_cost_nothing_and_are_cut_at_the_edge() -> None:
    x, y = np.array([-1e300, 1e300, 0.0]), np.array([50.0, 50.0, 1e300])
    alpha = path_alpha(x, y, 100, 100)
    assert alpha[:, 49:51].max(axis=1).min() > 100
    assert path_alpha(x, y + 500, 100, 100).max() == 0


def test_points_are_dots_where_they_stand_and_nowhere_else() -> None:
    alpha = points_alpha(np.array([20.5, -0.5, 300.0, np.nan]), np.array([30.5, 5.5, 5.0, 5.0]), 100, 60, 2.2)
    assert alpha[20, 30] == 255
    assert alpha[0, 5] > 0
    assert (alpha > 0).sum() < 60
    assert alpha[17, 30] == 0


# -- histories


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400))
def test_a_history_keeps_its_extremes_its_order_and_its_newest_value(values: list[float]) -> None:
    trail = Trail(limit=32)
    for call, value in enumerate(values):
        trail.add(call, value)
    rows = trail.rows()
    assert len(rows) <= 32 + 2 * max(1, len(values) // 16)
    assert (np.diff(rows[:, 0]) > 0).all()
    assert (rows[:, 1].min(), rows[:, 1].max()) == (min(values), max(values))
    assert rows[-1].tolist() == [len(values) - 1, values[-1]]
    assert all(values[int(call)] == value for call, value in rows)


def test_a_history_is_bounded_for_ever() -> None:
    trail = Trail(limit=1024)
    for call in range(200_000):
        trail.add(call, call % 97)
    assert len(trail) < 2048
    assert trail.last_call == 199_999


def test_a_history_begins_with_what_has_been_and_takes_no_call_twice() -> None:
    trail = Trail()
    trail.begin([(1, 5.0), (4, 6.0)])
    trail.add(4, 9.0)
    trail.add(5, 7.0)
    assert trail.rows().tolist() == [[1, 5], [4, 6], [5, 7]]


# -- sliders


@given(
    low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6), part=st.floats(0, 1), whole=st.booleans(), log=st.booleans()
)  # fmt: skip
def test_a_slider_finds_its_place_again(low: float, span: float, part: float, whole: bool, log: bool) -> None:
    if log:
        low = abs(low) + 1e-3
    high = low + span
    if whole:
        low, high = float(math.floor(low)), float(math.ceil(high) + 1)
        assume(not log or low > 0)
    param = Param(int(high) if whole else high, low=low, high=high, log=log)
    value = slider_value(param, part)
    assert param.checked(value, "p") == value
    assert isinstance(value, int) == whole
    coarse = 1 / (high - low) if whole and not log else 0.51 if whole else 0.01
    assert abs(slider_part(param, float(value)) - part) <= coarse
    assert slider_value(param, 0.0) == pytest.approx(low)
    assert slider_value(param, 1.0) == pytest.approx(high)


def test_a_slider_gives_round_numbers() -> None:
    assert slider_value(Param(1.0, low=0.0, high=2.0), 0.123456) == 0.247
    assert slider_value(Param(1.0, low=1e-6, high=1.0, log=True), 0.5) == 0.001


def test_the_wheel_steps_by_hundredths_whole_numbers_by_one_at_least() -> None:
    assert stepped(Param(1.0, low=0.0, high=1.0), 0.5, 1) == 0.51
    assert stepped(Param(1, low=0, high=10), 5, 1) == 6
    assert stepped(Param(1, low=0, high=10), 10, 1) == 10
    assert stepped(Param("b", choices=("a", "b", "c")), "b", 5) == "c"
    assert stepped(Param(True), True, 1) is False
    assert stepped(Param("words"), "words", 1) == "words"
    assert stepped(Param(3.0), 3.0, 1) == 3.0


def test_what_is_typed_is_read_as_the_parameter_takes_it() -> None:
    assert read_value(Param(1.0), " −2,5e3 ", "p") == -2500.0
    assert read_value(Param(1), "7", "p") == 7
    assert isinstance(read_value(Param(1), "7.0", "p"), int)
    assert read_value(Param("x"), " as it is ", "p") == " as it is "
    for param, text, why in (
        (Param(1.0), "1o", "p is a number, not '1o'"), (Param(1), "1.5", "p is a whole number"),
        (Param(1.0, low=0.0), "-1", "p is from 0 to any"), (Param(1.0), "nan", "p is a number"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            read_value(param, text, "p")


# -- grids


@given(count=st.integers(1, 64), width=st.integers(50, 2000), height=st.integers(50, 2000), fills=st.booleans())
def test_panels_lie_beside_each_other_within_the_window(count: int, width: int, height: int, fills: bool) -> None:
    places = grid(count, (7, 9, width, height), fills=fills)
    assert len(places) == count
    assume(all(w > 0 and h > 0 for _, _, w, h in places))
    taken = np.zeros((width, height), int)
    for x, y, w, h in places:
        assert x >= 7
        assert y >= 9
        assert x + w <= 7 + width
        assert y + h <= 9 + height
        taken[x - 7 : x - 7 + w, y - 9 : y - 9 + h] += 1
    assert taken.max() == 1
    if not fills:
        assert len({(w, h) for _, _, w, h in places}) == 1


def test_columns_follow_the_window_s_shape() -> None:
    assert len({x for x, *_ in grid(4, (0, 0, 1200, 800))}) == 2
    assert len({x for x, *_ in grid(4, (0, 0, 400, 1600))}) == 1
    assert len({x for x, *_ in grid(3, (0, 0, 1800, 400))}) == 3
    assert grid(3, (0, 0, 1200, 800))[2][2] == 1200
    assert grid(0, (0, 0, 100, 100)) == []
