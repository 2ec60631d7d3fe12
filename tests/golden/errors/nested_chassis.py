from axonlike import Pipeline, run, step
from axonlike.testing import Feeder, Probe

inner = Pipeline(step(str), step(lambda text: text[3], name="fourth"), name="Cut")
run(Pipeline(Feeder([12345, 99]), Pipeline(inner, name="Middle"), Probe()))
