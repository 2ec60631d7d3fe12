from axonlike import Component, Pipeline, run
from axonlike.testing import Probe


class Burst(Component):
    def main(self):
        for number in range(10):
            self.send(number)
        yield


keeper = Probe().configure_inbox(limit=3, policy="error")
run(Pipeline(Burst(), keeper))
