from axonlike import Pipeline, run, step
from axonlike.testing import Feeder

run(Pipeline(Feeder(["0123456789" * 100]), step(int), step(lambda n: n["x"])))
