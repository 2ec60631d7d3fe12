from axonlike import Pipeline, run, step
from axonlike.testing import Feeder


class Frame:
    def __repr__(self):
        raise ValueError("not yet decoded")


run(Pipeline(Feeder([Frame()]), step(len, name="length")))
