from axonlike import Pipeline, run, step
from axonlike.testing import Feeder, Probe


@step
def invert(number):
    return 1 / number


run(Pipeline(Feeder([4, 2, 0, 1]), invert, Probe()))
