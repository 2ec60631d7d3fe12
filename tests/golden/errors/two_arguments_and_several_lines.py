from axonlike import Pipeline, run, step
from axonlike.testing import Feeder


class ProtocolError(Exception):
    def __init__(self, code, text):
        super().__init__(f"code {code}\n  {text}")


@step
def parse(line):
    raise ProtocolError(7, line)


run(Pipeline(Feeder(["?"]), parse))
