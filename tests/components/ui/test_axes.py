"""Ticks, units and zooms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.ui.axes import Scale, brief, duration, nice_ticks, quantity, tick_axis, zoomed


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-3, 1e9), most=st.integers(2, 30))
def test_ticks_are_round_lie_within_and_are_not_too_many(low: float, span: float, most: int) -> None:
    ticks, step = nice_ticks(low, low + span, most)
    assert len(ticks) <= most + 1
    assert float(f"{step:.6e}"[0]) in (1, 2, 5)
    near = 1e-5 * step + 1e-9 * abs(low)
    assert all(low - near <= tick <= low + span + near for tick in ticks)
    assert all(abs(tick / step - round(tick / step)) < 1e-6 + 1e-15 * abs(tick / step) for tick in ticks)


def test_an_empty_range_has_no_ticks() -> None:
    assert nice_ticks(3, 3, 5) == ([], 0.0)
    assert nice_ticks(0, float("inf"), 5) == ([], 0.0)


@pytest.mark.parametrize(
    ("low", "high", "units", "labels", "written"),
    [
        (2.44e9, 2.46e9, "Hz", ("2.440", "2.445", "2.450", "2.455", "2.460"), "GHz"),
        (0, 0.004, "s", ("0", "1", "2", "3", "4"), "ms"),
        (-3, 0, "s", ("−3", "−2", "−1", "0"), "s"),
        (0, 3000, "s", ("0", "1000", "2000", "3000"), "s"),
        (-100, -40, "dBm", ("−100", "−80", "−60", "−40"), "dBm"),
        (0, 2000, "µV", ("0.0", "0.5", "1.0", "1.5", "2.0"), "mV"),
        (0, 0.5, "uV", ("0", "100", "200", "300", "400", "500"), "nV"),
        (0, 4000, "", ("0", "1000", "2000", "3000", "4000"), ""),
        (-1, 1, "", ("−1.0", "−0.5", "0.0", "0.5", "1.0"), ""),
    ],
)
def test_all_labels_of_an_axis_have_one_prefix(
    low: float, high: float, units: str, labels: tuple[str, ...], written: str
) -> None:
    axis = tick_axis(low, high, 5, units)
    assert (axis.labels, axis.units) == (labels, written)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (quantity(2.45e9, "Hz"), "2.450 GHz"),
        (quantity(2.4500005e9, "Hz", step=100.0), "2.4500005 GHz"),
        (quantity(-43.21, "dBm", step=0.1), "−43.2 dBm"),
        (quantity(12.0, "dB", step=0.1, signed=True), "+12.0 dB"),
        (quantity(float("nan"), "Hz"), "–"),
        (quantity(0.0, "V"), "0.000 V"),
        (brief(500.0, "Hz"), "500 Hz"),
        (brief(1.25e6, "Hz"), "1.25 MHz"),
        (duration(0.2), "200 ms"),
        (duration(3), "3 s"),
        (duration(150), "2:30 min"),
        (duration(3900), "1:05:00 h"),
    ],
)
def test_numbers_as_they_are_written(text: str, wanted: str) -> None:
    assert text == wanted


def test_a_scale_goes_there_and_back() -> None:
    scale = Scale(-100, -20, 500, 20)
    assert scale.pixel(-100) == 500
    assert scale.pixel(-20) == 20
    assert scale.value(scale.pixel(-61.5)) == pytest.approx(-61.5)


def test_a_zoom_keeps_what_is_below_the_pointer() -> None:
    view = zoomed((0.0, 100.0), (0.0, 100.0), 1.0, factor=0.5, at=20.0)
    assert view == (10.0, 60.0)


def test_a_view_never_leaves_the_axis_and_never_gets_narrower_than_allowed() -> None:
    assert zoomed((10.0, 60.0), (0.0, 100.0), 1.0, moved=80.0) == (50.0, 100.0)
    assert zoomed((10.0, 60.0), (0.0, 100.0), 1.0, moved=-80.0) == (0.0, 50.0)
    assert zoomed((10.0, 60.0), (0.0, 100.0), 1.0, factor=3.0, at=30.0) is None
    assert zoomed((10.0, 11.0), (0.0, 100.0), 1.0, factor=0.5, at=10.5) == (10.0, 11.0)
