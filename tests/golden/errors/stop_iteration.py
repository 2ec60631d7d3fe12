from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder, Probe


class First(Component):
    def main(self):
        while True:
            yield self.wait("inbox")
            for items in self.inbox():
                self.send(next(iter(items)))


run(Pipeline(Feeder(["abc", ""]), First(), Probe()))
