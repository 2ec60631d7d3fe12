"""The simulated EEG: always the same, and where it should be strong it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from axonlike.simulators.eeg import SimulatedEeg

NAMES = ("Fp1", "Cz", "O1")
EEG = SimulatedEeg(NAMES, 250.0)


@given(index=st.integers(0, 10**6), rows=st.integers(0, 300), cut=st.integers(0, 300))
def test_any_rows_can_be_had_at_any_time(index: int, rows: int, cut: int) -> None:
    whole = EEG.rows(index, rows)
    assert whole.shape == (rows, 3)
    cut = min(cut, rows)
    assert np.array_equal(whole, np.concatenate([EEG.rows(index, cut), EEG.rows(index + cut, rows - cut)]))


def test_alpha_is_at_the_back_and_blinks_are_at_the_front() -> None:
    values = SimulatedEeg(NAMES, 250.0).rows(0, 250 * 60)
    spectrum = np.abs(np.fft.rfft(values, axis=0))
    alpha = spectrum[round(10.0 * 60) : round(10.4 * 60)].max(axis=0)
    assert alpha[2] > 4 * alpha[0]
    assert values[:, 0].max() > 120
    assert np.abs(values[:, 1:]).max() < 100
    assert np.array_equal(values[:10], EEG.rows(0, 10))
    assert SimulatedEeg(NAMES, 250.0, seed=2).rows(0, 10).tolist() != values[:10].tolist()
