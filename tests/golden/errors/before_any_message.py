from axonlike import Component, Pipeline, run
from axonlike.testing import Probe


class Opens(Component):
    def main(self):
        with open("/nowhere/at/all") as file:
            yield
            self.send(file.read())


run(Pipeline(Opens(), Probe()))
