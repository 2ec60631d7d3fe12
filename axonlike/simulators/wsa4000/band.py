"""What is on the air where the simulated WSA4000 listens: carriers, stations, noise, and what a receiver adds.

A table of samples that fits into itself without a seam, made once for each tuning, so that packets can be cut out of
it at any rate for the price of a copy.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

__all__ = ["LONGEST_CUT", "TABLE", "band"]

TABLE = 1 << 17
"""After so many samples it repeats."""
LONGEST_CUT = 1 << 16
"""So many samples may be cut out from any place below TABLE."""

_ADC_HZ = 125_000_000

# Frequency in Hz, level in dB of full scale: what is on the air wherever it is tuned to, beside the carriers at the
# same places relative to the centre, so that every tuning shows something.
_STATIONS_DBFS = ((2_402_000_000, -24.0), (2_426_000_000, -30.0), (2_441_500_000, -20.0), (2_450_000_000, -12.0),
                  (2_462_000_000, -36.0), (100_000_000, -18.0), (915_000_000, -25.0))  # fmt: skip
_CARRIERS = ((0.125, -20.0), (-0.1875, -40.0), (0.3125, -55.0))  # of the sample rate


@functools.lru_cache(maxsize=32)
def band(
    center_hz: int, shift_hz: float, decimation: int, noise_dbfs: float, seed: int, on_air: bool
) -> npt.NDArray[np.uint32]:
    """A table of samples that repeats without a seam, and its beginning once more, so that a cut may run over its end.

    on_air: is the station that comes and goes there?
    """
    rate_hz = _ADC_HZ / decimation
    turns = 2 * np.pi * np.arange(TABLE) / TABLE
    # So many periods in the table, rounded: that is what makes it fit.
    tones = [(share * TABLE, level) for share, level in _CARRIERS]
    tones += [((hz - center_hz + shift_hz) / rate_hz * TABLE, level) for hz, level in _STATIONS_DBFS]
    wave = np.zeros(TABLE, complex)
    for periods, level_db in tones:
        if abs(periods) < TABLE / 2:
            wave += 10 ** (level_db / 20) * np.exp(1j * (round(periods) * turns + level_db))
    # Frequency modulation by two notes: what a broadcast looks like, a hundredth of the band wide.
    deviation = 0.02 * TABLE
    wave += 0.05 * np.exp(1j * (-0.3125 * TABLE * turns + deviation / 60 * np.sin(60 * turns) + np.sin(11 * turns)))
    if on_air:
        wave += 0.03 * np.exp(1j * (0.25 * TABLE * turns + 0.005 * TABLE / 200 * np.sin(200 * turns)))
    rng = np.random.default_rng(seed)
    sigma = math.sqrt(10 ** (noise_dbfs / 10) / 2)
    wave += sigma * (rng.standard_normal(TABLE) + 1j * rng.standard_normal(TABLE))
    # What a direct conversion receiver adds: 2 % and 1 degree between I and Q, and a little DC. Up to 40 MHz it
    # samples directly, and Q means nothing.
    phase = math.radians(1.0)
    i = wave.real
    q = 1.02 * (wave.imag * math.cos(phase) + wave.real * math.sin(phase)) if center_hz > 40_000_000 else 0 * i
    counts = np.stack([i * 8192 + 12, q * 8192 - 8], axis=1)
    table = np.clip(np.rint(counts), -8192, 8191).astype(">i2").view(">u4").reshape(-1)
    return np.concatenate([table, table[: LONGEST_CUT]])
