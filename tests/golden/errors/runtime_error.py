from axonlike import Component, run
from axonlike.testing import Feeder


class Fails(Component):
    def main(self):
        yield self.wait("inbox")
        self.recv()
        raise RuntimeError("a device is on fire")


run(Feeder(["x"]) | Fails())
