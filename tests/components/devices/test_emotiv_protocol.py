"""Reports of an EPOC: decoded as emokit 0.0.8 does, whatever the pieces.

The vectors were computed with emokit (its `crypto_key` and `EmotivPacket`) from random reports of a seeded generator;
it is no dependency, as it needs packages that are long dead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonlike.components.devices.emotiv_protocol import (
    CHANNELS,
    EmotivBatch,
    EmotivDecoder,
    battery_percent,
    cipher_key,
    decipherer,
)
from axonlike.errors import UsageError
from axonlike.simulators.emotiv import SimulatedEmotiv

SERIAL = "SN201211154288GM"

# Encrypted report; the samples in the order of CHANNELS, number and level of the contact quality, gyro, battery.
CONSUMER = [
    ("400ebf8d429d22f6c9acbdd6d0b5fd93eaf18f5de5e69e77739c6f145f1fd95e",
     [6823, -5106, 5122, -7879, -2521, -4231, -8003, 4495, 2670, 2072, 7587, -3775, 7924, -1638],
     0, 8365, (52, 81), None),
    ("6380e719a2ad9db3397a4ab6a1605fd45c5b55b4a881b7e71720a1b8ce04672d",
     [-6101, 4696, -3243, -7535, -3171, -759, 2656, 126, -5577, -7676, -5910, 7900, -4228, 3345],
     13, 11269, (19, -58), None),
    ("ae5f81bd05ce097264114fb8199e1f9c3194692ab2d58af771965bbad44c7beb",
     [-7452, 5868, -5128, -6560, -7589, 3256, -7080, -8135, 7928, -1160, 6880, 6658, 3094, 6461],
     77, 5510, (86, 2), None),
    ("39bece5bdb56a232b82d47f6acf00ea36150361ed61ce18335c900a524df6dd3",
     [2302, 133, -4177, 3262, -3023, -2744, -7768, -1306, 7577, -6637, -6829, -508, -2088, -5008],
     80, 13153, (-51, -19), None),
    ("90039d255c176ca2367884ad6ac3bff70ddb40282a6724479797682595f6f039",
     [-766, 5267, 7281, 3021, -3634, -3610, -7546, -3248, 6838, 3750, -7282, -589, 2469, 2031],
     127, 10455, (-93, 107), None),
    ("ba4f9e9b5966b61b22478c7dffa09ee81a3352458434c6a9737f8ed48b834903",
     [-7312, -8002, 589, -7884, 1474, 5398, -7778, 6259, 5972, 7276, -4935, -3517, 1053, 3832],
     226, 1590, (-75, 112), 1),
]  # fmt: skip
RESEARCH = [
    ("5e2caf6c35aa3a95671ea1fa9daec04158c74b2abd930532a2d6407a35214998",
     [-7039, -6958, -364, -6925, -1711, -4447, 2784, -1133, -2782, 7659, 6338, -4004, 5200, 3224],
     0, 12961, (-7, -34), None),
    ("84b788cdcaa85035c87a20e2be2d58279cd7f8f67f4b9c355b326cefb95ce7df",
     [6629, -4542, -992, 1025, 498, -5460, -1277, 3305, 4710, 2980, -1532, 3556, 7941, 4133],
     13, 11960, (-71, 143), None),
    ("db53f8af55fd7f0e424eafe7ffa1ad2840fae934f3825858bbbc907625c862f2",
     [7098, -2410, -4072, -5361, 2936, -5516, 2124, -4552, -4108, 7780, 7620, -2340, 618, 7225],
     77, 6983, (45, 75), None),
    ("03f08c22a6b7b8fd4d24a39d018c5b3be9f5606b6bdd83e620990f016c62c051",
     [6186, -7780, -7745, 4717, -5817, 5491, 430, -763, 1680, -5591, -2964, -7030, -3108, 1230],
     80, 5202, (-94, 125), None),
    ("998a31bd5a709b97af92bd21c297daa9d20a0f14f423f54238bf101bfc4e6ab3",
     [-7665, -3378, -7280, -7475, 7410, 3930, -1376, -7050, 2855, -7578, 5749, 6510, 948, -3035],
     127, 548, (-19, 74), None),
    ("f32fc7b8a18b9be46a45aeaef9505fad2be60679a4be7c946de66ba0e22a5c30",
     [4925, 7884, 7766, -2720, -2489, -4214, -2931, -3145, 4121, -829, -5688, 4625, 7084, 5080],
     226, 974, (112, 26), 1),
]  # fmt: skip
QUALITY_OF = {0: "F3", 13: "F4", 77: "F4", 80: "FC6"}


@pytest.mark.parametrize(
    ("research", "key"),
    [(False, "4d004754381038424d00474838003850"), (True, "4d0047484d0047543810384238003850")],
)
def test_keys(research: bool, key: str) -> None:
    assert cipher_key(SERIAL, research=research).hex() == key


@pytest.mark.parametrize("serial", ["", "GM", "№№№№"])
def test_what_is_no_serial_number_is_refused(serial: str) -> None:
    with pytest.raises(UsageError, match="serial number"):
        cipher_key(serial)


@pytest.mark.parametrize(("research", "vectors"), [(False, CONSUMER), (True, RESEARCH)])
def test_reports_are_decoded_as_emokit_does(research: bool, vectors: list[tuple[Any, ...]]) -> None:
    for encrypted, samples, number, level, gyro, battery in vectors:
        decoder = EmotivDecoder(decipherer(SERIAL, research=research), whole_reports=True)
        batch = decoder.feed(bytes.fromhex(encrypted))[0]
        assert batch.counts.tolist() == [samples]
        assert batch.gyro.tolist() == [list(gyro)]
        assert batch.battery_percent == battery
        known = {CHANNELS[k]: v for k, v in enumerate(batch.quality[0].tolist()) if not np.isnan(v)}
        assert known == ({QUALITY_OF[number]: level} if number in QUALITY_OF else {})


def test_the_battery() -> None:
    """Of each byte from 224 on, as in emokit's table; less is empty."""
    assert [battery_percent(byte) for byte in range(224, 256)] == [
        0, 0, 1, 2, 2, 2, 3, 4, 6, 12, 20, 32, 46, 55, 62, 66, 72, 77, 82, 85, 89, 93, 97, 99, *[100] * 8,
    ]  # fmt: skip
    assert battery_percent(128) == 0


_SIMULATED = SimulatedEmotiv(encrypted=False)
_REPORTS = [_SIMULATED.report(number) for number in range(400)]


def rows_of(batches: list[EmotivBatch]) -> list[int]:
    return [row for batch in batches for row in range(batch.index, batch.index + len(batch.counts))]


def counts_of(batches: list[EmotivBatch]) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.concatenate([batch.counts for batch in batches])


_ENCIPHER = SimulatedEmotiv(serial=SERIAL)._encipher
assert _ENCIPHER is not None
_ENCRYPTED = _ENCIPHER(b"".join(_REPORTS[100:400]))
_COUNTS = counts_of(EmotivDecoder(whole_reports=True).feed(b"".join(_REPORTS)))


@pytest.mark.parametrize("encrypted", [False, True])
@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 32 * 300 + 11), max_size=12))
def test_the_pieces_do_not_matter(encrypted: bool, cuts: list[int]) -> None:
    stream = b"".join(_REPORTS[100:400]) + b"not a report"[:11]
    if encrypted:
        stream = _ENCRYPTED + stream[32 * 300 :]
    decoder = EmotivDecoder(decipherer(SERIAL) if encrypted else None)
    batches: list[EmotivBatch] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)]):
        batches += decoder.feed(stream[begin:end])
    batches += decoder.finish()
    assert np.array_equal(counts_of(batches), _COUNTS[100:400])
    assert (decoder.lost_rows, decoder.discarded_bytes) == (0, 11)


@pytest.mark.parametrize("added", [b"", b"\x00", b"\x07", b"\xff"])
def test_a_byte_too_few_or_too_many_costs_two_reports_at_most(added: bytes) -> None:
    stream = b"".join(_REPORTS[:40])
    for at in range(32 * 8, 32 * 12):
        decoder = EmotivDecoder()
        broken = stream[:at] + added + stream[at + (not added) :]
        batches = decoder.feed(broken) + decoder.finish()
        rows, damaged = rows_of(batches), at // 32
        expected = list(range(damaged + 1, 40))
        assert rows[: damaged - 1] == list(range(damaged - 1)), at
        assert rows[-len(expected) :] == expected, at
        assert len(rows) <= 40
        assert np.array_equal(counts_of(batches)[-len(expected) :], _COUNTS[damaged + 1 : 40])


@settings(max_examples=15)
@given(missing=st.sets(st.integers(0, 399), max_size=120))
def test_a_pipe_from_a_radio_that_loses_much_still_brings_the_rest(missing: set[int]) -> None:
    decoder = EmotivDecoder()
    kept = [n for n in range(400) if n not in missing]
    batches = decoder.feed(b"".join(_REPORTS[n] for n in kept)) + decoder.finish()
    if max(np.diff(kept)) <= 8:
        assert [row + kept[0] for row in rows_of(batches)] == kept


@given(missing=st.sets(st.integers(3, 390), max_size=10))
def test_reports_that_are_missing_show_in_the_index(missing: set[int]) -> None:
    decoder = EmotivDecoder(whole_reports=True)
    batches = decoder.feed(b"".join(report for n, report in enumerate(_REPORTS) if n not in missing))
    assert rows_of(batches) == [n for n in range(400) if n not in missing]
    assert decoder.lost_rows == len(missing)
    assert sum(batch.lost for batch in batches) == len(missing)


def test_time_tells_of_losses_longer_than_the_counter() -> None:
    decoder = EmotivDecoder(whole_reports=True)
    decoder.feed(b"".join(_REPORTS[:64]), 0.5)
    assert decoder.feed(b"".join(_REPORTS[320:330]), 330 / 128)[0].lost == 256
    decoder.reopened()
    assert decoder.feed(_REPORTS[0], (330 + 128) / 128)[0].lost == 127
    decoder.reopened()
    assert decoder.feed(_REPORTS[0])[0].lost == 1


def test_quality_is_held_until_the_electrodes_turn_comes_again() -> None:
    quality = EmotivDecoder(whole_reports=True).feed(b"".join(_REPORTS[:129]))[0].quality
    assert np.isnan(quality[0]).sum() == 13
    assert not np.isnan(quality[13:]).any()
    f3 = quality[:, CHANNELS.index("F3")]
    assert f3[0] == f3[63] == pytest.approx(4096, abs=24)
    assert f3[64] == pytest.approx(4096, abs=24)


@given(st.binary(max_size=3000), st.booleans())
def test_any_bytes_are_taken(data: bytes, whole: bool) -> None:
    decoder = EmotivDecoder(whole_reports=whole)
    decoder.feed(data)
    decoder.finish()
    assert decoder.reports * 32 + decoder.discarded_bytes == len(data)
