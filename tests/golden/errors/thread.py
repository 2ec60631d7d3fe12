from axonlike import Pipeline, ThreadedComponent, run
from axonlike.testing import Feeder, Probe


class Invert(ThreadedComponent):
    def main(self):
        while True:
            self.send(1 / self.recv())


run(Pipeline(Feeder([4, 2, 0, 1]), Invert(), Probe()))
