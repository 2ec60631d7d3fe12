"""VITA-49 packets for tests, put together by hand from the layout alone: neither parser nor simulator has a part."""

from __future__ import annotations

import struct
from collections.abc import Sequence

RECEIVER, DIGITIZER, IF_DATA, EXTENSION = 0x90000001, 0x90000002, 0x90000003, 0x90000004
GOOD = 0x67060000
SECONDS = 1_700_000_000
DECIMATION = 8
SAMPLE_PS = DECIMATION * 8000


def packet(
    kind: int,
    stream_id: int,
    body: Sequence[int],
    *,
    count: int = 0,
    time_ps: int | None = SECONDS * 10**12,
    class_id: int | None = None,
    flags: int = 0,
    size: int | None = None,
) -> bytes:
    words = [kind << 28 | flags | count << 16, stream_id]
    if class_id is not None:
        words[0] |= 1 << 27
        words += [class_id >> 32, class_id & 0xFFFFFFFF]
    if time_ps is not None:
        words[0] |= 1 << 22 | 2 << 20
        seconds, picoseconds = divmod(time_ps, 10**12)
        words += [seconds, picoseconds >> 32, picoseconds & 0xFFFFFFFF]
    words += body
    words[0] |= len(words) if size is None else size
    return struct.pack(f">{len(words)}I", *words)


def data(
    position: int,
    samples: int = 16,
    *,
    count: int = 0,
    trailer: int | None = GOOD,
    start_ps: int = SECONDS * 10**12,
    timed: bool = True,
    **options: int | None,
) -> bytes:
    """Samples that tell where they are: I = n mod 4096, Q = n div 4096, n from `position` on."""
    body = [(n % 4096) << 16 | n // 4096 % 4096 for n in range(position, position + samples)]
    if trailer is not None:
        body.append(trailer)
    time_ps = start_ps + position * SAMPLE_PS if timed else None
    flags = 1 << 26 if trailer is not None else 0
    return packet(1, IF_DATA, body, count=count & 15, time_ps=time_ps, flags=flags, **options)


def hertz(value: float) -> list[int]:
    fixed = round(value * 2**20) & (2**64 - 1)
    return [fixed >> 32, fixed & 0xFFFFFFFF]


def context(stream_id: int, *said: tuple[int, Sequence[int]], count: int = 0, kind: int = 4, changed: int = 1) -> bytes:
    body = [changed << 31 | sum(1 << bit for bit, _ in said), *(word for _, words in said for word in words)]
    return packet(kind, stream_id, body, count=count)
