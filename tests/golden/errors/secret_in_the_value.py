from axonlike import Pipeline, run, step
from axonlike.testing import Feeder

LOGIN = {"user": "ada", "password": "hunter2", "api_key": "k-123456", "note": "Authorization: Bearer abc.def"}
run(Pipeline(Feeder([LOGIN]), step(lambda login: login["host"], name="connect")))
