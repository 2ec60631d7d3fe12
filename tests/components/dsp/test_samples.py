"""What blocks share: raw values in units, channels by name, whole rows, times of rows that leave later."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.dsp.samples import (
    RowTimes,
    channel_number,
    channel_values,
    engineering,
    engineering_info,
    rows_of,
)
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo


def info(dtype, shape=(2,), **more):
    return StreamInfo(kind="analog", dtype=np.dtype(dtype), shape=shape, sample_rate_hz=1000.0, **more)


@pytest.mark.parametrize(
    ("raw", "becomes"),
    [("<i2", "<f4"), (">i2", "<f4"), ("u1", "<f4"), (">i4", "<f8"), (">f4", "<f4"), ("<f8", "<f8"), (">c8", "<c8")],
)
def test_engineering_values_are_floating_point_in_the_machines_order(raw, becomes):
    about = engineering_info(info(raw, scale=2.0, offset=1.0, units="V"))
    assert (about.dtype, about.scale, about.offset, about.units) == (np.dtype(becomes), None, None, "V")


def test_scale_and_offset_are_one_for_all_or_one_for_each_channel():
    raw = np.array([[1, 2], [3, 4]], ">i2")
    for more in ({}, {"scale": 0.5}, {"offset": 7.0}, {"scale": (0.5, 2.0), "offset": (1.0, 0.0)}):
        about = info(">i2", **more)
        wanted = np.asarray(more.get("offset", 0.0)) + raw * np.asarray(more.get("scale", 1.0))
        assert np.array_equal(engineering(raw, about), wanted)
        for channel in range(2):
            values = channel_values(raw, channel, about)
            assert np.array_equal(values, wanted[:, channel])
            assert values.dtype == np.float64


def test_values_without_scale_and_offset_are_not_copied():
    raw = np.zeros((5, 2))
    assert engineering(raw, info("<f8")) is raw


def test_a_scale_for_each_channel_goes_with_rows_of_more_axes():
    raw = np.ones((3, 2, 4))
    values = engineering(raw, info("<f8", (2, 4), scale=(1.0, 5.0)))
    assert np.array_equal(values[:, 1], np.full((3, 4), 5.0))


def test_a_channel_is_found_by_number_or_name():
    about = info("<f8", channel_names=("left", "right"))
    assert channel_number("right", about, "here") == channel_number(1, about, "here") == 1
    with pytest.raises(UsageError, match=r"^here: there is no channel 'rigth'.*right"):
        channel_number("rigth", about, "here")
    with pytest.raises(UsageError, match=r"^here: there is no channel -1 in a stream of 2"):
        channel_number(-1, about, "here")


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "rows"),
    [(0.29, 100.0, 29), (0.0159, 1000.0, 15), (-0.0159, 1000.0, -15), (-0.57, 100.0, -57)],
)
def test_times_become_whole_rows_cut_off_towards_zero(seconds, rate_hz, rows):
    assert rows_of(seconds, rate_hz) == rows


def test_rows_that_leave_later_have_the_time_of_the_chunk_that_they_came_in():
    times = RowTimes()
    assert times.of(3) is None
    about = info("<f8")
    for index, time_ns in ((100, 5_000), (110, None), (120, 90_000_000)):
        times.note(Chunk(np.zeros((10, 2)), about, index, time_ns))
    assert times.of(100) == 5_000
    assert times.of(119) == 5_000 + 19_000_000
    assert times.of(121) == 91_000_000
