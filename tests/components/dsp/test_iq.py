"""Complex samples of what radios send: integers in pairs, complex numbers, with scale and offset."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.dsp.iq import check_iq, complex_samples, tuned_hz
from axonlike.streams.chunk import StreamInfo
from axonlike.streamtype import StreamMismatch
from tests.components.dsp.radio import complex_info, noise_counts, radio_info


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_pairs_of_big_endian_integers_become_complex_numbers_of_full_scale_1(dtype):
    raw = noise_counts(100)
    samples = complex_samples(raw, radio_info(), dtype)
    assert samples.dtype == dtype
    np.testing.assert_allclose(samples, (raw[:, 0] + 1j * raw[:, 1]) / 8192, rtol=1e-6)
    assert samples.flags.writeable


def test_frames_keep_their_shape():
    raw = noise_counts(100).reshape(4, 25, 2)
    samples = complex_samples(raw, radio_info())
    assert samples.shape == (4, 25)
    np.testing.assert_array_equal(samples.reshape(-1), complex_samples(raw.reshape(-1, 2), radio_info()))


def test_complex_samples_are_copied_scaled_and_moved():
    z = np.array([1 + 2j, 3 - 4j], np.complex64)
    info = complex_info()
    samples = complex_samples(z, info)
    samples *= 2
    np.testing.assert_array_equal(z, [1 + 2j, 3 - 4j])
    np.testing.assert_array_equal(complex_samples(z, info.replace(scale=2.0, offset=1.0)), [3 + 4j, 7 - 8j])


def test_each_branch_has_its_own_scale_and_offset():
    info = StreamInfo(kind="iq", dtype=np.dtype("uint8"), shape=(2,), scale=(1.0, 2.0), offset=(-10.0, -20.0))
    np.testing.assert_array_equal(complex_samples(np.array([[12, 13]], "uint8"), info), [2 + 6j])


def test_what_stands_at_0_hz_is_the_center_less_the_shift():
    assert tuned_hz(radio_info(center_frequency_hz=2.4e9, frequency_shift_hz=1e6)) == 2.399e9
    assert tuned_hz(complex_info()) == 0.0


@pytest.mark.parametrize(("dtype", "shape"), [("int16", ()), ("int16", (3,)), ("complex64", (2,))])
def test_other_rows_are_no_iq(dtype, shape):
    with pytest.raises(StreamMismatch, match="iq"):
        check_iq(StreamInfo(kind="iq", dtype=dtype, shape=shape), "here")
