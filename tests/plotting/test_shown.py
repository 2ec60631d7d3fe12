"""Which panels values make: the rules, what hints change, and that no value is too strange."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from axonlike.plotting.messages import KINDS, Other, Panel
from axonlike.plotting.panels.ranges import extent
from axonlike.plotting.shown import MOST_LINES, MOST_PANELS, Shown, panels_of
from axonlike.streams.chunk import Axis, Chunk, StreamInfo
from tests.plotting.panel_cases import PanelCase, differences, panel_cases

T = np.linspace(0, 1, 20)


def one(value: Any, hint: Panel | None = None) -> Shown:
    """The only panel of this value."""
    panels = panels_of((), {"v": value}, {} if hint is None else {"v": hint})
    assert list(panels) == ["v"]
    return panels["v"]


# -- by itself


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0), (2.5, 2.5), (True, 1.0), (3 + 4j, 5.0), (np.float32(1.5), 1.5), (np.array(7), 7.0),
        (10**400, math.inf), (-(10**400), -math.inf), (np.complex128(3 + 4j), 5.0), (np.bool_(True), 1.0),
    ],
)  # fmt: skip
def test_a_number_is_a_history_and_a_complex_one_its_size(value: Any, number: float) -> None:
    shown = one(value)
    assert (shown.kind, shown.value, shown.x_label) == ("history", number, "call")


def test_a_1_d_array_is_a_line_over_its_index() -> None:
    shown = one(np.array([1, 2, 4], ">i2"))
    assert (shown.kind, shown.x, shown.names) == ("lines", None, ())
    assert shown.curves is not None
    assert shown.curves.dtype == np.float64
    assert shown.curves.tolist() == [[1.0], [2.0], [4.0]]


def test_a_complex_1_d_array_is_two_lines() -> None:
    shown = one(np.array([1 + 2j, 3 - 4j]))
    assert shown.names == ("real", "imaginary")
    assert shown.curves is not None
    assert shown.curves.tolist() == [[1, 2], [3, -4]]


@pytest.mark.parametrize("pack", [tuple, list])
def test_a_tuple_or_list_of_arrays_of_one_length_is_lines_over_the_first(pack: Any) -> None:
    shown = one(pack([T, T**2, np.exp(1j * T)]))
    assert shown.kind == "lines"
    assert shown.x is not None
    assert shown.x.tolist() == T.tolist()
    assert shown.names == ("1", "2 real", "2 imaginary")
    assert shown.curves is not None
    assert shown.curves.shape == (20, 3)
    assert one(pack([T, T])).names == ()


def test_positional_arrays_of_one_length_are_one_panel() -> None:
    panels = panels_of((T, T**2, T**3), {}, {})
    assert list(panels) == ["1"]
    assert panels["1"].names == ("1", "2")


@pytest.mark.parametrize("args", [(T, T[:5]), (T, 1.0), (1.0, 2.0), (T + 1j, T), (T, "text"), (T,)])
def test_other_positional_values_are_panels_of_their_own(args: tuple[Any, ...]) -> None:
    assert list(panels_of(args, {}, {})) == [str(n + 1) for n in range(len(args))]


def test_named_values_do_not_take_the_place_of_positional_ones() -> None:
    panels = panels_of((1.0,), {"1": 2.0}, {})
    assert [(name, shown.value) for name, shown in panels.items()] == [("1", 1.0), ("1 (2)", 2.0)]


@pytest.mark.parametrize(
    ("shape", "kind", "curves"),
    [
        ((17, 4), "lines", (17, 4)), ((4, 17), "lines", (17, 4)), ((17, 5), "image", None), ((16, 4), "image", None),
        ((3, 3), "image", None), ((1, 100), "lines", (100, 1)), ((0, 5), "image", None), ((17, 0), "lines", (0, 0)),
    ],
)  # fmt: skip
def test_a_2_d_array_is_a_field_unless_it_is_few_long_lines(shape: Any, kind: str, curves: Any) -> None:
    shown = one(np.ones(shape))
    assert shown.kind == kind
    if kind == "image":
        assert shown.field is not None
        assert shown.field.shape == shape
    elif curves[1]:
        assert shown.curves is not None
        assert shown.curves.shape == curves


def test_a_complex_field_is_its_size() -> None:
    shown = one(np.full((5, 6), 3 + 4j))
    assert shown.field is not None
    assert (shown.field == 5).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_three_or_four_channels_are_a_picture(channels: int) -> None:
    data = np.zeros((6, 8, channels), np.uint8)
    assert one(data).kind == "picture"
    assert one(data).field is data
    floats = np.array([0, 0.5, 1, 2, -1, np.nan]).repeat(channels).reshape(1, 6, channels)
    shown = one(floats)
    assert shown.field is not None
    assert shown.field.dtype == np.uint8
    assert shown.field[0, :, 0].tolist() == [0, 128, 255, 255, 0, 0]


@pytest.mark.parametrize("array", [np.zeros((6, 8, 3), np.int64), np.zeros((6, 8, 2)), np.zeros((2, 2, 2, 2))])
def test_what_no_panel_shows_is_said_in_words(array: Any) -> None:
    shown = one(array)
    assert shown.kind == "text"
    assert f"shape {array.shape}" in shown.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("words", "words"),
        (Other("<Wave 3>"), "<Wave 3>"),
        (b"ab", "b'ab' (bytes)"),
        ((1, "a"), "(1, 'a') (tuple)"),
        ({1}, "{1} (set)"),
    ],
)
def test_words_and_what_is_nothing_else(value: Any, text: str) -> None:
    shown = one(value)
    assert (shown.kind, shown.text) == ("text", text)


def test_an_object_whose_repr_raises_is_no_error() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError("no")

    assert "Bad" in one(Bad()).text


def test_lists_of_numbers_are_arrays() -> None:
    shown = one([1, True, 2.5, np.array(4)])
    assert shown.curves is not None
    assert shown.curves[:, 0].tolist() == [1, 1, 2.5, 4]
    assert one([1j, 2]).names == ("real", "imaginary")
    field = one([[1, 2, 3], [4, 5, 6]])
    assert field.kind == "image"
    assert field.field is not None
    assert field.field.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert one([[1, 2], [3]]).kind == "text"
    empty = one([])
    assert empty.kind == "lines"
    assert empty.curves is not None
    assert empty.curves.shape == (0, 1)


def test_a_dict_is_panels_of_dotted_names_and_none_is_nothing() -> None:
    panels = panels_of((), {"a": {"b": 1.0, "c": {"d": "x"}}, "e": None}, {"a.b": Panel(units="V")})
    assert list(panels) == ["a.b", "a.c.d"]
    assert panels["a.b"].units == "V"


def test_names_of_panels_are_not_longer_than_a_viewer_may_say() -> None:
    panels = panels_of((), {"v": {"k" * 1000 + "a": 1.0, "k" * 1000 + "b": 2.0}}, {})
    assert [len(name) for name in panels] == [240, 244]
    assert [shown.value for shown in panels.values()] == [1.0, 2.0]


def test_too_many_panels_and_lines_are_told() -> None:
    panels = panels_of((), {f"v{n}": 1.0 for n in range(MOST_PANELS + 5)}, {})
    assert len(panels) == MOST_PANELS
    assert "6 more values are not shown" in list(panels.values())[-1].text
    shown = one(tuple([T] * (MOST_LINES + 9)))
    assert shown.curves is not None
    assert shown.curves.shape == (20, MOST_LINES)
    assert "8 more lines are not shown" in shown.note


# -- chunks


def chunk(kind: str, data: Any, **more: Any) -> Chunk:
    data = np.asarray(data)
    info = StreamInfo(kind=kind, dtype=data.dtype, shape=data.shape[1:], **more)  # type: ignore[arg-type]
    return Chunk(data, info)


def test_a_spectrum_is_its_last_row_over_frequency_in_db() -> None:
    axis = Axis("frequency", "Hz", 100.0, 5.0)
    shown = one(chunk("spectrum", [[1.0, 2.0], [3.0, 4.0]], units="dBm", axis=axis))
    assert (shown.kind, shown.units, shown.x_label, shown.x_units) == ("spectrum", "dBm", "frequency", "Hz")
    assert (shown.x_start, shown.x_step) == (100.0, 5.0)
    assert shown.curves is not None
    assert shown.curves[:, 0].tolist() == [3.0, 4.0]
    power = one(chunk("spectrum", [[1.0, 100.0]]))
    assert power.curves is not None
    assert power.curves[:, 0].tolist() == [0.0, 20.0]
    assert power.units == "dB"


def test_analog_rows_are_lines_over_seconds() -> None:
    shown = one(chunk("analog", np.ones((10, 2)), sample_rate_hz=4.0, units="V", channel_names=("left", "right")))
    assert (shown.kind, shown.units, shown.x_units, shown.x_step) == ("lines", "V", "s", 0.25)
    assert shown.names == ("left", "right")
    scaled = one(chunk("analog", np.full((3, 1), 10, "i2"), scale=0.5, offset=1.0))
    assert scaled.curves is not None
    assert scaled.curves.tolist() == [[6.0]] * 3


def test_video_is_its_last_picture() -> None:
    frames = np.zeros((2, 4, 5, 3), np.uint8)
    frames[1] = 9
    shown = one(chunk("video", frames))
    assert shown.kind == "picture"
    assert shown.field is not None
    assert (shown.field == 9).all()
    greys = one(chunk("video", frames[..., 0]))
    assert greys.field is not None
    assert greys.field.shape == (4, 5)


# -- hints


def test_a_hint_says_how_it_looks() -> None:
    hint = Panel(title="T", units="V", x_label="t", x_units="s", x_start=2.0, x_step=0.5, low=1.0, high=2.0, log_x=True)
    shown = one(T, hint)
    assert (shown.title, shown.units, shown.x_label, shown.x_units) == ("T", "V", "t", "s")
    assert (shown.x_start, shown.x_step, shown.low, shown.high, shown.log_x) == (2.0, 0.5, 1.0, 2.0, True)
    assert shown.note == ""


@pytest.mark.parametrize(
    ("kind", "value", "shown_as"),
    [
        ("points", T, "points"), ("spectrum", T, "spectrum"), ("text", T, "text"), ("image", np.ones((17, 3)), "image"),
        ("lines", np.ones((17, 9)), "lines"), ("picture", np.ones((9, 9)), "picture"), ("history", T[:1], "history"),
    ],
)  # fmt: skip
def test_a_hint_of_another_kind_that_fits_is_followed(kind: str, value: Any, shown_as: str) -> None:
    shown = one(value, Panel(kind=kind))
    assert (shown.kind, shown.note) == (shown_as, "")


@pytest.mark.parametrize(
    ("hint", "value", "kind", "note"),
    [
        (Panel(kind="image"), T, "lines", "kind 'image' does not fit lines"),
        (Panel(kind="history"), T, "lines", "kind 'history' does not fit lines"),
        (Panel(kind="lines"), 1.0, "history", "kind 'lines' does not fit a number"),
        (Panel(kind="spectrum"), "x", "text", "kind 'spectrum' does not fit words"),
        (Panel(colours="virids"), np.ones((9, 9)), "image", "did you mean 'viridis'?"),
        (Panel(log_x=True), np.ones((9, 9)), "image", "there is no log_x for image"),
        (Panel(low=-1.0, high=2.0, log_y=True), T, "lines", "low=-1 is not used with log_y"),
    ],
)
def test_a_hint_that_does_not_fit_is_told_and_the_value_shown_anyway(
    hint: Panel, value: Any, kind: str, note: str
) -> None:
    shown = one(value, hint)
    assert shown.kind == kind
    assert note in shown.note


def test_a_picture_of_greys_uses_the_hint_s_limits() -> None:
    shown = one(np.array([[0.0, 5.0], [10.0, np.nan]]), Panel(kind="picture", low=0.0, high=5.0))
    assert shown.field is not None
    assert shown.field.tolist() == [[0, 255], [255, 0]]


# -- the same as in the browser


def facts(name: str, shown: Shown) -> dict[str, Any]:
    """As panel_cases.py says it."""
    said: dict[str, Any] = {
        "kind": shown.kind, "title": shown.title or name, "units": shown.units, "x_label": shown.x_label,
        "x_units": shown.x_units, "low": shown.low, "high": shown.high, "value": shown.value, "text": shown.text,
    }  # fmt: skip
    if shown.curves is not None:
        points, count = shown.curves.shape
        x = shown.x if shown.x is not None else shown.x_start + shown.x_step * np.arange(points)
        said |= {"x": x.tolist(), "y": shown.curves.T.tolist(), "count": count, "points": points}
    if shown.field is not None:
        rows, columns = shown.field.shape[:2]
        pixels = shown.field if shown.field.ndim == 3 else np.repeat(shown.field[:, :, np.newaxis], 3, axis=2)
        said |= {"rows": rows, "columns": columns, "values": shown.field.tolist(), "pixels": pixels[..., :3].tolist()}
        if shown.kind == "image" and shown.low is None:
            said["low"], said["high"] = extent(shown.field) or (None, None)
    return said


@pytest.mark.parametrize("case", panel_cases(), ids=lambda case: case.name)
def test_the_browser_s_viewer_makes_the_same_panels(case: PanelCase) -> None:
    panels = panels_of(case.args, case.kwargs, case.hints)
    assert differences(case.panels, {name: facts(name, shown) for name, shown in panels.items()}) == []


# -- anything

numbers = st.one_of(st.booleans(), st.integers(), st.floats(), st.complex_numbers())
arrays = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes(), hnp.complex_number_dtypes(),
        st.sampled_from([np.dtype("U3"), np.dtype("M8[s]"), np.dtype([("a", "i4")])]),
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=19),
)  # fmt: skip
leaves = st.one_of(numbers, st.none(), st.text(max_size=5), st.binary(max_size=5), st.just(Other("x")), arrays)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=4),
    ),
    max_leaves=8,
)  # fmt: skip
hints = st.builds(
    Panel, kind=st.sampled_from(KINDS), log_x=st.booleans(), log_y=st.booleans(),
    colours=st.sampled_from(["", "grey", "?"]),
    low=st.one_of(st.none(), st.floats(max_value=-1, allow_nan=False)),
    high=st.one_of(st.none(), st.floats(min_value=0, allow_nan=False)),
)  # fmt: skip


@given(args=st.lists(trees, max_size=3), value=trees, hint=hints)
def test_no_value_is_an_error_and_each_panel_is_whole(args: list[Any], value: Any, hint: Panel) -> None:
    panels = panels_of(args, {"v": value}, {"v": hint, "1": hint})
    assert all(isinstance(name, str) for name in panels)
    for shown in panels.values():
        match shown.kind:
            case "lines" | "points" | "spectrum":
                assert shown.curves is not None
                assert shown.curves.dtype == np.float64
                assert shown.curves.ndim == 2
                assert shown.x is None or shown.x.shape == shown.curves.shape[:1]
                assert len(shown.names) in (0, shown.curves.shape[1])
            case "image":
                assert shown.field is not None
                assert shown.field.ndim == 2
                assert shown.field.dtype.kind in "biuf"
            case "picture":
                assert shown.field is not None
                assert shown.field.dtype == np.uint8
                assert shown.field.ndim == 2 or shown.field.shape[2] in (3, 4)
            case "text" | "history":
                assert isinstance(shown.text, str)
                assert isinstance(shown.value, float)
            case _:
                raise AssertionError(shown.kind)
