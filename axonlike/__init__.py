"""axonlike: wire small generators into live systems."""

from axonlike.chassis.graphline import Graphline
from axonlike.chassis.pipeline import Pipeline
from axonlike.component import Component, Step, step
from axonlike.driven import Driven
from axonlike.linkage import Box
from axonlike.messages import Crashed, ProducerFinished, Shutdown
from axonlike.scheduler import Scheduler, default_scheduler, run, run_async
from axonlike.threads import ThreadedComponent

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Component",
    "Crashed",
    "Driven",
    "Graphline",
    "Pipeline",
    "ProducerFinished",
    "Scheduler",
    "Shutdown",
    "Step",
    "ThreadedComponent",
    "default_scheduler",
    "run",
    "run_async",
    "step",
]
