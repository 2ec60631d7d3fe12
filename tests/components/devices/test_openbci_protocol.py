"""Cyton and Daisy: frames, rows and gains; the judge is BrainFlow's own driver."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.devices.openbci_protocol import (
    BoardAnswers,
    CytonBatch,
    CytonDecoder,
    FrameDecoder,
    GainTracker,
    uv_per_count,
)
from tests.components.devices.brainflow_judge import judged


def frame(counter: int, values: Sequence[int], aux: bytes = bytes(6), end: int = 0xC0) -> bytes:
    data = b"".join(int(value).to_bytes(3, "big", signed=True) for value in values)
    return bytes([0xA0, counter % 256]) + data + aux + bytes([end])


def board(count: int, *, seed: int = 1, first: int = 0, end: int = 0xC0) -> list[bytes]:
    """Frames as of a head: slow walks of 24 bits, and acceleration in every tenth."""
    chance = np.random.default_rng(seed)
    walks = np.cumsum(chance.normal(0, 2000, (count, 8)), axis=0).astype(int) + chance.integers(-(2**20), 2**20, 8)
    aux = [struct.pack(">3h", *(int(v) for v in chance.integers(1, 9000, 3))) if n % 10 == 0 else bytes(6)
           for n in range(count)]  # fmt: skip
    return [frame(first + n, walks[n], aux[n], end) for n in range(count)]


def decoded(decoder: CytonDecoder, data: bytes) -> list[CytonBatch]:
    return decoder.feed(data) + decoder.finish()


GOLDEN = bytes.fromhex(
    "a0 ff"
    "7f0000 7fffff 800000 ffffff 000000 000001 123456 fedcba"
    "0010 fff0 1f40 c0"
)  # fmt: skip


def test_a_frame_is_decoded_to_the_bit() -> None:
    batch = decoded(CytonDecoder(), GOLDEN)[0]
    assert batch.counts.tolist() == [[8323072, 8388607, -8388608, -1, 0, 1, 0x123456, 0xFEDCBA - 0x1000000]]
    assert batch.acceleration_g.tolist() == [[np.float32(0.002), np.float32(-0.002), 1.0]]
    assert batch.counts.dtype == np.int32


def test_the_step_of_the_converter() -> None:
    assert uv_per_count(24) == 0.022351744455307063


@given(cuts=st.lists(st.integers(0, 33 * 12 + 7), max_size=15), daisy=st.booleans())
def test_the_pieces_do_not_matter(cuts: list[int], daisy: bool) -> None:
    frames = board(12)
    stream = b"\xa0\x01\xc0noise" + b"".join(frames[:5]) + b"\xa0\xa0" + b"".join(frames[5:])
    whole, pieces = CytonDecoder(daisy=daisy), CytonDecoder(daisy=daisy)
    expected = decoded(whole, stream)
    got: list[CytonBatch] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)]):
        got += pieces.feed(stream[begin:end])
    got += pieces.finish()
    assert np.array_equal(np.concatenate([b.counts for b in got]), np.concatenate([b.counts for b in expected]))
    assert [b.index for b in got if b.lost] == [b.index for b in expected if b.lost]
    assert (pieces.index, pieces.frames.discarded_bytes) == (whole.index, whole.frames.discarded_bytes)


# The first frame has to be followed by another one, so bytes are lost from the third one on.
@given(lost=st.integers(66, 33 * 40 - 1), seed=st.integers(0, 1000))
def test_a_lost_byte_costs_one_frame_at_most(lost: int, seed: int) -> None:
    frames = board(40, seed=seed)
    stream = b"".join(frames)
    decoder = FrameDecoder()
    got = decoder.feed(stream[:lost] + stream[lost + 1 :]) + decoder.finish()
    expected = frames[: lost // 33] + frames[lost // 33 + 1 :]
    assert got == expected
    assert decoder.discarded_bytes == 32


@given(lost=st.sets(st.integers(66, 33 * 60 - 1), max_size=8), seed=st.integers(0, 100))
def test_several_lost_bytes_cost_their_frames_and_one_between_two_that_are_not_whole(lost: set[int], seed: int) -> None:
    frames = board(60, seed=seed)
    stream = b"".join(frames)
    decoder = FrameDecoder()
    got = decoder.feed(bytes(byte for at, byte in enumerate(stream) if at not in lost)) + decoder.finish()
    whole = [f for n, f in enumerate(frames) if not any(at // 33 == n for at in lost)]
    # A frame behind one that is not whole has to be confirmed by the next one, which may not be whole either.
    rest = iter(whole)
    assert all(frame in rest for frame in got)  # in order, and nothing else
    between = [n for n in range(60) if {n - 1, n + 1} & {at // 33 for at in lost}]
    assert [f for n, f in enumerate(frames) if n not in between and f in whole and f not in got and n < 59] == []


# The same holds here: a first frame that nothing follows at once is not believed.
@given(at=st.integers(66, 33 * 40 - 1), value=st.integers(0, 255), seed=st.integers(0, 100))
def test_a_byte_too_many_costs_one_frame_at_most(at: int, value: int, seed: int) -> None:
    frames = board(40, seed=seed)
    stream = b"".join(frames)
    decoder = FrameDecoder()
    got = decoder.feed(stream[:at] + bytes([value]) + stream[at:]) + decoder.finish()
    assert got[: at // 33] == frames[: at // 33]
    assert got[len(got) - (39 - at // 33) :] == frames[at // 33 + 1 :]
    assert len(got) <= 40


def test_an_a0_among_the_samples_does_not_deceive_it() -> None:
    """In the middle of a stream, and with what looks like an end 32 bytes further on."""
    frames = [frame(n, [0xA0A0A0 - (1 << 24)] * 8) for n in range(10)]
    decoder = FrameDecoder()
    assert decoder.feed(b"".join(frames)[10:]) == frames[1:]
    assert decoder.discarded_bytes == 23


def test_every_end_from_c0_to_c6_is_taken_and_no_other() -> None:
    for end in range(256):
        frames = [frame(n, [0] * 8, end=end) for n in range(3)]
        decoder = FrameDecoder()
        got = decoder.feed(b"".join(frames)) + decoder.finish()
        assert got == (frames if 0xC0 <= end <= 0xC6 else []), hex(end)


@given(st.binary(max_size=2000))
def test_any_bytes_are_taken(data: bytes) -> None:
    decoder = CytonDecoder(daisy=len(data) % 2 == 0)
    decoded(decoder, data)
    assert decoder.frames.frames * 33 + decoder.frames.discarded_bytes == len(data)


# -- rows


@given(missing=st.sets(st.integers(1, 198), max_size=30))
def test_frames_that_are_missing_show_in_the_index(missing: set[int]) -> None:
    frames = board(200, first=200)
    decoder = CytonDecoder()
    batches = decoded(decoder, b"".join(f for n, f in enumerate(frames) if n not in missing))
    got = [row for batch in batches for row in range(batch.index, batch.index + len(batch.counts))]
    assert got == [n for n in range(200) if n not in missing]
    assert decoder.lost_rows == len(missing)
    assert sum(batch.lost for batch in batches) == len(missing)


@given(missing=st.sets(st.integers(2, 195), max_size=20))
def test_with_a_daisy_a_row_needs_both_of_its_frames(missing: set[int]) -> None:
    frames = board(200, first=100)
    decoder = CytonDecoder(daisy=True)
    batches = decoded(decoder, b"".join(f for n, f in enumerate(frames) if n not in missing))
    got = [row for batch in batches for row in range(batch.index, batch.index + len(batch.counts))]
    assert got == [row for row in range(100) if not {2 * row, 2 * row + 1} & missing]
    assert decoder.unpaired == sum(len({2 * row, 2 * row + 1} & missing) == 1 for row in range(100))


def test_time_tells_of_losses_longer_than_the_counter() -> None:
    frames = [frame(n, [n] * 8) for n in range(2000)]
    decoder = CytonDecoder()
    decoder.feed(b"".join(frames[:500]), 2.0)
    batch = decoder.feed(b"".join(frames[1300:1310]), 5.24)[0]
    assert (batch.index, batch.lost) == (1300, 800)


def test_a_reader_that_was_held_up_is_no_loss() -> None:
    frames = [frame(n, [n] * 8) for n in range(2000)]
    decoder = CytonDecoder()
    decoder.feed(b"".join(frames[:500]), 2.0)
    batches = decoder.feed(b"".join(frames[500:624]) + b"".join(frames[1250:1255]), 5.02)
    assert [(batch.index, batch.lost) for batch in batches] == [(500, 0), (1250, 626)]


def test_after_reopening_the_time_tells_how_much_is_missing() -> None:
    frames = [frame(n, [n] * 8) for n in range(100)]
    decoder = CytonDecoder()
    decoder.feed(b"".join(frames), 0.4)
    decoder.reopened()
    assert [(b.index, b.lost) for b in decoder.feed(b"".join(frames[:20]), 1.48)] == [(350, 250)]
    decoder.reopened()  # at the earliest, and without a time
    assert [(b.index, b.lost) for b in decoder.feed(b"".join(frames[:20]))] == [(371, 1)]


# -- what stands beside the samples


def test_the_last_acceleration_is_held() -> None:
    frames = [frame(n, [0] * 8, struct.pack(">3h", *aux)) for n, aux in enumerate(
        [(0, 5, 5), (16, 32, -8000), (0, 0, 0), (-16, 0, 8000)])]  # fmt: skip
    got = decoded(CytonDecoder(), b"".join(frames))[0].acceleration_g
    assert np.isnan(got[0]).all()
    assert np.allclose(got[1:], [[0.002, 0.004, -1], [0.002, 0.004, -1], [-0.002, 0, 1]])


def test_time_stamped_frames_bring_one_axis_each_and_the_boards_clock() -> None:
    frames = [
        frame(n, [0] * 8, struct.pack(">hI", 8000 + n, 1_000_000 + 4 * n), 0xC4 if n else 0xC3) for n in range(12)
    ]
    batches = decoded(CytonDecoder(), b"".join(frames))
    assert [batch.end for batch in batches] == [0xC3, 0xC4]
    board_ms = np.concatenate([batch.board_ms for batch in batches])
    assert board_ms.tolist() == [1_000_000 + 4 * n for n in range(12)]
    acceleration = np.concatenate([batch.acceleration_g for batch in batches])
    assert np.isnan(acceleration[6]).all()
    assert np.allclose(acceleration[9:], np.array([8007, 8008, 8009]) / 8000)


@pytest.mark.parametrize(("end", "columns"), [(0xC1, 3), (0xC2, 3), (0xC5, 1), (0xC6, 1), (0xC0, 0)])
def test_raw_aux(end: int, columns: int) -> None:
    batch = decoded(CytonDecoder(), frame(1, [0] * 8, struct.pack(">3h", 1, -2, 3), end))[0]
    assert batch.aux.tolist() == [[1.0, -2.0, 3.0][:columns]]
    assert batch.board_ms.tolist() == ([0xFFFE0003] if end >= 0xC5 else [])


# -- the judge


@pytest.mark.parametrize("daisy", [False, True])
@pytest.mark.parametrize("end", [0xC0, 0xC1])
def test_brainflow_decodes_the_same(daisy: bool, end: int) -> None:
    chance = np.random.default_rng(5)
    values = chance.integers(-(2**23), 2**23, (100, 8))
    values[0] = [8323072, 8388607, -8388608, -1, 0, 1, 127 << 16, 128]
    aux = chance.integers(1, 2**15, (100, 3))
    frames = [frame(n, values[n], struct.pack(">3h", *map(int, aux[n])), end) for n in range(100)]
    microvolts, g, analog = judged(frames, daisy=daisy)
    batch = decoded(CytonDecoder(daisy=daisy), b"".join(frames))[0]
    assert len(batch.counts) == len(microvolts) == (50 if daisy else 100)
    assert np.array_equal(batch.counts * uv_per_count(24), microvolts)
    if end == 0xC0:
        assert np.abs(batch.acceleration_g - g).max() < 1e-6
    elif not daisy:  # which averages single bytes
        assert np.array_equal(batch.aux, analog)


# -- the dialogue


@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_answers_end_with_three_dollars(cuts: list[int]) -> None:
    stream = b"  V3 $ $$ 8\r\n$$$Success: set$$$half an answer"
    answers = BoardAnswers()
    got = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)]):
        answer = answers.feed(stream[begin:end])
        while answer is not None:
            got.append(answer)
            answer = answers.feed(b"")
    assert got == ["V3 $ $$ 8", "Success: set"]


def test_what_never_ends_is_not_kept() -> None:
    answers = BoardAnswers()
    for _ in range(100):
        answers.feed(bytes(10000))
    assert len(answers._text) <= 16384


def test_gains_follow_the_commands() -> None:
    tracker = GainTracker()
    assert tracker.gains == [24] * 16
    assert tracker.note(b"x1000110X") is True
    assert tracker.note(b"xI0401") is False
    assert tracker.note(b"10X") is True
    assert tracker.note(b"12345678/2~6") is False
    assert tracker.note(b"x9000110Xx1070110X") is False  # no such channel, no such gain
    assert tracker.gains == [1, *[24] * 14, 8]
    assert tracker.note(b"d") is True
    assert tracker.gains == [24] * 16
