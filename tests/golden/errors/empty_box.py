from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class Reads(Component):
    def main(self):
        yield self.wait("inbox")
        self.send(self.recv() + self.recv())


run(Pipeline(Feeder([1]), Reads()))
