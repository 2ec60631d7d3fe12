from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder, Probe


class Invert(Component):
    def main(self):
        while True:
            yield self.wait("inbox")
            for number in self.inbox():
                self.send(1 / number)


run(Pipeline(Feeder([4, 2, 0, 1]), Invert(), Probe()))
