from axonlike import Component, Pipeline, run
from axonlike.testing import Probe


class Flood(Component):
    def main(self):
        while True:
            self.send("x")
        yield


run(Pipeline(Flood(), Probe(), limit=5))
