from axonlike import Pipeline, run, step
from axonlike.testing import Feeder


@step
def connect(url):
    raise ConnectionError(f"no answer from {url}?token=s3cr3t&x=1")


run(Pipeline(Feeder(["http://host"]), connect))
