import asyncio

from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class Fetches(Component):
    async def fetch(self, number):
        await asyncio.sleep(number)
        raise TimeoutError(f"page {number}")

    async def main(self):
        async for number in self.inbox():
            async with asyncio.TaskGroup() as group:
                group.create_task(self.fetch(number))


run(Pipeline(Feeder([3]), Fetches()))
