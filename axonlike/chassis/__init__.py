"""Chassis: components that are made of other components."""

from axonlike.chassis.graphline import Graphline
from axonlike.chassis.pipeline import Pipeline

__all__ = ["Graphline", "Pipeline"]
