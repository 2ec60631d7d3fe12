"""Rereference: each montage is the plain difference, bit for bit the same for every cutting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.dsp.reference import Rereference
from axonlike.errors import UsageError
from axonlike.streams.chunk import Chunk, StreamInfo, join
from axonlike.streamtype import StreamMismatch
from axonlike.testing import check_component

NAMES = ("Fp1", "F7", "T3", "A1", "EOG")


def info(dtype="float64", **more):
    wanted = {"kind": "analog", "dtype": dtype, "shape": (5,), "sample_rate_hz": 250.0, "channel_names": NAMES}
    return StreamInfo(**wanted | more)


def noise(rows=1000):
    return np.random.default_rng(0).standard_normal((rows, 5))


def one(block, x, about=None):
    [result] = block.feed(Chunk(x, about or info(), 7))
    assert result.index == 7
    return result


def test_the_average_of_all_channels_is_taken_away():
    x = noise()
    y = one(Rereference(), x).data
    assert np.abs(y - (x - x.mean(axis=1, keepdims=True))).max() < 1e-15
    assert np.abs(y.sum(axis=1)).max() < 1e-14


def test_what_is_excluded_neither_counts_nor_changes():
    x = noise()
    y = one(Rereference(exclude=["EOG", 0]), x).data
    assert np.array_equal(y[:, [0, 4]], x[:, [0, 4]])
    assert np.abs(y[:, 1:4] - (x[:, 1:4] - x[:, 1:4].mean(axis=1, keepdims=True))).max() < 1e-15


def test_channels_by_name_or_number_are_a_reference():
    x = noise()
    assert np.array_equal(one(Rereference(reference=["A1"]), x).data, x - x[:, 3:4])
    y = one(Rereference(reference=[3, "T3"], exclude=["EOG"]), x).data
    assert np.abs(y[:, :4] - (x[:, :4] - x[:, 2:4].mean(axis=1, keepdims=True))).max() < 1e-15
    assert np.array_equal(y[:, 4], x[:, 4])


def test_pairs_make_a_bipolar_montage_with_names():
    x = noise()
    result = one(Rereference(reference=[("Fp1", "F7"), ["F7", 2]]), x)
    assert result.info.channel_names == ("Fp1-F7", "F7-T3")
    assert np.array_equal(result.data, np.stack([x[:, 0] - x[:, 1], x[:, 1] - x[:, 2]], axis=1))
    result = one(Rereference(reference="bipolar"), x, info(channel_names=()))
    assert result.info.channel_names == ("0-1", "1-2", "2-3", "3-4")
    assert np.array_equal(result.data, x[:, :-1] - x[:, 1:])


def test_raw_channels_with_scales_of_their_own_are_compared_in_units():
    raw = np.random.default_rng(1).integers(-99, 99, (50, 5)).astype(">i2")
    result = one(Rereference(reference=[0]), raw, info(">i2", scale=(1.0, 2.0, 0.5, 1.0, 1.0), offset=4.0, units="uV"))
    real = 4.0 + raw * np.array([1.0, 2.0, 0.5, 1.0, 1.0])
    assert np.array_equal(result.data, (real - real[:, :1]).astype("float32"))
    assert (result.info.scale, result.info.offset, result.info.units) == (None, None, "uV")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=6), st.sampled_from(["average", [1, 2], "bipolar"]))
def test_chunks_of_any_size_change_not_a_bit(sizes, reference):
    x = noise(5000)
    whole = one(Rereference(reference=reference), x).data
    block, results, start = Rereference(reference=reference), [], 0
    for size in [*sizes, 5000]:
        results += block.feed(Chunk(x[start : start + size], info(), start))
        start = min(start + size, 5000)
    assert np.array_equal(join(results).data, whole)


def test_the_reference_changes_while_it_runs():
    x = noise()
    block = Rereference()
    block.feed(Chunk(x, info()))
    block.change(reference=[["Fp1", "T3"]], exclude=[])
    [result] = block.feed(Chunk(x, info(), 1000))
    assert np.array_equal(result.data[:, 0], x[:, 0] - x[:, 2])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reference": "mean"}, "'average', 'bipolar'"),
        ({"reference": []}, "list of pairs"),
        ({"reference": [("Fp1", "F7", "T3")]}, "list of pairs"),
        ({"reference": 3}, "list of pairs"),
        ({"reference": ["Fpz"]}, "no channel 'Fpz'"),
        ({"reference": [5]}, "no channel 5"),
        ({"exclude": "EOG"}, "exclude is a list"),
        ({"exclude": list(NAMES)}, "leaves no channel"),
    ],
)
def test_what_cannot_be_a_reference_is_refused(wrong, says):
    block = Rereference()
    block.feed(Chunk(noise(), info()))
    with pytest.raises(UsageError, match=says):
        block.change(**wrong)
    assert block.reference == "average"
    assert block.exclude == ()
    with pytest.raises(UsageError, match=says):
        Rereference(**wrong).feed(Chunk(noise(), info()))


def test_streams_without_channels_are_refused():
    with pytest.raises(StreamMismatch, match="rows of channels"):
        Rereference().feed(Chunk(np.zeros(3), info(shape=(), channel_names=())))
    with pytest.raises(UsageError, match="2 channels"):
        Rereference(reference="bipolar").feed(Chunk(np.zeros((3, 1)), info(shape=(1,), channel_names=())))


def test_it_conforms():
    check_component(lambda: Rereference(), messages=[Chunk(noise(100), info(), 100 * k) for k in range(5)])
