from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class Waits(Component):
    def main(self):
        yield self.wait("inbox")
        self.recv()
        yield "inbox"


run(Pipeline(Feeder([1]), Waits()))
