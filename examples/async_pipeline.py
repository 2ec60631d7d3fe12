"""A pipeline with `async def`: generators and coroutines side by side, and anything that asyncio can await.

    python examples/async_pipeline.py

All three kinds of body have the same boxes. A generator yields where a coroutine awaits.
"""

import asyncio

from axonlike import Component, Pipeline, step


class Addresses(Component):
    """A generator."""

    def main(self):
        for name in ("anna.example", "otto.example", "slow.example"):
            self.send(name)
            yield


class Check(Component):
    """A coroutine: it looks three things up at once, and gives up after a while."""

    async def main(self):
        async for name in self.inbox():
            try:
                async with asyncio.timeout(0.5), asyncio.TaskGroup() as group:
                    answers = [group.create_task(ask(name, what)) for what in ("web", "mail", "time")]
            except TimeoutError:
                await self.send(f"{name}: no answer")
            else:
                await self.send(f"{name}: {', '.join(answer.result() for answer in answers)}")


async def ask(name, what):
    """Stands for a request over the network (aiohttp, asyncpg, ...)."""
    await asyncio.sleep(60 if name.startswith("slow") else 0.01)
    return f"{what} is up"


@step
def show(line):
    """A plain function, called with each message."""
    print(line)


Pipeline(Addresses(), Check(), show).run()
