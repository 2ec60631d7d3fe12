"""axonlike: wire small generators into live systems."""

import axonlike.speedups  # noqa: F401 -- puts the compiled ways in place
from axonlike.background import background
from axonlike.chassis.carousel import Carousel
from axonlike.chassis.graphline import Graphline
from axonlike.chassis.par import Par
from axonlike.chassis.pipeline import Pipeline
from axonlike.chassis.seq import Seq
from axonlike.component import Component, Step, step
from axonlike.defaults import default_scheduler, run, run_async
from axonlike.driven import Driven
from axonlike.handle import Handle
from axonlike.linkage import Box
from axonlike.messages import Crashed, ProducerFinished, Shutdown
from axonlike.scheduler import Scheduler
from axonlike.supervisor import Supervisor
from axonlike.threads import ThreadedComponent

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Carousel",
    "Component",
    "Crashed",
    "Driven",
    "Graphline",
    "Handle",
    "Par",
    "Pipeline",
    "ProducerFinished",
    "Scheduler",
    "Seq",
    "Shutdown",
    "Step",
    "Supervisor",
    "ThreadedComponent",
    "background",
    "default_scheduler",
    "run",
    "run_async",
    "step",
]
