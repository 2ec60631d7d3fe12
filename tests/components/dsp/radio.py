"""What the tests of the radio's blocks have in common: streams as the radio sends them, tones, cuts, and what came."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from axonlike.streams.chunk import Axis, Chunk, StreamInfo

FULL_SCALE = 8192
R_DBM = -5.0
CENTER_HZ = 2.4e9
START_NS = 1_700_000_000_000_000_000


def radio_info(sample_rate_hz=125e6, **facts):
    """A WSA4000's IQ. A fact None is left away."""
    known = {
        "center_frequency_hz": CENTER_HZ,
        "frequency_shift_hz": 0.0,
        "reference_level_dbm": R_DBM,
        "spectral_inversion": False,
        "i_only": False,
        "source": "WSA4000",
    }
    known = {name: fact for name, fact in {**known, **facts}.items() if fact is not None}
    return StreamInfo(
        kind="iq", dtype=np.dtype(">i2"), shape=(2,), sample_rate_hz=sample_rate_hz, units="FS", scale=1 / FULL_SCALE,
        name="radio", facts=known,
    )  # fmt: skip


def complex_info(sample_rate_hz=1e6, **facts):
    return StreamInfo(
        kind="iq", dtype=np.dtype("complex64"), sample_rate_hz=sample_rate_hz, units="FS", name="complex", facts=facts
    )


def analog_info(channels=1, sample_rate_hz=1000.0, dtype="float64", units="V", **more):
    return StreamInfo(
        kind="analog", dtype=dtype, shape=(channels,), sample_rate_hz=sample_rate_hz, units=units, name="analog", **more
    )


def spectrum_info(bins=64, units="FS^2", dtype="float32", start_hz=0.0, step_hz=1.0, sample_rate_hz=100.0, **facts):
    return StreamInfo(
        kind="spectrum", dtype=dtype, shape=(bins,), sample_rate_hz=sample_rate_hz, units=units, name="spectra",
        axis=Axis("frequency", "Hz", start_hz, step_hz), facts=facts,
    )  # fmt: skip


def counts(z):
    """Complex counts as the radio sends them: rounded, big-endian, I and Q in turn."""
    return np.stack([np.round(z.real), np.round(z.imag)], axis=1).astype(">i2")


def tone(amplitude, k, points, frames=1, phase=0.3):
    """Counts of a tone of k turns in `points` samples."""
    n = np.arange(points * frames)
    return amplitude * np.exp(1j * (2 * np.pi * k * n / points + phase))


def noise_counts(rows, rms=500.0, seed=1):
    rng = np.random.default_rng(seed)
    return counts(rms * (rng.standard_normal(rows) + 1j * rng.standard_normal(rows)))


def everything(block, chunks):
    """What a block sends for these chunks, its last ones included."""
    return [result for chunk in chunks for result in block.feed(chunk)] + block.finish()


def one(block, data, info):
    """The one chunk that follows from one chunk."""
    (result,) = everything(block, [Chunk(data, info, 0, START_NS)])
    return result


def segments(x, gaps, info, start=0):
    """The signal with rows missing, as (index, rows): gaps are pairs of how many rows come and how many then are lost.

    What is left when the gaps are used up is the last segment.
    """
    at = 0
    for length, lost in gaps:
        if at >= len(x):
            return
        yield start + at, x[at : at + length]
        at += length + lost
    if at < len(x):
        yield start + at, x[at:]


def time_of(index, info):
    return START_NS + round(index * 1e9 / info.sample_rate_hz)


def uncut(x, info, gaps=(), start=0):
    return [Chunk(rows, info, index, time_of(index, info)) for index, rows in segments(x, gaps, info, start)]


def cut(x, info, sizes, gaps=(), start=0):
    """The same rows as `uncut`, in chunks of these sizes over and over."""
    chunks = []
    used = 0
    for index, rows in segments(x, gaps, info, start):
        at = 0
        while at < len(rows):
            size = sizes[used % len(sizes)] if any(sizes) else 5000
            used += 1
            piece = rows[at : at + size]
            chunks.append(Chunk(piece, info, index + at, time_of(index + at, info)))
            at += size
    return chunks


def rows_by_index(chunks):
    """All rows, the index of each, and when it was taken; indices rise."""
    if not chunks:
        return np.zeros(0, int), np.zeros(0), np.zeros(0)
    indices = np.concatenate([np.arange(c.index, c.end) for c in chunks])
    assert (np.diff(indices) > 0).all()
    rate_hz = chunks[0].info.sample_rate_hz
    times = [(c.time_ns or 0) + np.round(np.arange(len(c)) * 1e9 / rate_hz).astype("int64") for c in chunks]
    return indices, np.concatenate([c.data for c in chunks]), np.concatenate(times)


# Of 64 rows on average at least: a test of a million chunks of one row takes minutes and finds no more.
sizes = st.lists(st.one_of(st.integers(0, 5000), st.integers(0, 20)), min_size=1, max_size=8).filter(
    lambda sizes: sum(sizes) >= 64 * len(sizes)
)
gaps = st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 3000)), max_size=3)


def assert_same_for_any_cut(make, x, info, sizes, gaps, start=0, tolerance=0.0, time_slack_ns=2):
    """The block's rows, their indices, times and stream are what they are if each segment comes in one chunk."""
    whole = everything(make(), uncut(x, info, gaps, start))
    pieces = everything(make(), cut(x, info, sizes, gaps, start))
    indices, rows, times = rows_by_index(whole)
    got_indices, got_rows, got_times = rows_by_index(pieces)
    np.testing.assert_array_equal(got_indices, indices)
    if len(indices):
        scale = np.abs(rows).max() or 1.0
        np.testing.assert_allclose(got_rows, rows, rtol=0, atol=tolerance * scale)
        assert whole[0].info == pieces[0].info
        assert np.abs(got_times - times).max() <= time_slack_ns
