"""The same chain and ring as trio tasks with a memory channel between them. Every send there is a checkpoint."""

import time

import trio

from benchmarks.harness import Run, expect

__all__ = ["chain", "ring"]

LIMIT = 1000
Sender = trio.MemorySendChannel[int]
Receiver = trio.MemoryReceiveChannel[int]


async def _source(out: Sender, messages: int, burst: int) -> None:
    async with out:
        for start in range(0, messages, burst):
            for message in range(start, min(start + burst, messages)):
                await out.send(message)


async def _relay(inbox: Receiver, out: Sender) -> None:
    async with inbox, out:
        async for message in inbox:
            await out.send(message)


async def _sink(inbox: Receiver, counted: list[int]) -> None:
    count = 0
    async with inbox:
        async for _ in inbox:
            count += 1
    counted[0] = count


async def _chain(relays: int, messages: int, burst: int) -> Run:
    channels = [trio.open_memory_channel[int](LIMIT) for _ in range(relays + 1)]
    counted = [0]
    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_source, channels[0][0], messages, burst)
        for (_, inbox), (out, _) in zip(channels, channels[1:]):
            nursery.start_soon(_relay, inbox, out)
        nursery.start_soon(_sink, channels[-1][1], counted)
    seconds = time.perf_counter() - started
    expect(counted[0], messages, "messages at the sink of the trio chain")
    return Run(counted[0] * (relays + 1), seconds)


async def _head(inbox: Receiver, out: Sender, laps: int, counted: list[int]) -> None:
    count = 0
    async with inbox, out:
        await out.send(0)
        async for token in inbox:
            count += 1
            if count == laps:
                break
            await out.send(token)
    counted[0] = count


async def _ring(size: int, laps: int) -> Run:
    channels = [trio.open_memory_channel[int](LIMIT) for _ in range(size)]
    counted = [0]
    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_head, channels[0][1], channels[1][0], laps, counted)
        for (_, inbox), (out, _) in zip(channels[1:], channels[2:] + channels[:1]):
            nursery.start_soon(_relay, inbox, out)
    seconds = time.perf_counter() - started
    expect(counted[0], laps, "laps of the trio ring")
    return Run(counted[0] * size, seconds)


def chain(relays: int, messages: int, burst: int) -> Run:
    """`messages` from a source through `relays` to a sink, `burst` a resume; counts one hop for each link passed."""
    return trio.run(_chain, relays, messages, burst)


def ring(size: int, laps: int) -> Run:
    """One token, `laps` times round a ring of `size`; counts one hop for each link passed."""
    return trio.run(_ring, size, laps)
