from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder, Probe


class Invert(Component):
    async def main(self):
        async for number in self.inbox():
            await self.send(1 / number)


run(Pipeline(Feeder([4, 2, 0, 1]), Invert(), Probe()))
