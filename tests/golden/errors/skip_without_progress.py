from axonlike import Component, Pipeline, run
from axonlike.testing import Feeder


class NeverStarts(Component):
    on_error = "skip"

    def main(self):
        raise OSError(16, "Device or resource busy", "/dev/ttyUSB0")
        yield


run(Pipeline(Feeder([1]), NeverStarts()))
