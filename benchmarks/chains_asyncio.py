"""The same chain and ring as tasks with an `asyncio.Queue` between them, on the standard loop or on uvloop."""

import asyncio
import time
from collections.abc import Callable

from benchmarks.harness import Run, expect

__all__ = ["chain", "ring"]

LIMIT = 1000
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


async def _source(out: "asyncio.Queue[int]", messages: int) -> None:
    for message in range(messages):
        await out.put(message)
        await asyncio.sleep(0)


async def _burst_source(out: "asyncio.Queue[int]", messages: int, burst: int) -> None:
    for start in range(0, messages, burst):
        for message in range(start, min(start + burst, messages)):
            await out.put(message)
        await asyncio.sleep(0)


async def _relay(inbox: "asyncio.Queue[int]", out: "asyncio.Queue[int]") -> None:
    while True:
        await out.put(await inbox.get())


async def _sink(inbox: "asyncio.Queue[int]", messages: int) -> int:
    count = 0
    while count < messages:
        await inbox.get()
        count += 1
    return count


async def _chain(relays: int, messages: int, burst: int) -> Run:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(LIMIT) for _ in range(relays + 1)]
    started = time.perf_counter()
    tasks = [asyncio.create_task(_relay(inbox, out)) for inbox, out in zip(queues, queues[1:])]
    sink = asyncio.create_task(_sink(queues[-1], messages))
    if burst == 1:
        await _source(queues[0], messages)
    else:
        await _burst_source(queues[0], messages, burst)
    counted = await sink
    seconds = time.perf_counter() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    expect(counted + sum(queue.qsize() for queue in queues), messages, "messages at the sink of the asyncio chain")
    return Run(counted * (relays + 1), seconds)


async def _ring(size: int, laps: int) -> Run:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(LIMIT) for _ in range(size)]
    started = time.perf_counter()
    tasks = [asyncio.create_task(_relay(inbox, out)) for inbox, out in zip(queues[1:], queues[2:] + queues[:1])]
    counted = 0
    await queues[1].put(0)
    while True:
        token = await queues[0].get()
        counted += 1
        if counted == laps:
            break
        await queues[1].put(token)
    seconds = time.perf_counter() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    expect(sum(queue.qsize() for queue in queues), 0, "tokens left in the asyncio ring")
    return Run(counted * size, seconds)


def chain(relays: int, messages: int, burst: int, loop_factory: LoopFactory = asyncio.new_event_loop) -> Run:
    """`messages` from a source through `relays` to a sink, `burst` a resume; counts one hop for each link passed."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_chain(relays, messages, burst))


def ring(size: int, laps: int, loop_factory: LoopFactory = asyncio.new_event_loop) -> Run:
    """One token, `laps` times round a ring of `size`; counts one hop for each link passed."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_ring(size, laps))
