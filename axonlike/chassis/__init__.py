"""Chassis: components that are made of other components."""

from axonlike.chassis.carousel import Carousel
from axonlike.chassis.graphline import Graphline
from axonlike.chassis.par import Par
from axonlike.chassis.pipeline import Pipeline
from axonlike.chassis.seq import Seq

__all__ = ["Carousel", "Graphline", "Par", "Pipeline", "Seq"]
