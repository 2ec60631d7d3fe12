import json

from axonlike import Pipeline, run, step
from axonlike.testing import Feeder

run(Pipeline(Feeder(['{"a": 1}', '{"a": ']), step(json.loads)))
