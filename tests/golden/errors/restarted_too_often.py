from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class Fragile(Component):
    on_error = "restart"

    def main(self):
        while True:
            yield self.wait("inbox")
            self.send(1 / self.recv())


run(Pipeline(Feeder([0, 0, 0, 0, 0, 0]), Fragile()))
