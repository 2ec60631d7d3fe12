import json

run(Pipeline(Feeder(['{"a": 1}', '{"a": ']), step(json.loads)))
