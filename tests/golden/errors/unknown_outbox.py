from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class Sends(Component):
    Outboxes = {"error": "what could not be read"}

    def main(self):
        yield self.wait("inbox")
        self.send(self.recv(), "errors")


run(Pipeline(Feeder([1]), Sends()))
