"""Something that looks like an electroencephalogram: what the simulated amplifiers measure.

Any row can be had at any time and is always the same, so a test can say what must arrive without keeping what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["SimulatedEeg"]

_TABLE_ROWS = 1 << 14
_NOISE_UV = 8.0
_ALPHA_HZ = 10.2
_ALPHA_UV = 25.0
# Alpha swells and fades over some seconds; the two periods do not fit into each other, so no burst is like the last.
_SWELL_S = (5.3, 3.7)
_BLINK_EVERY_S = 4.7
_BLINK_S = 0.09
_BLINK_UV = 140.0


class SimulatedEeg:
    """`rows` gives microvolts, float64, shape (rows, channels), of electrodes called as in the 10-20 system.

    Noise that falls with frequency everywhere, alpha bursts that are strongest at the back of the head (O, P), blinks
    every 4.7 s at the front (Fp, AF, F), and mains hum of `mains_uv`.
    """

    def __init__(
        self,
        channel_names: Sequence[str],
        sample_rate_hz: float,
        *,
        seed: int = 1020,
        mains_hz: float = 50.0,
        mains_uv: float = 1.5,
    ) -> None:
        channels = len(channel_names)
        self.channel_names = tuple(channel_names)
        self.sample_rate_hz = sample_rate_hz
        self._mains_hz, self._mains_uv = mains_hz, mains_uv
        chance = np.random.default_rng(seed)
        # Noise of amplitude 1/sqrt(f), as a table that fits into itself without a seam. Half of it all have in common.
        spectrum = np.zeros((_TABLE_ROWS // 2 + 1, channels + 1), np.complex128)
        frequency = np.arange(1, len(spectrum))
        phases = np.exp(2j * np.pi * chance.random((len(frequency), channels + 1)))
        spectrum[1:] = phases / np.sqrt(frequency + 4.0)[:, np.newaxis]
        noise = np.fft.irfft(spectrum, _TABLE_ROWS, axis=0)
        noise = (noise[:, 1:] + 0.7 * noise[:, :1]) / noise.std()
        self._noise = noise / noise.std() * _NOISE_UV
        self._alpha = _weights(channel_names, {"O": 1.0, "PO": 0.9, "P": 0.6, "T": 0.25}, 0.12)
        self._alpha_phase = chance.normal(0.0, 0.3, channels)
        self._blink = _weights(channel_names, {"FP": 1.0, "AF": 0.7, "F": 0.35}, 0.02)

    def rows(self, index: int, rows: int) -> npt.NDArray[np.float64]:
        """Rows `index` to before `index + rows`."""
        number = np.arange(index, index + rows)
        at_s = (number / self.sample_rate_hz)[:, np.newaxis]
        values = self._noise[number % _TABLE_ROWS]
        swell = np.sin(np.pi * at_s / _SWELL_S[0]) * np.sin(np.pi * at_s / _SWELL_S[1])
        values = values + _ALPHA_UV * swell**2 * self._alpha * np.sin(2 * np.pi * _ALPHA_HZ * at_s + self._alpha_phase)
        since_s = np.mod(at_s + _BLINK_EVERY_S / 2, _BLINK_EVERY_S) - _BLINK_EVERY_S / 2
        values += _BLINK_UV * np.exp(-0.5 * (since_s / _BLINK_S) ** 2) * self._blink * (at_s > _BLINK_EVERY_S / 2)
        values += self._mains_uv * np.sin(2 * np.pi * self._mains_hz * at_s)
        return np.asarray(values, np.float64)


def _weights(names: Sequence[str], known: dict[str, float], otherwise: float) -> npt.NDArray[np.float64]:
    """By the letters at the head of each electrode's name."""
    return np.array([known.get(name.rstrip("0123456789zZ").upper(), otherwise) for name in names])
